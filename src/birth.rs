//! Is what stands at a path still what was opened there?
//!
//! A disk may be unmounted, and a file or folder moved away, under the running server. What is written then goes
//! into what nobody finds any more, or into an empty folder in its place, and is lost when the right one is back.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Which file or folder it was when it was opened.
#[derive(Debug, Clone)]
pub struct Birth {
    path: PathBuf,
    /// None where nothing could be learned of it then.
    identity: Option<Identity>,
}

/// The device and the number on it, which are its own whatever it is called (stat(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

/// Something else stands there, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Moved(pub String);

impl Birth {
    /// Takes what stands at `path` now; where that cannot be learned, whatever stands there later is right.
    pub fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            identity: std::fs::metadata(path).ok().as_ref().map(identity),
        }
    }

    /// Takes what was opened at `path`, and is held open, so that nothing else gets its number.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    pub fn of_opened(path: &Path, opened: &std::fs::File) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: Some(identity(&opened.metadata()?)),
        })
    }

    /// Returns where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says whether it stands there still.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn stands(&self) -> Result<(), Moved> {
        let Some(born) = self.identity else {
            return Ok(());
        };
        let path = self.path.display();
        Err(Moved(match std::fs::metadata(&self.path) {
            Ok(found) if identity(&found) == born => return Ok(()),
            Ok(_) => format!("`{path}` is another one than when it was opened"),
            Err(failed) => format!("`{path}` is not there any more: {failed}"),
        }))
    }
}

fn identity(found: &Metadata) -> Identity {
    Identity(found.dev(), found.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_one_at_the_same_path_is_not_the_one_that_was_opened() {
        let above = tempfile::tempdir().unwrap();
        let (path, aside) = (above.path().join("catalog"), above.path().join("aside"));
        assert!(Birth::of(&path).stands().is_ok());
        std::fs::write(&path, "1").unwrap();
        let birth = Birth::of(&path);
        assert!(birth.stands().is_ok());

        std::fs::rename(&path, &aside).unwrap();
        let gone = birth.stands().unwrap_err().to_string();
        assert!(gone.contains("is not there any more"), "{gone}");
        std::fs::write(&path, "1").unwrap();
        let other = birth.stands().unwrap_err().to_string();
        assert!(other.contains("is another one"), "{other}");

        std::fs::rename(&aside, &path).unwrap();
        assert!(birth.stands().is_ok());
    }
}
