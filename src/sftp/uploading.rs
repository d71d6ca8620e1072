//! How is a document put into `/in`?
//!
//! OPEN begins a draft that this session alone sees, or takes up one that the device left on its shelf: that is in
//! `opening`. The last CLOSE takes it in, when its name is a final one and every byte came; a RENAME from a
//! temporary name to a final one does so too. Either is answered when the document is durable.

use bytes::Bytes;
use russh_sftp::protocol::{FileAttributes, Packet};
use tracing::{info, warn};

use super::limits::NAME_BYTES_MAX;
use super::room::Unfinished;
use super::serve::{Open, Session, Stop, ok};
use super::sights::another_beginning;
use super::status::Refusal;
use crate::ingest::{Outcome, PutAs, Taken};
use crate::model::{Timestamp, Veiled, VirtualPath, fold, is_temporary};
use crate::tree::{self, Role};
use crate::upload::{self, Draft, DraftRoom, SESSION_BYTES_MAX, Sight};

type Answer = Result<Option<Packet>, Stop>;

/// A file that this session is writing.
pub(super) struct Writing {
    pub(super) draft: Draft,
    pub(super) path: VirtualPath,
    pub(super) handles: usize,
    /// Why a part of it was refused; then none of it is taken.
    pub(super) fault: Option<Refusal>,
    /// Where it is counted.
    pub(super) unfinished: Unfinished,
}

/// A folder of uploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PutFolder {
    /// Where the parties of a document say whose it is.
    Any,
    /// Where its sender names the dossier with this code.
    Dossier(String),
}

impl PutFolder {
    fn put_as(self, login: &str, path: &VirtualPath) -> PutAs {
        let name = path.name().unwrap_or_default();
        match self {
            Self::Any => PutAs {
                source: format!("sftp:{login}/{name}"),
                folder: None,
            },
            Self::Dossier(code) => PutAs {
                source: format!("sftp:{login}/{code}/{name}"),
                folder: Some(code),
            },
        }
    }
}

/// Why a file was not taken in.
enum NotTaken {
    /// It may be once more is written, or the fault is gone: it is kept for its device meanwhile.
    Later(Stop),
    /// A limit is against it, and it takes no room.
    Refused(upload::Error),
}

impl NotTaken {
    fn later(why: impl Into<Refusal>) -> Self {
        Self::Later(Stop::Refused(why.into()))
    }
}

/// The first folder of uploads, as it is compared.
const IN: &str = "in";

impl Session {
    /// Says whether a file at `path` would be an upload: its folder is, and this device may.
    pub(super) async fn is_upload(&mut self, path: &VirtualPath) -> Result<bool, Stop> {
        Ok(self.put_folder(path).await?.is_some())
    }

