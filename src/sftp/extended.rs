//! What is answered beyond version 3?

use bytes::Buf as _;
use russh_sftp::protocol::{Extended, ExtendedReply, FileAttributes, Packet};

use super::limits::{HANDLES_MAX, IDS_MAX, IO_BYTES_MAX, PACKET_BYTES_MAX};
use super::listing::Pages;
use super::requests::no_handle;
use super::serve::{Open, Session, Stop};
use super::status::Refusal;
use crate::model::{ContentHash, HashName, VirtualPath};
use crate::tree::{File, RejectedFile};

/// Extensions that are told in the answer to INIT, with their versions.
#[rustfmt::skip]
pub(super) const EXTENSIONS: &[(&str, &str)] = &[
    (POSIX_RENAME,      "1"),
    (STATVFS,           "2"),
    (FSTATVFS,          "2"),
    (FSYNC,             "1"),
    (LSETSTAT,          "1"),
    (LIMITS,            "1"),
    (EXPAND_PATH,       "1"),
    (HOME_DIRECTORY,    "1"),
    (USERS_GROUPS,      "1"),
    // As paramiko's server tells it. WinSCP looks for either of the first two.
    (CHECK_FILE,        "md5,sha1,sha256"),
    (CHECK_FILE_NAME,   "1"),
    (CHECK_FILE_HANDLE, "1"),
];
// `PROTOCOL` of OpenSSH, §4.3 to §4.12.
const POSIX_RENAME: &str = "posix-rename@openssh.com";
const STATVFS: &str = "statvfs@openssh.com";
const FSTATVFS: &str = "fstatvfs@openssh.com";
pub(super) const FSYNC: &str = "fsync@openssh.com";
const LSETSTAT: &str = "lsetstat@openssh.com";
const LIMITS: &str = "limits@openssh.com";
const EXPAND_PATH: &str = "expand-path@openssh.com";
const USERS_GROUPS: &str = "users-groups-by-id@openssh.com";
// draft-ietf-secsh-filexfer-extensions-00, §5 and §3.
const HOME_DIRECTORY: &str = "home-directory";
const CHECK_FILE_NAME: &str = "check-file-name";
const CHECK_FILE_HANDLE: &str = "check-file-handle";
/// The draft's name for the other two, by which paramiko asks for the hash of a handle.
const CHECK_FILE: &str = "check-file";

/// Whose all files are: what the numbers 0 for user and group stand for.
const OWNER: &str = "sluis";

type Answer = Result<Option<Packet>, Stop>;

impl Session {
    /// Does what an extended request asks.
    pub(super) async fn extended(&mut self, asked: Extended) -> Answer {
        let Extended { id, request, data } = asked;
        let rest = &mut &data[..];
        match request.as_str() {
            POSIX_RENAME => {
                let (from, to) = (text(rest)?, text(rest)?);
                self.rename(id, &from, &to).await
            }
            STATVFS => {
                let path = VirtualPath::parse(&text(rest)?)?;
                self.attributes_at(&path).await?;
                Ok(Some(reply(id, numbers(&ROOM))))
            }
            FSTATVFS => {
                self.check_handle(id, &text(rest)?)?;
                Ok(Some(reply(id, numbers(&ROOM))))
            }
            FSYNC => self.sync(id, &text(rest)?),
            LSETSTAT => {
                let path = text(rest)?;
                rest.try_get_u32().map_err(|_| bad())?; // flags of the attributes
                self.set_stat(id, &path, &FileAttributes::empty()).await
            }
            LIMITS => {
                self.pages = Pages::Wide;
                Ok(Some(reply(id, numbers(&limits()))))
            }
            HOME_DIRECTORY => {
                let home = home_of(&text(rest)?, &self.who.login)?;
                self.real_path(id, home).await
            }
            EXPAND_PATH => {
                let path = text(rest)?;
                let expanded = expand(&path, &self.who.login)?;
                self.real_path(id, expanded).await
            }
            USERS_GROUPS => Ok(Some(reply(id, owners(rest)?))),
            CHECK_FILE_NAME => {
                let (path, asked) = (VirtualPath::parse(&text(rest)?)?, HashAsked::read(rest)?);
                let hash = self.hash_at(&path, &asked).await?;
                Ok(Some(reply(id, hash)))
            }
            CHECK_FILE_HANDLE | CHECK_FILE => {
                let (handle, asked) = (text(rest)?, HashAsked::read(rest)?);
                let mut hash = self.hash_of_handle(&handle, &asked).await?;
                if request == CHECK_FILE {
                    // paramiko wants the name back before the rest; the draft does not have it.
                    hash = [string(CHECK_FILE.as_bytes()), hash].concat();
                }
                Ok(Some(reply(id, hash)))
            }
            _ => Err(Refusal::unsupported().into()),
        }
    }

