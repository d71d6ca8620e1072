//! What happens to everybody when a disk, a file or the catalog fails, and when it is well again?
//!
//! The failures are real: a small disk of its own, a folder that may not be changed, a limit of the system, a
//! file that is gone. Where this user may not mount, that is said; with `SLUIS_TEST_CLIENTS` it must be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use sluis::ingest::Arrival;
use sluis::model::{DeviceKind, Digest};
use sluis::wellness::{Cause, Part};

use crate::gateway::{Gateway, Login, Office, invoice};
use crate::interop::{is_here, wait_until};
use crate::peer::Peer;
use crate::program::Program;
use crate::receiver::Receiver;
use crate::telling::{ALLOW, dispatcher, webhook};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";

/// A disk of its own at a folder, until it is dropped.
pub(crate) struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Mounts so many MiB, where that may be done.
    pub(crate) fn mount(at: &Path, mib: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "sluis-test"])
            .arg(at)
            .output();
        let here = mounted.is_ok_and(|mounted| mounted.status.success());
        is_here("the right to mount", here).then(|| Self { at: at.to_owned() })
    }

    /// Leaves no room at all; removing the file that it returns makes some.
    pub(crate) fn fill(&self) -> PathBuf {
        let file = self.at.join("filler");
        let block = vec![0; 64 * 1024];
        let mut filler = fs::File::create(&file).unwrap();
        for size in [block.len(), 4096, 1] {
            use std::io::Write as _;
            while filler
                .write(&block[..size])
                .is_ok_and(|written| written > 0)
            {}
        }
        file
    }

    /// Takes so much of the room.
    fn take(&self, mib: usize) -> PathBuf {
        let file = self.at.join("filler");
        fs::write(&file, vec![0; mib << 20]).unwrap();
        file
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.at).status());
    }
}

/// A gateway whose data is on a disk of its own, with one document for a device that may upload.
struct Scene {
    gateway: Gateway,
    office: Office,
    device: Login,
    disk: Disk,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn on_a_disk_of(mib: u32, lines: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::mount(&folder.path().join("disk"), mib)?;
        Some(Self::on(disk, folder, lines).await)
    }

    async fn on(disk: Disk, folder: tempfile::TempDir, lines: &str) -> Self {
        let data = disk.at.join("data");
        let gateway = Gateway::start_with(&format!("data = '{}'\n{lines}", data.display())).await;
        let (office, device) = gateway.office_with(DeviceKind::Pull).await;
        let catalog = &gateway.house.catalog;
        let (row, now) = (
            catalog.device(office.firm, "server").await.unwrap(),
            gateway.now(),
        );
        catalog
            .set_uploads(&row, sluis::model::Uploads::On, now)
            .await
            .unwrap();
        gateway.receive(&office, invoice("F-1", 2000)).await;
        Self {
            gateway,
            office,
            device,
            disk,
            _folder: folder,
        }
    }

    fn unready(&self) -> Vec<(Part, Cause)> {
        let ready = self.gateway.house.catalog.wellness().ready();
        let unready = ready.err().unwrap_or_default();
        unready.iter().map(|one| (one.part, one.cause)).collect()
    }

    /// What the server does every two seconds.
    async fn tend(&self) {
        let tending = self.gateway.house.tending();
        tending.look_at_room();
        tending.try_all(self.gateway.now()).await;
    }
}

/// Writes a file and closes it; returns what it was refused with.
async fn put(peer: &Peer, path: &str, bytes: &[u8]) -> Result<(), (StatusCode, String)> {
    let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let refused = |error| match error {
        Error::Status(status) => (status.status_code, status.error_message),
        other => panic!("{other}"),
    };
    let opened = peer.sftp.open(path, flags, FileAttributes::empty()).await;
    let handle = opened.map_err(refused)?.handle;
    let mut done = Ok(());
    for (at, block) in bytes.chunks(32 * 1024).enumerate() {
        let offset = (at * 32 * 1024) as u64;
        let written = peer.sftp.write(&handle, offset, block.to_vec()).await;
        let written = written.map(drop).map_err(refused);
        done = done.and(written);
    }
    let closed = peer.sftp.close(&handle).await;
    let closed = closed.map(drop).map_err(refused);
    done.and(closed)
}

