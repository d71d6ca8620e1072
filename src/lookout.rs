//! What was forgotten, and who says so?
//!
//! Once a minute, and when the rejected files of a drop folder become some or none, the facts of each firm
//! are judged (`alarm`). What is new is written down with its event in one transaction, so nothing is told
//! twice, whoever else looks and whenever the process ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::alarm::{AlarmKind, Limits, Subject, UNTAKEN_MS, Up, room};
use crate::catalog::{self, Alarm, Catalog, Durability, Firm, Watched};
use crate::model::{Clock, FirmId, Timestamp, with_causes};

/// How often it is looked: what takes days is told within a minute.
const LOOK: Duration = Duration::from_secs(60);

/// How many alarms one change raises or clears: marks wait for it.
const GROUP_MAX: usize = 64;

/// What looks whether something was forgotten.
pub struct Lookout {
    catalog: Catalog,
    configured: Limits,
    looks: FolderLooks,
    clock: Clock,
    begun: Timestamp,
}

/// What the door of the drop folders has seen of each, and when. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct FolderLooks(Arc<Board>);

#[derive(Debug, Default)]
struct Board {
    /// There is a door, which ought to look.
    is_kept: AtomicBool,
    folders: Mutex<BTreeMap<FirmId, Looked>>,
    news: Notify,
}

/// What is known of one firm's folder.
#[derive(Debug, Clone, Copy, Default)]
struct Looked {
    /// How many rejected files it held.
    rejected: Option<usize>,
    /// When it was looked at last, and until when there may be no reason to look again.
    last: Option<(Timestamp, Timestamp)>,
    /// When somebody asked first, for one that nobody has looked at yet.
    asked: Option<Timestamp>,
}

/// Whether what is dropped in a folder is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taking {
    /// It was looked at not long ago.
    GoesOn,
    /// It was not looked at yet, and that is not long.
    Unknown,
    /// It was not looked at since then.
    Ceased(Timestamp),
}

impl FolderLooks {
    /// Notes that there is a door, which looks from now on.
    pub fn keep(&self) {
        self.0.is_kept.store(true, Ordering::Relaxed);
    }

    /// Notes how many rejected files the drop folder of `firm` holds now.
    pub fn rejected(&self, firm: FirmId, count: usize) {
        let before = self
            .folders()
            .entry(firm)
            .or_default()
            .rejected
            .replace(count);
        if before.unwrap_or(0).min(1) != count.min(1) {
            self.0.news.notify_one();
        }
    }

    /// Notes that the whole drop folder of `firm` was looked at, and until when there may be no reason to look again.
    pub fn looked(&self, firm: FirmId, now: Timestamp, until: Timestamp) {
        self.folders().entry(firm).or_default().last = Some((now, until));
    }

    /// Returns how many rejected files it held; none while nobody has looked.
    fn rejected_of(&self, firm: FirmId) -> Option<usize> {
        self.folders().get(&firm)?.rejected
    }

    fn taking_of(&self, firm: FirmId, now: Timestamp) -> Taking {
        if !self.0.is_kept.load(Ordering::Relaxed) {
            return Taking::Unknown;
        }
        let mut folders = self.folders();
        let own = folders.entry(firm).or_default();
        let asked = *own.asked.get_or_insert(now);
        let (since, until) = own.last.unwrap_or((asked, asked));
        match own.last {
            _ if until.plus_ms(UNTAKEN_MS) <= now => Taking::Ceased(since),
            Some(_) => Taking::GoesOn,
            None => Taking::Unknown,
        }
    }

    fn folders(&self) -> std::sync::MutexGuard<'_, BTreeMap<FirmId, Looked>> {
        self.0
            .folders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noticed {
    /// How many alarms were raised.
    pub raised: usize,
    /// How many were cleared.
    pub cleared: usize,
}

impl Lookout {
    /// Joins what it needs. Connections that begin from now on count as there until they end.
    pub fn new(catalog: Catalog, configured: Limits, looks: FolderLooks, clock: Clock) -> Self {
        let begun = clock.read();
        Self {
            catalog,
            configured,
            looks,
            clock,
            begun,
        }
    }

    /// Lets connections count that began since then: another lookout has looked before this one.
    #[must_use]
    pub fn since(self, begun: Timestamp) -> Self {
        Self { begun, ..self }
    }

