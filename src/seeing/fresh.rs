//! How is something asked often, and answered seldom?
//!
//! Whoever watches may ask as often as he likes: what is asked is asked once in [`FRESH`], by one at a time, and
//! nobody waits longer than [`PATIENCE`]. What takes longer goes on, and nothing is asked beside it.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

/// For how long an answer counts: less than the time between two looks of a monitor.
pub(super) const FRESH: Duration = Duration::from_secs(2);

/// How long whoever asks waits for the answer: less than a monitor waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// An answer that is asked for anew when it is old.
pub(super) struct Fresh<T>(Mutex<State<T>>);

struct State<T> {
    last: Option<(Instant, T)>,
    asking: Option<AbortOnDropHandle<T>>,
}

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        let (last, asking) = (None, None);
        Self(Mutex::new(State { last, asking }))
    }
}

impl<T: Clone + Send + 'static> Fresh<T> {
    /// Returns the answer, if it comes in time.
    pub(super) async fn get<F>(&self, ask: F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut state = self.0.lock().await;
        if state.asking.is_none()
            && let Some((at, answer)) = &state.last
            && at.elapsed() < FRESH
        {
            return Some(answer.clone());
        }
        let asking = state
            .asking
            .get_or_insert_with(|| AbortOnDropHandle::new(tokio::spawn(ask)));
        let answered = timeout(PATIENCE, asking).await.ok()?;
        state.asking = None;
        let answer = answered.ok()?;
        state.last = Some((Instant::now(), answer.clone()));
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn count(asked: &Arc<AtomicU32>) -> impl Future<Output = u32> + use<> {
        let asked = Arc::clone(asked);
        async move { asked.fetch_add(1, Ordering::SeqCst) + 1 }
    }

    #[tokio::test(start_paused = true)]
    async fn however_often_it_is_asked_it_is_looked_up_once_in_a_while() {
        let (fresh, asked) = (Fresh::default(), Arc::default());

        for _ in 0..100 {
            assert_eq!(fresh.get(count(&asked)).await, Some(1));
        }
        tokio::time::advance(FRESH).await;

        assert_eq!(fresh.get(count(&asked)).await, Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_answer_is_waited_for_a_while_and_not_asked_twice() {
        let (fresh, asked) = (Fresh::default(), Arc::default());
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let first = count(&asked);
        let slow = async move {
            drop(released.await);
            first.await
        };

        assert_eq!(fresh.get(slow).await, None);
        assert_eq!(fresh.get(count(&asked)).await, None, "the first goes on");
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        release.send(()).unwrap();

        assert_eq!(fresh.get(count(&asked)).await, Some(1));
    }
}
