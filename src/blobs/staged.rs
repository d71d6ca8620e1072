//! Where does a blob lie for the moment before it takes another's place, and who clears that up?
//!
//! In a folder of its own, so that what a killed process left there is found without looking through all blobs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many names this process has given out.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The folder, in that of the blobs.
pub(super) fn folder(blobs: &Path) -> PathBuf {
    blobs.join("staged")
}

/// A name there that nobody else uses, for what will take the place of `target`: `DIGEST-PROCESS#NUMBER`, which
/// listings of the store leave out.
pub(super) fn name(blobs: &Path, target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    let nth = COUNT.fetch_add(1, Ordering::Relaxed);
    name.push(format!("-{}#{nth}", std::process::id()));
    folder(blobs).join(name)
}

/// Removes what processes have left there that are no more. What another one needs a moment longer is its own.
pub(super) fn clear(blobs: &Path) {
    for entry in fs::read_dir(folder(blobs)).into_iter().flatten().flatten() {
        if is_left(&entry.file_name().to_string_lossy()) {
            // What cannot be removed now is found again at the next start.
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn is_left(name: &str) -> bool {
    let whose = name.rsplit_once('-').and_then(|(_, of)| of.split_once('#'));
    let Some((process, nth)) = whose else {
        return false;
    };
    if process == std::process::id().to_string() {
        // In a container each process after a restart has the number of the one before.
        return nth
            .parse()
            .is_ok_and(|nth: u64| nth >= COUNT.load(Ordering::Relaxed));
    }
    !Path::new("/proc").join(process).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_cleared_and_what_a_live_one_uses_is_not() {
        let blobs = tempfile::tempdir().unwrap();
        fs::create_dir(folder(blobs.path())).unwrap();
        let ours = name(blobs.path(), Path::new("x/0abc"));
        let before_us = folder(blobs.path()).join(format!("0abc-{}#4711", std::process::id()));
        let of_another = folder(blobs.path()).join("0abc-1#3");
        // Numbers of processes end at 4 million (proc(5), pid_max).
        let of_a_dead_one = folder(blobs.path()).join("0abc-4999999#3");
        for file in [&ours, &before_us, &of_another, &of_a_dead_one] {
            fs::write(file, "x").unwrap();
        }

        clear(blobs.path());

        assert!(ours.exists() && of_another.exists());
        assert!(!before_us.exists() && !of_a_dead_one.exists());
    }
}
