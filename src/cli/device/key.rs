//! Which keys has a device, and until when?

use std::path::PathBuf;

use serde_json::{Value, json};

use super::expiry::Expiry;
use super::{Named, said};
use crate::app::House;
use crate::catalog::{Device, DeviceKey, KeptKey};
use crate::cli::call::{Call, find_device, find_firm};
use crate::cli::{Error, Exit, keys, print};
use crate::model::Timestamp;

/// The commands about the keys of a device.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// List a device's keys: what they are called, since when, last used, until when.
    List(Named),
    /// Give a device one more key, beside those it has.
    Add {
        /// The device.
        #[command(flatten)]
        named: Named,
        /// A file with its public key, or with several; `-` is standard input. May be repeated.
        #[arg(long = "key", value_name = "FILE", required = true)]
        keys: Vec<PathBuf>,
        /// What it is called, instead of what its file says.
        #[arg(long)]
        comment: Option<String>,
        /// Until when it is good: its last day, such as 2027-01-31, or `90d`, `6mo`, `1y`.
        #[arg(long)]
        expires: Option<Expiry>,
    },
    /// Change until when a key is good.
    Set {
        /// The device.
        #[command(flatten)]
        named: Named,
        /// The key's fingerprint, as `device key list` prints it.
        fingerprint: String,
        /// Its last day, such as 2027-01-31, or from now on `90d`, `6mo`, `1y`, or `forever`.
        #[arg(long)]
        expires: Expiry,
    },
    /// Take a key from a device: whoever holds it can no longer log in, and its sessions end.
    Remove {
        /// The device.
        #[command(flatten)]
        named: Named,
        /// The key's fingerprint, as `device key list` prints it.
        fingerprint: String,
    },
}

/// Runs a command about the keys of a device.
pub(super) async fn run(call: &Call, house: &House, command: &Command) -> Result<Exit, Error> {
    let (Command::List(named)
    | Command::Add { named, .. }
    | Command::Set { named, .. }
    | Command::Remove { named, .. }) = command;
    let firm = find_firm(house, &named.firm).await?;
    let device = find_device(house, &firm, &named.device).await?;
    let now = house.clock.read();
    match command {
        Command::List(_) => list(call, house, &device, now).await?,
        Command::Add {
            keys,
            comment,
            expires,
            ..
        } => {
            let expires_at = expires_at(house, *expires, now)?;
            let keys = named_keys(public_keys(keys)?, comment.as_deref())?;
            for key in keys {
                let key = DeviceKey { expires_at, ..key };
                house.catalog.add_device_key(&device, &key, now).await?;
                let until = expires_at.map_or_else(String::new, |at| format!(", until {at}"));
                let (fingerprint, name) = (&key.fingerprint, &device.name);
                let expires_at = expires_at.map(|at| at.to_string());
                let added = json!({ "fingerprint": fingerprint, "expires_at": expires_at });
                call.said(
                    &said(&firm, &device, "key_added", added),
                    &format!("added key {fingerprint} to `{name}`{until}"),
                )?;
            }
        }
        Command::Set {
            fingerprint,
            expires,
            ..
        } => {
            let at = expires_at(house, Some(*expires), now)?;
            let change = (fingerprint.as_str(), at);
            house.catalog.set_key_expiry(&device, change, now).await?;
            let until = at.map_or_else(|| "for ever".to_owned(), |at| format!("until {at}"));
            let expires_at = at.map(|at| at.to_string());
            let changed = json!({ "fingerprint": fingerprint, "expires_at": expires_at });
            call.said(
                &said(&firm, &device, "key_changed", changed),
                &format!("key {fingerprint} of `{}` is good {until}", device.name),
            )?;
        }
        Command::Remove { fingerprint, .. } => {
            let catalog = &house.catalog;
            catalog.remove_device_key(&device, fingerprint, now).await?;
            let name = &device.name;
            call.said(
                &said(&firm, &device, "key_removed", json!({ "fingerprint": fingerprint })),
                &format!("removed key {fingerprint} from `{name}`; sessions that it opened end within a second"),
            )?;
            if let Some(note) = note_without(&device, fingerprint, now) {
                print::note(&note);
            }
        }
    }
    Ok(Exit::Done)
}

/// Returns what is to be said of a device that cannot log in without this key.
fn note_without(device: &Device, fingerprint: &str, now: Timestamp) -> Option<String> {
    let is_good = |own: &DeviceKey| own.expires_at.is_none_or(|at| at > now);
    let mut others = device.keys.iter();
    let has_key = others.any(|own| own.fingerprint != fingerprint && is_good(own));
    if has_key || device.means.are_met_by(false, device.has_password) {
        return None;
    }
    let has = if device.has_password {
        "a password and no key that is good"
    } else {
        "neither a key that is good nor a password"
    };
    let (name, means) = (&device.name, device.means);
    Some(format!(
        "note: device `{name}` logs in by {means} and has {has} now, so it cannot log in: `sluis device key add` gives it a key"
    ))
}

