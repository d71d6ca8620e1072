//! How is a firm made as its file says, and how is that file written?
//!
//! The changes are made one after the other, each whole; whoever is interrupted runs it once more.

mod change;
mod file;
mod plan;
mod written;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use self::change::{Change, with_own};
use self::file::{Wanted, WantedDevice};
use self::plan::{Here, Present, owner, plan};
use self::written::written;
use super::call::{Call, find_device, find_firm};
use super::dossier::tell_left;
use super::waiting::look_again;
use super::{Error, Exit, keys, link, print};
use crate::app::House;
use crate::catalog::{Device, Dossier, Firm, Link, NewDevice, NewLink};
use crate::layout::LinkFacts;
use crate::model::{DeviceId, DossierId, Identifier, with_causes};
use crate::sending::Waiting;

/// The arguments of `apply`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file; `sluis export FIRM` writes one to begin with.
    file: PathBuf,
    /// Say what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The arguments of `export`.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// Which firm.
    firm: String,
}

/// Makes a firm as its file says.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let text = read(&args.file)?;
    let wanted: Wanted = toml::from_str(&text).map_err(|bad| {
        let what = format!("the file `{}` cannot be used", args.file.display());
        Error::failed(what, bad)
    })?;
    let house = call.house().await?;
    let firm = find_firm(&house, wanted.firm.slug.as_str()).await?;
    let present = present(&house, firm).await?;
    let today = house.places.today(house.clock.read());
    let here = Here {
        profiles: &house.profiles,
        zone: house.places.zone(),
        today,
    };
    let planned = plan(&wanted, &present, &here, keys::parse);
    let changes = planned.map_err(|faults| {
        let what = format!("`{}` cannot be applied", args.file.display());
        Error::Refused(format!("{what}:\n- {}", faults.join("\n- ")))
    })?;
    if args.dry_run {
        changes
            .iter()
            .try_for_each(|change| tell(call, "would", change))?;
        tell_passwords(&wanted, &present);
        ended(call, changes.len(), "would be made")?;
        return Ok(Exit::Done);
    }
    tell_passwords(&wanted, &present);
    let mut doing = Doing::begin(&house, present);
    let made = doing.make_all(call, &changes).await;
    // What was made until then counts for what waits, too.
    let looked = look_again(&house, doing.present.firm.id, Waiting::Stays).await;
    let exit = looked.tell();
    let left = if changes.iter().any(Change::is_of_a_dossier) {
        tell_left(&house, &doing.present.firm, |_| true).await
    } else {
        Ok(())
    };
    made?;
    left?;
    ended(call, changes.len(), "made")?;
    Ok(exit)
}

/// The largest file, in bytes: a firm with ten thousand dossiers has some three million.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

fn read(file: &Path) -> Result<String, Error> {
    let failed = || Error::file("read", file);
    let opened = File::open(file).map_err(failed())?;
    let mut bytes = Vec::new();
    let mut limited = opened.take(FILE_BYTES_MAX + 1);
    limited.read_to_end(&mut bytes).map_err(failed())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::Refused(format!(
            "`{}` is larger than {FILE_BYTES_MAX} bytes, the most that a firm's file has; is it the right file?",
            file.display()
        )));
    }
    let text = String::from_utf8(bytes).map_err(std::io::Error::other);
    text.map_err(failed())
}

/// Writes a firm as its file would say it. Passwords are not in it.
pub(super) async fn export(call: &Call, args: &Export) -> Result<Exit, Error> {
    let (house, firm) = call.firm(&args.firm).await?;
    let present = present(&house, firm).await?;
    let wanted = written(&present);
    if call.json {
        let value = serde_json::to_value(&wanted)
            .map_err(|bad| Error::failed("could not write the firm as JSON", bad))?;
        print::json(&value)?;
        return Ok(Exit::Done);
    }
    let text = toml::to_string(&wanted)
        .map_err(|bad| Error::failed("could not write the firm as TOML", bad))?;
    // A file says exactly what there is; a person is shown it.
    if std::io::stdout().is_terminal() {
        print::line(text.trim_end())?;
    } else {
        print::raw(&text)?;
    }
    let has_password = |device: &&Device| device.has_password;
    for device in present.devices.iter().filter(has_password) {
        print::note(&format!(
            "note: device `{}` has a password, which stands in no file",
            device.name
        ));
    }
    Ok(Exit::Done)
}

