//! What can be said about a document's way?

use std::fmt;

use crate::model::{Flow, HeldReason, Kind};
use crate::ubl::Remark;

/// One thing that is said about a document. Instants are shown in the office's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sentence<'a> {
    /// Where it came in.
    Received {
        /// When.
        at: &'a str,
        /// Through which door: `ingest`, `drop`, …
        door: &'a str,
        /// As which file.
        file: &'a str,
    },
    /// It came in once more.
    ReceivedAgain {
        /// When.
        at: &'a str,
        /// Through which door.
        door: &'a str,
        /// As which file.
        file: &'a str,
    },
    /// What it is.
    Read {
        /// What it is.
        kind: Kind,
        /// Whether the buyer wrote it.
        self_billed: bool,
        /// Its number.
        number: Option<&'a str>,
        /// Its date.
        issued: Option<&'a str>,
        /// Its amount with the currency.
        amount: Option<&'a str>,
        /// Who sells, and who buys; a response has neither.
        parties: Option<(&'a str, &'a str)>,
    },
    /// To which accounts it is to be paid.
    Accounts(&'a str),
    /// It came in an envelope, and is delivered without.
    Unwrapped,
    /// What a person should know about the reading, in the reader's own words.
    Remark(&'a str),
    /// It cannot be read.
    Quarantined {
        /// Why, in the reader's own words.
        why: &'a str,
        /// What they are about, for those who read another language.
        remarks: &'a [Remark],
    },
    /// It is one party's document.
    Routed {
        /// As a sale, it was the seller that matched; as a purchase, the buyer.
        flow: Flow,
        /// To whose books.
        dossier: &'a str,
        /// The values that matched, and where they stood.
        matched: &'a str,
    },
    /// It is one party's document, for its sender said so and that party bears the dossier's name.
    RoutedByName {
        /// As a sale, it is the seller; as a purchase, the buyer.
        flow: Flow,
        /// To whose books.
        dossier: &'a str,
    },
    /// Its sender named a dossier, by the folder with this code.
    PutInto {
        /// The code.
        code: &'a str,
    },
    /// It is nobody's document yet, though some numbers are known: which ones, and where they stood.
    Matched(&'a str),
    /// Which numbers of a party speak against the dossier whose address it has, and where they stood.
    Against(&'a str),
    /// It is nobody's document yet: which numbers are in it, and where they stood.
    Numbers(&'a str),
    /// It goes through this link.
    Linked {
        /// The profile.
        profile: &'a str,
        /// The dossier's code in that program.
        code: &'a str,
    },
    /// A person said whose it is.
    Assigned {
        /// As which flow.
        flow: Flow,
        /// To whose books.
        dossier: &'a str,
        /// Why.
        reason: Option<&'a str>,
    },
    /// A person gave it to other books when a device had it already.
    GivenAway {
        /// When.
        at: &'a str,
        /// Whose books it is for, and why.
        reason: &'a str,
    },
    /// It is not sent.
    Held(HeldReason),
    /// It leaves by itself.
    Until(&'a str),
    /// What a person said of its waiting.
    Note(&'a str),
    /// It was put in a folder.
    Offered {
        /// When.
        at: &'a str,
        /// To which device.
        device: &'a str,
        /// Where.
        path: Path<'a>,
    },
    /// Nobody has fetched it.
    Waiting {
        /// Who should.
        device: &'a str,
        /// When that device last logged in.
        last_seen: Option<&'a str>,
    },
    /// Every byte was read, and that says nothing yet.
    ReadOnly {
        /// When.
        at: &'a str,
        /// By which device.
        device: &'a str,
    },
    /// It was offered to a device that is out of use since.
    DeviceGone {
        /// Which.
        device: &'a str,
    },
    /// It waited too long, and somebody was told.
    Alarm {
        /// When.
        raised: &'a str,
        /// When that was over, if it is.
        cleared: Option<&'a str>,
    },
    /// It was fetched.
    Collected {
        /// When.
        at: &'a str,
        /// By which device.
        device: &'a str,
        /// From where, and with which program.
        from: Option<&'a str>,
    },
    /// A collected file has left the folder, or will.
    Hidden(Leaves),
    /// It was imported.
    Processed {
        /// When.
        at: &'a str,
        /// By which device.
        device: &'a str,
        /// `removed`, `moved` or `copied`.
        act: &'a str,
    },
    /// It was taken back.
    Withdrawn {
        /// When.
        at: &'a str,
        /// Why.
        reason: Option<&'a str>,
    },
    /// It was sent once more since, as a later delivery.
    Replaced,
    /// It was sent once more.
    Resent {
        /// When.
        at: &'a str,
        /// Which generation, and why.
        reason: &'a str,
    },
    /// A legal hold lies on it: it is not removed.
    LegalHold {
        /// Since when.
        at: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// It is not here any more.
    Expired {
        /// Its number.
        number: Option<&'a str>,
        /// When it was removed.
        at: &'a str,
        /// When something last happened to it.
        touched: &'a str,
    },
    /// Nothing of that name is here.
    Nothing {
        /// What was asked for.
        what: &'a str,
        /// At which firm.
        firm: &'a str,
        /// How many documents are held.
        held: u64,
        /// How many are quarantined.
        quarantined: u64,
    },
}

/// When a collected file leaves its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// At the end of the session that collected it.
    SessionEnd,
    /// Some time after, as its profile says.
    Later,
    /// When the importer acts.
    Processed,
}

/// A path in a device's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a>(pub &'a str);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Sentence<'_> {
    /// Returns the word by which a program knows it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Received { .. } => "received",
            Self::ReceivedAgain { .. } => "recognised",
            Self::Read { .. } => "read_as",
            Self::Accounts(_) => "accounts",
            Self::Unwrapped => "unwrapped",
            Self::Remark(_) => "remark",
            Self::Quarantined { .. } => "quarantined",
            Self::Routed { .. } | Self::RoutedByName { .. } => "routed",
            Self::PutInto { .. } => "put_into",
            Self::Matched(_) => "matched",
            Self::Against(_) => "against",
            Self::Numbers(_) => "numbers",
            Self::Linked { .. } => "linked",
            Self::Assigned { .. } => "assigned",
            Self::GivenAway { .. } => "moved",
            Self::Held(_) => "held",
            Self::Until(_) => "until",
            Self::Note(_) => "note",
            Self::Offered { .. } => "offered",
            Self::Waiting { .. } => "waiting",
            Self::ReadOnly { .. } => "read",
            Self::DeviceGone { .. } => "device_gone",
            Self::Alarm { .. } => "alarm",
            Self::Collected { .. } => "collected",
            Self::Hidden(_) => "hidden",
            Self::Processed { .. } => "processed",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Replaced => "replaced",
            Self::Resent { .. } => "resent",
            Self::LegalHold { .. } => "legal_hold",
            Self::Expired { .. } => "expired",
            Self::Nothing { .. } => "nothing",
        }
    }
}
