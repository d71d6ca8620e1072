//! What do clients get that cannot run here, if they send what is known of them?
//!
//! A transcript says where its knowledge is from. A line is a request and what is answered; the last
//! line says what the delivery became. `inbox` and `done` are the two folders, `*` is the document's
//! name. Of Mountain Duck nothing is known, so it has none.

use std::collections::HashMap;

use futures_util::future::join_all;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use sluis::model::DeviceKind;

use crate::gateway::{Gateway, Login, Office, invoice};
use crate::peer::{Peer, code};
use crate::pulling::wait_for_broken_read;

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";
const NAME: &str = "20260314-00001_F-0017_0451827384.xml";

/// Says of each transcript what is answered to it.
macro_rules! transcripts {
    ($($name:ident: $file:literal,)*) => {
        $(#[tokio::test]
        async fn $name() {
            follows(include_str!(concat!("transcripts/", $file))).await;
        })*
    };
}

transcripts! {
    winscp_copies_a_large_file_under_a_temporary_name: "winscp-filepart.txt",
    winscp_copies_a_small_file_under_its_own_name: "winscp-small.txt",
    winscp_says_the_size_when_it_opens: "winscp-6.5-size.txt",
    a_program_that_finds_nothing_is_not_told_that_it_may_not: "winscp-missing.txt",
    the_putty_family_reads_far_past_the_end: "putty-past-the-end.txt",
    filezilla_reads_four_megabytes_of_a_small_file: "filezilla-past-the-end.txt",
    a_client_that_reads_the_end_first_has_not_collected_by_it: "end-first.txt",
    a_drive_of_sshfs_is_peeked_at: "sshfs-peek.txt",
    explorer_looks_for_its_own_files: "explorer.txt",
    lftp_closes_no_small_file: "lftp-no-close.txt",
    a_client_that_resumes_reads_only_the_rest: "openssh-reget.txt",
    a_client_that_is_killed_closes_nothing: "openssh-killed.txt",
}

async fn follows(transcript: &str) {
    let mut lines = transcript
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let head: Vec<_> = lines.next().unwrap().split(' ').collect();
    let ["device", kind, "bytes", bytes] = head[..] else {
        panic!("a transcript begins with its device and the size of the document");
    };
    let mut actor = Actor::new(kind, bytes.parse().unwrap()).await;
    for line in lines {
        let (asked, answered) = line.split_once(" -> ").unwrap();
        let words: Vec<_> = asked.split(' ').collect();
        assert_eq!(actor.does(&words).await, answered, "to `{asked}`");
    }
}

/// Who sends a transcript.
struct Actor {
    gateway: Gateway,
    office: Office,
    device: Login,
    document: Vec<u8>,
    peer: Option<Peer>,
    handles: HashMap<String, String>,
}

impl Actor {
    async fn new(kind: &str, bytes: usize) -> Self {
        let gateway = Gateway::start().await;
        let kind = if kind == "mount" {
            DeviceKind::Mount
        } else {
            DeviceKind::Pull
        };
        let (office, device) = gateway.office_with(kind).await;
        let document = invoice("F-0017", bytes);
        gateway.receive(&office, document.clone()).await;
        let peer = Some(gateway.connect(&device).await);
        Self {
            gateway,
            office,
            device,
            document,
            peer,
            handles: HashMap::new(),
        }
    }

    async fn does(&mut self, words: &[&str]) -> String {
        match *words {
            ["connect"] => self.peer = Some(self.gateway.connect(&self.device).await),
            ["leave"] => self.peer.take().unwrap().leave().await,
            ["hang-up"] => {
                self.peer.take().unwrap().hang_up();
                wait_for_broken_read(&self.gateway, &self.office).await;
                self.gateway.pass_ms(1);
            }
            ["state"] => return self.state().await,
            ["open", handle, path, ref flags @ ..] => return self.open(handle, path, flags).await,
            ["read", handle, offset, length, times] => {
                let step = |word: &str| word.parse().unwrap();
                return self
                    .read(
                        handle,
                        step(offset),
                        length.parse().unwrap(),
                        step(&times[1..]),
                    )
                    .await;
            }
            ["write", handle, length] => return self.write(handle, length.parse().unwrap()).await,
            _ => return self.asks(words).await,
        }
        "done".to_owned()
    }

