//! Who has collected a document, and how is that proven?

use std::fs;
use std::path::PathBuf;

use russh::keys::{HashAlg, PublicKey};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::gone::missing;
use super::select::{Looked, Selected, look_up};
use super::{Error, Exit, print};
use crate::app::House;
use crate::audit;
use crate::catalog::{DeliveryRow, EventRow, FOUND_MAX, Firm, SessionRow};
use crate::evidence::receipt::{self, Facts, Receipt, Session, Told};
use crate::evidence::signed::{self, NAMESPACE};
use crate::evidence::{Collecting, Connected};
use crate::hostkeys;
use crate::model::{EventKind, with_causes};
use crate::text;

/// The largest file of receipts that is read, in bytes: ten thousand receipts.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The arguments of `receipt`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Of which firm.
    #[arg(required = true)]
    firm: Option<String>,
    /// Of which document: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`).
    #[arg(required = true)]
    what: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check that receipts are signed, and unchanged since.
    Verify {
        /// What `sluis receipt --json` printed.
        file: PathBuf,
        /// The public key that must have signed; else this server's Ed25519 host key.
        #[arg(long, value_name = "PUBLIC_KEY_FILE")]
        key: Option<PathBuf>,
    },
}

/// A receipt with its signature, as it is handed on: a JSON object on a line.
#[derive(Debug, Serialize, Deserialize)]
struct Signed {
    /// The receipt, to the byte as it was signed.
    receipt: String,
    /// An OpenSSH signature of it (PROTOCOL.sshsig).
    signature: String,
    /// What the signature is for.
    namespace: String,
    /// The key that signed.
    key: String,
}

/// Prints receipts, or checks them.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    if let Some(Command::Verify { file, key }) = &args.command {
        return verify(call, file, key.as_deref());
    }
    // Clap sees to it that both are there.
    let (firm, what) = args.firm.as_deref().zip(args.what.as_deref()).unzip();
    let (firm, what) = (firm.unwrap_or_default(), what.unwrap_or_default());
    let (house, firm) = call.firm(firm).await?;
    let mut receipts = Vec::new();
    let Looked { found, has_older } = look_up(&house, &firm, what).await?;
    let is_here = !found.is_empty();
    if has_older {
        print::note(&text::older(firm.language, what, FOUND_MAX));
    }
    for one in found {
        receipts.extend(receipts_of(&house, &firm, &one).await?);
    }
    if receipts.is_empty() && !house.catalog.expired(firm.id, what).await?.is_empty() {
        return Err(missing(&house, &firm, what).await);
    }
    if receipts.is_empty() {
        let slug = &firm.slug;
        let text = if is_here {
            format!(
                "nobody has collected `{what}`, so there is no receipt: `sluis explain {slug} {what}` says where it is"
            )
        } else {
            format!(
                "firm `{slug}` has no document `{what}`, or none any more, so there is no receipt"
            )
        };
        return Err(Error::Refused(text));
    }
    if call.json {
        for receipt in &receipts {
            print::json(&json!(sign(&house, receipt)?))?;
        }
        return Ok(Exit::Done);
    }
    for (at, receipt) in receipts.iter().enumerate() {
        if at > 0 {
            print::line("")?;
        }
        print::line(&receipt.text.join("\n"))?;
    }
    Ok(Exit::Done)
}

async fn receipts_of(house: &House, firm: &Firm, one: &Selected) -> Result<Vec<Receipt>, Error> {
    let events = house.catalog.events_of(firm.id, one.document.id).await?;
    let mut receipts = Vec::new();
    for row in &one.deliveries {
        let of_it = |event: &&EventRow| event.event.delivery == Some(row.delivery.id);
        if let Some(told) = Told::find(events.iter().filter(of_it)) {
            let offered = |event: &&EventRow| event.event.kind == EventKind::Offered;
            let shown = events.iter().filter(of_it).rfind(offered);
            receipts.push(make(house, firm, one, (row, told), shown).await?);
        }
    }
    Ok(receipts)
}

