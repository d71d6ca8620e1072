//! How is the server watched from outside?
//!
//! A small HTTP listener of its own: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever restarts or
//! balances. It answers GET and HEAD of these three and nothing else, a few connections at a time, each
//! for a bounded time. It runs beside the lanes, so nothing that is asked here holds up a session.

mod config;
mod fresh;
mod looks;
mod page;
mod ready;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

pub use config::MetricsConfig;
use fresh::{Fresh, PATIENCE};
pub use page::{METRICS, Metric};
pub use ready::{Readiness, Unready};

use crate::catalog::Catalog;
use crate::counts::Counts;
use crate::model::{Clock, Timestamp, with_causes};
use crate::sftp::Pulse;
use page::{Looked, Waiting};

/// How many connections are served at a time: a monitor or two, and a balancer. The next is closed at once.
pub const CONNECTIONS_MAX: usize = 16;

/// The longest head of a request, in bytes: the least that hyper takes.
pub const HEAD_BYTES_MAX: usize = 8192;

/// How long a connection may take to say what it wants.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a connection may last, with its answer: longer than the longest look at all that is asked.
pub const CONNECTION_TIME_MAX: Duration = Duration::from_secs(15);

/// What stands under any other path; whoever asks there learns by it that this is Sluis.
pub const NOT_HERE: &str = "here are /metrics, /healthz and /readyz\n";

/// How long to rest when no connection can be accepted: until a file descriptor is free.
const REST: Duration = Duration::from_millis(100);

/// How often it is told that none can be accepted.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// What is watched.
pub struct Watched {
    /// What was counted.
    pub counts: Arc<Counts>,
    /// What knows what waits.
    pub catalog: Catalog,
    /// Whether the server can do its work.
    pub readiness: Readiness,
    /// Whether connections are served.
    pub pulse: Pulse,
    /// Where everything is kept.
    pub data: PathBuf,
    /// What tells the time.
    pub clock: Clock,
}

/// The listener, open.
pub struct Seeing {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    watched: Watched,
    begun: Timestamp,
    waiting: Fresh<Option<Waiting>>,
    system: Fresh<Looked>,
}

impl Seeing {
    /// Begins to listen at `address`; port 0 takes any.
    ///
    /// # Errors
    ///
    /// When the address cannot be used.
    pub async fn listen(address: SocketAddr, watched: Watched) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let shared = Shared {
            begun: watched.clock.read(),
            watched,
            waiting: Fresh::default(),
            system: Fresh::default(),
        };
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            shared: Arc::new(shared),
        })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `ended` is cancelled.
    pub async fn run(self, ended: CancellationToken) {
        let Self {
            listener, shared, ..
        } = self;
        let (connections, room) = (
            TaskTracker::new(),
            Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        );
        let mut told: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ended.cancelled() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    if told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
                        told = Some(Instant::now());
                        warn!(
                            "Could not accept connections of monitors: {error}; it is tried ten times a second, and told once a minute"
                        );
                    }
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            // Without room it is closed at once: it may come again.
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
                continue;
            };
            let (shared, ended) = (Arc::clone(&shared), ended.clone());
            connections.spawn(async move {
                let serving = timeout(CONNECTION_TIME_MAX, serve(stream, shared));
                tokio::select! {
                    _ = serving => {}
                    () = ended.cancelled() => {}
                }
                drop(place);
            });
        }
        connections.close();
        connections.wait().await;
    }
}

/// Answers one request: who asks again connects again, so none stays.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let answering = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(&request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answering)
        .await;
    if let Err(error) = served {
        debug!("A connection of a monitor ended: {error}");
    }
}

impl Shared {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            let headers = refused.headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match request.uri().path() {
            "/metrics" => {
                let page = self.page().await;
                answer(StatusCode::OK, page::CONTENT_TYPE, page)
            }
            "/healthz" => health(&self.watched.pulse).await,
            "/readyz" => readiness(self.watched.readiness.ready()),
            _ => plain(StatusCode::NOT_FOUND, NOT_HERE),
        }
    }

    async fn page(&self) -> String {
        let (data, catalog) = (self.watched.data.clone(), self.watched.catalog.clone());
        let system = self.system.get(async move { looked(data).await });
        let waiting = self.waiting.get(async move { waiting(&catalog).await });
        let (system, waiting) = tokio::join!(system, waiting);
        let looked = Looked {
            is_ready: self.watched.readiness.ready().is_ok(),
            waiting: waiting.flatten(),
            ..system.unwrap_or_default()
        };
        let now = self.watched.clock.read();
        page::page(&self.watched.counts, &looked, self.begun, now)
    }
}

/// A disk that does not answer holds up a thread of its own, and nobody else.
async fn looked(data: PathBuf) -> Looked {
    let looking = tokio::task::spawn_blocking(move || Looked {
        disk: looks::disk(&data),
        memory: looks::memory(),
        descriptors: looks::descriptors(),
        ..Looked::default()
    });
    looking.await.unwrap_or_default()
}

async fn waiting(catalog: &Catalog) -> Option<Waiting> {
    let asked = async {
        Ok::<_, crate::catalog::Error>(Waiting {
            devices: catalog.waiting_devices().await?,
            webhooks: catalog.waiting_webhooks().await?,
        })
    };
    let asked = asked.await.inspect_err(|error| {
        warn!(
            "Could not ask what waits, for metrics: {}",
            with_causes(error)
        );
    });
    asked.ok()
}

async fn health(pulse: &Pulse) -> Response<Full<Bytes>> {
    match timeout(PATIENCE, pulse.felt()).await {
        Ok(()) => plain(StatusCode::OK, "alive\n"),
        Err(_) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "a thread that serves connections is stuck\n",
        ),
    }
}

fn readiness(ready: Result<(), Vec<Unready>>) -> Response<Full<Bytes>> {
    let (status, unready) = match ready {
        Ok(()) => (StatusCode::OK, Vec::new()),
        Err(unready) => (StatusCode::SERVICE_UNAVAILABLE, unready),
    };
    let told = serde_json::json!({ "ready": unready.is_empty(), "unready": unready });
    answer(status, "application/json", format!("{told}\n"))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    answer(status, "text/plain; charset=utf-8", text)
}

fn answer(status: StatusCode, what: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(what));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_whose_pulse_is_not_felt_is_not_alive() {
        let (pulse, beats) = Pulse::stuck();
        let status = health(&pulse).await.status();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);

        drop(beats);
        assert_eq!(health(&pulse).await.status(), StatusCode::OK);
    }
}
