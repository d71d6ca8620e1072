//! Where is a document, and why there?

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::call::Call;
use super::documents::short;
use super::select::{Looked, Selected, look_up};
use super::story::{Telling, delivery_story, document_story};
use super::{Error, Exit, beside, deliveries, documents, print};
use crate::app::House;
use crate::catalog::{Expired, FOUND_MAX, Firm};
use crate::model::Language;
use crate::text::{self, Sentence, Word};

/// The arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of which firm.
    firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`).
    what: String,
    /// In which language: en, fr or nl; else in the firm's.
    #[arg(long, value_parser = told_in)]
    language: Option<Language>,
}

fn told_in(text: &str) -> Result<Language, String> {
    match text.parse() {
        Ok(language @ (Language::En | Language::Fr | Language::Nl)) => Ok(language),
        _ => Err(format!("nothing is told in `{text}` yet: use en, fr or nl")),
    }
}

/// Says where a document is and how it came there, or that there is none.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let (house, firm) = call.firm(&args.firm).await?;
    let language = args.language.unwrap_or(firm.language);
    let Looked { found, has_older } = look_up(&house, &firm, &args.what).await?;
    if found.is_empty() {
        nothing(call, (&house, &firm), args, language).await?;
        return Ok(Exit::Failed);
    }
    let zone = house.config.zone()?;
    for (at, one) in found.iter().enumerate() {
        if at > 0 && !call.json {
            print::line("")?;
        }
        explain(call, (&house, &firm), one, (language, &zone)).await?;
    }
    if has_older {
        print::note(&text::older(language, &args.what, FOUND_MAX));
    }
    Ok(Exit::Done)
}

async fn explain(
    call: &Call,
    (house, firm): (&House, &Firm),
    one: &Selected,
    (language, zone): (Language, &TimeZone),
) -> Result<(), Error> {
    let telling = Telling::begin(house, firm, one.document.id, language, zone).await?;
    let mut about = document_story(&telling, &one.document);
    let earlier = beside::find(&telling, &one.document, &one.deliveries).await?;
    about.extend(beside::story(&telling, &earlier));
    let mut stories = Vec::new();
    for row in &one.deliveries {
        stories.push((row, delivery_story(&telling, row).await?));
    }
    if call.json {
        let mut value = documents::json_of(firm, &one.document);
        let told = stories.iter().map(|(row, story)| {
            let mut value = deliveries::json_of(firm, row);
            let routing: Value = serde_json::from_str(&row.delivery.routing).unwrap_or_default();
            insert(&mut value, "routing", routing);
            insert(&mut value, "explanation", steps(story));
            value
        });
        let told: Vec<_> = told.collect();
        insert(&mut value, "explanation", steps(&about));
        insert(&mut value, "looks_like", beside::json_of(&earlier));
        insert(&mut value, "deliveries", told.into());
        return print::json(&value);
    }
    print::line(&heading(language, one))?;
    lines(&about)?;
    for (row, story) in &stories {
        let state = text::state(language, row.delivery.state);
        let delivery = text::word(language, Word::Delivery);
        print::line(&format!("\n{delivery} d{}  {state}", row.delivery.id))?;
        lines(story)?;
    }
    Ok(())
}

/// Which document it is, on a line.
fn heading(language: Language, one: &Selected) -> String {
    let word = |word| text::word(language, word);
    let reading = &one.document.reading;
    let number = reading.number.as_deref();
    let seller = reading.seller.name.as_deref();
    format!(
        "{} {}  {} ({} {} {})",
        word(Word::Document),
        one.document.id,
        short(&one.document.digest.to_string()),
        number.unwrap_or_else(|| word(Word::NoNumber)),
        word(Word::Of),
        seller.unwrap_or_else(|| word(Word::Somebody)),
    )
}

/// A sentence that was said: its word for programs, and its text.
pub(super) type Said = (&'static str, String);

fn lines(story: &[Said]) -> Result<(), Error> {
    story
        .iter()
        .try_for_each(|(_, text)| print::line(&format!("  {}", text.replace('\n', " "))))
}

fn steps(story: &[Said]) -> Value {
    let step = |(word, text): &Said| json!({ "step": word, "text": text });
    story.iter().map(step).collect()
}

fn insert(value: &mut Value, key: &str, item: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), item);
    }
}

/// Says since when a document is gone.
fn expired(
    call: &Call,
    house: &House,
    (firm, args): (&Firm, &Args),
    (one, language): (&Expired, Language),
) -> Result<(), Error> {
    let zone = house.config.zone()?;
    let number = one.number.as_deref();
    let sentence = Sentence::Expired {
        number,
        at: &one.expired_at.local(&zone),
        touched: &one.touched_at.local(&zone),
    };
    let text = text::say(language, &sentence);
    if call.json {
        return print::json(&json!({
            "firm": firm.slug.as_str(), "what": args.what, "found": false, "text": text,
            "document": one.document, "digest": one.digest.to_string(), "number": number,
            "expired_at": one.expired_at.to_string(),
        }));
    }
    print::line(&text)
}

async fn nothing(
    call: &Call,
    (house, firm): (&House, &Firm),
    args: &Args,
    language: Language,
) -> Result<(), Error> {
    let gone = house.catalog.expired(firm.id, &args.what).await?;
    if !gone.is_empty() {
        return gone
            .iter()
            .try_for_each(|one| expired(call, house, (firm, args), (one, language)));
    }
    let held = house.catalog.held_counts(firm.id).await?;
    let held = held.iter().map(|one| one.count).sum();
    let quarantined = house.catalog.quarantined_count(firm.id).await?;
    let sentence = Sentence::Nothing {
        what: &args.what,
        firm: firm.slug.as_str(),
        held,
        quarantined,
    };
    let text = text::say(language, &sentence);
    if call.json {
        return print::json(&json!({
            "firm": firm.slug.as_str(), "what": args.what, "found": false, "text": text,
            "held": held, "quarantined": quarantined,
        }));
    }
    print::line(&text)
}
