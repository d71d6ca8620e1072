//! How far has a delivery come, and what holds it back?

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::UnknownWord;

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not sent; its [`HeldReason`] says why.
    Held,
    /// In the device's folder, not fetched (grey).
    Offered,
    /// Fetched whole by this device (green).
    Collected,
    /// The importer removed it, or moved it to the processed folder (green, ticked).
    Processed,
    /// Taken back, or replaced by a later generation, before it was collected.
    Withdrawn,
}

impl State {
    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Offered => "offered",
            Self::Collected => "collected",
            Self::Processed => "processed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl FromStr for State {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "held" => Ok(Self::Held),
            "offered" => Ok(Self::Offered),
            "collected" => Ok(Self::Collected),
            "processed" => Ok(Self::Processed),
            "withdrawn" => Ok(Self::Withdrawn),
            other => Err(UnknownWord::new(
                other,
                "held, offered, collected, processed, withdrawn",
            )),
        }
    }
}

/// Why a delivery is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldReason {
    /// The link sends by hand only.
    Manual,
    /// The link sends it later, by itself; the delivery says when.
    Due,
    /// It came from outside, and nobody has approved it.
    Approval,
    /// Whoever made it may still change it.
    Draft,
    /// It is older than what its link sends by itself.
    BeforeStart,
    /// Its date is so far ahead that it may be wrong, and its link waits for the end of that month.
    DatedAhead,
    /// A person has held it back; the delivery says why.
    OnHold,
    /// Neither the link nor the firm names a device.
    NoDevice,
    /// The dossier has no link that takes this flow.
    NoLink,
    /// Neither party is a dossier of the firm.
    UnknownDossier,
    /// Seller and buyer are the same dossier.
    SameDossier,
    /// The identifiers of one party contradict each other.
    PartiesDisagree,
    /// Seller, number, date and kind were seen before, with other bytes.
    SuspectedDuplicate,
    /// No linked program reads this format (CII, Factur-X, an unknown XML).
    Format,
    /// The link's folder cannot be made: its profile is gone, or wants a fact that the dossier lacks. Or another
    /// link has it too.
    NoPlace,
    /// An answer or report about a document, which no invoice folder takes.
    NotAnInvoice,
    /// Its sender named a dossier by the folder, and its parties name another.
    SenderDisagrees,
    /// The folder into which its sender put it is that of several dossiers.
    CodeUnclear,
    /// Its sender named a dossier, and nothing says whether that sells or buys.
    FlowUnknown,
}

impl HeldReason {
    /// Every reason.
    pub const ALL: [Self; 19] = [
        Self::Manual,
        Self::Due,
        Self::Approval,
        Self::Draft,
        Self::BeforeStart,
        Self::DatedAhead,
        Self::OnHold,
        Self::NoDevice,
        Self::NoLink,
        Self::UnknownDossier,
        Self::SameDossier,
        Self::PartiesDisagree,
        Self::SuspectedDuplicate,
        Self::Format,
        Self::NoPlace,
        Self::NotAnInvoice,
        Self::SenderDisagrees,
        Self::CodeUnclear,
        Self::FlowUnknown,
    ];

    /// Returns the word that tables, JSON and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Due => "due",
            Self::Approval => "approval",
            Self::Draft => "draft",
            Self::BeforeStart => "before_start",
            Self::DatedAhead => "dated_ahead",
            Self::OnHold => "on_hold",
            Self::NoDevice => "no_device",
            Self::NoLink => "no_link",
            Self::UnknownDossier => "unknown_dossier",
            Self::SameDossier => "same_dossier",
            Self::PartiesDisagree => "parties_disagree",
            Self::SuspectedDuplicate => "suspected_duplicate",
            Self::Format => "format",
            Self::NoPlace => "no_place",
            Self::NotAnInvoice => "not_an_invoice",
            Self::SenderDisagrees => "sender_disagrees",
            Self::CodeUnclear => "code_unclear",
            Self::FlowUnknown => "flow_unknown",
        }
    }
}

impl FromStr for HeldReason {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "manual" => Ok(Self::Manual),
            "due" => Ok(Self::Due),
            "approval" => Ok(Self::Approval),
            "draft" => Ok(Self::Draft),
            "before_start" => Ok(Self::BeforeStart),
            "dated_ahead" => Ok(Self::DatedAhead),
            "on_hold" => Ok(Self::OnHold),
            "no_device" => Ok(Self::NoDevice),
            "no_link" => Ok(Self::NoLink),
            "unknown_dossier" => Ok(Self::UnknownDossier),
            "same_dossier" => Ok(Self::SameDossier),
            "parties_disagree" => Ok(Self::PartiesDisagree),
            "suspected_duplicate" => Ok(Self::SuspectedDuplicate),
            "format" => Ok(Self::Format),
            "no_place" => Ok(Self::NoPlace),
            "not_an_invoice" => Ok(Self::NotAnInvoice),
            "sender_disagrees" => Ok(Self::SenderDisagrees),
            "code_unclear" => Ok(Self::CodeUnclear),
            "flow_unknown" => Ok(Self::FlowUnknown),
            other => Err(UnknownWord::new(
                other,
                "manual, due, approval, draft, before_start, dated_ahead, on_hold, no_device, no_link, unknown_dossier, same_dossier, parties_disagree, suspected_duplicate, format, no_place, not_an_invoice, sender_disagrees, code_unclear, flow_unknown",
            )),
        }
    }
}
