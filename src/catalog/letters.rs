//! Which events is a webhook still to be told?
//!
//! Those after its cursor, and its letters: events at or before the cursor that it was not told. So the
//! cursor may move past what failed, and nothing is forgotten: both move in one transaction.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, query};

use super::documents::reading;
use super::events::{Event, EventRow, event_row};
use super::rows::Columns as _;
use super::soundness::noted;
use super::{Catalog, Durability, Error, Offer, Tx, Webhook};
use crate::model::{
    Digest, DossierId, EventKind, EventSeq, FirmId, Kind, LetterId, Timestamp, WebhookId,
};

/// Where an event stands on its way to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterState {
    /// After the cursor, and no letter yet.
    Fresh,
    /// After the cursor, and there are letters of its lane.
    FreshBehind,
    /// A letter, the first of its lane.
    Due,
}

/// An event on its way to a webhook, with what is told of it.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The event.
    pub row: EventRow,
    /// Where it stands.
    pub state: LetterState,
    /// How often it was tried.
    pub attempts: i64,
    /// Its document.
    pub document: Option<DocumentFacts>,
    /// Its delivery.
    pub delivery: Option<DeliveryFacts>,
    /// Its device's name.
    pub device_name: Option<String>,
}

impl Letter {
    /// Returns within what it is told in order: its document's number, or 0.
    pub fn lane(&self) -> i64 {
        self.row.event.document.map_or(0, |id| id.0)
    }
}

/// What is told of a document; it never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFacts {
    /// Its original bytes.
    pub digest: Digest,
    /// Its number (BT-1).
    pub number: Option<String>,
    /// What it is; none where nobody understands what was read of it.
    pub kind: Option<Kind>,
}

/// What is told of a delivery; it does not change any more once it was offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFacts {
    /// From 1.
    pub generation: i64,
    /// To whose books.
    pub dossier: Option<DossierId>,
    /// Where it shows, or showed.
    pub offer: Option<Offer>,
}

/// What becomes of a round of letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Up to where everything is dealt with now.
    pub cursor: EventSeq,
    /// Whether anything was told.
    pub told_at: Option<Timestamp>,
    /// Letters that were told.
    pub told: Vec<(EventSeq, i64)>,
    /// What stays, or becomes, a letter.
    pub unsettled: Vec<Unsettled>,
    /// Why it is told nothing more, if it wants nothing more.
    pub pause: Option<String>,
}

/// An event that was not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// Which.
    pub seq: EventSeq,
    /// Its lane.
    pub lane: i64,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried again; never, if it is given up.
    pub due: Option<Timestamp>,
    /// What went wrong last.
    pub error: String,
}

/// A letter that was given up.
#[derive(Debug, Clone)]
pub struct Dead {
    /// Its row.
    pub id: LetterId,
    /// Of which webhook.
    pub webhook: WebhookId,
    /// How often it was tried.
    pub attempts: i64,
    /// What went wrong last.
    pub error: String,
    /// The event.
    pub row: EventRow,
}

/// What is told of an event stands in several tables, and of a document that is gone in others. Its end alone is told
/// without: that may be told when nothing is known of it any more.
const FACTS: &str = "coalesce(d.digest, x.digest) as document_digest, d.reading, x.number, x.kind as document_kind,
       coalesce(v.generation, g.generation) as generation, coalesce(v.dossier_id, g.dossier_id) as dossier_id,
       coalesce(v.folder, g.folder) as folder, coalesce(v.name, g.name) as name, c.name as device_name";
const JOINS: &str =
    "left join document d on d.id = e.document_id left join delivery v on v.id = e.delivery_id
     left join expired x on x.firm_id = e.firm_id and x.document_id = e.document_id and e.kind <> 'expired'
     left join expired_delivery g on g.id = e.delivery_id
     left join device c on c.id = e.device_id";

