//! What does rclone do, as a program that copies and as a drive?

use std::process::Command;

use super::errand::{Act, Client, Errand, expect, finish};
use super::openssh::on_a_drive;
use super::scene::{PULL, Scene, all, files_under};
use super::table;
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
            Act::Rename { from, to } => command.args(["moveto", &far(from), &far(to)]),
            Act::Remove { file } => command.args(["deletefile", &far(file)]),
        };
        Some(command)
    },
};

pub const MOUNT: Client = Client {
    name: "rclone mount",
    needs: "command -v rclone && test -e /dev/fuse",
    command: |errand| {
        let config = rclone(errand);
        let config: Vec<_> = config
            .get_args()
            .skip(2)
            .map(|word| word.to_str().unwrap())
            .collect();
        let script = [
            "mnt=$(mktemp -d); trap 'fusermount3 -uz \"$mnt\"; rmdir \"$mnt\"' EXIT",
            &format!(
                "rclone {} mount s: \"$mnt\" --daemon --vfs-cache-mode off --cache-dir cache || exit",
                config.join(" ")
            ),
            &on_a_drive(&errand.act)?,
        ];
        let mut command = errand.command("sh");
        command.args(["-c", &script.join("\n")]);
        Some(command)
    },
};

fn rclone(errand: &Errand<'_>) -> Command {
    let config = errand
        .scene
        .program
        .path(&format!("{}-{}.conf", errand.login(), errand.port));
    let text = format!(
        "[s]\ntype = sftp\nhost = 127.0.0.1\nport = {}\nuser = {}\nkey_file = {}\nset_modtime = false\n\
         disable_hashcheck = {}\n",
        errand.port,
        errand.login(),
        errand.device.key_file.display(),
        // What was put into `/in` has no hash there.
        matches!(errand.act, Act::Put { to, .. } if to.starts_with("/in/"))
    );
    std::fs::write(&config, text).unwrap();
    let mut command = errand.command("rclone");
    command
        .arg("--config")
        .arg(config)
        .args(["--retries", "1", "--low-level-retries", "1"]);
    command
}

impl Scene {
    fn rclone(&self, arguments: &[&str]) {
        let errand = self.errand(&self.server, Act::List { folder: "/" });
        expect(&finish(rclone(&errand).args(arguments)));
        self.quiet();
    }
}

#[test]
fn rclone_does_what_the_table_says() {
    table::holds(&RCLONE);
}

#[test]
fn rclone_mount_does_what_the_table_says() {
    table::holds(&MOUNT);
}

#[test]
fn rclone_moves_what_came_after_what_it_copied() {
    if !RCLONE.is_here() {
        return;
    }
    let scene = Scene::new(&[1200, 40_000, 8_000_000]);
    let from = format!("s:{PULL}");
    scene.rclone(&["copy", &from, "got"]);
    assert_eq!(files_under(&scene.here.join("got")).len(), 3);
    assert!(all(&scene.pulled(), "collected"));
    scene.program.ingest(&[invoice("F-9", 3000)]);

    scene.rclone(&["move", &from, "moved"]);

    assert_eq!(files_under(&scene.here.join("moved")).len(), 1);
    assert_eq!(scene.pulled().pop().unwrap(), "processed");
}
