//! What do clients get that cannot run here, if they send what is known of them?
//!
//! A transcript says where its knowledge is from. A line is a request and what is answered; requests
//! with `&` between them are sent together, before one of them is answered. The last line says what the
//! delivery became when the session had ended. `inbox` and `done` are the two folders, `in` is that of
//! uploads, `*` is the document's name.

use std::cell::RefCell;
use std::collections::HashMap;

use futures_util::future::join_all;
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, Handle, OpenFlags, Packet, StatusCode};
use sluis::model::{DeviceKind, Digest};

use crate::gateway::{Gateway, Login, Office, invoice, until};
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
    winscp_lists_a_folder: "winscp-list.txt",
    winscp_fetches_and_closes_while_it_is_being_answered: "winscp-get.txt",
    winscp_fetches_and_deletes: "winscp-get-delete.txt",
    winscp_goes_on_fetching: "winscp-reget.txt",
    winscp_copies_a_large_file_under_a_temporary_name: "winscp-filepart.txt",
    winscp_copies_a_large_file_over_itself: "winscp-filepart-over.txt",
    winscp_copies_a_small_file_under_its_own_name: "winscp-small.txt",
    winscp_copies_a_small_file_over_itself: "winscp-small-over.txt",
    winscp_puts_a_file_over_a_document: "winscp-put-over.txt",
    winscp_goes_on_putting: "winscp-reput.txt",
    winscp_puts_a_large_file_again: "winscp-put-again.txt",
    winscp_says_the_size_when_it_opens: "winscp-6.5-size.txt",
    a_program_that_finds_nothing_is_not_told_that_it_may_not: "winscp-missing.txt",
    the_putty_family_reads_far_past_the_end: "putty-past-the-end.txt",
    filezilla_reads_four_megabytes_of_a_small_file: "filezilla-past-the-end.txt",
    a_client_that_reads_the_end_first_has_not_collected_by_it: "end-first.txt",
    a_drive_of_sshfs_is_peeked_at: "sshfs-peek.txt",
    an_importer_copies_and_removes_on_a_drive_of_sshfs_win: "sshfs-win-importer.txt",
    somebody_moves_on_a_drive_of_sshfs_win: "sshfs-win-move.txt",
    a_file_is_made_before_it_is_written_on_a_drive_of_sshfs_win: "sshfs-win-touch-put.txt",
    somebody_removes_on_a_drive_of_sshfs_win: "sshfs-win-remove.txt",
    a_drive_of_mountain_duck_is_peeked_at: "mountain-duck-peek.txt",
    mountain_duck_makes_a_file_before_it_writes_it: "mountain-duck-touch-put.txt",
    mountain_duck_makes_a_file_among_the_uploads: "mountain-duck-touch-in.txt",
    mountain_duck_writes_over_what_is_there: "mountain-duck-replace.txt",
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
    let mut last = "";
    for line in lines {
        let (asked, answered) = line.split_once(" -> ").unwrap();
        assert_eq!(actor.is_answered(asked).await, answered, "to `{asked}`");
        last = asked;
    }
    assert!(
        actor.peer.is_none() && last == "state",
        "a transcript ends with what the delivery became, when the session has ended"
    );
}

/// Who sends a transcript.
struct Actor {
    gateway: Gateway,
    office: Office,
    device: Login,
    document: Vec<u8>,
    /// The document is not there before it is put in.
    uploads: bool,
    peer: Option<Peer>,
    handles: RefCell<HashMap<String, String>>,
}

impl Actor {
    async fn new(kind: &str, bytes: usize) -> Self {
        let gateway = Gateway::start().await;
        let waiting = match kind {
            "mount" => DeviceKind::Mount,
            "pull" | "source" => DeviceKind::Pull,
            _ => panic!("`{kind}` is no kind of device"),
        };
        let (office, mut device) = gateway.office_with(waiting).await;
        let document = invoice("F-0017", bytes);
        let uploads = kind == "source";
        if uploads {
            device = gateway.device(&office, "scanner", DeviceKind::Source).await;
        } else {
            gateway.receive(&office, document.clone()).await;
        }
        let peer = Some(gateway.connect(&device).await);
        Self {
            gateway,
            office,
            device,
            document,
            uploads,
            peer,
            handles: RefCell::default(),
        }
    }

