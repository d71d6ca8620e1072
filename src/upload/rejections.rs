//! How does the owner of a file learn that it was not accepted, when nobody listened to the answer?

use super::Error;
use crate::catalog::{self, Catalog, NewRejection};
use crate::model::{DeviceId, Digest, FirmId, Rejected, Timestamp, VirtualPath};

/// Notes what is not accepted, for the folder `/rejected` of its owner. A clone is the same.
#[derive(Clone)]
pub struct Rejections {
    catalog: Catalog,
}

/// Whose file it was, and where it was put.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Of which firm.
    pub firm: FirmId,
    /// Of which device.
    pub device: DeviceId,
    /// Where.
    pub path: &'a VirtualPath,
}

impl Rejections {
    /// Notes in `catalog`.
    pub fn new(catalog: Catalog) -> Self {
        Self { catalog }
    }

    /// Notes a file that is kept, and that nobody can read.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn note_unreadable(
        &self,
        owner: Owner<'_>,
        (digest, bytes): (Digest, u64),
        reasons: &str,
        now: Timestamp,
    ) -> Result<(), catalog::Error> {
        let new = NewRejection {
            path: owner.path,
            why: Rejected::Unreadable,
            detail: reasons,
            bytes: Some(bytes),
            digest: Some(digest),
        };
        let noting = self
            .catalog
            .add_rejection(owner.firm, owner.device, &new, now);
        noting.await
    }

    /// Notes a file that was refused, if it will be however often it is written; says whether it was noted.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn note_refused(
        &self,
        owner: Owner<'_>,
        bytes: Option<u64>,
        refused: &Error,
        now: Timestamp,
    ) -> Result<bool, catalog::Error> {
        let Some((why, max)) = refused.rejection() else {
            return Ok(false);
        };
        let new = NewRejection {
            path: owner.path,
            why,
            detail: &max.to_string(),
            bytes,
            digest: None,
        };
        let noting = self
            .catalog
            .add_rejection(owner.firm, owner.device, &new, now);
        noting.await?;
        Ok(true)
    }
}
