//! How does a message reach a receiver?
//!
//! Over a connection of its own to an address that was judged: no pool that outlives the judgement, no
//! redirect that leads elsewhere, no proxy that would look the name up again. Everything has a time
//! limit, and little of the answer is read.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::address::{Judgement, judge};
use super::config::WebhookConfig;
use super::target::{Named, Target};
use crate::model::Network;

/// For how long a receiver may be looked up, connected to, and agreed with on TLS.
pub const CONNECT_MS_MAX: u64 = 5_000;

/// For how long a message may take from its first byte to the answer's head.
pub const WHOLE_MS_MAX: u64 = 15_000;

/// How much of an answer's body is read: it only tells a person what went wrong.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// For how long an answer's body is waited for. Its head has said what counts.
const ANSWER_MS_MAX: u64 = 1_000;

/// How large the head of an answer may be.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How many addresses of one name are tried.
const ADDRESSES_MAX: usize = 4;

/// What is sent.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where to.
    pub target: Target,
    /// By which a receiver knows a repetition.
    pub id: String,
    /// When it is sent, in seconds since 1970.
    pub seconds: i64,
    /// That it is from us.
    pub signature: String,
    /// What it says.
    pub body: String,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What it says about coming back.
    pub retry_after: Option<String>,
    /// The beginning of its text.
    pub text: String,
}

