//! How is a backup made?

use std::fs;
use std::path::{Path, PathBuf};

use super::blobs::{self, Copied, Depth};
use super::manifest::{FORM, Manifest, Part};
use super::{BLOBS, Error, MANIFEST, ROOTS, files};
use crate::app::House;
use crate::audit;
use crate::blobs::Blobs;
use crate::catalog;
use crate::hostkeys;
use crate::model::{Digest, Timestamp};

/// What a backup has become.
#[derive(Debug)]
pub struct Made {
    /// What it consists of.
    pub manifest: Manifest,
    /// What became of the contents.
    pub contents: Copied,
}

/// Keeps everything of `house`, whose configuration is `config`, a second time in `to`.
///
/// # Errors
///
/// When something cannot be copied, another backup goes there now, or the catalog is damaged and that of the
/// backup before is not. Then the backup before is as it was.
pub async fn make(
    house: &House,
    config: &Path,
    to: &Path,
    depth: Depth,
    now: Timestamp,
) -> Result<Made, Error> {
    files::make_folder(to, files::PRIVATE).map_err(Error::file("make the folder", to))?;
    let to = elsewhere(to, &house.config.data)?;
    let blob_folder = to.join(BLOBS);
    files::make_folder(&blob_folder, files::PRIVATE)
        .map_err(Error::file("make the folder", &blob_folder))?;
    let _alone = hold(&to)?;
    let _kept = house.blobs.keep_all()?;
    let before = read_manifest(&to)?;
    sweep(&to, before.as_ref())?;
    let stamp = now.0;
    let name = format!("catalog-{stamp}.sqlite");
    let file = to.join(&name);
    house.catalog.copy_to(&file).await?;
    let faults = audit::faults_of_copy(&file).await?;
    let named = catalog::blobs_named_in(&file).await?;
    let named_before = match &before {
        Some(before) => named_before(&to, before, &file).await?,
        None => Vec::new(),
    };
    let into = Blobs::in_folder(&blob_folder)?;
    let contents = blobs::copy(&house.blobs, &into, &named, depth).await?;
    // The documents that are new are kept in either case.
    if let Some(before) = before.filter(|before| before.faults.is_empty())
        && !faults.is_empty()
    {
        sweep(&to, Some(&before))?;
        return Err(damaged(&to, &before, &faults));
    }
    let (folder, house_files) = (format!("house-{stamp}"), house_files(house, config)?);
    let manifest = Manifest {
        form: FORM.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now.to_string(),
        catalog: sealed(file, name).await?,
        house: copy_house(&to, &folder, house_files)?,
        contents: named.len(),
        bytes: named.iter().map(|(_, bytes)| bytes).sum(),
        lost: contents
            .lost
            .iter()
            .map(|(digest, _)| digest.to_string())
            .collect(),
        faults,
    };
    put_manifest(&to, &manifest)?;
    sweep(&to, Some(&manifest))?;
    blobs::prune(&into, &[&named[..], &named_before[..]].concat()).await?;
    Ok(Made { manifest, contents })
}

/// A copy carries on what a disk has done to old pages, and its own digest says nothing of that.
fn damaged(to: &Path, before: &Manifest, faults: &[String]) -> Error {
    Error::Refused(format!(
        "the catalog is damaged: {}; the backup of {} in `{}` stays as it is, with the documents that are new added: look at the disk and with `sluis fsck`, and restore that backup; or name another folder, where this catalog is kept as it is",
        faults.join("; "),
        before.made_at,
        to.display()
    ))
}

/// Keeps a second backup out, until the value is dropped.
fn hold(to: &Path) -> Result<fs::File, Error> {
    let path = to.join("backup.lock");
    let file = fs::File::create(&path).map_err(Error::file("write", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(Error::Refused(format!(
            "another backup goes to `{}` now: wait for its end",
            to.display()
        ))),
    }
}

/// Syncs the copy of the catalog, which nobody may read but its owner, and says what it is.
async fn sealed(file: PathBuf, name: String) -> Result<Part, Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let reading = tokio::task::spawn_blocking(move || {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))
            .and_then(|()| files::sync(&file))
            .and_then(|()| files::read(&file, &name))
            .map_err(Error::file("keep", &file))
    });
    reading.await?
}

