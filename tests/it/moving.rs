//! Is a document that a person gave to other books there, and never again where it was?

use sluis::catalog::{DeliveryRow, LinkRules, NewLink};
use sluis::model::{DeviceKind, DossierId, FirmId, Flow, HeldReason, Language, Transfer};
use sluis::sending::{Destination, Error, Expected, Waiting};

use crate::gateway::{BAKERY, Gateway, Login, MILL, Office, invoice, invoice_between};

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

#[tokio::test]
async fn whoever_moves_a_document_is_told_of_each_program_that_has_it_already() {
    let gateway = Gateway::start().await;
    let (office, _, weaver) = two_dossiers(&gateway).await;
    let other = gateway.device(&office, "other", DeviceKind::Pull).await;
    let (bakery, at_once) = (office.dossier, Transfer::AtOnce);
    gateway
        .link_as(&office, bakery, "bob-demat", "BAK", Some(other.id), at_once)
        .await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let peer = gateway.connect(&other).await;
    let both = rows(&gateway, &office).await;
    let offer = both[1].delivery.offer.as_ref().unwrap();
    let path = format!("{}/{}", offer.folder, offer.name);
    peer.get(&path).await.unwrap();
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let (first, second) = (both[0].delivery.id, both[1].delivery.id);

    let to = purchase(weaver);
    let moving = sending.move_to(firm, first, to, "its branch", gateway.now());

    let moved = moving.await.unwrap();
    assert_eq!((moved.sent, moved.in_books), (1, vec![second]));
    let expected = [
        "De Korenaar withdrawn",
        "De Korenaar collected",
        "De Wever offered",
    ];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn whoever_moves_a_document_is_told_of_what_was_collected_before_it_was_sent_again() {
    for (to_weaver, withdrawn) in [(true, true), (true, false), (false, false)] {
        let gateway = Gateway::start().await;
        let (office, device, weaver) = two_dossiers(&gateway).await;
        gateway.receive(&office, invoice("F-1", 900)).await;
        let path = path_of(&rows(&gateway, &office).await[0]);
        gateway.connect(&device).await.get(&path).await.unwrap();
        let (sending, firm) = (&gateway.house.sending, office.firm);
        let first = rows(&gateway, &office).await[0].delivery.id;
        let again = sending.resend(firm, first, "lost", gateway.now());
        again.await.unwrap();
        let second = rows(&gateway, &office).await[1].delivery.id;
        if withdrawn {
            let taking = sending.withdraw(firm, second, "wrong books", gateway.now());
            taking.await.unwrap();
        }

        let to = match to_weaver {
            true => purchase(weaver),
            false => Destination {
                dossier: office.dossier,
                flow: Flow::Sale,
            },
        };
        let moving = sending.move_to(firm, second, to, "its branch", gateway.now());

        let moved = moving.await.unwrap();
        assert_eq!((moved.sent, moved.in_books), (1, vec![first]));
        let all = rows(&gateway, &office).await;
        let is_moved: Vec<_> = all.iter().map(|row| row.delivery.is_moved).collect();
        assert_eq!(is_moved, [true, true, false]);
        // It is said once.
        let back = purchase(if to_weaver { office.dossier } else { weaver });
        let third = all[2].delivery.id;
        let moving = sending.move_to(firm, third, back, "no", gateway.now());
        assert_eq!(moving.await.unwrap().in_books, []);
    }
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
    assert_eq!(moving.await.unwrap().sent, 1);

    let again = sending.resend(firm, old, "lost", gateway.now()).await;

    assert!(matches!(again, Err(Error::State { .. })), "{again:?}");
    let expected = ["De Korenaar withdrawn", "De Wever offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
    let new = rows(&gateway, &office).await[1].delivery.id;
    let back = purchase(office.dossier);
    let moving = sending.move_to(firm, new, back, "it was right", gateway.now());
    assert_eq!(moving.await.unwrap().sent, 1, "a person may give it back");
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

    assert_eq!(moving.await.unwrap().sent, 0);
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

    assert_eq!(moving.await.unwrap().sent, 0);
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
    assert_eq!(moving.await.unwrap().sent, 0);
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

    assert_eq!(look.await.unwrap().sent, 1);
    let expected = ["De Korenaar withdrawn", "De Wever offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

async fn remove_link(gateway: &Gateway, firm: FirmId, nth: usize) {
    let catalog = &gateway.house.catalog;
    let links = catalog.links(firm).await.unwrap();
    let removing = catalog.remove_link(firm, &links[nth], gateway.now());
    removing.await.unwrap();
}

async fn remove_dossier(gateway: &Gateway, firm: FirmId, name: &str) {
    let catalog = &gateway.house.catalog;
    let all = catalog.dossiers(firm).await.unwrap();
    let dossier = all.iter().find(|one| one.name == name).unwrap();
    let removing = catalog.remove_dossier(firm, dossier, gateway.now());
    removing.await.unwrap();
}

async fn look(gateway: &Gateway, firm: FirmId, waiting: Waiting) -> usize {
    let sending = &gateway.house.sending;
    let looking = sending.look_again(firm, waiting, gateway.now());
    looking.await.unwrap().sent
}

#[tokio::test]
async fn what_waits_for_a_dossier_that_was_removed_leaves_once_it_is_here_anew() {
    for (transfer, waits) in [(Transfer::Nightly, "no_link"), (Transfer::Manual, "manual")] {
        let gateway = Gateway::start().await;
        let office = gateway.office("peeters").await;
        let firm = office.firm;
        let device = gateway.device(&office, "server", DeviceKind::Pull).await;
        let to = Some(device.id);
        let mill = gateway.dossier(&office, "De Molen", &[MILL]).await;
        for (dossier, code, transfer) in [
            (office.dossier, "ACME", transfer),
            (mill, "MOLEN", Transfer::AtOnce),
        ] {
            gateway
                .link_as(&office, dossier, "expertm", code, to, transfer)
                .await;
        }
        gateway.receive(&office, invoice("F-1", 900)).await;
        remove_link(&gateway, firm, 0).await;
        remove_dossier(&gateway, firm, "De Korenaar").await;
        assert_eq!(look(&gateway, firm, Waiting::Stays).await, 0);

        let anew = gateway.dossier(&office, "De Korenaar", &[BAKERY]).await;
        // Another link of the other side makes nothing of it: what was there was sent.
        gateway
            .link_as(&office, mill, "expertm", "MOLEN2", to, Transfer::AtOnce)
            .await;
        gateway
            .link_as(&office, anew, "expertm", "ACME", to, Transfer::AtOnce)
            .await;
        let links = gateway.house.catalog.links(firm).await.unwrap();
        let last = links.last().unwrap().id;
        let sent = look(&gateway, firm, Waiting::FollowsOf(last)).await;

        assert_eq!(sent, 1, "{waits}");
        let mut stands = stand(&gateway, &office).await;
        stands.sort();
        assert_eq!(stands, ["De Korenaar offered", "De Molen offered"]);
    }
}

#[tokio::test]
async fn what_stood_between_a_dossier_and_itself_leaves_for_both_once_they_are_two() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let firm = office.firm;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    remove_dossier(&gateway, firm, "De Korenaar").await;
    gateway.dossier(&office, "Beide", &[BAKERY, MILL]).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let reason = rows(&gateway, &office).await[0].delivery.reason;
    assert_eq!(reason, Some(HeldReason::SameDossier));
    assert_eq!(look(&gateway, firm, Waiting::Stays).await, 0);
    remove_dossier(&gateway, firm, "Beide").await;
    for (name, number) in [("Een", MILL), ("Twee", BAKERY)] {
        let dossier = gateway.dossier(&office, name, &[number]).await;
        gateway
            .link_as(
                &office,
                dossier,
                "expertm",
                name,
                Some(device.id),
                Transfer::AtOnce,
            )
            .await;
    }

    assert_eq!(look(&gateway, firm, Waiting::Stays).await, 2);

    let expected = ["Een offered", "Twee offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
    let flows: Vec<_> = rows(&gateway, &office)
        .await
        .iter()
        .map(|row| row.delivery.flow)
        .collect();
    assert_eq!(flows, [Some(Flow::Sale), Some(Flow::Purchase)]);
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
