//! What happens to a device that a script fetches with?

use russh_sftp::protocol::StatusCode;
use sluis::model::DeviceKind;

use crate::gateway::{Gateway, Login, Office, fixture, invoice, until};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";

/// An office with a pull device, and one invoice of 100 000 bytes in its inbox.
async fn one_invoice() -> (Gateway, Office, Login, String, Vec<u8>) {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let bytes = invoice("F-0017", 100_000);
    gateway.receive(&office, bytes.clone()).await;
    let path = format!("{INBOX}/20260314-00001_F-0017_0451827384.xml");
    (gateway, office, device, path, bytes)
}

async fn state(gateway: &Gateway, office: &Office) -> String {
    let deliveries = gateway.deliveries(office).await;
    deliveries[0]
        .split(' ')
        .skip(2)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What a line of `deliveries` says after its path, which has one space in it.
const OFFERED: &str = "offered";
const COLLECTED: &str = "collected";

#[tokio::test]
async fn a_script_that_reads_a_document_and_closes_it_has_collected_it() {
    let (gateway, office, device, path, bytes) = one_invoice().await;
    let peer = gateway.connect(&device).await;

    assert_eq!(peer.get(&path).await.unwrap(), bytes);

    assert_eq!(state(&gateway, &office).await, COLLECTED);
    assert_eq!(
        gateway.events(&office).await,
        ["kept", "offered", "collected"]
    );
}

#[tokio::test]
async fn a_collected_file_stays_until_its_session_ends_and_then_shows_as_processed() {
    let (gateway, _, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    peer.get(&path).await.unwrap();
    assert!(peer.exists(&path).await, "nothing vanishes under a reader");
    peer.leave().await;
    gateway.pass_ms(1);

    let next = gateway.connect(&device).await;

    assert_eq!(next.list(INBOX).await.unwrap(), Vec::<String>::new());
    assert_eq!(next.list(DONE).await.unwrap().len(), 1);
    assert!(!next.exists(&path).await);
}

#[tokio::test]
async fn a_device_that_hangs_up_in_the_middle_has_not_collected() {
    let (mut gateway, office, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(&path).await.unwrap();
    peer.read(&handle, 0, 60_000).await.unwrap();

    peer.hang_up();

    gateway.drain().await;
    assert_eq!(state(&gateway, &office).await, OFFERED);
}

#[tokio::test]
async fn a_connection_that_dies_after_the_last_byte_leaves_the_document_offered() {
    let (mut gateway, office, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(&path).await.unwrap();
    peer.read(&handle, 0, u64::MAX).await.unwrap();

    peer.hang_up();

    gateway.drain().await;
    assert_eq!(state(&gateway, &office).await, OFFERED);
}

#[tokio::test]
async fn a_client_that_sends_no_close_but_ends_in_order_has_collected() {
    let (mut gateway, office, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(&path).await.unwrap();
    peer.read(&handle, 0, u64::MAX).await.unwrap();

    peer.leave().await;

    gateway.drain().await;
    assert_eq!(state(&gateway, &office).await, COLLECTED);
}

#[tokio::test]
async fn a_client_that_resumes_after_a_broken_connection_has_collected() {
    let (gateway, office, device, path, bytes) = one_invoice().await;
    let first = gateway.connect(&device).await;
    let handle = first.open(&path).await.unwrap();
    first.read(&handle, 0, 60_000).await.unwrap();
    first.hang_up();
    let second = gateway.connect(&device).await;
    wait_for_broken_read(&gateway, &office).await;
    gateway.pass_ms(1);

    let handle = second.open(&path).await.unwrap();
    assert_eq!(
        second.read(&handle, 60_000, u64::MAX).await.unwrap(),
        bytes[60_000..]
    );
    second.close(&handle).await.unwrap();

    assert_eq!(state(&gateway, &office).await, COLLECTED);
}

/// The server notices a dead connection in its own time.
pub async fn wait_for_broken_read(gateway: &Gateway, office: &Office) {
    let row = gateway
        .house
        .catalog
        .delivery_rows(office.firm, 0, 1)
        .await
        .unwrap()
        .remove(0);
    until(async || {
        let mut tx = gateway
            .house
            .catalog
            .begin(sluis::catalog::Durability::Kill)
            .await
            .unwrap();
        let mark = tx
            .take_mark(office.firm, row.delivery.id)
            .await
            .unwrap()
            .unwrap();
        drop(tx);
        mark.progress != sluis::collect::Progress::default()
    })
    .await;
}

/// What it is called, the spans that are read, and what comes of it.
type Case<'a> = (&'a str, &'a [(u64, u64)], &'a str);

#[tokio::test]
async fn the_table_of_reads() {
    #[rustfmt::skip]
    let table: &[Case<'_>] = &[
        ("backwards",               &[(50_000, 100_000), (0, 50_000)],             COLLECTED),
        ("twice",                   &[(0, 100_000), (0, 100_000)],                 COLLECTED),
        ("overlapping",             &[(0, 70_000), (30_000, 100_000)],             COLLECTED),
        ("a byte short at the end", &[(0, 99_999)],                                OFFERED),
        ("a byte short at the start", &[(1, 100_000)],                             OFFERED),
        ("a gap in the middle",     &[(0, 49_999), (50_000, 100_000)],             OFFERED),
        ("the first half twice",    &[(0, 50_000), (0, 50_000)],                   OFFERED),
        ("nothing",                 &[],                                           OFFERED),
    ];
    for (case, spans, expected) in table {
        let (gateway, office, device, path, bytes) = one_invoice().await;
        assert_eq!(bytes.len(), 100_000);
        let peer = gateway.connect(&device).await;
        let handle = peer.open(&path).await.unwrap();
        for (from, to) in *spans {
            peer.read(&handle, *from, *to).await.unwrap();
        }
        peer.close(&handle).await.unwrap();

        assert_eq!(state(&gateway, &office).await, *expected, "{case}");
    }
}

#[tokio::test]
async fn two_handles_that_read_a_half_each_have_collected() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let (one, other) = (
        gateway.connect(&device).await,
        gateway.connect(&device).await,
    );
    let (first, second) = (
        one.open(&path).await.unwrap(),
        other.open(&path).await.unwrap(),
    );
    one.read(&first, 0, 50_000).await.unwrap();
    other.read(&second, 50_000, 100_000).await.unwrap();

    one.close(&first).await.unwrap();
    assert_eq!(state(&gateway, &office).await, OFFERED);
    other.close(&second).await.unwrap();

    assert_eq!(state(&gateway, &office).await, COLLECTED);
}

#[tokio::test]
async fn the_last_piece_of_a_segmented_fetch_does_not_vouch_for_what_broke_before() {
    let (gateway, office, device, path, bytes) = one_invoice().await;
    let before = gateway.connect(&device).await;
    let handle = before.open(&path).await.unwrap();
    before.read(&handle, 0, 60_000).await.unwrap();
    before.hang_up();
    wait_for_broken_read(&gateway, &office).await;
    gateway.pass_ms(1);
    let (one, other) = (
        gateway.connect(&device).await,
        gateway.connect(&device).await,
    );
    let first = one.open(&path).await.unwrap();
    let second = other.open(&path).await.unwrap();
    one.read(&first, 0, 25_000).await.unwrap();
    other.read(&second, 50_000, 100_000).await.unwrap();

    one.close(&first).await.unwrap(); // before it had all of its piece
    other.close(&second).await.unwrap();

    assert_eq!(state(&gateway, &office).await, OFFERED);
    assert_eq!(other.get(&path).await.unwrap(), bytes);
    assert_eq!(state(&gateway, &office).await, COLLECTED);
}

#[tokio::test]
async fn what_is_read_again_in_part_is_not_written_down_again() {
    let (gateway, _, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let peek = async || {
        let handle = peer.open(&path).await.unwrap();
        peer.read(&handle, 0, 100).await.unwrap();
        peer.close(&handle).await.unwrap();
    };
    let file = gateway.catalog_file();
    let other = sluis::catalog::Catalog::open(&file).await.unwrap();
    let before = other.moment_now().await.unwrap();
    peek().await;
    let written = other.moment_now().await.unwrap();
    assert_ne!(written, before);

    peek().await;

    assert_eq!(other.moment_now().await.unwrap(), written);
}

#[tokio::test]
async fn reads_past_the_end_count_nothing() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(&path).await.unwrap();

    for offset in [100_000, 100_001, u64::MAX - 10] {
        let refused = peer.sftp.read(&handle, offset, 4096).await.unwrap_err();
        assert_eq!(crate::peer::code(refused), StatusCode::Eof);
    }
    peer.close(&handle).await.unwrap();

    assert_eq!(state(&gateway, &office).await, OFFERED);
}

#[tokio::test]
async fn a_hundred_reads_at_once_past_the_end_first_come_back_whole() {
    let (gateway, office, device, path, bytes) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(&path).await.unwrap();
    let offsets: Vec<u64> = (0..100).rev().map(|at| at * 2000).collect();

    let reads = offsets.iter().map(|&at| peer.sftp.read(&handle, at, 2000));
    let mut got = vec![0; bytes.len()];
    for (offset, read) in offsets
        .iter()
        .zip(futures_util::future::join_all(reads).await)
    {
        if let Ok(data) = read {
            let at = usize::try_from(*offset).unwrap();
            got[at..at + data.data.len()].copy_from_slice(&data.data);
        }
    }
    peer.close(&handle).await.unwrap();

    assert_eq!(got, bytes);
    assert_eq!(state(&gateway, &office).await, COLLECTED);
}

#[tokio::test]
async fn a_script_that_removes_what_it_fetched_has_processed_it() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    peer.get(&path).await.unwrap();

    peer.remove(&path).await.unwrap();

    assert_eq!(state(&gateway, &office).await, "processed");
    assert!(!peer.exists(&path).await);
    assert_eq!(
        gateway.events(&office).await,
        ["kept", "offered", "collected", "processed"]
    );
}

#[tokio::test]
async fn a_connection_that_came_later_removes_or_moves_what_another_has_collected() {
    for moves in [false, true] {
        let (gateway, office, device, path, _) = one_invoice().await;
        let name = path.rsplit('/').next().unwrap();
        let peer = gateway.connect(&device).await;
        peer.get(&path).await.unwrap();
        gateway.pass_ms(1000);
        let later = gateway.connect(&device).await;
        assert!(!later.exists(&path).await);

        let done = if moves {
            later.rename(&path, &format!("{DONE}/{name}")).await
        } else {
            later.remove(&path).await
        };

        assert_eq!(done, Ok(()));
        assert_eq!(state(&gateway, &office).await, "processed");
        // What came under that name since is another file, which nobody has fetched.
        let gone = later.remove(&path).await;
        assert_eq!(gone, Err(StatusCode::NoSuchFile));
    }
}

#[tokio::test]
async fn a_name_that_an_importer_chose_is_no_later_files_own() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    peer.get(&path).await.unwrap();
    let next = "20260314-00002_F-0018_0451827384.xml";
    peer.rename(&path, &format!("{DONE}/{next}")).await.unwrap();

    gateway.receive(&office, invoice("F-0018", 900)).await;

    let other = "20260314-00003_F-0018_0451827384.xml";
    assert_eq!(peer.list(INBOX).await.unwrap(), [other]);
    peer.get(&format!("{INBOX}/{other}")).await.unwrap();
    peer.leave().await;
    gateway.pass_ms(1);
    let later = gateway.connect(&device).await;
    assert_eq!(later.list(DONE).await.unwrap(), [next, other]);
}

#[tokio::test]
async fn a_script_that_says_get_all_then_remove_all_does_not_lose_what_came_in_between() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    peer.get(&path).await.unwrap();
    gateway.receive(&office, invoice("F-0018", 5000)).await;
    let late = format!("{INBOX}/20260314-00002_F-0018_0451827384.xml");

    peer.remove(&path).await.unwrap();
    assert_eq!(peer.remove(&late).await, Err(StatusCode::PermissionDenied));

    assert!(peer.exists(&late).await);
    assert_eq!(gateway.events(&office).await.last().unwrap(), "processed");
}

