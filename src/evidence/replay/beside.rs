//! What do events say of a document that looks like an earlier one?

use crate::model::DocumentId;

/// How it is told that a newer document, whose number follows, took the place of a delivery.
pub const REPLACED: &str = "replaced by document ";

/// How it is told that a delivery is of a revision of the document whose number follows.
pub const REVISION: &str = "revision of document ";

/// How it is told, behind the reason, which document a held one looks like.
pub const LIKE: &str = ": like document ";

/// Returns the document that took the place of a delivery, if an event says so.
pub(super) fn replaced_by(detail: &str) -> Option<DocumentId> {
    number(detail.strip_prefix(REPLACED)?)
}

/// Returns the document of which a delivery is a revision, as an event says it.
pub(super) fn revision_of(detail: &str) -> Option<DocumentId> {
    number(detail.strip_prefix(REVISION)?)
}

/// Returns the document that a held one looks like, if an event says so.
pub(super) fn like(detail: &str) -> Option<DocumentId> {
    let (_, behind) = detail.split_once(LIKE)?;
    number(behind)
}

fn number(text: &str) -> Option<DocumentId> {
    text.parse().ok().map(DocumentId)
}
