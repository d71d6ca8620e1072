//! Can a client compare what it fetched, and what does any other command get?

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use russh::client;
use russh::{ChannelMsg, ChannelReadHalf};
use sluis::model::{DeviceKind, HashName};
use sluis::sftp::limits::{CHANNELS_MAX, COMMAND_PATHS_MAX, INPUT_BYTES_MAX};

use crate::gateway::{Gateway, Login, invoice};
use crate::interop::python;
use crate::peer::{Trusting, log_in};
use crate::program::{Device, Program};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";

/// What a command printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    out: String,
    errors: String,
    status: Option<u32>,
}

async fn ssh(gateway: &Gateway, device: &Login) -> client::Handle<Trusting> {
    let (ssh, _) = log_in(gateway.address, device, Default::default())
        .await
        .unwrap();
    ssh
}

/// Runs a command that gets this as its input, as far as it takes it.
async fn run_with(ssh: &client::Handle<Trusting>, line: &str, input: &[u8]) -> Ran {
    let channel = ssh.channel_open_session().await.unwrap();
    channel.exec(true, line).await.unwrap();
    let (incoming, outgoing) = channel.split();
    let sending = async {
        drop(outgoing.data(input).await);
        drop(outgoing.eof().await);
        std::future::pending().await
    };
    tokio::select! {
        ran = ended(incoming) => ran,
        never = sending => never,
    }
}

/// Runs a command, and leaves its input open, as a terminal does.
async fn run(ssh: &client::Handle<Trusting>, line: &str) -> Ran {
    let channel = ssh.channel_open_session().await.unwrap();
    channel.exec(true, line).await.unwrap();
    let (incoming, _input) = channel.split();
    ended(incoming).await
}

async fn ended(mut channel: ChannelReadHalf) -> Ran {
    let (mut out, mut errors, mut status) = (Vec::new(), Vec::new(), None);
    let ending = async {
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => out.extend_from_slice(&data),
                ChannelMsg::ExtendedData { data, ext: 1 } => errors.extend_from_slice(&data),
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                ChannelMsg::Failure => panic!("the request was refused"),
                _ => {}
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), ending).await;
    assert!(in_time.is_ok(), "the command hangs");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        out: text(out),
        errors: text(errors),
        status,
    }
}

#[tokio::test]
async fn a_device_asks_for_hashes_and_that_is_no_reading() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let (one, two) = (invoice("F-1", 5000), invoice("F-2", 40_000));
    gateway.receive(&office, one.clone()).await;
    gateway.receive(&office, two.clone()).await;
    let first = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    let second = format!("{INBOX}/20260314-00002_F-2_0451827384.xml");
    let before = gateway.events(&office).await;
    let ssh = ssh(&gateway, &device).await;

    for (program, hash) in [
        ("md5sum", HashName::Md5),
        ("sha1sum", HashName::Sha1),
        ("sha256sum", HashName::Sha256),
    ] {
        let (one, two) = (hash.of(&one), hash.of(&two));
        let ran = run(&ssh, &format!("{program} '{first}' '{second}'")).await;
        assert_eq!(ran.out, format!("{one}  {first}\n{two}  {second}\n"));
        assert_eq!((ran.errors.as_str(), ran.status), ("", Some(0)));
    }

    assert_eq!(gateway.events(&office).await, before);
    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{first} offered"), format!("{second} offered")]
    );
}

#[tokio::test]
async fn what_is_missing_is_named_and_the_others_are_answered() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let bytes = invoice("F-1", 5000);
    gateway.receive(&office, bytes.clone()).await;
    let path = "expertm/acme/te verwerken/AANKOPEN/20260314-00001_F-1_0451827384.xml";
    let ssh = ssh(&gateway, &device).await;

    let line = format!("md5sum /expertm '{path}' /nothing.xml '/x\ty'");
    let ran = run(&ssh, &line).await;

    let md5 = HashName::Md5.of(&bytes);
    assert_eq!(ran.out, format!("{md5}  {path}\n"));
    assert_eq!(
        ran.errors,
        "md5sum: /expertm: Is a directory\n\
         md5sum: /nothing.xml: No such file or directory\n\
         md5sum: '/x?y': No such file or directory\n"
    );
    assert_eq!(ran.status, Some(1));
}

