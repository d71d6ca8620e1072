//! How is a held delivery sent, a sent one taken back, or one sent again?
//!
//! By hand, and by itself when what held it back is gone: a dossier, link or device that was missing.

use crate::catalog::{self, Delivery, Document, Durability, Event, Link, NewDelivery, Offer, Tx};
use crate::ingest::named::Named;
use crate::ingest::plan::{Planned, deliveries};
use crate::ingest::{Ingest, named_in, place, routing_json};
use crate::model::{
    DeliveryId, DeviceId, DocumentId, EventKind, FirmId, HeldReason, State, Timestamp,
};

/// What sends by hand. A clone is the same.
#[derive(Clone)]
pub struct Sending {
    ingest: Ingest,
}

/// A delivery that was not sent, taken back or sent again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not in a state for that.
    #[error("delivery {id} is {state}; {advice}")]
    State {
        /// Which.
        id: DeliveryId,
        /// Its state.
        state: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// Nobody knows where it should go.
    #[error("delivery {id} cannot be sent: {why}")]
    NoWay {
        /// Which.
        id: DeliveryId,
        /// What is missing.
        why: &'static str,
    },
    /// There is no place to show it.
    #[error("delivery {id} cannot be shown")]
    Place {
        /// Which.
        id: DeliveryId,
        /// Why.
        source: place::Error,
    },
    /// The catalog did not answer.
    #[error("could not write down what is sent")]
    Catalog(#[from] catalog::Error),
}

impl Sending {
    /// Joins what sending needs.
    pub fn new(ingest: Ingest) -> Self {
        Self { ingest }
    }

    /// Sends a held delivery now, to `device` or else to its link's or the firm's default device.
    ///
    /// # Errors
    ///
    /// When it is not held, has no link or no device, or the catalog does not answer.
    pub async fn send(
        &self,
        firm: FirmId,
        id: DeliveryId,
        device: Option<DeviceId>,
        now: Timestamp,
    ) -> Result<Offer, Error> {
        let delivery = self.ingest.catalog.delivery(firm, id).await?;
        let catalog = &self.ingest.catalog;
        let (mut tx, _) = catalog.begin_at(firm, Durability::PowerCut).await?;
        let link = self.link(firm, &delivery).await?;
        let device = self.device(firm, &delivery, &link, device).await?;
        let document = self
            .ingest
            .catalog
            .document(firm, delivery.document)
            .await?;
        let offer = self
            .place(&mut tx, &delivery, (&link, device), &document, now)
            .await?;
        if !tx.offer(&delivery, device, &offer, now).await? {
            let advice = "only what is held is sent; `resend` sends again";
            return Err(Error::State {
                id,
                state: delivery.state.as_str(),
                advice,
            });
        }
        let told = [
            event(
                &delivery,
                EventKind::Released,
                device,
                delivery.reason.map_or("", HeldReason::as_str).to_owned(),
            ),
            event(&delivery, EventKind::Offered, device, shown(&offer)),
        ];
        tx.tell(firm, now, told);
        tx.commit().await?;
        Ok(offer)
    }

    /// Takes back a delivery that nobody has collected.
    ///
    /// # Errors
    ///
    /// When somebody has, or the catalog does not answer.
    pub async fn withdraw(
        &self,
        firm: FirmId,
        id: DeliveryId,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let delivery = self.ingest.catalog.delivery(firm, id).await?;
        let mut tx = self.ingest.catalog.begin(Durability::PowerCut).await?;
        if !tx.withdraw(&delivery, now).await? {
            let advice = "only what is held or offered can be taken back";
            return Err(Error::State {
                id,
                state: delivery.state.as_str(),
                advice,
            });
        }
        let told = told_of(&delivery, EventKind::Withdrawn, reason.to_owned());
        tx.tell(firm, now, [told]);
        Ok(tx.commit().await?)
    }

    /// Offers a delivery once more: the same file name, one generation on; its history stays.
    ///
    /// # Errors
    ///
    /// When it was never sent, its link or device is gone, or the catalog does not answer.
    pub async fn resend(
        &self,
        firm: FirmId,
        id: DeliveryId,
        reason: &str,
        now: Timestamp,
    ) -> Result<Offer, Error> {
        let delivery = self.ingest.catalog.delivery(firm, id).await?;
        let catalog = &self.ingest.catalog;
        let (mut tx, _) = catalog.begin_at(firm, Durability::PowerCut).await?;
        let link = self.link(firm, &delivery).await?;
        let device = self.device(firm, &delivery, &link, None).await?;
        if !tx.retire(&delivery, now).await? {
            let advice = "only the last generation of what was sent is sent again; `send` sends what is held";
            return Err(Error::State {
                id,
                state: delivery.state.as_str(),
                advice,
            });
        }
        let document = self
            .ingest
            .catalog
            .document(firm, delivery.document)
            .await?;
        let offer = match &delivery.offer {
            Some(offer) => offer.clone(),
            None => {
                self.place(&mut tx, &delivery, (&link, device), &document, now)
                    .await?
            }
        };
        let new = NewDelivery {
            document: delivery.document,
            dossier: delivery.dossier,
            link: delivery.link,
            device: Some(device),
            flow: delivery.flow,
            generation: delivery.generation + 1,
            hold: None,
            routing: &delivery.routing,
            digest: delivery.digest,
            bytes: delivery.bytes,
            offer: Some(&offer),
        };
        let next = tx.add_delivery(firm, &new, now).await?;
        let next = Delivery {
            id: next,
            ..delivery.clone()
        };
        let why = format!("generation {}: {reason}", new.generation);
        let told = [
            event(&next, EventKind::Resent, device, why),
            event(&next, EventKind::Offered, device, shown(&offer)),
        ];
        tx.tell(firm, now, told);
        tx.commit().await?;
        Ok(offer)
    }

    /// Looks again at what waits for a dossier, a link or a device, and offers what waits no longer. Returns how many.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer; what was offered until then stays so.
    pub async fn look_again(&self, firm: FirmId, now: Timestamp) -> Result<usize, Error> {
        let mut offered = 0;
        for held in self.ingest.catalog.held(firm).await? {
            let waits_for_setup = matches!(
                held.reason,
                Some(
                    HeldReason::UnknownDossier
                        | HeldReason::NoLink
                        | HeldReason::NoDevice
                        | HeldReason::NoPlace
                        | HeldReason::PartiesDisagree
                        | HeldReason::SenderDisagrees
                        | HeldReason::CodeUnclear
                        | HeldReason::FlowUnknown
                )
            );
            if waits_for_setup {
                offered += self.route_again(firm, &held, Word::Kept, now).await?;
            }
        }
        Ok(offered)
    }

    /// Looks again at a document that was put in once more, into the folder of a dossier: that word counts where
    /// the one before, or that there was none, is why it waits. Returns how many deliveries it offered.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer; what was offered until then stays so.
    pub async fn put_again(
        &self,
        firm: FirmId,
        document: DocumentId,
        folder: &str,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let mut offered = 0;
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
                let word = Word::Now(folder);
                offered += self.route_again(firm, &held, word, now).await?;
            }
        }
        Ok(offered)
    }

    async fn route_again(
        &self,
        firm: FirmId,
        listed: &Delivery,
        word: Word<'_>,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let catalog = &self.ingest.catalog;
        let (mut tx, _) = catalog.begin_at(firm, Durability::PowerCut).await?;
        // The list may be old by now: another run may have sent it, or a person taken it back.
        let held = catalog.delivery(firm, listed.id).await?;
        if held.state != State::Held || !held.is_current {
            return Ok(0);
        }
        let document = catalog.document(firm, held.document).await?;
        let siblings = catalog.deliveries_of(firm, held.document).await?;
        let is_copy = catalog.has_older_twin(firm, held.document).await?;
        let (setup, links) = self.ingest.setup(firm).await?;
        let named = match word {
            Word::Kept => named_in(&held.routing),
            Word::Now(folder) => Some(Named::read(folder, &setup.links)),
        };
        let planned = deliveries(&document.reading, &setup, named.as_ref());
        let mut waits = Some(&held);
        let mut offered = 0;
        for mut plan in missing(planned, &held, &siblings) {
            if is_copy && plan.link.is_some() {
                plan.hold = Some(HeldReason::SuspectedDuplicate);
            }
            // The first takes the place of what waited; further ones are new.
            let context = (&links[..], &document);
            offered += usize::from(
                self.apply(&mut tx, &held, waits.take(), &mut plan, context, now)
                    .await?,
            );
        }
        tx.commit().await?;
        Ok(offered)
    }

    async fn apply(
        &self,
        tx: &mut Tx,
        held: &Delivery,
        replaces: Option<&Delivery>,
        plan: &mut Planned,
        (links, document): (&[Link], &Document),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let reading = &document.reading;
        let placed = self.ingest.place(tx, plan, links, reading, now).await;
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
            routing: &routing,
            digest: held.digest,
            bytes: held.bytes,
            offer: offer.as_ref(),
        };
        let id = match replaces {
            Some(old) => {
                if !tx.reroute_held(old.id, &new, held.firm).await? {
                    return Ok(false);
                }
                if let (Some(offer), Some(device)) = (&offer, plan.device) {
                    tx.offer(old, device, offer, now).await?;
                }
                old.id
            }
            None => tx.add_delivery(held.firm, &new, now).await?,
        };
        let moved = Delivery { id, ..held.clone() };
        let mut told = Vec::new();
        if let (Some(offer), Some(device)) = (&offer, plan.device) {
            told.push(event(
                &moved,
                EventKind::Released,
                device,
                held.reason.map_or("", HeldReason::as_str).to_owned(),
            ));
            told.push(event(&moved, EventKind::Offered, device, shown(offer)));
        } else if plan.hold != held.reason || replaces.is_none() {
            told.push(told_of(
                &moved,
                EventKind::Held,
                plan.hold.map_or("", HeldReason::as_str).to_owned(),
            ));
        }
        tx.tell(held.firm, now, told);
        Ok(offer.is_some())
    }

    async fn link(&self, firm: FirmId, delivery: &Delivery) -> Result<Link, Error> {
        let links = self.ingest.catalog.links(firm).await?;
        let found = delivery
            .link
            .and_then(|id| links.into_iter().find(|link| link.id == id));
        found.ok_or(Error::NoWay {
            id: delivery.id,
            why: "it has no link in use; add one for its dossier",
        })
    }

    async fn device(
        &self,
        firm: FirmId,
        delivery: &Delivery,
        link: &Link,
        asked: Option<DeviceId>,
    ) -> Result<DeviceId, Error> {
        let default = self.ingest.catalog.default_device(firm).await?;
        let in_use = self.ingest.catalog.devices(firm).await?;
        // Where it went last may have been removed since; then nobody would ever collect it there.
        let last = delivery
            .device
            .filter(|id| in_use.iter().any(|device| device.id == *id));
        let device = asked.or(link.device).or(default).or(last);
        device.ok_or(Error::NoWay {
            id: delivery.id,
            why: "no device is named, by the link or as the firm's default",
        })
    }

    async fn place(
        &self,
        tx: &mut Tx,
        delivery: &Delivery,
        (link, device): (&Link, DeviceId),
        document: &Document,
        now: Timestamp,
    ) -> Result<Offer, Error> {
        let flow = delivery.flow.ok_or(Error::NoWay {
            id: delivery.id,
            why: "it is neither a purchase nor a sale",
        })?;
        let made = self
            .ingest
            .places
            .offer(tx, (link, device), flow, &document.reading, now)
            .await;
        made.map_err(|source| Error::Place {
            id: delivery.id,
            source,
        })
    }
}

/// What its sender says of a document that waits.
#[derive(Debug, Clone, Copy)]
enum Word<'a> {
    /// What is kept with it.
    Kept,
    /// This folder of `/in`.
    Now(&'a str),
}

/// The planned deliveries that `held` waits for: those of its own books, or all where nobody knew whose
/// they are; and of these only what no other delivery of the document was ever made for.
fn missing(planned: Vec<Planned>, held: &Delivery, siblings: &[Delivery]) -> Vec<Planned> {
    let is_its_own = |plan: &Planned| {
        held.dossier.is_none() || (held.dossier, held.flow) == (plan.dossier, plan.flow)
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

fn shown(offer: &Offer) -> String {
    format!("{}/{}", offer.folder, offer.name)
}

fn told_of(delivery: &Delivery, kind: EventKind, detail: String) -> Event {
    let (document, delivery) = (Some(delivery.document), Some(delivery.id));
    Event {
        document,
        delivery,
        ..Event::new(kind, detail)
    }
}

fn event(delivery: &Delivery, kind: EventKind, device: DeviceId, detail: String) -> Event {
    Event {
        device: Some(device),
        ..told_of(delivery, kind, detail)
    }
}
