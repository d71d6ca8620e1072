//! How does the house change its rules while it serves?
//!
//! All that a new configuration says is tried before any of it counts. Then the door takes the rules for
//! connections to come, and what works in the background ends in order and begins anew. What is open keeps
//! the rules that it began with; stores and what is remembered are the same.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::serving::Background;
use super::{Error, House, transport};
use crate::config::{Config, When};
use crate::dispatch::Poster;
use crate::dropfolder::{HeldRoot, LeftFiles};
use crate::ingest::place::Places;
use crate::lookout::FolderLooks;
use crate::model::Timestamp;
use crate::sftp::{HostKeys, Parts, Renewing};
use crate::tree::Tree;

/// A house whose rules have been tried, and count when [`Renewed::count`] is called.
pub struct Renewed {
    /// The house.
    pub house: House,
    /// Its keys.
    pub keys: HostKeys,
    /// Which keys of the configuration have changed, and when they count.
    pub changes: Vec<(&'static str, When)>,
    /// Which profiles have changed, came or went.
    pub profiles: Vec<String>,
}

/// What is remembered from one configuration to the next.
pub(super) struct Memory {
    pub(super) looks: FolderLooks,
    pub(super) left: LeftFiles,
    pub(super) held: HeldRoot,
    /// Since when connections are known.
    pub(super) begun: Timestamp,
}

impl House {
    /// Returns this house as `config` wants it, as far as it can be without a restart. Nothing has changed yet.
    ///
    /// # Errors
    ///
    /// When anything of it cannot be used; then all stays as it is.
    pub async fn renewed(&self, config: Config) -> Result<Renewed, Error> {
        Poster::new(&config.webhooks).check_roots().await?;
        let this = self.clone();
        // A disk that does not answer holds a thread of its own, and not the one that accepts connections.
        let reading = tokio::task::spawn_blocking(move || this.renewed_here(config));
        let what = "reads the configuration again";
        reading.await.map_err(|_| Error::Died { what })?
    }

    fn renewed_here(&self, config: Config) -> Result<Renewed, Error> {
        let changes = self.config.changes(&config);
        let config = self.config.renewed_by(config);
        let profiles = Arc::new(config.read_profiles()?);
        let places = Places::new(Arc::clone(&profiles), config.zone()?);
        let house = Self {
            config,
            profiles,
            places,
            ..self.clone()
        };
        let keys = house.host_keys()?;
        let profiles = self.profiles.changes(&house.profiles);
        Ok(Renewed {
            house,
            keys,
            changes,
            profiles,
        })
    }

    /// Does all that goes on beside the door, until it is cancelled.
    pub(super) async fn work(
        &self,
        memory: &Memory,
        background: &Background,
        ends: CancellationToken,
    ) {
        let clock = self.clock.clone();
        let lookout = self.lookout(memory.looks.clone()).since(memory.begun);
        let scheduler = self.scheduler();
        let dropping = self
            .drop_folders(memory)
            .run(ends.clone(), move || clock.read());
        // Tasks of their own: while one has the turn to write, it must not wait for the others here.
        let (following, until) = (scheduler.clone(), ends.clone());
        let following = tokio::spawn(async move { following.follow_changes(until).await });
        let until = ends.clone();
        let sending = tokio::spawn(async move { scheduler.run(until).await });
        let (keeping, until) = (self.keeping(), ends.clone());
        let keeping = tokio::spawn(async move { keeping.run(until).await });
        let until = ends.clone();
        let looking = tokio::spawn(async move { lookout.run(until).await });
        let telling = tokio::spawn(self.dispatcher().run(ends));
        // Boxed, for each holds the states of everything it may be in the middle of.
        tokio::join!(
            Box::pin(dropping),
            background.attend("sends by itself", sending),
            background.attend("looks again at what waits", following),
            background.attend("looks for what was forgotten", looking),
            background.attend("tells receivers", telling),
            background.attend("removes what is kept no longer", keeping),
        );
    }
}

impl Renewed {
    /// Has it count from now on, for connections to come; what goes on beside the door is told by the caller.
    pub fn count(&self, door: &Renewing) {
        let house = &self.house;
        house.ingest.set_places(house.places.clone());
        let zone = house.places.zone().clone();
        let now = Parts::clone(&door.parts());
        let parts = Parts {
            tree: Tree::new(
                house.catalog.clone(),
                house.blobs.clone(),
                house.places.clone(),
            ),
            quota: now.quota.with_limits(house.config.uploads, zone),
            declared: house.config.sftp.declared,
            ..now
        };
        door.renew(
            house.config.guard.clone(),
            house.config.sftp.sessions_per_device,
            parts,
            transport(&house.config, self.keys.clone()),
        );
        let wellness = house.catalog.wellness();
        wellness.keep_free(house.config.disk.keep_free_bytes);
    }
}
