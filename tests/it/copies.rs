//! How much may a device write into its processed folders, and what makes room again?

use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use sluis::model::{DeviceKind, Uploads};
use sluis::sftp::limits::{DRAFTS_MAX, HASHED_UNASKED_BYTES_MAX, NAME_BYTES_MAX};
use sluis::upload::{SESSION_BYTES_MAX, UPLOAD_BYTES_MAX};
use sluis::wellness::{Cause, Part};

use crate::gateway::{Gateway, Login, Office, invoice};
use crate::peer::Peer;
use crate::uploading::{CREATE, open, size, write};

const DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";

/// A mounted device that may upload, with one document.
async fn scene() -> (Gateway, Office, Login, Vec<u8>) {
    let gateway = Gateway::start().await;
    let (office, login) = gateway.office_with(DeviceKind::Mount).await;
    let catalog = &gateway.house.catalog;
    let device = catalog.device(office.firm, "server").await.unwrap();
    let now = gateway.now();
    catalog
        .set_uploads(&device, Uploads::On, now)
        .await
        .unwrap();
    let bytes = invoice("F-0017", 5000);
    gateway.receive(&office, bytes.clone()).await;
    (gateway, office, login, bytes)
}

async fn copy(peer: &Peer, name: &str) -> Result<String, StatusCode> {
    open(peer, &format!("{DONE}/{name}"), CREATE).await
}

async fn upload(peer: &Peer, name: &str) -> Result<String, StatusCode> {
    open(peer, &format!("/in/{name}"), CREATE).await
}

#[tokio::test]
async fn copies_and_uploads_are_counted_together_and_one_past_the_limit_is_refused() {
    let (gateway, office, login, bytes) = scene().await;
    let peer = gateway.connect(&login).await;
    let mut uploads = Vec::new();
    for at in 0..DRAFTS_MAX / 2 {
        uploads.push(upload(&peer, &format!("{at}.xml")).await.unwrap());
    }
    let mut copies = Vec::new();
    for at in 0..DRAFTS_MAX / 2 {
        copies.push(copy(&peer, &format!("{at}.xml")).await.unwrap());
    }

    for _ in 0..2 {
        assert_eq!(copy(&peer, "x.xml").await, Err(StatusCode::Failure));
        assert_eq!(upload(&peer, "x.xml").await, Err(StatusCode::Failure));
    }

    assert!(copy(&peer, "0.xml").await.is_ok(), "it is begun already");
    // Whoever removes one has room for one, of either kind.
    peer.remove(&format!("{DONE}/1.xml")).await.unwrap();
    assert!(upload(&peer, "y.xml").await.is_ok());
    assert_eq!(copy(&peer, "x.xml").await, Err(StatusCode::Failure));
    peer.remove("/in/y.xml").await.unwrap();
    // So has whoever ends one, well or not.
    let last = copy(&peer, "x.xml").await.unwrap();
    write(&peer, &last, 0, b"no document").await.unwrap();
    assert_eq!(copy(&peer, "z.xml").await, Err(StatusCode::Failure));
    assert_eq!(
        peer.close(&last).await,
        Err(StatusCode::PermissionDenied),
        "no copy of what was offered"
    );
    let last = copy(&peer, "z.xml").await.unwrap();
    write(&peer, &last, 0, &bytes).await.unwrap();
    peer.close(&last).await.unwrap();
    assert!(upload(&peer, "y.xml").await.is_ok());
    let states = gateway.deliveries(&office).await;
    assert!(states[0].ends_with(" processed"), "{states:?}");
    // And another session has its own.
    let other = gateway.connect(&login).await;
    assert!(copy(&other, "x.xml").await.is_ok());
}

