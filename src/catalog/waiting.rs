//! What waits now, at all firms: for which device, for which webhook, and since when?
//!
//! Asked by whoever watches the server, every few seconds. Each question goes through what waits and no more.

use sqlx::query;

use super::rows::Columns as _;
use super::tree::placed;
use super::{Catalog, Error};
use crate::model::{DeviceId, FirmId, Name, Timestamp, WebhookId};

/// How many devices are asked about. One costs some tens of microseconds, and a line of what is shown.
pub const DEVICES_ASKED_MAX: usize = 2000;

/// How many webhooks are asked about.
pub const WEBHOOKS_ASKED_MAX: usize = 500;

/// What waits for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDevice {
    /// Its firm.
    pub firm: Name,
    /// Its name.
    pub device: Name,
    /// How many deliveries it has not collected.
    pub count: u64,
    /// Since when the oldest waits, if one does.
    pub oldest: Option<Timestamp>,
}

/// What one webhook was not told yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingWebhook {
    /// Its firm.
    pub firm: Name,
    /// Which.
    pub webhook: WebhookId,
    /// How many events it has not dealt with, of those that it wants and of others.
    pub count: u64,
    /// When the oldest of them happened.
    pub oldest: Option<Timestamp>,
    /// How many were given up.
    pub dead: u64,
}

pub(super) const WAITING: &str = placed!(
    "select count(*) as n, min(v.offered_at) as oldest from placed p cross join delivery v
     where v.firm_id = $1 and v.device_id = $2 and v.folder_key = p.folder_key and v.link_id = p.link_id
       and v.flow = p.flow and v.current = 1 and v.collected_at is null and v.state = 'offered'"
);

const DEVICES: &str =
    "select d.id, d.firm_id, d.name, f.slug from device d join firm f on f.id = d.firm_id
     where d.removed_at is null order by d.id limit $1";

const WEBHOOKS: &str = "select w.id, f.slug, f.event_seq - w.cursor_seq as fresh,
        (select count(*) from letter l where l.webhook_id = w.id and l.state <> 'dead') as letters,
        (select count(*) from letter l where l.webhook_id = w.id and l.state = 'dead') as dead,
        (select e.at from event e where e.firm_id = w.firm_id and e.seq = w.cursor_seq + 1) as next_at,
        (select e.at from event e where e.firm_id = w.firm_id and e.seq =
           (select min(l.seq) from letter l where l.webhook_id = w.id and l.state <> 'dead')) as letter_at
     from webhook w join firm f on f.id = w.firm_id
     where w.removed_at is null order by w.id limit $1";

impl Catalog {
    /// Returns what waits for each device in use, of the first [`DEVICES_ASKED_MAX`].
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn waiting_devices(&self) -> Result<Vec<WaitingDevice>, Error> {
        let limit = i64::try_from(DEVICES_ASKED_MAX).unwrap_or(i64::MAX);
        let devices = query(DEVICES).bind(limit).fetch_all(&self.readers).await?;
        let mut waiting = Vec::with_capacity(devices.len());
        for row in &devices {
            let (firm, device) = (FirmId(row.int("firm_id")?), DeviceId(row.int("id")?));
            let found = query(WAITING)
                .bind(firm.0)
                .bind(device.0)
                .fetch_one(&self.readers)
                .await?;
            waiting.push(WaitingDevice {
                firm: row.word("slug")?,
                device: row.word("name")?,
                count: found.size("n")?,
                oldest: found.at_or("oldest")?,
            });
        }
        Ok(waiting)
    }

    /// Returns what each webhook in use was not told, of the first [`WEBHOOKS_ASKED_MAX`].
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn waiting_webhooks(&self) -> Result<Vec<WaitingWebhook>, Error> {
        let limit = i64::try_from(WEBHOOKS_ASKED_MAX).unwrap_or(i64::MAX);
        let rows = query(WEBHOOKS).bind(limit).fetch_all(&self.readers).await?;
        let waiting = |row: &sqlx::any::AnyRow| -> Result<_, Error> {
            let (next, letter) = (row.at_or("next_at")?, row.at_or("letter_at")?);
            Ok(WaitingWebhook {
                firm: row.word("slug")?,
                webhook: WebhookId(row.int("id")?),
                // A new one begins after its own adding, which is told last.
                count: row.int("fresh")?.max(0).unsigned_abs() + row.size("letters")?,
                oldest: next.into_iter().chain(letter).min(),
                dead: row.size("dead")?,
            })
        };
        rows.iter().map(waiting).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Durability;
    use crate::catalog::deliveries::tests::{link, offer, office};
    use crate::catalog::tree::tests::plan;

    #[tokio::test]
    async fn what_is_asked_every_few_seconds_goes_through_no_more_than_what_waits() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, ..) = office(&folder.path().join("c.sqlite")).await;
        let waits = "(device_id=? AND folder_key=? AND link_id=? AND flow=? AND collected_at=?)";
        for (question, by) in [(WAITING, waits), (WEBHOOKS, "letter_event (webhook_id=?)")] {
            let plan = plan(&catalog, question).await;

            assert!(plan.contains(by), "{question}\n\n{plan}");
            for table in ["delivery", "v", "n", "e", "l", "event", "letter"] {
                let all = plan.lines().any(|step| step == format!("SCAN {table}"));
                assert!(!all, "{question}\n\n{plan}");
            }
        }
    }

    #[tokio::test]
    async fn what_waits_is_counted_since_the_oldest_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
        let waits = async || {
            let found = catalog.waiting_devices().await.unwrap();
            (found[0].count, found[0].oldest)
        };
        link(&catalog, firm, "A").await;
        assert_eq!(waits().await, (0, None));

        for number in ["old", "new", "fetched"] {
            offer(&catalog, firm, device, number).await;
        }
        let mut tx = catalog.begin(Durability::Kill).await.unwrap();
        for change in [
            "update delivery set offered_at = 3000 - 1000 * id",
            "update delivery set state = 'collected', collected_at = 9000 where name = 'fetched'",
        ] {
            query(change).execute(&mut *tx.inner).await.unwrap();
        }
        tx.commit().await.unwrap();

        assert_eq!(waits().await, (2, Some(Timestamp(1000))));
    }
}
