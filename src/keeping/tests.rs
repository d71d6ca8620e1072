//! Is a document that arrives while one with the same bytes expires ever lost?
//!
//! Two programs on the same data, step by step, in every order.

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::*;
use crate::ingest::place::Places;
use crate::ingest::{Arrival, Ingest};
use crate::layout::Profiles;
use crate::model::{Language, Retention};

const BEGIN: Timestamp = Timestamp(1_773_475_200_000);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const BYTES: &str = "the same bytes";

/// One program on the data of a folder.
struct Program {
    keeping: Keeping,
    ingest: Ingest,
}

impl Program {
    async fn open(folder: &Path) -> Self {
        let catalog = Catalog::open(&folder.join("catalog.sqlite")).await.unwrap();
        let blobs = Blobs::in_folder(&folder.join("blobs")).unwrap();
        let places = Places::new(Arc::new(Profiles::new([]).unwrap()), TimeZone::UTC);
        let clock = Clock::new(later);
        Self {
            ingest: Ingest::new(catalog.clone(), blobs.clone(), places),
            // What comes here nobody can read.
            keeping: Keeping::new(catalog, blobs, clock).letting_unread_go(),
        }
    }

    /// The firm that keeps for a month, or one beside it that keeps for ever.
    async fn firm(&self, slug: &str, documents: &str) -> FirmId {
        let name = slug.parse().unwrap();
        let adding = self
            .keeping
            .catalog
            .add_firm(&name, "F", Language::Nl, BEGIN);
        let firm = adding.await.unwrap();
        let keep = |text: &str| text.parse().unwrap();
        let keeps = Retention::new(keep("30d"), keep(documents), keep("forever")).unwrap();
        let catalog = &self.keeping.catalog;
        let was = catalog.firm_by_id(firm).await.unwrap();
        catalog.set_retention(&was, &keeps, BEGIN).await.unwrap();
        firm
    }

    async fn take(&self, firm: FirmId, bytes: &str, now: Timestamp) {
        let taken = self.ingest.take(firm, vec![arrival(bytes)], now).await;
        assert_eq!(taken.unwrap().len(), 1);
    }

    async fn is_whole(&self, bytes: &str) -> bool {
        let whole = self.keeping.blobs.whole(Digest::of(bytes.as_bytes())).await;
        whole.is_ok_and(|found| found == bytes)
    }

    async fn is_named(&self, bytes: &str) -> bool {
        let named = self.keeping.catalog.named_blobs().await.unwrap();
        let digest = Digest::of(bytes.as_bytes());
        named.iter().any(|(own, _)| *own == digest)
    }
}

fn later() -> Timestamp {
    BEGIN.plus_ms(31 * DAY_MS)
}

fn arrival(bytes: &str) -> Arrival {
    Arrival::new("test:x", bytes.to_owned())
}

async fn data() -> (TempDir, Program, Program) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("blobs")).unwrap();
    let server = Program::open(folder.path()).await;
    let beside = Program::open(folder.path()).await;
    (folder, server, beside)
}

/// A step of the one who removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Expire,
    Mark,
    Sweep,
    /// Swept, and killed before the commit: the bytes are gone, and the catalog does not know it.
    SweepAndDie,
}

impl Program {
    async fn step(&self, step: Step, firm: FirmId) {
        match step {
            Step::Expire => drop(self.keeping.run_firm(firm).await.unwrap()),
            Step::Mark => {
                let doomed = self.keeping.catalog.doomed_after(None, 99).await.unwrap();
                self.keeping.mark_going(&doomed).await.unwrap();
            }
            Step::Sweep => self.keeping.sweep(&mut Swept::default()).await.unwrap(),
            Step::SweepAndDie => {
                let mut tx = self
                    .keeping
                    .catalog
                    .begin(Durability::PowerCut)
                    .await
                    .unwrap();
                for (digest, _) in tx.take_going().await.unwrap() {
                    self.keeping.blobs.remove(digest).unwrap();
                }
                drop(tx);
            }
        }
    }
}

