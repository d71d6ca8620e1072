//! How are bytes taken from the network, and how is that ended?

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::counts::Counts;

/// Bytes to be read from the network at a time: the library takes each packet in two small pieces.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// A TCP stream that is read in large pieces, and that can be cut.
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    counts: Arc<Counts>,
}

impl Wire {
    /// Takes a stream that ends, for who reads or writes it, when `cut` is cancelled.
    pub(super) fn new(stream: TcpStream, cut: CancellationToken, counts: Arc<Counts>) -> Self {
        let stream = BufReader::with_capacity(READ_BUFFER_BYTES, stream);
        Self {
            stream,
            cut: Box::pin(cut.cancelled_owned()),
            counts,
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
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        let bytes = into.filled().len().saturating_sub(before);
        if bytes > 0 {
            self.counts.received_bytes.add(bytes as u64);
        }
        read
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
