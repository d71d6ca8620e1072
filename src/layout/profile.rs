//! How does one accounting program want its folders?
//!
//! A profile is a file, `config/profiles/<id>.toml`, so that a firm corrects a wrong guess or adds a
//! program without a release. It is checked once, here; a [`Profile`] always renders.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;
use serde::Deserialize;

use crate::layout::file_template::FileTemplate;
use crate::layout::folders::{FolderRole, LinkFacts, MissingFact};
use crate::layout::profile_file::{self, ProfileError};
use crate::layout::template::FolderTemplate;
use crate::model::{Flow, Kind, Language, VirtualPath};

/// How one accounting program wants its folders: layout, words, file names, and what becomes of a
/// collected file.
///
/// A value of this type keeps these promises:
///
/// - in each of its languages there is a folder for purchases and one for sales;
/// - its folders differ from each other, ignoring case, whatever the facts of the link;
/// - its file names sort by, and differ by, the counter of the dossier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) confidence: Confidence,
    pub(super) sure: BTreeMap<Language, String>,
    pub(super) languages: Vec<Language>,
    pub(super) default_language: Language,
    pub(super) folders: BTreeMap<(FolderRole, Language), FolderTemplate>,
    pub(super) file_name: FileTemplate,
    pub(super) year_of: YearOf,
    pub(super) after_collected: AfterCollected,
    pub(super) formats: Vec<Kind>,
}

impl Profile {
    /// Reads and checks a profile; `file_name` is the file's, for errors and to compare with its `id`.
    ///
    /// # Errors
    ///
    /// When it is not TOML, has an unknown key, lacks one, or says what cannot be.
    pub fn parse(file_name: &str, toml: &str) -> Result<Self, ProfileError> {
        profile_file::parse(file_name, toml)
    }

    /// Returns the name by which links and commands choose it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns what people call the program.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how sure its layout is.
    pub fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// Returns how sure its layout is in words, and what to set in the program; English if need be.
    pub fn sure(&self, language: Language) -> &str {
        let text = self
            .sure
            .get(&language)
            .or_else(|| self.sure.get(&Language::En));
        text.map_or("", String::as_str) // the English one is always there
    }

    /// Returns its languages, the default first.
    pub fn languages(&self) -> &[Language] {
        &self.languages
    }

    /// Returns the language of the folders for a firm: its own, where the profile has it.
    pub fn language_for(&self, firm_language: Language) -> Language {
        if self.languages.contains(&firm_language) {
            firm_language
        } else {
            self.default_language
        }
    }

    /// Returns how its files are called.
    pub fn file_name_template(&self) -> &FileTemplate {
        &self.file_name
    }

    /// Returns whose date `{year}` and `{month}` are.
    pub fn year_of(&self) -> YearOf {
        self.year_of
    }

    /// Returns when a collected file leaves the folder of a pull device.
    pub fn after_collected(&self) -> AfterCollected {
        self.after_collected
    }

    /// Returns the kinds that the program reads.
    pub fn formats(&self) -> &[Kind] {
        &self.formats
    }

    /// Returns whether the program reads documents of this kind.
    pub fn takes(&self, kind: Kind) -> bool {
        self.formats.contains(&kind)
    }

    /// Returns whether a folder depends on the year or the month: then a link has more over time.
    pub fn uses_date(&self) -> bool {
        self.folders.values().any(FolderTemplate::uses_date)
    }

    /// Returns the folder where documents of `flow` wait.
    ///
    /// # Errors
    ///
    /// When it wants a fact that the link lacks.
    pub fn folder(
        &self,
        flow: Flow,
        facts: &LinkFacts<'_>,
        date: Date,
    ) -> Result<VirtualPath, MissingFact> {
        let folder = self.rendered(FolderRole::waiting(flow), facts, date);
        folder.unwrap_or(Ok(VirtualPath::ROOT)) // every language has this one
    }

    /// Returns the folder where the importer puts what it has processed, if the profile has one.
    ///
    /// # Errors
    ///
    /// When it wants a fact that the link lacks.
    pub fn processed_folder(
        &self,
        flow: Flow,
        facts: &LinkFacts<'_>,
        date: Date,
    ) -> Result<Option<VirtualPath>, MissingFact> {
        self.rendered(FolderRole::processed(flow), facts, date)
            .transpose()
    }

    /// Returns every folder of a link on a date, or what is missing for it.
    pub fn preview(
        &self,
        facts: &LinkFacts<'_>,
        date: Date,
    ) -> Vec<(FolderRole, Result<VirtualPath, MissingFact>)> {
        FolderRole::ALL
            .into_iter()
            .filter_map(|role| Some((role, self.rendered(role, facts, date)?)))
            .collect()
    }

    fn rendered(
        &self,
        role: FolderRole,
        facts: &LinkFacts<'_>,
        date: Date,
    ) -> Option<Result<VirtualPath, MissingFact>> {
        let language = self.language_for(facts.language);
        let template = self.folders.get(&(role, language))?;
        Some(template.render(facts, date))
    }
}

/// How sure the layout of a profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Confidence {
    /// Pages of vendors give the layout.
    A,
    /// They give a part of it.
    B,
    /// It is our convention: the path must be set in the program.
    C,
}

impl Confidence {
    /// Returns the letter that profiles and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

/// Whose date the year and the month of a folder are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum YearOf {
    /// The day of issue of the document (BT-2).
    #[default]
    Issue,
    /// The day it is sent to the device.
    Sending,
}

/// When a collected file leaves the folder of a pull device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterCollected {
    /// At the end of the session that collected it.
    #[default]
    SessionEnd,
    /// When the device removes it.
    Removal,
    /// This long after it was collected.
    After(Duration),
}
