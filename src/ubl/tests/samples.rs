//! Do we agree with an independent reader about documents written by others?
//!
//! The documents are not ours to keep, so they lie beside the repository; where they are absent, the test
//! says so and passes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::model::Kind;
use crate::ubl::{Party, Read, Reading, read};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/ubl");

#[test]
fn documents_written_by_others_are_read_as_the_index_says() {
    let Ok(index) = fs::read_to_string(Path::new(SAMPLES).join("INDEX.tsv")) else {
        println!("the samples are not beside this repository: nothing was compared");
        return;
    };
    let mut faults = Vec::new();
    let mut compared = 0;
    for row in rows(&index) {
        let bytes = fs::read(Path::new(SAMPLES).join(row["path"])).unwrap();
        compare(&row, &read(&bytes), &mut faults);
        compared += 1;
    }
    println!("{compared} documents were compared");
    assert!(
        faults.is_empty(),
        "{} differ:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn what_an_envelope_held_reads_the_same_by_itself() {
    let Ok(index) = fs::read_to_string(Path::new(SAMPLES).join("INDEX.tsv")) else {
        println!("the samples are not beside this repository: nothing was compared");
        return;
    };
    for row in rows(&index).filter(|row| !row["wrapper"].is_empty()) {
        let wrapped = read(&fs::read(Path::new(SAMPLES).join(row["path"])).unwrap());

        let inner = read(wrapped.inner.as_deref().unwrap());

        assert_eq!(inner.inner, None);
        let told = wrapped.reading.remarks.len() - inner.reading.remarks.len();
        let bare = Reading {
            sbdh: None,
            remarks: wrapped.reading.remarks[told..].to_vec(), // without those about the envelope
            ..wrapped.reading
        };
        assert_eq!(inner.reading, bare, "{}", row["path"]);
    }
}

type Row<'a> = BTreeMap<&'a str, &'a str>;

fn rows(index: &str) -> impl Iterator<Item = Row<'_>> {
    let mut lines = index.lines();
    let columns: Vec<_> = lines.next().unwrap().split('\t').collect();
    lines.map(move |line| columns.iter().copied().zip(line.split('\t')).collect())
}

/// A column of the index, what it says, whether the reading agrees.
type Comparison<'a> = (&'static str, &'a str, bool);

fn compare(row: &Row<'_>, read: &Read, faults: &mut Vec<String>) {
    let path = row["path"];
    let reading = &read.reading;
    let kind = expected_kind(row["kind"], row["type_code"]);
    let mut all = vec![
        ("kind", row["kind"], reading.kind == kind),
        (
            "wrapper",
            row["wrapper"],
            row["wrapper"].is_empty() == reading.sbdh.is_none(),
        ),
    ];
    let read_at_all = kind != Kind::Unreadable && row["kind"] != "ubl-ns-mismatch";
    if read_at_all {
        all.extend(whole_document(row, reading));
    }
    if read_at_all && !matches!(kind, Kind::Response | Kind::Other) {
        all.extend(invoice(row, reading));
    }
    for (column, said, agrees) in all {
        if agrees == EXCEPTIONS.contains(&(path, column)) {
            faults.push(format!(
                "{path}: {column}: index `{said}`, reading {reading:?}"
            ));
        }
    }
}

/// What every message says of itself.
fn whole_document<'a>(row: &Row<'a>, reading: &Reading) -> Vec<Comparison<'a>> {
    let day = plain_day(row["issue_date"]);
    vec![
        (
            "number",
            row["number"],
            same(row["number"], reading.number.as_ref()),
        ),
        (
            "issue_date",
            row["issue_date"],
            same(&day, reading.issued.as_ref()),
        ),
        (
            "customization",
            row["customization"],
            same(row["customization"], reading.customization.as_ref()),
        ),
    ]
}

fn invoice<'a>(row: &Row<'a>, reading: &Reading) -> Vec<Comparison<'a>> {
    let (seller, buyer) = (&reading.seller, &reading.buyer);
    let column =
        |name: &'static str, found: Option<&String>| (name, row[name], same(row[name], found));
    let id = |name: &'static str, party: &Party| (name, row[name], has_id(party, row[name]));
    let pictures = reading
        .attachments
        .iter()
        .filter(|one| one.is_invoice_pdf)
        .count();
    vec![
        column("type_code", reading.type_code.as_ref()),
        column("currency", reading.currency.as_ref()),
        column("payable", reading.payable.as_ref()),
        column("supplier_name", seller.name.as_ref()),
        column("customer_name", buyer.name.as_ref()),
        id("supplier_id", seller),
        id("supplier_vat", seller),
        id("supplier_legal", seller),
        id("customer_id", buyer),
        id("customer_vat", buyer),
        id("customer_legal", buyer),
        (
            "selfbilled",
            row["selfbilled"],
            (row["selfbilled"] == "1") == reading.self_billed,
        ),
        (
            "pdf_real",
            row["pdf_real"],
            pictures == 1 || row["pdf_real"] == "0",
        ),
    ]
}

fn same(said: &str, found: Option<&String>) -> bool {
    said == found.map_or("", String::as_str)
}

fn expected_kind(kind: &str, type_code: &str) -> Kind {
    match (kind, type_code) {
        ("invoice", "381") | ("creditnote", _) => Kind::CreditNote,
        ("invoice", _) => Kind::Invoice,
        ("cii", _) => Kind::Cii,
        ("application-response", _) => Kind::Response,
        ("not-xml", _) => Kind::Unreadable,
        _ => Kind::Other,
    }
}

fn plain_day(written: &str) -> String {
    match written.len() {
        8 => format!("{}-{}-{}", &written[..4], &written[4..6], &written[6..]),
        _ => written.get(..10).unwrap_or(written).to_owned(),
    }
}

/// The index writes an endpoint as scheme and value.
fn has_id(party: &Party, expected: &str) -> bool {
    let written = |scheme: &Option<String>, raw: &str| match scheme {
        Some(scheme) => format!("{scheme}:{raw}"),
        None => raw.to_owned(),
    };
    expected.is_empty()
        || party
            .ids
            .iter()
            .any(|id| id.raw == expected || written(&id.scheme, &id.raw) == expected)
}

/// Where we differ from the index on purpose: file, column.
const EXCEPTIONS: &[(&str, &str)] = &[];
