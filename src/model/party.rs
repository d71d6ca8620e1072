//! Who is meant by this number?
//!
//! Sellers, buyers and dossiers are known by enterprise numbers, VAT numbers, GLNs and more, each
//! written in many ways. Two ways of writing the same number have the same *key*.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Belgian enterprise number: ten digits, the first 0 or 1, the last two a check (scheme 0208).
///
/// ```
/// # use sluis::model::EnterpriseNumber;
/// let number: EnterpriseNumber = "BE 0239.843.188".parse().unwrap();
/// assert_eq!(number.to_string(), "0239843188");
/// assert!("0123123123".parse::<EnterpriseNumber>().is_err()); // a sample that fails the check
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnterpriseNumber(String);

impl fmt::Display for EnterpriseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EnterpriseNumber {
    type Err = InvalidEnterpriseNumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        belgian_digits(&squeeze(text))
            .filter(|digits| check_digits_agree(digits))
            .map(Self)
            .ok_or_else(|| InvalidEnterpriseNumber(text.to_owned()))
    }
}

/// The text is not an enterprise number.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an enterprise number: it wants ten digits whose last two check the first eight"
)]
pub struct InvalidEnterpriseNumber(String);

/// Where in a party an identifier stood, in order of trust (most trusted first).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyIdSource {
    /// `PartyLegalEntity/CompanyID` (BT-30, BT-47).
    LegalEntity,
    /// `PartyTaxScheme/CompanyID` (BT-31, BT-48).
    Vat,
    /// `EndpointID` (BT-34, BT-49).
    Endpoint,
    /// `PartyIdentification/ID` (BT-29, BT-46).
    Identification,
}

impl PartyIdSource {
    /// Returns the name that explanations and JSON use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LegalEntity => "legal_entity",
            Self::Vat => "vat",
            Self::Endpoint => "endpoint",
            Self::Identification => "identification",
        }
    }
}

/// An identifier of a seller or buyer: as written, and as compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyId {
    /// Where it stood.
    pub source: PartyIdSource,
    /// `schemeID`, as written.
    pub scheme: Option<String>,
    /// The value, as written.
    pub raw: String,
    /// What it is compared by: see [`normalise`].
    pub key: String,
}

impl PartyId {
    /// Takes an identifier as written in a document.
    pub fn new(source: PartyIdSource, scheme: Option<&str>, raw: &str) -> Self {
        let scheme = scheme.map(str::trim).filter(|scheme| !scheme.is_empty());
        Self {
            source,
            scheme: scheme.map(ToOwned::to_owned),
            raw: raw.to_owned(),
            key: normalise(scheme, raw),
        }
    }

    /// Returns the ten digits, when this names a Belgian enterprise.
    pub fn enterprise_digits(&self) -> Option<&str> {
        enterprise_digits_of(&self.key)
    }
}

/// Returns the keys of the sound Belgian numbers that stand somewhere in a text, whatever stands around them.
///
/// They are ten digits, or nine behind `BE`, with dots, spaces or the like between them, whose check agrees.
///
/// ```
/// # use sluis::model::belgian_numbers_in;
/// let found = |text| belgian_numbers_in(text).collect::<Vec<_>>();
/// assert_eq!(found("BE 0762.986.459 RPR Gent"), ["0208:0762986459"]);
/// assert_eq!(found("0239843188-001 / be762986459"), ["0208:0239843188", "0208:0762986459"]);
/// assert_eq!(found("5412345000013"), [""; 0]); // a longer number is another one
/// ```
pub fn belgian_numbers_in(text: &str) -> impl Iterator<Item = String> {
    let is_digit = |c: char| c.is_ascii_digit();
    let starts = text.char_indices().filter(move |&(at, c)| {
        is_digit(c)
            && !text
                .get(..at)
                .is_some_and(|before| before.ends_with(is_digit))
    });
    starts.filter_map(|(at, _)| {
        let (before, here) = text.split_at_checked(at)?;
        let digits = number_at(here, before)?;
        check_digits_agree(&digits).then(|| format!("0208:{digits}"))
    })
}

