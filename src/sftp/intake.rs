//! How does what a peer sends wait for its turn?
//!
//! The connection's loop must never wait for the session while the session waits to send: then neither
//! would read the peer's leave to send more, and nothing would end it. So everything is taken at
//! once, up to a bound in bytes. Only while the session is *not* sending, but behind with its disk,
//! may the loop wait for room: that is how an upload is slowed down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::Notify;

use super::limits::{
    TAKEN_BYTES_MAX, WAITING_BYTES_MAX, WAITING_BYTES_SOFT, WAITING_BYTES_TOGETHER_MAX,
};
use super::room::Room;

/// What waits between a connection's loop and a session.
#[derive(Debug, Default)]
pub(super) struct Intake {
    state: Mutex<State>,
    /// Counts what waits with what waits on the connection's other channels.
    room: Arc<Room>,
    sending: AtomicBool,
    /// Wakes the session: bytes, or the end.
    came: Notify,
    /// Wakes the loop: room, or the session has begun to send.
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: BytesMut,
    /// Whether more was waiting than is taken at a time, since the buffer is this one.
    has_grown: bool,
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
    "more than {WAITING_BYTES_MAX} bytes of requests, or {WAITING_BYTES_TOGETHER_MAX} on all channels, while no answer is taken"
)]
pub(super) struct Overrun;

impl Intake {
    /// Makes one for a channel of the connection that this room is of.
    pub(super) fn of(room: Arc<Room>) -> Self {
        Self {
            state: Mutex::default(),
            room,
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
                    if !fits || !self.room.take_bytes(bytes.len()) {
                        return Err(Overrun);
                    }
                    state.waiting.extend_from_slice(bytes);
                    self.came.notify_one();
                    return Ok(());
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
        if !state.waiting.is_empty() {
            let taken = state.take();
            self.room.give_bytes(taken.len());
            self.moved.notify_waiters();
            return Some(Ok(taken));
        }
        state.end.map(Err)
    }

    /// Returns what came in and was not taken, however it ended.
    pub(super) fn rest(&self) -> BytesMut {
        let rest = std::mem::take(&mut self.lock().waiting);
        self.room.give_bytes(rest.len());
        rest
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
        self.rest();
    }
}

impl State {
    /// Takes a piece. A buffer that has grown goes with its last piece, so that who has flooded once does not
    /// hold on to it.
    fn take(&mut self) -> BytesMut {
        let most = self.waiting.len().min(TAKEN_BYTES_MAX);
        self.has_grown |= most == TAKEN_BYTES_MAX;
        let taken = self.waiting.split_to(most);
        if self.waiting.is_empty() && self.has_grown {
            self.waiting = BytesMut::new();
            self.has_grown = false;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let channels = [(); 4].map(|()| Intake::of(Arc::clone(&room)));
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

    #[test]
    fn who_has_flooded_once_does_not_hold_on_to_the_buffer() {
        let (few, taken) = (1000, TAKEN_BYTES_MAX);
        for (bytes, is_kept) in [
            (few, true),
            (taken, false),
            (taken + 1, false),
            (20 * taken + few, false),
        ] {
            let mut state = State::default();
            for piece in vec![0; bytes].chunks(32 * 1024) {
                state.waiting.extend_from_slice(piece);
            }

            while !state.waiting.is_empty() {
                state.take();
            }

            assert_eq!(state.waiting.try_reclaim(few), is_kept, "{bytes} bytes");
        }
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
        assert_eq!(intake.rest(), "half a word");
    }
}
