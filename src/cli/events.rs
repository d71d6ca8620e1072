//! What has happened, in order, and what happens now?

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Call, Listing, find_firm};
use super::documents::PAGE_ROWS;
use super::serve::Ending;
use super::{Error, Exit, audit, print};
use crate::app::House;
use crate::catalog::{Event, EventRow, Firm};
use crate::evidence::Collecting;
use crate::model::{DeviceId, EventSeq, FirmId};

/// How often it is looked whether something has happened: often enough to seem at once.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The arguments of `events`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<audit::Command>,
    /// Of which firm; else of all.
    firm: Option<String>,
    /// Only those after this one, by its number in the firm's order.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: i64,
    /// Go on with what happens, until told to end (Ctrl-C).
    #[arg(long, short)]
    follow: bool,
}

/// The names of a firm's devices.
pub(super) type Devices = [(DeviceId, String)];

const HEADS: [&str; 8] = [
    "firm", "seq", "at", "kind", "document", "delivery", "device", "detail",
];

/// Lists events, oldest first, and follows them; or checks them.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    if let Some(command) = &args.command {
        return audit::run(call, command).await;
    }
    let ending = args.follow.then(Ending::begin).transpose()?;
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    let mut told = Telling {
        house: &house,
        from: EventSeq(args.after),
        after: HashMap::new(),
        listing: call.listing(&HEADS),
    };
    told.go_on(&firms).await?;
    if let Some(ending) = ending {
        follow(&mut told, args.firm.as_deref(), ending).await?;
        return Ok(Exit::Done);
    }
    told.listing.end("nothing has happened yet");
    Ok(Exit::Done)
}

/// Tells what happens, until told to end, or nobody reads on. What other processes write is seen too.
async fn follow(told: &mut Telling<'_>, slug: Option<&str>, ending: Ending) -> Result<(), Error> {
    let mut ended = std::pin::pin!(ending.told());
    while !print::is_hung_up() {
        tokio::select! {
            () = &mut ended => break,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        // A firm may have been added since, or removed.
        let firms = match slug {
            Some(slug) => vec![find_firm(told.house, slug).await?],
            None => told.house.catalog.firms().await?,
        };
        told.go_on(&firms).await?;
    }
    Ok(())
}

/// Events on their way to who reads them.
struct Telling<'a> {
    house: &'a House,
    /// After which event it begins.
    from: EventSeq,
    /// How far each firm was told.
    after: HashMap<FirmId, EventSeq>,
    listing: Listing,
}

impl Telling<'_> {
    /// Tells what was not told yet.
    async fn go_on(&mut self, firms: &[Firm]) -> Result<(), Error> {
        let catalog = &self.house.catalog;
        for firm in firms {
            let mut after = *self.after.get(&firm.id).unwrap_or(&self.from);
            loop {
                let rows = catalog.events(firm.id, after, PAGE_ROWS).await?;
                let Some(last) = rows.last() else { break };
                after = last.seq;
                let devices = catalog.device_names(firm.id).await?;
                let page = rows
                    .iter()
                    .map(|row| (json_of(firm, row, &devices), cells(firm, row, &devices)));
                self.listing.page(page.collect())?;
            }
            self.after.insert(firm.id, after);
        }
        Ok(())
    }
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
        detail(event),
    ]
}

/// What an event says, in words where it is written for programs.
pub(super) fn detail(event: &Event) -> String {
    let said = Collecting::parse(&event.detail);
    said.map_or_else(|| event.detail.clone(), |said| said.shown())
}
