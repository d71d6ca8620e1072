//! Is Sluis quicker than a directory behind OpenSSH's `sshd`?
//!
//! `cargo bench --bench openssh` runs both on loopback, in turns, with the same clients and the same
//! content, and prints ratios of medians. Sluis is measured as it is: tree, catalog and marks, and after
//! every pull it is checked that each delivery was collected. `docs/performance.md` says how to read it.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark ends where something is amiss"
)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints what it finds"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock itself"
)]
#![expect(unreachable_pub, reason = "a benchmark has no outside")]

mod clients;
mod content;
mod disk;
mod distance;
mod growth;
mod measure;
mod peers;
mod sessions;
mod works;

use measure::{Measured, Ratio};
use peers::{Rig, Side};
use works::Work;

/// How often each work is done on each side, unless told otherwise.
const ROUNDS: usize = 5;

/// What the command line asks for: works whose names contain one of the words, and how often.
struct Asked {
    words: Vec<String>,
    rounds: usize,
    only: Option<Side>,
}

fn asked() -> Asked {
    let mut asked = Asked {
        words: Vec::new(),
        rounds: ROUNDS,
        only: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {} // cargo's own
            "--rounds" => asked.rounds = arguments.next().unwrap().parse().unwrap(),
            "--only" => {
                asked.only = Some(match arguments.next().unwrap().as_str() {
                    "sluis" => Side::Sluis,
                    _ => Side::OpenSsh,
                });
            }
            word => asked.words.push(word.to_owned()),
        }
    }
    asked
}

fn main() {
    let asked = asked();
    let wanted =
        |work: &&Work| asked.words.is_empty() || asked.words.iter().any(|w| work.name.contains(w));
    let works = works::all();
    let works: Vec<_> = works.iter().filter(wanted).collect();
    let alone = |name: &str| asked.words.is_empty() || asked.words.iter().any(|w| name.contains(w));
    if alone("ingest") {
        disk::run(asked.rounds);
    }
    if alone("growth") {
        growth::run(asked.rounds);
    }
    if alone("fairness") {
        distance::fairness(asked.rounds);
    }
    if works.is_empty() {
        return;
    }
    println!(
        "| work | wall | server CPU | peak memory | Sluis | OpenSSH | aim: wall | CPU |\n|---|---|---|---|---|---|---|---|"
    );
    for work in works {
        let mut rig = Rig::start();
        (work.prepare)(&mut rig);
        let sides = match asked.only {
            Some(only) => vec![only],
            None => vec![Side::Sluis, Side::OpenSsh],
        };
        let mut found: [Vec<Measured>; 2] = [Vec::new(), Vec::new()];
        for round in 0..asked.rounds {
            for &side in &sides {
                let measured = rig.measure(side, work);
                eprintln!(
                    "{} {side:?} {round}: {:.3} s, CPU {:.2} s, of the client {:.2} s, {} KiB",
                    work.name, measured.wall, measured.cpu, measured.client, measured.memory
                );
                found[side as usize].push(measured);
            }
        }
        if asked.only.is_none() {
            let ratio = Ratio::of(&found[0], &found[1]);
            println!("| {} | {ratio} | {} |", work.name, work.aim);
        }
    }
}
