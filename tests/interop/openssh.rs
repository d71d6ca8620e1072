//! What do OpenSSH's `sftp`, `scp` and the mount on top of them (`sshfs`) do?

use std::process::{Command, Stdio};

use super::errand::{Act, Client, Errand, FETCHED, expect, finish, is_here, program_of, said};
use super::scene::{MOUNT, MOUNT_DONE, PULL, PULL_DONE, Scene, all, files_under, name, wait_until};
use super::wire::Wire;
use crate::clients::LARGEST;
use crate::gateway::invoice;

pub const SFTP: Client = Client {
    name: "OpenSSH sftp",
    needs: "command -v sftp",
    command: |errand| {
        let lines = match errand.act {
            Act::List { folder } => format!("ls -1 \"{folder}\""),
            Act::Stat { file } => format!("ls -l \"{file}\""),
            Act::Get { file, to } => format!("get \"{file}\" \"{}\"", to.display()),
            Act::Folder { folder, to } => format!("get -r \"{folder}\" \"{}\"", to.display()),
            Act::Resume { file, to } => format!("reget \"{file}\" \"{}\"", to.display()),
            Act::Put { from, to } => format!("put \"{}\" \"{to}\"", from.display()),
            // As `posix-rename@openssh.com`, for the server has it.
            Act::Rename { from, to } | Act::Replace { from, to } => {
                format!("rename \"{from}\" \"{to}\"")
            }
            Act::Remove { file } => format!("rm \"{file}\""),
            Act::FetchRemove { file } => format!("get \"{file}\" {FETCHED}\nrm \"{file}\""),
            Act::FetchRename { file, to } => {
                format!("get \"{file}\" {FETCHED}\nrename \"{file}\" \"{to}\"")
            }
        };
        Some(sftp(errand, &[], &lines))
    },
};

pub const SCP: Client = Client {
    name: "OpenSSH scp",
    needs: "command -v scp",
    command: |errand| {
        let mut command = scp(errand, &["-s"]);
        let far = |path: &str| format!("{}@127.0.0.1:{path}", errand.login());
        match errand.act {
            Act::Get { file, to } => command.arg(far(file)).arg(to),
            Act::Folder { folder, to } => command.arg("-r").arg(far(folder)).arg(to),
            Act::Put { from, to } => command.arg(from).arg(far(to)),
            _ => return None,
        };
        Some(command)
    },
};

pub const SSHFS: Client = Client {
    name: "sshfs",
    needs: "command -v sshfs && test -e /dev/fuse",
    command: |errand| Some(mounted(errand, &on_a_drive(&errand.act)?)),
};

/// A shell at work on a drive at `$mnt`.
fn mounted(errand: &Errand<'_>, script: &str) -> Command {
    let script = [
        // An unmount drops the closing of a file that its program has closed and sshfs not yet: it is asked
        // something behind that first.
        "mnt=$(mktemp -d); trap 'stat -f \"$mnt\" >/dev/null 2>&1; fusermount3 -uz \"$mnt\"; rmdir \"$mnt\"' EXIT",
        &format!(
            "sshfs {} -p {} {}@127.0.0.1:/ \"$mnt\" || exit",
            errand.ssh_options().join(" "),
            errand.port,
            errand.login()
        ),
        script,
    ];
    let mut command = errand.command("sh");
    command.args(["-c", &script.join("\n")]);
    command
}

