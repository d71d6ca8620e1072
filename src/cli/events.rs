//! What has happened, in order?

use serde_json::{Value, json};

use super::call::Call;
use super::documents::PAGE_ROWS;
use super::{Error, Exit};
use crate::catalog::{EventRow, Firm};
use crate::model::{DeviceId, EventSeq};

/// The arguments of `events`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of which firm; else of all.
    firm: Option<String>,
    /// Only those after this one, by its number in the firm's order.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: i64,
}

/// The names of a firm's devices.
pub(super) type Devices = [(DeviceId, String)];

/// Lists events, oldest first.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    let heads = [
        "firm", "seq", "at", "kind", "document", "delivery", "device", "detail",
    ];
    let mut listing = call.listing(&heads);
    for firm in &firms {
        let devices = house.catalog.device_names(firm.id).await?;
        let mut after = EventSeq(args.after);
        loop {
            let rows = house.catalog.events(firm.id, after, PAGE_ROWS).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            let page = rows
                .iter()
                .map(|row| (json_of(firm, row, &devices), cells(firm, row, &devices)));
            listing.page(page.collect())?;
        }
    }
    listing.end("nothing has happened yet");
    Ok(Exit::Done)
}

/// Returns an event as one JSON object.
fn json_of(firm: &Firm, row: &EventRow, devices: &Devices) -> Value {
    let event = &row.event;
    json!({
        "firm": firm.slug.as_str(), "seq": row.seq, "at": row.at.to_string(),
        "kind": event.kind.as_str(), "document": event.document, "delivery": event.delivery,
        "device": name(devices, event.device), "session": event.session,
        "detail": event.detail, "hash": row.hash,
    })
}

/// Returns a device's name, whether it is in use or not.
pub(super) fn name(devices: &Devices, id: Option<DeviceId>) -> Option<&str> {
    let found = devices.iter().find(|(device, _)| Some(*device) == id);
    found.map(|(_, name)| name.as_str())
}

fn cells(firm: &Firm, row: &EventRow, devices: &Devices) -> Vec<String> {
    let event = &row.event;
    vec![
        firm.slug.to_string(),
        row.seq.to_string(),
        row.at.to_string(),
        event.kind.as_str().to_owned(),
        event.document.map_or_else(String::new, |id| id.to_string()),
        event
            .delivery
            .map_or_else(String::new, |id| format!("d{id}")),
        name(devices, event.device).unwrap_or_default().to_owned(),
        event.detail.clone(),
    ]
}
