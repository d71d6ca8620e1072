//! How is a document sent by hand, sent again, or taken back?

mod args;

use serde_json::json;

use args::{Only, Period};
pub(super) use args::{Replace, Resend, Send, Withdraw};

use super::call::{Aim, Call, find_device, find_link};
use super::documents::PAGE_ROWS;
use super::dossier::named;
use super::gone::missing;
use super::link::receiver;
use super::select::{select, several, versions};
use super::{Error, Exit, print};
use crate::app::House;
use crate::catalog::{Delivery, DeliveryRow, Firm, Offer};
use crate::model::{
    DeliveryId, DeviceId, DocumentId, DossierId, HeldReason, Language, LinkId, State, with_causes,
};
use crate::sending::{Expected, Replaced};
use crate::{catalog, sending, text};

/// What is done with a delivery.
enum Deed<'a> {
    Send(Option<DeviceId>),
    Replace(Option<DeviceId>, Option<DocumentId>),
    Resend(&'a Resend, Option<LinkId>),
    Withdraw(&'a str),
}

impl Deed<'_> {
    fn participle(&self) -> &'static str {
        match self {
            Self::Send(_) | Self::Replace(..) => "sent",
            Self::Resend(..) => "resent",
            Self::Withdraw(_) => "withdrawn",
        }
    }

    /// Whether it can be done to a delivery that stands so.
    fn suits(&self, delivery: &Delivery) -> bool {
        let state = delivery.state;
        match self {
            Self::Send(_) => state == State::Held,
            Self::Replace(..) => state == State::Held && delivery.duplicate_of.is_some(),
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
        Some(named) => {
            let links = house.catalog.links(firm.id).await?;
            Some(find_link(&links, named, Aim::Change)?.id)
        }
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
    let of = match args.of.as_deref() {
        None => None,
        Some(what) => Some(only_document(&house, &firm, what).await?),
    };
    let mut hands = Hands::new(call, house, firm, Deed::Replace(device, of));
    hands.take(None, Period::default(), &args.what).await
}

/// Returns the one document that is meant.
async fn only_document(house: &House, firm: &Firm, what: &str) -> Result<DocumentId, Error> {
    let found = select(house, firm, what).await?;
    match &found[..] {
        [] => Err(missing(house, firm, what).await),
        [one] => Ok(one.document.id),
        _ => Err(several(what, &found)),
    }
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
            Some(dossier) => {
                let found = named(&self.house, self.firm.id, dossier, Aim::Change);
                Some(found.await?.id)
            }
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
            Deed::Replace(device, of) => match sending.replace(firm, id, (device, of), now).await {
                Ok(replaced) => return self.tell_replaced(row, &replaced).await,
                Err(refused) => Err(refused),
            },
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
                let path = offer.as_ref().map(Offer::path);
                let id = self.now(row).await?;
                self.tell(row, self.deed.participle(), (id, path.as_deref()), None)
            }
            // What somebody else changed meanwhile is a refusal of this one, and ends nothing.
            Err(sending::Error::Catalog(error)) if !matches!(error, catalog::Error::Refused(_)) => {
                Err(error.into())
            }
            Err(refused) => {
                self.refused += 1;
                self.tell(row, "refused", (id, None), Some(&with_causes(&refused)))
            }
        }
    }

    /// Says what was sent, what was taken back for it, and what stays elsewhere.
    async fn tell_replaced(&mut self, row: &DeliveryRow, replaced: &Replaced) -> Result<(), Error> {
        let path = replaced.offer.path();
        self.tell(row, "sent", (row.delivery.id, Some(&path)), None)?;
        let took = format!("document {} takes its place", row.delivery.document);
        let stays = "it was collected there: take it out of those books by hand";
        let withdrawn = replaced
            .withdrawn
            .iter()
            .map(|one| (one, "withdrawn", &took[..]));
        let left = replaced.left.iter().map(|one| (one, "left", stays));
        for (&(id, document), result, why) in withdrawn.chain(left) {
            let rows = self
                .house
                .catalog
                .delivery_rows_of(self.firm.id, document)
                .await?;
            if let Some(of) = rows.iter().find(|of| of.delivery.id == id) {
                let whose = of.dossier_name.as_deref().unwrap_or_default();
                self.tell(of, result, (id, None), Some(&format!("{whose}: {why}")))?;
            }
        }
        Ok(())
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
