//! What do the SFTP libraries of Python do, in which so many scripts are written?

use std::process::{Command, Output};

use super::errand::{Act, Client, Errand, expect, finish, said};
use super::scene::{MOUNT, PULL, Scene, all};

pub const PARAMIKO: Client = Client {
    name: "paramiko",
    needs: "\"$SLUIS_TEST_PYTHON\" -c 'import paramiko'",
    command: |errand| Some(python(errand, "paramiko_client.py")),
};

pub const ASYNCSSH: Client = Client {
    name: "asyncssh",
    needs: "\"$SLUIS_TEST_PYTHON\" -c 'import asyncssh'",
    command: |errand| Some(python(errand, "asyncssh_client.py")),
};

pub const LIBSSH2: Client = Client {
    name: "libssh2 (ssh2-python)",
    needs: "\"$SLUIS_TEST_PYTHON\" -c 'import ssh2.session'",
    command: |errand| Some(python(errand, "libssh2_client.py")),
};

pub const LIBSSH: Client = Client {
    name: "libssh (ssh-python)",
    needs: "\"$SLUIS_TEST_PYTHON\" -c 'import ssh.session'",
    command: |errand| Some(python(errand, "libssh_client.py")),
};

fn python(errand: &Errand<'_>, script: &str) -> Command {
    // Nothing is written beside the scripts.
    errand.script(
        &[
            "sh",
            "-c",
            "exec \"$SLUIS_TEST_PYTHON\" -B \"$@\"",
            "python",
        ],
        script,
    )
}

impl Scene {
    /// What paramiko does by a word that it alone knows, to the first document of a folder.
    fn paramiko(&self, act: &str, folder: &str) -> Output {
        self.paramiko_to("got.xml", act, folder)
    }

    fn paramiko_to(&self, to: &str, act: &str, folder: &str) -> Output {
        let device = if folder == PULL {
            &self.server
        } else {
            &self.desk
        };
        let file = self.path(folder, 0);
        let errand = self.errand(device, Act::Stat { file });
        // What is asked last is what it does.
        let output = finish(python(&errand, "paramiko_client.py").args([act, file, to]));
        self.quiet();
        output
    }

    fn got(&self) -> Vec<u8> {
        std::fs::read(self.here.join("got.xml")).unwrap()
    }
}

#[test]
fn paramiko_gets_64_megabytes_as_it_does_by_default() {
    if !PARAMIKO.is_here() {
        return;
    }
    let scene = Scene::new(&[64 * 1024 * 1024]);

    expect(&scene.paramiko("get-at-once", PULL));

    assert!(scene.got() == scene.documents[0]);
    assert!(all(&scene.pulled(), "collected"));
}

/// It closes the file as it should, and then says to its own what was amiss.
#[test]
fn a_script_whose_disk_is_full_has_collected_what_it_could_not_keep() {
    if !PARAMIKO.is_here() {
        return;
    }
    let scene = Scene::new(&[20_000]);

    let output = scene.paramiko_to("/dev/full", "get", PULL);

    assert!(said(&output).contains("No space left"), "{}", said(&output));
    assert!(!output.status.success());
    assert!(all(&scene.pulled(), "collected"));
}

#[test]
fn a_script_that_reads_lines_here_and_there_has_collected_when_it_has_all() {
    if !PARAMIKO.is_here() {
        return;
    }
    let scene = Scene::new(&[200_000]);

    expect(&scene.paramiko("pieces", PULL));

    assert!(scene.got() == scene.documents[0]);
    assert!(all(&scene.pulled(), "collected"));
}

#[test]
fn what_a_script_reads_tells_what_becomes_of_it() {
    const ALL: usize = 20_000;
    if !PARAMIKO.is_here() {
        return;
    }
    #[rustfmt::skip]
    let acts = [
        // act           on a folder   it reads   the delivery becomes
        ("head",         MOUNT,        100,       "offered"),   // a peek
        ("head",         PULL,         100,       "offered"),   // not all
        ("past-the-end", PULL,         0,         "offered"),   // the end alone is nothing
        ("hang-up",      PULL,         ALL,       "offered"),   // all, but who knows where it went
        ("exact",        PULL,         ALL,       "collected"), // all, and never an end of file
        ("no-close",     PULL,         ALL,       "collected"), // all, and the channel ended in order
    ];

    for (act, folder, reads, becomes) in acts {
        let scene = Scene::new(&[ALL]);

        let output = scene.paramiko(act, folder);

        assert!(output.status.success(), "{act}: {}", said(&output));
        assert!(scene.got() == scene.documents[0][..reads], "{act}");
        assert_eq!(scene.state(scene.path(folder, 0)), becomes, "{act}");
    }
}
