//! Whom does a firm tell what happens, and how far has each come?

use std::collections::BTreeSet;

use sqlx::any::AnyRow;
use sqlx::query;

use super::events::Event;
use super::rows::Columns as _;
use super::{Catalog, Durability, Error, Tx};
use crate::model::{EventKind, EventSeq, FirmId, Timestamp, WebhookId};

/// How many webhooks a firm may have: each costs a connection and its own reading of the events.
pub(super) const WEBHOOKS_PER_FIRM_MAX: i64 = 16;

/// An address that a firm tells what happens.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its row.
    pub id: WebhookId,
    /// Whose.
    pub firm: FirmId,
    /// The firm's name in what is told.
    pub firm_slug: String,
    /// Where to.
    pub url: String,
    /// What it is told; empty for every event about a document.
    pub kinds: Vec<EventKind>,
    /// With what it is signed.
    pub secret: String,
    /// The last event that is dealt with.
    pub cursor: EventSeq,
    /// The firm's last event.
    pub last: EventSeq,
    /// When its next letter is due, if it has one.
    pub next_due: Option<Timestamp>,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
}

/// The secret is for nobody's log.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({})", self.id)
    }
}

/// A webhook to add.
#[derive(Clone, Copy)]
pub struct NewWebhook<'a> {
    /// Where to.
    pub url: &'a str,
    /// The same without what may be secret in it, for the event.
    pub origin: &'a str,
    /// What it is told; empty for every event about a document.
    pub kinds: &'a [EventKind],
    /// With what it is signed.
    pub secret: &'a str,
    /// From which event on; none from now on.
    pub from: Option<EventSeq>,
}

/// A row of `sluis webhook list`.
#[derive(Debug, Clone)]
pub struct WebhookRow {
    /// The webhook.
    pub webhook: Webhook,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it last answered that it has an event.
    pub told_at: Option<Timestamp>,
    /// How many letters wait, the due ones and those behind them.
    pub waiting: i64,
    /// How many letters are dead.
    pub dead: i64,
    /// What went wrong with the letter that was tried most often and is not dead.
    pub error: Option<String>,
}

const ACTIVE: &str = "select w.*, f.slug, f.event_seq,
        (select min(l.due_at) from letter l where l.webhook_id = w.id and l.state = 'due') as next_due
     from webhook w join firm f on f.id = w.firm_id
     where w.removed_at is null and w.paused is null order by w.id";

const ROWS: &str = "select w.*, f.slug, f.event_seq,
        (select min(l.due_at) from letter l where l.webhook_id = w.id and l.state = 'due') as next_due,
        (select count(*) from letter l where l.webhook_id = w.id and l.state <> 'dead') as waiting,
        (select count(*) from letter l where l.webhook_id = w.id and l.state = 'dead') as dead,
        (select l.error from letter l where l.webhook_id = w.id and l.state = 'due' and l.attempts > 0
         order by l.attempts desc, l.seq limit 1) as error
     from webhook w join firm f on f.id = w.firm_id
     where w.firm_id = $1 and w.removed_at is null order by w.id";

impl Catalog {
    /// Adds a webhook.
    ///
    /// # Errors
    ///
    /// When the firm has too many, tells that address the same already or is gone, or the database does not answer.
    pub async fn add_webhook(
        &self,
        firm: FirmId,
        new: &NewWebhook<'_>,
        now: Timestamp,
    ) -> Result<WebhookId, Error> {
        let (mut tx, _) = self.begin_at(firm, Durability::PowerCut).await?;
        // Its own adding is the firm's next event, and it is not told that.
        let row = query(
            "insert into webhook (firm_id, url, kinds, secret, cursor_seq, added_at)
             select id, $2, $3, $4, coalesce($5, event_seq + 1), $6 from firm where id = $1 returning id",
        )
        .bind(firm.0)
        .bind(new.url)
        .bind(words(new.kinds))
        .bind(new.secret)
        .bind(new.from.map(|from| from.0.saturating_sub(1).max(0)))
        .bind(now.0)
        .fetch_one(&mut *tx.inner)
        .await?;
        let id = WebhookId(row.int("id")?);
        check_untold(&mut tx, firm, id, new).await?;
        let count = "select count(*) as n from webhook where firm_id = $1 and removed_at is null";
        let row = query(count).bind(firm.0).fetch_one(&mut *tx.inner).await?;
        if row.int("n")? > WEBHOOKS_PER_FIRM_MAX {
            return Err(Error::Refused(format!(
                "the firm has {WEBHOOKS_PER_FIRM_MAX} webhooks, and more would cost too much: remove one first"
            )));
        }
        let detail = format!("webhook {id} to {}", new.origin);
        tx.tell(firm, now, [Event::new(EventKind::WebhookAdded, detail)]);
        tx.commit_unseen().await?;
        Ok(id)
    }

