//! How does a backup become a house again?
//!
//! Into a place where nothing is. Everything is compared with what the backup says of itself, and the
//! catalog comes last: a house without one does not open.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::blobs::{self, Copied, Depth};
use super::manifest::{Manifest, Part};
use super::{BLOBS, Error, MANIFEST, ROOTS, files, unlisted};
use crate::app::House;
use crate::blobs::Blobs;
use crate::catalog;
use crate::config::Config;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// From what.
    pub manifest: Manifest,
    /// The configuration, at its new place.
    pub config: PathBuf,
    /// What became of the contents.
    pub contents: Copied,
    /// What came back and the configuration does not name.
    pub unnamed: Vec<Unnamed>,
    /// Where documents are dropped, where that is outside of what was restored: the house that was backed up may take
    /// them still.
    pub drop_outside: Option<PathBuf>,
    /// How many contents lie in the backup that its catalog does not name: they were kept while the catalog was
    /// damaged.
    pub unlisted: usize,
}

/// What a variable named in the house that was backed up, and nothing names in the new one.
#[derive(Debug)]
pub struct Unnamed {
    /// Where it is now.
    pub place: PathBuf,
    /// The line of the configuration that would name it.
    pub line: &'static str,
    /// The variable that names it.
    pub variable: &'static str,
}

/// Restores the backup in `from`, with its configuration in the folder `into`.
///
/// What variables of the environment say counts more than the configuration, as always: so a restore can be tried
/// beside the house whose backup it is.
///
/// # Errors
///
/// When the backup is not whole or was changed, something is in the way, or cannot be written.
pub async fn restore(
    from: &Path,
    into: &Path,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Restored, Error> {
    let _still = hold(from)?;
    let manifest = read_manifest(from)?;
    for part in &manifest.house {
        compare(from, part)?;
    }
    let into = std::path::absolute(into).map_err(Error::file("find", into))?;
    let file = into.join("sluis.toml");
    let mut config = config_of(from, &manifest, &into, variables)?;
    let unnamed = give_places(&mut config, &manifest, &into);
    for part in &manifest.house {
        place_of(part, &file, &config)?;
    }
    check_room(&into, &config)?;
    let checked = (from.to_owned(), manifest.catalog.clone());
    tokio::task::spawn_blocking(move || compare(&checked.0, &checked.1)).await??;
    let named = catalog::blobs_named_in(&from.join(&manifest.catalog.path)).await?;
    for folder in [&into, &config.data, &config.blob_folder()] {
        files::make_folder(folder, files::HOUSE).map_err(Error::file("make the folder", folder))?;
    }
    let (kept, new) = (
        Blobs::in_folder(&from.join(BLOBS))?,
        Blobs::in_folder(&config.blob_folder())?,
    );
    let contents = blobs::copy(&kept, &new, &named, Depth::New).await?;
    for part in &manifest.house {
        put_back(from, part, &file, &config)?;
    }
    let unlisted = unlisted::count(from, &named)?;
    let catalog = (from.join(&manifest.catalog.path), config.catalog_file());
    tokio::task::spawn_blocking(move || put_catalog(&catalog.0, &catalog.1)).await??;
    let is_within = |folder: &Path| config.drop.root.starts_with(folder);
    let is_outside = !is_within(&into) && !is_within(&config.data);
    let drop_outside = is_outside.then(|| config.drop.root.clone());
    open_doors(config).await?;
    Ok(Restored {
        manifest,
        config: file,
        contents,
        unnamed,
        drop_outside,
        unlisted,
    })
}

/// Has what the configuration alone does not name stand beside it: a variable named it where it was backed up.
fn give_places(config: &mut Config, manifest: &Manifest, into: &Path) -> Vec<Unnamed> {
    let has = |start: &str| manifest.house.iter().any(|p| inner(p).starts_with(start));
    let mut unnamed = Vec::new();
    if config.profiles.is_none() && has("profiles/") {
        let place = into.join("profiles");
        config.profiles = Some(place.clone());
        unnamed.push(Unnamed {
            place,
            line: "`profiles = \"profiles\"`",
            variable: "SLUIS_PROFILES",
        });
    }
    if config.webhooks.roots.is_none() && has(ROOTS) {
        let place = into.join(ROOTS);
        config.webhooks.roots = Some(place.clone());
        unnamed.push(Unnamed {
            place,
            line: "`roots = \"roots.pem\"` under `[webhooks]`",
            variable: "SLUIS_WEBHOOKS_ROOTS",
        });
    }
    unnamed
}

/// Makes what is in no backup: the folders through which documents come.
async fn open_doors(config: Config) -> Result<(), Error> {
    let house = House::make_without_keys(config).await?;
    for firm in house.catalog.firms().await? {
        let folder = house.config.drop.root.join(firm.slug.as_str());
        fs::create_dir_all(&folder).map_err(Error::file("make the drop folder", &folder))?;
    }
    house.catalog.close().await;
    Ok(())
}

/// Keeps a new backup out meanwhile. Where nothing can be locked, as on a disk that is read only, none is made.
fn hold(from: &Path) -> Result<Option<fs::File>, Error> {
    let Ok(file) = fs::File::open(from.join("backup.lock")) else {
        return Ok(None);
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(_) => Err(Error::Refused(format!(
            "a backup goes to `{}` now: wait for its end",
            from.display()
        ))),
    }
}

fn read_manifest(from: &Path) -> Result<Manifest, Error> {
    let file = from.join(MANIFEST);
    let text = match fs::read_to_string(&file) {
        Err(none) if none.kind() == io::ErrorKind::NotFound => {
            return Err(Error::Refused(format!(
                "`{}` is no backup: there is no `{MANIFEST}` in it",
                from.display()
            )));
        }
        read => read.map_err(Error::file("read", &file))?,
    };
    Manifest::parse(&text)
        .map_err(|why| Error::Refused(format!("`{}` cannot be used: {why}", file.display())))
}

/// What was changed since is no backup.
fn compare(from: &Path, part: &Part) -> Result<(), Error> {
    let file = from.join(&part.path);
    let found = files::read(&file, &part.path).map_err(Error::file("read", &file))?;
    if found == *part {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "`{}` is not what the backup says it is: it was changed or damaged since; take another backup",
        file.display()
    )))
}

