//! What may change of a dossier that is in use?
//!
//! Its name, and its numbers. It keeps one at least: without a number nothing would ever reach it, and no file that
//! `apply` reads could name it. Folders that bear its name or number stay as they are, for documents wait in them.

use super::{check_free, identifiers, named, show, tell_left, tell_namesakes};
use crate::app::House;
use crate::catalog::{Dossier, Link};
use crate::cli::call::{Aim, Call, OWN, find_firm};
use crate::cli::waiting::{Looked, look_again};
use crate::cli::{Error, Exit, link, print};
use crate::model::Identifier;
use crate::sending::Waiting;

/// The arguments of `dossier set`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["name", "add_ids", "remove_ids"]))]
pub(in crate::cli) struct Set {
    /// Of which firm.
    firm: String,
    /// By its name, any of its numbers, its code, or our own id (`dossier:2`, never a bare number).
    dossier: String,
    /// Its new name.
    #[arg(long)]
    name: Option<String>,
    /// A number that it has too: enterprise, VAT or other number, or SCHEME:VALUE, the scheme as documents write it (`0106`, `GLN`). May be repeated.
    #[arg(long = "add-id", id = "add_ids", value_name = "NUMBER")]
    add_ids: Vec<String>,
    /// A number that it does not have after all. May be repeated.
    #[arg(long = "remove-id", id = "remove_ids", value_name = "NUMBER")]
    remove_ids: Vec<String>,
}

/// Changes what was asked of the dossier as it is then, and looks again at what waits.
pub(super) async fn set(call: &Call, house: &House, args: &Set) -> Result<Exit, Error> {
    let firm = find_firm(house, &args.firm).await?;
    let dossier = named(house, firm.id, &args.dossier, Aim::Change).await?.id;
    let added = identifiers(&args.add_ids)?;
    check_free(house, &firm, &added, Some(dossier)).await?;
    let becomes = |old: &Dossier, links: &[Link]| {
        let new = changed(old, args, &added)?;
        let (profiles, slug) = (&house.profiles, firm.slug.as_str());
        let refusals = link::folders_stay(profiles, slug, links, (old, &new));
        refusals.into_iter().next().map_or(Ok(new), Err)
    };
    let now = house.clock.read();
    let changing = house.catalog.change_dossier(firm.id, dossier, becomes, now);
    let looked = if let Some(new) = changing.await? {
        if args.name.is_some() {
            tell_namesakes(house, &firm, (dossier, &new.name)).await?;
        }
        let looked = look_again(house, firm.id, Waiting::Stays).await;
        if !(args.add_ids.is_empty() && args.remove_ids.is_empty()) {
            tell_left(house, &firm, |one| one == dossier).await?;
        }
        looked
    } else {
        print::note("note: the dossier is so already; nothing was changed");
        Looked::at_nothing()
    };
    let own = format!("{OWN}{dossier}");
    show(call, house, firm.slug.as_str(), &own).await?;
    Ok(looked.tell())
}

/// The dossier as it shall be.
fn changed(old: &Dossier, args: &Set, added: &[Identifier]) -> Result<Dossier, String> {
    let mut new = old.clone();
    if let Some(name) = &args.name {
        name.trim().clone_into(&mut new.name);
        if new.name.is_empty() {
            return Err("a dossier wants a name: `--name`".to_owned());
        }
    }
    for raw in &args.remove_ids {
        let typed = Identifier::new(raw);
        let before = new.identifiers.len();
        // As it was written goes first: an older version may have kept it under another key.
        let is_written = |own: &Identifier| own.raw.trim() == raw.trim();
        let by_word = new.identifiers.iter().any(is_written);
        new.identifiers.retain(|own| {
            if by_word {
                !is_written(own)
            } else {
                typed.as_ref().is_none_or(|typed| own.key != typed.key)
            }
        });
        if new.identifiers.len() == before {
            return Err(format!(
                "dossier `{}` has no number `{raw}`: it has {}",
                old.name,
                super::numbers(old)
            ));
        }
    }
    for added in added {
        if !new.identifiers.iter().any(|own| own.key == added.key) {
            new.identifiers.push(added.clone());
        }
    }
    if new.identifiers.is_empty() {
        return Err(format!(
            "dossier `{}` would have no number left, and no invoice would reach it: give it another with `--add-id`, or take it out of use with `sluis dossier remove`",
            old.name
        ));
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DossierId;

    #[test]
    fn a_number_that_is_kept_under_an_older_key_is_taken_away_as_it_is_written() {
        let kept = |raw: &str, key: &str| Identifier {
            raw: raw.to_owned(),
            key: key.to_owned(),
        };
        let old = Dossier {
            id: DossierId(1),
            name: "De Korenaar".to_owned(),
            identifiers: vec![
                kept("0239843188", "0208:0239843188"),
                kept("BTW BE 0239.843.188", "vat:BTWBE0239843188"),
            ],
        };
        let without = |raw: &str| {
            let args = Set {
                firm: "kantoor".to_owned(),
                dossier: "1".to_owned(),
                name: None,
                add_ids: Vec::new(),
                remove_ids: vec![raw.to_owned()],
            };
            let left = changed(&old, &args, &[]).unwrap().identifiers;
            left.into_iter().map(|own| own.raw).collect::<Vec<_>>()
        };

        assert_eq!(without("BTW BE 0239.843.188"), ["0239843188"]);
        assert_eq!(without("BE0239843188"), ["BTW BE 0239.843.188"]);
    }
}
