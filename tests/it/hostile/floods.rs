//! What does the real program hold while somebody floods it, and afterwards?

mod strangers;
mod wrong;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sluis::sftp::limits::{
    CHANNELS_ASKED_MAX, CHANNELS_DEVICE_MAX, CHANNELS_MAX, CHANNELS_OWN, FOLDERS_MAX, HANDLES_MAX,
    IO_BYTES_MAX, LANES_PER_PROCESSOR, LISTED_FILES_DEVICE_MAX, WAITING_BYTES_DEVICE_MAX,
    WAITING_BYTES_OWN,
};

use super::checks::Waits;
use super::ssh::{self, Ssh};
use crate::gateway::{Login, invoice};
use crate::interop::{MULTIPLY, Over, wait_until};
use crate::peer::Peer;
use crate::program::Program;
use crate::raw::{packet, text};

/// What an allocator keeps back, and what the honest session needs meanwhile, in KiB.
const SLACK_KIB: usize = 48 * 1024;

/// The most that a hostile device may cost at its worst, in KiB: what waits for it on one connection or on several
/// (`WAITING_BYTES_DEVICE_MAX`, in buffers that grow by doubling), and what it has open.
const PEAK_KIB: usize = 256 * 1024;

const LARGE_BYTES: usize = 4_000_000;

/// What `MULTIPLY` makes of one delivery.
const FILES: i64 = 100_000;

/// How long the honest device waits for its file at most, beside whatever floods: so long for a machine that runs other
/// tests meanwhile, once. Mostly it is served before a client gives up: [`Waits::check`].
const PULLED_MAX: Duration = Duration::from_secs(60);

/// The program, with an honest device that pulls a small file all the time, and a hostile one.
struct Scene {
    program: Program,
    hostile: Login,
    /// The large file, as the hostile device names it.
    large: String,
    /// And its folder, of a hundred thousand.
    folder: String,
    /// The small one.
    small: String,
    pulls: Waits,
    stop: Arc<AtomicBool>,
    honest: Option<JoinHandle<()>>,
}

/// What a flood leaves open.
trait Open {
    /// Pulls the plug.
    fn cut(self);
}

impl Open for Ssh {
    fn cut(self) {
        self.cut();
    }
}

impl Open for TcpStream {
    fn cut(self) {
        drop(self.shutdown(Shutdown::Both));
    }
}

/// What the program holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    kib: usize,
    files: usize,
}

impl Scene {
    fn start() -> Self {
        Self::start_with("rekey_bytes = 1073741824", 2)
    }

    /// With this line in its configuration, and so many files in the hostile device's folder.
    fn start_with(line: &str, files: i64) -> Self {
        Self::start_as(line, "", files)
    }

    /// And with these lines at its end.
    fn start_as(line: &str, last: &str, files: i64) -> Self {
        let mut program = Program::init();
        let hostile = program.device("evil", "mount", "EVIL").login;
        let honest = program.device("server", "pull", "ACME").login;
        let config = program.path("sluis/sluis.toml");
        let lines = std::fs::read_to_string(&config).unwrap();
        let lines = lines.replacen("[sftp]\n", &format!("[sftp]\n{line}\n"), 1);
        assert!(lines.contains(line));
        std::fs::write(&config, lines + "\n" + last).unwrap();
        let small = invoice("F-0", 2000);
        program.ingest(&[small.clone(), invoice("F-1", LARGE_BYTES)]);
        let rows = program.json(&["deliveries", "kantoor"]);
        let paths: Vec<_> = rows
            .iter()
            .map(|row| row["path"].as_str().unwrap())
            .collect();
        let path = |code: &str, number: &str| {
            let is_it = |path: &&&str| path.contains(code) && path.contains(number);
            (*paths.iter().find(is_it).unwrap()).to_owned()
        };
        let (file, large) = (path("/ACME/", "_F-0_"), path("/EVIL/", "_F-1_"));
        let theirs = path("/EVIL/", "_F-0_");
        if files > 2 {
            let first = "(select min(id) from delivery where folder_key like '%/evil/%')";
            program.query(&MULTIPLY.replace("(select min(id) from delivery)", first));
        }
        let count = "select count(*) from delivery where folder_key like '%/evil/%'";
        assert_eq!(program.query(count), [[files]]);
        program.serve_weighed();
        let (pulls, stop) = (Waits::default(), Arc::default());
        let address = program.address.unwrap();
        let pulling = pull(
            address,
            honest,
            (file, small),
            pulls.clone(),
            Arc::clone(&stop),
        );
        let scene = Self {
            folder: large.rsplit_once('/').unwrap().0.to_owned(),
            large,
            small: theirs,
            hostile,
            program,
            pulls,
            stop,
            honest: Some(std::thread::spawn(pulling)),
        };
        // Once, so that what is taken only once has been taken.
        let mut first = scene.log_in();
        let channel = first.sftp(u32::MAX, 32768).unwrap();
        first
            .send(&ssh::data(channel, &open_folder(&scene.folder)))
            .unwrap();
        answers(&mut first, 1);
        first.cut();
        scene.serves_the_honest();
        scene
    }

