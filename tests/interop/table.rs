//! Does a client do what the table in `docs/clients.md` says of it?
//!
//! The table is the expectation: what it says is what these tests see, cell by cell.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use sluis::model::Digest;

use super::errand::{Act, Client, Errand, FETCHED, said};
use super::scene::{MOUNT, MOUNT_DONE, PULL, PULL_DONE, Scene, all, files_under, name};
use super::wire::Wire;
use crate::gateway::invoice;

/// The columns of the table, and how each is found out. They are done in this order.
#[rustfmt::skip]
const COLUMNS: &[(&str, FindOut)] = &[
    ("list",         Trial::list),
    ("stat",         Trial::stat),
    ("get",          Trial::get),
    ("cut",          Trial::cut),
    ("after a cut",  Trial::after_a_cut),
    ("stopped",      Trial::stopped),
    ("early remove", Trial::early_remove),
    ("get, remove",  Trial::fetch_remove),
    ("get, move",    Trial::fetch_rename),
    ("folder",       Trial::folder),
    ("peek",         Trial::peek),
    ("put over",     Trial::put_over),
    ("put other",    Trial::put_other),
    ("put copy",     Trial::put_copy),
    ("move",         Trial::rename),
    ("put taken",    Trial::put_taken),
    ("move taken",   Trial::move_taken),
    ("move over",    Trial::move_over),
    ("remove",       Trial::remove),
    ("put in",       Trial::put_in),
];

/// Has a client do something, and says in a word what came of it.
type FindOut = fn(&Trial) -> String;

/// What is asked of each client. Those that can not do a thing have a dash there.
pub fn holds(client: &'static Client) {
    if !client.is_here() {
        return;
    }
    let trial = Trial {
        client,
        scene: Scene::offering(
            algorithms_for(client),
            &[
                SMALL, LARGE, LARGE, 40_000, 33_000, 150_000, 35_000, 36_000, LARGER,
            ],
        ),
    };
    let seen: Vec<_> = COLUMNS
        .iter()
        .map(|(column, find_out)| format!("{column}: {}", find_out(&trial)))
        .collect();
    assert_eq!(seen, expected(client.name), "of {}", client.name);
}

/// The set of algorithms that `docs/clients.md` says a client needs.
fn algorithms_for(client: &Client) -> &'static str {
    if LEGACY.contains(&client.name) {
        "legacy"
    } else {
        "modern"
    }
}

/// Clients that have no algorithm in common with the default set.
const LEGACY: [&str; 3] = ["curl", "net-sftp", "JSch"];

/// Drives, which stay when whoever reads on them is interrupted.
const DRIVES: [&str; 2] = ["sshfs", "rclone mount"];

/// Clients that close the file when they are interrupted, and take the answers that are under way before.
const ORDERLY: [&str; 4] = [
    "OpenSSH sftp",
    "paramiko",
    "libssh2 (ssh2-python)",
    "libssh (ssh-python)",
];

const SMALL: usize = 1234;
const LARGE: usize = 3_000_000;
/// More than can be under way to a client.
const LARGER: usize = 12_000_000;
/// Where the line goes dead or stands still, and what a client may say more than what it had not got.
const CUT: u64 = 1_200_000;

/// A client at work.
struct Trial {
    client: &'static Client,
    scene: Scene,
}

impl Trial {
    fn list(&self) -> String {
        let Some(output) = self.server(Act::List { folder: PULL }) else {
            return cannot();
        };
        let names = self.scene.names(PULL, 0..self.scene.documents.len());
        let found = file_names(&output);
        if output.status.success() && found == names.iter().map(String::as_str).collect() {
            "ok".to_owned()
        } else {
            amiss(&output)
        }
    }

