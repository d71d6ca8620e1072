//! Which words does the whole house use?
//!
//! Floor 0: plain values, checked once when they are made. Nothing here touches the world.

mod access;
mod causes;
mod checksum;
mod delivery;
mod device;
mod digest;
mod document;
mod dossier;
mod duplicates;
mod event;
mod firm;
mod ids;
mod network;

mod party;
mod path;
mod penalty;
mod plain;
mod rejection;
mod retention;
mod setting;
mod temporary;
mod time;
mod transfer;
mod veil;
mod words;

pub use access::{InvalidNetworks, Means, NETWORKS_PER_DEVICE_MAX, Networks};
pub use causes::with_causes;
pub use checksum::{ChecksumHasher, Checksums, ContentHash, HashName, InvalidChecksum};
pub use delivery::{HeldReason, State};
pub use device::{DeviceKind, Uploads};
pub use digest::{Digest, InvalidDigest};
pub use document::{Flow, Kind};
pub use dossier::Identifier;
pub use duplicates::{Doubt, Duplicates};
pub use event::EventKind;
pub use firm::{InvalidName, Language, Name};
pub use ids::{
    DeliveryId, DeviceId, DocumentId, DossierId, EventSeq, FirmId, LegalHoldId, LetterId, LinkId,
    SessionId, WebhookId,
};
pub(crate) use network::shares;
pub use network::{InvalidNetwork, Network};
pub use party::{
    EnterpriseNumber, InvalidEnterpriseNumber, PartyId, PartyIdSource, belgian_numbers_in,
    enterprise_digits_of, normalise,
};
pub use path::{InvalidPath, PATH_BYTES_MAX, VirtualPath, fold};
pub use penalty::{Fault, Penalty};
pub use plain::{escaped, on_one_line, steers};
pub use rejection::Rejected;
pub use retention::{InvalidKeep, InvalidRetention, KEEP_YEARS_MAX, Keep, Retention};
pub use setting::{address, address_or, not_zero};
pub use temporary::{is_litter, is_temporary};
pub use time::{Clock, Timestamp};
pub use transfer::{Approval, Declared, Delay, OrFirm, Origin, Said, Status, Transfer};
pub use veil::Veiled;
pub use words::UnknownWord;
