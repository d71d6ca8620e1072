//! How is a held delivery sent, a sent one taken back, or one sent again?
//!
//! By hand here and in `by_hand`; by itself in `release`, when its hour has come or what held it back is gone.

mod by_hand;
mod release;
mod released;
mod replacing;
mod through;

pub use by_hand::{Destination, Moved};
pub use release::Waiting;
pub use released::{Released, Unlooked};
pub use replacing::Replaced;

use crate::catalog::{self, Delivery, Document, Durability, Event, Link, NewDelivery, Offer, Tx};
use crate::evidence::replay::{REPLACED, Resent};
use crate::ingest::neighbours::Links;
use crate::ingest::{Ingest, place};
use crate::model::{
    DeliveryId, DeviceId, DocumentId, EventKind, FirmId, HeldReason, LinkId, State, Timestamp,
};
use replacing::Weighed;

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
    /// Its link is out of use, and its books have several others.
    #[error(
        "delivery {id} could go through several links of its dossier now: say which with `--link`, {links}"
    )]
    Several {
        /// Which.
        id: DeliveryId,
        /// Through which.
        links: String,
    },
    /// Nobody knows where it should go.
    #[error("delivery {id} cannot be sent: {why}")]
    NoWay {
        /// Which.
        id: DeliveryId,
        /// What is missing.
        why: &'static str,
    },
    /// The document is there already.
    #[error(
        "delivery {id} cannot be moved: the document is, or was, in those books already, or this is not its last delivery"
    )]
    There {
        /// Which.
        id: DeliveryId,
    },
    /// A newer document took its place.
    #[error(
        "delivery {id} was replaced by document {by}, which stands in those books: withdraw that one first, or say `--replaced`"
    )]
    Replaced {
        /// Which.
        id: DeliveryId,
        /// By which.
        by: DocumentId,
    },
    /// Its document looks like an earlier one, and a person must say what it is.
    #[error(
        "delivery {id} looks like document {first}, and we cannot say whether the program has that one; it waits as a suspected duplicate: look at both, then `replace` or `send` it"
    )]
    LooksLike {
        /// Which.
        id: DeliveryId,
        /// Like which.
        first: DocumentId,
    },
    /// There is nothing that it could replace.
    #[error("delivery {id} has no earlier one that it could replace; `send` sends it")]
    Alone {
        /// Which.
        id: DeliveryId,
    },
    /// It looks like several documents, and a person must say of which it is a version.
    #[error(
        "delivery {id} looks like documents that are not surely versions of one another: {}; say in whose place it comes, with `--of document:…`",
        stands.join(", ")
    )]
    OfWhich {
        /// Which.
        id: DeliveryId,
        /// Where they stand.
        stands: Vec<String>,
    },
    /// The first is not, or not only, where this one would take its place.
    #[error(
        "delivery {id} would not take the place of what stands elsewhere, as {}: {}",
        stands.join(" and "),
        elsewhere(withdrawable)
    )]
    Elsewhere {
        /// Which.
        id: DeliveryId,
        /// Where the earlier ones stand.
        stands: Vec<String>,
        /// Those of them that nobody has collected.
        withdrawable: Vec<DeliveryId>,
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

/// What to do about earlier ones in other books, some of which can be taken back.
fn elsewhere(withdrawable: &[DeliveryId]) -> String {
    let first = match withdrawable {
        [] => "take that out of those books by hand, and `send` this one".to_owned(),
        ids => {
            let ids: Vec<_> = ids.iter().map(|id| format!("d{id}")).collect();
            format!("`withdraw` {} and try again", ids.join(" and "))
        }
    };
    format!(
        "{first}; or, if this one belongs there too, `move` or `reclassify` it, and replace there"
    )
}

/// How a delivery must stand to be sent, where it was chosen from a list that may be old by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anyhow: it was named.
    Any,
    /// Held for this reason.
    Held(HeldReason),
    /// In this state.
    In(State),
    /// Anyhow, and though a newer document took its place.
    Replaced,
}