    /// The folder of uploads in which a file at `path` would be.
    pub(super) async fn put_folder(
        &mut self,
        path: &VirtualPath,
    ) -> Result<Option<PutFolder>, Stop> {
        if !may_be_upload(path) || self.is_folder(path).await? {
            return Ok(None);
        }
        let now = self.parts.clock.read();
        match self.view.role(&path.parent(), now).await {
            Ok(Some(Role::In)) => Ok(Some(PutFolder::Any)),
            Ok(Some(Role::InDossier(code))) => Ok(Some(PutFolder::Dossier(code))),
            Ok(_) | Err(tree::Error::Missing) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Says whether a folder stands at `path`: that of a dossier's code stands among files.
    async fn is_folder(&mut self, path: &VirtualPath) -> Result<bool, Stop> {
        let now = self.parts.clock.read();
        match self.view.role(path, now).await {
            Ok(_) => Ok(true),
            Err(tree::Error::Missing) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// How many bytes the files have together that this session is writing.
    pub(super) fn written_bytes(&self) -> u64 {
        let uploads = self.writing.values().map(|own| own.draft.bytes());
        let copies = self.copies.values().map(|own| own.bytes);
        uploads.chain(copies).fold(0, u64::saturating_add)
    }

    pub(super) async fn write_upload(
        &mut self,
        id: u32,
        (key, appends): (&str, Option<u64>),
        offset: u64,
        bytes: Bytes,
    ) -> Answer {
        let all = self.written_bytes();
        let writing = self.writing.get_mut(key).ok_or_else(Refusal::missing)?;
        if let Some(fault) = &writing.fault {
            // The log has it from the first time.
            return Err(fault.clone().told().into());
        }
        if appends.is_some_and(|from| !goes_on(from, writing.draft.bytes(), offset)) {
            let fault = another_beginning();
            writing.fault = Some(fault.clone());
            return Err(fault.into());
        }
        // What is left free is for marks, so what was begun is not gone on with either.
        if let Err(full) = self.parts.ingest.check_room() {
            let fault = Refusal::from(full);
            writing.draft.empty();
            writing.unfinished.resize(0);
            writing.fault = Some(fault.clone());
            return Err(fault.into());
        }
        let draft = &mut writing.draft;
        let room = SESSION_BYTES_MAX.saturating_sub(all - draft.bytes());
        // As O_APPEND does: some clients count from where they began.
        let offset = appends.map_or(offset, |_| draft.bytes());
        let room = DraftRoom {
            file_bytes: self.parts.quota.file_bytes_max(),
            session_bytes: room,
        };
        let end = offset.saturating_add(bytes.len() as u64);
        let (firm, now) = (self.who.firm, self.parts.clock.read());
        let has_room = self.parts.quota.check(firm, end, now).await;
        // What is too large for itself is told so.
        let fits = end > room.file_bytes || writing.unfinished.resize(end.max(draft.bytes()));
        let written = match has_room {
            Ok(()) if !fits => Err(upload::Error::TooMuchTogether),
            Ok(()) => {
                draft.set_closed(false);
                draft.write(&self.parts.spool, offset, bytes, room).await
            }
            Err(full) => Err(full),
        };
        let Err(error) = written else {
            return Ok(Some(ok(id)));
        };
        draft.empty(); // what is refused takes no room
        let path = writing.path.clone();
        let fault = self.refuse_upload(&path, None, error).await;
        if let Some(writing) = self.writing.get_mut(key) {
            writing.unfinished.resize(0);
            writing.fault = Some(fault.clone());
        }
        Err(fault.into())
    }

    /// Ends one handle; the last one takes the file in.
    pub(super) async fn close_upload(&mut self, id: u32, key: &str) -> Answer {
        let Some(writing) = self.writing.get_mut(key) else {
            return Ok(Some(ok(id))); // it was removed meanwhile
        };
        writing.handles = writing.handles.saturating_sub(1);
        if writing.handles > 0 {
            return Ok(Some(ok(id)));
        }
        let Some(writing) = self.writing.remove(key) else {
            return Ok(Some(ok(id)));
        };
        if let Some(fault) = writing.fault {
            self.warn_of(&writing.path, &fault.text);
            // What takes no room was emptied; the beginning of another stays for whoever goes on with that.
            if writing.draft.bytes() > 0 {
                self.put_down(writing.path, writing.draft);
            }
            return Err(fault.told().into());
        }
        let (path, mut draft) = (writing.path, writing.draft);
        if !draft.is_touched() && self.sight(&path).is_some() {
            return Ok(Some(ok(id))); // opened and closed, as `touch` does
        }
        draft.set_closed(true);
        if path.name().is_some_and(is_temporary) {
            self.put_aside(path, draft)?;
            return Ok(Some(ok(id)));
        }
        self.take_in(&path, &path, draft).await?;
        Ok(Some(ok(id)))
    }

    /// Takes a file in: it is durable when this returns. One that is not taken lies at `left` once more,
    /// unless it was refused for good.
    pub(super) async fn take_in(
        &mut self,
        path: &VirtualPath,
        left: &VirtualPath,
        draft: Draft,
    ) -> Result<(), Stop> {
        match self.try_take(path, &draft).await {
            Ok(taken) => {
                self.tell_taken(&taken);
                let sight = Sight {
                    path: path.clone(),
                    bytes: draft.bytes(),
                    at: draft.at(),
                    digest: Some(taken.digest),
                };
                let now = self.parts.clock.read();
                self.parts.shelf.put_sight(self.who.device, sight, now);
                if taken.quarantined {
                    self.note_unreadable(path, &taken, draft.bytes()).await?;
                } else {
                    self.forget_rejected(path).await;
                }
                Ok(())
            }
            Err(NotTaken::Later(stop)) => {
                if !draft.is_spoilt() {
                    self.put_down(left.clone(), draft);
                }
                Err(stop)
            }
            Err(NotTaken::Refused(full)) => {
                let refusal = self.refuse_upload(path, Some(draft.bytes()), full).await;
                self.warn_of(path, &refusal.text);
                Err(refusal.into())
            }
        }
    }

    async fn try_take(&mut self, path: &VirtualPath, draft: &Draft) -> Result<Taken, NotTaken> {
        if let Err(why) = draft.check() {
            self.warn_of(path, &why.to_string());
            return Err(NotTaken::later(why));
        }
        // The device may have lost its right, or be out of use, since it opened the file.
        let folder = self.put_folder(path).await.map_err(NotTaken::Later)?;
        let Some(folder) = folder else {
            let refusal = Refusal::denied("this device may not upload there any more");
            return Err(NotTaken::later(refusal));
        };
        let (firm, now) = (self.who.firm, self.parts.clock.read());
        let reserving = self.parts.quota.reserve(firm, draft.bytes(), now);
        let room = match reserving.await {
            Ok(room) => room,
            Err(full) if full.rejection().is_some() => return Err(NotTaken::Refused(full)),
            Err(failed) => return Err(NotTaken::later(failed)),
        };
        let put = folder.put_as(&self.who.login, path);
        let code = put.folder.clone();
        let written = draft.written();
        let ingest = self.parts.ingest.clone();
        let declared = self.parts.declared;
        let receiving = Box::pin(ingest.receive(firm, put, &written, declared, now));
        let received = receiving.await;
        match received {
            Ok(taken) => {
                // An envelope of its own takes room of its own, though what it holds is here.
                if taken.is_copy {
                    room.give_back();
                } else {
                    room.keep();
                }
                if taken.outcome == Outcome::Recognised {
                    self.note_word(&taken, code.as_deref()).await?;
                }
                Ok(taken)
            }
            Err(failed) => {
                room.give_back();
                Err(NotTaken::later(failed))
            }
        }
    }

    /// What its sender says by a folder counts for a document that is here and waits for a word.
    async fn note_word(&self, taken: &Taken, code: Option<&str>) -> Result<(), NotTaken> {
        let Some(code) = code else {
            return Ok(());
        };
        let (firm, now) = (self.who.firm, self.parts.clock.read());
        let sending = self.parts.sending.clone();
        let looking = Box::pin(sending.put_again(firm, taken.document, code, now)).await;
        looking.map(drop).map_err(NotTaken::later)
    }

    fn tell_taken(&mut self, taken: &Taken) {
        self.trace.taken += 1;
        let (login, id, what) = (&self.who.login, taken.document, taken.outcome.as_str());
        let session = self.who.session.0;
        if taken.quarantined {
            // Why stands in its text in `/rejected`, and quotes the document.
            warn!(session.id = session, document.id = %id, "Device `{login}` put in document {id}, which nobody can read ({what}); `sluis explain` says why");
        } else {
            info!(session.id = session, document.id = %id, "Device `{login}` put in document {id} ({what})");
        }
    }

    /// A mount does not pass a refused CLOSE on to its program, so the log must say it.
    pub(super) fn warn_of(&self, path: &VirtualPath, why: &str) {
        let (login, session) = (&self.who.login, self.who.session.0);
        let path = path.to_string();
        let path = Veiled(&path);
        warn!(
            session.id = session,
            "Did not take {path} of `{login}`: {why}"
        );
    }

    /// SETSTAT: cuts an unfinished file off, and shows the time that its writer set. The rest is ignored.
    pub(super) async fn set_upload(
        &mut self,
        path: &VirtualPath,
        wanted: &FileAttributes,
    ) -> Result<(), Stop> {
        let at = wanted.mtime.map(|at| Timestamp(i64::from(at) * 1000));
        let now = self.parts.clock.read();
        let device = self.who.device;
        if let Some(writing) = self.writing.get_mut(&path.key()) {
            if let Some(bytes) = wanted.size {
                if bytes < writing.draft.bytes() {
                    writing.draft.set_closed(false);
                }
                writing.draft.cut(&self.parts.spool, bytes).await?;
                writing.unfinished.resize(writing.draft.bytes());
            }
            if let Some(at) = at {
                writing.draft.set_time(at);
            }
            return Ok(());
        }
        if let Some(bytes) = wanted.size
            && let Some(mut draft) = self.parts.shelf.take_draft(device, path, now)
        {
            let cut = draft.cut(&self.parts.spool, bytes).await;
            self.put_down(path.clone(), draft);
            cut?;
        }
        if let Some(at) = at {
            self.parts.shelf.set_time(device, path, at);
        }
        Ok(())
    }

    /// FSETSTAT, where the handle is one of an upload.
    pub(super) async fn set_handle(
        &mut self,
        handle: &str,
        wanted: &FileAttributes,
    ) -> Result<(), Stop> {
        let path = match self.handles.get(handle) {
            Some(Open::Upload(key, _)) => self.writing.get(key).map(|own| own.path.clone()),
            Some(Open::Copy(key)) => {
                let key = key.clone();
                return match wanted.size {
                    Some(bytes) => self.cut_copy(&key, bytes).await,
                    None => Ok(()),
                };
            }
            _ => None,
        };
        match path {
            Some(path) => self.set_upload(&path, wanted).await,
            None => Ok(()),
        }
    }
}

impl Writing {
    pub(super) fn sight(&self) -> Sight {
        Sight {
            path: self.path.clone(),
            bytes: self.draft.bytes(),
            at: self.draft.at(),
            digest: None,
        }
    }
}

/// Says whether what is appended at `offset` goes on with the `bytes` that are here, of which `from` were when its handle
/// was opened. Some clients count from the file's beginning, some from where they began, and some not at all. Whoever is
/// elsewhere counts from another size: what he means to write is here already, or what comes before it is not.
fn goes_on(from: u64, bytes: u64, offset: u64) -> bool {
    offset == bytes || offset == 0 || bytes.checked_sub(from) == Some(offset)
}

/// Says whether a path is that of a folder of uploads, or below one, for a device that has them.
pub(super) fn is_in(path: &VirtualPath) -> bool {
    path.components()
        .first()
        .is_some_and(|name| fold(name) == IN)
}

fn may_be_upload(path: &VirtualPath) -> bool {
    path.components().len() > 1 && is_in(path)
}

/// Returns the name at the end of a path, if a file may have it.
pub(super) fn check_name(path: &VirtualPath) -> Result<&str, Refusal> {
    match path.name() {
        Some(name) if name.len() <= NAME_BYTES_MAX => Ok(name),
        _ => Err(Refusal::denied("a file cannot have that name")),
    }
}
