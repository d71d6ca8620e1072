//! Does a document come in whole whose sender was cut off from putting it in, and went on or put it anew?
//!
//! The table under *Uploads* in `docs/clients.md` says which of the two each client does.

use std::path::Path;
use std::process::Command;

use sluis::model::Digest;

use super::errand::{Act, Client, Errand, expect, finish, said};
use super::lftp::LFTP;
use super::libraries::{JSCH, NET_SFTP_FOREIGN, PHPSECLIB, PKG_SFTP};
use super::openssh::{SCP, SFTP, SSHFS};
use super::putty::{FILEZILLA, PSCP, PSFTP};
use super::python::{ASYNCSSH, PARAMIKO};
use super::rclone::RCLONE;
use super::scene::Scene;
use super::web::{CURL, GIO};
use super::wire::Wire;
use crate::gateway::invoice;

/// How a client that can put is asked to go on with it.
enum GoesOn {
    /// As it is asked to put, but each argument is this.
    With(fn(&str) -> String),
    /// By other words in the file of its lines.
    InLines {
        file: &'static str,
        put: &'static str,
        reput: &'static str,
    },
    /// By more arguments.
    Also(&'static [&'static str]),
    /// Not at all: it puts once more.
    Cannot,
}

const SIZE: usize = 3_000_000;
/// Where the line goes dead.
const CUT: u64 = 1_200_000;
const TO: &str = "/in/cut.xml";

/// Cuts a client off from putting a document in, and has it go on.
fn goes_on(client: &Client, how: &GoesOn, algorithms: &str) {
    if !client.is_here() {
        return;
    }
    let scene = Scene::offering(algorithms, &[1200]);
    let (from, document) = (scene.here.join("cut.xml"), invoice("CUT-1", SIZE));
    std::fs::write(&from, &document).unwrap();
    let server = scene.program.address.unwrap();

    let dead = Wire::that_dies_after_sending(CUT, server);
    let cut = finish(&mut put(client, &scene, dead.port(), &from));
    scene.quiet();
    assert!(!cut.status.success(), "{}", said(&cut));
    assert_eq!(came_in(&scene, "CUT-1"), [], "half of a document is none");

    let wire = Wire::to(server);
    let mut command = how.command(&scene, put(client, &scene, wire.port(), &from));
    expect(&finish(&mut command));
    scene.quiet();

    assert_eq!(came_in(&scene, "CUT-1"), [whole(&document)]);
    // What is stored under that digest has it.
    scene.program.ok(&["fsck", "--deep"]);
    let word = if wire.up() < SIZE as u64 {
        "resumed"
    } else {
        "anew"
    };
    assert_eq!(word, expected(client.name), "of {}", client.name);

    puts_another(client, how, &scene, &from);
}

/// What shows under that name is not the beginning of another document, though who goes on takes it for that. Who
/// is told that it was put has put all of it.
fn puts_another(client: &Client, how: &GoesOn, scene: &Scene, from: &Path) {
    let document = invoice("CUT-2", SIZE + 500_000);
    std::fs::write(from, &document).unwrap();
    for _ in 0..2 {
        let port = scene.program.address.unwrap().port();
        let mut command = how.command(scene, put(client, scene, port, from));
        let output = finish(&mut command);
        scene.quiet();

        let came = came_in(scene, "CUT-2");
        if output.status.success() {
            assert_eq!(came, [whole(&document)], "{}", said(&output));
        } else {
            assert_eq!(came, []);
        }
        let all = scene.program.json(&["documents", "kantoor"]);
        assert_eq!(all.len(), 2 + came.len(), "a piece was taken: {all:?}");
    }
}

fn whole(document: &[u8]) -> (String, String) {
    ("offered".to_owned(), Digest::of(document).to_string())
}

fn put(client: &Client, scene: &Scene, port: u16, from: &Path) -> Command {
    let act = Act::Put { from, to: TO };
    let errand = Errand {
        port,
        ..scene.errand(&scene.server, act)
    };
    (client.command)(&errand).unwrap()
}

/// The state and the digest of what came in with that number.
fn came_in(scene: &Scene, number: &str) -> Vec<(String, String)> {
    let ask = ["deliveries", "kantoor", "--device", "server", "--number"];
    let rows = scene.program.json(&[&ask[..], &[number]].concat());
    let found = rows.iter().map(|row| {
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        (text("state"), text("digest"))
    });
    found.collect()
}

