//! Which networks have failed too often, and until when are they barred?
//!
//! As OpenSSH's `PerSourcePenalties`: each failure costs its network some seconds, which add up and
//! pass with time. Past a threshold the network is barred until all of them have passed.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;

use crate::model::{Fault, Network, Penalty, Timestamp};

/// Networks of one family that are remembered.
///
/// A full table forgets the one whose penalty ends soonest: were everybody refused instead, as OpenSSH
/// can, then whoever has so many addresses would lock out every office.
pub const PENALTIES_MAX: usize = 65_536;

/// Changes that wait to be written down, while the catalog takes none. Past them those are forgotten of which nothing is
/// left to remember: their rows pass by time.
const CHANGED_MAX: usize = 4 * PENALTIES_MAX;

/// What failures cost, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PenaltyRules {
    /// Every key or password was refused.
    pub refused: u32,
    /// No attempt to log in.
    pub no_attempt: u32,
    /// Not logged in in time.
    pub overdue: u32,
    /// The protocol was broken.
    pub protocol: u32,
    /// So much bars a network.
    pub bar: u32,
    /// More than this does not add up.
    pub max: u32,
}

impl Default for PenaltyRules {
    /// OpenSSH's `authfail`, `noauth`, `grace-exceeded`, `crash`, `min` and `max`.
    fn default() -> Self {
        Self {
            refused: 5,
            no_attempt: 1,
            overdue: 10,
            protocol: 90,
            bar: 15,
            max: 600,
        }
    }
}

impl PenaltyRules {
    fn cost_ms(&self, fault: Fault) -> i64 {
        let seconds = match fault {
            Fault::Refused => self.refused,
            Fault::NoAttempt => self.no_attempt,
            Fault::Overdue => self.overdue,
            Fault::Protocol => self.protocol,
        };
        i64::from(seconds) * 1000
    }
}

/// A change of what is remembered, to be written down: what a network has come to now, if to anything.
pub(super) type Change = (Network, Option<Penalty>);

/// The penalties of every network.
#[derive(Debug)]
pub(super) struct Penalties {
    rules: PenaltyRules,
    v4: Table,
    v6: Table,
    changed: BTreeSet<Network>,
    changed_max: usize,
}

impl Penalties {
    /// Begins with none.
    pub(super) fn new(rules: PenaltyRules) -> Self {
        Self::with_room(rules, PENALTIES_MAX)
    }

    /// Judges by other rules from now on; what is barred stays so until its time.
    pub(super) fn set_rules(&mut self, rules: PenaltyRules) {
        self.rules = rules;
    }

    fn with_room(rules: PenaltyRules, room: usize) -> Self {
        let table = || Table {
            room,
            penalties: HashMap::new(),
            ends: BTreeSet::new(),
        };
        Self {
            rules,
            v4: table(),
            v6: table(),
            changed: BTreeSet::new(),
            changed_max: CHANGED_MAX,
        }
    }

    /// Remembers what was written down; it need not be written again.
    pub(super) fn restore(&mut self, network: Network, penalty: Penalty, now: Timestamp) {
        if now < penalty.until {
            // A clock that was set back, or a smaller limit, bars nobody for longer than is allowed.
            let most = now.plus_ms(self.most_ms());
            if most < penalty.until {
                self.changed.insert(network);
            }
            let until = penalty.until.min(most);
            let penalty = Penalty { until, ..penalty };
            // What the table has no room for goes when what is left of it is written.
            let forgotten = self.table(network).put(network, penalty);
            self.changed.extend(forgotten);
        } else {
            self.changed.insert(network);
        }
    }

    /// Adds what `fault` costs, and returns the penalty if it has become a bar by that.
    pub(super) fn add(
        &mut self,
        network: Network,
        fault: Fault,
        now: Timestamp,
    ) -> Option<Penalty> {
        self.pass(now);
        let cost = self.rules.cost_ms(fault);
        if cost == 0 {
            return None;
        }
        let (most, bar) = (self.most_ms(), i64::from(self.rules.bar) * 1000);
        let table = self.table(network);
        let before = table.penalties.get(&network).copied();
        let from = before.map_or(now, |penalty| penalty.until.max(now));
        let until = from.plus_ms(cost).min(now.plus_ms(most));
        let was_bar = before.is_some_and(|penalty| penalty.is_bar);
        let penalty = Penalty {
            until,
            is_bar: was_bar || until >= now.plus_ms(bar),
            fault,
        };
        let forgotten = table.put(network, penalty);
        self.changed.insert(network);
        self.changed.extend(forgotten);
        self.bound_changes();
        (penalty.is_bar && !was_bar).then_some(penalty)
    }

