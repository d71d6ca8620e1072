//! How long does the house serve, and what ends it?
//!
//! What goes on beside the door has tasks of its own. One that dies takes the whole server with it, in order:
//! half a server that says that it is well is found out by nobody.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::reload::Memory;
use super::{Error, House};
use crate::dropfolder::{HeldRoot, LeftFiles};
use crate::lookout::FolderLooks;
use crate::sftp::Listening;

/// For how long what goes on in the background may take to end at a reload.
const CHANGEOVER: Duration = Duration::from_secs(30);

/// The same at the server's end: less than a service manager gives it.
const ENDS: Duration = Duration::from_secs(20);

/// What goes on in the background, and whether all of it lives.
pub(super) struct Background {
    draining: CancellationToken,
    died: OnceLock<&'static str>,
}

impl Background {
    /// Watches tasks, and has the server end by `draining` when one has died.
    fn ending(draining: CancellationToken) -> Self {
        Self {
            draining,
            died: OnceLock::new(),
        }
    }

    /// Waits for the end of a task, which `what` says to a person.
    pub(super) async fn attend(&self, what: &'static str, task: JoinHandle<()>) {
        let Err(died) = task.await else { return };
        tracing::error!(
            "What {what} has died, and the server ends in order, to be started again: {died}"
        );
        // The first is the reason.
        self.died.get_or_init(|| what);
        self.draining.cancel();
    }

    /// Says whether all of it has lived to its end.
    fn end(self) -> Result<(), Error> {
        match self.died.into_inner() {
            None => Ok(()),
            Some(what) => Err(Error::Died { what }),
        }
    }
}

impl House {
    /// Serves through every door until `draining` is cancelled, and what is under way has ended.
    ///
    /// # Errors
    ///
    /// When a part of it has died, which is a fault of this program; the rest has ended in order then.
    pub async fn serve(
        &self,
        listening: Listening,
        draining: CancellationToken,
    ) -> Result<(), Error> {
        let (_, never) = mpsc::channel(1);
        self.serve_renewing(listening, never, draining).await
    }

    /// Serves likewise, and goes on by the rules of each house that comes from `renewals`.
    ///
    /// # Errors
    ///
    /// As [`House::serve`].
    pub async fn serve_renewing(
        &self,
        listening: Listening,
        mut renewals: mpsc::Receiver<Self>,
        draining: CancellationToken,
    ) -> Result<(), Error> {
        let memory = Memory {
            looks: FolderLooks::default(),
            left: LeftFiles::default(),
            held: HeldRoot::default(),
            begun: self.clock.read(),
        };
        let background = Background::ending(draining.clone());
        let tending = Arc::new(self.tending());
        let tending = tokio::spawn(tending.run(draining.clone()));
        let working = async {
            let mut house = self.clone();
            loop {
                let ends = draining.child_token();
                let mut working = Box::pin(async {
                    // Beside the door, which is open meanwhile: much may wait, or the catalog's turn be held.
                    tokio::join!(
                        house.look_for_shared_folders_until(&ends),
                        house.work(&memory, &background, ends.clone()),
                    )
                });
                let next = tokio::select! {
                    _ = &mut working => return,
                    () = last_while(&draining) => return tracing::error!(
                        "A part of what goes on in the background has not ended in {} s, as one that waits for a disk does, and the server ends without it; what it had in hand is as it was before",
                        ENDS.as_secs()
                    ),
                    Some(next) = renewals.recv() => next,
                };
                ends.cancel();
                // What hangs on a disk ends when that answers; the others need not wait for it.
                if tokio::time::timeout(CHANGEOVER, working).await.is_err() {
                    tracing::error!(
                        "After a reload, a part of what goes on in the background has not ended in {} s, as one that waits for a disk does; all of it begins anew beside it",
                        CHANGEOVER.as_secs()
                    );
                }
                house = next;
            }
        };
        tokio::join!(
            Box::pin(listening.run()),
            Box::pin(working),
            background.attend("looks whether everything is well", tending),
        );
        background.end()
    }
}

/// Waits until the server ends, and then for as long as what hangs on a disk may hold that up.
async fn last_while(draining: &CancellationToken) {
    draining.cancelled().await;
    tokio::time::sleep(ENDS).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_task_that_dies_ends_the_server_which_says_which() {
        let draining = CancellationToken::new();
        let background = Background::ending(draining.clone());
        let ends = draining.clone();
        let lives = tokio::spawn(async move { ends.cancelled().await });
        let dies = tokio::spawn(async { assert_eq!(1, 2, "a fault of this program") });

        background.attend("counts", dies).await;

        assert!(draining.is_cancelled());
        background.attend("lives on", lives).await;
        let ended = background.end();
        assert!(
            matches!(ended, Err(Error::Died { what: "counts" })),
            "{ended:?}"
        );
    }

    #[tokio::test]
    async fn what_ends_when_it_is_told_to_is_no_death() {
        let draining = CancellationToken::new();
        let background = Background::ending(draining.clone());

        background
            .attend("is done at a reload", tokio::spawn(async {}))
            .await;

        assert!(!draining.is_cancelled());
        assert!(background.end().is_ok());
    }
}
