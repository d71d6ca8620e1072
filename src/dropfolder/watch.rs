//! In whose folder may there be something new?
//!
//! Events are hints: network file systems send none, queues overflow, and a folder made between
//! two events is not watched. So a hint only brings the next look forward, and nothing is lost
//! with it; what is in a folder is for the look to say.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::{info, warn};

use super::hold::LOCK;
use super::scan::stamp;
use super::settle::REJECTED;
use super::source::AWAY;
use crate::model::with_causes;

/// How many folders are named in a hint; past it, every folder is meant.
const HINTED_FOLDERS_MAX: usize = 1_024;

/// Which folders may hold something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hint {
    /// All of them.
    All,
    /// Those of these names.
    Folders(BTreeSet<OsString>),
}

/// Collects hints until somebody asks for them.
#[derive(Debug)]
pub(super) struct Hints {
    root: PathBuf,
    hint: Mutex<Hint>,
    wake: Notify,
}

impl Hints {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            hint: Mutex::new(Hint::none()),
            wake: Notify::new(),
        }
    }

    /// Returns when there may be a hint.
    pub(super) async fn wait(&self) {
        self.wake.notified().await;
    }

    /// Takes what was hinted at.
    pub(super) fn collect(&self) -> Hint {
        let mut hint = self.hint.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *hint, Hint::none())
    }

    /// Notes what the operating system told. It calls this on its own thread.
    fn note(&self, told: &notify::Result<Event>) {
        let news = match told {
            Ok(event) if event.need_rescan() => Hint::All,
            Ok(event) if is_news(event.kind) => self.folders(event),
            Ok(_) => return,
            Err(_) => Hint::All,
        };
        if news == Hint::none() {
            return;
        }
        self.hint
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(news);
        self.wake.notify_one();
    }

    fn folders(&self, event: &Event) -> Hint {
        // Of a rename it is the name that it leads to.
        let is_rename = matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)));
        let old = event.paths.len().saturating_sub(1);
        let paths = event.paths.iter().skip(if is_rename { old } else { 0 });
        Hint::Folders(paths.filter_map(|path| self.folder_of(path)).collect())
    }

    /// What lies in a rejected folder is no news, for it was put there by this door; nor is a door's lock, nor what
    /// is being removed.
    fn folder_of(&self, path: &Path) -> Option<OsString> {
        let mut names = path
            .strip_prefix(&self.root)
            .ok()?
            .components()
            .map(Component::as_os_str);
        let folder = names.next().filter(|name| *name != LOCK)?;
        let is_away = path
            .file_name()
            .is_some_and(|name| name.as_bytes().starts_with(AWAY.as_bytes()));
        (names.next() != Some(OsStr::new(REJECTED)) && !is_away).then(|| folder.to_owned())
    }
}

/// Looking at files and removing them is what this door does itself, and must not make it look again.
fn is_news(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => false,
        _ => true,
    }
}

impl Hint {
    fn none() -> Self {
        Self::Folders(BTreeSet::new())
    }

    fn add(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (Self::Folders(known), Self::Folders(more)) => {
                known.extend(more);
                if known.len() > HINTED_FOLDERS_MAX {
                    *self = Self::All;
                }
            }
        }
    }

    /// Tells whether a folder is named that is none of these.
    pub(super) fn names_another_than<'a>(&self, known: impl Iterator<Item = &'a str>) -> bool {
        let known: BTreeSet<&OsStr> = known.map(OsStr::new).collect();
        match self {
            Self::All => false,
            Self::Folders(folders) => folders
                .iter()
                .any(|folder| !known.contains(folder.as_os_str())),
        }
    }

    /// Tells whether the folder of this name is meant.
    pub(super) fn names(&self, folder: &str) -> bool {
        match self {
            Self::All => true,
            Self::Folders(folders) => folders.contains(OsStr::new(folder)),
        }
    }
}

/// The watch on the root of all drop folders, while there is one.
#[derive(Default)]
pub(super) struct Watching {
    /// Dropping it ends the watch.
    live: Option<(RecommendedWatcher, Root)>,
    /// One that has not begun yet, for a folder below the root does not answer.
    beginning: Option<(JoinHandle<Begun>, Root)>,
    warned: bool,
}

/// Which folder a root is: its device and inode.
type Root = (u64, u64);
type Begun = notify::Result<RecommendedWatcher>;

/// For how long the folders wait until all below the root have answered; then they are looked at more often meanwhile.
const BEGINS_MAX: Duration = Duration::from_secs(20);

impl Watching {
    /// Begins the watch where there is none, or where the root is another folder than it was (a remount).
    ///
    /// Returns whether it watches now. That it cannot is told once, until it could again.
    pub(super) async fn renew(&mut self, hints: &Arc<Hints>) -> bool {
        let Some(root) = identity(&hints.root).await else {
            self.live = None;
            return false;
        };
        if self
            .live
            .as_ref()
            .is_some_and(|(_, watched)| *watched == root)
        {
            return true;
        }
        self.live = None;
        match self.begun(hints, root).await {
            Some(Ok(watcher)) => {
                info!("Watching the drop folders in `{}`", hints.root.display());
                (self.live, self.warned) = (Some((watcher, root)), false);
            }
            Some(Err(failure)) => self.warn(&with_causes(&failure)),
            None => self.warn("a folder there does not answer"),
        }
        self.live.is_some()
    }

