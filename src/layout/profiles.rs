//! Which profiles are there?

use std::collections::{BTreeMap, BTreeSet};

use crate::layout::profile::Profile;
use crate::layout::profile_file::ProfileError;

/// The profiles in the binary: file name and text, so that a firm can copy one to change it.
#[rustfmt::skip]
pub const BUILTIN: &[(&str, &str)] = &[
    ("adix.toml",        include_str!("../../config/profiles/adix.toml")),
    ("adsolut.toml",     include_str!("../../config/profiles/adsolut.toml")),
    ("billsync.toml",    include_str!("../../config/profiles/billsync.toml")),
    ("bob-demat.toml",   include_str!("../../config/profiles/bob-demat.toml")),
    ("codabox.toml",     include_str!("../../config/profiles/codabox.toml")),
    ("expertm.toml",     include_str!("../../config/profiles/expertm.toml")),
    ("generic.toml",     include_str!("../../config/profiles/generic.toml")),
    ("scans.toml",       include_str!("../../config/profiles/scans.toml")),
    ("synqup.toml",      include_str!("../../config/profiles/synqup.toml")),
    ("venice.toml",      include_str!("../../config/profiles/venice.toml")),
    ("winbooks-vi.toml", include_str!("../../config/profiles/winbooks-vi.toml")),
];

/// Reads the profiles in the binary.
///
/// # Errors
///
/// Never, as the tests say; the signature spares the program a panic.
pub fn builtin() -> Result<Vec<Profile>, ProfileError> {
    BUILTIN
        .iter()
        .map(|(file, text)| Profile::parse(file, text))
        .collect()
}

/// The profiles of this installation, by id.
#[derive(Debug, Clone)]
pub struct Profiles(BTreeMap<String, Profile>);

impl Profiles {
    /// Takes those in the binary, and then `own`, pairs of a file name and its text; an own profile
    /// takes the place of the one in the binary that has its id.
    ///
    /// # Errors
    ///
    /// When one of them cannot be used.
    pub fn new<'a>(
        own: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ProfileError> {
        let mut profiles = builtin()?;
        for (file, text) in own {
            profiles.push(Profile::parse(file, text)?);
        }
        let by_id = profiles.into_iter().map(|p| (p.id().to_owned(), p));
        Ok(Self(by_id.collect()))
    }

