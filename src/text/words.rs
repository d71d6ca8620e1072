//! What are states, kinds and flows called?

use super::pick;
use crate::model::{Flow, Kind, Language, PartyIdSource, State};

/// Returns what a state is called.
pub fn state(language: Language, state: State) -> &'static str {
    let texts = match state {
        State::Held => ["to process", "à traiter", "te behandelen"],
        State::Offered => [
            "sent, not collected yet",
            "envoyé, pas encore récupéré",
            "verzonden, nog niet opgehaald",
        ],
        State::Collected => ["collected", "récupéré", "opgehaald"],
        State::Processed => ["processed", "traité", "verwerkt"],
        State::Withdrawn => ["withdrawn", "retiré", "ingetrokken"],
    };
    pick(language, texts)
}

/// A word of a heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// A document.
    Document,
    /// A delivery of it.
    Delivery,
    /// Before the name of a seller.
    Of,
    /// In place of a number.
    NoNumber,
    /// In place of a name.
    Somebody,
}

/// Returns a word of a heading.
pub fn word(language: Language, word: Word) -> &'static str {
    let texts = match word {
        Word::Document => ["document", "document", "document"],
        Word::Delivery => ["delivery", "envoi", "zending"],
        Word::Of => ["of", "de", "van"],
        Word::NoNumber => ["without a number", "sans numéro", "zonder nummer"],
        Word::Somebody => ["somebody", "quelqu'un", "iemand"],
    };
    pick(language, texts)
}

/// Says that of the documents that bear a name the newest are shown, and that there are older ones.
pub fn older(language: Language, what: &str, shown: usize) -> String {
    match language {
        Language::Nl => format!(
            "Meer dan {shown} documenten dragen `{what}`: dit zijn de {shown} nieuwste. Noem een ouder bij zijn zending, zoals d12, of bij zijn hash."
        ),
        Language::Fr => format!(
            "Plus de {shown} documents portent `{what}` : ce sont les {shown} plus récents. Désignez un plus ancien par son envoi, comme d12, ou par son empreinte."
        ),
        Language::En | Language::De => format!(
            "More than {shown} documents bear `{what}`: these are the newest {shown}. Name an older one by its delivery, as d12, or by its digest."
        ),
    }
}

/// Returns what a kind of document is called.
pub fn kind(language: Language, kind: Kind) -> &'static str {
    let texts = match kind {
        Kind::Invoice => ["invoice", "facture", "factuur"],
        Kind::CreditNote => ["credit note", "note de crédit", "creditnota"],
        Kind::Cii => ["invoice in CII", "facture en CII", "factuur in CII"],
        Kind::Response => [
            "response about a document",
            "réponse à un document",
            "antwoord op een document",
        ],
        Kind::Other => ["other document", "autre document", "ander document"],
        Kind::Unreadable => [
            "unreadable document",
            "document illisible",
            "onleesbaar document",
        ],
    };
    pick(language, texts)
}

/// Returns what a flow is called.
pub fn flow(language: Language, flow: Flow) -> &'static str {
    let texts = match flow {
        Flow::Purchase => ["purchase", "achat", "aankoop"],
        Flow::Sale => ["sale", "vente", "verkoop"],
    };
    pick(language, texts)
}

/// Returns what the party is called that makes a document this flow of its dossier.
pub fn party(language: Language, flow: Flow) -> &'static str {
    let texts = match flow {
        Flow::Sale => ["seller", "vendeur", "verkoper"],
        Flow::Purchase => ["buyer", "acheteur", "koper"],
    };
    pick(language, texts)
}

/// Returns what a number is called by where it stood in a party.
pub fn place(language: Language, source: PartyIdSource) -> &'static str {
    let texts = match source {
        PartyIdSource::LegalEntity => [
            "enterprise number",
            "numéro d'entreprise",
            "ondernemingsnummer",
        ],
        PartyIdSource::Vat => ["VAT number", "numéro de TVA", "btw-nummer"],
        PartyIdSource::Endpoint => ["Peppol address", "adresse Peppol", "Peppol-adres"],
        PartyIdSource::Identification => ["other number", "autre numéro", "ander nummer"],
    };
    pick(language, texts)
}
