//! What counts when the configuration is read again while devices are served?

use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::client;
use russh::keys::{HashAlg, PrivateKey, PublicKeyOrCertificate};
use russh_sftp::protocol::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::gateway::{BAKERY, invoice};
use crate::interop::wait_until;
use crate::peer::Peer;
use crate::program::Program;
use crate::receiver::{Receiver, tls};
use crate::telling::ALLOW;

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";

/// Adds lines to the configuration.
fn write(program: &Program, lines: &str) {
    let file = program.path("sluis/sluis.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n{lines}\n")).unwrap();
}

fn replace(program: &Program, old: &str, new: &str) {
    let file = program.path("sluis/sluis.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(old));
    fs::write(&file, text.replacen(old, new, 1)).unwrap();
}

/// Has the server read it again, and waits until it has said what came of it.
fn reload(program: &Program) {
    let told = || program.log_count("Reloaded ") + program.log_count("Did not reload");
    let before = told();
    let hung_up = Command::new("kill")
        .args(["-HUP", &program.process().to_string()])
        .status();
    assert!(hung_up.unwrap().success());
    wait_until(|| told() > before);
}

/// Notes which key a server shows.
struct Looking(Arc<Mutex<String>>);

impl client::Handler for Looking {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = key {
            *self.0.lock().unwrap() = key.fingerprint(HashAlg::Sha256).to_string();
        }
        Ok(true)
    }
}

/// The fingerprint of the key that a new connection is shown.
async fn shown(program: &Program) -> String {
    let seen = Arc::<Mutex<String>>::default();
    let (config, handler) = (Arc::default(), Looking(Arc::clone(&seen)));
    let mut ssh = client::connect(config, program.address.unwrap(), handler)
        .await
        .unwrap();
    drop(ssh.authenticate_none("nobody").await);
    seen.lock().unwrap().clone()
}