    /// Says whether `network` is barred.
    pub(super) fn bars(&self, network: Network, now: Timestamp) -> bool {
        let table = if network.is_v4() { &self.v4 } else { &self.v6 };
        let found = table.penalties.get(&network);
        found.is_some_and(|penalty| penalty.is_bar && now < penalty.until)
    }

    /// Forgets what `network` has come to.
    pub(super) fn forgive(&mut self, network: Network) {
        if self.table(network).remove(network) {
            self.changed.insert(network);
        }
    }

    /// Forgets what every network that meets `range` has come to, and says how many there were.
    pub(super) fn lift(&mut self, range: &Network) -> usize {
        let known = self.v4.penalties.keys().chain(self.v6.penalties.keys());
        let meant: Vec<_> = known.filter(|own| own.meets(range)).copied().collect();
        for network in &meant {
            self.forgive(*network);
        }
        meant.len()
    }

    /// Forgets what has passed. Where the clock was set back, nothing lasts longer than it may from now on.
    pub(super) fn pass(&mut self, now: Timestamp) {
        let most = now.plus_ms(self.most_ms());
        for table in [&mut self.v4, &mut self.v6] {
            while let Some(&(until, network)) = table.ends.last()
                && most < until
            {
                table.shorten(network, most);
                self.changed.insert(network);
            }
            while let Some(&(until, network)) = table.ends.first() {
                if now < until {
                    break;
                }
                table.remove(network);
                self.changed.insert(network);
            }
        }
    }

    /// Takes at most `most` of what has changed since it was written down.
    pub(super) fn take_changes(&mut self, most: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < most {
            let Some(network) = self.changed.pop_first() else {
                break;
            };
            let now = self.table(network).penalties.get(&network).copied();
            changes.push((network, now));
        }
        changes
    }

    /// Gives back what could not be written down.
    pub(super) fn untake(&mut self, changes: &[Change]) {
        self.changed
            .extend(changes.iter().map(|(network, _)| *network));
    }

    fn bound_changes(&mut self) {
        if self.changed.len() > self.changed_max {
            let (v4, v6) = (&self.v4.penalties, &self.v6.penalties);
            self.changed
                .retain(|network| v4.contains_key(network) || v6.contains_key(network));
        }
    }

    fn most_ms(&self) -> i64 {
        i64::from(self.rules.max) * 1000
    }

    fn table(&mut self, network: Network) -> &mut Table {
        if network.is_v4() {
            &mut self.v4
        } else {
            &mut self.v6
        }
    }
}

/// The penalties of one family, and in which order they end.
#[derive(Debug)]
struct Table {
    room: usize,
    penalties: HashMap<Network, Penalty>,
    ends: BTreeSet<(Timestamp, Network)>,
}

impl Table {
    /// Puts one, and returns what had to be forgotten for it.
    fn put(&mut self, network: Network, penalty: Penalty) -> Option<Network> {
        self.remove(network);
        self.penalties.insert(network, penalty);
        self.ends.insert((penalty.until, network));
        if self.penalties.len() <= self.room {
            return None;
        }
        let (_, soonest) = self.ends.pop_first()?;
        self.penalties.remove(&soonest);
        Some(soonest)
    }

    fn shorten(&mut self, network: Network, until: Timestamp) {
        if let Some(penalty) = self.penalties.get_mut(&network) {
            self.ends.remove(&(penalty.until, network));
            penalty.until = until;
            self.ends.insert((until, network));
        }
    }

