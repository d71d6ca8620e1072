//! With what may a device compare a file?
//!
//! To ask for a hash is not to read: it changes nothing, and reads nothing but, once, a document that
//! came before its checksums were kept, and in each session an upload that came in an envelope.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use super::Error;
use super::folders::Role;
use super::view::{Entry, File, Place, View};
use crate::catalog::Since;
use crate::model::{
    ChecksumHasher, Checksums, ContentHash, Digest, HashName, Timestamp, VirtualPath, fold,
};

/// How much is read at a time, in bytes.
const CHUNK_BYTES: u64 = 256 * 1024;

/// Of how many uploads a session remembers the checksums that it computed.
const COMPUTED_MAX: usize = 1000;

/// Everything that was ever collected or copied.
const EVER: Since = Since {
    collected: Timestamp(0),
    collected_until: Timestamp(i64::MAX),
    copied: Timestamp(0),
    copied_until: Timestamp(i64::MAX),
    done: Timestamp(i64::MIN),
};

impl View {
    /// Returns the file at `path` to compare with: one that is listed, or that this device collected
    /// there before this session began.
    ///
    /// A client that opens a second connection while it copies may ask there for the hash of what the
    /// first has just fetched. Told that it is missing, rclone takes its own copy for torn, and removes it.
    ///
    /// # Errors
    ///
    /// When no file is or was there, or a store does not answer.
    pub async fn file_to_compare(
        &mut self,
        path: &VirtualPath,
        now: Timestamp,
    ) -> Result<File, Error> {
        match self.entry(path, now).await {
            Ok(Entry::File(file)) => Ok(file),
            Ok(Entry::Folder(_)) => Err(Error::IsAFolder),
            Err(Error::Missing) => self.collected_at(path).await,
            Err(error) => Err(error),
        }
    }

    async fn collected_at(&self, path: &VirtualPath) -> Result<File, Error> {
        let name = fold(path.name().ok_or(Error::Missing)?);
        let folder = path.parent();
        let role = self.made()?.folders.role(&folder).ok_or(Error::Missing)?;
        let Some(Role::Inbox(links)) = role else {
            return Err(Error::Missing);
        };
        let (firm, device, key) = (self.who.firm, self.who.device, folder.key());
        let catalog = &self.tree.catalog;
        for &of in &**links {
            let found = catalog.inbox_file(firm, device, of, (&key, &name), EVER);
            if let Some(listed) = found.await? {
                let place = Place::Inbox;
                return Ok(File { listed, place });
            }
        }
        Err(Error::Missing)
    }

    /// Returns a hash of what a file holds, from the catalog.
    ///
    /// # Errors
    ///
    /// When a store does not answer.
    pub async fn hash(&self, file: &File, name: HashName) -> Result<ContentHash, Error> {
        match name {
            HashName::Sha256 => Ok(ContentHash::Sha256(file.listed.digest)),
            HashName::Md5 => Ok(self.checksums(file).await?.md5()),
            HashName::Sha1 => Ok(self.checksums(file).await?.sha1()),
        }
    }

    /// Returns a hash of what this device has put into `/in`, which was taken under this digest.
    ///
    /// # Errors
    ///
    /// When a store does not answer.
    pub async fn hash_of_upload(
        &self,
        digest: Digest,
        bytes: u64,
        name: HashName,
    ) -> Result<ContentHash, Error> {
        match name {
            HashName::Sha256 => Ok(ContentHash::Sha256(digest)),
            HashName::Md5 => Ok(self.checksums_of(digest, bytes).await?.md5()),
            HashName::Sha1 => Ok(self.checksums_of(digest, bytes).await?.sha1()),
        }
    }

    /// An envelope's own are not kept, only those of what is in it: a session computes them once.
    async fn checksums_of(&self, digest: Digest, bytes: u64) -> Result<Checksums, Error> {
        if let Some(computed) = self.computed().get(&digest) {
            return Ok(*computed);
        }
        let catalog = &self.tree.catalog;
        if let Some(kept) = catalog.checksums_of(self.who.firm, digest).await? {
            return Ok(kept);
        }
        let computed = self.compute(digest, bytes).await?;
        let mut all = self.computed();
        if all.len() >= COMPUTED_MAX {
            all.clear();
        }
        all.insert(digest, computed);
        Ok(computed)
    }

