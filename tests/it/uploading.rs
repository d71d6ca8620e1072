//! What becomes of a document that somebody puts into `/in`?

use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use sluis::model::{DeviceKind, Digest, Uploads};

use crate::gateway::{Gateway, Login, Office, fixture, invoice};
use crate::peer::{Peer, code};

pub const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
pub const OFFERED: &str =
    "/expertm/ACME/Te Verwerken/Aankopen/20260314-00001_F-1_0451827384.xml offered";

pub const CREATE: OpenFlags = OpenFlags::WRITE.union(OpenFlags::CREATE);
pub const RESUME: OpenFlags = OpenFlags::WRITE;

/// An office whose server fetches, and a scanner that uploads.
pub async fn scene() -> (Gateway, Office, Login) {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let scanner = gateway.device(&office, "scanner", DeviceKind::Source).await;
    (gateway, office, scanner)
}

pub async fn open(peer: &Peer, path: &str, flags: OpenFlags) -> Result<String, StatusCode> {
    let opened = peer.sftp.open(path, flags, FileAttributes::empty()).await;
    opened.map(|handle| handle.handle).map_err(code)
}

pub async fn write(peer: &Peer, handle: &str, offset: u64, bytes: &[u8]) -> Result<(), StatusCode> {
    let written = peer.sftp.write(handle, offset, bytes.to_vec()).await;
    written.map(|_| ()).map_err(code)
}

pub async fn size(peer: &Peer, path: &str) -> Result<u64, StatusCode> {
    let found = peer.sftp.stat(path).await.map_err(code)?;
    Ok(found.attrs.size.unwrap())
}

#[tokio::test]
async fn what_is_put_in_is_offered_when_its_close_is_answered() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let bytes = invoice("F-1", 20_000);
    assert_eq!(peer.list("/").await.unwrap(), ["in", "rejected"]);

    peer.put("/in/F-1.xml", &bytes).await.unwrap();

    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
    assert_eq!(gateway.events(&office).await, ["kept", "offered"]);
    assert_eq!(peer.list("/in").await.unwrap(), ["ACME", "F-1.xml"]);
    assert_eq!(size(&peer, "/in/f-1.XML").await, Ok(20_000));
    let document = gateway.house.blobs.whole(Digest::of(&bytes)).await;
    assert_eq!(document.unwrap(), bytes);
}

#[tokio::test]
async fn a_large_document_is_taken_from_the_disk_and_only_once() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let bytes = invoice("F-1", 9_000_000);

    peer.put("/in/F-1.xml", &bytes).await.unwrap();
    peer.put("/in/once more.xml", &bytes).await.unwrap();

    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
    let events = gateway.events(&office).await;
    assert_eq!(events, ["kept", "offered", "recognised"]);
    let (blobs, strangers) = gateway.house.blobs.list().await.unwrap();
    assert_eq!(blobs, [(Digest::of(&bytes), 9_000_000)]);
    assert_eq!(strangers, Vec::<String>::new());
}

#[tokio::test]
async fn the_order_of_the_writes_and_the_handles_does_not_matter() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let bytes = invoice("F-1", 700_000);
    let first = open(&peer, "/in/F-1.xml", CREATE | OpenFlags::READ)
        .await
        .unwrap();
    let second = open(&peer, "/in/F-1.xml", RESUME).await.unwrap();

    for (at, block) in bytes.chunks(30_000).enumerate().rev() {
        let handle = if at % 2 == 0 { &first } else { &second };
        let offset = (at * 30_000) as u64;
        write(&peer, handle, offset, block).await.unwrap();
    }
    peer.close(&first).await.unwrap();
    assert_eq!(gateway.deliveries(&office).await, Vec::<String>::new());
    peer.close(&second).await.unwrap();

    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

#[tokio::test]
async fn appended_writes_go_to_the_end_whatever_their_offset() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let bytes = invoice("F-1", 5000);
    let flags = CREATE | OpenFlags::APPEND;

    let handle = open(&peer, "/in/F-1.xml", flags).await.unwrap();
    write(&peer, &handle, 0, &bytes[..2000]).await.unwrap();
    write(&peer, &handle, 0, &bytes[2000..]).await.unwrap();
    peer.close(&handle).await.unwrap();

    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

