//! What did a device put into `/in` that was not accepted?
//!
//! Notes for that device, and for nobody else. A question names firm and device.

use sqlx::any::AnyRow;
use sqlx::query;

use super::rows::{Columns as _, stored_size};
use super::{Catalog, Durability, Error, Tx};
use crate::layout::safe_file_name;
use crate::model::{DeviceId, Digest, FirmId, Language, Rejected, Timestamp, VirtualPath, fold};

/// For how long a note shows, in milliseconds: a week.
pub const REJECTED_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// How many notes of a device are kept. The oldest goes first.
pub const REJECTED_MAX: i64 = 1000;

/// A file to note.
#[derive(Debug, Clone)]
pub struct NewRejection<'a> {
    /// Where it was put.
    pub path: &'a VirtualPath,
    /// Why it was not accepted.
    pub why: Rejected,
    /// What more is to say: what the reader found, as JSON, or the limit.
    pub detail: &'a str,
    /// Its size in bytes, where that is known.
    pub bytes: Option<u64>,
    /// Its bytes, where they were kept.
    pub digest: Option<Digest>,
}

/// A file that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Its row.
    pub id: i64,
    /// Where it was put.
    pub path: String,
    /// Its name in `/rejected`; the text's has `.txt` behind it.
    pub name: String,
    /// Why it was not accepted.
    pub why: Rejected,
    /// What more is to say.
    pub detail: String,
    /// Its size in bytes, where that is known.
    pub bytes: Option<u64>,
    /// Its bytes, where they were kept and the device has not removed the file.
    pub digest: Option<Digest>,
    /// Whether the text shows: the device has not removed it.
    pub has_text: bool,
    /// When it was refused last.
    pub at: Timestamp,
    /// In which language its firm is told.
    pub language: Language,
}

/// What a device removes from its sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The file.
    File,
    /// The text beside it.
    Text,
}

const SEEN: &str = "select r.*, f.language from rejection r join firm f on f.id = r.firm_id
     where r.firm_id = $1 and r.device_id = $2 and r.at >= $3
       and (r.text_removed_at is null or (r.digest <> '' and r.file_removed_at is null))
     order by r.name_key";

const SEEN_ONE: &str = "select r.*, f.language from rejection r join firm f on f.id = r.firm_id
     where r.firm_id = $1 and r.device_id = $2 and r.at >= $3 and r.name_key in ($4, $5)
     order by r.name_key";

impl Catalog {
    /// Notes a file that was not accepted; the same one again is the same note, with a new time.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn add_rejection(
        &self,
        firm: FirmId,
        device: DeviceId,
        new: &NewRejection<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        // What is kept is acknowledged to a sender; a refusal was told to him, and his file is where it was.
        let survives = match new.digest {
            Some(_) => Durability::PowerCut,
            None => Durability::Kill,
        };
        let mut tx = self.begin(survives).await?;
        let again = query(
            "update rejection set at = $6, detail = $7, bytes = $8, file_removed_at = null, text_removed_at = null
             where firm_id = $1 and device_id = $2 and path_key = $3 and why = $4 and digest = $5",
        )
        .bind(firm.0)
        .bind(device.0)
        .bind(new.path.key())
        .bind(new.why.as_str())
        .bind(stored(new.digest))
        .bind(now.0)
        .bind(new.detail)
        .bind(new.bytes.map(stored_size))
        .execute(&mut *tx.inner)
        .await?;
        if again.rows_affected() == 0 {
            tx.forget_rejections(firm, device, now).await?;
            tx.insert_rejection(firm, device, new, now).await?;
        }
        tx.commit_unseen().await
    }

    /// Returns the notes that `device` sees at `now`, by name.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn rejections(
        &self,
        firm: FirmId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<Vec<Rejection>, Error> {
        let rows = query(SEEN)
            .bind(firm.0)
            .bind(device.0)
            .bind(now.plus_ms(-REJECTED_MS).0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(rejection).collect()
    }

    /// Returns the notes that `device` may see at `now` under this name: as the file, or as the text.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn rejections_named(
        &self,
        firm: FirmId,
        device: DeviceId,
        name: &str,
        now: Timestamp,
    ) -> Result<Vec<Rejection>, Error> {
        let key = fold(name);
        let rows = query(SEEN_ONE)
            .bind(firm.0)
            .bind(device.0)
            .bind(now.plus_ms(-REJECTED_MS).0)
            .bind(key.as_str())
            .bind(key.strip_suffix(".txt").unwrap_or(&key))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(rejection).collect()
    }

    /// Returns where `device` has put something that was not accepted, as paths are compared.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn rejected_paths(
        &self,
        firm: FirmId,
        device: DeviceId,
    ) -> Result<Vec<String>, Error> {
        let rows = query("select path_key from rejection where firm_id = $1 and device_id = $2")
            .bind(firm.0)
            .bind(device.0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| row.text("path_key")).collect()
    }

    /// Forgets the notes of `device` on what it put at `path`; says how many there were.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn forget_rejected(
        &self,
        firm: FirmId,
        device: DeviceId,
        path: &VirtualPath,
    ) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Kill).await?;
        let done =
            query("delete from rejection where firm_id = $1 and device_id = $2 and path_key = $3")
                .bind(firm.0)
                .bind(device.0)
                .bind(path.key())
                .execute(&mut *tx.inner)
                .await?;
        tx.commit_unseen().await?;
        Ok(done.rows_affected())
    }

    /// Notes that `device` wants to see a file, or the text beside it, no longer. Nothing else changes.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn remove_rejection(
        &self,
        firm: FirmId,
        device: DeviceId,
        (id, part): (i64, Part),
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Kill).await?;
        let change = match part {
            Part::File => {
                "update rejection set file_removed_at = $4 where firm_id = $1 and device_id = $2 and id = $3"
            }
            Part::Text => {
                "update rejection set text_removed_at = $4 where firm_id = $1 and device_id = $2 and id = $3"
            }
        };
        query(change)
            .bind(firm.0)
            .bind(device.0)
            .bind(id)
            .bind(now.0)
            .execute(&mut *tx.inner)
            .await?;
        tx.commit_unseen().await
    }
}

