//! What is embedded in this document, and which of it is the picture of the invoice itself?
//!
//! An attachment is measured while it passes by; it is never decoded as a whole, so a document of a
//! hundred megabytes costs no more memory than its own.

use crate::ubl::base64::Base64;
use crate::ubl::limits::ATTACHMENTS_MAX;
use crate::ubl::remarks::{Remarks, shown};
use crate::ubl::sniff::is_pdf;
use crate::ubl::tag::Attributes;
use crate::ubl::{Attachment, RemarkCode};

/// An embedded object while its text passes by.
#[derive(Debug)]
pub(super) struct Embedded {
    name: Option<String>,
    mime: Option<String>,
    measure: Base64,
}

impl Embedded {
    pub(super) fn open(attributes: &Attributes) -> Self {
        let owned = |name| attributes.value(name).map(ToOwned::to_owned);
        Self {
            name: owned("filename"),
            mime: owned("mimeCode"),
            measure: Base64::default(),
        }
    }

    pub(super) fn add(&mut self, part: &str) {
        self.measure.add(part);
    }
}

/// What the reference around an embedded object says of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Named<'a> {
    /// The number of the reference.
    pub(super) id: Option<&'a str>,
    /// Whether its type or description says that it is the invoice.
    pub(super) as_invoice: bool,
}

