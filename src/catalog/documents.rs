//! Which documents are here, and is this one here already?

use sqlx::any::AnyRow;
use sqlx::query;

use super::rows::{Columns as _, stored_size};
use super::{Catalog, Error, Tx};
use crate::model::{Checksums, Declared, Digest, DocumentId, FirmId, Origin, Status, Timestamp};
use crate::transfer::Earlier;
use crate::ubl::Reading;

/// A document to keep. Its blobs must be stored before.
#[derive(Debug, Clone)]
pub struct NewDocument<'a> {
    /// The original bytes.
    pub digest: Digest,
    /// Their number.
    pub bytes: u64,
    /// What is delivered: the original, or what its envelope held.
    pub content: Digest,
    /// Its size in bytes.
    pub content_bytes: u64,
    /// With what clients compare it; none while nobody has asked.
    pub checksums: Option<Checksums>,
    /// By which a second copy in another envelope is known.
    pub envelope_key: Option<&'a str>,
    /// By which a second copy with other bytes is known.
    pub business_key: Option<&'a str>,
    /// What was read.
    pub reading: &'a Reading,
    /// Through which door, and under which name.
    pub source: &'a str,
    /// What is taken to be true of it.
    pub declared: Declared,
    /// Why nobody can read it, if so.
    pub quarantined: Option<&'a str>,
}

/// A kept document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its row.
    pub id: DocumentId,
    /// The original bytes.
    pub digest: Digest,
    /// What is delivered.
    pub content: Digest,
    /// Its size in bytes.
    pub content_bytes: u64,
    /// By which a second copy with other bytes is known.
    pub business_key: Option<String>,
    /// What was read.
    pub reading: Reading,
    /// How far it has come.
    pub status: Status,
    /// Who brought it.
    pub origin: Origin,
    /// When somebody approved it.
    pub approved_at: Option<Timestamp>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Since when nothing about it has changed.
    pub ready_at: Timestamp,
    /// Why nobody can read it, if so.
    pub quarantined: Option<String>,
}

/// What a firm has already that an arrival may be a copy of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The same bytes.
    pub bytes: Option<DocumentId>,
    /// The same envelope, and whether it held the same content.
    pub envelope: Option<(DocumentId, bool)>,
    /// The same content, in another envelope or none.
    pub content: Option<DocumentId>,
    /// The same seller, number, date and kind, and the same buyer where that wrote it.
    pub business: Option<DocumentId>,
    /// What has become of the deliveries of those, where that was asked.
    pub earlier: Vec<Earlier>,
    /// Whether one of those may be another document, as far as that was asked.
    pub is_doubtful: bool,
}

impl Known {
    /// Returns the first document that it looks like, if it looks like one.
    pub fn first(&self) -> Option<DocumentId> {
        let all = [self.business, self.content, self.envelope_id()];
        all.into_iter().flatten().min()
    }

    /// Returns the document with the same envelope, whatever was in it.
    pub fn envelope_id(&self) -> Option<DocumentId> {
        self.envelope.map(|(id, _)| id)
    }

    /// Says whether it is like others in what a business document is known by, and in nothing else.
    pub fn is_version(&self) -> bool {
        self.business.is_some() && self.content.is_none() && self.envelope.is_none()
    }
}

