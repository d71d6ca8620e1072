//! What does a folder template of a profile say?
//!
//! `expertm/{dossier_code}/{to_process}/{purchases}`: text, facts of a link, and words of the
//! profile's language table. Words become text here, so a template belongs to one language.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization as _;

use crate::layout::legal::{self, FOLDER_CHARS_MAX};
use crate::model::fold;

/// The deepest folder that a template may name.
pub const FOLDERS_DEEP_MAX: usize = 12;

/// The least room, in characters, that a variable keeps beside the text of its folder name.
const VARIABLE_CHARS_MIN: usize = 4;

/// The words of one language, by name.
pub(super) type Words = BTreeMap<String, String>;

/// A folder's path with places for facts, checked and in one language.
///
/// It keeps these promises: it names a dossier; each component renders to one legal component; text
/// stands in the result unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderTemplate(Vec<Vec<Piece>>);

impl FolderTemplate {
    /// Reads a template; `words` are those of its language.
    ///
    /// # Errors
    ///
    /// When a variable is unknown, or text could not be part of a folder name on Windows.
    pub fn parse(text: &str, words: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let components: Vec<_> = text
            .split('/')
            .map(|component| read_component(component, words))
            .collect::<Result<_, _>>()?;
        if components.len() > FOLDERS_DEEP_MAX {
            return Err(TemplateError::TooDeep);
        }
        let template = Self(components);
        if !template.facts().any(Fact::names_dossier) {
            return Err(TemplateError::NoDossier);
        }
        Ok(template)
    }

    /// Returns whether the folder depends on the year or the month.
    pub fn uses_date(&self) -> bool {
        self.facts()
            .any(|fact| matches!(fact, Fact::Year | Fact::Month))
    }

    /// Returns whether the two name different folders whatever the facts are, ignoring case.
    ///
    /// Careful: it may say no for two that would always differ, never yes for two that could meet.
    pub fn surely_differs(&self, other: &Self) -> bool {
        self.0.len() != other.0.len()
            || self
                .0
                .iter()
                .zip(&other.0)
                .any(|(one, two)| components_differ(one, two))
    }

    pub(super) fn components(&self) -> &[Vec<Piece>] {
        &self.0
    }

    fn facts(&self) -> impl Iterator<Item = Fact> + '_ {
        self.0.iter().flatten().filter_map(|piece| match piece {
            Piece::Fact(fact) => Some(*fact),
            Piece::Text(_) => None,
        })
    }
}

/// A part of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Fact(Fact),
}

/// What a folder template may ask of a link or a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    Firm,
    DossierCode,
    DossierName,
    EnterpriseNumber,
    Vat,
    Year,
    Month,
}

impl Fact {
    const NAMES: &[(&str, Self)] = &[
        ("firm", Self::Firm),
        ("dossier_code", Self::DossierCode),
        ("dossier_name", Self::DossierName),
        ("enterprise_number", Self::EnterpriseNumber),
        ("vat", Self::Vat),
        ("year", Self::Year),
        ("month", Self::Month),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        lookup(Self::NAMES, name)
    }

    fn names_dossier(self) -> bool {
        !matches!(self, Self::Firm | Self::Year | Self::Month)
    }
}

/// Finds what `name` stands for.
pub(super) fn lookup<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    let found = names.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value)
}

/// A template that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{` without its `}`, or the reverse.
    #[error("`{0}` has a `{{` or `}}` without its other half")]
    Unbalanced(String),
    /// A name in braces that stands for nothing.
    #[error("`{{{name}}}` is unknown here: use one of {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those that would do.
        known: String,
    },
    /// Two `/` in a row, or one at an end.
    #[error("a folder without a name: write one `/` between folders, none at the ends")]
    EmptyFolder,
    /// `.` or `..`.
    #[error("`{0}` is no folder name: write the path in full, from the root of the tree")]
    Dots(String),
    /// Text that Windows would refuse or change.
    #[error("`{text}` cannot stand in a name on Windows: {reason}")]
    Text {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More text than leaves room for the variables.
    #[error(
        "`{0}` is too long: a name has at most {FOLDER_CHARS_MAX} characters, its values among them"
    )]
    TooLong(String),
    /// Deeper than [`FOLDERS_DEEP_MAX`].
    #[error("too many folders in each other: at most {FOLDERS_DEEP_MAX}")]
    TooDeep,
    /// All dossiers would share one folder.
    #[error(
        "the folder names no dossier, so all would share it: use {{dossier_code}}, {{dossier_name}}, {{enterprise_number}} or {{vat}}"
    )]
    NoDossier,
    /// A file name's order or uniqueness would be lost.
    #[error("`{template}` does not give each file its own name, in order: {reason}")]
    FileName {
        /// The template.
        template: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A part of a template as written.
pub(super) enum Token<'a> {
    Text(&'a str),
    Braced(&'a str),
}

/// Splits a template into text and names in braces.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, braced) = rest.split_at(rest.find(['{', '}']).unwrap_or(rest.len()));
        if !plain.is_empty() {
            found.push(Token::Text(plain));
        }
        if braced.is_empty() {
            break;
        }
        let (name, after) = braced
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
            .filter(|(name, _)| !name.contains('{'))
            .ok_or_else(|| TemplateError::Unbalanced(text.to_owned()))?;
        found.push(Token::Braced(name));
        rest = after;
    }
    Ok(found)
}

