//! What does a client get for what it sends, good or bad?

use russh::ChannelMsg;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use sluis::model::DeviceKind;

use crate::gateway::{Gateway, Login, Office, invoice};
use crate::peer::{code, log_in, session_over};
use crate::raw::{packet, raw, text, until_the_end};

pub const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";

pub async fn office() -> (Gateway, Office, Login) {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    (gateway, office, device)
}

#[tokio::test]
async fn init_of_any_version_is_answered_with_three_and_the_end_has_a_status() {
    for version in [0_u32, 3, 6, 0xFFFF_FFFF] {
        let (gateway, _, device) = office().await;
        let (_ssh, mut channel) = raw(&gateway, &device).await;

        channel
            .data(&packet(1, &version.to_be_bytes())[..])
            .await
            .unwrap();
        channel.eof().await.unwrap();
        let (answer, status) = until_the_end(&mut channel).await;

        assert_eq!(
            (answer[4], &answer[5..9]),
            (2, &3_u32.to_be_bytes()[..]),
            "version {version}"
        );
        assert_eq!(status, Some(0));
    }
}

#[tokio::test]
async fn a_request_before_init_ends_the_session() {
    let (gateway, _, device) = office().await;
    let (_ssh, mut channel) = raw(&gateway, &device).await;

    channel
        .data(&packet(17, &[&7_u32.to_be_bytes()[..], &text("/")].concat())[..])
        .await
        .unwrap();

    let (answer, status) = until_the_end(&mut channel).await;
    assert_eq!((answer, status), (vec![], Some(1)));
}

#[tokio::test]
async fn an_oversized_packet_ends_the_session_and_nothing_in_it_is_served() {
    let (gateway, _, device) = office().await;
    let (_ssh, mut channel) = raw(&gateway, &device).await;
    let mut smuggled = packet(1, &3_u32.to_be_bytes());
    smuggled.extend(1_048_576_u32.to_be_bytes());
    smuggled.extend(packet(17, &[&7_u32.to_be_bytes()[..], &text("/")].concat()));

    channel.data(&smuggled[..]).await.unwrap();

    let (answer, status) = until_the_end(&mut channel).await;
    let version = 4 + usize::try_from(u32::from_be_bytes(answer[..4].try_into().unwrap())).unwrap();
    assert_eq!(
        (answer.len(), status),
        (version, Some(1)),
        "the version, and nothing after it"
    );
}

#[tokio::test]
async fn an_undecodable_request_is_refused_under_its_own_id() {
    let (gateway, _, device) = office().await;
    let (_ssh, mut channel) = raw(&gateway, &device).await;
    let mut sent = packet(1, &3_u32.to_be_bytes());
    sent.extend(packet(3, &[&41_u32.to_be_bytes()[..], &[0xFF; 4]].concat())); // OPEN with a torn name
    sent.extend(packet(99, &42_u32.to_be_bytes())); // no such type
    sent.extend(packet(
        200,
        &[&43_u32.to_be_bytes()[..], &text("no-such@example.org")].concat(),
    ));

    channel.data(&sent[..]).await.unwrap();
    channel.eof().await.unwrap();
    let (answer, _) = until_the_end(&mut channel).await;

    let mut rest = &answer[..];
    let mut statuses = Vec::new();
    while rest.len() > 4 {
        let length = usize::try_from(u32::from_be_bytes(rest[..4].try_into().unwrap())).unwrap();
        let body = &rest[4..4 + length];
        if body[0] == 101 {
            statuses.push((body[1..5].to_vec(), body[8]));
        }
        rest = &rest[4 + length..];
    }
    let id = |id: u32| id.to_be_bytes().to_vec();
    assert_eq!(statuses, [(id(41), 5), (id(42), 8), (id(43), 8)]);
}

