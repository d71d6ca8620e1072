//! Which earlier documents look like this one, and what has become of them?

use sqlx::any::AnyRow;
use sqlx::query;

use super::documents::reading;
use super::rows::Columns as _;
use super::{Catalog, Error, Known, Tx};
use crate::model::{
    DeliveryId, DeviceId, DocumentId, DossierId, FirmId, HeldReason, LinkId, State, Timestamp,
};
use crate::transfer::{Books, EARLIER_MAX, Earlier, Stand};
use crate::ubl::Reading;

/// How many earlier documents are shown beside one.
const SHOWN_MAX: i64 = 20;

/// Which deliveries may be taken back for a newer document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncollected {
    /// Those of which nobody has read anything.
    Untouched,
    /// All: a person has decided it.
    Any,
}

/// By level: the same business document, the same envelope, the same content.
const BEFORE: &str = "select 'business' as level, min(o.id) as id from document d join document o on o.firm_id = d.firm_id
        and o.business_key = d.business_key and o.id < d.id where d.firm_id = $1 and d.id = $2
     union all select 'envelope' as level, min(o.id) as id from document d join document o on o.firm_id = d.firm_id
        and o.envelope_key = d.envelope_key and o.id < d.id where d.firm_id = $1 and d.id = $2
     union all select 'content' as level, min(o.id) as id from document d join document o on o.firm_id = d.firm_id
        and o.digest = d.content_digest and o.content_digest = d.content_digest and o.id < d.id
        where d.firm_id = $1 and d.id = $2
     union all select 'content' as level, min(o.id) as id from document d join document o on o.firm_id = d.firm_id
        and o.content_digest = d.content_digest and o.content_digest <> o.digest and o.id < d.id
        where d.firm_id = $1 and d.id = $2";

/// By the index of business keys, then by that of documents. What went through a link that is out of use may have gone
/// again through another.
const EARLIER: &str = "select v.id, v.document_id, v.dossier_id, v.link_id, v.flow, v.current, v.state, v.reason, v.moved_at,
        v.duplicate_of, v.revision_of, case when v.read_at is not null or v.progress is not null
             or exists (select 1 from delivery g where g.document_id = v.document_id and g.current = 0
                  and g.dossier_id = v.dossier_id and g.flow = v.flow and (g.read_at is not null or g.progress is not null)
                  and (g.link_id = v.link_id
                    or exists (select 1 from link l where l.id = g.link_id and l.removed_at is not null)))
             or exists (select 1 from event e join delivery g on g.id = e.delivery_id
                  where e.firm_id = $1 and e.document_id = v.document_id and e.kind = 'read'
                    and g.dossier_id = v.dossier_id and g.flow = v.flow and (g.link_id = v.link_id
                      or exists (select 1 from link l where l.id = g.link_id and l.removed_at is not null)))
             then 1 else 0 end as touched
     from document d join delivery v on v.document_id = d.id
     where d.firm_id = $1 and d.business_key = $2 and d.id < $3 order by v.id desc limit $4";

const SHOWN: &str = "select o.id from document d join document o on o.firm_id = d.firm_id
        and o.business_key = d.business_key and o.id < d.id where d.firm_id = $1 and d.id = $2
     union select v.duplicate_of from delivery v
        where v.firm_id = $1 and v.document_id = $2 and v.duplicate_of is not null
     order by 1 desc limit $3";