/// Makes a receipt out, unless what it would say is not what the events say.
async fn make(
    house: &House,
    firm: &Firm,
    one: &Selected,
    (row, told): (&DeliveryRow, Told<'_>),
    shown: Option<&EventRow>,
) -> Result<Receipt, Error> {
    let events = [shown, Some(told.collected), told.read, told.processed];
    for event in events.into_iter().flatten() {
        if let Some(misfit) = audit::verify_one(&house.catalog, firm.id, event.seq).await? {
            let slug = &firm.slug;
            let text = format!(
                "there is no receipt for d{}: {misfit}. `sluis events verify {slug}` looks at all of them",
                row.delivery.id
            );
            return Err(Error::Refused(text));
        }
    }
    let digest = row.delivery.digest.to_string();
    if told.sha256().is_some_and(|sha256| sha256 != digest) {
        let text = format!(
            "there is no receipt for d{}: event {} tells another content than its row: one of the two was changed",
            row.delivery.id, told.collected.seq
        );
        return Err(Error::Refused(text));
    }
    let path = super::deliveries::path(row);
    if shown.is_none_or(|event| Some(&event.event.detail) != path.as_ref()) {
        let text = format!(
            "there is no receipt for d{}: no event tells that it was shown where its row says: one of the two was changed",
            row.delivery.id
        );
        return Err(Error::Refused(text));
    }
    let sessions = (
        session(house, firm, Some(told.collected)).await?,
        session(house, firm, told.processed).await?,
    );
    if !is_sealed(told.collected, sessions.0.as_ref()) {
        let text = format!(
            "there is no receipt for d{}: event {} tells another session than its row: one of the two was changed",
            row.delivery.id, told.collected.seq
        );
        return Err(Error::Refused(text));
    }
    let sessions = (sessions.0.map(on_receipt), sessions.1.map(on_receipt));
    let names = house.catalog.device_names(firm.id).await?;
    let device = super::events::name(&names, told.collected.event.device);
    let facts = facts(firm, one, row, device.unwrap_or("?"));
    let (now, zone) = (house.clock.read(), house.config.zone()?);
    Ok(Receipt::make(facts, told, sessions, now, |at| {
        at.shown_to_the_second(&zone)
    }))
}

async fn session(
    house: &House,
    firm: &Firm,
    event: Option<&EventRow>,
) -> Result<Option<SessionRow>, Error> {
    let Some(id) = event.and_then(|row| row.event.session) else {
        return Ok(None);
    };
    Ok(house.catalog.session(firm.id, id).await?)
}

/// Says whether a session's row is the one that its event has sealed; an event of before seals none.
fn is_sealed(event: &EventRow, session: Option<&SessionRow>) -> bool {
    let said = Collecting::parse(&event.event.detail).and_then(|said| said.session);
    let (Some(seal), Some(device)) = (said, event.event.device) else {
        return true;
    };
    session.is_some_and(|row| {
        let connected = Connected {
            device,
            address: &row.address,
            software: &row.software,
            credential: &row.credential,
            started_at: row.started_at,
        };
        connected.seal() == seal
    })
}

fn on_receipt(session: SessionRow) -> Session {
    Session {
        id: session.id.0,
        address: session.address,
        software: session.software,
        credential: session.credential,
        started_at: session.started_at.to_string(),
    }
}

fn facts(firm: &Firm, one: &Selected, row: &DeliveryRow, device: &str) -> Facts {
    let (document, delivery) = (&one.document, &row.delivery);
    let reading = &document.reading;
    Facts {
        firm: receipt::Firm {
            slug: firm.slug.to_string(),
            name: firm.name.clone(),
        },
        language: firm.language,
        kind: reading.kind,
        document: receipt::Document {
            id: document.id.0,
            kind: reading.kind.as_str().to_owned(),
            number: reading.number.clone(),
            issued: reading.issued.clone(),
            seller: reading.seller.name.clone(),
            buyer: reading.buyer.name.clone(),
            sha256: document.digest.to_string(),
            bytes: document.bytes,
        },
        delivery: receipt::Delivery {
            id: delivery.id.0,
            generation: delivery.generation,
            path: super::deliveries::path(row),
            sha256: delivery.digest.to_string(),
            bytes: delivery.bytes,
        },
        device: device.to_owned(),
    }
}

fn sign(house: &House, receipt: &Receipt) -> Result<Signed, Error> {
    let failed = |source| Error::failed("could not sign a receipt", source);
    let text = serde_json::to_string(receipt)
        .map_err(|source| Error::failed("could not write a receipt", source))?;
    let keys = house.host_keys()?;
    let (signature, key) = signed::sign(&keys.0, &text).map_err(failed)?;
    let key = key
        .to_openssh()
        .map_err(|source| Error::failed("could not write the public host key", source))?;
    Ok(Signed {
        receipt: text,
        signature,
        namespace: NAMESPACE.to_owned(),
        key,
    })
}

fn verify(call: &Call, file: &PathBuf, key: Option<&std::path::Path>) -> Result<Exit, Error> {
    let read = |path: &std::path::Path| {
        fs::read_to_string(path).map_err(Error::file("read", path.to_owned()))
    };
    let key = match key {
        Some(path) => {
            let what = || format!("could not read the public key `{}`", path.display());
            PublicKey::from_openssh(&read(path)?).map_err(|source| Error::failed(what(), source))?
        }
        None => hostkeys::public(&call.config()?.key_folder())?,
    };
    let bytes = fs::metadata(file).map_err(Error::file("read", file.clone()))?;
    if bytes.len() > FILE_BYTES_MAX {
        let text = format!(
            "`{}` is larger than {FILE_BYTES_MAX} bytes: check receipts in smaller files",
            file.display()
        );
        return Err(Error::Refused(text));
    }
    let text = read(file)?;
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        let text = format!("there is no receipt in `{}`", file.display());
        return Err(Error::Refused(text));
    }
    let mut failed = false;
    for (at, line) in (1..).zip(lines) {
        let checked = check(line, &key);
        failed |= checked.is_err();
        show(call, at, checked, &key)?;
    }
    Ok(Exit::failed_if(failed))
}

