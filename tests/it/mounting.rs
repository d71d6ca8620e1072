//! What happens to a device on which people and programs work as on a drive?

use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use sluis::model::DeviceKind;

use crate::gateway::{Gateway, Login, Office, invoice};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";
const NAME: &str = "20260314-00001_F-0017_0451827384.xml";

async fn one_invoice() -> (Gateway, Office, Login, String, Vec<u8>) {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Mount).await;
    let bytes = invoice("F-0017", 20_000);
    gateway.receive(&office, bytes.clone()).await;
    (gateway, office, device, format!("{INBOX}/{NAME}"), bytes)
}

#[tokio::test]
async fn a_preview_that_reads_the_whole_file_collects_nothing() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;

    peer.get(&path).await.unwrap();
    peer.get(&path).await.unwrap();

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} offered read")]
    );
    assert_eq!(gateway.events(&office).await, ["kept", "offered", "read"]);
    assert!(peer.exists(&path).await);
}

#[tokio::test]
async fn an_importer_that_removes_the_file_has_processed_it() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    peer.get(&path).await.unwrap();

    peer.remove(&path).await.unwrap();

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} processed")]
    );
    assert_eq!(
        gateway.events(&office).await,
        ["kept", "offered", "read", "collected", "processed"]
    );
    assert_eq!(peer.list(INBOX).await.unwrap(), Vec::<String>::new());
    assert_eq!(peer.list(DONE).await.unwrap(), [NAME]);
}

#[tokio::test]
async fn an_importer_that_moves_the_file_to_the_processed_folder_has_processed_it() {
    let (gateway, office, device, path, bytes) = one_invoice().await;
    let peer = gateway.connect(&device).await;

    peer.rename(&path, &format!("{DONE}/geboekt.xml"))
        .await
        .unwrap();

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} processed")]
    );
    assert_eq!(peer.list(DONE).await.unwrap(), ["geboekt.xml"]);
    assert_eq!(
        peer.get(&format!("{DONE}/geboekt.xml")).await.unwrap(),
        bytes,
        "it stays readable"
    );
    assert_eq!(
        peer.remove(&format!("{DONE}/geboekt.xml")).await,
        Err(StatusCode::PermissionDenied)
    );
}

#[tokio::test]
async fn an_importer_that_copies_the_bytes_and_then_removes_the_file_has_processed_it_once() {
    let (gateway, office, device, path, bytes) = one_invoice().await;
    let peer = gateway.connect(&device).await;

    peer.put(&format!("{DONE}/{NAME}"), &bytes).await.unwrap();
    assert!(peer.exists(&path).await, "it is removed next");
    peer.remove(&path).await.unwrap();

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} processed")]
    );
    assert_eq!(
        gateway.events(&office).await,
        ["kept", "offered", "collected", "processed"]
    );
    assert!(!peer.exists(&path).await);
    assert_eq!(peer.list(DONE).await.unwrap(), [NAME]);
}

#[tokio::test]
async fn no_importer_takes_the_name_that_another_file_will_have_in_the_processed_folder() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let other = invoice("F-0018", 9_000);
    gateway.receive(&office, other.clone()).await;
    let peer = gateway.connect(&device).await;
    let names = peer.list(INBOX).await.unwrap();
    let second = names.iter().find(|name| *name != NAME).unwrap();
    let taken = format!("{DONE}/{NAME}");

    let moved = peer.rename(&format!("{INBOX}/{second}"), &taken).await;
    let copied = peer.put(&taken, &other).await;

    assert_eq!(moved, Err(StatusCode::Failure));
    assert!(copied.is_err());
    peer.remove(&path).await.unwrap();
    peer.rename(&format!("{INBOX}/{second}"), &format!("{DONE}/{second}"))
        .await
        .unwrap();
    let renamed = peer.rename(&format!("{DONE}/{second}"), &taken).await;
    assert_eq!(renamed, Err(StatusCode::Failure));
    assert_eq!(peer.list(DONE).await.unwrap(), names);
}

#[tokio::test]
async fn an_importer_that_copies_under_one_name_and_moves_under_another_finds_the_last() {
    let (gateway, office, device, path, bytes) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    peer.put(&format!("{DONE}/{NAME}"), &bytes).await.unwrap();

    peer.rename(&path, &format!("{DONE}/geboekt.xml"))
        .await
        .unwrap();

    assert_eq!(peer.list(DONE).await.unwrap(), ["geboekt.xml"]);
    assert!(!peer.exists(&path).await);
    assert_eq!(
        gateway.events(&office).await,
        ["kept", "offered", "collected", "processed"]
    );
}

#[tokio::test]
async fn a_copy_under_a_temporary_name_that_is_renamed_then_is_a_copy() {
    let (gateway, office, device, path, bytes) = one_invoice().await;
    let peer = gateway.connect(&device).await;

    peer.put(&format!("{DONE}/{NAME}.filepart"), &bytes)
        .await
        .unwrap();
    peer.rename(
        &format!("{DONE}/{NAME}.filepart"),
        &format!("{DONE}/{NAME}"),
    )
    .await
    .unwrap();

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} processed")]
    );
    assert_eq!(peer.list(DONE).await.unwrap(), [NAME]);
}

