//! What becomes of the files that are complete?
//!
//! Read, hand over, and only then let go: a file is removed, or put aside, when its document is
//! durable. Each file ends in one [`End`], which is all that the door needs to go on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

use super::Takes;
use super::left::Stays;
use super::reject::reject;
use super::settle::Seen;
use super::source::{self, Changed, Still};
use super::whole::{self, Bare, Ended, Whole, is_too_large, refusal, understand};
use crate::ingest::{Arrival, Firm, Outcome, Taken};
use crate::model::{Declared, Said, Timestamp, Veiled, on_one_line, with_causes};
use crate::text::{Put, RejectionText, Why};
use crate::ubl::limits::DOCUMENT_BYTES_MAX;

/// How many files are taken together: one transaction, and one sync of the disk, for all of them.
pub const BATCH_FILES_MAX: usize = 64;

/// How many bytes are taken together, unless one file alone has more: they are all in memory.
pub const BATCH_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The largest file that is taken: the largest document that is delivered.
pub const FILE_BYTES_MAX: u64 = DOCUMENT_BYTES_MAX as u64;

/// How many files of a batch are read, or removed, at a time: a disk may take a millisecond to free each.
const AT_ONCE: usize = 8;

/// After how many failures in a row, with no success, the rest of a batch is not tried: the fault is not the files'.
const FAILURES_IN_A_ROW_MAX: usize = 8;

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its document is durable, and the file is gone from the folder.
    Taken(Outcome),
    /// It was not taken, and lies in the rejected folder.
    Rejected,
    /// It changed meanwhile, or vanished: what is there now, if anything, settles anew.
    Changed,
    /// It is left alone and tried again; where it was taken, only to let go of it.
    Failed,
    /// It was not tried, for others failed before it.
    Postponed,
}

/// A firm's folder as the taking sees it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Whose.
    pub(super) firm: Firm,
    /// Where.
    pub(super) folder: Arc<Path>,
    /// Two files of one name that are put aside at once would take each other's place.
    rejecting: Arc<Mutex<()>>,
    /// What is true of a document of which nothing is said.
    declared: Declared,
}

impl Place {
    pub(super) fn new(firm: Firm, folder: Arc<Path>, declared: Declared) -> Self {
        Self {
            firm,
            folder,
            rejecting: Arc::default(),
            declared,
        }
    }
}

/// Divides files into batches, in their order.
pub(super) fn batches(files: Vec<Seen>) -> Vec<Vec<Seen>> {
    let mut batches: Vec<Vec<Seen>> = Vec::new();
    let mut bytes = 0;
    for file in files {
        // What is too large is put aside without being read.
        let size = if is_too_large(&file) {
            0
        } else {
            file.stamp.bytes
        };
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_FILES_MAX && bytes + size <= BATCH_BYTES_MAX => {
                bytes += size;
                batch.push(file);
            }
            _ => {
                bytes = size;
                batches.push(vec![file]);
            }
        }
    }
    batches
}

/// A batch that was read, and what is ready of it to be written down.
pub(super) struct Filled<T: Takes> {
    paths: Vec<PathBuf>,
    is_large: bool,
    ends: Vec<(PathBuf, End)>,
    rejected: Vec<Ended>,
    read: Vec<Whole>,
    /// All that was read, if it is several files and nothing failed.
    prepared: Option<T::Prepared>,
}

/// A batch whose documents are durable, and whose sources are not let go yet.
pub(super) struct Settled {
    paths: Vec<PathBuf>,
    ends: Vec<(PathBuf, End)>,
    sources: Vec<Source>,
    at: Timestamp,
}

/// A file to let go of; and where that was tried before, when it had changed last.
type Source = (Ended, Option<Changed>);

/// A batch that is done with: its files, how each that has an end ended, and when.
pub(super) struct Done {
    pub(super) paths: Vec<PathBuf>,
    pub(super) ends: Vec<(PathBuf, End)>,
    /// Those that are taken and could not be let go of.
    pub(super) left: Vec<Stays>,
    pub(super) at: Timestamp,
}

/// Says whether a batch may be read while the one before is in memory: one large file and another batch are not there
/// together.
pub(super) fn may_be_beside<T: Takes>(before: Option<&Filled<T>>, next: &[Seen]) -> bool {
    before.is_none_or(|before| !before.is_large && !is_large(next))
}

fn is_large(batch: &[Seen]) -> bool {
    batch.iter().any(|file| file.stamp.bytes > BATCH_BYTES_MAX)
}

