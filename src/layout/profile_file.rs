//! Is what a profile's file says fit for use?

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::layout::file_template::FileTemplate;
use crate::layout::folders::FolderRole;
use crate::layout::legal;
use crate::layout::profile::{AfterCollected, Confidence, Profile, YearOf};
use crate::layout::template::{Fact, FolderTemplate, TemplateError, Words};
use crate::model::{Kind, Language, Name};

/// The longest time that a collected file stays, in days.
pub const STAY_DAYS_MAX: u64 = 366;

/// What files are called where a profile does not say.
const FILE_NAME_DEFAULT: &str = "{seq}_{number}_{party}";

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML, or a key is unknown, absent, or of another type; the cause gives the line.
    #[error("could not read profile `{file}`")]
    Syntax {
        /// The file's name.
        file: String,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// A key says what cannot be.
    #[error("could not use `{key}` of profile `{file}`")]
    Key {
        /// The file's name.
        file: String,
        /// The key, as in `folders.sale`.
        key: String,
        /// What is wrong, and what to do.
        source: ProfileFault,
    },
}

/// What is wrong with the value of a key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileFault {
    /// A template cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The id is not the file's name, or cannot be one.
    #[error(
        "`{0}` must be the name of the file without `.toml`: lower-case letters, digits and hyphens"
    )]
    Id(String),
    /// There is nothing where something must be.
    #[error("it is empty: {0}")]
    Empty(&'static str),
    /// A value stands twice.
    #[error("`{0}` stands there twice: leave one out")]
    Twice(&'static str),
    /// Words of a language that the profile does not have.
    #[error("`{0}` is not among the `languages`: add it there, or leave its words out")]
    Language(&'static str),
    /// A word that no template could use, or no folder could be called.
    #[error("`{word}` cannot be a word of a folder name: {reason}")]
    Word {
        /// The word or its name.
        word: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two folders could be one.
    #[error(
        "it could be the same folder as `{other}` for some dossier: let a word that only one of them has stand at the same depth"
    )]
    SameFolder {
        /// The other folder's key.
        other: &'static str,
    },
    /// Not a rule for collected files.
    #[error(
        "`{0}` is no rule: use session-end, removal, or a time such as 10m, 2h or 7d (at most {STAY_DAYS_MAX}d)"
    )]
    AfterCollected(String),
    /// Nothing can be read of such a document.
    #[error("documents of kind `{0}` are never sent: leave it out")]
    Format(&'static str),
}

/// The file, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    name: String,
    confidence: Confidence,
    sure: BTreeMap<Language, String>,
    languages: Vec<Language>,
    #[serde(default)]
    words: BTreeMap<Language, Words>,
    folders: Folders,
    file_name: Option<String>,
    #[serde(default)]
    year_of: YearOf,
    after_collected: Option<String>,
    formats: Option<Vec<Kind>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Folders {
    purchase: String,
    sale: String,
    processed_purchase: Option<String>,
    processed_sale: Option<String>,
}

impl Folders {
    fn template(&self, role: FolderRole) -> Option<&str> {
        match role {
            FolderRole::Purchase => Some(&self.purchase),
            FolderRole::Sale => Some(&self.sale),
            FolderRole::ProcessedPurchase => self.processed_purchase.as_deref(),
            FolderRole::ProcessedSale => self.processed_sale.as_deref(),
        }
    }
}

pub(super) fn parse(file_name: &str, toml: &str) -> Result<Profile, ProfileError> {
    let file: File = toml::from_str(toml).map_err(|source| ProfileError::Syntax {
        file: file_name.to_owned(),
        source: Box::new(source),
    })?;
    checked(file_name, file).map_err(|Refused(key, source)| ProfileError::Key {
        file: file_name.to_owned(),
        key,
        source,
    })
}

/// A key and what is wrong with it.
struct Refused(String, ProfileFault);

fn refuse<T>(key: impl Into<String>, fault: impl Into<ProfileFault>) -> Result<T, Refused> {
    Err(Refused(key.into(), fault.into()))
}

