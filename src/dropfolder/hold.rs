//! Does another server take what is dropped here?
//!
//! Two that take from one root take each other's documents: the one keeps what the other's devices wait for. So
//! whoever takes holds a lock in the root. A copy of a house that is tried beside it, with its drop folders where they
//! were, finds it held, or, where another user tries it, cannot even open it.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::scan::identity;
use crate::locks;

/// The lock's name. No firm has such a one, and the look goes into the folders of firms alone.
pub(super) const LOCK: &str = ".sluis.lock";

/// How a root is held.
#[derive(Debug)]
enum Hold {
    /// By this file, until it is dropped.
    Alone(File),
    /// Not at all, so that nobody is held off; and why, in words for an operator.
    Open(String),
}

/// What holds off a second server, from one door to the next: between the two nobody else may begin. A clone is the same.
#[derive(Clone, Default)]
pub struct HeldRoot(Arc<Mutex<Option<(PathBuf, File)>>>);

impl HeldRoot {
    /// Holds the root, or goes on holding it; returns why it is held by nobody, if so. What is held stays so where it
    /// cannot be looked at for once; another root is let go of, for nothing is taken from there any more.
    ///
    /// # Errors
    ///
    /// When another server holds it, or may, in words for an operator.
    pub(super) fn hold(&self, root: &Path) -> Result<Option<String>, String> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.as_ref().and_then(|(_, file)| file.try_clone().ok());
        let tried = hold(own, root);
        let is_the_same = held.as_ref().is_some_and(|(of, _)| of == root);
        if tried.is_ok() || !is_the_same {
            *held = None;
        }
        match tried? {
            Hold::Alone(file) => {
                *held = Some((root.to_owned(), file));
                Ok(None)
            }
            Hold::Open(why) => Ok(Some(why)),
        }
    }
}

/// Holds the root, or goes on holding it.
///
/// # Errors
///
/// When another server holds it, or may, in words for an operator.
fn hold(held: Option<File>, root: &Path) -> Result<Hold, String> {
    hold_by(held, root, locks::open)
}

fn hold_by(
    held: Option<File>,
    root: &Path,
    open: impl Fn(&Path) -> io::Result<File>,
) -> Result<Hold, String> {
    let path = root.join(LOCK);
    let shown = root.display();
    // Another root may be mounted there by now, or somebody have removed the file.
    let found = found(&path)?;
    match (held, &found) {
        (Some(file), Some(found)) if file.metadata().is_ok_and(|own| is_one(&own, found)) => {
            return Ok(Hold::Alone(file));
        }
        _ => {}
    }
    // A link would lead to a file of whoever made it.
    if found.is_some_and(|found| !found.is_file()) {
        let why = format!("`{LOCK}` in `{shown}` is no file; remove it");
        return Ok(Hold::Open(why));
    }
    let file = match open(&path) {
        Ok(file) => file,
        Err(failed) => return not_opened(&path, root, &failed),
    };
    match file.try_lock() {
        Ok(()) => Ok(Hold::Alone(file)),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another server takes what is dropped in `{shown}`, and holds `{LOCK}` there: a copy of a house wants a drop folder of its own, `root` under `[drop]`"
        )),
        Err(TryLockError::Error(failed)) => Ok(Hold::Open(format!(
            "`{LOCK}` in `{shown}` cannot be locked ({failed}); see to it that no other server takes from there"
        ))),
    }
}

/// Judges a lock that could be neither opened nor made. One that is there has been made by somebody, who may hold it.
fn not_opened(path: &Path, root: &Path, failed: &io::Error) -> Result<Hold, String> {
    // Some shares refuse hidden names so.
    let is_refused = failed.kind() == io::ErrorKind::NotFound && root.is_dir();
    let root = root.display();
    if found(path)?.is_some() {
        return Err(format!(
            "`{LOCK}` in `{root}` cannot be opened ({failed}), and a server of another user may hold it: a copy of a house wants a drop folder of its own, `root` under `[drop]`; where no other server takes from there, remove the file"
        ));
    }
    if is_refused || can_never_be_made(failed) {
        return Ok(Hold::Open(format!(
            "`{LOCK}` cannot be made in `{root}` ({failed}); make an empty file of this name there, which belongs to the user of the service"
        )));
    }
    Err(format!("could not make `{LOCK}` in `{root}`: {failed}"))
}

/// Says whether it stays so. A server that has no files left to open, or whose disk does not answer, waits instead.
fn can_never_be_made(failed: &io::Error) -> bool {
    matches!(
        failed.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::Unsupported
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename
            // What is taken makes room.
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
    )
}