    async fn is_answered(&mut self, asked: &str) -> String {
        let requests: Vec<Vec<_>> = asked
            .split(" & ")
            .map(|request| request.split(' ').collect())
            .collect();
        match &requests[..] {
            [request] => self.does(request).await,
            // Each is sent when it is first looked at, which is in this order.
            together => {
                let asking = together.iter().map(|request| self.asks(request));
                join_all(asking).await.join(" & ")
            }
        }
    }

    async fn does(&mut self, words: &[&str]) -> String {
        match *words {
            ["connect"] => self.peer = Some(self.gateway.connect(&self.device).await),
            ["leave"] => self.peer.take().unwrap().leave().await,
            ["hang-up"] => {
                self.peer.take().unwrap().hang_up();
                self.until_broken().await;
            }
            ["state"] => return self.state().await,
            _ => return self.asks(words).await,
        }
        "done".to_owned()
    }

    /// One request.
    async fn asks(&self, words: &[&str]) -> String {
        let sftp = self.sftp();
        let handle = |name| self.handle(name);
        let times = FileAttributes {
            atime: Some(1),
            mtime: Some(1),
            ..FileAttributes::empty()
        };
        match *words {
            ["read", name, offset, length, times] => {
                let (length, times) = (length.parse().unwrap(), times[1..].parse().unwrap());
                self.read(name, number(offset), length, times).await
            }
            ["write", name, length, ref part @ ..] => {
                let length = length.parse().unwrap();
                self.write(name, length, part.first().unwrap_or(&"0.."))
                    .await
            }
            ["open", name, place, ref words @ ..] => {
                let (flags, attributes) = opening(words);
                self.opened(name, sftp.open(path(place), flags, attributes).await)
            }
            ["opendir", name, place] => self.opened(name, sftp.opendir(path(place)).await),
            ["readdir", name] => match sftp.readdir(handle(name)).await {
                Ok(page) => {
                    let names = page.files.iter().map(|file| short(&file.filename));
                    names.collect::<Vec<_>>().join(", ")
                }
                Err(error) => refused(error),
            },
            ["realpath", place] => match sftp.realpath(path(place)).await {
                Ok(name) => short(&name.files[0].filename),
                Err(error) => refused(error),
            },
            ["stat", place] => about(sftp.stat(path(place)).await.map(|about| about.attrs)),
            ["lstat", place] => about(sftp.lstat(path(place)).await.map(|about| about.attrs)),
            ["fstat", name] => about(sftp.fstat(handle(name)).await.map(|about| about.attrs)),
            ["setstat", place] => status(sftp.setstat(path(place), times).await),
            ["close", name] => status(sftp.close(handle(name)).await),
            ["remove", place] => status(sftp.remove(path(place)).await),
            ["rename", from, to] => status(sftp.rename(path(from), path(to)).await),
            ["posix-rename", from, to] => {
                let names = [from, to].map(|place| string(&path(place))).concat();
                self.extended("posix-rename@openssh.com", names).await
            }
            ["statvfs", place] => {
                let place = string(&path(place));
                self.extended("statvfs@openssh.com", place).await
            }
            _ => panic!("`{words:?}` is no request"),
        }
    }

    async fn extended(&self, request: &str, sent: Vec<u8>) -> String {
        match self.sftp().extended(request, sent).await {
            Ok(Packet::ExtendedReply(_)) => "told".to_owned(),
            Ok(Packet::Status(status)) if status.status_code == StatusCode::Ok => "ok".to_owned(),
            Ok(Packet::Status(status)) => format!("{:?}", status.status_code),
            Ok(other) => panic!("{other:?}"),
            Err(error) => refused(error),
        }
    }

    fn handle(&self, name: &str) -> String {
        self.handles.borrow()[name].clone()
    }

