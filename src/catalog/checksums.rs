//! With what do clients compare a document's content?

use sqlx::any::AnyRow;
use sqlx::query;

use super::rows::Columns as _;
use super::{Catalog, Durability, Error};
use crate::model::{Checksums, Digest, DocumentId, FirmId};

impl Catalog {
    /// Returns the checksums of what is delivered of a document of `firm`; none while they were never computed.
    ///
    /// # Errors
    ///
    /// When the firm has none of that id, or the database does not answer.
    pub async fn checksums(
        &self,
        firm: FirmId,
        id: DocumentId,
    ) -> Result<Option<Checksums>, Error> {
        let row =
            query("select content_md5, content_sha1 from document where firm_id = $1 and id = $2")
                .bind(firm.0)
                .bind(id.0)
                .fetch_optional(&self.readers)
                .await?
                .ok_or_else(|| Error::Missing {
                    what: format!("document {id}"),
                })?;
        kept(&row)
    }

    /// Returns the checksums of these bytes, if a document of `firm` came with them and holds nothing else, and
    /// they were computed.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn checksums_of(
        &self,
        firm: FirmId,
        digest: Digest,
    ) -> Result<Option<Checksums>, Error> {
        let row = query(
            "select content_md5, content_sha1 from document where firm_id = $1 and digest = $2 and content_digest = $2",
        )
        .bind(firm.0)
        .bind(digest.to_string())
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map_or(Ok(None), kept)
    }

    /// Keeps the checksums of a document of `firm` that came before they were computed at intake.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn keep_checksums(
        &self,
        firm: FirmId,
        id: DocumentId,
        checksums: &Checksums,
    ) -> Result<(), Error> {
        // What a power cut takes is computed again.
        let mut tx = self.begin(Durability::Kill).await?;
        query(
            "update document set content_md5 = $1, content_sha1 = $2 where firm_id = $3 and id = $4",
        )
        .bind(checksums.md5().to_string())
        .bind(checksums.sha1().to_string())
        .bind(firm.0)
        .bind(id.0)
        .execute(&mut *tx.inner)
        .await?;
        tx.commit_unseen().await
    }
}

fn kept(row: &AnyRow) -> Result<Option<Checksums>, Error> {
    let (Some(md5), Some(sha1)) = (row.text_or("content_md5")?, row.text_or("content_sha1")?)
    else {
        return Ok(None);
    };
    let invalid = |_| Error::Stored {
        what: "checksums",
        value: format!("{md5} {sha1}"),
    };
    Checksums::from_hex(&md5, &sha1).map(Some).map_err(invalid)
}

#[cfg(test)]
impl Catalog {
    /// Makes a document one that came before checksums were kept.
    pub(crate) async fn forget_checksums(&self, id: DocumentId) {
        let mut tx = self.begin(Durability::Kill).await.unwrap();
        query("update document set content_md5 = null, content_sha1 = null where id = $1")
            .bind(id.0)
            .execute(&mut *tx.inner)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}
