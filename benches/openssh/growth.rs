//! Does a catalog that has grown make a session slower?

use std::time::Instant;

use crate::measure::{median, memory};
use crate::peers::{INBOX, Rig, Side};
use crate::sessions::{Session, runtime};
use crate::works::copies;

/// Deliveries in the catalog.
const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

/// How many files the small folder holds, which is looked at.
const LOOKED_AT: usize = 200;

/// A server with a catalog of one size, and microseconds of each act, a figure a round.
struct Grown {
    size: usize,
    rig: Rig,
    started: f64,
    rest: u64,
    acts: [Vec<f64>; 4],
}

/// Looks at the same small folder beside more and more deliveries of the same device. The sizes take turns, for a
/// machine that is slower a minute later would tell of growth that is none.
pub fn run(rounds: usize) {
    let mut grown = SIZES.map(Grown::start);
    for _ in 0..rounds {
        for one in &mut grown {
            one.measure();
        }
    }
    println!(
        "| deliveries | listing | stat | open | mark | start, s | memory at rest, MiB |\n|---|---|---|---|---|---|---|"
    );
    let first = grown[0].acts.clone().map(median);
    for one in grown {
        let acts = one.acts.map(median);
        let [list, stat, open, mark] = std::array::from_fn(|at| acts[at] / first[at]);
        println!(
            "| {} | {list:.2} | {stat:.2} | {open:.2} | {mark:.2} | {:.2} | {} |",
            one.size,
            one.started,
            one.rest / 1024
        );
    }
}

impl Grown {
    fn start(size: usize) -> Self {
        let mut rig = Rig::start();
        rig.fill(LOOKED_AT, 20_000);
        // The rest stands in another folder of the same device and link.
        rig.change(copies(size - LOOKED_AT + 1).replace(
            "select * from delivery order by id limit 1",
            "select *, replace(folder, 'Aankopen', 'Archief') as f2 from delivery order by id limit 1",
        ).replace("folder, folder_key, digest, bytes, created_at, offered_at, replace", "replace(folder, 'Aankopen', 'Archief'), replace(folder_key, 'aankopen', 'archief'), digest, bytes, created_at, offered_at, replace"));
        let start = Instant::now();
        rig.serve(Side::Sluis);
        let started = start.elapsed().as_secs_f64();
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let rest = memory(rig.pid(Side::Sluis));
        Self {
            size,
            rig,
            started,
            rest,
            acts: Default::default(),
        }
    }

    fn measure(&mut self) {
        let costs = acts(&self.rig);
        for (all, one) in self.acts.iter_mut().zip(costs) {
            all.push(one);
        }
        let [list, stat, open, mark] = costs;
        eprintln!(
            "{}: list {list:.0} µs, stat {stat:.0} µs, open {open:.0} µs, mark {mark:.0} µs",
            self.size
        );
        self.rig.cli(&[
            "resend",
            "bench",
            "--dossier",
            crate::content::BUYER,
            "--reason",
            "once more",
        ]);
    }
}

/// Microseconds of one listing, and of one stat, open, and close with its mark.
fn acts(rig: &Rig) -> [f64; 4] {
    let names = rig.names();
    runtime().block_on(async {
        let session =
            Session::open(rig.address(Side::Sluis), &rig.user(Side::Sluis), &rig.key).await;
        let sftp = &session.sftp;
        let per = |start: Instant, count: usize| {
            start.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap())
        };
        let start = Instant::now();
        for _ in 0..20 {
            let folder = sftp.opendir(INBOX).await.unwrap().handle;
            while sftp.readdir(&folder).await.is_ok() {}
            sftp.close(folder).await.unwrap();
        }
        let list = per(start, 20);
        let (mut stat, mut open, mut mark) = (0.0, 0.0, 0.0);
        for name in &names {
            let path = format!("{INBOX}/{name}");
            let start = Instant::now();
            sftp.stat(&path).await.unwrap();
            stat += per(start, names.len());
            let start = Instant::now();
            let flags = russh_sftp::protocol::OpenFlags::READ;
            let file = sftp
                .open(&path, flags, russh_sftp::protocol::FileAttributes::empty())
                .await
                .unwrap()
                .handle;
            open += per(start, names.len());
            sftp.read(&file, 0, 100_000).await.unwrap();
            let start = Instant::now();
            sftp.close(file).await.unwrap();
            mark += per(start, names.len());
        }
        session.leave().await;
        [list, stat, open, mark]
    })
}
