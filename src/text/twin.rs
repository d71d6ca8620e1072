//! What is said of a document that looks like an earlier one?

use super::{flow, kind, pick, state};
use crate::model::{DocumentId, Doubt, Flow, Kind, Language, State};
use crate::ubl::differences::Field;

/// One thing that is said of two documents that look alike. Instants are shown in the office's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Twin<'a> {
    /// The earlier one: what it is and when it came.
    Earlier {
        /// Which.
        id: DocumentId,
        /// The beginning of its digest, by which commands take it.
        digest: &'a str,
        /// What it is.
        kind: Kind,
        /// Its number.
        number: Option<&'a str>,
        /// Its date.
        issued: Option<&'a str>,
        /// When it came.
        at: &'a str,
    },
    /// Where one of its deliveries stands.
    Stands {
        /// Whose it is.
        dossier: Option<&'a str>,
        /// As which flow.
        flow: Option<Flow>,
        /// To which device.
        device: Option<&'a str>,
        /// How far it has come.
        state: State,
        /// What a device has read of it, where that does not count.
        read: Read,
    },
    /// In what it differs.
    Differs {
        /// In what.
        field: Field,
        /// What this document says.
        newer: Option<&'a str>,
        /// What the earlier one says.
        older: Option<&'a str>,
    },
    /// Nothing that was read differs.
    Alike,
    /// Why only a person can say whether it is a newer version of the earlier one.
    Doubted(Doubt),
    /// A delivery was offered as a revision.
    RevisionOf(DocumentId),
    /// A delivery was withdrawn, for a newer document took its place.
    ReplacedBy {
        /// When.
        at: &'a str,
        /// Which document.
        id: DocumentId,
    },
}

/// What a device has read of a delivery that it has not collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Nothing that we know of.
    Nothing,
    /// Every byte, where that does not count as collected, or after it was taken back: it may have it.
    Whole,
}

impl Twin<'_> {
    /// Returns the word by which a program knows it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Earlier { .. } => "looks_like",
            Self::Stands { .. } => "earlier_stands",
            Self::Differs { .. } => "differs",
            Self::Alike => "alike",
            Self::Doubted(_) => "doubted",
            Self::RevisionOf(_) => "revision_of",
            Self::ReplacedBy { .. } => "replaced_by",
        }
    }
}

/// Says it in a language.
pub fn twin(language: Language, said: &Twin<'_>) -> String {
    match said {
        Twin::Earlier { .. } => earlier(language, said),
        Twin::Stands { .. } => stands(language, said),
        Twin::Differs {
            field,
            newer,
            older,
        } => {
            let nothing = pick(language, ["nothing", "rien", "niets"]);
            let (newer, older) = (newer.unwrap_or(nothing), older.unwrap_or(nothing));
            let name = name(language, *field);
            match language {
                Language::Fr => format!("Différence, {name} : ici {newer}, là {older}."),
                Language::Nl => format!("Verschil, {name}: hier {newer}, daar {older}."),
                Language::En | Language::De => {
                    format!("Difference, {name}: here {newer}, there {older}.")
                }
            }
        }
        Twin::Alike => pick(
            language,
            [
                "Nothing that we read of the two differs; their lines are not read.",
                "Rien de ce que nous lisons des deux ne diffère ; les lignes ne sont pas lues.",
                "Niets van wat we van beide lezen verschilt; de regels worden niet gelezen.",
            ],
        )
        .to_owned(),
        Twin::Doubted(why) => doubted(language, *why),
        Twin::RevisionOf(id) => match language {
            Language::Fr => format!(
                "Il est une révision du document {id}, qui avait déjà été récupéré : corrigez ce qui en est comptabilisé."
            ),
            Language::Nl => format!(
                "Het is een herziening van document {id}, dat al was opgehaald: verbeter wat daarvan geboekt is."
            ),
            Language::En | Language::De => format!(
                "It is a revision of document {id}, which had been collected already: correct what was booked of that."
            ),
        },
        Twin::ReplacedBy { at, id } => match language {
            Language::Fr => {
                format!("Il a été retiré le {at}, car le document {id} a pris sa place.")
            }
            Language::Nl => {
                format!("Het is ingetrokken op {at}, want document {id} kwam in de plaats.")
            }
            Language::En | Language::De => {
                format!("It was withdrawn on {at}, for document {id} took its place.")
            }
        },
    }
}

