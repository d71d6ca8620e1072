//! What becomes of a delivery by our own hand: held, offered, withdrawn, offered again?

use sqlx::any::AnyRow;
use sqlx::query;

use super::rows::{Columns as _, stored_size};
use super::{Catalog, Error, Tx};
use crate::model::{
    DeliveryId, DeviceId, Digest, DocumentId, DossierId, FirmId, Flow, HeldReason, LinkId, State,
    Timestamp, fold,
};

/// A delivery to write down.
#[derive(Debug, Clone)]
pub struct NewDelivery<'a> {
    /// Of which document.
    pub document: DocumentId,
    /// To whose books, where known.
    pub dossier: Option<DossierId>,
    /// For which program, where known.
    pub link: Option<LinkId>,
    /// To which device, where known.
    pub device: Option<DeviceId>,
    /// As which of the two journals, where known.
    pub flow: Option<Flow>,
    /// From 1.
    pub generation: i64,
    /// Why it waits, unless it is offered.
    pub hold: Option<HeldReason>,
    /// When it leaves by itself, where that is known.
    pub due: Option<Timestamp>,
    /// Why it goes there: the rule and the values that matched, as JSON.
    pub routing: &'a str,
    /// What its device will read.
    pub digest: Digest,
    /// The size of that, in bytes.
    pub bytes: u64,
    /// Where it shows, if it is offered.
    pub offer: Option<&'a Offer>,
    /// The first document that its own looks like, if it looks like one.
    pub duplicate_of: Option<DocumentId>,
    /// The document that was collected before, if it is a revision of it.
    pub revision_of: Option<DocumentId>,
}

/// Where an offered delivery shows. Once given, it never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The folder.
    pub folder: String,
    /// The file name.
    pub name: String,
}

impl Offer {
    /// Returns its path.
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder, self.name)
    }
}

/// A delivery as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its row.
    pub id: DeliveryId,
    /// Whose.
    pub firm: FirmId,
    /// Of which document.
    pub document: DocumentId,
    /// To whose books, where known.
    pub dossier: Option<DossierId>,
    /// For which program, where known.
    pub link: Option<LinkId>,
    /// To which device, where known.
    pub device: Option<DeviceId>,
    /// As which of the two journals, where known.
    pub flow: Option<Flow>,
    /// From 1.
    pub generation: i64,
    /// Whether it is the last generation.
    pub is_current: bool,
    /// How far it has come.
    pub state: State,
    /// Why it waits.
    pub reason: Option<HeldReason>,
    /// When it is looked at again by itself.
    pub due: Option<Timestamp>,
    /// What a person said of its waiting.
    pub note: Option<String>,
    /// Whether a person gave its document to other books.
    pub is_moved: bool,
    /// The rule and the values that matched, as JSON.
    pub routing: String,
    /// Where it shows, or showed.
    pub offer: Option<Offer>,
    /// What its device reads.
    pub digest: Digest,
    /// The size of that, in bytes.
    pub bytes: u64,
    /// The first document that its own looks like, if it looks like one.
    pub duplicate_of: Option<DocumentId>,
    /// The document that was collected before, if it was offered as a revision of it.
    pub revision_of: Option<DocumentId>,
    /// The document that took its place, if it was withdrawn for that.
    pub replaced_by: Option<DocumentId>,
}

/// The first file of a link and flow in a folder changes what trees look like: the folder of a new year comes with
/// it, and one in which an older link has files shows those of this one too.
const ADD: &str = "update firm set version = version + 1 where id = $1 and $12 is not null and not exists
       (select 1 from delivery where device_id = $5 and folder_key = $12 and link_id = $4 and flow = $6 and current = 1 and state <> 'withdrawn');
     insert into delivery (firm_id, document_id, dossier_id, link_id, device_id, flow, generation, current,
                           state, reason, routing, folder, folder_key, name, name_key, digest, bytes,
                           created_at, offered_at, due_at, duplicate_of, revision_of)
     values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) returning id";

