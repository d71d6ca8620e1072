//! In which folder, and under which name, does a delivery show?

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::neighbours::Links;
use crate::catalog::{self, Firm, Link, Offer, Tx};
use crate::layout::{self, FileFacts, MissingFact, Profile, Profiles, UnknownProfile, YearOf};
use crate::model::{DeviceId, Flow, LinkId, Timestamp};
use crate::ubl::{Party, Reading};

/// The profiles and the time zone in which folders and names are made.
#[derive(Clone)]
pub struct Places {
    profiles: Arc<Profiles>,
    zone: TimeZone,
}

/// A delivery for which no place could be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The link's profile is gone.
    #[error("link `{code}` cannot be shown")]
    Profile {
        /// The link's code.
        code: String,
        /// Why.
        source: UnknownProfile,
    },
    /// The profile wants a fact that the dossier lacks.
    #[error("link `{code}` in profile `{profile}` cannot be shown")]
    Fact {
        /// The link's code.
        code: String,
        /// The profile.
        profile: String,
        /// Why.
        source: MissingFact,
    },
    /// Another link has its folder.
    #[error(
        "link `{code}` has one folder with link {other}, so nobody could tell whose document is in it"
    )]
    Shared {
        /// The link's code.
        code: String,
        /// The other.
        other: LinkId,
    },
    /// The name's number could not be taken.
    #[error("could not take a file number for link `{code}`")]
    Number {
        /// The link's code.
        code: String,
        /// Why.
        source: catalog::Error,
    },
}

impl Error {
    /// Says whether the link itself cannot be shown: then its documents wait until somebody has mended it.
    pub fn is_of_the_link(&self) -> bool {
        matches!(
            self,
            Self::Profile { .. } | Self::Fact { .. } | Self::Shared { .. }
        )
    }
}

/// Two links with one folder: what they get there is held, for nobody could tell whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared<'a> {
    /// Which has it.
    pub first: &'a Link,
    /// Which has it too.
    pub second: &'a Link,
}

impl fmt::Display for Shared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told =
            |link: &Link| format!("link {} (`{}` in `{}`)", link.id, link.code, link.profile);
        let (first, second) = (told(self.first), told(self.second));
        write!(
            f,
            "{second} has a folder of {first}: what either would get there is held. Have their profiles put the dossier's code in the folder; it is then sent by itself"
        )
    }
}

impl Places {
    /// Joins what places are made with.
    pub fn new(profiles: Arc<Profiles>, zone: TimeZone) -> Self {
        Self { profiles, zone }
    }

    /// Returns the profiles.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Returns the time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the time zone in which a firm's night is.
    pub fn zone_of(&self, firm: &Firm) -> TimeZone {
        let own = firm.sends.time_zone.as_deref();
        // It was known when it was written down.
        let known = own.and_then(|name| TimeZone::get(name).ok());
        known.unwrap_or_else(|| self.zone.clone())
    }

    /// Returns the civil date at `now`.
    pub fn today(&self, now: Timestamp) -> Date {
        now.date_in(&self.zone)
    }

    /// Returns the profile of `link`.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub fn profile(&self, link: &Link) -> Result<&Profile, Error> {
        self.profiles
            .find(&link.profile)
            .map_err(|source| Error::Profile {
                code: link.code.clone(),
                source,
            })
    }

    /// Returns the folder of `link` for `flow` on `date`.
    ///
    /// # Errors
    ///
    /// When the profile is gone, or wants a fact that the dossier lacks.
    pub fn folder(&self, link: &Link, flow: Flow, date: Date) -> Result<String, Error> {
        let folder = self.profile(link)?.folder(flow, &facts(link), date);
        folder
            .map(|path| path.to_string())
            .map_err(|source| missing(link, source))
    }

    /// Returns the processed folder of `link` for `flow` on `date`, if its profile has one.
    ///
    /// # Errors
    ///
    /// When the profile is gone, or wants a fact that the dossier lacks.
    pub fn processed_folder(
        &self,
        link: &Link,
        flow: Flow,
        date: Date,
    ) -> Result<Option<String>, Error> {
        let folder = self
            .profile(link)?
            .processed_folder(flow, &facts(link), date);
        folder
            .map(|path| path.map(|path| path.to_string()))
            .map_err(|source| missing(link, source))
    }

    /// Returns which of these links have a folder of another on `date`, each once. None is added so, but a profile
    /// may change.
    pub fn shared<'a>(&self, links: &'a [Link], date: Date) -> Vec<Shared<'a>> {
        let mut owners: BTreeMap<String, &Link> = BTreeMap::new();
        let mut shared = Vec::new();
        for second in links {
            let Ok(profile) = self.profile(second) else {
                continue;
            };
            let folders = profile.preview(&facts(second), date);
            let keys = folders
                .into_iter()
                .filter_map(|(_, folder)| Some(folder.ok()?.key()));
            let mut others = Vec::new();
            for key in keys {
                let owner = *owners.entry(key).or_insert(second);
                others.extend((owner.id != second.id).then_some(owner));
            }
            let first = others.first().copied();
            shared.extend(first.map(|first| Shared { first, second }));
        }
        shared
    }

    /// Makes the place of a document that is offered to `device` now, and takes the number in its name. `links` are
    /// all those of the firm.
    ///
    /// # Errors
    ///
    /// When the link cannot be shown, or the catalog does not answer.
    pub async fn offer(
        &self,
        tx: &mut Tx,
        (link, device): (&Link, DeviceId),
        links: &Links,
        flow: Flow,
        reading: &Reading,
        now: Timestamp,
    ) -> Result<Offer, Error> {
        let today = self.today(now);
        let profile = self.profile(link)?;
        let issued = reading.issued.as_deref().and_then(|text| text.parse().ok());
        let year_of = match profile.year_of() {
            YearOf::Issue => issued.unwrap_or(today),
            YearOf::Sending => today,
        };
        let folder = self.folder(link, flow, year_of)?;
        if let Some(other) = links.neighbour(self, (link.id, flow), year_of) {
            let code = link.code.clone();
            return Err(Error::Shared { code, other });
        }
        let number = |source| Error::Number {
            code: link.code.clone(),
            source,
        };
        // A folder may have been another dossier's before; its names are passed over.
        loop {
            let taken = tx
                .next_name(link.firm, link.dossier, day_number(today))
                .await;
            let (day, seq) = taken.map_err(number)?;
            let named = file_facts(reading, flow, day_of(day).unwrap_or(today), seq, issued);
            let name = layout::file_name(profile.file_name_template(), &named);
            let offer = Offer {
                folder: folder.clone(),
                name,
            };
            let of = (link.id, flow);
            let used = tx.is_name_used(link.firm, device, of, &offer).await;
            if !used.map_err(number)? {
                return Ok(offer);
            }
        }
    }
}

