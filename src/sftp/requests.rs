//! What does each request do?

use russh_sftp::protocol::{Attrs, File as NamedFile, FileAttributes, Name, Packet};
use tracing::debug;

use super::listing::to_wire;
use super::serve::{Open, Session, Stop, ok};
use super::status::Refusal;
use crate::model::{Veiled, VirtualPath};
use crate::tree::{Attributes, Entry};

/// The answer to gather; none when the request has gathered it.
type Answer = Result<Option<Packet>, Stop>;

impl Session {
    /// Does what a request asks.
    pub(super) async fn request(&mut self, request: Packet) -> Answer {
        match request {
            Packet::Open(asked) => self.open(asked.id, &asked.filename, asked.pflags).await,
            Packet::Close(asked) => self.close(asked.id, &asked.handle).await,
            Packet::Read(asked) => self.read(asked.id, &asked.handle, asked.offset, asked.len),
            Packet::Lstat(asked) => self.stat(asked.id, &asked.path).await,
            Packet::Stat(asked) => self.stat(asked.id, &asked.path).await,
            Packet::Fstat(asked) => self.fstat(asked.id, &asked.handle).await,
            Packet::SetStat(asked) => self.set_stat(asked.id, &asked.path, &asked.attrs).await,
            Packet::FSetStat(asked) => {
                self.set_handle(&asked.handle, &asked.attrs).await?;
                self.check_handle(asked.id, &asked.handle)
            }
            Packet::OpenDir(asked) => self.open_folder(asked.id, &asked.path).await,
            Packet::ReadDir(asked) => self.read_folder(asked.id, &asked.handle).await,
            Packet::Remove(asked) => self.remove(asked.id, &asked.filename).await,
            Packet::MkDir(asked) => self.make_folder(asked.id, &asked.path).await,
            Packet::RmDir(asked) => self.remove_folder(asked.id, &asked.path).await,
            Packet::RealPath(asked) => self.real_path(asked.id, &asked.path).await,
            Packet::Rename(asked) => self.rename(asked.id, &asked.oldpath, &asked.newpath).await,
            Packet::ReadLink(asked) => self.read_link(&asked.path).await,
            Packet::Symlink(_) => Err(Refusal::denied("links are not made here").into()),
            Packet::Extended(asked) => self.extended(asked).await,
            _ => Err(Refusal::unsupported().into()),
        }
    }

    async fn stat(&mut self, id: u32, path: &str) -> Answer {
        let path = VirtualPath::parse(path)?;
        let attributes = self.attributes_at(&path).await?;
        Ok(Some(attributes_packet(id, &attributes)))
    }

    /// What stands at a path, the session's own copies among it.
    pub(super) async fn attributes_at(&mut self, path: &VirtualPath) -> Result<Attributes, Stop> {
        if let Some(upload) = self.upload_at(path).await? {
            return Ok(upload);
        }
        if let Some(file) = self.rejected_at(path).await? {
            return Ok(file.attributes);
        }
        if let Some(copy) = self.copies.get(&path.key()) {
            let bytes = self.parts.spool.size(&copy.body).await?;
            return Ok(Attributes {
                is_folder: false,
                bytes,
                at: self.who.since,
            });
        }
        let now = self.parts.clock.read();
        Ok(self.view.stat(path, now).await?)
    }

    async fn fstat(&mut self, id: u32, handle: &str) -> Answer {
        let attributes = match self.handles.get(handle) {
            Some(Open::File { file, .. }) => file.attributes(),
            Some(Open::Rejected { file, .. }) => file.attributes,
            Some(Open::Folder(_)) => Attributes {
                is_folder: true,
                bytes: 0,
                at: self.who.since,
            },
            Some(Open::Copy(key)) => {
                let copy = self.copies.get(key).ok_or_else(Refusal::missing)?;
                let bytes = self.parts.spool.size(&copy.body).await?;
                Attributes {
                    is_folder: false,
                    bytes,
                    at: self.who.since,
                }
            }
            Some(Open::Upload(key, _)) => {
                let key = key.clone();
                self.upload_of(&key).ok_or_else(Refusal::missing)?
            }
            None => return Err(no_handle().into()),
        };
        Ok(Some(attributes_packet(id, &attributes)))
    }

    /// Modes and times are accepted and ignored: a client that sets them after an upload must not fail for it.
    pub(super) async fn set_stat(
        &mut self,
        id: u32,
        path: &str,
        wanted: &FileAttributes,
    ) -> Answer {
        let path = VirtualPath::parse(path)?;
        self.attributes_at(&path).await?;
        if self.is_upload(&path).await? {
            self.set_upload(&path, wanted).await?;
        } else if let Some(bytes) = wanted.size {
            self.cut_copy(&path.key(), bytes).await?;
        }
        let session = self.who.session.0;
        debug!(
            session.id = session,
            "Ignored the attributes set on {}",
            Veiled(&path.to_string())
        );
        Ok(Some(ok(id)))
    }

    pub(super) fn check_handle(&mut self, id: u32, handle: &str) -> Answer {
        self.handles.get(handle).ok_or_else(no_handle)?;
        Ok(Some(ok(id)))
    }

    pub(super) async fn real_path(&mut self, id: u32, path: &str) -> Answer {
        let path = VirtualPath::parse(path)?;
        let now = self.parts.clock.read();
        let written = match self.view.entry(&path, now).await {
            Ok(Entry::Folder(folder)) => folder,
            _ => path,
        };
        let files = vec![NamedFile {
            longname: written.to_string(),
            ..NamedFile::dummy(written.to_string())
        }];
        Ok(Some(Packet::Name(Name { id, files })))
    }

    async fn read_link(&mut self, path: &str) -> Answer {
        let path = VirtualPath::parse(path)?;
        self.attributes_at(&path).await?;
        Err(Refusal::failed("not a link").into())
    }
}

/// A handle that nobody gave out, or that is closed.
pub(super) fn no_handle() -> Refusal {
    Refusal::bad("no such handle is open")
}

fn attributes_packet(id: u32, attributes: &Attributes) -> Packet {
    Packet::Attrs(Attrs {
        id,
        attrs: to_wire(attributes),
    })
}
