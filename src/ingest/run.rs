//! How is a plan carried out?

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::place::{self, Places};
use super::plan::{LinkRule, Plan, Planned, Setup, business_key, envelope_key, plan};
use crate::blobs::{self, Blobs, Stored};
use crate::catalog::{self, Catalog, Durability, Event, Link, NewDelivery, NewDocument, Tx};
use crate::model::{Digest, DocumentId, EventKind, FirmId, HeldReason, Timestamp};
use crate::ubl::{self, Reading};

/// How many arrivals are read and stored at a time; the disk syncs several as fast as one.
const PREPARED_AT_ONCE: usize = 8;

/// Bytes that turned up, not yet kept.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Through which door, and under which name: `drop:facturen/F-17.xml`.
    pub source: String,
    /// What it is.
    pub bytes: Bytes,
}

/// What became of an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// In a word.
    pub outcome: Outcome,
    /// Its document: the first one, when it was recognised.
    pub document: DocumentId,
    /// Its bytes.
    pub digest: Digest,
    /// Its number (BT-1), where it has one.
    pub number: Option<String>,
    /// Why it is held or quarantined.
    pub reasons: Vec<String>,
    /// Nobody can read it: it is quarantined now, or its document was when it came first.
    ///
    /// So a door that stopped half-way through letting go of a source does the same with it again.
    pub quarantined: bool,
}

/// What became of an arrival, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Kept, and offered to at least one device.
    Kept,
    /// It was here already.
    Recognised,
    /// Kept, and held back everywhere.
    Held,
    /// Kept out of sight, for nobody can read it.
    Quarantined,
}

impl Outcome {
    /// Returns the word that summaries and JSON use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Recognised => "recognised",
            Self::Held => "held",
            Self::Quarantined => "quarantined",
        }
    }
}

