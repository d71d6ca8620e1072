//! How is a document sent by hand, sent again, or taken back?

use clap::builder::NonEmptyStringValueParser;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use super::call::{Call, find_device, find_link};
use super::documents::PAGE_ROWS;
use super::dossier::named;
use super::gone::missing;
use super::link::receiver;
use super::select::{select, several, versions};
use super::{Error, Exit, print};
use crate::app::House;
use crate::catalog::{Delivery, DeliveryRow, Firm};
use crate::model::{
    DeliveryId, DeviceId, DossierId, HeldReason, Language, LinkId, State, with_causes,
};
use crate::sending::Expected;
use crate::{sending, text};

/// The arguments of `send`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["what", "dossier", "all", "since", "until"]))]
pub(super) struct Send {
    /// Of which firm.
    firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    what: Vec<String>,
    /// All that waits of this dossier (our own id: `dossier:2`).
    #[arg(long)]
    dossier: Option<String>,
    /// All that waits.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    period: Period,
    /// To this device, whatever its link says.
    #[arg(long)]
    device: Option<String>,
}

/// The arguments of `resend`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["what", "dossier", "since", "until"]))]
pub(super) struct Resend {
    /// Of which firm.
    firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    what: Vec<String>,
    /// All of this dossier (our own id: `dossier:2`).
    #[arg(long)]
    dossier: Option<String>,
    #[command(flatten)]
    period: Period,
    /// Of a dossier or a period: what was `collected` (or processed), what `waiting` is offered still, or `all`.
    #[arg(long, value_enum, default_value = "collected")]
    only: Only,
    /// Why, for those who read the history.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    /// Also what was withdrawn because a newer document took its place.
    #[arg(long)]
    replaced: bool,
    /// Through this link of its dossier, where its own was removed: by its code, as `expertm/KORENAAR`, or by its id.
    #[arg(long)]
    link: Option<String>,
}

/// The arguments of `replace`.
#[derive(Debug, clap::Args)]
pub(super) struct Replace {
    /// Of which firm.
    firm: String,
    /// Which newer documents: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    #[arg(required = true)]
    what: Vec<String>,
    /// To this device, whatever its link says.
    #[arg(long)]
    device: Option<String>,
}

/// The arguments of `withdraw`.
#[derive(Debug, clap::Args)]
pub(super) struct Withdraw {
    /// Of which firm.
    firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    #[arg(required = true)]
    what: Vec<String>,
    /// Why, for those who read the history.
    #[arg(long, default_value = "withdrawn by hand")]
    reason: String,
}

/// The dates of documents between which all are meant.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct Period {
    /// All of this date or later (the document's own, or else that of its arrival): `2026-01-01`.
    #[arg(long, value_name = "DATE")]
    since: Option<Date>,
    /// All of this date or earlier.
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
}

impl Period {
    fn is_given(self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    fn holds(self, row: &DeliveryRow, zone: &TimeZone) -> bool {
        let issued = row.issued.as_deref().and_then(|date| date.parse().ok());
        let date: Date = issued.unwrap_or_else(|| row.created_at.date_in(zone));
        self.since.is_none_or(|since| date >= since) && self.until.is_none_or(|until| date <= until)
    }
}

/// Which of many deliveries are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Only {
    /// Those that were collected or processed.
    Collected,
    /// Those that are offered still.
    Waiting,
    /// Both.
    All,
}

