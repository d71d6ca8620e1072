//! How is a plan carried out?

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::named;
use super::neighbours::Links;
use super::place::{self, Places};
use super::plan::{LinkRule, Setup};
use super::readers::Readers;
use super::receive::Meeting;
use super::write::{Facts, Writing};
use crate::blobs::{self, Blobs, Stored};
use crate::catalog::{self, Catalog, Durability, Sweeps};
use crate::counts::Counts;
use crate::model::{Checksums, Declared, Digest, DocumentId, FirmId, Said, Timestamp, Veiled};
use crate::transfer::{Calendar, Rule};
use crate::ubl::{self, Reading, Remark};
use crate::wellness::{Unready, Wellness};

/// How many arrivals are read and stored at a time; the disk syncs several as fast as one.
const PREPARED_AT_ONCE: usize = 8;

/// Bytes that turned up, not yet kept.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Through which door, and under which name: `drop:facturen/F-17.xml`.
    pub source: String,
    /// What it is.
    pub bytes: Bytes,
    /// What its sender says of it.
    pub said: Said,
    /// What its door takes to be true where its sender says nothing.
    pub door: Declared,
}

impl Arrival {
    /// Returns an arrival of which nothing is said.
    pub fn new(source: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self {
            source: source.into(),
            bytes: bytes.into(),
            said: Said::default(),
            door: Declared::default(),
        }
    }
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
    /// What its reader found, where nobody can read it.
    pub remarks: Vec<Remark>,
    /// Nobody can read it: it is quarantined now, or its document was when it came first.
    ///
    /// So a door that stopped half-way through letting go of a source does the same with it again.
    pub quarantined: bool,
    /// Every byte of it was here before; of one that is recognised by what its envelope holds, none of its own was.
    pub is_copy: bool,
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
    /// There is too little room on the disk for anything new.
    #[error("nothing new is taken now: {}", _0.why)]
    NoRoom(Unready),
    /// Its bytes could not be stored.
    #[error("could not store the arrival {}", Veiled(arrival))]
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
    #[error("could not finish reading the arrival {}", Veiled(arrival))]
    Reader {
        /// Its source.
        arrival: String,
        /// Why.
        source: tokio::task::JoinError,
    },
    /// Its bytes were removed, with a document that had expired, after they were stored and before they were
    /// written down.
    #[error(
        "the bytes of the arrival {} were removed with an older document meanwhile",
        Veiled(arrival)
    )]
    Swept {
        /// Its source.
        arrival: String,
    },
    /// Whoever wrote it down for several senders did not come back.
    #[error("could not learn what became of an arrival")]
    Left,
}

/// Takes arrivals in. A clone is the same.
#[derive(Clone)]
pub struct Ingest {
    pub(crate) catalog: Catalog,
    pub(crate) blobs: Blobs,
    rules: Arc<RwLock<Arc<Rules>>>,
    pub(super) meeting: Meeting,
    pub(super) readers: Readers,
    counts: Arc<Counts>,
}

/// By what arrivals are placed, until a new configuration says otherwise.
struct Rules {
    places: Places,
    /// The setup of each firm as it was last used, made with these places.
    facts: Mutex<HashMap<FirmId, Dated>>,
}

impl Rules {
    fn by(places: Places) -> Arc<Self> {
        let facts = Mutex::default();
        Arc::new(Self { places, facts })
    }
}

/// A setup, and which version of it.
type Dated = (i64, Arc<Facts>);

/// An arrival that was read and whose blobs are stored.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(super) source: String,
    /// The folder in `/in` of a dossier's code, if it was put there.
    pub(super) folder: Option<String>,
    pub(super) reading: Reading,
    pub(super) original: Stored,
    pub(super) content: Stored,
    /// None of a large document: they are computed when somebody asks.
    pub(super) checksums: Option<Checksums>,
    pub(super) said: Said,
    pub(super) door: Declared,
    /// How often blobs had been removed before its own were stored.
    pub(super) sweeps: Sweeps,
}

/// Arrivals that were read and whose blobs are stored. No row names them yet.
#[derive(Debug)]
pub struct Prepared {
    firm: FirmId,
    /// To be prepared again, if their blobs are removed meanwhile.
    arrivals: Vec<Arrival>,
    ready: Vec<Ready>,
    began: Instant,
}

/// How often an arrival is stored again whose bytes were removed meanwhile: a removal takes its blob but once.
pub(super) const TRIES_MAX: u32 = 3;

/// The largest content, in bytes, whose checksums are computed while it is taken in. Few clients ever ask
/// for one, and of a hundred megabytes they take as long as the reading.
const CHECKSUMS_BYTES_MAX: usize = 1024 * 1024;

