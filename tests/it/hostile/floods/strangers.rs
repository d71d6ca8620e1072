//! What does the real program hold of those who have not logged in, where the guard counts and bars them?
//!
//! Loopback is exempt unless it is said otherwise. Here only the honest device's address is, and strangers come from
//! others of it: 127.1.0.0/16 in the first case, 127.2.0.0/16 in the second, for a bar of one is not for the next.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey};
use sluis::sftp::limits::BYTES_BEFORE_LOGIN_MAX;

use super::Scene;
use crate::gateway::Login;
use crate::guarding;
use crate::hostile::ssh::Ssh;
use crate::interop::wait_until;

/// How many may be logging in, in all and of one network.
const STARTUPS: usize = 60;
const OF_NETWORK: usize = 20;

/// How many come past each of these.
const MORE: usize = 300;

/// Whose PROXY headers are believed.
const FORWARDER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

const GREETING: &str = "SSH-2.0-Sluis";
const TURNED_AWAY: &str = "Not allowed at this time\r\n";

/// A server that exempts nobody but the honest device.
fn guarded() -> Scene {
    let guard = format!(
        "[guard]\nexempt = ['127.0.0.1']\nproxies = ['{FORWARDER}']\n\
         startups = '{STARTUPS}:0:{STARTUPS}'\nnetwork_startups_max = {OF_NETWORK}\n"
    );
    Scene::start_as("rekey_bytes = 1073741824", &guard, 2)
}

/// The address of this number in the network of a case.
fn stranger(case: u8, number: usize) -> Ipv4Addr {
    let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
    Ipv4Addr::new(127, case, high, low)
}

fn dial(scene: &Scene, from: Ipv4Addr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dialled = runtime.block_on(guarding::dial(scene.program.address.unwrap(), from));
    let stream = dialled.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    // What comes, comes at once, and a silent server is a fault.
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// The same, and sends this first, of which a server that hangs up may not take all.
fn dial_saying(scene: &Scene, from: Ipv4Addr, said: &[u8]) -> TcpStream {
    let mut stream = dial(scene, from);
    drop(stream.write_all(said));
    stream
}

/// The first line that comes, or as much as comes before the end.
fn heard(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        match stream.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => line.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("neither a word nor an end: {error}"),
        }
    }
    String::from_utf8(line).unwrap()
}

fn is_greeted(stream: &mut TcpStream) -> bool {
    heard(stream).starts_with(GREETING)
}

/// Connects, again if there is no room yet: whoever has just gone may have his place a moment longer.
fn greeted(scene: &Scene, from: Ipv4Addr) -> TcpStream {
    let mut greeted = None;
    wait_until(|| {
        let mut stream = dial(scene, from);
        greeted = is_greeted(&mut stream).then_some(stream);
        greeted.is_some()
    });
    greeted.unwrap()
}

#[test]
fn strangers_past_every_number_are_turned_away_and_leave_nothing() {
    let scene = guarded();

    scene.withstands("silent ones, past those who may be logging in", |scene| {
        let silent: Vec<_> = (0..STARTUPS)
            .map(|number| greeted(scene, stranger(1, number)))
            .collect();
        for number in STARTUPS..STARTUPS + MORE {
            let told = heard(&mut dial(scene, stranger(1, number)));
            assert_eq!(told, TURNED_AWAY);
        }
        silent
    });
    scene.withstands("more of one network than may be logging in", |scene| {
        let one = stranger(2, 1);
        let mut silent: Vec<_> = (0..OF_NETWORK).map(|_| greeted(scene, one)).collect();
        for _ in 0..MORE {
            assert_eq!(heard(&mut dial(scene, one)), TURNED_AWAY);
        }
        silent.push(greeted(scene, stranger(2, 2)));
        silent
    });
    wait_until(|| scene.program.log_says("connections away: "));
}

