//! In what do two documents differ that look alike?
//!
//! As far as both were read: lines of an invoice are not read, so two that differ in nothing here may still
//! differ in those.

use super::{Attachment, Party, Reading, Reference};

/// What two documents may differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// What kind of invoice or credit note it is (BT-3).
    Type,
    /// The amount due, with its currency.
    Total,
    /// The number, as it is written.
    Number,
    /// The date by which it is to be paid.
    DueDate,
    /// Who sells.
    Seller,
    /// Who buys.
    Buyer,
    /// Which documents it names.
    References,
    /// Which files are in it.
    Attachments,
}

impl Field {
    /// Returns the word by which a program knows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Type => "type_code",
            Self::Total => "total",
            Self::Number => "number",
            Self::DueDate => "due",
            Self::Seller => "seller",
            Self::Buyer => "buyer",
            Self::References => "references",
            Self::Attachments => "attachments",
        }
    }
}

/// One thing in which two documents differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In what.
    pub field: Field,
    /// What the newer says, if anything.
    pub newer: Option<String>,
    /// What the older says, if anything.
    pub older: Option<String>,
}

/// Returns in what a newer document differs from an older one.
pub fn differences(newer: &Reading, older: &Reading) -> Vec<Difference> {
    type Told = fn(&Reading) -> Option<String>;
    let told: [(Field, Told); 8] = [
        (Field::Type, |reading| reading.type_code.clone()),
        (Field::Total, total),
        (Field::Number, |reading| reading.number.clone()),
        (Field::DueDate, |reading| reading.due.clone()),
        (Field::Seller, |reading| party(&reading.seller)),
        (Field::Buyer, |reading| party(&reading.buyer)),
        (Field::References, |reading| {
            listed(&reading.references, reference)
        }),
        (Field::Attachments, |reading| {
            listed(&reading.attachments, attachment)
        }),
    ];
    let both = told.map(|(field, told)| Difference {
        field,
        newer: told(newer),
        older: told(older),
    });
    let differs = |one: &Difference| one.newer != one.older;
    both.into_iter().filter(differs).collect()
}

fn total(reading: &Reading) -> Option<String> {
    let amount = reading.payable.as_deref()?;
    let currency = reading.currency.as_deref().unwrap_or_default();
    Some(format!("{amount} {currency}").trim().to_owned())
}

fn party(party: &Party) -> Option<String> {
    let ids: Vec<_> = party.ids.iter().map(|id| id.raw.as_str()).collect();
    let numbers = (!ids.is_empty()).then(|| format!("({})", ids.join(", ")));
    let parts: Vec<_> = party.name.iter().cloned().chain(numbers).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn listed<T>(all: &[T], told: fn(&T) -> String) -> Option<String> {
    let all: Vec<_> = all.iter().map(told).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn reference(reference: &Reference) -> String {
    reference.id.clone()
}

fn attachment(file: &Attachment) -> String {
    let name = file.name.as_deref().or(file.mime.as_deref());
    format!("{} ({} bytes)", name.unwrap_or("?"), file.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::plan::tests::{invoice, party as party_of};
    use crate::model::PartyIdSource;

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        let older = invoice("F-1");
        let mut newer = older.clone();
        assert_eq!(differences(&newer, &older), []);

        newer.payable = Some("242.00".to_owned());
        newer.due = Some("2026-04-14".to_owned());
        newer.buyer = party_of(&[(PartyIdSource::Vat, "BE0239843188")]);
        newer.attachments.push(Attachment {
            name: Some("scan.pdf".to_owned()),
            mime: None,
            bytes: 9,
            is_invoice_pdf: true,
        });

        let told = |one: &Difference| {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let (newer, older) = (text(&one.newer), text(&one.older));
            format!("{}: {newer} | {older}", one.field.as_str())
        };
        let all: Vec<_> = differences(&newer, &older).iter().map(told).collect();
        let expected = [
            "total: 242.00 EUR | 121.00 EUR",
            "due: 2026-04-14 | -",
            "buyer: (BE0239843188) | -",
            "attachments: scan.pdf (9 bytes) | -",
        ];
        assert_eq!(all, expected);
    }
}
