//! What does a service manager give to the program, and hear from it?

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::gateway::{PATIENCE, invoice};
use crate::peer::Peer;
use crate::program::Program;

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";

/// What is said at a socket, taken as it comes: nobody takes more than a few words before somebody hears them, and who
/// says one more then waits.
struct Manager(Receiver<Vec<String>>);

impl Manager {
    fn at(socket: &Path) -> Self {
        let socket = UnixDatagram::bind(socket).unwrap();
        let (tell, told) = channel();
        // Nobody ends it: it waits for words until the tests are over.
        std::thread::spawn(move || {
            let mut text = [0; 4096];
            while let Ok(bytes) = socket.recv(&mut text) {
                let text = std::str::from_utf8(&text[..bytes]).unwrap();
                if tell
                    .send(text.lines().map(str::to_owned).collect())
                    .is_err()
                {
                    return;
                }
            }
        });
        Self(told)
    }

    fn heard(&self) -> Vec<String> {
        self.0.recv_timeout(PATIENCE).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_that_the_server_is_ready_alive_and_ending() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    let socket = program.path("notify");
    let manager = Manager::at(&socket);
    let mut command = program.command(&["serve"]);
    command
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "200000");

    program.serve_by(command);

    let ready = manager.heard();
    assert_eq!(ready[0], "READY=1");
    let address = program.address.unwrap();
    assert_eq!(ready[1], format!("STATUS=Listening on {address}"));
    Peer::connect(address, &device.login).await;
    for _ in 0..3 {
        assert_eq!(manager.heard(), ["WATCHDOG=1"]);
    }
    assert_eq!(program.terminate(), Some(0));
    let ending = std::iter::repeat_with(|| manager.heard()).find(|said| said[0] != "WATCHDOG=1");
    assert_eq!(ending.unwrap()[0], "STOPPING=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_comes_while_the_service_restarts_is_served_and_not_refused() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-0", 2000)]);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let by_socket = || {
        // As systemd does: the socket is descriptor 3, and the process that it becomes has that number.
        let mut shell = Command::new("sh");
        let script = "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve 3<&0 0</dev/null";
        shell
            .args(["-c", script, env!("CARGO_BIN_EXE_sluis")])
            .env("SLUIS_CONFIG", program.path("sluis/sluis.toml"))
            .stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
        shell
    };
    let (first, second) = (by_socket(), by_socket());
    program.serve_by(first);
    assert_eq!(program.address, Some(address), "not the configured one");
    Peer::connect(address, &device.login).await;
    assert_eq!(program.terminate(), Some(0));

    let login = device.login.clone();
    let coming = tokio::spawn(async move {
        let peer = Peer::connect(address, &login).await;
        let names = peer.list(INBOX).await.unwrap();
        peer.get(&format!("{INBOX}/{}", names[0])).await.unwrap()
    });
    tokio::task::yield_now().await;
    program.serve_by(second);

    assert_eq!(coming.await.unwrap().len(), 2000);
    assert_eq!(program.terminate(), Some(0));
    assert_eq!(program.states(), ["collected"]);
}

#[test]
fn a_second_socket_at_which_nobody_would_answer_is_refused_with_what_to_do() {
    let program = Program::init();
    let socket = || TcpListener::bind("127.0.0.1:0").unwrap();
    let mut shell = Command::new("sh");
    let script = "LISTEN_FDS=2 LISTEN_PID=$$ exec \"$0\" serve 3<&0 4<&2 0</dev/null 2>&1";
    let refused = shell
        .args(["-c", script, env!("CARGO_BIN_EXE_sluis")])
        .env("SLUIS_CONFIG", program.path("sluis/sluis.toml"))
        .stdin(Stdio::from(OwnedFd::from(socket())))
        .stderr(Stdio::from(OwnedFd::from(socket())))
        .output()
        .unwrap();

    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(why.contains("passed 2 sockets"), "{why}");
    assert!(why.contains("leave one `ListenStream=`"), "{why}");
}

#[test]
fn a_start_that_brings_a_large_catalog_up_to_date_is_not_killed() {
    let unit = include_str!("../../systemd/sluis.service");

    // Of a type that tells when it is ready systemd else waits 90 seconds.
    let says = |line| unit.lines().any(|own| own == line);
    assert!(says("Type=notify") && says("TimeoutStartSec=infinity"));
}

#[test]
fn what_is_no_listening_socket_is_refused_with_the_reason() {
    let program = Program::init();
    let mut shell = Command::new("sh");
    let script = "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve 3</dev/null";
    let refused = shell
        .args(["-c", script, env!("CARGO_BIN_EXE_sluis")])
        .env("SLUIS_CONFIG", program.path("sluis/sluis.toml"))
        .output()
        .unwrap();

    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("the socket of the service manager"), "{why}");
}

/// A disk that is full, and a reader that is gone: what is logged goes nowhere, and that is all.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_serves_goes_on_where_its_log_cannot_be_written() {
    for to in ["/dev/full", ">(exec true)"] {
        let mut program = Program::init();
        let device = program.device("server", "pull", "ACME");
        program.ingest(&[invoice("F-1", 2000)]);
        let serve = program.command(&["serve"]);
        let mut shell = Command::new("bash");
        let line = format!("exec \"$0\" \"$@\" 2> {to}");
        shell.args(["-c", &line]).arg(serve.get_program());
        shell.args(serve.get_args());
        for (name, value) in serve.get_envs() {
            shell.env(name, value.unwrap());
        }

        program.serve_by(shell);

        let address = program.address.unwrap();
        let peer = Peer::connect(address, &device.login).await;
        let name = peer.list(INBOX).await.unwrap().remove(0);
        peer.get(&format!("{INBOX}/{name}")).await.unwrap();
        peer.leave().await;
        assert_eq!(program.terminate(), Some(0), "{to}");
        assert_eq!(program.states(), ["collected"]);
    }
}
