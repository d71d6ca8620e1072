//! Does every deed stand where it was noted?
//!
//! As with events, the hash of a deed covers the one before it. A cut-off end does not show: the number of the
//! last one, noted elsewhere, shows it.

use sha2::{Digest as _, Sha256};

use crate::model::{Digest, EventSeq, FirmId, Timestamp};

/// What a person did at the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Its place, from 1 on.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// The operating system's user.
    pub who: String,
    /// The command line, without secrets.
    pub command: String,
    /// The firm whose events it told, and from which to which.
    pub told: Option<(FirmId, EventSeq, EventSeq)>,
}

/// A deed with its hash, as it is written down.
pub type NotedDeed = (Deed, String);

/// Returns the hash of a deed after the one whose hash is `before`: over every field with its length.
pub fn deed_hash(before: &str, deed: &Deed) -> String {
    let mut hasher = Sha256::new();
    let mut add = |field: &str| {
        hasher.update(field.len().to_be_bytes());
        hasher.update(field);
    };
    add(before);
    add(&deed.seq.to_string());
    add(&deed.at.0.to_string());
    add(&deed.who);
    add(&deed.command);
    if let Some((firm, first, last)) = deed.told {
        for number in [firm.0, first.0, last.0] {
            add(&number.to_string());
        }
    }
    Digest::from_hasher(hasher).to_string()
}

/// Deeds that are followed from the first on, as many at a time as suits.
#[derive(Debug, Default)]
pub struct Deeds {
    seq: i64,
    hash: String,
    misfit: Option<i64>,
}

impl Deeds {
    /// Follows the next ones, in order.
    pub fn follow(&mut self, next: &[NotedDeed]) {
        for (deed, hash) in next {
            if self.misfit.is_some() {
                return; // nothing behind it can be judged
            }
            self.seq += 1;
            if deed.seq != self.seq || *hash != deed_hash(&self.hash, deed) {
                self.misfit = Some(self.seq);
            }
            self.hash.clone_from(hash);
        }
    }

    /// Returns the place of the first deed that was changed, moved, inserted or removed.
    pub fn misfit(&self) -> Option<i64> {
        self.misfit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(count: i64) -> Vec<NotedDeed> {
        let mut deeds: Vec<NotedDeed> = Vec::new();
        for seq in 1..=count {
            let deed = Deed {
                seq,
                at: Timestamp(seq * 1000),
                who: "root (uid 0)".to_owned(),
                command: format!("sluis firm add kantoor-{seq}"),
                told: (seq != 2).then_some((FirmId(seq), EventSeq(1), EventSeq(1))),
            };
            let before = deeds.last().map_or("", |(_, hash)| hash);
            let hash = deed_hash(before, &deed);
            deeds.push((deed, hash));
        }
        deeds
    }

    /// The place of the first that does not fit; the same however many are followed at a time.
    fn misfit(deeds: &[NotedDeed]) -> Option<i64> {
        let paged = |rows: usize| {
            let mut followed = Deeds::default();
            deeds.chunks(rows).for_each(|page| followed.follow(page));
            followed.misfit()
        };
        let whole = paged(deeds.len().max(1));
        for rows in 1..deeds.len() {
            assert_eq!(paged(rows), whole, "in pages of {rows}");
        }
        whole
    }

    #[test]
    fn deeds_that_nobody_touched_fit() {
        assert_eq!(misfit(&noted(4)), None);
        assert_eq!(misfit(&[]), None);
    }

    #[test]
    fn a_deed_that_was_changed_moved_or_removed_shows() {
        let changes: [fn(&mut Vec<NotedDeed>); 7] = [
            |deeds| deeds[1].0.who = "kevin".to_owned(),
            |deeds| deeds[1].0.command.push('x'),
            |deeds| deeds[1].0.at = Timestamp(0),
            |deeds| deeds[1].0.told = Some((FirmId(9), EventSeq(1), EventSeq(1))),
            |deeds| deeds.swap(1, 2),
            |deeds| drop(deeds.remove(1)),
            |deeds| {
                // With a hash of its own that fits, the next one does not.
                deeds[1].0.who = "kevin".to_owned();
                deeds[1].1 = deed_hash(&deeds[0].1.clone(), &deeds[1].0.clone());
            },
        ];
        for (which, change) in changes.iter().enumerate() {
            let mut deeds = noted(4);
            change(&mut deeds);

            let expected = if which == 6 { 3 } else { 2 };
            assert_eq!(misfit(&deeds), Some(expected), "change {which}");
        }
    }
}
