//! Which blobs are there, and what else lies among them?

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use super::{path, staged};
use crate::model::Digest;

/// The blobs with their sizes in bytes, and the names of files that are none.
pub(super) type Listed = (Vec<(Digest, u64)>, Vec<String>);

/// What a disk of its own has at its top, which its owner alone may look into.
const LOST_AND_FOUND: &str = "lost+found";

/// Returns every blob in a folder with its size, in order, and the names of what is none.
pub(super) fn list(folder: &Path) -> io::Result<Listed> {
    let (mut blobs, mut strangers) = (Vec::new(), Vec::new());
    for name in names(folder)? {
        let shown = name.to_string_lossy().into_owned();
        if name == LOST_AND_FOUND || name == staged::FOLDER {
            continue;
        }
        if !is_of_two_digits(&shown) || !folder.join(&name).is_dir() {
            strangers.push(shown);
            continue;
        }
        for inner in names(&folder.join(&name))? {
            let within = format!("{shown}/{}", inner.to_string_lossy());
            match size(&folder.join(&name).join(&inner))? {
                None => {}
                Some(Size::Bytes(bytes)) if let Some(digest) = digest_at(&within) => {
                    blobs.push((digest, bytes));
                }
                Some(_) => strangers.push(within),
            }
        }
    }
    blobs.sort_unstable();
    strangers.sort_unstable();
    Ok((blobs, strangers))
}

enum Size {
    Bytes(u64),
    NoFile,
}

/// None where it was removed meanwhile.
fn size(file: &Path) -> io::Result<Option<Size>> {
    match fs::metadata(file) {
        Ok(found) if found.is_file() => Ok(Some(Size::Bytes(found.len()))),
        Ok(_) => Ok(Some(Size::NoFile)),
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(failed) => Err(failed),
    }
}

/// Returns the digest whose blob lies there, if any does.
fn digest_at(within: &str) -> Option<Digest> {
    let digest: Digest = within.split_once('/')?.1.parse().ok()?;
    (path(digest).as_ref() == within).then_some(digest)
}

fn is_of_two_digits(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let entries = fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.file_name())).collect()
}
