//! Who sends what waits for its hour, or for a change that has been made?
//!
//! The hours stand in the catalog, so what fell due while nobody ran is sent at the start. Each
//! delivery is sent by one conditional update, so two schedulers send it once.

mod changed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::catalog::{Catalog, Delivery, Due, Firm};
use crate::model::{Clock, DeliveryId, EventSeq, FirmId, Timestamp, with_causes};
use crate::sending::{self, Released, Sending, Waiting};
use changed::{Look, Versions};

/// How often it is asked whether something is due: one look at a small index. Other processes write hours too.
const LOOK: Duration = Duration::from_secs(1);

/// How many deliveries are taken from the list at a time.
const PAGE_ROWS: i64 = 512;

/// How long what could not be sent is left alone: its cause is seldom gone within a second. Others go on.
const AFTER_FAILURE_MS: i64 = 60_000;

/// How many of a firm are left alone before all of it is: then the fault is hardly theirs.
const RESTING_MAX: usize = 1000;

/// How long nothing is asked when the catalog did not answer.
const AFTER_SILENCE: Duration = Duration::from_secs(60);

/// What sends by itself. A clone is the same.
#[derive(Clone)]
pub struct Scheduler {
    catalog: Catalog,
    sending: Sending,
    clock: Clock,
    resting: Arc<Mutex<Resting>>,
    versions: Arc<Mutex<Versions>>,
}

impl Scheduler {
    /// Joins what it needs.
    pub fn new(catalog: Catalog, sending: Sending, clock: Clock) -> Self {
        Self {
            catalog,
            sending,
            clock,
            resting: Arc::default(),
            versions: Arc::default(),
        }
    }

