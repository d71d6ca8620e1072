//! Which events were forgotten, so that no other can be blanked in secret?
//!
//! Whoever forgets events tells it with an event of its own, which names each by its place and is bound to
//! their hashes. So a blank event that none of these names was blanked by somebody else.

use std::fmt;
use std::ops::RangeInclusive;

use sha2::{Digest as _, Sha256};

use crate::model::Digest;

/// How many events one telling may name.
pub const FORGOTTEN_MAX: i64 = 10_000_000;

/// What an event says that tells of forgetting: `3-5,9 sha256 …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// The places, ascending.
    places: Vec<RangeInclusive<i64>>,
    /// The digest of the hashes, one after the other.
    hashes: Digest,
}

impl Forgotten {
    /// Names these events, by place and hash, in order.
    pub fn of(events: &[(i64, String)]) -> Self {
        let mut places: Vec<RangeInclusive<i64>> = Vec::new();
        for &(seq, _) in events {
            match places.last_mut() {
                Some(last) if *last.end() + 1 == seq => *last = *last.start()..=seq,
                _ => places.push(seq..=seq),
            }
        }
        let hashes = digest(events.iter().map(|(_, hash)| hash.as_str()));
        Self { places, hashes }
    }

    /// Understands the detail of an event.
    pub fn parse(detail: &str) -> Option<Self> {
        let (listed, hashes) = detail.split_once(" sha256 ")?;
        let range = |part: &str| -> Option<RangeInclusive<i64>> {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
            (first > 0 && first <= last).then_some(first..=last)
        };
        let parts = listed.split(',').filter(|part| !part.is_empty());
        let places: Vec<_> = parts.map(range).collect::<Option<_>>()?;
        let ascend = places.is_sorted_by(|a, b| a.end() < b.start());
        let count = places.iter().try_fold(0_i64, |sum, range| {
            sum.checked_add(range.end() - range.start() + 1)
        });
        let fits = ascend && count? <= FORGOTTEN_MAX;
        let hashes = hashes.parse().ok()?;
        fits.then_some(Self { places, hashes })
    }

    /// Returns the places of the events, in order.
    pub fn places(&self) -> impl Iterator<Item = i64> + '_ {
        self.places.iter().cloned().flatten()
    }

    /// Says whether these are the hashes of the events, in order.
    pub fn has<'a>(&self, hashes: impl Iterator<Item = &'a str>) -> bool {
        digest(hashes) == self.hashes
    }
}

fn digest<'a>(hashes: impl Iterator<Item = &'a str>) -> Digest {
    let mut hasher = Sha256::new();
    for hash in hashes {
        hasher.update(hash.len().to_be_bytes());
        hasher.update(hash);
    }
    Digest::from_hasher(hasher)
}

impl fmt::Display for Forgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.places.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            if range.start() == range.end() {
                write!(f, "{comma}{}", range.start())?;
            } else {
                write!(f, "{comma}{}-{}", range.start(), range.end())?;
            }
        }
        write!(f, " sha256 {}", self.hashes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(places: &[i64]) -> Vec<(i64, String)> {
        places.iter().map(|seq| (*seq, format!("h{seq}"))).collect()
    }

    #[test]
    fn what_follows_each_other_is_named_by_its_ends() {
        let told = Forgotten::of(&events(&[3, 4, 5, 9, 11, 12])).to_string();

        assert!(told.starts_with("3-5,9,11-12 sha256 "), "{told}");
    }

    #[test]
    fn what_is_no_list_of_events_says_nothing() {
        let digest = Digest::of(b"x");
        for bad in [
            "5-3",
            "0-2",
            "3,3",
            "4,2",
            "1-5,5",
            "x",
            "1-99999999999",
            "-1",
            "1-9223372036854775807",
        ] {
            assert_eq!(
                Forgotten::parse(&format!("{bad} sha256 {digest}")),
                None,
                "{bad}"
            );
        }
        assert_eq!(Forgotten::parse("1-2"), None);
    }

    #[test]
    fn one_event_past_the_limit_is_no_list() {
        let digest = Digest::of(b"x");
        let parse = |last: i64| Forgotten::parse(&format!("1-{last} sha256 {digest}"));

        assert!(parse(FORGOTTEN_MAX).is_some());
        assert!(parse(FORGOTTEN_MAX + 1).is_none());
    }

    proptest! {
        #[test]
        fn what_is_told_reads_back(places in proptest::collection::btree_set(1_i64..60, 0..30)) {
            let events = events(&places.iter().copied().collect::<Vec<_>>());
            let told = Forgotten::of(&events);
            let read = Forgotten::parse(&told.to_string()).unwrap();
            prop_assert_eq!(&read, &told);
            prop_assert!(read.places().eq(places));
            prop_assert!(read.has(events.iter().map(|(_, hash)| hash.as_str())));
            let altered = events.iter().rev().map(|(_, hash)| hash.as_str());
            prop_assert!(events.len() < 2 || !read.has(altered));
        }
    }
}
