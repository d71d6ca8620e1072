//! How far has a document come with whoever made it, and what is looked at again because of that?

use sqlx::{AssertSqlSafe, query};

use super::deliveries::delivery;
use super::rows::Columns as _;
use super::{Catalog, Delivery, Error, Tx};
use crate::model::{
    DeliveryId, DeviceId, DocumentId, FirmId, HeldReason, LinkId, Status, Timestamp,
};

/// A delivery that is to be looked at again.
#[derive(Debug)]
pub struct Due {
    /// Which.
    pub id: DeliveryId,
    /// Since when.
    pub at: Timestamp,
    /// The delivery, if its row can be understood.
    pub delivery: Result<Delivery, Error>,
}

impl Tx {
    /// Notes that a document has come to `status`; says whether that is news. It never goes back.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn advance(
        &mut self,
        firm: FirmId,
        document: DocumentId,
        status: Status,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let done = query(
            "update document set status = $3, ready_at = case when status = 'draft' then $4 else ready_at end
             where firm_id = $1 and id = $2
               and ((status = 'draft' and $3 <> 'draft') or (status = 'sent' and $3 = 'paid'))",
        )
        .bind(firm.0)
        .bind(document.0)
        .bind(status.as_str())
        .bind(now.0)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that somebody approved a document; says whether that is news.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn approve(
        &mut self,
        firm: FirmId,
        document: DocumentId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let done = query(
            // What waits for no approval keeps its hour.
            "update document set approved_at = $3, ready_at = case when exists
                    (select 1 from delivery where document_id = $2 and firm_id = $1 and current = 1
                        and state = 'held' and reason = 'approval') then $3 else ready_at end
             where firm_id = $1 and id = $2 and approved_at is null",
        )
        .bind(firm.0)
        .bind(document.0)
        .bind(now.0)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Has those deliveries of a document looked at again that waited for what is news of it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn look_at(
        &mut self,
        firm: FirmId,
        document: DocumentId,
        now: Timestamp,
    ) -> Result<(), Error> {
        query(
            "update delivery set due_at = $3 where firm_id = $1 and document_id = $2
                and state = 'held' and current = 1 and reason in ('draft', 'approval')",
        )
        .bind(firm.0)
        .bind(document.0)
        .bind(now.0)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Notes that a person gave the document of a delivery to other books.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn mark_moved(&mut self, delivery: &Delivery, now: Timestamp) -> Result<(), Error> {
        query("update delivery set moved_at = $3 where firm_id = $1 and id = $2")
            .bind(delivery.firm.0)
            .bind(delivery.id.0)
            .bind(now.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Notes why a held delivery still waits, and until when; says whether it was held still.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn wait(
        &mut self,
        delivery: &Delivery,
        reason: HeldReason,
        due: Option<Timestamp>,
        note: Option<&str>,
    ) -> Result<bool, Error> {
        let done = query(
            "update delivery set reason = $3, due_at = $4, note = $5
             where firm_id = $1 and id = $2 and state = 'held' and current = 1",
        )
        .bind(delivery.firm.0)
        .bind(delivery.id.0)
        .bind(reason.as_str())
        .bind(due.map(|due| due.0))
        .bind(note)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

impl Catalog {
    /// Returns the deliveries of every firm but `except` that are to be looked at again by `now`, at most
    /// `limit`, the longest due first, and after this one. One that cannot be understood keeps no other back.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn due(
        &self,
        now: Timestamp,
        after: (Timestamp, DeliveryId),
        except: &[FirmId],
        limit: i64,
    ) -> Result<Vec<Due>, Error> {
        let except: Vec<_> = except.iter().map(|firm| firm.0.to_string()).collect();
        let except = except.join(",");
        let text = format!(
            "select * from delivery where due_at is not null and due_at <= $1 and state = 'held' and current = 1
                and (due_at > $2 or (due_at = $2 and id > $3)) and firm_id not in ({except}) order by due_at, id limit $4"
        );
        let rows = query(AssertSqlSafe(text))
            .bind(now.0)
            .bind(after.0.0)
            .bind(after.1.0)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        let due = |row: &sqlx::any::AnyRow| -> Result<Due, Error> {
            Ok(Due {
                id: DeliveryId(row.int("id")?),
                at: row.at("due_at")?,
                delivery: delivery(row),
            })
        };
        rows.iter().map(due).collect()
    }

    /// Returns what a link offers to another device than this one, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn offered_elsewhere(
        &self,
        firm: FirmId,
        link: LinkId,
        device: Option<DeviceId>,
    ) -> Result<Vec<DeliveryId>, Error> {
        let rows = query(
            "select id from delivery where link_id = $2 and firm_id = $1 and current = 1 and state = 'offered'
                and device_id <> $3 order by id",
        )
        .bind(firm.0)
        .bind(link.0)
        .bind(device.map(|id| id.0))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok(DeliveryId(row.int("id")?)))
            .collect()
    }
}
