//! What if a program is killed whose line is a process of its own?
//!
//! That process, which lives on, ends the channel in order for it.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use super::errand::{Act, Errand, is_here};
use super::putty::ppk;
use super::scene::{PULL, Scene};

/// A process that carries the bytes of another program.
struct Transport {
    name: &'static str,
    command: fn(&Errand<'_>) -> Command,
}

const TRANSPORTS: &[Transport] = &[
    Transport {
        name: "ssh",
        command: |errand| {
            let mut command = errand.command("ssh");
            command.args(errand.ssh_options());
            command.args(["-p", &errand.port.to_string(), "-s"]);
            command.arg(format!("{}@127.0.0.1", errand.login()));
            command
        },
    },
    Transport {
        name: "plink",
        command: |errand| {
            let mut command = errand.command("plink");
            command.args(["-batch", "-ssh", "-hostkey"]);
            command.arg(errand.scene.program.host_fingerprint());
            command.arg("-i").arg(ppk(errand));
            command.args(["-P", &errand.port.to_string(), "-l", errand.login()]);
            command.args(["-s", "127.0.0.1"]);
            command
        },
    },
    Transport {
        name: "dbclient",
        command: |errand| {
            let key = errand.device.key_file.with_extension("dropbear");
            if !key.exists() {
                let mut made = Command::new("dropbearconvert");
                made.args(["openssh", "dropbear"])
                    .arg(&errand.device.key_file);
                let made = made.arg(&key).stderr(Stdio::null()).status();
                assert!(made.unwrap().success());
            }
            let mut command = errand.command("dbclient");
            command.args(["-y", "-y", "-p", &errand.port.to_string(), "-i"]);
            command.arg(key).arg("-s");
            command.arg(format!("{}@127.0.0.1", errand.login()));
            command
        },
    },
];

/// What a program says over its transport, and what it hears.
struct Driver {
    transport: Child,
}

impl Driver {
    fn over(transport: &Transport, errand: &Errand<'_>) -> Self {
        let mut command = (transport.command)(errand);
        command
            .arg("sftp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut driver = Self {
            transport: command.stderr(Stdio::null()).spawn().unwrap(),
        };
        driver.ask(&[&[1][..], &3_u32.to_be_bytes()].concat());
        driver
    }

    /// Sends a packet, and returns its answer without its length.
    fn ask(&mut self, packet: &[u8]) -> Vec<u8> {
        let to = self.transport.stdin.as_mut().unwrap();
        to.write_all(&text(packet)).unwrap();
        to.flush().unwrap();
        let from = self.transport.stdout.as_mut().unwrap();
        let mut length = [0; 4];
        from.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        from.read_exact(&mut answer).unwrap();
        answer
    }

    /// Opens a file and reads it to its end; returns its handle.
    fn read_whole(&mut self, file: &str, document: &[u8]) -> Vec<u8> {
        let read_only = 1_u32.to_be_bytes();
        let opened = self.ask(&[&request(3, file.as_bytes())[..], &read_only, &[0; 4]].concat());
        assert_eq!(opened[0], HANDLE);
        let handle = opened[9..].to_vec();
        let mut got = Vec::new();
        loop {
            let offset = (got.len() as u64).to_be_bytes();
            let length = 32_768_u32.to_be_bytes();
            let answer = self.ask(&[&request(5, &handle)[..], &offset, &length].concat());
            if answer[0] != DATA {
                assert_eq!(answer[5..9], 1_u32.to_be_bytes(), "the end of the file");
                break;
            }
            got.extend_from_slice(&answer[9..]);
        }
        assert!(got == document);
        handle
    }

    /// What its transport sees when it is killed: both pipes end.
    fn die(mut self) {
        drop((self.transport.stdin.take(), self.transport.stdout.take()));
        self.transport.wait().unwrap();
    }
}

/// `SSH_FXP_HANDLE` and `SSH_FXP_DATA` (filexfer-02 §3).
const HANDLE: u8 = 102;
const DATA: u8 = 103;

/// A request with the id 7 that begins with this text.
fn request(kind: u8, first: &[u8]) -> Vec<u8> {
    [&[kind][..], &7_u32.to_be_bytes(), &text(first)].concat()
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

#[test]
fn a_program_that_is_killed_behind_its_transport_has_fetched_only_what_it_closed() {
    for transport in TRANSPORTS {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {}", transport.name)])
            .stdout(Stdio::null())
            .status();
        if !is_here(transport.name, found.is_ok_and(|found| found.success())) {
            continue;
        }
        let scene = Scene::new(&[70_000]);
        let file = scene.path(PULL, 0);
        let errand = scene.errand(&scene.server, Act::Stat { file });

        let mut driver = Driver::over(transport, &errand);
        driver.read_whole(file, &scene.documents[0]);
        driver.die();
        scene.quiet();
        assert_eq!(scene.pulled(), ["offered"], "{}", transport.name);

        let mut driver = Driver::over(transport, &errand);
        let handle = driver.read_whole(file, &scene.documents[0]);
        driver.ask(&request(4, &handle));
        driver.die();
        scene.quiet();
        assert_eq!(scene.pulled(), ["collected"], "{}", transport.name);
    }
}
