//! Is the catalog sound, and what fails it?

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};
use tracing::error;

use super::rejections::REJECTED_MS;
use super::rows::Columns as _;
use super::unwritable::unwritable;
use super::writer::Turns;
use super::{Catalog, Durability, Error, open};
use crate::model::{Digest, DocumentId, Timestamp, with_causes};
use crate::wellness::{Cause, Part, Wellness};

/// A file in the `/rejected` of a device, for who looks after the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedBlob {
    /// Its bytes.
    pub digest: Digest,
    /// Whose: `FIRM.DEVICE`.
    pub login: String,
    /// Its name in `/rejected`.
    pub name: String,
}

/// How many faults a look at the whole file names.
const FAULTS_MAX: usize = 5;

impl Error {
    /// Returns what it means for the catalog; none where it is about what was asked, not about the file.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Moved { .. } => return Some(Cause::Gone),
            Self::Broken { .. } => return Some(Cause::Broken),
            Self::Unwritable { .. } => return Some(Cause::ReadOnly),
            _ => {}
        }
        let (Self::Database(source) | Self::Open { source, .. }) = self else {
            return None;
        };
        cause_of(source)
    }
}

fn cause_of(source: &sqlx::Error) -> Option<Cause> {
    match source {
        sqlx::Error::Database(refused) => Cause::of_sqlite(refused.code()?.parse().ok()?),
        sqlx::Error::Io(failed) => Some(Cause::of_system(failed.kind())),
        sqlx::Error::PoolTimedOut => Some(Cause::Locked),
        sqlx::Error::WorkerCrashed => Some(Cause::Other),
        _ => None,
    }
}

/// Says whether the database has met a page that is none.
pub(super) fn is_broken(source: &sqlx::Error) -> bool {
    cause_of(source) == Some(Cause::Broken)
}

/// Passes on what a change came to, and reports where the catalog itself is at fault: told once.
pub(super) fn noted<T>(turns: &Turns, done: Result<T, Error>) -> Result<T, Error> {
    if let Err(failed) = &done
        && let Some(mut cause) = failed.cause()
    {
        let mut why = with_causes(failed);
        // What is known already is not looked into again.
        if turns.wellness.works(Part::CatalogWrites)
            && let Some(found) = unwritable(turns.file(), cause)
        {
            (cause, why) = (found.0, format!("{why}; {}", found.1));
        }
        report_catalog(&turns.wellness, cause, &why);
    }
    done
}

/// Reports that the catalog cannot be written, or not be read any more: told once.
pub fn report_catalog(wellness: &Wellness, cause: Cause, why: &str) {
    if !wellness.failed(Part::CatalogWrites, cause, why) {
        return;
    }
    let (part, advice) = (Part::CatalogWrites.as_str(), cause.advice());
    if cause == Cause::Broken {
        error!(
            part,
            "The catalog is damaged: {why}; the server is not ready until a look through all of it finds nothing: {advice}"
        );
    } else {
        error!(
            part,
            "Cannot write to the catalog: {why}; nothing is acknowledged meanwhile, and it goes on by itself when this is mended: {advice}"
        );
    }
}

/// The rows that were told as such that nobody understands, each by its table and its number. A clone is the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Misread(Arc<Mutex<BTreeSet<(&'static str, i64)>>>);

impl Misread {
    /// Notes whether a row was understood; says whether it is news that it was not.
    fn is_news(&self, row: (&'static str, i64), is_understood: bool) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_understood {
            told.remove(&row);
            return false;
        }
        told.insert(row)
    }
}

/// Looks through the whole file behind a connection, and returns what is wrong in it.
pub(super) async fn look_through(connection: &mut AnyConnection) -> Result<Vec<String>, Error> {
    let check = format!("pragma quick_check({FAULTS_MAX})");
    let mut rows = query(sqlx::AssertSqlSafe(check)).fetch(connection);
    let mut said = Vec::new();
    while let Some(row) = rows.next().await {
        match row.map_err(Error::from) {
            Ok(row) => said.extend(row.text("quick_check")?.lines().map(str::to_owned)),
            // A page that is no page stops the look itself; what it has found by then stands.
            Err(failed) if failed.cause() == Some(Cause::Broken) => said.push(with_causes(&failed)),
            Err(failed) => return Err(failed),
        }
    }
    let is_fault = |line: &String| line != "ok" && !line.starts_with("***");
    Ok(said.into_iter().filter(is_fault).collect())
}

/// Looks through the whole file while the catalog is open elsewhere, on a connection of its own: nobody waits for
/// it, and neither does the end of the server, for a large file takes a while.
///
/// # Errors
///
/// When it cannot be opened, or the database does not answer.
pub async fn faults_in(file: &Path) -> Result<Vec<String>, Error> {
    look_through(&mut open::connect_beside(file).await?).await
}

