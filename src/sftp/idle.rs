//! For how long has a session asked for nothing?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// When somebody last asked for something, or took something. A clone is the same.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    began: Instant,
    /// In milliseconds since then.
    last: Arc<AtomicU64>,
}

impl Activity {
    /// Begins now.
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
            last: Arc::default(),
        }
    }

    /// Notes that something was asked for, or taken.
    pub(super) fn note(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    /// Returns when nothing was for so long.
    pub(super) async fn ceases_for(&self, idle: Duration) {
        loop {
            let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
            let over = self.began + last + idle;
            if over <= Instant::now() {
                return;
            }
            sleep_until(over).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_millisecond_past_the_time_without_a_word_is_one_too_many() {
        let began = Instant::now();
        let activity = Activity::begin();
        let noting = async {
            for _ in 0..3 {
                tokio::time::sleep(IDLE - Duration::from_millis(1)).await;
                activity.note();
            }
        };
        let ceasing = activity.ceases_for(IDLE);

        tokio::join!(noting, ceasing);

        assert_eq!(began.elapsed(), 4 * IDLE - Duration::from_millis(3));
    }
}
