//! What that waits is sent by itself, and when?
//!
//! Each delivery is planned anew within the change that sends it, so what was decided from an older list
//! never counts, and two that release at the same time send once.

use std::collections::BTreeSet;

use super::released::{Done, Released, Tally};
use super::{Error, Sending, by_hand, event, told_of};
use crate::catalog::{Delivery, Document, Durability, NewDelivery, Tx, Uncollected};
use crate::ingest::named::Named;
use crate::ingest::plan::{Planned, Setup, deliveries, for_link};
use crate::ingest::revise::{replace, replaces_any, revised};
use crate::ingest::route::Routing;
use crate::ingest::{Facts, named_in, place, routing_json, waits_for};
use crate::model::{
    DocumentId, DossierId, EventKind, FirmId, HeldReason, LinkId, OrFirm, State, Timestamp,
};
use crate::transfer::Readiness;
use crate::wellness::{Cause, Part};

/// How many deliveries one change releases at the most: others wait for it.
const GROUP_MAX: usize = 64;

/// Whether what waits to be sent by hand follows the rules as they stand now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It waits on: a link that is taken off manual begins with what comes.
    Stays,
    /// It follows them where it goes through a link that leaves the hour to its firm, as somebody has asked of that.
    FollowsFirm,
    /// It follows them where it goes through this link, as somebody has asked of that.
    FollowsOf(LinkId),
}

/// What its sender says of a document that waits.
#[derive(Debug, Clone, Copy)]
enum Word<'a> {
    /// What is kept with it.
    Kept,
    /// This folder of `/in`.
    Now(&'a str),
}

impl Sending {
    /// Looks again at what waits for something that may have changed: a dossier, a link, a device, a rule.
    /// One that fails holds up no other.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer, or has failed so that it would at each; what was sent until then stays so.
    pub async fn look_again(
        &self,
        firm: FirmId,
        waiting: Waiting,
        now: Timestamp,
    ) -> Result<Released, Error> {
        let let_go = self.let_go(firm, waiting).await?;
        let goes = |link: Option<LinkId>| link.is_some_and(|link| let_go.contains(&link));
        let (mut by_rule, mut by_setup) = (Vec::new(), Vec::new());
        for held in self.ingest.catalog.held(firm).await? {
            match held.reason {
                Some(
                    HeldReason::UnknownDossier
                    | HeldReason::NoLink
                    | HeldReason::NoPlace
                    | HeldReason::PartiesDisagree
                    | HeldReason::SameDossier
                    | HeldReason::SenderDisagrees
                    | HeldReason::CodeUnclear
                    | HeldReason::FlowUnknown,
                ) => by_setup.push(held),
                // Its link was removed, and there may be another.
                Some(HeldReason::Manual | HeldReason::OnHold) if held.link.is_none() => {
                    by_setup.push(held);
                }
                Some(HeldReason::Manual) if goes(held.link) => by_rule.push(held),
                Some(reason) if is_of_the_rule(reason) => by_rule.push(held),
                _ => {}
            }
        }
        let mut released = Released::default();
        let waits = (&by_setup[..], &by_rule[..]);
        let ended = self.look_at(firm, waits, &let_go, &mut released, now).await;
        released.tell_failed(0);
        ended.map(|()| released)
    }

    /// Returns the links through which what waits to be sent by hand follows the rules.
    async fn let_go(&self, firm: FirmId, waiting: Waiting) -> Result<BTreeSet<LinkId>, Error> {
        let links = match waiting {
            Waiting::Stays => return Ok(BTreeSet::new()),
            Waiting::FollowsOf(one) => return Ok(BTreeSet::from([one])),
            Waiting::FollowsFirm => self.ingest.catalog.links(firm).await?,
        };
        let as_firm = links
            .iter()
            .filter(|link| link.sends.transfer == OrFirm::Firm);
        Ok(as_firm.map(|link| link.id).collect())
    }

    async fn look_at(
        &self,
        firm: FirmId,
        (by_setup, by_rule): (&[Delivery], &[Delivery]),
        let_go: &BTreeSet<LinkId>,
        released: &mut Released,
        now: Timestamp,
    ) -> Result<(), Error> {
        for held in by_setup {
            let word = (Word::Kept, let_go);
            match self.route_again(firm, held, word, now).await {
                Ok(more) => released.sent += more,
                Err(error) if self.meets_all(&error) => return Err(error),
                Err(error) => released.note(held, &error),
            }
        }
        self.release_all(firm, by_rule, released, now).await
    }