/// Makes another set of host keys in a folder, and returns the fingerprint of the first.
fn new_keys(folder: &Path) -> String {
    fs::create_dir_all(folder).unwrap();
    sluis::hostkeys::make(folder).unwrap();
    let key = PrivateKey::read_openssh_file(folder.join("ssh_host_ed25519_key")).unwrap();
    key.fingerprint(HashAlg::Sha256).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_host_keys_count_for_who_comes_and_no_session_is_dropped() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 90_000)]);
    program.serve();
    let old = program.host_fingerprint();
    assert_eq!(shown(&program).await, old);
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    let name = format!("{INBOX}/{}", peer.list(INBOX).await.unwrap()[0]);
    let handle = peer.open(&name).await.unwrap();
    let half = peer.read(&handle, 0, 40_000).await.unwrap();
    let keys = program.path("sluis/data/host-keys");
    fs::remove_dir_all(&keys).unwrap();
    let new = new_keys(&keys);

    reload(&program);

    assert_eq!(shown(&program).await, new);
    let rest = peer
        .read(&handle, half.len() as u64, u64::MAX)
        .await
        .unwrap();
    assert_eq!(half.len() + rest.len(), 90_000);
    peer.close(&handle).await.unwrap();
    assert_eq!(program.states(), ["collected"]);
    drop(peer);
    assert_eq!(program.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_does_not_hold_leaves_the_old_one_and_says_what_and_where() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.serve();
    let good = fs::read_to_string(program.path("sluis/sluis.toml")).unwrap();
    let key = program.path("sluis/data/host-keys/ssh_host_rsa_key");
    let profile = "id = \"own\"\nunknown = 3\n";
    fs::create_dir(program.path("sluis/profiles")).unwrap();
    fs::write(program.path("sluis/profiles/own.toml"), profile).unwrap();
    fs::write(
        program.path("sluis/roots.pem"),
        "-----BEGIN CERTIFICATE-----\nno\n",
    )
    .unwrap();
    let cases: [(&str, &[&str]); 6] = [
        (
            "[uploads]\nfile_byts_max = 5",
            &["sluis.toml", "file_byts_max", "line"],
        ),
        (
            "[disk]\nkeep_free_bytes = \"much\"",
            &["sluis.toml", "keep_free_bytes"],
        ),
        ("profiles = \"profiles\"", &["own"]),
        ("[webhooks]\nroots = \"roots.pem\"", &["certificates"]),
        (
            "[sftp]\nhost_keys = \"nowhere\"",
            &["nowhere/ssh_host_ed25519_key"],
        ),
        ("", &["ssh_host_rsa_key"]),
    ];
    for (at, (lines, named)) in cases.into_iter().enumerate() {
        let text = match lines.strip_prefix("[sftp]\n") {
            Some(line) => good.replacen("[sftp]\n", &format!("[sftp]\n{line}\n"), 1),
            None if lines.starts_with("profiles") => format!("{lines}\n{good}"),
            None => format!("{good}\n{lines}\n"),
        };
        fs::write(program.path("sluis/sluis.toml"), text).unwrap();
        if lines.is_empty() {
            fs::write(&key, "rubbish").unwrap();
        }

        reload(&program);

        assert_eq!(program.log_count("Did not reload"), at + 1, "{lines}");
        let why = program.log_lines("Did not reload").pop().unwrap();
        for word in named {
            assert!(why.contains(word), "{lines}: {word} in {why}");
        }
        Peer::connect(program.address.unwrap(), &device.login).await;
    }
    assert_eq!(program.log_count("Reloaded "), 0);
    assert_eq!(program.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_counts_when_its_row_says() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    program.ingest(&[invoice("F-1", 900)]);
    program.serve();
    let open = Peer::connect(program.address.unwrap(), &device.login).await;
    open.list(INBOX).await.unwrap();
    replace(&program, "level = \"info\"", "level = \"debug\"");
    replace(&program, "format = \"text\"", "format = \"json\"");
    let listen = "[sftp]\n# Where devices connect.\nlisten = \"127.0.0.1:";
    replace(
        &program,
        &format!("{listen}0\""),
        &format!("{listen}1\"\ndeclared = {{ status = 'draft' }}"),
    );
    write(
        &program,
        "[uploads]\nfile_bytes_max = 4000\n[drop]\nsettle_ms = 500\nrescan_seconds = 1",
    );

    reload(&program);

    let waits = program.log_lines("needs a restart").pop().unwrap();
    assert!(waits.contains("`sftp.listen`, `log.format`"), "{waits}");
    let done = program.log_lines("Reloaded ").pop().unwrap();
    for key in ["drop.settle_ms", "log.level", "uploads.file_bytes_max"] {
        assert!(done.contains(&format!("`{key}`")), "{done}");
    }
    let new = Peer::connect(program.address.unwrap(), &device.login).await;
    drop(new.list("/nothing").await);
    wait_until(|| program.log_says("DEBUG"));
    assert!(program.log_count("INFO") > 0, "the format is as it was");
    let large = invoice("F-2", 5000);
    assert_eq!(
        new.put("/in/F-2.xml", &large).await,
        Err(StatusCode::Failure)
    );
    open.put("/in/F-3.xml", &large).await.unwrap();
    new.put("/in/F-5.xml", &invoice("F-5", 900)).await.unwrap();
    let held = program.json(&["deliveries", "kantoor", "--state", "held"]);
    let held: Vec<_> = held
        .iter()
        .map(|row| (&row["number"], &row["reason"]))
        .collect();
    assert_eq!(held, [(&json!("F-5"), &json!("draft"))]);
    // The drop folders go on, by the new pace.
    let dropped = program.path("sluis/data/drop/kantoor/F-4.xml");
    fs::write(&dropped, invoice("F-4", 900)).unwrap();
    wait_until(|| !dropped.exists());
    assert_eq!(program.terminate(), Some(0));
}

/// What the server says to whoever is at another address, and says this.
async fn heard(address: SocketAddr, said: &[u8]) -> Vec<u8> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 66], 0).into()).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let mut heard = Vec::new();
    drop(stream.write_all(said).await);
    let hearing = stream.read_to_end(&mut heard);
    drop(tokio::time::timeout(Duration::from_secs(30), hearing).await);
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_that_were_changed_hold_for_who_comes_and_not_for_who_is_here() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    let other = program.device("other", "pull", "OTHER");
    replace(&program, "[sftp]\n", "[sftp]\nsessions_per_device = 2\n");
    write(&program, "[guard]\npenalties = { protocol = 0 }");
    program.serve();
    let address = program.address.unwrap();
    let _one = Peer::connect(address, &device.login).await;
    let _two = Peer::connect(address, &device.login).await;
    assert!(Peer::try_connect(address, &device.login).await.is_none());
    let old = Peer::connect(address, &other.login).await;
    replace(
        &program,
        "sessions_per_device = 2",
        "sessions_per_device = 3",
    );
    replace(&program, "[sftp]\n", "[sftp]\nidle_seconds = 5\n");
    assert_eq!(
        heard(address, b"GET / HTTP/1.1\r\n\r\n").await[..4],
        *b"SSH-"
    );
    replace(&program, "protocol = 0 }", "protocol = 90 }\nexempt = []");

    reload(&program);

    let three = Peer::connect(address, &device.login).await;
    let ended = tokio::time::timeout(Duration::from_secs(300), three.ssh).await;
    assert!(ended.is_ok(), "who comes is idle for five seconds at most");
    assert!(
        old.list("/").await.is_ok(),
        "who is here goes on as it began"
    );
    assert_eq!(
        heard(address, b"GET / HTTP/1.1\r\n\r\n").await[..4],
        *b"SSH-"
    );
    wait_until(|| program.log_says("Barred 127.0.0.66/32"));
    assert_eq!(heard(address, b"").await, b"Not allowed at this time\r\n");
    assert_eq!(program.terminate(), Some(0));
}