/// The ten digits with which a text begins, or nine behind `BE`: whole groups of them, with no letter between.
fn number_at(text: &str, before: &str) -> Option<String> {
    let mut digits = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_digit() {
            digits.push(c);
        } else if c.is_alphabetic() || digits.len() > 10 {
            break;
        }
        let is_end_of_group = c.is_ascii_digit() && !chars.peek().is_some_and(char::is_ascii_digit);
        let found = is_end_of_group.then(|| belgian_digits(&digits)).flatten();
        if found.is_some() && (digits.len() == 10 || squeeze(before).ends_with("BE")) {
            return found;
        }
    }
    None
}

/// Returns the ten digits of a key, when it is that of a Belgian enterprise: `0208:NVT` names nobody.
pub fn enterprise_digits_of(key: &str) -> Option<&str> {
    let digits = key.strip_prefix("0208:")?;
    let are_ten = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_ten.then_some(digits)
}

/// Returns the key by which identifiers are compared; empty when nothing is left of `raw`.
///
/// A Belgian number, however written and whether as enterprise or VAT number, becomes
/// `0208:` and ten digits; a wrong check digit lowers nobody's right to match. A foreign VAT number
/// becomes `vat:` with its country, another scheme its code and value, and a bare value `id:`.
///
/// ```
/// # use sluis::model::normalise;
/// assert_eq!(normalise(Some("0208"), "be0756996413"), "0208:0756996413");
/// assert_eq!(normalise(Some("9925"), "BE 0756.996.413"), "0208:0756996413");
/// assert_eq!(normalise(None, "BE756996413"), "0208:0756996413"); // nine digits, as before 2005
/// assert_eq!(normalise(Some("9944"), "NL8200.98.395.B.01"), "vat:NL820098395B01");
/// assert_eq!(normalise(Some("0106"), "12345678"), "0106:12345678");
/// assert_eq!(normalise(Some("GLN"), "5412345000013"), "0088:5412345000013");
/// assert_eq!(normalise(Some("GLN"), "BE0756996413"), "0208:0756996413"); // as some write an address
/// assert_eq!(normalise(None, "RPR Gent 0756.996.413"), "0208:0756996413");
/// assert_eq!(normalise(None, "0208:0756996413"), "0208:0756996413");
/// ```
pub fn normalise(scheme: Option<&str>, raw: &str) -> String {
    let (inline, value) = inline_scheme(raw);
    let scheme = inline.or(scheme).map(squeeze).unwrap_or_default();
    let value = squeeze(value);
    if value.is_empty() {
        return String::new();
    }
    if let Some(key) = belgian_on_paper(&value) {
        return key;
    }
    match family(&scheme) {
        Family::Belgian => belgian_digits(&value)
            .map_or_else(|| vat_or(&value, "0208"), |digits| format!("0208:{digits}")),
        Family::Vat => belgian_with_prefix(&value).unwrap_or_else(|| vat_or(&value, "id")),
        Family::Gln => {
            belgian_under_other(&scheme, &value).unwrap_or_else(|| format!("0088:{value}"))
        }
        Family::Other => belgian_under_other(&scheme, &value)
            .unwrap_or_else(|| format!("{}:{value}", scheme.to_lowercase())),
        Family::Unknown => unknown(&value),
    }
}

/// A Belgian number as it stands on paper: `BTW BE 0239.843.188`, `RPR Gent 0239.843.188`, `0239.843.188 RPM Mons`.
/// Only one whose check digits agree, for these words are not fixed.
fn belgian_on_paper(value: &str) -> Option<String> {
    let is_letter = |c: char| c.is_ascii_uppercase();
    let words = value.trim_matches(|c: char| c.is_ascii_digit());
    let number = value.trim_matches(is_letter);
    let is_one =
        words.len() + number.len() == value.len() && words.bytes().all(|b| b.is_ascii_uppercase());
    let named = ["BTW", "TVA", "RPR", "RPM"]
        .iter()
        .any(|word| words.starts_with(word));
    let digits =
        belgian_digits(number).filter(|digits| is_one && named && check_digits_agree(digits))?;
    Some(format!("0208:{digits}"))
}

/// A Belgian number under a scheme that is not its own: with its country, unless the scheme is one of the code lists;
/// or of ten digits that agree, where the scheme is that of another number, or a word for VAT.
fn belgian_under_other(scheme: &str, value: &str) -> Option<String> {
    let is_gln_scheme = matches!(family(scheme), Family::Gln);
    let is_coded = scheme.len() == 4 && scheme.bytes().all(|b| b.is_ascii_digit());
    if is_coded && !is_gln_scheme {
        return None;
    }
    let by_check = is_gln_scheme || matches!(scheme, "BTW" | "TVA" | "ONDNR");
    let digits = belgian_digits(value)
        .filter(|digits| by_check && value.len() == 10 && check_digits_agree(digits));
    belgian_with_prefix(value).or_else(|| digits.map(|digits| format!("0208:{digits}")))
}

