//! Is every dropped file taken, once, and none lost?

use std::collections::{HashMap, HashSet};
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;

use super::*;
use crate::ingest::Outcome;
use crate::model::{Digest, DocumentId, Language};

#[derive(Debug, thiserror::Error)]
#[error("could not write down what arrived")]
struct Down {
    source: std::io::Error,
}

/// Takes what is dropped as the real one does, and can be told to fail. A clone is the same.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    firms: Vec<Firm>,
    /// What is durable: the bytes, and whether they are quarantined.
    kept: HashMap<Vec<u8>, bool>,
    /// `source outcome`, in order.
    taken: Vec<String>,
    calls: usize,
    largest_batch: usize,
    down: bool,
    bad: HashSet<String>,
    /// Happens once, after the bytes were read and before the source is let go.
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
}

impl Takes for Fake {
    type Error = Down;

    async fn firms(&self) -> Result<Vec<Firm>, Down> {
        Ok(self.with(|inner| inner.firms.clone()))
    }

    async fn take(
        &self,
        firm: FirmId,
        arrivals: Vec<Arrival>,
        _: Timestamp,
    ) -> Result<Vec<Taken>, Down> {
        self.with(|inner| inner.take(firm, &arrivals))
    }
}

impl Fake {
    fn with<O>(&self, act: impl FnOnce(&mut Inner) -> O) -> O {
        act(&mut self.0.lock().unwrap())
    }

    fn taken(&self) -> Vec<String> {
        self.with(|inner| inner.taken.clone())
    }

    fn add_firm(&self, id: i64, slug: &str) {
        let firm = Firm {
            id: FirmId(id),
            slug: slug.parse().unwrap(),
            language: Language::Fr,
            zone: TimeZone::UTC,
        };
        self.with(|inner| inner.firms.push(firm));
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
        let quarantined = known.unwrap_or(!arrival.bytes.starts_with(b"<Invoice"));
        let outcome = match (known, quarantined) {
            (Some(_), _) => Outcome::Recognised,
            (None, true) => Outcome::Quarantined,
            (None, false) => Outcome::Kept,
        };
        self.kept.insert(arrival.bytes.to_vec(), quarantined);
        self.taken
            .push(format!("{firm} {} {}", arrival.source, outcome.as_str()));
        Taken {
            outcome,
            document: DocumentId(1),
            digest: Digest::of(&arrival.bytes),
            number: None,
            reasons: if quarantined {
                vec!["no XML".to_owned()]
            } else {
                Vec::new()
            },
            quarantined,
        }
    }
}

/// A root with the folder of one firm, `peeters`.
struct Root {
    root: tempfile::TempDir,
    fake: Fake,
}

impl Root {
    fn new() -> Self {
        let (root, fake) = (tempfile::tempdir().unwrap(), Fake::default());
        fake.add_firm(1, "peeters");
        fs::create_dir(root.path().join("peeters")).unwrap();
        Self { root, fake }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join("peeters").join(path)
    }

