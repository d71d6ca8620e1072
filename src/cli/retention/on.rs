//! On what does a legal hold lie, and how is that named to people?

use super::Hold;
use crate::app::House;
use crate::catalog::{DocumentRow, Dossier, Firm};
use crate::cli::Error;
use crate::cli::call::{Aim, OWN, called, find_dossier, is_called};
use crate::cli::gone::missing;
use crate::cli::select::{select, several};
use crate::model::DossierId;
use crate::retention::HoldOn;

/// Returns what is meant; a hold lies on each.
pub(super) async fn meant(house: &House, firm: &Firm, args: &Hold) -> Result<Vec<HoldOn>, Error> {
    if let Some(what) = &args.document {
        let mut found = select(house, firm, what).await?;
        if found.len() > 1 {
            return Err(several(what, &found));
        }
        return match found.pop() {
            Some(one) => Ok(vec![HoldOn::Document(one.document.id)]),
            None => Err(missing(house, firm, what).await),
        };
    }
    match &args.dossier {
        Some(what) => dossiers(house, firm, what).await,
        None => Ok(vec![HoldOn::Firm]),
    }
}

/// One that was taken out of use has its documents still. Who names a client means it too, for that may have been
/// added anew since; who names an id means that one alone.
async fn dossiers(house: &House, firm: &Firm, what: &str) -> Result<Vec<HoldOn>, Error> {
    if let Some(Ok(id)) = what.trim().strip_prefix(OWN).map(str::parse) {
        return Ok(vec![HoldOn::Dossier(DossierId(id))]);
    }
    let catalog = &house.catalog;
    let (dossiers, links) = (
        catalog.dossiers(firm.id).await?,
        catalog.links(firm.id).await?,
    );
    let removed = catalog.removed_dossiers(firm.id).await?;
    let removed_links = catalog.removed_links(firm.id).await?;
    let found = find_dossier(&dossiers, &links, what, Aim::Change);
    let mut names = vec![what.to_owned()];
    if let Ok(one) = &found {
        let own = links.iter().filter(|link| link.dossier == one.id);
        names.extend(own.map(|link| format!("{}/{}", link.profile, link.code)));
        names.push(one.name.clone());
    }
    let (before, others): (Vec<&Dossier>, Vec<_>) = removed.iter().partition(|dossier| {
        let is_called = |name: &String| is_called(dossier, &removed_links, name);
        names.iter().any(is_called)
    });
    let by_id = others.iter().find(|one| one.id.to_string() == what.trim());
    if let Some(Dossier { id, name, .. }) = by_id {
        return Err(Error::Refused(format!(
            "dossier `{what}` could be our own id of `{name}`, which was taken out of use: name that one as `{OWN}{id}`, and any other by its id likewise, or as `PROFILE/CODE`"
        )));
    }
    let in_use = match found {
        Ok(one) => Some(one),
        Err(_) if !before.is_empty() && called(&dossiers, &links, what).is_empty() => None,
        Err(unclear) => return Err(unclear),
    };
    let all = in_use.into_iter().chain(before);
    Ok(all.map(|one| HoldOn::Dossier(one.id)).collect())
}

/// Says on what a hold lies, in words that people know it by.
pub(super) async fn told(house: &House, firm: &Firm, on: HoldOn) -> Result<String, Error> {
    let catalog = &house.catalog;
    match on {
        HoldOn::Firm => Ok("everything".to_owned()),
        HoldOn::Document(id) => {
            // A row that is damaged hides no hold: it has no number to show, that is all.
            let row = catalog.document_row(firm.id, id).await.ok().flatten();
            Ok(format!(
                "document {id}{}",
                row.map(named).unwrap_or_default()
            ))
        }
        HoldOn::Dossier(id) => {
            let is_it = |one: &Dossier| one.id == id;
            if let Some(one) = catalog.dossiers(firm.id).await?.into_iter().find(is_it) {
                return Ok(format!("dossier {id} `{}`", one.name));
            }
            let removed = catalog.removed_dossiers(firm.id).await?;
            let name = removed.into_iter().find(is_it).map(|one| one.name);
            let name = name.unwrap_or_default();
            Ok(format!("dossier {id} `{name}`, which was taken out of use"))
        }
    }
}

/// The number and the seller of a document, as far as it has them.
fn named(row: DocumentRow) -> String {
    match (row.reading.number, row.reading.seller.name) {
        (Some(number), Some(seller)) => format!(" ({number} of {seller})"),
        (Some(number), None) => format!(" ({number})"),
        (None, Some(seller)) => format!(" (of {seller})"),
        (None, None) => String::new(),
    }
}
