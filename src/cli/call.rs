//! What was said beside the command, and what does it name?

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::table::Table;
use super::{Error, doer, print};
use crate::app::House;
use crate::catalog::{self, Device, Dossier, Firm, Link};
use crate::config::Config;
use crate::model::{DeviceId, Identifier, fold};

/// Where a configuration is looked for when none is named: the last is where the package puts it.
pub(super) const PLACES: [&str; 3] = [
    "sluis.toml",
    "/etc/sluis/sluis.toml",
    "/var/lib/sluis/sluis.toml",
];

/// What stands before our own id of a dossier: the id alone may be somebody's code, or a number that is still to come.
pub(super) const OWN: &str = "dossier:";

/// What stands before our own id of a link, likewise.
const OWN_LINK: &str = "link:";

/// How many candidates an error names: more would not be read.
const CANDIDATES_MAX: usize = 10;

/// What is done with what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// Nothing: it is shown.
    Look,
    /// Something that cannot be done to another by mistake: a bare number is never our own id.
    Change,
}

/// What every command is told.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The configuration that was named, if one was.
    pub(super) config: Option<PathBuf>,
    /// Whether a program reads the results.
    pub(super) json: bool,
}

impl Call {
    /// Returns the configuration's file.
    pub(super) fn config_file(&self) -> Result<PathBuf, Error> {
        if let Some(named) = &self.config {
            return Ok(named.clone());
        }
        // One that cannot be looked at is there: to read it says who may.
        let may_be = |place: &&Path| !matches!(place.try_exists(), Ok(false));
        let found = PLACES.iter().map(Path::new).find(may_be);
        found.map(Path::to_owned).ok_or_else(|| {
            let [here, etc, package] = PLACES;
            Error::Refused(format!(
                "there is no configuration, neither `{here}` here nor `{etc}` nor `{package}`: `sluis init DIR` makes one, `--config FILE` names another"
            ))
        })
    }

    /// Reads the configuration.
    pub(super) fn config(&self) -> Result<Config, Error> {
        Ok(Config::read(&self.config_file()?, variables())?)
    }

    /// Opens the house; what is changed in it is the deed of whoever runs the command.
    pub(super) async fn house(&self) -> Result<House, Error> {
        let house = House::open(self.config()?).await?;
        doer::note_doer(&house);
        Ok(house)
    }

    /// Opens the house, and finds a firm in it.
    pub(super) async fn firm(&self, slug: &str) -> Result<(House, Firm), Error> {
        let house = self.house().await?;
        let firm = find_firm(&house, slug).await?;
        Ok((house, firm))
    }

    /// Opens the house, and finds one firm in it, or takes them all.
    pub(super) async fn firms(&self, slug: Option<&str>) -> Result<(House, Vec<Firm>), Error> {
        let house = self.house().await?;
        let firms = match slug {
            Some(slug) => vec![find_firm(&house, slug).await?],
            None => house.catalog.firms().await?,
        };
        Ok((house, firms))
    }

    /// Says what was done: to programs an object, to people a text.
    pub(super) fn said(&self, value: &Value, text: &str) -> Result<(), Error> {
        if self.json {
            print::json(value)
        } else {
            print::line(text)
        }
    }

