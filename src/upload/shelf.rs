//! What has a device put down that it may come back for?
//!
//! Between two openings a file belongs to its device, not to a connection: some clients write on one
//! and rename or look on another, and a broken upload is resumed by the next session. What was taken is
//! remembered too, for clients look whether what they wrote is there. Nothing of this is a document, so
//! it is in memory and in files without a name, and ends with the process.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Draft;
use super::draft::Nth;
use crate::catalog::UNNAMED_MS;
use crate::model::{DeviceId, Digest, Timestamp, VirtualPath};

/// For how long what was put down stays, in milliseconds: a day.
pub const SHELF_MS: i64 = 24 * 60 * 60 * 1000;

// Whoever sees a file may ask for its hash, so its bytes stay as long.
const _: () = assert!(UNNAMED_MS > SHELF_MS);

/// How many unfinished files of a device are kept. The oldest goes first, but none that was closed under a temporary
/// name: its writer was told that all is well, and may rename it yet.
pub const SHELF_DRAFTS_MAX: usize = 32;

/// How many bytes the unfinished files of a device may have together. They go in the same order.
pub const SHELF_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Of how many files a device may see that they were taken. The oldest goes first.
pub const SIGHTS_MAX: usize = 10_000;

/// The shelves of all devices. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    devices: Arc<Mutex<HashMap<DeviceId, Own>>>,
}

/// What a device sees of a file in its folder `/in`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Where it is.
    pub path: VirtualPath,
    /// Its size in bytes; of one that nobody is writing, up to its first gap.
    pub bytes: u64,
    /// Its time.
    pub at: Timestamp,
    /// Its digest, once it was taken; none while it is unfinished.
    pub digest: Option<Digest>,
}

/// A file that its writer closed, and that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetGo {
    /// Whose it was.
    pub device: DeviceId,
    /// Where it was.
    pub path: VirtualPath,
    /// Its size in bytes.
    pub bytes: u64,
    /// Why it is.
    pub why: Gone,
}

/// The shelf of one device.
#[derive(Debug, Default)]
struct Own {
    drafts: BTreeMap<String, Kept>,
    sights: BTreeMap<String, (Nth, Sight)>,
    /// Sights by age: when they were put down, which, and the number that says whether they still are.
    ages: VecDeque<(Timestamp, String, Nth)>,
    /// The places of what was closed and is open once more: nothing else gets them meanwhile.
    lent: Vec<Weak<LentPlace>>,
    /// What was closed and is gone, until somebody asks.
    gone: Vec<(VirtualPath, u64, Gone)>,
}

/// The place of a file that was closed and is open once more, for as long as its draft is anywhere.
#[derive(Debug)]
pub(super) struct LentPlace {
    bytes: u64,
}

/// Why a file that its writer has closed is on the shelf no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Its day was over.
    Old,
    /// It was opened once more and not closed, and meanwhile another of its name was.
    Replaced,
    /// It was opened once more, and has become too large.
    NoRoom,
}

#[derive(Debug)]
struct Kept {
    path: VirtualPath,
    draft: Draft,
    since: Timestamp,
    nth: Nth,
}

impl Shelf {
    /// Returns what a device sees at `path`.
    pub fn look(&self, device: DeviceId, path: &VirtualPath, now: Timestamp) -> Option<Sight> {
        let mut devices = self.lock();
        let own = devices.get_mut(&device)?;
        own.sweep(now);
        let key = path.key();
        let taken = own.sights.get(&key).map(|(_, sight)| sight.clone());
        taken.or_else(|| own.drafts.get(&key).map(Kept::sight))
    }

    /// Returns what a device sees in `folder`.
    pub fn list(&self, device: DeviceId, folder: &VirtualPath, now: Timestamp) -> Vec<Sight> {
        let mut devices = self.lock();
        let Some(own) = devices.get_mut(&device) else {
            return Vec::new();
        };
        own.sweep(now);
        let key = folder.key();
        let drafts = own.drafts.values().map(Kept::sight);
        let sights = own.sights.values().map(|(_, sight)| sight.clone());
        drafts
            .chain(sights)
            .filter(|sight| sight.path.parent().key() == key)
            .collect()
    }

