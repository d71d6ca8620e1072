//! Which document or delivery is meant by what a person typed?
//!
//! It may be an invoice's number, a file's name, a delivery as `d12`, or a digest or its beginning: the first of these
//! that finds something is what was meant. `delivery:12` and `document:12` are ours alone, and never anybody's number.
//! What changes something wants more to go by than what only looks.

use super::Error;
use super::call::Aim;
use super::documents::short;
use crate::app::House;
use crate::catalog::{DeliveryRow, DocumentRow, FOUND_MAX, Firm, Found};
use crate::model::{DeliveryId, DocumentId, fold};

/// The shortest beginning of a digest that names it to somebody who only looks, if there is a letter in it.
const DIGEST_DIGITS_MIN: usize = 6;

/// The shortest one else, as many as are shown: fewer may be the number of an invoice that is still to come.
const DIGEST_SHOWN_DIGITS: usize = 12;

/// A document that was meant, and the deliveries of it that were.
pub(super) struct Selected {
    /// The document.
    pub(super) document: DocumentRow,
    /// Its deliveries, oldest first; one alone, where that one was named.
    pub(super) deliveries: Vec<DeliveryRow>,
}

impl Selected {
    /// Says which document this is, to tell it from another.
    pub(super) fn told(&self) -> String {
        let reading = &self.document.reading;
        let seller = reading.seller.name.as_deref().unwrap_or("somebody");
        let number = reading.number.as_deref().unwrap_or("without a number");
        let digest = short(&self.document.digest.to_string());
        format!("{digest} ({number} of {seller})")
    }
}

/// What was found by somebody who only looks.
pub(super) struct Looked {
    /// The newest of it, oldest first.
    pub(super) found: Vec<Selected>,
    /// Whether there is older.
    pub(super) has_older: bool,
}

/// A way to understand what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    Number(String),
    File(String),
    Delivery(DeliveryId),
    Document(DocumentId),
    Digest(String),
}

/// Finds what was meant; nothing is no error. A bare number is never our own id of a document: it may be that of an
/// invoice which has not come yet, and another one would be changed in its place; nor is a short beginning of a digest.
pub(super) async fn select(house: &House, firm: &Firm, what: &str) -> Result<Vec<Selected>, Error> {
    let looked = find(house, firm, what, Aim::Change).await?;
    if looked.has_older {
        return Err(too_many(what));
    }
    Ok(looked.found)
}

async fn find(house: &House, firm: &Firm, what: &str, aim: Aim) -> Result<Looked, Error> {
    for question in questions(what, aim) {
        let looked = ask(house, firm, &question).await?;
        if looked.has_older && aim == Aim::Change {
            return Ok(looked);
        }
        let found = &looked.found;
        if let (Question::Digest(beginning), true) = (&question, found.len() > 1) {
            unique(found, beginning)?;
        }
        if matches!(question, Question::Number(_) | Question::File(_)) && !found.is_empty() {
            is_no_delivery(house, firm, what, found).await?;
        }
        if !found.is_empty() {
            return Ok(looked);
        }
    }
    Ok(Looked {
        found: Vec::new(),
        has_older: false,
    })
}

/// Finds what was meant by somebody who only looks: a bare number that is nobody else's may be our own id.
pub(super) async fn look_up(house: &House, firm: &Firm, what: &str) -> Result<Looked, Error> {
    let looked = find(house, firm, what, Aim::Look).await?;
    match id(what.trim()) {
        Some(id) if looked.found.is_empty() => {
            ask(house, firm, &Question::Document(DocumentId(id))).await
        }
        _ => Ok(looked),
    }
}

/// Exact names come before beginnings.
fn questions(what: &str, aim: Aim) -> Vec<Question> {
    let what = what.trim();
    if what.is_empty() {
        return Vec::new();
    }
    let after = |prefix: &str| what.strip_prefix(prefix).and_then(id);
    if let Some(id) = after("delivery:") {
        return vec![Question::Delivery(DeliveryId(id))];
    }
    if let Some(id) = after("document:") {
        return vec![Question::Document(DocumentId(id))];
    }
    let mut all = vec![
        Question::Number(what.to_owned()),
        Question::File(file_name(what).to_owned()),
    ];
    all.extend(delivery(what).map(Question::Delivery));
    let digest = what.to_ascii_lowercase();
    let is_hex = digest.bytes().all(|b| b.is_ascii_hexdigit());
    let shortest = match (aim, id(what)) {
        (Aim::Look, None) => DIGEST_DIGITS_MIN,
        _ => DIGEST_SHOWN_DIGITS,
    };
    if is_hex && (shortest..=64).contains(&digest.len()) {
        all.push(Question::Digest(digest));
    }
    all
}