/// Returns when a key expires that is given now.
pub(super) fn expires_at(
    house: &House,
    expires: Option<Expiry>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let Some(expires) = expires else {
        return Ok(None);
    };
    expires.at(now, house.places.zone())
}

/// Reads the keys in some files, each once.
pub(super) fn public_keys(files: &[PathBuf]) -> Result<Vec<DeviceKey>, Error> {
    let mut all: Vec<DeviceKey> = Vec::new();
    for file in files {
        for key in keys::read(file)? {
            if !all.iter().any(|other| other.fingerprint == key.fingerprint) {
                all.push(key);
            }
        }
    }
    Ok(all)
}

fn named_keys(keys: Vec<DeviceKey>, comment: Option<&str>) -> Result<Vec<DeviceKey>, Error> {
    let Some(comment) = comment else {
        return Ok(keys);
    };
    if keys.len() > 1 {
        return Err(Error::Refused(
            "`--comment` names one key, and here are several: add them one by one".to_owned(),
        ));
    }
    let named = |key| DeviceKey {
        comment: print::trimmed_line(comment),
        ..key
    };
    Ok(keys.into_iter().map(named).collect())
}

async fn list(call: &Call, house: &House, device: &Device, now: Timestamp) -> Result<(), Error> {
    let keys = house.catalog.device_keys(device.id).await?;
    let rows = keys.iter().map(|key| (json_of(key), cells(key, now)));
    let hint = "this device has no key; `sluis device key add FIRM DEVICE --key FILE` adds one";
    call.list(
        &["key", "comment", "added", "last used", "expires"],
        rows.collect(),
        hint,
    )
}

fn cells(kept: &KeptKey, now: Timestamp) -> Vec<String> {
    let used = kept.used_at;
    vec![
        kept.key.fingerprint.clone(),
        kept.key.comment.clone(),
        kept.added_at.to_string(),
        used.map_or_else(|| "never".to_owned(), |at| at.to_string()),
        told_expiry(&kept.key, now),
    ]
}

/// Says until when a key is good.
pub(super) fn told_expiry(key: &DeviceKey, now: Timestamp) -> String {
    match key.expires_at {
        None => "never".to_owned(),
        Some(at) if at <= now => format!("EXPIRED at {at}"),
        Some(at) => at.to_string(),
    }
}

fn json_of(kept: &KeptKey) -> Value {
    json!({
        "fingerprint": kept.key.fingerprint, "comment": kept.key.comment, "public_key": kept.key.public_key,
        "added_at": kept.added_at.to_string(),
        "used_at": kept.used_at.map(|at| at.to_string()),
        "expires_at": kept.key.expires_at.map(|at| at.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceId, DeviceKind, FirmId, Means, Networks, Uploads};

    #[test]
    fn a_device_that_cannot_log_in_without_a_key_is_told_of() {
        use Means::{Key, KeyAndPassword, KeyOrPassword, Password};
        let key = |name: &str, until: Option<i64>| DeviceKey {
            fingerprint: name.to_owned(),
            public_key: String::new(),
            comment: String::new(),
            expires_at: until.map(Timestamp),
        };
        let now = Timestamp(1000);
        #[rustfmt::skip]
        let table = [
            // By              password, another key: until when,       told
            (KeyOrPassword,    false,    None,                          Some("neither a key that is good nor a password")),
            (KeyOrPassword,    false,    Some(key("other", None)),       None),
            (KeyOrPassword,    false,    Some(key("other", Some(1001))), None),
            (KeyOrPassword,    false,    Some(key("other", Some(1000))), Some("neither a key that is good nor a password")),
            (KeyOrPassword,    true,     None,                          None),
            (Key,              true,     None,                          Some("a password and no key that is good")),
            (KeyAndPassword,   true,     Some(key("other", Some(1000))), Some("a password and no key that is good")),
            (KeyAndPassword,   true,     Some(key("other", None)),       None),
            (Password,         true,     None,                          None),
        ];
        for (means, has_password, other, told) in table {
            let case = format!("{means} {has_password} {other:?}");
            let device = Device {
                id: DeviceId(1),
                firm: FirmId(1),
                name: "server".parse().unwrap(),
                kind: DeviceKind::Pull,
                added_at: now,
                last_seen: None,
                keys: [key("own", None)].into_iter().chain(other).collect(),
                has_password,
                uploads: Uploads::Off,
                means,
                networks: Networks::default(),
                disabled: None,
            };

            let note = note_without(&device, "own", now);

            assert_eq!(note.is_some(), told.is_some(), "{case}");
            assert!(
                note.is_none_or(|note| note.contains(told.unwrap())),
                "{case}"
            );
        }
    }
}
