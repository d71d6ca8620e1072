//! What has happened to a document and its deliveries, told in order?

use jiff::tz::TimeZone;

use super::Error;
use super::deliveries::path;
use super::events::{Devices, name};
use super::explain::Said;
use crate::app::House;
use crate::catalog::{Delivery, DeliveryRow, Device, DocumentRow, EventRow, Firm, LegalHold};
use crate::evidence::replay::Resent;
use crate::ingest::named::Named;
use crate::ingest::route::{Match, Routing, Rule, Stranger};
use crate::layout::AfterCollected;
use crate::model::{
    DeviceKind, DocumentId, EventKind, Flow, Identifier, Language, PartyId, PartyIdSource, State,
    Timestamp,
};
use crate::retention::HoldOn;
use crate::text::{self, Leaves, Path, Sentence, Twin};
use crate::ubl::Party;

/// What a story is told from.
pub(super) struct Telling<'a> {
    pub(super) house: &'a House,
    pub(super) firm: &'a Firm,
    pub(super) language: Language,
    zone: &'a TimeZone,
    events: Vec<EventRow>,
    devices: Vec<Device>,
    names: Box<Devices>,
    holds: Vec<LegalHold>,
}

impl<'a> Telling<'a> {
    /// Gathers what is known about a document.
    pub(super) async fn begin(
        house: &'a House,
        firm: &'a Firm,
        document: DocumentId,
        language: Language,
        zone: &'a TimeZone,
    ) -> Result<Self, Error> {
        Ok(Self {
            house,
            firm,
            language,
            zone,
            events: house.catalog.events_of(firm.id, document).await?,
            devices: house.catalog.devices(firm.id).await?,
            names: house.catalog.device_names(firm.id).await?.into(),
            holds: house.catalog.legal_holds(firm.id).await?,
        })
    }

    fn say(&self, story: &mut Vec<Said>, sentence: &Sentence<'_>) {
        story.push((sentence.word(), text::say(self.language, sentence)));
    }

    fn say_twin(&self, story: &mut Vec<Said>, said: &Twin<'_>) {
        story.push((said.word(), text::twin(self.language, said)));
    }

    /// An instant as the clock on the office's wall showed it.
    pub(super) fn at(&self, at: Timestamp) -> String {
        at.local(self.zone)
    }

    /// Says which legal holds lie on one of these.
    fn held_by(&self, story: &mut Vec<Said>, lies_on: impl Fn(HoldOn) -> bool) {
        for own in self.holds.iter().filter(|own| lies_on(own.hold.on)) {
            let (at, reason) = (self.at(own.placed_at), own.reason.as_str());
            self.say(story, &Sentence::LegalHold { at: &at, reason });
        }
    }

    /// Returns the last event of this kind about a delivery.
    fn last(&self, row: &DeliveryRow, kind: EventKind) -> Option<&EventRow> {
        let about = |event: &&EventRow| {
            event.event.kind == kind && event.event.delivery == Some(row.delivery.id)
        };
        self.events.iter().rfind(about)
    }
}

/// Tells how a document came, and what it is.
pub(super) fn document_story(telling: &Telling<'_>, document: &DocumentRow) -> Vec<Said> {
    let mut story = Vec::new();
    let (door, file) = source(&document.source);
    let at = telling.at(document.received_at);
    telling.say(
        &mut story,
        &Sentence::Received {
            at: &at,
            door,
            file,
        },
    );
    for row in telling
        .events
        .iter()
        .filter(|row| row.event.kind == EventKind::Recognised)
    {
        let (door, file) = source(&row.event.detail);
        telling.say(
            &mut story,
            &Sentence::ReceivedAgain {
                at: &telling.at(row.at),
                door,
                file,
            },
        );
    }
    telling.held_by(&mut story, |on| {
        on == HoldOn::Firm || on == HoldOn::Document(document.id)
    });
    let reading = &document.reading;
    let amount = reading.amount();
    if document.outcome == "quarantined" {
        let why = document.reason.as_deref().unwrap_or("?");
        let remarks = &reading.remarks;
        telling.say(&mut story, &Sentence::Quarantined { why, remarks });
        return story;
    }
    let (seller, buyer) = (party(&reading.seller), party(&reading.buyer));
    let parties = reading.seller != Party::default() || reading.buyer != Party::default();
    let read = Sentence::Read {
        kind: reading.kind,
        self_billed: reading.self_billed,
        number: reading.number.as_deref(),
        issued: reading.issued.as_deref(),
        amount: amount.as_deref(),
        parties: parties.then_some((seller.as_str(), buyer.as_str())),
    };
    telling.say(&mut story, &read);
    let accounts = reading.accounts.as_deref().unwrap_or_default().join(", ");
    if !accounts.is_empty() {
        telling.say(&mut story, &Sentence::Accounts(&accounts));
    }
    // Where nothing was cut out of it, the envelope itself is the content.
    if reading.sbdh.is_some() && document.content != document.digest {
        telling.say(&mut story, &Sentence::Unwrapped);
    }
    for remark in &reading.remarks {
        telling.say(
            &mut story,
            &Sentence::Remark(remark.text.trim_end_matches('.')),
        );
    }
    story
}