    fn stat(&self) -> String {
        let Some(output) = self.server(Act::Stat {
            file: self.scene.path(PULL, 2),
        }) else {
            return cannot();
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let size = self.scene.documents[2].len().to_string();
        let says = text
            .split(|character: char| !character.is_ascii_digit())
            .any(|number| number == size);
        if output.status.success() && says {
            "ok".to_owned()
        } else {
            amiss(&output)
        }
    }

    /// A small one, which many clients treat otherwise, and a large one.
    fn get(&self) -> String {
        self.both(|document| {
            let file = self.scene.path(PULL, document);
            let to = self.scene.here.join(format!("got-{document}.xml"));
            let output = self.server(Act::Get { file, to: &to });
            self.fetched(output, file, &self.scene.documents[document], &to)
        })
    }

    fn cut(&self) -> String {
        let file = self.scene.path(PULL, 2);
        let output = self
            .scene
            .cut(self.client, file, &self.scene.here.join("cut.xml"), CUT);
        if output.status.success() {
            return format!("it says all is well: {}", said(&output));
        }
        self.scene.state(file)
    }

    fn after_a_cut(&self) -> String {
        self.once_more(2, &self.scene.here.join("cut.xml"))
    }

    fn stopped(&self) -> String {
        let name = &self.client.name;
        if DRIVES.contains(name) {
            return cannot();
        }
        let to = self.scene.here.join("stopped.xml");
        let file = self.scene.path(PULL, 8);
        let output = self.scene.stop(self.client, (file, &to), CUT, |line| {
            if ORDERLY.contains(name) {
                line.goes_on();
            }
        });
        if output.status.success() {
            return format!("it says all is well: {}", said(&output));
        }
        let state = self.scene.state(file);
        format!("{state}; {}", self.once_more(8, &to))
    }

    /// Where a client can go on where it stopped, it shall; else it fetches anew.
    fn once_more(&self, document: usize, to: &Path) -> String {
        let (file, bytes) = (
            self.scene.path(PULL, document),
            &self.scene.documents[document],
        );
        let wire = Wire::to(self.scene.program.address.unwrap());
        let over = |act| {
            self.client.run(&Errand {
                port: wire.port(),
                ..self.scene.errand(&self.scene.server, act)
            })
        };
        let output = over(Act::Resume { file, to }).or_else(|| over(Act::Get { file, to }));
        let state = self.fetched(output, file, bytes, to);
        let how = if wire.down() < bytes.len() as u64 {
            "resumed"
        } else {
            "anew"
        };
        format!("{how}, {state}")
    }

    fn early_remove(&self) -> String {
        let file = self.scene.path(PULL, 3);
        self.refused(self.server(Act::Remove { file }), file)
    }

    /// A script that has done with what it fetched.
    fn fetch_remove(&self) -> String {
        let file = self.scene.path(PULL, 6);
        self.fetched_and_acted(6, Act::FetchRemove { file })
    }

    fn fetch_rename(&self) -> String {
        let file = self.scene.path(PULL, 7);
        let to = &self.done(PULL, 7);
        self.fetched_and_acted(7, Act::FetchRename { file, to })
    }

    fn fetched_and_acted(&self, document: usize, act: Act<'_>) -> String {
        let to = self.scene.here.join(FETCHED);
        let state = self.fetched(
            self.server(act),
            self.scene.path(PULL, document),
            &self.scene.documents[document],
            &to,
        );
        drop(std::fs::remove_file(to));
        if state == "processed" {
            self.stands_in(PULL, document);
        }
        state
    }

    /// All that is left there, as many as there are.
    fn folder(&self) -> String {
        let to = &self.scene.here.join("folder");
        std::fs::create_dir(to).unwrap();
        let state = |document: &usize| self.scene.state(self.scene.path(PULL, *document));
        let left: Vec<_> = (3..self.scene.documents.len())
            .filter(|document| state(document) == "offered")
            .collect();
        assert!(left.len() >= 3, "{left:?}");
        let Some(output) = self.server(Act::Folder { folder: PULL, to }) else {
            return cannot();
        };
        let names = self.scene.names(PULL, left.clone());
        let bytes = left
            .iter()
            .map(|document| self.scene.documents[*document].clone());
        let expected = names.into_iter().zip(bytes);
        if !output.status.success() || files_under(to) != expected.collect() {
            return amiss(&output);
        }
        match left.iter().map(state).collect::<Vec<_>>() {
            states if all(&states, "collected") => "collected".to_owned(),
            states => format!("{states:?}"),
        }
    }

    /// On a drive, whoever reads a file has done nothing with it.
    fn peek(&self) -> String {
        self.both(|document| {
            let file = self.scene.path(MOUNT, document);
            let to = self.scene.here.join(format!("peeked-{document}.xml"));
            let output = self.desk(Act::Get { file, to: &to });
            self.fetched(output, file, &self.scene.documents[document], &to)
        })
    }

    fn put_over(&self) -> String {
        let (file, from) = (self.scene.path(MOUNT, 3), self.local(b"<Invoice/>"));
        let output = self.desk(Act::Put {
            from: &from,
            to: file,
        });
        let answer = self.refused(output, file);
        assert!(
            self.scene.read(&self.scene.desk, file) == self.scene.documents[3],
            "a document was overwritten"
        );
        answer
    }

    fn put_other(&self) -> String {
        let (name, from) = ("other.xml", self.local(b"<Invoice>other</Invoice>"));
        let to = format!("{MOUNT_DONE}/{name}");
        let Some(output) = self.desk(Act::Put {
            from: &from,
            to: &to,
        }) else {
            return cannot();
        };
        let there = self.scene.listed(&self.scene.desk, MOUNT_DONE);
        assert_eq!(there, Vec::<String>::new(), "other bytes are no copy");
        assert!(all(&self.scene.mounted(), "offered"));
        refusal(&output)
    }

    fn put_copy(&self) -> String {
        let (from, to) = (self.local(&self.scene.documents[4]), self.done(MOUNT, 4));
        let put = Act::Put {
            from: &from,
            to: &to,
        };
        self.acted(self.desk(put), 4)
    }

    fn rename(&self) -> String {
        let (from, to) = (self.scene.path(MOUNT, 3), &self.done(MOUNT, 3));
        self.acted(self.desk(Act::Rename { from, to }), 3)
    }

    /// Other bytes, and those of another document, over a name that stands in the processed folder.
    fn put_taken(&self) -> String {
        let taken = self.done(MOUNT, 4);
        let put = |bytes: &[u8]| {
            let from = self.local(bytes);
            let output = self.desk(Act::Put {
                from: &from,
                to: &taken,
            });
            self.stands_in(MOUNT, 4);
            output
        };
        let Some(output) = put(b"<Invoice>other</Invoice>") else {
            return cannot();
        };
        let copy = put(&self.scene.documents[2]).unwrap();
        let copy = match self.scene.state(self.scene.path(MOUNT, 2)).as_str() {
            "offered" => refusal(&copy),
            state => format!("{}, {state}", refusal(&copy)),
        };
        match refusal(&output) {
            other if other == copy => other,
            other => format!("{other}; a copy: {copy}"),
        }
    }

    /// A document onto the name of one that was moved before.
    fn move_taken(&self) -> String {
        let (file, taken) = (self.scene.path(MOUNT, 0), self.done(MOUNT, 3));
        let to = &taken;
        let Some(output) = self.desk(Act::Replace { from: file, to }) else {
            return cannot();
        };
        self.stands_in(MOUNT, 3);
        self.refused(Some(output), file)
    }

    /// A waiting document onto the name of another one that waits.
    fn move_over(&self) -> String {
        let scene = &self.scene;
        let [from, to] = [6, 7].map(|document| scene.path(MOUNT, document));
        let Some(output) = self.desk(Act::Replace { from, to }) else {
            return cannot();
        };
        let answer = self.refused(Some(output), from);
        assert!(scene.read(&scene.desk, from) == scene.documents[6]);
        match scene.state(to).as_str() {
            "offered" => {
                assert!(scene.read(&scene.desk, to) == scene.documents[7]);
                answer
            }
            state => {
                self.stands_in(MOUNT, 7);
                format!("{answer}; the other: {state}")
            }
        }
    }

    /// Where a document stands that the device of this folder is done with, under the name that it had.
    fn done(&self, folder: &str, document: usize) -> String {
        let done = if folder == PULL {
            PULL_DONE
        } else {
            MOUNT_DONE
        };
        format!("{done}/{}", name(self.scene.path(folder, document)))
    }

    /// This document's name in the processed folder is its own, with its bytes, and it waits no more.
    fn stands_in(&self, folder: &str, document: usize) {
        let (scene, waiting) = (&self.scene, self.scene.path(folder, document));
        let device = if folder == PULL {
            &scene.server
        } else {
            &scene.desk
        };
        assert_eq!(scene.state(waiting), "processed");
        assert!(
            scene.read(device, &self.done(folder, document)) == scene.documents[document],
            "a document in the processed folder was overwritten"
        );
    }

    fn remove(&self) -> String {
        let file = self.scene.path(MOUNT, 5);
        self.acted(self.desk(Act::Remove { file }), 5)
    }

    /// Two documents, one after the other under the same name: both have come in.
    fn put_in(&self) -> String {
        let put = [("IN-1", 30_000), ("IN-2", 31_000)].map(|(number, size)| invoice(number, size));
        for bytes in &put {
            let from = self.local(bytes);
            let to = "/in/new.xml";
            let Some(output) = self.server(Act::Put { from: &from, to }) else {
                return cannot();
            };
            if !output.status.success() {
                return amiss(&output);
            }
        }
        let ask = |number| {
            [
                "deliveries",
                "kantoor",
                "--device",
                "server",
                "--number",
                number,
            ]
        };
        let rows = ["IN-1", "IN-2"].map(|number| self.scene.program.json(&ask(number)));
        // What is stored under each digest has it.
        self.scene.program.ok(&["fsck", "--deep"]);
        let found = rows.iter().flatten().map(|row| {
            let text = |field: &str| row[field].as_str().unwrap().to_owned();
            (text("state"), text("digest"))
        });
        let found: Vec<_> = found.collect();
        if found == put.map(|bytes| ("offered".to_owned(), Digest::of(&bytes).to_string())) {
            "taken".to_owned()
        } else {
            format!("{found:?}")
        }
    }

    fn server(&self, act: Act<'_>) -> Option<Output> {
        self.client.run(&self.scene.errand(&self.scene.server, act))
    }

    fn desk(&self, act: Act<'_>) -> Option<Output> {
        self.client.run(&self.scene.errand(&self.scene.desk, act))
    }

    /// The same of the small and the large document, or both.
    fn both(&self, find_out: impl Fn(usize) -> String) -> String {
        match (find_out(0), find_out(1)) {
            (small, large) if small == large => small,
            (small, large) => format!("small {small}, large {large}"),
        }
    }

    /// The state of what was fetched, if the bytes of that document came.
    fn fetched(&self, output: Option<Output>, file: &str, bytes: &[u8], to: &Path) -> String {
        let Some(output) = output else {
            return cannot();
        };
        let right = std::fs::read(to).is_ok_and(|got| got == bytes);
        if !output.status.success() || !right {
            return amiss(&output);
        }
        self.scene.state(file)
    }

    /// The state of a document on the mount that was acted upon, if the client says that it did.
    fn acted(&self, output: Option<Output>, document: usize) -> String {
        let Some(output) = output else {
            return cannot();
        };
        if !output.status.success() {
            return amiss(&output);
        }
        let state = self.scene.state(self.scene.path(MOUNT, document));
        if state == "processed" {
            self.stands_in(MOUNT, document);
        }
        state
    }

    /// What a client says of what was refused.
    fn refused(&self, output: Option<Output>, file: &str) -> String {
        let Some(output) = output else {
            return cannot();
        };
        match self.scene.state(file).as_str() {
            "offered" => refusal(&output),
            state => format!("{state}: {}", said(&output)),
        }
    }

    fn local(&self, bytes: &[u8]) -> PathBuf {
        let path = self.scene.here.join("local.xml");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn cannot() -> String {
    "-".to_owned()
}

fn refusal(output: &Output) -> String {
    let word = if output.status.success() {
        "silent"
    } else {
        "refused"
    };
    word.to_owned()
}

fn amiss(output: &Output) -> String {
    format!("amiss: {}", said(output))
}

/// The names of files in what a client printed, however it prints them.
pub fn file_names(output: &Output) -> BTreeSet<&str> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.split(|character: char| character.is_whitespace() || "/\"',;".contains(character))
        .filter(|word| word.ends_with(".xml"))
        .collect()
}

/// The clients that the table has, in its order.
pub fn clients() -> Vec<&'static str> {
    table().skip(2).map(|cells| cells[0]).collect()
}

/// The client's row of the table, cell by cell.
fn expected(client: &str) -> Vec<String> {
    let head = table().next().unwrap();
    let row = table().find(|cells| cells[0] == client);
    let cells = head.iter().zip(row.unwrap_or_default()).skip(1);
    cells
        .map(|(column, cell)| format!("{column}: {cell}"))
        .collect()
}

/// The table's head, what draws a line under it, and its rows.
fn table() -> impl Iterator<Item = Vec<&'static str>> {
    let lines = include_str!("../../docs/clients.md").lines();
    let lines = lines.skip_while(|line| !line.starts_with("| Client | list |"));
    let lines = lines.take_while(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}
