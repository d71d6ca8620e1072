//! How does the gateway run, from its start to its end?

use std::net::SocketAddr;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::call::Call;
use super::{Error, Exit, doer, print, service};
use crate::app::House;
use crate::config::When;
use crate::dispatch::Poster;
use crate::model::with_causes;
use crate::seeing::Seeing;
use crate::sftp::{Listening, Renewing};
use crate::{hostkeys, telemetry};

/// Serves until it is told to end, or a part of it has died; ending is in order.
pub(super) async fn run(call: &Call) -> Result<Exit, Error> {
    let config = call.config()?;
    telemetry::start(&config.log).map_err(Error::Refused)?;
    let house = House::open(config).await?;
    let _held = house.hold_data()?;
    // Of a server that was killed; who holds the data is alone.
    house.catalog.end_all_sessions().await?;
    let ending = Ending::begin()?;
    let mut hangups = hangups()?;
    let draining = CancellationToken::new();
    let listening = match service::socket()? {
        Some(socket) => house.listen_on(socket, draining.clone()).await?,
        None => house.listen(draining.clone()).await?,
    };
    let address = listening.address();
    let seeing = seeing(&house, &listening, draining.clone()).await?;
    tell_listening(&house, address)?;
    service::tell_ready(address);
    let watching = service::watch(listening.pulse());
    let door = listening.renewing();
    let (renewals, taken) = mpsc::channel(1);
    let ends = draining.clone();
    let reloads = async {
        let mut house = house.clone();
        loop {
            hangups.recv().await;
            service::tell_reloading();
            let status = match reload(call, &house, &door).await {
                Ok(next) => {
                    house = next.clone();
                    // Nobody takes it who is ending.
                    renewals.send(next).await.ok();
                    format!("Listening on {address}")
                }
                Err(refused) => {
                    let why = with_single_spaces(&with_causes(&refused));
                    error!("Did not reload, and goes on by the configuration that it has: {why}");
                    format!("Listening on {address}; did not reload: {why}")
                }
            };
            service::tell_reloaded(&status);
        }
    };
    let (reloading, looking) = (
        until_ended(&ends, reloads),
        until_ended(&ends, look_at_roots(&house)),
    );
    let told = async {
        ending.told_or(&draining).await;
        service::tell_ending();
        info!("Ending: what is being read may be finished");
        draining.cancel();
    };
    let seen = CancellationToken::new();
    let serving = async {
        let served = Box::pin(house.serve_renewing(listening, taken, draining.clone())).await;
        seen.cancel();
        served
    };
    // Whoever watches sees the end.
    let watched = async {
        if let Some(seeing) = seeing {
            seeing.run(seen.clone()).await;
        }
    };
    let beside = Box::pin(async { tokio::join!(reloading, looking) });
    let (served, ..) = tokio::join!(serving, beside, told, watched);
    house.catalog.close().await;
    drop(watching);
    info!("Ended");
    Ok(served.map(|()| Exit::Done)?)
}

/// Does this until the end: what it reads from a disk may hang.
async fn until_ended(ends: &CancellationToken, doing: impl Future<Output = ()>) {
    tokio::select! {
        () = doing => {}
        () = ends.cancelled() => {}
    }
}

/// Says where it listens, and with which keys.
fn tell_listening(house: &House, address: SocketAddr) -> Result<(), Error> {
    let fingerprints = hostkeys::fingerprints(&house.host_keys()?).join(", ");
    info!(sftp.address = %address, sftp.fingerprints = %fingerprints, "Listening on {address} with host keys {fingerprints}");
    print::line(&format!("listening on {address}")) // scripts wait for this line
}

/// Says whether receivers can be told. Devices are served all the same, and meanwhile.
async fn look_at_roots(house: &House) {
    if let Err(bad) = Poster::new(&house.config.webhooks).check_roots().await {
        let why = with_single_spaces(&with_causes(&bad));
        error!("Could not use `[webhooks] roots`, and no receiver over https is told: {why}");
    }
}