    fn log_in(&self) -> Ssh {
        Ssh::log_in(self.program.address.unwrap(), &self.hostile)
    }

    /// Waits until the honest device has been served three times more.
    fn serves_the_honest(&self) {
        self.serves_the_honest_times(3);
    }

    fn serves_the_honest_times(&self, times: usize) {
        let before = self.pulls.count();
        wait_until(|| {
            let honest = self.honest.as_ref().unwrap();
            assert!(!honest.is_finished(), "the honest device is not served");
            self.pulls.count() >= before + times
        });
    }

    fn held(&self) -> Held {
        let process = format!("/proc/{}", self.program.process());
        let files = std::fs::read_dir(format!("{process}/fd")).unwrap().count();
        let kib = self.status("VmRSS:");
        Held { kib, files }
    }

    fn status(&self, what: &str) -> usize {
        let status = format!("/proc/{}/status", self.program.process());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(what))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Lets somebody flood, and looks while what it leaves open is open, and when it is gone.
    fn withstands<T: Open>(&self, what: &str, flood: impl FnOnce(&Self) -> Vec<T>) {
        let (before, pulled) = (self.held(), self.pulls.count());
        std::fs::write(format!("/proc/{}/clear_refs", self.program.process()), "5").unwrap();

        let open = flood(self);
        self.serves_the_honest();
        let peak = self.status("VmHWM:").saturating_sub(before.kib);
        self.pulls.check(pulled, what);
        open.into_iter().for_each(Open::cut);

        let is_back = |held: Held| held.kib <= before.kib + SLACK_KIB && held.files <= before.files;
        wait_until(|| is_back(self.held()));
        assert!(peak <= PEAK_KIB, "{what}: {peak} KiB more at its peak");
        self.serves_the_honest();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let honest = self.honest.take().unwrap();
        let ended = honest.join();
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

/// Pulls a file again and again in one session, and compares it.
fn pull(
    address: std::net::SocketAddr,
    login: Login,
    (file, expected): (String, Vec<u8>),
    pulls: Waits,
    stop: Arc<AtomicBool>,
) -> impl FnOnce() + Send {
    move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let peer = Peer::connect(address, &login).await;
            while !stop.load(Ordering::SeqCst) {
                let pulled = async {
                    let handle = peer.open(&file).await.unwrap();
                    let bytes = peer.read(&handle, 0, u64::MAX).await.unwrap();
                    assert!(bytes == expected, "the honest device got other bytes");
                    peer.close(&handle).await.unwrap();
                };
                let begun = tokio::time::Instant::now();
                let pulled = tokio::time::timeout(PULLED_MAX, pulled).await;
                assert_eq!(pulled, Ok(()), "the honest device waits");
                pulls.note(begun.elapsed());
            }
        });
    }
}

fn ask(kind: u8, body: &[u8]) -> Vec<u8> {
    packet(kind, &[&7_u32.to_be_bytes()[..], body].concat())
}

fn open(path: &str) -> Vec<u8> {
    ask(
        3,
        &[text(path), [1_u32, 0].map(u32::to_be_bytes).concat()].concat(),
    )
}

