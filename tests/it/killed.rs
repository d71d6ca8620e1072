//! What is left when the program is killed before any one of its steps?
//!
//! `restarts` kills at random; here a small library that is loaded before the C library (`kill_at.c`) kills
//! before the N-th call that changes a disk or speaks to a socket, for each N until one run gets through: from
//! the outside there is no other moment. Each run begins with the same data. After each: what is there is
//! whole, the events lead to it, and going on from there does everything once.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use sluis::audit;
use sluis::blobs::Blobs;
use sluis::catalog::{Catalog, DeliveryRow, EventRow};
use sluis::model::{EventKind, EventSeq, State};
use tempfile::TempDir;

use crate::gateway::{copy_all, invoice};
use crate::interop::wait_until;
use crate::peer::Peer;
use crate::program::{Device, Program};
use crate::receiver::{Receiver, Seen};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const SIGKILL: i32 = 9;

/// How many documents there are: enough for a step between two of them.
const DOCUMENTS: usize = 2;

/// Fewer steps, and it was not killed at each.
const STEPS_MIN: usize = 8;

#[test]
fn what_is_killed_while_it_takes_documents_in_takes_each_in_once() {
    let (program, _) = office();
    let folder = written(&program);
    let ingest = ["ingest", "kantoor", folder.to_str().unwrap()];

    at_every_step(&program, &ingest, |left| {
        assert_eq!(left.are("offered"), left.deliveries.len());
        program.ok(&ingest);
        let left = check(&program);
        assert_eq!(left.states(), ["offered"; DOCUMENTS]);
        assert_eq!(left.told(EventKind::Kept), DOCUMENTS);
    });
}

#[test]
fn what_is_killed_while_it_sends_by_hand_sends_each_once() {
    let (program, _) = office();
    program.ok(&["link", "set", "kantoor", "ACME", "--transfer", "manual"]);
    program.ingest(&documents());
    let send = ["send", "kantoor", "--all"];
    assert_eq!(check(&program).states(), ["held"; DOCUMENTS]);

    at_every_step(&program, &send, |left| {
        assert_eq!(left.told(EventKind::Offered), left.are("offered"));
        program.ok(&send);
        let left = check(&program);
        assert_eq!(left.states(), ["offered"; DOCUMENTS]);
        assert_eq!(left.told(EventKind::Released), DOCUMENTS);
    });
}

