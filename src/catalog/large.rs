//! How is a folder of many files read, while its first ones are sent already?
//!
//! In parts, all of one snapshot: no file comes twice, and none is missed, whatever is marked meanwhile. Each part is
//! a question that an index answers in its own order, from where the one before ended; so it takes as long as its
//! files, not as all of them, and nothing is sorted. Of each link the order is that in which documents came, of
//! those that wait, and then that in which others were collected or copied.

use std::collections::VecDeque;

use sqlx::query;

use super::rows::Columns as _;
use super::snapshots::Snapshot;
use super::tree::{Since, field};
use super::{Catalog, Error};
use crate::model::{DeviceId, FirmId, Flow, LinkId, Timestamp};

/// A file of a large folder: what a listing says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was offered.
    pub offered_at: Timestamp,
}

/// A folder of many files, as it was when its first part was read.
pub struct LargeFolder {
    catalog: Catalog,
    snapshot: Snapshot,
    firm: FirmId,
    device: DeviceId,
    folder_key: String,
    /// What is still to be read, in order.
    runs: VecDeque<Run>,
}

/// The files of one link that stand behind each other in an index.
#[derive(Debug)]
struct Run {
    question: &'static str,
    of: (LinkId, Flow),
    /// When the last one that was read was collected or copied, if that is what the index is by; and its id.
    after: (i64, i64),
    until: i64,
}

/// Files of a part: four pages of the largest.
pub const PART_FILES: usize = 2_000;

/// A part of a run, one text as any listing. The sign keeps SQLite from going through all files of the firm.
macro_rules! part {
    ($at:literal, $which:literal, $order:literal) => {
        concat!(
            "select string_agg(at || ' ' || id || ' ' || bytes || ' ' || coalesce(offered_at, 0) || ' ' || name, char(10)) as lines
     from (select ", $at, " as at, id, bytes, offered_at, name from delivery
     where +firm_id = $1 and device_id = $2 and folder_key = $3 and current = 1 and link_id = $4 and flow = $5 and ",
            $which,
            " order by ",
            $order,
            " limit $9) as part"
        )
    };
}

pub(super) const OFFERED: &str = part!(
    "0",
    "collected_at is null and state = 'offered' and id > $7",
    "id"
);

pub(super) const COLLECTED: &str = part!(
    "collected_at",
    "collected_at between $6 and $8 and (collected_at > $6 or id > $7) and state = 'collected'",
    "collected_at, id"
);

pub(super) const COPIED: &str = part!(
    "processed_at",
    "act = 'copied' and processed_at between $6 and $8 and (processed_at > $6 or id > $7) and state = 'processed'",
    "processed_at, id"
);

impl Catalog {
    /// Begins to read the inbox folder of `device` with this key, for these links and flows, as it is when its first
    /// files are read.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn large_folder(
        &self,
        firm: FirmId,
        device: DeviceId,
        folder_key: &str,
        of: Vec<((LinkId, Flow), Since)>,
    ) -> Result<LargeFolder, Error> {
        Ok(LargeFolder {
            catalog: self.clone(),
            snapshot: self.snapshot().await?,
            firm,
            device,
            folder_key: folder_key.to_owned(),
            runs: of.into_iter().flat_map(runs).collect(),
        })
    }
}

/// What shows of a link, in the order in which it is read.
fn runs((of, since): ((LinkId, Flow), Since)) -> [Run; 3] {
    let run = |question, since: i64, until: i64| Run {
        question,
        of,
        after: (since, i64::MIN),
        until,
    };
    [
        run(OFFERED, 0, 0),
        run(COLLECTED, since.collected.0, since.collected_until.0),
        run(COPIED, since.copied.0, since.copied_until.0),
    ]
}

impl LargeFolder {
    /// Returns the next files, as many as a part has unless they are the last; none when that was all.
    ///
    /// # Errors
    ///
    /// When the database does not answer; then it is not known which files there are more.
    pub async fn next(&mut self) -> Result<Vec<Shown>, Error> {
        let mut part = Vec::new();
        while part.len() < PART_FILES
            && let Some(run) = self.runs.front_mut()
        {
            let most = PART_FILES - part.len();
            let row = query(run.question)
                .bind(self.firm.0)
                .bind(self.device.0)
                .bind(self.folder_key.as_str())
                .bind(run.of.0.0)
                .bind(run.of.1.as_str())
                .bind(run.after.0)
                .bind(run.after.1)
                .bind(run.until)
                .bind(i64::try_from(most).unwrap_or(i64::MAX))
                .fetch_one(&mut *self.snapshot.inner)
                .await;
            let lines = self.catalog.asked(row)?.text_or("lines")?;
            let files = run.read(&lines.unwrap_or_default())?;
            if files.len() < most {
                self.runs.pop_front();
            }
            part.extend(files);
        }
        Ok(part)
    }
}

impl Run {
    /// Reads the lines of a part, and goes on behind the last file of it. No database promises the order of what it
    /// joins.
    fn read(&mut self, text: &str) -> Result<Vec<Shown>, Error> {
        let read = |line: &str| {
            let mut fields = line.splitn(5, ' ');
            let mut next = || fields.next().unwrap_or_default();
            let at = field("a number of a listing", next())?;
            let id = field("a number of a listing", next())?;
            self.after = self.after.max((at, id));
            Ok(Shown {
                bytes: field("a size of a listing", next())?,
                offered_at: Timestamp(field("a number of a listing", next())?),
                name: next().to_owned(),
            })
        };
        text.lines().map(read).collect()
    }
}

#[cfg(test)]
pub(in crate::catalog) mod tests;
