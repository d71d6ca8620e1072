//! For which firms does something arrive?

use jiff::tz::TimeZone;

use super::{Error, Ingest};
use crate::model::{FirmId, Language, Name};

/// A firm, as far as a door must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firm {
    /// Its row.
    pub id: FirmId,
    /// Its name in folders and logins.
    pub slug: Name,
    /// The language in which it is written to.
    pub language: Language,
    /// The time zone in which it is told when something happened.
    pub zone: TimeZone,
}

impl Ingest {
    /// Returns every firm, by slug.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn firms(&self) -> Result<Vec<Firm>, Error> {
        let firms = self.catalog.firms_understood().await?;
        let places = self.places();
        let known = |firm: crate::catalog::Firm| Firm {
            id: firm.id,
            slug: firm.slug,
            language: firm.language,
            zone: places.zone().clone(),
        };
        Ok(firms.into_iter().map(known).collect())
    }
}