#[tokio::test]
async fn other_bytes_in_the_processed_folder_are_no_copy() {
    let (gateway, office, device, path, mut bytes) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    bytes.pop();

    assert_eq!(
        peer.put(&format!("{DONE}/{NAME}"), &bytes).await,
        Err(StatusCode::PermissionDenied)
    );

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} offered")]
    );
    assert!(!peer.exists(&format!("{DONE}/{NAME}")).await);
}

#[tokio::test]
async fn nothing_is_written_renamed_or_made_outside_the_processed_folder() {
    let (gateway, office, device, path, bytes) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let denied = Err(StatusCode::PermissionDenied);

    assert_eq!(peer.put(&format!("{INBOX}/new.xml"), &bytes).await, denied);
    assert_eq!(peer.put(&path, &bytes).await, Err(StatusCode::Failure));
    assert_eq!(peer.put("/new.xml", &bytes).await, denied);
    assert_eq!(
        peer.put(&format!("{INBOX}/desktop.ini"), &bytes).await,
        denied
    );
    assert_eq!(
        peer.rename(&path, &format!("{INBOX}/other.xml")).await,
        denied
    );
    assert_eq!(
        peer.rename(&path, "/expertm/ACME/Verwerkt/Verkopen/x.xml")
            .await,
        denied
    );
    assert_eq!(peer.rename("/expertm/ACME", "/expertm/B").await, denied);
    let mkdir = peer
        .sftp
        .mkdir("/expertm/NEW", Default::default())
        .await
        .unwrap_err();
    assert_eq!(crate::peer::code(mkdir), StatusCode::PermissionDenied);
    assert!(
        peer.sftp.mkdir(INBOX, Default::default()).await.is_ok(),
        "who makes sure of a folder has it"
    );
    let rmdir = peer.sftp.rmdir(INBOX).await.unwrap_err();
    assert_eq!(crate::peer::code(rmdir), StatusCode::PermissionDenied);
    assert_eq!(
        peer.open(&format!("{INBOX}/Thumbs.db")).await,
        Err(StatusCode::NoSuchFile)
    );

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} offered")]
    );
}

#[tokio::test]
async fn modes_and_times_are_accepted_and_change_nothing() {
    let (gateway, _, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let before = peer.sftp.stat(&path).await.unwrap().attrs;
    let attrs = FileAttributes {
        mtime: Some(1),
        atime: Some(1),
        ..Default::default()
    };

    peer.sftp.setstat(&path, attrs).await.unwrap();

    assert_eq!(
        peer.sftp.stat(&path).await.unwrap().attrs.mtime,
        before.mtime
    );
    let missing = peer
        .sftp
        .setstat("/nothing", Default::default())
        .await
        .unwrap_err();
    assert_eq!(crate::peer::code(missing), StatusCode::NoSuchFile);
}

#[tokio::test]
async fn a_copy_that_is_renamed_while_it_is_written_is_judged_when_it_is_closed() {
    let (gateway, office, device, path, bytes) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let flags = OpenFlags::WRITE | OpenFlags::CREATE;
    let part = format!("{DONE}/{NAME}.part");
    let opened = peer
        .sftp
        .open(&part, flags, FileAttributes::empty())
        .await
        .unwrap();
    peer.sftp
        .write(&opened.handle, 0, bytes[..5000].to_vec())
        .await
        .unwrap();

    peer.rename(&part, &format!("{DONE}/{NAME}")).await.unwrap();
    peer.sftp
        .write(&opened.handle, 5000, bytes[5000..].to_vec())
        .await
        .unwrap();
    peer.close(&opened.handle).await.unwrap();

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} processed")]
    );
    assert_eq!(peer.list(DONE).await.unwrap(), [NAME]);
}

#[tokio::test]
async fn a_copy_does_not_take_the_name_of_another_document() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let other = invoice("F-0018", 20_000);
    gateway.receive(&office, other.clone()).await;
    let peer = gateway.connect(&device).await;
    peer.rename(&path, &format!("{DONE}/{NAME}")).await.unwrap();

    let taken = peer.put(&format!("{DONE}/{NAME}"), &other).await;

    assert_eq!(taken, Err(StatusCode::Failure));
    assert!(gateway.deliveries(&office).await[1].ends_with("offered"));
}

#[tokio::test]
async fn one_file_past_the_limit_of_those_being_written_is_refused() {
    let (gateway, _, device, _, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let flags = OpenFlags::WRITE | OpenFlags::CREATE;
    for at in 0..sluis::sftp::limits::DRAFTS_MAX {
        let opened = peer
            .sftp
            .open(format!("{DONE}/{at}"), flags, FileAttributes::empty())
            .await
            .unwrap();
        peer.close(&opened.handle).await.unwrap();
    }

    let refused = peer
        .sftp
        .open(format!("{DONE}/x"), flags, FileAttributes::empty())
        .await;

    assert_eq!(crate::peer::code(refused.unwrap_err()), StatusCode::Failure);
    peer.remove(&format!("{DONE}/0")).await.unwrap();
    assert!(
        peer.sftp
            .open(format!("{DONE}/x"), flags, FileAttributes::empty())
            .await
            .is_ok()
    );
}
