//! Is what failed well again, and is there room?
//!
//! Every two seconds it is looked how much room the disks have. What has failed is tried again as often; and
//! every half minute everything is tried although nothing failed, so that readiness is true of a server that
//! nobody uses. Once after the start the whole catalog is looked through. `wellness` judges.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::blobs::{Blobs, cannot_store};
use crate::catalog::{Catalog, faults_in, report_catalog};
use crate::doctor::Room;
use crate::model::{Clock, Timestamp, with_causes};
use crate::wellness::{Cause, Part, Unready, Wellness};

/// How often room is looked at, and what failed is tried again.
const LOOK: Duration = Duration::from_secs(2);

/// After how many looks everything is tried.
const LOOKS_PER_TRY: u32 = 15;

/// How long a try may take before the part counts as one that fails: longer than a statement waits for another
/// process. A disk that hangs says nothing else.
const TRY: Duration = Duration::from_secs(20);

/// How often a catalog that was found damaged is looked through, in milliseconds: that reads the whole file.
const LOOK_THROUGH_MS: u64 = 60_000;

/// What a mark writes, with room to spare.
const MARK_BYTES: usize = 64 * 1024;

/// What a disk writes at the least.
const BLOCK_BYTES: usize = 4096;

/// What looks whether everything is well.
pub struct Tending {
    catalog: Catalog,
    blobs: Blobs,
    wellness: Wellness,
    disks: Disks,
    clock: Clock,
    /// When a damaged catalog was last looked through.
    looked_through: Mutex<Option<Timestamp>>,
    patience: Duration,
}

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Disks {
    /// The catalog's file.
    pub catalog: PathBuf,
    /// The folder of the contents.
    pub blobs: PathBuf,
    /// Where uploads wait.
    pub spool: PathBuf,
}

impl Tending {
    /// Joins what it needs, and begins to watch that catalog and blobs stay where they are.
    pub fn new(catalog: Catalog, blobs: Blobs, disks: Disks, clock: Clock) -> Self {
        let wellness = catalog.wellness().clone();
        Self {
            catalog,
            blobs,
            wellness,
            disks,
            clock,
            looked_through: Mutex::default(),
            patience: TRY,
        }
    }

