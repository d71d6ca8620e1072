//! What must hold of the program after anything came in?

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use sluis::model::{Digest, steers};

use super::documents::{Becomes, Hostile};
use crate::gateway::invoice;
use crate::interop::wait_until;
use crate::peer::Peer;
use crate::program::{Device, Program};

/// By how many MiB the table may make the program grow: some times its largest document, of 11 MB, and a
/// batch of the drop folder. What expands would take gigabytes.
pub const GROWTH_MIB_MAX: u64 = 320;

/// How long whoever is served beside the table waits for a listing at most: so long for a machine that runs other tests
/// meanwhile, once. Mostly it is served before a client gives up: [`Waits::check`].
const LISTED_MAX: Duration = Duration::from_secs(60);

/// What a client waits for an answer before it gives up, as many do.
const GIVES_UP: Duration = Duration::from_secs(10);

/// What the program may have more of, in MiB, when the table has gone through. Seen was 8, with an allocator that gives
/// back at once. The documents of the table are 42 together, and what is read of them is more.
const SLACK_MIB: u64 = 24;

/// A dossier that is in no document of the table.
const ELSEWHERE: &str = "0830112241";

/// What is made by nobody, unless something in the table was run.
const TRACE: &str = "/tmp/sluis-was-here";

/// The program with one link, and a port of this machine at which nobody may knock.
pub struct Scene {
    pub program: Program,
    pub device: Device,
    door: TcpListener,
}

impl Scene {
    pub fn new() -> Self {
        let program = Program::init();
        let device = program.device("server", "pull", "ACME");
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        door.set_nonblocking(true).unwrap();
        assert!(
            !Path::new(TRACE).exists(),
            "{TRACE} is there before anything ran"
        );
        Self {
            program,
            device,
            door,
        }
    }

    /// The table, with this scene's port in it.
    pub fn documents(&self) -> Vec<Hostile> {
        super::documents::all(self.door.local_addr().unwrap().port())
    }

    /// Adds lines to the configuration.
    pub fn configure(&self, lines: &str) {
        let file = self.program.path("sluis/sluis.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}\n{lines}")).unwrap();
    }

    /// Asserts that each document of the table is kept, and became what the table says.
    pub fn check_kept(&self, table: &[Hostile]) {
        let rows = self.program.json(&["documents", "kantoor"]);
        let kept: BTreeMap<&str, &Value> = rows
            .iter()
            .map(|row| (row["digest"].as_str().unwrap(), row))
            .collect();
        let deliveries = self.program.json(&["deliveries", "kantoor"]);
        for hostile in table {
            let name = &hostile.name;
            let digest = Digest::of(&hostile.bytes).to_string();
            let row = kept.get(digest.as_str());
            let row = row.unwrap_or_else(|| panic!("`{name}` was thrown away"));
            let is_quarantined = row["outcome"] == "quarantined";
            let quarantined = row["reason"].as_str().filter(|_| is_quarantined);
            let own: Vec<_> = deliveries
                .iter()
                .filter(|one| one["document"] == row["id"])
                .collect();
            match hostile.becomes {
                Becomes::Unreadable(why) => {
                    let told =
                        quarantined.unwrap_or_else(|| panic!("`{name}` is not in quarantine"));
                    assert!(told.contains(why), "`{name}`: {told}");
                    assert_eq!(own.len(), 0, "`{name}` is offered");
                }
                Becomes::Held | Becomes::Offered => {
                    assert_eq!(quarantined, None, "`{name}`");
                    assert_eq!(own.len(), 1, "`{name}`");
                    let state = match hostile.becomes {
                        Becomes::Offered => "offered",
                        _ => "held",
                    };
                    assert_eq!(own[0]["state"], state, "`{name}`: {}", own[0]);
                }
            }
        }
        self.check_names(&deliveries);
    }

    /// Asserts that whatever is offered has a plain name in its place.
    fn check_names(&self, deliveries: &[Value]) {
        for one in deliveries {
            let Some(path) = one["path"].as_str() else {
                continue;
            };
            let name = path.strip_prefix("/expertm/ACME/Te Verwerken/Aankopen/");
            let name = name.unwrap_or_else(|| panic!("`{path}` is elsewhere"));
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            assert!(
                name.chars().all(plain) && name.ends_with(".xml"),
                "`{name}`"
            );
            let (day, _) = name.split_once('-').unwrap();
            assert!(day.bytes().all(|byte| byte.is_ascii_digit()), "`{name}`");
            assert!(name.len() <= 80, "`{name}`");
        }
    }

    /// Asserts that an honest document is offered right behind the others.
    pub fn check_honest(&self, number: &str) {
        let rows = self.program.json(&["deliveries", "kantoor"]);
        let own = rows.iter().find(|row| row["number"] == number);
        let own = own.unwrap_or_else(|| panic!("{number} did not come in"));
        assert_eq!(own["state"], "offered", "{own}");
    }

    /// Asserts what holds whatever came: the books are whole, nothing was followed or run, and nothing that
    /// the program prints steers a terminal or breaks its lines.
    pub fn check_all(&self) {
        self.program.ok(&["fsck", "--deep"]);
        self.program.ok(&["events", "verify", "kantoor"]);
        self.program.ok(&["events", "replay", "kantoor"]);
        assert!(self.door.accept().is_err(), "somebody knocked");
        assert!(!Path::new(TRACE).exists(), "something was run");
        self.check_printed();
        self.check_log();
    }

    fn check_printed(&self) {
        let mut commands: Vec<Vec<String>> = Vec::new();
        for line in [
            "documents kantoor",
            "deliveries kantoor",
            "events kantoor",
            "status",
            "status kantoor",
            "receipt kantoor",
            "export kantoor",
        ] {
            commands.push(line.split(' ').map(str::to_owned).collect());
        }
        // Those told of most words.
        let rows = self.program.json(&["documents", "kantoor"]);
        for row in rows.iter().step_by(rows.len().div_ceil(8).max(1)) {
            let id = row["id"].to_string();
            commands.push(["explain", "kantoor", &id].map(str::to_owned).to_vec());
        }
        for command in commands {
            for more in [&[][..], &["--json"]] {
                let arguments: Vec<&str> = command
                    .iter()
                    .map(String::as_str)
                    .chain(more.iter().copied())
                    .collect();
                let output = self.program.run(&arguments);
                // A file says exactly what there is, and this one goes into a file.
                if arguments != ["export", "kantoor"] {
                    check_text(&arguments, &output.stdout);
                }
                check_text(&arguments, &output.stderr);
                if !more.is_empty() {
                    for line in String::from_utf8(output.stdout).unwrap().lines() {
                        serde_json::from_str::<Value>(line).unwrap();
                    }
                }
            }
        }
    }

    /// Each line of the log begins as one does: with a time.
    fn check_log(&self) {
        for line in self.program.log().lines() {
            let begins = line.as_bytes().iter().take(4).all(u8::is_ascii_digit);
            assert!(begins && line.contains("Z "), "{line:?}");
            assert!(!line.contains(steers), "{line:?}");
        }
    }
}

