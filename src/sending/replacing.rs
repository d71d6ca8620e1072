//! What becomes of a document that is sent by hand and looks like an earlier one?

use super::{Error, Sending, event, told_of};
use crate::catalog::{Delivery, DeliveryRow, Document, Durability, Event, Offer, Tx, Uncollected};
use crate::ingest::plan::Planned;
use crate::ingest::revise;
use crate::ingest::route::{Routing, Rule};
use crate::ingest::{doubt, waits_for};
use crate::model::{
    DeliveryId, DeviceId, DocumentId, Duplicates, EventKind, FirmId, Flow, HeldReason, State,
    Timestamp,
};
use crate::transfer::{Earlier, Judgement, Stand, are_several, decided, elsewhere, standing};

/// Whether a delivery that a person sends may go.
pub(super) enum Weighed {
    /// It may; this is to be told of what it replaces.
    Goes(Vec<Event>),
    /// It waits for a person, which is to be told; it looks like this document.
    Waits(Event, DocumentId),
}

/// What came of sending a delivery in the place of earlier ones.
#[derive(Debug)]
pub struct Replaced {
    /// Where it is offered.
    pub offer: Offer,
    /// What was taken back for it, of which document.
    pub withdrawn: Vec<(DeliveryId, DocumentId)>,
    /// What stays in books to which it does not come: what somebody has collected there.
    pub left: Vec<(DeliveryId, DocumentId)>,
}

impl Sending {
    /// Sends a held delivery in the place of the earlier ones that it looks like, or of those of one document: what of
    /// them was not collected is taken back, and of what was it is a revision.
    ///
    /// # Errors
    ///
    /// When it is not held, looks like no other, has no link or no device, when earlier ones stand in other books from
    /// which they could be withdrawn, or it would take the place of nothing, when several documents stand that are not
    /// surely versions of one, or the catalog does not answer.
    pub async fn replace(
        &self,
        firm: FirmId,
        id: DeliveryId,
        (device, of): (Option<DeviceId>, Option<DocumentId>),
        now: Timestamp,
    ) -> Result<Replaced, Error> {
        let catalog = &self.ingest.catalog;
        let (mut tx, _) = catalog.begin_at(firm, Durability::PowerCut).await?;
        let delivery = catalog.delivery(firm, id).await?;
        if delivery.duplicate_of.is_none() {
            return Err(Error::Alone { id });
        }
        let link = self.link(&delivery).await?;
        let device = self.device(firm, &delivery, &link, device).await?;
        let document = catalog.document(firm, delivery.document).await?;
        let mut planned = planned(&delivery);
        let mut earlier = match document.business_key.as_deref() {
            Some(key) => {
                let asking = self.ingest.earlier(&mut tx, firm, key, Some(document.id));
                asking.await?
            }
            None => Vec::new(),
        };
        earlier.retain(|row| of.is_none_or(|of| row.document == of));
        // In an envelope of the same name, or without a number: nothing says which it would replace.
        if earlier.is_empty() {
            return Err(Error::Alone { id });
        }
        if let Judgement::Follow {
            replaces,
            revision_of,
        } = decided(planned.books(), &earlier)
        {
            (planned.replaces, planned.revision_of) = (replaces, revision_of);
        }
        let goes_on = !planned.replaces.is_empty() || planned.revision_of.is_some();
        self.are_versions_of_one(&mut tx, (firm, id, &document), &planned, &earlier)
            .await?;
        let left = self.left_elsewhere(&delivery, &earlier, goes_on).await?;
        let placing = self.place(&mut tx, &delivery, (&link, device), &document, now);
        let offer = placing.await?;
        if !tx.offer(&delivery, device, &offer, now).await? {
            let advice = "only what is held takes the place of another";
            return Err(Error::State {
                id,
                state: delivery.state.as_str(),
                advice,
            });
        }
        let newer = (document.id, &mut planned);
        let mut told = revise::replace(&mut tx, firm, newer, Uncollected::Any, now).await?;
        let withdrawn = told
            .iter()
            .filter_map(|told| told.delivery.zip(told.document))
            .collect();
        told.extend(note_revision(&mut tx, &delivery, &planned, Some(device)).await?);
        let reason = delivery.reason.map_or("", HeldReason::as_str).to_owned();
        told.extend([
            event(&delivery, EventKind::Released, device, reason),
            event(&delivery, EventKind::Offered, device, offer.path()),
        ]);
        tx.tell(firm, now, told);
        tx.commit().await?;
        Ok(Replaced {
            offer,
            withdrawn,
            left,
        })
    }

    /// Refuses where several earlier documents stand in the newer one's place, and not all of them are surely versions
    /// of it: a seller may count anew in each branch, and a person has said of one that it is another. A command that
    /// named none of them would take all of them back.
    async fn are_versions_of_one(
        &self,
        tx: &mut Tx,
        (firm, id, newer): (FirmId, DeliveryId, &Document),
        planned: &Planned,
        earlier: &[Earlier],
    ) -> Result<(), Error> {
        let mut stand = standing(planned.books(), earlier);
        stand.extend(planned.revision_of);
        let Some(key) = newer.business_key.as_deref().filter(|_| stand.len() > 1) else {
            return Ok(());
        };
        let older = tx.earlier_readings(firm, key, Some(newer.id)).await?;
        let is_version = |of: &DocumentId| {
            let reading = older.iter().find(|(id, _)| id == of);
            let reading = reading.and_then(|(_, reading)| reading.as_ref());
            reading.is_some_and(|older| doubt(&newer.reading, older).is_none())
        };
        if stand.iter().all(is_version) && !are_several(planned.books(), earlier) {
            return Ok(());
        }
        let mut stands = Vec::new();
        for document in stand {
            let rows = self.ingest.catalog.delivery_rows_of(firm, document).await?;
            let weighed = |row: &&DeliveryRow| {
                let mut weighed = earlier.iter();
                weighed.any(|one| one.delivery == row.delivery.id && one.stand != Stand::Withdrawn)
            };
            let told = |row: &DeliveryRow| format!("document {document}: {}", stands_as(row));
            stands.extend(rows.iter().filter(weighed).map(told));
        }
        Err(Error::OfWhich { id, stands })
    }

