//! What does `/in` make of it?

use sluis::model::{Digest, is_temporary, steers};

use super::checks::{Beside, GROWTH_MIB_MAX, Scene, honest, peak_mib};
use super::documents::Becomes;
use super::names::WORDS;
use crate::peer::Peer;
use crate::raw::{packet, text};
use crate::uploading::{CREATE, open};

/// A server of which the device may put documents in.
fn serving() -> Scene {
    let mut scene = Scene::new();
    scene
        .program
        .ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    scene.program.serve_weighed();
    scene
}

async fn connect(scene: &Scene) -> Peer {
    Peer::connect(scene.program.address.unwrap(), &scene.device.login).await
}

#[test]
fn every_document_is_kept_whichever_folder_it_is_put_into() {
    let scene = serving();
    let mut table = scene.documents();
    // Here an empty file is one that is not finished: it is refused, and there is nothing to keep.
    table.retain(|one| !one.bytes.is_empty());
    let beside = Beside::begin(&scene);
    let before = peak_mib(scene.program.process());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    runtime.block_on(async {
        let peer = connect(&scene).await;
        // A test machine may need longer than this client's ten seconds to read ten megabytes.
        peer.sftp.set_timeout(600);
        for (at, hostile) in table.iter().enumerate() {
            let folder = ["/in", "/in/ACME"][at % 2];
            let put = peer
                .put(&format!("{folder}/{at:05}.xml"), &hostile.bytes)
                .await;
            assert_eq!(put, Ok(()), "`{}`", hostile.name);
            // Somebody else at the same time.
            if at % 16 == 0 {
                let other = connect(&scene).await;
                assert!(
                    other.list("/expertm/ACME").await.is_ok(),
                    "`{}`",
                    hostile.name
                );
                other.leave().await;
            }
        }
        assert!(peer.put("/in/empty.xml", b"").await.is_err());
        peer.put("/in/LAST.xml", &honest("LAST")).await.unwrap();
        let rejected = peer.list("/rejected").await.unwrap();
        for (at, hostile) in table.iter().enumerate() {
            let is_told = rejected.contains(&format!("{at:05}.xml.txt"));
            let is_unread = matches!(hostile.becomes, Becomes::Unreadable(_));
            assert_eq!(is_told, is_unread, "`{}`", hostile.name);
        }
        peer.leave().await;
    });

    let grown = peak_mib(scene.program.process()) - before;
    assert!(grown <= GROWTH_MIB_MAX, "it has grown by {grown} MiB");
    beside.check();
    scene.check_kept(&table);
    scene.check_honest("LAST");
    scene.check_all();
}

#[tokio::test]
async fn whatever_a_file_is_called_it_is_taken_under_a_name_of_ours() {
    let scene = serving();
    let beside = Beside::begin(&scene);
    let peer = connect(&scene).await;
    let mut count = 0;
    for word in WORDS.iter().filter(|word| word.text.len() < 250) {
        for folder in ["/in", "/in/ACME"] {
            let name = word.text.replace('/', "\u{2215}");
            let path = format!("{folder}/{name}");
            let put = peer.put(&path, &honest(&format!("N-{count}"))).await;
            // One is the folder itself, and the others are in no tree.
            if name == "." || name.chars().any(char::is_control) {
                assert!(put.is_err(), "{}", word.what);
                continue;
            }
            assert_eq!(put, Ok(()), "{}", word.what);
            count += 1;
            if is_temporary(&name) {
                let last = format!("{folder}/x{name}");
                assert_eq!(peer.rename(&path, &last).await, Ok(()), "{}", word.what);
            }
        }
    }
    let longest = format!("/in/{}", "x".repeat(255));
    assert_eq!(peer.put(&longest, &honest("N-long")).await, Ok(()));
    assert!(
        peer.put(&format!("{longest}x"), &honest("N-longer"))
            .await
            .is_err()
    );
    assert!(
        peer.put(&format!("/in/{}", "a/".repeat(3000)), b"x")
            .await
            .is_err()
    );
    for path in [
        "",
        ".",
        "..",
        "/",
        "//",
        "/in",
        "/in/",
        "/in/..",
        "/in/ACME",
        "/in/ACME/..",
        "/in/NOBODY/x.xml",
        "/in/ACME/x/y.xml",
        "/expertm/x.xml",
        "/etc/passwd",
        "in/../../x.xml",
    ] {
        assert!(open(&peer, path, CREATE).await.is_err(), "`{path}`");
    }
    // A path that climbs stays within: this is `/in/up.xml`.
    assert_eq!(
        peer.put("/in/ACME/../../../in/up.xml", &honest("UP")).await,
        Ok(())
    );

    peer.leave().await;

    beside.check();
    assert_eq!(scene.program.states(), vec!["offered"; count + 2]);
    scene.check_kept(&[]);
    scene.check_all();
}