    /// Looks until it is cancelled. What hangs holds up none of the others.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let tending = async {
            tokio::join!(
                self.keep_looking(),
                self.keep_trying_catalog(),
                self.keep_trying_blobs(),
                self.look_first(),
            )
        };
        tokio::select! {
            _ = tending => {}
            () = cancel.cancelled() => {}
        }
    }

    async fn keep_looking(self: &Arc<Self>) {
        loop {
            let this = Arc::clone(self);
            // A share that is away holds whoever asks for its room.
            let looking = tokio::task::spawn_blocking(move || {
                this.look_at_room();
                // It has reported what it found.
                drop(this.catalog.stands());
                drop(this.blobs.stands());
            });
            drop(looking.await);
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn keep_trying_catalog(&self) {
        loop {
            self.until_a_try().await;
            self.try_catalog(self.clock.read()).await;
        }
    }

    async fn keep_trying_blobs(&self) {
        loop {
            self.until_a_try().await;
            self.try_blobs(self.clock.read()).await;
        }
    }

    /// Looks once through a catalog that was opened, beside serving: the open reads a few pages, and what a disk did
    /// to the others while nobody served would be met by somebody some day.
    pub async fn look_first(&self) {
        let found = match faults_in(&self.disks.catalog).await {
            Ok(faults) => faults.join("; "),
            Err(failed) if failed.cause() == Some(Cause::Broken) => with_causes(&failed),
            // What else fails is met by those who try.
            Err(_) => return,
        };
        if !found.is_empty() {
            report_catalog(&self.wellness, Cause::Broken, &found);
            *self.last_look() = Some(self.clock.read());
        }
    }

    async fn until_a_try(&self) {
        for _ in 0..LOOKS_PER_TRY {
            tokio::time::sleep(LOOK).await;
            if !self.wellness.is_well() {
                return;
            }
        }
    }

    /// Looks how much room there is.
    pub fn look_at_room(&self) {
        let now = self.clock.read();
        let Disks {
            catalog,
            blobs,
            spool,
        } = &self.disks;
        let data = catalog.parent().unwrap_or(catalog);
        let mut low = None;
        for folder in [data, blobs, spool] {
            // What is not there fails in other ways.
            let Ok(room) = room(folder) else { continue };
            if let Err(least) = self.wellness.judge_room(room.free_bytes) {
                low = Some((folder, room.free_bytes, least));
            }
        }
        match low {
            Some((folder, free, least)) => self.low(folder, free, least),
            None => self.works(Part::Space, now),
        }
    }

    fn low(&self, folder: &Path, free: u64, least: u64) {
        let (folder, free, least) = (folder.display(), free >> 20, least >> 20);
        let why = format!("the disk of `{folder}` has {free} MiB free, and {least} are kept");
        if self.wellness.failed(Part::Space, Cause::Full, why.as_str()) {
            error!(
                part = Part::Space.as_str(),
                "Nothing new is taken, neither from drop folders nor from devices: {why} (`[disk] keep_free_bytes`). What is here is still fetched and marked. {}",
                Cause::Full.advice()
            );
        }
    }

    /// Tries everything that may have failed.
    pub async fn try_all(&self, now: Timestamp) {
        tokio::join!(self.try_catalog(now), self.try_blobs(now));
    }

    async fn try_catalog(&self, now: Timestamp) {
        let trying = async {
            let stands = self.stands().await && self.log_has_room().await;
            stands && self.catalog.try_write().await.is_ok()
        };
        let hangs = |why: &str| report_catalog(&self.wellness, Cause::Other, why);
        if self.within(trying, hangs).await && self.is_sound(now).await {
            self.works(Part::CatalogWrites, now);
        }
    }

    async fn try_blobs(&self, now: Timestamp) {
        let trying = async { self.blobs.try_write().await.is_ok() && self.spool_works().await };
        let hangs = |why: &str| cannot_store(&self.wellness, Cause::Other, why);
        if self.within(trying, hangs).await {
            self.works(Part::BlobWrites, now);
        }
        self.look_for_lost(now).await;
    }

    /// Waits for a try, and reports that it `hangs` when it takes too long. It is waited for all the same: others
    /// beside it would only hang with it.
    async fn within(&self, trying: impl Future<Output = bool>, hangs: impl Fn(&str)) -> bool {
        let mut trying = std::pin::pin!(trying);
        if let Ok(tried) = timeout(self.patience, &mut trying).await {
            return tried;
        }
        hangs(&format!(
            "it did not answer in {} s",
            self.patience.as_secs()
        ));
        trying.await
    }

    async fn look_for_lost(&self, now: Timestamp) {
        for digest in self.wellness.all_lost() {
            let Ok(named) = self.catalog.bytes_named(digest).await else {
                return;
            };
            let is_found = match named.and_then(|bytes| u64::try_from(bytes).ok()) {
                Some(bytes) => self.blobs.is_whole(digest, bytes).await,
                None => true, // its document has expired
            };
            if is_found {
                self.wellness.found(digest);
            }
        }
        if self.wellness.all_lost().is_empty() {
            self.works(Part::BlobReads, now);
        }
    }

    /// That something can be written says nothing of the page that was found damaged: only a look through the
    /// whole catalog does.
    async fn is_sound(&self, now: Timestamp) -> bool {
        if self.wellness.cause(Part::CatalogWrites) != Some(Cause::Broken) {
            *self.last_look() = None;
            return true;
        }
        let last = *self.last_look();
        if last.is_some_and(|last| now.0.abs_diff(last.0) < LOOK_THROUGH_MS) {
            return false;
        }
        let found = match faults_in(&self.disks.catalog).await {
            Ok(faults) => faults.join("; "),
            Err(failed) => with_causes(&failed),
        };
        *self.last_look() = Some(now);
        if last.is_none() && !found.is_empty() {
            error!(
                part = Part::CatalogWrites.as_str(),
                "Looked through the whole catalog, and does so again each minute: {found}. {}",
                Cause::Broken.advice()
            );
        }
        found.is_empty()
    }

    fn last_look(&self) -> MutexGuard<'_, Option<Timestamp>> {
        let looked = self.looked_through.lock();
        looked.unwrap_or_else(PoisonError::into_inner)
    }

    async fn stands(&self) -> bool {
        let catalog = self.catalog.clone();
        let looking = tokio::task::spawn_blocking(move || catalog.stands().is_ok());
        looking.await.unwrap_or(false)
    }

    /// A small change may fit into what the log has already, where a mark does not.
    async fn log_has_room(&self) -> bool {
        let file = &self.disks.catalog;
        let folder = file.parent().unwrap_or(file);
        let tried = try_file(folder, MARK_BYTES).await;
        if let Err(failed) = &tried {
            let cause = Cause::of_system(failed.kind());
            let why = format!("could not write in `{}`: {failed}", folder.display());
            report_catalog(&self.wellness, cause, &why);
        }
        tried.is_ok()
    }

    async fn spool_works(&self) -> bool {
        let tried = try_file(&self.disks.spool, BLOCK_BYTES).await;
        if let Err(failed) = &tried {
            let folder = self.disks.spool.display();
            let why = format!("could not keep an upload in `{folder}`: {failed}");
            cannot_store(&self.wellness, Cause::of_system(failed.kind()), &why);
        }
        tried.is_ok()
    }

    fn works(&self, part: Part, now: Timestamp) {
        if let Some(Unready { why, .. }) = self.wellness.worked(part, now) {
            info!(
                part = part.as_str(),
                "Well again: {part}; it had failed, for {why}"
            );
        }
    }
}

