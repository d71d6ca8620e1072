//! Which documents and deliveries does a person mean?
//!
//! People name a document by its number, its file or its digest. None of these is a key, so each
//! question may find several; they are put by hand, now and then, and may look at every document.

use sqlx::any::AnyRow;
use sqlx::query;

use super::reports::{delivery_row, document_row};
use super::rows::Columns as _;
use super::{Catalog, DeliveryRow, DocumentRow, Error};
use crate::model::{DeliveryId, DeviceId, DocumentId, FirmId, SessionId, Timestamp, fold};

/// How many documents one question finds at the most: more, and it was no name.
pub const FOUND_MAX: usize = 100;

/// The documents that a question found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The newest of them, oldest first; [`FOUND_MAX`] at the most.
    pub ids: Vec<DocumentId>,
    /// Whether there are older ones.
    pub has_older: bool,
}

/// A connection of a device, as an explanation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its row.
    pub id: SessionId,
    /// From where.
    pub address: String,
    /// The peer's identification (RFC 4253 §4.2).
    pub software: String,
    /// With which key it logged in, by its fingerprint; or `password`.
    pub credential: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none while it lasts.
    pub ended_at: Option<Timestamp>,
}

const DOCUMENT: &str = "select d.*,
       (select count(*) from delivery v where v.document_id = d.id and v.current = 1 and v.state <> 'held') as sent,
       (select min(v.reason) from delivery v where v.document_id = d.id and v.current = 1 and v.state = 'held') as held,
       (select min(v.duplicate_of) from delivery v where v.document_id = d.id) as duplicate_of
     from document d where d.firm_id = $1 and d.id = $2";

const DELIVERIES: &str =
    "select v.*, s.name as dossier_name, l.profile, l.code, e.name as device_name, d.reading
     from delivery v join document d on d.id = v.document_id
     left join dossier s on s.id = v.dossier_id
     left join link l on l.id = v.link_id
     left join device e on e.id = v.device_id
     where v.firm_id = $1 and v.document_id = $2 order by v.id";

const NUMBERED: &str = r"select id from document
     where firm_id = $1 and lower(reading) like $2 escape '\' order by id desc limit $3";

const DIGESTED: &str = "select id from document
     where firm_id = $1 and (digest like $2 or content_digest like $2) order by id desc limit $3";

// By its file in a folder, as the importer renamed it, as it arrived, or as it arrived again.
const FILED: &str = r"select id from document where firm_id = $1 and id in (
       select document_id from delivery where firm_id = $1 and (name_key = $2 or lower(moved_name) = $2)
       union select id from document where firm_id = $1
         and (lower(source) like $3 escape '\' or lower(source) like $4 escape '\')
       union select document_id from event where firm_id = $1 and kind = 'recognised'
         and (lower(detail) like $3 escape '\' or lower(detail) like $4 escape '\')
     ) order by id desc limit $5";

impl Catalog {
    /// Returns the documents of `firm` with this number (BT-1), however its case.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn documents_numbered(&self, firm: FirmId, number: &str) -> Result<Found, Error> {
        let json = serde_json::Value::from(number).to_string();
        let like = format!("%\"number\":{}%", escaped(&json.to_ascii_lowercase()));
        let rows = query(NUMBERED)
            .bind(firm.0)
            .bind(like)
            .bind(asked_max())
            .fetch_all(&self.readers)
            .await?;
        newest(&rows)
    }

    /// Returns the documents of `firm` whose bytes, as received or as delivered, have a digest that begins so.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn documents_digested(&self, firm: FirmId, beginning: &str) -> Result<Found, Error> {
        let rows = query(DIGESTED)
            .bind(firm.0)
            .bind(format!("{}%", beginning.to_ascii_lowercase()))
            .bind(asked_max())
            .fetch_all(&self.readers)
            .await?;
        newest(&rows)
    }

    /// Returns the documents of `firm` that arrived, or are delivered, as a file of this name.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn documents_filed(&self, firm: FirmId, name: &str) -> Result<Found, Error> {
        let arrived = escaped(&name.to_ascii_lowercase());
        let rows = query(FILED)
            .bind(firm.0)
            .bind(fold(name))
            .bind(format!("%/{arrived}"))
            .bind(format!("%:{arrived}"))
            .bind(asked_max())
            .fetch_all(&self.readers)
            .await?;
        newest(&rows)
    }

    /// Returns the document of which `delivery` is a delivery, if `firm` has such a one.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn document_of(
        &self,
        firm: FirmId,
        delivery: DeliveryId,
    ) -> Result<Option<DocumentId>, Error> {
        let row = query("select document_id from delivery where firm_id = $1 and id = $2")
            .bind(firm.0)
            .bind(delivery.0)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Ok(DocumentId(row.int("document_id")?)))
            .transpose()
    }

    /// Returns a document of `firm` as listings show it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn document_row(
        &self,
        firm: FirmId,
        id: DocumentId,
    ) -> Result<Option<DocumentRow>, Error> {
        let row = query(DOCUMENT)
            .bind(firm.0)
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(document_row).transpose()
    }

    /// Returns the deliveries of a document of `firm` as listings show them, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn delivery_rows_of(
        &self,
        firm: FirmId,
        document: DocumentId,
    ) -> Result<Vec<DeliveryRow>, Error> {
        let rows = query(DELIVERIES)
            .bind(firm.0)
            .bind(document.0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(delivery_row).collect()
    }

    /// Returns a connection of a device of `firm`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn session(&self, firm: FirmId, id: SessionId) -> Result<Option<SessionRow>, Error> {
        let row = query("select * from session where firm_id = $1 and id = $2")
            .bind(firm.0)
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?;
        let row = row.map(|row| {
            Ok(SessionRow {
                id,
                address: row.text("address")?,
                software: row.text("software")?,
                credential: row.text("credential")?,
                started_at: row.at("started_at")?,
                ended_at: row.at_or("ended_at")?,
            })
        });
        row.transpose()
    }

    /// Returns the names of all devices of `firm`, those out of use too.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn device_names(&self, firm: FirmId) -> Result<Vec<(DeviceId, String)>, Error> {
        let rows = query("select id, name from device where firm_id = $1 order by id")
            .bind(firm.0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((DeviceId(row.int("id")?), row.text("name")?)))
            .collect()
    }

    /// Returns the deliveries, of all firms, whose digest their document does not name.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn stray_deliveries(&self) -> Result<Vec<(DeliveryId, String)>, Error> {
        let rows = query(
            "select v.id, v.digest from delivery v left join document d on d.id = v.document_id
             where d.id is null or (v.digest <> d.digest and v.digest <> d.content_digest) order by v.id",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((DeliveryId(row.int("id")?), row.text("digest")?)))
            .collect()
    }
}

/// One more than are returned, so that it shows when there are more.
fn asked_max() -> i64 {
    let most = i64::try_from(FOUND_MAX).unwrap_or(i64::MAX);
    most.saturating_add(1)
}

/// Reads what was found, newest first.
fn newest(rows: &[AnyRow]) -> Result<Found, Error> {
    let shown = rows.iter().take(FOUND_MAX).rev();
    let ids = shown.map(|row| Ok(DocumentId(row.int("id")?)));
    Ok(Found {
        ids: ids.collect::<Result<_, Error>>()?,
        has_older: rows.len() > FOUND_MAX,
    })
}

/// Escapes what `like` reads as a wildcard.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_")
}
