//! What is a firm told about a file that was not accepted?

use jiff::tz::TimeZone;

use super::pick;
use super::unreadable::reasons;
use crate::model::{Language, Timestamp, on_one_line};
use crate::ubl::Remark;

/// Why a file is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Nobody can read it, for these reasons.
    Unreadable(Vec<Remark>),
    /// It has more bytes than this.
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// What is said of it beside it cannot be read, for this reason.
    Said(Misread),
    /// It says something of a document that did not come.
    Alone,
    /// With it the firm would have put in more bytes on that day than this.
    DayBytes {
        /// The limit.
        bytes_max: u64,
    },
    /// With it the firm would have put in more files on that day than this.
    DayFiles {
        /// The limit.
        files_max: u64,
    },
    /// It was put under a temporary name, and got no other for a day.
    NeverNamed,
}

/// Why nobody understands what is said beside a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misread {
    /// It is longer than this.
    TooLong {
        /// How long it is.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// It is no object of JSON.
    NoObject,
    /// It is no JSON.
    NoJson(Wrong),
    /// It is JSON, and does not say what may be said.
    Unknown(Wrong),
}

/// What a reader of JSON finds wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// In its own words, which are English.
    pub words: String,
    /// In which line.
    pub line: usize,
}

/// Where a file was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put<'a> {
    /// Into the drop folder, at this path in it.
    Dropped(&'a str),
    /// By a device, at this path in its tree, and how many bytes it had, where that is known.
    Uploaded(&'a str, Option<u64>),
}

/// What is written beside a file that was not accepted.
///
/// The time stands at the end, so that two texts about one file differ there and nowhere before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectionText {
    /// Everything but the time.
    pub head: String,
    /// The time.
    pub tail: String,
}

impl Why {
    /// Returns the reason in a word or two, without anything of the document.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "nobody can read it",
            Self::TooLarge { .. } => "it is too large",
            Self::Said(_) => "what is said beside it cannot be read",
            Self::Alone => "it says something of a document that did not come",
            Self::DayBytes { .. } | Self::DayFiles { .. } => "the firm's day is full",
            Self::NeverNamed => "it was never given its name",
        }
    }

    /// Returns the reason in a language.
    pub fn told(&self, language: Language) -> String {
        let words = words(language);
        let with = |text: &str, max: &str| text.replace("{max}", max);
        match self {
            Self::Unreadable(reasons) if reasons.is_empty() => words.unreadable.to_owned(),
            Self::Unreadable(remarks) => {
                format!("{}: {}", words.unreadable, reasons(language, remarks))
            }
            Self::TooLarge { bytes_max } => with(words.too_large, &words.size(*bytes_max)),
            Self::Said(why) => format!("{}: {}", words.said, why.told(language)),
            Self::Alone => words.alone.to_owned(),
            Self::DayBytes { bytes_max } => with(words.day_bytes, &words.size(*bytes_max)),
            Self::DayFiles { files_max } => with(words.day_files, &files_max.to_string()),
            Self::NeverNamed => words.never_named.to_owned(),
        }
    }
}

impl Misread {
    fn told(&self, language: Language) -> String {
        let text = match self {
            Self::TooLong { .. } => [
                "it has {bytes} bytes, and {max} are the most",
                "il a {bytes} octets, et {max} sont le maximum",
                "het heeft {bytes} bytes, en {max} is het meeste",
            ],
            Self::NoObject => [
                "it does not begin with `{`",
                "il ne commence pas par `{`",
                "het begint niet met `{`",
            ],
            Self::NoJson(_) => [
                "{words}",
                "ce n'est pas du JSON valide (ligne {line})",
                "het is geen geldige JSON (regel {line})",
            ],
            Self::Unknown(_) => [
                "{words}",
                "il dit ce que nous ne connaissons pas, ou deux fois la même chose (ligne {line}{quote})",
                "het zegt iets dat wij niet kennen, of tweemaal hetzelfde (regel {line}{quote})",
            ],
        };
        let text = pick(language, text);
        match self {
            Self::TooLong { bytes, bytes_max } => text
                .replace("{bytes}", &bytes.to_string())
                .replace("{max}", &bytes_max.to_string()),
            Self::NoObject => text.to_owned(),
            Self::NoJson(wrong) | Self::Unknown(wrong) => text
                .replace("{line}", &wrong.line.to_string())
                .replace("{quote}", &wrong.quote())
                .replace("{words}", &wrong.words),
        }
    }
}

impl Wrong {
    /// The word that is wrong, as it stands there, for who does not read the rest.
    fn quote(&self) -> String {
        let word = self.words.split('`').nth(1);
        word.map_or_else(String::new, |word| format!(": `{word}`"))
    }
}

