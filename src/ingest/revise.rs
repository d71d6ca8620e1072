//! What becomes of the earlier deliveries, once it is decided that a newer document takes their place?

use super::Ingest;
use super::plan::{Planned, choice_for, suspect};
use super::sameness::doubt_of_two;
use crate::catalog::{self, Event, Known, Tx, Uncollected};
use crate::evidence::replay::{REPLACED, REVISION};
use crate::model::{
    DeliveryId, DeviceId, DocumentId, Duplicates, EventKind, FirmId, HeldReason, Timestamp,
};
use crate::transfer::{Books, Earlier, Stand};
use crate::ubl::Reading;

impl Ingest {
    /// Returns what has become of the earlier deliveries, with what this process knows of who reads them now.
    pub(crate) async fn earlier(
        &self,
        tx: &mut Tx,
        firm: FirmId,
        business_key: &str,
        document: Option<DocumentId>,
    ) -> Result<Vec<Earlier>, catalog::Error> {
        let mut earlier = tx.earlier(firm, business_key, document).await?;
        let is_open = |one: &&Earlier| self.readers.count(one.delivery) > 0;
        let open: Vec<_> = earlier.iter().filter(is_open).cloned().collect();
        if open.is_empty() {
            return Ok(earlier);
        }
        let links = self.catalog.links(firm).await?;
        let in_use = |books: Books| links.iter().any(|link| Some(link.id) == books.link);
        // In whatever generation: what was sent again may be open under its old one, or as what went through a link
        // that is out of use.
        let may_be = |one: &Earlier, open: &Earlier| {
            let (own, its) = (one.books, open.books);
            (one.document, own.dossier, own.flow) == (open.document, its.dossier, its.flow)
                && (own.link == its.link || !in_use(its))
        };
        for one in &mut earlier {
            if one.stand == Stand::Untouched && open.iter().any(|open| may_be(one, open)) {
                one.stand = Stand::Touched;
            }
        }
        Ok(earlier)
    }

    /// Adds to what is known of a document what has become of the earlier ones, and whether one of those may be
    /// another document. What was taken back is in nobody's way.
    pub(super) async fn know_earlier(
        &self,
        tx: &mut Tx,
        (firm, business_key): (FirmId, &str),
        (document, reading): (Option<DocumentId>, &Reading),
        known: &mut Known,
    ) -> Result<(), catalog::Error> {
        known.earlier = self.earlier(tx, firm, business_key, document).await?;
        let stands = |of: DocumentId| {
            let mut rows = known.earlier.iter();
            rows.any(|one| one.document == of && one.stand != Stand::Withdrawn)
        };
        let older = tx.earlier_readings(firm, business_key, document).await?;
        let mut older = older.iter().filter(|(id, _)| stands(*id));
        let gives_way = |older: &Reading| doubt_of_two(reading, older).is_none();
        known.is_doubtful = !older.all(|(_, older)| older.as_ref().is_some_and(gives_way));
        Ok(())
    }

    /// Decides once more, in the change that is to send it, what becomes of a delivery whose document looks
    /// like an earlier one.
    pub(crate) async fn suspect_again(
        &self,
        tx: &mut Tx,
        firm: FirmId,
        document: &catalog::Document,
        choice: Duplicates,
        planned: &mut Planned,
    ) -> Result<(), catalog::Error> {
        let mut known = tx.known_before(firm, document.id).await?;
        let choice = choice_for(&document.reading, choice);
        if let Some(key) = document.business_key.as_deref()
            && choice == Duplicates::Replace
            && known.is_version()
        {
            let newer = (Some(document.id), &document.reading);
            let asking = self.know_earlier(tx, (firm, key), newer, &mut known);
            asking.await?;
        }
        suspect(planned, &known, choice);
        Ok(())
    }
}

/// Takes back what a delivery of `document` replaces, and returns what is to be told of it. What turned out
/// to have no place replaces nothing.
pub(crate) async fn replace(
    tx: &mut Tx,
    firm: FirmId,
    (document, planned): (DocumentId, &mut Planned),
    which: Uncollected,
    now: Timestamp,
) -> Result<Vec<Event>, catalog::Error> {
    if has_no_place(planned) {
        planned.replaces.clear();
        planned.revision_of = None;
    }
    let mut told = Vec::new();
    for (old, of) in &planned.replaces {
        if !tx.replace(firm, (*old, which), document, now).await? {
            // What waited for books may have been where several of the newer ones are.
            if tx.has_replaced(firm, *old, document).await? {
                continue;
            }
            return Err(catalog::Error::Refused(format!(
                "delivery {old} was read or collected while document {document} was to take its place: try again"
            )));
        }
        told.push(Event {
            document: Some(*of),
            delivery: Some(*old),
            ..Event::new(EventKind::Withdrawn, format!("{REPLACED}{document}"))
        });
    }
    Ok(told)
}

/// Says whether a planned delivery takes the place of others.
pub(crate) fn replaces_any(planned: &Planned) -> bool {
    !planned.replaces.is_empty() && !has_no_place(planned)
}

fn has_no_place(planned: &Planned) -> bool {
    matches!(planned.hold, Some(HeldReason::Format | HeldReason::NoPlace))
}

/// Says that a delivery that is offered is a revision, if it is one.
pub(crate) fn revised(
    planned: &Planned,
    (document, delivery): (DocumentId, DeliveryId),
    device: Option<DeviceId>,
) -> Option<Event> {
    let of = planned.revision_of?;
    Some(Event {
        document: Some(document),
        delivery: Some(delivery),
        device,
        ..Event::new(EventKind::Revised, format!("{REVISION}{of}"))
    })
}
