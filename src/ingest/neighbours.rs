//! Which links have one folder, so that nobody could tell whose document lies in it?
//!
//! None is added so, but a profile may change. Documents of such links wait until that is mended.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;

use super::place::{Places, facts};
use crate::catalog::Link;
use crate::layout::{FolderRole, Profile};
use crate::model::{Flow, LinkId};

/// Of which links and flows the folder is another link's too, and whose.
type Shared = HashMap<(LinkId, Flow), LinkId>;

/// Which links have a folder, and as what.
type Owners = HashMap<String, Vec<(LinkId, FolderRole)>>;

/// Of how many months it is remembered which folders are shared: twenty years of documents, but those may name any.
const MONTHS_MAX: usize = 240;

/// The links of a firm, as they were read at one time.
#[derive(Debug)]
pub struct Links {
    all: Vec<Link>,
    known: Mutex<Known>,
}

/// What was found of folders: a firm may have thousands of links, so none is rendered twice for nothing.
#[derive(Debug, Default)]
struct Known {
    lasting: Option<Lasting>,
    /// By month, what is shared with folders that depend on it.
    dated: BTreeMap<Month, Shared>,
}

/// The folders of links whose profiles name no date.
#[derive(Debug)]
struct Lasting {
    owners: Owners,
    shared: Shared,
    /// Whether there are others.
    has_dated: bool,
}

/// A year and a month, as folders may name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Month(i16, i8);

impl Links {
    /// Takes the links of a firm.
    pub fn new(all: Vec<Link>) -> Self {
        let known = Mutex::default();
        Self { all, known }
    }

    /// Returns a link that has the folder too which `link` has for `flow` on `date`.
    pub(super) fn neighbour(
        &self,
        places: &Places,
        (link, flow): (LinkId, Flow),
        date: Date,
    ) -> Option<LinkId> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { lasting, dated } = &mut *known;
        let lasting = lasting.get_or_insert_with(|| self.lasting(places, date));
        let found = lasting.shared.get(&(link, flow)).copied();
        if found.is_some() || !lasting.has_dated {
            return found;
        }
        let month = Month(date.year(), date.month());
        if dated.len() >= MONTHS_MAX && !dated.contains_key(&month) {
            dated.clear();
        }
        let shared = dated
            .entry(month)
            .or_insert_with(|| self.shared_on(places, &lasting.owners, date));
        shared.get(&(link, flow)).copied()
    }

    fn lasting(&self, places: &Places, any_date: Date) -> Lasting {
        let owners = self.owners(places, any_date, |profile| !profile.uses_date());
        let is_dated = |link: &Link| {
            places
                .profile(link)
                .is_ok_and(|profile| profile.uses_date())
        };
        Lasting {
            shared: shared(owners.values().map(|owners| (&owners[..], &[][..]))),
            owners,
            has_dated: self.all.iter().any(is_dated),
        }
    }

    fn shared_on(&self, places: &Places, lasting: &Owners, date: Date) -> Shared {
        let dated = self.owners(places, date, Profile::uses_date);
        let lasting = |folder| lasting.get(folder).map_or(&[][..], Vec::as_slice);
        let folders = dated.iter();
        shared(folders.map(|(folder, owners)| (&owners[..], lasting(folder))))
    }

    /// Returns the folders of the links with such a profile.
    fn owners(&self, places: &Places, date: Date, which: impl Fn(&Profile) -> bool) -> Owners {
        let mut owners = Owners::new();
        for link in &self.all {
            let Some(profile) = places.profile(link).ok().filter(|profile| which(profile)) else {
                continue;
            };
            for (role, folder) in profile.preview(&facts(link), date) {
                if let Ok(folder) = folder {
                    owners
                        .entry(folder.key())
                        .or_default()
                        .push((link.id, role));
                }
            }
        }
        owners
    }
}

