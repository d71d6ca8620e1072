//! Does a device find all that it was offered when a link was removed, added anew, or went to another device?

use russh_sftp::protocol::StatusCode;
use sluis::catalog::{FirmRules, Link, LinkRules};
use sluis::model::{DeliveryId, DeviceKind, Duplicates, OrFirm, Transfer};

use crate::gateway::{Gateway, Login, MILL, Office, invoice, invoice_between};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";
const YEAR: &str = "/codabox/C1/2026/Invoices-IN-01";

async fn links(gateway: &Gateway, office: &Office) -> Vec<Link> {
    gateway.house.catalog.links(office.firm).await.unwrap()
}

/// Removes the office's only link.
async fn remove_link(gateway: &Gateway, office: &Office) {
    let link = links(gateway, office).await.remove(0);
    let removing = gateway
        .house
        .catalog
        .remove_link(office.firm, &link, gateway.now());
    removing.await.unwrap();
}

/// Has the office's only link send to another device from now on.
async fn give_link_to(gateway: &Gateway, office: &Office, device: &Login) {
    let link = links(gateway, office).await.remove(0);
    let sends = LinkRules {
        transfer: OrFirm::Own(Transfer::AtOnce),
        ..LinkRules::FIRM
    };
    let catalog = &gateway.house.catalog;
    let setting = catalog.set_link(&link, Some(device.id), &sends, gateway.now());
    setting.await.unwrap();
}

async fn link_codabox(gateway: &Gateway, office: &Office, device: &Login) {
    let at_once = Transfer::AtOnce;
    let to = Some(device.id);
    gateway
        .link_as(office, office.dossier, "codabox", "C1", to, at_once)
        .await;
}

/// Reads every file of a folder whole, and says how many there were.
async fn fetch_all(gateway: &Gateway, device: &Login, folder: &str) -> usize {
    let peer = gateway.connect(device).await;
    let names = peer.list(folder).await.unwrap();
    for name in &names {
        peer.get(&format!("{folder}/{name}")).await.unwrap();
    }
    peer.leave().await;
    names.len()
}

#[tokio::test]
async fn a_link_that_is_added_anew_shows_its_documents_where_the_older_one_has_some_too() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    link_codabox(&gateway, &office, &device).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    assert_eq!(fetch_all(&gateway, &device, YEAR).await, 1);
    remove_link(&gateway, &office).await;
    link_codabox(&gateway, &office, &device).await;
    // In another year this folder comes from what was offered in it alone.
    gateway.pass_ms(366 * 86_400_000);
    let open = gateway.connect(&device).await;
    let before = open.list(YEAR).await.unwrap();

    gateway.receive(&office, invoice("F-2", 900)).await;

    let names = open.list(YEAR).await.unwrap();
    assert_eq!(names.len(), before.len() + 1, "{names:?}");
    let new = names.iter().find(|name| !before.contains(name)).unwrap();
    let peer = gateway.connect(&device).await;
    assert!(peer.exists(&format!("{YEAR}/{new}")).await, "unlisted");
    peer.get(&format!("{YEAR}/{new}")).await.unwrap();
    open.leave().await;
    peer.leave().await;
    let states = gateway.deliveries(&office).await;
    let collected = states.iter().filter(|line| line.ends_with(" collected"));
    assert_eq!(collected.count(), 2, "{states:?}");
}

