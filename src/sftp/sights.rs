//! What does a session see of what was put into `/in`?
//!
//! Its own files as far as they are written, and what its device left there or saw taken. Nobody else's.

use super::serve::{Session, Stop};
use super::status::Refusal;
use super::uploading::{Writing, is_in};
use crate::model::VirtualPath;
use crate::tree::{Attributes, Item};
use crate::upload::Sight;

impl Session {
    /// What this session sees at `path` in a folder of uploads: its own file, else what its device put down.
    pub(super) fn sight(&self, path: &VirtualPath) -> Option<Sight> {
        let now = self.parts.clock.read();
        let own = self.writing.get(&path.key()).map(Writing::sight);
        own.or_else(|| self.parts.shelf.look(self.who.device, path, now))
    }

    /// What a stat of an upload says; none where there is no such file, or no such folder.
    pub(super) async fn upload_at(
        &mut self,
        path: &VirtualPath,
    ) -> Result<Option<Attributes>, Stop> {
        if !self.is_upload(path).await? {
            return Ok(None);
        }
        Ok(self.sight(path).as_ref().map(attributes))
    }

    pub(super) fn upload_of(&self, key: &str) -> Option<Attributes> {
        Some(attributes(&self.writing.get(key)?.sight()))
    }

    /// The files that a listing of `folder` shows beside what the tree knows.
    pub(super) fn uploads_in(&self, folder: &VirtualPath) -> Vec<Item> {
        if !is_in(folder) {
            return Vec::new();
        }
        let (key, now) = (folder.key(), self.parts.clock.read());
        let on_shelf = self.parts.shelf.list(self.who.device, folder, now);
        let others = on_shelf
            .into_iter()
            .filter(|sight| !self.writing.contains_key(&sight.path.key()));
        let own = self.writing.values().map(Writing::sight);
        let own = own.filter(|sight| sight.path.parent().key() == key);
        let mut sights: Vec<_> = others.chain(own).collect();
        sights.sort_by_cached_key(|sight| sight.path.key());
        sights.iter().filter_map(item).collect()
    }
}

/// What shows is no beginning of another document, and what is appended to it would be taken for a whole one.
pub(super) fn taken_already() -> Refusal {
    Refusal::failed("the file of that name was taken in already; put yours anew")
}

/// What is here is not what whoever goes on has counted from, so what he writes would follow on something else.
pub(super) fn another_beginning() -> Refusal {
    Refusal::failed("what is here of this file is not what you go on from; put it anew")
}

fn attributes(sight: &Sight) -> Attributes {
    Attributes {
        is_folder: false,
        bytes: sight.bytes,
        at: sight.at,
    }
}

fn item(sight: &Sight) -> Option<Item> {
    Some(Item {
        name: sight.path.name()?.to_owned(),
        attributes: attributes(sight),
    })
}