    /// Sends what is due, as it falls due, until it is cancelled.
    pub async fn run(&self, cancel: CancellationToken) {
        loop {
            let pause = match self.run_due(self.clock.read()).await {
                Ok(_) => LOOK,
                Err(error) => {
                    if self.catalog.is_news(&error) {
                        let why = with_causes(&error);
                        error!("Could not send what is due: {why}");
                    }
                    AFTER_SILENCE
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Sends what is due at `now`, but what could not be sent a short time ago.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer; what was sent until then stays so.
    pub async fn run_due(&self, now: Timestamp) -> Result<Released, sending::Error> {
        let mut released = Released::default();
        let mut after = (Timestamp(i64::MIN), DeliveryId(0));
        loop {
            // A firm of which so many fail holds up no other.
            let except = self.resting().firms(now);
            let due = self.catalog.due(now, after, &except, PAGE_ROWS).await?;
            // What fails stands at the front still, and holds up no other.
            let Some(last) = due.last() else { break };
            after = (last.at, last.id);
            for (firm, due) in self.awake(due, now) {
                let mut here = Released::default();
                let releasing = self.sending.release(firm, &due, &mut here, now);
                let ended = releasing.await;
                if here.sent > 0 {
                    info!(
                        firm.id = firm.0,
                        "Sent {} documents that were due", here.sent
                    );
                }
                released.sent += here.sent;
                let failed: Vec<_> = here.failed.iter().map(|one| one.id).collect();
                self.resting().add(firm, &failed, now);
                released.failed.extend(here.failed);
                ended?;
            }
        }
        Ok(released)
    }

    /// Looks again at what waits at each firm, at the start and whenever its setup has changed, until it is cancelled.
    pub async fn follow_changes(&self, cancel: CancellationToken) {
        loop {
            let pause = tokio::select! {
                () = cancel.cancelled() => return,
                looked = self.run_changed(self.clock.read()) => match looked {
                    Ok(_) => LOOK,
                    Err(error) => {
                        if self.catalog.is_news(&error) {
                            let why = with_causes(&error);
                            error!("Could not look again at what waits: {why}");
                        }
                        AFTER_SILENCE
                    }
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Looks again at what waits at firms whose setup has changed, or that are seen for the first time; returns at
    /// how many it looked, and what it sent.
    ///
    /// # Errors
    ///
    /// When the catalog does not say which firms there are, or has failed so that it would at each of them.
    pub async fn run_changed(&self, now: Timestamp) -> Result<(usize, Released), sending::Error> {
        let firms = self.catalog.firms_understood().await?;
        let ids: BTreeSet<_> = firms.iter().map(|firm| firm.id).collect();
        self.versions().keep(&ids);
        let (mut count, mut released) = (0, Released::default());
        let firms = self.versions().in_turn(firms, |firm| firm.id);
        for firm in firms {
            let look = self.versions().note(firm.id, firm.version, now);
            if look == Look::Not {
                continue;
            }
            match self.look_again(&firm, look, now).await {
                Ok(None) => {}
                Ok(Some(here)) => {
                    count += 1;
                    released.sent += here.sent;
                    released.failed.extend(here.failed);
                }
                Err(failed) => {
                    if self.sending.meets_all(&failed) {
                        self.versions().interrupted(firm.id, now);
                        return Err(failed);
                    }
                    self.versions().failed(firm.id, None, now);
                    if self.catalog.is_news(&failed) {
                        let why = with_causes(&failed);
                        error!(firm = %firm.slug, "Could not look again at what waits at firm `{}`: {why}", firm.slug);
                    }
                }
            }
        }
        Ok((count, released))
    }

    /// Returns what came of it; none where the version has moved with something else than the setup.
    async fn look_again(
        &self,
        firm: &Firm,
        look: Look,
        now: Timestamp,
    ) -> Result<Option<Released>, sending::Error> {
        let tried_to = self.versions().tried_to(firm.id);
        // Before the look: what changes meanwhile moves the version once more.
        // Nothing is asked of the events of a firm that was never seen: it is looked at anyway.
        let seen = tried_to.unwrap_or(EventSeq(i64::MAX));
        let setup = self.catalog.setup_since(firm.id, seen).await?;
        if setup.has_changed {
            self.versions().changed(firm.id);
        } else if look == Look::IfChanged {
            self.versions().unchanged(firm.id, setup.last);
            return Ok(None);
        }
        let looking = self.sending.look_again(firm.id, Waiting::Stays, now);
        let here = looking.await?;
        if here.sent > 0 {
            info!(firm = %firm.slug, "Sent {} documents of firm `{}` that wait no longer", here.sent, firm.slug);
        }
        if here.failed.is_empty() {
            self.versions().looked(firm.id, setup.last);
        } else {
            self.versions().failed(firm.id, Some(setup.last), now);
        }
        Ok(Some(here))
    }

    /// Those that may be sent, by firm. A row that nobody understands is told once.
    fn awake(&self, due: Vec<Due>, now: Timestamp) -> BTreeMap<FirmId, Vec<Delivery>> {
        let mut resting = self.resting();
        let mut firms: BTreeMap<FirmId, Vec<Delivery>> = BTreeMap::new();
        for Due { id, delivery, .. } in due {
            match delivery {
                Ok(_) if resting.is_resting(id, now) => {}
                Ok(delivery) => firms.entry(delivery.firm).or_default().push(delivery),
                Err(error) if resting.is_news(id) => {
                    let why = with_causes(&error);
                    error!(delivery.id = %id, "Could not read delivery {id}, which is due and waits on: {why}");
                }
                Err(_) => {}
            }
        }
        firms
    }

    fn versions(&self) -> MutexGuard<'_, Versions> {
        let locked = self.versions.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left alone for a while, and what was told.
#[derive(Debug, Default)]
struct Resting {
    until: BTreeMap<DeliveryId, (FirmId, Timestamp)>,
    told: BTreeSet<DeliveryId>,
}

impl Resting {
    fn add(&mut self, firm: FirmId, failed: &[DeliveryId], now: Timestamp) {
        let until = now.plus_ms(AFTER_FAILURE_MS);
        self.until
            .extend(failed.iter().map(|id| (*id, (firm, until))));
    }

    /// Returns the firms of which so many have failed that all of them is left alone.
    fn firms(&mut self, now: Timestamp) -> Vec<FirmId> {
        self.until.retain(|_, (_, until)| is_ahead(*until, now));
        let mut counts: BTreeMap<FirmId, usize> = BTreeMap::new();
        for (firm, _) in self.until.values() {
            *counts.entry(*firm).or_default() += 1;
        }
        counts.retain(|_, count| *count >= RESTING_MAX);
        counts.into_keys().collect()
    }

    fn is_resting(&self, id: DeliveryId, now: Timestamp) -> bool {
        let until = self.until.get(&id);
        until.is_some_and(|(_, until)| is_ahead(*until, now))
    }

    /// Says whether this was not told yet; so many are remembered as may rest.
    fn is_news(&mut self, id: DeliveryId) -> bool {
        if self.told.len() >= RESTING_MAX && !self.told.contains(&id) {
            self.told.clear();
        }
        self.told.insert(id)
    }
}

/// An end that is farther away than any was set was set before the clock went back.
fn is_ahead(until: Timestamp, now: Timestamp) -> bool {
    now < until && until <= now.plus_ms(AFTER_FAILURE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn what_failed_rests_for_a_minute_and_others_do_not() {
        let mut resting = Resting::default();
        resting.add(FirmId(1), &[DeliveryId(7)], NOW);

        let is_resting = |id, ms| resting.is_resting(DeliveryId(id), NOW.plus_ms(ms));
        assert!(is_resting(7, 0));
        assert!(is_resting(7, AFTER_FAILURE_MS - 1));
        assert!(!is_resting(7, AFTER_FAILURE_MS));
        assert!(!is_resting(7, -1), "the clock was set back");
        assert!(!is_resting(8, 0));
    }

    #[test]
    fn when_one_more_of_a_firm_fails_than_may_that_firm_rests_until_the_minute_is_over() {
        let mut resting = Resting::default();
        let ids = (1..).map(DeliveryId);
        let ids: Vec<_> = ids.take(RESTING_MAX).collect();
        resting.add(FirmId(1), &ids[1..], NOW);
        resting.add(FirmId(2), &[DeliveryId(5000)], NOW);
        assert_eq!(resting.firms(NOW), []);

        resting.add(FirmId(1), &ids[..1], NOW);

        let firms = |resting: &mut Resting, ms| resting.firms(NOW.plus_ms(ms));
        assert_eq!(firms(&mut resting, AFTER_FAILURE_MS - 1), [FirmId(1)]);
        assert_eq!(firms(&mut resting, AFTER_FAILURE_MS), []);
    }

    #[test]
    fn a_row_that_nobody_understands_is_told_once_and_one_past_the_limit_is_remembered() {
        let mut resting = Resting::default();
        let most = i64::try_from(RESTING_MAX).unwrap();

        assert!((0..most).all(|id| resting.is_news(DeliveryId(id))));
        assert!((0..most).all(|id| !resting.is_news(DeliveryId(id))));
        assert!(resting.is_news(DeliveryId(most)));
        assert_eq!(resting.told.len(), 1);
    }
}