/// What is done with a delivery.
enum Deed<'a> {
    Send(Option<DeviceId>),
    Replace(Option<DeviceId>),
    Resend(&'a Resend, Option<LinkId>),
    Withdraw(&'a str),
}

impl Deed<'_> {
    fn participle(&self) -> &'static str {
        match self {
            Self::Send(_) | Self::Replace(_) => "sent",
            Self::Resend(..) => "resent",
            Self::Withdraw(_) => "withdrawn",
        }
    }

    /// Whether it can be done to a delivery that stands so.
    fn suits(&self, delivery: &Delivery) -> bool {
        let state = delivery.state;
        match self {
            Self::Send(_) => state == State::Held,
            Self::Replace(_) => state == State::Held && delivery.duplicate_of.is_some(),
            Self::Resend(..) => state != State::Held,
            Self::Withdraw(_) => matches!(state, State::Held | State::Offered),
        }
    }

    /// Whether it is done to many at once, where nobody looks at each.
    fn suits_unseen(&self, row: &DeliveryRow, in_use: &[DeviceId]) -> bool {
        let delivery = &row.delivery;
        let is_stranded = || delivery.device.is_none_or(|id| !in_use.contains(&id));
        match (self, delivery.state) {
            (Self::Send(_), State::Held) => matches!(
                delivery.reason,
                Some(
                    HeldReason::Manual
                        | HeldReason::Due
                        | HeldReason::BeforeStart
                        | HeldReason::DatedAhead
                        | HeldReason::NoDevice
                        | HeldReason::NoPlace
                )
            ),
            (Self::Resend(args, _), State::Collected | State::Processed) => {
                args.only != Only::Waiting
            }
            // It would wait for ever at a device that was removed.
            (Self::Resend(args, _), State::Offered) => {
                args.only != Only::Collected || is_stranded()
            }
            (Self::Resend(args, _), State::Withdrawn) => {
                args.replaced && delivery.replaced_by.is_some()
            }
            _ => false,
        }
    }
}

/// Returns the device that was named, if one was.
async fn asked(house: &House, firm: &Firm, name: Option<&str>) -> Result<Option<DeviceId>, Error> {
    let Some(name) = name else { return Ok(None) };
    Ok(Some(receiver(find_device(house, firm, name).await?)?.id))
}

/// Sends what is held.
pub(super) async fn send(call: &Call, args: &Send) -> Result<Exit, Error> {
    let (house, firm) = call.firm(&args.firm).await?;
    let device = asked(&house, &firm, args.device.as_deref()).await?;
    let mut hands = Hands::new(call, house, firm, Deed::Send(device));
    if args.all {
        hands.take_all(None, Period::default()).await?;
    }
    hands
        .take(args.dossier.as_deref(), args.period, &args.what)
        .await
}

/// Sends once more what was sent.
pub(super) async fn resend(call: &Call, args: &Resend) -> Result<Exit, Error> {
    let (house, firm) = call.firm(&args.firm).await?;
    let link = match &args.link {
        Some(named) => Some(find_link(&house.catalog.links(firm.id).await?, named)?.id),
        None => None,
    };
    let mut hands = Hands::new(call, house, firm, Deed::Resend(args, link));
    hands
        .take(args.dossier.as_deref(), args.period, &args.what)
        .await
}

/// Puts what looks like an earlier document in the place of that.
pub(super) async fn replace(call: &Call, args: &Replace) -> Result<Exit, Error> {
    let (house, firm) = call.firm(&args.firm).await?;
    let device = asked(&house, &firm, args.device.as_deref()).await?;
    let mut hands = Hands::new(call, house, firm, Deed::Replace(device));
    hands.take(None, Period::default(), &args.what).await
}

/// Takes back what nobody has collected.
pub(super) async fn withdraw(call: &Call, args: &Withdraw) -> Result<Exit, Error> {
    let (house, firm) = call.firm(&args.firm).await?;
    let mut hands = Hands::new(call, house, firm, Deed::Withdraw(&args.reason));
    hands.take(None, Period::default(), &args.what).await
}

/// Does one deed to many deliveries, and says of each what happened.
struct Hands<'a> {
    json: bool,
    house: House,
    firm: Firm,
    deed: Deed<'a>,
    refused: usize,
    told: usize,
}

impl<'a> Hands<'a> {
    fn new(call: &Call, house: House, firm: Firm, deed: Deed<'a>) -> Self {
        Self {
            json: call.json,
            house,
            firm,
            deed,
            refused: 0,
            told: 0,
        }
    }

    async fn take(
        &mut self,
        dossier: Option<&str>,
        period: Period,
        what: &[String],
    ) -> Result<Exit, Error> {
        let id = match dossier {
            Some(dossier) => Some(named(&self.house, self.firm.id, dossier).await?.id),
            None => None,
        };
        if id.is_some() || period.is_given() {
            self.take_all(id, period).await?;
        }
        for what in what {
            if let Err(error) = self.take_one(what).await {
                self.refuse(what, &with_causes(&error))?;
            }
        }
        if self.told == 0 && !self.json {
            print::note(&format!(
                "there was nothing to be {}",
                self.deed.participle()
            ));
        }
        Ok(Exit::failed_if(self.refused > 0))
    }