fn checked(file_name: &str, file: File) -> Result<Profile, Refused> {
    check_id(file_name, &file.id)?;
    check_texts(&file)?;
    let default_language = check_languages(&file)?;
    check_words(&file.words)?;
    let mut folders = BTreeMap::new();
    for language in &file.languages {
        folders.extend(read_folders(&file, *language)?);
    }
    Ok(Profile {
        folders,
        default_language,
        file_name: read_file_name(file.file_name.as_deref())?,
        after_collected: read_after_collected(file.after_collected.as_deref())?,
        formats: read_formats(file.formats)?,
        id: file.id,
        name: file.name,
        confidence: file.confidence,
        sure: file.sure,
        languages: file.languages,
        year_of: file.year_of,
    })
}

fn check_id(file_name: &str, id: &str) -> Result<(), Refused> {
    let last = file_name.rsplit(['/', '\\']).next();
    let stem = last.and_then(|name| name.strip_suffix(".toml"));
    if stem == Some(id) && id.parse::<Name>().is_ok() {
        Ok(())
    } else {
        refuse("id", ProfileFault::Id(id.to_owned()))
    }
}

fn check_texts(file: &File) -> Result<(), Refused> {
    if file.name.trim().is_empty() {
        return refuse("name", ProfileFault::Empty("give the program's name"));
    }
    let sure = file.sure.get(&Language::En).map_or("", String::as_str);
    if sure.trim().is_empty() {
        let fault = "say how sure the layout is, and what to set in the program";
        return refuse("sure.en", ProfileFault::Empty(fault));
    }
    Ok(())
}

/// Returns the default language.
fn check_languages(file: &File) -> Result<Language, Refused> {
    let languages = &file.languages;
    let Some(default) = languages.first() else {
        let fault = "name at least one language; the first is the default";
        return refuse("languages", ProfileFault::Empty(fault));
    };
    if let Some(twice) = repeated(languages) {
        return refuse("languages", ProfileFault::Twice(twice.as_str()));
    }
    let stray = file.words.keys().find(|named| !languages.contains(named));
    if let Some(stray) = stray.map(|language| language.as_str()) {
        return refuse(format!("words.{stray}"), ProfileFault::Language(stray));
    }
    Ok(*default)
}

fn repeated<T: PartialEq + Copy>(values: &[T]) -> Option<T> {
    let mut places = values.iter().enumerate();
    let twice = places.find(|(at, value)| values[..*at].contains(value));
    twice.map(|(_, value)| *value)
}

fn check_words(tables: &BTreeMap<Language, Words>) -> Result<(), Refused> {
    for (language, words) in tables {
        for (name, word) in words {
            let key = || format!("words.{}.{name}", language.as_str());
            if let Some(reason) = unfit_name(name) {
                let word = name.clone();
                return refuse(key(), ProfileFault::Word { word, reason });
            }
            if legal::safe_folder_name(word) != *word {
                let reason = "it must be one legal folder name on Windows";
                let word = word.clone();
                return refuse(key(), ProfileFault::Word { word, reason });
            }
        }
    }
    Ok(())
}

fn unfit_name(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if Fact::named(name).is_some() {
        Some("a variable has that name already")
    } else if name.is_empty() || !name.chars().all(plain) {
        Some("name words in lower-case letters, digits and `_`")
    } else {
        None
    }
}

type RoledFolder = ((FolderRole, Language), FolderTemplate);

fn read_folders(file: &File, language: Language) -> Result<Vec<RoledFolder>, Refused> {
    let none = Words::new();
    let words = file.words.get(&language).unwrap_or(&none);
    let mut read: Vec<RoledFolder> = Vec::new();
    for role in FolderRole::ALL {
        let Some(text) = file.folders.template(role) else {
            continue;
        };
        let key = || format!("folders.{} ({})", role.as_str(), language.as_str());
        let template = match FolderTemplate::parse(text, words) {
            Ok(template) => template,
            Err(fault) => return refuse(key(), fault),
        };
        let twin = read
            .iter()
            .find(|(_, known)| !template.surely_differs(known));
        if let Some(((twin, _), _)) = twin {
            let other = twin.as_str();
            return refuse(key(), ProfileFault::SameFolder { other });
        }
        read.push(((role, language), template));
    }
    Ok(read)
}

