//! Whose folder has its turn, and what if one does not answer?
//!
//! One after the other, so that thousands of files are a queue on the disk. A turn that lasts, on a share that has died
//! or with all that came over a holiday, goes on beside the others: a few do, for each may hold batches in memory.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
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

/// The turns that go on, each of which gives its folder back.
pub(super) type Lasting<'a> = FuturesUnordered<Pin<Box<dyn Future<Output = Folder> + Send + 'a>>>;

/// The folders of all firms.
#[derive(Default)]
pub(super) struct Folders(BTreeMap<Name, Seat>);

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
        let mut known = std::mem::take(&mut self.0);
        for firm in firms {
            let seat = match known.remove(&firm.slug) {
                Some(seat) => seat.of(firm),
                None => Seat {
                    folder: Some(Folder::new(firm.clone(), config, left).noted_in(looks)),
                    hinted: false,
                    firm,
                },
            };
            self.0.insert(seat.firm.slug.clone(), seat);
        }
    }

    /// Returns the names of their firms.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(Name::as_str)
    }

    /// Marks those that are meant.
    pub(super) fn note(&mut self, hint: &Hint) {
        for (slug, seat) in &mut self.0 {
            seat.hinted |= hint.names(slug.as_str());
        }
    }

    /// Returns when one of those that are here wants its turn; none where none will.
    pub(super) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let due = |seat: &Seat| {
            let folder = seat.folder.as_ref()?;
            if seat.hinted { Some(now) } else { folder.due() }
        };
        self.0.values().filter_map(due).min()
    }

    /// Gives each that may have something for us its turn; says whether all that want one had it.
    pub(super) async fn turn<'a, T: Takes>(
        &mut self,
        lasting: &mut Lasting<'a>,
        takes: &'a T,
        (cancel, left): (&'a CancellationToken, &LeftFiles),
        clock: &'a (impl Fn() -> Timestamp + Sync),
    ) -> bool {
        for slug in self.wanting(clock()) {
            if cancel.is_cancelled() {
                break;
            }
            if lasting.len() >= LASTING_MAX {
                return false;
            }
            if let Some(folder) = self.depart(&slug) {
                lasting.push(Box::pin(folder.turn(takes, cancel, clock)));
                self.await_return(&slug, lasting, left).await;
            }
        }
        true
    }

    /// Takes a folder back; one of a firm that is gone ends.
    pub(super) fn back(&mut self, folder: Folder, left: &LeftFiles) {
        match self.0.get_mut(&folder.firm().slug) {
            Some(seat) if seat.firm.id == folder.firm().id => {
                seat.folder = Some(folder.of(seat.firm.clone()));
            }
            _ => folder.end(left),
        }
    }

    /// Ends all that are here.
    pub(super) fn end(self, left: &LeftFiles) {
        let folders = self.0.into_values().filter_map(|seat| seat.folder);
        folders.for_each(|folder| folder.end(left));
    }

    fn wanting(&self, now: Timestamp) -> Vec<Name> {
        let wants = |seat: &Seat| {
            let folder = seat.folder.as_ref();
            folder.is_some_and(|folder| seat.hinted || folder.due().is_some_and(|due| due <= now))
        };
        let wanting = self.0.iter().filter(|(_, seat)| wants(seat));
        wanting.map(|(slug, _)| slug.clone()).collect()
    }

    /// What is heard of it from now on is for its next turn.
    fn depart(&mut self, slug: &Name) -> Option<Folder> {
        let seat = self.0.get_mut(slug)?;
        let folder = seat.folder.take()?;
        seat.hinted = false;
        Some(folder)
    }

    async fn await_return(&mut self, slug: &Name, lasting: &mut Lasting<'_>, left: &LeftFiles) {
        let mut patience = pin!(sleep(PATIENCE));
        while self.0.get(slug).is_some_and(|seat| seat.folder.is_none()) {
            tokio::select! {
                Some(folder) = lasting.next() => self.back(folder, left),
                () = &mut patience => return,
            }
        }
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
