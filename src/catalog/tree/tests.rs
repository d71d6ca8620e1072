//! Does what a session asks stay quick, however many deliveries there are?

use super::*;
use crate::catalog::deliveries::tests::office;

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
    for (question, by) in [
        (INBOX, inbox),
        (ONE, "(device_id=? AND folder_key=? AND name_key=?)"),
        (DONE, "(link_id=? AND flow=?)"),
        (DONE_ONE, "(link_id=? AND flow=? AND name_key=?)"),
        (COPIES, "(document_id=?)"),
        (PLACED, next),
    ] {
        let plan = plan(&catalog, question).await;

        assert!(plan.contains(by), "{question}\n\n{plan}");
        for table in ["delivery", "document", "d", "n"] {
            let all = plan.lines().any(|step| step == format!("SCAN {table}"));
            assert!(!all, "{question}\n\n{plan}");
        }
    }
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
