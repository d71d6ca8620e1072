//! Through which link does a delivery go, when a person sends it?

use super::{Error, Sending};
use crate::catalog::{Delivery, Document, Link};
use crate::model::{HeldReason, LinkId};

impl Sending {
    /// Returns the link that a delivery was made for.
    pub(super) async fn link(&self, delivery: &Delivery) -> Result<Link, Error> {
        let links = self.ingest.catalog.links(delivery.firm).await?;
        let found = links
            .into_iter()
            .find(|link| Some(link.id) == delivery.link);
        found.ok_or(Error::NoWay {
            id: delivery.id,
            why: without_link(delivery),
        })
    }

    /// Returns the link through which a delivery goes again: its own, or where that is out of use the one that its
    /// books have now; of several the one that was `asked` for.
    pub(super) async fn link_again(
        &self,
        delivery: &Delivery,
        document: &Document,
        asked: Option<LinkId>,
    ) -> Result<Link, Error> {
        let (catalog, id) = (&self.ingest.catalog, delivery.id);
        let no_way = |why| Err(Error::NoWay { id, why });
        let mut links = catalog.links(delivery.firm).await?;
        if let Some(own) = links.iter().find(|link| Some(link.id) == delivery.link) {
            return match asked {
                Some(asked) if asked != own.id => {
                    no_way("its own link is in use, and it goes through no other")
                }
                _ => Ok(own.clone()),
            };
        }
        links.retain(|link| delivery.flow.is_some() && Some(link.dossier) == delivery.dossier);
        if links.is_empty() {
            return no_way(without_link(delivery));
        }
        let siblings = catalog.deliveries_of(delivery.firm, document.id).await?;
        let has_one = |link: &Link| {
            siblings.iter().any(|other| {
                let is_there = other.is_current && !other.is_moved && other.flow == delivery.flow;
                is_there && other.link == Some(link.id)
            })
        };
        // What goes through another link is that one's own delivery, with its own history.
        links.retain(|link| !has_one(link));
        if links.is_empty() {
            return no_way(
                "its link is out of use, and each of its dossier's has a delivery of the document: name that one",
            );
        }
        let (places, kind) = (self.ingest.places(), document.reading.kind);
        links.retain(|link| {
            places
                .profile(link)
                .is_ok_and(|profile| profile.takes(kind))
        });
        if links.is_empty() {
            return no_way(
                "its link is out of use, and no program that its dossier is linked to now reads its kind",
            );
        }
        if let Some(asked) = asked {
            let named = links.into_iter().find(|link| link.id == asked);
            return named.map_or_else(
                || no_way("it cannot go through the link that was named"),
                Ok,
            );
        }
        if let [one] = &links[..] {
            return Ok(one.clone());
        }
        let told = |link: &Link| format!("`{}/{}`", link.profile, link.code);
        let links: Vec<_> = links.iter().map(told).collect();
        Err(Error::Several {
            id,
            links: links.join(" or "),
        })
    }
}

/// What a person can do about a delivery that no link leads anywhere.
fn without_link(delivery: &Delivery) -> &'static str {
    match delivery.reason {
        Some(HeldReason::NotAnInvoice) => {
            "it answers or reports about a document, and nothing is to be booked"
        }
        Some(HeldReason::Format) => {
            "no program that its dossier is linked to reads its format or kind: book it by hand"
        }
        _ if delivery.dossier.is_none() || delivery.flow.is_none() => {
            "nobody knows whose books it is for: give it to some with `sluis move`, `--dossier` and `--as`"
        }
        _ => "it has no link in use; add one for its dossier",
    }
}
