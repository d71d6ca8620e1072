//! Which row is meant?

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

id! {
    /// An accounting firm.
    FirmId;
    /// A legal hold.
    LegalHoldId;
    /// One enterprise's books at a firm.
    DossierId;
    /// A dossier joined to a profile.
    LinkId;
    /// One SFTP login.
    DeviceId;
    /// One business document of one firm.
    DocumentId;
    /// One document for one link and device, one generation.
    DeliveryId;
    /// The place of an event in its firm's order, from 1.
    EventSeq;
    /// One connection of a device, unique while the data folder lives.
    SessionId;
    /// One address that a firm tells what happens.
    WebhookId;
    /// An event that a webhook could not be told yet.
    LetterId;
}
