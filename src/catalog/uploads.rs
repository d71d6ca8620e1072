//! Which devices may upload, and what has a firm uploaded?

use sqlx::any::AnyRow;
use sqlx::query;

use super::devices::Device;
use super::doomed::UNNAMED_MS;
use super::events::Event;
use super::firms::change;
use super::in_use::check_in_use;
use super::rows::Columns as _;
use super::{Catalog, Durability, Error};
use crate::model::{DeviceKind, EventKind, FirmId, Timestamp, Uploads};

/// What a firm has put into `/in` for the first time: what was here already, byte for byte, is not counted.
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

/// Says whether any bytes came from an instant on that no document names.
const ANY_UNNAMED: &str =
    "select exists (select 1 from doomed where stays_until >= $1) as any_came";

/// Envelopes that were recognised by what they hold: no document has their bytes, which are doomed with the moment of
/// their event. The last condition tells those that devices put in.
const UNNAMED: &str =
    "select count(*) as files, cast(coalesce(sum(bytes), 0) as bigint) as bytes from doomed where stays_until in
        (select at + $5 from event where firm_id = $1 and seq >= $2 and at >= $3 and at < $4
            and kind = 'recognised' and detail like 'sftp:%')";

const NEXT_EVENT: &str =
    "select seq, at from event where firm_id = $1 and seq >= $2 order by seq limit 1";

/// How far the order of events may stand back behind the clock: what is written down has waited for its turn.
const DISORDER_MS: i64 = 60 * 60 * 1000;

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
        let unnamed = self.uploaded_unnamed(firm, (from, to)).await?;
        Ok(Uploaded {
            files: row.size("files")? + unnamed.files,
            bytes: row.size("bytes")? + unnamed.bytes,
        })
    }

    /// Counts those envelopes among it that no document has.
    async fn uploaded_unnamed(
        &self,
        firm: FirmId,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Uploaded, Error> {
        let asked = query(ANY_UNNAMED)
            .bind(from.0.saturating_add(UNNAMED_MS))
            .fetch_one(&self.readers)
            .await?;
        if asked.int("any_came")? == 0 {
            return Ok(Uploaded::default());
        }
        let early = Timestamp(from.0.saturating_sub(DISORDER_MS));
        let row = query(UNNAMED)
            .bind(firm.0)
            .bind(self.first_event_since(firm, early).await?)
            .bind(from.0)
            .bind(to.0)
            .bind(UNNAMED_MS)
            .fetch_one(&self.readers)
            .await?;
        Ok(Uploaded {
            files: row.size("files")?,
            bytes: row.size("bytes")?,
        })
    }

    /// Finds the first event of `firm` since an instant, halving the order each time: none has an index by its time.
    async fn first_event_since(&self, firm: FirmId, at: Timestamp) -> Result<i64, Error> {
        let row = query("select event_seq from firm where id = $1")
            .bind(firm.0)
            .fetch_optional(&self.readers)
            .await?;
        let last = row.map_or(Ok(0), |row| row.int("event_seq"))?;
        let (mut first, mut end) = (0, last + 1);
        while first < end {
            let middle = first + (end - first) / 2;
            let row = query(NEXT_EVENT)
                .bind(firm.0)
                .bind(middle)
                .fetch_optional(&self.readers)
                .await?;
            match row {
                Some(row) if row.at("at")? < at => first = row.int("seq")? + 1,
                _ => end = middle,
            }
        }
        Ok(first)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::deliveries::tests::{NOW, office};
    use crate::catalog::tree::tests::plan;

    #[tokio::test]
    async fn events_of_before_are_not_gone_through() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, firm, _) = office(&folder.path().join("c.sqlite")).await;
        for question in [UNNAMED, NEXT_EVENT] {
            let plan = plan(&catalog, question).await;
            let by_place = "SEARCH event USING PRIMARY KEY (firm_id=? AND seq>?)";
            assert!(plan.contains(by_place), "{question}\n\n{plan}");
        }
        let mut tx = catalog.begin(Durability::Kill).await.unwrap();
        for ms in [10, 20, 20, 25, 30] {
            let event = Event::new(EventKind::Forgotten, "");
            tx.tell(firm, NOW.plus_ms(ms), [event]);
        }
        tx.commit().await.unwrap();
        let since = async |ms| {
            let found = catalog.first_event_since(firm, NOW.plus_ms(ms)).await;
            found.unwrap()
        };
        let row = query("select max(seq) as last from event").fetch_one(&catalog.readers);
        let last = row.await.unwrap().int("last").unwrap();

        assert_eq!(since(-1_000_000).await, 0);
        assert_eq!(since(30).await, last);
        assert_eq!(since(31).await, last + 1);
        assert_eq!(since(20).await, last - 3);
        let nobodys = catalog.first_event_since(FirmId(9), Timestamp(0)).await;
        assert_eq!(nobodys.unwrap(), 0);
    }
}
