//! What do the devices do, over real SFTP, and do they see what the reference says?

use std::collections::BTreeMap;

use super::command::{Act, Name, Pick};
use super::facts::{Device, Session};
use super::seen::{End, File, Role};
use super::world::{World, picked, same};
use crate::peer::Peer;

/// The connections of the sessions, in the order of the reference's.
#[derive(Default)]
pub struct Peers(Vec<Connected>);

struct Connected {
    peer: Peer,
    handles: Vec<String>,
    row: i64,
}

/// How many sessions there may be at a time.
const SESSIONS_MAX: usize = 5;

impl World {
    pub async fn connect(&mut self, office: usize, device: Device) -> Result<(), String> {
        if self.peers.0.len() == SESSIONS_MAX {
            self.leave(0).await;
        }
        let peer = self.gateway.connect(self.login(office, device)).await;
        self.connections += 1;
        let (handles, row) = (Vec::new(), self.connections);
        self.peers.0.push(Connected { peer, handles, row });
        let (since, handles) = (self.model.now, Vec::new());
        self.model.sessions.push(Session {
            office,
            device,
            since,
            handles,
        });
        self.walk(self.peers.0.len() - 1).await
    }

    pub async fn act(&mut self, pick: Pick, act: &Act) -> Result<(), String> {
        let Some(at) = picked(pick, self.peers.0.len()) else {
            return Ok(());
        };
        match act {
            Act::Leave => self.leave(at).await,
            Act::Cut => self.cut(at).await,
            Act::Read(pick, from, to) => {
                let open = self.peers.0[at].handles.len();
                if let Some(handle) = picked(*pick, open) {
                    self.read(at, handle, (*from, *to)).await?;
                }
            }
            Act::Close(pick) => {
                let open = self.peers.0[at].handles.len();
                if let Some(handle) = picked(*pick, open) {
                    self.close(at, handle).await?;
                }
            }
            Act::Open(pick)
            | Act::Get(pick)
            | Act::Remove(pick)
            | Act::Rename(pick, _)
            | Act::Copy(pick, _) => {
                let files = self.model.files(&self.model.sessions[at]);
                if let Some(file) = picked(*pick, files.len()) {
                    self.act_on(at, &files[file], act).await?;
                }
            }
        }
        // Who is gone sees nothing.
        if matches!(act, Act::Leave | Act::Cut) {
            Ok(())
        } else {
            self.look(at).await
        }
    }

