//! What happens when a file or folder is opened, read and closed?

use std::sync::Arc;

use russh_sftp::protocol::{Handle, OpenFlags, Packet, StatusCode};

use super::answers::Wanted;
use super::folder::{Folder, entries};
use super::given::Given;
use super::limits::{DRAFTS_MAX, FOLDERS_MAX, IO_BYTES_MAX};
use super::requests::no_handle;
use super::serve::{Copying, Open, Session, Stop, ok};
use super::status::Refusal;
use super::uploading::check_name;
use crate::mark::lock;
use crate::model::VirtualPath;
use crate::tree;
use crate::tree::{Entry, Place, Role};

type Answer = Result<Option<Packet>, Stop>;

/// What an OPEN wants, as far as the tree cares (filexfer-02 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    /// Write, making the file if it is not there.
    Create,
    /// Make the file, which must not be there.
    CreateNew,
    /// Write to what is there.
    Change,
}

pub(super) fn intent(flags: OpenFlags) -> Intent {
    let writes = flags.intersects(OpenFlags::WRITE | OpenFlags::APPEND | OpenFlags::TRUNCATE);
    match (
        writes || flags.contains(OpenFlags::CREATE),
        flags.contains(OpenFlags::CREATE),
    ) {
        (false, _) => Intent::Read,
        (true, false) => Intent::Change,
        (true, true) if flags.contains(OpenFlags::EXCLUDE) => Intent::CreateNew,
        (true, true) => Intent::Create,
    }
}

/// What is said to whoever would write more files at a time than there may be.
pub(super) fn too_many_files() -> Refusal {
    Refusal::failed("too many files are being written; finish some first")
}

impl Session {
    pub(super) async fn open(&mut self, id: u32, path: &str, flags: OpenFlags) -> Answer {
        self.handles.check_room()?;
        let path = VirtualPath::parse(path)?;
        if self.is_upload(&path).await? {
            return self.open_upload(id, path, flags).await;
        }
        if let Some(file) = self.rejected_at(&path).await? {
            return self.open_rejected(id, file, flags);
        }
        let intent = intent(flags);
        if let Some(copy) = self.copies.get(&path.key()).cloned() {
            if flags.contains(OpenFlags::TRUNCATE) && intent != Intent::CreateNew {
                self.cut_copy(&path.key(), 0).await?;
            }
            return self.open_copy(id, intent, &copy.path);
        }
        let now = self.parts.clock.read();
        let entry = match self.view.entry(&path, now).await {
            Ok(entry) => Some(entry),
            Err(tree::Error::Missing) => None,
            Err(error) => return Err(error.into()),
        };
        match (entry, intent) {
            (Some(Entry::Folder(_)), _) => Err(tree::Error::IsAFolder.into()),
            (Some(Entry::File(file)), Intent::Read) => {
                self.settle_of(&file).await?;
                let content = self.view.content(&file);
                let reads = self.parts.marks.opened(&self.who, &file, now);
                let given = Arc::new(Given::new(reads, Arc::clone(&self.room)));
                self.trace.opened += 1;
                let handle = self.handles.open(Open::File {
                    file,
                    content,
                    given,
                })?;
                Ok(Some(Packet::Handle(Handle { id, handle })))
            }
            (Some(Entry::File(_)), Intent::CreateNew) => {
                Err(Refusal::failed("a file of that name is there").into())
            }
            (Some(Entry::File(file)), _) if file.place == Place::Inbox => {
                // Not as forbidden: Net::SFTP::Foreign then removes the file and tries again, and to
                // remove is to have processed.
                Err(Refusal::failed("documents are read-only").into())
            }
            (None, Intent::Read | Intent::Change) => Err(Refusal::missing().into()),
            (Some(Entry::File(_)) | None, _) => self.begin_copy(id, path).await,
        }
    }

    /// Only a processed folder takes files: copies of what was offered.
    async fn begin_copy(&mut self, id: u32, path: VirtualPath) -> Answer {
        check_name(&path)?;
        let now = self.parts.clock.read();
        let Some(Role::Processed(places)) = self.view.role(&path.parent(), now).await? else {
            return Err(Refusal::denied("files are not written to this folder").into());
        };
        if self.writing.len() + self.copies.len() >= DRAFTS_MAX {
            return Err(too_many_files().into());
        }
        self.parts.ingest.check_room()?;
        let unfinished = self.room.begin_file().ok_or_else(too_many_files)?;
        let body = self.parts.spool.begin().await?;
        let key = path.key();
        self.copies.insert(
            key.clone(),
            Copying {
                body,
                bytes: 0,
                path,
                places,
                unfinished: Arc::new(unfinished),
            },
        );
        let handle = self.handles.open(Open::Copy(key))?;
        Ok(Some(Packet::Handle(Handle { id, handle })))
    }

    fn open_copy(&mut self, id: u32, intent: Intent, path: &VirtualPath) -> Answer {
        match intent {
            Intent::CreateNew => Err(Refusal::failed("a file of that name is there").into()),
            Intent::Read => Err(Refusal::denied("this file is still being written").into()),
            Intent::Create | Intent::Change => {
                let handle = self.handles.open(Open::Copy(path.key()))?;
                Ok(Some(Packet::Handle(Handle { id, handle })))
            }
        }
    }

