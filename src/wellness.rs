//! What of the house is well, and what is not?
//!
//! The stores say here what failed them, at once; `tending` tries again, and says when it is over. Whoever
//! asks learns whether the house is ready, and if not, why. Nothing is tried or told here, and what is
//! well costs its asker one look at a number.

use core::fmt;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Digest, Timestamp};

/// Contents that could not be read and are looked for again, one by one. With more of them the disk is what
/// is lost, and `sluis fsck` names them all.
pub const LOST_MAX: usize = 64;

/// For how long a part may fail again before that counts as the same trouble still.
const AGAIN_MS: i64 = 10 * 60 * 1000;

/// The first rest of what fails again and again, and the longest: so the log has a line or two for it, not
/// thirty a minute.
const REST_MS_MIN: i64 = 4_000;
const REST_MS_MAX: i64 = 5 * 60 * 1000;

/// What can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Writing into the catalog: marks, logins, and what arrives.
    CatalogWrites,
    /// Storing contents.
    BlobWrites,
    /// Reading contents that are written down.
    BlobReads,
    /// Room on the disks of the data.
    Space,
}

impl Part {
    /// Returns the word that programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CatalogWrites => "catalog_writes",
            Self::BlobWrites => "blob_writes",
            Self::BlobReads => "blob_reads",
            Self::Space => "space",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::CatalogWrites => 1,
            Self::BlobWrites => 2,
            Self::BlobReads => 4,
            Self::Space => 8,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CatalogWrites => "writing to the catalog",
            Self::BlobWrites => "storing documents",
            Self::BlobReads => "reading documents",
            Self::Space => "room on the disk",
        })
    }
}

/// Why, as far as it changes what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// There is no room, or a quota is used up.
    Full,
    /// The disk, or a file, may not be written.
    ReadOnly,
    /// Another process holds the database.
    Locked,
    /// The disk or the database does not give back what was written.
    Broken,
    /// It is not where it was.
    Gone,
    /// Something else; the log has it.
    Other,
}

impl Cause {
    /// Returns what an error of the system means.
    pub fn of_system(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::Full
            }
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Self::ReadOnly,
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::StaleNetworkFileHandle => {
                Self::Gone
            }
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData => Self::Broken,
            _ => Self::Other,
        }
    }

    /// Returns what an error code of SQLite means; none where it is about what was asked, not about the file.
    pub fn of_sqlite(code: i64) -> Option<Self> {
        // The lowest byte is the kind, the rest says where it was met (sqlite.org/rescode.html).
        match code & 0xff {
            5 | 6 => Some(Self::Locked),
            3 | 8 | 23 => Some(Self::ReadOnly),
            11 | 26 => Some(Self::Broken),
            10 => Some(Self::Other),
            13 => Some(Self::Full),
            14 => Some(Self::Gone),
            _ => None,
        }
    }

    /// Returns what a device is told, in words that a person can act on.
    pub fn told(self) -> &'static str {
        match self {
            Self::Full => "the disk of the server is full; nothing was taken, try again later",
            Self::ReadOnly => "the server cannot write to its disk; try again later",
            Self::Locked => "the server's catalog is held by another program; try again later",
            Self::Broken => "the server cannot read what it has written; its operator must look",
            Self::Gone => "a file of the server is missing; its operator must look",
            Self::Other => "the server could not do that; it is in its log",
        }
    }

    /// Returns what the operator does about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Full => "make room on that disk, outside the data folder, or grow it",
            Self::ReadOnly => {
                "look whether the disk was mounted read-only after an error (`dmesg`), and who owns the file"
            }
            Self::Locked => "look which program has the catalog open (`fuser`), and end it",
            Self::Broken => {
                "run `sluis fsck --deep`, look at the disk, and bring back what is damaged from a backup"
            }
            Self::Gone => {
                "look whether the disk is mounted and nothing was moved under the running server, and put it back, or stop the server and restore a backup"
            }
            Self::Other => "look at the disk (`dmesg`)",
        }
    }
}