impl Tx {
    /// Finds what `firm` has already that an arrival may be a copy of.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn known(&mut self, firm: FirmId, new: &NewDocument<'_>) -> Result<Known, Error> {
        let rows = query(KNOWN)
            .bind(firm.0)
            .bind(new.digest.to_string())
            .bind(new.content.to_string())
            .bind(new.envelope_key)
            .bind(new.business_key)
            .fetch_all(&mut *self.inner)
            .await?;
        let mut known = Known::default();
        for row in &rows {
            note(&mut known, row, new)?;
        }
        Ok(known)
    }

    /// Notes that a document arrived once more.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn arrived_again(
        &mut self,
        firm: FirmId,
        id: DocumentId,
        now: Timestamp,
    ) -> Result<(), Error> {
        query("update document set again_at = $3 where firm_id = $1 and id = $2")
            .bind(firm.0)
            .bind(id.0)
            .bind(now.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Returns why nobody can read a document of `firm`, if so.
    ///
    /// # Errors
    ///
    /// When the firm has none of that id, or the database does not answer.
    pub async fn quarantined(
        &mut self,
        firm: FirmId,
        id: DocumentId,
    ) -> Result<Option<String>, Error> {
        let row = query("select quarantined from document where firm_id = $1 and id = $2")
            .bind(firm.0)
            .bind(id.0)
            .fetch_one(&mut *self.inner)
            .await?;
        row.text_or("quarantined")
    }

    /// Writes a document down.
    ///
    /// # Errors
    ///
    /// When the firm has these bytes already, or the database does not answer.
    pub async fn add_document(
        &mut self,
        firm: FirmId,
        new: &NewDocument<'_>,
        now: Timestamp,
    ) -> Result<DocumentId, Error> {
        let reading = serde_json::to_string(new.reading)
            .map_err(|source| Error::Database(sqlx::Error::Encode(source.into())))?;
        let row = query(
            "insert into document (firm_id, digest, bytes, content_digest, content_bytes, envelope_key, business_key,
                                   reading, source, received_at, quarantined, reading_key,
                                   content_md5, content_sha1, status, origin, approved_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', $12, $13, $14, $15, $16) returning id",
        )
        .bind(firm.0)
        .bind(new.digest.to_string())
        .bind(stored_size(new.bytes))
        .bind(new.content.to_string())
        .bind(stored_size(new.content_bytes))
        .bind(new.envelope_key)
        .bind(new.business_key)
        .bind(reading)
        .bind(new.source)
        .bind(now.0)
        .bind(new.quarantined)
        .bind(new.checksums.map(|both| both.md5().to_string()))
        .bind(new.checksums.map(|both| both.sha1().to_string()))
        .bind(new.declared.status.as_str())
        .bind(new.declared.origin.as_str())
        .bind(new.declared.approved.then_some(now.0))
        .fetch_one(&mut *self.inner)
        .await
        .map_err(|source| Error::unique(source, || format!("document {}", new.digest)))?;
        Ok(DocumentId(row.int("id")?))
    }
}

/// A question for each index: one with `or` between them reads every document of the firm. Of most
/// documents the content is the original, and stands in one of them only.
const KNOWN: &str =
    "select id, digest, content_digest, envelope_key, business_key from document where firm_id = $1 and digest = $2
     union select id, digest, content_digest, envelope_key, business_key from document where firm_id = $1 and digest = $3 and content_digest = $3
     union select id, digest, content_digest, envelope_key, business_key from document where firm_id = $1 and content_digest = $3 and content_digest <> digest
     union select id, digest, content_digest, envelope_key, business_key from document where firm_id = $1 and envelope_key = $4
     union select id, digest, content_digest, envelope_key, business_key from document where firm_id = $1 and business_key = $5
     order by id";

/// The oldest of each level is the one that a copy is a copy of: rows come oldest first.
fn note(known: &mut Known, row: &AnyRow, new: &NewDocument<'_>) -> Result<(), Error> {
    let id = DocumentId(row.int("id")?);
    let same =
        |stored: Option<String>, mine: Option<&str>| mine.is_some() && stored.as_deref() == mine;
    let business = same(row.text_or("business_key")?, new.business_key);
    let same_content = row.text("content_digest")? == new.content.to_string();
    if row.text("digest")? == new.digest.to_string() {
        known.bytes.get_or_insert(id);
    }
    if same(row.text_or("envelope_key")?, new.envelope_key) {
        // Sent again by its access point it holds the same bytes; what is read of them is not all that they say.
        known.envelope.get_or_insert((id, same_content));
    }
    if same_content {
        known.content.get_or_insert(id);
    }
    if business {
        known.business.get_or_insert(id);
    }
    Ok(())
}

impl Catalog {
    /// Says whether there is any document.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn names_documents(&self) -> Result<bool, Error> {
        let any = query("select 1 as any_of_them from document limit 1");
        Ok(any.fetch_optional(&self.readers).await?.is_some())
    }

    /// Returns the id of the document of `firm` with these original bytes.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn document_by_digest(
        &self,
        firm: FirmId,
        digest: Digest,
    ) -> Result<Option<DocumentId>, Error> {
        let row = query("select id from document where firm_id = $1 and digest = $2")
            .bind(firm.0)
            .bind(digest.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Ok(DocumentId(row.int("id")?))).transpose()
    }

    /// Returns a document of `firm`.
    ///
    /// # Errors
    ///
    /// When the firm has none of that id, or the database does not answer.
    pub async fn document(&self, firm: FirmId, id: DocumentId) -> Result<Document, Error> {
        let row = query("select * from document where firm_id = $1 and id = $2")
            .bind(firm.0)
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?
            .ok_or_else(|| Error::Missing {
                what: format!("document {id}"),
            })?;
        Ok(Document {
            id,
            digest: row.word("digest")?,
            content: row.word("content_digest")?,
            content_bytes: row.size("content_bytes")?,
            business_key: row.text_or("business_key")?,
            reading: reading(&row)?,
            status: row.word("status")?,
            origin: row.word("origin")?,
            approved_at: row.at_or("approved_at")?,
            received_at: row.at("received_at")?,
            ready_at: row.at_or("ready_at")?.unwrap_or(row.at("received_at")?),
            quarantined: row.text_or("quarantined")?,
        })
    }

    /// Returns every digest that a row names, of all firms: what the blob store must hold, with its size.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn named_blobs(&self) -> Result<Vec<(Digest, u64)>, Error> {
        named(&query(NAMED).fetch_all(&self.readers).await?)
    }
}

/// Every digest that a row names.
pub(super) const NAMED: &str = "select digest as d, bytes as b from document union
     select content_digest as d, content_bytes as b from document order by d";

/// Returns what [`NAMED`] found.
pub(super) fn named(rows: &[AnyRow]) -> Result<Vec<(Digest, u64)>, Error> {
    let named = rows.iter();
    named
        .map(|row| Ok((row.word("d")?, row.size("b")?)))
        .collect()
}

pub(super) fn reading(row: &AnyRow) -> Result<Reading, Error> {
    let text = row.text("reading")?;
    serde_json::from_str(&text).map_err(|_| Error::Stored {
        what: "a reading",
        // It is what a document says: no log may have it.
        value: format!(
            "{} bytes of SHA-256 {}",
            text.len(),
            Digest::of(text.as_bytes())
        ),
    })
}
