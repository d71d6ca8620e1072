//! How is one file taken in whose sender waits for the answer?
//!
//! Each is read and stored by itself, and what several senders have ready at the same time is written
//! down together: one transaction, and one sync of the disk, for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::run::{Error, Ingest, Ready, TRIES_MAX, Taken, read_bytes};
use crate::blobs::{self, Stored, Unnamed};
use crate::model::{Checksums, Declared, FirmId, Said, Timestamp};
use crate::ubl::Read;

/// How many files are written down together at the most.
pub const GROUP_FILES_MAX: usize = 64;

/// From how many bytes on a file is read beside few others, for it is all in memory then.
const LARGE_BYTES: u64 = 8 * 1024 * 1024;

/// How many large files are read at a time.
const LARGE_AT_ONCE: usize = 2;

/// Up to how many bytes a file is read on the spot: handing it to another thread would take longer.
const SMALL_BYTES: usize = 64 * 1024;

/// What a sender has written.
#[derive(Debug)]
pub enum Written {
    /// Bytes in memory.
    Memory(Bytes),
    /// A file that has no name yet.
    File(Unnamed),
}

impl Written {
    /// Returns how many bytes it has.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.bytes(),
        }
    }
}

/// As what a sender has put a file here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutAs {
    /// Through which door, and under which name.
    pub source: String,
    /// The folder in `/in` of a dossier's code, if it was put there: so its sender names the dossier.
    pub folder: Option<String>,
}

/// Where files that are ready meet.
#[derive(Debug, Clone)]
pub(super) struct Meeting {
    waiting: Arc<Mutex<HashMap<FirmId, Vec<Waiting>>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
    large: Arc<Semaphore>,
}

/// A file that is ready, and where its sender waits.
#[derive(Debug)]
struct Waiting {
    ready: Ready,
    answer: oneshot::Sender<Result<Taken, Error>>,
}

impl Default for Meeting {
    fn default() -> Self {
        Self {
            waiting: Arc::default(),
            turn: Arc::default(),
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
        }
    }
}

impl Ingest {
    /// Takes in what a sender has written: it is durable when this returns.
    ///
    /// # Errors
    ///
    /// When a store does not take it; then it is as it was, and may be tried again.
    pub async fn receive(
        &self,
        firm: FirmId,
        put: PutAs,
        written: &Written,
        door: Declared,
        now: Timestamp,
    ) -> Result<Taken, Error> {
        self.check_room().map_err(Error::NoRoom)?;
        let began = Instant::now();
        let _room = match written.bytes() {
            ..LARGE_BYTES => None,
            _ => self.meeting.large.acquire().await.ok(),
        };
        let mut tried = 1;
        loop {
            let ready = self.make_ready(put.clone(), written, door).await?;
            match self.write_together(firm, ready, now).await {
                Err(Error::Swept { .. }) if tried < TRIES_MAX => tried += 1,
                taken => return taken.inspect(|taken| self.count([taken], began)),
            }
        }
    }

    /// Reads and stores at the same time; the blob is durable when both are done, before any row names it.
    async fn make_ready(
        &self,
        put: PutAs,
        written: &Written,
        door: Declared,
    ) -> Result<Ready, Error> {
        let PutAs { source, folder } = put;
        let failed = |refused: blobs::Error| Error::Blobs {
            arrival: source.clone(),
            source: refused,
        };
        let sweeps = self.catalog.sweeps();
        let storing = async {
            match written {
                Written::Memory(bytes) => self.blobs.put(bytes.clone()).await,
                Written::File(file) => self.blobs.keep(file).await,
            }
        };
        let (stored, read) = tokio::join!(storing, read(written, &source));
        let (original, (read, checksums)) = (stored.map_err(failed)?, read?);
        let content = self.store_inner(read.inner, original).await;
        Ok(Ready {
            reading: read.reading,
            original,
            content: content.map_err(failed)?,
            checksums,
            source,
            folder,
            said: Said::default(),
            door,
            sweeps,
        })
    }

    /// Stores what an envelope held, which is what devices read.
    async fn store_inner(
        &self,
        inner: Option<Vec<u8>>,
        original: Stored,
    ) -> Result<Stored, blobs::Error> {
        match inner {
            Some(inner) => self.blobs.put(inner.into()).await,
            None => Ok(original),
        }
    }

    /// Writes down what is ready at this firm, this file among it. Whoever has the turn does it for all.
    async fn write_together(
        &self,
        firm: FirmId,
        ready: Ready,
        now: Timestamp,
    ) -> Result<Taken, Error> {
        let (answer, mut answered) = oneshot::channel();
        self.meeting
            .lock()
            .entry(firm)
            .or_default()
            .push(Waiting { ready, answer });
        loop {
            let _turn = self.meeting.turn.lock().await;
            match answered.try_recv() {
                Ok(taken) => return taken,
                // Whoever had it ended in the middle, as a server does that is killed.
                Err(oneshot::error::TryRecvError::Closed) => return Err(Error::Left),
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            let group = self.meeting.leave(firm);
            self.write_group(firm, group, now).await;
        }
    }

    async fn write_group(&self, firm: FirmId, group: Vec<Waiting>, now: Timestamp) {
        let (ready, answers): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|waiting| (waiting.ready, waiting.answer))
            .unzip();
        let together = self.write_all(firm, &ready, now).await;
        match together {
            Ok(all) => {
                for (answer, taken) in answers.into_iter().zip(all) {
                    tell(answer, Ok(taken));
                }
            }
            // One that cannot be written down holds up no other.
            Err(_) if ready.len() > 1 => {
                for (answer, one) in answers.into_iter().zip(&ready) {
                    let written = self.write_all(firm, std::slice::from_ref(one), now).await;
                    let taken = match written.map(|all| all.into_iter().next()) {
                        Ok(Some(taken)) => Ok(taken),
                        Ok(None) => Err(Error::Left),
                        Err(failed) => Err(failed),
                    };
                    tell(answer, taken);
                }
            }
            Err(failed) => {
                if let Some(answer) = answers.into_iter().next() {
                    tell(answer, Err(failed));
                }
            }
        }
    }
}

impl Meeting {
    /// Takes the files of a firm that have waited longest.
    fn leave(&self, firm: FirmId) -> Vec<Waiting> {
        let mut waiting = self.lock();
        let Some(all) = waiting.get_mut(&firm) else {
            return Vec::new();
        };
        let group = all.drain(..all.len().min(GROUP_FILES_MAX)).collect();
        if all.is_empty() {
            waiting.remove(&firm);
        }
        group
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FirmId, Vec<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sender that is gone meanwhile misses its answer and nothing else.
fn tell(answer: oneshot::Sender<Result<Taken, Error>>, taken: Result<Taken, Error>) {
    drop(answer.send(taken));
}

async fn read(written: &Written, source: &str) -> Result<(Read, Option<Checksums>), Error> {
    let bytes = match written {
        Written::Memory(bytes) if bytes.len() <= SMALL_BYTES => return Ok(read_bytes(bytes)),
        Written::Memory(bytes) => bytes.clone(),
        Written::File(file) => file.whole().await.map_err(|failed| Error::Blobs {
            arrival: source.to_owned(),
            source: blobs::Error::Keep {
                what: "what was written".to_owned(),
                source: failed,
            },
        })?,
    };
    let reading = spawn_blocking(move || read_bytes(&bytes));
    reading.await.map_err(|died| Error::Reader {
        arrival: source.to_owned(),
        source: died,
    })
}
