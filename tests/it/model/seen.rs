//! What does a session see, and what becomes of a delivery by what it does, in the reference?

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sluis::model::{Flow, State};

use super::books::Model;
use super::facts::{Broken, Delivery, Device, Handle, Quarters, Session, done, inbox};

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Inbox(usize, Flow),
    Done(usize, Flow),
}

/// A file that a session sees.
#[derive(Debug, Clone)]
pub struct File {
    pub folder: String,
    pub name: String,
    pub delivery: usize,
    pub role: Role,
}

impl File {
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder, self.name)
    }
}

/// How a handle ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Closed,
    Broken,
}

impl Model {
    /// The folders in which a session finds files: those of its device's links, and of what it was ever offered. A
    /// folder where documents wait is that of every link in use which was ever given it, and of those that were removed
    /// while they were of the same dossier; where none is in use, of the dossier whose link was removed last.
    pub fn folders(&self, session: &Session) -> BTreeMap<String, Vec<Role>> {
        let mut folders: BTreeMap<String, Vec<Role>> = BTreeMap::new();
        let mut add = |folder: String, role: Role| {
            let roles = folders.entry(folder).or_default();
            if !roles.contains(&role) {
                roles.push(role);
            }
        };
        for (at, link) in self.links.iter().enumerate() {
            let is_mine = self.device_of(at) == Some(session.device);
            if link.office != session.office || link.is_removed || !is_mine {
                continue;
            }
            for flow in [Flow::Purchase, Flow::Sale] {
                add(inbox(link.code, flow), Role::Inbox(at, flow));
                add(done(link.code, flow), Role::Done(at, flow));
            }
        }
        let mine = self
            .deliveries
            .iter()
            .filter(|one| is_at(one, session) && one.is_current);
        let placed = mine.filter_map(|one| Some((one.place.clone()?.0, one.link?, one.flow?)));
        let (mut of_removed, in_use): (Vec<_>, Vec<_>) =
            placed.partition(|(_, link, _)| self.links[*link].is_removed);
        for (folder, link, flow) in in_use {
            add(folder, Role::Inbox(link, flow));
            add(done(self.links[link].code, flow), Role::Done(link, flow));
        }
        of_removed.sort_by_key(|(_, link, _)| Reverse(*link));
        let dossier = |link: usize| self.links[link].dossier;
        for (folder, link, flow) in of_removed {
            let roles = folders.entry(folder).or_default();
            let role = Role::Inbox(link, flow);
            let is_free = roles
                .iter()
                .all(|one| matches!(one, Role::Inbox(own, _) if dossier(*own) == dossier(link)));
            if is_free && !roles.contains(&role) {
                roles.push(role);
            }
            let done = done(self.links[link].code, flow);
            let roles = folders.entry(done).or_default();
            let role = Role::Done(link, flow);
            let is_free = is_free
                && roles
                    .iter()
                    .all(|one| matches!(one, Role::Done(own, _) if dossier(*own) == dossier(link)));
            if is_free && !roles.contains(&role) {
                roles.push(role);
            }
        }
        folders
    }

    /// Every file that a session sees, by folder and name.
    pub fn files(&self, session: &Session) -> Vec<File> {
        let mut files = Vec::new();
        let folders = self.folders(session).into_iter();
        let roles = folders
            .flat_map(|(folder, roles)| roles.into_iter().map(move |role| (folder.clone(), role)));
        for (folder, role) in roles {
            let (Role::Inbox(link, flow) | Role::Done(link, flow)) = role;
            let of_it = |one: &Delivery| {
                one.is_current
                    && is_at(one, session)
                    && (one.link, one.flow) == (Some(link), Some(flow))
            };
            for (delivery, one) in self
                .deliveries
                .iter()
                .enumerate()
                .filter(|(_, one)| of_it(one))
            {
                let name = match role {
                    Role::Inbox(..) if waits_in(one, &folder, session) => one.name(),
                    Role::Done(..) if is_done(one, session) => one.done_name(),
                    _ => continue,
                };
                let (folder, name) = (folder.clone(), name.to_owned());
                files.push(File {
                    folder,
                    name,
                    delivery,
                    role,
                });
            }
        }
        files.sort_by_key(File::path);
        files
    }

