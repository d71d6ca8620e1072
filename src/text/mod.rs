//! What does a bookkeeper read?
//!
//! Every sentence meant for the people of an office stands here, in English, French and Dutch, with
//! the words of `docs/glossary.md`. German has none of its own yet and reads English.

mod en;
mod fr;
mod held;
mod nl;
mod receipt;
mod rejection;
mod sentence;
mod twin;
mod unreadable;
mod words;

pub use held::{Held, held};
pub use receipt::{Label, Phrase, label, phrase};
pub use rejection::{Misread, Put, RejectionText, Why, Wrong};
pub use sentence::{Leaves, Path, Sentence};
pub use twin::{Read as TwinRead, Twin, twin};
pub use words::{Word, flow, kind, older, party, place, state, word};

use crate::model::Language;

/// Says a sentence in a language.
pub fn say(language: Language, sentence: &Sentence<'_>) -> String {
    match language {
        Language::Nl => nl::say(sentence),
        Language::Fr => fr::say(sentence),
        Language::En | Language::De => en::say(sentence),
    }
}

/// Returns the text of a language among those there are.
fn pick(language: Language, [en, fr, nl]: [&'static str; 3]) -> &'static str {
    match language {
        Language::Nl => nl,
        Language::Fr => fr,
        Language::En | Language::De => en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flow, HeldReason, Kind, State};
    use crate::ubl::{Remark, RemarkCode};

    const ALL: [Language; 4] = [Language::Nl, Language::Fr, Language::En, Language::De];

    #[test]
    fn each_reason_says_what_to_do_in_each_language() {
        for reason in HeldReason::ALL {
            for language in ALL {
                let held = held(language, reason);
                assert!(held.what.len() > 10 && held.advice.len() > 20, "{reason:?}");
            }
            assert_ne!(held(Language::Nl, reason), held(Language::Fr, reason));
        }
    }

    #[test]
    fn collected_is_never_said_as_paid() {
        assert_eq!(state(Language::Nl, State::Collected), "opgehaald");
        assert_eq!(state(Language::Fr, State::Collected), "récupéré");
        assert_eq!(flow(Language::Fr, Flow::Sale), "vente");
        assert_eq!(kind(Language::Nl, Kind::CreditNote), "creditnota");
    }

    #[test]
    fn why_nobody_can_read_it_is_said_in_each_language_and_then_in_the_readers_words() {
        let remarks = [Remark {
            code: RemarkCode::BrokenXml,
            text: "it ends in the middle (line 3, byte 99)".to_owned(),
        }];
        let why = remarks[0].text.as_str();
        let said = |language| {
            say(
                language,
                &Sentence::Quarantined {
                    why,
                    remarks: &remarks,
                },
            )
        };

        let nl = said(Language::Nl);
        assert!(nl.contains("onleesbaar: de XML is afgebroken of onjuist opgebouwd (regel 3)."));
        assert!(
            nl.ends_with("In de woorden van de lezer: it ends in the middle (line 3, byte 99).")
        );
        let fr = said(Language::Fr);
        assert!(
            fr.contains("illisible : le XML est coupé ou mal formé (ligne 3)."),
            "{fr}"
        );
        assert_eq!(
            said(Language::En).matches("it ends in the middle").count(),
            1
        );
    }

    #[test]
    fn a_sentence_is_said_in_each_language() {
        let offered = Sentence::Offered {
            at: "2026-03-14 10:00",
            device: "pc",
            path: Path("/expertm/A/F-1.xml"),
        };

        assert_eq!(
            say(Language::En, &offered),
            "It was put in the folder of device `pc` on 2026-03-14 10:00, as /expertm/A/F-1.xml."
        );
        assert_eq!(
            say(Language::Nl, &offered),
            "Het is op 2026-03-14 10:00 in de map van toestel `pc` gezet, als /expertm/A/F-1.xml."
        );
        assert_eq!(
            say(Language::Fr, &offered),
            "Il a été mis dans le dossier de l'appareil `pc` le 2026-03-14 10:00, sous /expertm/A/F-1.xml."
        );
    }
}