    fn sftp(&self) -> &RawSftpSession {
        &self.peer.as_ref().unwrap().sftp
    }

    /// Waits until the server has noticed that nobody is there any more.
    async fn until_broken(&self) {
        if !self.uploads {
            wait_for_broken_read(&self.gateway, &self.office).await;
            self.gateway.pass_ms(1);
            return;
        }
        // What a session is writing is seen by no other.
        let other = self.gateway.connect(&self.device).await;
        let is_ours = |name: &String| name.starts_with(NAME);
        until(async || other.list("/in").await.unwrap().iter().any(is_ours)).await;
        other.leave().await;
    }

    fn opened(&self, name: &str, opened: Result<Handle, Error>) -> String {
        match opened {
            Ok(handle) => {
                let mut handles = self.handles.borrow_mut();
                handles.insert(name.to_owned(), handle.handle);
                "handle".to_owned()
            }
            Err(error) => refused(error),
        }
    }

    /// So many reads, all of them asked before one is answered.
    async fn read(&self, handle: &str, offset: u64, length: u32, times: u64) -> String {
        let handle = &self.handle(handle);
        let reads = (0..times).map(|at| {
            let from = offset + at * u64::from(length);
            async move {
                let read = self.sftp().read(handle, from, length);
                (from, read.await)
            }
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

    /// Writes a part of the document in blocks of this length, all of them sent before one is answered.
    async fn write(&self, handle: &str, length: usize, part: &str) -> String {
        let handle = &self.handle(handle);
        let (from, to) = part.split_once("..").unwrap();
        let from = from.parse().unwrap();
        let to = to.parse().unwrap_or(self.document.len());
        let blocks = self.document[from..to].chunks(length).enumerate();
        let writes = blocks.map(|(at, block)| {
            let offset = (from + at * length) as u64;
            self.sftp().write(handle, offset, block.to_vec())
        });
        let answers = join_all(writes).await.into_iter().map(status);
        let taken = answers.filter(|answer| answer == "ok").count();
        format!("{taken} ok")
    }

    /// What the delivery became, without its path.
    async fn state(&self) -> String {
        let deliveries = self.gateway.deliveries(&self.office).await;
        let [delivery] = &deliveries[..] else {
            assert!(deliveries.is_empty(), "{deliveries:?}");
            return "nothing".to_owned();
        };
        let digest = Digest::of(&self.document);
        let kept = self.gateway.house.blobs.whole(digest).await.unwrap();
        assert!(kept == self.document, "what was put in is not whole");
        delivery.rsplit_once(".xml ").unwrap().1.to_owned()
    }
}

/// What an OPEN says after the path.
fn opening(words: &[&str]) -> (OpenFlags, FileAttributes) {
    let mut attributes = FileAttributes::empty();
    let mut flags = OpenFlags::empty();
    for word in words {
        match word.split_once('=') {
            Some(("size", size)) => attributes.size = Some(number(size)),
            Some(("mode", mode)) => {
                attributes.permissions = Some(u32::from_str_radix(mode, 8).unwrap());
            }
            _ => flags |= flag(word),
        }
    }
    (flags, attributes)
}

fn flag(word: &str) -> OpenFlags {
    match word {
        "read" => OpenFlags::READ,
        "write" => OpenFlags::WRITE,
        "append" => OpenFlags::APPEND,
        "create" => OpenFlags::CREATE,
        "truncate" => OpenFlags::TRUNCATE,
        "excl" => OpenFlags::EXCLUDE,
        _ => panic!("`{word}` is no flag"),
    }
}

/// A string as it is sent.
fn string(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap();
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn number(word: &str) -> u64 {
    word.parse().unwrap()
}

fn path(place: &str) -> String {
    let (folder, file) = place.split_once('/').unwrap_or((place, ""));
    let at = match folder {
        "inbox" => INBOX,
        "done" => DONE,
        "in" => "/in",
        _ => return place.to_owned(),
    };
    if file.is_empty() {
        return at.to_owned();
    }
    format!("{at}/{}", file.replace('*', NAME))
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
