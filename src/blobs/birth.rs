//! Is the folder of the blobs still the one that was opened?
//!
//! Where a disk is unmounted, or a folder moved away, under the running server, another folder may stand at its
//! path: an empty one, mostly. What is written there is lost when the disk is back.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Error;

/// Which folder it was when it was opened.
#[derive(Debug)]
pub(super) struct Birth {
    folder: PathBuf,
    identity: (u64, u64),
    /// While it is open no other folder gets its number, and `umount` refuses.
    opened: File,
}

impl Birth {
    /// Opens the folder as it is now.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let opened = File::open(folder)?;
        let found = opened.metadata()?;
        Ok(Self {
            folder: folder.to_owned(),
            identity: (found.dev(), found.ino()),
            opened,
        })
    }

    /// Returns a path to the folder that was opened, wherever it is now: what is written through it does not
    /// land in another one that stands in its place for a moment.
    pub(super) fn held(&self) -> PathBuf {
        let held = PathBuf::from(format!("/proc/self/fd/{}", self.opened.as_raw_fd()));
        if held.exists() {
            held
        } else {
            self.folder.clone()
        }
    }

    /// Says whether it is the folder still that it was.
    pub(super) fn stands(&self) -> Result<(), Error> {
        let folder = self.folder.display();
        let why = match std::fs::metadata(&self.folder) {
            Ok(found) if (found.dev(), found.ino()) == self.identity => return Ok(()),
            Ok(_) => format!("`{folder}` is another folder than when it was opened"),
            Err(failed) => format!("`{folder}` is not there any more: {failed}"),
        };
        Err(Error::Moved { why })
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
        let birth = Birth::of(&folder).unwrap();
        assert!(birth.stands().is_ok());

        std::fs::rename(&folder, &aside).unwrap();
        assert!(birth.stands().is_err());
        std::fs::create_dir(&folder).unwrap();
        assert!(birth.stands().is_err());
        std::fs::write(birth.held().join("x"), "x").unwrap();
        assert!(aside.join("x").exists() && !folder.join("x").exists());
        std::fs::remove_file(aside.join("x")).unwrap();

        std::fs::remove_dir(&folder).unwrap();
        std::fs::rename(&aside, &folder).unwrap();
        assert!(birth.stands().is_ok());
        // Removed for good: the next one does not get its number.
        std::fs::remove_dir(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        assert!(birth.stands().is_err());
    }
}
