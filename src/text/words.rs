//! What are states, reasons, kinds and flows called, and what does one do about a reason?

use super::pick;
use crate::model::{Flow, HeldReason, Kind, Language, PartyIdSource, State};

/// Why a document waits, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Why, without a capital or a period.
    pub what: &'static str,
    /// What to do, in a sentence.
    pub advice: &'static str,
}

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

/// Returns why a document waits, and what to do about it.
pub fn held(language: Language, reason: HeldReason) -> Held {
    Held {
        what: pick(language, why(reason)),
        advice: pick(language, advice(reason)),
    }
}

/// Why it waits.
#[rustfmt::skip]
fn why(reason: HeldReason) -> [&'static str; 3] {
    match reason {
        HeldReason::Manual => [
            "its link sends by hand only",
            "sa liaison n'envoie qu'à la main",
            "de koppeling verzendt alleen met de hand",
        ],
        HeldReason::NoDevice => [
            "no device is named for it, by its link or as the firm's default",
            "aucun appareil n'est désigné, ni par sa liaison ni par défaut au bureau",
            "er is geen toestel voor aangewezen, niet door de koppeling en niet als standaard van het kantoor",
        ],
        HeldReason::NoLink => [
            "its dossier is not linked to an accounting program",
            "son dossier n'est lié à aucun logiciel comptable",
            "het dossier is niet aan een boekhoudpakket gekoppeld",
        ],
        HeldReason::UnknownDossier => [
            "neither the seller nor the buyer is a dossier of this firm",
            "ni le vendeur ni l'acheteur n'est un dossier de ce bureau",
            "verkoper noch koper is een dossier van dit kantoor",
        ],
        HeldReason::SameDossier => [
            "seller and buyer are the same dossier",
            "le vendeur et l'acheteur sont le même dossier",
            "verkoper en koper zijn hetzelfde dossier",
        ],
        HeldReason::PartiesDisagree => [
            "the numbers of one party name different dossiers",
            "les numéros d'une même partie désignent des dossiers différents",
            "de nummers van één partij wijzen naar verschillende dossiers",
        ],
        HeldReason::SuspectedDuplicate => [
            "a document with the same seller, number, date and kind was here before",
            "un document avec le même vendeur, numéro, date et genre était déjà là",
            "een document met dezelfde verkoper, nummer, datum en soort was er al",
        ],
        HeldReason::Format => [
            "no linked accounting program reads this format",
            "aucun logiciel comptable lié ne lit ce format",
            "geen gekoppeld boekhoudpakket leest dit formaat",
        ],
        HeldReason::NoPlace => [
            "the folder of its link cannot be made",
            "le répertoire de sa liaison ne peut pas être formé",
            "de map van de koppeling kan niet worden gevormd",
        ],
        HeldReason::NotAnInvoice => [
            "it answers or reports about a document, and belongs in no invoice folder",
            "il répond à un document ou en rend compte, et n'a sa place dans aucun dossier de factures",
            "het antwoordt op een document of bericht erover, en hoort in geen enkele factuurmap",
        ],
        HeldReason::SenderDisagrees => [
            "its sender put it into the folder of one dossier, and its parties are another",
            "son expéditeur l'a mis dans le répertoire d'un dossier, et ses parties en sont un autre",
            "de afzender zette het in de map van het ene dossier, en de partijen zijn een ander",
        ],
        HeldReason::CodeUnclear => [
            "its sender put it into a folder whose code is that of several dossiers",
            "son expéditeur l'a mis dans un répertoire dont le code est celui de plusieurs dossiers",
            "de afzender zette het in een map waarvan de code die van verschillende dossiers is",
        ],
        HeldReason::FlowUnknown => [
            "its sender named the dossier, but neither party has a number or the name of that dossier",
            "son expéditeur a désigné le dossier, mais aucune partie ne porte un numéro ou le nom de ce dossier",
            "de afzender wees het dossier aan, maar geen van de partijen draagt een nummer of de naam van dat dossier",
        ],
    }
}

