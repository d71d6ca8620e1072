//! How is the catalog copied while it is used, and what does a copy name?

use std::path::Path;

use sqlx::{Connection as _, query};

use super::documents::{NAMED, named};
use super::{Catalog, Error, open};
use crate::model::Digest;

impl Catalog {
    /// Writes the catalog as it is now into a new file, which nobody else has open. Whoever writes meanwhile
    /// does not wait. The file is not synced.
    ///
    /// # Errors
    ///
    /// When the file is there already or cannot be written, or the database does not answer.
    pub async fn copy_to(&self, file: &Path) -> Result<(), Error> {
        query("vacuum into $1")
            .bind(file.display().to_string())
            .execute(&self.readers)
            .await?;
        Ok(())
    }
}

/// Returns every digest that a row of a copy names, with its size; the copy is not changed.
///
/// # Errors
///
/// When it cannot be opened or does not answer.
pub async fn blobs_named_in(copy: &Path) -> Result<Vec<(Digest, u64)>, Error> {
    let mut connection = open::connect_to_copy(copy).await?;
    let rows = query(NAMED).fetch_all(&mut connection).await?;
    connection.close().await?;
    named(&rows)
}
