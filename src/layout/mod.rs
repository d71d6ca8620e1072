//! How do facts become paths?
//!
//! Values come from people, the files are read on Windows: whatever the facts, a name is legal there
//! and stays in its folder.

mod file_name;
mod file_template;
mod folders;
mod legal;
mod template;

pub use file_name::{FILE_NAME_CHARS_MAX, FileFacts, file_name};
pub use file_template::{FILE_TEXT_CHARS_MAX, FileTemplate};
pub use folders::{FolderRole, LinkFacts, MissingFact};
pub use legal::{BadCode, DOSSIER_CODE_CHARS_MAX, FOLDER_CHARS_MAX, check_code, safe_folder_name};
pub use template::{FOLDERS_DEEP_MAX, FolderTemplate, TemplateError};
