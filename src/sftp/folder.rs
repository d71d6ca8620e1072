//! What of a folder that is open has come, and what does its peer wait for?

use std::sync::Arc;

use super::arriving::{Arriving, Unfinished};
use super::limits::LISTED_SMALL_MAX;
use super::listing::{Listing, Pages};
use super::room::Held;
use crate::model::Timestamp;
use crate::tree::{Items, PART_FILES, Shown};

/// A folder that is open: what is listed of it, and where more of it comes from.
#[derive(Debug)]
pub(super) struct Folder {
    listing: Listing,
    arriving: Option<Arriving>,
}

/// A folder of which more comes is none of the small ones, though only its first part is counted when it is opened.
const _: () = assert!(PART_FILES > LISTED_SMALL_MAX);

/// Returns how many entries of a folder have come when it is opened.
pub(super) fn entries(items: &Items) -> usize {
    let first = items.large.as_ref().map_or(0, |large| large.first.len());
    items.folders.len() + items.files.len() + first + items.uploads.len()
}

impl Folder {
    /// Opens one with pages of this size, at a time which decides how old times are written; `held` counts its entries.
    /// The turns to list, and to count it, are the next one's when all of them have come.
    pub(super) fn new(
        mut items: Items,
        (pages, now): (Pages, Timestamp),
        held: Held,
        turns: impl Send + 'static,
    ) -> Self {
        let held = Arc::new(held);
        let large = items.large.take();
        let listing = Listing::new(items, pages, now).holding(Arc::clone(&held));
        let Some(large) = large else {
            return Self::of(listing, None);
        };
        let arriving = Arriving::begin(large.rest, held, turns);
        let mut folder = Self::of(listing.expecting(), Some(arriving));
        if !large.first.is_empty() {
            folder.take(large.first);
        }
        folder
    }

    fn of(listing: Listing, arriving: Option<Arriving>) -> Self {
        Self { listing, arriving }
    }

    /// Says whether a page waits for what has not come yet.
    pub(super) fn waits(&mut self) -> bool {
        self.take_ready();
        self.listing.wants_more()
    }

    /// Writes the next entries as the answer to request `id`, once they have come; says whether there were any.
    ///
    /// # Errors
    ///
    /// When they cannot be read: then what was listed is not all.
    pub(super) async fn page(&mut self, id: u32, out: &mut Vec<u8>) -> Result<bool, Unfinished> {
        while self.listing.wants_more() {
            let arriving = self.arriving.as_mut().ok_or(Unfinished::Torn)?;
            let part = arriving.next().await?;
            self.take(part);
        }
        Ok(self.listing.page(id, out))
    }

    /// Says whether a page is written that nobody has asked for yet.
    pub(super) fn is_ahead(&self) -> bool {
        self.listing.is_ahead()
    }

    /// Writes the next page, if it is not written yet and what it says has come.
    pub(super) fn look_ahead(&mut self) {
        if !self.waits() {
            self.listing.look_ahead();
        }
    }

    fn take_ready(&mut self) {
        while self.listing.wants_more()
            && let Some(part) = self.arriving.as_mut().and_then(Arriving::ready)
        {
            self.take(part);
        }
    }