#[tokio::test]
async fn a_client_that_removes_before_it_closes_has_both_collected_and_processed() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(&path).await.unwrap();
    peer.read(&handle, 0, u64::MAX).await.unwrap();

    peer.remove(&path).await.unwrap();
    assert!(
        peer.read(&handle, 0, 1000).await.is_ok(),
        "an open handle keeps what it began with"
    );
    peer.close(&handle).await.unwrap();

    assert_eq!(
        gateway.events(&office).await,
        ["kept", "offered", "collected", "processed"]
    );
}

#[tokio::test]
async fn what_another_connection_reads_does_not_let_this_one_remove() {
    let (gateway, office, device, path, _) = one_invoice().await;
    let hanging = gateway.connect(&device).await;
    let handle = hanging.open(&path).await.unwrap();
    hanging.read(&handle, 0, u64::MAX).await.unwrap();

    let next = gateway.connect(&device).await;

    assert_eq!(next.remove(&path).await, Err(StatusCode::PermissionDenied));
    assert_eq!(state(&gateway, &office).await, OFFERED);
}

#[tokio::test]
async fn an_envelope_is_delivered_opened_and_the_original_kept() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let original = fixture("sbdh-invoice.xml");
    let taken = gateway.receive(&office, original.clone()).await;
    let peer = gateway.connect(&device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);

    let inner = peer.get(&format!("{INBOX}/{name}")).await.unwrap();

    let text = String::from_utf8(inner).unwrap();
    assert!(text.contains("Invoice") && !text.contains("StandardBusinessDocument"));
    assert_eq!(
        gateway.house.blobs.whole(taken.digest).await.unwrap(),
        original
    );
    assert_eq!(state(&gateway, &office).await, COLLECTED);
}

