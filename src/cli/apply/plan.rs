//! What must change so that a firm is as its file says?
//!
//! Pure: the file and what is there go in, changes come out, in an order in which they can be made. What
//! is there and not in the file is left, for a line that somebody deleted by mistake must not take a
//! client's link away.

mod devices;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::change::{Change, with_own};
use super::file::{Wanted, WantedDossier, WantedLink};
use crate::alarm::OwnLimits;
use crate::catalog::{Device, DeviceKey, Dossier, Firm, Link, LinkRules};
use crate::cli::link;
use crate::ingest::place;
use crate::layout::{LinkFacts, Profiles};
use crate::model::{DeviceKind, Identifier, Language, fold};

/// What is there.
pub(super) struct Present {
    pub(super) firm: Firm,
    pub(super) devices: Vec<Device>,
    pub(super) dossiers: Vec<Dossier>,
    pub(super) links: Vec<Link>,
}

/// Where and when a file is applied.
pub(super) struct Here<'a> {
    pub(super) profiles: &'a Profiles,
    pub(super) zone: &'a TimeZone,
    pub(super) today: Date,
}

/// Decides what must change, or says of everything that is wrong with the file what it is.
pub(super) fn plan(
    wanted: &Wanted,
    present: &Present,
    here: &Here<'_>,
    read_keys: impl Fn(&str) -> Result<Vec<DeviceKey>, String>,
) -> Result<Vec<Change>, Vec<String>> {
    let mut planning = Planning {
        wanted,
        present,
        profiles: here.profiles,
        zone: here.zone,
        today: here.today,
        folders: BTreeMap::new(),
        changes: Vec::new(),
        faults: Vec::new(),
    };
    planning.devices(read_keys);
    planning.firm();
    planning.folders_of_present();
    planning.dossiers();
    if planning.faults.is_empty() {
        Ok(planning.changes)
    } else {
        Err(planning.faults)
    }
}

/// A dossier as it will be when its links are made.
struct PlannedDossier<'a> {
    /// One of its numbers in the file.
    id: &'a Identifier,
    name: &'a str,
    ids: &'a [Identifier],
}

/// How a link is named to people.
pub(super) fn owner(code: &str, profile: &str) -> String {
    format!("`{code}` in `{profile}`")
}

struct Planning<'a> {
    wanted: &'a Wanted,
    present: &'a Present,
    profiles: &'a Profiles,
    /// In which days end.
    zone: &'a TimeZone,
    /// The day of which folders are shown that bear a date.
    today: Date,
    /// Whose each folder is, by its key.
    folders: BTreeMap<String, String>,
    changes: Vec<Change>,
    faults: Vec<String>,
}

