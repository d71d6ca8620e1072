//! What may a backup write into, and what may it remove there?
//!
//! Into an empty folder, or one in which nothing lies but what backups have left. Whoever names the wrong one
//! loses nothing there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::{Manifest, Part};
use super::unlisted::{UNLISTED, UNLISTED_PART};
use super::{BLOBS, Error, MANIFEST, files};

/// What the first backup into a folder makes first, and locks while it is at work.
const LOCK: &str = "backup.lock";

/// A manifest that is not written to its end.
const MANIFEST_PART: &str = "backup.json.part";

/// A folder that holds a backup, or may, and nobody else's: kept so until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// Where it is, whatever links lead there.
    pub(super) folder: PathBuf,
    _alone: fs::File,
}

impl Place {
    /// Makes the folder `to` if it is missing, and takes it for a backup of what lies in `kept`.
    pub(super) fn take(to: &Path, kept: [&Path; 2]) -> Result<Self, Error> {
        files::make_folder(to, files::PRIVATE).map_err(Error::file("make the folder", to))?;
        let folder = elsewhere(to, kept)?;
        check_ours(&folder)?;
        let alone = hold(&folder)?;
        let blobs = folder.join(BLOBS);
        files::make_folder(&blobs, files::PRIVATE)
            .map_err(Error::file("make the folder", &blobs))?;
        // A link there would have the originals taken for copies.
        elsewhere(&blobs, kept)?;
        Ok(Self {
            folder,
            _alone: alone,
        })
    }

    /// The folder of its contents.
    pub(super) fn blobs(&self) -> PathBuf {
        self.folder.join(BLOBS)
    }

    /// Returns what the backup that counts consists of, if there is one.
    pub(super) fn manifest(&self) -> Result<Option<Manifest>, Error> {
        let manifest = self.folder.join(MANIFEST);
        match fs::read_to_string(&manifest) {
            Ok(text) => Manifest::parse(&text).map(Some).map_err(|why| {
                Error::Refused(format!(
                    "`{}` is no manifest of a backup ({why}): move it away, or name another folder",
                    manifest.display()
                ))
            }),
            Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(failed) => Err(Error::file("read", &manifest)(failed)),
        }
    }

    /// From here on the backup of this manifest is the one that counts.
    pub(super) fn put_manifest(&self, manifest: &Manifest) -> Result<(), Error> {
        let to = &self.folder;
        let (part, whole) = (to.join(MANIFEST_PART), to.join(MANIFEST));
        let written = serde_json::to_vec_pretty(manifest)
            .map_err(io::Error::other)
            .and_then(|text| files::write(&part, &text))
            .and_then(|()| files::sync(to))
            .and_then(|()| fs::rename(&part, &whole))
            .and_then(|()| files::sync(to));
        written.map_err(Error::file("write", &whole))
    }

    /// Removes what belongs to no backup that counts: what an interrupted one left, or the one before.
    pub(super) fn sweep(&self, counts: Option<&Manifest>) -> Result<(), Error> {
        let parts = counts
            .into_iter()
            .flat_map(|read| read.house.iter().chain([&read.catalog]));
        let first = |part: &Part| part.path.split('/').next().unwrap_or_default().to_owned();
        let counts: Vec<String> = parts.map(first).collect();
        for (name, path) in entries(&self.folder)? {
            if !is_swept(&name) || counts.contains(&name) {
                continue;
            }
            let removed = match path.symlink_metadata() {
                Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
                _ => fs::remove_file(&path),
            };
            removed.map_err(Error::file("remove", &path))?;
        }
        Ok(())
    }
}

/// Nobody's backup is in his own data, nor the other way round, whatever links lead there.
fn elsewhere(to: &Path, kept: [&Path; 2]) -> Result<PathBuf, Error> {
    let to = to.canonicalize().map_err(Error::file("find", to))?;
    for data in kept {
        let data = data.canonicalize().map_err(Error::file("find", data))?;
        if to.starts_with(&data) || data.starts_with(&to) {
            let text = format!(
                "a backup in `{}` would be lost with the data in `{}`: name a folder elsewhere, on another disk",
                to.display(),
                data.display()
            );
            return Err(Error::Refused(text));
        }
    }
    Ok(to)
}

