//! How are the bytes of an open file fetched?

use std::sync::Arc;

use super::Error;
use crate::blobs::{Blobs, Reader};
use crate::model::Digest;

/// The content behind an open file. It never changes, whatever becomes of the delivery. A clone is the same.
#[derive(Debug, Clone)]
pub struct Content {
    from: From,
    bytes: u64,
}

#[derive(Debug, Clone)]
enum From {
    Blob(Arc<Reader>),
    Text(Arc<[u8]>),
}

impl Content {
    /// Opens a content of this size.
    pub(super) fn new(blobs: &Blobs, digest: Digest, bytes: u64) -> Self {
        Self {
            from: From::Blob(Arc::new(blobs.reader(digest))),
            bytes,
        }
    }

    /// Opens a text that we have made.
    pub(super) fn of_text(text: &[u8]) -> Self {
        Self {
            from: From::Text(text.into()),
            bytes: text.len() as u64,
        }
    }

    /// Returns how many bytes a read at `offset` gives when it asks for `length`: none at the end.
    pub fn available(&self, offset: u64, length: u32) -> u32 {
        let left = self.bytes.saturating_sub(offset);
        u32::try_from(left).map_or(length, |left| left.min(length))
    }

    /// Appends `length` bytes from `offset` on to `out`. It waits for the disk, and belongs where that
    /// may be done.
    ///
    /// # Errors
    ///
    /// When the blob is missing, cannot be read, or ends before; then `out` is as it was.
    pub fn read(&self, offset: u64, length: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        match &self.from {
            From::Blob(reader) => Ok(reader.read(offset, length, out)?),
            From::Text(text) => append(text, offset, length, out).ok_or(Error::Missing),
        }
    }

    /// Appends as [`Content::read`] does, if that needs no waiting for the disk; says whether it did.
    pub fn read_now(&self, offset: u64, length: usize, out: &mut Vec<u8>) -> bool {
        match &self.from {
            From::Blob(reader) => reader.read_now(offset, length, out),
            From::Text(text) => append(text, offset, length, out).is_some(),
        }
    }
}

fn append(text: &[u8], offset: u64, length: usize, out: &mut Vec<u8>) -> Option<()> {
    let from = usize::try_from(offset).ok()?;
    out.extend_from_slice(text.get(from..from.checked_add(length)?)?);
    Some(())
}
