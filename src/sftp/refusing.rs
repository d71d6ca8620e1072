//! What is done about a file that is not accepted, and with the folder where its owner sees why?

use russh_sftp::protocol::{Handle, OpenFlags, Packet};
use tracing::{error, info, warn};

use super::reading::{Intent, intent};
use super::serve::{Open, Session, Stop, ok};
use super::status::Refusal;
use crate::ingest::Taken;
use crate::model::{Veiled, VirtualPath, fold};
use crate::tree::RejectedFile;
use crate::upload::{self, Owner};

type Answer = Result<Option<Packet>, Stop>;

/// The folder of what was not accepted, as it is compared.
const REJECTED: &str = "rejected";

impl Session {
    /// Returns the file at `path`, if that is one in `/rejected`.
    pub(super) async fn rejected_at(
        &mut self,
        path: &VirtualPath,
    ) -> Result<Option<RejectedFile>, Stop> {
        if !is_below_rejected(path) {
            return Ok(None);
        }
        let now = self.parts.clock.read();
        Ok(self.view.rejected_at(path, now).await?)
    }

    /// OPEN of a file that was not accepted: to read it, and nothing else.
    pub(super) fn open_rejected(
        &mut self,
        id: u32,
        file: RejectedFile,
        flags: OpenFlags,
    ) -> Answer {
        if intent(flags) != Intent::Read {
            return Err(read_only().into());
        }
        let content = self.view.rejected_content(&file);
        let handle = self.handles.open(Open::Rejected { file, content })?;
        Ok(Some(Packet::Handle(Handle { id, handle })))
    }

    /// REMOVE of one: its device does not see it any more.
    pub(super) async fn remove_rejected(&self, id: u32, file: &RejectedFile) -> Answer {
        let now = self.parts.clock.read();
        self.view.remove_rejected(file, now).await?;
        let (login, session) = (&self.who.login, self.who.session.0);
        let name = Veiled(&file.name);
        info!(
            session.id = session,
            "Device `{login}` removed {name} from its rejected files"
        );
        Ok(Some(ok(id)))
    }

    /// Refuses a file, and notes it for its owner if it will be refused however often it is written.
    pub(super) async fn refuse_upload(
        &self,
        path: &VirtualPath,
        bytes: Option<u64>,
        refused: upload::Error,
    ) -> Refusal {
        let (now, owner) = (self.parts.clock.read(), self.owner(path));
        let rejections = &self.parts.rejections;
        let noted = rejections.note_refused(owner, bytes, &refused, now).await;
        if let Err(failed) = noted {
            let fault: &dyn std::error::Error = &failed;
            // It is refused all the same, and its sender is told.
            error!(
                error = fault,
                "Could not note what was not taken of `{}`", self.who.login
            );
        }
        let is_of_day = matches!(
            refused,
            upload::Error::DayBytes { .. } | upload::Error::DayFiles { .. }
        );
        if is_of_day && self.parts.quota.is_news(self.who.firm) {
            let (login, session) = (&self.who.login, self.who.session.0);
            warn!(
                session.id = session,
                firm.id = %self.who.firm,
                "Uploads of the firm of `{login}` are refused until midnight: {refused}"
            );
        }
        refused.into()
    }

    /// Notes a file that was taken in, and that nobody can read, before its sender is told.
    pub(super) async fn note_unreadable(
        &self,
        path: &VirtualPath,
        taken: &Taken,
        bytes: u64,
    ) -> Result<(), Refusal> {
        let now = self.parts.clock.read();
        let (owner, content) = (self.owner(path), (taken.digest, bytes));
        let rejections = &self.parts.rejections;
        let noting = rejections.note_unreadable(owner, content, &taken.remarks, now);
        // The same bytes again are recognised, and noted then.
        noting
            .await
            .map_err(|failed| upload::Error::from(failed).into())
    }

    /// Forgets what was noted of a file, for it was accepted now. It is in any case.
    pub(super) async fn forget_rejected(&self, path: &VirtualPath) {
        if let Err(failed) = self.parts.rejections.forget(self.owner(path)).await {
            let fault: &dyn std::error::Error = &failed;
            let (login, path) = (&self.who.login, path.to_string());
            let path = Veiled(&path);
            warn!(
                error = fault,
                "Could not forget that {path} of `{login}` was not taken before"
            );
        }
    }

    fn owner<'a>(&self, path: &'a VirtualPath) -> Owner<'a> {
        Owner {
            firm: self.who.firm,
            device: self.who.device,
            path,
        }
    }
}

/// What is asked of a file in `/rejected` that only reading and removing allow.
pub(super) fn read_only() -> Refusal {
    Refusal::denied("what was not accepted can be read and removed; put the file into `/in` again")
}

fn is_below_rejected(path: &VirtualPath) -> bool {
    let first = path.components().first();
    path.components().len() == 2 && first.is_some_and(|name| fold(name) == REJECTED)
}
