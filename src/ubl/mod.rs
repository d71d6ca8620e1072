//! What does this document say?
//!
//! [`read`] takes bytes and gives a [`Reading`]; it never fails and touches nothing.

mod reading;

pub use reading::{Attachment, Party, Reading, Reference, ReferenceKind, Remark, RemarkCode, Sbdh};

/// What came of reading some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What was understood.
    pub reading: Reading,
    /// The document without its envelope, where it came in one; else the original bytes are delivered.
    pub inner: Option<Vec<u8>>,
}

/// Reads.
pub fn read(_bytes: &[u8]) -> Read {
    unimplemented!()
}
