//! What has the operator decided about those who have not logged in?

use core::net::IpAddr;
use core::num::NonZeroU16;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::penalties::PenaltyRules;
use super::startups::Startups;
use crate::model::{Network, not_zero};

/// What holds before login.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardConfig {
    /// How many connections may be logging in.
    pub startups: Startups,
    /// The time from accepting a connection to the end of its login, in seconds.
    #[serde(deserialize_with = "not_zero")]
    pub grace_seconds: NonZeroU16,
    /// How many of them may come from one network.
    #[serde(deserialize_with = "not_zero")]
    pub network_startups_max: NonZeroU16,
    /// How many first bits of an address make a network.
    pub network_bits: NetworkBits,
    /// Networks that are neither counted nor penalised.
    pub exempt: Vec<Network>,
    /// Networks of forwarders that tell the client's address by the PROXY protocol.
    pub proxies: Vec<Network>,
    /// What a failure costs.
    #[serde(deserialize_with = "checked_rules")]
    pub penalties: PenaltyRules,
}

/// How many first bits of an address make a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkBits {
    /// Of IPv4.
    #[serde(deserialize_with = "checked_bits::<_, 32>")]
    pub v4: u32,
    /// Of IPv6.
    #[serde(deserialize_with = "checked_bits::<_, 128>")]
    pub v6: u32,
}

impl Default for NetworkBits {
    fn default() -> Self {
        Self { v4: 32, v6: 64 }
    }
}

/// With no bits everybody is one network: the first who guesses bars the world.
fn checked_bits<'de, D: Deserializer<'de>, const WIDTH: u32>(
    deserializer: D,
) -> Result<u32, D::Error> {
    let bits = u32::deserialize(deserializer)?;
    if (1..=WIDTH).contains(&bits) {
        return Ok(bits);
    }
    let why = format!("a network is the first 1 to {WIDTH} bits of such an address, not {bits}");
    Err(D::Error::custom(why))
}

/// What never adds up to a bar is a guard that does not guard. A `bar` of 0 bars at the first failure.
fn checked_rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PenaltyRules, D::Error> {
    let rules = PenaltyRules::deserialize(deserializer)?;
    if rules.bar <= rules.max {
        return Ok(rules);
    }
    let (bar, max) = (rules.bar, rules.max);
    let why = format!(
        "penalties add up to `max` = {max} seconds at most, so none would ever reach `bar` = {bar}; let `max` be `bar` or more, or let each cost 0 to bar nobody"
    );
    Err(D::Error::custom(why))
}

/// The time to log in, in seconds.
const GRACE_SECONDS: NonZeroU16 = NonZeroU16::MIN.saturating_add(29);

/// Connections of one network that may be logging in.
const NETWORK_STARTUPS_MAX: NonZeroU16 = NonZeroU16::MIN.saturating_add(19);

impl Default for GuardConfig {
    fn default() -> Self {
        // At loopback are this machine's own users, or a forwarder that speaks for everybody.
        let loopback = [
            IpAddr::from([127, 0, 0, 0]),
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ];
        Self {
            startups: Startups::DEFAULT,
            grace_seconds: GRACE_SECONDS,
            network_startups_max: NETWORK_STARTUPS_MAX,
            network_bits: NetworkBits::default(),
            exempt: vec![
                Network::around(loopback[0], 8),
                Network::around(loopback[1], 128),
            ],
            proxies: Vec::new(),
            penalties: PenaltyRules::default(),
        }
    }
}

impl GuardConfig {
    /// Returns the time to log in.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds.get().into())
    }

    /// Returns the network that `address` is in; a disguised IPv4 address is one of IPv4.
    pub fn network_of(&self, address: IpAddr) -> Network {
        let address = address.to_canonical();
        let bits = if address.is_ipv4() {
            self.network_bits.v4
        } else {
            self.network_bits.v6
        };
        Network::around(address, bits)
    }

    /// Says whether `address` is neither counted nor penalised.
    pub fn is_exempt(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.exempt.iter().any(|network| network.contains(address))
    }

    /// Says whether `address` is a forwarder that is believed.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.proxies.iter().any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_of_ipv4_or_a_site_of_ipv6() {
        let config = GuardConfig::default();
        #[rustfmt::skip]
        let table = [
            ("192.0.2.7",                     "192.0.2.7/32"),
            ("::ffff:192.0.2.7",              "192.0.2.7/32"),
            ("2001:db8:1:2:aaaa::1",          "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff:ffff:ffff:1", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1",               "2001:db8:1:3::/64"),
        ];
        for (address, network) in table {
            let found = config.network_of(address.parse().unwrap());
            assert_eq!(found.to_string(), network, "{address}");
        }
    }

    #[test]
    fn what_would_guard_nothing_is_refused_with_the_reason() {
        #[rustfmt::skip]
        let table = [
            ("network_bits = { v4 = 1, v6 = 128 }",    ""),
            ("network_bits = { v4 = 0 }",              "the first 1 to 32 bits"),
            ("network_bits = { v4 = 33 }",             "the first 1 to 32 bits"),
            ("network_bits = { v6 = 0 }",              "the first 1 to 128 bits"),
            ("network_bits = { v6 = 129 }",            "the first 1 to 128 bits"),
            ("penalties = { bar = 600 }",              ""),
            ("penalties = { bar = 601 }",              "`max` = 600 seconds at most"),
            ("penalties = { max = 14 }",               "none would ever reach `bar` = 15"),
            ("penalties = { bar = 0, max = 0 }",       ""),
        ];
        for (line, refusal) in table {
            match toml::from_str::<GuardConfig>(line) {
                Ok(_) => assert_eq!(refusal, "", "{line}"),
                Err(error) => {
                    let told = error.to_string();
                    assert!(!refusal.is_empty() && told.contains(refusal), "{told}");
                }
            }
        }
    }

    #[test]
    fn a_disguised_address_is_exempt_and_believed_as_itself() {
        let config = GuardConfig {
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..GuardConfig::default()
        };
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(config.is_exempt(address("127.3.2.1")));
        assert!(config.is_exempt(address("::ffff:127.0.0.1")));
        assert!(config.is_exempt(address("::1")));
        assert!(!config.is_exempt(address("::2")));
        assert!(config.is_proxy(address("::ffff:10.1.1.1")));
        assert!(!config.is_proxy(address("11.0.0.1")));
    }
}
