//! How are remarks gathered, and how does a broken document name its place?

use crate::model::steers;
use crate::ubl::limits::REMARKS_MAX;
use crate::ubl::{Remark, RemarkCode};

/// Remarks in the order they arose, at most [`REMARKS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Remarks(Vec<Remark>);

impl Remarks {
    /// Adds one; past the limit the last says that there was more.
    pub(super) fn add(&mut self, code: RemarkCode, text: impl Into<String>) {
        if self.0.len() + 1 < REMARKS_MAX {
            let text = text.into();
            self.0.push(Remark { code, text });
        } else if self.0.len() < REMARKS_MAX {
            let text = format!(
                "there is more to remark; the first {} are shown",
                self.0.len()
            );
            self.0.push(Remark {
                code: RemarkCode::TooMany,
                text,
            });
        }
    }

    /// Says how many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds why a reading is given up, in the place of all but the first `before`, which are not of that reading.
    /// It is told however many there were.
    pub(super) fn give_up(&mut self, before: usize, code: RemarkCode, text: String) {
        self.0.truncate(before.min(REMARKS_MAX - 1));
        self.0.push(Remark { code, text });
    }

    pub(super) fn into_vec(self) -> Vec<Remark> {
        self.0
    }
}

/// Why a document cannot be read, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: RemarkCode,
    pub(super) what: String,
    /// Byte offset in the decoded text.
    pub(super) at: usize,
}

impl Fault {
    pub(super) fn new(code: RemarkCode, what: impl Into<String>, at: usize) -> Self {
        let what = what.into();
        Self { code, what, at }
    }

    /// Says what and in which line of `text`, which is the same in every encoding.
    pub(super) fn told(&self, text: &str) -> String {
        let before = text.as_bytes().get(..self.at).unwrap_or(text.as_bytes());
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        format!("{} (line {line}, byte {})", self.what, self.at)
    }
}

/// Returns `value` short enough, and on one line, to stand in a remark.
pub(super) fn shown(value: &str) -> String {
    let plain = |c: char| match c {
        _ if c.is_control() => ' ',
        _ if steers(c) => '\u{fffd}',
        _ => c,
    };
    let mut short: String = value.chars().take(SHOWN_CHARS_MAX).map(plain).collect();
    if value.chars().nth(SHOWN_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

/// A remark is one line to a person.
const SHOWN_CHARS_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_remark_past_the_limit_says_that_there_was_more() {
        let mut remarks = Remarks::default();
        for nth in 0..=REMARKS_MAX {
            remarks.add(RemarkCode::Odd, format!("remark {nth}"));
        }

        let list = remarks.into_vec();

        assert_eq!(list.len(), REMARKS_MAX);
        assert_eq!(
            list.last().unwrap().to_string(),
            "there is more to remark; the first 49 are shown"
        );
    }

    #[test]
    fn why_a_reading_is_given_up_is_told_however_much_was_remarked() {
        for (before, kept) in [(0, 0), (1, 1), (REMARKS_MAX, REMARKS_MAX - 1)] {
            let mut remarks = Remarks::default();
            for _ in 0..=REMARKS_MAX {
                remarks.add(RemarkCode::Odd, "odd");
            }
            remarks.give_up(before, RemarkCode::BrokenXml, "broken".to_owned());

            let list = remarks.into_vec();
            assert_eq!(list.len(), kept + 1);
            assert_eq!(list.last().unwrap().text, "broken");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_on_one_line() {
        let long = "x".repeat(SHOWN_CHARS_MAX);

        assert_eq!(shown("a\nb\u{1b}é"), "a b é");
        assert_eq!(shown("a\u{202e}fdp.exe"), "a\u{fffd}fdp.exe");
        assert_eq!(shown(&long), long);
        assert_eq!(shown(&format!("{long}x")), format!("{long}…"));
    }

    #[test]
    fn a_fault_names_its_line() {
        let fault = Fault::new(RemarkCode::BrokenXml, "broken", 4);

        let text = fault.told("a\nb\nc");

        assert_eq!(text, "broken (line 3, byte 4)");
        let code = RemarkCode::BrokenXml;
        assert_eq!(Remark { code, text }.line(), Some(3));
        let text = "`(line 3, byte 4` is odd".to_owned();
        assert_eq!(Remark { code, text }.line(), None);
    }
}