fn doubted(language: Language, why: Doubt) -> String {
    let because = match why {
        Doubt::Number => [
            "one of the numbers is none, or they are not written alike",
            "l'un des numéros n'en est pas un, ou ils ne sont pas écrits de la même façon",
            "een van de nummers is er geen, of ze zijn niet gelijk geschreven",
        ],
        Doubt::Seller => [
            "the seller is not known by a number of its own alone, or they may be of two sellers or shops",
            "le vendeur n'est pas connu par un numéro qui n'est qu'à lui, ou ils sont peut-être de deux vendeurs ou magasins",
            "de verkoper is niet bekend met een nummer van hem alleen, of ze zijn misschien van twee verkopers of winkels",
        ],
        Doubt::Buyer => [
            "the buyers may be two, or the buyer who wrote it is not known by a number of its own alone",
            "les acheteurs sont peut-être deux, ou celui qui l'a établi n'est pas connu par un numéro qui n'est qu'à lui",
            "de kopers zijn misschien twee, of de koper die het opstelde is niet bekend met een nummer van hem alleen",
        ],
        Doubt::Type => [
            "they are not of one type, or one may give back what the other charges",
            "ils ne sont pas du même type, ou l'un rend peut-être ce que l'autre facture",
            "ze zijn niet van één type, of het ene geeft misschien terug wat het andere aanrekent",
        ],
        Doubt::Account => [
            "it is to be paid to an account that the earlier one does not name, for all that we know",
            "il est à payer sur un compte que l'autre, pour autant que nous sachions, ne mentionne pas",
            "het moet betaald worden op een rekening die het eerdere, voor zover wij weten, niet noemt",
        ],
    };
    let because = pick(language, because);
    match language {
        Language::Fr => {
            format!("Il n'est pas sûr que ce soit une nouvelle version de celui-là : {because}.")
        }
        Language::Nl => {
            format!("Het is niet zeker dat het een nieuwere versie daarvan is: {because}.")
        }
        Language::En | Language::De => {
            format!("It is not sure to be a newer version of that one: {because}.")
        }
    }
}

fn earlier(language: Language, said: &Twin<'_>) -> String {
    let Twin::Earlier {
        id,
        digest,
        kind: what,
        number,
        issued,
        at,
    } = said
    else {
        return String::new();
    };
    let mut text = kind(language, *what).to_owned();
    let of = pick(language, ["of", "du", "van"]);
    if let Some(number) = number {
        text.push_str(&format!(" {number}"));
    }
    if let Some(issued) = issued {
        text.push_str(&format!(" {of} {issued}"));
    }
    match language {
        Language::Fr => {
            format!("Il ressemble au document {id} ({digest}), {text}, reçu le {at}.")
        }
        Language::Nl => {
            format!("Het lijkt op document {id} ({digest}), {text}, ontvangen op {at}.")
        }
        Language::En | Language::De => {
            format!("It looks like document {id} ({digest}), {text}, received on {at}.")
        }
    }
}