#[tokio::test]
async fn another_firms_file_is_not_there() {
    let gateway = Gateway::start().await;
    let (one, other) = (gateway.office("een").await, gateway.office("twee").await);
    let mine = gateway.device(&one, "server", DeviceKind::Pull).await;
    let theirs = gateway.device(&other, "server", DeviceKind::Pull).await;
    gateway.link(&one, "ACME", &mine).await;
    gateway.link(&other, "ACME", &theirs).await;
    gateway.receive(&one, invoice("F-1", 5000)).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    let line = format!("sha256sum '{path}'");

    let seen = run(&ssh(&gateway, &mine).await, &line).await;
    let guessed = run(&ssh(&gateway, &theirs).await, &line).await;

    assert_eq!(seen.status, Some(0));
    assert_eq!((guessed.out.as_str(), guessed.status), ("", Some(1)));
    assert!(
        guessed.errors.ends_with(": No such file or directory\n"),
        "{guessed:?}"
    );
}

#[tokio::test]
async fn a_hash_of_what_was_fetched_is_answered_to_a_connection_that_came_later() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let bytes = invoice("F-1", 5000);
    gateway.receive(&office, bytes.clone()).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    let peer = gateway.connect(&device).await;
    peer.get(&path).await.unwrap();
    gateway.pass_ms(1000);

    let ran = run(&ssh(&gateway, &device).await, &format!("md5sum '{path}'")).await;

    assert_eq!(ran.out, format!("{}  {path}\n", HashName::Md5.of(&bytes)));
}

#[tokio::test]
async fn a_client_finds_out_that_the_programs_are_there() {
    let gateway = Gateway::start().await;
    let (_, device) = gateway.office_with(DeviceKind::Pull).await;
    let ssh = ssh(&gateway, &device).await;
    let nothing = "d41d8cd98f00b204e9800998ecf8427e  -\n";

    assert_eq!(run_with(&ssh, "md5sum", b"").await.out, nothing);
    let abc = "0bee89b07a248e27c83fc3d5951213c1  -\n";
    assert_eq!(run_with(&ssh, "md5sum -", b"abc\n").await.out, abc);
    assert_eq!(run(&ssh, "echo 'abc' | md5sum").await.out, abc);

    let most = vec![b'x'; INPUT_BYTES_MAX];
    assert_eq!(run_with(&ssh, "md5sum", &most).await.status, Some(0));
    let more = vec![b'x'; INPUT_BYTES_MAX + 1];
    let refused = run_with(&ssh, "md5sum", &more).await;
    assert_eq!(
        (refused.errors.as_str(), refused.status),
        ("md5sum: -: too long for this server\n", Some(1))
    );
}

#[tokio::test]
async fn any_other_command_is_told_what_this_is_and_ends() {
    let gateway = Gateway::start().await;
    let (_, device) = gateway.office_with(DeviceKind::Pull).await;
    let ssh = ssh(&gateway, &device).await;
    let too_many = "md5sum".to_owned() + &" x".repeat(COMMAND_PATHS_MAX + 1);

    // More than a connection may have channels: each that ended gives its place back.
    for line in [
        "id",
        "ls -l /",
        "scp -f /x",
        "scp -t /x",
        "rsync --server . /",
        "echo ${ShellId}%ComSpec%",
        "md5sum x; id",
        "md5sum $(id)",
        "md5sum *",
        "sh",
        "",
        &too_many,
    ] {
        let ran = run(&ssh, line).await;
        assert_eq!(
            ran.errors,
            "This is an SFTP server: it runs no commands. Use sftp, or scp without -O.\n"
        );
        assert_eq!((ran.out.as_str(), ran.status), ("", Some(127)), "{line}");
    }
    const { assert!(12 > CHANNELS_MAX) };
    for _ in 0..CHANNELS_MAX {
        let ran = run(&ssh, "echo abc | md5sum").await;
        assert_eq!(ran.status, Some(0));
    }
    // What is sent to a command that takes nothing is let go.
    let block = vec![0; 8 * 1024 * 1024];
    assert_eq!(run_with(&ssh, "id", &block).await.status, Some(127));
}

#[tokio::test]
async fn a_channel_has_one_use() {
    let gateway = Gateway::start().await;
    let (_, device) = gateway.office_with(DeviceKind::Pull).await;
    let ssh = ssh(&gateway, &device).await;
    let mut channel = ssh.channel_open_session().await.unwrap();

    channel.request_subsystem(true, "sftp").await.unwrap();
    channel.exec(true, "md5sum").await.unwrap();

    let mut answers = Vec::new();
    while answers.len() < 2 {
        match channel.wait().await.unwrap() {
            ChannelMsg::Success => answers.push(true),
            ChannelMsg::Failure => answers.push(false),
            _ => {}
        }
    }
    assert_eq!(answers, [true, false]);
}