/// Reads a batch and makes it ready; [`Filled::take`] writes it down.
pub(super) async fn fill<T: Takes>(takes: &T, place: &Place, files: Vec<Seen>) -> Filled<T> {
    let paths = files.iter().map(|file| file.path.clone()).collect();
    let is_large = is_large(&files);
    let (mut rejected, mut wanted) = (Vec::new(), Vec::new());
    for file in files {
        match refusal(&file) {
            Some(why) => rejected.push((file, End::Rejected, Some(why))),
            None => wanted.push(file),
        }
    }
    let (read, ends) = place.read(wanted).await;
    let (read, unsaid) = understand(read);
    rejected.extend(unsaid);
    let prepared = prepare(takes, place, &read).await;
    Filled {
        paths,
        is_large,
        ends,
        rejected,
        read,
        prepared,
    }
}

impl<T: Takes> Filled<T> {
    /// Takes it in; what it held is let go by [`Settled::let_go`].
    pub(super) async fn take(self, takes: &T, place: &Place, now: Timestamp) -> Settled {
        let mut ends = self.ends;
        let (taken, failed) = hand_over(takes, place, (self.read, self.prepared), now).await;
        ends.extend(failed);
        let settled = taken.into_iter().map(|(file, taken)| {
            let why = taken.quarantined.then_some(Why::Unreadable(taken.remarks));
            (file, End::Taken(taken.outcome), why)
        });
        Settled {
            paths: self.paths,
            ends,
            sources: self
                .rejected
                .into_iter()
                .chain(settled)
                .map(|ended| (ended, None))
                .collect(),
            at: now,
        }
    }
}

impl Settled {
    /// Joins files that are taken already, and were not let go of then.
    pub(super) fn again(left: Vec<Stays>, at: Timestamp) -> Self {
        let path = |stays: &Stays| stays.taken.0.path.clone();
        Self {
            paths: left.iter().map(path).collect(),
            ends: Vec::new(),
            sources: left
                .into_iter()
                .map(|stays| (stays.taken, Some(stays.changed)))
                .collect(),
            at,
        }
    }

    /// Says whether nothing of it could be taken.
    pub(super) fn has_failed(&self) -> bool {
        let failed = |end: &End| matches!(end, End::Failed | End::Postponed);
        self.sources.is_empty() && self.ends.iter().all(|(_, end)| failed(end))
    }

    /// Lets go of the sources, and returns how each file ended.
    pub(super) async fn let_go(self, place: &Place) -> Done {
        let mut ends = self.ends;
        let (let_go, left) = place.let_go(self.sources, self.at).await;
        ends.extend(let_go);
        place.sum_up(&ends);
        Done {
            paths: self.paths,
            ends,
            left,
            at: self.at,
        }
    }
}

/// Makes files ready to be written down together.
async fn prepare<T: Takes>(takes: &T, place: &Place, read: &[Whole]) -> Option<T::Prepared> {
    if read.len() < 2 {
        return None;
    }
    match takes.prepare(place.firm.id, arrivals(place, read)).await {
        Ok(prepared) => Some(prepared),
        Err(failure) => {
            tell_apart(place, read, &with_causes(&failure));
            None
        }
    }
}

/// Hands the bytes over, together or else one at a time, so that one file holds up no other.
async fn hand_over<T: Takes>(
    takes: &T,
    place: &Place,
    (read, prepared): (Vec<Whole>, Option<T::Prepared>),
    now: Timestamp,
) -> (Vec<(Seen, Taken)>, Vec<(PathBuf, End)>) {
    if let Some(prepared) = prepared {
        match each_has_one(takes.write(prepared, now).await, &read) {
            Ok(taken) => {
                return (
                    read.into_iter().map(|(file, _)| file).zip(taken).collect(),
                    Vec::new(),
                );
            }
            Err(why) => tell_apart(place, &read, &why),
        }
    }
    one_at_a_time(takes, place, read, now).await
}

fn tell_apart(place: &Place, read: &[Whole], why: &str) {
    warn!(
        firm.name = %place.firm.slug,
        "Could not take {} dropped files together, so they are tried one at a time: {why}", read.len()
    );
}

async fn one_at_a_time<T: Takes>(
    takes: &T,
    place: &Place,
    read: Vec<Whole>,
    now: Timestamp,
) -> (Vec<(Seen, Taken)>, Vec<(PathBuf, End)>) {
    let (mut all, mut ends) = (Vec::new(), Vec::new());
    for one in read {
        if all.is_empty() && ends.len() >= FAILURES_IN_A_ROW_MAX {
            ends.push((one.0.path, End::Postponed));
            continue;
        }
        let alone = std::slice::from_ref(&one);
        let offered = takes.take(place.firm.id, arrivals(place, alone), now);
        match each_has_one(offered.await, alone) {
            Ok(taken) => all.extend(taken.into_iter().map(|taken| (one.0.clone(), taken))),
            Err(why) => {
                place.fault("take", &one.0.path, &why);
                ends.push((one.0.path, End::Failed));
            }
        }
    }
    (all, ends)
}

