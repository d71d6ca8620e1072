//! How is a sender told what happens?
//!
//! The events are the list of what is to be told: they are written with what they tell, in one
//! transaction, and stay. A webhook has a cursor in that list. A round reads what comes after it, sends
//! it lane by lane (`lanes`), and writes down in one transaction how far it came and what failed. So an
//! event is told at least once, and those of one document in their order.

mod address;
mod answer;
mod backoff;
mod body;
mod breaker;
mod config;
mod lanes;
mod ping;
mod post;
mod round;
mod signature;
mod target;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::error;

pub use self::backoff::ATTEMPTS_MAX;
pub use self::config::WebhookConfig;
pub use self::ping::{is_taken, make_secret, ping};
pub use self::post::{
    ANSWER_BYTES_MAX, Answer, CONNECT_MS_MAX, Error, Message, Poster, Sends, WHOLE_MS_MAX,
};
pub use self::signature::{InvalidSecret, Secret};
pub use self::target::{InvalidTarget, Named, Target, URL_BYTES_MAX};

use self::breaker::Breaker;
use self::lanes::Start;
use crate::catalog::{self, Catalog, Webhook};
use crate::model::{Clock, FirmId, Timestamp, WebhookId, with_causes};
use crate::wellness::Part;

/// How often it is looked whether another process has told something, or a webhook was added.
const LOOK: Duration = Duration::from_secs(2);

/// How long news gathers: a thousand marks are a few rounds, not a thousand.
const GATHER: Duration = Duration::from_millis(100);

/// For how long calls that are under way may end when the program ends; then they are made again next time.
const DRAIN: Duration = Duration::from_secs(3);

/// How many calls are under way at the same time: each is a connection, and some memory for TLS.
const CALLS_MAX: usize = 128;

/// How many of these are of one firm: its receivers may be slow, and other firms must not wait for them.
const FIRM_CALLS_MAX: usize = 16;

/// By what calls are counted: many firms have their receivers at one service, and none should wait for another.
type Receiver = (FirmId, String);

/// What tells receivers what happens.
pub struct Dispatcher<S = Poster> {
    catalog: Catalog,
    sends: S,
    clock: Clock,
    random: fn() -> u64,
    breakers: Mutex<HashMap<Receiver, Breaker>>,
    calls: Semaphore,
    firm_calls: Mutex<HashMap<FirmId, Arc<Semaphore>>>,
    /// No call begins any more.
    stop: CancellationToken,
    /// Calls that are under way end.
    cut: CancellationToken,
}