async fn first(peer: &Peer) -> String {
    format!("{INBOX}/{}", peer.list(INBOX).await.unwrap()[0])
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_collected_or_taken_and_all_goes_on_when_there_is_room() {
    let Some(scene) = Scene::on_a_disk_of(16, "[disk]\nkeep_free_bytes = 0\n").await else {
        return;
    };
    let peer = scene.gateway.connect(&scene.device).await;
    let name = first(&peer).await;
    let filler = scene.disk.fill();

    let (code, told) = put(&peer, "/in/F-2.xml", &invoice("F-2", 400_000))
        .await
        .unwrap_err();
    assert_eq!(code, StatusCode::Failure);
    assert!(told.contains("the disk of the server is full"), "{told}");
    // Some marks may find room in what the catalog has already; then there is none.
    let handle = peer.open(&name).await.unwrap();
    assert_eq!(peer.read(&handle, 0, u64::MAX).await.unwrap().len(), 2000);
    let closed = peer.sftp.close(&handle).await;
    let Err(Error::Status(status)) = closed else {
        panic!("{closed:?}")
    };
    assert_eq!(status.status_code, StatusCode::Failure);
    assert!(status.error_message.contains("full"), "{status:?}");

    let states = scene.gateway.deliveries(&scene.office).await;
    assert!(states[0].ends_with(" offered"), "{states:?}");
    assert_eq!(states.len(), 1, "nothing was taken");
    let unready = scene.unready();
    assert!(
        unready.contains(&(Part::CatalogWrites, Cause::Full)),
        "{unready:?}"
    );
    assert!(
        unready.contains(&(Part::BlobWrites, Cause::Full)),
        "{unready:?}"
    );
    scene.tend().await;
    assert_eq!(scene.unready(), unready, "it is full still");

    fs::remove_file(filler).unwrap();
    scene.tend().await;

    assert_eq!(scene.unready(), []);
    peer.get(&name).await.unwrap();
    put(&peer, "/in/F-2.xml", &invoice("F-2", 400_000))
        .await
        .unwrap();
    let states = scene.gateway.deliveries(&scene.office).await;
    assert!(
        states[0].ends_with(" collected") && states[1].ends_with(" offered"),
        "{states:?}"
    );
}

#[tokio::test]
async fn a_receiver_is_told_once_and_no_more_while_that_cannot_be_written_down() {
    let lines = format!("[disk]\nkeep_free_bytes = 0\n{ALLOW}");
    let Some(scene) = Scene::on_a_disk_of(16, &lines).await else {
        return;
    };
    let receiver = Receiver::start().await;
    webhook(&scene.gateway, &scene.office, &receiver.url()).await;
    scene
        .gateway
        .receive(&scene.office, invoice("F-2", 2000))
        .await;
    let dispatcher = dispatcher(&scene.gateway);
    let filler = scene.disk.fill();

    // It returns: who would begin again and again would not.
    dispatcher.turn().await.unwrap();
    dispatcher.turn().await.unwrap();

    let told = receiver.seen().len();
    assert_eq!(told, 2, "kept, and offered");
    let unready = scene.unready();
    assert!(
        unready.contains(&(Part::CatalogWrites, Cause::Full)),
        "{unready:?}"
    );
    fs::remove_file(filler).unwrap();
    scene.tend().await;
    dispatcher.turn().await.unwrap();
    assert_eq!(receiver.seen().len(), 2 * told, "at most a round again");
    dispatcher.turn().await.unwrap();
    assert_eq!(receiver.seen().len(), 2 * told);
}

#[tokio::test]
async fn with_little_room_nothing_new_is_taken_and_what_is_here_is_fetched_and_marked() {
    let lines = "[disk]\nkeep_free_bytes = 8388608\n";
    let Some(scene) = Scene::on_a_disk_of(32, lines).await else {
        return;
    };
    let peer = scene.gateway.connect(&scene.device).await;
    let begun = peer
        .sftp
        .open(
            "/in/F-3.xml",
            OpenFlags::WRITE | OpenFlags::CREATE,
            FileAttributes::empty(),
        )
        .await
        .unwrap()
        .handle;
    peer.sftp
        .write(&begun, 0, invoice("F-3", 900))
        .await
        .unwrap();
    let flags = OpenFlags::WRITE | OpenFlags::CREATE;
    let open = async |path: &str| peer.sftp.open(path, flags, FileAttributes::empty()).await;
    let whole = open("/in/F-5.xml").await.unwrap().handle;
    let written = peer.sftp.write(&whole, 0, invoice("F-5", 900)).await;
    written.unwrap();
    let filler = scene.disk.take(24);

    scene.tend().await;

    assert_eq!(scene.unready(), [(Part::Space, Cause::Full)]);
    let (code, told) = put(&peer, "/in/F-2.xml", &invoice("F-2", 900))
        .await
        .unwrap_err();
    assert_eq!(code, StatusCode::Failure);
    assert!(told.contains("disk of the server is full"), "{told}");
    let more = peer.sftp.write(&begun, 900, b"<!-- -->".to_vec()).await;
    assert!(more.is_err(), "nor is what was begun gone on with");
    assert_eq!(
        peer.close(&begun).await,
        Err(StatusCode::Failure),
        "and nobody takes the half of it"
    );
    assert_eq!(
        peer.close(&whole).await,
        Err(StatusCode::Failure),
        "nor is what was whole before"
    );
    assert!(open("/in/F-6.xml").await.is_err(), "nothing is begun");
    let drop = Arrival::new("test:document", invoice("F-4", 900));
    let taken = scene
        .gateway
        .house
        .ingest
        .take(scene.office.firm, vec![drop], scene.gateway.now());
    assert!(taken.await.is_err(), "whatever the door");
    peer.get(&first(&peer).await).await.unwrap();
    let states = scene.gateway.deliveries(&scene.office).await;
    assert!(
        states.len() == 1 && states[0].ends_with(" collected"),
        "{states:?}"
    );

    fs::remove_file(filler).unwrap();
    scene.tend().await;

    assert_eq!(scene.unready(), []);
    put(&peer, "/in/F-2.xml", &invoice("F-2", 900))
        .await
        .unwrap();
}

#[tokio::test]
async fn blobs_that_cannot_be_written_take_nothing_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(&folder.path().join("disk"), 16) else {
        return;
    };
    // The documents are on a disk of their own, which the system makes read-only after an error.
    let blobs = disk.at.join("data/blobs");
    fs::create_dir_all(&blobs).unwrap();
    let mount = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-o", options]).arg(&blobs).arg(&blobs);
        assert!(mount.status().unwrap().success());
    };
    mount("bind");
    let scene = Scene::on(disk, folder, "[disk]\nkeep_free_bytes = 0\n").await;
    let peer = scene.gateway.connect(&scene.device).await;
    mount("remount,bind,ro");

    let (code, told) = put(&peer, "/in/F-2.xml", &invoice("F-2", 900))
        .await
        .unwrap_err();

    assert_eq!(code, StatusCode::Failure);
    assert!(told.contains("cannot write to its disk"), "{told}");
    assert_eq!(scene.unready(), [(Part::BlobWrites, Cause::ReadOnly)]);
    scene.tend().await;
    assert_eq!(scene.unready(), [(Part::BlobWrites, Cause::ReadOnly)]);
    mount("remount,bind,rw");
    scene.tend().await;
    assert_eq!(scene.unready(), []);
    put(&peer, "/in/F-2.xml", &invoice("F-2", 900))
        .await
        .unwrap();
    assert_eq!(scene.gateway.deliveries(&scene.office).await.len(), 2);
}