/// A backup removes what no document names. In somebody else's folder, as the data of another house, that is
/// everything.
fn check_ours(to: &Path) -> Result<(), Error> {
    let entries = entries(to)?;
    let has = |wanted: &str| entries.iter().any(|(name, _)| name == wanted);
    if has(MANIFEST) {
        return Ok(());
    }
    // The first backup was interrupted, or is being made now; without the lock nothing there is of a backup.
    let is_ours =
        |name: &str| has(LOCK) && ([LOCK, BLOBS, UNLISTED].contains(&name) || is_swept(name));
    let mut others = entries.iter().filter(|(name, _)| !is_ours(name));
    // What every disk has that was just formatted.
    match others.find(|(name, _)| name != "lost+found") {
        None => Ok(()),
        Some((_, path)) => Err(Error::Refused(format!(
            "`{}` is no backup, and holds `{}`: name an empty folder, or that of a backup",
            to.display(),
            path.display()
        ))),
    }
}

/// Keeps a second backup out, until the value is dropped.
fn hold(to: &Path) -> Result<fs::File, Error> {
    let path = to.join(LOCK);
    let file = fs::File::create(&path).map_err(Error::file("write", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(Error::Refused(format!(
            "another backup goes to `{}` now: wait for its end",
            to.display()
        ))),
    }
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let read = fs::read_dir(folder).and_then(|entries| {
        let named = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, entry.path())
        };
        entries.map(|entry| entry.map(named)).collect()
    });
    read.map_err(Error::file("read the folder", folder))
}

/// Says whether something of this name is of one backup alone, and goes with it.
fn is_swept(name: &str) -> bool {
    let numbered = |start: &str| name.strip_prefix(start).map(after_digits);
    // SQLite's own file beside a catalog is left where its writing was interrupted.
    let catalog = matches!(
        numbered("catalog-"),
        Some(Some(".sqlite" | ".sqlite-journal"))
    );
    let part = [MANIFEST_PART, UNLISTED_PART].contains(&name);
    catalog || numbered("house-") == Some(Some("")) || part
}

/// Returns what follows the digits with which a name begins, if it begins with any.
fn after_digits(name: &str) -> Option<&str> {
    let rest = name.trim_start_matches(|letter: char| letter.is_ascii_digit());
    (rest.len() < name.len()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_backup_has_named_is_swept() {
        for ours in [
            "catalog-1767225600000.sqlite",
            "catalog-1.sqlite-journal",
            "house-1767225600000",
            "backup.json.part",
        ] {
            assert!(is_swept(ours), "{ours}");
        }
        for other in [
            "house-photos",
            "house-",
            "house-1a",
            "catalog-2026.pdf",
            "catalog-.sqlite",
            "catalog-old.sqlite",
            "backup.json",
            "blobs",
        ] {
            assert!(!is_swept(other), "{other}");
        }
    }

    #[test]
    fn a_folder_is_taken_that_is_empty_or_whose_first_backup_was_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let (data, to) = (folder.path().join("data"), folder.path().join("to"));
        fs::create_dir(&data).unwrap();
        fs::create_dir_all(to.join("lost+found")).unwrap();
        let take = || Place::take(&to, [&data, &data]);

        take().unwrap();
        fs::write(to.join("catalog-1.sqlite"), "half").unwrap();
        take().unwrap().sweep(None).unwrap();
        assert!(!to.join("catalog-1.sqlite").exists());
        // The same names, and nobody has begun a backup there.
        fs::remove_file(to.join(LOCK)).unwrap();
        let refused = take().unwrap_err().to_string();
        assert!(refused.contains("is no backup, and holds"), "{refused}");
        assert!(!to.join(LOCK).exists(), "it leaves nothing");
        fs::remove_dir(to.join(BLOBS)).unwrap();
        take().unwrap();
        fs::write(to.join("notes.txt"), "mine").unwrap();
        assert!(take().is_err());
        fs::write(to.join(MANIFEST), "{}").unwrap();
        take().unwrap();
    }
}
