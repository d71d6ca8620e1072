//! What is told next, in which order, and what becomes of it?
//!
//! The events of one document are a lane: they are told one after the other, and what fails holds back
//! what is behind it. Lanes go on beside each other.

use std::collections::BTreeMap;

use super::backoff::{ATTEMPTS_MAX, WAIT_MS_MAX, is_ahead, wait_ms};
use super::breaker::Permit;
use crate::catalog::{Letter, LetterState, Settlement, Unsettled, Webhook};
use crate::model::{EventSeq, Timestamp};

/// How many events a round tells at the most: so many may be told twice when the process is killed.
pub(super) const ROUND_LETTERS_MAX: i64 = 64;

/// How much of an error is kept with a letter.
const ERROR_CHARS_MAX: usize = 300;

/// Whether there is something to tell a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// So many events, at once.
    Now(i64),
    /// Not before then.
    NotBefore(Timestamp),
    /// Nothing.
    Nothing,
}

/// Says whether a round with this webhook begins.
pub(super) fn start(webhook: &Webhook, permit: Permit, now: Timestamp) -> Start {
    let fresh = webhook.last > webhook.cursor;
    let first = match webhook.next_due {
        _ if fresh => now,
        Some(due) if is_ahead(due, WAIT_MS_MAX, now) => due,
        Some(_) => now,
        None => return Start::Nothing,
    };
    match permit {
        Permit::NotBefore(until) => Start::NotBefore(first.max(until)),
        _ if first > now => Start::NotBefore(first),
        Permit::Free => Start::Now(ROUND_LETTERS_MAX),
        Permit::Once => Start::Now(1),
    }
}

/// What a round tells.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Events to tell, each lane in order.
    pub lanes: Vec<Vec<Letter>>,
    /// Events that wait behind letters of their lane.
    pub behind: Vec<Letter>,
}

/// Puts events into their lanes.
pub(super) fn arrange(letters: Vec<Letter>) -> Plan {
    let (behind, free): (Vec<_>, Vec<_>) = letters
        .into_iter()
        .partition(|letter| letter.state == LetterState::FreshBehind);
    let mut lanes: BTreeMap<i64, Vec<Letter>> = BTreeMap::new();
    for letter in free {
        lanes.entry(letter.lane()).or_default().push(letter);
    }
    let mut lanes: Vec<_> = lanes.into_values().collect();
    for lane in &mut lanes {
        lane.sort_by_key(|letter| letter.row.seq);
    }
    Plan { lanes, behind }
}

/// How telling an event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver has it.
    Told,
    /// It was not tried, for something before it failed, or nobody may be called now.
    Unsent,
    /// It failed, and is tried again after so many milliseconds at least.
    Failed {
        /// Why.
        error: String,
        /// What the receiver asked for.
        after_ms: i64,
    },
    /// The receiver wants no events any more.
    Gone,
}

/// Decides what becomes of a round, whose events reach to `upto`.
pub(super) fn settle(
    upto: EventSeq,
    results: Vec<(Letter, Outcome)>,
    behind: Vec<Letter>,
    now: Timestamp,
    mut random: impl FnMut() -> u64,
) -> Settlement {
    let mut settled = Settlement {
        cursor: upto,
        told_at: None,
        told: Vec::new(),
        unsettled: Vec::new(),
        pause: None,
    };
    for letter in behind {
        settled.unsettled.push(waiting(&letter, now));
    }
    for (letter, outcome) in results {
        let is_letter = letter.state == LetterState::Due;
        match outcome {
            Outcome::Told => {
                settled.told_at = Some(now);
                if is_letter {
                    settled.told.push((letter.row.seq, letter.lane()));
                }
            }
            // A letter that was not tried stays what it is.
            Outcome::Unsent if is_letter => {}
            Outcome::Unsent => settled.unsettled.push(waiting(&letter, now)),
            Outcome::Gone => {
                settled.pause = Some("the receiver answered 410 Gone".to_owned());
                settled.unsettled.push(waiting(&letter, now));
            }
            Outcome::Failed { error, after_ms } => {
                let random = random();
                settled
                    .unsettled
                    .push(failed(&letter, &error, after_ms, now, random));
            }
        }
    }
    settled
}

fn waiting(letter: &Letter, now: Timestamp) -> Unsettled {
    Unsettled {
        seq: letter.row.seq,
        lane: letter.lane(),
        attempts: letter.attempts,
        due: Some(now),
        error: String::new(),
    }
}

