//! What was read from a document?

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::accounts::compared;
use crate::model::{EnterpriseNumber, Kind, PartyId, PartyIdSource};

/// What [`read`](crate::ubl::read) made of some bytes. Reading never fails: what went wrong is a remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// What it is.
    pub kind: Kind,
    /// Document type code (BT-3), as written.
    pub type_code: Option<String>,
    /// Number (BT-1).
    pub number: Option<String>,
    /// Issue date (BT-2), ISO.
    pub issued: Option<String>,
    /// What stands in its place, as written, where that is no date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_odd: Option<String>,
    /// Due date (BT-9), ISO; for a credit note the one among its payment means.
    pub due: Option<String>,
    /// Currency (BT-5).
    pub currency: Option<String>,
    /// Amount due for payment (BT-115), as written.
    pub payable: Option<String>,
    /// The currency that stands beside that amount, where it is not the document's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payable_currency: Option<String>,
    /// Accounts to pay to (BT-84), as written, each once. Absent where nobody looked: in what was read before they
    /// were, and in what cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<String>>,
    /// Who sells (BG-4), also when the buyer wrote the invoice. Nobody in a response: its sender and
    /// receiver are neither seller nor buyer by that.
    pub seller: Party,
    /// Who buys (BG-7).
    pub buyer: Party,
    /// Whether the buyer wrote it (type codes such as 389, 527 or 261, or a self-billing root or profile).
    pub self_billed: bool,
    /// Specification identifier (BT-24), as written.
    pub customization: Option<String>,
    /// Business process type (BT-23), as written.
    pub profile: Option<String>,
    /// Preceding invoices (BG-3) and orders (BT-13, BT-14) it names.
    pub references: Vec<Reference>,
    /// Embedded attachments (BG-24), in order; an empty one is left out and remarked.
    pub attachments: Vec<Attachment>,
    /// The envelope it came in, if any.
    pub sbdh: Option<Sbdh>,
    /// What a person should know about the reading.
    pub remarks: Vec<Remark>,
}

impl Reading {
    /// Returns a reading of something in which nothing was found.
    pub(super) fn nothing(kind: Kind) -> Self {
        Self {
            kind,
            type_code: None,
            number: None,
            issued: None,
            issued_odd: None,
            due: None,
            currency: None,
            payable: None,
            payable_currency: None,
            accounts: None,
            seller: Party::default(),
            buyer: Party::default(),
            self_billed: false,
            customization: None,
            profile: None,
            references: Vec::new(),
            attachments: Vec::new(),
            sbdh: None,
            remarks: Vec::new(),
        }
    }

    /// Returns the amount due with its currency.
    pub fn amount(&self) -> Option<String> {
        let amount = self.payable.as_deref()?;
        let currency = self.payable_currency.as_ref().or(self.currency.as_ref());
        Some(
            format!("{amount} {}", currency.map_or("", String::as_str))
                .trim()
                .to_owned(),
        )
    }

    /// Returns the accounts to pay to as two documents are compared by them: without spaces and case, in order.
    pub fn compared_accounts(&self) -> Option<BTreeSet<String>> {
        let accounts = self.accounts.as_ref()?.iter();
        Some(accounts.map(|account| compared(account)).collect())
    }
}

/// A seller or buyer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Trading or registered name (BT-27 or BT-28, BT-44 or BT-45).
    pub name: Option<String>,
    /// Every identifier, in the order of trust of [`PartyIdSource`](crate::model::PartyIdSource).
    pub ids: Vec<PartyId>,
}

impl Party {
    /// Returns the number by which people know it: a sound Belgian one among its registrations, else its VAT number.
    /// An electronic address may be somebody else's, and what others call it is no number of its own.
    pub fn number(&self) -> Option<&str> {
        let is_own =
            |id: &&PartyId| matches!(id.source, PartyIdSource::LegalEntity | PartyIdSource::Vat);
        let is_sound = |digits: &&str| digits.parse::<EnterpriseNumber>().is_ok();
        let belgian = self.ids.iter().filter(is_own);
        let mut belgian = belgian.filter_map(PartyId::enterprise_digits);
        let mut vat = self.ids.iter().filter(|id| id.source == PartyIdSource::Vat);
        belgian
            .find(is_sound)
            .or_else(|| vat.find_map(|id| id.key.strip_prefix("vat:")))
    }
}

