//! What does a device see of what it put into `/in` and was not accepted?

use std::time::Duration;

use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use sluis::catalog::REJECTED_MS;
use sluis::model::{DeviceKind, Digest};
use sluis::upload::SHELF_MS;

use crate::clients::{Scene, expect, installed};
use crate::gateway::{Gateway, Login, Office, invoice, until};
use crate::peer::{Peer, code, session_over};
use crate::program::Program;
use crate::uploading::{CREATE, OFFERED, open, write};

/// An office whose server fetches, and a scanner that uploads files of 1300 bytes at the most.
async fn scene() -> (Gateway, Office, Login) {
    let gateway = Gateway::start_with("[uploads]\nfile_bytes_max = 1300").await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let scanner = gateway.device(&office, "scanner", DeviceKind::Source).await;
    (gateway, office, scanner)
}

async fn text(peer: &Peer, path: &str) -> String {
    let text = String::from_utf8(peer.get(path).await.unwrap()).unwrap();
    text.replace("\r\n", "\n")
}

#[tokio::test]
async fn what_nobody_can_read_shows_as_it_was_beside_the_reason() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    assert_eq!(peer.list("/").await.unwrap(), ["in", "rejected"]);
    assert_eq!(peer.list("/rejected").await.unwrap(), Vec::<String>::new());

    peer.put("/in/ACME/brief.xml", b"no xml").await.unwrap();

    let listed = peer.list("/rejected").await.unwrap();
    assert_eq!(listed, ["brief.xml", "brief.xml.txt"]);
    let kept = peer.get("/rejected/BRIEF.xml").await.unwrap();
    assert_eq!(kept, b"no xml");
    let told = text(&peer, "/rejected/brief.xml.txt").await;
    insta::assert_snapshot!(told, @r"
    Dit bestand werd naar geen enkele boekhoudsoftware verzonden.

    Bestand: /in/ACME/brief.xml
    Grootte: 6 bytes
    Reden: het is niet leesbaar als document: het is geen leesbare XML, maar misschien een afbeelding, een archief of een tekst

    Wat geplaatst werd, is bewaard, en het nogmaals plaatsen verandert niets. Vraag het document opnieuw aan de afzender, of verbeter het, en plaats dat in de map `in`.

    Geweigerd op: 2026-03-14 09:00 CET
    ");
    let stat = peer.sftp.stat("/rejected/brief.xml").await.unwrap().attrs;
    assert_eq!(stat.size, Some(6));
    assert_eq!(i64::from(stat.mtime.unwrap()) * 1000, gateway.now().0);
    // Reading it is nothing that happens to a document.
    assert_eq!(gateway.events(&office).await, ["quarantined"]);
}

