//! What did a session do, in numbers?

use std::fmt;

/// What a session did, for the line that is logged at its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Trace {
    /// Folders listed.
    pub(super) listed: u64,
    /// Files opened.
    pub(super) opened: u64,
    /// Bytes of documents sent.
    pub(super) bytes: u64,
    /// Documents read whole, where that does not count as collected.
    pub(super) read: u64,
    /// Documents collected.
    pub(super) collected: u64,
    /// Documents processed.
    pub(super) processed: u64,
    /// Files taken in.
    pub(super) taken: u64,
    /// Requests refused.
    pub(super) refused: u64,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} folders listed, {} files opened, {} bytes sent, {} read, {} collected, {} processed, {} taken in, {} refused",
            self.listed,
            self.opened,
            self.bytes,
            self.read,
            self.collected,
            self.processed,
            self.taken,
            self.refused
        )
    }
}
