//! Do the events alone tell where everything stands?

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::evidence::Event;
use crate::model::{DeviceId, Digest};

const DOCUMENT: DocumentId = DocumentId(5);

fn row(seq: i64, delivery: i64, kind: EventKind, detail: &str) -> EventRow {
    EventRow {
        seq: EventSeq(seq),
        at: Timestamp(seq),
        event: Event {
            document: Some(DOCUMENT),
            delivery: Some(DeliveryId(delivery)),
            device: Some(DeviceId(1)),
            ..Event::new(kind, detail)
        },
        hash: String::new(),
    }
}

/// What an event tells, and of which delivery.
type Tells<'a> = (i64, EventKind, &'a str);

fn played(told: &[Tells<'_>]) -> (Replay, Vec<Difference>) {
    let mut replay = Replay::default();
    let rows = (1..)
        .zip(told)
        .map(|(seq, (id, kind, text))| row(seq, *id, *kind, text));
    let faults = rows.filter_map(|row| replay.play(&row).err()).collect();
    (replay, faults)
}

/// Where each delivery stands: its id, state, generation, and a star if it is the last one.
fn shown(replay: &Replay) -> String {
    let line = |(id, standing): (&DeliveryId, &Standing)| {
        let (state, star) = (
            standing.state.as_str(),
            if standing.is_current { "*" } else { "" },
        );
        format!("{id}:{state}{star}#{}", standing.generation)
    };
    replay
        .deliveries
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_table_of_what_events_lead_to() {
    use EventKind::*;
    const F: &str = "/in/F.xml";
    let act = Collecting::by_act("removed", (Digest::of(b"x"), 1), []).detail();
    let act = act.as_str();
    #[rustfmt::skip]
    let table: &[(&[Tells<'_>], &str)] = &[
        (&[(1, Held, "manual")],                                                                  "1:held*#1"),
        (&[(1, Held, "manual"), (1, Released, "manual"), (1, Offered, F)],                        "1:offered*#1"),
        (&[(1, Offered, F), (1, Read, "")],                                                       "1:offered*#1"),
        (&[(1, Offered, F), (1, Collected, "")],                                                  "1:collected*#1"),
        (&[(1, Offered, F), (1, Collected, act), (1, Processed, "removed")],                      "1:processed*#1"),
        (&[(1, Offered, F), (1, Collected, ""), (1, Processed, "moved")],                         "1:processed*#1"),
        (&[(1, Held, "manual"), (1, Withdrawn, "wrong")],                                         "1:withdrawn*#1"),
        (&[(1, Offered, F), (1, Withdrawn, "wrong"), (1, Read, "read whole, but taken back")],    "1:withdrawn*#1"),
        (&[(1, Offered, F), (2, Resent, "generation 2 after d1: x"), (2, Offered, F)],            "1:withdrawn#1 2:offered*#2"),
        (&[(1, Offered, F), (1, Collected, ""), (2, Resent, "generation 2 after d1: x"), (2, Offered, F)], "1:collected#1 2:offered*#2"),
        // All of these are of one document.
        (&[(1, Offered, F), (1, Collected, ""), (9, Expired, "")],                                ""),
        (&[(1, Offered, F), (1, Collected, ""), (2, Resent, "generation 2 after d1: x"), (2, Offered, F), (2, Collected, ""), (9, Expired, "")], ""),
        (&[(1, Held, "manual"), (1, Withdrawn, ""), (9, Expired, ""), (3, Offered, F)],           "3:offered*#1"),
        // As early events said it.
        (&[(1, Offered, F), (2, Resent, "generation 2: x"), (2, Offered, F)],                     "1:withdrawn#1 2:offered*#2"),
        (&[(1, Offered, F), (9, Offered, "/other"), (2, Resent, "generation 2: x"), (2, Offered, F)], "1:withdrawn#1 2:offered*#2 9:offered*#1"),
        (&[(1, Held, "manual"), (1, Withdrawn, ""), (2, Resent, "generation 2: x"), (2, Offered, F)], "1:withdrawn#1 2:offered*#2"),
    ];
    for (told, expected) in table {
        let (replay, faults) = played(told);

        assert_eq!(faults, [], "{told:?}");
        assert_eq!(shown(&replay), *expected, "{told:?}");
    }
}

#[test]
fn what_cannot_have_happened_is_named_and_changes_nothing() {
    use EventKind::*;
    const F: &str = "/in/F.xml";
    #[rustfmt::skip]
    let table: &[(&[Tells<'_>], i64)] = &[
        (&[(1, Collected, "")],                                                         1),
        (&[(1, Held, "manual"), (1, Collected, "")],                                    2),
        (&[(1, Offered, F), (1, Collected, ""), (1, Collected, "")],                    3),
        (&[(1, Offered, F), (1, Collected, ""), (1, Withdrawn, "")],                    3),
        (&[(1, Offered, F), (1, Released, "")],                                         2),
        (&[(1, Held, "manual"), (2, Resent, "generation 2 after d1: x")],               2),
        (&[(2, Resent, "generation 2 after d1: x")],                                    1),
        (&[(1, Offered, F), (1, Resent, "generation 2 after d1: x")],                   2),
        (&[(1, Offered, F), (2, Resent, "again")],                                      2),
        (&[(1, Offered, F), (1, Withdrawn, ""), (1, Offered, F)],                       3),
    ];
    for (told, expected) in table {
        let (replay, faults) = played(told);
        let seqs: Vec<_> = faults
            .iter()
            .map(|fault| match fault {
                Difference::Impossible { seq, .. } => seq.0,
                _ => 0,
            })
            .collect();

        assert_eq!(seqs, [*expected], "{told:?}");
        let before = &told[..usize::try_from(*expected).unwrap() - 1];
        assert_eq!(shown(&replay), shown(&played(before).0), "{told:?}");
    }
}

#[test]
fn each_fact_that_differs_is_named() {
    let told: &[Tells<'_>] = &[
        (1, EventKind::Offered, "/in/F.xml"),
        (1, EventKind::Collected, ""),
    ];
    let as_told = played(told).0.deliveries[&DeliveryId(1)].clone();
    type Change = fn(&mut Standing);
    #[rustfmt::skip]
    let table: &[(Change, &str)] = &[
        (|_| {},                                                          ""),
        (|s| s.state = State::Offered,                                    "state"),
        (|s| s.generation = 2,                                            "generation"),
        (|s| s.is_current = false,                                        "current"),
        (|s| s.document = DocumentId(6),                                  "document"),
        (|s| s.place = Some(Place::new(Some(DeviceId(2)), "/in/F.xml")),  "device"),
        (|s| s.place = Some(Place::new(Some(DeviceId(1)), "/in/G.xml")),  "path"),
        (|s| s.place = None,                                              "device path"),
        (|s| s.created = Timestamp(7),                                    "created_at"),
        (|s| s.offered = None,                                            "offered_at"),
        (|s| s.read = None,                                               "read_at"),
        (|s| s.collected = Some(Timestamp(3)),                            "collected_at"),
        (|s| s.processed = Some(Timestamp(3)),                            "processed_at"),
        (|s| s.withdrawn = Some(Timestamp(3)),                            "withdrawn_at"),
        (|s| s.revision_of = Some(DOCUMENT),                              "revision_of"),
        (|s| s.replaced_by = Some(DOCUMENT),                              "replaced_by"),
        // What it looks like is told of what is held for that alone.
        (|s| s.like = Some(DOCUMENT),                                     ""),
    ];
    for (change, expected) in table {
        let mut found = as_told.clone();
        change(&mut found);
        let compared = played(told).0.compare(DeliveryId(1), &found);

        let words: Vec<_> = compared.differences.iter().map(Difference::word).collect();
        assert_eq!(words.join(" "), *expected);
    }
}

#[test]
fn what_is_told_of_the_documents_beside_it_is_compared() {
    use EventKind::*;
    const F: &str = "/in/F.xml";
    let held = (1, Held, "suspected_duplicate: like document 3");
    let revised = (1, Revised, "revision of document 3");
    let (offered, again) = ((1, Offered, F), (2, Resent, "generation 2 after d1: x"));
    let three = Some(DocumentId(3));
    let marks = |told: &[Tells<'_>], id| {
        let (replay, faults) = played(told);
        assert_eq!(faults, [], "{told:?}");
        let standing = &replay.deliveries[&DeliveryId(id)];
        (standing.like, standing.revision_of, standing.replaced_by)
    };
    #[rustfmt::skip]
    let table: &[(&[Tells<'_>], _)] = &[
        (&[held],                                                  (three, None, None)),
        (&[held, (1, Held, "on_hold: like document 3")],           (None, None, None)),
        (&[held, (1, Released, ""), revised, offered],             (None, three, None)),
        (&[revised, offered],                                      (None, three, None)),
        (&[offered, revised],                                      (None, three, None)),
        (&[offered, (1, Withdrawn, "replaced by document 3")],     (None, None, three)),
        (&[offered, (1, Withdrawn, "by hand: replaced by document 3")], (None, None, None)),
    ];
    for (told, expected) in table {
        assert_eq!(marks(told, 1), *expected, "{told:?}");
    }
    assert_eq!(marks(&[revised, offered, again], 2), (None, three, None));

    let (mut replay, _) = played(&[held]);
    let mut found = replay.deliveries[&DeliveryId(1)].clone();
    found.like = Some(DocumentId(4));
    let compared = replay.compare(DeliveryId(1), &found);
    let words: Vec<_> = compared.differences.iter().map(Difference::word).collect();
    assert_eq!(words, ["duplicate_of"]);
}

#[test]
fn a_delivery_that_only_one_side_knows_is_named() {
    let told: &[Tells<'_>] = &[(1, EventKind::Offered, "/in/F.xml")];
    let (mut replay, _) = played(told);
    let standing = replay.deliveries[&DeliveryId(1)].clone();
    let delivery = DeliveryId(2);

    let untold = replay.compare(delivery, &standing).differences;

    assert_eq!(untold, [Difference::Untold { delivery }]);
    let delivery = DeliveryId(1);
    let left: Vec<_> = replay.left().collect();
    assert_eq!(left, [Difference::Lacking { delivery }]);
}

#[test]
fn an_early_generation_that_could_be_after_two_is_not_judged() {
    use EventKind::*;
    let told: &[Tells<'_>] = &[
        (1, Held, "manual"),
        (1, Withdrawn, ""),
        (2, Held, "manual"),
        (2, Withdrawn, ""),
        (3, Resent, "generation 2: x"),
        (3, Offered, "/in/F.xml"),
    ];
    let (mut replay, faults) = played(told);
    assert_eq!(faults, []);
    let mut found = replay.deliveries[&DeliveryId(2)].clone();
    found.is_current = false;

    let compared = replay.compare(DeliveryId(2), &found);

    assert_eq!(compared.differences, []);
    assert_eq!(compared.unsaid, Some(EventSeq(5)));
}

#[test]
fn what_a_link_held_when_it_was_removed_is_not_judged_where_no_event_told_it() {
    let told: &[Tells<'_>] = &[
        (1, EventKind::Held, "manual"),
        (1, EventKind::LinkRemoved, ""),
    ];
    let (mut early, _) = played(told);
    let mut found = early.deliveries[&DeliveryId(1)].clone();
    found.reason = Some(HeldReason::NoLink);
    let (mut never, _) = played(&told[..1]);

    assert_eq!(early.compare(DeliveryId(1), &found).differences, []);
    assert_eq!(never.compare(DeliveryId(1), &found).differences.len(), 1);
}

#[test]
fn a_difference_past_the_limit_is_counted_and_not_named() {
    let mut found = Differences::default();
    for at in 0..=DIFFERENCES_MAX as i64 {
        let delivery = DeliveryId(at);
        found.add(Difference::Untold { delivery });
    }

    assert_eq!((found.named.len(), found.more), (DIFFERENCES_MAX, 1));
    assert_eq!(found.count(), DIFFERENCES_MAX as u64 + 1);
}

proptest! {
    /// Whatever is told, no delivery leaves the ways of the states: nothing collected is taken back, one
    /// generation at most is current, and playing the same twice gives the same.
    #[test]
    fn a_random_walk_keeps_to_the_ways_of_the_states(
        walk in vec((1i64..5, 0usize..8), 0..60),
    ) {
        use EventKind::*;
        const KINDS: [EventKind; 8] =
            [Held, Released, Offered, Read, Collected, Processed, Withdrawn, Resent];
        let (mut replay, mut again) = (Replay::default(), Replay::default());
        for (seq, (id, kind)) in (1..).zip(walk) {
            let kind = KINDS[kind];
            // The new one is the last, as with a resend of the one before.
            let (id, detail) = match kind {
                Resent => (id + 10 * seq, format!("generation 2 after d{id}: x")),
                Held => (id, "manual".to_owned()),
                _ => (id, format!("/in/{id}.xml")),
            };
            let event = row(seq, id, kind, &detail);
            let before = replay.deliveries.clone();
            let played = replay.play(&event);
            prop_assert_eq!(&played, &again.play(&event));
            if played.is_err() {
                prop_assert_eq!(&replay.deliveries, &before);
            }
            for (id, was) in &before {
                let is = &replay.deliveries[id];
                let is_done = |state| matches!(state, State::Collected | State::Processed);
                prop_assert!(!is_done(was.state) || is_done(is.state));
                prop_assert!(was.is_current || (!is.is_current && was.state == is.state));
                prop_assert!(was.state != State::Withdrawn || is.state == State::Withdrawn);
            }
        }
    }
}

#[test]
fn a_document_that_waits_cannot_have_expired_and_none_is_marked_afterwards() {
    use EventKind::{Collected, Expired, Offered};

    let (_, faults) = played(&[(1, Offered, "/in/F.xml"), (9, Expired, "")]);
    assert!(
        matches!(
            faults[..],
            [Difference::Impossible {
                seq: EventSeq(2),
                delivery: Some(DeliveryId(1)),
                ..
            }]
        ),
        "{faults:?}"
    );

    let after = [
        (1, Offered, "/in/F.xml"),
        (1, Collected, ""),
        (9, Expired, ""),
        (1, Collected, ""),
    ];
    let (_, faults) = played(&after);
    assert!(
        matches!(
            faults[..],
            [Difference::Impossible {
                seq: EventSeq(4),
                ..
            }]
        ),
        "{faults:?}"
    );
}
