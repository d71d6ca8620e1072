//! What does one session of one device see?

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::Error;
use super::content::Content;
use super::folders::Role;
use super::kept::{Kept, Memory, REMEMBERED_MAX};
use super::made::Made;
use crate::blobs::Blobs;
use crate::catalog::{Catalog, LargeFolder, Listed, Moment, QUESTION_WAITS_MS_MAX, Shown, Since};
use crate::ingest::place::Places;
use crate::layout::{AfterCollected, Profile};
use crate::login::Who;
use crate::model::{
    Checksums, DeviceKind, Digest, Flow, Keep, LinkId, Timestamp, VirtualPath, fold,
};

/// The tree of every device. A clone is the same.
#[derive(Clone)]
pub struct Tree {
    pub(super) catalog: Catalog,
    pub(super) blobs: Blobs,
    pub(super) places: Places,
}

/// What one session of one device sees.
pub struct View {
    pub(super) tree: Tree,
    pub(super) who: Arc<Who>,
    made: Option<Made>,
    kept: Option<Kept>,
    /// Checksums that were computed for it, by digest.
    pub(super) computed: Mutex<HashMap<Digest, Checksums>>,
    /// For how long what is done with shows, as the firm had it when the session first looked.
    keep_in_view: Option<Keep>,
}

/// How late what another process wrote may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lag {
    None,
    Some,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder, as it is written.
    Folder(VirtualPath),
    /// A file.
    File(File),
}

/// A file at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The delivery behind it.
    pub listed: Listed,
    /// Whether it waits, or was done with.
    pub place: Place,
}

/// Where a file stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In an inbox: reading and removing it are acts.
    Inbox,
    /// In a processed folder: reading it changes nothing.
    Processed,
}

/// What a listing and a stat say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Its size in bytes; 0 for a folder.
    pub bytes: u64,
    /// When it was offered; it never changes.
    pub at: Timestamp,
}

/// The lines of a folder.
pub struct Items {
    /// `.`, `..` and the folders in it, which have the same attributes.
    pub folders: Vec<String>,
    /// Theirs.
    pub attributes: Attributes,
    /// The files in it, by name; of a large folder none.
    pub files: Arc<Vec<Listed>>,
    /// Those of a large folder.
    pub large: Option<Large>,
    /// What the device has put into it, or saw refused; of the former the tree knows none.
    pub uploads: Vec<Item>,
}

/// The files of a large folder.
pub struct Large {
    /// The first ones.
    pub first: Vec<Shown>,
    /// Where the others come from, as they are at this moment.
    pub rest: LargeFolder,
}

/// A file that a device has put somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// The rest.
    pub attributes: Attributes,
}

impl Tree {
    /// Joins what the tree is made from.
    pub fn new(catalog: Catalog, blobs: Blobs, places: Places) -> Self {
        Self {
            catalog,
            blobs,
            places,
        }
    }

    /// Opens what a session sees.
    pub fn view(&self, who: Arc<Who>) -> View {
        View {
            tree: self.clone(),
            who,
            made: None,
            kept: None,
            computed: Mutex::default(),
            keep_in_view: None,
        }
    }
}

impl View {
    /// Returns what stands at `path`.
    ///
    /// # Errors
    ///
    /// When nothing is there, or a store does not answer.
    pub async fn entry(&mut self, path: &VirtualPath, now: Timestamp) -> Result<Entry, Error> {
        self.refresh(now, Lag::Some).await?;
        let made = self.made()?;
        if let Some(folder) = made.folders.path(path) {
            return Ok(Entry::Folder(folder.clone()));
        }
        let name = fold(path.name().ok_or(Error::Missing)?);
        let folder = path.parent();
        let role = made.folders.role(&folder).ok_or(Error::Missing)?;
        let at = made.at;
        let (listed, place) = match *role.ok_or(Error::Missing)? {
            Role::Inbox(ref links) => {
                let (links, folder) = (Arc::clone(links), folder.key());
                let listed = self.inbox_file(at, (links, &folder), &name, now);
                (listed.await?, Place::Inbox)
            }
            Role::Processed(ref links) => {
                let listed = self.done_file(made, links, &name, now).await?;
                (listed, Place::Processed)
            }
            // Whoever put them there knows them: no delivery is behind them.
            Role::In | Role::InDossier(_) | Role::Rejected => return Err(Error::Missing),
        };
        let listed = listed.ok_or(Error::Missing)?;
        Ok(Entry::File(File { listed, place }))
    }

