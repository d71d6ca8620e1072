//! Which number does the next file name of a dossier carry?

use sqlx::query;

use super::rows::Columns as _;
use super::{Error, Tx};
use crate::model::{DossierId, FirmId};

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
}