#[tokio::test]
async fn an_arrival_of_bytes_that_are_just_removed_is_whole_at_whatever_step() {
    use Step::{Expire, Mark, Sweep, SweepAndDie};
    let removals = [
        vec![Expire, Mark, Sweep],
        vec![Expire, Mark, SweepAndDie],
        vec![Expire, Mark, SweepAndDie, Mark, Sweep],
    ];
    let (_folder, server, beside) = data().await;
    let firm = server.firm("old", "30d").await;
    let other = server.firm("other", "forever").await;
    let scene = Scene {
        server,
        beside,
        firm,
        other,
    };
    let mut stories = 0;
    for removal in &removals {
        // Counted, stored and written down before these steps.
        for counted in 0..=removal.len() {
            for stored in counted..=removal.len() {
                for written in stored..=removal.len() {
                    for same_firm in [true, false] {
                        let at = (counted, stored, written);
                        stories += 1;
                        let bytes = format!("bytes {stories}");
                        scene.interleave(removal, at, same_firm, &bytes).await;
                    }
                }
            }
        }
    }
}

struct Scene {
    server: Program,
    beside: Program,
    firm: FirmId,
    other: FirmId,
}

impl Scene {
    async fn interleave(
        &self,
        removal: &[Step],
        (counted, stored, written): (usize, usize, usize),
        same_firm: bool,
        bytes: &str,
    ) {
        let Self { server, beside, .. } = self;
        server.take(self.firm, bytes, BEGIN).await;
        let to = if same_firm { self.firm } else { self.other };
        let (mut sweeps, mut ready) = (None, None);
        for at in 0..=removal.len() {
            if at == counted {
                sweeps = Some(beside.keeping.catalog.sweeps());
            }
            if at == stored {
                let preparing = beside.ingest.prepare(to, arrival(bytes), sweeps.unwrap());
                ready = Some(preparing.await.unwrap());
            }
            if at == written {
                let all = [ready.take().unwrap()];
                // Refused, it is stored anew, as `take` does by itself.
                if beside.ingest.write_all(to, &all, later()).await.is_err() {
                    beside.take(to, bytes, later()).await;
                }
            }
            if let Some(step) = removal.get(at) {
                server.step(*step, self.firm).await;
            }
        }

        let story = format!(
            "{removal:?}: counted {counted}, stored {stored}, written {written}, same firm {same_firm}"
        );
        server.keeping.run_firm(self.firm).await.unwrap();
        server.keeping.sweep_all().await.unwrap();
        assert!(server.is_named(bytes).await, "{story}");
        assert!(server.is_whole(bytes).await, "{story}");
    }
}

#[tokio::test]
async fn what_a_second_firm_names_stays_and_what_nobody_names_goes() {
    let (_folder, server, _beside) = data().await;
    let firm = server.firm("old", "30d").await;
    let other = server.firm("other", "90d").await;
    server.take(firm, BYTES, BEGIN).await;
    server.take(other, BYTES, BEGIN).await;

    let run = server.keeping.run_firm(firm).await.unwrap();
    let swept = server.keeping.sweep_all().await.unwrap();

    assert_eq!((run.expired, swept), (1, 0));
    assert!(server.is_whole(BYTES).await);
    let keep = |text: &str| text.parse().unwrap();
    let keeps = Retention::new(keep("30d"), keep("30d"), keep("30d")).unwrap();
    let catalog = &server.keeping.catalog;
    let was = catalog.firm_by_id(other).await.unwrap();
    catalog.set_retention(&was, &keeps, later()).await.unwrap();
    let run = server.keeping.run_firm(other).await.unwrap();
    let swept = server.keeping.sweep_all().await.unwrap();
    assert_eq!((run.expired, swept), (1, 1));
    assert!(!server.is_whole(BYTES).await);
    assert_eq!(catalog.doomed().await.unwrap(), []);
}

