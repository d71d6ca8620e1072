//! How is the catalog copied while it is used, and what does a copy name?

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sqlx::{AnyConnection, Connection as _, query};

use super::documents::{NAMED, named};
use super::rows::Columns as _;
use super::{Catalog, Error, open};
use crate::model::Digest;

impl Catalog {
    /// Writes the catalog as it is now into a new file, which its owner alone may read, and nobody else has open.
    /// Whoever writes meanwhile does not wait. The file is not synced.
    ///
    /// # Errors
    ///
    /// When the file is there already or cannot be written, or the database does not answer.
    pub async fn copy_to(&self, file: &Path) -> Result<(), Error> {
        // SQLite would make it as the mask of this process has it, and fill it for a while before that is changed.
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(file);
        made.map_err(|source| Error::Open {
            path: file.display().to_string(),
            source: sqlx::Error::Io(source),
        })?;
        query("vacuum into $1")
            .bind(file.display().to_string())
            .execute(&self.readers)
            .await?;
        Ok(())
    }
}

/// Says whether `copy` knows all that `before` does, so that nothing is lost where it takes its place: every
/// firm's last event is in it. Returns the first firm of which that is not so.
///
/// # Errors
///
/// When one of them cannot be opened or does not answer.
pub async fn not_continued(before: &Path, copy: &Path) -> Result<Option<String>, Error> {
    let mut old = open::connect_to_copy(before).await?;
    let firms = query("select id, slug, event_seq, event_hash from firm order by id")
        .fetch_all(&mut old)
        .await?;
    let mut new = open::connect_to_copy(copy).await?;
    let is_same_house = knows_last_deed(&mut old, &mut new).await?;
    old.close().await?;
    let mut lost = None;
    for firm in &firms {
        // A firm that was removed since has left its number. But numbers begin anew in every house, so that says
        // something only where the deeds go on too.
        let row = query(
            "select 1 as known from event where firm_id = $1 and seq = $2 and hash = $3
             union all select 1 as known from firm where id = $1 and $2 = 0
             union all select 1 as known from sqlite_sequence where name = 'firm' and seq >= $1 and $4 = 1
                and not exists (select 1 from firm where id = $1) limit 1",
        )
        .bind(firm.int("id")?)
        .bind(firm.int("event_seq")?)
        .bind(firm.text("event_hash")?)
        .bind(i64::from(is_same_house))
        .fetch_optional(&mut new)
        .await?;
        if row.is_none() {
            lost = Some(firm.text("slug")?);
            break;
        }
    }
    new.close().await?;
    Ok(lost)
}

/// Says whether the last deed of `old` is in `new`; one without deeds is from before there were any.
async fn knows_last_deed(old: &mut AnyConnection, new: &mut AnyConnection) -> Result<bool, Error> {
    let noted =
        query("select 1 as noted from sqlite_schema where type = 'table' and name = 'deed'");
    if noted.fetch_optional(&mut *old).await?.is_none() {
        return Ok(false);
    }
    let last = query("select seq, hash from deed order by seq desc limit 1");
    let Some(last) = last.fetch_optional(&mut *old).await? else {
        return Ok(false);
    };
    let known = query("select 1 as known from deed where seq = $1 and hash = $2")
        .bind(last.int("seq")?)
        .bind(last.text("hash")?)
        .fetch_optional(&mut *new)
        .await?;
    Ok(known.is_some())
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn nobody_else_may_read_a_copy_and_it_takes_no_files_place() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("c.sqlite"), folder.path().join("copy"));
        let catalog = Catalog::open(&file).await.unwrap();

        catalog.copy_to(&copy).await.unwrap();

        let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(blobs_named_in(&copy).await.unwrap(), []);
        assert!(catalog.copy_to(&copy).await.is_err());
    }
}