fn id(text: &str) -> Option<i64> {
    let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_digits.then(|| text.parse().ok())?
}

/// The delivery that is written so, as pages and commands name them.
fn delivery(what: &str) -> Option<DeliveryId> {
    what.strip_prefix('d').and_then(id).map(DeliveryId)
}

/// People paste whole paths, theirs or ours.
fn file_name(what: &str) -> &str {
    what.rsplit(['/', '\\']).next().unwrap_or(what)
}

async fn ask(house: &House, firm: &Firm, question: &Question) -> Result<Looked, Error> {
    let catalog = &house.catalog;
    let all = |ids: Vec<DocumentId>| Found {
        ids,
        has_older: false,
    };
    let Found { ids, has_older } = match question {
        Question::Number(number) => catalog.documents_numbered(firm.id, number).await?,
        Question::File(name) => catalog.documents_filed(firm.id, name).await?,
        Question::Digest(beginning) => catalog.documents_digested(firm.id, beginning).await?,
        Question::Document(id) => all(vec![*id]),
        Question::Delivery(id) => {
            let document = catalog.document_of(firm.id, *id).await?;
            all(document.into_iter().collect())
        }
    };
    let mut found = Vec::new();
    for id in ids {
        let Some(document) = catalog.document_row(firm.id, id).await? else {
            continue;
        };
        let number = document.reading.number.as_deref().map(fold);
        if matches!(question, Question::Number(asked) if number != Some(fold(asked))) {
            continue;
        }
        let mut deliveries = catalog.delivery_rows_of(firm.id, id).await?;
        if let Question::Delivery(id) = question {
            deliveries.retain(|row| row.delivery.id == *id);
        }
        found.push(Selected {
            document,
            deliveries,
        });
    }
    Ok(Looked { found, has_older })
}

/// What is written as a delivery is also somebody's number or file: which of the two is meant, a person must say.
async fn is_no_delivery(
    house: &House,
    firm: &Firm,
    what: &str,
    found: &[Selected],
) -> Result<(), Error> {
    let Some(id) = delivery(what.trim()) else {
        return Ok(());
    };
    let delivered = ask(house, firm, &Question::Delivery(id)).await?;
    let Some(own) = delivered.found.first() else {
        return Ok(());
    };
    let is_that = |one: &Selected| one.document.id == own.document.id && one.deliveries.len() == 1;
    if let [one] = found
        && is_that(one)
    {
        return Ok(());
    }
    let named: Vec<_> = found.iter().map(Selected::told).collect();
    Err(Error::Refused(format!(
        "`{what}` could be a delivery, of {}, or a number or file, of {}: name the delivery as `delivery:{id}`, or the document by its digest",
        own.told(),
        named.join(", ")
    )))
}

/// The beginning of two digests names neither.
fn unique(found: &[Selected], beginning: &str) -> Result<(), Error> {
    if beginning.len() == 64 {
        return Ok(()); // the same content, which came in two envelopes
    }
    Err(several(beginning, found))
}

/// Several that were found by one name must be versions of one another: no state that they are in says which is meant.
pub(super) fn versions(what: &str, found: &[Selected]) -> Result<(), Error> {
    let is_version = |one: &DocumentRow, other: &DocumentRow| {
        let is_same = one.business_key.is_some() && one.business_key == other.business_key;
        is_same || one.content == other.content
    };
    match found.split_first() {
        Some((first, rest))
            if !rest
                .iter()
                .all(|one| is_version(&first.document, &one.document)) =>
        {
            Err(several(what, found))
        }
        _ => Ok(()),
    }
}

/// So many bear it that not all of them can be named.
pub(super) fn too_many(what: &str) -> Error {
    Error::Refused(format!(
        "more than {FOUND_MAX} documents bear `{what}`: name the delivery, as d12, or the document by its digest"
    ))
}

/// Says of a document that was named by too little of its digest, for what changes something, how much is wanted.
pub(super) fn short_digest(what: &str, one: &Selected) -> Option<String> {
    let typed = what.trim().to_ascii_lowercase();
    let begins = |digest: String| digest.starts_with(&typed);
    let is_of_it = [one.document.digest, one.document.content]
        .iter()
        .any(|digest| begins(digest.to_string()));
    let is_short = typed.len() < DIGEST_SHOWN_DIGITS;
    (is_of_it && is_short && id(&typed).is_none()).then(|| {
        format!("; `{what}` could be the beginning of a digest, of which {DIGEST_SHOWN_DIGITS} digits are wanted here")
    })
}

