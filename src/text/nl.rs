//! How is each sentence said in Dutch?

use super::unreadable::reasons;
use super::{Leaves, Sentence, flow, held, kind, party};
use crate::model::{Flow, Language};
use crate::ubl::Remark;

/// Says a sentence.
pub(super) fn say(sentence: &Sentence<'_>) -> String {
    match sentence {
        Sentence::Received { at, door, file } => {
            format!("Het is ontvangen op {at}, {}, als `{file}`.", by(door))
        }
        Sentence::ReceivedAgain { at, door, file } => format!(
            "Het kwam nog eens op {at}, {}, als `{file}`: hetzelfde document, dus het is maar één keer bewaard.",
            by(door)
        ),
        Sentence::Read { .. } => read(sentence),
        Sentence::Accounts(accounts) => format!("Rekening waarop te betalen: {accounts}."),
        Sentence::Unwrapped => UNWRAPPED.to_owned(),
        Sentence::Remark(text) => format!("Opmerking: {text}."),
        Sentence::Quarantined { why, remarks } => quarantined(why, remarks),
        Sentence::Routed {
            flow: way,
            dossier,
            matched,
        } => routed(*way, dossier, matched),
        Sentence::RoutedByName { flow, dossier } => routed_by_name(*flow, dossier),
        Sentence::PutInto { code } => format!("De afzender zette het in de map `/in/{code}`."),
        Sentence::Linked { profile, code } => {
            format!("Het gaat naar `{profile}`, waar het dossier code `{code}` heeft.")
        }
        Sentence::Assigned {
            flow: way,
            dossier,
            reason,
        } => assigned(*way, dossier, *reason),
        Sentence::GivenAway { at, reason } => given_away(at, reason),
        Sentence::Until(at) => format!("Het wordt vanzelf verzonden op {at}."),
        Sentence::Note(note) => format!("Wat erover gezegd werd: {note}."),
        Sentence::Held(reason) => {
            let held = held(Language::Nl, *reason);
            format!("Het wacht: {}. {}", held.what, held.advice)
        }
        Sentence::Offered { at, device, path } => {
            format!("Het is op {at} in de map van toestel `{device}` gezet, als {path}.")
        }
        Sentence::Waiting { device, last_seen } => waiting(device, *last_seen),
        Sentence::ReadOnly { at, device } => format!(
            "Toestel `{device}` las het helemaal op {at}. Op een netwerkschijf telt dat niet als opgehaald: virusscanners en voorvertoningen lezen ook. Het telt zodra het boekhoudpakket het bestand verwijdert, of naar de map met verwerkte bestanden verplaatst."
        ),
        Sentence::Collected { at, device, from } => format!(
            "Toestel `{device}` haalde het op {at} op{}.",
            from.map_or_else(String::new, |from| format!(", vanaf {from}"))
        ),
        Sentence::Alarm { raised, cleared } => alarm(raised, *cleared),
        Sentence::Hidden(leaves) => hidden(*leaves).to_owned(),
        Sentence::DeviceGone { device } => format!(
            "Toestel `{device}` is sindsdien verwijderd, dus niemand haalt het op: `sluis resend` stuurt het naar een ander."
        ),
        Sentence::Matched(matched) => format!("Bekende nummers erin: {matched}."),
        Sentence::Against(against) => format!("Nummers van een ander erin: {against}."),
        Sentence::Numbers(numbers) => format!("Nummers erin: {numbers}."),
        Sentence::Processed { at, device, act } => format!(
            "Het boekhoudpakket achter toestel `{device}` heeft het verwerkt op {at}: het {}.",
            acted(act)
        ),
        Sentence::Withdrawn { at, reason } => format!(
            "Het is ingetrokken op {at}{}.",
            reason.map_or_else(String::new, |reason| format!(": {reason}"))
        ),
        Sentence::Replaced => REPLACED.to_owned(),
        Sentence::Resent { at, reason } => format!("Het is opnieuw verzonden op {at}, {reason}."),
        Sentence::LegalHold { at, reason } => legal_hold(at, reason),
        Sentence::Expired { .. } => expired(sentence),
        Sentence::Nothing { .. } => nothing(sentence),
    }
}

const REPLACED: &str = "Het is sindsdien opnieuw verzonden: een latere zending kwam in de plaats.";

const UNWRAPPED: &str =
    "Het kwam in een Peppol-omslag (SBDH); het document daarin wordt afgeleverd.";

fn quarantined(why: &str, remarks: &[Remark]) -> String {
    let told = reasons(Language::Nl, remarks);
    format!(
        "Het staat in quarantaine, want het is onleesbaar: {told}. Het wordt bewaard en aan geen toestel getoond; `sluis show` schrijft het naar een bestand. Vraag het de afzender opnieuw. In de woorden van de lezer: {why}."
    )
}

