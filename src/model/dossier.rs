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
    /// Takes an identifier as an operator writes it: a number, or `SCHEME:VALUE`; none if nothing is left of it.
    pub fn new(raw: &str) -> Option<Self> {
        let key = normalise(None, raw);
        (!key.is_empty()).then(|| Self {
            raw: raw.trim().to_owned(),
            key,
        })
    }

    /// Returns the ten digits, when this names a Belgian enterprise.
    pub fn enterprise_digits(&self) -> Option<&str> {
        enterprise_digits_of(&self.key)
    }
}