/// Tells why a delivery goes where it goes, and how far it has come.
pub(super) async fn delivery_story(
    telling: &Telling<'_>,
    row: &DeliveryRow,
) -> Result<Vec<Said>, Error> {
    let mut story = Vec::new();
    let delivery = &row.delivery;
    routed(telling, row, &mut story);
    telling.held_by(
        &mut story,
        |on| matches!(on, HoldOn::Dossier(id) if Some(id) == delivery.dossier),
    );
    resent(telling, row, &mut story);
    if let Some(of) = delivery.revision_of {
        telling.say_twin(&mut story, &Twin::RevisionOf(of));
    }
    waits(telling, delivery, &mut story);
    let device = name(&telling.names, delivery.device).unwrap_or("?");
    if let (Some(at), Some(path)) = (row.offered_at, path(row)) {
        let (at, path) = (telling.at(at), Path(&path));
        telling.say(
            &mut story,
            &Sentence::Offered {
                at: &at,
                device,
                path,
            },
        );
    }
    if delivery.state == State::Offered {
        waiting(telling, row, device, &mut story);
    }
    forgotten(telling, row, &mut story);
    if let Some(at) = row.collected_at {
        let from = from(telling, row).await?;
        telling.say(
            &mut story,
            &Sentence::Collected {
                at: &telling.at(at),
                device,
                from: from.as_deref(),
            },
        );
    }
    if delivery.state == State::Collected && delivery.is_current {
        telling.say(&mut story, &Sentence::Hidden(leaves(telling, row)));
    }
    if let Some(at) = row.processed_at {
        let act = telling
            .last(row, EventKind::Processed)
            .map_or("removed", |told| told.event.detail.as_str());
        telling.say(
            &mut story,
            &Sentence::Processed {
                at: &telling.at(at),
                device,
                act,
            },
        );
    }
    given_away(telling, row, &mut story);
    gone(telling, row, &mut story);
    Ok(story)
}

/// Tells that it is there no longer, and why.
fn gone(telling: &Telling<'_>, row: &DeliveryRow, story: &mut Vec<Said>) {
    if !row.delivery.is_current {
        return telling.say(story, &Sentence::Replaced);
    }
    let Some(at) = row.withdrawn_at.map(|at| telling.at(at)) else {
        return;
    };
    let at = at.as_str();
    if let Some(id) = row.delivery.replaced_by {
        return telling.say_twin(story, &Twin::ReplacedBy { at, id });
    }
    let told = telling.last(row, EventKind::Withdrawn);
    let reason = told
        .map(|told| told.event.detail.as_str())
        .filter(|reason| !reason.is_empty());
    telling.say(story, &Sentence::Withdrawn { at, reason });
}

/// Tells that a person said it is for other books, when it could not be taken back any more.
fn given_away(telling: &Telling<'_>, row: &DeliveryRow, story: &mut Vec<Said>) {
    let has_it = matches!(row.delivery.state, State::Collected | State::Processed);
    if !row.delivery.is_moved || !has_it {
        return;
    }
    if let Some(moved) = telling.last(row, EventKind::Moved) {
        let (at, reason) = (telling.at(moved.at), moved.event.detail.as_str());
        telling.say(story, &Sentence::GivenAway { at: &at, reason });
    }
}

