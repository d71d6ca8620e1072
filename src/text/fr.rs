//! How is each sentence said in French?

use super::unreadable::reasons;
use super::{Leaves, Sentence, flow, held, kind};
use crate::model::{Flow, Language};

/// Says a sentence.
pub(super) fn say(sentence: &Sentence<'_>) -> String {
    match sentence {
        Sentence::Received { at, door, file } => {
            format!("Il a été reçu le {at}, {}, sous le nom `{file}`.", by(door))
        }
        Sentence::ReceivedAgain { at, door, file } => format!(
            "Il est revenu le {at}, {}, sous le nom `{file}` : c'est le même document, il n'a donc été gardé qu'une fois.",
            by(door)
        ),
        Sentence::Read { .. } => read(sentence),
        Sentence::Accounts(accounts) => format!("Compte à créditer : {accounts}."),
        Sentence::Unwrapped => "Il est venu dans une enveloppe Peppol (SBDH) ; c'est le document à l'intérieur qui est délivré.".to_owned(),
        Sentence::Remark(text) => format!("Remarque : {text}."),
        Sentence::Quarantined { why, remarks } => {
            let told = reasons(Language::Fr, remarks);
            format!(
                "Il est en quarantaine, car il est illisible : {told}. Il est gardé et n'est montré à aucun appareil ; `sluis show` l'écrit dans un fichier. Redemandez-le à l'expéditeur. Dans les mots du lecteur : {why}."
            )
        }
        Sentence::Routed {
            flow: way,
            dossier,
            matched,
        } => routed(*way, dossier, matched),
        Sentence::RoutedByName { flow: way, dossier } => {
            let (way, party) = way_and_party(*way);
            format!("C'est {way} du dossier `{dossier}`, car son expéditeur a désigné ce dossier et {party} en porte le nom.")
        }
        Sentence::PutInto { code } => format!("Son expéditeur l'a mis dans le répertoire `/in/{code}`."),
        Sentence::Linked { profile, code } => format!("Il va vers `{profile}`, où le dossier a le code `{code}`."),
        Sentence::Assigned { flow: way, dossier, reason } => assigned(*way, dossier, *reason),
        Sentence::GivenAway { at, reason } => given_away(at, reason),
        Sentence::Until(at) => format!("Il partira de lui-même le {at}."),
        Sentence::Note(note) => format!("Ce qui en a été dit : {note}."),
        Sentence::Held(reason) => {
            let held = held(Language::Fr, *reason);
            format!("Il attend : {}. {}", held.what, held.advice)
        }
        Sentence::Offered { at, device, path } => format!("Il a été mis dans le dossier de l'appareil `{device}` le {at}, sous {path}."),
        Sentence::Waiting { device, last_seen } => waiting(device, *last_seen),
        Sentence::ReadOnly { at, device } => format!(
            "L'appareil `{device}` l'a lu en entier le {at}. Sur un lecteur réseau cela ne compte pas comme récupéré : les antivirus et les aperçus lisent aussi. Cela compte dès que le logiciel comptable supprime le fichier, ou le déplace vers le dossier des fichiers traités."
        ),
        Sentence::Collected { at, device, from } => format!(
            "L'appareil `{device}` l'a récupéré le {at}{}.",
            from.map_or_else(String::new, |from| format!(", depuis {from}"))
        ),
        Sentence::Alarm { raised, cleared } => alarm(raised, *cleared),
        Sentence::Hidden(leaves) => hidden(*leaves).to_owned(),
        Sentence::DeviceGone { device } => format!("L'appareil `{device}` a été supprimé depuis, personne ne le récupérera : `sluis resend` l'envoie à un autre."),
        Sentence::Matched(matched) => format!("Numéros connus qu'il contient : {matched}."),
        Sentence::Against(against) => format!("Numéros d'un autre qu'il contient : {against}."),
        Sentence::Numbers(numbers) => format!("Numéros qu'il contient : {numbers}."),
        Sentence::Processed { at, device, act } => format!("Le logiciel comptable derrière l'appareil `{device}` l'a traité le {at} : il {}.", acted(act)),
        Sentence::Withdrawn { at, reason } => format!(
            "Il a été retiré le {at}{}.",
            reason.map_or_else(String::new, |reason| format!(" : {reason}"))
        ),
        Sentence::Replaced => "Il a été renvoyé depuis : un envoi ultérieur a pris sa place.".to_owned(),
        Sentence::Resent { at, reason } => format!("Il a été renvoyé le {at}, {reason}."),
        Sentence::LegalHold { at, reason } => format!("Une conservation légale s'y applique depuis le {at} : il n'est donc pas supprimé. Motif : {reason}."),
        Sentence::Expired { number, at, touched } => format!(
            "Le document{} a été supprimé le {at}, car la durée de conservation de ce bureau était écoulée ; la dernière opération date du {touched}. Il ne peut plus être lu ni envoyé. Celui qui l'a établi peut l'envoyer de nouveau.",
            number.map_or_else(String::new, |number| format!(" {number}"))
        ),
        Sentence::Nothing { what, firm, held, quarantined } => format!(
            "Le bureau `{firm}` n'a aucun document dont le numéro, le nom de fichier, l'empreinte ou l'identifiant est `{what}`. Si l'expéditeur dit l'avoir envoyé : il n'est peut-être pas arrivé, ou porte un autre numéro. {held} documents sont à traiter, {quarantined} en quarantaine : `sluis documents {firm}` les montre tous."
        ),
    }
}

