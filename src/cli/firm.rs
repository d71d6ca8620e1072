//! Which firms are there?

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::call::{Call, device_name, find_firm};
use super::{Error, Exit, print, rules, table};
use crate::alarm::{OrConfig, Patience};
use crate::app::House;
use crate::catalog::Firm;
use crate::model::{Language, Name};

/// The commands about firms.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a firm, and make its drop folder.
    Add {
        /// Its name in logins, folders and commands: lower-case letters, digits and hyphens.
        slug: Name,
        /// Its name for people.
        #[arg(long)]
        name: String,
        /// The language in which it is told things, and of its folders: nl, fr, en or de.
        #[arg(long, default_value = "nl")]
        language: Language,
    },
    /// List the firms.
    List,
    /// Show a firm.
    Show {
        /// Which.
        slug: String,
    },
    /// Change what a firm is called, or how it sends where its links do not say otherwise.
    Set(rules::SetFirm),
    /// Remove a firm that never had a device, dossier or document.
    Remove {
        /// Which.
        slug: String,
    },
}

/// Runs a command about firms.
pub(super) async fn run(call: &Call, command: Command) -> Result<Exit, Error> {
    let house = call.house().await?;
    match command {
        Command::Add {
            slug,
            name,
            language,
        } => add(call, &house, &slug, &name, language).await,
        Command::List => list(call, &house).await,
        Command::Show { slug } => show(call, &house, &find_firm(&house, &slug).await?).await,
        Command::Set(args) => {
            let (firm, looked) = rules::set_firm(&house, &args).await?;
            let exit = looked.tell();
            show(call, &house, &firm).await?;
            Ok(exit)
        }
        Command::Remove { slug } => remove(call, &house, &find_firm(&house, &slug).await?).await,
    }
}

async fn add(
    call: &Call,
    house: &House,
    slug: &Name,
    name: &str,
    language: Language,
) -> Result<Exit, Error> {
    if name.trim().is_empty() {
        return Err(Error::Refused(rules::NAMELESS.to_owned()));
    }
    let now = house.clock.read();
    house
        .catalog
        .add_firm(slug, name.trim(), language, now)
        .await?;
    let folder = drop_folder(house, slug.as_str());
    fs::create_dir_all(&folder).map_err(Error::file("make the drop folder", &folder))?;
    if call.json {
        return show(call, house, &find_firm(house, slug.as_str()).await?).await;
    }
    print::line(&format!(
        "added firm `{slug}`; documents dropped in `{}` are its own",
        folder.display()
    ))?;
    Ok(Exit::Done)
}

async fn list(call: &Call, house: &House) -> Result<Exit, Error> {
    let mut rows = Vec::new();
    for firm in house.catalog.firms().await? {
        let device = default_device(house, &firm).await?;
        let cells = vec![
            firm.slug.to_string(),
            firm.name.clone(),
            firm.language.as_str().to_owned(),
            device.clone(),
        ];
        rows.push((json_of(house, &firm, &device), cells));
    }
    let hint = "there is no firm yet; `sluis firm add SLUG --name NAME` adds one";
    call.list(&["firm", "name", "language", "default device"], rows, hint)?;
    Ok(Exit::Done)
}

async fn show(call: &Call, house: &House, firm: &Firm) -> Result<Exit, Error> {
    let device = default_device(house, firm).await?;
    if call.json {
        print::json(&json_of(house, firm, &device))?;
        return Ok(Exit::Done);
    }
    let catalog = &house.catalog;
    let none = "none: what no link assigns to a device waits; `sluis device default` names one";
    table::facts(&[
        ("firm", firm.slug.to_string()),
        ("name", firm.name.clone()),
        ("language", firm.language.as_str().to_owned()),
        (
            "default device",
            if device.is_empty() {
                none.to_owned()
            } else {
                device
            },
        ),
        ("transfer", firm.sends.transfer.to_string()),
        ("approval", firm.sends.approval.to_string()),
        (
            "night",
            format!(
                "{} in {}",
                firm.sends.night_hour,
                firm.sends
                    .time_zone
                    .as_ref()
                    .unwrap_or(&house.config.time_zone)
            ),
        ),
        ("keeps", firm.keeps.to_string()),
        ("duplicates", firm.sends.duplicates.to_string()),
        ("alarms", alarms_told(house, firm)),
        (
            "drop folder",
            drop_folder(house, firm.slug.as_str()).display().to_string(),
        ),
        (
            "dossiers",
            catalog.dossiers(firm.id).await?.len().to_string(),
        ),
        ("links", catalog.links(firm.id).await?.len().to_string()),
        ("devices", catalog.devices(firm.id).await?.len().to_string()),
    ])?;
    Ok(Exit::Done)
}

async fn remove(call: &Call, house: &House, firm: &Firm) -> Result<Exit, Error> {
    house.catalog.remove_firm(firm.id).await?;
    let folder = drop_folder(house, firm.slug.as_str());
    let gone = fs::remove_dir(&folder).is_ok() || !folder.exists();
    let rest = if gone {
        String::new()
    } else {
        format!(
            "; its drop folder `{}` is not empty, and stays",
            folder.display()
        )
    };
    let left = (!gone).then(|| folder.display().to_string());
    call.said(
        &json!({ "firm": firm.slug.as_str(), "result": "removed", "drop_folder": left }),
        &format!("removed firm `{}`{rest}", firm.slug),
    )?;
    Ok(Exit::Done)
}

/// Returns where documents of a firm are dropped.
pub(super) fn drop_folder(house: &House, slug: &str) -> PathBuf {
    house.config.drop.root.join(slug)
}

async fn default_device(house: &House, firm: &Firm) -> Result<String, Error> {
    let devices = house.catalog.devices(firm.id).await?;
    Ok(device_name(&devices, firm.default_device))
}

fn alarms_told(house: &House, firm: &Firm) -> String {
    let told = |own: OrConfig, configured: Patience| match own {
        OrConfig::Config => format!("{configured}, as configured"),
        OrConfig::Own(own) => own.to_string(),
    };
    let (own, configured) = (firm.alarms, house.config.alarms);
    format!(
        "a document not collected: {}\na device not seen: {}",
        told(own.uncollected, configured.uncollected),
        told(own.unseen, configured.unseen)
    )
}

fn json_of(house: &House, firm: &Firm, device: &str) -> Value {
    json!({
        "firm": firm.slug.as_str(), "name": firm.name, "language": firm.language.as_str(),
        "default_device": (!device.is_empty()).then_some(device),
        "transfer": firm.sends.transfer.to_string(), "approval": firm.sends.approval.as_str(),
        "night": firm.sends.night_hour.to_string(), "time_zone": firm.sends.time_zone,
        "keep_in_view": firm.keeps.in_view().to_string(),
        "keep_documents": firm.keeps.documents().to_string(),
        "keep_events": firm.keeps.events().to_string(),
        "duplicates": firm.sends.duplicates.as_str(),
        "alarm_uncollected": firm.alarms.uncollected.to_string(),
        "alarm_unseen": firm.alarms.unseen.to_string(),
        "drop_folder": drop_folder(house, firm.slug.as_str()).display().to_string(),
    })
}
