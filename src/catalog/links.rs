//! Which dossiers are joined to which programs?

use jiff::civil::Date;
use sqlx::any::AnyRow;
use sqlx::query;

use super::events::Event;
use super::firms::change;
use super::in_use::{check_dossier_in_use, check_in_use, no_longer};
use super::retention::changed;
use super::rows::Columns as _;
use super::{Catalog, Durability, Error};
use crate::model::{
    Approval, DeliveryId, DeviceId, DocumentId, DossierId, EventKind, FirmId, HeldReason, Language,
    LinkId, OrFirm, Timestamp, Transfer, enterprise_digits_of, fold,
};

/// A dossier joined to a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its row.
    pub id: LinkId,
    /// Whose.
    pub firm: FirmId,
    /// The firm's name in folders.
    pub firm_slug: String,
    /// Which dossier.
    pub dossier: DossierId,
    /// The dossier's name.
    pub dossier_name: String,
    /// The ten digits of the dossier's first Belgian number.
    pub enterprise_digits: Option<String>,
    /// Which profile, by its id.
    pub profile: String,
    /// The dossier's code in that program.
    pub code: String,
    /// The language of its folders.
    pub language: Language,
    /// Where its documents go; else to the firm's default device.
    pub device: Option<DeviceId>,
    /// How they are sent.
    pub sends: LinkRules,
}

/// How a link sends, as far as it does not leave that to its firm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkRules {
    /// When.
    pub transfer: OrFirm<Transfer>,
    /// Whether incoming documents wait for approval.
    pub approval: OrFirm<Approval>,
    /// Nothing of an earlier date is sent by itself.
    pub from: Option<Date>,
}

impl LinkRules {
    /// All as the firm has it.
    pub const FIRM: Self = Self {
        transfer: OrFirm::Firm,
        approval: OrFirm::Firm,
        from: None,
    };
}

/// A link to add.
#[derive(Debug, Clone)]
pub struct NewLink<'a> {
    /// Which dossier.
    pub dossier: DossierId,
    /// Which profile, by its id.
    pub profile: &'a str,
    /// The dossier's code in that program.
    pub code: &'a str,
    /// The language of its folders.
    pub language: Language,
    /// Where its documents go.
    pub device: Option<DeviceId>,
    /// How they are sent.
    pub sends: LinkRules,
}

/// Links as they are read; `$then` says which.
macro_rules! links {
    ($then:literal) => {
        concat!(
            "select l.*, f.slug as firm_slug, d.name as dossier_name,
        (select i.key from dossier_identifier i
         where i.dossier_id = l.dossier_id and i.key like '0208:__________' order by i.rank limit 1) as enterprise_key
     from link l join dossier d on d.id = l.dossier_id join firm f on f.id = l.firm_id
     where l.firm_id = $1 and ",
            $then
        )
    };
}

pub(super) const LINKS: &str = links!("l.removed_at is null order by l.id");

const REMOVED: &str = links!("l.removed_at is not null order by l.id");

impl Catalog {
    /// Adds a link.
    ///
    /// # Errors
    ///
    /// When the code is taken in that profile, or the database does not answer.
    pub async fn add_link(
        &self,
        firm: FirmId,
        new: &NewLink<'_>,
        now: Timestamp,
    ) -> Result<LinkId, Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let row = query(
            "insert into link (firm_id, dossier_id, profile, code, code_key, language, device_id, transfer,
                               approval, from_date, added_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id",
        )
        .bind(firm.0)
        .bind(new.dossier.0)
        .bind(new.profile)
        .bind(new.code)
        .bind(fold(new.code))
        .bind(new.language.as_str())
        .bind(new.device.map(|id| id.0))
        .bind(new.sends.transfer.to_string())
        .bind(new.sends.approval.to_string())
        .bind(new.sends.from.map(|date| date.to_string()))
        .bind(now.0)
        .fetch_one(&mut *tx.inner)
        .await
        .map_err(|source| {
            Error::unique(source, || format!("a link of this firm with code `{}` in profile `{}`", new.code, new.profile))
        })?;
        let id = LinkId(row.int("id")?);
        check_dossier_in_use(&mut tx, firm, new.dossier).await?;
        check_in_use(&mut tx, firm, new.device).await?;
        let detail = format!(
            "link {id}: dossier {} as `{}` in `{}`",
            new.dossier, new.code, new.profile
        );
        change(&mut tx, firm, now, Event::new(EventKind::LinkAdded, detail)).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Changes how a link sends, and to which device. What is as it was read with the link stays, also where somebody
    /// else has changed it since.
    ///
    /// # Errors
    ///
    /// When the link or the device is out of use, or the database does not answer.
    pub async fn set_link(
        &self,
        link: &Link,
        device: Option<DeviceId>,
        sends: &LinkRules,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (firm, id) = (link.firm, link.id);
        let mut tx = self.begin(Durability::PowerCut).await?;
        let was = &link.sends;
        let row = query(
            "update link set device_id = case when $3 = 1 then $4 else device_id end, transfer = coalesce($5, transfer),
                    approval = coalesce($6, approval), from_date = case when $7 = 1 then $8 else from_date end
             where firm_id = $1 and id = $2 and removed_at is null
             returning device_id, transfer, approval, from_date",
        )
        .bind(firm.0)
        .bind(id.0)
        .bind(i64::from(link.device != device))
        .bind(device.map(|id| id.0))
        .bind(changed(was.transfer, sends.transfer))
        .bind(changed(was.approval, sends.approval))
        .bind(i64::from(was.from != sends.from))
        .bind(sends.from.map(|date| date.to_string()))
        .fetch_optional(&mut *tx.inner)
        .await?;
        let row = row.ok_or_else(|| no_longer(format!("link {id}")))?;
        let device = row.int_or("device_id")?.map(DeviceId);
        let sends = rules(&row)?;
        check_in_use(&mut tx, firm, device).await?;
        let from = sends
            .from
            .map_or_else(String::new, |date| format!(", from {date}"));
        let detail = format!(
            "link {id}: transfer {}, approval {}{from}",
            sends.transfer, sends.approval
        );
        let event = Event {
            device,
            ..Event::new(EventKind::LinkChanged, detail)
        };
        change(&mut tx, firm, now, event).await?;
        tx.commit().await
    }

