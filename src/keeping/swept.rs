//! How far has a run come that removes blobs, and is it worth going on?

use std::collections::BTreeMap;

use tracing::warn;

use crate::model::Digest;

/// After how many failures in one folder of blobs, with no success, the rest of it is not tried: it may be another
/// user's.
const FAILURES_IN_A_ROW_MAX: usize = 8;

/// After how many folders in which removing failed, with no success between, a run is over: the fault is the disk's, and
/// whoever tries all of a hundred thousand blobs at it has a log that nobody reads.
const FAILING_FOLDERS_MAX: usize = 8;

/// What became of the blobs of a run.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// How many were removed.
    pub(super) removed: u64,
    /// How many could not be.
    pub(super) failed: u64,
    /// Why the first could not be removed.
    why: Option<String>,
    /// How many failed since the last that was removed, by their folder.
    in_a_row: BTreeMap<u8, usize>,
}

impl Swept {
    /// Notes that one was removed.
    pub(super) fn success(&mut self) {
        self.removed += 1;
        self.in_a_row.clear();
    }

    /// Notes that one could not be removed.
    pub(super) fn failure(&mut self, digest: Digest, why: impl FnOnce() -> String) {
        self.failed += 1;
        self.why.get_or_insert_with(why);
        *self.in_a_row.entry(folder(digest)).or_default() += 1;
    }

    /// Says whether this one is left for a later run.
    pub(super) fn skips(&self, digest: Digest) -> bool {
        let failed = self.in_a_row.get(&folder(digest));
        self.is_over() || failed.is_some_and(|failed| *failed >= FAILURES_IN_A_ROW_MAX)
    }

    /// Says whether all that are left are left for a later run.
    pub(super) fn is_over(&self) -> bool {
        self.in_a_row.len() >= FAILING_FOLDERS_MAX
    }

    /// Tells once what could not be removed, however much it is.
    pub(super) fn tell(&self) {
        if let Some(told) = self.told() {
            warn!("{told}");
        }
    }

    fn told(&self) -> Option<String> {
        let why = self.why.as_ref()?;
        let rest = if self.is_over() {
            ", as are those that were not tried for it"
        } else {
            ""
        };
        Some(format!(
            "The bytes of {} expired documents stay until they can be removed, the first for this: {why}; they are tried again in an hour{rest}",
            self.failed
        ))
    }
}

/// The folder in which a blob lies.
fn folder(digest: Digest) -> u8 {
    digest.as_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(folder: u8) -> Digest {
        format!("{folder:02x}{:062}", 0).parse().unwrap()
    }

    #[test]
    fn a_folder_that_refuses_is_left_and_a_disk_that_does_ends_the_run() {
        let mut swept = Swept::default();
        for at in 0..FAILURES_IN_A_ROW_MAX {
            assert!(!swept.skips(blob(0)), "{at}");
            swept.failure(blob(0), || format!("why {at}"));
        }
        assert!(swept.skips(blob(0)) && !swept.skips(blob(1)));
        swept.success();
        for at in 1..=FAILING_FOLDERS_MAX {
            assert!(!swept.is_over(), "{at}");
            swept.failure(blob(u8::try_from(at).unwrap()), String::new);
        }
        assert!(swept.is_over() && swept.skips(blob(0xff)));
        let told = swept.told().unwrap();
        assert!(told.contains("of 16 expired") && told.contains("for this: why 0;"));
        assert_eq!(Swept::default().told(), None);
    }
}
