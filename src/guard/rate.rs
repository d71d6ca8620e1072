//! Which of the things that strangers bring about are told one by one?
//!
//! Whoever has many networks has each of them barred, and connects from each: past some in a minute they are counted,
//! and told together.

use crate::model::Timestamp;

/// How many a minute are told one by one.
const TOLD_MAX: u32 = 20;

/// The minute, in milliseconds.
const MINUTE_MS: i64 = 60 * 1000;

/// Those of this minute.
#[derive(Debug, Default)]
pub(super) struct Rate {
    since: Option<Timestamp>,
    count: u32,
}

impl Rate {
    /// Counts one, and says whether it is to be told by itself.
    pub(super) fn tell_one(&mut self, now: Timestamp) -> bool {
        self.since.get_or_insert(now);
        self.count = self.count.saturating_add(1);
        self.count <= TOLD_MAX
    }

    /// Returns how many others there were, if any, once their minute is over.
    pub(super) fn others(&mut self, now: Timestamp) -> Option<u32> {
        let since = self.since?;
        // A clock that was set back does not make it longer.
        if since <= now && now < since.plus_ms(MINUTE_MS) {
            return None;
        }
        let more = std::mem::take(self).count.saturating_sub(TOLD_MAX);
        (more > 0).then_some(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_networks_is_some_lines_a_minute() {
        let mut barred = Rate::default();
        let at = |seconds: i64| Timestamp(seconds * 1000);
        assert_eq!(barred.others(at(0)), None);

        let told = (0..65_536).filter(|_| barred.tell_one(at(0))).count();
        assert_eq!(told, 20);
        assert_eq!(barred.others(at(59)), None);
        assert_eq!(barred.others(at(60)), Some(65_516));

        assert!(barred.tell_one(at(61)), "a new minute");
        assert_eq!(barred.others(at(0)), None, "nothing was left out");
        assert_eq!(barred.others(at(200)), None);
    }
}
