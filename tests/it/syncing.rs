//! Is what is acknowledged on the disk by then, and in which order did it get there?
//!
//! A killed process loses nothing that it has written; a power cut loses what was not synced. So the kernel's own
//! record of the program is read: a blob and its folder are synced before a row names it, and the row before
//! anybody is told.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::gateway::invoice;
use crate::hashes::is_here;
use crate::interop::wait_until;
use crate::peer::Peer;
use crate::program::Program;

/// What the kernel did for the program that concerns durability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// A content got its name among the blobs.
    Named,
    /// A file without a name, which may have become a blob, was synced.
    Content,
    /// A folder of blobs was synced.
    Folder,
    /// A content took the place of the same bytes.
    Replaced,
    /// The log of the catalog was synced.
    Log,
    /// What lay in a drop folder was removed.
    Removed,
}

/// The order in which a document becomes safe.
const SAFE: [Done; 4] = [Done::Named, Done::Content, Done::Folder, Done::Log];

/// Runs the program under `strace`, as a child of ours all the same.
struct Traced {
    program: Program,
    trace: PathBuf,
}

impl Traced {
    fn new() -> Option<Self> {
        let found = std::process::Command::new("strace").arg("-V").output();
        is_here("strace", found.is_ok()).then(|| {
            let program = Program::init();
            let trace = program.path("trace");
            Self { program, trace }
        })
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let own = self.program.command(arguments);
        let mut traced = std::process::Command::new("strace");
        traced
            .args(["-D", "-f", "-y", "-qq", "-o"])
            .arg(&self.trace)
            .args([
                "-e",
                "trace=fsync,fdatasync,linkat,unlink,unlinkat,rename,renameat,renameat2",
            ])
            .arg(own.get_program())
            .args(own.get_args())
            .stdin(std::process::Stdio::null());
        for (name, value) in own.get_envs() {
            traced.env(name, value.unwrap());
        }
        traced
    }

    /// How much is recorded by now.
    fn now(&self) -> usize {
        std::fs::read(&self.trace).map_or(0, |trace| trace.len())
    }

    /// What was done since.
    fn since(&self, from: usize) -> Vec<Done> {
        let trace = std::fs::read(&self.trace).unwrap();
        let lines = String::from_utf8_lossy(&trace[from..]).into_owned();
        done(&lines, &self.program.path("sluis/data"))
    }
}

/// Reads a record. A call that another thread's interrupts is over where it is said to be resumed.
fn done(lines: &str, data: &Path) -> Vec<Done> {
    let mut begun: HashMap<&str, String> = HashMap::new();
    let mut all = Vec::new();
    for line in lines.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        let call = if let Some(call) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, call.to_owned());
            continue;
        } else if rest.starts_with("<... ") {
            let call = begun.remove(thread).unwrap_or_default();
            call + rest.split_once(" resumed>").map_or("", |(_, end)| end)
        } else {
            rest.to_owned()
        };
        if call.ends_with("= 0") {
            all.extend(meaning(&call, data));
        }
    }
    all
}

fn meaning(call: &str, data: &Path) -> Option<Done> {
    let data = data.to_str().unwrap();
    let of = |folder: &str| call.contains(&format!("{data}/{folder}"));
    let is_sync = call.starts_with("fsync(") || call.starts_with("fdatasync(");
    if call.starts_with("rename") {
        return call.contains("/staged/").then_some(Done::Replaced);
    }
    if call.starts_with("linkat(") {
        return Some(Done::Named);
    }
    if call.starts_with("unlink") {
        return of("drop/").then_some(Done::Removed);
    }
    if !is_sync {
        return None;
    }
    if call.contains(">(deleted)") && (of("blobs/") || of("spool/")) {
        Some(Done::Content)
    } else if of("catalog.sqlite-wal>") {
        Some(Done::Log)
    } else {
        // The folders of blobs are called by the first two digits of their digests.
        let folder = call.split_once(&format!("{data}/blobs/"))?.1;
        (folder.find('>') == Some(2)).then_some(Done::Folder)
    }
}

/// Says whether these were done in this order, whatever else was done in between.
fn in_order(all: &[Done], wanted: &[Done]) -> bool {
    let mut all = all.iter();
    wanted.iter().all(|one| all.any(|done| done == one))
}