#[tokio::test]
async fn a_page_and_one_more_document_all_go() {
    let (_folder, server, _beside) = data().await;
    let firm = server.firm("old", "30d").await;
    let many = 0..=PAGE_ROWS;
    let arrivals = many.map(|at| Arrival::new("test:x", format!("bytes {at}")));
    let taking = server.ingest.take(firm, arrivals.collect(), BEGIN);
    let count = taking.await.unwrap().len() as u64;

    let run = server.keeping.run_firm(firm).await.unwrap();
    let swept = server.keeping.sweep_all().await.unwrap();

    assert_eq!((run.expired, swept), (count, count));
    assert_eq!(server.keeping.blobs.list().await.unwrap(), (vec![], vec![]));
    assert_eq!(server.keeping.run_firm(firm).await.unwrap(), Run::default());
}

#[tokio::test]
async fn one_that_cannot_be_removed_holds_up_no_other_and_is_tried_again() {
    let (folder, server, _beside) = data().await;
    let firm = server.firm("old", "30d").await;
    for bytes in [BYTES, "others"] {
        server.take(firm, bytes, BEGIN).await;
    }
    let digest = Digest::of(BYTES.as_bytes()).to_string();
    let blob = folder.path().join("blobs").join(&digest[..2]).join(&digest);
    // A folder in its place is no file that can be removed.
    std::fs::remove_file(&blob).unwrap();
    std::fs::create_dir(&blob).unwrap();

    server.keeping.run_firm(firm).await.unwrap();
    assert_eq!(server.keeping.sweep_all().await.unwrap(), 1);

    assert!(!server.is_whole("others").await);
    let left = server.keeping.catalog.doomed().await.unwrap();
    assert_eq!(
        left,
        [(Digest::of(BYTES.as_bytes()), false)],
        "nobody waits for it"
    );
    std::fs::remove_dir(&blob).unwrap();
    assert_eq!(server.keeping.sweep_all().await.unwrap(), 1);
    assert_eq!(server.keeping.catalog.doomed().await.unwrap(), []);
}

#[tokio::test]
async fn a_disk_that_refuses_is_not_asked_for_every_blob() {
    let (folder, server, _beside) = data().await;
    let firm = server.firm("old", "30d").await;
    let arrivals = (0..4 * PAGE_ROWS).map(|at| Arrival::new("test:x", format!("bytes {at}")));
    let taking = server.ingest.take(firm, arrivals.collect(), BEGIN);
    taking.await.unwrap();
    let root = folder.path().join("blobs");
    for (digest, _) in server.keeping.blobs.list().await.unwrap().0 {
        let blob = root.join(blobs::path(digest).as_ref());
        std::fs::remove_file(&blob).unwrap();
        std::fs::create_dir(&blob).unwrap();
    }
    server.keeping.run_firm(firm).await.unwrap();
    let mut swept = Swept::default();

    server.keeping.sweep_pages(&mut swept).await.unwrap();

    assert!(swept.is_over() && swept.failed < PAGE_ROWS as u64);
    let left = server.keeping.catalog.doomed().await.unwrap();
    let waits = left.iter().filter(|(_, is_going)| !is_going);
    assert_eq!(waits.count(), 4 * PAGE_ROWS, "each is tried again");
}

#[tokio::test]
async fn a_legal_hold_that_is_placed_in_the_last_moment_wins() {
    use crate::catalog::NewLegalHold;
    use crate::retention::HoldOn;

    let (_folder, server, beside) = data().await;
    let firm = server.firm("old", "30d").await;
    server.take(firm, BYTES, BEGIN).await;
    let catalog = &server.keeping.catalog;
    let after = (Timestamp(0), DocumentId(0));
    let found = catalog.candidates(firm, later(), after, 9).await.unwrap();
    let ids: Vec<_> = found.iter().map(|one| one.facts.document).collect();
    assert_eq!(ids.len(), 1, "it was found to be old enough");

    let new = NewLegalHold {
        on: HoldOn::Document(ids[0]),
        reason: "a dispute",
        by: "An",
    };
    let placing = beside.keeping.catalog.place_legal_hold(firm, &new, later());
    placing.await.unwrap();
    let mut run = Run::default();
    let expiring = server.keeping.expire(firm, &ids, later(), &mut run);
    expiring.await.unwrap();

    assert_eq!((run.expired, run.held), (0, 1));
    assert!(server.is_named(BYTES).await);
    let gone = NewLegalHold {
        on: HoldOn::Document(DocumentId(99)),
        ..new
    };
    let placing = catalog.place_legal_hold(firm, &gone, later()).await;
    assert!(placing.is_err(), "what is not here cannot be held");
    assert_eq!(catalog.legal_holds(firm).await.unwrap().len(), 1);
}

