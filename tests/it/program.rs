//! How does a test run the real program, as an operator does?

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use serde_json::Value;
use tempfile::TempDir;

use crate::gateway::{BAKERY, Login};
use crate::interop::wait_until;
use sluis::model::DeviceId;

/// How the log tells that a part of the program died: a task's death ends nothing else, and clients only see that
/// somebody hung up.
const DEATHS: [&str; 2] = ["A part of the program died", "panicked at"];

/// The program with a data folder of its own, and perhaps a server.
///
/// Whenever a server ends, nothing in it may have died.
pub struct Program {
    folder: TempDir,
    server: Option<Child>,
    log: Arc<Mutex<String>>,
    /// What takes it, to its end.
    logging: Option<JoinHandle<()>>,
    pub address: Option<SocketAddr>,
    /// Where it answers monitors, if it does.
    pub metrics: Option<SocketAddr>,
}

/// A device of the program, and the files that a client needs.
pub struct Device {
    pub login: Login,
    pub key_file: PathBuf,
}

impl Program {
    /// `sluis init`, with a firm `kantoor` and the bakery as its dossier.
    pub fn init() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Self {
            folder,
            server: None,
            log: Arc::default(),
            logging: None,
            address: None,
            metrics: None,
        };
        let at = program.path("sluis");
        program.ok(&["init", at.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
        program.ok(&[
            "firm",
            "add",
            "kantoor",
            "--name",
            "Kantoor Peeters",
            "--language",
            "nl",
        ]);
        program.ok(&[
            "dossier",
            "add",
            "kantoor",
            "--name",
            "De Korenaar",
            "--id",
            BAKERY,
        ]);
        program
    }

    /// Has its server offer this set of algorithms.
    pub fn offer(&self, algorithms: &str) {
        let file = self.path("sluis/sluis.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let section = format!("[sftp]\nalgorithms = \"{algorithms}\"\n");
        std::fs::write(&file, text.replacen("[sftp]\n", &section, 1)).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command and returns what it did.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and returns what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "sluis {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a listing with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.ok(&[arguments, &["--json"]].concat());
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Adds a device with a fresh key, and links the bakery to `expertm` as `code` for it.
    pub fn device(&self, name: &str, kind: &str, code: &str) -> Device {
        let device = self.device_of(name, kind);
        self.link(BAKERY, code, name);
        device
    }

    /// Links a dossier to `expertm` as `code` for a device.
    pub fn link(&self, dossier: &str, code: &str, device: &str) {
        self.ok(&[
            "link",
            "add",
            "kantoor",
            dossier,
            "--profile",
            "expertm",
            "--code",
            code,
            "--device",
            device,
        ]);
    }

    /// Adds a device with a fresh key.
    pub fn device_of(&self, name: &str, kind: &str) -> Device {
        let key =
            PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
        let key_file = self.path(&format!("{name}.key"));
        std::fs::write(&key_file, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
        std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let public = self.path(&format!("{name}.pub"));
        std::fs::write(&public, key.public_key().to_openssh().unwrap()).unwrap();
        self.ok(&[
            "device",
            "add",
            "kantoor",
            name,
            "--kind",
            kind,
            "--key",
            public.to_str().unwrap(),
        ]);
        let login = Login {
            name: format!("kantoor.{name}"),
            id: DeviceId(0),
            key,
        };
        Device { login, key_file }
    }

    /// Puts documents into a folder and ingests it.
    pub fn ingest(&self, documents: &[Vec<u8>]) {
        let folder = self.path("in");
        std::fs::create_dir_all(&folder).unwrap();
        for (at, bytes) in documents.iter().enumerate() {
            std::fs::write(folder.join(format!("{at:05}.xml")), bytes).unwrap();
        }
        self.ok(&["ingest", "kantoor", folder.to_str().unwrap()]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// Starts the server and waits until it says where it listens.
    pub fn serve(&mut self) {
        let command = self.command(&["serve"]);
        self.serve_by(command);
    }

    /// Starts the server with an allocator that gives back at once what nothing needs: what the process has is what
    /// the program holds. By itself each thread may keep what it freed, for as long as it asks for nothing else.
    pub fn serve_weighed(&mut self) {
        let mut command = self.command(&["serve"]);
        command.env("MIMALLOC_PURGE_DELAY", "0");
        self.serve_by(command);
    }

    /// Starts the server by this command.
    pub fn serve_by(&mut self, mut command: Command) {
        let mut server = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(server.stderr.take().unwrap());
        let log = Arc::clone(&self.log);
        // Somebody must take what is logged, or the server would wait for it.
        self.logging = Some(std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                log.lock().unwrap().push_str(&(line + "\n"));
            }
        }));
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let mut metrics = None;
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            if let Some(at) = line.strip_prefix("metrics at ") {
                metrics = at.trim().parse().ok();
            }
            line.strip_prefix("listening on ")?.trim().parse().ok()
        });
        std::thread::spawn(move || lines.for_each(drop));
        assert!(
            address.is_some(),
            "the server did not start: {}",
            self.log.lock().unwrap()
        );
        (self.address, self.metrics) = (address, metrics);
        self.server = Some(server);
    }

    /// Ends the server on the spot, as a power switch does.
    pub fn kill(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
        self.check_lived();
    }

