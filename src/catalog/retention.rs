//! For how long does a firm keep things?

use sqlx::any::AnyRow;
use sqlx::query;

use super::events::Event;
use super::firms::change;
use super::rows::Columns as _;
use super::{Catalog, Durability, Error, Firm};
use crate::model::{EventKind, Retention, Timestamp};

impl Catalog {
    /// Changes for how long a firm keeps things. A time that is as it was read with the firm stays, also where somebody
    /// else has changed it since.
    ///
    /// # Errors
    ///
    /// When the times do not fit each other with what was changed since, or the database does not answer.
    pub async fn set_retention(
        &self,
        firm: &Firm,
        keeps: &Retention,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let was = &firm.keeps;
        let row = query(
            "update firm set keep_in_view = coalesce($2, keep_in_view), keep_documents = coalesce($3, keep_documents),
                    keep_events = coalesce($4, keep_events)
             where id = $1 returning keep_in_view, keep_documents, keep_events",
        )
        .bind(firm.id.0)
        .bind(changed(was.in_view(), keeps.in_view()))
        .bind(changed(was.documents(), keeps.documents()))
        .bind(changed(was.events(), keeps.events()))
        .fetch_one(&mut *tx.inner)
        .await?;
        let keeps = Retention::new(
            row.word("keep_in_view")?,
            row.word("keep_documents")?,
            row.word("keep_events")?,
        )
        .map_err(|unfit| Error::Refused(unfit.to_string()))?;
        let event = Event::new(EventKind::FirmChanged, format!("keep {keeps}"));
        change(&mut tx, firm.id, now, event).await?;
        tx.commit().await
    }
}

/// Returns what is to be written of a column; nothing, where it is as it was read.
pub(super) fn changed<T: PartialEq + ToString>(was: T, now: T) -> Option<String> {
    (was != now).then(|| now.to_string())
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
