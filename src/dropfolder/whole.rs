//! What is read of a dropped file, and of what is said beside it?

use std::path::Path;

use bytes::Bytes;

use super::beside::{self, BESIDE_BYTES_MAX, is_beside};
use super::settle::Seen;
use super::source;
use super::take::{End, FILE_BYTES_MAX};
use crate::model::Said;
use crate::text::Why;

/// Why a file is rejected without being read, if it is.
pub(super) fn refusal(file: &Seen) -> Option<Why> {
    if is_beside(&file.path) {
        return Some(Why::Alone);
    }
    let said = file.beside.as_ref().map_or(0, |beside| beside.stamp.bytes);
    if said > BESIDE_BYTES_MAX {
        return Some(Why::Said(format!(
            "it has {said} bytes, and {BESIDE_BYTES_MAX} are the most"
        )));
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
        Some(beside) => match source::read(&folder.join(&beside.path), beside.stamp)? {
            Some(said) => Some(said),
            None => return Ok(None),
        },
        // Nothing is taken to be said of it while something stands there: a draft would leave.
        None if beside::is_overlooked(folder, &file.path) => return Ok(None),
        None => None,
    };
    let bytes = source::read(&folder.join(&file.path), file.stamp)?;
    Ok(bytes.map(|bytes| (bytes, said)))
}

/// Says whether a file is larger than any that is taken.
pub(super) fn is_too_large(file: &Seen) -> bool {
    file.stamp.bytes > FILE_BYTES_MAX
}
