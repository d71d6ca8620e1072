//! How does a large folder come, while what has come of it is sent already?
//!
//! A task of its own reads it as quickly as the catalog answers, however slowly its peer takes it: no listing keeps a
//! connection of the database, or a snapshot, for longer than it takes to read, and the one before it of the device.
//! What has come is counted, and waits.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::room::Held;
use crate::tree::{self, LargeFolder, Shown};

/// The files of a large folder, as they come.
#[derive(Debug)]
pub(super) struct Arriving {
    parts: mpsc::UnboundedReceiver<Part>,
    /// What went wrong, until it is told.
    failed: Option<tree::Error>,
}

/// Some files; none, when that was all.
type Part = Result<Vec<Shown>, tree::Error>;

/// A folder was not read to its end: what has come of it is not all.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfinished {
    /// The catalog did not answer.
    #[error(transparent)]
    Failed(#[from] tree::Error),
    /// It failed before, or died, which is a fault of this program.
    #[error("could not read a folder to its end")]
    Torn,
}

impl Arriving {
    /// Has the rest of a folder read, by whoever has these turns; then they are the next one's. It ends early when
    /// nobody waits for it any more.
    pub(super) fn begin(
        mut rest: LargeFolder,
        held: Arc<Held>,
        turns: impl Send + 'static,
    ) -> Self {
        let (sender, arriving) = Self::of();
        tokio::spawn(async move {
            let _turns = turns;
            while !sender.is_closed() {
                let part = rest.next().await.map_err(tree::Error::from);
                let files = part.as_ref().map_or(0, Vec::len);
                held.grow(files);
                if sender.send(part).is_err() || files == 0 {
                    return;
                }
            }
        });
        arriving
    }

    fn of() -> (mpsc::UnboundedSender<Part>, Self) {
        let (sender, parts) = mpsc::unbounded_channel();
        let failed = None;
        (sender, Self { parts, failed })
    }

    /// Waits for the next files; none when that was all.
    ///
    /// # Errors
    ///
    /// When they could not be read. Then no more come, and each further question has an error.
    pub(super) async fn next(&mut self) -> Result<Vec<Shown>, Unfinished> {
        let part = match self.failed.take() {
            Some(failed) => Some(Err(failed)),
            None => self.parts.recv().await,
        };
        Ok(part.ok_or(Unfinished::Torn)??)
    }

    /// Returns the next files, if they have come.
    pub(super) fn ready(&mut self) -> Option<Vec<Shown>> {
        if self.failed.is_some() {
            return None;
        }
        match self.parts.try_recv().ok()? {
            Ok(part) => Some(part),
            Err(failed) => {
                self.failed = Some(failed);
                None
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::super::room::Room;
    use super::*;
    use crate::catalog::{Catalog, large_folder_for_tests};
    use crate::login::{Holdings, LISTINGS_DEVICE_MAX};

    pub(in crate::sftp) type Parts = mpsc::UnboundedSender<Part>;

    /// One of which a test says what comes.
    pub(in crate::sftp) fn fed() -> (Parts, Arriving) {
        Arriving::of()
    }

    /// How many entries a device holds.
    pub(in crate::sftp) fn held_by(device: &Holdings) -> usize {
        device.large.count() + device.small.count()
    }

    /// A large folder that is being read: of its 11 000 files the first 2000 are counted already.
    async fn scene(folder: &Path) -> (Catalog, Arc<Holdings>, Arc<Held>, Arriving) {
        let (catalog, rest) = large_folder_for_tests(folder, 9_000).await;
        let device = Arc::<Holdings>::default();
        let room = Arc::new(Room::of(Arc::clone(&device)));
        let turns = (device.turn_to_list().await, room.turn_to_count(2_000).await);
        let held = Arc::new(room.hold(2_000).unwrap());
        let arriving = Arriving::begin(rest, Arc::clone(&held), turns);
        (catalog, device, held, arriving)
    }

    /// Waits for all turns of a device, and gives them back.
    async fn all_turns(device: &Holdings) {
        let mut turns = Vec::new();
        for _ in 0..LISTINGS_DEVICE_MAX {
            turns.push(device.turn_to_list().await);
        }
        turns.push(device.turn_to_count().await);
    }

    #[tokio::test]
    async fn a_folder_is_read_and_counted_to_its_end_though_nobody_takes_it_and_then_others_may_list()
     {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, device, held, mut arriving) = scene(folder.path()).await;

        all_turns(&device).await;
        catalog.close().await;

        assert_eq!(held_by(&device), 2_000 + 9_000);
        let mut files = 0;
        while let Some(part) = arriving.ready().filter(|part| !part.is_empty()) {
            files += part.len();
        }
        assert_eq!(files, 9_000);
        drop(held);
        assert_eq!(held_by(&device), 0);
    }

    #[tokio::test]
    async fn whoever_lets_go_of_a_folder_frees_its_turns_its_room_and_its_connection() {
        for is_begun in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (catalog, device, held, mut arriving) = scene(folder.path()).await;
            drop(held); // its task has it
            if is_begun {
                assert!(!arriving.next().await.unwrap().is_empty());
            }

            drop(arriving);

            all_turns(&device).await;
            catalog.close().await;
            assert_eq!(held_by(&device), 0);
        }
    }
}
