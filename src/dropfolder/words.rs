//! What is a firm told about a file that was rejected?

use std::path::Path;

use jiff::tz::TimeZone;

use crate::model::{Language, Timestamp};

/// Why a file is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// Nobody can read it, for these reasons.
    Unreadable(Vec<String>),
    /// It has more bytes than this.
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// What is said of it beside it cannot be read, for this reason.
    Said(String),
    /// It says something of a document that did not come.
    Alone,
}

/// What is written beside a rejected file.
///
/// The time stands at the end, so that two texts about one file differ there and nowhere before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// Everything but the time.
    pub(super) head: String,
    /// The time.
    pub(super) tail: String,
}

impl Why {
    /// Returns the reason in a language.
    pub(super) fn told(&self, language: Language) -> String {
        let words = words(language);
        match self {
            Self::Unreadable(reasons) if reasons.is_empty() => words.unreadable.to_owned(),
            Self::Unreadable(reasons) => format!("{}: {}", words.unreadable, reasons.join("; ")),
            Self::TooLarge { bytes_max } => words
                .too_large
                .replace("{max}", &(bytes_max / BYTES_PER_MB).to_string()),
            Self::Said(why) => format!("{}: {why}", words.said),
            Self::Alone => words.alone.to_owned(),
        }
    }
}

const BYTES_PER_MB: u64 = 1024 * 1024;

impl Text {
    /// Says what became of the file at `path` within the drop folder.
    pub(super) fn new(
        language: Language,
        path: &Path,
        why: &Why,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        let words = words(language);
        let (file, why) = (path.display(), why.told(language));
        let head = format!(
            "{}\r\n\r\n{}: {file}\r\n{}: {why}\r\n\r\n{}\r\n\r\n",
            words.title, words.file, words.why, words.advice
        );
        Self {
            head,
            tail: format!("{}: {}\r\n", words.when, now.shown_in(zone)),
        }
    }

    /// Returns the whole text.
    pub(super) fn whole(&self) -> String {
        format!("{}{}", self.head, self.tail)
    }
}

struct Words {
    title: &'static str,
    file: &'static str,
    why: &'static str,
    when: &'static str,
    unreadable: &'static str,
    too_large: &'static str,
    said: &'static str,
    alone: &'static str,
    advice: &'static str,
}

fn words(language: Language) -> &'static Words {
    match language {
        Language::En | Language::De => &ENGLISH,
        Language::Fr => &FRENCH,
        Language::Nl => &DUTCH,
    }
}

const ENGLISH: Words = Words {
    title: "This file was not sent to any accounting software.",
    file: "File",
    why: "Reason",
    when: "Rejected on",
    unreadable: "it cannot be read as a document",
    too_large: "it is larger than {max} MB",
    said: "what the JSON file beside it says of it cannot be understood",
    alone: "it says something of a document, but no document of that name came",
    advice: "Ask the sender for the document again, or correct it, and put it in the drop folder.",
};

const FRENCH: Words = Words {
    title: "Ce fichier n'a été envoyé à aucun logiciel comptable.",
    file: "Fichier",
    why: "Motif",
    when: "Refusé le",
    unreadable: "il est illisible en tant que document",
    too_large: "il dépasse {max} Mo",
    said: "ce que dit le fichier JSON placé à côté est incompréhensible",
    alone: "il dit quelque chose d'un document, mais aucun document de ce nom n'est arrivé",
    advice: "Redemandez le document à l'expéditeur, ou corrigez-le, et placez-le dans le dossier de dépôt.",
};

const DUTCH: Words = Words {
    title: "Dit bestand werd naar geen enkele boekhoudsoftware verzonden.",
    file: "Bestand",
    why: "Reden",
    when: "Geweigerd op",
    unreadable: "het is niet leesbaar als document",
    too_large: "het is groter dan {max} MB",
    said: "wat het JSON-bestand ernaast erover zegt, is niet te begrijpen",
    alone: "het zegt iets over een document, maar er kwam geen document met die naam",
    advice: "Vraag het document opnieuw aan de afzender, of verbeter het, en plaats het in de uitwisselmap.",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn text(language: Language, why: &Why) -> String {
        let zone = TimeZone::get("Europe/Brussels").unwrap();
        let text = Text::new(
            language,
            Path::new("sub/F-17.xml"),
            why,
            Timestamp(1_767_225_600_000),
            &zone,
        );
        text.whole().replace("\r\n", "\n")
    }

    #[test]
    fn a_firm_is_told_in_its_language_and_its_time() {
        let why = Why::Unreadable(vec!["ends in the middle (line 3)".to_owned()]);

        insta::assert_snapshot!(text(Language::Nl, &why), @r"
        Dit bestand werd naar geen enkele boekhoudsoftware verzonden.

        Bestand: sub/F-17.xml
        Reden: het is niet leesbaar als document: ends in the middle (line 3)

        Vraag het document opnieuw aan de afzender, of verbeter het, en plaats het in de uitwisselmap.

        Geweigerd op: 2026-01-01 01:00 CET
        ");
    }

    #[test]
    fn every_language_has_its_words_and_german_borrows_english() {
        let why = Why::TooLarge {
            bytes_max: 100 * BYTES_PER_MB,
        };

        assert!(text(Language::Fr, &why).contains("Motif: il dépasse 100 Mo\n"));
        assert!(text(Language::Nl, &why).contains("Reden: het is groter dan 100 MB\n"));
        assert!(text(Language::En, &why).contains("Reason: it is larger than 100 MB\n"));
        assert_eq!(text(Language::De, &why), text(Language::En, &why));
    }
}
