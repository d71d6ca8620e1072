//! Who did what at the command line?

use std::collections::HashMap;

use serde_json::json;

use super::call::Call;
use super::documents::PAGE_ROWS;
use super::{Error, Exit, print};
use crate::evidence::{Deeds, NotedDeed};
use crate::model::FirmId;

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
    let is_asked = |(deed, _): &&NotedDeed| {
        let at = deed.told.map(|(firm, ..)| firm);
        args.firm.is_none() || at.is_some_and(|firm| slugs.contains_key(&firm))
    };
    let mut listing = call.listing(&["seq", "at", "who", "firm", "events", "command"]);
    let (mut followed, mut after) = (Deeds::default(), 0);
    loop {
        let page = house.catalog.deeds(after, PAGE_ROWS).await?;
        let Some((last, _)) = page.last() else { break };
        after = last.seq;
        followed.follow(&page);
        let asked = page.iter().filter(is_asked);
        listing.page(asked.map(|deed| row(deed, &slugs)).collect())?;
    }
    listing.end("nobody has changed anything yet");
    let Some(misfit) = followed.misfit() else {
        return Ok(Exit::Done);
    };
    print::note(&format!(
        "deed {misfit} is not as it was noted: somebody has changed, moved or removed it"
    ));
    Ok(Exit::Failed)
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
