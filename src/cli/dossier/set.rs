//! What may change of a dossier that is in use?
//!
//! Its name, and its numbers. It keeps one at least: without a number nothing would ever reach it, and no file that
//! `apply` reads could name it. Folders that bear its name or number stay as they are, for documents wait in them.

use super::{check_free, identifiers, named, show};
use crate::app::House;
use crate::catalog::{Dossier, Firm};
use crate::cli::call::{Call, find_firm};
use crate::cli::waiting::{Looked, look_again};
use crate::cli::{Error, Exit, link, print};
use crate::model::{Identifier, normalise};
use crate::sending::Waiting;

/// The arguments of `dossier set`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["name", "add_ids", "remove_ids"]))]
pub(in crate::cli) struct Set {
    /// Of which firm.
    firm: String,
    /// By its name, any of its numbers, or its id.
    dossier: String,
    /// Its new name.
    #[arg(long)]
    name: Option<String>,
    /// A number that it has too: enterprise, VAT or other number, or SCHEME:VALUE. May be repeated.
    #[arg(long = "add-id", id = "add_ids", value_name = "NUMBER")]
    add_ids: Vec<String>,
    /// A number that it does not have after all. May be repeated.
    #[arg(long = "remove-id", id = "remove_ids", value_name = "NUMBER")]
    remove_ids: Vec<String>,
}

/// Changes what was asked, and looks again at what waits.
pub(super) async fn set(call: &Call, house: &House, args: &Set) -> Result<Exit, Error> {
    let firm = find_firm(house, &args.firm).await?;
    let old = named(house, firm.id, &args.dossier).await?;
    let new = changed(&old, args)?;
    let mut looked = Looked::at_nothing();
    if new.name != old.name || new.identifiers != old.identifiers {
        check_free(house, &firm, &new.identifiers, Some(old.id)).await?;
        check_folders(house, &firm, &old, &new).await?;
        let now = house.clock.read();
        house
            .catalog
            .set_dossier(firm.id, old.id, &new.name, &new.identifiers, now)
            .await?;
        looked = look_again(house, firm.id, Waiting::Stays).await;
    } else {
        print::note("note: the dossier is so already; nothing was changed");
    }
    show(call, house, firm.slug.as_str(), &old.id.to_string()).await?;
    Ok(looked.tell())
}

/// The dossier as it shall be.
fn changed(old: &Dossier, args: &Set) -> Result<Dossier, Error> {
    let mut new = old.clone();
    if let Some(name) = &args.name {
        name.trim().clone_into(&mut new.name);
        if new.name.is_empty() {
            return Err(Error::Refused(
                "a dossier wants a name: `--name`".to_owned(),
            ));
        }
    }
    for raw in &args.remove_ids {
        let key = normalise(None, raw);
        let before = new.identifiers.len();
        // As it was written goes first: an older version may have kept it under another key.
        let is_written = |own: &Identifier| own.raw.trim() == raw.trim();
        let by_word = new.identifiers.iter().any(is_written);
        new.identifiers.retain(|own| {
            if by_word {
                !is_written(own)
            } else {
                own.key != key
            }
        });
        if new.identifiers.len() == before {
            return Err(Error::Refused(format!(
                "dossier `{}` has no number `{raw}`: it has {}",
                old.name,
                super::numbers(old)
            )));
        }
    }
    for added in identifiers(&args.add_ids)? {
        if !new.identifiers.iter().any(|own| own.key == added.key) {
            new.identifiers.push(added);
        }
    }
    if new.identifiers.is_empty() {
        return Err(Error::Refused(format!(
            "dossier `{}` would have no number left, and no invoice would reach it: give it another with `--add-id`, or take it out of use with `sluis dossier remove`",
            old.name
        )));
    }
    Ok(new)
}

/// A folder never changes its name: documents wait in it.
async fn check_folders(
    house: &House,
    firm: &Firm,
    old: &Dossier,
    new: &Dossier,
) -> Result<(), Error> {
    let links = house.catalog.links(firm.id).await?;
    let renamed = link::renamed(&house.profiles, firm.slug.as_str(), &links, (old, new));
    match renamed.first() {
        None => Ok(()),
        Some(link) => Err(Error::Refused(link::stays(link, old))),
    }
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
            let left = changed(&old, &args).unwrap().identifiers;
            left.into_iter().map(|own| own.raw).collect::<Vec<_>>()
        };

        assert_eq!(without("BTW BE 0239.843.188"), ["0239843188"]);
        assert_eq!(without("BE0239843188"), ["BTW BE 0239.843.188"]);
    }
}
