//! How is the house built, run and ended?
//!
//! The parts are joined here and nowhere else, and the clock is read here and nowhere else.

mod private;
mod reload;
mod serving;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

pub use self::reload::Renewed;

pub(crate) use self::private::user_name;
use self::reload::Memory;
use crate::blobs::{self, Blobs};
use crate::catalog::{self, Catalog, Firm};
use crate::config::{self, Config};
use crate::counts::Counts;
use crate::dispatch::{self, Dispatcher, Poster};
use crate::dropfolder::DropFolders;
use crate::guard::Guard;
use crate::hostkeys;
use crate::ingest::Ingest;
use crate::ingest::place::{Places, Shared};
use crate::keeping::Keeping;
use crate::layout::Profiles;
use crate::locks;
use crate::login::Logins;
use crate::lookout::{FolderLooks, Lookout};
use crate::mark::Marks;
use crate::model::{Clock, Timestamp, with_causes};
use crate::scheduler::Scheduler;
use crate::seeing::{Readiness, Seeing, Watched};
use crate::sending::Sending;
use crate::sftp::{Door, HostKeys, Listening, Parts, Pulse, Transport};
use crate::tending::{Disks, Tending};
use crate::tree::Tree;
use crate::upload::{Quota, Rejections, Shelf, Spool};

/// The house, with its stores open.
#[derive(Clone)]
pub struct House {
    /// The operator's decisions.
    pub config: Config,
    /// What is written down.
    pub catalog: Catalog,
    /// The bytes.
    pub blobs: Blobs,
    /// The profiles.
    pub profiles: Arc<Profiles>,
    /// What makes folders and names.
    pub places: Places,
    /// What takes arrivals in.
    pub ingest: Ingest,
    /// What sends by hand.
    pub sending: Sending,
    /// What tells the time.
    pub clock: Clock,
    /// What is counted.
    pub counts: Arc<Counts>,
}

