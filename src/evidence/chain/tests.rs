//! Is every change of an order of events found?

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::{DeliveryId, DeviceId, DocumentId, SessionId};

const FIRM: FirmId = FirmId(7);

/// An order of so many events, rightly chained.
fn order(count: i64) -> Vec<Written> {
    let mut rows: Vec<Written> = Vec::new();
    for seq in 1..=count {
        let event = Event {
            document: Some(DocumentId(seq / 2)),
            delivery: (seq % 3 > 0).then_some(DeliveryId(seq)),
            device: (seq % 4 > 0).then_some(DeviceId(1)),
            session: (seq % 5 > 0).then_some(SessionId(seq)),
            ..Event::new(EventKind::Offered, format!("/inbox/{seq}.xml"))
        };
        let at = Timestamp(1000 * seq);
        let before = rows.last().map_or("", |row| row.hash.as_str());
        let fields = Fields::of_event(seq, at, &event);
        let hash = hash(before, FIRM, &fields);
        let [document, delivery, device, session] = fields.ids;
        rows.push(Written {
            seq: EventSeq(seq),
            at,
            kind: event.kind.as_str().to_owned(),
            document,
            delivery,
            device,
            session,
            detail: event.detail.clone(),
            hash,
        });
    }
    rows
}

fn verify(rows: &[Written], head: (i64, &str)) -> Result<(), Misfit> {
    verify_knowing(rows, head, None)
}

fn verify_knowing(rows: &[Written], head: (i64, &str), known: Option<Known>) -> Result<(), Misfit> {
    let mut chain = Chain::begin(FIRM, known);
    rows.iter().try_for_each(|row| chain.take(row))?;
    chain.end((EventSeq(head.0), head.1))
}

/// Chains these anew from the event at `from` on, as one does who can write to the database.
fn rewrite(rows: &mut [Written], from: usize) {
    for at in from..rows.len() {
        let before = if at == 0 { "" } else { &rows[at - 1].hash };
        rows[at].hash = hash(before, FIRM, &Fields::of_written(&rows[at]));
    }
}

#[test]
fn the_table_of_what_does_not_fit() {
    type Change = fn(&mut Vec<Written>);
    const fn seq(at: i64) -> EventSeq {
        EventSeq(at)
    }
    #[rustfmt::skip]
    let table: &[(&str, Change, Result<(), Misfit>)] = &[
        ("untouched",                 |_| {},                                        Ok(())),
        ("a detail changed",          |e| e[2].detail.push('x'),                     Err(Misfit::Changed { seq: seq(3) })),
        ("a kind nobody knows",       |e| e[2].kind = "lost".to_owned(),             Err(Misfit::Changed { seq: seq(3) })),
        ("a time moved",              |e| e[2].at.0 += 1,                            Err(Misfit::Changed { seq: seq(3) })),
        ("a device taken out",        |e| e[2].device = None,                        Err(Misfit::Changed { seq: seq(3) })),
        ("a hash changed",            |e| e[2].hash = "0".repeat(64),                Err(Misfit::Changed { seq: seq(3) })),
        ("changed with a new hash",   |e| { e[2].at.0 += 1; rewrite(&mut e[..3], 2); }, Err(Misfit::Changed { seq: seq(4) })),
        ("the first is gone",         |e| drop(e.remove(0)),                         Err(Misfit::Missing { first: seq(1), last: seq(1) })),
        ("two are gone",              |e| drop(e.drain(2..4)),                       Err(Misfit::Missing { first: seq(3), last: seq(4) })),
        ("the last is gone",          |e| drop(e.pop()),                             Err(Misfit::Missing { first: seq(6), last: seq(6) })),
        ("all are gone",              Vec::clear,                                    Err(Misfit::Missing { first: seq(1), last: seq(6) })),
        ("two stand the other way",   |e| e.swap(4, 5),                              Err(Misfit::Missing { first: seq(5), last: seq(5) })),
        ("two have changed places",   |e| { e.swap(2, 3); e[2].seq = seq(3); e[3].seq = seq(4); }, Err(Misfit::Changed { seq: seq(3) })),
        ("one stands twice",          |e| { let twice = e[3].clone(); e.insert(3, twice); }, Err(Misfit::OutOfOrder { seq: seq(4) })),
        ("one was put in at the end", |e| { let mut more = e[5].clone(); more.seq = seq(7); e.push(more); rewrite(e, 6); }, Err(Misfit::Unknown { seq: seq(7) })),
        ("the last anew",             |e| { e[5].at.0 += 1; rewrite(e, 5); },        Err(Misfit::OtherHead { seq: seq(6) })),
    ];
    for (case, change, expected) in table {
        let mut rows = order(6);
        let head = rows[5].hash.clone();
        change(&mut rows);

        assert_eq!(verify(&rows, (6, &head)), *expected, "{case}");
    }
}

