//! What shall become of an arrival?
//!
//! A [`Plan`] has no choice left in it; `ingest::run` only carries it out.

use std::collections::BTreeMap;

use crate::catalog::Known;
use crate::ingest::named::{Named, route_named};
use crate::ingest::route::{DossierIndex, Route, Routing, may_hold_a_number, route};
use crate::ingest::sameness::doubt_alone;
use crate::layout::is_invisible;
use crate::model::{
    DeliveryId, DeviceId, DocumentId, DossierId, Duplicates, EnterpriseNumber, Flow, HeldReason,
    Kind, LinkId, PartyId, PartyIdSource, Timestamp, belgian_numbers_in,
};
use crate::transfer::{self, Books, Calendar, Judgement, Readiness, Rule};
use crate::ubl::{Party, Reading};

/// What a firm's setup says that matters to an arrival.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Which dossier each identifier belongs to.
    pub dossiers: DossierIndex,
    /// What each dossier is called.
    pub names: BTreeMap<DossierId, String>,
    /// The links in use.
    pub links: Vec<LinkRule>,
    /// The device that gets what no link assigns.
    pub default_device: Option<DeviceId>,
    /// When its night is.
    pub calendar: Calendar,
    /// What becomes of a document that looks like an earlier one.
    pub duplicates: Duplicates,
}

/// What a link says that matters to an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRule {
    /// Which.
    pub id: LinkId,
    /// Of which dossier.
    pub dossier: DossierId,
    /// Where its documents go.
    pub device: Option<DeviceId>,
    /// What it asks first.
    pub rule: Rule,
    /// The folder in `/in` of its code, if it can have one.
    pub folder: Option<String>,
}

/// What shall become of an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It is here already: let go of the source, write nothing.
    Recognise(DocumentId),
    /// Keep it out of every device's sight; the text says why.
    Quarantine(String),
    /// Keep it, with these deliveries: at least one, if only to hold it.
    Keep(Vec<Planned>),
}

/// A delivery to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// To whose books, where known.
    pub dossier: Option<DossierId>,
    /// For which program, where known.
    pub link: Option<LinkId>,
    /// To which device, where known.
    pub device: Option<DeviceId>,
    /// As which journal, where known.
    pub flow: Option<Flow>,
    /// Why it waits; else it is offered, and dossier, link, device and flow are known.
    pub hold: Option<HeldReason>,
    /// When it leaves by itself, where that is known.
    pub due: Option<Timestamp>,
    /// Why it goes there.
    pub routing: Routing,
    /// The first document that its own looks like, if it looks like one.
    pub duplicate_of: Option<DocumentId>,
    /// The document that was collected before, if it is a revision of it.
    pub revision_of: Option<DocumentId>,
    /// What is taken back for it, and the documents of that.
    pub replaces: Vec<(DeliveryId, DocumentId)>,
}

impl Planned {
    /// Returns for whose books it is.
    pub fn books(&self) -> Books {
        Books {
            dossier: self.dossier,
            flow: self.flow,
            link: self.link,
        }
    }
}

/// Decides what becomes of an arrival, from what it says and what is here.
pub fn plan(
    reading: &Reading,
    readiness: &Readiness,
    setup: &Setup,
    known: &Known,
    now: Timestamp,
) -> Plan {
    plan_in(reading, readiness, setup, known, None, now)
}

/// Decides what becomes of an arrival that was put into this folder of `/in`, if into any.
pub fn plan_in(
    reading: &Reading,
    readiness: &Readiness,
    setup: &Setup,
    known: &Known,
    folder: Option<&str>,
    now: Timestamp,
) -> Plan {
    if let Some(copy) = recognised(known) {
        return Plan::Recognise(copy);
    }
    if reading.kind == Kind::Unreadable {
        let why: Vec<_> = reading.remarks.iter().map(ToString::to_string).collect();
        return Plan::Quarantine(why.join("; "));
    }
    let named = folder.map(|folder| Named::read(folder, &setup.links));
    let mut planned = deliveries(reading, readiness, setup, named.as_ref(), now);
    let choice = choice_for(reading, setup.duplicates);
    for delivery in &mut planned {
        suspect(delivery, known, choice);
    }
    Plan::Keep(planned)
}