    async fn take_one(&mut self, what: &str) -> Result<(), Error> {
        let mut found = select(&self.house, &self.firm, what).await?;
        if found.is_empty() {
            return Err(missing(&self.house, &self.firm, what).await);
        }
        if found.iter().all(|one| one.deliveries.is_empty()) {
            return Err(Error::Refused(
                "it is in quarantine, and has no delivery: `sluis explain` says why".to_owned(),
            ));
        }
        versions(what, &found)?;
        let mut suited: Vec<_> = found
            .iter()
            .map(|one| self.suited(&one.deliveries))
            .collect();
        if suited.iter().filter(|rows| !rows.is_empty()).count() > 1 {
            found.retain(|one| !self.suited(&one.deliveries).is_empty());
            return Err(several(what, &found));
        }
        // Of two that look alike, the number does not say which is meant: that decision takes a digest.
        let looks_alike =
            |row: &DeliveryRow| row.delivery.reason == Some(HeldReason::SuspectedDuplicate);
        let sends = matches!(self.deed, Deed::Send(_));
        if sends && found.len() > 1 && suited.iter().flatten().any(looks_alike) {
            return Err(several(what, &found));
        }
        for rows in &mut suited {
            self.leave_withdrawn(rows)?;
        }
        if suited.iter().all(Vec::is_empty) {
            // Nothing suits: let the house say why, of each that is current.
            suited = found.into_iter().map(|one| one.deliveries).collect();
        }
        for row in suited.iter().flatten().filter(|row| {
            row.delivery.is_current || suited.iter().map(Vec::len).sum::<usize>() == 1
        }) {
            self.act(row).await?;
        }
        Ok(())
    }

    /// What a person took back stays so, where something else of the same document is sent again.
    fn leave_withdrawn(&mut self, rows: &mut Vec<DeliveryRow>) -> Result<(), Error> {
        let Deed::Resend(args, _) = self.deed else {
            return Ok(());
        };
        let is_withdrawn = |row: &DeliveryRow| {
            let is_asked = args.replaced && row.delivery.replaced_by.is_some();
            row.delivery.state == State::Withdrawn && !is_asked
        };
        if rows.iter().all(is_withdrawn) {
            return Ok(());
        }
        let (left, sent): (Vec<_>, Vec<_>) = rows.drain(..).partition(is_withdrawn);
        *rows = sent;
        left.iter().try_for_each(|row| self.leave(row))
    }

    fn suited(&self, rows: &[DeliveryRow]) -> Vec<DeliveryRow> {
        let suits = |row: &&DeliveryRow| {
            row.delivery.is_current && !row.delivery.is_moved && self.deed.suits(&row.delivery)
        };
        rows.iter().filter(suits).cloned().collect()
    }

    /// Takes whatever it is safe to take without looking, and says what was left.
    async fn take_all(&mut self, dossier: Option<DossierId>, period: Period) -> Result<(), Error> {
        let (firm, mut after) = (self.firm.id, 0);
        // What is sent again comes after all that was there, and would be taken again, without end.
        let last_before = self.house.catalog.last_delivery(firm).await?;
        let devices = self.house.catalog.devices(firm).await?;
        let in_use: Vec<_> = devices.iter().map(|device| device.id).collect();
        loop {
            let rows = self
                .house
                .catalog
                .delivery_rows(firm, after, PAGE_ROWS)
                .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.delivery.id.0;
            for row in &rows {
                if row.delivery.id > last_before {
                    return Ok(());
                }
                let is_of_it = dossier.is_none() || row.delivery.dossier == dossier;
                if !is_of_it
                    || !period.holds(row, self.house.places.zone())
                    || !row.delivery.is_current
                    || row.delivery.is_moved
                {
                    continue;
                }
                if self.deed.suits_unseen(row, &in_use) {
                    self.act(row).await?;
                } else if self.deed.suits(&row.delivery) {
                    self.leave(row)?;
                }
            }
        }
    }

