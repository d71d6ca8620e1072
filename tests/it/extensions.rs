//! What does a client get that asks for more than version 3?

use russh_sftp::client::error::Error;
use russh_sftp::protocol::{Packet, StatusCode};
use sluis::model::{DeviceKind, Digest, HashName};
use sluis::upload::UPLOAD_BYTES_MAX;

use crate::gateway::{Gateway, Login, Office, invoice};
use crate::peer::{Peer, code, log_in, session_over};
use crate::uploading::{CREATE, open, write};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";
const FILE: &str = "/expertm/ACME/Te Verwerken/Aankopen/20260314-00001_F-1_0451827384.xml";

async fn scene() -> (Gateway, Office, Login, Vec<u8>) {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let bytes = invoice("F-1", 300_000);
    gateway.receive(&office, bytes.clone()).await;
    (gateway, office, device, bytes)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

/// What is asked of a name or handle: these hashes, of this part, in these blocks.
fn hash_asked(of: &str, names: &str, start: u64, length: u64, block: u32) -> Vec<u8> {
    let (of, names) = (string(of.as_bytes()), string(names.as_bytes()));
    let part = [start.to_be_bytes(), length.to_be_bytes()].concat();
    [of, names, part, block.to_be_bytes().to_vec()].concat()
}

/// Asks, and returns what the extended reply holds.
async fn ask(peer: &Peer, request: &str, sent: Vec<u8>) -> Result<Vec<u8>, StatusCode> {
    match peer.sftp.extended(request, sent).await {
        Ok(Packet::ExtendedReply(reply)) => Ok(reply.data),
        Ok(Packet::Name(name)) => Ok(name.files[0].filename.clone().into_bytes()),
        Ok(Packet::Status(status)) => Err(status.status_code),
        Ok(other) => panic!("{other:?}"),
        Err(error @ Error::Status(_)) => Err(code(error)),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_is_answered_is_told() {
    let (gateway, _, device, _) = scene().await;
    let (ssh, _) = log_in(gateway.address, &device, Default::default())
        .await
        .unwrap();
    let channel = ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();

    let sftp = session_over(channel.into_stream());
    let told = sftp.init().await.unwrap().extensions;

    let mut told: Vec<_> = told
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "check-file md5,sha1,sha256",
            "check-file-handle 1",
            "check-file-name 1",
            "expand-path@openssh.com 1",
            "fstatvfs@openssh.com 2",
            "fsync@openssh.com 1",
            "home-directory 1",
            "limits@openssh.com 1",
            "lsetstat@openssh.com 1",
            "posix-rename@openssh.com 1",
            "statvfs@openssh.com 2",
            "users-groups-by-id@openssh.com 1",
        ]
    );
}

#[tokio::test]
async fn a_hash_is_answered_by_name_and_by_handle_and_nothing_is_read() {
    let (gateway, office, device, bytes) = scene().await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(FILE).await.unwrap();

    for (names, hash) in [
        ("sha256", HashName::Sha256),
        ("sha512,sha1,md5", HashName::Sha1),
        ("md5", HashName::Md5),
    ] {
        let draft = [
            string(hash.as_str().as_bytes()),
            hash.of(&bytes).as_bytes().to_vec(),
        ]
        .concat();
        let by_name = ask(&peer, "check-file-name", hash_asked(FILE, names, 0, 0, 0)).await;
        let by_handle = ask(
            &peer,
            "check-file-handle",
            hash_asked(&handle, names, 0, 0, 0),
        )
        .await;
        // paramiko's own name for it, and its own answer.
        let paramiko = ask(&peer, "check-file", hash_asked(&handle, names, 0, 0, 0)).await;
        assert_eq!(by_name.as_ref(), Ok(&draft), "{names}");
        assert_eq!(by_handle.as_ref(), Ok(&draft), "{names}");
        assert_eq!(paramiko, Ok([string(b"check-file"), draft].concat()));
    }
    peer.close(&handle).await.unwrap();
    peer.leave().await;

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{FILE} offered")]
    );
}