/// The same bytes, or the same envelope around the same content.
fn recognised(known: &Known) -> Option<DocumentId> {
    let same_envelope = known
        .envelope
        .filter(|(_, same_content)| *same_content)
        .map(|(id, _)| id);
    known.bytes.or(same_envelope)
}

/// Decides what becomes of a delivery whose document looks like an earlier one, if it does: the same business
/// document in other bytes, the same content, or an envelope whose content changed.
///
/// What is delivered of the same content is no newer version, an envelope that is used for something else says
/// nothing, and what is not surely the same seller's and number's may be another document: of these a person decides, whatever the firm has chosen.
pub fn suspect(planned: &mut Planned, known: &Known, choice: Duplicates) {
    let Some(first) = known.first() else {
        return;
    };
    planned.duplicate_of = Some(first);
    // A document without a known place keeps that reason: it is nearer to what must be done first.
    if planned.link.is_none() {
        return;
    }
    let judgement = match choice {
        Duplicates::Replace if known.is_version() && !known.is_doubtful => {
            transfer::judge(planned.books(), planned.hold, &known.earlier)
        }
        Duplicates::Hold | Duplicates::Replace => Judgement::Hold,
    };
    match judgement {
        // A person's word is nearer than a suspicion.
        Judgement::Hold if planned.hold == Some(HeldReason::OnHold) => {}
        Judgement::Hold => {
            planned.hold = Some(HeldReason::SuspectedDuplicate);
            planned.due = None;
        }
        Judgement::Follow {
            replaces,
            revision_of,
        } => (planned.replaces, planned.revision_of) = (replaces, revision_of),
    }
}

/// The deliveries that a document's parties, its sender and the firm's links ask for, duplicates apart.
pub fn deliveries(
    reading: &Reading,
    readiness: &Readiness,
    setup: &Setup,
    named: Option<&Named>,
    now: Timestamp,
) -> Vec<Planned> {
    let waiting = |dossier, flow, reason, routing| Planned {
        dossier,
        link: None,
        device: None,
        flow,
        hold: Some(reason),
        due: None,
        routing,
        duplicate_of: None,
        revision_of: None,
        replaces: Vec::new(),
    };
    let routed = match named {
        Some(named) => route_named(reading, setup, named),
        None => route(reading, &setup.dossiers),
    };
    let routes = match routed {
        Route::To(routes) => routes,
        Route::Hold(reason, routing) => return vec![waiting(None, None, reason, routing)],
    };
    let mut planned = Vec::new();
    for (dossier, flow, routing) in routes {
        let links: Vec<_> = setup
            .links
            .iter()
            .filter(|link| link.dossier == dossier)
            .collect();
        if links.is_empty() {
            planned.push(waiting(
                Some(dossier),
                Some(flow),
                HeldReason::NoLink,
                routing.clone(),
            ));
        }
        planned.extend(
            links
                .iter()
                .map(|link| for_link(link, flow, routing.clone(), readiness, setup, now)),
        );
    }
    planned
}

/// The delivery of a document through one link.
pub fn for_link(
    link: &LinkRule,
    flow: Flow,
    routing: Routing,
    readiness: &Readiness,
    setup: &Setup,
    now: Timestamp,
) -> Planned {
    let device = link.device.or(setup.default_device);
    let planned = transfer::plan(&link.rule, &setup.calendar, device, readiness, now);
    let (hold, due) = match planned {
        transfer::Plan::Send(_) => (None, None),
        transfer::Plan::Until(due) => (Some(HeldReason::Due), Some(due)),
        transfer::Plan::Wait(reason) => (Some(reason), None),
    };
    Planned {
        dossier: Some(link.dossier),
        link: Some(link.id),
        device,
        flow: Some(flow),
        hold,
        due,
        routing,
        duplicate_of: None,
        revision_of: None,
        replaces: Vec::new(),
    }
}

/// Returns the key by which a second copy in another envelope is known: sender and instance.
///
/// The sender stands in it because instance identifiers are unique for their sender only.
pub fn envelope_key(reading: &Reading) -> Option<String> {
    let sbdh = reading.sbdh.as_ref()?;
    let instance = sbdh.instance.as_deref()?;
    Some(format!(
        "{}|{instance}",
        sbdh.sender.as_deref().unwrap_or_default()
    ))
}

