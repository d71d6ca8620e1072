//! Where does every delivery stand, by the events alone?
//!
//! Each mark is told with its event, so from the events follows what the table of deliveries must say. What
//! is held of a delivery here is small and does not grow with its events; a place is held as its digest.

mod alarms;
mod beside;
mod difference;
mod standing;

use std::collections::{BTreeMap, HashMap};

pub use beside::{LIKE, REPLACED, REVISION};
pub use difference::{AlarmFault, DIFFERENCES_MAX, Difference, Differences};
pub use standing::{Place, Resent, Standing};

use self::alarms::Alarms;
use self::difference::differences;
use super::{Collecting, EventRow, Sure};
use crate::alarm::Up;
use crate::model::{DeliveryId, DocumentId, EventKind, EventSeq, HeldReason, State, Timestamp};

/// The events of one firm, played from the first.
#[derive(Debug, Default)]
pub struct Replay {
    deliveries: BTreeMap<DeliveryId, Standing>,
    /// New generations of which the event did not say after which delivery, until it says where they show.
    unsaid: HashMap<DeliveryId, EventSeq>,
    /// The deliveries of each document, once an event asks for them.
    of_document: Option<HashMap<DocumentId, Vec<DeliveryId>>>,
    /// Of these it is not known whether they were the ones that a new generation replaced.
    unsure: HashMap<DeliveryId, EventSeq>,
    /// The last link that was removed; early events did not tell of what it held.
    link_removed: Option<EventSeq>,
    held_at: HashMap<DeliveryId, EventSeq>,
    /// Of which document a delivery is a revision that is told next.
    revised: HashMap<DeliveryId, DocumentId>,
    alarms: Alarms,
}

impl Replay {
    /// Plays the next event.
    ///
    /// # Errors
    ///
    /// When it tells what cannot have happened; then it changes nothing, and the next can be played.
    pub fn play(&mut self, row: &EventRow) -> Result<(), Difference> {
        let event = &row.event;
        if event.kind == EventKind::LinkRemoved {
            self.link_removed = Some(row.seq);
        }
        if event.kind == EventKind::Expired {
            return self.expire(row);
        }
        if matches!(event.kind, EventKind::AlarmRaised | EventKind::AlarmCleared) {
            return self.alarms.play(row);
        }
        if !moves_deliveries(event.kind) {
            return Ok(());
        }
        let impossible = |state| Difference::Impossible {
            seq: row.seq,
            delivery: event.delivery,
            kind: event.kind,
            state,
        };
        let (Some(id), Some(document)) = (event.delivery, event.document) else {
            return Err(impossible(None));
        };
        let state = self.deliveries.get(&id).map(|standing| standing.state);
        let played = match event.kind {
            EventKind::Held => self.hold(id, document, row),
            EventKind::Offered => self.offer(id, document, row),
            EventKind::Resent => self.resend(id, document, row),
            EventKind::Revised => self.revise(id, row),
            _ => self.mark(id, row),
        };
        played.ok_or_else(|| impossible(state))
    }

    /// A document that is gone takes its deliveries with it, and none of them waited.
    fn expire(&mut self, row: &EventRow) -> Result<(), Difference> {
        let of_it = row
            .event
            .document
            .and_then(|id| self.of_document().remove(&id));
        let ids = of_it.unwrap_or_default();
        // Of what was perhaps replaced the table knows more.
        let sure = ids.iter().filter(|id| !self.unsure.contains_key(id));
        let waiting = sure.into_iter().find_map(|id| {
            let standing = self.deliveries.get(id)?;
            let waits = standing.is_in(&[State::Held, State::Offered]);
            waits.then_some((*id, standing.state))
        });
        for id in &ids {
            self.deliveries.remove(id);
            self.unsaid.remove(id);
            self.unsure.remove(id);
            self.held_at.remove(id);
        }
        match waiting {
            None => Ok(()),
            Some((delivery, state)) => Err(Difference::Impossible {
                seq: row.seq,
                delivery: Some(delivery),
                kind: EventKind::Expired,
                state: Some(state),
            }),
        }
    }

    /// Returns how many deliveries the events tell of, that were not compared yet.
    pub fn count(&self) -> usize {
        self.deliveries.len()
    }

