//! What does rclone do, as a program that copies and as a drive?

use std::process::Command;

use super::errand::{Act, Client, Errand, FETCHED, expect, finish, program_of, said};
use super::openssh::{on_a_drive, peeks_on_a_drive};
use super::scene::{PULL, Scene, all, files_under};
use crate::gateway::invoice;

pub const RCLONE: Client = Client {
    name: "rclone",
    needs: "command -v rclone",
    command: |errand| {
        let far = |path: &str| format!("s:{path}");
        let mut command = rclone(errand);
        match errand.act {
            Act::List { folder } => command.args(["lsf", &far(folder)]),
            Act::Stat { file } => command.args(["lsl", &far(file)]),
            Act::Get { file, to } => command.args(["copyto", &far(file)]).arg(to),
            Act::Folder { folder, to } => command.args(["copy", &far(folder)]).arg(to),
            Act::Resume { .. } => return None,
            Act::Put { from, to } => command.arg("copyto").arg(from).arg(far(to)),
            Act::Rename { from, to } | Act::Replace { from, to } => {
                command.args(["moveto", &far(from), &far(to)])
            }
            Act::Remove { file } => command.args(["deletefile", &far(file)]),
            Act::FetchRemove { file } => command.args(["moveto", &far(file), FETCHED]),
            // That would be two runs.
            Act::FetchRename { .. } => return None,
        };
        Some(command)
    },
};

pub const MOUNT: Client = Client {
    name: "rclone mount",
    needs: "command -v rclone && test -e /dev/fuse",
    command: |errand| {
        // What was written goes to the server some seconds after it was closed, and is tried again for ever.
        let uploaded = match errand.act {
            Act::Put { .. } => {
                "until grep -qE 'upload succeeded|failed to upload' log; do sleep 0.1; done"
            }
            _ => "",
        };
        let script = format!("{} || exit\n{uploaded}", on_a_drive(&errand.act)?);
        Some(mounted(errand, &script))
    },
};

/// A shell at work on a drive at `$mnt`, with the options that `docs/clients.md` has and that are not of Windows.
fn mounted(errand: &Errand<'_>, script: &str) -> Command {
    let config = rclone(errand);
    let config: Vec<_> = program_of(&config)
        .skip(1)
        .map(|word| word.to_str().unwrap())
        .collect();
    let options = "--vfs-cache-mode writes --dir-cache-time 10s";
    let script = [
        // What it could not upload must not be uploaded by the next one.
        "mnt=$(mktemp -d); rm -rf cache log",
        // An unmount drops the closing of a file that its program has closed and rclone not yet.
        "seen() { grep -c \"$1\" log; }",
        "closed() { n=0; until [ $(seen '>Release: err=') -ge $(seen '>Open: fh=&{') ] || [ $n -ge 300 ]; do sleep 0.1; n=$((n+1)); done; }",
        "trap 'closed; fusermount3 -uz \"$mnt\"; rmdir \"$mnt\"' EXIT",
        &format!(
            "rclone {} mount s: \"$mnt\" {options} --daemon --cache-dir \"$PWD/cache\" -vv --log-file \"$PWD/log\" || exit",
            config.join(" "),
        ),
        script,
    ];
    let mut command = errand.command("sh");
    command.args(["-c", &script.join("\n")]);
    command
}

fn rclone(errand: &Errand<'_>) -> Command {
    let config = errand
        .scene
        .program
        .path(&format!("{}-{}.conf", errand.login(), errand.port));
    let text = format!(
        "[s]\ntype = sftp\nhost = 127.0.0.1\nport = {}\nuser = {}\nkey_file = {}\n{SHELL}",
        errand.port,
        errand.login(),
        errand.device.key_file.display(),
    );
    std::fs::write(&config, text).unwrap();
    let mut command = errand.command("rclone");
    command
        .arg("--config")
        .arg(config)
        .args(["--retries", "1", "--low-level-retries", "1"]);
    command
}

/// What `docs/clients.md` says beside who connects where.
const SHELL: &str = "shell_type = unix
md5sum_command = md5sum
sha1sum_command = sha1sum
set_modtime = false
";

impl Scene {
    fn rclone(&self, arguments: &[&str]) {
        let errand = self.errand(&self.server, Act::List { folder: "/" });
        expect(&finish(rclone(&errand).args(arguments)));
        self.quiet();
    }
}

#[test]
fn a_peek_on_a_mount_of_rclone_leaves_it_offered() {
    if !MOUNT.is_here() {
        return;
    }
    peeks_on_a_drive(&Scene::new(&[1234, 3_000_000]), mounted);
}

#[test]
fn rclone_compares_what_it_has_put_in() {
    if !RCLONE.is_here() {
        return;
    }
    let scene = Scene::new(&[1200]);
    std::fs::write(scene.here.join("new.xml"), invoice("IN-1", 3000)).unwrap();
    let errand = scene.errand(&scene.server, Act::List { folder: "/" });

    let output = finish(rclone(&errand).args(["-vv", "copyto", "new.xml", "s:/in/new.xml"]));

    expect(&output);
    assert!(
        said(&output).contains("new.xml: md5 = "),
        "{}",
        said(&output)
    );
    assert_eq!(scene.pulled(), ["offered", "offered"]);
}

#[test]
fn rclone_copies_by_checksum_and_has_collected() {
    if !RCLONE.is_here() {
        return;
    }
    let scene = Scene::new(&[1200, 40_000, 8_000_000]);
    let copy = ["copy", "--checksum", &format!("s:{PULL}"), "got"];

    scene.rclone(&copy);

    assert!(files_under(&scene.here.join("got")) == scene.files(PULL));
    assert!(all(&scene.pulled(), "collected"), "{:?}", scene.pulled());
    assert_eq!(scene.program.events("collected"), 3);
    // Once more: nothing waits, nothing is fetched, and what is there stays.
    scene.rclone(&copy);
    assert!(files_under(&scene.here.join("got")) == scene.files(PULL));
    assert_eq!(scene.program.events("collected"), 3);
}

#[test]
fn rclone_moves_sixty_documents_over_many_connections() {
    if !RCLONE.is_here() {
        return;
    }
    // Of many sizes, so that connections are opened while others have ended their first transfers.
    let sizes: Vec<_> = (0..60).map(|at| 1000 + 1700 * (at * at % 61)).collect();
    let scene = Scene::new(&sizes);

    scene.rclone(&["move", "--transfers", "8", &format!("s:{PULL}"), "moved"]);

    assert!(files_under(&scene.here.join("moved")) == scene.files(PULL));
    assert!(all(&scene.pulled(), "processed"), "{:?}", scene.pulled());
}

#[test]
fn rclone_moves_what_came_after_what_it_copied() {
    if !RCLONE.is_here() {
        return;
    }
    let scene = Scene::new(&[1200, 40_000, 8_000_000]);
    let from = format!("s:{PULL}");
    scene.rclone(&["copy", &from, "got"]);
    assert!(files_under(&scene.here.join("got")) == scene.files(PULL));
    assert!(all(&scene.pulled(), "collected"));
    let later = invoice("F-9", 3000);
    scene.program.ingest(std::slice::from_ref(&later));

    scene.rclone(&["move", &from, "moved"]);

    let moved = files_under(&scene.here.join("moved"));
    let [(name, bytes)] = Vec::from_iter(moved).try_into().unwrap();
    assert!(bytes == later);
    assert_eq!(scene.state(&format!("{PULL}/{name}")), "processed");
    assert_eq!(scene.pulled().pop().unwrap(), "processed");
}