/// Finds whose folder is another's too, among the owners of each, who come in two lists.
fn shared<'a>(
    folders: impl Iterator<Item = (&'a [(LinkId, FolderRole)], &'a [(LinkId, FolderRole)])>,
) -> Shared {
    let mut shared = Shared::new();
    for (some, more) in folders {
        for &(own, role) in some.iter().chain(more) {
            let mut all = some.iter().chain(more);
            if role == FolderRole::waiting(role.flow())
                && let Some((other, _)) = all.find(|(other, _)| *other != own)
            {
                shared.insert((own, role.flow()), *other);
            }
        }
    }
    shared
}

impl Deref for Links {
    type Target = [Link];

    fn deref(&self) -> &[Link] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::catalog::LinkRules;
    use crate::layout::Profiles;
    use crate::model::{DossierId, FirmId, Language};

    /// A profile whose folders are those of `codabox` in another year.
    const YEARS: &str = r#"
id = "years"
name = "Years"
confidence = "C"
sure.en = "Ours."
languages = ["en"]

[folders]
purchase = "codabox/{dossier_code}/2025/Invoices-IN-01"
sale = "codabox/{dossier_code}/sales"
"#;

    fn link(id: i64, profile: &str, code: &str) -> Link {
        Link {
            id: LinkId(id),
            firm: FirmId(1),
            firm_slug: "kantoor".to_owned(),
            dossier: DossierId(id),
            dossier_name: "De Korenaar".to_owned(),
            enterprise_digits: None,
            profile: profile.to_owned(),
            code: code.to_owned(),
            language: Language::En,
            device: None,
            sends: LinkRules::FIRM,
        }
    }

    fn places() -> Places {
        let profiles = Profiles::new([("years.toml", YEARS)]).unwrap();
        Places::new(Arc::new(profiles), TimeZone::UTC)
    }

    fn months(links: &Links) -> usize {
        links.known.lock().unwrap().dated.len()
    }

    #[test]
    fn where_no_folder_names_a_date_none_is_rendered_for_each_month() {
        let (places, flow) = (places(), Flow::Purchase);
        let links = Links::new(vec![
            link(1, "expertm", "ACME"),
            link(2, "expertm", "OTHER"),
            link(3, "expertm", "acme"),
        ]);
        let neighbour =
            |id, month| links.neighbour(&places, (LinkId(id), flow), date(2026, month, 1));

        for month in 1..=12 {
            assert_eq!(neighbour(1, month), Some(LinkId(3)));
            assert_eq!(neighbour(2, month), None);
            assert_eq!(neighbour(3, month), Some(LinkId(1)));
        }
        assert_eq!(months(&links), 0);
    }

    #[test]
    fn a_folder_that_names_the_year_is_shared_in_that_year_only_whoever_is_asked() {
        let places = places();
        let links = Links::new(vec![
            link(1, "codabox", "ACME"),
            link(2, "years", "acme"),
            link(3, "codabox", "OTHER"),
            link(4, "expertm", "ACME"),
        ]);
        let neighbour = |id, flow, year| {
            let found = links.neighbour(&places, (LinkId(id), flow), date(year, 3, 14));
            found.map(|link| link.0)
        };

        for _ in 0..2 {
            for (id, of_2025) in [(1, Some(2)), (2, Some(1)), (3, None), (4, None)] {
                assert_eq!(neighbour(id, Flow::Purchase, 2025), of_2025, "{id}");
                assert_eq!(neighbour(id, Flow::Purchase, 2026), None, "{id}");
                assert_eq!(neighbour(id, Flow::Sale, 2025), None, "{id}");
            }
        }
    }

    #[test]
    fn one_past_the_months_that_are_remembered_is_right_all_the_same() {
        let places = places();
        let links = Links::new(vec![link(1, "codabox", "A"), link(2, "codabox", "a")]);
        let most = i16::try_from(MONTHS_MAX).unwrap();

        for year in 1..=most + 1 {
            let asked = (LinkId(1), Flow::Purchase);
            let found = links.neighbour(&places, asked, date(year, 1, 1));
            assert_eq!(found, Some(LinkId(2)));
            assert_eq!(
                months(&links),
                usize::try_from((year - 1) % most + 1).unwrap()
            );
        }
    }
}
