//! Which dossiers are joined to which accounting programs?

use jiff::civil::Date;
use serde_json::{Value, json};

use super::call::{Aim, Call, device_name, find_device, find_firm, find_link};
use super::dossier::named;
use super::waiting::look_again;
use super::{Error, Exit, print, rules, table};
use crate::app::House;
use crate::catalog::{Device, Dossier, Firm, Link, LinkRules, NewLink};
use crate::ingest::place;
use crate::layout::{self, FolderRole, LinkFacts, Profile, Profiles};
use crate::model::{Approval, DeviceKind, Language, LinkId, OrFirm, Transfer, VirtualPath};
use crate::sending::Waiting;

/// The commands about links.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Join a dossier to an accounting program.
    Add(Add),
    /// List the links of a firm.
    List {
        /// Of which firm.
        firm: String,
    },
    /// Show a link, with its folders.
    Show(Shown),
    /// Change how a link sends, or to which device.
    Set(rules::Set),
    /// Take a link out of use; what it held waits for another.
    Remove(Named),
}

/// The arguments of `link add`.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Of which firm.
    firm: String,
    /// Which dossier: by its name, any of its numbers, its code, or our own id (`dossier:2`, never a bare number).
    dossier: String,
    /// How the program wants its folders: `expertm`, `bob-demat`, …
    #[arg(long)]
    profile: String,
    /// The dossier's code in that program.
    #[arg(long)]
    code: String,
    /// Where its documents go; else to the firm's default device.
    #[arg(long)]
    device: Option<String>,
    /// When they are sent: at-once, manual, after=10m, nightly, month-end, or as the firm has it.
    #[arg(long, default_value = "firm")]
    transfer: OrFirm<Transfer>,
    /// Whether incoming documents wait for approval: required, not-needed, or as the firm has it.
    #[arg(long, default_value = "firm")]
    approval: OrFirm<Approval>,
    /// Nothing of an earlier date is sent by itself: `2026-01-01`.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// The language of its folders; else the firm's, where the profile has it.
    #[arg(long)]
    language: Option<Language>,
}

/// A link of a firm, to look at.
#[derive(Debug, clap::Args)]
pub(super) struct Shown {
    /// Of which firm.
    firm: String,
    /// By its code, by its profile and code as `expertm/KORENAAR`, or by our own id (`3`, or `link:3` where `3` is also a code).
    link: String,
}

/// A link of a firm.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Of which firm.
    firm: String,
    /// By its code, by its profile and code as `expertm/KORENAAR`, or by our own id (`link:3`, never a bare number).
    link: String,
}

/// Runs a command about links.
pub(super) async fn run(call: &Call, command: Command) -> Result<Exit, Error> {
    let house = call.house().await?;
    match command {
        Command::Add(args) => add(call, &house, &args).await,
        Command::List { firm } => list(call, &house, &firm).await,
        Command::Show(Shown { firm, link }) => {
            let firm = find_firm(&house, &firm).await?;
            let links = house.catalog.links(firm.id).await?;
            let id = find_link(&links, &link, Aim::Look)?.id;
            show(call, &house, &firm, id).await
        }
        Command::Set(args) => rules::set(call, &house, &args).await,
        Command::Remove(Named { firm, link }) => remove(call, &house, &firm, &link).await,
    }
}

async fn add(call: &Call, house: &House, args: &Add) -> Result<Exit, Error> {
    let firm = find_firm(house, &args.firm).await?;
    let dossier = named(house, firm.id, &args.dossier, Aim::Change).await?;
    let profile = house.profiles.find(&args.profile);
    let profile = profile.map_err(|unknown| Error::Refused(unknown.to_string()))?;
    layout::check_code(&args.code).map_err(|bad| Error::Refused(bad.to_string()))?;
    let language = language(profile, &firm, args.language)?;
    let device = match &args.device {
        Some(name) => Some(receiver(find_device(house, &firm, name).await?)?),
        None => None,
    };
    check_folders(house, &firm, &dossier, (profile, &args.code, language)).await?;
    let new = NewLink {
        dossier: dossier.id,
        profile: profile.id(),
        code: &args.code,
        language,
        device: device.as_ref().map(|device| device.id),
        sends: LinkRules {
            transfer: args.transfer,
            approval: args.approval,
            from: args.from,
        },
    };
    let now = house.clock.read();
    let id = house.catalog.add_link(firm.id, &new, now).await?;
    let looked = look_again(house, firm.id, Waiting::Stays).await;
    if !call.json {
        print::line(&format!(
            "added link {id}: dossier `{}` in {}",
            dossier.name,
            profile.name()
        ))?;
    }
    show(call, house, &firm, id).await?;
    let exit = looked.tell();
    if device.is_none() && firm.default_device.is_none() {
        print::note(
            "note: neither the link nor the firm names a device, so its documents wait: `sluis device add … --default`",
        );
    }
    Ok(exit)
}

