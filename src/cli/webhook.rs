//! Whom does a firm tell what happens?

use serde_json::{Value, json};

use super::call::{Call, find_firm};
use super::{Error, Exit, letters, print, table};
use crate::app::House;
use crate::catalog::{Firm, NewWebhook, WebhookRow};
use crate::dispatch::{self, Poster, Secret, Target};
use crate::model::{EventKind, EventSeq, WebhookId, with_causes};

/// The commands about webhooks.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Tell an address what happens at a firm; its secret is shown.
    Add(Add),
    /// List the webhooks of a firm.
    List {
        /// Of which firm.
        firm: String,
    },
    /// Show a webhook, and how far it has come.
    Show(Show),
    /// Tell an address nothing any more, and forget what it was not told.
    Remove(Named),
    /// Tell a webhook nothing for now; what happens meanwhile is told when it is resumed.
    Pause(Named),
    /// Go on with a webhook where it was paused.
    Resume(Named),
    /// Send a `ping` now, and say what the receiver answered.
    Test(Named),
    /// List the events of a firm that a webhook was not told, after many attempts.
    Dead {
        /// Of which firm.
        firm: String,
    },
    /// Try dead letters again.
    Retry(letters::Retry),
}

/// The arguments of `webhook add`.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Of which firm.
    firm: String,
    /// Where to: `https://…`.
    url: String,
    /// Which events, with commas between: `offered,collected,processed`; else all that are about documents.
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    events: Vec<EventKind>,
    /// From this event on, by its number in the firm's order; else from now on.
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<i64>,
}

/// A webhook of a firm.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Of which firm.
    firm: String,
    /// By its id.
    id: i64,
}

/// The arguments of `webhook show`.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    named: Named,
    /// With its secret.
    #[arg(long)]
    secret: bool,
}

/// Runs a command about webhooks.
pub(super) async fn run(call: &Call, command: Command) -> Result<Exit, Error> {
    let house = call.house().await?;
    match command {
        Command::Add(args) => add(call, &house, &args).await,
        Command::List { firm } => list(call, &house, &firm).await,
        Command::Show(args) => show(call, &house, &args).await,
        Command::Remove(named) => remove(call, &house, &named).await,
        Command::Pause(named) => pause(call, &house, &named).await,
        Command::Resume(named) => resume(call, &house, &named).await,
        Command::Test(named) => test(call, &house, &named).await,
        Command::Dead { firm } => letters::dead(call, &house, &firm).await,
        Command::Retry(args) => letters::retry(call, &house, &args).await,
    }
}

async fn add(call: &Call, house: &House, args: &Add) -> Result<Exit, Error> {
    let firm = find_firm(house, &args.firm).await?;
    let target = Target::parse(&args.url).map_err(|bad| Error::Refused(bad.to_string()))?;
    let unsure = check_target(house, &target).await?;
    let secret = dispatch::make_secret()
        .map_err(|source| Error::failed("could not make a secret", source))?;
    let new = NewWebhook {
        url: target.as_str(),
        origin: &target.origin(),
        kinds: &args.events,
        secret: &secret,
        from: args.from.map(EventSeq),
    };
    let now = house.clock.read();
    let id = house.catalog.add_webhook(firm.id, &new, now).await?;
    if let Some(why) = unsure {
        print::note(&format!("note: {why}; it is added all the same"));
    }
    if call.json {
        let (_, row) = find(house, firm.slug.as_str(), id.0).await?;
        print::json(&with_secret(json_of(&row), &row))?;
        return Ok(Exit::Done);
    }
    print::line(&format!("added webhook {id} to {}", target.origin()))?;
    print::line(&format!("secret {secret}"))?;
    print::note(&format!(
        "note: the receiver needs the secret to know that it is us; `sluis webhook test {} {id}` tries it",
        firm.slug
    ));
    Ok(Exit::Done)
}

