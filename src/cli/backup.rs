//! How does an operator keep everything a second time, and bring it back?

use std::path::PathBuf;

use serde_json::json;

use super::call::{Call, variables};
use super::{Error, Exit, doer, print};
use crate::app::{self, House, system_clock};
use crate::backup::{self, Copied, Depth, Manifest};
use crate::config::Config;
use crate::wellness::Cause;

/// The arguments of `backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder, on another disk; with a backup in it, only what is new is copied.
    to: PathBuf,
    /// Read what is there already too, and replace what the disk has forgotten.
    #[arg(long)]
    deep: bool,
}

/// The arguments of `restore`.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// The folder of the backup.
    from: PathBuf,
    /// The folder for the configuration and, unless that says otherwise, the data. Nothing may be there yet.
    dir: PathBuf,
}

/// Makes a backup, while the server runs or not.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let depth = if args.deep { Depth::All } else { Depth::New };
    let (file, now) = (call.config_file()?, system_clock().read());
    let house = match House::open(call.config()?).await {
        Err(app::Error::Catalog(failed)) if failed.cause() == Some(Cause::Broken) => {
            let (config, to) = (call.config()?, &args.to);
            return Err(backup::keep_documents(&config, to, depth, now, failed)
                .await
                .into());
        }
        opened => opened?,
    };
    doer::note_doer(&house);
    let made = backup::make(&house, &file, &args.to, depth, now).await?;
    house.catalog.note_deed().await?;
    let (manifest, to) = (&made.manifest, args.to.display().to_string());
    if call.json {
        print::json(&json!({
            "backup": to, "made_at": manifest.made_at, "contents": manifest.contents, "bytes": manifest.bytes,
            "copied": made.contents.copied, "copied_bytes": made.contents.bytes, "lost": manifest.lost,
            "faults": manifest.faults,
        }))?;
    } else {
        let Copied { copied, there, .. } = &made.contents;
        print::line(&format!(
            "backed up to {to}: {} contents, {copied} of them new, {there} there already",
            manifest.contents
        ))?;
    }
    told_wrong(
        &made.manifest,
        &made.contents,
        "it is in no backup here either: `sluis fsck --deep` says what it belongs to",
    )
}

/// Restores one.
pub(super) async fn restore(call: &Call, args: &Restore) -> Result<Exit, Error> {
    let restored = backup::restore(&args.from, &args.dir, variables()).await?;
    let alone = Config::read(&restored.config, [])?;
    let house = House::open(Config::read(&restored.config, variables())?).await?;
    doer::note_doer(&house);
    house.catalog.note_deed().await?;
    let told = house.catalog.active_webhooks().await?.len();
    house.catalog.close().await;
    let (manifest, file) = (&restored.manifest, restored.config.display().to_string());
    if call.json {
        print::json(&json!({
            "config": file, "made_at": manifest.made_at, "contents": manifest.contents,
            "restored": restored.contents.copied, "bytes": restored.contents.bytes, "faults": manifest.faults,
            "lost": restored.contents.lost.iter().map(|(digest, _)| digest.to_string()).collect::<Vec<_>>(),
            "webhooks": told, "unlisted": restored.unlisted, "drop_outside": restored.drop_outside.as_ref().map(|root| root.display().to_string()),
            "unnamed": restored.unnamed.iter().map(|one| one.place.display().to_string()).collect::<Vec<_>>(),
        }))?;
    } else {
        print::line(&format!(
            "restored {} contents, as they were at {}, with the configuration {file}",
            restored.contents.copied, manifest.made_at
        ))?;
    }
    if alone.data != house.config.data {
        print::note(&format!(
            "The data is in `{}`, and {file} alone names `{}`: every command on what was restored needs `SLUIS_DATA` too, or the right `data` in that file",
            house.config.data.display(),
            alone.data.display()
        ));
    }
    for one in &restored.unnamed {
        print::note(&format!(
            "`{}` counts only once something names it, as a variable did in the house that was backed up: write {} into {file}, or set `{}`",
            one.place.display(),
            one.line,
            one.variable
        ));
    }
    if let Some(root) = &restored.drop_outside {
        print::note(&format!(
            "What is dropped in `{}` is taken by whoever serves first: that lies outside of what was restored, and the house that was backed up may take it still. To try this one beside it, give it another with `SLUIS_DROP_ROOT`",
            root.display()
        ));
    }
    if told > 0 {
        print::note(&format!(
            "Whoever serves this tells {told} webhooks what happens here, as the house that was backed up does: to try it beside that one, `sluis webhook pause` each first"
        ));
    }
    if restored.unlisted > 0 {
        print::note(&format!(
            "{} contents lie in the backup that its catalog does not name: they were kept while the catalog was damaged. They are of any firm, and may be drafts: `{}` lists them, `sluis read` shows the parties of each, and `sluis ingest FIRM FILE` takes it in again, with `--status draft` where it is one",
            restored.unlisted,
            args.from.join("unlisted.txt").display()
        ));
    }
    told_wrong(
        &restored.manifest,
        &restored.contents,
        "the backup lacks it",
    )
}

/// Tells what came along damaged, and what did not come along.
fn told_wrong(manifest: &Manifest, contents: &Copied, what: &str) -> Result<Exit, Error> {
    for fault in &manifest.faults {
        print::note(&format!("damaged  catalog: {fault}"));
    }
    for (digest, why) in &contents.lost {
        print::note(&format!("lost  {digest}: {why}; {what}"));
    }
    let is_whole = manifest.faults.is_empty() && contents.lost.is_empty();
    Ok(Exit::failed_if(!is_whole))
}
