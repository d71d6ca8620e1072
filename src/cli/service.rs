//! What does the service manager give to the program, and what is it told?
//!
//! systemd's protocols, in the variables that it sets: `LISTEN_FDS` (`sd_listen_fds(3)`), `NOTIFY_SOCKET`
//! (`sd_notify(3)`) and `WATCHDOG_USEC` (`sd_watchdog_enabled(3)`). Run by hand there are none, and nothing
//! happens here.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::Error;
use crate::sftp::Pulse;

/// Returns the socket that the service manager listens on for this program, if it does.
///
/// # Errors
///
/// When it passed something else, or more than one: nobody would answer at the others.
pub(super) fn socket() -> Result<Option<TcpListener>, Error> {
    let mut sockets = ListenFd::from_env();
    if sockets.len() > 1 {
        return Err(Error::Refused(format!(
            "the service manager passed {} sockets, and one is served; leave one `ListenStream=` in sluis.socket and its drop-ins: `[::]:2222` takes IPv4 and IPv6, and an empty `ListenStream=` before it removes what stands there",
            sockets.len()
        )));
    }
    let passed = sockets.take_tcp_listener(0);
    passed.map_err(|source| {
        Error::failed(
            "could not take the socket of the service manager; is it one of TCP?",
            source,
        )
    })
}

/// Tells that devices may come.
pub(super) fn tell_ready(address: SocketAddr) {
    let status = format!("Listening on {address}");
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Tells that the configuration is being read again.
pub(super) fn tell_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(since) => tell(&[NotifyState::Reloading, since]),
        // Only `Type=notify-reload` wants to know since when.
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// Tells that it was read again, or why it was not.
pub(super) fn tell_reloaded(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells that this is an end that was asked for.
pub(super) fn tell_ending() {
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status("Ending: what is being read may be finished"),
    ]);
}

/// Tells that the program is alive, as often as the service manager wants to hear it, until the value is
/// dropped; none if it does not ask. It comes from where all but the connections runs, and only once the door has
/// answered and each thread that serves those has run something: what is stuck tells nothing, and is started again.
pub(super) fn watch(pulse: Pulse) -> Option<AbortOnDropHandle<()>> {
    let limit = sd_notify::watchdog_enabled()?;
    info!("The service manager restarts what says nothing for {limit:?}");
    let telling = tell_alive(limit, pulse, || tell(&[NotifyState::Watchdog]));
    Some(AbortOnDropHandle::new(tokio::spawn(telling)))
}

async fn tell_alive(limit: Duration, pulse: Pulse, tell: impl Fn()) {
    // Twice as often, as `sd_watchdog_enabled(3)` recommends.
    let mut beat = tokio::time::interval(limit / 2);
    loop {
        beat.tick().await;
        pulse.felt().await;
        tell();
    }
}

/// Nobody listens when it is run by hand; a manager that does not hear is no reason to end.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(deaf) = sd_notify::notify(states) {
        warn!("Could not tell the service manager how the program is: {deaf}");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_stuck_tells_nothing_until_it_goes_on() {
        let limit = Duration::from_secs(60);
        let (pulse, beats) = Pulse::stuck();
        let told = Cell::new(0);
        let mut telling = Box::pin(tell_alive(limit, pulse, || told.set(told.get() + 1)));

        let waited = tokio::time::timeout(10 * limit, telling.as_mut()).await;
        assert!(waited.is_err());
        assert_eq!(told.get(), 0);

        drop(beats);
        let waited = tokio::time::timeout(2 * limit, telling.as_mut()).await;
        assert!(waited.is_err());
        assert!(told.get() >= 2, "{told:?}");
    }
}
