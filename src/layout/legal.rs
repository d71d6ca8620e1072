//! Which names does Windows take, and what becomes of one it does not?

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The longest name of one folder, in characters: full paths on Windows are short (260).
pub const FOLDER_CHARS_MAX: usize = 60;

/// The longest dossier code, in characters.
pub const DOSSIER_CODE_CHARS_MAX: usize = 30;

/// Returns `text` as a folder name that Windows takes; a legal name comes back unchanged.
///
/// Accents stay (composed), illegal characters become `-`, invisible ones go, device names get a `_`
/// behind them, and at most [`FOLDER_CHARS_MAX`] characters are kept. The result is never empty.
///
/// ```
/// # use sluis::layout::safe_folder_name;
/// assert_eq!(safe_folder_name("Café Zoë"), "Café Zoë");
/// assert_eq!(safe_folder_name("A/B: \"Bouw\" B.V."), "A-B- -Bouw- B.V");
/// assert_eq!(safe_folder_name("con.backup"), "con_.backup");
/// assert_eq!(safe_folder_name(".."), "_");
/// ```
pub fn safe_folder_name(text: &str) -> String {
    safe_name(text, FOLDER_CHARS_MAX)
}

fn safe_name(text: &str, chars_max: usize) -> String {
    let legal: String = text.chars().filter_map(replaced).nfc().collect();
    let name = shortened(legal.trim_start_matches(cannot_lead), chars_max);
    if !is_reserved(&name) {
        return name;
    }
    let (base, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
    shortened(&format!("{}_{rest}", base.trim_end()), chars_max)
}

/// Returns `text`, which somebody called a file, as one component that Windows takes, of whatever length.
///
/// As [`safe_folder_name`] does it; a name that is legal comes back unchanged.
///
/// ```
/// # use sluis::layout::safe_file_name;
/// assert_eq!(safe_file_name("F-17 (2).xml"), "F-17 (2).xml");
/// assert_eq!(safe_file_name("..\\..\\C:\\x"), "..-..-C--x");
/// assert_eq!(safe_file_name("con.pdf"), "con_.pdf");
/// assert_eq!(safe_file_name("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
/// ```
pub fn safe_file_name(text: &str) -> String {
    safe_name(text, usize::MAX)
}

/// Checks that a dossier code can name a folder as it is.
///
/// ```
/// # use sluis::layout::check_code;
/// assert!(check_code("A-12 b").is_ok());
/// assert_eq!(
///     check_code("A/12").unwrap_err().to_string(),
///     "`A/12` cannot name a folder on Windows: use `A-12`, or another code"
/// );
/// ```
///
/// # Errors
///
/// When it is empty, longer than [`DOSSIER_CODE_CHARS_MAX`], or would have to be changed.
pub fn check_code(code: &str) -> Result<(), BadCode> {
    let chars = code.chars().count();
    let instead = safe_folder_name(code);
    if code.trim().is_empty() {
        Err(BadCode::Empty)
    } else if chars > DOSSIER_CODE_CHARS_MAX {
        Err(BadCode::TooLong { chars })
    } else if instead != code {
        let code = code.to_owned();
        Err(BadCode::Illegal { code, instead })
    } else {
        Ok(())
    }
}

/// A dossier code that cannot name a folder unchanged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCode {
    /// Nothing, or only spaces.
    #[error("the dossier code is empty: give the code that the accounting program uses")]
    Empty,
    /// Longer than [`DOSSIER_CODE_CHARS_MAX`].
    #[error(
        "the dossier code is {chars} characters long: at most {DOSSIER_CODE_CHARS_MAX} are taken"
    )]
    TooLong {
        /// Its length, in characters.
        chars: usize,
    },
    /// Windows would refuse it, or show it otherwise.
    #[error("`{code}` cannot name a folder on Windows: use `{instead}`, or another code")]
    Illegal {
        /// The code.
        code: String,
        /// The nearest legal one.
        instead: String,
    },
}

/// Whether Windows refuses `c` in a name, or takes it for a separator.
pub(super) fn is_illegal(c: char) -> bool {
    c.is_control() || matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
}

/// Whether `name` is a device on Windows, which an extension does not change.
pub(super) fn is_reserved(name: &str) -> bool {
    let base = name.split('.').next().unwrap_or(name).trim_end();
    let upper = base.to_ascii_uppercase();
    match upper.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        _ => ["COM", "LPT"]
            .iter()
            .filter_map(|port| upper.strip_prefix(port))
            .any(|number| PORTS.contains(&number)),
    }
}

