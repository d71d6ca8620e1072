//! What is kept, for how long, and what must not go?

mod on;

use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use super::call::{Call, find_firm};
use super::{Error, Exit, doer, print, table};
use crate::app::House;
use crate::catalog::{Firm, LegalHold, NewLegalHold};
use crate::keeping::{Keeping, Run};
use crate::model::{Digest, LegalHoldId};
use crate::retention::HoldOn;

/// The commands about keeping.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show for how long firms keep things, their legal holds, and what would go now.
    Show {
        /// Of which firm; else of all.
        firm: Option<String>,
    },
    /// Remove what is kept no longer, as the server does every hour.
    Run(RunArgs),
    /// Have documents not removed, whatever their age.
    Hold(Hold),
    /// Lift a legal hold.
    Release {
        /// Of which firm.
        firm: String,
        /// Which, by its number in `sluis retention show`.
        hold: i64,
        /// Why, for those who read the history.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: String,
        /// Who says so; else the system's user who runs this.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        by: Option<String>,
    },
}

/// The arguments of `retention run`.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// Of which firm; else of all.
    firm: Option<String>,
    /// Say what would go, and remove nothing.
    #[arg(long)]
    dry_run: bool,
    /// Let go of what is in quarantine, too, when its time is over. The server never does by itself: nobody can read
    /// it, so a person should have looked at it.
    #[arg(long)]
    unread: bool,
    /// Remove contents, too, that no document names and that are older than a day (`orphan` in `sluis fsck`). Not
    /// where the catalog was brought back from an older backup: newer documents may be among them.
    #[arg(long, conflicts_with = "firm")]
    orphans: bool,
}

impl RunArgs {
    fn keeping(&self, house: &House) -> Keeping {
        let keeping = house.keeping();
        if self.unread {
            keeping.letting_unread_go()
        } else {
            keeping
        }
    }
}

/// The arguments of `retention hold`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["document", "dossier", "all"]))]
pub(super) struct Hold {
    /// Of which firm.
    firm: String,
    /// One document: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`, never a bare number).
    #[arg(long)]
    document: Option<String>,
    /// Every document that was ever for this dossier, and for those called so that were taken out of use (our own id: `dossier:2`, that one alone).
    #[arg(long)]
    dossier: Option<String>,
    /// Everything of the firm.
    #[arg(long)]
    all: bool,
    /// Why, for those who read the history.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    /// Who says so; else the system's user who runs this.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,
}

/// Runs a command about keeping.
pub(super) async fn run(call: &Call, command: Command) -> Result<Exit, Error> {
    match command {
        Command::Show { firm } => show(call, firm.as_deref()).await,
        Command::Run(args) if args.dry_run => look(call, &args).await,
        Command::Run(args) => remove(call, &args).await,
        Command::Hold(args) => hold(call, &args).await,
        Command::Release {
            firm,
            hold,
            reason,
            by,
        } => {
            let by = by.unwrap_or_else(doer::who);
            release(call, &firm, LegalHoldId(hold), (&by, &reason)).await
        }
    }
}

async fn show(call: &Call, slug: Option<&str>) -> Result<Exit, Error> {
    let (house, firms) = call.firms(slug).await?;
    for (at, firm) in firms.iter().enumerate() {
        let mut holds = Vec::new();
        for own in house.catalog.legal_holds(firm.id).await? {
            let on = on::told(&house, firm, own.hold.on).await?;
            holds.push((own, on));
        }
        let run = looked(&house.keeping(), firm).await?;
        let keeps = &firm.keeps;
        if call.json {
            print::json(&json!({
                "firm": firm.slug.as_str(), "keep_in_view": keeps.in_view().to_string(),
                "keep_documents": keeps.documents().to_string(), "keep_events": keeps.events().to_string(),
                "would_expire": run.expired, "waiting": run.waiting, "held": run.held, "in_view": run.in_view,
                "unread": run.unread, "holds": holds.iter().map(|(own, on)| hold_json(own, on)).collect::<Vec<_>>(),
            }))?;
            continue;
        }
        if at > 0 {
            print::line("")?;
        }
        let lines: Vec<_> = holds.iter().map(|(own, on)| hold_told(own, on)).collect();
        let none = "none: `sluis retention hold` places one".to_owned();
        table::facts(&[
            ("firm", firm.slug.to_string()),
            ("in view", keeps.in_view().to_string()),
            ("documents", keeps.documents().to_string()),
            ("events", keeps.events().to_string()),
            ("would go", told(&run)),
            (
                "legal holds",
                if lines.is_empty() {
                    none
                } else {
                    lines.join("\n")
                },
            ),
        ])?;
    }
    Ok(Exit::Done)
}

