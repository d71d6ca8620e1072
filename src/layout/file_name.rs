//! What is the file of a delivery called?
//!
//! Sorted names are the order in which accounting programs import, so a name begins with a counter;
//! every other part is for the eye, and may be folded, shortened or missing.

use deunicode::deunicode_with_tofu;
use jiff::civil::Date;

use crate::layout::file_template::{FileFact, FileTemplate, Part, is_plain, is_separator};
use crate::model::Kind;

/// The longest file name, in characters, its extension among them.
pub const FILE_NAME_CHARS_MAX: usize = 80;

/// The longest extension, in characters.
const EXTENSION_CHARS_MAX: usize = 8;

/// How much of a number or a party is looked at, in characters; more than any name could show.
const VALUE_CHARS_MAX: usize = 200;

/// What a file name may say about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts<'a> {
    /// The day it was published, in the firm's time zone.
    pub day: Date,
    /// Its number in the dossier, never used twice on a day.
    pub seq: u32,
    /// The document's own number (BT-1).
    pub number: Option<&'a str>,
    /// The other party: its enterprise number, or what it is known by.
    pub party: Option<&'a str>,
    /// The day it was issued (BT-2); the day it was published stands in for it.
    pub issued: Option<Date>,
    /// What it is.
    pub kind: Kind,
    /// The extension, without its dot: `xml`.
    pub extension: &'a str,
}

