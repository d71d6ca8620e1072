//! With what, and from where, may a device log in?

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

use crate::model::{InvalidNetwork, Network, UnknownWord};

/// With what a device logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Means {
    /// Any of its keys, or its password.
    #[default]
    KeyOrPassword,
    /// Any of its keys.
    Key,
    /// Its password.
    Password,
    /// One of its keys, and then its password: neither alone opens a session.
    KeyAndPassword,
}

impl Means {
    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyOrPassword => "key-or-password",
            Self::Key => "key",
            Self::Password => "password",
            Self::KeyAndPassword => "key-and-password",
        }
    }

    /// Says whether who has these could ever log in.
    pub fn are_met_by(self, has_key: bool, has_password: bool) -> bool {
        match self {
            Self::KeyOrPassword => has_key || has_password,
            Self::Key => has_key,
            Self::Password => has_password,
            Self::KeyAndPassword => has_key && has_password,
        }
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Means {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "key-or-password" => Ok(Self::KeyOrPassword),
            "key" => Ok(Self::Key),
            "password" => Ok(Self::Password),
            "key-and-password" => Ok(Self::KeyAndPassword),
            other => Err(UnknownWord::new(
                other,
                "key-or-password, key, password, key-and-password",
            )),
        }
    }
}

/// From where a device logs in: from anywhere, or from some networks only.
///
/// ```
/// # use sluis::model::Networks;
/// let networks: Networks = "192.0.2.0/24,2001:db8::/32".parse().unwrap();
/// assert!(networks.admit("192.0.2.7".parse().unwrap()));
/// assert!(!networks.admit("198.51.100.7".parse().unwrap()));
/// assert!("anywhere".parse::<Networks>().unwrap().admit("198.51.100.7".parse().unwrap()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(Vec<Network>);

/// The networks of one device: each login looks at all of them.
pub const NETWORKS_PER_DEVICE_MAX: usize = 32;

impl Networks {
    /// Says whether a device may log in from `address`.
    pub fn admit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.is_empty() || self.0.iter().any(|network| network.contains(address))
    }

    /// Says whether it may from everywhere.
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.are_all() {
            return f.write_str("anywhere");
        }
        for (at, network) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{network}")?;
        }
        Ok(())
    }
}

/// Text that names no networks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetworks {
    /// One of them is none.
    #[error(transparent)]
    Network(#[from] InvalidNetwork),
    /// There are too many.
    #[error("{0} networks are too many for one device, {NETWORKS_PER_DEVICE_MAX} are the most")]
    TooMany(usize),
}

impl FromStr for Networks {
    type Err = InvalidNetworks;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "anywhere" {
            return Ok(Self::default());
        }
        let mut networks: Vec<Network> = Vec::new();
        for part in text.split(',') {
            let network = part.trim().parse()?;
            if !networks.contains(&network) {
                networks.push(network);
            }
        }
        if networks.len() > NETWORKS_PER_DEVICE_MAX {
            return Err(InvalidNetworks::TooMany(networks.len()));
        }
        Ok(Self(networks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_admitted_from_its_networks_alone() {
        #[rustfmt::skip]
        let table = [
            ("anywhere",                     "192.0.2.7",          true),
            ("anywhere",                     "2001:db8::7",        true),
            ("192.0.2.0/24",                 "192.0.2.255",        true),
            ("192.0.2.0/24",                 "192.0.3.0",          false),
            ("192.0.2.0/24",                 "::ffff:192.0.2.7",   true),
            ("192.0.2.0/24",                 "2001:db8::7",        false),
            ("192.0.2.7, 2001:db8::/32",     "2001:db8:ffff::1",   true),
            ("192.0.2.7, 2001:db8::/32",     "2001:db9::1",        false),
            ("192.0.2.7, 2001:db8::/32",     "192.0.2.8",          false),
            ("0.0.0.0/0",                    "198.51.100.1",       true),
            ("0.0.0.0/0",                    "2001:db8::1",        false),
        ];
        for (networks, address, admitted) in table {
            let networks: Networks = networks.parse().unwrap();
            let found = networks.admit(address.parse().unwrap());
            assert_eq!(found, admitted, "{address} in {networks}");
        }
    }

    #[test]
    fn networks_are_read_as_they_are_written_and_no_text_means_anywhere_by_mistake() {
        for text in ["anywhere", "192.0.2.0/24", "192.0.2.0/24,2001:db8::/32"] {
            assert_eq!(text.parse::<Networks>().unwrap().to_string(), text);
        }
        for wrong in ["", ",", "192.0.2.0/24,", "192.0.2.0/33", "office", "any"] {
            assert!(wrong.parse::<Networks>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn one_network_more_than_a_device_may_have_is_refused() {
        let of = |count: usize| {
            let all: Vec<_> = (0..count).map(|at| format!("10.0.{at}.0/24")).collect();
            all.join(",").parse::<Networks>()
        };
        assert!(of(NETWORKS_PER_DEVICE_MAX).is_ok());
        assert_eq!(
            of(NETWORKS_PER_DEVICE_MAX + 1),
            Err(InvalidNetworks::TooMany(NETWORKS_PER_DEVICE_MAX + 1))
        );
        // The same one twice is one.
        let again = format!("{},10.0.0.0/24", of(NETWORKS_PER_DEVICE_MAX).unwrap());
        assert!(again.parse::<Networks>().is_ok());
    }

    #[test]
    fn means_are_read_as_they_are_written_and_met_or_not() {
        use Means::{Key, KeyAndPassword, KeyOrPassword, Password};
        #[rustfmt::skip]
        let table = [
            // means          neither  key    password both
            (KeyOrPassword,  [false,   true,  true,    true]),
            (Key,            [false,   true,  false,   true]),
            (Password,       [false,   false, true,    true]),
            (KeyAndPassword, [false,   false, false,   true]),
        ];
        for (means, met) in table {
            assert_eq!(means.as_str().parse(), Ok(means));
            let has = [(false, false), (true, false), (false, true), (true, true)];
            assert_eq!(
                has.map(|(key, password)| means.are_met_by(key, password)),
                met
            );
        }
    }
}