fn read_file_name(text: Option<&str>) -> Result<FileTemplate, Refused> {
    FileTemplate::parse(text.unwrap_or(FILE_NAME_DEFAULT))
        .or_else(|fault| refuse("file_name", fault))
}

fn read_after_collected(text: Option<&str>) -> Result<AfterCollected, Refused> {
    match text {
        None | Some("session-end") => Ok(AfterCollected::SessionEnd),
        Some("removal") => Ok(AfterCollected::Removal),
        Some(text) => match duration(text) {
            Some(stay) => Ok(AfterCollected::After(stay)),
            None => refuse(
                "after_collected",
                ProfileFault::AfterCollected(text.to_owned()),
            ),
        },
    }
}

/// Reads minutes, hours or days, within [`STAY_DAYS_MAX`].
fn duration(text: &str) -> Option<Duration> {
    const DAY_SECS: u64 = 24 * 60 * 60;
    let (at, unit) = text.char_indices().last()?;
    let unit_secs = match unit {
        'm' => 60,
        'h' => 60 * 60,
        'd' => DAY_SECS,
        _ => return None,
    };
    let digits = text.get(..at)?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()); // `parse` would take a sign
    let count: u64 = digits.parse().ok().filter(|_| plain)?;
    let secs = count.checked_mul(unit_secs)?;
    let within = (1..=STAY_DAYS_MAX * DAY_SECS).contains(&secs);
    within.then(|| Duration::from_secs(secs))
}

