//! What does a file-name template of a profile say?
//!
//! Programs import in the order of names, and a name is never used twice; so a template begins with
//! `{seq}`, or with `{date}` and then `{seq}`, and nothing that varies in length touches `{seq}`.

use crate::layout::template::{TemplateError, Token, lookup, tokens};

/// The most text, in characters, that a file-name template may hold: the rest is for its values.
pub const FILE_TEXT_CHARS_MAX: usize = 20;

/// A file's name with places for facts, checked; the extension is not part of it.
///
/// ```
/// # use sluis::layout::FileTemplate;
/// assert!(FileTemplate::parse("{seq}_{number}_{party}").is_ok());
/// assert!(FileTemplate::parse("{date}_{seq}_{number}").is_ok()); // sorts by date of issue
/// assert!(FileTemplate::parse("{number}_{party}").is_err()); // two files could be called alike
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTemplate {
    parts: Vec<Part>,
    trail: String,
}

impl FileTemplate {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// When a variable is unknown, text is not `A-Z a-z 0-9 . _ -`, or the names would not sort by
    /// `{seq}` or not differ by it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = Self::read(text)?;
        match template.fault() {
            None => Ok(template),
            Some(reason) => Err(TemplateError::FileName {
                template: text.to_owned(),
                reason,
            }),
        }
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text behind the last part.
    pub(super) fn trail(&self) -> &str {
        &self.trail
    }

    fn read(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut before = String::new();
        for token in tokens(text)? {
            match token {
                Token::Text(plain) => before = checked(plain)?.to_owned(),
                Token::Braced(name) => parts.push(Part {
                    before: std::mem::take(&mut before),
                    fact: FileFact::named(name)?,
                }),
            }
        }
        let trail = before;
        Ok(Self { parts, trail })
    }

    fn fault(&self) -> Option<&'static str> {
        let facts: Vec<_> = self.parts.iter().map(|part| part.fact).collect();
        let separators = || self.parts.iter().skip(1).map(|part| part.before.as_str());
        let chars: usize = separators().map(str::len).sum::<usize>() + self.trail.len();
        if !facts.contains(&FileFact::Seq) {
            Some("it needs {seq}, the number that no other file has")
        } else if !matches!(
            facts.as_slice(),
            [FileFact::Seq, ..] | [FileFact::Date, FileFact::Seq, ..]
        ) || self
            .parts
            .first()
            .is_some_and(|part| !part.before.is_empty())
        {
            Some("begin with {seq}, or with {date} and then {seq}")
        } else if (1..facts.len()).any(|at| facts[..at].contains(&facts[at])) {
            Some("name each variable once")
        } else if !separators().all(begins_apart)
            || !(self.trail.is_empty() || begins_apart(&self.trail))
        {
            Some("put `_`, `-` or `.` behind each variable")
        } else if self.trail.ends_with('.') {
            Some("leave out the dot at its end: the extension brings its own")
        } else if chars > FILE_TEXT_CHARS_MAX {
            Some("it holds more than 20 characters of text, which leaves no room for its values")
        } else {
            None
        }
    }
}

/// A variable and the text before it, which goes when the variable has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) before: String,
    pub(super) fact: FileFact,
}

/// What a file-name template may ask of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFact {
    Seq,
    Number,
    Party,
    Date,
    Kind,
}

impl FileFact {
    const NAMES: &[(&str, Self)] = &[
        ("seq", Self::Seq),
        ("number", Self::Number),
        ("docno", Self::Number),
        ("party", Self::Party),
        ("date", Self::Date),
        ("kind", Self::Kind),
    ];

    fn named(name: &str) -> Result<Self, TemplateError> {
        lookup(Self::NAMES, name).ok_or_else(|| TemplateError::Unknown {
            name: name.to_owned(),
            known: "seq, number (or docno), party, date, kind".to_owned(),
        })
    }
}

/// Whether `c` may stand in a file name.
pub(super) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || is_separator(c)
}

/// Whether `c` keeps values apart.
pub(super) fn is_separator(c: char) -> bool {
    matches!(c, '_' | '-' | '.')
}

fn begins_apart(text: &str) -> bool {
    text.starts_with(is_separator)
}

fn checked(text: &str) -> Result<&str, TemplateError> {
    if text.chars().all(is_plain) && !text.contains("..") {
        return Ok(text);
    }
    Err(TemplateError::Text {
        text: text.to_owned(),
        reason: "a file name holds letters without accents, digits, `_`, `-` and single dots",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_could_name_two_files_alike_is_refused() {
        for bad in [
            "",
            "x",
            "{number}_{party}",
            "INV_{seq}",
            "{party}_{seq}",
            "{date}_{number}_{seq}",
            "{seq}{number}",
            "{seq}0{number}",
            "{seq}_{number}{party}",
            "{seq}_{seq}",
            "{seq}_{number}_{docno}",
            "{seq}x",
            "{seq}_a.",
        ] {
            let fault = FileTemplate::parse(bad).unwrap_err();
            assert!(matches!(fault, TemplateError::FileName { .. }), "{bad:?}");
        }
    }

    #[test]
    fn text_that_a_file_name_cannot_hold_is_refused() {
        for bad in [
            "{seq}_é",
            "{seq} {number}",
            "{seq}_a/b",
            "{seq}_..",
            "{seq}_{name}",
            "{seq",
        ] {
            assert!(FileTemplate::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn docno_is_another_word_for_number() {
        assert_eq!(
            FileTemplate::parse("{seq}_{docno}").unwrap(),
            FileTemplate::parse("{seq}_{number}").unwrap()
        );
    }

    #[test]
    fn text_one_past_the_limit_is_refused() {
        let text = |n: usize| format!("{{seq}}_{}", "a".repeat(n - 1));
        assert!(FileTemplate::parse(&text(FILE_TEXT_CHARS_MAX)).is_ok());
        assert!(FileTemplate::parse(&text(FILE_TEXT_CHARS_MAX + 1)).is_err());
    }
}
