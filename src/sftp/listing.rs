//! What does a peer see of a listing, page by page?
//!
//! A listing is a snapshot: what changes after OPENDIR does not move its pages.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::BufMut as _;
use jiff::tz::TimeZone;
use russh_sftp::protocol::{FileAttributes, FileMode};

use super::limits::{PAGE_BYTES_MAX, PAGE_BYTES_WIDE_MAX, PAGE_ENTRIES_MAX, PAGE_ENTRIES_WIDE_MAX};
use super::room::Held;
use crate::model::Timestamp;
use crate::tree::{Attributes, Item, Items, Listed, Shown};

/// A folder that is being listed.
#[derive(Debug)]
pub(super) struct Listing {
    folders: std::vec::IntoIter<String>,
    attributes: Attributes,
    files: Arc<Vec<Listed>>,
    next: usize,
    /// What has come of a large folder, and whether that is not all yet.
    arrived: VecDeque<Shown>,
    is_expecting: bool,
    uploads: std::vec::IntoIter<Item>,
    lines: Lines,
    pages: Pages,
    /// The next page, where it was written before it was asked for.
    ahead: Vec<u8>,
    /// Where its entries are counted while it is open.
    held: Option<Arc<Held>>,
}

/// How large the pages of a listing are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Pages {
    /// As any client takes them.
    #[default]
    Narrow,
    /// As those take them that have asked for our limits.
    Wide,
}

/// Writes the lines that people read; most files of a folder are of the same minute.
#[derive(Debug)]
struct Lines {
    now: Timestamp,
    minute: i64,
    when: String,
    line: String,
}

/// `SSH_FXP_NAME` (filexfer-02 §7).
const NAME: u8 = 104;

/// Length, type, id and count of a page, in bytes.
const PAGE_HEAD_BYTES: usize = 13;

/// Where the id stands in it.
const ID_AT: usize = 5;

/// An entry with the longest name twice, in bytes.
const ENTRY_BYTES_MAX: usize = 2 * 1024;

impl Listing {
    /// Begins a listing of these, at `now`, which decides how old times are written.
    pub(super) fn new(items: Items, pages: Pages, now: Timestamp) -> Self {
        Self {
            folders: items.folders.into_iter(),
            attributes: items.attributes,
            files: items.files,
            next: 0,
            arrived: VecDeque::new(),
            is_expecting: false,
            uploads: items.uploads.into_iter(),
            lines: Lines {
                now,
                minute: i64::MIN,
                when: String::new(),
                line: String::new(),
            },
            pages,
            ahead: Vec::new(),
            held: None,
        }
    }

    /// Returns it with what counts its entries.
    pub(super) fn holding(self, held: Arc<Held>) -> Self {
        Self {
            held: Some(held),
            ..self
        }
    }

    /// Returns one of a folder of which more is to come.
    pub(super) fn expecting(self) -> Self {
        Self {
            is_expecting: true,
            ..self
        }
    }

    /// Says whether the next page is still to be written, and what has come would not fill it, nor is it all.
    pub(super) fn wants_more(&self) -> bool {
        self.is_expecting && !self.is_ahead() && self.arrived.len() < self.pages.limits().0
    }

    /// Takes the next files of a large folder; none, when that was all.
    pub(super) fn give(&mut self, part: Vec<Shown>) {
        if part.is_empty() {
            self.is_expecting = false;
        }
        self.arrived.extend(part);
    }

    /// Writes the next entries as the answer to request `id`; says whether there were any.
    pub(super) fn page(&mut self, id: u32, out: &mut Vec<u8>) -> bool {
        self.look_ahead();
        let Some(mut place) = self.ahead.get_mut(ID_AT..PAGE_HEAD_BYTES) else {
            return false;
        };
        place.put_u32(id);
        // Its buffer would stay with each folder that is open.
        let page = std::mem::take(&mut self.ahead);
        if out.is_empty() {
            *out = page;
        } else {
            out.extend_from_slice(&page);
        }
        true
    }

    /// Says whether a page is written that nobody has asked for yet.
    pub(super) fn is_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Writes the next page, if it is not written yet: a client asks for it when it has read the one before.
    pub(super) fn look_ahead(&mut self) {
        if self.is_ahead() {
            return;
        }
        let (entries, bytes) = self.pages.limits();
        let out = &mut self.ahead;
        out.put_bytes(0, PAGE_HEAD_BYTES);
        let mut count: u32 = 0;
        while (count as usize) < entries && out.len() < bytes - ENTRY_BYTES_MAX {
            if let Some(name) = self.folders.next() {
                put_entry(out, &name, &self.attributes, &mut self.lines);
            } else if let Some(file) = self.files.get(self.next) {
                put_entry(out, &file.name, &Attributes::of(file), &mut self.lines);
                self.next += 1;
            } else if let Some(file) = self.arrived.pop_front() {
                put_entry(out, &file.name, &Attributes::from(&file), &mut self.lines);
            } else if let Some(item) = self.uploads.next() {
                put_entry(out, &item.name, &item.attributes, &mut self.lines);
            } else {
                break;
            }
            count += 1;
        }
        if count == 0 {
            // Not every client closes what it has read.
            self.files = Arc::default();
            self.arrived = VecDeque::new();
            self.held = None;
            self.ahead = Vec::new();
            return;
        }
        let length = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
        if let Some(mut head) = out.get_mut(..PAGE_HEAD_BYTES) {
            head.put_u32(length);
            head.put_u8(NAME);
            head.put_u32(0); // whoever asks has a number
            head.put_u32(count);
        }
    }
}