    /// Returns the profile with this id.
    ///
    /// # Errors
    ///
    /// When there is none; the error names those there are.
    pub fn find(&self, id: &str) -> Result<&Profile, UnknownProfile> {
        self.0.get(id).ok_or_else(|| UnknownProfile {
            id: id.to_owned(),
            known: self.0.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    /// Returns the ids of those that `next` has otherwise, has no more, or has besides.
    pub fn changes(&self, next: &Self) -> Vec<String> {
        let ids: BTreeSet<_> = self.0.keys().chain(next.0.keys()).collect();
        let changed = ids
            .into_iter()
            .filter(|id| self.0.get(*id) != next.0.get(*id));
        changed.cloned().collect()
    }

    /// Returns them all, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.0.values()
    }
}

/// No profile has this id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile `{id}`: use one of {known}, or add `{id}.toml` to your profiles")]
pub struct UnknownProfile {
    id: String,
    known: String,
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use jiff::civil::{Date, date};
    use proptest::prelude::*;

    use super::*;
    use crate::layout::folders::LinkFacts;
    use crate::layout::folders::tests::ACME;
    use crate::model::{Flow, Kind, Language};

    static ALL: LazyLock<Vec<Profile>> = LazyLock::new(|| builtin().unwrap());

    /// The folders of a profile for the firm's language, one to a line.
    fn folders(id: &str, language: Language) -> String {
        let profiles = Profiles::new([]).unwrap();
        let facts = LinkFacts { language, ..ACME };
        let preview = profiles
            .find(id)
            .unwrap()
            .preview(&facts, date(2026, 3, 14));
        let lines = preview
            .iter()
            .map(|(role, path)| format!("{}: {}", role.as_str(), path.as_ref().unwrap()));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_firm_that_speaks_french_has_expertm_in_dutch_all_the_same() {
        insta::assert_snapshot!(folders("expertm", Language::Fr), @r"
        purchase: /expertm/ACME/Te Verwerken/Aankopen
        sale: /expertm/ACME/Te Verwerken/Verkopen
        processed_purchase: /expertm/ACME/Verwerkt/Aankopen
        processed_sale: /expertm/ACME/Verwerkt/Verkopen
        ");
    }

    #[test]
    fn bob_speaks_the_language_of_the_firm_and_french_otherwise() {
        insta::assert_snapshot!(folders("bob-demat", Language::De), @r"
        purchase: /bob-demat/ACME/achats
        sale: /bob-demat/ACME/ventes
        processed_purchase: /bob-demat/traites/ACME/achats
        processed_sale: /bob-demat/traites/ACME/ventes
        ");
        assert!(folders("bob-demat", Language::Nl).contains("/bob-demat/ACME/aankopen"));
    }

    #[test]
    fn each_profile_has_its_folders() {
        let shown = ALL.iter().map(|profile| {
            let purchases = profile.folder(Flow::Purchase, &ACME, date(2026, 3, 14));
            let processed = profile.processed_folder(Flow::Sale, &ACME, date(2026, 3, 14));
            let processed = processed
                .unwrap()
                .map_or_else(|| "-".to_owned(), |path| path.to_string());
            format!("{} {processed}", purchases.unwrap())
        });

        insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @"
        /adix/ACME/achats /adix/ACME/ventes/Processed
        /adsolut/BE0239843188/aankoop /adsolut/BE0239843188/verwerkt/verkoop
        /0239843188/Aankoop /0239843188/Verwerkt/Verkoop
        /bob-demat/ACME/aankopen /bob-demat/verwerkt/ACME/verkopen
        /codabox/ACME/2026/Invoices-IN-01 -
        /expertm/ACME/Te Verwerken/Aankopen /expertm/ACME/Verwerkt/Verkopen
        /generic/ACME/Aankopen /generic/ACME/Verwerkt/Verkopen
        /ACME/Scans/Aankopen /ACME/Verwerkt/Verkopen
        /Café Zoë & Co_BE0239843188/inbound /Café Zoë & Co_BE0239843188/processed/outbound
        /venice/ACME/aankopen -
        /winbooks/ACME/inbound /winbooks/ACME/processed/outbound
        ");
    }

    #[test]
    fn only_codabox_has_a_folder_for_each_year() {
        let dated = ALL.iter().filter(|profile| profile.uses_date());

        assert_eq!(dated.map(Profile::id).collect::<Vec<_>>(), ["codabox"]);
    }

    #[test]
    fn each_profile_says_how_sure_it_is_and_reads_invoices() {
        for profile in ALL.iter() {
            assert!(!profile.sure(Language::En).is_empty());
            assert!(profile.takes(Kind::Invoice) && profile.takes(Kind::CreditNote));
        }
    }

    #[test]
    fn a_firm_changes_a_profile_by_its_own_file() {
        let (file, text) = BUILTIN[0];
        let changed = text.replace("name = \"Adix\"", "name = \"Adix of ours\"");

        let profiles = Profiles::new([(file, changed.as_str())]).unwrap();

        assert_eq!(profiles.find("adix").unwrap().name(), "Adix of ours");
        assert_eq!(profiles.iter().count(), BUILTIN.len());
    }

    #[test]
    fn an_own_file_that_cannot_be_used_stops_the_rest() {
        assert!(Profiles::new([("own.toml", "id = 1")]).is_err());
    }

    #[test]
    fn who_asks_for_an_unknown_profile_hears_which_there_are() {
        let error = Profiles::new([]).unwrap().find("expert-m").unwrap_err();

        insta::assert_snapshot!(error, @"there is no profile `expert-m`: use one of adix, adsolut, billsync, bob-demat, codabox, expertm, generic, scans, synqup, venice, winbooks-vi, or add `expert-m.toml` to your profiles");
    }

    fn any_date() -> impl Strategy<Value = Date> {
        (1i16..9999, 1i8..=12, 1i8..=28).prop_map(|(year, month, day)| date(year, month, day))
    }

    fn any_language() -> impl Strategy<Value = Language> {
        prop_oneof![
            Just(Language::Nl),
            Just(Language::Fr),
            Just(Language::En),
            Just(Language::De)
        ]
    }

    /// Codes and names that were chosen to meet a word of some profile, or to climb.
    fn any_name() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{1,70}",
            "(?i)(achats|ventes|verwerkt|traites|scans|processed|Te Verwerken|[.][.]|con)[ ./_]?",
        ]
    }

    proptest! {
        #[test]
        fn no_facts_make_two_folders_of_a_link_one(
            code in any_name(), name in any_name(), number in "[01][0-9]{9}", language in any_language(), day in any_date(),
        ) {
            let facts = LinkFacts {
                dossier_code: &code, dossier_name: &name, enterprise_number: Some(&number), language, ..ACME
            };
            prop_assume!(!code.trim().is_empty() && !name.trim().is_empty());

            for profile in ALL.iter() {
                let preview = profile.preview(&facts, day);
                let keys: BTreeSet<String> = preview.iter().map(|(_, path)| path.as_ref().unwrap().key()).collect();

                prop_assert_eq!(keys.len(), preview.len(), "{}", profile.id());
                prop_assert!(preview.len() >= 2);
            }
        }
    }
}