fn alarm(raised: &str, cleared: Option<&str>) -> String {
    format!(
        "Il attendait depuis trop longtemps : une alarme a été déclenchée le {raised}{}.",
        cleared.map_or_else(String::new, |at| format!(", et levée le {at}"))
    )
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(" Motif : {reason}."))
}

fn given_away(at: &str, reason: &str) -> String {
    format!(
        "Le {at}, une personne l'a donné à un autre dossier ou journal : {reason}. Un appareil l'avait déjà : retirez-le à la main de cette comptabilité."
    )
}

fn assigned(way: Flow, dossier: &str, reason: Option<&str>) -> String {
    let said = format!(
        "Une personne a dit que c'est pour le dossier `{dossier}`, comme {}.",
        flow(Language::Fr, way)
    );
    said + &because(reason)
}

fn way_and_party(way: Flow) -> (String, &'static str) {
    match way {
        Flow::Sale => (format!("une {}", flow(Language::Fr, way)), "le vendeur"),
        Flow::Purchase => (format!("un {}", flow(Language::Fr, way)), "l'acheteur"),
    }
}

fn routed(way: Flow, dossier: &str, matched: &str) -> String {
    let (way_told, party) = way_and_party(way);
    format!("C'est {way_told} du dossier `{dossier}`, car {party} est ce dossier : {matched}.")
}

fn waiting(device: &str, last_seen: Option<&str>) -> String {
    format!(
        "L'appareil `{device}` ne l'a pas encore récupéré ; {}.",
        last_seen.map_or_else(
            || "cet appareil ne s'est jamais connecté".to_owned(),
            |at| format!("cet appareil s'est connecté pour la dernière fois le {at}")
        )
    )
}

fn read(sentence: &Sentence<'_>) -> String {
    let Sentence::Read {
        kind: what,
        self_billed,
        number,
        issued,
        amount,
        parties,
    } = sentence
    else {
        return String::new();
    };
    let mut text = format!("Il est lu comme : {}", kind(Language::Fr, *what));
    if *self_billed {
        text.push_str(" établie par l'acheteur (autofacturation)");
    }
    for (before, fact) in [(" ", number), (" du ", issued), (" de ", amount)] {
        if let Some(fact) = fact {
            text.push_str(&format!("{before}{fact}"));
        }
    }
    if let Some((seller, buyer)) = parties {
        text.push_str(&format!(", de {seller} à {buyer}"));
    }
    format!("{text}.")
}

fn by(door: &str) -> String {
    match door {
        "drop" => "par le dossier de dépôt".to_owned(),
        "ingest" => "pris à la main (`sluis ingest`)".to_owned(),
        "sftp" => "envoyé par SFTP".to_owned(),
        "demo" => "avec la démonstration".to_owned(),
        other => format!("par `{other}`"),
    }
}

fn acted(act: &str) -> &'static str {
    match act {
        "moved" => "a déplacé le fichier vers le dossier des fichiers traités",
        "copied" => "a mis une copie dans le dossier des fichiers traités",
        _ => "a supprimé le fichier du dossier",
    }
}

fn hidden(leaves: Leaves) -> &'static str {
    match leaves {
        Leaves::Processed => {
            "Il reste dans le dossier jusqu'à ce que le logiciel comptable le supprime ou le déplace."
        }
        Leaves::SessionEnd => {
            "Depuis, il n'est plus dans le dossier : ce qu'un appareil a récupéré le quitte à la fin de la session. `sluis resend` l'y remet."
        }
        Leaves::Later => "Il quitte le dossier quelque temps après, comme le veut son profil.",
    }
}
