//! What does a session answer to each request that is wrong?

use russh::Channel;
use russh::client::{Handle, Msg};
use sluis::model::{DeviceKind, PATH_BYTES_MAX};
use sluis::sftp::limits::{HANDLE_BYTES_MAX, NAME_BYTES_MAX, PACKET_BYTES_MAX};

use crate::gateway::{Gateway, Login, invoice};
use crate::peer::{Peer, Trusting};
use crate::protocol::INBOX;
use crate::raw::{packet, raw, text, until_the_end};

const INIT: u8 = 1;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const FSTAT: u8 = 8;
const SETSTAT: u8 = 9;
const FSETSTAT: u8 = 10;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const STAT: u8 = 17;
const EXTENDED: u8 = 200;

const STATUS: u8 = 101;
const DATA: u8 = 103;
pub const ATTRS: u8 = 105;

const EOF: u32 = 1;
const MISSING: u32 = 2;
const DENIED: u32 = 3;
const FAILURE: u32 = 4;
const BAD: u32 = 5;
const UNSUPPORTED: u32 = 8;

/// A file of this many bytes waits for the device.
const FILE_BYTES: usize = 2000;

/// A gateway with an honest device that is logged in, and one that is not honest.
struct Scene {
    gateway: Gateway,
    hostile: Login,
    honest: Peer,
    file: String,
}

/// A session whose packets are made by hand.
struct Talk {
    _ssh: Handle<Trusting>,
    channel: Channel<Msg>,
    came: Vec<u8>,
}

impl Scene {
    async fn start() -> Self {
        let gateway = Gateway::start().await;
        let (office, device) = gateway.office_with(DeviceKind::Mount).await;
        gateway.receive(&office, invoice("F-0", FILE_BYTES)).await;
        let honest = gateway.connect(&device).await;
        let file = format!("{INBOX}/{}", honest.list(INBOX).await.unwrap()[0]);
        Self {
            hostile: device.clone(),
            gateway,
            honest,
            file,
        }
    }

    /// A session with INIT done, the file open as `1`, and the root as `2`.
    async fn talk(&self) -> Talk {
        let mut talk = self.silent().await;
        talk.send(&packet(INIT, &3_u32.to_be_bytes())).await;
        assert_eq!(talk.next().await[0], 2);
        talk.send(&open(1, &self.file)).await;
        talk.send(&ask(OPENDIR, 2, &text("/"))).await;
        for handle in ["1", "2"] {
            assert_eq!(talk.next().await[5..], text(handle));
        }
        talk
    }

    /// A session without INIT.
    async fn silent(&self) -> Talk {
        let (ssh, channel) = raw(&self.gateway, &self.hostile).await;
        Talk {
            _ssh: ssh,
            channel,
            came: Vec::new(),
        }
    }

    async fn serves_the_honest(&self) {
        assert_eq!(self.honest.get(&self.file).await.unwrap().len(), FILE_BYTES);
    }
}

impl Talk {
    async fn send(&self, bytes: &[u8]) {
        self.channel.data(bytes).await.unwrap();
    }

    /// The next answer, without its length.
    async fn next(&mut self) -> Vec<u8> {
        loop {
            if let Some(length) = self.came.first_chunk() {
                let end = 4 + usize::try_from(u32::from_be_bytes(*length)).unwrap();
                if self.came.len() >= end {
                    return self.came.drain(..end).skip(4).collect();
                }
            }
            match self.channel.wait().await {
                Some(russh::ChannelMsg::Data { data }) => self.came.extend_from_slice(&data),
                Some(_) => {}
                None => panic!("the session has ended"),
            }
        }
    }

    /// What comes until the end: whole answers, and the exit status.
    async fn rest(&mut self) -> (usize, Option<u32>) {
        let (came, status) = until_the_end(&mut self.channel).await;
        self.came.extend(came);
        (self.came.len(), status)
    }
}

/// A request with its id.
fn ask(kind: u8, id: u32, body: &[u8]) -> Vec<u8> {
    packet(kind, &[&id.to_be_bytes()[..], body].concat())
}

fn open(id: u32, path: &str) -> Vec<u8> {
    let flags = [1_u32, 0].map(u32::to_be_bytes).concat();
    ask(OPEN, id, &[text(path), flags].concat())
}

