//! Is every dropped file taken, once, and none lost?

mod lasting;
mod staying;
mod waiting;
mod world;

use std::fs::{self, File};

use super::*;
use world::{Root, files, seconds, until};

#[tokio::test(start_paused = true)]
async fn a_dropped_file_is_taken_and_leaves_the_folder() {
    let root = Root::new();
    root.drop("2026/F-1.xml", "<Invoice>1");

    root.run_until_empty().await;

    assert_eq!(root.fake.taken(), ["1 drop:2026/F-1.xml kept"]);
    assert!(!root.path("rejected").exists());
}

#[tokio::test(start_paused = true)]
async fn a_growing_file_is_left_alone_until_it_is_whole() {
    let root = Root::new();
    let mut bytes = b"<Invoice>".to_vec();

    root.while_running(async {
        for _ in 0..10 {
            root.drop("F-1.xml", &bytes);
            seconds(1).await;
            assert!(root.fake.taken().is_empty());
            bytes.push(b'x');
        }
        root.drop("F-1.xml", &bytes);
        until(|| !root.path("F-1.xml").exists()).await;
    })
    .await;

    assert!(root.fake.with(|inner| inner.kept.keys().eq([&bytes])));
}

#[tokio::test(start_paused = true)]
async fn what_is_said_beside_a_document_goes_with_it() {
    let root = Root::new();
    root.drop("F-1.json", r#"{"status": "draft"}"#);

    root.while_running(async {
        seconds(60).await;
        root.drop("F-1.xml", "<Invoice>1");
        until(|| !root.path("F-1.xml").exists()).await;
    })
    .await;

    assert_eq!(root.fake.taken(), ["1 drop:F-1.xml kept (draft)"]);
    assert!(!root.path("F-1.json").exists() && !root.path("rejected").exists());
}

#[tokio::test(start_paused = true)]
async fn a_document_of_which_nobody_understands_what_is_said_is_not_taken() {
    let root = Root::new();
    root.drop("F-1.xml", "<Invoice>1");
    root.drop("F-1.xml.json", r#"{"state": "draft"}"#);

    root.while_running(async {
        until(|| root.path("rejected/F-1.xml").exists()).await;
        assert!(root.fake.taken().is_empty());
        until(|| root.path("rejected/F-1.xml.json").exists()).await;
    })
    .await;

    let why = fs::read_to_string(root.path("rejected/F-1.xml.txt")).unwrap();
    assert!(why.contains("(ligne 1: `state`)"), "{why}");
    let why = fs::read_to_string(root.path("rejected/F-1.xml.json.txt")).unwrap();
    assert!(why.contains("aucun document de ce nom"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_folder_or_a_link_in_the_place_of_what_is_said_is_a_fault_until_it_is_gone() {
    let root = Root::new();
    root.drop("F-1.xml", "<Invoice>1");
    root.drop("F-2.xml", "<Invoice>2");
    root.drop("F-3.xml", "<Invoice>3");
    fs::create_dir(root.path("F-1.xml.json")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.path("F-2.json")).unwrap();

    root.while_running(async {
        until(|| !root.path("F-3.xml").exists()).await;
        seconds(600).await;
        assert_eq!(root.fake.taken(), ["1 drop:F-3.xml kept"]);
        fs::remove_dir(root.path("F-1.xml.json")).unwrap();
        fs::remove_file(root.path("F-2.json")).unwrap();
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;

    assert_eq!(root.fake.taken().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_temporary_name_is_left_alone_until_it_is_renamed() {
    let root = Root::new();
    root.drop("F-1.xml.filepart", "<Invoice>1");

    root.while_running(async {
        seconds(60).await;
        assert!(root.fake.taken().is_empty());
        fs::rename(root.path("F-1.xml.filepart"), root.path("F-1.xml")).unwrap();
        until(|| !root.path("F-1.xml").exists()).await;
    })
    .await;

    assert_eq!(root.fake.taken(), ["1 drop:F-1.xml kept"]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_read_lies_in_the_rejected_folder_with_its_reason() {
    let root = Root::new();
    root.drop("scans/F-1.xml", "%PDF");

    root.run_until_empty().await;

    assert_eq!(
        files(&root.path("")),
        ["rejected/F-1.xml", "rejected/F-1.xml.txt"]
    );
    let text = fs::read_to_string(root.path("rejected/F-1.xml.txt")).unwrap();
    assert!(text.contains("Fichier: scans/F-1.xml\r\n"), "{text}");
    assert!(
        text.contains("document: ce n'est pas du XML que l'on sache lire"),
        "{text}"
    );
    assert!(
        text.ends_with("Refusé le: 2026-01-01 00:00 UTC\r\n"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_past_the_limit_is_rejected_unread() {
    let root = Root::new();
    let file = File::create(root.path("F-1.xml")).unwrap();
    file.set_len(FILE_BYTES_MAX + 1).unwrap();
    root.drop("F-2.xml", "<Invoice>2");

    root.run_until_empty().await;

    assert_eq!(root.fake.taken(), ["1 drop:F-2.xml kept"]);
    let text = fs::read_to_string(root.path("rejected/F-1.xml.txt")).unwrap();
    assert!(text.contains("Motif: il dépasse 100 Mo"), "{text}");
    assert_eq!(
        fs::metadata(root.path("rejected/F-1.xml")).unwrap().len(),
        FILE_BYTES_MAX + 1
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_replaced_while_it_is_taken_is_taken_too() {
    let root = Root::new();
    root.drop("F-1.xml", "<Invoice>1");
    let path = root.path("F-1.xml");
    let replace = move || fs::write(path, "<Invoice>other").unwrap();
    root.fake
        .with(|inner| inner.meanwhile = Some(Box::new(replace)));

    root.run_until_empty().await;

    assert_eq!(
        root.fake.taken(),
        ["1 drop:F-1.xml kept", "1 drop:F-1.xml kept"]
    );
    assert_eq!(root.fake.with(|inner| inner.kept.len()), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_file_is_said_of_what_replaces_it_while_it_is_taken() {
    let root = Root::new();
    root.drop("F-1.xml", "<Invoice>1");
    root.drop("F-1.json", r#"{"status": "draft"}"#);
    let path = root.path("F-1.xml");
    let replace = move || fs::write(path, "<Invoice>other").unwrap();
    root.fake
        .with(|inner| inner.meanwhile = Some(Box::new(replace)));

    root.run_until_empty().await;

    let kept = "1 drop:F-1.xml kept (draft)";
    assert_eq!(root.fake.taken(), [kept, kept]);
}

#[tokio::test(start_paused = true)]
async fn one_bad_file_holds_up_no_other() {
    let root = Root::new();
    for n in 0..20 {
        root.drop(&format!("F-{n}.xml"), format!("<Invoice>{n}"));
    }
    root.fake
        .with(|inner| inner.bad.insert("drop:F-7.xml".to_owned()));

    root.while_running(async {
        until(|| root.fake.taken().len() == 19).await;
        let calls = root.fake.with(|inner| inner.calls);
        seconds(3_600).await;
        let more = root.fake.with(|inner| inner.calls) - calls;
        assert!((6..=13).contains(&more), "tried {more} times in an hour");
        assert_eq!(files(&root.path("")), ["F-7.xml"]);

        root.fake.with(|inner| inner.bad.clear());
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn when_nothing_can_be_taken_the_sources_stay_and_few_are_tried() {
    let root = Root::new();
    for n in 0..200 {
        root.drop(&format!("F-{n}.xml"), format!("<Invoice>{n}"));
    }
    root.fake.with(|inner| inner.down = true);

    root.while_running(async {
        seconds(60).await;
        let calls = root.fake.with(|inner| inner.calls);
        assert!(
            (9..=2 * 9 * 13).contains(&calls),
            "tried {calls} times in a minute"
        );
        assert_eq!(files(&root.path("")).len(), 200);

        root.fake.with(|inner| inner.down = false);
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;

    assert_eq!(root.fake.taken().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_letting_go_loses_nothing_and_doubles_nothing() {
    let root = Root::new();
    root.drop("F-1.xml", "<Invoice>1");
    root.drop("F-2.xml", "%PDF");
    root.fake
        .with(|inner| inner.kept.insert(b"<Invoice>1".to_vec(), false));
    root.fake
        .with(|inner| inner.kept.insert(b"%PDF".to_vec(), true));

    root.run_until_empty().await;

    assert_eq!(
        root.fake.taken(),
        ["1 drop:F-1.xml recognised", "1 drop:F-2.xml recognised"]
    );
    assert_eq!(
        files(&root.path("")),
        ["rejected/F-2.xml", "rejected/F-2.xml.txt"]
    );
}

#[tokio::test(start_paused = true)]
async fn files_of_one_name_that_are_rejected_at_once_keep_their_own_reasons() {
    let root = Root::new();
    for n in 0..32 {
        root.drop(&format!("{n}/F.xml"), format!("%PDF {n}"));
    }

    root.run_until_empty().await;

    let rejected = files(&root.path("rejected"));
    assert_eq!(rejected.len(), 64, "{rejected:?}");
    for name in rejected.iter().filter(|name| !name.ends_with(".txt")) {
        let n = fs::read_to_string(root.path(&format!("rejected/{name}"))).unwrap();
        let n = n.trim_start_matches("%PDF ");
        let why = fs::read_to_string(root.path(&format!("rejected/{name}.txt"))).unwrap();
        assert!(why.contains(&format!("{n}/F.xml")), "{name}: {why}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_in_the_middle_finishes_the_batches_in_hand() {
    let root = Root::new();
    for n in 0..200 {
        root.drop(&format!("F-{n}.xml"), format!("<Invoice>{n}"));
    }
    let cancel = CancellationToken::new();
    let ending = cancel.clone();
    root.fake
        .with(|inner| inner.meanwhile = Some(Box::new(move || ending.cancel())));

    root.run(cancel).await;
    // The one that was written down, and the one that was stored meanwhile.
    assert_eq!(root.fake.taken().len(), 2 * BATCH_FILES_MAX);
    assert_eq!(files(&root.path("")).len(), 200 - 2 * BATCH_FILES_MAX);

    root.run_until_empty().await;
    assert_eq!(root.fake.with(|inner| inner.kept.len()), 200);
    assert_eq!(root.fake.taken().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn three_thousand_files_at_once_are_all_taken_in_batches() {
    let root = Root::new();
    for n in 0..3_000 {
        root.drop(&format!("F-{n}.xml"), format!("<Invoice>{n}"));
    }

    root.run_until_empty().await;

    let (kept, calls, largest) = root
        .fake
        .with(|inner| (inner.kept.len(), inner.calls, inner.largest_batch));
    assert_eq!((kept, calls, largest), (3_000, 47, BATCH_FILES_MAX));
}

#[tokio::test(start_paused = true)]
async fn a_new_firm_has_its_folder_without_a_restart() {
    let root = Root::new();
    let folder = root.root.path().join("janssens");

    root.while_running(async {
        seconds(10).await;
        root.fake.add_firm(2, "janssens");
        until(|| folder.is_dir()).await;
        fs::write(folder.join("F-1.xml"), "<Invoice>1").unwrap();
        until(|| !folder.join("F-1.xml").exists()).await;
    })
    .await;

    assert_eq!(root.fake.taken(), ["2 drop:F-1.xml kept"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_while_the_root_is_missing() {
    let root = Root::new();
    let unmounted = root.root.path().with_extension("unmounted");
    fs::rename(root.root.path(), &unmounted).unwrap();
    fs::write(unmounted.join("peeters/F-1.xml"), "<Invoice>1").unwrap();

    root.while_running(async {
        seconds(60).await;
        assert!(!root.root.path().exists());
        fs::rename(&unmounted, root.root.path()).unwrap();
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;

    assert_eq!(root.fake.taken(), ["1 drop:F-1.xml kept"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_no_text_is_taken_and_rejected_like_any_other() {
    use std::os::unix::ffi::OsStrExt as _;
    let root = Root::new();
    let name = std::ffi::OsStr::from_bytes(b"factur\xe9.xml");
    fs::write(root.path("").join(name), "%PDF").unwrap();
    fs::write(
        root.path("").join(std::ffi::OsStr::from_bytes(b"\xff.xml")),
        "<Invoice>1",
    )
    .unwrap();

    root.run_until_empty().await;

    assert_eq!(root.fake.taken().len(), 2);
    assert!(root.path("rejected").join(name).exists());
    assert_eq!(files(&root.path("")).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_may_not_be_read_waits_until_it_may() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = Root::new();
    root.drop("F-1.xml", "<Invoice>1");
    root.drop("F-2.xml", "<Invoice>2");
    let allow =
        |mode| fs::set_permissions(root.path("F-1.xml"), fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    if File::open(root.path("F-1.xml")).is_ok() {
        return; // a privileged user may read everything
    }

    root.while_running(async {
        seconds(60).await;
        assert_eq!(root.fake.taken(), ["1 drop:F-2.xml kept"]);
        allow(0o600);
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_put_aside_stays_and_is_put_aside_later() {
    let root = Root::new();
    root.drop("F-1.xml", "%PDF");
    root.drop("rejected", "in the way");

    root.while_running(async {
        seconds(60).await;
        assert_eq!(files(&root.path("")), ["F-1.xml", "rejected"]);
        fs::remove_file(root.path("rejected")).unwrap();
        until(|| root.path("rejected/F-1.xml").exists()).await;
    })
    .await;

    assert_eq!(root.fake.taken(), ["1 drop:F-1.xml quarantined"]);
}

/// As where a copy of a house is tried beside it, with its drop folders where they were.
#[tokio::test(start_paused = true)]
async fn of_two_servers_on_one_root_the_second_takes_nothing_until_the_first_has_ended() {
    let (root, copy) = (Root::new(), world::Fake::default());
    copy.add_firm(1, "peeters");
    let door = DropFolders::new(root.config.clone(), copy.clone());
    let (cancel, begun) = (CancellationToken::new(), Instant::now());
    let clock = move || Timestamp(begun.elapsed().as_millis().try_into().unwrap());

    root.while_running(async {
        until(|| root.root.path().join(".sluis.lock").exists()).await;
        let second = tokio::spawn(door.run(cancel.clone(), clock));
        root.drop("F-1.xml", "<Invoice>1");
        until(|| !root.path("F-1.xml").exists()).await;
        seconds(60).await;
        assert!(!second.is_finished());
        assert_eq!(copy.taken(), [""; 0]);
    })
    .await;
    root.drop("F-2.xml", "<Invoice>2");
    until(|| !root.path("F-2.xml").exists()).await;
    cancel.cancel();

    assert_eq!(root.fake.taken(), ["1 drop:F-1.xml kept"]);
    assert_eq!(copy.taken(), ["1 drop:F-2.xml kept"]);
}

/// In real time, for the operating system knows no other; it waits for the event however long that takes.
#[tokio::test]
async fn an_event_alone_is_enough() {
    let mut root = Root::new();
    root.config.watch = Watch::Notify;
    root.config.settle_ms = SETTLE_MS_MIN;
    root.config.rescan_seconds = std::num::NonZeroU32::MAX;
    root.drop("F-1.xml", "<Invoice>1");

    let taken = async |count| {
        while root.fake.taken().len() < count {
            sleep(Duration::from_millis(10)).await;
        }
    };

    root.while_running(async {
        taken(1).await; // it was there at the start; since then the folder is watched
        root.drop("F-2.xml", "<Invoice>2");
        taken(2).await;
    })
    .await;

    assert_eq!(root.fake.taken()[1], "1 drop:F-2.xml kept");
}

/// The house spawns the door, so its future must be one that may move between threads.
#[test]
fn the_door_of_the_real_ingest_can_be_spawned() {
    fn run(door: DropFolders) -> impl Future<Output = ()> + Send {
        door.run(CancellationToken::new(), || Timestamp(0))
    }
    let _: fn(DropFolders) -> _ = run;
}
