//! For how long are things kept?

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// The longest time that is not for ever, in years: whoever keeps longer keeps for ever.
pub const KEEP_YEARS_MAX: i64 = 100;

/// How long something is kept: a number of days, months or years, or for ever.
///
/// Months and years follow the calendar (in UTC), and never end early: where the day is missing in the last
/// month, they end when the next month begins.
///
/// ```
/// use sluis::model::Keep;
///
/// assert_eq!("24mo".parse::<Keep>().unwrap().to_string(), "2y");
/// assert_eq!("60d".parse::<Keep>().unwrap().to_string(), "60d");
/// assert_eq!("forever".parse(), Ok(Keep::FOREVER));
/// assert!("0d".parse::<Keep>().is_err() && "10m".parse::<Keep>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Keep {
    time: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Span {
    Days(i64),
    Months(i64),
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Keep {
    /// For ever.
    pub const FOREVER: Self = Self { time: None };

    /// Returns so many days.
    const fn days(days: i64) -> Self {
        Self {
            time: Some(Span::Days(days)),
        }
    }

    /// Returns when the time is over of what began at `from`; never, if it is kept for ever.
    pub fn until(self, from: Timestamp) -> Option<Timestamp> {
        match self.time? {
            Span::Days(days) => Some(from.plus_ms(days * DAY_MS)),
            Span::Months(months) => match moved(from, months)? {
                Moved::Day(at) | Moved::NextMonth(at) => Some(at),
            },
        }
    }

    /// Returns the last instant of which the time is over at `now`: what began then or before is kept no
    /// longer. None, if nothing is over.
    pub fn over(self, now: Timestamp) -> Option<Timestamp> {
        match self.time? {
            Span::Days(days) => Some(now.plus_ms(-days * DAY_MS)),
            Span::Months(months) => match moved(now, -months)? {
                Moved::Day(at) => Some(at),
                Moved::NextMonth(at) => Some(at.plus_ms(-1)),
            },
        }
    }

    /// Whether this time is never over later than `other`, whenever both begin.
    pub fn is_within(self, other: Self) -> bool {
        match (self.time, other.time) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(Span::Days(own)), Some(Span::Days(other)))
            | (Some(Span::Months(own)), Some(Span::Months(other))) => own <= other,
            (Some(Span::Days(own)), Some(Span::Months(other))) => own <= days_of(other).0,
            (Some(Span::Months(own)), Some(Span::Days(other))) => days_of(own).1 <= other,
        }
    }
}

/// An instant some months on.
enum Moved {
    /// At the same time of the same day.
    Day(Timestamp),
    /// That day is missing there: when the month after begins.
    NextMonth(Timestamp),
}

/// Returns the instant so many months on; none where no calendar goes.
fn moved(from: Timestamp, months: i64) -> Option<Moved> {
    let instant = jiff::Timestamp::from_millisecond(from.0).ok()?;
    let was = instant.to_zoned(TimeZone::UTC).datetime();
    let month = i64::from(was.year()) * 12 + i64::from(was.month()) - 1 + months;
    let first = first_of(month)?;
    if was.day() <= first.days_in_month() {
        let day = Date::new(first.year(), first.month(), was.day()).ok()?;
        return instant_of(day.to_datetime(was.time())).map(Moved::Day);
    }
    let next = first_of(month + 1)?.to_datetime(Time::midnight());
    instant_of(next).map(Moved::NextMonth)
}

/// Returns the first day of a month, counted from the year 0.
fn first_of(month: i64) -> Option<Date> {
    let year = i16::try_from(month.div_euclid(12)).ok()?;
    Date::new(year, i8::try_from(month.rem_euclid(12)).ok()? + 1, 1).ok()
}

fn instant_of(at: DateTime) -> Option<Timestamp> {
    let zoned = at.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_millisecond()))
}