/// What to do about it.
#[rustfmt::skip]
fn advice(reason: HeldReason) -> [&'static str; 3] {
    match reason {
        HeldReason::Manual => [
            "Send it with `sluis send`, or let the link send at once.",
            "Envoyez-le avec `sluis send`, ou laissez la liaison envoyer aussitôt.",
            "Verzend het met `sluis send`, of laat de koppeling meteen verzenden.",
        ],
        HeldReason::NoDevice => [
            "Name a default device with `sluis device default`, or give the link a device; it is then sent by itself.",
            "Désignez un appareil par défaut avec `sluis device default`, ou donnez un appareil à la liaison ; il partira alors de lui-même.",
            "Wijs een standaardtoestel aan met `sluis device default`, of geef de koppeling een toestel; het wordt dan vanzelf verzonden.",
        ],
        HeldReason::NoLink => [
            "Link the dossier with `sluis link add`; it is then sent by itself.",
            "Liez le dossier avec `sluis link add` ; il partira alors de lui-même.",
            "Koppel het dossier met `sluis link add`; het wordt dan vanzelf verzonden.",
        ],
        HeldReason::UnknownDossier => [
            "If it is for a client of the office, add that dossier, with the number on the document, by `sluis dossier add`; else withdraw it.",
            "S'il concerne un client du bureau, ajoutez ce dossier, avec le numéro du document, par `sluis dossier add` ; sinon, retirez-le.",
            "Is het voor een klant van het kantoor, voeg dat dossier dan toe, met het nummer op het document, via `sluis dossier add`; trek het anders in.",
        ],
        HeldReason::SameDossier => [
            "Ask who wrote it which of the two it should be; withdraw this one.",
            "Demandez à son auteur lequel des deux ce devrait être ; retirez celui-ci.",
            "Vraag wie het opmaakte welke van de twee het moet zijn; trek dit in.",
        ],
        HeldReason::PartiesDisagree => [
            "Look which number is right, and correct the numbers of the dossiers, or ask for a corrected document.",
            "Voyez quel numéro est exact, et corrigez les numéros des dossiers, ou demandez un document corrigé.",
            "Kijk welk nummer juist is, en verbeter de nummers van de dossiers, of vraag een verbeterd document.",
        ],
        HeldReason::SuspectedDuplicate => [
            "Compare the two. Withdraw this one if it is the same; send it by its digest with `sluis send` if it is not.",
            "Comparez les deux. Retirez celui-ci si c'est le même ; sinon, envoyez-le par son empreinte avec `sluis send`.",
            "Vergelijk de twee. Trek dit in als het hetzelfde is; verzend het anders op zijn hash met `sluis send`.",
        ],
        HeldReason::Format => [
            "Ask the sender for the document in UBL (Peppol); book this one by hand if need be.",
            "Demandez à l'expéditeur le document en UBL (Peppol) ; au besoin, encodez celui-ci à la main.",
            "Vraag de afzender het document in UBL (Peppol); boek dit zo nodig met de hand.",
        ],
        HeldReason::NoPlace => [
            "See with `sluis check` what the profile of the link lacks, and mend that; it is then sent by itself.",
            "Voyez avec `sluis check` ce qui manque au profil de la liaison, et corrigez-le ; il partira alors de lui-même.",
            "Kijk met `sluis check` wat het profiel van de koppeling mist, en verhelp dat; het wordt dan vanzelf verzonden.",
        ],
        HeldReason::NotAnInvoice => [
            "Read it with `sluis read`; nothing is to be booked.",
            "Lisez-le avec `sluis read` ; il n'y a rien à comptabiliser.",
            "Lees het met `sluis read`; er is niets te boeken.",
        ],
        HeldReason::SenderDisagrees => [
            "Look whose it is. If the sender is right, the dossier lacks a number, or another has one too many: correct that, and it is looked at again; else withdraw it and tell the sender.",
            "Voyez à qui il est. Si l'expéditeur a raison, un numéro manque au dossier, ou un autre en a un de trop : corrigez-le, et il sera réexaminé ; sinon, retirez-le et prévenez l'expéditeur.",
            "Kijk van wie het is. Heeft de afzender gelijk, dan mist het dossier een nummer, of heeft een ander er een te veel: verbeter dat, en het wordt opnieuw bekeken; trek het anders in en verwittig de afzender.",
        ],
        HeldReason::CodeUnclear => [
            "Give the links of different dossiers different codes; it is then looked at again.",
            "Donnez des codes différents aux liaisons de dossiers différents ; il sera alors réexaminé.",
            "Geef de koppelingen van verschillende dossiers verschillende codes; het wordt dan opnieuw bekeken.",
        ],
        HeldReason::FlowUnknown => [
            "Look which party is the dossier, and add its number by `sluis dossier`; it is then looked at again.",
            "Voyez quelle partie est le dossier, et ajoutez son numéro par `sluis dossier` ; il sera alors réexaminé.",
            "Kijk welke partij het dossier is, en voeg het nummer daarvan toe met `sluis dossier`; het wordt dan opnieuw bekeken.",
        ],
    }
}
