//! What may be asked while the mark of a CLOSE is written down?

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh_sftp::protocol::StatusCode;
use sluis::catalog::{Durability, Tx};

use crate::gateway::{Gateway, Login, Office, invoice};
use crate::peer::Peer;
use crate::protocol::{INBOX, office};
use crate::raw::{packet, raw, text, until, until_the_end};
use crate::scheduling::tamper;

/// A device that waits longer than this is not answered at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// A device that has read the first of two documents whole and has not closed it.
struct Scene {
    gateway: Gateway,
    office: Office,
    device: Login,
    peer: Peer,
    first: String,
}

impl Scene {
    async fn new() -> Self {
        let (gateway, office, device) = office().await;
        for at in 1..3 {
            gateway
                .receive(&office, invoice(&format!("F-{at}"), 20_000))
                .await;
        }
        let peer = gateway.connect(&device).await;
        let first = fetch(&peer, 1).await;
        Self {
            gateway,
            office,
            device,
            peer,
            first,
        }
    }

    /// Holds the catalog's turn to write, so that no mark is written down.
    async fn hold(&self) -> Tx {
        let catalog = &self.gateway.house.catalog;
        catalog.begin(Durability::Kill).await.unwrap()
    }

    async fn states(&self) -> Vec<String> {
        let deliveries = self.gateway.deliveries(&self.office).await;
        let state = |line: &String| line.rsplit(' ').next().unwrap().to_owned();
        deliveries.iter().map(state).collect()
    }
}

fn path(at: u32) -> String {
    format!("{INBOX}/20260314-0000{at}_F-{at}_0451827384.xml")
}

/// Opens a document and reads it to its end.
async fn fetch(peer: &Peer, at: u32) -> String {
    let handle = peer.open(&path(at)).await.unwrap();
    let read = peer.read(&handle, 0, u64::MAX).await.unwrap();
    assert_eq!(read.len(), 20_000);
    handle
}

async fn patiently<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.unwrap()
}

#[tokio::test]
async fn the_next_document_is_read_while_the_mark_of_the_one_before_waits() {
    let scene = Scene::new().await;
    let (turn, answered) = (scene.hold().await, AtomicBool::new(false));

    let closing = async {
        scene.peer.close(&scene.first).await.unwrap();
        answered.store(true, Ordering::SeqCst);
    };
    let reading = async {
        let second = patiently(fetch(&scene.peer, 2)).await;
        assert!(scene.peer.exists(&path(1)).await);
        assert!(!answered.load(Ordering::SeqCst), "nothing is written down");
        assert_eq!(scene.states().await, ["offered", "offered"]);
        drop(turn);
        second
    };
    let ((), second) = tokio::join!(closing, reading);

    assert_eq!(scene.states().await, ["collected", "offered"]);
    scene.peer.close(&second).await.unwrap();
    assert_eq!(scene.states().await, ["collected", "collected"]);
}

#[tokio::test]
async fn what_changes_or_lists_something_waits_for_the_mark_before_it() {
    let scene = Scene::new().await;
    let second = fetch(&scene.peer, 2).await;
    let another = scene.gateway.connect(&scene.device).await;
    let (turn, early) = (scene.hold().await, AtomicBool::new(true));
    let not_early = || assert!(!early.load(Ordering::SeqCst), "it did not wait");

    let closing = async {
        scene.peer.close(&scene.first).await.unwrap();
        not_early();
    };
    let listing = async {
        assert_eq!(scene.peer.list(INBOX).await.unwrap().len(), 2);
        not_early();
    };
    let removing = async {
        scene.peer.remove(&path(1)).await.unwrap();
        not_early();
    };
    let closing_too = async {
        scene.peer.close(&second).await.unwrap();
        not_early();
    };
    let letting_go = async {
        // Whoever is not before them is answered all along.
        for _ in 0..5 {
            patiently(another.list(INBOX)).await.unwrap();
        }
        assert_eq!(scene.states().await, ["offered", "offered"]);
        early.store(false, Ordering::SeqCst);
        drop(turn);
    };
    patiently(async { tokio::join!(closing, listing, removing, closing_too, letting_go) }).await;

    assert_eq!(scene.states().await, ["processed", "collected"]);
}

