//! From which networks have devices logged in of late?
//!
//! Behind one address stand a whole office: its devices, and perhaps a forgotten script with a wrong
//! key. A network that is known here is not barred for the script, only narrowed.

use std::collections::{BTreeSet, HashMap};

use crate::model::{Network, Timestamp};

/// For how long a network is known after a login, in milliseconds: a week, for offices close at weekends.
pub const KNOWN_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Networks that are known. The one whose login is longest ago is forgotten first.
pub const KNOWN_MAX: usize = 10_000;

/// The networks that devices have logged in from.
#[derive(Debug, Default)]
pub(super) struct Known {
    logins: HashMap<Network, Timestamp>,
    order: BTreeSet<(Timestamp, Network)>,
}

impl Known {
    /// Notes a login.
    pub(super) fn note(&mut self, network: Network, at: Timestamp) {
        let last = self.logins.get(&network).copied();
        if last.is_some_and(|last| last >= at) {
            return;
        }
        if let Some(last) = self.logins.insert(network, at) {
            self.order.remove(&(last, network));
        }
        self.order.insert((at, network));
        if self.logins.len() > KNOWN_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.logins.remove(&oldest);
        }
    }

    /// Says whether a device has logged in from `network` within [`KNOWN_MS`].
    pub(super) fn contains(&self, network: Network, now: Timestamp) -> bool {
        let last = self.logins.get(&network);
        last.is_some_and(|last| now < last.plus_ms(KNOWN_MS))
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    fn network(number: u32) -> Network {
        Network::around(Ipv4Addr::from_bits(number).into(), 32)
    }

    #[test]
    fn a_network_is_known_for_a_week_after_its_last_login() {
        let mut known = Known::default();
        assert!(!known.contains(network(1), Timestamp(0)));

        known.note(network(1), Timestamp(0));
        known.note(network(1), Timestamp(1000));
        known.note(network(1), Timestamp(500)); // sessions are read in no order

        assert!(known.contains(network(1), Timestamp(999 + KNOWN_MS)));
        assert!(!known.contains(network(1), Timestamp(1000 + KNOWN_MS)));
        assert!(!known.contains(network(2), Timestamp(1000)));
    }

    #[test]
    fn one_more_than_there_is_room_for_takes_the_place_of_the_oldest() {
        let mut known = Known::default();
        let most = u32::try_from(KNOWN_MAX).unwrap();
        for number in 0..=most {
            known.note(network(number), Timestamp(number.into()));
        }

        assert_eq!(
            (known.logins.len(), known.order.len()),
            (KNOWN_MAX, KNOWN_MAX)
        );
        assert!(!known.contains(network(0), Timestamp(0)));
        assert!(known.contains(network(1), Timestamp(1)));
        assert!(known.contains(network(most), Timestamp(1)));
    }
}