impl Tx {
    /// Returns the deliveries of the documents of `firm` with this key that came before `document`, or of all
    /// where it is not written down yet; a few more than [`EARLIER_MAX`] at the most.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn earlier(
        &mut self,
        firm: FirmId,
        business_key: &str,
        document: Option<DocumentId>,
    ) -> Result<Vec<Earlier>, Error> {
        let rows = query(EARLIER)
            .bind(firm.0)
            .bind(business_key)
            .bind(document.map_or(i64::MAX, |id| id.0))
            .bind(weighed_max())
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(earlier).collect()
    }

    /// Returns what was read of the documents of `firm` with this key that came before `document`, or of all where it
    /// is not written down yet; a few more than [`EARLIER_MAX`] at the most, the newest first. None of one that is
    /// damaged, which keeps no other out.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn earlier_readings(
        &mut self,
        firm: FirmId,
        business_key: &str,
        document: Option<DocumentId>,
    ) -> Result<Vec<(DocumentId, Option<Reading>)>, Error> {
        let rows = query(
            "select id, reading from document where firm_id = $1 and business_key = $2 and id < $3
             order by id desc limit $4",
        )
        .bind(firm.0)
        .bind(business_key)
        .bind(document.map_or(i64::MAX, |id| id.0))
        .bind(weighed_max())
        .fetch_all(&mut *self.inner)
        .await?;
        let read = |row: &AnyRow| Ok((DocumentId(row.int("id")?), reading(row).ok()));
        rows.iter().map(read).collect()
    }

    /// Returns the first of the older documents of `firm` that a document looks like, by each of the ways in
    /// which it may.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn known_before(&mut self, firm: FirmId, id: DocumentId) -> Result<Known, Error> {
        let rows = query(BEFORE)
            .bind(firm.0)
            .bind(id.0)
            .fetch_all(&mut *self.inner)
            .await?;
        let mut known = Known::default();
        for row in &rows {
            let Some(older) = row.int_or("id")?.map(DocumentId) else {
                continue;
            };
            match row.text("level")?.as_str() {
                "business" => known.business = Some(older),
                "envelope" => known.envelope = Some((older, false)),
                _ => known.content = known.content.into_iter().chain([older]).min(),
            }
        }
        Ok(known)
    }

    /// Takes a delivery back because `document` takes its place; says whether it was won.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn replace(
        &mut self,
        firm: FirmId,
        (delivery, which): (DeliveryId, Uncollected),
        document: DocumentId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let change = match which {
            Uncollected::Untouched => {
                "update delivery set state = 'withdrawn', withdrawn_at = $4, due_at = null, replaced_by = $3
                 where firm_id = $1 and id = $2 and current = 1 and (state = 'held'
                    or (state = 'offered' and read_at is null and progress is null))"
            }
            Uncollected::Any => {
                "update delivery set state = 'withdrawn', withdrawn_at = $4, due_at = null, replaced_by = $3
                 where firm_id = $1 and id = $2 and current = 1 and state in ('held', 'offered')"
            }
        };
        let done = query(change)
            .bind(firm.0)
            .bind(delivery.0)
            .bind(document.0)
            .bind(now.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Says whether `document` has taken the place of a delivery already.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn has_replaced(
        &mut self,
        firm: FirmId,
        delivery: DeliveryId,
        document: DocumentId,
    ) -> Result<bool, Error> {
        let row =
            query("select id from delivery where firm_id = $1 and id = $2 and replaced_by = $3")
                .bind(firm.0)
                .bind(delivery.0)
                .bind(document.0)
                .fetch_optional(&mut *self.inner)
                .await?;
        Ok(row.is_some())
    }

    /// Returns the delivery that took the place of this one, or of what was sent again of it, where that is not
    /// called a revision yet.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn newer(
        &mut self,
        firm: FirmId,
        delivery: DeliveryId,
    ) -> Result<Option<(DeliveryId, DocumentId, Option<DeviceId>)>, Error> {
        let row = query(
            "select n.id, n.document_id, n.device_id from delivery o join delivery g on g.document_id = o.document_id
                and g.dossier_id = o.dossier_id and g.flow = o.flow join delivery n on n.document_id = g.replaced_by
             where o.firm_id = $1 and o.id = $2 and n.current = 1 and n.revision_of is null and n.state <> 'withdrawn'
               and n.dossier_id = g.dossier_id and n.flow = g.flow and n.link_id = g.link_id and (g.link_id = o.link_id
                 or exists (select 1 from link l where l.id = o.link_id and l.removed_at is not null))
             order by n.id desc limit 1",
        )
        .bind(firm.0)
        .bind(delivery.0)
        .fetch_optional(&mut *self.inner)
        .await?;
        row.map(|row| {
            let device = row.int_or("device_id")?.map(DeviceId);
            Ok((
                DeliveryId(row.int("id")?),
                DocumentId(row.int("document_id")?),
                device,
            ))
        })
        .transpose()
    }

    /// Notes of which document a delivery is a revision.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn note_revision(
        &mut self,
        firm: FirmId,
        delivery: DeliveryId,
        of: DocumentId,
    ) -> Result<(), Error> {
        query("update delivery set revision_of = $3 where firm_id = $1 and id = $2")
            .bind(firm.0)
            .bind(delivery.0)
            .bind(of.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}

impl Catalog {
    /// Returns the older documents of `firm` that are shown beside one that looks like them, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn shown_beside(
        &self,
        firm: FirmId,
        id: DocumentId,
    ) -> Result<Vec<DocumentId>, Error> {
        let rows = query(SHOWN)
            .bind(firm.0)
            .bind(id.0)
            .bind(SHOWN_MAX)
            .fetch_all(&self.readers)
            .await?;
        let ids = rows.iter().rev().map(|row| Ok(DocumentId(row.int("id")?)));
        ids.collect()
    }
}

/// One more than are weighed, so that it shows when there are too many.
fn weighed_max() -> i64 {
    let most = i64::try_from(EARLIER_MAX).unwrap_or(i64::MAX);
    most.saturating_add(1)
}

fn earlier(row: &AnyRow) -> Result<Earlier, Error> {
    let state: State = row.word("state")?;
    let is_current = row.int("current")? == 1;
    let reason: Option<HeldReason> = row.word_or("reason")?;
    let stand = match (state, reason) {
        _ if row.int_or("moved_at")?.is_some() => Stand::Moved,
        (State::Collected | State::Processed, _) => Stand::Had,
        (State::Held, Some(reason)) if is_current => Stand::Held(reason),
        (State::Offered, _) if is_current && row.int("touched")? == 0 => Stand::Untouched,
        (State::Offered, _) if is_current => Stand::Touched,
        _ => Stand::Withdrawn,
    };
    Ok(Earlier {
        delivery: DeliveryId(row.int("id")?),
        document: DocumentId(row.int("document_id")?),
        books: Books {
            dossier: row.int_or("dossier_id")?.map(DossierId),
            flow: row.word_or("flow")?,
            link: row.int_or("link_id")?.map(LinkId),
        },
        is_beside: !matches!(stand, Stand::Held(_))
            && row.int_or("duplicate_of")?.is_some()
            && row.int_or("revision_of")?.is_none(),
        stand,
    })
}