    async fn act_on(&mut self, at: usize, file: &File, act: &Act) -> Result<(), String> {
        let peer = &self.peers.0[at].peer;
        match act {
            Act::Open(_) => self.open(at, file).await?,
            Act::Get(_) => {
                let open = self.peers.0[at].handles.len();
                self.open(at, file).await?;
                if self.peers.0[at].handles.len() > open {
                    self.read(at, open, (0, 4)).await?;
                    self.close(at, open).await?;
                }
            }
            Act::Remove(_) => {
                let done = peer.remove(&file.path()).await;
                let expected = self.model.remove(at, file);
                same(
                    &format!("removed {}, {done:?}", file.path()),
                    &done.is_ok(),
                    &expected,
                )?;
            }
            Act::Rename(_, name) => {
                let (name, to) = self.target(at, file, *name);
                let done = peer.rename(&file.path(), &to).await;
                let expected = self.model.rename(at, file, &name);
                same(
                    &format!("renamed {} to {to}, {done:?}", file.path()),
                    &done.is_ok(),
                    &expected,
                )?;
            }
            Act::Copy(_, name) => {
                let (name, to) = self.target(at, file, *name);
                let document = self.model.deliveries[file.delivery].document;
                let bytes = self.model.documents[document].slip.bytes();
                let done = peer.put(&to, &bytes).await;
                let expected = self.model.copy(at, file, &name);
                same(
                    &format!("copied {} to {to}, {done:?}", file.path()),
                    &done.is_ok(),
                    &expected,
                )?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A name in the folder of what was done with, and its path.
    fn target(&self, at: usize, file: &File, name: Name) -> (String, String) {
        let name = match name {
            Name::Own => self.model.deliveries[file.delivery].name().to_owned(),
            Name::Other(nth) => format!("geboekt-{nth}.xml"),
            Name::Of(pick) => {
                let files = self.model.files(&self.model.sessions[at]);
                let other =
                    picked(pick, files.len()).map_or(file.delivery, |at| files[at].delivery);
                self.model.deliveries[other].name().to_owned()
            }
        };
        let (Role::Inbox(link, flow) | Role::Done(link, flow)) = file.role;
        let folder = super::facts::done(self.model.links[link].code, flow);
        let path = format!("{folder}/{name}");
        (name, path)
    }

    /// One handle on a document in a session: of two that end with it, nobody says which is first.
    async fn open(&mut self, at: usize, file: &File) -> Result<(), String> {
        let open = &self.model.sessions[at].handles;
        if open.iter().any(|handle| handle.delivery == file.delivery) {
            return Ok(());
        }
        let connected = &mut self.peers.0[at];
        let opened = connected.peer.open(&file.path()).await;
        let handle = opened.map_err(|code| format!("could not open {}: {code:?}", file.path()))?;
        connected.handles.push(handle);
        self.model.open(at, file);
        Ok(())
    }

    async fn read(&mut self, at: usize, handle: usize, (from, to): (u8, u8)) -> Result<(), String> {
        let delivery = self.model.sessions[at].handles[handle].delivery;
        let document = self.model.deliveries[delivery].document;
        let bytes = self.model.documents[document].slip.bytes();
        let quarter = |nth: u8| bytes.len() * usize::from(nth) / 4;
        let (begin, end) = (quarter(from), quarter(to));
        let connected = &self.peers.0[at];
        let given = connected
            .peer
            .read(&connected.handles[handle], begin as u64, end as u64)
            .await;
        self.model.read(at, handle, from, to);
        same("bytes", &given, &Ok(bytes[begin..end].to_vec()))
    }

    async fn close(&mut self, at: usize, handle: usize) -> Result<(), String> {
        let connected = &mut self.peers.0[at];
        let id = connected.handles.remove(handle);
        let closed = connected.peer.close(&id).await;
        self.model.end(at, handle, End::Closed);
        same("closed", &closed, &Ok(()))
    }

    async fn leave(&mut self, at: usize) {
        let gone = self.peers.0.remove(at);
        gone.peer.leave().await;
        self.until_ended(self.model.sessions[at].office, gone.row)
            .await;
        self.model.end_session(at, End::Closed);
    }

    async fn cut(&mut self, at: usize) {
        let gone = self.peers.0.remove(at);
        gone.peer.hang_up();
        self.until_ended(self.model.sessions[at].office, gone.row)
            .await;
        self.model.end_session(at, End::Broken);
    }

    /// Whoever has a file open is waited for, so those go first.
    pub async fn restart(&mut self) {
        while let Some(at) = self.peers.0.iter().position(|one| !one.handles.is_empty()) {
            self.cut(at).await;
        }
        self.gateway.restart().await;
        self.forget_sessions();
    }

    pub async fn kill(&mut self) {
        let old = std::mem::take(&mut self.peers.0);
        let hang_up = || old.into_iter().for_each(|one| one.peer.hang_up());
        self.gateway.kill(hang_up).await;
        self.forget_sessions();
    }

    fn forget_sessions(&mut self) {
        self.peers.0.clear();
        self.model.sessions.clear();
    }

    /// Every folder that the reference knows, as this session lists it.
    async fn look(&self, at: usize) -> Result<(), String> {
        let expected = self.expected(at);
        for (folder, names) in &expected {
            let mut found = self.peers.0[at].peer.list(folder).await.unwrap_or_default();
            found.sort();
            self.no_name_twice(folder, &found)?;
            same(
                &format!("{:?} lists {folder}", self.model.sessions[at]),
                &found,
                names,
            )?;
        }
        Ok(())
    }

    fn no_name_twice(&self, folder: &str, names: &[String]) -> Result<(), String> {
        match names.windows(2).find(|two| two[0] == two[1]) {
            Some(two) => Err(format!("{folder} shows `{}` twice", two[0])),
            None => Ok(()),
        }
    }

    fn expected(&self, at: usize) -> BTreeMap<String, Vec<String>> {
        let session = &self.model.sessions[at];
        let mut expected: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for folder in self.model.folders(session).into_keys() {
            expected.insert(folder, Vec::new());
        }
        for file in self.model.files(session) {
            expected.entry(file.folder).or_default().push(file.name);
        }
        expected.values_mut().for_each(|names| names.sort());
        expected
    }

    /// The whole tree of this session, whatever is in it.
    async fn walk(&self, at: usize) -> Result<(), String> {
        let peer = &self.peers.0[at].peer;
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut ahead = vec![String::new()];
        while let Some(folder) = ahead.pop() {
            let path = if folder.is_empty() { "/" } else { &folder };
            let names = peer
                .list(path)
                .await
                .map_err(|code| format!("could not list {path}: {code:?}"))?;
            for name in names {
                let path = format!("{folder}/{name}");
                if name.ends_with(".xml") {
                    found.entry(folder.clone()).or_default().push(name);
                } else {
                    if path.matches('/').count() == 4 {
                        found.insert(path.clone(), Vec::new());
                    }
                    ahead.push(path);
                }
            }
        }
        found.values_mut().for_each(|names| names.sort());
        for (folder, names) in &found {
            self.no_name_twice(folder, names)?;
        }
        same(
            &format!("the tree of {:?}", self.model.sessions[at]),
            &found,
            &self.expected(at),
        )
    }

    /// What every session sees in the end, and that every byte is there.
    pub async fn end(&mut self) -> Result<(), String> {
        for at in 0..self.peers.0.len() {
            self.walk(at).await?;
        }
        let house = &self.gateway.house;
        for (digest, bytes) in house.catalog.named_blobs().await.unwrap() {
            let stored = house.blobs.stored(digest, bytes).await.unwrap();
            same(&format!("{digest} is stored"), &stored.is_some(), &true)?;
        }
        while !self.peers.0.is_empty() {
            self.leave(0).await;
        }
        Ok(())
    }
}
