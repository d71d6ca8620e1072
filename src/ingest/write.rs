//! How is an arrival written down?
//!
//! All of it in the transaction that `Ingest::take` has begun, with the firm locked.

use super::named::Named;
use super::neighbours::Links;
use super::place::{self, Places};
use super::plan::{Plan, Planned, Setup, business_key, envelope_key, plan_in};
use super::revise::{replace, revised};
use super::route::Routing;
use super::run::{Error, Ingest, Outcome, Ready, Taken};
use crate::catalog::{Event, NewDelivery, NewDocument, Offer, Tx, Uncollected};
use crate::evidence::replay::LIKE;
use crate::model::{DocumentId, Duplicates, EventKind, FirmId, HeldReason, Kind, Said, Timestamp};
use crate::transfer::Readiness;
use crate::ubl::Reading;

/// What a firm's setup says, for deciding and for doing.
pub(crate) struct Facts {
    /// With which the setup was read: a reload in the middle of a transaction counts for the next one.
    pub(super) places: Places,
    pub(crate) setup: Setup,
    pub(crate) links: Links,
}

/// A transaction, for which firm, and when.
pub(super) struct Writing<'a> {
    pub(super) tx: &'a mut Tx,
    pub(super) firm: FirmId,
    pub(super) now: Timestamp,
    /// What is to be told of it, in order, before the commit.
    pub(super) told: Vec<Event>,
}

impl Writing<'_> {
    fn tell(&mut self, event: Event) {
        self.told.push(event);
    }
}

impl Ingest {
    /// Writes down what is ready, in one transaction; a damaged catalog that it meets is reported.
    pub(crate) async fn write_all(
        &self,
        firm: FirmId,
        ready: &[Ready],
        now: Timestamp,
    ) -> Result<Vec<Taken>, Error> {
        let written = self.try_write_all(firm, ready, now).await;
        written.inspect_err(|failed| _ = self.catalog.is_news(failed))
    }

    /// Decides what becomes of an arrival, and does it.
    pub(super) async fn write_down(
        &self,
        writing: &mut Writing<'_>,
        arrival: &Ready,
        facts: &Facts,
    ) -> Result<Taken, Error> {
        let reading = &arrival.reading;
        let (envelope, business) = (envelope_key(reading), business_key(reading));
        let new = NewDocument {
            digest: arrival.original.digest(),
            bytes: arrival.original.bytes(),
            content: arrival.content.digest(),
            content_bytes: arrival.content.bytes(),
            checksums: arrival.checksums,
            envelope_key: envelope.as_deref(),
            business_key: business.as_deref(),
            reading,
            source: &arrival.source,
            declared: arrival.said.or(arrival.door),
            quarantined: None,
        };
        let mut known = writing.tx.known(writing.firm, &new).await?;
        if let Some(key) = business.as_deref()
            && facts.setup.duplicates == Duplicates::Replace
            && known.is_version()
        {
            let firm = (writing.firm, key);
            let asking = self.know_earlier(writing.tx, firm, (None, reading), &mut known);
            asking.await?;
        }
        let is_copy = known.bytes.is_some();
        let readiness = Readiness::arriving(new.declared, reading, writing.now);
        let (setup, folder) = (&facts.setup, arrival.folder.as_deref());
        let planned = plan_in(reading, &readiness, setup, &known, folder, writing.now);
        let (outcome, document, reasons) = match planned {
            Plan::Recognise(document) => {
                let why = recognise(writing, document, arrival).await?;
                if !is_copy || arrival.content != arrival.original {
                    doom_unnamed(writing, document, arrival).await?;
                }
                (Outcome::Recognised, document, why.into_iter().collect())
            }
            Plan::Quarantine(why) => {
                let document = quarantine(writing, new, &why).await?;
                (Outcome::Quarantined, document, vec![why])
            }
            Plan::Keep(planned) => {
                let document = keep(writing, &new).await?;
                let holds = self
                    .deliver_all(writing, (document, arrival), planned, facts)
                    .await?;
                let (outcome, reasons) = come_of(&holds);
                (outcome, document, reasons)
            }
        };
        Ok(Taken {
            is_copy,
            ..taken(arrival, outcome, document, reasons)
        })
    }

