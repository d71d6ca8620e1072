//! Where are the drop folders, and how often are they looked at?

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::model::{Declared, not_zero};

use super::settle::{SETTLE_MS_DEFAULT, SETTLE_MS_MIN};

/// What the configuration says about drop folders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DropFolderConfig {
    /// The folder in which each firm has one, named by its slug. Relative to the data folder.
    pub root: PathBuf,
    /// How news is learned of.
    pub watch: Watch,
    /// For how long a file must stay as it is before it is taken, at least [`SETTLE_MS_MIN`].
    ///
    /// On a network file system it should be longer than attributes are cached there.
    #[serde(deserialize_with = "checked_settle_ms")]
    pub settle_ms: u32,
    /// How often every folder is looked at although nothing was heard of it.
    #[serde(deserialize_with = "not_zero")]
    pub rescan_seconds: NonZeroU32,
    /// How often every folder is looked at where nothing is ever heard.
    #[serde(deserialize_with = "not_zero")]
    pub poll_seconds: NonZeroU32,
    /// What is true of a document beside which nothing is said.
    pub declared: Declared,
}

/// How news of a folder is learned of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Watch {
    /// The operating system tells; every folder is looked at now and then all the same.
    #[default]
    Notify,
    /// Nobody tells, as on network file systems: every folder is looked at often.
    Poll,
}

impl Default for DropFolderConfig {
    fn default() -> Self {
        Self {
            root: PathBuf::from("drop"),
            watch: Watch::Notify,
            settle_ms: SETTLE_MS_DEFAULT,
            rescan_seconds: RESCAN_SECONDS,
            poll_seconds: POLL_SECONDS,
            declared: Declared::default(),
        }
    }
}

impl DropFolderConfig {
    /// Returns how long to wait between two looks at every folder.
    pub(super) fn pace(&self, watching: Watch) -> Duration {
        let seconds = match watching {
            Watch::Notify => self.rescan_seconds,
            Watch::Poll => self.poll_seconds,
        };
        Duration::from_secs(seconds.get().into())
    }

    /// Returns the longest time between two looks at every folder, whether or not it is watched.
    pub(super) fn rests_max(&self) -> Duration {
        self.pace(Watch::Notify).max(self.pace(Watch::Poll))
    }
}

/// Half a minute: nobody waits longer for a file whose event was lost.
const RESCAN_SECONDS: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// Five seconds: a listing of some hundred folders is cheap even over a network.
const POLL_SECONDS: NonZeroU32 = NonZeroU32::new(5).unwrap();

fn checked_settle_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let ms = u32::deserialize(deserializer)?;
    if ms < SETTLE_MS_MIN {
        let why = format!("`settle_ms` is {ms}, and must be at least {SETTLE_MS_MIN}");
        return Err(serde::de::Error::custom(why));
    }
    Ok(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_root_must_be_said() {
        let config: DropFolderConfig = toml::from_str(r#"root = "/srv/drop""#).unwrap();

        let expected = DropFolderConfig {
            root: "/srv/drop".into(),
            watch: Watch::Notify,
            settle_ms: 2_000,
            rescan_seconds: NonZeroU32::new(30).unwrap(),
            poll_seconds: NonZeroU32::new(5).unwrap(),
            declared: Declared::default(),
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn what_nobody_could_mean_is_refused() {
        for bad in [
            "settle_ms = 499",
            "rescan_seconds = 0",
            "watch = \"inotify\"",
            "setle_ms = 2000",
        ] {
            let text = format!("root = \"/srv/drop\"\n{bad}");
            assert!(toml::from_str::<DropFolderConfig>(&text).is_err(), "{bad}");
        }
        assert!(
            toml::from_str::<DropFolderConfig>("root = \"/srv/drop\"\nsettle_ms = 500").is_ok()
        );
    }
}
