//! How does a connection come in, and how do all of them end?

use std::net::SocketAddr;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use russh::server::{Config, RunningSession, run_stream};
use russh::{Disconnect, Limits, Preferred, SshId, cipher};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::connection::{Connection, Shared, methods};
use super::lanes::Lanes;
use super::limits::{DRAIN, LOGIN_GRACE};
use super::serve::Parts;
use crate::login::Logins;
use crate::tree::Who;

/// Connections that have not logged in. More are turned away, so that silent ones cost little.
const STARTUPS_MAX: usize = 200;

/// How many failed logins one connection may try.
const LOGINS_PER_CONNECTION_MAX: usize = 6;

/// How long a refused login waits for its answer; an honest client offers a few keys first.
const REFUSAL: Duration = Duration::from_millis(50);

/// After this long without a word a peer is asked whether it is there, and after three it is gone.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A peer that neither sends nor takes anything for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(15 * 60);

/// How long a peer may take to hear that the server ends.
const FAREWELL: Duration = Duration::from_millis(200);

/// Bytes to be read from the network at a time: the library takes each packet in two small pieces.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// The server's keys.
#[derive(Clone)]
pub struct HostKeys(pub Vec<PrivateKey>);

/// The SFTP door, before it opens.
pub struct Door {
    shared: Shared,
    config: Arc<Config>,
}

/// The SFTP door, open.
pub struct Listening {
    door: Door,
    listener: TcpListener,
    address: SocketAddr,
    lanes: Lanes,
}

