//! What stands in the folders, and what is happening?

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::office::Office;
use crate::catalog::{DeliveryRow, EventRow};
use crate::cli::deliveries::state;
use crate::cli::events::{detail, name};
use crate::cli::{Error, print};
use crate::model::{DocumentId, EventKind, EventSeq, Language, State};
use crate::text;

/// How often the event table is looked at: often enough to seem at once.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Rows of one look; the office has far fewer.
const ROWS_MAX: i64 = 1000;

/// Prints what each device has in its folders, what waits, and what is in quarantine.
pub(super) async fn tree(office: &Office) -> Result<(), Error> {
    let (catalog, firm) = (&office.house.catalog, office.firm.id);
    let rows = catalog.delivery_rows(firm, 0, ROWS_MAX).await?;
    let mut folders: BTreeMap<(String, String), Vec<&DeliveryRow>> = BTreeMap::new();
    for row in &rows {
        if let (Some(device), Some(offer)) = (&row.device_name, &row.delivery.offer) {
            let key = (device.clone(), offer.folder.clone());
            folders.entry(key).or_default().push(row);
        }
    }
    for ((device, folder), rows) in &folders {
        print::line(&format!("{device}:{folder}"))?;
        for row in rows {
            let file = row
                .delivery
                .offer
                .as_ref()
                .map_or("", |offer| offer.name.as_str());
            print::line(&format!("    {file}  {}", state(row)))?;
        }
    }
    print::line("to process, in no folder yet")?;
    for row in rows.iter().filter(|row| row.delivery.state == State::Held) {
        let why = row
            .delivery
            .reason
            .map_or("", |reason| text::held(Language::En, reason).what);
        let number = row.number.as_deref().unwrap_or("(no number)");
        let flow = row
            .delivery
            .flow
            .map_or_else(String::new, |flow| format!(" ({})", flow.as_str()));
        print::line(&format!("    {number}{flow}: {why}"))?;
    }
    print::line("in quarantine")?;
    for row in catalog.document_rows(firm, 0, ROWS_MAX).await? {
        if row.outcome == "quarantined" {
            let file = row.source.split_once(':').map_or("", |(_, file)| file);
            print::line(&format!("    {file}: {}", row.reason.unwrap_or_default()))?;
        }
    }
    Ok(())
}

/// Tells each event as it happens, until told to end.
pub(super) async fn events(office: &Office, draining: &CancellationToken) -> Result<(), Error> {
    let zone = office.house.config.zone()?;
    let firm = office.firm.id;
    let mut after = last(office).await?;
    while !draining.is_cancelled() {
        tokio::select! {
            () = draining.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let rows = office.house.catalog.events(firm, after, ROWS_MAX).await?;
        for row in &rows {
            let at = row.at.local(&zone);
            print::line(&format!("{at}  {}", told(office, row).await?))?;
            after = row.seq;
        }
    }
    Ok(())
}

async fn last(office: &Office) -> Result<EventSeq, Error> {
    let mut after = EventSeq(0);
    loop {
        let rows = office
            .house
            .catalog
            .events(office.firm.id, after, ROWS_MAX)
            .await?;
        match rows.last() {
            Some(row) => after = row.seq,
            None => return Ok(after),
        }
    }
}

async fn told(office: &Office, row: &EventRow) -> Result<String, Error> {
    let event = &row.event;
    let number = match event.document {
        Some(id) => number(office, id).await?,
        None => String::new(),
    };
    let devices = office.house.catalog.device_names(office.firm.id).await?;
    let how = match event.kind {
        EventKind::Offered | EventKind::Released | EventKind::Resent => "to",
        _ => "by",
    };
    let device =
        name(&devices, event.device).map_or_else(String::new, |name| format!(" {how} {name}"));
    Ok(format!(
        "{} {number}{device}  ({})",
        event.kind.as_str(),
        detail(event)
    ))
}

async fn number(office: &Office, id: DocumentId) -> Result<String, Error> {
    let row = office
        .house
        .catalog
        .document_row(office.firm.id, id)
        .await?;
    let number = row.and_then(|row| row.reading.number);
    Ok(number.unwrap_or_else(|| format!("document {id}")))
}