fn config_of(
    from: &Path,
    manifest: &Manifest,
    into: &Path,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Error> {
    let part = manifest
        .house
        .iter()
        .find(|part| inner(part) == "sluis.toml");
    let part = part.ok_or_else(|| {
        Error::Refused("the backup has no configuration: it is not one of ours".to_owned())
    })?;
    Ok(Config::read_in(&from.join(&part.path), into, variables)?)
}

/// The name of a part within its folder of the backup.
fn inner(part: &Part) -> &str {
    part.path.split_once('/').map_or("", |(_, inner)| inner)
}

/// Nothing is written over: what is there may be all that is left of somebody's books, or be in use.
fn check_room(into: &Path, config: &Config) -> Result<(), Error> {
    let file = into.join("sluis.toml");
    let profiles = config.profiles.as_deref();
    let roots = config.webhooks.roots.as_deref();
    let keys = config.sftp.host_keys.as_deref();
    let places = [
        (Some(file.as_path()), ""),
        (Some(config.data.as_path()), "SLUIS_DATA"),
        (profiles, "SLUIS_PROFILES"),
        (roots, "SLUIS_WEBHOOKS_ROOTS"),
        (keys, "SLUIS_SFTP_HOST_KEYS"),
    ];
    let name_of = |place: &Path| place.file_name().unwrap_or_default().to_owned();
    for (place, variable) in places {
        let Some(place) = place else { continue };
        let is_empty = fs::read_dir(place).is_ok_and(|mut entries| entries.next().is_none());
        if place.symlink_metadata().is_ok() && !is_empty {
            let elsewhere = if place.starts_with(into) {
                "name another folder".to_owned()
            } else {
                format!(
                    "it may be in use, so to try a restore name another place, as `{variable}={}`",
                    into.join(name_of(place)).display()
                )
            };
            return Err(Error::Refused(format!(
                "`{}` is there already, and nothing is written over: {elsewhere}. Only where what is there is lost, stop the server and move it away",
                place.display()
            )));
        }
    }
    Ok(())
}

/// Returns where a part of the house goes.
fn place_of(part: &Part, file: &Path, config: &Config) -> Result<PathBuf, Error> {
    let name = inner(part);
    let (above, own) = name.split_once('/').unwrap_or(("", name));
    let place = match (above, own) {
        ("", "sluis.toml") => Some(file.to_owned()),
        ("", ROOTS) => config.webhooks.roots.clone(),
        ("host-keys", own) => Some(config.key_folder().join(own)),
        ("profiles", own) => config.profiles.as_ref().map(|folder| folder.join(own)),
        _ => None,
    };
    place.ok_or_else(|| {
        Error::Refused(format!(
            "the backup names `{}`, which has no place here: was it made by a newer Sluis?",
            part.path
        ))
    })
}

fn put_back(from: &Path, part: &Part, file: &Path, config: &Config) -> Result<(), Error> {
    let target = place_of(part, file, config)?;
    let above = target.parent().unwrap_or_else(|| Path::new("/"));
    files::make_folder(above, files::HOUSE).map_err(Error::file("make the folder", above))?;
    let copied = files::copy(&from.join(&part.path), &target, &part.path);
    copied
        .and_then(|_| files::sync(above))
        .map_err(Error::file("write", &target))
}

fn put_catalog(from: &Path, to: &Path) -> Result<(), Error> {
    let part = to.with_extension("part");
    let above = to.parent().unwrap_or_else(|| Path::new("/"));
    files::copy(from, &part, "")
        .and_then(|_| fs::rename(&part, to))
        .and_then(|()| files::sync(above))
        .map_err(Error::file("write", to))
}
