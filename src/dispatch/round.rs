//! What is a webhook told in one round, and what is written down of it?

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream;
use tracing::{info, warn};

use super::answer::{self, Verdict};
use super::backoff::WAIT_MS_MAX;
use super::breaker::{Breaker, Permit};
use super::lanes::{self, Outcome};
use super::ping::message;
use super::post::{Answer, Error, Sends};
use super::signature::Secret;
use super::target::Target;
use super::{ATTEMPTS_MAX, Dispatcher, body};
use crate::catalog::{self, Letter, Settlement, Webhook};
use crate::model::with_causes;

/// How many lanes of one webhook are told at the same time.
const LANES_MAX: usize = 8;

/// How many dead letters a webhook may have: more are no list that a person reads, and its events wait where they are.
pub(super) const DEAD_MAX: i64 = 10_000;

/// How much of what a receiver says stands in an error.
const SAID_CHARS_MAX: usize = 200;

/// One round with one webhook.
struct Round {
    webhook: Webhook,
    target: Target,
    secret: Secret,
    /// No further call is made: the receiver wants nothing any more, or somebody has paused or removed the webhook.
    over: AtomicBool,
}

impl<S: Sends> Dispatcher<S> {
    /// Tells a webhook up to `limit` events, and writes down in one transaction what became of them.
    pub(super) async fn try_round(
        &self,
        webhook: Webhook,
        limit: i64,
    ) -> Result<(), catalog::Error> {
        let (Ok(target), Ok(secret)) =
            (Target::parse(&webhook.url), Secret::parse(&webhook.secret))
        else {
            let why = "its address or its secret was changed from outside";
            let (id, firm) = (webhook.id, webhook.firm);
            warn!(webhook.id = %id, "Paused webhook {id}: {why}");
            let now = self.clock.read();
            self.catalog.pause_webhook(firm, id, why, now).await?;
            return Ok(());
        };
        let dead = self.catalog.dead_count(&webhook, DEAD_MAX).await?;
        if dead >= DEAD_MAX {
            let why = "its receiver refuses everything: see `sluis webhook dead`, mend it, then `retry` and `resume`";
            let (id, firm, now) = (webhook.id, webhook.firm, self.clock.read());
            warn!(webhook.id = %id, "Paused webhook {id} to {}: {why}", target.origin());
            self.catalog.pause_webhook(firm, id, why, now).await?;
            return Ok(());
        }
        let now = self.clock.read();
        let mut letters = self
            .catalog
            .due_letters(&webhook, (now, now.plus_ms(WAIT_MS_MAX)), limit)
            .await?;
        let room = limit - i64::try_from(letters.len()).unwrap_or(limit);
        let mut upto = webhook.cursor;
        if room > 0 {
            let (fresh, reached) = self.catalog.fresh_letters(&webhook, room).await?;
            letters.extend(fresh);
            upto = reached.max(upto);
        }
        let plan = lanes::arrange(letters);
        let round = Round {
            webhook,
            target,
            secret,
            over: AtomicBool::new(false),
        };
        let walks = plan.lanes.into_iter().map(|lane| self.walk(&round, lane));
        let results: Vec<_> = stream::iter(walks)
            .buffer_unordered(LANES_MAX)
            .collect()
            .await;
        let results = results.into_iter().flatten().collect();
        let now = self.clock.read();
        let settled = lanes::settle(upto, results, plan.behind, now, self.random);
        if self.catalog.settle(&round.webhook, &settled, now).await? {
            tell_log(&round, &settled);
        }
        Ok(())
    }

    /// Tells the events of one lane in order, as far as it goes.
    async fn walk(&self, round: &Round, lane: Vec<Letter>) -> Vec<(Letter, Outcome)> {
        let mut results = Vec::with_capacity(lane.len());
        let mut goes_on = true;
        for letter in lane {
            let outcome = if goes_on {
                self.tell(round, &letter).await
            } else {
                Outcome::Unsent
            };
            goes_on = outcome == Outcome::Told;
            results.push((letter, outcome));
        }
        results
    }