/// How long somebody waited for each thing that he asked for. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<Vec<Duration>>>);

impl Waits {
    pub fn note(&self, wait: Duration) {
        self.0.lock().unwrap().push(wait);
    }

    /// How many things he has got.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Asserts that one half of what he got, after so many, came before a client gives up.
    pub fn check(&self, after: usize, what: &str) {
        let mut waits = self.0.lock().unwrap()[after..].to_vec();
        waits.sort();
        let median = waits[waits.len() / 2];
        assert!(median < GIVES_UP, "{what}: {median:?} of {waits:?}");
    }
}

/// Another device, which lists its folder again and again as long as this lives, and the memory that the server had
/// before.
pub struct Beside {
    process: u32,
    before: u64,
    lists: Waits,
    stop: Arc<AtomicBool>,
    listing: Option<JoinHandle<()>>,
}

impl Beside {
    /// Begins to list, with a device and a dossier of its own, at a scene's server.
    pub fn begin(scene: &Scene) -> Self {
        let program = &scene.program;
        let name = ["--name", "Elders", "--id", ELSEWHERE];
        program.ok(&[&["dossier", "add", "kantoor"], &name[..]].concat());
        let login = program.device_of("beside", "pull").login;
        program.link(ELSEWHERE, "BESIDE", "beside");
        let address = program.address.unwrap();
        let (lists, stop) = (Waits::default(), Arc::<AtomicBool>::default());
        let (noted, stopped) = (lists.clone(), Arc::clone(&stop));
        let listing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let peer = Peer::connect(address, &login).await;
                while !stopped.load(Ordering::SeqCst) {
                    let begun = tokio::time::Instant::now();
                    let listed = peer.list("/expertm/BESIDE/Te Verwerken/Aankopen");
                    let listed = tokio::time::timeout(LISTED_MAX, listed).await;
                    assert_eq!(listed, Ok(Ok(Vec::new())), "it waits, or is refused");
                    noted.note(begun.elapsed());
                }
            });
        });
        let mut beside = Self {
            process: program.process(),
            before: 0,
            lists,
            stop,
            listing: Some(listing),
        };
        // So that what is taken only once has been taken.
        beside.is_served();
        beside.before = resident_mib(beside.process);
        beside
    }

    /// Waits until it has been answered three times more.
    fn is_served(&self) {
        let before = self.lists.count();
        wait_until(|| {
            assert!(
                !self.listing.as_ref().unwrap().is_finished(),
                "it is not served"
            );
            self.lists.count() >= before + 3
        });
    }

    /// Asserts that it was answered all along and is still, and that memory comes back to where it was.
    pub fn check(mut self) {
        self.is_served();
        self.lists.check(0, "beside the table");
        let bound = self.before + SLACK_MIB;
        wait_until(|| resident_mib(self.process) <= bound);
        self.stop.store(true, Ordering::SeqCst);
        self.listing.take().unwrap().join().unwrap();
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Asserts that nothing in it steers who shows it.
pub fn check_text(what: &[&str], bytes: &[u8]) {
    let text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| panic!("{what:?} is no text"));
    let steered = text.lines().find(|line| line.contains(steers));
    assert_eq!(steered, None, "{what:?}");
}

/// An honest document of this number.
pub fn honest(number: &str) -> Vec<u8> {
    invoice(number, 2000)
}

/// The most memory that a process has had, in MiB.
pub fn peak_mib(process: u32) -> u64 {
    mib(process, "VmHWM:")
}

/// The memory that a process has, in MiB.
fn resident_mib(process: u32) -> u64 {
    mib(process, "VmRSS:")
}

fn mib(process: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib = line.unwrap().trim().trim_end_matches(" kB").parse::<u64>();
    kib.unwrap() / 1024
}
