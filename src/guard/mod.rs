//! Who may try to log in?
//!
//! Whoever has not logged in is nobody, and there are many of them. The guard counts them, turns away
//! the one too many, and remembers which networks fail again and again. It judges before a key is
//! exchanged, so that a refusal costs nearly nothing. The rules are in `startups`, `penalties` and
//! `known`, which touch nothing; what they come to is written down every few seconds.

mod config;
mod known;
mod penalties;
mod rate;
mod startups;
mod turned;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{debug, info, warn};

pub use self::config::{GuardConfig, NetworkBits};
pub use self::known::{KNOWN_MAX, KNOWN_MS};
pub use self::penalties::{PENALTIES_MAX, PenaltyRules};
pub use self::startups::{InvalidStartups, Startups};

use self::known::Known;
use self::penalties::Penalties;
use self::rate::Rate;
use self::turned::Turned;
use crate::catalog::{self, Catalog};
use crate::counts::Counts;
use crate::model::{Fault, Network, Timestamp};
use crate::wellness::Part;

/// Connections that may be logging in from a network that is barred but known: eight for a script that
/// fails with as many at a time, as transfer programs do, and some for whoever does not.
pub const NARROW_MAX: usize = 12;

/// Refused keys or passwords after which such a connection ends: what fails gives its place back soon.
pub const NARROW_REFUSED_MAX: u32 = 2;

/// Changes that are written down in one transaction: others wait for it.
const CHANGES_MAX: usize = 500;

/// Sessions of each device that are looked through at the start, for the networks that are known: a few,
/// for one login may be used in more than one place.
const SESSIONS_PER_DEVICE_MAX: u32 = 10;

/// What judges those who have not logged in. A clone is the same.
#[derive(Clone)]
pub struct Guard {
    catalog: Catalog,
    config: Arc<GuardConfig>,
    state: Arc<Mutex<State>>,
}

struct State {
    /// Connections that have not logged in.
    startups: usize,
    /// Those of them that are exempt.
    exempt: usize,
    /// The same, by network, where they are counted.
    by_network: HashMap<Network, usize>,
    penalties: Penalties,
    known: Known,
    turned: Turned,
    barred: Rate,
    /// Those with whom no way to talk was found.
    mute: Rate,
    /// The last lift that was read.
    lift: i64,
    counts: Arc<Counts>,
}

impl State {
    fn turn_away(&mut self, refusal: Refusal) {
        self.turned.count(refusal);
        let counter = match refusal {
            Refusal::Startups => &self.counts.turned_startups,
            Refusal::Network => &self.counts.turned_network,
            Refusal::Barred => &self.counts.turned_barred,
        };
        counter.one();
    }
}

/// Why a connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too many connections have not logged in.
    Startups,
    /// Too many of them come from its network.
    Network,
    /// Its network is barred.
    Barred,
}

/// How patient the door is with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// As with anybody.
    Usual,
    /// Its network would be barred, were it not known.
    Narrowed,
}

