//! Is a document that a person gave to other books there, and never again where it was?

use sluis::catalog::{DeliveryRow, LinkRules, NewLink};
use sluis::model::{DeviceKind, DossierId, Flow, Language, Transfer};
use sluis::sending::{Destination, Error, Expected, Waiting};

use crate::gateway::{Gateway, Login, MILL, Office, invoice, invoice_between};

const WEAVER: &str = "0403019261";

async fn rows(gateway: &Gateway, office: &Office) -> Vec<DeliveryRow> {
    let catalog = &gateway.house.catalog;
    catalog.delivery_rows(office.firm, 0, 100).await.unwrap()
}

/// `dossier state (reason)` of each delivery, in order.
async fn stand(gateway: &Gateway, office: &Office) -> Vec<String> {
    let line = |row: &DeliveryRow| {
        let reason = row.delivery.reason.map_or("", |reason| reason.as_str());
        let dossier = row.dossier_name.as_deref().unwrap_or("-");
        let state = row.delivery.state.as_str();
        format!("{dossier} {state} {reason}").trim().to_owned()
    };
    rows(gateway, office).await.iter().map(line).collect()
}

/// The bakery with a link, and the weaver with another.
async fn two_dossiers(gateway: &Gateway) -> (Office, Login, DossierId) {
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let weaver = gateway.dossier(&office, "De Wever", &[WEAVER]).await;
    let (profile, code) = ("expertm", "WEVER");
    let at_once = Transfer::AtOnce;
    gateway
        .link_as(&office, weaver, profile, code, Some(device.id), at_once)
        .await;
    (office, device, weaver)
}

fn purchase(dossier: DossierId) -> Destination {
    Destination {
        dossier,
        flow: Flow::Purchase,
    }
}

#[tokio::test]
async fn what_was_moved_is_not_sent_again_to_the_books_it_left() {
    let gateway = Gateway::start().await;
    let (office, _, weaver) = two_dossiers(&gateway).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let old = rows(&gateway, &office).await[0].delivery.id;
    let to = purchase(weaver);
    let moving = sending.move_to(firm, old, to, "its branch", gateway.now());
    assert_eq!(moving.await.unwrap(), 1);

    let again = sending.resend(firm, old, "lost", gateway.now()).await;

    assert!(matches!(again, Err(Error::State { .. })), "{again:?}");
    let expected = ["De Korenaar withdrawn", "De Wever offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
    let new = rows(&gateway, &office).await[1].delivery.id;
    let back = purchase(office.dossier);
    let moving = sending.move_to(firm, new, back, "it was right", gateway.now());
    assert_eq!(moving.await.unwrap(), 1, "a person may give it back");
    assert_eq!(stand(&gateway, &office).await[2], "De Korenaar offered");
}

#[tokio::test]
async fn what_looks_like_another_is_held_where_it_is_moved_to() {
    let gateway = Gateway::start().await;
    let (office, _, weaver) = two_dossiers(&gateway).await;
    let unknown = |bytes| invoice_between(MILL, "0809172614", "F-1", bytes);
    gateway.receive(&office, unknown(900)).await;
    gateway.receive(&office, unknown(1500)).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let second = rows(&gateway, &office).await[1].delivery.id;

    let to = purchase(weaver);
    let moving = sending.move_to(firm, second, to, "its branch", gateway.now());

    assert_eq!(moving.await.unwrap(), 0);
    let last = stand(&gateway, &office).await.pop().unwrap();
    assert_eq!(last, "De Wever held suspected_duplicate");
}

#[tokio::test]
async fn what_a_person_holds_back_is_held_back_where_it_is_moved_to() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    let weaver = gateway.dossier(&office, "De Wever", &[WEAVER]).await;
    for (dossier, code, transfer) in [
        (office.dossier, "ACME", Transfer::Manual),
        (weaver, "WEVER", Transfer::AtOnce),
    ] {
        gateway
            .link_as(&office, dossier, "expertm", code, Some(device.id), transfer)
            .await;
    }
    gateway.receive(&office, invoice("F-1", 900)).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let id = rows(&gateway, &office).await[0].delivery.id;
    let holding = sending.hold(firm, id, "ask the client", gateway.now());
    holding.await.unwrap();

    let to = purchase(weaver);
    let moving = sending.move_to(firm, id, to, "its branch", gateway.now());

    assert_eq!(moving.await.unwrap(), 0);
    let last = stand(&gateway, &office).await.pop().unwrap();
    assert_eq!(last, "De Wever held on_hold");
    let links = gateway.house.catalog.links(firm).await.unwrap();
    let removing = gateway
        .house
        .catalog
        .remove_link(firm, &links[1], gateway.now());
    assert!(removing.await.is_err(), "the next link would send it");
}

#[tokio::test]
async fn what_was_moved_to_books_without_a_link_leaves_once_there_is_one() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let weaver = gateway.dossier(&office, "De Wever", &[WEAVER]).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let old = rows(&gateway, &office).await[0].delivery.id;
    let to = purchase(weaver);
    let moving = sending.move_to(firm, old, to, "its branch", gateway.now());
    assert_eq!(moving.await.unwrap(), 0);
    let expected = ["De Korenaar withdrawn", "De Wever held no_link"];
    assert_eq!(stand(&gateway, &office).await, expected);
    let link = NewLink {
        dossier: weaver,
        profile: "expertm",
        code: "WEVER",
        language: Language::Nl,
        device: Some(device.id),
        sends: LinkRules::FIRM,
    };
    let adding = gateway.house.catalog.add_link(firm, &link, gateway.now());
    adding.await.unwrap();

    let look = sending.look_again(firm, Waiting::Stays, gateway.now());

    assert_eq!(look.await.unwrap(), 1);
    let expected = ["De Korenaar withdrawn", "De Wever offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_was_collected_meanwhile_is_not_sent_again_from_an_old_list() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let row = rows(&gateway, &office).await.remove(0);
    let path = path_of(&row);
    let peer = gateway.connect(&device).await;
    peer.get(&path).await.unwrap();

    let (sending, firm) = (&gateway.house.sending, office.firm);
    let expected = Expected::In(row.delivery.state);
    let sent = sending.resend_as(firm, row.delivery.id, expected, "moved", gateway.now());

    assert!(matches!(sent.await, Err(Error::State { .. })));
    assert_eq!(stand(&gateway, &office).await, ["De Korenaar collected"]);
}

fn path_of(row: &DeliveryRow) -> String {
    let offer = row.delivery.offer.as_ref().unwrap();
    format!("{}/{}", offer.folder, offer.name)
}
