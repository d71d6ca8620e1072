//! What is left after everything has happened together?
//!
//! Acts are drawn at random, some at a time, against the real program: devices that pull, that are cut, that put
//! documents in, documents that are dropped or ingested, devices that mean harm, and kills of the server in the
//! middle of all that. At the end every promise is looked at. The seed is printed; `SLUIS_SOAK_SEED` gives it back,
//! and `SLUIS_SOAK_SECONDS` has it go on for longer than the ordinary run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::gateway::{Login, invoice};
use crate::hostile::ssh::{self, Ssh};
use crate::interop::wait_until;
use crate::peer::Peer;
use crate::program::Program;
use crate::raw::{packet, text};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";

/// How long it goes on in the ordinary run.
const SECONDS: u64 = 20;

/// Acts at the same time.
const TOGETHER: usize = 4;

/// How often each of what the honest device does must have succeeded at the end.
const DONE_MIN: usize = 3;

/// How often somebody connects who means harm, before he has enough.
const KNOCKS: usize = 100;

/// Rounds at least in which nobody is killed: by then each act that must succeed has come.
const QUIET_ROUNDS_MIN: usize = 12;

/// What the program may hold more than at the beginning, in KiB: what it remembers, and what an allocator keeps.
const SLACK_KIB: usize = 64 * 1024;

/// What devices and producers know, which the server may not contradict.
#[derive(Default)]
struct Known {
    /// Files that came whole to a device.
    whole: BTreeSet<String>,
    /// Files whose CLOSE was answered after that.
    acknowledged: BTreeSet<String>,
    /// Numbers of documents that were taken with an OK, or lie in the drop folder.
    given: BTreeSet<String>,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// A device fetches some files and leaves, or hangs up.
    Pull { files: usize, hangs_up: bool },
    /// A device is cut in the middle of a file.
    Cut,
    /// A device puts a document in.
    Put { bytes: usize },
    /// A device is cut while it does.
    PutHalf,
    /// A producer drops a document.
    Drop,
    /// An operator ingests one.
    Ingest,
    /// Somebody means harm.
    Harm(Harm),
}

/// What somebody does who means harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    /// Connects, many times, and says little.
    Knock,
    /// Asks for everything and takes nothing.
    Greedy,
    /// Opens without end.
    Open,
    /// Sends what cannot be framed.
    Torn,
    /// Begins keys, and does not end them.
    Keys,
}

/// All of it. Each is done once before chance decides, so that no run goes without one.
const HARMS: [Harm; 5] = [
    Harm::Knock,
    Harm::Greedy,
    Harm::Open,
    Harm::Torn,
    Harm::Keys,
];

/// How some acts happen together.
#[derive(Debug, Clone, Copy)]
enum Round {
    /// Only peaceful ones, and the server is killed in the middle.
    Deadly,
    /// Any, and perhaps one that is due.
    Quiet(Option<Harm>),
}

/// The world: the program, two devices, and what is known.
struct World {
    program: Program,
    device: Login,
    hostile: Login,
    known: Mutex<Known>,
    numbers: AtomicUsize,
    acts: AtomicUsize,
    /// The server is killed now and then: what a device wants may fail.
    is_deadly: AtomicBool,
    /// Devices that were let in.
    connects: AtomicUsize,
    /// Documents that were put in with an OK.
    puts: AtomicUsize,
    /// How often each harm was done to its end.
    harms: Mutex<BTreeMap<Harm, usize>>,
}