    fn drop(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Runs the door while something happens, and ends it then.
    async fn while_running(&self, happens: impl Future<Output = ()>) {
        let cancel = CancellationToken::new();
        let ended = cancel.clone().drop_guard();
        let happens = async move {
            happens.await;
            drop(ended);
        };
        tokio::join!(self.run(cancel), happens);
    }

    async fn run(&self, cancel: CancellationToken) {
        let config = DropFolderConfig {
            root: self.root.path().to_owned(),
            watch: Watch::Poll,
            settle_ms: 2_000,
            rescan_seconds: NonZeroU32::new(30).unwrap(),
            poll_seconds: NonZeroU32::new(5).unwrap(),
        };
        let start = Instant::now();
        let clock = move || {
            Timestamp(1_767_225_600_000).plus_ms(start.elapsed().as_millis().try_into().unwrap())
        };
        DropFolders::new(config, self.fake.clone())
            .run(cancel, clock)
            .await;
    }

    /// Runs the door until nothing is left to take.
    async fn run_until_empty(&self) {
        self.while_running(until(|| {
            files(&self.path(""))
                .iter()
                .all(|file| file.starts_with("rejected/"))
        }))
        .await;
    }
}

/// Waits, in the test's own time, until something is so.
async fn until(so: impl Fn() -> bool) {
    for _ in 0..7_200 {
        if so() {
            return;
        }
        seconds(1).await;
    }
    panic!("two hours have passed");
}

async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

/// The files below a folder, by path.
fn files(root: &Path) -> Vec<String> {
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

#[tokio::test(start_paused = true)]
async fn a_dropped_file_is_taken_and_leaves_the_folder() {
    let root = Root::new();
    root.drop("2026/F-1.xml", "<Invoice>1");

    root.run_until_empty().await;

    assert_eq!(root.fake.taken(), ["1 drop:2026/F-1.xml kept"]);
    assert!(!root.path("rejected").exists());
}

#[tokio::test(start_paused = true)]
async fn a_growing_file_is_left_alone_until_it_is_whole() {
    let root = Root::new();
    let mut bytes = b"<Invoice>".to_vec();

    root.while_running(async {
        for _ in 0..10 {
            root.drop("F-1.xml", &bytes);
            seconds(1).await;
            assert!(root.fake.taken().is_empty());
            bytes.push(b'x');
        }
        root.drop("F-1.xml", &bytes);
        until(|| !root.path("F-1.xml").exists()).await;
    })
    .await;

    assert!(root.fake.with(|inner| inner.kept.keys().eq([&bytes])));
}

#[tokio::test(start_paused = true)]
async fn a_temporary_name_is_left_alone_until_it_is_renamed() {
    let root = Root::new();
    root.drop("F-1.xml.filepart", "<Invoice>1");

    root.while_running(async {
        seconds(60).await;
        assert!(root.fake.taken().is_empty());
        fs::rename(root.path("F-1.xml.filepart"), root.path("F-1.xml")).unwrap();
        until(|| !root.path("F-1.xml").exists()).await;
    })
    .await;

    assert_eq!(root.fake.taken(), ["1 drop:F-1.xml kept"]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_read_lies_in_the_rejected_folder_with_its_reason() {
    let root = Root::new();
    root.drop("scans/F-1.xml", "%PDF");

    root.run_until_empty().await;

    assert_eq!(
        files(&root.path("")),
        ["rejected/F-1.xml", "rejected/F-1.xml.txt"]
    );
    let text = fs::read_to_string(root.path("rejected/F-1.xml.txt")).unwrap();
    assert!(text.contains("Fichier: scans/F-1.xml\r\n"), "{text}");
    assert!(text.contains(": no XML\r\n"), "{text}");
    assert!(
        text.ends_with("Refusé le: 2026-01-01 00:00 UTC\r\n"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_past_the_limit_is_rejected_unread() {
    let root = Root::new();
    let file = fs::File::create(root.path("F-1.xml")).unwrap();
    file.set_len(FILE_BYTES_MAX + 1).unwrap();
    root.drop("F-2.xml", "<Invoice>2");

    root.run_until_empty().await;

    assert_eq!(root.fake.taken(), ["1 drop:F-2.xml kept"]);
    let text = fs::read_to_string(root.path("rejected/F-1.xml.txt")).unwrap();
    assert!(text.contains("Motif: il dépasse 100 Mo"), "{text}");
    assert_eq!(
        fs::metadata(root.path("rejected/F-1.xml")).unwrap().len(),
        FILE_BYTES_MAX + 1
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_replaced_while_it_is_taken_is_taken_too() {
    let root = Root::new();
    root.drop("F-1.xml", "<Invoice>1");
    let path = root.path("F-1.xml");
    let replace = move || fs::write(path, "<Invoice>other").unwrap();
    root.fake
        .with(|inner| inner.meanwhile = Some(Box::new(replace)));

    root.run_until_empty().await;

    assert_eq!(
        root.fake.taken(),
        ["1 drop:F-1.xml kept", "1 drop:F-1.xml kept"]
    );
    assert_eq!(root.fake.with(|inner| inner.kept.len()), 2);
}

#[tokio::test(start_paused = true)]
async fn one_bad_file_holds_up_no_other() {
    let root = Root::new();
    for n in 0..20 {
        root.drop(&format!("F-{n}.xml"), format!("<Invoice>{n}"));
    }
    root.fake
        .with(|inner| inner.bad.insert("drop:F-7.xml".to_owned()));

    root.while_running(async {
        until(|| root.fake.taken().len() == 19).await;
        let calls = root.fake.with(|inner| inner.calls);
        seconds(3_600).await;
        let more = root.fake.with(|inner| inner.calls) - calls;
        assert!((6..=13).contains(&more), "tried {more} times in an hour");
        assert_eq!(files(&root.path("")), ["F-7.xml"]);

        root.fake.with(|inner| inner.bad.clear());
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn when_nothing_can_be_taken_the_sources_stay_and_few_are_tried() {
    let root = Root::new();
    for n in 0..200 {
        root.drop(&format!("F-{n}.xml"), format!("<Invoice>{n}"));
    }
    root.fake.with(|inner| inner.down = true);

    root.while_running(async {
        seconds(60).await;
        let calls = root.fake.with(|inner| inner.calls);
        assert!(
            (9..=9 * 13).contains(&calls),
            "tried {calls} times in a minute"
        );
        assert_eq!(files(&root.path("")).len(), 200);

        root.fake.with(|inner| inner.down = false);
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;

    assert_eq!(root.fake.taken().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_letting_go_loses_nothing_and_doubles_nothing() {
    let root = Root::new();
    root.drop("F-1.xml", "<Invoice>1");
    root.drop("F-2.xml", "%PDF");
    root.fake
        .with(|inner| inner.kept.insert(b"<Invoice>1".to_vec(), false));
    root.fake
        .with(|inner| inner.kept.insert(b"%PDF".to_vec(), true));

    root.run_until_empty().await;

    assert_eq!(
        root.fake.taken(),
        ["1 drop:F-1.xml recognised", "1 drop:F-2.xml recognised"]
    );
    assert_eq!(
        files(&root.path("")),
        ["rejected/F-2.xml", "rejected/F-2.xml.txt"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_end_in_the_middle_finishes_the_batch_in_hand() {
    let root = Root::new();
    for n in 0..200 {
        root.drop(&format!("F-{n}.xml"), format!("<Invoice>{n}"));
    }
    let cancel = CancellationToken::new();
    let ending = cancel.clone();
    root.fake
        .with(|inner| inner.meanwhile = Some(Box::new(move || ending.cancel())));

    root.run(cancel).await;
    assert_eq!(root.fake.taken().len(), BATCH_FILES_MAX);
    assert_eq!(files(&root.path("")).len(), 200 - BATCH_FILES_MAX);

    root.run_until_empty().await;
    assert_eq!(root.fake.with(|inner| inner.kept.len()), 200);
    assert_eq!(root.fake.taken().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn three_thousand_files_at_once_are_all_taken_in_batches() {
    let root = Root::new();
    for n in 0..3_000 {
        root.drop(&format!("F-{n}.xml"), format!("<Invoice>{n}"));
    }

    root.run_until_empty().await;

    let (kept, calls, largest) = root
        .fake
        .with(|inner| (inner.kept.len(), inner.calls, inner.largest_batch));
    assert_eq!((kept, calls, largest), (3_000, 47, BATCH_FILES_MAX));
}

#[tokio::test(start_paused = true)]
async fn a_new_firm_has_its_folder_without_a_restart() {
    let root = Root::new();
    let folder = root.root.path().join("janssens");

    root.while_running(async {
        seconds(10).await;
        root.fake.add_firm(2, "janssens");
        until(|| folder.is_dir()).await;
        fs::write(folder.join("F-1.xml"), "<Invoice>1").unwrap();
        until(|| !folder.join("F-1.xml").exists()).await;
    })
    .await;

    assert_eq!(root.fake.taken(), ["2 drop:F-1.xml kept"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_while_the_root_is_missing() {
    let root = Root::new();
    let unmounted = root.root.path().with_extension("unmounted");
    fs::rename(root.root.path(), &unmounted).unwrap();
    fs::write(unmounted.join("peeters/F-1.xml"), "<Invoice>1").unwrap();

    root.while_running(async {
        seconds(60).await;
        assert!(!root.root.path().exists());
        fs::rename(&unmounted, root.root.path()).unwrap();
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;

    assert_eq!(root.fake.taken(), ["1 drop:F-1.xml kept"]);
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_name_that_is_no_text_is_taken_and_rejected_like_any_other() {
    use std::os::unix::ffi::OsStrExt as _;
    let root = Root::new();
    let name = std::ffi::OsStr::from_bytes(b"factur\xe9.xml");
    fs::write(root.path("").join(name), "%PDF").unwrap();
    fs::write(
        root.path("").join(std::ffi::OsStr::from_bytes(b"\xff.xml")),
        "<Invoice>1",
    )
    .unwrap();

    root.run_until_empty().await;

    assert_eq!(root.fake.taken().len(), 2);
    assert!(root.path("rejected").join(name).exists());
    assert_eq!(files(&root.path("")).len(), 2);
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_file_that_may_not_be_read_waits_until_it_may() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = Root::new();
    root.drop("F-1.xml", "<Invoice>1");
    root.drop("F-2.xml", "<Invoice>2");
    let allow =
        |mode| fs::set_permissions(root.path("F-1.xml"), fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    if fs::File::open(root.path("F-1.xml")).is_ok() {
        return; // a privileged user may read everything
    }

    root.while_running(async {
        seconds(60).await;
        assert_eq!(root.fake.taken(), ["1 drop:F-2.xml kept"]);
        allow(0o600);
        until(|| files(&root.path("")).is_empty()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_put_aside_stays_and_is_put_aside_later() {
    let root = Root::new();
    root.drop("F-1.xml", "%PDF");
    root.drop("rejected", "in the way");

    root.while_running(async {
        seconds(60).await;
        assert_eq!(files(&root.path("")), ["F-1.xml", "rejected"]);
        fs::remove_file(root.path("rejected")).unwrap();
        until(|| root.path("rejected/F-1.xml").exists()).await;
    })
    .await;
}