    /// Opens a file, and says which handle of the session that is.
    pub fn open(&mut self, session: usize, file: &File) {
        let one = &self.deliveries[file.delivery];
        let is_inbox = matches!(file.role, Role::Inbox(..));
        let is_preview = self.sessions[session].device == Device::Mount && one.read.is_some();
        let handle = Handle {
            delivery: file.delivery,
            is_inbox,
            counts: is_inbox && one.state == State::Offered && !is_preview,
            opened: self.now,
            starts_at: None,
            got: Quarters::new(),
            beside: false,
        };
        self.sessions[session].handles.push(handle);
        if is_inbox && self.open_handles(file.delivery).count() > 1 {
            let all = self.sessions.iter_mut().flat_map(|one| &mut one.handles);
            let of_it = all.filter(|handle| handle.is_inbox && handle.delivery == file.delivery);
            of_it.for_each(|handle| handle.beside = true);
        }
    }

    pub fn read(&mut self, session: usize, handle: usize, from: u8, to: u8) {
        let handle = &mut self.sessions[session].handles[handle];
        handle.starts_at.get_or_insert(from);
        handle.got.extend(from..to);
    }

    /// Ends a handle: what it was given counts, as far as it is believed.
    pub fn end(&mut self, session: usize, handle: usize, how: End) {
        let device = self.sessions[session].device;
        let handle = self.sessions[session].handles.remove(handle);
        let now = self.now;
        let one = &mut self.deliveries[handle.delivery];
        if !handle.counts || handle.got.is_empty() || one.state != State::Offered {
            return;
        }
        match how {
            End::Broken => one.progress.broken.push(Broken {
                opened: handle.opened,
                ended: now,
                starts_at: handle.starts_at.unwrap_or(0),
                got: handle.got,
                beside: handle.beside,
            }),
            End::Closed => believe(one, handle),
        }
        let is_whole = how == End::Closed && one.progress.believed.len() == 4;
        if is_whole {
            one.read.get_or_insert(now);
            if device != Device::Mount {
                one.state = State::Collected;
                one.collected = Some(now);
            }
        }
    }

    /// The handles in all sessions whose reading of a delivery can count.
    pub fn open_handles(&self, delivery: usize) -> impl Iterator<Item = &Handle> {
        let all = self.sessions.iter().flat_map(|session| &session.handles);
        all.filter(move |handle| handle.is_inbox && handle.delivery == delivery)
    }

    /// Ends a session, and every handle with it.
    pub fn end_session(&mut self, session: usize, how: End) {
        while !self.sessions[session].handles.is_empty() {
            self.end(session, 0, how);
        }
        self.sessions.remove(session);
    }

    /// REMOVE.
    pub fn remove(&mut self, session: usize, file: &File) -> bool {
        match file.role {
            Role::Inbox(..) => self.act(session, file.delivery, None),
            Role::Done(..) => false,
        }
    }

    /// RENAME to a name in the folder of what was done with.
    pub fn rename(&mut self, session: usize, file: &File, name: &str) -> bool {
        let (Role::Inbox(link, flow) | Role::Done(link, flow)) = file.role;
        let Some(there) = self.done_folder(session, link, flow) else {
            return false;
        };
        let files = self.files(&self.sessions[session]);
        let is_taken =
            |other: &&File| (other.folder.as_str(), other.name.as_str()) == (&there, name);
        if files
            .iter()
            .find(is_taken)
            .is_some_and(|other| other.delivery != file.delivery)
        {
            return false;
        }
        if self.has_name(file.delivery, name).is_some() {
            return false;
        }
        match file.role {
            Role::Inbox(..) => self.act(session, file.delivery, Some(name)),
            Role::Done(..) => {
                self.deliveries[file.delivery].moved_name = Some(name.to_owned());
                true
            }
        }
    }

    /// The folder of what was done with of a link and flow, if the session has it.
    pub fn done_folder(&self, session: usize, link: usize, flow: Flow) -> Option<String> {
        let folder = done(self.links[link].code, flow);
        let folders = self.folders(&self.sessions[session]);
        let roles = folders.get(&folder)?;
        roles.contains(&Role::Done(link, flow)).then_some(folder)
    }

    /// The bytes of a document are put into the folder of what was done with.
    pub fn copy(&mut self, session: usize, file: &File, name: &str) -> bool {
        let (Role::Inbox(link, flow) | Role::Done(link, flow)) = file.role;
        let Some(there) = self.done_folder(session, link, flow) else {
            return false;
        };
        let document = self.deliveries[file.delivery].document;
        let who = self.sessions[session].clone();
        let files = self.files(&who);
        let is_taken =
            |other: &&File| (other.folder.as_str(), other.name.as_str()) == (&there, name);
        let taken = files.iter().find(is_taken);
        if taken.is_some_and(|other| self.deliveries[other.delivery].document != document) {
            return false;
        }
        let order = |state| {
            [State::Collected, State::Offered, State::Processed]
                .iter()
                .position(|one| *one == state)
        };
        let folders = self.folders(&who);
        let mut copies: Vec<_> = (0..self.deliveries.len())
            .filter(|&at| {
                let one = &self.deliveries[at];
                let is_of_it = |(link, flow)| folders[&there].contains(&Role::Done(link, flow));
                one.is_current
                    && one.document == document
                    && is_at(one, &who)
                    && one.link.zip(one.flow).is_some_and(is_of_it)
                    && order(one.state).is_some()
            })
            .collect();
        copies.sort_by_key(|&at| order(self.deliveries[at].state));
        let mut waiting = copies
            .iter()
            .filter(|&&at| self.deliveries[at].state != State::Processed);
        let first = waiting.clone().next();
        let so_called = waiting.find(|&&at| self.deliveries[at].name() == name);
        if let Some(&at) = so_called.or(first) {
            if let Some(other) = self.has_name(at, name) {
                return self.deliveries[other].document == document;
            }
            self.processed(at, Some(name));
            self.deliveries[at].is_copied = true;
        }
        !copies.is_empty()
    }