fn file_facts(
    reading: &Reading,
    flow: Flow,
    day: Date,
    seq: u32,
    issued: Option<Date>,
) -> FileFacts<'_> {
    let other = match flow {
        Flow::Purchase => &reading.seller,
        Flow::Sale => &reading.buyer,
    };
    FileFacts {
        day,
        seq,
        number: reading.number.as_deref(),
        party: name_of(other),
        issued,
        kind: reading.kind,
        extension: "xml",
    }
}

/// What folders may say about a link.
pub fn facts(link: &Link) -> layout::LinkFacts<'_> {
    layout::LinkFacts {
        firm: &link.firm_slug,
        dossier_code: &link.code,
        dossier_name: &link.dossier_name,
        enterprise_number: link.enterprise_digits.as_deref(),
        language: link.language,
    }
}

fn missing(link: &Link, source: MissingFact) -> Error {
    Error::Fact {
        code: link.code.clone(),
        profile: link.profile.clone(),
        source,
    }
}

/// What a bookkeeper knows the other party by: its own number, its name, or where it is reached.
fn name_of(party: &Party) -> Option<&str> {
    let any = || {
        let belgian = party.ids.iter().find_map(|id| id.enterprise_digits());
        let vat = || party.ids.iter().find_map(|id| id.key.strip_prefix("vat:"));
        belgian.or_else(vat)
    };
    party.number().or(party.name.as_deref()).or_else(any)
}

fn day_number(date: Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

fn day_of(number: i64) -> Option<Date> {
    let part = |value: i64| i8::try_from(value % 100).ok();
    Date::new(
        i16::try_from(number / 10_000).ok()?,
        part(number / 100)?,
        part(number)?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::plan::tests::party;
    use crate::model::PartyIdSource::{Endpoint, Identification, LegalEntity, Vat};

    #[test]
    fn a_party_is_called_by_no_number_of_somebody_else() {
        let provider = (Endpoint, "0208:0500453583");
        let named = |ids: &[_]| {
            let party = Party {
                name: Some("Jan".to_owned()),
                ..party(ids)
            };
            name_of(&party).map(ToOwned::to_owned)
        };
        #[rustfmt::skip]
        let table: &[(&[_], &str)] = &[
            (&[(LegalEntity, "0239843188"), provider],          "0239843188"),
            (&[(Vat, "BE 0239.843.188"), provider],             "0239843188"),
            (&[(Vat, "DE123456789"), provider],                 "DE123456789"),
            (&[(LegalEntity, "HRB 12345"), (Vat, "DE1234")],    "DE1234"),
            (&[(LegalEntity, "HRB 12345"), provider],           "Jan"),
            (&[(LegalEntity, "0123123123")],                    "Jan"),
            (&[(Identification, "0001234567")],                 "Jan"),
            (&[(Endpoint, "0193:PKE_400001")],                  "Jan"),
            (&[],                                               "Jan"),
        ];
        for (ids, expected) in table {
            assert_eq!(named(ids).as_deref(), Some(*expected), "{ids:?}");
        }
        assert_eq!(name_of(&party(&[provider])), Some("0500453583"));
        assert_eq!(name_of(&party(&[(LegalEntity, "HRB 1")])), Some("HRB1"));
        assert_eq!(name_of(&party(&[])), None);
    }
}
