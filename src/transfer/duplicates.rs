//! May a document take the place of an earlier one that looks the same?
//!
//! Asked of each delivery by itself: of a document that is a sale here and a purchase there, one side may
//! have been collected and the other not. "Earlier" is by arrival; nothing in a document says which of two
//! was written first.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{DeliveryId, DocumentId, DossierId, Flow, HeldReason, LinkId};

/// How many deliveries of earlier documents are weighed. With more, something goes round in circles, and a
/// person must look.
pub const EARLIER_MAX: usize = 128;

/// A delivery of an earlier document that looks the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Which.
    pub delivery: DeliveryId,
    /// Of which document.
    pub document: DocumentId,
    /// For which books.
    pub books: Books,
    /// What has become of it.
    pub stand: Stand,
    /// Whether it looks like a still earlier one, and was sent all the same, neither in its place nor as its revision.
    pub is_beside: bool,
}

/// For whose books a delivery is, as which flow, and through which link, as far as that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Books {
    /// Whose.
    pub dossier: Option<DossierId>,
    /// As which flow.
    pub flow: Option<Flow>,
    /// For which program.
    pub link: Option<LinkId>,
}

/// What has become of an earlier delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// It was not sent, for this reason.
    Held(HeldReason),
    /// It is in a device's folder, and nobody has read any of it.
    Untouched,
    /// It is in a device's folder, and somebody has read of it, or holds it open: nobody knows whether the
    /// importer has it.
    Touched,
    /// It was collected or processed.
    Had,
    /// It was taken back before anybody had it.
    Withdrawn,
    /// A person gave its document to other books.
    Moved,
}

/// What shall become of a delivery that has earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// A person must look.
    Hold,
    /// It follows its link's rule.
    Follow {
        /// These, with their documents, are taken back for it.
        replaces: Vec<(DeliveryId, DocumentId)>,
        /// It is a revision of this document, which was collected.
        revision_of: Option<DocumentId>,
    },
}

/// Decides what becomes of a delivery for `books` that its link's rule would hold for `hold`, if for anything.
///
/// Only what leaves by itself now takes the place of what is sent or would be: a draft, what nobody has
/// approved, or what waits for its hour must not take a good document out of a folder. It does take the place
/// of what waits for the same reason. The rest is judged when it leaves.
pub fn judge(books: Books, hold: Option<HeldReason>, earlier: &[Earlier]) -> Judgement {
    let leaves = hold.is_none();
    let (mut replaces, mut revision_of) = (Vec::new(), None);
    if leaves && (earlier.len() > EARLIER_MAX || are_several(books, earlier)) {
        return Judgement::Hold;
    }
    for rows in by_document(earlier).values() {
        if leaves && is_doubtful(books, rows) {
            return Judgement::Hold;
        }
        let is_had = |row: &&&Earlier| is_same_books(books, row) && row.stand == Stand::Had;
        if leaves && let Some(had) = rows.iter().find(is_had) {
            revision_of = Some(had.document);
        }
        for row in rows.iter().filter(|row| is_here(books, row)) {
            let yields = match row.stand {
                Stand::Held(HeldReason::OnHold) => false,
                Stand::Held(reason) => leaves || hold == Some(reason),
                Stand::Untouched => leaves,
                _ => false,
            };
            if yields {
                replaces.push((row.delivery, row.document));
            }
        }
    }
    Judgement::Follow {
        replaces,
        revision_of,
    }
}

/// Whether several earlier documents stand there, one of which a person has sent beside the others: he said that they
/// are two, and nobody else can say of which a newer one is a version.
pub fn are_several(books: Books, earlier: &[Earlier]) -> bool {
    let stands = standing(books, earlier);
    let is_beside = |row: &Earlier| row.is_beside && is_here(books, row) && !is_gone(row);
    stands.len() > 1 && earlier.iter().any(is_beside)
}

/// Returns the earlier documents that stand where the newer one would be.
pub fn standing(books: Books, earlier: &[Earlier]) -> BTreeSet<DocumentId> {
    let stands = earlier
        .iter()
        .filter(|row| is_here(books, row) && !is_gone(row));
    stands.map(|row| row.document).collect()
}

fn is_gone(row: &Earlier) -> bool {
    matches!(row.stand, Stand::Withdrawn | Stand::Moved)
}