fn arrivals(place: &Place, read: &[Whole]) -> Vec<Arrival> {
    let arrivals = read.iter();
    arrivals
        .map(|(file, (bytes, said))| arrival(place, file, bytes, *said))
        .collect()
}

/// Returns an outcome for each file that was handed over; an error is told with its causes.
fn each_has_one<E: std::error::Error + 'static>(
    taken: Result<Vec<Taken>, E>,
    read: &[Whole],
) -> Result<Vec<Taken>, String> {
    match taken {
        Ok(taken) if taken.len() == read.len() => Ok(taken),
        Ok(taken) => Err(format!(
            "{} outcomes came back for {} files",
            taken.len(),
            read.len()
        )),
        Err(failure) => Err(with_causes(&failure)),
    }
}

fn arrival(place: &Place, file: &Seen, bytes: &Bytes, said: Said) -> Arrival {
    let name = file.path.display().to_string();
    Arrival {
        source: format!("drop:{}", on_one_line(&name)),
        bytes: bytes.clone(),
        said,
        door: place.declared,
    }
}

impl Place {
    /// Reads files whole; those that could not be read have their end already.
    async fn read(&self, files: Vec<Seen>) -> (Vec<Bare>, Vec<(PathBuf, End)>) {
        let (mut read, mut ends) = (Vec::new(), Vec::new());
        let folder = Arc::clone(&self.folder);
        let work = move |file: &Seen| whole::read(&folder, file);
        for (file, result) in self.each(files, work).await {
            match result {
                Ok(Some(bytes)) => read.push((file, bytes)),
                Ok(None) => ends.push((file.path, End::Changed)),
                Err(failure) => {
                    self.fault("read", &file.path, &failure);
                    ends.push((file.path, End::Failed));
                }
            }
        }
        (read, ends)
    }

    /// Lets go of the sources: removes them, or puts them aside where there is a reason for it. Returns how each ended,
    /// and those that are taken and lie there still.
    async fn let_go(
        &self,
        files: Vec<Source>,
        now: Timestamp,
    ) -> (Vec<(PathBuf, End)>, Vec<Stays>) {
        let place = self.clone();
        let work = move |source: &Source| place.let_go_of(source, now);
        let (mut ends, mut left) = (Vec::new(), Vec::new());
        for (((file, end, why), _), result) in self.each(files, work).await {
            let end = match result {
                Ok(Still::Other) if end == End::Rejected => End::Changed,
                Ok(_) => end,
                // The folder is told of as one, for it may hold thousands.
                Err((failure, changed)) if matches!(end, End::Taken(_)) => {
                    left.push(Stays {
                        taken: (file, end, why),
                        why: failure.to_string(),
                        changed,
                    });
                    continue;
                }
                Err((failure, _)) => {
                    self.fault("let go of", &file.path, &failure);
                    End::Failed
                }
            };
            ends.push((file.path, end));
        }
        (ends, left)
    }

    /// Where it cannot, it also says when the file had changed last, for the attempt may have linked it.
    fn let_go_of(
        &self,
        ((file, _, why), noted): &Source,
        now: Timestamp,
    ) -> Result<Still, (std::io::Error, Changed)> {
        let changed = || source::changed(&self.folder, file);
        if noted.is_some_and(|noted| noted != changed()) {
            return Ok(Still::Other);
        }
        let let_go = match why {
            Some(why) => self.put_aside(file, why, now),
            None => self.remove(file),
        };
        let_go.map_err(|failure| (failure, changed()))
    }

    /// What is said of a file goes first: if this ends in between, the document is recognised, and nothing new is said of it.
    fn remove(&self, file: &Seen) -> std::io::Result<Still> {
        if let Some(beside) = &file.beside {
            // What came in its place is another document, of which the same is said.
            if source::is_other(&self.folder, &file.path, file.stamp)? {
                return Ok(Still::Other);
            }
            source::remove(&self.folder, &beside.path, beside.stamp)?;
        }
        source::remove(&self.folder, &file.path, file.stamp)
    }

    fn put_aside(&self, file: &Seen, why: &Why, now: Timestamp) -> std::io::Result<Still> {
        let path = file.path.display().to_string();
        let put = Put::Dropped(&path);
        let text = RejectionText::new(self.firm.language, put, why, now, &self.firm.zone);
        let _turn = self
            .rejecting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(name) = reject(&self.folder, file, &text)? else {
            return Ok(Still::Other);
        };
        // Its text has its name, and says why; both may quote the document.
        let (name, word) = (name.display().to_string(), why.word());
        let name = Veiled(&name);
        warn!(firm.name = %self.firm.slug, "Rejected a dropped file, which is {name} in `rejected` now: {word}");
        Ok(Still::Same)
    }