    /// Looks again at a document that was put in once more, into the folder of a dossier: that word counts where
    /// the one before, or that there was none, is why it waits. Returns how many were sent.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer; what was sent until then stays so.
    pub async fn put_again(
        &self,
        firm: FirmId,
        document: DocumentId,
        folder: &str,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let mut sent = 0;
        for held in self.ingest.catalog.deliveries_of(firm, document).await? {
            let waits_for_a_word = matches!(
                held.reason,
                Some(
                    HeldReason::UnknownDossier
                        | HeldReason::SenderDisagrees
                        | HeldReason::CodeUnclear
                        | HeldReason::FlowUnknown
                )
            );
            if waits_for_a_word && held.state == State::Held && held.is_current {
                let word = (Word::Now(folder), &BTreeSet::new());
                sent += self.route_again(firm, &held, word, now).await?;
            }
        }
        Ok(sent)
    }

    /// Sends those of these deliveries of a firm whose rule says so by now; of the others it is noted what
    /// they wait for. One that fails holds up no other. What came of it is added to `released`.
    ///
    /// # Errors
    ///
    /// When the catalog has failed so that it would at each; what was sent until then stays so.
    pub async fn release(
        &self,
        firm: FirmId,
        due: &[Delivery],
        released: &mut Released,
        now: Timestamp,
    ) -> Result<(), Error> {
        let before = released.failed.len();
        let ended = self.release_all(firm, due, released, now).await;
        released.tell_failed(before);
        ended
    }

    /// As [`Sending::release`], but tells nothing of those that failed.
    pub(super) async fn release_all(
        &self,
        firm: FirmId,
        due: &[Delivery],
        released: &mut Released,
        now: Timestamp,
    ) -> Result<(), Error> {
        for group in due.chunks(GROUP_MAX) {
            match self.release_group(firm, group, now).await {
                Ok(sent) => {
                    released.sent += sent;
                    continue;
                }
                Err(error) if self.meets_all(&error) => return Err(error),
                Err(_) => {}
            }
            for one in group.chunks(1) {
                match self.release_group(firm, one, now).await {
                    Ok(sent) => released.sent += sent,
                    Err(error) if self.meets_all(&error) => return Err(error),
                    Err(error) => released.note(&one[0], &error),
                }
            }
        }
        Ok(())
    }

    /// Says whether the catalog has failed so that whatever is tried next would fail, too. Damage may be of one page,
    /// and what the disk does not give back of one place.
    pub fn meets_all(&self, error: &Error) -> bool {
        let failed = match error {
            Error::Catalog(failed) => failed,
            Error::Place {
                source: place::Error::Number { source, .. },
                ..
            } => source,
            _ => return false,
        };
        match failed.cause() {
            None | Some(Cause::Broken) => false,
            Some(Cause::Other) => !self.ingest.wellness().works(Part::CatalogWrites),
            Some(Cause::Full | Cause::ReadOnly | Cause::Locked | Cause::Gone) => true,
        }
    }

    async fn release_group(
        &self,
        firm: FirmId,
        group: &[Delivery],
        now: Timestamp,
    ) -> Result<usize, Error> {
        let catalog = &self.ingest.catalog;
        let (mut tx, version) = catalog.begin_at(firm, Durability::PowerCut).await?;
        let facts = self.ingest.facts(firm, version).await?;
        let mut tally = Tally::default();
        for listed in group {
            // The list may be old by now: another may have sent it, or a person taken it back.
            let held = catalog.delivery(firm, listed.id).await?;
            if held.state != State::Held || !held.is_current || held.reason != listed.reason {
                continue;
            }
            tally.count(self.release_one(&mut tx, &held, &facts, now).await?);
        }
        tally.end(tx).await
    }