fn read_large(handle: &str) -> Vec<u8> {
    let place = [0; 8].into_iter().chain(IO_BYTES_MAX.to_be_bytes());
    ask(5, &[text(handle), place.collect()].concat())
}

fn stat() -> Vec<u8> {
    ask(17, &text("/"))
}

fn open_folder(path: &str) -> Vec<u8> {
    ask(11, &text(path))
}

/// So many packets of SFTP, many in a packet of SSH.
fn many(channel: u32, packet: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> + use<> {
    let together = (32 * 1024 / packet.len()).max(1);
    let pieces = (0..count).step_by(together);
    let packet = packet.to_vec();
    pieces.map(move |at| ssh::data(channel, &packet.repeat(together.min(count - at))))
}

/// The kinds and the first number after the id of so many answers, over all channels together.
fn answers(ssh: &mut Ssh, count: usize) -> Vec<(u8, u32)> {
    let mut came = std::collections::HashMap::<u32, Vec<u8>>::new();
    let mut answers = Vec::new();
    while answers.len() < count {
        let packet = ssh.until(ssh::DATA).unwrap();
        let channel = u32::from_be_bytes(packet[1..5].try_into().unwrap());
        let bytes = came.entry(channel).or_default();
        bytes.extend(&packet[9..]);
        while let Some(length) = bytes.first_chunk() {
            let end = 4 + usize::try_from(u32::from_be_bytes(*length)).unwrap();
            if bytes.len() < end {
                break;
            }
            let answer: Vec<u8> = bytes.drain(..end).collect();
            let number = answer
                .get(9..13)
                .map_or(0, |n| u32::from_be_bytes(n.try_into().unwrap()));
            // VERSION may have been taken while the next channel was opened.
            if answer[4] != 2 {
                answers.push((answer[4], number));
            }
        }
    }
    answers
}

#[test]
fn a_peer_that_takes_no_answers_holds_no_more_than_its_bound() {
    let scene = Scene::start();

    scene.withstands("ten thousand reads in a window that never opens", |scene| {
        let mut ssh = scene.log_in();
        let channel = ssh.sftp(0, 32768).unwrap();
        ssh.send(&ssh::data(channel, &open(&scene.large))).unwrap();
        ssh.send_all(many(channel, &read_large("1"), 10_000))
            .unwrap();
        vec![ssh]
    });
    scene.withstands(
        "ten thousand reads in a window of one byte, in packets of one byte",
        |scene| {
            let mut ssh = scene.log_in();
            let channel = ssh.sftp(1, 1).unwrap();
            ssh.send(&ssh::data(channel, &open(&scene.large))).unwrap();
            ssh.send_all(many(channel, &read_large("1"), 10_000))
                .unwrap();
            vec![ssh]
        },
    );
    scene.withstands("answers in packets of no byte", |scene| {
        let mut ssh = scene.log_in();
        // The library ends such a connection.
        assert!(ssh.sftp(u32::MAX, 0).is_err() || ssh.is_ended());
        vec![ssh]
    });
    scene.withstands("reads of which nothing is taken from the socket", |scene| {
        let mut ssh = scene.log_in();
        let channel = ssh.sftp(u32::MAX, 32768).unwrap();
        ssh.send(&ssh::data(channel, &open(&scene.large))).unwrap();
        ssh.send_all(many(channel, &read_large("1"), 1000)).unwrap();
        vec![ssh]
    });
    scene.withstands(
        "requests on ten channels whose windows never open",
        |scene| {
            let mut ssh = scene.log_in();
            let channels: Vec<_> = (0..CHANNELS_MAX)
                .map(|_| ssh.sftp(0, 32768).unwrap())
                .collect();
            // Whether this fails is the other side's choice: it ends the connection.
            let sent = channels.iter().try_for_each(|channel| {
                ssh.send_all(many(*channel, &stat(), 15_000_000 / stat().len()))
            });
            assert!(sent.is_err() || ssh.is_ended());
            vec![ssh]
        },
    );
    assert!(scene.program.log_says("bytes of requests"));
}

#[test]
fn a_device_that_takes_no_answers_on_any_connection_holds_no_more_than_its_bound() {
    // Less than a connection may have, on three channels of each.
    const EACH_BYTES: usize = 42_000_000;
    let scene = Scene::start();
    // So many connections stay below what the device may have, and one more does not.
    let fitting = WAITING_BYTES_DEVICE_MAX / (EACH_BYTES - WAITING_BYTES_OWN);

    scene.withstands("requests on connections that take no answers", |scene| {
        let fill = || {
            let mut ssh = scene.log_in();
            let channels = [(); 3].map(|()| ssh.sftp(0, 32768).unwrap());
            let sent = channels.iter().try_for_each(|channel| {
                ssh.send_all(many(*channel, &stat(), EACH_BYTES / 3 / stat().len()))
            });
            let taken = sent.and_then(|()| ssh.settle());
            (ssh, taken.is_ok())
        };
        let filled: Vec<_> = (0..fitting).map(|_| fill()).collect();
        assert!(filled.iter().all(|(_, is_taken)| *is_taken));
        let (past, is_taken) = fill();
        assert!(!is_taken, "one past the bound ends");

        // Whoever takes his answers is served beside them, though the device has no more.
        let mut honest = scene.log_in();
        let channel = honest.sftp(u32::MAX, 32768).unwrap();
        honest
            .send(&ssh::data(channel, &open(&scene.large)))
            .unwrap();
        assert_eq!(answers(&mut honest, 1)[0].0, 102);
        honest.send_all(many(channel, &stat(), 20_000)).unwrap();
        answers(&mut honest, 20_000);
        let mut all: Vec<_> = filled.into_iter().map(|(ssh, _)| ssh).collect();
        for ssh in &mut all {
            ssh.settle().unwrap(); // no other ends for it
        }
        all.extend([past, honest]);
        all
    });
    assert_eq!(
        scene.program.log_count("on all connections of its device"),
        1
    );
}

#[test]
fn a_device_that_opens_on_every_connection_holds_no_more_than_its_bound() {
    let scene = Scene::start_with("rekey_seconds = 3600", FILES + 1);
    let files = usize::try_from(FILES).unwrap();

    scene.withstands("large folders on several connections", |scene| {
        let list = |path: &str| {
            let mut ssh = scene.log_in();
            let channel = ssh.sftp(u32::MAX, 32768).unwrap();
            ssh.send(&ssh::data(channel, &open_folder(path))).unwrap();
            let kind = answers(&mut ssh, 1)[0].0;
            (ssh, kind)
        };
        let most = LISTED_FILES_DEVICE_MAX / files;
        let mut open = Vec::new();
        for _ in 0..most {
            let (ssh, kind) = list(&scene.folder);
            assert_eq!(kind, 102);
            open.push(ssh);
        }
        for (path, expected) in [(&scene.folder[..], 101), ("/", 102)] {
            let (ssh, kind) = list(path);
            assert_eq!(kind, expected, "{path}");
            open.push(ssh);
        }
        // Whoever is gone holds nothing any more.
        open.remove(0).cut();
        wait_until(|| {
            let (ssh, kind) = list(&scene.folder);
            ssh.cut();
            kind == 102
        });
        open
    });
    scene.withstands("channels on every connection", |scene| {
        let connections = 2 + CHANNELS_DEVICE_MAX / (CHANNELS_MAX - CHANNELS_OWN);
        let mut opened = 0;
        let mut open = Vec::new();
        for _ in 0..connections {
            let mut ssh = scene.log_in();
            opened += (0..CHANNELS_MAX)
                .filter(|_| ssh.sftp(u32::MAX, 32768).is_ok())
                .count();
            open.push(ssh);
        }
        assert_eq!(opened, CHANNELS_DEVICE_MAX + connections * CHANNELS_OWN);
        open
    });
}

#[test]
fn a_peer_that_lists_without_end_holds_no_more_than_its_bound() {
    let scene = Scene::start_with("rekey_seconds = 3600", FILES + 1);

    scene.withstands("a folder of 100 000 on ten channels at once", |scene| {
        let mut ssh = scene.log_in();
        let channels: Vec<_> = (0..CHANNELS_MAX)
            .map(|_| ssh.sftp(u32::MAX, 32768).unwrap())
            .collect();
        let asked = channels
            .iter()
            .map(|channel| ssh::data(*channel, &open_folder(&scene.folder)));
        ssh.send_all(asked).unwrap();
        let came = answers(&mut ssh, CHANNELS_MAX);
        let listed = came.iter().filter(|(kind, _)| *kind == 102).count();
        assert_eq!(listed, 1, "one after the other, and the first fills it");
        vec![ssh]
    });
    scene.withstands("a flood of listings of a folder of 100 000", |scene| {
        let mut ssh = scene.log_in();
        let channels: Vec<_> = (0..CHANNELS_MAX)
            .map(|_| ssh.sftp(u32::MAX, 32768).unwrap())
            .collect();
        let first = channels[0];
        ssh.send(&ssh::data(first, &open_folder(&scene.folder)))
            .unwrap();
        assert_eq!(answers(&mut ssh, 1)[0].0, 102);
        for channel in &channels {
            let asked = many(*channel, &open_folder(&scene.folder), FOLDERS_MAX - 1);
            ssh.send_all(asked).unwrap();
        }
        let came = answers(&mut ssh, CHANNELS_MAX * (FOLDERS_MAX - 1));
        let listed = came.iter().filter(|(kind, _)| *kind == 102).count();
        assert_eq!(listed, 0, "a listing of that size, and no other beside it");
        ssh.send(&ssh::data(channels[1], &open_folder("/")))
            .unwrap();
        assert_eq!(answers(&mut ssh, 1)[0].0, 102, "but a small one");
        // What was read to its end does not count any more.
        let pages = usize::try_from(FILES).unwrap() / 100 + 3;
        ssh.send_all(many(first, &ask(12, &text("1")), pages))
            .unwrap();
        ssh.send(&ssh::data(first, &open_folder(&scene.folder)))
            .unwrap();
        let came = answers(&mut ssh, pages + 1);
        assert_eq!(came[pages - 1], (101, 1), "its end");
        assert_eq!(came[pages].0, 102, "another as large");
        vec![ssh]
    });
}

#[test]
fn a_peer_that_opens_without_end_holds_no_more_than_its_bound() {
    let scene = Scene::start();

    scene.withstands("thousands of handles", |scene| {
        let mut ssh = scene.log_in();
        let channel = ssh.sftp(u32::MAX, 32768).unwrap();
        ssh.send_all(many(channel, &open(&scene.large), 5000))
            .unwrap();
        let came = answers(&mut ssh, 5000);
        let opened = came.iter().filter(|(kind, _)| *kind == 102).count();
        assert_eq!(opened, HANDLES_MAX);
        vec![ssh]
    });
    scene.withstands("a flood of commands", |scene| {
        let mut ssh = scene.log_in();
        // The server numbers channels as they come, refused ones too.
        let first = ssh.open(u32::MAX, 32768).unwrap();
        let taking = ssh.drain();
        let sent = ssh.send_all((first + 1..).take(CHANNELS_ASKED_MAX + 1000).flat_map(
            |channel| {
                let programs = ["sha256sum /nothing.xml", "reboot"];
                let command = text(programs[usize::from(channel % 2 == 0)]);
                [
                    ssh::channel_open("session", u32::MAX, 32768),
                    ssh::request(channel, "exec", &command),
                ]
            },
        ));
        taking.join().unwrap();
        assert!(sent.is_err() || ssh.is_ended());
        vec![ssh]
    });
    scene.withstands("a flood of channels", |scene| {
        let mut ssh = scene.log_in();
        let taking = ssh.drain();
        let sent =
            ssh.send_all((0..=CHANNELS_ASKED_MAX).map(|_| ssh::channel_open("session", 1, 1)));
        taking.join().unwrap();
        assert!(sent.is_err() || ssh.is_ended());
        vec![ssh]
    });
    assert_eq!(
        scene.program.log_count("it has asked for 10000 channels"),
        2
    );
    assert_eq!(scene.program.log_count("Refused a command of"), 1);
}

#[test]
fn a_peer_that_floods_the_transport_holds_nothing_and_fills_no_log() {
    let scene = Scene::start();
    let filler = string_of(1000);

    for (what, kind) in [
        ("IGNORE", ssh::IGNORE),
        ("DEBUG", ssh::DEBUG),
        ("an unknown message", 199),
    ] {
        scene.withstands(what, |scene| {
            let mut ssh = scene.log_in();
            ssh.send_all((0..20_000).map(|_| [vec![kind], filler.clone()].concat()))
                .unwrap();
            // Answered when all of it was taken.
            ssh.open(0, 32768).unwrap();
            vec![ssh]
        });
    }
    scene.withstands("requests of the connection, and answers to none", |scene| {
        let mut ssh = scene.log_in();
        let channel = ssh.open(0, 32768).unwrap();
        let request = [
            &[ssh::GLOBAL_REQUEST][..],
            &text("no-such@example.org\n"),
            &[1],
        ]
        .concat();
        let refused = vec![ssh::REQUEST_FAILURE];
        let unknown = ssh::request(channel, "no-such\nthing", &[]);
        ssh.send_all((0..5000).flat_map(|_| [request.clone(), refused.clone(), unknown.clone()]))
            .unwrap();
        // Answered when all of it was taken.
        ssh.open(0, 32768).unwrap();
        vec![ssh]
    });
    assert_quiet(&scene);
}

#[test]
fn a_peer_that_begins_keys_or_passes_windows_holds_nothing_and_fills_no_log() {
    let scene = Scene::start();

    scene.withstands("keys, again and again", |scene| {
        let mut ssh = scene.log_in();
        for _ in 0..100 {
            let init = ssh.begin_keys().unwrap();
            ssh.finish_keys(&init).unwrap();
        }
        vec![ssh]
    });
    scene.withstands("keys that are begun and not ended", |scene| {
        let half: Vec<_> = (0..20)
            .map(|_| {
                let mut ssh = scene.log_in();
                ssh.begin_keys().unwrap();
                ssh
            })
            .collect();
        let mut speaks = scene.log_in();
        speaks.begin_keys().unwrap();
        drop(speaks.send(&ssh::channel_open("session", 0, 32768)));
        assert!(speaks.is_ended(), "between the keys nothing else may come");
        half
    });
    scene.withstands(
        "data past the window, and windows past all bounds",
        |scene| {
            let mut ssh = scene.log_in();
            let channel = ssh.sftp(u32::MAX, 32768).unwrap();
            let unused = ssh.open(u32::MAX, 32768).unwrap();
            let grow = |channel: u32| {
                let numbers = [channel, u32::MAX].map(u32::to_be_bytes).concat();
                [vec![ssh::WINDOW_ADJUST], numbers].concat()
            };
            ssh.send_all((0..1000).flat_map(|_| {
                let block = vec![0; 32 * 1024];
                [
                    grow(channel),
                    grow(99),
                    ssh::data(unused, &block),
                    ssh::data(99, &block),
                ]
            }))
            .unwrap();
            // Answered when all of it was taken.
            ssh.open(0, 32768).unwrap();
            vec![ssh]
        },
    );
    assert_quiet(&scene);
}

#[test]
fn a_peer_that_has_not_logged_in_holds_nothing() {
    let scene = Scene::start();

    scene.withstands("half a handshake, forty times", |scene| {
        (0..40)
            .map(|_| Ssh::dial(scene.program.address.unwrap()))
            .collect()
    });
    scene.withstands("versions without an end", |scene| {
        for line in [
            vec![b'x'; 1 << 20],
            b"x\r\n".repeat(1 << 18),
            b"SSH-2.0-".repeat(1 << 16),
        ] {
            let mut stream = TcpStream::connect(scene.program.address.unwrap()).unwrap();
            // It may be gone before all of it is sent.
            drop(stream.write_all(&line));
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest));
            assert!(rest.len() < 1000);
        }
        Vec::<Ssh>::new()
    });
    scene.withstands(
        "packets that are too large, before and after the keys",
        |scene| {
            let mut early = TcpStream::connect(scene.program.address.unwrap()).unwrap();
            early.write_all(b"SSH-2.0-x\r\n\xFF\xFF\xFF\xFF").unwrap();
            drop(early.read_to_end(&mut Vec::new()));
            let mut late = scene.log_in();
            let sent = late.send(&[&[ssh::IGNORE][..], &string_of(1 << 20)].concat());
            assert!(sent.is_err() || late.is_ended());
            Vec::<Ssh>::new()
        },
    );
}