impl Catalog {
    /// Says whether what work in the background met is news. Where it is damage, that is reported, told once and
    /// looked into from then on; whoever meets it again and again adds nothing.
    pub fn is_news(&self, failed: &(dyn std::error::Error + 'static)) -> bool {
        let mut all = std::iter::successors(Some(failed), |one| one.source());
        let is_damage = all.any(|one| one.downcast_ref::<sqlx::Error>().is_some_and(is_broken));
        if is_damage {
            report_catalog(self.wellness(), Cause::Broken, &with_causes(failed));
        }
        !is_damage
    }

    /// Passes on what a question of a login or a listing came to, and reports where the file is damaged. What else
    /// befalls a reader, as a long wait, says nothing of the file.
    pub(super) fn asked<T>(&self, answered: Result<T, sqlx::Error>) -> Result<T, Error> {
        let answered = answered.map_err(Error::from);
        if let Err(failed) = &answered
            && failed.cause() == Some(Cause::Broken)
        {
            report_catalog(self.wellness(), Cause::Broken, &with_causes(failed));
        }
        answered
    }

    /// Makes values of rows, and leaves out those that nobody understands: each is told once, until it is mended.
    pub(super) fn understood<T>(
        &self,
        what: &'static str,
        rows: &[AnyRow],
        read: impl Fn(&AnyRow) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut understood = Vec::with_capacity(rows.len());
        for row in rows {
            let (id, value) = (row.int("id")?, read(row));
            let is_news = self.turns.misread.is_news((what, id), value.is_ok());
            match value {
                Ok(value) => understood.push(value),
                Err(failed) if is_news => {
                    let why = with_causes(&failed);
                    error!(
                        "Could not read {what} {id}, which is left out until that is mended: {why}"
                    );
                }
                Err(_) => {}
            }
        }
        Ok(understood)
    }

    /// Says whether it is the file still that was opened: SQLite writes on into one that somebody has moved away.
    ///
    /// # Errors
    ///
    /// When it is not; then it has reported so.
    pub fn stands(&self) -> Result<(), Error> {
        noted(&self.turns, self.turns.stands())
    }

    /// Returns what it reports to.
    pub fn wellness(&self) -> &Wellness {
        &self.turns.wellness
    }

    /// Writes what is there already once more, to see whether that can be done.
    ///
    /// # Errors
    ///
    /// When it cannot; then it has reported so.
    pub async fn try_write(&self) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Kill).await?;
        let written = query("update sweeps set count = count where id = 1")
            .execute(&mut *tx.inner)
            .await;
        noted(&self.turns, written.map_err(Error::from))?;
        tx.commit_unseen().await
    }

    /// Returns the size of a content, if a document names it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn bytes_named(&self, digest: Digest) -> Result<Option<i64>, Error> {
        // A question for each index; they begin with the firm.
        let row = query(
            "select d.bytes as bytes from firm f cross join document d where d.firm_id = f.id and d.digest = $1
             union all
             select d.content_bytes as bytes from firm f cross join document d where d.firm_id = f.id and d.content_digest = $1
             limit 1",
        )
        .bind(digest.to_string())
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| row.int("bytes")).transpose()
    }

    /// Returns which documents these bytes belong to, some at the most: the firm's name and the document.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn documents_of(&self, digest: Digest) -> Result<Vec<(String, DocumentId)>, Error> {
        // A question for each index; they begin with the firm.
        let rows = query(
            "select f.slug as slug, d.id as id from firm f cross join document d where d.firm_id = f.id and d.digest = $1
             union
             select f.slug as slug, d.id as id from firm f cross join document d where d.firm_id = f.id and d.content_digest = $1
             order by slug, id limit 5",
        )
        .bind(digest.to_string())
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((row.text("slug")?, DocumentId(row.int("id")?))))
            .collect()
    }

    /// Returns the files that devices of all firms see in `/rejected` at `now`, where their bytes were kept.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn rejected_blobs(&self, now: Timestamp) -> Result<Vec<RejectedBlob>, Error> {
        let rows = query(
            "select r.digest, r.name, f.slug, d.name as device from rejection r
             join firm f on f.id = r.firm_id join device d on d.id = r.device_id
             where r.digest <> '' and r.at >= $1 and r.file_removed_at is null and d.removed_at is null
             order by f.slug, d.name, r.name_key",
        )
        .bind(now.plus_ms(-REJECTED_MS).0)
        .fetch_all(&self.readers)
        .await?;
        let blob = |row: &AnyRow| {
            let (firm, device) = (row.text("slug")?, row.text("device")?);
            Ok(RejectedBlob {
                digest: row.word("digest")?,
                login: format!("{firm}.{device}"),
                name: row.text("name")?,
            })
        };
        rows.iter().map(blob).collect()
    }

    /// Looks through the whole file, and returns what is wrong in it: nothing, where it is sound.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn faults(&self) -> Result<Vec<String>, Error> {
        look_through(&mut *self.readers.acquire().await?).await
    }

    /// Returns the newest migration that was run on it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn schema(&self) -> Result<i64, Error> {
        let row = query("select max(version) as version from _sqlx_migrations")
            .fetch_one(&self.readers)
            .await?;
        row.int("version")
    }

    /// Returns whose keys are in use, and since when: `FIRM.DEVICE` with the key's fingerprint, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn keys_since(&self) -> Result<Vec<(String, Timestamp)>, Error> {
        let rows = query(
            "select f.slug as firm, d.name as device, k.fingerprint as fingerprint, k.added_at as added_at
             from firm f join device d on d.firm_id = f.id join device_key k on k.device_id = d.id
             where d.removed_at is null order by k.added_at",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let (firm, device) = (row.text("firm")?, row.text("device")?);
                let fingerprint = row.text("fingerprint")?;
                Ok((
                    format!("{firm}.{device} {fingerprint}"),
                    row.at("added_at")?,
                ))
            })
            .collect()
    }

    /// Returns when something last happened, at any firm.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn last_happened(&self) -> Result<Option<Timestamp>, Error> {
        let row = query(
            "select max(e.at) as at from firm f join event e on e.firm_id = f.id and e.seq = f.event_seq",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(row.int_or("at")?.map(Timestamp))
    }
}

