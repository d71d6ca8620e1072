//! What was an open file given, and who else of its device needs the memory of that?
//!
//! Nearly all read in order, or a little ahead, and leave a span or two. Whoever reads every second byte leaves
//! thousands, which are counted with those of the device's other open files.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::room::Room;
use crate::mark::{Reads, lock};
use crate::model::Timestamp;

/// What one open file was given, until nobody asks for it any more.
pub(super) struct Given {
    reads: Reads,
    room: Arc<Room>,
    /// Its separate spans but the first, which takes no more than the handle does anyway.
    counted: AtomicUsize,
}

impl Given {
    pub(super) fn new(reads: Reads, room: Arc<Room>) -> Self {
        Self {
            reads,
            room,
            counted: AtomicUsize::default(),
        }
    }

    pub(super) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Counts bytes that the channel accepted. A span for which there is no room, and which joins no other, is not
    /// counted: that errs towards a second fetch.
    pub(super) fn accepted(&self, span: Range<u64>, now: Timestamp) {
        let mut reads = lock(&self.reads);
        let known = reads.coverage();
        let is_further = !known.is_empty() && !known.joins(&span);
        if is_further && !self.room.take_span() {
            return;
        }
        reads.accepted(span, now);
        let spans = reads.coverage().spans().len().saturating_sub(1);
        let had = self.counted.swap(spans, Ordering::Relaxed) + usize::from(is_further);
        self.room.give_spans(had.saturating_sub(spans));
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        self.room.give_spans(*self.counted.get_mut());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::limits::{SPANS_DEVICE_MAX, SPANS_OWN};
    use super::*;
    use crate::collect::HandleReads;
    use crate::login::Holdings;

    const NOW: Timestamp = Timestamp(1);

    fn given(room: &Arc<Room>) -> Given {
        let reads = Arc::new(Mutex::new(HandleReads::opened(NOW)));
        Given::new(reads, Arc::clone(room))
    }

    fn spans(given: &Given) -> usize {
        lock(given.reads()).coverage().spans().len()
    }

    /// Two files whose spans are all that the connection has for its own; the first of each is not counted.
    fn fill_own(room: &Arc<Room>) -> [Given; 2] {
        let of = |count: usize| {
            let file = given(room);
            for at in 0..count as u64 {
                file.accepted(2 * at..2 * at + 1, NOW);
            }
            file
        };
        [of(SPANS_OWN), of(2)]
    }

    #[test]
    fn one_span_past_those_of_a_device_is_not_counted_until_others_join() {
        let device = Arc::<Holdings>::default();
        let room = Arc::new(Room::of(Arc::clone(&device)));
        assert!(device.spans.try_add(SPANS_DEVICE_MAX - 1, SPANS_DEVICE_MAX));
        let others = fill_own(&room);
        let one = given(&room);

        for at in [0, 2, 4] {
            one.accepted(at..at + 1, NOW);
        }
        assert_eq!(
            spans(&one),
            2,
            "the first, and the last for which there is room"
        );
        one.accepted(1..2, NOW); // what joins is counted, and gives room
        assert_eq!(spans(&one), 1);
        one.accepted(4..5, NOW);
        assert_eq!(spans(&one), 2);

        drop((one, others));
        assert_eq!(device.spans.count(), SPANS_DEVICE_MAX - 1);
    }

    #[test]
    fn a_connection_has_spans_of_its_own_whatever_the_others_of_its_device_hold() {
        let device = Arc::<Holdings>::default();
        device.spans.add(SPANS_DEVICE_MAX);
        let room = Arc::new(Room::of(device));

        let others = fill_own(&room);
        let one = given(&room);
        one.accepted(0..1, NOW);
        one.accepted(2..3, NOW);

        assert_eq!(others.each_ref().map(spans), [SPANS_OWN, 2]);
        assert_eq!(spans(&one), 1, "past its own there is no room");
    }
}
