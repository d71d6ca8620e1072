//! How is a firm's setup written in a file?

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::alarm::OrConfig;
use crate::catalog::FirmRules;
use crate::model::{
    Approval, DeviceKind, Duplicates, InvalidRetention, Keep, Language, Means, Name, Networks,
    OrFirm, Retention, Transfer, Uploads,
};
use crate::transfer::NightHour;

/// A firm with its devices, dossiers and links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) firm: WantedFirm,
    #[serde(default, rename = "device", skip_serializing_if = "Vec::is_empty")]
    pub(super) devices: Vec<WantedDevice>,
    #[serde(default, rename = "dossier", skip_serializing_if = "Vec::is_empty")]
    pub(super) dossiers: Vec<WantedDossier>,
}

/// The firm itself, which is there. What is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedFirm {
    #[serde(with = "word")]
    pub(super) slug: Name,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<Language>,
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) transfer: Option<Transfer>,
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) approval: Option<Approval>,
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) night: Option<NightHour>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) time_zone: Option<String>,
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) keep_in_view: Option<Keep>,
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) keep_documents: Option<Keep>,
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) keep_events: Option<Keep>,
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) duplicates: Option<Duplicates>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) default_device: Option<String>,
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) alarm_uncollected: Option<OrConfig>,
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) alarm_unseen: Option<OrConfig>,
}

impl WantedFirm {
    /// Returns how the firm shall send.
    pub(super) fn rules(&self, present: &FirmRules) -> FirmRules {
        let zone = self.time_zone.as_ref().or(present.time_zone.as_ref());
        FirmRules {
            transfer: self.transfer.unwrap_or(present.transfer),
            approval: self.approval.unwrap_or(present.approval),
            night_hour: self.night.unwrap_or(present.night_hour),
            time_zone: zone.cloned(),
            duplicates: self.duplicates.unwrap_or(present.duplicates),
        }
    }

    /// Returns for how long the firm shall keep things, where that is not as it does.
    pub(super) fn keeps(&self, present: &Retention) -> Result<Option<Retention>, InvalidRetention> {
        let (in_view, documents) = (self.keep_in_view, self.keep_documents);
        let keeps = present.with(in_view, documents, self.keep_events)?;
        Ok((keeps != *present).then_some(keeps))
    }
}

/// An SFTP login. Passwords stand in no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedDevice {
    #[serde(with = "word")]
    pub(super) name: Name,
    pub(super) kind: DeviceKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) uploads: Option<Uploads>,
    /// With what it logs in.
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) login: Option<Means>,
    /// From where: networks with commas between, or `anywhere`.
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Networks>,
    /// Why it may not log in. What is left out enables nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) disabled: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) keys: Vec<WantedKey>,
}

/// A public key as OpenSSH writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a key is a line such as `\"ssh-ed25519 AAAA… comment\"`, or `{ key = \"…\", expires = \"2027-01-31\" }`"
)]
pub(super) enum WantedKey {
    /// Nothing is said of when it expires: for ever, or as it is.
    Line(String),
    /// It is said.
    Until(KeyUntil),
}

/// A key, and until when it is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyUntil {
    pub(super) key: String,
    /// An instant, its last day, or `forever`.
    pub(super) expires: String,
}

impl WantedKey {
    /// Returns its line.
    pub(super) fn line(&self) -> &str {
        match self {
            Self::Line(line) | Self::Until(KeyUntil { key: line, .. }) => line,
        }
    }

    /// Returns what is said of when it expires.
    pub(super) fn expires(&self) -> Option<&str> {
        match self {
            Self::Line(_) => None,
            Self::Until(until) => Some(&until.expires),
        }
    }
}

/// The books of one enterprise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedDossier {
    pub(super) name: String,
    pub(super) ids: Vec<String>,
    #[serde(default, rename = "link", skip_serializing_if = "Vec::is_empty")]
    pub(super) links: Vec<WantedLink>,
}

/// A link of the dossier above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedLink {
    pub(super) profile: String,
    pub(super) code: String,
    /// Else the firm's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
    #[serde(default = "of_firm", with = "word", skip_serializing_if = "is_of_firm")]
    pub(super) transfer: OrFirm<Transfer>,
    #[serde(default = "of_firm", with = "word", skip_serializing_if = "is_of_firm")]
    pub(super) approval: OrFirm<Approval>,
    /// Else as it is; none, where the link is new.
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Date>,
    /// Of its folders; else the firm's, where the profile has it.
    #[serde(default, with = "word_or", skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<Language>,
}

fn of_firm<T>() -> OrFirm<T> {
    OrFirm::Firm
}

fn is_of_firm<T>(rule: &OrFirm<T>) -> bool {
    matches!(rule, OrFirm::Firm)
}

/// A value that is written as a word.
mod word {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The same, of what may be left out.
mod word_or {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes a field so")]
    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        super::word::deserialize(deserializer).map(Some)
    }
}