    async fn inbox_file(
        &mut self,
        at: Moment,
        (links, folder): (Arc<[(LinkId, Flow)]>, &str),
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Listed>, Error> {
        let kept = self.kept.as_mut();
        match kept.map_or(Memory::Ask, |kept| kept.find(at, (&links, folder), name)) {
            Memory::File(listed) => return Ok(Some(listed)),
            Memory::Nothing => return Ok(None),
            Memory::Ask => {}
        }
        let (firm, device) = (self.who.firm, self.who.device);
        let catalog = &self.tree.catalog;
        let mut found = None;
        for &of in &*links {
            let since = self.since(self.made()?, of.0, now);
            let asked = catalog.inbox_file(firm, device, of, (folder, name), since);
            found = asked.await?;
            if found.is_some() {
                break;
            }
        }
        if let Some(listed) = &found
            && !self.kept.as_ref().is_some_and(|kept| kept.is_whole_at(at))
        {
            let of = (links, folder.to_owned());
            self.kept = Some(Kept::file(at, of, listed.clone()));
        }
        Ok(found)
    }

    async fn done_file(
        &self,
        made: &Made,
        links: &[(LinkId, Flow)],
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Listed>, Error> {
        let (catalog, firm, device) = (&self.tree.catalog, self.who.firm, self.who.device);
        for &of in links {
            let since = self.since(made, of.0, now);
            let found = catalog.done_file(firm, device, of, name, since).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Returns what a stat of `path` says.
    ///
    /// # Errors
    ///
    /// When nothing is there, or a store does not answer.
    pub async fn stat(&mut self, path: &VirtualPath, now: Timestamp) -> Result<Attributes, Error> {
        match self.entry(path, now).await? {
            Entry::File(file) => Ok(file.attributes()),
            Entry::Folder(_) => Ok(self.made()?.folder_attributes()),
        }
    }

    /// Returns the lines of the folder at `path`.
    ///
    /// # Errors
    ///
    /// When no folder is there, or a store does not answer.
    pub async fn list(&mut self, path: &VirtualPath, now: Timestamp) -> Result<Items, Error> {
        self.refresh(now, Lag::None).await?;
        if let Entry::File(_) = self.entry(path, now).await? {
            return Err(Error::NotAFolder);
        }
        let made = self.made()?;
        let role = made.folders.role(path).ok_or(Error::Missing)?;
        let folders = [".", ".."].into_iter().chain(made.folders.children(path));
        let folders = folders.map(ToOwned::to_owned).collect();
        let (at, attributes) = (made.at, made.folder_attributes());
        let uploads = match role {
            Some(Role::Rejected) => self.rejected(now).await?,
            _ => Vec::new(),
        };
        let (files, large) = match role {
            Some(Role::Inbox(links)) => {
                let (links, key) = (Arc::clone(links), path.key());
                match self.inbox(made, &links, &key, now).await? {
                    Some(files) => {
                        let files = Arc::new(files);
                        self.kept = None; // what it held is free for this one
                        let device = &self.who.device_holds;
                        self.kept = Kept::folder(at, (links, key), &files, device);
                        (files, None)
                    }
                    None => {
                        let large = self.large(made, &links, &key, now).await?;
                        self.kept = None;
                        (Arc::default(), Some(large))
                    }
                }
            }
            Some(Role::Processed(links)) => {
                (Arc::new(self.done_with(made, links, now).await?), None)
            }
            Some(Role::In | Role::InDossier(_) | Role::Rejected) | None => (Arc::default(), None),
        };
        Ok(Items {
            folders,
            attributes,
            files,
            large,
            uploads,
        })
    }

    /// Returns the files of all links of an inbox folder, by name; none where they are too many to remember.
    async fn inbox(
        &self,
        made: &Made,
        links: &[(LinkId, Flow)],
        folder_key: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<Listed>>, Error> {
        let (firm, device) = (self.who.firm, self.who.device);
        let mut all = Vec::new();
        for &of in links {
            let since = self.since(made, of.0, now);
            let (catalog, folder) = (&self.tree.catalog, (folder_key, REMEMBERED_MAX));
            let files = catalog.inbox(firm, device, of, folder, since).await?;
            let Some(files) = files else { return Ok(None) };
            let is_first = all.is_empty();
            all.extend(files);
            if all.len() > REMEMBERED_MAX {
                return Ok(None);
            }
            if !is_first {
                all.sort_by_cached_key(|file: &Listed| fold(&file.name));
            }
        }
        Ok(Some(all))
    }

    /// Begins to read the files of all links of a large inbox folder, those of one after those of another.
    async fn large(
        &self,
        made: &Made,
        links: &[(LinkId, Flow)],
        folder_key: &str,
        now: Timestamp,
    ) -> Result<Large, Error> {
        let (firm, device) = (self.who.firm, self.who.device);
        let of = links.iter().map(|of| (*of, self.since(made, of.0, now)));
        let (catalog, of) = (&self.tree.catalog, of.collect());
        let mut rest = catalog.large_folder(firm, device, folder_key, of).await?;
        let first = rest.next().await?;
        Ok(Large { first, rest })
    }

    /// Returns the files of all links of a processed folder, those of one after those of another.
    async fn done_with(
        &self,
        made: &Made,
        links: &[(LinkId, Flow)],
        now: Timestamp,
    ) -> Result<Vec<Listed>, Error> {
        let (catalog, firm, device) = (&self.tree.catalog, self.who.firm, self.who.device);
        let mut all = Vec::new();
        for &of in links {
            let since = self.since(made, of.0, now);
            all.append(&mut catalog.done_with(firm, device, of, since).await?);
        }
        Ok(all)
    }

    /// Says whether `folder` is where a file is moved that is done with.
    ///
    /// # Errors
    ///
    /// When no such folder is there, or a store does not answer.
    pub async fn is_processed_folder_of(
        &mut self,
        file: &File,
        folder: &VirtualPath,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let Some(Role::Processed(links)) = self.role(folder, now).await? else {
            return Ok(false);
        };
        let (catalog, firm) = (&self.tree.catalog, self.who.firm);
        let delivery = catalog.delivery(firm, file.listed.delivery).await?;
        let own = delivery.link.zip(delivery.flow);
        Ok(own.is_some_and(|own| links.contains(&own)))
    }

    /// Returns what the folder at `path` is for.
    ///
    /// # Errors
    ///
    /// When no folder is there, or a store does not answer.
    pub async fn role(
        &mut self,
        path: &VirtualPath,
        now: Timestamp,
    ) -> Result<Option<Role>, Error> {
        self.refresh(now, Lag::Some).await?;
        let role = self.made()?.folders.role(path).ok_or(Error::Missing)?;
        Ok(role.cloned())
    }

    /// Opens the content of a file; it stays what it is, whatever becomes of the delivery.
    pub fn content(&self, file: &File) -> Content {
        Content::new(&self.tree.blobs, file.listed.digest, file.listed.bytes)
    }

    /// Makes the folders anew when the firm's setup or the day has changed.
    async fn refresh(&mut self, now: Timestamp, lag: Lag) -> Result<(), Error> {
        let (who, catalog) = (&self.who, &self.tree.catalog);
        let at = match lag {
            Lag::Some => catalog.moment().await?,
            Lag::None => catalog.moment_now().await?,
        };
        let today = self.tree.places.today(now);
        let same_day = self.made.as_mut().filter(|made| made.today == today);
        if same_day.as_ref().is_some_and(|made| made.at == at) {
            return Ok(());
        }
        let setup = catalog.setup_of(who.firm, who.device).await?;
        let setup = setup.ok_or(Error::DeviceGone)?;
        self.keep_in_view.get_or_insert(setup.keep_in_view);
        match same_day.filter(|made| made.setup == setup) {
            Some(made) => made.at = at,
            None => self.made = Some(self.tree.make(who, at, setup, today).await?),
        }
        Ok(())
    }

    pub(super) fn made(&self) -> Result<&Made, Error> {
        self.made.as_ref().ok_or(Error::Missing)
    }

    /// Since when what was collected still shows in a folder of this link: until the session ends, for
    /// a time, or until it is removed, as the profile says; on a mount until it is processed.
    fn since(&self, made: &Made, link: LinkId, now: Timestamp) -> Since {
        let (started, now) = (self.who.since, self.who.time(now));
        let after = match made.links.iter().find(|one| one.id == link) {
            // Without its profile a link's files still have their names.
            Some(link) => self
                .tree
                .places
                .profile(link)
                .map_or(AfterCollected::SessionEnd, Profile::after_collected),
            None => AfterCollected::SessionEnd,
        };
        // By the session's start, like the rest: nothing leaves while it lasts.
        let keep = self.keep_in_view.unwrap_or(Keep::FOREVER);
        let done = match keep.over(started) {
            Some(over) => over.plus_ms(1),
            None => Timestamp(i64::MIN),
        };
        let (since, until) = collected_within(self.who.kind, after, started, now);
        Since {
            collected: since.max(done),
            collected_until: until,
            copied: started,
            copied_until: now.plus_ms(MEANWHILE_MS),
            done,
        }
    }
}

impl File {
    /// Returns what a stat of it says.
    pub fn attributes(&self) -> Attributes {
        Attributes::of(&self.listed)
    }
}

/// How much later than the time at which a session asks what it finds may have been marked, in milliseconds: a minute.
/// A question waits for its turn, and is then answered; what another connection of the device marks meanwhile shows.
const MEANWHILE_MS: i64 = 2 * QUESTION_WAITS_MS_MAX as i64;

/// Since when, and until when, what still shows was collected.
fn collected_within(
    kind: DeviceKind,
    after: AfterCollected,
    started: Timestamp,
    now: Timestamp,
) -> (Timestamp, Timestamp) {
    match (kind, after) {
        (DeviceKind::Mount, _) | (_, AfterCollected::Removal) => {
            (Timestamp(0), Timestamp(i64::MAX))
        }
        (_, AfterCollected::SessionEnd) => (started, now.plus_ms(MEANWHILE_MS)),
        (_, AfterCollected::After(time)) => {
            let ago = now.plus_ms(-i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
            (ago.min(started), now.plus_ms(MEANWHILE_MS))
        }
    }
}

impl Attributes {
    /// Returns what a stat of a file says.
    pub fn of(listed: &Listed) -> Self {
        Self {
            is_folder: false,
            bytes: listed.bytes,
            at: listed.offered_at,
        }
    }
}

impl From<&Shown> for Attributes {
    fn from(shown: &Shown) -> Self {
        Self {
            is_folder: false,
            bytes: shown.bytes,
            at: shown.offered_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_collected_shows_until_the_session_ends_or_as_the_profile_says() {
        let (started, now) = (Timestamp(1_000_000), Timestamp(2_000_000));
        let soon = now.plus_ms(MEANWHILE_MS); // what is marked while this session asks
        let ever = (Timestamp(0), Timestamp(i64::MAX));
        let within = |kind, after| collected_within(kind, after, started, now);
        let after = |seconds| AfterCollected::After(Duration::from_secs(seconds));

        for (kind, after, shown) in [
            (
                DeviceKind::Pull,
                AfterCollected::SessionEnd,
                (started, soon),
            ),
            (DeviceKind::Pull, AfterCollected::Removal, ever),
            (DeviceKind::Pull, after(1500), (Timestamp(500_000), soon)),
            (DeviceKind::Pull, after(1), (started, soon)),
            (DeviceKind::Mount, AfterCollected::SessionEnd, ever),
        ] {
            assert_eq!(within(kind, after), shown);
        }
    }
}