fn found(path: &Path) -> Result<Option<Metadata>, String> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(failed) => Err(format!("could not look at `{}`: {failed}", path.display())),
    }
}

fn is_one(one: &Metadata, other: &Metadata) -> bool {
    identity(one) == identity(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(held: Result<Hold, String>) -> File {
        match held.unwrap() {
            Hold::Alone(file) => file,
            Hold::Open(why) => panic!("{why}"),
        }
    }

    fn open(held: Result<Hold, String>) -> String {
        match held.unwrap() {
            Hold::Alone(_) => panic!("it is held"),
            Hold::Open(why) => why,
        }
    }

    #[test]
    fn a_root_is_held_once_and_again_when_the_holder_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let first = alone(hold(None, root.path()));

        let why = hold(None, root.path()).unwrap_err();

        assert!(why.contains("another server"), "{why}");
        let first = alone(hold(Some(first), root.path())); // whoever holds it goes on
        assert!(hold(None, root.path()).is_err());
        drop(first);
        alone(hold(None, root.path()));
    }

    #[test]
    fn what_is_held_stays_so_from_one_door_to_the_next_and_where_it_cannot_be_looked_at() {
        use std::os::unix::fs::symlink;
        let (place, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let share = place.path().join("share");
        symlink(root.path(), &share).unwrap();
        let held = HeldRoot::default();
        assert_eq!(held.hold(&share), Ok(None));
        let next = held.clone();
        drop(held);
        assert!(hold(None, root.path()).is_err(), "no door is at work");
        assert_eq!(next.hold(&share), Ok(None));

        // A share that does not answer for a moment: here a link that leads to itself.
        fs::remove_file(&share).unwrap();
        symlink(&share, &share).unwrap();
        assert!(next.hold(&share).is_err());
        assert!(hold(None, root.path()).is_err());
        drop(next);
        alone(hold(None, root.path()));
    }

    #[test]
    fn a_root_from_which_nothing_is_taken_any_more_is_let_go_of_whatever_becomes_of_the_next() {
        let (root, next) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let another_servers = alone(hold(None, next.path()));
        let held = HeldRoot::default();
        assert_eq!(held.hold(root.path()), Ok(None));

        assert!(held.hold(next.path()).is_err());

        alone(hold(None, root.path()));
        drop(another_servers);
        assert_eq!(held.hold(next.path()), Ok(None));
        assert!(hold(None, next.path()).is_err());
    }

    #[test]
    fn another_root_in_its_place_is_held_anew() {
        let root = tempfile::tempdir().unwrap();
        let first = alone(hold(None, root.path()));
        fs::remove_file(root.path().join(LOCK)).unwrap();

        let first = alone(hold(Some(first), root.path()));

        assert!(root.path().join(LOCK).exists());
        assert!(hold(None, root.path()).is_err());
        drop(first);
    }

    #[test]
    fn a_lock_that_another_user_has_made_is_held() {
        let root = tempfile::tempdir().unwrap();
        let denied = |_: &Path| Err(io::ErrorKind::PermissionDenied.into());
        fs::write(root.path().join(LOCK), "").unwrap();

        let why = hold_by(None, root.path(), denied).unwrap_err();

        assert!(
            why.contains("a server of another user may hold it"),
            "{why}"
        );
        // One that was made just after it was looked for.
        fs::remove_file(root.path().join(LOCK)).unwrap();
        let made = |path: &Path| fs::write(path, "").and_then(|()| denied(path));
        assert!(hold_by(None, root.path(), made).is_err());
    }

    #[test]
    fn a_root_in_which_no_lock_can_be_made_holds_nobody_off_and_says_so() {
        let root = tempfile::tempdir().unwrap();
        let fails = |kind: io::ErrorKind| hold_by(None, root.path(), |_| Err(kind.into()));

        let why = open(fails(io::ErrorKind::PermissionDenied));

        assert!(why.contains("make an empty file of this name"), "{why}");
        open(fails(io::ErrorKind::StorageFull));
        open(fails(io::ErrorKind::NotFound));
        // What passes is waited for.
        let passes = |_: &Path| Err(rustix::io::Errno::MFILE.into());
        assert!(hold_by(None, root.path(), passes).is_err());
    }

    #[test]
    fn where_nothing_can_be_locked_nobody_is_held_off() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(LOCK)).unwrap();

        assert!(open(hold(None, root.path())).contains("is no file"));
        let link = tempfile::tempdir().unwrap();
        let elsewhere = root.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, link.path().join(LOCK)).unwrap();
        open(hold(None, link.path()));
        assert!(!elsewhere.exists());
    }
}