fn alarm(raised: &str, cleared: Option<&str>) -> String {
    format!(
        "Het wachtte te lang: op {raised} werd alarm geslagen{}.",
        cleared.map_or_else(String::new, |at| format!("; dat is op {at} opgeheven"))
    )
}

fn legal_hold(at: &str, reason: &str) -> String {
    format!(
        "Sinds {at} geldt er een bewaarplicht voor, dus het wordt niet verwijderd. Reden: {reason}."
    )
}

fn expired(sentence: &Sentence<'_>) -> String {
    let Sentence::Expired {
        number,
        at,
        touched,
    } = sentence
    else {
        return String::new();
    };
    let number = number.map_or_else(String::new, |number| format!(" {number}"));
    format!(
        "Het document{number} werd op {at} verwijderd, want de tijd was om waarin dit kantoor documenten bewaart; er gebeurde het laatst iets mee op {touched}. Het kan niet meer gelezen of verzonden worden. Wie het opmaakte, kan het opnieuw sturen."
    )
}

fn nothing(sentence: &Sentence<'_>) -> String {
    let Sentence::Nothing {
        what,
        firm,
        held,
        quarantined,
    } = sentence
    else {
        return String::new();
    };
    format!(
        "Kantoor `{firm}` heeft geen document met nummer, bestandsnaam, hash of id `{what}`. Zegt de afzender dat het verzonden is: misschien is het niet aangekomen, of heeft het een ander nummer. {held} documenten zijn te behandelen, {quarantined} staan in quarantaine: `sluis documents {firm}` toont ze alle."
    )
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(" Reden: {reason}."))
}

fn given_away(at: &str, reason: &str) -> String {
    format!(
        "Op {at} gaf iemand het aan andere boeken: {reason}. Een toestel had het al: haal het met de hand uit deze boeken."
    )
}

fn assigned(way: Flow, dossier: &str, reason: Option<&str>) -> String {
    let said = format!(
        "Iemand zei dat het een {} van dossier `{dossier}` is.",
        flow(Language::Nl, way)
    );
    said + &because(reason)
}

fn routed(way: Flow, dossier: &str, matched: &str) -> String {
    let party = match way {
        Flow::Sale => "verkoper",
        Flow::Purchase => "koper",
    };
    format!(
        "Het is een {} van dossier `{dossier}`, want de {party} is dat dossier: {matched}.",
        flow(Language::Nl, way)
    )
}

fn routed_by_name(way: Flow, dossier: &str) -> String {
    format!(
        "Het is een {} van dossier `{dossier}`, want de afzender wees dat dossier aan en de {} draagt de naam ervan.",
        flow(Language::Nl, way),
        party(Language::Nl, way)
    )
}

fn waiting(device: &str, last_seen: Option<&str>) -> String {
    format!(
        "Toestel `{device}` heeft het nog niet opgehaald; {}.",
        last_seen.map_or_else(
            || "dat toestel heeft zich nog nooit aangemeld".to_owned(),
            |at| format!("dat toestel meldde zich het laatst aan op {at}")
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
    let mut text = format!("Het is gelezen als: {}", kind(Language::Nl, *what));
    if *self_billed {
        text.push_str(" opgemaakt door de koper (self-billing)");
    }
    for (before, fact) in [(" ", number), (" van ", issued), (" voor ", amount)] {
        if let Some(fact) = fact {
            text.push_str(&format!("{before}{fact}"));
        }
    }
    if let Some((seller, buyer)) = parties {
        text.push_str(&format!(", van {seller} aan {buyer}"));
    }
    format!("{text}.")
}

fn by(door: &str) -> String {
    match door {
        "drop" => "via de uitwisselmap".to_owned(),
        "ingest" => "met de hand ingelezen (`sluis ingest`)".to_owned(),
        "sftp" => "via SFTP opgeladen".to_owned(),
        "demo" => "met de demonstratie".to_owned(),
        other => format!("via `{other}`"),
    }
}

fn acted(act: &str) -> &'static str {
    match act {
        "moved" => "verplaatste het bestand naar de map met verwerkte bestanden",
        "copied" => "zette een kopie in de map met verwerkte bestanden",
        _ => "verwijderde het bestand uit de map",
    }
}

fn hidden(leaves: Leaves) -> &'static str {
    match leaves {
        Leaves::Processed => {
            "Het blijft in de map tot het boekhoudpakket het verwijdert of verplaatst."
        }
        Leaves::SessionEnd => {
            "Sindsdien staat het niet meer in de map: wat een toestel heeft opgehaald, verdwijnt daar aan het einde van de sessie. `sluis resend` zet het terug."
        }
        Leaves::Later => "Het verlaat de map enige tijd later, zoals het profiel zegt.",
    }
}