#[test]
fn a_document_that_is_put_in_is_synced_before_its_close_is_answered() {
    let Some(mut traced) = Traced::new() else {
        return;
    };
    let server = traced.program.device("server", "pull", "ACME");
    let uploads = ["device", "set", "kantoor", "server", "--uploads", "on"];
    traced.program.ok(&uploads);
    let command = traced.command(&["serve"]);
    traced.program.serve_by(command);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let peer = Peer::connect(traced.program.address.unwrap(), &server.login).await;
        // In memory until it is a blob, and in a file of its own.
        for (number, bytes) in [("F-1", 20_000), ("F-2", 400_000)] {
            let document = invoice(number, bytes);
            let from = traced.now();

            peer.put(&format!("/in/{number}.xml"), &document)
                .await
                .unwrap();

            let found = traced.since(from);
            assert!(in_order(&found, &SAFE), "{number}: {found:?}");
        }
    });
    assert_eq!(traced.program.states(), ["offered", "offered"]);
}

#[test]
fn bytes_that_are_here_are_replaced_by_none_that_are_not_safe() {
    let Some(mut traced) = Traced::new() else {
        return;
    };
    let server = traced.program.device("server", "pull", "ACME");
    let uploads = ["device", "set", "kantoor", "server", "--uploads", "on"];
    traced.program.ok(&uploads);
    let command = traced.command(&["serve"]);
    traced.program.serve_by(command);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let peer = Peer::connect(traced.program.address.unwrap(), &server.login).await;
        for bytes in [20_000, 400_000] {
            let document = invoice(&format!("F-{bytes}"), bytes);
            peer.put(&format!("/in/F-{bytes}.xml"), &document)
                .await
                .unwrap();
            let from = traced.now();

            peer.put(&format!("/in/again-{bytes}.xml"), &document)
                .await
                .unwrap();

            let found = traced.since(from);
            let replaced = found.iter().position(|done| *done == Done::Replaced);
            let before = &found[..replaced.unwrap()];
            assert!(before.contains(&Done::Content), "{bytes}: {found:?}");
            assert!(
                found[replaced.unwrap()..].contains(&Done::Folder),
                "{found:?}"
            );
        }
    });
}

#[test]
fn what_is_dropped_is_removed_once_it_is_synced() {
    let Some(mut traced) = Traced::new() else {
        return;
    };
    traced.program.device("server", "pull", "ACME");
    let command = traced.command(&["serve"]);
    traced.program.serve_by(command);
    let folder = traced.program.path("sluis/data/drop/kantoor");
    wait_until(|| folder.is_dir());
    let from = traced.now();
    let dropped = folder.join("F-1.xml");

    std::fs::write(&dropped, invoice("F-1", 20_000)).unwrap();

    // It is gone a moment before the record says so.
    wait_until(|| !dropped.exists() && traced.since(from).contains(&Done::Removed));
    let found = traced.since(from);
    let safe_then_removed = [SAFE.as_slice(), &[Done::Removed]].concat();
    assert!(in_order(&found, &safe_then_removed), "{found:?}");
    let removed = found.iter().position(|done| *done == Done::Removed);
    assert!(in_order(&found[..removed.unwrap()], &SAFE), "{found:?}");
}

#[test]
fn what_is_ingested_is_synced_before_the_command_ends() {
    let Some(traced) = Traced::new() else {
        return;
    };
    traced.program.device("server", "pull", "ACME");
    let folder = traced.program.path("new");
    std::fs::create_dir(&folder).unwrap();
    for at in 0..3 {
        std::fs::write(
            folder.join(format!("{at}.xml")),
            invoice(&format!("F-{at}"), 20_000),
        )
        .unwrap();
    }

    let ingested = traced
        .command(&["ingest", "kantoor", folder.to_str().unwrap()])
        .status()
        .unwrap();

    assert!(ingested.success());
    let found = traced.since(0);
    for one in [Done::Named, Done::Content, Done::Folder] {
        let count = found.iter().filter(|done| **done == one).count();
        assert!(count >= 3, "{one:?}: {found:?}");
    }
    let last = |one| found.iter().rposition(|done| *done == one).unwrap();
    assert!(last(Done::Folder) < last(Done::Log), "{found:?}");
}
