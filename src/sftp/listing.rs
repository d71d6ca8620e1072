//! What does a peer see of a listing, page by page?
//!
//! A listing is a snapshot: what changes after OPENDIR does not move its pages.

use jiff::tz::TimeZone;
use russh_sftp::protocol::{File, FileAttributes, FileMode};

use super::limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};
use crate::model::Timestamp;
use crate::tree::{Attributes, Item};

/// A folder that is being listed.
#[derive(Debug)]
pub(super) struct Listing {
    items: std::vec::IntoIter<Item>,
    at: Timestamp,
}

impl Listing {
    /// Begins a listing of these, at `now`, which decides how old times are written.
    pub(super) fn new(items: Vec<Item>, now: Timestamp) -> Self {
        Self {
            items: items.into_iter(),
            at: now,
        }
    }

    /// Returns the next entries; none at the end.
    pub(super) fn page(&mut self) -> Vec<File> {
        let mut page = Vec::new();
        let mut bytes = 0;
        while page.len() < PAGE_ENTRIES_MAX && bytes < PAGE_BYTES_MAX - ENTRY_BYTES_MAX {
            let Some(item) = self.items.next() else { break };
            let file = entry(&item, self.at);
            bytes += file.filename.len() + file.longname.len() + ENTRY_HEAD_BYTES;
            page.push(file);
        }
        page
    }
}

/// Lengths and attributes of an entry, in bytes, beside its two names.
const ENTRY_HEAD_BYTES: usize = 40;

/// An entry with the longest name twice, in bytes.
const ENTRY_BYTES_MAX: usize = 2 * 1024;

fn entry(item: &Item, now: Timestamp) -> File {
    File {
        filename: item.name.clone(),
        longname: longname(&item.name, &item.attributes, now),
        attrs: to_wire(&item.attributes),
    }
}

/// Returns attributes as they are sent. Everybody may do everything as far as the bits say, for a
/// mount compares them with local users; the tree itself refuses.
pub(super) fn to_wire(attributes: &Attributes) -> FileAttributes {
    let mode = if attributes.is_folder {
        FileMode::DIR.bits() | 0o777
    } else {
        FileMode::REG.bits() | 0o666
    };
    let seconds = attributes.at.as_sftp_seconds();
    FileAttributes {
        size: Some(attributes.bytes),
        uid: Some(0),
        gid: Some(0),
        permissions: Some(mode),
        atime: Some(seconds),
        mtime: Some(seconds),
        ..FileAttributes::default()
    }
}

/// Returns a line as `ls -l` writes it, which is what clients expect (filexfer-02 §7).
fn longname(name: &str, attributes: &Attributes, now: Timestamp) -> String {
    let mode = if attributes.is_folder {
        "drwxrwxrwx"
    } else {
        "-rw-rw-rw-"
    };
    let when = when(attributes.at, now);
    format!(
        "{mode}    1 sluis    sluis    {:>12} {when} {name}",
        attributes.bytes
    )
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
    use super::*;

    const MARCH: Timestamp = Timestamp(1_773_475_200_000); // 2026-03-14T08:00Z

    fn file(name: &str) -> Item {
        Item {
            name: name.to_owned(),
            attributes: Attributes {
                is_folder: false,
                bytes: 1234,
                at: MARCH,
            },
        }
    }

    #[test]
    fn a_line_looks_as_ls_writes_it() {
        let line = |now| longname("F-17.xml", &file("").attributes, now);

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
    fn pages_hold_everything_once_and_fit_an_old_client() {
        let long = "x".repeat(255);
        let items: Vec<_> = (0..1000)
            .map(|at| file(&format!("{at:05}{long}")))
            .collect();
        let mut listing = Listing::new(items, MARCH);

        let mut names = Vec::new();
        loop {
            let page = listing.page();
            if page.is_empty() {
                break;
            }
            let bytes: usize = page
                .iter()
                .map(|f| f.filename.len() + f.longname.len() + ENTRY_HEAD_BYTES)
                .sum();
            assert!(page.len() <= PAGE_ENTRIES_MAX && bytes <= PAGE_BYTES_MAX);
            names.extend(page.into_iter().map(|file| file.filename));
        }

        assert_eq!(names.len(), 1000);
        assert!(names.is_sorted());
    }
}
