//! Which documents may be old enough to go, and how do they go?
//!
//! What is found by looking alone is found again by whoever has the turn to write, and judged there.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, query};

use super::documents::reading;
use super::events::Event;
use super::legal_holds::{LEGAL_HOLDS, hold};
use super::retention::retention;
use super::rows::{Columns as _, stored_size};
use super::{Catalog, Error, Tx};
use crate::model::{
    DeliveryId, Digest, DocumentId, DossierId, EventKind, FirmId, State, Timestamp,
};
use crate::retention::{Facts, Grounds, Standing};

/// A document that may be old enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// By what it is judged.
    pub facts: Facts,
    /// When it arrived first: by this and its id they are gone through.
    pub received_at: Timestamp,
    /// Its original bytes.
    pub digest: Digest,
    /// Their number.
    pub bytes: u64,
    content: (Digest, u64),
    deliveries: Vec<DeliveryId>,
}

/// A document that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Which it was.
    pub document: DocumentId,
    /// Its original bytes.
    pub digest: Digest,
    /// Its number (BT-1).
    pub number: Option<String>,
    /// When something last happened to it.
    pub touched_at: Timestamp,
    /// When it was removed.
    pub expired_at: Timestamp,
}

const COLUMNS: &str = "select id, digest, bytes, content_digest, content_bytes, received_at, again_at, quarantined from document";

impl Catalog {
    /// Returns by what the documents of `firm` are judged.
    ///
    /// # Errors
    ///
    /// When the firm is gone, or the database does not answer.
    pub async fn grounds(&self, firm: FirmId) -> Result<Grounds, Error> {
        grounds(&mut *self.readers.acquire().await?, firm).await
    }

    /// Returns documents of `firm` that arrived by `by`, oldest first, after this one, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn candidates(
        &self,
        firm: FirmId,
        by: Timestamp,
        after: (Timestamp, DocumentId),
        limit: i64,
    ) -> Result<Vec<Candidate>, Error> {
        let mut reader = self.readers.acquire().await?;
        let text = format!(
            "{COLUMNS} where firm_id = $1 and received_at >= $3 and received_at <= $2
                and (received_at > $3 or id > $4) order by received_at, id limit $5"
        );
        let rows = query(AssertSqlSafe(text))
            .bind(firm.0)
            .bind(by.0)
            .bind(after.0.0)
            .bind(after.1.0)
            .bind(limit)
            .fetch_all(&mut *reader)
            .await?;
        with_deliveries(&mut reader, firm, &rows).await
    }

    /// Returns the documents of `firm` that are gone and were called so: by number, digest or its beginning,
    /// delivery (`d12`, `delivery:12`) or id (`12`, `document:12`).
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn expired(&self, firm: FirmId, what: &str) -> Result<Vec<Expired>, Error> {
        let what = what.trim();
        let id = |text: &str| text.parse::<i64>().unwrap_or(-1);
        let is_digest = what.len() >= 6 && what.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digest = if is_digest { what } else { "-" };
        let mut prefixes = ["delivery:", "d"].into_iter();
        let delivery = prefixes.find_map(|word| what.strip_prefix(word));
        let rows = query(
            "select * from expired where firm_id = $1 and (lower(number) = $2 or document_id = $3
                or digest like $4 or content_digest like $4 or deliveries like $5) order by document_id limit 10",
        )
        .bind(firm.0)
        .bind(what.to_lowercase())
        .bind(id(what.strip_prefix("document:").unwrap_or(what)))
        .bind(format!("{}%", digest.to_ascii_lowercase()))
        .bind(format!("%,{},%", id(delivery.unwrap_or("-"))))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(expired).collect()
    }
}

impl Tx {
    /// Returns by what the documents of `firm` are judged, at this turn.
    ///
    /// # Errors
    ///
    /// When the firm is gone, or the database does not answer.
    pub async fn grounds(&mut self, firm: FirmId) -> Result<Grounds, Error> {
        grounds(&mut self.inner, firm).await
    }

