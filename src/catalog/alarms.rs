//! Which alarms are up, and what may have been forgotten?
//!
//! A row stands as long as its alarm is up, and comes and goes with an event. Once a minute it is asked what
//! waits too long: folder by folder of a device, by the index that listings use, so that a mark keeps no
//! further one.

use sqlx::any::AnyRow;
use sqlx::query;

use super::events::Event;
use super::firms::change;
use super::rows::Columns as _;
use super::tree::placed;
use super::{Catalog, Durability, Error, Firm, Snapshot, Tx};
use crate::alarm::{AlarmKind, OrConfig, OwnLimits, Presence, Subject, Told, Up};
use crate::model::{DeliveryId, DeviceId, DocumentId, EventKind, FirmId, Name, Timestamp};

/// How many of a device's last connections are asked when it was there: one of them lasts, perhaps, while others
/// come and go.
const SESSIONS_ASKED: i64 = 64;

/// An alarm that is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// What it is about, and since when.
    pub up: Up,
    /// The document that is not collected.
    pub document: Option<DocumentId>,
    /// The device that was not seen, or has not collected.
    pub device: Option<DeviceId>,
    /// Since when its document is offered, if it is still; other subjects have none.
    pub offered: Option<Timestamp>,
}

/// A device in use, and what decides whether it is missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub device: DeviceId,
    /// Its name.
    pub name: Name,
    /// All but what waits there.
    pub presence: Presence,
}

/// A document that its device has not collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdue {
    /// Its delivery.
    pub delivery: DeliveryId,
    /// The document.
    pub document: DocumentId,
    /// Since when it waits.
    pub offered: Timestamp,
}

const WATCHED: &str = "select d.*,
       (select max(case when s.ended_at <= $4 then s.ended_at when s.started_at <= $4 then s.started_at end) from
          (select ended_at, started_at from session where device_id = d.id order by id desc limit $3) as s) as seen,
       (select count(*) from
          (select ended_at, started_at from session where device_id = d.id order by id desc limit $3) as o
        where o.ended_at is null and (o.started_at >= $2 or $4 < $2)) as connected,
       (select min(l.added_at) from link l
        where l.firm_id = $1 and l.device_id = d.id and l.removed_at is null) as linked_at,
       (select count(*) from firm f where f.id = $1 and f.default_device_id = d.id) as is_default
     from device d where d.firm_id = $1 and d.removed_at is null order by d.id";

const UP: &str = "select a.*, v.offered_at as still from alarm a
     left join delivery v on a.kind = 'uncollected' and v.id = a.subject and v.firm_id = a.firm_id
          and v.state = 'offered' and v.current = 1
     where a.firm_id = $1 order by a.since, a.kind, a.subject";

const UP_ABOUT: &str =
    "select a.*, a.since as still from alarm a where a.firm_id = $1 and a.document_id = $2";

pub(super) const OLDEST: &str = placed!(
    "select min(v.offered_at) as oldest from placed p cross join delivery v
     where v.firm_id = $1 and v.device_id = $2 and v.folder_key = p.folder_key and v.link_id = p.link_id
       and v.flow = p.flow and v.current = 1 and v.collected_at is null and v.state = 'offered'"
);

pub(super) const UNCOLLECTED: &str = placed!(
    "select v.id, v.document_id, v.offered_at from placed p cross join delivery v
     where v.firm_id = $1 and v.device_id = $2 and v.folder_key = p.folder_key and v.link_id = p.link_id
       and v.flow = p.flow and v.current = 1 and v.collected_at is null and v.state = 'offered' and v.offered_at <= $3
       and not exists (select 1 from alarm a where a.firm_id = $1 and a.kind = 'uncollected' and a.subject = v.id)
     order by v.offered_at, v.id limit $4"
);

/// Only what is so still becomes an alarm, and only one.
const RAISE: &str = "insert into alarm (firm_id, kind, subject, document_id, device_id, since, raised_at)
     select $1, $2, $3, $4, $5, $6, $7
     where ($4 is null or exists (select 1 from delivery
                where firm_id = $1 and id = $3 and state = 'offered' and current = 1))
       and ($5 is null or exists (select 1 from device where firm_id = $1 and id = $5 and removed_at is null))
     on conflict (firm_id, kind, subject) do nothing";