/// A part that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unready {
    /// Which.
    pub part: Part,
    /// Why, in a word.
    pub cause: Cause,
    /// Why, as it was met.
    pub why: String,
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.why)
    }
}

/// What is well and what is not. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Wellness(Arc<Board>);

#[derive(Debug, Default)]
struct Board {
    /// The parts that are not well, for those who only want to know whether there are any.
    unwell: AtomicU8,
    free_bytes_min: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    troubles: BTreeMap<Part, Trouble>,
    /// How the last trouble of a part ended.
    over: BTreeMap<Part, (Timestamp, i64)>,
    lost: BTreeSet<Digest>,
}

#[derive(Debug)]
struct Trouble {
    unready: Unready,
    /// When `tending` first looked at it, and how long it lasts from then on at least.
    tended: Option<(Timestamp, i64)>,
}

impl Wellness {
    /// Says whether everything is well: logins are taken, documents stored and read, marks written.
    ///
    /// # Errors
    ///
    /// Each part that is not well.
    pub fn ready(&self) -> Result<(), Vec<Unready>> {
        if self.is_well() {
            return Ok(());
        }
        let state = self.state();
        let unready: Vec<_> = state
            .troubles
            .values()
            .map(|trouble| trouble.unready.clone())
            .collect();
        if unready.is_empty() {
            Ok(())
        } else {
            Err(unready)
        }
    }

    /// Says whether everything is well; it is cheap.
    pub fn is_well(&self) -> bool {
        self.0.unwell.load(Ordering::Relaxed) == 0
    }

    /// Says whether there is room for new documents; if not, what whoever brings one is told.
    ///
    /// # Errors
    ///
    /// When there is less free than the operator wants to keep, or the catalog or the documents are not where they were.
    pub fn has_room(&self) -> Result<(), Unready> {
        self.all_well(&[Part::Space])?;
        // What is written into a file or a folder that was moved away is lost, though writing it goes well.
        for part in [Part::CatalogWrites, Part::BlobWrites] {
            if let Err(unready) = self.all_well(&[part])
                && unready.cause == Cause::Gone
            {
                return Err(unready);
            }
        }
        Ok(())
    }

    /// Says whether one part is well.
    pub fn works(&self, part: Part) -> bool {
        self.all_well(&[part]).is_ok()
    }

    /// Says whether new documents can be stored and written down, as far as is known.
    ///
    /// # Errors
    ///
    /// The first part without which they cannot.
    pub fn can_take(&self) -> Result<(), Unready> {
        self.all_well(&[Part::Space, Part::BlobWrites, Part::CatalogWrites])
    }

    fn all_well(&self, parts: &[Part]) -> Result<(), Unready> {
        if self.is_well() {
            return Ok(());
        }
        let state = self.state();
        let found = parts.iter().find_map(|part| state.troubles.get(part));
        found.map_or(Ok(()), |trouble| Err(trouble.unready.clone()))
    }

    /// Says why a part is not well, if it is not.
    pub fn cause(&self, part: Part) -> Option<Cause> {
        self.all_well(&[part]).err().map(|unready| unready.cause)
    }

    /// Notes that a part has failed; says whether that is news, which somebody should be told. Damage is, whatever
    /// failed before it: it does not go away by itself.
    pub fn failed(&self, part: Part, cause: Cause, why: impl Into<String>) -> bool {
        let mut state = self.state();
        if let Some(known) = state.troubles.get(&part)
            && (cause != Cause::Broken || known.unready.cause == Cause::Broken)
        {
            return false;
        }
        let why = why.into();
        let unready = Unready { part, cause, why };
        let tended = None;
        state.troubles.insert(part, Trouble { unready, tended });
        self.0.unwell.fetch_or(part.bit(), Ordering::Relaxed);
        true
    }

