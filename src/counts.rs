//! What has been counted since the program began?
//!
//! Whoever does a thing counts it here, with one relaxed addition and no lock. What is read of it is read
//! one number after the other, so two of them may be a moment apart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows. Each has a line of the processor's cache to itself: lanes that count do not
/// wait for each other.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one more.
    pub fn one(&self) {
        self.add(1);
    }

    /// Counts so many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Returns how many there were.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The upper ends of a histogram's buckets, in microseconds: a mark takes tenths of a millisecond, a document
/// with its disk some tens, and what takes longer than ten seconds is broken.
pub const BOUNDS_US: [u64; 8] = [
    500, 1_000, 5_000, 25_000, 100_000, 500_000, 2_500_000, 10_000_000,
];

/// How long things took, by few buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How many ended in each bucket and in none before it.
    buckets: [AtomicU64; BOUNDS_US.len()],
    /// How many took longer than the last bound.
    longer: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one that took so long.
    pub fn took(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS_US.partition_point(|bound| *bound < us);
        let bucket = self.buckets.get(at).unwrap_or(&self.longer);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Returns how many took as long as each bound or less, how many there were, and all their seconds.
    pub fn read(&self) -> (Vec<u64>, u64, f64) {
        let mut below = 0;
        let counts = self.buckets.iter().map(|bucket| {
            below += bucket.load(Ordering::Relaxed);
            below
        });
        let counts: Vec<_> = counts.collect();
        let all = below + self.longer.load(Ordering::Relaxed);
        let us = self.sum_us.load(Ordering::Relaxed);
        (counts, all, Duration::from_micros(us).as_secs_f64())
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that have logged in.
    pub sessions_begun: Counter,
    /// Those of them that have ended.
    pub sessions_ended: Counter,
    /// Keys that were refused, offered or signed with.
    pub keys_refused: Counter,
    /// Passwords that were refused.
    pub passwords_refused: Counter,
    /// Logins that could not be judged, for the catalog did not answer.
    pub logins_failed: Counter,
    /// Connections that were turned away because too many had not logged in.
    pub turned_startups: Counter,
    /// The same of one network.
    pub turned_network: Counter,
    /// Connections of barred networks.
    pub turned_barred: Counter,
    /// Documents that were kept and offered.
    pub documents_kept: Counter,
    /// Documents that were kept and held.
    pub documents_held: Counter,
    /// Arrivals that were here already.
    pub documents_recognised: Counter,
    /// Documents that nobody can read.
    pub documents_quarantined: Counter,
    /// How long it took until what came together was durable.
    pub ingests: Histogram,
    /// Deliveries read where that does not collect.
    pub deliveries_read: Counter,
    /// Deliveries collected.
    pub deliveries_collected: Counter,
    /// Deliveries processed.
    pub deliveries_processed: Counter,
    /// How long it took until a mark was durable.
    pub marks: Histogram,
    /// Bytes of SSH that came in.
    pub received_bytes: Counter,
    /// Bytes of SSH that went out.
    pub sent_bytes: Counter,
}

impl Counts {
    /// Returns how many connections are logged in now.
    pub fn sessions(&self) -> u64 {
        let ended = self.sessions_ended.read();
        self.sessions_begun.read().saturating_sub(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_as_long_as_a_bound_is_in_its_bucket_and_what_takes_longer_in_the_next() {
        let histogram = Histogram::default();

        for us in [0, 500, 501, 10_000_000, 10_000_001] {
            histogram.took(Duration::from_micros(us));
        }

        let (counts, all, seconds) = histogram.read();
        assert_eq!(counts, [2, 3, 3, 3, 3, 3, 3, 4]);
        assert_eq!(all, 5);
        assert!((seconds - 20.001_002).abs() < 1e-9, "{seconds}");
    }

    #[test]
    fn a_session_that_ended_before_it_was_read_is_not_less_than_none() {
        let counts = Counts::default();
        counts.sessions_ended.one();

        assert_eq!(counts.sessions(), 0);
    }
}