/// Reads a document, and computes the checksums of what is delivered of it while its bytes are near.
pub(super) fn read_bytes(bytes: &[u8]) -> (ubl::Read, Option<Checksums>) {
    let read = ubl::read(bytes);
    let content = read.inner.as_deref().unwrap_or(bytes);
    let checksums = (content.len() <= CHECKSUMS_BYTES_MAX).then(|| Checksums::of(content));
    (read, checksums)
}

impl Ingest {
    /// Joins what taking in needs.
    pub fn new(catalog: Catalog, blobs: Blobs, places: Places) -> Self {
        Self {
            catalog,
            blobs,
            rules: Arc::new(RwLock::new(Rules::by(places))),
            meeting: Meeting::default(),
            readers: Readers::default(),
            counts: Arc::default(),
        }
    }

    /// Has what is taken in counted here.
    #[must_use]
    pub fn counted_in(mut self, counts: Arc<Counts>) -> Self {
        self.counts = counts;
        self
    }

    /// Counts what was taken in together, since `began`.
    pub(super) fn count<'a>(&self, taken: impl IntoIterator<Item = &'a Taken>, began: Instant) {
        self.counts.ingests.took(began.elapsed());
        for taken in taken {
            let counter = match taken.outcome {
                Outcome::Kept => &self.counts.documents_kept,
                Outcome::Held => &self.counts.documents_held,
                Outcome::Recognised => &self.counts.documents_recognised,
                Outcome::Quarantined => &self.counts.documents_quarantined,
            };
            counter.one();
        }
    }

    /// Has whatever arrives from now on placed by these, through whichever clone: one that writes down for several
    /// senders must not place by the rules of the one whose session is oldest.
    pub fn set_places(&self, places: Places) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Rules::by(places);
    }

    /// Returns where documents are placed now.
    pub(crate) fn places(&self) -> Places {
        self.rules().places.clone()
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns what is well and what is not.
    pub fn wellness(&self) -> &Wellness {
        self.catalog.wellness()
    }

    /// Says whether there is room for anything new.
    ///
    /// # Errors
    ///
    /// When the disk has less than the operator wants to keep.
    pub fn check_room(&self) -> Result<(), Unready> {
        self.wellness().has_room()
    }

    /// Returns where it is noted who reads what at this moment.
    pub fn readers(&self) -> Readers {
        self.readers.clone()
    }

    /// Takes arrivals in, together and in order: all of them are durable when this returns, or none is.
    ///
    /// # Errors
    ///
    /// When a store does not take them; then every source must be left alone, and tried again.
    pub async fn take(
        &self,
        firm: FirmId,
        arrivals: Vec<Arrival>,
        now: Timestamp,
    ) -> Result<Vec<Taken>, Error> {
        let prepared = self.prepare_all(firm, arrivals).await?;
        self.write_prepared(prepared, now).await
    }

    /// Reads arrivals and stores their blobs, for [`Ingest::write_prepared`]: whoever has many of them prepares some
    /// while those before are written down.
    ///
    /// # Errors
    ///
    /// When there is no room for them, or the store does not take them.
    pub async fn prepare_all(
        &self,
        firm: FirmId,
        arrivals: Vec<Arrival>,
    ) -> Result<Prepared, Error> {
        self.check_room().map_err(Error::NoRoom)?;
        let began = Instant::now();
        let sweeps = self.catalog.sweeps();
        // Clones of the same bytes.
        let preparing =
            stream::iter(arrivals.clone()).map(|arrival| self.prepare(firm, arrival, sweeps));
        let ready = preparing.buffered(PREPARED_AT_ONCE).try_collect().await?;
        Ok(Prepared {
            firm,
            arrivals,
            ready,
            began,
        })
    }

    /// Writes prepared arrivals down, together and in order: all of them are durable when this returns, or none is.
    ///
    /// # Errors
    ///
    /// When a store does not take them; then every source must be left alone, and tried again.
    pub async fn write_prepared(
        &self,
        mut prepared: Prepared,
        now: Timestamp,
    ) -> Result<Vec<Taken>, Error> {
        let (mut tried, began) = (1, prepared.began);
        loop {
            let taken = self.write_all(prepared.firm, &prepared.ready, now).await;
            match taken {
                Err(Error::Swept { .. }) if tried < TRIES_MAX => tried += 1,
                taken => return taken.inspect(|taken| self.count(taken, began)),
            }
            prepared = self.prepare_all(prepared.firm, prepared.arrivals).await?;
        }
    }

    /// Writes down what is ready, in one transaction.
    pub(super) async fn try_write_all(
        &self,
        firm: FirmId,
        ready: &[Ready],
        now: Timestamp,
    ) -> Result<Vec<Taken>, Error> {
        let beginning = self.catalog.begin_at(firm, Durability::PowerCut);
        let (mut tx, version) = beginning.await?;
        self.see_that_all_stand(&mut tx, ready).await?;
        let facts = self.facts(firm, version).await?;
        let mut taken = Vec::with_capacity(ready.len());
        let mut writing = Writing {
            tx: &mut tx,
            firm,
            now,
            told: Vec::new(),
        };
        for arrival in ready {
            taken.push(self.write_down(&mut writing, arrival, &facts).await?);
        }
        let told = writing.told;
        tx.tell(firm, now, told);
        tx.commit().await?;
        Ok(taken)
    }

    /// Reads an arrival and stores its blobs, before any row names them.
    pub(crate) async fn prepare(
        &self,
        firm: FirmId,
        arrival: Arrival,
        sweeps: Sweeps,
    ) -> Result<Ready, Error> {
        let Arrival {
            source,
            bytes,
            said,
            door,
        } = arrival;
        let original = bytes.clone();
        let reading = tokio::task::spawn_blocking(move || read_bytes(&bytes));
        let (read, checksums) = reading.await.map_err(|died| Error::Reader {
            arrival: source.clone(),
            source: died,
        })?;
        let digest = Digest::of(&original);
        let is_known = self
            .catalog
            .document_by_digest(firm, digest)
            .await?
            .is_some();
        let put = async |content: Bytes| {
            let stored = self.store(content, is_known).await;
            stored.map_err(|refused| Error::Blobs {
                arrival: source.clone(),
                source: refused,
            })
        };
        let stored = put(original).await?;
        let content = match read.inner {
            Some(inner) => put(inner.into()).await?,
            None => stored,
        };
        Ok(Ready {
            source,
            folder: None,
            reading: read.reading,
            original: stored,
            content,
            checksums,
            said,
            door,
            sweeps,
        })
    }

    /// Stores a content, unless it belongs to a document that is kept already. That may expire meanwhile, and another
    /// store the same bytes: where the disk ever failed, they are stored all the same.
    async fn store(&self, content: Bytes, is_known: bool) -> Result<Stored, blobs::Error> {
        if is_known && self.blobs.never_failed() {
            let (digest, bytes) = (Digest::of(&content), content.len() as u64);
            if let Some(stored) = self.blobs.stored(digest, bytes).await? {
                return Ok(stored);
            }
        }
        self.blobs.put(content).await
    }

    /// Returns the firm's setup of this version, which is read once: a firm has thousands of dossiers. Read while the
    /// firm is locked, it stays true until the commit.
    pub(crate) async fn facts(
        &self,
        firm: FirmId,
        version: i64,
    ) -> Result<Arc<Facts>, catalog::Error> {
        let rules = self.rules();
        let known = rules.facts.lock().await.get(&firm).cloned();
        if let Some((_, facts)) = known.filter(|(of, _)| *of == version) {
            return Ok(facts);
        }
        let facts = Arc::new(self.facts_by(&rules.places, firm).await?);
        let kept = (version, Arc::clone(&facts));
        rules.facts.lock().await.insert(firm, kept);
        Ok(facts)
    }

    async fn facts_by(&self, places: &Places, firm: FirmId) -> Result<Facts, catalog::Error> {
        let dossiers = self.catalog.dossiers(firm).await?;
        let links = self.catalog.links(firm).await?;
        let firm = self.catalog.firm_by_id(firm).await?;
        let index = dossiers.iter().flat_map(|dossier| {
            dossier
                .identifiers
                .iter()
                .map(|identifier| (identifier.key.clone(), dossier.id))
        });
        let names = dossiers
            .iter()
            .map(|dossier| (dossier.id, dossier.name.clone()));
        let rules = links.iter().map(|link| LinkRule {
            id: link.id,
            dossier: link.dossier,
            device: link.device,
            rule: Rule {
                transfer: link.sends.transfer.or(firm.sends.transfer),
                approval: link.sends.approval.or(firm.sends.approval),
                from: link.sends.from,
            },
            folder: named::folder_of(&link.code),
        });
        let setup = Setup {
            dossiers: index.collect(),
            names: names.collect(),
            links: rules.collect(),
            default_device: firm.default_device,
            calendar: Calendar {
                zone: places.zone_of(&firm),
                hour: firm.sends.night_hour,
            },
            duplicates: firm.sends.duplicates,
        };
        let links = Links::new(links);
        Ok(Facts {
            places: places.clone(),
            setup,
            links,
        })
    }
}

#[cfg(test)]
mod tests;
