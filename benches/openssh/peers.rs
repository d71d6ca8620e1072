//! Which two servers are compared, and how are they run?

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use tempfile::TempDir;

use crate::content::{BUYER, invoice};
use crate::distance::far_away;
use crate::measure::{Measured, measure};
use crate::works::Work;

/// Who serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Sluis = 0,
    OpenSsh = 1,
}

/// The folder that is pulled, on both sides.
pub const INBOX: &str = "expertm/ACME/Te Verwerken/Aankopen";

/// Both servers, with the same content, and a key that both know.
pub struct Rig {
    folder: TempDir,
    /// Where clients put what they fetch: memory, so that the client's disk is not measured.
    pub here: TempDir,
    pub key: PrivateKey,
    sluis: Option<Child>,
    sshd: Option<Child>,
    ports: [u16; 2],
    is_far: [bool; 2],
    filled: usize,
    runs: usize,
    expected: usize,
    /// Which device logs in to Sluis from now on.
    pub device: &'static str,
}

impl Rig {
    /// Makes both; neither runs yet.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = tempfile::tempdir_in("/dev/shm").unwrap();
        let key =
            PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
        let rig = Self {
            folder,
            here,
            key,
            sluis: None,
            sshd: None,
            ports: [0; 2],
            is_far: [false; 2],
            filled: 0,
            runs: 0,
            expected: 0,
            device: "pc",
        };
        secret(
            &rig.path("key"),
            rig.key.to_openssh(LineEnding::LF).unwrap().as_bytes(),
        );
        secret(
            &rig.path("key.pub"),
            rig.key.public_key().to_openssh().unwrap().as_bytes(),
        );
        let at = rig.path("sluis");
        rig.cli(&["init", text(&at), "--listen", "127.0.0.1:0"]);
        rig.cli(&["firm", "add", "bench", "--name", "Bench"]);
        rig.add_device("pc", "ACME", BUYER);
        rig.configure_sshd();
        rig
    }

    /// Adds a device that pulls, with a dossier of its own.
    #[rustfmt::skip]
    pub fn add_device(&self, device: &str, code: &str, buyer: &str) {
        let key = self.path("key.pub");
        self.cli(&["dossier", "add", "bench", "--name", "De Korenaar", "--id", buyer]);
        self.cli(&["device", "add", "bench", device, "--kind", "pull", "--key", text(&key)]);
        self.cli(&["link", "add", "bench", buyer, "--profile", "expertm", "--code", code, "--device", device]);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command of Sluis, which must succeed.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.sluis_command(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "sluis {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn sluis_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluis"));
        command
            .args(arguments)
            .env("SLUIS_CONFIG", self.path("sluis/sluis.toml"))
            // `sshd` is told the same: the sessions of the benchmark are all of one device.
            .env("SLUIS_SFTP_SESSIONS_PER_DEVICE", "1000")
            .stdin(Stdio::null());
        command
    }

    /// Puts the same documents into Sluis and into the directory behind `sshd`.
    pub fn fill(&mut self, count: usize, bytes: usize) {
        let (dropped, folder) = (self.path("dropped"), self.path("root").join(INBOX));
        std::fs::create_dir_all(&dropped).unwrap();
        for at in self.filled..self.filled + count {
            let document = invoice(&format!("F-{at:06}"), bytes);
            std::fs::write(dropped.join(format!("{at:06}.xml")), document).unwrap();
        }
        self.cli(&["ingest", "bench", text(&dropped)]);
        let listed = self.cli(&["deliveries", "bench", "--json"]);
        let mut names: Vec<_> = listed
            .lines()
            .map(|line| {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                let path = row["path"].as_str().unwrap();
                path.rsplit('/').next().unwrap().to_owned()
            })
            .filter(|name| !folder.join(name).exists())
            .collect();
        names.sort();
        assert_eq!(names.len(), count, "every document has a delivery");
        for (at, name) in (self.filled..).zip(&names) {
            std::fs::rename(dropped.join(format!("{at:06}.xml")), folder.join(name)).unwrap();
        }
        self.filled += count;
    }

    /// A number that no run had before.
    pub fn next_run(&mut self) -> usize {
        self.runs += 1;
        self.runs
    }

    /// Notes that so many documents more will be in Sluis.
    pub fn expect_documents(&mut self, more: usize) {
        self.expected += more;
    }

    pub fn expected(&self) -> usize {
        self.expected
    }

    /// The names in the folder, which are the same on both sides.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.path("root").join(INBOX))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Runs one work on one side: makes it ready, does it while it is measured, and checks what became of it.
    pub fn measure(&mut self, side: Side, work: &Work) -> Measured {
        self.serve(side);
        (work.ready)(self, side);
        let pid = self.pid(side);
        let measured = measure(pid, || (work.run)(self, side));
        (work.check)(self, side);
        measured
    }

    pub fn pid(&self, side: Side) -> u32 {
        let child = match side {
            Side::Sluis => &self.sluis,
            Side::OpenSsh => &self.sshd,
        };
        child.as_ref().unwrap().id()
    }

    pub fn address(&self, side: Side) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[side as usize]))
    }

    /// Puts both servers 100 ms of round trip away.
    pub fn move_far_away(&mut self, side: Side) {
        if !self.is_far[side as usize] {
            self.is_far[side as usize] = true;
            self.ports[side as usize] = far_away(self.address(side));
        }
    }

    /// Who logs in.
    pub fn user(&self, side: Side) -> String {
        match side {
            Side::Sluis => format!("bench.{}", self.device),
            Side::OpenSsh => {
                let id = Command::new("id").arg("-un").output().unwrap();
                String::from_utf8(id.stdout).unwrap().trim().to_owned()
            }
        }
    }

    pub fn serve(&mut self, side: Side) {
        match side {
            Side::Sluis if self.sluis.is_none() => self.serve_sluis(),
            Side::OpenSsh if self.sshd.is_none() => self.serve_sshd(),
            _ => {}
        }
    }

    fn serve_sluis(&mut self) {
        let log = std::fs::File::create(self.path("sluis.log")).unwrap();
        let mut server = self
            .sluis_command(&["serve"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let address: SocketAddr = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ")?.trim().parse().ok())
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        self.ports[0] = address.port();
        self.sluis = Some(server);
    }

    fn configure_sshd(&self) {
        let root = self.path("root");
        std::fs::create_dir_all(root.join(INBOX)).unwrap();
        std::fs::create_dir_all(root.join("in")).unwrap();
        let host =
            PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
        secret(
            &self.path("host"),
            host.to_openssh(LineEnding::LF).unwrap().as_bytes(),
        );
    }

    fn serve_sshd(&mut self) {
        // Asked of the system, and free again when `sshd` takes it.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\n\
             MaxStartups 2000\nMaxSessions 1000\nPrintMotd no\nLogLevel ERROR\nSubsystem sftp internal-sftp -d {}\n",
            self.path("host").display(),
            self.path("key.pub").display(),
            self.path("root").display(),
        );
        std::fs::write(self.path("sshd_config"), config).unwrap();
        std::fs::create_dir_all("/run/sshd").unwrap();
        let log = std::fs::File::create(self.path("sshd.log")).unwrap();
        let server = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", text(&self.path("sshd_config"))])
            .stderr(log)
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "sshd did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.ports[1] = port;
        self.sshd = Some(server);
    }

    /// Runs a question on Sluis's catalog that has one number as its answer.
    pub fn count(&self, sql: &'static str) -> i64 {
        self.with_catalog(async |db| sqlx::query_scalar(sql).fetch_one(db).await.unwrap())
    }

    /// Changes Sluis's catalog by hand, to make it as large as a test wants.
    pub fn change(&self, sql: String) {
        self.with_catalog(async |db| {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(db)
                .await
                .unwrap();
        });
    }

    fn with_catalog<T>(&self, work: impl AsyncFnOnce(&sqlx::SqlitePool) -> T) -> T {
        let url = format!(
            "sqlite://{}",
            self.path("sluis/data/catalog.sqlite").display()
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let db = sqlx::SqlitePool::connect(&url).await.unwrap();
            let found = work(&db).await;
            db.close().await;
            found
        })
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for server in [self.sluis.take(), self.sshd.take()].iter_mut().flatten() {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn secret(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
