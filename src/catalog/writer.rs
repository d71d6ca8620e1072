//! How is the catalog written to, and who learns that it was?
//!
//! One connection writes, so that writers queue here in order instead of polling the file, and so
//! that SQLite's `data_version` on it moves only when another process has written: what this process
//! writes, it knows. Caches ask [`Catalog::moment`].

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query, raw_sql};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};
use tokio::time::Instant;

use super::deeds::{self, Doer};
use super::doomed::Sweeps;
use super::events::{self, Head, Told};
use super::rows::Columns as _;
use super::soundness::{Misread, noted};
use super::{Catalog, Error};
use crate::birth::Birth;
use crate::model::FirmId;
use crate::wellness::Wellness;

/// How late a cache may learn what another process wrote. Whoever begins a change knows at once.
pub(super) const FOREIGN_LAG_MAX: Duration = Duration::from_millis(20);

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: for what is acknowledged to a sender.
    PowerCut,
    /// A killed process: for marks. A power cut may turn one back into *offered*, which errs towards a second fetch.
    Kill,
}

/// A state of the catalog, as far as what devices see is concerned: two that are equal show the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(u64);

/// The one connection that writes. A clone is the same.
#[derive(Clone)]
pub(super) struct Turns {
    writer: Arc<Mutex<Writer>>,
    moment: Arc<AtomicU64>,
    news: Arc<Notify>,
    /// How often blobs had been removed when a firm's turn began last; before the first one, at the start.
    sweeps: Arc<AtomicI64>,
    pub(super) wellness: Wellness,
    birth: Arc<Birth>,
    /// Whose deeds the changes of this process are, if a person's.
    pub(super) doer: Arc<OnceLock<Arc<Doer>>>,
    pub(super) misread: Misread,
}

/// The connection that writes, and what is known of the database through it.
pub(super) struct Writer {
    connection: AnyConnection,
    /// What its commits survive; none while that is being changed.
    survives: Option<Durability>,
    /// A change has begun and neither ended nor been undone.
    is_open: bool,
    /// What `data_version` was.
    version: i64,
    looked: Instant,
    /// The last event of a firm, as this connection wrote it.
    head: Option<(FirmId, Head)>,
}

/// A change that is whole or not at all.
pub struct Tx {
    /// What changes are written through.
    pub(super) inner: Turn,
    /// What is told of it when it is whole.
    pub(super) told: Vec<Told>,
    /// How often blobs had been removed when it began; none while one is going, or when nobody has asked.
    pub(super) unswept: Option<Sweeps>,
}

/// The turn to write. Dropped with a change that is neither ended nor undone, it has it undone.
pub(super) struct Turn {
    writer: OwnedMutexGuard<Writer>,
    turns: Turns,
}

impl Turns {
    /// Writes through this connection from now on.
    pub(super) fn open(connection: AnyConnection, birth: Birth, sweeps: Sweeps) -> Self {
        let writer = Writer {
            connection,
            survives: Some(Durability::PowerCut),
            is_open: false,
            version: 0,
            looked: Instant::now(),
            head: None,
        };
        Self {
            writer: Arc::new(Mutex::new(writer)),
            moment: Arc::default(),
            news: Arc::default(),
            sweeps: Arc::new(AtomicI64::new(sweeps.0)),
            wellness: Wellness::default(),
            birth: Arc::new(birth),
            doer: Arc::default(),
            misread: Misread::default(),
        }
    }

    /// Ends once what is under way has ended.
    pub(super) async fn close(&self) {
        let mut turn = self.take().await;
        drop(turn.undo().await);
        // The last connection that ends folds the log into the file.
        drop(
            query("pragma wal_checkpoint(truncate)")
                .execute(&mut *turn)
                .await,
        );
    }

    /// Returns the file that was opened.
    pub(super) fn file(&self) -> &Path {
        self.birth.path()
    }

    /// Says whether the file is the one still that was opened.
    pub(super) fn stands(&self) -> Result<(), Error> {
        let moved = self.birth.stands();
        moved.map_err(|moved| Error::Moved { why: moved.0 })
    }

    /// Waits for the turn to write.
    pub(super) async fn take(&self) -> Turn {
        self.turn(Arc::clone(&self.writer).lock_owned().await)
    }

    fn turn(&self, writer: OwnedMutexGuard<Writer>) -> Turn {
        Turn {
            writer,
            turns: self.clone(),
        }
    }

    pub(super) fn sweeps(&self) -> Sweeps {
        Sweeps(self.sweeps.load(Ordering::Acquire))
    }