#[tokio::test]
async fn a_mark_that_is_not_written_down_is_refused_under_its_own_close() {
    let scene = Scene::new().await;
    tamper(
        &scene.gateway,
        "create trigger fault before insert on event when new.kind = 'collected' begin select raise(abort, 'full'); end",
    )
    .await;

    let closing = scene.peer.close(&scene.first);
    let (closed, second) = tokio::join!(closing, fetch(&scene.peer, 2));

    assert_eq!(closed, Err(StatusCode::Failure));
    assert_eq!(scene.states().await, ["offered", "offered"]);
    tamper(&scene.gateway, "drop trigger fault").await;
    scene.peer.close(&second).await.unwrap();
    assert_eq!(scene.states().await, ["offered", "collected"]);
}

#[tokio::test]
async fn a_mark_that_waits_when_the_server_ends_is_written_down_and_answered() {
    let mut scene = Scene::new().await;
    let turn = scene.hold().await;
    let (peer, first) = (&scene.peer, &scene.first);

    let closing = peer.close(first);
    let letting_go = async {
        // Once that is answered, the CLOSE before it has come in.
        peer.exists(&path(2)).await;
        drop(turn);
    };
    let ((), closed, ()) = tokio::join!(scene.gateway.drain(), closing, letting_go);

    assert_eq!(closed, Ok(()));
    assert_eq!(scene.states().await, ["collected", "offered"]);
}

#[tokio::test]
async fn a_mark_that_waits_is_written_down_though_its_device_hangs_up() {
    let Scene {
        mut gateway,
        office,
        peer,
        first,
        ..
    } = Scene::new().await;
    let turn = gateway.house.catalog.begin(Durability::Kill).await.unwrap();

    let closing = peer.close(&first);
    let next = path(2);
    let asking = peer.exists(&next);
    tokio::select! {
        biased;
        _ = closing => panic!("nothing is written down"),
        is_there = asking => assert!(is_there),
    }
    peer.hang_up();
    drop(turn);
    gateway.drain().await;

    let states = gateway.deliveries(&office).await;
    assert_eq!(
        states,
        [format!("{} collected", path(1)), format!("{next} offered")]
    );
}

#[tokio::test]
async fn the_same_document_is_opened_once_its_mark_is_written_down() {
    let scene = Scene::new().await;
    let another = scene.gateway.connect(&scene.device).await;
    let (turn, early) = (scene.hold().await, AtomicBool::new(true));

    let closing = async { scene.peer.close(&scene.first).await.unwrap() };
    let opening = async {
        scene.peer.open(&path(1)).await.unwrap();
        assert!(!early.load(Ordering::SeqCst), "it did not wait");
    };
    let letting_go = async {
        for _ in 0..5 {
            patiently(another.list(INBOX)).await.unwrap();
        }
        early.store(false, Ordering::SeqCst);
        drop(turn);
    };
    patiently(async { tokio::join!(closing, opening, letting_go) }).await;
}

#[tokio::test]
async fn what_was_read_while_a_mark_waited_counts_when_the_channel_ends_in_order() {
    let (mut gateway, office, device) = office().await;
    for at in 1..3 {
        let number = format!("F-{at}");
        gateway.receive(&office, invoice(&number, 20_000)).await;
    }
    let another = gateway.connect(&device).await;
    let (_ssh, mut channel) = raw(&gateway, &device).await;
    let mut asked = packet(1, &3_u32.to_be_bytes());
    for at in 1..3 {
        asked.extend(open_of(at, at));
        asked.extend(read_of(10 + at, &at.to_string()));
    }
    channel.data(&asked[..]).await.unwrap();
    until(&mut channel, |bytes| frames(bytes).count() == 4).await;
    let turn = gateway.house.catalog.begin(Durability::Kill).await.unwrap();

    // Whoever sends CLOSE for his channel takes no answer any more.
    let close = [&20_u32.to_be_bytes()[..], &text("1")].concat();
    channel.data(&packet(4, &close)[..]).await.unwrap();
    channel.close().await.unwrap();
    for _ in 0..5 {
        patiently(another.list(INBOX)).await.unwrap();
    }
    drop(turn);
    gateway.drain().await;

    let states = gateway.deliveries(&office).await;
    assert_eq!(states, [1, 2].map(|at| format!("{} collected", path(at))));
}