/// What is read is nowhere, so a hash that is answered comes of what is known.
#[tokio::test]
async fn a_hash_is_answered_while_the_document_itself_cannot_be_read() {
    let (gateway, office, device, bytes) = scene().await;
    let digest = Digest::of(&bytes).to_string();
    let folder = gateway.house.config.blob_folder();
    let blob = folder.join(&digest[..2]).join(&digest);
    let peer = gateway.connect(&device).await;
    let handle = peer.open(FILE).await.unwrap();
    std::fs::remove_file(&blob).unwrap();

    for hash in [HashName::Md5, HashName::Sha1, HashName::Sha256] {
        let (name, bytes) = (hash.as_str(), hash.of(&bytes));
        let known = [string(name.as_bytes()), bytes.as_bytes().to_vec()].concat();
        for (request, of) in [("check-file-name", FILE), ("check-file-handle", &handle)] {
            let answer = ask(&peer, request, hash_asked(of, name, 0, 0, 0)).await;
            assert_eq!(answer.as_ref(), Ok(&known), "{request} {name}");
        }
    }
    let later = gateway.connect(&device).await;
    assert_eq!(later.get(FILE).await, Err(StatusCode::Failure));

    std::fs::write(&blob, &bytes).unwrap();
    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{FILE} offered")]
    );
}

#[tokio::test]
async fn the_room_of_a_handle_is_that_of_a_path() {
    let (gateway, office, device, _) = scene().await;
    let peer = gateway.connect(&device).await;
    let room = async |request: &str, of: &str| ask(&peer, request, string(of.as_bytes())).await;
    let folder = peer.sftp.opendir(INBOX).await.unwrap().handle;
    let file = peer.open(FILE).await.unwrap();

    let of_path = room("statvfs@openssh.com", FILE).await.unwrap();
    assert_eq!(of_path.len(), 11 * 8);
    assert_eq!(
        room("statvfs@openssh.com", INBOX).await,
        Ok(of_path.clone())
    );
    for handle in [&folder, &file] {
        let of_handle = room("fstatvfs@openssh.com", handle).await;
        assert_eq!(of_handle.as_ref(), Ok(&of_path));
        peer.close(handle).await.unwrap();
        let closed = room("fstatvfs@openssh.com", handle).await;
        assert_eq!(closed, Err(StatusCode::BadMessage));
    }
    let never = room("fstatvfs@openssh.com", "no handle").await;
    assert_eq!(never, Err(StatusCode::BadMessage));
    peer.leave().await;

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{FILE} offered")]
    );
}

#[tokio::test]
async fn a_posix_rename_to_the_processed_folder_is_a_move_and_overwrites_nothing() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Mount).await;
    let documents = [invoice("F-1", 300_000), invoice("F-2", 4000)];
    for bytes in &documents {
        gateway.receive(&office, bytes.clone()).await;
    }
    let peer = gateway.connect(&device).await;
    let second = FILE.replace("00001_F-1", "00002_F-2");
    let done = format!("{DONE}/geboekt.xml");
    let rename = async |from: &str, to: &str| {
        let sent = [string(from.as_bytes()), string(to.as_bytes())].concat();
        ask(&peer, "posix-rename@openssh.com", sent).await
    };

    // An answer without anything in it is a status.
    assert_eq!(rename(FILE, &done).await, Err(StatusCode::Ok));
    assert_eq!(rename(&second, &done).await, Err(StatusCode::Failure));
    assert_eq!(
        rename(&second, FILE).await,
        Err(StatusCode::PermissionDenied)
    );

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{FILE} processed"), format!("{second} offered")]
    );
    assert_eq!(peer.list(DONE).await.unwrap(), ["geboekt.xml"]);
    assert!(!peer.exists(FILE).await);
    assert!(peer.get(&done).await.unwrap() == documents[0]);
    assert!(peer.get(&second).await.unwrap() == documents[1]);
}

