//! How do answers reach a peer, and when do their bytes count?
//!
//! Answers to what waits are gathered and sent once. The bytes of a document count when the channel
//! has taken them within the peer's window, not before: whoever asks for everything, opens no window
//! and hangs up has received nothing.

use std::ops::Range;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use russh::ChannelWriteHalf;
use russh::server::Msg;
use russh_sftp::protocol::Packet;
use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::limits::ANSWER_BYTES;
use crate::mark::{Reads, lock};

/// The sending side of a session.
pub(super) struct Answers {
    channel: ChannelWriteHalf<Msg>,
    intake: Arc<Intake>,
    dead: CancellationToken,
    gathered: BytesMut,
    /// Spans of documents among the gathered answers.
    unsent: Vec<(Reads, Range<u64>)>,
}

/// The connection is gone, or cannot go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is gone")]
pub(super) struct Gone;

/// `SSH_FXP_DATA` (filexfer-02 §7).
const DATA: u8 = 103;

impl Answers {
    /// Sends through `channel`, until `dead`.
    pub(super) fn new(
        channel: ChannelWriteHalf<Msg>,
        intake: Arc<Intake>,
        dead: CancellationToken,
    ) -> Self {
        Self {
            channel,
            intake,
            dead,
            gathered: BytesMut::new(),
            unsent: Vec::new(),
        }
    }

    /// Gathers an answer.
    ///
    /// # Errors
    ///
    /// When it cannot be encoded.
    pub(super) fn add(&mut self, packet: Packet) -> Result<(), Gone> {
        let bytes = Bytes::try_from(packet).map_err(|_| Gone)?;
        self.gathered.extend_from_slice(&bytes);
        Ok(())
    }

    /// Gathers bytes of a document, which will count for `reads`.
    pub(super) fn add_data(&mut self, id: u32, bytes: &Bytes, reads: &Reads, offset: u64) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.gathered.put_u32(length.saturating_add(9));
        self.gathered.put_u8(DATA);
        self.gathered.put_u32(id);
        self.gathered.put_u32(length);
        self.gathered.extend_from_slice(bytes);
        self.unsent
            .push((Arc::clone(reads), offset..offset + bytes.len() as u64));
    }

    /// Says whether so much is gathered that it should be sent.
    pub(super) fn is_full(&self) -> bool {
        self.gathered.len() >= ANSWER_BYTES
    }

    /// Sends what is gathered, waiting for the peer's window, and counts its bytes once they are taken.
    ///
    /// # Errors
    ///
    /// When the connection is gone; then nothing of it counts.
    pub(super) async fn send(&mut self) -> Result<(), Gone> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let bytes = self.gathered.split().freeze();
        self.intake.set_sending(true);
        let sent = tokio::select! {
            sent = self.channel.data_bytes(bytes) => sent.map_err(|_| Gone),
            () = self.dead.cancelled() => Err(Gone),
        };
        self.intake.set_sending(false);
        let unsent = std::mem::take(&mut self.unsent);
        sent?;
        for (reads, span) in unsent {
            lock(&reads).accepted(span);
        }
        Ok(())
    }

    /// Ends the channel in order: `exit-status`, EOF, CLOSE. Without the status `scp` reports a failure.
    pub(super) async fn close(self, status: u32) {
        let closing = async {
            self.channel.exit_status(status).await?;
            self.channel.eof().await?;
            self.channel.close().await
        };
        tokio::select! {
            // A peer that is gone already needs no farewell.
            _ = closing => {}
            () = self.dead.cancelled() => {}
        }
    }
}
