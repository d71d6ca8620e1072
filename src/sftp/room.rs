//! How much do the sessions of one connection hold together?
//!
//! A connection may have several channels, and each limit of a channel would come as often. What is large
//! is counted here, for all of them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as PlainMutex, MutexGuard as PlainGuard, PoisonError};

use tokio::sync::{Mutex, MutexGuard};

use super::limits::{LISTED_FILES_MAX, LISTED_SMALL_MAX, WAITING_BYTES_TOGETHER_MAX};

/// How many folders a connection remembers to be large; a device has not that many.
const LARGE_FOLDERS_MAX: usize = 1024;

/// What one connection holds.
#[derive(Debug, Default)]
pub(super) struct Room {
    waiting: AtomicUsize,
    listed: AtomicUsize,
    collected: AtomicUsize,
    /// Folders that were not small, so that a refusal of them costs nothing.
    large: PlainMutex<HashSet<String>>,
    /// Whoever lists a folder: one at a time, for before that nobody knows how large it is.
    turn: Mutex<()>,
}

/// Entries of a listing that is open, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    room: Arc<Room>,
    entries: usize,
}

impl Room {
    /// Takes bytes that wait for a session; says whether there was room for them.
    pub(super) fn take_bytes(&self, bytes: usize) -> bool {
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let has_room = before + bytes <= WAITING_BYTES_TOGETHER_MAX;
        if !has_room {
            self.give_bytes(bytes);
        }
        has_room
    }

    /// Gives back what waits no longer.
    pub(super) fn give_bytes(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Waits until nobody else of this connection makes a listing.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Says whether a folder with so many entries may be open beside the others. A small one always may: a mount
    /// is one connection for all programs, and one of them may be in the middle of a large one.
    pub(super) fn may_list(&self, entries: usize) -> bool {
        entries <= LISTED_SMALL_MAX || self.listed.load(Ordering::Relaxed) < LISTED_FILES_MAX
    }

    /// Notes that a document was collected.
    pub(super) fn note_collected(&self) {
        self.collected.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many documents were collected over this connection.
    pub(super) fn collected(&self) -> usize {
        self.collected.load(Ordering::Relaxed)
    }

    /// Says whether a folder was found to be too large to be open beside the others, which still are.
    pub(super) fn is_refused(&self, folder: &str) -> bool {
        !self.may_list(LISTED_SMALL_MAX + 1) && self.large().contains(folder)
    }

    /// Notes how large a folder is.
    pub(super) fn note_size(&self, folder: &str, entries: usize) {
        let mut large = self.large();
        if entries > LISTED_SMALL_MAX && large.len() < LARGE_FOLDERS_MAX {
            large.insert(folder.to_owned());
        }
    }

    fn large(&self) -> PlainGuard<'_, HashSet<String>> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the entries of a listing.
    pub(super) fn hold(self: &Arc<Self>, entries: usize) -> Held {
        self.listed.fetch_add(entries, Ordering::Relaxed);
        Held {
            room: Arc::clone(self),
            entries,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.listed.fetch_sub(self.entries, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn one_folder_of_any_size_is_listed_and_none_past_the_entries_until_it_is_closed() {
        let room = Arc::new(Room::default());
        let (small, large) = (LISTED_SMALL_MAX, LISTED_SMALL_MAX + 1);
        let open = room.hold(LISTED_FILES_MAX - 1);
        assert!(room.may_list(LISTED_FILES_MAX * 10));
        let next = room.hold(LISTED_FILES_MAX * 10);
        assert!(!room.may_list(large));
        assert!(room.may_list(small));
        room.note_size("/large", large);
        room.note_size("/small", small);
        assert!(room.is_refused("/large") && !room.is_refused("/small"));

        drop(next);

        assert!(room.may_list(large) && !room.is_refused("/large"));
        drop(open);
    }
}
