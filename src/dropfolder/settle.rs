//! Which dropped files are complete, and which are still being written?
//!
//! Nobody says when a file is complete, so what counts is that it stays as it is: a file is given
//! out when two looks, at least the settle time apart, saw the same [`Stamp`], and no look between
//! them saw another. A file that bears a temporary name is left alone until it is renamed.
//!
//! The machine is fed with whole looks at one firm's folder and remembers nothing but what the
//! last look saw, so it is as large as a look may be.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::beside::{self, ALONE_MS_MAX, Beside, is_beside};
use crate::model::{Timestamp, is_litter, is_temporary};

/// For how long a file must stay as it is, unless the configuration says otherwise.
pub const SETTLE_MS_DEFAULT: u32 = 2_000;

/// The shortest settle time: below it, the gap between two writes of one copy looks like its end.
pub const SETTLE_MS_MIN: u32 = 500;

/// How many files one look gives out: other firms wait for their turn meanwhile.
pub(super) const GIVEN_PER_LOOK_MAX: usize = 1_024;

/// The first wait after a failure; it doubles up to [`RETRY_MS_MAX`].
pub(super) const RETRY_MS_MIN: i64 = 5_000;

/// The longest wait after a failure: whoever mends the cause does not wait long for the effect.
pub(super) const RETRY_MS_MAX: i64 = 600_000;

/// The folder for what could not be read, at the top of a firm's folder. It is never looked into.
pub(super) const REJECTED: &str = "rejected";

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Stamp {
    /// When it was written to, in nanoseconds since 1970; only compared, for it is another clock's.
    pub(super) modified_ns: i128,
    /// Its size.
    pub(super) bytes: u64,
    /// On which file system it is.
    pub(super) device: u64,
    /// Which file there it is.
    pub(super) inode: u64,
}

/// A file as a look saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its path within the firm's folder.
    pub(super) path: PathBuf,
    /// In which state.
    pub(super) stamp: Stamp,
    /// What is said of it, in a file beside it.
    pub(super) beside: Option<Beside>,
}

/// The files of one firm's folder on their way to being complete.
#[derive(Debug)]
pub(super) struct Settling {
    settle_ms: i64,
    files: HashMap<PathBuf, Watched>,
}

#[derive(Debug, Clone, Copy)]
struct Watched {
    stamp: Stamp,
    /// Of the file beside it, if there is one.
    beside: Option<Stamp>,
    /// How much longer than others it stays, in milliseconds.
    patience_ms: i64,
    phase: Phase,
    failures: u32,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// It has not changed since then.
    Quiet { since: Timestamp },
    /// It was given out, and its fate is not known yet.
    Given,
    /// It could not be taken, and is given out again then.
    Waiting { until: Timestamp },
}

impl Settling {
    /// Begins with an empty folder. A settle time below [`SETTLE_MS_MIN`] is that.
    pub(super) fn new(settle_ms: u32) -> Self {
        Self {
            settle_ms: settle_ms.max(SETTLE_MS_MIN).into(),
            files: HashMap::new(),
        }
    }

    /// Notes one look at the whole folder, and gives out the files that are complete, oldest first.
    ///
    /// What the look did not see is forgotten. Each file that is given out is told of by one of
    /// [`forget`](Self::forget), [`failed`](Self::failed) and [`postponed`](Self::postponed), and
    /// not given out again before, unless it changes.
    pub(super) fn look(&mut self, seen: Vec<Seen>, now: Timestamp) -> Vec<Seen> {
        let mut known = std::mem::take(&mut self.files);
        let mut ready = Vec::new();
        let seen = seen.into_iter().filter(|file| !is_left_alone(&file.path));
        for file in beside::join(seen.collect()) {
            let stamps = (file.stamp, file.beside.as_ref().map(|one| one.stamp));
            let before = known
                .remove(&file.path)
                .filter(|before| (before.stamp, before.beside) == stamps);
            let watched =
                before.map_or_else(|| Watched::new(&file, now), |before| before.not_after(now));
            self.files.insert(file.path.clone(), watched);
            if self.due_of(&watched).is_some_and(|due| due <= now) {
                ready.push((watched.failures, file));
            }
        }
        self.give(ready)
    }

    /// Forgets a file: it was taken, or it changed under the reader. If it is still there, it settles anew.
    pub(super) fn forget(&mut self, path: &Path) {
        self.files.remove(path);
    }

