//! What becomes of a file in `/in` that has not been given its name yet, or was not finished?

use std::collections::VecDeque;

use tracing::{error, warn};

use super::serve::{Parts, Session};
use super::status::Refusal;
use super::uploading::Writing;
use crate::model::{Veiled, VirtualPath};
use crate::upload::{Draft, Gone, LetGo};

impl Session {
    /// Puts a file down that its writer has closed under a temporary name. He is told that all is well, so no other
    /// closed file is dropped to make room.
    pub(super) fn put_aside(&self, path: VirtualPath, draft: Draft) -> Result<(), Refusal> {
        let (device, now) = (self.who.device, self.parts.clock.read());
        let shelf = &self.parts.shelf;
        let Err(why) = shelf.put_finished(device, path.clone(), draft, now) else {
            return Ok(());
        };
        let refusal = Refusal::failed(match why {
            Gone::Replaced => {
                "another connection has put a file of that name here meanwhile; put it again"
            }
            Gone::NoRoom | Gone::Old => {
                "too many files wait here under temporary names; rename or remove some first"
            }
        });
        self.warn_of(&path, &refusal.text);
        Err(refusal)
    }

    pub(super) fn put_down(&self, path: VirtualPath, draft: Draft) {
        let now = self.parts.clock.read();
        self.parts
            .shelf
            .put_draft(self.who.device, path, draft, now);
    }

    /// Puts a file down under the name of another, which it replaces.
    pub(super) fn put_over(&self, path: VirtualPath, draft: Draft) {
        let (device, now) = (self.who.device, self.parts.clock.read());
        self.parts.shelf.put_over(device, path, draft, now);
    }

    /// Ends every upload that this session did not finish: nothing of them is taken, and the next session may go on.
    pub(super) fn put_down_all(&mut self) {
        for (_, writing) in std::mem::take(&mut self.writing) {
            let Writing { draft, path, .. } = writing;
            if draft.bytes() > 0 {
                self.put_down(path, draft);
            }
        }
    }
}

/// What was closed and is gone without a name of its own, and is not noted yet for whoever put it.
#[derive(Debug, Default)]
pub(super) struct Untold(VecDeque<LetGo>);

impl Untold {
    /// Tells of what is gone by now, of whichever device: in the log, and what waited for its day in that device's
    /// `/rejected`. Nobody waits for it, so no session does. Where the catalog fails, it is noted another time; where one
    /// place of it does, the others do not wait for that.
    pub(super) async fn tell(&mut self, parts: &Parts) {
        let now = parts.clock.read();
        for gone in parts.shelf.sweep(now) {
            warn_of_gone(&gone);
            // Otherwise another file has its name now, or it is still being written.
            if gone.why == Gone::Old {
                self.0.push_back(gone);
            }
        }
        while let Some(gone) = self.0.pop_front() {
            let (device, path) = (gone.device, &gone.path);
            let rejections = &parts.rejections;
            let noting = rejections.note_never_named(device, path, gone.bytes, now);
            let Err(failed) = noting.await else {
                continue;
            };
            let why = failed.to_string();
            // It has been told that the catalog fails.
            if parts.sending.meets_all(&failed.into()) {
                self.0.push_front(gone);
                return;
            }
            say_unnoted(&gone, &why);
        }
    }

    /// Tells what nobody has noted, at the end.
    pub(super) fn give_up(self) {
        for gone in self.0 {
            say_unnoted(&gone, "the catalog failed until the end");
        }
    }
}

fn warn_of_gone(gone: &LetGo) {
    let shown = gone.path.to_string();
    let shown = Veiled(&shown);
    let said = match gone.why {
        Gone::Old => "it waited for a day",
        Gone::Replaced => {
            "its connection broke while it was open once more, and another of its name was put in meanwhile"
        }
        Gone::NoRoom => "its connection broke while it was made longer, and there is no room",
    };
    warn!(
        device.id = gone.device.0,
        "Let go of {shown}, which a device has put in and never given a name of its own: {said}"
    );
}

fn say_unnoted(gone: &LetGo, why: &str) {
    let shown = gone.path.to_string();
    let shown = Veiled(&shown);
    error!(
        device.id = gone.device.0,
        "Could not note that {shown} was let go of: {why}"
    );
}
