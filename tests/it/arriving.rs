//! What becomes of what arrives?

use std::sync::Arc;

use sluis::ingest::place::Places;
use sluis::ingest::{Arrival, Outcome};
use sluis::layout::Profiles;
use sluis::model::{DeviceKind, Language, Transfer, with_causes};
use sluis::sending::Waiting;

use crate::gateway::{BAKERY, Gateway, MILL, fixture, invoice, invoice_between};

#[tokio::test]
async fn an_invoice_between_two_dossiers_is_a_sale_of_one_and_a_purchase_of_the_other() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let mill = gateway.dossier(&office, "Molens", &[MILL]).await;
    gateway
        .link_as(
            &office,
            mill,
            "bob-demat",
            "MOLEN",
            Some(device.id),
            Transfer::AtOnce,
        )
        .await;

    let taken = gateway.receive(&office, invoice("F-1", 2000)).await;

    assert_eq!(taken.outcome, Outcome::Kept);
    assert_eq!(
        gateway.deliveries(&office).await,
        [
            "/bob-demat/MOLEN/verkopen/20260314-00001_F-1_0771234528.xml offered",
            "/expertm/ACME/Te Verwerken/Aankopen/20260314-00001_F-1_0451827384.xml offered",
        ]
    );
}

#[tokio::test]
async fn the_three_levels_of_duplicates() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let first = gateway.receive(&office, invoice("F-1", 2000)).await;

    let same_bytes = gateway.receive(&office, invoice("F-1", 2000)).await;
    let other_bytes = gateway.receive(&office, invoice("f-1", 2100)).await;
    let other_number = gateway.receive(&office, invoice("F-10", 2000)).await;

    assert_eq!(first.outcome, Outcome::Kept);
    assert_eq!(
        (same_bytes.outcome, same_bytes.document),
        (Outcome::Recognised, first.document)
    );
    assert_eq!(other_bytes.outcome, Outcome::Held);
    assert_eq!(other_bytes.reasons, ["suspected_duplicate"]);
    assert_eq!(other_number.outcome, Outcome::Kept);
    assert_eq!(
        gateway.deliveries(&office).await.len(),
        3,
        "what is recognised is written once"
    );
}

#[tokio::test]
async fn the_same_envelope_is_recognised_and_a_changed_content_in_it_is_held() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let envelope = String::from_utf8(fixture("sbdh-invoice.xml")).unwrap();
    gateway.receive(&office, envelope.clone()).await;

    let sent_again = gateway.receive(&office, format!("{envelope}\n")).await;

    assert_eq!(sent_again.outcome, Outcome::Recognised);
    // What is read is not all that is written: another account to pay to, all else alike.
    let paid_to = |account: &str| {
        let means = format!(
            "</cac:AccountingCustomerParty><cac:PaymentMeans><cbc:PaymentMeansCode>30</cbc:PaymentMeansCode>\
             <cac:PayeeFinancialAccount><cbc:ID>{account}</cbc:ID></cac:PayeeFinancialAccount></cac:PaymentMeans>"
        );
        envelope.replacen("</cac:AccountingCustomerParty>", &means, 1)
    };
    assert_ne!(paid_to("BE1"), envelope);
    for account in ["BE71096123456769", "BE68539007547034"] {
        let corrected = gateway.receive(&office, paid_to(account)).await;
        assert_eq!(corrected.outcome, Outcome::Held, "{account}");
        assert_eq!(corrected.reasons, ["suspected_duplicate"]);
    }
}

#[tokio::test]
async fn what_has_no_home_waits_and_leaves_when_it_has_one() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let unknown = gateway
        .receive(&office, invoice_between("0809172614", MILL, "X-1", 900))
        .await;
    let no_link = gateway.receive(&office, invoice("F-1", 900)).await;
    assert_eq!(
        (unknown.reasons, no_link.reasons),
        (
            vec!["unknown_dossier".to_owned()],
            vec!["no_link".to_owned()]
        )
    );

    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    gateway.link(&office, "ACME", &device).await;
    let after_link = gateway
        .house
        .sending
        .look_again(office.firm, Waiting::Stays, gateway.now())
        .await
        .unwrap()
        .sent;
    let mill = gateway.dossier(&office, "Molens", &[MILL]).await;
    gateway
        .link_as(&office, mill, "expertm", "MOLEN", None, Transfer::AtOnce)
        .await;
    let after_dossier = gateway
        .house
        .sending
        .look_again(office.firm, Waiting::Stays, gateway.now())
        .await
        .unwrap()
        .sent;

    assert_eq!((after_link, after_dossier), (1, 0));
    assert_eq!(
        gateway.deliveries(&office).await,
        [
            "- held (no_device)",
            "/expertm/ACME/Te Verwerken/Aankopen/20260314-00001_F-1_0451827384.xml offered",
        ],
        "what was sent already is not sent to the new dossier by itself"
    );
}