impl Pages {
    /// The most entries of a page, and the most bytes.
    fn limits(self) -> (usize, usize) {
        match self {
            Self::Narrow => (PAGE_ENTRIES_MAX, PAGE_BYTES_MAX),
            Self::Wide => (PAGE_ENTRIES_WIDE_MAX, PAGE_BYTES_WIDE_MAX),
        }
    }
}

/// One entry: its name, the line, its attributes (filexfer-02 §7).
fn put_entry(out: &mut Vec<u8>, name: &str, attributes: &Attributes, lines: &mut Lines) {
    put_text(out, name);
    put_text(out, lines.line(name, attributes));
    let seconds = attributes.at.as_sftp_seconds();
    out.put_u32(SIZE | OWNERS | PERMISSIONS | TIMES);
    out.put_u64(attributes.bytes);
    out.put_u32(0);
    out.put_u32(0);
    out.put_u32(mode(attributes));
    out.put_u32(seconds);
    out.put_u32(seconds);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(text.as_bytes());
}

/// Which attributes follow (filexfer-02 §5).
const SIZE: u32 = 1;
const OWNERS: u32 = 2;
const PERMISSIONS: u32 = 4;
const TIMES: u32 = 8;

/// Everybody may do everything as far as the bits say, for a mount compares them with local users; the
/// tree itself refuses.
fn mode(attributes: &Attributes) -> u32 {
    if attributes.is_folder {
        FileMode::DIR.bits() | 0o777
    } else {
        FileMode::REG.bits() | 0o666
    }
}

/// Returns attributes as they are sent.
pub(super) fn to_wire(attributes: &Attributes) -> FileAttributes {
    let seconds = attributes.at.as_sftp_seconds();
    FileAttributes {
        size: Some(attributes.bytes),
        uid: Some(0),
        gid: Some(0),
        permissions: Some(mode(attributes)),
        atime: Some(seconds),
        mtime: Some(seconds),
        ..FileAttributes::default()
    }
}

impl Lines {
    /// Returns a line as `ls -l` writes it, which is what clients expect (filexfer-02 §7).
    fn line(&mut self, name: &str, attributes: &Attributes) -> &str {
        let minute = attributes.at.0.div_euclid(60_000);
        if minute != self.minute {
            self.minute = minute;
            self.when = when(attributes.at, self.now);
        }
        let mode = if attributes.is_folder {
            "drwxrwxrwx"
        } else {
            "-rw-rw-rw-"
        };
        self.line.clear();
        let (bytes, when) = (attributes.bytes, &self.when);
        // Writing to a string cannot fail.
        _ = write!(
            self.line,
            "{mode}    1 sluis    sluis    {bytes:>12} {when} {name}"
        );
        &self.line
    }
}

/// Half a year ago and more, the year says more than the hour.
const OLD_MS: i64 = 182 * 24 * 60 * 60 * 1000;

