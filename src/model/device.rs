//! What kind of login is a device, and may it upload?

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::UnknownWord;

/// How a device works, which decides when it has collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A script fetches: read whole and closed is collected.
    Pull,
    /// A person or program works on a mounted drive: only an importer's act counts.
    Mount,
    /// Our own agent; fetches as `Pull` does.
    Bridge,
    /// Uploads only; nothing is offered to it.
    Source,
}

impl DeviceKind {
    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Mount => "mount",
            Self::Bridge => "bridge",
            Self::Source => "source",
        }
    }
}

impl FromStr for DeviceKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pull" => Ok(Self::Pull),
            "mount" => Ok(Self::Mount),
            "bridge" => Ok(Self::Bridge),
            "source" => Ok(Self::Source),
            other => Err(UnknownWord::new(other, "pull, mount, bridge, source")),
        }
    }
}

/// Whether a device may put documents into its folder `/in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Uploads {
    /// It may.
    On,
    /// It has no such folder.
    Off,
}

impl Uploads {
    /// Returns what holds for a device of this kind that was given this: a source does nothing but upload.
    #[must_use]
    pub fn of(self, kind: DeviceKind) -> Self {
        match kind {
            DeviceKind::Source => Self::On,
            DeviceKind::Pull | DeviceKind::Mount | DeviceKind::Bridge => self,
        }
    }

    /// Returns the word that JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

impl FromStr for Uploads {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            other => Err(UnknownWord::new(other, "on, off")),
        }
    }
}
