//! Which files are taken, and lie there still because they could not be let go of?
//!
//! Their documents are durable. To take such a file anew would read it whole and tell that it came again, for as long
//! as it lies there; so as long as it stays as it is, it is only let go of when its turn comes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::folder::Trouble;
use super::settle::Seen;
use super::source::Changed;
use super::whole::Ended;

/// A file that is taken, and could not be let go of.
pub(super) struct Stays {
    pub(super) taken: Ended,
    pub(super) why: String,
    /// Of what is there after that: by its stamp alone, what was written over it could pass for it.
    pub(super) changed: Changed,
}

/// The files of all drop folders that are taken and lie there still, while no door is at work: for the next one. A
/// clone is the same.
#[derive(Clone, Default)]
pub struct LeftFiles(Arc<Mutex<BTreeMap<PathBuf, Left>>>);

impl LeftFiles {
    /// Returns those of a firm's folder.
    pub(super) fn take(&self, folder: &Path) -> Left {
        self.all().remove(folder).unwrap_or_default()
    }

    /// Remembers those of a firm's folder.
    pub(super) fn keep(&self, folder: &Path, left: Left) {
        self.all().insert(folder.to_owned(), left);
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Left>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files of one firm's folder that are taken and lie there still.
#[derive(Default)]
pub(super) struct Left {
    files: BTreeMap<PathBuf, Stays>,
    trouble: Trouble,
}

impl Left {
    /// Divides what is ready into files that are only to be let go of, and files that are to be taken.
    pub(super) fn part(&mut self, ready: Vec<Seen>) -> (Vec<Stays>, Vec<Seen>) {
        let (mut again, mut fresh) = (Vec::new(), Vec::new());
        for file in ready {
            match self.files.remove(&file.path) {
                Some(stays) if stays.taken.0 == file => again.push(stays),
                _ => fresh.push(file),
            }
        }
        (again, fresh)
    }

    /// Remembers a file that could not be let go of.
    pub(super) fn note(&mut self, stays: Stays) {
        self.files.insert(stays.taken.0.path.clone(), stays);
    }

    /// Says whether the file of this name is one of them.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// Forgets what is not there any more.
    pub(super) fn retain(&mut self, is_there: impl Fn(&Path) -> bool) {
        self.files.retain(|path, _| is_there(path));
    }

    /// Returns how many there are and why the first cannot be let go of, where that was not told yet.
    pub(super) fn news(&mut self) -> Option<(usize, String)> {
        let first = self.files.values().next();
        let why = self.trouble.news(first.map(|stays| stays.why.clone()))?;
        Some((self.files.len(), why))
    }
}

#[cfg(test)]
mod tests {
    use super::super::settle::Stamp;
    use super::super::source::changed;
    use super::super::take::End;
    use super::*;
    use crate::ingest::Outcome;

    fn seen(path: &str, bytes: u64) -> Seen {
        let stamp = Stamp {
            modified_ns: 0,
            bytes,
            device: 1,
            inode: 1,
        };
        Seen {
            path: path.into(),
            stamp,
            beside: None,
        }
    }

    fn stays(path: &str) -> Stays {
        let file = seen(path, 1);
        Stays {
            changed: changed(Path::new("/nowhere"), &file),
            taken: (file, End::Taken(Outcome::Kept), None),
            why: "denied".to_owned(),
        }
    }

    #[test]
    fn what_is_taken_is_taken_anew_only_when_it_has_changed() {
        let mut left = Left::default();
        for path in ["F-1.xml", "F-2.xml"] {
            left.note(stays(path));
        }
        assert_eq!(left.news(), Some((2, "denied".to_owned())));
        assert_eq!(left.news(), None);

        let ready = ["F-1.xml", "F-2.xml", "F-3.xml"].map(|path| {
            let bytes = if path == "F-2.xml" { 2 } else { 1 };
            seen(path, bytes)
        });
        let (again, fresh) = left.part(ready.into());

        assert_eq!(again[0].taken.0, seen("F-1.xml", 1));
        assert_eq!(again.len(), 1);
        assert_eq!(fresh, [seen("F-2.xml", 2), seen("F-3.xml", 1)]);
        assert!(!left.holds(Path::new("F-2.xml")));
        assert_eq!(left.news(), None, "and what is mended is no trouble");
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut left = Left::default();
        left.note(stays("F-1.xml"));

        left.retain(|_| false);

        assert!(!left.holds(Path::new("F-1.xml")));
    }
}
