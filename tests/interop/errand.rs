//! What may a client be asked to do?

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::scene::Scene;
use crate::program::Device;

/// A program that people use, or a library that their scripts use.
pub struct Client {
    /// As the table in `docs/clients.md` calls it.
    pub name: &'static str,
    /// What must be here, as a shell finds out.
    pub needs: &'static str,
    /// How it does what it is asked; none if it cannot.
    pub command: fn(&Errand<'_>) -> Option<Command>,
}

/// One thing to do, in a session of its own.
pub struct Errand<'a> {
    pub scene: &'a Scene,
    pub device: &'a Device,
    pub port: u16,
    pub act: Act<'a>,
    /// After how many seconds it is ended.
    pub ends_after: u32,
}

/// What to do. Paths on the server are absolute.
#[derive(Clone, Copy)]
pub enum Act<'a> {
    List {
        folder: &'a str,
    },
    Stat {
        file: &'a str,
    },
    Get {
        file: &'a str,
        to: &'a Path,
    },
    Folder {
        folder: &'a str,
        to: &'a Path,
    },
    Resume {
        file: &'a str,
        to: &'a Path,
    },
    Put {
        from: &'a Path,
        to: &'a str,
    },
    Rename {
        from: &'a str,
        to: &'a str,
    },
    /// To a name that is taken, with `posix-rename@openssh.com` where the client can.
    Replace {
        from: &'a str,
        to: &'a str,
    },
    /// Fetches into [`FETCHED`], and removes in the same session.
    FetchRemove {
        file: &'a str,
    },
    /// Fetches into [`FETCHED`], and renames in the same session.
    FetchRename {
        file: &'a str,
        to: &'a str,
    },
    Remove {
        file: &'a str,
    },
}

/// Where a client that then acts has put what it fetched, in the folder in which it works.
pub const FETCHED: &str = "fetched.xml";

impl Client {
    /// Does it, unless it cannot.
    pub fn run(&self, errand: &Errand<'_>) -> Option<Output> {
        let output = (self.command)(errand).map(|mut command| finish(&mut command));
        errand.scene.quiet();
        output
    }

    /// Whether it can go on where it stopped, and so keeps what came before in the file that it was told. To be asked
    /// before it is told what to do, for some are told by a file.
    pub fn resumes(&self, errand: &Errand<'_>, to: &Path) -> bool {
        let file = "/";
        let act = Act::Resume { file, to };
        (self.command)(&Errand { act, ..*errand }).is_some()
    }

    /// Says whether the client is here. Where one is missing, the test says so; where all must be, it fails.
    pub fn is_here(&self) -> bool {
        let found = Command::new("sh")
            .args(["-c", self.needs])
            .envs(installed())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        is_here(self.name, found.is_ok_and(|status| status.success()))
    }
}

impl Errand<'_> {
    pub fn login(&self) -> &str {
        &self.device.login.name
    }

    /// The options of OpenSSH's programs, but for the port.
    pub fn ssh_options(&self) -> Vec<String> {
        let key = self.device.key_file.display();
        [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "IdentitiesOnly=yes",
        ]
        .iter()
        .map(|option| format!("-o{option}"))
        .chain([format!("-oIdentityFile={key}")])
        .collect()
    }

    /// A client that is told the port, the login, the key file, what to do and with what.
    pub fn script(&self, runner: &[&str], script: &str) -> Command {
        let script = in_repository("tests/interop/clients").join(script);
        self.program(&[runner, &[script.to_str().unwrap()]].concat())
    }

    /// A program that is told the same.
    pub fn program(&self, words: &[&str]) -> Command {
        let (word, one, other) = self.act.words();
        let mut command = self.command(words[0]);
        command
            .args(&words[1..])
            .args([&self.port.to_string(), self.login()])
            .arg(&self.device.key_file)
            .args([word, &one, &other]);
        command
    }

    /// A program that is ended if it takes too long, also at ending when it is interrupted; at home in the scene's folder.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=30", &self.ends_after.to_string(), program]);
        command
            .envs(installed())
            .env("HOME", &self.scene.here)
            .current_dir(&self.scene.here)
            .stdin(Stdio::null());
        command
    }
}

