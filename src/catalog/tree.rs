//! Which files stand in a device's folders?

use std::str::FromStr;

use sqlx::any::AnyRow;
use sqlx::query;

use super::rows::{Columns as _, stored_size};
use super::uploads::uploads;
use super::{Catalog, Error};
use crate::model::fold;
use crate::model::{
    DeliveryId, DeviceId, Digest, DocumentId, FirmId, Flow, Keep, LinkId, State, Timestamp, Uploads,
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
    /// Whether it was read whole before.
    pub is_read: bool,
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

/// Since when what is done with still shows in an inbox: nothing vanishes under a reader.
///
/// And until when, which is a minute later than the session's own time: what was marked later still was so by a clock
/// that has been set back, and would show to each session until that time comes round again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// A collected delivery shows if it was collected at or after this,
    pub collected: Timestamp,
    /// and at or before this.
    pub collected_until: Timestamp,
    /// A delivery whose bytes were copied to the processed folder shows if that was at or after this,
    /// for the importer that copies removes next,
    pub copied: Timestamp,
    /// and at or before this.
    pub copied_until: Timestamp,
    /// What was collected or processed shows at all if that was at or after this.
    pub done: Timestamp,
}

/// A listing comes as one text, a line for each file: of a hundred thousand files, a row and its columns
/// each would cost several times as much. Names hold no control characters.
///
/// A question for what nobody has collected and one for what was lately, so that what the folder showed in
/// other years is not gone through.
///
/// None is read where what was never collected is too much already: the index counts that.
const INBOX: &str = "with waiting as (select count(*) as files from (select 1 from delivery
     where device_id = $2 and folder_key = $3 and current = 1
       and link_id = $6 and flow = $7 and collected_at is null limit $10) as uncollected)
     select (select files from waiting) as waiting, count(*) as files, string_agg(id || ' ' || document_id || ' ' || state || ' ' ||
            (read_at is not null) || ' ' || digest || ' ' || bytes || ' ' || coalesce(offered_at, 0) || ' ' || name, char(10)) as lines
     from (select * from delivery
     where firm_id = $1 and device_id = $2 and folder_key = $3 and current = 1
       and link_id = $6 and flow = $7 and collected_at is null and state = 'offered'
     union all select * from delivery
     where firm_id = $1 and device_id = $2 and folder_key = $3 and current = 1
       and link_id = $6 and flow = $7 and collected_at between $4 and $8 and state = 'collected'
     union all select * from delivery
     where firm_id = $1 and device_id = $2 and folder_key = $3 and current = 1
       and link_id = $6 and flow = $7 and act = 'copied' and processed_at between $5 and $9 and state = 'processed'
     limit case when (select files from waiting) < $10 then $10 else 0 end) as listed";

const ONE: &str = "select id, document_id, name, moved_name, state, read_at, digest, bytes, offered_at from delivery
     where firm_id = $1 and device_id = $2 and folder_key = $3 and name_key = $8 and current = 1
       and link_id = $6 and flow = $7
       and (state = 'offered' or (state = 'collected' and collected_at between $4 and $9)
            or (state = 'processed' and act = 'copied' and processed_at between $5 and $10))";

/// In the order of names of an index, which no step between changes.
const DONE: &str = "select string_agg(id || ' ' || document_id || ' ' || state || ' ' ||
            (read_at is not null) || ' ' || digest || ' ' || bytes || ' ' || coalesce(offered_at, 0) || ' ' || coalesce(moved_name, name), char(10)) as lines
     from (select id, document_id, name, moved_name, state, read_at, digest, bytes, offered_at from delivery
     where firm_id = $1 and device_id = $2 and link_id = $3 and flow = $5 and current = 1
       and ((state = 'processed' and processed_at >= $6) or (state = 'collected' and not collected_at between $4 and $7 and collected_at >= $6))
     order by name_key) as listed";

const DONE_ONE: &str = "select id, document_id, name, moved_name, state, read_at, digest, bytes, offered_at from delivery
     where firm_id = $1 and device_id = $2 and link_id = $3 and flow = $5 and current = 1
       and ((state = 'processed' and processed_at >= $7) or (state = 'collected' and not collected_at between $4 and $8 and collected_at >= $7))
       and moved_key = $6
     union all
     select id, document_id, name, moved_name, state, read_at, digest, bytes, offered_at from delivery
     where firm_id = $1 and device_id = $2 and link_id = $3 and flow = $5 and current = 1
       and ((state = 'processed' and processed_at >= $7) or (state = 'collected' and not collected_at between $4 and $8 and collected_at >= $7))
       and moved_key is null and name_key = $6";

/// The signs keep SQLite from going through all files of the device: a document has few deliveries.
const COPIES: &str = "select id, document_id, name, moved_name, state, read_at, digest, bytes, offered_at from delivery
     where document_id in (select id from document where firm_id = $1 and digest = $5
                           union all
                           select id from document where firm_id = $1 and content_digest = $5 and content_digest <> digest)
       and +firm_id = $1 and +device_id = $2 and +link_id = $3 and flow = $4 and digest = $5 and current = 1
       and state in ('offered', 'collected', 'processed') order by state, id";

