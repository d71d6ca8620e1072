//! When has a device collected a document?
//!
//! A device never says so: it opens, reads and closes. What counts is the *set* of bytes that the
//! channel accepted ([`Coverage`]), added up over the handles and sessions of one device
//! ([`Progress`]). This module reads no clock and touches no store; `sftp` feeds it, and `mark`
//! writes down what it concludes.

mod coverage;
mod progress;

pub use coverage::{Coverage, SPANS_MAX};
pub use progress::{BROKEN_MAX, BROKEN_SPANS_MAX, End, HandleReads, Progress};

use crate::model::{DeviceKind, State};

/// What a whole reading means for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Bytes are missing.
    Incomplete,
    /// Every byte was read, but a device of this kind is not believed for reading (amber).
    Read,
    /// The device has it (green).
    Collected,
}

/// Judges what a device of `kind` has, once a handle has ended.
///
/// A mount reads for previews, virus scans and thumbnails, so it is never believed for reading.
pub fn judge(kind: DeviceKind, whole: bool) -> Verdict {
    match (whole, kind) {
        (false, _) => Verdict::Incomplete,
        (true, DeviceKind::Pull | DeviceKind::Bridge) => Verdict::Collected,
        (true, DeviceKind::Mount | DeviceKind::Source) => Verdict::Read,
    }
}

/// What removing a file, or moving it to the processed folder, means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The importer has done with it: processed, and with that collected.
    Processed,
    /// The device has not fetched it, so nobody can have booked it.
    NotFetched,
}

/// Judges a removal by a device of `kind`, in whose reads (open handles included) the document is `whole`.
///
/// A mount's importer acts through the drive, so its act is the evidence. A script that says `get *`
/// and then `rm *` also names what arrived in between: that is refused, and fetched the next time.
pub fn judge_removal(kind: DeviceKind, state: State, whole: bool) -> Removal {
    match (kind, state) {
        (DeviceKind::Mount, _) | (_, State::Collected | State::Processed) => Removal::Processed,
        _ if whole => Removal::Processed,
        _ => Removal::NotFetched,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_never_believed_for_reading() {
        assert_eq!(judge(DeviceKind::Mount, true), Verdict::Read);
        assert_eq!(judge(DeviceKind::Pull, true), Verdict::Collected);
        assert_eq!(judge(DeviceKind::Bridge, true), Verdict::Collected);
        assert_eq!(judge(DeviceKind::Pull, false), Verdict::Incomplete);
    }

    #[test]
    fn a_script_that_removes_what_it_did_not_fetch_is_refused() {
        assert_eq!(
            judge_removal(DeviceKind::Pull, State::Offered, false),
            Removal::NotFetched
        );
        assert_eq!(
            judge_removal(DeviceKind::Pull, State::Offered, true),
            Removal::Processed
        );
        assert_eq!(
            judge_removal(DeviceKind::Pull, State::Collected, false),
            Removal::Processed
        );
        assert_eq!(
            judge_removal(DeviceKind::Mount, State::Offered, false),
            Removal::Processed
        );
    }
}
