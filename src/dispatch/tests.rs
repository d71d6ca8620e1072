//! Is every event told, in order, whatever happens?

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::*;
use crate::catalog::NewWebhook;
use crate::model::{EventKind, EventSeq, Language};
use crate::wellness::Cause;

mod adding;
mod limits;
mod world;

use world::{Does, URL, World, seq_of};

#[derive(Debug, Clone)]
enum Step {
    Tell(i64),
    Turn(Vec<Does>),
    Pass(i64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let does = prop_oneof![
        4 => Just(Does::Takes),
        2 => Just(Does::Fails),
        2 => Just(Does::Refuses),
        1 => Just(Does::IsSilent),
        1 => Just(Does::TakesAndIsSilent),
        1 => Just(Does::AsksForPatience),
        1 => Just(Does::TakesAndWeDie),
    ];
    let step = prop_oneof![
        6 => (0..5_i64).prop_map(Step::Tell),
        3 => prop::collection::vec(does, 0..12).prop_map(Step::Turn),
        2 => (0..60_000_i64).prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_sending_no_event_is_lost_and_none_of_a_document_overtakes(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(&[EventKind::Kept]).await;
            for step in steps {
                match step {
                    Step::Tell(document) => {
                        world.tell(EventKind::Kept, document).await;
                        world.tell(EventKind::Offered, document).await; // not wanted
                    }
                    Step::Turn(does) => {
                        world.does(does);
                        world.turn().await;
                    }
                    Step::Pass(ms) => drop(world.time.fetch_add(ms, Ordering::SeqCst)),
                    Step::Restart => world.restart(),
                }
            }
            world.finish().await;
            check(&world).await
        })?;
    }
}

async fn check(world: &World) -> Result<(), TestCaseError> {
    let events = world.catalog.events(world.firm, EventSeq(0), 1000).await;
    let mut lanes: BTreeMap<i64, VecDeque<i64>> = BTreeMap::new();
    let mut lane_of = BTreeMap::new();
    for row in events.unwrap() {
        if row.event.kind == EventKind::Kept {
            let lane = row.event.document.map_or(0, |id| id.0);
            lanes.entry(lane).or_default().push_back(row.seq.0);
            lane_of.insert(row.seq.0, lane);
        }
    }
    let mut taken = BTreeSet::new();
    for seq in world.taken() {
        // What is taken for the first time is the first of its document that was not.
        if taken.insert(seq) {
            let lane = lanes.get_mut(&lane_of[&seq]).unwrap();
            prop_assert_eq!(lane.pop_front(), Some(seq));
        }
    }
    prop_assert!(
        lanes.values().all(VecDeque::is_empty),
        "never told: {:?}",
        lanes
    );
    let seen = world.receiver.seen.lock().unwrap().clone();
    let mut bodies = BTreeMap::new();
    for (id, body, _) in seen {
        let first = bodies.entry(id).or_insert_with(|| body.clone());
        prop_assert_eq!(&*first, &body);
    }
    let row = world.webhook().await;
    prop_assert_eq!((row.waiting, row.dead), (0, 0));
    prop_assert_eq!(row.webhook.cursor, row.webhook.last);
    Ok(())
}

#[tokio::test]
async fn damage_that_a_round_meets_is_reported_and_no_round_follows() {
    let mut world = World::new(&[EventKind::Kept]).await;
    world.tell(EventKind::Kept, 1).await;
    world.damage("event").await;
    let (wellness, nobody) = (world.catalog.wellness().clone(), BTreeSet::new());
    let starts = || world.dispatcher.starts(&nobody, Timestamp(1_000_000));
    let (webhook, limit) = starts().await.unwrap().now.remove(0);
    assert!(wellness.is_well());
    world.dispatcher.stop.cancel(); // nothing is waited for

    world.dispatcher.round(webhook, limit).await;

    assert_eq!(wellness.cause(Part::CatalogWrites), Some(Cause::Broken));
    assert!(starts().await.unwrap().now.is_empty());
}

#[tokio::test]
async fn what_fails_holds_back_its_own_document_only() {
    let mut world = World::new(&[]).await;
    for document in [1, 2, 1, 2] {
        world.tell(EventKind::Kept, document).await; // events 3 to 6
    }
    world.does([Does::Refuses]);

    world.turn().await;

    // The two are told beside each other: whichever came first was refused.
    let taken = world.taken();
    let (refused, waits) = match taken[..] {
        [4, 6] => (1, [3, 5]),
        [3, 5] => (2, [4, 6]),
        _ => panic!("{taken:?}"),
    };
    assert_eq!(world.webhook().await.waiting, 2);
    world.tell(EventKind::Collected, refused).await;
    world.turn().await;
    assert_eq!(world.taken(), taken, "it is behind what failed");
    world.finish().await;
    assert_eq!(world.taken(), [&taken[..], &waits, &[7]].concat());
}

