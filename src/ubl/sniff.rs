//! What are bytes that are not XML?

use crate::model::Kind;
use crate::ubl::RemarkCode;
use crate::ubl::limits::PDF_START_BYTES_MAX;

/// What bytes are that no XML reader should be tried on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stranger {
    pub(super) kind: Kind,
    pub(super) code: RemarkCode,
    pub(super) told: &'static str,
}

/// Returns what `bytes` are, unless they may be XML.
pub(super) fn stranger(bytes: &[u8]) -> Option<Stranger> {
    let unreadable = |code, told| Stranger {
        kind: Kind::Unreadable,
        code,
        told,
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Some(unreadable(RemarkCode::Empty, "there is nothing in it"));
    }
    if let Some((_, code, told)) = MAGIC.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        return Some(unreadable(*code, *told));
    }
    if may_be_xml(bytes) {
        return None;
    }
    if is_pdf(bytes) {
        return Some(pdf(bytes));
    }
    let told = if begins_with_two_marks(bytes) {
        "it is not XML: a second byte order mark stands before its `<`"
    } else {
        "it is not XML: it does not begin with `<`"
    };
    Some(unreadable(RemarkCode::NotXml, told))
}

/// Whether `bytes` begin as a PDF does.
pub(super) fn is_pdf(bytes: &[u8]) -> bool {
    let head = bytes.get(..PDF_START_BYTES_MAX).unwrap_or(bytes);
    head.windows(4).any(|four| four == b"%PDF")
}

fn pdf(bytes: &[u8]) -> Stranger {
    let carries_invoice = CARRIED.iter().any(|name| contains_ignore_case(bytes, name));
    let told = if carries_invoice {
        "it is a PDF that carries an invoice inside (Factur-X, ZUGFeRD), which no linked program reads"
    } else {
        "it is a PDF, not an e-invoice"
    };
    Stranger {
        kind: Kind::Other,
        code: RemarkCode::NotUbl,
        told,
    }
}

fn contains_ignore_case(bytes: &[u8], name: &[u8]) -> bool {
    bytes
        .windows(name.len())
        .any(|part| part.eq_ignore_ascii_case(name))
}

/// A program that joins pieces of files marks each.
fn begins_with_two_marks(bytes: &[u8]) -> bool {
    let behind = |mark: &&[u8]| {
        bytes
            .strip_prefix(*mark)
            .is_some_and(|rest| rest.starts_with(mark))
    };
    MARKS.iter().any(behind)
}

/// Byte order marks of UTF-8 and UTF-16.
const MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

/// XML begins with `<`, after a byte order mark or spaces; in UTF-16 a zero stands beside it.
fn may_be_xml(bytes: &[u8]) -> bool {
    let after_mark = MARKS.iter().find_map(|mark| bytes.strip_prefix(*mark));
    after_mark
        .unwrap_or(bytes)
        .iter()
        .find(|byte| !byte.is_ascii_whitespace() && **byte != 0)
        == Some(&b'<')
}

/// Names under which a PDF carries its invoice (Factur-X 1.0 §6.1, `ZUGFeRD` 1.0, XRechnung).
const CARRIED: [&[u8]; 3] = [b"factur-x.xml", b"zugferd-invoice.xml", b"xrechnung.xml"];

#[rustfmt::skip]
const MAGIC: &[(&[u8], RemarkCode, &str)] = &[
    (b"PK\x03\x04",         RemarkCode::Archive, "it is not XML: it is a ZIP archive or an office document"),
    (b"\x1f\x8b",           RemarkCode::Archive, "it is not XML: it is a gzip archive"),
    (b"\x89PNG",            RemarkCode::NotXml,  "it is not XML: it is a picture (PNG)"),
    (b"\xff\xd8\xff",       RemarkCode::NotXml,  "it is not XML: it is a picture (JPEG)"),
    (b"\xd0\xcf\x11\xe0",   RemarkCode::NotXml,  "it is not XML: it is an old office document or mail"),
    (b"\xff\xfe\x00\x00",   RemarkCode::NotXml,  "it is in UTF-32, which is not read"),
    (b"\x00\x00\xfe\xff",   RemarkCode::NotXml,  "it is in UTF-32, which is not read"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> Option<(Kind, &'static str)> {
        stranger(bytes).map(|stranger| (stranger.kind, stranger.told))
    }

    #[test]
    fn a_pdf_says_whether_it_carries_an_invoice() {
        let plain = b"%PDF-1.7\n...";
        let hybrid = b"junk %PDF-1.7\n/F (ZUGFeRD-invoice.xml)";

        assert_eq!(
            told(plain),
            Some((Kind::Other, "it is a PDF, not an e-invoice"))
        );
        assert!(told(hybrid).unwrap().1.contains("Factur-X, ZUGFeRD"));
    }

    #[test]
    fn a_pdf_begins_within_its_first_kilobyte() {
        let mut bytes = vec![b'x'; PDF_START_BYTES_MAX - 4];
        bytes.extend(b"%PDF");
        assert!(is_pdf(&bytes));

        bytes.insert(0, b'x');
        assert!(!is_pdf(&bytes));
    }

    #[test]
    fn what_may_be_xml_is_left_to_its_reader() {
        for bytes in [
            &b"<a>%PDF</a>"[..],
            b" \n<a/>",
            b"\xef\xbb\xbf<a/>",
            b"\0<\0a",
            b"\xff\xfe<\0a\0",
        ] {
            assert_eq!(stranger(bytes), None);
        }
    }

    #[test]
    fn nothing_is_empty_and_the_rest_is_not_xml() {
        assert_eq!(stranger(b" \r\n").unwrap().code, RemarkCode::Empty);
        assert_eq!(stranger(b"").unwrap().code, RemarkCode::Empty);
        assert_eq!(stranger(b"{}").unwrap().code, RemarkCode::NotXml);
        let twice = b"\xef\xbb\xbf\xef\xbb\xbf<a/>";
        assert!(told(twice).unwrap().1.contains("second byte order mark"));
        for archive in [&b"PK\x03\x04"[..], b"\x1f\x8b"] {
            let stranger = stranger(archive).unwrap();
            assert_eq!(stranger.kind, Kind::Unreadable);
            assert_eq!(stranger.code, RemarkCode::Archive);
        }
    }
}
