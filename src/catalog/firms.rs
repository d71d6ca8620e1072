//! Which firms and dossiers are there, and by which numbers is a dossier known?

use sqlx::any::AnyRow;
use sqlx::query;

use super::alarms::own_limits;
use super::events::Event;
use super::in_use::no_longer;
use super::retention::{changed, retention};
use super::rows::Columns as _;
use super::{Catalog, Durability, Error, Tx};
use crate::alarm::OwnLimits;
use crate::model::{
    Approval, DeviceId, DossierId, Duplicates, EventKind, FirmId, Identifier, Language, Name,
    Retention, Timestamp, Transfer,
};
use crate::transfer::NightHour;

/// An accounting firm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firm {
    /// Its row.
    pub id: FirmId,
    /// Its name in logins, folders and commands.
    pub slug: Name,
    /// Its name for people.
    pub name: String,
    /// The language in which it is told things, and of the folders of links that come.
    pub language: Language,
    /// The device that gets what no link assigns.
    pub default_device: Option<DeviceId>,
    /// How it sends, where a link does not say otherwise.
    pub sends: FirmRules,
    /// For how long it keeps things.
    pub keeps: Retention,
    /// When it is told of what was forgotten.
    pub alarms: OwnLimits,
    /// Moves with every change of its dossiers, links and devices.
    pub version: i64,
}

/// How a firm sends, where a link does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmRules {
    /// When.
    pub transfer: Transfer,
    /// Whether incoming documents wait for approval.
    pub approval: Approval,
    /// The hour of the night.
    pub night_hour: NightHour,
    /// Its time zone by name, where it is not the configured one.
    pub time_zone: Option<String>,
    /// What becomes of a document that looks like an earlier one.
    pub duplicates: Duplicates,
}

/// One enterprise's books at a firm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dossier {
    /// Its row.
    pub id: DossierId,
    /// Its name for people, and for profiles that put it in a folder.
    pub name: String,
    /// Its identifiers, in the order they were given.
    pub identifiers: Vec<Identifier>,
}

impl Dossier {
    /// Returns the ten digits of its first Belgian number.
    pub fn enterprise_digits(&self) -> Option<&str> {
        self.identifiers
            .iter()
            .find_map(Identifier::enterprise_digits)
    }
}

/// The dossiers of a firm that are in use, each with its numbers in their order.
pub(super) const DOSSIERS: &str = "select d.id, d.name, i.raw, i.key from dossier d
     left join dossier_identifier i on i.dossier_id = d.id
     where d.firm_id = $1 and d.removed_at is null order by d.name, d.id, i.rank";

/// Those that were taken out of use, which have no numbers any more.
const REMOVED: &str = "select d.id, d.name, i.raw, i.key from dossier d
     left join dossier_identifier i on i.dossier_id = d.id
     where d.firm_id = $1 and d.removed_at is not null order by d.id, i.rank";

