//! What happens when a person sends, takes back and sends again?

use sluis::model::{DeviceKind, Transfer};
use sluis::sending::{Error, Waiting};

use crate::gateway::{Gateway, MILL, invoice};

const PATH: &str = "/expertm/ACME/Te Verwerken/Aankopen/20260314-00001_F-1_0451827384.xml";

#[tokio::test]
async fn a_document_sent_again_has_its_old_name_and_a_new_generation() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let peer = gateway.connect(&device).await;
    peer.get(PATH).await.unwrap();
    peer.leave().await;
    gateway.pass_ms(1000);
    let first = gateway
        .house
        .catalog
        .delivery_rows(office.firm, 0, 10)
        .await
        .unwrap()
        .remove(0)
        .delivery;

    gateway
        .house
        .sending
        .resend(office.firm, first.id, "lost at the office", gateway.now())
        .await
        .unwrap();

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{PATH} collected"), format!("{PATH} offered")]
    );
    let next = gateway.connect(&device).await;
    next.get(PATH).await.unwrap();
    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{PATH} collected"), format!("{PATH} collected")]
    );
    let twice = gateway
        .house
        .sending
        .resend(office.firm, first.id, "again", gateway.now())
        .await;
    assert!(
        matches!(twice, Err(Error::State { .. })),
        "only the last generation is sent again"
    );
}

#[tokio::test]
async fn what_waits_for_a_hand_is_sent_by_hand_and_what_was_sent_can_be_taken_back() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    gateway
        .link_as(
            &office,
            office.dossier,
            "expertm",
            "ACME",
            Some(device.id),
            Transfer::Manual,
        )
        .await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let held = gateway
        .house
        .catalog
        .held(office.firm)
        .await
        .unwrap()
        .remove(0);
    let peer = gateway.connect(&device).await;
    assert!(!peer.exists(PATH).await);

    gateway
        .house
        .sending
        .send(office.firm, held.id, None, gateway.now())
        .await
        .unwrap();
    assert!(peer.exists(PATH).await, "an open session sees it at once");
    gateway
        .house
        .sending
        .withdraw(office.firm, held.id, "wrong dossier", gateway.now())
        .await
        .unwrap();

    assert!(!peer.exists(PATH).await);
    assert_eq!(
        gateway.events(&office).await,
        ["kept", "held", "released", "offered", "withdrawn"]
    );
    let again = gateway
        .house
        .sending
        .send(office.firm, held.id, None, gateway.now())
        .await;
    assert!(matches!(again, Err(Error::State { .. })));
}

#[tokio::test]
async fn what_was_never_sent_does_not_go_to_a_device_that_its_link_no_longer_names() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    let (dossier, id) = (office.dossier, Some(device.id));
    let by_hand = Transfer::Manual;
    gateway
        .link_as(&office, dossier, "expertm", "ACME", id, by_hand)
        .await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let (catalog, firm) = (&gateway.house.catalog, office.firm);
    let held = catalog.held(firm).await.unwrap().remove(0);
    let link = catalog.links(firm).await.unwrap().remove(0);
    let changed = catalog.set_link(&link, None, &link.sends, gateway.now());
    changed.await.unwrap();

    let sending = &gateway.house.sending;
    let refused = sending.send(firm, held.id, None, gateway.now()).await;

    assert!(matches!(refused, Err(Error::NoWay { .. })), "{refused:?}");
    let named = sending.send(firm, held.id, id, gateway.now()).await;
    assert!(named.is_ok(), "unless a person names it");
}

#[tokio::test]
async fn what_was_collected_cannot_be_taken_back() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    gateway.connect(&device).await.get(PATH).await.unwrap();
    let delivery = gateway
        .house
        .catalog
        .delivery_rows(office.firm, 0, 10)
        .await
        .unwrap()
        .remove(0)
        .delivery;

    let refused = gateway
        .house
        .sending
        .withdraw(office.firm, delivery.id, "", gateway.now())
        .await;

    assert!(matches!(
        refused,
        Err(Error::State {
            state: "collected",
            ..
        })
    ));
}