/// Returns the receipt on a line, if it is signed and unchanged; else what is wrong.
fn check(line: &str, key: &PublicKey) -> Result<Receipt, String> {
    let signed: Signed = serde_json::from_str(line).map_err(|_| {
        "this is no signed receipt: `sluis receipt --json` prints them, one a line".to_owned()
    })?;
    signed::check(key, &signed.receipt, &signed.signature).map_err(|error| with_causes(&error))?;
    let receipt: Receipt = serde_json::from_str(&signed.receipt)
        .map_err(|_| "what is signed is not a receipt".to_owned())?;
    if receipt.form != receipt::FORM {
        return Err(format!(
            "this form of receipt is unknown here: `{}`",
            receipt.form
        ));
    }
    Ok(receipt)
}

fn show(
    call: &Call,
    at: usize,
    checked: Result<Receipt, String>,
    key: &PublicKey,
) -> Result<(), Error> {
    let print = key.fingerprint(HashAlg::Sha256);
    match checked {
        Ok(receipt) if call.json => {
            let key = print.to_string();
            print::json(&json!({ "line": at, "ok": true, "key": key, "receipt": receipt }))
        }
        Err(wrong) if call.json => print::json(&json!({ "line": at, "ok": false, "wrong": wrong })),
        Ok(receipt) => {
            print::line(&receipt.text.join("\n"))?;
            print::line(&format!("good signature of {print}\n"))
        }
        Err(wrong) => print::line(&format!("line {at}: {wrong}")),
    }
}

#[cfg(test)]
mod tests {
    use russh::keys::{Algorithm, PrivateKey};

    use super::*;

    /// As receipts were when the kind of a document was in the firm's language.
    const OF_BEFORE: &str = r#"{"form":"sluis-receipt-1","made_at":"2026-03-14T08:00:00.000Z","firm":{"slug":"kantoor","name":"Kantoor Peeters"},"document":{"id":1,"kind":"factuur","number":"F-17","issued":null,"seller":null,"buyer":null,"sha256":"aa","bytes":900},"delivery":{"id":3,"generation":1,"path":null,"sha256":"aa","bytes":900},"device":"server","collected":{"at":"2026-03-14T08:00:00.000Z","act":null,"event":4,"event_hash":"h4","session":null},"processed":null,"reads":null,"sure":"read","text":["ONTVANGSTBEVESTIGING"]}"#;

    #[test]
    fn a_receipt_of_before_is_good_for_ever() {
        let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519);
        let (signature, public) = signed::sign(&[key.unwrap()], OF_BEFORE).unwrap();
        let line = json!(Signed {
            receipt: OF_BEFORE.to_owned(),
            signature,
            namespace: NAMESPACE.to_owned(),
            key: public.to_openssh().unwrap(),
        });

        let receipt = check(&line.to_string(), &public).unwrap();

        assert_eq!(receipt.document.kind, "factuur");
    }
}
