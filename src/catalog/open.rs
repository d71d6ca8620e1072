//! How is the catalog reached?

use std::path::Path;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _};

use super::doomed::Sweeps;
use super::soundness::is_broken;
use super::unwritable::unwritable;
use super::writer::Turns;
use super::{Error, migrate};
use crate::birth::Birth;
use crate::wellness::Cause;

/// How long another process may hold the database before a statement gives up, in milliseconds.
const BUSY_MS_MAX: u32 = 15_000;

/// How long a question may wait for one of the connections that answer, in milliseconds.
pub const QUESTION_WAITS_MS_MAX: u32 = 2 * BUSY_MS_MAX;

/// After how many pages the log is folded into the file: 32 MiB. At SQLite's own thousand a pull of small
/// documents waits for the disk after every 150 of them.
const LOG_PAGES: &str = "pragma wal_autocheckpoint = 8192";

/// Connections for questions; SQLite in WAL mode lets them go on beside a writer.
const READERS_MAX: u32 = 4;

/// The catalog, ready for questions and changes. A clone is the same catalog.
#[derive(Clone)]
pub struct Catalog {
    pub(super) readers: AnyPool,
    pub(super) turns: Turns,
}

impl Catalog {
    /// Opens the SQLite database at `path`, makes it if `path` does not exist, and brings it up to date.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, is in a newer version's shape, or cannot be brought up to date.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let mut first = connect(path).await?;
        migrate::run(&mut first, path).await?;
        let sweeps = Sweeps::counted(&mut first).await;
        Ok(Self {
            readers: readers(path).await?,
            turns: Turns::open(first, Birth::of(path), sweeps),
        })
    }

    /// Ends every connection, once what is under way has ended.
    pub async fn close(&self) {
        self.readers.close().await;
        self.turns.close().await;
    }
}

/// Opens all of them now: one that is opened later may find another file, or none, where the catalog was.
async fn readers(path: &Path) -> Result<AnyPool, Error> {
    let pool = AnyPoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(std::time::Duration::from_millis(u64::from(
            QUESTION_WAITS_MS_MAX,
        )))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| Box::pin(prepare(connection)))
        .connect_with(options_in(path, "mode=rw")?) // never a new, empty catalog
        .await
        .map_err(|source| failed_to_write(path, source))?;
    let mut all = Vec::new();
    for _ in 0..READERS_MAX {
        all.push(
            pool.acquire()
                .await
                .map_err(|source| failed_to_write(path, source))?,
        );
    }
    drop(all); // they go back
    Ok(pool)
}

/// Opens one connection.
pub(super) async fn connect(path: &Path) -> Result<AnyConnection, Error> {
    let open = async {
        let mut connection = options_in(path, "mode=rwc")?.connect().await?;
        prepare(&mut connection).await?;
        Ok(connection)
    };
    open.await.map_err(|source| failed_to_write(path, source))
}

/// Opens one connection more, for questions that take long.
pub(super) async fn connect_beside(path: &Path) -> Result<AnyConnection, Error> {
    let open = async {
        let mut connection = options_in(path, "mode=rw")?.connect().await?; // never a new, empty catalog
        prepare(&mut connection).await?;
        Ok(connection)
    };
    open.await.map_err(|source| failed_to_write(path, source))
}

/// Opens one connection to a file that nobody writes to, and makes none beside it.
pub(super) async fn connect_to_copy(path: &Path) -> Result<AnyConnection, Error> {
    sqlx::any::install_default_drivers();
    let open = async { options_in(path, "mode=ro&immutable=true")?.connect().await };
    open.await.map_err(|source| failed(path, source))
}

/// Opens a file that nobody writes to, for questions that belong together.
pub(super) async fn pool_of_copy(path: &Path) -> Result<AnyPool, Error> {
    sqlx::any::install_default_drivers();
    let open = async {
        let one = AnyPoolOptions::new().max_connections(1);
        one.connect_with(options_in(path, "mode=ro&immutable=true")?)
            .await
    };
    open.await.map_err(|source| failed(path, source))
}

fn options_in(path: &Path, mode: &str) -> Result<AnyConnectOptions, sqlx::Error> {
    format!("sqlite://{}?{mode}", percent(&path.display().to_string())).parse()
}

fn failed(path: &Path, source: sqlx::Error) -> Error {
    let path = path.display().to_string();
    match Error::from(source) {
        Error::Database(source) if is_broken(&source) => Error::Broken { path, source },
        Error::Database(source) => Error::Open { path, source },
        other => other,
    }
}

/// The same, where it was opened to write: SQLite does not say what stands against it.
fn failed_to_write(file: &Path, source: sqlx::Error) -> Error {
    match failed(file, source) {
        Error::Open { path, source } => match unwritable(file, Cause::ReadOnly) {
            Some((Cause::ReadOnly, why)) => Error::Unwritable { path, why },
            _ => Error::Open { path, source },
        },
        other => other,
    }
}

async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let busy = format!("pragma busy_timeout = {BUSY_MS_MAX}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(busy))
        .execute(&mut *connection)
        .await?;
    for pragma in [
        "pragma journal_mode = wal",
        "pragma synchronous = full",
        "pragma foreign_keys = on",
        LOG_PAGES,
    ] {
        sqlx::raw_sql(pragma).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Escapes what would end the path in a URL.
fn percent(path: &str) -> String {
    path.replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23")
        .replace(' ', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a kernel's own folder, where nobody makes files, whoever he is.
    #[tokio::test]
    async fn where_nothing_may_be_written_it_is_said_who_may_not() {
        let folder = Path::new("/sys");
        if tempfile::tempfile_in(folder).is_ok() {
            return;
        }

        let Err(failed) = Catalog::open(&folder.join("catalog.sqlite")).await else {
            panic!("it was opened");
        };

        let Error::Unwritable { why, .. } = &failed else {
            panic!("{failed:?}");
        };
        let refused = why.contains("may not write `/sys`, which belongs to user 0");
        assert!(refused || why.contains("mounted read-only"), "{why}");
    }
}
