//! What do the lines of a receipt say?

use super::pick;
use crate::model::Language;

/// What a line of a receipt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// The receipt itself.
    Receipt,
    /// The firm.
    Firm,
    /// The document.
    Document,
    /// Who sells.
    Seller,
    /// Who buys.
    Buyer,
    /// The digest of what arrived.
    Digest,
    /// The size of that.
    Size,
    /// The digest of what was delivered, where that is something else.
    Content,
    /// Where it showed.
    File,
    /// Which delivery, and which generation.
    Delivery,
    /// Which device.
    Device,
    /// When it was collected.
    Collected,
    /// When it was processed.
    Processed,
    /// In which session.
    Session,
    /// From which address.
    Address,
    /// With which key.
    Key,
    /// With which program.
    Software,
    /// The event and its hash.
    Event,
    /// Which bytes were read.
    Bytes,
    /// When the file was opened.
    Opened,
    /// When the first byte was accepted.
    FirstByte,
    /// When the last byte was accepted.
    LastByte,
    /// How sure it is.
    Sure,
    /// When the receipt was made out.
    Made,
}

/// What a line of a receipt may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phrase {
    /// Every byte was read.
    Read,
    /// The importer acted.
    Acknowledged,
    /// Our agent compared.
    Verified,
    /// It removed the file.
    Removed,
    /// It moved the file.
    Moved,
    /// It copied the file.
    Copied,
}

/// Returns what a line is called.
#[rustfmt::skip]
pub fn label(language: Language, label: Label) -> &'static str {
    let texts = match label {
        Label::Receipt => ["acknowledgement of receipt", "accusé de réception", "ontvangstbevestiging"],
        Label::Firm => ["accounting firm", "bureau comptable", "boekhoudkantoor"],
        Label::Document => ["document", "document", "document"],
        Label::Seller => ["seller", "vendeur", "verkoper"],
        Label::Buyer => ["buyer", "acheteur", "koper"],
        Label::Digest => ["digest (SHA-256)", "empreinte (SHA-256)", "hash (SHA-256)"],
        Label::Size => ["size", "taille", "grootte"],
        Label::Content => ["delivered without its envelope, digest", "livré sans son enveloppe, empreinte", "geleverd zonder omslag, hash"],
        Label::File => ["file", "fichier", "bestand"],
        Label::Delivery => ["delivery", "envoi", "zending"],
        Label::Device => ["device", "appareil", "toestel"],
        Label::Collected => ["collected", "récupéré", "opgehaald"],
        Label::Processed => ["processed", "traité", "verwerkt"],
        Label::Session => ["session", "session", "sessie"],
        Label::Address => ["address", "adresse", "adres"],
        Label::Key => ["key", "clé", "sleutel"],
        Label::Software => ["program", "logiciel", "programma"],
        Label::Event => ["event", "événement", "gebeurtenis"],
        Label::Bytes => ["bytes read", "octets lus", "gelezen bytes"],
        Label::Opened => ["opened", "ouvert", "geopend"],
        Label::FirstByte => ["first byte", "premier octet", "eerste byte"],
        Label::LastByte => ["last byte", "dernier octet", "laatste byte"],
        Label::Sure => ["how sure", "certitude", "zekerheid"],
        Label::Made => ["made out", "établi", "opgemaakt"],
    };
    pick(language, texts)
}

/// Returns what a line says.
#[rustfmt::skip]
pub fn phrase(language: Language, phrase: Phrase) -> &'static str {
    let texts = match phrase {
        Phrase::Read => [
            "read: the device was given every byte, and closed the file or its connection in order",
            "lu : l'appareil a reçu tous les octets, et a fermé le fichier ou sa connexion en bon ordre",
            "gelezen: het toestel kreeg elke byte, en sloot het bestand of zijn verbinding ordentelijk af",
        ],
        Phrase::Acknowledged => [
            "acknowledged: the program at the office removed, moved or copied the file",
            "confirmé : le programme au bureau a retiré, déplacé ou copié le fichier",
            "bevestigd: het programma op kantoor heeft het bestand verwijderd, verplaatst of gekopieerd",
        ],
        Phrase::Verified => [
            "verified: our program there compared the hash of what it stored",
            "vérifié : notre programme sur place a comparé l'empreinte de ce qu'il a enregistré",
            "nagekeken: ons programma ter plaatse vergeleek de hash van wat het bewaarde",
        ],
        Phrase::Removed => ["removed from the folder", "retiré du dossier", "uit de map verwijderd"],
        Phrase::Moved => ["moved to the processed folder", "déplacé vers le dossier des traités", "naar de map van verwerkte stukken verplaatst"],
        Phrase::Copied => ["copied to the processed folder", "copié dans le dossier des traités", "naar de map van verwerkte stukken gekopieerd"],
    };
    pick(language, texts)
}