/// Where no webhook goes is said at once, not in the log of the night. Returns why nobody can tell yet, if so.
async fn check_target(house: &House, target: &Target) -> Result<Option<String>, Error> {
    match Poster::new(&house.config.webhooks).addresses(target).await {
        Ok(_) => Ok(None),
        Err(unknown @ (dispatch::Error::Lookup { .. } | dispatch::Error::NoAddress { .. })) => {
            Ok(Some(with_causes(&unknown)))
        }
        Err(refused) => Err(Error::Refused(with_causes(&refused))),
    }
}

async fn list(call: &Call, house: &House, firm: &str) -> Result<Exit, Error> {
    let firm = find_firm(house, firm).await?;
    let rows = house.catalog.webhooks(firm.id).await?;
    let heads = ["id", "url", "events", "state", "behind", "waiting", "dead"];
    let row = |row: &WebhookRow| {
        let cells = vec![
            row.webhook.id.to_string(),
            row.webhook.url.clone(),
            events(row),
            state(row).to_owned(),
            behind(row).to_string(),
            row.waiting.to_string(),
            row.dead.to_string(),
        ];
        (json_of(row), cells)
    };
    let hint = "this firm tells nobody yet; `sluis webhook add FIRM URL` adds a webhook";
    call.list(&heads, rows.iter().map(row).collect(), hint)?;
    Ok(Exit::Done)
}

async fn show(call: &Call, house: &House, args: &Show) -> Result<Exit, Error> {
    let (_, row) = find(house, &args.named.firm, args.named.id).await?;
    if args.secret {
        house.catalog.note_deed().await?;
    }
    if call.json {
        let told = json_of(&row);
        print::json(&if args.secret {
            with_secret(told, &row)
        } else {
            told
        })?;
        return Ok(Exit::Done);
    }
    let webhook = &row.webhook;
    let mut facts = vec![
        ("webhook", webhook.id.to_string()),
        ("url", webhook.url.clone()),
        ("events", events(&row)),
        ("state", state(&row).to_owned()),
        (
            "paused, because",
            webhook.paused.clone().unwrap_or_default(),
        ),
        ("added", row.added_at.to_string()),
        (
            "last told",
            row.told_at
                .map_or_else(|| "never".to_owned(), |at| at.to_string()),
        ),
        (
            "come to event",
            format!("{} of {}", webhook.cursor, webhook.last),
        ),
        ("waiting letters", row.waiting.to_string()),
        ("dead letters", row.dead.to_string()),
        ("last error", row.error.clone().unwrap_or_default()),
    ];
    if args.secret {
        facts.push(("secret", webhook.secret.clone()));
    }
    table::facts(&facts)?;
    Ok(Exit::Done)
}

async fn remove(call: &Call, house: &House, named: &Named) -> Result<Exit, Error> {
    let (firm, row) = find(house, &named.firm, named.id).await?;
    let (id, now) = (row.webhook.id, house.clock.read());
    house.catalog.remove_webhook(firm.id, id, now).await?;
    said(
        call,
        (&firm, &row),
        ("removed", "removed"),
        &format!("removed webhook {id}"),
    )
}

async fn pause(call: &Call, house: &House, named: &Named) -> Result<Exit, Error> {
    let (firm, row) = find(house, &named.firm, named.id).await?;
    let (id, now) = (row.webhook.id, house.clock.read());
    let paused = house
        .catalog
        .pause_webhook(firm.id, id, "by hand", now)
        .await?;
    let text = match paused {
        true => format!("paused webhook {id}"),
        false => format!("webhook {id} was paused already"),
    };
    said(call, (&firm, &row), ("paused", "paused"), &text)
}

async fn resume(call: &Call, house: &House, named: &Named) -> Result<Exit, Error> {
    let (firm, row) = find(house, &named.firm, named.id).await?;
    let (id, now) = (row.webhook.id, house.clock.read());
    let resumed = house.catalog.resume_webhook(firm.id, id, now).await?;
    let text = match resumed {
        true => format!("resumed webhook {id}"),
        false => format!("webhook {id} was not paused"),
    };
    said(call, (&firm, &row), ("resumed", "active"), &text)
}