    /// Compares a delivery with the table's, and forgets it.
    pub fn compare(&mut self, id: DeliveryId, found: &Standing) -> Compared {
        let Some(mut told) = self.deliveries.remove(&id) else {
            let differences = vec![Difference::Untold { delivery: id }];
            return Compared {
                differences,
                unsaid: None,
            };
        };
        let mut unsaid = self.unsure.remove(&id);
        if unsaid.is_some() {
            // Withdrawn by a later generation, or not: the events do not say it.
            told.is_current = found.is_current;
            told.withdrawn = found.withdrawn;
            told.state = found.state;
        }
        if found.state == State::Held && found.reason == Some(HeldReason::NoLink) {
            let since = self.held_at.get(&id).copied();
            let early = self.link_removed.filter(|seq| Some(*seq) > since);
            if told.state == State::Held && told.reason != found.reason && early.is_some() {
                told.reason = found.reason;
                unsaid = early;
            }
        }
        Compared {
            differences: differences(id, &told, found),
            unsaid,
        }
    }

    /// Compares the alarms that are up with those of the table, and forgets them.
    pub fn compare_alarms(&mut self, found: &[Up]) -> Vec<Difference> {
        std::mem::take(&mut self.alarms).compare(found)
    }

    /// Returns the deliveries that were not compared, for the table lacks them.
    pub fn left(self) -> impl Iterator<Item = Difference> {
        let left = self.deliveries.into_keys();
        left.map(|delivery| Difference::Lacking { delivery })
    }

    fn hold(&mut self, id: DeliveryId, document: DocumentId, row: &EventRow) -> Option<()> {
        // Until when it waits, or what a person said of it, may stand behind the word.
        let word = row.event.detail.split([' ', ':']).next();
        let reason = word.and_then(|word| word.parse().ok());
        let is_suspected = reason == Some(HeldReason::SuspectedDuplicate);
        let like = is_suspected
            .then(|| beside::like(&row.event.detail))
            .flatten();
        self.held_at.insert(id, row.seq);
        match self.deliveries.get_mut(&id) {
            None => {
                let new = Standing::new(document, State::Held, row.at);
                let new = Standing {
                    reason,
                    like,
                    ..new
                };
                self.add(id, new);
            }
            Some(known) if known.is_in(&[State::Held, State::Offered]) => {
                known.state = State::Held;
                known.reason = reason;
                known.like = like;
            }
            Some(_) => return None,
        }
        Some(())
    }

    fn offer(&mut self, id: DeliveryId, document: DocumentId, row: &EventRow) -> Option<()> {
        let place = Place::new(row.event.device, &row.event.detail);
        if !self.deliveries.contains_key(&id) {
            self.add(id, Standing::new(document, State::Offered, row.at));
        }
        let known = self.deliveries.get_mut(&id)?;
        if !known.is_in(&[State::Held, State::Offered]) {
            return None;
        }
        known.state = State::Offered;
        known.reason = None;
        known.like = None;
        known.place = Some(place);
        known.offered = Some(row.at);
        self.held_at.remove(&id);
        if let Some(seq) = self.unsaid.remove(&id) {
            self.find_replaced(id, seq, row.at);
        }
        Some(())
    }

    fn resend(&mut self, id: DeliveryId, document: DocumentId, row: &EventRow) -> Option<()> {
        let said = Resent::parse(&row.event.detail)?;
        if self.deliveries.contains_key(&id) {
            return None;
        }
        match said.after {
            Some(after) => self.retire(after, document, row.at)?,
            None => drop(self.unsaid.insert(id, row.seq)),
        }
        let new = Standing::new(document, State::Offered, row.at);
        // It revises what the one before did.
        let before = said.after.and_then(|after| self.deliveries.get(&after));
        let new = Standing {
            generation: said.generation,
            revision_of: before.and_then(|before| before.revision_of),
            ..new
        };
        self.add(id, new);
        Some(())
    }

    fn revise(&mut self, id: DeliveryId, row: &EventRow) -> Option<()> {
        let of = beside::revision_of(&row.event.detail)?;
        match self.deliveries.get_mut(&id) {
            Some(known) => known.revision_of = Some(of),
            // It is told before the offer.
            None => drop(self.revised.insert(id, of)),
        }
        Some(())
    }

