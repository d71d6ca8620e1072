//! What has come of a file that is being written, and is it whole?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::shelf::LentPlace;
use super::{Error, Spool};
use crate::blobs::Unnamed;
use crate::collect::Coverage;
use crate::ingest::Written;
use crate::model::Timestamp;

/// Up to how many bytes a draft stays in memory. Most invoices never touch the disk before they are blobs.
pub const MEMORY_BYTES_MAX: u64 = 256 * 1024;

/// How many bytes the files that one session is writing may have together.
pub const SESSION_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// How large a draft may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DraftRoom {
    /// As any file, in bytes.
    pub file_bytes: u64,
    /// Beside the others that its session is writing, in bytes.
    pub session_bytes: u64,
}

/// A file that is being written.
#[derive(Debug)]
pub struct Draft {
    body: Body,
    /// Which bytes came: a gap is a part that was lost on the way.
    came: Coverage,
    /// What a stat of it says: when it was begun, or what its writer set.
    at: Timestamp,
    is_touched: bool,
    is_closed: bool,
    /// Whether a CLOSE of it was answered with OK. To open it once more does not undo that.
    is_promised: bool,
    /// Its place on the shelf, while it is not there.
    place: Option<Arc<LentPlace>>,
    /// When it was begun, or last taken up.
    begun: Nth,
}

/// The place of something in the order in which it happens in this process. No clock says so: it may be set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nth(u64);

impl Nth {
    /// Returns the next.
    pub(super) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

#[derive(Debug)]
enum Body {
    Memory(Vec<u8>),
    File(Unnamed),
}

impl Draft {
    /// Begins one.
    pub fn begin(now: Timestamp) -> Self {
        Self {
            body: Body::Memory(Vec::new()),
            came: Coverage::default(),
            at: now,
            is_touched: false,
            is_closed: false,
            is_promised: false,
            place: None,
            begun: Nth::next(),
        }
    }

    /// Writes at an offset, in any order.
    ///
    /// # Errors
    ///
    /// When it would be longer than there is room for, or the disk does not take it.
    pub async fn write(
        &mut self,
        spool: &Spool,
        offset: u64,
        bytes: Bytes,
        room: DraftRoom,
    ) -> Result<(), Error> {
        let end = offset.saturating_add(bytes.len() as u64);
        if end > room.file_bytes {
            return Err(Error::TooLarge {
                bytes_max: room.file_bytes,
            });
        }
        if end > room.session_bytes {
            return Err(Error::TooMuch);
        }
        self.is_touched = true;
        self.came.add(offset..end);
        match &mut self.body {
            Body::Memory(all) if end <= MEMORY_BYTES_MAX => put(all, offset, &bytes),
            Body::Memory(all) => {
                let file = spool.begin_unnamed().await?;
                let begun = std::mem::take(all);
                if !begun.is_empty() {
                    spool.told(file.write(0, begun.into()).await)?;
                }
                spool.told(file.write(offset, bytes).await)?;
                self.body = Body::File(file);
            }
            Body::File(file) => spool.told(file.write(offset, bytes).await)?,
        }
        Ok(())
    }

    /// Empties it, as an OPEN with TRUNC does.
    pub fn empty(&mut self) {
        self.body = Body::Memory(Vec::new());
        self.came = Coverage::default();
        self.is_touched = true;
        self.is_promised = false;
        self.place = None;
    }

    /// Cuts it off after this many bytes. A longer size is a wish for room, and is ignored.
    ///
    /// # Errors
    ///
    /// When the disk does not do it.
    pub async fn cut(&mut self, spool: &Spool, bytes: u64) -> Result<(), Error> {
        if bytes >= self.bytes() {
            return Ok(());
        }
        self.is_touched = true;
        self.came = self.came.before(bytes);
        match &mut self.body {
            Body::Memory(all) => all.truncate(usize::try_from(bytes).unwrap_or(usize::MAX)),
            Body::File(file) => spool.told(file.cut(bytes).await)?,
        }
        Ok(())
    }

    /// Sets what a stat of it says.
    pub fn set_time(&mut self, at: Timestamp) {
        self.at = at;
    }

    /// Notes that its writer closed it, or has changed it since.
    pub fn set_closed(&mut self, is_closed: bool) {
        self.is_closed = is_closed;
    }

    /// Notes that its writer was told that it is kept.
    pub(super) fn set_promised(&mut self) {
        self.is_promised = true;
    }

    /// Says whether its writer was told that it is kept.
    pub(super) fn is_promised(&self) -> bool {
        self.is_promised
    }

    /// Notes that somebody goes on with it now, or under another name.
    pub fn set_begun(&mut self) {
        self.begun = Nth::next();
    }

    /// Returns when it was begun, or last taken up.
    pub(super) fn begun(&self) -> Nth {
        self.begun
    }

    /// Has it keep its place on the shelf, or give it back.
    pub(super) fn set_place(&mut self, place: Option<Arc<LentPlace>>) {
        self.place = place;
    }

    /// Says whether the disk failed to take it: then it cannot be gone on with.
    pub fn is_spoilt(&self) -> bool {
        matches!(&self.body, Body::File(file) if file.is_spoilt())
    }