    /// Sends the server a signal, and does not wait for what comes of it.
    pub fn signal(&self, name: &str) {
        let process = self.process().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &process])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits until the server has ended by itself, and returns its exit status.
    pub fn ended(&mut self) -> Option<i32> {
        let server = self.server.as_mut().unwrap();
        wait_until(|| server.try_wait().unwrap().is_some());
        let code = self.server.take().unwrap().wait().unwrap().code();
        self.check_lived();
        code
    }

    /// Ends the server as a service manager does, and returns its exit status.
    pub fn terminate(&mut self) -> Option<i32> {
        let mut server = self.server.take().unwrap();
        Command::new("kill")
            .args(["-TERM", &server.id().to_string()])
            .status()
            .unwrap();
        let code = server.wait().unwrap().code();
        self.check_lived();
        code
    }

    /// Asserts that no part of the server, which has ended, died before.
    fn check_lived(&mut self) {
        if let Some(logging) = self.logging.take() {
            wait_until(|| logging.is_finished());
        }
        let log = self.log();
        let died = |line: &&str| DEATHS.iter().any(|death| line.contains(death));
        assert_eq!(log.lines().find(died), None);
    }

    /// Says of a test that fails how its server was before it was ended here, for one that had died looks to clients as
    /// one that is slow, and what it said last.
    #[expect(clippy::print_stderr, reason = "who reads a failure wants it")]
    fn tell(&self, ended: Option<std::io::Result<Option<ExitStatus>>>) {
        const LINES: usize = 50;
        // Whoever held it may be what panicked.
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        match ended {
            Some(Ok(None)) => eprintln!("the server still ran"),
            Some(Ok(Some(status))) => eprintln!("the server had ended: {status}"),
            Some(Err(why)) => eprintln!("whether the server still ran is not known: {why}"),
            None if log.is_empty() => return,
            None => eprintln!("no server was left to run"),
        }
        let lines: Vec<_> = log.lines().collect();
        let from = lines.len().saturating_sub(LINES);
        eprintln!("its log ends so:\n{}", lines[from..].join("\n"));
    }

    /// What deliveries came to: `state` by file name, in order.
    pub fn states(&self) -> Vec<String> {
        let rows = self.json(&["deliveries", "kantoor"]);
        rows.iter()
            .map(|row| row["state"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn port(&self) -> String {
        self.address.unwrap().port().to_string()
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The server's process.
    pub fn process(&self) -> u32 {
        self.server.as_ref().unwrap().id()
    }

    /// Says whether the server has logged this.
    pub fn log_says(&self, text: &str) -> bool {
        self.log.lock().unwrap().contains(text)
    }

    /// The lines of the log that say this.
    pub fn log_lines(&self, text: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let lines = log.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect()
    }

    /// How often the server has logged this.
    pub fn log_count(&self, text: &str) -> usize {
        self.log.lock().unwrap().matches(text).count()
    }

    /// Says whether every session that began has ended, with all its marks.
    pub fn has_no_session(&self) -> bool {
        let open = self.query("select count(*) from session where ended_at is null");
        open == [[0]]
    }

    /// Asks the catalog itself, for what no command tells, and puts into it what would take too long.
    pub fn query(&self, statement: &str) -> Vec<Vec<i64>> {
        use sqlx::{Connection as _, Row as _};
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.path("sluis/data/catalog.sqlite"))
            .busy_timeout(Duration::from_secs(60));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let rows = runtime.block_on(async {
            let mut catalog = sqlx::SqliteConnection::connect_with(&options)
                .await
                .unwrap();
            let rows = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
                .fetch_all(&mut catalog)
                .await
                .unwrap();
            catalog.close().await.unwrap();
            rows
        });
        rows.iter()
            .map(|row| (0..row.len()).map(|at| row.get(at)).collect())
            .collect()
    }

    /// How often this has happened.
    pub fn events(&self, kind: &str) -> usize {
        self.json(&["events", "kantoor"])
            .iter()
            .filter(|event| event["kind"] == kind)
            .count()
    }

    /// The Ed25519 host key's fingerprint, as PuTTY wants it.
    pub fn host_fingerprint(&self) -> String {
        let file = self.path("sluis/data/host-keys/ssh_host_ed25519_key");
        let key = PrivateKey::read_openssh_file(&file).unwrap();
        key.fingerprint(russh::keys::HashAlg::Sha256).to_string()
    }

    /// A command that is yet to be run, for those that go on.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_sluis")));
        command
            .args(arguments)
            .env("SLUIS_CONFIG", self.path("sluis/sluis.toml"))
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let is_failing = std::thread::panicking();
        let mut ended = None;
        if let Some(mut server) = self.server.take() {
            ended = is_failing.then(|| as_found(&mut server));
            drop(server.kill());
            drop(server.wait());
        }
        if is_failing {
            self.tell(ended);
        } else {
            self.check_lived();
        }
    }
}

/// Returns with what status a server has ended, if it has. One that dies hangs up first, and that is what fails a test:
/// it has a moment for the rest.
fn as_found(server: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    for _ in 0..50 {
        if let Some(ended) = server.try_wait()? {
            return Ok(Some(ended));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(None)
}