/// Writes so many bytes into a file without a name.
async fn try_file(folder: &Path, bytes: usize) -> io::Result<()> {
    let folder = folder.to_owned();
    let trying = tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        tempfile::tempfile_in(folder)?.write_all(&vec![0x5a; bytes])
    });
    trying.await.map_err(io::Error::other)?
}

/// Returns the room on the disk of `folder`, as far as this user may have it.
///
/// # Errors
///
/// When it cannot be asked.
pub fn room(folder: &Path) -> io::Result<Room> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(Room {
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        bytes: found.f_blocks.saturating_mul(found.f_frsize),
        files: (found.f_files > 0).then_some((found.f_favail, found.f_files)),
        is_read_only: found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;
    use crate::catalog::Durability;

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    async fn tending(folder: &Path) -> Tending {
        std::fs::create_dir_all(folder.join("blobs")).unwrap();
        let file = folder.join("catalog.sqlite");
        let catalog = Catalog::open(&file).await.unwrap();
        let blobs = Blobs::in_folder(&folder.join("blobs")).unwrap();
        let disks = Disks {
            catalog: file,
            blobs: folder.join("blobs"),
            spool: folder.to_owned(),
        };
        Tending::new(catalog, blobs, disks, Clock::new(|| NOW))
    }

    #[tokio::test]
    async fn a_damaged_catalog_is_well_when_nothing_is_found_in_all_of_it_and_not_when_it_is_written()
     {
        let folder = tempfile::tempdir().unwrap();
        tending(folder.path()).await.catalog.close().await;
        // The last page is of some table or index, and no start looks at it.
        let file = folder.path().join("catalog.sqlite");
        let opened = std::fs::File::options().read(true).write(true).open(&file);
        let (opened, mut page) = (opened.unwrap(), [0; 4096]);
        let at = opened.metadata().unwrap().len() - 4096;
        opened.read_exact_at(&mut page, at).unwrap();
        opened.write_all_at(&[0xa5; 4096], at).unwrap();
        let tending = tending(folder.path()).await;
        let wellness = tending.wellness.clone();
        report_catalog(&wellness, Cause::Broken, "a page");

        for seconds in [0, 2, 61] {
            tending.try_all(NOW.plus_ms(seconds * 1000)).await;
            assert!(!wellness.works(Part::CatalogWrites), "after {seconds} s");
        }
        tending.catalog.try_write().await.unwrap();

        opened.write_all_at(&page, at).unwrap();
        let tending = self::tending(folder.path()).await;
        report_catalog(&tending.wellness, Cause::Broken, "a page");
        tending.try_all(NOW).await;
        assert!(tending.wellness.works(Part::CatalogWrites));
    }

    #[tokio::test]
    async fn damage_from_before_the_start_that_nobody_meets_is_found_and_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let sound = tending(folder.path()).await;
        sound.look_first().await;
        assert_eq!(sound.wellness.ready(), Ok(()));

        let file = folder.path().join("catalog.sqlite");
        crate::catalog::break_table(sound.catalog, &file, "delivery").await;
        let tending = tending(folder.path()).await;
        assert_eq!(
            tending.wellness.ready(),
            Ok(()),
            "the open reads no such page"
        );
        tending.look_first().await;

        let cause = tending.wellness.cause(Part::CatalogWrites);
        assert_eq!(cause, Some(Cause::Broken));
        assert!(
            tending.last_look().is_some(),
            "the next look is in a minute"
        );
    }

    #[tokio::test]
    async fn a_catalog_that_hangs_is_not_ready_until_it_answers() {
        let folder = tempfile::tempdir().unwrap();
        let tending = Tending {
            patience: Duration::from_millis(1),
            ..tending(folder.path()).await
        };
        let wellness = tending.wellness.clone();
        let held = tending.catalog.begin(Durability::Kill).await.unwrap();
        let is_unready = async {
            while wellness.works(Part::CatalogWrites) {
                tokio::task::yield_now().await;
            }
        };

        {
            let mut trying = std::pin::pin!(tending.try_catalog(NOW));
            tokio::select! {
                () = &mut trying => panic!("it cannot answer"),
                () = is_unready => {}
            }

            let why = wellness.ready().unwrap_err().remove(0).why;
            assert!(why.contains("did not answer in"), "{why}");
            drop(held);
            trying.await;
        }
        // A busy machine may need longer than a millisecond.
        let tending = Tending {
            patience: TRY,
            ..tending
        };
        tending.try_catalog(NOW.plus_ms(60_000)).await;
        assert!(wellness.works(Part::CatalogWrites));
    }
}