    /// Returns what stays in books that the newer does not come to, where it was collected there. Refuses where it can be
    /// taken back there, or the newer would take the place of nothing: whoever says that the first is to go would be told
    /// that it went.
    async fn left_elsewhere(
        &self,
        newer: &Delivery,
        earlier: &[Earlier],
        goes_on: bool,
    ) -> Result<Vec<(DeliveryId, DocumentId)>, Error> {
        let catalog = &self.ingest.catalog;
        let own = catalog.deliveries_of(newer.firm, newer.document).await?;
        let own = own.iter().filter(|one| !one.is_moved).map(planned);
        let own: Vec<_> = own.map(|one| one.books()).collect();
        let left = elsewhere(&own, earlier);
        let (mut stands, mut withdrawable) = (Vec::new(), Vec::new());
        for one in &left {
            let rows = catalog.delivery_rows_of(newer.firm, one.document).await?;
            let row = rows.iter().find(|row| row.delivery.id == one.delivery);
            stands.extend(row.map(stands_as));
            if one.stand != Stand::Had {
                withdrawable.push(one.delivery);
            }
        }
        if stands.is_empty() || (goes_on && withdrawable.is_empty()) {
            return Ok(left
                .iter()
                .map(|one| (one.delivery, one.document))
                .collect());
        }
        stands.sort();
        withdrawable.sort();
        let id = newer.id;
        Err(Error::Elsewhere {
            id,
            stands,
            withdrawable,
        })
    }

    /// Decides of a delivery that a person sends now what becomes of the earlier ones that it looks like. What
    /// waits *as* a suspected duplicate goes beside them: a person has looked.
    pub(super) async fn weigh(
        &self,
        tx: &mut Tx,
        delivery: &Delivery,
        document: &Document,
        now: Timestamp,
    ) -> Result<Weighed, Error> {
        let goes = Ok(Weighed::Goes(Vec::new()));
        let Some(first) = delivery.duplicate_of else {
            return goes;
        };
        let is_held = delivery.state == State::Held && delivery.is_current;
        if !is_held || delivery.reason == Some(HeldReason::SuspectedDuplicate) {
            return goes;
        }
        let firm = delivery.firm;
        let choice = self.ingest.catalog.firm_by_id(firm).await?.sends.duplicates;
        // It came while the newer was to replace the first, so nobody has been asked yet.
        let was_asked = delivery.reason == Some(HeldReason::OnHold);
        if choice == Duplicates::Hold && was_asked {
            return goes;
        }
        let mut planned = planned(delivery);
        let deciding = self
            .ingest
            .suspect_again(tx, firm, document, choice, &mut planned);
        deciding.await?;
        if let Some(reason) = planned.hold {
            tx.wait(delivery, reason, None, None).await?;
            let event = told_of(delivery, EventKind::Held, waits_for(&planned));
            return Ok(Weighed::Waits(event, first));
        }
        let newer = (document.id, &mut planned);
        let mut told = revise::replace(tx, firm, newer, Uncollected::Untouched, now).await?;
        told.extend(note_revision(tx, delivery, &planned, None).await?);
        Ok(Weighed::Goes(told))
    }

    /// Refuses to send again what a newer document replaced, while that one stands in the same books.
    pub(super) async fn is_not_replaced(&self, old: &Delivery) -> Result<(), Error> {
        let Some(by) = old.replaced_by else {
            return Ok(());
        };
        let newer = self.ingest.catalog.deliveries_of(old.firm, by).await?;
        let stands = |other: &Delivery| {
            (other.dossier, other.flow) == (old.dossier, old.flow)
                && other.is_current
                && other.state != State::Withdrawn
        };
        // One that has expired had its time here, and its importer may have it.
        if newer.is_empty() || newer.iter().any(stands) {
            return Err(Error::Replaced { id: old.id, by });
        }
        Ok(())
    }
}

async fn note_revision(
    tx: &mut Tx,
    delivery: &Delivery,
    planned: &Planned,
    device: Option<DeviceId>,
) -> Result<Option<Event>, Error> {
    let Some(of) = planned.revision_of else {
        return Ok(None);
    };
    tx.note_revision(delivery.firm, delivery.id, of).await?;
    let ids = (delivery.document, delivery.id);
    Ok(revise::revised(planned, ids, device))
}

/// Where a delivery stands, for a person.
fn stands_as(row: &DeliveryRow) -> String {
    let own = &row.delivery;
    let flow = own.flow.map_or("of", |flow| match flow {
        Flow::Purchase => "purchase of",
        Flow::Sale => "sale of",
    });
    let dossier = row.dossier_name.as_deref().unwrap_or("nobody yet");
    format!("d{} ({flow} `{dossier}`, {})", own.id, own.state.as_str())
}

/// A held delivery as it would be planned, if nothing held it.
fn planned(held: &Delivery) -> Planned {
    Planned {
        dossier: held.dossier,
        link: held.link,
        device: held.device,
        flow: held.flow,
        hold: None,
        due: None,
        routing: Routing::new(Rule::ByHand, Vec::new()),
        duplicate_of: held.duplicate_of,
        revision_of: None,
        replaces: Vec::new(),
    }
}
