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
    /// At which firm the last round ended that was interrupted.
    ended_at: Option<FirmId>,
}

/// Whether what waits at a firm is looked at again now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It is not.
    Not,
    /// It is, if the firm's setup has changed since it was tried last: its version moves with more than that.
    IfChanged,
    /// It is: that was never done, or it is time to try once more what failed.
    Anyway,
}

#[derive(Debug)]
struct Seen {
    version: i64,
    /// Its last event when it was tried to look at all that waits, whatever came of it.
    tried_to: Option<EventSeq>,
    /// When it is asked whether its setup has changed, if it has not been since the version moved.
    ask_at: Option<Timestamp>,
    /// When it is looked in any case: at what failed, or at all where nobody has looked.
    again_at: Option<Timestamp>,
    rest_ms: i64,
}

impl Versions {
    /// Notes the version of a firm, and says whether to look again now: at once where it was never seen, as after a
    /// start, else when it has moved and stands, or something failed and has rested.
    pub(super) fn note(&mut self, firm: FirmId, version: i64, now: Timestamp) -> Look {
        let known = self.firms.entry(firm).or_insert_with(|| Seen {
            version,
            tried_to: None,
            ask_at: None,
            again_at: Some(now),
            rest_ms: AFTER_FAILURE_MS,
        });
        if known.version != version {
            (known.version, known.ask_at) = (version, Some(now.plus_ms(SETTLED_MS)));
        }
        // What is farther away than any was set was set before the clock went back.
        let is_ahead = |at: Timestamp| now < at && at <= now.plus_ms(AFTER_FAILURES_MS_MAX);
        let has_come = |at: Option<Timestamp>| at.is_some_and(|at| !is_ahead(at));
        match known.tried_to {
            _ if has_come(known.again_at) => Look::Anyway,
            Some(_) if has_come(known.ask_at) => Look::IfChanged,
            None if has_come(known.ask_at) => Look::Anyway,
            _ => Look::Not,
        }
    }

    /// Returns the last event of a firm when it was tried last to look at what waits; none if it never was.
    pub(super) fn tried_to(&self, firm: FirmId) -> Option<EventSeq> {
        self.firms.get(&firm).and_then(|known| known.tried_to)
    }

    /// Notes that the version has moved with something else than the setup: what failed rests on.
    pub(super) fn unchanged(&mut self, firm: FirmId, last: EventSeq) {
        if let Some(known) = self.firms.get_mut(&firm) {
            (known.tried_to, known.ask_at) = (Some(last), None);
        }
    }

    /// Notes that the setup has changed: what failed before may go now, so its rests begin anew.
    pub(super) fn changed(&mut self, firm: FirmId) {
        if let Some(known) = self.firms.get_mut(&firm) {
            known.rest_ms = AFTER_FAILURE_MS;
        }
    }

    /// Notes that all that waits at a firm was looked at, when this was its last event.
    pub(super) fn looked(&mut self, firm: FirmId, last: EventSeq) {
        self.unchanged(firm, last);
        self.changed(firm);
        if let Some(known) = self.firms.get_mut(&firm) {
            known.again_at = None;
        }
    }

    /// Notes that some of it could not be looked at, when this was the firm's last event, or none of it.
    pub(super) fn failed(&mut self, firm: FirmId, last: Option<EventSeq>, now: Timestamp) {
        if let Some(known) = self.firms.get_mut(&firm) {
            known.tried_to = last.or(known.tried_to);
            (known.ask_at, known.again_at) = (None, Some(now.plus_ms(known.rest_ms)));
            known.rest_ms = (known.rest_ms * 2).min(AFTER_FAILURES_MS_MAX);
        }
    }

    /// Notes that none of it could be looked at, for no fault of the firm's: that is no reason to wait longer next time.
    pub(super) fn interrupted(&mut self, firm: FirmId, now: Timestamp) {
        self.ended_at = Some(firm);
        if let Some(known) = self.firms.get_mut(&firm) {
            (known.ask_at, known.again_at) = (None, Some(now.plus_ms(AFTER_FAILURE_MS)));
        }
    }

    /// Puts those first that a round did not come to because it was interrupted: one firm at which each round ends
    /// keeps no other from its turn.
    pub(super) fn in_turn<T>(&self, mut firms: Vec<T>, id: impl Fn(&T) -> FirmId) -> Vec<T> {
        firms.sort_by_key(|firm| (Some(id(firm)) <= self.ended_at, id(firm)));
        firms
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

        assert_eq!(versions.note(FIRM, 7, at(0)), Look::Anyway);
        versions.looked(FIRM, EventSeq(1));
        assert_eq!(versions.note(FIRM, 7, at(1)), Look::Not);
        assert_eq!(versions.note(FIRM, 8, at(1000)), Look::Not);
        assert_eq!(
            versions.note(FIRM, 9, at(5000)),
            Look::Not,
            "it moves still"
        );
        let stands = 5000 + SETTLED_MS;
        assert_eq!(versions.note(FIRM, 9, at(stands - 1)), Look::Not);
        assert_eq!(versions.note(FIRM, 9, at(stands)), Look::IfChanged);
        versions.looked(FIRM, EventSeq(1));
        assert_eq!(versions.note(FIRM, 9, at(9_000_000)), Look::Not);
        assert_eq!(versions.note(FirmId(2), 1, at(9_000_000)), Look::Anyway);
        assert_eq!(versions.tried_to(FIRM), Some(EventSeq(1)));
        assert_eq!(versions.tried_to(FirmId(2)), None);
    }

