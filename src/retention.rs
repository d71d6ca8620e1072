//! Is a document's time over?
//!
//! It is asked twice: to find what may go, and once more while nobody else can write, so that a legal hold
//! that is placed in the last moment wins. What cannot be said for sure stays.

use crate::model::{DocumentId, DossierId, LegalHoldId, Retention, State, Timestamp};

/// What is known of a document when it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Which.
    pub document: DocumentId,
    /// When it arrived, for the last time.
    pub arrived: Timestamp,
    /// Whether it is in quarantine: nobody can read it, so it waits for a person, and not for a device.
    pub is_unread: bool,
    /// How its deliveries stand, all generations among them.
    pub deliveries: Vec<Standing>,
}

/// How a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// In whose books, where that is known.
    pub dossier: Option<DossierId>,
    /// Whether it is the last generation.
    pub is_current: bool,
    /// How far it has come.
    pub state: State,
    /// When it was collected or processed, whichever was later.
    pub done: Option<Timestamp>,
    /// When something last happened to it: made, offered, read, collected, processed or withdrawn.
    pub touched: Timestamp,
}

/// A legal hold that was not released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Which.
    pub id: LegalHoldId,
    /// On what.
    pub on: HoldOn,
}

/// What a legal hold lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldOn {
    /// One document.
    Document(DocumentId),
    /// Every document that was ever for these books.
    Dossier(DossierId),
    /// Everything of the firm.
    Firm,
}

/// By what a firm's documents are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grounds {
    /// For how long the firm keeps things.
    pub keeps: Retention,
    /// Its legal holds.
    pub holds: Vec<Hold>,
    /// When the oldest session began that has not ended.
    pub oldest_session: Option<Timestamp>,
    /// Whether a person lets go of what is in quarantine.
    pub lets_unread_go: bool,
}

/// What becomes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its time is over; something last happened to it at this instant.
    Expires(Timestamp),
    /// It stays.
    Stays(Because),
}

/// Why a document stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Its time is not over.
    Young,
    /// One of its deliveries is held, or offered and not collected.
    Waits,
    /// A legal hold lies on it.
    Held(LegalHoldId),
    /// A session that has not ended may show it.
    InView,
    /// It is in quarantine, and no person has let it go.
    Unread,
}

/// Judges whether a document's time is over at `now`.
pub fn judge(facts: &Facts, grounds: &Grounds, now: Timestamp) -> Verdict {
    let touched = touched(facts);
    let until = grounds.keeps.documents().until(touched);
    if until.is_none_or(|until| until > now) {
        return Verdict::Stays(Because::Young);
    }
    if facts.deliveries.iter().any(waits) {
        return Verdict::Stays(Because::Waits);
    }
    if let Some(hold) = grounds.holds.iter().find(|hold| lies_on(hold, facts)) {
        return Verdict::Stays(Because::Held(hold.id));
    }
    if is_in_view(facts, grounds) {
        return Verdict::Stays(Because::InView);
    }
    if facts.is_unread && !grounds.lets_unread_go {
        return Verdict::Stays(Because::Unread);
    }
    Verdict::Expires(touched)
}

/// Says whether what is known of a document that is gone may be forgotten at `now`. A hold on books or on the
/// firm keeps all of it, for nobody can say any more whose a document was that is gone.
pub fn is_forgotten(touched: Timestamp, grounds: &Grounds, now: Timestamp) -> bool {
    let until = grounds.keeps.events().until(touched);
    until.is_some_and(|until| until <= now) && may_forget(grounds)
}

/// Says whether anything at all may be forgotten.
pub fn may_forget(grounds: &Grounds) -> bool {
    let on_more = |hold: &Hold| !matches!(hold.on, HoldOn::Document(_));
    !grounds.holds.iter().any(on_more)
}

/// When something last happened to a document.
pub fn touched(facts: &Facts) -> Timestamp {
    let touched = facts.deliveries.iter().map(|delivery| delivery.touched);
    touched.fold(facts.arrived, Timestamp::max)
}

fn waits(delivery: &Standing) -> bool {
    delivery.is_current && matches!(delivery.state, State::Held | State::Offered)
}