impl Catalog {
    /// Adds a firm.
    ///
    /// # Errors
    ///
    /// When one of that slug exists, or the database does not answer.
    pub async fn add_firm(
        &self,
        slug: &Name,
        name: &str,
        language: Language,
        now: Timestamp,
    ) -> Result<FirmId, Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let row = query("insert into firm (slug, name, language, added_at) values ($1, $2, $3, $4) returning id")
            .bind(slug.as_str())
            .bind(name)
            .bind(language.as_str())
            .bind(now.0)
            .fetch_one(&mut *tx.inner)
            .await
            .map_err(|source| Error::unique(source, || format!("firm `{slug}`")))?;
        let id = FirmId(row.int("id")?);
        tx.tell(id, now, [Event::new(EventKind::FirmAdded, name)]);
        tx.commit().await?;
        Ok(id)
    }

    /// Returns every firm, by slug.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn firms(&self) -> Result<Vec<Firm>, Error> {
        let rows = query("select * from firm order by slug")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(firm).collect()
    }

    /// Returns every firm, by slug, for what goes on by itself. One that nobody understands holds up no other: it is
    /// left out, and told in the log once.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn firms_understood(&self) -> Result<Vec<Firm>, Error> {
        let rows = query("select * from firm order by slug")
            .fetch_all(&self.readers)
            .await?;
        self.understood("firm", &rows, firm)
    }

    /// Returns the firm called `slug`.
    ///
    /// # Errors
    ///
    /// When there is none, or the database does not answer.
    pub async fn firm(&self, slug: &str) -> Result<Firm, Error> {
        let row = query("select * from firm where slug = $1")
            .bind(slug)
            .fetch_optional(&self.readers)
            .await?;
        let row = row.ok_or_else(|| Error::Missing {
            what: format!("firm `{slug}`"),
        })?;
        firm(&row)
    }

    /// Returns the device that gets what no link of `firm` assigns.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn default_device(&self, firm: FirmId) -> Result<Option<DeviceId>, Error> {
        Ok(self.firm_by_id(firm).await?.default_device)
    }

    /// Returns a firm.
    ///
    /// # Errors
    ///
    /// When there is none of that id, or the database does not answer.
    pub async fn firm_by_id(&self, id: FirmId) -> Result<Firm, Error> {
        let row = query("select * from firm where id = $1")
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?;
        let row = row.ok_or_else(|| Error::Missing {
            what: format!("firm {id}"),
        })?;
        firm(&row)
    }

    /// Changes how a firm sends. What is as it was read with the firm stays, also where somebody else has changed it
    /// since.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn set_firm_rules(
        &self,
        firm: &Firm,
        rules: &FirmRules,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let (id, was) = (firm.id, &firm.sends);
        let row = query(
            "update firm set transfer = coalesce($2, transfer), approval = coalesce($3, approval),
                    night_hour = coalesce($4, night_hour), time_zone = case when $5 = 1 then $6 else time_zone end,
                    duplicates = coalesce($7, duplicates)
             where id = $1 returning *",
        )
        .bind(id.0)
        .bind(changed(was.transfer, rules.transfer))
        .bind(changed(was.approval.as_str(), rules.approval.as_str()))
        .bind(changed(was.night_hour, rules.night_hour))
        .bind(i64::from(was.time_zone != rules.time_zone))
        .bind(rules.time_zone.as_deref())
        .bind(changed(was.duplicates, rules.duplicates))
        .fetch_one(&mut *tx.inner)
        .await?;
        let rules = self::firm(&row)?.sends;
        let zone = rules.time_zone.as_deref().unwrap_or("the configured zone");
        let detail = format!(
            "transfer {}, approval {}, night at {} in {zone}, duplicates {}",
            rules.transfer, rules.approval, rules.night_hour, rules.duplicates
        );
        change(&mut tx, id, now, Event::new(EventKind::FirmChanged, detail)).await?;
        tx.commit().await
    }

    /// Removes a firm that never had a device, dossier or document, and its events with it.
    ///
    /// # Errors
    ///
    /// When it had any, or the database does not answer.
    pub async fn remove_firm(&self, id: FirmId) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let slug = query("update firm set version = version + 1 where id = $1 returning slug")
            .bind(id.0)
            .fetch_one(&mut *tx.inner)
            .await?
            .text("slug")?;
        for (table, count) in [
            (
                "documents",
                "select count(*) as n from document where firm_id = $1",
            ),
            (
                "dossiers",
                "select count(*) as n from dossier where firm_id = $1",
            ),
            (
                "devices",
                "select count(*) as n from device where firm_id = $1",
            ),
            (
                "documents that have expired",
                "select count(*) as n from expired where firm_id = $1",
            ),
            (
                "legal holds",
                "select count(*) as n from legal_hold where firm_id = $1",
            ),
        ] {
            let n = query(count)
                .bind(id.0)
                .fetch_one(&mut *tx.inner)
                .await?
                .int("n")?;
            if n > 0 {
                return Err(Error::Refused(format!(
                    "firm `{slug}` has {n} {table}, past and present; a firm with a history stays, so that nothing received is thrown away"
                )));
            }
        }
        for statement in [
            "delete from alarm where firm_id = $1",
            "delete from letter where webhook_id in (select id from webhook where firm_id = $1)",
            "delete from webhook where firm_id = $1",
            "delete from event where firm_id = $1",
            "delete from firm where id = $1",
        ] {
            query(statement).bind(id.0).execute(&mut *tx.inner).await?;
        }
        tx.commit().await
    }

    /// Adds a dossier with its identifiers.
    ///
    /// # Errors
    ///
    /// When another dossier of the firm has one of the identifiers, or the database does not answer.
    pub async fn add_dossier(
        &self,
        firm: FirmId,
        name: &str,
        identifiers: &[Identifier],
        now: Timestamp,
    ) -> Result<DossierId, Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let row =
            query("insert into dossier (firm_id, name, added_at) values ($1, $2, $3) returning id")
                .bind(firm.0)
                .bind(name)
                .bind(now.0)
                .fetch_one(&mut *tx.inner)
                .await?;
        let id = DossierId(row.int("id")?);
        for (rank, identifier) in (0_i64..).zip(identifiers) {
            add_identifier(&mut tx, firm, id, rank, identifier).await?;
        }
        let listed: Vec<_> = identifiers
            .iter()
            .map(|identifier| identifier.raw.as_str())
            .collect();
        let detail = format!("dossier {id} `{name}` with {}", listed.join(", "));
        change(
            &mut tx,
            firm,
            now,
            Event::new(EventKind::DossierAdded, detail),
        )
        .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Returns the dossiers of `firm` that are in use, by name.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn dossiers(&self, firm: FirmId) -> Result<Vec<Dossier>, Error> {
        let rows = query(DOSSIERS)
            .bind(firm.0)
            .fetch_all(&self.readers)
            .await?;
        dossiers_of(&rows)
    }

    /// Returns the dossiers of `firm` that were taken out of use, oldest first; their numbers may be others' by now.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn removed_dossiers(&self, firm: FirmId) -> Result<Vec<Dossier>, Error> {
        let rows = query(REMOVED).bind(firm.0).fetch_all(&self.readers).await?;
        dossiers_of(&rows)
    }

    /// Takes a dossier out of use; its documents, deliveries and events stay.
    ///
    /// # Errors
    ///
    /// When it still has links, or the database does not answer.
    pub async fn remove_dossier(
        &self,
        firm: FirmId,
        dossier: &Dossier,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let done = query(
            "update dossier set removed_at = $3 where firm_id = $1 and id = $2 and removed_at is null",
        )
        .bind(firm.0)
        .bind(dossier.id.0)
        .bind(now.0)
        .execute(&mut *tx.inner)
        .await?;
        if done.rows_affected() == 0 {
            return Err(no_longer(format!("dossier {}", dossier.id)));
        }
        let links =
            query("select count(*) as n from link where dossier_id = $1 and removed_at is null")
                .bind(dossier.id.0)
                .fetch_one(&mut *tx.inner)
                .await?
                .int("n")?;
        if links > 0 {
            return Err(Error::Refused(format!(
                "dossier `{}` still has {links} links; remove those first",
                dossier.name
            )));
        }
        // Added anew it would be another, to which what waits goes on, and the hold would lie on nothing of that.
        let held = query(
            "select count(*) as n from legal_hold where dossier_id = $1 and released_at is null",
        )
        .bind(dossier.id.0)
        .fetch_one(&mut *tx.inner)
        .await?
        .int("n")?;
        if held > 0 {
            return Err(Error::Refused(format!(
                "a legal hold lies on dossier `{}`; release that first (`sluis retention show`), or keep the dossier without a link",
                dossier.name
            )));
        }
        query("delete from dossier_identifier where dossier_id = $1")
            .bind(dossier.id.0)
            .execute(&mut *tx.inner)
            .await?;
        let detail = format!("dossier {} `{}`", dossier.id, dossier.name);
        change(
            &mut tx,
            firm,
            now,
            Event::new(EventKind::DossierRemoved, detail),
        )
        .await?;
        tx.commit().await
    }
}

