//! Why was a file not accepted that a device put into `/in`?

use std::str::FromStr;

use super::UnknownWord;

/// Why a file that a device put into `/in` was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejected {
    /// Nobody can read it. Its bytes are kept, in quarantine.
    Unreadable,
    /// It has more bytes than a file may have.
    TooLarge,
    /// With it the firm would have put in too many bytes on that day.
    DayBytes,
    /// With it the firm would have put in too many files on that day.
    DayFiles,
    /// It was put under a temporary name, and got no other for a day.
    NeverNamed,
}

impl Rejected {
    /// Returns the word that tables use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::DayBytes => "day_bytes",
            Self::DayFiles => "day_files",
            Self::NeverNamed => "never_named",
        }
    }
}

impl FromStr for Rejected {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "unreadable" => Ok(Self::Unreadable),
            "too_large" => Ok(Self::TooLarge),
            "day_bytes" => Ok(Self::DayBytes),
            "day_files" => Ok(Self::DayFiles),
            "never_named" => Ok(Self::NeverNamed),
            other => Err(UnknownWord::new(
                other,
                "unreadable, too_large, day_bytes, day_files, never_named",
            )),
        }
    }
}