    /// Says whether the last look saw a file of this name.
    pub(super) fn knows(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// Notes that a file could not be taken: it is given out again later, and later each time.
    pub(super) fn failed(&mut self, path: &Path, now: Timestamp) {
        if let Some(watched) = self.files.get_mut(path) {
            let wait_ms = RETRY_MS_MIN << watched.failures.min(RETRY_DOUBLINGS_MAX);
            watched.failures = watched.failures.saturating_add(1);
            let until = now.plus_ms(wait_ms.min(RETRY_MS_MAX));
            watched.phase = Phase::Waiting { until };
        }
    }

    /// Notes that a file was not tried, because others failed before it: it is given out before them next time.
    pub(super) fn postponed(&mut self, path: &Path, now: Timestamp) {
        if let Some(watched) = self.files.get_mut(path) {
            let until = now.plus_ms(RETRY_MS_MIN);
            watched.phase = Phase::Waiting { until };
        }
    }

    /// Returns when the next look may give out a file; none while there is nothing to wait for.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.files
            .values()
            .filter_map(|watched| self.due_of(watched))
            .min()
    }

    /// Those that failed stand behind, so that they hold nobody up for ever.
    fn give(&mut self, mut ready: Vec<(u32, Seen)>) -> Vec<Seen> {
        ready.sort_unstable_by(|(failed, a), (failures, b)| {
            (failed, a.stamp.modified_ns, &a.path).cmp(&(failures, b.stamp.modified_ns, &b.path))
        });
        ready.truncate(GIVEN_PER_LOOK_MAX);
        for (_, file) in &ready {
            if let Some(watched) = self.files.get_mut(&file.path) {
                watched.phase = Phase::Given;
            }
        }
        ready.into_iter().map(|(_, file)| file).collect()
    }

    fn due_of(&self, watched: &Watched) -> Option<Timestamp> {
        match watched.phase {
            Phase::Quiet { since } => Some(since.plus_ms(self.settle_ms + watched.patience_ms)),
            Phase::Given => None,
            Phase::Waiting { until } => Some(until),
        }
    }
}

/// 5 s doubled seven times is past ten minutes.
const RETRY_DOUBLINGS_MAX: u32 = 7;

impl Watched {
    fn new(file: &Seen, now: Timestamp) -> Self {
        // What stands alone may have come before its document.
        let patience_ms = if is_beside(&file.path) {
            ALONE_MS_MAX
        } else {
            0
        };
        Self {
            stamp: file.stamp,
            beside: file.beside.as_ref().map(|one| one.stamp),
            patience_ms,
            phase: Phase::Quiet { since: now },
            failures: 0,
        }
    }

    /// A clock that was set back must not make a file wait for the time that it comes round again.
    fn not_after(mut self, now: Timestamp) -> Self {
        match &mut self.phase {
            Phase::Quiet { since } => *since = now.min(*since),
            Phase::Waiting { until } => *until = now.plus_ms(RETRY_MS_MAX).min(*until),
            Phase::Given => {}
        }
        self
    }
}

/// Tells whether a file or folder is none of ours: in the rejected folder, temporary, or litter.
///
/// The path is within the firm's folder. Names are compared without case, as their writers do.
pub fn is_left_alone(path: &Path) -> bool {
    let mut names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let first = names.clone().next();
    first.is_some_and(|name| name.eq_ignore_ascii_case(REJECTED)) || names.any(is_unfinished)
}

/// Tells whether a file that is left alone may be a document whose writer still has to give it its name: not in the
/// rejected folder, and no litter.
pub(super) fn may_get_its_name(path: &Path) -> bool {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let name = path.file_name().unwrap_or_default();
    !is_left_alone(folder)
        && !name.eq_ignore_ascii_case(REJECTED)
        && !is_litter(&name.to_string_lossy())
}

fn is_unfinished(name: &OsStr) -> bool {
    is_temporary(&name.to_string_lossy())
}