impl Expected {
    fn holds(self, delivery: &Delivery) -> bool {
        match self {
            Self::Any | Self::Replaced => true,
            Self::Held(reason) => delivery.reason == Some(reason),
            Self::In(state) => delivery.state == state,
        }
    }
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
        self.send_as(firm, id, Expected::Any, device, now).await
    }

    /// Sends a held delivery now, if it stands as expected still.
    ///
    /// # Errors
    ///
    /// When it does not, as those of [`Sending::send`].
    pub async fn send_as(
        &self,
        firm: FirmId,
        id: DeliveryId,
        expected: Expected,
        device: Option<DeviceId>,
        now: Timestamp,
    ) -> Result<Offer, Error> {
        let catalog = &self.ingest.catalog;
        let (mut tx, _) = catalog.begin_at(firm, Durability::PowerCut).await?;
        let delivery = catalog.delivery(firm, id).await?;
        if !expected.holds(&delivery) {
            let advice = "it has changed meanwhile: look at it again";
            return Err(Error::State {
                id,
                state: delivery.state.as_str(),
                advice,
            });
        }
        if delivery.state != State::Held {
            return Err(not_held(&delivery));
        }
        let link = self.link(&delivery).await?;
        let device = self.device(firm, &delivery, &link, device).await?;
        let document = self
            .ingest
            .catalog
            .document(firm, delivery.document)
            .await?;
        let mut told = match self.weigh(&mut tx, &delivery, &document, now).await? {
            Weighed::Goes(told) => told,
            Weighed::Waits(event, first) => {
                tx.tell(firm, now, [event]);
                tx.commit().await?;
                return Err(Error::LooksLike { id, first });
            }
        };
        let offer = self
            .place(&mut tx, &delivery, (&link, device), &document, now)
            .await?;
        if !tx.offer(&delivery, device, &offer, now).await? {
            return Err(not_held(&delivery));
        }
        let reason = delivery.reason.map_or("", HeldReason::as_str).to_owned();
        told.extend([
            event(&delivery, EventKind::Released, device, reason),
            event(&delivery, EventKind::Offered, device, offer.path()),
        ]);
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
        // What a person says must not read as what the program does.
        let detail = match reason.strip_prefix(REPLACED) {
            Some(_) => format!("by hand: {reason}"),
            None => reason.to_owned(),
        };
        let told = told_of(&delivery, EventKind::Withdrawn, detail);
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
        self.resend_as(firm, id, Expected::Any, reason, now).await
    }

    /// Offers a delivery once more, if it stands as expected still.
    ///
    /// # Errors
    ///
    /// When it does not, as those of [`Sending::resend`].
    pub async fn resend_as(
        &self,
        firm: FirmId,
        id: DeliveryId,
        expected: Expected,
        reason: &str,
        now: Timestamp,
    ) -> Result<Offer, Error> {
        self.resend_through(firm, id, expected, None, reason, now)
            .await
    }

    /// Offers a delivery once more, if it stands as expected still; through the link that was `asked` for, where its
    /// own is out of use and its books have several.
    ///
    /// # Errors
    ///
    /// When it does not, as those of [`Sending::resend`], or it could go through several.
    pub async fn resend_through(
        &self,
        firm: FirmId,
        id: DeliveryId,
        expected: Expected,
        asked: Option<LinkId>,
        reason: &str,
        now: Timestamp,
    ) -> Result<Offer, Error> {
        let catalog = &self.ingest.catalog;
        let (mut tx, _) = catalog.begin_at(firm, Durability::PowerCut).await?;
        let delivery = catalog.delivery(firm, id).await?;
        self.may_be_sent_again(&delivery, expected).await?;
        let document = catalog.document(firm, delivery.document).await?;
        let link = self.link_again(&delivery, &document, asked).await?;
        let device = self.device(firm, &delivery, &link, None).await?;
        if !tx.retire(&delivery, now).await? {
            let advice = "only the last generation of what was sent is sent again; `send` sends what is held";
            return Err(Error::State {
                id,
                state: delivery.state.as_str(),
                advice,
            });
        }
        // Where it was shown through a link that is out of use, another program may have its folder by now.
        let was_there = delivery.link == Some(link.id);
        let offer = match &delivery.offer {
            Some(offer) if was_there => offer.clone(),
            _ => {
                self.place(&mut tx, &delivery, (&link, device), &document, now)
                    .await?
            }
        };
        let new = NewDelivery {
            document: delivery.document,
            dossier: delivery.dossier,
            link: Some(link.id),
            device: Some(device),
            flow: delivery.flow,
            generation: delivery.generation + 1,
            hold: None,
            due: None,
            routing: &delivery.routing,
            digest: delivery.digest,
            bytes: delivery.bytes,
            offer: Some(&offer),
            duplicate_of: delivery.duplicate_of,
            revision_of: delivery.revision_of,
        };
        let next = tx.add_delivery(firm, &new, now).await?;
        let next = Delivery {
            id: next,
            ..delivery.clone()
        };
        let said = Resent {
            generation: new.generation,
            after: Some(delivery.id),
            reason: reason.to_owned(),
        };
        let told = [
            event(&next, EventKind::Resent, device, said.to_string()),
            event(&next, EventKind::Offered, device, offer.path()),
        ];
        tx.tell(firm, now, told);
        tx.commit().await?;
        Ok(offer)
    }

    async fn may_be_sent_again(&self, old: &Delivery, expected: Expected) -> Result<(), Error> {
        if old.is_moved || !expected.holds(old) {
            let advice = if old.is_moved {
                "a person gave it to other books; `move` gives it back"
            } else {
                "it has changed meanwhile: look at it again"
            };
            return Err(Error::State {
                id: old.id,
                state: old.state.as_str(),
                advice,
            });
        }
        if expected == Expected::Replaced {
            return Ok(());
        }
        self.is_not_replaced(old).await
    }

    async fn device(
        &self,
        firm: FirmId,
        delivery: &Delivery,
        link: &Link,
        asked: Option<DeviceId>,
    ) -> Result<DeviceId, Error> {
        let default = self.ingest.catalog.default_device(firm).await?;
        let in_use = self.ingest.catalog.devices_in_use(firm).await?;
        // Where it went last may have been removed since; then nobody would ever collect it there. What was
        // never sent went nowhere: its device is the one that its link named when it was last looked at.
        let is_in_use = |id: &DeviceId| in_use.contains(id);
        let last = delivery
            .device
            .filter(|id| delivery.offer.is_some() && is_in_use(id));
        if asked.as_ref().is_some_and(|id| !is_in_use(id)) {
            return Err(Error::NoWay {
                id: delivery.id,
                why: "the device that was named is no longer in use",
            });
        }
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
        let places = self.ingest.places();
        let links = Links::new(self.ingest.catalog.links(delivery.firm).await?);
        let (to, reading) = ((link, device), &document.reading);
        let made = places.offer(tx, to, &links, flow, reading, now).await;
        made.map_err(|source| Error::Place {
            id: delivery.id,
            source,
        })
    }
}

fn not_held(delivery: &Delivery) -> Error {
    Error::State {
        id: delivery.id,
        state: delivery.state.as_str(),
        advice: "only what is held is sent; `resend` sends again",
    }
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
