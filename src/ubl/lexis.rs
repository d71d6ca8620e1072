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
}