#[tokio::test]
async fn one_byte_past_what_a_session_may_be_writing_is_refused_until_some_of_it_is_gone() {
    let (gateway, _, login, _) = scene().await;
    let peer = gateway.connect(&login).await;
    let last = upload(&peer, "last.xml").await.unwrap();
    let other = copy(&peer, "last.xml").await.unwrap();
    let (mut left, mut at) = (SESSION_BYTES_MAX, 0);
    while left > 0 {
        let bytes = left.min(UPLOAD_BYTES_MAX);
        let handle = copy(&peer, &format!("{at}.xml")).await.unwrap();
        // A hole costs the disk nothing, and counts.
        write(&peer, &handle, bytes - 1, b"x").await.unwrap();
        assert!(
            write(&peer, &handle, 0, b"x").await.is_ok(),
            "what is written anew is counted once"
        );
        left -= bytes;
        at += 1;
    }

    assert_eq!(
        write(&peer, &other, 0, b"x").await,
        Err(StatusCode::Failure)
    );
    assert_eq!(write(&peer, &last, 0, b"x").await, Err(StatusCode::Failure));

    peer.remove(&format!("{DONE}/0.xml")).await.unwrap();
    assert_eq!(write(&peer, &other, 0, b"x").await, Ok(()));
    let last = upload(&peer, "next.xml").await.unwrap();
    assert_eq!(write(&peer, &last, 0, b"x").await, Ok(()));
}

#[tokio::test]
async fn a_copy_is_not_begun_and_not_gone_on_with_while_the_disk_is_short() {
    let (gateway, office, login, bytes) = scene().await;
    let peer = gateway.connect(&login).await;
    let begun = copy(&peer, "begun.xml").await.unwrap();
    write(&peer, &begun, 0, &bytes[..1000]).await.unwrap();
    let wellness = gateway.house.catalog.wellness();

    wellness.failed(Part::Space, Cause::Full, "1 MiB is free");

    assert_eq!(copy(&peer, "new.xml").await, Err(StatusCode::Failure));
    let more = write(&peer, &begun, 1000, &bytes[1000..]).await;
    assert_eq!(more, Err(StatusCode::Failure));

    wellness.worked(Part::Space, gateway.now());
    write(&peer, &begun, 1000, &bytes[1000..]).await.unwrap();
    peer.close(&begun).await.unwrap();
    let states = gateway.deliveries(&office).await;
    assert!(states[0].ends_with(" processed"), "{states:?}");
}

#[tokio::test]
async fn a_name_one_byte_too_long_is_no_copys() {
    let (gateway, office, login, bytes) = scene().await;
    let peer = gateway.connect(&login).await;
    let long = "n".repeat(NAME_BYTES_MAX);

    assert_eq!(
        copy(&peer, &format!("{long}n")).await,
        Err(StatusCode::PermissionDenied)
    );

    assert_eq!(peer.list(DONE).await.unwrap(), Vec::<String>::new());
    peer.put(&format!("{DONE}/{long}"), &bytes).await.unwrap();
    let renamed = peer
        .rename(&format!("{DONE}/{long}"), &format!("{DONE}/{long}n"))
        .await;
    assert_eq!(renamed, Err(StatusCode::PermissionDenied));
    assert_eq!(peer.list(DONE).await.unwrap(), [long]);
    let states = gateway.deliveries(&office).await;
    assert!(states[0].ends_with(" processed"), "{states:?}");
}

#[tokio::test]
async fn a_copy_that_is_written_anew_is_judged_by_its_last_bytes() {
    for by_size in [false, true] {
        let (gateway, office, login, bytes) = scene().await;
        let peer = gateway.connect(&login).await;
        let stale = copy(&peer, "x.xml").await.unwrap();
        let longer = vec![b'x'; bytes.len() + 1000];
        write(&peer, &stale, 0, &longer).await.unwrap();

        let anew = if by_size {
            let empty = FileAttributes {
                size: Some(0),
                ..FileAttributes::empty()
            };
            peer.sftp.fsetstat(&stale, empty).await.unwrap();
            stale.clone()
        } else {
            let path = format!("{DONE}/x.xml");
            open(&peer, &path, CREATE | OpenFlags::TRUNCATE)
                .await
                .unwrap()
        };
        write(&peer, &anew, 0, &bytes).await.unwrap();
        peer.close(&anew).await.unwrap();
        let states = gateway.deliveries(&office).await;
        assert!(states[0].ends_with(" processed"), "{states:?}");
    }
}