/// Another document that this one names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// What it is to this document.
    pub kind: ReferenceKind,
    /// Its number.
    pub id: String,
    /// Its date, ISO, where given.
    pub issued: Option<String>,
}

/// What a referenced document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceKind {
    /// A preceding invoice (BT-25).
    Invoice,
    /// A purchase order (BT-13).
    Order,
    /// A sales order (BT-14).
    SalesOrder,
    /// A contract (BT-12).
    Contract,
    /// The document that a response answers.
    Answered,
}

/// A file embedded in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// File name as the sender wrote it: shown, never used as a path.
    pub name: Option<String>,
    /// Media type as declared.
    pub mime: Option<String>,
    /// Size once decoded, in bytes.
    pub bytes: u64,
    /// The digest of its base64 as it stands there, without spaces and padding, in hexadecimal. Absent in what was read
    /// before it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64_digest: Option<String>,
    /// Whether it is the picture of the invoice itself; at most one is.
    pub is_invoice_pdf: bool,
}

/// A Standard Business Document Header, as Peppol uses it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sbdh {
    /// `DocumentIdentification/InstanceIdentifier`.
    pub instance: Option<String>,
    /// `Sender/Identifier`, as written.
    pub sender: Option<String>,
    /// `Receiver/Identifier`, as written.
    pub receiver: Option<String>,
    /// Scope `DOCUMENTID`.
    pub document_id: Option<String>,
    /// Scope `PROCESSID`.
    pub process_id: Option<String>,
}

/// Something that a person should know about a reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// A stable word for what it is, for programs.
    pub code: RemarkCode,
    /// What and where, for people.
    pub text: String,
}

impl Remark {
    /// Returns the line in which a document breaks, where it says one.
    pub fn line(&self) -> Option<u64> {
        let (_, place) = self.text.strip_suffix(')')?.rsplit_once(" (line ")?;
        let (line, _) = place.split_once(", byte ")?;
        line.parse().ok()
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The kinds of remarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemarkCode {
    /// There is nothing to read.
    Empty,
    /// It is not XML.
    NotXml,
    /// It is an archive, or an office document, which is one inside.
    Archive,
    /// It begins as XML, and breaks.
    BrokenXml,
    /// Something stands before its XML declaration.
    BeforeDeclaration,
    /// It declares a document type or an entity, which is never read.
    DtdOrEntity,
    /// Elements are nested past the limit.
    TooDeep,
    /// It is larger than the limit.
    TooLarge,
    /// An element has more attributes than the limit.
    TooManyAttributes,
    /// Its encoding is unknown, or its bytes do not fit it.
    Encoding,
    /// The root is not one we read.
    UnknownRoot,
    /// The customization is none of the known ones; read by its structure.
    UnknownCustomization,
    /// A customization that is out of use.
    OldCustomization,
    /// Something that a document of this kind has is missing.
    Missing,
    /// A value is not what its place asks for.
    Odd,
    /// An attachment is empty or cannot be decoded.
    EmptyAttachment,
    /// There is more of something than is listed.
    TooMany,
    /// It is another syntax or message, which no linked program reads.
    NotUbl,
}

impl RemarkCode {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::Empty,
        Self::NotXml,
        Self::Archive,
        Self::BrokenXml,
        Self::BeforeDeclaration,
        Self::DtdOrEntity,
        Self::TooDeep,
        Self::TooLarge,
        Self::TooManyAttributes,
        Self::Encoding,
        Self::UnknownRoot,
        Self::UnknownCustomization,
        Self::OldCustomization,
        Self::Missing,
        Self::Odd,
        Self::EmptyAttachment,
        Self::TooMany,
        Self::NotUbl,
    ];
}