impl Door {
    /// Makes a door; after `rekey_bytes` in either direction keys are exchanged anew.
    pub fn new(logins: Logins, parts: Parts, keys: HostKeys, rekey_bytes: usize) -> Self {
        let shared = Shared {
            logins,
            parts,
            sessions: TaskTracker::new(),
        };
        Self {
            shared,
            config: Arc::new(config(keys, rekey_bytes)),
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
        Ok(Listening {
            door: self,
            listener,
            address,
            lanes: Lanes::open(processors)?,
        })
    }
}

impl Listening {
    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the parts' `draining` is cancelled; then lets open files be read for a bounded time, and ends.
    pub async fn run(self) {
        let Self {
            door,
            listener,
            lanes,
            ..
        } = self;
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        let startups = Arc::new(Semaphore::new(STARTUPS_MAX));
        let draining = door.shared.parts.draining.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = draining.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Ok(startup) = Arc::clone(&startups).try_acquire_owned() else {
                        warn!(peer.address = %peer, "Turned {peer} away: {STARTUPS_MAX} connections have not logged in");
                        continue;
                    };
                    let Some((lane, place)) = lanes.place() else {
                        continue;
                    };
                    let (shared, config) = (door.shared.clone(), Arc::clone(&door.config));
                    let cut = cut.child_token();
                    let serving = async move {
                        match moved_here(stream) {
                            Ok(stream) => connect(shared, config, stream, peer, cut, startup).await,
                            Err(error) => warn!("Could not take a connection: {error}"),
                        }
                        drop(place);
                    };
                    connections.spawn_on(serving, lane);
                }
                Err(error) => {
                    // Out of file descriptors, mostly: what is open ends, and there is room again.
                    warn!("Could not accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        door.shared.sessions.close();
        if tokio::time::timeout(DRAIN, door.shared.sessions.wait())
            .await
            .is_err()
        {
            warn!("Ended while documents were still being read; they stay offered");
        }
        cut.cancel();
        connections.close();
        connections.wait().await;
        door.shared.sessions.wait().await;
        // They are waited for, which is not for a thread that others run on.
        drop(tokio::task::spawn_blocking(move || drop(lanes)).await);
    }
}

/// Registers a connection with the runtime that it is served on.
fn moved_here(stream: TcpStream) -> std::io::Result<TcpStream> {
    TcpStream::from_std(stream.into_std()?)
}

/// Serves a connection from its first byte to its last, and notes the end of its session.
async fn connect(
    shared: Shared,
    config: Arc<Config>,
    stream: TcpStream,
    peer: SocketAddr,
    cut: CancellationToken,
    startup: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(peer.address = %peer, "Could not set nodelay: {error}");
    }
    let (told, login) = watch::channel(None);
    let serving = TaskTracker::new();
    let dead = CancellationToken::new();
    let connection = Connection::new(shared.clone(), peer, dead, serving.clone(), told);
    let wire_cut = CancellationToken::new();
    let wire = Wire::new(stream, wire_cut.clone());
    let starting = tokio::time::timeout(LOGIN_GRACE, run_stream(config, wire, connection));
    let started = tokio::select! {
        started = starting => started,
        () = cut.cancelled() => return,
    };
    match started {
        Ok(Ok(running)) => {
            attend(running, peer, (cut, wire_cut), startup, login.clone()).await;
        }
        Ok(Err(error)) => debug!(peer.address = %peer, "Connection did not begin: {error}"),
        Err(_) => debug!(peer.address = %peer, "Connection did not say its version in time"),
    }
    serving.close();
    serving.wait().await;
    let who = login.borrow().clone();
    if let Some(who) = who {
        let now = shared.parts.clock.read();
        if let Err(error) = shared.logins.end(who.session, now).await {
            warn!(
                session.id = who.session.0,
                "Could not note the end of a session: {error}"
            );
        }
    }
}

/// Waits for a connection's end, or ends it: when nobody logs in, and when the server ends.
async fn attend(
    running: RunningSession<Connection>,
    peer: SocketAddr,
    (cut, wire_cut): (CancellationToken, CancellationToken),
    startup: OwnedSemaphorePermit,
    mut login: watch::Receiver<Option<Arc<Who>>>,
) {
    let handle = running.handle();
    tokio::pin!(running);
    tokio::select! {
        _ = &mut running => return,
        Ok(_) = login.wait_for(Option::is_some) => drop(startup),
        () = tokio::time::sleep(LOGIN_GRACE) => {
            info!(peer.address = %peer, "{peer} did not log in within {} s", LOGIN_GRACE.as_secs());
            cut.cancel();
        }
        () = cut.cancelled() => {}
    }
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = cut.cancelled() => {
            // The last answers and a farewell, if the peer takes them at once; then the wire is cut in any case.
            let farewell = async {
                drop(handle.disconnect(Disconnect::ByApplication, "the server ends".into(), "en".into()).await);
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
        debug!(peer.address = %peer, "Connection ended: {error}");
    }
}

fn config(keys: HostKeys, rekey_bytes: usize) -> Config {
    let rekey = rekey_bytes.min(1 << 30);
    Config {
        server_id: SshId::Standard(concat!("SSH-2.0-Sluis_", env!("CARGO_PKG_VERSION")).into()),
        methods: methods(),
        auth_rejection_time: REFUSAL,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: keys.0,
        limits: Limits {
            rekey_write_limit: rekey,
            rekey_read_limit: rekey,
            rekey_time_limit: Duration::from_secs(3600),
        },
        preferred: preferred(),
        max_auth_attempts: LOGINS_PER_CONNECTION_MAX,
        inactivity_timeout: Some(SILENCE_MAX),
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        event_buffer_size: 32,
        nodelay: true,
        ..Config::default()
    }
}

fn preferred() -> Preferred {
    let ecdsa = |curve| Algorithm::Ecdsa { curve };
    Preferred {
        key: vec![
            Algorithm::Ed25519,
            ecdsa(EcdsaCurve::NistP256),
            ecdsa(EcdsaCurve::NistP384),
            ecdsa(EcdsaCurve::NistP521),
            Algorithm::Rsa {
                hash: Some(HashAlg::Sha512),
            },
            Algorithm::Rsa {
                hash: Some(HashAlg::Sha256),
            },
        ]
        .into(),
        // The crate's own list, with AES-128-GCM, which OpenSSH likes best of the GCMs.
        cipher: vec![
            cipher::CHACHA20_POLY1305,
            cipher::AES_128_GCM,
            cipher::AES_256_GCM,
            cipher::AES_256_CTR,
            cipher::AES_192_CTR,
            cipher::AES_128_CTR,
        ]
        .into(),
        ..Preferred::DEFAULT
    }
}

/// A TCP stream that is read in large pieces, and that can be cut.
struct Wire {
    stream: BufReader<TcpStream>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Wire {
    fn new(stream: TcpStream, cut: CancellationToken) -> Self {
        let stream = BufReader::with_capacity(READ_BUFFER_BYTES, stream);
        Self {
            stream,
            cut: Box::pin(cut.cancelled_owned()),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