/// What [`Errand::command`] has `timeout` run, from the program's name on.
pub fn program_of(command: &Command) -> impl Iterator<Item = &OsStr> {
    let options_of_timeout = 2;
    command.get_args().skip(options_of_timeout)
}

impl Act<'_> {
    fn words(&self) -> (&'static str, String, String) {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        match *self {
            Act::List { folder } => ("list", folder.to_owned(), String::new()),
            Act::Stat { file } => ("stat", file.to_owned(), String::new()),
            Act::Get { file, to } => ("get", file.to_owned(), text(to)),
            Act::Folder { folder, to } => ("folder", folder.to_owned(), text(to)),
            Act::Resume { file, to } => ("resume", file.to_owned(), text(to)),
            Act::Put { from, to } => ("put", text(from), to.to_owned()),
            Act::Rename { from, to } => ("rename", from.to_owned(), to.to_owned()),
            Act::Replace { from, to } => ("replace", from.to_owned(), to.to_owned()),
            Act::Remove { file } => ("remove", file.to_owned(), String::new()),
            Act::FetchRemove { file } => ("fetch-remove", file.to_owned(), String::new()),
            Act::FetchRename { file, to } => ("fetch-rename", file.to_owned(), to.to_owned()),
        }
    }
}

/// Where one is missing, the test says so; where all must be here, it fails.
#[expect(clippy::print_stderr, reason = "what is not tried is said")]
pub fn is_here(client: &str, here: bool) -> bool {
    assert!(
        here || told("SLUIS_TEST_CLIENTS").is_none(),
        "{client} is not here"
    );
    if !here {
        eprintln!("not tried: {client} is not here");
    }
    here
}

#[expect(
    clippy::disallowed_methods,
    reason = "how tests are run is no configuration of the program"
)]
fn told(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

/// The Python that has the libraries that `.ci/clients` installs, or else the system's.
pub fn python() -> PathBuf {
    let python = in_repository("target/ci-python/bin/python");
    if python.exists() {
        python
    } else {
        "python3".into()
    }
}

/// Where `.ci/clients` has put what it installed.
fn installed() -> [(&'static str, PathBuf); 2] {
    [
        ("SLUIS_TEST_PYTHON", python()),
        ("SLUIS_TEST_NODE", in_repository("target/ci-node")),
    ]
}

pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a command to its end. What it leaves behind it, as a mount's daemon, does not hold us up.
pub fn finish(command: &mut Command) -> Output {
    finish_while(command, |_| ())
}

/// The same, with something that is done while it runs, and is told its process.
pub fn finish_while(command: &mut Command, meanwhile: impl FnOnce(u32)) -> Output {
    let mut out = tempfile::tempfile().unwrap();
    let mut errors = tempfile::tempfile().unwrap();
    let mut process = command
        .stdout(out.try_clone().unwrap())
        .stderr(errors.try_clone().unwrap())
        .spawn()
        .unwrap();
    meanwhile(process.id());
    Output {
        status: process.wait().unwrap(),
        stdout: all_of(&mut out),
        stderr: all_of(&mut errors),
    }
}

/// Interrupts what `timeout` runs, with all that it runs in turn: they are a group of their own.
pub fn interrupt_all_of(timeout: u32) {
    let sent = Command::new("kill")
        .args(["-INT", "--", &format!("-{timeout}")])
        .status();
    assert!(sent.unwrap().success());
}

fn all_of(file: &mut std::fs::File) -> Vec<u8> {
    use std::io::{Read as _, Seek as _};
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// What a program said, for who reads a failure.
pub fn said(output: &Output) -> String {
    format!(
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What a client must have done.
pub fn expect(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}
