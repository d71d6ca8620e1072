//! How does what a peer sends wait for its turn?
//!
//! The connection's loop must never wait for the session while the session waits to send: then neither
//! would read the peer's leave to send more, and nothing would end it. So everything is taken at
//! once, up to a bound in bytes. Only while the session is *not* sending, but behind with its disk,
//! may the loop wait for room: that is how an upload is slowed down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::Notify;

use super::blocks::Blocks;
use super::limits::{
    WAITING_BYTES_DEVICE_MAX, WAITING_BYTES_MAX, WAITING_BYTES_SOFT, WAITING_BYTES_TOGETHER_MAX,
};
use super::room::Place;

/// What waits between a connection's loop and a session.
#[derive(Debug)]
pub(super) struct Intake {
    state: Mutex<State>,
    /// Counts what waits with what waits on the other channels of the connection, and of its device.
    place: Place,
    sending: AtomicBool,
    /// Wakes the session: bytes, or the end.
    came: Notify,
    /// Wakes the loop: room, or the session has begun to send.
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Blocks,
    end: Option<Ended>,
}

/// How a peer's stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The channel was closed by its peer.
    InOrder,
    /// The connection died, or was ended by us.
    Broken,
}

/// More requests wait than a peer may leave waiting while it takes no answers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {WAITING_BYTES_MAX} bytes of requests, {WAITING_BYTES_TOGETHER_MAX} on all channels, or {WAITING_BYTES_DEVICE_MAX} on all connections of its device, while no answer is taken"
)]
pub(super) struct Overrun;

impl Intake {
    /// Makes one for a channel that has this place.
    pub(super) fn of(place: Place) -> Self {
        Self {
            state: Mutex::default(),
            place,
            sending: AtomicBool::default(),
            came: Notify::default(),
            moved: Notify::default(),
        }
    }

    /// Takes what came in. Waits only for a session that is busy with something other than sending.
    ///
    /// # Errors
    ///
    /// When the bound is passed; then the connection must end.
    pub(super) async fn push(&self, bytes: &[u8]) -> Result<(), Overrun> {
        loop {
            let moved = self.moved.notified();
            {
                let mut state = self.lock();
                if state.end.is_some() {
                    return Ok(()); // nobody takes it any more
                }
                let waiting = state.waiting.len();
                let may_wait = !self.sending.load(Ordering::SeqCst);
                if waiting < WAITING_BYTES_SOFT || !may_wait {
                    let fits = waiting + bytes.len() <= WAITING_BYTES_MAX;
                    if fits && self.place.room().take_bytes(bytes.len()) {
                        state.waiting.push(bytes);
                        self.came.notify_one();
                        return Ok(());
                    }
                    // A session that is behind with its disk takes what waits, and wakes this; one that has
                    // nothing does not.
                    if !may_wait || waiting == 0 {
                        return Err(Overrun);
                    }
                }
            }
            moved.await;
        }
    }

    /// Ends the stream. What waits is still served when it ended in order; the first end counts.
    pub(super) fn end(&self, how: Ended) {
        self.lock().end.get_or_insert(how);
        self.came.notify_one();
        self.moved.notify_waiters();
    }

    /// Returns what came in, or how it ended, waiting for one of them.
    pub(super) async fn take(&self) -> Result<BytesMut, Ended> {
        loop {
            let came = self.came.notified();
            if let Some(taken) = self.try_take() {
                return taken;
            }
            came.await;
        }
    }

    /// Returns some of what came in, or how it ended; none while there is nothing.
    pub(super) fn try_take(&self) -> Option<Result<BytesMut, Ended>> {
        let mut state = self.lock();
        if state.end == Some(Ended::Broken) {
            return Some(Err(Ended::Broken));
        }
        if let Some(taken) = state.waiting.take() {
            self.place.room().give_bytes(taken.len());
            self.moved.notify_waiters();
            return Some(Ok(taken));
        }
        state.end.map(Err)
    }

    /// Returns some of what came in and was not taken, however it ended.
    pub(super) fn left(&self) -> Option<BytesMut> {
        let left = self.lock().waiting.take()?;
        self.place.room().give_bytes(left.len());
        Some(left)
    }

