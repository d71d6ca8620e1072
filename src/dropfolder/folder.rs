//! What happens when one firm's folder has its turn?

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::left::{Left, LeftFiles};
use super::reject::rejected_in;
use super::scan::{self, Look, look};
use super::settle::{Seen, Settling};
use super::take::{Done, End, Filled, Place, Settled, batches, fill, may_be_beside};
use super::{DropFolderConfig, Takes};
use crate::ingest::Firm;
use crate::lookout::FolderLooks;
use crate::model::{Timestamp, with_causes};

/// One firm's drop folder.
pub(super) struct Folder {
    place: Place,
    settling: Settling,
    left: Left,
    trouble: Trouble,
    /// What never got its name.
    unnamed: Trouble,
    /// Where it is noted what a look has seen, and that there was one.
    looks: FolderLooks,
    /// For how long there may be no reason to look.
    rests: Duration,
    /// The last look could see all of it.
    sees_all: bool,
}

impl Folder {
    /// Begins with what an earlier door has left.
    pub(super) fn new(firm: Firm, config: &DropFolderConfig, left: &LeftFiles) -> Self {
        let folder = Arc::<Path>::from(config.root.join(firm.slug.as_str()));
        let left = left.take(&folder);
        Self {
            place: Place::new(firm, folder, config.declared),
            settling: Settling::new(config.settle_ms),
            left,
            trouble: Trouble::default(),
            unnamed: Trouble::default(),
            looks: FolderLooks::default(),
            rests: config.rests_max(),
            sees_all: true,
        }
    }

    /// Has its looks noted there.
    pub(super) fn noted_in(self, looks: &FolderLooks) -> Self {
        Self {
            looks: looks.clone(),
            ..self
        }
    }

    /// Keeps the folder of a firm that may speak another language now.
    pub(super) fn of(mut self, firm: Firm) -> Self {
        self.place.firm = firm;
        self
    }

    /// Ends, and remembers for a later door what is left.
    pub(super) fn end(self, left: &LeftFiles) {
        left.keep(&self.place.folder, self.left);
    }

    /// Returns when a file in it may be complete.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.settling.due()
    }

    /// Returns whose it is.
    pub(super) fn firm(&self) -> &Firm {
        &self.place.firm
    }

    /// Has its turn, and is itself again afterwards. When cancelled, what is left is for the next start.
    pub(super) async fn turn<T: Takes>(
        mut self,
        takes: &T,
        cancel: &CancellationToken,
        clock: &(impl Fn() -> Timestamp + Sync),
    ) -> Self {
        self.take_all(takes, cancel, clock).await;
        self.count_rejected().await;
        self
    }

    /// Notes how many rejected files lie in it, where they can be counted.
    async fn count_rejected(&self) {
        let folder = Arc::clone(&self.place.folder);
        let counting = spawn_blocking(move || rejected_in(&folder).ok());
        if let Ok(Some(count)) = counting.await {
            self.looks.rejected(self.place.firm.id, count);
        }
    }

    /// Looks, and takes what is complete.
    async fn take_all<T: Takes>(
        &mut self,
        takes: &T,
        cancel: &CancellationToken,
        clock: &(impl Fn() -> Timestamp + Sync),
    ) {
        let now = clock();
        let seen = self.look(now).await;
        let ready = self.settling.look(seen, now);
        self.left.retain(|path| self.settling.knows(path));
        let (again, ready) = self.left.part(ready);
        let place = self.place.clone();
        let mut batches = batches(ready).into_iter().peekable();
        let (mut filled, mut settled, mut stops) = (None, None, false);
        // Three batches at a time: one is read and stored, the one before is written down, and of the one before that
        // the sources are let go, for a disk may take as long to free files as to write them.
        while batches.peek().is_some() || filled.is_some() || settled.is_some() {
            stops |= cancel.is_cancelled();
            if stops {
                self.postpone(batches.by_ref(), clock());
            }
            let next = batches.next_if(|batch| may_be_beside(filled.as_ref(), batch));
            let (next, taken, done) = tokio::join!(
                fill_next(takes, &place, next),
                take_filled(takes, &place, filled, clock),
                let_go(settled, &place)
            );
            (filled, settled) = (next, taken);
            stops |= settled.as_ref().is_some_and(Settled::has_failed);
            stops |= done.is_some_and(|done| self.conclude(done) == Course::Stop);
        }
        if !again.is_empty() {
            let done = Settled::again(again, clock()).let_go(&place).await;
            self.conclude(done);
        }
        if let Some((count, why)) = self.left.news() {
            let slug = &self.place.firm.slug;
            error!(firm.name = %slug, "Of the drop folder of `{slug}`, {count} files are taken and stay there, for they cannot be let go of, which is tried again: {why}");
        }
    }

    /// These are not tried any more in this turn.
    fn postpone(&mut self, batches: impl Iterator<Item = Vec<Seen>>, at: Timestamp) {
        for file in batches.flatten() {
            self.settling.postponed(&file.path, at);
        }
    }

    async fn look(&mut self, now: Timestamp) -> Vec<Seen> {
        let folder = Arc::clone(&self.place.folder);
        let (seen, trouble, unnamed) = match spawn_blocking(move || look(&folder, now)).await {
            Ok(Look {
                seen,
                trouble,
                unnamed,
            }) => {
                self.sees_all = !trouble.as_ref().is_some_and(scan::Trouble::hides);
                self.note_look(now);
                (
                    seen,
                    trouble.map(|trouble| with_causes(&trouble)),
                    (unnamed > 0).then(|| unnamed.to_string()),
                )
            }
            Err(died) => {
                self.sees_all = false;
                (Vec::new(), Some(format!("the look died: {died}")), None)
            }
        };
        if let Some(count) = self.unnamed.news(unnamed) {
            let slug = &self.place.firm.slug;
            warn!(firm.name = %slug, "In the drop folder of `{slug}`, {count} files or folders bear temporary names and have not changed for an hour: they are not taken, for their writers should rename them when they are complete");
        }
        if let Some(why) = self.trouble.news(trouble) {
            warn!(firm.name = %self.place.firm.slug, "Part of a drop folder is not taken: {why}");
        }
        seen
    }

    /// Notes that it is looked at, where all of it is.
    fn note_look(&self, now: Timestamp) {
        if !self.sees_all {
            return;
        }
        let rests = i64::try_from(self.rests.as_millis()).unwrap_or(i64::MAX);
        self.looks
            .looked(self.place.firm.id, now, now.plus_ms(rests));
    }

    /// Tells the machine how each file ended.
    fn conclude(&mut self, done: Done) -> Course {
        let Done {
            paths,
            ends,
            left,
            at,
        } = done;
        let mut course = Course::Stop;
        for stays in left {
            self.left.note(stays);
        }
        for path in paths {
            if self.left.holds(&path) {
                self.settling.failed(&path, at);
                continue;
            }
            // A file without an end is one whose work died.
            let end = ends
                .iter()
                .find(|(ended, _)| *ended == path)
                .map_or(End::Failed, |(_, end)| *end);
            match end {
                End::Taken(_) | End::Rejected | End::Changed => {
                    course = Course::GoOn;
                    self.settling.forget(&path);
                }
                End::Failed => self.settling.failed(&path, at),
                End::Postponed => self.settling.postponed(&path, at),
            }
        }
        // A turn may last for hours where thousands wait.
        if course == Course::GoOn {
            self.note_look(at);
        }
        course
    }
}

