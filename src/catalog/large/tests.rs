//! Does a large folder come whole, in parts, as it was at first?

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::catalog::Durability;
use crate::catalog::deliveries::tests::{offer, office};

/// The inbox of one link, with so many files of each kind, each under a number of its own.
async fn crowd(catalog: &Catalog, firm: FirmId, device: DeviceId, kinds: [usize; 3]) {
    offer(catalog, firm, device, "first").await;
    let tx = catalog.begin(Durability::Kill).await;
    let mut tx = tx.unwrap();
    let mut run = async |text: &'static str, files: usize| {
        query(text)
            .bind(i64::try_from(files).unwrap())
            .execute(&mut *tx.inner)
            .await
            .unwrap();
    };
    run(
        "insert into dossier (firm_id, name, added_at) values (1, 'D', 0)",
        0,
    )
    .await;
    run(
        "insert into link (firm_id, dossier_id, profile, code, code_key, language, transfer, added_at)
         values (1, 1, 'generic', 'A', 'a', 'nl', 'at-once', 0)",
        0,
    )
    .await;
    run("update delivery set link_id = 1", 0).await;
    let all: usize = kinds.iter().sum();
    run(
        "insert into delivery (firm_id, document_id, link_id, device_id, flow, generation, current,
            state, routing, folder, folder_key, name, name_key, digest, bytes, created_at, offered_at)
         with recursive number (i) as (select 1 union all select i + 1 from number where i < $1)
         select firm_id, document_id, link_id, device_id, flow, generation, current,
            state, routing, folder, folder_key, 'F ' || i || '.xml', 'f ' || i || '.xml', digest, i, created_at, i
         from delivery cross join number where id = 1 and i <= $1",
        all,
    )
    .await;
    run(
        "update delivery set state = 'withdrawn', withdrawn_at = 1 where id = 1",
        0,
    )
    .await;
    // Many at the same time, as whoever marks in a hurry does.
    run(
        "update delivery set state = 'collected', collected_at = 1000 + bytes / 1500, read_at = 5 where id > 1 + $1",
        kinds[0],
    )
    .await;
    run(
        "update delivery set state = 'processed', act = 'copied', processed_at = collected_at where id > 1 + $1",
        kinds[0] + kinds[1],
    )
    .await;
    tx.commit().await.unwrap();
}

const PLACE: (LinkId, Flow) = (LinkId(1), Flow::Purchase);

const FOLDER: &str = "/codabox/a/2025/invoices-in-01";

const EVER: Since = Since {
    collected: Timestamp(0),
    collected_until: Timestamp(i64::MAX),
    copied: Timestamp(0),
    copied_until: Timestamp(i64::MAX),
    done: Timestamp(0),
};

async fn begin(catalog: &Catalog, firm: FirmId, device: DeviceId) -> LargeFolder {
    let of = vec![(PLACE, EVER)];
    let begun = catalog.large_folder(firm, device, FOLDER, of).await;
    begun.unwrap()
}

/// One of so many files, and its catalog in this folder.
pub(crate) async fn large_folder_for_tests(folder: &Path, files: usize) -> (Catalog, LargeFolder) {
    let (catalog, firm, device) = office(&folder.join("c.sqlite")).await;
    crowd(&catalog, firm, device, [files, 0, 0]).await;
    let begun = begin(&catalog, firm, device).await;
    (catalog, begun)
}

/// How large each part is, and what all of them say.
async fn all(folder: &mut LargeFolder) -> (Vec<usize>, Vec<Shown>) {
    let (mut sizes, mut files) = (Vec::new(), Vec::new());
    loop {
        let part = folder.next().await.unwrap();
        if part.is_empty() {
            assert_eq!(folder.next().await.unwrap(), [], "its end is told again");
            return (sizes, files);
        }
        sizes.push(part.len());
        files.extend(part);
    }
}