    /// Takes a webhook out of use, and forgets its letters and its secret.
    ///
    /// # Errors
    ///
    /// When the firm has no such webhook, or the database does not answer.
    pub async fn remove_webhook(
        &self,
        firm: FirmId,
        id: WebhookId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (mut tx, _) = self.begin_at(firm, Durability::PowerCut).await?;
        let done = query(
            "update webhook set removed_at = $3, secret = '' where firm_id = $1 and id = $2 and removed_at is null",
        )
        .bind(firm.0)
        .bind(id.0)
        .bind(now.0)
        .execute(&mut *tx.inner)
        .await?;
        found(done.rows_affected(), id)?;
        query("delete from letter where webhook_id = $1")
            .bind(id.0)
            .execute(&mut *tx.inner)
            .await?;
        let removed = Event::new(EventKind::WebhookRemoved, format!("webhook {id}"));
        tx.tell(firm, now, [removed]);
        tx.commit_unseen().await
    }

    /// Tells a webhook nothing for now; says whether it was told things before.
    ///
    /// # Errors
    ///
    /// When the firm has no such webhook, or the database does not answer.
    pub async fn pause_webhook(
        &self,
        firm: FirmId,
        id: WebhookId,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let change = "update webhook set paused = $3 where firm_id = $1 and id = $2 and removed_at is null and paused is null";
        let Some(mut tx) = self.turn_webhook(firm, id, change, Some(why)).await? else {
            return Ok(false);
        };
        let detail = format!("webhook {id}: {why}");
        tx.tell(firm, now, [Event::new(EventKind::WebhookPaused, detail)]);
        tx.commit_unseen().await?;
        Ok(true)
    }

    /// Goes on with a webhook where it stopped, its letters at once; says whether it was paused.
    ///
    /// # Errors
    ///
    /// When the firm has no such webhook, or the database does not answer.
    pub async fn resume_webhook(
        &self,
        firm: FirmId,
        id: WebhookId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let change = "update webhook set paused = $3 where firm_id = $1 and id = $2 and removed_at is null and paused is not null";
        let Some(mut tx) = self.turn_webhook(firm, id, change, None).await? else {
            return Ok(false);
        };
        query("update letter set due_at = $2 where webhook_id = $1 and state = 'due'")
            .bind(id.0)
            .bind(now.0)
            .execute(&mut *tx.inner)
            .await?;
        let resumed = Event::new(EventKind::WebhookResumed, format!("webhook {id}"));
        tx.tell(firm, now, [resumed]);
        tx.commit_unseen().await?;
        Ok(true)
    }

    /// Begins a change with this one; none if it changes nothing.
    async fn turn_webhook(
        &self,
        firm: FirmId,
        id: WebhookId,
        change: &'static str,
        paused: Option<&str>,
    ) -> Result<Option<Tx>, Error> {
        let (mut tx, _) = self.begin_at(firm, Durability::PowerCut).await?;
        let done = query(change)
            .bind(firm.0)
            .bind(id.0)
            .bind(paused)
            .execute(&mut *tx.inner)
            .await?;
        if done.rows_affected() == 1 {
            return Ok(Some(tx));
        }
        let row = query("select count(*) as n from webhook where firm_id = $1 and id = $2 and removed_at is null")
            .bind(firm.0)
            .bind(id.0)
            .fetch_one(&mut *tx.inner)
            .await?;
        found(row.int("n")?.unsigned_abs(), id)?;
        Ok(None)
    }

