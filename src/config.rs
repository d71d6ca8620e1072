//! What has the operator decided?
//!
//! One file, `sluis.toml`, and variables of the environment over it; `config/sluis.toml` shows every key
//! with its default and why. An unknown key is refused, for it is a decision that would silently not count.

mod reload;
mod variables;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};

pub use self::reload::When;
pub use self::variables::Wrong;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};
use toml::Table;

use crate::alarm::Limits;
use crate::dispatch::WebhookConfig;
use crate::dropfolder::DropFolderConfig;
use crate::guard::GuardConfig;
use crate::layout::{ProfileError, Profiles};
use crate::login::SESSIONS_PER_DEVICE_MAX;
use crate::model::{Declared, address, not_zero};
use crate::seeing::MetricsConfig;
use crate::sftp::Algorithms;
use crate::sftp::limits::{
    IDLE_SECONDS, KEEPALIVE_SECONDS, KEEPALIVE_SECONDS_MAX, REKEY_BYTES_MAX, REKEY_BYTES_MIN,
};
use crate::upload::UploadLimits;

/// The operator's decisions, with paths made absolute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where everything is kept: catalog, blobs, keys, drop folders. Relative to the file.
    pub data: PathBuf,
    /// A folder with profiles of one's own, which take the place of built-in ones.
    pub profiles: Option<PathBuf>,
    /// The time zone of file names and folders.
    pub time_zone: String,
    /// The SFTP door.
    pub sftp: Sftp,
    /// What holds before login.
    pub guard: GuardConfig,
    /// Taking in by hand.
    pub ingest: Ingest,
    /// The drop folders.
    pub drop: DropFolderConfig,
    /// What devices may put in.
    pub uploads: UploadLimits,
    /// Telling senders.
    pub webhooks: WebhookConfig,
    /// When somebody is told of what was forgotten.
    pub alarms: Limits,
    /// The disks of the data.
    pub disk: Disk,
    /// Metrics and health.
    pub metrics: MetricsConfig,
    /// The log.
    pub log: Log,
    /// Where the service manager puts what is secret, if it does.
    #[serde(skip)]
    pub credentials: Option<PathBuf>,
}

/// The SFTP door.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sftp {
    /// Where to listen.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// A folder with host keys; none for the one in the data folder.
    pub host_keys: Option<PathBuf>,
    /// Which algorithms are offered.
    pub algorithms: Algorithms,
    /// After how many bytes in either direction keys are exchanged anew.
    #[serde(deserialize_with = "checked_rekey_bytes")]
    pub rekey_bytes: usize,
    /// After how many seconds keys are exchanged anew.
    #[serde(deserialize_with = "not_zero")]
    pub rekey_seconds: NonZeroU16,
    /// How many sessions a device may have at a time.
    #[serde(deserialize_with = "not_zero")]
    pub sessions_per_device: NonZeroU16,
    /// After how many seconds without a word a device is asked whether it is there.
    #[serde(deserialize_with = "checked_keepalive")]
    pub keepalive_seconds: NonZeroU16,
    /// How many seconds a session may stay without asking for anything.
    #[serde(deserialize_with = "not_zero")]
    pub idle_seconds: NonZeroU32,
    /// What is true of a document that is put into `/in`.
    pub declared: Declared,
}

fn checked_keepalive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU16, D::Error> {
    let seconds: NonZeroU16 = not_zero(deserializer)?;
    if seconds.get() <= KEEPALIVE_SECONDS_MAX {
        return Ok(seconds);
    }
    let why = format!(
        "a device that is asked only every {seconds} s whether it is there is found gone too late: write {KEEPALIVE_SECONDS_MAX} or less"
    );
    Err(serde::de::Error::custom(why))
}

fn checked_rekey_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let bytes = usize::deserialize(deserializer)?;
    if bytes >= REKEY_BYTES_MIN {
        return Ok(bytes);
    }
    let why = format!(
        "{bytes} bytes are too few for one key: write {REKEY_BYTES_MIN} or more, or leave it out for a gigabyte"
    );
    Err(serde::de::Error::custom(why))
}

/// Taking in by hand, by `sluis ingest`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ingest {
    /// What is true of a document of which nothing is said.
    pub declared: Declared,
}

/// The disks of the data.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disk {
    /// How many bytes must stay free: below that nothing new is taken.
    pub keep_free_bytes: u64,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How it is written.
    pub format: LogFormat,
    /// What is written: `error`, `warn`, `info`, `debug`, or directives such as `info,sluis=debug`.
    pub level: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            profiles: None,
            time_zone: "Europe/Brussels".to_owned(),
            sftp: Sftp::default(),
            guard: GuardConfig::default(),
            ingest: Ingest::default(),
            drop: DropFolderConfig::default(),
            uploads: UploadLimits::default(),
            webhooks: WebhookConfig::default(),
            alarms: Limits::default(),
            disk: Disk::default(),
            metrics: MetricsConfig::default(),
            log: Log::default(),
            credentials: None,
        }
    }
}