const OF_SIZE: &str = "select id from delivery
     where firm_id = $1 and device_id = $2 and link_id = $3 and flow = $4 and current = 1 and bytes = $5 limit 1";

/// A question about the folders of a device, `placed`. Each step looks for the next after the one before: as many looks as folders, not as files.
/// Column by column, for SQLite would go through all files of a folder to compare the three together.
macro_rules! placed {
    ($then:literal) => {
        concat!(
            "with recursive placed (folder, folder_key, link_id, flow) as (
       select * from (select folder, folder_key, link_id, flow from delivery
         where firm_id = $1 and device_id = $2 and current = 1
           and folder_key is not null and link_id is not null and flow is not null
         order by folder_key, link_id, flow limit 1) as first
       union all
       select d.folder, d.folder_key, d.link_id, d.flow from placed p join delivery d on d.id = coalesce(
         (select n.id from delivery n where n.firm_id = $1 and n.device_id = $2 and n.current = 1
             and n.folder_key = p.folder_key and n.link_id = p.link_id and n.flow > p.flow
          order by n.flow limit 1),
         (select n.id from delivery n where n.firm_id = $1 and n.device_id = $2 and n.current = 1
             and n.folder_key = p.folder_key and n.link_id > p.link_id and n.flow is not null
          order by n.link_id, n.flow limit 1),
         (select n.id from delivery n where n.firm_id = $1 and n.device_id = $2 and n.current = 1
             and n.folder_key > p.folder_key and n.link_id is not null and n.flow is not null
          order by n.folder_key, n.link_id, n.flow limit 1)))
     ",
            $then
        )
    };
}
pub(super) use placed;

const PLACED: &str = placed!("select folder, link_id, flow from placed");

impl Catalog {
    /// Returns the files of `device` in the inbox folder with this key, by name; none where they are more than `most`:
    /// see [`Catalog::large_folder`].
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn inbox(
        &self,
        firm: FirmId,
        device: DeviceId,
        (link, flow): (LinkId, Flow),
        (folder_key, most): (&str, usize),
        since: Since,
    ) -> Result<Option<Vec<Listed>>, Error> {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let row = query(INBOX)
            .bind(firm.0)
            .bind(device.0)
            .bind(folder_key)
            .bind(since.collected.0)
            .bind(since.copied.0)
            .bind(link.0)
            .bind(flow.as_str())
            .bind(since.collected_until.0)
            .bind(since.copied_until.0)
            .bind(stored_size(most).saturating_add(1))
            .fetch_one(&self.readers)
            .await;
        let row = self.asked(row)?;
        if row.size("waiting")?.max(row.size("files")?) > most {
            return Ok(None);
        }
        let files = beside(row.text_or("lines")?, |text| from_lines(text).map(by_name));
        files.await.map(Some)
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
        (link, flow): (LinkId, Flow),
        (folder_key, name_key): (&str, &str),
        since: Since,
    ) -> Result<Option<Listed>, Error> {
        let row = query(ONE)
            .bind(firm.0)
            .bind(device.0)
            .bind(folder_key)
            .bind(since.collected.0)
            .bind(since.copied.0)
            .bind(link.0)
            .bind(flow.as_str())
            .bind(name_key)
            .bind(since.collected_until.0)
            .bind(since.copied_until.0)
            .fetch_optional(&self.readers)
            .await;
        let row = self.asked(row)?;
        row.as_ref().map(|row| listed(row, "name")).transpose()
    }

