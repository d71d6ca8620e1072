//! Who comes in, with what and from where, and who must go?

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm as Argon2Algorithm, Argon2, Params, Version};
use russh::client::{AuthResult, Handle};
use russh::keys::ssh_key::Mpint;
use russh::keys::ssh_key::private::RsaKeypair;
use russh::keys::ssh_key::public::{DsaPublicKey, KeyData};
use russh::keys::{Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use russh::{MethodKind, MethodSet, client};
use sluis::catalog::{Catalog, Device, DeviceKey};
use sluis::login::{Answer, Knock, Logins, NotBegun, hash_password};
use sluis::model::{DeviceKind, EventSeq, Means, Networks, SessionId, Timestamp};
use sluis::sftp::limits::STANDING_ROUND;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::gateway::{Gateway, Login, Office, PATIENCE, invoice, until};
use crate::guarding::strangers::would_do;
use crate::hostile::ssh::Ssh;
use crate::peer::{Peer, Trusting, dial, log_in};
use crate::program::Program;
use crate::uploading::{CREATE, open, size, write};

/// What the end of a session that may not go on takes at most on a machine that is busy with other tests.
const AT_ONCE: Duration = Duration::from_secs(60);

/// On one that is not it ends within a second, as the manual says.
const _: () = assert!(STANDING_ROUND.as_secs() < 1);

/// Loopback has many addresses; devices of tests have 127.0.0.1.
const OFFICE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 7);
const FORWARDER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

const PASSWORD: &str = "Zeer-Geheim-1";

/// A gateway with a device, changed by another process as the command line does it.
struct Scene {
    gateway: Gateway,
    office: Office,
    login: Login,
    outside: Catalog,
}

impl Scene {
    async fn start(kind: DeviceKind) -> Self {
        Self::start_with(kind, "").await
    }

    async fn start_with(kind: DeviceKind, lines: &str) -> Self {
        let gateway = Gateway::start_with(lines).await;
        let office = gateway.office("peeters").await;
        let login = gateway.device(&office, "server", kind).await;
        if kind != DeviceKind::Source {
            gateway.link(&office, "ACME", &login).await;
        }
        let outside = Catalog::open(&gateway.catalog_file()).await.unwrap();
        Self {
            gateway,
            office,
            login,
            outside,
        }
    }

    async fn device(&self) -> Device {
        let device = self.outside.device(self.office.firm, "server").await;
        device.unwrap()
    }

    fn now(&self) -> Timestamp {
        self.gateway.now()
    }

    async fn set_login(&self, means: Means, networks: &str) {
        let networks: Networks = networks.parse().unwrap();
        let login = (Some(means), Some(&networks));
        let device = self.device().await;
        let changed = self.outside.set_login(&device, login, self.now());
        changed.await.unwrap();
    }

    async fn set_password(&self, hash: &str) {
        let device = self.device().await;
        let changed = self.outside.set_password(&device, Some(hash), self.now());
        changed.await.unwrap();
    }

    /// Gives the device one more key, and returns who logs in with it.
    async fn one_more_key(&self) -> Login {
        let key = key();
        let known = known(&key);
        let device = self.device().await;
        let added = self.outside.add_device_key(&device, &known, self.now());
        added.await.unwrap();
        Login {
            key,
            ..self.login.clone()
        }
    }

    async fn logs_in(&self, login: &Login) -> bool {
        let config = client::Config::default();
        log_in(self.gateway.address, login, config).await.is_ok()
    }

    /// Connects from there, and has not logged in.
    async fn at_the_door(&self, from: Ipv4Addr) -> Handle<Trusting> {
        let stream = stream(from, self.gateway.address).await;
        let ssh = client::connect_stream(Arc::default(), stream, Trusting);
        ssh.await.unwrap()
    }

    /// What administrators have done, as the events have it.
    async fn acts(&self) -> Vec<String> {
        let rows = self.outside.events(self.office.firm, EventSeq(0), 1000);
        let acts = rows.await.unwrap().into_iter();
        let acts = acts.filter(|row| row.event.device == Some(self.login.id));
        acts.map(|row| format!("{} {}", row.event.kind.as_str(), row.event.detail))
            .collect()
    }
}