#[tokio::test]
async fn a_blob_that_is_gone_or_torn_is_told_and_collected_when_it_is_back() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let taken = gateway.receive(&office, invoice("F-1", 2000)).await;
    let digest = taken.digest.to_string();
    let blob = gateway
        .house
        .config
        .data
        .join("blobs")
        .join(&digest[..2])
        .join(&digest);
    let whole = fs::read(&blob).unwrap();
    let wellness = gateway.house.catalog.wellness();
    for broken in ["gone", "torn"] {
        let peer = gateway.connect(&device).await;
        let name = first(&peer).await;
        fs::remove_file(&blob).unwrap();
        if broken == "torn" {
            fs::write(&blob, &whole[..700]).unwrap();
        }

        let got = peer.get(&name).await;

        assert_eq!(got, Err(StatusCode::Failure), "{broken}");
        let unready = wellness.ready().unwrap_err();
        assert_eq!(unready[0].part, Part::BlobReads);
        assert!(unready[0].why.contains(&digest), "{unready:?}");
        gateway.house.tending().try_all(gateway.now()).await;
        assert!(!wellness.is_well(), "{broken} still");
        let states = gateway.deliveries(&office).await;
        assert!(states[0].ends_with(" offered"), "{states:?}");
        fs::write(&blob, &whole).unwrap();
        gateway.pass_ms(60 * 60 * 1000);
        gateway.house.tending().try_all(gateway.now()).await;
        assert!(wellness.is_well(), "{broken} is back");
    }
    let peer = gateway.connect(&device).await;
    assert_eq!(peer.get(&first(&peer).await).await.unwrap(), whole);
    assert!(gateway.deliveries(&office).await[0].ends_with(" collected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_another_program_holds_is_told_and_nothing_is_collected() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let peer = gateway.connect(&device).await;
    peer.sftp.set_timeout(60);
    let name = first(&peer).await;
    let wellness = gateway.house.catalog.wellness();
    let holder = {
        use sqlx::Connection as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(gateway.catalog_file());
        let mut holder = sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        sqlx::raw_sql("begin immediate")
            .execute(&mut holder)
            .await
            .unwrap();
        holder
    };
    let handle = peer.open(&name).await.unwrap();
    peer.read(&handle, 0, u64::MAX).await.unwrap();

    // It waits for the fifteen seconds that another process may hold it.
    let closed = peer.sftp.close(&handle).await;
    let Err(Error::Status(status)) = closed else {
        panic!("{closed:?}")
    };

    assert!(
        status.error_message.contains("held by another program"),
        "{status:?}"
    );
    assert_eq!(wellness.ready().unwrap_err()[0].cause, Cause::Locked);
    assert!(gateway.deliveries(&office).await[0].ends_with(" offered"));
    drop(holder);
    gateway.house.tending().try_all(gateway.now()).await;
    assert!(wellness.is_well());
    peer.get(&name).await.unwrap();
    assert!(gateway.deliveries(&office).await[0].ends_with(" collected"));
}

#[tokio::test]
async fn a_catalog_that_was_moved_away_under_the_server_is_told() {
    let mut gateway = Gateway::start().await;
    let tending = gateway.house.tending();
    let (file, aside) = (
        gateway.catalog_file(),
        gateway.house.config.data.join("aside"),
    );
    let office = gateway.office("kantoor").await;
    let arrival = |number: &str| vec![Arrival::new("drop:x.xml", invoice(number, 900))];
    fs::rename(&file, &aside).unwrap();

    // Whoever is first is not told that it is taken, though SQLite has written it; and nobody behind him is.
    let wellness = gateway.house.catalog.wellness().clone();
    for number in ["F-1", "F-2"] {
        let taking = gateway
            .house
            .ingest
            .take(office.firm, arrival(number), gateway.now());
        assert!(taking.await.is_err());
        assert!(wellness.has_room().is_err());
    }
    assert!(!file.exists(), "and no empty catalog takes its place");
    tending.try_all(gateway.now()).await;
    let unready = wellness.ready().unwrap_err();
    assert_eq!(
        (unready[0].part, unready[0].cause),
        (Part::CatalogWrites, Cause::Gone)
    );
    fs::rename(&aside, &file).unwrap();
    tending.try_all(gateway.now()).await;
    assert!(wellness.is_well());
    gateway.drain().await;
}

#[tokio::test]
async fn a_document_is_not_taken_into_an_empty_folder_where_the_blobs_were() {
    let mut gateway = Gateway::start().await;
    let tending = gateway.house.tending();
    let blobs = gateway.house.config.blob_folder();
    let aside = gateway.house.config.data.join("aside");
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let catalog = &gateway.house.catalog;
    let row = catalog.device(office.firm, "server").await.unwrap();
    let allowing = catalog.set_uploads(&row, sluis::model::Uploads::On, gateway.now());
    allowing.await.unwrap();
    let peer = gateway.connect(&device).await;
    // As an unmounted disk leaves it.
    fs::rename(&blobs, &aside).unwrap();
    fs::create_dir(&blobs).unwrap();

    let dropped = vec![Arrival::new("drop:x.xml", invoice("F-1", 900))];
    let taking = gateway
        .house
        .ingest
        .take(office.firm, dropped, gateway.now());
    assert!(taking.await.is_err());
    // One that stays in memory, and one that waits in a file.
    for bytes in [900, 400_000] {
        let put = put(&peer, "/in/F-2.xml", &invoice("F-2", bytes)).await;
        let (code, told) = put.unwrap_err();
        assert_eq!(code, StatusCode::Failure);
        assert!(told.contains("its operator must look"), "{told}");
    }
    let wellness = gateway.house.catalog.wellness().clone();
    let unready = || wellness.ready().unwrap_err().remove(0);
    assert_eq!(
        (unready().part, unready().cause),
        (Part::BlobWrites, Cause::Gone)
    );
    assert!(
        unready().why.contains("is another one"),
        "{}",
        unready().why
    );
    tending.try_all(gateway.now()).await;
    assert_eq!(unready().part, Part::BlobWrites);
    assert_eq!(gateway.deliveries(&office).await.len(), 0);

    fs::remove_dir_all(&blobs).unwrap();
    fs::rename(&aside, &blobs).unwrap();
    tending.try_all(gateway.now()).await;
    assert!(wellness.is_well());
    put(&peer, "/in/F-2.xml", &invoice("F-2", 900))
        .await
        .unwrap();
    assert_eq!(gateway.deliveries(&office).await.len(), 1);
    drop(peer);
    gateway.drain().await;
}

#[test]
fn where_the_disk_of_the_documents_is_not_mounted_nothing_begins() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 2000)]);
    let (blobs, aside) = (
        program.path("sluis/data/blobs"),
        program.path("sluis/data/aside"),
    );
    fs::rename(&blobs, &aside).unwrap();
    let file = program.path("F-2.xml");
    fs::write(&file, invoice("F-2", 2000)).unwrap();

    for is_there in [false, true] {
        if is_there {
            fs::create_dir(&blobs).unwrap();
        }
        for arguments in [
            &["serve"][..],
            &["ingest", "kantoor", file.to_str().unwrap()],
        ] {
            let refused = program.run(arguments);
            assert_eq!(refused.status.code(), Some(1));
            let why = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(why.contains("mount its disk"), "{why}");
            assert_eq!(blobs.exists(), is_there, "no folder is made in its place");
        }
    }
    fs::remove_dir(&blobs).unwrap();
    fs::rename(&aside, &blobs).unwrap();

    program.ok(&["ingest", "kantoor", file.to_str().unwrap()]);
    assert_eq!(program.states(), ["offered", "offered"]);
}

