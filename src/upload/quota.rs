//! May this firm put in one more file today?
//!
//! What it has put in is counted from the documents, and the envelopes around some of them that no document has, when
//! the day or the process begins, and from then on here: nothing is asked of the database for a file. A file has its place before it is stored, so many
//! that come at the same time do not pass the limit together.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};

use super::{Error, UPLOAD_BYTES_MAX};
use crate::catalog::{Catalog, Uploaded};
use crate::model::{FirmId, Timestamp, not_zero};

/// What the configuration says about uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UploadLimits {
    /// The largest file that is taken, in bytes: [`UPLOAD_BYTES_MAX`] at the most.
    #[serde(deserialize_with = "checked_file_bytes")]
    pub file_bytes_max: u64,
    /// How many bytes one firm may put in on a day.
    #[serde(deserialize_with = "not_zero")]
    pub firm_day_bytes_max: NonZeroU64,
    /// How many files one firm may put in on a day.
    #[serde(deserialize_with = "not_zero")]
    pub firm_day_files_max: NonZeroU64,
}

/// 20 GiB: twice what the largest firm that we foresee receives on its busiest day, with large attachments.
const FIRM_DAY_BYTES_MAX: NonZeroU64 = NonZeroU64::new(20 * 1024 * 1024 * 1024).unwrap();

/// Twice the documents of that day.
const FIRM_DAY_FILES_MAX: NonZeroU64 = NonZeroU64::new(50_000).unwrap();

impl Default for UploadLimits {
    fn default() -> Self {
        Self {
            file_bytes_max: UPLOAD_BYTES_MAX,
            firm_day_bytes_max: FIRM_DAY_BYTES_MAX,
            firm_day_files_max: FIRM_DAY_FILES_MAX,
        }
    }
}

fn checked_file_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = u64::deserialize(deserializer)?;
    if (1..=UPLOAD_BYTES_MAX).contains(&bytes) {
        return Ok(bytes);
    }
    let why = format!(
        "`file_bytes_max` is {bytes}, and must be from 1 to {UPLOAD_BYTES_MAX}, the largest document that is read"
    );
    Err(serde::de::Error::custom(why))
}

impl UploadLimits {
    /// Says whether one more file of `bytes` may come after what was put in today.
    ///
    /// # Errors
    ///
    /// When it may not: which limit it would pass.
    pub fn check(&self, today: Uploaded, bytes: u64) -> Result<(), Error> {
        let (files_max, bytes_max) = (self.firm_day_files_max.get(), self.firm_day_bytes_max.get());
        if today.files >= files_max {
            return Err(Error::DayFiles { files_max });
        }
        if today.bytes.saturating_add(bytes) > bytes_max {
            return Err(Error::DayBytes { bytes_max });
        }
        Ok(())
    }
}

/// What each firm may still put in today. A clone is the same.
#[derive(Clone)]
pub struct Quota {
    catalog: Catalog,
    limits: UploadLimits,
    zone: TimeZone,
    days: Arc<Mutex<HashMap<FirmId, Day>>>,
}

/// What a firm has put in on one day, with what is being taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Day {
    from: Timestamp,
    to: Timestamp,
    used: Uploaded,
    is_told: bool,
}

/// The place of one file in its firm's day. Dropped, it stays taken: perhaps the file was taken in.
#[must_use]
#[derive(Debug)]
pub struct Room {
    days: Arc<Mutex<HashMap<FirmId, Day>>>,
    firm: FirmId,
    day: Timestamp,
    bytes: u64,
}

impl Quota {
    /// Counts what is in `catalog`, by the days of `zone`.
    pub fn new(catalog: Catalog, limits: UploadLimits, zone: TimeZone) -> Self {
        Self {
            catalog,
            limits,
            zone,
            days: Arc::default(),
        }
    }

    /// Returns the same count with other limits, by the days of `zone`.
    #[must_use]
    pub fn with_limits(&self, limits: UploadLimits, zone: TimeZone) -> Self {
        Self {
            limits,
            zone,
            ..self.clone()
        }
    }

    /// Returns the largest file that is taken, in bytes.
    pub fn file_bytes_max(&self) -> u64 {
        self.limits.file_bytes_max
    }

    /// Says whether a file of `bytes` may come now.
    ///
    /// # Errors
    ///
    /// When the firm has put in as much as it may today, or the catalog does not answer.
    pub async fn check(&self, firm: FirmId, bytes: u64, now: Timestamp) -> Result<(), Error> {
        self.count(firm, now).await?;
        let days = lock(&self.days);
        let used = days
            .get(&firm)
            .map_or_else(Uploaded::default, |day| day.used);
        self.limits.check(used, bytes)
    }

    /// Takes the place of a file of `bytes`.
    ///
    /// # Errors
    ///
    /// When the firm has put in as much as it may today, or the catalog does not answer.
    pub async fn reserve(&self, firm: FirmId, bytes: u64, now: Timestamp) -> Result<Room, Error> {
        let from = self.count(firm, now).await?;
        let mut days = lock(&self.days);
        if let Some(day) = days.get_mut(&firm) {
            self.limits.check(day.used, bytes)?;
            day.used.files += 1;
            day.used.bytes += bytes;
        }
        drop(days);
        Ok(Room {
            days: Arc::clone(&self.days),
            firm,
            day: from,
            bytes,
        })
    }