fn failed(letter: &Letter, error: &str, after_ms: i64, now: Timestamp, random: u64) -> Unsettled {
    let attempts = letter.attempts.saturating_add(1);
    let wait = wait_ms(attempts, random).max(after_ms);
    Unsettled {
        attempts,
        due: (attempts < ATTEMPTS_MAX).then(|| now.plus_ms(wait)),
        error: error.chars().take(ERROR_CHARS_MAX).collect(),
        ..waiting(letter, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Event, EventRow};
    use crate::model::{DocumentId, EventKind, FirmId, WebhookId};

    const NOW: Timestamp = Timestamp(1_000_000);

    fn letter(seq: i64, document: i64, state: LetterState, attempts: i64) -> Letter {
        Letter {
            row: EventRow {
                seq: EventSeq(seq),
                at: NOW,
                event: Event {
                    document: (document > 0).then_some(DocumentId(document)),
                    ..Event::new(EventKind::Kept, "")
                },
                hash: String::new(),
            },
            state,
            attempts,
            document: None,
            delivery: None,
            device_name: None,
        }
    }

    fn fresh(seq: i64, document: i64) -> Letter {
        letter(seq, document, LetterState::Fresh, 0)
    }

    fn failure() -> Outcome {
        Outcome::Failed {
            error: "e".repeat(1000),
            after_ms: 0,
        }
    }

    fn settled(results: Vec<(Letter, Outcome)>) -> Settlement {
        settle(EventSeq(9), results, Vec::new(), NOW, || 7)
    }

    #[test]
    fn events_of_one_document_are_one_lane_in_their_order() {
        let plan = arrange(vec![
            letter(2, 5, LetterState::Due, 3),
            fresh(9, 6),
            fresh(7, 6),
            fresh(8, 0),
            letter(10, 5, LetterState::FreshBehind, 0),
        ]);

        let seqs: Vec<Vec<_>> = plan
            .lanes
            .iter()
            .map(|lane| lane.iter().map(|letter| letter.row.seq.0).collect())
            .collect();
        assert_eq!(seqs, [vec![8], vec![2], vec![7, 9]]);
        assert_eq!(plan.behind.len(), 1);
    }

    #[test]
    fn what_was_told_at_once_leaves_nothing_behind_but_the_cursor() {
        let settled = settled(vec![
            (fresh(8, 1), Outcome::Told),
            (fresh(9, 1), Outcome::Told),
        ]);

        assert_eq!(settled.cursor, EventSeq(9));
        assert_eq!((settled.told, settled.unsettled), (vec![], vec![]));
        assert_eq!(settled.told_at, Some(NOW));
    }

    #[test]
    fn what_failed_and_what_is_behind_it_become_letters() {
        let settled = settled(vec![
            (fresh(8, 1), failure()),
            (fresh(9, 1), Outcome::Unsent),
        ]);

        let kept: Vec<_> = settled
            .unsettled
            .iter()
            .map(|kept| (kept.seq.0, kept.attempts, kept.due.map(|due| due.0 - NOW.0)))
            .collect();
        assert_eq!(kept, [(8, 1, Some(7)), (9, 0, Some(0))]);
        assert_eq!(settled.unsettled[0].error.len(), ERROR_CHARS_MAX);
        assert_eq!(settled.told_at, None);
    }

    #[test]
    fn the_last_attempt_makes_a_dead_letter_and_the_one_before_does_not() {
        for (attempts, is_dead) in [(ATTEMPTS_MAX - 2, false), (ATTEMPTS_MAX - 1, true)] {
            let settled = settled(vec![(letter(3, 1, LetterState::Due, attempts), failure())]);

            assert_eq!(settled.unsettled[0].due.is_none(), is_dead, "{attempts}");
        }
    }

    #[test]
    fn a_receiver_that_is_gone_pauses_and_costs_no_attempt() {
        let settled = settled(vec![(letter(3, 1, LetterState::Due, 4), Outcome::Gone)]);

        assert_eq!(settled.unsettled[0].attempts, 4);
        assert!(settled.pause.is_some());
    }

    #[test]
    fn a_letter_that_was_not_tried_keeps_its_error_and_its_attempts() {
        let settled = settled(vec![(letter(3, 1, LetterState::Due, 4), Outcome::Unsent)]);

        assert_eq!(settled.unsettled, []);
    }

    #[test]
    fn the_wait_is_what_the_receiver_asks_for_if_that_is_longer() {
        let outcome = Outcome::Failed {
            error: String::new(),
            after_ms: 60_000,
        };

        let settled = settled(vec![(fresh(8, 1), outcome)]);

        assert_eq!(settled.unsettled[0].due, Some(NOW.plus_ms(60_000)));
    }

    #[test]
    fn a_round_begins_when_something_is_to_tell_and_somebody_may_be_called() {
        let webhook = |cursor, next_due: Option<i64>| Webhook {
            id: WebhookId(1),
            firm: FirmId(1),
            firm_slug: "f".to_owned(),
            url: String::new(),
            kinds: Vec::new(),
            secret: String::new(),
            cursor: EventSeq(cursor),
            last: EventSeq(5),
            next_due: next_due.map(|ms| NOW.plus_ms(ms)),
            paused: None,
        };
        let later = NOW.plus_ms(50);
        #[rustfmt::skip]
        let table = [
            (webhook(5, None),      Permit::Free, Start::Nothing),
            (webhook(4, None),      Permit::Free, Start::Now(ROUND_LETTERS_MAX)),
            (webhook(5, Some(0)),   Permit::Free, Start::Now(ROUND_LETTERS_MAX)),
            (webhook(5, Some(9)),   Permit::Free, Start::NotBefore(NOW.plus_ms(9))),
            (webhook(4, Some(9)),   Permit::Once, Start::Now(1)),
            (webhook(4, None),      Permit::NotBefore(later), Start::NotBefore(later)),
            (webhook(5, Some(99)),  Permit::NotBefore(later), Start::NotBefore(NOW.plus_ms(99))),
            (webhook(5, None),      Permit::NotBefore(later), Start::Nothing),
            (webhook(5, Some(WAIT_MS_MAX)),     Permit::Free, Start::NotBefore(NOW.plus_ms(WAIT_MS_MAX))),
            (webhook(5, Some(WAIT_MS_MAX + 1)), Permit::Free, Start::Now(ROUND_LETTERS_MAX)),
            (webhook(5, Some(WAIT_MS_MAX + 1)), Permit::NotBefore(later), Start::NotBefore(later)),
        ];
        for (webhook, permit, expected) in table {
            assert_eq!(start(&webhook, permit, NOW), expected);
        }
    }
}