#[tokio::test]
async fn no_shell_and_no_forwarding() {
    let (gateway, _, device) = office().await;
    let (ssh, _) = log_in(gateway.address, &device, Default::default())
        .await
        .unwrap();

    for ask in ["shell", "subsystem", "pty", "env", "agent", "x11"] {
        let mut channel = ssh.channel_open_session().await.unwrap();
        match ask {
            "shell" => channel.request_shell(true).await.unwrap(),
            "subsystem" => channel.request_subsystem(true, "shell").await.unwrap(),
            "pty" => channel
                .request_pty(true, "xterm", 80, 24, 0, 0, &[])
                .await
                .unwrap(),
            "env" => channel.set_env(true, "LANG", "nl").await.unwrap(),
            "agent" => channel.agent_forward(true).await.unwrap(),
            _ => channel
                .request_x11(true, false, "MIT-MAGIC-COOKIE-1", "00", 0)
                .await
                .unwrap(),
        }
        let answer = loop {
            match channel.wait().await {
                Some(ChannelMsg::WindowAdjusted { .. }) => {}
                other => break other,
            }
        };
        assert!(
            matches!(answer, Some(ChannelMsg::Failure)),
            "{ask}: {answer:?}"
        );
        channel.close().await.unwrap();
    }
    assert!(
        ssh.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1)
            .await
            .is_err()
    );
    assert!(ssh.tcpip_forward("127.0.0.1", 0).await.is_err());
}

#[tokio::test]
async fn a_wrong_key_a_wrong_name_and_an_empty_password_are_refused() {
    let (gateway, office, device) = office().await;
    let stranger = gateway.device(&office, "other", DeviceKind::Pull).await;

    for name in [
        "peeters.server",
        "peeters",
        "peeters.",
        ".server",
        "",
        "peeters.server.x",
        "root",
        "PEETERS.server",
    ] {
        let guess = Login {
            name: name.to_owned(),
            ..stranger.clone()
        };
        assert!(
            log_in(gateway.address, &guess, Default::default())
                .await
                .is_err(),
            "{name:?}"
        );
        let (mut ssh, _) = crate::peer::dial(gateway.address, Default::default()).await;
        assert!(
            !ssh.authenticate_password(name, "").await.unwrap().success(),
            "{name:?}"
        );
        assert!(
            !ssh.authenticate_none(name).await.unwrap().success(),
            "{name:?}"
        );
    }
    assert!(
        log_in(gateway.address, &device, Default::default())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn keys_are_exchanged_anew_in_the_middle_of_transfers_in_both_directions() {
    let gateway = Gateway::start_with("[sftp]\nrekey_bytes = 300000\n").await;
    let (office, device) = gateway.office_with(DeviceKind::Mount).await;
    let bytes = invoice("F-1", 5_000_000);
    gateway.receive(&office, bytes.clone()).await;
    let peer = gateway.connect(&device).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");

    assert_eq!(peer.get(&path).await.unwrap(), bytes);
    peer.put("/expertm/ACME/Verwerkt/Aankopen/kopie.xml", &bytes)
        .await
        .unwrap();

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{path} processed")]
    );
}

/// Trusts any host key, and tells of each exchange of keys after the first.
struct Exchanges(tokio::sync::mpsc::UnboundedSender<()>);

impl russh::client::Handler for Exchanges {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(true)
    }

    async fn kex_done(
        &mut self,
        _shared_secret: Option<&[u8]>,
        _names: &russh::Names,
        _session: &mut russh::client::Session,
    ) -> Result<(), Self::Error> {
        self.0.send(()).map_err(|_| russh::Error::Disconnect)
    }
}

#[tokio::test]
async fn keys_are_exchanged_anew_after_so_many_bytes_and_the_server_begins() {
    let gateway = Gateway::start_with("[sftp]\nrekey_bytes = 65536\n").await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let bytes = invoice("F-1", 600_000);
    gateway.receive(&office, bytes.clone()).await;
    let (told, mut exchanges) = tokio::sync::mpsc::unbounded_channel();
    // This client would begin after a gigabyte.
    let config = std::sync::Arc::default();
    let connecting = russh::client::connect(config, gateway.address, Exchanges(told));
    let mut ssh = connecting.await.unwrap();
    let key = std::sync::Arc::new(device.key.clone());
    let key = russh::keys::PrivateKeyWithHashAlg::new(key, None);
    let answer = ssh.authenticate_publickey(&device.name, key).await;
    assert!(answer.unwrap().success());
    let channel = ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let sftp = session_over(channel.into_stream());
    sftp.init().await.unwrap();
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    let (flags, attributes) = (OpenFlags::READ, FileAttributes::empty());
    let handle = sftp.open(&path, flags, attributes).await.unwrap().handle;

    let mut got = Vec::new();
    while got.len() < bytes.len() {
        let part = sftp.read(&handle, got.len() as u64, 32_768).await.unwrap();
        got.extend_from_slice(&part.data);
    }

    assert_eq!(got, bytes);
    let mut count = 0;
    while exchanges.try_recv().is_ok() {
        count += 1;
    }
    assert!(count >= 4, "{count} exchanges for 600 kB");
}