    /// Looks until it is cancelled.
    pub async fn run(&self, cancel: CancellationToken) {
        loop {
            if let Err(error) = self.look(self.clock.read()).await
                && self.catalog.is_news(&error)
            {
                let why = with_causes(&error);
                error!("Could not look for what was forgotten: {why}");
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
                () = self.looks.0.news.notified() => {}
            }
        }
    }

    /// Looks at every firm. One that cannot be looked at is told in the log, and holds up no other.
    ///
    /// # Errors
    ///
    /// When the catalog does not say which firms there are.
    pub async fn look(&self, now: Timestamp) -> Result<Noticed, catalog::Error> {
        let mut noticed = Noticed::default();
        for firm in self.catalog.firms_understood().await? {
            match self.look_at(&firm, now).await {
                Ok(here) => {
                    noticed.raised += here.raised;
                    noticed.cleared += here.cleared;
                }
                Err(error) if !self.catalog.is_news(&error) => {}
                Err(error) => {
                    let (slug, why) = (&firm.slug, with_causes(&error));
                    error!(firm.name = %slug, "Could not look for what was forgotten at firm `{slug}`: {why}");
                }
            }
        }
        Ok(noticed)
    }

    async fn look_at(&self, firm: &Firm, now: Timestamp) -> Result<Noticed, catalog::Error> {
        let facts = self.facts(firm, now).await?;
        let is_over = |alarm: &&Alarm| !facts.is_up(alarm, now);
        let over: Vec<_> = facts.up.iter().filter(is_over).copied().collect();
        let forgotten = self.forgotten(firm.id, &facts, now).await?;
        if over.is_empty() && forgotten.is_empty() {
            return Ok(Noticed::default());
        }
        let cleared = self.clear(firm.id, &over, now).await?;
        let raised = self.raise(firm.id, &forgotten).await?;
        tell_log(firm, &facts, &raised, &cleared);
        Ok(Noticed {
            raised: raised.len(),
            cleared: cleared.len(),
        })
    }

    async fn facts(&self, firm: &Firm, now: Timestamp) -> Result<Facts, catalog::Error> {
        let mut devices = self.catalog.watched(firm.id, self.begun, now).await?;
        for one in &mut devices {
            one.presence.waits_since = self.catalog.waits_since(firm.id, one.device).await?;
        }
        Ok(Facts {
            limits: firm.alarms.or(self.configured),
            up: self.catalog.alarms(firm.id).await?,
            devices,
            rejected: self.looks.rejected_of(firm.id),
            taking: self.looks.taking_of(firm.id, now),
        })
    }

