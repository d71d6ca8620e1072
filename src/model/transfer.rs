//! When is a document of this link sent, and what must be true of it first?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{Timestamp, UnknownWord};

/// A transfer rule: when what a link takes is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transfer {
    /// Sent when it arrives.
    AtOnce,
    /// Held until sent by hand.
    Manual,
    /// Sent so long after it was ready.
    After(Delay),
    /// Sent at the firm's hour, the first after it was ready.
    Nightly,
    /// Sent at the firm's hour on the first day of a month, if it is of a month before.
    MonthEnd,
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtOnce => f.write_str("at-once"),
            Self::Manual => f.write_str("manual"),
            Self::After(delay) => write!(f, "after={delay}"),
            Self::Nightly => f.write_str("nightly"),
            Self::MonthEnd => f.write_str("month-end"),
        }
    }
}

impl FromStr for Transfer {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "at-once" => Ok(Self::AtOnce),
            "manual" => Ok(Self::Manual),
            "nightly" => Ok(Self::Nightly),
            "month-end" => Ok(Self::MonthEnd),
            other => {
                let delay = other.strip_prefix("after=").and_then(Delay::parse);
                delay.map(Self::After).ok_or_else(|| {
                    UnknownWord::new(
                        other,
                        "at-once, manual, nightly, month-end, after=10m (s, m, h or d; a year at most)",
                    )
                })
            }
        }
    }
}

/// How long something waits: a number of seconds, minutes, hours or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Delay {
    seconds: i64,
}

/// The longest delay, in seconds: whoever waits a year has mistyped.
const DELAY_SECONDS_MAX: i64 = 366 * 24 * 3600;

/// The units of a delay, in seconds, the longest first.
const UNITS: [(char, i64); 4] = [('d', 24 * 3600), ('h', 3600), ('m', 60), ('s', 1)];

impl Delay {
    /// Reads `45s`, `10m`, `2h` or `3d`: none unless it is of at least a second and at most a year.
    ///
    /// ```
    /// use sluis::model::Delay;
    ///
    /// assert_eq!(Delay::parse("10m").unwrap().to_string(), "10m");
    /// assert_eq!(Delay::parse("120m").unwrap().to_string(), "2h");
    /// assert!(Delay::parse("0m").is_none() && Delay::parse("10").is_none() && Delay::parse("-1h").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (last, unit) = UNITS
            .iter()
            .find_map(|(name, seconds)| Some((text.strip_suffix(*name)?, seconds)))?;
        if !last.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let seconds = last.parse::<i64>().ok()?.checked_mul(*unit)?;
        (1..=DELAY_SECONDS_MAX)
            .contains(&seconds)
            .then_some(Self { seconds })
    }

    /// Returns the instant so long before `until`.
    pub fn before(self, until: Timestamp) -> Timestamp {
        until.plus_ms(self.seconds.saturating_mul(-1000))
    }

    /// Returns the instant so long after `from`.
    pub fn after(self, from: Timestamp) -> Timestamp {
        from.plus_ms(self.seconds.saturating_mul(1000))
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, unit)| self.seconds % unit == 0);
        let (name, unit) = whole.unwrap_or(&('s', 1));
        write!(f, "{}{name}", self.seconds / unit)
    }
}

/// How far a document has come with whoever made it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It may still change: it is not sent by itself.
    Draft,
    /// It was sent to its buyer; of a purchase, it was processed there.
    #[default]
    Sent,
    /// It was paid.
    Paid,
}

impl Status {
    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Sent => "sent",
            Self::Paid => "paid",
        }
    }
}

impl FromStr for Status {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "draft" => Ok(Self::Draft),
            "sent" => Ok(Self::Sent),
            "paid" => Ok(Self::Paid),
            other => Err(UnknownWord::new(other, "draft, sent, paid")),
        }
    }
}

/// Who brought a document to whoever sends it here.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The dossier's own people made it, or took it up.
    #[default]
    Own,
    /// It came from outside, by Peppol or mail, and nobody may have looked at it.
    Incoming,
}

impl Origin {
    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Incoming => "incoming",
        }
    }
}

impl FromStr for Origin {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "own" => Ok(Self::Own),
            "incoming" => Ok(Self::Incoming),
            other => Err(UnknownWord::new(other, "own, incoming")),
        }
    }
}

/// Whether incoming documents wait until somebody has approved them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Approval {
    /// They wait.
    Required,
    /// They are sent as others are.
    NotNeeded,
}

impl Approval {
    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::NotNeeded => "not-needed",
        }
    }
}

impl FromStr for Approval {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "required" => Ok(Self::Required),
            "not-needed" => Ok(Self::NotNeeded),
            other => Err(UnknownWord::new(other, "required, not-needed")),
        }
    }
}

/// What a link decides itself, or leaves to its firm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrFirm<T> {
    /// As its firm has it.
    Firm,
    /// Its own.
    Own(T),
}

impl<T: Copy> OrFirm<T> {
    /// Returns what holds, where the firm has `firm`.
    pub fn or(self, firm: T) -> T {
        match self {
            Self::Firm => firm,
            Self::Own(own) => own,
        }
    }
}

impl<T: fmt::Display> fmt::Display for OrFirm<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firm => f.write_str("firm"),
            Self::Own(own) => own.fmt(f),
        }
    }
}

impl<T: FromStr> FromStr for OrFirm<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "firm" => Ok(Self::Firm),
            other => other.parse().map(Self::Own),
        }
    }
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What whoever sends a document says of it; what is not said, the door decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Said {
    /// How far it has come.
    pub status: Option<Status>,
    /// Who brought it.
    pub origin: Option<Origin>,
    /// Whether somebody has approved it.
    pub approved: Option<bool>,
}

impl Said {
    /// Returns what holds, where the door has `door`.
    pub fn or(self, door: Declared) -> Declared {
        Declared {
            status: self.status.unwrap_or(door.status),
            origin: self.origin.unwrap_or(door.origin),
            approved: self.approved.unwrap_or(door.approved),
        }
    }
}

/// What is taken to be true of a document whose sender says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declared {
    /// How far it has come.
    pub status: Status,
    /// Who brought it.
    pub origin: Origin,
    /// Whether somebody has approved it.
    pub approved: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_as_it_is_read() {
        for text in [
            "at-once",
            "manual",
            "nightly",
            "month-end",
            "after=10m",
            "after=2h",
            "after=45s",
            "after=366d",
        ] {
            assert_eq!(text.parse::<Transfer>().unwrap().to_string(), text);
            assert_eq!(text.parse::<OrFirm<Transfer>>().unwrap().to_string(), text);
        }
        assert_eq!(
            "firm".parse::<OrFirm<Transfer>>().unwrap(),
            OrFirm::Firm::<Transfer>
        );
    }

    #[test]
    fn a_delay_that_nobody_could_mean_is_refused() {
        for text in [
            "after=0s",
            "after=367d",
            "after=8785h",
            "after=1w",
            "after=",
            "after=m",
            "after=+5m",
            "after=1.5h",
            "after=99999999999999999999d",
            "after 10m",
            "later",
        ] {
            assert!(text.parse::<Transfer>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_the_sender_says_goes_before_what_the_door_has() {
        let door = Declared {
            origin: Origin::Incoming,
            ..Declared::default()
        };
        let said = Said {
            status: Some(Status::Paid),
            ..Said::default()
        };

        let held = said.or(door);

        assert_eq!(
            (held.status, held.origin, held.approved),
            (Status::Paid, Origin::Incoming, false)
        );
    }
}
