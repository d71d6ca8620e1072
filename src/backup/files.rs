//! How is a file copied so that it survives a power cut, and known to be the same?

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::manifest::Part;
use crate::model::Digest;

/// How many bytes are copied at a time.
const BLOCK_BYTES: usize = 256 * 1024;

/// Copies a file to a new one that its owner alone may read, and syncs it; returns what it is, as `path` in
/// the backup.
pub(super) fn copy(from: &Path, to: &Path, path: &str) -> io::Result<Part> {
    let mut into = new_file(to)?;
    let part = stream(from, path, |block| into.write_all(block))?;
    into.sync_all()?;
    Ok(part)
}

/// Reads a file; returns what it is, as `path` in the backup.
pub(super) fn read(file: &Path, path: &str) -> io::Result<Part> {
    stream(file, path, |_| Ok(()))
}

/// Writes a new file that its owner alone may read, and syncs it.
pub(super) fn write(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = new_file(to)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Syncs a file or folder that somebody else has written.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Of a folder into which its owner alone may look.
pub(super) const PRIVATE: u32 = 0o700;

/// Of a folder of the house, as `sluis init` makes it: producers may be of its group.
pub(super) const HOUSE: u32 = 0o750;

/// Makes a folder of this mode, and those above it.
pub(super) fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
}

fn new_file(to: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(to)
}

fn stream(
    from: &Path,
    path: &str,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Part> {
    let mut file = File::open(from)?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let got = file.read(&mut block)?;
        let read = block.get(..got).unwrap_or_default();
        if read.is_empty() {
            return Ok(Part {
                path: path.to_owned(),
                sha256: Digest::from_hasher(hasher).to_string(),
                bytes,
            });
        }
        hasher.update(read);
        take(read)?;
        bytes += got as u64;
    }
}
