//! What is in a firm's drop folder now?
//!
//! One look walks the whole folder and follows no symbolic link, so that nobody who may write
//! there can point at files elsewhere. What a look cannot see is told as a [`Trouble`], and the
//! rest is seen all the same.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::settle::{Seen, Stamp, is_left_alone, may_get_its_name};
use super::spot::Held;
use crate::model::{Timestamp, Veiled};

/// How many folders deep a file may lie; every level is held open while it is walked.
pub(super) const SCAN_DEPTH_MAX: usize = 8;

/// How many files one look sees, and so how many are remembered for a firm. The rest is seen when these are taken.
pub(super) const SCAN_FILES_MAX: usize = 20_000;

/// For how long a file under a temporary name may stay as it is before somebody is told, in milliseconds: an hour. What
/// is being written changes.
pub(super) const UNNAMED_MS: i64 = 60 * 60 * 1000;

/// What one look saw.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The files, left-alone names apart.
    pub(super) seen: Vec<Seen>,
    /// How many files and folders under temporary names have stayed as they are for [`UNNAMED_MS`].
    pub(super) unnamed: usize,
    /// What could not be seen, where anything could not: the first of it.
    pub(super) trouble: Option<Trouble>,
}

/// A part of a folder that a look did not see.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The firm's folder cannot be opened.
    #[error("could not look at `{}`", path.display())]
    Root { path: PathBuf, source: io::Error },
    /// A folder, or a file, in it cannot be opened. Its name is somebody else's.
    #[error(
        "could not look at {} in it, a name as `printf %s PATH | sha256sum` begins",
        veiled(path)
    )]
    Unreadable { path: PathBuf, source: io::Error },
    /// A symbolic link, or a file where a folder should be.
    #[error("`{}` is not a folder", path.display())]
    NoFolder { path: PathBuf },
    /// Past the depth.
    #[error(
        "{} in it lies deeper than {SCAN_DEPTH_MAX} folders and is not looked at",
        veiled(path)
    )]
    TooDeep { path: PathBuf },
    /// Past the number.
    #[error("`{}` holds more than {SCAN_FILES_MAX} files, and the rest waits until these are taken", path.display())]
    TooMany { path: PathBuf },
}

impl Trouble {
    /// Says whether it hides files that are to be taken; what lies too deep, or is too much, is seen in its time.
    pub(super) fn hides(&self) -> bool {
        match self {
            Self::Root { .. } | Self::Unreadable { .. } | Self::NoFolder { .. } => true,
            Self::TooDeep { .. } | Self::TooMany { .. } => false,
        }
    }
}

fn veiled(path: &Path) -> String {
    Veiled(&path.to_string_lossy()).to_string()
}

/// Looks at a firm's folder, which is made when it is missing. Its parent must exist.
pub(super) fn look(folder: &Path, now: Timestamp) -> Look {
    Walk::new(folder, SCAN_FILES_MAX, now).run()
}

/// Returns how many files and folders in this drop folder bear temporary names and have stayed as they are for an hour.
///
/// # Errors
///
/// When a part of it cannot be looked at.
pub fn unnamed_in(folder: &Path, now: Timestamp) -> io::Result<usize> {
    let held = match Held::open(folder) {
        Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(0),
        held => held?,
    };
    let mut walk = Walk::new(folder, SCAN_FILES_MAX, now);
    walk.folder(&held, Path::new(""), 1);
    Ok(walk.look.unnamed)
}

