//! Is every change whole, as lasting as it was asked to be, and known to those who remember?

use super::*;
use crate::catalog::deliveries::tests::{NOW, offer, office, still};
use crate::catalog::{Event, EventRow};
use crate::model::{
    Clock, DeliveryId, DeviceId, DocumentId, EventKind, EventSeq, SessionId, State, Timestamp,
};

fn collected(device: DeviceId, delivery: i64) -> Event {
    Event {
        document: Some(DocumentId(delivery)),
        delivery: Some(DeliveryId(delivery)),
        device: Some(device),
        session: Some(SessionId(1)),
        ..Event::new(EventKind::Collected, "1 bytes read in 1 spans")
    }
}

async fn events(catalog: &Catalog, firm: FirmId) -> Vec<EventRow> {
    catalog.events(firm, EventSeq(0), 100).await.unwrap()
}

/// SQLite's numbers for `synchronous`: 1 is normal, 2 is full.
async fn synchronous(tx: &mut Tx) -> i64 {
    let row = query("pragma synchronous").fetch_one(&mut *tx.inner).await;
    row.unwrap().int("synchronous").unwrap()
}

#[tokio::test]
async fn a_change_survives_what_it_must_whatever_came_before() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
    offer(&catalog, firm, device, "1.xml").await;

    for (survives, number) in [
        (Durability::Kill, 1),
        (Durability::PowerCut, 2),
        (Durability::PowerCut, 2),
        (Durability::Kill, 1),
    ] {
        let mut tx = catalog.begin(survives).await.unwrap();
        assert_eq!(synchronous(&mut tx).await, number);
        tx.commit().await.unwrap();
    }
    let event = collected(device, 1);
    assert!(
        catalog
            .collect_at_once(firm, &event, &still(NOW))
            .await
            .unwrap()
    );
    let mut tx = catalog.begin(Durability::PowerCut).await.unwrap();
    assert_eq!(synchronous(&mut tx).await, 2);
}

#[tokio::test]
async fn a_change_that_is_dropped_is_undone_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.sqlite");
    let (catalog, firm, device) = office(&file).await;
    offer(&catalog, firm, device, "1.xml").await;
    let other = Catalog::open(&file).await.unwrap();

    let mut tx = catalog.begin(Durability::Kill).await.unwrap();
    let won = tx.mark_collected(firm, DeliveryId(1), NOW).await.unwrap();
    drop(tx);

    assert!(won);
    let mut tx = other.begin(Durability::Kill).await.unwrap();
    let mark = tx.take_mark(firm, DeliveryId(1)).await.unwrap().unwrap();
    assert_eq!(mark.state, State::Offered);
}

#[tokio::test]
async fn whoever_waits_for_events_hears_of_a_mark_and_of_a_change_that_tells_and_of_no_other() {
    use futures_util::FutureExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
    offer(&catalog, firm, device, "1.xml").await;
    assert_eq!(catalog.told().now_or_never(), Some(()), "of the office");

    let tx = catalog.begin(Durability::Kill).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(catalog.told().now_or_never(), None);

    let event = collected(device, 1);
    assert!(
        catalog
            .collect_at_once(firm, &event, &still(NOW))
            .await
            .unwrap()
    );
    assert_eq!(catalog.told().now_or_never(), Some(()));
    assert!(
        !catalog
            .collect_at_once(firm, &event, &still(NOW))
            .await
            .unwrap()
    );
    assert_eq!(catalog.told().now_or_never(), None);

    let (mut tx, _) = catalog.begin_at(firm, Durability::Kill).await.unwrap();
    tx.tell(firm, NOW, [event]);
    assert_eq!(catalog.told().now_or_never(), None);
    tx.commit_unseen().await.unwrap();
    assert_eq!(catalog.told().now_or_never(), Some(()));
}

#[tokio::test]
async fn a_moment_moves_with_what_sessions_see_and_with_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.sqlite");
    let (catalog, firm, device) = office(&file).await;
    let other = Catalog::open(&file).await.unwrap();
    let start = catalog.moment_now().await.unwrap();
    assert_eq!(catalog.moment_now().await.unwrap(), start);

    offer(&catalog, firm, device, "1.xml").await;
    let offered = catalog.moment().await.unwrap();
    assert_ne!(offered, start, "what this process wrote is known at once");
    let event = collected(device, 1);
    assert!(
        catalog
            .collect_at_once(firm, &event, &still(NOW))
            .await
            .unwrap()
    );
    assert_eq!(catalog.moment_now().await.unwrap(), offered);

    offer(&other, firm, device, "2.xml").await;
    let foreign = catalog.moment_now().await.unwrap();
    assert_ne!(foreign, offered, "another process wrote");
    assert_eq!(catalog.moment_now().await.unwrap(), foreign);
}

#[tokio::test]
async fn a_change_that_is_left_as_it_was_holds_nobody_up_and_is_nothing_new() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.sqlite");
    let (catalog, firm, device) = office(&file).await;
    offer(&catalog, firm, device, "1.xml").await;
    let other = Catalog::open(&file).await.unwrap();
    let before = catalog.moment_now().await.unwrap();
    let mut tx = catalog.begin(Durability::Kill).await.unwrap();
    assert!(tx.mark_collected(firm, DeliveryId(1), NOW).await.unwrap());

    tx.abandon().await.unwrap();

    assert_eq!(catalog.moment_now().await.unwrap(), before);
    let mut tx = other.begin(Durability::Kill).await.unwrap();
    let mark = tx.take_mark(firm, DeliveryId(1)).await.unwrap().unwrap();
    assert_eq!(mark.state, State::Offered);
}