async fn looked(keeping: &Keeping, firm: &Firm) -> Result<Run, Error> {
    let looked = keeping.look(firm.id).await;
    looked.map_err(|source| {
        let what = format!("could not look at what firm `{}` keeps", firm.slug);
        Error::failed(what, source)
    })
}

/// What must not go, of what is old enough, is said with it: else nobody knows why it is still here.
fn told(run: &Run) -> String {
    let mut text = format!("{} documents of {} bytes", run.expired, run.bytes);
    for (count, why) in [
        (run.waiting, "wait to be collected"),
        (run.held, "are under a legal hold"),
        (run.in_view, "are in view of a device that is connected"),
        (
            run.unread,
            "are in quarantine: `sluis retention run --unread` lets them go",
        ),
    ] {
        if count > 0 {
            text += &format!("; {count} as old stay, for they {why}");
        }
    }
    text
}

fn hold_told(own: &LegalHold, on: &str) -> String {
    let id = own.hold.id;
    let LegalHold {
        reason,
        placed_by,
        placed_at,
        ..
    } = own;
    format!("{id} on {on}, by {placed_by} on {placed_at}: {reason}")
}

fn hold_json(own: &LegalHold, on: &str) -> Value {
    let (document, dossier) = match own.hold.on {
        HoldOn::Document(id) => (Some(id), None),
        HoldOn::Dossier(id) => (None, Some(id)),
        HoldOn::Firm => (None, None),
    };
    json!({
        "hold": own.hold.id, "on": on, "document": document, "dossier": dossier, "all": own.hold.on == HoldOn::Firm,
        "reason": own.reason, "by": own.placed_by, "at": own.placed_at.to_string(),
    })
}

async fn look(call: &Call, args: &RunArgs) -> Result<Exit, Error> {
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    let keeping = args.keeping(&house);
    for firm in &firms {
        let run = looked(&keeping, firm).await?;
        report(call, firm, &run, "would")?;
    }
    if args.orphans {
        let orphans = orphans(&house).await?;
        report_orphans(call, &orphans, "would")?;
    }
    Ok(Exit::Done)
}

async fn orphans(house: &House) -> Result<Vec<(Digest, u64)>, Error> {
    let could_not = |source| Error::failed("could not look through the catalog", source);
    if !house.catalog.faults().await.map_err(could_not)?.is_empty() {
        // What a damaged catalog does not name may be a document.
        return Err(Error::Refused(
            "cannot tell what nothing names, for the catalog is damaged: `sluis fsck` says where"
                .to_owned(),
        ));
    }
    let orphans = house.keeping().orphans(house.clock.read()).await;
    orphans
        .map_err(|source| Error::failed("could not look for contents that nothing names", source))
}

fn report_orphans(call: &Call, orphans: &[(Digest, u64)], did: &str) -> Result<(), Error> {
    let (count, bytes) = (
        orphans.len(),
        orphans.iter().map(|(_, bytes)| bytes).sum::<u64>(),
    );
    if call.json {
        return print::json(&json!({ "result": did, "orphans": count, "orphan_bytes": bytes }));
    }
    let go = if did == "did" { "go" } else { "would go" };
    print::line(&format!(
        "{count} contents of {bytes} bytes {go} that no document names and that are older than a day"
    ))
}

