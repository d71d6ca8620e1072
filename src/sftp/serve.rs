//! How is one SFTP session served, from its first packet to its last?
//!
//! Requests are answered in order, but for the CLOSE of a document (`marking`). Whatever marks one waits until the bytes
//! before it are taken by the channel, and is answered when the mark is committed.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use russh_sftp::protocol::{Packet, StatusCode, Version};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::answers::{Answers, Gone};
use super::extended::{EXTENSIONS, FSYNC};
use super::folder::Folder;
use super::frames::{Frames, Write, request_id};
use super::given::Given;
use super::handles::Handles;
use super::intake::{Ended, Intake};
use super::listing::Pages;
use super::marking::{self, Marking};
use super::room::{Room, Unfinished};
use super::status::Refusal;
use super::trace::Trace;
use super::uploading::Writing;
use crate::collect::End;
use crate::counts::Counts;
use crate::ingest::Ingest;
use crate::mark::Marks;
use crate::model::{Clock, Declared, Flow, LinkId, VirtualPath};
use crate::sending::Sending;
use crate::tree::{Content, File, RejectedFile, Tree, View, Who};
use crate::upload::{Quota, Rejections, Shelf, Spool, Spooled};
use crate::wellness::Part;

/// What every session is served with. All have the same one.
#[derive(Clone)]
pub struct Parts {
    /// What devices see.
    pub tree: Tree,
    /// What writes down what they do.
    pub marks: Marks,
    /// What takes in what they put into `/in`.
    pub ingest: Ingest,
    /// What looks again at what waits, when it is put there once more.
    pub sending: Sending,
    /// Where uploads wait.
    pub spool: Spool,
    /// What they left there unfinished, or was taken.
    pub shelf: Shelf,
    /// How much they may put in.
    pub quota: Quota,
    /// Where what is not accepted is noted.
    pub rejections: Rejections,
    /// What is true of a document that is put in.
    pub declared: Declared,
    /// What tells the time.
    pub clock: Clock,
    /// What is counted.
    pub counts: Arc<Counts>,
    /// Cancelled when the server ends: open files may still be read for a while.
    pub draining: CancellationToken,
}

/// One session: one `sftp` subsystem of one connection.
pub(super) struct Session {
    pub(super) parts: Arc<Parts>,
    pub(super) who: Arc<Who>,
    pub(super) view: View,
    pub(super) handles: Handles<Open>,
    /// Copies that this session is writing into processed folders, by path key: nobody else sees them.
    pub(super) copies: HashMap<String, Copying>,
    /// Files in `/in` that this session is writing, by path key.
    pub(super) writing: HashMap<String, Writing>,
    /// The CLOSE that is not answered yet.
    pub(super) marking: Option<Marking>,
    pub(super) answers: Answers,
    pub(super) trace: Trace,
    /// What it holds together with the connection's other sessions.
    pub(super) room: Arc<Room>,
    /// How large the pages of its listings are.
    pub(super) pages: Pages,
    /// The folder whose next page is written ahead.
    pub(super) listed_last: Option<String>,
    intake: Arc<Intake>,
    /// The version that INIT asked for, once it came.
    greeted: Option<u32>,
    software: Arc<str>,
}

/// What a handle means.
pub(super) enum Open {
    /// A document.
    File {
        file: File,
        content: Content,
        given: Arc<Given>,
    },
    /// A folder that is being listed.
    Folder(Box<Folder>),
    /// What was not accepted: reading it counts nothing.
    Rejected {
        file: RejectedFile,
        content: Content,
    },
    /// A copy that is being written into a processed folder.
    Copy(String),
    /// A file in `/in` that is being written, and how long it was when this handle was opened, if each write goes to
    /// its end.
    Upload(String, Option<u64>),
}

/// A copy that is being written into a processed folder.
#[derive(Debug, Clone)]
pub(super) struct Copying {
    pub(super) body: Spooled,
    /// Up to where it was written.
    pub(super) bytes: u64,
    pub(super) path: VirtualPath,
    /// Of which links and flows its folder is.
    pub(super) places: Arc<[(LinkId, Flow)]>,
    /// Where it is counted; it is one file for all who have its value.
    pub(super) unfinished: Arc<Unfinished>,
}

