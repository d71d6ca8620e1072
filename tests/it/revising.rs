//! What becomes of an invoice that comes in a second version?

use russh_sftp::protocol::StatusCode;
use sluis::catalog::{DeliveryRow, FirmRules};
use sluis::ingest::{Arrival, Taken};
use sluis::model::{
    DeliveryId, DeviceKind, Duplicates, Flow, Origin, Said, State, Status, Transfer, with_causes,
};
use sluis::scheduler::Scheduler;
use sluis::sending::{Destination, Error, Expected};
use sqlx::Connection as _;

use crate::gateway::{BAKERY, Gateway, Login, MILL, Office, fixture, invoice, invoice_between};
use crate::peer::Peer;
use crate::program::Program;

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const FIRST: &str = "/expertm/ACME/Te Verwerken/Aankopen/20260314-00001_F-1_0451827384.xml";
const SECOND: &str = "/expertm/ACME/Te Verwerken/Aankopen/20260314-00002_F-1_0451827384.xml";
const HOUR: i64 = 3_600_000;

/// Version `nth` of the invoice F-1.
fn version(nth: usize) -> Vec<u8> {
    invoice("F-1", 2000 + 100 * nth)
}

async fn choose(gateway: &Gateway, office: &Office, duplicates: Duplicates) {
    let catalog = &gateway.house.catalog;
    let firm = catalog.firm_by_id(office.firm).await.unwrap();
    let rules = FirmRules {
        duplicates,
        ..firm.sends.clone()
    };
    let setting = catalog.set_firm_rules(&firm, &rules, gateway.now());
    setting.await.unwrap();
}

/// An office that lets a newer version take the place of the first.
async fn replacing(kind: DeviceKind) -> (Gateway, Office, Login) {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(kind).await;
    choose(&gateway, &office, Duplicates::Replace).await;
    (gateway, office, device)
}

/// The same, where the link sends otherwise.
async fn replacing_as(transfer: &str) -> (Gateway, Office, Login) {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    let transfer: Transfer = transfer.parse().unwrap();
    let (dossier, id) = (office.dossier, Some(device.id));
    gateway
        .link_as(&office, dossier, "expertm", "ACME", id, transfer)
        .await;
    choose(&gateway, &office, Duplicates::Replace).await;
    (gateway, office, device)
}

async fn rows(gateway: &Gateway, office: &Office) -> Vec<DeliveryRow> {
    let catalog = &gateway.house.catalog;
    catalog.delivery_rows(office.firm, 0, 100).await.unwrap()
}

/// `document state (reason)` of each delivery, and how it stands to others.
async fn stand(gateway: &Gateway, office: &Office) -> Vec<String> {
    let line = |row: &DeliveryRow| {
        let delivery = &row.delivery;
        let mut line = format!("{} {}", delivery.document, delivery.state.as_str());
        let is_held = delivery.state == State::Held;
        if let Some(reason) = delivery.reason.filter(|_| is_held) {
            line.push_str(&format!(" {}", reason.as_str()));
        }
        if let Some(by) = delivery.replaced_by {
            line.push_str(&format!(" by {by}"));
        }
        if let Some(of) = delivery.revision_of {
            line.push_str(&format!(" revises {of}"));
        }
        line
    };
    rows(gateway, office).await.iter().map(line).collect()
}

async fn take(gateway: &Gateway, office: &Office, arrivals: Vec<Arrival>) -> Vec<Taken> {
    let taking = gateway
        .house
        .ingest
        .take(office.firm, arrivals, gateway.now());
    taking.await.unwrap()
}

fn arrival(bytes: Vec<u8>, status: Option<Status>) -> Arrival {
    Arrival {
        said: Said {
            status,
            ..Said::default()
        },
        ..Arrival::new("test:document", bytes)
    }
}

async fn last(gateway: &Gateway, office: &Office) -> DeliveryId {
    rows(gateway, office).await.last().unwrap().delivery.id
}

#[tokio::test]
async fn what_nobody_has_collected_gives_way_to_the_newer_version() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    let peer = gateway.connect(&device).await;
    assert!(peer.exists(FIRST).await);

    gateway.receive(&office, version(2)).await;

    let listed = peer.list(INBOX).await.unwrap();
    assert_eq!(listed, ["20260314-00002_F-1_0451827384.xml"]);
    assert_eq!(peer.get(SECOND).await.unwrap(), version(2));
    let expected = ["1 withdrawn by 2", "2 collected"];
    assert_eq!(stand(&gateway, &office).await, expected);
    let events = gateway.events(&office).await;
    let told = [
        "kept",
        "offered",
        "kept",
        "withdrawn",
        "offered",
        "collected",
    ];
    assert_eq!(events, told);
    let kept = gateway
        .house
        .blobs
        .whole(sluis::model::Digest::of(&version(1)));
    assert_eq!(kept.await.unwrap(), version(1), "nothing is thrown away");
    // The same newer one twice is one.
    gateway.receive(&office, version(2)).await;
    assert_eq!(stand(&gateway, &office).await, expected);
}

/// What a buyer wrote for the bakery, under the number F-1.
fn written_by(buyer: &str) -> Vec<u8> {
    let text = String::from_utf8(invoice_between(BAKERY, buyer, "F-1", 2000)).unwrap();
    text.replace("TypeCode>380<", "TypeCode>389<").into_bytes()
}