/// Opens the listener for monitors, if there shall be one, and says where it is.
async fn seeing(
    house: &House,
    listening: &Listening,
    draining: CancellationToken,
) -> Result<Option<Seeing>, Error> {
    let seeing = house.watch(listening.pulse(), draining).await?;
    if let Some(seeing) = &seeing {
        let address = seeing.address();
        info!(metrics.address = %address, "Metrics at http://{address}/metrics");
        print::line(&format!("metrics at {address}"))?;
    }
    Ok(seeing)
}

/// SIGHUP ends a program that does not listen for it.
fn hangups() -> Result<tokio::signal::unix::Signal, Error> {
    let failed = |source| Error::failed("could not listen for signals", source);
    signal(SignalKind::hangup()).map_err(failed)
}

/// Reads the configuration again, and all that it names. It counts when all of it can be used, or none of it.
async fn reload(call: &Call, house: &House, door: &Renewing) -> Result<House, Error> {
    let call = call.clone();
    // A disk that does not answer holds a thread of its own, and not the one that accepts connections.
    let config = tokio::task::spawn_blocking(move || call.config()).await;
    let config =
        config.map_err(|died| Error::failed("could not read the configuration", died))??;
    telemetry::check(&config.log).map_err(Error::Refused)?;
    let renewed = house.renewed(config).await?;
    telemetry::set_level(&renewed.house.config.log).map_err(Error::Refused)?;
    renewed.count(door);
    let keys = |when: When| {
        let changes = renewed.changes.iter().filter(move |(_, of)| *of == when);
        changes.map(|(key, _)| *key).collect::<Vec<_>>()
    };
    let of = |when: When| {
        let keys: Vec<_> = keys(when).iter().map(|key| format!("`{key}`")).collect();
        keys.join(", ")
    };
    let mut counts = [keys(When::AtOnce), keys(When::NewConnections)].concat();
    let profiles: Vec<_> = renewed
        .profiles
        .iter()
        .map(|id| format!("`{id}`"))
        .collect();
    let profiles = profiles.join(", ");
    let of_profiles = format!("profiles {profiles}");
    if !profiles.is_empty() {
        counts.push(&of_profiles);
    }
    note_reload(house, &counts, &keys(When::Restart)).await;
    let waits = of(When::Restart);
    if !waits.is_empty() {
        warn!(
            "Changed in the configuration, and needs a restart, until when it stays as it is: {waits}"
        );
    }
    let fingerprints = hostkeys::fingerprints(&renewed.keys).join(", ");
    let (now, next) = (of(When::AtOnce), of(When::NewConnections));
    info!(sftp.fingerprints = %fingerprints, "Reloaded configuration, profiles and host keys. At once: {}. For new connections: {}. Profiles that have changed: {}. Host keys: {fingerprints}", or_nothing(&now), or_nothing(&next), or_nothing(&profiles));
    Ok(renewed.house)
}

/// Whoever changes the rules leaves a deed, also by a signal. That it is not noted stops no reload.
async fn note_reload(house: &House, counts: &[&str], waits: &[&str]) {
    let mut done = "reload".to_owned();
    for (what, keys) in [(": ", counts), ("; after a restart: ", waits)] {
        if !keys.is_empty() {
            done += &format!("{what}{}", keys.join(", "));
        }
    }
    let doer = doer::service(house, &done);
    if let Err(failed) = house.catalog.note_deed_of(&doer).await {
        let why = with_causes(&failed);
        error!("Could not note the reload among the deeds: {why}");
    }
}

/// Where it stands in the file is told over several lines, for people.
fn with_single_spaces(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn or_nothing(keys: &str) -> &str {
    if keys.is_empty() { "nothing" } else { keys }
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

    /// Waits likewise, or until the program ends by itself, for a part of it has died.
    pub(super) async fn told_or(self, ends: &CancellationToken) {
        tokio::select! {
            () = self.told() => {}
            () = ends.cancelled() => {}
        }
    }
}