#[test]
fn a_catalog_of_rubbish_is_refused_before_anything_is_served_with_what_to_do() {
    let program = Program::init();
    let file = program.path("sluis/data/catalog.sqlite");
    fs::write(
        &file,
        "this is no database, but some text that somebody has put here",
    )
    .unwrap();
    for beside in ["-wal", "-shm"] {
        drop(fs::remove_file(
            program.path(&format!("sluis/data/catalog.sqlite{beside}")),
        ));
    }

    let refused = program.run(&["serve"]);

    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("is damaged, or is no catalog"), "{why}");
    assert!(why.contains("sluis restore"), "{why}");
    assert!(
        fs::read_to_string(&file).unwrap().starts_with("this is no"),
        "and left as it is"
    );
}

#[test]
fn a_flipped_byte_is_found_by_a_deep_fsck() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 2000)]);
    let row = program.json(&["documents", "kantoor"]).remove(0);
    let digest = row["digest"].as_str().unwrap();
    let blob = program
        .path("sluis/data/blobs")
        .join(&digest[..2])
        .join(digest);
    let mut bytes = fs::read(&blob).unwrap();
    bytes[1000] ^= 1;
    fs::set_permissions(&blob, fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(&blob, bytes).unwrap();

    program.ok(&["fsck"]);
    let found = program.run(&["fsck", "--deep"]);

    assert_eq!(found.status.code(), Some(1));
    let told = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(
        told.contains("wrong_content") && told.contains(digest) && told.contains("of `kantoor`"),
        "{told}"
    );
    let from = format!("copy `blobs/{}/{digest}` from a backup", &digest[..2]);
    assert!(told.contains(&from), "{told}");
}

