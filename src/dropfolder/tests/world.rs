//! What stands around the door in its tests: a folder, and somebody who takes what is in it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::tz::TimeZone;

use super::super::*;
use crate::ingest::Outcome;
use crate::model::{Declared, Digest, DocumentId, Language};
use crate::ubl::{Remark, RemarkCode};

#[derive(Debug, thiserror::Error)]
#[error("could not write down what arrived")]
pub(super) struct Down {
    source: std::io::Error,
}

/// Takes what is dropped as the real one does, and can be told to fail. A clone is the same.
#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<Inner>>);

#[derive(Default)]
pub(super) struct Inner {
    firms: Vec<Firm>,
    /// What is durable: the bytes, and whether they are quarantined.
    pub(super) kept: HashMap<Vec<u8>, bool>,
    /// `source outcome`, in order.
    taken: Vec<String>,
    pub(super) calls: usize,
    pub(super) largest_batch: usize,
    pub(super) down: bool,
    /// Why nothing can be taken, and how often that was asked.
    pub(super) unready: Option<Unready>,
    pub(super) questions: usize,
    /// From so many on who asks is in a loop, in which the test's time stands still; 0 for any number.
    pub(super) questions_max: usize,
    pub(super) bad: HashSet<String>,
    /// Whose documents it takes and does not come back from, until these let it.
    pub(super) hangs: HashMap<FirmId, CancellationToken>,
    /// Happens once, after the bytes were read and before the source is let go.
    pub(super) meanwhile: Option<Box<dyn FnOnce() + Send>>,
}

impl Takes for Fake {
    type Error = Down;

    async fn firms(&self) -> Result<Vec<Firm>, Down> {
        Ok(self.with(|inner| inner.firms.clone()))
    }

    fn check(&self) -> Result<(), Unready> {
        self.with(|inner| {
            inner.questions += 1;
            let (asked, most) = (inner.questions, inner.questions_max);
            assert!(most == 0 || asked <= most, "asked {asked} times");
            inner.unready.clone().map_or(Ok(()), Err)
        })
    }

    type Prepared = (FirmId, Vec<Arrival>);

    async fn prepare(&self, firm: FirmId, arrivals: Vec<Arrival>) -> Result<Self::Prepared, Down> {
        if let Some(until) = self.with(|inner| inner.hangs.get(&firm).cloned()) {
            until.cancelled().await;
        }
        Ok((firm, arrivals))
    }

    async fn write(
        &self,
        (firm, arrivals): Self::Prepared,
        _: Timestamp,
    ) -> Result<Vec<Taken>, Down> {
        self.with(|inner| inner.take(firm, &arrivals))
    }
}

impl Fake {
    pub(super) fn with<O>(&self, act: impl FnOnce(&mut Inner) -> O) -> O {
        act(&mut self.0.lock().unwrap())
    }

    pub(super) fn taken(&self) -> Vec<String> {
        self.with(|inner| inner.taken.clone())
    }

    pub(super) fn add_firm(&self, id: i64, slug: &str) {
        let firm = Firm {
            id: FirmId(id),
            slug: slug.parse().unwrap(),
            language: Language::Fr,
            zone: TimeZone::UTC,
        };
        self.with(|inner| inner.firms.push(firm));
    }

    /// Has another firm bear this one's name.
    pub(super) fn replace_firm(&self, old: i64, new: i64) {
        self.with(|inner| {
            let own = inner.firms.iter_mut().find(|firm| firm.id == FirmId(old));
            own.unwrap().id = FirmId(new);
        });
    }
}

impl Inner {
    fn take(&mut self, firm: FirmId, arrivals: &[Arrival]) -> Result<Vec<Taken>, Down> {
        self.calls += 1;
        self.largest_batch = self.largest_batch.max(arrivals.len());
        if self.down
            || arrivals
                .iter()
                .any(|arrival| self.bad.contains(&arrival.source))
        {
            let source = std::io::Error::other("disk full");
            return Err(Down { source });
        }
        let taken = arrivals
            .iter()
            .map(|arrival| self.take_one(firm, arrival))
            .collect();
        if let Some(meanwhile) = self.meanwhile.take() {
            meanwhile();
        }
        Ok(taken)
    }