fn language(profile: &Profile, firm: &Firm, asked: Option<Language>) -> Result<Language, Error> {
    let Some(asked) = asked else {
        return Ok(profile.language_for(firm.language));
    };
    if profile.languages().contains(&asked) {
        return Ok(asked);
    }
    let known: Vec<_> = profile.languages().iter().map(|l| l.as_str()).collect();
    Err(Error::Refused(format!(
        "profile `{}` has no folders in `{}`: it has them in {}",
        profile.id(),
        asked.as_str(),
        known.join(", ")
    )))
}

/// Nothing is ever offered to a device that only uploads.
pub(super) fn receiver(device: Device) -> Result<Device, Error> {
    if device.kind == DeviceKind::Source {
        return Err(Error::Refused(format!(
            "device `{}` only uploads: documents go to a pull, mount or bridge device",
            device.name
        )));
    }
    Ok(device)
}

/// Two links in one folder: nobody could tell whose file it is.
async fn check_folders(
    house: &House,
    firm: &Firm,
    dossier: &Dossier,
    (profile, code, language): (&Profile, &str, Language),
) -> Result<(), Error> {
    let today = house.places.today(house.clock.read());
    let facts = LinkFacts {
        firm: firm.slug.as_str(),
        dossier_code: code,
        dossier_name: &dossier.name,
        enterprise_number: dossier.enterprise_digits(),
        language,
    };
    let mut new = Vec::new();
    for (_, folder) in profile.preview(&facts, today) {
        new.push(folder.map_err(|missing| Error::Refused(missing.to_string()))?);
    }
    for link in house.catalog.links(firm.id).await? {
        for (_, folder) in folders(house, &link) {
            if let Some(shared) = new.iter().find(|own| own.key() == folder.key()) {
                return Err(Error::Refused(format!(
                    "the folder `{shared}` belongs to link {} already (`{}` in `{}`, dossier `{}`): give another code, or remove that link first",
                    link.id, link.code, link.profile, link.dossier_name
                )));
            }
        }
    }
    Ok(())
}

/// Returns the folders of a link today; none where its profile is gone.
pub(super) fn folders(house: &House, link: &Link) -> Vec<(FolderRole, VirtualPath)> {
    let today = house.places.today(house.clock.read());
    let Ok(profile) = house.profiles.find(&link.profile) else {
        return Vec::new();
    };
    let preview = profile.preview(&place::facts(link), today);
    preview
        .into_iter()
        .filter_map(|(role, folder)| Some((role, folder.ok()?)))
        .collect()
}

/// Says of each link of a dossier why that cannot become another: its folders bear what would change, or nobody here
/// can tell. A folder that lacks a number so far may have it.
pub(super) fn folders_stay(
    profiles: &Profiles,
    firm: &str,
    links: &[Link],
    (old, new): (&Dossier, &Dossier),
) -> Vec<String> {
    let own = links.iter().filter(|link| link.dossier == old.id);
    let refusal = |link: &Link| match profiles.find(&link.profile) {
        Ok(profile) => renames(profile, firm, link, (old, new)).then(|| stays(link, old)),
        Err(_) => may_rename(old, new).then(|| unsure(link, old)),
    };
    own.filter_map(refusal).collect()
}

/// Says whether the folders of a link would change with the name or the numbers of its dossier.
fn renames(profile: &Profile, firm: &str, link: &Link, (old, new): (&Dossier, &Dossier)) -> bool {
    let folders = |dossier: &Dossier| {
        let facts = LinkFacts {
            firm,
            dossier_code: &link.code,
            dossier_name: &dossier.name,
            enterprise_number: dossier.enterprise_digits(),
            language: link.language,
        };
        let folders = profile.preview(&facts, Date::constant(2026, 1, 1));
        let shown = folders.into_iter();
        shown.map(|(_, folder)| folder.ok().map(|path| path.key()))
    };
    let mut both = folders(old).zip(folders(new));
    both.any(|(was, is)| was.is_some() && was != is)
}

/// The same of a link whose profile nobody here knows: its folders may bear all that a folder can.
fn may_rename(old: &Dossier, new: &Dossier) -> bool {
    let digits = old.enterprise_digits();
    old.name != new.name || (digits.is_some() && digits != new.enterprise_digits())
}

/// Says that the folders of a link stay as they are.
fn stays(link: &Link, dossier: &Dossier) -> String {
    format!(
        "the folders of link `{}` in `{}` bear the name or number of dossier `{}`, so these cannot change: remove that link first",
        link.code, link.profile, dossier.name
    )
}

/// Says that nobody can tell whether the folders of a link stay as they are.
fn unsure(link: &Link, dossier: &Dossier) -> String {
    let (code, profile, name) = (&link.code, &link.profile, &dossier.name);
    format!(
        "the folders of link `{code}` may bear the name or number of dossier `{name}`, and nobody can tell here, for there is no profile `{profile}`: run this with the profiles that the server has (`profiles` in the configuration, or `SLUIS_PROFILES`), or remove that link first"
    )
}