    /// Does blocking work on each of `items`, on several at a time, and returns them in their order.
    async fn each<I, O, F>(&self, items: Vec<I>, work: F) -> Vec<(I, O)>
    where
        I: Send + 'static,
        O: Send + 'static,
        F: Fn(&I) -> O + Clone + Send + 'static,
    {
        let share = items.len().div_ceil(AT_ONCE).max(1);
        let mut items = items.into_iter().peekable();
        let mut shares = Vec::new();
        while items.peek().is_some() {
            let share: Vec<_> = items.by_ref().take(share).collect();
            let work = work.clone();
            shares.push(spawn_blocking(move || {
                share
                    .into_iter()
                    .map(|item| {
                        let done = work(&item);
                        (item, done)
                    })
                    .collect::<Vec<_>>()
            }));
        }
        let mut all = Vec::new();
        for share in shares {
            match share.await {
                Ok(done) => all.extend(done),
                Err(died) => {
                    error!(firm.name = %self.firm.slug, "The work on dropped files died: {died}");
                }
            }
        }
        all
    }

    fn fault(&self, what: &str, path: &Path, why: &dyn fmt::Display) {
        let (firm, file) = (&self.firm.slug, path.display().to_string());
        let file = Veiled(&file);
        error!(firm.name = %firm, "Could not {what} the dropped file {file}, which is tried again later: {why}");
    }

    fn sum_up(&self, ends: &[(PathBuf, End)]) {
        let count = |wanted: End| ends.iter().filter(|(_, end)| *end == wanted).count();
        let of = |outcome| count(End::Taken(outcome));
        let (kept, held, recognised) = (
            of(Outcome::Kept),
            of(Outcome::Held),
            of(Outcome::Recognised),
        );
        let quarantined = of(Outcome::Quarantined);
        let taken = kept + held + recognised + quarantined;
        if taken > 0 {
            info!(
                firm.name = %self.firm.slug, taken, kept, held, recognised, quarantined,
                "Took {taken} dropped files of firm `{}`", self.firm.slug
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::settle::Stamp;
    use super::*;
    use crate::ingest::Ingest;

    fn file(bytes: u64) -> Seen {
        let stamp = Stamp {
            modified_ns: 0,
            bytes,
            device: 1,
            inode: 1,
        };
        Seen {
            path: "F-1.xml".into(),
            stamp,
            beside: None,
        }
    }

    fn sizes(files: Vec<Seen>) -> Vec<usize> {
        batches(files).iter().map(Vec::len).collect()
    }

    #[test]
    fn one_file_past_the_limit_is_in_the_next_batch() {
        assert_eq!(sizes(vec![file(1); BATCH_FILES_MAX]), [BATCH_FILES_MAX]);
        assert_eq!(
            sizes(vec![file(1); BATCH_FILES_MAX + 1]),
            [BATCH_FILES_MAX, 1]
        );
        assert!(sizes(Vec::new()).is_empty());
    }

    #[test]
    fn one_byte_past_the_limit_is_in_the_next_batch() {
        let half = BATCH_BYTES_MAX / 2;

        assert_eq!(sizes(vec![file(half), file(half)]), [2]);
        assert_eq!(sizes(vec![file(half), file(half + 1)]), [1, 1]);
        assert_eq!(
            sizes(vec![file(1), file(FILE_BYTES_MAX), file(1)]),
            [1, 1, 1]
        );
    }

    #[test]
    fn a_large_file_is_in_memory_beside_no_other_batch_before_it_or_behind() {
        let filled = |is_large| Filled::<Ingest> {
            paths: Vec::new(),
            is_large,
            ends: Vec::new(),
            rejected: Vec::new(),
            read: Vec::new(),
            prepared: None,
        };
        let (small, large) = ([file(1)], [file(BATCH_BYTES_MAX + 1)]);

        assert!(may_be_beside(Some(&filled(false)), &small));
        assert!(!may_be_beside(Some(&filled(false)), &large));
        assert!(!may_be_beside(Some(&filled(true)), &small));
        assert!(may_be_beside(None::<&Filled<Ingest>>, &large));
    }

    #[test]
    fn one_byte_past_the_largest_file_is_too_large_and_weighs_nothing() {
        assert!(!is_too_large(&file(FILE_BYTES_MAX)));
        assert!(is_too_large(&file(FILE_BYTES_MAX + 1)));

        assert_eq!(sizes(vec![file(1), file(FILE_BYTES_MAX + 1), file(1)]), [3]);
    }
}