    /// How long each rest is in which nothing is looked at, in minutes, while it fails each time.
    fn rests(versions: &mut Versions, version: i64, count: usize, now: &mut Timestamp) -> Vec<i64> {
        let rest = |_| {
            versions.failed(FIRM, Some(EventSeq(1)), *now);
            let begun = *now;
            while versions.note(FIRM, version, *now) == Look::Not {
                *now = now.plus_ms(AFTER_FAILURE_MS);
            }
            (now.0 - begun.0) / AFTER_FAILURE_MS
        };
        (0..count).map(rest).collect()
    }

    #[test]
    fn what_failed_is_tried_ever_more_seldom_but_each_hour_and_a_change_begins_anew() {
        let (mut versions, mut now) = (Versions::default(), NOW);
        versions.note(FIRM, 7, now);
        let first = rests(&mut versions, 7, 8, &mut now);
        assert_eq!(first, [1, 2, 4, 8, 16, 32, 60, 60]);
        versions.failed(FIRM, Some(EventSeq(1)), now);

        assert_eq!(versions.note(FIRM, 8, now), Look::Not);
        now = now.plus_ms(SETTLED_MS);
        assert_eq!(versions.note(FIRM, 8, now), Look::IfChanged);
        versions.changed(FIRM);

        assert_eq!(rests(&mut versions, 8, 2, &mut now), [1, 2]);
    }

    #[test]
    fn what_failed_rests_on_when_the_version_moves_with_something_else_than_the_setup() {
        let (mut versions, mut now) = (Versions::default(), NOW);
        versions.note(FIRM, 7, now);
        rests(&mut versions, 7, 6, &mut now);
        versions.failed(FIRM, Some(EventSeq(1)), now);
        let again = now.plus_ms(AFTER_FAILURES_MS_MAX);

        for version in 8..100 {
            assert_eq!(versions.note(FIRM, version, now), Look::Not);
            now = now.plus_ms(SETTLED_MS);
            assert_eq!(versions.note(FIRM, version, now), Look::IfChanged);
            versions.unchanged(FIRM, EventSeq(version));
        }

        assert_eq!(versions.tried_to(FIRM), Some(EventSeq(99)));
        assert_eq!(versions.note(FIRM, 99, again.plus_ms(-1)), Look::Not);
        assert_eq!(versions.note(FIRM, 99, again), Look::Anyway);
    }

    #[test]
    fn what_the_house_fails_is_tried_each_minute_and_what_the_firm_fails_as_seldom_as_before() {
        let (mut versions, mut now) = (Versions::default(), NOW);
        versions.note(FIRM, 7, now);
        assert_eq!(rests(&mut versions, 7, 3, &mut now), [1, 2, 4]);

        for _ in 0..10 {
            versions.interrupted(FIRM, now);
            now = now.plus_ms(AFTER_FAILURE_MS - 1);
            assert_eq!(versions.note(FIRM, 7, now), Look::Not);
            now = now.plus_ms(1);
            assert_eq!(versions.note(FIRM, 7, now), Look::Anyway);
        }

        assert_eq!(rests(&mut versions, 7, 2, &mut now), [8, 16]);
    }

    #[test]
    fn a_firm_at_which_each_round_ends_keeps_no_other_from_its_turn() {
        let mut versions = Versions::default();
        let in_turn = |versions: &Versions| {
            let firms = vec![FirmId(3), FirmId(1), FirmId(2)];
            let firms = versions.in_turn(firms, |&firm| firm);
            firms.iter().map(|firm| firm.0).collect::<Vec<_>>()
        };
        assert_eq!(in_turn(&versions), [1, 2, 3]);
        for firm in [1, 2, 3] {
            versions.note(FirmId(firm), 7, NOW);
        }

        versions.interrupted(FirmId(1), NOW);
        assert_eq!(in_turn(&versions), [2, 3, 1]);
        versions.interrupted(FirmId(3), NOW);
        assert_eq!(in_turn(&versions), [1, 2, 3]);
    }

    #[test]
    fn where_nobody_could_even_look_a_move_of_the_version_is_reason_enough() {
        let mut versions = Versions::default();
        versions.note(FIRM, 7, NOW);
        versions.failed(FIRM, None, NOW);
        assert_eq!(versions.note(FIRM, 8, NOW), Look::Not);

        let stands = NOW.plus_ms(SETTLED_MS);
        assert_eq!(versions.note(FIRM, 8, stands), Look::Anyway);
    }

    #[test]
    fn a_clock_that_was_set_back_puts_nothing_off() {
        let mut versions = Versions::default();
        versions.note(FIRM, 7, NOW);
        versions.looked(FIRM, EventSeq(1));
        versions.note(FIRM, 8, NOW.plus_ms(100 * AFTER_FAILURES_MS_MAX));

        assert_eq!(versions.note(FIRM, 8, NOW), Look::IfChanged);
    }
}
