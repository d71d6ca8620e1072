//! On what do the events and the table not agree?

use std::fmt;

use super::standing::{Place, Standing};
use crate::alarm::Subject;
use crate::model::{DeliveryId, DocumentId, EventKind, EventSeq, State, Timestamp};

/// Something that the events and the table do not agree on, or that the events alone cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// An event tells what cannot have happened to a delivery that stands so.
    Impossible {
        /// Which event.
        seq: EventSeq,
        /// Of which delivery, if it names one.
        delivery: Option<DeliveryId>,
        /// What it tells.
        kind: EventKind,
        /// Where the delivery stood; none if nothing was told of it before.
        state: Option<State>,
    },
    /// An event tells what this program has no word for.
    Unreadable {
        /// Which event.
        seq: EventSeq,
        /// Its word.
        kind: String,
    },
    /// The table says otherwise.
    Other {
        /// Which delivery.
        delivery: DeliveryId,
        /// What is said of it.
        fact: &'static str,
        /// As the events have it.
        told: String,
        /// As the table has it.
        found: String,
    },
    /// No event tells of a delivery that the table has.
    Untold {
        /// Which.
        delivery: DeliveryId,
    },
    /// An alarm is not as the events have it.
    Alarm {
        /// About what.
        subject: Subject,
        /// What is wrong.
        wrong: AlarmFault,
    },
    /// The table lacks a delivery that events tell of.
    Lacking {
        /// Which.
        delivery: DeliveryId,
    },
}

impl Difference {
    /// Returns the delivery it is about.
    pub fn delivery(&self) -> Option<DeliveryId> {
        match self {
            Self::Impossible { delivery, .. } => *delivery,
            Self::Unreadable { .. } => None,
            Self::Alarm { subject, .. } => match subject {
                Subject::Delivery(id) => Some(*id),
                _ => None,
            },
            Self::Other { delivery, .. }
            | Self::Untold { delivery }
            | Self::Lacking { delivery } => Some(*delivery),
        }
    }

    /// Returns the word by which a program knows it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Impossible { .. } => "impossible",
            Self::Unreadable { .. } => "unreadable",
            Self::Other { fact, .. } => fact,
            Self::Untold { .. } => "untold",
            Self::Alarm { .. } => "alarm",
            Self::Lacking { .. } => "lacking",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Impossible {
                seq,
                delivery,
                kind,
                state,
            } => {
                let of = delivery.map_or_else(|| "no delivery".to_owned(), |id| format!("d{id}"));
                let stood = state.map_or("of which nothing was told before", State::as_str);
                write!(
                    f,
                    "event {seq} tells `{}` of {of}, {stood}: that cannot have happened",
                    kind.as_str()
                )
            }
            Self::Unreadable { seq, kind } => {
                write!(
                    f,
                    "event {seq} tells `{kind}`, for which there is no such word here"
                )
            }
            Self::Other {
                delivery,
                fact,
                told,
                found,
            } => {
                write!(
                    f,
                    "d{delivery}: {fact} is {told} by the events, and {found} in the table"
                )
            }
            Self::Untold { delivery } => {
                write!(f, "d{delivery} is in the table, and no event tells of it")
            }
            Self::Alarm { subject, wrong } => {
                let kind = subject.kind().as_str();
                write!(f, "the alarm `{kind}` of {subject} {wrong}")
            }
            Self::Lacking { delivery } => {
                write!(
                    f,
                    "d{delivery} is told by the events, and is not in the table"
                )
            }
        }
    }
}

/// What is wrong with an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmFault {
    /// An event raises it while it is up.
    Twice(EventSeq),
    /// An event clears it while it is not up.
    NotUp(EventSeq),
    /// An event says of it what nobody understands.
    Unclear(EventSeq),
    /// It is in the table, and no event raises it.
    Untold,
    /// The events have it up, and it is not in the table.
    Lacking,
    /// Its reason lasts since another time.
    Since,
}

impl fmt::Display for AlarmFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(seq) => write!(f, "is raised by event {seq}, while it is up"),
            Self::NotUp(seq) => write!(f, "is cleared by event {seq}, while it is not up"),
            Self::Unclear(seq) => write!(f, "is told by event {seq} in words that are none"),
            Self::Untold => f.write_str("is in the table, and no event raises it"),
            Self::Lacking => f.write_str("is up by the events, and is not in the table"),
            Self::Since => f.write_str("has another beginning in the table than in its event"),
        }
    }
}

/// The most differences that are named; further ones are counted. Who finds so many looks at the first.
pub const DIFFERENCES_MAX: usize = 10_000;

/// What was found, named as far as there is room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// The first of them.
    pub named: Vec<Difference>,
    /// How many more there are.
    pub more: u64,
}

impl Differences {
    /// Takes one more.
    pub fn add(&mut self, difference: Difference) {
        if self.named.len() < DIFFERENCES_MAX {
            self.named.push(difference);
        } else {
            self.more += 1;
        }
    }

    /// Returns how many there are.
    pub fn count(&self) -> u64 {
        self.named.len() as u64 + self.more
    }
}

/// Names each fact of which the events and the table tell something else.
pub(super) fn differences(id: DeliveryId, told: &Standing, found: &Standing) -> Vec<Difference> {
    let word = |state: State| state.as_str().to_owned();
    let at = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    let reason = |standing: &Standing| match (standing.state, standing.reason) {
        (State::Held, Some(reason)) => reason.as_str().to_owned(),
        _ => "none".to_owned(),
    };
    let device = |place: Option<Place>| {
        let device = place.and_then(|place| place.device);
        device.map_or_else(|| "none".to_owned(), |id| id.to_string())
    };
    let path = |place: Option<Place>| place.map_or([0; 16], |place| place.path);
    let is_moved = path(told.place) != path(found.place);
    let moved = |text: &str| if is_moved { text } else { "" }.to_owned();
    let facts = [
        ("state", word(told.state), word(found.state)),
        ("reason", reason(told), reason(found)),
        (
            "document",
            told.document.to_string(),
            found.document.to_string(),
        ),
        (
            "generation",
            told.generation.to_string(),
            found.generation.to_string(),
        ),
        (
            "current",
            told.is_current.to_string(),
            found.is_current.to_string(),
        ),
        ("device", device(told.place), device(found.place)),
        ("path", moved("one"), moved("another")),
        (
            "created_at",
            at(Some(told.created)),
            at(Some(found.created)),
        ),
        ("offered_at", at(told.offered), at(found.offered)),
        ("read_at", at(told.read), at(found.read)),
        ("collected_at", at(told.collected), at(found.collected)),
        ("processed_at", at(told.processed), at(found.processed)),
        ("withdrawn_at", at(told.withdrawn), at(found.withdrawn)),
    ];
    let other = |(fact, told, found): (&'static str, String, String)| {
        (told != found).then_some(Difference::Other {
            delivery: id,
            fact,
            told,
            found,
        })
    };
    let facts = facts.into_iter().chain(beside(told, found));
    facts.filter_map(other).collect()
}

/// What is said of the documents beside it.
fn beside(told: &Standing, found: &Standing) -> [(&'static str, String, String); 3] {
    let document =
        |id: Option<DocumentId>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    let both = |fact, told, found| (fact, document(told), document(found));
    [
        // Events tell it of what is held for that, and of nothing else.
        both("duplicate_of", told.like, told.like.and(found.like)),
        both("revision_of", told.revision_of, found.revision_of),
        both("replaced_by", told.replaced_by, found.replaced_by),
    ]
}