/// An hour (RFC 4253 §9).
const REKEY_SECONDS: NonZeroU16 = NonZeroU16::MIN.saturating_add(3599);

/// The variable in which systemd names the folder of credentials (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Room for weeks of marks, and to end a backup in.
const KEEP_FREE_BYTES: u64 = 512 * 1024 * 1024;

impl Default for Disk {
    fn default() -> Self {
        Self {
            keep_free_bytes: KEEP_FREE_BYTES,
        }
    }
}

impl Default for Sftp {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 2222)),
            host_keys: None,
            algorithms: Algorithms::default(),
            rekey_bytes: REKEY_BYTES_MAX,
            rekey_seconds: REKEY_SECONDS,
            sessions_per_device: SESSIONS_PER_DEVICE_MAX,
            keepalive_seconds: KEEPALIVE_SECONDS,
            idle_seconds: IDLE_SECONDS,
            declared: Declared::default(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".to_owned(),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("could not read the configuration `{}`; {}", path.display(), way_out(source))]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration `{}` cannot be used{}", path.display(), guess(source.message()))]
    Syntax {
        /// Which.
        path: PathBuf,
        /// What and where.
        source: Box<toml::de::Error>,
    },
    /// A variable is not what it should be.
    #[error("the configuration cannot be used")]
    Variable(#[from] Wrong),
    /// There is no such time zone.
    #[error(
        "the configuration names the time zone `{name}`, which is not known; write one such as Europe/Brussels"
    )]
    TimeZone {
        /// Which.
        name: String,
        /// Why.
        source: jiff::Error,
    },
    /// A folder of profiles cannot be read.
    #[error("could not read the profiles in `{}`", path.display())]
    Profiles {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A profile cannot be used.
    #[error("a profile cannot be used")]
    Profile(#[from] ProfileError),
}

impl Config {
    /// Reads the file at `path`; what variables of the environment say counts more.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is not TOML, or has an unknown key.
    pub fn read(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let read = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let folder = std::path::absolute(path).map_err(read)?;
        let folder = folder.parent().unwrap_or_else(|| Path::new("/"));
        Self::read_in(path, folder, variables)
    }

    /// Reads the file at `path` likewise, as if it stood in `folder`.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn read_in(
        path: &Path,
        folder: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let read = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        // The file by itself first: of what stands in it, errors name the line.
        let text = std::fs::read_to_string(path).map_err(read)?;
        let alone = Self::parse(&text, folder).map_err(syntax(path))?;
        let mut table: Table = text.parse().map_err(syntax(path))?;
        let file = table.clone();
        let mut credentials = None;
        let variables = variables.into_iter().inspect(|(name, value)| {
            if name == CREDENTIALS {
                credentials = Some(PathBuf::from(value));
            }
        });
        variables::overlay(&mut table, variables, |file| std::fs::read_to_string(file))?;
        let read = if table == file {
            alone
        } else {
            let read: Self = table.try_into().map_err(syntax(path))?;
            read.in_folder(folder)
        };
        Ok(Self {
            credentials,
            ..read
        })
    }

    /// Reads a configuration whose relative paths start at `folder`.
    ///
    /// # Errors
    ///
    /// When it is not TOML, or has an unknown key.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, toml::de::Error> {
        Ok(toml::from_str::<Self>(text)?.in_folder(folder))
    }

    fn in_folder(mut self, folder: &Path) -> Self {
        self.data = folder.join(&self.data);
        self.drop.root = self.data.join(&self.drop.root);
        self.webhooks.roots = self.webhooks.roots.map(|roots| folder.join(roots));
        self.profiles = self.profiles.map(|profiles| folder.join(profiles));
        self.sftp.host_keys = self.sftp.host_keys.map(|keys| folder.join(keys));
        self
    }

    /// Returns the time zone.
    ///
    /// # Errors
    ///
    /// When there is none of that name.
    pub fn zone(&self) -> Result<TimeZone, Error> {
        TimeZone::get(&self.time_zone).map_err(|source| Error::TimeZone {
            name: self.time_zone.clone(),
            source,
        })
    }

    /// Returns the profiles: those in the binary, and one's own over them.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read, or one of them cannot be used.
    pub fn read_profiles(&self) -> Result<Profiles, Error> {
        let own = match &self.profiles {
            Some(folder) => read_folder(folder).map_err(|source| Error::Profiles {
                path: folder.clone(),
                source,
            })?,
            None => Vec::new(),
        };
        Ok(Profiles::new(
            own.iter()
                .map(|(name, text)| (name.as_str(), text.as_str())),
        )?)
    }

    /// Returns the catalog's file.
    pub fn catalog_file(&self) -> PathBuf {
        self.data.join("catalog.sqlite")
    }

    /// Returns the folder of the blobs.
    pub fn blob_folder(&self) -> PathBuf {
        self.data.join("blobs")
    }

    /// Returns the folder where uploads wait.
    pub fn spool_folder(&self) -> PathBuf {
        self.data.join("spool")
    }

    /// Returns the folder of the host keys.
    pub fn key_folder(&self) -> PathBuf {
        let own = self.sftp.host_keys.clone();
        own.unwrap_or_else(|| self.data.join("host-keys"))
    }
}

