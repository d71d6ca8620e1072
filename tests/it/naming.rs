//! What becomes of a document that its sender puts into the folder of a dossier?

use russh_sftp::protocol::{FileAttributes, StatusCode};
use sluis::model::{DeviceKind, Transfer, Uploads};
use sluis::sending::Waiting;

use crate::gateway::{BAKERY, Gateway, Login, MILL, Office, invoice, invoice_between};
use crate::peer::{Peer, code};
use crate::program::Program;
use crate::uploading::{CREATE, open, scene, write};

const STRANGER: &str = "0500453583";

/// The scene, with the mill as a second dossier of the office, and its code.
async fn two_dossiers() -> (Gateway, Office, Login) {
    let (gateway, office, scanner) = scene().await;
    let mill = gateway.dossier(&office, "De Molen", &[MILL]).await;
    gateway
        .link_as(&office, mill, "expertm", "MILL", None, Transfer::AtOnce)
        .await;
    (gateway, office, scanner)
}

/// An invoice of a stranger to somebody of this name, without a number.
fn to_name(name: &str) -> Vec<u8> {
    let text = String::from_utf8(invoice_between(STRANGER, "", "F-9", 1000)).unwrap();
    let text = text.replace("Onderneming <", &format!("{name}<"));
    text.into_bytes()
}