/// An arrival that could not be taken. Its source must be left alone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its bytes could not be stored.
    #[error("could not store the arrival `{arrival}`")]
    Blobs {
        /// Its source.
        arrival: String,
        /// Why.
        source: blobs::Error,
    },
    /// It could not be written down.
    #[error("could not write down what arrived")]
    Catalog(#[from] catalog::Error),
    /// There is no place to show it.
    #[error("could not offer what arrived")]
    Place(#[from] place::Error),
    /// The reader died, which is a fault of this program.
    #[error("could not finish reading the arrival `{arrival}`")]
    Reader {
        /// Its source.
        arrival: String,
        /// Why.
        source: tokio::task::JoinError,
    },
}

/// Takes arrivals in. A clone is the same.
#[derive(Clone)]
pub struct Ingest {
    pub(crate) catalog: Catalog,
    pub(crate) blobs: Blobs,
    pub(crate) places: Places,
}

/// An arrival that was read and whose blobs are stored.
struct Ready {
    source: String,
    reading: Reading,
    original: Stored,
    content: Stored,
}

impl Ingest {
    /// Joins what taking in needs.
    pub fn new(catalog: Catalog, blobs: Blobs, places: Places) -> Self {
        Self { catalog, blobs, places }
    }

    /// Takes arrivals in, together and in order: all of them are durable when this returns, or none is.
    ///
    /// # Errors
    ///
    /// When a store does not take them; then every source must be left alone, and tried again.
    pub async fn take(&self, firm: FirmId, arrivals: Vec<Arrival>, now: Timestamp) -> Result<Vec<Taken>, Error> {
        let preparing = stream::iter(arrivals).map(|arrival| self.prepare(arrival));
        let ready: Vec<Ready> = preparing.buffered(PREPARED_AT_ONCE).try_collect().await?;
        let mut tx = self.catalog.begin(Durability::PowerCut).await?;
        tx.lock_firm(firm).await?;
        let (setup, links) = self.setup(firm).await?;
        let mut taken = Vec::with_capacity(ready.len());
        for arrival in &ready {
            taken.push(self.write_down(&mut tx, firm, arrival, (&setup, &links), now).await?);
        }
        tx.commit().await?;
        Ok(taken)
    }

    /// Reads an arrival and stores its blobs, before any row names them.
    async fn prepare(&self, arrival: Arrival) -> Result<Ready, Error> {
        let Arrival { source, bytes } = arrival;
        let original = bytes.clone();
        let read = tokio::task::spawn_blocking(move || ubl::read(&bytes))
            .await
            .map_err(|died| Error::Reader { arrival: source.clone(), source: died })?;
        let put = async |content: Bytes| {
            let stored = self.blobs.put(content).await;
            stored.map_err(|refused| Error::Blobs { arrival: source.clone(), source: refused })
        };
        let stored = put(original).await?;
        let content = match read.inner {
            Some(inner) => put(inner.into()).await?,
            None => stored,
        };
        Ok(Ready { source, reading: read.reading, original: stored, content })
    }

    /// Returns what the firm's setup says now. Read while the firm is locked, it stays true until the commit.
    pub(crate) async fn setup(&self, firm: FirmId) -> Result<(Setup, Vec<Link>), Error> {
        let dossiers = self.catalog.dossiers(firm).await?;
        let links = self.catalog.links(firm).await?;
        let default_device = self.catalog.default_device(firm).await?;
        let index = dossiers
            .iter()
            .flat_map(|dossier| dossier.identifiers.iter().map(|identifier| (identifier.key.clone(), dossier.id)));
        let rules = links.iter().map(|link| LinkRule {
            id: link.id,
            dossier: link.dossier,
            device: link.device,
            transfer: link.transfer,
        });
        Ok((Setup { dossiers: index.collect(), links: rules.collect(), default_device }, links))
    }

    async fn write_down(
        &self,
        tx: &mut Tx,
        firm: FirmId,
        arrival: &Ready,
        setup: (&Setup, &[Link]),
        now: Timestamp,
    ) -> Result<Taken, Error> {
        let reading = &arrival.reading;
        let (envelope, business) = (envelope_key(reading), business_key(reading));
        let mut new = NewDocument {
            digest: arrival.original.digest(),
            bytes: arrival.original.bytes(),
            content: arrival.content.digest(),
            content_bytes: arrival.content.bytes(),
            envelope_key: envelope.as_deref(),
            business_key: business.as_deref(),
            reading,
            source: &arrival.source,
            quarantined: None,
        };
        let known = tx.known(firm, &new).await?;
        let taken = |outcome, document, reasons| Taken {
            outcome,
            document,
            digest: new.digest,
            number: reading.number.clone(),
            reasons,
            quarantined: outcome == Outcome::Quarantined,
        };
        match plan(reading, setup.0, &known) {
            Plan::Recognise(document) => {
                let mut event = Event::new(EventKind::Recognised, arrival.source.clone());
                event.document = Some(document);
                tx.tell(firm, now, &[event]).await?;
                let why = tx.quarantined(firm, document).await?;
                let quarantined = why.is_some();
                Ok(Taken { quarantined, ..taken(Outcome::Recognised, document, why.into_iter().collect()) })
            }
            Plan::Quarantine(why) => {
                new.quarantined = Some(&why);
                let document = tx.add_document(firm, &new, now).await?;
                let mut event = Event::new(EventKind::Quarantined, format!("{}: {why}", arrival.source));
                event.document = Some(document);
                tx.tell(firm, now, &[event]).await?;
                Ok(taken(Outcome::Quarantined, document, vec![why.clone()]))
            }
            Plan::Keep(planned) => {
                let document = tx.add_document(firm, &new, now).await?;
                let mut event = Event::new(EventKind::Kept, told(reading, &arrival.source));
                event.document = Some(document);
                tx.tell(firm, now, &[event]).await?;
                for delivery in &planned {
                    self.deliver(tx, firm, (document, arrival), delivery, setup.1, now).await?;
                }
                let reasons = planned.iter().filter_map(|p| p.hold).map(|reason| reason.as_str().to_owned());
                let all_held = planned.iter().all(|p| p.hold.is_some());
                let outcome = if all_held { Outcome::Held } else { Outcome::Kept };
                Ok(taken(outcome, document, reasons.collect()))
            }
        }
    }

    async fn deliver(
        &self,
        tx: &mut Tx,
        firm: FirmId,
        (document, arrival): (DocumentId, &Ready),
        planned: &Planned,
        links: &[Link],
        now: Timestamp,
    ) -> Result<(), Error> {
        let link = planned.link.and_then(|id| links.iter().find(|link| link.id == id));
        let offer = match (planned.hold, link, planned.flow) {
            (None, Some(link), Some(flow)) => Some(self.places.offer(tx, link, flow, &arrival.reading, now).await?),
            _ => None,
        };
        let routing = routing_json(planned);
        let new = NewDelivery {
            document,
            dossier: planned.dossier,
            link: planned.link,
            device: planned.device,
            flow: planned.flow,
            generation: 1,
            hold: planned.hold,
            routing: &routing,
            digest: arrival.content.digest(),
            bytes: arrival.content.bytes(),
            offer: offer.as_ref(),
        };
        let id = tx.add_delivery(firm, &new, now).await?;
        let (kind, detail) = match &offer {
            Some(offer) => (EventKind::Offered, format!("{}/{}", offer.folder, offer.name)),
            None => (EventKind::Held, planned.hold.map_or_else(String::new, held_detail)),
        };
        let mut event = Event::new(kind, detail);
        (event.document, event.delivery, event.device) = (Some(document), Some(id), planned.device);
        Ok(tx.tell(firm, now, &[event]).await?)
    }
}

fn held_detail(reason: HeldReason) -> String {
    reason.as_str().to_owned()
}

/// The rule and the values that matched, as they are kept with a delivery.
pub(crate) fn routing_json(planned: &Planned) -> String {
    serde_json::to_string(&planned.routing).unwrap_or_default()
}

fn told(reading: &Reading, source: &str) -> String {
    let number = reading.number.as_deref().unwrap_or("without a number");
    format!("{} {number} from {source}", reading.kind.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::ingest::plan::tests::invoice;
    use crate::layout::Profiles;
    use crate::model::{Kind, Language};

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    async fn ingest(folder: &std::path::Path) -> (Ingest, FirmId) {
        let catalog = Catalog::open(&folder.join("catalog.db")).await.unwrap();
        let slug = "peeters".parse().unwrap();
        let firm = catalog.add_firm(&slug, "Kantoor Peeters", Language::Nl, NOW).await.unwrap();
        std::fs::create_dir(folder.join("blobs")).unwrap();
        let blobs = Blobs::in_folder(&folder.join("blobs")).unwrap();
        let places = Places::new(Arc::new(Profiles::new([]).unwrap()), TimeZone::UTC);
        (Ingest::new(catalog, blobs, places), firm)
    }

    /// Takes an unreadable arrival as if it had been read.
    async fn take_unreadable(ingest: &Ingest, firm: FirmId, text: &'static str) -> Taken {
        let stored = ingest.blobs.put(Bytes::from_static(text.as_bytes())).await.unwrap();
        let mut reading = invoice("F-1");
        reading.kind = Kind::Unreadable;
        let ready = Ready { source: "drop:F-1.xml".to_owned(), reading, original: stored, content: stored };
        let mut tx = ingest.catalog.begin(Durability::PowerCut).await.unwrap();
        tx.lock_firm(firm).await.unwrap();
        let taken = ingest.write_down(&mut tx, firm, &ready, (&Setup::default(), &[]), NOW).await.unwrap();
        tx.commit().await.unwrap();
        taken
    }

    #[tokio::test]
    async fn what_was_quarantined_is_so_when_it_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let (ingest, firm) = ingest(folder.path()).await;

        let first = take_unreadable(&ingest, firm, "%PDF").await;
        let again = take_unreadable(&ingest, firm, "%PDF").await;

        assert_eq!((first.outcome, again.outcome), (Outcome::Quarantined, Outcome::Recognised));
        assert!(first.quarantined && again.quarantined);
        assert_eq!((again.document, again.reasons), (first.document, first.reasons));
    }

    #[tokio::test]
    async fn a_door_learns_of_each_firm() {
        let folder = tempfile::tempdir().unwrap();
        let (ingest, firm) = ingest(folder.path()).await;

        let firms = ingest.firms().await.unwrap();

        let [known] = firms.as_slice() else { panic!("{firms:?}") };
        assert_eq!((known.id, known.slug.as_str(), known.language), (firm, "peeters", Language::Nl));
    }
}