#[tokio::test]
async fn a_dead_letter_lets_the_next_pass_and_is_told_when_it_is_retried() {
    let mut world = World::new(&[]).await;
    world.tell(EventKind::Kept, 1).await;
    world.tell(EventKind::Offered, 1).await;
    let last = usize::try_from(ATTEMPTS_MAX).unwrap();
    for attempt in 1..=last {
        world.does([Does::Refuses]);
        let next = world.turn().await;
        assert_eq!(world.dead().await.len(), usize::from(attempt == last));
        world
            .time
            .fetch_max(next.map_or(0, |at| at.0), Ordering::SeqCst);
    }
    assert_eq!(world.taken(), [4]);
    let dead = world.dead().await;
    assert_eq!(
        (dead[0].row.seq, dead[0].attempts, dead[0].error.as_str()),
        (EventSeq(3), ATTEMPTS_MAX, "answered 404")
    );
    assert_eq!(world.tried(), last + 1);

    let now = Timestamp(world.time.load(Ordering::SeqCst));
    assert!(
        !world
            .catalog
            .retry_letter(FirmId(9), dead[0].id, now)
            .await
            .unwrap()
    );
    assert!(
        world
            .catalog
            .retry_letter(world.firm, dead[0].id, now)
            .await
            .unwrap()
    );
    assert!(
        !world
            .catalog
            .retry_letter(world.firm, dead[0].id, now)
            .await
            .unwrap()
    );
    world.turn().await;

    assert_eq!(world.taken(), [4, 3]);
    assert_eq!(world.dead().await.len(), 0);
}

#[tokio::test]
async fn a_receiver_that_is_away_for_a_week_costs_few_calls_and_no_event() {
    let mut world = World::new(&[]).await;
    for document in 1..=200 {
        world.tell(EventKind::Kept, document).await;
    }
    let week = world.time.load(Ordering::SeqCst) + 7 * 24 * 3_600_000;
    world.does(std::iter::repeat_n(Does::IsSilent, 10_000));

    while world.time.load(Ordering::SeqCst) < week {
        let next = world.turn().await.unwrap();
        world.time.fetch_max(next.0, Ordering::SeqCst);
    }

    let calls = world.tried();
    assert!(
        (1900..2200).contains(&calls),
        "{calls} calls: one in five minutes"
    );
    assert!(
        world.webhook().await.waiting < 90,
        "the rest waits in the list of events"
    );
    let dead = world.dead().await.len();
    world.finish().await;
    assert_eq!(world.taken().len() + dead, 200);
}

