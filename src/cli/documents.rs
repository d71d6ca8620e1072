//! Which documents are here?

use serde_json::Value;

use super::call::Call;
use super::{Error, Exit};
use crate::catalog::{DocumentRow, Firm};
use crate::ubl::show;

/// Rows that are fetched and shown at a time.
pub(super) const PAGE_ROWS: i64 = 1000;

/// The arguments of `documents`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of which firm; else of all.
    firm: Option<String>,
}

/// Lists documents, oldest first.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    let heads = [
        "firm", "id", "kind", "number", "issued", "seller", "buyer", "outcome", "reason", "digest",
    ];
    let mut listing = call.listing(&heads);
    for firm in &firms {
        let mut after = 0;
        loop {
            let rows = house
                .catalog
                .document_rows(firm.id, after, PAGE_ROWS)
                .await?;
            let Some(last) = rows.last() else { break };
            after = last.id.0;
            listing.page(
                rows.iter()
                    .map(|row| (json_of(firm, row), cells(firm, row)))
                    .collect(),
            )?;
        }
    }
    listing.end("there is no document yet; `sluis ingest FIRM PATH` takes some in");
    Ok(Exit::Done)
}

/// Returns a document as one JSON object: what was read, and what became of it.
pub(super) fn json_of(firm: &Firm, row: &DocumentRow) -> Value {
    let file = row
        .source
        .split_once(':')
        .map_or(row.source.as_str(), |(_, file)| file);
    let mut value = show::json_line(file, &row.reading);
    if let Some(object) = value.as_object_mut() {
        let more: [(&str, Value); 9] = [
            ("firm", firm.slug.as_str().into()),
            ("id", row.id.0.into()),
            ("digest", row.digest.to_string().into()),
            ("bytes", row.bytes.into()),
            ("received_at", row.received_at.to_string().into()),
            ("source", row.source.clone().into()),
            ("outcome", row.outcome.into()),
            ("reason", row.reason.clone().into()),
            ("duplicate_of", row.duplicate_of.map(|id| id.0).into()),
        ];
        object.extend(more.map(|(key, value)| (key.to_owned(), value)));
    }
    value
}

fn cells(firm: &Firm, row: &DocumentRow) -> Vec<String> {
    let reading = &row.reading;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        firm.slug.to_string(),
        row.id.to_string(),
        reading.kind.as_str().to_owned(),
        text(&reading.number),
        text(&reading.issued),
        text(&reading.seller.name),
        text(&reading.buyer.name),
        row.outcome.to_owned(),
        reason(row),
        short(&row.digest.to_string()),
    ]
}

fn reason(row: &DocumentRow) -> String {
    let like = row.duplicate_of.filter(|_| row.outcome == "held");
    let like = like.map(|first| format!("like document {first}"));
    let both = row.reason.iter().cloned().chain(like);
    both.collect::<Vec<_>>().join(" ")
}

/// The first digits of a digest, enough to name it.
pub(super) fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}
