//! Which networks are barred, and which are no longer?

use serde_json::json;

use super::call::Call;
use super::{Error, Exit, print};
use crate::model::{Network, Penalty};

/// The arguments of `penalties`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Forget what networks have come to, at once; a running server hears of it within seconds.
    Lift {
        /// Which: an address, or a range such as 192.0.2.0/24; `0.0.0.0/0` and `::/0` are all.
        #[arg(required = true)]
        networks: Vec<Network>,
    },
}

/// Lists penalties, or lifts them.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    match &args.command {
        None => list(call).await,
        Some(Command::Lift { networks }) => lift(call, networks).await,
    }
}

async fn list(call: &Call) -> Result<Exit, Error> {
    let house = call.house().await?;
    let now = house.clock.read();
    let penalties = house.catalog.penalties().await?;
    let rows = penalties
        .into_iter()
        .filter(|(_, penalty)| now < penalty.until)
        .map(|(network, penalty)| row(network, penalty))
        .collect();
    call.list(
        &["network", "standing", "until", "last"],
        rows,
        "no network has a penalty",
    )?;
    Ok(Exit::Done)
}

fn row(network: Network, penalty: Penalty) -> (serde_json::Value, Vec<String>) {
    let standing = if penalty.is_bar { "barred" } else { "counting" };
    let until = penalty.until.to_string();
    let value = json!({
        "network": network, "standing": standing, "until": until, "last": penalty.fault,
    });
    let cells = vec![
        network.to_string(),
        standing.to_owned(),
        until,
        penalty.fault.to_string(),
    ];
    (value, cells)
}

async fn lift(call: &Call, networks: &[Network]) -> Result<Exit, Error> {
    let house = call.house().await?;
    let mut lifted = Vec::new();
    for range in networks {
        let now = house.clock.read();
        let found = house.catalog.lift_penalties(range, now).await?;
        if found.is_empty() {
            print::note(&format!(
                "nothing is written down against {range}; what came in the last seconds is lifted too"
            ));
        }
        lifted.extend(found);
    }
    if call.json {
        print::json(&json!({ "lifted": lifted }))?;
    } else {
        for network in &lifted {
            print::line(&format!("lifted {network}"))?;
        }
    }
    Ok(Exit::Done)
}
