//! How much do the sessions of one connection hold together, and the connections of one device?
//!
//! A connection may have several channels, and a device several connections, so each limit of a channel would come
//! as often. What is large is counted here, for all of them. Past a bound whoever asks is refused, or ends; nobody
//! else is.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as PlainMutex, MutexGuard as PlainGuard, PoisonError};

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::limits::{
    CHANNELS_ASKED_DEVICE_MAX, CHANNELS_ASKED_MAX, CHANNELS_ASKED_OWN, CHANNELS_DEVICE_MAX,
    CHANNELS_OWN, DRAFT_BYTES_DEVICE_MAX, DRAFT_BYTES_OWN, DRAFTS_DEVICE_MAX, DRAFTS_OWN,
    LISTED_FILES_DEVICE_MAX, LISTED_FILES_MAX, LISTED_SMALL_MAX, LISTED_SMALL_OWN,
    SPANS_DEVICE_MAX, SPANS_OWN, WAITING_BYTES_DEVICE_MAX, WAITING_BYTES_OWN,
    WAITING_BYTES_TOGETHER_MAX,
};
use super::portion::{Bounds, Portion};
use crate::login::{Holdings, Turn};

/// How many folders a connection remembers to be large; a device has not that many.
const LARGE_FOLDERS_MAX: usize = 1024;

/// What each session, or the connection, counts itself. A channel that is closed is not its connection's any more,
/// and is its device's until its session has ended.
const ANY: usize = usize::MAX;

#[rustfmt::skip]
const WAITING:    Bounds = Bounds { own: WAITING_BYTES_OWN, connection: WAITING_BYTES_TOGETHER_MAX, device: WAITING_BYTES_DEVICE_MAX };
#[rustfmt::skip]
const CHANNELS:   Bounds = Bounds { own: CHANNELS_OWN,      connection: ANY,                        device: CHANNELS_DEVICE_MAX };
#[rustfmt::skip]
const SMALL:      Bounds = Bounds { own: LISTED_SMALL_OWN,  connection: ANY,                        device: LISTED_FILES_DEVICE_MAX };
#[rustfmt::skip]
const FILES:      Bounds = Bounds { own: DRAFTS_OWN,        connection: ANY,                        device: DRAFTS_DEVICE_MAX };
#[rustfmt::skip]
const FILE_BYTES: Bounds = Bounds { own: DRAFT_BYTES_OWN,   connection: ANY,                        device: DRAFT_BYTES_DEVICE_MAX };
#[rustfmt::skip]
const SPANS:      Bounds = Bounds { own: SPANS_OWN,         connection: ANY,                        device: SPANS_DEVICE_MAX };

/// What one connection holds.
#[derive(Debug)]
pub(super) struct Room {
    /// What all connections of its device hold.
    device: Arc<Holdings>,
    waiting: Portion,
    channels: Portion,
    small: Portion,
    files: Portion,
    file_bytes: Portion,
    spans: Portion,
    /// Entries in open folders, small ones among them.
    listed: AtomicUsize,
    collected: AtomicUsize,
    /// Channels that were asked for, and how many of them count for the device.
    asked: AtomicUsize,
    asked_of_device: AtomicUsize,
    /// Folders that were not small, so that a refusal of them costs nothing.
    large: PlainMutex<HashSet<String>>,
    /// Whoever lists a folder: one at a time, for before that nobody knows how large it is.
    turn: Arc<Mutex<()>>,
}

/// A channel's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
}

/// Entries of a listing that is open, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    room: Arc<Room>,
    small: usize,
    large: AtomicUsize,
}

/// A file that is being written, until it is dropped.
#[derive(Debug)]
pub(super) struct Unfinished {
    room: Arc<Room>,
    bytes: AtomicU64,
}

