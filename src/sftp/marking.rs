//! What may be asked while a mark is written down?
//!
//! Some clients close a file and ask for the next one in the same breath. What only reads need not wait until the
//! catalog has the mark; the CLOSE itself is answered when it has, so its answer may come behind theirs. Requests name
//! themselves, so their answers may come in any order (filexfer-02 §3).

use std::future::pending;
use std::sync::Arc;

use russh_sftp::protocol::Packet;
use tokio::task::{JoinError, JoinHandle};
use tracing::{error, info, warn};

use super::given::Given;
use super::reading::{Intent, intent};
use super::serve::{Session, Stop, ok};
use super::status::Refusal;
use crate::collect::End;
use crate::mark;
use crate::model::{DeliveryId, DocumentId, EventKind};
use crate::tree::File;

type Marked = Result<Option<EventKind>, mark::Error>;

/// A CLOSE whose mark is being written down, by a task of its own: it has the catalog's turn to write, and must not
/// keep that while this session waits for its peer.
pub(super) struct Marking {
    id: u32,
    document: DocumentId,
    delivery: DeliveryId,
    writing: JoinHandle<Marked>,
}

impl Marking {
    /// Says whether it is written down, or is not going to be.
    pub(super) fn is_over(&self) -> bool {
        self.writing.is_finished()
    }
}

/// A CLOSE whose mark was written down, or was not.
pub(super) struct Ended {
    id: u32,
    document: DocumentId,
    marked: Result<Marked, JoinError>,
}

/// Says whether a request may be answered while a mark is written down: it changes nothing, and lists nothing.
pub(super) fn passes(request: &Packet) -> bool {
    match request {
        Packet::Read(_) | Packet::Stat(_) | Packet::Lstat(_) | Packet::Fstat(_) => true,
        Packet::Open(asked) => intent(asked.pflags) == Intent::Read,
        _ => false,
    }
}

/// Waits until a mark is written down; for ever, where none is.
pub(super) async fn ended(marking: &mut Option<Marking>) -> Ended {
    let Some(own) = marking else {
        return pending().await;
    };
    let marked = (&mut own.writing).await;
    let (id, document) = (own.id, own.document);
    *marking = None;
    Ended {
        id,
        document,
        marked,
    }
}

impl Session {
    /// Begins to write down what a closed handle means.
    pub(super) fn begin_mark(&mut self, id: u32, file: File, given: Arc<Given>) {
        let (document, delivery) = (file.listed.document, file.listed.delivery);
        let (parts, who) = (Arc::clone(&self.parts), Arc::clone(&self.who));
        let writing = tokio::spawn(async move {
            let (marks, clock) = (&parts.marks, &parts.clock);
            marks
                .ended(&who, &file, given.reads(), End::Closed, clock)
                .await
        });
        self.marking = Some(Marking {
            id,
            document,
            delivery,
            writing,
        });
    }

    /// Waits for the mark that is being written down, if one is, and gathers the answer to its CLOSE.
    pub(super) async fn settle(&mut self) -> Result<(), Stop> {
        if self.marking.is_none() {
            return Ok(());
        }
        let ended = ended(&mut self.marking).await;
        self.answer_mark(ended)
    }

    /// Waits for the mark of this file: a handle is not open beside one that its client has closed.
    pub(super) async fn settle_of(&mut self, file: &File) -> Result<(), Stop> {
        let delivery = self.marking.as_ref().map(|marking| marking.delivery);
        if delivery == Some(file.listed.delivery) {
            self.settle().await?;
        }
        Ok(())
    }

    /// Gathers the answer to a CLOSE.
    pub(super) fn answer_mark(&mut self, ended: Ended) -> Result<(), Stop> {
        let Ended {
            id,
            document,
            marked,
        } = ended;
        let refusal = match marked {
            Ok(Ok(kind)) => {
                self.note_mark(kind, document);
                return self.answers.add(ok(id)).map_err(|_| Stop::Gone);
            }
            Ok(Err(failed)) => Refusal::from(failed),
            Err(died) => {
                error!("What writes a mark down has died: {died}");
                return Err(Stop::Gone);
            }
        };
        self.refuse(id, refusal).map_err(|_| Stop::Gone)
    }

    /// Writes down at once what was open when the session ended.
    pub(super) async fn end_file(&mut self, file: &File, given: &Given, how: End) {
        let (marks, clock) = (&self.parts.marks, &self.parts.clock);
        let marked = marks.ended(&self.who, file, given.reads(), how, clock);
        match marked.await {
            Ok(kind) => self.note_mark(kind, file.listed.document),
            Err(failed) => {
                let refusal = Refusal::from(failed);
                let why = refusal.fault.unwrap_or(refusal.text);
                warn!(
                    session.id = self.who.session.0,
                    "Could not write down what `{}` read: {why}", self.who.login
                );
            }
        }
    }

    fn note_mark(&mut self, kind: Option<EventKind>, id: DocumentId) {
        let (login, session) = (&self.who.login, self.who.session.0);
        match kind {
            Some(EventKind::Collected) => {
                self.trace.collected += 1;
                self.room.note_collected();
                info!(session.id = session, document.id = %id, "Device `{login}` collected document {id}");
            }
            Some(_) => {
                self.trace.read += 1;
                info!(session.id = session, document.id = %id, "Device `{login}` read document {id}");
            }
            None => {}
        }
    }
}