    async fn deliver_all(
        &self,
        writing: &mut Writing<'_>,
        (document, arrival): (DocumentId, &Ready),
        planned: Vec<Planned>,
        facts: &Facts,
    ) -> Result<Vec<Option<HeldReason>>, Error> {
        let mut holds = Vec::with_capacity(planned.len());
        for mut delivery in planned {
            let (tx, now) = (&mut *writing.tx, writing.now);
            let placing = facts.place(tx, &mut delivery, &arrival.reading, now);
            let offer = placing.await?;
            let newer = (document, &mut delivery);
            let which = Uncollected::Untouched;
            let told = replace(writing.tx, writing.firm, newer, which, now).await?;
            writing.told.extend(told);
            deliver(writing, (document, arrival), &delivery, offer.as_ref()).await?;
            holds.push(delivery.hold);
        }
        Ok(holds)
    }
}

impl Facts {
    /// Makes the place of a delivery that is to be offered; one whose link cannot be shown is held instead.
    pub(crate) async fn place(
        &self,
        tx: &mut Tx,
        planned: &mut Planned,
        reading: &Reading,
        now: Timestamp,
    ) -> Result<Option<Offer>, place::Error> {
        let (places, links) = (&self.places, &self.links);
        let link = links.iter().find(|link| Some(link.id) == planned.link);
        let (None, Some(link), Some(device), Some(flow)) =
            (planned.hold, link, planned.device, planned.flow)
        else {
            return Ok(None);
        };
        let profile = places.profile(link);
        if profile.is_ok_and(|profile| !profile.takes(reading.kind)) {
            planned.hold = Some(HeldReason::Format);
            planned.due = None;
            return Ok(None);
        }
        let made = places.offer(tx, (link, device), links, flow, reading, now);
        match made.await {
            Ok(offer) => Ok(Some(offer)),
            Err(error) if error.is_of_the_link() => {
                (planned.hold, planned.due) = (Some(HeldReason::NoPlace), None);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// What whoever brought an arrival is told of it.
fn taken(arrival: &Ready, outcome: Outcome, document: DocumentId, reasons: Vec<String>) -> Taken {
    let reading = &arrival.reading;
    let out_of_sight =
        outcome == Outcome::Quarantined || (outcome == Outcome::Recognised && !reasons.is_empty());
    let remarks = if reading.kind == Kind::Unreadable {
        reading.remarks.clone()
    } else {
        Vec::new()
    };
    Taken {
        outcome,
        document,
        digest: arrival.original.digest(),
        number: reading.number.clone(),
        reasons,
        remarks,
        quarantined: out_of_sight,
        is_copy: false,
    }
}

/// What became of a document, whose deliveries are held or not.
fn come_of(holds: &[Option<HeldReason>]) -> (Outcome, Vec<String>) {
    let outcome = if holds.iter().all(Option::is_some) {
        Outcome::Held
    } else {
        Outcome::Kept
    };
    let reasons = holds.iter().flatten();
    (
        outcome,
        reasons.map(|hold| hold.as_str().to_owned()).collect(),
    )
}

/// Tells that a copy came, and returns why the first is out of sight, if it is.
async fn recognise(
    writing: &mut Writing<'_>,
    document: DocumentId,
    arrival: &Ready,
) -> Result<Option<String>, Error> {
    // It was handed in now, and is kept from now on.
    let (firm, now) = (writing.firm, writing.now);
    writing.tx.arrived_again(firm, document, now).await?;
    let event = Event::new(EventKind::Recognised, arrival.source.as_str());
    writing.tell(Event {
        document: Some(document),
        ..event
    });
    hear(writing, document, arrival.said).await?;
    Ok(writing.tx.quarantined(writing.firm, document).await?)
}

/// Has bytes removed that its document does not name: an envelope around what was here already has its own.
async fn doom_unnamed(
    writing: &mut Writing<'_>,
    document: DocumentId,
    arrival: &Ready,
) -> Result<(), Error> {
    let (firm, now) = (writing.firm, writing.now);
    for stored in [arrival.original, arrival.content] {
        let blob = (stored.digest(), stored.bytes());
        writing.tx.doom_unless_of(firm, document, blob, now).await?;
    }
    Ok(())
}

/// What the sender says of a document that is here already may be news: then what waited for it is looked at again.
async fn hear(writing: &mut Writing<'_>, document: DocumentId, said: Said) -> Result<(), Error> {
    let (firm, now) = (writing.firm, writing.now);
    let mut told = Vec::new();
    if let Some(status) = said.status
        && writing.tx.advance(firm, document, status, now).await?
    {
        told.push(Event::new(EventKind::StatusChanged, status.as_str()));
    }
    if said.approved == Some(true) && writing.tx.approve(firm, document, now).await? {
        told.push(Event::new(EventKind::Approved, "by its sender"));
    }
    if !told.is_empty() {
        writing.tx.look_at(firm, document, now).await?;
    }
    for event in told {
        writing.tell(Event {
            document: Some(document),
            ..event
        });
    }
    Ok(())
}

async fn quarantine(
    writing: &mut Writing<'_>,
    new: NewDocument<'_>,
    why: &str,
) -> Result<DocumentId, Error> {
    let new = NewDocument {
        quarantined: Some(why),
        ..new
    };
    let document = writing
        .tx
        .add_document(writing.firm, &new, writing.now)
        .await?;
    let event = Event::new(EventKind::Quarantined, format!("{}: {why}", new.source));
    writing.tell(Event {
        document: Some(document),
        ..event
    });
    Ok(document)
}

async fn keep(writing: &mut Writing<'_>, new: &NewDocument<'_>) -> Result<DocumentId, Error> {
    let document = writing
        .tx
        .add_document(writing.firm, new, writing.now)
        .await?;
    let number = new.reading.number.as_deref().unwrap_or("without a number");
    let told = format!("{} {number} from {}", new.reading.kind.as_str(), new.source);
    let event = Event::new(EventKind::Kept, told);
    writing.tell(Event {
        document: Some(document),
        ..event
    });
    Ok(document)
}

async fn deliver(
    writing: &mut Writing<'_>,
    (document, arrival): (DocumentId, &Ready),
    planned: &Planned,
    offer: Option<&Offer>,
) -> Result<(), Error> {
    let routing = routing_json(planned);
    let new = NewDelivery {
        document,
        dossier: planned.dossier,
        link: planned.link,
        device: planned.device,
        flow: planned.flow,
        generation: 1,
        hold: planned.hold,
        due: planned.due,
        routing: &routing,
        digest: arrival.content.digest(),
        bytes: arrival.content.bytes(),
        offer,
        duplicate_of: planned.duplicate_of,
        revision_of: offer.and(planned.revision_of),
    };
    let delivery = writing
        .tx
        .add_delivery(writing.firm, &new, writing.now)
        .await?;
    let told = match offer {
        Some(offer) => Event::new(
            EventKind::Offered,
            format!("{}/{}", offer.folder, offer.name),
        ),
        None => Event::new(EventKind::Held, waits_for(planned)),
    };
    if offer.is_some() {
        let revised = revised(planned, (document, delivery), planned.device);
        writing.told.extend(revised);
    }
    let (document, delivery) = (Some(document), Some(delivery));
    writing.tell(Event {
        document,
        delivery,
        device: planned.device,
        ..told
    });
    Ok(())
}

/// What the sender said of a document, as it was kept with a delivery of it.
pub(crate) fn named_in(routing: &str) -> Option<Named> {
    serde_json::from_str::<Routing>(routing).ok()?.named
}

/// Says why a delivery waits, and until when, as events do.
pub(crate) fn waits(reason: Option<HeldReason>, due: Option<Timestamp>) -> String {
    let reason = reason.map_or("", HeldReason::as_str);
    due.map_or_else(|| reason.to_owned(), |due| format!("{reason} {due}"))
}

/// Says why a planned delivery waits, and which document it looks like if that is why.
pub(crate) fn waits_for(planned: &Planned) -> String {
    let why = waits(planned.hold, planned.due);
    match planned.duplicate_of {
        Some(first) if planned.hold == Some(HeldReason::SuspectedDuplicate) => {
            format!("{why}{LIKE}{first}")
        }
        _ => why,
    }
}

/// The rule and the values that matched, as they are kept with a delivery.
pub(crate) fn routing_json(planned: &Planned) -> String {
    serde_json::to_string(&planned.routing).unwrap_or_default()
}
