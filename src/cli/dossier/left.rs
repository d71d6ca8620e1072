//! What waits in one client's books by a number that is another's by now, or nobody's?
//!
//! It stays there: a person may have looked at it, and the program has its name. So whoever changed the number is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::House;
use crate::catalog::{Delivery, Dossier, Firm};
use crate::cli::call::OWN;
use crate::cli::{Error, print};
use crate::ingest::route::{DossierIndex, Routing};
use crate::model::DossierId;

/// How many deliveries are named: more would not be read.
const NAMED_MAX: usize = 10;

/// Tells what was left so where the number was, or is, of a dossier that has changed.
pub(in crate::cli) async fn tell_left(
    house: &House,
    firm: &Firm,
    has_changed: impl Fn(DossierId) -> bool,
) -> Result<(), Error> {
    let dossiers = house.catalog.dossiers(firm.id).await?;
    let owners = dossiers.iter().flat_map(|one| {
        let keys = one.identifiers.iter().map(|own| own.key.clone());
        keys.map(|key| (key, one.id))
    });
    let owners: DossierIndex = owners.collect();
    let (mut left, mut seen) = (BTreeMap::<_, Vec<_>>::new(), BTreeSet::new());
    for held in house.catalog.held(firm.id).await? {
        let Some((was, is)) = elsewhere(&held, &owners) else {
            continue;
        };
        let is_meant = has_changed(was) || is.is_some_and(&has_changed);
        // To move one of its deliveries is to move the document, with the others for those books.
        if is_meant && seen.insert((held.document, was)) {
            left.entry((was, is)).or_default().push(held.id);
        }
    }
    for ((was, is), ids) in left {
        let (was, to) = (told(&dossiers, was), is.map(|is| told(&dossiers, is)));
        let number = to.map_or_else(
            || "that it no longer has".to_owned(),
            |to| format!("that is of {to} now"),
        );
        let named: Vec<_> = ids
            .iter()
            .take(NAMED_MAX)
            .map(|id| format!("d{id}"))
            .collect();
        let more = match ids.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(", and so on with {more} more"),
        };
        let to = is.map_or_else(|| "DOSSIER".to_owned(), |is| format!("{OWN}{is}"));
        let waits = if ids.len() == 1 {
            "document waits"
        } else {
            "documents wait"
        };
        print::note(&format!(
            "note: {} {waits} for {was} by a number {number}, and nothing moves by itself: `sluis move {} {} --dossier {to} --reason …`{more}",
            ids.len(),
            firm.slug,
            named.join(" ")
        ));
    }
    Ok(())
}

/// Returns for whom it waits and whose its number is by now, where that is not the same.
fn elsewhere(held: &Delivery, owners: &DossierIndex) -> Option<(DossierId, Option<DossierId>)> {
    let was = held.dossier?;
    let routing: Routing = serde_json::from_str(&held.routing).ok()?;
    let mut by = routing.matched.iter().filter(|one| one.dossier == was);
    by.find_map(|one| {
        let is = owners.get(&one.key).copied();
        (is != Some(was)).then_some((was, is))
    })
}

fn told(dossiers: &[Dossier], id: DossierId) -> String {
    let found = dossiers.iter().find(|one| one.id == id);
    let name = found.map_or_else(String::new, |one| format!(" `{}`", one.name));
    format!("dossier {id}{name}")
}
