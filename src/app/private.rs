//! What in the data folder is for nobody but the service?
//!
//! Producers may have a folder of their own below it, as members of its group: they come through, and see nothing
//! of what it keeps.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tracing::warn;

/// What group and others may do.
const OF_OTHERS: u32 = 0o077;

/// Returns the files of a catalog that are there while it is open.
pub(super) fn of_catalog(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        name.into()
    })
}

/// Takes from group and others whatever they may do with these. What belongs to another user stays as it is: `doctor`
/// tells of it.
pub(super) fn keep(paths: impl IntoIterator<Item = PathBuf>) {
    for path in paths {
        let Ok(found) = fs::metadata(&path) else {
            continue;
        };
        let is_own = found.uid() == rustix::process::geteuid().as_raw();
        if !is_own || found.mode() & OF_OTHERS == 0 {
            continue;
        }
        let mode = fs::Permissions::from_mode(found.mode() & 0o7777 & !OF_OTHERS);
        if let Err(error) = fs::set_permissions(&path, mode) {
            let path = path.display();
            warn!("Could not keep `{path}` from other users: {error}; `chmod go-rwx {path}`");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_read_they_cannot_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        let files = of_catalog(&file);
        for path in &files[..2] {
            fs::write(path, "").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        }

        keep(files.clone());

        let mode = |path: &PathBuf| fs::metadata(path).map(|found| found.mode() & 0o777).ok();
        assert_eq!(files.each_ref().map(mode), [Some(0o600), Some(0o600), None]);
        assert!(files[1].ends_with("catalog.sqlite-wal"));
    }
}