async fn remove(call: &Call, args: &RunArgs) -> Result<Exit, Error> {
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    let keeping = args.keeping(&house);
    for firm in &firms {
        let run = keeping.run_firm(firm.id).await.map_err(|source| {
            let what = format!("could not remove what firm `{}` keeps no longer", firm.slug);
            Error::failed(what, source)
        })?;
        report(call, firm, &run, "did")?;
    }
    if args.orphans {
        let orphans = orphans(&house).await?;
        keeping
            .doom(&orphans)
            .await
            .map_err(|source| Error::failed("could not note what is to be removed", source))?;
        report_orphans(call, &orphans, "did")?;
    }
    let swept = keeping.sweep_all().await.map_err(|source| {
        let what = "could not remove the bytes of expired documents; the next run tries it again";
        Error::failed(what, source)
    })?;
    call.said(
        &json!({ "result": "swept", "blobs": swept }),
        &format!("{swept} blobs were removed that nothing names"),
    )?;
    Ok(Exit::Done)
}

fn report(call: &Call, firm: &Firm, run: &Run, did: &str) -> Result<(), Error> {
    if call.json {
        return print::json(&json!({
            "firm": firm.slug.as_str(), "result": did, "expired": run.expired, "bytes": run.bytes,
            "forgotten": run.forgotten, "waiting": run.waiting, "held": run.held, "in_view": run.in_view,
            "unread": run.unread,
        }));
    }
    let went = if did == "did" { "went" } else { "would go" };
    let forgot = match run.forgotten {
        0 => String::new(),
        count => format!("; {count} events of documents that are long gone were forgotten"),
    };
    print::line(&format!("{}: {went}: {}{forgot}", firm.slug, told(run)))
}

async fn hold(call: &Call, args: &Hold) -> Result<Exit, Error> {
    let (house, firm) = call.firm(&args.firm).await?;
    let by = args.by.clone().unwrap_or_else(doer::who);
    for on in on::meant(&house, &firm, args).await? {
        let new = NewLegalHold {
            on,
            reason: &args.reason,
            by: &by,
        };
        let now = house.clock.read();
        let id = house.catalog.place_legal_hold(firm.id, &new, now).await?;
        let (slug, on) = (&firm.slug, on::told(&house, &firm, on).await?);
        if call.json {
            let holds = house.catalog.legal_holds(firm.id).await?;
            let mut own = holds.iter().filter(|own| own.hold.id == id);
            own.try_for_each(|own| print::json(&hold_json(own, &on)))?;
            continue;
        }
        print::line(&format!(
            "placed hold {id} on {on}: nothing of it is removed until `sluis retention release {slug} {id}`"
        ))?;
    }
    Ok(Exit::Done)
}

async fn release(
    call: &Call,
    slug: &str,
    id: LegalHoldId,
    (by, reason): (&str, &str),
) -> Result<Exit, Error> {
    let house = call.house().await?;
    let firm = find_firm(&house, slug).await?;
    let now = house.clock.read();
    let lying = house.catalog.legal_holds(firm.id).await?;
    let releasing = house
        .catalog
        .release_legal_hold(firm.id, id, (by, reason), now);
    if !releasing.await? {
        return Err(Error::Refused(format!(
            "firm `{slug}` has no legal hold {id}: `sluis retention show {slug}` lists those that lie"
        )));
    }
    let on = match lying.iter().find(|own| own.hold.id == id) {
        Some(own) => on::told(&house, &firm, own.hold.on).await?,
        None => "what it lay on".to_owned(), // it was placed since
    };
    call.said(
        &json!({ "firm": slug, "result": "released", "hold": id, "on": on }),
        &format!("released hold {id} on {on}"),
    )?;
    Ok(Exit::Done)
}