impl Catalog {
    /// Returns how many dead letters a webhook has; it is counted up to `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn dead_count(&self, webhook: &Webhook, limit: i64) -> Result<i64, Error> {
        let row = query(
            "select count(*) as n from
                (select 1 from letter where webhook_id = $1 and state = 'dead' limit $2) as dead",
        )
        .bind(webhook.id.0)
        .bind(limit)
        .fetch_one(&self.readers)
        .await?;
        row.int("n")
    }

    /// Returns letters of a webhook that are due at `now`, the longest due first, at most `limit`. No letter waits for
    /// a time after `latest`: one that seems to is from before the clock went back, and is due too.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn due_letters(
        &self,
        webhook: &Webhook,
        (now, latest): (Timestamp, Timestamp),
        limit: i64,
    ) -> Result<Vec<Letter>, Error> {
        let text = format!(
            "select e.*, l.attempts, {FACTS} from letter l join event e on e.firm_id = $1 and e.seq = l.seq {JOINS}
             where l.webhook_id = $2 and l.state = 'due' and (l.due_at <= $3 or l.due_at > $4)
             order by l.due_at, l.seq limit $5"
        );
        let rows = query(AssertSqlSafe(text))
            .bind(webhook.firm.0)
            .bind(webhook.id.0)
            .bind(now.0)
            .bind(latest.0)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| letter(row, LetterState::Due, row.int("attempts")?))
            .collect()
    }

    /// Returns the events after a webhook's cursor that it wants, at most `limit`, and up to which event there are no others.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn fresh_letters(
        &self,
        webhook: &Webhook,
        limit: i64,
    ) -> Result<(Vec<Letter>, EventSeq), Error> {
        // The words are ours: they were parsed.
        let words: Vec<_> = webhook
            .kinds
            .iter()
            .map(|kind| format!("'{}'", kind.as_str()))
            .collect();
        let wanted = if words.is_empty() {
            "e.document_id is not null".to_owned()
        } else {
            format!("e.kind in ({})", words.join(", "))
        };
        let text = format!(
            "select e.*, {FACTS}, (select count(*) from letter l
                 where l.webhook_id = $2 and l.lane = coalesce(e.document_id, 0) and l.state <> 'dead') as ahead
             from event e {JOINS}
             where e.firm_id = $1 and e.seq > $3 and e.seq <= $4 and {wanted} order by e.seq limit $5"
        );
        let rows = query(AssertSqlSafe(text))
            .bind(webhook.firm.0)
            .bind(webhook.id.0)
            .bind(webhook.cursor.0)
            .bind(webhook.last.0)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        let letters = rows.iter().map(|row| {
            let state = match row.int("ahead")? {
                0 => LetterState::Fresh,
                _ => LetterState::FreshBehind,
            };
            letter(row, state, 0)
        });
        let letters: Vec<Letter> = letters.collect::<Result<_, Error>>()?;
        let is_all = i64::try_from(letters.len()).is_ok_and(|count| count < limit);
        let upto = letters
            .last()
            .filter(|_| !is_all)
            .map_or(webhook.last, |last| last.row.seq);
        Ok((letters, upto))
    }

    /// Writes down what became of a round; says whether it did, for somebody may have removed the webhook meanwhile.
    ///
    /// # Errors
    ///
    /// When the database does not answer; then nothing has changed.
    pub async fn settle(
        &self,
        webhook: &Webhook,
        settled: &Settlement,
        now: Timestamp,
    ) -> Result<bool, Error> {
        noted(&self.turns, self.try_settle(webhook, settled, now).await)
    }

    async fn try_settle(
        &self,
        webhook: &Webhook,
        settled: &Settlement,
        now: Timestamp,
    ) -> Result<bool, Error> {
        // A power cut may take it back: then it is told once more.
        let mut tx = self.begin(Durability::Kill).await?;
        let done = query(
            "update webhook set cursor_seq = $4, told_at = coalesce($5, told_at), paused = coalesce(paused, $6)
             where firm_id = $1 and id = $2 and cursor_seq = $3 and removed_at is null",
        )
        .bind(webhook.firm.0)
        .bind(webhook.id.0)
        .bind(webhook.cursor.0)
        .bind(settled.cursor.0)
        .bind(settled.told_at.map(|at| at.0))
        .bind(settled.pause.as_deref())
        .execute(&mut *tx.inner)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        tx.settle_letters(webhook.id, settled).await?;
        if let Some(why) = &settled.pause {
            let detail = format!("webhook {}: {why}", webhook.id);
            tx.tell(
                webhook.firm,
                now,
                [Event::new(EventKind::WebhookPaused, detail)],
            );
        }
        tx.commit_unseen().await?;
        Ok(true)
    }

    /// Returns the dead letters of `firm`, oldest first, at most `limit` after `after`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn dead_letters(
        &self,
        firm: FirmId,
        after: LetterId,
        limit: i64,
    ) -> Result<Vec<Dead>, Error> {
        let rows = query(
            "select e.*, l.id, l.webhook_id, l.attempts, l.error from webhook w
             join letter l on l.webhook_id = w.id join event e on e.firm_id = w.firm_id and e.seq = l.seq
             where w.firm_id = $1 and l.state = 'dead' and l.id > $2 order by l.id limit $3",
        )
        .bind(firm.0)
        .bind(after.0)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(dead).collect()
    }

    /// Has a dead letter of `firm` tried again, as if it were new; says whether there was one.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn retry_letter(
        &self,
        firm: FirmId,
        id: LetterId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let row = query(
            "update letter set state = 'behind', attempts = 0, due_at = $3
             where id = $2 and state = 'dead' and webhook_id in (select id from webhook where firm_id = $1)
             returning webhook_id, lane",
        )
        .bind(firm.0)
        .bind(id.0)
        .bind(now.0)
        .fetch_optional(&mut *tx.inner)
        .await?;
        let Some(row) = row else { return Ok(false) };
        let (webhook, lane) = (WebhookId(row.int("webhook_id")?), row.int("lane")?);
        tx.order_lane(webhook, lane).await?;
        tx.commit_unseen().await?;
        Ok(true)
    }
}

