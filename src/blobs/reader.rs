//! How are the bytes of a blob fetched, part by part, as a peer asks for them?

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Error, failing};
use crate::model::Digest;
use crate::wellness::Wellness;

/// Files that stay open between two reads, of all blobs together. More are opened anew for each read.
pub(super) const KEPT_OPEN_MAX: usize = 512;

/// A blob that is being read. It never changes, so readers need no care for each other.
#[derive(Debug)]
pub struct Reader {
    digest: Digest,
    path: PathBuf,
    kept: Mutex<Option<Kept>>,
    room: Arc<Semaphore>,
    wellness: Wellness,
}

/// A file that stays open.
#[derive(Debug)]
struct Kept {
    file: File,
    _room: OwnedSemaphorePermit,
}

impl Reader {
    pub(super) fn new(
        digest: Digest,
        path: PathBuf,
        room: Arc<Semaphore>,
        wellness: Wellness,
    ) -> Self {
        Self {
            digest,
            path,
            kept: Mutex::new(None),
            room,
            wellness,
        }
    }

    /// Appends `length` bytes from `offset` on to `out`. It waits for the disk, and belongs where that
    /// may be done.
    ///
    /// # Errors
    ///
    /// When the blob is missing, cannot be read, or ends before; then `out` is as it was.
    pub fn read(&self, offset: u64, length: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        let read = self.fill(offset, length, out).map_err(|source| {
            out.truncate(start);
            Error::Read {
                digest: self.digest,
                source,
            }
        });
        failing::read(&self.wellness, read)
    }

    /// Appends as [`Reader::read`] does, if all of it is in the system's memory: it does not wait for the
    /// disk. Says whether it did; if not, `out` is as it was, and why is for [`Reader::read`] to find.
    pub fn read_now(&self, offset: u64, length: usize, out: &mut Vec<u8>) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let start = out.len();
        let read = match &*kept {
            Some(kept) => read_cached(&kept.file, offset, length, out),
            // Not even the names on the way may be looked up on the disk.
            None => openat2(
                CWD,
                &self.path,
                OFlags::RDONLY | OFlags::CLOEXEC,
                Mode::empty(),
                ResolveFlags::CACHED,
            )
            .is_ok_and(|file| read_cached(&file, offset, length, out)),
        };
        if !read {
            out.truncate(start);
        }
        read
    }

    fn fill(&self, offset: u64, length: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let opened;
        let file = match &*kept {
            Some(kept) => &kept.file,
            None => {
                opened = File::open(&self.path)?;
                &opened
            }
        };
        read_at(file, offset, length, out)?;
        // A small document is read at once, and its file is needed no more.
        let is_done = offset.saturating_add(length as u64) >= file.metadata()?.len();
        if is_done {
            *kept = None;
        } else if kept.is_none()
            && let Ok(room) = Arc::clone(&self.room).try_acquire_owned()
        {
            *kept = Some(Kept {
                file: file.try_clone()?,
                _room: room,
            });
        }
        Ok(())
    }
}

/// Reads into memory that was not written before: a tenth of the cost of a large read was to clear it.
fn read_at(file: &File, offset: u64, length: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let end = out.len() + length;
    out.reserve_exact(length);
    // A read fills all that is free. Where much more is free than is wanted here, for the parts that come
    // after this one, it goes through memory of its own.
    if out.capacity() - out.len() > 2 * length {
        let mut part = Vec::new();
        read_at(file, offset, length, &mut part)?;
        out.extend_from_slice(&part);
        return Ok(());
    }
    let mut at = offset;
    while out.len() < end {
        match pread(file, spare_capacity(out), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(got) => at += got as u64,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    out.truncate(end);
    Ok(())
}

fn read_cached(file: impl AsFd, offset: u64, length: usize, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.resize(start + length, 0);
    let Some(into) = out.get_mut(start..) else {
        return false;
    };
    let got = preadv2(
        file,
        &mut [IoSliceMut::new(into)],
        offset,
        ReadWriteFlags::NOWAIT,
    );
    got.is_ok_and(|got| got == length)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn reader(content: &[u8], room: usize) -> (tempfile::TempDir, Reader) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blob");
        File::create(&path).unwrap().write_all(content).unwrap();
        let room = Arc::new(Semaphore::new(room));
        let digest = Digest::of(content);
        (folder, Reader::new(digest, path, room, Wellness::default()))
    }

    #[test]
    fn parts_come_in_any_order_and_are_appended() {
        for (room, free) in [(0, 0), (1, 0), (1, 1000)] {
            let (_folder, reader) = reader(b"0123456789", room);
            let mut out = Vec::with_capacity(4 + free);
            out.extend_from_slice(b"head");

            reader.read(4, 3, &mut out).unwrap();
            reader.read(0, 4, &mut out).unwrap();
            reader.read(7, 3, &mut out).unwrap();
            reader.read(1, 1, &mut out).unwrap();

            assert_eq!(out, b"head45601237891");
        }
    }

    #[test]
    fn a_blob_that_is_shorter_than_it_should_be_is_an_error_that_leaves_nothing() {
        let (_folder, reader) = reader(b"0123456789", 1);
        let mut out = b"head".to_vec();

        assert!(reader.read(8, 3, &mut out).is_err());
        assert!(reader.read(20, 1, &mut out).is_err());

        assert_eq!(out, b"head");
    }

    #[test]
    fn what_is_in_memory_is_read_at_once_or_not_at_all() {
        let (folder, reader) = reader(b"0123456789", 1);
        let mut out = b"head".to_vec();

        // Where the system cannot say what it holds in memory, the other way is there.
        let read = reader.read_now(2, 3, &mut out);
        assert_eq!(out, if read { &b"head234"[..] } else { b"head" });
        out.truncate(4);
        assert!(!reader.read_now(8, 3, &mut out), "past the end");
        drop(folder);
        assert!(!reader.read_now(0, 1, &mut out), "missing");

        assert_eq!(out, b"head");
    }

    #[test]
    fn a_file_stays_open_while_there_is_room_and_more_to_read() {
        let (_folder, reader) = reader(b"0123456789", 1);
        let is_open = || reader.kept.lock().unwrap().is_some();

        reader.read(0, 4, &mut Vec::new()).unwrap();
        assert!(is_open());
        reader.read(4, 6, &mut Vec::new()).unwrap();
        assert!(!is_open());
    }
}