#[test]
fn a_torn_document_and_a_lost_one_are_found_by_fsck_without_reading_any() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 2000), invoice("F-2", 3000)]);
    let rows = program.json(&["documents", "kantoor"]);
    let blob = |at: usize| {
        let digest = rows[at]["digest"].as_str().unwrap();
        let blobs = program.path("sluis/data/blobs");
        (digest, blobs.join(&digest[..2]).join(digest))
    };
    program.ok(&["fsck"]);
    let ((torn, file), (lost, gone)) = (blob(0), blob(1));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(700)
        .unwrap();
    fs::remove_file(gone).unwrap();

    let found = program.run(&["fsck"]);

    assert_eq!(found.status.code(), Some(1));
    let told = String::from_utf8_lossy(&found.stdout).into_owned();
    let line = |start: &str| told.lines().find(|line| line.starts_with(start));
    assert!(
        line("wrong_size").is_some_and(|line| line.contains(torn)),
        "{told}"
    );
    assert!(
        line("lost").is_some_and(|line| line.contains(lost)),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_bytes_of_an_upload_that_was_not_accepted_are_called_by_its_name() {
    let mut program = Program::init();
    let scanner = program.device_of("scanner", "source");
    program.serve();
    let peer = Peer::connect(program.address.unwrap(), &scanner.login).await;
    peer.put("/in/brief.xml", b"no xml").await.unwrap();
    drop(peer);
    assert_eq!(program.terminate(), Some(0));
    program.ingest(&[invoice("F-1", 2000)]);
    let digest = Digest::of(b"no xml").to_string();
    let blobs = program.path("sluis/data/blobs");
    fs::remove_file(blobs.join(&digest[..2]).join(&digest)).unwrap();
    let name = "`brief.xml` in `/rejected` of device `kantoor.scanner`";

    let lost = program.run(&["fsck"]);
    // Its time is over before that of the note.
    let keep = ["--keep-in-view", "1d", "--keep-documents", "1d"];
    program.ok(&[&["firm", "set", "kantoor"][..], &keep].concat());
    let old = "update document set received_at = 1, again_at = null where id = 1 returning id";
    tokio::task::block_in_place(|| program.query(old));
    program.ok(&["retention", "run", "kantoor", "--unread"]);
    let only_shown = program.ok(&["fsck"]);

    assert_eq!(lost.status.code(), Some(1));
    let lost = String::from_utf8(lost.stdout).unwrap();
    let whose = format!("(document 1 of `kantoor`, {name})");
    assert!(lost.starts_with("lost") && lost.contains(&whose), "{lost}");
    let shown = format!("lost_rejected  {digest}: ");
    assert!(only_shown.starts_with(&shown), "{only_shown}");
    assert!(only_shown.contains(name), "{only_shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_system_is_told_once_and_the_server_goes_on() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    let mut limited = Command::new("sh");
    // In blocks of 512 bytes: no file of the server becomes larger than 2 MiB.
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" serve"])
        .arg(env!("CARGO_BIN_EXE_sluis"))
        .env("SLUIS_CONFIG", program.path("sluis/sluis.toml"));
    program.serve_by(limited);
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;

    for number in ["F-1", "F-2", "F-3"] {
        let large = invoice(number, 5 << 20);
        let (code, told) = put(&peer, &format!("/in/{number}.xml"), &large)
            .await
            .unwrap_err();
        assert_eq!(code, StatusCode::Failure);
        assert!(told.contains("disk of the server is full"), "{told}");
    }
    put(&peer, "/in/F-4.xml", &invoice("F-4", 9000))
        .await
        .unwrap();
    wait_until(|| program.log_says("Well again: storing documents"));

    assert!(program.log_count("Cannot store documents") <= 2, "no flood");
    assert_eq!(
        program.log_count("ERROR"),
        program.log_count("Cannot store documents")
    );
    assert_eq!(peer.list(INBOX).await.unwrap().len(), 1);
    assert_eq!(program.terminate(), Some(0));
    assert_eq!(program.json(&["documents", "kantoor"]).len(), 1);
}