#[tokio::test]
async fn what_is_no_invoice_goes_into_no_invoice_folder() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;

    for (file, outcome, reason) in [
        ("cii.xml", Outcome::Held, "format"),
        ("hybrid.pdf", Outcome::Held, "format"),
        ("order.xml", Outcome::Held, "format"),
        ("application-response.xml", Outcome::Held, "not_an_invoice"),
    ] {
        let taken = gateway.receive(&office, fixture(file)).await;
        assert_eq!(
            (taken.outcome, taken.reasons),
            (outcome, vec![reason.to_owned()]),
            "{file}"
        );
    }
    for file in ["dtd-bomb.xml", "broken.xml", "not-xml.txt"] {
        assert_eq!(
            gateway.receive(&office, fixture(file)).await.outcome,
            Outcome::Quarantined,
            "{file}"
        );
    }
    assert!(
        gateway
            .deliveries(&office)
            .await
            .iter()
            .all(|line| line.starts_with("- held"))
    );
}

#[tokio::test]
async fn many_arrivals_at_once_are_each_kept_under_their_own_digest() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let documents: Vec<_> = (0..64)
        .map(|at| invoice(&format!("F-{at}"), 3000))
        .collect();

    let taking = documents
        .iter()
        .map(|bytes| gateway.receive(&office, bytes.clone()));
    let taken = futures_util::future::join_all(taking).await;

    let digests: std::collections::BTreeSet<_> = taken.iter().map(|taken| taken.digest).collect();
    assert_eq!(digests.len(), 64);
    for (document, taken) in documents.iter().zip(&taken) {
        assert_eq!(
            gateway.house.blobs.whole(taken.digest).await.unwrap(),
            *document
        );
    }
    let peer = gateway.connect(&device).await;
    let names = peer
        .list("/expertm/ACME/Te Verwerken/Aankopen")
        .await
        .unwrap();
    assert_eq!(names.len(), 64);
    assert!(names.is_sorted());
}

#[tokio::test]
async fn a_self_billed_invoice_that_the_bakery_wrote_is_the_sellers_sale() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let joiner = gateway.dossier(&office, "Van Aerde", &["1003456783"]).await;
    gateway
        .link_as(&office, joiner, "expertm", "AERDE", None, Transfer::Manual)
        .await;
    gateway
        .link_as(
            &office,
            office.dossier,
            "expertm",
            "ACME",
            None,
            Transfer::Manual,
        )
        .await;

    gateway
        .receive(&office, fixture("self-billed-389.xml"))
        .await;

    let rows = gateway
        .house
        .catalog
        .delivery_rows(office.firm, 0, 10)
        .await
        .unwrap();
    let flows: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.dossier_name.as_deref().unwrap(),
                row.delivery.flow.unwrap().as_str(),
            )
        })
        .collect();
    assert_eq!(flows, [("Van Aerde", "sale"), ("De Korenaar", "purchase")]);
    let _ = BAKERY;
}

#[tokio::test]
async fn a_link_whose_folder_cannot_be_made_holds_its_documents_and_hides_no_other() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let mill = gateway.dossier(&office, "Molens", &[MILL]).await;
    gateway
        .link_as(
            &office,
            mill,
            "gone",
            "MOLEN",
            Some(device.id),
            Transfer::AtOnce,
        )
        .await;

    let taken = gateway.receive(&office, invoice("F-1", 900)).await;

    assert_eq!(taken.reasons, ["no_place"]);
    let peer = gateway.connect(&device).await;
    assert_eq!(peer.list("/expertm").await.unwrap(), ["ACME"]);
}