    /// Notes that a content cannot be read; says whether that is news.
    pub fn lost(&self, digest: Digest, cause: Cause, why: impl Into<String>) -> bool {
        let is_new = {
            let mut state = self.state();
            state.lost.len() < LOST_MAX && state.lost.insert(digest)
        };
        self.failed(Part::BlobReads, cause, why) || is_new
    }

    /// Returns the contents that could not be read, for `tending` to look for them.
    pub fn all_lost(&self) -> Vec<Digest> {
        self.state().lost.iter().copied().collect()
    }

    /// Notes that a content can be read again, or is wanted no longer; when all can, reading is well.
    pub fn found(&self, digest: Digest) {
        self.state().lost.remove(&digest);
    }

    /// Notes that a part was tried and did what it should. Returns what is over, if that is now: what fails
    /// again and again is believed later each time.
    pub fn worked(&self, part: Part, now: Timestamp) -> Option<Unready> {
        if self.0.unwell.load(Ordering::Relaxed) & part.bit() == 0 {
            return None;
        }
        let mut state = self.state();
        let rest = rest_after(state.over.get(&part).copied(), now);
        let trouble = state.troubles.get_mut(&part)?;
        let (since, rest) = *trouble.tended.get_or_insert((now, rest));
        // After a clock that was set back it would rest until that time comes round.
        if since <= now && now.0.saturating_sub(since.0) < rest {
            return None;
        }
        let trouble = state.troubles.remove(&part)?;
        state.over.insert(part, (now, rest));
        self.0.unwell.fetch_and(!part.bit(), Ordering::Relaxed);
        Some(trouble.unready)
    }

    /// Sets how much must stay free: below that nothing new is taken.
    pub fn keep_free(&self, bytes: u64) {
        self.0.free_bytes_min.store(bytes, Ordering::Relaxed);
    }

    /// Returns how much must stay free.
    pub fn free_bytes_min(&self) -> u64 {
        self.0.free_bytes_min.load(Ordering::Relaxed)
    }