#[test]
fn a_server_without_descriptors_lets_devices_in_again_when_it_has_some() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.serve();
    let address = program.address.unwrap();
    // So that what is opened only once is open.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { Peer::connect(address, &device.login).await.leave().await });
    wait_until(|| program.has_no_session());
    let open = fs::read_dir(format!("/proc/{}/fd", program.process())).unwrap();
    let most = open.count() + 6;
    let limited = Command::new("prlimit")
        .args(["--pid", &program.process().to_string()])
        .arg(format!("--nofile={most}:{most}"))
        .status();
    if !is_here("prlimit", limited.is_ok_and(|limited| limited.success())) {
        return;
    }

    let begun = tokio::time::Instant::now();
    let silent: Vec<_> = (0..12)
        .map(|_| std::net::TcpStream::connect(address).unwrap())
        .collect();
    wait_until(|| program.log_says("Could not accept connections"));
    drop(silent);

    wait_until(|| {
        let again = Peer::try_connect(address, &device.login);
        runtime.block_on(again).is_some()
    });
    assert_eq!(program.terminate(), Some(0));
    // It is told again when a minute has passed.
    let minutes = usize::try_from(begun.elapsed().as_secs() / 60).unwrap();
    let told = program.log_count("Could not accept connections");
    assert!((1..=1 + minutes).contains(&told), "{told}");
}

/// More than any disk has.
const MORE_THAN_ALL: &str = "[disk]\nkeep_free_bytes = 9000000000000000000\n";

/// Adds lines to the configuration, and returns it as it was.
fn configured(program: &Program, lines: &str) -> String {
    let file = program.path("sluis/sluis.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n{lines}")).unwrap();
    text
}

#[test]
fn below_what_is_kept_free_nothing_is_ingested_and_the_same_command_takes_it_later() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let source = program.path("F-1.xml");
    fs::write(&source, invoice("F-1", 900)).unwrap();
    let before = configured(&program, MORE_THAN_ALL);
    let ingest = ["ingest", "kantoor", source.to_str().unwrap()];

    let refused = program.run(&ingest);

    assert_eq!(refused.status.code(), Some(1));
    let said = [refused.stdout, refused.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("MiB free, and"), "why: {said}");
    assert_eq!(program.json(&["documents", "kantoor"]).len(), 0);
    assert!(source.exists(), "it stays where it is");
    program.ok(&["fsck"]);

    fs::write(program.path("sluis/sluis.toml"), before).unwrap();
    program.ok(&ingest);
    assert_eq!(program.json(&["documents", "kantoor"]).len(), 1);
}

#[test]
fn an_ingest_that_uses_up_the_room_stops_in_the_middle_and_goes_on_later() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let data = program.path("sluis/data");
    let kept = program.path("kept");
    fs::create_dir(&kept).unwrap();
    crate::gateway::copy_all(&data, &kept);
    let Some(disk) = Disk::mount(&data, 32) else {
        return;
    };
    crate::gateway::copy_all(&kept, &data);
    configured(&program, "[disk]\nkeep_free_bytes = 8388608\n");
    // One file more than are taken together: they take two MiB, and there is one.
    let folder = program.path("many");
    fs::create_dir(&folder).unwrap();
    for at in 0..65 {
        let name = folder.join(format!("{at:05}.xml"));
        fs::write(name, invoice(&format!("F-{at}"), 40_000)).unwrap();
    }
    let free = sluis::tending::room(&data).unwrap().free_bytes;
    let mib = usize::try_from(free >> 20).unwrap() - 9;
    let filler = disk.take(mib);
    let ingest = ["ingest", "kantoor", folder.to_str().unwrap()];

    let stopped = program.run(&ingest);

    assert_eq!(stopped.status.code(), Some(1));
    assert_eq!(program.json(&["documents", "kantoor"]).len(), 64);
    program.ok(&["fsck", "--deep"]);
    fs::remove_file(filler).unwrap();
    program.ok(&ingest);
    assert_eq!(program.json(&["documents", "kantoor"]).len(), 65);
}

#[test]
fn what_is_dropped_below_what_is_kept_free_is_taken_after_a_reload_that_keeps_less() {
    let mut program = Program::init();
    program.device("server", "pull", "ACME");
    let quick = "[drop]\nrescan_seconds = 1\nsettle_ms = 500\n";
    let before = configured(&program, &format!("{quick}{MORE_THAN_ALL}"));
    let dropped = program.path("sluis/data/drop/kantoor/F-1.xml");
    fs::write(&dropped, invoice("F-1", 900)).unwrap();
    program.serve();
    wait_until(|| program.log_says("Dropped files stay where they are"));
    assert!(dropped.exists());
    assert_eq!(program.json(&["documents", "kantoor"]).len(), 0);

    let less = format!("{before}\n{quick}[disk]\nkeep_free_bytes = 0\n");
    fs::write(program.path("sluis/sluis.toml"), less).unwrap();
    program.signal("HUP");

    wait_until(|| !dropped.exists());
    assert_eq!(program.terminate(), Some(0));
    assert_eq!(program.json(&["documents", "kantoor"]).len(), 1);
}

