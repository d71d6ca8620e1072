//! What must hold whatever the bytes are?
//!
//! One function for each fuzz target, on bytes; it panics where something does not hold. Compiled for two
//! uses alone: the targets of `fuzz/`, which cargo-fuzz builds with `cfg(fuzzing)`, and the tests here,
//! which on stable drive each with every file of its corpus and with changes of those
//! (`docs/decisions/0034`). Nobody else can name it, so what it looks into stays private.

mod collecting;
mod naming;
#[cfg(test)]
mod tests;

pub use collecting::collect_ops;
pub use naming::{layout_template, virtual_path};

use serde_json::Value;

use crate::model::{Kind, on_one_line};
use crate::ubl::limits::{
    ACCOUNTS_MAX, ATTACHMENTS_MAX, IDS_PER_PARTY_MAX, REFERENCES_MAX, REMARKS_MAX, TEXT_BYTES_MAX,
    XML_ATTRIBUTE_BYTES_MAX,
};
use crate::ubl::{self, Reading, show};

/// Reads the bytes as a document.
///
/// # Panics
///
/// When what was read is past a limit, is not the same the second time, or cannot be shown on lines.
pub fn ubl_read(bytes: &[u8]) {
    let read = ubl::read(bytes);
    assert_eq!(read, ubl::read(bytes), "the same bytes read the same");
    let reading = &read.reading;
    check_limits(reading);
    check_shown(reading);
    if reading.kind == Kind::Unreadable {
        let bare = Reading {
            remarks: Vec::new(),
            sbdh: None,
            ..reading.clone()
        };
        assert_eq!(bare.number, None, "what cannot be read says nothing");
        assert!(!reading.remarks.is_empty(), "and there is a reason");
    }
    if let Some(inner) = &read.inner {
        let alone = ubl::read(inner);
        assert_eq!(alone.inner, None, "one envelope is opened");
        let facts = |reading: &Reading| (reading.kind, reading.number.clone());
        assert_eq!(facts(&alone.reading), facts(reading));
    }
    naming::check_file_name(reading.number.as_deref(), reading.seller.name.as_deref());
}

fn check_limits(reading: &Reading) {
    assert!(reading.remarks.len() <= REMARKS_MAX);
    assert!(reading.attachments.len() <= ATTACHMENTS_MAX);
    assert!(reading.references.len() <= REFERENCES_MAX);
    for party in [&reading.seller, &reading.buyer] {
        assert!(party.ids.len() <= IDS_PER_PARTY_MAX);
        assert!(party.ids.iter().all(|id| id.raw.len() <= TEXT_BYTES_MAX));
        check_value(party.name.as_deref());
    }
    let accounts = reading.accounts.iter().flatten();
    assert!(accounts.clone().count() <= ACCOUNTS_MAX);
    accounts.for_each(|account| check_value(Some(account.as_str())));
    for value in [
        &reading.type_code,
        &reading.number,
        &reading.issued,
        &reading.issued_odd,
        &reading.due,
        &reading.currency,
        &reading.payable,
        &reading.payable_currency,
        &reading.customization,
        &reading.profile,
    ] {
        check_value(value.as_deref());
    }
    for attachment in &reading.attachments {
        for text in [&attachment.name, &attachment.mime].into_iter().flatten() {
            assert!(text.len() <= XML_ATTRIBUTE_BYTES_MAX);
        }
    }
    for remark in &reading.remarks {
        assert_eq!(on_one_line(&remark.text), remark.text, "a remark is a line");
    }
}

fn check_value(value: Option<&str>) {
    let text = value.unwrap_or_default();
    assert!(text.len() <= TEXT_BYTES_MAX);
    assert!(
        !text.contains(['\n', '\r']),
        "a field is one line: {text:?}"
    );
}

fn check_shown(reading: &Reading) {
    let json = show::json_line("a.xml", reading);
    let back: Result<Value, _> = serde_json::from_str(&json.to_string());
    assert_eq!(back.ok(), Some(json));
    let stored = serde_json::to_string(reading).ok();
    let back = stored.and_then(|text| serde_json::from_str::<Reading>(&text).ok());
    assert_eq!(back.as_ref(), Some(reading), "it comes back as it was kept");
    let text = show::text("a.xml", reading);
    let steered = text.lines().find(|line| on_one_line(line) != *line);
    assert_eq!(steered, None, "nothing in it steers a terminal");
}

/// Takes the bytes as what a peer sends in a session.
///
/// # Panics
///
/// When the packets depend on how the stream was cut, or are past a limit.
pub fn sftp_frames(bytes: &[u8]) {
    crate::sftp::fuzzing::frames(bytes);
}

/// Takes the bytes as what a forwarder sends first.
///
/// # Panics
///
/// When what follows a header changes it, or more is taken than a header may have.
pub fn proxy_header(bytes: &[u8]) {
    crate::sftp::fuzzing::proxy(bytes);
}

/// Takes the bytes as what is said of a dropped document beside it.
///
/// # Panics
///
/// When more is understood than was said.
pub fn sidecar(bytes: &[u8]) {
    crate::dropfolder::fuzzing::sidecar(bytes);
}