#[test]
fn what_is_killed_while_it_approves_sends_what_was_approved_once() {
    let (mut program, _) = office();
    let folder = written(&program);
    let from = folder.to_str().unwrap();
    program.ok(&["ingest", "kantoor", "--origin", "incoming", from]);
    let approve = ["approve", "kantoor", "--all"];
    let saved = Saved::of(&program);
    assert_eq!(check(&program).states(), ["held"; DOCUMENTS]);
    let mut stranded = 0;

    for step in 1.. {
        saved.put_back(&program);
        let is_through = killed_at(&program, step, &approve);
        let left = check(&program);
        let approved = left.told(EventKind::Approved);
        // What was approved and not sent before the end is sent by whoever runs next, without a word.
        if left.are("offered") < approved {
            stranded += 1;
            program.serve();
            wait_until(|| held(&program) == DOCUMENTS - approved);
            program.kill();
        }
        program.ok(&approve);
        let left = check(&program);
        assert_eq!(
            left.states(),
            ["offered"; DOCUMENTS],
            "{step}: {:?}",
            left.events
        );
        assert_eq!(left.told(EventKind::Approved), DOCUMENTS);
        if is_through {
            return assert!(step > STEPS_MIN && stranded > 0, "{step}, {stranded}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_killed_while_it_sends_again_sends_each_again_once() {
    let (mut program, device) = office();
    program.ingest(&documents());
    program.serve();
    pull(&program, &device).await;
    program.terminate();
    assert_eq!(check(&program).states(), ["collected"; DOCUMENTS]);
    let resend = ["resend", "kantoor", "--dossier", "De Korenaar"];
    let resend = [&resend[..], &["--reason", "lost"]].concat();

    at_every_step(&program, &resend, |left| {
        assert_eq!(left.told(EventKind::Resent), left.are("offered"));
        program.ok(&resend);
        let left = check(&program);
        let both = (left.are("collected"), left.are("offered"));
        assert_eq!(both, (DOCUMENTS, DOCUMENTS));
        assert_eq!(left.told(EventKind::Resent), DOCUMENTS);
    });
}

#[test]
fn a_server_that_is_killed_while_it_sends_what_is_due_sends_each_once() {
    let (mut program, _) = office();
    program.ok(&["link", "set", "kantoor", "ACME", "--transfer", "after=10m"]);
    program.ingest(&documents());
    // The hour has come: ten minutes take too long.
    program.query("update document set received_at = 1000, ready_at = 1000 returning id");
    program.query("update delivery set due_at = 601000 returning id");
    let saved = Saved::of(&program);

    for step in 1.. {
        saved.put_back(&program);
        let mut server = serve_until(&program, step);
        wait_until(|| has_ended(&mut server) || held(&program) == 0);
        let is_through = end(server);
        let left = check(&program);
        assert_eq!(left.told(EventKind::Released), left.are("offered"));
        if left.are("held") > 0 {
            program.serve();
            wait_until(|| held(&program) == 0);
            program.kill();
        }
        let left = check(&program);
        assert_eq!(left.states(), ["offered"; DOCUMENTS]);
        assert_eq!(left.told(EventKind::Released), DOCUMENTS);
        if is_through {
            return assert!(step > STEPS_MIN, "there were {step} steps");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_tells_tells_all_that_happened_and_nothing_else() {
    let (mut program, _) = office();
    let file = program.path("sluis/sluis.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let allow = "[webhooks]\nallow = [\"127.0.0.1\"]\n";
    std::fs::write(&file, format!("{config}\n{allow}")).unwrap();
    let receiver = Receiver::start().await;
    program.ok(&["webhook", "add", "kantoor", &receiver.url()]);
    program.ingest(&documents());
    let saved = Saved::of(&program);

    for step in 1.. {
        saved.put_back(&program);
        let before = receiver.seen().len();
        let mut server = serve_until(&program, step);
        wait_until(|| has_ended(&mut server) || all_told(&program));
        let is_through = end(server);
        check_told(&check(&program), &receiver.seen()[before..]);
        if !all_told(&program) {
            program.serve();
            wait_until(|| all_told(&program));
            program.kill();
        }
        let left = check(&program);
        let told = check_told(&left, &receiver.seen()[before..]);
        let about_documents = left.events.iter();
        let about_documents = about_documents.filter(|row| row.event.document.is_some());
        let all: BTreeSet<_> = about_documents.map(|row| row.seq.0).collect();
        assert_eq!(told, all, "everything is told in the end");
        if is_through {
            return assert!(step > STEPS_MIN, "there were {step} steps");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_a_device_collects_forgets_no_mark_and_makes_none_up() {
    let (mut program, device) = office();
    program.ingest(&documents());
    let saved = Saved::of(&program);

    for step in 1.. {
        saved.put_back(&program);
        let mut server = serve_until(&program, step);
        let address = address_of(&mut server).await;
        let seen = match address {
            Some(address) => pull_from(address, &device).await,
            None => Pulled::default(),
        };
        let is_through = end(server) && seen.is_all;
        let left = check(&program);
        for row in &left.deliveries {
            let name = &row.delivery.offer.as_ref().unwrap().name;
            let is_collected = row.delivery.state == State::Collected;
            let is_acknowledged = seen.acknowledged.contains(name);
            assert!(is_collected || !is_acknowledged, "{name} was acknowledged");
            let is_whole = seen.whole.contains(name);
            assert!(is_whole || !is_collected, "{name} was never whole");
        }
        if left.are("offered") > 0 {
            program.serve();
            pull(&program, &device).await;
            program.kill();
        }
        let left = check(&program);
        assert_eq!(left.states(), ["collected"; DOCUMENTS]);
        assert_eq!(left.told(EventKind::Collected), DOCUMENTS);
        if is_through {
            return assert!(step > STEPS_MIN, "there were {step} steps");
        }
    }
}

/// A firm with a pull device and the link `ACME`.
fn office() -> (Program, Device) {
    let program = Program::init();
    let device = program.device("server", "pull", "ACME");
    (program, device)
}

/// The documents in a folder.
fn written(program: &Program) -> PathBuf {
    let folder = program.path("documents");
    std::fs::create_dir(&folder).unwrap();
    for (at, bytes) in documents().iter().enumerate() {
        std::fs::write(folder.join(format!("{at}.xml")), bytes).unwrap();
    }
    folder
}

fn documents() -> Vec<Vec<u8>> {
    (0..DOCUMENTS)
        .map(|at| invoice(&format!("F-{at}"), 3000))
        .collect()
}

/// Runs a command again and again from where things stand, killed before one step more each time, until it
/// gets through; looks each time at what is left.
fn at_every_step(program: &Program, command: &[&str], look: impl Fn(Left)) {
    let saved = Saved::of(program);
    for step in 1.. {
        saved.put_back(program);
        let is_through = killed_at(program, step, command);
        look(check(program));
        if is_through {
            program.ok(&["fsck", "--deep"]);
            return assert!(step > STEPS_MIN, "there were {step} steps");
        }
    }
}

/// Runs a command; says whether it got through before that step.
fn killed_at(program: &Program, step: usize, command: &[&str]) -> bool {
    let mut run = program.command(command);
    let status = deadly(&mut run, step)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(
        status.success() || status.signal() == Some(SIGKILL),
        "{status}"
    );
    status.success()
}

fn deadly(command: &mut Command, step: usize) -> &mut Command {
    command
        .env("LD_PRELOAD", library())
        .env("SLUIS_KILL_AT", step.to_string())
        .stderr(Stdio::null())
}

/// The library that kills, which any compiler makes that made the program's parts in C.
fn library() -> PathBuf {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let folder = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let source = format!("{}/tests/it/killed/kill_at.c", env!("CARGO_MANIFEST_DIR"));
        let made = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(folder.path().join("kill_at.so"))
            .args([&source, "-ldl"])
            .status();
        assert!(made.unwrap().success(), "a C compiler makes {source}");
        folder
    });
    folder.path().join("kill_at.so")
}

/// Starts a server that is killed before that step.
fn serve_until(program: &Program, step: usize) -> Child {
    let mut serve = program.command(&["serve"]);
    deadly(&mut serve, step)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn has_ended(server: &mut Child) -> bool {
    server.try_wait().unwrap().is_some()
}

/// Kills a server that lives still; says whether it did.
fn end(mut server: Child) -> bool {
    let lives = !has_ended(&mut server);
    server.kill().unwrap();
    let status = server.wait().unwrap();
    assert_eq!(status.signal(), Some(SIGKILL), "{status}");
    lives
}

/// Where a server says that it listens; none if it ends first.
async fn address_of(server: &mut Child) -> Option<std::net::SocketAddr> {
    use std::io::BufRead as _;
    let said = server.stdout.take().unwrap();
    let found = tokio::task::spawn_blocking(move || {
        let mut lines = std::io::BufReader::new(said).lines().map_while(Result::ok);
        lines.find_map(|line| line.strip_prefix("listening on ")?.trim().parse().ok())
    });
    found.await.unwrap()
}

fn held(program: &Program) -> usize {
    let rows = "select count(*) from delivery where state = 'held'";
    usize::try_from(asked(program, rows)).unwrap()
}

/// Whether no event waits to be told.
fn all_told(program: &Program) -> bool {
    let behind = "select count(*) from webhook w join firm f on f.id = w.firm_id
         where w.cursor_seq < f.event_seq";
    asked(program, behind) == 0
}

fn asked(program: &Program, statement: &str) -> i64 {
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| program.query(statement)[0][0]);
        asking.join().unwrap()
    })
}

/// What must hold whenever the program ends: no byte is missing, the events are whole and lead to the tables,
/// no document has no delivery, and no delivery was offered twice.
fn check(program: &Program) -> Left {
    let data = program.path("sluis/data");
    // A runtime cannot wait within another.
    let looking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(look(&data))
    });
    let left = looking.join();
    assert!(left.is_ok(), "what is left is not whole");
    left.unwrap()
}

async fn look(data: &Path) -> Left {
    // At a copy: whoever closes a catalog late removes its log by name, and by then the name may be that of
    // another one, which was put back.
    let copy = tempfile::tempdir().unwrap();
    for name in ["catalog.sqlite", "catalog.sqlite-wal"] {
        let from = data.join(name);
        if from.exists() {
            std::fs::copy(from, copy.path().join(name)).unwrap();
        }
    }
    let catalog = Catalog::open(&copy.path().join("catalog.sqlite"))
        .await
        .unwrap();
    let blobs = Blobs::in_folder(&data.join("blobs")).unwrap();
    for (digest, bytes) in catalog.named_blobs().await.unwrap() {
        let stored = blobs.stored(digest, bytes).await.unwrap();
        assert!(stored.is_some(), "{digest} is not there");
    }
    let firm = catalog.firms().await.unwrap().remove(0);
    let verified = audit::verify(&catalog, firm.id, None).await.unwrap();
    assert_eq!(verified.misfit, None);
    let replayed = audit::replay(&catalog, firm.id).await.unwrap();
    assert_eq!(replayed.differences.named, []);
    let events = catalog.events(firm.id, EventSeq(0), 10_000).await.unwrap();
    let deliveries = catalog.delivery_rows(firm.id, 0, 10_000).await.unwrap();
    let offered: Vec<_> = events
        .iter()
        .filter(|row| row.event.kind == EventKind::Offered)
        .map(|row| row.event.delivery)
        .collect();
    let once: BTreeSet<_> = offered.iter().collect();
    assert_eq!(once.len(), offered.len(), "offered twice: {offered:?}");
    for kept in catalog.document_rows(firm.id, 0, 10_000).await.unwrap() {
        let is_of_it = |row: &DeliveryRow| row.delivery.document == kept.id;
        assert!(deliveries.iter().any(is_of_it), "{} is for nobody", kept.id);
    }
    catalog.close().await;
    Left { events, deliveries }
}

/// What is there after the end.
struct Left {
    events: Vec<EventRow>,
    deliveries: Vec<DeliveryRow>,
}

impl Left {
    fn states(&self) -> Vec<&'static str> {
        let rows = self.deliveries.iter();
        rows.map(|row| row.delivery.state.as_str()).collect()
    }

    /// How many deliveries are in that state.
    fn are(&self, state: &str) -> usize {
        self.states().iter().filter(|one| **one == state).count()
    }

    /// How often this has happened.
    fn told(&self, kind: EventKind) -> usize {
        let events = self.events.iter();
        events.filter(|row| row.event.kind == kind).count()
    }
}

/// What a receiver was told has happened, an id has one body, and those of one document came in order.
fn check_told(left: &Left, seen: &[Seen]) -> BTreeSet<i64> {
    let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
    let mut last = BTreeMap::new();
    let mut told = BTreeSet::new();
    for message in seen {
        let first = bodies.entry(&message.id).or_insert(&message.body);
        assert_eq!(*first, message.body, "an id repeats with another body");
        let seq = message.json()["data"]["seq"].as_i64().unwrap();
        let event = left.events.iter().find(|row| row.seq.0 == seq);
        let hash = message.id.rsplit('_').next().unwrap();
        let happened = event.filter(|row| row.hash.starts_with(hash));
        assert!(
            happened.is_some(),
            "{} is told, and did not happen",
            message.id
        );
        if told.insert(seq) {
            let before = last.insert(happened.unwrap().event.document, seq);
            assert!(before < Some(seq), "an event overtook another");
        }
    }
    told
}

/// What a device saw, which no restart may contradict.
#[derive(Default)]
struct Pulled {
    /// Nobody went before the end.
    is_all: bool,
    whole: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
}

async fn pull(program: &Program, device: &Device) -> Pulled {
    pull_from(program.address.unwrap(), device).await
}

/// Fetches whatever is offered, until the server is gone.
async fn pull_from(address: std::net::SocketAddr, device: &Device) -> Pulled {
    let mut seen = Pulled::default();
    let task = async {
        let peer = Peer::try_connect(address, &device.login).await?;
        for name in peer.list(INBOX).await.ok()? {
            let handle = peer.open(&format!("{INBOX}/{name}")).await.ok()?;
            let bytes = peer.read(&handle, 0, u64::MAX).await.ok()?;
            if bytes.ends_with(b"</Invoice>\n") {
                seen.whole.insert(name.clone());
            }
            peer.close(&handle).await.ok()?;
            seen.acknowledged.insert(name);
        }
        peer.leave().await;
        seen.is_all = true;
        Some(())
    };
    task.await;
    seen
}

/// The data folder as it stood.
struct Saved(TempDir);

impl Saved {
    fn of(program: &Program) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_all(&program.path("sluis/data"), folder.path());
        Self(folder)
    }

    fn put_back(&self, program: &Program) {
        let data = program.path("sluis/data");
        std::fs::remove_dir_all(&data).unwrap();
        std::fs::create_dir(&data).unwrap();
        copy_all(self.0.path(), &data);
    }
}