#[tokio::test]
async fn sizes_are_exact_times_stable_and_names_found_whatever_their_case() {
    let (gateway, _, device, path, bytes) = one_invoice().await;
    let peer = gateway.connect(&device).await;
    let first = peer.sftp.stat(&path).await.unwrap().attrs;
    gateway.pass_ms(3_600_000);

    let again = peer.sftp.lstat(path.to_uppercase()).await.unwrap().attrs;

    assert_eq!(
        (first.size, first.permissions),
        (Some(bytes.len() as u64), Some(0o100_666))
    );
    assert_eq!((again.size, again.mtime), (first.size, first.mtime));
    assert_eq!(first.mtime, Some(1_773_475_200));
    let folder = peer.sftp.stat("/EXPERTM/acme").await.unwrap().attrs;
    assert_eq!(folder.permissions, Some(0o40_777));
}

#[tokio::test]
async fn a_listing_in_progress_keeps_what_it_began_with() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    for at in 0..250 {
        gateway
            .receive(&office, invoice(&format!("F-{at}"), 1000))
            .await;
    }
    let peer = gateway.connect(&device).await;
    let handle = peer.sftp.opendir(INBOX).await.unwrap().handle;
    let mut names: Vec<String> = peer
        .sftp
        .readdir(&handle)
        .await
        .unwrap()
        .files
        .into_iter()
        .map(|f| f.filename)
        .collect();

    gateway.receive(&office, invoice("LATE", 1000)).await;
    while let Ok(page) = peer.sftp.readdir(&handle).await {
        names.extend(page.files.into_iter().map(|file| file.filename));
    }

    assert_eq!(names.len(), 252, "250 files, `.` and `..`");
    assert_eq!(peer.list(INBOX).await.unwrap().len(), 251);
}