#[tokio::test]
async fn two_links_that_a_changed_profile_gives_one_folder_get_nothing_there_until_it_is_mended() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let mill = gateway.dossier(&office, "De Korenaar", &[MILL]).await;
    let third = gateway.dossier(&office, "De Wever", &["0403019261"]).await;
    for (dossier, code) in [(mill, "MOLEN"), (third, "WEVER")] {
        let (device, at_once) = (Some(device.id), Transfer::AtOnce);
        gateway
            .link_as(&office, dossier, "expertm", code, device, at_once)
            .await;
    }
    let (ingest, sending) = (&gateway.house.ingest, &gateway.house.sending);
    let before = gateway.house.places.clone();
    let text = include_str!("../../config/profiles/expertm.toml");
    let by_name = text.replace("{dossier_code}", "{dossier_name}");
    let changed = Profiles::new([("expertm.toml", by_name.as_str())]).unwrap();
    ingest.set_places(Places::new(Arc::new(changed), before.zone().clone()));

    let taken = gateway.receive(&office, invoice("F-1", 900)).await;
    assert_eq!(taken.reasons, ["no_place"; 2]);
    let alone = invoice_between("0809172614", "0403019261", "F-2", 900);
    let taken = gateway.receive(&office, alone).await;
    assert_eq!(taken.outcome, Outcome::Kept, "it has a folder of its own");
    let catalog = &gateway.house.catalog;
    let held = catalog.held(office.firm).await.unwrap();
    let by_hand = sending.send(office.firm, held[0].id, None, gateway.now());
    let why = by_hand.await.unwrap_err();
    assert!(with_causes(&why).contains("nobody could tell"), "{why:?}");
    let again = sending.look_again(office.firm, Waiting::Stays, gateway.now());
    assert_eq!(again.await.unwrap().sent, 0);

    ingest.set_places(before);
    let again = sending.look_again(office.firm, Waiting::Stays, gateway.now());
    assert_eq!(again.await.unwrap().sent, 2);
}

#[tokio::test]
async fn a_code_that_was_another_dossiers_before_uses_no_name_again() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let path = "/expertm/ACME/Te Verwerken/Aankopen/20260314-00001_F-1_0451827384.xml";
    gateway.connect(&device).await.get(path).await.unwrap();
    let links = gateway.house.catalog.links(office.firm).await.unwrap();
    gateway
        .house
        .catalog
        .remove_link(office.firm, &links[0], gateway.now())
        .await
        .unwrap();
    let printer = gateway
        .dossier(&office, "Imprimerie", &["0809172614"])
        .await;
    gateway
        .link_as(
            &office,
            printer,
            "expertm",
            "acme",
            Some(device.id),
            Transfer::AtOnce,
        )
        .await;

    let same_number = invoice_between(MILL, "0809172614", "F-1", 900);
    gateway.receive(&office, same_number).await;

    let last = gateway.deliveries(&office).await.pop().unwrap();
    assert!(
        last.contains("suspected_duplicate") || last.contains("20260314-00002_"),
        "{last}"
    );
}

#[tokio::test]
async fn an_instance_id_that_is_used_again_for_something_else_loses_nothing() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let envelope = String::from_utf8(fixture("sbdh-invoice.xml")).unwrap();
    let nameless = |text: &str| {
        let start = envelope.find("<cbc:ID>").unwrap();
        let end = envelope.find("</cbc:ID>").unwrap() + "</cbc:ID>".len();
        format!("{}<!-- {text} -->{}", &envelope[..start], &envelope[end..])
    };
    let first = gateway.receive(&office, nameless("one")).await;

    let again = gateway.receive(&office, nameless("one") + "\n").await;
    let other = gateway.receive(&office, nameless("another")).await;

    assert_eq!(first.outcome, Outcome::Kept);
    assert_eq!(again.outcome, Outcome::Recognised);
    assert_eq!(
        (other.outcome, other.reasons),
        (Outcome::Held, vec!["suspected_duplicate".to_owned()])
    );
}

#[tokio::test]
async fn an_envelope_with_another_amount_in_it_is_held_and_not_taken_for_the_first() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let envelope = String::from_utf8(fixture("sbdh-invoice.xml")).unwrap();
    gateway.receive(&office, envelope.clone()).await;
    let start = envelope.find("<cbc:PayableAmount").unwrap();
    let amount = start + envelope[start..].find('>').unwrap() + 1;
    let changed = format!("{}9{}", &envelope[..amount], &envelope[amount..]);

    let taken = gateway.receive(&office, changed).await;

    assert_eq!(taken.outcome, Outcome::Held);
    assert_eq!(taken.reasons, ["suspected_duplicate"]);
}

#[tokio::test]
async fn what_is_on_its_way_to_a_firm_that_was_removed_lands_at_no_other() {
    let gateway = Gateway::start().await;
    let slug = "alpha".parse().unwrap();
    let house = &gateway.house;
    let gone = house
        .catalog
        .add_firm(&slug, "Alpha", Language::Nl, gateway.now())
        .await
        .unwrap();
    house.catalog.remove_firm(gone).await.unwrap();
    let other = gateway.office("beta").await;
    let arrival = Arrival::new("drop:F-1.xml", invoice("F-1", 900));

    let taken = house.ingest.take(gone, vec![arrival], gateway.now()).await;

    let why = with_causes(&taken.unwrap_err());
    assert!(why.ends_with("firm 1 is not known"), "{why}");
    assert_ne!(gone, other.firm);
    assert_eq!(gateway.deliveries(&other).await, Vec::<String>::new());
}