    /// Begins, or waits on for one that has begun to; none where it takes longer.
    async fn begun(&mut self, hints: &Arc<Hints>, root: Root) -> Option<Begun> {
        let (mut beginning, waits) = match self.beginning.take() {
            Some((beginning, of)) if of == root => (beginning, Duration::ZERO),
            _ => (begin(hints), BEGINS_MAX),
        };
        match timeout(waits, &mut beginning).await {
            Ok(begun) => {
                Some(begun.unwrap_or_else(|died| Err(notify::Error::generic(&died.to_string()))))
            }
            Err(_) => {
                self.beginning = Some((beginning, root));
                None
            }
        }
    }

    fn warn(&mut self, why: &str) {
        if !std::mem::replace(&mut self.warned, true) {
            warn!("Could not watch the drop folders, so they are looked at more often: {why}");
        }
    }
}

async fn identity(root: &Path) -> Option<Root> {
    let found = tokio::fs::metadata(root).await.ok()?;
    let stamp = stamp(&found);
    Some((stamp.device, stamp.inode))
}

/// Begins on a thread that may block: a recursive watch walks all folders.
fn begin(hints: &Arc<Hints>) -> JoinHandle<Begun> {
    let (noting, root) = (Arc::clone(hints), hints.root.clone());
    spawn_blocking(move || {
        let config = Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(move |told| noting.note(&told), config)?;
        watcher.watch(&root, RecursiveMode::Recursive)?;
        Ok(watcher)
    })
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, Flag, RemoveKind};

    use super::*;

    fn hint(kind: EventKind, path: &str) -> String {
        let hints = Hints::new(Path::new("/drop"));
        hints.note(&Ok(Event::new(kind).add_path(path.into())));
        match hints.collect() {
            Hint::All => "all".to_owned(),
            Hint::Folders(names) => names
                .into_iter()
                .map(|name| name.into_string().unwrap())
                .collect(),
        }
    }

    #[test]
    fn a_hint_names_the_firms_folder() {
        let made = EventKind::Create(CreateKind::File);

        assert_eq!(hint(made, "/drop/peeters/sub/F-1.xml"), "peeters");
        assert_eq!(
            hint(EventKind::Modify(ModifyKind::Any), "/drop/peeters/F-1.xml"),
            "peeters"
        );
        assert_eq!(hint(made, "/drop/peeters"), "peeters");
    }

    #[test]
    fn what_the_door_does_itself_is_no_news() {
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));

        assert_eq!(hint(opened, "/drop/peeters/F-1.xml"), "");
        assert_eq!(
            hint(EventKind::Remove(RemoveKind::File), "/drop/peeters/F-1.xml"),
            ""
        );
        assert_eq!(
            hint(
                EventKind::Create(CreateKind::File),
                "/drop/peeters/rejected/F-1.xml"
            ),
            ""
        );
        assert_eq!(hint(EventKind::Create(CreateKind::File), "/drop"), "");
        let renamed = |mode| EventKind::Modify(ModifyKind::Name(mode));
        let (from, to) = (renamed(RenameMode::From), renamed(RenameMode::To));
        assert_eq!(hint(from, "/drop/peeters/F-1.xml"), "");
        assert_eq!(hint(to, "/drop/peeters/.sluis-F-1.xml"), "");
        assert_eq!(hint(to, "/drop/peeters/F-1.xml"), "peeters");
        let hints = Hints::new(Path::new("/drop"));
        let both = |from: &str, to: &str| {
            let event = Event::new(renamed(RenameMode::Both));
            hints.note(&Ok(event.add_path(from.into()).add_path(to.into())));
            hints.collect()
        };
        let away = both("/drop/peeters/F-1.xml", "/drop/peeters/.sluis-F-1.xml");
        assert_eq!(away, Hint::none());
        let back = both("/drop/peeters/.sluis-F-1.xml", "/drop/peeters/F-1.xml");
        assert_ne!(back, Hint::none());
    }

    #[test]
    fn an_overflow_or_a_failure_means_every_folder() {
        let hints = Hints::new(Path::new("/drop"));

        hints.note(&Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert_eq!(hints.collect(), Hint::All);
        hints.note(&Err(notify::Error::generic("lost")));
        assert_eq!(hints.collect(), Hint::All);
        assert_eq!(hints.collect(), Hint::none());
    }

    #[test]
    fn one_folder_past_the_limit_means_every_folder() {
        let hints = Hints::new(Path::new("/drop"));
        let made =
            |n| Ok(Event::new(EventKind::Any).add_path(format!("/drop/firm-{n}/F.xml").into()));
        for n in 0..HINTED_FOLDERS_MAX {
            hints.note(&made(n));
        }
        assert!(matches!(&*hints.hint.lock().unwrap(), Hint::Folders(_)));

        hints.note(&made(HINTED_FOLDERS_MAX));

        assert_eq!(hints.collect(), Hint::All);
    }

    #[tokio::test]
    async fn a_dropped_file_wakes_the_door() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("peeters")).unwrap();
        let hints = Arc::new(Hints::new(root.path()));
        let mut watching = Watching::default();
        assert!(watching.renew(&hints).await);

        std::fs::write(root.path().join("peeters/F-1.xml"), "x").unwrap();

        hints.wait().await;
        assert!(hints.collect().names("peeters"));
    }

    #[tokio::test]
    async fn a_root_that_is_not_there_is_watched_when_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let hints = Arc::new(Hints::new(&parent.path().join("drop")));
        let mut watching = Watching::default();
        assert!(!watching.renew(&hints).await);

        std::fs::create_dir(parent.path().join("drop")).unwrap();

        assert!(watching.renew(&hints).await);
    }
}