/// Names the documents between which a person must choose.
pub(super) fn several(what: &str, found: &[Selected]) -> Error {
    let named: Vec<_> = found.iter().map(Selected::told).collect();
    Error::Refused(format!(
        "`{what}` could be {}: name it by its digest, or name its delivery, as d12",
        named.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::{documents, office::Office};

    #[test]
    fn what_a_person_types_is_understood_in_order() {
        let number = |text: &str| Question::Number(text.to_owned());
        let file = |text: &str| Question::File(text.to_owned());
        let asked = |what| questions(what, Aim::Look);

        assert_eq!(asked(" F-17 "), [number("F-17"), file("F-17")]);
        assert_eq!(
            asked("d12"),
            [
                number("d12"),
                file("d12"),
                Question::Delivery(DeliveryId(12))
            ]
        );
        assert_eq!(asked("D12"), [number("D12"), file("D12")]);
        for short in ["005", "123456", "12345678901"] {
            assert_eq!(asked(short), [number(short), file(short)], "{short}");
        }
        assert_eq!(
            asked("123456789012").last(),
            Some(&Question::Digest("123456789012".to_owned()))
        );
        let delivery = Question::Delivery(DeliveryId(12));
        assert_eq!(asked("delivery:12"), [delivery]);
        let document = Question::Document(DocumentId(12));
        assert_eq!(asked("document:12"), [document]);
        assert_eq!(asked("document:"), [number("document:"), file("document:")]);
        assert_eq!(
            asked("ABCDEF0"),
            [
                number("ABCDEF0"),
                file("ABCDEF0"),
                Question::Digest("abcdef0".to_owned())
            ]
        );
        assert_eq!(
            questions("F28933", Aim::Change),
            [number("F28933"), file("F28933")]
        );
        assert_eq!(questions("f28933f28933", Aim::Change).len(), 3);
        assert_eq!(asked("abcde"), [number("abcde"), file("abcde")]);
        assert_eq!(asked(r"C:\in\F 1.xml")[1], file("F 1.xml"));
        assert_eq!(asked("  "), []);
    }

    /// The office of the demonstration, with its documents.
    async fn office(folder: &std::path::Path) -> Office {
        let office = Office::found(folder, 0).await.unwrap();
        documents::take_in(&office).await.unwrap();
        office
    }

    #[tokio::test]
    async fn a_document_is_found_by_whatever_a_person_has_at_hand() {
        let folder = tempfile::tempdir().unwrap();
        let office = office(folder.path()).await;
        let found = async |what: &str| {
            let found = select(&office.house, &office.firm, what).await.unwrap();
            let sources = found.iter().map(|one| one.document.source.clone());
            sources.collect::<Vec<_>>()
        };
        let by_number = select(&office.house, &office.firm, "sb-0042")
            .await
            .unwrap();
        let one = &by_number[0];
        let digest = one.document.digest.to_string();
        let file = one.deliveries[0]
            .delivery
            .offer
            .as_ref()
            .unwrap()
            .name
            .clone();

        for what in [
            &digest,
            &digest[..12],
            &file,
            "self-billed.xml",
            &format!("document:{}", one.document.id),
        ] {
            assert_eq!(found(what).await, ["demo:self-billed.xml"], "{what}");
        }
        let own = one.document.id.to_string();
        assert!(found(&own).await.is_empty(), "it may be anybody's number");
        for what in [&own, &digest[..6]] {
            let seen = look_up(&office.house, &office.firm, what).await.unwrap();
            assert_eq!(seen.found[0].document.id, one.document.id, "{what}");
        }
        let delivery = format!("d{}", one.deliveries[1].delivery.id);
        let selected = select(&office.house, &office.firm, &delivery)
            .await
            .unwrap();
        assert_eq!(
            selected[0].deliveries.len(),
            1,
            "only the one that was named"
        );
        assert_eq!(
            found("F-2026-0117").await,
            ["demo:F-2026-0117.xml", "demo:same-number-again.xml"]
        );
        assert!(found("F-2026-011_").await.is_empty(), "`_` is no wildcard");
        assert!(found("%").await.is_empty());
    }

    #[tokio::test]
    async fn a_digest_begun_by_two_documents_names_neither() {
        let folder = tempfile::tempdir().unwrap();
        let office = office(folder.path()).await;
        let rows = office
            .house
            .catalog
            .document_rows(office.firm.id, 0, 100)
            .await
            .unwrap();
        let both = rows.into_iter().take(2).map(|document| Selected {
            document,
            deliveries: Vec::new(),
        });

        let error = unique(&both.collect::<Vec<_>>(), "abcdef").unwrap_err();

        assert!(
            error.to_string().starts_with("`abcdef` could be "),
            "{error}"
        );
    }
}