impl Session {
    pub(super) fn new(
        parts: Arc<Parts>,
        who: Arc<Who>,
        answers: Answers,
        (intake, room): (Arc<Intake>, Arc<Room>),
        software: Arc<str>,
    ) -> Self {
        let view = parts.tree.view(Arc::clone(&who));
        Self {
            parts,
            who,
            view,
            handles: Handles::default(),
            copies: HashMap::new(),
            writing: HashMap::new(),
            marking: None,
            answers,
            trace: Trace::default(),
            room,
            pages: Pages::default(),
            listed_last: None,
            intake,
            greeted: None,
            software,
        }
    }

    /// Serves until the end, writes down what open handles mean, and returns what was done.
    pub(super) async fn run(mut self) -> Trace {
        let mut frames = Frames::default();
        let ended = self.requests(&mut frames).await;
        // Whatever comes after the end must not make the connection's loop wait for a session that is gone.
        self.intake.end(ended);
        // Whether or not its CLOSE can still be answered, it is told what became of it.
        drop(self.settle().await);
        if ended == Ended::Broken {
            self.last_closes(&mut frames).await;
        }
        let how = how_handles_end(ended, self.greeted, &self.software);
        for open in self.handles.close_all() {
            if let Open::File { file, given, .. } = open {
                self.end_file(&file, &given, how).await;
            }
        }
        self.put_down_all();
        let status = u32::from(ended != Ended::InOrder);
        self.answers.close(status).await;
        self.trace
    }

    async fn requests(&mut self, frames: &mut Frames) -> Ended {
        loop {
            let taken = match self.intake.try_take() {
                Some(taken) => taken,
                None => match self.idle().await {
                    Ok(taken) => taken,
                    Err(Gone) => return Ended::Broken,
                },
            };
            match taken {
                Ok(bytes) => frames.push(bytes),
                Err(ended) => {
                    // What was asked before the end is answered before it counts. How the channel ended is known, so
                    // that a CLOSE can be told no more what became of it changes nothing.
                    let sent = self.answers.send().await;
                    let settled = self.settle().await;
                    drop(self.answers.send().await);
                    return if settled.is_err() || sent.is_err() || frames.is_torn() {
                        Ended::Broken
                    } else {
                        ended
                    };
                }
            }
            if let Err(ended) = self.answer_all(frames).await {
                return ended;
            }
        }
    }

    /// Some clients close their files and hang up at once, without waiting for an answer. They have closed
    /// them: what came in before the end counts, though nobody is there to be told. What they wrote first
    /// is written first, so a file is taken whole or not at all.
    ///
    /// What the channel did not take before does not count, so no reading is counted here that was not before.
    async fn last_closes(&mut self, frames: &mut Frames) {
        // Whether what was put here is still as its CLOSE finds it.
        let mut is_plain = true;
        while self.reads_a_file() {
            let mut frame = match frames.next() {
                Ok(Some(frame)) => frame,
                // What waits is counted until it is taken, so it is taken a piece at a time.
                Ok(None) => match self.intake.left() {
                    Some(bytes) => {
                        frames.push(bytes);
                        continue;
                    }
                    None => return,
                },
                Err(_) => return,
            };
            if is_plain && let Some(asked) = Write::of(&frame) {
                let done = self.write(asked).await;
                self.note_refused(done.map(drop));
                continue;
            }
            let done = match Packet::try_from(&mut frame) {
                Ok(Packet::FSetStat(asked)) if is_plain => {
                    self.set_handle(&asked.handle, &asked.attrs).await
                }
                Ok(Packet::Close(asked)) => {
                    self.last_close(asked.id, &asked.handle, is_plain).await
                }
                Ok(asked) => {
                    is_plain &= leaves_files_alone(&asked);
                    Ok(())
                }
                Err(_) => {
                    is_plain = false;
                    Ok(())
                }
            };
            self.note_refused(done);
        }
    }

    fn note_refused(&mut self, done: Result<(), Stop>) {
        if let Err(Stop::Refused(refusal)) = done {
            self.log_refusal(&refusal);
        }
    }

    /// What is not plain is not taken in: the next session may finish it.
    async fn last_close(&mut self, id: u32, handle: &str, is_plain: bool) -> Result<(), Stop> {
        let is_put = matches!(
            self.handles.get(handle),
            Some(Open::Upload(..) | Open::Copy(_))
        );
        if is_put && !is_plain {
            return Ok(());
        }
        match self.handles.close(handle) {
            Some(Open::Upload(key, _)) => self.close_upload(id, &key).await.map(drop),
            Some(Open::Copy(key)) => self.finish_copy(id, &key).await.map(drop),
            Some(Open::File { file, given, .. }) => {
                self.end_file(&file, &given, End::Closed).await;
                Ok(())
            }
            Some(Open::Folder(_) | Open::Rejected { .. }) | None => Ok(()),
        }
    }

