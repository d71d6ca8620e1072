//! How is everything kept a second time, while it is used, and how does it come back?
//!
//! A backup is a folder: the catalog as it was at one moment, every content that it names, and what the
//! house needs. Contents are added to those of the backup before; the rest is written beside it, and
//! `backup.json` is replaced last. So whenever a backup is interrupted, the one before it is whole.

mod blobs;
mod files;
mod make;
mod manifest;
mod place;
mod restore;
mod unlisted;

use std::path::{Path, PathBuf};

pub use self::blobs::{Copied, Depth};
pub use self::make::{Made, keep_documents, make};
pub use self::manifest::{Manifest, Part};
pub use self::restore::{Restored, Unnamed, restore};

use crate::{app, catalog, config};

/// The file that says what a backup consists of.
pub const MANIFEST: &str = "backup.json";

/// The folder of the contents in a backup.
const BLOBS: &str = "blobs";

/// The certificates that receivers of webhooks are believed by, among the files of the house.
const ROOTS: &str = "roots.pem";

/// A backup that was not made, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of it cannot be read or written.
    #[error("could not {attempt} `{}`", path.display())]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// On which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The catalog cannot be copied.
    #[error("could not copy the catalog")]
    Catalog(#[from] catalog::Error),
    /// The contents cannot be copied.
    #[error("could not copy the contents")]
    Blobs(#[from] crate::blobs::Error),
    /// The configuration of the backup cannot be used.
    #[error("the configuration cannot be used")]
    Config(#[from] config::Error),
    /// The house cannot be opened.
    #[error("the house cannot be opened")]
    House(#[from] app::Error),
    /// It must not be done; the text says why, and what to do.
    #[error("{0}")]
    Refused(String),
    /// A thread died, which is a fault of this program.
    #[error("could not finish copying")]
    Thread(#[from] tokio::task::JoinError),
}

impl Error {
    fn file(attempt: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            attempt,
            path,
            source,
        }
    }
}