#[test]
fn dropped_files_wait_for_room_and_are_taken_by_themselves_when_there_is_some() {
    let mut program = Program::init();
    program.device("server", "pull", "ACME");
    let data = program.path("sluis/data");
    let kept = program.path("kept");
    fs::create_dir(&kept).unwrap();
    crate::gateway::copy_all(&data, &kept);
    let Some(disk) = Disk::mount(&data, 32) else {
        return;
    };
    crate::gateway::copy_all(&kept, &data);
    let file = program.path("sluis/sluis.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = format!(
        "{text}\n[disk]\nkeep_free_bytes = 8388608\n[drop]\nrescan_seconds = 1\nsettle_ms = 500\n"
    );
    fs::write(&file, text).unwrap();
    let filler = disk.take(26);
    fs::write(data.join("drop/kantoor/F-1.xml"), invoice("F-1", 900)).unwrap();

    program.serve();
    wait_until(|| program.log_says("Dropped files stay where they are"));
    wait_until(|| program.log_says("Nothing new is taken"));
    assert!(data.join("drop/kantoor/F-1.xml").exists());
    fs::remove_file(filler).unwrap();
    wait_until(|| !data.join("drop/kantoor/F-1.xml").exists());

    wait_until(|| program.log_says("Well again: room on the disk"));
    assert_eq!(program.terminate(), Some(0));
    assert_eq!(program.log_count("Dropped files stay where they are"), 1);
    assert_eq!(program.log_count("Nothing new is taken"), 1);
    assert_eq!(program.log_count("Well again: room on the disk"), 1);
    assert_eq!(program.json(&["documents", "kantoor"]).len(), 1);
}

/// Writes over one page of the catalog: the first of a table.
pub fn break_page(program: &Program, table: &str) {
    program.query("pragma wal_checkpoint(truncate)");
    let root = format!("select rootpage from sqlite_schema where name = '{table}'");
    let number = |question: &str| u64::try_from(program.query(question)[0][0]).unwrap();
    let (page, bytes) = (number(&root), number("pragma page_size"));
    let file = fs::OpenOptions::new()
        .write(true)
        .open(program.path("sluis/data/catalog.sqlite"))
        .unwrap();
    let rubbish = vec![0xa5; usize::try_from(bytes).unwrap()];
    std::os::unix::fs::FileExt::write_all_at(&file, &rubbish, (page - 1) * bytes).unwrap();
}

#[test]
fn a_damaged_page_that_nobody_meets_is_found_beside_serving_and_told_once() {
    let mut program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 900)]);
    configured(&program, "[metrics]\nlisten = \"127.0.0.1:0\"\n");
    break_page(&program, "document");

    program.serve();

    let readiness = || crate::seeing::get(program.metrics.unwrap(), "/readyz");
    wait_until(|| readiness().0 == "503");
    assert!(readiness().2.contains("catalog_writes"));
    wait_until(|| program.log_says("The catalog is damaged"));
    assert_eq!(program.terminate(), Some(0));
    assert_eq!(program.log_count("The catalog is damaged"), 1);
    assert!(program.log_says("sluis fsck"));
}

#[test]
fn a_damaged_page_that_the_open_meets_says_what_to_do_and_the_documents_can_be_kept() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 900)]);
    break_page(&program, "_sqlx_migrations");
    let to = program.path("kept");

    for arguments in [&["serve"][..], &["status"], &["fsck"]] {
        let refused = program.run(arguments);
        assert_eq!(refused.status.code(), Some(1));
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            why.contains("is damaged") && why.contains("sluis restore"),
            "{why}"
        );
    }
    let found = program.run(&["doctor"]);
    let told = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(
        !told.contains("sluis init") && told.contains("`sluis restore`"),
        "{told}"
    );
    let kept = program.run(&["backup", to.to_str().unwrap()]);
    assert_eq!(kept.status.code(), Some(1));
    let why = String::from_utf8_lossy(&kept.stderr).into_owned();
    assert!(why.contains("the documents alone are kept"), "{why}");
    let unlisted = fs::read_to_string(to.join("unlisted.txt")).unwrap();
    let kept = fs::read(to.join(unlisted.trim_end())).unwrap();
    assert_eq!(kept, invoice("F-1", 900));
}

#[test]
fn a_damaged_page_that_logins_meet_is_told_by_readiness_and_stays_told() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 900)]);
    configured(&program, "[metrics]\nlisten = \"127.0.0.1:0\"\n");
    program.ok(&["fsck"]);
    break_page(&program, "device_key");
    program.serve();
    let readiness = || crate::seeing::get(program.metrics.unwrap(), "/readyz");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let knocking = Peer::try_connect(program.address.unwrap(), &device.login);
    assert!(runtime.block_on(knocking).is_none());

    wait_until(|| readiness().0 == "503");
    let (_, _, body) = readiness();
    assert!(
        body.contains("catalog_writes") && !body.contains("disk of"),
        "{body}"
    );
    wait_until(|| program.log_says("The catalog is damaged"));
    assert_eq!(
        readiness().0,
        "503",
        "that something can be written mends nothing"
    );
    assert_eq!(program.log_count("Well again"), 0);
    let found = program.run(&["fsck"]);
    assert_eq!(found.status.code(), Some(1));
    let told = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(
        told.lines().any(|line| line.starts_with("damaged  ")),
        "{told}"
    );
}