    /// Requests whose answer is a status, or the attributes of something.
    async fn asks(&self, words: &[&str]) -> String {
        let sftp = &self.peer.as_ref().unwrap().sftp;
        let handle = |name: &str| self.handles[name].clone();
        let times = FileAttributes {
            atime: Some(1),
            mtime: Some(1),
            ..FileAttributes::empty()
        };
        match *words {
            ["realpath", place] => match sftp.realpath(path(place)).await {
                Ok(name) => short(&name.files[0].filename),
                Err(error) => refused(error),
            },
            ["stat", place] => about(sftp.stat(path(place)).await.map(|about| about.attrs)),
            ["lstat", place] => about(sftp.lstat(path(place)).await.map(|about| about.attrs)),
            ["fstat", name] => about(sftp.fstat(handle(name)).await.map(|about| about.attrs)),
            ["setstat", place] => status(sftp.setstat(path(place), times).await),
            ["fsetstat", name] => status(sftp.fsetstat(handle(name), times).await),
            ["close", name] => status(sftp.close(handle(name)).await),
            ["remove", place] => status(sftp.remove(path(place)).await),
            ["rename", from, to] => status(sftp.rename(path(from), path(to)).await),
            _ => panic!("`{words:?}` is no request"),
        }
    }

    async fn open(&mut self, name: &str, place: &str, words: &[&str]) -> String {
        let mut attributes = FileAttributes::empty();
        let mut flags = OpenFlags::empty();
        for word in words {
            match *word {
                "read" => flags |= OpenFlags::READ,
                "write" => flags |= OpenFlags::WRITE,
                "create" => flags |= OpenFlags::CREATE,
                "truncate" => flags |= OpenFlags::TRUNCATE,
                size => {
                    attributes.size = Some(size.strip_prefix("size=").unwrap().parse().unwrap());
                }
            }
        }
        let sftp = &self.peer.as_ref().unwrap().sftp;
        match sftp.open(path(place), flags, attributes).await {
            Ok(handle) => {
                self.handles.insert(name.to_owned(), handle.handle);
                "handle".to_owned()
            }
            Err(error) => refused(error),
        }
    }

    /// So many reads, all of them asked before one is answered.
    async fn read(&self, handle: &str, offset: u64, length: u32, times: u64) -> String {
        let sftp = &self.peer.as_ref().unwrap().sftp;
        let reads = (0..times).map(|at| {
            let from = offset + at * u64::from(length);
            async move { (from, sftp.read(&self.handles[handle], from, length).await) }
        });
        let (mut bytes, mut ends) = (0, 0);
        for (from, answer) in join_all(reads).await {
            match answer {
                Ok(answer) => {
                    let at = usize::try_from(from).unwrap();
                    assert_eq!(answer.data, self.document[at..at + answer.data.len()]);
                    bytes += answer.data.len();
                }
                Err(end) => {
                    assert_eq!(code(end), StatusCode::Eof);
                    ends += 1;
                }
            }
        }
        format!("{bytes} bytes, {ends} ends")
    }

    /// Writes the document in blocks of this length, all of them sent before one is answered.
    async fn write(&self, handle: &str, length: usize) -> String {
        let sftp = &self.peer.as_ref().unwrap().sftp;
        let writes = self.document.chunks(length).enumerate().map(|(at, block)| {
            sftp.write(&self.handles[handle], (at * length) as u64, block.to_vec())
        });
        let answers = join_all(writes).await.into_iter().map(status);
        let taken = answers.filter(|answer| answer == "ok").count();
        format!("{taken} ok")
    }

    /// What the delivery became, without its path.
    async fn state(&self) -> String {
        let deliveries = self.gateway.deliveries(&self.office).await;
        deliveries[0].rsplit_once(".xml ").unwrap().1.to_owned()
    }
}

fn path(place: &str) -> String {
    let folder = place.replace('*', NAME);
    match folder.split_once('/') {
        Some(("inbox", file)) => format!("{INBOX}/{file}"),
        Some(("done", file)) => format!("{DONE}/{file}"),
        _ => folder.replace("inbox", INBOX).replace("done", DONE),
    }
}

fn short(path: &str) -> String {
    path.replace(INBOX, "inbox")
        .replace(DONE, "done")
        .replace(NAME, "*")
}

fn about(found: Result<FileAttributes, Error>) -> String {
    match found {
        Ok(attributes) if attributes.is_dir() => "a folder".to_owned(),
        Ok(attributes) => format!("{} bytes", attributes.size.unwrap()),
        Err(error) => refused(error),
    }
}

fn status<T>(answer: Result<T, Error>) -> String {
    answer.map_or_else(refused, |_| "ok".to_owned())
}

fn refused(error: Error) -> String {
    format!("{:?}", code(error))
}
