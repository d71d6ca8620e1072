//! What does an invoice, credit note, response or Cross Industry Invoice say?

use crate::model::Kind;
use crate::ubl::accounts::Accounts;
use crate::ubl::customization::{self, Status};
use crate::ubl::reference::References;
use crate::ubl::remarks::{Fault, Remarks, shown};
use crate::ubl::root::Form;
use crate::ubl::side::Side;
use crate::ubl::vocabulary::{CII, Field, UBL, Vocabulary};
use crate::ubl::xml::{Leaf, Opened, Text, Visitor, walk};
use crate::ubl::{Party, Reading, RemarkCode};

/// Reads a document of a form that has a vocabulary.
///
/// # Errors
///
/// When it is not sound to its very end.
pub(super) fn read(text: &str, form: Form, remarks: &mut Remarks) -> Result<Reading, Fault> {
    let vocabulary = if form == Form::Cii { &CII } else { &UBL };
    let mut document = Document::new(vocabulary, remarks);
    walk(text, &mut document)?;
    Ok(document.finish(form))
}

struct Document<'r> {
    vocabulary: &'static Vocabulary,
    remarks: &'r mut Remarks,
    reading: Reading,
    due_of_payment: Option<String>,
    currency_of_amount: Option<String>,
    accounts: Accounts,
    /// Which fields were read from an element in no namespace.
    from_none: Vec<Field>,
    seller: Side,
    buyer: Side,
    references: References,
}

impl Visitor for Document<'_> {
    fn opened(&mut self, element: &Opened<'_>) -> Text {
        for side in [&mut self.seller, &mut self.buyer] {
            side.opened(element.path, self.remarks);
        }
        self.references.opened(element)
    }

    fn streamed(&mut self, part: &str) {
        self.references.streamed(part);
    }

    fn leaf(&mut self, leaf: &Leaf<'_>) {
        if self.references.leaf(leaf, self.remarks) || self.party_leaf(leaf) {
            return;
        }
        let known = self.vocabulary.fields.iter();
        if let Some((_, field)) = known.into_iter().find(|(path, _)| *path == leaf.path) {
            self.keep(*field, leaf);
        }
    }

    fn closed(&mut self, path: &str, _end: usize) {
        self.references.closed(path, self.remarks);
        let registration = self.vocabulary.tax_registration;
        for side in [&mut self.seller, &mut self.buyer] {
            side.closed(path, registration);
        }
    }
}

impl<'r> Document<'r> {
    fn new(vocabulary: &'static Vocabulary, remarks: &'r mut Remarks) -> Self {
        Self {
            vocabulary,
            remarks,
            reading: Reading::nothing(Kind::Other),
            due_of_payment: None,
            currency_of_amount: None,
            accounts: Accounts::default(),
            from_none: Vec::new(),
            seller: Side::new(vocabulary.sellers),
            buyer: Side::new(vocabulary.buyers),
            references: References::default(),
        }
    }

    fn party_leaf(&mut self, leaf: &Leaf<'_>) -> bool {
        let parts = self.vocabulary.parts;
        self.seller.leaf(leaf, parts, self.remarks) || self.buyer.leaf(leaf, parts, self.remarks)
    }