#[tokio::test]
async fn a_hash_of_a_part_of_a_folder_or_of_what_is_written_is_refused() {
    let (gateway, _, device, _) = scene().await;
    let peer = gateway.connect(&device).await;
    let by_name = async |of: &str, names: &str, start, length, block| {
        let sent = hash_asked(of, names, start, length, block);
        ask(&peer, "check-file-name", sent).await.unwrap_err()
    };

    assert_eq!(
        by_name(FILE, "md5", 1, 0, 0).await,
        StatusCode::OpUnsupported
    );
    assert_eq!(
        by_name(FILE, "md5", 0, 100, 0).await,
        StatusCode::OpUnsupported
    );
    assert_eq!(
        by_name(FILE, "md5", 0, 0, 4096).await,
        StatusCode::OpUnsupported
    );
    assert_eq!(by_name(FILE, "md5", 0, 0, 255).await, StatusCode::Failure);
    assert_eq!(by_name(FILE, "crc32", 0, 0, 0).await, StatusCode::Failure);
    assert_eq!(by_name(INBOX, "md5", 0, 0, 0).await, StatusCode::Failure);
    assert_eq!(
        by_name("/nothing", "md5", 0, 0, 0).await,
        StatusCode::NoSuchFile
    );
    let draft = format!("{DONE}/kopie.xml");
    let flags = russh_sftp::protocol::OpenFlags::WRITE | russh_sftp::protocol::OpenFlags::CREATE;
    let attributes = russh_sftp::protocol::FileAttributes::empty();
    let writing = peer.sftp.open(&draft, flags, attributes).await.unwrap();
    assert_eq!(by_name(&draft, "md5", 0, 0, 0).await, StatusCode::Failure);
    let by_handle = hash_asked(&writing.handle, "md5", 0, 0, 0);
    assert_eq!(
        ask(&peer, "check-file-handle", by_handle).await,
        Err(StatusCode::Failure)
    );
}

#[tokio::test]
async fn what_an_earlier_session_collected_can_still_be_compared() {
    let (gateway, _, device, bytes) = scene().await;
    let peer = gateway.connect(&device).await;
    assert_eq!(peer.get(FILE).await, Ok(bytes.clone()));
    gateway.pass_ms(1000);

    let later = gateway.connect(&device).await;

    assert!(!later.exists(FILE).await);
    let answer = ask(&later, "check-file-name", hash_asked(FILE, "md5", 0, 0, 0)).await;
    let md5 = HashName::Md5.of(&bytes);
    assert_eq!(
        answer,
        Ok([string(b"md5"), md5.as_bytes().to_vec()].concat())
    );
}

#[tokio::test]
async fn what_was_put_into_in_is_compared_once_it_is_taken_and_what_is_refused_is_never_synced() {
    let (gateway, office, _, _) = scene().await;
    let scanner = gateway.device(&office, "scanner", DeviceKind::Source).await;
    let peer = gateway.connect(&scanner).await;
    let put = invoice("F-2", 20_000);
    let asked = |path: &str| hash_asked(path, "md5", 0, 0, 0);
    let writing = open(&peer, "/in/F-2.xml", CREATE).await.unwrap();
    write(&peer, &writing, 0, &put).await.unwrap();
    let early = ask(&peer, "check-file-name", asked("/in/F-2.xml")).await;
    assert_eq!(early, Err(StatusCode::Failure), "it is being written");
    assert!(peer.sftp.fsync(&writing).await.is_ok());

    peer.close(&writing).await.unwrap();

    let answer = ask(&peer, "check-file-name", asked("/in/F-2.xml")).await;
    let md5 = HashName::Md5.of(&put).as_bytes().to_vec();
    assert_eq!(answer, Ok([string(b"md5"), md5].concat()));
    let other = gateway
        .device(&office, "scanner2", DeviceKind::Source)
        .await;
    let other = gateway.connect(&other).await;
    let answer = ask(&other, "check-file-name", asked("/in/F-2.xml")).await;
    assert_eq!(answer, Err(StatusCode::NoSuchFile));
    // A part of it is past the largest file.
    let refused = open(&peer, "/in/F-3.xml", CREATE).await.unwrap();
    let past = write(&peer, &refused, UPLOAD_BYTES_MAX, b"x").await;
    assert_eq!(past, Err(StatusCode::Failure));
    let synced = peer.sftp.fsync(&refused).await.unwrap_err();
    assert_eq!(code(synced), StatusCode::Failure);
}

