//! Which folders does a device have?

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Flow, LinkId, VirtualPath};

/// What a folder is for, where it is not just on the way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Offered deliveries of links and flows, each once. They are several where a device has what a link gave it before
    /// that went elsewhere, and a later one has the same folder.
    Inbox(Arc<[(LinkId, Flow)]>),
    /// What was done with, of links and flows, each once. They are several where a link was removed and added anew.
    Processed(Arc<[(LinkId, Flow)]>),
    /// Where the device puts documents: see `upload`.
    In,
    /// Where it puts those of the dossier with the code of this folder.
    InDossier(String),
    /// Where it finds what it put in and was not accepted.
    Rejected,
}

/// The folders of a device, found by key: case and the composition of accents do not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    by_key: BTreeMap<String, Folder>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Folder {
    path: VirtualPath,
    role: Option<Role>,
    /// Keys of the folders in it; their order is the order of listings.
    children: Vec<String>,
}

impl Role {
    /// Returns the inbox of a link and flow.
    pub fn inbox(link: LinkId, flow: Flow) -> Self {
        Self::Inbox(Arc::new([(link, flow)]))
    }

    /// Returns the processed folder of a link and flow.
    pub fn processed(link: LinkId, flow: Flow) -> Self {
        Self::Processed(Arc::new([(link, flow)]))
    }
}

impl Folders {
    /// Returns the root alone.
    pub fn new() -> Self {
        let root = Folder {
            path: VirtualPath::ROOT,
            role: None,
            children: Vec::new(),
        };
        Self {
            by_key: [(VirtualPath::ROOT.key(), root)].into(),
        }
    }

    /// Adds the inbox folder of a link that is in use no more, unless a link has it that is not `akin`; then also its
    /// processed folder, if it has one, and none that is not akin has that.
    pub(super) fn add_if_free(
        &mut self,
        (inbox, processed): (&str, Option<&str>),
        (link, flow): (LinkId, Flow),
        akin: impl Fn(LinkId) -> bool,
    ) {
        let Ok(path) = VirtualPath::parse(inbox) else {
            return;
        };
        let all_akin = |own: &[(LinkId, Flow)]| own.iter().all(|(one, _)| akin(*one));
        let is_free = match self.role(&path).flatten() {
            None => true,
            Some(Role::Inbox(own)) => all_akin(own),
            Some(_) => false,
        };
        if !is_free {
            return;
        }
        self.add(&path, Role::inbox(link, flow));
        let Some(Ok(processed)) = processed.map(VirtualPath::parse) else {
            return;
        };
        let role = match self.role(&processed).flatten() {
            Some(Role::Processed(own)) if all_akin(own) => Role::Processed(with(own, (link, flow))),
            _ => return self.add(&processed, Role::processed(link, flow)), // the first role of a path stays
        };
        if let Some(folder) = self.by_key.get_mut(&processed.key()) {
            folder.role = Some(role);
        }
    }

    /// Adds a folder and those above it. The first role of a path stays, but an inbox holds what waits of each link
    /// that was ever given this folder.
    pub fn add(&mut self, path: &VirtualPath, role: Role) {
        self.ensure(path);
        let Some(folder) = self.by_key.get_mut(&path.key()) else {
            return;
        };
        match (&mut folder.role, role) {
            (none @ None, role) => *none = Some(role),
            (Some(Role::Inbox(own)), Role::Inbox(more)) => {
                for one in &*more {
                    *own = with(own, *one);
                }
            }
            (Some(_), _) => {}
        }
    }

    /// Returns what the folder at `path` is for; none if there is no such folder.
    pub fn role(&self, path: &VirtualPath) -> Option<Option<&Role>> {
        self.by_key
            .get(&path.key())
            .map(|folder| folder.role.as_ref())
    }

    /// Returns the folder at `path` as it is written; none if there is no such folder.
    pub fn path(&self, path: &VirtualPath) -> Option<&VirtualPath> {
        self.by_key.get(&path.key()).map(|folder| &folder.path)
    }

    /// Returns the names of the folders in the folder at `path`.
    pub fn children(&self, path: &VirtualPath) -> impl Iterator<Item = &str> {
        let children = self
            .by_key
            .get(&path.key())
            .map_or(&[][..], |folder| &folder.children);
        children
            .iter()
            .filter_map(|key| self.by_key.get(key)?.path.name())
    }

