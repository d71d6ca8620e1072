//! What must not be removed, whatever its age?

use sqlx::any::AnyRow;
use sqlx::query;

use super::events::Event;
use super::rows::Columns as _;
use super::{Catalog, Durability, Error};
use crate::model::{DocumentId, DossierId, EventKind, FirmId, LegalHoldId, Timestamp};
use crate::retention::{Hold, HoldOn};

/// A legal hold to place.
#[derive(Debug, Clone, Copy)]
pub struct NewLegalHold<'a> {
    /// On what.
    pub on: HoldOn,
    /// Why.
    pub reason: &'a str,
    /// Who says so.
    pub by: &'a str,
}

/// A legal hold that was not released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalHold {
    /// Which, and on what.
    pub hold: Hold,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub placed_by: String,
    /// When.
    pub placed_at: Timestamp,
}

pub(super) const LEGAL_HOLDS: &str =
    "select * from legal_hold where firm_id = $1 and released_at is null order by id";

impl Catalog {
    /// Places a legal hold. From its commit on, nothing that it lies on is removed.
    ///
    /// # Errors
    ///
    /// When the firm has no such document or dossier (any more), or the database does not answer.
    pub async fn place_legal_hold(
        &self,
        firm: FirmId,
        new: &NewLegalHold<'_>,
        now: Timestamp,
    ) -> Result<LegalHoldId, Error> {
        let (document, dossier) = match new.on {
            HoldOn::Document(id) => (Some(id), None),
            HoldOn::Dossier(id) => (None, Some(id)),
            HoldOn::Firm => (None, None),
        };
        let (mut tx, _) = self.begin_at(firm, Durability::PowerCut).await?;
        let row = query(
            "insert into legal_hold (firm_id, document_id, dossier_id, reason, placed_by, placed_at)
             values ($1, $2, $3, $4, $5, $6) returning id",
        )
        .bind(firm.0)
        .bind(document.map(|id| id.0))
        .bind(dossier.map(|id| id.0))
        .bind(new.reason)
        .bind(new.by)
        .bind(now.0)
        .fetch_one(&mut *tx.inner)
        .await?;
        let id = LegalHoldId(row.int("id")?);
        let (there, named) = match new.on {
            HoldOn::Document(id) => (
                Some((
                    "select id from document where firm_id = $1 and id = $2",
                    id.0,
                )),
                format!("document {id}"),
            ),
            HoldOn::Dossier(id) => (
                Some((
                    "select id from dossier where firm_id = $1 and id = $2",
                    id.0,
                )),
                format!("dossier {id}"),
            ),
            HoldOn::Firm => (None, "everything".to_owned()),
        };
        if let Some((question, id)) = there {
            let found = query(question)
                .bind(firm.0)
                .bind(id)
                .fetch_optional(&mut *tx.inner)
                .await?;
            // A hold on what is gone would promise what nobody can keep.
            if found.is_none() {
                return Err(Error::Missing { what: named });
            }
        }
        let detail = format!("hold {id} on {named}, by {}: {}", new.by, new.reason);
        let event = Event {
            document,
            ..Event::new(EventKind::LegalHoldPlaced, detail)
        };
        tx.tell(firm, now, [event]);
        tx.commit_unseen().await?;
        Ok(id)
    }

    /// Releases a legal hold; says whether it lay.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn release_legal_hold(
        &self,
        firm: FirmId,
        id: LegalHoldId,
        (by, reason): (&str, &str),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let (mut tx, _) = self.begin_at(firm, Durability::PowerCut).await?;
        let row = query(
            "update legal_hold set released_at = $3 where firm_id = $1 and id = $2 and released_at is null
             returning document_id",
        )
        .bind(firm.0)
        .bind(id.0)
        .bind(now.0)
        .fetch_optional(&mut *tx.inner)
        .await?;
        let Some(row) = row else { return Ok(false) };
        let event = Event {
            document: row.int_or("document_id")?.map(DocumentId),
            ..Event::new(
                EventKind::LegalHoldReleased,
                format!("hold {id}, by {by}: {reason}"),
            )
        };
        tx.tell(firm, now, [event]);
        tx.commit_unseen().await?;
        Ok(true)
    }

    /// Returns the legal holds of `firm` that were not released, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn legal_holds(&self, firm: FirmId) -> Result<Vec<LegalHold>, Error> {
        let rows = query(LEGAL_HOLDS)
            .bind(firm.0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(legal_hold).collect()
    }
}

fn legal_hold(row: &AnyRow) -> Result<LegalHold, Error> {
    Ok(LegalHold {
        hold: hold(row)?,
        reason: row.text("reason")?,
        placed_by: row.text("placed_by")?,
        placed_at: row.at("placed_at")?,
    })
}

pub(super) fn hold(row: &AnyRow) -> Result<Hold, Error> {
    let on = match (row.int_or("document_id")?, row.int_or("dossier_id")?) {
        (Some(document), _) => HoldOn::Document(DocumentId(document)),
        (None, Some(dossier)) => HoldOn::Dossier(DossierId(dossier)),
        (None, None) => HoldOn::Firm,
    };
    Ok(Hold {
        id: LegalHoldId(row.int("id")?),
        on,
    })
}