impl Tx {
    /// Forgets what is too old, and of what is too many the oldest, so that one more has room.
    async fn forget_rejections(
        &mut self,
        firm: FirmId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<(), Error> {
        query("delete from rejection where firm_id = $1 and device_id = $2 and at < $3")
            .bind(firm.0)
            .bind(device.0)
            .bind(now.plus_ms(-REJECTED_MS).0)
            .execute(&mut *self.inner)
            .await?;
        query(
            "delete from rejection where id in (select id from rejection where firm_id = $1 and device_id = $2
             order by at desc, id desc limit $3 offset $4)",
        )
        .bind(firm.0)
        .bind(device.0)
        .bind(REJECTED_MAX)
        .bind(REJECTED_MAX - 1)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    async fn insert_rejection(
        &mut self,
        firm: FirmId,
        device: DeviceId,
        new: &NewRejection<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let rows = query("select name_key from rejection where firm_id = $1 and device_id = $2")
            .bind(firm.0)
            .bind(device.0)
            .fetch_all(&mut *self.inner)
            .await?;
        let taken = rows.iter().map(|row| row.text("name_key"));
        let taken: Vec<_> = taken.collect::<Result<_, _>>()?;
        // The device called it so itself, but it may be fetched where such a name is a path, or a program.
        let name = safe_file_name(new.path.name().unwrap_or_default());
        let name = free_name(&name, &taken);
        query(
            "insert into rejection (firm_id, device_id, path, path_key, name, name_key, why, detail, bytes, digest, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(firm.0)
        .bind(device.0)
        .bind(new.path.to_string())
        .bind(new.path.key())
        .bind(name.as_str())
        .bind(fold(&name))
        .bind(new.why.as_str())
        .bind(new.detail)
        .bind(new.bytes.map(stored_size))
        .bind(stored(new.digest))
        .bind(now.0)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

/// The longest name that is kept whole, in bytes: ` (1000)` and `.txt` fit behind it in the 255 of file systems.
const NAME_BYTES_MAX: usize = 240;

/// The longest extension that stays behind a number, in bytes.
const EXTENSION_BYTES_MAX: usize = 16;

/// `F-17.xml`, `F-17 (2).xml`, …: the first whose file and text no other note has as file or text.
fn free_name(name: &str, taken: &[String]) -> String {
    let is_free = |candidate: &String| {
        let file = fold(candidate);
        let text = format!("{file}.txt");
        !taken.iter().any(|own| {
            *own == file || *own == text || file.strip_suffix(".txt") == Some(own.as_str())
        })
    };
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && extension.len() <= EXTENSION_BYTES_MAX => {
            (stem, format!(".{extension}"))
        }
        _ => (name, String::new()),
    };
    let stem = &stem[..stem.floor_char_boundary(NAME_BYTES_MAX - extension.len())];
    let numbered = |nth: usize| match nth {
        1 => format!("{stem}{extension}"),
        nth => format!("{stem} ({nth}){extension}"),
    };
    // One more than there are names is free, for each keeps at most three from it.
    let tried = (1..=3 * taken.len() + 1).map(numbered);
    let mut free = tried.filter(is_free);
    free.next().unwrap_or_else(|| numbered(3 * taken.len() + 2))
}

fn stored(digest: Option<Digest>) -> String {
    digest.map_or_else(String::new, |digest| digest.to_string())
}

fn rejection(row: &AnyRow) -> Result<Rejection, Error> {
    let is_kept = !row.text("digest")?.is_empty() && row.at_or("file_removed_at")?.is_none();
    Ok(Rejection {
        id: row.int("id")?,
        path: row.text("path")?,
        name: row.text("name")?,
        why: row.word("why")?,
        detail: row.text("detail")?,
        bytes: row
            .int_or("bytes")?
            .and_then(|bytes| u64::try_from(bytes).ok()),
        digest: if is_kept {
            Some(row.word("digest")?)
        } else {
            None
        },
        has_text: row.at_or("text_removed_at")?.is_none(),
        at: row.at("at")?,
        language: row.word("language")?,
    })
}

#[cfg(test)]
mod tests;
