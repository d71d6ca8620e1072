//! How is a backup made?

use std::fs;
use std::path::{Path, PathBuf};

use super::blobs::{self, Copied, Depth};
use super::manifest::{FORM, Manifest, Part};
use super::place::Place;
use super::unlisted::UNLISTED;
use super::{Error, ROOTS, files, unlisted};
use crate::app::House;
use crate::audit;
use crate::blobs::Blobs;
use crate::catalog;
use crate::config::Config;
use crate::hostkeys;
use crate::model::{Digest, Timestamp, with_causes};
use crate::wellness::Cause;

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
    let place = Place::take(to, [&house.config.data, &house.config.blob_folder()])?;
    let to = &place.folder;
    let _kept = house.blobs.keep_all()?;
    let before = place.manifest()?;
    place.sweep(before.as_ref())?;
    let stamp = now.0;
    let name = format!("catalog-{stamp}.sqlite");
    let file = to.join(&name);
    let into = Blobs::in_folder(&place.blobs())?;
    into.clear_left(now);
    if let Err(failed) = house.catalog.copy_to(&file).await {
        let blobs = (&house.blobs, &into, depth);
        return Err(without_catalog(blobs, &place, (before, failed)).await);
    }
    let faults = audit::faults_of_copy(&file).await?;
    let named = catalog::blobs_named_in(&file).await?;
    let named_before = match &before {
        Some(before) => named_before(to, before, &file).await?,
        None => Vec::new(),
    };
    let sound_before = before.filter(|before| before.faults.is_empty() && !faults.is_empty());
    if sound_before.is_some() {
        unlisted::note(to, &named, &named_before)?;
    }
    // The documents that are new are kept in either case.
    let contents = blobs::copy(&house.blobs, &into, &named, depth).await?;
    if let Some(before) = sound_before {
        place.sweep(Some(&before))?;
        return Err(damaged(to, &before, &faults));
    }
    let (folder, house_files) = (format!("house-{stamp}"), house_files(house, config)?);
    let manifest = Manifest {
        form: FORM.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now.to_string(),
        catalog: sealed(file, name).await?,
        house: copy_house(to, &folder, house_files)?,
        contents: named.len(),
        bytes: named.iter().map(|(_, bytes)| bytes).sum(),
        lost: contents
            .lost
            .iter()
            .map(|(digest, _)| digest.to_string())
            .collect(),
        faults,
    };
    place.put_manifest(&manifest)?;
    place.sweep(Some(&manifest))?;
    let unlisted = unlisted::note(to, &[], &named)?;
    blobs::prune(&into, [&named, &named_before], unlisted).await?;
    Ok(Made { manifest, contents })
}

/// Keeps the documents of a house whose catalog is so damaged that it does not open, and returns why there is no
/// backup.
pub async fn keep_documents(
    config: &Config,
    to: &Path,
    depth: Depth,
    now: Timestamp,
    failed: catalog::Error,
) -> Error {
    let keeping = async {
        let place = Place::take(to, [&config.data, &config.blob_folder()])?;
        let blobs = Blobs::in_folder(&config.blob_folder())?;
        let _kept = blobs.keep_all()?;
        let before = place.manifest()?;
        place.sweep(before.as_ref())?;
        let into = Blobs::in_folder(&place.blobs())?;
        into.clear_left(now);
        Ok(without_catalog((&blobs, &into, depth), &place, (before, failed)).await)
    };
    keeping.await.unwrap_or_else(|failed| failed)
}

/// A copy carries on what a disk has done to old pages, and its own digest says nothing of that.
fn damaged(to: &Path, before: &Manifest, faults: &[String]) -> Error {
    Error::Refused(format!(
        "the catalog is damaged: {}; the backup of {} in `{}` stays as it is, with the documents that are new added, which `{UNLISTED}` there names: look at the disk and with `sluis fsck`, and restore that backup; or name another folder, where this catalog is kept as it is",
        faults.join("; "),
        before.made_at,
        to.display()
    ))
}

/// Where a page of the catalog is none any more, it cannot be copied, and nobody knows what it names: every content
/// that is there is kept, and none removed. Returns why there is no backup.
async fn without_catalog(
    (blobs, into, depth): (&Blobs, &Blobs, Depth),
    place: &Place,
    (before, failed): (Option<Manifest>, catalog::Error),
) -> Error {
    if failed.cause() != Some(Cause::Broken) {
        return failed.into();
    }
    let keeping = async {
        let (all, _) = blobs.list().await?;
        let named_before = match &before {
            Some(before) => catalog::blobs_named_in(&place.folder.join(&before.catalog.path)).await,
            None => Ok(Vec::new()),
        };
        // Where that one cannot be read either, it names none.
        unlisted::note(&place.folder, &all, &named_before.unwrap_or_default())?;
        blobs::copy(blobs, into, &all, depth).await?;
        place.sweep(before.as_ref())
    };
    if let Err(failed) = keeping.await {
        return failed;
    }
    let fault = match &failed {
        catalog::Error::Broken { source, .. } => with_causes(source),
        failed => with_causes(failed),
    };
    let faults = [fault];
    match before {
        Some(before) => damaged(&place.folder, &before, &faults),
        None => Error::Refused(format!(
            "the catalog is damaged, and cannot be copied: {}; the documents alone are kept in `{}`, where `{UNLISTED}` names them: look at the disk and with `sluis fsck`",
            faults.join("; "),
            place.folder.display()
        )),
    }
}

/// Syncs the copy of the catalog, and says what it is.
async fn sealed(file: PathBuf, name: String) -> Result<Part, Error> {
    let reading = tokio::task::spawn_blocking(move || {
        files::sync(&file)
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
