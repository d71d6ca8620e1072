//! Do the algorithms that are offered work, and whose key is shown at a port?
//!
//! Each is tried alone between a client and a server within this process: a key exchange, and a request
//! through the cipher that was agreed on.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKeyOrCertificate};
use russh::{Preferred, client, server};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::algorithms::KEX_EXTENSIONS;
use super::transport::Transport;
use crate::doctor::Rehearsed;
use crate::guard::GuardConfig;

/// How long one may take: some milliseconds, but the large finite fields of the legacy set take seconds on a
/// busy machine.
const TRIED_MAX: Duration = Duration::from_secs(30);

/// What goes through the pipe between the two at a time.
const PIPE_BYTES: usize = 64 * 1024;

/// Tries each algorithm that this transport offers.
pub async fn rehearse(transport: Transport) -> Vec<Rehearsed> {
    let config = Arc::new(server::Config {
        auth_rejection_time: Duration::ZERO,
        ..transport.config()
    });
    let mut rehearsed = Vec::new();
    let kinds: Vec<_> = config.keys.iter().map(PrivateKey::algorithm).collect();
    for (algorithm, wanted) in each(&config.preferred, &kinds) {
        let tried = timeout(TRIED_MAX, exchange(Arc::clone(&config), wanted)).await;
        let failed = match tried {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("it took longer than {} s", TRIED_MAX.as_secs())),
        };
        rehearsed.push(Rehearsed { algorithm, failed });
    }
    rehearsed
}

/// Connects to a server, and returns the fingerprint of the host key that it shows.
///
/// # Errors
///
/// When nobody is there, or no key is exchanged.
pub async fn shown_key(
    address: SocketAddr,
    transport: Transport,
    guard: &GuardConfig,
) -> Result<String, russh::Error> {
    let preferred = transport.config().preferred;
    let shown = Arc::default();
    let knocking = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let own = stream.local_addr()?.ip();
        stream.write_all(introduction(guard, own)).await?;
        ask(stream, preferred, &shown).await
    };
    timeout(TRIED_MAX, knocking)
        .await
        .map_err(|_| russh::Error::ConnectionTimeout)??;
    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(shown)
}

/// Returns what whoever connects from `own` says first to a server with this guard.
///
/// Mostly nothing. A forwarder must say for whom it speaks, and this one speaks for itself (`proxy-protocol.txt`,
/// 2.1).
pub fn introduction(guard: &GuardConfig, own: IpAddr) -> &'static [u8] {
    if guard.is_proxy(own) {
        b"PROXY UNKNOWN\r\n"
    } else {
        b""
    }
}

/// Each algorithm by its name, and what a client would prefer that knows of its kind no other. Kinds of host
/// keys of which there is none are left out.
fn each(offered: &Preferred, kinds: &[Algorithm]) -> Vec<(String, Preferred)> {
    let is_exchange = |name: &&russh::kex::Name| !KEX_EXTENSIONS.contains(name);
    let (exchanges, rules): (Vec<&russh::kex::Name>, Vec<&russh::kex::Name>) =
        offered.kex.iter().partition(is_exchange);
    let mut all = Vec::new();
    for kex in exchanges {
        let kex_only: Vec<_> = [*kex]
            .into_iter()
            .chain(rules.iter().map(|rule| **rule))
            .collect();
        let name: &str = kex.as_ref();
        let preferred = Preferred {
            kex: kex_only.into(),
            ..offered.clone()
        };
        all.push((format!("key exchange {name}"), preferred));
    }
    for cipher in offered.cipher.iter() {
        let name: &str = cipher.as_ref();
        let preferred = Preferred {
            cipher: Cow::Owned(vec![*cipher]),
            ..offered.clone()
        };
        all.push((format!("cipher {name}"), preferred));
    }
    // An AEAD needs none, so those are tried with a counter mode.
    let counters = |name: &&russh::cipher::Name| {
        let name: &str = name.as_ref();
        name.ends_with("-ctr")
    };
    let counters: Vec<_> = offered.cipher.iter().filter(counters).copied().collect();
    for mac in offered.mac.iter() {
        let name: &str = mac.as_ref();
        let preferred = Preferred {
            cipher: counters.clone().into(),
            mac: Cow::Owned(vec![*mac]),
            ..offered.clone()
        };
        all.push((format!("MAC {name}"), preferred));
    }
    let is_rsa = |key: &Algorithm| matches!(key, Algorithm::Rsa { .. });
    let is_here = |key: &&Algorithm| {
        kinds
            .iter()
            .any(|kind| kind == *key || (is_rsa(kind) && is_rsa(key)))
    };
    for key in offered.key.iter().filter(is_here) {
        let preferred = Preferred {
            key: Cow::Owned(vec![key.clone()]),
            ..offered.clone()
        };
        all.push((format!("host key {key}"), preferred));
    }
    all
}

async fn exchange(config: Arc<server::Config>, wanted: Preferred) -> Result<(), russh::Error> {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let serving = async { server::run_stream(config, far, Nobody).await?.await };
    let unnoted = Arc::default();
    let asking = ask(near, wanted, &unnoted);
    tokio::select! {
        asked = asking => asked,
        ended = serving => ended.and(Err(russh::Error::Disconnect)),
    }
}

/// Exchanges keys, and asks for a login that nobody gets: the answer comes through the cipher.
async fn ask<S>(
    stream: S,
    preferred: Preferred,
    shown: &Arc<Mutex<String>>,
) -> Result<(), russh::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = Arc::new(client::Config {
        preferred,
        ..client::Config::default()
    });
    let handler = Looking(Arc::clone(shown));
    let mut asking = client::connect_stream(config, stream, handler).await?;
    asking.authenticate_none("doctor").await?;
    Ok(())
}

/// A server that lets nobody in.
struct Nobody;

impl server::Handler for Nobody {
    type Error = russh::Error;
}

/// A client that notes which key it is shown.
struct Looking(Arc<Mutex<String>>);

impl client::Handler for Looking {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = key {
            let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *shown = key.fingerprint(HashAlg::Sha256).to_string();
        }
        Ok(true)
    }
}
