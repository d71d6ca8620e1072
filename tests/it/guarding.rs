//! What holds whoever has not logged in, and who is served all along?

pub mod strangers;

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg};
use russh::{MethodKind, Preferred, SshId, client, kex};
use sluis::login::Logins;
use sluis::model::{DeviceKind, SessionId, Timestamp};
use sluis::sftp::limits::LOGINS_PER_CONNECTION_MAX;
use sqlx::sqlite::SqlitePoolOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::gateway::{Gateway, Login, PATIENCE, invoice, until};
use crate::interop::wait_until;
use crate::peer::{Peer, Trusting};
use crate::program::Program;

/// Loopback has many addresses: this one is nobody's, and that of an office; devices of tests have 127.0.0.1.
const NOBODY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
const OFFICE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 7);

/// A gateway with a device that is logged in from elsewhere, and whose document waits.
struct Scene {
    gateway: Gateway,
    device: Login,
    honest: Peer,
    file: String,
}

impl Scene {
    /// With these lines in `[guard]`; only the honest device's address is exempt, unless they say otherwise.
    async fn start(lines: &str) -> Self {
        let lines = format!("[guard]\nexempt = ['127.0.0.1']\n{lines}");
        let gateway = Gateway::start_with(&lines).await;
        let (office, device) = gateway.office_with(DeviceKind::Pull).await;
        gateway.receive(&office, invoice("F-1", 2000)).await;
        let honest = gateway.connect(&device).await;
        let folder = "/expertm/ACME/Te Verwerken/Aankopen";
        let file = format!("{folder}/{}", honest.list(folder).await.unwrap()[0]);
        Self {
            gateway,
            device,
            honest,
            file,
        }
    }

    /// The honest device is served: the session that it has, and a new one.
    async fn serves_the_honest(&self) {
        assert_eq!(self.honest.get(&self.file).await.unwrap().len(), 2000);
        let again = self.gateway.connect(&self.device).await;
        assert_eq!(again.list("/").await.unwrap().len(), 1);
        again.leave().await;
    }

    async fn dial(&self, from: Ipv4Addr) -> TcpStream {
        dial(self.gateway.address, from).await
    }

    /// Whether a connection from there is greeted with a version.
    async fn greets(&self, from: Ipv4Addr) -> bool {
        greeting(&mut self.dial(from).await)
            .await
            .starts_with("SSH-2.0-Sluis")
    }

    /// Connects from there with a header of a forwarder.
    async fn forwarded(&self, from: Ipv4Addr, header: &[u8]) -> TcpStream {
        let mut stream = self.dial(from).await;
        stream.write_all(header).await.unwrap();
        stream
    }

    /// Logs in from there, or fails to.
    async fn log_in(&self, from: Ipv4Addr, login: &str, keys: &[PrivateKey]) -> bool {
        let stream = self.dial(from).await;
        let Ok(mut ssh) = client::connect_stream(Arc::default(), stream, Trusting).await else {
            return false;
        };
        let accepted = offer(&mut ssh, login, keys).await;
        drop(
            ssh.disconnect(russh::Disconnect::ByApplication, "", "en")
                .await,
        );
        drop(ssh.await);
        accepted
    }

    /// Fails to log in three times, which comes to a bar.
    async fn fail_to_a_bar(&self, from: Ipv4Addr) {
        for _ in 0..3 {
            assert!(!self.log_in(from, &self.device.name, &[wrong_key()]).await);
        }
        let bar = [format!("{from}/32 barred refused")];
        until(async || self.written().await == bar).await;
        assert!(!self.greets(from).await);
    }

    async fn written(&self) -> Vec<String> {
        let written = self.gateway.house.catalog.penalties().await.unwrap();
        written
            .iter()
            .map(|(network, penalty)| {
                let standing = if penalty.is_bar { "barred" } else { "counting" };
                format!("{network} {standing} {}", penalty.fault.as_str())
            })
            .collect()
    }