    /// Says whether a webhook is told things still: neither removed nor paused.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn is_active(&self, webhook: &Webhook) -> Result<bool, Error> {
        let row = query(
            "select count(*) as n from webhook
             where firm_id = $1 and id = $2 and removed_at is null and paused is null",
        )
        .bind(webhook.firm.0)
        .bind(webhook.id.0)
        .fetch_one(&self.readers)
        .await?;
        Ok(row.int("n")? == 1)
    }

    /// Returns the webhooks of all firms that are told things. One that nobody understands holds up no other: it
    /// is left out, and told in the log once.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn active_webhooks(&self) -> Result<Vec<Webhook>, Error> {
        let rows = query(ACTIVE).fetch_all(&self.readers).await?;
        self.understood("webhook", &rows, webhook)
    }

    /// Returns the webhooks of `firm` that are in use, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn webhooks(&self, firm: FirmId) -> Result<Vec<WebhookRow>, Error> {
        let rows = query(ROWS).bind(firm.0).fetch_all(&self.readers).await?;
        rows.iter().map(webhook_row).collect()
    }
}

/// Whoever is told twice of the same must be meant twice: with another address, or of other events.
async fn check_untold(
    tx: &mut Tx,
    firm: FirmId,
    id: WebhookId,
    new: &NewWebhook<'_>,
) -> Result<(), Error> {
    let rows = query(
        "select id, kinds, paused from webhook where firm_id = $1 and url = $2 and id <> $3 and removed_at is null order by id",
    )
    .bind(firm.0)
    .bind(new.url)
    .bind(id.0)
    .fetch_all(&mut *tx.inner)
    .await?;
    let wanted: BTreeSet<_> = new.kinds.iter().map(|kind| kind.as_str()).collect();
    for row in &rows {
        let (other, kinds) = (WebhookId(row.int("id")?), row.text("kinds")?);
        let told: BTreeSet<_> = kinds.split(',').filter(|word| !word.is_empty()).collect();
        if told == wanted {
            let paused = match row.text_or("paused")? {
                Some(_) => ", and is paused: resume it",
                None => "",
            };
            return Err(Error::Refused(format!(
                "webhook {other} tells this address the same already{paused}; to begin anew, or with another secret, remove it first"
            )));
        }
    }
    Ok(())
}

fn found(rows: u64, id: WebhookId) -> Result<(), Error> {
    match rows {
        0 => Err(Error::Missing {
            what: format!("webhook {id}"),
        }),
        _ => Ok(()),
    }
}

/// The words of kinds, as a row holds them.
fn words(kinds: &[EventKind]) -> String {
    let words: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    words.join(",")
}

fn webhook(row: &AnyRow) -> Result<Webhook, Error> {
    let kinds = row.text("kinds")?;
    let kind = |word: &str| {
        word.parse().map_err(|_| Error::Stored {
            what: "a kind of event",
            value: word.to_owned(),
        })
    };
    let kinds = kinds.split(',').filter(|word| !word.is_empty());
    Ok(Webhook {
        id: WebhookId(row.int("id")?),
        firm: FirmId(row.int("firm_id")?),
        firm_slug: row.text("slug")?,
        url: row.text("url")?,
        kinds: kinds.map(kind).collect::<Result<_, _>>()?,
        secret: row.text("secret")?,
        cursor: EventSeq(row.int("cursor_seq")?),
        last: EventSeq(row.int("event_seq")?),
        next_due: row.at_or("next_due")?,
        paused: row.text_or("paused")?,
    })
}

fn webhook_row(row: &AnyRow) -> Result<WebhookRow, Error> {
    Ok(WebhookRow {
        webhook: webhook(row)?,
        added_at: row.at("added_at")?,
        told_at: row.at_or("told_at")?,
        waiting: row.int("waiting")?,
        dead: row.int("dead")?,
        error: row.text_or("error")?,
    })
}
