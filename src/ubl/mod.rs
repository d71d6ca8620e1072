//! What does this document say?
//!
//! [`read`] takes bytes and gives a [`Reading`]; it never fails and touches nothing.
//!
//! ```text
//! bytes ─▶ sniff ─▶ decode ─▶ root ─▶ sbdh (the envelope, opened) ─▶ document ─▶ Reading
//!                                                xml (one walk) ─▶ party, accounts, reference, attachment
//! ```

mod accounts;
mod attachment;
mod base64;
mod customization;
mod date;
mod decode;
pub mod differences;
mod document;
mod lexis;
pub mod limits;
mod party;
mod reading;
mod reference;
mod remarks;
mod root;
mod sbdh;
pub mod show;
mod side;
mod sniff;
mod tag;
#[cfg(test)]
mod tests;
mod vocabulary;
mod xml;

pub use reading::{Attachment, Party, Reading, Reference, ReferenceKind, Remark, RemarkCode, Sbdh};

use crate::model::Kind;
use limits::DOCUMENT_BYTES_MAX;
use remarks::{Fault, Remarks};
use root::Form;

/// What came of reading some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What was understood.
    pub reading: Reading,
    /// The document without its envelope, where it came in one; else the original bytes are delivered.
    pub inner: Option<Vec<u8>>,
}

/// Reads whatever `bytes` are.
///
/// A document that breaks at its end, or goes past a limit, is unreadable even where all that matters
/// came before: a program that imports it would refuse it too, or read something else.
///
/// ```
/// # use sluis::model::Kind;
/// let invoice = br#"<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
///     xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
///     <cbc:ID>F-17</cbc:ID></Invoice>"#;
///
/// let read = sluis::ubl::read(invoice);
///
/// assert_eq!(read.reading.kind, Kind::Invoice);
/// assert_eq!(read.reading.number.as_deref(), Some("F-17"));
/// assert_eq!(read.reading.remarks[0].to_string(), "it has no issue date");
/// ```
pub fn read(bytes: &[u8]) -> Read {
    let mut remarks = Remarks::default();
    let outcome = if bytes.len() > DOCUMENT_BYTES_MAX {
        let told = format!("it is larger than {} MiB", DOCUMENT_BYTES_MAX >> 20);
        remarks.add(RemarkCode::TooLarge, told);
        Outcome::bare(Reading::nothing(Kind::Unreadable))
    } else if let Some(stranger) = sniff::stranger(bytes) {
        remarks.add(stranger.code, stranger.told);
        Outcome::bare(Reading::nothing(stranger.kind))
    } else {
        let text = decode::decode(bytes, &mut remarks);
        let before = remarks.count();
        read_text(&text, &mut remarks).unwrap_or_else(|fault| {
            remarks.give_up(before, fault.code, fault.told(&text));
            Outcome::bare(Reading::nothing(Kind::Unreadable))
        })
    };
    outcome.with(remarks)
}

/// A reading that yet lacks its remarks.
struct Outcome {
    reading: Reading,
    inner: Option<String>,
}

impl Outcome {
    fn bare(reading: Reading) -> Self {
        Self {
            reading,
            inner: None,
        }
    }

    fn with(mut self, remarks: Remarks) -> Read {
        self.reading.remarks = remarks.into_vec();
        Read {
            reading: self.reading,
            inner: self.inner.map(String::into_bytes),
        }
    }
}

fn read_text(text: &str, remarks: &mut Remarks) -> Result<Outcome, Fault> {
    match xml::root(text) {
        Some(root) if root::form(&root) == Form::Envelope => read_envelope(text, remarks),
        root => read_bare(text, root.as_ref(), remarks).map(Outcome::bare),
    }
}

/// The document within is read as if it had come by itself, so both ways give the same.
fn read_envelope(text: &str, remarks: &mut Remarks) -> Result<Outcome, Fault> {
    let opening = sbdh::open(text, remarks)?;
    let mut outcome = match opening.inner {
        None => Outcome::bare(Reading::nothing(Kind::Other)),
        Some(inner) => read_inner(inner, remarks),
    };
    outcome.reading.sbdh = Some(opening.sbdh);
    Ok(outcome)
}

fn read_inner(inner: String, remarks: &mut Remarks) -> Outcome {
    let root = xml::root(&inner);
    if root.as_ref().map(root::form) == Some(Form::Envelope) {
        // Opening one after the other would let a sender decide how long we work.
        let told = "the envelope holds another envelope, which is not opened";
        remarks.add(RemarkCode::Odd, told);
        return Outcome::bare(Reading::nothing(Kind::Other));
    }
    let before = remarks.count();
    let reading = read_bare(&inner, root.as_ref(), remarks).unwrap_or_else(|fault| {
        remarks.give_up(before, fault.code, fault.told(&inner));
        Reading::nothing(Kind::Unreadable)
    });
    Outcome {
        reading,
        inner: Some(inner),
    }
}

fn read_bare(
    text: &str,
    root: Option<&xml::Root>,
    remarks: &mut Remarks,
) -> Result<Reading, Fault> {
    match (root, root.map_or(Form::Unknown, root::form)) {
        (Some(root), Form::Unknown | Form::Envelope) => {
            xml::walk(text, &mut Nobody)?;
            remarks.add(RemarkCode::UnknownRoot, root::told(root));
            Ok(Reading::nothing(Kind::Other))
        }
        (Some(root), Form::OtherUbl) => {
            let reading = document::read(text, Form::OtherUbl, remarks)?;
            let told = format!(
                "it is a UBL message of another kind: `{}`",
                remarks::shown(&root.local)
            );
            remarks.add(RemarkCode::UnknownRoot, told);
            Ok(reading)
        }
        (Some(_), form) => document::read(text, form, remarks),
        (None, _) => {
            xml::walk(text, &mut Nobody)?;
            Err(xml::malformed("it has no root element", text.len()))
        }
    }
}

/// Hears a document whose content does not matter, only whether it is sound.
struct Nobody;

impl xml::Visitor for Nobody {}