    /// Returns the folder of this role, if there is one.
    pub fn of_role(&self, role: &Role) -> Option<&VirtualPath> {
        self.by_key
            .values()
            .find(|folder| folder.role.as_ref() == Some(role))
            .map(|folder| &folder.path)
    }

    fn ensure(&mut self, path: &VirtualPath) {
        let key = path.key();
        if self.by_key.contains_key(&key) {
            return;
        }
        let parent = path.parent();
        self.ensure(&parent);
        if let Some(folder) = self.by_key.get_mut(&parent.key()) {
            let at = folder.children.partition_point(|child| *child < key);
            folder.children.insert(at, key.clone());
        }
        self.by_key.insert(
            key,
            Folder {
                path: path.clone(),
                role: None,
                children: Vec::new(),
            },
        );
    }
}

/// Those and one more, each once.
fn with(own: &Arc<[(LinkId, Flow)]>, one: (LinkId, Flow)) -> Arc<[(LinkId, Flow)]> {
    if own.contains(&one) {
        return Arc::clone(own);
    }
    own.iter().copied().chain([one]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> VirtualPath {
        VirtualPath::parse(text).unwrap()
    }

    #[test]
    fn folders_above_come_with_a_folder_and_case_does_not_matter() {
        let mut folders = Folders::new();
        let purchases = Role::inbox(LinkId(1), Flow::Purchase);
        folders.add(
            &path("/expertm/ACME/Te Verwerken/Aankopen"),
            purchases.clone(),
        );
        folders.add(
            &path("/expertm/ACME/Te Verwerken/Verkopen"),
            Role::inbox(LinkId(1), Flow::Sale),
        );
        folders.add(&path("/EXPERTM/beta/x"), Role::inbox(LinkId(2), Flow::Sale));

        assert_eq!(
            folders.children(&VirtualPath::ROOT).collect::<Vec<_>>(),
            ["expertm"]
        );
        assert_eq!(
            folders.children(&path("/Expertm")).collect::<Vec<_>>(),
            ["ACME", "beta"]
        );
        assert_eq!(
            folders.role(&path("/expertm/acme/TE VERWERKEN/aankopen")),
            Some(Some(&purchases))
        );
        assert_eq!(folders.role(&path("/expertm/acme")), Some(None));
        assert_eq!(folders.role(&path("/expertm/nobody")), None);
        assert_eq!(
            folders.of_role(&purchases),
            Some(&path("/expertm/ACME/Te Verwerken/Aankopen"))
        );
    }

    #[test]
    fn an_inbox_is_of_each_link_once_and_any_other_folder_of_the_first() {
        let mut folders = Folders::new();
        let (old, new) = ((LinkId(1), Flow::Sale), (LinkId(2), Flow::Sale));
        let inbox = path("/a/inbox");
        for (link, flow) in [new, old, new] {
            folders.add(&inbox, Role::inbox(link, flow));
        }
        let done = path("/a/done");
        folders.add(&done, Role::processed(new.0, new.1));
        folders.add(&done, Role::processed(old.0, old.1));
        folders.add(&done, Role::inbox(old.0, old.1));
        folders.add(&inbox, Role::Rejected);

        let both = Role::Inbox([new, old].into());
        assert_eq!(folders.role(&inbox), Some(Some(&both)));
        let first = Role::processed(new.0, new.1);
        assert_eq!(folders.role(&done), Some(Some(&first)));
    }
    #[test]
    fn a_processed_folder_is_of_all_links_that_are_akin_and_of_no_other() {
        let mut folders = Folders::new();
        let link = |id| (LinkId(id), Flow::Sale);
        folders.add(&path("/a/in"), Role::inbox(LinkId(3), Flow::Sale));
        folders.add(&path("/a/done"), Role::processed(LinkId(3), Flow::Sale));
        let mut add = |id, akin: &[i64]| {
            let akin = |other: LinkId| akin.contains(&other.0);
            folders.add_if_free(("/a/in", Some("/a/done")), link(id), akin);
        };

        add(2, &[2, 3]);
        add(2, &[2, 3]);
        add(1, &[1]);

        let both: Arc<[_]> = [link(3), link(2)].into();
        let role = folders.role(&path("/a/in"));
        assert_eq!(role, Some(Some(&Role::Inbox(Arc::clone(&both)))));
        let role = folders.role(&path("/a/done"));
        assert_eq!(role, Some(Some(&Role::Processed(both))));
    }
}
