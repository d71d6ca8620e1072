//! With what, and from where, may a device log in now?
//!
//! Every change here moves the device's `access`: whoever judged a login before it judges again.

use std::collections::HashMap;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, query};

use super::devices::{Device, DeviceKey};
use super::events::Event;
use super::firms::change;
use super::in_use::check_in_use;
use super::rows::Columns as _;
use super::{Catalog, Durability, Error, Tx};
use crate::model::{DeviceId, DeviceKind, EventKind, FirmId, Means, Networks, Timestamp};

/// What a device may prove itself with, and where.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The device.
    pub device: DeviceId,
    /// Its firm.
    pub firm: FirmId,
    /// How it works.
    pub kind: DeviceKind,
    /// Its password, if it has one.
    pub password: Option<StoredPassword>,
    /// Its keys.
    pub keys: Vec<KeptKey>,
    /// With what it logs in.
    pub means: Means,
    /// From where.
    pub networks: Networks,
    /// Why it may not log in at all, if so.
    pub disabled: Option<String>,
    /// Moves with every change of all this.
    pub access: i64,
}

/// A password of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPassword {
    /// An argon2id hash in PHC form.
    pub hash: String,
    /// Moves with every password that the device is given.
    pub version: i64,
}

/// A key of a device, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptKey {
    /// The key.
    pub key: DeviceKey,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it last opened a session, to the hour.
    pub used_at: Option<Timestamp>,
}

/// That a device may not log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// Since when.
    pub at: Timestamp,
    /// Why, in the words of whoever decided it.
    pub why: String,
}

/// What is asked of a device that is in use, by a condition.
macro_rules! credential_where {
    ($condition:literal) => {
        concat!(
            "select d.id, d.firm_id, d.kind, d.password_hash, d.password_version, d.means, d.networks, d.disabled_at,
                    d.disabled_why, d.access
             from device d join firm f on f.id = d.firm_id where d.removed_at is null and ",
            $condition
        )
    };
}

impl Catalog {
    /// Returns what the device called `device` at the firm called `firm` may prove itself with.
    ///
    /// # Errors
    ///
    /// When the database does not answer; a login that nobody has is none.
    pub async fn credential(&self, firm: &str, device: &str) -> Result<Option<Credential>, Error> {
        let row = query(credential_where!("f.slug = $1 and d.name = $2"))
            .bind(firm)
            .bind(device)
            .fetch_optional(&self.readers)
            .await;
        let row = self.asked(row)?;
        self.with_keys(row).await
    }