    /// Shows rows: to programs an object a line, to people a table, or a hint where there is nothing.
    pub(super) fn list(
        &self,
        heads: &[&'static str],
        rows: Vec<(Value, Vec<String>)>,
        hint: &str,
    ) -> Result<(), Error> {
        let mut listing = self.listing(heads);
        listing.page(rows)?;
        listing.end(hint);
        Ok(())
    }

    /// Begins to show rows, page by page.
    pub(super) fn listing(&self, heads: &[&'static str]) -> Listing {
        let table = Table::new(heads);
        Listing {
            json: self.json,
            table,
            is_empty: true,
        }
    }
}

/// Returns the environment's variables, as far as they are text.
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    let all = std::env::vars_os();
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Rows on their way to a program or a person.
pub(super) struct Listing {
    json: bool,
    table: Table,
    is_empty: bool,
}

impl Listing {
    /// Shows a page of rows.
    pub(super) fn page(&mut self, rows: Vec<(Value, Vec<String>)>) -> Result<(), Error> {
        self.is_empty &= rows.is_empty();
        if self.json {
            return rows.iter().try_for_each(|(value, _)| print::json(value));
        }
        let cells: Vec<_> = rows.into_iter().map(|(_, cells)| cells).collect();
        self.table.page(&cells)
    }

    /// Ends it; a person who sees nothing is told why.
    pub(super) fn end(self, hint: &str) {
        if self.is_empty && !self.json {
            print::note(hint);
        }
    }
}

/// Finds a firm by its slug.
pub(super) async fn find_firm(house: &House, slug: &str) -> Result<Firm, Error> {
    match house.catalog.firm(slug).await {
        Err(catalog::Error::Missing { .. }) => {
            let firms = house.catalog.firms().await?;
            let known = firms.iter().map(|firm| format!("`{}`", firm.slug));
            Err(unknown("firm", slug, "sluis firm add", known))
        }
        found => Ok(found?),
    }
}

/// Finds a device of a firm by its name.
pub(super) async fn find_device(house: &House, firm: &Firm, name: &str) -> Result<Device, Error> {
    let devices = house.catalog.devices(firm.id).await?;
    let known: Vec<_> = devices.iter().map(|d| format!("`{}`", d.name)).collect();
    // People have the login at hand, which is longer by the firm.
    let own = name.strip_prefix(&format!("{}.", firm.slug));
    let own = own.unwrap_or(name);
    let found = devices.into_iter().find(|d| d.name.as_str() == own);
    found.ok_or_else(|| unknown("device", name, "sluis device add", known.into_iter()))
}

/// Finds a dossier by any of its identifiers, its name, the code of one of these links, or its id. A code may be the id
/// of another dossier: firms know their clients by it, so it is asked about.
pub(super) fn find_dossier<'a>(
    dossiers: &'a [Dossier],
    links: &[Link],
    what: &str,
    aim: Aim,
) -> Result<&'a Dossier, Error> {
    let found = called(dossiers, links, what);
    match found[..] {
        [one] if aim == Aim::Change && is_id_alone(one, links, what) => {
            let own = format!("{OWN}{}", one.id);
            Err(by_id_alone("dossier", what, &own, &dossier_told(one)))
        }
        [one] => Ok(one),
        [] => {
            let name = fold(what.trim());
            let part = |dossier: &&Dossier| !name.is_empty() && fold(&dossier.name).contains(&name);
            let near: Vec<_> = dossiers.iter().filter(part).collect();
            let known: Vec<_> = if near.is_empty() {
                dossiers.iter().collect()
            } else {
                near
            };
            let known = known.into_iter().map(dossier_told);
            Err(unknown("dossier", what, "sluis dossier add", known))
        }
        _ => {
            let advice = format!("name it by its id, as `{OWN}{}`", found[0].id);
            let told = |one: &Dossier| {
                let mut own = links.iter().filter(|link| link.dossier == one.id);
                let code = own.find(|link| bears(link, what));
                let code = code.map(|link| format!(", `{}` in `{}`", link.code, link.profile));
                dossier_told(one) + &code.unwrap_or_default()
            };
            let found = found.into_iter().map(told);
            Err(ambiguous("dossier", what, found, &advice))
        }
    }
}

/// Returns the dossiers that are called so: by number, name, the code of a link, or id. `dossier:2` is our id alone.
pub(super) fn called<'a>(dossiers: &'a [Dossier], links: &[Link], what: &str) -> Vec<&'a Dossier> {
    let what = what.trim();
    if let Some(own) = what.strip_prefix(OWN) {
        let is_own = |dossier: &&Dossier| dossier.id.to_string() == own;
        return dossiers.iter().filter(is_own).collect();
    }
    let is_meant =
        |dossier: &&Dossier| is_called(dossier, links, what) || dossier.id.to_string() == what;
    dossiers.iter().filter(is_meant).collect()
}

/// Whether this is a number of the dossier, its name, or the code of one of these links.
pub(super) fn is_called(dossier: &Dossier, links: &[Link], what: &str) -> bool {
    let (typed, name) = (Identifier::new(what.trim()), fold(what.trim()));
    let is_it = |own: &Identifier| typed.as_ref().is_some_and(|typed| own.key == typed.key);
    let mut own = links.iter().filter(|link| link.dossier == dossier.id);
    dossier.identifiers.iter().any(is_it)
        || fold(&dossier.name) == name
        || own.any(|link| bears(link, what))
}

