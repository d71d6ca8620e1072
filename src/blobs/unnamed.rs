//! How do bytes that come piece by piece become a blob, without being written twice?
//!
//! They go into a file that has no name on the disk yet: a crash leaves nothing of it. When all are
//! there, the file is given its digest as its name. What comes in order is hashed as it comes; only
//! the rest is read once more. Whoever writes on after that writes into another file: a blob never changes.

use std::fs::{self, File};
use std::io::{self, Seek as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, linkat};
use sha2::{Digest as _, Sha256};

use super::{Blobs, Error, Stored, path, staged};
use crate::model::Digest;

/// A content that is being written. A clone is the same file.
#[derive(Debug, Clone)]
pub struct Unnamed {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Where it was begun.
    folder: PathBuf,
    file: File,
    /// Whether the file may be a blob by now.
    is_named: bool,
    /// Whether the disk failed to take it once. The system says so once only, and forgets which bytes it lost: a
    /// second sync that goes well says nothing.
    is_spoilt: bool,
    bytes: u64,
    /// Of the first [`State::hashed`] bytes.
    hasher: Sha256,
    hashed: u64,
}

impl Unnamed {
    /// Begins one in `folder`, which should be on the disk of the blobs.
    ///
    /// # Errors
    ///
    /// When the disk has no room for it.
    pub async fn begin(folder: &Path) -> io::Result<Self> {
        let folder = folder.to_owned();
        let (folder, file) = blocking(move || {
            let file = tempfile::tempfile_in(&folder)?;
            Ok((folder, file))
        })
        .await?;
        let state = State {
            folder,
            file,
            is_named: false,
            is_spoilt: false,
            bytes: 0,
            hasher: Sha256::new(),
            hashed: 0,
        };
        Ok(Self {
            state: Arc::new(Mutex::new(state)),
        })
    }

    /// Writes at an offset, in any order.
    ///
    /// # Errors
    ///
    /// When the disk does not take it.
    pub async fn write(&self, offset: u64, bytes: Bytes) -> io::Result<()> {
        self.with(move |state| state.write(offset, &bytes)).await
    }

    /// Cuts it off after this many bytes.
    ///
    /// # Errors
    ///
    /// When the disk does not do it.
    pub async fn cut(&self, bytes: u64) -> io::Result<()> {
        self.with(move |state| state.cut(bytes)).await
    }

    /// Returns how many bytes it has, gaps among them.
    pub fn bytes(&self) -> u64 {
        lock(&self.state).bytes
    }

    /// Says whether the disk failed to take it once: then it can become nothing any more, and must come again.
    pub fn is_spoilt(&self) -> bool {
        lock(&self.state).is_spoilt
    }

    /// Reads it whole.
    ///
    /// # Errors
    ///
    /// When the disk does not give it back.
    pub async fn whole(&self) -> io::Result<Bytes> {
        self.with(|state| state.whole()).await
    }

    /// Returns the digest of what was written.
    ///
    /// # Errors
    ///
    /// When the disk does not give back what must be read for it.
    pub async fn digest(&self) -> io::Result<Digest> {
        self.with(State::digest).await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let state = Arc::clone(&self.state);
        blocking(move || work(&mut lock(&state))).await
    }
}

impl State {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.part_from_blob()?;
        if offset < self.hashed {
            self.forget();
        }
        self.file.write_all_at(bytes, offset)?;
        let length = bytes.len() as u64;
        if offset == self.hashed {
            self.hasher.update(bytes);
            self.hashed += length;
        }
        self.bytes = self.bytes.max(offset + length);
        Ok(())
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.part_from_blob()?;
        if bytes < self.hashed {
            self.forget();
        }
        self.file.set_len(bytes)?;
        self.bytes = bytes;
        Ok(())
    }

    /// Goes on in a copy, where the file has become a blob: others may read that, whatever came of its arrival.
    fn part_from_blob(&mut self) -> io::Result<()> {
        if !self.is_named {
            return Ok(());
        }
        let mut copy = tempfile::tempfile_in(&self.folder)?;
        self.file.rewind()?;
        io::copy(&mut self.file, &mut copy)?;
        self.file = copy;
        self.is_named = false;
        Ok(())
    }

    /// Becomes the blob of this digest; says whether the disk can do so.
    fn become_blob(&mut self, folder: &Path, digest: Digest) -> io::Result<bool> {
        if self.is_spoilt {
            return Err(io::Error::other(
                "the disk failed to take it before, so it must be written anew",
            ));
        }
        // It may have its name even where that failed half-way; and once it had it, a reader may have it open for good.
        let was_named = self.is_named;
        (self.is_named, self.is_spoilt) = (true, true);
        let is_named = give_name(&self.file, folder, digest)?;
        (self.is_named, self.is_spoilt) = (is_named || was_named, false);
        Ok(is_named)
    }

    /// What was hashed is no longer what is there.
    fn forget(&mut self) {
        self.hasher = Sha256::new();
        self.hashed = 0;
    }

    fn digest(&mut self) -> io::Result<Digest> {
        let mut block = vec![0; 256 * 1024];
        while self.hashed < self.bytes {
            let got = self.file.read_at(&mut block, self.hashed)?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.hasher.update(block.get(..got).unwrap_or_default());
            self.hashed += got as u64;
        }
        Ok(Digest::from_hasher(self.hasher.clone()))
    }

    fn whole(&self) -> io::Result<Bytes> {
        let mut all = vec![0; usize::try_from(self.bytes).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut all, 0)?;
        Ok(all.into())
    }
}

impl Blobs {
    /// Makes what was written a blob, durably. On a disk that can, the file itself becomes the blob.
    ///
    /// # Errors
    ///
    /// When the store does not take it.
    pub async fn keep(&self, unnamed: &Unnamed) -> Result<Stored, Error> {
        self.noted(self.try_keep(unnamed).await)
    }