fn said(
    call: &Call,
    (firm, row): (&Firm, &WebhookRow),
    (result, state): (&str, &str),
    text: &str,
) -> Result<Exit, Error> {
    let value = json!({
        "firm": firm.slug.as_str(), "id": row.webhook.id, "result": result, "state": state,
    });
    call.said(&value, text)?;
    Ok(Exit::Done)
}

async fn test(call: &Call, house: &House, named: &Named) -> Result<Exit, Error> {
    let (_, row) = find(house, &named.firm, named.id).await?;
    house.catalog.note_deed().await?;
    let refused = |bad: &dyn std::error::Error| Error::Refused(bad.to_string());
    let target = Target::parse(&row.webhook.url).map_err(|bad| refused(&bad))?;
    let secret = Secret::parse(&row.webhook.secret).map_err(|bad| refused(&bad))?;
    let (poster, now) = (Poster::new(&house.config.webhooks), house.clock.read());
    let sent = dispatch::ping(&poster, &row.webhook, (&target, &secret), now).await;
    let taken = sent
        .as_ref()
        .is_ok_and(|answer| dispatch::is_taken(answer, now));
    let told = match &sent {
        Ok(answer) => json!({
            "id": row.webhook.id, "taken": taken, "status": answer.status, "answer": answer.text, "error": null,
        }),
        Err(error) => json!({
            "id": row.webhook.id, "taken": taken, "status": null, "answer": null, "error": with_causes(error),
        }),
    };
    if call.json {
        print::json(&told)?;
    } else {
        let answered = match &sent {
            Ok(answer) => format!("{} answered {}", target.origin(), answer.status),
            Err(error) => format!("{} did not answer: {}", target.origin(), with_causes(error)),
        };
        print::line(&answered)?;
        if let Some(text) = sent
            .ok()
            .map(|answer| answer.text)
            .filter(|text| !text.is_empty())
        {
            print::line(&text)?;
        }
    }
    Ok(Exit::failed_if(!taken))
}

async fn find(house: &House, firm: &str, id: i64) -> Result<(Firm, WebhookRow), Error> {
    let firm = find_firm(house, firm).await?;
    let rows = house.catalog.webhooks(firm.id).await?;
    let known: Vec<_> = rows.iter().map(|row| row.webhook.id.to_string()).collect();
    let found = rows.into_iter().find(|row| row.webhook.id == WebhookId(id));
    match found {
        Some(row) => Ok((firm, row)),
        None if known.is_empty() => Err(Error::Refused(format!(
            "webhook {id} is not known, and there is none yet: `sluis webhook add` adds one"
        ))),
        None => Err(Error::Refused(format!(
            "webhook {id} is not known: there is {}",
            known.join(", ")
        ))),
    }
}

fn json_of(row: &WebhookRow) -> Value {
    let webhook = &row.webhook;
    let kinds: Vec<_> = webhook.kinds.iter().map(|kind| kind.as_str()).collect();
    json!({
        "id": webhook.id, "firm": webhook.firm_slug, "url": webhook.url, "events": kinds,
        "state": state(row), "paused": webhook.paused, "added_at": row.added_at.to_string(),
        "told_at": row.told_at.map(|at| at.to_string()), "cursor": webhook.cursor,
        "last": webhook.last, "waiting": row.waiting, "dead": row.dead, "error": row.error,
    })
}

fn with_secret(mut told: Value, row: &WebhookRow) -> Value {
    if let Some(object) = told.as_object_mut() {
        object.insert("secret".to_owned(), row.webhook.secret.clone().into());
    }
    told
}

fn events(row: &WebhookRow) -> String {
    if row.webhook.kinds.is_empty() {
        return "all about documents".to_owned();
    }
    let kinds: Vec<_> = row.webhook.kinds.iter().map(|kind| kind.as_str()).collect();
    kinds.join(", ")
}

fn state(row: &WebhookRow) -> &'static str {
    match &row.webhook.paused {
        Some(_) => "paused",
        None => "active",
    }
}

/// How many events come after its cursor.
fn behind(row: &WebhookRow) -> i64 {
    (row.webhook.last.0 - row.webhook.cursor.0).max(0)
}