    async fn tell(&self, round: &Round, letter: &Letter) -> Outcome {
        // It is never closed; if it were, nothing would be sent.
        let of_firm = self.calls_of(round.webhook.firm);
        let (Ok(_own), Ok(_call)) = (of_firm.acquire().await, self.calls.acquire().await) else {
            return Outcome::Unsent;
        };
        let is_over = self.stop.is_cancelled() || round.over.load(Ordering::Relaxed);
        if is_over || !self.writes_down() {
            return Outcome::Unsent;
        }
        // Somebody may have paused or removed it since the round began; what is under way ends.
        if !matches!(self.catalog.is_active(&round.webhook).await, Ok(true)) {
            round.over.store(true, Ordering::Relaxed);
            return Outcome::Unsent;
        }
        let (now, webhook) = (self.clock.read(), &round.webhook);
        if let Permit::NotBefore(_) = self.breaker(webhook, |breaker| breaker.begin(now)) {
            return Outcome::Unsent;
        }
        let id = body::event_id(webhook.firm, &letter.row);
        let body = body::event_body(webhook, letter);
        let message = message(&round.target, &round.secret, (id, body), now);
        let sent = tokio::select! {
            sent = self.sends.send(&message) => sent,
            () = self.cut.cancelled() => {
                self.breaker(webhook, |breaker| breaker.forgone(now));
                return Outcome::Unsent;
            }
        };
        let outcome = self.judge(round, sent);
        if outcome == Outcome::Gone {
            round.over.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Says what an answer comes to, and tells the receiver's breaker.
    fn judge(&self, round: &Round, sent: Result<Answer, Error>) -> Outcome {
        let (now, webhook, origin) = (self.clock.read(), &round.webhook, round.target.origin());
        let (verdict, error) = match sent {
            Ok(answer) => (
                answer::judge(answer.status, answer.retry_after.as_deref(), now),
                told_of(&answer, &round.target),
            ),
            Err(error) => (Verdict::Away(None), with_causes(&error)),
        };
        let after = match verdict {
            Verdict::Away(after) => after,
            Verdict::Told | Verdict::Gone | Verdict::Refused => {
                if self.breaker(webhook, Breaker::answered) {
                    info!(webhook.id = %webhook.id, "The receiver {origin} answers again");
                }
                None
            }
        };
        match verdict {
            Verdict::Told => return Outcome::Told,
            Verdict::Gone => return Outcome::Gone,
            Verdict::Refused => {}
            Verdict::Away(_) => {
                let opened = self.breaker(webhook, |breaker| {
                    let opened = breaker.failed(now);
                    if let Some(ms) = after {
                        breaker.hold(now.plus_ms(ms));
                    }
                    opened
                });
                if let Some(until) = opened {
                    warn!(webhook.id = %webhook.id, "The receiver {origin} does not answer, and is not called before {until}: {}", logged(&error));
                }
            }
        }
        Outcome::Failed {
            error,
            after_ms: after.unwrap_or(0),
        }
    }
}

/// What the log says of an error: a receiver's own words may repeat what it was told.
fn logged(error: &str) -> &str {
    match error
        .strip_prefix(ANSWERED)
        .and_then(|said| said.split_once(": "))
    {
        Some((status, _)) => error
            .get(..ANSWERED.len() + status.len())
            .unwrap_or(ANSWERED),
        None => error,
    }
}

/// How an error begins that is an answer.
const ANSWERED: &str = "answered ";

/// What went wrong, by an answer, on one line.
/// The path of a target may hold a secret, and receivers like to repeat it.
fn told_of(answer: &Answer, target: &Target) -> String {
    let status = answer.status;
    let line = answer.text.lines().next().unwrap_or_default();
    let said: String = line.chars().filter(|c| !c.is_control()).collect();
    let said = target.blank_in(&said);
    match status {
        300..=399 => format!(
            "answered {status}: redirects are not followed; give the webhook the address it should go to"
        ),
        _ if said.is_empty() => format!("answered {status}"),
        _ => format!(
            "answered {status}: {}",
            said.chars().take(SAID_CHARS_MAX).collect::<String>()
        ),
    }
}

fn tell_log(round: &Round, settled: &Settlement) {
    let (id, origin) = (round.webhook.id, round.target.origin());
    if let Some(why) = &settled.pause {
        warn!(webhook.id = %id, "Paused webhook {id} to {origin}: {why}; `sluis webhook resume` goes on");
    }
    let mut given_up = settled
        .unsettled
        .iter()
        .filter(|letter| letter.due.is_none());
    if let Some(first) = given_up.next() {
        let count = 1 + given_up.count();
        warn!(webhook.id = %id, "Gave up telling webhook {id} to {origin} {count} events after {ATTEMPTS_MAX} attempts; `sluis webhook dead` lists them: {}", logged(&first.error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receiver_says_in_its_own_words_is_not_logged() {
        for (error, heard) in [
            ("answered 400: `Zilverspar.xml` is no name", "answered 400"),
            ("answered 503", "answered 503"),
            (
                "could not connect to 192.0.2.1: refused",
                "could not connect to 192.0.2.1: refused",
            ),
        ] {
            assert_eq!(logged(error), heard);
        }
    }
}
