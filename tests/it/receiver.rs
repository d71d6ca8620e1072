//! How does a test act as the receiver of a webhook?
//!
//! It speaks HTTP by hand, so that it can do what a server would not: be silent, hang up, be slow.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::gateway::PATIENCE;

/// What it does with the next message; without a word it takes it.
#[derive(Clone)]
pub enum Reply {
    /// Answers so; takes it if that is a success.
    Answers(u16, &'static str),
    /// Says nothing, and stays connected until the other side goes.
    IsSilent,
    /// Hangs up at once.
    HangsUp,
    /// Takes it, and then hangs up without an answer.
    TakesAndHangsUp,
    /// Answers with success when it is told to.
    Waits(Arc<Notify>),
    /// The same, and says first that it was called.
    Asks(Arc<Notify>, Arc<Notify>),
    /// Takes it with an answer that has no end.
    Babbles,
    /// Takes it, and says what is not HTTP.
    Mumbles,
    /// Takes it with an answer whose head has no end.
    Boasts,
}

/// A message as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub request: String,
    pub id: String,
    pub seconds: i64,
    pub signature: String,
    pub body: String,
    /// Whether the receiver has it now.
    pub is_taken: bool,
}

impl Seen {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A receiver on loopback.
pub struct Receiver {
    pub address: SocketAddr,
    seen: watch::Receiver<Vec<Seen>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    serving: JoinHandle<()>,
}

/// A receiver whose machine is there, and whose program is not.
pub struct Away {
    socket: TcpSocket,
    pub address: SocketAddr,
}

impl Away {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    pub fn comes_back(self) -> Receiver {
        Receiver::on(self.socket.listen(128).unwrap(), None)
    }
}

impl Receiver {
    pub async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), None)
    }

    /// One with a certificate for `localhost`, of the tests' own authority.
    pub async fn start_with_tls() -> Self {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(tls("receiver.pem"))
            .unwrap()
            .collect();
        let key = PrivateKeyDer::from_pem_file(tls("receiver.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.unwrap(), key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn on(listener: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        let address = listener.local_addr().unwrap();
        let (tell, seen) = watch::channel(Vec::new());
        let replies: Arc<Mutex<VecDeque<Reply>>> = Arc::default();
        let next = Arc::clone(&replies);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tell, next, tls) = (tell.clone(), Arc::clone(&next), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, &tell, &next).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => answer(stream, &tell, &next).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self {
            address,
            seen,
            replies,
            serving,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?key=17", self.address)
    }

    /// Says what it does with the next messages.
    pub fn does(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap().extend(replies);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// Waits until so many messages have come.
    pub async fn has_seen(&mut self, count: usize) {
        let seen = self.seen.wait_for(|seen| seen.len() >= count);
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        let came = seen.is_ok_and(|seen| seen.is_ok());
        assert!(came, "{count} messages never came");
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A file of the tests' own authority.
pub fn tls(name: &str) -> String {
    format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    tell: &watch::Sender<Vec<Seen>>,
    replies: &Mutex<VecDeque<Reply>>,
) -> Option<()> {
    let mut seen = read(&mut stream).await?;
    let reply = replies.lock().unwrap().pop_front();
    let reply = reply.unwrap_or(Reply::Answers(200, ""));
    if let Reply::Asks(called, _) = &reply {
        called.notify_one();
    }
    if let Reply::Waits(until) | Reply::Asks(_, until) = &reply {
        until.notified().await;
    }
    seen.is_taken = match reply {
        Reply::Answers(status, _) => (200..300).contains(&status),
        Reply::IsSilent | Reply::HangsUp => false,
        _ => true,
    };
    tell.send_modify(|all| all.push(seen));
    let said = match reply {
        Reply::Answers(status, headers) => {
            format!("HTTP/1.1 {status} X\r\n{headers}content-length: 4\r\n\r\ntext")
        }
        Reply::Waits(_) | Reply::Asks(..) => "HTTP/1.1 204 X\r\n\r\n".to_owned(),
        Reply::Boasts => "HTTP/1.1 200 X\r\n".to_owned(),
        Reply::Mumbles => "220 mail.example.com ESMTP\r\n".to_owned(),
        Reply::Babbles => "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
        Reply::HangsUp | Reply::TakesAndHangsUp => return None,
        Reply::IsSilent => {
            drop(stream.read(&mut [0; 1]).await);
            return None;
        }
    };
    stream.write_all(said.as_bytes()).await.ok()?;
    let more = match reply {
        Reply::Babbles => "4\r\nmore\r\n",
        Reply::Boasts => "x-more: more\r\n",
        _ => return stream.shutdown().await.ok(),
    };
    loop {
        stream.write_all(more.as_bytes()).await.ok()?;
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let field = |name: &str| {
                head.lines()
                    .find_map(|line| line.strip_prefix(&format!("{name}: ")))
                    .unwrap_or_default()
                    .to_owned()
            };
            if body.len() >= field("content-length").parse().unwrap() {
                return Some(Seen {
                    request: head.lines().next()?.to_owned(),
                    id: field("webhook-id"),
                    seconds: field("webhook-timestamp").parse().unwrap(),
                    signature: field("webhook-signature"),
                    body: body.to_owned(),
                    is_taken: false,
                });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
