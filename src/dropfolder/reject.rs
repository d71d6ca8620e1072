//! Where does a file go that cannot be taken, and who is told why?
//!
//! It is moved to the rejected folder, beside a text that says why. The text is written first, for
//! a file without its text would stay so: nobody looks into the rejected folder again. Whatever
//! line a crash happens at, the file is in one of the two folders, and rejecting it again ends the
//! work: a text about the same file is used again, and a file that is in both folders is the
//! same one. Nothing there is ever overwritten.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::scan::stamp;
use super::settle::{REJECTED, Seen, Stamp};
use super::source::{Still, remove_at, still};
use super::spot::{Held, Spot};
use crate::text::RejectionText as Text;

/// How many names are tried before it is given up for now.
const NAMES_TRIED_MAX: usize = 10_000;

/// The longest name that is kept whole; ` (10000)` and `.txt` fit behind it in the 255 bytes of file systems.
const NAME_BYTES_MAX: usize = 240;

/// Moves a file of the drop folder `folder` to its rejected folder, beside `text`.
///
/// Returns its name there; none when it is not, or no longer, in the state that was seen.
pub(super) fn reject(folder: &Path, file: &Seen, text: &Text) -> io::Result<Option<OsString>> {
    let Some(held) = Held::holding(folder, &file.path)? else {
        return Ok(None);
    };
    let name = file.path.file_name().unwrap_or_default();
    let source = held.at(name);
    if still(source, file.stamp)? != Still::Same {
        return Ok(None);
    }
    let rejected = rejected_folder(&Held::open(folder)?)?;
    for nth in 1..=NAMES_TRIED_MAX {
        let name = numbered(name, nth);
        match move_as(source, &rejected, &name, file.stamp, text)? {
            Moved::Done => return Ok(Some(name)),
            Moved::Lost => return Ok(None),
            Moved::Taken => {}
        }
    }
    let tried = format!("the first {NAMES_TRIED_MAX} names are in use");
    Err(io::Error::new(io::ErrorKind::AlreadyExists, tried))
}

/// Returns how many rejected files lie in this drop folder, their texts apart; where nothing was rejected, none.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn rejected_in(folder: &Path) -> io::Result<usize> {
    let rejected = Held::open(folder).and_then(|folder| folder.folder(OsStr::new(REJECTED)));
    let rejected = match rejected {
        Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(0),
        rejected => rejected?,
    };
    let names: BTreeSet<OsString> = rejected.names()?.collect::<io::Result<_>>()?;
    let is_text = |name: &&OsString| {
        let path = Path::new(name);
        let of = path
            .file_stem()
            .filter(|_| path.extension() == Some(OsStr::new("txt")));
        of.is_some_and(|of| names.contains(of))
    };
    Ok(names.iter().filter(|name| !is_text(name)).count())
}

/// What came of trying one name.
enum Moved {
    Done,
    /// The name is in use.
    Taken,
    /// The file changed meanwhile.
    Lost,
}

/// Makes the rejected folder, or finds it. A link would lead our texts to where whoever made it likes.
fn rejected_folder(folder: &Held) -> io::Result<Held> {
    let name = OsStr::new(REJECTED);
    match folder.at(name).make_folder() {
        Err(failed) if failed.kind() != io::ErrorKind::AlreadyExists => Err(failed),
        _ => folder.folder(name),
    }
}

fn move_as(
    source: Spot<'_>,
    rejected: &Held,
    name: &OsStr,
    expected: Stamp,
    text: &Text,
) -> io::Result<Moved> {
    let (target, text_name) = (rejected.at(name), with_txt(name));
    let text_spot = rejected.at(&text_name);
    match target.metadata() {
        Ok(found) if expected.inode != 0 && stamp(&found) == expected => {
            // A crash, or a source that could not be removed, came between the link and this.
            tell(text_spot, text)?;
            return remove_at(source, expected).map(|_| Moved::Done);
        }
        Ok(_) => return Ok(Moved::Taken),
        Err(free) if free.kind() == io::ErrorKind::NotFound => {}
        Err(other) => return Err(other),
    }
    if !tell(text_spot, text)? {
        return Ok(Moved::Taken);
    }
    let moved = move_file(source, target, expected);
    if !matches!(moved, Ok(Moved::Done)) && target.metadata().is_err() {
        // A text without its file would tell of what did not happen.
        text_spot.remove()?;
    }
    moved
}