    /// Returns these documents of `firm` as they stand at this turn.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn candidates(
        &mut self,
        firm: FirmId,
        ids: &[DocumentId],
    ) -> Result<Vec<Candidate>, Error> {
        // The sign keeps SQLite from going through all documents of the firm.
        let listed = listed(ids.iter().map(|id| id.0));
        let text =
            format!("{COLUMNS} where +firm_id = $1 and id in ({listed}) order by received_at, id");
        let rows = query(AssertSqlSafe(text))
            .bind(firm.0)
            .fetch_all(&mut *self.inner)
            .await?;
        with_deliveries(&mut self.inner, firm, &rows).await
    }

    /// Removes a document with its deliveries, has its blobs removed when nothing names them, and tells it.
    /// It was judged at this turn.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn expire(
        &mut self,
        firm: FirmId,
        gone: &Candidate,
        touched: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let document = gone.facts.document;
        self.doom(&[(gone.digest, gone.bytes), gone.content])
            .await?;
        let row = query("select reading from document where firm_id = $1 and id = $2")
            .bind(firm.0)
            .bind(document.0)
            .fetch_one(&mut *self.inner)
            .await?;
        // One that cannot be understood goes all the same.
        let read = reading(&row).ok();
        let kind = read.as_ref().map(|read| read.kind.as_str());
        let number = read.and_then(|read| read.number);
        let deliveries = listed(gone.deliveries.iter().map(|id| id.0));
        query(
            "insert into expired (firm_id, document_id, digest, content_digest, bytes, number, deliveries, touched_at, expired_at,
                 kind)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(firm.0)
        .bind(document.0)
        .bind(gone.digest.to_string())
        .bind(gone.content.0.to_string())
        .bind(stored_size(gone.bytes))
        .bind(number)
        .bind(format!(",{deliveries},"))
        .bind(touched.0)
        .bind(now.0)
        .bind(kind)
        .execute(&mut *self.inner)
        .await?;
        self.clear_alarms_of(firm, document, now).await?;
        for statement in [
            // Whoever is told late of what happened to them is told the same.
            "insert into expired_delivery (id, firm_id, document_id, generation, dossier_id, folder, name)
             select id, firm_id, document_id, generation, dossier_id, folder, name from delivery
             where +firm_id = $1 and document_id = $2",
            "delete from delivery where +firm_id = $1 and document_id = $2",
            "delete from document where firm_id = $1 and id = $2",
        ] {
            query(statement)
                .bind(firm.0)
                .bind(document.0)
                .execute(&mut *self.inner)
                .await?;
        }
        let detail = format!(
            "{} ({} bytes), untouched since {touched}",
            gone.digest, gone.bytes
        );
        let event = Event {
            document: Some(document),
            ..Event::new(EventKind::Expired, detail)
        };
        self.tell(firm, now, [event]);
        Ok(())
    }
}

pub(super) async fn grounds(
    connection: &mut AnyConnection,
    firm: FirmId,
) -> Result<Grounds, Error> {
    let row = query("select keep_in_view, keep_documents, keep_events from firm where id = $1")
        .bind(firm.0)
        .fetch_optional(&mut *connection)
        .await?;
    let row = row.ok_or_else(|| Error::Missing {
        what: format!("firm {firm}"),
    })?;
    let keeps = retention(&row)?;
    let holds = query(LEGAL_HOLDS)
        .bind(firm.0)
        .fetch_all(&mut *connection)
        .await?;
    let session = query(
        "select min(started_at) as since from session where firm_id = $1 and ended_at is null",
    )
    .bind(firm.0)
    .fetch_one(&mut *connection)
    .await?;
    Ok(Grounds {
        keeps,
        holds: holds.iter().map(hold).collect::<Result<_, _>>()?,
        oldest_session: session.at_or("since")?,
        lets_unread_go: false,
    })
}

/// Adds to documents how their deliveries stand.
async fn with_deliveries(
    connection: &mut AnyConnection,
    firm: FirmId,
    rows: &[AnyRow],
) -> Result<Vec<Candidate>, Error> {
    let mut found: Vec<_> = rows.iter().map(candidate).collect::<Result<_, _>>()?;
    let ids = listed(found.iter().map(|one: &Candidate| one.facts.document.0));
    // The sign keeps SQLite from going through all deliveries of the firm.
    let text = format!(
        "select * from delivery where +firm_id = $1 and document_id in ({ids}) order by document_id, id"
    );
    let rows = query(AssertSqlSafe(text))
        .bind(firm.0)
        .fetch_all(&mut *connection)
        .await?;
    for row in &rows {
        let document = DocumentId(row.int("document_id")?);
        let of_it = |one: &&mut Candidate| one.facts.document == document;
        if let Some(one) = found.iter_mut().find(of_it) {
            one.deliveries.push(DeliveryId(row.int("id")?));
            one.facts.deliveries.push(standing(row)?);
        }
    }
    Ok(found)
}

fn candidate(row: &AnyRow) -> Result<Candidate, Error> {
    let received_at = row.at("received_at")?;
    Ok(Candidate {
        facts: Facts {
            document: DocumentId(row.int("id")?),
            arrived: row
                .at_or("again_at")?
                .map_or(received_at, |again| again.max(received_at)),
            is_unread: row.text_or("quarantined")?.is_some(),
            deliveries: Vec::new(),
        },
        received_at,
        digest: row.word("digest")?,
        bytes: row.size("bytes")?,
        content: (row.word("content_digest")?, row.size("content_bytes")?),
        deliveries: Vec::new(),
    })
}

fn standing(row: &AnyRow) -> Result<Standing, Error> {
    let mut touched = row.at("created_at")?;
    for column in [
        "offered_at",
        "read_at",
        "collected_at",
        "processed_at",
        "withdrawn_at",
        "moved_at",
    ] {
        touched = row.at_or(column)?.map_or(touched, |at| touched.max(at));
    }
    let state: State = row.word("state")?;
    Ok(Standing {
        dossier: row.int_or("dossier_id")?.map(DossierId),
        is_current: row.int("current")? == 1,
        state,
        done: row.at_or("collected_at")?.max(row.at_or("processed_at")?),
        touched,
    })
}

fn expired(row: &AnyRow) -> Result<Expired, Error> {
    Ok(Expired {
        document: DocumentId(row.int("document_id")?),
        digest: row.word("digest")?,
        number: row.text_or("number")?,
        touched_at: row.at("touched_at")?,
        expired_at: row.at("expired_at")?,
    })
}

/// Numbers of our own, as a list.
pub(super) fn listed(ids: impl Iterator<Item = i64>) -> String {
    let ids: Vec<_> = ids.map(|id| id.to_string()).collect();
    ids.join(",")
}