/// More channels were asked for than may be; then the connection must end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskedTooOften {
    /// On this connection.
    #[error("it has asked for {CHANNELS_ASKED_MAX} channels")]
    Here,
    /// On all connections of its device.
    #[error("the connections of its device have asked for {CHANNELS_ASKED_DEVICE_MAX} channels")]
    Together,
}

impl Room {
    /// Makes one for a connection of the device that holds this.
    pub(super) fn of(device: Arc<Holdings>) -> Self {
        Self {
            device,
            waiting: Portion::new(WAITING),
            channels: Portion::new(CHANNELS),
            small: Portion::new(SMALL),
            files: Portion::new(FILES),
            file_bytes: Portion::new(FILE_BYTES),
            spans: Portion::new(SPANS),
            listed: AtomicUsize::default(),
            collected: AtomicUsize::default(),
            asked: AtomicUsize::default(),
            asked_of_device: AtomicUsize::default(),
            large: PlainMutex::default(),
            turn: Arc::default(),
        }
    }

    /// Takes bytes that wait for a session; says whether there was room for them.
    pub(super) fn take_bytes(&self, bytes: usize) -> bool {
        self.waiting.take(&self.device.waiting, bytes)
    }

    /// Gives back what waits no longer.
    pub(super) fn give_bytes(&self, bytes: usize) {
        self.waiting.give(&self.device.waiting, bytes);
    }

    /// Counts a channel that was asked for.
    ///
    /// # Errors
    ///
    /// Past the most.
    pub(super) fn ask_channel(&self) -> Result<(), AskedTooOften> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let collected = self.collected();
        if asked > CHANNELS_ASKED_MAX + collected {
            return Err(AskedTooOften::Here);
        }
        if asked <= CHANNELS_ASKED_OWN + collected {
            return Ok(());
        }
        let most = CHANNELS_ASKED_DEVICE_MAX + self.device.collected.count();
        if !self.device.asked.try_add(1, most) {
            return Err(AskedTooOften::Together);
        }
        self.asked_of_device.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Opens a channel, if there may be one more.
    pub(super) fn channel(self: &Arc<Self>) -> Option<Place> {
        let has_room = self.channels.take(&self.device.channels, 1);
        has_room.then(|| Place {
            room: Arc::clone(self),
        })
    }

    /// Waits until nobody else of this connection makes a listing, or has one read that is sent meanwhile.
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Returns what its device holds.
    pub(super) fn device(&self) -> &Holdings {
        &self.device
    }

    /// Waits until each large folder of the device that is open is counted to its end, if so many entries are those of
    /// one, or of its first part. Until it is counted itself the turn is its own.
    pub(super) async fn turn_to_count(&self, entries: usize) -> Option<Turn> {
        if is_small(entries) {
            return None;
        }
        Some(self.device.turn_to_count().await)
    }

    /// Holds the entries of a listing; none if it may not be open beside the others. A small one nearly always may:
    /// a mount is one connection for all programs, and one of them may be in the middle of a large one.
    pub(super) fn hold(self: &Arc<Self>, entries: usize) -> Option<Held> {
        let has_room = if is_small(entries) {
            self.small.take(&self.device.small, entries)
        } else {
            self.listed.load(Ordering::Relaxed) < LISTED_FILES_MAX
                && (self.device.large).add_below(entries, LISTED_FILES_DEVICE_MAX)
        };
        if !has_room {
            return None;
        }
        self.listed.fetch_add(entries, Ordering::Relaxed);
        let (small, large) = if is_small(entries) {
            (entries, 0)
        } else {
            (0, entries)
        };
        Some(Held {
            room: Arc::clone(self),
            small,
            large: large.into(),
        })
    }

    /// Notes that a document was collected.
    pub(super) fn note_collected(&self) {
        self.collected.fetch_add(1, Ordering::Relaxed);
        self.device.collected.add(1);
    }

    fn collected(&self) -> usize {
        self.collected.load(Ordering::Relaxed)
    }

