//! How far has each delivery come?

use serde_json::{Value, json};

use super::call::{Aim, Call, find_device};
use super::documents::PAGE_ROWS;
use super::dossier::named;
use super::{Error, Exit};
use crate::app::House;
use crate::catalog::{DeliveryRow, Firm};
use crate::model::{DeviceId, DossierId, HeldReason, State, Timestamp, fold};

/// The arguments of `deliveries`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of which firm; else of all.
    firm: Option<String>,
    /// Only these: held, offered, collected, processed or withdrawn.
    #[arg(long)]
    state: Option<State>,
    /// Only of this dossier: by its name, any of its numbers, its code, or our own id (`2`, or `dossier:2` where `2` is also a code).
    #[arg(long)]
    dossier: Option<String>,
    /// Only to this device.
    #[arg(long)]
    device: Option<String>,
    /// Only of documents with this number.
    #[arg(long)]
    number: Option<String>,
}

/// Lists deliveries, oldest first.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    let heads = [
        "firm", "id", "number", "dossier", "profile", "code", "device", "flow", "state", "reason",
        "path",
    ];
    let mut listing = call.listing(&heads);
    let only_one = firms.len() == 1;
    for firm in &firms {
        let wanted = match Wanted::find(&house, firm, args).await {
            Err(Error::Refused(_)) if !only_one => continue, // another firm may have it
            wanted => wanted?,
        };
        let mut after = 0;
        loop {
            let rows = house
                .catalog
                .delivery_rows(firm.id, after, PAGE_ROWS)
                .await?;
            let Some(last) = rows.last() else { break };
            after = last.delivery.id.0;
            let shown = rows.iter().filter(|row| wanted.takes(row));
            listing.page(
                shown
                    .map(|row| (json_of(firm, row), cells(firm, row)))
                    .collect(),
            )?;
        }
    }
    listing.end("there is no such delivery");
    Ok(Exit::Done)
}

/// Which deliveries are asked for.
#[derive(Debug, Default)]
struct Wanted {
    state: Option<State>,
    dossier: Option<DossierId>,
    device: Option<DeviceId>,
    number: Option<String>,
}

impl Wanted {
    async fn find(house: &House, firm: &Firm, args: &Args) -> Result<Self, Error> {
        let dossier = match &args.dossier {
            Some(what) => Some(named(house, firm.id, what, Aim::Look).await?.id),
            None => None,
        };
        let device = match &args.device {
            Some(name) => Some(find_device(house, firm, name).await?.id),
            None => None,
        };
        let number = args.number.as_deref().map(fold);
        Ok(Self {
            state: args.state,
            dossier,
            device,
            number,
        })
    }

    fn takes(&self, row: &DeliveryRow) -> bool {
        let delivery = &row.delivery;
        let number = row.number.as_deref().map(fold);
        self.state.is_none_or(|state| delivery.state == state)
            && (self.dossier.is_none() || delivery.dossier == self.dossier)
            && (self.device.is_none() || delivery.device == self.device)
            && (self.number.is_none() || number == self.number)
    }
}

/// Returns a delivery as one JSON object.
pub(super) fn json_of(firm: &Firm, row: &DeliveryRow) -> Value {
    let delivery = &row.delivery;
    let at = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "id": delivery.id, "firm": firm.slug.as_str(), "document": delivery.document,
        "dossier": row.dossier_name, "profile": row.profile, "code": row.code,
        "device": row.device_name, "generation": delivery.generation, "current": delivery.is_current,
        "flow": delivery.flow.map(|flow| flow.as_str()), "path": path(row),
        "state": delivery.state.as_str(), "reason": delivery.reason.map(HeldReason::as_str),
        "due_at": at(delivery.due), "note": delivery.note, "duplicate_of": delivery.duplicate_of,
        "revision_of": delivery.revision_of, "replaced_by": delivery.replaced_by,
        "digest": delivery.digest.to_string(), "bytes": delivery.bytes, "number": row.number,
        "created_at": row.created_at.to_string(), "offered_at": at(row.offered_at),
        "read_at": at(row.read_at), "collected_at": at(row.collected_at),
        "processed_at": at(row.processed_at), "withdrawn_at": at(row.withdrawn_at),
    })
}

/// Returns where a delivery shows, or showed.
pub(super) fn path(row: &DeliveryRow) -> Option<String> {
    let offer = row.delivery.offer.as_ref()?;
    Some(format!("{}/{}", offer.folder, offer.name))
}

fn cells(firm: &Firm, row: &DeliveryRow) -> Vec<String> {
    let delivery = &row.delivery;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let twin = twin(row).unwrap_or_default();
    let reason = match delivery.reason {
        Some(reason) => format!("{} {twin}", reason.as_str()).trim().to_owned(),
        None => twin,
    };
    vec![
        firm.slug.to_string(),
        format!("d{}", delivery.id),
        text(&row.number),
        text(&row.dossier_name),
        text(&row.profile),
        text(&row.code),
        text(&row.device_name),
        delivery.flow.map_or("", |flow| flow.as_str()).to_owned(),
        state(row),
        delivery
            .due
            .map_or_else(|| reason.clone(), |due| format!("{reason} {due}")),
        path(row).unwrap_or_default(),
    ]
}

/// How a delivery stands to other documents that look like its own.
fn twin(row: &DeliveryRow) -> Option<String> {
    let delivery = &row.delivery;
    let is_held = delivery.state == State::Held;
    let first = delivery.duplicate_of.filter(|_| is_held);
    let first = first.map(|first| format!("like document {first}"));
    let by = delivery
        .replaced_by
        .map(|by| format!("replaced by document {by}"));
    let of = delivery
        .revision_of
        .map(|of| format!("revision of document {of}"));
    by.or(of).or(first)
}

/// An offered delivery that was read whole, where that does not count as collected, is told apart.
pub(super) fn state(row: &DeliveryRow) -> String {
    let state = row.delivery.state;
    let mut text = state.as_str().to_owned();
    if state == State::Offered && row.read_at.is_some() {
        text.push_str(" (read)");
    }
    if row.delivery.generation > 1 {
        text.push_str(&format!(" #{}", row.delivery.generation));
    }
    text
}