#[tokio::test]
async fn a_temporary_name_is_taken_when_it_is_renamed() {
    // WinSCP, rclone, lftp, and one that nobody foresaw but which begins with a dot.
    for part in [
        "F-1.xml.filepart",
        "F-1.xml.5e6f.partial",
        ".in.F-1.xml.",
        ".F-1.xml~x",
    ] {
        let (gateway, office, scanner) = scene().await;
        let peer = gateway.connect(&scanner).await;
        let part = format!("/in/{part}");
        peer.put(&part, &invoice("F-1", 5000)).await.unwrap();
        assert_eq!(gateway.events(&office).await, Vec::<String>::new());
        assert_eq!(size(&peer, &part).await, Ok(5000));

        // On another connection, as clients do that have several.
        let other = gateway.connect(&scanner).await;
        other.rename(&part, "/in/F-1.xml").await.unwrap();

        assert_eq!(gateway.deliveries(&office).await, [OFFERED], "{part}");
        assert_eq!(peer.list("/in").await.unwrap(), ["ACME", "F-1.xml"]);
    }
}

#[tokio::test]
async fn winscp_writes_sets_the_time_and_renames_over_what_it_put_before() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/F-1.xml", &invoice("F-1", 5000))
        .await
        .unwrap();
    let attrs = FileAttributes {
        size: Some(6000),
        permissions: Some(0o644),
        ..Default::default()
    };
    let flags = CREATE | OpenFlags::TRUNCATE;
    let part = "/in/F-1.xml.filepart";

    let handle = peer.sftp.open(part, flags, attrs).await.unwrap().handle;
    write(&peer, &handle, 0, &invoice("F-2", 6000))
        .await
        .unwrap();
    peer.close(&handle).await.unwrap();
    peer.rename(part, "/in/F-1.xml").await.unwrap();
    let times = FileAttributes {
        mtime: Some(1_600_000_000),
        atime: Some(1_600_000_000),
        ..Default::default()
    };
    peer.sftp.setstat("/in/F-1.xml", times).await.unwrap();

    let shown = peer.sftp.stat("/in/F-1.xml").await.unwrap().attrs;
    assert_eq!((shown.size, shown.mtime), (Some(6000), Some(1_600_000_000)));
    assert_eq!(peer.list("/in").await.unwrap(), ["ACME", "F-1.xml"]);
    assert_eq!(gateway.deliveries(&office).await.len(), 2);
}

#[tokio::test]
async fn removing_and_renaming_what_was_taken_changes_no_document() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/F-1.xml", &invoice("F-1", 5000))
        .await
        .unwrap();

    peer.rename("/in/F-1.xml", "/in/sent.xml").await.unwrap();
    assert_eq!(peer.list("/in").await.unwrap(), ["ACME", "sent.xml"]);
    peer.remove("/in/sent.xml").await.unwrap();

    assert_eq!(peer.list("/in").await.unwrap(), ["ACME"]);
    let again = peer.remove("/in/sent.xml").await;
    assert_eq!(again, Err(StatusCode::NoSuchFile));
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
    assert_eq!(gateway.events(&office).await, ["kept", "offered"]);
}

#[tokio::test]
async fn a_handle_of_a_removed_file_is_not_of_the_next_one_of_that_name() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let whole = invoice("F-1", 5000);
    let (first, rest) = whole.split_at(2000);
    let old = open(&peer, "/in/F-1.xml", CREATE).await.unwrap();
    let written = peer.sftp.write(&old, 0, first.to_vec()).await;
    written.unwrap();
    peer.remove("/in/F-1.xml").await.unwrap();
    let new = open(&peer, "/in/F-1.xml", CREATE).await.unwrap();
    let written = peer.sftp.write(&new, 0, first.to_vec()).await;
    written.unwrap();

    let stale = peer
        .sftp
        .write(&old, 0, b"nothing of the new file".to_vec())
        .await;
    peer.close(&old).await.unwrap();

    let stale = code(stale.unwrap_err());
    assert_eq!(
        stale,
        StatusCode::NoSuchFile,
        "it writes to no file any more"
    );
    assert!(
        gateway.deliveries(&office).await.is_empty(),
        "half a file is not taken in"
    );
    let written = peer.sftp.write(&new, 2000, rest.to_vec()).await;
    written.unwrap();
    peer.close(&new).await.unwrap();
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

#[tokio::test]
async fn a_put_over_an_existing_name_is_a_new_arrival() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    for number in ["F-1", "F-2"] {
        let put = peer.put("/in/scan.xml", &invoice(number, 5000)).await;
        put.unwrap();
    }

    // Opened and closed, as `touch` does, it is what it was; and nothing is read back.
    let handle = open(&peer, "/in/scan.xml", CREATE).await.unwrap();
    peer.close(&handle).await.unwrap();

    assert_eq!(gateway.deliveries(&office).await.len(), 2);
    assert_eq!(size(&peer, "/in/scan.xml").await, Ok(5000));
    let read = peer.get("/in/scan.xml").await;
    assert_eq!(read, Err(StatusCode::PermissionDenied));
    let new = open(&peer, "/in/scan.xml", CREATE | OpenFlags::EXCLUDE).await;
    assert_eq!(new, Err(StatusCode::Failure));
}