/// A sequence that a seed gives (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap() % most
    }

    /// An act; only peaceful ones while the server may be killed, for the others must be answered.
    fn act(&mut self, is_peaceful: bool) -> Act {
        match self.below(if is_peaceful { 9 } else { 14 }) {
            0..=2 => Act::Pull {
                files: 1 + self.below(8),
                hangs_up: self.below(2) == 0,
            },
            3 => Act::Cut,
            4 | 5 => Act::Put {
                bytes: 2000 + self.below(400_000),
            },
            6 => Act::PutHalf,
            7 => Act::Drop,
            8 => Act::Ingest,
            drawn => Act::Harm(HARMS[drawn - 9]),
        }
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long it goes on is said beside the command"
)]
fn whatever_happens_together_leaves_every_promise_kept() {
    let asked = |name, otherwise| {
        std::env::var(name).map_or(otherwise, |text: String| text.parse().unwrap())
    };
    let (seed, seconds) = (
        asked("SLUIS_SOAK_SEED", 1),
        asked("SLUIS_SOAK_SECONDS", SECONDS),
    );
    println!("SLUIS_SOAK_SEED={seed} SLUIS_SOAK_SECONDS={seconds}");
    let mut random = Random(seed.max(1));
    let mut world = World::start();
    let begun = Instant::now();
    let kills_until = Duration::from_secs(seconds / 2);

    while begun.elapsed() < kills_until {
        world.round(&mut random, Round::Deadly);
        world.restart(&mut random);
    }
    world.is_deadly.store(false, Ordering::SeqCst);
    // What is taken only once has been taken after this, and each device waits for nothing.
    world.round(&mut random, Round::Quiet(None));
    world.settle();
    let before = world.held();
    let (mut rounds, mut due) = (0, HARMS.into_iter());
    while begun.elapsed() < Duration::from_secs(seconds) || rounds < QUIET_ROUNDS_MIN {
        world.round(&mut random, Round::Quiet(due.next()));
        rounds += 1;
    }
    world.settle();
    wait_until(|| {
        let now = world.held();
        now.0 <= before.0 + SLACK_KIB && now.1 <= before.1
    });
    println!(
        "{} acts, of harm {:?}; held before and after, in KiB and files: {before:?}, {:?}",
        world.acts.load(Ordering::SeqCst),
        world.harms.lock().unwrap(),
        world.held()
    );
    assert_eq!(world.program.terminate(), Some(0));
    assert!(world.program.has_no_session());
    world.check();
    world.check_done();
}

/// Connects many times, and says little: nothing, half a handshake, or all of one.
fn knock(address: SocketAddr) {
    for nth in 0..KNOCKS {
        let stream = TcpStream::connect(address).unwrap();
        match nth % 10 {
            0 => Ssh::over(stream).cut(),
            1..5 => Ssh::greet(stream).cut(),
            _ => {}
        }
    }
}

impl World {
    fn start() -> Self {
        let mut program = Program::init();
        let device = program.device("server", "pull", "ACME").login;
        program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
        let hostile = program.device("evil", "mount", "EVIL").login;
        program.serve();
        Self {
            program,
            device,
            hostile,
            known: Mutex::default(),
            numbers: AtomicUsize::new(0),
            acts: AtomicUsize::new(0),
            is_deadly: AtomicBool::new(true),
            connects: AtomicUsize::new(0),
            puts: AtomicUsize::new(0),
            harms: Mutex::default(),
        }
    }