/// What the table in `docs/clients.md` says.
fn expected(client: &str) -> &str {
    let text = include_str!("../../docs/clients.md");
    let cells = |line: &'static str| line.split('|').map(str::trim).collect::<Vec<_>>();
    let mut rows = text.lines().map(cells);
    let head = ["", "Client", "Goes on by", "What came in was put", ""];
    assert!(rows.any(|row| row == head), "the table is gone");
    let row = rows.find(|row| row.get(1) == Some(&client));
    row.unwrap_or_else(|| panic!("{client} is not in the table"))[3]
}

impl GoesOn {
    fn command(&self, scene: &Scene, mut put: Command) -> Command {
        match self {
            Self::With(words) => reworded(&put, words),
            Self::InLines {
                file,
                put: word,
                reput,
            } => {
                let file = scene.program.path(file);
                let lines = std::fs::read_to_string(&file).unwrap();
                std::fs::write(&file, lines.replacen(word, reput, 1)).unwrap();
                put
            }
            Self::Also(words) => {
                put.args(*words);
                put
            }
            Self::Cannot => put,
        }
    }
}

/// The same command, with each argument so.
fn reworded(command: &Command, words: &fn(&str) -> String) -> Command {
    let mut other = Command::new(command.get_program());
    let arguments = command.get_args();
    other.args(arguments.map(|argument| words(argument.to_str().unwrap())));
    other.envs(
        command
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    other.current_dir(command.get_current_dir().unwrap());
    other.stdin(std::process::Stdio::null());
    other
}

/// A script of ours, which has a word for it.
const SCRIPT: GoesOn = GoesOn::With(|word| match word {
    "put" => "reput".to_owned(),
    other => other.to_owned(),
});

#[test]
fn sftp_goes_on_putting() {
    let lines = GoesOn::InLines {
        file: "sftp.batch",
        put: "put ",
        reput: "reput ",
    };
    goes_on(&SFTP, &lines, "modern");
}

#[test]
fn scp_puts_anew() {
    goes_on(&SCP, &GoesOn::Cannot, "modern");
}

#[test]
fn sshfs_puts_anew() {
    goes_on(&SSHFS, &GoesOn::Cannot, "modern");
}

#[test]
fn gio_puts_anew() {
    goes_on(&GIO, &GoesOn::Cannot, "modern");
}

#[test]
fn lftp_goes_on_putting() {
    let words = GoesOn::With(|script| script.replace("put \"", "put -c \""));
    goes_on(&LFTP, &words, "modern");
}

#[test]
fn rclone_puts_anew() {
    goes_on(&RCLONE, &GoesOn::Cannot, "modern");
}

#[test]
fn psftp_goes_on_putting() {
    let lines = GoesOn::InLines {
        file: "psftp.batch",
        put: "put ",
        reput: "reput ",
    };
    goes_on(&PSFTP, &lines, "modern");
}

#[test]
fn pscp_puts_anew() {
    goes_on(&PSCP, &GoesOn::Cannot, "modern");
}

#[test]
fn filezilla_goes_on_putting() {
    goes_on(&FILEZILLA, &SCRIPT, "modern");
}

#[test]
fn curl_goes_on_putting() {
    goes_on(&CURL, &GoesOn::Also(&["-C", "-"]), "legacy");
}

#[test]
fn paramiko_goes_on_putting() {
    goes_on(&PARAMIKO, &SCRIPT, "modern");
}

#[test]
fn asyncssh_goes_on_putting() {
    goes_on(&ASYNCSSH, &SCRIPT, "modern");
}

#[test]
fn net_sftp_foreign_goes_on_putting() {
    goes_on(&NET_SFTP_FOREIGN, &SCRIPT, "modern");
}

#[test]
fn phpseclib_goes_on_putting() {
    goes_on(&PHPSECLIB, &SCRIPT, "modern");
}

#[test]
fn jsch_goes_on_putting() {
    goes_on(&JSCH, &SCRIPT, "legacy");
}

#[test]
fn pkg_sftp_goes_on_putting() {
    goes_on(&PKG_SFTP, &SCRIPT, "modern");
}
