//! What becomes of a document that is sent by hand and looks like an earlier one?

use super::{Error, Sending, event, shown, told_of};
use crate::catalog::{Delivery, DeliveryRow, Document, Durability, Event, Offer, Tx, Uncollected};
use crate::ingest::plan::Planned;
use crate::ingest::revise;
use crate::ingest::route::{Routing, Rule};
use crate::ingest::waits_for;
use crate::model::{
    DeliveryId, DeviceId, DocumentId, Duplicates, EventKind, FirmId, Flow, HeldReason, State,
    Timestamp,
};
use crate::transfer::{Earlier, Judgement, Stand, decided, elsewhere};

/// Whether a delivery that a person sends may go.
pub(super) enum Weighed {
    /// It may; this is to be told of what it replaces.
    Goes(Vec<Event>),
    /// It waits for a person, which is to be told; it looks like this document.
    Waits(Event, DocumentId),
}

impl Sending {
    /// Sends a held delivery in the place of the earlier ones that it looks like: what of those was not
    /// collected is taken back, and of what was it is a revision.
    ///
    /// # Errors
    ///
    /// When it is not held, looks like no other, has no link or no device, when it would take the place of nothing while
    /// an earlier one stands in other books, or the catalog does not answer.
    pub async fn replace(
        &self,
        firm: FirmId,
        id: DeliveryId,
        device: Option<DeviceId>,
        now: Timestamp,
    ) -> Result<Offer, Error> {
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
        let earlier = match document.business_key.as_deref() {
            Some(key) => {
                let asking = self.ingest.earlier(&mut tx, firm, key, Some(document.id));
                asking.await?
            }
            None => Vec::new(),
        };
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
        if planned.replaces.is_empty() && planned.revision_of.is_none() {
            self.stands_nowhere_else(&delivery, &earlier).await?;
        }
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
        told.extend(note_revision(&mut tx, &delivery, &planned, Some(device)).await?);
        let reason = delivery.reason.map_or("", HeldReason::as_str).to_owned();
        told.extend([
            event(&delivery, EventKind::Released, device, reason),
            event(&delivery, EventKind::Offered, device, shown(&offer)),
        ]);
        tx.tell(firm, now, told);
        tx.commit().await?;
        Ok(offer)
    }

    /// Refuses where the first is in books that the newer does not come to: whoever says that it is to go would be told
    /// that it went.
    async fn stands_nowhere_else(
        &self,
        newer: &Delivery,
        earlier: &[Earlier],
    ) -> Result<(), Error> {
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
        if stands.is_empty() {
            return Ok(());
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
