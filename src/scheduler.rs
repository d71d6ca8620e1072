//! Who sends what waits for its hour?
//!
//! The hours stand in the catalog, so what fell due while nobody ran is sent at the start. Each
//! delivery is sent by one conditional update, so two schedulers send it once.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::catalog::{self, Catalog, Delivery};
use crate::model::{Clock, DeliveryId, FirmId, Timestamp};
use crate::sending::{Released, Sending};

/// How often it is asked whether something is due: one look at a small index. Other processes write hours too.
const LOOK: Duration = Duration::from_secs(1);

/// How many deliveries are taken from the list at a time.
const PAGE_ROWS: i64 = 512;

/// How long to wait when something could not be sent: its cause is seldom gone within a second.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// What sends by itself. A clone is the same.
#[derive(Clone)]
pub struct Scheduler {
    catalog: Catalog,
    sending: Sending,
    clock: Clock,
}

impl Scheduler {
    /// Joins what it needs.
    pub fn new(catalog: Catalog, sending: Sending, clock: Clock) -> Self {
        Self {
            catalog,
            sending,
            clock,
        }
    }

    /// Sends what is due, as it falls due, until it is cancelled.
    pub async fn run(&self, cancel: CancellationToken) {
        loop {
            let pause = match self.run_due(self.clock.read()).await {
                Ok(Released { failed: 0, .. }) => LOOK,
                Ok(_) => AFTER_FAILURE,
                Err(error) => {
                    error!("Could not ask what is due to be sent: {error}");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Sends what is due at `now`.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer; what was sent until then stays so.
    pub async fn run_due(&self, now: Timestamp) -> Result<Released, catalog::Error> {
        let mut released = Released::default();
        let mut after = (Timestamp(i64::MIN), DeliveryId(0));
        loop {
            let due = self.catalog.due(now, after, PAGE_ROWS).await?;
            // What fails stands at the front still, and holds up no other.
            let Some(last) = due.last() else {
                return Ok(released);
            };
            after = (last.due.unwrap_or(now), last.id);
            for (firm, due) in by_firm(due) {
                let now = self.sending.release(firm, &due, now).await;
                if now.sent > 0 {
                    info!(
                        firm.id = firm.0,
                        "Sent {} documents that were due", now.sent
                    );
                }
                released.sent += now.sent;
                released.failed += now.failed;
            }
        }
    }
}

fn by_firm(due: Vec<Delivery>) -> BTreeMap<FirmId, Vec<Delivery>> {
    let mut firms: BTreeMap<FirmId, Vec<Delivery>> = BTreeMap::new();
    for delivery in due {
        firms.entry(delivery.firm).or_default().push(delivery);
    }
    firms
}