    /// Returns what was forgotten and is no alarm yet.
    async fn forgotten(
        &self,
        firm: FirmId,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Vec<Alarm>, catalog::Error> {
        let mut found = Vec::new();
        if facts.rejected.is_some_and(|count| count > 0) {
            found.push(new(Subject::DropFolder, now, now));
        }
        if let Taking::Ceased(since) = facts.taking {
            found.push(new(Subject::Dropped, since, now));
        }
        for one in &facts.devices {
            let missed = one.presence.missed_since();
            if let Some(since) = missed.filter(|since| facts.limits.unseen.is_over(*since, now)) {
                found.push(Alarm {
                    device: Some(one.device),
                    ..new(Subject::Device(one.device), since, now)
                });
            }
        }
        found.retain(|alarm| !facts.has(alarm.up.subject));
        let mut room = room(facts.uncollected_count());
        for one in &facts.devices {
            let by = facts.limits.uncollected.began_by(now);
            let Some(by) = by.filter(|by| one.presence.waits_since.is_some_and(|at| at <= *by))
            else {
                continue;
            };
            let limit = i64::try_from(room).unwrap_or(i64::MAX);
            let waiting = self
                .catalog
                .uncollected(firm, one.device, by, limit)
                .await?;
            room = room.saturating_sub(waiting.len());
            found.extend(waiting.into_iter().map(|waits| Alarm {
                document: Some(waits.document),
                device: Some(one.device),
                ..new(Subject::Delivery(waits.delivery), waits.offered, now)
            }));
        }
        Ok(found)
    }

    /// Raises these alarms, and returns those that nobody raised meanwhile.
    async fn raise(&self, firm: FirmId, new: &[Alarm]) -> Result<Vec<Alarm>, catalog::Error> {
        let mut raised = Vec::new();
        for group in new.chunks(GROUP_MAX) {
            let (mut tx, _) = self.catalog.begin_at(firm, Durability::PowerCut).await?;
            let mut here = Vec::new();
            for alarm in group {
                if tx.raise(firm, alarm).await? {
                    here.push(*alarm);
                }
            }
            tx.commit_unseen().await?;
            raised.extend(here);
        }
        Ok(raised)
    }

    /// Clears these alarms, and returns those that nobody cleared meanwhile.
    async fn clear(
        &self,
        firm: FirmId,
        over: &[Alarm],
        now: Timestamp,
    ) -> Result<Vec<Alarm>, catalog::Error> {
        let mut cleared = Vec::new();
        for group in over.chunks(GROUP_MAX) {
            let (mut tx, _) = self.catalog.begin_at(firm, Durability::PowerCut).await?;
            let mut here = Vec::new();
            for alarm in group {
                if tx.clear(firm, alarm, now).await? {
                    here.push(*alarm);
                }
            }
            tx.commit_unseen().await?;
            cleared.extend(here);
        }
        Ok(cleared)
    }
}

/// What is known of a firm at one look.
struct Facts {
    limits: Limits,
    up: Vec<Alarm>,
    devices: Vec<Watched>,
    rejected: Option<usize>,
    taking: Taking,
}

impl Facts {
    fn is_up(&self, alarm: &Alarm, now: Timestamp) -> bool {
        match alarm.up.subject {
            Subject::Delivery(_) => (alarm.up).stays(alarm.offered, self.limits.uncollected, now),
            Subject::Device(id) => {
                let own = self.devices.iter().find(|own| own.device == id);
                let missed = own.and_then(|own| own.presence.missed_since());
                alarm.up.stays(missed, self.limits.unseen, now)
            }
            // Until its door has looked, it is as it was.
            Subject::DropFolder => self.rejected != Some(0),
            Subject::Dropped => self.taking != Taking::GoesOn,
        }
    }

    fn has(&self, subject: Subject) -> bool {
        self.up.iter().any(|alarm| alarm.up.subject == subject)
    }

    fn uncollected_count(&self) -> usize {
        let is_uncollected = |alarm: &&Alarm| alarm.document.is_some();
        self.up.iter().filter(is_uncollected).count()
    }

    fn name(&self, alarm: &Alarm) -> &str {
        let own = |own: &&Watched| Some(own.device) == alarm.device;
        let own = self.devices.iter().find(own);
        own.map_or("?", |own| own.name.as_str())
    }
}

fn new(subject: Subject, since: Timestamp, now: Timestamp) -> Alarm {
    Alarm {
        up: Up {
            subject,
            since,
            raised_at: now,
        },
        document: None,
        device: None,
        offered: None,
    }
}

/// A line for each kind and device, however many documents it is about.
fn tell_log(firm: &Firm, facts: &Facts, raised: &[Alarm], cleared: &[Alarm]) {
    let slug = &firm.slug;
    for (what, since, _) in lines(facts, raised) {
        warn!(firm.name = %slug, "Alarm at firm `{slug}`: {what}, since {since} or later; `sluis status {slug}` shows it");
    }
    for (what, _, count) in lines(facts, cleared) {
        info!(firm.name = %slug, "Cleared {count} alarms at firm `{slug}`: {what}");
    }
}

/// What these alarms tell, since when the first of them, and how many they are.
fn lines(facts: &Facts, alarms: &[Alarm]) -> Vec<(String, Timestamp, usize)> {
    let mut groups: BTreeMap<(AlarmKind, &str), (Timestamp, usize)> = BTreeMap::new();
    for alarm in alarms {
        let device = facts.name(alarm);
        let of_kind = groups.entry((alarm.up.subject.kind(), device));
        let (since, count) = of_kind.or_insert((alarm.up.since, 0));
        *since = (*since).min(alarm.up.since);
        *count += 1;
    }
    let line = |((kind, device), (since, count))| {
        let what = match kind {
            AlarmKind::Uncollected => format!("{count} documents not collected by `{device}`"),
            AlarmKind::Unseen => format!("device `{device}` not seen"),
            AlarmKind::Rejected => "rejected files in the drop folder".to_owned(),
            AlarmKind::Untaken => {
                "the drop folder is not looked at, so nothing is taken".to_owned()
            }
        };
        (what, since, count)
    };
    groups.into_iter().map(line).collect()
}
