//! What does `sluis ingest`, or `sluis read`, make of it?

use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use super::checks::{Beside, GROWTH_MIB_MAX, Scene, check_text, honest};
use super::names;

#[test]
fn a_folder_of_harm_is_taken_in() {
    let mut scene = Scene::new();
    // The memory of the command goes with it; that of a server beside it is looked at, too.
    scene.program.serve();
    let beside = Beside::begin(&scene);
    let table = scene.documents();
    let folder = scene.program.path("in");
    std::fs::create_dir(&folder).unwrap();
    for (at, hostile) in table.iter().enumerate() {
        std::fs::write(folder.join(format!("{at:05}.xml")), &hostile.bytes).unwrap();
    }
    std::fs::write(folder.join("99999.xml"), honest("LAST")).unwrap();

    let done = bounded(
        &scene,
        GROWTH_MIB_MAX,
        &["ingest", "kantoor", folder.to_str().unwrap()],
    );

    beside.check();
    check_text(&["ingest"], &done.stderr);
    let told = String::from_utf8(done.stdout).unwrap();
    assert_eq!(
        done.status.code(),
        Some(1),
        "what is in quarantine is told: {told}"
    );
    assert!(told.contains(" 0 failed"), "{told}");
    scene.check_kept(&table);
    scene.check_honest("LAST");
    scene.check_all();
}

#[test]
fn names_and_things_that_are_no_files_harm_nobody() {
    let mut scene = Scene::new();
    scene.program.serve();
    let beside = Beside::begin(&scene);
    let folder = scene.program.path("in");
    std::fs::create_dir(&folder).unwrap();
    let names = names::files();
    for (at, name) in names.iter().enumerate() {
        std::fs::write(folder.join(name), honest(&format!("N-{at}"))).unwrap();
    }
    std::fs::create_dir(folder.join("folder.xml")).unwrap();
    symlink(&folder, folder.join("loop.xml")).unwrap();
    symlink("/nowhere", folder.join("dead\n.xml")).unwrap();
    pipe(&folder.join("pipe.xml"));

    let done = scene
        .program
        .run(&["ingest", "kantoor", folder.to_str().unwrap()]);

    check_text(&["ingest"], &done.stderr);
    let told = String::from_utf8(done.stdout).unwrap();
    let expected = format!(
        "{} kept, 0 recognised, 0 held, 0 quarantined, 3 failed",
        names.len()
    );
    assert!(told.starts_with(&expected), "{told}");
    let again = scene
        .program
        .run(&["ingest", "kantoor", folder.to_str().unwrap(), "--json"]);
    check_text(&["ingest", "--json"], &again.stdout);
    beside.check();
    scene.check_all();
}

#[test]
fn a_file_is_read_to_its_limit_and_shown_plainly() {
    let scene = Scene::new();
    let file = scene.program.path("x\n\u{202e}.xml");
    for hostile in scene
        .documents()
        .iter()
        .filter(|one| one.bytes.len() < 100_000)
    {
        std::fs::write(&file, &hostile.bytes).unwrap();
        for more in [&[][..], &["--json"]] {
            let arguments = [&["read", file.to_str().unwrap()], more].concat();
            let done = scene.program.run(&arguments);
            assert_eq!(done.status.code(), Some(0), "{}", hostile.name);
            check_text(&[&hostile.name], &done.stdout);
        }
    }

    let done = bounded(&scene, 512, &["read", "/dev/zero"]);

    let told = String::from_utf8(done.stdout).unwrap();
    assert!(told.contains("it is larger than 100 MiB"), "{told}");
}

/// Runs a command that has this much memory and no more.
fn bounded(scene: &Scene, mib: u64, arguments: &[&str]) -> Output {
    let command = scene.program.command(arguments);
    let kib = mib * 1024;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("ulimit -d {kib} && exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell.output().unwrap()
}

/// A pipe that nobody writes into.
pub fn pipe(path: &std::path::Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}
