//! What has a device done with a delivery?
//!
//! Each mark is one conditional change: of two that try, one wins, and only that one tells an event.

use sqlx::query;

use super::rows::Columns as _;
use super::soundness::noted;
use super::writer::{Durability, FOREIGN_LAG_MAX};
use super::{Catalog, Error, Event, Tx, events};
use crate::collect::Progress;
use crate::model::{Clock, DeliveryId, Digest, FirmId, State, Timestamp, fold};

/// A delivery under a mark: how far it has come, and what its device has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// How far it has come.
    pub state: State,
    /// What was read, as far as it is believed.
    pub progress: Progress,
}

/// Another delivery behind a name that an importer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameInUse {
    /// Its bytes.
    pub digest: Digest,
    /// Whether it is in that very folder for certain: its link has the same profile and code.
    pub is_there: bool,
}

/// Collecting, as one statement that is its own transaction: it is what a pull does thousands of times in
/// a row. The event is added only if the delivery is offered and the firm's last event is the one that is
/// continued; what the event tells happens with it, by a trigger.
const COLLECT: &str = "insert into event (firm_id, seq, at, kind, document_id, delivery_id, device_id, session_id, detail, hash)
     select $1, $3, $2, $4, $5, $6, $7, $8, $9, $10 from delivery d, firm f
     where d.firm_id = $1 and d.id = $6 and d.state = 'offered' and d.current = 1
       and f.id = $1 and f.event_seq = $3 - 1 and f.event_hash = $11";

/// A question for each index. A link has one processed folder with those of its dossier that were removed, where their
/// profiles lead to the same. Which do is not known here, so the names of all of them count. It is of one device; the
/// sign keeps SQLite from going through all files of that.
pub(super) const NAME_IN_USE: &str =
    "select o.digest, case when akin.profile = own.profile and akin.code_key = own.code_key then 1 else 0 end as is_there
     from delivery d join link own on own.id = d.link_id
       join link akin on akin.dossier_id = own.dossier_id
         and (akin.id = own.id or akin.removed_at is not null or own.removed_at is not null)
       join delivery o on o.link_id = akin.id and o.flow = d.flow and o.name_key = $3
     where d.firm_id = $1 and d.id = $2 and o.current = 1 and o.id <> d.id and +o.device_id = d.device_id
     union all
     select o.digest, case when akin.profile = own.profile and akin.code_key = own.code_key then 1 else 0 end as is_there
     from delivery d join link own on own.id = d.link_id
       join link akin on akin.dossier_id = own.dossier_id
         and (akin.id = own.id or akin.removed_at is not null or own.removed_at is not null)
       join delivery o on o.link_id = akin.id and o.flow = d.flow and o.moved_key = $3
     where d.firm_id = $1 and d.id = $2 and o.current = 1 and o.id <> d.id and +o.device_id = d.device_id
     order by is_there desc limit 1";

impl Catalog {
    /// Marks an offered delivery as collected and tells it, whatever was read of it before; says whether
    /// this call did. If it did not, nothing has changed. The clock is read once the turn to write is held.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn collect_at_once(
        &self,
        firm: FirmId,
        event: &Event,
        clock: &Clock,
    ) -> Result<bool, Error> {
        noted(&self.turns, self.collect(firm, event, clock).await)
    }

    async fn collect(&self, firm: FirmId, event: &Event, clock: &Clock) -> Result<bool, Error> {
        let mut turn = self.turns.take().await;
        turn.ready(Durability::Kill).await?;
        turn.look(FOREIGN_LAG_MAX).await?;
        let head = events::last(&mut turn, firm).await?;
        let now = clock.read();
        let next = head.next(firm, now, event);
        // Who is cancelled here has perhaps moved it.
        turn.set_head(None);
        let done = query(COLLECT)
            .bind(firm.0)
            .bind(now.0)
            .bind(next.seq)
            .bind(event.kind.as_str())
            .bind(event.document.map(|id| id.0))
            .bind(event.delivery.map(|id| id.0))
            .bind(event.device.map(|id| id.0))
            .bind(event.session.map(|id| id.0))
            .bind(event.detail.as_str())
            .bind(next.hash.as_str())
            .bind(head.hash.as_str())
            // Not a row that it returns: that would be here before the commit.
            .execute(&mut *turn)
            .await?;
        let won = done.rows_affected() == 1;
        turn.set_head(won.then_some((firm, next)));
        if won {
            turn.told();
        }
        Ok(won)
    }
}

