//! How much is this base64, how does it begin, and is it the same as another?

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::model::Digest;
use crate::ubl::limits::PDF_START_BYTES_MAX;

/// Measures base64 that comes in parts, and keeps its beginning.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    digits: u64,
    padding: u64,
    /// How many of the digits are those of the alphabet for URLs (RFC 4648 §5).
    of_urls: u64,
    /// How many characters are neither digits, padding nor spaces, or digits after padding.
    strange: u64,
    head: Vec<u8>,
    /// Of everything but spaces and padding: lines may be cut otherwise.
    hasher: Sha256,
}

impl Base64 {
    pub(super) fn add(&mut self, part: &str) {
        for block in part.as_bytes().chunks(BLOCK) {
            // A document is mostly its attachment, and that is mostly digits.
            let is_plain = self.padding == 0 && self.head.len() >= HEAD_DIGITS;
            if is_plain && block.iter().fold(true, |all, byte| all & is_digit(*byte)) {
                self.digits += block.len() as u64;
                self.hasher.update(block);
            } else {
                self.add_one_by_one(block);
            }
        }
    }

    fn add_one_by_one(&mut self, block: &[u8]) {
        let mut said = [0; BLOCK];
        let mut room = said.iter_mut();
        for &byte in block {
            let class = BASE64_CLASSES[usize::from(byte)];
            match class {
                Class::Digit if self.padding == 0 => self.digit(byte),
                Class::UrlDigit if self.padding == 0 => {
                    self.of_urls += 1;
                    self.digit(if byte == b'-' { b'+' } else { b'/' });
                }
                Class::Padding => self.padding += 1,
                Class::Space => {}
                Class::Digit | Class::UrlDigit | Class::Strange => self.strange += 1,
            }
            if !matches!(class, Class::Padding | Class::Space)
                && let Some(next) = room.next()
            {
                *next = byte;
            }
        }
        let rest = room.len();
        self.hasher.update(&said[..BLOCK - rest]);
    }

    fn digit(&mut self, byte: u8) {
        self.digits += 1;
        if self.head.len() < HEAD_DIGITS {
            self.head.push(byte);
        }
    }

    /// Returns how many bytes it has been so far.
    pub(super) fn decoded_bytes(&self) -> u64 {
        let rest = (self.digits % 4).saturating_sub(1);
        self.digits / 4 * 3 + rest
    }

    /// Returns what is wrong with it as a whole.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let whole = self.padding <= 2 && (self.digits + self.padding).is_multiple_of(4);
        if self.is_strange() {
            return Some("is not valid base64");
        }
        if self.of_urls > 0 {
            return Some(
                "is base64 for URLs, with `-` or `_` in it, which not every program reads",
            );
        }
        match self.digits % 4 {
            _ if whole => None,
            2 | 3 => Some("lacks the padding of its base64, or ends in the middle"),
            _ => Some("ends in the middle of its base64"),
        }
    }

    /// Whether it holds what is in no base64, so that nobody knows what it would be decoded.
    pub(super) fn is_strange(&self) -> bool {
        self.strange > 0
    }

    /// Returns the digest of the text so far, without spaces and padding.
    pub(super) fn text_digest(&self) -> Digest {
        Digest::from_hasher(self.hasher.clone())
    }

    /// Returns the first bytes, decoded.
    pub(super) fn head(&self) -> Vec<u8> {
        let whole = self.head.len() - self.head.len() % 4;
        STANDARD_NO_PAD
            .decode(&self.head[..whole])
            .unwrap_or_default()
    }
}

/// Enough digits to find where a PDF begins; a multiple of four.
const HEAD_DIGITS: usize = PDF_START_BYTES_MAX / 3 * 4 + 4;

/// How many characters are looked at together.
const BLOCK: usize = 64;

/// Without a branch or a table, so that many are compared at once.
fn is_digit(byte: u8) -> bool {
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        | (byte.wrapping_sub(b'0') < 10)
        | (byte == b'+')
        | (byte == b'/')
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Digit,
    UrlDigit,
    Padding,
    Space,
    Strange,
}

/// RFC 4648 §4 and §5, and the spaces that XML allows in between.
const BASE64_CLASSES: [Class; 256] = {
    let mut classes = [Class::Strange; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a constant counted below 256"
        )]
        let character = byte as u8;
        classes[byte] = match character {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => Class::Digit,
            b'-' | b'_' => Class::UrlDigit,
            b'=' => Class::Padding,
            b' ' | b'\t' | b'\r' | b'\n' => Class::Space,
            _ => Class::Strange,
        };
        byte += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_quick_look_agrees_with_the_table() {
        for byte in 0..=255_u8 {
            let in_table = BASE64_CLASSES[usize::from(byte)] == Class::Digit;
            assert_eq!(is_digit(byte), in_table, "{byte}");
        }
    }

    #[test]
    fn one_strange_character_far_into_an_attachment_is_found() {
        for strange in ["!", "=A", "é"] {
            let mut measure = Base64::default();
            measure.add(&"A".repeat(HEAD_DIGITS + 400));
            measure.add(&format!("{}{strange}{}", "A".repeat(101), "A".repeat(99)));
            assert_eq!(measure.fault(), Some("is not valid base64"), "{strange}");
        }
    }

    #[test]
    fn a_fault_is_called_by_its_name() {
        for (text, told) in [
            ("JVBERi0xLjQKJQ==", None),
            (
                "JVBERi0xLjQKJQ",
                Some("lacks the padding of its base64, or ends in the middle"),
            ),
            (
                "JVBERi0xLjQKJQ=",
                Some("lacks the padding of its base64, or ends in the middle"),
            ),
            ("JVBERi0xLjQKJ", Some("ends in the middle of its base64")),
            (
                "JVBERi0xLjQK_-0=",
                Some("is base64 for URLs, with `-` or `_` in it, which not every program reads"),
            ),
            ("JVBERi0xLjQK*Q==", Some("is not valid base64")),
        ] {
            let mut measure = Base64::default();
            measure.add(text);
            assert_eq!(measure.fault(), told, "{text}");
        }
    }

    #[test]
    fn the_digest_is_that_of_the_text_however_its_lines_are_cut() {
        let text = "QUJD".repeat(HEAD_DIGITS) + "RA==";
        let of = |parts: &[&str]| {
            let mut measure = Base64::default();
            parts.iter().for_each(|part| measure.add(part));
            measure.text_digest()
        };
        let expected = Digest::of(text.trim_end_matches('=').as_bytes());

        assert_eq!(of(&[&text]), expected);
        for cut in [1, 63, 64, 76, HEAD_DIGITS + 7] {
            let (head, tail) = text.split_at(cut);
            assert_eq!(of(&[head, "\r\n ", tail]), expected, "{cut}");
        }
        let other = text.replacen("RA==", "RQ==", 1);
        assert_ne!(of(&[&other]), expected);
        assert_ne!(
            of(&[&text, "A"]),
            expected,
            "also what stands behind the padding"
        );
    }

    proptest! {
        #[test]
        fn the_measure_agrees_with_a_decoder(bytes: Vec<u8>, at in 0usize..99) {
            let encoded = STANDARD.encode(&bytes);
            let (first, second) = encoded.split_at(at.min(encoded.len()));

            let mut measure = Base64::default();
            measure.add(first);
            measure.add(" \r\n");
            measure.add(second);

            prop_assert_eq!(measure.decoded_bytes(), bytes.len() as u64);
            prop_assert_eq!(measure.fault(), None);
            prop_assert!(bytes.starts_with(&measure.head()));
        }
    }
}
