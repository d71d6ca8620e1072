//! Is what a change is about still in use, though somebody else may have been first?

use sqlx::query;

use super::{Error, Tx};
use crate::model::{DeviceId, DossierId, FirmId};

/// A device may have been taken out of use since the caller looked: what is for it would wait for ever.
pub(super) async fn check_in_use(
    tx: &mut Tx,
    firm: FirmId,
    device: Option<DeviceId>,
) -> Result<(), Error> {
    let Some(device) = device else { return Ok(()) };
    let found =
        query("select id from device where firm_id = $1 and id = $2 and removed_at is null")
            .bind(firm.0)
            .bind(device.0)
            .fetch_optional(&mut *tx.inner)
            .await?;
    found
        .map(drop)
        .ok_or_else(|| no_longer(format!("device {device}")))
}

/// A dossier may have been taken out of use since: its numbers would be taken for ever, and its links be of nobody.
pub(super) async fn check_dossier_in_use(
    tx: &mut Tx,
    firm: FirmId,
    dossier: DossierId,
) -> Result<(), Error> {
    let found =
        query("select id from dossier where firm_id = $1 and id = $2 and removed_at is null")
            .bind(firm.0)
            .bind(dossier.0)
            .fetch_optional(&mut *tx.inner)
            .await?;
    found
        .map(drop)
        .ok_or_else(|| no_longer(format!("dossier {dossier}")))
}

/// Returns what is said of a thing that somebody else has just removed.
pub(super) fn no_longer(what: String) -> Error {
    Error::Missing {
        what: format!("{what}, which was in use a moment ago,"),
    }
}