/// Without a scheme a number is Belgian when its form says so.
fn unknown(value: &str) -> String {
    if let Some(key) = belgian_with_prefix(value) {
        return key;
    }
    let digits = belgian_digits(value);
    match digits {
        // Ten digits that begin with 0 or 1 are ours even when the check fails; nine need the check,
        // for a French SIREN has nine as well.
        Some(digits) if value.len() == 10 || check_digits_agree(&digits) => {
            format!("0208:{digits}")
        }
        _ if is_gln(value) => format!("0088:{value}"),
        _ => vat_or(value, "id"),
    }
}

enum Family {
    Belgian,
    Vat,
    Gln,
    Other,
    Unknown,
}

/// Schemes as the code list of electronic addresses (EAS, ISO 6523) and older files name them.
fn family(scheme: &str) -> Family {
    match scheme {
        "0208" | "9925" | "9956" | "0193" | "BECBE" | "BEVAT" | "BEKBO" | "CBE" | "KBO" | "BCE" => {
            Family::Belgian
        }
        "VAT" | "VA" => Family::Vat,
        "0088" | "GLN" | "EAN" => Family::Gln,
        "" | "ZZZ" | "UNKNOWN" => Family::Unknown,
        // 9910 to 9955 are national VAT numbers; so is anything that calls itself `XX:VAT`.
        _ if is_vat_scheme(scheme) => Family::Vat,
        _ => Family::Other,
    }
}

fn is_vat_scheme(scheme: &str) -> bool {
    let code = scheme.parse::<u16>().unwrap_or(0);
    (9910..=9953).contains(&code) || code == 9957 || (scheme.len() == 5 && scheme.ends_with("VAT"))
}

/// A value may carry its scheme in front, as Peppol participant identifiers do.
fn inline_scheme(raw: &str) -> (Option<&str>, &str) {
    let raw = raw.trim();
    // Its full form says first whose list of schemes is meant.
    let raw = raw.strip_prefix("iso6523-actorid-upis::").unwrap_or(raw);
    match raw.split_once(':') {
        Some((scheme, value))
            if scheme.len() == 4 && scheme.bytes().all(|b| b.is_ascii_digit()) =>
        {
            (Some(scheme), value)
        }
        _ => (None, raw),
    }
}