#[tokio::test]
async fn what_stays_with_the_device_that_a_link_has_left_is_found_there_and_done_with() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Mount).await;
    let other = gateway.device(&office, "other", DeviceKind::Mount).await;
    // An older link has files in the same folder.
    gateway.receive(&office, invoice("F-1", 900)).await;
    let peer = gateway.connect(&device).await;
    let first = peer.list(INBOX).await.unwrap().remove(0);
    peer.remove(&format!("{INBOX}/{first}")).await.unwrap();
    remove_link(&gateway, &office).await;
    gateway.link(&office, "ACME", &device).await;
    gateway.receive(&office, invoice("F-2", 900)).await;

    give_link_to(&gateway, &office, &other).await;

    let names = peer.list(INBOX).await.unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    let (path, done) = (
        format!("{INBOX}/{}", names[0]),
        format!("{DONE}/{}", names[0]),
    );
    let elsewhere = format!("/expertm/ACME/Verwerkt/Verkopen/{}", names[0]);
    let wrong = peer.rename(&path, &elsewhere).await;
    assert_eq!(wrong, Err(StatusCode::NoSuchFile));
    peer.rename(&path, &done).await.unwrap();
    assert_eq!(peer.list(DONE).await.unwrap(), [&*names[0], &*first]);
    let away = gateway.connect(&other).await;
    assert!(away.list(INBOX).await.unwrap().is_empty());
    assert!(away.list(DONE).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_fetched_of_a_link_that_is_removed_meanwhile_can_be_moved_to_the_processed_folder()
{
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let peer = gateway.connect(&device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    let (path, done) = (format!("{INBOX}/{name}"), format!("{DONE}/{name}"));
    peer.get(&path).await.unwrap();

    remove_link(&gateway, &office).await;

    peer.rename(&path, &done).await.unwrap();
    assert_eq!(peer.list(DONE).await.unwrap(), [name.as_str()]);
    assert!(!peer.exists("/expertm/ACME/Verwerkt/Verkopen").await);
    // Its code is another dossier's now.
    let weaver = gateway.dossier(&office, "De Wever", &["0403019261"]).await;
    let (to, at_once) = (Some(device.id), Transfer::AtOnce);
    gateway
        .link_as(&office, weaver, "expertm", "ACME", to, at_once)
        .await;
    assert!(peer.list(DONE).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_sent_to_a_device_that_an_older_link_had_is_seen_by_a_session_that_is_open() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let other = gateway.device(&office, "other", DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    assert_eq!(fetch_all(&gateway, &device, INBOX).await, 1);
    remove_link(&gateway, &office).await;
    let (by_hand, dossier) = (Transfer::Manual, office.dossier);
    let to = Some(other.id);
    gateway
        .link_as(&office, dossier, "expertm", "ACME", to, by_hand)
        .await;
    gateway.receive(&office, invoice("F-2", 900)).await;
    gateway.pass_ms(1000);
    let open = gateway.connect(&device).await;
    assert!(open.list(INBOX).await.unwrap().is_empty());
    let catalog = &gateway.house.catalog;
    let rows = catalog.delivery_rows(office.firm, 0, 100).await.unwrap();
    let (sending, held) = (&gateway.house.sending, rows[1].delivery.id);

    let sent = sending.send(office.firm, held, Some(device.id), gateway.now());
    sent.await.unwrap();

    let names = open.list(INBOX).await.unwrap();
    assert_eq!(names.len(), 1);
    open.get(&format!("{INBOX}/{}", names[0])).await.unwrap();
}

#[tokio::test]
async fn what_a_session_fetched_stays_in_its_sight_when_the_link_is_removed_and_added_anew() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let peer = gateway.connect(&device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    let path = format!("{INBOX}/{name}");
    peer.get(&path).await.unwrap();
    remove_link(&gateway, &office).await;
    assert_eq!(peer.list(INBOX).await.unwrap(), [name.as_str()]);

    gateway.link(&office, "ACME", &device).await;

    assert!(peer.exists(&path).await, "nothing vanishes under a reader");
    assert_eq!(peer.list(INBOX).await.unwrap(), [name]);
    peer.remove(&path).await.unwrap();
    assert!(!peer.exists(&path).await);
}

#[tokio::test]
async fn a_processed_folder_is_that_of_the_link_as_it_was_before_it_was_added_anew_too() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    for number in ["F-1", "F-2", "F-3", "F-4"] {
        gateway.receive(&office, invoice(number, 900)).await;
    }
    let peer = gateway.connect(&device).await;
    let names = peer.list(INBOX).await.unwrap();
    let (inbox, done) = (
        |at: usize| format!("{INBOX}/{}", names[at]),
        |at: usize| format!("{DONE}/{}", names[at]),
    );
    for at in 0..4 {
        peer.get(&inbox(at)).await.unwrap();
    }
    peer.rename(&inbox(0), &done(0)).await.unwrap();
    remove_link(&gateway, &office).await;
    gateway.link(&office, "ACME", &device).await;
    gateway.receive(&office, invoice("F-5", 900)).await;

    peer.rename(&inbox(1), &done(1)).await.unwrap();
    peer.put(&done(2), &invoice("F-3", 900)).await.unwrap();

    assert_eq!(peer.list(DONE).await.unwrap(), names[..3]);
    let mut all = peer.list(INBOX).await.unwrap();
    let new = all.pop().unwrap();
    assert_eq!(all, names[2..], "one is copied and not removed yet");
    // No two have one name there, of whichever link they are.
    peer.get(&format!("{INBOX}/{new}")).await.unwrap();
    let taken = format!("{DONE}/{new}");
    assert_eq!(
        peer.rename(&inbox(3), &taken).await,
        Err(StatusCode::Failure)
    );
    peer.rename(&format!("{INBOX}/{new}"), &taken)
        .await
        .unwrap();
    peer.rename(&inbox(3), &done(3)).await.unwrap();
    assert_eq!(peer.list(DONE).await.unwrap().len(), 5);
    assert!(peer.exists(&taken).await && peer.exists(&done(3)).await);
    assert_eq!(peer.get(&done(0)).await.unwrap(), invoice("F-1", 900));
}

#[tokio::test]
async fn no_two_have_one_name_in_a_processed_folder_that_a_copy_of_the_profile_leads_to_now() {
    let profiles = tempfile::tempdir().unwrap();
    let text = include_str!("../../config/profiles/expertm.toml");
    let copy = text.replace("id = \"expertm\"", "id = \"expertm-own\"");
    std::fs::write(profiles.path().join("expertm-own.toml"), copy).unwrap();
    let gateway = Gateway::start_with(&format!("profiles = {:?}", profiles.path())).await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let peer = gateway.connect(&device).await;
    let own = peer.list(INBOX).await.unwrap().remove(0);
    let done = |name: &str| format!("{DONE}/{name}");
    peer.get(&format!("{INBOX}/{own}")).await.unwrap();
    peer.rename(&format!("{INBOX}/{own}"), &done(&own))
        .await
        .unwrap();
    remove_link(&gateway, &office).await;
    let (to, at_once) = (Some(device.id), Transfer::AtOnce);
    gateway
        .link_as(&office, office.dossier, "expertm-own", "ACME", to, at_once)
        .await;
    gateway.receive(&office, invoice("F-2", 900)).await;
    let waiting = peer.list(INBOX).await.unwrap().pop().unwrap();

    let refused = peer.rename(&done(&own), &done(&waiting)).await;
    let next = waiting.replace("00002_F-2", "00003_F-3");
    peer.rename(&done(&own), &done(&next)).await.unwrap();
    gateway.receive(&office, invoice("F-3", 900)).await;

    assert_eq!(refused, Err(StatusCode::Failure), "it is in use");
    peer.leave().await;
    assert_eq!(fetch_all(&gateway, &device, INBOX).await, 2);
    gateway.pass_ms(1000);
    let peer = gateway.connect(&device).await;
    let mut names = peer.list(DONE).await.unwrap();
    names.sort();
    let passed_over = waiting.replace("00002_F-2", "00004_F-3");
    assert_eq!(names, [waiting, next, passed_over]);
}

#[tokio::test]
async fn what_went_through_a_link_that_was_removed_goes_again_through_the_next() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    assert_eq!(fetch_all(&gateway, &device, INBOX).await, 1);
    gateway.receive(&office, invoice("F-2", 900)).await;
    let sending = &gateway.house.sending;
    let [collected, withdrawn] = [DeliveryId(1), DeliveryId(2)];
    let taking = sending.withdraw(office.firm, withdrawn, "another program", gateway.now());
    taking.await.unwrap();
    remove_link(&gateway, &office).await;
    let again = |id| sending.resend(office.firm, id, "a new program", gateway.now());
    let refused = again(withdrawn).await.unwrap_err().to_string();
    assert!(refused.contains("add one for its dossier"), "{refused}");

    link_codabox(&gateway, &office, &device).await;
    let first = again(collected).await.unwrap();
    again(withdrawn).await.unwrap();

    let folder = "/codabox/C1/2026/Invoices-IN-01";
    assert_eq!(first.folder, folder);
    assert_eq!(fetch_all(&gateway, &device, folder).await, 2);
    let sent = sending.send(office.firm, withdrawn, None, gateway.now());
    let refused = sent.await.unwrap_err().to_string();
    assert!(refused.contains("`resend` sends again"), "{refused}");
}

#[tokio::test]
async fn a_folder_whose_links_are_all_removed_shows_what_the_last_dossier_had_there() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let peer = gateway.connect(&device).await;
    let first = peer.list(INBOX).await.unwrap().remove(0);
    peer.get(&format!("{INBOX}/{first}")).await.unwrap();
    remove_link(&gateway, &office).await;
    let mill = gateway.dossier(&office, "Molens", &[MILL]).await;
    let (to, at_once) = (Some(device.id), Transfer::AtOnce);
    gateway
        .link_as(&office, mill, "expertm", "ACME", to, at_once)
        .await;
    let bought = invoice_between("0809172614", MILL, "M-1", 900);
    gateway.receive(&office, bought).await;
    let last = peer.list(INBOX).await.unwrap();
    assert!(last.len() == 1 && last[0] != first, "{last:?}");
    peer.get(&format!("{INBOX}/{}", last[0])).await.unwrap();

    remove_link(&gateway, &office).await;

    assert_eq!(peer.list(INBOX).await.unwrap(), last);
}

/// The office lets a newer version take the place of the first.
async fn replace_duplicates(gateway: &Gateway, office: &Office) {
    let catalog = &gateway.house.catalog;
    let firm = catalog.firm_by_id(office.firm).await.unwrap();
    let rules = FirmRules {
        duplicates: Duplicates::Replace,
        ..firm.sends.clone()
    };
    let setting = catalog.set_firm_rules(&firm, &rules, gateway.now());
    setting.await.unwrap();
}

/// Takes the first delivery back, links the dossier to another program, and sends it again.
async fn send_through_another_link(gateway: &Gateway, office: &Office, device: &Login) {
    let (sending, firm, first) = (&gateway.house.sending, office.firm, DeliveryId(1));
    let taking = sending.withdraw(firm, first, "another program", gateway.now());
    taking.await.unwrap();
    remove_link(gateway, office).await;
    link_codabox(gateway, office, device).await;
    let again = sending.resend(firm, first, "a new program", gateway.now());
    assert!(again.await.unwrap().folder.starts_with("/codabox/"));
}

/// The state of each delivery, in order, and whether it revises another.
async fn stand(gateway: &Gateway, office: &Office) -> Vec<String> {
    let catalog = &gateway.house.catalog;
    let rows = catalog.delivery_rows(office.firm, 0, 100).await.unwrap();
    let line = |row: &sluis::catalog::DeliveryRow| {
        let state = row.delivery.state.as_str();
        let of = row.delivery.revision_of;
        of.map_or_else(|| state.to_owned(), |of| format!("{state} revises {of}"))
    };
    rows.iter().map(line).collect()
}

#[tokio::test]
async fn what_was_read_through_a_link_that_is_removed_is_not_taken_away_from_the_next() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Mount).await;
    replace_duplicates(&gateway, &office).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    assert_eq!(fetch_all(&gateway, &device, INBOX).await, 1);
    send_through_another_link(&gateway, &office, &device).await;

    gateway.receive(&office, invoice("F-1", 2100)).await;

    let expected = ["withdrawn", "offered", "held"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_was_read_in_part_through_a_link_that_is_removed_is_not_taken_away_from_the_next() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    replace_duplicates(&gateway, &office).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let peer = gateway.connect(&device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    let handle = peer.open(&format!("{INBOX}/{name}")).await.unwrap();
    peer.read(&handle, 0, 100).await.unwrap();
    peer.close(&handle).await.unwrap();
    send_through_another_link(&gateway, &office, &device).await;

    gateway.receive(&office, invoice("F-1", 2100)).await;

    let expected = ["withdrawn", "offered", "held"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_is_open_from_a_link_that_is_removed_is_not_taken_away_from_the_next_and_is_revised() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    replace_duplicates(&gateway, &office).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let peer = gateway.connect(&device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    let handle = peer.open(&format!("{INBOX}/{name}")).await.unwrap();
    send_through_another_link(&gateway, &office, &device).await;

    gateway.receive(&office, invoice("F-1", 2100)).await;

    let expected = ["withdrawn", "offered", "held"];
    assert_eq!(stand(&gateway, &office).await, expected);
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let replacing = sending.replace(firm, DeliveryId(3), (None, None), gateway.now());
    replacing.await.unwrap();
    peer.read(&handle, 0, u64::MAX).await.unwrap();
    peer.close(&handle).await.unwrap();
    let expected = ["withdrawn", "withdrawn", "offered revises 1"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn what_one_program_has_read_is_taken_away_from_another_that_has_not() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Mount).await;
    link_codabox(&gateway, &office, &device).await;
    replace_duplicates(&gateway, &office).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    assert_eq!(fetch_all(&gateway, &device, INBOX).await, 1);

    gateway.receive(&office, invoice("F-1", 2100)).await;

    let expected = ["offered", "withdrawn", "held", "offered"];
    assert_eq!(stand(&gateway, &office).await, expected);
}

#[tokio::test]
async fn a_name_in_another_folder_or_of_another_device_is_never_taken_for_the_same_file() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Mount).await;
    let (to, at_once) = (Some(device.id), Transfer::AtOnce);
    gateway
        .link_as(&office, office.dossier, "expertm", "BETA", to, at_once)
        .await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let peer = gateway.connect(&device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    let bytes = peer.get(&format!("{INBOX}/{name}")).await.unwrap();
    let (done, beta) = (
        format!("{DONE}/x.xml"),
        "/expertm/BETA/Verwerkt/Aankopen/x.xml",
    );
    peer.put(&done, &bytes).await.unwrap();
    remove_link(&gateway, &office).await;

    // Not answered as if it were there already: nobody would ever tell of this delivery.
    assert_eq!(peer.put(beta, &bytes).await, Err(StatusCode::Failure));
    let copy = beta.replace("x.xml", "y.xml");
    peer.put(&copy, &bytes).await.unwrap();

    let states = gateway.deliveries(&office).await;
    assert!(
        states.iter().all(|line| line.ends_with(" processed")),
        "{states:?}"
    );
    let other = gateway.device(&office, "other", DeviceKind::Mount).await;
    remove_link(&gateway, &office).await;
    gateway.link(&office, "ACME", &other).await;
    gateway.receive(&office, invoice("F-2", 900)).await;
    let away = gateway.connect(&other).await;
    let name = away.list(INBOX).await.unwrap().remove(0);
    away.get(&format!("{INBOX}/{name}")).await.unwrap();
    away.rename(&format!("{INBOX}/{name}"), &done)
        .await
        .unwrap();
    assert_eq!(away.list(DONE).await.unwrap(), ["x.xml"]);
}
