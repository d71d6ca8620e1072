//! Which folder does a link have for a flow, on a date?

use jiff::civil::Date;

use crate::layout::legal::{self, FOLDER_CHARS_MAX};
use crate::layout::template::{Fact, FolderTemplate, Piece};
use crate::model::{Flow, Language, VirtualPath};

/// What folders may say about a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkFacts<'a> {
    /// The firm's name, as in logins.
    pub firm: &'a str,
    /// The dossier's code in the accounting program.
    pub dossier_code: &'a str,
    /// The dossier's name, as people write it.
    pub dossier_name: &'a str,
    /// The ten digits of the dossier's enterprise number, if it has one.
    pub enterprise_number: Option<&'a str>,
    /// The language the firm wants; a profile without it uses its own.
    pub language: Language,
}

/// What a folder of a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FolderRole {
    /// Purchases wait here.
    Purchase,
    /// Sales wait here.
    Sale,
    /// A purchase that the importer moves or uploads here is processed.
    ProcessedPurchase,
    /// A sale that the importer moves or uploads here is processed.
    ProcessedSale,
}

impl FolderRole {
    /// Every role.
    pub const ALL: [Self; 4] = [
        Self::Purchase,
        Self::Sale,
        Self::ProcessedPurchase,
        Self::ProcessedSale,
    ];

    /// Returns the role of the folder where documents of `flow` wait.
    pub fn waiting(flow: Flow) -> Self {
        match flow {
            Flow::Purchase => Self::Purchase,
            Flow::Sale => Self::Sale,
        }
    }

    /// Returns the role of the folder where processed documents of `flow` lie.
    pub fn processed(flow: Flow) -> Self {
        match flow {
            Flow::Purchase => Self::ProcessedPurchase,
            Flow::Sale => Self::ProcessedSale,
        }
    }

    /// Returns the flow of its documents.
    pub fn flow(self) -> Flow {
        match self {
            Self::Purchase | Self::ProcessedPurchase => Flow::Purchase,
            Self::Sale | Self::ProcessedSale => Flow::Sale,
        }
    }

    /// Returns the word that profiles and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Sale => "sale",
            Self::ProcessedPurchase => "processed_purchase",
            Self::ProcessedSale => "processed_sale",
        }
    }
}

/// A fact that the folder wants and the link lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MissingFact {
    /// The link has no dossier code.
    #[error(
        "the folder is named after the dossier code: give the link the code that the accounting program uses"
    )]
    DossierCode,
    /// The dossier has no name.
    #[error("the folder is named after the dossier: give the dossier a name")]
    DossierName,
    /// The dossier has no enterprise number.
    #[error(
        "the folder is named after the enterprise number: add its ten digits to the dossier with `sluis dossier set FIRM DOSSIER --add-id NUMBER`"
    )]
    EnterpriseNumber,
}

impl FolderTemplate {
    /// Returns the folder for these facts; `date` gives the year and the month.
    ///
    /// Values become legal folder names first, and are shortened where a name would be longer than
    /// [`FOLDER_CHARS_MAX`]; text stands as written.
    ///
    /// # Errors
    ///
    /// When it wants a fact that the link lacks.
    pub fn render(&self, facts: &LinkFacts<'_>, date: Date) -> Result<VirtualPath, MissingFact> {
        let names: Vec<String> = self
            .components()
            .iter()
            .map(|pieces| component(pieces, facts, date))
            .collect::<Result<_, _>>()?;
        // Never refused: there is no control character, and depth and length of names are limited.
        Ok(VirtualPath::parse(&names.join("/")).unwrap_or(VirtualPath::ROOT))
    }
}

fn component(pieces: &[Piece], facts: &LinkFacts<'_>, date: Date) -> Result<String, MissingFact> {
    let mut text_chars = 0;
    let mut values = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => text_chars += text.chars().count(),
            Piece::Fact(fact) => values.push(value(*fact, facts, date)?),
        }
    }
    let room = FOLDER_CHARS_MAX - text_chars.min(FOLDER_CHARS_MAX);
    fit(&mut values, room);
    let name = assembled(pieces, &values);
    if values.is_empty() || !legal::is_reserved(&name) {
        return Ok(name);
    }
    // Text and value together make a device, as `CO{firm}` may. Text must stand, so the value gives way.
    fit(&mut values, room - 1);
    if let Some(first) = values.first_mut() {
        first.insert(0, '_');
    }
    Ok(assembled(pieces, &values))
}

fn assembled(pieces: &[Piece], values: &[String]) -> String {
    let mut values = values.iter();
    pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Fact(_) => values.next().map(String::as_str),
        })
        .collect()
}

/// Shortens the longest first, so that numbers beside a long name stay whole.
fn fit(values: &mut [String], room: usize) {
    let length = |value: &String| value.chars().count();
    loop {
        let total: usize = values.iter().map(length).sum();
        let Some(longest) = values.iter_mut().max_by_key(|value| length(value)) else {
            return;
        };
        if total <= room {
            return;
        }
        *longest = legal::shortened(longest, length(longest).saturating_sub(1));
    }
}

