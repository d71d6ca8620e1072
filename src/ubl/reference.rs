//! Which other documents does this one name, and what do those references carry?

use crate::ubl::attachment::{Attachments, Embedded, Named, names_the_invoice};
use crate::ubl::date::{compact_date, iso_date};
use crate::ubl::limits::{ATTACHMENTS_MAX, REFERENCE_PATH_BYTES_MAX, REFERENCES_MAX};
use crate::ubl::remarks::Remarks;
use crate::ubl::xml::{Leaf, Opened, Text};
use crate::ubl::{Attachment, Reference, ReferenceKind, RemarkCode};

/// Gathers references and what is embedded in them.
#[derive(Debug, Default)]
pub(super) struct References {
    list: Vec<Reference>,
    dropped: usize,
    attachments: Attachments,
    /// The reference that is open, unless none is; they do not nest.
    open: Option<OpenReference>,
    /// Whether a reference bears the mark of Belgian e-invoicing software (e-FFF 3.0, UBL.BE).
    software_mark: Option<&'static str>,
}

#[derive(Debug)]
struct OpenReference {
    /// How long its path is: all that opens and closes before it does is within it.
    path_bytes: usize,
    kind: Option<ReferenceKind>,
    id: Option<String>,
    sales_order: Option<String>,
    issued: Option<String>,
    as_invoice: bool,
    embedded: Vec<Embedded>,
    /// How many more objects than could be listed were in it.
    beyond: usize,
}

impl References {
    pub(super) fn opened(&mut self, element: &Opened<'_>) -> Text {
        match &mut self.open {
            None if is_reference(element.path) => self.open = Some(OpenReference::at(element.path)),
            Some(open) if is_embedded(element.path) => return open.embed(element),
            _ => {}
        }
        Text::Gather
    }

    pub(super) fn streamed(&mut self, part: &str) {
        if let Some(object) = self.open.as_mut().and_then(|open| open.embedded.last_mut()) {
            object.add(part);
        }
    }

    /// Returns whether the leaf belongs to a reference.
    pub(super) fn leaf(&mut self, leaf: &Leaf<'_>, remarks: &mut Remarks) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        if let Some(below) = leaf.path.get(open.path_bytes..) {
            open.leaf(below, leaf, remarks);
        }
        true
    }

    pub(super) fn closed(&mut self, path: &str, remarks: &mut Remarks) {
        if let Some(open) = self.open.take_if(|open| open.path_bytes == path.len()) {
            self.keep(open, remarks);
        }
    }

    /// Returns the mark of Belgian e-invoicing software, where a reference bears it.
    pub(super) fn software_mark(&self) -> Option<&'static str> {
        self.software_mark
    }

    /// Returns the references and the attachments of the document with this number.
    pub(super) fn finish(
        self,
        number: Option<&str>,
        remarks: &mut Remarks,
    ) -> (Vec<Reference>, Vec<Attachment>) {
        if self.dropped > 0 {
            let told = format!(
                "it names {} other documents; {REFERENCES_MAX} are listed",
                self.list.len() + self.dropped
            );
            remarks.add(RemarkCode::TooMany, told);
        }
        (self.list, self.attachments.finish(number, remarks))
    }

    fn keep(&mut self, open: OpenReference, remarks: &mut Remarks) {
        let named = Named {
            id: open.id.as_deref(),
            as_invoice: open.as_invoice,
        };
        for object in open.embedded {
            self.attachments.add(object, named, remarks);
        }
        self.attachments.add_unread(open.beyond);
        let mark = |id: &str| {
            SOFTWARE_MARKS
                .into_iter()
                .find(|mark| id.eq_ignore_ascii_case(mark))
        };
        self.software_mark = self.software_mark.or_else(|| named.id.and_then(mark));
        let Some(kind) = open.kind else { return };
        let issued = open.issued;
        if let Some(id) = open.id {
            self.push(Reference { kind, id, issued });
        }
        if let Some(id) = open.sales_order {
            self.push(Reference {
                kind: ReferenceKind::SalesOrder,
                id,
                issued: None,
            });
        }
    }

    fn push(&mut self, reference: Reference) {
        if self.list.len() < REFERENCES_MAX {
            self.list.push(reference);
        } else {
            self.dropped += 1;
        }
    }
}

impl OpenReference {
    fn at(path: &str) -> Self {
        Self {
            path_bytes: path.len(),
            kind: kind(path),
            id: None,
            sales_order: None,
            issued: None,
            as_invoice: false,
            embedded: Vec::new(),
            beyond: 0,
        }
    }

    fn embed(&mut self, element: &Opened<'_>) -> Text {
        if self.embedded.len() >= ATTACHMENTS_MAX {
            self.beyond += 1;
            return Text::Gather;
        }
        self.embedded.push(Embedded::open(element.attributes));
        Text::Stream
    }

    fn leaf(&mut self, below: &str, leaf: &Leaf<'_>, remarks: &mut Remarks) {
        match below {
            "/ID" | "/IssuerAssignedID" => self.id = leaf.value(remarks),
            "/SalesOrderID" => self.sales_order = leaf.value(remarks),
            "/IssueDate" => {
                self.issued = leaf.value(remarks).and_then(|written| iso_date(&written));
            }
            "/FormattedIssueDateTime/DateTimeString" => {
                self.issued = leaf
                    .value(remarks)
                    .and_then(|written| compact_date(&written));
            }
            "/DocumentType" | "/DocumentDescription" | "/Name" => {
                self.as_invoice |= names_the_invoice(leaf.text);
            }
            _ => {}
        }
    }
}

fn is_reference(path: &str) -> bool {
    let named = path.ends_with("DocumentReference")
        || path.ends_with("ReferencedDocument")
        || path.ends_with("OrderReference");
    named && !path.starts_with("UBLExtensions")
}

fn is_embedded(path: &str) -> bool {
    path.ends_with("/EmbeddedDocumentBinaryObject") || path.ends_with("/AttachmentBinaryObject")
}

/// Returns what is named, where the document as a whole names it and not one of its lines.
fn kind(path: &str) -> Option<ReferenceKind> {
    if path.len() > REFERENCE_PATH_BYTES_MAX || path.contains("Line") {
        return None;
    }
    let ends = |end: &str| {
        path.strip_suffix(end)
            .is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    KINDS
        .iter()
        .find(|(end, _)| ends(end))
        .map(|(_, kind)| *kind)
}

/// How a path ends, and what is named there: UBL first, then CII.
#[rustfmt::skip]
const KINDS: &[(&str, ReferenceKind)] = &[
    ("BillingReference/InvoiceDocumentReference",              ReferenceKind::Invoice),
    ("BillingReference/CreditNoteDocumentReference",           ReferenceKind::Invoice),
    ("BillingReference/SelfBilledInvoiceDocumentReference",    ReferenceKind::Invoice),
    ("BillingReference/SelfBilledCreditNoteDocumentReference", ReferenceKind::Invoice),
    ("OrderReference",                                         ReferenceKind::Order),
    ("ContractDocumentReference",                              ReferenceKind::Contract),
    ("DocumentResponse/DocumentReference",                     ReferenceKind::Answered),
    ("InvoiceReferencedDocument",                              ReferenceKind::Invoice),
    ("BuyerOrderReferencedDocument",                           ReferenceKind::Order),
    ("SellerOrderReferencedDocument",                          ReferenceKind::SalesOrder),
    ("ContractReferencedDocument",                             ReferenceKind::Contract),
];

/// Numbers of the reference that names the software which wrote the document.
const SOFTWARE_MARKS: [&str; 2] = ["eFFF", "UBL.BE"];