/// A running server with one device, and documents of these sizes.
struct Scene {
    program: Program,
    device: Device,
    here: PathBuf,
}

impl Scene {
    fn new(kind: &str, sizes: &[usize]) -> Self {
        let mut program = Program::init();
        let device = program.device("server", kind, "ACME");
        let number = |at| format!("F-{at}");
        let documents: Vec<_> = (0..sizes.len())
            .map(|at| invoice(&number(at), sizes[at]))
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

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["120", program]).stdin(Stdio::null());
        command.current_dir(&self.here);
        command
    }

    fn rclone(&self, arguments: &[&str]) -> Output {
        let config = self.program.path("rclone.conf");
        let text = format!(
            "[s]\ntype = sftp\nhost = 127.0.0.1\nport = {}\nuser = {}\nkey_file = {}\n",
            self.program.port(),
            self.device.login.name,
            self.device.key_file.display()
        );
        // A fresh one each time: rclone writes down there what it found out about the server.
        std::fs::write(&config, text).unwrap();
        let mut command = self.command("rclone");
        command.arg("-vv").arg("--config").arg(config);
        command.args(arguments).output().unwrap()
    }

    /// `ssh` or `scp`, by its option for the port.
    fn openssh(&self, program: &str, port: &str, arguments: &[&str]) -> Output {
        let key = format!("-oIdentityFile={}", self.device.key_file.display());
        let mut command = self.command(program);
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "IdentitiesOnly=yes",
        ] {
            command.arg(format!("-o{option}"));
        }
        command.args([&key, port, &self.program.port()]);
        command.args(arguments).output().unwrap()
    }

    fn peer(&self) -> String {
        format!("{}@127.0.0.1", self.device.login.name)
    }
}

fn installed(client: &str) -> bool {
    let found = Command::new(client).arg("--version").output().is_ok();
    is_here(client, found)
}

/// Where one is missing, the test says so; where all must be here, it fails.
#[expect(clippy::print_stderr, reason = "what is not tried is said")]
#[expect(
    clippy::disallowed_methods,
    reason = "how tests are run is no configuration of the program"
)]
pub fn is_here(client: &str, here: bool) -> bool {
    assert!(
        here || std::env::var("SLUIS_TEST_CLIENTS").is_err(),
        "{client} is not here"
    );
    if !here {
        eprintln!("not tried: {client} is not here");
    }
    here
}

fn text(output: &Output) -> String {
    let (out, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{out}{errors}")
}

fn all(states: &[String], state: &str) -> bool {
    states.iter().all(|is| is == state)
}

#[test]
fn rclone_copies_and_checks_by_checksum() {
    if !installed("rclone") {
        return;
    }
    let sizes: Vec<_> = (0..30).map(|at| 1000 + 700 * at).collect();
    let scene = Scene::new("mount", &sizes);
    let from = format!("s:{INBOX}");
    let flags = ["--checksum", "--transfers", "8", "--retries", "1"];

    let copied = scene.rclone(&[&["copy", &from, "got"], &flags[..]].concat());
    let checked = scene.rclone(&["check", &from, "got"]);
    // The same size, other bytes: only a checksum tells.
    let torn = std::fs::read_dir(scene.here.join("got")).unwrap().next();
    let torn = torn.unwrap().unwrap().path();
    let mut bytes = std::fs::read(&torn).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&torn, &bytes).unwrap();
    let differs = scene.rclone(&["check", &from, "got"]);
    let mended = scene.rclone(&[&["copy", &from, "got"], &flags[..]].concat());
    let again = scene.rclone(&["check", &from, "got"]);

    assert!(copied.status.success(), "{}", text(&copied));
    assert!(checked.status.success(), "{}", text(&checked));
    assert!(
        text(&checked).contains("30 matching files"),
        "{}",
        text(&checked)
    );
    assert!(!text(&checked).contains("could not be checked"));
    assert!(text(&checked).contains("md5"), "{}", text(&checked));
    assert!(!differs.status.success());
    assert!(text(&differs).contains("md5 differ"), "{}", text(&differs));
    assert!(mended.status.success() && again.status.success());
    assert!(all(&scene.program.states(), "offered"), "nothing was read");
    assert!(!scene.program.log_says("Refused a command"));
}

