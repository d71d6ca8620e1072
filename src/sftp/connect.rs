//! What happens to one connection, from its first byte to its last?

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::Disconnect;
use russh::server::{Config, RunningSession, run_stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::algorithms::nothing_in_common;
use super::attempt::{Attempt, End};
use super::connection::{Connection, Shared};
use super::idle::Activity;
use super::proxy::{self, Malformed, Named, Step};
use super::shown::printable;
use super::wire::Wire;
use crate::guard::{Patience, Place};
use crate::login::Stay;
use crate::model::Fault;

/// How long a peer may take to hear that the server ends.
const FAREWELL: Duration = Duration::from_millis(200);

/// What whoever is turned away reads before the version that it waits for (RFC 4253 §4.2). OpenSSH says the same.
pub(super) const TURNED_AWAY: &[u8] = b"Not allowed at this time\r\n";

/// A connection that was accepted, and has a place among those that have not logged in.
pub(super) struct Accepted {
    pub(super) shared: Shared,
    pub(super) config: Arc<Config>,
    pub(super) stream: TcpStream,
    /// Where it comes from; behind a forwarder, the forwarder.
    pub(super) peer: SocketAddr,
    pub(super) place: Place,
    /// How patient the door is; none for a forwarder, which must say first for whom it speaks.
    pub(super) patience: Option<Patience>,
    /// Ends it in order.
    pub(super) cut: CancellationToken,
}

impl Accepted {
    /// Serves it to its end, and notes the end of its session.
    pub(super) async fn serve(self) {
        self.send_at_once();
        let Self {
            shared,
            config,
            stream,
            mut peer,
            mut place,
            patience,
            cut,
        } = self;
        // One deadline for all that comes before a session.
        let deadline = Instant::now() + shared.guard.config().grace();
        let wire_cut = CancellationToken::new();
        let mut wire = Wire::new(stream, wire_cut.clone(), Arc::clone(&shared.parts.counts));
        let patience = match patience {
            Some(patience) => patience,
            None => {
                let introduced = introduced(&mut wire, peer, &mut place, &shared);
                let introduced = tokio::select! {
                    introduced = timeout_at(deadline, introduced) => introduced,
                    () = cut.cancelled() => return,
                };
                let Ok(Some((client, patience))) = introduced else {
                    return;
                };
                peer = client;
                patience
            }
        };
        let (told, login) = watch::channel(None);
        let serving = TaskTracker::new();
        let attempt = Attempt::new(peer, patience);
        let activity = Activity::begin();
        let connection = {
            let (attempt, activity) = (attempt.clone(), activity.clone());
            Connection::new(shared.clone(), attempt, activity, serving.clone(), told)
        };
        let started = tokio::select! {
            started = timeout_at(deadline, Box::pin(run_stream(config, wire.until_login(login.clone(), Arc::clone(&attempt.software)), connection))) => started,
            () = cut.cancelled() => return,
        };
        let mut place = Some(place);
        let end = match started {
            Ok(Ok(running)) => {
                let welcome = || {
                    if let Some(place) = place.take() {
                        place.logged_in(shared.parts.clock.read());
                    }
                };
                let cuts = (cut, wire_cut);
                let stays = Stays {
                    login: login.clone(),
                    activity,
                    idle: shared.idle,
                };
                attend(running, deadline, &attempt, cuts, &stays, welcome).await
            }
            Ok(Err(error)) => End::Early(Some(error)),
            Err(_) => End::Overdue,
        };
        serving.close();
        serving.wait().await;
        // It may have logged in while it was being ended, or have ended before anybody looked.
        let has_logged_in = login.borrow().is_some();
        match place {
            Some(place) if has_logged_in => place.logged_in(shared.parts.clock.read()),
            Some(place) => note_failure(&shared, place, &attempt, &end),
            None => {}
        }
        note_end(&shared, &login).await;
    }

    /// Has small answers not wait for more.
    fn send_at_once(&self) {
        if let Err(error) = self.stream.set_nodelay(true) {
            debug!(peer.address = %self.peer, "Could not set nodelay: {error}");
        }
    }
}

/// Returns where it is; an IPv4 address in disguise, as a listener of `[::]` sees it, as itself.
pub(super) fn undisguised(mut address: SocketAddr) -> SocketAddr {
    address.set_ip(address.ip().to_canonical());
    address
}

/// Hears from a forwarder for whom it speaks; none if that one is turned away, or it does not say.
async fn introduced(
    wire: &mut Wire,
    forwarder: SocketAddr,
    place: &mut Place,
    shared: &Shared,
) -> Option<(SocketAddr, Patience)> {
    match read_header(wire).await {
        Ok(Named::Client(client)) => {
            let client = undisguised(client);
            match place.named(client.ip(), shared.parts.clock.read()) {
                Ok(patience) => Some((client, patience)),
                Err(_) => {
                    // It is gone already if it does not take this.
                    drop(wire.write_all(TURNED_AWAY).await);
                    None
                }
            }
        }
        Ok(Named::Nobody) => Some((forwarder, Patience::Usual)),
        Err(HeaderError::Malformed(wrong)) => {
            warn!(peer.address = %forwarder, "Refused a connection from {forwarder}, which [guard] proxies names: {wrong}");
            None
        }
        // A check whether somebody listens.
        Err(HeaderError::Io(error)) => {
            debug!(peer.address = %forwarder, "Forwarder {forwarder} said nothing: {error}");
            None
        }
    }
}

enum HeaderError {
    Malformed(Malformed),
    Io(std::io::Error),
}

async fn read_header(wire: &mut Wire) -> Result<Named, HeaderError> {
    let mut bytes = Vec::new();
    loop {
        match proxy::step(&bytes).map_err(HeaderError::Malformed)? {
            Step::Done(named) => return Ok(named),
            Step::More(more) => {
                let from = bytes.len();
                bytes.resize(from + more, 0);
                let fresh = bytes.get_mut(from..).unwrap_or_default();
                wire.read_exact(fresh).await.map_err(HeaderError::Io)?;
            }
        }
    }
}

/// Waits for a connection's end, or ends it: when nobody logs in, has failed too often, and when the server ends.
async fn attend(
    running: RunningSession<Connection>,
    deadline: Instant,
    attempt: &Attempt,
    (cut, wire_cut): (CancellationToken, CancellationToken),
    stays: &Stays,
    welcome: impl FnOnce(),
) -> End {
    let mut told = stays.login.clone();
    let handle = running.handle();
    tokio::pin!(running);
    let mut end = End::InOrder;
    tokio::select! {
        ended = &mut running => return early_or_not(ended, &stays.login),
        Ok(_) = told.wait_for(Option::is_some) => welcome(),
        () = tokio::time::sleep_until(deadline) => {
            end = attempt.overdue();
            cut.cancel();
        }
        () = attempt.spent.cancelled() => {
            end = End::Early(None);
            cut.cancel();
        }
        () = cut.cancelled() => {}
    }
    let ended = tokio::select! {
        ended = &mut running => ended,
        farewell = stays.sent_away(&cut) => {
            // The last answers and a farewell, if the peer takes them at once; then the wire is cut in any case.
            let farewell = async {
                drop(handle.disconnect(Disconnect::ByApplication, farewell.into(), "en".into()).await);
                (&mut running).await
            };
            match tokio::time::timeout(FAREWELL, farewell).await {
                Ok(ended) => ended,
                Err(_) => {
                    wire_cut.cancel();
                    running.await
                }
            }
        }
    };
    if let Err(error) = ended {
        debug!("Connection ended: {error}");
    }
    end
}

/// How long a connection may stay.
struct Stays {
    login: watch::Receiver<Option<Arc<Stay>>>,
    activity: Activity,
    idle: Duration,
}

impl Stays {
    /// Returns what is said to a peer that must go, once it must.
    async fn sent_away(&self, cut: &CancellationToken) -> &'static str {
        let stay = self.login.borrow().clone();
        let Some(stay) = stay else {
            cut.cancelled().await;
            return THE_SERVER_ENDS;
        };
        let (session, login) = (stay.who().session.0, &stay.who().login);
        tokio::select! {
            () = cut.cancelled() => THE_SERVER_ENDS,
            why = stay.ended() => {
                info!(session.id = session, device.login = %login, "Ends the session of `{login}`: {why}");
                "this login is no longer valid"
            }
            () = self.activity.ceases_for(self.idle) => {
                let seconds = self.idle.as_secs();
                info!(session.id = session, device.login = %login, "Ends the session of `{login}`: it asked for nothing for {seconds} s");
                "nothing was asked for too long"
            }
        }
    }
}

