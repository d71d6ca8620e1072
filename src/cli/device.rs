//! Which SFTP logins does a firm have?

mod expiry;
mod key;
mod login;

pub(super) use expiry::end_of;
pub(super) use login::reason;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::call::{Call, find_device, find_firm};
use super::link::receiver;
use super::waiting::{Looked, look_again};
use super::{Error, Exit, password, print, rules, table};
use crate::app::House;
use crate::catalog::{self, Device, DeviceKey, Firm, NewDevice};
use crate::login::hash_password;
use crate::model::{DeviceKind, Means, Name, Networks, Uploads};
use crate::sending::Waiting;

/// The commands about devices.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a login.
    Add(Add),
    /// List the devices of a firm.
    List {
        /// Of which firm.
        firm: String,
    },
    /// Show a device.
    Show(Named),
    /// Take a device out of use: it can no longer log in.
    Remove(Named),
    /// Send what no link assigns to this device.
    Default {
        /// The device.
        #[command(flatten)]
        named: Named,
        /// What another device was offered, and has not collected, goes to this one.
        #[arg(long)]
        move_waiting: bool,
    },
    /// Change what a device may do, and how it logs in.
    Set(Set),
    /// Keep a device from logging in, and end its sessions; what it is offered waits.
    Disable {
        /// The device.
        #[command(flatten)]
        named: Named,
        /// Why, for whoever looks at it later.
        #[arg(long)]
        reason: String,
    },
    /// Let a device log in again.
    Enable(Named),
    /// List a device's keys, give it more, or take one away.
    #[command(subcommand)]
    Key(key::Command),
}

/// The arguments of `device set`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true)
    .args(["uploads", "login", "from", "password", "password_stdin", "no_password"])))]
pub(super) struct Set {
    /// The device.
    #[command(flatten)]
    named: Named,
    /// Whether it may put documents into its folder `/in`: `on` or `off`.
    #[arg(long)]
    uploads: Option<Uploads>,
    /// With what it logs in: `key-or-password`, `key`, `password`, or `key-and-password`.
    #[arg(long, value_name = "WITH")]
    login: Option<Means>,
    /// From where it logs in: networks such as `192.0.2.0/24,2001:db8::/32`, or `anywhere`.
    #[arg(long, value_name = "NETWORKS")]
    from: Option<Networks>,
    /// Its password.
    #[command(flatten)]
    password: login::PasswordChange,
}

impl Set {
    fn changes_login(&self) -> bool {
        let asked = self.password;
        let password = asked.password || asked.password_stdin || asked.no_password;
        password || self.login.is_some() || self.from.is_some()
    }
}

/// The arguments of `device add`.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Of which firm.
    firm: String,
    /// Its name; it logs in as FIRM.NAME.
    name: Name,
    /// How it works: `pull` (a script fetches), `mount` (a mounted drive), `bridge` (our agent) or `source` (only uploads).
    #[arg(long)]
    kind: DeviceKind,
    /// A file with its public key, or with several as in `authorized_keys`; `-` is standard input. May be repeated.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Until when its keys are good: their last day, such as 2027-01-31, or `90d`, `6mo`, `1y`.
    #[arg(long, requires = "keys")]
    expires: Option<expiry::Expiry>,
    /// Make a password, and show it once.
    #[arg(long, conflicts_with = "password_stdin")]
    password: bool,
    /// Take the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Send what no link assigns to this device.
    #[arg(long)]
    default: bool,
}

/// A device of a firm.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Of which firm.
    firm: String,
    /// Its name, or its login.
    device: String,
}

/// Runs a command about devices.
pub(super) async fn run(call: &Call, command: Command) -> Result<Exit, Error> {
    let house = call.house().await?;
    match command {
        Command::Add(args) => add(call, &house, &args).await,
        Command::List { firm } => list(call, &house, &firm).await,
        Command::Show(Named { firm, device }) => {
            let firm = find_firm(&house, &firm).await?;
            let device = find_device(&house, &firm, &device).await?;
            show(call, &house, &firm, &device).await
        }
        Command::Remove(named) => remove(call, &house, &named).await,
        Command::Default {
            named,
            move_waiting,
        } => make_default(call, &house, &named, move_waiting).await,
        Command::Set(args) => login::set(call, &house, &args).await,
        Command::Disable { named, reason } => login::disable(call, &house, &named, &reason).await,
        Command::Enable(named) => login::enable(call, &house, &named).await,
        Command::Key(command) => key::run(call, &house, &command).await,
    }
}