    /// Returns what a device may prove itself with; none if it is not in use.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn credential_of(&self, device: DeviceId) -> Result<Option<Credential>, Error> {
        let row = query(credential_where!("d.id = $1"))
            .bind(device.0)
            .fetch_optional(&self.readers)
            .await;
        let row = self.asked(row)?;
        self.with_keys(row).await
    }

    async fn with_keys(&self, row: Option<AnyRow>) -> Result<Option<Credential>, Error> {
        let Some(row) = row else { return Ok(None) };
        let device = DeviceId(row.int("id")?);
        let version = row.int("password_version")?;
        let hash = row.text_or("password_hash")?;
        Ok(Some(Credential {
            device,
            firm: FirmId(row.int("firm_id")?),
            kind: row.word("kind")?,
            password: hash.map(|hash| StoredPassword { hash, version }),
            keys: self.device_keys(device).await?,
            means: row.word("means")?,
            networks: networks(&row)?,
            disabled: disabled(&row)?.map(|disabled| disabled.why),
            access: row.int("access")?,
        }))
    }

    /// Returns the keys of a device, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn device_keys(&self, device: DeviceId) -> Result<Vec<KeptKey>, Error> {
        let rows =
            query("select * from device_key where device_id = $1 order by added_at, fingerprint")
                .bind(device.0)
                .fetch_all(&self.readers)
                .await;
        let rows = self.asked(rows)?;
        let kept = |row: &AnyRow| {
            Ok(KeptKey {
                key: DeviceKey {
                    fingerprint: row.text("fingerprint")?,
                    public_key: row.text("public_key")?,
                    comment: row.text("comment")?,
                    expires_at: row.at_or("expires_at")?,
                },
                added_at: row.at("added_at")?,
                used_at: row.at_or("used_at")?,
            })
        };
        rows.iter().map(kept).collect()
    }

    /// Returns what moves with every change of what logs these devices in; nothing for one that is not in use.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn accesses(&self, devices: &[DeviceId]) -> Result<HashMap<DeviceId, i64>, Error> {
        let mut found = HashMap::with_capacity(devices.len());
        for some in devices.chunks(ASKED_MAX) {
            let ids: Vec<_> = some.iter().map(|id| id.0.to_string()).collect();
            let text = format!(
                "select id, access from device where removed_at is null and id in ({})",
                ids.join(", ")
            );
            let rows = query(AssertSqlSafe(text)).fetch_all(&self.readers).await;
            for row in self.asked(rows)? {
                found.insert(DeviceId(row.int("id")?), row.int("access")?);
            }
        }
        Ok(found)
    }

    /// Changes with what a device logs in, from where, or both; returns what it is then. What is not said stays as
    /// it is, also where somebody else has changed it since.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn set_login(
        &self,
        device: &Device,
        (means, networks): (Option<Means>, Option<&Networks>),
        now: Timestamp,
    ) -> Result<(Means, Networks), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let row = query(
            "update device set means = coalesce($3, means), networks = case when $4 = 1 then $5 else networks end,
                    access = access + 1
             where firm_id = $1 and id = $2 returning means, networks",
        )
        .bind(device.firm.0)
        .bind(device.id.0)
        .bind(means.map(Means::as_str))
        .bind(i64::from(networks.is_some()))
        .bind(networks.filter(|all| !all.are_all()).map(ToString::to_string))
        .fetch_one(&mut *tx.inner)
        .await?;
        let (means, networks) = (row.word::<Means>("means")?, self::networks(&row)?);
        let what = format!("{means} from {networks} for `{}`", device.name);
        tell(tx, device, EventKind::LoginChanged, what, now).await?;
        Ok((means, networks))
    }

    /// Gives a device a password, in the place of the one it had, or takes it away.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn set_password(
        &self,
        device: &Device,
        hash: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        query(
            "update device set password_hash = $3, password_version = password_version + 1, access = access + 1
             where firm_id = $1 and id = $2",
        )
        .bind(device.firm.0)
        .bind(device.id.0)
        .bind(hash)
        .execute(&mut *tx.inner)
        .await?;
        let what = if hash.is_some() { "set" } else { "removed" };
        let what = format!("{what} for `{}`", device.name);
        tell(tx, device, EventKind::PasswordChanged, what, now).await
    }

    /// Keeps the same password under another hash: it stays the one that it was, and nothing has happened.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn rehash_password(
        &self,
        device: DeviceId,
        (old, new): (&StoredPassword, &str),
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Kill).await?;
        query("update device set password_hash = $3 where id = $1 and password_hash = $2 and password_version = $4")
            .bind(device.0)
            .bind(old.hash.as_str())
            .bind(new)
            .bind(old.version)
            .execute(&mut *tx.inner)
            .await?;
        tx.commit_unseen().await
    }

    /// Changes when a key of a device expires.
    ///
    /// # Errors
    ///
    /// When the device has no such key, or the database does not answer.
    pub async fn set_key_expiry(
        &self,
        device: &Device,
        (fingerprint, expires_at): (&str, Option<Timestamp>),
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let done = query(
            "update device_key set expires_at = $3 where device_id = $1 and fingerprint = $2",
        )
        .bind(device.id.0)
        .bind(fingerprint)
        .bind(expires_at.map(|at| at.0))
        .execute(&mut *tx.inner)
        .await?;
        if done.rows_affected() == 0 {
            return Err(unknown_key(device, fingerprint));
        }
        moved(&mut tx, device).await?;
        let when = told_expiry(expires_at);
        let what = format!("{fingerprint} of `{}`{when}", device.name);
        tell(tx, device, EventKind::KeyChanged, what, now).await
    }

    /// Keeps a device from logging in, and has its open sessions ended.
    ///
    /// # Errors
    ///
    /// When it is disabled already, or the database does not answer.
    pub async fn disable_device(
        &self,
        device: &Device,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let done = query(
            "update device set disabled_at = $3, disabled_why = $4, access = access + 1
             where firm_id = $1 and id = $2 and disabled_at is null",
        )
        .bind(device.firm.0)
        .bind(device.id.0)
        .bind(now.0)
        .bind(why)
        .execute(&mut *tx.inner)
        .await?;
        if done.rows_affected() == 0 {
            let text = format!("device `{}` is disabled already", device.name);
            return Err(Error::Refused(text));
        }
        let what = format!("`{}`: {why}", device.name);
        tell(tx, device, EventKind::DeviceDisabled, what, now).await
    }

    /// Lets a device log in again.
    ///
    /// # Errors
    ///
    /// When it is not disabled, or the database does not answer.
    pub async fn enable_device(&self, device: &Device, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let done = query(
            "update device set disabled_at = null, disabled_why = null, access = access + 1
             where firm_id = $1 and id = $2 and disabled_at is not null",
        )
        .bind(device.firm.0)
        .bind(device.id.0)
        .execute(&mut *tx.inner)
        .await?;
        if done.rows_affected() == 0 {
            let text = format!("device `{}` is not disabled", device.name);
            return Err(Error::Refused(text));
        }
        let what = format!("`{}`", device.name);
        tell(tx, device, EventKind::DeviceEnabled, what, now).await
    }
}

