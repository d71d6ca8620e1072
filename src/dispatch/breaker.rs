//! Is it worth calling this receiver now?
//!
//! One breaker a target. It opens after some failures in a row, so that a receiver that is away is not
//! called for every event, and no event loses its attempts to that. After a while one call is let
//! through; what becomes of it decides.

use super::backoff::{RETRY_AFTER_MS_MAX, is_ahead};
use crate::model::Timestamp;

/// After how many failures in a row nobody is called any more.
pub(super) const FAILURES_MAX: u32 = 5;

/// For how long nobody is called at first; each failed trial doubles it.
const OPEN_MS_MIN: i64 = 10_000;

/// And at the most: so late is it noticed that the receiver is back.
const OPEN_MS_MAX: i64 = 300_000;

/// So long at the most is nobody called, where a receiver has asked for it.
const WAIT_MS_MAX: i64 = RETRY_AFTER_MS_MAX;
const _: () = assert!(OPEN_MS_MAX <= WAIT_MS_MAX);

/// After which time a trial that nobody told the end of is forgotten.
const TRIAL_MS_MAX: i64 = 60_000;

/// What stands between events and one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Breaker {
    state: State,
    /// How often it opened since something was taken.
    openings: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Timestamp },
    Trial { since: Timestamp },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

/// Whether to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permit {
    /// As often as there is something to tell.
    Free,
    /// Once, and see.
    Once,
    /// Not before then.
    NotBefore(Timestamp),
}

impl Breaker {
    /// Returns whether a call would be let through.
    pub(super) fn permit(&self, now: Timestamp) -> Permit {
        match self.state {
            State::Closed { .. } => Permit::Free,
            State::Open { until } if is_ahead(until, WAIT_MS_MAX, now) => Permit::NotBefore(until),
            State::Trial { since } if is_ahead(since.plus_ms(TRIAL_MS_MAX), TRIAL_MS_MAX, now) => {
                Permit::NotBefore(since.plus_ms(TRIAL_MS_MAX))
            }
            State::Open { .. } | State::Trial { .. } => Permit::Once,
        }
    }

    /// Asks for one call; if it is the one to see by, no other is let through until its end is told.
    pub(super) fn begin(&mut self, now: Timestamp) -> Permit {
        let permit = self.permit(now);
        if permit == Permit::Once {
            self.state = State::Trial { since: now };
        }
        permit
    }

    /// Notes that the receiver is there; says whether that was in doubt.
    pub(super) fn answered(&mut self) -> bool {
        let was_open = !matches!(self.state, State::Closed { .. });
        *self = Self::default();
        was_open
    }

    /// Notes that the receiver is not; returns until when nobody is called, if that is new.
    pub(super) fn failed(&mut self, now: Timestamp) -> Option<Timestamp> {
        match self.state {
            State::Closed { failures } if failures + 1 < FAILURES_MAX => {
                let failures = failures + 1;
                self.state = State::Closed { failures };
                None
            }
            // A call that was under way when it opened tells nothing new.
            State::Open { .. } => None,
            State::Closed { .. } | State::Trial { .. } => {
                let longer = OPEN_MS_MIN << self.openings.min(16);
                self.openings = self.openings.saturating_add(1);
                let until = now.plus_ms(longer.min(OPEN_MS_MAX));
                self.state = State::Open { until };
                Some(until)
            }
        }
    }

    /// Calls nobody before `until`, for the receiver has asked for that.
    pub(super) fn hold(&mut self, until: Timestamp) {
        let until = match self.state {
            State::Open { until: known } => known.max(until),
            _ => until,
        };
        self.state = State::Open { until };
    }

    /// Notes that a call was not made after all.
    pub(super) fn forgone(&mut self, now: Timestamp) {
        if matches!(self.state, State::Trial { .. }) {
            self.state = State::Open { until: now };
        }
    }

