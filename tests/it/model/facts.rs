//! What is there, in the reference: offices, links, documents, deliveries?
//!
//! Plain facts, with none of the program's rules and none of its types but words that both must use.

use std::collections::BTreeSet;

use sluis::model::{Flow, HeldReason, State};

use crate::gateway::{BAKERY, MILL};

/// 14 March 2026 at midnight in Brussels, where it is one hour later than in UTC until the 29th.
const MIDNIGHT: i64 = 1_773_442_800_000;
const HOUR: i64 = 3_600_000;

/// Nobody's clock goes past this: the night of the 28th has another length.
pub const LAST: i64 = MIDNIGHT + 13 * 24 * HOUR;

/// The devices of each office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    Pull,
    Mount,
    /// A second one that pulls.
    Spare,
}

impl Device {
    pub const ALL: [Self; 3] = [Self::Pull, Self::Mount, Self::Spare];
}

/// The enterprises that documents are between; the first two are dossiers of each office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    Bakery,
    Mill,
    Printer,
    Stranger,
}

impl Party {
    pub fn digits(self) -> &'static str {
        match self {
            Self::Bakery => BAKERY,
            Self::Mill => MILL,
            Self::Printer => "0809172614",
            Self::Stranger => "0239843188",
        }
    }

    pub fn is_ours(self) -> bool {
        matches!(self, Self::Bakery | Self::Mill)
    }
}

/// The bytes of a document: equal slips are equal bytes, at whichever firm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slip {
    pub from: Party,
    pub to: Party,
    pub number: u8,
    /// The same invoice in other bytes.
    pub copy: u8,
}

impl Slip {
    pub fn bytes(self) -> Vec<u8> {
        let (from, to) = (self.from.digits(), self.to.digits());
        let length = 2000 + 500 * usize::from(self.copy);
        crate::gateway::invoice_between(from, to, &format!("F-{}", self.number), length)
    }

    /// Whether a bookkeeper would take them for the same invoice.
    pub fn looks_like(self, other: Self) -> bool {
        (self.from, self.number) == (other.from, other.number)
    }
}

/// When a link sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    AtOnce,
    ByHand,
    InTenMinutes,
    AtNight,
}

impl When {
    /// When something that is ready since then is sent.
    pub fn due(self, ready: i64) -> i64 {
        match self {
            Self::AtOnce | Self::ByHand => ready,
            Self::InTenMinutes => ready + 10 * 60_000,
            Self::AtNight => {
                let since = ready - MIDNIGHT - 2 * HOUR;
                ready - since.rem_euclid(24 * HOUR) + 24 * HOUR
            }
        }
    }
}

/// An office, of which there are two with the same dossiers and codes.
#[derive(Debug, Clone, Default)]
pub struct Office {
    pub default: Option<Device>,
    /// The last day and number in the names of the bakery's files, and of the mill's.
    pub names: [(i64, u32); 2],
}

/// A link: the place in the list, from 1, is its id, of both offices together.
#[derive(Debug, Clone)]
pub struct Link {
    pub office: usize,
    pub dossier: Party,
    pub code: &'static str,
    pub device: Option<Device>,
    pub when: When,
    pub asks_approval: bool,
    pub is_removed: bool,
}

/// A document: the place in the list, from 1, is its id.
#[derive(Debug, Clone)]
pub struct Document {
    pub office: usize,
    pub slip: Slip,
    pub is_incoming: bool,
    pub is_approved: bool,
    pub ready: i64,
    /// An older one looks like it.
    pub has_twin: bool,
}

/// A delivery: the place in the list, from 1, is its id.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub office: usize,
    pub document: usize,
    pub dossier: Option<Party>,
    pub flow: Option<Flow>,
    pub link: Option<usize>,
    pub device: Option<Device>,
    pub generation: i64,
    pub is_current: bool,
    pub state: State,
    pub reason: Option<HeldReason>,
    pub due: Option<i64>,
    /// A person gave its document to other books.
    pub is_moved: bool,
    /// A person said whose it is.
    pub is_by_hand: bool,
    pub place: Option<(String, String)>,
    pub read: Option<i64>,
    pub collected: Option<i64>,
    pub processed: Option<i64>,
    /// Copied to the processed folder, and not removed from the inbox yet.
    pub is_copied: bool,
    /// Its name in the processed folder, if the importer gave it one.
    pub moved_name: Option<String>,
    pub progress: Progress,
}

impl Delivery {
    /// Whether a device has it, gets it or waits for it now.
    pub fn stands(&self) -> bool {
        self.is_current && self.state != State::Withdrawn && !self.is_moved
    }

    pub fn is_held(&self) -> bool {
        self.is_current && self.state == State::Held
    }

    pub fn name(&self) -> &str {
        self.place.as_ref().map_or("", |place| &place.1)
    }

    pub fn done_name(&self) -> &str {
        self.moved_name.as_deref().unwrap_or_else(|| self.name())
    }
}

/// A document is read in four quarters.
pub type Quarters = BTreeSet<u8>;

/// What was read of a delivery by handles that have ended.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    pub believed: Quarters,
    pub broken: Vec<Broken>,
}

/// What a handle was given whose connection died.
#[derive(Debug, Clone)]
pub struct Broken {
    pub opened: i64,
    pub ended: i64,
    pub starts_at: u8,
    pub got: Quarters,
    pub beside: bool,
}

/// An open file of a session.
#[derive(Debug, Clone)]
pub struct Handle {
    pub delivery: usize,
    pub is_inbox: bool,
    /// Whether its reading can count: in an inbox, and offered when it was opened.
    pub counts: bool,
    pub opened: i64,
    pub starts_at: Option<u8>,
    pub got: Quarters,
    /// Whether another was ever open on its delivery while it was.
    pub beside: bool,
}

/// A session of a device.
#[derive(Debug, Clone)]
pub struct Session {
    pub office: usize,
    pub device: Device,
    pub since: i64,
    pub handles: Vec<Handle>,
}

/// The day in a file's name.
pub fn day(at: i64) -> i64 {
    20_260_314 + (at - MIDNIGHT).div_euclid(24 * HOUR)
}

/// Where documents of a link wait.
pub fn inbox(code: &str, flow: Flow) -> String {
    folder(code, "Te Verwerken", flow)
}

/// Where they go when they are done with.
pub fn done(code: &str, flow: Flow) -> String {
    folder(code, "Verwerkt", flow)
}

fn folder(code: &str, of: &str, flow: Flow) -> String {
    let journal = match flow {
        Flow::Purchase => "Aankopen",
        Flow::Sale => "Verkopen",
    };
    format!("/expertm/{code}/{of}/{journal}")
}