    /// Returns the links of `firm` that are in use, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn links(&self, firm: FirmId) -> Result<Vec<Link>, Error> {
        let rows = query(LINKS).bind(firm.0).fetch_all(&self.readers).await?;
        rows.iter().map(link).collect()
    }

    /// Returns the links of `firm` that were taken out of use, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn removed_links(&self, firm: FirmId) -> Result<Vec<Link>, Error> {
        let rows = query(REMOVED).bind(firm.0).fetch_all(&self.readers).await?;
        rows.iter().map(link).collect()
    }

    /// Takes a link out of use. What it held goes back to waiting for a link; what is to be sent by hand stays so.
    ///
    /// # Errors
    ///
    /// When deliveries of it are still offered, or the database does not answer.
    pub async fn remove_link(
        &self,
        firm: FirmId,
        link: &Link,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        let done = query(
            "update link set removed_at = $3 where firm_id = $1 and id = $2 and removed_at is null",
        )
        .bind(firm.0)
        .bind(link.id.0)
        .bind(now.0)
        .execute(&mut *tx.inner)
        .await?;
        if done.rows_affected() == 0 {
            return Err(no_longer(format!("link {}", link.id)));
        }
        let offered =
            query("select count(*) as n from delivery where link_id = $1 and state = 'offered' and current = 1")
                .bind(link.id.0)
                .fetch_one(&mut *tx.inner)
                .await?
                .int("n")?;
        if offered > 0 {
            return Err(Error::Refused(format!(
                "link {} still offers {offered} documents that nobody has collected; let them be collected, or withdraw them first",
                link.id
            )));
        }
        let on_hold = query(
            "select count(*) as n from delivery where link_id = $1 and state = 'held' and reason = 'on_hold' and current = 1",
        )
        .bind(link.id.0)
        .fetch_one(&mut *tx.inner)
        .await?
        .int("n")?;
        if on_hold > 0 {
            return Err(Error::Refused(format!(
                "a person holds back {on_hold} documents of link {}, which the next link would send; send or withdraw them first: `sluis deliveries {} --state held` lists them",
                link.id, link.firm_slug
            )));
        }
        let held = query(
            "update delivery set link_id = null, device_id = null, due_at = null,
                    reason = case when reason = 'manual' then reason else 'no_link' end
             where link_id = $1 and state = 'held' and current = 1 returning id, document_id, reason",
        )
        .bind(link.id.0)
        .fetch_all(&mut *tx.inner)
        .await?;
        let held: Result<Vec<_>, Error> = held.iter().map(held_without_link).collect();
        let detail = format!("link {}: `{}` in `{}`", link.id, link.code, link.profile);
        change(
            &mut tx,
            firm,
            now,
            Event::new(EventKind::LinkRemoved, detail),
        )
        .await?;
        tx.tell(firm, now, held?.into_iter().flatten());
        tx.commit().await
    }
}

/// What waits to be sent by hand waits for the same.
fn held_without_link(row: &AnyRow) -> Result<Option<Event>, Error> {
    if row.word::<HeldReason>("reason")? != HeldReason::NoLink {
        return Ok(None);
    }
    Ok(Some(Event {
        document: Some(DocumentId(row.int("document_id")?)),
        delivery: Some(DeliveryId(row.int("id")?)),
        ..Event::new(EventKind::Held, HeldReason::NoLink.as_str())
    }))
}

pub(super) fn link(row: &AnyRow) -> Result<Link, Error> {
    Ok(Link {
        id: LinkId(row.int("id")?),
        firm: FirmId(row.int("firm_id")?),
        firm_slug: row.text("firm_slug")?,
        dossier: DossierId(row.int("dossier_id")?),
        dossier_name: row.text("dossier_name")?,
        enterprise_digits: row
            .text_or("enterprise_key")?
            .and_then(|key| enterprise_digits_of(&key).map(ToOwned::to_owned)),
        profile: row.text("profile")?,
        code: row.text("code")?,
        language: row.word("language")?,
        device: row.int_or("device_id")?.map(DeviceId),
        sends: rules(row)?,
    })
}

fn rules(row: &AnyRow) -> Result<LinkRules, Error> {
    Ok(LinkRules {
        transfer: row.word("transfer")?,
        approval: row.word("approval")?,
        from: row.word_or("from_date")?,
    })
}