    /// Whether it is as if nothing had ever failed.
    pub(super) fn is_at_rest(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            breaker.failed(NOW);
        }
        breaker
    }

    #[test]
    fn it_opens_at_the_fifth_failure_in_a_row_and_not_before() {
        let mut breaker = Breaker::default();
        for _ in 1..FAILURES_MAX {
            assert_eq!(breaker.failed(NOW), None);
        }
        assert_eq!(breaker.permit(NOW), Permit::Free);

        assert_eq!(breaker.failed(NOW), Some(NOW.plus_ms(10_000)));

        assert_eq!(
            breaker.permit(NOW.plus_ms(9_999)),
            Permit::NotBefore(NOW.plus_ms(10_000))
        );
        assert_eq!(breaker.permit(NOW.plus_ms(10_000)), Permit::Once);
    }

    #[test]
    fn one_answer_between_failures_keeps_it_closed() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 1..FAILURES_MAX {
                breaker.failed(NOW);
            }
            assert!(!breaker.answered());
        }

        assert_eq!(breaker.permit(NOW), Permit::Free);
        assert!(breaker.is_at_rest());
    }

    #[test]
    fn of_many_that_ask_one_tries() {
        let mut breaker = opened();
        let then = NOW.plus_ms(10_000);

        assert_eq!(breaker.begin(then), Permit::Once);
        assert_eq!(
            breaker.begin(then),
            Permit::NotBefore(then.plus_ms(TRIAL_MS_MAX))
        );

        assert!(breaker.answered());
        assert_eq!(breaker.begin(then), Permit::Free);
    }

    #[test]
    fn each_failed_trial_doubles_the_wait_up_to_five_minutes() {
        let mut breaker = opened();
        let mut waits = Vec::new();
        let mut now = NOW.plus_ms(10_000);
        for _ in 0..7 {
            assert_eq!(breaker.begin(now), Permit::Once);
            let until = breaker.failed(now).unwrap();
            waits.push((until.0 - now.0) / 1000);
            now = until;
        }

        assert_eq!(waits, [20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn a_trial_whose_end_nobody_told_is_forgotten() {
        let mut breaker = opened();
        let then = NOW.plus_ms(10_000);
        breaker.begin(then);

        assert_eq!(breaker.begin(then.plus_ms(TRIAL_MS_MAX)), Permit::Once);
    }

    #[test]
    fn a_receiver_that_asks_for_patience_gets_it() {
        let mut breaker = Breaker::default();
        breaker.hold(NOW.plus_ms(120_000));
        breaker.hold(NOW.plus_ms(60_000));

        assert_eq!(breaker.permit(NOW), Permit::NotBefore(NOW.plus_ms(120_000)));
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nobody() {
        let mut breaker = opened();
        breaker.hold(NOW.plus_ms(WAIT_MS_MAX));
        let until = NOW.plus_ms(WAIT_MS_MAX);
        assert_eq!(breaker.permit(NOW), Permit::NotBefore(until));

        let yesterday = NOW.plus_ms(-1);
        assert_eq!(breaker.begin(yesterday), Permit::Once);

        let trial = yesterday.plus_ms(TRIAL_MS_MAX);
        assert_eq!(breaker.permit(yesterday), Permit::NotBefore(trial));
        assert_eq!(breaker.permit(yesterday.plus_ms(-1)), Permit::Once);
    }

    proptest! {
        /// Whatever happens, within the longest of its waits it lets a call through.
        #[test]
        fn it_never_stays_open(steps in prop::collection::vec((0..4u8, 0..400_000i64), 0..64)) {
            let (mut breaker, mut now) = (Breaker::default(), NOW);
            for (step, ms) in steps {
                now = now.plus_ms(ms);
                match step {
                    0 => drop(breaker.begin(now)),
                    1 => drop(breaker.answered()),
                    2 => drop(breaker.failed(now)),
                    _ => breaker.forgone(now),
                }
            }

            let later = now.plus_ms(OPEN_MS_MAX.max(TRIAL_MS_MAX));
            prop_assert!(!matches!(breaker.permit(later), Permit::NotBefore(_)));
        }
    }
}