#[tokio::test]
async fn keys_are_exchanged_anew_after_so_many_bytes_that_came_too() {
    let gateway = Gateway::start_with("[sftp]\nrekey_bytes = 65536\n").await;
    let (_, device) = gateway.office_with(DeviceKind::Mount).await;
    let (told, mut exchanges) = tokio::sync::mpsc::unbounded_channel();
    let config = std::sync::Arc::default();
    let connecting = russh::client::connect(config, gateway.address, Exchanges(told));
    let mut ssh = connecting.await.unwrap();
    let key = std::sync::Arc::new(device.key.clone());
    let key = russh::keys::PrivateKeyWithHashAlg::new(key, None);
    let answer = ssh.authenticate_publickey(&device.name, key).await;
    assert!(answer.unwrap().success());
    let channel = ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let sftp = session_over(channel.into_stream());
    sftp.init().await.unwrap();
    let path = "/expertm/ACME/Verwerkt/Aankopen/kopie.xml";
    let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let opened = sftp.open(path, flags, FileAttributes::empty()).await;
    let handle = opened.unwrap().handle;

    for at in 0..20 {
        let written = sftp.write(&handle, at * 32_768, vec![b'x'; 32_768]).await;
        written.unwrap();
    }

    let mut count = 0;
    while exchanges.try_recv().is_ok() {
        count += 1;
    }
    // What is answered to them is less than a tenth of what brings one exchange.
    assert!(count >= 4, "{count} exchanges for 600 kB");
}

#[tokio::test]
async fn keys_are_exchanged_anew_after_a_time_although_nothing_is_said() {
    let gateway = Gateway::start_with("[sftp]\nrekey_seconds = 2\n").await;
    let (_, device) = gateway.office_with(DeviceKind::Pull).await;
    let (told, mut exchanges) = tokio::sync::mpsc::unbounded_channel();
    let config = std::sync::Arc::default();
    let connecting = russh::client::connect(config, gateway.address, Exchanges(told));
    let mut ssh = connecting.await.unwrap();
    let key = std::sync::Arc::new(device.key.clone());
    let key = russh::keys::PrivateKeyWithHashAlg::new(key, None);
    assert!(
        ssh.authenticate_publickey(&device.name, key)
            .await
            .unwrap()
            .success()
    );

    for _ in 0..3 {
        let exchanged = tokio::time::timeout(std::time::Duration::from_secs(30), exchanges.recv());
        assert_eq!(exchanged.await.unwrap(), Some(()));
    }
}

#[tokio::test]
async fn whoever_asks_for_our_limits_is_listed_more_at_a_time() {
    let (gateway, office, device) = office().await;
    for at in 0..120 {
        let number = format!("F-{at:03}");
        gateway.receive(&office, invoice(&number, 1000)).await;
    }
    let peer = gateway.connect(&device).await;
    let pages = async || {
        let handle = peer.sftp.opendir(INBOX).await.unwrap().handle;
        let (mut sizes, mut names) = (Vec::new(), Vec::new());
        while let Ok(page) = peer.sftp.readdir(&handle).await {
            sizes.push(page.files.len());
            names.extend(page.files.into_iter().map(|file| file.filename));
        }
        (sizes, names)
    };

    let before = pages().await;
    peer.sftp.limits().await.unwrap();
    let after = pages().await;

    assert_eq!((before.0, after.0), (vec![100, 22], vec![122]));
    assert_eq!(before.1, after.1);
}

#[tokio::test]
async fn the_extensions_answer_as_openssh_does() {
    let (gateway, _, device) = office().await;
    let peer = gateway.connect(&device).await;

    let limits = peer.sftp.limits().await.unwrap();
    let room = peer.sftp.statvfs("/").await.unwrap();
    let folder = peer.sftp.opendir("/").await.unwrap().handle;

    assert_eq!(
        (
            limits.max_packet_len,
            limits.max_read_len,
            limits.max_write_len,
            limits.max_open_handles
        ),
        (262_144, 261_120, 261_120, 256)
    );
    assert!(room.blocks_avail > 0 && room.name_max == 255);
    assert!(peer.sftp.fsync(&folder).await.is_ok());
    let missing = peer.sftp.statvfs("/nothing").await.unwrap_err();
    assert_eq!(code(missing), StatusCode::NoSuchFile);
    assert_eq!(
        peer.sftp.realpath(".").await.unwrap().files[0].filename,
        "/"
    );
    assert_eq!(
        peer.sftp
            .realpath("EXPERTM/acme/../ACME")
            .await
            .unwrap()
            .files[0]
            .filename,
        "/expertm/ACME"
    );
}