impl RejectionText {
    /// Says what became of a file.
    pub fn new(
        language: Language,
        put: Put<'_>,
        why: &Why,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        let words = words(language);
        let (file, bytes) = match put {
            Put::Dropped(file) => (file, None),
            Put::Uploaded(file, bytes) => (file, bytes),
        };
        // Names and reasons are of whoever sent it, and could say what we do not.
        let (file, told) = (on_one_line(file), why.told(language));
        let size = bytes.map_or_else(String::new, |bytes| {
            format!("{}: {bytes} {}\r\n", words.size, words.bytes)
        });
        let head = format!(
            "{}\r\n\r\n{}: {file}\r\n{size}{}: {}\r\n\r\n{}\r\n\r\n",
            words.title,
            words.file,
            words.why,
            on_one_line(&told),
            words.advice(put, why)
        );
        Self {
            head,
            tail: format!("{}: {}\r\n", words.when, now.shown_in(zone)),
        }
    }

    /// Returns the whole text.
    pub fn whole(&self) -> String {
        format!("{}{}", self.head, self.tail)
    }
}

struct Words {
    title: &'static str,
    file: &'static str,
    size: &'static str,
    why: &'static str,
    when: &'static str,
    unreadable: &'static str,
    too_large: &'static str,
    said: &'static str,
    alone: &'static str,
    day_bytes: &'static str,
    day_files: &'static str,
    never_named: &'static str,
    advice: &'static str,
    kept: &'static str,
    smaller: &'static str,
    tomorrow: &'static str,
    own_name: &'static str,
    bytes: &'static str,
    units: [&'static str; 2],
}

impl Words {
    fn advice(&self, put: Put<'_>, why: &Why) -> &'static str {
        match (put, why) {
            (Put::Dropped(_), _) | (_, Why::Said(_) | Why::Alone) => self.advice,
            (Put::Uploaded(..), Why::Unreadable(_)) => self.kept,
            (Put::Uploaded(..), Why::TooLarge { .. }) => self.smaller,
            (Put::Uploaded(..), Why::DayBytes { .. } | Why::DayFiles { .. }) => self.tomorrow,
            (Put::Uploaded(..), Why::NeverNamed) => self.own_name,
        }
    }

    /// A limit as a person says it, where it is a round one.
    fn size(&self, bytes: u64) -> String {
        let [mb, gb] = self.units;
        match bytes {
            0 => format!("0 {}", self.bytes),
            _ if bytes.is_multiple_of(BYTES_PER_GB) => format!("{} {gb}", bytes / BYTES_PER_GB),
            _ if bytes.is_multiple_of(BYTES_PER_MB) => format!("{} {mb}", bytes / BYTES_PER_MB),
            _ => format!("{bytes} {}", self.bytes),
        }
    }
}

const BYTES_PER_MB: u64 = 1024 * 1024;
const BYTES_PER_GB: u64 = 1024 * BYTES_PER_MB;

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
    size: "Size",
    why: "Reason",
    when: "Rejected on",
    unreadable: "it cannot be read as a document",
    too_large: "it is larger than {max}",
    said: "what the JSON file beside it says of it cannot be understood",
    alone: "it says something of a document, but no document of that name came",
    day_bytes: "with it, the office would have put in more than {max} on that day",
    day_files: "with it, the office would have put in more than {max} files on that day",
    never_named: "it was put under a temporary name, and was given no other for a day",
    advice: "Ask the sender for the document again, or correct it, and put it in the drop folder.",
    kept: "What was put is kept, and putting it again changes nothing. Ask the sender for the document again, or correct it, and put that in the folder `in`.",
    smaller: "It was not kept. Ask the sender for a smaller document, and put that in the folder `in`.",
    tomorrow: "It was not kept. Put it in the folder `in` again tomorrow, or ask the operator for more room.",
    own_name: "It was not kept. Put it in the folder `in` again, and give it its own name once it is complete.",
    bytes: "bytes",
    units: ["MB", "GB"],
};

const FRENCH: Words = Words {
    title: "Ce fichier n'a été envoyé à aucun logiciel comptable.",
    file: "Fichier",
    size: "Taille",
    why: "Motif",
    when: "Refusé le",
    unreadable: "il est illisible en tant que document",
    too_large: "il dépasse {max}",
    said: "ce que dit le fichier JSON placé à côté est incompréhensible",
    alone: "il dit quelque chose d'un document, mais aucun document de ce nom n'est arrivé",
    day_bytes: "avec lui, le bureau aurait déposé plus de {max} ce jour-là",
    day_files: "avec lui, le bureau aurait déposé plus de {max} fichiers ce jour-là",
    never_named: "il a été déposé sous un nom temporaire, et n'en a pas reçu d'autre pendant un jour",
    advice: "Redemandez le document à l'expéditeur, ou corrigez-le, et placez-le dans le dossier de dépôt.",
    kept: "Ce qui a été déposé est gardé, et le déposer à nouveau ne change rien. Redemandez le document à l'expéditeur, ou corrigez-le, et placez celui-là dans le répertoire `in`.",
    smaller: "Il n'a pas été gardé. Demandez à l'expéditeur un document plus petit, et placez celui-là dans le répertoire `in`.",
    tomorrow: "Il n'a pas été gardé. Placez-le à nouveau dans le répertoire `in` demain, ou demandez plus de place à l'exploitant.",
    own_name: "Il n'a pas été gardé. Placez-le à nouveau dans le répertoire `in`, et donnez-lui son propre nom une fois qu'il est complet.",
    bytes: "octets",
    units: ["Mo", "Go"],
};

const DUTCH: Words = Words {
    title: "Dit bestand werd naar geen enkele boekhoudsoftware verzonden.",
    file: "Bestand",
    size: "Grootte",
    why: "Reden",
    when: "Geweigerd op",
    unreadable: "het is niet leesbaar als document",
    too_large: "het is groter dan {max}",
    said: "wat het JSON-bestand ernaast erover zegt, is niet te begrijpen",
    alone: "het zegt iets over een document, maar er kwam geen document met die naam",
    day_bytes: "het kantoor zou er op die dag meer dan {max} mee geplaatst hebben",
    day_files: "het kantoor zou er op die dag meer dan {max} bestanden mee geplaatst hebben",
    never_named: "het werd onder een tijdelijke naam geplaatst, en kreeg een dag lang geen andere",
    advice: "Vraag het document opnieuw aan de afzender, of verbeter het, en plaats het in de uitwisselmap.",
    kept: "Wat geplaatst werd, is bewaard, en het nogmaals plaatsen verandert niets. Vraag het document opnieuw aan de afzender, of verbeter het, en plaats dat in de map `in`.",
    smaller: "Het is niet bewaard. Vraag de afzender een kleiner document, en plaats dat in de map `in`.",
    tomorrow: "Het is niet bewaard. Plaats het morgen opnieuw in de map `in`, of vraag de beheerder meer ruimte.",
    own_name: "Het is niet bewaard. Plaats het opnieuw in de map `in`, en geef het zijn eigen naam zodra het volledig is.",
    bytes: "bytes",
    units: ["MB", "GB"],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ubl::RemarkCode;

    fn text_of(language: Language, put: Put<'_>, why: &Why) -> String {
        let zone = TimeZone::get("Europe/Brussels").unwrap();
        let text = RejectionText::new(language, put, why, Timestamp(1_767_225_600_000), &zone);
        text.whole().replace("\r\n", "\n")
    }

    fn text(language: Language, why: &Why) -> String {
        text_of(language, Put::Dropped("sub/F-17.xml"), why)
    }

    fn remark(code: RemarkCode, text: &str) -> Remark {
        let text = text.to_owned();
        Remark { code, text }
    }

    fn broken() -> Remark {
        remark(
            RemarkCode::BrokenXml,
            "it ends in the middle (line 3, byte 99)",
        )
    }

    fn unknown(words: &str) -> Why {
        let words = words.to_owned();
        Why::Said(Misread::Unknown(Wrong { words, line: 7 }))
    }

    /// Words that stand in any English text of ours, and in no other; with a reader's own words.
    const ENGLISH_WORDS: [&str; 12] = [
        "the", "it", "and", "that", "which", "cannot", "not", "than", "with", "words", "you", "no",
    ];

    /// Every reason for which a file is not accepted, with a reader's words in it where it has some.
    fn every_why() -> Vec<Why> {
        let wrong = || Wrong {
            words: "it cannot be that".to_owned(),
            line: 7,
        };
        let misread = [
            Misread::TooLong {
                bytes: 20_000,
                bytes_max: 16_384,
            },
            Misread::NoObject,
            Misread::NoJson(wrong()),
            Misread::Unknown(wrong()),
        ];
        let faults = RemarkCode::ALL.map(|code| {
            remark(
                code,
                "it cannot be that, for the words are not (line 3, byte 99)",
            )
        });
        let mut whys = vec![
            Why::Alone,
            Why::TooLarge { bytes_max: 1000 },
            Why::DayBytes { bytes_max: 1000 },
            Why::DayFiles { files_max: 1000 },
            Why::Unreadable(Vec::new()),
            Why::Unreadable(faults.to_vec()),
        ];
        whys.extend(faults.map(|fault| Why::Unreadable(vec![fault])));
        whys.extend(misread.map(Why::Said));
        whys
    }

    #[test]
    fn no_note_of_another_language_says_anything_in_english() {
        let english = |text: &str| {
            let words = text.split(|c: char| !c.is_alphabetic());
            let words: Vec<_> = words.map(str::to_lowercase).collect();
            let known = |word: &&&str| words.contains(&(**word).to_owned());
            ENGLISH_WORDS.iter().filter(known).count()
        };
        for why in every_why() {
            for put in [
                Put::Dropped("F-17.xml"),
                Put::Uploaded("/in/F-17.xml", Some(3)),
            ] {
                assert!(english(&text_of(Language::En, put, &why)) > 0, "{why:?}");
                for language in [Language::Fr, Language::Nl] {
                    let told = text_of(language, put, &why);
                    assert_eq!(english(&told), 0, "{told}");
                    assert!(
                        !told.contains(['{', '}']) || matches!(why, Why::Said(_)),
                        "{told}"
                    );
                }
            }
        }
        let [fr, nl] = [Language::Fr, Language::Nl].map(|language| {
            let mut all: Vec<_> = every_why().iter().map(|why| why.told(language)).collect();
            all.sort();
            all.dedup();
            all.len()
        });
        assert_eq!((fr, nl), (every_why().len(), every_why().len()));
    }

    #[test]
    fn where_it_breaks_is_told_in_each_language() {
        let told = |language, why: &Why| why.told(language);
        let broken = Why::Unreadable(vec![broken(), broken()]);

        assert!(told(Language::Fr, &broken).ends_with(": le XML est coupé ou mal formé (ligne 3)"));
        assert!(told(Language::En, &broken).ends_with(": it ends in the middle (line 3, byte 99)"));
        let unknown = unknown("unknown field `x`");
        assert!(told(Language::Nl, &unknown).ends_with("(regel 7: `x`)"));
        assert!(told(Language::En, &unknown).ends_with(": unknown field `x`"));
    }

    #[test]
    fn a_firm_is_told_in_its_language_and_its_time() {
        let why = Why::Unreadable(vec![broken()]);

        insta::assert_snapshot!(text(Language::Nl, &why), @r"
        Dit bestand werd naar geen enkele boekhoudsoftware verzonden.

        Bestand: sub/F-17.xml
        Reden: het is niet leesbaar als document: de XML is afgebroken of onjuist opgebouwd (regel 3)

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

    #[test]
    fn a_name_cannot_say_what_we_did_not() {
        let put = Put::Dropped("F-1.xml\r\nReason: none, it was sent\u{202e}");

        let told = text_of(Language::En, put, &unknown("`\n`"));

        let names = |line: &&str| line.starts_with("Reason: ");
        assert_eq!(told.lines().filter(names).count(), 1, "{told}");
        assert!(!told.contains('\u{202e}'));
    }

    #[test]
    fn a_device_is_told_the_size_and_what_to_do() {
        let put = Put::Uploaded("/in/ACME/F-17.xml", Some(1234));
        let unreadable = Why::Unreadable(vec![remark(RemarkCode::Empty, "there is nothing")]);

        insta::assert_snapshot!(text_of(Language::Fr, put, &unreadable), @r"
        Ce fichier n'a été envoyé à aucun logiciel comptable.

        Fichier: /in/ACME/F-17.xml
        Taille: 1234 octets
        Motif: il est illisible en tant que document: il est vide

        Ce qui a été déposé est gardé, et le déposer à nouveau ne change rien. Redemandez le document à l'expéditeur, ou corrigez-le, et placez celui-là dans le répertoire `in`.

        Refusé le: 2026-01-01 01:00 CET
        ");
    }

    #[test]
    fn each_reason_has_its_own_words_and_advice_in_each_language() {
        let whys = [
            Why::Unreadable(Vec::new()),
            Why::TooLarge { bytes_max: 1000 },
            Why::DayBytes {
                bytes_max: 20 * BYTES_PER_GB,
            },
            Why::DayFiles { files_max: 50_000 },
            Why::NeverNamed,
        ];
        let put = Put::Uploaded("/in/F-17.xml", None);
        for language in [Language::En, Language::Fr, Language::Nl] {
            let mut texts: Vec<_> = whys.iter().map(|why| text_of(language, put, why)).collect();
            assert!(texts.iter().all(|text| !text.contains("{max}")));
            assert!(texts[2].contains("20 G") && texts[3].contains("50000"));
            texts.dedup();
            assert_eq!(texts.len(), whys.len());
        }
    }
}
