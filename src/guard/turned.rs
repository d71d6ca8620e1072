//! How is a flood told in one line?

use super::Refusal;
use crate::model::Timestamp;

/// How often it is told at most, in milliseconds.
const TELL_MS: i64 = 60 * 1000;

/// Connections that were turned away and not told of yet.
#[derive(Debug, Default)]
pub(super) struct Turned {
    told: Option<Timestamp>,
    startups: u64,
    network: u64,
    barred: u64,
}

impl Turned {
    /// Counts one.
    pub(super) fn count(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Startups => self.startups += 1,
            Refusal::Network => self.network += 1,
            Refusal::Barred => self.barred += 1,
        }
    }

    /// Returns what is to be told now: at once what comes after a quiet minute, then once a minute.
    pub(super) fn tell(&mut self, now: Timestamp) -> Option<String> {
        let Self {
            told,
            startups,
            network,
            barred,
        } = *self;
        let is_time = told.is_none_or(|told| now >= told.plus_ms(TELL_MS));
        let all = startups + network + barred;
        if !is_time || all == 0 {
            return None;
        }
        *self = Self {
            told: Some(now),
            ..Self::default()
        };
        Some(format!(
            "Turned {all} connections away: {barred} from barred networks, {network} from networks with too many that have not logged in, {startups} because too many have not logged in at all"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_minute() {
        let mut turned = Turned::default();
        let at = |seconds: i64| Timestamp(seconds * 1000);
        assert_eq!(turned.tell(at(0)), None);

        turned.count(Refusal::Barred);
        assert!(
            turned
                .tell(at(2))
                .unwrap()
                .starts_with("Turned 1 connections away: 1 from barred")
        );
        for _ in 0..1000 {
            turned.count(Refusal::Startups);
        }
        turned.count(Refusal::Network);
        assert_eq!(turned.tell(at(61)), None);
        let told = turned.tell(at(62)).unwrap();

        assert!(
            told.starts_with(
                "Turned 1001 connections away: 0 from barred networks, 1 from networks"
            ),
            "{told}"
        );
        assert_eq!(turned.tell(at(200)), None);
    }
}