async fn list(call: &Call, house: &House, firm: &str) -> Result<Exit, Error> {
    let firm = find_firm(house, firm).await?;
    let devices = house.catalog.devices(firm.id).await?;
    let links = house.catalog.links(firm.id).await?;
    let row = |link: &Link| {
        let device = device_name(&devices, link.device);
        let cells = vec![
            link.id.to_string(),
            link.dossier_name.clone(),
            link.profile.clone(),
            link.code.clone(),
            if device.is_empty() {
                "(default)".to_owned()
            } else {
                device
            },
            link.sends.transfer.to_string(),
            link.language.as_str().to_owned(),
        ];
        (json_of(house, &firm, link, &devices), cells)
    };
    let heads = [
        "id", "dossier", "profile", "code", "device", "transfer", "language",
    ];
    let hint =
        "this firm has no link yet; `sluis link add FIRM DOSSIER --profile P --code C` adds one";
    call.list(&heads, links.iter().map(row).collect(), hint)?;
    Ok(Exit::Done)
}

/// Shows a link, with its folders. A command that has just changed it names it by its row: its id may be another's code.
pub(super) async fn show(
    call: &Call,
    house: &House,
    firm: &Firm,
    id: LinkId,
) -> Result<Exit, Error> {
    let links = house.catalog.links(firm.id).await?;
    let own = links.iter().find(|link| link.id == id);
    let link = own.ok_or_else(|| Error::Refused(format!("link {id} was removed meanwhile")))?;
    let devices = house.catalog.devices(firm.id).await?;
    if call.json {
        print::json(&json_of(house, firm, link, &devices))?;
        return Ok(Exit::Done);
    }
    let default = match device_name(&devices, firm.default_device) {
        none if none.is_empty() => "the firm's default, which it has not".to_owned(),
        name => format!("{name}, the firm's default"),
    };
    let device = device_name(&devices, link.device);
    let own = folders(house, link);
    let folders: Vec<_> = own
        .iter()
        .map(|(role, path)| format!("{path}  ({})", words(*role)))
        .collect();
    let sure = house
        .profiles
        .find(&link.profile)
        .map(|profile| profile.sure(firm.language).to_owned());
    table::facts(&[
        ("link", link.id.to_string()),
        ("dossier", link.dossier_name.clone()),
        ("profile", link.profile.clone()),
        ("code", link.code.clone()),
        ("device", if device.is_empty() { default } else { device }),
        (
            "transfer",
            told_rule(&link.sends.transfer, &firm.sends.transfer),
        ),
        (
            "approval",
            told_rule(&link.sends.approval, &firm.sends.approval),
        ),
        (
            "from",
            link.sends
                .from
                .map_or_else(|| "the beginning".to_owned(), |date| date.to_string()),
        ),
        ("language", link.language.as_str().to_owned()),
        ("folders", folders.join("\n")),
        ("good to know", sure.unwrap_or_else(|gone| gone.to_string())),
    ])?;
    Ok(Exit::Done)
}

async fn remove(call: &Call, house: &House, firm: &str, what: &str) -> Result<Exit, Error> {
    let firm = find_firm(house, firm).await?;
    let links = house.catalog.links(firm.id).await?;
    let link = find_link(&links, what, Aim::Change)?;
    house
        .catalog
        .remove_link(firm.id, link, house.clock.read())
        .await?;
    // The dossier may have another one.
    let looked = look_again(house, firm.id, Waiting::Stays).await;
    let (id, code, profile) = (link.id, &link.code, &link.profile);
    call.said(
        &json!({
            "firm": firm.slug.as_str(), "id": id, "profile": profile, "code": code, "result": "removed",
        }),
        &format!("removed link {id} (`{code}` in `{profile}`)"),
    )?;
    Ok(looked.tell())
}

fn told_rule<T: Copy + std::fmt::Display>(own: &OrFirm<T>, firm: &T) -> String {
    match own {
        OrFirm::Firm => format!("{firm}, as the firm has it"),
        OrFirm::Own(own) => own.to_string(),
    }
}

fn words(role: FolderRole) -> &'static str {
    match role {
        FolderRole::Purchase => "purchases wait here",
        FolderRole::Sale => "sales wait here",
        FolderRole::ProcessedPurchase => "processed purchases",
        FolderRole::ProcessedSale => "processed sales",
    }
}

fn json_of(house: &House, firm: &Firm, link: &Link, devices: &[Device]) -> Value {
    let device = device_name(devices, link.device);
    let folders: serde_json::Map<_, _> = folders(house, link)
        .into_iter()
        .map(|(role, path)| (role.as_str().to_owned(), path.to_string().into()))
        .collect();
    json!({
        "firm": firm.slug.as_str(), "id": link.id, "dossier": link.dossier_name,
        "profile": link.profile, "code": link.code,
        "device": (!device.is_empty()).then_some(device),
        "transfer": link.sends.transfer.to_string(), "approval": link.sends.approval.to_string(),
        "from": link.sends.from.map(|date| date.to_string()), "language": link.language.as_str(), "folders": folders,
    })
}
