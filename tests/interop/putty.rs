//! What do PuTTY's programs do, and FileZilla's engine, which descends from them?

use std::process::Command;

use super::errand::{Act, Client, Errand, FETCHED, expect, finish};

pub const PSFTP: Client = Client {
    name: "PuTTY psftp",
    needs: "command -v psftp && command -v puttygen",
    command: |errand| {
        let lines = match errand.act {
            Act::List { folder } => format!("ls \"{folder}\""),
            Act::Stat { file } => {
                let (folder, name) = file.rsplit_once('/').unwrap(); // a name alone it takes for a folder
                format!("cd \"{folder}\"\nls {name}*")
            }
            Act::Get { file, to } => format!("get \"{file}\" \"{}\"", to.display()),
            Act::Folder { folder, to } => format!("get -r \"{folder}\" \"{}\"", to.display()),
            Act::Resume { file, to } => format!("reget \"{file}\" \"{}\"", to.display()),
            Act::Put { from, to } => format!("put \"{}\" \"{to}\"", from.display()),
            Act::Rename { from, to } | Act::Replace { from, to } => {
                format!("mv \"{from}\" \"{to}\"")
            }
            Act::Remove { file } => format!("del \"{file}\""),
            Act::FetchRemove { file } => format!("get \"{file}\" {FETCHED}\ndel \"{file}\""),
            Act::FetchRename { file, to } => {
                format!("get \"{file}\" {FETCHED}\nmv \"{file}\" \"{to}\"")
            }
        };
        let batch = errand.scene.program.path("psftp.batch");
        std::fs::write(&batch, format!("{lines}\n")).unwrap();
        let mut command = putty(errand, "psftp");
        command.arg("-b").arg(batch).arg("127.0.0.1");
        Some(command)
    },
};

pub const PSCP: Client = Client {
    name: "PuTTY pscp",
    needs: "command -v pscp && command -v puttygen",
    command: |errand| {
        let far = |path: &str| format!("{}@127.0.0.1:{path}", errand.login());
        let mut command = putty(errand, "pscp");
        command.arg("-sftp");
        match errand.act {
            Act::List { folder } => command.arg("-ls").arg(far(folder)),
            Act::Get { file, to } => command.arg(far(file)).arg(to),
            Act::Folder { folder, to } => command.arg("-r").arg(far(folder)).arg(to),
            Act::Put { from, to } => command.arg(from).arg(far(to)),
            _ => return None,
        };
        Some(command)
    },
};

pub const FILEZILLA: Client = Client {
    name: "FileZilla (fzsftp)",
    needs: "command -v fzsftp && command -v puttygen && command -v python3",
    command: |errand| {
        ppk(errand);
        Some(errand.script(&["python3"], "fzsftp.py"))
    },
};

fn putty(errand: &Errand<'_>, program: &str) -> Command {
    let mut command = errand.command(program);
    command.args([
        "-batch",
        "-hostkey",
        &errand.scene.program.host_fingerprint(),
    ]);
    command.arg("-i").arg(ppk(errand));
    command.args(["-P", &errand.port.to_string(), "-l", errand.login()]);
    command
}

/// The device's key as PuTTY wants it.
pub fn ppk(errand: &Errand<'_>) -> std::path::PathBuf {
    let file = errand.device.key_file.with_extension("ppk");
    if !file.exists() {
        // Several clients may come for it at the same time, and one that sees it takes it as it is.
        let mut made = Command::new("puttygen");
        let folder = tempfile::tempdir_in(&errand.scene.here).unwrap();
        let own = folder.path().join("key.ppk");
        made.arg(&errand.device.key_file)
            .args(["-O", "private", "-o"])
            .arg(&own);
        expect(&finish(&mut made));
        std::fs::rename(own, &file).unwrap();
    }
    file
}

#[test]
fn psftp_gets_all_there_is() {
    if !PSFTP.is_here() {
        return;
    }
    let scene = super::scene::Scene::new(&[1200, 8_000_000]);
    let folder = super::scene::PULL;
    let batch = scene.program.path("psftp.batch");
    std::fs::write(&batch, format!("cd \"{folder}\"\nls\nmget *\n")).unwrap();
    let errand = scene.errand(&scene.server, Act::List { folder });
    let mut command = putty(&errand, "psftp");

    expect(&finish(command.arg("-b").arg(batch).arg("127.0.0.1")));

    for (name, bytes) in scene.files(folder) {
        assert!(std::fs::read(scene.here.join(name)).unwrap() == bytes);
    }
    assert!(super::scene::all(&scene.pulled(), "collected"));
}