fn read(handle: &str, offset: u64, length: u32) -> Vec<u8> {
    let place = [&offset.to_be_bytes()[..], &length.to_be_bytes()].concat();
    ask(READ, ID, &[text(handle), place].concat())
}

fn write(handle: &str, offset: u64, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    let rest = [&offset.to_be_bytes()[..], &length, bytes].concat();
    ask(WRITE, ID, &[text(handle), rest].concat())
}

/// An attribute block with these flags and this after them.
fn attributes(flags: u32, rest: &[u8]) -> Vec<u8> {
    [&flags.to_be_bytes()[..], rest].concat()
}

/// The id of each wrong request.
const ID: u32 = 4711;

/// What a wrong request is answered with: a kind of packet, and for a status its code.
pub type Expected = (u8, u32);

fn status(code: u32) -> Expected {
    (STATUS, code)
}

/// Requests that are wrong, and one past each limit; the last ones of each pair are just inside.
#[expect(clippy::too_many_lines, reason = "it is a table")]
pub fn cases(file: &str) -> Vec<(&'static str, Vec<u8>, Expected)> {
    let long = |bytes: usize| format!("/{}", "d/".repeat(bytes / 2)[..bytes - 1].to_owned());
    let name = |bytes: usize| format!("{INBOX}/{}", "n".repeat(bytes));
    let everything = u32::MAX;
    let torn = |kind, body: &[u8]| ask(kind, ID, body);
    vec![
        ("the last byte", read("1", 1999, 10), (DATA, 1)),
        ("past the end", read("1", 2000, 10), status(EOF)),
        ("at 2^63", read("1", 1 << 63, 10), status(EOF)),
        ("at the last offset", read("1", u64::MAX, 10), status(EOF)),
        ("nothing", read("1", 0, 0), status(EOF)),
        ("4 GiB", read("1", 0, everything), (DATA, 2000)),
        ("a folder's bytes", read("2", 0, 10), status(FAILURE)),
        ("a handle of nobody", read("3", 0, 10), status(BAD)),
        ("a forged handle", read("01", 0, 10), status(BAD)),
        ("an empty handle", read("", 0, 10), status(BAD)),
        (
            "a long handle",
            read(&"1".repeat(HANDLE_BYTES_MAX + 1), 0, 10),
            status(BAD),
        ),
        (
            "a handle that is no text",
            torn(READ, &[0, 0, 0, 1, 0xFF, 0, 0, 0]),
            status(BAD),
        ),
        (
            "bytes for a file that is read",
            write("1", 0, b"x"),
            status(DENIED),
        ),
        ("bytes for a folder", write("2", 0, b"x"), status(DENIED)),
        ("bytes for nobody", write("9", 0, b"x"), status(BAD)),
        ("bytes at 2^63", write("1", 1 << 63, b"x"), status(DENIED)),
        ("a close of nobody", ask(CLOSE, ID, &text("9")), status(BAD)),
        ("a stat of nobody", ask(FSTAT, ID, &text("9")), status(BAD)),
        (
            "attributes of nobody",
            ask(FSETSTAT, ID, &[text("9"), attributes(0, b"")].concat()),
            status(BAD),
        ),
        (
            "a listing of a file",
            ask(READDIR, ID, &text("1")),
            status(FAILURE),
        ),
        (
            "a listing of nobody",
            ask(READDIR, ID, &text("9")),
            status(BAD),
        ),
        (
            "a file as a folder",
            ask(OPENDIR, ID, &text(file)),
            status(MISSING),
        ),
        ("no body", packet(STAT, b""), status(BAD)),
        ("half an id", packet(STAT, &[0, 0]), status(BAD)),
        ("no path", torn(STAT, b""), status(BAD)),
        ("half a length", torn(STAT, &[0, 0]), status(BAD)),
        (
            "a string past the packet",
            torn(STAT, &[0, 0, 0, 9, b'/']),
            status(BAD),
        ),
        ("a string of 4 GiB", torn(STAT, &[0xFF; 5]), status(BAD)),
        (
            "a path that is no text",
            torn(STAT, &[0, 0, 0, 2, b'/', 0xFF]),
            status(MISSING),
        ),
        (
            "a path with NUL",
            ask(STAT, ID, &text("/a\0b")),
            status(BAD),
        ),
        (
            "a path with a line feed",
            ask(STAT, ID, &text("/a\nb")),
            status(BAD),
        ),
        (
            "the longest path",
            ask(STAT, ID, &text(&long(PATH_BYTES_MAX))),
            status(MISSING),
        ),
        (
            "a longer path",
            ask(STAT, ID, &text(&long(PATH_BYTES_MAX + 1))),
            status(BAD),
        ),
        (
            "a path above the root",
            ask(STAT, ID, &text(&"../".repeat(1000))),
            (ATTRS, 0),
        ),
        (
            "the longest name",
            ask(STAT, ID, &text(&name(NAME_BYTES_MAX))),
            status(MISSING),
        ),
        (
            "a longer name",
            ask(STAT, ID, &text(&name(NAME_BYTES_MAX + 1))),
            status(MISSING),
        ),
        (
            "attributes that are not there",
            ask(SETSTAT, ID, &[text("/"), attributes(15, b"")].concat()),
            status(BAD),
        ),
        (
            "half of them",
            ask(SETSTAT, ID, &[text("/"), attributes(1, &[0; 4])].concat()),
            status(BAD),
        ),
        (
            "an open with a lie",
            ask(
                OPEN,
                ID,
                &[text(file), attributes(1, b""), attributes(15, b"")].concat(),
            ),
            status(BAD),
        ),
        (
            "READLINK of a file",
            ask(19, ID, &text(file)),
            status(FAILURE),
        ),
        (
            "SYMLINK",
            ask(20, ID, &[text("/a"), text("/b")].concat()),
            status(DENIED),
        ),
        (
            "LINK of version 6",
            ask(21, ID, &[text("/a"), text("/b")].concat()),
            status(UNSUPPORTED),
        ),
        ("VERSION", ask(2, ID, b""), status(UNSUPPORTED)),
        ("STATUS", ask(STATUS, ID, &[0; 16]), status(UNSUPPORTED)),
        (
            "NAME of four thousand million",
            ask(104, ID, &[0xFF; 16]),
            status(UNSUPPORTED),
        ),
        ("EXTENDED_REPLY", ask(201, ID, b""), status(UNSUPPORTED)),
        ("type 0", ask(0, ID, b""), status(UNSUPPORTED)),
        ("type 255", ask(255, ID, b""), status(UNSUPPORTED)),
        (
            "an extension of nobody",
            ask(EXTENDED, ID, &text("no-such@example.org")),
            status(UNSUPPORTED),
        ),
        (
            "an extension without a name",
            ask(EXTENDED, ID, b""),
            status(BAD),
        ),
        (
            "an extension of 4 GiB",
            ask(EXTENDED, ID, &[0xFF; 4]),
            status(BAD),
        ),
        (
            "posix-rename of nothing",
            ask(EXTENDED, ID, &text("posix-rename@openssh.com")),
            status(BAD),
        ),
        (
            "a hash of nothing",
            ask(EXTENDED, ID, &text("check-file-name")),
            status(BAD),
        ),
    ]
}