async fn present(house: &House, firm: Firm) -> Result<Present, Error> {
    Ok(Present {
        devices: house.catalog.devices(firm.id).await?,
        dossiers: house.catalog.dossiers(firm.id).await?,
        links: house.catalog.links(firm.id).await?,
        firm,
    })
}

/// Names the devices that come and want a password, which no file has.
fn tell_passwords(wanted: &Wanted, present: &Present) {
    let is_new = |one: &&WantedDevice| present.devices.iter().all(|own| own.name != one.name);
    let wants_one = |one: &&WantedDevice| {
        let means = one.login.unwrap_or_default();
        !means.are_met_by(!one.keys.is_empty(), false)
    };
    for device in wanted.devices.iter().filter(is_new).filter(wants_one) {
        let (firm, name) = (&wanted.firm.slug, &device.name);
        print::note(&format!(
            "note: device `{name}` cannot log in before it has a password, which stands in no file: `sluis device set {firm} {name} --password`"
        ));
    }
}

fn tell(call: &Call, did: &str, change: &Change) -> Result<(), Error> {
    if call.json {
        return print::json(&json!({ "result": did, "change": change.to_string() }));
    }
    print::line(&format!("{did} {change}"))
}

fn ended(call: &Call, count: usize, made: &str) -> Result<(), Error> {
    if !call.json {
        match count {
            0 => print::line("nothing is to be changed")?,
            1 => print::line(&format!("1 change {made}"))?,
            more => print::line(&format!("{more} changes {made}"))?,
        }
    }
    Ok(())
}

/// What makes changes, and knows what they have come to.
struct Doing<'a> {
    house: &'a House,
    present: Present,
    /// Whose each folder is, by its key.
    folders: BTreeMap<String, String>,
}

impl<'a> Doing<'a> {
    fn begin(house: &'a House, present: Present) -> Self {
        let mut folders = BTreeMap::new();
        for link in &present.links {
            for (_, folder) in link::folders(house, link) {
                folders.insert(folder.key(), owner(&link.code, &link.profile));
            }
        }
        Self {
            house,
            present,
            folders,
        }
    }

    async fn make_all(&mut self, call: &Call, changes: &[Change]) -> Result<(), Error> {
        for change in changes {
            self.make(change).await.map_err(|refused| {
                let why = with_causes(&refused);
                Error::Refused(format!(
                    "could not {change}: {why}; what was told before is done"
                ))
            })?;
            tell(call, "did", change)?;
        }
        Ok(())
    }

    async fn make(&mut self, change: &Change) -> Result<(), Error> {
        let (catalog, now) = (&self.house.catalog, self.house.clock.read());
        let firm = self.present.firm.id;
        match change {
            Change::AddDevice { .. }
            | Change::AddKey { .. }
            | Change::SetKeyExpiry { .. }
            | Change::SetLogin { .. }
            | Change::Disable { .. }
            | Change::SetUploads { .. } => self.make_device(change).await?,
            Change::SetDefault { device } => {
                let device = self.device(device).await?;
                catalog.make_default(firm, &device, now).await?;
            }
            Change::RenameFirm { name, language } => {
                let named = (name.as_str(), *language);
                catalog.rename_firm(&self.present.firm, named, now).await?;
            }
            Change::SetAlarms(own) => catalog.set_alarms(&self.present.firm, *own, now).await?,
            Change::SetFirm(rules) => {
                catalog
                    .set_firm_rules(&self.present.firm, rules, now)
                    .await?;
            }
            Change::SetRetention(keeps) => {
                catalog
                    .set_retention(&self.present.firm, keeps, now)
                    .await?;
            }
            Change::AddDossier { name, ids } => {
                let id = catalog.add_dossier(firm, name, ids, now).await?;
                self.present.dossiers.push(Dossier {
                    id,
                    name: name.clone(),
                    identifiers: ids.clone(),
                });
            }
            Change::SetDossier { dossier, name, ids } => {
                self.set_dossier(dossier.id, name, ids).await?;
            }
            Change::AddLink { .. } => self.add_link(change).await?,
            Change::SetLink {
                link,
                device,
                sends,
            } => {
                let device = self.device_id(device.as_deref()).await?;
                catalog.set_link(link, device, sends, now).await?;
            }
        }
        Ok(())
    }

