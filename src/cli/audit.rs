//! Has anybody changed what happened, or what follows from it?

use serde_json::{Value, json};

use super::call::Call;
use super::{Error, Exit, print};
use crate::audit::{self, Replayed, Verified};
use crate::catalog::Firm;
use crate::evidence::chain::Known;
use crate::evidence::replay::Difference;

/// The ways to check events.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check that no event was changed, moved, inserted or removed.
    Verify(Verify),
    /// Build every delivery's state from the events alone, and compare it with the tables.
    Replay(Replay),
}

/// The arguments of `events verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// Of which firm; else of all.
    firm: Option<String>,
    /// An event and its hash as they were noted elsewhere, on a receipt or by an earlier check.
    #[arg(long, value_name = "SEQ:HASH", requires = "firm")]
    known: Option<Known>,
}

/// The arguments of `events replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    /// Of which firm; else of all.
    firm: Option<String>,
}

/// Runs a check.
pub(super) async fn run(call: &Call, command: &Command) -> Result<Exit, Error> {
    match command {
        Command::Verify(args) => verify(call, args).await,
        Command::Replay(args) => replay(call, args).await,
    }
}

async fn verify(call: &Call, args: &Verify) -> Result<Exit, Error> {
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    let mut failed = false;
    for firm in &firms {
        let verified = audit::verify(&house.catalog, firm.id, args.known.clone()).await;
        let verified = verified.map_err(|source| {
            let what = format!("could not verify the events of firm `{}`", firm.slug);
            Error::failed(what, source)
        })?;
        failed |= verified.misfit.is_some();
        if call.json {
            print::json(&verified_json(firm, &verified))?;
        } else {
            print::line(&verified_line(firm, &verified))?;
        }
    }
    Ok(Exit::failed_if(failed))
}

fn verified_json(firm: &Firm, verified: &Verified) -> Value {
    let misfit = verified.misfit.map(|misfit| {
        json!({ "event": misfit.seq(), "wrong": misfit.word(), "text": misfit.to_string() })
    });
    json!({
        "firm": firm.slug.as_str(), "ok": verified.misfit.is_none(), "last": verified.last,
        "hash": verified.hash, "forgotten": verified.forgotten, "misfit": misfit,
    })
}

fn verified_line(firm: &Firm, verified: &Verified) -> String {
    let slug = &firm.slug;
    match verified.misfit {
        Some(misfit) => format!("{slug}: {misfit}"),
        None if verified.last.0 == 0 => format!("{slug}: nothing has happened yet"),
        None => {
            let forgotten = match verified.forgotten {
                0 => String::new(),
                count => format!(", of which {count} were forgotten when their time was over"),
            };
            format!(
                "{slug}: all {} events fit{forgotten}; the last is {}:{}",
                verified.last, verified.last, verified.hash
            )
        }
    }
}

async fn replay(call: &Call, args: &Replay) -> Result<Exit, Error> {
    let (house, firms) = call.firms(args.firm.as_deref()).await?;
    let mut failed = false;
    for firm in &firms {
        let replayed = audit::replay(&house.catalog, firm.id).await;
        let replayed = replayed.map_err(|source| {
            let what = format!("could not replay the events of firm `{}`", firm.slug);
            Error::failed(what, source)
        })?;
        failed |= replayed.differences.count() > 0;
        show(call, firm, &replayed)?;
    }
    Ok(Exit::failed_if(failed))
}

/// Shows each difference, then the sum.
fn show(call: &Call, firm: &Firm, replayed: &Replayed) -> Result<(), Error> {
    let (slug, count) = (firm.slug.as_str(), replayed.differences.count());
    if call.json {
        for difference in &replayed.differences.named {
            print::json(&difference_json(slug, difference))?;
        }
        return print::json(&json!({
            "firm": slug, "ok": count == 0, "events": replayed.events,
            "deliveries": replayed.deliveries, "unsaid": replayed.unsaid, "differences": count,
        }));
    }
    for difference in &replayed.differences.named {
        print::line(&format!("{slug}: {difference}"))?;
    }
    let (events, deliveries) = (replayed.events, replayed.deliveries);
    let sum = if count == 0 {
        format!("{events} events lead to the {deliveries} deliveries as they stand")
    } else {
        format!("{count} differences between {events} events and {deliveries} deliveries")
    };
    print::line(&format!("{slug}: {sum}"))?;
    if replayed.unsaid > 0 {
        let unsaid = replayed.unsaid;
        print::note(&format!(
            "{slug}: of {unsaid} deliveries not everything was compared, for events of an early version say too little"
        ));
    }
    Ok(())
}

fn difference_json(firm: &str, difference: &Difference) -> Value {
    let (told, found) = match difference {
        Difference::Other { told, found, .. } => (Some(told), Some(found)),
        _ => (None, None),
    };
    json!({
        "firm": firm, "delivery": difference.delivery(), "difference": difference.word(),
        "told": told, "found": found, "text": difference.to_string(),
    })
}