fn lies_on(hold: &Hold, facts: &Facts) -> bool {
    match hold.on {
        HoldOn::Document(document) => document == facts.document,
        HoldOn::Dossier(dossier) => {
            let of_it = |delivery: &Standing| delivery.dossier == Some(dossier);
            facts.deliveries.iter().any(of_it)
        }
        HoldOn::Firm => true,
    }
}

/// The oldest session sees the most.
fn is_in_view(facts: &Facts, grounds: &Grounds) -> bool {
    let Some(session) = grounds.oldest_session else {
        return false;
    };
    let over = grounds.keeps.in_view().over(session);
    let shows = |done: Timestamp| over.is_none_or(|over| done > over);
    let mut done = facts.deliveries.iter().filter_map(|delivery| delivery.done);
    done.any(shows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Keep;

    const DAY: i64 = 24 * 60 * 60 * 1000;
    const BEGIN: Timestamp = Timestamp(1_773_475_200_000);

    fn day(day: i64) -> Timestamp {
        BEGIN.plus_ms(day * DAY)
    }

    fn keeps(in_view: &str, documents: &str, events: &str) -> Retention {
        let keep = |text: &str| text.parse::<Keep>().unwrap();
        Retention::new(keep(in_view), keep(documents), keep(events)).unwrap()
    }

    fn grounds() -> Grounds {
        Grounds {
            keeps: keeps("10d", "30d", "60d"),
            holds: Vec::new(),
            oldest_session: None,
            lets_unread_go: false,
        }
    }

    fn delivery(state: State, touched: Timestamp) -> Standing {
        let done = matches!(state, State::Collected | State::Processed).then_some(touched);
        Standing {
            dossier: Some(DossierId(3)),
            is_current: true,
            state,
            done,
            touched,
        }
    }

    fn document(deliveries: Vec<Standing>) -> Facts {
        Facts {
            document: DocumentId(7),
            arrived: day(0),
            is_unread: false,
            deliveries,
        }
    }

    #[test]
    fn what_nobody_can_read_goes_when_a_person_lets_it_go_and_not_before_its_time() {
        let unread = Facts {
            is_unread: true,
            ..document(Vec::new())
        };
        let lets_go = Grounds {
            lets_unread_go: true,
            ..grounds()
        };
        let held = Grounds {
            holds: vec![Hold {
                id: LegalHoldId(1),
                on: HoldOn::Firm,
            }],
            ..lets_go.clone()
        };

        for (grounds, now, becomes) in [
            (&grounds(), day(29), Verdict::Stays(Because::Young)),
            (&grounds(), day(31), Verdict::Stays(Because::Unread)),
            (&lets_go, day(29), Verdict::Stays(Because::Young)),
            (
                &held,
                day(31),
                Verdict::Stays(Because::Held(LegalHoldId(1))),
            ),
            (&lets_go, day(31), Verdict::Expires(day(0))),
        ] {
            assert_eq!(judge(&unread, grounds, now), becomes);
        }
    }

    #[test]
    fn the_table_of_what_stays_and_what_goes() {
        use Because::{Held, InView, Waits, Young};
        use State::{Collected, Offered, Processed, Withdrawn};
        use Verdict::{Expires, Stays};
        let old = |delivery: Standing| Standing {
            is_current: false,
            ..delivery
        };
        let hold = |on| Hold {
            id: LegalHoldId(1),
            on,
        };
        let with = |holds: Vec<Hold>, session: Option<i64>| Grounds {
            holds,
            oldest_session: session.map(day),
            ..grounds()
        };
        let free = || with(Vec::new(), None);
        let done = || document(vec![delivery(Collected, day(5))]);
        let held = |on| with(vec![hold(on)], None);
        #[rustfmt::skip]
        let table = [
            ("nothing of it was sent",        document(vec![]),                                   free(), 30, Expires(day(0))),
            ("a day before",                  document(vec![]),                                   free(), 29, Stays(Young)),
            ("collected later",               done(),                                             free(), 34, Stays(Young)),
            ("and long ago",                  done(),                                             free(), 35, Expires(day(5))),
            ("it waits, whatever its age",    document(vec![delivery(Offered, day(0))]),          free(), 9999, Stays(Waits)),
            ("held, whatever its age",        document(vec![delivery(State::Held, day(0))]),      free(), 9999, Stays(Waits)),
            ("one of two waits",              document(vec![delivery(Processed, day(1)), delivery(Offered, day(1))]), free(), 99, Stays(Waits)),
            ("what waited was replaced",      document(vec![old(delivery(Withdrawn, day(1))), delivery(Processed, day(2))]), free(), 32, Expires(day(2))),
            ("taken back",                    document(vec![delivery(Withdrawn, day(9))]),        free(), 39, Expires(day(9))),
            ("a hold on it",                  done(), held(HoldOn::Document(DocumentId(7))),      99, Stays(Held(LegalHoldId(1)))),
            ("a hold on another",             done(), held(HoldOn::Document(DocumentId(8))),      99, Expires(day(5))),
            ("a hold on its books",           done(), held(HoldOn::Dossier(DossierId(3))),        99, Stays(Held(LegalHoldId(1)))),
            ("a hold on other books",         done(), held(HoldOn::Dossier(DossierId(4))),        99, Expires(day(5))),
            ("a hold on the firm",            document(vec![]), held(HoldOn::Firm),               99, Stays(Held(LegalHoldId(1)))),
            ("a session shows it",            done(), with(vec![], Some(14)),                     99, Stays(InView)),
            ("a session began too late",      done(), with(vec![], Some(15)),                     99, Expires(day(5))),
            ("a clock that was set back",     done(),                                             free(), -400, Stays(Young)),
        ];
        for (name, facts, grounds, now, verdict) in table {
            assert_eq!(judge(&facts, &grounds, day(now)), verdict, "{name}");
        }
    }

    #[test]
    fn books_that_were_left_since_hold_it_still() {
        let moved = Standing {
            is_current: false,
            ..delivery(State::Withdrawn, day(1))
        };
        let other = Standing {
            dossier: Some(DossierId(4)),
            ..delivery(State::Processed, day(2))
        };
        let hold = Hold {
            id: LegalHoldId(1),
            on: HoldOn::Dossier(DossierId(3)),
        };
        let grounds = Grounds {
            holds: vec![hold],
            ..grounds()
        };

        let verdict = judge(&document(vec![moved, other]), &grounds, day(99));

        assert_eq!(verdict, Verdict::Stays(Because::Held(LegalHoldId(1))));
    }

    #[test]
    fn what_happened_is_forgotten_later_and_not_under_a_hold_on_more_than_a_document() {
        let with = |on| Grounds {
            holds: vec![Hold {
                id: LegalHoldId(1),
                on,
            }],
            ..grounds()
        };

        assert!(!is_forgotten(day(0), &grounds(), day(59)));
        assert!(is_forgotten(day(0), &grounds(), day(60)));
        assert!(is_forgotten(
            day(0),
            &with(HoldOn::Document(DocumentId(8))),
            day(60)
        ));
        assert!(!is_forgotten(
            day(0),
            &with(HoldOn::Dossier(DossierId(8))),
            day(60)
        ));
        assert!(!is_forgotten(day(0), &with(HoldOn::Firm), day(60)));
    }

    fn state() -> impl Strategy<Value = State> {
        prop_oneof![
            Just(State::Held),
            Just(State::Offered),
            Just(State::Collected),
            Just(State::Processed),
            Just(State::Withdrawn)
        ]
    }

    proptest! {
        #[test]
        fn what_expires_is_over_waits_for_nothing_and_shows_nowhere(
            deliveries in proptest::collection::vec((state(), any::<bool>(), 0_i64..100), 0..5),
            session in proptest::option::of(-50_i64..200),
            now in -50_i64..300,
        ) {
            let standing = |(state, is_current, at): (State, bool, i64)| Standing {
                is_current,
                ..delivery(state, day(at))
            };
            let facts = document(deliveries.into_iter().map(standing).collect());
            let grounds = Grounds { oldest_session: session.map(day), ..grounds() };
            if let Verdict::Expires(touched) = judge(&facts, &grounds, day(now)) {
                prop_assert!(touched.plus_ms(30 * DAY) <= day(now));
                for one in &facts.deliveries {
                    prop_assert!(one.touched <= touched);
                    prop_assert!(!one.is_current || !matches!(one.state, State::Held | State::Offered));
                    if let (Some(done), Some(session)) = (one.done, grounds.oldest_session) {
                        prop_assert!(done.plus_ms(10 * DAY) <= session);
                    }
                }
                // And later it is over still.
                prop_assert_eq!(judge(&facts, &grounds, day(now + 1)), Verdict::Expires(touched));
            }
        }
    }
}
