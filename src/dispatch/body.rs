//! What is a receiver told of an event?
//!
//! Numbers, digests, places and words; no content of a document, no party's name, and not what a person wrote for the
//! history. The body of an
//! event is the same however often it is sent: only what never changes any more stands in it.

use serde_json::{Value, json};

use crate::alarm::Told;
use crate::catalog::{Event, EventRow, Letter, Webhook};
use crate::evidence::replay::REPLACED;
use crate::model::{EventKind, FirmId, HeldReason, Kind, Timestamp, WebhookId};

/// How many digits of an event's hash stand in its id.
const HASH_DIGITS: usize = 12;

/// Returns by what a receiver knows a repetition.
///
/// The number alone would not do: after a power cut, or from a backup, another event may get a number that
/// was told. Its hash in the chain is another.
pub(super) fn event_id(firm: FirmId, row: &EventRow) -> String {
    let hash = row.hash.get(..HASH_DIGITS).unwrap_or(&row.hash);
    format!("evt_{firm}_{}_{hash}", row.seq)
}

/// Returns what is told of an event.
pub(super) fn event_body(webhook: &Webhook, letter: &Letter) -> String {
    let (row, event) = (&letter.row, &letter.row.event);
    // What happens to the setup is told in words that name people's books.
    let alarm = alarm(event);
    let is_told = event.document.is_some() || alarm.is_some();
    let detail = own_words(event).filter(|_| is_told);
    let document = event.document.map(|id| {
        let facts = letter.document.as_ref();
        json!({
            "id": id,
            "sha256": facts.map(|facts| facts.digest.to_string()),
            "number": facts.and_then(|facts| facts.number.as_deref()),
            "kind": facts.and_then(|facts| facts.kind).map(Kind::as_str),
        })
    });
    let device = event
        .device
        .map(|id| json!({ "id": id, "name": letter.device_name }));
    let mut told = json!({
        "id": event_id(webhook.firm, row),
        "type": event.kind.as_str(),
        "timestamp": row.at.to_string(),
        "data": {
            "firm": webhook.firm_slug,
            "seq": row.seq,
            "document": document,
            "delivery": delivery(letter),
            "device": device,
            "session": event.session,
            "detail": detail,
        },
    });
    if let Some(alarm) = alarm {
        told["data"]["alarm"] = alarm;
    }
    told.to_string()
}

/// What an alarm tells, and since when its reason lasts.
fn alarm(event: &Event) -> Option<Value> {
    let is_alarm = matches!(event.kind, EventKind::AlarmRaised | EventKind::AlarmCleared);
    let told = Told::parse(&event.detail).filter(|_| is_alarm)?;
    Some(json!({ "kind": told.kind.as_str(), "since": told.since.to_string() }))
}

/// Returns what this program itself says of an event. What a person wrote for the history, and what quotes the
/// document, is for those who may read that.
fn own_words(event: &Event) -> Option<&str> {
    let detail = event.detail.as_str();
    match event.kind {
        EventKind::Quarantined
        | EventKind::Resent
        | EventKind::Moved
        | EventKind::LegalHoldPlaced
        | EventKind::LegalHoldReleased => None,
        EventKind::Held => match detail.split_once(": ") {
            Some((why, _)) if why == HeldReason::OnHold.as_str() => Some(why),
            _ => Some(detail),
        },
        // A newer document takes its place, or a person said why.
        EventKind::Withdrawn => {
            let newer = detail.strip_prefix(REPLACED)?;
            newer.parse::<i64>().is_ok().then_some(detail)
        }
        _ => Some(detail),
    }
}

fn delivery(letter: &Letter) -> Option<Value> {
    let event = &letter.row.event;
    let (id, facts) = (event.delivery?, letter.delivery.as_ref());
    // What waits may get another dossier, and gets its place later.
    let may_change = matches!(event.kind, EventKind::Held | EventKind::Released);
    let settled = facts.filter(|_| !may_change);
    let file = settled.and_then(|facts| facts.offer.as_ref());
    Some(json!({
        "id": id,
        "generation": facts.map(|facts| facts.generation),
        "dossier": settled.and_then(|facts| facts.dossier),
        "folder": file.map(|offer| offer.folder.as_str()),
        "file": file.map(|offer| offer.name.as_str()),
    }))
}

/// Returns by what a receiver knows a test.
pub(super) fn ping_id(webhook: WebhookId, now: Timestamp) -> String {
    format!("ping_{webhook}_{}", now.0)
}

/// Returns what is told in a test.
pub(super) fn ping_body(webhook: &Webhook, now: Timestamp) -> String {
    let told = json!({
        "id": ping_id(webhook.id, now),
        "type": "ping",
        "timestamp": now.to_string(),
        "data": { "firm": webhook.firm_slug, "webhook": webhook.id },
    });
    told.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EventSeq;

    #[test]
    fn what_a_person_wrote_and_what_quotes_a_document_is_not_told() {
        let told = [
            (EventKind::Kept, "invoice F-1 from F-1.xml", true),
            (
                EventKind::Quarantined,
                "F-1.xml: `Zilverspar` is no date",
                false,
            ),
            (EventKind::Held, "no_link", true),
            (
                EventKind::Held,
                "suspected_duplicate: like document 3",
                true,
            ),
            (EventKind::Withdrawn, "replaced by document 17", true),
            (
                EventKind::Withdrawn,
                "replaced by document of Zilverspar",
                false,
            ),
            (EventKind::Withdrawn, "asked for by Zilverspar", false),
            (EventKind::Withdrawn, "moved: Zilverspar's", false),
            (
                EventKind::Resent,
                "generation 2 after delivery 1: Zilverspar",
                false,
            ),
            (
                EventKind::Moved,
                "to dossier 2 as sale: Zilverspar's",
                false,
            ),
            (
                EventKind::LegalHoldPlaced,
                "hold 1 on everything, by A: court",
                false,
            ),
            (EventKind::LegalHoldReleased, "hold 1, by A: over", false),
        ];
        for (kind, detail, is_told) in told {
            let event = Event::new(kind, detail);
            assert_eq!(own_words(&event), is_told.then_some(detail));
        }
        let held = Event::new(EventKind::Held, "on_hold: Zilverspar disputes it");
        assert_eq!(own_words(&held), Some("on_hold"));
    }

    #[test]
    fn two_events_that_had_the_same_number_have_two_ids() {
        let id = |seq: i64, hash: &str| {
            let row = EventRow {
                seq: EventSeq(seq),
                at: Timestamp(0),
                event: Event::new(EventKind::Kept, ""),
                hash: hash.to_owned(),
            };
            event_id(FirmId(1), &row)
        };

        let before = id(7, "0123456789abcdef");
        assert_eq!(before, "evt_1_7_0123456789ab");
        assert_eq!(id(7, "0123456789abcdef"), before);
        assert_ne!(id(7, "fedcba9876543210"), before, "after a power cut");
    }
}