    /// Makes what is about a device; of other changes, nothing.
    async fn make_device(&self, change: &Change) -> Result<(), Error> {
        let (catalog, now) = (&self.house.catalog, self.house.clock.read());
        match change {
            Change::AddDevice { name, kind, keys } => {
                let new = NewDevice {
                    name,
                    kind: *kind,
                    password_hash: None,
                    keys,
                    is_default: false,
                };
                let firm = self.present.firm.id;
                catalog.add_device(firm, &new, now).await?;
            }
            Change::AddKey { device, key } => {
                let device = self.device(device).await?;
                catalog.add_device_key(&device, key, now).await?;
            }
            Change::SetKeyExpiry {
                device,
                fingerprint,
                expires_at,
            } => {
                let device = self.device(device).await?;
                let change = (fingerprint.as_str(), *expires_at);
                catalog.set_key_expiry(&device, change, now).await?;
            }
            Change::SetLogin {
                device,
                means,
                networks,
            } => {
                let device = self.device(device).await?;
                let login = (*means, networks.as_ref());
                catalog.set_login(&device, login, now).await?;
            }
            Change::Disable { device, why } => {
                let device = self.device(device).await?;
                catalog.disable_device(&device, why, now).await?;
            }
            Change::SetUploads { device, uploads } => {
                let device = self.device(device).await?;
                catalog.set_uploads(&device, *uploads, now).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Changes a dossier as it is now: somebody may have given it a number since it was looked at.
    async fn set_dossier(
        &mut self,
        dossier: DossierId,
        name: &str,
        ids: &[Identifier],
    ) -> Result<(), Error> {
        let firm = &self.present.firm;
        let becomes = |there: &Dossier, links: &[Link]| {
            let new = Dossier {
                name: name.to_owned(),
                identifiers: with_own(ids, there),
                ..there.clone()
            };
            let (profiles, slug) = (&self.house.profiles, firm.slug.as_str());
            let refusals = link::folders_stay(profiles, slug, links, (there, &new));
            refusals.into_iter().next().map_or(Ok(new), Err)
        };
        let (catalog, now) = (&self.house.catalog, self.house.clock.read());
        let changing = catalog.change_dossier(firm.id, dossier, becomes, now);
        let changed = changing.await?;
        if let Some(new) = changed {
            let mut known = self.present.dossiers.iter_mut();
            if let Some(own) = known.find(|own| own.id == dossier) {
                *own = new;
            }
        }
        Ok(())
    }

    async fn add_link(&mut self, change: &Change) -> Result<(), Error> {
        let Change::AddLink {
            dossier,
            profile,
            code,
            language,
            device,
            sends,
        } = change
        else {
            return Ok(());
        };
        let bears = |own: &&Dossier| own.identifiers.iter().any(|id| id.key == dossier.key);
        let of = self.present.dossiers.iter().find(bears).cloned();
        let of = of.ok_or_else(|| Error::Refused(format!("no dossier has `{}`", dossier.raw)))?;
        let known = self.house.profiles.find(profile);
        let known = known.map_err(|unknown| Error::Refused(unknown.to_string()))?;
        let facts = LinkFacts {
            firm: self.present.firm.slug.as_str(),
            dossier_code: code,
            dossier_name: &of.name,
            enterprise_number: of.enterprise_digits(),
            language: *language,
        };
        let now = self.house.clock.read();
        let mut keys = Vec::new();
        for (_, folder) in known.preview(&facts, self.house.places.today(now)) {
            let folder = folder.map_err(|missing| Error::Refused(missing.to_string()))?;
            if let Some(owner) = self.folders.get(&folder.key()) {
                return Err(Error::Refused(format!(
                    "the folder `{folder}` belongs to link {owner} already: give another code"
                )));
            }
            keys.push(folder.key());
        }
        let new = NewLink {
            dossier: of.id,
            profile,
            code,
            language: *language,
            device: self.device_id(device.as_deref()).await?,
            sends: *sends,
        };
        let firm = self.present.firm.id;
        self.house.catalog.add_link(firm, &new, now).await?;
        let owner = owner(code, profile);
        self.folders
            .extend(keys.into_iter().map(|key| (key, owner.clone())));
        Ok(())
    }

    async fn device(&self, name: &str) -> Result<Device, Error> {
        find_device(self.house, &self.present.firm, name).await
    }

    async fn device_id(&self, name: Option<&str>) -> Result<Option<DeviceId>, Error> {
        let Some(name) = name else { return Ok(None) };
        let known = self.present.devices.iter();
        match known.into_iter().find(|own| own.name.as_str() == name) {
            Some(own) => Ok(Some(own.id)),
            None => Ok(Some(self.device(name).await?.id)),
        }
    }
}
