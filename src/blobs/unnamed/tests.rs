//! Does what is written become the blob that it says, and stay so?

use proptest::prelude::*;

use super::*;

async fn scene() -> (tempfile::TempDir, Blobs, Unnamed) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["blobs", "spool"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let blobs = Blobs::in_folder(&folder.path().join("blobs")).unwrap();
    let unnamed = Unnamed::begin(&folder.path().join("spool")).await.unwrap();
    (folder, blobs, unnamed)
}

#[tokio::test]
async fn what_was_written_becomes_the_blob_and_has_no_other_name() {
    let (folder, blobs, unnamed) = scene().await;
    unnamed
        .write(0, Bytes::from_static(b"12345"))
        .await
        .unwrap();
    unnamed
        .write(5, Bytes::from_static(b"67890"))
        .await
        .unwrap();
    assert_eq!(blobs.list().await.unwrap(), (vec![], vec![]));

    let stored = blobs.keep(&unnamed).await.unwrap();
    let again = blobs.keep(&unnamed).await.unwrap();

    assert_eq!(stored, again);
    assert_eq!(stored.digest(), Digest::of(b"1234567890"));
    assert_eq!(blobs.whole(stored.digest()).await.unwrap(), "1234567890");
    assert_eq!(
        blobs.list().await.unwrap(),
        (vec![(stored.digest(), 10)], vec![])
    );
    let spool = fs::read_dir(folder.path().join("spool")).unwrap();
    assert_eq!(spool.count(), 0);
    assert_eq!(names_in(&folder.path().join("blobs")), 1);
}

#[tokio::test]
async fn what_was_written_on_another_disk_becomes_a_blob_also_where_one_is_already() {
    let (folder, blobs, near) = scene().await;
    let spool = tempfile::tempdir_in("/dev/shm").unwrap();
    let disk = |path: &Path| fs::metadata(path).unwrap().dev();
    assert_ne!(disk(spool.path()), disk(folder.path()));
    let far = Unnamed::begin(spool.path()).await.unwrap();
    for unnamed in [&near, &far] {
        let written = unnamed.write(0, Bytes::from_static(b"1234567890"));
        written.await.unwrap();
    }

    let first = blobs.keep(&far).await.unwrap();
    let again = blobs.keep(&far).await.unwrap();
    let linked = blobs.keep(&near).await.unwrap();
    let over = blobs.keep(&far).await.unwrap();

    assert!([again, linked, over].iter().all(|stored| *stored == first));
    assert_eq!(blobs.whole(first.digest()).await.unwrap(), "1234567890");
    assert_eq!(names_in(&folder.path().join("blobs")), 1);
    assert!(blobs.never_failed());
}

/// How many files are there, whatever listings of the store leave out.
fn names_in(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => names_in(&entry.path()),
            false => 1,
        })
        .sum()
}

#[tokio::test]
async fn a_blob_does_not_change_though_its_writer_goes_on() {
    let (folder, blobs, first) = scene().await;
    let spool = folder.path().join("spool");
    let second = Unnamed::begin(&spool).await.unwrap();
    for unnamed in [&first, &second] {
        unnamed
            .write(0, Bytes::from_static(b"the same"))
            .await
            .unwrap();
        let stored = blobs.keep(unnamed).await.unwrap();

        unnamed.write(4, Bytes::from_static(b"r")).await.unwrap();
        let written = blobs.keep(unnamed).await.unwrap();
        unnamed.cut(3).await.unwrap();
        let cut = blobs.keep(unnamed).await.unwrap();

        for (blob, holds) in [
            (stored, b"the same".as_slice()),
            (written, b"the rame"),
            (cut, b"the"),
        ] {
            assert_eq!(blob.digest(), Digest::of(holds));
            assert_eq!(blobs.whole(blob.digest()).await.unwrap(), holds);
        }
    }
    assert_eq!(names_in(&folder.path().join("blobs")), 3);
}

#[tokio::test]
async fn a_file_whose_blob_was_replaced_by_the_same_bytes_is_kept_once_more() {
    let (folder, blobs, first) = scene().await;
    let second = Unnamed::begin(&folder.path().join("spool")).await.unwrap();
    for unnamed in [&first, &second] {
        unnamed
            .write(0, Bytes::from_static(b"the same"))
            .await
            .unwrap();
    }
    let stored = blobs.keep(&first).await.unwrap();
    let mut reading = File::open(
        folder
            .path()
            .join("blobs")
            .join(path(stored.digest()).as_ref()),
    );
    // Nobody wrote either of them down, so both come again.
    blobs.keep(&second).await.unwrap();

    let again = blobs.keep(&first).await.unwrap();

    assert_eq!(again, stored);
    assert!(!first.is_spoilt());
    assert_eq!(blobs.whole(again.digest()).await.unwrap(), "the same");
    // Whoever has it open reads on what it was.
    first.write(0, Bytes::from_static(b"THE")).await.unwrap();
    let read = io::read_to_string(reading.as_mut().unwrap()).unwrap();
    assert_eq!(read, "the same");
    assert_eq!(names_in(&folder.path().join("blobs")), 1);
}