async fn add(call: &Call, house: &House, args: &Add) -> Result<Exit, Error> {
    let firm = find_firm(house, &args.firm).await?;
    if args.default && args.kind == DeviceKind::Source {
        return Err(Error::Refused(
            "a device that only uploads cannot be the default: nothing is sent to it".to_owned(),
        ));
    }
    let now = house.clock.read();
    let expires_at = key::expires_at(house, args.expires, now)?;
    let keys = key::public_keys(&args.keys)?.into_iter();
    let keys: Vec<_> = keys.map(|key| DeviceKey { expires_at, ..key }).collect();
    let password = match (args.password, args.password_stdin) {
        (true, _) => Some(password::make()),
        (_, true) => Some(password::from_stdin()?),
        _ => None,
    };
    if keys.is_empty() && password.is_none() {
        let text = "a device without a key and a password could never log in: give `--key FILE` with its public key, or `--password` to make one";
        return Err(Error::Refused(text.to_owned()));
    }
    let hash = password.as_deref().map(hash_password).transpose();
    let hash =
        hash.map_err(|source| Error::failed("could not hash the password", source.to_string()))?;
    let new = NewDevice {
        name: &args.name,
        kind: args.kind,
        password_hash: hash.as_deref(),
        keys: &keys,
        is_default: args.default,
    };
    let added = house.catalog.add_device(firm.id, &new, now).await;
    added.map_err(|failed| or_another_key(failed, &firm, &args.name))?;
    let looked = if args.default {
        look_again(house, firm.id, Waiting::Stays).await
    } else {
        Looked::at_nothing()
    };
    let made = password.filter(|_| args.password);
    tell_added(call, house, (&firm, args.name.as_str()), made).await?;
    Ok(looked.tell())
}

/// Whoever adds a device that is there mostly wants to give it another key.
fn or_another_key(failed: catalog::Error, firm: &Firm, name: &Name) -> Error {
    match failed {
        catalog::Error::Exists { what } => {
            let slug = &firm.slug;
            Error::Refused(format!(
                "{what} exists already: `sluis device key add {slug} {name} --key FILE` gives it another key, and `sluis device set {slug} {name}` changes its password, how it logs in and what it may do"
            ))
        }
        other => other.into(),
    }
}

/// The password is shown here and never again: only its hash is kept.
async fn tell_added(
    call: &Call,
    house: &House,
    (firm, name): (&Firm, &str),
    made: Option<String>,
) -> Result<(), Error> {
    let device = find_device(house, firm, name).await?;
    let firm = find_firm(house, firm.slug.as_str()).await?; // its default device may be another now
    if call.json {
        let mut value = json_of(&firm, &device);
        if let (Some(object), Some(made)) = (value.as_object_mut(), made) {
            object.insert("password".to_owned(), made.into());
        }
        return print::json(&value);
    }
    print::line(&format!(
        "added device `{name}`; it logs in as {}.{name}",
        firm.slug
    ))?;
    for key in &device.keys {
        print::line(&format!("key       {} {}", key.fingerprint, key.comment))?;
    }
    if let Some(made) = made {
        print::line(&format!(
            "password  {made}  (write it down: it is not shown again)"
        ))?;
    }
    Ok(())
}

async fn list(call: &Call, house: &House, firm: &str) -> Result<Exit, Error> {
    let firm = find_firm(house, firm).await?;
    let waiting = house.catalog.offered_counts(firm.id).await?;
    let devices = house.catalog.devices(firm.id).await?;
    let row = |device: &Device| {
        let waits = waiting
            .iter()
            .find(|own| own.device == device.id)
            .map_or(0, |own| own.count);
        let default = if firm.default_device == Some(device.id) {
            "yes"
        } else {
            ""
        };
        let cells = vec![
            device.name.to_string(),
            device.kind.as_str().to_owned(),
            format!("{}.{}", firm.slug, device.name),
            means(device),
            device.networks.to_string(),
            default.to_owned(),
            waits.to_string(),
            device
                .last_seen
                .map_or_else(|| "never".to_owned(), |at| at.to_string()),
        ];
        let mut value = json_of(&firm, device);
        if let Some(object) = value.as_object_mut() {
            object.insert("waiting".to_owned(), waits.into());
        }
        (value, cells)
    };
    let heads = [
        "device",
        "kind",
        "login",
        "proves itself by",
        "from",
        "default",
        "waiting",
        "last seen",
    ];
    let hint =
        "this firm has no device yet; `sluis device add FIRM NAME --kind pull --key FILE` adds one";
    call.list(&heads, devices.iter().map(row).collect(), hint)?;
    Ok(Exit::Done)
}

async fn show(call: &Call, house: &House, firm: &Firm, device: &Device) -> Result<Exit, Error> {
    if call.json {
        print::json(&json_of(firm, device))?;
        return Ok(Exit::Done);
    }
    let links = house.catalog.links(firm.id).await?;
    let default = firm.default_device == Some(device.id);
    let mine = links
        .iter()
        .filter(|link| link.device == Some(device.id) || (default && link.device.is_none()));
    let codes: Vec<_> = mine
        .map(|link| format!("{} `{}`", link.profile, link.code))
        .collect();
    let keys: Vec<_> = device
        .keys
        .iter()
        .map(|key| match key.expires_at {
            None => format!("{} {}", key.fingerprint, key.comment),
            Some(_) => format!(
                "{} {} ({})",
                key.fingerprint,
                key.comment,
                key::told_expiry(key, house.clock.read())
            ),
        })
        .collect();
    table::facts(&[
        ("device", device.name.to_string()),
        ("login", format!("{}.{}", firm.slug, device.name)),
        ("kind", device.kind.as_str().to_owned()),
        ("uploads", device.uploads.as_str().to_owned()),
        ("default", if default { "yes" } else { "no" }.to_owned()),
        ("keys", keys.join("\n")),
        (
            "password",
            if device.has_password { "yes" } else { "no" }.to_owned(),
        ),
        ("logs in by", device.means.to_string()),
        ("from", device.networks.to_string()),
        (
            "disabled",
            device.disabled.as_ref().map_or_else(
                || "no".to_owned(),
                |own| format!("since {}: {}", own.at, own.why),
            ),
        ),
        ("links", codes.join("\n")),
        ("added", device.added_at.to_string()),
        (
            "last seen",
            device
                .last_seen
                .map_or_else(|| "never".to_owned(), |at| at.to_string()),
        ),
    ])?;
    Ok(Exit::Done)
}