    fn remove(&mut self, network: Network) -> bool {
        let Some(penalty) = self.penalties.remove(&network) else {
            return false;
        };
        self.ends.remove(&(penalty.until, network))
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn network(number: u32) -> Network {
        Network::around(Ipv4Addr::from_bits(number).into(), 32)
    }

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    /// What it is about, failures at a second, and whether the network is barred at a second.
    type Case = (
        &'static str,
        &'static [(i64, Fault)],
        &'static [(i64, bool)],
    );

    fn penalties() -> Penalties {
        Penalties::new(PenaltyRules::default())
    }

    #[test]
    fn failures_add_up_to_a_bar_and_pass_with_time() {
        use Fault::{NoAttempt, Overdue, Protocol, Refused};
        #[rustfmt::skip]
        let table: &[Case] = &[
            // what                            failures, at a second                   barred at a second?
            ("one wrong key a minute",         &[(0, Refused), (60, Refused), (120, Refused)], &[(60, false), (120, false)]),
            ("two at once",                    &[(0, Refused), (0, Refused)],            &[(0, false)]),
            ("three at once",                  &[(0, Refused); 3],                       &[(0, true), (14, true), (15, false)]),
            ("three in ten seconds",           &[(0, Refused), (5, Refused), (10, Refused)], &[(10, false)]),
            ("four in six seconds",            &[(0, Refused), (2, Refused), (4, Refused), (6, Refused)], &[(4, false), (6, false)]),
            ("a fourth before it passed",      &[(0, Refused), (1, Refused), (2, Refused), (3, Refused)], &[(2, false), (3, true), (19, true), (20, false)]),
            ("a probe each second",            &[(0, NoAttempt), (1, NoAttempt), (2, NoAttempt)], &[(2, false)]),
            ("fifteen scans",                  &[(0, NoAttempt); 15],                    &[(0, true)]),
            ("fourteen scans",                 &[(0, NoAttempt); 14],                    &[(0, false)]),
            ("silent twice",                   &[(0, Overdue), (0, Overdue)],            &[(0, true), (19, true), (20, false)]),
            ("no SSH",                         &[(0, Protocol)],                         &[(0, true), (89, true), (90, false)]),
            ("no SSH, ten times",              &[(0, Protocol); 10],                     &[(599, true), (600, false)]),
            ("barred until all has passed",    &[(0, Refused), (0, Refused), (0, Refused), (14, NoAttempt)], &[(15, true), (16, false)]),
        ];
        for (what, failures, expected) in table {
            for (look, barred) in *expected {
                let mut penalties = penalties();
                for (at, fault) in failures.iter().filter(|(at, _)| at <= look) {
                    penalties.add(network(1), *fault, seconds(*at));
                }
                assert_eq!(
                    penalties.bars(network(1), seconds(*look)),
                    *barred,
                    "{what}, at {look}"
                );
                assert!(
                    !penalties.bars(network(2), seconds(*look)),
                    "{what}: another network"
                );
            }
        }
    }

    #[test]
    fn a_bar_is_told_when_it_begins_and_not_again() {
        let mut penalties = penalties();

        let told: Vec<_> = (0..4)
            .map(|_| penalties.add(network(1), Fault::Refused, seconds(0)))
            .collect();

        let begun = Penalty {
            until: seconds(15),
            is_bar: true,
            fault: Fault::Refused,
        };
        assert_eq!(told, [None, None, Some(begun), None]);
    }

    #[test]
    fn what_is_forgiven_or_lifted_is_gone() {
        let mut penalties = penalties();
        for number in 0..4 {
            penalties.add(network(number), Fault::Protocol, seconds(0));
        }

        penalties.forgive(network(0));
        assert_eq!(penalties.lift(&"0.0.0.2/31".parse().unwrap()), 2);
        assert_eq!(penalties.lift(&"::/0".parse().unwrap()), 0);

        let barred = (0..4).filter(|number| penalties.bars(network(*number), seconds(1)));
        assert_eq!(barred.collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn what_costs_nothing_is_not_remembered() {
        let rules = PenaltyRules {
            refused: 0,
            ..PenaltyRules::default()
        };
        let mut penalties = Penalties::new(rules);

        for _ in 0..100 {
            assert_eq!(penalties.add(network(1), Fault::Refused, seconds(0)), None);
        }

        assert_eq!(penalties.take_changes(10), []);
    }

    #[test]
    fn one_more_than_there_is_room_for_takes_the_place_of_the_one_that_ends_soonest() {
        let mut penalties = Penalties::with_room(PenaltyRules::default(), 3);
        let faults = [
            Fault::Protocol,
            Fault::Overdue,
            Fault::Protocol,
            Fault::Protocol,
        ];
        for (number, fault) in (0..).zip(faults) {
            penalties.add(network(number), fault, seconds(0));
        }
        // The other family has room of its own.
        let v6 = "2001:db8::/64".parse().unwrap();
        penalties.add(v6, Fault::Protocol, seconds(0));

        let barred: Vec<_> = (0..4)
            .map(|number| penalties.bars(network(number), seconds(1)))
            .collect();
        assert_eq!(barred, [true, false, true, true]);
        assert!(penalties.bars(v6, seconds(1)));
        let changes = penalties.take_changes(10);
        assert!(changes.contains(&(network(1), None)), "its row goes too");
    }

    #[test]
    fn what_was_written_down_comes_back_and_is_not_written_again() {
        let mut before = penalties();
        before.add(network(1), Fault::Protocol, seconds(0));
        before.add(network(2), Fault::Refused, seconds(0));
        let written = before.take_changes(1);
        assert_eq!(written.len(), 1);
        before.untake(&written);
        let written = before.take_changes(10);
        assert_eq!(written.len(), 2);
        assert_eq!(before.take_changes(10), []);

        let mut after = penalties();
        for (network, penalty) in written {
            after.restore(network, penalty.unwrap(), seconds(6));
        }

        assert!(after.bars(network(1), seconds(6)));
        assert!(!after.bars(network(1), seconds(90)));
        // Five seconds have passed meanwhile: the row of the other goes.
        assert_eq!(after.take_changes(10), [(network(2), None)]);
    }

    #[test]
    fn a_clock_that_is_set_back_bars_nobody_for_longer_than_is_allowed() {
        let mut running = penalties();
        for _ in 0..10 {
            running.add(network(1), Fault::Protocol, seconds(86_400));
        }
        let written = running.take_changes(10);
        assert_eq!(written[0].1.unwrap().until, seconds(86_400 + 600));

        // Set back a day while it runs, and while it does not.
        running.pass(seconds(0));
        let mut restarted = penalties();
        restarted.restore(network(1), written[0].1.unwrap(), seconds(0));

        for mut penalties in [running, restarted] {
            assert!(penalties.bars(network(1), seconds(599)));
            assert!(!penalties.bars(network(1), seconds(600)));
            let changes = penalties.take_changes(10);
            assert_eq!(changes[0].1.unwrap().until, seconds(600), "it is written");
            penalties.pass(seconds(600));
            assert_eq!(penalties.take_changes(10), [(network(1), None)]);
        }
    }

    proptest! {
        /// Said otherwise: a network's seconds are a bucket that fills, drains, and does not overflow.
        #[test]
        fn a_network_is_barred_from_when_its_bucket_is_full_until_it_is_empty(
            steps in prop::collection::vec((0_i64..20, prop::sample::select(Fault::ALL.to_vec())), 0..60)
        ) {
            let rules = PenaltyRules::default();
            let mut penalties = Penalties::new(rules);
            let (mut now, mut level, mut is_bar) = (0, 0, false);
            for (pause, fault) in steps {
                now += pause;
                level = (level - pause).max(0);
                is_bar &= level > 0;
                prop_assert_eq!(penalties.bars(network(1), seconds(now)), is_bar);
                penalties.add(network(1), fault, seconds(now));
                level = (level + rules.cost_ms(fault) / 1000).min(600);
                is_bar |= level >= 15;
                prop_assert_eq!(penalties.bars(network(1), seconds(now)), is_bar);
            }
        }

        #[test]
        fn a_table_never_holds_more_than_its_room(
            steps in prop::collection::vec((0_u32..20, 0_i64..10, prop::sample::select(Fault::ALL.to_vec())), 0..200)
        ) {
            let mut penalties = Penalties::with_room(PenaltyRules::default(), 5);
            let mut now = 0;
            for (number, pause, fault) in steps {
                now += pause;
                penalties.add(network(number), fault, seconds(now));
                prop_assert!(penalties.v4.penalties.len() <= 5);
                prop_assert_eq!(penalties.v4.penalties.len(), penalties.v4.ends.len());
            }
        }
    }

    #[test]
    fn what_cannot_be_written_down_does_not_add_up_without_end() {
        let mut penalties = Penalties::with_room(PenaltyRules::default(), 10);
        penalties.changed_max = 40;

        for number in 0..1000 {
            penalties.add(network(number), Fault::Protocol, seconds(i64::from(number)));
            assert!(penalties.changed.len() <= 41);
        }

        let kept = penalties.take_changes(usize::MAX);
        let standing: Vec<_> = kept
            .iter()
            .filter(|(_, penalty)| penalty.is_some())
            .collect();
        assert_eq!(standing.len(), 10, "what is remembered is written");
    }
}
