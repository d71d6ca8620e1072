//! Why can nobody read a document, in the words of an office?
//!
//! A reader's own words are English, and quote the document. In other languages the kind of fault is said, and where
//! it is; `sluis explain` has the rest.

use crate::model::Language;
use crate::ubl::{Remark, RemarkCode};

/// Returns the reasons in a language, one behind the other, each once.
pub(super) fn reasons(language: Language, remarks: &[Remark]) -> String {
    let mut told: Vec<String> = Vec::new();
    for remark in remarks {
        let one = reason(language, remark);
        if !told.contains(&one) {
            told.push(one);
        }
    }
    told.join("; ")
}

fn reason(language: Language, remark: &Remark) -> String {
    let [fr, nl] = words(remark.code);
    let (word, line) = match language {
        Language::Nl => (nl, "regel"),
        Language::Fr => (fr, "ligne"),
        Language::En | Language::De => return remark.text.clone(),
    };
    match remark.line() {
        Some(nth) => format!("{word} ({line} {nth})"),
        None => word.to_owned(),
    }
}

/// In French and Dutch.
fn words(code: RemarkCode) -> [&'static str; 2] {
    match code {
        RemarkCode::Empty => ["il est vide", "er staat niets in"],
        RemarkCode::NotXml => [
            "ce n'est pas du XML que l'on sache lire, mais peut-être une image, une archive ou un texte",
            "het is geen leesbare XML, maar misschien een afbeelding, een archief of een tekst",
        ],
        RemarkCode::Archive => [
            "ce n'est pas du XML, mais une archive (ZIP ou gzip) ou un document bureautique",
            "het is geen XML, maar een archief (ZIP of gzip) of een kantoordocument",
        ],
        RemarkCode::BeforeDeclaration => [
            "quelque chose précède la déclaration XML, le plus souvent un espace ou une ligne vide",
            "er staat iets vóór de XML-declaratie, meestal een spatie of een lege regel",
        ],
        RemarkCode::BrokenXml => [
            "le XML est coupé ou mal formé",
            "de XML is afgebroken of onjuist opgebouwd",
        ],
        RemarkCode::DtdOrEntity => [
            "il déclare un type de document ou une entité, ce qui n'est jamais lu",
            "het declareert een documenttype of een entiteit, en die worden nooit gelezen",
        ],
        RemarkCode::TooDeep => [
            "ses éléments sont trop imbriqués",
            "de elementen zijn te diep genest",
        ],
        RemarkCode::TooLarge => ["il est trop grand", "het is te groot"],
        RemarkCode::TooManyAttributes => [
            "un élément a trop d'attributs",
            "een element heeft te veel attributen",
        ],
        RemarkCode::Encoding => [
            "son encodage est inconnu, ou n'est pas celui de ses caractères",
            "de codering is onbekend, of is niet die van de tekens",
        ],
        RemarkCode::UnknownRoot => [
            "c'est un message d'un autre genre",
            "het is een ander soort bericht",
        ],
        RemarkCode::UnknownCustomization => [
            "sa spécification est inconnue",
            "de specificatie is onbekend",
        ],
        RemarkCode::OldCustomization => [
            "sa spécification n'est plus en usage",
            "de specificatie is niet meer in gebruik",
        ],
        RemarkCode::Missing => [
            "il y manque une partie attendue",
            "er ontbreekt een deel dat verwacht wordt",
        ],
        RemarkCode::Odd => [
            "une partie n'est pas ce que l'on attend à sa place",
            "een deel is niet wat op die plaats verwacht wordt",
        ],
        RemarkCode::EmptyAttachment => [
            "une pièce jointe est vide ou illisible",
            "een bijlage is leeg of onleesbaar",
        ],
        RemarkCode::TooMany => ["il y a plus à en dire", "er is meer over te zeggen"],
        RemarkCode::NotUbl => [
            "ce n'est pas une facture électronique structurée",
            "het is geen gestructureerde elektronische factuur",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ubl::read;

    #[test]
    fn what_a_sender_can_mend_is_told_in_his_language() {
        let of = |language, bytes: &[u8]| reasons(language, &read(bytes).reading.remarks);
        let archives = [&b"PK\x03\x04"[..], b"\x1f\x8b"];
        let moved = b"\n<?xml version='1.0'?><a/>";

        for bytes in archives {
            assert!(of(Language::Fr, bytes).contains("une archive (ZIP ou gzip)"));
            assert!(of(Language::Nl, bytes).contains("een archief (ZIP of gzip)"));
        }
        assert!(of(Language::En, archives[0]).contains("a ZIP archive"));
        assert_eq!(
            of(Language::Fr, moved),
            "quelque chose précède la déclaration XML, le plus souvent un espace ou une ligne vide (ligne 2)"
        );
        assert_eq!(
            of(Language::Nl, moved),
            "er staat iets vóór de XML-declaratie, meestal een spatie of een lege regel (regel 2)"
        );
    }
}
