//! Does every event stand where it was told?
//!
//! The hash of an event covers the hash of the one before it in its firm, so a changed, missing, moved or
//! inserted one shows where the hashes no longer fit. The firm's own row knows the last one, so an end that
//! was cut off shows too. An event that was forgotten has kept its hash and nothing else; a later one must
//! tell of that. Who can write to the database can write all of it anew; against that helps a hash
//! that somebody noted elsewhere ([`Known`]), and each receipt bears one.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::forgotten::Forgotten;
use super::{Event, Written};
use crate::model::{Digest, EventKind, EventSeq, FirmId, Timestamp};

/// What the hash of an event covers, beside the firm and the hash before it.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// Its place.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What happened, as a word.
    pub kind: &'a str,
    /// Document, delivery, device and session.
    pub ids: [Option<i64>; 4],
    /// The rest.
    pub detail: &'a str,
}

impl<'a> Fields<'a> {
    /// Returns what is covered of an event that is told now, at this place.
    pub fn of_event(seq: i64, at: Timestamp, event: &'a Event) -> Self {
        let ids = [
            event.document.map(|id| id.0),
            event.delivery.map(|id| id.0),
            event.device.map(|id| id.0),
            event.session.map(|id| id.0),
        ];
        Self {
            seq,
            at,
            kind: event.kind.as_str(),
            ids,
            detail: &event.detail,
        }
    }

    /// Returns what is covered of an event that is written down.
    pub fn of_written(row: &'a Written) -> Self {
        Self {
            seq: row.seq.0,
            at: row.at,
            kind: &row.kind,
            ids: [row.document, row.delivery, row.device, row.session],
            detail: &row.detail,
        }
    }
}

/// Returns the hash of an event after the one whose hash is `before`: over every field with its length, so
/// that no two events write alike.
pub fn hash(before: &str, firm: FirmId, fields: &Fields<'_>) -> String {
    let mut hasher = Sha256::new();
    let mut add = |field: &str| {
        hasher.update(field.len().to_be_bytes());
        hasher.update(field);
    };
    add(before);
    add(&firm.to_string());
    add(&fields.seq.to_string());
    add(&fields.at.0.to_string());
    add(fields.kind);
    for id in fields.ids {
        add(&id.map_or_else(String::new, |id| id.to_string()));
    }
    add(fields.detail);
    Digest::from_hasher(hasher).to_string()
}

/// The hash that an event had, as somebody noted it elsewhere: `SEQ:HASH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Of which event.
    pub seq: EventSeq,
    /// Its hash then.
    pub hash: String,
}

/// The text is no place and hash.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not SEQ:HASH, the number of an event and the 64 hexadecimal digits of its hash")]
pub struct InvalidKnown(String);

impl FromStr for Known {
    type Err = InvalidKnown;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidKnown(text.to_owned());
        let (seq, hash) = text.split_once(':').ok_or_else(invalid)?;
        let seq = seq.parse().ok().filter(|seq| *seq > 0);
        let digest: Digest = hash.trim().parse().map_err(|_| invalid())?;
        Ok(Self {
            seq: EventSeq(seq.ok_or_else(invalid)?),
            hash: digest.to_string(),
        })
    }
}

/// The events of one firm, followed from the first.
#[derive(Debug)]
pub struct Chain {
    firm: FirmId,
    seq: i64,
    hash: String,
    known: Option<Known>,
    /// Blank events of which none has told yet that they were forgotten, with their hashes.
    blank: BTreeMap<i64, String>,
    /// Documents that are gone, and whose events were not forgotten yet.
    expired: HashSet<i64>,
    forgotten: u64,
}

impl Chain {
    /// Begins before the first event of `firm`. An event whose hash is known must have it.
    pub fn begin(firm: FirmId, known: Option<Known>) -> Self {
        Self {
            firm,
            seq: 0,
            hash: String::new(),
            known,
            blank: BTreeMap::new(),
            expired: HashSet::new(),
            forgotten: 0,
        }
    }

