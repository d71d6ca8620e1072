//! How many channels has a connection, and who runs the commands on them?

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};

use futures_util::FutureExt as _;
use russh::server::{Handle, Msg};
use russh::{ChannelId, ChannelWriteHalf};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::command::{Command, command};
use super::connection::Connection;
use super::exec::Exec;
use super::intake::{Ended, Intake};
use super::shown::shown_program;
use crate::tree::Who;

/// The near end of a channel.
pub(super) struct Port {
    /// Until somebody serves it, who holds both from then on.
    unused: Option<(ChannelWriteHalf<Msg>, Arc<Intake>)>,
    intake: Weak<Intake>,
    /// Cancelled when the channel is closed: then nobody waits for its window any more.
    pub(super) dead: CancellationToken,
}

impl Port {
    /// Makes one that nobody serves yet.
    pub(super) fn new(
        writer: ChannelWriteHalf<Msg>,
        intake: Intake,
        dead: CancellationToken,
    ) -> Self {
        let intake = Arc::new(intake);
        Self {
            intake: Arc::downgrade(&intake),
            unused: Some((writer, intake)),
            dead,
        }
    }

    /// Takes it for whoever serves it; once.
    pub(super) fn take(&mut self) -> Option<(ChannelWriteHalf<Msg>, Arc<Intake>)> {
        self.unused.take()
    }

    /// Says whether it waits for its use, or somebody serves it still.
    ///
    /// Where this side closes a channel first, as at the end of a command, the library does not tell
    /// when the peer has closed it too. Whoever serves a port holds its intake, and with it the channel's
    /// place among those of its device.
    pub(super) fn is_in_use(&self) -> bool {
        self.intake.strong_count() > 0
    }

    /// Returns where what comes in goes, if somebody takes it.
    pub(super) fn served(&self) -> Option<Arc<Intake>> {
        match self.unused {
            Some(_) => None,
            None => self.intake.upgrade(),
        }
    }

    /// Ends what comes in, for whoever serves it now or later.
    pub(super) fn end(&self, how: Ended) {
        if let Some(intake) = self.intake.upgrade() {
            intake.end(how);
        }
    }
}

/// Runs what serves a channel. Where that dies, which is a fault of this program, its channel ends: the connection does
/// not wait for somebody to take what comes in, nor its peer for an answer.
pub(super) async fn to_its_end(
    serving: impl Future<Output = ()>,
    intake: Arc<Intake>,
    close: impl AsyncFnOnce(),
) {
    if AssertUnwindSafe(serving).catch_unwind().await.is_err() {
        intake.end(Ended::Broken);
        close().await;
    }
}

impl Connection {
    /// Answers a command on a channel; says whether it could begin to.
    pub(super) fn execute(&mut self, channel: ChannelId, line: &[u8], ssh: Handle) -> bool {
        let Some(who) = self.who.clone() else {
            return false;
        };
        let Some(port) = self.channels.get_mut(&channel) else {
            return false;
        };
        let Some((writer, intake)) = port.take() else {
            return false;
        };
        let (dead, held) = (port.dead.clone(), Arc::clone(&intake));
        let command = command(line);
        self.log_command(&who, line, &command);
        let parts = &self.shared.parts;
        let view = self
            .view
            .get_or_insert_with(|| Arc::new(Mutex::new(parts.tree.view(Arc::clone(&who)))));
        let exec = Exec {
            view: Arc::clone(view),
            who,
            clock: parts.clock.clone(),
            shelf: parts.shelf.clone(),
            channel: writer,
            intake,
            dead,
        };
        let exec = self.shared.sessions.track_future(exec.run(command));
        let close = async move || _ = ssh.close(channel).await;
        self.serving.spawn(to_its_end(exec, held, close));
        true
    }

    /// Counts a channel that was asked for, and ends the connection past the most.
    pub(super) fn count_channel(&self) -> Result<(), russh::Error> {
        let Err(too_often) = self.room.ask_channel() else {
            return Ok(());
        };
        let login = self.who.as_ref().map_or("nobody", |who| &who.login);
        warn!(peer.address = %self.admission.address(), "Connection of `{login}` ends: {too_often}");
        Err(russh::Error::Disconnect)
    }

    /// Clients try programs all the time; what none of them tries is told once.
    fn log_command(&mut self, who: &Who, line: &[u8], command: &Command) {
        let (session, login) = (who.session.0, &who.login);
        let line = shown_program(&String::from_utf8_lossy(line));
        if *command == Command::Other && !self.told_of_command {
            self.told_of_command = true;
            info!(
                session.id = session,
                "Refused a command of `{login}`: {line}"
            );
        } else {
            debug!(session.id = session, "Command of `{login}`: {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::limits::WAITING_BYTES_SOFT;
    use super::*;

    #[tokio::test]
    async fn where_what_serves_a_channel_dies_nobody_waits_for_it() {
        let intake = Arc::new(Intake::default());
        intake.push(&vec![0; WAITING_BYTES_SOFT]).await.unwrap();
        let is_closed = AtomicBool::new(false);
        let dies = async {
            tokio::task::yield_now().await;
            panic!("a fault of this program");
        };
        let close = async || is_closed.store(true, Ordering::Relaxed);

        let ending = to_its_end(dies, Arc::clone(&intake), close);
        let (pushed, ()) = tokio::join!(intake.push(&[0]), ending);

        assert_eq!(pushed, Ok(()));
        assert!(is_closed.into_inner());
        assert_eq!(intake.take().await, Err(Ended::Broken));
    }
}
