//! What does a server cost: time, processor and memory?

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one run of a work cost.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Seconds until the client was done.
    pub wall: f64,
    /// Seconds of processor of the server and all it started.
    pub cpu: f64,
    /// Seconds of processor of the clients, which no server can make less of.
    pub client: f64,
    /// The most memory that the server's processes had at a time, in KiB, each page they share counted in part.
    pub memory: u64,
}

/// Medians of one side over those of the other.
pub struct Ratio {
    ours: Measured,
    theirs: Measured,
}

impl Ratio {
    pub fn of(ours: &[Measured], theirs: &[Measured]) -> Self {
        Self {
            ours: medians(ours),
            theirs: medians(theirs),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "KiB fit")]
impl fmt::Display for Ratio {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (a, b) = (&self.ours, &self.theirs);
        let show = |m: &Measured| {
            format!(
                "{:.2} s, {:.2} s, {:.2} s, {:.0} MiB",
                m.wall,
                m.cpu,
                m.client,
                m.memory as f64 / 1024.0
            )
        };
        write!(
            out,
            "{:.2} | {:.2} | {:.2} | {} | {}",
            a.wall / b.wall,
            a.cpu / b.cpu.max(0.01),
            a.memory as f64 / b.memory.max(1) as f64,
            show(a),
            show(b)
        )
    }
}

fn medians(all: &[Measured]) -> Measured {
    Measured {
        wall: median(all.iter().map(|m| m.wall).collect()),
        cpu: median(all.iter().map(|m| m.cpu).collect()),
        client: median(all.iter().map(|m| m.client).collect()),
        memory: {
            let mut found: Vec<_> = all.iter().map(|m| m.memory).collect();
            found.sort_unstable();
            found[found.len() / 2]
        },
    }
}

pub fn median(mut found: Vec<f64>) -> f64 {
    found.sort_by(f64::total_cmp);
    found[found.len() / 2]
}

/// Measures `work` with the server whose first process is `pid`.
pub fn measure(pid: u32, work: impl FnOnce()) -> Measured {
    let before = (cpu(pid), clients());
    let (done, peak) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let watching = std::thread::spawn({
        let (done, peak) = (Arc::clone(&done), Arc::clone(&peak));
        move || {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(memory(pid), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    let start = Instant::now();
    work();
    let wall = start.elapsed().as_secs_f64();
    peak.fetch_max(memory(pid), Ordering::Relaxed);
    done.store(true, Ordering::Relaxed);
    watching.join().unwrap();
    settle(pid);
    Measured {
        wall,
        cpu: cpu(pid) - before.0,
        client: clients() - before.1,
        memory: peak.load(Ordering::Relaxed),
    }
}

/// Waits until the sessions' processes are gone, so that their time is counted in the first's.
fn settle(pid: u32) {
    let until = Instant::now() + Duration::from_secs(10);
    while family(pid).len() > 1 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Seconds of processor of a process and of all its children that have ended (proc(5): stat, fields 14 to 17).
fn cpu(pid: u32) -> f64 {
    ticks(&pid.to_string(), 11..15)
}

/// The same of what this process has started and seen end: the servers go on until all is measured.
fn clients() -> f64 {
    ticks("self", 13..15)
}

fn ticks(process: &str, fields: Range<usize>) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let all: Vec<_> = rest.split_whitespace().collect();
    let ticks: f64 = all[fields]
        .iter()
        .map(|field| field.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

/// A process and all that descend from it.
pub fn family(pid: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Some(child) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        if let Some(parent) = rest.split_whitespace().nth(1).and_then(|n| n.parse().ok()) {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(next) = found.get(at) {
        found.extend(children.get(next).into_iter().flatten().copied());
        at += 1;
    }
    found
}

/// The proportional set size of a process and its descendants, in KiB (proc(5): `smaps_rollup`).
pub fn memory(pid: u32) -> u64 {
    family(pid)
        .iter()
        .filter_map(|pid| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let line = text.lines().find(|line| line.starts_with("Pss:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .sum()
}
