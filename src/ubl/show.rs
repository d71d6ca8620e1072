//! How is a reading shown, to programs and to people?

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::model::{PartyId, on_one_line};
use crate::ubl::{Attachment, Party, Reading, Reference};

/// Returns a reading as one JSON object; what is absent is null.
pub fn json_line(file: &str, reading: &Reading) -> Value {
    let remarks: Vec<_> = reading.remarks.iter().map(ToString::to_string).collect();
    json!({
        "file": file,
        "kind": reading.kind.as_str(),
        "type_code": reading.type_code,
        "number": reading.number,
        "issued": reading.issued,
        "due": reading.due,
        "currency": reading.currency,
        "payable": reading.payable,
        "payable_currency": reading.payable_currency,
        "accounts": reading.accounts,
        "seller": party(&reading.seller),
        "buyer": party(&reading.buyer),
        "self_billed": reading.self_billed,
        "customization": reading.customization,
        "profile": reading.profile,
        "sbdh": reading.sbdh,
        "references": list(&reading.references, reference),
        "attachments": list(&reading.attachments, attachment),
        "remarks": remarks,
    })
}

/// Returns a reading in a few lines for a person.
pub fn text(file: &str, reading: &Reading) -> String {
    let headline = format!("{file}: {}", headline(reading));
    let mut lines = on_one_line(&headline).into_owned();
    for (role, party) in [("seller", &reading.seller), ("buyer", &reading.buyer)] {
        let ids: Vec<_> = party.ids.iter().map(|id| id.raw.as_str()).collect();
        if party.name.is_some() || !ids.is_empty() {
            let name = party.name.as_deref().unwrap_or("(no name)");
            line(&mut lines, &format!("{role}: {name} ({})", ids.join(", ")));
        }
    }
    for account in reading.accounts.iter().flatten() {
        line(&mut lines, &format!("account: {account}"));
    }
    for attachment in &reading.attachments {
        line(&mut lines, &attachment_text(attachment));
    }
    for remark in &reading.remarks {
        line(&mut lines, &format!("remark: {remark}"));
    }
    lines.push('\n');
    lines
}

fn line(lines: &mut String, text: &str) {
    lines.push_str("\n  ");
    // What senders write may not steer the terminal that shows it.
    lines.push_str(&on_one_line(text));
}

fn headline(reading: &Reading) -> String {
    let mut headline = reading.kind.as_str().replace('_', " ");
    if reading.self_billed {
        headline.push_str(", self-billed");
    }
    let amount = reading.amount();
    let facts = [
        ("", reading.number.as_deref()),
        ("of ", reading.issued.as_deref()),
        ("due ", reading.due.as_deref()),
        ("for ", amount.as_deref()),
    ];
    for (before, fact) in facts {
        if let Some(fact) = fact {
            write!(headline, " {before}{fact}").unwrap_or_default(); // a string takes all
        }
    }
    headline.trim_end().to_owned()
}

fn attachment_text(attachment: &Attachment) -> String {
    let name = attachment.name.as_deref().unwrap_or("(no name)");
    let mime = attachment.mime.as_deref().unwrap_or("unknown type");
    let picture = match attachment.is_invoice_pdf {
        true => ", the invoice itself",
        false => "",
    };
    format!(
        "attachment: {name} ({mime}, {} bytes{picture})",
        attachment.bytes
    )
}

fn list<T>(items: &[T], show: fn(&T) -> Value) -> Vec<Value> {
    items.iter().map(show).collect()
}

fn party(party: &Party) -> Value {
    json!({ "name": party.name, "ids": list(&party.ids, id) })
}

fn id(id: &PartyId) -> Value {
    json!({
        "source": id.source.as_str(),
        "scheme": id.scheme,
        "value": id.raw,
        "key": id.key,
    })
}

fn reference(reference: &Reference) -> Value {
    json!({
        "kind": reference.kind,
        "id": reference.id,
        "issued": reference.issued,
    })
}

fn attachment(attachment: &Attachment) -> Value {
    json!({
        "name": attachment.name,
        "mime": attachment.mime,
        "bytes": attachment.bytes,
        "is_invoice_pdf": attachment.is_invoice_pdf,
    })
}
