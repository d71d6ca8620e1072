//! Is this a name, a character or a reference, as XML has them?

use crate::ubl::remarks::{Fault, shown};
use crate::ubl::xml::{dtd, malformed};

/// Whether `name` can be the name of an element, an attribute or an entity (XML 1.0 §2.3, Namespaces §3).
pub(super) fn is_name(name: &str) -> bool {
    let mut parts = name.split(':');
    let sound = parts.by_ref().take(2).all(is_name_part);
    sound && parts.next().is_none()
}

fn is_name_part(part: &str) -> bool {
    let begins = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii());
    let inside = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c) || !c.is_ascii();
    begins && part.chars().all(inside)
}

/// Whether `content` is that of an XML declaration (XML 1.0 §2.8).
pub(super) fn is_declaration(content: &str) -> bool {
    let Some((version, rest)) = content
        .strip_prefix("xml")
        .and_then(|rest| pseudo(rest, "version"))
    else {
        return false;
    };
    let (encoding, rest) = pseudo(rest, "encoding").unwrap_or(("UTF-8", rest));
    let (standalone, rest) = pseudo(rest, "standalone").unwrap_or(("no", rest));
    let minor = version.strip_prefix("1.").unwrap_or_default();
    let counted = !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit());
    counted
        && is_name_part(encoding)
        && matches!(standalone, "yes" | "no")
        && rest.trim_ascii().is_empty()
}

/// Takes ` name="value"` from the beginning of `text`.
fn pseudo<'t>(text: &'t str, name: &str) -> Option<(&'t str, &'t str)> {
    let begun = text.trim_ascii_start();
    let after = begun.strip_prefix(name)?.trim_ascii_start();
    let value = after.strip_prefix('=')?.trim_ascii_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, rest) = value.get(1..)?.split_once(quote)?;
    (begun.len() < text.len()).then_some((value, rest))
}

/// Whether a space stands behind each attribute that another follows (XML 1.0 §3.1).
pub(super) fn attributes_are_apart(raw: &str) -> bool {
    let mut rest = raw;
    while let Some(opening) = rest.find(['"', '\'']) {
        let quote = if rest[opening..].starts_with('"') {
            '"'
        } else {
            '\''
        };
        let Some((_, behind)) = rest[opening + 1..].split_once(quote) else {
            return true; // the reader itself says that it is not closed
        };
        if behind.starts_with(|c: char| !c.is_ascii_whitespace() && c != '/') {
            return false;
        }
        rest = behind;
    }
    true
}

/// Returns the character that a reference stands for.
///
/// # Errors
///
/// When it is none of the five entities, nor the number of a character that XML knows.
pub(super) fn resolve(name: &str, at: usize) -> Result<char, Fault> {
    match name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => match name.strip_prefix('#') {
            Some(number) => numbered(number)
                .ok_or_else(|| malformed(format!("`&{};` is no character", shown(name)), at)),
            None if is_name(name) => {
                let told = format!(
                    "it refers to the entity `&{};`, which is never read",
                    shown(name)
                );
                Err(dtd(told, at))
            }
            None => Err(malformed("a `&` begins no reference", at)),
        },
    }
}

fn numbered(number: &str) -> Option<char> {
    let code = match number.strip_prefix('x') {
        Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u32::from_str_radix(hex, 16).ok()
        }
        None if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse().ok(),
        _ => None,
    }?;
    char::from_u32(code).filter(|c| is_xml_char(*c))
}

/// The characters of XML 1.0 §2.2.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_xml_has_them() {
        for name in ["Invoice", "cbc:ID", "_a", "é", "a-b.c_1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "1a", "a:b:c", ":a", "a:", "a b", "a!", "-a"] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_declaration_has_its_parts_in_order() {
        for sound in [
            "xml version='1.0'",
            "xml version=\"1.1\" encoding='ISO-8859-1' standalone = \"yes\" ",
            "xml version='1.0' standalone='no'",
        ] {
            assert!(is_declaration(sound), "{sound}");
        }
        for odd in [
            "xml",
            "xml version='2.0'",
            "xml version='1.0'encoding='UTF-8'",
            "xml encoding='UTF-8' version='1.0'",
            "xml version='1.0' encoding=''",
            "xml version='1.0' standalone='maybe'",
            "xml version='1.0' more='1'",
            "xml version='1.0",
        ] {
            assert!(!is_declaration(odd), "{odd}");
        }
    }

    #[test]
    fn attributes_have_a_space_between_them() {
        assert!(attributes_are_apart(" a='1' b=\"it's\"\n c='' "));
        assert!(!attributes_are_apart(" a='1'b='2'"));
    }
}
