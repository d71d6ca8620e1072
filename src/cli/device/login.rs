//! With what, from where, and whether at all does a device log in?

use serde_json::json;

use super::{Named, Set, said};
use crate::app::House;
use crate::catalog::Device;
use crate::cli::call::{Call, find_device, find_firm};
use crate::cli::{Error, Exit, password, print};
use crate::login::hash_password;

/// The longest reason, in characters: it stands in one line of the log.
const REASON_CHARS_MAX: usize = 200;

/// What becomes of a device's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[group(id = "password_change", multiple = false)]
pub(super) struct PasswordChange {
    /// Make a new password, and show it once.
    #[arg(long)]
    pub(super) password: bool,
    /// Take the new password from the first line of standard input.
    #[arg(long)]
    pub(super) password_stdin: bool,
    /// Take the password away.
    #[arg(long)]
    pub(super) no_password: bool,
}

/// What a device will have.
struct Change {
    /// The new password, or none any more.
    password: Option<Option<String>>,
    is_made: bool,
}

/// Changes what a device may do, and how it logs in.
pub(super) async fn set(call: &Call, house: &House, set: &Set) -> Result<Exit, Error> {
    let firm = find_firm(house, &set.named.firm).await?;
    let device = find_device(house, &firm, &set.named.device).await?;
    // All that can be refused is, before anything is changed.
    let change = change_of(set, &device)?;
    if let Some(uploads) = set.uploads {
        super::set_uploads(call, house, (&firm, &device), uploads).await?;
    }
    let (catalog, name) = (&house.catalog, &device.name);
    if let Some(password) = &change.password {
        let hash = password.as_deref().map(hash_password).transpose();
        let hash = hash
            .map_err(|source| Error::failed("could not hash the password", source.to_string()))?;
        let now = house.clock.read();
        catalog.set_password(&device, hash.as_deref(), now).await?;
        let (changed, text) = match password {
            Some(made) if change.is_made => (
                json!({ "has_password": true, "password": made }),
                format!("password  {made}  (write it down: it is not shown again)"),
            ),
            Some(_) => (
                json!({ "has_password": true }),
                format!("device `{name}` has a new password"),
            ),
            None => (
                json!({ "has_password": false }),
                format!("device `{name}` has no password any more"),
            ),
        };
        call.said(&said(&firm, &device, "changed", changed), &text)?;
    }
    if set.login.is_some() || set.from.is_some() {
        let login = (set.login, set.from.as_ref());
        let (means, networks) = catalog
            .set_login(&device, login, house.clock.read())
            .await?;
        let changed = json!({ "login_by": means.as_str(), "from": networks.to_string() });
        call.said(
            &said(&firm, &device, "changed", changed),
            &format!("device `{name}` logs in by {means}, from {networks}"),
        )?;
    }
    if set.changes_login() {
        print::note("a session that is open and could not log in so any more ends within a second");
    }
    Ok(Exit::Done)
}

fn change_of(set: &Set, device: &Device) -> Result<Change, Error> {
    let asked = set.password;
    let means = set.login.unwrap_or(device.means);
    let has_password =
        asked.password || asked.password_stdin || (device.has_password && !asked.no_password);
    if set.changes_login() && !means.are_met_by(!device.keys.is_empty(), has_password) {
        return Err(Error::Refused(format!(
            "device `{}` could never log in: it would log in by {means}, and has {}; `device key add` gives it a key, `--password` a password",
            device.name,
            match (device.keys.is_empty(), has_password) {
                (true, true) => "a password only",
                (false, false) => "keys only",
                _ => "neither",
            }
        )));
    }
    let password = match (asked.password, asked.password_stdin, asked.no_password) {
        (true, ..) => Some(Some(password::make())),
        (_, true, _) => Some(Some(password::from_stdin()?)),
        (.., true) => Some(None),
        _ => None,
    };
    Ok(Change {
        password,
        is_made: asked.password,
    })
}

/// Reads why a device may not log in: one line, neither empty nor long.
pub(in crate::cli) fn reason(text: &str) -> Result<String, Error> {
    let reason = print::trimmed_line(text);
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(Error::Refused(format!(
            "a reason has 1 to {REASON_CHARS_MAX} characters: whoever enables the device again should know it"
        )));
    }
    Ok(reason)
}

/// Keeps a device from logging in.
pub(super) async fn disable(
    call: &Call,
    house: &House,
    named: &Named,
    reason: &str,
) -> Result<Exit, Error> {
    let reason = self::reason(reason)?;
    let firm = find_firm(house, &named.firm).await?;
    let device = find_device(house, &firm, &named.device).await?;
    let now = house.clock.read();
    house.catalog.disable_device(&device, &reason, now).await?;
    let name = &device.name;
    call.said(
        &said(&firm, &device, "disabled", json!({ "reason": reason })),
        &format!("device `{name}` can no longer log in; its open sessions end within a second, and what it is offered waits"),
    )?;
    Ok(Exit::Done)
}

/// Lets a device log in again.
pub(super) async fn enable(call: &Call, house: &House, named: &Named) -> Result<Exit, Error> {
    let firm = find_firm(house, &named.firm).await?;
    let device = find_device(house, &firm, &named.device).await?;
    house
        .catalog
        .enable_device(&device, house.clock.read())
        .await?;
    call.said(
        &said(&firm, &device, "enabled", json!({})),
        &format!("device `{}` can log in again", device.name),
    )?;
    Ok(Exit::Done)
}
