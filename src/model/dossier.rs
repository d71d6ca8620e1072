//! By which numbers is a dossier known?

use serde::{Deserialize, Serialize};

use crate::model::{enterprise_digits_of, normalise};

/// One of the several identifiers of a dossier.
///
/// ```
/// # use sluis::model::Identifier;
/// let number = Identifier::new("BE 0239.843.188").unwrap();
/// assert_eq!(number.key, "0208:0239843188");
/// assert_eq!(Identifier::new("0088:5412345000013").unwrap().key, "0088:5412345000013");
/// assert_eq!(Identifier::new("GLN:5412345000013").unwrap().key, "0088:5412345000013");
/// assert!(Identifier::new("--").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifier {
    /// As the operator wrote it.
    pub raw: String,
    /// What it is compared by.
    pub key: String,
}

impl Identifier {
    /// Takes an identifier as an operator writes it: a number, or `SCHEME:VALUE`, the scheme as documents write it, in
    /// digits or as a word; none if nothing is left of it.
    pub fn new(raw: &str) -> Option<Self> {
        let whole = normalise(None, raw);
        let key = match worded(raw) {
            // `RPR: 0239.843.188` is a number as it stands.
            Some((scheme, value)) if enterprise_digits_of(&whole).is_none() => {
                normalise(Some(scheme), value)
            }
            _ => whole,
        };
        (!key.is_empty()).then(|| Self {
            raw: raw.trim().to_owned(),
            key,
        })
    }

    /// Returns how an operator writes the number of a document that is compared by `key`: as it stands there, if that
    /// comes to the same, or else with its scheme.
    ///
    /// ```
    /// # use sluis::model::Identifier;
    /// assert_eq!(Identifier::as_typed("BE 0239.843.188", "0208:0239843188"), "BE 0239.843.188");
    /// assert_eq!(Identifier::as_typed("12 345 678", "0106:12345678"), "0106:12345678");
    /// ```
    pub fn as_typed<'a>(written: &'a str, key: &'a str) -> &'a str {
        let comes_to_it = |text: &&str| Self::new(text).is_some_and(|typed| typed.key == key);
        let all = [written, key];
        all.into_iter().find(comes_to_it).unwrap_or(written)
    }

    /// Returns the ten digits, when this names a Belgian enterprise.
    pub fn enterprise_digits(&self) -> Option<&str> {
        enterprise_digits_of(&self.key)
    }
}

/// A word for a scheme, and what stands behind it. Four digits in front are read with every number; two letters are a
/// country, as in `NL:820098395B01`, unless they are the code list's for VAT.
fn worded(raw: &str) -> Option<(&str, &str)> {
    let (scheme, value) = raw.trim().rsplit_once(':')?;
    let is_code = |part: &str| part.len() == 4 && part.bytes().all(|b| b.is_ascii_digit());
    let is_word = scheme
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b':')
        && scheme.bytes().any(|b| b.is_ascii_alphabetic());
    let is_country = scheme.len() == 2 && !scheme.eq_ignore_ascii_case("VA");
    let counts = is_word && !is_country && !scheme.split(':').next().is_some_and(is_code);
    counts.then_some((scheme, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PartyId, PartyIdSource};

    #[test]
    fn a_scheme_that_is_a_word_is_compared_as_that_of_a_document() {
        for (scheme, value) in [
            ("GLN", "5412345000013"),
            ("SIREN", "732829320"),
            ("NL:KVK", "12345678"),
            ("VAT", "NL820098395B01"),
            ("VA", "NL820098395B01"),
            ("NL:VAT", "NL820098395B01"),
            ("BE:VAT", "BE0239843188"),
            ("KBO", "0239.843.188"),
            ("BE:EN", "0239843188"),
        ] {
            let document = PartyId::new(PartyIdSource::LegalEntity, Some(scheme), value);
            for front in [scheme.to_owned(), scheme.to_lowercase()] {
                let typed = Identifier::new(&format!(" {front}: {value}")).unwrap();
                assert_eq!(typed.key, document.key, "{front}");
            }
            let shown = Identifier::as_typed(value, &document.key);
            assert_eq!(Identifier::new(shown).unwrap().key, document.key, "{shown}");
        }
    }

    #[test]
    fn what_was_understood_without_a_word_still_is() {
        for (typed, key) in [
            ("0088:5412345000013", "0088:5412345000013"),
            ("0208:BE:0239843188", "0208:0239843188"),
            ("iso6523-actorid-upis::0208:0239843188", "0208:0239843188"),
            ("RPR: 0239.843.188", "0208:0239843188"),
            ("RPR Gent: 0239.843.188", "0208:0239843188"),
            ("BE:0239843188", "0208:0239843188"),
            ("BTW: BE 0239.843.188", "0208:0239843188"),
            ("NL:820098395B01", "vat:NL820098395B01"),
            ("12:34567", "id:1234567"),
        ] {
            assert_eq!(Identifier::new(typed).unwrap().key, key, "{typed}");
        }
        assert!(Identifier::new("GLN:").is_none());
    }
}
