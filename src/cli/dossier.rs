//! Which client files does a firm have?

mod left;
mod set;

pub(super) use left::tell_left;
use serde_json::{Value, json};

use super::call::{Aim, Call, OWN, dossier_told, find_dossier, find_firm};
use super::waiting::look_again;
use super::{Error, Exit, print, table};
use crate::app::House;
use crate::catalog::{Dossier, Firm, Link};
use crate::model::{
    DossierId, EnterpriseNumber, FirmId, Identifier, belgian_numbers_in, enterprise_digits_of, fold,
};
use crate::sending::Waiting;

/// The commands about dossiers.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a dossier.
    Add {
        /// Of which firm.
        firm: String,
        /// Its name for people, and for profiles that put it in a folder.
        #[arg(long)]
        name: String,
        /// A number by which invoices name it: enterprise, VAT or other number, or SCHEME:VALUE, the scheme as documents write it (`0106`, `GLN`). May be repeated.
        #[arg(long = "id", required = true, value_name = "NUMBER")]
        ids: Vec<String>,
    },
    /// List the dossiers of a firm.
    List {
        /// Of which firm.
        firm: String,
    },
    /// Show a dossier.
    Show(Shown),
    /// Change its name or its numbers.
    Set(set::Set),
    /// Take a dossier out of use; its documents stay.
    Remove(Named),
}

/// A dossier of a firm, to look at.
#[derive(Debug, clap::Args)]
pub(super) struct Shown {
    /// Of which firm.
    firm: String,
    /// By its name, any of its numbers, its code, or our own id (`2`, or `dossier:2` where `2` is also a code).
    dossier: String,
}

/// A dossier of a firm.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Of which firm.
    firm: String,
    /// By its name, any of its numbers, its code, or our own id (`dossier:2`, never a bare number).
    dossier: String,
}

/// Runs a command about dossiers.
pub(super) async fn run(call: &Call, command: Command) -> Result<Exit, Error> {
    let house = call.house().await?;
    match command {
        Command::Add { firm, name, ids } => add(call, &house, &firm, &name, &ids).await,
        Command::List { firm } => list(call, &house, &firm).await,
        Command::Show(Shown { firm, dossier }) => show(call, &house, &firm, &dossier).await,
        Command::Set(args) => set::set(call, &house, &args).await,
        Command::Remove(Named { firm, dossier }) => remove(call, &house, &firm, &dossier).await,
    }
}

async fn add(
    call: &Call,
    house: &House,
    firm: &str,
    name: &str,
    ids: &[String],
) -> Result<Exit, Error> {
    let firm = find_firm(house, firm).await?;
    if name.trim().is_empty() {
        return Err(Error::Refused(
            "a dossier wants a name: `--name`".to_owned(),
        ));
    }
    let identifiers = identifiers(ids)?;
    check_free(house, &firm, &identifiers, None).await?;
    let now = house.clock.read();
    let id = house
        .catalog
        .add_dossier(firm.id, name.trim(), &identifiers, now)
        .await?;
    let looked = look_again(house, firm.id, Waiting::Stays).await;
    tell_namesakes(house, &firm, (id, name.trim())).await?;
    tell_left(house, &firm, |one| one == id).await?;
    if call.json {
        show(call, house, firm.slug.as_str(), &format!("{OWN}{id}")).await?;
    } else {
        print::line(&format!(
            "added dossier {id} `{}` to firm `{}`",
            name.trim(),
            firm.slug
        ))?;
    }
    Ok(looked.tell())
}

fn identifiers(raw: &[String]) -> Result<Vec<Identifier>, Error> {
    let mut identifiers: Vec<Identifier> = Vec::new();
    for raw in raw {
        let identifier = Identifier::new(raw).ok_or_else(|| {
            Error::Refused(format!(
                "`{raw}` is no number: write an enterprise or VAT number, or SCHEME:VALUE"
            ))
        })?;
        let is_odd = |digits: &str| digits.parse::<EnterpriseNumber>().is_err();
        if identifier.enterprise_digits().is_some_and(is_odd) {
            print::note(&format!(
                "note: the check digits of `{raw}` are wrong; was it typed as it is on the invoice?"
            ));
        }
        let (scheme, _) = identifier.key.split_once(':').unwrap_or_default();
        let is_worded = !scheme.bytes().all(|byte| byte.is_ascii_digit());
        let within = belgian_numbers_in(raw).next().filter(|_| is_worded);
        if let Some(within) = within.as_deref().and_then(enterprise_digits_of) {
            print::note(&format!(
                "note: `{raw}` is compared as it stands, words and all; is the number {within} meant? Then give that alone"
            ));
        } else if is_worded && !matches!(scheme, "id" | "vat") {
            print::note(&format!(
                "note: `{raw}` is compared with numbers whose scheme is written `{scheme}`; most documents write four digits there, and `sluis explain` shows which"
            ));
        }
        if !identifiers.iter().any(|other| other.key == identifier.key) {
            identifiers.push(identifier);
        }
    }
    Ok(identifiers)
}