/// Writes the text to a new file, or finds it there; false when the name is in use.
fn tell(spot: Spot<'_>, text: &Text) -> io::Result<bool> {
    let made = match spot.make() {
        Err(exists) if exists.kind() == io::ErrorKind::AlreadyExists => match begun(spot, text)? {
            Begun::Whole => return Ok(true),
            // Not written to: by now it may be a link, or another name of a file elsewhere.
            Begun::Part => spot.remove().and_then(|()| spot.make()),
            Begun::Other => return Ok(false),
        },
        made => made,
    };
    let mut file = made?;
    file.write_all(text.whole().as_bytes())?;
    file.sync_all()?; // the move must not outlive the text
    Ok(true)
}

/// What an earlier attempt left at the text's place.
enum Begun {
    Whole,
    Part,
    /// Something else, which is not ours to touch.
    Other,
}

fn begun(spot: Spot<'_>, text: &Text) -> io::Result<Begun> {
    // A device is not even opened; what is open is looked at again, for a pipe may be there by now.
    let (whole_len, is_file) = (text.whole().len() as u64, spot.metadata()?.is_file());
    let Some(file) = is_file.then(|| spot.read()).transpose()?.flatten() else {
        return Ok(Begun::Other);
    };
    let found = file.metadata()?;
    if !found.is_file() || found.len() > whole_len {
        return Ok(Begun::Other);
    }
    let mut bytes = Vec::new();
    file.take(whole_len).read_to_end(&mut bytes)?;
    // The time may differ; the head names the file and the reason.
    if bytes.len() as u64 == whole_len && bytes.starts_with(text.head.as_bytes()) {
        return Ok(Begun::Whole);
    }
    let ours = bytes.starts_with(text.head.as_bytes()) || text.head.as_bytes().starts_with(&bytes);
    Ok(if ours { Begun::Part } else { Begun::Other })
}

/// A link refuses a name in use in one step, which a rename does not; some network file systems have no links.
fn move_file(source: Spot<'_>, target: Spot<'_>, expected: Stamp) -> io::Result<Moved> {
    match source.link(target) {
        Ok(()) => {
            if still(target, expected)? == Still::Same {
                return remove_at(source, expected).map(|_| Moved::Done);
            }
            target.remove()?;
            Ok(Moved::Lost)
        }
        Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => Ok(Moved::Taken),
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(Moved::Lost),
        Err(_) => rename_file(source, target, expected),
    }
}

fn rename_file(source: Spot<'_>, target: Spot<'_>, expected: Stamp) -> io::Result<Moved> {
    if target.metadata().is_ok() {
        return Ok(Moved::Taken);
    }
    if still(source, expected)? != Still::Same {
        return Ok(Moved::Lost);
    }
    source.rename(target).map(|()| Moved::Done)
}

fn with_txt(name: &OsStr) -> OsString {
    let mut name = name.to_owned();
    name.push(".txt");
    name
}

/// `F-17.xml`, `F-17 (2).xml`, `F-17 (3).xml`; a name too long for that is cut.
pub(super) fn numbered(name: &OsStr, nth: usize) -> OsString {
    let name = if name.len() > NAME_BYTES_MAX {
        shortened(name)
    } else {
        name.to_owned()
    };
    if nth == 1 {
        return name;
    }
    let path = Path::new(&name);
    let mut numbered = path.file_stem().unwrap_or_default().to_owned();
    numbered.push(format!(" ({nth})"));
    if let Some(extension) = path.extension() {
        numbered.push(".");
        numbered.push(extension);
    }
    numbered
}

fn shortened(name: &OsStr) -> OsString {
    let text = name.to_string_lossy();
    let extension = Path::new(text.as_ref()).extension().and_then(OsStr::to_str);
    let extension = extension.filter(|extension| extension.len() <= EXTENSION_BYTES_MAX);
    let end = text.floor_char_boundary(NAME_BYTES_MAX - EXTENSION_BYTES_MAX - 1);
    let stem = &text[..end];
    extension.map_or_else(
        || stem.into(),
        |extension| format!("{stem}.{extension}").into(),
    )
}