struct Walk<'a> {
    root: &'a Path,
    files_max: usize,
    now: Timestamp,
    look: Look,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Path, files_max: usize, now: Timestamp) -> Self {
        Self {
            root,
            files_max,
            now,
            look: Look::default(),
        }
    }

    fn run(mut self) -> Look {
        match prepare(self.root) {
            Ok(held) => self.folder(&held, Path::new(""), 1),
            Err(trouble) => self.look.trouble = Some(trouble),
        }
        self.look
    }

    fn folder(&mut self, held: &Held, within: &Path, depth: usize) {
        let unreadable = |root: &Path, source| {
            if depth == 1 {
                let path = root.to_owned();
                return Trouble::Root { path, source };
            }
            let path = root.join(within);
            Trouble::Unreadable { path, source }
        };
        let names = match held.names() {
            Ok(names) => names,
            Err(source) => return self.note(unreadable(self.root, source)),
        };
        for name in names {
            if self.look.seen.len() >= self.files_max {
                return self.note(Trouble::TooMany {
                    path: self.root.to_owned(),
                });
            }
            match name {
                Ok(name) => self.entry(held, &name, within.join(&name), depth),
                Err(source) => return self.note(unreadable(self.root, source)),
            }
        }
    }

    fn entry(&mut self, held: &Held, name: &OsStr, within: PathBuf, depth: usize) {
        if is_left_alone(&within) {
            if may_get_its_name(&within) && self.stays(held, name) {
                self.look.unnamed += 1;
            }
            return;
        }
        let path = self.root.join(&within);
        let opened = match held.at(name).metadata() {
            Ok(found) if found.is_file() => {
                return self.look.seen.push(Seen {
                    path: within,
                    stamp: stamp(&found),
                    beside: None,
                });
            }
            Ok(found) if found.is_dir() && depth >= SCAN_DEPTH_MAX => {
                return self.note(Trouble::TooDeep { path });
            }
            // Another thing may take its place before it is opened, and is not gone through then.
            Ok(found) if found.is_dir() => held.folder(name),
            Ok(_) => return, // links, sockets and devices hold no document
            Err(failed) => Err(failed),
        };
        match opened {
            Ok(folder) => self.folder(&folder, &within, depth + 1),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            Err(source) => self.note(Trouble::Unreadable { path, source }),
        }
    }

    /// Says whether it is a file that nobody has written to, or renamed, for [`UNNAMED_MS`], or a folder with something in
    /// it to which nothing came for so long.
    fn stays(&self, held: &Held, name: &OsStr) -> bool {
        let Ok(found) = held.at(name).metadata() else {
            return false;
        };
        let by = self.now.plus_ms(-UNNAMED_MS);
        let holds = found.is_file() || (found.is_dir() && holds_something(held, name));
        holds && changed(&found, self.now) <= by
    }

    /// The first one stands for all: an operator mends one thing at a time.
    fn note(&mut self, trouble: Trouble) {
        self.look.trouble.get_or_insert(trouble);
    }
}

/// Hidden folders are the file server's, as its snapshots.
fn holds_something(held: &Held, name: &OsStr) -> bool {
    if name.as_encoded_bytes().starts_with(b".") {
        return false;
    }
    let names = held.folder(name).and_then(|folder| folder.names());
    names.is_ok_and(|mut names| names.next().is_some())
}

fn prepare(folder: &Path) -> Result<Held, Trouble> {
    let opened = match Held::open(folder) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            fs::create_dir(folder).and_then(|()| Held::open(folder))
        }
        opened => opened,
    };
    opened.map_err(|source| {
        let path = folder.to_owned();
        match source.kind() {
            io::ErrorKind::NotADirectory => Trouble::NoFolder { path },
            _ => Trouble::Root { path, source },
        }
    })
}

/// Returns when a file was written to last, or given its name. Whoever writes it may date it ahead of `now`, as a copy of
/// what has a wrong date is; then it is when the disk saw that.
fn changed(found: &Metadata, now: Timestamp) -> Timestamp {
    use std::os::unix::fs::MetadataExt as _;
    let written = Timestamp(found.mtime().saturating_mul(1000));
    let seen = Timestamp(found.ctime().saturating_mul(1000));
    if written > now {
        seen
    } else {
        written.max(seen)
    }
}

/// Returns the state of a file.
pub(super) fn stamp(found: &Metadata) -> Stamp {
    let (device, inode) = identity(found);
    Stamp {
        modified_ns: found.modified().map(nanoseconds).unwrap_or_default(),
        bytes: found.len(),
        device,
        inode,
    }
}

fn nanoseconds(at: SystemTime) -> i128 {
    let signed = |since: std::time::Duration| i128::try_from(since.as_nanos()).unwrap_or(i128::MAX);
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => signed(after),
        Err(before) => -signed(before.duration()),
    }
}

