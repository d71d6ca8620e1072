//! How does a file that somebody drops in a folder become a document?
//!
//! Each firm has a folder under one root, named by its slug. The door looks at a folder when the
//! operating system hints at it (`watch`), when a file in it is due, and now and then without any
//! reason. What it sees settles (`settle`), and what has settled is taken in batches (`take`).
//! One look after the other, one batch after the other: thousands of files are a queue on the disk,
//! not in memory.

mod beside;
mod config;
mod folder;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod hold;
mod left;
mod reject;
mod scan;
mod settle;
mod source;
mod spot;
mod stray;
mod take;
mod turns;
mod watch;
mod whole;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use self::beside::{Joined, folder_of, joined, nothing_said_of, said_in};
pub use self::config::{DropFolderConfig, Watch};
pub use self::left::LeftFiles;
pub use self::reject::rejected_in;
pub use self::scan::unnamed_in;
pub use self::settle::{SETTLE_MS_DEFAULT, SETTLE_MS_MIN, is_left_alone};
pub use self::stray::strays_in;
pub use self::take::{BATCH_BYTES_MAX, BATCH_FILES_MAX, FILE_BYTES_MAX};

use self::folder::Trouble;
pub use self::hold::HeldRoot;
use self::turns::{Folders, Needs};
use self::watch::{Hint, Hints, Watching};
use crate::ingest::{self, Arrival, Firm, Ingest, Prepared, Taken};
use crate::lookout::FolderLooks;
use crate::model::{FirmId, Timestamp, with_causes};
use crate::wellness::Unready;

/// How long hints gather before folders are looked at: a copy of a thousand files is one look, not a thousand.
const GATHER: Duration = Duration::from_millis(250);

/// After how long it is asked again whether anything can be taken.
const WAITS: Duration = Duration::from_secs(2);

/// Who takes what was dropped.
pub trait Takes: Send + Sync {
    /// Why it could not.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Returns the firms that have a drop folder.
    fn firms(&self) -> impl Future<Output = Result<Vec<Firm>, Self::Error>> + Send;

    /// Says whether anything can be taken now; if not, why. Then it is not tried, and no file is blamed.
    ///
    /// # Errors
    ///
    /// What it waits for.
    fn check(&self) -> Result<(), Unready> {
        Ok(())
    }

    /// What is ready to be written down.
    type Prepared: Send;

    /// Makes arrivals ready, which others may be while these are written down.
    fn prepare(
        &self,
        firm: FirmId,
        arrivals: Vec<Arrival>,
    ) -> impl Future<Output = Result<Self::Prepared, Self::Error>> + Send;