#[test]
fn who_writes_all_of_it_anew_is_found_by_a_hash_that_was_noted() {
    let mut rows = order(6);
    let noted = |rows: &[Written], at: usize| Known {
        seq: rows[at].seq,
        hash: rows[at].hash.clone(),
    };
    let (early, late) = (noted(&rows, 1), noted(&rows, 3));
    rows[2].detail = "/elsewhere".to_owned();
    rewrite(&mut rows, 2);
    let head = rows[5].hash.clone();
    let verify = |known, upto: usize| {
        let head = (rows[upto - 1].seq.0, rows[upto - 1].hash.as_str());
        verify_knowing(&rows[..upto], head, known)
    };

    assert_eq!(verify_knowing(&rows, (6, &head), None), Ok(()));
    assert_eq!(verify(Some(early), 6), Ok(()));
    let seq = late.seq;
    assert_eq!(
        verify(Some(late.clone()), 6),
        Err(Misfit::Rewritten { seq })
    );
    let (first, last) = (EventSeq(4), EventSeq(4));
    let cut = verify(Some(late), 3);
    assert_eq!(cut, Err(Misfit::Missing { first, last }));
}

#[test]
fn a_known_hash_is_typed_as_it_is_shown() {
    let hash = "ab".repeat(32);

    let known: Known = format!("12:{hash}").parse().unwrap();

    assert_eq!((known.seq, known.hash), (EventSeq(12), hash.clone()));
    for wrong in ["12", "12:ab", &format!("0:{hash}"), &format!("x:{hash}")] {
        assert!(wrong.parse::<Known>().is_err(), "{wrong}");
    }
}

#[test]
fn the_hash_is_the_one_that_catalogs_hold() {
    let event = Event {
        document: Some(DocumentId(3)),
        ..Event::new(EventKind::Kept, "invoice F-1 from drop:F-1.xml")
    };

    let hash = hash("ab", FIRM, &Fields::of_event(2, Timestamp(1000), &event));

    // Computed apart from this program; if it ever differs, no event of before verifies any more.
    assert_eq!(
        hash,
        "8e4ccc336d3050d211a3d9f59e86d8707c0a49034591cd1e9353d5980ff652d3"
    );
}

/// A change of one thing: which event, what, and how.
fn change(rows: &mut Vec<Written>, at: usize, what: u8, other: usize, by: i64) {
    let at = at % rows.len();
    let other = other % rows.len();
    match what {
        0 => drop(rows.remove(at)),
        1 => rows.swap(at, other),
        2 => rows.insert(other, rows[at].clone()),
        3 => rows[at].at.0 += by,
        4 => rows[at].kind.push('x'),
        5 => rows[at].document = rows[at].document.map_or(Some(by), |_| None),
        6 => rows[at].delivery = rows[at].delivery.map_or(Some(by), |id| Some(id + by)),
        7 => rows[at].device = rows[at].device.map_or(Some(by), |id| Some(id + by)),
        8 => rows[at].session = rows[at].session.map_or(Some(by), |_| None),
        9 => drop(rows[at].detail.pop()),
        10 => drop(rows[at].hash.pop()),
        11 => rows[at].seq.0 += by,
        12 => rows.truncate(at),
        // The contents of two, with the places they had.
        _ => {
            let (one, two) = (rows[at].seq, rows[other].seq);
            rows.swap(at, other);
            rows[at].seq = one;
            rows[other].seq = two;
        }
    }
}

proptest! {
    #[test]
    fn any_one_change_is_found(
        count in 1i64..30, at in any::<usize>(), what in 0u8..14, other in any::<usize>(), by in 1i64..1000,
    ) {
        let whole = order(count);
        let head = whole.last().map(|row| row.hash.clone()).unwrap_or_default();
        let mut rows = whole.clone();
        change(&mut rows, at, what, other, by);

        let expected = rows == whole;
        let found = verify(&rows, (count, &head));

        prop_assert_eq!(found.is_ok(), expected, "{:?}", found);
        // What stands before the first misfit is untouched.
        if let Err(misfit) = found {
            let before = usize::try_from(misfit.seq().0 - 1).unwrap().saturating_sub(1);
            let upto = before.min(rows.len()).min(whole.len());
            prop_assert_eq!(&rows[..upto], &whole[..upto]);
        }
    }

    #[test]
    fn no_two_events_have_one_hash(texts in vec("[a-c]{0,3}", 4), move_at in 0usize..3) {
        let fields = |kind, detail| Fields { seq: 1, at: Timestamp(1), kind, ids: [None; 4], detail };
        let (kind, detail) = (format!("{}{}", texts[0], texts[1]), texts[2].clone());
        let cut = move_at.min(kind.len());
        let (left, right) = kind.split_at(cut);
        let joined = format!("{right}{detail}");

        let same = (kind.as_str(), detail.as_str()) == (left, joined.as_str());
        let hashes = hash("", FIRM, &fields(&kind, &detail)) == hash("", FIRM, &fields(left, &joined));
        prop_assert_eq!(same, hashes);
    }
}

/// An order of eight events, of which the second and third, of document 1, were forgotten when it was gone.
fn forgotten() -> Vec<Written> {
    let mut rows = order(6);
    let events: Vec<_> = [1, 2]
        .map(|at| (rows[at].seq.0, rows[at].hash.clone()))
        .into();
    add(&mut rows, "expired", "gone");
    add(&mut rows, "forgotten", &Forgotten::of(&events).to_string());
    for at in [1, 2] {
        blank(&mut rows[at]);
    }
    rows
}