/// Windows reads the superscripts of Latin-1 as digits here.
const PORTS: &[&str] = &[
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "\u{b9}", "\u{b2}", "\u{b3}",
];

/// Whether `c` cannot begin a name: a space is easily lost, and a mark would join what stands before.
pub(super) fn cannot_lead(c: char) -> bool {
    c == ' ' || is_combining_mark(c)
}

/// Whether Windows drops `c` from the end of a name.
pub(super) fn cannot_end(c: char) -> bool {
    matches!(c, ' ' | '.')
}

/// Returns the first `chars` characters, less an end that Windows would drop; `_` if nothing is left.
pub(super) fn shortened(text: &str, chars: usize) -> String {
    let cut: String = text.chars().take(chars).collect();
    match cut.trim_end_matches(cannot_end) {
        "" => "_".to_owned(),
        kept => kept.to_owned(),
    }
}

fn replaced(c: char) -> Option<char> {
    match c {
        _ if is_invisible(c) => None,
        _ if c.is_whitespace() => Some(' '),
        _ if is_illegal(c) => Some('-'),
        _ => Some(c),
    }
}

/// Characters that show nothing, or turn the direction of what follows: two names would look alike.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Windows demands, said again in other words than the code's.
    fn windows_takes(name: &str) -> bool {
        let stem = name.split('.').next().unwrap().trim_end().to_lowercase();
        let device = ["con", "prn", "aux", "nul"].contains(&stem.as_str())
            || (stem.len() == 4
                && (stem.starts_with("com") || stem.starts_with("lpt"))
                && stem.ends_with(|c: char| ('1'..='9').contains(&c)));
        !name.is_empty()
            && !name.ends_with(['.', ' '])
            && !name.contains(['<', '>', ':', '"', '/', '\\', '|', '?', '*'])
            && !name.chars().any(char::is_control)
            && !device
    }

    fn anything() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[ .:/a-cÉe\u{301}\u{200b}\t]{0,70}",
            "(?i)(con|nul|com1|lpt9|prn|aux)[ ]?([.]x{0,60})?",
        ]
    }

    proptest! {
        #[test]
        fn anything_becomes_a_name_that_windows_takes(text in anything()) {
            let name = safe_folder_name(&text);

            prop_assert!(windows_takes(&name), "{name:?}");
            prop_assert!(name.chars().count() <= FOLDER_CHARS_MAX);
            prop_assert_eq!(safe_folder_name(&name), name.clone());
        }

        #[test]
        fn a_plain_code_survives(code in "[A-Za-z0-9][A-Za-z0-9 _-]{0,28}[A-Za-z0-9]") {
            prop_assume!(windows_takes(&code));

            prop_assert_eq!(check_code(&code), Ok(()));
            prop_assert_eq!(safe_folder_name(&code), code);
        }

        #[test]
        fn an_accepted_code_names_its_folder_unchanged(code in anything()) {
            if check_code(&code).is_ok() {
                prop_assert_eq!(safe_folder_name(&code), code);
            }
        }
    }

    #[test]
    fn codes_as_bookkeepers_write_them_are_kept() {
        for code in ["ACME", "0012", "A-12 b", "Zoë", "B.V.1", "console", "com10"] {
            assert_eq!(check_code(code), Ok(()), "{code}");
        }
    }

    #[test]
    fn device_names_get_out_of_the_way() {
        for (name, safe) in [
            ("CON", "CON_"),
            ("nul.tar.gz", "nul_.tar.gz"),
            ("Com1 .x", "Com1_.x"),
            ("LPT\u{b2}", "LPT\u{b2}_"),
        ] {
            assert_eq!(safe_folder_name(name), safe);
        }
    }

    #[test]
    fn a_code_one_past_the_limit_is_refused() {
        assert!(check_code(&"9".repeat(DOSSIER_CODE_CHARS_MAX)).is_ok());
        assert_eq!(
            check_code(&"9".repeat(DOSSIER_CODE_CHARS_MAX + 1)),
            Err(BadCode::TooLong { chars: 31 })
        );
        assert_eq!(check_code("  "), Err(BadCode::Empty));
    }

    #[test]
    fn a_folder_name_one_past_the_limit_is_cut() {
        let long = "é".repeat(FOLDER_CHARS_MAX + 1);

        assert_eq!(safe_folder_name(&long), "é".repeat(FOLDER_CHARS_MAX));
    }

    #[test]
    fn accents_are_composed_and_invisible_characters_go() {
        assert_eq!(safe_folder_name("Re\u{301}gie\u{200b}"), "Régie");
    }
}
