//! What do the listings of the command line show?

use sqlx::any::AnyRow;
use sqlx::query;

use super::deliveries::delivery;
use super::documents::reading;
use super::rows::Columns as _;
use super::{Catalog, Delivery, Error};
use crate::model::{DeliveryId, Digest, DocumentId, FirmId, Timestamp};
use crate::ubl::Reading;

/// A row of `sluis documents`.
#[derive(Debug, Clone)]
pub struct DocumentRow {
    /// Its row.
    pub id: DocumentId,
    /// The original bytes.
    pub digest: Digest,
    /// What devices get.
    pub content: Digest,
    /// Their number.
    pub bytes: u64,
    /// By which a second copy with other bytes is known.
    pub business_key: Option<String>,
    /// What was read.
    pub reading: Reading,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Through which door, and under which name.
    pub source: String,
    /// `kept`, `held` or `quarantined`.
    pub outcome: &'static str,
    /// Why it is held or quarantined.
    pub reason: Option<String>,
    /// The first document that it looks like, if it looks like one.
    pub duplicate_of: Option<DocumentId>,
}

/// A row of `sluis deliveries`.
#[derive(Debug, Clone)]
pub struct DeliveryRow {
    /// The delivery itself.
    pub delivery: Delivery,
    /// Its dossier's name.
    pub dossier_name: Option<String>,
    /// Its link's profile.
    pub profile: Option<String>,
    /// Its link's code.
    pub code: Option<String>,
    /// Its device's name.
    pub device_name: Option<String>,
    /// The number of its document (BT-1).
    pub number: Option<String>,
    /// The date of its document (BT-2), as written.
    pub issued: Option<String>,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it was offered.
    pub offered_at: Option<Timestamp>,
    /// When it was read whole.
    pub read_at: Option<Timestamp>,
    /// When it was collected.
    pub collected_at: Option<Timestamp>,
    /// When it was processed.
    pub processed_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
}

const DOCUMENTS: &str = "select d.*,
       (select count(*) from delivery v where v.document_id = d.id and v.current = 1 and v.state <> 'held') as sent,
       (select min(v.reason) from delivery v where v.document_id = d.id and v.current = 1 and v.state = 'held') as held,
       (select min(v.duplicate_of) from delivery v where v.document_id = d.id) as duplicate_of
     from document d where d.firm_id = $1 and d.id > $2 order by d.id limit $3";

const DELIVERIES: &str =
    "select v.*, s.name as dossier_name, l.profile, l.code, e.name as device_name, d.reading
     from delivery v join document d on d.id = v.document_id
     left join dossier s on s.id = v.dossier_id
     left join link l on l.id = v.link_id
     left join device e on e.id = v.device_id
     where v.firm_id = $1 and v.id > $2 order by v.id limit $3";

impl Catalog {
    /// Returns the documents of `firm` after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn document_rows(
        &self,
        firm: FirmId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<DocumentRow>, Error> {
        let rows = query(DOCUMENTS)
            .bind(firm.0)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(document_row).collect()
    }

    /// Returns the newest delivery of `firm`, or 0 where there is none.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn last_delivery(&self, firm: FirmId) -> Result<DeliveryId, Error> {
        let row = query("select coalesce(max(id), 0) as last from delivery where firm_id = $1")
            .bind(firm.0)
            .fetch_one(&self.readers)
            .await?;
        Ok(DeliveryId(row.int("last")?))
    }

    /// Returns the deliveries of `firm` after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn delivery_rows(
        &self,
        firm: FirmId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, Error> {
        let rows = query(DELIVERIES)
            .bind(firm.0)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(delivery_row).collect()
    }
}

pub(super) fn document_row(row: &AnyRow) -> Result<DocumentRow, Error> {
    let quarantined = row.text_or("quarantined")?;
    let held = row.text_or("held")?;
    let (outcome, reason) = match (quarantined, held, row.int("sent")?) {
        (Some(why), ..) => ("quarantined", Some(why)),
        (None, Some(why), 0) => ("held", Some(why)),
        _ => ("kept", None),
    };
    Ok(DocumentRow {
        id: DocumentId(row.int("id")?),
        digest: row.word("digest")?,
        content: row.word("content_digest")?,
        bytes: row.size("bytes")?,
        business_key: row.text_or("business_key")?,
        reading: reading(row)?,
        received_at: row.at("received_at")?,
        source: row.text("source")?,
        outcome,
        reason,
        duplicate_of: row.int_or("duplicate_of")?.map(DocumentId),
    })
}

pub(super) fn delivery_row(row: &AnyRow) -> Result<DeliveryRow, Error> {
    let reading = reading(row)?;
    Ok(DeliveryRow {
        delivery: delivery(row)?,
        dossier_name: row.text_or("dossier_name")?,
        profile: row.text_or("profile")?,
        code: row.text_or("code")?,
        device_name: row.text_or("device_name")?,
        number: reading.number,
        issued: reading.issued,
        created_at: row.at("created_at")?,
        offered_at: row.at_or("offered_at")?,
        read_at: row.at_or("read_at")?,
        collected_at: row.at_or("collected_at")?,
        processed_at: row.at_or("processed_at")?,
        withdrawn_at: row.at_or("withdrawn_at")?,
    })
}