    /// Says whether the session waits to send, so that the loop never waits for it meanwhile.
    pub(super) fn set_sending(&self, sending: bool) {
        self.sending.store(sending, Ordering::SeqCst);
        if sending {
            self.moved.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        while self.left().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::limits::{TAKEN_BYTES_MAX, WAITING_BYTES_OWN};
    use super::super::room::Room;
    use super::*;
    use crate::login::Holdings;

    impl Default for Intake {
        fn default() -> Self {
            Self::of(Arc::new(Room::default()).channel().unwrap())
        }
    }

    #[tokio::test]
    async fn a_peer_that_takes_no_answers_is_stopped_at_the_bound() {
        let intake = Intake::default();
        intake.set_sending(true);
        let block = vec![0; 1024 * 1024];

        for _ in 0..WAITING_BYTES_MAX / block.len() {
            intake.push(&block).await.unwrap();
        }

        assert_eq!(intake.push(&[0]).await, Err(Overrun));
    }

    #[tokio::test]
    async fn a_peer_that_takes_no_answers_on_any_channel_is_stopped_at_the_bound_of_all() {
        let room = Arc::new(Room::default());
        let channels = [(); 4].map(|()| Intake::of(room.channel().unwrap()));
        let block = vec![0; WAITING_BYTES_TOGETHER_MAX / channels.len()];
        for intake in &channels {
            intake.set_sending(true);
            intake.push(&block).await.unwrap();
        }
        assert_eq!(channels[0].push(&[0]).await, Err(Overrun));

        let taken = channels[1].take().await.unwrap();

        assert_eq!(taken.len(), TAKEN_BYTES_MAX, "it is taken in pieces");
        assert_eq!(channels[0].push(&taken).await, Ok(()));
        drop(channels);
        assert!(room.take_bytes(WAITING_BYTES_TOGETHER_MAX));
    }

    #[tokio::test]
    async fn a_peer_that_takes_no_answers_on_any_connection_of_its_device_is_stopped_and_no_other_is()
     {
        let device = Arc::<Holdings>::default();
        let connection = |device: &Arc<Holdings>| {
            let room = Arc::new(Room::of(Arc::clone(device)));
            let intake = Intake::of(room.channel().unwrap());
            intake.set_sending(true);
            intake
        };
        let greedy = [(); 8].map(|()| connection(&device));
        let together = WAITING_BYTES_DEVICE_MAX + greedy.len() * WAITING_BYTES_OWN;
        let block = vec![0; together / greedy.len()];
        for intake in &greedy {
            intake.push(&block).await.unwrap();
        }

        assert_eq!(greedy[0].push(&[0]).await, Err(Overrun));

        // What is its own nobody takes from the next, and another device does not know of it.
        let next = connection(&device);
        assert_eq!(next.push(&vec![0; WAITING_BYTES_OWN]).await, Ok(()));
        assert_eq!(next.push(&[0]).await, Err(Overrun));
        let other = connection(&Arc::default());
        assert_eq!(other.push(&block).await, Ok(()));
        // And it is free again with the connection that had it.
        let [one, rest @ ..] = greedy;
        drop(one);
        assert_eq!(next.push(&[0]).await, Ok(()));
        drop((rest, next));
        assert_eq!(device.waiting.count(), 0);
    }

    #[tokio::test]
    async fn a_slow_disk_slows_an_upload_and_a_full_window_does_not_stop_the_loop() {
        let intake = Arc::new(Intake::default());
        intake.push(&vec![0; WAITING_BYTES_SOFT]).await.unwrap();
        let pushing = tokio::spawn({
            let intake = Arc::clone(&intake);
            async move { intake.push(&[1]).await }
        });
        tokio::task::yield_now().await;
        assert!(!pushing.is_finished(), "it waits for the disk");

        intake.set_sending(true);

        assert_eq!(pushing.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn an_upload_is_slowed_and_not_cut_off_where_its_device_has_no_more() {
        let device = Arc::<Holdings>::default();
        let connection = || Arc::new(Room::of(Arc::clone(&device)));
        let greedy = [(); 3].map(|()| connection());
        for room in &greedy {
            assert!(room.take_bytes(WAITING_BYTES_DEVICE_MAX / 3 + WAITING_BYTES_OWN));
        }
        let own = connection();
        let intake = Arc::new(Intake::of(own.channel().unwrap()));
        intake.push(&vec![0; WAITING_BYTES_OWN]).await.unwrap();
        let pushing = tokio::spawn({
            let intake = Arc::clone(&intake);
            async move { intake.push(&[1]).await }
        });
        tokio::task::yield_now().await;
        assert!(!pushing.is_finished(), "it waits for the disk");

        drop(intake.try_take());

        assert_eq!(pushing.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn what_comes_after_the_end_makes_nobody_wait() {
        let intake = Intake::default();
        intake.push(&vec![0; WAITING_BYTES_SOFT]).await.unwrap();
        intake.end(Ended::Broken);

        assert_eq!(intake.push(&vec![0; WAITING_BYTES_MAX]).await, Ok(()));
    }

    #[tokio::test]
    async fn what_came_before_an_end_in_order_is_still_served() {
        let intake = Intake::default();
        intake.push(b"last words").await.unwrap();
        intake.end(Ended::InOrder);
        intake.end(Ended::Broken);

        assert_eq!(intake.take().await.unwrap(), "last words");
        assert_eq!(intake.take().await, Err(Ended::InOrder));
    }

    #[tokio::test]
    async fn nothing_is_served_after_a_broken_end() {
        let intake = Intake::default();
        intake.push(b"half a word").await.unwrap();
        intake.end(Ended::Broken);

        assert_eq!(intake.take().await, Err(Ended::Broken));
        assert_eq!(intake.left().unwrap(), "half a word");
    }
}
