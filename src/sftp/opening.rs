//! What does an OPEN in `/in` begin, or go on with?

use russh_sftp::protocol::{Handle, OpenFlags, Packet};

use super::limits::DRAFTS_MAX;
use super::reading::{Intent, intent, too_many_files};
use super::serve::{Open, Session, Stop};
use super::sights::{another_beginning, taken_already};
use super::status::Refusal;
use super::uploading::{Writing, check_name};
use crate::model::VirtualPath;
use crate::upload::{self, Draft, Sight, Spool};

type Answer = Result<Option<Packet>, Stop>;

/// With how much goes on, of what was left unfinished under a name, whoever opens it.
#[derive(Debug, Clone, Copy)]
enum GoesOn {
    /// With nothing.
    Anew,
    /// With all, wherever he writes.
    Anywhere,
    /// At its end, where it showed with so many bytes.
    AtEnd(u64),
}

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
        if !self.writing.contains_key(&key) {
            let goes_on = match (anew, is_append) {
                (true, _) => GoesOn::Anew,
                (false, false) => GoesOn::Anywhere,
                (false, true) => GoesOn::AtEnd(seen.map_or(0, |sight| sight.bytes)),
            };
            self.begin_or_resume(path, goes_on).await?;
        }
        let own = self.writing.get(&key);
        let bytes = own.filter(|_| !anew).map_or(0, |own| own.draft.bytes());
        let appends = is_append.then_some(bytes);
        let handle = self.handles.open(Open::Upload(key.clone(), appends))?;
        if let Some(writing) = self.writing.get_mut(&key) {
            writing.handles += 1;
            if anew {
                writing.draft.empty();
                writing.draft.set_closed(false);
                writing.unfinished.resize(0);
                writing.fault = None;
            }
        }
        Ok(Some(Packet::Handle(Handle { id, handle })))
    }

    async fn begin_or_resume(&mut self, path: VirtualPath, goes_on: GoesOn) -> Result<(), Refusal> {
        check_name(&path)?;
        if self.writing.len() + self.copies.len() >= DRAFTS_MAX {
            return Err(too_many_files());
        }
        let unfinished = self.room.begin_file().ok_or_else(too_many_files)?;
        let now = self.parts.clock.read();
        let left = self.parts.shelf.take_draft(self.who.device, &path, now);
        let was_left = left.is_some();
        let mut draft = left.unwrap_or_else(|| Draft::begin(now));
        let readied = ready(&mut draft, goes_on, &self.parts.spool).await;
        let has_room = || unfinished.resize(draft.bytes());
        let begun = match readied {
            Ok(()) if !has_room() => Err(upload::Error::TooMuchTogether.into()),
            other => other,
        };
        if let Err(why) = begun {
            if was_left && !draft.is_spoilt() {
                self.put_down(path, draft);
            }
            return Err(why);
        }
        let key = path.key();
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

/// Has a draft hold what is gone on with.
async fn ready(draft: &mut Draft, goes_on: GoesOn, spool: &Spool) -> Result<(), Refusal> {
    match goes_on {
        GoesOn::Anew => {
            draft.empty();
            draft.set_closed(false);
        }
        GoesOn::Anywhere => {}
        GoesOn::AtEnd(seen) => {
            let bytes = draft.bytes_in_order();
            // Another connection may have taken it up, or finished it, since it was looked at.
            if bytes != seen {
                return Err(another_beginning());
            }
            // Whoever appends counts from the size that he is told, so what came behind a gap is let go of.
            if bytes < draft.bytes() {
                draft.set_closed(false);
            }
            draft.cut(spool, bytes).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::upload::DraftRoom;

    #[tokio::test]
    async fn whoever_appends_goes_on_with_what_he_saw_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::in_folder(folder.path());
        let room = DraftRoom {
            file_bytes: 10,
            session_bytes: 10,
        };
        let mut draft = Draft::begin(Timestamp(0));
        for offset in [0, 6] {
            let written = draft.write(&spool, offset, vec![0; 3].into(), room).await;
            written.unwrap();
        }

        for seen in [0, 2, 9] {
            let refused = ready(&mut draft, GoesOn::AtEnd(seen), &spool).await;
            assert_eq!(refused, Err(another_beginning()));
            assert_eq!(draft.bytes(), 9, "it is put down as it was");
        }

        let readied = ready(&mut draft, GoesOn::AtEnd(3), &spool).await;
        assert_eq!((readied, draft.bytes()), (Ok(()), 3));
    }
}