    fn take_one(&mut self, firm: FirmId, arrival: &Arrival) -> Taken {
        let known = self.kept.get(arrival.bytes.as_ref()).copied();
        let quarantined = known.unwrap_or_else(|| !arrival.bytes.starts_with(b"<Invoice"));
        let outcome = match (known, quarantined) {
            (Some(_), _) => Outcome::Recognised,
            (None, true) => Outcome::Quarantined,
            (None, false) => Outcome::Kept,
        };
        self.kept.insert(arrival.bytes.to_vec(), quarantined);
        self.taken.push(format!(
            "{firm} {} {}{}",
            arrival.source,
            outcome.as_str(),
            said(arrival)
        ));
        let remark = Remark {
            code: RemarkCode::NotXml,
            text: "no XML".to_owned(),
        };
        Taken {
            outcome,
            remarks: if quarantined {
                vec![remark]
            } else {
                Vec::new()
            },
            document: DocumentId(1),
            digest: Digest::of(&arrival.bytes),
            number: None,
            reasons: if quarantined {
                vec!["no XML".to_owned()]
            } else {
                Vec::new()
            },
            quarantined,
            is_copy: known.is_some(),
        }
    }
}

fn said(arrival: &Arrival) -> String {
    let status = arrival.said.status;
    status.map_or_else(String::new, |status| format!(" ({})", status.as_str()))
}

/// A root with the folder of one firm, `peeters`.
pub(super) struct Root {
    pub(super) root: tempfile::TempDir,
    pub(super) fake: Fake,
    pub(super) config: DropFolderConfig,
    /// What one door leaves to the next.
    left: LeftFiles,
}

impl Root {
    pub(super) fn new() -> Self {
        let (root, fake) = (tempfile::tempdir().unwrap(), Fake::default());
        fake.add_firm(1, "peeters");
        fs::create_dir(root.path().join("peeters")).unwrap();
        let config = DropFolderConfig {
            root: root.path().to_owned(),
            watch: Watch::Poll,
            settle_ms: 2_000,
            rescan_seconds: NonZeroU32::new(30).unwrap(),
            poll_seconds: NonZeroU32::new(5).unwrap(),
            declared: Declared::default(),
        };
        Self {
            root,
            fake,
            config,
            left: LeftFiles::default(),
        }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join("peeters").join(path)
    }

    pub(super) fn drop(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Runs the door while something happens, and ends it then.
    pub(super) async fn while_running(&self, happens: impl Future<Output = ()>) {
        let cancel = CancellationToken::new();
        let ended = cancel.clone().drop_guard();
        let happens = async move {
            happens.await;
            drop(ended);
        };
        tokio::join!(self.run(cancel), happens);
    }

    pub(super) async fn run(&self, cancel: CancellationToken) {
        let start = Instant::now();
        let clock = move || {
            Timestamp(1_767_225_600_000).plus_ms(start.elapsed().as_millis().try_into().unwrap())
        };
        DropFolders::new(self.config.clone(), self.fake.clone())
            .remembering(self.left.clone())
            .run(cancel, clock)
            .await;
    }

    /// Runs the door until nothing is left to take.
    pub(super) async fn run_until_empty(&self) {
        self.while_running(until(|| {
            files(&self.path(""))
                .iter()
                .all(|file| file.starts_with("rejected/"))
        }))
        .await;
    }
}

/// Waits, in the test's own time, until something is so.
pub(super) async fn until(so: impl Fn() -> bool) {
    for _ in 0..7_200 {
        if so() {
            return;
        }
        seconds(1).await;
    }
    panic!("two hours have passed");
}

pub(super) async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

/// The files below a folder, by path.
pub(super) fn files(root: &Path) -> Vec<String> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(
                    path.strip_prefix(root)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned(),
                );
            }
        }
    }
    files.sort();
    files
}