const OFFER: &str = "update firm set version = version + 1 where id = $1 and not exists
       (select 1 from delivery d join delivery own on own.link_id = d.link_id and own.flow = d.flow and own.id = $2
        where d.device_id = $3 and d.folder_key = $5 and d.current = 1 and d.state <> 'withdrawn');
     update delivery set state = 'offered', reason = null, due_at = null, note = null, device_id = $3, folder = $4, folder_key = $5,
            name = $6, name_key = $7, offered_at = $8
     where firm_id = $1 and id = $2 and state = 'held' and current = 1 returning id";

impl Tx {
    /// Writes a delivery down.
    ///
    /// # Errors
    ///
    /// When its place is taken, or the database does not answer.
    pub async fn add_delivery(
        &mut self,
        firm: FirmId,
        new: &NewDelivery<'_>,
        now: Timestamp,
    ) -> Result<DeliveryId, Error> {
        let state = if new.offer.is_some() {
            State::Offered
        } else {
            State::Held
        };
        let rows = query(ADD)
            .bind(firm.0)
            .bind(new.document.0)
            .bind(new.dossier.map(|id| id.0))
            .bind(new.link.map(|id| id.0))
            .bind(new.device.map(|id| id.0))
            .bind(new.flow.map(Flow::as_str))
            .bind(new.generation)
            .bind(state.as_str())
            .bind(new.hold.map(HeldReason::as_str))
            .bind(new.routing)
            .bind(new.offer.map(|offer| offer.folder.clone()))
            .bind(new.offer.map(|offer| fold(&offer.folder)))
            .bind(new.offer.map(|offer| offer.name.clone()))
            .bind(new.offer.map(|offer| fold(&offer.name)))
            .bind(new.digest.to_string())
            .bind(stored_size(new.bytes))
            .bind(now.0)
            .bind(new.offer.map(|_| now.0))
            .bind(new.due.map(|due| due.0))
            .bind(new.duplicate_of.map(|id| id.0))
            .bind(new.revision_of.map(|id| id.0))
            .fetch_all(&mut *self.inner)
            .await
            .map_err(|source| Error::unique(source, || format!("a file at {:?}", new.offer)))?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Ok(DeliveryId(row.int("id")?))
    }

    /// Offers a held delivery, unless somebody was first; says whether it was won.
    ///
    /// # Errors
    ///
    /// When its place is taken, or the database does not answer.
    pub async fn offer(
        &mut self,
        delivery: &Delivery,
        device: DeviceId,
        offer: &Offer,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let rows = query(OFFER)
            .bind(delivery.firm.0)
            .bind(delivery.id.0)
            .bind(device.0)
            .bind(offer.folder.as_str())
            .bind(fold(&offer.folder))
            .bind(offer.name.as_str())
            .bind(fold(&offer.name))
            .bind(now.0)
            .fetch_all(&mut *self.inner)
            .await
            .map_err(|source| Error::unique(source, || format!("a file at {offer:?}")))?;
        Ok(!rows.is_empty())
    }

