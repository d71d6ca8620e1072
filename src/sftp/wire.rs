//! How are bytes taken from the network, and how is that ended?

use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::limits::BYTES_BEFORE_LOGIN_MAX;
use super::shown::printable;
use crate::counts::Counts;
use crate::login::Stay;

/// Bytes to be read from the network at a time, from a peer that sends much: the library takes each packet in
/// two small pieces.
const READ_BYTES: usize = 64 * 1024;

/// The same from a peer that sends little, which is all that an idle connection holds.
const READ_BYTES_IDLE: usize = 4 * 1024;

/// A TCP stream that is read in large pieces, and that can be cut.
pub(super) struct Wire {
    stream: TcpStream,
    before_login: Option<BeforeLogin>,
    ahead: Ahead,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    counts: Arc<Counts>,
}

impl Wire {
    /// Takes a stream that ends, for who reads or writes it, when `cut` is cancelled.
    pub(super) fn new(stream: TcpStream, cut: CancellationToken, counts: Arc<Counts>) -> Self {
        Self {
            stream,
            before_login: None,
            ahead: Ahead::default(),
            cut: Box::pin(cut.cancelled_owned()),
            counts,
        }
    }

    /// Ends, for who reads it, after [`BYTES_BEFORE_LOGIN_MAX`] without a login. Until then it hears what the peer says
    /// that it is.
    pub(super) fn until_login(
        self,
        login: watch::Receiver<Option<Arc<Stay>>>,
        software: Arc<OnceLock<String>>,
    ) -> Self {
        let first = Vec::new();
        let before_login = Some(BeforeLogin {
            bytes: 0,
            login,
            first,
            software,
        });
        Self {
            before_login,
            ..self
        }
    }
}

/// What has come from whoever has not logged in.
struct BeforeLogin {
    bytes: usize,
    login: watch::Receiver<Option<Arc<Stay>>>,
    /// The beginning of its first line.
    first: Vec<u8>,
    software: Arc<OnceLock<String>>,
}

/// The longest line with which a peer says what it is (RFC 4253 §4.2).
const VERSION_BYTES_MAX: usize = 255;

impl BeforeLogin {
    /// Hears what came, up to the end of the first line.
    fn hear(&mut self, bytes: &[u8]) {
        if self.software.get().is_some() {
            return;
        }
        self.first.extend_from_slice(bytes);
        let end = self.first.iter().position(|byte| *byte == b'\n');
        if end.is_none() && self.first.len() < VERSION_BYTES_MAX {
            return;
        }
        let mut first = std::mem::take(&mut self.first);
        first.truncate(end.unwrap_or(VERSION_BYTES_MAX));
        let told = printable(String::from_utf8_lossy(&first).trim_end());
        self.software.get_or_init(|| told);
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
        let wire = &mut *self;
        let from = into.filled().len();
        let bytes = ready!(wire.ahead.poll_read(&mut wire.stream, cx, into))?;
        wire.counts.received_bytes.add(bytes as u64);
        if let Some(before) = &mut wire.before_login {
            before.bytes += bytes;
            before.hear(into.filled().get(from..).unwrap_or_default());
            if before.login.borrow().is_some() {
                wire.before_login = None;
            } else if before.bytes > BYTES_BEFORE_LOGIN_MAX {
                return Poll::Ready(Err(std::io::ErrorKind::QuotaExceeded.into()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// What was read from the network and not taken yet.
#[derive(Debug, Default)]
struct Ahead {
    bytes: Vec<u8>,
    /// Where in them that is.
    rest: Range<usize>,
    /// How much came at the last time.
    came: usize,
}

impl Ahead {
    /// Takes what was read before, or reads; returns how many bytes went into `into`, none at the end.
    fn poll_read(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<usize>> {
        if self.rest.is_empty() {
            ready!(self.poll_fill(from, cx))?;
        }
        let ahead = self.bytes.get(self.rest.clone()).unwrap_or_default();
        let taken = ahead.len().min(into.remaining());
        into.put_slice(ahead.get(..taken).unwrap_or_default());
        self.rest.start += taken;
        Poll::Ready(Ok(taken))
    }

    fn poll_fill(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let room = match self.came {
            READ_BYTES_IDLE.. => READ_BYTES,
            _ => READ_BYTES_IDLE,
        };
        if self.bytes.len() != room {
            self.bytes = vec![0; room];
        }
        let mut buffer = ReadBuf::new(&mut self.bytes);
        ready!(Pin::new(from).poll_read(cx, &mut buffer))?;
        self.came = buffer.filled().len();
        self.rest = 0..self.came;
        Poll::Ready(Ok(()))
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
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(bytes)) = &written {
            self.counts.sent_bytes.add(*bytes as u64);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A peer that sends these pieces, each when it is asked for more.
    struct Peer(std::vec::IntoIter<Vec<u8>>);

    impl AsyncRead for Peer {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            let Some(mut piece) = self.0.next() else {
                return Poll::Ready(Ok(()));
            };
            let later = piece.split_off(piece.len().min(into.remaining()));
            into.put_slice(&piece);
            if !later.is_empty() {
                self.0 = std::iter::once(later)
                    .chain(self.0.by_ref())
                    .collect::<Vec<_>>()
                    .into_iter();
            }
            Poll::Ready(Ok(()))
        }
    }

    /// Takes `want` bytes at the most.
    fn take(ahead: &mut Ahead, peer: &mut Peer, want: usize) -> Vec<u8> {
        let mut bytes = vec![0; want];
        let mut into = ReadBuf::new(&mut bytes);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let taken = ahead.poll_read(peer, &mut cx, &mut into);
        let Poll::Ready(Ok(taken)) = taken else {
            panic!("{taken:?}");
        };
        assert_eq!(taken, into.filled().len());
        into.filled().to_vec()
    }

    #[test]
    fn who_sends_little_holds_little_again_after_sending_much() {
        let mut peer = Peer(vec![vec![1; 100], vec![2; 200_000], vec![3; 100]].into_iter());
        let mut ahead = Ahead::default();

        assert_eq!(take(&mut ahead, &mut peer, 1000), [1; 100]);
        assert_eq!(ahead.bytes.len(), READ_BYTES_IDLE);
        let mut much = 0;
        let mut largest = 0;
        while much < 200_000 {
            much += take(&mut ahead, &mut peer, 30_000).len();
            largest = largest.max(ahead.bytes.len());
        }
        assert_eq!(largest, READ_BYTES);
        assert_eq!(take(&mut ahead, &mut peer, 1000), [3; 100]);
        // What it waits with is what counts.
        assert!(take(&mut ahead, &mut peer, 1000).is_empty());
        assert_eq!(ahead.bytes.len(), READ_BYTES_IDLE);
    }

    proptest! {
        #[test]
        fn what_is_taken_is_what_came(
            pieces in vec(vec(any::<u8>(), 1..9000), 0..8), wants in vec(1usize..9000, 1..9),
        ) {
            let sent = pieces.concat();
            let mut peer = Peer(pieces.into_iter());
            let (mut ahead, mut got) = (Ahead::default(), Vec::new());
            for want in wants.into_iter().cycle() {
                let bytes = take(&mut ahead, &mut peer, want);
                if bytes.is_empty() {
                    break;
                }
                got.extend(bytes);
            }

            prop_assert_eq!(got, sent);
        }
    }
}
