//! What does a person decide about a document: that it may go, that it waits, or whose it is?

use std::collections::BTreeSet;

use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

use super::call::{Aim, Call};
use super::deliveries::path;
use super::dossier::named;
use super::gone::missing;
use super::select::{Selected, select, several, versions};
use super::{Error, Exit, print};
use crate::app::House;
use crate::catalog::{Delivery, DeliveryRow, Firm};
use crate::model::{DeliveryId, DocumentId, DossierId, Flow, HeldReason, State, with_causes};
use crate::sending::{self, Destination, Released};

/// The arguments of `approve`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["what", "dossier", "all"]))]
pub(super) struct Approve {
    /// Of which firm.
    firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    what: Vec<String>,
    /// All of this dossier that waits for approval (our own id: `dossier:2`).
    #[arg(long)]
    dossier: Option<String>,
    /// All that waits for approval.
    #[arg(long)]
    all: bool,
}

/// The arguments of `hold`.
#[derive(Debug, clap::Args)]
pub(super) struct Hold {
    /// Of which firm.
    firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    #[arg(required = true)]
    what: Vec<String>,
    /// Why, for those who come across it.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

/// The arguments of `move`.
#[derive(Debug, clap::Args)]
pub(super) struct Move {
    /// Of which firm.
    firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    #[arg(required = true)]
    what: Vec<String>,
    /// To the books of this dossier: by its name, any of its numbers, its code, or our own id (`dossier:2`, never a bare number).
    #[arg(long)]
    dossier: String,
    /// As this flow, where it was neither: purchase or sale.
    #[arg(long = "as", value_name = "FLOW")]
    flow: Option<Flow>,
    /// Why, for those who read the history.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

/// The arguments of `reclassify`.
#[derive(Debug, clap::Args)]
pub(super) struct Reclassify {
    /// Of which firm.
    firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    #[arg(required = true)]
    what: Vec<String>,
    /// As what: purchase or sale.
    #[arg(long = "as", value_name = "FLOW")]
    flow: Flow,
    /// Why, for those who read the history.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

/// Notes that documents may go.
pub(super) async fn approve(call: &Call, args: &Approve) -> Result<Exit, Error> {
    let mut desk = Desk::open(call, &args.firm).await?;
    let dossier = match &args.dossier {
        Some(dossier) => Some(desk.dossier(dossier).await?),
        None => None,
    };
    if args.all || dossier.is_some() {
        let mut waiting = BTreeSet::new();
        for held in desk.house.catalog.held(desk.firm.id).await? {
            let is_asked = dossier.is_none() || held.dossier == dossier;
            if is_asked && held.reason == Some(HeldReason::Approval) {
                waiting.insert(held.document);
            }
        }
        for document in waiting {
            desk.approve(document).await?;
        }
    }
    for what in &args.what {
        match desk.find_standing(what).await {
            Ok(found) => desk.approve(found.document.id).await?,
            Err(error) => desk.refuse(what, &error)?,
        }
    }
    Ok(desk.close("approved"))
}

/// Holds deliveries back.
pub(super) async fn hold(call: &Call, args: &Hold) -> Result<Exit, Error> {
    let mut desk = Desk::open(call, &args.firm).await?;
    for what in &args.what {
        let found = match desk.find_standing(what).await {
            Ok(found) => found,
            Err(error) => {
                desk.refuse(what, &error)?;
                continue;
            }
        };
        let is_held = |row: &&DeliveryRow| row.delivery.state == State::Held;
        let (held, others): (Vec<_>, Vec<_>) = found.deliveries.iter().partition(is_held);
        // Where none is, the house says why of the last.
        let last = others.last().copied().filter(|_| held.is_empty());
        for &row in held.iter().chain(&last) {
            let (id, now) = (row.delivery.id, desk.house.clock.read());
            let held = desk.house.sending.hold(desk.firm.id, id, &args.reason, now);
            desk.tell(row.number.as_deref(), id, "held", held.await.map(|()| 0))?;
        }
        let is_told =
            |row: &DeliveryRow| last.is_some_and(|last| last.delivery.id == row.delivery.id);
        for row in others.into_iter().filter(|row| !is_told(row)) {
            desk.leave(row)?;
        }
    }
    Ok(desk.close("held"))
}

/// Gives documents to other books.
pub(super) async fn move_to(call: &Call, args: &Move) -> Result<Exit, Error> {
    let mut desk = Desk::open(call, &args.firm).await?;
    let dossier = desk.dossier(&args.dossier).await?;
    for what in &args.what {
        let to = |row: &DeliveryRow| Some((dossier, args.flow.or(row.delivery.flow)?));
        desk.send_elsewhere(what, "moved", &args.reason, to).await?;
    }
    Ok(desk.close("moved"))
}

/// Books documents as the other flow.
pub(super) async fn reclassify(call: &Call, args: &Reclassify) -> Result<Exit, Error> {
    let mut desk = Desk::open(call, &args.firm).await?;
    for what in &args.what {
        let to = |row: &DeliveryRow| Some((row.delivery.dossier?, args.flow));
        desk.send_elsewhere(what, "reclassified", &args.reason, to)
            .await?;
    }
    Ok(desk.close("reclassified"))
}

/// What of a document can be given to other books: what stands, or where nothing does what was withdrawn.
fn to_move(deliveries: &[DeliveryRow]) -> Vec<&DeliveryRow> {
    let last = deliveries
        .iter()
        .filter(|row| row.delivery.is_current && !row.delivery.is_moved);
    let (withdrawn, standing): (Vec<_>, Vec<_>) =
        last.partition(|row| row.delivery.state == State::Withdrawn);
    if standing.is_empty() {
        withdrawn
    } else {
        standing
    }
}

/// Whether there is a delivery of it that was not taken back.
fn stands(one: &Selected) -> bool {
    let mut rows = one.deliveries.iter().map(|row| &row.delivery);
    rows.any(|own| own.is_current && own.state != State::Withdrawn)
}

/// Where decisions are taken one after the other, and what became of each is told.
struct Desk {
    json: bool,
    house: House,
    firm: Firm,
    refused: usize,
    told: usize,
}

impl Desk {
    async fn open(call: &Call, firm: &str) -> Result<Self, Error> {
        let (house, firm) = call.firm(firm).await?;
        Ok(Self {
            json: call.json,
            house,
            firm,
            refused: 0,
            told: 0,
        })
    }

