//! What does an event say?

use std::str::FromStr as _;

use crate::model::{
    DeliveryId, DeviceId, DocumentId, EventKind, EventSeq, SessionId, Timestamp, UnknownWord,
};

/// Something that happened, before it has a place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// To which document.
    pub document: Option<DocumentId>,
    /// To which delivery.
    pub delivery: Option<DeliveryId>,
    /// By or for which device.
    pub device: Option<DeviceId>,
    /// In which connection.
    pub session: Option<SessionId>,
    /// The rest, in words and values for a person.
    pub detail: String,
}

impl Event {
    /// Begins an event that names nothing yet.
    pub fn new(kind: EventKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            document: None,
            delivery: None,
            device: None,
            session: None,
            detail: detail.into(),
        }
    }
}

/// An event as it stands in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Its place, from 1.
    pub seq: EventSeq,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
    /// The hash that chains it to the one before.
    pub hash: String,
}

/// An event as it is written down: its words are not understood yet, so that one that nobody understands
/// can still be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its place, from 1.
    pub seq: EventSeq,
    /// When.
    pub at: Timestamp,
    /// What happened, as a word.
    pub kind: String,
    /// To which document.
    pub document: Option<i64>,
    /// To which delivery.
    pub delivery: Option<i64>,
    /// By or for which device.
    pub device: Option<i64>,
    /// In which connection.
    pub session: Option<i64>,
    /// The rest.
    pub detail: String,
    /// The hash that chains it to the one before.
    pub hash: String,
}

impl Written {
    /// Understands what is written.
    ///
    /// # Errors
    ///
    /// When its kind is no word of this program.
    pub fn read(self) -> Result<EventRow, UnknownWord> {
        Ok(EventRow {
            seq: self.seq,
            at: self.at,
            event: Event {
                kind: EventKind::from_str(&self.kind)?,
                document: self.document.map(DocumentId),
                delivery: self.delivery.map(DeliveryId),
                device: self.device.map(DeviceId),
                session: self.session.map(SessionId),
                detail: self.detail,
            },
            hash: self.hash,
        })
    }
}
