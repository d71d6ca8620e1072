//! Do the clients that an accountant's IT partner has work as they are?
//!
//! Each is run as it comes, against the real program. Where one is not installed, the test says so
//! and ends; `SLUIS_TEST_CLIENTS=all`, which `.ci/run` sets, makes that a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::gateway::invoice;
use crate::program::{Device, Program};

const INBOX: &str = "expertm/ACME/Te Verwerken/Aankopen";
const DONE: &str = "expertm/ACME/Verwerkt/Aankopen";

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
pub fn told(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
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

    /// The name of a file in the inbox: its date is that of the day on which the test runs.
    fn name(&self, at: usize) -> String {
        let rows = self.program.json(&["deliveries", "kantoor"]);
        let path = rows[at]["path"].as_str().unwrap();
        path.rsplit('/').next().unwrap().to_owned()
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

    fn fetched(&self, folder: &str) -> Vec<Vec<u8>> {
        let mut files: Vec<_> = std::fs::read_dir(self.here.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
            .iter()
            .map(|file| std::fs::read(file).unwrap())
            .collect()
    }
}

pub fn expect(output: &Output) {
    let (out, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{}\n{out}\n{errors}",
        output.status
    );
}

fn all(states: &[String], state: &str) -> bool {
    !states.is_empty() && states.iter().all(|found| found == state)
}

#[test]
fn sftp_lists_gets_and_removes() {
    if !installed("sftp") {
        return;
    }
    let scene = Scene::new("pull", &[1200, 40_000, 8_000_000]);

    expect(&scene.sftp(
        &[],
        &format!("ls -l\nls -la \"{INBOX}\"\nget -r \"{INBOX}\" got\n"),
    ));

    let expected: Vec<_> = [1200, 40_000, 8_000_000]
        .iter()
        .enumerate()
        .map(|(at, size)| invoice(&format!("F-{at}"), *size))
        .collect();
    assert!(
        scene.fetched("got") == expected,
        "the bytes are not those that came in"
    );
    assert!(
        all(&scene.program.states(), "collected"),
        "{:?}",
        scene.program.states()
    );
    expect(&scene.sftp(
        &[],
        &format!(
            "ls \"{DONE}\"\nget \"{DONE}/{}\" again.xml\n",
            scene.name(0)
        ),
    ));
    assert_eq!(scene.program.events("collected"), 3);
}

#[test]
fn sftp_gets_the_largest_document_twenty_times_in_one_session() {
    if !installed("sftp") {
        return;
    }
    let scene = Scene::new("pull", &[LARGEST]);
    let get = format!("get \"{INBOX}/{}\" large.xml\n", scene.name(0));

    expect(&scene.sftp(&[], &get.repeat(20)));

    assert_eq!(
        std::fs::metadata(scene.here.join("large.xml"))
            .unwrap()
            .len(),
        LARGEST as u64
    );
    assert!(all(&scene.program.states(), "collected"));
}

#[test]
fn sftp_gets_the_largest_document_while_keys_are_exchanged_every_megabyte() {
    if !installed("sftp") {
        return;
    }
    let scene = Scene::new("pull", &[LARGEST]);

    expect(&scene.sftp(
        &["-oRekeyLimit=1M"],
        &format!("get \"{INBOX}/{}\" large.xml\n", scene.name(0)),
    ));

    assert!(std::fs::read(scene.here.join("large.xml")).unwrap() == invoice("F-0", LARGEST));
    assert!(all(&scene.program.states(), "collected"));
}

#[test]
fn sftp_resumes_after_a_cut_connection() {
    if !installed("sftp") {
        return;
    }
    let scene = Scene::new("pull", &[LARGEST]);
    let name = scene.name(0);
    let batch = scene.program.path("cut");
    std::fs::write(&batch, format!("get \"{INBOX}/{name}\" part.xml\n")).unwrap();
    let mut command = Command::new("sftp");
    command
        .args(["-l", "200000", "-b"])
        .arg(&batch)
        .args(scene.options());
    command.args([
        "-P",
        &scene.program.port(),
        &format!("{}@127.0.0.1", scene.device.login.name),
    ]);
    let mut cut = command
        .current_dir(&scene.here)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = scene.here.join("part.xml");
    wait_until(|| std::fs::metadata(&part).is_ok_and(|file| file.len() > 1_000_000));
    cut.kill().unwrap();
    cut.wait().unwrap();
    assert!(
        all(&scene.program.states(), "offered"),
        "nothing is collected by a cut connection"
    );

    expect(&scene.sftp(&[], &format!("reget \"{INBOX}/{name}\" part.xml\n")));

    assert!(std::fs::read(&part).unwrap() == invoice("F-0", LARGEST));
    assert!(all(&scene.program.states(), "collected"));
}

#[test]
fn sftp_that_is_killed_when_all_is_sent_has_not_collected() {
    if !installed("sftp") {
        return;
    }
    // Its `ssh` is a process of its own, which ends the channel in order for it.
    let scene = Scene::new("pull", &[1_400_000]);
    let batch = scene.program.path("batch");
    std::fs::write(
        &batch,
        format!("get \"{INBOX}/{}\" part.xml\n", scene.name(0)),
    )
    .unwrap();
    let mut command = Command::new("sftp");
    command
        .args(["-l", "20000", "-b"])
        .arg(&batch)
        .args(scene.options());
    command.args([
        "-P",
        &scene.program.port(),
        &format!("{}@127.0.0.1", scene.device.login.name),
    ]);
    command
        .current_dir(&scene.here)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut slow = command.spawn().unwrap();
    let part = scene.here.join("part.xml");
    wait_until(|| std::fs::metadata(&part).is_ok_and(|file| file.len() > 100_000));
    slow.kill().unwrap();
    slow.wait().unwrap();
    wait_until(|| scene.program.log_says("ended:"));

    assert!(std::fs::metadata(&part).unwrap().len() < 1_400_000);
    assert!(all(&scene.program.states(), "offered"));
}

#[test]
fn sftp_gets_a_thousand_documents() {
    if !installed("sftp") {
        return;
    }
    let scene = Scene::new("pull", &[2000; 1000]);

    expect(&scene.sftp(&[], &format!("get -r \"{INBOX}\" got\n")));

    assert_eq!(scene.fetched("got").len(), 1000);
    assert!(all(&scene.program.states(), "collected"));
}

#[test]
fn scp_gets_a_document_and_reports_no_failure() {
    if !installed("scp") {
        return;
    }
    let scene = Scene::new("pull", &[40_000]);
    let from = format!(
        "{}@127.0.0.1:{INBOX}/{}",
        scene.device.login.name,
        scene.name(0)
    );
    let mut command = Command::new("scp");
    command
        .arg("-s")
        .args(scene.options())
        .args(["-P", &scene.program.port(), &from, "got.xml"]);

    expect(&command.current_dir(&scene.here).output().unwrap());

    assert_eq!(
        std::fs::read(scene.here.join("got.xml")).unwrap(),
        invoice("F-0", 40_000)
    );
    assert!(all(&scene.program.states(), "collected"));
}

#[test]
fn lftp_mirrors_a_thousand_documents_in_seconds() {
    if !installed("lftp") {
        return;
    }
    let scene = Scene::new("pull", &[20_000; 1000]);
    let ours = timed(|| expect(&scene.lftp(&format!("mirror \"{INBOX}\" got"))));

    assert_eq!(scene.fetched("got").len(), 1000);
    wait_until(|| all(&scene.program.states(), "collected"));
    // Delayed acknowledgements would cost 40 ms a file at least.
    assert!(
        ours < Duration::from_secs(30),
        "{ours:?} for a thousand files"
    );
}

#[test]
fn lftp_gets_in_pieces() {
    if !installed("lftp") {
        return;
    }
    let scene = Scene::new("pull", &[5_000_000]);
    let name = scene.name(0);

    expect(&scene.lftp(&format!("pget -n 4 \"{INBOX}/{name}\" -o {name}")));

    assert!(std::fs::read(scene.here.join(&name)).unwrap() == invoice("F-0", 5_000_000));
    // It cuts the connections that it needs no more. What came through those is not believed, so the
    // document may be offered once more.
    let states = scene.program.states();
    assert!(
        all(&states, "collected") || all(&states, "offered"),
        "{states:?}"
    );
}

#[test]
fn lftp_removes_what_it_fetched() {
    if !installed("lftp") {
        return;
    }
    let scene = Scene::new("pull", &[1200, 40_000, 3_000_000]);

    expect(&scene.lftp(&format!("mirror --Remove-source-files \"{INBOX}\" got")));

    assert_eq!(scene.fetched("got").len(), 3);
    assert!(
        all(&scene.program.states(), "processed"),
        "{:?}",
        scene.program.states()
    );
}

#[test]
fn psftp_gets_documents() {
    if !installed("psftp") {
        return;
    }
    let scene = Scene::new("pull", &[1200, 8_000_000]);
    let ppk = scene.program.path("server.ppk");
    let made = Command::new("puttygen")
        .arg(&scene.device.key_file)
        .args(["-O", "private", "-o"])
        .arg(&ppk)
        .output();
    expect(&made.unwrap());
    let fingerprint = scene.program.host_fingerprint();
    let batch = scene.program.path("psftp");
    std::fs::write(&batch, format!("cd \"{INBOX}\"\nls\nmget *\n")).unwrap();
    let mut command = Command::new("timeout");
    command
        .args(["120", "psftp", "-batch", "-hostkey", &fingerprint, "-i"])
        .arg(&ppk)
        .arg("-b")
        .arg(&batch);
    command.args([
        "-P",
        &scene.program.port(),
        "-l",
        &scene.device.login.name,
        "127.0.0.1",
    ]);

    expect(
        &command
            .env("HOME", &scene.here)
            .current_dir(&scene.here)
            .output()
            .unwrap(),
    );

    assert!(std::fs::read(scene.here.join(scene.name(1))).unwrap() == invoice("F-1", 8_000_000));
    assert!(
        all(&scene.program.states(), "collected"),
        "{:?}",
        scene.program.states()
    );
}

#[test]
fn rclone_copies_and_moves() {
    if !installed("rclone") {
        return;
    }
    let scene = Scene::new("pull", &[1200, 40_000, 8_000_000]);
    let from = format!("s:{INBOX}");

    expect(&scene.rclone(&["copy", &from, "got", "--retries", "1"]));

    assert_eq!(scene.fetched("got").len(), 3);
    assert!(
        all(&scene.program.states(), "collected"),
        "{:?}",
        scene.program.states()
    );
    scene.program.ingest(&[invoice("F-9", 3000)]);
    expect(&scene.rclone(&["move", &from, "moved", "--retries", "1"]));
    assert_eq!(scene.fetched("moved").len(), 1);
    assert_eq!(scene.program.states().pop().unwrap(), "processed");
}

#[test]
fn paramiko_gets_64_megabytes_as_it_does_by_default() {
    let python = told("SLUIS_TEST_PYTHON").unwrap_or_else(|| "python3".to_owned());
    let has = Command::new(&python)
        .args(["-c", "import paramiko"])
        .output();
    if !is_here("paramiko", has.is_ok_and(|output| output.status.success())) {
        return;
    }
    let size = 64 * 1024 * 1024;
    let scene = Scene::new("pull", &[size, 1200]);
    let script = format!(
        "import paramiko, sys\n\
         t = paramiko.Transport(('127.0.0.1', {port}))\n\
         t.connect(username='{user}', pkey=paramiko.Ed25519Key.from_private_key_file('{key}'))\n\
         s = paramiko.SFTPClient.from_transport(t)\n\
         s.get('/{INBOX}/{large}', 'large.xml')\n\
         f = s.open('/{INBOX}/{small}', 'r'); f.read(100); f.read(); f.close()\n\
         s.close(); t.close()\n",
        port = scene.program.port(),
        user = scene.device.login.name,
        key = scene.device.key_file.display(),
        large = scene.name(0),
        small = scene.name(1),
    );

    expect(
        &Command::new("timeout")
            .args(["240", &python, "-c", &script])
            .current_dir(&scene.here)
            .output()
            .unwrap(),
    );

    assert!(std::fs::read(scene.here.join("large.xml")).unwrap() == invoice("F-0", size));
    assert!(
        all(&scene.program.states(), "collected"),
        "{:?}",
        scene.program.states()
    );
}

#[test]
fn sshfs_mounts_the_tree_and_only_the_importers_acts_count() {
    if !installed("sshfs") || !is_here("FUSE", Path::new("/dev/fuse").exists()) {
        return;
    }
    let scene = Scene::new("mount", &[1200, 40_000, 2_000_000, 5000]);
    let at = scene.program.path("drive");
    std::fs::create_dir(&at).unwrap();
    let mount = Mount::new(&scene, &at);
    let inbox = at.join(INBOX);
    let names: Vec<_> = (0..4).map(|which| scene.name(which)).collect();

    // A preview and a scanner read; that is no act.
    assert!(std::fs::read(inbox.join(&names[2])).unwrap() == invoice("F-2", 2_000_000));
    std::fs::read(inbox.join(&names[0])).unwrap();
    assert!(all(&scene.program.states(), "offered"));
    // The importer removes one, moves one, and copies one before it removes it.
    std::fs::remove_file(inbox.join(&names[0])).unwrap();
    std::fs::rename(inbox.join(&names[1]), at.join(DONE).join(&names[1])).unwrap();
    std::fs::copy(inbox.join(&names[2]), at.join(DONE).join(&names[2])).unwrap();
    std::fs::remove_file(inbox.join(&names[2])).unwrap();

    assert_eq!(
        scene.program.states(),
        ["processed", "processed", "processed", "offered"]
    );
    assert_eq!(std::fs::read_dir(at.join(DONE)).unwrap().count(), 3);
    assert!(std::fs::write(inbox.join("new.xml"), "x").is_err());
    drop(mount);
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
        drop(Command::new("fusermount3").arg("-u").arg(&self.0).status());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a wait for another process ends by the clock"
)]
pub fn wait_until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "it never came");
        std::thread::yield_now();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a client took is what is asked"
)]
fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