/// Returns the key by which a second copy with other bytes is known: seller, number, date and kind; of what the
/// buyer wrote also the buyer, for then the number is one of his.
///
/// None when one of the first four is missing, for then nothing can be said. Numbers are compared without
/// case, spaces and leading zeros, with `/` and all dashes alike, and what is no date as it is written.
pub fn business_key(reading: &Reading) -> Option<String> {
    let number = reading.number.as_deref().map(comparable_number)?;
    let issued = reading.issued.as_ref().or(reading.issued_odd.as_ref())?;
    let seller = party_key(&reading.seller)?;
    let mut key = format!("{seller}|{number}|{issued}|{}", reading.kind.as_str());
    if reading.self_billed {
        let buyer = party_key(&reading.buyer).unwrap_or_default();
        key = format!("{key}|{buyer}");
    }
    Some(key)
}

/// Returns what a firm's choice comes to for one document.
pub fn choice_for(reading: &Reading, choice: Duplicates) -> Duplicates {
    match doubt_alone(reading) {
        Some(_) => Duplicates::Hold,
        None => choice,
    }
}

fn comparable_number(number: &str) -> String {
    let squeezed: String = number
        .chars()
        .filter(|c| !c.is_whitespace() && !is_invisible(*c))
        .flat_map(char::to_uppercase)
        .map(|c| match c {
            // Word processors make a dash of a hyphen.
            '/' | '\u{2010}'..='\u{2014}' | '\u{2212}' => '-',
            other => other,
        })
        .collect();
    let trimmed = squeezed.trim_start_matches('0');
    if trimmed.is_empty() {
        squeezed
    } else {
        trimmed.to_owned()
    }
}

/// A Belgian number before any other, for the same seller may write its legal number today and its VAT number
/// tomorrow, and words around it; abroad, where these are two, the VAT number, which an invoice across a border cannot
/// leave out; an electronic address after both, for it may be somebody else's.
fn party_key(party: &Party) -> Option<String> {
    let find = |counts: fn(&&PartyId) -> bool| party.ids.iter().find(counts);
    let belgian = find(|id| is_registration(id) && is_sure(id) && id.enterprise_digits().is_some());
    let worded = || {
        let mut ids = party.ids.iter().filter(|id| may_hold_a_number(id));
        ids.find_map(|id| belgian_numbers_in(&id.raw).next())
    };
    if let Some(key) = belgian.map(|id| id.key.clone()).or_else(worded) {
        return Some(key);
    }
    let id = find(|id| is_registration(id) && is_sure(id) && id.key.starts_with("vat:"))
        .or_else(|| find(|id| is_registration(id) && is_sure(id)))
        .or_else(|| find(|id| is_sure(id)))
        .or_else(|| find(|id| is_number(&id.key)));
    let named = || Some(format!("name:{}", party.name.as_deref()?.to_lowercase()));
    id.map(|id| id.key.clone()).or_else(named)
}

/// Whether an identifier is a registration of the enterprise itself, with the state or with a tax office.
pub(super) fn is_registration(id: &PartyId) -> bool {
    matches!(id.source, PartyIdSource::LegalEntity | PartyIdSource::Vat)
}

/// Whether an identifier is one enterprise's alone: a sound Belgian number, a VAT number where VAT numbers stand,
/// or a number of a scheme that has a code. What a party is called in somebody's lists is not, nor is what was
/// written because a field wanted something, nor a number that each court or each office counts for itself.
pub(super) fn is_sure(id: &PartyId) -> bool {
    let (scheme, _) = id.key.split_once(':').unwrap_or_default();
    let is_one_registers = match (id.enterprise_digits(), scheme) {
        (Some(digits), _) => digits.parse::<EnterpriseNumber>().is_ok(),
        (None, "0208") => false,
        (None, "vat") => id.source != PartyIdSource::LegalEntity,
        (None, code) => is_coded(code),
    };
    id.source != PartyIdSource::Identification && is_number(&id.key) && is_one_registers
}

/// Whether a scheme is one of the code lists, which have four digits.
pub(super) fn is_coded(scheme: &str) -> bool {
    scheme.len() == 4 && scheme.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether there is more in a key than `NVT` or `000`.
pub(super) fn is_number(key: &str) -> bool {
    let (_, value) = key.split_once(':').unwrap_or_default();
    value.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

#[cfg(test)]
pub(crate) mod tests;
