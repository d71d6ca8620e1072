//! What is taken in, and what is left of it when that ends early?

use jiff::tz::TimeZone;

use super::*;
use crate::catalog::{LinkRules, NewDevice, NewLink};
use crate::layout::Profiles;
use crate::model::{Approval, DeviceKind, EventKind, Identifier, Language, OrFirm, Transfer};

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

/// Links a bakery to `expertm` as `ACME`, which sends at once.
async fn link(catalog: &Catalog, firm: FirmId) {
    let name = "pc".parse().unwrap();
    let device = NewDevice {
        name: &name,
        kind: DeviceKind::Pull,
        password_hash: None,
        keys: &[],
        is_default: true,
    };
    catalog.add_device(firm, &device, NOW).await.unwrap();
    let numbers = [Identifier::new("0771234528").unwrap()];
    let dossier = catalog.add_dossier(firm, "De Korenaar", &numbers, NOW);
    let link = NewLink {
        dossier: dossier.await.unwrap(),
        profile: "expertm",
        code: "ACME",
        language: Language::Nl,
        device: None,
        sends: LinkRules {
            transfer: OrFirm::Own(Transfer::AtOnce),
            approval: OrFirm::Own(Approval::NotNeeded),
            ..LinkRules::FIRM
        },
    };
    catalog.add_link(firm, &link, NOW).await.unwrap();
}

#[tokio::test]
async fn a_reload_in_the_middle_of_a_transaction_counts_for_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let (ingest, firm) = ingest(folder.path()).await;
    link(&ingest.catalog, firm).await;
    let text = include_str!("../../../tests/fixtures/ubl/peppol-invoice.xml");
    let arrival = Arrival::new("drop:F-1.xml", text);
    let ready = ingest.prepare(firm, arrival, ingest.catalog.sweeps());
    let ready = ready.await.unwrap();
    let beginning = ingest.catalog.begin_at(firm, Durability::PowerCut);
    let (mut tx, version) = beginning.await.unwrap();
    let facts = ingest.facts(firm, version).await.unwrap();

    let expertm = include_str!("../../../config/profiles/expertm.toml");
    let by_name = expertm.replace("{dossier_code}", "{dossier_name}");
    let changed = Profiles::new([("expertm.toml", by_name.as_str())]).unwrap();
    ingest.set_places(Places::new(Arc::new(changed), TimeZone::UTC));
    let mut writing = Writing {
        tx: &mut tx,
        firm,
        now: NOW,
        told: Vec::new(),
    };
    ingest
        .write_down(&mut writing, &ready, &facts)
        .await
        .unwrap();

    let offered = writing.told.last().unwrap();
    assert_eq!(offered.kind, EventKind::Offered);
    let detail = &offered.detail;
    assert!(detail.starts_with("/expertm/ACME/"), "{detail}");
}