/// Whether a dossier that was found is called so by nobody but us, and it was not said that the id is meant.
fn is_id_alone(dossier: &Dossier, links: &[Link], what: &str) -> bool {
    !what.trim().starts_with(OWN) && !is_called(dossier, links, what)
}

/// Finds a link by its profile and code, its code alone, or its id. A code may be the number of another link.
pub(super) fn find_link<'a>(links: &'a [Link], what: &str, aim: Aim) -> Result<&'a Link, Error> {
    let (bare, own) = (what.trim(), what.trim().strip_prefix(OWN_LINK));
    let is_meant = |link: &&Link| bears(link, what) || link.id.to_string() == own.unwrap_or(bare);
    let found: Vec<_> = links.iter().filter(is_meant).collect();
    match found[..] {
        [one] if aim == Aim::Change && own.is_none() && !bears(one, what) => {
            let own = format!("{OWN_LINK}{}", one.id);
            Err(by_id_alone("link", what, &own, &link_told(one)))
        }
        [one] => Ok(one),
        [] => Err(unknown(
            "link",
            what,
            "sluis link add",
            links.iter().map(link_told),
        )),
        _ => {
            let one = &found[0];
            let advice = format!(
                "name it by its profile and code, as `{}/{}`",
                one.profile, one.code
            );
            Err(ambiguous(
                "link",
                what,
                found.into_iter().map(link_told),
                &advice,
            ))
        }
    }
}

/// Whether a link has this code, or this profile and code.
fn bears(link: &Link, what: &str) -> bool {
    let code = fold(what.trim());
    fold(&link.code) == code || fold(&format!("{}/{}", link.profile, link.code)) == code
}

/// Returns the name of a device of these, for listings.
pub(super) fn device_name(devices: &[Device], id: Option<DeviceId>) -> String {
    let found = devices.iter().find(|device| Some(device.id) == id);
    found.map_or_else(String::new, |device| device.name.to_string())
}

/// Returns how a dossier is named to people who must tell it from others.
pub(super) fn dossier_told(dossier: &Dossier) -> String {
    let numbers: Vec<_> = dossier
        .identifiers
        .iter()
        .map(|own| own.raw.as_str())
        .collect();
    format!("{} `{}` ({})", dossier.id, dossier.name, numbers.join(", "))
}

fn link_told(link: &Link) -> String {
    format!(
        "{} `{}` in `{}` of `{}`",
        link.id, link.code, link.profile, link.dossier_name
    )
}

fn unknown(kind: &str, what: &str, adds: &str, known: impl Iterator<Item = String>) -> Error {
    let (named, more) = some_of(known);
    let text = if named.is_empty() {
        format!("{kind} `{what}` is not known, and there is none yet: `{adds}` adds one")
    } else {
        format!("{kind} `{what}` is not known: there is {named}{more}")
    };
    Error::Refused(text)
}

/// It is nobody's name, number or code, and a code that is still to come may be the same.
fn by_id_alone(kind: &str, what: &str, own: &str, told: &str) -> Error {
    Error::Refused(format!(
        "{kind} `{what}` is not known; our own {kind} of that id is named `{own}`: {told}"
    ))
}

fn ambiguous(kind: &str, what: &str, found: impl Iterator<Item = String>, advice: &str) -> Error {
    let (named, more) = some_of(found);
    Error::Refused(format!("{kind} `{what}` could be {named}{more}: {advice}"))
}