    /// Has some acts happen together.
    fn round(&self, random: &mut Random, round: Round) {
        let ends_in_a_kill = matches!(round, Round::Deadly);
        let mut acts: Vec<_> = (0..TOGETHER).map(|_| random.act(ends_in_a_kill)).collect();
        if let Round::Quiet(Some(due)) = round {
            acts[0] = Act::Harm(due);
        }
        let until = random.below(2 * TOGETHER);
        let address = self.program.address.unwrap();
        let (program, world) = (&self.program, self);
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for act in acts {
                let done = &done;
                scope.spawn(move || {
                    world.perform(act, address, done);
                    done.fetch_add(1, Ordering::SeqCst);
                    world.acts.fetch_add(1, Ordering::SeqCst);
                });
            }
            if ends_in_a_kill {
                // Acts tell of their steps, too: so it is killed in the middle of some.
                wait_until(|| done.load(Ordering::SeqCst) >= until.min(TOGETHER));
                program.signal("KILL");
            }
        });
    }

    fn restart(&mut self, random: &mut Random) {
        self.program.kill();
        if random.below(4) == 0 {
            self.check();
        }
        self.program.serve();
    }

    fn perform(&self, act: Act, address: SocketAddr, done: &AtomicUsize) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        match act {
            Act::Pull { files, hangs_up } => {
                let pulled = runtime.block_on(self.pull(address, files, hangs_up, done));
                self.succeeded(act, pulled);
            }
            Act::Cut => self.succeeded(act, runtime.block_on(self.cut(address))),
            Act::Put { bytes } => self.succeeded(act, runtime.block_on(self.put(address, bytes))),
            Act::PutHalf => self.succeeded(act, runtime.block_on(self.put_half(address))),
            Act::Drop => self.drop_one(),
            Act::Ingest => self.ingest(),
            Act::Harm(harm) => self.harm(harm, address),
        }
    }

    fn harm(&self, harm: Harm, address: SocketAddr) {
        match harm {
            Harm::Knock => knock(address),
            Harm::Greedy => self.greedy(address),
            Harm::Open => self.open(address),
            Harm::Torn => self.torn(address),
            Harm::Keys => {
                let mut ssh = self.enemy(address);
                ssh.begin_keys().unwrap();
                ssh.cut();
            }
        }
        *self.harms.lock().unwrap().entry(harm).or_default() += 1;
    }

    /// What an honest device does fails only when the server is killed.
    fn succeeded(&self, act: Act, done: Option<()>) {
        let may_fail = self.is_deadly.load(Ordering::SeqCst);
        assert!(may_fail || done.is_some(), "{act:?} failed");
    }

    async fn connect(&self, address: SocketAddr) -> Option<Peer> {
        let peer = Peer::try_connect(address, &self.device).await?;
        self.connects.fetch_add(1, Ordering::SeqCst);
        Some(peer)
    }

    fn number(&self, from: &str) -> String {
        format!("{from}-{}", self.numbers.fetch_add(1, Ordering::SeqCst))
    }

    /// Fetches some files from the end of the list, as far as the server lets it.
    async fn pull(
        &self,
        address: SocketAddr,
        files: usize,
        hangs_up: bool,
        done: &AtomicUsize,
    ) -> Option<()> {
        let peer = self.connect(address).await?;
        let names = peer.list(INBOX).await.ok()?;
        for name in names.into_iter().rev().take(files) {
            let Ok(handle) = peer.open(&format!("{INBOX}/{name}")).await else {
                continue; // somebody else has collected it
            };
            let bytes = peer.read(&handle, 0, u64::MAX).await.ok()?;
            assert!(bytes.ends_with(b"</Invoice>\n"), "{name} is not whole");
            self.known.lock().unwrap().whole.insert(name.clone());
            done.fetch_add(1, Ordering::SeqCst);
            peer.close(&handle).await.ok()?;
            self.known.lock().unwrap().acknowledged.insert(name);
        }
        if hangs_up {
            peer.hang_up();
        } else {
            peer.leave().await;
        }
        Some(())
    }

    async fn cut(&self, address: SocketAddr) -> Option<()> {
        let peer = self.connect(address).await?;
        let names = peer.list(INBOX).await.ok()?;
        // Perhaps there is none, or somebody else has collected it.
        if let Some(name) = names.first()
            && let Ok(handle) = peer.open(&format!("{INBOX}/{name}")).await
        {
            peer.read(&handle, 0, 100).await.ok()?;
        }
        peer.hang_up();
        Some(())
    }

    async fn put(&self, address: SocketAddr, bytes: usize) -> Option<()> {
        let number = self.number("U");
        let peer = self.connect(address).await?;
        let document = invoice(&number, bytes);
        peer.put(&format!("/in/{number}.xml"), &document)
            .await
            .ok()?;
        self.known.lock().unwrap().given.insert(number);
        self.puts.fetch_add(1, Ordering::SeqCst);
        peer.leave().await;
        Some(())
    }

    async fn put_half(&self, address: SocketAddr) -> Option<()> {
        let number = self.number("H");
        let peer = self.connect(address).await?;
        let path = format!("/in/{number}.xml");
        let handle = crate::uploading::open(&peer, &path, crate::uploading::CREATE)
            .await
            .ok()?;
        let document = invoice(&number, 100_000);
        let writing = crate::uploading::write(&peer, &handle, 0, &document[..30_000]);
        writing.await.ok()?;
        peer.hang_up();
        Some(())
    }

    fn drop_one(&self) {
        let number = self.number("D");
        let folder = self.program.path("sluis/data/drop/kantoor");
        let (part, whole) = (format!("{number}.xml.part"), format!("{number}.xml"));
        std::fs::write(folder.join(&part), invoice(&number, 3000)).unwrap();
        std::fs::rename(folder.join(part), folder.join(whole)).unwrap();
        self.known.lock().unwrap().given.insert(number);
    }

    fn ingest(&self) {
        let number = self.number("I");
        let folder = self.program.path(&number);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("one.xml"), invoice(&number, 3000)).unwrap();
        self.program
            .ok(&["ingest", "kantoor", folder.to_str().unwrap()]);
        self.known.lock().unwrap().given.insert(number);
    }

    fn enemy(&self, address: SocketAddr) -> Ssh {
        Ssh::log_in(address, &self.hostile)
    }

    fn greedy(&self, address: SocketAddr) {
        let mut ssh = self.enemy(address);
        let channel = ssh.sftp(0, 32768).unwrap();
        let stat = packet(17, &[&7_u32.to_be_bytes()[..], &text("/")].concat());
        let asked = stat.repeat(1000);
        let asked = asked.chunks(32_000).map(|piece| ssh::data(channel, piece));
        ssh.send_all(asked).unwrap();
        ssh.open(0, 1).unwrap();
        ssh.cut();
    }

    fn open(&self, address: SocketAddr) {
        let mut ssh = self.enemy(address);
        let folder = packet(
            11,
            &[
                &7_u32.to_be_bytes()[..],
                &text("/expertm/EVIL/Te Verwerken/Aankopen"),
            ]
            .concat(),
        );
        for _ in 0..3 {
            let channel = ssh.sftp(u32::MAX, 32768).unwrap();
            ssh.send(&ssh::data(channel, &folder.repeat(100))).unwrap();
        }
        ssh.send_all((0..200).map(|_| ssh::channel_open("session", 0, 1)))
            .unwrap();
        ssh.send_all((0..200).map(|_| ssh::channel_open("direct-tcpip", 0, 1)))
            .unwrap_or(());
        drop(ssh.until(92));
        ssh.cut();
    }

    fn torn(&self, address: SocketAddr) {
        let mut ssh = self.enemy(address);
        let channel = ssh.sftp(u32::MAX, 32768).unwrap();
        ssh.send(&ssh::data(channel, &[0xFF; 100])).unwrap();
        ssh.until(ssh::CLOSE).unwrap();
        ssh.cut();
    }

    /// Waits until every session has ended, and what was dropped is taken.
    fn settle(&self) {
        let folder = self.program.path("sluis/data/drop/kantoor");
        wait_until(|| {
            let files = std::fs::read_dir(&folder).unwrap().map(Result::unwrap);
            let waits = files.filter(|file| file.file_type().unwrap().is_file());
            waits.count() == 0 && self.program.has_no_session()
        });
    }

    /// What the server holds: memory in KiB, and open files.
    fn held(&self) -> (usize, usize) {
        let process = format!("/proc/{}", self.program.process());
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kib = line.trim().trim_end_matches(" kB").parse().unwrap();
        (
            kib,
            std::fs::read_dir(format!("{process}/fd")).unwrap().count(),
        )
    }

    /// A server that refuses everything keeps every promise, and so does one to whom nobody does harm.
    fn check_done(&self) {
        let known = self.known.lock().unwrap();
        let done = [
            ("let in", self.connects.load(Ordering::SeqCst)),
            ("put in", self.puts.load(Ordering::SeqCst)),
            ("whole", known.whole.len()),
            ("acknowledged", known.acknowledged.len()),
        ];
        for (what, times) in done {
            assert!(times >= DONE_MIN, "{what}: {times} times");
        }
        let harms = self.harms.lock().unwrap();
        for harm in HARMS {
            assert!(harms.contains_key(&harm), "nobody did {harm:?}");
        }
    }

    /// What must hold at every moment at which nobody serves; at the end nothing is left in the drop folder.
    fn check(&self) {
        self.program.ok(&["fsck", "--deep"]);
        self.program.ok(&["events", "verify"]);
        self.program.ok(&["events", "replay"]);
        let known = self.known.lock().unwrap();
        let rows = self.program.json(&["deliveries", "kantoor"]);
        let mut numbers = BTreeSet::new();
        for row in &rows {
            let (path, state) = (
                row["path"].as_str().unwrap(),
                row["state"].as_str().unwrap(),
            );
            let name = path.rsplit('/').next().unwrap();
            numbers.insert(name.split('_').nth(1).unwrap().to_owned());
            let is_collected = state == "collected";
            assert!(is_collected || state == "offered", "{name} is {state}");
            if path.starts_with(INBOX) {
                assert!(
                    !is_collected || known.whole.contains(name),
                    "{name} was never whole"
                );
                assert!(
                    is_collected || !known.acknowledged.contains(name),
                    "{name} is forgotten"
                );
            } else {
                assert!(!is_collected, "nobody has fetched {name}");
            }
        }
        let dropped = std::fs::read_dir(self.program.path("sluis/data/drop/kantoor")).unwrap();
        let waiting: BTreeSet<_> = dropped
            .map(|file| {
                file.unwrap()
                    .file_name()
                    .to_string_lossy()
                    .replace(".xml", "")
            })
            .collect();
        for number in &known.given {
            let is_here = numbers.contains(number) || waiting.contains(number);
            assert!(is_here, "{number} is lost");
        }
    }
}