#[tokio::test]
async fn what_is_taken_back_under_a_reader_says_that_it_was_read() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let peer = gateway.connect(&device).await;
    let handle = peer.open(PATH).await.unwrap();
    peer.read(&handle, 0, u64::MAX).await.unwrap();
    let delivery = gateway
        .house
        .catalog
        .delivery_rows(office.firm, 0, 10)
        .await
        .unwrap()
        .remove(0);

    gateway
        .house
        .sending
        .withdraw(office.firm, delivery.delivery.id, "", gateway.now())
        .await
        .unwrap();
    peer.close(&handle).await.unwrap();

    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{PATH} withdrawn")]
    );
    assert_eq!(
        gateway.events(&office).await,
        ["kept", "offered", "withdrawn", "read"]
    );
}

#[tokio::test]
async fn a_device_that_is_still_offered_documents_stays() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let device = gateway
        .house
        .catalog
        .device(office.firm, "server")
        .await
        .unwrap();

    let refused = gateway
        .house
        .catalog
        .remove_device(office.firm, &device, gateway.now())
        .await;

    assert!(refused.is_err());
}

#[tokio::test]
async fn what_was_taken_back_is_not_sent_again_because_something_else_was_added() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    gateway.dossier(&office, "Molens", &[MILL]).await; // the seller, without a link
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let purchase = format!("{PATH} offered");
    assert_eq!(
        gateway.deliveries(&office).await,
        ["- held (no_link)".to_owned(), purchase]
    );
    let rows = gateway
        .house
        .catalog
        .delivery_rows(office.firm, 0, 10)
        .await
        .unwrap();
    let (sending, firm) = (&gateway.house.sending, office.firm);
    sending
        .withdraw(firm, rows[1].delivery.id, "wrong", gateway.now())
        .await
        .unwrap();

    gateway
        .dossier(&office, "Imprimerie", &["0809172614"])
        .await;
    let released = sending
        .look_again(firm, Waiting::Stays, gateway.now())
        .await
        .unwrap();

    assert_eq!(released.sent, 0);
    let expected = ["- held (no_link)".to_owned(), format!("{PATH} withdrawn")];
    assert_eq!(gateway.deliveries(&office).await, expected);
}

#[tokio::test]
async fn two_that_look_again_at_once_send_once() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    for at in 0..20 {
        gateway
            .receive(&office, invoice(&format!("F-{at}"), 900))
            .await;
    }
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    gateway.link(&office, "ACME", &device).await;
    let look = || {
        gateway
            .house
            .sending
            .look_again(office.firm, Waiting::Stays, gateway.now())
    };

    let (one, other, third) = tokio::join!(look(), look(), look());

    let sent = [one, other, third].map(|released| released.unwrap().sent);
    assert_eq!(sent.iter().sum::<usize>(), 20);
    let deliveries = gateway.deliveries(&office).await;
    assert_eq!(deliveries.len(), 20);
    assert!(deliveries.iter().all(|line| line.ends_with("offered")));
}

/// A period and a dossier, by the command line; what was collected, what was not, or both.
#[test]
fn a_period_is_sent_again_with_or_without_what_was_collected() {
    let program = crate::program::Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 900), invoice("F-2", 900)]);
    program.query(
        "update delivery set state = 'collected', collected_at = offered_at where id = 1 returning id",
    );
    let resend = |arguments: &[&str]| {
        let all = ["resend", "kantoor", "--reason", "lost"];
        let told = program.json(&[&all, arguments].concat());
        told.iter()
            .map(|line| {
                format!(
                    "{} {}",
                    line["number"].as_str().unwrap(),
                    line["result"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };

    let before = resend(&["--until", "2026-03-13"]);
    let collected = resend(&["--since", "2026-03-14", "--until", "2026-03-14"]);
    let waiting = resend(&["--dossier", "De Korenaar", "--only", "waiting"]);

    assert!(
        before.is_empty(),
        "they are dated the day after: {before:?}"
    );
    assert_eq!(collected, ["F-1 resent", "F-2 left"]);
    assert_eq!(waiting, ["F-2 resent", "F-1 resent"]);
    let nothing = program.run(&["resend", "kantoor", "--reason", "lost"]);
    assert_eq!(nothing.status.code(), Some(2), "of which documents?");
}
