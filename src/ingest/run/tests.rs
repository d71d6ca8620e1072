//! What is taken in, and what is left of it when that ends early?

use jiff::tz::TimeZone;

use super::*;
use crate::layout::Profiles;
use crate::model::Language;

const NOW: Timestamp = Timestamp(1_767_225_600_000);

async fn ingest(folder: &std::path::Path) -> (Ingest, FirmId) {
    let catalog = Catalog::open(&folder.join("catalog.db")).await.unwrap();
    let slug = "peeters".parse().unwrap();
    let firm = catalog
        .add_firm(&slug, "Kantoor Peeters", Language::Nl, NOW)
        .await
        .unwrap();
    std::fs::create_dir(folder.join("blobs")).unwrap();
    let blobs = Blobs::in_folder(&folder.join("blobs")).unwrap();
    let places = Places::new(Arc::new(Profiles::new([]).unwrap()), TimeZone::UTC);
    (Ingest::new(catalog, blobs, places), firm)
}

async fn take_one(ingest: &Ingest, firm: FirmId, text: &'static str) -> Taken {
    let arrival = Arrival::new("drop:F-1.xml", text);
    let taken = ingest.take(firm, vec![arrival], NOW).await.unwrap();
    taken.into_iter().next().unwrap()
}

#[tokio::test]
async fn what_was_quarantined_is_so_when_it_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let (ingest, firm) = ingest(folder.path()).await;

    let first = take_one(&ingest, firm, "no xml").await;
    let again = take_one(&ingest, firm, "no xml").await;

    assert_eq!(
        (first.outcome, again.outcome),
        (Outcome::Quarantined, Outcome::Recognised)
    );
    assert!(first.quarantined && again.quarantined);
    assert_eq!(
        (again.document, again.reasons),
        (first.document, first.reasons)
    );
}

#[tokio::test]
async fn a_door_learns_of_each_firm() {
    let folder = tempfile::tempdir().unwrap();
    let (ingest, firm) = ingest(folder.path()).await;

    let firms = ingest.firms().await.unwrap();

    let [known] = firms.as_slice() else {
        panic!("{firms:?}")
    };
    assert_eq!(
        (known.id, known.slug.as_str(), known.language),
        (firm, "peeters", Language::Nl)
    );
}
