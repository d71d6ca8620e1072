//! How do facts become paths?
//!
//! A [`Profile`] says how one accounting program wants its folders and file names; with the facts of
//! a link it gives a `VirtualPath`, with those of a delivery a [`file_name`]. Values come from people
//! and from invoices, the files are read on Windows: whatever the facts, a name is legal there, stays
//! in its folder, and differs from its neighbours.

mod file_name;
mod file_template;
mod folders;
mod legal;
mod profile;
mod profile_file;
mod profiles;
mod template;

pub use file_name::{FILE_NAME_CHARS_MAX, FileFacts, file_name};
pub use file_template::{FILE_TEXT_CHARS_MAX, FileTemplate};
pub use folders::{FolderRole, LinkFacts, MissingFact};
pub(crate) use legal::is_invisible;
pub use legal::{
    BadCode, DOSSIER_CODE_CHARS_MAX, FOLDER_CHARS_MAX, check_code, safe_file_name, safe_folder_name,
};
pub use profile::{AfterCollected, Confidence, Profile, YearOf};
pub use profile_file::{ProfileError, ProfileFault, STAY_DAYS_MAX};
pub use profiles::{BUILTIN, Profiles, UnknownProfile, builtin};
pub use template::{FOLDERS_DEEP_MAX, FolderTemplate, TemplateError};