impl<S: Sends> Dispatcher<S> {
    /// Joins what telling needs.
    pub fn new(catalog: Catalog, sends: S, clock: Clock) -> Self {
        Self {
            catalog,
            sends,
            clock,
            random,
            breakers: Mutex::default(),
            calls: Semaphore::new(CALLS_MAX),
            firm_calls: Mutex::default(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }

    /// Takes its randomness from somewhere else.
    #[must_use]
    pub fn with_random(self, random: fn() -> u64) -> Self {
        Self { random, ..self }
    }

    /// Tells what happens until `draining` is cancelled; then what is under way may end for three seconds.
    pub async fn run(self, draining: CancellationToken) {
        let this = Self {
            stop: draining.clone(),
            ..self
        };
        let (mut rounds, mut busy) = (FuturesUnordered::new(), BTreeSet::new());
        while !draining.is_cancelled() {
            let (mut ended, look) = (Vec::new(), this.look(&busy));
            // Rounds go on meanwhile: one of them may have the turn to write.
            let found = beside(&mut rounds, &mut ended, look).await;
            let (starts, pause) = match found {
                Ok(found) => found,
                Err(error) => {
                    if this.catalog.is_news(&error) {
                        let why = with_causes(&error);
                        error!("Could not ask which webhooks there are: {why}");
                    }
                    (Vec::new(), Pause::For(LOOK))
                }
            };
            for (webhook, limit) in starts {
                busy.insert(webhook.id);
                rounds.push(Box::pin(this.paced(webhook, limit)));
            }
            if ended.is_empty() {
                tokio::select! {
                    () = draining.cancelled() => {}
                    () = this.pause(pause) => {}
                    Some(id) = rounds.next() => ended.push(id),
                }
            }
            for id in ended {
                busy.remove(&id);
            }
        }
        let ending = timeout(DRAIN, async { while rounds.next().await.is_some() {} }).await;
        if ending.is_err() {
            this.cut.cancel();
            while rounds.next().await.is_some() {}
        }
    }

    /// Tells whatever can be told now, and returns when there is more, if that is known.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn turn(&self) -> Result<Option<Timestamp>, catalog::Error> {
        loop {
            let now = self.clock.read();
            let found = self.starts(&BTreeSet::new(), now).await?;
            if found.now.is_empty() {
                return Ok(found.next);
            }
            let rounds = found.now.into_iter();
            join_all(rounds.map(|(webhook, limit)| self.round(webhook, limit))).await;
        }
    }

    /// Looks which webhooks there is something to tell.
    async fn look(
        &self,
        busy: &BTreeSet<WebhookId>,
    ) -> Result<(Vec<(Webhook, i64)>, Pause), catalog::Error> {
        let now = self.clock.read();
        let found = self.starts(busy, now).await?;
        let until_next = found.next.map(|next| next.0.saturating_sub(now.0));
        let wait = until_next.map_or(LOOK, |ms| {
            Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(LOOK)
        });
        // Where nobody is told anything, no news is waited for: a mark would wake us for nothing.
        let pause = if found.nobody {
            Pause::For(LOOK)
        } else {
            Pause::ForNews(wait)
        };
        Ok((found.now, pause))
    }

    async fn starts(
        &self,
        busy: &BTreeSet<WebhookId>,
        now: Timestamp,
    ) -> Result<Starts, catalog::Error> {
        let webhooks = self.catalog.active_webhooks().await?;
        let mut starts = Starts {
            nobody: webhooks.is_empty(),
            now: Vec::new(),
            next: None,
        };
        // What cannot be written down would be told again and again, every two seconds.
        if !self.writes_down() {
            return Ok(starts);
        }
        for webhook in webhooks {
            if busy.contains(&webhook.id) {
                continue;
            }
            let permit = self.breaker(&webhook, |breaker| breaker.permit(now));
            match lanes::start(&webhook, permit, now) {
                Start::Now(limit) => starts.now.push((webhook, limit)),
                Start::NotBefore(at) => {
                    starts.next = Some(starts.next.map_or(at, |next| next.min(at)));
                }
                Start::Nothing => {}
            }
        }
        Ok(starts)
    }

    /// Whether what was told can be written down: the catalog has said once, in the log, if it cannot.
    fn writes_down(&self) -> bool {
        self.catalog.wellness().works(Part::CatalogWrites)
    }

    async fn pause(&self, pause: Pause) {
        match pause {
            Pause::For(time) => sleep(time).await,
            Pause::ForNews(time) => tokio::select! {
                () = sleep(time) => {}
                () = async { self.catalog.told().await; sleep(GATHER).await } => {}
            },
        }
    }

    /// Tells a webhook what comes next, and writes down what became of it.
    async fn round(&self, webhook: Webhook, limit: i64) -> WebhookId {
        let id = webhook.id;
        if let Err(error) = self.try_round(webhook, limit).await {
            if self.catalog.is_news(&error) {
                let why = with_causes(&error);
                error!(webhook.id = %id, "Could not tell webhook {id} what happened, or not write down that it was told: {why}");
            }
            self.rest(LOOK).await;
        }
        id
    }

    /// The same, and a rest where little is left: else there would be a round for each mark.
    async fn paced(&self, webhook: Webhook, limit: i64) -> WebhookId {
        let left = webhook.last.0.saturating_sub(webhook.cursor.0);
        let id = self.round(webhook, limit).await;
        if left <= limit {
            self.rest(GATHER).await;
        }
        id
    }

    async fn rest(&self, time: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = sleep(time) => {}
        }
    }

    /// Returns what bounds the calls of a firm.
    fn calls_of(&self, firm: FirmId) -> Arc<Semaphore> {
        let mut all = self
            .firm_calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(firm);
        Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new(FIRM_CALLS_MAX))))
    }

    /// Asks or tells the breaker of a receiver; those that are at rest take no room.
    fn breaker<T>(&self, webhook: &Webhook, ask: impl FnOnce(&mut Breaker) -> T) -> T {
        let receiver = (webhook.firm, webhook.url.clone());
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut breaker = breakers.get(&receiver).copied().unwrap_or_default();
        let told = ask(&mut breaker);
        if breaker.is_at_rest() {
            breakers.remove(&receiver);
        } else {
            breakers.insert(receiver, breaker);
        }
        told
    }
}

/// Which webhooks there is something to tell.
struct Starts {
    nobody: bool,
    now: Vec<(Webhook, i64)>,
    next: Option<Timestamp>,
}

/// For how long nothing is done.
enum Pause {
    For(Duration),
    ForNews(Duration),
}

/// Waits for `what` while rounds go on, and notes those that end.
async fn beside<T>(
    rounds: &mut FuturesUnordered<impl Future<Output = WebhookId>>,
    ended: &mut Vec<WebhookId>,
    what: impl Future<Output = T>,
) -> T {
    let mut what = std::pin::pin!(what);
    loop {
        tokio::select! {
            found = &mut what => return found,
            Some(id) = rounds.next() => ended.push(id),
        }
    }
}

/// Any number; if the system has none, always the same, and those that failed together come back together.
fn random() -> u64 {
    let mut bytes = [0; 8];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => u64::from_ne_bytes(bytes),
        Err(_) => u64::MAX,
    }
}
