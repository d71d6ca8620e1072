//! What is said of a document that is not here?

use super::Error;
use super::select::{Looked, look_up, short_digest};
use crate::app::House;
use crate::catalog::Firm;

/// Says that a document is not here: that there never was one, or since when it is gone.
pub(super) async fn missing(house: &House, firm: &Firm, what: &str) -> Error {
    let gone = match house.catalog.expired(firm.id, what).await {
        Ok(gone) => gone,
        Err(failed) => return failed.into(),
    };
    let slug = &firm.slug;
    let Some(last) = gone.last() else {
        return match look_up(house, firm, what).await {
            Ok(own) => Error::Refused(format!(
                "firm `{slug}` has no such document{}",
                hint(what, &own)
            )),
            Err(failed) => failed,
        };
    };
    Error::Refused(format!(
        "document {} ({}) expired on {}, and its bytes are gone: `sluis firm show {slug}` says how long firm `{slug}` keeps documents; whoever sent it can send it again",
        last.document,
        last.number.as_deref().unwrap_or("without a number"),
        last.expired_at
    ))
}

/// A bare number that nobody's document bears, and that is our own id of one; or a digest's beginning, too short.
fn hint(what: &str, looked: &Looked) -> String {
    looked.found.first().map_or_else(String::new, |own| {
        let id = own.document.id;
        let by_id = || format!("; our own document {id} is named `document:{id}`");
        let how = short_digest(what, own).unwrap_or_else(by_id);
        format!("{how}: {}", own.told())
    })
}