    async fn try_keep(&self, unnamed: &Unnamed) -> Result<Stored, Error> {
        let keep = |digest: Digest| {
            move |source: io::Error| Error::Keep {
                what: format!("blob {digest}"),
                source,
            }
        };
        let digest = unnamed.digest().await.map_err(|source| Error::Keep {
            what: "what was written".to_owned(),
            source,
        })?;
        let stored = self.stored_now(digest, unnamed.bytes());
        let (folder, failures) = (Arc::clone(&self.through), Arc::clone(&self.failures));
        let named = unnamed.with(move |state| {
            let named = state.become_blob(&folder, digest);
            counted(named, &failures)
        });
        if named.await.map_err(keep(digest))? {
            return Ok(stored);
        }
        // Another disk, or one without such files: the bytes are written once more.
        let whole = unnamed.whole().await.map_err(keep(digest))?;
        self.put_as(whole, digest).await
    }

    /// Returns the proof that a blob is there, and durable, whoever has written it last.
    ///
    /// Where the disk has failed since, another may have written it, and what was lost of it is told to him alone: a
    /// second sync goes well. Then there is no proof, and it must be put again.
    ///
    /// # Errors
    ///
    /// When the disk does not answer. A blob that is missing, or not as long, is none.
    pub async fn sure(&self, stored: Stored) -> Result<Option<Stored>, Error> {
        let target = self.through.join(path(stored.digest).as_ref());
        let work = move || {
            let file = match File::open(&target) {
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened?,
            };
            if file.metadata()?.len() != stored.bytes {
                return Ok(None);
            }
            file.sync_all()?;
            if let Some(parent) = target.parent() {
                File::open(parent)?.sync_all()?;
            }
            Ok(Some(stored))
        };
        let found = blocking(work).await.map_err(|source| Error::Read {
            digest: stored.digest,
            source,
        })?;
        self.stands()?;
        Ok(found.filter(|_| stored.failures == self.failures()))
    }

    /// Stores bytes through a file without a name, where that can be done.
    pub(super) async fn put_unnamed(
        &self,
        content: &Bytes,
        digest: Digest,
    ) -> Result<Option<Stored>, Error> {
        let stored = self.stored_now(digest, content.len() as u64);
        let (folder, failures) = (Arc::clone(&self.through), Arc::clone(&self.failures));
        let written = content.clone();
        let work = move || {
            let file = tempfile::tempfile_in(&*folder)?;
            file.write_all_at(&written, 0)?;
            counted(give_name(&file, &folder, digest), &failures)
        };
        let named = blocking(work).await.map_err(|source| Error::Keep {
            what: format!("blob {digest}"),
            source,
        })?;
        Ok(named.then_some(stored))
    }
}

/// Counts a failure where it happens: whoever waits for it may be gone.
fn counted(named: io::Result<bool>, failures: &AtomicU64) -> io::Result<bool> {
    named.inspect_err(|_| {
        failures.fetch_add(1, Ordering::AcqRel);
    })
}

/// Gives a file without a name its digest as its name, and syncs both; says whether the disk can do so.
///
/// A new name comes before the sync, so that one commit of the file system's journal serves both. A power cut in
/// between may leave a blob that is not whole; no row names it yet, and the next put replaces it. Where one is
/// there already rows may name it, and the sync comes first.
fn give_name(file: &File, folder: &Path, digest: Digest) -> io::Result<bool> {
    let target = folder.join(path(digest).as_ref());
    let Some(parent) = target.parent() else {
        return Ok(false);
    };
    let linked = match link(file, &target) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound && !parent.exists() => {
            make_folder(parent, folder)?;
            link(file, &target)
        }
        linked => linked,
    };
    match linked {
        Ok(()) => {}
        // Another may have made it a moment ago and not yet synced it; the same bytes once more are harmless.
        Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {
            if !replace(file, &target, folder)? {
                return Ok(false);
            }
        }
        Err(_) => return Ok(false),
    }
    file.sync_all()?;
    File::open(parent)?.sync_all()?;
    Ok(true)
}

fn link(file: &File, target: &Path) -> io::Result<()> {
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, nameless, CWD, target, AtFlags::SYMLINK_FOLLOW)?)
}

/// Links under another name, and renames that over the target; says whether it can be linked.
fn replace(file: &File, target: &Path, folder: &Path) -> io::Result<bool> {
    if fs::metadata(target).is_ok_and(|there| is_same(file, &there)) {
        // Renamed over itself, it would keep both names (rename(2)).
        return Ok(true);
    }
    let staged = staged::name(folder, target);
    let linked = match link(file, &staged) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            make_folder(&staged::folder(folder), folder)?;
            match link(file, &staged) {
                // It was a blob, and the same bytes took its place: what has lost its last name gets no other.
                Err(nameless) if nameless.kind() == io::ErrorKind::NotFound => return Ok(false),
                linked => linked,
            }
        }
        linked => linked,
    };
    match linked {
        // Of a name that is taken the kernel says so before it looks from where it is linked.
        Err(away) if away.kind() == io::ErrorKind::CrossesDevices => return Ok(false),
        linked => linked,
    }?;
    // What stands there may be named by rows: it makes room for bytes that are safe, and for no others.
    file.sync_all()?;
    fs::rename(&staged, target)?;
    Ok(true)
}

fn is_same(file: &File, there: &fs::Metadata) -> bool {
    file.metadata()
        .is_ok_and(|own| (own.dev(), own.ino()) == (there.dev(), there.ino()))
}

fn make_folder(folder: &Path, above: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(there) if there.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }?;
    File::open(above)?.sync_all()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// Locks what is being written; a write that died has no effect on what was hashed before it.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
