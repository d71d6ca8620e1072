//! How does the gateway run, from its start to its end?

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::call::Call;
use super::{Error, Exit, print, service};
use crate::app::House;
use crate::{hostkeys, telemetry};

/// Serves until it is told to end; ending is in order, and then all is well.
pub(super) async fn run(call: &Call) -> Result<Exit, Error> {
    let config = call.config()?;
    telemetry::start(&config.log).map_err(Error::Refused)?;
    let house = House::open(config).await?;
    let _held = house.hold_data()?;
    // Of a server that was killed; who holds the data is alone.
    house.catalog.end_all_sessions().await?;
    let ending = Ending::begin()?;
    let draining = CancellationToken::new();
    let listening = match service::socket()? {
        Some(socket) => house.listen_on(socket, draining.clone()).await?,
        None => house.listen(draining.clone()).await?,
    };
    let address = listening.address();
    let seeing = house.watch(listening.pulse(), draining.clone()).await?;
    if let Some(seeing) = &seeing {
        let address = seeing.address();
        info!(metrics.address = %address, "Metrics at http://{address}/metrics");
        print::line(&format!("metrics at {address}"))?;
    }
    let fingerprints = hostkeys::fingerprints(&house.host_keys()?).join(", ");
    info!(sftp.address = %address, sftp.fingerprints = %fingerprints, "Listening on {address} with host keys {fingerprints}");
    print::line(&format!("listening on {address}"))?; // scripts wait for this line
    service::tell_ready(address);
    let watching = service::watch(listening.pulse());
    let told = async {
        ending.told().await;
        service::tell_ending();
        info!("Ending: what is being read may be finished");
        draining.cancel();
    };
    let seen = CancellationToken::new();
    let serving = async {
        Box::pin(house.serve(listening, draining.clone())).await;
        seen.cancel();
    };
    // Whoever watches sees the end.
    let watched = async {
        if let Some(seeing) = seeing {
            seeing.run(seen.clone()).await;
        }
    };
    tokio::join!(serving, told, watched);
    house.catalog.close().await;
    drop(watching);
    info!("Ended");
    Ok(Exit::Done)
}

/// What tells the program to end: SIGTERM from a service, SIGINT from a person.
pub(super) struct Ending {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Ending {
    /// Begins to listen for signals, before anything is open that they would leave open.
    pub(super) fn begin() -> Result<Self, Error> {
        let listen = |kind| {
            signal(kind).map_err(|source| Error::failed("could not listen for signals", source))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits until the program is told to end.
    pub(super) async fn told(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