fn read_component(text: &str, words: &Words) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces: Vec<Piece> = Vec::new();
    for token in tokens(text)? {
        let plain = match token {
            Token::Text(plain) => plain,
            Token::Braced(name) => match (Fact::named(name), words.get(name)) {
                (Some(fact), _) => {
                    pieces.push(Piece::Fact(fact));
                    continue;
                }
                (None, Some(word)) => word.as_str(),
                (None, None) => return Err(unknown(name, words)),
            },
        };
        match pieces.last_mut() {
            Some(Piece::Text(before)) => before.push_str(plain),
            _ => pieces.push(Piece::Text(plain.to_owned())),
        }
    }
    for piece in &mut pieces {
        if let Piece::Text(plain) = piece {
            *plain = plain.nfc().collect();
        }
    }
    check_component(&pieces)?;
    Ok(pieces)
}

fn unknown(name: &str, words: &Words) -> TemplateError {
    let facts = Fact::NAMES.iter().map(|(fact, _)| *fact);
    let known = facts.chain(words.keys().map(String::as_str));
    TemplateError::Unknown {
        name: name.to_owned(),
        known: known.collect::<Vec<_>>().join(", "),
    }
}

fn check_component(pieces: &[Piece]) -> Result<(), TemplateError> {
    let texts = || {
        pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Fact(_) => None,
        })
    };
    let variables = pieces.len() - texts().count();
    let chars: usize = texts().map(|text| text.chars().count()).sum();
    if let [Piece::Text(only)] = pieces
        && only.chars().all(|c| c == '.')
    {
        return Err(TemplateError::Dots(only.clone()));
    }
    if chars == 0 && variables == 0 {
        return Err(TemplateError::EmptyFolder);
    }
    if let Some((text, reason)) = texts().find_map(|text| Some((text, illegal(text)?))) {
        return Err(refused(text, reason));
    }
    if chars + variables * VARIABLE_CHARS_MIN > FOLDER_CHARS_MAX {
        return Err(TemplateError::TooLong(texts().collect()));
    }
    check_ends(pieces)
}

fn illegal(text: &str) -> Option<&'static str> {
    if text.contains('\\') {
        return Some("write `/` between folders");
    }
    let illegal = text
        .chars()
        .any(|c| legal::is_illegal(c) || legal::is_invisible(c) || (c != ' ' && c.is_whitespace()));
    let mark_first = text
        .chars()
        .next()
        .is_some_and(|c| c != ' ' && legal::cannot_lead(c));
    (illegal || mark_first).then_some("leave out `< > : \" \\ | ? *` and invisible characters")
}

fn check_ends(pieces: &[Piece]) -> Result<(), TemplateError> {
    let (lead, trail) = (lead(pieces), trail(pieces));
    if lead.starts_with(legal::cannot_lead) {
        return Err(refused(lead, "a folder name does not begin with a space"));
    }
    if trail.ends_with(legal::cannot_end) {
        return Err(refused(
            trail,
            "Windows drops a dot or a space at the end of a folder name",
        ));
    }
    // Up to its first dot a name decides whether it is a device; text before a variable may be short of that.
    let complete = lead.contains('.') || pieces.len() == 1;
    if complete && legal::is_reserved(lead) {
        return Err(refused(lead, "it is the name of a device"));
    }
    Ok(())
}

