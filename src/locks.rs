//! Whose are the files on which processes wait for each other?
//!
//! Linux locks a file for whoever may so much as read it. A producer in the group of the service could hold such a
//! file for ever, and every command, or the intake, would wait for it. So each is its owner's alone.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use tracing::warn;

/// What its owner may do with a lock file.
const OF_OWNER: u32 = 0o600;

/// What group and others may do.
const OF_OTHERS: u32 = 0o077;

/// Opens the lock file at `path`, or makes it. Nobody holds it by that.
///
/// # Errors
///
/// When it can be neither, as where another user has made it; or when it is a link.
pub fn open(path: &Path) -> io::Result<File> {
    let (file, is_new) = opened_or_made(path)?;
    let kept = if is_new {
        give(&file, path)
    } else {
        keep(&file)
    };
    if let Err(error) = kept {
        let path = path.display();
        warn!("Could not keep `{path}` from other users: {error}; `chmod go-rwx {path}`");
    }
    Ok(file)
}

/// Says also whether this call has made it.
fn opened_or_made(path: &Path) -> io::Result<(File, bool)> {
    match options().open(path) {
        Err(none) if none.kind() == io::ErrorKind::NotFound => {}
        opened => return Ok((opened?, false)),
    }
    match options().create_new(true).open(path) {
        // Another process was first.
        Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {
            Ok((options().open(path)?, false))
        }
        made => Ok((made?, true)),
    }
}

fn options() -> OpenOptions {
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .mode(OF_OWNER)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Gives what root has just made to whoever has the folder, for a service of another name could not open it. Never what
/// was there: whoever has the folder may have put another name of a file of root's there.
fn give(file: &File, path: &Path) -> io::Result<()> {
    let me = rustix::process::geteuid();
    if me.is_root()
        && let Some(folder) = path.parent().and_then(|parent| parent.metadata().ok())
        && folder.uid() != me.as_raw()
    {
        fchown(file, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(())
}

/// Takes one that was there from group and others, who may have it from before; one with a second name is hardly ours.
fn keep(file: &File) -> io::Result<()> {
    let found = file.metadata()?;
    let is_ours = found.uid() == rustix::process::geteuid().as_raw() && found.nlink() == 1;
    if is_ours && found.is_file() && found.mode() & OF_OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(OF_OWNER))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_lock_is_its_owners_alone_also_one_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (
            folder.path().join("new.lock"),
            folder.path().join("old.lock"),
        );
        fs::write(&old, "").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o644)).unwrap();

        for path in [&new, &old] {
            open(path).unwrap();
            assert_eq!(mode(path), 0o600, "{}", path.display());
        }
    }

    #[test]
    fn what_root_makes_is_for_whoever_has_the_folder() {
        if !rustix::process::geteuid().is_root() {
            return; // nobody else can give files away
        }
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(folder.path(), Some(7), Some(8)).unwrap();
        let path = folder.path().join("new.lock");

        open(&path).unwrap();

        let found = fs::metadata(&path).unwrap();
        assert_eq!(
            (found.uid(), found.gid(), found.mode() & 0o777),
            (7, 8, 0o600)
        );
    }

    #[test]
    fn another_name_of_a_file_is_neither_given_away_nor_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (own, lock) = (folder.path().join("own"), folder.path().join("a.lock"));
        fs::write(&own, "").unwrap();
        fs::set_permissions(&own, Permissions::from_mode(0o640)).unwrap();
        fs::hard_link(&own, &lock).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            std::os::unix::fs::chown(folder.path(), Some(7), Some(8)).unwrap();
        }
        let before = fs::metadata(&own).unwrap();

        open(&lock).unwrap();

        let after = fs::metadata(&own).unwrap();
        assert_eq!((after.uid(), mode(&own)), (before.uid(), 0o640));
    }

    #[test]
    fn a_link_leads_to_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (link, elsewhere) = (folder.path().join("a.lock"), folder.path().join("b"));
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();

        assert!(open(&link).is_err());
        assert!(!elsewhere.exists());
    }
}