    async fn addresses(&self) -> Vec<String> {
        let catalog = &self.gateway.house.catalog;
        let rows = catalog.last_addresses(10, Timestamp(0)).await.unwrap();
        rows.into_iter().map(|(address, _)| address).collect()
    }
}

pub async fn dial(to: SocketAddr, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// The first line, or nothing if there is none.
async fn greeting(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let reading = async {
        while let Ok(byte) = stream.read_u8().await {
            line.push(byte);
            if byte == b'\n' {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    String::from_utf8(line).unwrap()
}

/// Waits until the other side has hung up.
async fn hung_up(stream: &mut TcpStream) {
    let mut all = Vec::new();
    let end = stream.read_to_end(&mut all);
    drop(tokio::time::timeout(PATIENCE, end).await.unwrap());
}

async fn offer(ssh: &mut client::Handle<Trusting>, login: &str, keys: &[PrivateKey]) -> bool {
    for key in keys {
        let key = PrivateKeyWithHashAlg::new(Arc::new(key.clone()), None);
        let answer = ssh.authenticate_publickey(login, key).await;
        if answer.is_ok_and(|answer| answer.success()) {
            return true;
        }
    }
    false
}

fn wrong_key() -> PrivateKey {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap()
}

#[tokio::test]
async fn one_network_past_its_limit_is_turned_away_and_another_is_not() {
    let scene = Scene::start("").await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut stream = scene.dial(NOBODY).await;
        assert!(greeting(&mut stream).await.starts_with("SSH-2.0-Sluis"));
        silent.push(stream);
    }

    let mut one_more = scene.dial(NOBODY).await;

    assert_eq!(
        greeting(&mut one_more).await,
        "Not allowed at this time\r\n"
    );
    assert!(scene.greets(OFFICE).await);
    scene.serves_the_honest().await;
    silent.pop();
    until(async || scene.greets(NOBODY).await).await;
}

#[tokio::test]
async fn a_flood_of_silent_ones_is_bounded_and_open_sessions_go_on() {
    let scene = Scene::start("startups = '12:0:12'").await;
    let mut silent = Vec::new();
    for network in 1..=12 {
        let mut stream = scene.dial(Ipv4Addr::new(127, 1, 0, network)).await;
        assert!(greeting(&mut stream).await.starts_with("SSH-2.0-Sluis"));
        silent.push(stream);
    }

    let mut one_more = scene.dial(Ipv4Addr::new(127, 1, 0, 13)).await;

    assert_eq!(
        greeting(&mut one_more).await,
        "Not allowed at this time\r\n"
    );
    // A new session finds no room in this small house; the one that is open does not notice.
    assert_eq!(scene.honest.get(&scene.file).await.unwrap().len(), 2000);
    silent.clear();
    until(async || scene.greets(OFFICE).await).await;
    scene.serves_the_honest().await;
}

#[tokio::test]
async fn whoever_drips_is_gone_when_the_grace_time_is_over_whatever_he_has_said_by_then() {
    const GRACE: Duration = Duration::from_secs(10);
    let scene = Scene::start("grace_seconds = 10").await;
    let begun = tokio::time::Instant::now();
    let (mut coming, mut going) = scene.dial(NOBODY).await.into_split();
    let dripping = async {
        // A version that is whole shortly before the end, and keys that never are.
        let mut beat = tokio::time::interval(Duration::from_millis(700));
        for byte in b"SSH-2.0-drip\r\n\0\0\x10\0\x04".iter().chain(&[20; 4096]) {
            beat.tick().await;
            if going.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };

    let mut all = Vec::new();
    tokio::select! {
        () = dripping => {}
        _ = coming.read_to_end(&mut all) => {}
    }

    // Were each byte given time, or its version and its keys apart, it would be nearly twice as long at least.
    let took = begun.elapsed();
    assert!(took >= GRACE - Duration::from_millis(500), "{took:?}");
    assert!(took < GRACE * 3 / 2, "{took:?}");
    scene.serves_the_honest().await;
}

#[tokio::test]
async fn whoever_says_nothing_more_is_gone_after_one_grace_time_for_all() {
    let scene = Scene::start("grace_seconds = 10").await;
    let silent = scene.dial(NOBODY).await;
    let mut told_its_version = scene.dial(NOBODY).await;
    told_its_version
        .write_all(b"SSH-2.0-drip\r\n")
        .await
        .unwrap();
    let keyed = client::connect_stream(Arc::default(), scene.dial(NOBODY).await, Trusting).await;

    for mut stream in [silent, told_its_version] {
        hung_up(&mut stream).await;
    }
    drop(
        tokio::time::timeout(PATIENCE, keyed.unwrap())
            .await
            .unwrap(),
    );

    // Three times ten seconds bar a network.
    let bar = ["127.0.0.66/32 barred overdue"];
    until(async || scene.written().await == bar).await;
    assert!(!scene.greets(NOBODY).await);
    scene.serves_the_honest().await;
}

#[tokio::test]
async fn who_fails_again_and_again_is_barred_until_it_has_passed() {
    let scene = Scene::start("").await;
    scene.fail_to_a_bar(NOBODY).await;

    // Not even with the right key; and nobody else is.
    let right = [scene.device.key.clone()];
    assert!(!scene.log_in(NOBODY, &scene.device.name, &right).await);
    assert!(scene.greets(OFFICE).await);
    scene.serves_the_honest().await;
    scene.gateway.pass_ms(16_000);

    assert!(scene.log_in(NOBODY, &scene.device.name, &right).await);
}

#[tokio::test]
async fn an_unknown_login_costs_what_a_known_one_costs_and_reads_the_same() {
    let known = Scene::start("").await;
    let logins = [
        &known.device.name[..],
        "peeters.nobody",
        "nobody.server",
        "root",
    ];
    let mut answers = Vec::new();
    for (at, login) in (0..).zip(logins) {
        let from = Ipv4Addr::new(127, 2, 0, at);
        let stream = known.dial(from).await;
        let mut ssh = client::connect_stream(Arc::default(), stream, Trusting)
            .await
            .unwrap();
        let key = PrivateKeyWithHashAlg::new(Arc::new(wrong_key()), None);
        let by_key = ssh.authenticate_publickey(login, key).await.unwrap();
        let by_password = ssh.authenticate_password(login, "zomer2026").await.unwrap();
        answers.push(format!("{by_key:?} {by_password:?}"));
    }
    let told = format!("{:?}", MethodKind::PublicKey);
    assert!(answers[0].contains(&told), "{}", answers[0]);
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );

    let expected: Vec<_> = (0..4)
        .map(|at| format!("127.2.0.{at}/32 counting refused"))
        .collect();
    until(async || known.written().await == expected).await;
}

#[tokio::test]
async fn a_guess_takes_its_time_whoever_it_is_about() {
    let scene = Scene::start("").await;
    for login in [&scene.device.name[..], "peeters.nobody", "root"] {
        let stream = scene.dial(OFFICE).await;
        let mut ssh = client::connect_stream(Arc::default(), stream, Trusting)
            .await
            .unwrap();
        let asked = tokio::time::Instant::now();

        let told = ssh.authenticate_password(login, "winter2026").await;

        assert!(!told.unwrap().success());
        let took = asked.elapsed();
        assert!(took >= Duration::from_millis(500), "{login}: {took:?}");
        let asked = tokio::time::Instant::now();
        let keys: Vec<_> = (0..3).map(|_| wrong_key()).collect();
        assert!(!offer(&mut ssh, login, &keys).await);
        let took = asked.elapsed();
        // The first refusals of an agent take next to nothing, the further ones do.
        assert!(took >= Duration::from_millis(100), "{login}: {took:?}");
    }
}

#[tokio::test]
async fn an_honest_client_with_a_wrong_key_first_is_not_slowed() {
    let scene = Scene::start("").await;
    let (mut first, mut fourth) = (Duration::MAX, Duration::MAX);
    // The quickest of five, for a machine may be busy; the networks are five, so that none is narrowed or barred.
    for at in 0..5 {
        let stream = scene.dial(Ipv4Addr::new(127, 3, 0, at)).await;
        let mut ssh = client::connect_stream(Arc::default(), stream, Trusting)
            .await
            .unwrap();
        for key in 0..4 {
            let asked = tokio::time::Instant::now();
            assert!(!offer(&mut ssh, &scene.device.name, &[wrong_key()]).await);
            match key {
                0 => first = first.min(asked.elapsed()),
                3 => fourth = fourth.min(asked.elapsed()),
                _ => {}
            }
        }
        let right = [scene.device.key.clone()];
        assert!(offer(&mut ssh, &scene.device.name, &right).await);
    }

    // A guess is slowed from the fourth on.
    assert!(fourth >= Duration::from_millis(100), "{fourth:?}");
    assert!(first * 2 < fourth, "{first:?} {fourth:?}");
}

#[tokio::test]
async fn one_connection_tries_ten_times_and_no_more() {
    let scene = Scene::start("").await;
    let stream = scene.dial(NOBODY).await;
    let mut ssh = client::connect_stream(Arc::default(), stream, Trusting)
        .await
        .unwrap();

    let mut refused = 0;
    while refused <= LOGINS_PER_CONNECTION_MAX {
        let key = PrivateKeyWithHashAlg::new(Arc::new(wrong_key()), None);
        let told = ssh.authenticate_publickey(&scene.device.name, key).await;
        if told.is_err() || ssh.is_closed() {
            break;
        }
        refused += 1;
    }

    assert!(refused <= LOGINS_PER_CONNECTION_MAX, "{refused}");
    drop(tokio::time::timeout(PATIENCE, ssh).await.unwrap());
    until(async || scene.written().await == ["127.0.0.66/32 counting refused"]).await;
}

#[tokio::test]
async fn whoever_only_looks_at_the_port_again_and_again_is_barred() {
    let scene = Scene::start("").await;
    for _ in 0..15 {
        assert!(scene.greets(NOBODY).await);
    }

    let bar = ["127.0.0.66/32 barred no_attempt"];
    until(async || scene.written().await == bar).await;
    assert!(!scene.greets(NOBODY).await);
    scene.serves_the_honest().await;
}

#[tokio::test]
async fn between_a_few_and_full_the_lot_falls_on_some() {
    let scene = Scene::start("startups = '1:50:100000'").await;
    let mut held = vec![scene.dial(NOBODY).await];
    assert!(greeting(&mut held[0]).await.starts_with("SSH-2.0-Sluis"));

    // Each of them has an address of its own.
    let mut greeted = 0;
    for network in 0..60 {
        let mut stream = scene.dial(Ipv4Addr::new(127, 3, 0, network)).await;
        greeted += usize::from(greeting(&mut stream).await.starts_with("SSH-2.0-Sluis"));
        held.push(stream);
    }

    assert!(0 < greeted && greeted < 60, "{greeted} of 60");
}

#[tokio::test]
async fn an_agent_with_wrong_keys_first_logs_in_and_nothing_is_held_against_it() {
    let mut scene = Scene::start("").await;
    let keys = [
        wrong_key(),
        wrong_key(),
        wrong_key(),
        scene.device.key.clone(),
    ];

    for _ in 0..5 {
        assert!(scene.log_in(OFFICE, &scene.device.name, &keys).await);
    }

    scene.gateway.drain().await;
    assert_eq!(scene.written().await, Vec::<String>::new());
}

#[tokio::test]
async fn behind_one_address_a_device_logs_in_although_a_script_fails_there() {
    let scene = Scene::start("").await;
    let right = [scene.device.key.clone()];
    assert!(scene.log_in(OFFICE, &scene.device.name, &right).await);
    for _ in 0..3 {
        assert!(
            !scene
                .log_in(OFFICE, &scene.device.name, &[wrong_key()])
                .await
        );
    }
    // It would be barred. The script tries with eight connections at a time.
    let bar = [format!("{OFFICE}/32 barred refused")];
    until(async || scene.written().await == bar).await;
    let mut scripts = Vec::new();
    for _ in 0..8 {
        let stream = scene.dial(OFFICE).await;
        let ssh = client::connect_stream(Arc::default(), stream, Trusting).await;
        scripts.push(ssh.unwrap());
    }
    let guesses = scripts.iter_mut().map(async |ssh| {
        for _ in 0..2 {
            let told = ssh
                .authenticate_password(&scene.device.name, "winter")
                .await;
            assert!(!told.unwrap().success());
        }
        // The second refusal was the last.
        tokio::time::timeout(PATIENCE, ssh).await.unwrap()
    });
    let guessing = futures_util::future::join_all(guesses);

    let log_in = async {
        assert!(scene.log_in(OFFICE, &scene.device.name, &right).await);
        scene.written().await
    };
    let (ended, _) = tokio::join!(guessing, log_in);

    assert_eq!(ended.len(), 8);
    // What failed since then narrows it again, and the device is let in again.
    assert!(scene.log_in(OFFICE, &scene.device.name, &right).await);
}

#[tokio::test]
async fn an_agent_that_asks_first_and_offers_six_wrong_keys_logs_in_with_the_seventh() {
    let mut scene = Scene::start("").await;
    let stream = scene.dial(OFFICE).await;
    let mut ssh = client::connect_stream(Arc::default(), stream, Trusting)
        .await
        .unwrap();
    let mut keys: Vec<_> = (0..6).map(|_| wrong_key()).collect();
    keys.push(scene.device.key.clone());

    let login = &scene.device.name;
    assert!(!ssh.authenticate_none(login).await.unwrap().success());
    assert!(offer(&mut ssh, login, &keys).await);

    drop(ssh);
    scene.gateway.drain().await;
    assert_eq!(scene.written().await, Vec::<String>::new());
}

#[tokio::test]
async fn while_the_catalog_fails_nobody_is_penalised_and_ends_are_noted_when_it_answers() {
    let mut scene = Scene::start("").await;
    let url = format!("sqlite://{}", scene.gateway.catalog_file().display());
    let outside = SqlitePoolOptions::new().max_connections(1);
    let outside = outside.connect(&url).await.unwrap();
    let change = async |statement: &'static str| {
        sqlx::query(statement).execute(&outside).await.unwrap();
    };
    let right = [scene.device.key.clone()];
    let lasting = async || {
        let question = "select count(*) from session where ended_at is null";
        sqlx::query_scalar::<_, i64>(question)
            .fetch_one(&outside)
            .await
            .unwrap()
    };
    assert_eq!(lasting().await, 1, "the honest one");

    // No login can be looked up.
    change("alter table device_key rename to away").await;
    for _ in 0..4 {
        assert!(!scene.log_in(OFFICE, &scene.device.name, &right).await);
    }
    change("alter table away rename to device_key").await;
    // No session can begin.
    change("create trigger full before insert on session begin select raise(abort, 'full'); end")
        .await;
    for _ in 0..4 {
        assert!(!scene.log_in(OFFICE, &scene.device.name, &right).await);
    }
    change("drop trigger full").await;
    // None can end.
    change("create trigger full before update on session begin select raise(abort, 'full'); end")
        .await;
    assert!(scene.log_in(OFFICE, &scene.device.name, &right).await);
    let (logins, honest) = (
        Logins::new(scene.gateway.house.catalog.clone()),
        SessionId(1),
    );
    logins.end(honest, Timestamp(5)).await;
    logins.end_late().await;
    assert_eq!(lasting().await, 2);
    change("drop trigger full").await;

    // The other is noted by the door itself, in its next round.
    logins.end_late().await;
    until(async || lasting().await == 0).await;
    let question = "select ended_at from session where id = 1";
    let ended: i64 = sqlx::query_scalar(question)
        .fetch_one(&outside)
        .await
        .unwrap();
    assert_eq!(ended, 5, "not when it was noted");
    outside.close().await;
    scene.gateway.drain().await;
    assert_eq!(scene.written().await, Vec::<String>::new());
}

#[tokio::test]
async fn who_waits_for_the_catalog_until_its_time_is_over_is_not_penalised() {
    const GRACE_SECONDS: u64 = 10;
    let mut scene = Scene::start(&format!("grace_seconds = {GRACE_SECONDS}")).await;
    let url = format!("sqlite://{}", scene.gateway.catalog_file().display());
    let outside = SqlitePoolOptions::new().max_connections(1);
    let outside = outside.connect(&url).await.unwrap();
    let mut turn = outside.begin_with("begin immediate").await.unwrap();
    sqlx::query("update firm set version = version")
        .execute(&mut *turn)
        .await
        .unwrap();

    // Its session cannot begin while somebody else has the turn to write.
    let stream = scene.dial(OFFICE).await;
    let mut ssh = client::connect_stream(Arc::default(), stream, Trusting)
        .await
        .unwrap();
    let right = std::slice::from_ref(&scene.device.key);
    let login = offer(&mut ssh, &scene.device.name, right);
    // Nobody outside can see that its time is over, for its answer waits too.
    drop(tokio::time::timeout(Duration::from_secs(GRACE_SECONDS + 1), login).await);
    turn.rollback().await.unwrap();
    drop(tokio::time::timeout(PATIENCE, ssh).await.unwrap());

    outside.close().await;
    scene.gateway.drain().await;
    assert_eq!(scene.written().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_listener_of_both_families_shows_an_address_of_ipv4_as_itself() {
    let scene = Scene::start("").await;
    let socket = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let draining = CancellationToken::new();
    let house = &scene.gateway.house;
    let listening = house.listen_on(socket, draining.clone()).await.unwrap();
    let serving = tokio::spawn(listening.run());

    let address = (Ipv4Addr::LOCALHOST, port).into();
    Peer::connect(address, &scene.device).await.leave().await;

    let last = scene.addresses().await.remove(0);
    assert!(last.starts_with("127.0.0.1:"), "{last}");
    draining.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn what_is_not_ssh_is_a_fault_and_a_forged_header_is_one() {
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: sluis\r\n\r\n"[..],
        b"PROXY TCP4 127.0.0.1 127.0.0.1 1 22\r\nSSH-2.0-forged\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x16SSH-2.0-forged\r\n",
        b"SSH-2.0-x\r\n\xff\xff\xff\xff garbage for a packet",
    ] {
        let scene = Scene::start("").await;

        let mut stream = scene.forwarded(NOBODY, bytes).await;
        hung_up(&mut stream).await;

        let told = String::from_utf8_lossy(bytes).into_owned();
        let expected = ["127.0.0.66/32 barred protocol"];
        until(async || scene.written().await == expected).await;
        assert!(!scene.greets(NOBODY).await, "{told}");
        // The address that it forged is nobody's fault.
        scene.serves_the_honest().await;
    }
}

#[tokio::test]
async fn a_bar_outlives_a_restart_and_an_operator_lifts_it() {
    let mut scene = Scene::start("").await;
    scene.fail_to_a_bar(NOBODY).await;
    scene.gateway.drain().await;
    assert_eq!(scene.written().await, ["127.0.0.66/32 barred refused"]);

    let draining = CancellationToken::new();
    let listening = scene.gateway.house.listen(draining.clone()).await.unwrap();
    let address = listening.address();
    let serving = tokio::spawn(listening.run());
    assert_eq!(
        greeting(&mut dial(address, NOBODY).await).await,
        "Not allowed at this time\r\n"
    );
    assert!(
        greeting(&mut dial(address, OFFICE).await)
            .await
            .starts_with("SSH-2.0-Sluis")
    );

    let catalog = &scene.gateway.house.catalog;
    let range = "127.0.0.0/8".parse().unwrap();
    catalog
        .lift_penalties(&range, scene.gateway.now())
        .await
        .unwrap();
    let greeted = async || {
        greeting(&mut dial(address, NOBODY).await)
            .await
            .starts_with("SSH-2.0")
    };
    until(greeted).await;

    drop(Peer::connect(address, &scene.device).await);
    draining.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn who_is_exempt_is_not_barred() {
    let scene = Scene::start("network_startups_max = 1").await;
    // 127.0.0.1 is exempt: it may hold as many as there is room for, and fail as often as it likes.
    let here = Ipv4Addr::LOCALHOST;
    let mut held = Vec::new();
    for _ in 0..3 {
        assert!(!scene.log_in(here, "peeters.nobody", &[wrong_key()]).await);
        let mut stream = scene.forwarded(here, b"GET / HTTP/1.1\r\n\r\n").await;
        hung_up(&mut stream).await;
        held.push(scene.dial(here).await);
    }

    scene.serves_the_honest().await;
}

#[tokio::test]
async fn behind_a_forwarder_every_client_has_its_own_address() {
    let lines = "proxies = ['127.0.0.9']\nnetwork_startups_max = 1";
    let scene = Scene::start(lines).await;
    let forwarder = Ipv4Addr::new(127, 0, 0, 9);
    let v1 = b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 22\r\n";
    let v2 =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xcb\0\x71\x08\xc6\x33\x64\x01\x12\x67\0\x16\x04\0\0";

    for header in [&v1[..], v2] {
        let stream = scene.forwarded(forwarder, header).await;
        let mut ssh = client::connect_stream(Arc::default(), stream, Trusting)
            .await
            .unwrap();
        assert!(
            offer(
                &mut ssh,
                &scene.device.name,
                std::slice::from_ref(&scene.device.key)
            )
            .await
        );
    }
    let addresses = scene.addresses().await;
    assert_eq!(addresses[..2], ["203.0.113.8:4711", "203.0.113.7:4711"]);

    // One that is silent fills its own network, and no other; a fault is its own.
    let mut silent = scene
        .forwarded(forwarder, b"PROXY TCP4 203.0.113.9 127.0.0.1 1 22\r\n")
        .await;
    assert!(greeting(&mut silent).await.starts_with("SSH-2.0-Sluis"));
    let mut second = scene
        .forwarded(forwarder, b"PROXY TCP4 203.0.113.9 127.0.0.1 2 22\r\n")
        .await;
    assert_eq!(greeting(&mut second).await, "Not allowed at this time\r\n");
    let forged = b"PROXY TCP6 2001:db8:7:8::1 ::1 1 22\r\nPROXY TCP4 127.0.0.1 127.0.0.1 1 22\r\n";
    hung_up(&mut scene.forwarded(forwarder, forged).await).await;
    let expected = ["2001:db8:7:8::/64 barred protocol"];
    until(async || scene.written().await == expected).await;
    scene.serves_the_honest().await;
}

#[tokio::test]
async fn a_forwarder_must_say_for_whom_it_speaks_and_is_never_barred_itself() {
    let mut scene = Scene::start("proxies = ['127.0.0.9']\ngrace_seconds = 10").await;
    let forwarder = Ipv4Addr::new(127, 0, 0, 9);
    let long = [b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat();
    let mut streams = Vec::new();
    for malformed in [
        &b"SSH-2.0-OpenSSH_9.9\r\n"[..],
        b"PROXY TCP4 office 127.0.0.1 1 22\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        &long,
        b"PROXY TCP4 203.0.113.7", // and then nothing, for the whole grace time
        b"",
    ] {
        let stream = scene.forwarded(forwarder, malformed).await;
        streams.push((stream, String::from_utf8_lossy(malformed).into_owned()));
    }
    for (stream, told) in &mut streams {
        assert_eq!(greeting(stream).await, "", "{told}");
    }

    // It asks for itself whether somebody is here, and is answered.
    for check in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut stream = scene.forwarded(forwarder, check).await;
        assert!(greeting(&mut stream).await.starts_with("SSH-2.0-Sluis"));
    }
    scene.serves_the_honest().await;
    scene.gateway.drain().await;
    assert_eq!(scene.written().await, Vec::<String>::new());
}

#[tokio::test]
async fn whoever_has_no_algorithm_in_common_is_named_with_what_would_help() {
    let mut program = Program::init();
    program.serve();
    let old = Preferred {
        kex: Cow::Borrowed(&[kex::DH_G14_SHA256]),
        ..Preferred::DEFAULT
    };
    let config = Arc::new(client::Config {
        client_id: SshId::Standard("SSH-2.0-Old_Scanner_1".into()),
        preferred: old,
        ..Default::default()
    });

    for _ in 0..25 {
        let address = program.address.unwrap();
        let dialled = client::connect(Arc::clone(&config), address, Trusting).await;
        assert!(dialled.is_err());
    }

    let told = "knows no key exchange that is offered here: `SSH-2.0-Old_Scanner_1` has `diffie-hellman-group14-sha256`. If it is a device of yours: `algorithms = \"legacy\"` under `[sftp]` would have one";
    wait_until(|| program.log_count(told) == 20);
    assert_eq!(program.terminate(), Some(0));
    assert_eq!(
        program.log_count(told),
        20,
        "a scanner must not fill the log"
    );
}

#[test]
fn an_operator_sees_who_is_barred_and_why_and_lifts_it() {
    use std::io::{Read as _, Write as _};
    let mut program = Program::init();
    let file = program.path("sluis/sluis.toml");
    let text = std::fs::read_to_string(&file).unwrap() + "\n[guard]\nexempt = []\n";
    std::fs::write(&file, text).unwrap();
    program.serve();
    let greeted = || {
        let mut stream = std::net::TcpStream::connect(program.address.unwrap()).unwrap();
        let mut line = [0; 13];
        drop(stream.read_exact(&mut line));
        line == *b"SSH-2.0-Sluis"
    };
    assert_eq!(
        program.json(&["penalties"]),
        Vec::<serde_json::Value>::new()
    );

    let mut browser = std::net::TcpStream::connect(program.address.unwrap()).unwrap();
    browser.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    drop(browser.read_to_end(&mut Vec::new()));
    // First the bar: who looks before it, and is gone, costs something too, and would be the last.
    wait_until(|| program.log_says("Barred 127.0.0.1/32 until "));
    assert!(!greeted());
    wait_until(|| program.log_says("`sluis penalties lift 127.0.0.1/32` lifts it"));
    wait_until(|| !program.json(&["penalties"]).is_empty());
    let told = program.json(&["penalties"]).remove(0);
    assert_eq!(
        (&told["network"], &told["standing"], &told["last"]),
        (&"127.0.0.1/32".into(), &"barred".into(), &"protocol".into())
    );
    assert!(
        program
            .ok(&["penalties"])
            .contains("it did not speak SSH as it should")
    );

    assert_eq!(
        program.ok(&["penalties", "lift", "127.0.0.1"]),
        "lifted 127.0.0.1/32\n"
    );
    wait_until(greeted);
    assert!(
        !program
            .run(&["penalties", "lift", "office"])
            .status
            .success()
    );
}