    /// Says whether nobody was told yet that the firm's day is full.
    pub fn is_news(&self, firm: FirmId) -> bool {
        let mut days = lock(&self.days);
        days.get_mut(&firm)
            .is_some_and(|day| !std::mem::replace(&mut day.is_told, true))
    }

    /// Sees to it that the day of `now` is counted, and returns when it began.
    ///
    /// Of two that count at the same time the first is believed: what was taken in since has its place there.
    async fn count(&self, firm: FirmId, now: Timestamp) -> Result<Timestamp, Error> {
        let is_of = |day: &Day| (day.from..day.to).contains(&now);
        if let Some(day) = lock(&self.days).get(&firm).filter(|day| is_of(day)) {
            return Ok(day.from);
        }
        let (from, to) = now.day_in(&self.zone);
        let used = self.catalog.uploaded(firm, (from, to)).await?;
        let mut days = lock(&self.days);
        if !days.get(&firm).is_some_and(is_of) {
            let day = Day {
                from,
                to,
                used,
                is_told: false,
            };
            days.insert(firm, day);
        }
        Ok(from)
    }
}

impl Room {
    /// Leaves the place taken: the file was taken in.
    pub fn keep(self) {}

    /// Gives the place back: the file was not taken in, or its bytes were here already.
    pub fn give_back(self) {
        let mut days = lock(&self.days);
        if let Some(day) = days.get_mut(&self.firm).filter(|day| day.from == self.day) {
            day.used.files = day.used.files.saturating_sub(1);
            day.used.bytes = day.used.bytes.saturating_sub(self.bytes);
        }
    }
}

fn lock(days: &Mutex<HashMap<FirmId, Day>>) -> MutexGuard<'_, HashMap<FirmId, Day>> {
    days.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Language;

    /// 14 March 2026, 23:59:59 in Brussels.
    const LATE: Timestamp = Timestamp(1_773_529_199_000);

    fn limits(text: &str) -> UploadLimits {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn one_past_each_limit_is_refused() {
        let limits = limits("firm_day_bytes_max = 100\nfirm_day_files_max = 3");
        let after = |files, bytes, next| limits.check(Uploaded { files, bytes }, next);

        assert!(after(2, 0, 100).is_ok());
        assert!(matches!(
            after(3, 0, 0),
            Err(Error::DayFiles { files_max: 3 })
        ));
        assert!(after(0, 99, 1).is_ok());
        assert!(matches!(
            after(0, 100, 1),
            Err(Error::DayBytes { bytes_max: 100 })
        ));
        assert!(matches!(after(0, 1, u64::MAX), Err(Error::DayBytes { .. })));
    }

    #[test]
    fn what_nobody_could_mean_is_refused() {
        for bad in [
            "file_bytes_max = 0",
            "file_bytes_max = 104857601",
            "firm_day_bytes_max = 0",
            "firm_day_files_max = 0",
            "firm_day_files = 5",
        ] {
            assert!(toml::from_str::<UploadLimits>(bad).is_err(), "{bad}");
        }
        assert_eq!(
            limits("file_bytes_max = 104857600"),
            UploadLimits::default()
        );
    }

    async fn quota(folder: &std::path::Path, text: &str) -> (Quota, FirmId) {
        let catalog = Catalog::open(&folder.join("catalog.sqlite")).await.unwrap();
        let slug = "peeters".parse().unwrap();
        let firm = catalog
            .add_firm(&slug, "P", Language::Nl, LATE)
            .await
            .unwrap();
        let zone = TimeZone::get("Europe/Brussels").unwrap();
        (Quota::new(catalog, limits(text), zone), firm)
    }

    #[tokio::test]
    async fn a_place_is_given_back_or_stays_taken_until_midnight() {
        let folder = tempfile::tempdir().unwrap();
        let (quota, firm) = quota(folder.path(), "firm_day_files_max = 2").await;

        let first = quota.reserve(firm, 10, LATE).await.unwrap();
        drop(quota.reserve(firm, 10, LATE).await.unwrap());
        assert!(quota.reserve(firm, 1, LATE).await.is_err());
        assert!(quota.check(firm, 1, LATE).await.is_err());
        assert!(quota.is_news(firm) && !quota.is_news(firm));
        first.give_back();
        let again = quota.reserve(firm, 1, LATE).await.unwrap();
        assert!(quota.reserve(firm, 1, LATE).await.is_err());

        let midnight = LATE.plus_ms(1000);
        drop(quota.reserve(firm, 1, midnight).await.unwrap());
        again.give_back(); // of the day before: it frees nothing today
        drop(quota.reserve(firm, 1, midnight).await.unwrap());
        assert!(quota.reserve(firm, 1, midnight).await.is_err());
        assert!(quota.is_news(firm));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_at_the_same_time_do_not_pass_the_limit_together() {
        let folder = tempfile::tempdir().unwrap();
        let (quota, firm) = quota(folder.path(), "firm_day_bytes_max = 100").await;
        let trying = (0..40).map(|_| {
            let quota = quota.clone();
            tokio::spawn(async move { quota.reserve(firm, 7, LATE).await.map(drop).is_ok() })
        });

        let tried = futures_util::future::join_all(trying).await;

        let taken = tried.into_iter().filter(|taken| *taken.as_ref().unwrap());
        assert_eq!(taken.count(), 14);
    }
}
