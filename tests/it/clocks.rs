//! What does a device see when the clock is set back?

use sluis::model::{DeviceKind, EventSeq, Timestamp};

use crate::gateway::{Gateway, Login, Office, invoice};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";

const HOUR: i64 = 60 * 60 * 1000;

/// An office with a pull device, so many invoices in its inbox, and their names.
async fn invoices(count: usize) -> (Gateway, Office, Login, Vec<String>) {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    for nth in 1..=count {
        let bytes = invoice(&format!("F-{nth}"), 900);
        gateway.receive(&office, bytes).await;
    }
    let peer = gateway.connect(&device).await;
    let names = peer.list(INBOX).await.unwrap();
    peer.leave().await;
    gateway.pass_ms(1);
    (gateway, office, device, names)
}

/// When each document was told to be collected.
async fn collected_at(gateway: &Gateway, office: &Office) -> Vec<Timestamp> {
    let catalog = &gateway.house.catalog;
    let rows = catalog.events(office.firm, EventSeq(0), 1000).await;
    let rows = rows.unwrap().into_iter();
    rows.filter(|row| row.event.kind.as_str() == "collected")
        .map(|row| row.at)
        .collect()
}

#[tokio::test]
async fn what_was_collected_by_a_clock_that_was_ahead_is_not_shown_to_each_session_until_then() {
    let (mut gateway, _, device, names) = invoices(1).await;
    gateway.pass_ms(2 * HOUR);
    let peer = gateway.connect(&device).await;
    peer.get(&format!("{INBOX}/{}", names[0])).await.unwrap();
    peer.leave().await;
    gateway.restart().await;

    gateway.pass_ms(-2 * HOUR);

    for _ in 0..3 {
        gateway.pass_ms(5 * 60_000);
        let poll = gateway.connect(&device).await;
        assert_eq!(poll.list(INBOX).await.unwrap(), Vec::<String>::new());
        assert!(!poll.exists(&format!("{INBOX}/{}", names[0])).await);
        assert_eq!(poll.list(DONE).await.unwrap(), names);
        assert!(poll.exists(&format!("{DONE}/{}", names[0])).await);
        poll.leave().await;
    }
}

#[tokio::test]
async fn what_is_collected_after_the_clock_was_set_back_stays_in_sight_of_its_session() {
    let (gateway, office, device, names) = invoices(2).await;
    let path = |at: usize| format!("{INBOX}/{}", names[at]);
    let peer = gateway.connect(&device).await;
    gateway.pass_ms(1000);
    let later = gateway.connect(&device).await;
    let since = gateway.now();

    gateway.pass_ms(-HOUR);
    peer.get(&path(0)).await.unwrap();
    peer.get(&path(1)).await.unwrap();
    // A copy that is made here is removed next.
    let (copy, bytes) = (format!("{DONE}/{}", names[1]), invoice("F-2", 900));
    peer.put(&copy, &bytes).await.unwrap();

    for reader in [&peer, &later] {
        assert!(reader.exists(&path(0)).await && reader.exists(&path(1)).await);
        assert_eq!(reader.list(INBOX).await.unwrap(), names);
        assert_eq!(reader.list(DONE).await.unwrap(), names[1..]);
    }
    // No event lies before the sessions that are told of it.
    assert_eq!(collected_at(&gateway, &office).await, [since, since]);
    // To whoever comes now it was collected before, though the clock says otherwise.
    let next = gateway.connect(&device).await;
    assert_eq!(next.list(INBOX).await.unwrap(), Vec::<String>::new());
    assert_eq!(next.list(DONE).await.unwrap(), names);
}

#[tokio::test]
async fn what_was_collected_before_the_clock_was_set_back_stays_in_sight_while_its_session_lasts() {
    let (mut gateway, _, device, names) = invoices(1).await;
    let peer = gateway.connect(&device).await;
    let beside = gateway.connect(&device).await;
    gateway.pass_ms(60_000);
    peer.get(&format!("{INBOX}/{}", names[0])).await.unwrap();

    gateway.pass_ms(-HOUR);

    for reader in [&peer, &beside] {
        assert!(reader.exists(&format!("{INBOX}/{}", names[0])).await);
        assert_eq!(reader.list(INBOX).await.unwrap(), names);
    }
    let next = gateway.connect(&device).await;
    assert_eq!(next.list(INBOX).await.unwrap(), Vec::<String>::new());
    for peer in [peer, beside, next] {
        peer.leave().await;
    }
    gateway.restart().await;
    let after = gateway.connect(&device).await;
    assert_eq!(after.list(INBOX).await.unwrap(), Vec::<String>::new());
    assert_eq!(after.list(DONE).await.unwrap(), names);
}

#[tokio::test]
async fn a_clock_that_was_wrong_by_days_is_not_gone_on_with() {
    let (gateway, office, device, names) = invoices(1).await;
    let open = gateway.connect(&device).await;
    gateway.pass_ms(48 * HOUR);
    assert_eq!(open.list(INBOX).await.unwrap(), names);
    gateway.pass_ms(-48 * HOUR);
    let peer = gateway.connect(&device).await;

    peer.get(&format!("{INBOX}/{}", names[0])).await.unwrap();

    assert_eq!(collected_at(&gateway, &office).await, [gateway.now()]);
    for reader in [&open, &peer] {
        assert_eq!(reader.list(INBOX).await.unwrap(), names);
    }
}
