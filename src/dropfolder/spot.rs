//! How is a file of a drop folder reached, so that nobody leads the way to it elsewhere?
//!
//! Whoever may write there can put a link in the place of a folder at any time, also between two looks at
//! the same path. So a path is walked folder by folder, none of which may be a link, and the last one is
//! held open: from then on a file is a name in it, which leads nowhere else.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, RenameFlags};
use rustix::fs::{linkat, mkdirat, openat, renameat, renameat_with, unlinkat};
use rustix::io::{Errno, retry_on_intr};

/// What every opening here has in common.
const NO_LINK: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

/// How a folder is held: whether its names may be read is asked when they are.
const HELD: OFlags = NO_LINK.union(OFlags::PATH).union(OFlags::DIRECTORY);

/// A folder that is held open.
#[derive(Debug)]
pub(super) struct Held(OwnedFd);

/// A name in a folder that is held open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    folder: &'a Held,
    name: &'a OsStr,
}

impl Held {
    /// Opens a folder. The way to it is the operator's; it is no link itself.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let opened = retry_on_intr(|| openat(CWD, folder, HELD, Mode::empty()))?;
        Ok(Self(opened))
    }

    /// Opens the folder of this name in it, which is no link.
    pub(super) fn folder(&self, name: &OsStr) -> io::Result<Self> {
        let opened = retry_on_intr(|| openat(&self.0, name, HELD, Mode::empty()))?;
        Ok(Self(opened))
    }

    /// Opens the folder in which the file `within` lies, a path within `folder`; none where that is, or is
    /// no longer, a way through folders alone.
    pub(super) fn holding(folder: &Path, within: &Path) -> io::Result<Option<Self>> {
        let walked = || {
            let mut held = Self::open(folder)?;
            for part in within.parent().into_iter().flat_map(Path::components) {
                let Component::Normal(name) = part else {
                    return Err(io::ErrorKind::InvalidInput.into());
                };
                held = held.folder(name)?;
            }
            Ok(held)
        };
        match walked() {
            Ok(held) => Ok(Some(held)),
            Err(other) if is_another_thing(&other) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    /// Returns what is in it, name by name.
    pub(super) fn names(&self) -> io::Result<impl Iterator<Item = io::Result<OsString>> + use<>> {
        let flags = NO_LINK | OFlags::RDONLY | OFlags::DIRECTORY;
        let readable = retry_on_intr(|| openat(&self.0, ".", flags, Mode::empty()))?;
        let entries = Dir::new(readable)?.map(|entry| {
            let entry = entry?;
            Ok(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned())
        });
        Ok(entries.filter(|name| !matches!(name, Ok(name) if name == "." || name == "..")))
    }

    /// Points at a name in it.
    pub(super) fn at<'a>(&'a self, name: &'a OsStr) -> Spot<'a> {
        Spot { folder: self, name }
    }
}

impl<'a> Spot<'a> {
    /// Returns the name.
    pub(super) fn name(self) -> &'a OsStr {
        self.name
    }

    /// Points at another name in the same folder.
    pub(super) fn beside<'b>(self, name: &'b OsStr) -> Spot<'b>
    where
        'a: 'b,
    {
        self.folder.at(name)
    }

    /// Looks at what has the name, and opens nothing.
    pub(super) fn metadata(self) -> io::Result<Metadata> {
        let flags = NO_LINK | OFlags::PATH;
        let found = retry_on_intr(|| openat(&self.folder.0, self.name, flags, Mode::empty()))?;
        File::from(found).metadata()
    }

    /// Opens what has the name, if a file may be. Another thing may have taken its place since it was looked
    /// at: a link is not followed, and the end of a pipe is not waited for.
    pub(super) fn read(self) -> io::Result<Option<File>> {
        let flags = NO_LINK | OFlags::RDONLY | OFlags::NONBLOCK;
        match retry_on_intr(|| openat(&self.folder.0, self.name, flags, Mode::empty())) {
            Ok(file) => Ok(Some(file.into())),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Ok(None),
            Err(failed) => Err(failed.into()),
        }
    }

    /// Makes a file; nothing may have the name.
    pub(super) fn make(self) -> io::Result<File> {
        let flags = NO_LINK | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::from_raw_mode(0o666); // what the process may not give goes off it
        let made = retry_on_intr(|| openat(&self.folder.0, self.name, flags, mode))?;
        Ok(made.into())
    }

    /// Makes a folder; nothing may have the name.
    pub(super) fn make_folder(self) -> io::Result<()> {
        Ok(mkdirat(
            &self.folder.0,
            self.name,
            Mode::from_raw_mode(0o777),
        )?)
    }

    /// Takes the name away from what has it.
    pub(super) fn remove(self) -> io::Result<()> {
        Ok(unlinkat(&self.folder.0, self.name, AtFlags::empty())?)
    }

    /// Gives what has the name another one as well, which nothing may have; of a link, the link.
    pub(super) fn link(self, to: Spot<'_>) -> io::Result<()> {
        let (from, into) = (&self.folder.0, &to.folder.0);
        Ok(linkat(from, self.name, into, to.name, AtFlags::empty())?)
    }

    /// Gives what has the name another one, which nothing may have. Not every file system can.
    pub(super) fn rename_to_free(self, to: Spot<'_>) -> io::Result<()> {
        let (from, into) = (&self.folder.0, &to.folder.0);
        let flags = RenameFlags::NOREPLACE;
        Ok(renameat_with(from, self.name, into, to.name, flags)?)
    }

    /// Gives what has the name another one.
    pub(super) fn rename(self, to: Spot<'_>) -> io::Result<()> {
        let (from, into) = (&self.folder.0, &to.folder.0);
        Ok(renameat(from, self.name, into, to.name)?)
    }
}

/// Whether a folder is gone, or another thing has its place.
fn is_another_thing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_that_is_a_link_is_not_gone_through() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("real/deep")).unwrap();
        symlink("real", root.path().join("link")).unwrap();
        fs::write(root.path().join("file"), "x").unwrap();
        let is_held = |path: &str| {
            Held::holding(root.path(), Path::new(path))
                .unwrap()
                .is_some()
        };

        assert!(is_held("F-1.xml"));
        assert!(is_held("real/deep/F-1.xml"));
        for elsewhere in [
            "link/F-1.xml",
            "link/deep/F-1.xml",
            "file/F-1.xml",
            "gone/F-1.xml",
        ] {
            assert!(!is_held(elsewhere), "{elsewhere}");
        }
        assert!(Held::open(&root.path().join("link")).is_err());
        assert!(Held::holding(root.path(), Path::new("real/../../F-1.xml")).is_err());
    }

    #[test]
    fn a_folder_that_is_held_stays_the_one_that_it_was() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for folder in ["sub", "elsewhere"] {
            fs::create_dir(path(folder)).unwrap();
        }
        let held = Held::holding(root.path(), Path::new("sub/F-1.xml"));
        let held = held.unwrap().unwrap();
        fs::rename(path("sub"), path("moved")).unwrap();
        symlink("elsewhere", path("sub")).unwrap();

        drop(held.at(OsStr::new("F-1.xml")).make().unwrap());

        assert!(path("moved/F-1.xml").exists());
        assert!(!path("elsewhere/F-1.xml").exists());
    }
}