    /// Nothing waits: sends what is gathered, and waits for more, or for the server's end.
    async fn idle(&mut self) -> Result<Result<bytes::BytesMut, Ended>, Gone> {
        loop {
            self.answers.send().await?;
            let ends = self.parts.draining.is_cancelled();
            if ends && !self.reads_a_file() && self.marking.is_none() {
                return Err(Gone);
            }
            self.look_ahead();
            tokio::select! {
                taken = self.intake.take() => return Ok(taken),
                marked = marking::ended(&mut self.marking) => {
                    self.answer_mark(marked).map_err(|_| Gone)?;
                    // Whether a peer that does not take it has gone in order is for the intake to say.
                    drop(self.answers.send().await);
                }
                () = self.parts.draining.cancelled(), if !ends => {}
            }
        }
    }

    fn reads_a_file(&self) -> bool {
        self.handles
            .iter()
            .any(|open| !matches!(open, Open::Folder(_)))
    }

    async fn answer_all(&mut self, frames: &mut Frames) -> Result<(), Ended> {
        loop {
            // Whoever reads on and on is told all the same what became of his CLOSE.
            if self.marking.as_ref().is_some_and(Marking::is_over) {
                self.settle().await.map_err(|_| Ended::Broken)?;
            }
            match frames.next() {
                Ok(None) => return Ok(()),
                Ok(Some(frame)) => self.answer(frame).await.map_err(|Gone| Ended::Broken)?,
                Err(fault) => {
                    // What was asked before the fault was sound, and is answered.
                    self.settle().await.map_err(|_| Ended::Broken)?;
                    self.answers.send().await.map_err(|Gone| Ended::Broken)?;
                    let (login, session) = (&self.who.login, self.who.session.0);
                    warn!(
                        session.id = session,
                        "Session of `{login}` ends at a framing fault: {fault}"
                    );
                    return Err(Ended::Broken);
                }
            }
            if self.answers.is_full() {
                self.answers.send().await.map_err(|Gone| Ended::Broken)?;
            }
        }
    }

    async fn answer(&mut self, frame: Bytes) -> Result<(), Gone> {
        let kind = frame.first().copied().unwrap_or(0);
        if kind == INIT {
            self.greeted = Some(asked_version(&frame));
            return self.answers.add(Packet::Version(version()));
        }
        if self.greeted.is_none() {
            let session = self.who.session.0;
            warn!(
                session.id = session,
                "Session of `{}` ends: a request came before INIT", self.who.login
            );
            return Err(Gone);
        }
        let id = request_id(&frame);
        match self.answer_of(kind, frame).await {
            Ok(None) => Ok(()),
            Ok(Some(packet)) => self.answers.add(packet),
            Err(Stop::Gone) => Err(Gone),
            Err(Stop::Refused(refusal)) => self.refuse(id, refusal),
        }
    }

    async fn answer_of(&mut self, kind: u8, mut frame: Bytes) -> Result<Option<Packet>, Stop> {
        if let Some(asked) = Write::of(&frame) {
            self.settle().await?;
            return self.write(asked).await;
        }
        let known = REQUEST_TYPES.contains(&kind);
        match Packet::try_from(&mut frame) {
            Ok(request) if known => {
                if !marking::passes(&request) {
                    self.settle().await?;
                }
                self.request(request).await
            }
            _ if known => Err(Refusal::bad("the request does not decode").into()),
            _ => Err(Refusal::unsupported().into()),
        }
    }

    /// Gathers a refusal.
    pub(super) fn refuse(&mut self, id: u32, refusal: Refusal) -> Result<(), Gone> {
        let refusal = refusal.explained(self.parts.ingest.wellness());
        self.log_refusal(&refusal);
        self.answers.add(refusal.answer(id))
    }