/// Returns the fewest and the most days that so many months have.
fn days_of(months: i64) -> (i64, i64) {
    // Twelve years of beginnings around a century without its leap day, and as many around one with it.
    let begins = [1894 * 12, 1994 * 12].map(|first| first..first + 144);
    let length = |begin: i64| {
        let (from, to) = (first_of(begin)?, first_of(begin + months)?);
        Some(i64::from(from.until(to).ok()?.get_days()))
    };
    let lengths = begins.into_iter().flatten().filter_map(length);
    lengths.fold((i64::MAX, 0), |(least, most), days| {
        (least.min(days), most.max(days))
    })
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.time {
            None => f.write_str("forever"),
            Some(Span::Days(days)) => write!(f, "{days}d"),
            Some(Span::Months(months)) if months % 12 == 0 => write!(f, "{}y", months / 12),
            Some(Span::Months(months)) => write!(f, "{months}mo"),
        }
    }
}

/// The text is no time for which something is kept.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` says not how long: use days, months or years such as `60d`, `18mo` or `10y`, {KEEP_YEARS_MAX} years at most, or `forever`"
)]
pub struct InvalidKeep(String);

impl FromStr for Keep {
    type Err = InvalidKeep;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "forever" {
            return Ok(Self::FOREVER);
        }
        let invalid = || InvalidKeep(text.to_owned());
        let number = |digits: &str, most: i64| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse::<i64>().ok().filter(|_| plain);
            number.filter(|number| (1..=most).contains(number))
        };
        let time = if let Some(days) = text.strip_suffix('d') {
            number(days, KEEP_YEARS_MAX * 366).map(Span::Days)
        } else if let Some(months) = text.strip_suffix("mo") {
            number(months, KEEP_YEARS_MAX * 12).map(Span::Months)
        } else {
            let years = text.strip_suffix('y').ok_or_else(invalid)?;
            number(years, KEEP_YEARS_MAX).map(|years| Span::Months(years * 12))
        };
        let time = Some(time.ok_or_else(invalid)?);
        Ok(Self { time })
    }
}

/// For how long a firm keeps things: what is done with in its devices' view, documents, and events.
///
/// Nothing in view is of a document that is gone, and no document outlives what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Retention {
    in_view: Keep,
    documents: Keep,
    events: Keep,
}

/// The three times do not fit each other.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRetention {
    /// A file would show whose document is gone.
    #[error("files cannot stay in view ({0}) longer than their documents are kept ({1})")]
    View(Keep, Keep),
    /// A document would be here of which nobody knows how it came.
    #[error("documents cannot be kept ({0}) longer than their events ({1})")]
    Documents(Keep, Keep),
}

impl Retention {
    /// How long a firm keeps things that has not said otherwise: 60 days in view, and nothing is destroyed.
    pub const DEFAULT: Self = Self {
        in_view: Keep::days(60),
        documents: Keep::FOREVER,
        events: Keep::FOREVER,
    };

    /// Joins the three times.
    ///
    /// # Errors
    ///
    /// When one may be over before what it must outlast.
    pub fn new(in_view: Keep, documents: Keep, events: Keep) -> Result<Self, InvalidRetention> {
        if !in_view.is_within(documents) {
            return Err(InvalidRetention::View(in_view, documents));
        }
        if !documents.is_within(events) {
            return Err(InvalidRetention::Documents(documents, events));
        }
        Ok(Self {
            in_view,
            documents,
            events,
        })
    }

    /// Changes those of the three times that are given.
    ///
    /// # Errors
    ///
    /// As those of [`Retention::new`].
    pub fn with(
        &self,
        in_view: Option<Keep>,
        documents: Option<Keep>,
        events: Option<Keep>,
    ) -> Result<Self, InvalidRetention> {
        Self::new(
            in_view.unwrap_or(self.in_view),
            documents.unwrap_or(self.documents),
            events.unwrap_or(self.events),
        )
    }

    /// Returns for how long what is done with shows to its device.
    pub fn in_view(&self) -> Keep {
        self.in_view
    }

    /// Returns for how long documents are kept, since something last happened to them.
    pub fn documents(&self) -> Keep {
        self.documents
    }

