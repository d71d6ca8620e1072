//! Which files stand in a device's folders?

use sqlx::any::AnyRow;
use sqlx::query;

use super::rows::Columns as _;
use super::{Catalog, Error};
use crate::model::{
    DeliveryId, DeviceId, Digest, DocumentId, FirmId, Flow, LinkId, State, Timestamp,
};

/// A file in a device's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The delivery behind it.
    pub delivery: DeliveryId,
    /// Its document.
    pub document: DocumentId,
    /// Its name.
    pub name: String,
    /// How far it has come.
    pub state: State,
    /// What is read.
    pub digest: Digest,
    /// The size of that, in bytes.
    pub bytes: u64,
    /// When it was offered: its time, which never changes.
    pub offered_at: Timestamp,
}

/// A folder that holds files of a link, with the last day on which one was offered there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The folder.
    pub folder: String,
    /// Of which link.
    pub link: LinkId,
    /// Of which flow.
    pub flow: Flow,
}

/// A delivery is in the inbox while offered, and for a while after it was collected: `$4` is the
/// instant since which a collected one still shows.
const INBOX: &str = "select * from delivery
     where firm_id = $1 and device_id = $2 and folder_key = $3 and current = 1
       and (state = 'offered' or (state = 'collected' and collected_at >= $4))
     order by name_key";

const ONE: &str = "select * from delivery
     where firm_id = $1 and device_id = $2 and folder_key = $3 and name_key = $5 and current = 1
       and (state = 'offered' or (state = 'collected' and collected_at >= $4))";

const PROCESSED: &str = "select * from delivery
     where firm_id = $1 and device_id = $2 and link_id = $3 and flow = $5 and current = 1
       and (state = 'processed' or (state = 'collected' and collected_at < $4))
     order by name_key";

impl Catalog {
    /// Returns the files of `device` in the inbox folder with this key, by name.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn inbox(
        &self,
        firm: FirmId,
        device: DeviceId,
        folder_key: &str,
        collected_since: Timestamp,
    ) -> Result<Vec<Listed>, Error> {
        let rows = query(INBOX)
            .bind(firm.0)
            .bind(device.0)
            .bind(folder_key)
            .bind(collected_since.0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| listed(row, "name")).collect()
    }

    /// Returns one file of `device` in an inbox folder.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn inbox_file(
        &self,
        firm: FirmId,
        device: DeviceId,
        folder_key: &str,
        name_key: &str,
        collected_since: Timestamp,
    ) -> Result<Option<Listed>, Error> {
        let row = query(ONE)
            .bind(firm.0)
            .bind(device.0)
            .bind(folder_key)
            .bind(collected_since.0)
            .bind(name_key)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(|row| listed(row, "name")).transpose()
    }

    /// Returns the files of `device` that are done with, of one link and flow, by name.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn done_with(
        &self,
        firm: FirmId,
        device: DeviceId,
        link: LinkId,
        flow: Flow,
        collected_since: Timestamp,
    ) -> Result<Vec<Listed>, Error> {
        let rows = query(PROCESSED)
            .bind(firm.0)
            .bind(device.0)
            .bind(link.0)
            .bind(collected_since.0)
            .bind(flow.as_str())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| listed(row, "moved_name")).collect()
    }

    /// Returns the inbox folders of `device` in which files were ever offered.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn placed(&self, firm: FirmId, device: DeviceId) -> Result<Vec<Placed>, Error> {
        let rows = query(
            "select distinct folder, link_id, flow from delivery
             where firm_id = $1 and device_id = $2 and current = 1 and folder is not null
               and link_id is not null and flow is not null and state <> 'withdrawn'",
        )
        .bind(firm.0)
        .bind(device.0)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Placed {
                    folder: row.text("folder")?,
                    link: LinkId(row.int("link_id")?),
                    flow: row.word("flow")?,
                })
            })
            .collect()
    }

    /// Returns the version of `firm`'s setup.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn setup_version(&self, firm: FirmId) -> Result<i64, Error> {
        let row = query("select version from firm where id = $1")
            .bind(firm.0)
            .fetch_one(&self.readers)
            .await?;
        row.int("version")
    }
}

fn listed(row: &AnyRow, name: &str) -> Result<Listed, Error> {
    let own = row.text("name")?;
    Ok(Listed {
        delivery: DeliveryId(row.int("id")?),
        document: DocumentId(row.int("document_id")?),
        name: row.text_or(name)?.unwrap_or(own),
        state: row.word("state")?,
        digest: row.word("digest")?,
        bytes: row.size("bytes")?,
        offered_at: row.at_or("offered_at")?.unwrap_or(Timestamp(0)),
    })
}
