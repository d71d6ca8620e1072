//! Which number does the next file name of a dossier carry?

use sqlx::query;

use super::rows::Columns as _;
use super::{Error, Offer, Tx};
use crate::model::{DeviceId, DossierId, FirmId, Flow, LinkId, fold};

/// A question for each index. What an importer has put aside under a name shows in the processed folder, where a file
/// that waits shows later: that of the link, and of whichever it took the place of. Which that was is not asked, for a
/// number that is passed over costs nothing.
pub(super) const NAME_USED: &str = "select id from delivery
     where firm_id = $1 and device_id = $2 and folder_key = $3 and name_key = $4 and current = 1
     union all select id from delivery
     where firm_id = $1 and device_id = $2 and folder_key = $3 and name_key = $4 and current = 0
     union all select o.id from link own
       join link akin on akin.dossier_id = own.dossier_id
       join delivery o on o.link_id = akin.id and o.flow = $6 and o.moved_key = $4
     where own.id = $5 and o.current = 1 limit 1";

impl Tx {
    /// Takes the next number of `dossier` on `day` (yyyymmdd) and returns it with its day.
    ///
    /// Both only grow: if the clock goes back, the last day goes on, so no name is ever used twice.
    ///
    /// # Errors
    ///
    /// When the dossier is not the firm's, or the database does not answer.
    pub async fn next_name(
        &mut self,
        firm: FirmId,
        dossier: DossierId,
        day: i64,
    ) -> Result<(i64, u32), Error> {
        let row = query(
            "update dossier set name_seq = case when name_day < $3 then 1 else name_seq + 1 end,
                    name_day = case when name_day < $3 then $3 else name_day end
             where firm_id = $1 and id = $2 returning name_day, name_seq",
        )
        .bind(firm.0)
        .bind(dossier.0)
        .bind(day)
        .fetch_optional(&mut *self.inner)
        .await?
        .ok_or_else(|| Error::Missing {
            what: format!("dossier {dossier}"),
        })?;
        let seq = row.int("name_seq")?;
        let seq = u32::try_from(seq).map_err(|_| Error::Stored {
            what: "a file number",
            value: seq.to_string(),
        })?;
        Ok((row.int("name_day")?, seq))
    }

    /// Says whether `device` was ever shown a file of this name in this folder, or one of the link's dossier and this
    /// flow was put aside under it: names are never used twice.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn is_name_used(
        &mut self,
        firm: FirmId,
        device: DeviceId,
        (link, flow): (LinkId, Flow),
        offer: &Offer,
    ) -> Result<bool, Error> {
        let row = query(NAME_USED)
            .bind(firm.0)
            .bind(device.0)
            .bind(fold(&offer.folder))
            .bind(fold(&offer.name))
            .bind(link.0)
            .bind(flow.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        Ok(row.is_some())
    }
}
