//! How are files taken in by hand?
//!
//! Sources stay where they are: whoever takes a folder in twice finds every document recognised. What the drop folder
//! leaves alone is left alone in a folder here too, and what is said beside a document counts: a draft must not leave.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

mod found;

use self::found::{Found, said_beside};
use super::call::Call;
use super::{Error, Exit, print};
use crate::app::House;
use crate::dropfolder::{BATCH_BYTES_MAX, BATCH_FILES_MAX};
use crate::ingest::{self, Arrival, Outcome, Taken};
use crate::model::{
    Declared, FirmId, HeldReason, Language, Origin, Said, Status, on_one_line, with_causes,
};
use crate::text;
use crate::ubl::limits::DOCUMENT_BYTES_MAX;

/// The arguments of `ingest`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For which firm.
    firm: String,
    /// Files, and folders with all that is in them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How far they have come, whatever is said beside them: draft, sent or paid. A draft is not sent by itself.
    #[arg(long)]
    status: Option<Status>,
    /// Who brought them: own, or incoming by Peppol or mail.
    #[arg(long)]
    origin: Option<Origin>,
    /// Somebody has approved them.
    #[arg(long)]
    approved: bool,
}

/// What became of one file.
type Told = (PathBuf, Result<Taken, String>);

/// Takes files in, and says what became of each.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let (house, firm) = call.firm(&args.firm).await?;
    let mut found = Found::default();
    for path in &args.paths {
        found.name(path);
    }
    for path in &found.left_alone {
        let path = path.display().to_string();
        let path = on_one_line(&path);
        print::note(&format!(
            "left alone: `{path}`: its name says that it is not finished, or was rejected"
        ));
    }
    let bar = progress(found.files.len());
    let mut summary = Summary::new(call.json);
    summary.tell(
        found
            .missed
            .into_iter()
            .map(|(path, why)| (path, Err(why)))
            .collect(),
    )?;
    let said = Said {
        status: args.status,
        origin: args.origin,
        approved: args.approved.then_some(true),
    };
    let mut batch = Batch::new(said, house.config.ingest.declared);
    let mut before = Prepared::default();
    for (path, beside) in found.files {
        let said = |bytes| Ok((bytes, said_beside(&path, beside.as_deref())?));
        match read(&path).and_then(said) {
            Ok((bytes, said)) => batch.add(path, bytes, said),
            Err(why) => summary.tell(vec![(path, Err(why))])?,
        }
        if batch.is_full() {
            bar.inc(batch.files.len() as u64);
            // The disk takes these while the catalog takes those before.
            let (prepared, told) = tokio::join!(
                batch.prepare(&house, firm.id),
                before.write(&house, firm.id)
            );
            summary.tell(told)?;
            before = prepared;
        }
    }
    summary.tell(before.write(&house, firm.id).await)?;
    let last = batch.prepare(&house, firm.id).await;
    summary.tell(last.write(&house, firm.id).await)?;
    bar.finish_and_clear();
    summary.end()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let told = |error: std::io::Error| error.to_string();
    let size = fs::metadata(path).map_err(told)?.len();
    if size > DOCUMENT_BYTES_MAX as u64 {
        return Err(format!(
            "it has {size} bytes, and {DOCUMENT_BYTES_MAX} are the most that is taken"
        ));
    }
    // It may grow meanwhile.
    let (mut bytes, file) = (Vec::new(), fs::File::open(path).map_err(told)?);
    let mut limited = file.take(DOCUMENT_BYTES_MAX as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(told)?;
    Ok(bytes)
}

/// Files that are taken together.
struct Batch {
    files: Vec<(PathBuf, Vec<u8>, Said)>,
    bytes: usize,
    /// Of all of them, whatever is said beside each.
    said: Said,
    door: Declared,
}

impl Batch {
    fn new(said: Said, door: Declared) -> Self {
        let (files, bytes) = (Vec::new(), 0);
        Self {
            files,
            bytes,
            said,
            door,
        }
    }

    fn add(&mut self, path: PathBuf, bytes: Vec<u8>, said: Said) {
        self.bytes += bytes.len();
        let said = Said {
            status: self.said.status.or(said.status),
            origin: self.said.origin.or(said.origin),
            approved: self.said.approved.or(said.approved),
        };
        self.files.push((path, bytes, said));
    }

    fn is_full(&self) -> bool {
        self.files.len() >= BATCH_FILES_MAX || self.bytes as u64 >= BATCH_BYTES_MAX
    }

