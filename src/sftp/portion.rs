//! How much of one thing has a connection, and how much of that counts for its device?
//!
//! Some of it is every connection's own, so that no other of its device can take that away; the rest is counted
//! for all of them together.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::login::Sum;

/// How much of one thing there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Of a connection, whatever the others of its device have.
    pub(super) own: usize,
    /// Of a connection.
    pub(super) connection: usize,
    /// Of a device, beside what is its connections' own.
    pub(super) device: usize,
}

/// What a connection has of it.
#[derive(Debug)]
pub(super) struct Portion {
    bounds: Bounds,
    had: AtomicUsize,
}

impl Portion {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            had: AtomicUsize::new(0),
        }
    }

    /// Takes so much; says whether there was room for it, here and in what its device has together.
    pub(super) fn take(&self, device: &Sum, count: usize) -> bool {
        let before = self.had.fetch_add(count, Ordering::Relaxed);
        let after = before.saturating_add(count);
        let more = self.counted(after) - self.counted(before);
        let fits = after <= self.bounds.connection;
        if fits && (more == 0 || device.try_add(more, self.bounds.device)) {
            return true;
        }
        // What it had may have changed meanwhile, so what comes off is not always what was not added.
        let back = self.take_off(count);
        if more > back {
            device.add(more - back);
        } else if back > more {
            device.subtract(back - more);
        }
        false
    }

    /// Gives back what was taken.
    pub(super) fn give(&self, device: &Sum, count: usize) {
        let back = self.take_off(count);
        if back > 0 {
            device.subtract(back);
        }
    }

    fn take_off(&self, count: usize) -> usize {
        let before = self.had.fetch_sub(count, Ordering::Relaxed);
        self.counted(before) - self.counted(before.saturating_sub(count))
    }

    /// How much of this counts for the device.
    fn counted(&self, had: usize) -> usize {
        had.saturating_sub(self.bounds.own)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        own: 3,
        connection: 8,
        device: 7,
    };

    proptest! {
        #[test]
        fn what_a_device_has_is_what_its_connections_have_past_their_own(
            asked in proptest::collection::vec((0_usize..3, 0_usize..6), 0..60),
        ) {
            let device = Sum::default();
            let connections = [(); 3].map(|()| Portion::new(BOUNDS));
            let mut taken = [const { Vec::new() }; 3];
            for (at, count) in asked {
                // None is to give back what was taken last.
                if count == 0 {
                    if let Some(count) = taken[at].pop() {
                        connections[at].give(&device, count);
                    }
                    continue;
                }
                let sums = [0, 1, 2].map(|at| taken[at].iter().sum::<usize>());
                let past = |sum: usize| sum.saturating_sub(BOUNDS.own);
                let all: usize = sums.map(past).into_iter().sum();
                let sum = sums[at] + count;
                let fits = sum <= BOUNDS.connection
                    && (sum <= BOUNDS.own || all - past(sums[at]) + past(sum) <= BOUNDS.device);
                prop_assert_eq!(connections[at].take(&device, count), fits);
                if fits {
                    taken[at].push(count);
                }
            }
            for at in 0..3 {
                for count in taken[at].drain(..) {
                    connections[at].give(&device, count);
                }
            }
            prop_assert_eq!(device.count(), 0);
        }
    }
}
