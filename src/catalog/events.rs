//! What has happened, in order?
//!
//! Events are only ever added. Each carries the hash of the one before it, so a changed or missing
//! one shows. They are written in the transaction of the change that they tell.

use sha2::{Digest as _, Sha256};
use sqlx::query;

use super::rows::Columns as _;
use super::writer::Turn;
use super::{Catalog, Error, Tx};
use crate::model::{
    DeliveryId, DeviceId, Digest, DocumentId, EventKind, EventSeq, FirmId, SessionId, Timestamp,
};

/// Something that happened, before it has a place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// To which document.
    pub document: Option<DocumentId>,
    /// To which delivery.
    pub delivery: Option<DeliveryId>,
    /// By or for which device.
    pub device: Option<DeviceId>,
    /// In which connection.
    pub session: Option<SessionId>,
    /// The rest, in words and values for a person.
    pub detail: String,
}

impl Event {
    /// Begins an event that names nothing yet.
    pub fn new(kind: EventKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            document: None,
            delivery: None,
            device: None,
            session: None,
            detail: detail.into(),
        }
    }
}

/// An event as it stands in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Its place, from 1.
    pub seq: EventSeq,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
    /// The hash that chains it to the one before.
    pub hash: String,
}

/// The last event of a firm: its place, and its hash, which the next one continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: String,
}

impl Head {
    /// The head after one more event.
    pub(super) fn next(&self, firm: FirmId, now: Timestamp, event: &Event) -> Self {
        let seq = self.seq + 1;
        Self {
            seq,
            hash: chain(&self.hash, firm, seq, now, event),
        }
    }
}

/// Reads the last event of a firm.
pub(super) async fn last(turn: &mut Turn, firm: FirmId) -> Result<Head, Error> {
    let row = query("select event_seq, event_hash from firm where id = $1")
        .bind(firm.0)
        .fetch_one(&mut **turn)
        .await?;
    Ok(Head {
        seq: row.int("event_seq")?,
        hash: row.text("event_hash")?,
    })
}

/// Adds `events` to the order of `firm`.
pub(super) async fn add(
    tx: &mut Tx,
    firm: FirmId,
    now: Timestamp,
    events: &[Event],
) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let mut head = match tx.inner.head(firm) {
        Some(head) => head.clone(),
        None => last(&mut tx.inner, firm).await?,
    };
    for event in events {
        head = head.next(firm, now, event);
        insert(tx, firm, now, event, &head).await?;
    }
    // A change that is undone forgets it again.
    tx.inner.set_head(Some((firm, head)));
    Ok(())
}

/// Both in one exchange with the database.
async fn insert(
    tx: &mut Tx,
    firm: FirmId,
    now: Timestamp,
    event: &Event,
    head: &Head,
) -> Result<(), Error> {
    query(
        "insert into event (firm_id, seq, at, kind, document_id, delivery_id, device_id, session_id, detail, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);
         update firm set event_seq = $2, event_hash = $10 where id = $1",
    )
    .bind(firm.0)
    .bind(head.seq)
    .bind(now.0)
    .bind(event.kind.as_str())
    .bind(event.document.map(|id| id.0))
    .bind(event.delivery.map(|id| id.0))
    .bind(event.device.map(|id| id.0))
    .bind(event.session.map(|id| id.0))
    .bind(event.detail.clone())
    .bind(head.hash.clone())
    .execute(&mut *tx.inner)
    .await?;
    Ok(())
}

/// The hash of an event covers the hash before it, and every field with its length, so that no two events write alike.
fn chain(before: &str, firm: FirmId, seq: i64, at: Timestamp, event: &Event) -> String {
    let id = |id: Option<i64>| id.map_or_else(String::new, |id| id.to_string());
    let fields = [
        before.to_owned(),
        firm.to_string(),
        seq.to_string(),
        at.0.to_string(),
        event.kind.as_str().to_owned(),
        id(event.document.map(|id| id.0)),
        id(event.delivery.map(|id| id.0)),
        id(event.device.map(|id| id.0)),
        id(event.session.map(|id| id.0)),
        event.detail.clone(),
    ];
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update(field.len().to_be_bytes());
        hasher.update(field);
    }
    Digest::from_hasher(hasher).to_string()
}

impl Catalog {
    /// Returns the events of `firm` after `after`, in order, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn events(
        &self,
        firm: FirmId,
        after: EventSeq,
        limit: i64,
    ) -> Result<Vec<EventRow>, Error> {
        let rows =
            query("select * from event where firm_id = $1 and seq > $2 order by seq limit $3")
                .bind(firm.0)
                .bind(after.0)
                .bind(limit)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(event_row).collect()
    }

    /// Returns the events of one document of `firm`, in order.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn events_of(
        &self,
        firm: FirmId,
        document: DocumentId,
    ) -> Result<Vec<EventRow>, Error> {
        let rows =
            query("select * from event where firm_id = $1 and document_id = $2 order by seq")
                .bind(firm.0)
                .bind(document.0)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(event_row).collect()
    }
}

fn event_row(row: &sqlx::any::AnyRow) -> Result<EventRow, Error> {
    Ok(EventRow {
        seq: EventSeq(row.int("seq")?),
        at: row.at("at")?,
        event: Event {
            kind: row.word("kind")?,
            document: row.int_or("document_id")?.map(DocumentId),
            delivery: row.int_or("delivery_id")?.map(DeliveryId),
            device: row.int_or("device_id")?.map(DeviceId),
            session: row.int_or("session_id")?.map(SessionId),
            detail: row.text("detail")?,
        },
        hash: row.text("hash")?,
    })
}