fn refused(text: &str, reason: &'static str) -> TemplateError {
    let text = text.to_owned();
    TemplateError::Text { text, reason }
}

/// What a component always begins with.
fn lead(pieces: &[Piece]) -> &str {
    text_of(pieces.first())
}

/// What a component always ends with.
fn trail(pieces: &[Piece]) -> &str {
    text_of(pieces.last())
}

fn text_of(piece: Option<&Piece>) -> &str {
    match piece {
        Some(Piece::Text(text)) => text,
        _ => "",
    }
}

fn components_differ(one: &[Piece], two: &[Piece]) -> bool {
    if let ([Piece::Text(one)], [Piece::Text(two)]) = (one, two) {
        return fold(one) != fold(two);
    }
    let (leads, trails) = (
        (fold(lead(one)), fold(lead(two))),
        (fold(trail(one)), fold(trail(two))),
    );
    let lead_differs = leads.0.chars().zip(leads.1.chars()).any(|(a, b)| a != b);
    let mut from_behind = trails.0.chars().rev().zip(trails.1.chars().rev());
    lead_differs || from_behind.any(|(a, b)| a != b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let words = [("purchases", "Aankopen"), ("sales", "Verkopen")];
        words.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    fn template(text: &str) -> FolderTemplate {
        FolderTemplate::parse(text, &words()).unwrap()
    }

    fn fault(text: &str) -> String {
        FolderTemplate::parse(text, &words())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn words_become_text() {
        assert_eq!(
            template("{dossier_code}/in {purchases}"),
            template("{dossier_code}/in Aankopen")
        );
    }

    #[test]
    fn a_template_that_windows_or_a_reader_would_stumble_on_is_refused() {
        for bad in [
            "",
            "/{dossier_code}",
            "{dossier_code}/",
            "a//{dossier_code}",
            "../{dossier_code}",
            "./{dossier_code}",
            "...{dossier_code}/..",
            "{dossier_code}/a:b",
            "a\\{dossier_code}",
            "{dossier_code}/nul",
            "com1.{dossier_code}",
            "{dossier_code}/a.",
            "{dossier_code}/ a",
            "{dossier_code} ",
            "{dossier_code}\u{301}",
            "{dossier_code}/a\u{a0}b",
            "{dossier_code}/a\u{2028}b",
            "{dossier_code}/a\u{202e}b",
            "{dossier_code",
            "dossier_code}",
            "{{dossier_code}}",
            "{}",
            "{ dossier_code }",
            "{firm}/{year}/{purchases}",
        ] {
            assert!(FolderTemplate::parse(bad, &words()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_unknown_variable_is_answered_with_those_that_exist() {
        assert_eq!(
            fault("{dossier}/{purchases}"),
            "`{dossier}` is unknown here: use one of firm, dossier_code, dossier_name, \
             enterprise_number, vat, year, month, purchases, sales"
        );
    }

    #[test]
    fn a_template_one_past_a_limit_is_refused() {
        let deep = |n| format!("{{vat}}{}", "/a".repeat(n));
        assert!(FolderTemplate::parse(&deep(FOLDERS_DEEP_MAX - 1), &words()).is_ok());
        assert_eq!(
            fault(&deep(FOLDERS_DEEP_MAX)),
            "too many folders in each other: at most 12"
        );
        let long = |n| format!("{{vat}}/{}", "a".repeat(n));
        assert!(FolderTemplate::parse(&long(FOLDER_CHARS_MAX), &words()).is_ok());
        assert!(FolderTemplate::parse(&long(FOLDER_CHARS_MAX + 1), &words()).is_err());
    }

    #[test]
    fn only_text_tells_two_templates_apart() {
        let differ = |a: &str, b: &str| template(a).surely_differs(&template(b));

        assert!(differ("{vat}/{purchases}", "{vat}/{sales}"));
        assert!(differ("{vat}/in", "{vat}/in/done"));
        assert!(differ("{vat}-in", "{vat}-out"));
        assert!(!differ("{vat}/In", "{vat}/iN"));
        assert!(!differ("{vat}/{year}", "{vat}/2026"));
        assert!(!differ("{vat}/{dossier_code}", "{vat}/{dossier_code}x"));
    }

    #[test]
    fn a_date_in_a_template_is_seen() {
        assert!(template("{vat}/{year}").uses_date());
        assert!(template("{vat}/m{month}").uses_date());
        assert!(!template("{vat}/{purchases}").uses_date());
    }
}
