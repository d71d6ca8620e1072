//! Which devices may log in, and with what?

use sqlx::{AssertSqlSafe, query};

use super::events::Event;
use super::firms::change;
use super::rows::Columns as _;
use super::uploads::uploads;
use super::{Catalog, Durability, Error, Tx};
use crate::model::{DeviceId, DeviceKind, EventKind, FirmId, Name, SessionId, Timestamp, Uploads};

/// One SFTP login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its row.
    pub id: DeviceId,
    /// Whose it is.
    pub firm: FirmId,
    /// Its name; the login is `FIRM.DEVICE`.
    pub name: Name,
    /// How it works.
    pub kind: DeviceKind,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it last logged in.
    pub last_seen: Option<Timestamp>,
    /// Its keys, for people.
    pub keys: Vec<DeviceKey>,
    /// Whether it has a password.
    pub has_password: bool,
    /// Whether it may upload.
    pub uploads: Uploads,
}

/// A public key of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceKey {
    /// `SHA256:…`, as OpenSSH prints it.
    pub fingerprint: String,
    /// The key in OpenSSH's one-line form, without comment.
    pub public_key: String,
    /// What its owner calls it.
    pub comment: String,
}

/// A device to add.
#[derive(Debug, Clone)]
pub struct NewDevice<'a> {
    /// Its name.
    pub name: &'a Name,
    /// How it works.
    pub kind: DeviceKind,
    /// An argon2id hash in PHC form.
    pub password_hash: Option<&'a str>,
    /// Its keys.
    pub keys: &'a [DeviceKey],
    /// Whether it gets what no link assigns.
    pub is_default: bool,
}

/// What a device may prove itself with.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The device.
    pub device: DeviceId,
    /// Its firm.
    pub firm: FirmId,
    /// How it works.
    pub kind: DeviceKind,
    /// An argon2id hash in PHC form.
    pub password_hash: Option<String>,
    /// Its keys in OpenSSH's one-line form.
    pub public_keys: Vec<String>,
}

/// A connection that has logged in.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// Whose.
    pub firm: FirmId,
    /// Of which device.
    pub device: DeviceId,
    /// From where.
    pub address: &'a str,
    /// The peer's identification (RFC 4253 §4.2).
    pub software: &'a str,
    /// The key's fingerprint, or `password`.
    pub credential: &'a str,
}