    /// Notes that what devices see may have changed.
    fn changed(&self) {
        self.moment.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns when an event was told here since this was asked last.
    pub(super) async fn told(&self) {
        self.news.notified().await;
    }

    /// Notes the `data_version` that the writer's connection found.
    pub(super) fn note_version(&self, turn: &mut Turn, found: i64) {
        let writer = &mut *turn.writer;
        writer.looked = Instant::now();
        if writer.version != found {
            writer.version = found;
            writer.head = None;
            self.changed();
        }
    }
}

impl Turn {
    /// Sees to it that the next commit survives what it must, and that no change is half done.
    pub(super) async fn ready(&mut self, survives: Durability) -> Result<(), Error> {
        self.undo().await?;
        if self.writer.survives != Some(survives) {
            // Compiled anew each time: it takes effect when it is compiled.
            let pragma = match survives {
                Durability::PowerCut => "pragma synchronous = full",
                Durability::Kill => "pragma synchronous = normal",
            };
            // Who is cancelled here has perhaps changed it.
            self.writer.survives = None;
            if let Err(error) = raw_sql(pragma).execute(&mut **self).await {
                // It is refused within a change, so one may be open after all.
                self.opened();
                return Err(error.into());
            }
            self.writer.survives = Some(survives);
        }
        Ok(())
    }

    /// Looks whether another process has written, unless somebody looked so short a time ago.
    pub(super) async fn look(&mut self, lag: Duration) -> Result<(), Error> {
        if self.writer.looked.elapsed() >= lag {
            let row = query("pragma data_version").fetch_one(&mut **self).await?;
            self.turns
                .clone()
                .note_version(self, row.int("data_version")?);
        }
        Ok(())
    }

    /// Notes that a change begins; until [`Turn::closed`] whoever takes the turn undoes it.
    pub(super) fn opened(&mut self) {
        self.writer.is_open = true;
    }

    pub(super) fn closed(&mut self) {
        self.writer.is_open = false;
    }

    /// Undoes a change that was begun and not ended.
    pub(super) async fn undo(&mut self) -> Result<(), Error> {
        if self.writer.is_open {
            self.writer.head = None;
            // That none is open any more is what is wanted: SQLite itself undoes some failed changes.
            let undone = query("rollback").execute(&mut **self).await;
            tracing::debug!("Undid a change: {undone:?}");
            self.closed();
            // Perhaps it was ended, and nobody was left to hear of it.
            self.turns.changed();
        }
        Ok(())
    }

    /// Whose deed a change is, if a person's.
    pub(super) fn doer(&self) -> Option<Arc<Doer>> {
        self.turns.doer.get().cloned()
    }

    /// Notes that an event was told. Whoever waits for none costs nothing here.
    pub(super) fn told(&self) {
        self.turns.news.notify_one();
    }

    /// The last event of a firm, as this connection wrote it, if it did.
    pub(super) fn head(&self, firm: FirmId) -> Option<&Head> {
        let (of, head) = self.writer.head.as_ref()?;
        (*of == firm).then_some(head)
    }

    /// Notes the last event of a firm, or that it is not known.
    pub(super) fn set_head(&mut self, head: Option<(FirmId, Head)>) {
        self.writer.head = head;
    }
}

impl Deref for Turn {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.writer.connection
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.writer.connection
    }
}

impl Tx {
    /// Makes the change last.
    ///
    /// # Errors
    ///
    /// When the database does not take it; then nothing has changed.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.end().await?;
        self.inner.turns.changed();
        Ok(())
    }

    /// Makes a change last that alters nothing that any session sees: a file that was collected stays in
    /// view of every session that is open.
    ///
    /// # Errors
    ///
    /// When the database does not take it; then nothing has changed.
    pub async fn commit_unseen(mut self) -> Result<(), Error> {
        self.end().await
    }

    /// Leaves all as it was, where it was found that nothing is to change. After a drop nobody would know whether the
    /// change had been ended, so all that sessions remember would count for nothing.
    ///
    /// # Errors
    ///
    /// When the database does not answer; then nothing has changed either.
    pub async fn abandon(mut self) -> Result<(), Error> {
        query("rollback").execute(&mut *self.inner).await?;
        self.inner.closed();
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Error> {
        let tells = !self.told.is_empty();
        deeds::note(self).await?;
        let ended = events::add_and_commit(self).await;
        noted(&self.inner.turns, ended)?;
        self.inner.closed();
        if self.inner.writer.survives == Some(Durability::PowerCut) {
            // It went well, and is lost all the same: whoever waits for it must keep what it has.
            noted(&self.inner.turns, self.inner.turns.stands())?;
        }
        if tells {
            self.inner.told();
        }
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.writer.is_open {
            return;
        }
        // It would lock out other processes until the next change. Whoever is first undoes it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let turns = self.turns.clone();
            runtime.spawn(async move { turns.take().await.undo().await });
        }
    }
}

