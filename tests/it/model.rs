//! Whatever happens in whatever order, do the tables, the events and every session say what they should?
//!
//! Random sequences of arrivals, decisions, sessions, breaks and restarts at two offices with the same codes
//! and the same documents are given to a gateway over real SFTP, and to a small reference in plain Rust that
//! shares nothing with the program but words. After each step they must agree, and the events must lead to the
//! tables. A sequence that fails is made as short as it can be.
//!
//! `SLUIS_MODEL_CASES` says how many sequences are tried, and `SLUIS_MODEL_SEED` begins elsewhere.

mod books;
mod command;
mod facts;
mod hands;
mod seen;
mod sessions;
mod setup;
mod world;

use std::cell::{Cell, OnceCell};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use self::command::{Command, commands};
use self::world::World;

/// Some half a minute without optimisation.
const CASES: u64 = 40;

/// Where they begin.
const SEED: u64 = 4;

/// How often a long run says how far it has come.
const TOLD_EACH: u64 = 20;

/// How often a sequence that fails is tried with less in it, and for how long.
const SHORTER_MAX: u32 = 400;
const SHORTER_MS_MAX: u32 = 120_000;

#[test]
fn whatever_happens_in_whatever_order_all_agree() {
    let cases = asked("SLUIS_MODEL_CASES", CASES);
    let seed = asked("SLUIS_MODEL_SEED", SEED);
    let config = Config {
        cases: u32::try_from(cases).unwrap(),
        max_shrink_iters: SHORTER_MAX,
        max_shrink_time: SHORTER_MS_MAX,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // One with less in it may fail for another reason.
    let first = OnceCell::new();
    let agreed = Cell::new(0_u64);

    let found = TestRunner::new_with_rng(config, random).run(&commands(), |commands| {
        let followed = runtime.block_on(follow(&commands));
        agreed.set(agreed.get() + u64::from(followed.is_ok()));
        if first.get().is_none() && agreed.get().is_multiple_of(TOLD_EACH) {
            println!("{} sequences from seed {seed} agree", agreed.get());
        }
        followed.map_err(|why| {
            // Before it is made shorter, for whoever does not wait for that.
            first.get_or_init(|| {
                eprintln!("seed {seed}: {why}");
                why.clone()
            });
            TestCaseError::fail(why)
        })
    });

    if let Err(failure) = found {
        let first = first.get().map_or("a panic", String::as_str);
        panic!("seed {seed}, at first: {first}\n{failure}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever wants it longer says so beside the command"
)]
fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

async fn follow(commands: &[Command]) -> Result<(), String> {
    let mut world = World::start().await?;
    for (nth, command) in commands.iter().enumerate() {
        let stepped = world.step(command).await;
        if let Err(why) = stepped {
            world.gateway.tampered = true;
            return Err(format!("step {nth}, {command:?}: {why}"));
        }
    }
    let ended = world.end().await;
    world.gateway.tampered = ended.is_err();
    ended
}
