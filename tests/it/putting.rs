//! Do the programs that firms upload with put documents into `/in` as they come?
//!
//! As in `clients`: each is run as it is, against the real program, where it is installed.

use std::process::{Command, Stdio};

use crate::clients::{LARGEST, Mount, Scene, expect, installed, is_here, python, wait_until};
use crate::gateway::invoice;
use crate::interop::Wire;

/// A running server with one device that may upload, and these documents beside its client, named F-0.xml, F-1.xml, …
fn scene(kind: &str, sizes: &[usize]) -> Scene {
    let scene = Scene::new(kind, &[1200]);
    let program = &scene.program;
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    for (at, size) in sizes.iter().enumerate() {
        let file = scene.here.join(format!("F-{at}.xml"));
        std::fs::write(file, invoice(&format!("UP-{at}"), *size)).unwrap();
    }
    scene
}

/// Every document came in once, was routed, and is stored as it was written.
fn check(scene: &Scene, count: usize) {
    let program = &scene.program;
    let rows = program.json(&["documents", "kantoor"]);
    let ours: Vec<_> = rows
        .iter()
        .filter(|row| row["number"].as_str().unwrap().starts_with("UP-"))
        .collect();
    assert_eq!(ours.len(), count, "{rows:?}");
    assert_eq!(program.states(), vec!["offered"; count + 1]);
    assert_eq!(program.events("recognised"), 0);
    program.ok(&["fsck", "--deep"]);
    for row in ours {
        let number = row["number"].as_str().unwrap().replace("UP-", "F-");
        let written = std::fs::read(scene.here.join(format!("{number}.xml"))).unwrap();
        let digest = sluis::model::Digest::of(&written).to_string();
        assert_eq!(row["digest"], digest.as_str(), "{number}");
    }
}

#[test]
fn sftp_puts_documents_and_asks_for_a_sync() {
    if !installed("sftp") {
        return;
    }
    let scene = scene("pull", &[1200, 40_000, 3_000_000, LARGEST]);

    expect(&scene.sftp(&[], "cd in\nput -fp *.xml\nls -l\n"));

    check(&scene, 4);
}