fn read_formats(formats: Option<Vec<Kind>>) -> Result<Vec<Kind>, Refused> {
    let formats = formats.unwrap_or_else(|| vec![Kind::Invoice, Kind::CreditNote]);
    if formats.is_empty() {
        let fault = "name the kinds that the program reads, or leave the key out";
        return refuse("formats", ProfileFault::Empty(fault));
    }
    if let Some(twice) = repeated(&formats) {
        return refuse("formats", ProfileFault::Twice(twice.as_str()));
    }
    if formats.contains(&Kind::Unreadable) {
        return refuse("formats", ProfileFault::Format(Kind::Unreadable.as_str()));
    }
    Ok(formats)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    const OWN: &str = r#"
        id = "own"
        name = "Own"
        confidence = "C"
        languages = ["nl", "fr"]
        file_name = "{date}_{seq}_{docno}"
        year_of = "sending"
        after_collected = "10m"
        formats = ["invoice", "cii"]
        [sure]
        en = "Set the folders."
        fr = "Indiquez les dossiers."
        [folders]
        purchase = "{dossier_code}/{year}/{purchases}"
        sale = "{dossier_code}/{year}/{sales}"
        [words.nl]
        purchases = "In"
        sales = "Uit"
        [words.fr]
        purchases = "Entrées"
        sales = "Sorties"
    "#;

    /// Returns what is wrong once `from` stands as `to` in the file: the key and the reason.
    fn fault(from: &str, to: &str) -> (String, String) {
        assert!(OWN.contains(from), "{from}");
        match parse("own.toml", &OWN.replace(from, to)).unwrap_err() {
            ProfileError::Key { key, source, .. } => (key, source.to_string()),
            ProfileError::Syntax { source, .. } => (String::new(), source.to_string()),
        }
    }

    #[test]
    fn an_own_profile_says_all_it_may() {
        let own = parse("profiles/own.toml", OWN).unwrap();

        assert_eq!((own.id(), own.name()), ("own", "Own"));
        assert_eq!(own.confidence(), Confidence::C);
        assert_eq!(own.sure(Language::Fr), "Indiquez les dossiers.");
        assert_eq!(own.sure(Language::Nl), "Set the folders.");
        assert_eq!(own.year_of(), YearOf::Sending);
        assert!(own.uses_date());
        assert_eq!(
            own.after_collected(),
            AfterCollected::After(Duration::from_secs(600))
        );
        assert!(own.takes(Kind::Cii) && !own.takes(Kind::CreditNote));
    }

    #[test]
    fn a_profile_that_leaves_out_what_it_may_has_defaults() {
        let bare = r#"
            id = "own"
            name = "Own"
            confidence = "C"
            languages = ["en"]
            sure = { en = "Set the folders." }
            folders = { purchase = "{vat}/in", sale = "{vat}/out" }
        "#;

        let own = parse("own.toml", bare).unwrap();

        assert_eq!(own.after_collected(), AfterCollected::SessionEnd);
        assert_eq!(own.year_of(), YearOf::Issue);
        assert_eq!(own.formats(), [Kind::Invoice, Kind::CreditNote]);
        assert_eq!(
            *own.file_name_template(),
            FileTemplate::parse(FILE_NAME_DEFAULT).unwrap()
        );
    }

    #[test]
    fn a_fault_names_its_key() {
        for (from, to, key) in [
            ("id = \"own\"", "id = \"other\"", "id"),
            ("name = \"Own\"", "name = \" \"", "name"),
            ("en = \"Set the folders.\"", "", "sure.en"),
            ("[\"nl\", \"fr\"]", "[]", "languages"),
            ("[\"nl\", \"fr\"]", "[\"nl\", \"fr\", \"nl\"]", "languages"),
            ("[\"nl\", \"fr\"]", "[\"nl\"]", "words.fr"),
            ("\"In\"", "\"a/b\"", "words.nl.purchases"),
            ("\"In\"", "\"\"", "words.nl.purchases"),
            (
                "sales = \"Uit\"",
                "sales = \"Uit\"\nvat = \"x\"",
                "words.nl.vat",
            ),
            (
                "sales = \"Uit\"",
                "sales = \"Uit\"\nX = \"x\"",
                "words.nl.X",
            ),
            ("sales = \"Uit\"", "", "folders.sale (nl)"),
            (
                "sales = \"Sorties\"",
                "sales = \"ENTRÉES\"",
                "folders.sale (fr)",
            ),
            ("{date}_{seq}_{docno}", "{docno}", "file_name"),
            ("\"10m\"", "\"soon\"", "after_collected"),
            ("[\"invoice\", \"cii\"]", "[]", "formats"),
            ("[\"invoice\", \"cii\"]", "[\"unreadable\"]", "formats"),
            ("[\"invoice\", \"cii\"]", "[\"cii\", \"cii\"]", "formats"),
        ] {
            assert_eq!(fault(from, to).0, key, "{to}");
        }
    }

    #[test]
    fn an_unknown_key_is_shown_with_its_line() {
        let (_, shown) = fault("year_of", "year_off");

        assert!(
            shown.contains("line 7") && shown.contains("year_off"),
            "{shown}"
        );
        assert!(!fault("\"nl\"", "\"it\"").1.is_empty());
        assert!(!fault("purchase =", "purchases =").1.is_empty());
    }

    #[test]
    fn folders_that_some_dossier_would_make_one_are_refused() {
        let (key, reason) = fault("{year}/{sales}", "{year}/{dossier_name}");

        assert_eq!(key, "folders.sale (nl)");
        assert!(
            reason.starts_with("it could be the same folder as `purchase`"),
            "{reason}"
        );
    }

    #[test]
    fn an_error_names_the_file_and_has_its_cause() {
        let error = parse("own.toml", &OWN.replace("\"10m\"", "\"10 m\"")).unwrap_err();

        assert_eq!(
            error.to_string(),
            "could not use `after_collected` of profile `own.toml`"
        );
        assert_eq!(
            error.source().unwrap().to_string(),
            "`10 m` is no rule: use session-end, removal, or a time such as 10m, 2h or 7d (at most 366d)"
        );
    }

    #[test]
    fn a_stay_one_past_the_limit_is_refused() {
        assert_eq!(duration("2h"), Some(Duration::from_secs(7200)));
        assert_eq!(duration("366d"), Some(Duration::from_secs(366 * 86_400)));
        for bad in [
            "367d",
            "0m",
            "m",
            "+1d",
            "1w",
            "1",
            "",
            "99999999999999999999d",
            "1é",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