pub(super) fn identity(found: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(folder: &Path) -> Look {
        super::look(folder, Timestamp(0))
    }

    fn names(look: &Look) -> Vec<String> {
        let mut names: Vec<_> = look
            .seen
            .iter()
            .map(|file| file.path.display().to_string())
            .collect();
        names.sort();
        names
    }

    fn write(root: &Path, path: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    #[test]
    fn a_missing_folder_is_made_but_not_its_parent() {
        let root = tempfile::tempdir().unwrap();

        assert!(look(&root.path().join("peeters")).trouble.is_none());
        assert!(root.path().join("peeters").is_dir());
        assert!(
            look(&root.path().join("unmounted/peeters"))
                .trouble
                .is_some()
        );
        assert!(!root.path().join("unmounted").exists());
    }

    #[test]
    fn folders_are_walked_and_what_is_left_alone_is_not_seen() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "F-1.xml",
            "sub/deep/F-2.xml",
            "F-3.xml.part",
            ".git/F-4.xml",
            "rejected/F-5.xml",
        ] {
            write(root.path(), path);
        }

        assert_eq!(names(&look(root.path())), ["F-1.xml", "sub/deep/F-2.xml"]);
    }

    #[test]
    fn what_has_a_temporary_name_for_an_hour_is_counted_and_no_litter_is() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "F-1.xml",
            "F-2.xml.part",
            "sub/.in.F-3.xml.",
            "F-4.xml~",
            "Thumbs.db",
            "~$F-5.xlsx",
            "._F-6.xml",
            ".git/F-7.xml.tmp",
            "batch.tmp/F-9.xml",
            "batch.tmp/F-10.xml",
            "rejected/F-8.xml.part",
        ] {
            write(root.path(), path);
        }
        let last = fs::metadata(root.path().join("rejected/F-8.xml.part")).unwrap();
        let first = fs::metadata(root.path().join("F-1.xml")).unwrap();
        let far = Timestamp(i64::MAX);
        let (first, last) = (changed(&first, far), changed(&last, far));

        let count = |now: Timestamp| super::look(root.path(), now).unnamed;
        assert_eq!(count(first.plus_ms(UNNAMED_MS - 1)), 0);
        fs::create_dir(root.path().join("empty.tmp")).unwrap();
        assert_eq!(count(last.plus_ms(UNNAMED_MS)), 4);

        let now = last.plus_ms(UNNAMED_MS);
        assert_eq!(unnamed_in(root.path(), now).unwrap(), 4);
        assert_eq!(unnamed_in(&root.path().join("none"), now).unwrap(), 0);
        assert!(!root.path().join("none").exists());
    }

    #[test]
    fn what_has_a_temporary_name_and_is_dated_ahead_is_counted_by_when_that_was_done() {
        use std::os::unix::fs::MetadataExt as _;
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "F-1.xml.part");
        let file = fs::File::open(root.path().join("F-1.xml.part")).unwrap();
        let written = file.metadata().unwrap().modified().unwrap();
        let year = std::time::Duration::from_secs(365 * 24 * 60 * 60);
        file.set_modified(written + year).unwrap();
        let dated = Timestamp(file.metadata().unwrap().ctime() * 1000);

        let count = |now: Timestamp| super::look(root.path(), now).unnamed;
        assert_eq!(count(dated.plus_ms(UNNAMED_MS - 1)), 0);
        assert_eq!(count(dated.plus_ms(UNNAMED_MS)), 1);
    }

    #[test]
    fn a_link_is_never_followed() {
        use std::os::unix::fs::symlink;
        let (root, secret) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(secret.path(), "secret.xml");
        symlink(secret.path(), root.path().join("folder")).unwrap();
        symlink(
            secret.path().join("secret.xml"),
            root.path().join("F-1.xml"),
        )
        .unwrap();

        assert!(look(root.path()).seen.is_empty());
        assert!(matches!(
            look(&root.path().join("folder")).trouble,
            Some(Trouble::NoFolder { .. })
        ));
    }

    #[test]
    fn a_file_one_folder_too_deep_is_told_of_and_the_others_are_seen() {
        let root = tempfile::tempdir().unwrap();
        let deepest = "d/".repeat(SCAN_DEPTH_MAX - 1);
        write(root.path(), &format!("{deepest}F-1.xml"));
        assert!(look(root.path()).trouble.is_none());

        write(root.path(), &format!("{deepest}d/F-2.xml"));

        let look = look(root.path());
        assert_eq!(names(&look), [format!("{deepest}F-1.xml")]);
        assert!(matches!(look.trouble, Some(Trouble::TooDeep { .. })));
    }

    #[test]
    fn one_file_past_the_limit_waits() {
        let root = tempfile::tempdir().unwrap();
        for path in ["F-1.xml", "F-2.xml", "F-3.xml"] {
            write(root.path(), path);
        }

        let look = Walk::new(root.path(), 2, Timestamp(0)).run();

        assert_eq!(look.seen.len(), 2);
        assert!(matches!(look.trouble, Some(Trouble::TooMany { .. })));
    }

    #[test]
    fn a_name_that_is_no_text_is_seen() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let root = tempfile::tempdir().unwrap();
        let name = OsStr::from_bytes(b"factur\xe9.xml");
        fs::write(root.path().join(name), "x").unwrap();

        assert_eq!(look(root.path()).seen[0].path, Path::new(name));
    }
}