    /// Puts down a file that is not finished. It takes the place of none that was closed: that one came to this name
    /// while this one was written, and its writer was told that all is well. Nor does it stay where a file of its name
    /// was taken meanwhile, or was begun later and lies there: that one is what its device looks for, and a part of
    /// another is not gone on with there.
    pub fn put_draft(&self, device: DeviceId, path: VirtualPath, draft: Draft, now: Timestamp) {
        let mut devices = self.lock();
        let own = devices.entry(device).or_default();
        own.sweep(now);
        let since = draft.begun();
        let is_over = own.was_taken_since(&path, since) || own.was_begun_since(&path, since);
        let is_over = is_over && !draft.is_promised();
        if !is_over && !own.has_finished(&path) {
            own.put(path, draft, now);
        } else if draft.is_promised() {
            own.gone.push((path, draft.bytes(), Gone::Replaced));
        }
    }

    /// Puts down a file under the name of another, as a rename does.
    pub fn put_over(&self, device: DeviceId, path: VirtualPath, draft: Draft, now: Timestamp) {
        self.lock().entry(device).or_default().put(path, draft, now);
    }

    /// Puts down a file that its writer has closed, if it can be kept: no other closed file is dropped to make room.
    ///
    /// # Errors
    ///
    /// When there is no room, or another of its name was closed while it was written.
    pub fn put_finished(
        &self,
        device: DeviceId,
        path: VirtualPath,
        mut draft: Draft,
        now: Timestamp,
    ) -> Result<(), Gone> {
        let mut devices = self.lock();
        let own = devices.entry(device).or_default();
        own.sweep(now);
        if own.has_finished(&path) {
            return Err(Gone::Replaced);
        }
        draft.set_place(None);
        if !own.has_room(draft.bytes()) {
            return Err(Gone::NoRoom);
        }
        draft.set_promised();
        own.put(path, draft, now);
        Ok(())
    }

    /// Takes up an unfinished file. One that was closed keeps its place until its draft is put down or gone.
    pub fn take_draft(
        &self,
        device: DeviceId,
        path: &VirtualPath,
        now: Timestamp,
    ) -> Option<Draft> {
        let mut devices = self.lock();
        let own = devices.get_mut(&device)?;
        own.sweep(now);
        let mut draft = own.drafts.remove(&path.key())?.draft;
        draft.set_begun();
        if draft.is_promised() {
            draft.set_place(Some(own.lend(draft.bytes())));
        }
        Some(draft)
    }

    /// Notes that a file was taken, so that its device sees it.
    pub fn put_sight(&self, device: DeviceId, sight: Sight, now: Timestamp) {
        self.lock().entry(device).or_default().put_sight(sight, now);
    }

    /// Removes what a device sees at `path`, and says whether it saw anything. A document is never touched.
    pub fn remove(&self, device: DeviceId, path: &VirtualPath) -> bool {
        let (mut devices, key) = (self.lock(), path.key());
        devices.get_mut(&device).is_some_and(|own| {
            own.sights.remove(&key).is_some() | own.drafts.remove(&key).is_some()
        })
    }

    /// Lets a device see what was taken under another name.
    pub fn rename(&self, device: DeviceId, from: &VirtualPath, to: VirtualPath, now: Timestamp) {
        let mut devices = self.lock();
        let Some(own) = devices.get_mut(&device) else {
            return;
        };
        if let Some((_, sight)) = own.sights.remove(&from.key()) {
            own.put_sight(Sight { path: to, ..sight }, now);
        }
    }

    /// Sets the time that a device sees of what was taken.
    pub fn set_time(&self, device: DeviceId, path: &VirtualPath, at: Timestamp) {
        let (mut devices, key) = (self.lock(), path.key());
        let Some(own) = devices.get_mut(&device) else {
            return;
        };
        if let Some((_, sight)) = own.sights.get_mut(&key) {
            sight.at = at;
        }
        if let Some(kept) = own.drafts.get_mut(&key) {
            kept.draft.set_time(at);
        }
    }