    /// Judges the room on a disk.
    ///
    /// # Errors
    ///
    /// When there is too little; once that was so, a tenth more than the least must be free, so that it does
    /// not change with every document.
    pub fn judge_room(&self, free_bytes: u64) -> Result<(), u64> {
        let least = self.free_bytes_min();
        let is_low = self.0.unwell.load(Ordering::Relaxed) & Part::Space.bit() != 0;
        let wanted = if is_low {
            least.saturating_add(least / 10)
        } else {
            least
        };
        if free_bytes >= wanted {
            Ok(())
        } else {
            Err(wanted)
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with it has left whole values behind.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a trouble lasts at least, after one that ended then and had this rest.
fn rest_after(over: Option<(Timestamp, i64)>, now: Timestamp) -> i64 {
    match over {
        Some((ended, rest)) if now.0.saturating_sub(ended.0) < AGAIN_MS => {
            rest.saturating_mul(2).clamp(REST_MS_MIN, REST_MS_MAX)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    #[test]
    fn what_fails_is_news_once_and_is_over_when_it_works() {
        let wellness = Wellness::default();
        let fail = || wellness.failed(Part::CatalogWrites, Cause::Full, "no room");
        assert_eq!(wellness.ready(), Ok(()));

        assert!(fail());
        assert!(!fail(), "told already");

        let unready = wellness.ready().unwrap_err();
        assert_eq!(
            unready.iter().map(|one| one.part).collect::<Vec<_>>(),
            [Part::CatalogWrites]
        );
        assert_eq!(wellness.can_take().unwrap_err().cause, Cause::Full);
        assert_eq!(wellness.has_room(), Ok(()), "it is not about room");
        assert_eq!(wellness.worked(Part::BlobWrites, NOW), None);
        assert!(wellness.worked(Part::CatalogWrites, NOW).is_some());
        assert!(wellness.is_well() && wellness.ready().is_ok());
        assert!(fail(), "a new trouble is news");
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_rest_longer() {
        let wellness = Wellness::default();
        let fail = || wellness.failed(Part::BlobWrites, Cause::Full, "no room");
        fail();
        assert!(wellness.worked(Part::BlobWrites, NOW).is_some());
        fail();
        let soon = NOW.plus_ms(1000);
        assert_eq!(wellness.worked(Part::BlobWrites, soon), None, "it rests");

        assert!(
            wellness
                .worked(Part::BlobWrites, NOW.plus_ms(-3_600_000))
                .is_some()
        );
    }

    #[test]
    fn damage_is_news_whatever_failed_before_it() {
        let wellness = Wellness::default();
        let fail = |cause| wellness.failed(Part::CatalogWrites, cause, "it");
        assert!(fail(Cause::Locked));
        assert!(!fail(Cause::Full));

        assert!(fail(Cause::Broken));

        assert_eq!(wellness.cause(Part::CatalogWrites), Some(Cause::Broken));
        assert!(!fail(Cause::Broken) && !fail(Cause::Locked));
        assert_eq!(wellness.cause(Part::CatalogWrites), Some(Cause::Broken));
        assert_eq!(wellness.cause(Part::BlobReads), None);
    }

    #[test]
    fn what_fails_again_and_again_is_believed_later_each_time_and_never_too_late() {
        let wellness = Wellness::default();
        let mut now = NOW;
        let mut rests = Vec::new();
        for _ in 0..10 {
            wellness.failed(Part::BlobWrites, Cause::Full, "quota");
            let began = now;
            while wellness.worked(Part::BlobWrites, now).is_none() {
                now = now.plus_ms(2_000);
            }
            rests.push((now.0 - began.0) / 1000);
        }
        assert_eq!(rests, [0, 4, 8, 16, 32, 64, 128, 256, 300, 300]);

        wellness.failed(Part::BlobWrites, Cause::Full, "quota");
        let later = now.plus_ms(AGAIN_MS);
        assert!(wellness.worked(Part::BlobWrites, later).is_some());
    }

    #[test]
    fn room_must_be_a_tenth_more_than_the_least_once_it_was_less() {
        let wellness = Wellness::default();
        wellness.keep_free(1000);
        assert_eq!(wellness.judge_room(1000), Ok(()));
        assert_eq!(wellness.judge_room(999), Err(1000));
        wellness.failed(Part::Space, Cause::Full, "low");
        assert_eq!(wellness.judge_room(1099), Err(1100));
        assert_eq!(wellness.judge_room(1100), Ok(()));
        wellness.keep_free(0);
        assert_eq!(wellness.judge_room(0), Ok(()), "0 turns it off");
    }

    #[test]
    fn each_content_that_is_lost_is_news_up_to_a_number() {
        let wellness = Wellness::default();
        let digest = |at: usize| Digest::of(&at.to_be_bytes());
        for at in 0..LOST_MAX {
            assert!(wellness.lost(digest(at), Cause::Gone, "gone"));
            assert!(!wellness.lost(digest(at), Cause::Gone, "gone"));
        }
        assert!(!wellness.lost(digest(LOST_MAX), Cause::Gone, "one past"));
        assert_eq!(wellness.all_lost().len(), LOST_MAX);
        wellness.found(digest(0));
        assert_eq!(wellness.all_lost().len(), LOST_MAX - 1);
    }

    #[test]
    fn what_is_about_the_question_is_no_trouble_of_the_catalog() {
        #[rustfmt::skip]
        let table = [
            (5, Some(Cause::Locked)), (261, Some(Cause::Locked)), (8, Some(Cause::ReadOnly)), (1032, Some(Cause::ReadOnly)),
            (10, Some(Cause::Other)), (778, Some(Cause::Other)), (11, Some(Cause::Broken)), (26, Some(Cause::Broken)),
            (13, Some(Cause::Full)), (14, Some(Cause::Gone)), (1, None), (19, None), (2067, None),
        ];
        for (code, cause) in table {
            assert_eq!(Cause::of_sqlite(code), cause, "{code}");
        }
    }
}
