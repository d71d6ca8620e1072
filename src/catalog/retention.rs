//! For how long does a firm keep things?

use sqlx::any::AnyRow;
use sqlx::query;

use super::events::Event;
use super::firms::change;
use super::rows::Columns as _;
use super::{Catalog, Durability, Error};
use crate::model::{EventKind, FirmId, Retention, Timestamp};

impl Catalog {
    /// Changes for how long a firm keeps things.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn set_retention(
        &self,
        firm: FirmId,
        keeps: &Retention,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        query("update firm set keep_in_view = $2, keep_documents = $3, keep_events = $4 where id = $1")
            .bind(firm.0)
            .bind(keeps.in_view().to_string())
            .bind(keeps.documents().to_string())
            .bind(keeps.events().to_string())
            .execute(&mut *tx.inner)
            .await?;
        let event = Event::new(EventKind::FirmChanged, format!("keep {keeps}"));
        change(&mut tx, firm, now, event).await?;
        tx.commit().await
    }
}

pub(super) fn retention(row: &AnyRow) -> Result<Retention, Error> {
    let keeps = Retention::new(
        row.word("keep_in_view")?,
        row.word("keep_documents")?,
        row.word("keep_events")?,
    );
    keeps.map_err(|unfit| Error::Stored {
        what: "three times that fit each other",
        value: unfit.to_string(),
    })
}
