//! When is a document of this link sent?

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::UnknownWord;

/// The transfer rule of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transfer {
    /// Sent when it arrives.
    AtOnce,
    /// Held until sent by hand.
    Manual,
}

impl Transfer {
    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtOnce => "at-once",
            Self::Manual => "manual",
        }
    }
}

impl FromStr for Transfer {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "at-once" => Ok(Self::AtOnce),
            "manual" => Ok(Self::Manual),
            other => Err(UnknownWord::new(other, "at-once, manual")),
        }
    }
}
