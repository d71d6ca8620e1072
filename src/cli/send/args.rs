//! Which documents are meant to be sent, sent again, replaced or taken back?

use clap::builder::NonEmptyStringValueParser;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::catalog::DeliveryRow;

/// The arguments of `send`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["what", "dossier", "all", "since", "until"]))]
pub(in crate::cli) struct Send {
    /// Of which firm.
    pub(super) firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    #[arg(conflicts_with_all = ["dossier", "since", "until"])]
    pub(super) what: Vec<String>,
    /// All that waits of this dossier (our own id: `dossier:2`).
    #[arg(long)]
    pub(super) dossier: Option<String>,
    /// All that waits.
    #[arg(long, conflicts_with_all = ["what", "dossier", "since", "until"])]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) period: Period,
    /// To this device, whatever its link says.
    #[arg(long)]
    pub(super) device: Option<String>,
}

/// The arguments of `resend`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["what", "dossier", "since", "until"]))]
pub(in crate::cli) struct Resend {
    /// Of which firm.
    pub(super) firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    #[arg(conflicts_with_all = ["dossier", "since", "until"])]
    pub(super) what: Vec<String>,
    /// All of this dossier (our own id: `dossier:2`).
    #[arg(long)]
    pub(super) dossier: Option<String>,
    #[command(flatten)]
    pub(super) period: Period,
    /// Of a dossier or a period: what was `collected` (or processed), what `waiting` is offered still, or `all`.
    #[arg(long, value_enum, default_value = "collected")]
    pub(super) only: Only,
    /// Why, for those who read the history.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(super) reason: String,
    /// Also what was withdrawn because a newer document took its place.
    #[arg(long)]
    pub(super) replaced: bool,
    /// Through this link of its dossier, where its own was removed: by its code, as `expertm/KORENAAR`, or by our own id (`link:3`).
    #[arg(long)]
    pub(super) link: Option<String>,
}

/// The arguments of `replace`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Replace {
    /// Of which firm.
    pub(super) firm: String,
    /// Which newer documents: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    #[arg(required = true)]
    pub(super) what: Vec<String>,
    /// In the place of this earlier document only: by digest, delivery or our own id (`document:12`).
    #[arg(long, value_name = "DOCUMENT")]
    pub(super) of: Option<String>,
    /// To this device, whatever its link says.
    #[arg(long)]
    pub(super) device: Option<String>,
}

/// The arguments of `withdraw`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Withdraw {
    /// Of which firm.
    pub(super) firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    #[arg(required = true)]
    pub(super) what: Vec<String>,
    /// Why, for those who read the history.
    #[arg(long, default_value = "withdrawn by hand")]
    pub(super) reason: String,
}

/// The dates of documents between which all are meant.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(in crate::cli) struct Period {
    /// All of this date or later (the document's own, or else that of its arrival): `2026-01-01`.
    #[arg(long, value_name = "DATE")]
    pub(super) since: Option<Date>,
    /// All of this date or earlier.
    #[arg(long, value_name = "DATE")]
    pub(super) until: Option<Date>,
}

impl Period {
    pub(super) fn is_given(self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    pub(super) fn holds(self, row: &DeliveryRow, zone: &TimeZone) -> bool {
        let issued = row.issued.as_deref().and_then(|date| date.parse().ok());
        let date: Date = issued.unwrap_or_else(|| row.created_at.date_in(zone));
        self.since.is_none_or(|since| date >= since) && self.until.is_none_or(|until| date <= until)
    }
}

/// Which of many deliveries are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Only {
    /// Those that were collected or processed.
    Collected,
    /// Those that are offered still.
    Waiting,
    /// Both.
    All,
}