/// Says what becomes of the earlier ones when a person has decided that the newer takes their place: of what
/// is there for the same link, all that was not collected is taken back.
pub fn decided(books: Books, earlier: &[Earlier]) -> Judgement {
    let (mut replaces, mut revision_of) = (Vec::new(), None);
    for row in by_document(earlier).into_values().flatten() {
        let goes = matches!(
            row.stand,
            Stand::Held(_) | Stand::Untouched | Stand::Touched
        );
        if goes && is_here(books, row) {
            replaces.push((row.delivery, row.document));
        } else if is_same_books(books, row) && row.stand == Stand::Had {
            revision_of = Some(row.document);
        }
    }
    Judgement::Follow {
        replaces,
        revision_of,
    }
}

/// Returns the earlier ones that stand where no delivery of the newer document, each for some of `own` books, takes
/// their place.
pub fn elsewhere<'a>(own: &[Books], earlier: &'a [Earlier]) -> Vec<&'a Earlier> {
    let reaches = |books: &Books, row: &Earlier| {
        // What waits for a link may come to have any of its books.
        let is_loose = books.link.is_none() || row.stand == Stand::Had;
        is_here(*books, row) || (is_loose && is_same_books(*books, row))
    };
    let is_left = |row: &&Earlier| !is_gone(row) && !own.iter().any(|books| reaches(books, row));
    earlier.iter().filter(is_left).collect()
}

/// Whether of one earlier document something stands against replacing it without a person.
fn is_doubtful(books: Books, rows: &[&Earlier]) -> bool {
    let own: Vec<_> = rows
        .iter()
        .filter(|row| is_same_books(books, row))
        .collect();
    let stands = |row: &Earlier| !is_gone(row);
    // Somebody took it out of these books, and did not give it back.
    let was_moved =
        own.iter().any(|row| row.stand == Stand::Moved) && !own.iter().any(|row| stands(row));
    // A person holds it, or a program has it in hand.
    let is_in_hand = |row: &&&Earlier| {
        is_here(books, row) && matches!(row.stand, Stand::Touched | Stand::Held(HeldReason::OnHold))
    };
    // The same flow of other books: whose it is has changed.
    let is_elsewhere = own.is_empty()
        && rows
            .iter()
            .any(|row| row.books.dossier.is_some() && row.books.flow == books.flow && stands(row));
    was_moved || rows.iter().any(|row| is_in_hand(&row)) || is_elsewhere
}

fn is_same_books(books: Books, row: &Earlier) -> bool {
    (row.books.dossier, row.books.flow) == (books.dossier, books.flow)
}

/// Whether a delivery is where the newer would be; what waits for books or for a link may come to be there.
fn is_here(books: Books, row: &Earlier) -> bool {
    match row.books {
        Books { dossier: None, .. } => true,
        Books { link: None, .. } => is_same_books(books, row),
        Books { link, .. } => is_same_books(books, row) && link == books.link,
    }
}