#[tokio::test]
async fn one_handle_past_the_limit_is_refused() {
    use sluis::sftp::limits::{FOLDERS_MAX, HANDLES_MAX};
    let (gateway, office, device) = office().await;
    gateway.receive(&office, invoice("F-1", 1000)).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    let peer = gateway.connect(&device).await;
    let open = async || {
        let (flags, attributes) = (OpenFlags::READ, FileAttributes::empty());
        peer.sftp.open(&path, flags, attributes).await
    };

    for _ in 0..FOLDERS_MAX {
        peer.sftp.opendir("/").await.unwrap();
    }
    let folder = peer.sftp.opendir("/").await.unwrap_err();
    assert_eq!(code(folder), StatusCode::Failure);
    for _ in FOLDERS_MAX..HANDLES_MAX {
        open().await.unwrap();
    }

    assert_eq!(code(open().await.unwrap_err()), StatusCode::Failure);
}

#[tokio::test]
async fn one_channel_past_the_limit_is_refused_until_one_is_closed() {
    let (gateway, _, device) = office().await;
    let (ssh, _socket) = log_in(gateway.address, &device, Default::default())
        .await
        .unwrap();
    let mut open = Vec::new();
    for _ in 0..sluis::sftp::limits::CHANNELS_MAX {
        open.push(ssh.channel_open_session().await.unwrap());
    }

    assert!(ssh.channel_open_session().await.is_err());

    open.pop().unwrap().close().await.unwrap();
    assert!(ssh.channel_open_session().await.is_ok());
}

#[tokio::test]
async fn one_read_is_answered_with_no_more_than_its_limit() {
    use sluis::sftp::limits::IO_BYTES_MAX;
    let (gateway, office, device) = office().await;
    let most = usize::try_from(IO_BYTES_MAX).unwrap();
    gateway.receive(&office, invoice("F-1", most + 1)).await;
    let peer = gateway.connect(&device).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    let handle = peer.open(&path).await.unwrap();

    for length in [IO_BYTES_MAX, IO_BYTES_MAX + 1, u32::MAX] {
        let came = peer.sftp.read(&handle, 0, length).await.unwrap();
        assert_eq!(came.data.len(), most, "{length}");
    }
}

#[tokio::test]
async fn a_channel_without_a_subsystem_makes_nobody_wait() {
    let (gateway, _, device) = office().await;
    let (ssh, _socket) = log_in(gateway.address, &device, russh::client::Config::default())
        .await
        .unwrap();
    let silent = ssh.channel_open_session().await.unwrap();
    let block = vec![0; 1024 * 1024];
    for _ in 0..8 {
        silent.data(&block[..]).await.unwrap();
    }

    let mut channel = ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    channel
        .data(&packet(1, &3_u32.to_be_bytes())[..])
        .await
        .unwrap();
    channel.eof().await.unwrap();

    assert_eq!(until_the_end(&mut channel).await.1, Some(0));
}

#[tokio::test]
async fn a_password_may_be_mistyped_once() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let hash = sluis::login::hash_password("Zeer-Geheim-1").unwrap();
    let name = "pc".parse().unwrap();
    let new = sluis::catalog::NewDevice {
        name: &name,
        kind: DeviceKind::Pull,
        password_hash: Some(&hash),
        keys: &[],
        is_default: false,
    };
    gateway
        .house
        .catalog
        .add_device(office.firm, &new, gateway.now())
        .await
        .unwrap();
    let (mut ssh, _) = crate::peer::dial(gateway.address, russh::client::Config::default()).await;

    let wrong = ssh
        .authenticate_password("peeters.pc", "zeer-geheim-1")
        .await
        .unwrap();
    let right = ssh
        .authenticate_password("peeters.pc", "Zeer-Geheim-1")
        .await
        .unwrap();

    assert!(!wrong.success() && right.success());
}
