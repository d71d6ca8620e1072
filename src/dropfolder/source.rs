//! Is this still the very same file, and may it be let go?
//!
//! A file may be replaced at any time. So bytes count as read only when the file was the same
//! before and after, and a file is removed only when it is the one whose bytes were taken.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use bytes::Bytes;

use super::reject::numbered;
use super::scan::stamp;
use super::settle::{Seen, Stamp};
use super::spot::{Held, Spot};

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

/// Compares what has a name with the state it was in.
pub(super) fn still(spot: Spot<'_>, expected: Stamp) -> io::Result<Still> {
    match spot.metadata() {
        Ok(found) if found.is_file() && stamp(&found) == expected => Ok(Still::Same),
        Ok(_) => Ok(Still::Other),
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(Still::Gone),
        Err(other) => Err(other),
    }
}

/// Reads a file whole, `path` within `folder`; none when it is not, or no longer, in the expected state.
///
/// The size was judged before: no more than that is read.
pub(super) fn read(folder: &Path, path: &Path, expected: Stamp) -> io::Result<Option<Bytes>> {
    let Some(held) = Held::holding(folder, path)? else {
        return Ok(None);
    };
    let spot = held.at(path.file_name().unwrap_or_default());
    if still(spot, expected)? != Still::Same {
        return Ok(None);
    }
    let Some(mut file) = spot.read()? else {
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
    let unchanged = whole && still(spot, expected)? == Still::Same;
    Ok(unchanged.then(|| bytes.into()))
}

/// Says whether something else has the name of a file, `path` within `folder`.
pub(super) fn is_other(folder: &Path, path: &Path, expected: Stamp) -> io::Result<bool> {
    let Some(held) = Held::holding(folder, path)? else {
        return Ok(false);
    };
    let spot = held.at(path.file_name().unwrap_or_default());
    Ok(surely(spot, expected)? == Still::Other)
}

/// Removes a file, `path` within `folder`, if it is still in the expected state, and tells whether it was.
pub(super) fn remove(folder: &Path, path: &Path, expected: Stamp) -> io::Result<Still> {
    match Held::holding(folder, path)? {
        Some(held) => remove_at(held.at(path.file_name().unwrap_or_default()), expected),
        None => Ok(Still::Gone),
    }
}

/// Removes the file of a name if it is still in the expected state, and tells whether it was.
pub(super) fn remove_at(spot: Spot<'_>, expected: Stamp) -> io::Result<Still> {
    match surely(spot, expected)? {
        Still::Same => take_away(spot, expected),
        other => Ok(other),
    }
}

/// As [`still`], but not from what a network file system remembers: of an open file it asks the server.
fn surely(spot: Spot<'_>, expected: Stamp) -> io::Result<Still> {
    let found = still(spot, expected)?;
    if found != Still::Same {
        return Ok(found);
    }
    match spot.read()? {
        Some(file) if stamp(&file.metadata()?) == expected => Ok(Still::Same),
        Some(_) => Ok(Still::Other),
        None => still(spot, expected),
    }
}

/// How the name begins that a file has while it is removed; [`is_temporary`](crate::model::is_temporary) knows it.
pub(super) const AWAY: &str = ".sluis-";

/// How many names are tried for a file.
const NAMES_MAX: usize = 100;

/// Removes the file of a name. Another may take its place at any time, and what is removed is a name; so it gets one
/// first that nobody else gives, and then it is looked which file that is.
fn take_away(spot: Spot<'_>, expected: Stamp) -> io::Result<Still> {
    let mut own = OsString::from(AWAY);
    own.push(spot.name());
    for nth in 1..=NAMES_MAX {
        let name = numbered(&own, nth);
        let away = spot.beside(&name);
        match spot.rename_to_free(away) {
            Ok(()) => return remove_or_put_back(away, spot, expected),
            // A server that was killed has left one.
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {}
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(Still::Gone),
            // A file system that cannot do this.
            Err(_) => break,
        }
    }
    match spot.remove() {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(Still::Gone),
        removed => removed.map(|()| Still::Same),
    }
}

fn remove_or_put_back(away: Spot<'_>, spot: Spot<'_>, expected: Stamp) -> io::Result<Still> {
    let removed = match surely(away, expected) {
        Ok(Still::Same) => away.remove().map(|()| Still::Same),
        other => other,
    };
    if !matches!(removed, Ok(Still::Same)) {
        put_back(away, spot)?;
    }
    removed
}

/// Gives a file the name back that it had, or one beside that, for a third may have come meanwhile.
fn put_back(away: Spot<'_>, spot: Spot<'_>) -> io::Result<()> {
    let mut put = Err(io::ErrorKind::AlreadyExists.into());
    for nth in 1..=NAMES_MAX {
        put = away.rename_to_free(spot.beside(&numbered(spot.name(), nth)));
        match &put {
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {}
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
            _ => break,
        }
    }
    put
}

/// When anything about a file changed, and about what is beside it. Whoever writes into a file can set its time back,
/// but not this one. A link to it, or other rights, move it too, so that it is no part of a [`Stamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changed([Option<(i64, i64)>; 2]);

/// Returns when anything about a file of `folder` changed.
pub(super) fn changed(folder: &Path, file: &Seen) -> Changed {
    let of = |path: &Path| {
        let held = Held::holding(folder, path).ok()??;
        // Of an open file a network file system asks the server.
        let open = held
            .at(path.file_name().unwrap_or_default())
            .read()
            .ok()??;
        let found = open.metadata().ok()?;
        Some((found.ctime(), found.ctime_nsec()))
    };
    let beside = file.beside.as_ref().and_then(|beside| of(&beside.path));
    Changed([of(&file.path), beside])
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs::{self, File};
    use std::path::PathBuf;

    use super::*;

    const NAME: &str = "F-1.xml";

    fn dropped(text: &str) -> (tempfile::TempDir, PathBuf, Stamp) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        fs::write(&path, text).unwrap();
        let stamp = stamp(&fs::metadata(&path).unwrap());
        (folder, path, stamp)
    }

    #[test]
    fn a_file_is_read_whole_and_removed() {
        let (folder, _, stamp) = dropped("<Invoice/>");

        assert_eq!(
            read(folder.path(), Path::new(NAME), stamp)
                .unwrap()
                .unwrap(),
            "<Invoice/>"
        );
        assert_eq!(
            remove(folder.path(), Path::new(NAME), stamp).unwrap(),
            Still::Same
        );
        assert_eq!(
            remove(folder.path(), Path::new(NAME), stamp).unwrap(),
            Still::Gone
        );
        assert_eq!(read(folder.path(), Path::new(NAME), stamp).unwrap(), None);
    }

    #[test]
    fn a_file_that_has_grown_is_neither_read_nor_removed() {
        let (folder, path, stamp) = dropped("<Invoice/>");
        fs::write(&path, "<Invoice></Invoice>").unwrap();

        assert_eq!(read(folder.path(), Path::new(NAME), stamp).unwrap(), None);
        assert_eq!(
            remove(folder.path(), Path::new(NAME), stamp).unwrap(),
            Still::Other
        );
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

        assert_eq!(read(folder.path(), Path::new(NAME), stamp).unwrap(), None);
        assert_eq!(
            remove(folder.path(), Path::new(NAME), stamp).unwrap(),
            Still::Other
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "<INVOICE/>");
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_takes_the_place_of_a_file_after_the_last_look_stays() {
        let (folder, path, expected) = dropped("<Invoice/>");
        let held = Held::open(folder.path()).unwrap();
        let spot = held.at(OsStr::new(NAME));
        fs::write(&path, "<Invoice>2</Invoice>").unwrap();

        assert_eq!(take_away(spot, expected).unwrap(), Still::Other);

        assert_eq!(names(folder.path()), [NAME]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "<Invoice>2</Invoice>");
        // And a third one that comes while the second is looked at.
        let away = held.at(OsStr::new(".sluis-F-1.xml"));
        spot.rename_to_free(away).unwrap();
        fs::write(&path, "<Invoice>3</Invoice>").unwrap();
        let other = remove_or_put_back(away, spot, expected);
        assert_eq!(other.unwrap(), Still::Other);
        assert_eq!(names(folder.path()), ["F-1 (2).xml", NAME]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "<Invoice>3</Invoice>");
    }

    #[test]
    fn what_a_server_has_left_that_was_killed_is_in_nobodys_way() {
        let (folder, _, stamp) = dropped("<Invoice/>");
        fs::write(folder.path().join(".sluis-F-1.xml"), "another").unwrap();

        let removed = remove(folder.path(), Path::new(NAME), stamp);

        assert_eq!(removed.unwrap(), Still::Same);
        assert_eq!(names(folder.path()), [".sluis-F-1.xml"]);
    }

    #[test]
    fn what_took_the_place_of_a_file_is_neither_followed_nor_waited_for() {
        let (folder, path, _) = dropped("<Invoice/>");
        let (link, pipe) = (folder.path().join("link.xml"), folder.path().join("p.xml"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();

        let held = Held::open(folder.path()).unwrap();
        let open = |name: &str| held.at(OsStr::new(name)).read().unwrap();
        assert!(open(NAME).is_some());
        assert!(open("link.xml").is_none());
        assert!(!open("p.xml").unwrap().metadata().unwrap().is_file());
    }

    #[test]
    fn a_link_to_the_very_same_file_is_another_file() {
        let (folder, path, stamp) = dropped("<Invoice/>");
        let elsewhere = folder.path().join("elsewhere.xml");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();

        assert_eq!(read(folder.path(), Path::new(NAME), stamp).unwrap(), None);
        assert_eq!(
            remove(folder.path(), Path::new(NAME), stamp).unwrap(),
            Still::Other
        );
    }

    #[test]
    fn a_link_in_the_place_of_its_folder_leads_to_no_file() {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = other.path().join(NAME);
        fs::write(&path, "<Invoice/>").unwrap();
        let stamp = stamp(&fs::metadata(&path).unwrap());
        std::os::unix::fs::symlink(other.path(), root.path().join("sub")).unwrap();
        let within = Path::new("sub").join(NAME);

        assert_eq!(read(root.path(), &within, stamp).unwrap(), None);
        assert_eq!(remove(root.path(), &within, stamp).unwrap(), Still::Gone);
        assert!(path.exists());
    }
}