    /// Takes the next event.
    ///
    /// # Errors
    ///
    /// When it does not fit what came before.
    pub fn take(&mut self, row: &Written) -> Result<(), Misfit> {
        let (seq, next) = (row.seq, EventSeq(self.seq.saturating_add(1)));
        if seq > next {
            let last = EventSeq(seq.0 - 1);
            return Err(Misfit::Missing { first: next, last });
        }
        if seq < next {
            return Err(Misfit::OutOfOrder { seq });
        }
        if is_blank(row) {
            self.blank.insert(seq.0, row.hash.clone());
        } else if hash(&self.hash, self.firm, &Fields::of_written(row)) != row.hash {
            return Err(Misfit::Changed { seq });
        } else {
            self.count_forgotten(row)?;
        }
        let known = self.known.as_ref().filter(|known| known.seq == seq);
        if known.is_some_and(|known| known.hash != row.hash) {
            return Err(Misfit::Rewritten { seq });
        }
        self.seq = seq.0;
        self.hash.clone_from(&row.hash);
        Ok(())
    }

    /// Strikes off what an event tells to be forgotten: each must be blank, with the hash that it had then, and
    /// of a document that is gone.
    fn count_forgotten(&mut self, row: &Written) -> Result<(), Misfit> {
        let is = |kind: EventKind| row.kind == kind.as_str();
        if is(EventKind::Expired) {
            self.expired.extend(row.document);
        }
        if !is(EventKind::Forgotten) {
            return Ok(());
        }
        let untrue = Misfit::NotForgotten { seq: row.seq };
        let said = Forgotten::parse(&row.detail).ok_or(untrue)?;
        if !row.document.is_some_and(|id| self.expired.remove(&id)) {
            return Err(untrue);
        }
        let mut hashes = Vec::new();
        for place in said.places() {
            hashes.push(self.blank.remove(&place).ok_or(untrue)?);
        }
        if !said.has(hashes.iter().map(String::as_str)) {
            return Err(untrue);
        }
        self.forgotten += hashes.len() as u64;
        Ok(())
    }

    /// Returns how many events were forgotten, of those that are proven to be.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Returns the last event that was taken, and its hash; 0 and nothing before the first.
    pub fn last(&self) -> (EventSeq, &str) {
        (EventSeq(self.seq), &self.hash)
    }

    /// Ends it, where the firm's row says that its last event is this one.
    ///
    /// # Errors
    ///
    /// When events are missing at the end, or stand there that the firm does not know.
    pub fn end(&self, head: (EventSeq, &str)) -> Result<(), Misfit> {
        let (seq, last) = (EventSeq(self.seq), head.0);
        if seq < last {
            let first = EventSeq(self.seq.saturating_add(1));
            return Err(Misfit::Missing { first, last });
        }
        if seq > last {
            let seq = EventSeq(last.0.saturating_add(1));
            return Err(Misfit::Unknown { seq });
        }
        if self.hash != head.1 {
            return Err(Misfit::OtherHead { seq });
        }
        if let Some((seq, _)) = self.blank.first_key_value() {
            let seq = EventSeq(*seq);
            return Err(Misfit::Blanked { seq });
        }
        match &self.known {
            Some(known) if known.seq > seq => Err(Misfit::Missing {
                first: EventSeq(self.seq.saturating_add(1)),
                last: known.seq,
            }),
            _ => Ok(()),
        }
    }
}

/// Whether an event says nothing any more. One that says a little is none, and must have its hash.
fn is_blank(row: &Written) -> bool {
    let ids = [row.document, row.delivery, row.device, row.session];
    row.kind == EventKind::Blank.as_str() && row.detail.is_empty() && ids == [None; 4]
}

