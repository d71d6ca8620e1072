//! From what are the folders of a device made?

use std::cmp::Reverse;

use jiff::civil::Date;

use super::Error;
use super::folders::{Folders, Role};
use super::sources::{add_codes, add_in};
use super::view::{Attributes, Tree};
use crate::catalog::{Link, Moment, Placed, Setup};
use crate::ingest::place;
use crate::login::Who;
use crate::model::{Flow, VirtualPath};

/// Folders, and the state of the setup they were made from.
pub(super) struct Made {
    /// When it was last seen to be right.
    pub(super) at: Moment,
    pub(super) setup: Setup,
    pub(super) today: Date,
    pub(super) folders: Folders,
    pub(super) links: Vec<Link>,
}

impl Made {
    /// A folder has no time of its own; the day its device was added is stable.
    pub(super) fn folder_attributes(&self) -> Attributes {
        Attributes {
            is_folder: true,
            bytes: 0,
            at: self.setup.device_added_at,
        }
    }
}

impl Tree {
    /// Makes the folders of a device, on a day.
    pub(super) async fn make(
        &self,
        who: &Who,
        at: Moment,
        setup: Setup,
        today: Date,
    ) -> Result<Made, Error> {
        let default_device = self.catalog.default_device(who.firm).await?;
        let links = self.catalog.links(who.firm).await?;
        let mut folders = Folders::new();
        add_in(&mut folders, &setup);
        let mine = links
            .iter()
            .filter(|link| link.device.or(default_device) == Some(who.device));
        for link in mine {
            if let Err(error) = self.add_link(&mut folders, link, today) {
                // One link that cannot be shown must not hide the others.
                tracing::warn!(link.id = %link.id, "Folders of link {} are not shown: {error}", link.id);
            }
        }
        // Of other years, and of links that went to another device since.
        let mut of_removed = Vec::new();
        for placed in self.catalog.placed(who.firm, who.device).await? {
            let (id, flow) = (placed.link, placed.flow);
            let Some(link) = links.iter().find(|one| one.id == id) else {
                of_removed.push(placed);
                continue;
            };
            add(&mut folders, &placed.folder, Role::inbox(id, flow));
            // Whoever still finds files there may have done with them.
            if let Ok(Some(processed)) = self.places.processed_folder(link, flow, today) {
                add(&mut folders, &processed, Role::processed(id, flow));
            }
        }
        self.add_removed(&mut folders, who, of_removed, (&links, today))
            .await?;
        add_codes(&mut folders, who, &setup, (&links, default_device));
        Ok(Made {
            at,
            setup,
            today,
            folders,
            links,
        })
    }

    /// Adds the folders of links that are in use no more. A session finds there what it fetched, also when the link was
    /// added anew. But their code may be another dossier's by now, whose books are no place for what was fetched for the
    /// first: of the dossiers whose links are all removed, the last has the folder.
    async fn add_removed(
        &self,
        folders: &mut Folders,
        who: &Who,
        mut placed: Vec<Placed>,
        (links, today): (&[Link], Date),
    ) -> Result<(), Error> {
        if placed.is_empty() {
            return Ok(());
        }
        let removed = self.catalog.removed_links(who.firm).await?;
        let all = || links.iter().chain(&removed);
        let dossier_of = |link| all().find(|one| one.id == link).map(|one| one.dossier);
        placed.sort_by_key(|placed| Reverse(placed.link));
        for Placed { folder, link, flow } in placed {
            let known = removed.iter().find(|one| one.id == link);
            let processed = known.map(|known| self.places.processed_folder(known, flow, today));
            // Without its profile there is the inbox alone.
            let processed = processed.and_then(|folder| folder.ok().flatten());
            let akin = |other| dossier_of(other) == dossier_of(link);
            folders.add_if_free((&folder, processed.as_deref()), (link, flow), akin);
        }
        Ok(())
    }

    fn add_link(
        &self,
        folders: &mut Folders,
        link: &Link,
        today: Date,
    ) -> Result<(), place::Error> {
        for flow in [Flow::Purchase, Flow::Sale] {
            let inbox = self.places.folder(link, flow, today)?;
            let processed = self.places.processed_folder(link, flow, today)?;
            add(folders, &inbox, Role::inbox(link.id, flow));
            if let Some(processed) = processed {
                add(folders, &processed, Role::processed(link.id, flow));
            }
        }
        Ok(())
    }
}

pub(super) fn add(folders: &mut Folders, path: &str, role: Role) {
    if let Ok(path) = VirtualPath::parse(path) {
        folders.add(&path, role);
    }
}