    /// Lets go of what has stayed for too long, of any device. Returns what was closed by its writer and is gone, of
    /// which nobody has been told.
    pub fn sweep(&self, now: Timestamp) -> Vec<LetGo> {
        let mut devices = self.lock();
        let mut gone = Vec::new();
        devices.retain(|device, own| {
            own.sweep(now);
            gone.extend(own.gone.drain(..).map(|(path, bytes, why)| LetGo {
                device: *device,
                path,
                bytes,
                why,
            }));
            !own.drafts.is_empty() || !own.sights.is_empty() || own.lent().next().is_some()
        });
        gone
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Own>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many ages there may be beside those of what is there, before they are gone through.
const AGES_SPARE: usize = 64;

impl Own {
    fn put_sight(&mut self, sight: Sight, now: Timestamp) {
        let key = sight.path.key();
        self.drafts.remove(&key);
        let nth = Nth::next();
        self.ages.push_back((now, key.clone(), nth));
        self.sights.insert(key, (nth, sight));
        self.sweep(now);
        // One that is renamed over and over leaves its ages behind the oldest, which may stay for a day.
        if self.ages.len() > 2 * self.sights.len() + AGES_SPARE {
            let sights = &self.sights;
            self.ages
                .retain(|(_, key, nth)| sights.get(key).is_some_and(|(own, _)| own == nth));
        }
    }

    fn put(&mut self, path: VirtualPath, mut draft: Draft, now: Timestamp) {
        let key = path.key();
        draft.set_place(None);
        self.sights.remove(&key);
        let kept = Kept {
            path,
            draft,
            since: now,
            nth: Nth::next(),
        };
        self.drafts.insert(key, kept);
        self.sweep(now);
    }

    fn has_finished(&self, path: &VirtualPath) -> bool {
        let there = self.drafts.get(&path.key());
        there.is_some_and(|kept| kept.draft.is_finished())
    }

    fn was_taken_since(&self, path: &VirtualPath, since: Nth) -> bool {
        let taken = self.sights.get(&path.key());
        taken.is_some_and(|(nth, _)| *nth > since)
    }

    fn was_begun_since(&self, path: &VirtualPath, since: Nth) -> bool {
        let there = self.drafts.get(&path.key());
        there.is_some_and(|kept| kept.draft.begun() > since)
    }

    fn has_room(&self, bytes: u64) -> bool {
        let drafts = self.drafts.values().map(|kept| &kept.draft);
        let promised = drafts.filter(|draft| draft.is_promised()).map(Draft::bytes);
        let sizes: Vec<_> = promised.chain(self.lent()).collect();
        sizes.len() < SHELF_DRAFTS_MAX
            && sizes
                .iter()
                .fold(bytes, |all, one| all.saturating_add(*one))
                <= SHELF_BYTES_MAX
    }

    fn lend(&mut self, bytes: u64) -> Arc<LentPlace> {
        let place = Arc::new(LentPlace { bytes });
        self.lent.retain(|other| other.strong_count() > 0);
        self.lent.push(Arc::downgrade(&place));
        place
    }

    /// How many bytes each has that was closed and is open once more.
    fn lent(&self) -> impl Iterator<Item = u64> {
        let places = self.lent.iter().filter_map(Weak::upgrade);
        places.map(|place| place.bytes)
    }

    fn sweep(&mut self, now: Timestamp) {
        let is_old = |since: Timestamp| now.0 - since.0 > SHELF_MS;
        while let Some((since, key, nth)) = self.ages.front() {
            let is_there = self.sights.get(key).is_some_and(|(own, _)| own == nth);
            if is_there {
                if !is_old(*since) && self.sights.len() <= SIGHTS_MAX {
                    break;
                }
                self.sights.remove(key);
            }
            self.ages.pop_front();
        }
        let gone = &mut self.gone;
        self.drafts.retain(|_, kept| {
            // A writer whose CLOSE was refused knows already.
            if is_old(kept.since) && kept.draft.is_promised() {
                gone.push((kept.path.clone(), kept.draft.bytes(), Gone::Old));
            }
            !is_old(kept.since)
        });
        while self.drafts.len() > SHELF_DRAFTS_MAX || self.draft_bytes() > SHELF_BYTES_MAX {
            let Some(let_go) = self.goes_first().and_then(|key| self.drafts.remove(&key)) else {
                return;
            };
            // A writer whose CLOSE was refused knows already.
            let promised = Some(let_go).filter(|kept| kept.draft.is_promised());
            let told = promised.map(|kept| (kept.path, kept.draft.bytes(), Gone::NoRoom));
            self.gone.extend(told);
        }
    }

    /// The oldest that is not finished; else of those that were closed, the one whose writer has just been told that
    /// it was not taken. Only then one whose writer was told that all is well: the last, which was made longer.
    fn goes_first(&self) -> Option<String> {
        let all = || self.drafts.iter();
        let unfinished = all().filter(|(_, kept)| !kept.draft.is_finished());
        let refused = all().filter(|(_, kept)| !kept.draft.is_promised());
        let goes = unfinished.min_by_key(|(_, kept)| kept.nth);
        let goes = goes.or_else(|| refused.max_by_key(|(_, kept)| kept.nth));
        let goes = goes.or_else(|| all().max_by_key(|(_, kept)| kept.nth));
        goes.map(|(key, _)| key.clone())
    }

    fn draft_bytes(&self) -> u64 {
        self.drafts.values().map(|kept| kept.draft.bytes()).sum()
    }
}

impl Kept {
    fn sight(&self) -> Sight {
        Sight {
            path: self.path.clone(),
            // Whoever goes on with it begins where it seems to end.
            bytes: self.draft.bytes_in_order(),
            at: self.draft.at(),
            digest: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DraftRoom, Spool, UPLOAD_BYTES_MAX};
    use super::*;

    const ME: DeviceId = DeviceId(1);
    const NOW: Timestamp = Timestamp(1_000_000);

    fn path(name: &str) -> VirtualPath {
        VirtualPath::parse(&format!("/in/{name}")).unwrap()
    }

    fn taken(name: &str) -> Sight {
        Sight {
            path: path(name),
            bytes: 3,
            at: NOW,
            digest: Some(Digest::of(b"abc")),
        }
    }

    async fn closed(spool: &Spool) -> Draft {
        closed_with(spool, 1).await
    }

    async fn closed_with(spool: &Spool, bytes: usize) -> Draft {
        let mut draft = Draft::begin(NOW);
        let room = DraftRoom {
            file_bytes: 10,
            session_bytes: 10,
        };
        let written = draft.write(spool, 0, vec![0; bytes].into(), room).await;
        written.unwrap();
        draft.set_closed(true);
        draft
    }

    fn names(shelf: &Shelf, device: DeviceId, now: Timestamp) -> Vec<String> {
        let folder = VirtualPath::parse("/in").unwrap();
        let sights = shelf.list(device, &folder, now);
        sights
            .iter()
            .filter_map(|sight| sight.path.name().map(ToOwned::to_owned))
            .collect()
    }

    #[test]
    fn a_name_that_changes_for_ever_leaves_nothing_behind() {
        let shelf = Shelf::default();
        shelf.put_sight(ME, taken("first.xml"), NOW);

        for _ in 0..10_000 {
            shelf.put_sight(ME, taken("again.xml"), NOW);
        }

        let devices = shelf.lock();
        assert!(devices[&ME].ages.len() <= 2 * 2 + AGES_SPARE);
        assert_eq!(devices[&ME].sights.len(), 2);
    }

    #[test]
    fn one_device_sees_nothing_of_another() {
        let shelf = Shelf::default();
        shelf.put_draft(ME, path("a.part"), Draft::begin(NOW), NOW);
        shelf.put_sight(ME, taken("b.xml"), NOW);

        assert_eq!(names(&shelf, ME, NOW), ["a.part", "b.xml"]);
        assert_eq!(names(&shelf, DeviceId(2), NOW), Vec::<String>::new());
        assert!(
            shelf
                .take_draft(DeviceId(2), &path("a.part"), NOW)
                .is_none()
        );
        assert!(!shelf.remove(DeviceId(2), &path("b.xml")));
        assert!(shelf.take_draft(ME, &path("A.PART"), NOW).is_some());
    }

    #[tokio::test]
    async fn what_breaks_hides_nothing_that_was_taken_under_its_name_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let shelf = Shelf::default();
        let look = |name| shelf.look(ME, &path(name), NOW).unwrap();
        let broken = Draft::begin(NOW);
        shelf.put_draft(ME, path("left.xml"), Draft::begin(NOW), NOW);
        let resumed = shelf.take_draft(ME, &path("left.xml"), NOW).unwrap();
        for name in ["new.xml", "left.xml"] {
            shelf.put_sight(ME, taken(name), NOW);
        }

        shelf.put_draft(ME, path("new.xml"), broken, NOW);
        shelf.put_draft(ME, path("left.xml"), resumed, NOW);

        assert_eq!(look("new.xml"), taken("new.xml"));
        assert_eq!(look("left.xml"), taken("left.xml"));
        assert!(shelf.take_draft(ME, &path("new.xml"), NOW).is_none());
        assert!(shelf.sweep(NOW).is_empty(), "nobody was told that it stays");

        // What is begun after that, and not finished, is gone on with.
        shelf.put_draft(ME, path("new.xml"), closed(&spool).await, NOW);
        assert_eq!(look("new.xml").digest, None);
    }

    #[tokio::test]
    async fn what_breaks_late_goes_over_nothing_that_was_begun_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let shelf = Shelf::default();
        let unfinished = async |bytes| {
            let mut draft = closed_with(&spool, bytes).await;
            draft.set_closed(false);
            draft
        };
        let put = |draft| shelf.put_draft(ME, path("a.xml"), draft, NOW);
        let bytes = || shelf.look(ME, &path("a.xml"), NOW).unwrap().bytes;
        let (older, newer) = (unfinished(3).await, unfinished(5).await);

        put(newer);
        put(older);

        assert_eq!(bytes(), 5);
        assert!(shelf.sweep(NOW).is_empty(), "nobody was told that it stays");
        // To take it up is to begin it anew.
        let other = unfinished(2).await;
        let newest = shelf.take_draft(ME, &path("a.xml"), NOW).unwrap();
        put(other);
        put(newest);
        assert_eq!(bytes(), 5);
    }

    #[tokio::test]
    async fn what_was_closed_goes_over_what_is_unfinished_also_where_that_was_begun_later() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let shelf = Shelf::default();
        let put = shelf.put_finished(ME, path("a.part"), closed_with(&spool, 5).await, NOW);
        assert_eq!(put, Ok(()));
        let open = shelf.take_draft(ME, &path("a.part"), NOW).unwrap();
        shelf.put_draft(ME, path("a.part"), Draft::begin(NOW), NOW);

        shelf.put_draft(ME, path("a.part"), open, NOW);

        assert_eq!(shelf.look(ME, &path("a.part"), NOW).unwrap().bytes, 5);
        assert!(shelf.sweep(NOW).is_empty());
    }