    fn retire(&mut self, id: DeliveryId, document: DocumentId, at: Timestamp) -> Option<()> {
        let old = self.deliveries.get_mut(&id)?;
        if old.document != document || !old.is_current || old.state == State::Held {
            return None;
        }
        old.is_current = false;
        if old.state == State::Offered {
            old.state = State::Withdrawn;
            old.withdrawn = Some(at);
        }
        Some(())
    }

    fn mark(&mut self, id: DeliveryId, row: &EventRow) -> Option<()> {
        let at = Some(row.at);
        let known = self.deliveries.get_mut(&id)?;
        let able: &[State] = match row.event.kind {
            EventKind::Released => &[State::Held],
            EventKind::Withdrawn => &[State::Held, State::Offered],
            EventKind::Processed => &[State::Offered, State::Collected],
            // Somebody should know that it was read although it was taken back.
            EventKind::Read if known.state == State::Withdrawn => return Some(()),
            _ => &[State::Offered],
        };
        if !known.is_in(able) {
            return None;
        }
        match row.event.kind {
            EventKind::Read => known.read = known.read.or(at),
            EventKind::Collected => {
                known.state = State::Collected;
                known.collected = at;
                if Collecting::sure_of(&row.event.detail) != Sure::Acknowledged {
                    known.read = known.read.or(at);
                }
            }
            EventKind::Processed => {
                known.state = State::Processed;
                known.processed = at;
                known.collected = known.collected.or(at);
            }
            EventKind::Withdrawn => {
                known.state = State::Withdrawn;
                known.withdrawn = at;
                known.like = None;
                known.replaced_by = beside::replaced_by(&row.event.detail);
            }
            _ => {}
        }
        Some(())
    }

    fn add(&mut self, id: DeliveryId, mut standing: Standing) {
        standing.revision_of = self.revised.remove(&id).or(standing.revision_of);
        if let Some(index) = &mut self.of_document {
            index.entry(standing.document).or_default().push(id);
        }
        self.deliveries.insert(id, standing);
    }

    /// Returns the deliveries of each document, indexed at the first question.
    fn of_document(&mut self) -> &mut HashMap<DocumentId, Vec<DeliveryId>> {
        let all = &self.deliveries;
        self.of_document.get_or_insert_with(|| {
            let mut index: HashMap<_, Vec<_>> = HashMap::new();
            for (id, standing) in all {
                index.entry(standing.document).or_default().push(*id);
            }
            index
        })
    }

    /// Early events say of a new generation only its number and its place. The one before has the number
    /// before, and the same place, or none; if that fits several, nobody can say which it was.
    fn find_replaced(&mut self, id: DeliveryId, seq: EventSeq, at: Timestamp) {
        let Some(new) = self.deliveries.get(&id).cloned() else {
            return;
        };
        self.of_document();
        let (all, index) = (&self.deliveries, self.of_document.as_ref());
        let before = |id: &&DeliveryId| {
            all.get(*id).is_some_and(|old| {
                let path = |standing: &Standing| standing.place.map(|place| place.path);
                old.generation == new.generation - 1
                    && old.is_current
                    && old.state != State::Held
                    && (old.place.is_none() || path(old) == path(&new))
            })
        };
        let siblings = index.and_then(|index| index.get(&new.document));
        let siblings = siblings.into_iter().flatten();
        let found: Vec<_> = siblings.filter(before).copied().collect();
        match found[..] {
            [one] => drop(self.retire(one, new.document, at)),
            _ => self.unsure.extend(found.into_iter().map(|id| (id, seq))),
        }
    }
}

/// What became of comparing one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// What the events and the table do not agree on.
    pub differences: Vec<Difference>,
    /// An early event that does not say enough to compare all of it.
    pub unsaid: Option<EventSeq>,
}

/// Says whether an event of this kind is about where a delivery stands.
fn moves_deliveries(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Held
            | EventKind::Released
            | EventKind::Offered
            | EventKind::Read
            | EventKind::Collected
            | EventKind::Processed
            | EventKind::Withdrawn
            | EventKind::Resent
            | EventKind::Revised
    )
}

#[cfg(test)]
mod tests;