/// What a check says of the links.
fn checked(program: &Program) -> String {
    let output = program.run(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains("links of kantoor"));
    line.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_gives_two_links_one_folder_is_told() {
    let mut program = Program::init();
    program.device("server", "pull", "ACME");
    program.link(BAKERY, "BETA", "server");
    assert!(checked(&program).starts_with("ok"));
    let text = include_str!("../../config/profiles/expertm.toml");
    fs::create_dir(program.path("sluis/profiles")).unwrap();
    fs::write(
        program.path("sluis/profiles/expertm.toml"),
        text.replace("{dossier_code}", "{dossier_name}"),
    )
    .unwrap();
    program.serve();
    assert!(!program.log_says("has a folder of"));
    let file = program.path("sluis/sluis.toml");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("profiles = \"profiles\"\n{config}")).unwrap();

    reload(&program);

    let told = "Link 2 of firm `kantoor` has a folder of link 1";
    wait_until(|| program.log_says(told));
    let links = checked(&program);
    assert!(links.starts_with("WRONG"), "{links}");
    assert!(
        links.contains("`BETA`") && links.contains("`ACME`"),
        "{links}"
    );
    assert_eq!(links.matches("has a folder of").count(), 1, "{links}");
    assert_eq!(program.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_mended_shows_to_who_comes() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    program.ingest(&[invoice("F-1", 900)]);
    program.serve();
    let open = Peer::connect(program.address.unwrap(), &device.login).await;
    assert_eq!(open.list("/").await.unwrap(), ["expertm", "in", "rejected"]);
    let text = include_str!("../../config/profiles/expertm.toml");
    assert!(text.contains("expertm/"), "its folder is named after it");
    let folder = program.path("sluis/profiles");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join("expertm.toml"),
        text.replace("expertm/", "other/"),
    )
    .unwrap();
    let file = program.path("sluis/sluis.toml");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("profiles = \"profiles\"\n{config}")).unwrap();

    reload(&program);

    assert_eq!(program.log_count("Did not reload"), 0);
    let new = Peer::connect(program.address.unwrap(), &device.login).await;
    let names = new.list("/").await.unwrap();
    assert_eq!(
        names,
        ["expertm", "in", "other", "rejected"],
        "what was offered stays in its place"
    );
    let began = open.list("/").await.unwrap();
    assert_eq!(began, ["expertm", "in", "rejected"], "as it began");
    program.ingest(&[invoice("F-2", 900)]);
    // A session that is older than the profile puts in what is placed by the new one.
    open.put("/in/F-3.xml", &invoice("F-3", 900)).await.unwrap();
    let late = Peer::connect(program.address.unwrap(), &device.login).await;
    let placed = late.list(&INBOX.replace("expertm", "other")).await.unwrap();
    assert_eq!(placed.len(), 2, "{placed:?}");
    assert_eq!(program.terminate(), Some(0));
}

#[test]
fn a_profile_that_changed_or_went_is_named_with_the_links_that_lack_it() {
    let mut program = Program::init();
    let text = include_str!("../../config/profiles/expertm.toml");
    let mine = text.replace("id = \"expertm\"", "id = \"mine\"");
    let folder = program.path("sluis/profiles");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("mine.toml"), &mine).unwrap();
    let file = program.path("sluis/sluis.toml");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("profiles = \"profiles\"\n{config}")).unwrap();
    let link = ["link", "add", "kantoor", BAKERY, "--profile", "mine"];
    program.ok(&[&link[..], &["--code", "ACME"]].concat());
    program.serve();
    let last = || program.log_lines("Reloaded ").pop().unwrap();

    reload(&program);
    assert!(last().contains("Profiles that have changed: nothing."));
    fs::write(folder.join("mine.toml"), mine.replace("expertm/", "other/")).unwrap();
    reload(&program);
    assert!(
        last().contains("Profiles that have changed: `mine`."),
        "{}",
        last()
    );
    assert!(!program.log_says("cannot be shown"));
    fs::remove_file(folder.join("mine.toml")).unwrap();
    reload(&program);

    assert!(last().contains("Profiles that have changed: `mine`."));
    wait_until(|| program.log_says("Link 1 of firm `kantoor` cannot be shown"));
    assert_eq!(program.terminate(), Some(0));
    let deeds = program.json(&["deeds"]);
    let told = |deed: &serde_json::Value| deed["command"].as_str().unwrap().to_owned();
    let reloads: Vec<_> = deeds
        .iter()
        .map(told)
        .filter(|told| told.starts_with("reload"))
        .collect();
    assert_eq!(
        reloads
            .iter()
            .filter(|told| told.contains("profiles `mine`"))
            .count(),
        2,
        "{reloads:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn host_keys_come_from_credentials_and_are_read_again_from_there() {
    let mut program = Program::init();
    let given = program.path("credentials");
    let first = new_keys(&given);
    let mut command = program.command(&["serve"]);
    command.env("CREDENTIALS_DIRECTORY", &given);
    program.serve_by(command);
    assert_ne!(first, program.host_fingerprint());
    assert_eq!(shown(&program).await, first);
    fs::remove_dir_all(&given).unwrap();
    let second = new_keys(&given);

    reload(&program);

    assert_eq!(shown(&program).await, second);
    assert!(!program.log_says("PRIVATE KEY"));
    assert_eq!(program.terminate(), Some(0));
}

