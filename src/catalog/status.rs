//! How much waits at a firm, since when, and for what?

use sqlx::query;

use super::rows::Columns as _;
use super::{Catalog, Error};
use crate::model::{DeviceId, FirmId, HeldReason, Timestamp};

/// What waits for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCount {
    /// Why.
    pub reason: HeldReason,
    /// How many deliveries.
    pub count: u64,
    /// Since when the oldest waits.
    pub oldest: Timestamp,
    /// When the next leaves by itself, where one does.
    pub next_due: Option<Timestamp>,
}

/// What one device has not collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedCount {
    /// Which.
    pub device: DeviceId,
    /// How many deliveries.
    pub count: u64,
    /// Since when the oldest is offered.
    pub oldest: Timestamp,
}

impl Catalog {
    /// Returns what is held at `firm`, by reason.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn held_counts(&self, firm: FirmId) -> Result<Vec<HeldCount>, Error> {
        let rows = query(
            "select reason, count(*) as n, min(created_at) as oldest, min(due_at) as due from delivery
             where firm_id = $1 and state = 'held' and current = 1 and reason is not null group by reason order by reason",
        )
        .bind(firm.0)
        .fetch_all(&self.readers)
        .await?;
        let count = |row: &sqlx::any::AnyRow| -> Result<_, Error> {
            Ok(HeldCount {
                reason: row.word("reason")?,
                count: row.size("n")?,
                oldest: row.at("oldest")?,
                next_due: row.at_or("due")?,
            })
        };
        rows.iter().map(count).collect()
    }

    /// Returns what is offered at `firm` and not collected, by device.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn offered_counts(&self, firm: FirmId) -> Result<Vec<OfferedCount>, Error> {
        let rows = query(
            "select device_id, count(*) as n, min(offered_at) as oldest from delivery
             where firm_id = $1 and state = 'offered' and current = 1 and device_id is not null
             group by device_id order by device_id",
        )
        .bind(firm.0)
        .fetch_all(&self.readers)
        .await?;
        let count = |row: &sqlx::any::AnyRow| -> Result<_, Error> {
            Ok(OfferedCount {
                device: DeviceId(row.int("device_id")?),
                count: row.size("n")?,
                oldest: row.at("oldest")?,
            })
        };
        rows.iter().map(count).collect()
    }

    /// Returns how many documents of `firm` are in quarantine.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn quarantined_count(&self, firm: FirmId) -> Result<u64, Error> {
        let row = query(
            "select count(*) as n from document where firm_id = $1 and quarantined is not null",
        )
        .bind(firm.0)
        .fetch_one(&self.readers)
        .await?;
        row.size("n")
    }
}
