//! Is there room for one more connection that has not logged in?
//!
//! Random early drop, as OpenSSH's `MaxStartups`: a flood meets a growing share of refusals before
//! everything is full, and whoever tries again soon gets in.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// How many connections may be logging in: `BEGIN:PERCENT:FULL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Startups {
    begin: usize,
    percent: usize,
    full: usize,
}

impl Startups {
    /// What holds if nothing is configured.
    pub const DEFAULT: Self = Self {
        begin: 50,
        percent: 30,
        full: 500,
    };

    /// Says whether a connection beside `count` others is let in. Below `begin` it always is, from `full`
    /// on it never is; between them the share that is turned away grows from `percent` to all. `die` is
    /// thrown by the caller, evenly from 0 to 99.
    ///
    /// ```
    /// # use sluis::guard::Startups;
    /// let startups: Startups = "50:30:500".parse()?;
    /// assert!(startups.admits(49, 0));
    /// assert!(!startups.admits(50, 29));
    /// assert!(startups.admits(50, 30));
    /// assert!(!startups.admits(500, 99));
    /// # Ok::<(), sluis::guard::InvalidStartups>(())
    /// ```
    pub fn admits(&self, count: usize, die: u8) -> bool {
        if count < self.begin {
            return true;
        }
        if self.is_full(count) {
            return false;
        }
        // Not empty: `begin` is at most `count`, which is below `full`.
        let (past, span) = (count - self.begin, self.full - self.begin);
        let refused = self.percent + (100 - self.percent) * past / span;
        usize::from(die) >= refused
    }

    /// Says whether there is no room for one more beside `count` others, whatever the die says.
    pub fn is_full(&self, count: usize) -> bool {
        count >= self.full
    }
}

/// More connections than a process may hold open are no limit.
const FULL_MAX: usize = 100_000;

/// Text that says nothing about starting up.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` does not say how many connections may log in at a time: write BEGIN:PERCENT:FULL, such as 50:30:500, with BEGIN at most FULL, PERCENT at most 100, and FULL from 1 to {FULL_MAX}"
)]
pub struct InvalidStartups(String);

impl FromStr for Startups {
    type Err = InvalidStartups;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidStartups(text.to_owned());
        let numbers: Result<Vec<usize>, _> = text.split(':').map(str::parse).collect();
        let [begin, percent, full] = numbers.map_err(|_| invalid())?[..] else {
            return Err(invalid());
        };
        if begin > full || percent > 100 || full == 0 || full > FULL_MAX {
            return Err(invalid());
        }
        Ok(Self {
            begin,
            percent,
            full,
        })
    }
}

impl TryFrom<String> for Startups {
    type Error = InvalidStartups;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Startups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.begin, self.percent, self.full)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_share_that_is_turned_away_grows_from_begin_to_full() {
        // The numbers are those of OpenSSH's `should_drop_connection`.
        #[rustfmt::skip]
        let table = [
            // startups    beside  turned away of 100
            ("50:30:500",  0,      0),
            ("50:30:500",  49,     0),
            ("50:30:500",  50,     30),
            ("50:30:500",  275,    65),
            ("50:30:500",  499,    99),
            ("50:30:500",  500,    100),
            ("50:30:500",  9999,   100),
            ("10:100:20",  9,      0),
            ("10:100:20",  10,     100),
            ("5:0:5",      4,      0),
            ("5:0:5",      5,      100),
            ("0:0:1",      0,      0),
            ("0:0:1",      1,      100),
        ];
        for (startups, beside, turned_away) in table {
            let parsed: Startups = startups.parse().unwrap();
            assert_eq!(parsed.to_string(), startups);
            let refused = (0..100).filter(|die| !parsed.admits(beside, *die)).count();
            assert_eq!(refused, turned_away, "{startups} beside {beside}");
        }
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for text in [
            "",
            "50",
            "50:30",
            "60:30:50",
            "0:0:0",
            "1:101:2",
            "a:b:c",
            "1:2:3:4",
            "-1:0:5",
            "1:0:100001",
        ] {
            assert!(text.parse::<Startups>().is_err(), "{text}");
        }
        assert_eq!("50:30:500".parse(), Ok(Startups::DEFAULT));
    }

    proptest! {
        #[test]
        fn whoever_is_let_in_is_let_in_among_fewer(begin in 0_usize..60, percent in 0_usize..=100, more in 1_usize..60, count in 0_usize..150, die in 0_u8..100) {
            let startups = Startups { begin, percent, full: begin + more };
            if startups.admits(count + 1, die) {
                prop_assert!(startups.admits(count, die));
            }
            prop_assert!(count < begin + more || !startups.admits(count, die));
        }
    }
}
