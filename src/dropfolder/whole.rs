//! What is read of a dropped file, and of what is said beside it?

use std::path::Path;

use bytes::Bytes;

use super::beside::{self, BESIDE_BYTES_MAX, Overlooked, is_beside};
use super::settle::Seen;
use super::source;
use super::take::{End, FILE_BYTES_MAX};
use crate::model::{Said, Veiled};
use crate::text::{Misread, Why};

/// Why a file is rejected without being read, if it is.
pub(super) fn refusal(file: &Seen) -> Option<Why> {
    if is_beside(&file.path) {
        return Some(Why::Alone);
    }
    let said = file.beside.as_ref().map_or(0, |beside| beside.stamp.bytes);
    if said > BESIDE_BYTES_MAX {
        return Some(Why::Said(Misread::TooLong {
            bytes: said,
            bytes_max: BESIDE_BYTES_MAX,
        }));
    }
    is_too_large(file).then_some(Why::TooLarge {
        bytes_max: FILE_BYTES_MAX,
    })
}

/// A file that was read: its bytes, and those of the file beside it.
pub(super) type Bare = (Seen, (Bytes, Option<Bytes>));

/// A file that was read, and what is said of it.
pub(super) type Whole = (Seen, (Bytes, Said));

/// A file that has its end, and why it is put aside, if it is.
pub(super) type Ended = (Seen, End, Option<Why>);

/// Divides files into those of which is understood what is said, and others. Nothing is taken to be said
/// where nobody understands it: a draft would leave.
pub(super) fn understand(read: Vec<Bare>) -> (Vec<Whole>, Vec<Ended>) {
    let (mut understood, mut others) = (Vec::new(), Vec::new());
    for (file, (bytes, said)) in read {
        match said.map_or_else(|| Ok(Said::default()), |said| beside::read(&said)) {
            Ok(said) => understood.push((file, (bytes, said))),
            Err(why) => others.push((file, End::Rejected, Some(Why::Said(why)))),
        }
    }
    (understood, others)
}

/// Reads a file, and what is said of it; none when either has changed.
pub(super) fn read(folder: &Path, file: &Seen) -> std::io::Result<Option<(Bytes, Option<Bytes>)>> {
    let said = match &file.beside {
        Some(beside) => match source::read(folder, &beside.path, beside.stamp)? {
            Some(said) => Some(said),
            None => return Ok(None),
        },
        // Nothing is taken to be said of it while something stands there: a draft would leave.
        None => match beside::overlooked(folder, &file.path)? {
            Overlooked::Nothing => None,
            Overlooked::File(_) => return Ok(None),
            Overlooked::NoFile(name) => return Err(in_the_way(&name)),
        },
    };
    let bytes = source::read(folder, &file.path, file.stamp)?;
    Ok(bytes.map(|bytes| (bytes, said)))
}

/// It is tried again later, and later each time: whoever removes it need not drop the document anew.
fn in_the_way(name: &Path) -> std::io::Error {
    let name = name.to_string_lossy();
    let name = Veiled(&name);
    let why = format!("{name} beside it is no file, but a folder or a link: remove that");
    std::io::Error::new(std::io::ErrorKind::InvalidInput, why)
}

/// Says whether a file is larger than any that is taken.
pub(super) fn is_too_large(file: &Seen) -> bool {
    file.stamp.bytes > FILE_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::super::beside::Beside;
    use super::super::settle::Stamp;
    use super::*;

    fn stamp(bytes: u64) -> Stamp {
        Stamp {
            modified_ns: 0,
            bytes,
            device: 1,
            inode: 1,
        }
    }

    #[test]
    fn one_byte_past_the_limit_of_what_is_said_the_document_is_rejected() {
        let with = |bytes| Seen {
            path: "F-1.xml".into(),
            stamp: stamp(100),
            beside: Some(Beside {
                path: "F-1.json".into(),
                stamp: stamp(bytes),
            }),
        };

        assert_eq!(refusal(&with(BESIDE_BYTES_MAX)), None);
        let refused = refusal(&with(BESIDE_BYTES_MAX + 1));
        let expected = Misread::TooLong {
            bytes: 16385,
            bytes_max: 16384,
        };
        assert_eq!(refused, Some(Why::Said(expected)));
    }

    #[test]
    fn a_folder_that_bears_the_name_of_what_is_said_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("F-1.xml"), "<Invoice/>").unwrap();
        std::fs::create_dir(folder.path().join("F-1.json")).unwrap();
        let file = Seen {
            path: "F-1.xml".into(),
            stamp: stamp(10),
            beside: None,
        };

        let fault = read(folder.path(), &file).unwrap_err().to_string();

        let told = format!("{} beside it is no file", Veiled("F-1.json"));
        assert!(fault.starts_with(&told), "{fault}");
    }
}
