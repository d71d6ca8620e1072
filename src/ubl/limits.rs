//! How much of a document is read before it is refused or cut short?
//!
//! Whoever may drop a file may send anything. Each limit is well above what real documents hold, and
//! keeps what one document costs in memory within a small multiple of its own size.

/// The largest document that is read: Peppol access points stop at about this size.
pub const DOCUMENT_BYTES_MAX: usize = 100 * 1024 * 1024;

/// Elements within each other: UBL itself nests some ten deep, a signature some twenty.
pub const XML_DEPTH_MAX: usize = 100;

/// Attributes of one element: roots written by generous exporters declare some forty namespaces.
pub const XML_ATTRIBUTES_MAX: usize = 100;

/// One attribute's value: the longest in use are file names and identifiers.
pub const XML_ATTRIBUTE_BYTES_MAX: usize = 64 * 1024;

/// One element's or attribute's name: the longest in UBL and CII have some sixty.
pub const XML_NAME_BYTES_MAX: usize = 256;

/// Namespaces declared around one element: each name is looked up among them.
pub const XML_NAMESPACES_MAX: usize = 128;

/// The text of one field that is kept: numbers, names and identifiers are far shorter. Notes and
/// embedded attachments are not kept, so they may be longer.
pub const TEXT_BYTES_MAX: usize = 4096;

/// Remarks about one document: more would not be read by a person.
pub const REMARKS_MAX: usize = 50;

/// Attachments listed of one document.
pub const ATTACHMENTS_MAX: usize = 100;

/// References listed of one document: a collective invoice names some hundred orders.
pub const REFERENCES_MAX: usize = 500;

/// How far from the root a reference is looked at: the longest path in UBL and CII that ends at one has some
/// hundred bytes, and what is nested under long names would be searched for each of them.
pub const REFERENCE_PATH_BYTES_MAX: usize = 512;

/// Accounts to pay to that are kept of one document: a large supplier names some ten.
pub const ACCOUNTS_MAX: usize = 32;

/// Identifiers kept of one party, those that are trusted most.
pub const IDS_PER_PARTY_MAX: usize = 32;

/// How far into its bytes a PDF may begin (ISO 32000-1, annex H.3, note 13).
pub const PDF_START_BYTES_MAX: usize = 1024;