#[test]
fn rclone_believes_what_it_fetched_through_many_connections() {
    if !installed("rclone") {
        return;
    }
    let scene = Scene::new("pull", &[3000; 200]);
    let from = format!("s:{INBOX}");

    let copied = scene.rclone(&["copy", &from, "got", "--transfers", "8", "--retries", "1"]);
    let checked = scene.rclone(&["check", &format!("s:{DONE}"), "got"]);

    assert!(copied.status.success(), "{}", text(&copied));
    assert!(text(&copied).contains("OK"), "{}", text(&copied));
    let count = std::fs::read_dir(scene.here.join("got")).unwrap().count();
    assert_eq!(count, 200);
    assert!(all(&scene.program.states(), "collected"));
    assert!(
        text(&checked).contains("200 matching files"),
        "{}",
        text(&checked)
    );
}

#[test]
fn a_person_who_tries_ssh_or_the_old_scp_reads_what_this_is() {
    if !installed("ssh") || !installed("scp") {
        return;
    }
    let scene = Scene::new("pull", &[1000]);
    let peer = scene.peer();

    let ssh = scene.openssh("ssh", "-p", &[&peer, "ls"]);
    let old = scene.openssh("scp", "-P", &["-O", &format!("{peer}:/x.xml"), "."]);
    let put = scene.openssh("scp", "-P", &["-O", "/etc/hostname", &format!("{peer}:/x")]);
    let name = {
        let rows = scene.program.json(&["deliveries", "kantoor"]);
        rows[0]["path"].as_str().unwrap().to_owned()
    };
    let home = scene.openssh("scp", "-P", &["-s", &format!("{peer}:~{name}"), "home.xml"]);
    let sum = scene.openssh("ssh", "-p", &[&peer, &format!("md5sum '{name}'")]);

    let says = "This is an SFTP server: it runs no commands.";
    assert_eq!(ssh.status.code(), Some(127));
    for tried in [&ssh, &old, &put] {
        assert!(!tried.status.success());
        assert!(text(tried).contains(says), "{}", text(tried));
    }
    assert!(home.status.success(), "{}", text(&home));
    let bytes = invoice("F-0", 1000);
    assert_eq!(std::fs::read(scene.here.join("home.xml")).unwrap(), bytes);
    let md5 = HashName::Md5.of(&bytes);
    assert_eq!(
        String::from_utf8_lossy(&sum.stdout),
        format!("{md5}  {name}\n")
    );
}

#[test]
fn paramiko_checks_a_file_without_reading_it() {
    let python = python();
    let has = Command::new(&python)
        .args(["-c", "import paramiko"])
        .output();
    if !is_here("paramiko", has.is_ok_and(|output| output.status.success())) {
        return;
    }
    let scene = Scene::new("pull", &[40_000]);
    let script = format!(
        "import paramiko\n\
         t = paramiko.Transport(('127.0.0.1', {port}))\n\
         t.connect(username='{user}', pkey=paramiko.Ed25519Key.from_private_key_file('{key}'))\n\
         s = paramiko.SFTPClient.from_transport(t)\n\
         f = s.open('{INBOX}/' + s.listdir('{INBOX}')[0], 'r')\n\
         for name in ('md5', 'sha1', 'sha256'): print(f.check(name).hex())\n\
         try: f.check('md5', 0, 1000)\n\
         except IOError as refused: print(refused)\n\
         f.close(); s.close(); t.close()\n",
        port = scene.program.port(),
        user = scene.device.login.name,
        key = scene.device.key_file.display(),
    );

    let output = scene
        .command(python.to_str().unwrap())
        .args(["-c", &script])
        .output()
        .unwrap();

    let bytes = invoice("F-0", 40_000);
    let told = String::from_utf8_lossy(&output.stdout);
    let mut lines = told.lines();
    for hash in [HashName::Md5, HashName::Sha1, HashName::Sha256] {
        let expected = hash.of(&bytes).to_string();
        assert_eq!(lines.next(), Some(expected.as_str()), "{}", text(&output));
    }
    assert!(
        lines
            .next()
            .unwrap()
            .contains("only the hash of a whole file")
    );
    assert!(all(&scene.program.states(), "offered"));
}