    fn computed(&self) -> MutexGuard<'_, HashMap<Digest, Checksums>> {
        self.computed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn checksums(&self, file: &File) -> Result<Checksums, Error> {
        let (catalog, firm, document) = (&self.tree.catalog, self.who.firm, file.listed.document);
        if let Some(kept) = catalog.checksums(firm, document).await? {
            return Ok(kept);
        }
        let computed = self.compute(file.listed.digest, file.listed.bytes).await?;
        catalog.keep_checksums(firm, document, &computed).await?;
        Ok(computed)
    }

    async fn compute(&self, digest: Digest, bytes: u64) -> Result<Checksums, Error> {
        let blobs = &self.tree.blobs;
        let mut hasher = ChecksumHasher::default();
        let mut at = 0;
        while at < bytes {
            let part = blobs.range(digest, at..at + CHUNK_BYTES).await?;
            if part.is_empty() {
                return Err(Error::Missing); // a blob that is shorter than its row says
            }
            hasher.update(&part);
            at += part.len() as u64;
        }
        Ok(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::blobs::Blobs;
    use crate::catalog::Catalog;
    use crate::ingest::place::Places;
    use crate::ingest::{Arrival, Ingest};
    use crate::layout::Profiles;
    use crate::model::{DeliveryId, DeviceId, DeviceKind, Language, State};
    use crate::tree::{Tree, Who};

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    #[tokio::test]
    async fn checksums_are_computed_once_for_a_document_that_came_before_them() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.db"))
            .await
            .unwrap();
        let slug = "peeters".parse().unwrap();
        let firm = catalog
            .add_firm(&slug, "P", Language::Nl, NOW)
            .await
            .unwrap();
        let blob_folder = folder.path().join("blobs");
        std::fs::create_dir(&blob_folder).unwrap();
        let blobs = Blobs::in_folder(&blob_folder).unwrap();
        let places = Places::new(Arc::new(Profiles::new([]).unwrap()), TimeZone::UTC);
        // Longer than what is read at a time.
        let bytes = Bytes::from(vec![b'x'; 700_000]);
        let arrival = Arrival::new("test:x", bytes.clone());
        let ingest = Ingest::new(catalog.clone(), blobs.clone(), places.clone());
        let taken = ingest.take(firm, vec![arrival], NOW).await.unwrap();
        let who = Who::for_tests(firm, DeviceId(1), DeviceKind::Pull);
        let view = Tree::new(catalog.clone(), blobs, places).view(Arc::new(who));
        let file = File {
            listed: crate::catalog::Listed {
                delivery: DeliveryId(1),
                document: taken[0].document,
                name: "x.xml".to_owned(),
                state: State::Offered,
                is_read: false,
                digest: Digest::of(&bytes),
                bytes: bytes.len() as u64,
                offered_at: NOW,
            },
            place: Place::Inbox,
        };
        let expected = Checksums::of(&bytes);
        let kept = async || catalog.checksums(firm, taken[0].document).await.unwrap();
        assert_eq!(kept().await, Some(expected));
        catalog.forget_checksums(taken[0].document).await;

        let md5 = view.hash(&file, HashName::Md5).await.unwrap();

        assert_eq!((md5, kept().await), (expected.md5(), Some(expected)));
        // From then on nothing is read.
        std::fs::remove_dir_all(blob_folder).unwrap();
        let sha1 = view.hash(&file, HashName::Sha1).await.unwrap();
        assert_eq!(sha1, expected.sha1());
        let (digest, size) = (file.listed.digest, file.listed.bytes);
        let md5 = view.hash_of_upload(digest, size, HashName::Md5).await;
        assert_eq!(md5.unwrap(), expected.md5());
    }
}
