//! How are real clients told to do a work?

use std::process::{Child, Command, Stdio};

use crate::peers::{Rig, Side, text};

impl Rig {
    /// What every OpenSSH client is told.
    fn options(&self) -> Vec<String> {
        let key = self.path("key");
        [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "IdentitiesOnly=yes",
            "PubkeyAuthentication=yes",
            "ControlMaster=no",
        ]
        .iter()
        .map(|option| format!("-o{option}"))
        .chain([format!("-oIdentityFile={}", key.display())])
        .collect()
    }

    /// Starts `sftp -b` with these lines.
    pub fn start_sftp(&self, side: Side, more: &[&str], lines: &str) -> Child {
        let at = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_nanos();
        let batch = self.path(&format!("batch-{at}"));
        std::fs::write(&batch, lines).unwrap();
        Command::new("sftp")
            .args(["-q", "-b", text(&batch)])
            .args(more)
            .args(self.options())
            .args(["-P", &self.address(side).port().to_string()])
            .arg(format!("{}@127.0.0.1", self.user(side)))
            .current_dir(self.here.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub fn sftp(&self, side: Side, more: &[&str], lines: &str) {
        assert!(self.start_sftp(side, more, lines).wait().unwrap().success());
    }

    pub fn lftp(&self, side: Side, script: &str) {
        let ssh = format!(
            "ssh -a -x {} -p {}",
            self.options().join(" "),
            self.address(side).port()
        );
        let script = format!(
            "set sftp:connect-program '{ssh}'; set net:max-retries 1; set cmd:fail-exit yes; \
             open -u {},x sftp://127.0.0.1; {script}",
            self.user(side)
        );
        let done = Command::new("lftp")
            .args(["-c", &script])
            .env("HOME", self.here.path())
            .current_dir(self.here.path())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success());
    }

    pub fn rclone(&self, side: Side, arguments: &[&str]) {
        let config = self.path("rclone.conf");
        let written = format!(
            "[s]\ntype = sftp\nhost = 127.0.0.1\nport = {}\nuser = {}\nkey_file = {}\nshell_type = none\n",
            self.address(side).port(),
            self.user(side),
            self.path("key").display()
        );
        std::fs::write(&config, written).unwrap();
        let done = Command::new("rclone")
            .args(["--config", text(&config)])
            .args(arguments)
            .current_dir(self.here.path())
            .status()
            .unwrap();
        assert!(done.success());
    }
}
