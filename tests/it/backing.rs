//! What does a backup keep, and does it come back?

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;

use crate::gateway::invoice;
use crate::interop::{Over, wait_until};
use crate::peer::Peer;
use crate::program::{Device, Program};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";

/// A program with two documents, of which the first is collected, and its server still running.
async fn office() -> (Program, Device) {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-0", 2000)]);
    program.serve();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    pull_all(&peer).await;
    drop(peer);
    program.ingest(&[invoice("F-1", 3000)]);
    (program, device)
}

async fn pull_all(peer: &Peer) -> usize {
    let names = peer.list(INBOX).await.unwrap();
    for name in &names {
        peer.get(&format!("{INBOX}/{name}")).await.unwrap();
    }
    names.len()
}

fn backup(program: &Program) -> (String, Value) {
    let to = program.path("backup").to_str().unwrap().to_owned();
    let told = program.json(&["backup", &to]).remove(0);
    (to, told)
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_while_it_served_comes_back_as_it_was() {
    let (mut program, device) = office().await;
    let (to, first) = backup(&program);
    assert_eq!(
        (&first["contents"], &first["copied"]),
        (&2.into(), &2.into())
    );
    program.ingest(&[invoice("F-2", 4000)]);
    let (_, second) = backup(&program);
    assert_eq!(
        (&second["contents"], &second["copied"]),
        (&3.into(), &1.into()),
        "only what is new"
    );
    let documents = program.ok(&["documents", "kantoor", "--json"]);
    let events = program.ok(&["events", "kantoor", "--json"]);
    let fingerprint = program.host_fingerprint();
    program.kill();
    fs::remove_dir_all(program.path("sluis")).unwrap();

    let into = program.path("sluis").to_str().unwrap().to_owned();
    program.ok(&["restore", &to, &into]);

    assert_eq!(program.ok(&["documents", "kantoor", "--json"]), documents);
    assert_eq!(program.ok(&["events", "kantoor", "--json"]), events);
    assert_eq!(program.host_fingerprint(), fingerprint);
    program.ok(&["fsck", "--deep"]);
    program.ok(&["events", "verify"]);
    program.ok(&["events", "replay"]);
    program.ok(&["check"]);
    program.serve();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    assert_eq!(
        pull_all(&peer).await,
        2,
        "what was collected is not offered again"
    );
    drop(peer);
    program.terminate();
    assert_eq!(program.states(), ["collected", "collected", "collected"]);
}

#[test]
fn each_backup_that_is_made_while_documents_come_in_is_whole_and_of_one_moment() {
    let (program, _) = tokio::runtime::Runtime::new().unwrap().block_on(office());
    let (come, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut contents = Vec::new();

    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                let next = come.load(Ordering::SeqCst) + 10;
                program.ingest(&[invoice(&format!("F-{next}"), 2000)]);
                come.fetch_add(1, Ordering::SeqCst);
            }
        });
        for at in 0..3 {
            let before = come.load(Ordering::SeqCst);
            let (to, told) = backup(&program);
            contents.push(told["contents"].as_u64().unwrap());
            restores_whole(&program, &to, &format!("again-{at}"));
            // So that there is more for the next.
            wait_until(|| come.load(Ordering::SeqCst) > before + 1);
        }
    });

    assert!(
        contents.is_sorted_by(|one, next| one < next),
        "{contents:?}"
    );
}

/// Restores a backup, and has everything in it looked at.
fn restores_whole(program: &Program, backup: &str, name: &str) {
    let into = program.path(name);
    program.ok(&["restore", backup, into.to_str().unwrap()]);
    for look in [
        &["fsck", "--deep"][..],
        &["events", "verify"],
        &["events", "replay"],
    ] {
        let mut command = program.command(look);
        let looked = command
            .env("SLUIS_CONFIG", into.join("sluis.toml"))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&looked.stdout).into_owned();
        assert!(looked.status.success(), "{name}: {look:?}: {told}");
    }
}

