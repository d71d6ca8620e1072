//! When did it happen?

use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// An instant, in milliseconds since 1970 (UTC).
///
/// Printed as ISO 8601 in UTC, which is what a listing and an event show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads it as it is printed.
    pub fn parse(text: &str) -> Option<Self> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        Some(Self(instant.as_millisecond()))
    }

    /// Returns whole seconds since 1970, as SFTP's `mtime` counts them (filexfer-02 §5), within its 32 bits.
    pub fn as_sftp_seconds(self) -> u32 {
        u32::try_from(self.0.div_euclid(1000)).unwrap_or(if self.0 < 0 { 0 } else { u32::MAX })
    }

    /// Returns the instant `ms` milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Returns the civil date in `zone`.
    pub fn date_in(self, zone: &TimeZone) -> jiff::civil::Date {
        self.instant().to_zoned(zone.clone()).date()
    }

    /// Returns when the civil day in `zone` began, and when the next one will: 23 to 25 hours later.
    pub fn day_in(self, zone: &TimeZone) -> (Self, Self) {
        let zoned = self.instant().to_zoned(zone.clone());
        let began = zoned.start_of_day();
        let next = began.as_ref().ok().and_then(|began| {
            let tomorrow = began.date().tomorrow().ok()?;
            tomorrow.to_zoned(zone.clone()).ok()
        });
        let instant = |at: &jiff::Zoned| Self(at.timestamp().as_millisecond());
        (
            began.as_ref().map_or(Self(i64::MIN), instant),
            next.as_ref().map_or(Self(i64::MAX), instant),
        )
    }

    /// Returns the minute as people in `zone` write it: `2026-01-01 01:00 CET`.
    pub fn shown_in(self, zone: &TimeZone) -> String {
        let zoned = self.instant().to_zoned(zone.clone());
        zoned.strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// Returns the second as people in `zone` write it, with the zone: `2026-01-01 01:00:00 CET`.
    pub fn shown_to_the_second(self, zone: &TimeZone) -> String {
        let zoned = self.instant().to_zoned(zone.clone());
        zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// Returns it as a clock on a wall in `zone` shows it, to the second.
    pub fn local(self, zone: &TimeZone) -> String {
        let shown = self.instant().to_zoned(zone.clone());
        shown.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn instant(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.instant())
    }
}

/// What tells the time. The house makes one from the system's clock; a test makes its own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// Makes a clock of anything that tells the time.
    pub fn new(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Returns the time it is.
    pub fn read(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_utc_to_the_millisecond() {
        assert_eq!(
            Timestamp(1_767_225_600_001).to_string(),
            "2026-01-01T00:00:00.001Z"
        );
        let read = Timestamp::parse("2026-01-01T00:00:00.001Z");
        assert_eq!(read, Some(Timestamp(1_767_225_600_001)));
    }

    #[test]
    fn a_time_before_1970_is_zero_for_sftp() {
        assert_eq!(Timestamp(-1).as_sftp_seconds(), 0);
        assert_eq!(Timestamp(1_999).as_sftp_seconds(), 1);
        assert_eq!(Timestamp(i64::MAX).as_sftp_seconds(), u32::MAX);
    }

    #[test]
    fn a_day_has_as_many_hours_as_its_clocks() {
        let zone = TimeZone::get("Europe/Brussels").unwrap();
        let hours = |noon: i64| {
            let (from, to) = Timestamp(noon).day_in(&zone);
            assert!(from.0 < noon && noon < to.0);
            assert_eq!(Timestamp(to.0 - 1).day_in(&zone), (from, to));
            assert_eq!(to.day_in(&zone).0, to);
            (to.0 - from.0) / 3_600_000
        };

        assert_eq!(hours(1_773_489_600_000), 24); // 2026-03-14T12:00Z
        assert_eq!(hours(1_774_785_600_000), 23); // 2026-03-29, clocks go forward
        assert_eq!(hours(1_792_929_600_000), 25); // 2026-10-25, and back
    }

    #[test]
    fn midnight_in_brussels_is_another_day_than_in_utc() {
        let zone = TimeZone::get("Europe/Brussels").unwrap();

        let date = Timestamp(1_767_223_800_000).date_in(&zone); // 2025-12-31T23:30Z

        assert_eq!(date.to_string(), "2026-01-01");
        assert_eq!(
            Timestamp(1_767_223_800_000).shown_in(&zone),
            "2026-01-01 00:30 CET"
        );
    }
}
