//! What must change so that a firm's devices are as its file says?

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Planning;
use crate::catalog::{Device, DeviceKey};
use crate::cli::apply::change::Change;
use crate::cli::apply::file::{WantedDevice, WantedKey};
use crate::cli::device::{end_of, reason};
use crate::model::{Means, Networks, Timestamp, Uploads};

/// A key of the file.
struct Key {
    key: DeviceKey,
    /// Whether the file says when it expires; else it stays as it is.
    says_expiry: bool,
}

impl Planning<'_> {
    pub(super) fn devices(&mut self, read_keys: impl Fn(&str) -> Result<Vec<DeviceKey>, String>) {
        let mut seen = BTreeSet::new();
        for wanted in &self.wanted.devices {
            let name = &wanted.name;
            if !seen.insert(name.as_str()) {
                self.faults
                    .push(format!("device `{name}` stands there twice"));
                continue;
            }
            let keys = self.keys(wanted, &read_keys);
            let there = self.present.devices.iter();
            let there = there.into_iter().find(|device| device.name == *name);
            match there {
                Some(device) if device.kind != wanted.kind => self.faults.push(format!(
                    "device `{name}` is a `{}` and cannot become a `{}`: remove it, and add it anew",
                    device.kind.as_str(),
                    wanted.kind.as_str()
                )),
                Some(device) => self.change_device(wanted, device, keys),
                None => self.add_device(wanted, keys),
            }
            self.uploads(wanted, there);
        }
    }

    /// The keys that the file gives a device, each once.
    fn keys(
        &mut self,
        wanted: &WantedDevice,
        read_keys: &impl Fn(&str) -> Result<Vec<DeviceKey>, String>,
    ) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        for line in &wanted.keys {
            match read(line, read_keys, self.zone) {
                Err(why) => {
                    let name = &wanted.name;
                    self.faults.push(format!("a key of device `{name}`: {why}"));
                }
                Ok(read) => {
                    for key in read {
                        let known = |own: &&Key| own.key.fingerprint == key.key.fingerprint;
                        match keys.iter().find(known) {
                            None => keys.push(key),
                            Some(own) if own.key.expires_at == key.key.expires_at => {}
                            Some(_) => self.faults.push(format!(
                                "a key of device `{}` stands there twice, until different times: {}",
                                wanted.name, key.key.fingerprint
                            )),
                        }
                    }
                }
            }
        }
        keys
    }

    fn add_device(&mut self, wanted: &WantedDevice, keys: Vec<Key>) {
        let name = &wanted.name;
        // No file has a password. Where the file says that one opens it, it is given by hand.
        let may_come = wanted.login.is_some();
        let means = wanted.login.unwrap_or_default();
        if !means.are_met_by(!keys.is_empty(), may_come) {
            return self.faults.push(format!(
                "device `{name}` is new and has no key: it could never log in"
            ));
        }
        let is_narrowed = means != Means::default()
            || wanted.from.as_ref().is_some_and(|from| !from.are_all())
            || wanted.disabled.is_some();
        // Who may not log in with every key, from everywhere, gets its keys when that counts.
        let (at_once, then) = if is_narrowed {
            (Vec::new(), keys)
        } else {
            (keys, Vec::new())
        };
        self.changes.push(Change::AddDevice {
            name: name.clone(),
            kind: wanted.kind,
            keys: at_once.into_iter().map(|own| own.key).collect(),
        });
        self.narrow(wanted, (Means::default(), &Networks::default()), false);
        self.add_keys(wanted, then);
    }

    fn change_device(&mut self, wanted: &WantedDevice, there: &Device, keys: Vec<Key>) {
        let name = &wanted.name;
        let has_key = !there.keys.is_empty() || !keys.is_empty();
        let means = wanted.login.filter(|means| *means != there.means);
        if let Some(means) = means.filter(|own| !own.are_met_by(has_key, there.has_password)) {
            self.faults.push(format!(
                "device `{name}` could never log in: it would log in by {means}, and has not what that wants; a key may stand in the file, `device set --password` gives it a password"
            ));
        }
        let is_disabled = there.disabled.is_some();
        self.narrow(wanted, (there.means, &there.networks), is_disabled);
        let own = |key: &Key| {
            let mut own = there.keys.iter();
            own.find(|own| own.fingerprint == key.key.fingerprint)
        };
        for key in &keys {
            if let Some(own) = own(key)
                && key.says_expiry
                && own.expires_at != key.key.expires_at
            {
                self.changes.push(Change::SetKeyExpiry {
                    device: name.to_string(),
                    fingerprint: own.fingerprint.clone(),
                    expires_at: key.key.expires_at,
                });
            }
        }
        let new = keys.into_iter().filter(|key| own(key).is_none());
        self.add_keys(wanted, new.collect());
    }

    /// What keeps a device out comes before what lets it in. Nothing that is left out of the file lets it in.
    fn narrow(
        &mut self,
        wanted: &WantedDevice,
        (means, networks): (Means, &Networks),
        is_disabled: bool,
    ) {
        let device = wanted.name.to_string();
        if let Some(why) = &wanted.disabled {
            match reason(why) {
                Ok(_) if is_disabled => {}
                Ok(why) => {
                    let device = device.clone();
                    self.changes.push(Change::Disable { device, why });
                }
                Err(refused) => self.faults.push(format!("device `{device}`: {refused}")),
            }
        }
        let means = wanted.login.filter(|own| *own != means);
        let networks = wanted.from.clone().filter(|own| own != networks);
        if means.is_some() || networks.is_some() {
            self.changes.push(Change::SetLogin {
                device,
                means,
                networks,
            });
        }
    }

    fn add_keys(&mut self, wanted: &WantedDevice, keys: Vec<Key>) {
        for Key { key, .. } in keys {
            let device = wanted.name.to_string();
            self.changes.push(Change::AddKey { device, key });
        }
    }

    fn uploads(&mut self, wanted: &WantedDevice, there: Option<&Device>) {
        let before = there.map_or_else(|| Uploads::Off.of(wanted.kind), |own| own.uploads);
        let Some(uploads) = wanted.uploads.filter(|uploads| *uploads != before) else {
            return;
        };
        if uploads.of(wanted.kind) != uploads {
            return self.faults.push(format!(
                "device `{}` is a source, which does nothing but upload: its uploads cannot be `{}`",
                wanted.name,
                uploads.as_str()
            ));
        }
        let device = wanted.name.to_string();
        self.changes.push(Change::SetUploads { device, uploads });
    }
}

fn read(
    wanted: &WantedKey,
    read_keys: impl Fn(&str) -> Result<Vec<DeviceKey>, String>,
    zone: &TimeZone,
) -> Result<Vec<Key>, String> {
    let says_expiry = wanted.expires().is_some();
    let expires_at = wanted.expires().map(|text| until(text, zone)).transpose()?;
    let keys = read_keys(wanted.line())?.into_iter();
    let key = |key| Key {
        key: DeviceKey {
            expires_at: expires_at.flatten(),
            ..key
        },
        says_expiry,
    };
    Ok(keys.map(key).collect())
}

/// Reads until when a key is good. What is over already may stand there: a file says what there was.
fn until(text: &str, zone: &TimeZone) -> Result<Option<Timestamp>, String> {
    if text == "forever" {
        return Ok(None);
    }
    if let Some(at) = Timestamp::parse(text) {
        return Ok(Some(at));
    }
    let day: Date = text.parse().map_err(|_| {
        format!("`{text}` is no time: write its last day, such as 2027-01-31, or an instant, such as 2027-01-31T22:00:00Z, or `forever`")
    })?;
    let end = end_of(day, zone).map_err(|refused| refused.to_string());
    end.map(Some)
}