    fn close(self, participle: &str) -> Exit {
        if self.told == 0 && !self.json {
            print::note(&format!("there was nothing to be {participle}"));
        }
        Exit::failed_if(self.refused > 0)
    }

    async fn dossier(&self, what: &str) -> Result<DossierId, Error> {
        let found = named(&self.house, self.firm.id, what, Aim::Change);
        Ok(found.await?.id)
    }

    /// Finds the one document that was meant.
    async fn find(&self, what: &str) -> Result<Selected, Error> {
        let found = select(&self.house, &self.firm, what).await?;
        self.only_one(what, found).await
    }

    /// Finds it where what was withdrawn can no longer be meant, while another with its number stands.
    async fn find_standing(&self, what: &str) -> Result<Selected, Error> {
        let mut found = select(&self.house, &self.firm, what).await?;
        versions(what, &found)?;
        if found.iter().any(stands) {
            found.retain(stands);
        }
        self.only_one(what, found).await
    }

    async fn only_one(&self, what: &str, mut found: Vec<Selected>) -> Result<Selected, Error> {
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok(one),
            (Some(one), false) => {
                found.push(one);
                Err(several(what, &found))
            }
            (None, _) => Err(missing(&self.house, &self.firm, what).await),
        }
    }

    async fn approve(&mut self, document: DocumentId) -> Result<(), Error> {
        let (firm, now) = (self.firm.id, self.house.clock.read());
        let before = self.house.catalog.deliveries_of(firm, document).await?;
        let approved = self.house.sending.approve(firm, document, now).await?;
        let number = self.house.catalog.document(firm, document).await?;
        let number = number.reading.number;
        let (result, released) = match approved {
            Some(released) => ("approved", released),
            None => ("approved before", Released::default()),
        };
        // What was approved and could not be sent is tried again by whoever serves.
        self.refused += released.failed.len();
        let why = released.failed.first().map(|one| one.why.as_str());
        self.line(number.as_deref(), None, result, released.sent, why)?;
        self.tell_let_go(document, &before).await
    }

    /// Names what waits no longer as it did before, in whosever books: what is approved is the document.
    async fn tell_let_go(&self, document: DocumentId, before: &[Delivery]) -> Result<(), Error> {
        let catalog = &self.house.catalog;
        for new in catalog.delivery_rows_of(self.firm.id, document).await? {
            let own = &new.delivery;
            let waits_on = |old: &Delivery| (old.state, old.reason) == (own.state, own.reason);
            let old = before.iter().find(|old| old.id == own.id);
            let Some(false) = old.map(waits_on) else {
                continue;
            };
            let (state, path) = (own.state.as_str(), path(&new));
            let reason = own.reason.map(HeldReason::as_str);
            if self.json {
                print::json(&json!({
                    "firm": self.firm.slug.as_str(), "delivery": own.id, "number": new.number,
                    "dossier": new.dossier_name, "result": state, "path": path, "reason": reason,
                }))?;
                continue;
            }
            let whose = new.dossier_name.as_deref().unwrap_or("(no dossier)");
            let place = path.unwrap_or_else(|| format!("{state} {}", reason.unwrap_or_default()));
            print::line(format!("  now d{}  {whose}  {place}", own.id).trim_end())?;
        }
        Ok(())
    }