fn open_of(id: u32, at: u32) -> Vec<u8> {
    let (id, read, none) = (id.to_be_bytes(), 1_u32.to_be_bytes(), 0_u32.to_be_bytes());
    packet(3, &[&id[..], &text(&path(at)), &read, &none].concat())
}

/// What opens the first document, reads it whole and closes it, as a client sends it that waits for nothing.
fn fetch_unasked() -> Vec<u8> {
    let close = [&3_u32.to_be_bytes()[..], &text("1")];
    let mut asked = packet(1, &3_u32.to_be_bytes());
    asked.extend(open_of(1, 1));
    asked.extend(read_of(2, "1"));
    asked.extend(packet(4, &close.concat()));
    asked
}

fn read_of(id: u32, handle: &str) -> Vec<u8> {
    let (id, length) = (id.to_be_bytes(), 20_000_u32.to_be_bytes());
    let read = [&id[..], &text(handle), &0_u64.to_be_bytes(), &length];
    packet(5, &read.concat())
}

#[tokio::test]
async fn a_close_before_a_framing_fault_is_answered() {
    let (gateway, office, device) = office().await;
    gateway.receive(&office, invoice("F-1", 20_000)).await;
    let (_ssh, mut channel) = raw(&gateway, &device).await;

    let mut asked = fetch_unasked();
    asked.extend(0_u32.to_be_bytes());
    channel.data(&asked[..]).await.unwrap();
    let (answers, status) = until_the_end(&mut channel).await;

    assert_eq!(status, Some(1));
    assert_eq!(status_of(&answers, 3), Some(0));
    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{} collected", path(1))]
    );
}

#[tokio::test]
async fn a_close_is_answered_although_its_client_reads_on_and_on() {
    let (gateway, office, device) = office().await;
    gateway.receive(&office, invoice("F-1", 20_000)).await;
    let (_ssh, mut channel) = raw(&gateway, &device).await;

    // The second handle goes on with the same file, and is opened before.
    let mut asked = packet(1, &3_u32.to_be_bytes());
    for id in [1, 9] {
        asked.extend(open_of(id, 1));
    }
    asked.extend(read_of(2, "1"));
    asked.extend(packet(4, &[&3_u32.to_be_bytes()[..], &text("1")].concat()));
    let last = 5000;
    asked.extend((10..=last).flat_map(|id| read_of(id, "2")));
    channel.data(&asked[..]).await.unwrap();
    channel.eof().await.unwrap();
    let (answers, _) = until_the_end(&mut channel).await;

    let ids: Vec<_> = frames(&answers).map(|(_, id, _)| id).collect();
    let at = |id: u32| ids.iter().position(|own| *own == id).unwrap();
    assert!(at(3) < at(last), "{} of {}", at(3), ids.len());
}

/// The answers behind VERSION: kind, id and the rest.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = (u8, u32, &[u8])> {
    let next = move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (own, behind) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        bytes = behind;
        Some(own)
    };
    std::iter::from_fn(next).skip(1).map(|own| {
        let (head, rest) = own.split_first_chunk::<5>().unwrap();
        (
            head[0],
            u32::from_be_bytes([head[1], head[2], head[3], head[4]]),
            rest,
        )
    })
}

/// The code of the STATUS that answers this request.
fn status_of(answers: &[u8], id: u32) -> Option<u32> {
    let (_, _, rest) = frames(answers).find(|(kind, own, _)| (*kind, *own) == (101, id))?;
    Some(u32::from_be_bytes(*rest.first_chunk()?))
}