    /// Returns the files of `device` that are done with, of one link and flow, by the names that they were offered under.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn done_with(
        &self,
        firm: FirmId,
        device: DeviceId,
        (link, flow): (LinkId, Flow),
        since: Since,
    ) -> Result<Vec<Listed>, Error> {
        let row = query(DONE)
            .bind(firm.0)
            .bind(device.0)
            .bind(link.0)
            .bind(since.collected.0)
            .bind(flow.as_str())
            .bind(since.done.0)
            .bind(since.collected_until.0)
            .fetch_one(&self.readers)
            .await;
        let row = self.asked(row)?;
        beside(row.text_or("lines")?, from_lines).await
    }

    /// Returns one file of `device` that is done with, of one link and flow.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn done_file(
        &self,
        firm: FirmId,
        device: DeviceId,
        (link, flow): (LinkId, Flow),
        name_key: &str,
        since: Since,
    ) -> Result<Option<Listed>, Error> {
        let row = query(DONE_ONE)
            .bind(firm.0)
            .bind(device.0)
            .bind(link.0)
            .bind(since.collected.0)
            .bind(flow.as_str())
            .bind(name_key)
            .bind(since.done.0)
            .bind(since.collected_until.0)
            .fetch_optional(&self.readers)
            .await;
        let row = self.asked(row)?;
        row.as_ref()
            .map(|row| listed(row, "moved_name"))
            .transpose()
    }

    /// Returns the deliveries of `device` whose bytes these are, of one link and flow; those not done with first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn copies(
        &self,
        firm: FirmId,
        device: DeviceId,
        (link, flow): (LinkId, Flow),
        digest: Digest,
    ) -> Result<Vec<Listed>, Error> {
        let rows = query(COPIES)
            .bind(firm.0)
            .bind(device.0)
            .bind(link.0)
            .bind(flow.as_str())
            .bind(digest.to_string())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| listed(row, "name")).collect()
    }

    /// Says whether any delivery of `device`, of one link and flow, has so many bytes.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn has_size(
        &self,
        firm: FirmId,
        device: DeviceId,
        (link, flow): (LinkId, Flow),
        bytes: u64,
    ) -> Result<bool, Error> {
        let row = query(OF_SIZE)
            .bind(firm.0)
            .bind(device.0)
            .bind(link.0)
            .bind(flow.as_str())
            .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.is_some())
    }

    /// Returns the inbox folders of `device` in which files were ever offered.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn placed(&self, firm: FirmId, device: DeviceId) -> Result<Vec<Placed>, Error> {
        let rows = query(PLACED)
            .bind(firm.0)
            .bind(device.0)
            .fetch_all(&self.readers)
            .await;
        let rows = self.asked(rows)?;
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

    /// Returns the state of `firm`'s setup, as `device` sees it; none if the device is out of use.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn setup_of(&self, firm: FirmId, device: DeviceId) -> Result<Option<Setup>, Error> {
        let row = query(
            "select f.version, f.keep_in_view, d.added_at, d.kind, d.uploads from firm f join device d on d.firm_id = f.id
             where f.id = $1 and d.id = $2 and d.removed_at is null",
        )
        .bind(firm.0)
        .bind(device.0)
        .fetch_optional(&self.readers)
        .await;
        let row = self.asked(row)?;
        row.map(|row| {
            let uploads = uploads(&row, row.word("kind")?)?;
            Ok(Setup {
                version: row.int("version")?,
                device_added_at: row.at("added_at")?,
                uploads,
                keep_in_view: row.word("keep_in_view")?,
            })
        })
        .transpose()
    }
}

/// The state of a firm's setup, as a device sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Moves with every change of a dossier, link or device, and with the first file in a folder.
    pub version: i64,
    /// When the device was added.
    pub device_added_at: Timestamp,
    /// Whether the device may upload.
    pub uploads: Uploads,
    /// For how long what is done with shows.
    pub keep_in_view: Keep,
}

/// The most text of a listing, in bytes, that is read where it was asked for.
const LINES_BYTES_NOW: usize = 64 * 1024;

/// Reads a listing, on another thread where it is large: others live on this one, and a hundred thousand files take
/// a tenth of a second.
async fn beside(
    text: Option<String>,
    read: fn(&str) -> Result<Vec<Listed>, Error>,
) -> Result<Vec<Listed>, Error> {
    let text = text.unwrap_or_default();
    if text.len() <= LINES_BYTES_NOW {
        return read(&text);
    }
    let reading = tokio::task::spawn_blocking(move || read(&text));
    reading.await.map_err(Error::Died)?
}

/// Reads what [`INBOX`] or [`DONE`] returns.
fn from_lines(text: &str) -> Result<Vec<Listed>, Error> {
    text.lines().map(from_line).collect()
}

/// No database promises the order of what it joins.
fn by_name(mut files: Vec<Listed>) -> Vec<Listed> {
    if !files.is_sorted_by(|a, b| fold(&a.name) <= fold(&b.name)) {
        files.sort_by_cached_key(|file| fold(&file.name));
    }
    files
}

/// Reads a line of them.
fn from_line(line: &str) -> Result<Listed, Error> {
    let mut fields = line.splitn(8, ' ');
    let mut next = || fields.next().unwrap_or_default();
    Ok(Listed {
        delivery: DeliveryId(field("a number of a listing", next())?),
        document: DocumentId(field("a number of a listing", next())?),
        state: field("a state of a listing", next())?,
        is_read: next() == "1",
        digest: field("a digest of a listing", next())?,
        bytes: field("a size of a listing", next())?,
        offered_at: Timestamp(field("a number of a listing", next())?),
        name: next().to_owned(),
    })
}

/// Reads one field. What is wrong is told by it alone: the line ends with a name, which is for no log.
pub(super) fn field<T: FromStr>(what: &'static str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Stored {
        what,
        value: text.to_owned(),
    })
}

fn listed(row: &AnyRow, name: &str) -> Result<Listed, Error> {
    let own = row.text("name")?;
    Ok(Listed {
        delivery: DeliveryId(row.int("id")?),
        document: DocumentId(row.int("document_id")?),
        name: row.text_or(name)?.unwrap_or(own),
        state: row.word("state")?,
        is_read: row.at_or("read_at")?.is_some(),
        digest: row.word("digest")?,
        bytes: row.size("bytes")?,
        offered_at: row.at_or("offered_at")?.unwrap_or(Timestamp(0)),
    })
}

#[cfg(test)]
pub(super) mod tests;
