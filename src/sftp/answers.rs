//! How do answers reach a peer, and when do their bytes count?
//!
//! Answers to what waits are gathered and sent once. The bytes of a document count when the channel
//! has taken them within the peer's window, not before: whoever asks for everything, opens no window
//! and hangs up has received nothing.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes};
use russh::ChannelWriteHalf;
use russh::server::Msg;
use russh_sftp::protocol::Packet;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::given::Given;
use super::intake::Intake;
use super::limits::ANSWER_BYTES;
use super::status::Refusal;
use crate::model::Clock;
use crate::tree::{self, Content};

/// The sending side of a session.
pub(super) struct Answers {
    channel: ChannelWriteHalf<Msg>,
    intake: Arc<Intake>,
    dead: CancellationToken,
    clock: Clock,
    gathered: Vec<u8>,
    /// Reads that are to be answered among what is gathered, and where.
    wanted: Vec<(usize, Wanted)>,
    wanted_bytes: usize,
}

/// A part of a document that a peer has asked for and has not been given.
pub(super) struct Wanted {
    pub(super) id: u32,
    pub(super) offset: u64,
    /// How many bytes; they are there.
    pub(super) length: u32,
    pub(super) from: Content,
    /// Where they count, once the channel has taken them, if anywhere.
    pub(super) given: Option<Arc<Given>>,
}

/// The connection is gone, or cannot go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is gone")]
pub(super) struct Gone;

/// `SSH_FXP_DATA` (filexfer-02 §7).
const DATA: u8 = 103;

/// The most that is read without handing it to another thread, in bytes: a small document, whose reading
/// takes less time than the handing over.
const READ_NOW_BYTES_MAX: usize = 64 * 1024;

/// Length, type, id and length of the data, in bytes.
const DATA_HEAD_BYTES: usize = 13;