async fn remove(call: &Call, house: &House, named: &Named) -> Result<Exit, Error> {
    let firm = find_firm(house, &named.firm).await?;
    let device = find_device(house, &firm, &named.device).await?;
    house
        .catalog
        .remove_device(firm.id, &device, house.clock.read())
        .await?;
    let name = &device.name;
    call.said(
        &said(&firm, &device, "removed", json!({})),
        &format!("removed device `{name}`; it can no longer log in"),
    )?;
    Ok(Exit::Done)
}

async fn make_default(
    call: &Call,
    house: &House,
    named: &Named,
    is_moved: bool,
) -> Result<Exit, Error> {
    let firm = find_firm(house, &named.firm).await?;
    let device = receiver(find_device(house, &firm, &named.device).await?)?;
    let now = house.clock.read();
    house.catalog.make_default(firm.id, &device, now).await?;
    let name = &device.name;
    call.said(
        &said(&firm, &device, "changed", json!({ "default": true })),
        &format!("device `{name}` now gets what no link assigns"),
    )?;
    let exit = look_again(house, firm.id, Waiting::Stays).await.tell();
    if is_moved {
        let links = house.catalog.links(firm.id).await?;
        let follows = |id| {
            links
                .iter()
                .any(|link| link.id == id && link.device.is_none())
        };
        rules::move_waiting(house, &firm, follows).await?;
    }
    Ok(exit)
}

async fn set_uploads(
    call: &Call,
    house: &House,
    (firm, device): (&Firm, &Device),
    uploads: Uploads,
) -> Result<(), Error> {
    let now = house.clock.read();
    house.catalog.set_uploads(device, uploads, now).await?;
    let text = match uploads {
        Uploads::On => format!("device `{}` may now put documents into /in", device.name),
        Uploads::Off => format!("device `{}` no longer has a folder /in", device.name),
    };
    let changed = json!({ "uploads": uploads.as_str() });
    call.said(&said(firm, device, "changed", changed), &text)
}

/// What was done to a device, as a program is told it: what it has now stands under the names of `device show`.
fn said(firm: &Firm, device: &Device, result: &str, now: Value) -> Value {
    let mut value = json!({
        "firm": firm.slug.as_str(), "device": device.name.as_str(), "result": result,
    });
    if let (Some(object), Value::Object(now)) = (value.as_object_mut(), now) {
        object.extend(now);
    }
    value
}

fn means(device: &Device) -> String {
    let keys = match device.keys.len() {
        0 => None,
        1 => Some("1 key".to_owned()),
        more => Some(format!("{more} keys")),
    };
    let password = device.has_password.then(|| "password".to_owned());
    let means: Vec<_> = keys.into_iter().chain(password).collect();
    let joined = match device.means {
        Means::KeyAndPassword => means.join(" and "),
        Means::KeyOrPassword | Means::Key | Means::Password => means.join(", "),
    };
    if device.disabled.is_some() {
        format!("disabled ({joined})")
    } else {
        joined
    }
}

/// Since when a device is disabled, and why; null where it is not.
pub(super) fn disabled_json(device: &Device) -> Value {
    let disabled = device.disabled.as_ref();
    disabled.map_or(
        Value::Null,
        |own| json!({ "at": own.at.to_string(), "why": own.why }),
    )
}

fn json_of(firm: &Firm, device: &Device) -> Value {
    let keys: Vec<_> = device
        .keys
        .iter()
        .map(|key| {
            json!({
                "fingerprint": key.fingerprint, "comment": key.comment,
                "expires_at": key.expires_at.map(|at| at.to_string()),
            })
        })
        .collect();
    json!({
        "firm": firm.slug.as_str(), "device": device.name.as_str(), "kind": device.kind.as_str(),
        "login": format!("{}.{}", firm.slug, device.name),
        "default": firm.default_device == Some(device.id),
        "keys": keys, "has_password": device.has_password,
        "uploads": device.uploads.as_str(),
        "login_by": device.means.as_str(), "from": device.networks.to_string(),
        "disabled": disabled_json(device),
        "added_at": device.added_at.to_string(),
        "last_seen": device.last_seen.map(|at| at.to_string()),
    })
}
