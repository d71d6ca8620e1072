//! When is the firm's next night, and the next first of a month?
//!
//! A day with two hours of that name takes the first; one that skips the hour takes the time to which
//! the clocks were put forward. So there is exactly one each day, and they only grow.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan as _;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// A firm's time zone, and the hour at which it sends what waits for the night.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Where its clocks stand.
    pub zone: TimeZone,
    /// When its night is.
    pub hour: NightHour,
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            hour: NightHour::default(),
        }
    }
}

/// An hour and a minute of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NightHour(Time);

/// A text that is no hour of the day.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no hour of the day: write it as 02:00, from 00:00 to 23:59")]
pub struct InvalidHour(String);

impl Default for NightHour {
    /// Two o'clock: the office is closed, and backups are done.
    fn default() -> Self {
        Self(Time::constant(2, 0, 0, 0))
    }
}

impl fmt::Display for NightHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl FromStr for NightHour {
    type Err = InvalidHour;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let two = |part: &str| {
            let is_two = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            is_two.then(|| part.parse::<i8>().ok()).flatten()
        };
        let read = || {
            let (hour, minute) = text.split_once(':')?;
            Time::new(two(hour)?, two(minute)?, 0, 0).ok()
        };
        read().map(Self).ok_or_else(|| InvalidHour(text.to_owned()))
    }
}

impl Calendar {
    /// Returns the day that it is at the firm.
    pub fn date(&self, at: Timestamp) -> Date {
        at.date_in(&self.zone)
    }

    /// Returns the first night hour after `from`.
    pub fn next_night(&self, from: Timestamp) -> Timestamp {
        let mut day = self.date(from);
        loop {
            let night = self.at(day);
            match day.checked_add(1.day()) {
                Ok(next) if night <= from => day = next,
                // The end of the calendar is in the year 9999.
                _ => return night,
            }
        }
    }

    /// Returns the first night hour of the first day of a month after `from`.
    pub fn next_month(&self, from: Timestamp) -> Timestamp {
        let day = self.date(from);
        let this = self.at(day.first_of_month());
        if this > from {
            this
        } else {
            self.month_after(day)
        }
    }

    /// Returns the night hour of the first day of the month after that of `day`.
    pub fn month_after(&self, day: Date) -> Timestamp {
        let first = day.first_of_month();
        self.at(first.checked_add(1.month()).unwrap_or(first))
    }

    fn at(&self, day: Date) -> Timestamp {
        let zoned = day.to_datetime(self.hour.0).to_zoned(self.zone.clone());
        // Only the last days that a calendar has are in no zone.
        zoned.map_or(Timestamp(i64::MAX), |zoned| {
            Timestamp(zoned.timestamp().as_millisecond())
        })
    }
}
