//! What does a drop folder make of it?

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::checks::{Beside, GROWTH_MIB_MAX, Scene, honest, peak_mib};
use super::documents::Becomes;
use super::ingested::pipe;
use super::names;
use crate::interop::wait_until;

/// A server that looks often, and the folder in which it looks.
fn serving() -> (Scene, PathBuf) {
    let mut scene = Scene::new();
    scene.configure("[drop]\nrescan_seconds = 1\nsettle_ms = 500\n");
    scene.program.serve_weighed();
    let folder = scene.program.path("sluis/data/drop/kantoor");
    wait_until(|| folder.is_dir());
    (scene, folder)
}

/// Puts a file there at once, as a rename does.
fn put(scene: &Scene, to: &Path, bytes: &[u8]) {
    let beside = scene.program.path("sluis/data/drop/.coming");
    std::fs::write(&beside, bytes).unwrap();
    std::fs::rename(beside, to).unwrap();
}

/// Waits until these files are gone.
fn until_gone(folder: &Path, files: impl IntoIterator<Item = PathBuf>) {
    for file in files {
        wait_until(|| folder.join(&file).symlink_metadata().is_err());
    }
}

#[test]
fn every_document_is_taken_or_put_aside_with_its_reason() {
    let (scene, folder) = serving();
    let table = scene.documents();
    let beside = Beside::begin(&scene);
    let before = peak_mib(scene.program.process());
    let name = |at: usize| PathBuf::from(format!("{at:05}.xml"));
    for (at, hostile) in table.iter().enumerate() {
        put(&scene, &folder.join(name(at)), &hostile.bytes);
    }
    put(&scene, &folder.join("99999.xml"), &honest("LAST"));

    until_gone(
        &folder,
        (0..table.len()).map(name).chain(["99999.xml".into()]),
    );

    let grown = peak_mib(scene.program.process()) - before;
    assert!(grown <= GROWTH_MIB_MAX, "it has grown by {grown} MiB");
    beside.check();
    for (at, hostile) in table.iter().enumerate() {
        let aside = folder.join("rejected").join(name(at));
        let is_aside = matches!(hostile.becomes, Becomes::Unreadable(_));
        assert_eq!(aside.exists(), is_aside, "`{}`", hostile.name);
        if is_aside {
            assert_eq!(std::fs::read(&aside).unwrap(), hostile.bytes);
            let told = std::fs::read_to_string(aside.with_extension("xml.txt")).unwrap();
            super::checks::check_text(&[&hostile.name], told.replace("\r\n", "\n").as_bytes());
            assert_eq!(told.matches("Reden: ").count(), 1, "{told}");
        }
    }
    scene.check_kept(&table);
    scene.check_honest("LAST");
    scene.check_all();
}

#[test]
fn whatever_a_file_is_called_and_whatever_is_no_file() {
    let (scene, folder) = serving();
    let beside = Beside::begin(&scene);
    let secret = scene.program.path("secret.xml");
    std::fs::write(&secret, honest("SECRET")).unwrap();
    let (mut names, kept) = (names::files(), names::files().len());
    for (at, name) in names.iter().enumerate() {
        put(&scene, &folder.join(name), &honest(&format!("N-{at}")));
    }
    // What nobody can read keeps its name, which another has already.
    let unread = "x\nReden: geen\u{202e}.xml";
    std::fs::create_dir_all(folder.join("rejected")).unwrap();
    put(&scene, &folder.join("rejected").join(unread), b"of another");
    put(&scene, &folder.join(unread), b"no document");
    names.push(unread.into());
    symlink(&secret, folder.join("link.xml")).unwrap();
    symlink(scene.program.path("."), folder.join("folder.xml")).unwrap();
    std::fs::create_dir(folder.join("empty.xml")).unwrap();
    pipe(&folder.join("pipe.xml"));
    drop(
        Command::new("mknod")
            .arg(folder.join("zero.xml"))
            .args(["c", "1", "5"])
            .status(),
    );
    std::fs::hard_link(&secret, folder.join("hard.xml")).unwrap();
    names.push("hard.xml".into());

    until_gone(&folder, names.iter().map(PathBuf::from));
    put(&scene, &folder.join("last.xml"), &honest("LAST"));
    until_gone(&folder, ["last.xml".into()]);
    beside.check();

    // The hard link is a file of its own; its other name, and what is no file, stays.
    assert_eq!(std::fs::metadata(&secret).unwrap().nlink(), 1);
    let left: BTreeSet<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for stays in [
        "link.xml",
        "folder.xml",
        "empty.xml",
        "pipe.xml",
        "rejected",
    ] {
        assert!(left.contains(stays), "{stays}");
    }
    let rejected: Vec<_> = std::fs::read_dir(folder.join("rejected"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(rejected.len(), 3, "{rejected:?}");
    let texts = rejected.iter().filter(|name| name.ends_with(".txt"));
    for text in texts {
        let told = std::fs::read_to_string(folder.join("rejected").join(text)).unwrap();
        assert_eq!(
            told.lines()
                .filter(|line| line.starts_with("Reden: "))
                .count(),
            1,
            "{told}"
        );
        assert!(!told.contains('\u{202e}'));
    }
    let documents = scene.program.json(&["documents", "kantoor"]);
    assert_eq!(
        documents.len(),
        kept + 3,
        "the names, the hard link, the unreadable one, the last"
    );
    scene.check_honest("LAST");
    scene.check_all();
}

#[test]
fn what_is_said_beside_a_document_and_means_harm_puts_it_aside() {
    let (scene, folder) = serving();
    let beside = Beside::begin(&scene);
    let said: Vec<Vec<u8>> = vec![
        b"{\"status\": \"draft\", \"status\": \"paid\"}".to_vec(),
        format!("{{\"status\": {}", "[".repeat(8_000)).into_bytes(),
        format!("{{\"{}\": 1}}", "\\u202e\\nReden: geen\\n".repeat(100)).into_bytes(),
        b"{\"status\": \"../../etc/passwd\"}".to_vec(),
        b"{\"__proto__\": {\"approved\": true}}".to_vec(),
        b"[\"paid\", \"own\", true]".to_vec(),
        b"{\"approved\": \"true\"}".to_vec(),
        b"{\"approved\": 1e999999}".to_vec(),
        b"{\"status\": \"\xff\xfe\"}".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        vec![0; 100],
        vec![b' '; 17 * 1024],
        b"<Invoice/>".to_vec(),
    ];
    for (at, said) in said.iter().enumerate() {
        put(&scene, &folder.join(format!("{at}.xml.json")), said);
        put(
            &scene,
            &folder.join(format!("{at}.xml")),
            &honest(&format!("S-{at}")),
        );
    }
    put(&scene, &folder.join("last.xml"), &honest("LAST"));
    let documents = (0..said.len()).map(|at| format!("{at}.xml").into());

    until_gone(&folder, documents.chain(["last.xml".into()]));

    beside.check();
    for at in 0..said.len() {
        assert!(folder.join(format!("rejected/{at}.xml")).exists(), "{at}");
        let told = std::fs::read_to_string(folder.join(format!("rejected/{at}.xml.txt"))).unwrap();
        assert_eq!(
            told.lines()
                .filter(|line| line.starts_with("Reden: "))
                .count(),
            1,
            "{told}"
        );
    }
    assert_eq!(scene.program.json(&["documents", "kantoor"]).len(), 1);
    scene.check_honest("LAST");
    scene.check_all();
}