impl Catalog {
    /// Begins a change.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn begin(&self, survives: Durability) -> Result<Tx, Error> {
        noted(&self.turns, self.try_begin(survives).await)
    }

    async fn try_begin(&self, survives: Durability) -> Result<Tx, Error> {
        let mut tx = self.take(survives).await?;
        // Not `fetch_one`: that ends with the first statement.
        let rows = query("begin immediate; pragma data_version")
            .fetch_all(&mut *tx.inner)
            .await?;
        self.note_version(&mut tx, rows.first())?;
        Ok(tx)
    }

    /// Begins a change at `firm`: until the commit, nothing else of this firm arrives. Returns the version of its setup.
    ///
    /// # Errors
    ///
    /// When the firm is gone, or the database does not answer.
    pub async fn begin_at(&self, firm: FirmId, survives: Durability) -> Result<(Tx, i64), Error> {
        noted(&self.turns, self.try_begin_at(firm, survives).await)
    }

    async fn try_begin_at(&self, firm: FirmId, survives: Durability) -> Result<(Tx, i64), Error> {
        let mut tx = self.take(survives).await?;
        let rows = query(
            "begin immediate; pragma data_version;
             update firm set event_seq = event_seq where id = $1 returning version, event_seq, event_hash,
                (select count from sweeps where id = 1) as sweeps,
                exists (select 1 from doomed where going = 1) as going",
        )
        .bind(firm.0)
        .fetch_all(&mut *tx.inner)
        .await?;
        self.note_version(&mut tx, rows.first())?;
        // It may have been removed since it was asked for.
        let found = rows.get(1).ok_or_else(|| Error::Missing {
            what: format!("firm {firm}"),
        })?;
        tx.inner.set_head(Some((firm, Head::of(found)?)));
        let sweeps = Sweeps(found.int("sweeps")?);
        self.turns.sweeps.store(sweeps.0, Ordering::Release);
        tx.unswept = (found.int("going")? == 0).then_some(sweeps);
        Ok((tx, found.int("version")?))
    }

    /// Waits until this process has told an event since this was asked last; one waits at a time.
    pub async fn told(&self) {
        self.turns.told().await;
    }

    async fn take(&self, survives: Durability) -> Result<Tx, Error> {
        let mut inner = self.turns.take().await;
        inner.ready(survives).await?;
        inner.opened();
        Ok(Tx {
            inner,
            told: Vec::new(),
            unswept: None,
        })
    }

    fn note_version(&self, tx: &mut Tx, row: Option<&AnyRow>) -> Result<(), Error> {
        let row = row.ok_or(sqlx::Error::RowNotFound)?;
        self.turns
            .note_version(&mut tx.inner, row.int("data_version")?);
        Ok(())
    }

    /// Returns which state the catalog is in: what this process wrote is known at once, what another
    /// wrote within 20 ms.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn moment(&self) -> Result<Moment, Error> {
        self.moment_within(FOREIGN_LAG_MAX).await
    }

    /// Returns which state the catalog is in now, whoever wrote last; while a mark is being made, what
    /// another process wrote within 20 ms may be missing.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn moment_now(&self) -> Result<Moment, Error> {
        self.moment_within(Duration::ZERO).await
    }

    async fn moment_within(&self, lag: Duration) -> Result<Moment, Error> {
        // Whoever has the turn to change something has looked, and while he writes no other process can; whoever
        // marks has looked within the lag.
        if let Ok(writer) = Arc::clone(&self.turns.writer).try_lock_owned()
            && writer.looked.elapsed() >= lag
        {
            let mut turn = self.turns.turn(writer);
            turn.undo().await?;
            turn.look(lag).await?;
        }
        Ok(Moment(self.turns.moment.load(Ordering::Acquire)))
    }
}

#[cfg(test)]
impl Moment {
    /// Any moment, for tests of what remembers one.
    pub fn for_tests(at: u64) -> Self {
        Self(at)
    }
}

#[cfg(test)]
mod tests;