impl Answers {
    /// Sends through `channel`, until `dead`; `clock` says when bytes were accepted.
    pub(super) fn new(
        channel: ChannelWriteHalf<Msg>,
        intake: Arc<Intake>,
        dead: CancellationToken,
        clock: Clock,
    ) -> Self {
        Self {
            channel,
            intake,
            dead,
            clock,
            gathered: Vec::new(),
            wanted: Vec::new(),
            wanted_bytes: 0,
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

    /// Where an answer may be written whole, for those that are many.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Gathers a part of a document, which is read when it is sent.
    pub(super) fn add_read(&mut self, wanted: Wanted) {
        self.wanted_bytes += DATA_HEAD_BYTES + wanted.length as usize;
        self.wanted.push((self.gathered.len(), wanted));
    }

    /// Says whether so much is gathered that it should be sent.
    pub(super) fn is_full(&self) -> bool {
        self.gathered.len() + self.wanted_bytes >= ANSWER_BYTES
    }

    /// Sends what is gathered, waiting for the peer's window, and counts its bytes once they are taken.
    ///
    /// # Errors
    ///
    /// When the connection is gone; then nothing of it counts.
    pub(super) async fn send(&mut self) -> Result<(), Gone> {
        if self.gathered.is_empty() && self.wanted.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::take(&mut self.gathered);
        let wanted = std::mem::take(&mut self.wanted);
        let bytes = gathered.len() + std::mem::take(&mut self.wanted_bytes);
        let (bytes, given) = filled(gathered, wanted, bytes).await?;
        self.intake.set_sending(true);
        let sent = tokio::select! {
            // A peer that has closed the channel gets nothing any more, whatever window it had.
            biased;
            () = self.dead.cancelled() => Err(Gone),
            sent = self.channel.data_bytes(bytes) => sent.map_err(|_| Gone),
        };
        self.intake.set_sending(false);
        sent?;
        if given.is_empty() {
            return Ok(());
        }
        let now = self.clock.read();
        for (_, wanted) in given {
            if let Some(given) = &wanted.given {
                let end = wanted.offset + u64::from(wanted.length);
                given.accepted(wanted.offset..end, now);
            }
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

/// Parts of documents that were asked for, and where they stand among the other answers.
type Parts = Vec<(usize, Wanted)>;

/// Puts the parts of documents among the other answers, and returns those that could be read. What is more than a
/// little is put together on another thread: meanwhile all others on this one have their turn.
async fn filled(gathered: Vec<u8>, wanted: Parts, bytes: usize) -> Result<(Vec<u8>, Parts), Gone> {
    let now = (bytes <= READ_NOW_BYTES_MAX)
        .then(|| fill_now(&gathered, &wanted, bytes))
        .flatten();
    match now {
        Some(bytes) => Ok((bytes, wanted)),
        // All of them in one visit to the disk, straight into what is sent.
        None => tokio::task::spawn_blocking(move || fill(&gathered, wanted, bytes))
            .await
            .map_err(|_| Gone),
    }
}

/// Puts the parts of documents among the other answers, in the order in which they were asked for, if
/// all of them are in memory.
fn fill_now(gathered: &[u8], wanted: &[(usize, Wanted)], bytes: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes);
    let mut done = 0;
    for (at, wanted) in wanted {
        out.extend_from_slice(gathered.get(done..*at)?);
        done = *at;
        put_head(&mut out, wanted);
        let length = wanted.length as usize;
        if !wanted.from.read_now(wanted.offset, length, &mut out) {
            return None;
        }
    }
    out.extend_from_slice(gathered.get(done..)?);
    Some(out)
}

/// Does the same from the disk, and returns those parts that could be read.
fn fill(gathered: &[u8], wanted: Parts, bytes: usize) -> (Vec<u8>, Parts) {
    let mut out = Vec::with_capacity(bytes);
    let mut given = Vec::with_capacity(wanted.len());
    let mut done = 0;
    for (at, wanted) in wanted {
        out.extend_from_slice(gathered.get(done..at).unwrap_or_default());
        done = at;
        let start = out.len();
        put_head(&mut out, &wanted);
        let length = wanted.length as usize;
        match wanted.from.read(wanted.offset, length, &mut out) {
            Ok(()) => given.push((at, wanted)),
            Err(fault) => {
                out.truncate(start);
                refuse(&mut out, wanted.id, fault);
            }
        }
    }
    out.extend_from_slice(gathered.get(done..).unwrap_or_default());
    (out, given)
}

fn put_head(out: &mut Vec<u8>, wanted: &Wanted) {
    out.put_u32(wanted.length.saturating_add(9));
    out.put_u8(DATA);
    out.put_u32(wanted.id);
    out.put_u32(wanted.length);
}

/// The document is there and its bytes are not: the peer hears that it failed, the operator why.
fn refuse(out: &mut Vec<u8>, id: u32, fault: tree::Error) {
    let refusal = Refusal::from(fault);
    if let Some(why) = &refusal.fault {
        // The store has told it, once for each content.
        debug!("Could not answer a read: {why}");
    }
    if let Ok(bytes) = Bytes::try_from(refusal.answer(id)) {
        out.extend_from_slice(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc;

    use tokio::runtime::Builder;

    use super::super::limits::IO_BYTES_MAX;
    use super::*;

    /// Whether others on its thread get a turn, before so many bytes of answers are put together.
    fn lets_others(bytes: usize) -> bool {
        // The only thread for it is taken, so that it is not done before anybody looks.
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let (free, taken) = mpsc::channel::<()>();
        runtime.block_on(async move {
            let busy = tokio::task::spawn_blocking(move || taken.recv().is_err());
            let had_turn = Cell::new(false);
            let greedy = async {
                let (sent, _) = filled(vec![0; bytes], Vec::new(), bytes).await.unwrap();
                assert_eq!(sent.len(), bytes);
                had_turn.get()
            };
            let others = async {
                had_turn.set(true);
                drop(free);
                assert!(busy.await.unwrap());
            };
            tokio::join!(biased; greedy, others).0
        })
    }

    #[test]
    fn whoever_is_given_much_lets_others_have_their_turn_in_between() {
        assert!(!lets_others(READ_NOW_BYTES_MAX), "it would take longer");
        assert!(lets_others(READ_NOW_BYTES_MAX + 1));
        assert!(lets_others(ANSWER_BYTES));
    }

    #[test]
    fn a_turn_is_no_longer_than_the_manual_says() {
        // What is not full yet takes one more READ, less a byte.
        let longest = (ANSWER_BYTES + IO_BYTES_MAX as usize) / 1024;
        let manual = include_str!("../../docs/security.md");

        let promise = format!("after each {longest} KiB of answers at the most");
        assert!(manual.contains(&promise), "{promise}");
        const { assert!(ANSWER_BYTES > READ_NOW_BYTES_MAX) };
    }
}