fn value(fact: Fact, facts: &LinkFacts<'_>, date: Date) -> Result<String, MissingFact> {
    let number = || present(facts.enterprise_number, MissingFact::EnterpriseNumber);
    let value = match fact {
        Fact::Firm => facts.firm.to_owned(),
        Fact::DossierCode => present(Some(facts.dossier_code), MissingFact::DossierCode)?,
        Fact::DossierName => present(Some(facts.dossier_name), MissingFact::DossierName)?,
        Fact::EnterpriseNumber => number()?,
        Fact::Vat => format!("BE{}", number()?),
        Fact::Year => format!("{:04}", date.year().max(0)),
        Fact::Month => format!("{:02}", date.month()),
    };
    Ok(legal::safe_folder_name(&value))
}

fn present(value: Option<&str>, missing: MissingFact) -> Result<String, MissingFact> {
    let value = value.filter(|value| !value.trim().is_empty());
    value.map(ToOwned::to_owned).ok_or(missing)
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    /// The facts of a link that has them all.
    pub(in crate::layout) const ACME: LinkFacts<'static> = LinkFacts {
        firm: "kantoor-peeters",
        dossier_code: "ACME",
        dossier_name: "Café Zoë & Co.",
        enterprise_number: Some("0239843188"),
        language: Language::Nl,
    };

    fn template(text: &str) -> FolderTemplate {
        FolderTemplate::parse(text, &BTreeMap::new()).unwrap()
    }

    fn rendered(text: &str, facts: &LinkFacts<'_>) -> String {
        let path = template(text).render(facts, date(2026, 3, 14));
        path.unwrap().to_string()
    }

    #[test]
    fn facts_take_their_places() {
        assert_eq!(
            rendered(
                "{firm}/{dossier_code}/{dossier_name}_{vat}/{enterprise_number}/{year}-{month}/Inbox",
                &ACME
            ),
            "/kantoor-peeters/ACME/Café Zoë & Co_BE0239843188/0239843188/2026-03/Inbox"
        );
    }

    #[test]
    fn a_link_without_the_fact_hears_what_to_give() {
        let bare = LinkFacts {
            enterprise_number: None,
            dossier_code: " ",
            ..ACME
        };
        let ask = |text| template(text).render(&bare, date(2026, 1, 1));

        assert_eq!(ask("{vat}"), Err(MissingFact::EnterpriseNumber));
        assert_eq!(
            ask("{enterprise_number}"),
            Err(MissingFact::EnterpriseNumber)
        );
        assert_eq!(ask("{dossier_code}"), Err(MissingFact::DossierCode));
        assert!(ask("{dossier_name}").is_ok());
    }

    #[test]
    fn a_long_name_gives_way_to_the_number_beside_it() {
        let name = "n".repeat(200);
        let facts = LinkFacts {
            dossier_name: &name,
            ..ACME
        };

        assert_eq!(
            rendered("{dossier_name}_{vat}", &facts),
            format!("/{}_BE0239843188", "n".repeat(47))
        );
    }

    #[test]
    fn text_and_value_do_not_make_a_device_together() {
        let facts = LinkFacts {
            dossier_code: "N.txt",
            ..ACME
        };

        assert_eq!(rendered("CO{dossier_code}", &facts), "/CO_N.txt");
        assert_eq!(
            rendered(
                "{dossier_code}1",
                &LinkFacts {
                    dossier_code: "COM",
                    ..ACME
                }
            ),
            "/_COM1"
        );
    }

    fn any_template() -> impl Strategy<Value = FolderTemplate> {
        let pieces =
            "(com|1|_|é|e|in|In|out|[.]x|x| |/|[{](dossier_code|dossier_name|year)[}]){1,5}";
        pieces.prop_filter_map("not a template", |text| {
            let text = format!("{{dossier_code}}/{text}");
            FolderTemplate::parse(&text, &BTreeMap::new()).ok()
        })
    }

    fn tricky() -> impl Strategy<Value = String> {
        prop_oneof![
            "(?i)(com|co|in|out|1|_|x|e|\u{301}|[.]| ){1,4}",
            "x{50,70}",
            "\\PC{1,9}"
        ]
    }

    proptest! {
        #[test]
        fn whatever_people_write_a_folder_stays_in_its_place(
            code in any::<String>(),
            name in "[./\\\\:a-zA-Zé ]{0,90}|(?i)con|[.]{1,70}",
            number in proptest::option::of("[01][0-9]{9}"),
        ) {
            let facts = LinkFacts { dossier_code: &code, dossier_name: &name, enterprise_number: number.as_deref(), ..ACME };
            let template = template("top/{dossier_code}/CO{dossier_name}/x {dossier_code}-{dossier_name}_{firm}/{dossier_name}1");

            if let Ok(path) = template.render(&facts, date(2026, 3, 14)) {
                prop_assert_eq!(path.components().len(), 5);
                prop_assert_eq!(&path.components()[0], "top");
                for name in path.components() {
                    prop_assert_eq!(&legal::safe_folder_name(name), name);
                }
            } else {
                prop_assert!(code.trim().is_empty() || name.trim().is_empty());
            }
        }

        #[test]
        fn templates_that_surely_differ_never_meet(
            one in any_template(), two in any_template(), code in tricky(), name in tricky(),
        ) {
            let facts = LinkFacts { dossier_code: &code, dossier_name: &name, ..ACME };
            let render = |template: &FolderTemplate| template.render(&facts, date(2026, 3, 14));
            prop_assert_eq!(one.surely_differs(&two), two.surely_differs(&one));

            if let (true, Ok(first), Ok(second)) = (one.surely_differs(&two), render(&one), render(&two)) {
                prop_assert_ne!(first.key(), second.key());
            }
        }
    }
}
