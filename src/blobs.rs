//! Where are the bytes?
//!
//! A blob is named by its SHA-256 and never changes. [`Blobs::put`] returns once it is durable.

mod failing;
mod held;
mod listing;
mod reader;
mod staged;
mod unnamed;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use tokio::sync::Semaphore;

pub use self::failing::cannot_store;
pub use self::reader::Reader;
pub use self::unnamed::Unnamed;

use self::held::Held;
use crate::locks;
use crate::model::{Digest, Timestamp};
use crate::wellness::Wellness;

/// The blobs. A clone is the same store.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    folder: Arc<PathBuf>,
    held: Arc<Held>,
    /// The same folder, wherever it is moved: everything is written through it.
    through: Arc<PathBuf>,
    /// For the files that readers keep open.
    room: Arc<Semaphore>,
    /// How often this process could not make something a blob, durably.
    failures: Arc<AtomicU64>,
    wellness: Wellness,
}

/// A content that is stored and durable. Only [`Blobs`] makes one; taking in writes rows from these
/// alone, so that no row comes before its blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    digest: Digest,
    bytes: u64,
    /// How often the disk had failed by then.
    failures: u64,
}

impl Stored {
    /// Returns its name.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Something the store did not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder of the store could not be opened.
    #[error("could not open the blob store `{folder}`")]
    Open {
        /// Which.
        folder: String,
        /// Why.
        source: object_store::Error,
    },
    /// The folder is not the one any more that was opened.
    #[error("the folder of the blobs is not where it was: {why}")]
    Moved {
        /// What stands in its place.
        why: String,
    },
    /// A blob could not be written.
    #[error("could not store blob {digest}")]
    Put {
        /// Which.
        digest: Digest,
        /// Why.
        source: object_store::Error,
    },
    /// What was written piece by piece could not become a blob.
    #[error("could not store {what}")]
    Keep {
        /// What it is.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A blob could not be read.
    #[error("could not read blob {digest}")]
    Get {
        /// Which.
        digest: Digest,
        /// Why.
        source: object_store::Error,
    },
    /// A part of a blob could not be read.
    #[error("could not read blob {digest}")]
    Read {
        /// Which.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// A blob could not be removed.
    #[error("could not remove blob {digest}")]
    Remove {
        /// Which.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// The removing of blobs could not be held off, or allowed.
    #[error("could not lock the blob store")]
    Lock(#[source] io::Error),
    /// The blobs could not be listed.
    #[error("could not list the blobs")]
    List(#[source] io::Error),
}

/// Says whether no blob lies in a folder, or it is not there: that of a disk, say, that is not mounted.
pub fn hold_nothing(folder: &FilePath) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    // Each lies in a folder named by the first two digits of its digest.
    !entries.flatten().any(|entry| entry.file_name().len() == 2)
}

impl Blobs {
    /// Opens the store in a local folder, which must exist.
    ///
    /// # Errors
    ///
    /// When the folder cannot be opened.
    pub fn in_folder(folder: &FilePath) -> Result<Self, Error> {
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|source| Error::Open {
            folder: folder.display().to_string(),
            source,
        })?;
        let held = Held::open(folder).map_err(|source| Error::Open {
            folder: folder.display().to_string(),
            source: object_store::Error::Generic {
                store: "blobs",
                source: Box::new(source),
            },
        })?;
        // Without it a power cut could take what was acknowledged.
        Ok(Self {
            store: Arc::new(store.with_fsync(true)),
            folder: Arc::new(folder.to_owned()),
            through: Arc::new(held.path()),
            held: Arc::new(held),
            room: Arc::new(Semaphore::new(reader::KEPT_OPEN_MAX)),
            failures: Arc::default(),
            wellness: Wellness::default(),
        })
    }

    /// Stores `content`, durably.
    ///
    /// # Errors
    ///
    /// When the store does not take it.
    pub async fn put(&self, content: Bytes) -> Result<Stored, Error> {
        self.noted(self.try_put(content).await)
    }

    async fn try_put(&self, content: Bytes) -> Result<Stored, Error> {
        let digest = Digest::of(&content);
        self.put_as(content, digest).await
    }

    /// Through a file without a name where that can be done: a process that is killed leaves nothing of it.
    async fn put_as(&self, content: Bytes, digest: Digest) -> Result<Stored, Error> {
        match self.put_unnamed(&content, digest).await? {
            Some(stored) => Ok(stored),
            None => {
                self.held.stands()?;
                self.put_in_store(content, digest).await
            }
        }
    }

    async fn put_in_store(&self, content: Bytes, digest: Digest) -> Result<Stored, Error> {
        let stored = self.stored_now(digest, content.len() as u64);
        // By a rename, for not every disk has links; where another has made it meanwhile, the same bytes once more
        // are harmless.
        let put = self.store.put(&path(digest), content.into()).await;
        put.map(|_| stored)
            .map_err(|source| Error::Put { digest, source })
    }

    /// Returns how often the disk has failed to take something.
    fn failures(&self) -> u64 {
        self.failures.load(Ordering::Acquire)
    }

    /// Says whether the disk has never failed to take something.
    pub fn never_failed(&self) -> bool {
        self.failures() == 0
    }

    fn stored_now(&self, digest: Digest, bytes: u64) -> Stored {
        Stored {
            digest,
            bytes,
            failures: self.failures(),
        }
    }

    /// Returns the proof that a blob is stored, when a row names it already: then its put was durable.
    ///
    /// # Errors
    ///
    /// When the store does not answer. A blob that is missing, or not as long, is none.
    pub async fn stored(&self, digest: Digest, bytes: u64) -> Result<Option<Stored>, Error> {
        match self.store.head(&path(digest)).await {
            Ok(found) => Ok((found.size == bytes).then(|| self.stored_now(digest, bytes))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(Error::Get { digest, source }),
        }
    }

    /// Opens a blob to be read in parts, past the layers between: a fetch of a hundred megabytes reads
    /// straight into what is sent.
    pub fn reader(&self, digest: Digest) -> Reader {
        let path = self.folder.join(path(digest).as_ref());
        Reader::new(digest, path, Arc::clone(&self.room), self.wellness.clone())
    }

    /// Reads a part of a blob; a range past its end gives what is there.
    ///
    /// # Errors
    ///
    /// When the blob is missing or cannot be read.
    pub async fn range(&self, digest: Digest, range: Range<u64>) -> Result<Bytes, Error> {
        let got = self.store.get_range(&path(digest), range).await;
        let got = got.map_err(|source| Error::Get { digest, source });
        failing::read(&self.wellness, got)
    }

    /// Reads a whole blob.
    ///
    /// # Errors
    ///
    /// When the blob is missing or cannot be read.
    pub async fn whole(&self, digest: Digest) -> Result<Bytes, Error> {
        failing::read(&self.wellness, self.get(digest).await)
    }

    async fn get(&self, digest: Digest) -> Result<Bytes, Error> {
        let got = async { self.store.get(&path(digest)).await?.bytes().await };
        got.await.map_err(|source| Error::Get { digest, source })
    }

    /// Keeps every blob where it is, whoever wants to remove some, until the value is dropped or the process
    /// ends: a backup copies what the rows of a moment ago name.
    ///
    /// # Errors
    ///
    /// When the lock cannot be made.
    pub fn keep_all(&self) -> Result<File, Error> {
        let locked = self.lock_file().and_then(|file| {
            file.lock_shared()?;
            Ok(file)
        });
        locked.map_err(Error::Lock)
    }

    /// Keeps others from [`Blobs::keep_all`], until the value is dropped; none if somebody keeps them now.
    ///
    /// # Errors
    ///
    /// When the lock cannot be made.
    pub fn may_remove(&self) -> Result<Option<File>, Error> {
        let file = self.lock_file().map_err(Error::Lock)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(failed)) => Err(Error::Lock(failed)),
        }
    }

    /// Beside the folder, for in it are blobs alone.
    fn lock_file(&self) -> io::Result<File> {
        let path = self.folder.with_extension("lock");
        // Another user's command may have made it.
        locks::open(&path).or_else(|failed| File::open(path).map_err(|_| failed))
    }

    /// Removes a blob that no row names, if it is there. It waits for the disk on the spot, so that it is done
    /// when this returns, whatever becomes of whoever called. Readers that have it open read on.
    ///
    /// # Errors
    ///
    /// When the store does not remove it.
    pub fn remove(&self, digest: Digest) -> Result<(), Error> {
        match std::fs::remove_file(self.through.join(path(digest).as_ref())) {
            Err(failed) if failed.kind() != io::ErrorKind::NotFound => Err(Error::Remove {
                digest,
                source: failed,
            }),
            _ => Ok(()),
        }
    }

    /// Returns when a blob was given its name, if it is there.
    pub fn named_at(&self, digest: Digest) -> Option<Timestamp> {
        let found = std::fs::metadata(self.through.join(path(digest).as_ref())).ok()?;
        // Of a link that time is when it was made, though its bytes are older.
        Some(Timestamp(found.ctime().saturating_mul(1000)))
    }

    /// Removes what processes that died left where blobs wait to take another's place.
    pub fn clear_left(&self, now: Timestamp) {
        staged::clear(&self.through, now);
    }

    /// Waits until the removing of these is safe: after a power cut nobody would know of them any more.
    ///
    /// # Errors
    ///
    /// When a folder of theirs cannot be synced.
    pub fn sync_removed(&self, removed: &[Digest]) -> Result<(), Error> {
        let folder = |digest: &Digest| {
            let path = self.through.join(path(*digest).as_ref());
            path.parent()
                .map(FilePath::to_owned)
                .map(|folder| (folder, *digest))
        };
        let folders: BTreeMap<_, _> = removed.iter().filter_map(folder).collect();
        for (folder, digest) in folders {
            let synced = match File::open(folder) {
                Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(()),
                opened => opened.and_then(|folder| folder.sync_all()),
            };
            synced.map_err(|source| Error::Remove { digest, source })?;
        }
        Ok(())
    }

    /// Returns every blob with its size, and the names of files that are no blobs.
    ///
    /// # Errors
    ///
    /// When the store cannot be listed.
    pub async fn list(&self) -> Result<(Vec<(Digest, u64)>, Vec<String>), Error> {
        let folder = Arc::clone(&self.folder);
        let listing = tokio::task::spawn_blocking(move || listing::list(&folder));
        let listed = listing.await.map_err(io::Error::other);
        listed.and_then(|listed| listed).map_err(Error::List)
    }
}

/// 256 folders keep each small enough for any file system.
/// Where in its folder a blob lies.
pub(crate) fn path(digest: Digest) -> Path {
    let name = digest.to_string();
    Path::from(format!("{}/{name}", name.get(..2).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_blob_reads_back_whole_and_in_parts() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(folder.path()).unwrap();

        let stored = blobs.put(Bytes::from_static(b"0123456789")).await.unwrap();
        let again = blobs.put(Bytes::from_static(b"0123456789")).await.unwrap();

        assert_eq!(stored, again);
        assert_eq!(blobs.whole(stored.digest()).await.unwrap(), "0123456789");
        assert_eq!(blobs.range(stored.digest(), 8..12).await.unwrap(), "89");
        assert_eq!(
            blobs.list().await.unwrap(),
            (vec![(stored.digest(), 10)], vec![])
        );
    }

    #[tokio::test]
    async fn what_every_disk_has_is_no_stranger_and_is_not_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(folder.path()).unwrap();
        let stored = blobs.put(Bytes::from_static(b"0123456789")).await.unwrap();
        let found = folder.path().join("lost+found");
        std::fs::create_dir(&found).unwrap();
        std::fs::write(found.join("#12"), "x").unwrap();
        // Only its owner may look into it, who is somebody else.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o0);
        std::fs::set_permissions(&found, mode).unwrap();
        let digest = stored.digest().to_string();
        let left = format!("{}/{digest}#1", &digest[..2]);
        std::fs::write(folder.path().join(&left), "half").unwrap();

        let listed = blobs.list().await.unwrap();

        assert_eq!(listed, (vec![(stored.digest(), 10)], vec![left]));
    }

    #[tokio::test]
    async fn a_stranger_among_the_blobs_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("readme.txt"), "hello").unwrap();
        let blobs = Blobs::in_folder(folder.path()).unwrap();

        assert_eq!(
            blobs.list().await.unwrap(),
            (vec![], vec!["readme.txt".to_owned()])
        );
        assert!(blobs.whole(Digest::of(b"nothing")).await.is_err());
    }
}