fn when(at: Timestamp, now: Timestamp) -> String {
    let civil = jiff::Timestamp::from_millisecond(at.0)
        .unwrap_or_default()
        .to_zoned(TimeZone::UTC);
    let recent = now.0 - at.0 < OLD_MS && at <= now.plus_ms(60_000);
    let format = if recent { "%b %e %H:%M" } else { "%b %e  %Y" };
    civil.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use russh_sftp::protocol::{File, Packet};

    use super::*;
    use crate::model::{DeliveryId, Digest, DocumentId, State};

    const MARCH: Timestamp = Timestamp(1_773_475_200_000); // 2026-03-14T08:00Z

    fn file(name: &str) -> Listed {
        Listed {
            delivery: DeliveryId(1),
            document: DocumentId(1),
            name: name.to_owned(),
            state: State::Offered,
            is_read: false,
            digest: Digest::of(b""),
            bytes: 1234,
            offered_at: MARCH,
        }
    }

    fn items(files: Vec<Listed>) -> Items {
        Items {
            uploads: Vec::new(),
            large: None,
            folders: vec![".".to_owned(), "..".to_owned()],
            attributes: Attributes {
                is_folder: true,
                bytes: 0,
                at: MARCH.plus_ms(-60_000),
            },
            files: Arc::new(files),
        }
    }

    fn narrow(items: Items, now: Timestamp) -> Listing {
        Listing::new(items, Pages::Narrow, now)
    }

    fn pages(mut listing: Listing) -> Vec<(usize, Vec<File>)> {
        let mut pages = Vec::new();
        let mut out = Vec::new();
        while listing.page(7, &mut out) {
            pages.push(read(std::mem::take(&mut out)));
        }
        assert!(out.is_empty());
        pages
    }

    /// One page: its bytes, and its entries.
    fn read(page: Vec<u8>) -> (usize, Vec<File>) {
        let mut packet = Bytes::from(page);
        let bytes = packet.len();
        let length = packet.split_to(4);
        assert_eq!(
            u32::from_be_bytes(length[..].try_into().unwrap()) as usize,
            bytes - 4
        );
        let Ok(Packet::Name(name)) = Packet::try_from(&mut packet) else {
            panic!("no NAME");
        };
        assert_eq!(name.id, 7);
        (bytes, name.files)
    }

    #[test]
    fn a_line_looks_as_ls_writes_it() {
        let line = |now| {
            let found = pages(narrow(items(vec![file("F-17.xml")]), now));
            found[0].1[2].longname.clone()
        };

        assert_eq!(
            line(MARCH),
            "-rw-rw-rw-    1 sluis    sluis            1234 Mar 14 08:00 F-17.xml"
        );
        assert_eq!(
            line(MARCH.plus_ms(OLD_MS)),
            "-rw-rw-rw-    1 sluis    sluis            1234 Mar 14  2026 F-17.xml"
        );
    }

    #[test]
    fn an_entry_says_what_a_stat_says() {
        let found = pages(narrow(items(vec![file("F-17.xml")]), MARCH));

        let entries = &found[0].1;
        assert_eq!(entries[0].filename, ".");
        let shown = |attributes: &FileAttributes| format!("{attributes:?}");
        let folder = to_wire(&items(Vec::new()).attributes);
        assert_eq!(shown(&entries[0].attrs), shown(&folder));
        let file = to_wire(&Attributes::of(&file("F-17.xml")));
        assert_eq!(shown(&entries[2].attrs), shown(&file));
    }

    #[test]
    fn a_page_of_short_names_ends_at_the_most_entries() {
        let files: Vec<_> = (0..PAGE_ENTRIES_MAX)
            .map(|at| file(&at.to_string()))
            .collect();

        let found = pages(narrow(items(files), MARCH));

        let counts: Vec<_> = found.iter().map(|(_, page)| page.len()).collect();
        assert_eq!(counts, [PAGE_ENTRIES_MAX, 2]);
    }

    #[test]
    fn a_listing_that_was_read_to_its_end_holds_no_files_though_it_is_open() {
        let items = items(vec![file("F-17.xml")]);
        let files = Arc::clone(&items.files);
        let mut listing = narrow(items, MARCH);
        let mut out = Vec::new();

        while listing.page(7, &mut out) {}

        assert_eq!(Arc::strong_count(&files), 1);
        assert!(!listing.page(7, &mut out), "its end is told again");
    }

    #[test]
    fn pages_hold_everything_once_and_fit_an_old_client() {
        let long = "x".repeat(255);
        let files: Vec<_> = (0..1000)
            .map(|at| file(&format!("{at:05}{long}")))
            .collect();

        let wide = pages(Listing::new(items(files.clone()), Pages::Wide, MARCH));
        let narrow = pages(narrow(items(files), MARCH));

        assert!(wide.len() * 4 < narrow.len());
        for (found, pages) in [(narrow, Pages::Narrow), (wide, Pages::Wide)] {
            let (entries_max, bytes_max) = pages.limits();
            for (bytes, page) in &found {
                assert!(page.len() <= entries_max && *bytes <= bytes_max);
            }
            let names = found.into_iter().flat_map(|(_, page)| page);
            let names: Vec<_> = names.map(|file| file.filename).collect();
            assert_eq!(names.len(), 1002);
            assert!(names.is_sorted());
        }
    }

    #[test]
    fn what_is_written_ahead_is_told_once_and_under_the_number_that_asks() {
        let files: Vec<_> = (0..2 * PAGE_ENTRIES_MAX)
            .map(|at| file(&format!("{at:05}")))
            .collect();
        let plain = pages(narrow(items(files.clone()), MARCH));
        let mut listing = narrow(items(files), MARCH);
        let (mut ahead, mut out) = (Vec::new(), b"an answer before".to_vec());

        loop {
            listing.look_ahead();
            listing.look_ahead();
            let before = out.len();
            if !listing.page(7, &mut out) {
                break;
            }
            assert_eq!(
                listing.ahead.capacity(),
                0,
                "a page that is told holds nothing"
            );
            ahead.push(read(out.split_off(before)));
            out = if ahead.len() % 2 == 0 {
                b"an answer before".to_vec()
            } else {
                Vec::new()
            };
        }

        assert_eq!(format!("{ahead:?}"), format!("{plain:?}"));
        assert!(!listing.is_ahead());
    }
}
