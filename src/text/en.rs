//! How is each sentence said in English?

use super::{Leaves, Sentence, flow, held, kind, party};
use crate::model::{Flow, Language};

/// Says a sentence.
pub(super) fn say(sentence: &Sentence<'_>) -> String {
    match sentence {
        Sentence::Received { at, door, file } => {
            format!("It was received on {at}, {}, as `{file}`.", by(door))
        }
        Sentence::ReceivedAgain { at, door, file } => format!(
            "It came again on {at}, {}, as `{file}`: the same document, so it was kept only once.",
            by(door)
        ),
        Sentence::Read { .. } => read(sentence),
        Sentence::Accounts(accounts) => format!("Account to pay to: {accounts}."),
        Sentence::Unwrapped => UNWRAPPED.to_owned(),
        Sentence::Remark(text) => format!("Remark: {text}."),
        Sentence::Quarantined { why, .. } => format!(
            "It is in quarantine, for it cannot be read: {why}. It is kept and shown to no device; `sluis show` writes it into a file. Ask the sender for it again."
        ),
        Sentence::Routed {
            flow: way,
            dossier,
            matched,
        } => routed(*way, dossier, matched),
        Sentence::RoutedByName { flow, dossier } => routed_by_name(*flow, dossier),
        Sentence::PutInto { code } => format!("Its sender put it into the folder `/in/{code}`."),
        Sentence::Linked { profile, code } => {
            format!("It goes to `{profile}`, where the dossier has code `{code}`.")
        }
        Sentence::Assigned {
            flow: way,
            dossier,
            reason,
        } => assigned(*way, dossier, *reason),
        Sentence::GivenAway { at, reason } => given_away(at, reason),
        Sentence::Until(at) => format!("It is sent by itself on {at}."),
        Sentence::Note(note) => format!("What was said of it: {note}."),
        Sentence::Held(reason) => {
            let held = held(Language::En, *reason);
            format!("It waits, because {}. {}", held.what, held.advice)
        }
        Sentence::Offered { at, device, path } => {
            format!("It was put in the folder of device `{device}` on {at}, as {path}.")
        }
        Sentence::Waiting { device, last_seen } => waiting(device, *last_seen),
        Sentence::ReadOnly { at, device } => format!(
            "Device `{device}` read all of it on {at}. On a mounted drive that does not count as collected: virus scanners and previews read too. It counts once the accounting program removes the file, or moves it to the processed folder."
        ),
        Sentence::Collected { at, device, from } => format!(
            "Device `{device}` collected it on {at}{}.",
            from.map_or_else(String::new, |from| format!(", from {from}"))
        ),
        Sentence::Alarm { raised, cleared } => alarm(raised, *cleared),
        Sentence::Hidden(leaves) => hidden(*leaves).to_owned(),
        Sentence::DeviceGone { device } => format!(
            "Device `{device}` has been removed since, so nobody will collect it: `sluis resend` sends it to another."
        ),
        Sentence::Matched(matched) => format!("Known numbers in it: {matched}."),
        Sentence::Against(against) => format!("Numbers of somebody else in it: {against}."),
        Sentence::Numbers(numbers) => format!("Numbers in it: {numbers}."),
        Sentence::Processed { at, device, act } => format!(
            "The accounting program behind device `{device}` has processed it on {at}: it {}.",
            acted(act)
        ),
        Sentence::Withdrawn { at, reason } => format!(
            "It was withdrawn on {at}{}.",
            reason.map_or_else(String::new, |reason| format!(": {reason}"))
        ),
        Sentence::Replaced => REPLACED.to_owned(),
        Sentence::Resent { at, reason } => format!("It was sent again on {at}, {reason}."),
        Sentence::LegalHold { at, reason } => legal_hold(at, reason),
        Sentence::Expired { .. } => expired(sentence),
        Sentence::Nothing { .. } => nothing(sentence),
    }
}

fn alarm(raised: &str, cleared: Option<&str>) -> String {
    format!(
        "It had waited too long, so an alarm was raised on {raised}{}.",
        cleared.map_or_else(String::new, |at| format!("; it was cleared on {at}"))
    )
}

fn legal_hold(at: &str, reason: &str) -> String {
    format!("A legal hold lies on it since {at}, so it is not removed: {reason}.")
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
        "The document{number} was removed on {at}, for the time was over for which this office keeps documents; something last happened to it on {touched}. It can be read and sent no more. Whoever made it can send it again."
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
        "Firm `{firm}` has no document with number, file name, digest or id `{what}`. If the sender says it was sent: it may not have arrived, or stand under another number. {held} documents are held, {quarantined} are in quarantine: `sluis documents {firm}` lists all."
    )
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(" Reason: {reason}."))
}

fn given_away(at: &str, reason: &str) -> String {
    format!(
        "On {at} a person gave it to other books: {reason}. A device had it already: take it out of these books by hand."
    )
}

fn assigned(way: Flow, dossier: &str, reason: Option<&str>) -> String {
    let said = format!(
        "A person said that it is a {} of dossier `{dossier}`.",
        flow(Language::En, way)
    );
    said + &because(reason)
}

const REPLACED: &str = "It was sent again since: a later delivery took its place.";

const UNWRAPPED: &str =
    "It came in a Peppol envelope (SBDH); the document inside is what is delivered.";

fn routed(way: Flow, dossier: &str, matched: &str) -> String {
    let party = match way {
        Flow::Sale => "seller",
        Flow::Purchase => "buyer",
    };
    format!(
        "It is a {} of dossier `{dossier}`, because the {party} is that dossier: {matched}.",
        flow(Language::En, way)
    )
}

fn routed_by_name(way: Flow, dossier: &str) -> String {
    format!(
        "It is a {} of dossier `{dossier}`, because its sender named that dossier and the {} bears its name.",
        flow(Language::En, way),
        party(Language::En, way)
    )
}

fn waiting(device: &str, last_seen: Option<&str>) -> String {
    format!(
        "Device `{device}` has not collected it yet; {}.",
        last_seen.map_or_else(
            || "that device has never logged in".to_owned(),
            |at| format!("that device last logged in on {at}")
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
    let mut text = format!("It is read as: {}", kind(Language::En, *what));
    if *self_billed {
        text.push_str(" written by the buyer (self-billing)");
    }
    for (before, fact) in [(" ", number), (" of ", issued), (" for ", amount)] {
        if let Some(fact) = fact {
            text.push_str(&format!("{before}{fact}"));
        }
    }
    if let Some((seller, buyer)) = parties {
        text.push_str(&format!(", from {seller} to {buyer}"));
    }
    format!("{text}.")
}

fn by(door: &str) -> String {
    match door {
        "drop" => "through the drop folder".to_owned(),
        "ingest" => "taken in by hand (`sluis ingest`)".to_owned(),
        "sftp" => "uploaded over SFTP".to_owned(),
        "demo" => "with the demonstration".to_owned(),
        other => format!("through `{other}`"),
    }
}

fn acted(act: &str) -> &'static str {
    match act {
        "moved" => "moved the file to the processed folder",
        "copied" => "put a copy in the processed folder",
        _ => "removed the file from the folder",
    }
}

fn hidden(leaves: Leaves) -> &'static str {
    match leaves {
        Leaves::Processed => {
            "It stays in the folder until the accounting program removes or moves it."
        }
        Leaves::SessionEnd => {
            "Since then it no longer stands in the folder: what a device has collected leaves it when the session ends. `sluis resend` puts it back."
        }
        Leaves::Later => "It leaves the folder some time after, as its profile says.",
    }
}