#[tokio::test]
async fn what_two_buyers_write_under_one_number_is_two_invoices() {
    let (gateway, office, _) = replacing(DeviceKind::Pull).await;

    gateway.receive(&office, written_by("0500453583")).await;
    gateway.receive(&office, written_by("0899965307")).await;

    let expected = ["1 offered", "2 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
    // A newer version of the first is one all the same.
    let mut newer = written_by("0500453583");
    newer.extend(b"<!-- corrected -->");
    gateway.receive(&office, newer).await;
    let expected = ["1 withdrawn by 3", "2 offered", "3 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn of_two_sellers_with_one_name_and_no_number_none_takes_the_others_place() {
    let (gateway, office, _) = replacing(DeviceKind::Pull).await;
    let nameless = |nth| {
        let text = String::from_utf8(version(nth)).unwrap();
        let number = "<cbc:CompanyID schemeID=\"0208\">0451827384</cbc:CompanyID>";
        let address = "<cbc:EndpointID schemeID=\"0208\">0451827384</cbc:EndpointID>";
        text.replace(number, "").replace(address, "").into_bytes()
    };
    gateway.receive(&office, nameless(1)).await;

    gateway.receive(&office, nameless(2)).await;

    let expected = ["1 offered", "2 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

/// The invoice F-1 of a seller with this VAT number, whose address is its provider's.
fn provided_for(vat: &str, name: &str) -> Vec<u8> {
    let text = String::from_utf8(invoice("F-1", 2000)).unwrap();
    let legal = "<cac:PartyLegalEntity><cbc:RegistrationName>Onderneming 0451827384</cbc:RegistrationName>\
                 <cbc:CompanyID schemeID=\"0208\">0451827384</cbc:CompanyID></cac:PartyLegalEntity>";
    let own = format!(
        "<cac:PartyTaxScheme><cbc:CompanyID>{vat}</cbc:CompanyID><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>\
         </cac:PartyTaxScheme><cac:PartyLegalEntity><cbc:RegistrationName>{name}</cbc:RegistrationName></cac:PartyLegalEntity>"
    );
    assert!(text.contains(legal), "it is not the gateway's invoice");
    text.replace(legal, &own).into_bytes()
}

#[tokio::test]
async fn of_two_sellers_behind_one_address_none_takes_the_others_place() {
    let (gateway, office, _) = replacing(DeviceKind::Pull).await;
    gateway
        .receive(&office, provided_for("DE123456789", "Müller"))
        .await;

    gateway
        .receive(&office, provided_for("NL820098395B01", "De Vries"))
        .await;

    let expected = ["1 offered", "2 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
    // Members of one VAT unit bear one number, so a person looks.
    gateway
        .receive(&office, provided_for("DE123456789", "Schmidt"))
        .await;
    let rest = ["2 offered", "3 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await[1..], rest);
}

#[tokio::test]
async fn a_number_that_is_written_otherwise_is_a_suspicion_and_takes_no_place() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("017", 2000)).await;
    gateway.receive(&office, invoice("17", 2000)).await;
    let expected = ["1 offered", "2 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);

    choose(&gateway, &office, Duplicates::Replace).await;
    gateway.receive(&office, invoice("17", 2100)).await;

    let expected = [
        "1 offered",
        "2 held suspected_duplicate",
        "3 held suspected_duplicate",
    ];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_was_collected_is_followed_by_its_revision() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    gateway.connect(&device).await.get(FIRST).await.unwrap();

    gateway.receive(&office, version(2)).await;

    let expected = ["1 collected", "2 offered revises 1"];
    assert_eq!(stand(&gateway, &office).await, expected);
    let events = gateway.events(&office).await;
    assert_eq!(events[3..], ["kept", "revised", "offered"]);
    let told = gateway.house.catalog.events_of(
        office.firm,
        rows(&gateway, &office).await[1].delivery.document,
    );
    assert_eq!(
        told.await.unwrap()[1].event.detail,
        "revision of document 1"
    );
    // A third takes the place of the second, which nobody has, and revises the first.
    gateway.receive(&office, version(3)).await;
    let expected = [
        "1 collected",
        "2 withdrawn by 3 revises 1",
        "3 offered revises 1",
    ];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn of_three_versions_in_one_batch_the_last_to_come_is_offered() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    let batch = [2, 3, 1].map(|nth| Arrival::new("test:document", version(nth)));

    take(&gateway, &office, batch.into()).await;

    let expected = ["1 withdrawn by 2", "2 withdrawn by 3", "3 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
    let peer = gateway.connect(&device).await;
    let name = format!("{INBOX}/20260314-00003_F-1_0451827384.xml");
    assert_eq!(peer.get(&name).await.unwrap(), version(1), "by arrival");
}

#[tokio::test]
async fn a_draft_gives_way_to_what_was_sent_and_takes_the_place_of_nothing() {
    let (gateway, office, _) = replacing(DeviceKind::Pull).await;
    let draft = Some(Status::Draft);
    take(&gateway, &office, vec![arrival(version(1), draft)]).await;
    take(&gateway, &office, vec![arrival(version(2), draft)]).await;
    let expected = ["1 withdrawn by 2", "2 held draft"];
    assert_eq!(stand(&gateway, &office).await, expected);

    gateway.receive(&office, version(3)).await;

    let expected = ["1 withdrawn by 2", "2 withdrawn by 3", "3 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
    take(&gateway, &office, vec![arrival(version(4), draft)]).await;
    let rest = ["3 offered", "4 held draft"];
    assert_eq!(
        stand(&gateway, &office).await[2..],
        rest,
        "a draft takes nothing away"
    );
    // Once it is sent, it is looked at again.
    let sent = Some(Status::Sent);
    take(&gateway, &office, vec![arrival(version(4), sent)]).await;
    assert_eq!(run_due(&gateway).await, 1);
    let rest = ["3 withdrawn by 4", "4 offered"];
    assert_eq!(stand(&gateway, &office).await[2..], rest);
}

async fn run_due(gateway: &Gateway) -> usize {
    let house = &gateway.house;
    let (catalog, sending, clock) = (&house.catalog, &house.sending, &house.clock);
    let scheduler = Scheduler::new(catalog.clone(), sending.clone(), clock.clone());
    let released = scheduler.run_due(gateway.now()).await.unwrap();
    assert!(released.failed.is_empty());
    released.sent
}

#[tokio::test]
async fn what_waits_for_the_night_gives_way_at_once_and_only_the_newer_leaves() {
    let (gateway, office, _) = replacing_as("nightly").await;
    gateway.receive(&office, version(1)).await;
    gateway.pass_ms(HOUR);

    gateway.receive(&office, version(2)).await;

    let expected = ["1 withdrawn by 2", "2 held due"];
    assert_eq!(stand(&gateway, &office).await, expected);
    gateway.pass_ms(20 * HOUR);
    assert_eq!(run_due(&gateway).await, 1);
    assert_eq!(stand(&gateway, &office).await[1], "2 offered");
}

#[tokio::test]
async fn what_was_collected_before_the_night_is_revised_in_it() {
    let (gateway, office, device) = replacing_as("nightly").await;
    gateway.receive(&office, version(1)).await;
    let house = &gateway.house;
    let (firm, id) = (office.firm, last(&gateway, &office).await);
    house
        .sending
        .send(firm, id, None, gateway.now())
        .await
        .unwrap();
    gateway.connect(&device).await.get(FIRST).await.unwrap();

    gateway.receive(&office, version(2)).await;
    gateway.pass_ms(20 * HOUR);
    run_due(&gateway).await;

    let expected = ["1 collected", "2 offered revises 1"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_waits_for_the_night_leaves_the_first_where_it_is_until_then() {
    let (gateway, office, _) = replacing_as("nightly").await;
    gateway.receive(&office, version(1)).await;
    let (firm, id) = (office.firm, last(&gateway, &office).await);
    let sending = gateway.house.sending.clone();
    sending.send(firm, id, None, gateway.now()).await.unwrap();

    gateway.receive(&office, version(2)).await;

    let expected = ["1 offered", "2 held due"];
    assert_eq!(stand(&gateway, &office).await, expected);
    gateway.pass_ms(20 * HOUR);
    run_due(&gateway).await;
    let expected = ["1 withdrawn by 2", "2 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

/// The first waits for books, so it is where each of the newer ones would be.
#[tokio::test]
async fn what_waits_for_books_gives_way_once_to_a_version_that_two_programs_get() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    let id = Some(device.id);
    let dossier = office.dossier;
    gateway
        .link_as(&office, dossier, "bob-demat", "ACME", id, Transfer::AtOnce)
        .await;
    // Its buyer bears no number, which the newer version mends.
    let text = String::from_utf8(version(1)).unwrap();
    let number = format!("<cbc:CompanyID schemeID=\"0208\">{BAKERY}</cbc:CompanyID>");
    let address = format!("<cbc:EndpointID schemeID=\"0208\">{BAKERY}</cbc:EndpointID>");
    let lost = text.replace(&number, "").replace(&address, "");
    gateway.receive(&office, lost.into_bytes()).await;
    assert_eq!(stand(&gateway, &office).await, ["1 held unknown_dossier"]);

    gateway.receive(&office, version(2)).await;

    let expected = ["1 withdrawn by 2", "2 offered", "2 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

/// A supplier may count anew in each branch.
#[tokio::test]
async fn an_invoice_to_another_buyer_takes_nothing_away_without_a_person() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    let to = |buyer: &str| invoice_between(MILL, buyer, "F-1", 2000);
    gateway.receive(&office, to("0999999922")).await;
    assert_eq!(stand(&gateway, &office).await, ["1 held unknown_dossier"]);

    gateway.receive(&office, to(BAKERY)).await;

    let expected = ["1 held unknown_dossier", "2 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);
    // As one whose books sell.
    let mill = gateway.dossier(&office, "Molens", &[MILL]).await;
    let at_once = Transfer::AtOnce;
    let to_mill = gateway.link_as(&office, mill, "expertm", "MOL", Some(device.id), at_once);
    to_mill.await;
    let sold = |buyer: &str| invoice_between(MILL, buyer, "F-2", 2000);
    gateway.receive(&office, sold("0500453583")).await;
    gateway.receive(&office, sold("0899965307")).await;
    let all = stand(&gateway, &office).await;
    assert_eq!(all[2..], ["3 offered", "4 held suspected_duplicate"]);
}

#[tokio::test]
async fn what_was_read_before_it_was_sent_again_is_not_taken_away_without_a_person() {
    let (gateway, office, device) = replacing(DeviceKind::Mount).await;
    gateway.receive(&office, version(1)).await;
    let peer = gateway.connect(&device).await;
    peer.get(FIRST).await.unwrap();
    let (firm, id) = (office.firm, last(&gateway, &office).await);
    let sending = gateway.house.sending.clone();
    let again = sending.resend(firm, id, "he wants it", gateway.now());
    again.await.unwrap();

    gateway.receive(&office, version(2)).await;

    let expected = ["1 withdrawn", "1 offered", "2 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_is_open_under_its_old_generation_is_not_taken_away_without_a_person() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(FIRST).await.unwrap();
    let (firm, id) = (office.firm, last(&gateway, &office).await);
    let sending = gateway.house.sending.clone();
    let again = sending.resend(firm, id, "he wants it", gateway.now());
    again.await.unwrap();

    gateway.receive(&office, version(2)).await;
    peer.read(&handle, 0, u64::MAX).await.unwrap();
    peer.close(&handle).await.unwrap();

    let expected = ["1 withdrawn", "1 offered", "2 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);
    gateway.receive(&office, version(3)).await;
    assert_eq!(
        stand(&gateway, &office).await[3],
        "3 held suspected_duplicate",
        "it was read whole meanwhile"
    );
}

#[tokio::test]
async fn what_came_while_it_was_to_replace_is_asked_about_when_the_firm_holds_again() {
    let (gateway, office, _) = replacing_as("manual").await;
    let (sending, firm) = (gateway.house.sending.clone(), office.firm);
    gateway.receive(&office, version(1)).await;
    let first = last(&gateway, &office).await;
    sending
        .send(firm, first, None, gateway.now())
        .await
        .unwrap();
    gateway.receive(&office, version(2)).await;
    choose(&gateway, &office, Duplicates::Hold).await;

    let second = last(&gateway, &office).await;
    let sent = sending.send(firm, second, None, gateway.now()).await;

    assert!(matches!(sent, Err(Error::LooksLike { .. })), "{sent:?}");
    let expected = ["1 offered", "2 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);
    sending
        .send(firm, second, None, gateway.now())
        .await
        .unwrap();
    assert_eq!(stand(&gateway, &office).await, ["1 offered", "2 offered"]);
}

#[tokio::test]
async fn what_is_sent_by_hand_takes_the_place_when_it_is_sent() {
    let (gateway, office, _) = replacing_as("manual").await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    gateway.receive(&office, version(1)).await;
    let first = last(&gateway, &office).await;
    sending
        .send(firm, first, None, gateway.now())
        .await
        .unwrap();
    gateway.receive(&office, version(2)).await;
    gateway.receive(&office, version(3)).await;
    let expected = ["1 offered", "2 withdrawn by 3", "3 held manual"];
    assert_eq!(stand(&gateway, &office).await, expected);

    let third = last(&gateway, &office).await;
    sending
        .send(firm, third, None, gateway.now())
        .await
        .unwrap();

    let expected = ["1 withdrawn by 3", "2 withdrawn by 3", "3 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_a_mount_has_read_waits_for_a_person_who_decides() {
    let (gateway, office, device) = replacing(DeviceKind::Mount).await;
    gateway.receive(&office, version(1)).await;
    let peer = gateway.connect(&device).await;
    peer.get(FIRST).await.unwrap();

    gateway.receive(&office, version(2)).await;

    let expected = ["1 offered", "2 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let second = last(&gateway, &office).await;
    sending
        .replace(firm, second, (None, None), gateway.now())
        .await
        .unwrap();
    assert_eq!(
        stand(&gateway, &office).await,
        ["1 withdrawn by 2", "2 offered"]
    );
    assert!(!peer.exists(FIRST).await && peer.exists(SECOND).await);
    // Whoever booked the first cannot remove it any more, and is told.
    assert_eq!(peer.remove(FIRST).await, Err(StatusCode::NoSuchFile));
    let again = sending
        .replace(firm, second, (None, None), gateway.now())
        .await;
    assert!(matches!(again, Err(Error::State { .. })), "{again:?}");
}

#[tokio::test]
async fn what_was_read_in_part_or_is_open_waits_for_a_person() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(FIRST).await.unwrap();

    gateway.receive(&office, version(2)).await;
    peer.read(&handle, 0, 100).await.unwrap();
    peer.close(&handle).await.unwrap();
    gateway.receive(&office, version(3)).await;

    let waits = ["2 held suspected_duplicate", "3 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await[1..], waits);
    assert_eq!(stand(&gateway, &office).await[0], "1 offered");
    // Since it was collected after all, the last is its revision.
    peer.get(FIRST).await.unwrap();
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let third = last(&gateway, &office).await;
    sending
        .replace(firm, third, (None, None), gateway.now())
        .await
        .unwrap();
    let expected = ["1 collected", "2 withdrawn by 3", "3 offered revises 1"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_is_replaced_under_a_reader_is_never_collected_and_its_reading_is_told() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(FIRST).await.unwrap();
    gateway.receive(&office, version(2)).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let second = last(&gateway, &office).await;
    sending
        .replace(firm, second, (None, None), gateway.now())
        .await
        .unwrap();

    let bytes = peer.read(&handle, 0, u64::MAX).await.unwrap();
    peer.close(&handle).await.unwrap();

    assert_eq!(bytes, version(1), "nothing changes under a reader");
    assert_eq!(
        stand(&gateway, &office).await,
        ["1 withdrawn by 2", "2 offered revises 1"],
        "its reader has the first"
    );
    let events = gateway.events(&office).await;
    assert_eq!(
        events[3..],
        [
            "held",
            "withdrawn",
            "released",
            "offered",
            "read",
            "revised"
        ]
    );
}

#[tokio::test]
async fn what_is_read_in_pieces_under_which_it_is_replaced_is_told_when_all_of_them_are_read() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    let peer = gateway.connect(&device).await;
    let [first, second, again] = [
        peer.open(FIRST).await.unwrap(),
        peer.open(FIRST).await.unwrap(),
        peer.open(FIRST).await.unwrap(),
    ];
    gateway.receive(&office, version(2)).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let newer = last(&gateway, &office).await;
    let replacing = sending.replace(firm, newer, (None, None), gateway.now());
    replacing.await.unwrap();

    peer.read(&first, 0, 1000).await.unwrap();
    peer.close(&first).await.unwrap();
    let events = gateway.events(&office).await;
    assert_eq!(events.last().unwrap(), "offered");
    peer.read(&second, 1000, u64::MAX).await.unwrap();
    peer.close(&second).await.unwrap();
    peer.read(&again, 0, 1000).await.unwrap();
    peer.close(&again).await.unwrap();

    let events = gateway.events(&office).await;
    assert_eq!(events[6..], ["offered", "read", "revised"]);
}

#[tokio::test]
async fn the_sale_and_the_purchase_of_one_invoice_are_judged_each_by_itself() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    let mill = gateway.dossier(&office, "Molens", &[MILL]).await;
    let (profile, at_once) = ("expertm", Transfer::AtOnce);
    gateway
        .link_as(&office, mill, profile, "MILL", Some(device.id), at_once)
        .await;
    gateway.receive(&office, version(1)).await;
    let peer = gateway.connect(&device).await;
    let path = |row: &DeliveryRow| {
        let offer = row.delivery.offer.clone().unwrap();
        format!("{}/{}", offer.folder, offer.name)
    };
    let first = rows(&gateway, &office).await;
    assert_eq!(first[0].delivery.flow, Some(Flow::Sale));
    peer.get(&path(&first[0])).await.unwrap();

    gateway.receive(&office, version(2)).await;

    let expected = [
        "1 collected",
        "1 withdrawn by 2",
        "2 offered revises 1",
        "2 offered",
    ];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_a_person_moved_or_holds_back_is_not_replaced_behind_his_back() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    let weaver = gateway.dossier(&office, "De Wever", &["0403019261"]).await;
    let (profile, manual) = ("expertm", Transfer::Manual);
    gateway
        .link_as(&office, weaver, profile, "WEVER", Some(device.id), manual)
        .await;
    gateway.receive(&office, version(1)).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let to = Destination {
        dossier: weaver,
        flow: Flow::Purchase,
    };
    let first = last(&gateway, &office).await;
    let moving = sending.move_to(firm, first, to, "its branch", gateway.now());
    moving.await.unwrap();

    gateway.receive(&office, version(2)).await;
    let expected = ["1 withdrawn", "1 held manual", "2 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);

    let buyer = |number, bytes| invoice_between(MILL, "0403019261", number, bytes);
    gateway.receive(&office, buyer("F-2", 2000)).await;
    let id = last(&gateway, &office).await;
    sending.hold(firm, id, "ask", gateway.now()).await.unwrap();
    gateway.receive(&office, buyer("F-2", 2200)).await;
    // It waits for a hand anyhow, and is judged when somebody sends it.
    let fourth = last(&gateway, &office).await;
    assert_eq!(stand(&gateway, &office).await[4], "4 held manual");
    let sent = sending.send(firm, fourth, None, gateway.now()).await;
    assert!(matches!(sent, Err(Error::LooksLike { .. })), "{sent:?}");
    let rest = ["3 held on_hold", "4 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await[3..], rest);
    // Who has looked sends it beside the first.
    sending
        .send(firm, fourth, None, gateway.now())
        .await
        .unwrap();
    assert_eq!(
        stand(&gateway, &office).await[3..],
        ["3 held on_hold", "4 offered"]
    );
}

#[tokio::test]
async fn the_same_content_in_another_envelope_is_no_revision() {
    let (gateway, office, _) = replacing(DeviceKind::Pull).await;
    let enveloped = fixture("sbdh-invoice.xml");
    let inner = sluis::ubl::read(&enveloped).inner.unwrap();
    gateway.receive(&office, enveloped).await;
    gateway.receive(&office, inner).await;

    let expected = ["1 offered", "2 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_waits_when_the_firm_changes_its_mind_waits_on() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    gateway.receive(&office, version(2)).await;
    choose(&gateway, &office, Duplicates::Replace).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let look = sending.look_again(firm, sluis::sending::Waiting::FollowsFirm, gateway.now());
    assert_eq!(look.await.unwrap().sent, 0);
    let expected = ["1 offered", "2 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);

    gateway.receive(&office, version(3)).await;

    let expected = ["1 withdrawn by 3", "2 withdrawn by 3", "3 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
    choose(&gateway, &office, Duplicates::Hold).await;
    gateway.receive(&office, version(4)).await;
    assert_eq!(
        stand(&gateway, &office).await[3],
        "4 held suspected_duplicate"
    );
}

#[tokio::test]
async fn what_was_replaced_comes_back_when_the_newer_is_withdrawn_or_somebody_insists() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    let first = last(&gateway, &office).await;
    gateway.receive(&office, version(2)).await;
    let second = last(&gateway, &office).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);

    let again = sending.resend(firm, first, "lost", gateway.now()).await;
    assert!(matches!(again, Err(Error::Replaced { .. })), "{again:?}");
    let withdrawing = sending.withdraw(firm, second, "it was wrong", gateway.now());
    withdrawing.await.unwrap();
    let expected = ["1 withdrawn by 2", "2 withdrawn"];
    assert_eq!(stand(&gateway, &office).await, expected, "not by itself");
    sending
        .resend(firm, first, "it was right", gateway.now())
        .await
        .unwrap();

    let peer = gateway.connect(&device).await;
    assert_eq!(peer.get(FIRST).await.unwrap(), version(1));
    assert_eq!(stand(&gateway, &office).await[2], "1 collected");
    // And now the third revises the first.
    gateway.receive(&office, version(3)).await;
    assert_eq!(stand(&gateway, &office).await[3], "3 offered revises 1");
    let fourth = gateway.receive(&office, version(4)).await.document;
    let third = rows(&gateway, &office).await[3].delivery.id;
    let insisting = sending.resend_as(firm, third, Expected::Replaced, "both", gateway.now());
    insisting.await.unwrap();
    let expected = [
        format!("{fourth} offered revises 1"),
        "3 offered revises 1".to_owned(),
    ];
    assert_eq!(stand(&gateway, &office).await[4..], expected);
}

#[tokio::test]
async fn a_newer_version_that_cannot_be_written_down_leaves_the_first_as_it_is() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    let url = format!("sqlite://{}", gateway.catalog_file().display());
    let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let fault = "create trigger fault before insert on event when new.kind = 'offered' begin select raise(abort, 'full'); end";
    sqlx::raw_sql(fault).execute(&mut other).await.unwrap();

    let arrival = || vec![Arrival::new("test:document", version(2))];
    let failed = gateway
        .house
        .ingest
        .take(office.firm, arrival(), gateway.now());
    let why = with_causes(&failed.await.unwrap_err());
    assert!(why.contains("full"), "{why}");

    assert_eq!(stand(&gateway, &office).await, ["1 offered"]);
    assert_eq!(gateway.events(&office).await, ["kept", "offered"]);
    let peer = gateway.connect(&device).await;
    assert!(peer.exists(FIRST).await);
    sqlx::raw_sql("drop trigger fault")
        .execute(&mut other)
        .await
        .unwrap();
    other.close().await.unwrap();
    take(&gateway, &office, arrival()).await;
    assert_eq!(
        stand(&gateway, &office).await,
        ["1 withdrawn by 2", "2 offered"]
    );
}

#[tokio::test]
async fn two_that_come_at_once_by_different_doors_leave_one() {
    let (gateway, office, _) = replacing(DeviceKind::Pull).await;
    let each = (1..=8).map(|nth| {
        let arrival = Arrival::new("test:document", version(nth));
        gateway
            .house
            .ingest
            .take(office.firm, vec![arrival], gateway.now())
    });

    for taken in futures_util::future::join_all(each).await {
        taken.unwrap();
    }

    let stands = stand(&gateway, &office).await;
    let offered = stands.iter().filter(|line| line.ends_with("offered"));
    assert_eq!(offered.count(), 1, "{stands:?}");
    assert_eq!(stands.last().unwrap(), "8 offered");
}

#[tokio::test]
async fn what_nobody_has_approved_takes_nothing_away_until_somebody_does() {
    let (gateway, office, _) = replacing(DeviceKind::Pull).await;
    let incoming = |nth| Arrival {
        said: Said {
            origin: Some(Origin::Incoming),
            ..Said::default()
        },
        ..Arrival::new("test:document", version(nth))
    };
    gateway.receive(&office, version(1)).await;
    take(&gateway, &office, vec![incoming(2)]).await;
    let document = take(&gateway, &office, vec![incoming(3)]).await[0].document;
    let expected = ["1 offered", "2 withdrawn by 3", "3 held approval"];
    assert_eq!(stand(&gateway, &office).await, expected);

    let sending = &gateway.house.sending;
    let approving = sending.approve(office.firm, document, gateway.now());
    assert_eq!(approving.await.unwrap().unwrap().sent, 1);

    let expected = ["1 withdrawn by 3", "2 withdrawn by 3", "3 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

/// Another process does not know who reads here: then the reading is told, and shown beside the newer one.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_replaces_under_a_reader_is_shown_as_read() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["firm", "set", "kantoor", "--duplicates", "replace"]);
    program.ingest(&[version(1)]);
    program.serve();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    let listed = peer.list(INBOX).await.unwrap();
    let handle = peer.open(&format!("{INBOX}/{}", listed[0])).await.unwrap();

    program.ingest(&[version(2)]);
    let bytes = peer.read(&handle, 0, u64::MAX).await.unwrap();
    peer.close(&handle).await.unwrap();

    assert_eq!(bytes, version(1));
    assert_eq!(program.states(), ["withdrawn", "offered"]);
    let rows = program.json(&["deliveries", "kantoor"]);
    assert_eq!(rows[1]["revision_of"], 1, "its reader has the first");
    let story = &program.json(&["explain", "kantoor", "d2"])[0]["looks_like"][0];
    assert_eq!(story["deliveries"][0]["read"], true);
    let told = program.ok(&["explain", "kantoor", "d2", "--language", "en"]);
    assert!(told.contains("withdrawn; but it was read whole"), "{told}");
}

/// By the command line: the choice, what is shown beside the first, and the decision.
#[test]
fn a_bookkeeper_sees_the_first_beside_the_newer_and_decides() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let shown = &program.json(&["firm", "show", "kantoor"])[0];
    assert_eq!(shown["duplicates"], "hold");
    let higher = String::from_utf8(version(2)).unwrap();
    let higher = higher.replace("121.00", "242.00").into_bytes();
    program.ingest(&[version(1), higher]);

    let documents = program.json(&["documents", "kantoor"]);
    assert_eq!(documents[1]["duplicate_of"], 1);
    let deliveries = program.json(&["deliveries", "kantoor"]);
    assert_eq!(deliveries[1]["duplicate_of"], 1);
    let table = program.ok(&["deliveries", "kantoor"]);
    assert!(
        table.contains("suspected_duplicate like document 1"),
        "{table}"
    );
    let told = program.ok(&["explain", "kantoor", "d2", "--language", "nl"]);
    for line in [
        "Het lijkt op document 1 (",
        "Dat document, aankoop `De Korenaar`, `server`: verzonden, nog niet opgehaald.",
        "Verschil, totaal: hier 242.00 EUR, daar 121.00 EUR.",
        "`sluis replace`",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let story = &program.json(&["explain", "kantoor", "d2"])[0]["looks_like"][0];
    assert_eq!(story["document"], 1);
    assert_eq!(story["deliveries"][0]["state"], "offered");
    assert_eq!(story["differs"][0]["there"], "121.00 EUR");
    assert!(story["doubt"].is_null(), "it may be one");

    let sent = &program.json(&["replace", "kantoor", "F-1"])[0];
    assert_eq!(
        (&sent["result"], &sent["delivery"]),
        (&"sent".into(), &2.into())
    );
    assert_eq!(program.states(), ["withdrawn", "offered"]);
    let told = program.ok(&["explain", "kantoor", "d1", "--language", "fr"]);
    assert!(told.contains("car le document 2 a pris sa place"), "{told}");
    let refused = program.run(&["resend", "kantoor", "d1", "--reason", "x"]);
    assert_eq!(refused.status.code(), Some(1));
    program.ok(&["resend", "kantoor", "d1", "--reason", "x", "--replaced"]);
    assert_eq!(program.states(), ["withdrawn", "offered", "offered"]);
}

/// One of them waits for another client, whose dossier nobody has made.
#[test]
fn who_replaces_one_of_several_says_which_and_is_told_what_was_taken_back() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let to = |buyer: &str, bytes| invoice_between(MILL, buyer, "F-1", bytes);
    program.ingest(&[to("0999999922", 2000), to(BAKERY, 2100)]);
    program.ok(&["send", "kantoor", "d2"]);
    program.ingest(&[to(BAKERY, 2200)]);
    assert_eq!(program.states(), ["held", "offered", "held"]);

    let refused = program.run(&["replace", "kantoor", "d3"]);

    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8(refused.stdout).unwrap();
    for line in [
        "document 1: d1 (of `nobody yet`, held)",
        "document 2: d2 (purchase of `De Korenaar`, offered)",
        "`--of document:",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert_eq!(program.states(), ["held", "offered", "held"]);
    let told = program.json(&["replace", "kantoor", "d3", "--of", "document:2"]);
    let did = told.iter();
    let did: Vec<_> = did
        .map(|one| format!("{} {}", one["result"], one["delivery"]))
        .collect();
    assert_eq!(did, ["\"sent\" 3", "\"withdrawn\" 2"]);
    assert_eq!(program.states(), ["held", "withdrawn", "offered"]);
    let client = [
        "dossier",
        "add",
        "kantoor",
        "--name",
        "X",
        "--id",
        "0999999922",
    ];
    program.ok(&client);
    assert_eq!(
        program.json(&["deliveries", "kantoor"])[0]["reason"],
        "no_link"
    );
}

#[tokio::test]
async fn of_two_that_a_person_sent_beside_each_other_a_third_takes_away_neither_by_itself() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    gateway.receive(&office, version(2)).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let second = last(&gateway, &office).await;
    let beside = sending.send(firm, second, None, gateway.now());
    beside.await.unwrap();
    choose(&gateway, &office, Duplicates::Replace).await;

    gateway.receive(&office, version(3)).await;

    let expected = ["1 offered", "2 offered", "3 held suspected_duplicate"];
    assert_eq!(stand(&gateway, &office).await, expected);
    let third = last(&gateway, &office).await;
    let of_none = sending.replace(firm, third, (None, None), gateway.now());
    let refused = of_none.await;
    assert!(matches!(refused, Err(Error::OfWhich { .. })), "{refused:?}");
    let first = rows(&gateway, &office).await[0].delivery.document;
    let of_one = sending.replace(firm, third, (None, Some(first)), gateway.now());
    assert_eq!(of_one.await.unwrap().withdrawn.len(), 1);
    let expected = ["1 withdrawn by 3", "2 offered", "3 offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

/// A sale of one client is a purchase of another, until its buyer is corrected.
#[tokio::test]
async fn what_stands_in_other_books_too_is_not_left_there_in_silence() {
    let (gateway, office, device) = replacing(DeviceKind::Pull).await;
    let mill = gateway.dossier(&office, "Molens", &[MILL]).await;
    let at_once = Transfer::AtOnce;
    let to_mill = gateway.link_as(&office, mill, "expertm", "MOL", Some(device.id), at_once);
    to_mill.await;
    let to = |number: &str, buyer: &str| invoice_between(MILL, buyer, number, 2000);
    let (sending, firm) = (&gateway.house.sending, office.firm);
    for number in ["F-1", "F-2"] {
        gateway.receive(&office, to(number, BAKERY)).await;
        gateway.receive(&office, to(number, "0899965307")).await;
    }
    let all = rows(&gateway, &office).await;
    let purchase = |row: &&DeliveryRow| row.delivery.flow == Some(Flow::Purchase);
    let bought: Vec<_> = all.iter().filter(purchase).collect();
    let newer: Vec<_> = all
        .iter()
        .filter(|row| row.delivery.state == State::Held)
        .collect();
    assert_eq!((bought.len(), newer.len()), (2, 2));
    let replace = async |at: usize| {
        let id = newer[at].delivery.id;
        sending.replace(firm, id, (None, None), gateway.now()).await
    };

    let refused = replace(0).await;
    assert!(
        matches!(refused, Err(Error::Elsewhere { .. })),
        "{refused:?}"
    );
    let taking = sending.withdraw(firm, bought[0].delivery.id, "another's", gateway.now());
    taking.await.unwrap();
    assert!(replace(0).await.unwrap().left.is_empty());

    // What was collected there nobody can take back.
    let peer = gateway.connect(&device).await;
    let offer = bought[1].delivery.offer.clone().unwrap();
    peer.get(&offer.path()).await.unwrap();
    let left = replace(1).await.unwrap().left;
    assert_eq!(left, [(bought[1].delivery.id, bought[1].delivery.document)]);
}

/// Version `nth` of the invoice F-1, to be paid to this account, with a picture of this content.
fn paid_to(account: &str, content: &str) -> Vec<u8> {
    const TOTAL: &str = "<cac:LegalMonetaryTotal>";
    let means = format!(
        "<cac:PaymentMeans><cac:PayeeFinancialAccount><cbc:ID>{account}</cbc:ID></cac:PayeeFinancialAccount>\
         </cac:PaymentMeans>{TOTAL}"
    );
    let picture = format!(
        "<cac:AdditionalDocumentReference><cbc:ID>1</cbc:ID><cac:Attachment><cbc:EmbeddedDocumentBinaryObject \
         mimeCode=\"application/pdf\" filename=\"f.pdf\">{content}</cbc:EmbeddedDocumentBinaryObject>\
         </cac:Attachment></cac:AdditionalDocumentReference><cac:AccountingSupplierParty>"
    );
    let text = String::from_utf8(version(1)).unwrap();
    let text = text.replacen(TOTAL, &means, 1);
    let text = text.replacen("<cac:AccountingSupplierParty>", &picture, 1);
    text.into_bytes()
}

/// The classic fraud: the supplier's invoice once more, to be paid to somebody else.
#[test]
fn an_invoice_that_is_to_be_paid_to_another_account_waits_for_a_person_who_sees_it() {
    const OURS: &str = "BE71 0961 2345 6769";
    const OTHER: &str = "BE68539007547034";
    const PDF: &str = "JVBERi0xLjQK";
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ok(&["firm", "set", "kantoor", "--duplicates", "replace"]);

    program.ingest(&[paid_to(OURS, PDF), paid_to(OTHER, PDF)]);

    assert_eq!(program.states(), ["offered", "held"]);
    let told = program.ok(&["explain", "kantoor", "d2", "--language", "nl"]);
    for line in [
        "Rekening waarop te betalen: BE68539007547034.",
        "Verschil, rekening waarop te betalen: hier BE68539007547034, daar BE71 0961 2345 6769.",
        "Het is niet zeker dat het een nieuwere versie daarvan is: het moet betaald worden op een rekening",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let documents = program.json(&["documents", "kantoor"]);
    assert_eq!(documents[1]["accounts"][0], OTHER);
    let story = &program.json(&["explain", "kantoor", "d2"])[0]["looks_like"][0];
    assert_eq!(story["differs"][0]["field"], "accounts");
    assert_eq!(story["doubt"], "account");

    // Written otherwise it is the same account; and a picture of the same size may be another.
    program.ok(&["withdraw", "kantoor", "d2"]);
    program.ingest(&[paid_to("be71096123456769", "JVBERi0xLjUK")]);
    assert_eq!(program.states(), ["withdrawn", "withdrawn", "offered"]);
    // What was taken back speaks against nothing.
    let beside = &program.json(&["explain", "kantoor", "d3"])[0]["looks_like"];
    assert_eq!(beside.as_array().unwrap().len(), 2);
    assert!(beside[1]["doubt"].is_null(), "{beside}");
    let told = program.ok(&["explain", "kantoor", "d3", "--language", "fr"]);
    let line = "Différence, pièces jointes : ici f.pdf (9 bytes, ";
    assert!(told.contains(line), "{told}");
    // Only from the second.
    assert_eq!(told.matches("Différence, compte").count(), 1, "{told}");
}

#[test]
fn a_firms_choice_is_set_shown_written_and_applied() {
    let program = Program::init();
    program.ok(&["firm", "set", "kantoor", "--duplicates", "replace"]);
    assert_eq!(program.json(&["firm", "list"])[0]["duplicates"], "replace");
    let file = program.path("kantoor.toml");
    let text = program.ok(&["export", "kantoor"]);
    assert!(text.contains("duplicates = \"replace\""), "{text}");
    std::fs::write(&file, text.replace("\"replace\"", "\"hold\"")).unwrap();

    let applied = program.ok(&["apply", file.to_str().unwrap()]);

    assert!(applied.contains("duplicates hold"), "{applied}");
    assert_eq!(program.json(&["firm", "list"])[0]["duplicates"], "hold");
    assert_eq!(program.events("firm_changed"), 2);
    let wrong = program.run(&["firm", "set", "kantoor", "--duplicates", "drop"]);
    assert_eq!(wrong.status.code(), Some(2));
}

/// The story's end plays all events again.
#[tokio::test]
async fn what_a_person_says_of_a_withdrawal_is_not_taken_for_what_the_program_does() {
    let (gateway, office, _) = replacing(DeviceKind::Pull).await;
    gateway.receive(&office, version(1)).await;
    let first = rows(&gateway, &office).await[0].delivery.id;
    let sending = gateway.house.sending.clone();

    let why = "replaced by document 7";
    let taking = sending.withdraw(office.firm, first, why, gateway.now());
    taking.await.unwrap();

    assert_eq!(stand(&gateway, &office).await, ["1 withdrawn"]);
    let told = gateway.house.catalog.events_of(
        office.firm,
        rows(&gateway, &office).await[0].delivery.document,
    );
    let told = told.await.unwrap();
    assert_eq!(told.last().unwrap().event.detail, format!("by hand: {why}"));
}

#[test]
fn who_changes_what_replaced_what_is_found_by_a_replay() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 900)]);
    program.ok(&["events", "replay"]);

    for mark in ["revision_of", "replaced_by"] {
        program.query(&format!("update delivery set {mark} = 1 returning id"));

        let found = program.run(&["events", "replay"]);

        assert_eq!(found.status.code(), Some(1), "{mark}");
        let told = String::from_utf8([found.stdout, found.stderr].concat()).unwrap();
        let difference = format!("{mark} is none by the events, and 1 in the table");
        assert!(told.contains(&difference), "{told}");
        program.query(&format!("update delivery set {mark} = null returning id"));
    }
}

#[test]
fn an_older_document_that_is_damaged_keeps_no_newer_one_out() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ok(&["firm", "set", "kantoor", "--duplicates", "replace"]);
    program.ingest(&[invoice("F-1", 3000)]);
    program.query("update document set reading = 'x' || reading returning id");

    program.ingest(&[invoice("F-1", 3100)]);

    // Nobody knows whether it is the same seller's: a person looks.
    let held =
        "select count(*) from delivery where state = 'held' and reason = 'suspected_duplicate'";
    assert_eq!(program.query(held), [[1]]);
    let offered = "select count(*) from delivery where state = 'offered'";
    assert_eq!(program.query(offered), [[1]]);
    let explained = program.run(&["explain", "kantoor", "document:2", "--json"]);
    assert_eq!(explained.status.code(), Some(0), "{explained:?}");
    let noted = String::from_utf8(explained.stderr).unwrap();
    assert!(noted.contains("it looks like document 1 too"), "{noted}");
}
