//! What is shown of the earlier documents beside one that looks like them?

use serde_json::{Value, json};

use super::Error;
use super::documents::short;
use super::explain::Said;
use super::print;
use super::story::Telling;
use crate::catalog::{self, DeliveryRow, DocumentRow, EventRow};
use crate::ingest::doubt;
use crate::model::{DocumentId, Doubt, EventKind, State};
use crate::text::{self, Twin, TwinRead};
use crate::ubl::differences::{Difference, differences};

/// An earlier document, with its deliveries.
pub(super) struct Beside {
    document: DocumentRow,
    deliveries: Vec<(DeliveryRow, TwinRead)>,
    differs: Vec<Difference>,
    doubt: Option<Doubt>,
}

/// Finds what a document looks like, oldest first; nothing where none of its deliveries says that it does.
pub(super) async fn find(
    telling: &Telling<'_>,
    document: &DocumentRow,
    deliveries: &[DeliveryRow],
) -> Result<Vec<Beside>, Error> {
    let looks_alike = |row: &DeliveryRow| row.delivery.duplicate_of.is_some();
    if !deliveries.iter().any(looks_alike) {
        return Ok(Vec::new());
    }
    let shown = telling
        .house
        .catalog
        .shown_beside(telling.firm.id, document.id);
    let mut found = Vec::new();
    for id in shown.await? {
        match one(telling, document, id).await {
            Ok(one) => found.extend(one),
            // That one is damaged is no fault of the newer.
            Err(damaged @ catalog::Error::Stored { .. }) => print::note(&format!(
                "note: it looks like document {id} too, which cannot be shown: {damaged}"
            )),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

async fn one(
    telling: &Telling<'_>,
    document: &DocumentRow,
    id: DocumentId,
) -> Result<Option<Beside>, catalog::Error> {
    let (catalog, firm) = (&telling.house.catalog, telling.firm.id);
    let Some(older) = catalog.document_row(firm, id).await? else {
        return Ok(None);
    };
    let events = catalog.events_of(firm, id).await?;
    let rows = catalog.delivery_rows_of(firm, id).await?;
    // What was taken back speaks against nothing; what was given to other books does.
    let stands =
        |row: &DeliveryRow| row.delivery.is_moved || row.delivery.state != State::Withdrawn;
    let doubt = rows
        .iter()
        .any(stands)
        .then(|| doubt(&document.reading, &older.reading));
    let rows = rows.into_iter().map(|row| {
        let read = read(&row, &events);
        (row, read)
    });
    Ok(Some(Beside {
        deliveries: rows.collect(),
        differs: differences(&document.reading, &older.reading),
        doubt: doubt.flatten(),
        document: older,
    }))
}

/// What was taken back under a reader was read all the same; only the event knows it.
fn read(row: &DeliveryRow, events: &[EventRow]) -> TwinRead {
    let told = events.iter().any(|told| {
        told.event.kind == EventKind::Read && told.event.delivery == Some(row.delivery.id)
    });
    match row.delivery.state {
        State::Offered | State::Withdrawn if told => TwinRead::Whole,
        _ => TwinRead::Nothing,
    }
}

/// Tells of the earlier documents.
pub(super) fn story(telling: &Telling<'_>, beside: &[Beside]) -> Vec<Said> {
    let mut story = Vec::new();
    let mut say = |said: Twin<'_>| {
        story.push((said.word(), text::twin(telling.language, &said)));
    };
    for one in beside {
        let reading = &one.document.reading;
        say(Twin::Earlier {
            id: one.document.id,
            digest: &short(&one.document.digest.to_string()),
            kind: reading.kind,
            number: reading.number.as_deref(),
            issued: reading.issued.as_deref(),
            at: &telling.at(one.document.received_at),
        });
        for (row, read) in &one.deliveries {
            say(Twin::Stands {
                dossier: row.dossier_name.as_deref(),
                flow: row.delivery.flow,
                device: row.device_name.as_deref(),
                state: row.delivery.state,
                read: *read,
            });
        }
        for difference in &one.differs {
            say(Twin::Differs {
                field: difference.field,
                newer: difference.newer.as_deref(),
                older: difference.older.as_deref(),
            });
        }
        if one.differs.is_empty() {
            say(Twin::Alike);
        }
        if let Some(doubt) = one.doubt {
            say(Twin::Doubted(doubt));
        }
    }
    story
}

/// Returns the earlier documents as JSON.
pub(super) fn json_of(beside: &[Beside]) -> Value {
    let one = |one: &Beside| {
        let reading = &one.document.reading;
        let differs = one.differs.iter().map(|differs| {
            json!({
                "field": differs.field.as_str(), "here": differs.newer, "there": differs.older,
            })
        });
        let deliveries = one.deliveries.iter().map(|(row, read)| {
            let delivery = &row.delivery;
            json!({
                "id": delivery.id, "dossier": row.dossier_name, "device": row.device_name,
                "flow": delivery.flow.map(|flow| flow.as_str()), "state": delivery.state.as_str(),
                "reason": delivery.reason.map(|reason| reason.as_str()),
                "read": *read == TwinRead::Whole,
            })
        });
        json!({
            "document": one.document.id, "digest": one.document.digest.to_string(),
            "kind": reading.kind.as_str(), "number": reading.number, "issued": reading.issued,
            "payable": reading.payable, "currency": reading.currency,
            "payable_currency": reading.payable_currency,
            "received_at": one.document.received_at.to_string(), "source": one.document.source,
            "differs": differs.collect::<Vec<_>>(),
            "doubt": one.doubt.map(Doubt::as_str), "deliveries": deliveries.collect::<Vec<_>>(),
        })
    };
    beside.iter().map(one).collect()
}
