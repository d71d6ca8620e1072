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
    /// The accounts to pay to (BT-84).
    Accounts,
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
            Self::Accounts => "accounts",
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
    let told: [(Field, Told); 7] = [
        (Field::Type, |reading| reading.type_code.clone()),
        (Field::Total, Reading::amount),
        (Field::Number, |reading| reading.number.clone()),
        (Field::DueDate, |reading| reading.due.clone()),
        (Field::Seller, |reading| party(&reading.seller)),
        (Field::Buyer, |reading| party(&reading.buyer)),
        (Field::References, |reading| {
            listed(&reading.references, reference)
        }),
    ];
    let both = told.map(|(field, told)| Difference {
        field,
        newer: told(newer),
        older: told(older),
    });
    let differs = |one: &Difference| one.newer != one.older;
    let plain = both.into_iter().filter(differs);
    plain
        .chain(accounts(newer, older))
        .chain(attachments(newer, older))
        .collect()
}

/// Of what was read before accounts were, nobody knows which it names.
fn accounts(newer: &Reading, older: &Reading) -> Option<Difference> {
    let (its, others) = newer.compared_accounts().zip(older.compared_accounts())?;
    let told = |reading: &Reading| {
        let accounts = reading.accounts.as_deref().unwrap_or_default();
        listed(accounts, String::clone)
    };
    (its != others).then(|| Difference {
        field: Field::Accounts,
        newer: told(newer),
        older: told(older),
    })
}

/// Only where names and sizes are alike, the contents are told.
fn attachments(newer: &Reading, older: &Reading) -> Option<Difference> {
    let told = |told: fn(&Attachment) -> String| Difference {
        field: Field::Attachments,
        newer: listed(&newer.attachments, told),
        older: listed(&older.attachments, told),
    };
    let plain = told(attachment);
    if plain.newer != plain.older {
        return Some(plain);
    }
    let digest = |file: &Attachment| file.base64_digest.clone();
    let mut pairs = newer.attachments.iter().zip(&older.attachments);
    let known = |(one, other)| digest(one).zip(digest(other));
    let differ = |pair| known(pair).is_some_and(|(one, other)| one != other);
    pairs.any(differ).then(|| told(attachment_and_content))
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
    format!("{} ({} bytes)", called(file), file.bytes)
}

fn attachment_and_content(file: &Attachment) -> String {
    let digest = file.base64_digest.as_deref().unwrap_or("?");
    let short: String = digest.chars().take(8).collect();
    format!("{} ({} bytes, {short}…)", called(file), file.bytes)
}

fn called(file: &Attachment) -> &str {
    let name = file.name.as_deref().or(file.mime.as_deref());
    name.unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::plan::tests::{invoice, party as party_of};
    use crate::model::PartyIdSource;

    fn told(newer: &Reading, older: &Reading) -> Vec<String> {
        let told = |one: &Difference| {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let (newer, older) = (text(&one.newer), text(&one.older));
            format!("{}: {newer} | {older}", one.field.as_str())
        };
        differences(newer, older).iter().map(told).collect()
    }

    #[test]
    fn accounts_are_compared_without_spaces_and_case_and_order() {
        let paid_to = |accounts: Option<&[&str]>| Reading {
            accounts: accounts.map(|all| all.iter().map(ToString::to_string).collect()),
            ..invoice("F-1")
        };
        let older = paid_to(Some(&["BE71 0961 2345 6769", "x"]));

        for same in [&["X", "be71096123456769"], &["BE71096123456769", "x"]] {
            assert_eq!(told(&paid_to(Some(same)), &older), [""; 0]);
        }
        let changed = "accounts: BE68539007547034, x | BE71 0961 2345 6769, x";
        let other = paid_to(Some(&["BE68539007547034", "x"]));
        assert_eq!(told(&other, &older), [changed]);
        let none = "accounts: - | BE71 0961 2345 6769, x";
        assert_eq!(told(&paid_to(Some(&[])), &older), [none]);
        // What was read before accounts were says nothing of them.
        assert_eq!(told(&paid_to(None), &older), [""; 0]);
        assert_eq!(told(&older, &paid_to(None)), [""; 0]);
    }

    #[test]
    fn attachments_of_one_name_and_size_are_told_apart_by_their_content() {
        let with = |digest: Option<&str>| Reading {
            attachments: vec![Attachment {
                name: Some("scan.pdf".to_owned()),
                mime: None,
                bytes: 9,
                base64_digest: digest.map(ToOwned::to_owned),
                is_invoice_pdf: true,
            }],
            ..invoice("F-1")
        };
        let (one, other) = (Some("0123456789"), Some("9876543210"));

        let expected = "attachments: scan.pdf (9 bytes, 01234567…) | scan.pdf (9 bytes, 98765432…)";
        assert_eq!(told(&with(one), &with(other)), [expected]);
        for (newer, older) in [(one, one), (one, None), (None, one), (None, None)] {
            assert_eq!(told(&with(newer), &with(older)), [""; 0]);
        }
    }

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
            base64_digest: None,
            is_invoice_pdf: true,
        });

        let expected = [
            "total: 242.00 EUR | 121.00 EUR",
            "due: 2026-04-14 | -",
            "buyer: (BE0239843188) | (0451827384)",
            "attachments: scan.pdf (9 bytes) | -",
        ];
        assert_eq!(told(&newer, &older), expected);
    }
}