    /// What was written is durable when its CLOSE is answered, under a name that is not temporary; of what was
    /// refused nothing ever will be.
    fn sync(&mut self, id: u32, handle: &str) -> Answer {
        if let Some(Open::Upload(key, _)) = self.handles.get(handle)
            && let Some(fault) = self.writing.get(key).and_then(|own| own.fault.as_ref())
        {
            return Err(fault.clone().told().into());
        }
        self.check_handle(id, handle)
    }

    async fn hash_at(&mut self, path: &VirtualPath, asked: &HashAsked) -> Result<Vec<u8>, Stop> {
        if self.copies.contains_key(&path.key()) {
            return Err(being_written().into());
        }
        let now = self.parts.clock.read();
        // What this device has put into `/in`: clients compare what they have sent.
        if let Some(put) = self.sight(path) {
            let digest = put.digest.ok_or_else(being_written)?;
            let name = asked.of_whole(put.bytes)?;
            let hash = self.view.hash_of_upload(digest, put.bytes, name).await?;
            return Ok(hash_reply(name, &hash));
        }
        if let Some(file) = self.rejected_at(path).await? {
            return self.rejected_hash(&file, asked).await;
        }
        let file = self.view.file_to_compare(path, now).await?;
        self.hash_reply(&file, asked).await
    }

    async fn hash_of_handle(&mut self, handle: &str, asked: &HashAsked) -> Result<Vec<u8>, Stop> {
        if let Some(Open::Rejected { file, .. }) = self.handles.get(handle) {
            let file = file.clone();
            return self.rejected_hash(&file, asked).await;
        }
        let file = match self.handles.get(handle) {
            Some(Open::File { file, .. }) => file.clone(),
            Some(Open::Folder(_)) => return Err(crate::tree::Error::IsAFolder.into()),
            Some(_) => return Err(being_written().into()),
            None => return Err(no_handle().into()),
        };
        self.hash_reply(&file, asked).await
    }

    async fn rejected_hash(&self, file: &RejectedFile, asked: &HashAsked) -> Result<Vec<u8>, Stop> {
        let name = asked.of_whole(file.attributes.bytes)?;
        let hash = self.view.hash_of_rejected(file, name).await?;
        Ok(hash_reply(name, &hash))
    }

    /// The name of the hash, and the hash: what the catalog knows, with nothing read for it.
    async fn hash_reply(&self, file: &File, asked: &HashAsked) -> Result<Vec<u8>, Stop> {
        let name = asked.of_whole(file.listed.bytes)?;
        let hash = self.view.hash(file, name).await?;
        Ok(hash_reply(name, &hash))
    }
}

/// What a request for a hash says after the name or handle (filexfer-extensions-00 §3; `check-file`
/// of draft-ietf-secsh-filexfer-09 §9.1.2 is the same).
#[derive(Debug, PartialEq, Eq)]
struct HashAsked {
    /// The first on the peer's list that we know.
    name: Option<HashName>,
    start: u64,
    /// 0 to the end.
    length: u64,
    /// 0 for one hash of all.
    block: u32,
}

/// The smallest block that the draft allows.
const BLOCK_BYTES_MIN: u32 = 256;

impl HashAsked {
    fn read(rest: &mut &[u8]) -> Result<Self, Refusal> {
        let names = text(rest)?;
        Ok(Self {
            name: names.split(',').find_map(|name| name.trim().parse().ok()),
            start: rest.try_get_u64().map_err(|_| bad())?,
            length: rest.try_get_u64().map_err(|_| bad())?,
            block: rest.try_get_u32().map_err(|_| bad())?,
        })
    }

    /// Returns which hash of the whole file is asked for.
    fn of_whole(&self, bytes: u64) -> Result<HashName, Refusal> {
        if (1..BLOCK_BYTES_MIN).contains(&self.block) {
            return Err(Refusal::failed("a block is of 256 bytes at least"));
        }
        let is_whole = self.start == 0
            && (self.length == 0 || self.length >= bytes)
            && (self.block == 0 || u64::from(self.block) >= bytes);
        if !is_whole {
            return Err(Refusal {
                text: "only the hash of a whole file is known: ask from 0, with length 0 and block size 0"
                    .to_owned(),
                ..Refusal::unsupported()
            });
        }
        self.name
            .ok_or_else(|| Refusal::failed("no such hash is known: ask for md5, sha1 or sha256"))
    }
}

/// The name of the hash, and the hash.
fn hash_reply(name: HashName, hash: &ContentHash) -> Vec<u8> {
    [string(name.as_str().as_bytes()), hash.as_bytes().to_vec()].concat()
}

fn being_written() -> Refusal {
    Refusal::failed("this file is still being written")
}

/// The home of a device is the root; nobody else has one here.
fn home_of<'a>(user: &str, login: &str) -> Result<&'a str, Refusal> {
    if user.is_empty() || user == login {
        Ok("/")
    } else {
        Err(Refusal::missing())
    }
}

/// Replaces `~` and `~user` at the beginning. What is left is relative, and relative paths start at the root.
fn expand<'a>(path: &'a str, login: &str) -> Result<&'a str, Refusal> {
    let Some(after) = path.strip_prefix('~') else {
        return Ok(path);
    };
    let (user, rest) = after.split_once('/').unwrap_or((after, ""));
    home_of(user, login)?;
    Ok(rest)
}