#[tokio::test]
async fn a_blob_that_a_power_cut_tore_is_replaced() {
    let (folder, blobs, unnamed) = scene().await;
    let digest = Digest::of(b"whole");
    let torn = folder.path().join("blobs").join(path(digest).as_ref());
    fs::create_dir(torn.parent().unwrap()).unwrap();
    fs::write(&torn, "wh").unwrap();
    unnamed
        .write(0, Bytes::from_static(b"whole"))
        .await
        .unwrap();

    blobs.keep(&unnamed).await.unwrap();
    assert_eq!(blobs.whole(digest).await.unwrap(), "whole");
    fs::write(&torn, "wh").unwrap();
    blobs.put(Bytes::from_static(b"whole")).await.unwrap();

    assert_eq!(blobs.whole(digest).await.unwrap(), "whole");
}

#[test]
fn a_file_on_another_disk_or_without_its_name_for_good_is_not_linked() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("x");
    let file = File::create_new(&named).unwrap();
    fs::create_dir(folder.path().join("0a")).unwrap();
    fs::remove_file(&named).unwrap();

    // Such a file has no link left that another could be made of, as on a disk without nameless files.
    assert!(link(&file, &folder.path().join("0a/y")).is_err());
}

#[tokio::test]
async fn what_the_disk_failed_to_take_once_becomes_no_blob_later() {
    let (folder, blobs, unnamed) = scene().await;
    unnamed
        .write(0, Bytes::from_static(b"12345"))
        .await
        .unwrap();
    let digest = unnamed.digest().await.unwrap();
    let above = folder.path().join("blobs").join(path(digest).as_ref());
    // A folder in its place stands for a disk that fails half-way.
    fs::create_dir_all(above.join("x")).unwrap();
    assert!(!unnamed.is_spoilt());

    assert!(blobs.keep(&unnamed).await.is_err());

    assert!(unnamed.is_spoilt());
    fs::remove_dir_all(&above).unwrap();
    assert!(
        blobs.keep(&unnamed).await.is_err(),
        "nobody knows what was lost"
    );
    assert_eq!(blobs.list().await.unwrap(), (vec![], vec![]));
}

#[tokio::test]
async fn nothing_vouches_for_a_blob_that_was_stored_before_the_disk_failed() {
    let (folder, blobs, _) = scene().await;
    let stored = blobs.put(Bytes::from_static(b"12345")).await.unwrap();
    assert_eq!(blobs.sure(stored).await.unwrap(), Some(stored));
    assert!(blobs.never_failed());
    let other = Digest::of(b"67890");
    // A folder in its place stands for a disk that fails half-way.
    let in_place = folder.path().join("blobs").join(path(other).as_ref());
    fs::create_dir_all(in_place.join("x")).unwrap();

    assert!(blobs.put(Bytes::from_static(b"67890")).await.is_err());

    // It may have been removed, and put by somebody whose sync failed: a second one says nothing.
    assert_eq!(blobs.sure(stored).await.unwrap(), None);
    assert!(!blobs.never_failed());
    let again = blobs.put(Bytes::from_static(b"12345")).await.unwrap();
    assert_eq!(blobs.sure(again).await.unwrap(), Some(again));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_digest_is_that_of_the_whole_whatever_the_order(
        writes in proptest::collection::vec((0_u64..40, proptest::collection::vec(any::<u8>(), 0..12), 0_u64..4), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_folder, blobs, unnamed) = scene().await;
            let mut whole: Vec<u8> = Vec::new();
            for (offset, bytes, cut) in writes {
                let from = usize::try_from(offset).unwrap();
                if !bytes.is_empty() {
                    whole.resize(whole.len().max(from + bytes.len()), 0);
                    whole[from..from + bytes.len()].copy_from_slice(&bytes);
                    unnamed.write(offset, bytes.into()).await.unwrap();
                }
                if cut == 0 {
                    whole.truncate(from);
                    unnamed.cut(whole.len() as u64).await.unwrap();
                }
            }
            let stored = blobs.keep(&unnamed).await.unwrap();
            assert_eq!(stored.digest(), Digest::of(&whole));
            assert_eq!(blobs.whole(stored.digest()).await.unwrap(), whole);
        });
    }
}
