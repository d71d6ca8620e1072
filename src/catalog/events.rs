//! What has happened, in order?
//!
//! Events are added; only `forgetting` blanks one, and they go with a firm that never had anything. Each carries the
//! hash of the one before it, so a changed or missing one shows. They are written in the transaction of the change
//! that they tell.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, query};

use super::rows::Columns as _;
use super::writer::Turn;
use super::{Catalog, Error, Tx};
use crate::evidence::chain::{self, Fields};
pub use crate::evidence::{Event, EventRow};
use crate::model::{DeliveryId, DeviceId, DocumentId, EventSeq, FirmId, SessionId, Timestamp};

/// The last event of a firm: its place, and its hash, which the next one continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: String,
}

impl Head {
    /// Reads it from a row of the firm.
    pub(super) fn of(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self {
            seq: row.int("event_seq")?,
            hash: row.text("event_hash")?,
        })
    }

    /// The head after one more event.
    pub(super) fn next(&self, firm: FirmId, now: Timestamp, event: &Event) -> Self {
        let seq = self.seq + 1;
        Self {
            seq,
            hash: chain::hash(&self.hash, firm, &Fields::of_event(seq, now, event)),
        }
    }
}

/// Returns the last event of a firm.
pub(super) async fn last(turn: &mut Turn, firm: FirmId) -> Result<Head, Error> {
    if let Some(head) = turn.head(firm) {
        return Ok(head.clone());
    }
    let row = query("select event_seq, event_hash from firm where id = $1")
        .bind(firm.0)
        .fetch_one(&mut **turn)
        .await?;
    Head::of(&row)
}

/// Something that is to be told with the commit.
pub(super) struct Told {
    firm: FirmId,
    at: Timestamp,
    event: Event,
}

impl Told {
    /// Where it happened.
    pub(super) fn firm(&self) -> FirmId {
        self.firm
    }
}

impl Tx {
    /// Tells what happened at `firm`, with the commit of this change, which is at no other firm.
    pub fn tell(&mut self, firm: FirmId, at: Timestamp, told: impl IntoIterator<Item = Event>) {
        let told = told.into_iter();
        self.told.extend(told.map(|event| Told { firm, at, event }));
    }
}

/// How many events one statement adds.
const ADDED_MAX: usize = 64;

/// Adds what was told to the order, and commits: in one exchange with the database, unless much was told.
pub(super) async fn add_and_commit(tx: &mut Tx) -> Result<(), Error> {
    let told = std::mem::take(&mut tx.told);
    let mut head: Option<(FirmId, Head)> = None;
    let (mut rows, mut left) = (Vec::new(), told.len());
    for Told { firm, at, event } in told {
        let last = match head.take().filter(|(of, _)| *of == firm) {
            Some((_, head)) => head,
            None => last(&mut tx.inner, firm).await?,
        };
        let next = last.next(firm, at, &event);
        rows.push((firm, at, event, next.clone()));
        head = Some((firm, next));
        left -= 1;
        if rows.len() == ADDED_MAX && left > 0 {
            add(&mut tx.inner, std::mem::take(&mut rows), "").await?;
        }
    }
    add(&mut tx.inner, rows, "commit").await?;
    tx.inner.set_head(head);
    Ok(())
}

/// The firm's last event moves with each, by a trigger.
async fn add(
    turn: &mut Turn,
    rows: Vec<(FirmId, Timestamp, Event, Head)>,
    then: &str,
) -> Result<(), Error> {
    // What this connection wrote last is known again when all is written.
    turn.set_head(None);
    let mut query = query(AssertSqlSafe(added(rows.len()) + then));
    for (firm, at, event, head) in rows {
        query = query
            .bind(firm.0)
            .bind(head.seq)
            .bind(at.0)
            .bind(event.kind.as_str())
            .bind(event.document.map(|id| id.0))
            .bind(event.delivery.map(|id| id.0))
            .bind(event.device.map(|id| id.0))
            .bind(event.session.map(|id| id.0))
            .bind(event.detail)
            .bind(head.hash);
    }
    query.execute(&mut **turn).await?;
    Ok(())
}

/// A statement that adds so many events.
fn added(count: usize) -> String {
    const COLUMNS: usize = 10;
    let row = |at: usize| {
        let values: Vec<_> = (1..=COLUMNS)
            .map(|column| format!("${}", at * COLUMNS + column))
            .collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<_> = (0..count).map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "insert into event (firm_id, seq, at, kind, document_id, delivery_id, device_id, session_id, detail, hash) values {}; ",
        rows.join(", ")
    )
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

pub(super) fn event_row(row: &AnyRow) -> Result<EventRow, Error> {
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