/// Makes dossiers of what [`DOSSIERS`] found.
pub(super) fn dossiers_of(rows: &[AnyRow]) -> Result<Vec<Dossier>, Error> {
    let mut dossiers: Vec<Dossier> = Vec::new();
    for row in rows {
        let id = DossierId(row.int("id")?);
        if dossiers.last().is_none_or(|last| last.id != id) {
            dossiers.push(Dossier {
                id,
                name: row.text("name")?,
                identifiers: Vec::new(),
            });
        }
        if let (Some(raw), Some(key), Some(last)) = (
            row.text_or("raw")?,
            row.text_or("key")?,
            dossiers.last_mut(),
        ) {
            last.identifiers.push(Identifier { raw, key });
        }
    }
    Ok(dossiers)
}

pub(super) async fn add_identifier(
    tx: &mut Tx,
    firm: FirmId,
    dossier: DossierId,
    rank: i64,
    identifier: &Identifier,
) -> Result<(), Error> {
    query("insert into dossier_identifier (firm_id, key, dossier_id, raw, rank) values ($1, $2, $3, $4, $5)")
        .bind(firm.0)
        .bind(identifier.key.as_str())
        .bind(dossier.0)
        .bind(identifier.raw.as_str())
        .bind(rank)
        .execute(&mut *tx.inner)
        .await
        .map_err(|source| {
            Error::unique(source, || format!("a dossier of this firm with identifier `{}`", identifier.raw))
        })?;
    Ok(())
}

/// Moves the firm's version with a change of its setup, and tells it.
pub(super) async fn change(
    tx: &mut Tx,
    firm: FirmId,
    now: Timestamp,
    event: Event,
) -> Result<(), Error> {
    query("update firm set version = version + 1 where id = $1")
        .bind(firm.0)
        .execute(&mut *tx.inner)
        .await?;
    tx.tell(firm, now, [event]);
    Ok(())
}

fn firm(row: &AnyRow) -> Result<Firm, Error> {
    Ok(Firm {
        id: FirmId(row.int("id")?),
        slug: row.word("slug")?,
        name: row.text("name")?,
        language: row.word("language")?,
        default_device: row.int_or("default_device_id")?.map(DeviceId),
        sends: FirmRules {
            transfer: row.word("transfer")?,
            approval: row.word("approval")?,
            night_hour: row.word("night_hour")?,
            time_zone: row.text_or("time_zone")?,
            duplicates: row.word("duplicates")?,
        },
        keeps: retention(row)?,
        alarms: own_limits(row)?,
        version: row.int("version")?,
    })
}
