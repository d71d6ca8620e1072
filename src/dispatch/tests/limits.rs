//! Is each limit of telling held, one past it?

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::catalog::{Durability, Event, Settlement, Unsettled};
use crate::model::DocumentId;

#[tokio::test]
async fn a_webhook_with_one_dead_letter_more_is_paused_and_loses_nothing() {
    let mut world = World::new(&[]).await;
    let most = usize::try_from(round::DEAD_MAX).unwrap();
    let dead = |seqs: std::ops::Range<usize>| {
        let seqs = seqs.map(|seq| EventSeq(-1 - i64::try_from(seq).unwrap()));
        let unsettled = seqs.map(|seq| Unsettled {
            seq,
            lane: 0,
            attempts: ATTEMPTS_MAX,
            due: None,
            error: "refused".to_owned(),
        });
        unsettled.collect::<Vec<_>>()
    };
    let die = async |world: &World, dead| {
        let webhook = world.webhook().await.webhook;
        let settled = Settlement {
            cursor: webhook.cursor,
            told_at: None,
            told: Vec::new(),
            unsettled: dead,
            pause: None,
        };
        let now = world.dispatcher.clock.read();
        assert!(world.catalog.settle(&webhook, &settled, now).await.unwrap());
    };
    die(&world, dead(0..most - 1)).await;
    world.tell(EventKind::Kept, 1).await;
    world.turn().await;
    assert_eq!(world.taken().len(), 1);

    die(&world, dead(most - 1..most)).await;
    world.tell(EventKind::Kept, 2).await;
    world.turn().await;

    assert_eq!(world.taken().len(), 1);
    let row = world.webhook().await;
    assert!(row.webhook.paused.unwrap().contains("sluis webhook dead"));
    assert!(
        row.webhook.cursor < row.webhook.last,
        "it waits where it is"
    );
}

/// Holds every call until as many are under way as may be, and notes how many were at the most.
struct Crowd {
    under_way: AtomicUsize,
    most: AtomicUsize,
    begun: AtomicUsize,
    /// So many are expected at the same time, and so many in all.
    expected: (usize, usize),
    leave: Semaphore,
}

impl Sends for Arc<Crowd> {
    async fn send(&self, _: &Message) -> Result<Answer, Error> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let begun = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let (at_once, in_all) = self.expected;
        // The last may leave all at once; before, one leaves when it is full.
        if begun == in_all {
            self.leave.add_permits(in_all);
        } else if now >= at_once {
            self.leave.add_permits(1);
        }
        self.leave.acquire().await.unwrap().forget();
        // Whoever else may begin does so before this one has gone.
        for _ in 0..2000 {
            tokio::task::yield_now().await;
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        Ok(Answer {
            status: 200,
            retry_after: None,
            text: String::new(),
        })
    }
}

/// Tells so many webhooks of so many firms of eight documents each, and returns how many calls were under way
/// at the same time at the most, and how many there were.
async fn crowd(firms: usize, webhooks: usize, at_once: usize) -> (usize, usize) {
    const DOCUMENTS: usize = 8; // lanes that are told beside each other
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&folder.path().join("c.sqlite"))
        .await
        .unwrap();
    let now = Timestamp(1_000_000);
    for number in 0..firms {
        let slug = format!("f{number}").parse().unwrap();
        let firm = catalog
            .add_firm(&slug, "F", Language::Nl, now)
            .await
            .unwrap();
        for webhook in 0..webhooks {
            let new = NewWebhook {
                url: &format!("{URL}{webhook}"),
                origin: "https://example.com",
                kinds: &[],
                secret: &Secret::shown([1; 32]),
                from: None,
            };
            catalog.add_webhook(firm, &new, now).await.unwrap();
        }
        let (mut tx, _) = catalog.begin_at(firm, Durability::Kill).await.unwrap();
        let kept = (1..).take(DOCUMENTS).map(|id| Event {
            document: Some(DocumentId(id)),
            ..Event::new(EventKind::Kept, "")
        });
        tx.tell(firm, now, kept);
        tx.commit().await.unwrap();
    }
    let in_all = firms * webhooks * DOCUMENTS;
    let crowd = Arc::new(Crowd {
        under_way: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        begun: AtomicUsize::new(0),
        expected: (at_once, in_all),
        leave: Semaphore::new(0),
    });
    let clock = Clock::new(move || now);
    let dispatcher = Dispatcher::new(catalog, Arc::clone(&crowd), clock);

    dispatcher.turn().await.unwrap();

    let most = crowd.most.load(Ordering::SeqCst);
    (most, crowd.begun.load(Ordering::SeqCst))
}

#[tokio::test]
async fn of_one_firm_one_call_past_the_limit_waits() {
    let told = crowd(1, 5, FIRM_CALLS_MAX).await;

    assert_eq!(told, (FIRM_CALLS_MAX, 40));
}

#[tokio::test]
async fn of_all_firms_one_call_past_the_limit_waits() {
    let told = crowd(9, 2, CALLS_MAX).await;

    assert_eq!(told, (CALLS_MAX, 144));
}
