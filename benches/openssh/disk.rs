//! Are documents taken in as fast as the disk alone would write them?

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::content::invoice;
use crate::measure::median;
use crate::peers::{Rig, Side, text};

const COUNT: usize = 10_000;
const BYTES: usize = 20_000;

/// Takes the same documents in from a folder, from the drop folder, and by loops that write, sync and rename
/// each, in turns. What is acknowledged here is durable under its name, so a second loop syncs the folder too,
/// without which a name may be lost. The drop folder removes what it took; so does a third loop, for some disks
/// take longer to free a file than to write one.
pub fn run(rounds: usize) {
    let mut found: [Vec<f64>; 5] = Default::default();
    for round in 0..rounds {
        let rig = Rig::start();
        let folder = rig.path("dropped");
        write_all(&folder, &format!("R{round}"));
        found[4].push(timed(|| {
            plain_loop(&folder, &rig.path("bare"), Loop::default());
        }));
        let syncs = Loop {
            syncs_names: true,
            ..Loop::default()
        };
        found[0].push(timed(|| plain_loop(&folder, &rig.path("plain"), syncs)));
        found[1].push(timed(|| {
            rig.cli(&["ingest", "bench", text(&folder)]);
        }));
        let taken = rig.count("select count(*) from delivery where state = 'offered'");
        assert_eq!(usize::try_from(taken).unwrap(), COUNT);
        drop(rig);
        let rig = Rig::start();
        let folder = rig.path("dropped");
        write_all(&folder, &format!("M{round}"));
        found[2].push(timed(|| {
            plain_loop(
                &folder,
                &rig.path("plain"),
                Loop {
                    syncs_names: true,
                    removes: true,
                },
            );
        }));
        drop(rig);
        found[3].push(drop_folder(round));
        eprintln!(
            "ingest {round}: bare loop {:.2} s, loop that syncs names {:.2} s, ingest {:.2} s; loop that removes {:.2} s, drop folder {:.2} s",
            found[4][round], found[0][round], found[1][round], found[2][round], found[3][round]
        );
    }
    let [plain, ingest, removing, dropped, bare] = found.map(median);
    println!(
        "| ingest, {COUNT} of 20 KB: documents a second over those of a loop that writes, syncs and renames | `sluis ingest` {:.2}; {:.2} if the loop syncs names | drop folder, the loop syncs names and removes {:.2}; to the bare loop {:.2} |",
        bare / ingest,
        plain / ingest,
        removing / dropped,
        bare / dropped
    );
    eprintln!(
        "medians: bare loop {bare:.2} s, loop {plain:.2} s, ingest {ingest:.2} s; loop that removes {removing:.2} s, drop folder {dropped:.2} s"
    );
}

/// What was just written is not to be paid for by whoever syncs first, so it is synced.
fn write_all(folder: &Path, run: &str) {
    std::fs::create_dir(folder).unwrap();
    for at in 0..COUNT {
        let document = invoice(&format!("{run}-{at:06}"), BYTES);
        std::fs::write(folder.join(format!("{at:06}.xml")), document).unwrap();
    }
    std::process::Command::new("sync").status().unwrap();
}

fn drop_folder(round: usize) -> f64 {
    let mut rig = Rig::start();
    let root = rig.path("sluis/data/drop/bench");
    rig.serve(Side::Sluis);
    let until = Instant::now() + Duration::from_secs(10);
    while !root.exists() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let staged = rig.path("staged");
    write_all(&staged, &format!("D{round}"));
    let start = Instant::now();
    for at in 0..COUNT {
        let name = format!("{at:06}.xml");
        std::fs::rename(staged.join(&name), root.join(&name)).unwrap();
    }
    let expected = i64::try_from(COUNT).unwrap();
    while rig.count("select count(*) from delivery where state = 'offered'") < expected {
        assert!(
            start.elapsed() < Duration::from_secs(300),
            "the drop folder is stuck"
        );
        std::thread::sleep(Duration::from_millis(250));
    }
    start.elapsed().as_secs_f64()
}

/// What a loop does beside writing, syncing and renaming.
#[derive(Clone, Copy, Default)]
struct Loop {
    syncs_names: bool,
    removes: bool,
}

fn plain_loop(from: &Path, to: &Path, does: Loop) {
    std::fs::create_dir(to).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(from)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    let folder = File::open(to).unwrap();
    for name in names {
        let bytes = std::fs::read(from.join(&name)).unwrap();
        let temporary = to.join("temporary");
        let mut file = File::create(&temporary).unwrap();
        file.write_all(&bytes).unwrap();
        file.sync_all().unwrap();
        std::fs::rename(&temporary, to.join(&name)).unwrap();
        if does.syncs_names {
            folder.sync_all().unwrap();
        }
        if does.removes {
            std::fs::remove_file(from.join(&name)).unwrap();
        }
    }
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