/// Returns the file name of a delivery: legal everywhere, and like no other of its dossier.
///
/// It holds only `A-Z a-z 0-9 . _ -`, at most [`FILE_NAME_CHARS_MAX`] of them. Numbers and parties
/// are shortened to fit; the counter and the extension never are.
///
/// ```
/// # use jiff::civil::date;
/// # use sluis::layout::{FileFacts, FileTemplate, file_name};
/// # use sluis::model::Kind;
/// let template = FileTemplate::parse("{seq}_{number}_{party}").unwrap();
/// let facts = FileFacts {
///     day: date(2026, 1, 14),
///     seq: 37,
///     number: Some("V01/15000001"),
///     party: Some("0239843188"),
///     issued: None,
///     kind: Kind::Invoice,
///     extension: "xml",
/// };
/// assert_eq!(file_name(&template, &facts), "20260114-00037_V01-15000001_0239843188.xml");
/// let nameless = FileFacts { number: None, ..facts };
/// assert_eq!(file_name(&template, &nameless), "20260114-00037_0239843188.xml");
/// ```
pub fn file_name(template: &FileTemplate, facts: &FileFacts<'_>) -> String {
    let extension = extension(facts.extension);
    let mut parts: Vec<(&Part, String)> = template
        .parts()
        .iter()
        .map(|part| (part, value(part.fact, facts)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let room = FILE_NAME_CHARS_MAX - extension.len() - 1 - template.trail().len();
    while length(&parts) > room && shorten(&mut parts) {}
    let stem: String = parts
        .iter()
        .flat_map(|(part, value)| [part.before.as_str(), value.as_str()])
        .collect();
    format!("{stem}{}.{extension}", template.trail())
}

fn length(parts: &[(&Part, String)]) -> usize {
    let lengths = parts
        .iter()
        .map(|(part, value)| part.before.len() + value.len());
    lengths.sum()
}

/// Takes a character from the longer of number and party. Text is limited, so that a few characters
/// of each are left beside the counter.
fn shorten(parts: &mut [(&Part, String)]) -> bool {
    let for_the_eye = |part: &Part| matches!(part.fact, FileFact::Number | FileFact::Party);
    let candidates = parts.iter_mut().filter(|(part, _)| for_the_eye(part));
    let Some((_, value)) = candidates.max_by_key(|(_, value)| value.len()) else {
        return false;
    };
    value.pop();
    let kept = value.trim_end_matches(is_separator).len();
    value.truncate(kept);
    true
}

fn value(fact: FileFact, facts: &FileFacts<'_>) -> String {
    match fact {
        FileFact::Seq => format!("{}-{:05}", compact(facts.day), facts.seq),
        FileFact::Date => compact(facts.issued.unwrap_or(facts.day)),
        FileFact::Kind => facts.kind.as_str().to_owned(),
        FileFact::Number => plain(facts.number.unwrap_or_default()),
        FileFact::Party => plain(facts.party.unwrap_or_default()),
    }
}

/// `yyyyMMdd`: always eight digits, for names sort by them.
fn compact(date: Date) -> String {
    let year = date.year().max(0);
    format!("{year:04}{:02}{:02}", date.month(), date.day())
}

/// Folds to plain characters; a run of others, or of one separator, becomes one.
fn plain(text: &str) -> String {
    let start: String = text.chars().take(VALUE_CHARS_MAX).collect();
    let mut folded = String::new();
    for c in deunicode_with_tofu(&start, "-").chars() {
        let c = if is_plain(c) { c } else { '-' };
        if !(is_separator(c) && folded.ends_with(c)) {
            folded.push(c);
        }
    }
    folded.trim_matches(is_separator).to_owned()
}

fn extension(text: &str) -> String {
    let plain = text.chars().filter(char::is_ascii_alphanumeric);
    let kept: String = plain.take(EXTENSION_CHARS_MAX).collect();
    match kept.as_str() {
        "" => "xml".to_owned(),
        _ => kept.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const FACTS: FileFacts<'static> = FileFacts {
        day: date(2026, 1, 14),
        seq: 37,
        number: Some("V01-15000001"),
        party: Some("0239843188"),
        issued: Some(date(2025, 12, 31)),
        kind: Kind::CreditNote,
        extension: "xml",
    };

    fn named(template: &str, facts: &FileFacts<'_>) -> String {
        file_name(&FileTemplate::parse(template).unwrap(), facts)
    }

    const TEMPLATES: [&str; 7] = [
        "{seq}_{number}_{party}",
        "{seq}",
        "{date}_{seq}.{party}-x",
        "{date}-{seq}_{kind}-{party}_{number}",
        "{seq}-{kind}",
        "{seq}_aaaaa_{number}_bbbbb_{party}_c",
        "{date}_{seq}_aaaa_{kind}_{number}_bbbb_{party}",
    ];

    #[test]
    fn each_template_has_its_name() {
        let names = TEMPLATES.map(|template| named(template, &FACTS));

        assert_eq!(
            names,
            [
                "20260114-00037_V01-15000001_0239843188.xml",
                "20260114-00037.xml",
                "20251231_20260114-00037.0239843188-x.xml",
                "20251231-20260114-00037_credit_note-0239843188_V01-15000001.xml",
                "20260114-00037-credit_note.xml",
                "20260114-00037_aaaaa_V01-15000001_bbbbb_0239843188_c.xml",
                "20251231_20260114-00037_aaaa_credit_note_V01-15000001_bbbb_0239843188.xml",
            ]
        );
    }

    #[test]
    fn accents_fold_and_runs_of_the_rest_become_one() {
        let facts = FileFacts {
            number: Some("..//Überweisung  n° 7__"),
            party: Some("Café « Œuf »"),
            ..FACTS
        };

        assert_eq!(
            named("{seq}_{number}_{party}", &facts),
            "20260114-00037_Uberweisung-ndeg-7_Cafe-OEuf.xml"
        );
    }

    #[test]
    fn what_is_missing_leaves_no_gap() {
        let facts = FileFacts {
            number: Some(" /"),
            party: None,
            issued: None,
            ..FACTS
        };

        assert_eq!(
            named("{seq}_{number}_{party}", &facts),
            "20260114-00037.xml"
        );
        assert_eq!(named("{date}_{seq}", &facts), "20260114_20260114-00037.xml");
    }

    #[test]
    fn a_long_number_is_shortened_and_the_party_stays() {
        let long = "9".repeat(300);
        let facts = FileFacts {
            number: Some(&long),
            ..FACTS
        };

        let name = named("{seq}_{number}_{party}", &facts);

        assert_eq!(name.len(), FILE_NAME_CHARS_MAX);
        assert!(name.ends_with("9_0239843188.xml"));
    }

    fn facts_of<'a>(
        seq: u32,
        number: Option<&'a String>,
        party: Option<&'a String>,
    ) -> FileFacts<'a> {
        let (number, party) = (number.map(String::as_str), party.map(String::as_str));
        FileFacts {
            seq,
            number,
            party,
            ..FACTS
        }
    }

    fn value_strategy() -> impl Strategy<Value = Option<String>> {
        proptest::option::of(prop_oneof![
            any::<String>(),
            "[0-9]{0,99}",
            "[A-Za-z._/ -]{0,99}"
        ])
    }

    proptest! {
        #[test]
        fn any_number_and_party_give_a_legal_name(
            at in 0..TEMPLATES.len(), seq in any::<u32>(), number in value_strategy(), party in value_strategy(),
        ) {
            let name = named(TEMPLATES[at], &facts_of(seq, number.as_ref(), party.as_ref()));

            prop_assert!(name.len() <= FILE_NAME_CHARS_MAX);
            prop_assert!(name.ends_with(".xml"));
            prop_assert!(name.chars().all(is_plain) && !name.starts_with('.') && !name.contains(".."));
            prop_assert!(name.contains(&format!("20260114-{seq:05}")), "{}", name);
            prop_assert!(!crate::layout::legal::is_reserved(&name));
        }

        #[test]
        fn names_differ_and_sort_by_their_counter(
            at in 0..TEMPLATES.len(), one in 0..100_000u32, two in 0..100_000u32,
            number in value_strategy(), party in value_strategy(), other in value_strategy(),
        ) {
            let first = named(TEMPLATES[at], &facts_of(one, number.as_ref(), party.as_ref())).to_lowercase();
            let second = named(TEMPLATES[at], &facts_of(two, other.as_ref(), number.as_ref())).to_lowercase();

            if one != two {
                prop_assert_eq!(one.cmp(&two), first.cmp(&second));
            }
        }

        #[test]
        fn counters_past_five_digits_still_differ(
            at in 0..TEMPLATES.len(), one in any::<u32>(), shift in 1u32..10, digits in "[0-9]{0,6}",
        ) {
            let (longer, digits) = (one.saturating_mul(10).saturating_add(shift), Some(digits));
            prop_assume!(longer != one);

            let first = named(TEMPLATES[at], &facts_of(one, digits.as_ref(), digits.as_ref()));
            let second = named(TEMPLATES[at], &facts_of(longer, None, digits.as_ref()));

            prop_assert_ne!(first, second);
        }
    }

    #[test]
    fn an_extension_keeps_its_place_and_nothing_else() {
        for (given, kept) in [
            ("XML", "xml"),
            (".pdf", "pdf"),
            ("", "xml"),
            ("x/../y", "xy"),
        ] {
            let facts = FileFacts {
                extension: given,
                ..FACTS
            };
            assert_eq!(named("{seq}", &facts), format!("20260114-00037.{kept}"));
        }
    }
}
