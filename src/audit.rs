//! Are a firm's events whole, and do they and the tables tell the same?
//!
//! The catalog is read in pages, as it was at one moment, while devices and senders go on. What is concluded
//! from each page is decided in `evidence`.

use std::path::Path;

use crate::catalog::{self, Catalog, Snapshot};
use crate::evidence::chain::{self, Chain, Known, Misfit};
use crate::evidence::replay::{Difference, Differences, Replay};
use crate::model::{DeliveryId, EventSeq, FirmId, with_causes};

/// Rows that are looked at in one go.
const PAGE_ROWS: i64 = 2000;

/// What became of verifying a firm's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The last event that fits, with all before it.
    pub last: EventSeq,
    /// Its hash.
    pub hash: String,
    /// How many were forgotten, for their time was over.
    pub forgotten: u64,
    /// The first that does not, if one does not.
    pub misfit: Option<Misfit>,
}

/// Follows the events of `firm` from the first to the last, where one may be `known` from elsewhere.
///
/// # Errors
///
/// When the catalog does not answer.
pub async fn verify(
    catalog: &Catalog,
    firm: FirmId,
    known: Option<Known>,
) -> Result<Verified, catalog::Error> {
    verify_in(&mut catalog.snapshot().await?, firm, known).await
}

async fn verify_in(
    snapshot: &mut Snapshot,
    firm: FirmId,
    known: Option<Known>,
) -> Result<Verified, catalog::Error> {
    let head = snapshot.last_event(firm).await?;
    let mut chain = Chain::begin(firm, known);
    let misfit = loop {
        let (after, _) = chain.last();
        let rows = snapshot.written(firm, after, PAGE_ROWS).await?;
        if rows.is_empty() {
            break chain.end((head.0, &head.1)).err();
        }
        if let Err(misfit) = rows.iter().try_for_each(|row| chain.take(row)) {
            break Some(misfit);
        }
    };
    let (last, hash) = chain.last();
    Ok(Verified {
        last,
        hash: hash.to_owned(),
        forgotten: chain.forgotten(),
        misfit,
    })
}

/// Looks through a copy of a catalog and follows the events of each of its firms. Returns what is wrong in it,
/// for a person: nothing, where it is sound.
///
/// # Errors
///
/// When it cannot be opened, or does not say which firms there are.
pub async fn faults_of_copy(copy: &Path) -> Result<Vec<String>, catalog::Error> {
    let mut snapshot = Snapshot::of_copy(copy).await?;
    let mut faults = snapshot.faults().await?;
    for (firm, slug) in snapshot.firms().await? {
        match verify_in(&mut snapshot, firm, None).await {
            Ok(verified) => {
                faults.extend(verified.misfit.map(|misfit| format!("{slug}: {misfit}")));
            }
            Err(unreadable) => faults.push(format!("{slug}: {}", with_causes(&unreadable))),
        }
    }
    Ok(faults)
}

/// Says what is wrong with one event of `firm` and with those beside it, if anything is.
///
/// # Errors
///
/// When the catalog does not answer.
pub async fn verify_one(
    catalog: &Catalog,
    firm: FirmId,
    seq: EventSeq,
) -> Result<Option<Misfit>, catalog::Error> {
    let mut snapshot = catalog.snapshot().await?;
    let before = EventSeq((seq.0 - 2).max(0));
    let rows = snapshot.written(firm, before, 3).await?;
    let head = snapshot.last_event(firm).await?;
    Ok(chain::misfit_of(firm, seq, &rows, (head.0, &head.1)))
}

/// What became of playing a firm's events again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many events were played.
    pub events: u64,
    /// How many deliveries were compared.
    pub deliveries: u64,
    /// Of these, how many not in every respect, for early events say too little.
    pub unsaid: u64,
    /// What events and tables do not agree on.
    pub differences: Differences,
}

/// Plays the events of `firm` from the first, and compares where that leaves each delivery with the table.
///
/// # Errors
///
/// When the catalog does not answer.
pub async fn replay(catalog: &Catalog, firm: FirmId) -> Result<Replayed, catalog::Error> {
    let mut snapshot = catalog.snapshot().await?;
    let mut found = Replayed::default();
    let mut replay = Replay::default();
    let mut after = EventSeq(0);
    loop {
        let rows = snapshot.written(firm, after, PAGE_ROWS).await?;
        let Some(last) = rows.last() else { break };
        after = last.seq;
        found.events += rows.len() as u64;
        for row in rows {
            let (seq, kind) = (row.seq, row.kind.clone());
            let unreadable = |_| Difference::Unreadable { seq, kind };
            let played = row
                .read()
                .map_err(unreadable)
                .and_then(|row| replay.play(&row));
            if let Err(difference) = played {
                found.differences.add(difference);
            }
        }
    }
    let mut after = DeliveryId(0);
    loop {
        let rows = snapshot.standings(firm, after, PAGE_ROWS).await?;
        let Some((last, _)) = rows.last() else { break };
        after = *last;
        found.deliveries += rows.len() as u64;
        for (id, standing) in rows {
            let compared = replay.compare(id, &standing);
            found.unsaid += u64::from(compared.unsaid.is_some());
            for difference in compared.differences {
                found.differences.add(difference);
            }
        }
    }
    let up = snapshot.alarms(firm).await?;
    for difference in replay.compare_alarms(&up) {
        found.differences.add(difference);
    }
    for difference in replay.left() {
        found.differences.add(difference);
    }
    Ok(found)
}