fn syntax(path: &Path) -> impl Fn(toml::de::Error) -> Error {
    move |source| Error::Syntax {
        path: path.to_owned(),
        source: Box::new(source),
    }
}

fn way_out(failed: &std::io::Error) -> &'static str {
    match failed.kind() {
        ErrorKind::PermissionDenied => {
            "run every command as the user that the service runs as, as with `sudo -u sluis`"
        }
        _ => "`sluis init DIR` makes one, `--config FILE` names another",
    }
}

fn guess(refusal: &str) -> String {
    let meant = variables::meant(refusal);
    meant.map_or_else(String::new, |key| format!("; is `{key}` meant?"))
}

fn read_folder(folder: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            files.push((name, std::fs::read_to_string(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_example_is_known_and_shows_its_default() {
        let example = include_str!("../config/sluis.toml");

        let config = Config::parse(example, Path::new("/")).unwrap();

        assert_eq!(config, Config::parse("", Path::new("/")).unwrap());
    }

    #[test]
    fn whoever_may_not_read_the_file_is_not_told_to_make_another() {
        for (kind, advice) in [
            (ErrorKind::PermissionDenied, "sudo -u sluis"),
            (ErrorKind::NotFound, "sluis init DIR"),
        ] {
            let (path, source) = (PathBuf::from("sluis.toml"), kind.into());
            let told = Error::Read { path, source }.to_string();
            assert!(told.contains(advice), "{told}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = Config::parse("[sftp]\nlisten_on = 3\n", Path::new("/")).unwrap_err();

        assert!(error.to_string().contains("listen_on"), "{error}");
    }

    #[test]
    fn too_few_bytes_for_one_key_are_refused_with_the_least() {
        for (bytes, is_taken) in [
            (0, false),
            (REKEY_BYTES_MIN - 1, false),
            (REKEY_BYTES_MIN, true),
        ] {
            let text = format!("[sftp]\nrekey_bytes = {bytes}\n");
            match Config::parse(&text, Path::new("/")) {
                Ok(config) => assert!(is_taken && config.sftp.rekey_bytes == bytes),
                Err(error) => assert!(
                    !is_taken && error.to_string().contains("write 65536 or more"),
                    "{error}"
                ),
            }
        }
    }

    #[test]
    fn a_device_is_asked_often_enough_and_no_limit_of_a_session_is_nothing() {
        let parsed = |line: &str| Config::parse(&format!("[sftp]\n{line}\n"), Path::new("/"));
        let most = KEEPALIVE_SECONDS_MAX;

        assert!(parsed(&format!("keepalive_seconds = {most}")).is_ok());
        let error = parsed(&format!("keepalive_seconds = {}", most + 1)).unwrap_err();
        assert!(error.to_string().contains("write 300 or less"), "{error}");
    }

    #[test]
    fn a_number_or_an_address_that_cannot_be_is_named_with_what_can() {
        let most = |bits: u32| (u64::MAX >> (64 - bits)).min(i64::MAX.unsigned_abs());
        for (table, key, bits) in [
            ("sftp", "keepalive_seconds", 16),
            ("sftp", "idle_seconds", 32),
            ("sftp", "sessions_per_device", 16),
            ("sftp", "rekey_seconds", 16),
            ("guard", "grace_seconds", 16),
            ("guard", "network_startups_max", 16),
            ("drop", "rescan_seconds", 32),
            ("drop", "poll_seconds", 32),
            ("uploads", "firm_day_bytes_max", 64),
            ("uploads", "firm_day_files_max", 64),
        ] {
            let past = most(bits).saturating_add(1).to_string();
            let wrong = if bits == 64 {
                ["0", "-1"]
            } else {
                ["0", &past]
            };
            for value in wrong {
                let read = Config::parse(&format!("[{table}]\n{key} = {value}\n"), Path::new("/"));
                let error = read.unwrap_err().to_string();
                let advice = format!("write a whole number from 1 to {}", most(bits));
                assert!(error.contains(&advice) && error.contains(key), "{error}");
            }
            let text = format!("[{table}]\n{key} = 1\n");
            assert!(Config::parse(&text, Path::new("/")).is_ok(), "{key}");
        }
        for (table, value) in [
            ("sftp", "localhost:2222"),
            ("sftp", "0.0.0.0"),
            ("metrics", ""),
        ] {
            let text = format!("[{table}]\nlisten = \"{value}\"\n");
            let error = Config::parse(&text, Path::new("/")).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("is no address with a port: write one such as"),
                "{error}"
            );
        }
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let config = Config::parse("data = 'd'", Path::new("/etc/sluis")).unwrap();

        assert_eq!(
            config.catalog_file(),
            Path::new("/etc/sluis/d/catalog.sqlite")
        );
        assert_eq!(config.drop.root, Path::new("/etc/sluis/d/drop"));
    }
}
