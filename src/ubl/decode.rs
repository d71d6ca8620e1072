//! In which encoding are these bytes, whatever they say?
//!
//! A byte order mark is believed first, then the pattern of the bytes, then the declaration. Where they
//! disagree it is remarked, and read as what it must be: a wrong label is common and hurts nobody.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::ubl::RemarkCode;
use crate::ubl::remarks::{Remarks, shown};

/// Returns the text of `bytes`, without a byte order mark.
pub(super) fn decode<'a>(bytes: &'a [u8], remarks: &mut Remarks) -> Cow<'a, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let text = decode_as(encoding, bytes.get(mark..).unwrap_or_default(), remarks);
        compare_with_declared(encoding, &text, "byte order mark", remarks);
        return text;
    }
    if let Some(encoding) = utf16_pattern(bytes) {
        let text = decode_as(encoding, bytes, remarks);
        compare_with_declared(encoding, &text, "byte pattern", remarks);
        return text;
    }
    let head = bytes.get(..DECLARATION_BYTES_MAX).unwrap_or(bytes);
    match declared(&String::from_utf8_lossy(head)) {
        Some(label) => decode_labelled(label, bytes, remarks),
        None => decode_as(UTF_8, bytes, remarks),
    }
}

/// Decodes what the declaration claims to be in the encoding `label`.
fn decode_labelled<'a>(label: &str, bytes: &'a [u8], remarks: &mut Remarks) -> Cow<'a, str> {
    let encoding = match Encoding::for_label_no_replacement(label.as_bytes()) {
        Some(encoding) if encoding != UTF_16LE && encoding != UTF_16BE => encoding,
        Some(_) => {
            let told = format!(
                "it declares `{}`, but is not in it; read as UTF-8",
                shown(label)
            );
            remarks.add(RemarkCode::Encoding, told);
            UTF_8
        }
        None => {
            let told = format!("it declares the unknown encoding `{}`", shown(label));
            remarks.add(RemarkCode::Encoding, told);
            UTF_8
        }
    };
    // Text in a single-byte encoding is hardly ever valid UTF-8 by chance.
    if encoding.is_single_byte() && !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok() {
        let told = format!("it declares `{}`, but is UTF-8; read as such", shown(label));
        remarks.add(RemarkCode::Encoding, told);
        return decode_as(UTF_8, bytes, remarks);
    }
    decode_as(encoding, bytes, remarks)
}

fn decode_as<'a>(
    encoding: &'static Encoding,
    bytes: &'a [u8],
    remarks: &mut Remarks,
) -> Cow<'a, str> {
    if encoding == UTF_8 {
        return decode_utf8(bytes, remarks);
    }
    let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
    if had_errors {
        let told = format!("some bytes do not fit the encoding {}", encoding.name());
        remarks.add(RemarkCode::Encoding, told);
    }
    text
}

fn decode_utf8<'a>(bytes: &'a [u8], remarks: &mut Remarks) -> Cow<'a, str> {
    let fault = match std::str::from_utf8(bytes) {
        Ok(text) => return Cow::Borrowed(text),
        Err(fault) => fault,
    };
    let at = fault.valid_up_to();
    // Accents that were right until here show that it is UTF-8 with a flaw. So do those behind it, unless there
    // are more flaws than that: two letters of another encoding may look like one of UTF-8.
    let never_was = bytes.get(..at).is_some_and(<[u8]>::is_ascii);
    if never_was && !is_mostly_sound(bytes) {
        let told = format!(
            "it is not UTF-8 at byte {at}; read as {}",
            WINDOWS_1252.name()
        );
        remarks.add(RemarkCode::Encoding, told);
        return WINDOWS_1252.decode_without_bom_handling(bytes).0;
    }
    let told = format!("it is not UTF-8 at byte {at}; what does not fit is shown as `\u{fffd}`");
    remarks.add(RemarkCode::Encoding, told);
    String::from_utf8_lossy(bytes)
}

/// Whether there are as many characters of UTF-8 beyond ASCII as places that fit none.
fn is_mostly_sound(bytes: &[u8]) -> bool {
    let (mut sound, mut flaws) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        sound += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        flaws += usize::from(!chunk.invalid().is_empty());
    }
    sound >= flaws
}

fn compare_with_declared(
    actual: &'static Encoding,
    text: &str,
    witness: &str,
    remarks: &mut Remarks,
) {
    let Some(label) = declared(text) else { return };
    // A bare `UTF-16` stands for either order (XML 1.0 §4.3.3).
    let either_order = label.eq_ignore_ascii_case("utf-16") && actual != UTF_8;
    if !either_order && Encoding::for_label(label.as_bytes()) != Some(actual) {
        let told = format!(
            "it declares `{}`, but its {witness} says {}; read as such",
            shown(label),
            actual.name()
        );
        remarks.add(RemarkCode::Encoding, told);
    }
}