#[tokio::test]
async fn what_nobody_can_read_is_kept_and_the_close_is_answered_well() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;

    peer.put("/in/brief.xml", b"no xml").await.unwrap();
    let nobody = crate::gateway::invoice_between("0999999922", "0888888834", "F-9", 3000);
    peer.put("/in/F-9.xml", &nobody).await.unwrap();

    let events = gateway.events(&office).await;
    assert_eq!(events, ["quarantined", "kept", "held"]);
    let kept = gateway.house.blobs.whole(Digest::of(b"no xml")).await;
    assert_eq!(kept.unwrap(), "no xml");
}

#[tokio::test]
async fn an_envelope_is_opened_as_at_every_door() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let bytes = fixture("sbdh-invoice.xml");

    peer.put("/in/envelope.xml", &bytes).await.unwrap();

    assert_eq!(gateway.house.blobs.list().await.unwrap().0.len(), 2);
    assert!(gateway.deliveries(&office).await[0].ends_with("offered"));
}

#[tokio::test]
async fn a_file_that_is_cut_off_and_written_anew_is_what_was_written_last() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let bytes = invoice("F-1", 400_000);
    let handle = open(&peer, "/in/F-1.xml", CREATE).await.unwrap();
    for at in 0..20_u64 {
        write(&peer, &handle, at * 30_000, &[b'x'; 30_000])
            .await
            .unwrap();
    }
    let cut = FileAttributes {
        size: Some(100),
        ..Default::default()
    };
    peer.sftp.fsetstat(&handle, cut).await.unwrap();
    assert_eq!(size(&peer, "/in/F-1.xml").await, Ok(100));

    for (at, block) in bytes.chunks(30_000).enumerate() {
        let offset = (at * 30_000) as u64;
        write(&peer, &handle, offset, block).await.unwrap();
    }
    peer.close(&handle).await.unwrap();

    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

#[tokio::test]
async fn two_sessions_that_write_the_same_name_do_not_mix() {
    let (gateway, office, scanner) = scene().await;
    let (one, other) = (
        gateway.connect(&scanner).await,
        gateway.connect(&scanner).await,
    );
    let (first, second) = (invoice("F-1", 5000), invoice("F-2", 5000));
    let (a, b) = (
        open(&one, "/in/scan.xml", CREATE).await.unwrap(),
        open(&other, "/in/scan.xml", CREATE).await.unwrap(),
    );

    for at in (0..5000).step_by(1000) {
        let (from, to) = (at, at + 1000);
        write(&one, &a, from as u64, &first[from..to])
            .await
            .unwrap();
        write(&other, &b, from as u64, &second[from..to])
            .await
            .unwrap();
    }
    one.close(&a).await.unwrap();
    other.close(&b).await.unwrap();

    let blobs = &gateway.house.blobs;
    assert_eq!(blobs.whole(Digest::of(&first)).await.unwrap(), first);
    assert_eq!(blobs.whole(Digest::of(&second)).await.unwrap(), second);
    assert_eq!(gateway.deliveries(&office).await.len(), 2);
}

#[tokio::test]
async fn many_sessions_at_once_are_each_answered_for_their_own() {
    let (gateway, office, scanner) = scene().await;
    let mut peers = Vec::new();
    for _ in 0..8 {
        peers.push(gateway.connect(&scanner).await);
    }

    let putting = peers.iter().enumerate().map(async |(at, peer)| {
        for nth in 0..10 {
            let number = format!("F-{at}-{nth}");
            let path = format!("/in/{number}.xml");
            peer.put(&path, &invoice(&number, 3000)).await.unwrap();
            let document = Digest::of(&invoice(&number, 3000));
            assert!(gateway.house.blobs.whole(document).await.is_ok());
        }
    });
    futures_util::future::join_all(putting).await;

    let offered = gateway.deliveries(&office).await;
    assert_eq!(offered.len(), 80);
    assert!(offered.iter().all(|line| line.ends_with("offered")));
}