/// A message that got no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name leads nowhere.
    #[error("could not look up `{host}`")]
    Lookup {
        /// Which.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The name has no address.
    #[error("`{host}` has no address")]
    NoAddress {
        /// Which.
        host: String,
    },
    /// Webhooks may not go there.
    #[error(
        "{address} is {why}, where no webhook goes; if it should, the operator writes `allow = [\"{address}\"]` under `[webhooks]` in sluis.toml"
    )]
    Refused {
        /// Where.
        address: IpAddr,
        /// What that is.
        why: &'static str,
    },
    /// Only what the operator allows is called without TLS.
    #[error("{address} is a public address, and is called over https:// only")]
    Plain {
        /// Where.
        address: IpAddr,
    },
    /// Nobody listens.
    #[error("could not connect to {address}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// It is not the receiver that it should be, or speaks no TLS of ours.
    #[error("could not agree on TLS with `{host}`")]
    Tls {
        /// Which.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// Whom to trust is not known.
    #[error("could not read which certificates are trusted")]
    Roots(#[source] io::Error),
    /// It took too long.
    #[error("{what} took longer than {ms} ms")]
    Slow {
        /// What.
        what: &'static str,
        /// The limit.
        ms: u64,
    },
    /// The connection ended, or what came was not HTTP.
    #[error("got no answer over HTTP")]
    Exchange(#[from] hyper::Error),
    /// The message cannot be written as HTTP.
    #[error("could not write the message as HTTP")]
    Message(#[from] hyper::http::Error),
}

/// What sends messages.
pub trait Sends: Send + Sync {
    /// Sends one, and returns the answer.
    fn send(&self, message: &Message) -> impl Future<Output = Result<Answer, Error>> + Send;
}

/// Sends messages over HTTP.
pub struct Poster {
    allow: Vec<Network>,
    roots: Option<PathBuf>,
    tls: OnceCell<TlsConnector>,
    connect_ms_max: u64,
    whole_ms_max: u64,
    answer_ms_max: u64,
}

impl Poster {
    /// Makes what sends, within what the operator allows. It reads nothing before it is needed.
    pub fn new(config: &WebhookConfig) -> Self {
        Self {
            allow: config.allow.clone(),
            roots: config.roots.clone(),
            tls: OnceCell::new(),
            connect_ms_max: CONNECT_MS_MAX,
            whole_ms_max: WHOLE_MS_MAX,
            answer_ms_max: ANSWER_MS_MAX,
        }
    }

    /// Waits at most so long for a connection, and for an answer.
    #[must_use]
    pub fn waiting_at_most(self, ms: u64) -> Self {
        Self {
            connect_ms_max: ms,
            whole_ms_max: ms,
            ..self
        }
    }

    /// Waits at most so long for the text of an answer.
    #[must_use]
    pub fn reading_at_most(self, ms: u64) -> Self {
        Self {
            answer_ms_max: ms,
            ..self
        }
    }

    /// Reads which certificates are trusted, to see whether that can be done.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub async fn check_roots(&self) -> Result<(), Error> {
        if self.roots.is_some() {
            self.tls.get_or_try_init(|| self.make_tls()).await?;
        }
        Ok(())
    }

    /// Returns where a target may be called now.
    ///
    /// # Errors
    ///
    /// When it has no address, or none where webhooks may go.
    pub async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Error> {
        let found: Vec<SocketAddr> = match target.named() {
            Named::Address(address) => vec![(address, target.port()).into()],
            Named::Name(host) => {
                let found = lookup_host((host.as_str(), target.port())).await;
                let found = found.map(Iterator::collect);
                found.map_err(|source| Error::Lookup { host, source })?
            }
        };
        let mut refused = None;
        let mut addresses = Vec::new();
        for at in found {
            match self.check(target, at.ip()) {
                Ok(()) => addresses.push(at),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        addresses.truncate(ADDRESSES_MAX);
        match refused {
            Some(why) if addresses.is_empty() => Err(why),
            None if addresses.is_empty() => Err(Error::NoAddress {
                host: target.origin(),
            }),
            _ => Ok(addresses),
        }
    }

    fn check(&self, target: &Target, address: IpAddr) -> Result<(), Error> {
        match judge(address, &self.allow) {
            Judgement::Refused(why) => Err(Error::Refused { address, why }),
            Judgement::Public if !target.is_https() => Err(Error::Plain { address }),
            Judgement::Public | Judgement::Allowed => Ok(()),
        }
    }

    /// Connects to what was judged and to nothing else.
    async fn connect(&self, target: &Target) -> Result<Box<dyn Stream>, Error> {
        let until = Instant::now() + Duration::from_millis(self.connect_ms_max);
        let addresses = self.addresses(target).await?;
        let first = first_of(&addresses, until, async |address| {
            let connecting = TcpStream::connect(address).await;
            connecting.map_err(|source| Error::Connect { address, source })
        });
        let failed = |failed: Option<Error>| {
            failed.unwrap_or(Error::Slow {
                what: "connecting",
                ms: self.connect_ms_max,
            })
        };
        let stream = first.await.map_err(failed)?;
        if target.is_https() {
            return self.secure(target, stream).await;
        }
        Ok(Box::new(stream))
    }

    async fn secure(&self, target: &Target, stream: TcpStream) -> Result<Box<dyn Stream>, Error> {
        let host = match target.named() {
            Named::Name(name) => name,
            Named::Address(address) => address.to_string(),
        };
        let tls = self.tls.get_or_try_init(|| self.make_tls()).await?;
        let name = match ServerName::try_from(host.clone()) {
            Ok(name) => name,
            Err(source) => {
                let source = io::Error::other(source);
                return Err(Error::Tls { host, source });
            }
        };
        let secured = tls.connect(name, stream).await;
        let secured = secured.map_err(|source| Error::Tls { host, source })?;
        Ok(Box::new(secured))
    }

    async fn post(&self, message: &Message) -> Result<Answer, Error> {
        let ms = self.connect_ms_max;
        let connecting = self.connect(&message.target);
        let connecting = timeout(Duration::from_millis(ms), connecting).await;
        let stream = connecting.map_err(|_| Error::Slow {
            what: "connecting",
            ms,
        })??;
        self.exchange(stream, message).await
    }

    async fn exchange(&self, stream: Box<dyn Stream>, message: &Message) -> Result<Answer, Error> {
        let request = request(message)?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await?;
        // The connection does the work; when it has ended, what came may still be taken.
        let connection = async {
            drop(connection.await);
            std::future::pending::<()>().await;
        };
        let exchange = async {
            let head = timeout(
                Duration::from_millis(self.whole_ms_max),
                sender.send_request(request),
            );
            let head = head.await.map_err(|_| Error::Slow {
                what: "the answer",
                ms: self.whole_ms_max,
            })??;
            Ok::<_, Error>(answer(head, self.answer_ms_max).await)
        };
        tokio::select! {
            answer = exchange => answer,
            () = connection => Err(Error::Slow { what: "the answer", ms: self.whole_ms_max }),
        }
    }

    async fn make_tls(&self) -> Result<TlsConnector, Error> {
        let own = self.roots.clone();
        let roots = tokio::task::spawn_blocking(move || trusted(own))
            .await
            .map_err(io::Error::other)
            .and_then(|roots| roots)
            .map_err(Error::Roots)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|source| Error::Roots(io::Error::other(source)))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

impl Sends for Poster {
    async fn send(&self, message: &Message) -> Result<Answer, Error> {
        self.post(message).await
    }
}

/// Tries addresses one after the other, each for its share of the time that is left: one that swallows what is sent
/// to it leaves time for the next. Returns the first that answers, or why one did not, if one said so.
async fn first_of<T>(
    addresses: &[SocketAddr],
    until: Instant,
    connect: impl AsyncFn(SocketAddr) -> Result<T, Error>,
) -> Result<T, Option<Error>> {
    let mut refused = None;
    let shares = (1..=addresses.len()).rev();
    for (address, share) in addresses.iter().zip(shares) {
        let left = until.saturating_duration_since(Instant::now());
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        match timeout(left / share, connect(*address)).await {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(why)) => refused = refused.or(Some(why)),
            Err(_) => {}
        }
    }
    Err(refused)
}

/// A connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

fn request(message: &Message) -> Result<Request<Full<Bytes>>, Error> {
    const AGENT: &str = concat!("Sluis/", env!("CARGO_PKG_VERSION"));
    let body = Full::new(Bytes::from(message.body.clone()));
    Ok(Request::post(message.target.path())
        .header(header::HOST, message.target.authority())
        .header(header::USER_AGENT, AGENT)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", message.seconds)
        .header("webhook-signature", &message.signature)
        .body(body)?)
}

/// Reads what counts of an answer, and the beginning of its text if that comes soon.
async fn answer(response: Response<Incoming>, ms_max: u64) -> Answer {
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|field| Some(field.to_str().ok()?.to_owned()));
    let status = response.status().as_u16();
    let mut text = Vec::new();
    let mut body = response.into_body();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let room = ANSWER_BYTES_MAX.saturating_sub(text.len());
            let part = frame.into_data().unwrap_or_default();
            text.extend_from_slice(part.get(..room).unwrap_or(&part));
            if part.len() >= room {
                break;
            }
        }
    };
    // What has come by then is enough.
    drop(timeout(Duration::from_millis(ms_max), reading).await);
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    Answer {
        status,
        retry_after,
        text,
    }
}

/// Reads whom the system trusts, and whom the operator does.
fn trusted(own: Option<PathBuf>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!("Could not read some certificates of the system: {error}");
    }
    // Systems carry a few that nobody can read.
    roots.add_parsable_certificates(found.certs);
    if let Some(path) = own {
        let bad = |source| io::Error::other(format!("`{}`: {source}", path.display()));
        let pem = CertificateDer::pem_file_iter(&path).map_err(|source| bad(source.to_string()))?;
        let before = roots.len();
        for certificate in pem {
            let certificate = certificate.map_err(|source| bad(source.to_string()))?;
            roots
                .add(certificate)
                .map_err(|source: rustls::Error| bad(source.to_string()))?;
        }
        if roots.len() == before {
            return Err(bad("there is no certificate in it (PEM)".to_owned()));
        }
    }
    if roots.is_empty() {
        let text = "the system trusts nobody: install its certificates (package ca-certificates)";
        return Err(io::Error::other(text));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// Tries so many addresses within a second, of which those before `answers` swallow everything.
    async fn try_all(count: u16, answers: u16) -> Result<u16, Option<Error>> {
        let addresses: Vec<SocketAddr> = (0..count)
            .map(|port| ([192, 0, 2, 1], port).into())
            .collect();
        let until = Instant::now() + Duration::from_secs(1);
        let tried = first_of(&addresses, until, async |address| match address.port() {
            port if port < answers => pending().await,
            port => {
                tokio::time::sleep(Duration::from_millis(10)).await; // as a real one does
                Ok(port)
            }
        });
        timeout(Duration::from_secs(1), tried)
            .await
            .unwrap_or(Err(None))
    }

    #[test]
    fn a_file_of_roots_without_a_certificate_is_refused_and_not_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.pem");
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for text in ["", "of our own", key] {
            std::fs::write(&file, text).unwrap();

            let why = trusted(Some(file.clone())).unwrap_err().to_string();

            assert!(why.contains("own.pem`: there is no certificate"), "{why}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_swallows_everything_leaves_time_for_the_others() {
        for answers in 0..4 {
            assert_eq!(try_all(4, answers).await.unwrap(), answers);
        }
        assert!(matches!(try_all(4, 4).await, Err(None)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_refuses_takes_no_time_and_is_told() {
        let addresses: [SocketAddr; 2] = [([192, 0, 2, 1], 1).into(), ([192, 0, 2, 2], 2).into()];
        let until = Instant::now() + Duration::from_secs(1);

        let refused = first_of::<()>(&addresses, until, async |address| {
            let source = io::ErrorKind::ConnectionRefused.into();
            Err(Error::Connect { address, source })
        });

        let told = refused.await.unwrap_err().unwrap().to_string();
        assert_eq!(told, "could not connect to 192.0.2.1:1");
    }
}
