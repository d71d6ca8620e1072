//! How are the bytes of an open file fetched?

use std::ops::Range;

use bytes::Bytes;

use super::Error;
use crate::blobs::Blobs;
use crate::model::Digest;

/// How much is fetched from the store at a time, in bytes, and held for each open file. Clients ask
/// for 32 to 255 KiB in order; a fetch serves several of them, and no large document is held whole.
pub const CHUNK_BYTES: u64 = 256 * 1024;

/// The content behind an open file. It never changes, whatever becomes of the delivery.
#[derive(Clone)]
pub struct Content {
    blobs: Blobs,
    digest: Digest,
    bytes: u64,
    /// The last chunk, and where it begins.
    chunk: Option<(u64, Bytes)>,
}

impl Content {
    /// Opens a content of this size.
    pub(super) fn new(blobs: Blobs, digest: Digest, bytes: u64) -> Self {
        Self {
            blobs,
            digest,
            bytes,
            chunk: None,
        }
    }

    /// Returns the bytes from `offset` on, at most `length`: fewer where a chunk ends, none at the end.
    ///
    /// # Errors
    ///
    /// When the store cannot read them.
    pub async fn read(&mut self, offset: u64, length: u64) -> Result<Bytes, Error> {
        if offset >= self.bytes || length == 0 {
            return Ok(Bytes::new());
        }
        let wanted = offset..self.bytes.min(offset.saturating_add(length));
        if let Some(bytes) = self.held(&wanted) {
            return Ok(bytes);
        }
        let fetched = self.chunk_for(&wanted);
        let start = fetched.start;
        let bytes = self.blobs.range(self.digest, fetched).await?;
        self.chunk = Some((start, bytes));
        self.held(&wanted).ok_or(Error::Missing)
    }

    /// Aligned chunks serve what is read in order, whatever the step.
    fn chunk_for(&self, wanted: &Range<u64>) -> Range<u64> {
        let start = wanted.start - wanted.start % CHUNK_BYTES;
        let end = wanted.end.div_ceil(CHUNK_BYTES) * CHUNK_BYTES;
        start..end.min(self.bytes)
    }

    fn held(&self, wanted: &Range<u64>) -> Option<Bytes> {
        let (start, bytes) = self.chunk.as_ref()?;
        let from = usize::try_from(wanted.start.checked_sub(*start)?).ok()?;
        let to = usize::try_from(wanted.end.checked_sub(*start)?).ok()?;
        (to <= bytes.len()).then(|| bytes.slice(from..to))
    }
}
