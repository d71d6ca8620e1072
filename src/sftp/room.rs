//! How much do the sessions of one connection hold together?
//!
//! A connection may have several channels, and each limit of a channel would come as often. What is large
//! is counted here, for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use super::limits::{LISTED_FILES_MAX, WAITING_BYTES_TOGETHER_MAX};

/// What one connection holds.
#[derive(Debug, Default)]
pub(super) struct Room {
    waiting: AtomicUsize,
    listed: AtomicUsize,
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

    /// Says whether one more folder may be listed. It may be of any size.
    pub(super) fn may_list(&self) -> bool {
        self.listed.load(Ordering::Relaxed) < LISTED_FILES_MAX
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
        let small = room.hold(LISTED_FILES_MAX - 1);
        assert!(room.may_list());
        let large = room.hold(LISTED_FILES_MAX * 10);
        assert!(!room.may_list());

        drop(large);

        assert!(room.may_list());
        drop(small);
    }
}