/// Whoever looks at the beginning of a small file, and of a large one, on such a drive. Then it is unmounted.
pub fn peeks_on_a_drive(scene: &Scene, mounted: fn(&Errand<'_>, &str) -> Command) {
    for document in [0, 1] {
        let file = scene.path(MOUNT, document);
        let errand = scene.errand(&scene.desk, Act::Stat { file });

        let output = finish(&mut mounted(
            &errand,
            &format!("head -c 100 \"$mnt{file}\""),
        ));
        scene.quiet();

        expect(&output);
        assert!(output.stdout == scene.documents[document][..100]);
        assert!(all(&scene.mounted(), "offered"), "{:?}", scene.mounted());
    }
    assert_eq!(scene.program.events("collected"), 0);
}

/// What a shell does on a drive that is mounted at `$mnt`.
pub fn on_a_drive(act: &Act<'_>) -> Option<String> {
    Some(match act {
        Act::List { folder } => format!("ls \"$mnt{folder}\""),
        Act::Stat { file } => format!("stat -c %s \"$mnt{file}\""),
        Act::Get { file, to } => format!("cat \"$mnt{file}\" >'{}'", to.display()),
        Act::Folder { folder, to } => format!("cp -r \"$mnt{folder}\" '{}'", to.display()),
        // A drive knows nothing of a file that is half there.
        Act::Resume { .. } => return None,
        Act::Put { from, to } => format!("cp '{}' \"$mnt{to}\"", from.display()),
        Act::Rename { from, to } => format!("mv \"$mnt{from}\" \"$mnt{to}\""),
        Act::Replace { from, to } => format!("mv -f \"$mnt{from}\" \"$mnt{to}\""),
        Act::Remove { file } => format!("rm \"$mnt{file}\""),
        // While the kernel has not told that the reader is done, a removal may be refused: see below.
        Act::FetchRemove { file } => format!(
            "cat \"$mnt{file}\" >{FETCHED} || exit; n=0\n\
             until rm \"$mnt{file}\"; do n=$((n+1)); [ $n -lt 200 ] || exit 1; done"
        ),
        Act::FetchRename { file, to } => {
            format!("cat \"$mnt{file}\" >{FETCHED} && mv \"$mnt{file}\" \"$mnt{to}\"")
        }
    })
}

fn sftp(errand: &Errand<'_>, options: &[&str], lines: &str) -> Command {
    let batch = errand.scene.program.path("sftp.batch");
    std::fs::write(&batch, format!("{lines}\n")).unwrap();
    let mut command = errand.command("sftp");
    command.args(options).args(errand.ssh_options());
    command.arg("-b").arg(batch).args([
        "-P",
        &errand.port.to_string(),
        &format!("{}@127.0.0.1", errand.login()),
    ]);
    command
}

fn scp(errand: &Errand<'_>, options: &[&str]) -> Command {
    let mut command = errand.command("scp");
    command.args(options).args(errand.ssh_options());
    command.args(["-P", &errand.port.to_string()]);
    command
}

impl Scene {
    /// `sftp -b` of the device of kind `pull`, with these options and lines.
    fn sftp(&self, options: &[&str], lines: &str) -> Command {
        sftp(
            &self.errand(&self.server, Act::List { folder: "/" }),
            options,
            lines,
        )
    }
}

#[test]
fn sftp_reads_again_what_it_has_collected() {
    if !SFTP.is_here() {
        return;
    }
    let scene = Scene::new(&[1200, 40_000]);
    expect(&finish(&mut scene.sftp(
        &[],
        &format!("ls -l\nls -la \"{PULL}\"\nget -r \"{PULL}\" got"),
    )));

    assert!(files_under(&scene.here.join("got")) == scene.files(PULL));
    let done = scene.path(PULL, 0).replace(PULL, PULL_DONE);
    expect(&finish(&mut scene.sftp(
        &[],
        &format!("ls \"{PULL_DONE}\"\nget \"{done}\" again.xml"),
    )));

    assert!(std::fs::read(scene.here.join("again.xml")).unwrap() == scene.documents[0]);
    assert_eq!(scene.program.events("collected"), 2);
}

#[test]
fn sftp_gets_the_largest_document_twenty_times_in_one_session() {
    if !SFTP.is_here() {
        return;
    }
    let scene = Scene::new(&[LARGEST]);
    std::fs::write(scene.here.join("right.xml"), &scene.documents[0]).unwrap();
    let get = format!(
        "get \"{}\" large.xml\n!cmp large.xml right.xml && echo right >>came; rm large.xml\n",
        scene.path(PULL, 0)
    );

    expect(&finish(&mut scene.sftp(&[], &get.repeat(20))));

    let came = std::fs::read_to_string(scene.here.join("came")).unwrap();
    assert_eq!(came, "right\n".repeat(20));
    assert!(all(&scene.pulled(), "collected"));
}

#[test]
fn sftp_gets_the_largest_document_while_keys_are_exchanged_every_megabyte() {
    if !SFTP.is_here() {
        return;
    }
    let scene = Scene::new(&[LARGEST]);
    let get = format!("get \"{}\" large.xml", scene.path(PULL, 0));

    expect(&finish(&mut scene.sftp(&["-oRekeyLimit=1M"], &get)));

    assert!(std::fs::read(scene.here.join("large.xml")).unwrap() == invoice("F-0", LARGEST));
    assert!(all(&scene.pulled(), "collected"));
}

#[test]
fn sftp_gets_a_thousand_documents() {
    if !SFTP.is_here() {
        return;
    }
    let scene = Scene::new(&[2000; 1000]);

    expect(&finish(
        &mut scene.sftp(&[], &format!("get -r \"{PULL}\" got")),
    ));

    assert!(files_under(&scene.here.join("got")) == scene.files(PULL));
    assert!(all(&scene.pulled(), "collected"));
}

#[test]
fn sftp_that_is_killed_when_all_is_sent_has_not_collected() {
    if !SFTP.is_here() {
        return;
    }
    // Its `ssh` is a process of its own, which ends the channel in order for it.
    let scene = Scene::new(&[1_400_000]);
    // By then it has asked for all: it asks for more at once with every answer.
    let wire = Wire::that_stands_still_after(1_000_000, scene.program.address.unwrap());
    let errand = Errand {
        port: wire.port(),
        ..scene.errand(&scene.server, Act::List { folder: "/" })
    };
    let get = format!("get \"{}\" part.xml", scene.path(PULL, 0));
    let asked = sftp(&errand, &[], &get);
    // Without the `timeout`, which would be killed in its place.
    let mut stopped = Command::new("sftp")
        .args(program_of(&asked).skip(1))
        .current_dir(&scene.here)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until(|| wire.standing() == 1);
    // What comes from now on comes to its `ssh`, and not to itself.
    stop(stopped.id());
    wire.goes_on();
    wait_until(|| wire.down() > 1_400_000);
    stopped.kill().unwrap();
    stopped.wait().unwrap();
    scene.quiet();

    let part = std::fs::metadata(scene.here.join("part.xml"));
    assert!(part.unwrap().len() < 1_400_000);
    assert!(all(&scene.pulled(), "offered"));
}

/// Stops a process where it stands, and waits until it does.
fn stop(process: u32) {
    let process = process.to_string();
    let sent = Command::new("kill").args(["-STOP", &process]).status();
    assert!(sent.unwrap().success());
    let status = format!("/proc/{process}/status");
    wait_until(|| {
        let status = std::fs::read_to_string(&status).unwrap();
        status.contains("State:\tT")
    });
}

#[test]
fn scp_of_the_old_kind_is_refused_and_collects_nothing() {
    if !SCP.is_here() {
        return;
    }
    let scene = Scene::new(&[1200]);
    let errand = scene.errand(&scene.server, Act::List { folder: "/" });
    let from = format!("{}@127.0.0.1:{}", errand.login(), scene.path(PULL, 0));
    let mut command = scp(&errand, &["-O"]);

    let output = finish(command.args([&from, "got.xml"]));

    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(!scene.here.join("got.xml").exists());
    assert!(all(&scene.pulled(), "offered"));
}

#[test]
fn a_peek_on_a_mount_of_sshfs_leaves_it_offered() {
    if !SSHFS.is_here() {
        return;
    }
    peeks_on_a_drive(&Scene::new(&[1234, 3_000_000]), mounted);
}

#[test]
fn only_an_importers_acts_count_on_a_mount_of_sshfs() {
    if !SSHFS.is_here() || !is_here("FUSE", std::path::Path::new("/dev/fuse").exists()) {
        return;
    }
    let scene = Scene::new(&[1200, 40_000, 2_000_000, 5000]);
    let mount = Mount::new(&scene);
    let at = |path: &str| mount.0.join(path.trim_start_matches('/'));
    let done = |document| {
        let path = scene.path(MOUNT, document);
        at(&format!("{MOUNT_DONE}/{}", name(path)))
    };
    let inbox = |document| at(scene.path(MOUNT, document));

    // A preview and a scanner read; that is no act.
    assert!(std::fs::read(inbox(2)).unwrap() == scene.documents[2]);
    std::fs::read(inbox(0)).unwrap();
    assert!(all(&scene.mounted(), "offered"));
    // The importer removes one, moves one, and copies one before it removes it.
    std::fs::remove_file(inbox(0)).unwrap();
    std::fs::rename(inbox(1), done(1)).unwrap();
    std::fs::copy(inbox(2), done(2)).unwrap();
    // While the kernel has not told that the copy's reader is done, libfuse renames it instead, and a
    // document may not be renamed within its folder: an importer that copies tries again.
    wait_until(|| std::fs::remove_file(inbox(2)).is_ok());

    assert_eq!(
        scene.mounted(),
        ["processed", "processed", "processed", "offered"]
    );
    assert_eq!(std::fs::read_dir(at(MOUNT_DONE)).unwrap().count(), 3);
    assert!(std::fs::write(at(MOUNT).join("new.xml"), "x").is_err());
    drop(mount);
}

/// A mounted drive, until it is dropped.
struct Mount(std::path::PathBuf);

impl Mount {
    fn new(scene: &Scene) -> Self {
        let at = scene.program.path("drive");
        std::fs::create_dir(&at).unwrap();
        let errand = scene.errand(&scene.desk, Act::List { folder: "/" });
        let mut command = errand.command("sshfs");
        command
            .args(["-p", &errand.port.to_string()])
            .args(errand.ssh_options());
        command
            .arg(format!("{}@127.0.0.1:/", errand.login()))
            .arg(&at);
        expect(&finish(&mut command));
        Self(at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("fusermount3").arg("-uz").arg(&self.0).status());
    }
}