#[tokio::test]
async fn a_copy_is_not_moved_onto_another_and_a_removed_ones_handle_is_of_none() {
    let (gateway, office, login, bytes) = scene().await;
    let peer = gateway.connect(&login).await;
    let first = copy(&peer, "first.xml").await.unwrap();
    let second = copy(&peer, "second.xml").await.unwrap();
    write(&peer, &second, 0, &bytes).await.unwrap();
    let (from, to) = (format!("{DONE}/first.xml"), format!("{DONE}/second.xml"));

    assert_eq!(peer.rename(&from, &to).await, Err(StatusCode::Failure));

    peer.remove(&from).await.unwrap();
    let again = copy(&peer, "first.xml").await.unwrap();
    let stray = write(&peer, &first, 0, b"of the removed one").await;
    assert_eq!(stray, Err(StatusCode::NoSuchFile));
    assert_eq!(size(&peer, &from).await, Ok(0));
    peer.close(&again).await.unwrap();
    peer.close(&second).await.unwrap();
    let states = gateway.deliveries(&office).await;
    assert!(states[0].ends_with(" processed"), "{states:?}");
}

#[tokio::test]
async fn what_two_handles_write_is_judged_when_it_is_whole() {
    let (gateway, office, login, bytes) = scene().await;
    let peer = gateway.connect(&login).await;
    let [first, second] = [
        copy(&peer, "x.xml").await.unwrap(),
        copy(&peer, "x.xml").await.unwrap(),
    ];
    write(&peer, &first, 0, &bytes[..1000]).await.unwrap();
    peer.close(&first).await.unwrap();
    let states = gateway.deliveries(&office).await;
    assert!(states[0].ends_with(" offered"), "{states:?}");

    write(&peer, &second, 1000, &bytes[1000..]).await.unwrap();
    peer.close(&second).await.unwrap();

    let states = gateway.deliveries(&office).await;
    assert!(states[0].ends_with(" processed"), "{states:?}");
    // Once more, by whoever began before: the file stays where the first importer still sees it.
    let inbox = "/expertm/ACME/Te Verwerken/Aankopen";
    assert_eq!(peer.list(inbox).await.unwrap().len(), 1);
    peer.put(&format!("{DONE}/y.xml"), &bytes).await.unwrap();
    assert_eq!(peer.list(inbox).await.unwrap().len(), 1);
    let wrong = copy(&peer, "z.xml").await.unwrap();
    let also = copy(&peer, "z.xml").await.unwrap();
    write(&peer, &wrong, u64::MAX - 5, b"x").await.unwrap_err();
    write(&peer, &wrong, 0, b"no document").await.unwrap();
    peer.close(&wrong).await.unwrap();
    assert_eq!(peer.close(&also).await, Err(StatusCode::PermissionDenied));
}

#[tokio::test]
async fn what_is_opened_and_closed_over_a_processed_document_does_not_hide_it() {
    let (gateway, _, login, bytes) = scene().await;
    let peer = gateway.connect(&login).await;
    let path = format!("{DONE}/x.xml");
    peer.put(&path, &bytes).await.unwrap();

    for _ in 0..=DRAFTS_MAX {
        let touched = open(&peer, &path, CREATE).await.unwrap();
        let also = open(&peer, &path, CREATE).await.unwrap();
        peer.close(&touched).await.unwrap();
        assert_eq!(size(&peer, &path).await, Ok(0), "another still writes it");
        peer.close(&also).await.unwrap();
    }

    assert_eq!(size(&peer, &path).await, Ok(bytes.len() as u64));
    assert_eq!(peer.get(&path).await.unwrap(), bytes);
    let made = copy(&peer, "new.xml").await.unwrap();
    peer.close(&made).await.unwrap();
    let new = format!("{DONE}/new.xml");
    assert_eq!(size(&peer, &new).await, Ok(0), "and then it is written");
}

#[tokio::test]
async fn a_large_copy_is_taken_and_what_is_as_large_as_no_document_is_none() {
    let (gateway, office, login, _) = scene().await;
    let size = usize::try_from(HASHED_UNASKED_BYTES_MAX).unwrap() + 1;
    let bytes = invoice("F-0018", size);
    gateway.receive(&office, bytes.clone()).await;
    let peer = gateway.connect(&login).await;
    let none = copy(&peer, "none.xml").await.unwrap();
    write(&peer, &none, UPLOAD_BYTES_MAX - 1, b"x")
        .await
        .unwrap();

    let refused = peer.close(&none).await;

    assert_eq!(refused, Err(StatusCode::PermissionDenied));
    peer.put(&format!("{DONE}/x.xml"), &bytes).await.unwrap();
    let states = gateway.deliveries(&office).await;
    assert!(states[1].ends_with(" processed"), "{states:?}");
}
