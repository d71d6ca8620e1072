//! What has been forgotten, and must somebody be told?
//!
//! Facts and `now` in, a decision out: nothing here reads a clock or a table. An alarm is up from when
//! its reason has lasted too long until the reason is gone, however often somebody looks meanwhile.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::model::{Delay, DeliveryId, DeviceId, DeviceKind, Timestamp, UnknownWord};

/// How many documents of a firm become alarms at one look: a receiver that is told of each is not flooded when
/// thousands wait.
pub const RAISED_PER_LOOK_MAX: usize = 64;

/// How many alarms about documents a firm has up at the same time: nobody reads a longer list. Others follow as
/// these are cleared.
pub const UP_MAX: usize = 10_000;

/// For how long nobody may look at a drop folder, beyond the time for which there is no reason to, in milliseconds: half
/// an hour. A disk that is mounted anew at night is back by then.
pub const UNTAKEN_MS: i64 = 30 * 60 * 1000;

/// What an alarm tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlarmKind {
    /// A device has not collected a document.
    Uncollected,
    /// A device was not there.
    Unseen,
    /// A drop folder holds rejected files.
    Rejected,
    /// A drop folder cannot be looked at, so nothing is taken from it.
    Untaken,
}

impl AlarmKind {
    /// Returns the word that tables, JSON and events use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uncollected => "uncollected",
            Self::Unseen => "unseen",
            Self::Rejected => "rejected",
            Self::Untaken => "untaken",
        }
    }
}

impl FromStr for AlarmKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "uncollected" => Ok(Self::Uncollected),
            "unseen" => Ok(Self::Unseen),
            "rejected" => Ok(Self::Rejected),
            "untaken" => Ok(Self::Untaken),
            other => {
                let known = "uncollected, unseen, rejected, untaken";
                Err(UnknownWord::new(other, known))
            }
        }
    }
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A delivery that is not collected.
    Delivery(DeliveryId),
    /// A device that was not seen.
    Device(DeviceId),
    /// The firm's drop folder, with rejected files in it.
    DropFolder,
    /// What is dropped there, which nobody takes.
    Dropped,
}

impl Subject {
    /// Returns the subject of an alarm of this kind with this number.
    pub fn of(kind: AlarmKind, number: i64) -> Self {
        match kind {
            AlarmKind::Uncollected => Self::Delivery(DeliveryId(number)),
            AlarmKind::Unseen => Self::Device(DeviceId(number)),
            AlarmKind::Rejected => Self::DropFolder,
            AlarmKind::Untaken => Self::Dropped,
        }
    }

    /// Returns what an alarm about it tells.
    pub fn kind(self) -> AlarmKind {
        match self {
            Self::Delivery(_) => AlarmKind::Uncollected,
            Self::Device(_) => AlarmKind::Unseen,
            Self::DropFolder => AlarmKind::Rejected,
            Self::Dropped => AlarmKind::Untaken,
        }
    }

    /// Returns its number, 0 for what has none.
    pub fn number(self) -> i64 {
        match self {
            Self::Delivery(id) => id.0,
            Self::Device(id) => id.0,
            Self::DropFolder | Self::Dropped => 0,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivery(id) => write!(f, "d{id}"),
            Self::Device(id) => write!(f, "device {id}"),
            Self::DropFolder => f.write_str("the drop folder"),
            Self::Dropped => f.write_str("what is dropped"),
        }
    }
}

/// How long something may last before somebody is told.
///
/// ```
/// use sluis::alarm::Patience;
///
/// assert_eq!("72h".parse::<Patience>().unwrap().to_string(), "3d");
/// assert_eq!("never".parse::<Patience>().unwrap(), Patience::Never);
/// assert!("3".parse::<Patience>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Patience {
    /// For ever.
    Never,
    /// So long, in days of 24 hours, by day and night.
    For(Delay),
}

impl Patience {
    /// Says whether what began at `since` has lasted too long. On a clock that stands before `since` it has not.
    pub fn is_over(self, since: Timestamp, now: Timestamp) -> bool {
        self.began_by(now).is_some_and(|latest| since <= latest)
    }

    /// Returns until when something must have begun that has lasted too long; never, where nothing has.
    pub fn began_by(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::For(delay) => Some(delay.before(now)),
        }
    }
}

impl fmt::Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::For(delay) => delay.fmt(f),
        }
    }
}

impl FromStr for Patience {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "never" => Ok(Self::Never),
            other => Delay::parse(other).map(Self::For).ok_or_else(|| {
                UnknownWord::new(
                    other,
                    "never, or a time such as 4d (s, m, h or d; a year at most)",
                )
            }),
        }
    }
}

impl TryFrom<String> for Patience {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// When somebody is told: the operator's decision, behind that of each firm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How long a document may wait for its device.
    pub uncollected: Patience,
    /// How long a device may stay away.
    pub unseen: Patience,
}

