//! What does a device see of what it put in and was not accepted?
//!
//! The file as it was, where it was kept, and beside it a text that says why. Reading them changes nothing.

use super::Error;
use super::content::Content;
use super::folders::Role;
use super::view::{Attributes, Item, View};
use crate::catalog::{Part, Rejection};
use crate::model::{ContentHash, Digest, HashName, Rejected, Timestamp, VirtualPath, fold};
use crate::text::{Put, RejectionText, Why};

/// A file in `/rejected`.
#[derive(Debug, Clone)]
pub struct RejectedFile {
    /// Its name.
    pub name: String,
    /// What a stat of it says.
    pub attributes: Attributes,
    id: i64,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Kept(Digest),
    Text(Vec<u8>),
}

impl View {
    /// Returns the lines of `/rejected`.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub(super) async fn rejected(&self, now: Timestamp) -> Result<Vec<Item>, Error> {
        let (catalog, firm, device) = (&self.tree.catalog, self.who.firm, self.who.device);
        let notes = catalog.rejections(firm, device, now).await?;
        let mut items: Vec<_> = notes
            .iter()
            .flat_map(|note| self.files_of(note))
            .map(|file| Item {
                name: file.name,
                attributes: file.attributes,
            })
            .collect();
        items.sort_by_cached_key(|item| fold(&item.name));
        Ok(items)
    }

    /// Returns the file at `path`, if that is one in `/rejected`.
    ///
    /// # Errors
    ///
    /// When the device is out of use, or the catalog does not answer.
    pub async fn rejected_at(
        &mut self,
        path: &VirtualPath,
        now: Timestamp,
    ) -> Result<Option<RejectedFile>, Error> {
        let Some(name) = path.name() else {
            return Ok(None);
        };
        match self.role(&path.parent(), now).await {
            Ok(Some(Role::Rejected)) => {}
            Ok(_) | Err(Error::Missing) => return Ok(None),
            Err(error) => return Err(error),
        }
        let (catalog, firm, device) = (&self.tree.catalog, self.who.firm, self.who.device);
        let notes = catalog.rejections_named(firm, device, name, now).await?;
        let key = fold(name);
        let mut files = notes.iter().flat_map(|note| self.files_of(note));
        Ok(files.find(|file| fold(&file.name) == key))
    }

    /// Opens the content of a file in `/rejected`.
    pub fn rejected_content(&self, file: &RejectedFile) -> Content {
        match &file.body {
            Body::Kept(digest) => Content::new(&self.tree.blobs, *digest, file.attributes.bytes),
            Body::Text(text) => Content::of_text(text),
        }
    }

    /// Takes a file in `/rejected` out of this device's sight. A document is never touched.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn remove_rejected(&self, file: &RejectedFile, now: Timestamp) -> Result<(), Error> {
        let part = match &file.body {
            Body::Kept(_) => Part::File,
            Body::Text(_) => Part::Text,
        };
        let (catalog, firm, device) = (&self.tree.catalog, self.who.firm, self.who.device);
        let removing = catalog.remove_rejection(firm, device, (file.id, part), now);
        Ok(removing.await?)
    }

    /// Returns a hash of a file in `/rejected`.
    ///
    /// # Errors
    ///
    /// When a store does not answer.
    pub async fn hash_of_rejected(
        &self,
        file: &RejectedFile,
        name: HashName,
    ) -> Result<ContentHash, Error> {
        match &file.body {
            Body::Kept(digest) => {
                self.hash_of_upload(*digest, file.attributes.bytes, name)
                    .await
            }
            Body::Text(text) => Ok(name.of(text)),
        }
    }

    fn files_of(&self, note: &Rejection) -> impl Iterator<Item = RejectedFile> + use<> {
        let at = note.at;
        let file = |name, bytes, body| RejectedFile {
            name,
            attributes: Attributes {
                is_folder: false,
                bytes,
                at,
            },
            id: note.id,
            body,
        };
        let kept = note.digest.map(|digest| {
            let bytes = note.bytes.unwrap_or_default();
            file(note.name.clone(), bytes, Body::Kept(digest))
        });
        let text = note.has_text.then(|| {
            let text = self.text_of(note).into_bytes();
            let bytes = text.len() as u64;
            file(format!("{}.txt", note.name), bytes, Body::Text(text))
        });
        kept.into_iter().chain(text)
    }

    fn text_of(&self, note: &Rejection) -> String {
        let put = Put::Uploaded(&note.path, note.bytes);
        let zone = self.tree.places.zone();
        RejectionText::new(note.language, put, &why(note), note.at, zone).whole()
    }
}

fn why(note: &Rejection) -> Why {
    // Only we write it; what is no number is no limit any more.
    let max = note.detail.parse().unwrap_or_default();
    match note.why {
        Rejected::Unreadable => {
            Why::Unreadable(serde_json::from_str(&note.detail).unwrap_or_default())
        }
        Rejected::TooLarge => Why::TooLarge { bytes_max: max },
        Rejected::DayBytes => Why::DayBytes { bytes_max: max },
        Rejected::DayFiles => Why::DayFiles { files_max: max },
        Rejected::NeverNamed => Why::NeverNamed,
    }
}
