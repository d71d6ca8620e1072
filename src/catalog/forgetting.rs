//! How is it forgotten what happened to documents that are gone?
//!
//! An event keeps its place, its time and its hash, so that the order stays provable; the rest of it goes.

use sqlx::{AssertSqlSafe, query};

use super::events::Event;
use super::expiring::listed;
use super::rows::Columns as _;
use super::{Catalog, Error, Tx};
use crate::evidence::forgotten::Forgotten;
use crate::model::{DocumentId, EventKind, FirmId, Timestamp, WebhookId};

impl Catalog {
    /// Returns documents of `firm` that are gone and were last touched by `by`, by id, after this one.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn forgettable(
        &self,
        firm: FirmId,
        by: Timestamp,
        after: DocumentId,
        limit: i64,
    ) -> Result<Vec<(DocumentId, Timestamp)>, Error> {
        let rows = query(
            "select document_id, touched_at from expired where firm_id = $1 and touched_at <= $2 and document_id > $3
             order by document_id limit $4",
        )
        .bind(firm.0)
        .bind(by.0)
        .bind(after.0)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((DocumentId(row.int("document_id")?), row.at("touched_at")?)))
            .collect()
    }
}

impl Tx {
    /// Forgets what happened to a document that is gone, and tells that; returns how many events. All of one
    /// document are forgotten together, so that the rest can be played again.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn forget(
        &mut self,
        firm: FirmId,
        document: DocumentId,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let done = query("delete from expired where firm_id = $1 and document_id = $2")
            .bind(firm.0)
            .bind(document.0)
            .execute(&mut *self.inner)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(0);
        }
        query("delete from expired_delivery where firm_id = $1 and document_id = $2")
            .bind(firm.0)
            .bind(document.0)
            .execute(&mut *self.inner)
            .await?;
        let rows = query(
            "select seq, hash from event where +firm_id = $1 and document_id = $2 and kind <> 'expired' order by seq",
        )
        .bind(firm.0)
        .bind(document.0)
        .fetch_all(&mut *self.inner)
        .await?;
        let events = rows
            .iter()
            .map(|row| Ok((row.int("seq")?, row.text("hash")?)));
        let events: Vec<_> = events.collect::<Result<_, Error>>()?;
        self.tear_letters(firm, document, events.iter().map(|(seq, _)| *seq))
            .await?;
        query(
            "update event set kind = 'blank', detail = '', document_id = null, delivery_id = null,
                    device_id = null, session_id = null
             where +firm_id = $1 and document_id = $2 and kind <> 'expired'",
        )
        .bind(firm.0)
        .bind(document.0)
        .execute(&mut *self.inner)
        .await?;
        let forgotten = Forgotten::of(&events);
        let event = Event {
            document: Some(document),
            ..Event::new(EventKind::Forgotten, forgotten.to_string())
        };
        self.tell(firm, now, [event]);
        Ok(events.len() as u64)
    }

    /// Nobody is told any more what is forgotten.
    async fn tear_letters(
        &mut self,
        firm: FirmId,
        document: DocumentId,
        events: impl Iterator<Item = i64>,
    ) -> Result<(), Error> {
        let listed = listed(events);
        let text = format!(
            "delete from letter where seq in ({listed}) and webhook_id in (select id from webhook where firm_id = $1)
             returning webhook_id"
        );
        let rows = query(AssertSqlSafe(text))
            .bind(firm.0)
            .fetch_all(&mut *self.inner)
            .await?;
        for row in &rows {
            // What is left of its lane is about its end, and is told next.
            self.order_lane(WebhookId(row.int("webhook_id")?), document.0)
                .await?;
        }
        Ok(())
    }
}