fn squeeze(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

fn belgian_with_prefix(value: &str) -> Option<String> {
    value
        .starts_with("BE")
        .then(|| belgian_digits(value))
        .flatten()
        .map(|digits| format!("0208:{digits}"))
}

/// Ten digits with the first 0 or 1, of a squeezed value that may lack the leading zero.
fn belgian_digits(value: &str) -> Option<String> {
    let digits = value.strip_prefix("BE").unwrap_or(value);
    let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
    match digits.len() {
        9 if all_digits => Some(format!("0{digits}")),
        10 if all_digits && digits.starts_with(['0', '1']) => Some(digits.to_owned()),
        _ => None,
    }
}

/// 97 minus the remainder of the first eight digits gives the last two (rule PEPPOL-COMMON-R043).
fn check_digits_agree(digits: &str) -> bool {
    let number = |range| {
        digits
            .get(range)
            .and_then(|part: &str| part.parse::<u32>().ok())
    };
    matches!((number(0..8), number(8..10)), (Some(first), Some(check)) if 97 - first % 97 == check)
}

fn is_gln(value: &str) -> bool {
    value.len() == 13 && value.bytes().all(|b| b.is_ascii_digit())
}

fn vat_or(value: &str, otherwise: &str) -> String {
    let country = value
        .get(..2)
        .is_some_and(|two| two.bytes().all(|b| b.is_ascii_uppercase()));
    let has_digit = value.bytes().any(|b| b.is_ascii_digit());
    if country && has_digit {
        format!("vat:{value}")
    } else {
        format!("{otherwise}:{value}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_agrees_with_numbers_in_use() {
        for valid in [
            "0239843188",
            "0762986459",
            "0500453583",
            "0756996413",
            "0899965307",
            "0000000196",
        ] {
            assert!(valid.parse::<EnterpriseNumber>().is_ok(), "{valid}");
        }
        for invalid in ["0123123123", "1000000033", "2239843188", "239", ""] {
            assert!(invalid.parse::<EnterpriseNumber>().is_err(), "{invalid}");
        }
    }

    #[test]
    fn a_wrong_check_digit_still_matches_itself() {
        assert_eq!(
            normalise(Some("0208"), "0123123123"),
            normalise(None, "BE0123.123.123")
        );
        assert_eq!(normalise(None, "0123123123"), "0208:0123123123");
    }

    #[test]
    fn a_belgian_number_is_known_under_the_schemes_and_words_of_older_files() {
        let ours = "0208:0239843188";
        for (scheme, raw) in [
            (Some("GLN"), "BE0239843188"),
            (Some("0088"), "0239843188"),
            (Some("BTW"), "0239.843.188"),
            (Some("ONDNR"), "BE 0239.843.188"),
            (Some("VAT"), "TVA BE0239843188"),
            (Some("0208"), "RPR Gent 0239.843.188"),
            (None, "BTW BE 0239.843.188"),
            (None, "BTW 0239.843.188"),
            (None, "RPM Liège 0239.843.188"),
            (None, "0239.843.188 RPR Antwerpen, afd. Mechelen"),
            (None, "0239.843.188 BTW"),
            (None, "239.843.188 RPR Gent"),
            (Some("0106"), "TVA BE 0239.843.188"),
            (Some("0208"), "0239.843.188 RPM"),
            (Some("0208"), "0239843188 (BTW)"),
            (None, "iso6523-actorid-upis::0208:0239843188"),
            (Some("iso6523-actorid-upis"), "0208:0239843188"),
        ] {
            assert_eq!(normalise(scheme, raw), ours, "{scheme:?} {raw}");
        }
    }

    #[test]
    fn what_only_looks_like_a_belgian_number_keeps_its_key() {
        for (scheme, raw, key) in [
            (Some("GLN"), "5412345000013", "0088:5412345000013"),
            (Some("GLN"), "0123123123", "0088:0123123123"),
            (Some("0106"), "0239843188", "0106:0239843188"),
            (Some("CUSTNO"), "0239843188", "custno:0239843188"),
            (Some("BTW"), "820098395B01", "btw:820098395B01"),
            (None, "BTW NL820098395B01", "vat:BTWNL820098395B01"),
            (None, "HRB 0239843188", "vat:HRB0239843188"),
            (None, "RPR Gent 12", "vat:RPRGENT12"),
            (None, "732829320 RCS Paris", "id:732829320RCSPARIS"),
            (Some("0009"), "BE0239843188", "0009:BE0239843188"),
        ] {
            assert_eq!(normalise(scheme, raw), key, "{scheme:?} {raw}");
        }
    }

    #[test]
    fn a_french_siren_is_not_taken_for_a_belgian_number() {
        assert_eq!(normalise(Some("0002"), "239843188"), "0002:239843188");
        assert_eq!(normalise(None, "732829320"), "id:732829320");
    }

    #[test]
    fn what_stands_for_no_number_is_no_enterprise() {
        let digits = |raw| {
            let id = PartyId::new(PartyIdSource::LegalEntity, Some("0208"), raw);
            id.enterprise_digits().map(ToOwned::to_owned)
        };

        assert_eq!(digits("BE 0239.843.188"), Some("0239843188".to_owned()));
        for nobody in ["NVT", "n/a", "12345678", "02398431881", "onbekendxx"] {
            assert_eq!(digits(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn nothing_left_is_no_key() {
        assert_eq!(normalise(Some("0208"), " .- "), "");
    }

    proptest! {
        #[test]
        fn dots_spaces_and_case_change_no_key(digits in "[01][0-9]{9}") {
            let dotted = format!("be {}.{}.{}", &digits[..4], &digits[4..7], &digits[7..]);

            prop_assert_eq!(normalise(Some("0208"), &digits), normalise(Some("9925"), &dotted));
            prop_assert_eq!(normalise(None, &dotted), normalise(None, &digits));
        }

        #[test]
        fn a_key_is_its_own_key(raw in "\\PC{0,24}", scheme in proptest::option::of("[0-9]{4}|VAT|GLN")) {
            let key = normalise(scheme.as_deref(), &raw);
            prop_assert!(key.is_empty() || key.contains(':'));
        }
    }
}
