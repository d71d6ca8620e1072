//! What does a person decide about one document: that it may go, that it waits, or whose it is?

use super::release::readiness;
use super::released::Done;
use super::{Error, Expected, Released, Sending, told_of};
use crate::catalog::{Delivery, Durability, Event, Link, Tx};
use crate::ingest::plan::{Planned, Setup, for_link, suspect};
use crate::ingest::route::{Routing, Rule};
use crate::model::{
    DeliveryId, DocumentId, DossierId, Duplicates, EventKind, FirmId, Flow, HeldReason, State,
    Timestamp,
};
use crate::transfer::Readiness;

/// Whose books a person says that a document is for, and as which journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// Whose.
    pub dossier: DossierId,
    /// As which.
    pub flow: Flow,
}

/// What became of a document that was given to other books.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many deliveries were sent there.
    pub sent: usize,
    /// Those that had been collected for the books it left, in whatever generation: only a person can take them out
    /// again.
    pub in_books: Vec<DeliveryId>,
}

impl Sending {
    /// Notes that a person has approved a document, and sends what waited for nothing else. Returns what was
    /// sent, or none where it was approved before.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn approve(
        &self,
        firm: FirmId,
        document: DocumentId,
        now: Timestamp,
    ) -> Result<Option<Released>, Error> {
        let catalog = &self.ingest.catalog;
        let (mut tx, _) = catalog.begin_at(firm, Durability::PowerCut).await?;
        if !tx.approve(firm, document, now).await? {
            return Ok(None);
        }
        // Whoever releases sees it, should this process end before it does so itself.
        tx.look_at(firm, document, now).await?;
        let event = Event {
            document: Some(document),
            ..Event::new(EventKind::Approved, "by hand")
        };
        tx.tell(firm, now, [event]);
        tx.commit().await?;
        let all = catalog.deliveries_of(firm, document).await?;
        let waited: Vec<_> = all
            .into_iter()
            .filter(|one| one.state == State::Held && one.due.is_some_and(|due| due <= now))
            .collect();
        let mut released = Released::default();
        let releasing = self.release_all(firm, &waited, &mut released, now);
        // It is approved all the same.
        if let Err(failed) = releasing.await {
            self.note_left(&waited, &failed, &mut released).await;
        }
        released.tell_failed(0);
        Ok(Some(released))
    }

    /// Notes those that a failure has left as they were. Where the catalog does not say it, any may be.
    async fn note_left(&self, waited: &[Delivery], failed: &Error, released: &mut Released) {
        for one in waited {
            let asking = self.ingest.catalog.delivery(one.firm, one.id).await;
            let is_left = asking.map_or(true, |now| now == *one);
            let is_noted = released.failed.iter().any(|noted| noted.id == one.id);
            if is_left && !is_noted {
                released.note(one, failed);
            }
        }
    }

    /// Holds a delivery back until a person sends it.
    ///
    /// # Errors
    ///
    /// When it is not held, or the catalog does not answer.
    pub async fn hold(
        &self,
        firm: FirmId,
        id: DeliveryId,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let catalog = &self.ingest.catalog;
        let (mut tx, _) = catalog.begin_at(firm, Durability::PowerCut).await?;
        let delivery = catalog.delivery(firm, id).await?;
        if !tx
            .wait(&delivery, HeldReason::OnHold, None, Some(why))
            .await?
        {
            let advice = "only what has not been sent can be held back; `withdraw` takes back what nobody has collected";
            return Err(Error::State {
                id,
                state: delivery.state.as_str(),
                advice,
            });
        }
        let detail = format!("{}: {why}", HeldReason::OnHold.as_str());
        tx.tell(firm, now, [told_of(&delivery, EventKind::Held, detail)]);
        Ok(tx.commit().await?)
    }

    /// Gives a document to other books than it went to, or as another flow: what was not collected is taken
    /// back, and what the links of those books ask for is made. `of` is one of its deliveries there; the others
    /// for the same books go with it. What was withdrawn goes too where it is `of` itself.
    ///
    /// # Errors
    ///
    /// When it is there already, was superseded or replaced, or the catalog does not answer.
    pub async fn move_to(
        &self,
        firm: FirmId,
        of: DeliveryId,
        to: Destination,
        why: &str,
        now: Timestamp,
    ) -> Result<Moved, Error> {
        let catalog = &self.ingest.catalog;
        let (mut tx, version) = catalog.begin_at(firm, Durability::PowerCut).await?;
        let named = catalog.delivery(firm, of).await?;
        let document = catalog.document(firm, named.document).await?;
        let facts = self.ingest.facts(firm, version).await?;
        let setup = &facts.setup;
        if !setup.names.contains_key(&to.dossier) {
            return Err(Error::NoWay {
                id: of,
                why: "the dossier that was named is no longer in use",
            });
        }
        let was_withdrawn = named.state == State::Withdrawn && named.is_current && !named.is_moved;
        if was_withdrawn && named.replaced_by.is_some() {
            return Err(Error::NoWay {
                id: of,
                why: "a newer document took its place: move that one, or send this one again first with `resend --replaced`",
            });
        }
        let siblings = catalog.deliveries_of(firm, named.document).await?;
        let is_there =
            |other: &Delivery| (other.dossier, other.flow) == (named.dossier, named.flow);
        let is_of_them = |other: &Delivery| {
            let is_meant = stands(other) || (was_withdrawn && other.id == named.id);
            is_meant && is_there(other)
        };
        let (leaving, staying): (Vec<_>, Vec<_>) = siblings.into_iter().partition(is_of_them);
        let mut planned = planned(to, &readiness(&document), setup, now);
        // What kept it from being sent there keeps it from being sent here: a person's word, or that it looks
        // like another. What was sent, somebody has looked at.
        let known = tx.known_before(firm, document.id).await?;
        // Of whichever of them it was said.
        let is_held_back = leaving
            .iter()
            .any(|old| old.state == State::Held && old.reason == Some(HeldReason::OnHold));
        let was_never_sent = named.state == State::Held || (was_withdrawn && named.offer.is_none());
        for plan in &mut planned {
            if is_held_back {
                (plan.hold, plan.due) = (Some(HeldReason::OnHold), None);
            }
            if was_never_sent {
                suspect(plan, &known, Duplicates::Hold);
                plan.duplicate_of = known.first();
            }
        }
        planned.retain(|plan| {
            !staying
                .iter()
                .any(|other| stands(other) && is_for(other, plan))
        });
        let is_same = (named.dossier, named.flow) == (Some(to.dossier), Some(to.flow));
        if is_same || leaving.is_empty() || planned.is_empty() {
            return Err(Error::There { id: of });
        }
        let had = staying
            .iter()
            .filter(|old| was_had_before(old) && is_there(old));
        let leaving: Vec<_> = had.chain(&leaving).collect();
        let mut moved = leave(&mut tx, firm, &leaving, (to, why), now).await?;
        for mut plan in planned {
            let context = (&*facts, &document);
            let applied = self.apply(&mut tx, &named, None, &mut plan, context, now);
            moved.sent += usize::from(applied.await? == Done::Sent);
        }
        tx.commit().await?;
        Ok(moved)
    }

    /// Offers what waits in the folders of a link to another device, where its link or firm names another by
    /// now: one generation on, so that whoever is reading the old one does not collect it. Returns how many.
    ///
    /// # Errors
    ///
    /// When no device is named, or the catalog does not answer; what was moved until then stays so.
    pub async fn move_waiting(
        &self,
        firm: FirmId,
        link: &Link,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let catalog = &self.ingest.catalog;
        let device = match link.device {
            Some(own) => Some(own),
            None => catalog.default_device(firm).await?,
        };
        let mut moved = 0;
        for id in catalog.offered_elsewhere(firm, link.id, device).await? {
            let why = "its device was changed";
            let moving = self.resend_as(firm, id, Expected::In(State::Offered), why, now);
            match moving.await {
                Ok(_) => moved += 1,
                // It was collected meanwhile, or taken back: it waits no longer.
                Err(Error::State { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(moved)
    }
}

/// Takes deliveries back that were given to other books. What a device has stays there: it cannot be taken out of
/// another program's books from here.
async fn leave(
    tx: &mut Tx,
    firm: FirmId,
    leaving: &[&Delivery],
    (to, why): (Destination, &str),
    now: Timestamp,
) -> Result<Moved, Error> {
    let mut moved = Moved::default();
    let mut told = Vec::new();
    for old in leaving {
        let flow = to.flow.as_str();
        let detail = format!("to dossier {} as {flow}: {why}", to.dossier);
        told.push(told_of(old, EventKind::Moved, detail));
        tx.mark_moved(old, now).await?;
        if tx.withdraw(old, now).await? {
            told.push(told_of(old, EventKind::Withdrawn, format!("moved: {why}")));
        } else if old.state != State::Withdrawn {
            moved.in_books.push(old.id);
        }
    }
    tx.tell(firm, now, told);
    Ok(moved)
}

/// What the links of those books ask for, or that they have none.
pub(super) fn planned(
    to: Destination,
    readiness: &Readiness,
    setup: &Setup,
    now: Timestamp,
) -> Vec<Planned> {
    let routing = || Routing::new(Rule::ByHand, Vec::new());
    let of_it = setup.links.iter().filter(|link| link.dossier == to.dossier);
    let planned: Vec<_> = of_it
        .map(|link| for_link(link, to.flow, routing(), readiness, setup, now))
        .collect();
    if planned.is_empty() {
        return vec![waiting_for_a_link(to, routing())];
    }
    planned
}

/// Returns where a person said that a held delivery belongs, if one did.
pub(super) fn destination(held: &Delivery) -> Option<Destination> {
    let routing = serde_json::from_str::<Routing>(&held.routing).ok()?;
    let (dossier, flow) = (held.dossier?, held.flow?);
    (routing.rule == Rule::ByHand).then_some(Destination { dossier, flow })
}

fn waiting_for_a_link(to: Destination, routing: Routing) -> Planned {
    Planned {
        dossier: Some(to.dossier),
        link: None,
        device: None,
        flow: Some(to.flow),
        hold: Some(HeldReason::NoLink),
        due: None,
        routing,
        duplicate_of: None,
        revision_of: None,
        replaces: Vec::new(),
    }
}

/// Whether a delivery is what a device has, gets or waits for now.
fn stands(delivery: &Delivery) -> bool {
    delivery.is_current && delivery.state != State::Withdrawn && !delivery.is_moved
}

/// Whether a device has a delivery that was sent again since, and nobody was told to take it out.
fn was_had_before(delivery: &Delivery) -> bool {
    let is_had = matches!(delivery.state, State::Collected | State::Processed);
    is_had && !delivery.is_current && !delivery.is_moved
}

fn is_for(delivery: &Delivery, plan: &Planned) -> bool {
    (delivery.dossier, delivery.flow, delivery.link) == (plan.dossier, plan.flow, plan.link)
}
