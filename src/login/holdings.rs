//! What do the connections of one device hold together?
//!
//! Sums, and nothing else: whoever counts here says how much may be. They begin with the first connection of a
//! device and go with the last one.

use core::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::Timestamp;

/// Listings that the connections of a device make at the same time. Two, so that a small folder need not wait for
/// a large one; and not more, for nobody knows before how large one is.
pub const LISTINGS_DEVICE_MAX: usize = 2;

/// How far the clock may be set back before the device's own time goes back with it, in milliseconds: a day. What was
/// wrong by more is for nothing that is written down.
const SET_BACK_MS_MAX: i64 = 24 * 60 * 60 * 1000;

/// What the connections of one device hold.
#[derive(Debug)]
pub struct Holdings {
    /// Bytes of requests that wait, beside what each connection may have anyway.
    pub waiting: Sum,
    /// Channels that are open, beside the same.
    pub channels: Sum,
    /// Channels that were asked for on the connections that are here, beside the same.
    pub asked: Sum,
    /// Documents that were collected over them.
    pub collected: Sum,
    /// Entries in the large folders that are open.
    pub large: Sum,
    /// Entries in the small ones, beside what each connection may have anyway.
    pub small: Sum,
    /// Files of listings that sessions remember.
    pub remembered: Sum,
    /// Files that are being written, beside what each connection may have anyway.
    pub files: Sum,
    /// Their bytes, beside the same.
    pub file_bytes: Sum,
    /// Separate spans of what open files were given, beside the same.
    pub spans: Sum,
    listing: Arc<Semaphore>,
    counting: Arc<Semaphore>,
    /// The latest time that any of them has seen.
    latest: AtomicI64,
}

impl Default for Holdings {
    fn default() -> Self {
        Self {
            waiting: Sum::default(),
            channels: Sum::default(),
            asked: Sum::default(),
            collected: Sum::default(),
            large: Sum::default(),
            small: Sum::default(),
            remembered: Sum::default(),
            files: Sum::default(),
            file_bytes: Sum::default(),
            spans: Sum::default(),
            listing: Arc::new(Semaphore::new(LISTINGS_DEVICE_MAX)),
            counting: Arc::new(Semaphore::new(1)),
            latest: AtomicI64::new(i64::MIN),
        }
    }
}

impl Holdings {
    /// Waits until fewer than [`LISTINGS_DEVICE_MAX`] listings are made.
    pub async fn turn_to_list(&self) -> Turn {
        Turn::of(&self.listing).await
    }

    /// Waits until nobody counts a large folder that is still read: two of them would else both fit.
    pub async fn turn_to_count(&self) -> Turn {
        Turn::of(&self.counting).await
    }

    /// Returns what time it is for the device's connections: what the clock says, but not less than before while one
    /// of them is there. What one of them marks is no older than the others, nor newer than what they see next.
    pub fn time(&self, clock: Timestamp) -> Timestamp {
        self.pass(clock, 0)
    }

    /// Returns since when a session is that begins now: after all that the others have marked.
    pub fn begin(&self, clock: Timestamp) -> Timestamp {
        self.pass(clock, 1)
    }

    fn pass(&self, Timestamp(clock): Timestamp, step: i64) -> Timestamp {
        let next = |latest: i64| {
            let is_back = clock < latest && latest.saturating_sub(clock) <= SET_BACK_MS_MAX;
            if is_back { latest + step } else { clock }
        };
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        let before = self
            .latest
            .fetch_update(set, get, |latest| Some(next(latest)));
        Timestamp(before.map_or(clock, next))
    }

    /// Remembers so many files, unless there would be more than `most`.
    pub fn remember(self: &Arc<Self>, files: usize, most: usize) -> Option<Remembered> {
        if !self.remembered.try_add(files, most) {
            return None;
        }
        let device = Arc::clone(self);
        Some(Remembered { device, files })
    }
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turn {
    async fn of(turns: &Arc<Semaphore>) -> Self {
        let turn = Arc::clone(turns).acquire_owned().await;
        let permit = turn.ok(); // they are never closed
        Self { _permit: permit }
    }
}

/// Files of a listing that are remembered, until it is dropped.
#[derive(Debug)]
pub struct Remembered {
    device: Arc<Holdings>,
    files: usize,
}

impl Drop for Remembered {
    fn drop(&mut self) {
        self.device.remembered.subtract(self.files);
    }
}

/// How many of one thing there are.
#[derive(Debug, Default)]
pub struct Sum(AtomicUsize);

impl Sum {
    /// Adds, unless there would be more than `most`; says whether it has. Who is refused changes nothing, so that
    /// nobody else is refused for him.
    pub fn try_add(&self, count: usize, most: usize) -> bool {
        self.update(|now| now.checked_add(count).filter(|sum| *sum <= most))
    }

    /// Adds however many, unless there are `enough` already; says whether it has.
    pub fn add_below(&self, count: usize, enough: usize) -> bool {
        self.update(|now| (now < enough).then(|| now.saturating_add(count)))
    }

    /// Adds.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes away what was added.
    pub fn subtract(&self, count: usize) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn update(&self, next: impl FnMut(usize) -> Option<usize>) -> bool {
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        self.0.fetch_update(set, get, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_changes_nothing() {
        let sum = Sum::default();
        assert!(sum.try_add(9, 10));
        assert!(!sum.try_add(2, 10) && !sum.try_add(usize::MAX, 10));
        assert!(sum.try_add(1, 10));
        assert!(!sum.add_below(1, 10));
        sum.subtract(1);
        assert!(sum.add_below(100, 10));
        assert_eq!(sum.count(), 109);
    }

    #[test]
    fn one_file_more_than_may_be_remembered_is_not_until_others_are_forgotten() {
        let device = Arc::<Holdings>::default();
        let kept = device.remember(10, 10).unwrap();
        assert!(device.remember(1, 10).is_none());

        drop(kept);

        assert!(device.remember(10, 10).is_some());
    }

    #[test]
    fn a_clock_that_is_set_back_by_a_day_stands_still_and_one_by_more_is_believed() {
        let device = Holdings::default();
        let (time, begin) = (
            |at: i64| device.time(Timestamp(at)).0,
            |at: i64| device.begin(Timestamp(at)).0,
        );
        let now = 10 * SET_BACK_MS_MAX;

        assert_eq!((begin(now), begin(now), time(now + 5)), (now, now, now + 5));
        assert_eq!((time(now), time(now + 4)), (now + 5, now + 5));
        assert_eq!(
            (begin(now), begin(now)),
            (now + 6, now + 7),
            "one after the other"
        );
        assert_eq!((time(now + 7), begin(now + 8)), (now + 7, now + 8));
        let (back, further) = (now + 8 - SET_BACK_MS_MAX, now + 7 - SET_BACK_MS_MAX);
        assert_eq!(time(back), now + 8);
        assert_eq!((time(further), begin(further)), (further, further));
    }

    #[tokio::test]
    async fn one_listing_more_than_may_be_made_at_a_time_waits() {
        let device = Holdings::default();
        let turns = [device.turn_to_list().await, device.turn_to_list().await];
        assert_eq!(turns.len(), LISTINGS_DEVICE_MAX);
        assert!(device.listing.try_acquire().is_err());

        drop(turns);

        assert!(device.listing.try_acquire().is_ok());
    }
}
