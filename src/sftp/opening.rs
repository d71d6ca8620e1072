//! What does an OPEN in `/in` begin, or go on with?

use russh_sftp::protocol::{Handle, OpenFlags, Packet};

use super::limits::DRAFTS_MAX;
use super::reading::{Intent, intent, too_many_files};
use super::serve::{Open, Session, Stop};
use super::sights::taken_already;
use super::status::Refusal;
use super::uploading::{Writing, check_name};
use crate::model::VirtualPath;
use crate::upload::{self, Draft, Sight};

type Answer = Result<Option<Packet>, Stop>;

/// What was left unfinished under a name is not gone on with.
struct Anew;

impl Session {
    pub(super) async fn open_upload(
        &mut self,
        id: u32,
        path: VirtualPath,
        flags: OpenFlags,
    ) -> Answer {
        let seen = self.sight(&path);
        let anew = flags.contains(OpenFlags::TRUNCATE);
        let is_append = flags.contains(OpenFlags::APPEND);
        let is_taken = |sight: &Sight| sight.digest.is_some();
        if is_append && !anew && seen.as_ref().is_some_and(is_taken) {
            return Err(taken_already().into());
        }
        match intent(flags) {
            Intent::Read if seen.is_some() => {
                return Err(
                    Refusal::denied("documents are put here; they are not given back").into(),
                );
            }
            Intent::Read => return Err(Refusal::missing().into()),
            Intent::Change if seen.is_none() => return Err(Refusal::missing().into()),
            Intent::CreateNew if seen.is_some() => {
                return Err(Refusal::failed("a file of that name is there").into());
            }
            Intent::Create | Intent::CreateNew | Intent::Change => {}
        }
        self.parts.ingest.check_room()?;
        let (firm, now) = (self.who.firm, self.parts.clock.read());
        if let Err(full) = self.parts.quota.check(firm, 1, now).await {
            return Err(self.refuse_upload(&path, None, full).await.into());
        }
        let key = path.key();
        self.begin_or_resume(path, anew.then_some(Anew))?;
        if is_append {
            self.cut_to_first_gap(&key).await?;
        }
        let handle = self.handles.open(Open::Upload(key.clone(), is_append))?;
        if let Some(writing) = self.writing.get_mut(&key) {
            writing.handles += 1;
            if anew {
                writing.draft.empty();
                writing.unfinished.resize(0);
                writing.fault = None;
            }
        }
        Ok(Some(Packet::Handle(Handle { id, handle })))
    }

    fn begin_or_resume(&mut self, path: VirtualPath, anew: Option<Anew>) -> Result<(), Refusal> {
        let key = path.key();
        if self.writing.contains_key(&key) {
            return Ok(());
        }
        check_name(&path)?;
        if self.writing.len() + self.drafts.len() >= DRAFTS_MAX {
            return Err(too_many_files());
        }
        let unfinished = self.room.begin_file().ok_or_else(too_many_files)?;
        let now = self.parts.clock.read();
        let left = self.parts.shelf.take_draft(self.who.device, &path, now);
        let mut draft = left.unwrap_or_else(|| Draft::begin(now));
        if anew.is_some() {
            draft.empty();
        }
        if !unfinished.resize(draft.bytes()) {
            self.put_down(path, draft);
            return Err(upload::Error::TooMuchTogether.into());
        }
        draft.set_closed(false);
        let writing = Writing {
            draft,
            path,
            handles: 0,
            fault: None,
            unfinished,
        };
        self.writing.insert(key, writing);
        Ok(())
    }
}