#[test]
fn a_restore_is_tried_beside_the_house_that_it_is_of_and_leaves_that_alone() {
    let (program, _) = tokio::runtime::Runtime::new().unwrap().block_on(office());
    let (file, live) = (program.path("sluis/sluis.toml"), program.path("sluis/data"));
    let text = fs::read_to_string(&file).unwrap();
    let named = format!("data = \"{}\"", live.display());
    let text = text.replacen("data = \"data\"", &named, 1);
    assert!(text.contains(&named), "{text}");
    fs::write(&file, text).unwrap();
    let url = "https://receiver.example/told";
    program.ok(&["webhook", "add", "kantoor", url]);
    let (to, _) = backup(&program);
    let into = program.path("tried");
    let deeds = program.json(&["deeds"]).len();

    let why = refusal(&program, &["restore", &to, into.to_str().unwrap()]);
    let offered = format!("SLUIS_DATA={}", into.join("data").display());
    let (offer, last) = (why.find(&offered), why.find("move it away"));
    assert!(offer.is_some() && offer < last, "{why}");
    let with = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.env("SLUIS_DATA", into.join("data"));
        command.env("SLUIS_CONFIG", into.join("sluis.toml"));
        command.output().unwrap()
    };
    let restored = with(&["restore", &to, into.to_str().unwrap()]);

    let told = String::from_utf8_lossy(&restored.stderr).into_owned();
    assert!(restored.status.success(), "{told}");
    assert!(told.contains("needs `SLUIS_DATA` too"), "{told}");
    assert!(told.contains("tells 1 webhooks"), "{told}");
    assert!(with(&["fsck", "--deep"]).status.success());
    assert!(into.join("data/catalog.sqlite").exists());
    assert_eq!(
        program.json(&["deeds"]).len(),
        deeds,
        "nothing is done to the live one"
    );
    let nowhere = program.path("nothing");
    fs::create_dir(&nowhere).unwrap();
    let why = refusal(&program, &["restore", nowhere.to_str().unwrap(), "x"]);
    assert!(why.contains("is no backup"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_read_a_backup_and_one_folder_holds_one() {
    let (program, _) = office().await;
    backup(&program);
    let (to, _) = backup(&program);

    let names: Vec<_> = fs::read_dir(&to)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let count = |start: &str| names.iter().filter(|name| name.starts_with(start)).count();
    assert_eq!((count("catalog-"), count("house-")), (1, 1), "{names:?}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(Path::new(&to)), 0);
    for file in files(Path::new(&to)) {
        let name = file.display().to_string();
        if name.contains("host-keys") || name.contains("catalog-") {
            assert_eq!(mode(&file), 0, "{name}");
        }
    }
    let inside = program.path("sluis/data/backup");
    let refused = program.run(&["backup", inside.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_leaves_the_one_before_it() {
    let (program, _) = office().await;
    let (to, _) = backup(&program);
    let folder = Path::new(&to);
    let manifest = fs::read(folder.join("backup.json")).unwrap();
    // What one leaves behind that was killed before its last step.
    fs::write(folder.join("catalog-1.sqlite"), "half").unwrap();
    fs::create_dir(folder.join("house-1")).unwrap();
    fs::write(folder.join("backup.json.part"), "{").unwrap();
    let into = program.path("again").to_str().unwrap().to_owned();

    program.ok(&["restore", &to, &into]);
    backup(&program);

    assert!(!folder.join("catalog-1.sqlite").exists());
    assert!(!folder.join("house-1").exists());
    assert_ne!(fs::read(folder.join("backup.json")).unwrap(), manifest);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_backup_is_made_there_is_no_second_one_and_nothing_is_restored_from_it() {
    let (program, _) = office().await;
    let (to, _) = backup(&program);
    // As the backup that is being made now.
    let lock = fs::File::open(Path::new(&to).join("backup.lock")).unwrap();
    lock.try_lock().unwrap();
    let into = program.path("again").to_str().unwrap().to_owned();

    for command in [
        &["backup", to.as_str()][..],
        &["restore", to.as_str(), into.as_str()],
    ] {
        let refused = program.run(command);

        assert_eq!(refused.status.code(), Some(1), "{command:?}");
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(why.contains("wait for its end"), "{why}");
    }

    assert!(!Path::new(&into).exists());
    drop(lock);
    program.ok(&["restore", &to, &into]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_waits_while_documents_are_removed() {
    let (program, _) = office().await;
    let (to, _) = backup(&program);
    let before = files(Path::new(&to));
    // As whoever removes what has expired.
    let lock = fs::File::options()
        .create(true)
        .append(true)
        .open(program.path("sluis/data/blobs.lock"))
        .unwrap();
    lock.lock().unwrap();
    let mut second = program.command(&["backup", &to]).spawn().unwrap();

    // The system shows who waits for a lock behind an arrow.
    let waits = || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let of = format!(" {} ", second.id());
        locks
            .lines()
            .any(|line| line.contains("->") && line.contains(&of))
    };
    wait_until(waits);
    assert_eq!(files(Path::new(&to)), before, "it has copied nothing yet");
    drop(lock);

    assert!(second.wait().unwrap().success());
    assert_ne!(files(Path::new(&to)), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_damaged_is_told_and_never_restored_as_if_it_were_whole() {
    let (program, _) = office().await;
    let (to, _) = backup(&program);
    let all = files(&Path::new(&to).join("blobs"));
    let good = fs::read(&all[0]).unwrap();
    let mut bad = good.clone();
    bad[10] ^= 1;
    fs::write(&all[0], &bad).unwrap();

    let into = program.path("damaged").to_str().unwrap().to_owned();
    let told = program.run(&["restore", &to, &into]);
    assert_eq!(told.status.code(), Some(1));
    let name = all[0].file_name().unwrap().to_str().unwrap();
    let why = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(why.contains(name) && why.contains("have changed"), "{why}");

    program.ok(&["backup", &to]);
    assert_eq!(fs::read(&all[0]).unwrap(), bad, "only `--deep` reads it");
    program.ok(&["backup", &to, "--deep"]);
    assert_eq!(fs::read(&all[0]).unwrap(), good);

    // A part of the house that somebody has changed.
    let all = files(Path::new(&to));
    let part = |end: &str| {
        let found = all
            .iter()
            .find(|file| file.display().to_string().ends_with(end));
        found.unwrap().clone()
    };
    let key = part("ssh_host_ed25519_key.pub");
    let good = fs::read(&key).unwrap();
    fs::write(&key, "ssh-ed25519 of somebody else").unwrap();
    let into = program.path("another").to_str().unwrap().to_owned();
    let told = program.run(&["restore", &to, &into]);
    assert_eq!(told.status.code(), Some(1));
    let why = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(why.contains("is not what the backup says it is"), "{why}");
    assert!(!program.path("another").exists());
    fs::write(&key, good).unwrap();

    let catalog = files(Path::new(&to));
    let catalog = catalog
        .iter()
        .find(|file| file.display().to_string().ends_with(".sqlite"));
    let mut bytes = fs::read(catalog.unwrap()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(catalog.unwrap(), bytes).unwrap();
    let into = program.path("other").to_str().unwrap().to_owned();
    let told = program.run(&["restore", &to, &into]);
    assert_eq!(told.status.code(), Some(1));
    assert!(!program.path("other").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_has_changed_where_it_is_kept_is_never_backed_up_as_what_it_was() {
    let (program, _) = office().await;
    let blob = &files(&program.path("sluis/data/blobs"))[0];
    let good = fs::read(blob).unwrap();
    let mut bad = good.clone();
    bad[10] ^= 1;
    fs::set_permissions(blob, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(blob, &bad).unwrap();
    let to = program.path("backup").to_str().unwrap().to_owned();

    let told = program.run(&["backup", &to, "--json"]);

    assert_eq!(told.status.code(), Some(1));
    let made: Value = serde_json::from_slice(&told.stdout).unwrap();
    let lost = made["lost"].as_array().unwrap();
    assert_eq!(lost.len(), 1, "{made}");
    let kept = files(&Path::new(&to).join("blobs"));
    assert_eq!(kept.len(), 1, "only the one that is whole");
    assert!(kept.iter().all(|one| fs::read(one).unwrap() != bad));
    // Put right, it is in the next.
    fs::write(blob, &good).unwrap();
    program.ok(&["backup", &to]);
    restores_whole(&program, &to, "again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_lost_is_told_and_comes_back_from_the_backup_before() {
    let (program, _) = office().await;
    let (to, _) = backup(&program);
    let blobs = files(&program.path("sluis/data/blobs"));
    fs::remove_file(&blobs[0]).unwrap();
    program.ok(&["backup", &to]);
    program.ingest(&[invoice("F-9", 900)]);
    let new = files(&program.path("sluis/data/blobs"))
        .into_iter()
        .find(|file| !blobs.contains(file));
    fs::remove_file(new.unwrap()).unwrap();

    let told = program.run(&["backup", &to, "--json"]);

    assert_eq!(told.status.code(), Some(1));
    let made: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(made["lost"].as_array().unwrap().len(), 1);
    let into = program.path("again").to_str().unwrap().to_owned();
    let restored = program.run(&["restore", &to, &into]);
    assert_eq!(restored.status.code(), Some(1));
    assert!(
        program
            .path("again/data/blobs")
            .join(
                blobs[0]
                    .strip_prefix(program.path("sluis/data/blobs"))
                    .unwrap()
            )
            .exists()
    );
    let refused = program.run(&["restore", &to, &into]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("nothing is written over"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_other_books_is_never_written_over() {
    let (program, _) = office().await;
    let (to, _) = backup(&program);
    let kept = files(Path::new(&to));
    // The machine is made anew, and its timer comes before anybody restores.
    let new = Program::init();
    let refused = new.run(&["backup", &to]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("firm `kantoor` is further than here"), "{why}");
    assert_eq!(
        files(Path::new(&to))
            .iter()
            .filter(|file| kept.contains(file))
            .count(),
        kept.len()
    );

    // An older copy came back, and went on by itself.
    let into = program.path("older").to_str().unwrap().to_owned();
    program.ok(&["restore", &to, &into]);
    program.ingest(&[invoice("F-8", 900)]);
    backup(&program);
    let older = program.path("older/sluis.toml");
    let mut behind = program.command(&["backup", &to]);
    let refused = behind.env("SLUIS_CONFIG", older).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    program.ok(&["backup", &to, "--deep"]);
}

#[test]
fn a_firm_that_was_removed_is_missed_in_its_own_house_only() {
    let (program, _) = tokio::runtime::Runtime::new().unwrap().block_on(office());
    let (to, _) = backup(&program);
    let manifest = || fs::read(Path::new(&to).join("backup.json")).unwrap();
    let kept = manifest();
    // The machine is made anew, and its first firm, which has a typing error, is removed again.
    let new = program.path("new");
    program.ok(&["init", new.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let of_new = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.env("SLUIS_CONFIG", new.join("sluis.toml"));
        command.output().unwrap()
    };
    for arguments in [
        &["firm", "add", "kantor", "--name", "K", "--language", "nl"][..],
        &["firm", "remove", "kantor"],
        &["firm", "add", "kantoor", "--name", "K", "--language", "nl"],
    ] {
        assert!(of_new(arguments).status.success(), "{arguments:?}");
    }

    let refused = of_new(&["backup", &to]);

    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("firm `kantoor` is further than here"), "{why}");
    assert_eq!(manifest(), kept);
    // In the house that removes one itself the backups go on.
    program.ok(&["firm", "add", "typo", "--name", "T", "--language", "nl"]);
    backup(&program);
    program.ok(&["firm", "remove", "typo"]);
    backup(&program);
}

#[test]
fn what_has_expired_leaves_a_backup_with_the_second_one_after() {
    let (program, _) = tokio::runtime::Runtime::new().unwrap().block_on(office());
    let (to, _) = backup(&program);
    let count = || files(&Path::new(&to).join("blobs")).len();
    assert_eq!(count(), 2);
    program.ok(&[
        "firm",
        "set",
        "kantoor",
        "--keep-in-view",
        "1d",
        "--keep-documents",
        "1d",
    ]);
    program.query("update document set received_at = 1000");
    program.query("update delivery set created_at = 1000, offered_at = 1000, collected_at = 1000, read_at = 1000 where state = 'collected'");
    program.query("update session set ended_at = 2000, started_at = 1000");

    program.ok(&["retention", "run", "kantoor"]);

    assert_eq!(files(&program.path("sluis/data/blobs")).len(), 1);
    backup(&program);
    assert_eq!(
        count(),
        2,
        "a setting that was a mistake can still be mended"
    );
    backup(&program);
    assert_eq!(count(), 1);
    let into = program.path("again").to_str().unwrap().to_owned();
    program.ok(&["restore", &to, &into]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_leads_a_backup_into_the_data() {
    let (program, _) = office().await;
    let link = program.path("link");
    std::os::unix::fs::symlink(program.path("sluis"), &link).unwrap();
    let blobs = files(&program.path("sluis/data/blobs"));

    for to in ["data", "data/x", "", "data/../../sluis/data"] {
        let to = link.join(to).to_str().unwrap().to_owned();
        let refused = program.run(&["backup", &to]);
        assert_eq!(refused.status.code(), Some(1), "{to}");
    }

    assert_eq!(files(&program.path("sluis/data/blobs")), blobs);
}

#[test]
fn a_folder_that_is_no_backup_loses_nothing_to_one() {
    let program = Program::init();
    program.ingest(&[invoice("F-0", 2000)]);
    // The data of another house; somebody's own files; the disk on which the documents lie.
    let other = Program::init();
    other.ingest(&[invoice("F-1", 3000)]);
    let theirs = other.path("sluis/data");
    let own = program.path("own");
    fs::create_dir_all(own.join("house-photos")).unwrap();
    fs::write(own.join("house-photos/1.jpg"), "us").unwrap();
    let (disk, blobs) = (program.path("disk"), program.path("sluis/data/blobs"));
    fs::create_dir(&disk).unwrap();
    fs::rename(&blobs, disk.join("blobs")).unwrap();
    std::os::unix::fs::symlink(disk.join("blobs"), &blobs).unwrap();

    for folder in [theirs, own.clone(), disk] {
        let kept = files(&folder);
        let why = refusal(&program, &["backup", folder.to_str().unwrap()]);
        let is_told = why.contains("is no backup") || why.contains("would be lost");
        assert!(is_told, "{why}");
        assert_eq!(files(&folder), kept);
    }

    // Beside a backup that counts, too.
    fs::rename(&own, program.path("backup")).unwrap();
    let photo = program.path("backup/house-photos/1.jpg");
    let aside = program.path("aside");
    fs::rename(program.path("backup/house-photos"), &aside).unwrap();
    backup(&program);
    fs::rename(&aside, program.path("backup/house-photos")).unwrap();
    backup(&program);
    assert!(photo.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn host_keys_configuration_and_what_it_names_come_back_and_some_keys_may_be_elsewhere() {
    let (program, _) = office().await;
    let keys = program.path("sluis/data/host-keys");
    // From before there was one; and one that the service manager passes.
    for gone in [
        "ssh_host_ecdsa_key",
        "ssh_host_ecdsa_key.pub",
        "ssh_host_rsa_key",
    ] {
        fs::remove_file(keys.join(gone)).unwrap();
    }
    let file = program.path("sluis/sluis.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("profiles = \"profiles\"\n{text}")).unwrap();
    fs::create_dir(program.path("sluis/profiles")).unwrap();
    let own = include_str!("../../config/profiles/generic.toml");
    fs::write(program.path("sluis/profiles/generic.toml"), own).unwrap();
    let (to, _) = backup(&program);
    let into = program.path("again").to_str().unwrap().to_owned();

    program.ok(&["restore", &to, &into]);

    let of = |folder: &str| {
        let folder = program.path(folder);
        let all = files(&folder).into_iter();
        let kept = all.filter(|file| {
            let name = file.display().to_string();
            name.contains("host-keys") || name.ends_with(".toml")
        });
        kept.map(|file| {
            let name = file.strip_prefix(&folder).unwrap().to_owned();
            (name, fs::read(&file).unwrap())
        })
        .collect::<Vec<_>>()
    };
    let was = of("sluis");
    assert_eq!(was.len(), 5, "three files of keys, configuration, profile");
    assert_eq!(of("again"), was);
    // One that nothing stands for is missed.
    fs::remove_file(keys.join("ssh_host_ed25519_key")).unwrap();
    fs::remove_file(keys.join("ssh_host_ed25519_key.pub")).unwrap();
    let refused = program.run(&["backup", &to]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("ssh_host_ed25519_key"), "{why}");
}

/// What a command said that failed.
fn refusal(program: &Program, arguments: &[&str]) -> String {
    let refused = program.run(arguments);
    assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
    String::from_utf8_lossy(&refused.stderr).into_owned()
}

#[test]
fn whoever_restores_a_house_with_its_drop_folders_elsewhere_is_told() {
    let program = Program::init();
    let (dropped, file) = (program.path("dropped"), program.path("sluis/sluis.toml"));
    fs::create_dir(&dropped).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let root = dropped.display();
    fs::write(&file, format!("{text}\n[drop]\nroot = \"{root}\"\n")).unwrap();
    let path = |name: &str| program.path(name).to_str().unwrap().to_owned();
    program.ok(&["backup", &path("backup")]);

    let beside = program.run(&["restore", &path("backup"), &path("beside")]);
    let mut apart = program.command(&["restore", &path("backup"), &path("apart")]);
    let apart = apart.env("SLUIS_DROP_ROOT", path("apart/drop")).output();

    let told = String::from_utf8_lossy(&beside.stderr).into_owned();
    assert!(beside.status.success(), "{told}");
    assert!(told.contains("is taken by whoever serves first"), "{told}");
    let apart = apart.unwrap();
    let told = String::from_utf8_lossy(&apart.stderr).into_owned();
    assert!(apart.status.success(), "{told}");
    assert!(!told.contains("whoever serves first"), "{told}");
}

#[test]
fn what_only_variables_name_comes_back_beside_the_configuration() {
    let program = Program::init();
    let (profiles, roots) = (program.path("own"), program.path("own.pem"));
    fs::create_dir(&profiles).unwrap();
    let own = include_str!("../../config/profiles/generic.toml");
    fs::write(profiles.join("generic.toml"), own).unwrap();
    fs::write(&roots, "of our own").unwrap();
    let to = program.path("backup").to_str().unwrap().to_owned();
    let into = program.path("again").to_str().unwrap().to_owned();
    let mut backup = program.command(&["backup", &to]);
    backup
        .env("SLUIS_PROFILES", &profiles)
        .env("SLUIS_WEBHOOKS_ROOTS", &roots);
    assert!(backup.output().unwrap().status.success());
    // What is in the way of it is seen before anything is written.
    fs::create_dir_all(program.path("again/profiles/old")).unwrap();
    let why = refusal(&program, &["restore", &to, &into]);
    assert!(why.contains("nothing is written over"), "{why}");
    assert!(!program.path("again/data").exists());
    fs::remove_dir_all(&into).unwrap();

    let restored = program.run(&["restore", &to, &into]);

    let told = String::from_utf8_lossy(&restored.stderr).into_owned();
    assert!(restored.status.success(), "{told}");
    let back = |name: &str| fs::read_to_string(program.path("again").join(name)).unwrap();
    assert_eq!(back("profiles/generic.toml"), own);
    assert_eq!(back("roots.pem"), "of our own");
    for named in ["SLUIS_PROFILES", "SLUIS_WEBHOOKS_ROOTS", "`[webhooks]`"] {
        assert!(told.contains(named), "{named}: {told}");
    }
}

#[test]
fn a_part_that_has_no_place_is_refused_before_anything_is_written() {
    let program = Program::init();
    let (to, _) = backup(&program);
    let file = Path::new(&to).join("backup.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let mut strange = manifest["house"][0].clone();
    let path = strange["path"].as_str().unwrap().to_owned();
    let other = path.replace("sluis.toml", "strange");
    fs::copy(Path::new(&to).join(path), Path::new(&to).join(&other)).unwrap();
    strange["path"] = other.into();
    manifest["house"].as_array_mut().unwrap().push(strange);
    fs::write(&file, manifest.to_string()).unwrap();
    let into = program.path("again").to_str().unwrap().to_owned();

    let why = refusal(&program, &["restore", &to, &into]);

    assert!(why.contains("strange") && why.contains("no place"), "{why}");
    assert!(!Path::new(&into).exists());
}

#[test]
fn a_damaged_catalog_never_takes_the_place_of_a_sound_one() {
    let (mut program, _) = tokio::runtime::Runtime::new().unwrap().block_on(office());
    let (to, _) = backup(&program);
    program.terminate();
    let catalog = |to: &str| {
        let all = files(Path::new(to)).into_iter();
        let mut all = all.filter(|file| file.extension().is_some_and(|end| end == "sqlite"));
        let only = all.next().unwrap();
        assert_eq!(all.next(), None);
        only
    };
    let (sound, manifest) = (catalog(&to), Path::new(&to).join("backup.json"));
    let before = fs::read(&manifest).unwrap();
    // As a disk does, in what nobody has read for years.
    program.query("update event set at = at + 1 where seq = 2");
    program.ingest(&[invoice("F-7", 900)]);

    let why = refusal(&program, &["backup", &to]);

    assert!(why.contains("event 2") && why.contains("kantoor"), "{why}");
    assert_eq!(fs::read(&manifest).unwrap(), before);
    assert_eq!(catalog(&to), sound);
    let blobs = files(&Path::new(&to).join("blobs"));
    assert_eq!(blobs.len(), 3, "what has arrived is kept at least");
    assert!(why.contains("`unlisted.txt`"), "{why}");
    let unlisted = fs::read_to_string(Path::new(&to).join("unlisted.txt")).unwrap();
    let named: Vec<_> = unlisted.lines().collect();
    assert!(named.len() == 1 && blobs.contains(&Path::new(&to).join(named[0])));
    let into = program.path("again").to_str().unwrap().to_owned();
    program.ok(&["restore", &to, &into]);

    // Where there is no sound one, it is better than none, and told.
    let other = program.path("other").to_str().unwrap().to_owned();
    for _ in 0..2 {
        let why = refusal(&program, &["backup", &other]);
        assert!(why.contains("event 2"), "{why}");
    }
    catalog(&other);
    let into = program.path("damaged").to_str().unwrap().to_owned();
    let told = program.run(&["restore", &other, &into]);
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(
        told.status.code() == Some(1) && said.contains("event 2"),
        "{said}"
    );
    assert!(program.path("damaged/data/catalog.sqlite").exists());
}

#[test]
fn where_the_catalog_cannot_be_copied_the_documents_are_kept_and_none_leaves() {
    let (mut program, _) = tokio::runtime::Runtime::new().unwrap().block_on(office());
    let (to, _) = backup(&program);
    program.terminate();
    let (manifest, blobs) = (
        Path::new(&to).join("backup.json"),
        Path::new(&to).join("blobs"),
    );
    let before = fs::read(&manifest).unwrap();
    program.ingest(&[invoice("F-7", 900)]);
    // One that only the backup has.
    fs::remove_file(&files(&program.path("sluis/data/blobs"))[0]).unwrap();
    crate::failing::break_page(&program, "device_key");

    let why = refusal(&program, &["backup", &to]);

    assert!(why.contains("malformed") && why.contains("stays as it is"));
    assert_eq!(fs::read(&manifest).unwrap(), before);
    assert_eq!(files(&blobs).len(), 3);
    let into = program.path("again").to_str().unwrap().to_owned();
    let restored = program.run(&["restore", &to, &into]);
    assert!(restored.status.success());
    let told = String::from_utf8_lossy(&restored.stderr).into_owned();
    let how = format!("`{to}/unlisted.txt` lists them");
    assert!(
        told.contains("1 contents lie in the backup") && told.contains(&how),
        "{told}"
    );
    let restored = |arguments: &[&str]| {
        let config = program.path("again/sluis.toml");
        let mut command = program.command(arguments);
        command.env("SLUIS_CONFIG", config).current_dir(&to);
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    let list = Path::new(&to).join("unlisted.txt");
    for _ in 0..2 {
        restored(&["backup", &to]);
        assert_eq!(files(&blobs).len(), 3, "none leaves before it is named");
    }
    let unlisted = fs::read_to_string(&list).unwrap();
    let unlisted: Vec<&str> = unlisted.lines().collect();
    assert_eq!(unlisted.len(), 1);
    restored(&[&["ingest", "kantoor"], &unlisted[..]].concat());
    restored(&["backup", &to]);
    assert!(!list.exists());
    assert!(restored(&["documents", "kantoor"]).contains("F-7"));
    assert_eq!(files(&blobs).len(), 3);
    // Where there is none before it.
    let other = program.path("other");
    for _ in 0..2 {
        let why = refusal(&program, &["backup", other.to_str().unwrap()]);
        assert!(why.contains("the documents alone are kept"), "{why}");
    }
    assert_eq!(files(&other.join("blobs")).len(), 2);
    assert!(!other.join("backup.json").exists());
}