    /// Points a held delivery at what is known now: dossier, link, flow, and why it still waits.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn reroute_held(
        &mut self,
        id: DeliveryId,
        new: &NewDelivery<'_>,
        firm: FirmId,
    ) -> Result<bool, Error> {
        let done = query(
            "update delivery set dossier_id = $3, link_id = $4, device_id = $5, flow = $6, reason = $7, routing = $8,
                    due_at = $9, note = case when $7 = 'on_hold' then note end, duplicate_of = $10,
                    revision_of = coalesce($11, revision_of)
             where firm_id = $1 and id = $2 and state = 'held' and current = 1",
        )
        .bind(firm.0)
        .bind(id.0)
        .bind(new.dossier.map(|id| id.0))
        .bind(new.link.map(|id| id.0))
        .bind(new.device.map(|id| id.0))
        .bind(new.flow.map(Flow::as_str))
        .bind(new.hold.map(HeldReason::as_str))
        .bind(new.routing)
        .bind(new.due.map(|due| due.0))
        .bind(new.duplicate_of.map(|id| id.0))
        .bind(new.revision_of.map(|id| id.0))
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes a delivery back that nobody has collected; says whether it was won.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn withdraw(&mut self, delivery: &Delivery, now: Timestamp) -> Result<bool, Error> {
        let done = query(
            "update delivery set state = 'withdrawn', withdrawn_at = $3, due_at = null
             where firm_id = $1 and id = $2 and state in ('held', 'offered') and current = 1",
        )
        .bind(delivery.firm.0)
        .bind(delivery.id.0)
        .bind(now.0)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Makes room for the next generation: the last one stops being current, and is withdrawn if nobody has it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn retire(&mut self, delivery: &Delivery, now: Timestamp) -> Result<bool, Error> {
        let done = query(
            "update delivery set current = 0,
                    state = case when state = 'offered' then 'withdrawn' else state end,
                    withdrawn_at = case when state = 'offered' then $3 else withdrawn_at end
             where firm_id = $1 and id = $2 and current = 1 and state <> 'held'",
        )
        .bind(delivery.firm.0)
        .bind(delivery.id.0)
        .bind(now.0)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

impl Catalog {
    /// Returns a delivery of `firm`.
    ///
    /// # Errors
    ///
    /// When the firm has none of that id, or the database does not answer.
    pub async fn delivery(&self, firm: FirmId, id: DeliveryId) -> Result<Delivery, Error> {
        let row = query("select * from delivery where firm_id = $1 and id = $2")
            .bind(firm.0)
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?
            .ok_or_else(|| Error::Missing {
                what: format!("delivery {id}"),
            })?;
        delivery(&row)
    }

    /// Returns the deliveries of `document`, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn deliveries_of(
        &self,
        firm: FirmId,
        document: DocumentId,
    ) -> Result<Vec<Delivery>, Error> {
        let rows =
            query("select * from delivery where firm_id = $1 and document_id = $2 order by id")
                .bind(firm.0)
                .bind(document.0)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(delivery).collect()
    }

    /// Returns the deliveries of `firm` that wait, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn held(&self, firm: FirmId) -> Result<Vec<Delivery>, Error> {
        let rows = query("select * from delivery where firm_id = $1 and state = 'held' and current = 1 order by id")
            .bind(firm.0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(delivery).collect()
    }
}

pub(super) fn delivery(row: &AnyRow) -> Result<Delivery, Error> {
    let offer = match (row.text_or("folder")?, row.text_or("name")?) {
        (Some(folder), Some(name)) => Some(Offer { folder, name }),
        _ => None,
    };
    Ok(Delivery {
        id: DeliveryId(row.int("id")?),
        firm: FirmId(row.int("firm_id")?),
        document: DocumentId(row.int("document_id")?),
        dossier: row.int_or("dossier_id")?.map(DossierId),
        link: row.int_or("link_id")?.map(LinkId),
        device: row.int_or("device_id")?.map(DeviceId),
        flow: row.word_or("flow")?,
        generation: row.int("generation")?,
        is_current: row.int("current")? == 1,
        state: row.word("state")?,
        reason: row.word_or("reason")?,
        due: row.at_or("due_at")?,
        note: row.text_or("note")?,
        is_moved: row.int_or("moved_at")?.is_some(),
        routing: row.text("routing")?,
        offer,
        digest: row.word("digest")?,
        bytes: row.size("bytes")?,
        duplicate_of: row.int_or("duplicate_of")?.map(DocumentId),
        revision_of: row.int_or("revision_of")?.map(DocumentId),
        replaced_by: row.int_or("replaced_by")?.map(DocumentId),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;
    use crate::catalog::{Durability, LinkRules, NewDevice, NewDocument, NewLink};
    use crate::ingest::plan::tests::invoice;
    use crate::model::{Checksums, Clock, Declared, DeviceKind, Language};

    pub(in crate::catalog) const NOW: Timestamp = Timestamp(1_767_225_600_000);

    /// A clock that stands still.
    pub(in crate::catalog) fn still(now: Timestamp) -> Clock {
        Clock::new(move || now)
    }

    /// A catalog with a firm and its device.
    pub(in crate::catalog) async fn office(file: &Path) -> (Catalog, FirmId, DeviceId) {
        let catalog = Catalog::open(file).await.unwrap();
        let (slug, name) = ("f".parse().unwrap(), "pc".parse().unwrap());
        let firm = catalog
            .add_firm(&slug, "F", Language::Nl, NOW)
            .await
            .unwrap();
        let new = NewDevice {
            name: &name,
            kind: DeviceKind::Pull,
            password_hash: None,
            keys: &[],
            is_default: true,
        };
        let device = catalog.add_device(firm, &new, NOW).await.unwrap();
        (catalog, firm, device)
    }

    /// Adds a dossier with a link, of which documents are offered from then on.
    pub(in crate::catalog) async fn link(catalog: &Catalog, firm: FirmId, code: &str) {
        let dossier = catalog.add_dossier(firm, code, &[], NOW).await.unwrap();
        let new = NewLink {
            dossier,
            profile: "codabox",
            code,
            language: Language::Nl,
            device: None,
            sends: LinkRules::FIRM,
        };
        catalog.add_link(firm, &new, NOW).await.unwrap();
    }

    /// Offers a document of this number in one folder of the device.
    pub(in crate::catalog) async fn offer(
        catalog: &Catalog,
        firm: FirmId,
        device: DeviceId,
        number: &str,
    ) {
        let digest = Digest::of(number.as_bytes());
        let document = NewDocument {
            digest,
            bytes: 1,
            content: digest,
            content_bytes: 1,
            checksums: Some(Checksums::of(number.as_bytes())),
            envelope_key: None,
            business_key: None,
            reading: &invoice(number),
            source: "test:x",
            declared: Declared::default(),
            quarantined: None,
        };
        let offer = Offer {
            folder: "/codabox/A/2025/Invoices-IN-01".to_owned(),
            name: number.to_owned(),
        };
        let links = catalog.links(firm).await.unwrap();
        let begun = catalog.begin_at(firm, Durability::PowerCut);
        let (mut tx, _) = begun.await.unwrap();
        let delivery = NewDelivery {
            document: tx.add_document(firm, &document, NOW).await.unwrap(),
            dossier: None,
            link: links.last().map(|link| link.id),
            device: Some(device),
            flow: Some(Flow::Purchase),
            generation: 1,
            hold: None,
            due: None,
            routing: "{}",
            digest,
            bytes: 1,
            offer: Some(&offer),
            duplicate_of: None,
            revision_of: None,
        };
        tx.add_delivery(firm, &delivery, NOW).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_tree_that_is_open_learns_of_the_folder_of_a_new_year() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        let (catalog, firm, device) = office(&file).await;
        let version = async || {
            catalog
                .setup_of(firm, device)
                .await
                .unwrap()
                .unwrap()
                .version
        };
        link(&catalog, firm, "A").await;
        let before = version().await;

        offer(&catalog, firm, device, "1.xml").await;
        let first = version().await;
        offer(&catalog, firm, device, "2.xml").await;

        assert_eq!(first, before + 1);
        assert_eq!(
            version().await,
            first,
            "a second file there changes no tree"
        );
        link(&catalog, firm, "B").await;
        let before = version().await;
        offer(&catalog, firm, device, "3.xml").await;
        assert_eq!(version().await, before + 1, "a file there of another link");
    }
}
