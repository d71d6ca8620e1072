//! Does what a session asks stay quick, however many deliveries there are?

use super::*;
use crate::catalog::deliveries::tests::{NOW, offer, office};
use crate::catalog::large::{COLLECTED, COPIED, OFFERED};
use crate::catalog::marks::NAME_IN_USE;
use crate::catalog::names::NAME_USED;

/// How SQLite would look for the answer.
pub(in crate::catalog) async fn plan(catalog: &Catalog, question: &'static str) -> String {
    let explained = format!("explain query plan {question}");
    let rows = query(sqlx::AssertSqlSafe(explained))
        .fetch_all(&catalog.readers)
        .await
        .unwrap();
    let steps: Vec<_> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
    steps.join("\n")
}

#[tokio::test]
async fn a_session_asks_by_index_and_never_goes_through_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, ..) = office(&folder.path().join("c.sqlite")).await;
    let inbox = "(device_id=? AND folder_key=? AND link_id=? AND flow=? AND collected_at=?)";
    let next = "(device_id=? AND folder_key=? AND link_id=? AND flow>?)";
    let collected = inbox.replace("collected_at=?", "collected_at>? AND collected_at<?");
    let copied = "(device_id=? AND folder_key=? AND processed_at>? AND processed_at<?)";
    let after = inbox.replace("collected_at=?", "collected_at=? AND rowid>?");
    for (question, by) in [
        (INBOX, inbox),
        (INBOX, collected.as_str()),
        (INBOX, copied),
        (OFFERED, after.as_str()),
        (COLLECTED, collected.as_str()),
        (COPIED, copied),
        (ONE, "(device_id=? AND folder_key=? AND name_key=?)"),
        (DONE, "(link_id=? AND flow=?)"),
        (DONE_ONE, "(link_id=? AND flow=? AND name_key=?)"),
        (OF_SIZE, "(link_id=? AND flow=?)"),
        (COPIES, "(document_id=?)"),
        (PLACED, next),
        (NAME_IN_USE, "(dossier_id=?)"),
        (NAME_IN_USE, "(link_id=? AND flow=? AND name_key=?)"),
        (NAME_IN_USE, "(link_id=? AND flow=? AND moved_key=?)"),
        (NAME_USED, "(device_id=? AND folder_key=? AND name_key=?)"),
        (NAME_USED, "(dossier_id=?)"),
        (NAME_USED, "(link_id=? AND flow=? AND moved_key=?)"),
    ] {
        let plan = plan(&catalog, question).await;

        assert!(plan.contains(by), "{question}\n\n{plan}");
        for table in ["delivery", "document", "d", "n", "o", "own", "akin"] {
            let all = plan.lines().any(|step| step == format!("SCAN {table}"));
            assert!(!all, "{question}\n\n{plan}");
        }
        let is_sorted_first =
            [OFFERED, COLLECTED, COPIED].contains(&question) && plan.contains("TEMP B-TREE");
        assert!(!is_sorted_first, "{question}\n\n{plan}");
    }
}

#[tokio::test]
async fn what_is_done_with_is_listed_as_each_file_is_found_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
    let moved = [
        "a.xml",
        " led by a space.xml",
        "Ééén façade.xml",
        "1 2 offered 0.xml",
        "%_'\".xml",
        "z",
    ];
    for at in 0..2 * moved.len() {
        offer(&catalog, firm, device, &format!("{at:02}.xml")).await;
    }
    let tx = catalog.begin(crate::catalog::Durability::Kill).await;
    let mut tx = tx.unwrap();
    let change = |text: &'static str| query(text);
    change("insert into dossier (firm_id, name, added_at) values (1, 'D', 0)")
        .execute(&mut *tx.inner)
        .await
        .unwrap();
    change(
        "insert into link (firm_id, dossier_id, profile, code, code_key, language, transfer, added_at)
         values (1, 1, 'generic', 'A', 'a', 'nl', 'at-once', 0)",
    )
    .execute(&mut *tx.inner)
    .await
    .unwrap();
    change("update delivery set link_id = 1, state = 'processed', processed_at = 5, collected_at = 5, read_at = 5")
        .execute(&mut *tx.inner)
        .await
        .unwrap();
    change("update delivery set state = 'collected', offered_at = null, read_at = null where id % 3 = 0")
        .execute(&mut *tx.inner)
        .await
        .unwrap();
    for (name, id) in moved.iter().rev().zip(1_i64..) {
        query("update delivery set moved_name = $2, moved_key = $3 where id = $1")
            .bind(id)
            .bind(*name)
            .bind(fold(name))
            .execute(&mut *tx.inner)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let (place, since) = (
        (LinkId(1), Flow::Purchase),
        Since {
            collected: NOW,
            collected_until: NOW,
            copied: NOW,
            copied_until: NOW,
            done: Timestamp(0),
        },
    );

    let done = catalog.done_with(firm, device, place, since).await.unwrap();

    let own: Vec<_> = (1..).take(2 * moved.len()).map(DeliveryId).collect();
    let listed: Vec<_> = done.iter().map(|file| file.delivery).collect();
    assert_eq!(listed, own, "by the names that they were offered under");
    for file in done {
        let key = fold(&file.name);
        let found = catalog.done_file(firm, device, place, &key, since).await;
        assert_eq!(found.unwrap(), Some(file));
    }
    let size = async |bytes| catalog.has_size(firm, device, place, bytes).await.unwrap();
    assert!(size(1).await);
    assert!(!size(2).await);
}

#[test]
fn a_line_of_a_listing_that_nobody_understands_is_told_without_its_name() {
    let digest = Digest::of(b"x");
    let line = format!("1 2 gone 0 {digest} 3 4 Zilverspar BV.xml");

    let told = from_line(&line).unwrap_err().to_string();

    assert!(told.contains("`gone` as a state of a listing"), "{told}");
    assert!(!told.contains("Zilverspar"), "{told}");
    assert!(from_line(&line.replace("gone", "offered")).is_ok());
}