    fn keep(&mut self, field: Field, leaf: &Leaf<'_>) {
        let reading = &mut self.reading;
        let slot = match field {
            Field::Number => &mut reading.number,
            Field::Issued => &mut reading.issued,
            Field::TypeCode => &mut reading.type_code,
            Field::Due => &mut reading.due,
            Field::DueOfPayment => {
                if self.due_of_payment.is_none() {
                    self.due_of_payment = leaf.value(self.remarks);
                }
                return;
            }
            Field::Account => return self.accounts.leaf(leaf, self.remarks),
            Field::Currency => &mut reading.currency,
            Field::Payable => {
                // An attribute may be long, and have lines.
                let currency = leaf.attributes.value("currencyID").map(shown);
                let first = &mut self.currency_of_amount;
                *first = first.take().or(currency);
                &mut reading.payable
            }
            Field::Customization => &mut reading.customization,
            Field::Profile => &mut reading.profile,
        };
        if leaf.in_namespace && self.from_none.contains(&field) {
            // Exporters forget namespaces; what has one is what an importer reads.
            if let Some(value) = leaf.value(self.remarks) {
                self.from_none.retain(|other| *other != field);
                if slot.as_ref() != Some(&value) {
                    let path = shown(leaf.path);
                    let told =
                        format!("`{path}` stands in it twice; the one in a namespace is read");
                    self.remarks.add(RemarkCode::Odd, told);
                }
                *slot = Some(value);
            }
            return;
        }
        let was_empty = slot.is_none();
        leaf.fill(slot, self.remarks);
        if was_empty && slot.is_some() && !leaf.in_namespace {
            self.from_none.push(field);
        }
    }

    fn finish(self, form: Form) -> Reading {
        let Self {
            mut reading,
            remarks,
            vocabulary,
            ..
        } = self;
        reading.kind = kind(form, reading.type_code.as_deref());
        reading.self_billed = is_self_billed(form, &reading);
        let due = reading.due.take().or(self.due_of_payment);
        remark_form(form, remarks);
        reading.seller = self.seller.finish("seller", remarks);
        reading.buyer = self.buyer.finish("buyer", remarks);
        remark_missing(&reading, remarks);
        set_currency(&mut reading, self.currency_of_amount, remarks);
        reading.accounts = Some(self.accounts.finish(remarks));
        let issued = reading.issued.take();
        reading.issued = day(issued.clone(), "issue", vocabulary, remarks);
        reading.issued_odd = issued.filter(|_| reading.issued.is_none());
        reading.due = day(due, "due", vocabulary, remarks);
        let software_mark = self.references.software_mark();
        let number = reading.number.as_deref();
        (reading.references, reading.attachments) = self.references.finish(number, remarks);
        remark_amount(&reading, remarks);
        if matches!(reading.kind, Kind::Invoice | Kind::CreditNote) {
            remark_customization(&reading, software_mark, remarks);
            if reading.type_code.as_deref() == Some(PRO_FORMA) {
                let told = "its type code is 325, of a pro forma: that is no invoice to book";
                remarks.add(RemarkCode::Odd, told);
            }
        }
        reading
    }
}

fn kind(form: Form, type_code: Option<&str>) -> Kind {
    match form {
        Form::Invoice | Form::SelfBilledInvoice
            if type_code.is_some_and(|code| CREDIT_CODES.contains(&code)) =>
        {
            Kind::CreditNote
        }
        Form::Invoice | Form::SelfBilledInvoice => Kind::Invoice,
        Form::CreditNote | Form::SelfBilledCreditNote => Kind::CreditNote,
        Form::Cii => Kind::Cii,
        Form::Response => Kind::Response,
        Form::OtherUbl | Form::Envelope | Form::Unknown => Kind::Other,
    }
}

/// The type code (BT-3) of what only looks like an invoice, such as an offer or a paper for the customs.
const PRO_FORMA: &str = "325";

/// Type codes (BT-3) that are credit notes under whatever root, as the code list of EN 16931 has them: e-FFF writes 381
/// under `Invoice`. The last two, of a factor's and of an advance, came later.
const CREDIT_CODES: [&str; 13] = [
    "381", "261", "396", "81", "83", "532", "262", "296", "308", "420", "458", "502", "503",
];

fn is_self_billed(form: Form, reading: &Reading) -> bool {
    let code = reading.type_code.as_deref();
    let by_root = matches!(form, Form::SelfBilledInvoice | Form::SelfBilledCreditNote);
    let by_code = code.is_some_and(|code| SELF_BILLED_CODES.contains(&code));
    let names_it = |id: &Option<String>| {
        id.as_ref()
            .is_some_and(|id| id.to_lowercase().contains("selfbilling"))
    };
    by_root || by_code || names_it(&reading.customization) || names_it(&reading.profile)
}