    /// Returns for how long it is known what happened to a document that is gone.
    pub fn events(&self) -> Keep {
        self.events
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            in_view,
            documents,
            events,
        } = self;
        write!(
            f,
            "in view {in_view}, documents {documents}, events {events}"
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keep(text: &str) -> Keep {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().unwrap();
        Timestamp(instant.as_millisecond())
    }

    #[test]
    fn a_time_follows_the_calendar_and_never_ends_early() {
        #[rustfmt::skip]
        let table = [
            ("60d",  "2026-01-01T08:00:00Z", "2026-03-02T08:00:00Z"),
            ("1mo",  "2026-01-31T23:00:00Z", "2026-03-01T00:00:00Z"), // February has no such day
            ("1mo",  "2026-01-28T23:00:00Z", "2026-02-28T23:00:00Z"),
            ("1mo",  "2028-01-29T23:00:00Z", "2028-02-29T23:00:00Z"),
            ("1y",   "2028-02-29T12:00:00Z", "2029-03-01T00:00:00Z"), // a leap day
            ("4y",   "2028-02-29T12:00:00Z", "2032-02-29T12:00:00Z"),
            ("10y",  "2026-12-31T23:59:59Z", "2036-12-31T23:59:59Z"),
            ("13mo", "2026-12-31T10:00:00Z", "2028-01-31T10:00:00Z"),
        ];
        for (time, from, until) in table {
            assert_eq!(
                keep(time).until(at(from)),
                Some(at(until)),
                "{time} from {from}"
            );
        }
        assert_eq!(Keep::FOREVER.until(at("2026-01-01T00:00:00Z")), None);
        assert_eq!(Keep::FOREVER.over(at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn one_year_past_the_limit_is_no_time() {
        for (most, past) in [("100y", "101y"), ("1200mo", "1201mo"), ("36600d", "36601d")] {
            assert!(most.parse::<Keep>().is_ok(), "{most}");
            assert!(past.parse::<Keep>().is_err(), "{past}");
        }
        for bad in ["", "d", "-1d", "+1d", "1.5y", "1 y", "0mo", "10m", "ever"] {
            assert!(bad.parse::<Keep>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_shows_is_kept_and_what_is_kept_is_known() {
        let new = |in_view, documents, events| {
            Retention::new(keep(in_view), keep(documents), keep(events)).is_ok()
        };

        assert!(new("60d", "10y", "forever"));
        assert!(new("60d", "60d", "60d"));
        assert!(new("59d", "2mo", "2mo") && !new("60d", "2mo", "2mo")); // January and February
        assert!(new("2mo", "62d", "62d") && !new("2mo", "61d", "61d")); // July and August
        assert!(!new("forever", "10y", "forever"));
        assert!(!new("60d", "10y", "9y"));
        assert!(!new("60d", "forever", "10y"));
    }

    #[test]
    fn an_instant_beyond_all_calendars_is_never_over() {
        for at in [Timestamp(i64::MAX), Timestamp(i64::MIN)] {
            assert_eq!(keep("1mo").until(at), None);
            assert_eq!(keep("1mo").over(at), None);
        }
    }

    fn any_keep() -> impl Strategy<Value = Keep> {
        prop_oneof![
            (1_i64..5000).prop_map(|days| keep(&format!("{days}d"))),
            (1_i64..200).prop_map(|months| keep(&format!("{months}mo"))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_over_is_what_ended_by_now(
            keep in any_keep(),
            from in 0_i64..4_000_000_000_000,
            later in -100_i64 * DAY_MS..100 * DAY_MS,
        ) {
            let until = keep.until(Timestamp(from)).unwrap();
            for now in [until, until.plus_ms(-1), until.plus_ms(1), until.plus_ms(later)] {
                let over = keep.over(now).unwrap();
                prop_assert_eq!(from <= over.0, until <= now);
            }
        }

        #[test]
        fn a_time_within_another_is_never_over_later(
            own in any_keep(),
            other in any_keep(),
            from in 0_i64..4_000_000_000_000,
        ) {
            let from = Timestamp(from);
            if own.is_within(other) {
                prop_assert!(own.until(from) <= other.until(from));
            }
        }

        #[test]
        fn a_time_reads_back_as_it_is_written(keep in any_keep()) {
            prop_assert_eq!(keep.to_string().parse(), Ok(keep));
        }
    }
}