/// Tells that it is a later generation, and why.
fn resent(telling: &Telling<'_>, row: &DeliveryRow, story: &mut Vec<Said>) {
    let Some(resent) = telling.last(row, EventKind::Resent) else {
        return;
    };
    let (at, detail) = (telling.at(resent.at), &resent.event.detail);
    // After which delivery says nothing to a person who sees them all.
    let said = Resent::parse(detail).map(|said| Resent {
        after: None,
        ..said
    });
    let reason = said.map_or_else(|| detail.clone(), |said| said.to_string());
    let reason = reason.as_str();
    telling.say(story, &Sentence::Resent { at: &at, reason });
}

fn routed(telling: &Telling<'_>, row: &DeliveryRow, story: &mut Vec<Said>) {
    let routing: Option<Routing> = serde_json::from_str(&row.delivery.routing).ok();
    let rule = routing.as_ref().map(|routing| routing.rule);
    let named = routing.as_ref().and_then(|routing| routing.named.clone());
    let (matched, against) = routing
        .map(|routing| (routing.matched, routing.against))
        .unwrap_or_default();
    if let Some(Named { code, .. }) = &named {
        telling.say(story, &Sentence::PutInto { code });
    }
    let stood = |source, value: &str| {
        let place = text::place(telling.language, source);
        format!("{place} `{value}`")
    };
    let place = |found: &Match| stood(found.source, &found.value);
    if let (Some(flow), Some(dossier)) = (row.delivery.flow, row.dossier_name.as_deref()) {
        let matched = matched.iter().map(place).collect::<Vec<_>>().join(", ");
        let matched = &matched;
        let sentence = match rule {
            Some(Rule::ByHand) => Sentence::Assigned {
                flow,
                dossier,
                reason: given(telling, row),
            },
            Some(Rule::SenderNamed) => Sentence::RoutedByName { flow, dossier },
            _ => Sentence::Routed {
                flow,
                dossier,
                matched,
            },
        };
        telling.say(story, &sentence);
    } else {
        let whose = |party: &str| party_of(telling.language, party);
        let of = |found: &Match| format!("{}, {}", whose(&found.party), place(found));
        let matched = matched.iter().map(of).collect::<Vec<_>>().join("; ");
        if !matched.is_empty() {
            telling.say(story, &Sentence::Matched(&matched));
        }
        let of = |one: &Stranger| {
            let stood = stood(one.source, Identifier::as_typed(&one.value, &one.key));
            format!("{}, {stood}", whose(&one.party))
        };
        let against = against.iter().map(of).collect::<Vec<_>>().join("; ");
        if !against.is_empty() {
            let told = match rule {
                Some(Rule::NeitherIsOurs) => Sentence::Numbers(&against),
                _ => Sentence::Against(&against),
            };
            telling.say(story, &told);
        }
    }
    if let (Some(profile), Some(code)) = (row.profile.as_deref(), row.code.as_deref()) {
        telling.say(story, &Sentence::Linked { profile, code });
    }
}

/// Why a person gave a document to the books of this delivery, if one did.
fn given<'a>(telling: &'a Telling<'_>, row: &DeliveryRow) -> Option<&'a str> {
    let (dossier, flow) = (row.delivery.dossier?, row.delivery.flow?);
    let to = format!("to dossier {dossier} as {}: ", flow.as_str());
    let moved = telling.events.iter().rev();
    moved
        .filter(|told| told.event.kind == EventKind::Moved)
        .find_map(|told| told.event.detail.strip_prefix(&to))
}

fn party_of(language: Language, party: &str) -> &'static str {
    let flow = if party == "seller" {
        Flow::Sale
    } else {
        Flow::Purchase
    };
    text::party(language, flow)
}

/// What was not sent waits for something, and perhaps until some time.
fn waits(telling: &Telling<'_>, delivery: &Delivery, story: &mut Vec<Said>) {
    if let (State::Held, Some(reason)) = (delivery.state, delivery.reason) {
        telling.say(story, &Sentence::Held(reason));
        if let Some(due) = delivery.due {
            telling.say(story, &Sentence::Until(&telling.at(due)));
        }
        if let Some(note) = &delivery.note {
            telling.say(story, &Sentence::Note(note));
        }
    }
}