#[tokio::test]
async fn what_nobody_can_read_is_given_back_under_a_harmless_name() {
    let scene = serving();
    let beside = Beside::begin(&scene);
    let peer = connect(&scene).await;
    let mut kept = Vec::new();
    for (at, word) in WORDS.iter().enumerate() {
        let name = word.text.replace('/', "\u{2215}");
        if name.len() > 250 || is_temporary(&name) || name.chars().any(char::is_control) {
            continue;
        }
        let bytes = format!("no document {at}").into_bytes();
        peer.put(&format!("/in/{name}"), &bytes).await.unwrap();
        kept.push((word.what, Digest::of(&bytes).to_string()));
    }

    let listed = peer.list("/rejected").await.unwrap();

    assert_eq!(listed.len(), 2 * kept.len(), "each, and its text");
    for name in &listed {
        assert!(!name.contains(steers), "{name:?}");
        assert!(
            !name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']),
            "{name:?}"
        );
        let stem = name.split('.').next().unwrap().to_ascii_uppercase();
        assert!(!["CON", "NUL", "COM1"].contains(&stem.as_str()), "{name:?}");
        assert!(
            !name.trim_matches('.').is_empty() && !name.ends_with(['.', ' ']),
            "{name:?}"
        );
        assert!(
            peer.get(&format!("/rejected/{name}")).await.is_ok(),
            "{name:?}"
        );
    }
    peer.leave().await;
    beside.check();
    let documents = scene.program.json(&["documents", "kantoor"]);
    for (what, digest) in kept {
        assert!(
            documents.iter().any(|one| one["digest"] == digest),
            "{what}"
        );
    }
    scene.check_all();
}

#[tokio::test]
async fn a_name_that_is_no_text_and_one_that_lies_of_its_length() {
    let scene = serving();
    let beside = Beside::begin(&scene);
    let address = scene.program.address.unwrap();
    let (_ssh, mut channel) = crate::raw::raw_at(address, &scene.device.login).await;
    let name = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length[..], bytes].concat()
    };
    let create = [0, 0, 0, 0x0a, 0, 0, 0, 0];
    let open = |id: u8, name: Vec<u8>| packet(3, &[&[0, 0, 0, id][..], &name, &create].concat());
    let requests = [
        packet(1, &[0, 0, 0, 3]),
        open(1, name(b"/in/factur\xe9.xml")),
        open(2, name(b"/in/\0.xml")),
        open(3, name(b"")),
        // It says that more comes than there is.
        open(4, [&[0xff; 4][..], b"/in/x.xml"].concat()),
        packet(16, &[&[0, 0, 0, 5][..], &text("/in")].concat()),
    ];
    let mut seen = Vec::new();

    for request in requests {
        channel.data(&request[..]).await.unwrap();
        let kinds = crate::raw::until(&mut channel, |bytes| kinds(bytes).len() == 1).await;
        seen.extend(self::kinds(&kinds));
    }

    // VERSION, a handle, three refusals, and the session goes on.
    assert_eq!(seen, [2, 102, 101, 101, 101, 104]);
    let peer = connect(&scene).await;
    peer.put("/in/LAST.xml", &honest("LAST")).await.unwrap();
    peer.leave().await;
    beside.check();
    assert_eq!(scene.program.states(), ["offered"]);
    scene.check_all();
}

/// The types of whole packets.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        let Some(packet) = rest.get(..length) else {
            break;
        };
        kinds.push(packet[0]);
        bytes = &rest[length..];
    }
    kinds
}
