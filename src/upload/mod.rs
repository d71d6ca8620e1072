//! Where do bytes go that a device writes, until it is known what they are?
//!
//! A copy for the processed folder goes to the [`Spool`]. A document for `/in` is a [`Draft`] until it is
//! whole; between two openings, and after its connection broke, it lies on the [`Shelf`] of its device.

mod draft;
mod quota;
mod rejections;
mod shelf;
mod spool;

use crate::catalog;
use crate::model::Rejected;
use crate::ubl::limits::DOCUMENT_BYTES_MAX;

pub use draft::{Draft, DraftRoom, MEMORY_BYTES_MAX, SESSION_BYTES_MAX};
pub use quota::{Quota, Room, UploadLimits};
pub use rejections::{Owner, Rejections};
pub use shelf::{
    Gone, LetGo, SHELF_BYTES_MAX, SHELF_DRAFTS_MAX, SHELF_MS, SIGHTS_MAX, Shelf, Sight,
};
pub use spool::{Spool, Spooled};

/// The largest file that is taken, in bytes: the largest document that is delivered.
pub const UPLOAD_BYTES_MAX: u64 = DOCUMENT_BYTES_MAX as u64;

/// Bytes that were not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Past the limit.
    #[error("a file may have {bytes_max} bytes at the most")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// Past what the firm may put in on a day.
    #[error(
        "the firm has put in as much as it may on one day ({bytes_max} bytes); put the file again tomorrow"
    )]
    DayBytes {
        /// The limit.
        bytes_max: u64,
    },
    /// Past how many files the firm may put in on a day.
    #[error(
        "the firm has put in as many files as it may on one day ({files_max}); put the file again tomorrow"
    )]
    DayFiles {
        /// The limit.
        files_max: u64,
    },
    /// The catalog did not answer.
    #[error("could not look up what was uploaded today")]
    Catalog(#[from] catalog::Error),
    /// Past what one session may have unfinished.
    #[error(
        "the files that are being written may have {SESSION_BYTES_MAX} bytes together; finish some first"
    )]
    TooMuch,
    /// Past what the sessions of a device may have unfinished.
    #[error(
        "the files that the connections of this device are writing have too many bytes together; finish some first"
    )]
    TooMuchTogether,
    /// Nothing was written.
    #[error("the file is empty, so it was not taken")]
    Empty,
    /// Some of it never came.
    #[error("bytes are missing from offset {from} on, so the file was not taken")]
    Gap {
        /// The first byte that is missing.
        from: u64,
    },
    /// It was never closed.
    #[error(
        "the file was not written to its end, so it was not taken; write the rest and close it"
    )]
    Unfinished,
    /// The disk did not take them.
    #[error("could not keep an upload in `{folder}`")]
    Disk {
        /// The spool.
        folder: String,
        /// Why.
        source: std::io::Error,
    },
    /// The task died, which is a fault of this program.
    #[error("could not finish writing an upload")]
    Task(#[from] tokio::task::JoinError),
}

impl Error {
    /// Returns which limit a file has passed, if that is why it was refused.
    pub fn rejection(&self) -> Option<(Rejected, u64)> {
        match self {
            Self::TooLarge { bytes_max } => Some((Rejected::TooLarge, *bytes_max)),
            Self::DayBytes { bytes_max } => Some((Rejected::DayBytes, *bytes_max)),
            Self::DayFiles { files_max } => Some((Rejected::DayFiles, *files_max)),
            // The same file may be taken once it is whole, or the disk has room.
            Self::TooMuch
            | Self::TooMuchTogether
            | Self::Empty
            | Self::Gap { .. }
            | Self::Unfinished
            | Self::Catalog(_)
            | Self::Disk { .. }
            | Self::Task(_) => None,
        }
    }
}
