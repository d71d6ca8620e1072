//! Which devices may upload, and what has a firm uploaded?

use sqlx::any::AnyRow;
use sqlx::query;

use super::devices::Device;
use super::events::Event;
use super::firms::change;
use super::in_use::check_in_use;
use super::rows::Columns as _;
use super::{Catalog, Durability, Error};
use crate::model::{DeviceKind, EventKind, FirmId, Timestamp, Uploads};

/// What a firm has put into `/in` for the first time: what was recognised is not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uploaded {
    /// How many files.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// The last condition stands as in its index, word for word: else every document of the firm is read.
pub(super) const UPLOADED: &str =
    "select count(*) as files, cast(coalesce(sum(bytes), 0) as bigint) as bytes from document
     where firm_id = $1 and received_at >= $2 and received_at < $3 and source like 'sftp:%'";

impl Catalog {
    /// Counts what `firm` has put into `/in` from an instant on, and before another.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn uploaded(
        &self,
        firm: FirmId,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Uploaded, Error> {
        let row = query(UPLOADED)
            .bind(firm.0)
            .bind(from.0)
            .bind(to.0)
            .fetch_one(&self.readers)
            .await?;
        Ok(Uploaded {
            files: row.size("files")?,
            bytes: row.size("bytes")?,
        })
    }

    /// Gives a device the folder `/in`, or takes it away.
    ///
    /// # Errors
    ///
    /// When it is a source and would have nothing left, or the database does not answer.
    pub async fn set_uploads(
        &self,
        device: &Device,
        uploads: Uploads,
        now: Timestamp,
    ) -> Result<(), Error> {
        if uploads.of(device.kind) != uploads {
            return Err(Error::Refused(format!(
                "device `{}` is a source, which does nothing but upload; `device remove` takes it out of use",
                device.name
            )));
        }
        let mut tx = self.begin(Durability::PowerCut).await?;
        query("update device set uploads = $3 where firm_id = $1 and id = $2")
            .bind(device.firm.0)
            .bind(device.id.0)
            .bind(i64::from(uploads == Uploads::On))
            .execute(&mut *tx.inner)
            .await?;
        check_in_use(&mut tx, device.firm, Some(device.id)).await?;
        let mut event = Event::new(
            EventKind::UploadsChanged,
            format!("{} for `{}`", uploads.as_str(), device.name),
        );
        event.device = Some(device.id);
        change(&mut tx, device.firm, now, event).await?;
        tx.commit().await
    }
}

/// What a row of `device` says about uploads.
pub(super) fn uploads(row: &AnyRow, kind: DeviceKind) -> Result<Uploads, Error> {
    let stored = match row.int("uploads")? {
        0 => Uploads::Off,
        _ => Uploads::On,
    };
    Ok(stored.of(kind))
}