/// Tells one more thing of document 1, rightly chained.
fn add(rows: &mut Vec<Written>, kind: &str, detail: &str) {
    let last = rows.last().unwrap().clone();
    let mut row = Written {
        seq: EventSeq(last.seq.0 + 1),
        kind: kind.to_owned(),
        detail: detail.to_owned(),
        document: Some(1),
        delivery: None,
        device: None,
        session: None,
        ..last.clone()
    };
    row.hash = hash(&last.hash, FIRM, &Fields::of_written(&row));
    rows.push(row);
}

fn blank(row: &mut Written) {
    (row.kind, row.detail) = ("blank".to_owned(), String::new());
    (row.document, row.delivery, row.device, row.session) = (None, None, None, None);
}

#[test]
fn what_was_forgotten_is_proven_and_nobody_else_blanks_anything() {
    type Change = fn(&mut Vec<Written>);
    const fn seq(at: i64) -> EventSeq {
        EventSeq(at)
    }
    #[rustfmt::skip]
    let table: &[(&str, Change, Result<(), Misfit>)] = &[
        ("as it was forgotten",           |_| {},                                    Ok(())),
        ("one more blanked",              |e| blank(&mut e[4]),                      Err(Misfit::Blanked { seq: seq(5) })),
        ("the first blanked",             |e| blank(&mut e[0]),                      Err(Misfit::Blanked { seq: seq(1) })),
        ("the telling itself blanked",    |e| blank(&mut e[7]),                      Err(Misfit::Blanked { seq: seq(2) })),
        ("and the document's end",        |e| blank(&mut e[6]),                      Err(Misfit::NotForgotten { seq: seq(8) })),
        ("another hash on a blank one",   |e| e[1].hash = "0".repeat(64),            Err(Misfit::NotForgotten { seq: seq(8) })),
        ("another on the last blank one", |e| e[2].hash = "0".repeat(64),            Err(Misfit::Changed { seq: seq(4) })),
        ("something put into a blank one", |e| e[1].detail = "x".to_owned(),         Err(Misfit::Changed { seq: seq(2) })),
        ("filled in again",               |e| e[1] = order(6)[1].clone(),            Err(Misfit::NotForgotten { seq: seq(8) })),
        ("the telling changed",           |e| e[7].detail = e[7].detail.replace("2-3", "2-4"), Err(Misfit::Changed { seq: seq(8) })),
        ("told once more",                |e| { let said = e[7].detail.clone(); add(e, "forgotten", &said); }, Err(Misfit::NotForgotten { seq: seq(9) })),
        ("told of a document that is here", |e| {
            let events = [(5, e[4].hash.clone())];
            blank(&mut e[4]);
            add(e, "forgotten", &Forgotten::of(&events).to_string());
        }, Err(Misfit::NotForgotten { seq: seq(9) })),
    ];
    for (name, change, expected) in table {
        let mut rows = forgotten();
        change(&mut rows);
        let last = rows.last().unwrap();
        let head = (last.seq.0, last.hash.clone());

        assert_eq!(verify(&rows, (head.0, &head.1)), *expected, "{name}");
    }
}

#[test]
fn one_event_fits_only_with_those_beside_it_or_with_what_its_firm_knows() {
    let rows = order(3);
    let forge = |rows: &[Written], at: usize| {
        let mut forged = rows.to_vec();
        let before = at.checked_sub(1).map_or("", |before| &rows[before].hash);
        forged[at].at = Timestamp(1);
        forged[at].hash = hash(before, FIRM, &Fields::of_written(&forged[at]));
        forged
    };
    let head = (EventSeq(3), &*rows[2].hash);
    let misfit = |rows: &[Written], seq| misfit_of(FIRM, EventSeq(seq), rows, head);
    for (seq, beside) in [(1, 0..2), (2, 0..3), (3, 1..3)] {
        assert_eq!(misfit(&rows[beside], seq), None, "{seq}");
    }

    let changed = |seq| Some(Misfit::Changed { seq: EventSeq(seq) });
    assert_eq!(misfit(&forge(&rows, 0)[..2], 1), changed(2));
    assert_eq!(misfit(&forge(&rows, 1), 2), changed(3));
    let seq = EventSeq(3);
    let last = &forge(&rows, 2)[1..];
    assert_eq!(misfit(last, 3), Some(Misfit::OtherHead { seq }));
    let missing = Misfit::Missing {
        first: seq,
        last: seq,
    };
    assert_eq!(misfit(&rows[..2], 2), Some(missing));
    let unknown = misfit_of(FIRM, EventSeq(3), &rows[1..], (EventSeq(2), &rows[1].hash));
    assert_eq!(unknown, Some(Misfit::Unknown { seq }));

    let mut forgotten = rows.clone();
    let blank = &mut forgotten[2];
    (blank.kind, blank.detail) = (EventKind::Blank.as_str().to_owned(), String::new());
    [blank.document, blank.delivery, blank.device, blank.session] = [None; 4];
    assert_eq!(misfit(&forgotten, 2), None);
}