    /// Moves what was meant; a document that stands in two books must be named by its delivery.
    async fn send_elsewhere(
        &mut self,
        what: &str,
        participle: &str,
        why: &str,
        to: impl Fn(&DeliveryRow) -> Option<(DossierId, Flow)>,
    ) -> Result<(), Error> {
        let found = match self.find(what).await {
            Ok(found) => found,
            Err(error) => return self.refuse(what, &error),
        };
        let rows = to_move(&found.deliveries);
        let books: BTreeSet<_> = rows
            .iter()
            .map(|row| (row.delivery.dossier, row.delivery.flow))
            .collect();
        let row = match (rows.first(), books.len()) {
            (Some(row), 1) => *row,
            (None, _) => {
                let text = "it has no delivery that could be moved: `sluis explain` says what became of it";
                return self.refuse(what, &Error::Refused(text.to_owned()));
            }
            _ => {
                let ids: Vec<_> = rows
                    .iter()
                    .map(|row| format!("d{}", row.delivery.id))
                    .collect();
                let text = format!(
                    "it stands in two books: name the delivery, {}",
                    ids.join(" or ")
                );
                return self.refuse(what, &Error::Refused(text));
            }
        };
        let Some((dossier, flow)) = to(row) else {
            let text = "nobody knows its dossier, or whether it is a purchase or a sale: `sluis move` with `--dossier` and `--as` says both";
            return self.refuse(what, &Error::Refused(text.to_owned()));
        };
        let (id, now) = (row.delivery.id, self.house.clock.read());
        let to = Destination { dossier, flow };
        let moving = self.house.sending.move_to(self.firm.id, id, to, why, now);
        let moved = moving.await;
        for id in moved.iter().flat_map(|moved| &moved.in_books) {
            print::note(&format!(
                "note: d{id} was collected already: take it out of those books by hand"
            ));
        }
        let is_done = moved.is_ok();
        let sent = moved.map(|moved| moved.sent);
        self.tell(row.number.as_deref(), id, participle, sent)?;
        if is_done && !self.json {
            self.tell_where(row, to).await?;
        }
        Ok(())
    }

    /// Names what a person will look for: the deliveries in the other books, and their files.
    async fn tell_where(&self, row: &DeliveryRow, to: Destination) -> Result<(), Error> {
        let catalog = &self.house.catalog;
        let document = row.delivery.document;
        for new in catalog.delivery_rows_of(self.firm.id, document).await? {
            let own = &new.delivery;
            let is_there = (own.dossier, own.flow) == (Some(to.dossier), Some(to.flow));
            if is_there && own.is_current && !own.is_moved {
                let path = path(&new).unwrap_or_else(|| own.state.as_str().to_owned());
                print::line(&format!("  now d{}  {path}", own.id))?;
            }
        }
        Ok(())
    }

    fn tell(
        &mut self,
        number: Option<&str>,
        id: DeliveryId,
        participle: &str,
        done: Result<usize, sending::Error>,
    ) -> Result<(), Error> {
        match done {
            Ok(sent) => self.line(number, Some(id), participle, sent, None),
            Err(sending::Error::Catalog(error)) => Err(error.into()),
            Err(refused) => {
                self.refused += 1;
                self.line(number, Some(id), "refused", 0, Some(&with_causes(&refused)))
            }
        }
    }

    /// Says of what was not held back because it had gone, where it is.
    fn leave(&mut self, row: &DeliveryRow) -> Result<(), Error> {
        let own = &row.delivery;
        let why = match own.state {
            State::Offered if own.is_current => {
                format!(
                    "is offered, and stays so: `sluis withdraw {} d{}` takes it back",
                    self.firm.slug, own.id
                )
            }
            State::Collected | State::Processed if !own.is_moved => {
                "was collected: take it out of those books by hand, if it should not be there"
                    .to_owned()
            }
            _ => return Ok(()),
        };
        let whose = row.dossier_name.as_deref().unwrap_or("nobody's books");
        let why = format!("{whose}: it {why}");
        self.line(row.number.as_deref(), Some(own.id), "left", 0, Some(&why))
    }

    fn refuse(&mut self, what: &str, error: &Error) -> Result<(), Error> {
        self.refused += 1;
        let why = with_causes(error);
        self.line(Some(what), None, "refused", 0, Some(&why))
    }

    fn line(
        &mut self,
        number: Option<&str>,
        id: Option<DeliveryId>,
        result: &str,
        sent: usize,
        why: Option<&str>,
    ) -> Result<(), Error> {
        self.told += 1;
        if self.json {
            return print::json(&json!({
                "firm": self.firm.slug.as_str(), "delivery": id, "number": number,
                "result": result, "sent": sent, "reason": why,
            }));
        }
        let id = id.map_or_else(String::new, |id| format!("d{id}  "));
        let number = number.unwrap_or("(no number)");
        let rest = match (why, sent) {
            (Some(why), _) => format!("  {why}"),
            (None, 0) => String::new(),
            (None, sent) => format!("  sent {sent}"),
        };
        print::line(&format!("{result}  {id}{number}{rest}"))
    }
}