/// A disk of its own in a file, with a file system that turns read-only when it fails, under whoever has files open.
struct FailingDisk {
    at: PathBuf,
    image: PathBuf,
}

impl FailingDisk {
    /// Makes and mounts it, where that may be done.
    #[expect(clippy::print_stderr, reason = "what is not tried is said")]
    fn mount(at: &Path, image: PathBuf) -> Option<Self> {
        let file = fs::File::create(&image).unwrap();
        file.set_len(64 << 20).unwrap();
        let disk = Self {
            at: at.to_owned(),
            image,
        };
        let mut make = Command::new("mkfs.ext4");
        let here = succeeds(make.args(["-q", "-F"]).arg(&disk.image))
            && disk.try_mount()
            && fs::OpenOptions::new()
                .write(true)
                .open(disk.failure())
                .is_ok();
        if !here {
            // Not every machine that may mount has files as disks.
            eprintln!("not tried: no file can be mounted here, and made to fail");
        }
        here.then_some(disk)
    }

    fn try_mount(&self) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop,errors=remount-ro"]);
        succeeds(mount.arg(&self.image).arg(&self.at))
    }

    /// Where the system takes the wish that it fails.
    fn failure(&self) -> PathBuf {
        let found = Command::new("findmnt")
            .args(["-n", "-o", "SOURCE"])
            .arg(&self.at)
            .output();
        let device = String::from_utf8(found.unwrap().stdout).unwrap();
        let name = device.trim().trim_start_matches("/dev/").to_owned();
        Path::new("/sys/fs/ext4")
            .join(name)
            .join("trigger_fs_error")
    }

    fn fail(&self) {
        fs::write(self.failure(), "a test").unwrap();
    }

    /// What an operator does, once nobody has files open there.
    fn mend(&self) {
        assert!(succeeds(Command::new("umount").arg(&self.at)));
        let mut check = Command::new("e2fsck");
        let checked = check.arg("-fy").arg(&self.image).output().unwrap();
        // 1: it has mended something.
        assert!(checked.status.code().is_some_and(|code| code <= 1));
        assert!(self.try_mount());
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        succeeds(Command::new("umount").arg("-l").arg(&self.at));
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|done| done.status.success())
}

#[test]
fn on_a_disk_that_turns_read_only_nothing_is_acknowledged_and_what_was_is_there_afterwards() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    let data = program.path("sluis/data");
    let kept = program.path("kept");
    fs::create_dir(&kept).unwrap();
    crate::gateway::copy_all(&data, &kept);
    let Some(disk) = FailingDisk::mount(&data, program.path("image")) else {
        return;
    };
    crate::gateway::copy_all(&kept, &data);
    // What was there before is no matter of the server's.
    assert!(succeeds(Command::new("sync").arg("-f").arg(&data)));
    configured(&program, "[disk]\nkeep_free_bytes = 0\n");
    program.ingest(&[invoice("F-1", 2000)]);
    program.serve();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let connect = |program: &Program| {
        let connecting = Peer::try_connect(program.address.unwrap(), &device.login);
        runtime.block_on(connecting)
    };
    let put = |peer: &Peer, number: &str| {
        let (path, bytes) = (format!("/in/{number}.xml"), invoice(number, 900));
        runtime.block_on(put(peer, &path, &bytes))
    };
    let peer = connect(&program).unwrap();
    put(&peer, "F-2").unwrap();

    disk.fail();

    let (code, told) = put(&peer, "F-3").unwrap_err();
    assert_eq!(code, StatusCode::Failure);
    assert!(told.contains("cannot write to its disk"), "{told}");
    runtime.block_on(async {
        let handle = peer.open(&first(&peer).await).await.unwrap();
        let got = peer.read(&handle, 0, u64::MAX).await.unwrap();
        assert_eq!(got.len(), 2000, "what is here is still read");
        let closed = peer.sftp.close(&handle).await;
        assert!(closed.is_err(), "and nobody has collected it: {closed:?}");
    });
    for told in ["Cannot store documents", "Cannot write to the catalog"] {
        wait_until(|| program.log_says(told));
        assert_eq!(program.log_count(told), 1, "{}", program.log());
    }
    let why = "is mounted read-only; nothing is acknowledged meanwhile";
    assert!(program.log_says(why), "{}", program.log());
    program.kill();
    disk.mend();
    program.serve();
    let peer = connect(&program).unwrap();
    put(&peer, "F-3").unwrap();
    runtime.block_on(async { peer.get(&first(&peer).await).await.unwrap() });
    drop(peer);
    assert_eq!(program.terminate(), Some(0));
    program.ok(&["fsck", "--deep"]);
    assert_eq!(program.states(), ["collected", "offered", "offered"]);
}
