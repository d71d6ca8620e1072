//! Which document or delivery is meant by what a person typed?
//!
//! It may be an invoice's number, a file's name, a digest or its beginning, a delivery as `d12`, or a
//! document's id. The first of these that finds something is what was meant.

use super::Error;
use super::documents::short;
use crate::app::House;
use crate::catalog::{DeliveryRow, DocumentRow, Firm};
use crate::model::{DeliveryId, DocumentId, fold};

/// The shortest beginning of a digest that names it.
const DIGEST_DIGITS_MIN: usize = 6;

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

/// A way to understand what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    Number(String),
    File(String),
    Delivery(DeliveryId),
    Document(DocumentId),
    Digest(String),
}

/// Finds what was meant; nothing is no error.
pub(super) async fn select(house: &House, firm: &Firm, what: &str) -> Result<Vec<Selected>, Error> {
    for question in questions(what) {
        let found = ask(house, firm, &question).await?;
        if let (Question::Digest(beginning), true) = (&question, found.len() > 1) {
            unique(&found, beginning)?;
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Exact names come before beginnings, and what people write on paper before our own ids.
fn questions(what: &str) -> Vec<Question> {
    let what = what.trim();
    if what.is_empty() {
        return Vec::new();
    }
    let id = |text: &str| -> Option<i64> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    let mut all = vec![
        Question::Number(what.to_owned()),
        Question::File(file_name(what).to_owned()),
    ];
    all.extend(
        what.strip_prefix('d')
            .and_then(id)
            .map(|id| Question::Delivery(DeliveryId(id))),
    );
    all.extend(id(what).map(|id| Question::Document(DocumentId(id))));
    let digest = what.to_ascii_lowercase();
    let is_hex = digest.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex && (DIGEST_DIGITS_MIN..=64).contains(&digest.len()) {
        all.push(Question::Digest(digest));
    }
    all
}

/// People paste whole paths, theirs or ours.
fn file_name(what: &str) -> &str {
    what.rsplit(['/', '\\']).next().unwrap_or(what)
}

async fn ask(house: &House, firm: &Firm, question: &Question) -> Result<Vec<Selected>, Error> {
    let catalog = &house.catalog;
    let ids = match question {
        Question::Number(number) => catalog.documents_numbered(firm.id, number).await?,
        Question::File(name) => catalog.documents_filed(firm.id, name).await?,
        Question::Digest(beginning) => catalog.documents_digested(firm.id, beginning).await?,
        Question::Document(id) => vec![*id],
        Question::Delivery(id) => catalog
            .document_of(firm.id, *id)
            .await?
            .into_iter()
            .collect(),
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
    Ok(found)
}

/// The beginning of two digests names neither.
fn unique(found: &[Selected], beginning: &str) -> Result<(), Error> {
    if beginning.len() == 64 {
        return Ok(()); // the same content, which came in two envelopes
    }
    Err(several(beginning, found))
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

        assert_eq!(questions(" F-17 "), [number("F-17"), file("F-17")]);
        assert_eq!(
            questions("d12"),
            [
                number("d12"),
                file("d12"),
                Question::Delivery(DeliveryId(12))
            ]
        );
        assert_eq!(
            questions("123456"),
            [
                number("123456"),
                file("123456"),
                Question::Document(DocumentId(123_456)),
                Question::Digest("123456".to_owned())
            ]
        );
        assert_eq!(
            questions("ABCDEF0"),
            [
                number("ABCDEF0"),
                file("ABCDEF0"),
                Question::Digest("abcdef0".to_owned())
            ]
        );
        assert_eq!(questions("abcde"), [number("abcde"), file("abcde")]);
        assert_eq!(questions(r"C:\in\F 1.xml")[1], file("F 1.xml"));
        assert_eq!(questions("  "), []);
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
            &digest[..6],
            &file,
            "self-billed.xml",
            &one.document.id.to_string(),
        ] {
            assert_eq!(found(what).await, ["demo:self-billed.xml"], "{what}");
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
