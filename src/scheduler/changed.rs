//! At which firms may what waits be free by now, since their setup has changed?
//!
//! A command looks again itself at what waits. It may be cut between its change and that, or fail; so whoever
//! serves looks again, too, wherever a firm's version has moved. Pure: versions go in with the time.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EventSeq, FirmId, Timestamp};

/// How long a firm's version must stand before it is looked again: whoever has moved it looks itself, and of many
/// changes only the last counts.
const SETTLED_MS: i64 = 5_000;

/// How long after one that failed it is looked again; twice as long after each further one, up to an hour.
const AFTER_FAILURE_MS: i64 = 60_000;
const AFTER_FAILURES_MS_MAX: i64 = 3_600_000;

/// The versions of all firms as they were last seen.
#[derive(Debug, Default)]
pub(super) struct Versions {
    firms: BTreeMap<FirmId, Seen>,
}

#[derive(Debug)]
struct Seen {
    version: i64,
    /// Its last event when it was looked again.
    looked_to: Option<EventSeq>,
    /// When it is looked again, if it has not been since the version moved.
    look_at: Option<Timestamp>,
    rest_ms: i64,
}

impl Versions {
    /// Notes the version of a firm, and says whether to look again now: at once where it was never seen, as after a
    /// start, else when it has moved and stands.
    pub(super) fn note(&mut self, firm: FirmId, version: i64, now: Timestamp) -> bool {
        let seen = |looked_to, look_at| Seen {
            version,
            looked_to,
            look_at: Some(look_at),
            rest_ms: AFTER_FAILURE_MS,
        };
        let known = self.firms.entry(firm).or_insert_with(|| seen(None, now));
        if known.version != version {
            *known = seen(known.looked_to, now.plus_ms(SETTLED_MS));
        }
        // What is farther away than any was set was set before the clock went back.
        let is_ahead = |at: Timestamp| now < at && at <= now.plus_ms(AFTER_FAILURES_MS_MAX);
        known.look_at.is_some_and(|at| !is_ahead(at))
    }

    /// Returns the last event of a firm when it was looked again; none if it never was.
    pub(super) fn looked_to(&self, firm: FirmId) -> Option<EventSeq> {
        self.firms.get(&firm).and_then(|known| known.looked_to)
    }

    /// Notes that all that waits at a firm was looked at, when this was its last event.
    pub(super) fn looked(&mut self, firm: FirmId, last: EventSeq) {
        if let Some(known) = self.firms.get_mut(&firm) {
            (known.looked_to, known.look_at) = (Some(last), None);
            known.rest_ms = AFTER_FAILURE_MS;
        }
    }

    /// Notes that some of it, or all, could not be looked at.
    pub(super) fn failed(&mut self, firm: FirmId, now: Timestamp) {
        if let Some(known) = self.firms.get_mut(&firm) {
            known.look_at = Some(now.plus_ms(known.rest_ms));
            known.rest_ms = (known.rest_ms * 2).min(AFTER_FAILURES_MS_MAX);
        }
    }

    /// Forgets all firms but these.
    pub(super) fn keep(&mut self, firms: &BTreeSet<FirmId>) {
        self.firms.retain(|firm, _| firms.contains(firm));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);
    const FIRM: FirmId = FirmId(1);

    #[test]
    fn a_firm_is_looked_at_once_when_it_is_first_seen_and_once_its_version_moved_and_stands() {
        let mut versions = Versions::default();
        let at = |ms| NOW.plus_ms(ms);

        assert!(versions.note(FIRM, 7, at(0)));
        versions.looked(FIRM, EventSeq(1));
        assert!(!versions.note(FIRM, 7, at(1)));
        assert!(!versions.note(FIRM, 8, at(1000)));
        assert!(!versions.note(FIRM, 9, at(5000)), "it moves still");
        assert!(!versions.note(FIRM, 9, at(5000 + SETTLED_MS - 1)));
        assert!(versions.note(FIRM, 9, at(5000 + SETTLED_MS)));
        versions.looked(FIRM, EventSeq(1));
        assert!(!versions.note(FIRM, 9, at(9_000_000)));
        assert!(versions.note(FirmId(2), 1, at(9_000_000)));
        assert_eq!(versions.looked_to(FIRM), Some(EventSeq(1)));
        assert_eq!(versions.looked_to(FirmId(2)), None);
    }

    #[test]
    fn what_failed_is_tried_ever_more_seldom_but_each_hour_and_a_change_begins_anew() {
        let mut versions = Versions::default();
        let mut now = NOW;
        let mut rests = Vec::new();
        assert!(versions.note(FIRM, 7, now));
        for _ in 0..8 {
            versions.failed(FIRM, now);
            let begun = now;
            while !versions.note(FIRM, 7, now) {
                now = now.plus_ms(AFTER_FAILURE_MS);
            }
            rests.push((now.0 - begun.0) / AFTER_FAILURE_MS);
        }
        assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60]);

        assert!(!versions.note(FIRM, 8, now));
        now = now.plus_ms(SETTLED_MS);
        assert!(versions.note(FIRM, 8, now));
        versions.failed(FIRM, now);
        assert!(versions.note(FIRM, 8, now.plus_ms(AFTER_FAILURE_MS)));
    }

    #[test]
    fn a_clock_that_was_set_back_puts_nothing_off() {
        let mut versions = Versions::default();
        versions.note(FIRM, 7, NOW);
        versions.looked(FIRM, EventSeq(1));
        versions.note(FIRM, 8, NOW.plus_ms(100 * AFTER_FAILURES_MS_MAX));

        assert!(versions.note(FIRM, 8, NOW));
    }
}