    #[test]
    fn a_millisecond_past_a_day_it_is_gone() {
        let shelf = Shelf::default();
        shelf.put_draft(ME, path("a.part"), Draft::begin(NOW), NOW);
        shelf.put_sight(ME, taken("b.xml"), NOW);

        assert_eq!(names(&shelf, ME, NOW.plus_ms(SHELF_MS)).len(), 2);
        shelf.sweep(NOW.plus_ms(SHELF_MS + 1));

        assert_eq!(names(&shelf, ME, NOW), Vec::<String>::new());
    }

    #[tokio::test]
    async fn what_was_closed_goes_for_no_other_and_is_told_of_when_its_day_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let shelf = Shelf::default();
        let put = async |name: &str| {
            let draft = closed(&spool).await;
            shelf.put_finished(ME, path(name), draft, NOW)
        };
        for at in 0..SHELF_DRAFTS_MAX {
            assert_eq!(put(&format!("{at:03}.part")).await, Ok(()));
        }

        assert_eq!(put("one-more.part").await, Err(Gone::NoRoom));
        assert_eq!(put("000.part").await, Err(Gone::Replaced));
        shelf.put_draft(ME, path("broken.xml"), Draft::begin(NOW), NOW);

        assert_eq!(names(&shelf, ME, NOW).len(), SHELF_DRAFTS_MAX);
        assert!(!names(&shelf, ME, NOW).contains(&"broken.xml".to_owned()));
        assert!(shelf.sweep(NOW.plus_ms(SHELF_MS)).is_empty());
        let gone = shelf.sweep(NOW.plus_ms(SHELF_MS + 1));
        assert_eq!(gone.len(), SHELF_DRAFTS_MAX);
        let first = LetGo {
            device: ME,
            path: path("000.part"),
            bytes: 1,
            why: Gone::Old,
        };
        assert!(gone.contains(&first));
        let empty = Own::default();
        assert!(empty.has_room(SHELF_BYTES_MAX));
        assert!(!empty.has_room(SHELF_BYTES_MAX + 1));
    }

    #[tokio::test]
    async fn what_was_closed_and_is_open_once_more_keeps_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let shelf = Shelf::default();
        for at in 0..SHELF_DRAFTS_MAX {
            let draft = closed(&spool).await;
            let put = shelf.put_finished(ME, path(&format!("{at:03}.part")), draft, NOW);
            assert_eq!(put, Ok(()));
        }

        let mut open = shelf.take_draft(ME, &path("000.part"), NOW).unwrap();
        open.set_closed(false);
        let more = closed(&spool).await;
        let put = shelf.put_finished(ME, path("more.part"), more, NOW);
        assert_eq!(put, Err(Gone::NoRoom));
        shelf.put_draft(ME, path("000.part"), open, NOW);
        for at in 0..SHELF_DRAFTS_MAX {
            shelf.put_draft(ME, path(&format!("new-{at}")), Draft::begin(NOW), NOW);
        }
        assert!(shelf.look(ME, &path("000.part"), NOW).is_some());
        let open = shelf.take_draft(ME, &path("000.part"), NOW).unwrap();
        let more = closed(&spool).await;
        let put = shelf.put_finished(ME, path("more.part"), more, NOW);
        assert_eq!(put, Err(Gone::NoRoom), "it is being renamed");
        shelf.put_over(ME, path("000.tmp"), open, NOW);
        assert!(shelf.sweep(NOW).is_empty());
        assert_eq!(names(&shelf, ME, NOW).len(), SHELF_DRAFTS_MAX);

        let open = shelf.take_draft(ME, &path("000.tmp"), NOW).unwrap();
        drop(open);
        let more = closed(&spool).await;
        let put = shelf.put_finished(ME, path("more.part"), more, NOW);
        assert_eq!(put, Ok(()), "nobody has that place any more");
        assert!(shelf.sweep(NOW).is_empty());
    }

    #[tokio::test]
    async fn whose_close_was_refused_goes_before_what_was_closed_well_and_nobody_is_told_twice() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let shelf = Shelf::default();
        for at in 0..SHELF_DRAFTS_MAX {
            let draft = closed(&spool).await;
            let put = shelf.put_finished(ME, path(&format!("{at:03}.part")), draft, NOW);
            assert_eq!(put, Ok(()));
        }
        let renamed = shelf.take_draft(ME, &path("000.part"), NOW).unwrap();
        shelf.put_draft(ME, path("refused.xml"), closed(&spool).await, NOW);

        // The store fails that rename, too.
        shelf.put_draft(ME, path("000.part"), renamed, NOW);

        assert!(shelf.look(ME, &path("000.part"), NOW).is_some());
        assert_eq!(shelf.look(ME, &path("refused.xml"), NOW), None);
        assert!(shelf.sweep(NOW).is_empty());
    }

    #[tokio::test]
    async fn whose_close_was_refused_takes_no_place_from_what_is_closed_well() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let shelf = Shelf::default();
        for at in 0..SHELF_DRAFTS_MAX {
            let name = format!("{at:03}.xml");
            shelf.put_draft(ME, path(&name), closed(&spool).await, NOW);
        }
        let open = shelf.take_draft(ME, &path("000.xml"), NOW);

        let put = shelf.put_finished(ME, path("a.part"), closed(&spool).await, NOW);
        assert_eq!(put, Ok(()));
        shelf.put_draft(ME, path("000.xml"), open.unwrap(), NOW);

        assert!(shelf.look(ME, &path("a.part"), NOW).is_some());
        assert_eq!(names(&shelf, ME, NOW).len(), SHELF_DRAFTS_MAX);
    }

    #[tokio::test]
    async fn what_is_not_closed_never_takes_the_place_of_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let shelf = Shelf::default();
        let put = |draft| shelf.put_finished(ME, path("a.part"), draft, NOW);
        assert_eq!(put(closed(&spool).await), Ok(()));
        let mut open = shelf.take_draft(ME, &path("a.part"), NOW).unwrap();
        open.set_closed(false);
        let longer = closed_with(&spool, 2).await;
        assert_eq!(put(longer), Ok(()));

        shelf.put_draft(ME, path("a.part"), Draft::begin(NOW), NOW);
        assert!(
            shelf.sweep(NOW).is_empty(),
            "nobody was told anything of it"
        );
        shelf.put_draft(ME, path("a.part"), open, NOW);

        assert_eq!(shelf.look(ME, &path("a.part"), NOW).unwrap().bytes, 2);
        let [gone] = &shelf.sweep(NOW)[..] else {
            panic!("not one");
        };
        assert_eq!((&gone.path, gone.why), (&path("a.part"), Gone::Replaced));
    }

    #[test]
    fn one_unfinished_file_past_the_limit_the_oldest_goes() {
        let shelf = Shelf::default();
        for at in 0..=SHELF_DRAFTS_MAX {
            shelf.put_draft(ME, path(&format!("{at:03}")), Draft::begin(NOW), NOW);
        }

        let names = names(&shelf, ME, NOW);

        assert_eq!(names.len(), SHELF_DRAFTS_MAX);
        assert_eq!(names[0], "001");
    }

    #[tokio::test]
    async fn one_byte_past_the_limit_the_oldest_unfinished_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let shelf = Shelf::default();
        let put = async |name: String, bytes: u64| {
            let mut draft = Draft::begin(NOW);
            let room = DraftRoom {
                file_bytes: bytes,
                session_bytes: bytes,
            };
            let byte = draft.write(&spool, bytes - 1, vec![0].into(), room).await;
            byte.unwrap();
            shelf.put_draft(ME, path(&name), draft, NOW);
        };
        let mut left = SHELF_BYTES_MAX;
        while left > 0 {
            let bytes = left.min(UPLOAD_BYTES_MAX);
            put(format!("{left:012}"), bytes).await;
            left -= bytes;
        }
        let before = names(&shelf, ME, NOW).len();

        put("one".to_owned(), 1).await;

        assert_eq!(names(&shelf, ME, NOW).len(), before);
        let oldest = path(&format!("{SHELF_BYTES_MAX:012}"));
        assert_eq!(shelf.look(ME, &oldest, NOW), None);
    }

    #[test]
    fn one_sight_past_the_limit_the_oldest_goes_though_others_were_renamed() {
        let shelf = Shelf::default();
        for at in 0..SIGHTS_MAX {
            shelf.put_sight(ME, taken(&format!("{at:06}")), NOW);
        }
        shelf.rename(ME, &path("000000"), path("renamed"), NOW);
        assert_eq!(names(&shelf, ME, NOW).len(), SIGHTS_MAX);

        shelf.put_sight(ME, taken("new"), NOW);

        let names = names(&shelf, ME, NOW);
        assert_eq!(names.len(), SIGHTS_MAX);
        assert_eq!(names[0], "000002");
        assert!(names.contains(&"renamed".to_owned()));
    }
}
