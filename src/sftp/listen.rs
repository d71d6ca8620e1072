//! How does a connection come in, and how do all of them end?

use std::io::Write as _;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::server::Config;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::connect::{Accepted, TURNED_AWAY, undisguised};
use super::connection::Shared;
use super::lanes::{Beats, Lanes, Pulse};
use super::limits::{DRAIN, GUARD_ROUND, STANDING_ROUND};
use super::serve::Parts;
use super::shelving::Untold;
use super::transport::Transport;
use crate::guard::{Guard, GuardConfig, Patience, Place, Refusal};
use crate::login::Logins;

/// How often it is told that nobody can be accepted.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// The server's keys.
#[derive(Clone)]
pub struct HostKeys(pub Vec<PrivateKey>);

/// The SFTP door, before it opens.
pub struct Door {
    rules: Renewing,
}

/// The rules of a door, which may change while it is open: whoever comes is served by those of the moment.
#[derive(Clone)]
pub struct Renewing(Arc<RwLock<Rules>>);

/// What a connection is served by, from its beginning to its end.
#[derive(Clone)]
struct Rules {
    shared: Shared,
    config: Arc<Config>,
}

impl Renewing {
    /// Returns what sessions are served with now.
    pub fn parts(&self) -> Arc<Parts> {
        Arc::clone(&self.read().shared.parts)
    }

    /// Changes the rules for whoever comes from now on. Who counts as what is remembered.
    pub fn renew(
        &self,
        guard: GuardConfig,
        sessions_max: NonZero<u16>,
        parts: Parts,
        transport: Transport,
    ) {
        let idle = transport.idle;
        let config = Arc::new(transport.config());
        let mut rules = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let guard = rules.shared.guard.with_rules(guard);
        let logins = rules.shared.logins.clone().with_sessions_max(sessions_max);
        let shared = Shared {
            logins,
            guard,
            parts: Arc::new(parts),
            idle,
            ..rules.shared.clone()
        };
        *rules = Rules { shared, config };
    }

    fn read(&self) -> RwLockReadGuard<'_, Rules> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The SFTP door, open.
pub struct Listening {
    door: Door,
    listener: TcpListener,
    address: SocketAddr,
    lanes: Lanes,
    pulse: Pulse,
    beats: Beats,
}

impl Door {
    /// Makes a door.
    pub fn new(logins: Logins, guard: Guard, parts: Parts, transport: Transport) -> Self {
        let shared = Shared {
            logins,
            guard,
            parts: Arc::new(parts),
            idle: transport.idle,
            sessions: TaskTracker::new(),
        };
        let config = Arc::new(transport.config());
        let rules = Rules { shared, config };
        Self {
            rules: Renewing(Arc::new(RwLock::new(rules))),
        }
    }

    /// Begins to listen at `address`; port 0 takes any.
    ///
    /// # Errors
    ///
    /// When the address cannot be used, or the system gives no threads.
    pub async fn listen(self, address: SocketAddr) -> std::io::Result<Listening> {
        self.listen_on(TcpListener::bind(address).await?)
    }

    /// Begins to serve on a socket that is listening.
    ///
    /// # Errors
    ///
    /// When it is none, or the system gives no threads.
    pub fn listen_on(self, listener: TcpListener) -> std::io::Result<Listening> {
        let address = listener.local_addr()?;
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let lanes = Lanes::for_processors(processors)?;
        let (pulse, beats) = lanes.pulse();
        Ok(Listening {
            door: self,
            listener,
            address,
            lanes,
            pulse,
            beats,
        })
    }

    /// Takes a place for a connection; one whose client is not known yet has no patience.
    fn enter(&self, peer: SocketAddr) -> Result<(Place, Option<Patience>), Refusal> {
        let Shared { guard, parts, .. } = &self.rules.read().shared;
        let mut place = guard.enter(die())?;
        if guard.config().is_proxy(peer.ip()) {
            return Ok((place, None));
        }
        let patience = place.named(peer.ip(), parts.clock.read())?;
        Ok((place, Some(patience)))
    }