impl Catalog {
    /// Adds a device.
    ///
    /// # Errors
    ///
    /// When the firm has one of that name, or the database does not answer.
    pub async fn add_device(
        &self,
        firm: FirmId,
        new: &NewDevice<'_>,
        now: Timestamp,
    ) -> Result<DeviceId, Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let row = query(
            "insert into device (firm_id, name, kind, password_hash, added_at) values ($1, $2, $3, $4, $5) returning id",
        )
        .bind(firm.0)
        .bind(new.name.as_str())
        .bind(new.kind.as_str())
        .bind(new.password_hash)
        .bind(now.0)
        .fetch_one(&mut *tx.inner)
        .await
        .map_err(|source| Error::unique(source, || format!("device `{}`", new.name)))?;
        let id = DeviceId(row.int("id")?);
        for key in new.keys {
            add_key(&mut tx, id, key, now).await?;
        }
        if new.is_default {
            set_default(&mut tx, firm, Some(id)).await?;
        }
        let mut event = Event::new(
            EventKind::DeviceAdded,
            format!("device `{}` ({})", new.name, new.kind.as_str()),
        );
        event.device = Some(id);
        change(&mut tx, firm, now, event).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Returns the devices of `firm` that are in use, by name.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn devices(&self, firm: FirmId) -> Result<Vec<Device>, Error> {
        let rows = query(
            "select d.*, (select max(s.started_at) from session s where s.device_id = d.id) as last_seen
             from device d where d.firm_id = $1 and d.removed_at is null order by d.name",
        )
        .bind(firm.0)
        .fetch_all(&self.readers)
        .await?;
        let mut devices = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = DeviceId(row.int("id")?);
            let kind = row.word("kind")?;
            devices.push(Device {
                id,
                firm,
                name: row.word("name")?,
                kind,
                added_at: row.at("added_at")?,
                last_seen: row.at_or("last_seen")?,
                keys: self.keys(id).await?,
                has_password: row.text_or("password_hash")?.is_some(),
                uploads: uploads(row, kind)?,
            });
        }
        Ok(devices)
    }

    /// Returns the device of `firm` called `name`.
    ///
    /// # Errors
    ///
    /// When there is none, or the database does not answer.
    pub async fn device(&self, firm: FirmId, name: &str) -> Result<Device, Error> {
        let found = self
            .devices(firm)
            .await?
            .into_iter()
            .find(|device| device.name.as_str() == name);
        found.ok_or_else(|| Error::Missing {
            what: format!("device `{name}`"),
        })
    }

    /// Takes a device out of use; its deliveries and events stay.
    ///
    /// # Errors
    ///
    /// When links still name it, or the database does not answer.
    pub async fn remove_device(
        &self,
        firm: FirmId,
        device: &Device,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        query("update device set removed_at = $3 where firm_id = $1 and id = $2")
            .bind(firm.0)
            .bind(device.id.0)
            .bind(now.0)
            .execute(&mut *tx.inner)
            .await?;
        let links =
            query("select count(*) as n from link where device_id = $1 and removed_at is null")
                .bind(device.id.0)
                .fetch_one(&mut *tx.inner)
                .await?
                .int("n")?;
        if links > 0 {
            return Err(Error::Refused(format!(
                "device `{}` is still named by {links} links; remove those first",
                device.name
            )));
        }
        let offered = "select count(*) as n from delivery where device_id = $1 and state = 'offered' and current = 1";
        let offered = query(offered)
            .bind(device.id.0)
            .fetch_one(&mut *tx.inner)
            .await?
            .int("n")?;
        if offered > 0 {
            return Err(Error::Refused(format!(
                "device `{}` is still offered {offered} documents that it has not collected; let it collect them, or withdraw them first",
                device.name
            )));
        }
        query("update firm set default_device_id = null where id = $1 and default_device_id = $2")
            .bind(firm.0)
            .bind(device.id.0)
            .execute(&mut *tx.inner)
            .await?;
        let mut event = Event::new(
            EventKind::DeviceRemoved,
            format!("device `{}`", device.name),
        );
        event.device = Some(device.id);
        change(&mut tx, firm, now, event).await?;
        tx.commit().await
    }

    /// Makes `device` the one that gets what no link of `firm` assigns.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn make_default(
        &self,
        firm: FirmId,
        device: &Device,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        set_default(&mut tx, firm, Some(device.id)).await?;
        let mut event = Event::new(
            EventKind::DefaultChanged,
            format!("device `{}`", device.name),
        );
        event.device = Some(device.id);
        change(&mut tx, firm, now, event).await?;
        tx.commit().await
    }

    /// Gives a device one more key.
    ///
    /// # Errors
    ///
    /// When it has that key, or the database does not answer.
    pub async fn add_device_key(
        &self,
        device: &Device,
        key: &DeviceKey,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        add_key(&mut tx, device.id, key, now).await?;
        let mut event = Event::new(
            EventKind::KeyAdded,
            format!("{} for `{}`", key.fingerprint, device.name),
        );
        event.device = Some(device.id);
        change(&mut tx, device.firm, now, event).await?;
        tx.commit().await
    }

    /// Takes a key from a device: whoever holds it can no longer log in.
    ///
    /// # Errors
    ///
    /// When the device has no such key, or the database does not answer.
    pub async fn remove_device_key(
        &self,
        device: &Device,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let done = query("delete from device_key where device_id = $1 and fingerprint = $2")
            .bind(device.id.0)
            .bind(fingerprint)
            .execute(&mut *tx.inner)
            .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Missing {
                what: format!("key `{fingerprint}` of device `{}`", device.name),
            });
        }
        let mut event = Event::new(
            EventKind::KeyRemoved,
            format!("{fingerprint} from `{}`", device.name),
        );
        event.device = Some(device.id);
        change(&mut tx, device.firm, now, event).await?;
        tx.commit().await
    }

    /// Returns what the device called `device` at the firm called `firm` may prove itself with.
    ///
    /// # Errors
    ///
    /// When the database does not answer; a login that nobody has is none.
    pub async fn credential(&self, firm: &str, device: &str) -> Result<Option<Credential>, Error> {
        let row = query(
            "select d.id, d.firm_id, d.kind, d.password_hash from device d join firm f on f.id = d.firm_id
             where f.slug = $1 and d.name = $2 and d.removed_at is null",
        )
        .bind(firm)
        .bind(device)
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let device = DeviceId(row.int("id")?);
        Ok(Some(Credential {
            device,
            firm: FirmId(row.int("firm_id")?),
            kind: row.word("kind")?,
            password_hash: row.text_or("password_hash")?,
            public_keys: self
                .keys(device)
                .await?
                .into_iter()
                .map(|key| key.public_key)
                .collect(),
        }))
    }

    /// Notes that a device has logged in.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn begin_session(
        &self,
        new: &NewSession<'_>,
        now: Timestamp,
    ) -> Result<SessionId, Error> {
        let mut tx = self.begin(Durability::Kill).await?;
        let row = query(
            "insert into session (firm_id, device_id, address, software, credential, started_at)
             values ($1, $2, $3, $4, $5, $6) returning id",
        )
        .bind(new.firm.0)
        .bind(new.device.0)
        .bind(new.address)
        .bind(new.software)
        .bind(new.credential)
        .bind(now.0)
        .fetch_one(&mut *tx.inner)
        .await?;
        tx.commit_unseen().await?;
        Ok(SessionId(row.int("id")?))
    }

    /// Notes that sessions have ended, and when.
    ///
    /// # Errors
    ///
    /// When the database does not answer; then none has.
    pub async fn end_sessions(&self, ends: &[(SessionId, Timestamp)]) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Kill).await?;
        for (session, at) in ends {
            query("update session set ended_at = $2 where id = $1")
                .bind(session.0)
                .bind(at.0)
                .execute(&mut *tx.inner)
                .await?;
        }
        tx.commit_unseen().await
    }

    /// Notes that no session lasts: whoever served them is gone. They ended when something last happened at their
    /// firm, as far as is known, and not now: a device was not there while nobody served.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn end_all_sessions(&self) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Kill).await?;
        let last = "(select max(e.at) from firm f join event e on e.firm_id = f.id and e.seq = f.event_seq where f.id = session.firm_id)";
        let text = format!(
            "update session set ended_at = case when {last} > started_at then {last} else started_at end where ended_at is null"
        );
        query(AssertSqlSafe(text)).execute(&mut *tx.inner).await?;
        tx.commit_unseen().await
    }

    async fn keys(&self, device: DeviceId) -> Result<Vec<DeviceKey>, Error> {
        let rows =
            query("select * from device_key where device_id = $1 order by added_at, fingerprint")
                .bind(device.0)
                .fetch_all(&self.readers)
                .await?;
        rows.iter()
            .map(|row| {
                Ok(DeviceKey {
                    fingerprint: row.text("fingerprint")?,
                    public_key: row.text("public_key")?,
                    comment: row.text("comment")?,
                })
            })
            .collect()
    }
}

