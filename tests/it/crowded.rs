//! Is a large folder listed whole, as it was at first, while it is still read?

use std::collections::BTreeSet;

use russh_sftp::protocol::StatusCode;
use sluis::model::DeviceKind;
use sqlx::Connection as _;

use crate::gateway::{Gateway, Login, Office, invoice};
use crate::peer::{Peer, code};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";

/// The most files that a session remembers: a folder of one more is sent while it is read.
const REMEMBERED_MAX: usize = 20_000;

/// One delivery becomes so many, under other names.
const MULTIPLY: &str = "
    insert into delivery (firm_id, document_id, dossier_id, link_id, device_id, flow, generation, current,
        state, routing, folder, folder_key, name, name_key, digest, bytes, created_at, offered_at)
    with recursive number (i) as (select 2 union all select i + 1 from number where i < $1)
    select firm_id, document_id, dossier_id, link_id, device_id, flow, generation, current,
        state, routing, folder, folder_key, replace(name, 'F-0', 'F-' || i), replace(name_key, 'f-0', 'f-' || i),
        digest, bytes, created_at, offered_at
    from delivery cross join number where id = (select min(id) from delivery)";

/// A gateway with so many files in the folder of one device.
async fn crowd(files: usize) -> (Gateway, Office, Login) {
    let mut gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-0", 1000)).await;
    change(&gateway, MULTIPLY, files).await;
    gateway.tampered = true;
    (gateway, office, device)
}

async fn change(gateway: &Gateway, statement: &'static str, value: usize) {
    let url = format!("sqlite://{}", gateway.catalog_file().display());
    let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let value = i64::try_from(value).unwrap();
    let changed = sqlx::query(statement).bind(value).execute(&mut other).await;
    assert!(changed.unwrap().rows_affected() > 0);
    other.close().await.unwrap();
}

/// What is listed from here on, and how it ended.
async fn rest(peer: &Peer, handle: &str) -> (Vec<String>, StatusCode) {
    let mut names = Vec::new();
    loop {
        match peer.sftp.readdir(handle).await {
            Ok(page) => names.extend(page.files.into_iter().map(|file| file.filename)),
            Err(end) => return (names, code(end)),
        }
    }
}

fn each_once(names: &[String]) -> BTreeSet<&str> {
    let all: BTreeSet<_> = names.iter().map(String::as_str).collect();
    assert_eq!(all.len(), names.len(), "one comes twice");
    all
}

#[tokio::test]
async fn a_folder_of_one_file_more_than_is_remembered_is_listed_as_one_of_one_fewer() {
    let (gateway, office, device) = crowd(REMEMBERED_MAX).await;
    let peer = gateway.connect(&device).await;
    let few = peer.list(INBOX).await.unwrap();

    gateway.receive(&office, invoice("LATE", 1000)).await;
    let many = peer.list(INBOX).await.unwrap();
    peer.sftp.limits().await.unwrap();
    let wide = peer.list(INBOX).await.unwrap();

    let counts = (few.len(), many.len());
    assert_eq!(counts, (REMEMBERED_MAX, REMEMBERED_MAX + 1));
    let (few, all) = (each_once(&few), each_once(&many));
    let new: Vec<_> = all.difference(&few).collect();
    assert!(new.len() == 1 && new[0].contains("LATE"), "{new:?}");
    assert_eq!(wide, many);
}

#[tokio::test]
async fn whatever_happens_while_a_large_folder_is_listed_it_is_as_it_was() {
    let (gateway, office, device) = crowd(3 * REMEMBERED_MAX).await;
    let before = gateway.connect(&device).await.list(INBOX).await.unwrap();
    let peer = gateway.connect(&device).await;
    let handle = peer.sftp.opendir(INBOX).await.unwrap().handle;
    let last = format!("{INBOX}/{}", before.last().unwrap());

    gateway.receive(&office, invoice("LATE", 1000)).await;
    let other = gateway.connect(&device).await;
    other.get(&last).await.unwrap();
    other.leave().await;
    gateway.pass_ms(1);
    let withdrawn = "update delivery set state = 'withdrawn', withdrawn_at = 1 where id % 3 = $1";
    change(&gateway, withdrawn, 2).await;
    let (mut listed, end) = rest(&peer, &handle).await;

    assert_eq!(end, StatusCode::Eof);
    listed.retain(|name| !name.starts_with('.'));
    assert_eq!(each_once(&listed), each_once(&before));
    let after = gateway.connect(&device).await.list(INBOX).await.unwrap();
    let (after, before) = (each_once(&after), each_once(&before));
    assert_eq!(after.difference(&before).count(), 1, "the late one");
    let gone = before.difference(&after);
    assert_eq!(
        gone.count(),
        REMEMBERED_MAX + 1,
        "a third, and the one that was collected"
    );
}

#[tokio::test]
async fn a_large_folder_that_cannot_be_read_to_its_end_never_ends_as_if_it_were_whole() {
    let (gateway, _, device) = crowd(2 * REMEMBERED_MAX).await;
    // No size is less than nothing.
    let broken = "update delivery set bytes = -1 where id = $1";
    change(&gateway, broken, REMEMBERED_MAX + 5_000).await;
    let peer = gateway.connect(&device).await;
    for _ in 0..2 {
        let handle = peer.sftp.opendir(INBOX).await.unwrap().handle;

        let (listed, end) = rest(&peer, &handle).await;

        assert_eq!(end, StatusCode::Failure);
        assert!(listed.len() < REMEMBERED_MAX + 5_000);
        each_once(&listed);
        assert_eq!(
            rest(&peer, &handle).await,
            (Vec::new(), StatusCode::Failure)
        );
        peer.close(&handle).await.unwrap();
    }
    let mended = "update delivery set bytes = 1000 where id = $1";
    change(&gateway, mended, REMEMBERED_MAX + 5_000).await;
    let names = peer.list(INBOX).await.unwrap();
    assert_eq!(each_once(&names).len(), 2 * REMEMBERED_MAX);
}

#[tokio::test]
async fn whoever_leaves_a_large_folder_in_the_middle_keeps_nobody_from_listing_it() {
    let (gateway, _, device) = crowd(3 * REMEMBERED_MAX).await;
    let peer = gateway.connect(&device).await;
    // More often than there are connections of the database, and turns of the device.
    for round in 0..10 {
        let other = gateway.connect(&device).await;
        let handle = other.sftp.opendir(INBOX).await.unwrap().handle;
        match round % 3 {
            0 => other.close(&handle).await.unwrap(),
            1 => other.leave().await,
            _ => other.hang_up(),
        }
    }

    let names = peer.list(INBOX).await.unwrap();

    assert_eq!(each_once(&names).len(), 3 * REMEMBERED_MAX);
}