#[tokio::test]
async fn a_mark_that_waited_for_its_turn_is_of_the_time_at_which_it_had_it() {
    use futures_util::FutureExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
    offer(&catalog, firm, device, "1.xml").await;
    let time = Arc::new(AtomicI64::new(NOW.0));
    let told = Arc::clone(&time);
    let clock = Clock::new(move || Timestamp(told.load(Ordering::Relaxed)));
    let other = catalog.begin(Durability::Kill).await.unwrap();
    let event = collected(device, 1);
    let mut collecting = Box::pin(catalog.collect_at_once(firm, &event, &clock));
    assert!((&mut collecting).now_or_never().is_none(), "it waits");

    time.store(NOW.0 + 50, Ordering::Relaxed);
    other.commit().await.unwrap();

    assert!(collecting.await.unwrap());
    let last = events(&catalog, firm).await.pop().unwrap();
    assert_eq!(last.at, NOW.plus_ms(50));
}

#[tokio::test]
async fn a_mark_that_is_dropped_half_way_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.sqlite");
    let (catalog, firm, device) = office(&file).await;
    offer(&catalog, firm, device, "1.xml").await;
    let before = catalog.moment_now().await.unwrap();
    let mut turn = catalog.turns.take().await;
    turn.ready(Durability::Kill).await.unwrap();
    turn.opened();
    let half = query("begin immediate; update delivery set state = 'collected'");
    half.execute(&mut *turn).await.unwrap();

    drop(turn);

    let other = Catalog::open(&file).await.unwrap();
    let mut tx = other.begin(Durability::Kill).await.unwrap();
    let mark = tx.take_mark(firm, DeliveryId(1)).await.unwrap().unwrap();
    assert_eq!(mark.state, State::Offered);
    drop(tx);
    assert_ne!(catalog.moment_now().await.unwrap(), before, "to be sure");
}

#[tokio::test]
async fn a_document_is_collected_once_and_the_order_of_events_goes_on_whoever_wrote_between() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.sqlite");
    let (catalog, firm, device) = office(&file).await;
    let other = Catalog::open(&file).await.unwrap();
    for number in ["1.xml", "2.xml", "3.xml"] {
        offer(&catalog, firm, device, number).await;
    }
    let before = events(&catalog, firm).await.len();
    let collect = async |catalog: &Catalog, delivery| {
        let event = collected(device, delivery);
        catalog
            .collect_at_once(firm, &event, &still(NOW))
            .await
            .unwrap()
    };

    assert!(collect(&catalog, 1).await);
    assert!(!collect(&catalog, 1).await, "once");
    assert!(collect(&catalog, 2).await);
    // The other process goes on from the last event, which this one does not know of.
    assert!(collect(&other, 3).await);
    let mut tx = other.begin(Durability::Kill).await.unwrap();
    let told = [Event::new(EventKind::Read, "between")];
    tx.tell(firm, NOW, told);
    tx.commit().await.unwrap();
    offer(&other, firm, device, "4.xml").await;
    // It may take a second try, which is not this call's.
    let won = collect(&catalog, 4).await || collect(&catalog, 4).await;

    assert!(won);
    let all = events(&catalog, firm).await;
    assert_eq!(all.len(), before + 5);
    let mut hash = String::new();
    for row in &all {
        let head = Head {
            seq: row.seq.0 - 1,
            hash,
        };
        let next = head.next(firm, row.at, &row.event);
        assert_eq!((next.seq, &next.hash), (row.seq.0, &row.hash));
        hash = next.hash;
    }
    // Of another firm's delivery nothing is collected.
    offer(&catalog, firm, device, "5.xml").await;
    let event = collected(device, 5);
    let stranger = catalog
        .collect_at_once(FirmId(firm.0 + 1), &event, &still(NOW))
        .await;
    assert!(stranger.is_err() || !stranger.unwrap());
}

#[tokio::test]
async fn how_often_blobs_were_removed_is_known_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let (catalog, firm, _) = office(&path).await;
    let mut tx = catalog.begin(Durability::PowerCut).await.unwrap();
    let more = query("update sweeps set count = count + 7").execute(&mut *tx.inner);
    more.await.unwrap();
    tx.commit().await.unwrap();
    catalog.close().await;

    let catalog = Catalog::open(&path).await.unwrap();
    let before = catalog.sweeps();
    let (tx, _) = catalog.begin_at(firm, Durability::PowerCut).await.unwrap();

    assert!(tx.nothing_went_since(&[before]));
}

#[tokio::test]
async fn a_catalog_that_lost_its_count_of_sweeps_is_opened_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let (catalog, firm, _) = office(&path).await;
    let mut tx = catalog.begin(Durability::PowerCut).await.unwrap();
    let lost = query("delete from sweeps");
    lost.execute(&mut *tx.inner).await.unwrap();
    tx.commit().await.unwrap();
    catalog.close().await;

    let catalog = Catalog::open(&path).await.unwrap();

    assert!(catalog.firm("f").await.is_ok());
    // What arrives is refused, for nobody can say whether its blobs are there.
    let arriving = catalog.begin_at(firm, Durability::PowerCut).await;
    assert!(arriving.is_err());
}