#[test]
fn strangers_that_fail_are_barred_and_leave_nothing() {
    const NETWORKS: usize = 10;
    // Three bar, if they come at once; with time they pass.
    const TRIES_MAX: usize = 100;
    let scene = guarded();
    let wrong = Login {
        key: PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap(),
        ..scene.hostile.clone()
    };

    scene.withstands("wrong keys, until each of them is barred", |scene| {
        for from in (0..NETWORKS).map(|number| stranger(3, number)) {
            let mut tries = 0;
            while let Ok(mut ssh) = Ssh::try_greet(dial(scene, from)) {
                let init = ssh.begin_keys().unwrap();
                ssh.finish_keys(&init).unwrap();
                ssh.offer(&wrong).unwrap();
                ssh.until(51).unwrap();
                ssh.cut();
                tries += 1;
                assert!(tries < TRIES_MAX, "{from} is never barred");
            }
            assert!(tries > 1, "one wrong key bars nobody");
        }
        Vec::<Ssh>::new()
    });
    scene.withstands("what is no SSH", |scene| {
        let mut random = 1_u32;
        let mut byte = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random.to_be_bytes()[0]
        };
        let noise: Vec<u8> = (0..64 * 1024).map(|_| byte()).collect();
        let said = [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            noise,
            vec![b'x'; 30 * 1024],
            vec![0; 30 * 1024],
        ];
        for (at, said) in said.iter().enumerate() {
            for from in (0..NETWORKS).map(|number| stranger(4, 256 * at + number)) {
                let mut stream = dial_saying(scene, from, said);
                let mut told = Vec::new();
                drop(stream.read_to_end(&mut told));
                assert!(told.len() < 1000, "{}", told.len());
                wait_until(|| heard(&mut dial(scene, from)) == TURNED_AWAY);
            }
        }
        Vec::<Ssh>::new()
    });
}

#[test]
fn what_a_forwarder_tears_or_tells_wrongly_leaves_nothing() {
    const TIMES: usize = 10;
    let scene = guarded();

    scene.withstands("torn and wrong PROXY headers", |scene| {
        let v2 = b"\r\n\r\n\0\r\nQUIT\n";
        let torn = [
            &b""[..],
            b"PROXY TCP4 203.0.113.7",
            v2,
            &[v2, &b"\x21\x11\x03\xff\xcb"[..]].concat(),
        ];
        let silent: Vec<_> = (0..TIMES)
            .flat_map(|_| torn)
            .map(|torn| dial_saying(scene, FORWARDER, torn))
            .collect();
        for wrong in [
            &b"SSH-2.0-OpenSSH_9.9\r\n"[..],
            b"PROXY TCP4 office 127.0.0.1 1 22\r\n",
            b"PROXY TCP4 203.0.113.7 127.0.0.1 65536 22\r\n",
            b"PROXY TCP6 203.0.113.7 127.0.0.1 1 22\r\n",
            b"PROXY UDP4 203.0.113.7 127.0.0.1 1 22\r\n",
            &[&b"PROXY UNKNOWN "[..], &[b'x'; 30_000]].concat(),
            &[v2, &b"\x21\x11\xff\xff"[..], &[0; 30_000]].concat(),
            &[v2, &b"\xff\x11\0\x0c"[..], &[0; 12]].concat(),
        ] {
            for _ in 0..TIMES {
                let told = heard(&mut dial_saying(scene, FORWARDER, wrong));
                assert_eq!(told, "", "{}", String::from_utf8_lossy(wrong));
            }
        }
        // Whom it does speak for is greeted all the same.
        let right = b"PROXY TCP4 203.0.113.8 127.0.0.1 1 22\r\n";
        wait_until(|| is_greeted(&mut dial_saying(scene, FORWARDER, right)));
        silent
    });
    // Whoever keeps the forwarder is told, for it is his to mend.
    assert!(scene.program.log_says("which [guard] proxies names"));
}

#[test]
fn strangers_that_exchange_keys_without_end_hold_nothing() {
    let scene = guarded();

    scene.withstands("keys, again and again", |scene| {
        for number in 0..3 {
            let mut ssh = Ssh::over(dial(scene, stranger(5, number)));
            let mut exchanged = 0;
            while let Ok(init) = ssh.begin_keys()
                && ssh.finish_keys(&init).is_ok()
            {
                exchanged += 1;
            }
            assert!(exchanged <= BYTES_BEFORE_LOGIN_MAX / 250, "{exchanged}");
        }
        Vec::<Ssh>::new()
    });
    scene.withstands("keys that are begun, and begun again", |scene| {
        for number in 0..10 {
            let mut ssh = Ssh::greet(dial(scene, stranger(6, number)));
            // Past the most that a stranger may send.
            let begun = (0..1000).try_for_each(|_| ssh.begin_keys().map(drop));
            assert!(begun.is_err() || ssh.is_ended());
        }
        (0..STARTUPS / 2)
            .map(|number| {
                let mut ssh = Ssh::greet(dial(scene, stranger(6, 256 + number)));
                ssh.begin_keys().unwrap();
                ssh
            })
            .collect()
    });
}