    async fn act(&mut self, row: &DeliveryRow) -> Result<(), Error> {
        let (firm, id, now) = (self.firm.id, row.delivery.id, self.house.clock.read());
        if matches!(self.deed, Deed::Resend(..)) && !row.delivery.is_current {
            let last = self.now(row).await?;
            if last != id {
                self.refused += 1;
                let why = format!("it was sent again since, as d{last}: name that one");
                return self.tell(row, "refused", (id, None), Some(&why));
            }
        }
        let sending = &self.house.sending;
        let done = match self.deed {
            Deed::Send(device) => {
                let expected = row.delivery.reason.map_or(Expected::Any, Expected::Held);
                let sent = sending.send_as(firm, id, expected, device, now).await;
                sent.map(Some)
            }
            Deed::Replace(device) => sending.replace(firm, id, device, now).await.map(Some),
            Deed::Resend(args, link) => {
                let is_replaced = row.delivery.replaced_by.is_some();
                let expected = if args.replaced && is_replaced {
                    Expected::Replaced
                } else {
                    Expected::In(row.delivery.state)
                };
                let why = &args.reason;
                let sending = sending.resend_through(firm, id, expected, link, why, now);
                sending.await.map(Some)
            }
            Deed::Withdraw(reason) => sending.withdraw(firm, id, reason, now).await.map(|()| None),
        };
        match done {
            Ok(offer) => {
                let path = offer.map(|offer| format!("{}/{}", offer.folder, offer.name));
                let id = self.now(row).await?;
                self.tell(row, self.deed.participle(), (id, path.as_deref()), None)
            }
            Err(sending::Error::Catalog(error)) => Err(error.into()),
            Err(refused) => {
                self.refused += 1;
                self.tell(row, "refused", (id, None), Some(&with_causes(&refused)))
            }
        }
    }

    /// Returns the delivery that stands in the place of `row` now: another, once it was sent again.
    async fn now(&self, row: &DeliveryRow) -> Result<DeliveryId, Error> {
        let old = &row.delivery;
        let catalog = &self.house.catalog;
        let all = catalog.deliveries_of(self.firm.id, old.document).await?;
        let same = |new: &&Delivery| new.is_current && (new.link, new.flow) == (old.link, old.flow);
        // It may have gone again through another link than the one that was removed.
        let next = |new: &&Delivery| {
            new.is_current
                && new.generation > old.generation
                && (new.dossier, new.flow) == (old.dossier, old.flow)
        };
        let found = all.iter().rfind(same).or_else(|| all.iter().rfind(next));
        Ok(found.map_or(old.id, |new| new.id))
    }

    fn leave(&mut self, row: &DeliveryRow) -> Result<(), Error> {
        let id = row.delivery.id;
        let why = match (row.delivery.state, row.delivery.reason) {
            (State::Held, Some(reason)) => text::held(Language::En, reason).what.to_owned(),
            (State::Withdrawn, _) if row.delivery.replaced_by.is_some() => {
                "a newer document took its place; `--replaced` sends it all the same".to_owned()
            }
            (State::Withdrawn, _) => {
                format!("it was withdrawn; naming it as d{id} sends it all the same")
            }
            (State::Collected | State::Processed, _) => {
                "it was collected; `--only collected` or `--only all` sends it again".to_owned()
            }
            _ => "it still waits for its device".to_owned(),
        };
        self.tell(row, "left", (id, None), Some(&why))
    }

    fn tell(
        &mut self,
        row: &DeliveryRow,
        result: &str,
        (id, path): (DeliveryId, Option<&str>),
        why: Option<&str>,
    ) -> Result<(), Error> {
        self.told += 1;
        if self.json {
            return print::json(&json!({
                "firm": self.firm.slug.as_str(), "delivery": id, "number": row.number,
                "result": result, "path": path, "reason": why,
            }));
        }
        let number = row.number.as_deref().unwrap_or("(no number)");
        let rest = why.or(path).unwrap_or_default();
        print::line(format!("{result}  d{id}  {number}  {rest}").trim_end())
    }

    fn refuse(&mut self, what: &str, why: &str) -> Result<(), Error> {
        self.refused += 1;
        self.told += 1;
        if self.json {
            return print::json(&json!({
                "firm": self.firm.slug.as_str(), "delivery": null, "number": what,
                "result": "refused", "path": null, "reason": why,
            }));
        }
        print::line(&format!("refused  `{what}`: {why}"))
    }
}