impl Guard {
    /// Makes a guard that remembers what was written down.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn open(
        catalog: Catalog,
        config: GuardConfig,
        now: Timestamp,
    ) -> Result<Self, catalog::Error> {
        let mut penalties = Penalties::new(config.penalties);
        for (network, penalty) in catalog.penalties().await? {
            penalties.restore(network, penalty, now);
        }
        let mut known = Known::default();
        let since = now.plus_ms(-KNOWN_MS);
        for (address, at) in catalog
            .last_addresses(SESSIONS_PER_DEVICE_MAX, since)
            .await?
        {
            if let Ok(address) = address.parse::<SocketAddr>() {
                known.note(config.network_of(address.ip()), at);
            }
        }
        // What was lifted while nobody served is gone from the rows.
        let (_, lift) = catalog.lifts_after(0).await?;
        let state = State {
            startups: 0,
            exempt: 0,
            by_network: HashMap::new(),
            penalties,
            known,
            turned: Turned::default(),
            barred: Rate::default(),
            mute: Rate::default(),
            lift,
            counts: Arc::default(),
        };
        Ok(Self {
            catalog,
            config: Arc::new(config),
            state: Arc::new(Mutex::new(state)),
        })
    }

    /// Returns a guard by other rules that remembers the same, and judges with this one from now on.
    #[must_use]
    pub fn with_rules(&self, config: GuardConfig) -> Self {
        self.state().penalties.set_rules(config.penalties);
        Self {
            config: Arc::new(config),
            ..self.clone()
        }
    }

    /// Has what is turned away counted here.
    #[must_use]
    pub fn counted_in(self, counts: Arc<Counts>) -> Self {
        self.state().counts = counts;
        self
    }

    /// Returns what the operator has decided.
    pub fn config(&self) -> &GuardConfig {
        &self.config
    }

    /// Takes a place among those that have not logged in, whoever it is for; `die` is thrown by the caller,
    /// from 0 to 99, and falls when it is known who that is.
    ///
    /// # Errors
    ///
    /// When all places are taken.
    pub fn enter(&self, die: u8) -> Result<Place, Refusal> {
        let mut state = self.state();
        if self.config.startups.is_full(state.startups) {
            state.turn_away(Refusal::Startups);
            return Err(Refusal::Startups);
        }
        state.startups += 1;
        Ok(Place {
            guard: self.clone(),
            die,
            network: None,
            counted: Counted::InAll,
        })
    }

    /// Counts a connection with which there was no way to talk, and says whether it is to be told by itself.
    pub fn tells_mute(&self, now: Timestamp) -> bool {
        self.state().mute.tell_one(now)
    }

    /// Writes down what has changed, and reads what was lifted. The door calls it every few seconds.
    pub async fn round(&self, now: Timestamp) {
        if let Err(error) = self.read_lifts().await {
            self.tell("Could not read which penalties are lifted", &error);
        }
        self.state().penalties.pass(now);
        // A flood of networks is written in pieces; others write in between.
        loop {
            let changes = self.state().penalties.take_changes(CHANGES_MAX);
            if changes.is_empty() {
                break;
            }
            if let Err(error) = self.catalog.put_penalties(&changes).await {
                self.state().penalties.untake(&changes);
                self.tell("Could not write penalties down", &error);
                break;
            }
        }
        let told = {
            let mut state = self.state();
            let barred = state.barred.others(now).map(|more| {
                format!("Barred or narrowed {more} more networks in a minute; `sluis penalties` lists them")
            });
            let mute = state.mute.others(now).map(|more| {
                format!("Had no algorithm in common with {more} more connections in a minute")
            });
            [state.turned.tell(now), barred, mute]
        };
        for told in told.into_iter().flatten() {
            warn!("{told}");
        }
    }

    /// Every two seconds it would be a flood; the catalog has told what fails it.
    fn tell(&self, what: &str, error: &catalog::Error) {
        let is_news = self.catalog.is_news(error);
        if is_news && self.catalog.wellness().works(Part::CatalogWrites) {
            warn!("{what}; it is tried again: {error}");
        } else {
            debug!("{what}; it is tried again: {error}");
        }
    }

    async fn read_lifts(&self) -> Result<(), catalog::Error> {
        let after = self.state().lift;
        let (networks, last) = self.catalog.lifts_after(after).await?;
        let mut state = self.state();
        state.lift = last;
        for range in networks {
            let lifted = state.penalties.lift(&range);
            info!("Lifted the penalties of {lifted} networks in {range}");
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with it has left whole values behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection that has not logged in, until it is dropped.
pub struct Place {
    guard: Guard,
    die: u8,
    /// Where it comes from, once that is known and if it can fail.
    network: Option<Network>,
    counted: Counted,
}

/// Where a place is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// Among all.
    InAll,
    /// Among those that are exempt, too.
    AsExempt,
    /// Among those of its network, too.
    OfNetwork(Network),
}

impl Place {
    /// Says where the connection comes from.
    ///
    /// # Errors
    ///
    /// When its network is barred, or has too many such connections, or the lot falls on it.
    pub fn named(&mut self, address: IpAddr, now: Timestamp) -> Result<Patience, Refusal> {
        let config = &self.guard.config;
        let mut state = self.guard.state();
        if config.is_exempt(address) {
            state.exempt += 1;
            drop(state);
            self.counted = Counted::AsExempt;
            return Ok(Patience::Usual);
        }
        // Its own place is among them.
        let others = state.startups.saturating_sub(state.exempt + 1);
        if !config.startups.admits(others, self.die) {
            state.turn_away(Refusal::Startups);
            return Err(Refusal::Startups);
        }
        let network = config.network_of(address);
        let beside = state.by_network.get(&network).copied().unwrap_or(0);
        let most = usize::from(config.network_startups_max.get());
        let judged = if !state.penalties.bars(network, now) {
            if beside < most {
                Ok(Patience::Usual)
            } else {
                Err(Refusal::Network)
            }
        } else if state.known.contains(network, now) && beside < NARROW_MAX.min(most) {
            Ok(Patience::Narrowed)
        } else {
            Err(Refusal::Barred)
        };
        match judged {
            Ok(_) => *state.by_network.entry(network).or_default() += 1,
            Err(refusal) => state.turn_away(refusal),
        }
        drop(state);
        self.network = Some(network);
        if judged.is_ok() {
            self.counted = Counted::OfNetwork(network);
        }
        judged
    }

    /// Ends it with a failure, which costs its network.
    pub fn failed(self, fault: Fault, now: Timestamp) {
        let Some(network) = self.network else { return };
        let mut state = self.guard.state();
        let bar = state.penalties.add(network, fault, now);
        let is_known = state.known.contains(network, now);
        let bar = bar.filter(|_| state.barred.tell_one(now));
        drop(state);
        let Some(bar) = bar else { return };
        let lifts = format!("`sluis penalties lift {network}` lifts it");
        if is_known {
            warn!(peer.network = %network, "Narrowed {network} until {}, for {}; devices have logged in from there, so {NARROW_MAX} at a time may still try; {lifts}", bar.until, bar.fault);
        } else {
            warn!(peer.network = %network, "Barred {network} until {}, for {}; {lifts}", bar.until, bar.fault);
        }
    }

    /// Ends it with a login, which forgives its network.
    pub fn logged_in(self, now: Timestamp) {
        let Some(network) = self.network else { return };
        let mut state = self.guard.state();
        state.known.note(network, now);
        state.penalties.forgive(network);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.guard.state();
        state.startups = state.startups.saturating_sub(1);
        let network = match self.counted {
            Counted::InAll => return,
            Counted::AsExempt => {
                state.exempt = state.exempt.saturating_sub(1);
                return;
            }
            Counted::OfNetwork(network) => network,
        };
        if let Some(count) = state.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                state.by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests;
