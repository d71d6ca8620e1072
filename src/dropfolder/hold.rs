//! Does another server take what is dropped here?
//!
//! Two that take from one root take each other's documents: the one keeps what the other's devices wait for. So
//! whoever takes holds a lock in the root. A copy of a house that is tried beside it, with its drop folders where they
//! were, finds it held.

use std::fs::{self, File, Metadata, TryLockError};
use std::path::Path;

use super::scan::identity;

/// The lock's name. No firm has such a one, and the look goes into the folders of firms alone.
pub(super) const LOCK: &str = ".sluis.lock";

/// Holds the root, or goes on holding it, until the value is dropped. None where nothing can be locked there, as on
/// some network file systems: then nobody is held off.
///
/// # Errors
///
/// When another server holds it, in words for an operator.
pub(super) fn hold(held: Option<File>, root: &Path) -> Result<Option<File>, String> {
    let path = root.join(LOCK);
    // Another root may be mounted there by now, or somebody have removed the file.
    let found = fs::symlink_metadata(&path).ok();
    if let (Some(file), Some(found)) = (&held, &found)
        && file.metadata().is_ok_and(|own| is_one(&own, found))
    {
        return Ok(held);
    }
    drop(held);
    // A link would lead to a file of whoever made it.
    if found.is_some_and(|found| !found.is_file()) {
        return Ok(None);
    }
    let opened = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let Ok(file) = opened else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another server takes what is dropped in `{}`, and holds `{LOCK}` there: a copy of a house wants a drop folder of its own, `root` under `[drop]`",
            root.display()
        )),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

fn is_one(one: &Metadata, other: &Metadata) -> bool {
    identity(one) == identity(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_held_once_and_again_when_the_holder_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let first = hold(None, root.path()).unwrap();
        assert!(first.is_some());

        let why = hold(None, root.path()).unwrap_err();

        assert!(why.contains("another server"), "{why}");
        let first = hold(first, root.path()).unwrap();
        assert!(first.is_some(), "whoever holds it goes on");
        drop(first);
        assert!(hold(None, root.path()).unwrap().is_some());
    }

    #[test]
    fn another_root_in_its_place_is_held_anew() {
        let root = tempfile::tempdir().unwrap();
        let first = hold(None, root.path()).unwrap();
        fs::remove_file(root.path().join(LOCK)).unwrap();

        let first = hold(first, root.path()).unwrap();

        assert!(root.path().join(LOCK).exists());
        assert!(hold(None, root.path()).is_err());
        drop(first);
    }

    #[test]
    fn where_nothing_can_be_locked_nobody_is_held_off() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(LOCK)).unwrap();

        assert!(hold(None, root.path()).unwrap().is_none());
        let link = tempfile::tempdir().unwrap();
        let elsewhere = root.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, link.path().join(LOCK)).unwrap();
        assert!(hold(None, link.path()).unwrap().is_none());
        assert!(!elsewhere.exists());
    }
}
