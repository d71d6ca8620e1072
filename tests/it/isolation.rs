//! Can one firm see, guess or touch what is another's?

use russh_sftp::protocol::StatusCode;
use sluis::catalog::{LinkRules, NewLink};
use sluis::model::{DeviceKind, Language, Transfer};

use crate::gateway::{Gateway, invoice};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";

/// Two firms with the same dossier, the same dossier code and the same device name.
#[tokio::test]
async fn two_firms_with_the_same_codes_see_only_their_own() {
    let gateway = Gateway::start().await;
    let (one, other) = (gateway.office("een").await, gateway.office("twee").await);
    let (mine, theirs) = (
        gateway.device(&one, "server", DeviceKind::Pull).await,
        gateway.device(&other, "server", DeviceKind::Mount).await,
    );
    gateway.link(&one, "ACME", &mine).await;
    gateway.link(&other, "ACME", &theirs).await;
    let bytes = invoice("F-1", 5000);
    gateway.receive(&one, bytes.clone()).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");
    let peer = gateway.connect(&theirs).await;

    // See.
    assert_eq!(peer.list(INBOX).await.unwrap(), Vec::<String>::new());
    // Guess.
    assert_eq!(peer.open(&path).await, Err(StatusCode::NoSuchFile));
    assert!(!peer.exists(&path).await);
    // Touch.
    assert_eq!(peer.remove(&path).await, Err(StatusCode::NoSuchFile));
    assert_eq!(
        peer.rename(&path, &format!("{DONE}/x.xml")).await,
        Err(StatusCode::NoSuchFile)
    );
    assert_eq!(
        peer.put(&format!("{DONE}/x.xml"), &bytes).await,
        Err(StatusCode::PermissionDenied)
    );
    for climb in [
        "/../../een/expertm",
        "/een",
        "/een.server",
        "/../data/blobs",
        "/peeters/expertm",
    ] {
        assert_eq!(
            peer.list(climb).await,
            Err(StatusCode::NoSuchFile),
            "{climb}"
        );
    }

    assert_eq!(gateway.deliveries(&one).await, [format!("{path} offered")]);
    assert_eq!(gateway.deliveries(&other).await, Vec::<String>::new());
    assert_eq!(
        gateway
            .connect(&mine)
            .await
            .list(INBOX)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn the_same_bytes_at_two_firms_are_a_document_at_each() {
    let gateway = Gateway::start().await;
    let (one, other) = (gateway.office("een").await, gateway.office("twee").await);
    let mine = gateway.device(&one, "server", DeviceKind::Pull).await;
    let theirs = gateway.device(&other, "server", DeviceKind::Pull).await;
    gateway.link(&one, "ACME", &mine).await;
    gateway.link(&other, "ACME", &theirs).await;
    let bytes = invoice("F-1", 5000);
    gateway.receive(&one, bytes.clone()).await;
    gateway.receive(&other, bytes.clone()).await;
    let path = format!("{INBOX}/20260314-00001_F-1_0451827384.xml");

    gateway.connect(&mine).await.get(&path).await.unwrap();

    assert_eq!(
        gateway.deliveries(&one).await,
        [format!("{path} collected")]
    );
    assert_eq!(
        gateway.deliveries(&other).await,
        [format!("{path} offered")],
        "collected is per device"
    );
}

#[tokio::test]
async fn two_devices_of_a_firm_see_only_what_is_assigned_to_them() {
    let gateway = Gateway::start().await;
    let (office, server) = gateway.office_with(DeviceKind::Pull).await;
    let kevin = gateway.device(&office, "pc-kevin", DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 5000)).await;

    let peer = gateway.connect(&kevin).await;

    assert_eq!(peer.list("/").await.unwrap(), Vec::<String>::new());
    assert_eq!(peer.list(INBOX).await, Err(StatusCode::NoSuchFile));
    assert_eq!(
        gateway.connect(&server).await.list("/").await.unwrap(),
        ["expertm"]
    );
}

#[tokio::test]
async fn a_device_out_of_use_sees_nothing_even_in_an_open_session() {
    let gateway = Gateway::start().await;
    let office = gateway.office("een").await;
    let login = gateway.device(&office, "oud", DeviceKind::Pull).await;
    let peer = gateway.connect(&login).await;
    assert!(peer.exists("/").await);

    let device = gateway
        .house
        .catalog
        .device(office.firm, "oud")
        .await
        .unwrap();
    gateway
        .house
        .catalog
        .remove_device(office.firm, &device, gateway.now())
        .await
        .unwrap();

    assert_eq!(peer.list("/").await, Err(StatusCode::PermissionDenied));
    let again = crate::peer::log_in(gateway.address, &login, Default::default()).await;
    assert!(again.is_err(), "and cannot come back");
    let new = NewLink {
        dossier: office.dossier,
        profile: "expertm",
        code: "ACME",
        language: Language::Nl,
        device: Some(device.id),
        sends: LinkRules::FIRM,
    };
    let link = gateway
        .house
        .catalog
        .add_link(office.firm, &new, gateway.now())
        .await;
    assert!(link.is_err(), "nor is anything sent to it");
}

#[tokio::test]
async fn a_code_that_goes_to_another_dossier_shows_it_nothing_of_the_first() {
    let gateway = Gateway::start().await;
    let office = gateway.office("een").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    // CodaBox's folders keep what was collected.
    let as_code = async |dossier| {
        gateway
            .link_as(
                &office,
                dossier,
                "codabox",
                "C1",
                Some(device.id),
                Transfer::AtOnce,
            )
            .await;
    };
    as_code(office.dossier).await;
    gateway.receive(&office, invoice("F-1", 5000)).await;
    let folder = "/codabox/C1/2026/Invoices-IN-01";
    let peer = gateway.connect(&device).await;
    let name = peer.list(folder).await.unwrap().remove(0);
    peer.get(&format!("{folder}/{name}")).await.unwrap();
    assert_eq!(peer.list(folder).await.unwrap().len(), 1, "it accumulates");
    let links = gateway.house.catalog.links(office.firm).await.unwrap();
    gateway
        .house
        .catalog
        .remove_link(office.firm, &links[0], gateway.now())
        .await
        .unwrap();

    let other = gateway
        .dossier(&office, "Imprimerie", &["0809172614"])
        .await;
    as_code(other).await;

    assert_eq!(peer.list(folder).await.unwrap(), Vec::<String>::new());
    assert_eq!(
        peer.open(&format!("{folder}/{name}")).await,
        Err(StatusCode::NoSuchFile)
    );
}
