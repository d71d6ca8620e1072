//! Do documents as they come in the world give the right reading?

mod fixtures;
mod limits;
mod properties;
mod samples;
mod xml;

use crate::ubl::{Read, show};

/// Returns what programs see of a reading, in one line and without what is absent.
fn summary(read: &Read) -> String {
    let reading = &read.reading;
    let facts = [
        Some(reading.kind.as_str()),
        reading.type_code.as_deref(),
        reading.number.as_deref(),
        reading.issued.as_deref(),
        reading.due.as_deref(),
        reading.payable.as_deref(),
        reading.currency.as_deref(),
        reading.seller.name.as_deref(),
        reading.buyer.name.as_deref(),
        reading.self_billed.then_some("self-billed"),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" | ")
}

/// Returns the remarks, one to a line.
fn told(read: &Read) -> String {
    let remarks = &read.reading.remarks;
    remarks
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns the identifiers of the seller and of the buyer, by their keys.
fn keys(read: &Read) -> String {
    let keys = |party: &crate::ubl::Party| {
        let keys: Vec<_> = party
            .ids
            .iter()
            .map(|id| format!("{} {}", id.source.as_str(), id.key))
            .collect();
        keys.join(", ")
    };
    format!(
        "{} -> {}",
        keys(&read.reading.seller),
        keys(&read.reading.buyer)
    )
}

/// Returns the attachments as JSON, one to a line.
fn attachments(read: &Read) -> String {
    let line = show::json_line("", &read.reading);
    let list = line["attachments"].as_array().unwrap();
    list.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns the references as JSON, one to a line.
fn references(read: &Read) -> String {
    let line = show::json_line("", &read.reading);
    let list = line["references"].as_array().unwrap();
    list.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A fixture's bytes, by its file name.
macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/ubl/",
            $name
        ))
        .as_slice()
    };
}
use fixture;
