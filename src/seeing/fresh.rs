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
    last: Option<Answered<T>>,
    asking: Option<AbortOnDropHandle<Answered<T>>>,
}

/// An answer, and when it came.
#[derive(Clone)]
struct Answered<T> {
    at: Instant,
    answer: T,
}

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        let (last, asking) = (None, None);
        Self(Mutex::new(State { last, asking }))
    }
}

impl<T: Clone + Send + 'static> Fresh<T> {
    /// Returns the answer, if it comes in time: also where others ask, and wait for the same.
    pub(super) async fn get<F>(&self, ask: F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        timeout(PATIENCE, self.wait(ask)).await.ok().flatten()
    }

    async fn wait<F>(&self, ask: F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut state = self.0.lock().await;
        // What took too long for whoever asked may have come long ago: then it is an answer to nobody.
        let has_come = |asking: &AbortOnDropHandle<_>| asking.is_finished();
        if state.asking.as_ref().is_some_and(has_come) {
            state.take_answer().await;
        }
        if state.asking.is_none() {
            if let Some(last) = &state.last
                && last.at.elapsed() < FRESH
            {
                return Some(last.answer.clone());
            }
            let asking = tokio::spawn(async move {
                let answer = ask.await;
                let at = Instant::now();
                Answered { at, answer }
            });
            state.asking = Some(AbortOnDropHandle::new(asking));
        }
        state.take_answer().await
    }
}

impl<T: Clone> State<T> {
    /// Waits for what was asked. Whoever is cancelled here leaves it to the next.
    async fn take_answer(&mut self) -> Option<T> {
        let answered = self.asking.as_mut()?.await;
        self.asking = None;
        let answered = answered.ok()?;
        self.last = Some(answered.clone());
        Some(answered.answer)
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

        assert_eq!(
            fresh.get(count(&asked)).await,
            Some(1),
            "who waits for it has it"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_waited_for_is_old_when_it_is_old() {
        let fresh = Fresh::default();
        let slow = || async {
            tokio::time::sleep(PATIENCE + Duration::from_secs(1)).await;
            Instant::now()
        };

        for _ in 0..3 {
            assert_eq!(fresh.get(slow()).await, None);
            tokio::time::sleep(PATIENCE * 5).await;
        }
        assert_eq!(fresh.get(slow()).await, None);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let answered = fresh.get(slow()).await.unwrap();
        tokio::time::sleep(FRESH - Duration::from_millis(1)).await;
        assert_eq!(
            fresh.get(slow()).await,
            Some(answered),
            "it counts from when it came"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(fresh.get(slow()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_those_who_asked_before() {
        let fresh = Fresh::default();
        let begun = Instant::now();

        let (one, two, three) = tokio::join!(
            fresh.get(std::future::pending::<u32>()),
            fresh.get(std::future::pending()),
            fresh.get(std::future::pending()),
        );

        assert_eq!((one, two, three), (None, None, None));
        assert!(begun.elapsed() < PATIENCE * 2, "{:?}", begun.elapsed());
    }
}