    /// Says whether a folder was found to be too large to be open beside the others, which still are.
    pub(super) fn is_refused(&self, folder: &str) -> bool {
        let is_full = self.listed.load(Ordering::Relaxed) >= LISTED_FILES_MAX
            || self.device.large.count() >= LISTED_FILES_DEVICE_MAX;
        is_full && self.large().contains(folder)
    }

    /// Notes how large a folder is.
    pub(super) fn note_size(&self, folder: &str, entries: usize) {
        let mut large = self.large();
        if !is_small(entries) && large.len() < LARGE_FOLDERS_MAX {
            large.insert(folder.to_owned());
        }
    }

    /// Takes room for one more separate span of what was read; says whether there was.
    pub(super) fn take_span(&self) -> bool {
        self.spans.take(&self.device.spans, 1)
    }

    /// Gives back what has joined, or is not remembered any more.
    pub(super) fn give_spans(&self, count: usize) {
        self.spans.give(&self.device.spans, count);
    }

    fn large(&self) -> PlainGuard<'_, HashSet<String>> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a file, if one more may be written.
    pub(super) fn begin_file(self: &Arc<Self>) -> Option<Unfinished> {
        let has_room = self.files.take(&self.device.files, 1);
        has_room.then(|| Unfinished {
            room: Arc::clone(self),
            bytes: AtomicU64::default(),
        })
    }
}

fn is_small(entries: usize) -> bool {
    entries <= LISTED_SMALL_MAX
}

impl Drop for Room {
    fn drop(&mut self) {
        let Self { device, .. } = self;
        device.asked.subtract(*self.asked_of_device.get_mut());
        device.collected.subtract(*self.collected.get_mut());
    }
}

impl Place {
    /// Returns the room that it is in.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.channels.give(&self.room.device.channels, 1);
    }
}

impl Held {
    /// Counts more entries of the same folder, which may be of any size.
    pub(super) fn grow(&self, entries: usize) {
        self.large.fetch_add(entries, Ordering::Relaxed);
        self.room.listed.fetch_add(entries, Ordering::Relaxed);
        self.room.device.large.add(entries);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (room, large) = (&self.room, *self.large.get_mut());
        room.listed.fetch_sub(self.small + large, Ordering::Relaxed);
        if self.small > 0 {
            room.small.give(&room.device.small, self.small);
        }
        room.device.large.subtract(large);
    }
}

