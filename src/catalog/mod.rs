//! What is written down, and how is it found again?
//!
//! The catalog is SQLite behind `sqlx::Any`: text, bigint and `$1` placeholders, so that another database
//! would need few texts of its own. Every question names its firm. A transaction begins with
//! its write: two that read first and then write would lock each other out.

mod access;
mod alarms;
mod checksums;
mod copies;
mod deeds;
mod deliveries;
mod devices;
mod documents;
mod doomed;
mod error;
mod events;
mod expiring;
mod finds;
mod firms;
mod forgetting;
mod in_use;
mod large;
mod legal_holds;
mod letters;
mod links;
mod marks;
mod migrate;
mod names;
mod open;
mod penalties;
mod rejections;
mod renaming;
mod reports;
mod retention;
mod rows;
mod setup;
mod snapshots;
mod soundness;
mod standing;
mod status;
mod tree;
mod twins;
mod unwritable;
mod uploads;
mod waiting;
mod webhooks;
mod writer;

pub use access::{Credential, Disabled, KeptKey, StoredPassword};
pub use alarms::{Alarm, Overdue, Watched};
pub use copies::{blobs_named_in, not_continued};
pub use deeds::Doer;
pub use deliveries::{Delivery, NewDelivery, Offer};
pub use devices::{Device, DeviceKey, NewDevice, NewSession};
pub use documents::{Document, Known, NewDocument};
pub use doomed::{Sweeps, UNNAMED_MS};
pub use error::Error;
pub use events::{Event, EventRow};
pub use expiring::{Candidate, Expired};
pub use finds::{FOUND_MAX, Found, SessionRow};
pub use firms::{Dossier, Firm, FirmRules};
#[cfg(test)]
pub(crate) use large::tests::large_folder_for_tests;
pub use large::{LargeFolder, PART_FILES, Shown};
pub use legal_holds::{LegalHold, NewLegalHold};
pub use letters::{Dead, DeliveryFacts, DocumentFacts, Letter, LetterState, Settlement, Unsettled};
pub use links::{Link, LinkRules, NewLink};
pub use marks::{Act, Mark, NameInUse};
pub use open::{Catalog, QUESTION_WAITS_MS_MAX};
pub use rejections::{NewRejection, Part, REJECTED_MAX, REJECTED_MS, Rejection};
pub use reports::{DeliveryRow, DocumentRow};
pub use setup::SetupSince;
pub use snapshots::Snapshot;
#[cfg(test)]
pub(crate) use soundness::break_table;
pub use soundness::{RejectedBlob, faults_in, report_catalog};
pub use standing::Due;
pub use status::{HeldCount, OfferedCount};
pub use tree::{Listed, Placed, Setup, Since};
pub use twins::Uncollected;
pub use uploads::Uploaded;
pub use waiting::{DEVICES_ASKED_MAX, WEBHOOKS_ASKED_MAX, WaitingDevice, WaitingWebhook};
pub use webhooks::{NewWebhook, Webhook, WebhookRow};
pub use writer::{Durability, Moment, Tx};