/// The names of users and groups by their numbers: empty for all but 0 (`PROTOCOL` of OpenSSH, §4.12).
fn owners(rest: &mut &[u8]) -> Result<Vec<u8>, Refusal> {
    let (users, groups) = (bytes(rest)?, bytes(rest)?);
    Ok([string(&names(users)?), string(&names(groups)?)].concat())
}

fn names(ids: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (ids, torn) = ids.as_chunks::<4>();
    if !torn.is_empty() {
        return Err(bad());
    }
    if ids.len() > IDS_MAX {
        return Err(Refusal::failed("too many numbers at once; ask for fewer"));
    }
    let name = |id: &[u8; 4]| if *id == [0; 4] { OWNER } else { "" };
    Ok(ids
        .iter()
        .flat_map(|id| string(name(id).as_bytes()))
        .collect())
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

/// A file system with plenty of room (`PROTOCOL` of OpenSSH, §4.4): mounts show no free space
/// otherwise, and refuse to copy. Block and fragment size; blocks, free, available; inodes, free,
/// available; id, flags (no suid), longest name.
const ROOM: [u64; 11] = [
    4096, 4096, BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, 1, 2, 255,
];
const BLOCKS: u64 = 1 << 28; // a tebibyte

fn reply(id: u32, data: Vec<u8>) -> Packet {
    Packet::ExtendedReply(ExtendedReply { id, data })
}

fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

/// A string as it is sent (RFC 4251 §5).
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

/// The next string of an extended request.
fn bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Refusal> {
    let length = rest.try_get_u32().map_err(|_| bad())?;
    let length = usize::try_from(length).map_err(|_| bad())?;
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(bad)?;
    *rest = after;
    Ok(bytes)
}

fn text(rest: &mut &[u8]) -> Result<String, Refusal> {
    Ok(String::from_utf8_lossy(bytes(rest)?).into_owned())
}

fn bad() -> Refusal {
    Refusal::bad("the extended request does not decode")
}

#[cfg(test)]
mod tests {
    use russh_sftp::protocol::StatusCode;

    use super::*;

    fn asked(names: &str, start: u64, length: u64, block: u32) -> HashAsked {
        let sent = [
            string(names.as_bytes()),
            numbers(&[start, length]),
            block.to_be_bytes().to_vec(),
        ]
        .concat();
        HashAsked::read(&mut &sent[..]).unwrap()
    }

    #[test]
    fn the_first_hash_that_is_known_is_taken() {
        let first = |names| asked(names, 0, 0, 0).of_whole(1000);

        assert_eq!(first("sha256"), Ok(HashName::Sha256));
        assert_eq!(first("sha512,sha1,md5"), Ok(HashName::Sha1));
        assert_eq!(first("crc32").unwrap_err().code, StatusCode::Failure);
        assert_eq!(first("").unwrap_err().code, StatusCode::Failure);
    }

    #[test]
    fn only_the_whole_file_has_a_hash() {
        let code = |start, length, block| {
            let whole = asked("md5", start, length, block).of_whole(1000);
            whole.map_or_else(|refusal| refusal.code, |_| StatusCode::Ok)
        };

        assert_eq!(code(0, 0, 0), StatusCode::Ok);
        assert_eq!(code(0, 1000, 1000), StatusCode::Ok);
        assert_eq!(code(0, u64::MAX, u32::MAX), StatusCode::Ok);
        assert_eq!(code(1, 0, 0), StatusCode::OpUnsupported);
        assert_eq!(code(0, 999, 0), StatusCode::OpUnsupported);
        assert_eq!(code(0, 0, 999), StatusCode::OpUnsupported);
        assert_eq!(code(0, 0, 255), StatusCode::Failure);
    }

    #[test]
    fn home_is_the_root_and_nobody_else_has_one() {
        let expand = |path| expand(path, "kantoor.pc").map_err(|refusal| refusal.code);

        assert_eq!(expand("~"), Ok(""));
        assert_eq!(expand("~/expertm/x"), Ok("expertm/x"));
        assert_eq!(expand("~kantoor.pc/x"), Ok("x"));
        assert_eq!(expand("x/~"), Ok("x/~"));
        assert_eq!(expand(""), Ok(""));
        assert_eq!(expand("~root/x"), Err(StatusCode::NoSuchFile));
    }

    #[test]
    fn one_number_past_the_limit_is_refused() {
        let most = vec![0; 4 * IDS_MAX];
        assert_eq!(names(&most).map(|names| names.len()), Ok(9 * IDS_MAX));

        let more = vec![0; 4 * (IDS_MAX + 1)];
        assert_eq!(names(&more).unwrap_err().code, StatusCode::Failure);
        assert_eq!(names(&[0; 5]).unwrap_err().code, StatusCode::BadMessage);
    }
}