/// The rows of each document, by arrival.
fn by_document(earlier: &[Earlier]) -> BTreeMap<DocumentId, Vec<&Earlier>> {
    let mut documents: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in earlier {
        documents.entry(row.document).or_default().push(row);
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Books = Books {
        dossier: Some(DossierId(1)),
        flow: Some(Flow::Purchase),
        link: Some(LinkId(1)),
    };
    const OTHER_PROGRAM: Books = Books {
        link: Some(LinkId(2)),
        ..HERE
    };
    const OTHER_DOSSIER: Books = Books {
        dossier: Some(DossierId(2)),
        link: Some(LinkId(3)),
        ..HERE
    };
    const OTHER_FLOW: Books = Books {
        flow: Some(Flow::Sale),
        ..OTHER_DOSSIER
    };
    const NO_LINK: Books = Books { link: None, ..HERE };
    const NOBODYS: Books = Books {
        dossier: None,
        flow: None,
        link: None,
    };

    /// Earlier deliveries of document 1, then 2, …: each its books and what became of it.
    fn earlier(documents: &[&[(Books, Stand)]]) -> Vec<Earlier> {
        let mut all = Vec::new();
        for (document, rows) in (1..).zip(documents) {
            for (books, stand) in *rows {
                all.push(Earlier {
                    delivery: DeliveryId(10 * (all.len() as i64 + 1)),
                    document: DocumentId(document),
                    books: *books,
                    stand: *stand,
                    is_beside: false,
                });
            }
        }
        all
    }

    fn told(judgement: Judgement) -> String {
        match judgement {
            Judgement::Hold => "hold".to_owned(),
            Judgement::Follow {
                replaces,
                revision_of,
            } => {
                let ids: Vec<_> = replaces.iter().map(|(id, _)| id.to_string()).collect();
                let of = revision_of.map_or(String::new(), |of| format!(" revises {of}"));
                format!("[{}]{of}", ids.join(" "))
            }
        }
    }

    fn judged(documents: &[&[(Books, Stand)]]) -> String {
        told(judge(HERE, None, &earlier(documents)))
    }

    #[test]
    fn each_stand_of_the_first_has_its_answer() {
        use HeldReason::{Approval, Draft, Due, Manual, OnHold, SuspectedDuplicate};
        for (stand, expected) in [
            (Stand::Held(Draft), "[10]"),
            (Stand::Held(Approval), "[10]"),
            (Stand::Held(Manual), "[10]"),
            (Stand::Held(Due), "[10]"),
            (Stand::Held(SuspectedDuplicate), "[10]"),
            (Stand::Held(OnHold), "hold"),
            (Stand::Untouched, "[10]"),
            (Stand::Touched, "hold"),
            (Stand::Had, "[] revises 1"),
            (Stand::Withdrawn, "[]"),
            (Stand::Moved, "hold"),
        ] {
            assert_eq!(judged(&[&[(HERE, stand)]]), expected, "{stand:?}");
        }
        assert_eq!(judged(&[]), "[]");
        assert_eq!(judged(&[&[]]), "[]", "it was quarantined");
    }

    #[test]
    fn each_place_of_the_first_has_its_answer() {
        use Stand::{Had, Moved, Untouched, Withdrawn};
        let unknown = Stand::Held(HeldReason::UnknownDossier);
        let no_link = Stand::Held(HeldReason::NoLink);
        for (rows, expected) in [
            (&[(OTHER_PROGRAM, Untouched)][..], "[]"),
            (&[(OTHER_PROGRAM, Had)], "[] revises 1"),
            (&[(NO_LINK, no_link)], "[10]"),
            (&[(NOBODYS, unknown)], "[10]"),
            (&[(OTHER_DOSSIER, Untouched)], "hold"),
            (&[(OTHER_DOSSIER, Had)], "hold"),
            (&[(OTHER_DOSSIER, Withdrawn)], "[]"),
            (&[(OTHER_FLOW, Had)], "[]"),
            // The other side of the same document.
            (&[(OTHER_FLOW, Had), (HERE, Untouched)], "[20]"),
            (&[(OTHER_FLOW, Untouched), (HERE, Had)], "[] revises 1"),
            // Moved away; moved away and back.
            (&[(HERE, Moved), (OTHER_DOSSIER, Had)], "hold"),
            (&[(HERE, Moved), (HERE, Untouched)], "[20]"),
            // Collected, sent again, and taken back then.
            (&[(HERE, Had), (HERE, Withdrawn)], "[] revises 1"),
            (&[(HERE, Had), (HERE, Untouched)], "[20] revises 1"),
        ] {
            assert_eq!(judged(&[rows]), expected, "{rows:?}");
        }
    }

    #[test]
    fn of_several_earlier_ones_each_counts_and_the_last_collected_is_revised() {
        use Stand::{Had, Touched, Untouched, Withdrawn};
        let suspected = Stand::Held(HeldReason::SuspectedDuplicate);
        let chain = |stands: &[Stand]| {
            let documents: Vec<_> = stands.iter().map(|stand| [(HERE, *stand)]).collect();
            judged(&documents.iter().map(|rows| &rows[..]).collect::<Vec<_>>())
        };

        assert_eq!(chain(&[Withdrawn, Untouched]), "[20]");
        assert_eq!(chain(&[Had, Had]), "[] revises 2");
        assert_eq!(chain(&[Had, Untouched]), "[20] revises 1");
        assert_eq!(chain(&[Untouched, Had]), "[10] revises 2");
        assert_eq!(chain(&[Had, suspected]), "[20] revises 1");
        assert_eq!(
            chain(&[Untouched, Touched]),
            "hold",
            "and nothing is taken back"
        );
    }

    #[test]
    fn of_two_that_a_person_sent_beside_each_other_none_gives_way_by_itself() {
        use Stand::{Had, Held, Moved, Touched, Untouched, Withdrawn};
        let suspected = Held(HeldReason::SuspectedDuplicate);
        #[rustfmt::skip]
        let table = [
            // the first                   the one beside it         are they several?
            ((HERE, Untouched),            (HERE, Untouched),          true),
            ((HERE, Had),                  (HERE, Untouched),          true),
            ((HERE, Untouched),            (HERE, Had),                true),
            ((HERE, Touched),              (HERE, Had),                true),
            ((HERE, suspected),            (HERE, Untouched),          true),
            ((NOBODYS, Held(HeldReason::UnknownDossier)), (HERE, Untouched), true),
            ((HERE, Withdrawn),            (HERE, Untouched),          false),
            ((HERE, Moved),                (HERE, Untouched),          false),
            ((HERE, Untouched),            (HERE, Withdrawn),          false),
            ((OTHER_PROGRAM, Untouched),   (HERE, Untouched),          false),
            ((OTHER_DOSSIER, Untouched),   (HERE, Untouched),          false),
        ];
        for (first, beside, expected) in table {
            let mut both = earlier(&[&[first], &[beside]]);
            assert!(!are_several(HERE, &both), "{first:?} {beside:?}");
            both[1].is_beside = true;
            assert_eq!(are_several(HERE, &both), expected, "{first:?} {beside:?}");
            if expected {
                assert_eq!(told(judge(HERE, None, &both)), "hold");
            }
        }
        let mut alone = earlier(&[&[(HERE, Untouched)]]);
        alone[0].is_beside = true;
        assert_eq!(told(judge(HERE, None, &alone)), "[10]");
    }

    #[test]
    fn what_may_not_leave_takes_the_place_only_of_what_waits_for_the_same() {
        use HeldReason::{Approval, Draft, Due, Manual, NoDevice};
        let reasons = [Approval, Draft, Due, Manual, NoDevice];
        for own in reasons {
            for stand in [Stand::Untouched, Stand::Touched, Stand::Had, Stand::Moved] {
                let judged = judge(HERE, Some(own), &earlier(&[&[(HERE, stand)]]));
                assert_eq!(told(judged), "[]", "{own:?} {stand:?}");
            }
            for other in reasons {
                let waits = earlier(&[&[(HERE, Stand::Held(other))]]);
                let expected = if own == other { "[10]" } else { "[]" };
                assert_eq!(told(judge(HERE, Some(own), &waits)), expected);
            }
        }
    }

    #[test]
    fn a_person_decides_where_we_do_not_but_takes_nothing_back_that_was_collected() {
        let by_hand = |rows: &[(Books, Stand)]| told(decided(HERE, &earlier(&[rows])));

        assert_eq!(by_hand(&[(HERE, Stand::Touched)]), "[10]");
        assert_eq!(by_hand(&[(HERE, Stand::Held(HeldReason::OnHold))]), "[10]");
        assert_eq!(by_hand(&[(HERE, Stand::Had)]), "[] revises 1");
        assert_eq!(by_hand(&[(HERE, Stand::Moved)]), "[]");
        assert_eq!(by_hand(&[(OTHER_DOSSIER, Stand::Untouched)]), "[]");
    }

    #[test]
    fn what_stands_where_the_newer_does_not_come_is_left() {
        use Stand::{Had, Held, Moved, Touched, Untouched, Withdrawn};
        let left = |own: &[Books], row| {
            let earlier = earlier(&[&[row]]);
            let found = elsewhere(own, &earlier);
            found.iter().map(|one| one.delivery.0).collect::<Vec<_>>()
        };

        let no_link = Held(HeldReason::NoLink);
        for books in [OTHER_DOSSIER, OTHER_FLOW, OTHER_PROGRAM] {
            for stand in [Untouched, Touched, no_link] {
                assert_eq!(left(&[HERE], (books, stand)), [10], "{books:?} {stand:?}");
                assert_eq!(left(&[HERE, books], (books, stand)), [0; 0], "{books:?}");
            }
            for stand in [Withdrawn, Moved] {
                assert_eq!(left(&[HERE], (books, stand)), [0; 0], "{books:?} {stand:?}");
            }
        }
        assert_eq!(left(&[HERE], (OTHER_DOSSIER, Had)), [10]);
        assert_eq!(left(&[HERE], (OTHER_PROGRAM, Had)), [0; 0], "a revision");
        assert_eq!(left(&[NO_LINK], (HERE, Untouched)), [0; 0]);
        assert_eq!(left(&[HERE], (NOBODYS, no_link)), [0; 0]);
    }

    #[test]
    fn one_past_the_limit_a_person_must_look() {
        let rows = vec![(HERE, Stand::Withdrawn); EARLIER_MAX + 1];

        assert_eq!(judged(&[&rows[..EARLIER_MAX]]), "[]");
        assert_eq!(judged(&[&rows]), "hold");
    }
}
