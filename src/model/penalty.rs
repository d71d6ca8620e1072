//! What has a network come to, from which connections failed to log in?

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{Timestamp, UnknownWord};

/// How a connection that did not log in has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every key or password was refused; for an unknown login as for a known one.
    Refused,
    /// It ended without an attempt: a scanner.
    NoAttempt,
    /// It did not end its login in time.
    Overdue,
    /// It broke the protocol, or did not speak it.
    Protocol,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::Refused,
        Self::NoAttempt,
        Self::Overdue,
        Self::Protocol,
    ];

    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NoAttempt => "no_attempt",
            Self::Overdue => "overdue",
            Self::Protocol => "protocol",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "logins were refused",
            Self::NoAttempt => "it did not try to log in",
            Self::Overdue => "it did not log in in time",
            Self::Protocol => "it did not speak SSH as it should",
        })
    }
}

impl FromStr for Fault {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|fault| fault.as_str() == text);
        found.ok_or_else(|| UnknownWord::new(text, "refused, no_attempt, overdue, protocol"))
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// What one network has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Penalty {
    /// When all of it has passed.
    pub until: Timestamp,
    /// Whether it bars the network.
    pub is_bar: bool,
    /// What came last.
    pub fault: Fault,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_its_word() {
        for fault in Fault::ALL {
            assert_eq!(fault.as_str().parse(), Ok(fault));
        }
        assert!("crash".parse::<Fault>().is_err());
    }
}