    async fn release_one(
        &self,
        tx: &mut Tx,
        held: &Delivery,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Done, Error> {
        let setup = &facts.setup;
        let rule = setup.links.iter().find(|link| Some(link.id) == held.link);
        let routing = serde_json::from_str::<Routing>(&held.routing).ok();
        let (Some(rule), Some(flow), Some(routing)) = (rule, held.flow, routing) else {
            // Nothing will come of looking at it once more.
            if held.due.is_none() && held.reason.is_some() {
                return Ok(Done::Nothing);
            }
            let reason = held.reason.unwrap_or(HeldReason::NoLink);
            tx.wait(held, reason, None, held.note.as_deref()).await?;
            return Ok(Done::Written);
        };
        let document = self
            .ingest
            .catalog
            .document(held.firm, held.document)
            .await?;
        let readiness = readiness(&document);
        let mut plan = for_link(rule, flow, routing, &readiness, setup, now);
        if held.duplicate_of.is_some() {
            let choice = setup.duplicates;
            let deciding = self
                .ingest
                .suspect_again(tx, held.firm, &document, choice, &mut plan);
            deciding.await?;
        }
        if plan.hold == held.reason && plan.due == held.due {
            return Ok(Done::Nothing);
        }
        let context = (facts, &document);
        self.apply(tx, held, Some(held), &mut plan, context, now)
            .await
    }

    async fn route_again(
        &self,
        firm: FirmId,
        listed: &Delivery,
        (word, let_go): (Word<'_>, &BTreeSet<LinkId>),
        now: Timestamp,
    ) -> Result<usize, Error> {
        let catalog = &self.ingest.catalog;
        let (mut tx, version) = catalog.begin_at(firm, Durability::PowerCut).await?;
        let mut tally = Tally::default();
        // The list may be old by now: another run may have sent it, or a person taken it back.
        let held = catalog.delivery(firm, listed.id).await?;
        let is_as_listed = held.reason == listed.reason;
        if held.state != State::Held || !held.is_current || !is_as_listed {
            return tally.end(tx).await;
        }
        let document = catalog.document(firm, held.document).await?;
        let siblings = catalog.deliveries_of(firm, held.document).await?;
        let facts = self.ingest.facts(firm, version).await?;
        let setup = &facts.setup;
        let named = match word {
            Word::Kept => named_in(&held.routing),
            Word::Now(folder) => Some(Named::read(folder, &setup.links)),
        };
        let (reading, readiness) = (&document.reading, readiness(&document));
        // What a person said of it goes before what its parties say.
        let mut planned = match by_hand::destination(&held) {
            Some(to) => by_hand::planned(to, &readiness, setup, now),
            None => deliveries(reading, &readiness, setup, named.as_ref(), now),
        };
        if held.reason == Some(HeldReason::Manual) {
            planned.retain(|plan| plan.link.is_some());
            let stay = planned
                .iter_mut()
                .filter(|plan| !plan.link.is_some_and(|link| let_go.contains(&link)));
            stay.for_each(by_hand_still);
        }
        if held.reason == Some(HeldReason::OnHold) {
            planned.retain(|plan| plan.link.is_some());
            for plan in &mut planned {
                (plan.hold, plan.due) = (held.reason, None);
            }
        }
        let mut waits = Some(&held);
        for mut plan in missing(planned, &held, &siblings, setup) {
            let choice = setup.duplicates;
            let deciding = self
                .ingest
                .suspect_again(&mut tx, firm, &document, choice, &mut plan);
            deciding.await?;
            // The first takes the place of what waited; further ones are new.
            let context = (&*facts, &document);
            let applied = self.apply(&mut tx, &held, waits.take(), &mut plan, context, now);
            tally.count(applied.await?);
        }
        tally.end(tx).await
    }

    /// Carries out what was planned of a held delivery, or of its document.
    pub(super) async fn apply(
        &self,
        tx: &mut Tx,
        held: &Delivery,
        replaces: Option<&Delivery>,
        plan: &mut Planned,
        (facts, document): (&Facts, &Document),
        now: Timestamp,
    ) -> Result<Done, Error> {
        let reading = &document.reading;
        let placed = facts.place(tx, plan, reading, now).await;
        let offer = placed.map_err(|source| Error::Place {
            id: held.id,
            source,
        })?;
        let routing = routing_json(plan);
        let new = NewDelivery {
            document: held.document,
            dossier: plan.dossier,
            link: plan.link,
            device: plan.device,
            flow: plan.flow,
            generation: 1,
            hold: plan.hold,
            due: plan.due,
            routing: &routing,
            digest: held.digest,
            bytes: held.bytes,
            offer: offer.as_ref(),
            duplicate_of: plan.duplicate_of,
            revision_of: offer.as_ref().and(plan.revision_of),
        };
        let id = match replaces {
            Some(old) => {
                let is_so = is_as_stored(old, &new) && !replaces_any(plan);
                if is_so || !tx.reroute_held(old.id, &new, held.firm).await? {
                    return Ok(Done::Nothing);
                }
                if let (Some(offer), Some(device)) = (&offer, plan.device) {
                    tx.offer(old, device, offer, now).await?;
                }
                old.id
            }
            None => tx.add_delivery(held.firm, &new, now).await?,
        };
        let moved = Delivery { id, ..held.clone() };
        // Not before it is won: else what is taken back here would not be told.
        let newer = (held.document, &mut *plan);
        let mut told = replace(tx, held.firm, newer, Uncollected::Untouched, now).await?;
        if let (Some(offer), Some(device)) = (&offer, plan.device) {
            let reason = held.reason.map_or("", HeldReason::as_str).to_owned();
            if replaces.is_some() {
                told.push(event(&moved, EventKind::Released, device, reason));
            }
            told.extend(revised(plan, (held.document, id), plan.device));
            told.push(event(&moved, EventKind::Offered, device, offer.path()));
        } else if plan.hold != held.reason || plan.due != held.due || replaces.is_none() {
            let why = waits_for(plan);
            told.push(told_of(&moved, EventKind::Held, why));
        }
        tx.tell(held.firm, now, told);
        Ok(match offer {
            Some(_) => Done::Sent,
            None => Done::Written,
        })
    }
}

/// Whether a held delivery would be written as it is: only what is offered has more.
fn is_as_stored(held: &Delivery, new: &NewDelivery<'_>) -> bool {
    new.offer.is_none()
        && held.note.is_none()
        && held.routing == new.routing
        && (held.dossier, held.link, held.device, held.flow)
            == (new.dossier, new.link, new.device, new.flow)
        && (held.reason, held.due, held.duplicate_of) == (new.hold, new.due, new.duplicate_of)
}

/// Whether a rule decides when it leaves, and may decide otherwise by now. What is to be sent by hand is not.
fn is_of_the_rule(reason: HeldReason) -> bool {
    matches!(
        reason,
        HeldReason::Due
            | HeldReason::Draft
            | HeldReason::Approval
            | HeldReason::BeforeStart
            | HeldReason::DatedAhead
            | HeldReason::NoDevice
    )
}

/// What was to be sent by hand through a link that is gone is so through the next: a person may have booked it by
/// now. What that link does not let go by itself anyway says so.
fn by_hand_still(plan: &mut Planned) {
    let goes_by_itself = matches!(
        plan.hold,
        None | Some(
            HeldReason::Due
                | HeldReason::BeforeStart
                | HeldReason::DatedAhead
                | HeldReason::NoDevice
        )
    );
    if goes_by_itself {
        (plan.hold, plan.due) = (Some(HeldReason::Manual), None);
    }
}

/// Says what is known of a document that is here.
pub(super) fn readiness(document: &Document) -> Readiness {
    let issued = document.reading.issued.as_deref();
    Readiness {
        status: document.status,
        origin: document.origin,
        approved: document.approved_at.is_some(),
        issued: issued.and_then(|date| date.parse().ok()),
        has_odd_date: document.reading.issued_odd.is_some(),
        received_at: document.received_at,
        ready_at: document.ready_at,
    }
}

/// The planned deliveries that `held` waits for: those of its own books, or all where nobody knew whose
/// they are; and of these only what no other delivery of the document was ever made for. A dossier that was
/// removed may be here anew, as another one: then it is the one that its document names on the same side.
fn missing(
    planned: Vec<Planned>,
    held: &Delivery,
    siblings: &[Delivery],
    setup: &Setup,
) -> Vec<Planned> {
    let in_use = |dossier: DossierId| setup.names.contains_key(&dossier);
    let is_its_own = |plan: &Planned| match held.dossier {
        None => true,
        Some(dossier) if in_use(dossier) => (held.dossier, held.flow) == (plan.dossier, plan.flow),
        Some(_) => held.flow == plan.flow,
    };
    let covered = |plan: &Planned| {
        let same = |other: &&Delivery| {
            (other.dossier, other.flow, other.link) == (plan.dossier, plan.flow, plan.link)
        };
        siblings
            .iter()
            .filter(|other| other.id != held.id)
            .any(|other| same(&other))
    };
    planned
        .into_iter()
        .filter(|plan| is_its_own(plan) && !covered(plan))
        .collect()
}
