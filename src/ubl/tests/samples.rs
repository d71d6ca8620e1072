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

fn compare(row: &Row<'_>, read: &Read, faults: &mut Vec<String>) {
    let reading = &read.reading;
    let mut check = |what: &str, expected: &str, agrees: bool, found: String| {
        let excepted = EXCEPTIONS.contains(&(row["path"], what));
        if agrees == excepted {
            let path = row["path"];
            faults.push(format!(
                "{path}: {what}: index `{expected}`, reading `{found}`"
            ));
        }
    };
    let kind = expected_kind(row["kind"], row["type_code"]);
    check(
        "kind",
        kind.as_str(),
        reading.kind == kind,
        reading.kind.as_str().to_owned(),
    );
    let wrapped = !row["wrapper"].is_empty();
    check(
        "wrapper",
        row["wrapper"],
        wrapped == reading.sbdh.is_some(),
        format!("{:?}", reading.sbdh),
    );
    if matches!(kind, Kind::Unreadable) || row["kind"] == "ubl-ns-mismatch" {
        return;
    }
    let day = plain_day(row["issue_date"]);
    for (what, expected, found) in [
        ("number", row["number"], &reading.number),
        ("issue_date", day.as_str(), &reading.issued),
        (
            "customization",
            row["customization"],
            &reading.customization,
        ),
    ] {
        check(
            what,
            expected,
            Some(expected) == found.as_deref() || expected.is_empty() && found.is_none(),
            format!("{found:?}"),
        );
    }
    if matches!(kind, Kind::Response | Kind::Other) {
        return;
    }
    for (what, expected, found) in [
        ("type_code", row["type_code"], &reading.type_code),
        ("currency", row["currency"], &reading.currency),
        ("payable", row["payable"], &reading.payable),
        ("supplier_name", row["supplier_name"], &reading.seller.name),
        ("customer_name", row["customer_name"], &reading.buyer.name),
    ] {
        check(
            what,
            expected,
            expected == found.as_deref().unwrap_or_default(),
            format!("{found:?}"),
        );
    }
    for (what, party) in [
        ("supplier_id", &reading.seller),
        ("supplier_vat", &reading.seller),
        ("supplier_legal", &reading.seller),
        ("customer_id", &reading.buyer),
        ("customer_vat", &reading.buyer),
        ("customer_legal", &reading.buyer),
    ] {
        check(
            what,
            row[what],
            has_id(party, row[what]),
            format!("{:?}", party.ids),
        );
    }
    check(
        "selfbilled",
        row["selfbilled"],
        (row["selfbilled"] == "1") == reading.self_billed,
        reading.self_billed.to_string(),
    );
    let pictures = reading
        .attachments
        .iter()
        .filter(|one| one.is_invoice_pdf)
        .count();
    let real = row["pdf_real"] != "0";
    check(
        "pdf_real",
        row["pdf_real"],
        pictures == 1 || !real,
        pictures.to_string(),
    );
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