/// A house that cannot be built or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used.
    #[error("the configuration cannot be used")]
    Config(#[from] config::Error),
    /// A folder cannot be made.
    #[error("could not make the folder `{}`", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no data yet.
    #[error("there is nothing at `{}`; `sluis init DIR` makes a data folder", path.display())]
    NoData {
        /// Where it should be.
        path: PathBuf,
    },
    /// The data is another user's, and this runs as root.
    #[error(
        "`{}` belongs to the user {user}, who could not write what root makes there: do this as that user, with `sudo -u '{user}' sluis …`",
        path.display()
    )]
    NotRoots {
        /// The catalog.
        path: PathBuf,
        /// Its name, or its number as `sudo` takes it.
        user: String,
    },
    /// The folder of the documents is not the one that the catalog names them in.
    #[error(
        "the folder of the documents, `{}`, is empty or not there, and the catalog names documents: mount its disk or put it back, or `sluis restore` a backup",
        path.display()
    )]
    NoDocuments {
        /// Where it should be.
        path: PathBuf,
    },
    /// The catalog cannot be opened.
    #[error("the catalog cannot be opened")]
    Catalog(#[from] catalog::Error),
    /// The blobs cannot be opened.
    #[error("the blob store cannot be opened")]
    Blobs(#[from] blobs::Error),
    /// The host keys cannot be used.
    #[error("the host keys cannot be used")]
    HostKeys(#[from] hostkeys::Error),
    /// Receivers of webhooks could not be called.
    #[error("the webhooks cannot be told")]
    Webhooks(#[from] dispatch::Error),
    /// The address cannot be listened on.
    #[error(
        "could not listen on {address}; is another server there, or does the port need a privilege?"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The socket that the service manager passed on cannot be listened on.
    #[error("could not listen on the socket that the service manager passed on; is it one of TCP?")]
    Socket(#[source] std::io::Error),
    /// A part of the server has died.
    #[error(
        "what {what} has died, which is a fault of this program, and the server has ended in order: start it again, and tell us what its log says"
    )]
    Died {
        /// Which, by what it does.
        what: &'static str,
    },
    /// Another server runs on the same data.
    #[error("another `sluis serve` runs on `{}`", path.display())]
    Running {
        /// The data folder.
        path: PathBuf,
    },
}

impl House {
    /// Opens what `config` names, which `init` has made.
    ///
    /// # Errors
    ///
    /// When something is missing, or cannot be opened.
    pub async fn open(config: Config) -> Result<Self, Error> {
        if !config.catalog_file().exists() {
            return Err(Error::NoData { path: config.data });
        }
        private::not_as_root(&config.catalog_file())?;
        if blobs::hold_nothing(&config.blob_folder()) {
            let catalog = Catalog::open(&config.catalog_file()).await?;
            let names_any = catalog.names_documents().await;
            catalog.close().await;
            if names_any? {
                return Err(Error::NoDocuments {
                    path: config.blob_folder(),
                });
            }
        }
        Self::join(config).await
    }

    /// Makes the folders, host keys and catalog that `config` names, as far as they are not there, and opens them.
    ///
    /// # Errors
    ///
    /// When one cannot be made or opened.
    pub async fn make(config: Config) -> Result<Self, Error> {
        let house = Self::make_without_keys(config).await?;
        hostkeys::make(&house.config.key_folder())?;
        Ok(house)
    }

    /// Makes all but the host keys, for a house that lives for minutes and brings its own.
    ///
    /// # Errors
    ///
    /// When something cannot be made or opened.
    pub async fn make_without_keys(config: Config) -> Result<Self, Error> {
        private::not_as_root(&config.catalog_file())?;
        let folders = [
            config.data.clone(),
            config.key_folder(),
            config.drop.root.clone(),
        ];
        for path in folders {
            make_folder(&path)?;
        }
        Self::join(config).await
    }

    async fn join(config: Config) -> Result<Self, Error> {
        for path in [config.blob_folder(), config.spool_folder()] {
            make_folder(&path)?;
        }
        let profiles = Arc::new(config.read_profiles()?);
        let places = Places::new(Arc::clone(&profiles), config.zone()?);
        let catalog = Catalog::open(&config.catalog_file()).await?;
        private::keep(private::of_catalog(&config.catalog_file()));
        private::keep([config.blob_folder(), config.spool_folder()]);
        let wellness = catalog.wellness().clone();
        wellness.keep_free(config.disk.keep_free_bytes);
        let blobs = Blobs::in_folder(&config.blob_folder())?.reporting_to(wellness);
        let counts = Arc::<Counts>::default();
        let ingest = Ingest::new(catalog.clone(), blobs.clone(), places.clone())
            .counted_in(Arc::clone(&counts));
        let sending = Sending::new(ingest.clone());
        let house = Self {
            config,
            catalog,
            blobs,
            profiles,
            places,
            ingest,
            sending,
            clock: system_clock(),
            counts,
        };
        house.tending().look_at_room();
        Ok(house)
    }

    /// Returns the server's keys.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn host_keys(&self) -> Result<HostKeys, Error> {
        let config = &self.config;
        let credentials = config.credentials.as_deref();
        Ok(hostkeys::read(&config.key_folder(), credentials)?)
    }

    /// Opens the SFTP door; it serves when it is run, until `draining` is cancelled.
    ///
    /// # Errors
    ///
    /// When the keys cannot be read, or the address cannot be listened on.
    pub async fn listen(&self, draining: CancellationToken) -> Result<Listening, Error> {
        let keys = self.host_keys()?;
        self.listen_with(keys, draining).await
    }

    /// Opens the SFTP door on a socket that somebody listens on already: a service manager, which keeps it
    /// over a restart.
    ///
    /// # Errors
    ///
    /// When the keys cannot be read, or it is no socket that listens.
    pub async fn listen_on(
        &self,
        socket: std::net::TcpListener,
        draining: CancellationToken,
    ) -> Result<Listening, Error> {
        let door = self.door(self.host_keys()?, draining).await?;
        let taken = socket
            .set_nonblocking(true)
            .and_then(|()| tokio::net::TcpListener::from_std(socket));
        taken
            .and_then(|listener| door.listen_on(listener))
            .map_err(Error::Socket)
    }

    /// Opens the SFTP door with these keys.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on.
    pub async fn listen_with(
        &self,
        keys: HostKeys,
        draining: CancellationToken,
    ) -> Result<Listening, Error> {
        let address = self.config.sftp.listen;
        let listening = self.door(keys, draining).await?.listen(address).await;
        listening.map_err(|source| Error::Listen { address, source })
    }

    async fn door(&self, keys: HostKeys, draining: CancellationToken) -> Result<Door, Error> {
        let parts = Parts {
            tree: Tree::new(
                self.catalog.clone(),
                self.blobs.clone(),
                self.places.clone(),
            ),
            marks: Marks::new(self.catalog.clone(), self.ingest.readers())
                .counted_in(Arc::clone(&self.counts)),
            ingest: self.ingest.clone(),
            sending: self.sending.clone(),
            spool: Spool::in_folder(&self.config.spool_folder())
                .reporting_to(self.catalog.wellness().clone()),
            shelf: Shelf::default(),
            quota: Quota::new(
                self.catalog.clone(),
                self.config.uploads,
                self.places.zone().clone(),
            ),
            rejections: Rejections::new(self.catalog.clone()),
            declared: self.config.sftp.declared,
            clock: self.clock.clone(),
            counts: Arc::clone(&self.counts),
            draining,
        };
        let rules = self.config.guard.clone();
        let guard = Guard::open(self.catalog.clone(), rules, self.clock.read())
            .await?
            .counted_in(Arc::clone(&self.counts));
        let sessions_max = self.config.sftp.sessions_per_device;
        let logins = Logins::new(self.catalog.clone()).with_sessions_max(sessions_max);
        Ok(Door::new(
            logins,
            guard,
            parts,
            transport(&self.config, keys),
        ))
    }

    /// Opens the listener for monitors, if the configuration has one; it answers when it is run.
    ///
    /// # Errors
    ///
    /// When its address cannot be listened on.
    pub async fn watch(
        &self,
        pulse: Pulse,
        draining: CancellationToken,
    ) -> Result<Option<Seeing>, Error> {
        let Some(address) = self.config.metrics.listen else {
            return Ok(None);
        };
        let watched = Watched {
            counts: Arc::clone(&self.counts),
            catalog: self.catalog.clone(),
            readiness: Readiness {
                wellness: self.catalog.wellness().clone(),
                draining,
            },
            pulse,
            data: self.config.data.clone(),
            clock: self.clock.clone(),
        };
        let listening = Seeing::listen(address, watched).await;
        listening
            .map(Some)
            .map_err(|source| Error::Listen { address, source })
    }

    fn scheduler(&self) -> Scheduler {
        let (catalog, sending) = (self.catalog.clone(), self.sending.clone());
        Scheduler::new(catalog, sending, self.clock.clone())
    }

    fn drop_folders(&self, memory: &Memory) -> DropFolders {
        DropFolders::new(self.config.drop.clone(), self.ingest.clone())
            .reporting_to(memory.looks.clone())
            .remembering(memory.left.clone())
            .holding(memory.held.clone())
    }

    /// Returns what tells receivers what happens; it does when it is run.
    pub fn dispatcher(&self) -> Dispatcher {
        let poster = Poster::new(&self.config.webhooks);
        Dispatcher::new(self.catalog.clone(), poster, self.clock.clone())
    }

    /// Returns what looks whether everything is well; it does when it is run.
    pub fn tending(&self) -> Tending {
        let disks = Disks {
            catalog: self.config.catalog_file(),
            blobs: self.config.blob_folder(),
            spool: self.config.spool_folder(),
        };
        let (catalog, blobs) = (self.catalog.clone(), self.blobs.clone());
        Tending::new(catalog, blobs, disks, self.clock.clone())
    }

    /// Returns what removes what is kept no longer; it does when it is run.
    pub fn keeping(&self) -> Keeping {
        Keeping::new(self.catalog.clone(), self.blobs.clone(), self.clock.clone())
    }

    /// Returns what looks whether something was forgotten; it does when it is run.
    pub fn lookout(&self, looks: FolderLooks) -> Lookout {
        let (catalog, clock) = (self.catalog.clone(), self.clock.clone());
        Lookout::new(catalog, self.config.alarms, looks, clock)
    }

    /// Says of which links the documents are held: a profile may have been changed so that two have one folder.
    async fn look_for_shared_folders(&self, firm: &Firm) {
        let today = self.places.today(self.clock.read());
        match self.catalog.links(firm.id).await {
            Ok(links) => {
                for link in &links {
                    if let Err(unknown) = self.profiles.find(&link.profile) {
                        tracing::error!(firm = %firm.slug, link.id = %link.id, "Link {} of firm `{}` cannot be shown, and what arrives for it is held: {unknown}", link.id, firm.slug);
                    }
                }
                for Shared { first, second } in self.places.shared(&links, today) {
                    tracing::error!(firm = %firm.slug, link.id = %second.id, "Link {} of firm `{}` has a folder of link {}: what either would get there is held", second.id, firm.slug, first.id);
                }
            }
            Err(error) if !self.catalog.is_news(&error) => {}
            Err(error) => {
                let why = with_causes(&error);
                tracing::error!(firm = %firm.slug, "Could not ask for the links of firm `{}`: {why}", firm.slug);
            }
        }
    }

    /// Says which folders several links have, unless the end comes first: a profile may have been changed, while
    /// nobody served or at a reload.
    async fn look_for_shared_folders_until(&self, ends: &CancellationToken) {
        tokio::select! {
            () = self.look_for_all_shared_folders() => {}
            () = ends.cancelled() => {}
        }
    }

    async fn look_for_all_shared_folders(&self) {
        match self.catalog.firms_understood().await {
            Ok(firms) => {
                for firm in firms {
                    self.look_for_shared_folders(&firm).await;
                }
            }
            Err(error) if !self.catalog.is_news(&error) => {}
            Err(error) => {
                let why = with_causes(&error);
                tracing::error!("Could not ask which firms there are: {why}");
            }
        }
    }

    /// Holds off a second server on the same data, until the value is dropped or the process ends.
    ///
    /// # Errors
    ///
    /// When another server runs, or the lock cannot be made.
    pub fn hold_data(&self) -> Result<fs::File, Error> {
        let path = self.config.data.join("serve.lock");
        let file = locks::open(&path).map_err(|source| Error::Folder { path, source })?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(_) => Err(Error::Running {
                path: self.config.data.clone(),
            }),
        }
    }
}

/// Returns the system's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock is read here and nowhere else"
)]
pub fn system_clock() -> Clock {
    Clock::new(|| {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    })
}

/// Books are nobody else's: a folder that is made here is its owner's alone.
fn make_folder(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(path);
    made.map_err(|source| Error::Folder {
        path: path.to_owned(),
        source,
    })
}

/// Returns what the configuration says of connections.
pub(crate) fn transport(config: &Config, keys: HostKeys) -> Transport {
    let sftp = &config.sftp;
    Transport {
        keys,
        algorithms: sftp.algorithms,
        rekey_bytes: sftp.rekey_bytes,
        rekey_after: Duration::from_secs(sftp.rekey_seconds.get().into()),
        keepalive: Duration::from_secs(sftp.keepalive_seconds.get().into()),
        idle: Duration::from_secs(sftp.idle_seconds.get().into()),
    }
}