#[tokio::test]
async fn a_large_folder_is_what_its_files_are_each_once_wherever_a_part_ends() {
    const N: usize = PART_FILES;
    for (kinds, sizes) in [
        ([0, 0, 0], vec![]),
        ([N - 1, 0, 0], vec![N - 1]),
        ([N, 0, 0], vec![N]),
        ([N + 1, 0, 0], vec![N, 1]),
        ([2 * N, N, N], vec![N; 4]),
        ([N - 1, N, 1], vec![N, N]),
        ([1, 2 * N + 1, N + 1], vec![N, N, N, 3]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
        crowd(&catalog, firm, device, kinds).await;
        let whole = catalog.inbox(firm, device, PLACE, (FOLDER, usize::MAX), EVER);
        let whole = whole.await.unwrap().unwrap();

        let mut folder = begin(&catalog, firm, device).await;
        let (found, files) = all(&mut folder).await;

        assert_eq!(found, sizes);
        let names: BTreeSet<_> = files.iter().map(|file| &file.name).collect();
        assert_eq!(names.len(), files.len(), "none comes twice");
        assert_eq!(files.len(), whole.len());
        for file in &whole {
            assert!(names.contains(&file.name));
        }
        let is_its_own = |file: &Shown| file.name == format!("F {}.xml", file.bytes);
        assert!(files.iter().all(is_its_own));
        let offered = files.iter().take(kinds[0]).map(|file| file.offered_at);
        assert!(offered.is_sorted(), "as they were offered");
    }
}

#[tokio::test]
async fn a_folder_of_one_file_more_is_too_large_to_be_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
    crowd(&catalog, firm, device, [10, 10, 10]).await;
    let inbox = async |most| {
        let asked = catalog.inbox(firm, device, PLACE, (FOLDER, most), EVER);
        asked.await.unwrap().map(|files| files.len())
    };

    assert_eq!(inbox(30).await, Some(30));
    assert_eq!(inbox(29).await, None);
}

#[tokio::test]
async fn whatever_changes_while_a_large_folder_is_read_it_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
    crowd(&catalog, firm, device, [2 * PART_FILES, PART_FILES, 10]).await;
    let before = all(&mut begin(&catalog, firm, device).await).await;
    let mut reading = begin(&catalog, firm, device).await;
    let first = reading.next().await.unwrap();

    // Each file that has come would come again, each that has not would be missed, and one is new.
    offer(&catalog, firm, device, "late.xml").await;
    let mut tx = catalog.begin(Durability::Kill).await.unwrap();
    for change in [
        "update delivery set state = 'collected', collected_at = 2000000 where state = 'offered' and id % 3 = 0",
        "update delivery set state = 'withdrawn' where state = 'offered' and id % 3 = 1",
        "update delivery set name = 'renamed', bytes = 7 where state = 'collected' and id % 2 = 0",
    ] {
        query(change).execute(&mut *tx.inner).await.unwrap();
    }
    tx.commit().await.unwrap();
    let (_, rest) = all(&mut reading).await;

    let files = [first, rest].concat();
    assert!(files == before.1);
    let after = all(&mut begin(&catalog, firm, device).await).await;
    assert!(files != after.1);
}

#[tokio::test]
async fn a_link_is_read_after_another_and_each_by_its_own_times() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
    crowd(&catalog, firm, device, [5, 3000, 0]).await;
    let other = (LinkId(2), Flow::Purchase);
    let none = Since {
        collected: Timestamp(1001),
        collected_until: Timestamp(1001),
        ..EVER
    };
    let of = vec![(other, EVER), (PLACE, none)];

    let begun = catalog.large_folder(firm, device, FOLDER, of).await;
    let (sizes, files) = all(&mut begun.unwrap()).await;

    let collected = files.iter().skip(5).map(|file| file.bytes);
    assert_eq!(sizes, [1505]);
    assert!(collected.eq(1500..3000));
}