/// What has not been collected waits for somebody, or for nobody any more.
fn waiting(telling: &Telling<'_>, row: &DeliveryRow, device: &str, story: &mut Vec<Said>) {
    let in_use = telling
        .devices
        .iter()
        .find(|own| Some(own.id) == row.delivery.device);
    let Some(own) = in_use else {
        return telling.say(story, &Sentence::DeviceGone { device });
    };
    match row.read_at {
        Some(at) => telling.say(
            story,
            &Sentence::ReadOnly {
                at: &telling.at(at),
                device,
            },
        ),
        None => {
            let last_seen = own.last_seen.map(|at| telling.at(at));
            telling.say(
                story,
                &Sentence::Waiting {
                    device,
                    last_seen: last_seen.as_deref(),
                },
            );
        }
    }
}

/// Tells that somebody was told, and that this is over.
fn forgotten(telling: &Telling<'_>, row: &DeliveryRow, story: &mut Vec<Said>) {
    let at = |kind| telling.last(row, kind).map(|told| telling.at(told.at));
    if let Some(raised) = at(EventKind::AlarmRaised) {
        let cleared = at(EventKind::AlarmCleared);
        let cleared = cleared.as_deref();
        let raised = &raised;
        telling.say(story, &Sentence::Alarm { raised, cleared });
    }
}

/// From which address, and with which program, a delivery was collected.
async fn from(telling: &Telling<'_>, row: &DeliveryRow) -> Result<Option<String>, Error> {
    let collected = telling.last(row, EventKind::Collected);
    let Some(session) = collected.and_then(|told| told.event.session) else {
        return Ok(None);
    };
    let session = telling
        .house
        .catalog
        .session(telling.firm.id, session)
        .await?;
    Ok(session.map(|session| format!("{} ({})", session.address, session.software)))
}

fn leaves(telling: &Telling<'_>, row: &DeliveryRow) -> Leaves {
    let kind = telling
        .devices
        .iter()
        .find(|own| Some(own.id) == row.delivery.device)
        .map(|own| own.kind);
    let profile = row
        .profile
        .as_deref()
        .and_then(|id| telling.house.profiles.find(id).ok());
    match (kind, profile.map(|profile| profile.after_collected())) {
        (Some(DeviceKind::Mount), _) | (_, Some(AfterCollected::Removal)) => Leaves::Processed,
        (_, Some(AfterCollected::After(_))) => Leaves::Later,
        _ => Leaves::SessionEnd,
    }
}

/// A source is its door, a colon, and the name it had there.
fn source(source: &str) -> (&str, &str) {
    source.split_once(':').unwrap_or(("", source))
}

/// Its name with a number of its own; where it has no name, any that stands there.
fn party(party: &Party) -> String {
    let own = |id: &&PartyId| matches!(id.source, PartyIdSource::LegalEntity | PartyIdSource::Vat);
    let raw = |id: &PartyId| id.raw.clone();
    let number = party.number().map(ToOwned::to_owned);
    let number = number.or_else(|| party.ids.iter().find(own).map(raw));
    match (party.name.as_deref(), number) {
        (Some(name), Some(number)) => format!("{name} ({number})"),
        (Some(name), None) => name.to_owned(),
        (None, number) => number
            .or_else(|| party.ids.first().map(raw))
            .unwrap_or_else(|| "?".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::plan::tests::party as party_of;

    #[test]
    fn a_party_is_told_with_no_number_of_somebody_else() {
        use PartyIdSource::{Endpoint, LegalEntity, Vat};
        let provider = (Endpoint, "0208:0500453583");
        let told = |ids: &[_]| {
            party(&Party {
                name: Some("Jan".to_owned()),
                ..party_of(ids)
            })
        };

        assert_eq!(told(&[provider]), "Jan");
        assert_eq!(told(&[(Vat, "DE 1234"), provider]), "Jan (DE1234)");
        assert_eq!(told(&[(LegalEntity, "HRB 1"), provider]), "Jan (HRB 1)");
        assert_eq!(party(&party_of(&[provider])), "0208:0500453583");
        assert_eq!(party(&Party::default()), "?");
    }
}
