//! Which devices may log in, and with what?

use std::collections::HashSet;

use sqlx::{AssertSqlSafe, query};

use super::access::{self, Disabled};
use super::events::Event;
use super::firms::change;
use super::in_use::{check_in_use, no_longer};
use super::rows::Columns as _;
use super::uploads::uploads;
use super::{Catalog, Durability, Error, Tx};
use crate::model::{
    DeviceId, DeviceKind, EventKind, FirmId, Means, Name, Networks, SessionId, Timestamp, Uploads,
};

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
    /// With what it logs in.
    pub means: Means,
    /// From where.
    pub networks: Networks,
    /// Whether it may not, for now.
    pub disabled: Option<Disabled>,
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
    /// From when on it is refused; never, where there is none.
    pub expires_at: Option<Timestamp>,
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
    /// The key's fingerprint, or `password`, or both.
    pub credential: &'a str,
    /// What [`Credential`](super::Credential) said when the login was judged.
    pub access: i64,
    /// The key whose use is noted with it, by its fingerprint.
    pub key_used: Option<&'a str>,
}

/// The last session of a device stands last in the index: the others, which are kept for ever, are not read.
const DEVICES: &str = "select d.*,
        (select s.started_at from session s where s.device_id = d.id order by s.id desc limit 1) as last_seen
     from device d where d.firm_id = $1 and d.removed_at is null order by d.name";

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
        let rows = query(DEVICES).bind(firm.0).fetch_all(&self.readers).await?;
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
                keys: self
                    .device_keys(id)
                    .await?
                    .into_iter()
                    .map(|kept| kept.key)
                    .collect(),
                has_password: row.text_or("password_hash")?.is_some(),
                uploads: uploads(row, kind)?,
                means: row.word("means")?,
                networks: access::networks(row)?,
                disabled: access::disabled(row)?,
            });
        }
        Ok(devices)
    }

    /// Returns the devices of `firm` that are in use, and nothing of them.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn devices_in_use(&self, firm: FirmId) -> Result<HashSet<DeviceId>, Error> {
        let rows = query("select id from device where firm_id = $1 and removed_at is null")
            .bind(firm.0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok(DeviceId(row.int("id")?)))
            .collect()
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

    /// Returns whose device it is.
    ///
    /// # Errors
    ///
    /// When there is none of that id, or the database does not answer.
    pub async fn firm_of_device(&self, device: DeviceId) -> Result<FirmId, Error> {
        let row = query("select firm_id from device where id = $1")
            .bind(device.0)
            .fetch_optional(&self.readers)
            .await?;
        let row = row.ok_or_else(|| Error::Missing {
            what: format!("device {device}"),
        })?;
        Ok(FirmId(row.int("firm_id")?))
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
        let done = query(
            "update device set removed_at = $3, access = access + 1
             where firm_id = $1 and id = $2 and removed_at is null",
        )
        .bind(firm.0)
        .bind(device.id.0)
        .bind(now.0)
        .execute(&mut *tx.inner)
        .await?;
        if done.rows_affected() == 0 {
            return Err(no_longer(format!("device {}", device.id)));
        }
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
        access::moved(&mut tx, device).await?;
        let until = access::told_expiry(key.expires_at);
        let mut event = Event::new(
            EventKind::KeyAdded,
            format!("{} for `{}`{until}", key.fingerprint, device.name),
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
            return Err(access::unknown_key(device, fingerprint));
        }
        access::moved(&mut tx, device).await?;
        let mut event = Event::new(
            EventKind::KeyRemoved,
            format!("{fingerprint} from `{}`", device.name),
        );
        event.device = Some(device.id);
        change(&mut tx, device.firm, now, event).await?;
        tx.commit().await
    }

    /// Notes that a device has logged in; none, if something about its login has changed since it was judged.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn begin_session(
        &self,
        new: &NewSession<'_>,
        now: Timestamp,
    ) -> Result<Option<SessionId>, Error> {
        let mut tx = self.begin(Durability::Kill).await?;
        let row = query(
            "insert into session (firm_id, device_id, address, software, credential, started_at)
             select $1, $2, $3, $4, $5, $6 from device
             where firm_id = $1 and id = $2 and access = $7 and removed_at is null returning id",
        )
        .bind(new.firm.0)
        .bind(new.device.0)
        .bind(new.address)
        .bind(new.software)
        .bind(new.credential)
        .bind(now.0)
        .bind(new.access)
        .fetch_optional(&mut *tx.inner)
        .await?;
        let Some(row) = row else { return Ok(None) };
        if let Some(key) = new.key_used {
            query("update device_key set used_at = $3 where device_id = $1 and fingerprint = $2")
                .bind(new.device.0)
                .bind(key)
                .bind(now.0)
                .execute(&mut *tx.inner)
                .await?;
        }
        tx.commit_unseen().await?;
        Ok(Some(SessionId(row.int("id")?)))
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
}

async fn add_key(
    tx: &mut Tx,
    device: DeviceId,
    key: &DeviceKey,
    now: Timestamp,
) -> Result<(), Error> {
    query(
        "insert into device_key (device_id, fingerprint, public_key, comment, added_at, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(device.0)
    .bind(key.fingerprint.as_str())
    .bind(key.public_key.as_str())
    .bind(key.comment.as_str())
    .bind(now.0)
    .bind(key.expires_at.map(|at| at.0))
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| {
        Error::unique(source, || format!("key {} of this device", key.fingerprint))
    })?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::deliveries::tests::{NOW, office};
    use crate::catalog::tree::tests::plan;

    async fn begin(catalog: &Catalog, (firm, device): (FirmId, DeviceId), at: Timestamp) {
        let new = NewSession {
            firm,
            device,
            address: "192.0.2.7",
            software: "SSH-2.0-x",
            credential: "password",
            access: 0,
            key_used: None,
        };
        assert!(catalog.begin_session(&new, at).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_device_was_last_seen_at_its_last_session_and_no_other_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
        for at in [NOW.plus_ms(1000), NOW] {
            begin(&catalog, (firm, device), at).await;
        }

        let devices = catalog.devices(firm).await.unwrap();

        // The clock was set back between the two.
        assert_eq!(devices[0].last_seen, Some(NOW));
        let plan = plan(&catalog, DEVICES).await;
        assert!(plan.contains("session_device (device_id=?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }

    #[tokio::test]
    async fn a_device_that_was_removed_is_not_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, firm, device) = office(&folder.path().join("c.sqlite")).await;
        let in_use = async |firm| catalog.devices_in_use(firm).await.unwrap();
        assert_eq!(in_use(firm).await, HashSet::from([device]));
        assert_eq!(in_use(FirmId(firm.0 + 1)).await, HashSet::new());

        let own = catalog.devices(firm).await.unwrap().remove(0);
        catalog.remove_device(firm, &own, NOW).await.unwrap();

        assert_eq!(in_use(firm).await, HashSet::new());
    }
}