impl Catalog {
    /// Returns the alarms of `firm` that are up, the oldest reason first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn alarms(&self, firm: FirmId) -> Result<Vec<Alarm>, Error> {
        let rows = query(UP).bind(firm.0).fetch_all(&self.readers).await?;
        rows.iter().map(alarm).collect()
    }

    /// Returns the devices of `firm` in use. One is there now if a connection lasts that began after `begun`, when
    /// this server did: of one that was killed, connections have no end. Where `now` is before that, the clock was set
    /// back since, and whatever lasts counts: a start ends what the server before left. What is later than `now` was by
    /// a clock that was wrong, and counts for nothing.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn watched(
        &self,
        firm: FirmId,
        begun: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Watched>, Error> {
        let rows = query(WATCHED)
            .bind(firm.0)
            .bind(begun.0)
            .bind(SESSIONS_ASKED)
            .bind(now.0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(watched).collect()
    }

    /// Returns since when the oldest document waits at `device`, if one does.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn waits_since(
        &self,
        firm: FirmId,
        device: DeviceId,
    ) -> Result<Option<Timestamp>, Error> {
        let row = query(OLDEST)
            .bind(firm.0)
            .bind(device.0)
            .fetch_one(&self.readers)
            .await?;
        row.at_or("oldest")
    }

    /// Returns what waits at `device` since `by` or longer and is no alarm yet, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn uncollected(
        &self,
        firm: FirmId,
        device: DeviceId,
        by: Timestamp,
        limit: i64,
    ) -> Result<Vec<Overdue>, Error> {
        let rows = query(UNCOLLECTED)
            .bind(firm.0)
            .bind(device.0)
            .bind(by.0)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        let uncollected = |row: &AnyRow| -> Result<_, Error> {
            Ok(Overdue {
                delivery: DeliveryId(row.int("id")?),
                document: DocumentId(row.int("document_id")?),
                offered: row.at("offered_at")?,
            })
        };
        rows.iter().map(uncollected).collect()
    }

    /// Changes when a firm is told of what was forgotten. What is as it was read with the firm stays, also where
    /// somebody else has changed it since.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn set_alarms(
        &self,
        firm: &Firm,
        own: OwnLimits,
        now: Timestamp,
    ) -> Result<(), Error> {
        let stored = |limit| match limit {
            OrConfig::Config => None,
            OrConfig::Own(own) => Some(own.to_string()),
        };
        let mut tx = self.begin(Durability::PowerCut).await?;
        let was = firm.alarms;
        let row = query(
            "update firm set alarm_uncollected = case when $2 = 1 then $3 else alarm_uncollected end,
                    alarm_unseen = case when $4 = 1 then $5 else alarm_unseen end
             where id = $1 returning alarm_uncollected, alarm_unseen",
        )
        .bind(firm.id.0)
        .bind(i64::from(own.uncollected != was.uncollected))
        .bind(stored(own.uncollected))
        .bind(i64::from(own.unseen != was.unseen))
        .bind(stored(own.unseen))
        .fetch_one(&mut *tx.inner)
        .await?;
        let own = own_limits(&row)?;
        let event = Event::new(EventKind::FirmChanged, format!("alarms: {own}"));
        change(&mut tx, firm.id, now, event).await?;
        tx.commit().await
    }
}

impl Tx {
    /// Raises an alarm, and tells it; says whether it did, for it may be up already or its reason be gone.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn raise(&mut self, firm: FirmId, alarm: &Alarm) -> Result<bool, Error> {
        let up = alarm.up;
        let done = query(RAISE)
            .bind(firm.0)
            .bind(up.subject.kind().as_str())
            .bind(up.subject.number())
            .bind(alarm.document.map(|id| id.0))
            .bind(alarm.device.map(|id| id.0))
            .bind(up.since.0)
            .bind(up.raised_at.0)
            .execute(&mut *self.inner)
            .await?;
        let is_raised = done.rows_affected() == 1;
        if is_raised {
            let event = event(EventKind::AlarmRaised, alarm);
            self.tell(firm, up.raised_at, [event]);
        }
        Ok(is_raised)
    }

    /// Clears an alarm, and tells it; says whether it was up.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn clear(
        &mut self,
        firm: FirmId,
        alarm: &Alarm,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let subject = alarm.up.subject;
        let done = query("delete from alarm where firm_id = $1 and kind = $2 and subject = $3")
            .bind(firm.0)
            .bind(subject.kind().as_str())
            .bind(subject.number())
            .execute(&mut *self.inner)
            .await?;
        let is_cleared = done.rows_affected() == 1;
        if is_cleared {
            let event = event(EventKind::AlarmCleared, alarm);
            self.tell(firm, now, [event]);
        }
        Ok(is_cleared)
    }
}

impl Tx {
    /// Clears the alarms about a document that expires: its events may be forgotten together.
    pub(super) async fn clear_alarms_of(
        &mut self,
        firm: FirmId,
        document: DocumentId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let rows = query(UP_ABOUT)
            .bind(firm.0)
            .bind(document.0)
            .fetch_all(&mut *self.inner)
            .await?;
        for row in &rows {
            self.clear(firm, &alarm(row)?, now).await?;
        }
        Ok(())
    }
}

