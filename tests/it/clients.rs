//! How does a story drive the programs that a system has, against the real program, with one device?
//!
//! What each does is asked in `tests/interop`; the stories that need more take these.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::gateway::invoice;
pub use crate::interop::{expect, is_here, python, wait_until};
use crate::program::{Device, Program};

/// A document as large as any we deliver.
pub const LARGEST: usize = 100 * 1024 * 1024;

/// Says whether a client is here.
pub fn installed(client: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {client}")])
        .stdout(Stdio::null())
        .status();
    is_here(client, found.is_ok_and(|status| status.success()))
}

/// A running server with one device and these documents, which are numbered F-0, F-1, …
pub struct Scene {
    pub program: Program,
    pub device: Device,
    pub here: PathBuf,
}

impl Scene {
    pub fn new(kind: &str, sizes: &[usize]) -> Self {
        let mut program = Program::init();
        let device = program.device("server", kind, "ACME");
        let documents: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(at, size)| invoice(&format!("F-{at}"), *size))
            .collect();
        program.ingest(&documents);
        program.serve();
        let here = program.path("here");
        std::fs::create_dir(&here).unwrap();
        Self {
            program,
            device,
            here,
        }
    }

    pub fn options(&self) -> Vec<String> {
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

    /// `sftp -b`, with these lines, and these options before the others.
    pub fn sftp(&self, options: &[&str], lines: &str) -> Output {
        let batch = self.program.path("batch");
        std::fs::write(&batch, lines).unwrap();
        let mut command = Command::new("timeout");
        command
            .args(["300", "sftp", "-b"])
            .arg(batch)
            .args(options)
            .args(self.options());
        command.args([
            "-P",
            &self.program.port(),
            &format!("{}@127.0.0.1", self.device.login.name),
        ]);
        command.current_dir(&self.here).output().unwrap()
    }

    /// `ssh` as lftp, sshfs and rclone take it.
    fn ssh_command(&self) -> String {
        format!(
            "ssh -a -x {} -p {}",
            self.options().join(" "),
            self.program.port()
        )
    }

    pub fn lftp(&self, script: &str) -> Output {
        let connect = format!(
            "set sftp:connect-program '{}'; set net:max-retries 1; set cmd:fail-exit yes",
            self.ssh_command()
        );
        let open = format!("open -u {},x sftp://127.0.0.1", self.device.login.name);
        let mut command = Command::new("timeout");
        command.args(["300", "lftp", "-c", &format!("{connect}; {open}; {script}")]);
        command
            .env("HOME", &self.here)
            .current_dir(&self.here)
            .output()
            .unwrap()
    }

    pub fn rclone(&self, arguments: &[&str]) -> Output {
        let config = self.program.path("rclone.conf");
        let text = format!(
            "[s]\ntype = sftp\nhost = 127.0.0.1\nport = {}\nuser = {}\nkey_file = {}\n",
            self.program.port(),
            self.device.login.name,
            self.device.key_file.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("timeout");
        command
            .args(["300", "rclone", "--config"])
            .arg(config)
            .args(arguments);
        command.current_dir(&self.here).output().unwrap()
    }
}

/// A mounted drive, until it is dropped.
pub struct Mount(PathBuf);

impl Mount {
    pub fn new(scene: &Scene, at: &Path) -> Self {
        let mut command = Command::new("timeout");
        command
            .args(["60", "sshfs", "-p", &scene.program.port()])
            .args(scene.options());
        command
            .arg(format!("{}@127.0.0.1:/", scene.device.login.name))
            .arg(at);
        expect(&command.output().unwrap());
        Self(at.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("fusermount3").arg("-uz").arg(&self.0).status());
    }
}
