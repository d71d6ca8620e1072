//! How is the end of a session noted, when the catalog does not answer?

use std::sync::PoisonError;

use tracing::{debug, info, warn};

use super::Logins;
use crate::model::{SessionId, Timestamp};

/// Ends of sessions that are kept until the catalog answers: more than may be connected. Of those past it the
/// next start notes the end.
pub const UNENDED_MAX: usize = 100_000;

/// Ends of sessions that are noted in one transaction: others wait for it.
const ENDS_MAX: usize = 500;

impl Logins {
    /// Notes that a session has ended, at once or when the catalog answers again.
    ///
    /// One that seems to last would tell that its device is there, and keep documents from expiring.
    pub async fn end(&self, session: SessionId, now: Timestamp) {
        if let Err(error) = self.catalog.end_sessions(&[(session, now)]).await {
            warn!(
                session.id = session.0,
                "Could not note the end of a session; it is tried again: {error}"
            );
            self.keep_unended(&[(session, now)]);
        }
    }

    /// Notes the ends that could not be noted before, each with its own time. The door calls it every few seconds.
    pub async fn end_late(&self) {
        loop {
            let ends = self.take_unended();
            if ends.is_empty() {
                return;
            }
            if let Err(error) = self.catalog.end_sessions(&ends).await {
                self.keep_unended(&ends);
                debug!("Could not note the ends of sessions; it is tried again: {error}");
                return;
            }
            info!("Noted the ends of {} sessions late", ends.len());
        }
    }

    fn keep_unended(&self, ends: &[(SessionId, Timestamp)]) {
        let mut unended = self.unended.lock().unwrap_or_else(PoisonError::into_inner);
        let room = UNENDED_MAX.saturating_sub(unended.len());
        unended.extend(ends.iter().take(room).copied());
    }

    fn take_unended(&self) -> Vec<(SessionId, Timestamp)> {
        let mut unended = self.unended.lock().unwrap_or_else(PoisonError::into_inner);
        let first: Vec<_> = unended
            .iter()
            .take(ENDS_MAX)
            .map(|(id, at)| (*id, *at))
            .collect();
        for (id, _) in &first {
            unended.remove(id);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[tokio::test]
    async fn one_end_more_than_there_is_room_for_is_left_to_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        let logins = Logins::new(Catalog::open(&file).await.unwrap());
        let one_more = i64::try_from(UNENDED_MAX).unwrap() + 1;
        let ends: Vec<_> = (0..one_more)
            .map(|id| (SessionId(id), Timestamp(id)))
            .collect();

        logins.keep_unended(&ends);

        assert_eq!(logins.unended.lock().unwrap().len(), UNENDED_MAX);
        assert_eq!(logins.take_unended(), ends[..ENDS_MAX]);
        assert_eq!(logins.unended.lock().unwrap().len(), UNENDED_MAX - ENDS_MAX);
    }
}