#[test]
fn channels_that_are_asked_for_while_the_server_waits_for_keys_are_counted() {
    let scene = Scene::start_with("rekey_bytes = 65536", 2);

    scene.withstands("channels between two keys", |scene| {
        let mut ssh = scene.log_in();
        let taking = ssh.drain();
        // Past this the server asks for new keys, and gets none.
        ssh.send_all((0..5).map(|_| [vec![199], string_of(30_000)].concat()))
            .unwrap();
        let kinds = ["session", "x11", "direct-tcpip"];
        let sent = ssh.send_all((0..40_000).map(|at| {
            let rest = [text("a"), vec![0; 4], text("b"), vec![0; 4]].concat();
            let kind = kinds[at % 3];
            let rest = match kind {
                "session" => &[][..],
                "x11" => &rest[..9],
                _ => &rest,
            };
            [&ssh::channel_open(kind, 0, 32768)[..], rest].concat()
        }));
        taking.join().unwrap();
        assert!(sent.is_err() || ssh.is_ended());
        vec![ssh]
    });
}

#[test]
fn a_greedy_session_leaves_turns_to_another_on_its_own_connection_and_on_others() {
    const READS: usize = 400;
    const BYTES: usize = 255 * 1024;
    const TURNS: usize = 10;
    let scene = Scene::start();
    // One for each thread that serves connections, so that none is without one.
    let lanes = LANES_PER_PROCESSOR * std::thread::available_parallelism().unwrap().get();
    let have_had_enough = AtomicBool::new(false);

    std::thread::scope(|scope| {
        let _enough = Over(&have_had_enough);
        for _ in 0..lanes {
            let mut ssh = scene.log_in();
            let greedy = ssh.sftp(u32::MAX, 32768).unwrap();
            let modest = ssh.sftp(u32::MAX, 32768).unwrap();
            ssh.send(&ssh::data(greedy, &open(&scene.large))).unwrap();
            ssh.send_all(many(greedy, &read_large("1"), READS)).unwrap();
            let have_had_enough = &have_had_enough;
            scope.spawn(move || {
                // Packets of the greedy channel, and answers of the modest one, as they come.
                let (mut turns, mut reads, mut bytes) = (0, READS, 0);
                while bytes < reads * BYTES {
                    let packet = ssh.until(ssh::DATA).unwrap();
                    // Our own numbers: the greedy channel came first.
                    if packet[1..5] == [0; 4] {
                        bytes += packet.len() - 9;
                        // There is always more to give it, for as long as the others wait for their turns.
                        if bytes + READS / 2 * BYTES > reads * BYTES
                            && !have_had_enough.load(Ordering::SeqCst)
                        {
                            ssh.send_all(many(greedy, &read_large("1"), READS / 2))
                                .unwrap();
                            reads += READS / 2;
                        }
                    } else {
                        turns += 1;
                        ssh.send(&ssh::data(modest, &stat())).unwrap();
                    }
                }
                assert!(turns >= TURNS, "{turns} turns beside {reads} reads");
                ssh.cut();
            });
        }
        scene.serves_the_honest_times(TURNS);
    });
}

fn string_of(bytes: usize) -> Vec<u8> {
    ssh::string(&vec![b'x'; bytes])
}

/// The log has nothing of what a peer asks in vain, and how often.
fn assert_quiet(scene: &Scene) {
    for line in ["no-such", "re-key", "unknown"] {
        assert!(!scene.program.log_says(line), "the log tells of `{line}`");
    }
}