/// Returns whether `text` in a reference's type or description says that it is the invoice (§B.4).
pub(super) fn names_the_invoice(text: &str) -> bool {
    let text = text.trim();
    ["CommercialInvoice", "CreditNote"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// The attachments of one document, in order.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    found: Vec<Found>,
    /// How many objects there were, with the empty ones and those past the limit.
    seen: usize,
}

#[derive(Debug)]
struct Found {
    attachment: Attachment,
    id: Option<String>,
    as_invoice: bool,
    /// Whether its bytes are a PDF.
    real: bool,
    /// Whether it calls itself one.
    declared: bool,
}

impl Attachments {
    /// Takes an object whose text has passed by.
    pub(super) fn add(&mut self, object: Embedded, named: Named<'_>, remarks: &mut Remarks) {
        self.seen += 1;
        let label = self.label(&object);
        let bytes = object.measure.decoded_bytes();
        if let Some(fault) = object.measure.fault() {
            remarks.add(RemarkCode::EmptyAttachment, format!("{label} {fault}"));
        }
        if bytes == 0 {
            if object.measure.fault().is_none() {
                remarks.add(RemarkCode::EmptyAttachment, format!("{label} is empty"));
            }
            return;
        }
        if self.found.len() >= ATTACHMENTS_MAX {
            return;
        }
        let begins_as_pdf = is_pdf(&object.measure.head());
        let real = object.measure.fault().is_none() && begins_as_pdf;
        let declared = object.mime.as_deref().is_some_and(is_pdf_type);
        // What cannot be decoded may be anything.
        if declared && !begins_as_pdf && !object.measure.is_strange() {
            let told = format!("{label} calls itself a PDF, but its content is none");
            remarks.add(RemarkCode::Odd, told);
        }
        self.found.push(Found {
            id: named.id.map(ToOwned::to_owned),
            as_invoice: named.as_invoice,
            real,
            declared,
            attachment: Attachment {
                name: object.name,
                mime: object.mime,
                bytes,
                base64_digest: Some(object.measure.text_digest().to_string()),
                is_invoice_pdf: false,
            },
        });
    }

    /// Counts objects that were not even measured, for there were too many.
    pub(super) fn add_unread(&mut self, count: usize) {
        self.seen += count;
    }

    /// Returns the list, with the invoice's own picture marked, if there is one.
    pub(super) fn finish(mut self, number: Option<&str>, remarks: &mut Remarks) -> Vec<Attachment> {
        if self.found.len() >= ATTACHMENTS_MAX && self.seen > ATTACHMENTS_MAX {
            let told = format!(
                "it embeds {} files; {ATTACHMENTS_MAX} are listed",
                self.seen
            );
            remarks.add(RemarkCode::TooMany, told);
        }
        let picture = self.picture(number);
        if let Some(found) = picture.and_then(|nth| self.found.get_mut(nth)) {
            found.attachment.is_invoice_pdf = true;
        }
        self.found
            .into_iter()
            .map(|found| found.attachment)
            .collect()
    }

    /// What is really a PDF goes before what only says so; then the order of §B.4 counts.
    fn picture(&self, number: Option<&str>) -> Option<usize> {
        let real = |found: &Found| found.real;
        let said = |found: &Found| found.declared;
        self.first_named(real, number)
            .or_else(|| self.first_named(said, number))
    }

    fn first_named(&self, fits: impl Fn(&Found) -> bool, number: Option<&str>) -> Option<usize> {
        let first = |rule: &dyn Fn(&Found) -> bool| {
            self.found
                .iter()
                .position(|found| fits(found) && rule(found))
        };
        first(&|found| found.as_invoice)
            .or_else(|| first(&|found| number.is_some() && found.id.as_deref() == number))
            .or_else(|| first(&|_| true))
    }

    fn label(&self, object: &Embedded) -> String {
        match &object.name {
            Some(name) => format!("attachment {} (`{}`)", self.seen, shown(name)),
            None => format!("attachment {}", self.seen),
        }
    }
}

fn is_pdf_type(mime: &str) -> bool {
    let essence = mime.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/pdf")
        || essence.eq_ignore_ascii_case("application/x-pdf")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(mime: &str, content: &str) -> Embedded {
        let mut object = Embedded {
            name: Some("a.pdf".to_owned()),
            mime: Some(mime.to_owned()),
            measure: Base64::default(),
        };
        object.add(content);
        object
    }

    fn listed(objects: Vec<(Embedded, Named<'_>)>) -> (Vec<bool>, Vec<String>) {
        let mut remarks = Remarks::default();
        let mut attachments = Attachments::default();
        for (object, named) in objects {
            attachments.add(object, named, &mut remarks);
        }
        let list = attachments.finish(Some("F-1"), &mut remarks);
        let told = remarks.into_vec().iter().map(ToString::to_string).collect();
        (list.iter().map(|one| one.is_invoice_pdf).collect(), told)
    }

    const PDF: &str = "JVBERi0xLjQK";
    const TEXT: &str = "aGVsbG8=";
    const NOTHING: Named<'static> = Named {
        id: None,
        as_invoice: false,
    };
    const INVOICE: Named<'static> = Named {
        id: None,
        as_invoice: true,
    };
    const NUMBER: Named<'static> = Named {
        id: Some("F-1"),
        as_invoice: false,
    };

    #[test]
    fn the_picture_is_the_one_so_named_else_so_numbered_else_the_first_pdf() {
        let pdf = || object("application/pdf", PDF);
        let cases = [
            (
                vec![(pdf(), NOTHING), (pdf(), NUMBER), (pdf(), INVOICE)],
                [false, false, true],
            ),
            (
                vec![(pdf(), NOTHING), (pdf(), NUMBER), (pdf(), NOTHING)],
                [false, true, false],
            ),
            (
                vec![(pdf(), NOTHING), (pdf(), NOTHING), (pdf(), NOTHING)],
                [true, false, false],
            ),
            (
                vec![
                    (object("image/png", TEXT), INVOICE),
                    (pdf(), NOTHING),
                    (pdf(), NOTHING),
                ],
                [false, true, false],
            ),
        ];
        for (objects, marked) in cases {
            assert_eq!(listed(objects), (marked.to_vec(), vec![]));
        }
    }

    #[test]
    fn what_only_says_that_it_is_a_pdf_yields_to_a_real_one() {
        let false_pdf = || (object("application/pdf", TEXT), INVOICE);
        let told = "attachment 1 (`a.pdf`) calls itself a PDF, but its content is none";

        let both = listed(vec![
            false_pdf(),
            (object("application/octet-stream", PDF), NOTHING),
        ]);
        let alone = listed(vec![false_pdf()]);

        assert_eq!(both, (vec![false, true], vec![told.to_owned()]));
        assert_eq!(alone, (vec![true], vec![told.to_owned()]));
    }

    #[test]
    fn an_empty_object_is_no_attachment() {
        let (list, told) = listed(vec![(object("application/pdf", " \n "), INVOICE)]);

        assert!(list.is_empty());
        assert_eq!(told, ["attachment 1 (`a.pdf`) is empty"]);
    }

    #[test]
    fn base64_that_breaks_is_told() {
        for (content, told) in [
            ("JVBE*Ri0", "is not valid base64"),
            ("JVBER", "ends in the middle of its base64"),
        ] {
            let (_, remarks) = listed(vec![(object("text/csv", content), NOTHING)]);
            assert_eq!(remarks, [format!("attachment 1 (`a.pdf`) {told}")]);
        }
    }

    #[test]
    fn a_pdf_in_faulty_base64_is_not_called_something_else() {
        let whole = PDF.repeat(2) + "Jw==";
        let unpadded = whole.trim_end_matches('=').to_owned();
        for (content, told) in [
            (
                unpadded,
                "lacks the padding of its base64, or ends in the middle",
            ),
            (
                format!("{PDF}_-0="),
                "is base64 for URLs, with `-` or `_` in it, which not every program reads",
            ),
            (
                format!("data:application/pdf;base64,{PDF}"),
                "is not valid base64",
            ),
        ] {
            let (_, remarks) = listed(vec![(object("application/pdf", &content), NOTHING)]);
            assert_eq!(remarks, [format!("attachment 1 (`a.pdf`) {told}")]);
        }
    }

    #[test]
    fn one_attachment_past_the_limit_is_counted_and_not_listed() {
        let many = (0..=ATTACHMENTS_MAX).map(|_| (object("text/csv", TEXT), NOTHING));

        let (list, told) = listed(many.collect());

        assert_eq!(list.len(), ATTACHMENTS_MAX);
        assert_eq!(told, ["it embeds 101 files; 100 are listed"]);
    }
}