#[tokio::test]
async fn a_receiver_that_asks_for_patience_is_not_called_meanwhile() {
    let mut world = World::new(&[]).await;
    world.tell(EventKind::Kept, 1).await;
    world.does([Does::AsksForPatience]);
    let began = world.time.load(Ordering::SeqCst);

    let next = world.turn().await.unwrap();

    assert_eq!(next.0, began + 45_000);
    world.tell(EventKind::Kept, 2).await;
    assert_eq!(world.turn().await, Some(next));
    assert_eq!(world.tried(), 1);
    world.finish().await;
    let mut taken = world.taken();
    taken.sort_unstable();
    assert_eq!(taken, [3, 4]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_stops_neither_what_failed_nor_what_is_new() {
    const DAY: i64 = 24 * 3_600_000;
    let mut world = World::new(&[]).await;
    world.tell(EventKind::Kept, 1).await;
    world.does([Does::Fails]);
    world.turn().await;
    world.time.fetch_sub(DAY, Ordering::SeqCst);
    assert_eq!(world.turn().await, None, "all was told");

    world.does([Does::AsksForPatience]);
    world.tell(EventKind::Kept, 2).await;
    world.turn().await;
    world.time.fetch_sub(DAY, Ordering::SeqCst);
    world.tell(EventKind::Kept, 3).await;
    assert_eq!(world.turn().await, None, "all was told");

    let mut taken = world.taken();
    taken.sort_unstable();
    assert_eq!(taken, [3, 4, 5]);
}

#[tokio::test]
async fn nothing_is_told_that_cannot_be_written_down() {
    let mut world = World::new(&[]).await;
    world.tell(EventKind::Kept, 1).await;
    let wellness = world.catalog.wellness().clone();
    wellness.failed(Part::CatalogWrites, Cause::Full, "no room");

    assert_eq!(world.turn().await, None);
    assert_eq!(world.tried(), 0);

    wellness.worked(Part::CatalogWrites, Timestamp(i64::MAX));
    world.turn().await;
    assert_eq!(world.taken(), [3]);
}

#[tokio::test]
async fn one_firm_does_not_wait_for_anothers_receiver_at_the_same_host() {
    let mut world = World::new(&[]).await;
    let new = NewWebhook {
        url: "https://example.com/another",
        origin: "https://example.com",
        kinds: &[],
        secret: &Secret::shown([2; 32]),
        from: None,
    };
    let (catalog, slug) = (world.catalog.clone(), "janssens".parse().unwrap());
    let other = catalog
        .add_firm(&slug, "J", Language::Nl, Timestamp(0))
        .await
        .unwrap();
    world.tell(EventKind::Kept, 1).await;
    world.does([Does::AsksForPatience]);
    world.turn().await;
    catalog
        .add_webhook(other, &new, Timestamp(0))
        .await
        .unwrap();

    world.firm = other;
    world.tell(EventKind::Kept, 2).await;
    world.turn().await;

    assert_eq!(world.taken(), [3]);
}

#[tokio::test]
async fn a_receiver_that_is_gone_pauses_its_webhook_and_gets_all_when_it_is_resumed() {
    let mut world = World::new(&[]).await;
    world.tell(EventKind::Kept, 1).await;
    let answer = Answer {
        status: 410,
        retry_after: None,
        text: String::new(),
    };
    struct Gone(Answer);
    impl Sends for Gone {
        async fn send(&self, _: &Message) -> Result<Answer, Error> {
            Ok(self.0.clone())
        }
    }
    let clock = Clock::new(|| Timestamp(1_000_000));
    let gone = Dispatcher::new(world.catalog.clone(), Gone(answer), clock);

    assert_eq!(gone.turn().await.unwrap(), None);

    let row = world.webhook().await;
    assert_eq!(
        row.webhook.paused.as_deref(),
        Some("the receiver answered 410 Gone")
    );
    let events = world
        .catalog
        .events(world.firm, EventSeq(3), 10)
        .await
        .unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event.kind, EventKind::WebhookPaused);
    world.tell(EventKind::Offered, 1).await;
    world.finish().await;
    assert_eq!(world.tried(), 0);

    let now = Timestamp(1_000_000);
    world
        .catalog
        .resume_webhook(world.firm, row.webhook.id, now)
        .await
        .unwrap();
    world.finish().await;
    assert_eq!(world.taken(), [3, 5]);
}

#[tokio::test]
async fn a_webhook_is_told_what_it_wants_from_where_it_wants() {
    let mut world = World::new(&[]).await;
    world.tell(EventKind::Kept, 1).await;
    world.tell(EventKind::DossierAdded, 0).await;
    let new = NewWebhook {
        url: URL,
        origin: "https://example.com",
        kinds: &[EventKind::WebhookAdded, EventKind::DossierAdded],
        secret: &Secret::shown([2; 32]),
        from: Some(EventSeq(2)),
    };
    world
        .catalog
        .add_webhook(world.firm, &new, Timestamp(0))
        .await
        .unwrap();

    world.finish().await;

    let mut taken = world.taken();
    taken.sort_unstable();
    assert_eq!(taken, [2, 3, 4, 5]);
    let seen = world.receiver.seen.lock().unwrap().clone();
    let setup = seen.iter().find(|(id, ..)| seq_of(id) == 4).unwrap();
    assert!(setup.1.contains(r#""detail":null"#), "{}", setup.1);
}

#[tokio::test]
async fn a_removed_webhook_is_told_nothing_and_its_secret_is_gone() {
    let mut world = World::new(&[]).await;
    world.tell(EventKind::Kept, 1).await;
    let id = world.webhook().await.webhook.id;
    let other = world
        .catalog
        .remove_webhook(FirmId(9), id, Timestamp(0))
        .await;
    assert!(other.is_err(), "another firm's");
    let other = world
        .catalog
        .pause_webhook(FirmId(9), id, "by hand", Timestamp(0))
        .await;
    assert!(other.is_err(), "another firm's");

    world
        .catalog
        .remove_webhook(world.firm, id, Timestamp(0))
        .await
        .unwrap();
    world.finish().await;

    assert_eq!(world.tried(), 0);
    assert_eq!(world.catalog.webhooks(world.firm).await.unwrap().len(), 0);
    assert!(
        world
            .catalog
            .remove_webhook(world.firm, id, Timestamp(0))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_firm_without_documents_is_removed_with_its_webhooks_and_letters() {
    let mut world = World::new(&[EventKind::Kept]).await;
    world.tell(EventKind::Kept, 1).await;
    world.does([Does::Refuses]);
    world.turn().await;
    assert_eq!(world.webhook().await.waiting, 1);

    world.catalog.remove_firm(world.firm).await.unwrap();

    assert_eq!(world.catalog.active_webhooks().await.unwrap(), []);
}

#[tokio::test]
async fn a_round_that_ends_after_its_webhook_was_removed_writes_nothing() {
    let world = World::new(&[]).await;
    world.tell(EventKind::Kept, 1).await;
    let webhook = world.webhook().await.webhook;
    let (letters, upto) = world.catalog.fresh_letters(&webhook, 10).await.unwrap();
    let unsent = letters
        .into_iter()
        .map(|letter| (letter, lanes::Outcome::Unsent));
    let now = Timestamp(1_000_000);
    let settled = lanes::settle(upto, unsent.collect(), Vec::new(), now, || 0);
    let other = Webhook {
        firm: FirmId(9),
        ..webhook.clone()
    };
    assert!(
        !world.catalog.settle(&other, &settled, now).await.unwrap(),
        "another firm's"
    );
    world
        .catalog
        .remove_webhook(world.firm, webhook.id, now)
        .await
        .unwrap();

    assert!(!world.catalog.settle(&webhook, &settled, now).await.unwrap());

    assert_eq!(
        world
            .catalog
            .due_letters(&webhook, (now, now), 10)
            .await
            .unwrap()
            .len(),
        0
    );
}
