//! Has what decides where a firm's documents go changed?
//!
//! A firm's version moves with more than that: with each key, and each folder that is opened.

use sqlx::{AssertSqlSafe, query};

use super::rows::Columns as _;
use super::{Catalog, Error};
use crate::model::{EventKind, EventSeq, FirmId};

/// What a change is told as after which something may go that waits.
const CHANGES: [EventKind; 10] = [
    EventKind::FirmChanged,
    EventKind::DossierAdded,
    EventKind::DossierChanged,
    EventKind::DossierRemoved,
    EventKind::LinkAdded,
    EventKind::LinkChanged,
    EventKind::LinkRemoved,
    EventKind::DeviceAdded,
    EventKind::DeviceRemoved,
    EventKind::DefaultChanged,
];

/// Whether a firm's setup has changed, and up to where its events were looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetupSince {
    /// Its last event.
    pub last: EventSeq,
    /// Whether an event after the one that was named tells of a change.
    pub has_changed: bool,
}

impl Catalog {
    /// Says whether the setup of `firm` has changed since its event `seen`, and which event is its last now. Only the
    /// events since are looked at.
    ///
    /// # Errors
    ///
    /// When there is no such firm, or the database does not answer.
    pub async fn setup_since(&self, firm: FirmId, seen: EventSeq) -> Result<SetupSince, Error> {
        let kinds = CHANGES
            .map(|kind| format!("'{}'", kind.as_str()))
            .join(", ");
        let text = format!(
            "select event_seq, (select count(*) from event where firm_id = $1 and seq > $2 and kind in ({kinds})) as changes
             from firm where id = $1"
        );
        let row = query(AssertSqlSafe(text))
            .bind(firm.0)
            .bind(seen.0)
            .fetch_optional(&self.readers)
            .await?;
        let row = row.ok_or_else(|| Error::Missing {
            what: format!("firm {firm}"),
        })?;
        Ok(SetupSince {
            last: EventSeq(row.int("event_seq")?),
            has_changed: row.int("changes")? > 0,
        })
    }
}