/// Says what is wrong with the event at `seq`.
///
/// `rows` are that one, the one before it and the one after it; `head` is the last, as the firm's row has it. The one after it covers its hash, or the firm's row does:
/// whoever changes an event can give it the hash that follows from it.
pub fn misfit_of(
    firm: FirmId,
    seq: EventSeq,
    rows: &[Written],
    head: (EventSeq, &str),
) -> Option<Misfit> {
    let at = |seq: i64| rows.iter().find(|row| row.seq.0 == seq);
    let (before, row) = match (at(seq.0 - 1), at(seq.0)) {
        (None, Some(row)) if seq.0 == 1 => ("", row),
        (Some(before), Some(row)) => (&*before.hash, row),
        _ => {
            let first = EventSeq(seq.0.saturating_sub(1).max(1));
            return Some(Misfit::Missing { first, last: seq });
        }
    };
    let fits = |before: &str, row| hash(before, firm, &Fields::of_written(row)) == row.hash;
    if !fits(before, row) {
        return Some(Misfit::Changed { seq });
    }
    let next = EventSeq(seq.0.saturating_add(1));
    match at(next.0) {
        // What was forgotten covers nothing any more but by its hash.
        Some(after) if is_blank(after) || fits(&row.hash, after) => None,
        Some(_) => Some(Misfit::Changed { seq: next }),
        None if head.0 > seq => Some(Misfit::Missing {
            first: next,
            last: next,
        }),
        None if head.0 < seq => Some(Misfit::Unknown { seq }),
        None => (head.1 != row.hash).then_some(Misfit::OtherHead { seq }),
    }
}

/// The first event that does not fit, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// These are not there.
    Missing {
        /// From this one.
        first: EventSeq,
        /// To this one.
        last: EventSeq,
    },
    /// It comes after a later one.
    OutOfOrder {
        /// Which.
        seq: EventSeq,
    },
    /// It has not the hash that it should.
    Changed {
        /// Which.
        seq: EventSeq,
    },
    /// It has another hash than somebody noted.
    Rewritten {
        /// Which.
        seq: EventSeq,
    },
    /// The firm does not know that it was told.
    Unknown {
        /// Which.
        seq: EventSeq,
    },
    /// It is blank, and no later event tells that it was forgotten.
    Blanked {
        /// Which.
        seq: EventSeq,
    },
    /// It tells that events were forgotten which were not, or which were others.
    NotForgotten {
        /// Which.
        seq: EventSeq,
    },
    /// It is the last, and the firm knows another hash of it.
    OtherHead {
        /// Which.
        seq: EventSeq,
    },
}

impl Misfit {
    /// Returns which event it is.
    pub fn seq(&self) -> EventSeq {
        match *self {
            Self::Missing { first, .. } => first,
            Self::OutOfOrder { seq }
            | Self::Changed { seq }
            | Self::Rewritten { seq }
            | Self::Unknown { seq }
            | Self::Blanked { seq }
            | Self::NotForgotten { seq }
            | Self::OtherHead { seq } => seq,
        }
    }

    /// Returns the word by which a program knows it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::OutOfOrder { .. } => "out_of_order",
            Self::Changed { .. } => "changed",
            Self::Rewritten { .. } => "rewritten",
            Self::Unknown { .. } => "unknown",
            Self::Blanked { .. } => "blanked",
            Self::NotForgotten { .. } => "not_forgotten",
            Self::OtherHead { .. } => "other_head",
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { first, last } if first == last => write!(f, "event {first} is missing"),
            Self::Missing { first, last } => write!(f, "events {first} to {last} are missing"),
            Self::OutOfOrder { seq } => write!(f, "event {seq} stands after a later one"),
            Self::Changed { seq } => write!(
                f,
                "event {seq} does not have the hash that follows from it and the one before: it was changed, moved or inserted, or the one before was written anew"
            ),
            Self::Rewritten { seq } => write!(
                f,
                "event {seq} fits the others, but has not the hash that is known of it: the events up to it were written anew"
            ),
            Self::Unknown { seq } => write!(
                f,
                "event {seq} is after the last one that the firm knows of: it was inserted"
            ),
            Self::Blanked { seq } => write!(
                f,
                "event {seq} is blank, and no later event tells that it was forgotten: somebody else has blanked it"
            ),
            Self::NotForgotten { seq } => write!(
                f,
                "event {seq} tells that events were forgotten, but those are not blank, have other hashes, or are of a document that is not gone"
            ),
            Self::OtherHead { seq } => write!(
                f,
                "event {seq} is the last, but the firm knows another hash of it: one of the two was changed"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
