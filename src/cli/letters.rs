//! What was a webhook never told, and may be tried again?

use serde_json::json;

use super::call::{Call, find_firm};
use super::documents::PAGE_ROWS;
use super::{Error, Exit, print};
use crate::app::House;
use crate::catalog::Dead;
use crate::model::{FirmId, LetterId};

/// The arguments of `webhook retry`.
#[derive(Debug, clap::Args)]
pub(super) struct Retry {
    /// Of which firm.
    firm: String,
    /// Which dead letters, by their ids; else all of the firm.
    ids: Vec<i64>,
}

/// Lists dead letters, oldest first.
pub(super) async fn dead(call: &Call, house: &House, firm: &str) -> Result<Exit, Error> {
    let firm = find_firm(house, firm).await?;
    let heads = [
        "id", "webhook", "seq", "at", "kind", "document", "attempts", "error",
    ];
    let mut listing = call.listing(&heads);
    let mut after = LetterId(0);
    loop {
        let page = house
            .catalog
            .dead_letters(firm.id, after, PAGE_ROWS)
            .await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        listing.page(
            page.iter()
                .map(|dead| (json_of(dead), cells(dead)))
                .collect(),
        )?;
    }
    listing.end("no event was given up");
    Ok(Exit::Done)
}

/// Has dead letters tried again, and says how many.
pub(super) async fn retry(call: &Call, house: &House, args: &Retry) -> Result<Exit, Error> {
    let firm = find_firm(house, &args.firm).await?;
    let ids = if args.ids.is_empty() {
        all(house, firm.id).await?
    } else {
        args.ids.iter().copied().map(LetterId).collect()
    };
    let now = house.clock.read();
    let (mut retried, mut missing) = (0, false);
    for id in ids {
        if house.catalog.retry_letter(firm.id, id, now).await? {
            retried += 1;
        } else {
            missing = true;
            print::note(&format!(
                "letter {id} is not a dead letter of this firm: `sluis webhook dead {}` lists them",
                firm.slug
            ));
        }
    }
    call.said(
        &json!({ "firm": firm.slug.as_str(), "result": "retried", "retried": retried }),
        &format!("{retried} letters are tried again"),
    )?;
    Ok(Exit::failed_if(missing))
}

async fn all(house: &House, firm: FirmId) -> Result<Vec<LetterId>, Error> {
    let (mut ids, mut after) = (Vec::new(), LetterId(0));
    loop {
        let page = house.catalog.dead_letters(firm, after, PAGE_ROWS).await?;
        let Some(last) = page.last() else {
            return Ok(ids);
        };
        after = last.id;
        ids.extend(page.iter().map(|dead| dead.id));
    }
}

fn json_of(dead: &Dead) -> serde_json::Value {
    let event = &dead.row.event;
    json!({
        "id": dead.id, "webhook": dead.webhook, "seq": dead.row.seq, "at": dead.row.at.to_string(),
        "kind": event.kind.as_str(), "document": event.document, "delivery": event.delivery,
        "attempts": dead.attempts, "error": dead.error,
    })
}

fn cells(dead: &Dead) -> Vec<String> {
    let event = &dead.row.event;
    vec![
        dead.id.to_string(),
        dead.webhook.to_string(),
        dead.row.seq.to_string(),
        dead.row.at.to_string(),
        event.kind.as_str().to_owned(),
        event.document.map_or_else(String::new, |id| id.to_string()),
        dead.attempts.to_string(),
        dead.error.clone(),
    ]
}
