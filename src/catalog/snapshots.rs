//! What stood in the catalog at one moment, while it goes on changing?
//!
//! What is compared with each other must be of one moment. A snapshot takes no turn to write, so nobody
//! waits for it; the database's log is not folded into the file as long as it lasts.

use std::path::Path;

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction, query};

use super::deliveries::delivery;
use super::events::Head;
use super::rows::Columns as _;
use super::{Catalog, Error, open, soundness};
use crate::evidence::Written;
use crate::evidence::replay::{Place, Standing};
use crate::model::{DeliveryId, EventSeq, FirmId};

/// The catalog as it was when the first question was put.
pub struct Snapshot {
    pub(super) inner: Transaction<'static, Any>,
}

impl Catalog {
    /// Begins to look at the catalog as it is now.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        // On SQLite whoever has begun sees one moment; PostgreSQL wants `repeatable read` for that.
        let inner = self.readers.begin().await?;
        Ok(Snapshot { inner })
    }
}

impl Snapshot {
    /// Begins to look at a copy, which nobody changes.
    ///
    /// # Errors
    ///
    /// When it cannot be opened or does not answer.
    pub async fn of_copy(copy: &Path) -> Result<Self, Error> {
        let inner = open::pool_of_copy(copy).await?.begin().await?;
        Ok(Self { inner })
    }

    /// Looks through the whole file, and returns what is wrong in it: nothing, where it is sound.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn faults(&mut self) -> Result<Vec<String>, Error> {
        soundness::look_through(&mut self.inner).await
    }

    /// Returns every firm, with the word that it is called by.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn firms(&mut self) -> Result<Vec<(FirmId, String)>, Error> {
        let rows = query("select id, slug from firm order by id")
            .fetch_all(&mut *self.inner)
            .await?;
        let firm = |row: &AnyRow| Ok((FirmId(row.int("id")?), row.text("slug")?));
        rows.iter().map(firm).collect()
    }

    /// Returns the last event of `firm` and its hash, as the firm's own row has them.
    ///
    /// # Errors
    ///
    /// When the firm is gone, or the database does not answer.
    pub async fn last_event(&mut self, firm: FirmId) -> Result<(EventSeq, String), Error> {
        let row = query("select event_seq, event_hash from firm where id = $1")
            .bind(firm.0)
            .fetch_optional(&mut *self.inner)
            .await?;
        let row = row.ok_or_else(|| Error::Missing {
            what: format!("firm {firm}"),
        })?;
        let head = Head::of(&row)?;
        Ok((EventSeq(head.seq), head.hash))
    }

    /// Returns the events of `firm` after `after` as they are written down, in order, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or holds what cannot be an event.
    pub async fn written(
        &mut self,
        firm: FirmId,
        after: EventSeq,
        limit: i64,
    ) -> Result<Vec<Written>, Error> {
        let rows =
            query("select * from event where firm_id = $1 and seq > $2 order by seq limit $3")
                .bind(firm.0)
                .bind(after.0)
                .bind(limit)
                .fetch_all(&mut *self.inner)
                .await?;
        rows.iter().map(written).collect()
    }

    /// Returns where the deliveries of `firm` after `after` stand, by id, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn standings(
        &mut self,
        firm: FirmId,
        after: DeliveryId,
        limit: i64,
    ) -> Result<Vec<(DeliveryId, Standing)>, Error> {
        let rows =
            query("select * from delivery where firm_id = $1 and id > $2 order by id limit $3")
                .bind(firm.0)
                .bind(after.0)
                .bind(limit)
                .fetch_all(&mut *self.inner)
                .await?;
        rows.iter().map(standing).collect()
    }
}

fn written(row: &AnyRow) -> Result<Written, Error> {
    Ok(Written {
        seq: EventSeq(row.int("seq")?),
        at: row.at("at")?,
        kind: row.text("kind")?,
        document: row.int_or("document_id")?,
        delivery: row.int_or("delivery_id")?,
        device: row.int_or("device_id")?,
        session: row.int_or("session_id")?,
        detail: row.text("detail")?,
        hash: row.text("hash")?,
    })
}

fn standing(row: &AnyRow) -> Result<(DeliveryId, Standing), Error> {
    let delivery = delivery(row)?;
    let shown = delivery.offer.as_ref();
    let path = shown.map(|offer| format!("{}/{}", offer.folder, offer.name));
    let standing = Standing {
        document: delivery.document,
        generation: delivery.generation,
        is_current: delivery.is_current,
        state: delivery.state,
        reason: delivery.reason,
        place: path.map(|path| Place::new(delivery.device, &path)),
        created: row.at("created_at")?,
        offered: row.at_or("offered_at")?,
        read: row.at_or("read_at")?,
        collected: row.at_or("collected_at")?,
        processed: row.at_or("processed_at")?,
        withdrawn: row.at_or("withdrawn_at")?,
        like: delivery.duplicate_of,
        revision_of: delivery.revision_of,
        replaced_by: delivery.replaced_by,
    };
    Ok((delivery.id, standing))
}

#[cfg(test)]
mod tests {
    use super::super::deliveries::tests::{offer, office};
    use super::*;

    #[tokio::test]
    async fn what_is_written_meanwhile_is_not_of_the_moment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        let (catalog, firm, device) = office(&file).await;
        offer(&catalog, firm, device, "1.xml").await;
        let mut snapshot = catalog.snapshot().await.unwrap();
        let before = snapshot.last_event(firm).await.unwrap();

        offer(&catalog, firm, device, "2.xml").await;
        let slug = "f2".parse().unwrap();
        let now = crate::model::Timestamp(1);
        let language = crate::model::Language::Nl;
        let late = catalog.add_firm(&slug, "F2", language, now).await.unwrap();

        let standings = snapshot.standings(firm, DeliveryId(0), 9).await.unwrap();
        assert_eq!(standings.len(), 1);
        assert_eq!(snapshot.last_event(firm).await.unwrap(), before);
        assert!(snapshot.last_event(late).await.is_err());
        let mut now = catalog.snapshot().await.unwrap();
        assert_eq!(
            now.standings(firm, DeliveryId(0), 9).await.unwrap().len(),
            2
        );
        let elsewhere = now.standings(late, DeliveryId(0), 9).await.unwrap();
        assert_eq!(elsewhere, []);
    }
}
