//! Is this still the very same file, and may it be let go?
//!
//! A file may be replaced at any time. So bytes count as read only when the file was the same
//! before and after, and a file is removed only when it is the one whose bytes were taken.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use bytes::Bytes;

use super::scan::stamp;
use super::settle::Stamp;

/// What a path leads to, compared with what it led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Still {
    /// The very same file, unchanged.
    Same,
    /// Another file, or the same one with other bytes.
    Other,
    /// Nothing.
    Gone,
}

/// Compares what is at `path` with the state it was in.
pub(super) fn still(path: &Path, expected: Stamp) -> io::Result<Still> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && stamp(&found) == expected => Ok(Still::Same),
        Ok(_) => Ok(Still::Other),
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(Still::Gone),
        Err(other) => Err(other),
    }
}

/// Reads a file whole; none when it is not, or no longer, in the expected state.
///
/// The size was judged before: no more than that is read.
pub(super) fn read(path: &Path, expected: Stamp) -> io::Result<Option<Bytes>> {
    if still(path, expected)? != Still::Same {
        return Ok(None);
    }
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    // Asked of the open file: a network file system answers this one freshly, and a link in its place is another file.
    if stamp(&file.metadata()?) != expected {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(expected.bytes).unwrap_or_default());
    file.by_ref()
        .take(expected.bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    let whole = bytes.len() as u64 == expected.bytes && stamp(&file.metadata()?) == expected;
    let unchanged = whole && still(path, expected)? == Still::Same;
    Ok(unchanged.then(|| bytes.into()))
}

/// Opens what is at `path`, if a file may be. Another thing may have taken its place since it was looked
/// at: a link is not followed, and the end of a pipe is not waited for.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Ok(None),
        Err(failed) => Err(failed.into()),
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Removes a file if it is still in the expected state, and tells whether it was.
pub(super) fn remove(path: &Path, expected: Stamp) -> io::Result<Still> {
    let found = still(path, expected)?;
    if found != Still::Same {
        return Ok(found);
    }
    // A network file system may have answered that from what it remembers; of an open file it asks the server.
    match open(path)? {
        Some(file) if stamp(&file.metadata()?) == expected => {}
        Some(_) => return Ok(Still::Other),
        None => return still(path, expected),
    }
    match fs::remove_file(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(Still::Gone),
        removed => removed.map(|()| Still::Same),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(text: &str) -> (tempfile::TempDir, std::path::PathBuf, Stamp) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("F-1.xml");
        fs::write(&path, text).unwrap();
        let stamp = stamp(&fs::metadata(&path).unwrap());
        (folder, path, stamp)
    }

    #[test]
    fn a_file_is_read_whole_and_removed() {
        let (_folder, path, stamp) = dropped("<Invoice/>");

        assert_eq!(read(&path, stamp).unwrap().unwrap(), "<Invoice/>");
        assert_eq!(remove(&path, stamp).unwrap(), Still::Same);
        assert_eq!(remove(&path, stamp).unwrap(), Still::Gone);
        assert_eq!(read(&path, stamp).unwrap(), None);
    }

    #[test]
    fn a_file_that_has_grown_is_neither_read_nor_removed() {
        let (_folder, path, stamp) = dropped("<Invoice/>");
        fs::write(&path, "<Invoice></Invoice>").unwrap();

        assert_eq!(read(&path, stamp).unwrap(), None);
        assert_eq!(remove(&path, stamp).unwrap(), Still::Other);
        assert!(path.exists());
    }

    #[test]
    fn another_file_of_the_same_size_and_time_stays() {
        let (folder, path, stamp) = dropped("<Invoice/>");
        let other = folder.path().join("other");
        fs::write(&other, "<INVOICE/>").unwrap();
        let times =
            fs::FileTimes::new().set_modified(fs::metadata(&path).unwrap().modified().unwrap());
        File::options()
            .write(true)
            .open(&other)
            .unwrap()
            .set_times(times)
            .unwrap();
        fs::rename(&other, &path).unwrap();

        assert_eq!(read(&path, stamp).unwrap(), None);
        assert_eq!(remove(&path, stamp).unwrap(), Still::Other);
        assert_eq!(fs::read_to_string(&path).unwrap(), "<INVOICE/>");
    }

    #[cfg(unix)]
    #[test]
    fn what_took_the_place_of_a_file_is_neither_followed_nor_waited_for() {
        let (folder, path, _) = dropped("<Invoice/>");
        let (link, pipe) = (folder.path().join("link.xml"), folder.path().join("p.xml"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();

        assert!(open(&path).unwrap().is_some());
        assert!(open(&link).unwrap().is_none());
        assert!(!open(&pipe).unwrap().unwrap().metadata().unwrap().is_file());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_very_same_file_is_another_file() {
        let (folder, path, stamp) = dropped("<Invoice/>");
        let elsewhere = folder.path().join("elsewhere.xml");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();

        assert_eq!(read(&path, stamp).unwrap(), None);
        assert_eq!(remove(&path, stamp).unwrap(), Still::Other);
    }
}