async fn fill_next<T: Takes>(
    takes: &T,
    place: &Place,
    batch: Option<Vec<Seen>>,
) -> Option<Filled<T>> {
    Some(fill(takes, place, batch?).await)
}

async fn take_filled<T: Takes>(
    takes: &T,
    place: &Place,
    batch: Option<Filled<T>>,
    clock: &(impl Fn() -> Timestamp + Sync),
) -> Option<Settled> {
    Some(batch?.take(takes, place, clock()).await)
}

async fn let_go(batch: Option<Settled>, place: &Place) -> Option<Done> {
    Some(batch?.let_go(place).await)
}

/// Whether the rest of a turn makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    GoOn,
    /// Nothing of a batch could be taken: the fault is likely not the files'.
    Stop,
}

/// What is wrong now, told once for as long as it lasts.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<String>);

impl Trouble {
    /// Notes what is wrong, if anything, and returns it where it was not told yet.
    pub(super) fn news(&mut self, trouble: Option<String>) -> Option<String> {
        let news = trouble.clone().filter(|_| trouble != self.0);
        self.0 = trouble;
        news
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::model::{FirmId, Language};

    fn folder_in(root: &Path) -> Folder {
        let firm = Firm {
            id: FirmId(1),
            slug: "peeters".parse().unwrap(),
            language: Language::Nl,
            zone: TimeZone::UTC,
        };
        let config = DropFolderConfig {
            root: root.to_owned(),
            ..DropFolderConfig::default()
        };
        Folder::new(firm, &config, &LeftFiles::default())
    }

    #[tokio::test]
    async fn what_never_got_its_name_is_known_until_it_has_one() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = folder_in(root.path());
        let (old, long_after) = (Timestamp(0), Timestamp(i64::MAX / 2));
        let at = |name: &str| root.path().join("peeters").join(name);
        std::fs::create_dir(at("")).unwrap();
        std::fs::write(at("F-1.xml.part"), "x").unwrap();

        assert!(folder.look(old).await.is_empty());
        assert_eq!(folder.unnamed.0, None);
        assert!(folder.look(long_after).await.is_empty());
        assert_eq!(folder.unnamed.0.as_deref(), Some("1"));
        std::fs::rename(at("F-1.xml.part"), at("F-1.xml")).unwrap();
        assert_eq!(folder.look(long_after).await.len(), 1);
        assert_eq!(folder.unnamed.0, None);
    }

    #[tokio::test]
    async fn a_look_that_something_is_hidden_from_is_none_until_all_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = folder_in(root.path());
        std::fs::write(root.path().join("peeters"), "no folder").unwrap();

        folder.look(Timestamp(0)).await;
        assert!(!folder.sees_all);
        std::fs::remove_file(root.path().join("peeters")).unwrap();
        folder.look(Timestamp(0)).await;
        assert!(folder.sees_all);
    }

    #[test]
    fn what_lasts_is_told_once() {
        let mut trouble = Trouble::default();
        let some = |why: &str| Some(why.to_owned());

        assert_eq!(trouble.news(some("full")), some("full"));
        assert_eq!(trouble.news(some("full")), None);
        assert_eq!(trouble.news(some("gone")), some("gone"));
        assert_eq!(trouble.news(None), None);
        assert_eq!(trouble.news(some("gone")), some("gone"));
    }
}