impl Unfinished {
    /// Takes room for a file of this size; says whether there was. One that is shorter gives room back.
    pub(super) fn resize(&self, bytes: u64) -> bool {
        let room = &self.room;
        let (sum, had) = (&room.device.file_bytes, self.bytes.load(Ordering::Relaxed));
        let has_room = if bytes > had {
            room.file_bytes.take(sum, size(bytes - had))
        } else {
            room.file_bytes.give(sum, size(had - bytes));
            true
        };
        if has_room {
            self.bytes.store(bytes, Ordering::Relaxed);
        }
        has_room
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.resize(0);
        self.room.files.give(&self.room.device.files, 1);
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
impl Default for Room {
    fn default() -> Self {
        Self::of(Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sftp::limits::{CHANNELS_MAX, WAITING_BYTES_SOFT};

    /// So many connections of one device.
    fn connections(device: &Arc<Holdings>, count: usize) -> Vec<Arc<Room>> {
        let room = |_| Arc::new(Room::of(Arc::clone(device)));
        (0..count).map(room).collect()
    }

    #[test]
    fn one_byte_past_what_may_wait_together_has_no_room_until_some_is_given_back() {
        let room = Room::default();
        assert!(room.take_bytes(WAITING_BYTES_TOGETHER_MAX));
        assert!(!room.take_bytes(1));
        assert!(!room.take_bytes(1), "what was refused is not counted");

        room.give_bytes(1);

        assert!(room.take_bytes(1));
    }

    #[test]
    fn uploads_on_each_connection_to_a_slow_disk_are_within_the_bound_of_their_device() {
        let device = Arc::<Holdings>::default();
        let most = crate::login::SESSIONS_PER_DEVICE_MAX.get().into();
        for room in &connections(&device, most) {
            assert!(room.take_bytes(WAITING_BYTES_SOFT));
        }
    }

    #[test]
    fn one_folder_of_any_size_is_listed_and_none_past_the_entries_until_it_is_closed() {
        let room = Arc::new(Room::default());
        let (small, large) = (LISTED_SMALL_MAX, LISTED_SMALL_MAX + 1);
        let open = room.hold(LISTED_FILES_MAX - 1).unwrap();
        let next = room.hold(LISTED_FILES_MAX * 10).unwrap();
        assert!(room.hold(large).is_none());
        assert!(room.hold(small).is_some());
        room.note_size("/large", large);
        room.note_size("/small", small);
        assert!(room.is_refused("/large") && !room.is_refused("/small"));

        drop(next);

        assert!(!room.is_refused("/large") && room.hold(large).is_some());
        drop(open);
        assert_eq!(room.device.large.count() + room.device.small.count(), 0);
    }

    #[test]
    fn what_comes_of_a_folder_counts_as_it_comes_and_is_never_refused() {
        let room = Arc::new(Room::default());
        let large = LISTED_SMALL_MAX + 1;
        let open = room.hold(large).unwrap();
        let other = room.hold(large).unwrap();

        open.grow(LISTED_FILES_MAX);
        open.grow(LISTED_FILES_DEVICE_MAX);

        let sum = 2 * large + LISTED_FILES_MAX + LISTED_FILES_DEVICE_MAX;
        assert_eq!(room.device.large.count(), sum);
        drop(other);
        room.note_size("/large", large);
        assert!(room.is_refused("/large") && room.hold(large).is_none());
        drop(open);
        assert!(!room.is_refused("/large") && room.hold(large).is_some());
        assert_eq!(room.device.large.count(), 0);
    }

    #[tokio::test]
    async fn a_large_folder_is_counted_after_another_and_a_small_one_waits_for_none() {
        let device = Arc::<Holdings>::default();
        let rooms = connections(&device, 2);
        let large = LISTED_SMALL_MAX + 1;
        let turn = rooms[0].turn_to_count(large).await;
        assert!(turn.is_some());

        assert!(rooms[1].turn_to_count(LISTED_SMALL_MAX).await.is_none());
        tokio::select! {
            biased;
            _ = rooms[1].turn_to_count(large) => panic!("the first is not counted yet"),
            () = tokio::task::yield_now() => {}
        }
        drop(turn);

        assert!(rooms[1].turn_to_count(large).await.is_some());
    }

    #[test]
    fn the_connections_of_a_device_list_no_further_folder_past_its_entries_and_others_do() {
        let device = Arc::<Holdings>::default();
        let (small, large) = (LISTED_SMALL_MAX, LISTED_SMALL_MAX + 1);
        let rooms = connections(&device, LISTED_FILES_DEVICE_MAX / LISTED_FILES_MAX + 1);
        let (last, rest) = rooms.split_last().unwrap();
        let mut open: Vec<_> = rest
            .iter()
            .map(|room| room.hold(LISTED_FILES_MAX))
            .collect();
        assert!(open.iter().all(Option::is_some));

        assert!(last.hold(large).is_none(), "it has none open itself");
        last.note_size("/large", large);
        assert!(last.is_refused("/large"));
        assert!(last.hold(small).is_some());
        assert!(Arc::new(Room::default()).hold(large).is_some(), "another");
        open.pop();
        assert!(last.hold(large).is_some());
        drop(open);
        assert_eq!(device.large.count(), 0);
    }

    #[test]
    fn a_connection_has_small_folders_of_its_own_and_none_past_those_of_its_device() {
        let device = Arc::<Holdings>::default();
        let rooms = connections(&device, 2);
        let most = (LISTED_SMALL_OWN + LISTED_FILES_DEVICE_MAX) / LISTED_SMALL_MAX;
        let hold = |room: &Arc<Room>| room.hold(LISTED_SMALL_MAX);
        let greedy: Vec<_> = (0..most).map(|_| hold(&rooms[0])).collect();
        assert!(greedy.iter().all(Option::is_some) && hold(&rooms[0]).is_none());

        let own: Vec<_> = (0..LISTED_SMALL_OWN / LISTED_SMALL_MAX)
            .map(|_| hold(&rooms[1]))
            .collect();

        assert!(own.iter().all(Option::is_some) && hold(&rooms[1]).is_none());
        drop((greedy, own));
        assert_eq!(device.small.count(), 0);
    }

    #[test]
    fn each_connection_has_a_channel_and_none_past_those_of_its_device() {
        let device = Arc::<Holdings>::default();
        let rooms = connections(&device, 9);
        let (last, rest) = rooms.split_last().unwrap();
        let open: Vec<_> = rest
            .iter()
            .flat_map(|room| (0..CHANNELS_MAX).map(|_| room.channel()))
            .collect();
        let is_open = |place: &&Option<Place>| place.is_some();
        assert_eq!(open.iter().filter(is_open).count(), 8 + CHANNELS_DEVICE_MAX);

        let own = last.channel();

        assert!(own.is_some() && last.channel().is_none());
        drop(open);
        assert!(last.channel().is_some());
    }

    #[test]
    fn channels_that_were_asked_for_count_until_their_connection_ends_less_what_was_collected() {
        let device = Arc::<Holdings>::default();
        let mut rooms = connections(&device, 4);
        let ask = |room: &Room, count| (0..count).try_for_each(|_| room.ask_channel());
        for room in &rooms[..2] {
            assert_eq!(ask(room, CHANNELS_ASKED_MAX), Ok(()));
            assert_eq!(ask(room, 1), Err(AskedTooOften::Here));
        }
        let third = CHANNELS_ASKED_DEVICE_MAX - 2 * (CHANNELS_ASKED_MAX - CHANNELS_ASKED_OWN);
        assert_eq!(ask(&rooms[2], CHANNELS_ASKED_OWN + third), Ok(()));
        assert_eq!(ask(&rooms[2], 1), Err(AskedTooOften::Together));
        assert_eq!(ask(&rooms[3], CHANNELS_ASKED_OWN), Ok(()));
        assert_eq!(ask(&rooms[3], 1), Err(AskedTooOften::Together));

        rooms[0].note_collected();
        assert_eq!(ask(&rooms[3], 1), Ok(()));
        rooms.remove(1);
        assert_eq!(ask(&rooms[2], 1000), Ok(()));

        drop(rooms);
        assert_eq!((device.asked.count(), device.collected.count()), (0, 0));
    }

    #[test]
    fn one_file_and_one_byte_past_what_a_device_may_write_have_no_room() {
        let device = Arc::<Holdings>::default();
        let rooms = connections(&device, 2);
        let most = DRAFTS_OWN + DRAFTS_DEVICE_MAX;
        let mut files: Vec<_> = (0..most).map(|_| rooms[0].begin_file().unwrap()).collect();
        assert!(rooms[0].begin_file().is_none());
        let (all, own) = (
            DRAFT_BYTES_OWN + DRAFT_BYTES_DEVICE_MAX,
            DRAFT_BYTES_OWN as u64,
        );
        assert!(files[0].resize(all as u64));
        assert!(!files[1].resize(1));

        // The other connection has its own.
        let other = rooms[1].begin_file().unwrap();
        assert!(other.resize(own) && !other.resize(own + 1));
        assert!(files[0].resize(5) && other.resize(own + 1));

        files.pop();
        assert!(rooms[0].begin_file().is_some());
        drop((files, other));
        assert_eq!((device.files.count(), device.file_bytes.count()), (0, 0));
    }
}
