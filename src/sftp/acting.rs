//! What happens when a file is removed, moved or written, or a folder made?

use russh_sftp::protocol::Packet;
use tracing::{info, warn};

use super::frames::Write;
use super::limits::HASHED_UNASKED_BYTES_MAX;
use super::refusing::read_only;
use super::requests::no_handle;
use super::serve::{Copying, Open, Session, Stop, ok};
use super::status::Refusal;
use super::uploading::check_name;
use crate::mark::Act;
use crate::model::{Digest, Veiled, VirtualPath};
use crate::tree::{Entry, File, Place, Role};
use crate::upload::{self, SESSION_BYTES_MAX, UPLOAD_BYTES_MAX};
use crate::{mark, tree};

type Answer = Result<Option<Packet>, Stop>;

impl Session {
    pub(super) async fn remove(&mut self, id: u32, path: &str) -> Answer {
        let path = VirtualPath::parse(path)?;
        if self.is_upload(&path).await? {
            return self.remove_upload(id, &path);
        }
        if let Some(file) = self.rejected_at(&path).await? {
            return self.remove_rejected(id, &file).await;
        }
        if self.copies.remove(&path.key()).is_some() {
            // Its handles are of no file any more: another of that name is not theirs.
            self.move_handles(&path.key(), "");
            return Ok(Some(ok(id)));
        }
        let file = self.file_to_act_on(&path).await?;
        if file.place == Place::Processed {
            return Err(
                Refusal::denied("what was processed stays here until its retention ends").into(),
            );
        }
        self.act(&file, &Act::Removed).await?;
        Ok(Some(ok(id)))
    }

    /// RENAME, and `posix-rename@openssh.com`: no document may be overwritten, so they are the same.
    pub(super) async fn rename(&mut self, id: u32, from: &str, to: &str) -> Answer {
        let (from, to) = (VirtualPath::parse(from)?, VirtualPath::parse(to)?);
        if self.is_upload(&from).await? || self.is_upload(&to).await? {
            return self.rename_upload(id, &from, to).await;
        }
        if self.rejected_at(&from).await?.is_some() {
            return Err(read_only().into());
        }
        let name = check_name(&to)?.to_owned();
        if let Some(copy) = self.copies.remove(&from.key()) {
            return self.rename_copy(id, copy, to).await;
        }
        let file = self.file_to_act_on(&from).await?;
        let now = self.parts.clock.read();
        let folder = to.parent();
        if !self
            .view
            .is_processed_folder_of(&file, &folder, now)
            .await?
        {
            return Err(Refusal::denied(
                "a document may be moved to its own processed folder only",
            )
            .into());
        }
        if self.is_another_file(&file, &to).await? {
            return Err(Refusal::failed("a file of that name is there").into());
        }
        match file.place {
            Place::Inbox => self.act(&file, &Act::Moved(name)).await?,
            Place::Processed => {
                self.parts
                    .marks
                    .renamed(&self.who, &file.listed, &name)
                    .await?;
            }
        }
        Ok(Some(ok(id)))
    }

    pub(super) async fn write(&mut self, asked: Write) -> Answer {
        let Write {
            id,
            handle,
            offset,
            bytes,
        } = asked;
        let Some(open) = self.handles.get(&handle) else {
            return Err(no_handle().into());
        };
        if let Open::Upload(key, appends) = open {
            let (key, appends) = (key.clone(), *appends);
            return self.write_upload(id, (&key, appends), offset, bytes).await;
        }
        let Open::Copy(key) = open else {
            return Err(Refusal::denied("this handle is not open for writing").into());
        };
        let copy = self.copies.get(key).cloned().ok_or_else(Refusal::missing)?;
        // A refused copy leaves its file offered, which errs towards twice.
        self.parts.ingest.check_room()?;
        let end = offset.saturating_add(bytes.len() as u64).max(copy.bytes);
        if (self.written_bytes() - copy.bytes).saturating_add(end) > SESSION_BYTES_MAX {
            return Err(upload::Error::TooMuch.into());
        }
        if end <= UPLOAD_BYTES_MAX && !copy.unfinished.resize(end) {
            return Err(upload::Error::TooMuchTogether.into());
        }
        if let Err(failed) = self.parts.spool.write(&copy.body, offset, bytes).await {
            copy.unfinished.resize(copy.bytes);
            return Err(failed.into());
        }
        if let Some(own) = self.copies.get_mut(&copy.path.key()) {
            own.bytes = end;
        }
        Ok(Some(ok(id)))
    }

    /// Judges what was written. An empty file stays, for some programs make a file first and write it then;
    /// so does what is no document yet while another handle may write on.
    pub(super) async fn finish_copy(&mut self, id: u32, key: &str) -> Answer {
        let Some(copy) = self.copies.get(key).cloned() else {
            return Ok(Some(ok(id)));
        };
        let mut open = self.handles.iter();
        let is_shared = open.any(|open| matches!(open, Open::Copy(other) if other == key));
        let now = self.parts.clock.read();
        let there = match self.view.entry(&copy.path, now).await {
            Ok(Entry::File(there)) => Some(there.listed.digest),
            _ => None,
        };
        if copy.bytes == 0 {
            // Opened and closed, as `touch` does: what is there is not hidden by it.
            if there.is_some() && !is_shared {
                self.copies.remove(key);
            }
            return Ok(Some(ok(id)));
        }
        let digest = self.digest_of_copy(&copy).await?;
        if there.is_some() && there != digest {
            if !is_shared {
                self.copies.remove(key);
            }
            return Err(Refusal::failed("another file of that name is there").into());
        }
        let copied = self.note_copy(&copy, digest).await;
        if let Err(mark::Error::NoCopy) = copied {
            if is_shared {
                return Ok(Some(ok(id)));
            }
            // A mount does not pass a refused CLOSE on to its program, so the log must say it.
            let (login, path, bytes) = (&self.who.login, copy.path.to_string(), copy.bytes);
            let path = Veiled(&path);
            warn!(
                session.id = self.who.session.0,
                "Refused {bytes} bytes of `{login}` at {path}: they are no document that was offered there"
            );
        }
        self.copies.remove(key);
        copied?;
        self.trace.processed += 1;
        info!(
            session.id = self.who.session.0,
            "Device `{}` put a copy into a processed folder", self.who.login
        );
        Ok(Some(ok(id)))
    }

