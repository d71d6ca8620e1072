//! How do a firm and a dossier that are in use get another name, and what goes with it?

use sqlx::query;

use super::events::Event;
use super::firms::{DOSSIERS, add_identifier, change, dossiers_of};
use super::in_use::no_longer;
use super::links::{LINKS, link};
use super::retention::changed;
use super::rows::Columns as _;
use super::{Catalog, Dossier, Durability, Error, Firm, Link};
use crate::model::{DossierId, EventKind, FirmId, Language, Timestamp};

impl Catalog {
    /// Gives a firm another name for people, or another language. What is as it was read with the firm stays, also where
    /// somebody else has changed it since. Links keep the language of their folders.
    ///
    /// # Errors
    ///
    /// When the firm is gone, or the database does not answer.
    pub async fn rename_firm(
        &self,
        firm: &Firm,
        (name, language): (&str, Language),
        now: Timestamp,
    ) -> Result<(), Error> {
        let (mut tx, _) = self.begin_at(firm.id, Durability::PowerCut).await?;
        let row = query(
            "update firm set name = coalesce($2, name), language = coalesce($3, language)
             where id = $1 returning name, language",
        )
        .bind(firm.id.0)
        .bind(changed(firm.name.as_str(), name))
        .bind(changed(firm.language.as_str(), language.as_str()))
        .fetch_one(&mut *tx.inner)
        .await?;
        let (name, language) = (row.text("name")?, row.text("language")?);
        let detail = format!("name `{name}`, language {language}");
        let event = Event::new(EventKind::FirmChanged, detail);
        change(&mut tx, firm.id, now, event).await?;
        tx.commit().await
    }

    /// Makes a dossier what `becomes` says that it shall be, or not, with a reason. That is shown the dossier and the
    /// links of its firm as they are at that moment: nobody changes them before this change is whole. Returns the
    /// dossier as it is then; none where it was so already. Its files keep their names.
    ///
    /// # Errors
    ///
    /// When it shall not, when the dossier is out of use or another one of the firm has one of the numbers, or when the
    /// database does not answer.
    pub async fn change_dossier(
        &self,
        firm: FirmId,
        dossier: DossierId,
        becomes: impl FnOnce(&Dossier, &[Link]) -> Result<Dossier, String>,
        now: Timestamp,
    ) -> Result<Option<Dossier>, Error> {
        let (mut tx, _) = self.begin_at(firm, Durability::PowerCut).await?;
        let rows = query(DOSSIERS)
            .bind(firm.0)
            .fetch_all(&mut *tx.inner)
            .await?;
        let mut there = dossiers_of(&rows)?.into_iter();
        let old = there.find(|one| one.id == dossier);
        let old = old.ok_or_else(|| no_longer(format!("dossier {dossier}")))?;
        let links = query(LINKS).bind(firm.0).fetch_all(&mut *tx.inner).await?;
        let links: Vec<_> = links.iter().map(link).collect::<Result<_, _>>()?;
        let new = becomes(&old, &links).map_err(Error::Refused)?;
        if (&new.name, &new.identifiers) == (&old.name, &old.identifiers) {
            tx.abandon().await?;
            return Ok(None);
        }
        query("update dossier set name = $3 where firm_id = $1 and id = $2")
            .bind(firm.0)
            .bind(dossier.0)
            .bind(new.name.as_str())
            .execute(&mut *tx.inner)
            .await?;
        query("delete from dossier_identifier where firm_id = $1 and dossier_id = $2")
            .bind(firm.0)
            .bind(dossier.0)
            .execute(&mut *tx.inner)
            .await?;
        for (rank, identifier) in (0_i64..).zip(&new.identifiers) {
            add_identifier(&mut tx, firm, dossier, rank, identifier).await?;
        }
        let listed: Vec<_> = new.identifiers.iter().map(|own| own.raw.as_str()).collect();
        let detail = format!(
            "dossier {dossier} `{}` with {}",
            new.name,
            listed.join(", ")
        );
        let event = Event::new(EventKind::DossierChanged, detail);
        change(&mut tx, firm, now, event).await?;
        tx.commit().await?;
        Ok(Some(new))
    }
}