/// What peers are told at the end of the server.
const THE_SERVER_ENDS: &str = "the server ends";

/// A connection may log in and end before anybody looks.
fn early_or_not(
    ended: Result<(), russh::Error>,
    login: &watch::Receiver<Option<Arc<Stay>>>,
) -> End {
    if login.borrow().is_some() {
        End::InOrder
    } else {
        End::Early(ended.err())
    }
}

fn note_failure(shared: &Shared, place: Place, attempt: &Attempt, end: &End) {
    let peer = attempt.address;
    if let End::Early(Some(error)) = end {
        debug!(peer.address = %peer, "Connection ended before its login: {error}");
        tell_mute(shared, attempt, error);
    }
    let Some(fault) = attempt.fault(end) else {
        return;
    };
    if fault == Fault::Overdue {
        let grace = shared.guard.config().grace_seconds;
        info!(peer.address = %peer, "{peer} did not log in within {grace} s");
    }
    place.failed(fault, shared.parts.clock.read());
}

/// Of whoever finds no algorithm in common nothing else is heard: it may be somebody's old scanner.
fn tell_mute(shared: &Shared, attempt: &Attempt, error: &russh::Error) {
    let russh::Error::NoCommonAlgo { kind, theirs, .. } = error else {
        return;
    };
    if !shared.guard.tells_mute(shared.parts.clock.read()) {
        return;
    }
    let (what, advice) = nothing_in_common(kind, theirs);
    let software = attempt.software.get().map_or("?", String::as_str);
    let (peer, theirs) = (attempt.address, printable(&theirs.join(" ")));
    info!(peer.address = %peer, "{peer} knows no {what} that is offered here: `{software}` has `{theirs}`. If it is a device of yours: {advice}");
}

async fn note_end(shared: &Shared, login: &watch::Receiver<Option<Arc<Stay>>>) {
    let stay = login.borrow().clone();
    let Some(stay) = stay else { return };
    let now = shared.parts.clock.read();
    shared.logins.end(stay.who().session, now).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_disguise_is_shown_as_itself() {
        for (seen, shown) in [
            ("[::ffff:192.0.2.7]:4711", "192.0.2.7:4711"),
            ("[2001:db8::7]:4711", "[2001:db8::7]:4711"),
            ("192.0.2.7:4711", "192.0.2.7:4711"),
        ] {
            assert_eq!(undisguised(seen.parse().unwrap()).to_string(), shown);
        }
    }
}