    pub(super) fn read(&mut self, id: u32, handle: &str, offset: u64, length: u32) -> Answer {
        let Some(open) = self.handles.get(handle) else {
            return Err(no_handle().into());
        };
        let (content, given) = match open {
            Open::File { content, given, .. } => (content, Some(Arc::clone(given))),
            Open::Rejected { content, .. } => (content, None),
            Open::Folder(_) | Open::Copy(_) | Open::Upload(..) => {
                return Err(Refusal::failed("this handle is not open for reading").into());
            }
        };
        let length = content.available(offset, length.min(IO_BYTES_MAX));
        if length == 0 {
            return Ok(Some(Packet::error(id, StatusCode::Eof)));
        }
        if let Some(given) = &given {
            lock(given.reads()).asked(offset);
        }
        self.trace.bytes += u64::from(length);
        self.answers.add_read(Wanted {
            id,
            offset,
            length,
            from: content.clone(),
            given,
        });
        Ok(None)
    }

    pub(super) async fn close(&mut self, id: u32, handle: &str) -> Answer {
        // What was read before counts only once the channel has taken it. Who hangs up meanwhile has still
        // closed the file.
        let sent = self.answers.send().await;
        let answer = match self.handles.close(handle) {
            None => Err(no_handle().into()),
            Some(Open::Folder(_) | Open::Rejected { .. }) => Ok(Some(ok(id))),
            Some(Open::Copy(key)) => self.finish_copy(id, &key).await,
            Some(Open::Upload(key, _)) => self.close_upload(id, &key).await,
            Some(Open::File { file, given, .. }) => {
                self.begin_mark(id, file, given);
                Ok(None)
            }
        };
        sent.map_err(|_| Stop::Gone)?;
        answer
    }

    pub(super) async fn open_folder(&mut self, id: u32, path: &str) -> Answer {
        self.handles.check_room()?;
        let folders = self.handles.iter();
        let folders = folders.filter(|open| matches!(open, Open::Folder(_)));
        if folders.count() >= FOLDERS_MAX {
            return Err(Refusal::failed("too many folders are open; close some first").into());
        }
        let path = VirtualPath::parse(path)?;
        let room = Arc::clone(&self.room);
        let turn = room.turn().await;
        let too_many = || Refusal::failed("the open folders hold too many files; close some first");
        let key = path.key();
        if room.is_refused(&key) {
            return Err(too_many().into());
        }
        let turn_of_device = room.device().turn_to_list().await;
        let now = self.parts.clock.read();
        let mut items = self.view.list(&path, now).await?;
        items.uploads.extend(self.uploads_in(&path));
        let entries = entries(&items);
        room.note_size(&key, entries);
        let turns = (turn, turn_of_device, room.turn_to_count(entries).await);
        let held = room.hold(entries).ok_or_else(too_many)?;
        self.trace.listed += 1;
        let folder = Folder::new(items, (self.pages, now), held, turns);
        let handle = self.handles.open(Open::Folder(Box::new(folder)))?;
        Ok(Some(Packet::Handle(Handle { id, handle })))
    }

    pub(super) async fn read_folder(&mut self, id: u32, handle: &str) -> Answer {
        let Some(open) = self.handles.get(handle) else {
            return Err(no_handle().into());
        };
        let Open::Folder(folder) = open else {
            return Err(Refusal::failed("not a folder").into());
        };
        if folder.waits() {
            // What is answered already is not kept back for it.
            self.answers.send().await.map_err(|_| Stop::Gone)?;
        }
        if folder.page(id, self.answers.buffer()).await? {
            if !self.is_ahead_elsewhere(handle) {
                self.listed_last = Some(handle.to_owned());
            }
            return Ok(None);
        }
        Ok(Some(Packet::error(id, StatusCode::Eof)))
    }

    /// Says whether a page of another folder is written ahead: a session holds one.
    fn is_ahead_elsewhere(&mut self, handle: &str) -> bool {
        let Some(last) = self.listed_last.as_deref().filter(|last| *last != handle) else {
            return false;
        };
        matches!(self.handles.get(last), Some(Open::Folder(folder)) if folder.is_ahead())
    }

    /// Writes the page that is asked for next, while the client reads the one that it was sent.
    pub(super) fn look_ahead(&mut self) {
        let last = self.listed_last.as_deref();
        if let Some(Open::Folder(folder)) = last.and_then(|last| self.handles.get(last)) {
            folder.look_ahead();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_open_flags() {
        use OpenFlags as F;
        #[rustfmt::skip]
        let table = [
            (F::READ,                              Intent::Read),
            (F::empty(),                           Intent::Read),
            (F::WRITE,                             Intent::Change),
            (F::READ | F::WRITE,                   Intent::Change),
            (F::APPEND,                            Intent::Change),
            (F::WRITE | F::CREATE,                 Intent::Create),
            (F::WRITE | F::TRUNCATE,               Intent::Change),
            (F::READ | F::CREATE,                  Intent::Create),
            (F::CREATE | F::TRUNCATE,              Intent::Create),
            (F::WRITE | F::CREATE | F::TRUNCATE,   Intent::Create),
            (F::WRITE | F::CREATE | F::EXCLUDE,    Intent::CreateNew),
        ];
        for (flags, expected) in table {
            assert_eq!(intent(flags), expected, "{flags:?}");
        }
    }
}