#[tokio::test]
async fn what_never_got_its_name_is_told_to_whoever_put_it() {
    let (gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/F-1.xml.part", &invoice("F-1", 1300))
        .await
        .unwrap();
    peer.leave().await;

    gateway.pass_ms(SHELF_MS + 1);

    let peer = gateway.connect(&scanner).await;
    assert_eq!(peer.list("/in").await.unwrap(), ["ACME"]);
    until_rejected(&peer).await;
    assert_eq!(peer.list("/rejected").await.unwrap(), ["F-1.xml.part.txt"]);
    let told = text(&peer, "/rejected/F-1.xml.part.txt").await;
    let why = "Grootte: 1300 bytes\nReden: het werd onder een tijdelijke naam geplaatst, en kreeg een dag lang geen andere\n";
    assert!(told.contains(why), "{told}");
}

/// Waits until a device sees what was not accepted: what is told beside its sessions, each two seconds.
async fn until_rejected(peer: &Peer) {
    until(async || !peer.list("/rejected").await.unwrap().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_waits_until_what_others_left_is_noted_which_is_done_when_it_can_be() {
    let (gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/F-1.xml.part", &invoice("F-1", 1300))
        .await
        .unwrap();
    let holder = {
        use sqlx::Connection as _;
        let file = format!("sqlite://{}", gateway.catalog_file().display());
        let mut holder = sqlx::SqliteConnection::connect(&file).await.unwrap();
        let holding = sqlx::raw_sql("begin immediate").execute(&mut holder);
        holding.await.unwrap();
        holder
    };
    gateway.pass_ms(SHELF_MS + 1);

    let beginning = async {
        let channel = peer.ssh.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        let sftp = session_over(channel.into_stream());
        sftp.init().await.map(drop)
    };
    // Whoever writes waits for fifteen.
    let begun = tokio::time::timeout(Duration::from_secs(14), beginning).await;

    assert!(begun.is_ok_and(|begun| begun.is_ok()));
    drop(holder);
    until_rejected(&peer).await;
    assert_eq!(peer.list("/rejected").await.unwrap(), ["F-1.xml.part.txt"]);
}

#[tokio::test]
async fn a_note_that_meets_a_damaged_page_holds_up_no_other() {
    let (mut gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    for name in ["A", "B"] {
        let path = format!("/in/{name}.xml.part");
        peer.put(&path, &invoice(name, 1300)).await.unwrap();
    }
    // What SQLite says of a damaged page, met by the first note alone.
    gateway.tampered = true;
    let damage = "
        create virtual table damaged using rtree (id, low, high);
        update damaged_node set data = cast(x'ffff' || substr(data, 3) as blob);
        create trigger meets_damage before insert on rejection when new.path = '/in/A.xml.part'
        begin insert into damaged values (1, 0, 1); end;";
    {
        use sqlx::Connection as _;
        let file = format!("sqlite://{}", gateway.catalog_file().display());
        let mut other = sqlx::SqliteConnection::connect(&file).await.unwrap();
        sqlx::raw_sql(damage).execute(&mut other).await.unwrap();
    }

    gateway.pass_ms(SHELF_MS + 1);

    until_rejected(&peer).await;
    assert_eq!(peer.list("/rejected").await.unwrap(), ["B.xml.part.txt"]);
}

#[tokio::test]
async fn a_file_one_byte_too_large_is_refused_and_only_the_text_shows() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    let (most, more) = (invoice("F-1", 1300), invoice("F-2", 1301));
    assert_eq!((most.len(), more.len()), (1300, 1301));

    peer.put("/in/F-1.xml", &most).await.unwrap();
    let refused = peer.put("/in/F-2.xml", &more).await;

    assert_eq!(refused, Err(StatusCode::Failure));
    assert_eq!(gateway.deliveries(&office).await, [OFFERED]);
    assert_eq!(peer.list("/rejected").await.unwrap(), ["F-2.xml.txt"]);
    let told = text(&peer, "/rejected/F-2.xml.txt").await;
    assert!(
        told.contains("Reden: het is groter dan 1300 bytes\n"),
        "{told}"
    );
    assert!(told.contains("Het is niet bewaard."), "{told}");
    let file = peer.get("/rejected/F-2.xml").await;
    assert_eq!(file, Err(StatusCode::NoSuchFile));
    assert!(gateway.house.blobs.whole(Digest::of(&more)).await.is_err());
    // Who is cut off meanwhile finds the reason, too.
    let handle = open(&peer, "/in/F-3.xml", CREATE).await.unwrap();
    let past = write(&peer, &handle, 1300, b"x").await;
    assert_eq!(past, Err(StatusCode::Failure));
    peer.hang_up();
    let peer = gateway.connect(&scanner).await;
    let listed = peer.list("/rejected").await.unwrap();
    assert_eq!(listed, ["F-2.xml.txt", "F-3.xml.txt"]);
}

#[tokio::test]
async fn nobody_else_sees_what_was_not_accepted() {
    let (gateway, office, scanner) = scene().await;
    let second = gateway.device(&office, "second", DeviceKind::Source).await;
    let other = gateway.office("ander").await;
    let theirs = gateway.device(&other, "scanner", DeviceKind::Source).await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/brief.xml", b"no xml").await.unwrap();

    for stranger in [&second, &theirs] {
        let stranger = gateway.connect(stranger).await;
        assert_eq!(
            stranger.list("/rejected").await.unwrap(),
            Vec::<String>::new()
        );
        for name in ["brief.xml", "brief.xml.txt"] {
            let path = format!("/rejected/{name}");
            assert!(!stranger.exists(&path).await);
            assert_eq!(stranger.get(&path).await, Err(StatusCode::NoSuchFile));
            assert!(stranger.remove(&path).await.is_err());
        }
        // The same bytes are recognised, and then are its own.
        stranger.put("/in/mine.xml", b"no xml").await.unwrap();
        let listed = stranger.list("/rejected").await.unwrap();
        assert_eq!(listed, ["mine.xml", "mine.xml.txt"]);
    }
    assert_eq!(peer.list("/rejected").await.unwrap().len(), 2);
    let server = gateway.device(&office, "plain", DeviceKind::Pull).await;
    let server = gateway.connect(&server).await;
    assert!(!server.exists("/rejected").await);
}

#[tokio::test]
async fn a_device_removes_the_file_and_the_text_from_its_sight_and_from_nowhere_else() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/brief.xml", b"no xml").await.unwrap();

    peer.remove("/rejected/brief.xml").await.unwrap();
    assert_eq!(peer.list("/rejected").await.unwrap(), ["brief.xml.txt"]);
    let again = peer.remove("/rejected/brief.xml").await;
    assert_eq!(again, Err(StatusCode::NoSuchFile));
    peer.remove("/rejected/brief.xml.txt").await.unwrap();

    assert_eq!(peer.list("/rejected").await.unwrap(), Vec::<String>::new());
    assert_eq!(gateway.events(&office).await, ["quarantined"]);
    let kept = gateway.house.blobs.whole(Digest::of(b"no xml")).await;
    assert_eq!(kept.unwrap(), "no xml");
    // Put once more it is news.
    peer.put("/in/brief.xml", b"no xml").await.unwrap();
    assert_eq!(peer.list("/rejected").await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_same_file_again_is_one_entry_and_another_of_its_name_a_second() {
    let (gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    for bytes in ["no xml", "no xml", "nor this"] {
        peer.put("/in/brief.xml", bytes.as_bytes()).await.unwrap();
        gateway.pass_ms(1000);
    }
    peer.put("/in/brief.xml.part", b"no xml, either")
        .await
        .unwrap();
    peer.rename("/in/brief.xml.part", "/in/last.xml")
        .await
        .unwrap();

    let listed = peer.list("/rejected").await.unwrap();

    let names = ["brief (2).xml", "brief (2).xml.txt", "brief.xml"];
    let more = ["brief.xml.txt", "last.xml", "last.xml.txt"];
    assert_eq!(listed, [names, more].concat());
    let second = peer.get("/rejected/brief (2).xml").await.unwrap();
    assert_eq!(second, b"nor this");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_in_the_end_is_no_longer_noted_as_refused() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    program.serve();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    for name in ["F-1.xml", "F-2.xml", "F-3.xml"] {
        let path = format!("/in/{name}");
        peer.put(&path, b"no xml").await.unwrap();
    }
    peer.put("/in/F-1.xml", b"nor this").await.unwrap();
    assert_eq!(peer.list("/rejected").await.unwrap().len(), 8);

    peer.put("/in/f-1.XML", &invoice("F-1", 2000))
        .await
        .unwrap();

    let left = ["F-2.xml", "F-2.xml.txt", "F-3.xml", "F-3.xml.txt"];
    assert_eq!(peer.list("/rejected").await.unwrap(), left);
    // What was noted before a restart is known as well; under a temporary name nothing was accepted yet.
    program.kill();
    program.serve();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    let part = invoice("F-2", 2000);
    peer.put("/in/F-2.xml.part", &part).await.unwrap();
    assert_eq!(peer.list("/rejected").await.unwrap(), left);
    peer.rename("/in/F-2.xml.part", "/in/F-2.xml")
        .await
        .unwrap();
    let left = ["F-3.xml", "F-3.xml.txt"];
    assert_eq!(peer.list("/rejected").await.unwrap(), left);
    // The same document once more is accepted, too.
    peer.put("/in/F-3.xml", &part).await.unwrap();
    assert_eq!(peer.list("/rejected").await.unwrap(), Vec::<String>::new());
    assert_eq!(program.events("quarantined"), 2, "what was kept is kept");
}

#[tokio::test]
async fn another_devices_note_on_the_same_path_stays() {
    let (gateway, office, scanner) = scene().await;
    let second = gateway.device(&office, "second", DeviceKind::Source).await;
    let (one, other) = (
        gateway.connect(&scanner).await,
        gateway.connect(&second).await,
    );
    for peer in [&one, &other] {
        peer.put("/in/F-1.xml", b"no xml").await.unwrap();
    }

    one.put("/in/F-1.xml", &invoice("F-1", 1300)).await.unwrap();

    assert_eq!(one.list("/rejected").await.unwrap(), Vec::<String>::new());
    assert_eq!(other.list("/rejected").await.unwrap().len(), 2);
}

#[tokio::test]
async fn after_a_week_it_is_forgotten() {
    let (gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/brief.xml", b"no xml").await.unwrap();

    gateway.pass_ms(REJECTED_MS);
    assert!(peer.exists("/rejected/brief.xml.txt").await);
    gateway.pass_ms(1);

    assert!(!peer.exists("/rejected/brief.xml.txt").await);
    assert_eq!(peer.list("/rejected").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_unfinished_upload_is_not_rejected() {
    let (gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;

    assert!(peer.put("/in/empty.xml", b"").await.is_err());
    peer.put("/in/F-1.xml.part", b"<Inv").await.unwrap();
    let handle = open(&peer, "/in/gap.xml", CREATE).await.unwrap();
    write(&peer, &handle, 10, b"x").await.unwrap();
    assert!(peer.close(&handle).await.is_err());

    assert_eq!(peer.list("/rejected").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn the_folder_can_be_read_and_removed_from_and_nothing_more() {
    let (gateway, _, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;
    peer.put("/in/brief.xml", b"no xml").await.unwrap();

    let denied = Err(StatusCode::PermissionDenied);
    let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE;
    let opened = open(&peer, "/rejected/brief.xml", flags).await;
    assert_eq!(opened.map(drop), denied);
    let put = peer.put("/rejected/new.xml", b"x").await;
    assert_eq!(put, denied);
    let moved = peer.rename("/rejected/brief.xml", "/in/brief.xml").await;
    assert_eq!(moved, denied);
    let moved = peer.rename("/in/brief.xml", "/rejected/x.xml").await;
    assert_eq!(moved, denied);
    let folder = peer.sftp.rmdir("/rejected").await;
    assert_eq!(code(folder.unwrap_err()), StatusCode::PermissionDenied);
    let listed = peer.sftp.opendir("/rejected/brief.xml").await;
    assert_eq!(code(listed.unwrap_err()), StatusCode::NoSuchFile);
    let attributes = FileAttributes {
        mtime: Some(0),
        atime: Some(0),
        ..Default::default()
    };
    let path = "/rejected/brief.xml";
    peer.sftp.setstat(path, attributes).await.unwrap();
    let stat = peer.sftp.stat(path).await.unwrap().attrs;
    assert_ne!(stat.mtime, Some(0), "accepted, and ignored");
    assert_eq!(peer.get(path).await.unwrap(), b"no xml");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_accepted_still_shows_after_a_restart() {
    let mut program = Program::init();
    let device = program.device("server", "mount", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    program.serve();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    peer.put("/in/one.xml", b"no xml").await.unwrap();
    peer.put("/in/two.xml", b"nor this").await.unwrap();
    peer.remove("/rejected/one.xml").await.unwrap();

    program.kill();
    program.serve();

    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    let listed = peer.list("/rejected").await.unwrap();
    assert_eq!(listed, ["one.xml.txt", "two.xml", "two.xml.txt"]);
    assert_eq!(peer.get("/rejected/two.xml").await.unwrap(), b"nor this");
    assert_eq!(program.events("quarantined"), 2);
}

#[test]
fn sftp_puts_into_a_dossiers_folder_and_fetches_what_was_not_accepted_with_its_reason() {
    if !installed("sftp") {
        return;
    }
    let scene = Scene::new("pull", &[]);
    let uploads = ["device", "set", "kantoor", "server", "--uploads", "on"];
    scene.program.ok(&uploads);
    std::fs::write(scene.here.join("F-1.xml"), invoice("F-1", 2000)).unwrap();
    std::fs::write(scene.here.join("brief.xml"), b"no xml").unwrap();

    let lines = "put *.xml /in/ACME/\nls -1 /in/ACME\nget /rejected/brief.xml.txt\n\
                 get /rejected/brief.xml back.xml\nrm /rejected/*\nls -1 /rejected\n\
                 -rm /in/ACME\n-put F-1.xml /rejected/\n";
    let output = scene.sftp(&[], lines);

    expect(&output);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("/in/ACME/brief.xml"), "{printed}");
    assert_eq!(scene.program.states(), ["offered"]);
    let back = std::fs::read(scene.here.join("back.xml")).unwrap();
    assert_eq!(back, b"no xml");
    let why = std::fs::read_to_string(scene.here.join("brief.xml.txt")).unwrap();
    assert!(why.contains("Reden: het is niet leesbaar"), "{why}");
    let left = scene.sftp(&[], "ls -1 /rejected\n");
    let left = String::from_utf8_lossy(&left.stdout);
    assert!(!left.contains("brief"), "{left}");
    assert_eq!(scene.program.events("quarantined"), 1);
}