#[cfg(test)]
mod property;

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const SETTLE_MS: i64 = 2_000;

    pub(super) fn stamp(version: u64) -> Stamp {
        Stamp {
            modified_ns: 0,
            bytes: version,
            device: 1,
            inode: 1,
        }
    }

    pub(super) fn seen(path: &str, version: u64) -> Seen {
        Seen {
            path: path.into(),
            stamp: stamp(version),
            beside: None,
        }
    }

    /// Looks at one file, and tells whether it was given out.
    fn given(settling: &mut Settling, version: u64, at: i64) -> bool {
        !settling
            .look(vec![seen("F-1.xml", version)], Timestamp(at))
            .is_empty()
    }

    #[test]
    fn a_file_that_is_being_written_is_left_alone() {
        let mut settling = Settling::new(2_000);

        for second in 0..20 {
            assert!(!given(&mut settling, 100 + second, 1_000 * second as i64));
        }

        assert!(!given(&mut settling, 119, 20_999));
        assert!(given(&mut settling, 119, 21_000));
    }

    #[test]
    fn a_file_is_given_out_once_until_it_changes() {
        let mut settling = Settling::new(2_000);
        given(&mut settling, 1, 0);
        assert!(given(&mut settling, 1, 2_000));

        assert!(!given(&mut settling, 1, 9_000));
        assert!(!given(&mut settling, 2, 10_000));
        assert!(given(&mut settling, 2, 12_000));
    }

    #[test]
    fn a_second_copy_of_a_file_that_was_taken_settles_anew() {
        let mut settling = Settling::new(2_000);
        given(&mut settling, 1, 0);
        assert!(given(&mut settling, 1, 2_000));
        settling.forget(Path::new("F-1.xml"));

        // The very same stamp: a file system gives a freed inode to the next file.
        assert!(!given(&mut settling, 1, 2_100));
        assert!(given(&mut settling, 1, 4_100));
    }

    #[test]
    fn a_file_that_failed_waits_longer_each_time_but_never_for_ever() {
        let mut settling = Settling::new(2_000);
        given(&mut settling, 1, 0);
        let (mut now, mut waits) = (2_000, Vec::new());
        for _ in 0..10 {
            assert!(given(&mut settling, 1, now));
            settling.failed(Path::new("F-1.xml"), Timestamp(now));
            let due = settling.due().unwrap().0;
            assert!(!given(&mut settling, 1, due - 1));
            waits.push((due - now) / 1_000);
            now = due;
        }

        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]);
    }

    #[test]
    fn a_file_that_was_held_up_by_others_goes_before_them_next_time() {
        let mut settling = Settling::new(2_000);
        let look = |settling: &mut Settling, at| {
            let files = settling.look(vec![seen("bad.xml", 1), seen("good.xml", 1)], Timestamp(at));
            let names = files.iter().map(|file| file.path.display().to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        look(&mut settling, 0);
        assert_eq!(look(&mut settling, 2_000), "bad.xml good.xml");

        settling.failed(Path::new("bad.xml"), Timestamp(2_000));
        settling.postponed(Path::new("good.xml"), Timestamp(2_000));

        assert_eq!(look(&mut settling, 7_000), "good.xml bad.xml");
    }

    #[test]
    fn a_clock_that_is_set_back_delays_by_one_settle_time_only() {
        let mut settling = Settling::new(2_000);
        given(&mut settling, 1, 1_000_000);

        assert!(!given(&mut settling, 1, 500));
        assert!(given(&mut settling, 1, 2_500));
    }

    #[test]
    fn a_settle_time_below_the_limit_is_the_limit() {
        let mut settling = Settling::new(SETTLE_MS_MIN - 1);
        given(&mut settling, 1, 0);

        assert!(!given(&mut settling, 1, i64::from(SETTLE_MS_MIN) - 1));
        assert!(given(&mut settling, 1, i64::from(SETTLE_MS_MIN)));
    }

    #[test]
    fn thousands_at_once_are_all_given_out_a_part_at_a_look() {
        let mut settling = Settling::new(2_000);
        let names: Vec<_> = (0..5_000).map(|n| format!("F-{n}.xml")).collect();
        let look = || names.iter().map(|name| seen(name, 1)).collect::<Vec<_>>();
        settling.look(look(), Timestamp(0));

        let mut out = Vec::new();
        while settling.due().is_some() {
            let files = settling.look(look(), Timestamp(2_000));
            assert!((1..=GIVEN_PER_LOOK_MAX).contains(&files.len()));
            out.extend(files.into_iter().map(|file| file.path));
        }

        out.sort();
        out.dedup();
        assert_eq!(out.len(), 5_000);
    }

    #[test]
    fn what_vanishes_is_forgotten() {
        let mut settling = Settling::new(2_000);
        given(&mut settling, 1, 0);

        settling.look(Vec::new(), Timestamp(1_000));

        assert!(settling.files.is_empty());
        assert!(!given(&mut settling, 1, 2_000));
    }

    #[test]
    fn the_table_of_names_that_are_left_alone() {
        #[rustfmt::skip]
        let table = [
            ("F-1.xml", false), ("sub/F-1.xml", false), ("F-1.part.xml", false), ("sub/rejected/F-1.xml", false),
            ("rejectedF.xml", false), ("parts/F.xml", false), ("F~1.xml", false), ("part", false),
            ("F-1.xml.part", true), ("F-1.xml.filepart", true), ("F-1.TMP", true), ("F-1.xml.partial", true),
            ("F-1.xml.CrDownload", true), (".F-1.xml", true), ("~F-1.xml", true), ("F-1.xml~", true),
            ("~$F-1.xlsx", true), ("Thumbs.db", true), ("sub/DESKTOP.INI", true), (".trash/F-1.xml", true),
            ("#recycle/F-1.xml", true), ("rejected/F-1.xml", true), ("Rejected/sub/F-1.xml", true),
        ];
        for (path, expected) in table {
            assert_eq!(is_left_alone(Path::new(path)), expected, "{path}");
        }
    }
}
