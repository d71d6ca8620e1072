//! What does foreign text do to whoever shows it?
//!
//! What senders write is shown by a terminal, a log, a text beside a rejected file, a listing. Control
//! characters steer the first and break the lines of the others, and a mark that turns the direction of
//! writing makes `invoice‹mark›fdp.exe` read as `invoiceexe.pdf`. None of them is ever shown as it is.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Says whether `c` steers what shows it: a control character, an end of a line or paragraph, or a mark
/// that turns the direction of what follows.
pub fn steers(c: char) -> bool {
    c.is_control() || turns(c)
}

/// Whether `c` turns the direction of what follows, or ends its line without being a control character.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns `text` on one line, with `\u{fffd}` for whatever steers.
///
/// ```
/// # use sluis::model::on_one_line;
/// assert_eq!(on_one_line("F-1\nReason: none"), "F-1\u{fffd}Reason: none");
/// assert_eq!(on_one_line("invoice\u{202e}fdp.exe"), "invoice\u{fffd}fdp.exe");
/// assert_eq!(on_one_line("Café"), "Café");
/// ```
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    if text.contains(steers) {
        text.replace(steers, "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// Returns `text` with each character that steers, but those of `kept`, written as JSON writes it: `\n`,
/// `\u001b`. So it can be told what stood there, and JSON stays JSON.
///
/// ```
/// # use sluis::model::escaped;
/// assert_eq!(escaped("a\n\u{9b}2J\u{202e}", ""), "a\\n\\u009b2J\\u202e");
/// ```
pub fn escaped<'a>(text: &'a str, kept: &str) -> Cow<'a, str> {
    let changes = |c: char| steers(c) && !kept.contains(c);
    if !text.contains(changes) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if !changes(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // A string takes all, and none of these needs more than four digits.
            _ => write!(out, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_it_was_nothing_steers_any_more(text in any::<String>()) {
            prop_assert!(!on_one_line(&text).contains(steers));
            prop_assert!(!escaped(&text, "").contains(steers));
        }

        #[test]
        fn json_says_the_same_when_it_is_escaped(text in "[\\PC\u{7f}-\u{9f}\u{202e}\u{2028}\n\u{1b}\"]{0,20}") {
            let json = serde_json::to_string(&text).unwrap();

            let back: String = serde_json::from_str(&escaped(&json, "")).unwrap();

            prop_assert_eq!(back, text);
        }
    }

    #[test]
    fn what_is_kept_stays_and_the_rest_is_told() {
        assert_eq!(escaped("\u{1b}[2m a\nb\t", "\u{1b}"), "\u{1b}[2m a\\nb\\t");
        assert_eq!(escaped("plain", ""), "plain");
    }
}
