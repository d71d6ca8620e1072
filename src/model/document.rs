//! What is this document, and in which journal does it belong?

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::UnknownWord;

/// What a document is (BT-3 and its root element).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An invoice, self-billed or not.
    Invoice,
    /// A credit note, as `CreditNote` or as type code 381 under `Invoice`.
    CreditNote,
    /// A Cross Industry Invoice: another syntax, which no linked program reads.
    Cii,
    /// An application response: an answer about a document.
    Response,
    /// Something else that could be read: a PDF, an order.
    Other,
    /// Not XML, broken, or past a limit: the remarks say what and where.
    Unreadable,
}

impl Kind {
    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CreditNote => "credit_note",
            Self::Cii => "cii",
            Self::Response => "response",
            Self::Other => "other",
            Self::Unreadable => "unreadable",
        }
    }
}

impl FromStr for Kind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "invoice" => Ok(Self::Invoice),
            "credit_note" => Ok(Self::CreditNote),
            "cii" => Ok(Self::Cii),
            "response" => Ok(Self::Response),
            "other" => Ok(Self::Other),
            "unreadable" => Ok(Self::Unreadable),
            other => Err(UnknownWord::new(
                other,
                "invoice, credit_note, cii, response, other, unreadable",
            )),
        }
    }
}

/// The journal a document belongs to, judged from its parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// The dossier is the buyer.
    Purchase,
    /// The dossier is the seller.
    Sale,
}

impl Flow {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Purchase, Self::Sale];

    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Sale => "sale",
        }
    }
}

impl FromStr for Flow {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "purchase" => Ok(Self::Purchase),
            "sale" => Ok(Self::Sale),
            other => Err(UnknownWord::new(other, "purchase, sale")),
        }
    }
}
