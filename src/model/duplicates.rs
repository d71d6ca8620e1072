//! What does a firm want done with a document that looks like an earlier one?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::UnknownWord;

/// What becomes of a document with the seller, number, date and kind of one that is here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// It is held, and a person decides.
    #[default]
    Hold,
    /// It takes the place of what nobody has collected, and is a revision of what somebody has.
    Replace,
}

impl Duplicates {
    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Replace => "replace",
        }
    }
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Duplicates {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "hold" => Ok(Self::Hold),
            "replace" => Ok(Self::Replace),
            other => Err(UnknownWord::new(other, "hold, replace")),
        }
    }
}

/// Why nobody but a person can say whether a document is a newer version of one that it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// One of the two numbers is none, or they are not written alike.
    Number,
    /// The seller is not known by a number that is one enterprise's alone, or the two may be of two sellers or shops.
    Seller,
    /// The buyers may be two, or, where the number is the buyer's, he is not known by one of his alone.
    Buyer,
    /// They are not of one type, or one gives back what the other charges, for all that is known.
    Type,
    /// The newer names an account to pay to that the older does not, for all that is known.
    Account,
}

impl Doubt {
    /// Returns the word that JSON uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Seller => "seller",
            Self::Buyer => "buyer",
            Self::Type => "type",
            Self::Account => "account",
        }
    }
}
