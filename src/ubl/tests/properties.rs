//! Can any bytes at all make the reader fail, or believe what is cut short?

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::fixture;
use crate::model::Kind;
use crate::ubl::{Reading, read, show};

const FIXTURES: [&[u8]; 7] = [
    fixture!("peppol-invoice.xml"),
    fixture!("peppol-credit-note.xml"),
    fixture!("ubl-be.xml"),
    fixture!("sbdh-invoice.xml"),
    fixture!("utf-16.xml"),
    fixture!("cii.xml"),
    fixture!("dtd-bomb.xml"),
];

/// Where the root's last tag ends: what follows is a line break.
fn end_of_root(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'>').unwrap_or(0)
}

proptest! {
    #[test]
    fn any_bytes_give_a_reading(bytes in vec(any::<u8>(), 0..512)) {
        let read = read(&bytes);

        show::json_line("any", &read.reading);
        show::text("any", &read.reading);
    }

    #[test]
    fn any_text_that_begins_as_xml_gives_a_reading(text in "<[a-z:!?/<>&;=\"' \\[\\]-]{0,80}") {
        read(text.as_bytes());
    }

    #[test]
    fn a_mutated_document_gives_a_reading(
        fixture in select(&FIXTURES[..]),
        changes in vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = fixture.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }

        let read = read(&bytes);

        if let Some(inner) = &read.inner {
            prop_assert_eq!(crate::ubl::read(inner).reading.number, read.reading.number);
        }
    }

    #[test]
    fn a_document_cut_short_is_never_an_invoice(
        fixture in select(&FIXTURES[..]),
        at in any::<Index>(),
    ) {
        let kept = at.index(end_of_root(fixture));

        let read = read(&fixture[..kept]);

        prop_assert_eq!(read.reading.kind, Kind::Unreadable);
        let bare = Reading { remarks: vec![], ..read.reading };
        prop_assert_eq!(bare, Reading::nothing(Kind::Unreadable));
    }

    #[test]
    fn a_document_with_a_hole_is_read_or_refused_but_never_half(
        fixture in select(&FIXTURES[..]),
        from in any::<Index>(),
        len in 1usize..200,
    ) {
        let from = from.index(fixture.len());
        let to = (from + len).min(fixture.len());
        let bytes = [&fixture[..from], &fixture[to..]].concat();

        let read = read(&bytes);

        let unreadable = read.reading.kind == Kind::Unreadable && read.inner.is_none();
        prop_assert!(!unreadable || read.reading.number.is_none());
    }
}
