//! Which addresses belong together?

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A range of addresses: `10.1.0.0/16`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    base: IpAddr,
    bits: u32,
}

impl Network {
    /// Returns the range of `bits` that `address` is in; more bits than it has are as many as it has.
    pub fn around(address: IpAddr, bits: u32) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let bits = bits.min(32);
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                let base = Ipv4Addr::from_bits(v4.to_bits() & mask).into();
                Self { base, bits }
            }
            IpAddr::V6(v6) => {
                let bits = bits.min(128);
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                let base = Ipv6Addr::from_bits(v6.to_bits() & mask).into();
                Self { base, bits }
            }
        }
    }

    /// Says whether `address` is in it. A disguised IPv4 address is in no network of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(own)) => {
                shares(32, base.to_bits().into(), own.to_bits().into(), self.bits)
            }
            (IpAddr::V6(base), IpAddr::V6(own)) => {
                shares(128, base.to_bits(), own.to_bits(), self.bits)
            }
            _ => false,
        }
    }

    /// Says whether the two have an address in common.
    pub fn meets(&self, other: &Self) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }

    /// Returns a range of disguised IPv4 addresses as the one of IPv4 that is meant.
    fn canonical(self) -> Self {
        let IpAddr::V4(v4) = self.base.to_canonical() else {
            return self;
        };
        match self.bits.checked_sub(DISGUISE_BITS) {
            Some(bits) if self.base.is_ipv6() => Self {
                base: v4.into(),
                bits,
            },
            _ => self,
        }
    }

    /// Says whether it is of IPv4.
    pub fn is_v4(&self) -> bool {
        self.base.is_ipv4()
    }
}

/// How many bits stand before a disguised address of IPv4 (RFC 4291 §2.5.5.2).
const DISGUISE_BITS: u32 = 96;

/// Whether two numbers of `width` bits have the first `prefix` of them alike.
pub(crate) fn shares(width: u32, one: u128, other: u128, prefix: u32) -> bool {
    let left = width.saturating_sub(prefix);
    (one ^ other).checked_shr(left).unwrap_or(0) == 0
}

/// Text that is no range of addresses.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no range of addresses: write one such as 10.1.0.0/16, or one address")]
pub struct InvalidNetwork(String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| invalid())?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| invalid())?,
            None => width,
        };
        if bits > width {
            return Err(invalid());
        }
        Ok(Self { base, bits }.canonical())
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_belong_together_by_their_first_bits() {
        #[rustfmt::skip]
        let table = [
            ("192.0.2.7",                  32,  "192.0.2.7/32"),
            ("192.0.2.7",                  24,  "192.0.2.0/24"),
            ("192.0.2.7",                  0,   "0.0.0.0/0"),
            ("192.0.2.7",                  64,  "192.0.2.7/32"),
            ("2001:db8:1:2:3:4:5:6",       64,  "2001:db8:1:2::/64"),
            ("2001:db8:1:2:3:4:5:6",       0,   "::/0"),
            ("2001:db8:1:2:3:4:5:6",       200, "2001:db8:1:2:3:4:5:6/128"),
        ];
        for (address, bits, network) in table {
            let address = address.parse().unwrap();
            assert_eq!(Network::around(address, bits).to_string(), network);
        }
    }

    #[test]
    fn networks_meet_when_one_is_in_the_other() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        assert!(network("192.0.2.7").meets(&network("192.0.2.0/24")));
        assert!(network("192.0.2.0/24").meets(&network("192.0.2.7")));
        assert!(!network("192.0.3.7").meets(&network("192.0.2.0/24")));
        assert!(!network("::/0").meets(&network("192.0.2.7")));
    }

    #[test]
    fn a_range_of_disguised_addresses_is_the_range_that_is_meant() {
        #[rustfmt::skip]
        let table = [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.7",    "192.0.2.7/32"),
            ("::ffff:0.0.0.0/96",   "0.0.0.0/0"),
            ("::ffff:0.0.0.0/95",   "::ffff:0.0.0.0/95"),
            ("10.0.0.0/8",          "10.0.0.0/8"),
            ("2001:db8::/104",      "2001:db8::/104"),
        ];
        for (text, meant) in table {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), meant);
        }
    }

    #[test]
    fn a_range_that_is_none_is_named() {
        for text in [
            "10.1.0.0/33",
            "::/129",
            "10.1/16",
            "office",
            "",
            "10.0.0.1/-1",
            "10.0.0.1/",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert_eq!(
            "10.1.0.0/33".parse::<Network>().unwrap_err().to_string(),
            "`10.1.0.0/33` is no range of addresses: write one such as 10.1.0.0/16, or one address"
        );
    }

    proptest! {
        #[test]
        fn an_address_is_in_its_network_and_the_network_is_its_text(bits in any::<u128>(), v4 in any::<bool>(), prefix in 0_u32..130) {
            let address: IpAddr = if v4 {
                Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap()).into()
            } else {
                Ipv6Addr::from_bits(bits).into()
            };
            let network = Network::around(address, prefix);
            prop_assert!(network.contains(address));
            prop_assert_eq!(network.to_string().parse::<Network>().unwrap(), network);
        }
    }
}