fn key() -> PrivateKey {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap()
}

fn fingerprint(key: &PrivateKey) -> String {
    key.public_key().fingerprint(HashAlg::Sha256).to_string()
}

fn known(key: &PrivateKey) -> DeviceKey {
    DeviceKey {
        fingerprint: fingerprint(key),
        public_key: key.public_key().to_openssh().unwrap(),
        comment: String::new(),
        expires_at: None,
    }
}

async fn stream(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

async fn by_key(ssh: &mut Handle<Trusting>, login: &Login) -> AuthResult {
    let hash = ssh.best_supported_rsa_hash().await.unwrap().flatten();
    let key = PrivateKeyWithHashAlg::new(Arc::new(login.key.clone()), hash);
    ssh.authenticate_publickey(&login.name, key).await.unwrap()
}

async fn by_password(ssh: &mut Handle<Trusting>, login: &Login, password: &str) -> AuthResult {
    let answer = ssh.authenticate_password(&login.name, password).await;
    answer.unwrap()
}

/// An answer that is no: whether the half of it was right, and what may follow.
fn no(partial_success: bool, methods: &[MethodKind]) -> AuthResult {
    AuthResult::Failure {
        remaining_methods: MethodSet::from(methods),
        partial_success,
    }
}

const REFUSED: &[MethodKind] = &[MethodKind::PublicKey, MethodKind::Password];

/// Waits until the server has ended a connection, which is "at once" for whoever took something away.
async fn ends(ssh: Handle<Trusting>) {
    drop(tokio::time::timeout(AT_ONCE, ssh).await.unwrap());
}

#[tokio::test]
async fn a_device_that_is_disabled_is_sent_away_in_the_middle_and_nothing_of_it_counts() {
    let scene = Scene::start(DeviceKind::Pull).await;
    let (gateway, office) = (&scene.gateway, &scene.office);
    gateway.receive(office, invoice("F-1", 70_000)).await;
    let other = gateway.device(office, "other", DeviceKind::Pull).await;
    let (peer, other) = (
        gateway.connect(&scene.login).await,
        gateway.connect(&other).await,
    );
    let folder = "/expertm/ACME/Te Verwerken/Aankopen";
    let file = format!("{folder}/{}", peer.list(folder).await.unwrap()[0]);
    let handle = peer.open(&file).await.unwrap();
    assert_eq!(peer.read(&handle, 0, u64::MAX).await.unwrap().len(), 70_000);

    let (device, now) = (scene.device().await, scene.now());
    let disabled = scene.outside.disable_device(&device, "lost", now);
    disabled.await.unwrap();

    ends(peer.ssh).await;
    assert!(!scene.logs_in(&scene.login).await);
    // Read to its end, and not closed: it waits for when the device is back.
    let offered = gateway.deliveries(office).await;
    assert!(offered[0].ends_with(" offered"), "{offered:?}");
    assert_eq!(other.list("/").await.unwrap().len(), 0, "who is served on");
    let enabled = scene.outside.enable_device(&device, now);
    enabled.await.unwrap();
    let again = gateway.connect(&scene.login).await;
    assert_eq!(again.get(&file).await.unwrap().len(), 70_000);
    again.leave().await;
    let acts = scene.acts().await;
    assert!(acts.contains(&"device_disabled `server`: lost".to_owned()));
    assert!(acts.contains(&"device_enabled `server`".to_owned()));
}

#[tokio::test]
async fn a_device_that_is_disabled_between_its_key_and_its_session_gets_none() {
    let scene = Scene::start(DeviceKind::Pull).await;
    let logins = Logins::new(scene.outside.clone());
    let knock = Knock {
        login: &scene.login.name,
        address: (OFFICE, 4711).into(),
        at: scene.now(),
    };
    let key = scene.login.key.public_key();
    let Answer::Proven(proven) = logins.by_key(knock, key).await.unwrap() else {
        panic!("its key is right");
    };
    let device = scene.device().await;
    let disabling = scene.outside.disable_device(&device, "stolen", scene.now());
    disabling.await.unwrap();

    let begun = logins.begin(*proven, "x", scene.now()).await;

    let Err(NotBegun::Refused(why)) = begun else {
        panic!("{begun:?}");
    };
    assert_eq!(why.to_string(), "it is disabled: stolen");
    let addresses = scene.outside.last_addresses(10, Timestamp(0)).await;
    assert_eq!(addresses.unwrap(), [], "no session was written down");
}

#[tokio::test]
async fn an_upload_of_a_device_that_is_disabled_stays_unfinished() {
    let scene = Scene::start(DeviceKind::Source).await;
    let (gateway, bytes) = (&scene.gateway, invoice("F-1", 20_000));
    let peer = gateway.connect(&scene.login).await;
    let handle = open(&peer, "/in/F-1.xml", CREATE).await.unwrap();
    write(&peer, &handle, 0, &bytes[..10_000]).await.unwrap();

    let (device, now) = (scene.device().await, scene.now());
    let disabled = scene.outside.disable_device(&device, "lost", now);
    disabled.await.unwrap();
    ends(peer.ssh).await;

    assert_eq!(gateway.events(&scene.office).await, Vec::<String>::new());
    let enabled = scene.outside.enable_device(&device, now);
    enabled.await.unwrap();
    let again = gateway.connect(&scene.login).await;
    until(async || size(&again, "/in/F-1.xml").await == Ok(10_000)).await;
    assert_eq!(gateway.events(&scene.office).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_key_that_is_taken_away_ends_what_it_opened_and_nothing_else() {
    let scene = Scene::start(DeviceKind::Pull).await;
    let second = scene.one_more_key().await;
    let first = scene.gateway.connect(&scene.login).await;
    let peer = scene.gateway.connect(&second).await;

    let (device, print) = (scene.device().await, fingerprint(&scene.login.key));
    let removed = scene
        .outside
        .remove_device_key(&device, &print, scene.now());
    removed.await.unwrap();

    ends(first.ssh).await;
    assert!(!scene.logs_in(&scene.login).await);
    assert_eq!(peer.list("/").await.unwrap().len(), 1);
    assert!(scene.logs_in(&second).await);
}

#[tokio::test]
async fn a_device_that_is_removed_is_gone_at_once() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let login = gateway.device(&office, "server", DeviceKind::Pull).await;
    let peer = gateway.connect(&login).await;

    let catalog = &gateway.house.catalog;
    let device = catalog.device(office.firm, "server").await.unwrap();
    let removed = catalog.remove_device(office.firm, &device, gateway.now());
    removed.await.unwrap();

    ends(peer.ssh).await;
}

#[tokio::test]
async fn a_device_whose_row_cannot_be_read_keeps_no_other_from_being_sent_away() {
    let mut scene = Scene::start(DeviceKind::Pull).await;
    let change = async |statement: &'static str| {
        use sqlx::Connection as _;
        let file = format!("sqlite://{}", scene.gateway.catalog_file().display());
        let mut outside = sqlx::SqliteConnection::connect(&file).await.unwrap();
        sqlx::query(statement).execute(&mut outside).await.unwrap();
        outside.close().await.unwrap();
    };
    // In which order devices are judged is nobody's to say; of so many, some come behind one that is unread.
    let (mut unread, mut elsewhere) = (Vec::new(), Vec::new());
    for at in 0..4 {
        for (kind, peers) in [("unread", &mut unread), ("elsewhere", &mut elsewhere)] {
            let name = format!("{kind}-{at}");
            let device = scene.gateway.device(&scene.office, &name, DeviceKind::Pull);
            peers.push(scene.gateway.connect(&device.await).await);
        }
    }

    change(
        "update device set access = access + 1,
             networks = case when name like 'unread-%' then 'no network' else '192.0.2.0/24' end
         where name like 'unread-%' or name like 'elsewhere-%'",
    )
    .await;

    for peer in elsewhere {
        ends(peer.ssh).await;
    }
    for peer in &unread {
        assert!(peer.list("/").await.is_ok(), "nobody knows better");
    }
    change("update device set networks = '192.0.2.0/24' where name like 'unread-%'").await;
    for peer in unread {
        ends(peer.ssh).await;
    }
    scene.gateway.tampered = true;
}

#[tokio::test]
async fn a_key_is_good_until_its_time_is_over_and_its_use_is_known() {
    let scene = Scene::start(DeviceKind::Pull).await;
    let (catalog, print) = (&scene.outside, fingerprint(&scene.login.key));
    let second = scene.one_more_key().await;
    let device = scene.device().await;
    let at = scene.now().plus_ms(3_600_000);
    let change = (print.as_str(), Some(at));
    let changed = catalog.set_key_expiry(&device, change, scene.now());
    changed.await.unwrap();
    let used = async || {
        let keys = catalog.device_keys(device.id).await.unwrap();
        let own = keys.iter().find(|kept| kept.key.fingerprint == print);
        own.unwrap().used_at
    };
    assert_eq!(used().await, None);

    let morning = scene.now();
    let peer = scene.gateway.connect(&scene.login).await;
    assert_eq!(used().await, Some(morning));
    scene.gateway.pass_ms(3_599_999);
    assert!(scene.logs_in(&scene.login).await);
    assert_eq!(used().await, Some(morning), "it is known to the hour");
    scene.gateway.pass_ms(1);

    ends(peer.ssh).await;
    assert!(!scene.logs_in(&scene.login).await);
    assert!(scene.logs_in(&second).await);
    // It is good again when it is given more time.
    let changed = catalog.set_key_expiry(&device, (&print, None), scene.now());
    changed.await.unwrap();
    let later = scene.now();
    assert!(scene.logs_in(&scene.login).await);
    assert_eq!(used().await, Some(later));
}

#[tokio::test]
async fn from_elsewhere_what_is_right_is_refused_as_what_is_wrong() {
    let scene = Scene::start(DeviceKind::Pull).await;
    scene.set_password(&hash_password(PASSWORD).unwrap()).await;
    let inside = scene.at_the_door(OFFICE).await;
    let mut inside = inside;
    assert_eq!(by_key(&mut inside, &scene.login).await, AuthResult::Success);
    let here = scene.gateway.connect(&scene.login).await;

    scene
        .set_login(Means::KeyOrPassword, "127.0.0.7,2001:db8::/32")
        .await;

    // Who is elsewhere must go; who is there may stay.
    ends(here.ssh).await;
    let channel = inside.channel_open_session().await;
    assert!(channel.is_ok());
    let wrong = Login {
        key: key(),
        ..scene.login.clone()
    };
    let mut ssh = scene.at_the_door(Ipv4Addr::LOCALHOST).await;
    let right = by_key(&mut ssh, &scene.login).await;
    assert_eq!(by_key(&mut ssh, &wrong).await, right);
    assert_eq!(right, no(false, REFUSED));
    let right = by_password(&mut ssh, &scene.login, PASSWORD).await;
    assert_eq!(by_password(&mut ssh, &scene.login, "wrong").await, right);
    assert_eq!(right, no(false, REFUSED));
    let mut ssh = scene.at_the_door(OFFICE).await;
    let answer = by_password(&mut ssh, &scene.login, PASSWORD).await;
    assert_eq!(answer, AuthResult::Success);
    scene.set_login(Means::KeyOrPassword, "anywhere").await;
    assert!(scene.logs_in(&scene.login).await);
}

#[tokio::test]
async fn behind_a_forwarder_the_clients_own_address_counts() {
    let lines = "[guard]\nproxies = ['127.0.0.9']";
    let scene = Scene::start_with(DeviceKind::Pull, lines).await;
    scene.set_login(Means::KeyOrPassword, "192.0.2.0/24").await;
    let log_in_for = async |client: &str| {
        let mut stream = stream(FORWARDER, scene.gateway.address).await;
        let header = format!("PROXY TCP4 {client} 127.0.0.1 4711 22\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        let ssh = client::connect_stream(Arc::default(), stream, Trusting);
        by_key(&mut ssh.await.unwrap(), &scene.login).await
    };

    assert_eq!(log_in_for("192.0.2.7").await, AuthResult::Success);
    assert_eq!(log_in_for("198.51.100.7").await, no(false, REFUSED));
}

#[tokio::test]
async fn where_both_are_asked_for_neither_opens_a_session_alone() {
    let lines = "[guard]\nexempt = []";
    let scene = Scene::start_with(DeviceKind::Pull, lines).await;
    scene.set_password(&hash_password(PASSWORD).unwrap()).await;
    let peer = scene.gateway.connect(&scene.login).await;
    scene.set_login(Means::KeyAndPassword, "anywhere").await;
    ends(peer.ssh).await; // it came with one of two
    let (half, wrong) = (
        no(true, &[MethodKind::Password]),
        no(false, &[MethodKind::Password]),
    );
    let other = scene
        .gateway
        .device(&scene.office, "other", DeviceKind::Pull);
    let other = other.await;

    // The key, and then the password.
    let mut ssh = scene.at_the_door(OFFICE).await;
    assert_eq!(by_key(&mut ssh, &scene.login).await, half);
    assert!(ssh.channel_open_session().await.is_err());
    let mut ssh = scene.at_the_door(OFFICE).await;
    assert_eq!(by_key(&mut ssh, &scene.login).await, half);
    assert_eq!(by_password(&mut ssh, &scene.login, "wrong").await, wrong);
    let answer = by_password(&mut ssh, &scene.login, PASSWORD).await;
    assert_eq!(answer, AuthResult::Success);
    assert!(ssh.channel_open_session().await.is_ok());
    // The password alone, or first, is as wrong as any.
    let mut ssh = scene.at_the_door(OFFICE).await;
    let answer = by_password(&mut ssh, &scene.login, PASSWORD).await;
    assert_eq!(answer, no(false, REFUSED));
    // The half of one device is not the half of another.
    let with_password = scene.outside.device(scene.office.firm, "other").await;
    let hash = hash_password(PASSWORD).unwrap();
    let (outside, now) = (&scene.outside, scene.now());
    let with_password = with_password.unwrap();
    outside
        .set_password(&with_password, Some(&hash), now)
        .await
        .unwrap();
    let everywhere = Networks::default();
    let both = (Some(Means::KeyAndPassword), Some(&everywhere));
    outside.set_login(&with_password, both, now).await.unwrap();
    // Whoever changes one thing leaves the other as somebody else has set it meanwhile.
    let from = (None, Some(&everywhere));
    let then = outside.set_login(&with_password, from, now).await.unwrap();
    assert_eq!(then.0, Means::KeyAndPassword);
    let mut ssh = scene.at_the_door(OFFICE).await;
    assert_eq!(by_key(&mut ssh, &scene.login).await, half);
    let answer = by_password(&mut ssh, &other, PASSWORD).await;
    assert!(!answer.success());
    drop(ssh);

    // A wrong second factor is a failure like any.
    let sessions = scene
        .outside
        .last_addresses(10, Timestamp(0))
        .await
        .unwrap();
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let mut ssh = scene.at_the_door(Ipv4Addr::new(127, 0, 0, 8)).await;
    assert_eq!(by_key(&mut ssh, &scene.login).await, half);
    assert_eq!(by_password(&mut ssh, &scene.login, "wrong").await, wrong);
    drop(ssh);
    let is_noted = async || {
        let written = scene.outside.penalties().await.unwrap();
        let mut written = written.iter();
        written.any(|(network, penalty)| {
            format!("{network} {}", penalty.fault.as_str()) == "127.0.0.8/32 refused"
        })
    };
    until(is_noted).await;
}

#[tokio::test]
async fn a_password_goes_under_a_stronger_hash_at_its_next_login() {
    let scene = Scene::start(DeviceKind::Pull).await;
    let params = Params::new(8192, 1, 1, None).unwrap();
    let weak = Argon2::new(Argon2Algorithm::Argon2id, Version::V0x13, params);
    let weak = weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    scene.set_password(&weak).await;
    let kept = async || {
        let found = scene.outside.credential("peeters", "server").await;
        found.unwrap().unwrap().password.unwrap().hash
    };

    let (mut ssh, _socket) = dial(scene.gateway.address, client::Config::default()).await;
    assert!(!by_password(&mut ssh, &scene.login, "wrong").await.success());
    assert_eq!(kept().await, weak);
    assert!(
        by_password(&mut ssh, &scene.login, PASSWORD)
            .await
            .success()
    );

    let strong = kept().await;
    assert!(strong.contains("m=19456,t=2,p=1"), "{strong}");
    let (mut again, _socket) = dial(scene.gateway.address, client::Config::default()).await;
    assert!(
        by_password(&mut again, &scene.login, PASSWORD)
            .await
            .success()
    );
    assert_eq!(kept().await, strong);
    assert!(
        ssh.channel_open_session().await.is_ok(),
        "it stays the same password"
    );
    // Another one is another.
    scene
        .set_password(&hash_password("Ander-Geheim-2").unwrap())
        .await;
    ends(ssh).await;
}

#[tokio::test]
async fn a_weak_key_is_refused_though_it_is_the_devices() {
    let scene = Scene::start(DeviceKind::Pull).await;
    let rsa = |bits| {
        let pair = RsaKeypair::random(&mut russh::keys::key::safe_rng(), bits).unwrap();
        PrivateKey::from(pair)
    };
    let (weak, sound) = (rsa(1024), rsa(2048));
    for key in [&weak, &sound] {
        let (device, known) = (scene.device().await, known(key));
        let added = scene.outside.add_device_key(&device, &known, scene.now());
        added.await.unwrap();
    }
    let with = |key: &PrivateKey| Login {
        key: key.clone(),
        ..scene.login.clone()
    };

    let (mut ssh, _socket) = dial(scene.gateway.address, client::Config::default()).await;
    assert_eq!(by_key(&mut ssh, &with(&weak)).await, no(false, REFUSED));
    // What is signed with SHA-1 can be forged, whatever the key.
    let by_sha1 = PrivateKeyWithHashAlg::new(Arc::new(sound.clone()), None);
    let told = ssh.authenticate_publickey(&scene.login.name, by_sha1).await;
    assert_eq!(told.unwrap(), no(false, REFUSED));

    assert!(by_key(&mut ssh, &with(&sound)).await.success());
}

#[tokio::test]
async fn a_dsa_key_would_not_do_though_it_is_the_devices() {
    // RFC 4252 §5.1 and §7.
    const FAILURE: u8 = 51;
    const WOULD_DO: u8 = 60;
    let scene = Scene::start(DeviceKind::Pull).await;
    let number = || Mpint::from_positive_bytes(&[0x7f; 128]);
    let dsa = DsaPublicKey::new(number(), number(), number(), number()).unwrap();
    let dsa = PublicKey::from(KeyData::Dsa(dsa));
    let added = DeviceKey {
        fingerprint: dsa.fingerprint(HashAlg::Sha256).to_string(),
        public_key: dsa.to_openssh().unwrap(),
        comment: String::new(),
        expires_at: None,
    };
    let device = scene.device().await;
    let added = scene
        .outside
        .add_device_key(&device, &added, scene.now())
        .await;
    added.unwrap();
    let (address, login) = (scene.gateway.address, scene.login.clone());

    // No client makes one any more, so it is offered packet by packet.
    let asking = tokio::task::spawn_blocking(move || {
        let mut told = Vec::new();
        for (kind, key) in [("ssh-dss", &dsa), ("ssh-ed25519", login.key.public_key())] {
            let mut ssh = Ssh::dial(address);
            ssh.settle_login().unwrap();
            let blob = key.to_bytes().unwrap();
            ssh.send(&would_do(&login.name, kind, &blob)).unwrap();
            told.push(ssh.receive().map(|packet| packet[0]).ok());
        }
        told
    });
    assert_eq!(asking.await.unwrap(), [Some(FAILURE), Some(WOULD_DO)]);
}

#[tokio::test]
async fn one_session_more_than_a_device_may_have_is_turned_away_and_none_is_ended_for_it() {
    let lines = "[sftp]\nsessions_per_device = 2\n[guard]\nexempt = []";
    let mut scene = Scene::start_with(DeviceKind::Pull, lines).await;
    let other = scene
        .gateway
        .device(&scene.office, "other", DeviceKind::Pull);
    let other = other.await;
    let one = scene.gateway.connect(&scene.login).await;
    let two = scene.gateway.connect(&scene.login).await;

    assert!(
        Peer::try_connect(scene.gateway.address, &scene.login)
            .await
            .is_none()
    );

    assert_eq!(one.list("/").await.unwrap().len(), 1);
    assert_eq!(two.list("/").await.unwrap().len(), 1);
    assert!(scene.logs_in(&other).await);
    one.leave().await;
    let again = async {
        while Peer::try_connect(scene.gateway.address, &scene.login)
            .await
            .is_none()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    scene.gateway.drain().await;
    assert_eq!(scene.outside.penalties().await.unwrap(), []);
}

/// Carries bytes between a client and the server, and does not hang up when the client does.
async fn keeps_its_end_open(mut to: TcpStream, client: tokio::io::DuplexStream) -> TcpStream {
    let (mut from_server, mut to_server) = to.split();
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let sending = tokio::io::copy(&mut from_client, &mut to_server);
    let hearing = async {
        drop(tokio::io::copy(&mut from_server, &mut to_client).await);
        drop(tokio::io::copy(&mut from_server, &mut tokio::io::sink()).await);
    };
    drop(tokio::join!(sending, hearing));
    to
}

#[tokio::test]
async fn a_session_too_many_is_told_so_and_keeps_no_place_at_the_door() {
    let guard = "exempt = []\nnetwork_startups_max = 1\ngrace_seconds = 3600";
    let lines = format!("[sftp]\nsessions_per_device = 1\n[guard]\n{guard}");
    let mut scene = Scene::start_with(DeviceKind::Pull, &lines).await;
    let _one = scene.gateway.connect(&scene.login).await;
    let server = stream(OFFICE, scene.gateway.address).await;
    let (near, far) = tokio::io::duplex(64 * 1024);
    let carrying = tokio::spawn(keeps_its_end_open(server, far));
    let mut ssh = client::connect_stream(Arc::default(), near, Trusting)
        .await
        .unwrap();

    // Its key is right, so it hears that it is; then that there is no room. It does not hang up.
    drop(
        ssh.authenticate_publickey(
            &scene.login.name,
            PrivateKeyWithHashAlg::new(Arc::new(scene.login.key.clone()), None),
        )
        .await,
    );

    // The server has nothing more to say, and its peer has not hung up.
    let held = tokio::time::timeout(PATIENCE, carrying).await;
    let held = held.unwrap().unwrap();
    let again = async {
        loop {
            let mut next = stream(OFFICE, scene.gateway.address).await;
            let mut first = [0; 4];
            next.read_exact(&mut first).await.unwrap();
            if &first == b"SSH-" {
                return next;
            }
        }
    };
    let freed = tokio::time::timeout(PATIENCE, again).await;
    let _next = freed.expect("its place is somebody else's");
    drop((held, ssh));
    scene.gateway.drain().await;
    assert_eq!(scene.outside.penalties().await.unwrap(), []);
}

#[tokio::test]
async fn a_session_that_asks_for_nothing_ends_and_a_peer_that_is_dead_is_found() {
    let lines = "[sftp]\nidle_seconds = 5";
    let idle = Scene::start_with(DeviceKind::Pull, lines).await;
    let peer = idle.gateway.connect(&idle.login).await;
    ends(peer.ssh).await;

    let lines = "[sftp]\nkeepalive_seconds = 3";
    let scene = Scene::start_with(DeviceKind::Pull, lines).await;
    let living = scene.gateway.connect(&scene.login).await;
    let lasting = async || {
        let mut count = 0;
        for id in [1, 2].map(SessionId) {
            let row = scene.outside.session(scene.office.firm, id).await.unwrap();
            count += usize::from(row.unwrap().ended_at.is_none());
        }
        count
    };
    let (address, login) = (scene.gateway.address, scene.login.clone());
    // Its connection stays, and nobody is there to answer.
    let dead = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let peer = runtime.block_on(Peer::connect(address, &login));
        (runtime, peer)
    });
    let (runtime, _peer) = dead.await.unwrap();
    assert_eq!(lasting().await, 2);

    until(async || lasting().await != 2).await;

    assert_eq!(living.list("/").await.unwrap().len(), 1, "it answers");
    runtime.shutdown_background();
}

#[test]
fn a_key_is_called_what_whoever_added_it_says() {
    let program = Program::init();
    program.device_of("server", "pull");
    let second = program.device_of("second", "pull");
    let public = program.path("second.pub");
    let key = ["device", "key", "add", "kantoor", "server", "--key"];
    let comment = [public.to_str().unwrap(), "--comment", "Kevin's laptop"];
    program.ok(&[&key[..], &comment].concat());
    let keys = program.json(&["device", "key", "list", "kantoor", "server"]);
    let added = fingerprint(&second.login.key);
    let added = keys.iter().find(|key| key["fingerprint"] == added.as_str());
    assert_eq!(added.unwrap()["comment"], "Kevin's laptop");
}

#[test]
fn an_operator_decides_how_a_device_logs_in() {
    let program = Program::init();
    let device = program.device("server", "pull", "ACME");
    let print = fingerprint(&device.login.key);
    let refused = |arguments: &[&str]| {
        let output = program.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let set = ["device", "set", "kantoor", "server"];
    let with = |more: &[&'static str]| [&set[..], more].concat();

    let keys = program.json(&["device", "key", "list", "kantoor", "server"]);
    assert_eq!(keys[0]["fingerprint"], print.as_str());
    assert_eq!(keys[0]["expires_at"], serde_json::Value::Null);
    program.ok(&["status", "--check"]);
    let expires = ["device", "key", "set", "kantoor", "server", &print];
    program.ok(&[&expires[..], &["--expires", "20d"]].concat());
    let status = program.run(&["status", "--check"]);
    assert_eq!(status.status.code(), Some(1));
    let told = String::from_utf8(status.stdout).unwrap();
    assert!(told.contains("EXPIRES: key SHA256:"), "{told}");
    program.ok(&[&expires[..], &["--expires", "forever"]].concat());
    program.ok(&["status", "--check"]);

    let told = refused(&with(&["--login", "key-and-password"]));
    assert!(told.contains("could never log in"), "{told}");
    assert!(refused(&set).contains("--from"));
    assert!(refused(&with(&["--from", "192.0.2.0/33"])).contains("no range of addresses"));
    let made = program.ok(&with(&[
        "--login",
        "key-and-password",
        "--password",
        "--from",
        "192.0.2.0/24",
    ]));
    assert!(made.contains("password  "), "{made}");
    assert!(refused(&with(&["--no-password"])).contains("could never log in"));
    let shown = &program.json(&["device", "show", "kantoor", "server"])[0];
    assert_eq!(shown["login_by"], "key-and-password");
    assert_eq!(shown["from"], "192.0.2.0/24");
    program.ok(&[
        "device",
        "disable",
        "kantoor",
        "server",
        "--reason",
        "stolen\nlaptop",
    ]);
    let again = ["device", "disable", "kantoor", "server", "--reason", "x"];
    assert!(refused(&again).contains("disabled already"));
    let shown = &program.json(&["device", "show", "kantoor", "server"])[0];
    assert_eq!(shown["disabled"]["why"], "stolen laptop");
    let status = || program.json(&["status", "kantoor"])[0]["devices"][0].clone();
    assert_eq!(status()["disabled"], shown["disabled"]);
    let told = program.ok(&["status", "kantoor"]);
    assert!(
        told.contains("DISABLED for less than a minute: stolen laptop; "),
        "{told}"
    );
    program.ok(&["device", "enable", "kantoor", "server"]);
    assert_eq!(status()["disabled"], serde_json::Value::Null);
    assert!(!program.ok(&["status", "kantoor"]).contains("DISABLED"));
    program.ok(&["events", "verify", "kantoor"]);
    #[rustfmt::skip]
    let acts = [
        ("key_changed", 2), ("password_changed", 1), ("login_changed", 1), ("device_disabled", 1), ("device_enabled", 1),
    ];
    for (kind, count) in acts {
        assert_eq!(program.events(kind), count, "{kind}");
    }
}

#[test]
fn a_listing_of_devices_says_from_where_each_logs_in() {
    let program = Program::init();
    program.device_of("server", "pull");
    program.device_of("laptop", "pull");
    let set = [
        "device",
        "set",
        "kantoor",
        "server",
        "--from",
        "192.0.2.0/24",
    ];
    program.ok(&set);

    let listed = program.ok(&["device", "list", "kantoor"]);

    let line = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("server").contains("  192.0.2.0/24  "), "{listed}");
    assert!(line("laptop").contains("  anywhere  "), "{listed}");
}