fn some_of(known: impl Iterator<Item = String>) -> (String, String) {
    let known: Vec<_> = known.collect();
    let named = known
        .iter()
        .take(CANDIDATES_MAX)
        .cloned()
        .collect::<Vec<_>>();
    let more = match known.len().saturating_sub(CANDIDATES_MAX) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    (named.join(", "), more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::LinkRules;
    use crate::model::{DossierId, FirmId, Language, LinkId};

    fn dossier(id: i64, name: &str, number: &str) -> Dossier {
        Dossier {
            id: DossierId(id),
            name: name.to_owned(),
            identifiers: vec![Identifier::new(number).unwrap()],
        }
    }

    #[test]
    fn a_dossier_is_found_by_number_name_or_id() {
        let dossiers = [
            dossier(1, "Bakkerij De Korenaar", "BE 0771.234.528"),
            dossier(2, "Molens", "0451827384"),
            dossier(3, "molens", "0088:5412345000013"),
        ];
        let found = |what, aim| find_dossier(&dossiers, &[], what, aim).map(|dossier| dossier.id.0);

        for aim in [Aim::Look, Aim::Change] {
            assert_eq!(found("bakkerij de korenaar", aim).unwrap(), 1);
            assert_eq!(found("0771234528", aim).unwrap(), 1);
            assert_eq!(found("5412345000013", aim).unwrap(), 3);
            assert_eq!(found("dossier:2", aim).unwrap(), 2);
        }
        assert_eq!(found("2", Aim::Look).unwrap(), 2);
        assert_eq!(
            found("2", Aim::Change).unwrap_err().to_string(),
            "dossier `2` is not known; our own dossier of that id is named `dossier:2`: 2 `Molens` (0451827384)"
        );
    }

    fn link(id: i64, profile: &str, code: &str) -> Link {
        Link {
            id: LinkId(id),
            firm: FirmId(1),
            firm_slug: "kantoor".to_owned(),
            dossier: DossierId(1),
            dossier_name: "Molens".to_owned(),
            enterprise_digits: None,
            profile: profile.to_owned(),
            code: code.to_owned(),
            language: Language::Nl,
            device: None,
            sends: LinkRules::FIRM,
        }
    }

    #[test]
    fn a_link_whose_code_is_a_number_is_named_by_its_profile_and_code() {
        let links = [
            link(1, "expertm", "2"),
            link(2, "expertm", "1"),
            link(3, "bob-demat", "2"),
            link(4, "bob-demat", "MOLENS"),
        ];
        let found = |what| find_link(&links, what, Aim::Change).map(|link| link.id.0);

        assert_eq!(found("expertm/2").unwrap(), 1);
        assert_eq!(found("EXPERTM/1").unwrap(), 2);
        assert_eq!(found("bob-demat/2").unwrap(), 3);
        assert_eq!(found("molens").unwrap(), 4);
        assert_eq!(found("link:4").unwrap(), 4);
        assert_eq!(find_link(&links, "4", Aim::Look).unwrap().id.0, 4);
        assert_eq!(
            found("4").unwrap_err().to_string(),
            "link `4` is not known; our own link of that id is named `link:4`: 4 `MOLENS` in `bob-demat` of `Molens`"
        );
        assert_eq!(
            found("2").unwrap_err().to_string(),
            "link `2` could be 1 `2` in `expertm` of `Molens`, 2 `1` in `expertm` of `Molens`, 3 `2` in `bob-demat` of `Molens`: name it by its profile and code, as `expertm/2`"
        );
    }

    #[test]
    fn a_code_that_is_the_id_of_another_dossier_is_asked_about() {
        let dossiers = [dossier(2, "Molens", "1"), dossier(1, "Bakker", "3")];
        let links = [link(1, "expertm", "2"), link(2, "expertm", "KORENAAR")];
        let found = |what| find_dossier(&dossiers, &links, what, Aim::Change).map(|own| own.id.0);

        assert_eq!(
            found("2").unwrap_err().to_string(),
            "dossier `2` could be 2 `Molens` (1), 1 `Bakker` (3), `2` in `expertm`: name it by its id, as `dossier:2`"
        );
        assert_eq!(found("dossier:2").unwrap(), 2);
        assert_eq!(found("expertm/2").unwrap(), 1);
        assert_eq!(found("korenaar").unwrap(), 1);
    }

    #[test]
    fn a_dossier_that_could_be_two_is_none_and_both_are_named() {
        let dossiers = [
            dossier(2, "Molens", "1"),
            dossier(3, "molens", "0088:5412345000013"),
        ];
        let find = |what| find_dossier(&dossiers, &[], what, Aim::Look);
        let error = |what| find(what).unwrap_err().to_string();

        assert_eq!(
            error("MOLENS"),
            "dossier `MOLENS` could be 2 `Molens` (1), 3 `molens` (0088:5412345000013): name it by its id, as `dossier:2`"
        );
        assert_eq!(
            error("Smid"),
            "dossier `Smid` is not known: there is 2 `Molens` (1), 3 `molens` (0088:5412345000013)"
        );
        assert_eq!(
            find_dossier(&[], &[], "Smid", Aim::Look)
                .unwrap_err()
                .to_string(),
            "dossier `Smid` is not known, and there is none yet: `sluis dossier add` adds one"
        );
    }
}