/// Writes over the first page of a table, as a disk may do between two starts.
#[cfg(test)]
pub(crate) async fn break_table(catalog: Catalog, file: &Path, table: &str) {
    let question = format!(
        "select (select * from pragma_page_size()) as bytes, rootpage from sqlite_schema where name = '{table}'"
    );
    let row = query(sqlx::AssertSqlSafe(question));
    let row = row.fetch_one(&catalog.readers).await.unwrap();
    let (bytes, page) = (row.int("bytes").unwrap(), row.int("rootpage").unwrap());
    catalog.close().await; // the log is folded into the file
    let opened = std::fs::File::options().write(true).open(file).unwrap();
    let (at, bytes) = (
        u64::try_from((page - 1) * bytes),
        usize::try_from(bytes).unwrap(),
    );
    std::os::unix::fs::FileExt::write_all_at(&opened, &vec![0xa5; bytes], at.unwrap()).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn damage_that_work_in_the_background_meets_is_reported_and_no_news() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        let catalog = Catalog::open(&file).await.unwrap();
        assert_eq!(faults_in(&file).await.unwrap(), Vec::<String>::new());
        let missing = catalog.firm("nobody").await.unwrap_err();
        assert!(catalog.is_news(&missing));
        assert_eq!(catalog.wellness().ready(), Ok(()));

        break_table(catalog, &file, "document").await;
        let catalog = Catalog::open(&file).await.unwrap();

        let met = catalog.named_blobs().await.unwrap_err();
        assert!(!catalog.is_news(&crate::ingest::Error::Catalog(met)));
        let cause = catalog.wellness().cause(Part::CatalogWrites);
        assert_eq!(cause, Some(Cause::Broken));
        assert_ne!(faults_in(&file).await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_damaged_list_of_migrations_is_a_damaged_catalog_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        let catalog = Catalog::open(&file).await.unwrap();

        break_table(catalog, &file, "_sqlx_migrations").await;

        let failed = Catalog::open(&file).await.err().unwrap();
        assert_eq!(failed.cause(), Some(Cause::Broken));
        let told = failed.to_string();
        assert!(
            told.contains("sluis restore") && told.contains("sluis backup"),
            "{told}"
        );
    }

    #[test]
    fn a_row_that_nobody_understands_is_news_once_and_again_after_it_was_mended() {
        let misread = Misread::default();
        let is_news = |id, is_understood| misread.is_news(("firm", id), is_understood);

        assert!(is_news(1, false));
        assert!(!is_news(1, false));
        assert!(is_news(2, false), "another");
        assert!(!is_news(1, true));
        assert!(is_news(1, false));
    }

    #[tokio::test]
    async fn a_sound_catalog_can_be_written_and_has_no_faults() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.sqlite"))
            .await
            .unwrap();

        catalog.try_write().await.unwrap();
        assert_eq!(catalog.faults().await.unwrap(), Vec::<String>::new());
        assert!(catalog.schema().await.unwrap() >= 13);
        assert_eq!(catalog.last_happened().await.unwrap(), None);
        let nobodys = Digest::of(b"nobody's");
        assert_eq!(catalog.bytes_named(nobodys).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_file_that_is_full_or_read_only_is_reported_with_its_cause() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.sqlite"))
            .await
            .unwrap();
        for (pragma, undo, cause) in [
            (
                "pragma query_only = on",
                "pragma query_only = off",
                Cause::ReadOnly,
            ),
            (
                "pragma max_page_count = 1",
                "pragma max_page_count = 1000000",
                Cause::Full,
            ),
        ] {
            let mut turn = catalog.turns.take().await;
            sqlx::raw_sql(pragma).execute(&mut *turn).await.unwrap();
            drop(turn);
            let name = "f".repeat(200_000);
            let slug = "f".parse().unwrap();
            let adding = catalog.add_firm(&slug, &name, crate::model::Language::En, Timestamp(0));
            let failed = adding.await.unwrap_err();
            let mut turn = catalog.turns.take().await;
            sqlx::raw_sql(undo).execute(&mut *turn).await.unwrap();
            drop(turn);

            assert_eq!(failed.cause(), Some(cause), "{failed:?}");
            catalog.try_write().await.unwrap();
        }
    }
}