/// The first character of XML is `<`, so two bytes tell UTF-16 and its order (XML 1.0 appendix F).
fn utf16_pattern(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        [b'<', 0, next, 0, ..] if *next != 0 => Some(UTF_16LE),
        [0, b'<', 0, next, ..] if *next != 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// Returns the encoding that an XML declaration at the very start names.
fn declared(text: &str) -> Option<&str> {
    let declaration = text.strip_prefix("<?xml")?.split_once("?>")?.0;
    let after = declaration.split_once("encoding")?.1.trim_start();
    let value = after.strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (label, _) = value.get(1..)?.split_once(quote)?;
    Some(label)
}

/// How far into the bytes an XML declaration is looked for.
const DECLARATION_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> (String, Vec<String>) {
        let mut remarks = Remarks::default();
        let text = decode(bytes, &mut remarks).into_owned();
        let told = remarks.into_vec().iter().map(ToString::to_string).collect();
        (text, told)
    }

    fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn honest_encodings_are_read_without_a_word() {
        let latin = "<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>";
        let latin_bytes: Vec<u8> = latin.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let wide = "<?xml version='1.0' encoding='UTF-16'?><a>é</a>";
        let cases = [
            (b"<a>\xc3\xa9</a>".to_vec(), "<a>é</a>"),
            (b"\xef\xbb\xbf<a>\xc3\xa9</a>".to_vec(), "<a>é</a>"),
            (latin_bytes, latin),
            (utf16(wide, u16::to_le_bytes), wide),
            (utf16(wide, u16::to_be_bytes), wide),
            (
                [vec![0xff, 0xfe], utf16(wide, u16::to_le_bytes)].concat(),
                wide,
            ),
            (
                [vec![0xfe, 0xff], utf16(wide, u16::to_be_bytes)].concat(),
                wide,
            ),
        ];
        for (bytes, text) in cases {
            assert_eq!(decoded(&bytes), (text.to_owned(), vec![]));
        }
    }

    #[test]
    fn a_lying_declaration_is_remarked_and_read_nonetheless() {
        let cases: [(&[u8], &str); 7] = [
            (
                b"<?xml version='1.0' encoding='UTF-16'?><a>\xc3\xa9</a>",
                "it declares `UTF-16`, but is not in it; read as UTF-8",
            ),
            (
                b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xc3\xa9</a>",
                "it declares `ISO-8859-1`, but is UTF-8; read as such",
            ),
            (
                b"<?xml version='1.0' encoding='UTF-8'?><a>\xe9</a>",
                "it is not UTF-8 at byte 41; read as windows-1252",
            ),
            (
                b"<?xml version='1.0' encoding='klingon'?><a>\xc3\xa9</a>",
                "it declares the unknown encoding `klingon`",
            ),
            (
                b"\xef\xbb\xbf<?xml version='1.0' encoding='ISO-8859-1'?><a>\xc3\xa9</a>",
                "it declares `ISO-8859-1`, but its byte order mark says UTF-8; read as such",
            ),
            (
                b"<?xml version='1.0' encoding='iso-2022-kr'?><a>\xc3\xa9</a>",
                "it declares the unknown encoding `iso-2022-kr`",
            ),
            (b"<?xml version='1.0'?><a>\xc3\xa9</a>", ""),
        ];
        for (bytes, remark) in cases {
            let (text, told) = decoded(bytes);
            assert!(text.ends_with("<a>é</a>"), "{text}");
            assert_eq!(told.concat(), remark);
        }
    }

    #[test]
    fn a_declaration_one_byte_past_the_limit_is_not_looked_at() {
        let declared = |bytes: usize| {
            let (begin, end) = ("<?xml version='1.0'", "encoding='ISO-8859-2'?>");
            let spaces = " ".repeat(bytes - begin.len() - end.len());
            [format!("{begin}{spaces}{end}<a>").as_bytes(), b"\xa3</a>"].concat()
        };

        let (within, told) = decoded(&declared(DECLARATION_BYTES_MAX));
        assert!(within.ends_with("<a>Ł</a>") && told.is_empty(), "{told:?}");
        let (past, told) = decoded(&declared(DECLARATION_BYTES_MAX + 1));
        assert!(past.ends_with("<a>£</a>"), "{told:?}");
    }

    #[test]
    fn a_flaw_before_all_accents_costs_one_character_too() {
        let cut = "it is not UTF-8 at byte 3; what does not fit is shown as `\u{fffd}`";
        for (bytes, text, remark) in [
            (&b"<a>\xc3</a>Zo\xc3\xab"[..], "<a>\u{fffd}</a>Zoë", cut),
            (b"<a>\xe2\x82</a>\xe2\x82\xac", "<a>\u{fffd}</a>€", cut),
            // More that fits windows-1252 than looks like UTF-8 by chance.
            (
                b"<a>\xe9t\xe9 \xc9\xab</a>",
                "<a>été É«</a>",
                "it is not UTF-8 at byte 3; read as windows-1252",
            ),
        ] {
            let (read, told) = decoded(bytes);
            assert_eq!(read, text);
            assert_eq!(told.concat(), remark);
        }
    }

    #[test]
    fn one_flaw_in_utf8_costs_one_character() {
        let (text, told) = decoded(b"<a>\xc3\xa9 \xe9 \xc3\xa9</a>");

        assert_eq!(text, "<a>é \u{fffd} é</a>");
        assert_eq!(
            told,
            ["it is not UTF-8 at byte 6; what does not fit is shown as `\u{fffd}`"]
        );
    }
}