    /// None is the end: then nothing is waited for.
    fn take(&mut self, part: Vec<Shown>) {
        if part.is_empty() {
            self.arriving = None;
        }
        self.listing.give(part);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use russh_sftp::protocol::Packet;

    use super::super::arriving::tests::{Parts, fed, held_by};
    use super::super::limits::PAGE_ENTRIES_MAX;
    use super::super::room::Room;
    use super::*;
    use crate::login::Holdings;
    use crate::tree::{self, Attributes};

    fn part(numbers: std::ops::Range<usize>) -> Vec<Shown> {
        let shown = |number| Shown {
            name: format!("{number:05}"),
            bytes: 1,
            offered_at: Timestamp(0),
        };
        numbers.map(shown).collect()
    }

    /// A folder, what its files come through, and what its device holds.
    fn folder() -> (Folder, Parts, Arc<Holdings>) {
        let (parts, arriving) = fed();
        let items = Items {
            folders: vec![".".to_owned(), "..".to_owned()],
            attributes: Attributes {
                is_folder: true,
                bytes: 0,
                at: Timestamp(0),
            },
            files: Arc::default(),
            large: None,
            uploads: Vec::new(),
        };
        let device = Arc::<Holdings>::default();
        let room = Arc::new(Room::of(Arc::clone(&device)));
        let held = Arc::new(room.hold(entries(&items)).unwrap());
        let listing = Listing::new(items, Pages::Narrow, Timestamp(0)).holding(held);
        (
            Folder::of(listing.expecting(), Some(arriving)),
            parts,
            device,
        )
    }

    /// The names of the next page; none at the end.
    async fn page(folder: &mut Folder) -> Result<Option<Vec<String>>, Unfinished> {
        let mut out = Vec::new();
        if !folder.page(7, &mut out).await? {
            assert_eq!(out, [] as [u8; 0]);
            return Ok(None);
        }
        let mut packet = Bytes::from(out.split_off(4));
        let Ok(Packet::Name(name)) = Packet::try_from(&mut packet) else {
            panic!("no NAME");
        };
        let names = name.files.into_iter().map(|file| file.filename);
        Ok(Some(names.collect()))
    }

    #[tokio::test]
    async fn pages_are_full_and_hold_each_file_once_wherever_its_parts_end() {
        for sizes in [
            vec![],
            vec![97],
            vec![98],
            vec![99],
            vec![98, 100, 100],
            vec![1, 1, 300, 60, 40, 7],
        ] {
            let all: usize = sizes.iter().sum();
            let (mut folder, parts, device) = folder();
            let mut from = 0;
            for size in sizes {
                parts.send(Ok(part(from..from + size))).unwrap();
                from += size;
            }
            parts.send(Ok(Vec::new())).unwrap();
            drop(parts);

            let (mut counts, mut names) = (Vec::new(), Vec::new());
            while let Some(page) = page(&mut folder).await.unwrap() {
                counts.push(page.len());
                names.extend(page);
                folder.look_ahead();
            }

            assert_eq!(
                names.split_off(2),
                part(0..all)
                    .into_iter()
                    .map(|file| file.name)
                    .collect::<Vec<_>>()
            );
            let last = counts.pop().unwrap();
            assert!(counts.iter().all(|count| *count == PAGE_ENTRIES_MAX));
            assert!((1..=PAGE_ENTRIES_MAX).contains(&last));
            assert_eq!(
                page(&mut folder).await.unwrap(),
                None,
                "its end is told again"
            );
            assert_eq!(held_by(&device), 0, "it holds nothing");
        }
    }

    #[tokio::test]
    async fn a_page_waits_for_what_fills_it_and_nothing_is_written_ahead_before() {
        let (mut folder, parts, _) = folder();
        parts.send(Ok(part(0..100))).unwrap();
        assert!(!folder.waits());
        assert_eq!(page(&mut folder).await.unwrap().unwrap().len(), 100);

        folder.look_ahead();
        assert!(folder.waits() && !folder.is_ahead(), "two are left");
        let waiting = page(&mut folder);
        let rest = async {
            parts.send(Ok(part(100..150))).unwrap();
            tokio::task::yield_now().await;
            parts.send(Ok(part(150..210))).unwrap();
        };
        let (waited, ()) = tokio::join!(biased; waiting, rest);
        assert_eq!(waited.unwrap().unwrap().len(), 100);

        parts.send(Ok(Vec::new())).unwrap();
        folder.look_ahead();
        assert!(folder.is_ahead() && !folder.waits());
        assert_eq!(page(&mut folder).await.unwrap().unwrap().len(), 12);
        assert_eq!(page(&mut folder).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_cannot_be_read_to_its_end_never_ends() {
        for is_told in [true, false] {
            let (mut folder, parts, device) = folder();
            parts.send(Ok(part(0..150))).unwrap();
            if is_told {
                parts.send(Err(tree::Error::DeviceGone)).unwrap();
            }
            drop(parts);
            assert_eq!(page(&mut folder).await.unwrap().unwrap().len(), 100);
            folder.look_ahead();
            folder.look_ahead();

            let first = page(&mut folder).await.unwrap_err();
            assert_eq!(
                matches!(first, Unfinished::Failed(tree::Error::DeviceGone)),
                is_told,
                "{first:?}"
            );
            for _ in 0..2 {
                folder.look_ahead();
                let again = page(&mut folder).await.unwrap_err();
                assert!(matches!(again, Unfinished::Torn), "{again:?}");
            }

            drop(folder);
            assert_eq!(held_by(&device), 0);
        }
    }
}