impl Tx {
    /// Takes a delivery's turn, and returns where it stands; none if the firm has no such delivery.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn take_mark(&mut self, firm: FirmId, id: DeliveryId) -> Result<Option<Mark>, Error> {
        let row = query(
            "update delivery set state = state where firm_id = $1 and id = $2 returning state, progress",
        )
        .bind(firm.0)
        .bind(id.0)
        .fetch_optional(&mut *self.inner)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let progress = match row.text_or("progress")? {
            Some(text) => serde_json::from_str(&text).map_err(|_| Error::Stored {
                what: "a progress",
                value: text,
            })?,
            None => Progress::default(),
        };
        Ok(Some(Mark {
            state: row.word("state")?,
            progress,
        }))
    }

    /// Writes down what was read so far.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn mark_progress(
        &mut self,
        id: DeliveryId,
        progress: &Progress,
    ) -> Result<(), Error> {
        let text = serde_json::to_string(progress)
            .map_err(|source| Error::Database(sqlx::Error::Encode(source.into())))?;
        query("update delivery set progress = $2 where id = $1")
            .bind(id.0)
            .bind(text)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Marks an offered delivery as read whole, where that does not count as collected.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn mark_read(&mut self, id: DeliveryId, now: Timestamp) -> Result<bool, Error> {
        let done = query("update delivery set read_at = $2 where id = $1 and state = 'offered' and read_at is null")
            .bind(id.0)
            .bind(now.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Marks an offered delivery as collected; says whether this call did.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn mark_collected(
        &mut self,
        firm: FirmId,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let done = query(
            "update delivery set state = 'collected', collected_at = $3, read_at = coalesce(read_at, $3), progress = null
             where firm_id = $1 and id = $2 and state = 'offered' and current = 1",
        )
        .bind(firm.0)
        .bind(id.0)
        .bind(now.0)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Marks a delivery as processed, and with that collected; says whether this call did.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn mark_processed(
        &mut self,
        firm: FirmId,
        id: DeliveryId,
        act: &Act,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let done = query(
            "update delivery set state = 'processed', processed_at = $3, collected_at = coalesce(collected_at, $3),
                    act = $4, moved_name = $5, moved_key = $6, progress = null
             where firm_id = $1 and id = $2 and state in ('offered', 'collected') and current = 1",
        )
        .bind(firm.0)
        .bind(id.0)
        .bind(now.0)
        .bind(act.word())
        .bind(act.name())
        .bind(act.name().map(fold))
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Returns what is behind `name` in the processed folder of a delivery, or will be once its importer has
    /// done with it, if that is another delivery; or behind it in a folder that may be the same one.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn name_in_use(
        &mut self,
        firm: FirmId,
        id: DeliveryId,
        name: &str,
    ) -> Result<Option<NameInUse>, Error> {
        let row = query(NAME_IN_USE)
            .bind(firm.0)
            .bind(id.0)
            .bind(fold(name))
            .fetch_optional(&mut *self.inner)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(NameInUse {
            digest: row.word("digest")?,
            is_there: row.int("is_there")? == 1,
        }))
    }

    /// Gives a file in the processed folder another name; says whether it is there.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn rename_moved(
        &mut self,
        firm: FirmId,
        id: DeliveryId,
        name: &str,
    ) -> Result<bool, Error> {
        let done = query(
            "update delivery set moved_name = $3, moved_key = $4 where firm_id = $1 and id = $2 and state in ('collected', 'processed')",
        )
        .bind(firm.0)
        .bind(id.0)
        .bind(name)
        .bind(fold(name))
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that a processed delivery, which was copied to the processed folder, is now also removed from the inbox.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn mark_copy_removed(&mut self, firm: FirmId, id: DeliveryId) -> Result<bool, Error> {
        let done = query(
            "update delivery set act = 'moved' where firm_id = $1 and id = $2 and state = 'processed' and act = 'copied'",
        )
        .bind(firm.0)
        .bind(id.0)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// What the importer did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// It removed the file from the inbox.
    Removed,
    /// It moved the file to the processed folder, under this name.
    Moved(String),
    /// It put the same bytes into the processed folder, under this name.
    Copied(String),
}

impl Act {
    /// Returns the word that tables and events use.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Moved(_) => "moved",
            Self::Copied(_) => "copied",
        }
    }

    /// Returns the name that the importer gave the file in the processed folder, if it did.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Removed => None,
            Self::Moved(name) | Self::Copied(name) => Some(name),
        }
    }
}
