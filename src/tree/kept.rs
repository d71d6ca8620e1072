//! Which files does a session remember, so that the catalog need not be asked for each?

use std::sync::Arc;

use crate::catalog::{Listed, Moment};
use crate::login::{Holdings, Remembered};
use crate::model::{Flow, LinkId, fold};

/// The most files of a listing that are remembered for the requests that follow it: some 200 bytes each. Where there
/// are more, the folder is sent while it is read.
pub(super) const REMEMBERED_MAX: usize = 20_000;

/// The most that all sessions of a device remember. What is not remembered is asked of the catalog.
const REMEMBERED_DEVICE_MAX: usize = 400_000;

/// The files of one inbox folder, or one of them, as they were at a moment of the catalog.
pub(super) struct Kept {
    at: Moment,
    of: (Arc<[(LinkId, Flow)]>, String),
    files: Arc<Vec<Listed>>,
    is_whole: bool,
    /// Where the last one was found: clients take files in the order of the listing.
    last: usize,
    /// Where the files of a folder are counted.
    _held: Option<Remembered>,
}

/// What is remembered of a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// The file.
    File(Listed),
    /// That there is none.
    Nothing,
    /// Nothing: the catalog knows.
    Ask,
}

impl Kept {
    /// Remembers a folder's files, which are in the order of their folded names.
    pub(super) fn folder(
        at: Moment,
        of: (Arc<[(LinkId, Flow)]>, String),
        files: &Arc<Vec<Listed>>,
        device: &Arc<Holdings>,
    ) -> Option<Self> {
        if files.len() > REMEMBERED_MAX {
            return None;
        }
        let held = device.remember(files.len(), REMEMBERED_DEVICE_MAX)?;
        Some(Self {
            at,
            of,
            files: Arc::clone(files),
            is_whole: true,
            last: 0,
            _held: Some(held),
        })
    }

    /// Remembers one file: clients that stat it open it next.
    pub(super) fn file(at: Moment, of: (Arc<[(LinkId, Flow)]>, String), file: Listed) -> Self {
        Self {
            at,
            of,
            files: Arc::new(vec![file]),
            is_whole: false,
            last: 0,
            _held: None,
        }
    }

    /// Says whether a whole folder is remembered, which a single file should not drive out.
    pub(super) fn is_whole_at(&self, at: Moment) -> bool {
        self.is_whole && self.at == at
    }

    /// Returns what is remembered of the file with this folded name.
    pub(super) fn find(
        &mut self,
        at: Moment,
        (links, folder): (&[(LinkId, Flow)], &str),
        name: &str,
    ) -> Memory {
        if self.at != at || *self.of.0 != *links || self.of.1 != folder {
            return Memory::Ask;
        }
        let is_it = |at: &usize| {
            self.files
                .get(*at)
                .is_some_and(|file| fold(&file.name) == name)
        };
        let found = [self.last, self.last + 1]
            .into_iter()
            .find(is_it)
            .or_else(|| {
                let by_name = |file: &Listed| fold(&file.name).as_str().cmp(name);
                self.files.binary_search_by(by_name).ok()
            });
        match found.and_then(|at| Some((at, self.files.get(at)?))) {
            Some((at, file)) => {
                self.last = at;
                Memory::File(file.clone())
            }
            None if self.is_whole => Memory::Nothing,
            None => Memory::Ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeliveryId, Digest, DocumentId, State, Timestamp};

    fn file(name: &str) -> Listed {
        Listed {
            delivery: DeliveryId(1),
            document: DocumentId(1),
            name: name.to_owned(),
            state: State::Offered,
            is_read: false,
            digest: Digest::of(b""),
            bytes: 0,
            offered_at: Timestamp(0),
        }
    }

    const LINKS: &[(LinkId, Flow)] = &[(LinkId(1), Flow::Sale)];

    fn of() -> (Arc<[(LinkId, Flow)]>, String) {
        (LINKS.into(), "/a".to_owned())
    }

    #[test]
    fn a_folder_is_remembered_in_any_order_until_the_catalog_moves() {
        let at = Moment::for_tests(7);
        let files = Arc::new(["A.xml", "b.xml", "C.xml", "d.xml"].map(file).to_vec());
        let mut kept = Kept::folder(at, of(), &files, &Arc::default()).unwrap();
        let mut find = |at, folder, name| kept.find(at, (LINKS, folder), name);

        for name in ["a.xml", "b.xml", "d.xml", "c.xml", "a.xml"] {
            assert!(matches!(find(at, "/a", name), Memory::File(file) if fold(&file.name) == name));
        }
        assert_eq!(find(at, "/a", "e.xml"), Memory::Nothing);
        assert_eq!(find(at, "/b", "a.xml"), Memory::Ask);
        assert_eq!(find(Moment::for_tests(8), "/a", "a.xml"), Memory::Ask);
    }

    #[test]
    fn one_file_says_nothing_of_others() {
        let at = Moment::for_tests(7);
        let mut kept = Kept::file(at, of(), file("a.xml"));

        assert_eq!(
            kept.find(at, (LINKS, "/a"), "a.xml"),
            Memory::File(file("a.xml"))
        );
        assert_eq!(kept.find(at, (LINKS, "/a"), "b.xml"), Memory::Ask);
    }

    #[test]
    fn one_file_past_the_limit_is_not_remembered() {
        let many = |count| Arc::new(vec![file("a"); count]);
        let (at, device) = (Moment::for_tests(1), Arc::default());
        let keep = |count| Kept::folder(at, of(), &many(count), &device);

        assert!(keep(REMEMBERED_MAX).is_some());
        assert!(keep(REMEMBERED_MAX + 1).is_none());
        let sessions = REMEMBERED_DEVICE_MAX / REMEMBERED_MAX;
        let mut all: Vec<_> = (0..sessions).map(|_| keep(REMEMBERED_MAX)).collect();
        assert!(all.iter().all(Option::is_some) && keep(1).is_none());
        all.pop();
        assert!(keep(1).is_some(), "another has forgotten his");
    }
}