#[test]
fn sftp_goes_on_with_what_it_was_cut_off_from() {
    if !installed("sftp") {
        return;
    }
    let scene = scene("pull", &[20_000_000]);
    let batch = scene.program.path("cut");
    std::fs::write(&batch, "put F-0.xml in/F-0.xml\n").unwrap();
    let wire = Wire::to(scene.program.address.unwrap());
    let mut command = Command::new("sftp");
    // A megabyte a second, of twenty.
    command.args(["-l", "8000", "-b"]).arg(&batch);
    command.args(scene.options()).args([
        "-P",
        &wire.port().to_string(),
        &format!("{}@127.0.0.1", scene.device.login.name),
    ]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut cut = command.current_dir(&scene.here).spawn().unwrap();
    let listed = || {
        let output = scene.sftp(&[], "ls -l in\n");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    wait_until(|| wire.up() > 1_000_000);
    cut.kill().unwrap();
    cut.wait().unwrap();
    wait_until(|| listed().contains("F-0.xml"));
    assert_eq!(scene.program.states(), ["offered"], "nothing was taken");

    expect(&scene.sftp(&[], "reput F-0.xml in/F-0.xml\n"));

    check(&scene, 1);
}

#[test]
fn scp_copies_a_document() {
    if !installed("scp") {
        return;
    }
    let scene = scene("pull", &[40_000]);
    let to = format!("{}@127.0.0.1:in/F-0.xml", scene.device.login.name);
    let mut command = Command::new("scp");
    command.args(["-s", "-p"]).args(scene.options());
    command.args(["-P", &scene.program.port(), "F-0.xml", &to]);

    expect(&command.current_dir(&scene.here).output().unwrap());

    check(&scene, 1);
}

#[test]
fn lftp_puts_straight_under_temporary_names_and_on_several_connections() {
    if !installed("lftp") {
        return;
    }
    let scene = scene("pull", &[1200, 40_000, 3_000_000, 5000, 6000, 7000]);

    expect(&scene.lftp("cd in; put F-0.xml"));
    expect(&scene.lftp("set xfer:use-temp-file yes; cd in; mput F-1.xml F-2.xml"));
    expect(&scene.lftp("mirror -R --parallel=3 --no-recursion --include-glob *.xml . in"));

    check(&scene, 6);
}

#[test]
fn rclone_copies_and_sees_what_it_has_copied() {
    if !installed("rclone") {
        return;
    }
    let scene = scene("pull", &[1200, 40_000, 3_000_000]);
    let once = ["--retries", "1", "--low-level-retries", "1"];

    expect(&scene.rclone(&[&["copyto", "F-0.xml", "s:in/F-0.xml"], &once[..]].concat()));
    let copy = [
        "copy",
        ".",
        "s:in",
        "--include",
        "*.xml",
        "--transfers",
        "3",
    ];
    expect(&scene.rclone(&[&copy[..], &once[..]].concat()));
    check(&scene, 3);
    // What stands there has its size and time: nothing is sent twice.
    expect(&scene.rclone(&[&copy[..], &once[..]].concat()));

    check(&scene, 3);
}

#[test]
fn paramiko_puts_and_confirms_what_it_has_put() {
    let python = python();
    let has = Command::new(&python)
        .args(["-c", "import paramiko"])
        .output();
    if !is_here("paramiko", has.is_ok_and(|output| output.status.success())) {
        return;
    }
    let scene = scene("pull", &[1200, 3_000_000, 5000, 6000]);
    let script = format!(
        "import paramiko\n\
         t = paramiko.Transport(('127.0.0.1', {port}))\n\
         t.connect(username='{user}', pkey=paramiko.Ed25519Key.from_private_key_file('{key}'))\n\
         s = paramiko.SFTPClient.from_transport(t)\n\
         for n in (0, 1): s.put(f'F-{{n}}.xml', f'/in/F-{{n}}.xml', confirm=True)\n\
         b = open('F-2.xml', 'rb').read()\n\
         f = s.open('/in/F-2.xml', 'w'); f.set_pipelined(True); f.write(b[:2000]); f.write(b[2000:]); f.close()\n\
         b = open('F-3.xml', 'rb').read()\n\
         f = s.open('/in/F-3.xml.part', 'w'); f.write(b[:3000]); f.close()\n\
         f = s.open('/in/F-3.xml.part', 'a'); f.write(b[3000:]); f.close()\n\
         s.posix_rename('/in/F-3.xml.part', '/in/F-3.xml')\n\
         assert sorted(s.listdir('/in')) == ['ACME'] + [f'F-{{n}}.xml' for n in range(4)]\n\
         s.close(); t.close()\n",
        port = scene.program.port(),
        user = scene.device.login.name,
        key = scene.device.key_file.display(),
    );

    let mut command = Command::new("timeout");
    command.args(["120", python.to_str().unwrap(), "-c", &script]);
    expect(&command.current_dir(&scene.here).output().unwrap());

    check(&scene, 4);
}

#[test]
fn psftp_puts_documents() {
    if !installed("psftp") {
        return;
    }
    let scene = scene("pull", &[1200, 3_000_000]);
    let ppk = scene.program.path("server.ppk");
    let mut made = Command::new("puttygen");
    made.arg(&scene.device.key_file)
        .args(["-O", "private", "-o"]);
    expect(&made.arg(&ppk).output().unwrap());
    let batch = scene.program.path("psftp");
    std::fs::write(&batch, "cd in\nmput *.xml\n").unwrap();
    let host = scene.program.host_fingerprint();
    let (port, user) = (scene.program.port(), &scene.device.login.name);
    let mut command = Command::new("timeout");
    command
        .args(["120", "psftp", "-batch", "-hostkey", &host, "-i"])
        .arg(&ppk)
        .arg("-b")
        .arg(&batch);
    command.args(["-P", &port, "-l", user, "127.0.0.1"]);
    command.env("HOME", &scene.here).current_dir(&scene.here);

    expect(&command.output().unwrap());

    check(&scene, 2);
}

#[test]
fn a_mounted_drive_takes_what_is_copied_onto_it() {
    if !installed("sshfs") || !is_here("FUSE", std::path::Path::new("/dev/fuse").exists()) {
        return;
    }
    let scene = scene("mount", &[1200, 3_000_000, 5000]);
    let at = scene.program.path("drive");
    std::fs::create_dir(&at).unwrap();
    let mount = Mount::new(&scene, &at);
    let into = at.join("in");

    for name in ["F-0.xml", "F-1.xml"] {
        std::fs::copy(scene.here.join(name), into.join(name)).unwrap();
    }
    // Made first and written then, under another name.
    std::fs::File::create(into.join("F-2.xml.tmp")).unwrap();
    std::fs::copy(scene.here.join("F-2.xml"), into.join("F-2.xml.tmp")).unwrap();
    std::fs::rename(into.join("F-2.xml.tmp"), into.join("F-2.xml")).unwrap();

    // A drive closes in the background.
    wait_until(|| scene.program.states().len() == 4);
    drop(mount);
    check(&scene, 3);
}