    /// Writes down in order what is ready: all of it is durable when this returns, or none is.
    fn write(
        &self,
        prepared: Self::Prepared,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Taken>, Self::Error>> + Send;

    /// Does both.
    fn take(
        &self,
        firm: FirmId,
        arrivals: Vec<Arrival>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Taken>, Self::Error>> + Send {
        async move { self.write(self.prepare(firm, arrivals).await?, now).await }
    }
}

impl Takes for Ingest {
    type Error = ingest::Error;

    async fn firms(&self) -> Result<Vec<Firm>, Self::Error> {
        Self::firms(self).await
    }

    fn check(&self) -> Result<(), Unready> {
        self.wellness().can_take()
    }

    type Prepared = Prepared;

    async fn prepare(&self, firm: FirmId, arrivals: Vec<Arrival>) -> Result<Prepared, Self::Error> {
        self.prepare_all(firm, arrivals).await
    }

    async fn write(&self, prepared: Prepared, now: Timestamp) -> Result<Vec<Taken>, Self::Error> {
        self.write_prepared(prepared, now).await
    }
}

/// The drop folders of all firms.
pub struct DropFolders<T = Ingest> {
    config: DropFolderConfig,
    takes: Arc<T>,
    folders: Folders,
    /// What holds off a second server.
    held: HeldRoot,
    /// Another one holds the root, or may.
    is_held_off: bool,
    /// Why a second server is not held off.
    unheld: Trouble,
    trouble: Trouble,
    /// Why nothing is taken from any folder.
    waits: Trouble,
    /// How many files lie in the root that are of no firm.
    strays: Trouble,
    stray_look: Option<JoinHandle<Option<usize>>>,
    looks: FolderLooks,
    left: LeftFiles,
}

impl<T: Takes> DropFolders<T> {
    /// Joins what the door needs. It touches no disk before it runs.
    pub fn new(config: DropFolderConfig, takes: T) -> Self {
        Self {
            config,
            takes: Arc::new(takes),
            folders: Folders::default(),
            held: HeldRoot::default(),
            is_held_off: false,
            unheld: Trouble::default(),
            trouble: Trouble::default(),
            waits: Trouble::default(),
            strays: Trouble::default(),
            stray_look: None,
            looks: FolderLooks::default(),
            left: LeftFiles::default(),
        }
    }

    /// Notes there each look at a folder, and how many rejected files it holds.
    #[must_use]
    pub fn reporting_to(self, looks: FolderLooks) -> Self {
        Self { looks, ..self }
    }

    /// Begins with the files that are taken and that a door before could not let go of, and at its end leaves them there.
    #[must_use]
    pub fn remembering(self, left: LeftFiles) -> Self {
        Self { left, ..self }
    }

    /// Holds off a second server as long as whoever else has `held` does: a next door goes on with it.
    #[must_use]
    pub fn holding(self, held: HeldRoot) -> Self {
        Self { held, ..self }
    }

    /// Takes what is dropped, until it is cancelled; then it finishes the batches in hand.
    pub async fn run(
        mut self,
        cancel: CancellationToken,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) where
        T: 'static,
    {
        self.looks.keep();
        let hints = Arc::new(Hints::new(&self.config.root));
        let needs = Needs {
            takes: Arc::clone(&self.takes),
            cancel: cancel.clone(),
            clock: Arc::new(clock),
        };
        let mut watching = Watching::default();
        let mut rescan_at = Instant::now();
        while !cancel.is_cancelled() {
            if rescan_at <= Instant::now() {
                let pace = self.rescan(&mut watching, &hints).await;
                rescan_at = Instant::now() + pace;
            }
            let looked = self.may_take() && self.folders.turn(&needs, &self.left).await;
            let rescan_in = rescan_at.saturating_duration_since(Instant::now());
            let wait = match self.due_in((needs.clock)()) {
                // What is due stays so until something can be taken.
                _ if !looked => rescan_in.min(WAITS),
                Some(due_in) => due_in.min(rescan_in),
                None => rescan_in,
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = sleep(wait) => {}
                () = gathered(&hints) => {}
                () = self.folders.take_back(&self.left) => {}
            }
            let hint = hints.collect();
            if hint.names_another_than(self.folders.names()) {
                self.list_firms().await; // one may have been added just now
            }
            self.folders.note(&hint);
        }
        self.folders.end(&self.left).await;
        info!("The drop folders are closed");
    }

    /// Learns which firms there are, and marks every folder; returns when to do so again.
    async fn rescan(&mut self, watching: &mut Watching, hints: &Arc<Hints>) -> Duration {
        if !self.root_is_there().await {
            return self.config.pace(Watch::Poll);
        }
        self.list_firms().await;
        self.look_for_strays().await;
        self.folders.note(&Hint::All);
        let heard = match self.config.watch {
            Watch::Notify if watching.renew(hints).await => Watch::Notify,
            _ => Watch::Poll,
        };
        self.config.pace(heard)
    }

    /// Without its root no folder is made: the share that belongs there may not be mounted yet.
    async fn root_is_there(&mut self) -> bool {
        let root = self.config.root.clone();
        let trouble = match tokio::fs::metadata(&root).await {
            Ok(found) if found.is_dir() => self.hold_root().await.err(),
            Ok(_) => Some(format!("`{}` is not a folder", root.display())),
            Err(failure) => Some(format!("could not find `{}`: {failure}", root.display())),
        };
        let there = trouble.is_none();
        if let Some(why) = self.trouble.news(trouble) {
            error!("The drop folders are not looked at: {why}");
        }
        there
    }

    /// Holds off a second server on the same root, for as long as this one runs.
    async fn hold_root(&mut self) -> Result<(), String> {
        let (held, root) = (self.held.clone(), self.config.root.clone());
        let holding = spawn_blocking(move || held.hold(&root)).await;
        let holding = holding.map_err(|died| format!("the look at its lock died: {died}"));
        let holding = holding.flatten();
        self.is_held_off = holding.is_err();
        if let Some(why) = self.unheld.news(holding?) {
            warn!("No second server is held off from the drop folders: {why}");
        }
        Ok(())
    }

    async fn list_firms(&mut self) {
        let firms = match self.takes.firms().await {
            Ok(firms) => firms,
            // The firms that are known have their folders still.
            Err(failure) => {
                return error!(
                    "Could not ask which firms have a drop folder: {}",
                    with_causes(&failure)
                );
            }
        };
        self.folders
            .are(firms, &self.config, (&self.left, &self.looks));
    }

    /// Tells what the last such look has found, and begins the next. None is waited for: what is of no firm may lie on a
    /// share that has died.
    async fn look_for_strays(&mut self) {
        if self
            .stray_look
            .as_ref()
            .is_some_and(|look| !look.is_finished())
        {
            return;
        }
        let firms: BTreeSet<String> = self.folders.names().map(str::to_owned).collect();
        let root = self.config.root.clone();
        let next = spawn_blocking(move || {
            let firms = firms.iter().map(String::as_str).collect();
            strays_in(&root, &firms).ok()
        });
        let Some(last) = self.stray_look.replace(next) else {
            return;
        };
        // A root that cannot be looked at is told of where its lock is looked at.
        let Ok(Some(count)) = last.await else {
            return;
        };
        let news = self.strays.news((count > 0).then(|| count.to_string()));
        if let Some(count) = news {
            warn!(
                "In `{}`, {count} files or folders are of no firm, so nothing is taken from them: each firm has a folder of its name there (`sluis firm list`)",
                self.config.root.display()
            );
        }
    }

    /// Says whether anything can be taken; that it cannot is told once, and what lies there is looked at again
    /// with the next look at every folder.
    fn may_take(&mut self) -> bool {
        if self.is_held_off {
            return false;
        }
        let waits = self.takes.check().err().map(|unready| unready.to_string());
        let may = waits.is_none();
        if let Some(why) = self.waits.news(waits) {
            warn!("Dropped files stay where they are, and nothing is lost: {why}");
        }
        may
    }

    /// Returns in how long a folder that is here wants its turn; none while nothing settles.
    fn due_in(&self, now: Timestamp) -> Option<Duration> {
        let due = self.folders.due(now)?;
        let ms = due.0.saturating_sub(now.0);
        Some(Duration::from_millis(u64::try_from(ms).unwrap_or_default()))
    }
}

async fn gathered(hints: &Hints) {
    hints.wait().await;
    sleep(GATHER).await;
}