    fn log_refusal(&mut self, refusal: &Refusal) {
        let session = self.who.session.0;
        self.trace.refused += 1;
        let wellness = self.parts.ingest.wellness();
        let works = [Part::CatalogWrites, Part::BlobWrites]
            .iter()
            .all(|part| wellness.works(*part));
        match &refusal.fault {
            // The store has told what fails it, once.
            Some(fault) if !works => debug!(
                session.id = session,
                "Could not answer `{}`: {fault}", self.who.login
            ),
            Some(fault) => error!(
                session.id = session,
                "Could not answer `{}`: {fault}", self.who.login
            ),
            None => debug!(session.id = session, code = ?refusal.code, "Refused: {}", refusal.text),
        }
    }
}

/// What the end of a channel says of the handles that were still open.
///
/// Some clients send no CLOSE and end in order: lftp, which asks for version 6. But where the transport is a
/// process of its own, as `ssh`, `plink` and `dbclient` are, it ends the channel in order for a program that
/// was killed, too; and what is driven over those and asks for version 3 always closes what it has read.
fn how_handles_end(ended: Ended, asked: Option<u32>, software: &str) -> End {
    let is_process = TRANSPORT_PROCESSES
        .iter()
        .any(|own| software.starts_with(own));
    let closes_what_it_read = is_process && asked == Some(3);
    match ended {
        Ended::InOrder if !closes_what_it_read => End::Closed,
        Ended::InOrder | Ended::Broken => End::Broken,
    }
}

/// What programs call themselves that carry the bytes of another program (RFC 4253 §4.2).
const TRANSPORT_PROCESSES: &[&str] = &["SSH-2.0-OpenSSH", "SSH-2.0-PuTTY", "SSH-2.0-dropbear"];

/// Says whether a request changes nothing of what is being put here.
fn leaves_files_alone(asked: &Packet) -> bool {
    match asked {
        Packet::Extended(asked) => asked.request == FSYNC,
        asked => matches!(
            asked,
            Packet::Read(_)
                | Packet::Stat(_)
                | Packet::Lstat(_)
                | Packet::Fstat(_)
                | Packet::OpenDir(_)
                | Packet::ReadDir(_)
                | Packet::RealPath(_)
        ),
    }
}

/// The version in an INIT packet; 3 where it has none.
fn asked_version(frame: &[u8]) -> u32 {
    let version = frame.get(1..5).and_then(|version| version.first_chunk());
    version.map_or(3, |version| u32::from_be_bytes(*version))
}

/// Why a request has no ordinary answer.
pub(super) enum Stop {
    /// It is refused.
    Refused(Refusal),
    /// There is nobody to answer.
    Gone,
}

impl<T: Into<Refusal>> From<T> for Stop {
    fn from(refused: T) -> Self {
        Self::Refused(refused.into())
    }
}

/// Request types of version 3 (filexfer-02 §3), READLINK and SYMLINK among them, and EXTENDED.
const REQUEST_TYPES: &[u8] = &[
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 200,
];

/// `SSH_FXP_INIT`.
const INIT: u8 = 1;

/// Whatever version a peer asks for, it gets 3 (filexfer-02 §4).
fn version() -> Version {
    let extensions = EXTENSIONS
        .iter()
        .map(|&(name, version)| (name.to_owned(), version.to_owned()));
    Version {
        version: 3,
        extensions: extensions.collect(),
    }
}

/// Returns the answer that all is well.
pub(super) fn ok(id: u32) -> Packet {
    Packet::status(id, StatusCode::Ok, "", "en")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_goodbye_of_an_ssh_process_does_not_speak_for_a_program_that_was_killed() {
        let how = |ended, asked, software| how_handles_end(ended, Some(asked), software);

        assert_eq!(how(Ended::InOrder, 3, "SSH-2.0-OpenSSH_9.2p1"), End::Broken);
        assert_eq!(
            how(Ended::InOrder, 3, "SSH-2.0-PuTTY_Release_0.78"),
            End::Broken
        );
        assert_eq!(
            how(Ended::InOrder, 3, "SSH-2.0-dropbear_2022.83"),
            End::Broken
        );
        assert_eq!(how(Ended::InOrder, 6, "SSH-2.0-OpenSSH_9.2p1"), End::Closed);
        assert_eq!(
            how(Ended::InOrder, 3, "SSH-2.0-libssh2_1.10.0"),
            End::Closed
        );
        assert_eq!(how(Ended::Broken, 6, "SSH-2.0-libssh2_1.10.0"), End::Broken);
        assert_eq!(asked_version(&[1, 0, 0, 0, 6]), 6);
        assert_eq!(asked_version(&[1]), 3);
    }
}