    /// Keeps what the guard remembers, and the ends of sessions that could not be noted, and tells what was let go of,
    /// until the door closes: then once more, for what came in since.
    async fn keep(&self, closed: &CancellationToken) {
        // Whatever the rules become, what is remembered is the same.
        let Shared {
            guard,
            logins,
            parts,
            ..
        } = self.rules.read().shared.clone();
        let mut untold = Untold::default();
        loop {
            let is_last = tokio::select! {
                () = tokio::time::sleep(GUARD_ROUND) => false,
                () = closed.cancelled() => true,
            };
            guard.round(parts.clock.read()).await;
            logins.end_late().await;
            untold.tell(&parts).await;
            if is_last {
                return untold.give_up();
            }
        }
    }

    /// Ends the sessions that may not go on, until the door closes.
    async fn watch(&self, closed: &CancellationToken) {
        let watching = async {
            loop {
                tokio::time::sleep(STANDING_ROUND).await;
                // Who is here is the same whatever the rules become.
                let Shared { logins, parts, .. } = self.rules.read().shared.clone();
                logins.round(parts.clock.read()).await;
            }
        };
        tokio::select! {
            () = watching => {}
            () = closed.cancelled() => {}
        }
    }
}

impl Listening {
    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what changes the rules for whoever comes.
    pub fn renewing(&self) -> Renewing {
        self.door.rules.clone()
    }

    /// Returns what says whether connections are taken and served.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Serves until the parts' `draining` is cancelled; then lets open files be read for a bounded time, and ends.
    pub async fn run(self) {
        let Self {
            door,
            listener,
            lanes,
            beats,
            ..
        } = self;
        let connections = TaskTracker::new();
        let (cut, closed) = (CancellationToken::new(), CancellationToken::new());
        let sessions = door.rules.read().shared.sessions.clone();
        let serving = async {
            accept(&door, (&listener, beats), &lanes, &connections, &cut).await;
            drop(listener);
            sessions.close();
            if tokio::time::timeout(DRAIN, sessions.wait()).await.is_err() {
                warn!("Ended while documents were still being read; they stay offered");
            }
            cut.cancel();
            connections.close();
            connections.wait().await;
            sessions.wait().await;
            closed.cancel();
        };
        tokio::join!(serving, door.keep(&closed), door.watch(&closed));
        // They are waited for, which is not for a thread that others run on.
        drop(tokio::task::spawn_blocking(move || drop(lanes)).await);
    }
}

/// Accepts connections until the parts' `draining` is cancelled, and has each served on a lane.
async fn accept(
    door: &Door,
    (listener, mut beats): (&TcpListener, Beats),
    lanes: &Lanes,
    connections: &TaskTracker,
    cut: &CancellationToken,
) {
    let draining = door.rules.parts().draining.clone();
    let mut told: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(beat) = beats.recv() => {
                // Whoever felt for it may be gone.
                beat.send(()).ok();
                continue;
            }
            () = draining.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, undisguised(peer)),
            Err(error) => {
                // Out of file descriptors, mostly: what is open ends, and there is room again.
                if told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
                    told = Some(Instant::now());
                    warn!(
                        "Could not accept connections: {error}; it is tried ten times a second, and told once a minute"
                    );
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok((place, patience)) = door.enter(peer) else {
            turn_away(stream);
            continue;
        };
        let Some((lane, seat)) = lanes.place() else {
            continue;
        };
        let Rules { shared, config } = door.rules.read().clone();
        let cut = cut.child_token();
        let serving = async move {
            match moved_here(stream) {
                Ok(stream) => {
                    let accepted = Accepted {
                        shared,
                        config,
                        stream,
                        peer,
                        place,
                        patience,
                        cut,
                    };
                    accepted.serve().await;
                }
                Err(error) => warn!("Could not take a connection: {error}"),
            }
            drop(seat);
        };
        connections.spawn_on(serving, lane);
    }
}

/// Tells a peer that it is turned away, if it takes that at once.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        // Nobody waits for it: what it does not take is not told.
        drop(stream.write(TURNED_AWAY));
    }
}

/// Throws a die with a hundred sides, from 0 on; without randomness it falls as if there were room.
fn die() -> u8 {
    let mut bytes = [0; 4];
    let thrown = aws_lc_rs::rand::fill(&mut bytes).map(|()| u32::from_ne_bytes(bytes) % 100);
    thrown
        .ok()
        .and_then(|side| u8::try_from(side).ok())
        .unwrap_or(99)
}

/// Registers a connection with the runtime that it is served on.
fn moved_here(stream: TcpStream) -> std::io::Result<TcpStream> {
    TcpStream::from_std(stream.into_std()?)
}