/// What the house needs beside catalog and contents: where it is, and as what it is kept.
fn house_files(house: &House, config: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let mut all = vec![(config.to_owned(), "sluis.toml".to_owned())];
    let keys = house.config.key_folder();
    for name in hostkeys::FILES {
        let (private, public) = (keys.join(name), keys.join(format!("{name}.pub")));
        // Where only the public half is here, the other comes from the service manager, and is kept there. A
        // folder from before the ECDSA key has neither.
        let elsewhere = !private.exists() && (public.exists() || hostkeys::may_be_missing(name));
        if !elsewhere {
            all.push((private, format!("host-keys/{name}")));
        }
        if public.exists() || !elsewhere {
            all.push((public, format!("host-keys/{name}.pub")));
        }
    }
    if let Some(roots) = &house.config.webhooks.roots {
        all.push((roots.clone(), ROOTS.to_owned()));
    }
    if let Some(profiles) = &house.config.profiles {
        let read = Error::file("read the folder", profiles);
        let names = fs::read_dir(profiles)
            .and_then(|entries| {
                entries
                    .map(|entry| Ok(entry?.file_name()))
                    .collect::<std::io::Result<Vec<_>>>()
            })
            .map_err(read)?;
        let names = names.iter().map(|name| name.to_string_lossy());
        let own = names.filter(|name| name.ends_with(".toml"));
        all.extend(own.map(|name| (profiles.join(name.as_ref()), format!("profiles/{name}"))));
    }
    Ok(all)
}

fn copy_house(to: &Path, folder: &str, all: Vec<(PathBuf, String)>) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::with_capacity(all.len());
    for (from, name) in all {
        let path = format!("{folder}/{name}");
        let target = to.join(&path);
        let above = target.parent().unwrap_or(to);
        files::make_folder(above, files::PRIVATE).map_err(Error::file("make the folder", above))?;
        parts.push(files::copy(&from, &target, &path).map_err(Error::file("copy", &from))?);
        files::sync(above).map_err(Error::file("sync", above))?;
    }
    Ok(parts)
}

/// From here on this backup is the one that counts.
fn put_manifest(to: &Path, manifest: &Manifest) -> Result<(), Error> {
    let (part, whole) = (to.join("backup.json.part"), to.join(MANIFEST));
    let written = serde_json::to_vec_pretty(manifest)
        .map_err(std::io::Error::other)
        .and_then(|text| files::write(&part, &text))
        .and_then(|()| files::sync(to))
        .and_then(|()| fs::rename(&part, &whole))
        .and_then(|()| files::sync(to));
    written.map_err(Error::file("write", &whole))
}

/// Nobody's backup is in his own data, whatever links lead there.
fn elsewhere(to: &Path, data: &Path) -> Result<PathBuf, Error> {
    let to = to.canonicalize().map_err(Error::file("find", to))?;
    let data = data.canonicalize().map_err(Error::file("find", data))?;
    if to.starts_with(&data) || data.starts_with(&to) {
        let text = format!(
            "a backup in `{}` would be lost with the data in `{}`: name a folder elsewhere, on another disk",
            to.display(),
            data.display()
        );
        return Err(Error::Refused(text));
    }
    Ok(to)
}

/// Returns what the backup before names, which stays until the next one: whoever sees too late that too much
/// has expired still has it. A backup of other books is never written over.
async fn named_before(
    to: &Path,
    before: &Manifest,
    file: &Path,
) -> Result<Vec<(Digest, u64)>, Error> {
    let old = to.join(&before.catalog.path);
    if let Some(firm) = catalog::not_continued(&old, file).await? {
        let text = format!(
            "`{}` holds a backup of {} in which firm `{firm}` is further than here, or another firm: it is left as it is. Restore it, or name another folder",
            to.display(),
            before.made_at
        );
        return Err(Error::Refused(text));
    }
    Ok(catalog::blobs_named_in(&old).await?)
}

fn read_manifest(to: &Path) -> Result<Option<Manifest>, Error> {
    let manifest = to.join(MANIFEST);
    match fs::read_to_string(&manifest) {
        Ok(text) => Manifest::parse(&text).map(Some).map_err(|why| {
            Error::Refused(format!(
                "`{}` is no manifest of a backup ({why}): move it away, or name another folder",
                manifest.display()
            ))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", &manifest)(error)),
    }
}

/// Removes what belongs to no backup that counts: what an interrupted one left, or the one before.
fn sweep(to: &Path, counts: Option<&Manifest>) -> Result<(), Error> {
    let parts = counts
        .into_iter()
        .flat_map(|read| read.house.iter().chain([&read.catalog]));
    let first = |part: &Part| part.path.split('/').next().unwrap_or_default().to_owned();
    let counts: Vec<String> = parts.map(first).collect();
    let entries = fs::read_dir(to).map_err(Error::file("read the folder", to))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours = name.starts_with("catalog-")
            || name.starts_with("house-")
            || name == "backup.json.part";
        if !is_ours || counts.contains(&name) {
            continue;
        }
        let path = entry.path();
        let removed = match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
            _ => fs::remove_file(&path),
        };
        removed.map_err(Error::file("remove", &path))?;
    }
    Ok(())
}