#[tokio::test]
async fn only_a_device_that_may_upload_has_the_folder() {
    let gateway = Gateway::start().await;
    let (office, login) = gateway.office_with(DeviceKind::Mount).await;
    let peer = gateway.connect(&login).await;
    let put = async |name: &str| {
        let path = format!("/in/{name}.xml");
        peer.put(&path, &invoice(name, 5000)).await
    };
    assert_eq!(peer.list("/").await.unwrap(), ["expertm"]);
    assert_eq!(put("F-1").await, Err(StatusCode::NoSuchFile));
    let catalog = &gateway.house.catalog;
    let device = catalog.device(office.firm, "server").await.unwrap();

    let now = gateway.now();
    catalog
        .set_uploads(&device, Uploads::On, now)
        .await
        .unwrap();
    assert_eq!(peer.list("/").await.unwrap(), ["expertm", "in", "rejected"]);
    put("F-1").await.unwrap();
    let handle = open(&peer, "/in/F-2.xml", CREATE).await.unwrap();
    write(&peer, &handle, 0, &invoice("F-2", 5000))
        .await
        .unwrap();
    catalog
        .set_uploads(&device, Uploads::Off, now)
        .await
        .unwrap();

    let closed = peer.close(&handle).await;
    assert_eq!(
        closed,
        Err(StatusCode::PermissionDenied),
        "its right is gone"
    );
    assert_eq!(peer.list("/in").await, Err(StatusCode::NoSuchFile));
    assert!(!peer.exists("/in/F-1.xml").await);
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
    assert_eq!(peer.list(INBOX).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_source_is_one_for_good_and_a_removed_device_puts_nothing_in() {
    let (gateway, office, scanner) = scene().await;
    let catalog = &gateway.house.catalog;
    let device = catalog.device(office.firm, "scanner").await.unwrap();
    let now = gateway.now();
    assert!(
        catalog
            .set_uploads(&device, Uploads::Off, now)
            .await
            .is_err()
    );
    let peer = gateway.connect(&scanner).await;
    let handle = open(&peer, "/in/F-1.xml", CREATE).await.unwrap();
    write(&peer, &handle, 0, &invoice("F-1", 5000))
        .await
        .unwrap();

    catalog
        .remove_device(office.firm, &device, now)
        .await
        .unwrap();

    let closed = peer.close(&handle).await;
    assert_eq!(closed, Err(StatusCode::PermissionDenied));
    assert_eq!(gateway.events(&office).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_firm_puts_in_goes_to_its_own_dossiers_and_nobody_else_sees_it() {
    let (gateway, office, scanner) = scene().await;
    let other = gateway.office("ander").await;
    let theirs = gateway.device(&other, "scanner", DeviceKind::Source).await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/F-1.xml", &invoice("F-1", 5000))
        .await
        .unwrap();
    peer.put("/in/F-2.xml.part", b"<Inv").await.unwrap();

    let stranger = gateway.connect(&theirs).await;

    assert_eq!(stranger.list("/in").await.unwrap(), Vec::<String>::new());
    for path in ["/in/F-1.xml", "/in/F-2.xml.part"] {
        assert!(!stranger.exists(path).await);
        assert_eq!(stranger.remove(path).await, Err(StatusCode::NoSuchFile));
        let resumed = open(&stranger, path, RESUME).await;
        assert_eq!(resumed, Err(StatusCode::NoSuchFile));
    }
    assert_eq!(gateway.deliveries(&other).await, Vec::<String>::new());
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
}

#[tokio::test]
async fn nothing_else_can_be_done_with_the_folder() {
    let (gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/F-1.xml", &invoice("F-1", 5000))
        .await
        .unwrap();

    let made = peer.sftp.mkdir("/in/sub", FileAttributes::empty()).await;
    assert_eq!(code(made.unwrap_err()), StatusCode::PermissionDenied);
    let below = peer.put("/in/sub/F-1.xml", b"x").await;
    assert_eq!(below, Err(StatusCode::NoSuchFile));
    let out = peer.rename("/in/F-1.xml", "/F-1.xml").await;
    assert_eq!(out, Err(StatusCode::PermissionDenied));
    let missing = peer.rename("/in/none", "/in/F-2.xml").await;
    assert_eq!(missing, Err(StatusCode::NoSuchFile));
    let folder = peer.sftp.rmdir("/in").await;
    assert_eq!(code(folder.unwrap_err()), StatusCode::PermissionDenied);
    assert!(
        peer.sftp
            .mkdir("/in", FileAttributes::empty())
            .await
            .is_ok()
    );
    let opened = peer.sftp.opendir("/in/F-1.xml").await;
    assert_eq!(code(opened.unwrap_err()), StatusCode::NoSuchFile);
}
