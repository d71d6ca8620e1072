//! What can happen?

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::UnknownWord;

/// A thing that happened, as the participle of its verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A document arrived and was kept.
    Kept,
    /// An arrival was a document that is here already.
    Recognised,
    /// A document that cannot be read was kept out of sight.
    Quarantined,
    /// A delivery waits; the detail says why.
    Held,
    /// What held a delivery back is gone.
    Released,
    /// A delivery was put in its device's folder.
    Offered,
    /// A device read every byte, where that does not count as collected.
    Read,
    /// A device fetched a delivery whole.
    Collected,
    /// The importer removed a delivery or moved it to the processed folder.
    Processed,
    /// A delivery was taken back.
    Withdrawn,
    /// A delivery is offered again, as a new generation.
    Resent,
    /// A delivery is offered as a revision of an earlier document, which was collected.
    Revised,
    /// Somebody approved a document.
    Approved,
    /// Whoever made a document says that it has come further.
    StatusChanged,
    /// A person said whose books a document is for, or as which flow.
    Moved,
    /// A firm's rules were changed.
    FirmChanged,
    /// A link's rule or device was changed.
    LinkChanged,
    /// A firm was added.
    FirmAdded,
    /// A dossier was added.
    DossierAdded,
    /// A dossier's name or numbers were changed.
    DossierChanged,
    /// A dossier was removed.
    DossierRemoved,
    /// A link was added.
    LinkAdded,
    /// A link was removed.
    LinkRemoved,
    /// A device was added.
    DeviceAdded,
    /// A device was removed.
    DeviceRemoved,
    /// A device was given a key.
    KeyAdded,
    /// A key was taken from a device.
    KeyRemoved,
    /// A key of a device expires at another time.
    KeyChanged,
    /// A device was given a password, or has none any more.
    PasswordChanged,
    /// With what a device logs in, or from where, was changed.
    LoginChanged,
    /// A device may not log in.
    DeviceDisabled,
    /// A device may log in again.
    DeviceEnabled,
    /// Another device gets what no link assigns.
    DefaultChanged,
    /// A device may upload, or no longer may.
    UploadsChanged,
    /// A webhook was added.
    WebhookAdded,
    /// A webhook was removed.
    WebhookRemoved,
    /// A webhook is told nothing for now.
    WebhookPaused,
    /// A webhook is told again.
    WebhookResumed,
    /// A document's time was over, and it was removed with all of its deliveries.
    Expired,
    /// What had happened to a document that is gone was forgotten; the detail says which events.
    Forgotten,
    /// What happened here was forgotten: a later event says so.
    Blank,
    /// Somebody said that documents must not be removed.
    LegalHoldPlaced,
    /// A legal hold was lifted.
    LegalHoldReleased,
    /// Something was forgotten: a document, a device, or rejected files.
    AlarmRaised,
    /// The reason of an alarm is gone.
    AlarmCleared,
}

impl EventKind {
    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Recognised => "recognised",
            Self::Quarantined => "quarantined",
            Self::Held => "held",
            Self::Released => "released",
            Self::Offered => "offered",
            Self::Read => "read",
            Self::Collected => "collected",
            Self::Processed => "processed",
            Self::Withdrawn => "withdrawn",
            Self::Resent => "resent",
            Self::Revised => "revised",
            Self::Approved => "approved",
            Self::StatusChanged => "status_changed",
            Self::Moved => "moved",
            Self::FirmChanged => "firm_changed",
            Self::LinkChanged => "link_changed",
            Self::FirmAdded => "firm_added",
            Self::DossierAdded => "dossier_added",
            Self::DossierChanged => "dossier_changed",
            Self::DossierRemoved => "dossier_removed",
            Self::LinkAdded => "link_added",
            Self::LinkRemoved => "link_removed",
            Self::DeviceAdded => "device_added",
            Self::DeviceRemoved => "device_removed",
            Self::KeyAdded => "key_added",
            Self::KeyRemoved => "key_removed",
            Self::KeyChanged => "key_changed",
            Self::PasswordChanged => "password_changed",
            Self::LoginChanged => "login_changed",
            Self::DeviceDisabled => "device_disabled",
            Self::DeviceEnabled => "device_enabled",
            Self::DefaultChanged => "default_changed",
            Self::UploadsChanged => "uploads_changed",
            Self::WebhookAdded => "webhook_added",
            Self::WebhookRemoved => "webhook_removed",
            Self::WebhookPaused => "webhook_paused",
            Self::WebhookResumed => "webhook_resumed",
            Self::Expired => "expired",
            Self::Forgotten => "forgotten",
            Self::Blank => "blank",
            Self::LegalHoldPlaced => "legal_hold_placed",
            Self::LegalHoldReleased => "legal_hold_released",
            Self::AlarmRaised => "alarm_raised",
            Self::AlarmCleared => "alarm_cleared",
        }
    }
}