    /// Another delivery of the same folder that is called so, or will be.
    fn has_name(&self, delivery: usize, name: &str) -> Option<usize> {
        let mine = &self.deliveries[delivery];
        (0..self.deliveries.len()).find(|&at| {
            let one = &self.deliveries[at];
            let is_called = one.name() == name || one.moved_name.as_deref() == Some(name);
            let links = one.link.zip(mine.link);
            let share = |one, other| {
                let in_use = self.is_in_use(Some(one)) && self.is_in_use(Some(other));
                one == other || (self.are_akin(one, other) && !in_use)
            };
            let is_akin = links.is_some_and(|(one, other)| share(one, other));
            at != delivery && one.is_current && one.flow == mine.flow && is_akin && is_called
        })
    }

    /// The importer has done with a file: a mount is believed, another must have fetched it.
    fn act(&mut self, session: usize, at: usize, name: Option<&str>) -> bool {
        let one = &mut self.deliveries[at];
        if one.is_copied {
            one.is_copied = false;
            one.moved_name = name
                .map(ToOwned::to_owned)
                .or_else(|| one.moved_name.take());
            return true;
        }
        let mut got = one.progress.believed.clone();
        let own = self.sessions[session]
            .handles
            .iter()
            .filter(|handle| handle.is_inbox && handle.delivery == at);
        own.for_each(|handle| got.extend(&handle.got));
        let is_fetched = self.sessions[session].device == Device::Mount
            || one.state == State::Collected
            || got.len() == 4;
        if is_fetched {
            self.processed(at, name);
        }
        is_fetched
    }

    fn processed(&mut self, at: usize, name: Option<&str>) {
        let now = self.now;
        let one = &mut self.deliveries[at];
        one.state = State::Processed;
        one.processed = Some(now);
        one.collected.get_or_insert(now);
        one.moved_name = name.map(ToOwned::to_owned);
    }
}

/// Who goes on where a broken one stopped has what that one was given until there.
fn believe(one: &mut Delivery, handle: Handle) {
    let progress = &mut one.progress;
    progress.believed.extend(&handle.got);
    let mut resumed: Vec<_> = handle
        .starts_at
        .filter(|_| !handle.beside)
        .map(|at| (at, handle.opened))
        .into_iter()
        .collect();
    for nth in (0..progress.broken.len()).rev() {
        let broken = &progress.broken[nth];
        let goes_on = |&&(at, opened): &&(u8, i64)| {
            opened > broken.ended && at > 0 && broken.got.contains(&(at - 1))
        };
        if let Some(until) = resumed.iter().filter(goes_on).map(|(at, _)| *at).max() {
            let broken = progress.broken.remove(nth);
            progress.believed.extend(broken.got.range(..until));
            if !broken.beside {
                resumed.push((broken.starts_at, broken.opened));
            }
        }
    }
}

fn is_at(one: &Delivery, session: &Session) -> bool {
    (one.office, one.device) == (session.office, Some(session.device))
}

/// A mount keeps what it read; from others it goes when the session ends in which it was collected.
fn still_shows(collected: Option<i64>, session: &Session) -> bool {
    session.device == Device::Mount || collected.is_some_and(|at| at >= session.since)
}

fn waits_in(one: &Delivery, folder: &str, session: &Session) -> bool {
    one.place.as_ref().is_some_and(|place| place.0 == folder)
        && match one.state {
            State::Offered => true,
            State::Collected => still_shows(one.collected, session),
            State::Processed => {
                one.is_copied && one.processed.is_some_and(|at| at >= session.since)
            }
            _ => false,
        }
}

fn is_done(one: &Delivery, session: &Session) -> bool {
    match one.state {
        State::Processed => true,
        State::Collected => !still_shows(one.collected, session),
        _ => false,
    }
}