#[tokio::test]
async fn home_is_the_root_and_a_tilde_is_home() {
    let (gateway, _, device, _) = scene().await;
    let peer = gateway.connect(&device).await;
    let path = async |request: &str, sent: &str| {
        let answer = ask(&peer, request, string(sent.as_bytes())).await;
        answer.map(|path| String::from_utf8(path).unwrap())
    };

    for user in ["", "peeters.server"] {
        assert_eq!(path("home-directory", user).await, Ok("/".to_owned()));
    }
    assert_eq!(
        path("home-directory", "root").await,
        Err(StatusCode::NoSuchFile)
    );
    for (sent, expected) in [
        ("~", "/"),
        ("~/EXPERTM/acme", "/expertm/ACME"),
        ("expertm/../expertm", "/expertm"),
        ("/nothing", "/nothing"),
    ] {
        let answer = path("expand-path@openssh.com", sent).await;
        assert_eq!(answer, Ok(expected.to_owned()), "{sent}");
    }
    assert_eq!(
        path("expand-path@openssh.com", "~root/x").await,
        Err(StatusCode::NoSuchFile)
    );
}

#[tokio::test]
async fn the_owner_has_a_name_and_attributes_are_taken() {
    let (gateway, _, device, _) = scene().await;
    let peer = gateway.connect(&device).await;
    let ids = |ids: &[u32]| {
        string(
            &ids.iter()
                .flat_map(|id| id.to_be_bytes())
                .collect::<Vec<_>>(),
        )
    };

    let names = ask(
        &peer,
        "users-groups-by-id@openssh.com",
        [ids(&[0, 1000]), ids(&[0])].concat(),
    )
    .await;
    let users = [string(b"sluis"), string(b"")].concat();
    assert_eq!(
        names,
        Ok([string(&users), string(&string(b"sluis"))].concat())
    );

    let mode = [4_u32.to_be_bytes(), 0o600_u32.to_be_bytes()].concat();
    let set = async |path: &str| {
        let sent = [string(path.as_bytes()), mode.clone()].concat();
        peer.sftp.extended("lsetstat@openssh.com", sent).await
    };
    let Ok(Packet::Status(status)) = set(FILE).await else {
        panic!()
    };
    assert_eq!(status.status_code, StatusCode::Ok);
    let Ok(Packet::Status(status)) = set("/nothing").await else {
        panic!()
    };
    assert_eq!(status.status_code, StatusCode::NoSuchFile);
}

#[tokio::test]
async fn a_torn_extended_request_is_refused_under_its_own_id() {
    let (gateway, _, device, _) = scene().await;
    let peer = gateway.connect(&device).await;

    // The client library gives an answer to whoever asked under its id.
    for request in [
        "posix-rename@openssh.com",
        "statvfs@openssh.com",
        "fstatvfs@openssh.com",
        "fsync@openssh.com",
        "lsetstat@openssh.com",
        "home-directory",
        "expand-path@openssh.com",
        "users-groups-by-id@openssh.com",
        "check-file",
        "check-file-name",
        "check-file-handle",
    ] {
        for torn in [vec![], vec![0, 0, 0], vec![0, 0, 0, 9, b'x'], vec![0xFF; 4]] {
            let answer = ask(&peer, request, torn).await;
            assert_eq!(answer, Err(StatusCode::BadMessage), "{request}");
        }
    }
    let path_only = string(FILE.as_bytes());
    for request in ["lsetstat@openssh.com", "check-file-name"] {
        let answer = ask(&peer, request, path_only.clone()).await;
        assert_eq!(answer, Err(StatusCode::BadMessage), "{request}");
    }
    let half_a_number = [string(&[0; 3]), string(&[])].concat();
    let answer = ask(&peer, "users-groups-by-id@openssh.com", half_a_number).await;
    assert_eq!(answer, Err(StatusCode::BadMessage));
}