impl FromStr for EventKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "kept" => Ok(Self::Kept),
            "recognised" => Ok(Self::Recognised),
            "quarantined" => Ok(Self::Quarantined),
            "held" => Ok(Self::Held),
            "released" => Ok(Self::Released),
            "offered" => Ok(Self::Offered),
            "read" => Ok(Self::Read),
            "collected" => Ok(Self::Collected),
            "processed" => Ok(Self::Processed),
            "withdrawn" => Ok(Self::Withdrawn),
            "resent" => Ok(Self::Resent),
            "revised" => Ok(Self::Revised),
            "approved" => Ok(Self::Approved),
            "status_changed" => Ok(Self::StatusChanged),
            "moved" => Ok(Self::Moved),
            "firm_changed" => Ok(Self::FirmChanged),
            "link_changed" => Ok(Self::LinkChanged),
            "firm_added" => Ok(Self::FirmAdded),
            "dossier_added" => Ok(Self::DossierAdded),
            "dossier_changed" => Ok(Self::DossierChanged),
            "dossier_removed" => Ok(Self::DossierRemoved),
            "link_added" => Ok(Self::LinkAdded),
            "link_removed" => Ok(Self::LinkRemoved),
            "device_added" => Ok(Self::DeviceAdded),
            "device_removed" => Ok(Self::DeviceRemoved),
            "key_added" => Ok(Self::KeyAdded),
            "key_removed" => Ok(Self::KeyRemoved),
            "key_changed" => Ok(Self::KeyChanged),
            "password_changed" => Ok(Self::PasswordChanged),
            "login_changed" => Ok(Self::LoginChanged),
            "device_disabled" => Ok(Self::DeviceDisabled),
            "device_enabled" => Ok(Self::DeviceEnabled),
            "default_changed" => Ok(Self::DefaultChanged),
            "uploads_changed" => Ok(Self::UploadsChanged),
            "webhook_added" => Ok(Self::WebhookAdded),
            "webhook_removed" => Ok(Self::WebhookRemoved),
            "webhook_paused" => Ok(Self::WebhookPaused),
            "webhook_resumed" => Ok(Self::WebhookResumed),
            "expired" => Ok(Self::Expired),
            "forgotten" => Ok(Self::Forgotten),
            "blank" => Ok(Self::Blank),
            "legal_hold_placed" => Ok(Self::LegalHoldPlaced),
            "legal_hold_released" => Ok(Self::LegalHoldReleased),
            "alarm_raised" => Ok(Self::AlarmRaised),
            "alarm_cleared" => Ok(Self::AlarmCleared),
            other => Err(UnknownWord::new(
                other,
                "kept, recognised, quarantined, held, released, offered, read, collected, processed, withdrawn, resent, revised, approved, status_changed, moved, firm_changed, link_changed, firm_added, dossier_added, dossier_changed, dossier_removed, link_added, link_removed, device_added, device_removed, default_changed, key_added, key_removed, key_changed, password_changed, login_changed, device_disabled, device_enabled, uploads_changed, webhook_added, webhook_removed, webhook_paused, webhook_resumed, expired, forgotten, blank, legal_hold_placed, legal_hold_released, alarm_raised, alarm_cleared",
            )),
        }
    }
}
