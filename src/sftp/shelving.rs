//! What becomes of a file in `/in` that has not been given its name yet, or was not finished?

use tracing::{error, warn};

use super::serve::Session;
use super::status::Refusal;
use super::uploading::Writing;
use crate::model::{Veiled, VirtualPath};
use crate::upload::{Draft, LetGo};

impl Session {
    /// Puts a file down that its writer has closed under a temporary name. He is told that all is well, so no other
    /// that was closed goes for it.
    pub(super) fn put_aside(&self, path: VirtualPath, draft: Draft) -> Result<(), Refusal> {
        let (device, now) = (self.who.device, self.parts.clock.read());
        let shelf = &self.parts.shelf;
        if !shelf.put_finished(device, path.clone(), draft, now) {
            let full = Refusal::failed(
                "too many files wait here under temporary names; rename or remove some first",
            );
            self.warn_of(&path, &full.text);
            return Err(full);
        }
        Ok(())
    }

    pub(super) fn put_down(&self, path: VirtualPath, draft: Draft) {
        let now = self.parts.clock.read();
        self.parts
            .shelf
            .put_draft(self.who.device, path, draft, now);
    }

    /// Ends every upload that this session did not finish: nothing of them is taken, and the next session may go on.
    pub(super) fn put_down_all(&mut self) {
        for (_, writing) in self.writing.drain() {
            let Writing { draft, path, .. } = writing;
            if draft.bytes() > 0 {
                let now = self.parts.clock.read();
                self.parts
                    .shelf
                    .put_draft(self.who.device, path, draft, now);
            }
        }
    }

    /// Tells of what has waited for its name for a day, of whichever device: in the log, and in that device's
    /// `/rejected`.
    pub(super) async fn tell_let_go(&self) {
        let now = self.parts.clock.read();
        for gone in self.parts.shelf.sweep(now) {
            let LetGo {
                device,
                path,
                bytes,
            } = gone;
            let shown = path.to_string();
            let shown = Veiled(&shown);
            warn!(
                device.id = device.0,
                "Let go of {shown}, which a device has put in and never given a name of its own: it waited for a day"
            );
            let rejections = &self.parts.rejections;
            let noting = rejections.note_never_named(device, &path, bytes, now);
            if let Err(failed) = noting.await {
                let fault: &dyn std::error::Error = &failed;
                error!(
                    error = fault,
                    device.id = device.0,
                    "Could not note that {shown} was let go of"
                );
            }
        }
    }
}
