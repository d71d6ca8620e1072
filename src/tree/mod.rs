//! What does a device see, and what stands where?
//!
//! No directory is behind the tree: folders come from the device's links, files from its deliveries.
//! A [`View`] is what one session of one device sees. It remembers what the catalog said until
//! anything is written that could change it, so that a change on the command line shows at once.

mod checksums;
mod content;
mod folders;
mod kept;
mod made;
mod rejected;
mod sources;
mod view;

pub use crate::login::Who;
pub use content::Content;
pub use folders::{Folders, Role};
pub use rejected::RejectedFile;
pub use view::{Attributes, Entry, File, Item, Items, Large, Place, Tree, View};

pub use crate::catalog::{LargeFolder, Listed, PART_FILES, Shown};
use crate::{blobs, catalog, ingest};

/// A question that the tree did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing of that name is there.
    #[error("no such file or folder")]
    Missing,
    /// A file was meant to be a folder.
    #[error("not a folder")]
    NotAFolder,
    /// A folder was meant to be a file.
    #[error("is a folder")]
    IsAFolder,
    /// The device was taken out of use.
    #[error("this device is no longer in use")]
    DeviceGone,
    /// The catalog did not answer.
    #[error("could not look into the catalog")]
    Catalog(#[from] catalog::Error),
    /// The bytes cannot be read.
    #[error("could not read a document")]
    Blobs(#[from] blobs::Error),
    /// A link cannot be shown.
    #[error("could not make the folders of a link")]
    Place(#[from] ingest::place::Error),
}