#[tokio::test]
async fn each_wrong_request_is_answered_and_the_next_one_is_served() {
    let scene = Scene::start().await;
    let mut talk = scene.talk().await;

    let mut wrong = Vec::new();
    for (what, request, expected) in cases(&scene.file) {
        talk.send(&request).await;
        let answer = talk.next().await;
        let number = answer.get(5..9).and_then(|number| number.first_chunk());
        let number = number.map_or(0, |number| u32::from_be_bytes(*number));
        let got = (answer[0], if expected.0 == ATTRS { 0 } else { number });
        let id = if request.len() >= 9 { ID } else { 0 };
        if got != expected || answer[1..5] != id.to_be_bytes() {
            wrong.push((what, got, String::from_utf8_lossy(&answer).into_owned()));
        }

        talk.send(&ask(STAT, 7, &text("/"))).await;
        let answer = talk.next().await;
        assert_eq!(answer[..5], [ATTRS, 0, 0, 0, 7], "after {what}");
    }
    assert_eq!(wrong, []);
    scene.serves_the_honest().await;
}

/// What cannot be framed, sent as the first of a session, and whether INIT in it is answered before the session ends.
pub fn unframed() -> [(&'static str, Vec<u8>, bool); 6] {
    let init = packet(INIT, &3_u32.to_be_bytes());
    let past = u32::try_from(PACKET_BYTES_MAX + 1)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    let whole = u32::try_from(PACKET_BYTES_MAX)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    let smuggled = ask(STAT, ID, &text("/"));
    [
        ("no content", [&init[..], &[0; 4], &smuggled].concat(), true),
        (
            "one byte too large",
            [&init[..], &past, &smuggled].concat(),
            true,
        ),
        ("4 GiB", [&init[..], &[0xFF; 4], &smuggled].concat(), true),
        ("torn", [&init[..], &whole, b"x"].concat(), true),
        ("before INIT", smuggled.clone(), false),
        ("no INIT, and too large", past, false),
    ]
}

#[tokio::test]
async fn what_cannot_be_framed_ends_the_session_and_no_other() {
    let scene = Scene::start().await;
    for (what, sent, answers) in unframed() {
        let mut talk = scene.silent().await;
        talk.send(&sent).await;
        talk.channel.eof().await.unwrap();

        let (bytes, status) = talk.rest().await;

        assert_eq!((bytes > 0, status), (answers, Some(1)), "{what}");
        if answers {
            assert_eq!(talk.next().await[0], 2, "{what}");
            assert_eq!(talk.came, b"", "nothing but the version: {what}");
        }
    }
    scene.serves_the_honest().await;
}

#[tokio::test]
async fn init_again_changes_nothing_of_what_is_open() {
    let scene = Scene::start().await;
    let mut talk = scene.talk().await;

    for version in [0_u32, 2, 3, 6, u32::MAX] {
        talk.send(&packet(INIT, &version.to_be_bytes())).await;
        let answer = talk.next().await;
        assert_eq!(answer[..5], [2, 0, 0, 0, 3], "{version}");
        talk.send(&read("1", 0, 10)).await;
        assert_eq!(talk.next().await[0], DATA, "{version}");
    }
    talk.send(&packet(INIT, b"")).await;
    assert_eq!(talk.next().await[0], 2);
}

#[tokio::test]
async fn handles_are_of_one_session_and_of_one_time() {
    let scene = Scene::start().await;
    let mut mine = scene.talk().await;
    let mut other = scene.silent().await;
    other.send(&packet(INIT, &3_u32.to_be_bytes())).await;
    other.next().await;
    let channel = mine._ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    channel
        .data(&packet(INIT, &3_u32.to_be_bytes())[..])
        .await
        .unwrap();
    channel.data(&read("1", 0, 10)[..]).await.unwrap();
    channel.eof().await.unwrap();

    // Another connection of the device, and another channel of the connection.
    other.send(&read("1", 0, 10)).await;
    assert_eq!(other.next().await[5..9], BAD.to_be_bytes());
    let mut beside = Talk {
        _ssh: mine._ssh,
        channel,
        came: Vec::new(),
    };
    beside.next().await;
    assert_eq!(beside.next().await[5..9], BAD.to_be_bytes());
    // What was closed.
    mine = Talk {
        _ssh: beside._ssh,
        ..mine
    };
    for request in [
        ask(CLOSE, ID, &text("2")),
        ask(READDIR, ID, &text("2")),
        ask(CLOSE, ID, &text("2")),
        ask(OPENDIR, ID, &text("/")),
        ask(READDIR, ID, &text("2")),
    ] {
        mine.send(&request).await;
    }
    let codes = [Some(0), Some(BAD), Some(BAD), None, Some(BAD)];
    for (at, code) in codes.into_iter().enumerate() {
        let answer = mine.next().await;
        let is_status = answer[0] == STATUS;
        let got = is_status.then(|| u32::from_be_bytes(answer[5..9].try_into().unwrap()));
        assert_eq!(got, code, "{at}");
    }
}

#[tokio::test]
async fn ten_thousand_requests_before_anything_is_read_are_answered_in_order_under_their_ids() {
    const REQUESTS: u32 = 10_000;
    let scene = Scene::start().await;
    let mut talk = scene.talk().await;
    // An id may come twice: it is the peer's to tell them apart.
    let id = |at: u32| at / 2;

    let asked: Vec<u8> = (0..REQUESTS)
        .flat_map(|at| ask(STAT, id(at), &text("/")))
        .collect();
    talk.send(&asked).await;

    for at in 0..REQUESTS {
        let answer = talk.next().await;
        assert_eq!(
            (answer[0], &answer[1..5]),
            (ATTRS, &id(at).to_be_bytes()[..])
        );
    }
    scene.serves_the_honest().await;
}
