//! Whose folder has its turn, and what if one does not answer?
//!
//! One after the other, so that thousands of files are a queue on the disk. A turn that lasts, on a share that has died
//! or with all that came over a holiday, goes on beside the others: a few do, for each may hold batches in memory.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use super::watch::Hint;
use super::{DropFolderConfig, LeftFiles, Takes};
use crate::ingest::Firm;
use crate::lookout::FolderLooks;
use crate::model::{Name, Timestamp};

/// For how long a turn holds up the others.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How many turns go on beside the others. With one more, all wait until one of them ends.
pub(super) const LASTING_MAX: usize = 4;

/// What a turn needs of the door.
pub(super) struct Needs<T, C> {
    pub(super) takes: Arc<T>,
    pub(super) cancel: CancellationToken,
    pub(super) clock: Arc<C>,
}

/// The folders of all firms.
#[derive(Default)]
pub(super) struct Folders {
    seats: BTreeMap<Name, Seat>,
    /// The turns that go on, each of which gives its folder back. Tasks of their own: one may have the catalog's turn to
    /// write, and must not wait with that for whatever the door waits for.
    lasting: JoinSet<Folder>,
    /// Whose turn began last: who comes behind is not passed over for who comes before.
    last: Option<Name>,
}

/// A firm's place among them.
struct Seat {
    firm: Firm,
    /// There may be something new.
    hinted: bool,
    /// Its folder; none while that has its turn.
    folder: Option<Folder>,
}

impl Folders {
    /// Learns which firms there are. A folder that has its turn goes on, its firm's or nobody's.
    pub(super) fn are(
        &mut self,
        firms: Vec<Firm>,
        config: &DropFolderConfig,
        (left, looks): (&LeftFiles, &FolderLooks),
    ) {
        let mut known = std::mem::take(&mut self.seats);
        for firm in firms {
            let seat = match known.remove(&firm.slug) {
                Some(seat) => seat.of(firm),
                None => Seat {
                    folder: Some(Folder::new(firm.clone(), config, left).noted_in(looks)),
                    hinted: false,
                    firm,
                },
            };
            self.seats.insert(seat.firm.slug.clone(), seat);
        }
    }

    /// Returns the names of their firms.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.seats.keys().map(Name::as_str)
    }

    /// Marks those that are meant.
    pub(super) fn note(&mut self, hint: &Hint) {
        for (slug, seat) in &mut self.seats {
            seat.hinted |= hint.names(slug.as_str());
        }
    }

    /// Returns when one of those that are here wants its turn; none where none will.
    pub(super) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let due = |seat: &Seat| {
            let folder = seat.folder.as_ref()?;
            if seat.hinted { Some(now) } else { folder.due() }
        };
        self.seats.values().filter_map(due).min()
    }

    /// Gives each that may have something for us its turn; says whether all that want one had it.
    pub(super) async fn turn<T, C>(&mut self, needs: &Needs<T, C>, left: &LeftFiles) -> bool
    where
        T: Takes + 'static,
        C: Fn() -> Timestamp + Send + Sync + 'static,
    {
        for slug in self.wanting((needs.clock)()) {
            if needs.cancel.is_cancelled() {
                break;
            }
            if self.lasting.len() >= LASTING_MAX {
                return false;
            }
            if let Some(folder) = self.depart(&slug) {
                let (takes, cancel) = (Arc::clone(&needs.takes), needs.cancel.clone());
                let clock = Arc::clone(&needs.clock);
                let turn = async move { folder.turn(&*takes, &cancel, &*clock).await };
                self.lasting.spawn(turn);
                self.await_return(&slug, left).await;
                self.last = Some(slug);
            }
        }
        true
    }

    /// Takes back a folder whose turn has ended; waits for ever where none has one.
    pub(super) async fn take_back(&mut self, left: &LeftFiles) {
        match self.lasting.join_next().await {
            Some(ended) => self.back(whole(ended), left),
            None => std::future::pending().await,
        }
    }

    /// Ends all, once their turns have ended.
    pub(super) async fn end(mut self, left: &LeftFiles) {
        while let Some(ended) = self.lasting.join_next().await {
            self.back(whole(ended), left);
        }
        let folders = self.seats.into_values().filter_map(|seat| seat.folder);
        folders.for_each(|folder| folder.end(left));
    }

    /// One of a firm that is gone ends.
    fn back(&mut self, folder: Folder, left: &LeftFiles) {
        match self.seats.get_mut(&folder.firm().slug) {
            Some(seat) if seat.folder.is_none() => {
                seat.folder = Some(folder.of(seat.firm.clone()));
            }
            _ => folder.end(left),
        }
    }

    /// Those behind the last one come first.
    fn wanting(&self, now: Timestamp) -> Vec<Name> {
        let wants = |seat: &Seat| {
            let folder = seat.folder.as_ref();
            folder.is_some_and(|folder| seat.hinted || folder.due().is_some_and(|due| due <= now))
        };
        let wanting = self.seats.iter().filter(|(_, seat)| wants(seat));
        let (before, behind): (Vec<_>, Vec<_>) = wanting
            .map(|(slug, _)| slug.clone())
            .partition(|slug| Some(slug) <= self.last.as_ref());
        [behind, before].concat()
    }

    /// What is heard of it from now on is for its next turn.
    fn depart(&mut self, slug: &Name) -> Option<Folder> {
        let seat = self.seats.get_mut(slug)?;
        let folder = seat.folder.take()?;
        seat.hinted = false;
        Some(folder)
    }

    async fn await_return(&mut self, slug: &Name, left: &LeftFiles) {
        let mut patience = pin!(sleep(PATIENCE));
        while self
            .seats
            .get(slug)
            .is_some_and(|seat| seat.folder.is_none())
        {
            tokio::select! {
                () = self.take_back(left) => {}
                () = &mut patience => return,
            }
        }
    }
}

/// A turn that dies takes the door along, as if it were a part of it.
fn whole(ended: Result<Folder, JoinError>) -> Folder {
    match ended {
        Ok(folder) => folder,
        Err(died) => std::panic::resume_unwind(died.into_panic()),
    }
}

impl Seat {
    /// Keeps the folder of a firm that may speak another language now.
    fn of(self, firm: Firm) -> Self {
        let folder = self.folder.map(|folder| folder.of(firm.clone()));
        Self {
            firm,
            folder,
            ..self
        }
    }
}
