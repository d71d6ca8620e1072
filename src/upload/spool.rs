//! Where do copies wait that a device writes into a processed folder?

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{Error, UPLOAD_BYTES_MAX};
use crate::blobs::{Unnamed, cannot_store};
use crate::model::Digest;
use crate::wellness::{Cause, Wellness};

/// Where what is written waits: a folder on a disk with room for them. A clone is the same.
#[derive(Debug, Clone)]
pub struct Spool {
    folder: PathBuf,
    wellness: Wellness,
}

/// A file that is being written, without a name: it is gone when the process is.
#[derive(Debug, Clone)]
pub struct Spooled {
    file: Arc<Mutex<File>>,
}

impl Spool {
    /// Uses a folder, which must exist.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            wellness: Wellness::default(),
        }
    }

    /// Reports what the disk does not do.
    #[must_use]
    pub fn reporting_to(self, wellness: Wellness) -> Self {
        Self { wellness, ..self }
    }

    /// Begins a file.
    ///
    /// # Errors
    ///
    /// When the disk has no room for it.
    pub async fn begin(&self) -> Result<Spooled, Error> {
        let folder = self.folder.clone();
        let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await?;
        made.map(|file| Spooled {
            file: Arc::new(Mutex::new(file)),
        })
        .map_err(|source| self.disk(source))
    }

    /// Writes at an offset, in any order.
    ///
    /// # Errors
    ///
    /// When it would be past the limit, or the disk does not take it.
    pub async fn write(&self, spooled: &Spooled, offset: u64, bytes: Bytes) -> Result<(), Error> {
        if offset.saturating_add(bytes.len() as u64) > UPLOAD_BYTES_MAX {
            return Err(Error::TooLarge {
                bytes_max: UPLOAD_BYTES_MAX,
            });
        }
        let write = move |file: &mut File| {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&bytes)
        };
        self.with(spooled, write).await
    }

    /// Cuts it off after this many bytes.
    ///
    /// # Errors
    ///
    /// When the disk does not do it.
    pub async fn cut(&self, spooled: &Spooled, bytes: u64) -> Result<(), Error> {
        self.with(spooled, move |file| file.set_len(bytes)).await
    }

    /// Returns the digest of what was written, and its size in bytes.
    ///
    /// # Errors
    ///
    /// When the disk does not give it back.
    pub async fn digest(&self, spooled: &Spooled) -> Result<(Digest, u64), Error> {
        self.with(spooled, |file| {
            file.seek(SeekFrom::Start(0))?;
            let (mut hasher, mut size) = (Sha256::new(), 0);
            let mut block = vec![0; 64 * 1024];
            loop {
                let got = file.read(&mut block)?;
                if got == 0 {
                    return Ok((Digest::from_hasher(hasher), size));
                }
                hasher.update(block.get(..got).unwrap_or_default());
                size += got as u64;
            }
        })
        .await
    }

    /// Returns the size of what was written, in bytes.
    ///
    /// # Errors
    ///
    /// When the disk does not tell.
    pub async fn size(&self, spooled: &Spooled) -> Result<u64, Error> {
        self.with(spooled, |file| Ok(file.metadata()?.len())).await
    }

    /// Begins a file that may become a blob.
    pub(super) async fn begin_unnamed(&self) -> Result<Unnamed, Error> {
        self.told(Unnamed::begin(&self.folder).await)
    }

    /// Says of what the disk did not do that it was here.
    pub(super) fn told<T>(&self, done: std::io::Result<T>) -> Result<T, Error> {
        done.map_err(|source| self.disk(source))
    }

    async fn with<T: Send + 'static>(
        &self,
        spooled: &Spooled,
        work: impl FnOnce(&mut File) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let file = Arc::clone(&spooled.file);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut file.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await?.map_err(|source| self.disk(source))
    }

    fn disk(&self, source: std::io::Error) -> Error {
        let (cause, folder) = (
            Cause::of_system(source.kind()),
            self.folder.display().to_string(),
        );
        let why = format!("could not keep an upload in `{folder}`: {source}");
        cannot_store(&self.wellness, cause, &why);
        Error::Disk { folder, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_written_out_of_order_have_the_digest_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let spooled = spool.begin().await.unwrap();

        spool
            .write(&spooled, 5, Bytes::from_static(b"67890"))
            .await
            .unwrap();
        spool
            .write(&spooled, 0, Bytes::from_static(b"12345"))
            .await
            .unwrap();

        assert_eq!(
            spool.digest(&spooled).await.unwrap(),
            (Digest::of(b"1234567890"), 10)
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "it has no name"
        );
    }

    #[tokio::test]
    async fn one_byte_past_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let spooled = spool.begin().await.unwrap();

        assert!(
            spool
                .write(&spooled, UPLOAD_BYTES_MAX - 1, vec![1].into())
                .await
                .is_ok()
        );
        assert!(matches!(
            spool
                .write(&spooled, UPLOAD_BYTES_MAX, vec![1].into())
                .await,
            Err(Error::TooLarge { .. })
        ));
        assert!(matches!(
            spool.write(&spooled, u64::MAX, vec![1].into()).await,
            Err(Error::TooLarge { .. })
        ));
    }
}