/// A number is of one dossier; whoever gives it to a second wants to know which has it.
async fn check_free(
    house: &House,
    firm: &Firm,
    identifiers: &[Identifier],
    but: Option<DossierId>,
) -> Result<(), Error> {
    let dossiers = house.catalog.dossiers(firm.id).await?;
    for other in dossiers.iter().filter(|one| Some(one.id) != but) {
        let mut own = other.identifiers.iter();
        if let Some(taken) = own.find(|own| identifiers.iter().any(|id| id.key == own.key)) {
            return Err(Error::Refused(format!(
                "the number `{}` is of dossier {} `{}`; if that is wrong, take it away first: `sluis dossier set {} {OWN}{} --remove-id {}`",
                taken.raw, other.id, other.name, firm.slug, other.id, taken.key
            )));
        }
    }
    Ok(())
}

/// Two clients may bear one name, but it then names neither of them.
async fn tell_namesakes(
    house: &House,
    firm: &Firm,
    (id, name): (DossierId, &str),
) -> Result<(), Error> {
    let dossiers = house.catalog.dossiers(firm.id).await?;
    let is_other = |one: &&Dossier| one.id != id && fold(&one.name) == fold(name);
    let others: Vec<_> = dossiers.iter().filter(is_other).map(dossier_told).collect();
    if !others.is_empty() {
        print::note(&format!(
            "note: firm `{}` has another dossier of this name, {}; say a number, or the id as `{OWN}{id}`, where one of them is meant",
            firm.slug,
            others.join(", ")
        ));
    }
    Ok(())
}

async fn list(call: &Call, house: &House, firm: &str) -> Result<Exit, Error> {
    let firm = find_firm(house, firm).await?;
    let links = house.catalog.links(firm.id).await?;
    let dossiers = house.catalog.dossiers(firm.id).await?;
    let row = |dossier: &Dossier| {
        let links = links_of(&links, dossier);
        let cells = vec![
            dossier.id.to_string(),
            dossier.name.clone(),
            numbers(dossier),
            links.join(", "),
        ];
        (json_of(&firm, dossier, &links), cells)
    };
    let hint =
        "this firm has no dossier yet; `sluis dossier add FIRM --name NAME --id NUMBER` adds one";
    call.list(
        &["id", "name", "numbers", "links"],
        dossiers.iter().map(row).collect(),
        hint,
    )?;
    Ok(Exit::Done)
}

async fn show(call: &Call, house: &House, firm: &str, what: &str) -> Result<Exit, Error> {
    let firm = find_firm(house, firm).await?;
    let dossier = named(house, firm.id, what, Aim::Look).await?;
    let links = links_of(&house.catalog.links(firm.id).await?, &dossier);
    if call.json {
        print::json(&json_of(&firm, &dossier, &links))?;
        return Ok(Exit::Done);
    }
    let none = "none: its documents wait; `sluis link add` joins it to an accounting program";
    let links = if links.is_empty() {
        none.to_owned()
    } else {
        links.join("\n")
    };
    table::facts(&[
        ("dossier", dossier.id.to_string()),
        ("firm", firm.slug.to_string()),
        ("name", dossier.name.clone()),
        ("numbers", numbers(&dossier)),
        ("links", links),
    ])?;
    Ok(Exit::Done)
}

async fn remove(call: &Call, house: &House, firm: &str, what: &str) -> Result<Exit, Error> {
    let firm = find_firm(house, firm).await?;
    let dossier = named(house, firm.id, what, Aim::Change).await?;
    house
        .catalog
        .remove_dossier(firm.id, &dossier, house.clock.read())
        .await?;
    let (id, name) = (dossier.id, &dossier.name);
    call.said(
        &json!({ "firm": firm.slug.as_str(), "id": id, "name": name, "result": "removed" }),
        &format!("removed dossier {id} `{name}`; its documents and their history stay"),
    )?;
    Ok(Exit::Done)
}

/// Returns the dossier of a firm that is meant by `what`.
pub(super) async fn named(
    house: &House,
    firm: FirmId,
    what: &str,
    aim: Aim,
) -> Result<Dossier, Error> {
    let dossiers = house.catalog.dossiers(firm).await?;
    let links = house.catalog.links(firm).await?;
    find_dossier(&dossiers, &links, what, aim).cloned()
}

fn numbers(dossier: &Dossier) -> String {
    let raw: Vec<_> = dossier
        .identifiers
        .iter()
        .map(|own| own.raw.as_str())
        .collect();
    raw.join(", ")
}

fn links_of(links: &[Link], dossier: &Dossier) -> Vec<String> {
    let own = links.iter().filter(|link| link.dossier == dossier.id);
    own.map(|link| format!("{} `{}`", link.profile, link.code))
        .collect()
}

fn json_of(firm: &Firm, dossier: &Dossier, links: &[String]) -> Value {
    let identifiers: Vec<_> = dossier
        .identifiers
        .iter()
        .map(|own| json!({ "value": own.raw, "key": own.key }))
        .collect();
    json!({
        "firm": firm.slug.as_str(), "id": dossier.id, "name": dossier.name,
        "identifiers": identifiers, "links": links.len(),
    })
}
