//! How is the catalog reached?

use std::path::Path;
use std::sync::Arc;

use sqlx::any::{Any, AnyPoolOptions};
use sqlx::{AnyPool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Error, migrate};

/// How long another process may hold the database before a statement gives up, in milliseconds.
const BUSY_MS_MAX: u32 = 15_000;

/// Connections for questions; SQLite in WAL mode lets them go on beside a writer.
const READERS_MAX: u32 = 4;

/// The catalog, ready for questions and changes. A clone is the same catalog.
#[derive(Clone)]
pub struct Catalog {
    pub(super) readers: AnyPool,
    durable: AnyPool,
    quick: AnyPool,
    /// One writer at a time in this process, so that writers queue here in order instead of polling the file.
    turn: Arc<Mutex<()>>,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: for what is acknowledged to a sender.
    PowerCut,
    /// A killed process: for marks. A power cut may turn one back into *offered*, which errs towards a second fetch.
    Kill,
}

/// A change that is whole or not at all.
pub struct Tx {
    pub(super) inner: Transaction<'static, Any>,
    _turn: OwnedMutexGuard<()>,
}

impl Tx {
    /// Makes the change last.
    ///
    /// # Errors
    ///
    /// When the database does not take it; then nothing has changed.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.inner.commit().await?)
    }
}

impl Catalog {
    /// Opens the SQLite database at `path`, makes it if `path` does not exist, and brings it up to date.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, is in a newer version's shape, or cannot be brought up to date.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let durable = pool(path, 1, Durability::PowerCut).await?;
        migrate::run(&durable, path).await?;
        Ok(Self {
            readers: pool(path, READERS_MAX, Durability::PowerCut).await?,
            quick: pool(path, 1, Durability::Kill).await?,
            durable,
            turn: Arc::default(),
        })
    }

    /// Begins a change. Its first statement must be a write.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn begin(&self, durability: Durability) -> Result<Tx, Error> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let pool = match durability {
            Durability::PowerCut => &self.durable,
            Durability::Kill => &self.quick,
        };
        Ok(Tx {
            inner: pool.begin().await?,
            _turn: turn,
        })
    }

    /// Ends every connection, once what is under way has ended.
    pub async fn close(&self) {
        self.readers.close().await;
        self.quick.close().await;
        self.durable.close().await;
    }
}

async fn pool(path: &Path, connections: u32, durability: Durability) -> Result<AnyPool, Error> {
    let synchronous = match durability {
        Durability::PowerCut => "pragma synchronous = full",
        Durability::Kill => "pragma synchronous = normal",
    };
    let url = format!("sqlite://{}?mode=rwc", percent(&path.display().to_string()));
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(std::time::Duration::from_millis(u64::from(2 * BUSY_MS_MAX)))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                let busy = format!("pragma busy_timeout = {BUSY_MS_MAX}");
                sqlx::raw_sql(sqlx::AssertSqlSafe(busy))
                    .execute(&mut *connection)
                    .await?;
                for pragma in [
                    "pragma journal_mode = wal",
                    synchronous,
                    "pragma foreign_keys = on",
                ] {
                    sqlx::raw_sql(pragma).execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
        .connect(&url)
        .await
        .map_err(|source| Error::Open {
            path: path.display().to_string(),
            source,
        })
}

/// Escapes what would end the path in a URL.
fn percent(path: &str) -> String {
    path.replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23")
        .replace(' ', "%20")
}