/// From Thursday evening to Monday morning, and from Friday to Tuesday where a holiday follows, an office is closed for
/// less than four days.
impl Default for Limits {
    fn default() -> Self {
        let four_days = Delay::parse("4d").map_or(Patience::Never, Patience::For);
        Self {
            uncollected: four_days,
            unseen: four_days,
        }
    }
}

/// What a firm decides itself, or leaves to the operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OrConfig {
    /// As the configuration has it.
    #[default]
    Config,
    /// Its own.
    Own(Patience),
}

impl OrConfig {
    /// Returns what holds, where the configuration has `configured`.
    pub fn or(self, configured: Patience) -> Patience {
        match self {
            Self::Config => configured,
            Self::Own(own) => own,
        }
    }
}

impl fmt::Display for OrConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("default"),
            Self::Own(own) => own.fmt(f),
        }
    }
}

impl FromStr for OrConfig {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "default" => Ok(Self::Config),
            other => other.parse().map(Self::Own),
        }
    }
}

/// When a firm is told, as far as it does not leave that to the operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnLimits {
    /// How long a document may wait for its device.
    pub uncollected: OrConfig,
    /// How long a device may stay away.
    pub unseen: OrConfig,
}

impl OwnLimits {
    /// Returns what holds, where the configuration has `configured`.
    pub fn or(self, configured: Limits) -> Limits {
        Limits {
            uncollected: self.uncollected.or(configured.uncollected),
            unseen: self.unseen.or(configured.unseen),
        }
    }
}

impl fmt::Display for OwnLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "uncollected {}, unseen {}",
            self.uncollected, self.unseen
        )
    }
}

/// What is known of a device in use that decides whether it is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// How it works.
    pub kind: DeviceKind,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was there last, if it ever was: the latest end, or else beginning, of a connection.
    pub seen: Option<Timestamp>,
    /// Whether it is there now.
    pub is_connected: bool,
    /// Whether somebody has disabled it, so that it cannot come.
    pub is_disabled: bool,
    /// Since when documents are to go there, if any are: a link names it, or it is the default device.
    pub expected_since: Option<Timestamp>,
    /// Since when the oldest document waits there, if one does.
    pub waits_since: Option<Timestamp>,
}

impl Presence {
    /// Returns since when a device is missed, if it is missed at all.
    ///
    /// A program fetches whether or not something waits, and one that has stopped is told of before something does.
    /// A drive is opened by people, when there is something on it. A source comes when it has something to bring.
    pub fn missed_since(&self) -> Option<Timestamp> {
        let wanted = match self.kind {
            _ if self.is_connected || self.is_disabled => None,
            DeviceKind::Source => None,
            DeviceKind::Mount => self.waits_since,
            DeviceKind::Pull | DeviceKind::Bridge => self.expected_since.or(self.waits_since),
        };
        let seen = self.seen.unwrap_or(self.added_at);
        wanted.map(|wanted| wanted.max(seen))
    }
}

/// An alarm that is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Up {
    /// About what.
    pub subject: Subject,
    /// Since when its reason lasts.
    pub since: Timestamp,
    /// When it was raised.
    pub raised_at: Timestamp,
}

impl Up {
    /// Says whether it stays up, where its reason lasts since `reason`, or is gone.
    ///
    /// That the clock was set back since is no end of it.
    pub fn stays(&self, reason: Option<Timestamp>, patience: Patience, now: Timestamp) -> bool {
        match reason {
            None => false,
            Some(since) if since == self.since => patience.is_over(since, now.max(self.raised_at)),
            Some(since) => patience.is_over(since, now),
        }
    }
}

/// Returns how many alarms about documents may be raised at this look, where so many are up.
pub fn room(up: usize) -> usize {
    RAISED_PER_LOOK_MAX.min(UP_MAX.saturating_sub(up))
}

/// What an event of an alarm says beside what it names.
///
/// ```
/// use sluis::alarm::{AlarmKind, Told};
/// use sluis::model::Timestamp;
///
/// let told = Told { kind: AlarmKind::Unseen, since: Timestamp(0) };
/// assert_eq!(told.to_string(), "unseen since 1970-01-01T00:00:00.000Z");
/// assert_eq!(Told::parse(&told.to_string()), Some(told));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// What the alarm tells.
    pub kind: AlarmKind,
    /// Since when its reason lasts.
    pub since: Timestamp,
}

impl Told {
    /// Understands the detail of an event.
    pub fn parse(detail: &str) -> Option<Self> {
        let (kind, since) = detail.split_once(" since ")?;
        Some(Self {
            kind: kind.parse().ok()?,
            since: Timestamp::parse(since)?,
        })
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} since {}", self.kind.as_str(), self.since)
    }
}

#[cfg(test)]
mod tests;
