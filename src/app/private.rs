//! What in the data folder is for nobody but the service?
//!
//! Producers may have a folder of their own below it, as members of its group: they come through, and see nothing
//! of what it keeps.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tracing::warn;

use super::Error;

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

/// Refuses to do as root what makes files beside this one, where it is another user's: that user could not write them.
/// Where nothing is yet, it is whose the folder is, or the one above it: the folder of a house, not a home.
pub(super) fn not_as_root(file: &Path) -> Result<(), Error> {
    let mut nearest = file.ancestors().take(3);
    let found = nearest.find_map(|path| fs::metadata(path).ok());
    let owner = found.map_or(0, |found| found.uid());
    if owner == 0 || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::NotRoots {
        path: file.to_owned(),
        user: user_name(owner).unwrap_or_else(|| format!("#{owner}")),
    })
}

/// Returns the name of a user, as `/etc/passwd` has it.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&users, uid).map(ToOwned::to_owned)
}

/// The name of a user, in the form of `passwd(5)`.
fn name_in(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid)).then_some(name)
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
    fn root_makes_nothing_beside_what_is_anothers() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        not_as_root(&file).unwrap();
        fs::write(&file, "").unwrap();
        not_as_root(&file).unwrap();

        let is_root = rustix::process::geteuid().is_root();
        let another = std::os::unix::fs::chown(&file, Some(7_654_321), None);

        assert_eq!(another.is_ok(), is_root);
        let refused = not_as_root(&file).map_err(|refused| refused.to_string());
        assert_eq!(refused.is_err(), is_root);
        let told = refused.err().unwrap_or_default();
        assert_eq!(told.contains("sudo -u '#7654321' sluis"), is_root, "{told}");

        // Where nothing is made yet.
        let house = folder.path().join("house");
        fs::create_dir(&house).unwrap();
        let another = std::os::unix::fs::chown(&house, Some(7_654_321), None);
        assert_eq!(another.is_ok(), is_root);
        let refused = not_as_root(&house.join("data/catalog.sqlite"));
        assert_eq!(refused.is_err(), is_root);
        not_as_root(&house.join("new/data/catalog.sqlite")).unwrap();
    }

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\nkevin:x:1000:1000::/home/kevin:/bin/sh\n";

        assert_eq!(name_in(users, 1000), Some("kevin"));
        assert_eq!(name_in(users, 100), None);
    }

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
