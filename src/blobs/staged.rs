//! Where does a blob lie for the moment before it takes another's place, and who clears that up?
//!
//! In a folder of its own, so that what a killed process left there is found without looking through all blobs.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::model::Timestamp;

/// After how long nobody can be about to give it its name, in milliseconds: an hour. It takes as long as a sync.
const LEFT_MS: i64 = 60 * 60 * 1000;

/// The name of the folder.
pub(super) const FOLDER: &str = "staged";

/// The folder, in that of the blobs.
pub(super) fn folder(blobs: &Path) -> PathBuf {
    blobs.join(FOLDER)
}

/// A name there that nobody else uses, whatever process and container it is in, for what will take the place of
/// `target`: `DIGEST#NUMBER`, as what the store itself leaves.
pub(super) fn name(blobs: &Path, target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!("#{}", RandomState::new().hash_one(0)));
    folder(blobs).join(name)
}

/// Removes what was left there.
pub(super) fn clear(blobs: &Path, now: Timestamp) {
    for entry in fs::read_dir(folder(blobs)).into_iter().flatten().flatten() {
        // Of a link that time is when it was made, though its bytes are older.
        let is_left = entry
            .metadata()
            .is_ok_and(|found| found.ctime().saturating_mul(1000) < now.0 - LEFT_MS);
        if is_left {
            // What cannot be removed now is found again the next time.
            drop(fs::remove_file(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_cleared_and_what_somebody_needs_is_not() {
        let blobs = tempfile::tempdir().unwrap();
        fs::create_dir(folder(blobs.path())).unwrap();
        let left = name(blobs.path(), Path::new("x/0abc"));
        assert_ne!(left, name(blobs.path(), Path::new("x/0abc")));
        fs::write(&left, "x").unwrap();
        let made = Timestamp(fs::metadata(&left).unwrap().ctime() * 1000);

        clear(blobs.path(), made.plus_ms(LEFT_MS));
        assert!(left.exists());
        clear(blobs.path(), made.plus_ms(LEFT_MS + 1));
        assert!(!left.exists());
    }
}