#[test]
fn systemd_hears_of_a_reload_and_of_its_end() {
    let mut program = Program::init();
    let socket = program.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut command = program.command(&["serve"]);
    command.env("NOTIFY_SOCKET", &socket);
    program.serve_by(command);
    let heard = || {
        let mut text = [0; 4096];
        let bytes = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..bytes]).into_owned()
    };
    assert!(heard().starts_with("READY=1"));

    reload(&program);
    let said = heard();
    assert!(
        said.starts_with("RELOADING=1") && said.contains("MONOTONIC_USEC="),
        "{said}"
    );
    assert!(heard().starts_with("READY=1\nSTATUS=Listening on 127.0.0.1:"));

    write(&program, "[nonsense]\nx = 1");
    reload(&program);
    assert!(heard().starts_with("RELOADING=1"));
    let said = heard();
    assert!(
        said.starts_with("READY=1\n") && said.contains("did not reload"),
        "{said}"
    );
    assert_eq!(said.trim_end().lines().count(), 2, "{said}");
    let unit = include_str!("../../systemd/sluis.service");
    assert!(
        unit.lines()
            .any(|line| line == "ExecReload=/bin/kill -HUP $MAINPID")
    );
    assert_eq!(program.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_roots_that_cannot_be_used_says_so_and_serves_devices() {
    for text in [
        None,
        Some("-----BEGIN CERTIFICATE-----\nno\n"),
        Some("no PEM"),
    ] {
        let mut program = Program::init();
        let device = program.device("server", "pull", "ACME");
        write(&program, "[webhooks]\nroots = \"roots.pem\"\n");
        if let Some(text) = text {
            fs::write(program.path("sluis/roots.pem"), text).unwrap();
        }

        program.serve();

        let told = "no receiver over https is told";
        wait_until(|| program.log_count(told) == 1);
        assert!(program.log_lines(told)[0].contains("roots.pem"));
        Peer::connect(program.address.unwrap(), &device.login).await;
        assert_eq!(program.terminate(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_trusted_since_a_reload_are_trusted_for_the_next_letter() {
    let mut program = Program::init();
    program.device("server", "pull", "ACME");
    write(&program, ALLOW);
    let mut receiver = Receiver::start_with_tls().await;
    let url = format!("https://localhost:{}/", receiver.address.port());
    program.ok(&["webhook", "add", "kantoor", &url]);
    program.serve();
    fs::copy(tls("authority.pem"), program.path("sluis/roots.pem")).unwrap();
    replace(&program, ALLOW, &format!("{ALLOW}roots = \"roots.pem\"\n"));

    reload(&program);
    program.ingest(&[invoice("F-1", 2000)]);

    let told = tokio::time::timeout(Duration::from_secs(60), receiver.has_seen(1));
    told.await.unwrap();
    assert_eq!(program.log_count("Did not reload"), 0);
    assert_eq!(program.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_on_a_disk_that_hangs_keep_the_server_neither_from_serving_nor_from_ending() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    let (cwd, mode) = (rustix::fs::CWD, rustix::fs::Mode::RWXU);
    // Whoever opens it waits for somebody who writes.
    rustix::fs::mkfifoat(cwd, program.path("sluis/roots.pem"), mode).unwrap();
    write(&program, &format!("{ALLOW}roots = \"roots.pem\"\n"));

    program.serve();

    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    peer.leave().await;
    assert_eq!(program.log_count("[webhooks] roots"), 0, "nobody knows yet");
    assert_eq!(program.terminate(), Some(0));
}
