//! What can be said of where a delivery stands?

use std::fmt;

use crate::model::{DeliveryId, DeviceId, Digest, DocumentId, HeldReason, State, Timestamp};

/// Where a delivery stands: by the events, or in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Of which document.
    pub document: DocumentId,
    /// From 1.
    pub generation: i64,
    /// Whether it is the last generation.
    pub is_current: bool,
    /// How far it has come.
    pub state: State,
    /// Why it waits, while it does.
    pub reason: Option<HeldReason>,
    /// To which device and where, once it was offered.
    pub place: Option<Place>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was offered.
    pub offered: Option<Timestamp>,
    /// When it was read whole.
    pub read: Option<Timestamp>,
    /// When it was collected.
    pub collected: Option<Timestamp>,
    /// When it was processed.
    pub processed: Option<Timestamp>,
    /// When it was withdrawn.
    pub withdrawn: Option<Timestamp>,
    /// The document that it looks like. Events tell it of what is held for that.
    pub like: Option<DocumentId>,
    /// The document of which it is a revision.
    pub revision_of: Option<DocumentId>,
    /// The document that took its place.
    pub replaced_by: Option<DocumentId>,
}

/// At which device, and where, a delivery shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// At which device.
    pub device: Option<DeviceId>,
    pub(super) path: [u8; 16],
}

impl Place {
    /// Returns the place at this path, folder and name, of a device.
    pub fn new(device: Option<DeviceId>, path: &str) -> Self {
        let mut begin = [0; 16];
        begin.copy_from_slice(&Digest::of(path.as_bytes()).as_bytes()[..16]);
        Self {
            device,
            path: begin,
        }
    }
}

impl Standing {
    pub(super) fn new(document: DocumentId, state: State, created: Timestamp) -> Self {
        Self {
            document,
            generation: 1,
            is_current: true,
            state,
            reason: None,
            place: None,
            created,
            offered: None,
            read: None,
            collected: None,
            processed: None,
            withdrawn: None,
            like: None,
            revision_of: None,
            replaced_by: None,
        }
    }

    pub(super) fn is_in(&self, states: &[State]) -> bool {
        self.is_current && states.contains(&self.state)
    }
}

/// What an event of a new generation says: which one, after which delivery, and why.
///
/// ```
/// # use sluis::evidence::replay::Resent;
/// # use sluis::model::DeliveryId;
/// let said = Resent { generation: 2, after: Some(DeliveryId(7)), reason: "lost".into() };
/// assert_eq!(said.to_string(), "generation 2 after d7: lost");
/// assert_eq!(Resent::parse(&said.to_string()), Some(said));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resent {
    /// From 2.
    pub generation: i64,
    /// The delivery whose place it takes; early events do not say it.
    pub after: Option<DeliveryId>,
    /// Why, in a person's words.
    pub reason: String,
}

impl Resent {
    /// Understands the detail of an event.
    pub fn parse(detail: &str) -> Option<Self> {
        let (head, reason) = detail.strip_prefix("generation ")?.split_once(": ")?;
        let (generation, after) = match head.split_once(" after d") {
            Some((generation, id)) => (generation, Some(DeliveryId(id.parse().ok()?))),
            None => (head, None),
        };
        Some(Self {
            generation: generation.parse().ok()?,
            after,
            reason: reason.to_owned(),
        })
    }
}

impl fmt::Display for Resent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {}", self.generation)?;
        if let Some(after) = self.after {
            write!(f, " after d{after}")?;
        }
        write!(f, ": {}", self.reason)
    }
}