/// The longest extension that is kept when a name is cut.
const EXTENSION_BYTES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Folder {
        root: tempfile::TempDir,
    }

    impl Folder {
        fn new() -> Self {
            Self {
                root: tempfile::tempdir().unwrap(),
            }
        }

        fn drop(&self, path: &str, bytes: &str) -> Seen {
            let full = self.root.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(&full, bytes).unwrap();
            Seen {
                path: path.into(),
                stamp: stamp(&fs::metadata(full).unwrap()),
                beside: None,
            }
        }

        fn reject(&self, file: &Seen) -> Option<String> {
            let name = reject(self.root.path(), file, &text("why")).unwrap();
            name.map(|name| name.into_string().unwrap())
        }

        /// Every file below, with what is in it.
        fn all(&self) -> String {
            let mut lines = Vec::new();
            let mut folders = vec![self.root.path().to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                    } else {
                        let shown = path
                            .strip_prefix(self.root.path())
                            .unwrap()
                            .display()
                            .to_string();
                        lines.push((shown, fs::read_to_string(&path).unwrap()));
                    }
                }
            }
            lines.sort();
            let lines = lines
                .into_iter()
                .map(|(path, text)| format!("{path}: {text}"));
            lines.collect::<Vec<_>>().join(", ")
        }
    }

    fn text(head: &str) -> Text {
        Text {
            head: head.to_owned(),
            tail: " now".to_owned(),
        }
    }

    #[test]
    fn a_rejected_file_lies_beside_its_reason() {
        let folder = Folder::new();
        let file = folder.drop("sub/F-1.xml", "<");

        assert_eq!(folder.reject(&file).as_deref(), Some("F-1.xml"));

        assert_eq!(
            folder.all(),
            "rejected/F-1.xml: <, rejected/F-1.xml.txt: why now"
        );
    }

    #[test]
    fn a_text_beside_a_rejected_file_is_not_counted() {
        let folder = Folder::new();
        assert_eq!(rejected_in(folder.root.path()).unwrap(), 0);
        for name in ["F-1.xml", "F-1.xml.txt", "notes.txt"] {
            folder.drop(&format!("rejected/{name}"), "x");
        }

        assert_eq!(rejected_in(folder.root.path()).unwrap(), 2);
        folder.drop("other/rejected", "no folder");
        assert!(rejected_in(&folder.root.path().join("other")).is_err());
    }

    #[test]
    fn a_name_in_use_is_never_overwritten() {
        let folder = Folder::new();
        folder.drop("rejected/F-1.xml", "old");
        folder.drop("rejected/F-1 (2).xml.txt", "a text of somebody else");
        let file = folder.drop("F-1.xml", "new");

        assert_eq!(folder.reject(&file).as_deref(), Some("F-1 (3).xml"));

        assert_eq!(
            folder.all(),
            "rejected/F-1 (2).xml.txt: a text of somebody else, rejected/F-1 (3).xml: new, \
             rejected/F-1 (3).xml.txt: why now, rejected/F-1.xml: old"
        );
    }

    #[test]
    fn a_file_that_was_replaced_stays() {
        let folder = Folder::new();
        let file = folder.drop("F-1.xml", "<");
        folder.drop("F-1.xml", "<Invoice/>");

        assert_eq!(folder.reject(&file), None);

        assert_eq!(folder.all(), "F-1.xml: <Invoice/>");
    }

    #[test]
    fn a_crash_after_the_text_is_made_good() {
        for begun in ["", "wh", "why", "why no", "why NOW"] {
            let folder = Folder::new();
            let file = folder.drop("F-1.xml", "<");
            folder.drop("rejected/F-1.xml.txt", begun);

            assert_eq!(folder.reject(&file).as_deref(), Some("F-1.xml"));

            let told = folder.all().to_lowercase();
            assert_eq!(
                told, "rejected/f-1.xml: <, rejected/f-1.xml.txt: why now",
                "{begun:?}"
            );
        }
    }

    #[test]
    fn a_crash_in_the_middle_of_the_move_is_made_good() {
        let folder = Folder::new();
        let file = folder.drop("F-1.xml", "<");
        folder.drop("rejected/F-1.xml.txt", "why then");
        let path = |name: &str| folder.root.path().join(name);
        fs::hard_link(path("F-1.xml"), path("rejected/F-1.xml")).unwrap();

        assert_eq!(folder.reject(&file).as_deref(), Some("F-1.xml"));

        assert_eq!(
            folder.all(),
            "rejected/F-1.xml: <, rejected/F-1.xml.txt: why then"
        );
    }

    #[test]
    fn without_links_a_file_is_renamed_and_still_overwrites_nothing() {
        let folder = Folder::new();
        let file = folder.drop("F-1.xml", "<");
        folder.drop("rejected/F-1.xml", "old");
        let held = Held::open(folder.root.path()).unwrap();
        let (rejected, source) = (rejected_folder(&held).unwrap(), OsStr::new("F-1.xml"));
        let rename = |to: &str| {
            let target = rejected.at(OsStr::new(to));
            rename_file(held.at(source), target, file.stamp).unwrap()
        };

        assert!(matches!(rename("F-1.xml"), Moved::Taken));
        assert!(matches!(rename("F-2.xml"), Moved::Done));

        assert_eq!(folder.all(), "rejected/F-1.xml: old, rejected/F-2.xml: <");
    }

    #[test]
    fn a_rejected_folder_that_is_a_link_or_a_file_is_refused() {
        let folder = Folder::new();
        let file = folder.drop("F-1.xml", "<");
        folder.drop("rejected", "no folder");

        assert!(reject(folder.root.path(), &file, &text("why")).is_err());

        assert_eq!(folder.all(), "F-1.xml: <, rejected: no folder");
    }

    #[test]
    fn a_text_is_not_written_into_what_has_another_name_elsewhere() {
        let folder = Folder::new();
        let file = folder.drop("F-1.xml", "<");
        folder.drop("elsewhere", "wh");
        let path = |name: &str| folder.root.path().join(name);
        fs::create_dir(path("rejected")).unwrap();
        fs::hard_link(path("elsewhere"), path("rejected/F-1.xml.txt")).unwrap();

        assert_eq!(folder.reject(&file).as_deref(), Some("F-1.xml"));

        assert_eq!(
            folder.all(),
            "elsewhere: wh, rejected/F-1.xml: <, rejected/F-1.xml.txt: why now"
        );
    }

    #[test]
    fn where_a_text_should_be_a_link_and_a_pipe_are_left_alone() {
        let folder = Folder::new();
        let file = folder.drop("F-1.xml", "<");
        folder.drop("elsewhere", "wh");
        let path = |name: &str| folder.root.path().join(name);
        fs::create_dir(path("rejected")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", path("rejected/F-1.xml.txt")).unwrap();
        let (cwd, mode) = (rustix::fs::CWD, rustix::fs::Mode::RWXU);
        rustix::fs::mkfifoat(cwd, path("rejected/F-1 (2).xml.txt"), mode).unwrap();

        assert_eq!(folder.reject(&file).as_deref(), Some("F-1 (3).xml"));

        assert_eq!(fs::read_to_string(path("elsewhere")).unwrap(), "wh");
    }

    #[test]
    fn a_rejected_folder_that_is_a_link_leads_nowhere() {
        let (folder, other) = (Folder::new(), tempfile::tempdir().unwrap());
        let file = folder.drop("F-1.xml", "<");
        std::os::unix::fs::symlink(other.path(), folder.root.path().join("rejected")).unwrap();

        assert!(reject(folder.root.path(), &file, &text("why")).is_err());

        assert!(rejected_in(folder.root.path()).is_err());
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_name_one_past_the_limit_is_cut_and_keeps_its_extension() {
        let longest = format!("{}.xml", "é".repeat((NAME_BYTES_MAX - 4) / 2));
        assert_eq!(numbered(OsStr::new(&longest), 1), *longest);

        let cut = numbered(OsStr::new(&format!("x{longest}")), NAMES_TRIED_MAX)
            .into_string()
            .unwrap();

        assert!(cut.ends_with("é (10000).xml"), "{cut}");
        assert!(cut.len() + ".txt".len() <= 255);
    }
}