#[tokio::test]
async fn a_source_has_a_folder_for_each_code_of_its_firm_and_of_no_other() {
    let (gateway, _, scanner) = two_dossiers().await;
    let other = gateway.office("ander").await;
    let server = gateway.device(&other, "server", DeviceKind::Pull).await;
    gateway.link(&other, "THEIRS", &server).await;
    let theirs = gateway.device(&other, "scanner", DeviceKind::Source).await;
    gateway.link(&other, "ACME2", &server).await;

    let peer = gateway.connect(&scanner).await;
    let stranger = gateway.connect(&theirs).await;

    assert_eq!(peer.list("/in").await.unwrap(), ["ACME", "MILL"]);
    assert_eq!(stranger.list("/in").await.unwrap(), ["ACME2", "THEIRS"]);
    let put = stranger.put("/in/MILL/F-1.xml", b"x").await;
    assert_eq!(put, Err(StatusCode::NoSuchFile));
    assert_eq!(peer.list("/in/acme").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_ordinary_device_names_the_dossiers_it_serves() {
    let gateway = Gateway::start().await;
    let (office, login) = gateway.office_with(DeviceKind::Pull).await;
    let other = gateway.device(&office, "other", DeviceKind::Pull).await;
    let mill = gateway.dossier(&office, "De Molen", &[MILL]).await;
    let (profile, at_once) = ("expertm", Transfer::AtOnce);
    gateway
        .link_as(&office, mill, profile, "MILL", Some(other.id), at_once)
        .await;
    let catalog = &gateway.house.catalog;
    let device = catalog.device(office.firm, "server").await.unwrap();
    let now = gateway.now();
    catalog
        .set_uploads(&device, Uploads::On, now)
        .await
        .unwrap();
    let peer = gateway.connect(&login).await;

    assert_eq!(peer.list("/in").await.unwrap(), ["ACME"]);
    assert!(!peer.exists("/in/MILL").await);
    let put = peer.put("/in/MILL/F-1.xml", &invoice("F-1", 1000)).await;
    assert_eq!(put, Err(StatusCode::NoSuchFile));
    let bytes = invoice_between(STRANGER, BAKERY, "F-1", 1000);
    peer.put("/in/ACME/F-1.xml", &bytes).await.unwrap();

    assert_eq!(gateway.deliveries(&office).await.len(), 1);
    assert_eq!(peer.list("/in/ACME").await.unwrap(), ["F-1.xml"]);
    assert_eq!(peer.list("/in").await.unwrap(), ["ACME"]);
}

#[tokio::test]
async fn a_word_that_agrees_changes_nothing_and_one_that_does_not_holds() {
    let (gateway, office, scanner) = two_dossiers().await;
    let peer = gateway.connect(&scanner).await;

    let to_bakery = |number| invoice_between(STRANGER, BAKERY, number, 1000);
    peer.put("/in/acme/F-1.xml", &to_bakery("F-1"))
        .await
        .unwrap();
    peer.put("/in/MILL/F-2.xml", &to_bakery("F-2"))
        .await
        .unwrap();

    let deliveries = gateway.deliveries(&office).await;
    assert!(deliveries[0].ends_with("F-1_0500453583.xml offered"));
    assert_eq!(deliveries[1..], ["- held (sender_disagrees)"]);
}

#[tokio::test]
async fn where_the_document_names_nobody_the_word_decides_if_the_name_bears_it_out() {
    let (gateway, office, scanner) = two_dossiers().await;
    let peer = gateway.connect(&scanner).await;

    peer.put("/in/ACME/F-9.xml", &to_name("De Korenaar B.V."))
        .await
        .unwrap();
    peer.put("/in/ACME/F-8.xml", &to_name("Een klant"))
        .await
        .unwrap();
    peer.put("/in/F-7.xml", &to_name("De  Korenaar"))
        .await
        .unwrap();

    let deliveries = gateway.deliveries(&office).await;
    assert!(
        deliveries[0].starts_with("/expertm/ACME/Te Verwerken/Aankopen/")
            && deliveries[0].ends_with("offered")
    );
    assert_eq!(
        deliveries[1..],
        ["- held (flow_unknown)", "- held (unknown_dossier)"]
    );
}

#[tokio::test]
async fn a_code_of_two_dossiers_holds_until_each_has_its_own() {
    let (gateway, office, scanner) = two_dossiers().await;
    let mill = gateway.house.catalog.dossiers(office.firm).await.unwrap();
    let mill = mill.iter().find(|one| one.name == "De Molen").unwrap().id;
    gateway
        .link_as(&office, mill, "adix", "acme", None, Transfer::AtOnce)
        .await;
    let peer = gateway.connect(&scanner).await;
    assert_eq!(peer.list("/in").await.unwrap(), ["ACME", "MILL"]);

    let bytes = invoice_between(STRANGER, BAKERY, "F-1", 1000);
    peer.put("/in/ACME/F-1.xml", &bytes).await.unwrap();
    assert_eq!(gateway.deliveries(&office).await, ["- held (code_unclear)"]);
    let catalog = &gateway.house.catalog;
    let links = catalog.links(office.firm).await.unwrap();
    let link = links.iter().find(|link| link.code == "acme").unwrap();
    catalog
        .remove_link(office.firm, link, gateway.now())
        .await
        .unwrap();
    let sending = &gateway.house.sending;
    let offered = sending
        .look_again(office.firm, Waiting::Stays, gateway.now())
        .await;

    assert_eq!(offered.unwrap().sent, 1);
    assert!(gateway.deliveries(&office).await[0].ends_with("offered"));
}

#[tokio::test]
async fn what_the_sender_said_is_remembered_when_it_is_looked_at_again() {
    let (gateway, office, scanner) = two_dossiers().await;
    let peer = gateway.connect(&scanner).await;
    let put = invoice_between(STRANGER, "0899965307", "F-1", 1000);
    peer.put("/in/MILL/F-1.xml", &put).await.unwrap();
    assert_eq!(gateway.deliveries(&office).await, ["- held (flow_unknown)"]);

    // The number turns out to be that of another dossier: what was said for the mill is not booked there.
    gateway
        .dossier(&office, "De Schrijnwerker", &["0899965307"])
        .await;
    let sending = &gateway.house.sending;
    let offered = sending
        .look_again(office.firm, Waiting::Stays, gateway.now())
        .await;

    assert_eq!(offered.unwrap().sent, 0);
    assert_eq!(
        gateway.deliveries(&office).await,
        ["- held (sender_disagrees)"]
    );
}

#[tokio::test]
async fn a_temporary_name_in_a_folder_and_a_rename_into_it_name_the_dossier() {
    let (gateway, office, scanner) = two_dossiers().await;
    let peer = gateway.connect(&scanner).await;
    let disagrees = invoice_between(STRANGER, BAKERY, "F-1", 1000);

    peer.put("/in/F-1.xml.part", &disagrees).await.unwrap();
    peer.rename("/in/F-1.xml.part", "/in/MILL/F-1.xml")
        .await
        .unwrap();

    assert_eq!(
        gateway.deliveries(&office).await,
        ["- held (sender_disagrees)"]
    );
    assert_eq!(peer.list("/in/MILL").await.unwrap(), ["F-1.xml"]);
    // What was taken is not sent elsewhere by a move, and the answer does not say so.
    let moved = peer.rename("/in/MILL/F-1.xml", "/in/ACME/F-1.xml").await;
    assert_eq!(moved, Err(StatusCode::PermissionDenied));
    assert!(peer.exists("/in/MILL/F-1.xml").await);
}

#[tokio::test]
async fn the_folder_of_a_code_is_no_file() {
    let (gateway, office, scanner) = scene().await;
    let peer = gateway.connect(&scanner).await;

    let opened = open(&peer, "/in/ACME", CREATE).await;
    assert_eq!(opened, Err(StatusCode::Failure));
    let removed = peer.remove("/in/ACME").await;
    assert_eq!(removed, Err(StatusCode::PermissionDenied));
    peer.put("/in/F-1.xml.part", &invoice("F-1", 1000))
        .await
        .unwrap();
    let moved = peer.rename("/in/F-1.xml.part", "/in/acme").await;
    assert_eq!(moved, Err(StatusCode::PermissionDenied));
    let made = peer.sftp.mkdir("/in/ACME", FileAttributes::empty()).await;
    assert!(made.is_ok());
    let made = peer.sftp.mkdir("/in/NEW", FileAttributes::empty()).await;
    assert_eq!(code(made.unwrap_err()), StatusCode::PermissionDenied);
    assert_eq!(gateway.deliveries(&office).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_link_that_goes_while_a_file_is_written_takes_its_folder_along() {
    let (gateway, office, scanner) = two_dossiers().await;
    let peer = gateway.connect(&scanner).await;
    let handle = open(&peer, "/in/MILL/F-1.xml", CREATE).await.unwrap();
    let bytes = invoice("F-1", 1000);
    write(&peer, &handle, 0, &bytes).await.unwrap();
    let catalog = &gateway.house.catalog;
    let links = catalog.links(office.firm).await.unwrap();
    let link = links.iter().find(|link| link.code == "MILL").unwrap();
    catalog
        .remove_link(office.firm, link, gateway.now())
        .await
        .unwrap();

    let closed = peer.close(&handle).await;

    assert_eq!(closed, Err(StatusCode::PermissionDenied));
    assert_eq!(gateway.events(&office).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_what_the_sender_said() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    program.serve();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    for (name, bytes) in [
        ("F-1", invoice("F-1", 1000)),
        ("F-9", to_name("De Korenaar")),
    ] {
        let path = format!("/in/ACME/{name}.xml");
        peer.put(&path, &bytes).await.unwrap();
    }

    let agreed = program.ok(&["explain", "kantoor", "F-1", "--language", "en"]);
    let decided = program.ok(&["explain", "kantoor", "F-9", "--language", "nl"]);

    assert!(
        agreed.contains("put it into the folder `/in/ACME`"),
        "{agreed}"
    );
    assert!(
        agreed.contains("because the buyer is that dossier"),
        "{agreed}"
    );
    assert!(decided.contains("in de map `/in/ACME`"), "{decided}");
    let by_itself = program.ok(&["explain", "kantoor", "F-9"]);
    assert_eq!(by_itself, decided, "the firm's language");
    assert!(
        decided.starts_with("document ")
            && decided.contains("(F-9 van ")
            && decided.contains("\nzending d"),
        "{decided}"
    );
    let refused = program.run(&["explain", "kantoor", "F-9", "--language", "de"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("use en, fr or nl"), "{why}");
    assert!(
        decided.contains("de koper draagt de naam ervan"),
        "{decided}"
    );
}

#[tokio::test]
async fn put_once_more_into_the_right_folder_it_waits_no_longer() {
    let (gateway, office, scanner) = two_dossiers().await;
    let peer = gateway.connect(&scanner).await;
    let to_bakery = invoice_between(STRANGER, BAKERY, "F-1", 1000);
    let to_nobody = to_name("De Molen");
    peer.put("/in/MILL/F-1.xml", &to_bakery).await.unwrap();
    peer.put("/in/F-9.xml", &to_nobody).await.unwrap();
    let waiting = ["- held (sender_disagrees)", "- held (unknown_dossier)"];
    assert_eq!(gateway.deliveries(&office).await, waiting);

    // Where nothing is said, nothing changes.
    peer.put("/in/F-1.xml", &to_bakery).await.unwrap();
    assert_eq!(gateway.deliveries(&office).await, waiting);
    peer.put("/in/ACME/F-1.xml", &to_bakery).await.unwrap();
    peer.put("/in/MILL/F-9.xml", &to_nobody).await.unwrap();

    // The mill has a link and no device.
    let deliveries = gateway.deliveries(&office).await;
    assert!(deliveries[0].ends_with("offered"));
    assert_eq!(deliveries[1..], ["- held (no_device)"]);
    // What was decided stays so, whoever says what then.
    peer.put("/in/MILL/F-1.xml", &to_bakery).await.unwrap();
    assert_eq!(gateway.deliveries(&office).await, deliveries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gives_what_waits_for_a_word_to_the_right_books() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    program.serve();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    let to_nobody = to_name("Een klant");
    peer.put("/in/ACME/F-9.xml", &to_nobody).await.unwrap();
    let told = program.ok(&["explain", "kantoor", "F-9", "--language", "fr"]);
    assert!(
        told.contains("`/in/ACME`") && told.contains("`sluis move`"),
        "{told}"
    );

    let to = ["--dossier", BAKERY, "--as", "purchase", "--reason", "seen"];
    program.ok(&[&["move", "kantoor", "F-9"][..], &to].concat());

    assert_eq!(program.states().last().unwrap(), "offered");
    // Its sender's word changes nothing any more.
    peer.put("/in/ACME/again.xml", &to_nobody).await.unwrap();
    assert_eq!(program.states().last().unwrap(), "offered");
}

#[test]
fn what_speaks_against_an_address_is_told_and_is_no_stranger_once_the_dossier_has_it() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let ours = format!("<cbc:CompanyID schemeID=\"0208\">{BAKERY}</cbc:CompanyID>");
    let text = String::from_utf8(invoice("F-1", 1000)).unwrap();
    let abroad = text.replace(
        &ours,
        "<cbc:CompanyID schemeID=\"0106\">12345678</cbc:CompanyID>",
    );
    program.ingest(&[abroad.into_bytes()]);
    assert_eq!(program.states(), ["held"]);

    let told = program.ok(&["explain", "kantoor", "F-1", "--language", "en"]);

    for line in [
        "the numbers of one party contradict each other",
        &format!("Known numbers in it: buyer, Peppol address `{BAKERY}`."),
        "Numbers of somebody else in it: buyer, enterprise number `0106:12345678`.",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let file = program.path("kantoor.toml");
    let setup = program.ok(&["export", "kantoor"]);
    let both = setup.replace(
        &format!("\"{BAKERY}\""),
        &format!("\"{BAKERY}\", \"0106:12345678\""),
    );
    std::fs::write(&file, both).unwrap();
    program.ok(&["apply", file.to_str().unwrap()]);
    assert_eq!(program.states(), ["offered"]);
}
