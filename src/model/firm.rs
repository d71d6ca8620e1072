//! What may a firm or a device be called?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a firm or a device in logins, folders and commands.
///
/// Lower-case letters, digits and hyphens, a letter or digit at both ends, at most
/// [`Name::BYTES_MAX`] long; so it is legal as a file name, and a login `FIRM.DEVICE` has one reading.
///
/// ```
/// # use sluis::model::Name;
/// assert!("kantoor-peeters".parse::<Name>().is_ok());
/// assert!("pc.kevin".parse::<Name>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// The longest name, in bytes.
    pub const BYTES_MAX: usize = 40;

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text cannot name a firm or a device.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be a name: use lower-case letters, digits and hyphens, with a letter or digit at both ends, at most {max} long",
    max = Name::BYTES_MAX
)]
pub struct InvalidName(String);

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let ends = text.bytes().next().is_some_and(plain) && text.bytes().last().is_some_and(plain);
        let inside = text.bytes().all(|b| plain(b) || b == b'-');
        if ends && inside && text.len() <= Self::BYTES_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(text.to_owned()))
        }
    }
}

/// A language of folder words and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Dutch.
    Nl,
    /// French.
    Fr,
    /// English.
    En,
    /// German.
    De,
}

impl Language {
    /// Returns the ISO 639-1 code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nl => "nl",
            Self::Fr => "fr",
            Self::En => "en",
            Self::De => "de",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "nl" => Ok(Self::Nl),
            "fr" => Ok(Self::Fr),
            "en" => Ok(Self::En),
            "de" => Ok(Self::De),
            other => Err(format!(
                "`{other}` is not a language here: use nl, fr, en or de"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_one_past_the_limit_is_refused() {
        assert!("a".repeat(Name::BYTES_MAX).parse::<Name>().is_ok());
        assert!("a".repeat(Name::BYTES_MAX + 1).parse::<Name>().is_err());
    }

    #[test]
    fn a_name_that_a_path_or_a_login_would_misread_is_refused() {
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", "..", "é", "a b", "a\0"] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}
