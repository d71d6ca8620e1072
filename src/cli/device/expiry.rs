//! Until when is a key good?

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::cli::Error;
use crate::model::{Keep, Timestamp};

/// What `--expires` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Expiry {
    /// When this time is over.
    After(Keep),
    /// When this day is.
    Day(Date),
}

impl Expiry {
    /// Returns when the key expires that is good from `now` on; never, if it is good for ever.
    pub(super) fn at(self, now: Timestamp, zone: &TimeZone) -> Result<Option<Timestamp>, Error> {
        let day = match self {
            Self::After(keep) => return Ok(keep.until(now)),
            Self::Day(day) => day,
        };
        let at = end_of(day, zone)?;
        if at <= now {
            return Err(Error::Refused(format!(
                "the day {day} is over: a key that has expired logs nobody in; `device key remove` takes one away"
            )));
        }
        Ok(Some(at))
    }
}

/// Returns when a day ends.
pub(in crate::cli) fn end_of(day: Date, zone: &TimeZone) -> Result<Timestamp, Error> {
    let end = day.tomorrow().and_then(|next| next.to_zoned(zone.clone()));
    let end =
        end.map_err(|source| Error::failed(format!("could not tell when {day} ends"), source))?;
    Ok(Timestamp(end.timestamp().as_millisecond()))
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(keep) = text.parse() {
            return Ok(Self::After(keep));
        }
        text.parse().map(Self::Day).map_err(|_| {
            format!("`{text}` is no time: write its last day, such as 2027-01-31, or `90d`, `6mo`, `1y`, or `forever`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_good_until_its_last_day_is_over_where_the_firm_is() {
        let zone = TimeZone::get("Europe/Brussels").unwrap();
        let now = Timestamp::parse("2026-03-14T08:00:00Z").unwrap();
        let at = |text: &str| {
            let expiry: Expiry = text.parse().unwrap();
            expiry.at(now, &zone).map(|at| at.map(|at| at.to_string()))
        };
        let until = |text: &str| Some(format!("{text}.000Z"));

        assert_eq!(at("2026-03-14").unwrap(), until("2026-03-14T23:00:00"));
        assert_eq!(at("2026-07-31").unwrap(), until("2026-07-31T22:00:00"));
        assert_eq!(at("90d").unwrap(), until("2026-06-12T08:00:00"));
        assert_eq!(at("1y").unwrap(), until("2027-03-14T08:00:00"));
        assert_eq!(at("forever").unwrap(), None);
        assert!(
            at("2026-03-13")
                .unwrap_err()
                .to_string()
                .contains("is over")
        );
        for wrong in ["", "tomorrow", "2026-02-30", "10m", "never"] {
            assert!(wrong.parse::<Expiry>().is_err(), "{wrong}");
        }
    }
}
