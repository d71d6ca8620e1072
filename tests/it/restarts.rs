//! What is left after the process is killed, at whatever moment?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use sluis::catalog::Durability;
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;

use crate::gateway::{Gateway, PATIENCE, invoice};
use crate::peer::Peer;
use crate::program::Program;

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";

/// What the far side saw, which no restart may contradict.
#[derive(Default)]
struct Seen {
    /// Files of which every byte came in.
    whole: BTreeSet<String>,
    /// Files whose CLOSE was answered after that.
    acknowledged: BTreeSet<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_answered_while_what_waits_is_looked_at_again_and_the_end_waits_for_none_of_it()
{
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    gateway.receive(&office, invoice("F-1", 0)).await; // it waits for a link
    let (house, draining) = (gateway.house.clone(), CancellationToken::new());
    let listening = house.listen(draining.clone()).await.unwrap();
    let address = listening.address();
    let turn = house.catalog.begin(Durability::PowerCut).await.unwrap();

    let ends = draining.clone();
    let serving = tokio::spawn(async move { house.serve(listening, ends).await });

    let mut device = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut banner = [0; 8];
    let reading = tokio::time::timeout(PATIENCE, device.read_exact(&mut banner));
    reading.await.expect("nobody answers").unwrap();
    assert_eq!(&banner, b"SSH-2.0-");
    drop(device);
    draining.cancel();
    let ended = tokio::time::timeout(PATIENCE, serving).await;
    ended.expect("it does not end").unwrap().unwrap();
    drop(turn);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_at_any_moment_forgets_nothing_it_has_acknowledged() {
    const DOCUMENTS: usize = 120;
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    let documents: Vec<_> = (0..DOCUMENTS)
        .map(|at| invoice(&format!("F-{at}"), 30_000))
        .collect();
    program.ingest(&documents[..DOCUMENTS / 2]);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let fingerprint = program.host_fingerprint();

    for round in 0..8_u64 {
        program.serve();
        drop_some(&program, &documents[DOCUMENTS / 2..], round);
        let pulling = tokio::spawn(pull(
            program.address.unwrap(),
            device.login.clone(),
            Arc::clone(&seen),
        ));
        // Killed in the middle of its work, at another step each time.
        let steps = |seen: &Seen| seen.whole.len() + seen.acknowledged.len();
        let until = steps(&seen.lock().unwrap()) + 3 + usize::try_from(round).unwrap() % 4;
        while !pulling.is_finished() && steps(&seen.lock().unwrap()) < until {
            tokio::task::yield_now().await;
        }
        program.kill();
        pulling.await.unwrap();
        check(&program, &seen.lock().unwrap(), DOCUMENTS / 2);
    }

    assert_eq!(program.host_fingerprint(), fingerprint);
    program.ingest(&documents);
    program.serve();
    for _ in 0..3 {
        pull(
            program.address.unwrap(),
            device.login.clone(),
            Arc::clone(&seen),
        )
        .await;
    }
    let states = program.states();
    assert_eq!(states.len(), DOCUMENTS, "every document is there once");
    assert!(
        states.iter().all(|state| state == "collected"),
        "{states:?}"
    );
    assert_eq!(program.events("collected"), DOCUMENTS);
    assert_eq!(program.terminate(), Some(0));
}

/// Drops documents into the firm's drop folder while the server runs.
fn drop_some(program: &Program, documents: &[Vec<u8>], round: u64) {
    let folder = program.path("sluis/data/drop/kantoor");
    for (at, document) in documents
        .iter()
        .enumerate()
        .filter(|(at, _)| *at as u64 % 8 == round)
    {
        std::fs::write(folder.join(format!("drop-{at}.xml")), document).unwrap();
    }
}

/// Fetches whatever is offered until the server is gone.
async fn pull(address: std::net::SocketAddr, login: crate::gateway::Login, seen: Arc<Mutex<Seen>>) {
    let task = async {
        let peer = Peer::try_connect(address, &login).await?;
        let names = peer.list(INBOX).await.ok()?;
        for name in names {
            let handle = peer.open(&format!("{INBOX}/{name}")).await.ok()?;
            let bytes = peer.read(&handle, 0, u64::MAX).await.ok()?;
            assert!(bytes.ends_with(b"</Invoice>\n"));
            seen.lock().unwrap().whole.insert(name.clone());
            peer.close(&handle).await.ok()?;
            seen.lock().unwrap().acknowledged.insert(name);
        }
        Some(())
    };
    task.await;
}

/// After each restart: what was acknowledged is collected, and what is collected was whole.
fn check(program: &Program, seen: &Seen, at_least: usize) {
    let rows = program.json(&["deliveries", "kantoor"]);
    assert!(
        rows.len() >= at_least,
        "{} deliveries of {at_least}",
        rows.len()
    );
    let mut states = BTreeMap::new();
    for row in &rows {
        let name = row["path"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        states.insert(name, row["state"].as_str().unwrap().to_owned());
    }
    for name in &seen.acknowledged {
        assert_eq!(states[name], "collected", "{name} was acknowledged");
    }
    for (name, state) in &states {
        assert!(
            state == "offered" || seen.whole.contains(name),
            "{name} is {state} and was never whole"
        );
    }
    program.ok(&["fsck", "--deep"]);
    program.ok(&["events", "verify"]);
    program.ok(&["events", "replay"]);
}