async fn add_key(
    tx: &mut Tx,
    device: DeviceId,
    key: &DeviceKey,
    now: Timestamp,
) -> Result<(), Error> {
    query(
        "insert into device_key (device_id, fingerprint, public_key, comment, added_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(device.0)
    .bind(key.fingerprint.as_str())
    .bind(key.public_key.as_str())
    .bind(key.comment.as_str())
    .bind(now.0)
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| Error::unique(source, || format!("key {} of this device", key.fingerprint)))?;
    Ok(())
}

async fn set_default(tx: &mut Tx, firm: FirmId, device: Option<DeviceId>) -> Result<(), Error> {
    query("update firm set default_device_id = $2 where id = $1")
        .bind(firm.0)
        .bind(device.map(|id| id.0))
        .execute(&mut *tx.inner)
        .await?;
    check_in_use(tx, firm, device).await
}

/// A device may have been taken out of use since the caller looked: what is for it would wait for ever.
pub(super) async fn check_in_use(
    tx: &mut Tx,
    firm: FirmId,
    device: Option<DeviceId>,
) -> Result<(), Error> {
    let Some(device) = device else { return Ok(()) };
    let found =
        query("select id from device where firm_id = $1 and id = $2 and removed_at is null")
            .bind(firm.0)
            .bind(device.0)
            .fetch_optional(&mut *tx.inner)
            .await?;
    found.map(drop).ok_or_else(|| Error::Missing {
        what: format!("device {device}, which was in use a moment ago,"),
    })
}
