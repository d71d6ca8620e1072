//! Which bars are told one by one?
//!
//! Whoever has many networks has each of them barred: past some in a minute they are counted, and told together.

use crate::model::Timestamp;

/// How many a minute are told one by one.
const TOLD_MAX: u32 = 20;

/// The minute, in milliseconds.
const MINUTE_MS: i64 = 60 * 1000;

/// The bars of this minute.
#[derive(Debug, Default)]
pub(super) struct Barred {
    since: Option<Timestamp>,
    bars: u32,
}

impl Barred {
    /// Counts one, and says whether it is to be told by itself.
    pub(super) fn tell_one(&mut self, now: Timestamp) -> bool {
        self.since.get_or_insert(now);
        self.bars = self.bars.saturating_add(1);
        self.bars <= TOLD_MAX
    }

    /// Returns what is to be told of the others, once their minute is over.
    pub(super) fn tell(&mut self, now: Timestamp) -> Option<String> {
        let since = self.since?;
        // A clock that was set back does not make it longer.
        if since <= now && now < since.plus_ms(MINUTE_MS) {
            return None;
        }
        let more = std::mem::take(self).bars.saturating_sub(TOLD_MAX);
        (more > 0).then(|| {
            format!(
                "Barred or narrowed {more} more networks in a minute; `sluis penalties` lists them"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_networks_is_some_lines_a_minute() {
        let mut barred = Barred::default();
        let at = |seconds: i64| Timestamp(seconds * 1000);
        assert_eq!(barred.tell(at(0)), None);

        let told = (0..65_536).filter(|_| barred.tell_one(at(0))).count();
        assert_eq!(told, 20);
        assert_eq!(barred.tell(at(59)), None);
        let rest = barred.tell(at(60)).unwrap();
        assert!(rest.starts_with("Barred or narrowed 65516 more"), "{rest}");

        assert!(barred.tell_one(at(61)), "a new minute");
        assert_eq!(barred.tell(at(0)), None, "nothing was left out");
        assert_eq!(barred.tell(at(200)), None);
    }
}