    /// The digest of what was written; none where no document of that folder has so many bytes, so that one byte
    /// far behind the others does not cost the hash of all before it.
    async fn digest_of_copy(&self, copy: &Copying) -> Result<Option<Digest>, Stop> {
        if copy.bytes > HASHED_UNASKED_BYTES_MAX {
            let (marks, places) = (&self.parts.marks, &copy.places);
            if !marks.may_be_copy(&self.who, places, copy.bytes).await? {
                return Ok(None);
            }
        }
        let (digest, _) = self.parts.spool.digest(&copy.body).await?;
        Ok(Some(digest))
    }

    async fn note_copy(&self, copy: &Copying, digest: Option<Digest>) -> Result<(), mark::Error> {
        let digest = digest.ok_or(mark::Error::NoCopy)?;
        let name = copy.path.name().unwrap_or_default();
        let (marks, clock) = (&self.parts.marks, &self.parts.clock);
        let copied = marks.copied(&self.who, &copy.places, digest, name, clock);
        copied.await
    }

    pub(super) async fn make_folder(&mut self, id: u32, path: &str) -> Answer {
        let path = VirtualPath::parse(path)?;
        let now = self.parts.clock.read();
        match self.view.entry(&path, now).await {
            // A client that makes sure of a folder before it uses it has what it wants.
            Ok(Entry::Folder(_)) => Ok(Some(ok(id))),
            Ok(Entry::File(_)) => Err(Refusal::failed("a file of that name is there").into()),
            Err(tree::Error::Missing) => {
                Err(Refusal::denied("folders come from the links of this device").into())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn remove_folder(&mut self, _id: u32, path: &str) -> Answer {
        let path = VirtualPath::parse(path)?;
        let now = self.parts.clock.read();
        match self.view.entry(&path, now).await? {
            Entry::Folder(_) => {
                Err(Refusal::denied("folders come from the links of this device").into())
            }
            Entry::File(_) => Err(tree::Error::NotAFolder.into()),
        }
    }

    async fn rename_copy(&mut self, id: u32, copy: Copying, to: VirtualPath) -> Answer {
        let now = self.parts.clock.read();
        let role = self.view.role(&to.parent(), now).await;
        let is_its = |places: &[_]| places.iter().any(|place| copy.places.contains(place));
        let fits = matches!(role, Ok(Some(Role::Processed(places))) if is_its(&places));
        if !fits {
            self.copies.insert(copy.path.key(), copy);
            return Err(
                Refusal::denied("a file may be moved within its processed folder only").into(),
            );
        }
        let (old, new) = (copy.path.key(), to.key());
        if self.copies.contains_key(&new) {
            self.copies.insert(old, copy);
            return Err(Refusal::failed("a file of that name is being written").into());
        }
        self.move_handles(&old, &new);
        self.copies.insert(new, Copying { path: to, ..copy });
        Ok(Some(ok(id)))
    }

    async fn file_to_act_on(&mut self, path: &VirtualPath) -> Result<File, Stop> {
        // What was read before counts only once the channel has taken it.
        self.answers.send().await.map_err(|_| Stop::Gone)?;
        let now = self.parts.clock.read();
        // A client with several connections removes on one what it has fetched on another.
        match self.view.file_to_compare(path, now).await {
            Ok(file) => Ok(file),
            Err(tree::Error::IsAFolder) => {
                Err(Refusal::denied("folders come from the links of this device").into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// SETSTAT of a file that is being written into a processed folder: cuts it off. The rest is ignored.
    pub(super) async fn cut_copy(&mut self, key: &str, bytes: u64) -> Result<(), Stop> {
        let Some(copy) = self.copies.get_mut(key) else {
            return Ok(());
        };
        // A longer size is a wish for room.
        if bytes < copy.bytes {
            self.parts.spool.cut(&copy.body, bytes).await?;
            copy.bytes = bytes;
            copy.unfinished.resize(bytes);
        }
        Ok(())
    }

    async fn is_another_file(&mut self, file: &File, path: &VirtualPath) -> Result<bool, Stop> {
        let now = self.parts.clock.read();
        match self.view.entry(path, now).await {
            Ok(Entry::File(there)) => Ok(there.listed.delivery != file.listed.delivery),
            Ok(Entry::Folder(_)) => Ok(true),
            Err(tree::Error::Missing) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn act(&mut self, file: &File, act: &Act) -> Result<(), mark::Error> {
        let (marks, clock) = (&self.parts.marks, &self.parts.clock);
        marks.acted(&self.who, &file.listed, act, clock).await?;
        self.trace.processed += 1;
        let (login, id) = (&self.who.login, file.listed.document);
        info!(session.id = self.who.session.0, document.id = %id, "Device `{login}` processed document {id} ({})", act.word());
        Ok(())
    }
}