impl Snapshot {
    /// Returns the alarms of `firm` that are up.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn alarms(&mut self, firm: FirmId) -> Result<Vec<Up>, Error> {
        let rows = query(UP).bind(firm.0).fetch_all(&mut *self.inner).await?;
        rows.iter().map(|row| Ok(alarm(row)?.up)).collect()
    }
}

/// Reads from a row of a firm when it is told.
pub(super) fn own_limits(row: &AnyRow) -> Result<OwnLimits, Error> {
    let own = |column| Ok::<_, Error>(row.word_or(column)?.map_or(OrConfig::Config, OrConfig::Own));
    Ok(OwnLimits {
        uncollected: own("alarm_uncollected")?,
        unseen: own("alarm_unseen")?,
    })
}

fn event(kind: EventKind, alarm: &Alarm) -> Event {
    let Up { subject, since, .. } = alarm.up;
    let told = Told {
        kind: subject.kind(),
        since,
    };
    let delivery = match subject {
        Subject::Delivery(id) => Some(id),
        _ => None,
    };
    Event {
        document: alarm.document,
        delivery,
        device: alarm.device,
        ..Event::new(kind, told.to_string())
    }
}

fn alarm(row: &AnyRow) -> Result<Alarm, Error> {
    let kind: AlarmKind = row.word("kind")?;
    Ok(Alarm {
        up: Up {
            subject: Subject::of(kind, row.int("subject")?),
            since: row.at("since")?,
            raised_at: row.at("raised_at")?,
        },
        document: row.int_or("document_id")?.map(DocumentId),
        device: row.int_or("device_id")?.map(DeviceId),
        offered: row.at_or("still")?,
    })
}

fn watched(row: &AnyRow) -> Result<Watched, Error> {
    let added_at = row.at("added_at")?;
    let is_default = row.int("is_default")? > 0;
    let linked_at = row.at_or("linked_at")?;
    Ok(Watched {
        device: DeviceId(row.int("id")?),
        name: row.word("name")?,
        presence: Presence {
            kind: row.word("kind")?,
            added_at,
            seen: row.at_or("seen")?,
            is_connected: row.int("connected")? > 0,
            is_disabled: row.at_or("disabled_at")?.is_some(),
            expected_since: if is_default {
                Some(added_at)
            } else {
                linked_at
            },
            waits_since: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::deliveries::tests::office;
    use crate::catalog::tree::tests::plan;

    #[tokio::test]
    async fn a_look_for_what_was_forgotten_goes_through_no_more_than_what_waits() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, ..) = office(&folder.path().join("c.sqlite")).await;
        let waits = "(device_id=? AND folder_key=? AND link_id=? AND flow=? AND collected_at=?)";
        for (question, by) in [
            (OLDEST, waits),
            (UNCOLLECTED, waits),
            (WATCHED, "session_device (device_id=?)"),
            (UP, "INTEGER PRIMARY KEY (rowid=?)"),
        ] {
            let plan = plan(&catalog, question).await;

            assert!(plan.contains(by), "{question}\n\n{plan}");
            for table in ["delivery", "v", "n", "session"] {
                let all = plan.lines().any(|step| step == format!("SCAN {table}"));
                assert!(!all, "{question}\n\n{plan}");
            }
        }
    }

    #[tokio::test]
    async fn a_session_of_a_clock_that_was_ahead_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
        let mut tx = catalog.begin(Durability::Kill).await.unwrap();
        for (began, ended) in [(1000, Some(2000)), (900_000, Some(900_500)), (3000, None)] {
            query("insert into session (firm_id, device_id, address, software, credential, started_at, ended_at)
                   values ($1, $2, '', '', '', $3, $4)")
                .bind(firm.0)
                .bind(device.0)
                .bind(began)
                .bind(ended)
                .execute(&mut *tx.inner)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();

        // At 1500 by a right clock the first has begun, and its end is of one that was ahead.
        for (now, seen) in [
            (1500, 1000),
            (2500, 2000),
            (4000, 3000),
            (1_000_000, 900_500),
        ] {
            let watched = catalog.watched(firm, Timestamp(0), Timestamp(now)).await;
            let presence = watched.unwrap()[0].presence;
            assert_eq!(presence.seen, Some(Timestamp(seen)), "at {now}");
        }
        // The one that lasts began after this server, before it, or after it by a clock that was set back since.
        for (begun, now, is_there) in [
            (3000, 4000, true),
            (3001, 4000, false),
            (5000, 4000, true),
            (5000, 5000, false),
        ] {
            let watched = catalog
                .watched(firm, Timestamp(begun), Timestamp(now))
                .await;
            let presence = watched.unwrap()[0].presence;
            assert_eq!(presence.is_connected, is_there, "{begun} to {now}");
        }
    }
}