impl Tx {
    async fn settle_letters(&mut self, id: WebhookId, settled: &Settlement) -> Result<(), Error> {
        for (seq, _) in &settled.told {
            query("delete from letter where webhook_id = $1 and seq = $2")
                .bind(id.0)
                .bind(seq.0)
                .execute(&mut *self.inner)
                .await?;
        }
        for letter in &settled.unsettled {
            self.write_letter(id, letter).await?;
        }
        let told = settled.told.iter().map(|&(_, lane)| lane);
        let mut lanes: Vec<_> = told
            .chain(settled.unsettled.iter().map(|letter| letter.lane))
            .collect();
        lanes.sort_unstable();
        lanes.dedup();
        for lane in lanes {
            self.order_lane(id, lane).await?;
        }
        Ok(())
    }

    async fn write_letter(&mut self, id: WebhookId, letter: &Unsettled) -> Result<(), Error> {
        let state = if letter.due.is_some() {
            "behind"
        } else {
            "dead"
        };
        query(
            // What was forgotten meanwhile is told no more.
            "insert into letter (webhook_id, seq, lane, state, attempts, due_at, error)
             select $1, $2, $3, $4, $5, $6, $7 where not exists
                (select 1 from webhook w join event e on e.firm_id = w.firm_id and e.seq = $2
                 where w.id = $1 and e.kind = 'blank')
             on conflict (webhook_id, seq) do update set state = $4, attempts = $5, due_at = $6, error = $7",
        )
        .bind(id.0)
        .bind(letter.seq.0)
        .bind(letter.lane)
        .bind(state)
        .bind(letter.attempts)
        .bind(letter.due.map_or(0, |due| due.0))
        .bind(letter.error.as_str())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// The first letter of a lane that is not dead is due, and the others are behind it.
    pub(super) async fn order_lane(&mut self, id: WebhookId, lane: i64) -> Result<(), Error> {
        query(
            "update letter set state = case when seq =
                 (select min(o.seq) from letter o where o.webhook_id = $1 and o.lane = $2 and o.state <> 'dead')
                 then 'due' else 'behind' end
             where webhook_id = $1 and lane = $2 and state <> 'dead'",
        )
        .bind(id.0)
        .bind(lane)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

fn letter(row: &AnyRow, state: LetterState, attempts: i64) -> Result<Letter, Error> {
    // A document that nobody understands is told without what was read of it: it holds up no other.
    let digest = row.word_or("document_digest").ok().flatten();
    let document = digest.map(|digest| match reading(row) {
        Ok(reading) => DocumentFacts {
            digest,
            number: reading.number,
            kind: Some(reading.kind),
        },
        Err(_) => DocumentFacts {
            digest,
            number: row.text_or("number").ok().flatten(),
            kind: row.word_or("document_kind").ok().flatten(),
        },
    });
    let delivery = match row.int_or("generation")? {
        Some(generation) => Some(DeliveryFacts {
            generation,
            dossier: row.int_or("dossier_id")?.map(DossierId),
            offer: row
                .text_or("folder")?
                .zip(row.text_or("name")?)
                .map(|(folder, name)| Offer { folder, name }),
        }),
        None => None,
    };
    Ok(Letter {
        row: event_row(row)?,
        state,
        attempts,
        document,
        delivery,
        device_name: row.text_or("device_name")?,
    })
}

fn dead(row: &AnyRow) -> Result<Dead, Error> {
    Ok(Dead {
        id: LetterId(row.int("id")?),
        webhook: WebhookId(row.int("webhook_id")?),
        attempts: row.int("attempts")?,
        error: row.text("error")?,
        row: event_row(row)?,
    })
}