/// Type codes (BT-3) of documents that the buyer writes; those from 471 on are corrections, advances and what a factor has,
/// of the newer list.
const SELF_BILLED_CODES: [&str; 8] = ["389", "527", "261", "471", "473", "500", "501", "502"];

fn day(
    written: Option<String>,
    what: &str,
    vocabulary: &Vocabulary,
    remarks: &mut Remarks,
) -> Option<String> {
    let written = written?;
    let day = (vocabulary.date)(&written);
    if day.is_none() {
        let told = format!("the {what} date `{}` is no date", shown(&written));
        remarks.add(RemarkCode::Odd, told);
    }
    day
}

fn remark_form(form: Form, remarks: &mut Remarks) {
    match form {
        Form::Cii => remarks.add(
            RemarkCode::NotUbl,
            "it is a Cross Industry Invoice, which no linked program reads",
        ),
        Form::Response => remarks.add(
            RemarkCode::NotUbl,
            "it is an answer about a document, which no linked program reads",
        ),
        _ => {}
    }
}

fn remark_missing(reading: &Reading, remarks: &mut Remarks) {
    if reading.kind == Kind::Other {
        return;
    }
    let nobody = |party: &Party| party.name.is_none() && party.ids.is_empty();
    let has_parties = reading.kind != Kind::Response;
    let missing = [
        (reading.number.is_none(), "number"),
        (reading.issued.is_none(), "issue date"),
        (has_parties && nobody(&reading.seller), "seller"),
        (has_parties && nobody(&reading.buyer), "buyer"),
    ];
    for (_, what) in missing.iter().filter(|(absent, _)| *absent) {
        remarks.add(RemarkCode::Missing, format!("it has no {what}"));
    }
}

/// The amount due is in the currency that stands beside it, which should be the document's.
fn set_currency(reading: &mut Reading, of_amount: Option<String>, remarks: &mut Remarks) {
    let Some(of_amount) = of_amount else {
        return;
    };
    match &reading.currency {
        None => {
            reading.currency = Some(of_amount);
            let told = "it has no currency of its own; that of the amount due is taken";
            remarks.add(RemarkCode::Missing, told);
        }
        Some(own) if reading.payable.is_some() && !own.eq_ignore_ascii_case(&of_amount) => {
            let told = format!(
                "the amount due is in `{}`, and the document in `{}`",
                shown(&of_amount),
                shown(own)
            );
            remarks.add(RemarkCode::Odd, told);
            reading.payable_currency = Some(of_amount);
        }
        Some(_) => {}
    }
}

fn remark_amount(reading: &Reading, remarks: &mut Remarks) {
    let Some(payable) = &reading.payable else {
        return;
    };
    let digits = payable.strip_prefix(['-', '+']).unwrap_or(payable);
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, cents) = digits.split_once('.').unwrap_or((digits, ""));
    if !plain(whole) || !plain(cents) || whole.len() + cents.len() == 0 {
        let told = format!("the amount `{}` is no number", shown(payable));
        remarks.add(RemarkCode::Odd, told);
    }
}

fn remark_customization(reading: &Reading, software_mark: Option<&str>, remarks: &mut Remarks) {
    let profile = reading.profile.as_deref();
    let Some(id) = &reading.customization else {
        if software_mark.is_none() {
            let told = "it names no customization; read by its structure";
            remarks.add(RemarkCode::UnknownCustomization, told);
        }
        return;
    };
    match customization::known(id, profile) {
        Some(known) if known.status == Status::Old && software_mark.is_none() => {
            let told = format!("it was written for {}, which is out of use", known.name);
            remarks.add(RemarkCode::OldCustomization, told);
        }
        None if software_mark.is_none() => {
            let told = format!(
                "the customization `{}` is unknown; read by its structure",
                shown(id)
            );
            remarks.add(RemarkCode::UnknownCustomization, told);
        }
        _ => {}
    }
}
