//! What does each request do?

use bytes::Buf as _;
use russh_sftp::protocol::{Attrs, Extended, ExtendedReply, File as NamedFile, Name, Packet};

use super::limits::{HANDLES_MAX, IO_BYTES_MAX, PACKET_BYTES_MAX};
use super::listing::to_wire;
use super::serve::{Open, Session, Stop, ok};
use super::status::Refusal;
use crate::model::VirtualPath;
use crate::tree::{Attributes, Entry};

/// Extensions that are told in the answer to INIT, with their versions.
#[rustfmt::skip]
pub(super) const EXTENSIONS: &[(&str, &str)] = &[
    (POSIX_RENAME, "1"),
    (STATVFS,      "2"),
    (FSTATVFS,     "2"),
    (FSYNC,        "1"),
    (LIMITS,       "1"),
];
const POSIX_RENAME: &str = "posix-rename@openssh.com";
const STATVFS: &str = "statvfs@openssh.com";
const FSTATVFS: &str = "fstatvfs@openssh.com";
const FSYNC: &str = "fsync@openssh.com";
const LIMITS: &str = "limits@openssh.com";

/// The answer to gather; none when the request has gathered it.
type Answer = Result<Option<Packet>, Stop>;

impl Session {
    /// Does what a request asks.
    pub(super) async fn request(&mut self, request: Packet) -> Answer {
        match request {
            Packet::Open(asked) => self.open(asked.id, &asked.filename, asked.pflags).await,
            Packet::Close(asked) => self.close(asked.id, &asked.handle).await,
            Packet::Read(asked) => self.read(asked.id, &asked.handle, asked.offset, asked.len),
            Packet::Write(asked) => {
                self.write(asked.id, &asked.handle, asked.offset, asked.data)
                    .await
            }
            Packet::Lstat(asked) => self.stat(asked.id, &asked.path).await,
            Packet::Stat(asked) => self.stat(asked.id, &asked.path).await,
            Packet::Fstat(asked) => self.fstat(asked.id, &asked.handle).await,
            Packet::SetStat(asked) => self.set_stat(asked.id, &asked.path).await,
            Packet::FSetStat(asked) => self.check_handle(asked.id, &asked.handle),
            Packet::OpenDir(asked) => self.open_folder(asked.id, &asked.path).await,
            Packet::ReadDir(asked) => self.read_folder(asked.id, &asked.handle),
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

    /// What stands at a path, the session's own drafts among it.
    pub(super) async fn attributes_at(&mut self, path: &VirtualPath) -> Result<Attributes, Stop> {
        if let Some(draft) = self.drafts.get(&path.key()) {
            let bytes = self.parts.spool.size(&draft.upload).await?;
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
            Some(Open::Folder(_)) => Attributes {
                is_folder: true,
                bytes: 0,
                at: self.who.since,
            },
            Some(Open::Draft(key)) => {
                let draft = self.drafts.get(key).ok_or_else(Refusal::missing)?;
                let bytes = self.parts.spool.size(&draft.upload).await?;
                Attributes {
                    is_folder: false,
                    bytes,
                    at: self.who.since,
                }
            }
            None => return Err(no_handle().into()),
        };
        Ok(Some(attributes_packet(id, &attributes)))
    }

    /// Modes and times are accepted and ignored: a client that sets them after an upload must not fail for it.
    async fn set_stat(&mut self, id: u32, path: &str) -> Answer {
        let path = VirtualPath::parse(path)?;
        self.attributes_at(&path).await?;
        Ok(Some(ok(id)))
    }

    fn check_handle(&mut self, id: u32, handle: &str) -> Answer {
        self.handles.get(handle).ok_or_else(no_handle)?;
        Ok(Some(ok(id)))
    }

    async fn real_path(&mut self, id: u32, path: &str) -> Answer {
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

    async fn extended(&mut self, asked: Extended) -> Answer {
        let Extended { id, request, data } = asked;
        let mut data = &data[..];
        match request.as_str() {
            POSIX_RENAME => {
                let (from, to) = (text(&mut data)?, text(&mut data)?);
                self.rename(id, &from, &to).await
            }
            STATVFS => {
                let path = VirtualPath::parse(&text(&mut data)?)?;
                self.attributes_at(&path).await?;
                Ok(Some(reply(id, &ROOM)))
            }
            FSTATVFS => {
                self.check_handle(id, &text(&mut data)?)?;
                Ok(Some(reply(id, &ROOM)))
            }
            // What was written is durable when its CLOSE is answered.
            FSYNC => self.check_handle(id, &text(&mut data)?),
            LIMITS => Ok(Some(reply(id, &limits()))),
            _ => Err(Refusal::unsupported().into()),
        }
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

/// The largest packet, READ and WRITE, and the most handles (`PROTOCOL` of OpenSSH, §4.8).
fn limits() -> [u64; 4] {
    [
        PACKET_BYTES_MAX as u64,
        u64::from(IO_BYTES_MAX),
        u64::from(IO_BYTES_MAX),
        HANDLES_MAX as u64,
    ]
}

/// A file system with plenty of room (`PROTOCOL` of OpenSSH, §4.3): mounts show no free space
/// otherwise, and refuse to copy. Block and fragment size; blocks, free, available; inodes, free,
/// available; id, flags (no suid), longest name.
const ROOM: [u64; 11] = [
    4096, 4096, BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, 1, 2, 255,
];
const BLOCKS: u64 = 1 << 28; // a tebibyte

fn reply(id: u32, numbers: &[u64]) -> Packet {
    let data = numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
    Packet::ExtendedReply(ExtendedReply { id, data })
}

/// The next string of an extended request (RFC 4251 §5).
fn text(data: &mut &[u8]) -> Result<String, Refusal> {
    let bad = || Refusal::bad("the extended request does not decode");
    let length = usize::try_from(data.try_get_u32().map_err(|_| bad())?).map_err(|_| bad())?;
    let (text, rest) = data.split_at_checked(length).ok_or_else(bad)?;
    *data = rest;
    Ok(String::from_utf8_lossy(text).into_owned())
}
