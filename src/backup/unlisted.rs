//! Which contents lie in a backup that its catalog does not name?
//!
//! While the catalog is damaged its documents are kept in the backup before, whose catalog knows nothing of them: they
//! may be all that is left. `unlisted.txt` names their files, a line each, until a catalog names them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{BLOBS, Error, files};
use crate::blobs;
use crate::model::Digest;

/// The list.
pub(super) const UNLISTED: &str = "unlisted.txt";

/// A list that is not written to its end.
pub(super) const UNLISTED_PART: &str = "unlisted.txt.part";

/// Returns what the list in the folder `backup` names.
pub(super) fn read(backup: &Path) -> Result<BTreeSet<Digest>, Error> {
    let file = backup.join(UNLISTED);
    let text = match fs::read_to_string(&file) {
        Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        read => read.map_err(Error::file("read", &file))?,
    };
    let name = |line: &str| line.rsplit('/').next()?.parse().ok();
    Ok(text.lines().filter_map(name).collect())
}

/// Adds to the list, and takes off what a catalog names. Returns what it names then.
pub(super) fn note(
    backup: &Path,
    more: &[(Digest, u64)],
    named: &[(Digest, u64)],
) -> Result<BTreeSet<Digest>, Error> {
    let before = read(backup)?;
    let mut all = before.clone();
    all.extend(more.iter().map(|(digest, _)| *digest));
    for (digest, _) in named {
        all.remove(digest);
    }
    if all != before {
        write(backup, &all).map_err(Error::file("write", &backup.join(UNLISTED)))?;
    }
    Ok(all)
}

/// Says how many of those that the list names are there, beside what the catalog names.
pub(super) fn count(backup: &Path, named: &[(Digest, u64)]) -> Result<usize, Error> {
    let mut all = read(backup)?;
    for (digest, _) in named {
        all.remove(digest);
    }
    let is_there = |digest: &&Digest| backup.join(path(**digest)).exists();
    Ok(all.iter().filter(is_there).count())
}

fn write(backup: &Path, all: &BTreeSet<Digest>) -> io::Result<()> {
    let (part, whole) = (backup.join(UNLISTED_PART), backup.join(UNLISTED));
    if all.is_empty() {
        fs::remove_file(&whole)?;
        return files::sync(backup);
    }
    let text: String = all.iter().map(|one| path(*one) + "\n").collect();
    files::write(&part, text.as_bytes())?;
    fs::rename(&part, &whole)?;
    files::sync(backup)
}

/// Where a content lies in a backup.
fn path(digest: Digest) -> String {
    format!("{BLOBS}/{}", blobs::path(digest))
}
