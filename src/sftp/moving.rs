//! What happens when a file in `/in` is renamed or removed?

use russh_sftp::protocol::Packet;

use super::serve::{Open, Session, Stop, ok};
use super::status::Refusal;
use super::uploading::check_name;
use crate::model::{VirtualPath, is_temporary};

type Answer = Result<Option<Packet>, Stop>;

impl Session {
    /// REMOVE: takes a file out of sight. What was taken in stays a document.
    pub(super) fn remove_upload(&mut self, id: u32, path: &VirtualPath) -> Answer {
        let was_written = self.writing.remove(&path.key()).is_some();
        // Its handles are of no file any more: another of that name is not theirs.
        self.move_handles(&path.key(), "");
        let was_there = self.parts.shelf.remove(self.who.device, path);
        if was_written || was_there {
            Ok(Some(ok(id)))
        } else {
            Err(Refusal::missing().into())
        }
    }

    /// RENAME, which may overwrite here: clients that write under a temporary name expect it.
    pub(super) async fn rename_upload(
        &mut self,
        id: u32,
        from: &VirtualPath,
        to: VirtualPath,
    ) -> Answer {
        let folders = (self.put_folder(from).await?, self.put_folder(&to).await?);
        let (Some(old_folder), Some(new_folder)) = folders else {
            return Err(Refusal::denied("a file may be moved within its folder only").into());
        };
        check_name(&to)?;
        let (old, new) = (from.key(), to.key());
        if old != new && self.writing.contains_key(&new) {
            return Err(Refusal::failed("a file of that name is being written").into());
        }
        let (device, now) = (self.who.device, self.parts.clock.read());
        if let Some(mut writing) = self.writing.remove(&old) {
            if old != new {
                // It is written over, so it does not stand against this one's CLOSE.
                drop(self.parts.shelf.take_draft(device, &to, now));
            }
            self.move_handles(&old, &new);
            writing.draft.set_begun(); // what was taken under that name was so before
            writing.path = to;
            self.writing.insert(new, writing);
            return Ok(Some(ok(id)));
        }
        let Some(draft) = self.parts.shelf.take_draft(device, from, now) else {
            self.sight(from).ok_or_else(Refusal::missing)?;
            if old_folder != new_folder {
                return Err(taken_elsewhere().into());
            }
            self.parts.shelf.rename(device, from, to, now);
            return Ok(Some(ok(id)));
        };
        if to.name().is_some_and(is_temporary) {
            self.put_over(to, draft);
            return Ok(Some(ok(id)));
        }
        self.take_in(&to, from, draft).await?;
        Ok(Some(ok(id)))
    }

    /// Has the handles of what was written under one name be of another; of none, where that is empty.
    pub(super) fn move_handles(&mut self, old: &str, new: &str) {
        for open in self.handles.iter_mut() {
            if let Open::Upload(key, _) | Open::Copy(key) = open
                && key == old
            {
                new.clone_into(key);
            }
        }
    }
}

/// To move it would seem to send it elsewhere, and would not.
fn taken_elsewhere() -> Refusal {
    Refusal::denied("this document was taken in already, for the folder it was put into")
}
