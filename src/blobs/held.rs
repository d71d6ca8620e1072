//! Through which folder are blobs written, wherever that is now?
//!
//! Where another folder stands at its path, what is written goes into the one that was opened.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use super::Error;
use crate::birth::Birth;

/// The folder of the blobs, held open.
#[derive(Debug)]
pub(super) struct Held {
    birth: Birth,
    /// While it is open no other folder gets its number, and `umount` refuses.
    opened: File,
}

impl Held {
    /// Opens the folder as it is now.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let opened = File::open(folder)?;
        Ok(Self {
            birth: Birth::of_opened(folder, &opened)?,
            opened,
        })
    }

    /// Returns a path to the folder that was opened, wherever it is now: what is written through it does not
    /// land in another one that stands in its place for a moment.
    pub(super) fn path(&self) -> PathBuf {
        let held = PathBuf::from(format!("/proc/self/fd/{}", self.opened.as_raw_fd()));
        if held.exists() {
            held
        } else {
            self.birth.path().to_owned()
        }
    }

    /// Says whether it is the folder still that it was.
    pub(super) fn stands(&self) -> Result<(), Error> {
        self.birth
            .stands()
            .map_err(|moved| Error::Moved { why: moved.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_folder_at_the_same_path_is_not_the_one_that_was_opened() {
        let above = tempfile::tempdir().unwrap();
        let (folder, aside) = (above.path().join("blobs"), above.path().join("aside"));
        std::fs::create_dir(&folder).unwrap();
        let held = Held::open(&folder).unwrap();
        assert!(held.stands().is_ok());

        std::fs::rename(&folder, &aside).unwrap();
        assert!(held.stands().is_err());
        std::fs::create_dir(&folder).unwrap();
        assert!(held.stands().is_err());
        std::fs::write(held.path().join("x"), "x").unwrap();
        assert!(aside.join("x").exists() && !folder.join("x").exists());
        std::fs::remove_file(aside.join("x")).unwrap();

        std::fs::remove_dir(&folder).unwrap();
        std::fs::rename(&aside, &folder).unwrap();
        assert!(held.stands().is_ok());
        // Removed for good: the next one does not get its number.
        std::fs::remove_dir(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        assert!(held.stands().is_err());
    }
}