impl Planning<'_> {
    fn firm(&mut self) {
        let (wanted, firm) = (&self.wanted.firm, &self.present.firm);
        let old = &firm.sends;
        let rules = wanted.rules(old);
        let is_known = |name: &String| TimeZone::get(name).is_ok();
        if let Some(zone) = wanted.time_zone.as_ref().filter(|name| !is_known(name)) {
            self.faults.push(format!(
                "the time zone `{zone}` is not known; write one such as Europe/Brussels"
            ));
        }
        let name = wanted.name.as_deref().map_or(&*firm.name, str::trim);
        let language = self.firm_language();
        if name.is_empty() {
            self.faults.push("the firm wants a name".to_owned());
        }
        if (name, language) != (firm.name.as_str(), firm.language) {
            let name = name.to_owned();
            self.changes.push(Change::RenameFirm { name, language });
        }
        if rules != *old {
            self.changes.push(Change::SetFirm(rules));
        }
        match wanted.keeps(&firm.keeps) {
            Ok(None) => {}
            Ok(Some(keeps)) => self.changes.push(Change::SetRetention(keeps)),
            Err(unfit) => self.faults.push(unfit.to_string()),
        }
        let alarms = OwnLimits {
            uncollected: wanted.alarm_uncollected.unwrap_or(firm.alarms.uncollected),
            unseen: wanted.alarm_unseen.unwrap_or(firm.alarms.unseen),
        };
        if alarms != firm.alarms {
            self.changes.push(Change::SetAlarms(alarms));
        }
        if let Some(device) = &wanted.default_device {
            self.receiver(device);
            let default = self
                .present
                .devices
                .iter()
                .find(|own| Some(own.id) == firm.default_device);
            if default.is_none_or(|own| own.name.as_str() != device) {
                let device = device.clone();
                self.changes.push(Change::SetDefault { device });
            }
        }
    }

    /// The language that the firm will have.
    fn firm_language(&self) -> Language {
        let wanted = self.wanted.firm.language;
        wanted.unwrap_or(self.present.firm.language)
    }

    /// Nothing is ever offered to a device that is not there, or only uploads.
    fn receiver(&mut self, name: &str) {
        let there = self.present.devices.iter();
        let there = there.map(|device| (device.name.as_str(), device.kind));
        let come = self.wanted.devices.iter();
        let come = come.map(|device| (device.name.as_str(), device.kind));
        match there.chain(come).find(|(known, _)| *known == name) {
            None => self
                .faults
                .push(format!("device `{name}` is neither there nor in the file")),
            Some((_, DeviceKind::Source)) => self.faults.push(format!(
                "device `{name}` only uploads: documents go to a pull, mount or bridge device"
            )),
            Some(_) => {}
        }
    }

    fn dossiers(&mut self) {
        let (mut owners, mut codes) = (BTreeMap::new(), BTreeSet::new());
        let mut chosen = BTreeSet::new();
        for wanted in &self.wanted.dossiers {
            let name = wanted.name.trim();
            if name.is_empty() {
                self.faults.push("a dossier wants a name".to_owned());
            }
            let ids = self.identifiers(wanted);
            for id in &ids {
                if let Some(other) = owners.insert(id.key.clone(), name) {
                    self.faults.push(format!(
                        "number `{}` stands with dossier `{other}` and with `{name}`",
                        id.raw
                    ));
                }
            }
            let Some(first) = ids.first().cloned() else {
                self.faults
                    .push(format!("dossier `{name}` wants a number: `ids`"));
                continue;
            };
            let there = self.dossier_of(name, &ids);
            if let Some(dossier) = &there
                && !chosen.insert(dossier.id)
            {
                self.faults.push(format!(
                    "dossier `{}` is meant by two entries, of which `{name}` is one: two clients' books would be mixed",
                    dossier.name
                ));
                continue;
            }
            let own = there
                .as_ref()
                .map_or_else(|| ids.clone(), |there| with_own(&ids, there));
            let planned = PlannedDossier {
                id: &first,
                name,
                ids: &own,
            };
            match &there {
                None => self.changes.push(Change::AddDossier {
                    name: name.to_owned(),
                    ids: ids.clone(),
                }),
                Some(dossier) if dossier.name != name || dossier.identifiers != own => {
                    self.folders_stay(dossier, name, &own);
                    self.changes.push(Change::SetDossier {
                        dossier: dossier.clone(),
                        name: name.to_owned(),
                        ids: ids.clone(),
                    });
                }
                Some(_) => {}
            }
            for link in &wanted.links {
                if !codes.insert((link.profile.as_str(), fold(&link.code))) {
                    self.faults.push(format!(
                        "code `{}` in `{}` stands there twice",
                        link.code, link.profile
                    ));
                }
                self.link(link, there.as_ref(), &planned);
            }
        }
    }

    /// Its folders never change their names: documents wait in them.
    fn folders_stay(&mut self, dossier: &Dossier, name: &str, ids: &[Identifier]) {
        let renamed = Dossier {
            name: name.to_owned(),
            identifiers: ids.to_vec(),
            ..dossier.clone()
        };
        let firm = self.present.firm.slug.as_str();
        let both = (dossier, &renamed);
        let faults = link::folders_stay(self.profiles, firm, &self.present.links, both);
        self.faults.extend(faults);
    }

    fn identifiers(&mut self, wanted: &WantedDossier) -> Vec<Identifier> {
        let mut ids: Vec<Identifier> = Vec::new();
        for raw in &wanted.ids {
            match Identifier::new(raw) {
                Some(id) if ids.iter().any(|other| other.key == id.key) => {}
                Some(id) => ids.push(id),
                None => self
                    .faults
                    .push(format!("`{raw}` of dossier `{}` is no number", wanted.name)),
            }
        }
        ids
    }

    /// The dossier that bears one of these numbers; two of them would be two clients' books in one line.
    fn dossier_of(&mut self, name: &str, ids: &[Identifier]) -> Option<Dossier> {
        let bears = |dossier: &&Dossier| {
            dossier
                .identifiers
                .iter()
                .any(|own| ids.iter().any(|id| id.key == own.key))
        };
        let found: Vec<_> = self.present.dossiers.iter().filter(bears).collect();
        if found.len() > 1 {
            let names: Vec<_> = found
                .iter()
                .map(|dossier| format!("`{}`", dossier.name))
                .collect();
            self.faults.push(format!(
                "the numbers of dossier `{name}` belong to {}",
                names.join(" and ")
            ));
        }
        found.first().copied().cloned()
    }

    fn folders_of_present(&mut self) {
        for link in &self.present.links {
            let Ok(profile) = self.profiles.find(&link.profile) else {
                continue;
            };
            for (_, folder) in profile.preview(&place::facts(link), self.today) {
                let owner = owner(&link.code, &link.profile);
                self.folders
                    .extend(folder.ok().map(|path| (path.key(), owner)));
            }
        }
    }

    /// Two links in one folder: nobody could tell whose file it is. Nor may a folder want what its dossier lacks.
    fn take_folders(
        &mut self,
        wanted: &WantedLink,
        language: Language,
        dossier: &PlannedDossier<'_>,
    ) {
        let (code, profile) = (&wanted.code, &wanted.profile);
        let facts = LinkFacts {
            firm: self.present.firm.slug.as_str(),
            dossier_code: code,
            dossier_name: dossier.name,
            enterprise_number: dossier.ids.iter().find_map(Identifier::enterprise_digits),
            language,
        };
        let known = self.profiles.find(profile);
        let own = owner(code, profile);
        let mut keys = Vec::new();
        for (_, folder) in known.map_or_else(|_| Vec::new(), |p| p.preview(&facts, self.today)) {
            let fault = match folder {
                Err(missing) => format!("link {own} of dossier `{}`: {missing}", dossier.name),
                Ok(folder) => match self.folders.get(&folder.key()) {
                    Some(other) => format!(
                        "the folder `{folder}` of link {own} belongs to link {other} already: give another code"
                    ),
                    None => {
                        keys.push(folder.key());
                        continue;
                    }
                },
            };
            // One is enough to see what is meant: its other folders want the same.
            return self.faults.push(fault);
        }
        self.folders
            .extend(keys.into_iter().map(|key| (key, own.clone())));
    }

    fn link(
        &mut self,
        wanted: &WantedLink,
        dossier: Option<&Dossier>,
        planned: &PlannedDossier<'_>,
    ) {
        let (profile, code) = (&wanted.profile, &wanted.code);
        if let Some(device) = &wanted.device {
            self.receiver(device);
        }
        let sends = LinkRules {
            transfer: wanted.transfer,
            approval: wanted.approval,
            from: wanted.from,
        };
        let there = self
            .present
            .links
            .iter()
            .find(|link| link.profile == *profile && fold(&link.code) == fold(code));
        let language = match self.language(wanted) {
            Ok(language) => language,
            Err(why) => return self.faults.push(why),
        };
        let Some(link) = there else {
            self.take_folders(wanted, language, planned);
            return self.changes.push(Change::AddLink {
                dossier: planned.id.clone(),
                profile: profile.clone(),
                code: code.clone(),
                language,
                device: wanted.device.clone(),
                sends,
            });
        };
        // What is older than its beginning may be booked: a file that says nothing of it gives none of that out.
        let sends = LinkRules {
            from: sends.from.or(link.sends.from),
            ..sends
        };
        if dossier.is_none_or(|dossier| dossier.id != link.dossier) {
            return self.faults.push(format!(
                "code `{code}` in `{profile}` is of dossier `{}`: remove that link first",
                link.dossier_name
            ));
        }
        if wanted
            .language
            .is_some_and(|language| language != link.language)
        {
            return self.faults.push(format!(
                "link `{code}` in `{profile}` has folders in `{}`, which never change their names: remove it, and add it anew",
                link.language.as_str()
            ));
        }
        let devices = &self.present.devices;
        let device = devices.iter().find(|device| Some(device.id) == link.device);
        let device = device.map(|device| device.name.to_string());
        if device != wanted.device || link.sends != sends {
            self.changes.push(Change::SetLink {
                link: Box::new(link.clone()),
                device: wanted.device.clone(),
                sends,
            });
        }
    }

    fn language(&self, wanted: &WantedLink) -> Result<Language, String> {
        let profile = self
            .profiles
            .find(&wanted.profile)
            .map_err(|unknown| unknown.to_string())?;
        crate::layout::check_code(&wanted.code).map_err(|bad| bad.to_string())?;
        match wanted.language {
            Some(asked) if !profile.languages().contains(&asked) => Err(format!(
                "profile `{}` has no folders in `{}`",
                wanted.profile,
                asked.as_str()
            )),
            Some(asked) => Ok(asked),
            None => Ok(profile.language_for(self.firm_language())),
        }
    }
}