const ENVELOPE: &str = include_str!("../../tests/fixtures/ubl/sbdh-invoice.xml");

#[tokio::test]
async fn envelopes_around_what_is_here_already_go_when_nobody_sees_their_files() {
    let (_folder, server, _beside) = data().await;
    let firm = server.firm("old", "90d").await;
    let other = server.firm("other", "90d").await;
    let again: Vec<_> = (1..=4)
        .map(|nth| ENVELOPE.to_owned() + &"\n".repeat(nth))
        .collect();
    server.take(firm, ENVELOPE, BEGIN).await;
    for envelope in &again[..3] {
        server.take(firm, envelope, BEGIN).await;
    }
    let day_before = later().plus_ms(-UNNAMED_MS);
    server.take(firm, &again[2], day_before.plus_ms(1)).await;
    server.take(firm, &again[3], day_before).await;
    server.take(other, &again[1], later()).await;

    let swept = server.keeping.sweep_all().await.unwrap();

    assert_eq!(swept, 2);
    assert!(server.is_whole(ENVELOPE).await);
    assert!(!server.is_whole(&again[0]).await);
    assert!(server.is_whole(&again[1]).await, "another firm names it");
    assert!(
        server.is_whole(&again[2]).await,
        "it may be asked for its hash"
    );
    assert!(!server.is_whole(&again[3]).await);
    let named = server.keeping.catalog.named_blobs().await.unwrap();
    for (digest, _) in &named {
        assert!(server.keeping.blobs.whole(*digest).await.is_ok());
    }
    assert_eq!(named.len(), 3, "two envelopes, and what is in both");
}

#[tokio::test]
async fn what_nobody_names_goes_after_a_day_and_an_arrival_of_the_same_bytes_is_whole() {
    let (_folder, server, beside) = data().await;
    let firm = server.firm("old", "forever").await;
    server.take(firm, BYTES, BEGIN).await;
    let stored = server.keeping.blobs.put("left over".into()).await.unwrap();
    let sweeps = beside.keeping.catalog.sweeps();
    let arriving = beside.ingest.prepare(firm, arrival("arriving"), sweeps);
    let arriving = arriving.await.unwrap();
    let named_at = |digest| server.keeping.blobs.named_at(digest).unwrap();
    let last = named_at(Digest::of(b"arriving")).plus_ms(UNNAMED_MS);

    let young = named_at(stored.digest()).plus_ms(UNNAMED_MS);
    assert_eq!(server.keeping.orphans(young).await.unwrap(), []);
    let orphans = server.keeping.orphans(last.plus_ms(1)).await.unwrap();
    assert_eq!(orphans.len(), 2);
    server.keeping.doom(&orphans).await.unwrap();
    assert_eq!(server.keeping.sweep_all().await.unwrap(), 2);

    assert!(!server.is_whole("left over").await);
    let written = beside.ingest.write_all(firm, &[arriving], later()).await;
    assert!(written.is_err(), "its bytes are gone, so it is stored anew");
    beside.take(firm, "arriving", later()).await;
    assert_eq!(
        server.keeping.orphans(last.plus_ms(1)).await.unwrap(),
        [],
        "{BYTES} is named"
    );
    assert!(server.is_whole("arriving").await && server.is_whole(BYTES).await);
}
