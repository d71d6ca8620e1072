//! Why does a document wait, and what does one do about it?

use super::pick;
use crate::model::{HeldReason, Language};

/// Why a document waits, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Why, without a capital or a period.
    pub what: &'static str,
    /// What to do, in a sentence.
    pub advice: &'static str,
}

/// Returns why a document waits, and what to do about it.
pub fn held(language: Language, reason: HeldReason) -> Held {
    let texts = texts(reason);
    Held {
        what: pick(language, texts.what),
        advice: pick(language, texts.advice),
    }
}

/// A reason in English, French and Dutch.
struct Texts {
    what: [&'static str; 3],
    advice: [&'static str; 3],
}

fn texts(reason: HeldReason) -> &'static Texts {
    match reason {
        HeldReason::Manual => &MANUAL,
        HeldReason::Due => &DUE,
        HeldReason::Approval => &APPROVAL,
        HeldReason::Draft => &DRAFT,
        HeldReason::BeforeStart => &BEFORE_START,
        HeldReason::DatedAhead => &DATED_AHEAD,
        HeldReason::OnHold => &ON_HOLD,
        HeldReason::NoDevice => &NO_DEVICE,
        HeldReason::NoLink => &NO_LINK,
        HeldReason::UnknownDossier => &UNKNOWN_DOSSIER,
        HeldReason::SameDossier => &SAME_DOSSIER,
        HeldReason::PartiesDisagree => &PARTIES_DISAGREE,
        HeldReason::SuspectedDuplicate => &SUSPECTED_DUPLICATE,
        HeldReason::Format => &FORMAT,
        HeldReason::NoPlace => &NO_PLACE,
        HeldReason::NotAnInvoice => &NOT_AN_INVOICE,
        HeldReason::SenderDisagrees => &SENDER_DISAGREES,
        HeldReason::CodeUnclear => &CODE_UNCLEAR,
        HeldReason::FlowUnknown => &FLOW_UNKNOWN,
    }
}

const MANUAL: Texts = Texts {
    what: [
        "its link sends by hand only",
        "sa liaison n'envoie qu'à la main",
        "de koppeling verzendt alleen met de hand",
    ],
    advice: [
        "Send it with `sluis send`, or let the link send at once.",
        "Envoyez-le avec `sluis send`, ou laissez la liaison envoyer aussitôt.",
        "Verzend het met `sluis send`, of laat de koppeling meteen verzenden.",
    ],
};

const DUE: Texts = Texts {
    what: [
        "its link sends later, by itself",
        "sa liaison l'enverra plus tard, d'elle-même",
        "de koppeling verzendt het later, vanzelf",
    ],
    advice: [
        "Nothing is to be done; `sluis send` sends it now.",
        "Il n'y a rien à faire ; `sluis send` l'envoie maintenant.",
        "Er is niets te doen; `sluis send` verzendt het nu.",
    ],
};

const APPROVAL: Texts = Texts {
    what: [
        "it came from outside, and nobody has approved it yet",
        "il est venu de l'extérieur, et personne ne l'a encore approuvé",
        "het kwam van buiten, en niemand heeft het al goedgekeurd",
    ],
    advice: [
        "Look at it (`sluis show`), and approve it with `sluis approve`; it is then sent as its link says.",
        "Regardez-le (`sluis show`), et approuvez-le avec `sluis approve` ; il partira alors selon sa liaison.",
        "Bekijk het (`sluis show`), en keur het goed met `sluis approve`; het wordt dan verzonden zoals de koppeling zegt.",
    ],
};

const DRAFT: Texts = Texts {
    what: [
        "it is a draft, which may still change",
        "c'est un brouillon, qui peut encore changer",
        "het is een concept, dat nog kan veranderen",
    ],
    advice: [
        "It is sent by itself once whoever made it says that it was sent; `sluis send` sends it now.",
        "Il partira de lui-même quand son auteur dira qu'il est envoyé ; `sluis send` l'envoie maintenant.",
        "Het wordt vanzelf verzonden zodra de opmaker zegt dat het verstuurd is; `sluis send` verzendt het nu.",
    ],
};

const BEFORE_START: Texts = Texts {
    what: [
        "it is older than what its link sends by itself, or bears a date that cannot be read",
        "il est antérieur à ce que sa liaison envoie d'elle-même, ou porte une date illisible",
        "het is ouder dan wat de koppeling vanzelf verzendt, of draagt een datum die niet te lezen is",
    ],
    advice: [
        "Send it with `sluis send` if it is not in the books yet.",
        "Envoyez-le avec `sluis send` s'il n'est pas encore comptabilisé.",
        "Verzend het met `sluis send` als het nog niet geboekt is.",
    ],
};

const DATED_AHEAD: Texts = Texts {
    what: [
        "its date was more than three months ahead when it came, and its link sends by month",
        "sa date était à plus de trois mois quand il est arrivé, et sa liaison envoie par mois",
        "de datum lag bij aankomst meer dan drie maanden vooruit, en de koppeling verzendt per maand",
    ],
    advice: [
        "Ask its sender whether the date is right. If it is, send it with `sluis send` when it is to be booked.",
        "Demandez à l'expéditeur si la date est exacte. Si oui, envoyez-le avec `sluis send` quand il doit être comptabilisé.",
        "Vraag de verzender of de datum klopt. Zo ja, verzend het met `sluis send` wanneer het geboekt moet worden.",
    ],
};

const ON_HOLD: Texts = Texts {
    what: [
        "a person has held it back",
        "une personne l'a retenu",
        "iemand heeft het tegengehouden",
    ],
    advice: [
        "Send it with `sluis send` when it may go.",
        "Envoyez-le avec `sluis send` quand il peut partir.",
        "Verzend het met `sluis send` als het weg mag.",
    ],
};

const NO_DEVICE: Texts = Texts {
    what: [
        "no device is named for it, by its link or as the firm's default",
        "aucun appareil n'est désigné, ni par sa liaison ni par défaut au bureau",
        "er is geen toestel voor aangewezen, niet door de koppeling en niet als standaard van het kantoor",
    ],
    advice: [
        "Name a default device with `sluis device default`, or give the link a device; it is then sent by itself.",
        "Désignez un appareil par défaut avec `sluis device default`, ou donnez un appareil à la liaison ; il partira alors de lui-même.",
        "Wijs een standaardtoestel aan met `sluis device default`, of geef de koppeling een toestel; het wordt dan vanzelf verzonden.",
    ],
};

const NO_LINK: Texts = Texts {
    what: [
        "its dossier is not linked to an accounting program",
        "son dossier n'est lié à aucun logiciel comptable",
        "het dossier is niet aan een boekhoudpakket gekoppeld",
    ],
    advice: [
        "Link the dossier with `sluis link add`; it is then sent by itself.",
        "Liez le dossier avec `sluis link add` ; il partira alors de lui-même.",
        "Koppel het dossier met `sluis link add`; het wordt dan vanzelf verzonden.",
    ],
};

const UNKNOWN_DOSSIER: Texts = Texts {
    what: [
        "neither the seller nor the buyer is a dossier of this firm",
        "ni le vendeur ni l'acheteur n'est un dossier de ce bureau",
        "verkoper noch koper is een dossier van dit kantoor",
    ],
    advice: [
        "If it is for a client of the office, add that dossier, with the number on the document, by `sluis dossier add`, or give the number to the dossier that it is of by `sluis dossier set --add-id`; else withdraw it.",
        "S'il concerne un client du bureau, ajoutez ce dossier, avec le numéro du document, par `sluis dossier add`, ou donnez le numéro au dossier concerné par `sluis dossier set --add-id` ; sinon, retirez-le.",
        "Is het voor een klant van het kantoor, voeg dat dossier dan toe, met het nummer op het document, via `sluis dossier add`, of geef het nummer aan het dossier waarvan het is via `sluis dossier set --add-id`; trek het anders in.",
    ],
};

const SAME_DOSSIER: Texts = Texts {
    what: [
        "seller and buyer are the same dossier",
        "le vendeur et l'acheteur sont le même dossier",
        "verkoper en koper zijn hetzelfde dossier",
    ],
    advice: [
        "If the dossier bears a number of another enterprise, take that away with `sluis dossier set --remove-id`: it then goes to both. Else ask who wrote it which of the two it should be, and withdraw this one.",
        "Si le dossier porte le numéro d'une autre entreprise, enlevez-le avec `sluis dossier set --remove-id` : il ira alors aux deux. Sinon, demandez à son auteur lequel des deux ce devrait être, et retirez celui-ci.",
        "Draagt het dossier een nummer van een andere onderneming, neem dat dan weg met `sluis dossier set --remove-id`: het gaat daarna naar beide. Vraag anders wie het opmaakte welke van de twee het moet zijn, en trek dit in.",
    ],
};

const PARTIES_DISAGREE: Texts = Texts {
    what: [
        "the numbers of one party contradict each other",
        "les numéros d'une même partie se contredisent",
        "de nummers van één partij spreken elkaar tegen",
    ],
    advice: [
        "If all of these numbers are one client's, give its dossier those that it lacks with `sluis dossier set --add-id`: it is then looked at again. Else give it to the right books with `sluis move`, or ask for a corrected document.",
        "Si tous ces numéros sont d'un même client, donnez à son dossier ceux qui lui manquent avec `sluis dossier set --add-id` : il sera alors réexaminé. Sinon, donnez-le au bon dossier avec `sluis move`, ou demandez un document corrigé.",
        "Zijn al die nummers van één klant, geef zijn dossier dan met `sluis dossier set --add-id` wat het mist: het wordt daarna opnieuw bekeken. Geef het anders aan het juiste dossier met `sluis move`, of vraag een verbeterd document.",
    ],
};

const SUSPECTED_DUPLICATE: Texts = Texts {
    what: [
        "a document that looks like it, or came in the same envelope, was here before",
        "un document qui lui ressemble, ou qui est venu dans la même enveloppe, était déjà là",
        "een document dat erop lijkt, of dat in dezelfde envelop kwam, was er al",
    ],
    advice: [
        "Compare the two (`sluis show` writes each). Withdraw this one if it is the same; put it in the place of the first with `sluis replace` if it is a newer version; send it by its digest with `sluis send` if it is another document.",
        "Comparez les deux (`sluis show` les écrit). Retirez celui-ci si c'est le même ; mettez-le à la place du premier avec `sluis replace` si c'est une version plus récente ; envoyez-le par son empreinte avec `sluis send` si c'est un autre document.",
        "Vergelijk de twee (`sluis show` schrijft ze). Trek dit in als het hetzelfde is; zet het in de plaats van het eerste met `sluis replace` als het een nieuwere versie is; verzend het op zijn hash met `sluis send` als het een ander document is.",
    ],
};

const FORMAT: Texts = Texts {
    what: [
        "no linked accounting program takes documents of this format or kind",
        "aucun logiciel comptable lié ne prend les documents de ce format ou de ce genre",
        "geen gekoppeld boekhoudpakket neemt documenten van dit formaat of deze soort",
    ],
    advice: [
        "Book it by hand if need be. If it is an invoice that is not in UBL (Peppol), ask the sender for it in that form.",
        "Au besoin, encodez-le à la main. Si c'est une facture qui n'est pas en UBL (Peppol), demandez-la à l'expéditeur sous cette forme.",
        "Boek het zo nodig met de hand. Is het een factuur die niet in UBL (Peppol) is, vraag ze de afzender dan in die vorm.",
    ],
};

const NO_PLACE: Texts = Texts {
    what: [
        "the folder of its link cannot be made, or is another link's too",
        "le répertoire de sa liaison ne peut pas être formé, ou est aussi celui d'une autre",
        "de map van de koppeling kan niet worden gevormd, of is ook die van een andere",
    ],
    advice: [
        "See with `sluis check` what is wrong with the profile of the link, and mend that; it is then sent by itself.",
        "Voyez avec `sluis check` ce qui ne va pas dans le profil de la liaison, et corrigez-le ; il partira alors de lui-même.",
        "Kijk met `sluis check` wat er mis is met het profiel van de koppeling, en verhelp dat; het wordt dan vanzelf verzonden.",
    ],
};

const NOT_AN_INVOICE: Texts = Texts {
    what: [
        "it answers or reports about a document, and belongs in no invoice folder",
        "il répond à un document ou en rend compte, et n'a sa place dans aucun dossier de factures",
        "het antwoordt op een document of bericht erover, en hoort in geen enkele factuurmap",
    ],
    advice: [
        "Write it into a file with `sluis show`, and read that with `sluis read`; nothing is to be booked.",
        "Écrivez-le dans un fichier avec `sluis show`, et lisez celui-ci avec `sluis read` ; il n'y a rien à comptabiliser.",
        "Schrijf het met `sluis show` naar een bestand, en lees dat met `sluis read`; er is niets te boeken.",
    ],
};

const SENDER_DISAGREES: Texts = Texts {
    what: [
        "its sender put it into the folder of one dossier, and its parties are another",
        "son expéditeur l'a mis dans le répertoire d'un dossier, et ses parties en sont un autre",
        "de afzender zette het in de map van het ene dossier, en de partijen zijn een ander",
    ],
    advice: [
        "Look whose it is, and give it to those books with `sluis move`; or correct the numbers of the dossiers with `sluis dossier set`, and it is looked at again.",
        "Voyez à qui il est, et donnez-le à ce dossier avec `sluis move` ; ou corrigez les numéros des dossiers avec `sluis dossier set`, et il sera réexaminé.",
        "Kijk van wie het is, en geef het aan dat dossier met `sluis move`; of verbeter de nummers van de dossiers met `sluis dossier set`, en het wordt opnieuw bekeken.",
    ],
};

const CODE_UNCLEAR: Texts = Texts {
    what: [
        "its sender put it into a folder whose code is that of several dossiers",
        "son expéditeur l'a mis dans un répertoire dont le code est celui de plusieurs dossiers",
        "de afzender zette het in een map waarvan de code die van verschillende dossiers is",
    ],
    advice: [
        "Give the links of different dossiers different codes, and it is looked at again; or give it to the right books with `sluis move`.",
        "Donnez des codes différents aux liaisons de dossiers différents, et il sera réexaminé ; ou donnez-le au bon dossier avec `sluis move`.",
        "Geef de koppelingen van verschillende dossiers verschillende codes, en het wordt opnieuw bekeken; of geef het aan het juiste dossier met `sluis move`.",
    ],
};

const FLOW_UNKNOWN: Texts = Texts {
    what: [
        "its sender named the dossier, but neither party has a number or the name of that dossier",
        "son expéditeur a désigné le dossier, mais aucune partie ne porte un numéro ou le nom de ce dossier",
        "de afzender wees het dossier aan, maar geen van de partijen draagt een nummer of de naam van dat dossier",
    ],
    advice: [
        "Look which party is the dossier, and give it to those books with `sluis move`, `--as purchase` or `--as sale`.",
        "Voyez quelle partie est le dossier, et donnez-le à ce dossier avec `sluis move`, `--as purchase` ou `--as sale`.",
        "Kijk welke partij het dossier is, en geef het aan dat dossier met `sluis move`, `--as purchase` of `--as sale`.",
    ],
};
