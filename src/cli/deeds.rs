//! Who did what at the command line?

use std::collections::HashMap;

use serde_json::json;

use super::call::Call;
use super::{Error, Exit, print};
use crate::evidence::{Deed, NotedDeed, first_misfit};
use crate::model::FirmId;

/// How many deeds are asked for at a time.
const PAGE_ROWS: i64 = 1000;

/// The arguments of `deeds`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those that changed something at this firm; else all.
    firm: Option<String>,
}

/// Lists deeds, oldest first, and checks that none was changed, moved or removed.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    let slugs: HashMap<FirmId, String> = firms
        .iter()
        .map(|firm| (firm.id, firm.slug.to_string()))
        .collect();
    let deeds = all(&house.catalog).await?;
    let is_asked = |deed: &Deed| {
        args.firm.is_none()
            || deed
                .told
                .is_some_and(|(firm, ..)| slugs.contains_key(&firm))
    };
    let rows = deeds
        .iter()
        .filter(|(deed, _)| is_asked(deed))
        .map(|deed| row(deed, &slugs));
    let heads = ["seq", "at", "who", "firm", "events", "command"];
    call.list(&heads, rows.collect(), "nobody has changed anything yet")?;
    let Some(misfit) = first_misfit(&deeds) else {
        return Ok(Exit::Done);
    };
    print::note(&format!(
        "deed {misfit} is not as it was noted: somebody has changed, moved or removed it"
    ));
    Ok(Exit::Failed)
}

async fn all(catalog: &crate::catalog::Catalog) -> Result<Vec<NotedDeed>, Error> {
    let mut all: Vec<NotedDeed> = Vec::new();
    loop {
        let after = all.last().map_or(0, |(deed, _)| deed.seq);
        let page = catalog.deeds(after, PAGE_ROWS).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn row(
    (deed, hash): &NotedDeed,
    slugs: &HashMap<FirmId, String>,
) -> (serde_json::Value, Vec<String>) {
    // A firm that was removed has its number still.
    let firm = deed.told.map(|(firm, ..)| {
        let slug = slugs.get(&firm).cloned();
        slug.unwrap_or_else(|| firm.to_string())
    });
    let (first, last) = (
        deed.told.map(|(_, first, _)| first),
        deed.told.map(|(.., last)| last),
    );
    let events = match (first, last) {
        (Some(first), Some(last)) if first == last => first.to_string(),
        (Some(first), Some(last)) => format!("{first}-{last}"),
        _ => String::new(),
    };
    let value = json!({
        "seq": deed.seq, "at": deed.at.to_string(), "who": deed.who, "command": deed.command,
        "firm": firm, "first_event": first, "last_event": last, "hash": hash,
    });
    let cells = vec![
        deed.seq.to_string(),
        deed.at.to_string(),
        deed.who.clone(),
        firm.unwrap_or_default(),
        events,
        deed.command.clone(),
    ];
    (value, cells)
}