    /// Reads and stores them, and begins anew.
    async fn prepare(&mut self, house: &House, firm: FirmId) -> Prepared {
        // A long one may use up the room that is kept for marks.
        house.tending().look_at_room();
        self.bytes = 0;
        let (paths, arrivals): (Vec<_>, Vec<_>) = std::mem::take(&mut self.files)
            .into_iter()
            .map(|(path, bytes, said)| {
                let name = path.display().to_string();
                let source = format!("ingest:{}", on_one_line(&name));
                let bytes = bytes.into();
                let arrival = Arrival {
                    source,
                    bytes,
                    said,
                    door: self.door,
                };
                (path, arrival)
            })
            .unzip();
        if arrivals.is_empty() {
            return Prepared::default();
        }
        let prepared = house.ingest.prepare_all(firm, arrivals.clone()).await;
        Prepared {
            paths,
            arrivals,
            together: prepared.ok(),
        }
    }
}

/// Files that are read and stored, and not written down yet.
#[derive(Default)]
struct Prepared {
    paths: Vec<PathBuf>,
    arrivals: Vec<Arrival>,
    /// None where one of them could not be: then each is tried alone.
    together: Option<ingest::Prepared>,
}

impl Prepared {
    /// Writes them down together, or where that fails takes them one by one, so that one bad file stops no other.
    async fn write(self, house: &House, firm: FirmId) -> Vec<Told> {
        if let Some(prepared) = self.together
            && let Ok(taken) = house
                .ingest
                .write_prepared(prepared, house.clock.read())
                .await
        {
            return self
                .paths
                .into_iter()
                .zip(taken.into_iter().map(Ok))
                .collect();
        }
        let mut told = Vec::with_capacity(self.paths.len());
        for (path, arrival) in self.paths.into_iter().zip(self.arrivals) {
            let taken = house
                .ingest
                .take(firm, vec![arrival], house.clock.read())
                .await;
            let first = taken.map(|taken| taken.into_iter().next());
            let result = match first {
                Ok(Some(taken)) => Ok(taken),
                Ok(None) => Err("nothing came of it".to_owned()),
                Err(error) => Err(with_causes(&error)),
            };
            told.push((path, result));
        }
        told
    }
}

/// What became of all of them.
struct Summary {
    json: bool,
    outcomes: BTreeMap<Outcome, usize>,
    held: BTreeMap<String, usize>,
    /// Now or by an earlier run, which a script that tries again must hear too.
    in_quarantine: usize,
    failed: usize,
}

impl Summary {
    fn new(json: bool) -> Self {
        Self {
            json,
            outcomes: BTreeMap::new(),
            held: BTreeMap::new(),
            in_quarantine: 0,
            failed: 0,
        }
    }

    fn tell(&mut self, told: Vec<Told>) -> Result<(), Error> {
        for (path, result) in told {
            self.count(&path, &result);
            if self.json {
                print::json(&json_of(&path, &result))?;
            }
        }
        Ok(())
    }

    /// What needs a person is named at once; the rest is only counted.
    fn count(&mut self, path: &Path, result: &Result<Taken, String>) {
        let path = path.display().to_string();
        let path = on_one_line(&path);
        match result {
            Err(why) => {
                self.failed += 1;
                print::note(&format!("failed: `{path}`: {why}"));
            }
            Ok(taken) => {
                *self.outcomes.entry(taken.outcome).or_default() += 1;
                if taken.quarantined {
                    self.in_quarantine += 1;
                    print::note(&format!(
                        "in quarantine: `{path}`: {}",
                        taken.reasons.join("; ")
                    ));
                    return;
                }
                // A document that is kept may wait at one of its links.
                for reason in &taken.reasons {
                    *self.held.entry(reason.clone()).or_default() += 1;
                }
            }
        }
    }

    fn end(self) -> Result<Exit, Error> {
        let count = |outcome| self.outcomes.get(&outcome).copied().unwrap_or(0);
        let quarantined = count(Outcome::Quarantined);
        if !self.json {
            print::line(&format!(
                "{} kept, {} recognised, {} held, {quarantined} quarantined, {} failed",
                count(Outcome::Kept),
                count(Outcome::Recognised),
                count(Outcome::Held),
                self.failed
            ))?;
            for (reason, count) in &self.held {
                let words = reason
                    .parse::<HeldReason>()
                    .map(|reason| text::held(Language::En, reason).what);
                print::line(&format!("  held: {count} × {}", words.unwrap_or(reason)))?;
            }
        }
        Ok(Exit::failed_if(self.failed + self.in_quarantine > 0))
    }
}

fn json_of(path: &Path, result: &Result<Taken, String>) -> Value {
    let file = path.display().to_string();
    match result {
        Ok(taken) => json!({
            "file": file, "outcome": taken.outcome.as_str(), "digest": taken.digest.to_string(),
            "number": taken.number, "reasons": taken.reasons,
        }),
        Err(why) => json!({
            "file": file, "outcome": "failed", "digest": null, "number": null, "reasons": [why],
        }),
    }
}

fn progress(files: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() || files <= BATCH_FILES_MAX {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(files as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