    /// Says whether its writer closed it with something in it, so that he may believe that it is kept.
    pub fn is_finished(&self) -> bool {
        (self.is_closed || self.is_promised) && self.bytes() > 0
    }

    /// Returns its size in bytes.
    pub fn bytes(&self) -> u64 {
        match &self.body {
            Body::Memory(all) => all.len() as u64,
            Body::File(file) => file.bytes(),
        }
    }

    /// Returns how many bytes came before the first gap: whoever goes on with it goes on there.
    pub fn bytes_in_order(&self) -> u64 {
        match self.came.spans().first() {
            Some(span) if span.start == 0 => span.end,
            _ => 0,
        }
    }

    /// Returns what a stat of it says.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Says whether it was written to, or emptied.
    pub fn is_touched(&self) -> bool {
        self.is_touched
    }

    /// Says whether it may be taken: its writer closed it, and every byte came.
    ///
    /// # Errors
    ///
    /// When it may not.
    pub fn check(&self) -> Result<(), Error> {
        let bytes = self.bytes();
        if !self.is_closed {
            return Err(Error::Unfinished);
        }
        if bytes == 0 {
            return Err(Error::Empty);
        }
        let from = self.bytes_in_order();
        if from < bytes {
            return Err(Error::Gap { from });
        }
        Ok(())
    }

    /// Returns what was written, to be taken in.
    pub fn written(&self) -> Written {
        match &self.body {
            Body::Memory(all) => Written::Memory(all.clone().into()),
            Body::File(file) => Written::File(file.clone()),
        }
    }
}

fn put(all: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let from = usize::try_from(offset).unwrap_or(usize::MAX);
    let to = from + bytes.len();
    if from == all.len() {
        return all.extend_from_slice(bytes);
    }
    if all.len() < to {
        all.resize(to, 0);
    }
    if let Some(place) = all.get_mut(from..to) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::UPLOAD_BYTES_MAX;
    use super::*;

    const NOW: Timestamp = Timestamp(0);

    fn room(session_bytes: u64) -> DraftRoom {
        DraftRoom {
            file_bytes: UPLOAD_BYTES_MAX,
            session_bytes,
        }
    }

    async fn write(
        draft: &mut Draft,
        spool: &Spool,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Error> {
        draft
            .write(
                spool,
                offset,
                bytes.to_vec().into(),
                room(SESSION_BYTES_MAX),
            )
            .await
    }

    fn spool() -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        (folder, spool)
    }

    #[tokio::test]
    async fn a_draft_one_byte_past_what_stays_in_memory_goes_to_the_disk_whole() {
        let (_folder, spool) = spool();
        let mut draft = Draft::begin(NOW);
        let block = vec![7; usize::try_from(MEMORY_BYTES_MAX).unwrap()];

        write(&mut draft, &spool, 0, &block).await.unwrap();
        assert!(matches!(draft.written(), Written::Memory(_)));
        write(&mut draft, &spool, MEMORY_BYTES_MAX, b"x")
            .await
            .unwrap();

        let Written::File(file) = draft.written() else {
            panic!("it is in memory")
        };
        assert_eq!(file.whole().await.unwrap(), [&block[..], b"x"].concat());
    }

    #[tokio::test]
    async fn one_byte_past_the_limits_is_refused() {
        let (_folder, spool) = spool();
        let mut draft = Draft::begin(NOW);

        write(&mut draft, &spool, UPLOAD_BYTES_MAX - 1, b"x")
            .await
            .unwrap();
        let past = write(&mut draft, &spool, UPLOAD_BYTES_MAX, b"x").await;
        assert!(matches!(past, Err(Error::TooLarge { .. })));
        let past = write(&mut draft, &spool, u64::MAX, b"x").await;
        assert!(matches!(past, Err(Error::TooLarge { .. })));
        draft
            .write(&spool, 9, vec![0].into(), room(10))
            .await
            .unwrap();
        let past = draft.write(&spool, 10, vec![0].into(), room(10)).await;
        assert!(matches!(past, Err(Error::TooMuch)));
    }

    #[tokio::test]
    async fn what_has_a_gap_or_was_not_closed_is_not_whole() {
        let (_folder, spool) = spool();
        let mut draft = Draft::begin(NOW);
        assert!(matches!(draft.check(), Err(Error::Unfinished)));
        draft.set_closed(true);
        assert!(matches!(draft.check(), Err(Error::Empty)));

        write(&mut draft, &spool, 0, b"abc").await.unwrap();
        write(&mut draft, &spool, 5, b"fg").await.unwrap();
        assert!(matches!(draft.check(), Err(Error::Gap { from: 3 })));
        assert_eq!((draft.bytes(), draft.bytes_in_order()), (7, 3));
        write(&mut draft, &spool, 3, b"de").await.unwrap();
        assert!(draft.check().is_ok());
        draft.cut(&spool, 100).await.unwrap();
        assert_eq!(draft.bytes(), 7, "a longer size is a wish");
        draft.cut(&spool, 2).await.unwrap();
        assert!(draft.check().is_ok() && draft.bytes() == 2);
        draft.empty();
        assert!(matches!(draft.check(), Err(Error::Empty)));
    }
}