fn stands(language: Language, said: &Twin<'_>) -> String {
    let Twin::Stands {
        dossier,
        flow: way,
        device,
        state: stand,
        read,
    } = said
    else {
        return String::new();
    };
    let nobody = pick(language, ["nobody yet", "personne encore", "nog niemand"]);
    let mut books = format!("`{}`", dossier.unwrap_or(nobody));
    if let Some(way) = way {
        books = format!("{} {books}", flow(language, *way));
    }
    if let Some(device) = device {
        books.push_str(&format!(", `{device}`"));
    }
    let stand = state(language, *stand);
    let read = match read {
        Read::Nothing => "",
        Read::Whole => pick(
            language,
            [
                "; but it was read whole there, so that program may have it",
                " ; mais il y a été lu en entier, ce logiciel l'a donc peut-être",
                "; maar het is daar helemaal gelezen, dus dat pakket heeft het misschien",
            ],
        ),
    };
    match language {
        Language::Fr => format!("Ce document-là, {books} : {stand}{read}."),
        Language::Nl => format!("Dat document, {books}: {stand}{read}."),
        Language::En | Language::De => format!("That document, {books}: {stand}{read}."),
    }
}

fn name(language: Language, field: Field) -> &'static str {
    let names = match field {
        Field::Type => ["type code", "code de type", "typecode"],
        Field::Total => ["total", "total", "totaal"],
        Field::Number => [
            "number as written",
            "numéro tel qu'écrit",
            "nummer zoals geschreven",
        ],
        Field::DueDate => ["due date", "échéance", "vervaldag"],
        Field::Seller => ["seller", "vendeur", "verkoper"],
        Field::Buyer => ["buyer", "acheteur", "koper"],
        Field::Accounts => [
            "account to pay to",
            "compte à créditer",
            "rekening waarop te betalen",
        ],
        Field::References => ["references", "références", "verwijzingen"],
        Field::Attachments => ["attachments", "pièces jointes", "bijlagen"],
    };
    pick(language, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_look_alike_are_told_in_each_language() {
        let earlier = Twin::Earlier {
            id: DocumentId(5),
            digest: "abcdef012345",
            kind: Kind::Invoice,
            number: Some("F-1"),
            issued: Some("2026-03-14"),
            at: "2026-03-14 09:00",
        };
        let stands = Twin::Stands {
            dossier: Some("De Korenaar"),
            flow: Some(Flow::Purchase),
            device: Some("pc"),
            state: State::Offered,
            read: Read::Whole,
        };
        let differs = Twin::Differs {
            field: Field::Total,
            newer: Some("242.00 EUR"),
            older: None,
        };

        assert_eq!(
            twin(Language::En, &earlier),
            "It looks like document 5 (abcdef012345), invoice F-1 of 2026-03-14, received on 2026-03-14 09:00."
        );
        assert_eq!(
            twin(Language::Nl, &stands),
            "Dat document, aankoop `De Korenaar`, `pc`: verzonden, nog niet opgehaald; maar het is daar helemaal gelezen, dus dat pakket heeft het misschien."
        );
        assert_eq!(
            twin(Language::Fr, &differs),
            "Différence, total : ici 242.00 EUR, là rien."
        );
        for said in [
            earlier,
            stands,
            differs,
            Twin::Alike,
            Twin::Doubted(Doubt::Number),
            Twin::Doubted(Doubt::Seller),
            Twin::Doubted(Doubt::Buyer),
            Twin::Doubted(Doubt::Type),
            Twin::Doubted(Doubt::Account),
            Twin::RevisionOf(DocumentId(5)),
        ] {
            assert_ne!(twin(Language::Nl, &said), twin(Language::Fr, &said));
            assert_ne!(twin(Language::Nl, &said), twin(Language::En, &said));
        }
    }

    #[test]
    fn that_the_buyer_who_wrote_it_is_not_known_is_said_too() {
        for (language, half) in [
            (
                Language::En,
                "or the buyer who wrote it is not known by a number of its own alone.",
            ),
            (
                Language::Fr,
                "ou celui qui l'a établi n'est pas connu par un numéro qui n'est qu'à lui.",
            ),
            (
                Language::Nl,
                "of de koper die het opstelde is niet bekend met een nummer van hem alleen.",
            ),
        ] {
            let told = twin(language, &Twin::Doubted(Doubt::Buyer));
            assert!(told.ends_with(half), "{told}");
        }
    }
}