/// Devices that one question asks for.
const ASKED_MAX: usize = 500;

/// Notes that what logs a device in has changed; refused of one that is no longer in use.
pub(super) async fn moved(tx: &mut Tx, device: &Device) -> Result<(), Error> {
    query("update device set access = access + 1 where firm_id = $1 and id = $2")
        .bind(device.firm.0)
        .bind(device.id.0)
        .execute(&mut *tx.inner)
        .await?;
    check_in_use(tx, device.firm, Some(device.id)).await
}

/// Tells of a change of a device, and makes it last, if it is in use still.
async fn tell(
    mut tx: Tx,
    device: &Device,
    kind: EventKind,
    what: String,
    now: Timestamp,
) -> Result<(), Error> {
    check_in_use(&mut tx, device.firm, Some(device.id)).await?;
    let mut event = Event::new(kind, what);
    event.device = Some(device.id);
    change(&mut tx, device.firm, now, event).await?;
    tx.commit().await
}

/// What an event says of a key's expiry.
pub(super) fn told_expiry(expires_at: Option<Timestamp>) -> String {
    expires_at.map_or_else(String::new, |at| format!(", until {at}"))
}

/// From where the device of this row logs in.
pub(super) fn networks(row: &AnyRow) -> Result<Networks, Error> {
    Ok(row.word_or("networks")?.unwrap_or_default())
}

/// Whether the device of this row may log in at all.
pub(super) fn disabled(row: &AnyRow) -> Result<Option<Disabled>, Error> {
    let Some(at) = row.at_or("disabled_at")? else {
        return Ok(None);
    };
    let why = row.text_or("disabled_why")?.unwrap_or_default();
    Ok(Some(Disabled { at, why }))
}
/// Names the command that lists a device's keys.
pub(super) fn unknown_key(device: &Device, fingerprint: &str) -> Error {
    Error::Refused(format!(
        "key `{fingerprint}` of device `{}` is not known: `sluis device key list` shows its keys",
        device.name
    ))
}
