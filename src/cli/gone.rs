//! What is said of a document that is not here?

use super::Error;
use crate::app::House;
use crate::catalog::{Expired, Firm};

/// Returns the documents of that name that have expired.
pub(super) async fn gone(house: &House, firm: &Firm, what: &str) -> Result<Vec<Expired>, Error> {
    Ok(house.catalog.expired(firm.id, what).await?)
}

/// Says that a document is not here: that there never was one, or since when it is gone.
pub(super) async fn missing(house: &House, firm: &Firm, what: &str) -> Error {
    let gone = match gone(house, firm, what).await {
        Ok(gone) => gone,
        Err(error) => return error,
    };
    let slug = &firm.slug;
    let Some(last) = gone.last() else {
        return Error::Refused(format!("firm `{slug}` has no such document"));
    };
    Error::Refused(format!(
        "document {} ({}) expired on {}, and its bytes are gone: `sluis firm show {slug}` says how long firm `{slug}` keeps documents; whoever sent it can send it again",
        last.document,
        last.number.as_deref().unwrap_or("without a number"),
        last.expired_at
    ))
}
