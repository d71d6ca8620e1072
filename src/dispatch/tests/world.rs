//! What does a test of telling stand on?

use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::sync::Notify;

use crate::catalog::{self, Catalog, Durability, Event, NewWebhook};
use crate::dispatch::{Answer, Dispatcher, Error, Message, Secret, Sends};
use crate::model::{Clock, DocumentId, EventKind, FirmId, Language, LetterId, Timestamp};

pub(super) const URL: &str = "https://example.com/hook";

/// What the receiver does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Takes,
    Fails,
    Refuses,
    IsSilent,
    /// It has the message, but its answer is lost.
    TakesAndIsSilent,
    AsksForPatience,
    /// It has the message, and then this program is killed.
    TakesAndWeDie,
}

/// A receiver that does what it is told, and then takes everything.
#[derive(Default)]
pub(super) struct Receiver {
    does: Mutex<VecDeque<Does>>,
    /// Everything that came: its id, its body, and whether the receiver has taken it.
    pub(super) seen: Mutex<Vec<(String, String, bool)>>,
    dead: Notify,
}

impl Sends for Arc<Receiver> {
    async fn send(&self, message: &Message) -> Result<Answer, Error> {
        let does = self.does.lock().unwrap().pop_front();
        let does = does.unwrap_or(Does::Takes);
        let takes = matches!(
            does,
            Does::Takes | Does::TakesAndIsSilent | Does::TakesAndWeDie
        );
        let seen = (message.id.clone(), message.body.clone(), takes);
        self.seen.lock().unwrap().push(seen);
        let answer = |status, field: Option<&str>| Answer {
            status,
            retry_after: field.map(str::to_owned),
            text: String::new(),
        };
        match does {
            Does::Takes => Ok(answer(200, None)),
            Does::Fails => Ok(answer(500, None)),
            Does::Refuses => Ok(answer(404, None)),
            Does::AsksForPatience => Ok(answer(429, Some("45"))),
            Does::IsSilent | Does::TakesAndIsSilent => Err(Error::Slow {
                what: "the answer",
                ms: 1,
            }),
            Does::TakesAndWeDie => {
                self.dead.notify_one();
                pending().await
            }
        }
    }
}

/// A firm with a webhook, and what tells it.
pub(super) struct World {
    pub(super) catalog: Catalog,
    pub(super) firm: FirmId,
    pub(super) time: Arc<AtomicI64>,
    pub(super) receiver: Arc<Receiver>,
    pub(super) dispatcher: Dispatcher<Arc<Receiver>>,
    folder: TempDir,
}

impl World {
    pub(super) async fn new(kinds: &[EventKind]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.sqlite"))
            .await
            .unwrap();
        let now = Timestamp(1_000_000);
        let slug = "peeters".parse().unwrap();
        let firm = catalog
            .add_firm(&slug, "F", Language::Nl, now)
            .await
            .unwrap();
        let new = NewWebhook {
            url: URL,
            origin: "https://example.com",
            kinds,
            secret: &Secret::shown([1; 32]),
            from: None,
        };
        catalog.add_webhook(firm, &new, now).await.unwrap();
        let time = Arc::new(AtomicI64::new(now.0));
        let receiver = Arc::new(Receiver::default());
        let dispatcher = Self::dispatcher(&catalog, &receiver, &time);
        Self {
            catalog,
            firm,
            time,
            receiver,
            dispatcher,
            folder,
        }
    }

    fn dispatcher(
        catalog: &Catalog,
        receiver: &Arc<Receiver>,
        time: &Arc<AtomicI64>,
    ) -> Dispatcher<Arc<Receiver>> {
        let time = Arc::clone(time);
        let clock = Clock::new(move || Timestamp(time.load(Ordering::SeqCst)));
        Dispatcher::new(catalog.clone(), Arc::clone(receiver), clock).with_random(|| 9_999)
    }

    pub(super) fn restart(&mut self) {
        self.dispatcher = Self::dispatcher(&self.catalog, &self.receiver, &self.time);
    }

    /// Writes over the first page of a table, as a disk may do between two starts.
    pub(super) async fn damage(&mut self, table: &str) {
        let file = self.folder.path().join("catalog.sqlite");
        let catalog = self.catalog.clone();
        catalog::break_table(catalog, &file, table).await;
        self.catalog = Catalog::open(&file).await.unwrap();
        self.restart();
    }

    pub(super) async fn tell(&self, kind: EventKind, document: i64) {
        let now = Timestamp(self.time.load(Ordering::SeqCst));
        let (mut tx, _) = self
            .catalog
            .begin_at(self.firm, Durability::Kill)
            .await
            .unwrap();
        let event = Event {
            document: (document > 0).then_some(DocumentId(document)),
            ..Event::new(kind, "")
        };
        tx.tell(self.firm, now, [event]);
        tx.commit().await.unwrap();
    }

    pub(super) fn does(&self, does: impl IntoIterator<Item = Does>) {
        self.receiver.does.lock().unwrap().extend(does);
    }

    /// Tells what can be told now; a program that dies in the middle begins anew.
    pub(super) async fn turn(&mut self) -> Option<Timestamp> {
        self.turn_or_die().await.flatten()
    }

    /// The same; none if it died.
    async fn turn_or_die(&mut self) -> Option<Option<Timestamp>> {
        let next = tokio::select! {
            next = self.dispatcher.turn() => Some(next.unwrap()),
            () = self.receiver.dead.notified() => None,
        };
        if next.is_none() {
            self.restart();
        }
        next
    }

    /// Lets time pass until everything is told.
    pub(super) async fn finish(&mut self) {
        self.receiver.does.lock().unwrap().clear();
        for _ in 0..1000 {
            match self.turn_or_die().await {
                Some(None) => return,
                Some(Some(next)) => drop(self.time.fetch_max(next.0, Ordering::SeqCst)),
                // Of several calls that died together only the first was heard.
                None => {}
            }
        }
        panic!("it never ends");
    }

    /// The numbers of the events that the receiver has taken, in order.
    pub(super) fn taken(&self) -> Vec<i64> {
        let seen = self.receiver.seen.lock().unwrap();
        let taken = seen.iter().filter(|(.., taken)| *taken);
        taken.map(|(id, ..)| seq_of(id)).collect()
    }

    pub(super) fn tried(&self) -> usize {
        self.receiver.seen.lock().unwrap().len()
    }

    pub(super) async fn dead(&self) -> Vec<catalog::Dead> {
        let dead = self.catalog.dead_letters(self.firm, LetterId(0), 1000);
        dead.await.unwrap()
    }

    pub(super) async fn webhook(&self) -> catalog::WebhookRow {
        self.catalog.webhooks(self.firm).await.unwrap().remove(0)
    }
}

pub(super) fn seq_of(id: &str) -> i64 {
    id.split('_').nth(2).unwrap().parse().unwrap()
}
