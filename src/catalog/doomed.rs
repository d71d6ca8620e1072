//! Which blobs may be removed, and how does an arrival of the same bytes not lose one?
//!
//! A blob is stored before its row, so between the two no row names it. Therefore:
//!
//! - a blob that nothing names is marked as going, and the commit of that survives a power cut;
//! - it is removed while its remover has the turn to write, if the mark is still there and nothing names it;
//!   the same change takes the mark off and moves the count of sweeps;
//! - an arrival notes the count before it stores its blobs, as it was known here last. At its turn to write, if the count has moved, or
//!   anything is going, it takes the marks off its blobs and looks whether they are there, before any row
//!   names them; one that is not is stored anew.
//!
//! All of this is in the catalog, so it holds between processes.

use sqlx::{AnyConnection, AssertSqlSafe, query};

use super::rejections::REJECTED_MS;
use super::rows::{Columns as _, stored_size};
use super::{Catalog, Error, Tx};
use crate::model::{Digest, DocumentId, FirmId, Timestamp};

/// For how long bytes stay that came and that no document names, in milliseconds: as long as whoever put them sees
/// the file, and may ask for its hash, and an hour.
pub const UNNAMED_MS: i64 = 25 * 60 * 60 * 1000;

/// How often blobs were removed, as far as it was known at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweeps(pub(super) i64);

impl Sweeps {
    /// No count is like it, so that what was stored under it is looked for.
    const UNKNOWN: Self = Self(-1);

    /// Counts them at the start, so that the first arrivals need not be looked for at their turn to write. A
    /// catalog in which they cannot be read is opened all the same: it is to be checked, and backed up.
    pub(super) async fn counted(connection: &mut AnyConnection) -> Self {
        let counted = query("select count from sweeps where id = 1").fetch_one(connection);
        let found = counted.await.map_err(Error::from);
        let count = found.and_then(|row| row.int("count"));
        count.map_or(Self::UNKNOWN, Self)
    }
}

/// No document of any firm names it. Column by column, for each has its own index; from the firms, for these
/// indexes begin with the firm.
const UNNAMED: &str = "not exists (select 1 from firm f cross join document d where d.firm_id = f.id and d.digest = doomed.digest)
       and not exists (select 1 from firm f cross join document d where d.firm_id = f.id
                         and d.content_digest = doomed.digest and d.content_digest <> d.digest)";

impl Catalog {
    /// Returns how often blobs had been removed when somebody here last had the turn to write: to be noted
    /// before one is stored. A count that is too old only has the arrival look for its blobs.
    pub fn sweeps(&self) -> Sweeps {
        self.turns.sweeps()
    }

    /// Returns the blobs that are to be removed, and whether each is marked as going.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn doomed(&self) -> Result<Vec<(Digest, bool)>, Error> {
        let rows = query("select digest, going from doomed order by digest")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((row.word("digest")?, row.int("going")? != 0)))
            .collect()
    }
}

impl Catalog {
    /// Returns blobs that are to be removed, in order, after this one, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn doomed_after(
        &self,
        after: Option<Digest>,
        limit: i64,
    ) -> Result<Vec<Digest>, Error> {
        let after = after.map_or_else(String::new, |digest| digest.to_string());
        let rows = query("select digest from doomed where digest > $1 order by digest limit $2")
            .bind(after)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| row.word("digest")).collect()
    }
}

impl Tx {
    /// Has blobs removed at a later run that nobody names, if nobody does by then.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn doom(&mut self, orphans: &[(Digest, u64)]) -> Result<(), Error> {
        for (digest, bytes) in orphans {
            query("insert into doomed (digest, bytes) values ($1, $2) on conflict (digest) do nothing")
                .bind(digest.to_string())
                .bind(stored_size(*bytes))
                .execute(&mut *self.inner)
                .await?;
        }
        Ok(())
    }

    /// Marks those of these doomed blobs as going that nothing names, and forgets those that a document names
    /// again. Its commit must survive a power cut.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn mark_going(&mut self, doomed: &[Digest], now: Timestamp) -> Result<(), Error> {
        // They are ours: hexadecimal digits.
        let listed: Vec<_> = doomed.iter().map(|digest| format!("'{digest}'")).collect();
        let listed = listed.join(",");
        let text = format!(
            "delete from doomed where digest in ({listed}) and going = 0 and not ({UNNAMED})"
        );
        query(AssertSqlSafe(text)).execute(&mut *self.inner).await?;
        // What a device sees in its `/rejected`, or in `/in`, stays until it sees it no longer.
        let text = format!(
            "update doomed set going = 1 where digest in ({listed}) and going = 0 and {UNNAMED}
                and (stays_until is null or stays_until <= $2)
                and not exists (select 1 from rejection r where r.digest = doomed.digest and r.at >= $1)"
        );
        query(AssertSqlSafe(text))
            .bind(now.plus_ms(-REJECTED_MS).0)
            .bind(now.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Has bytes that came at `now` removed at a later run, unless this document names them: another may be
    /// about to.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn doom_unless_of(
        &mut self,
        firm: FirmId,
        document: DocumentId,
        (digest, bytes): (Digest, u64),
        now: Timestamp,
    ) -> Result<(), Error> {
        query(
            "insert into doomed (digest, bytes, stays_until) select $1, $2, $3
             where not exists (select 1 from document where firm_id = $4 and id = $5 and $1 in (digest, content_digest))
             on conflict (digest) do update set stays_until = excluded.stays_until",
        )
        .bind(digest.to_string())
        .bind(stored_size(bytes))
        .bind(now.plus_ms(UNNAMED_MS).0)
        .bind(firm.0)
        .bind(document.0)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Takes the marks off blobs that were going before this turn, and returns those that nothing names still, with their
    /// sizes in bytes: whoever calls removes them before it commits.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn take_going(&mut self) -> Result<Vec<(Digest, u64)>, Error> {
        query("update sweeps set count = count + 1 where id = 1")
            .execute(&mut *self.inner)
            .await?;
        let text = format!("delete from doomed where going = 1 and not ({UNNAMED})");
        query(AssertSqlSafe(text)).execute(&mut *self.inner).await?;
        let rows = query("delete from doomed where going = 1 returning digest, bytes")
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter()
            .map(|row| Ok((row.word("digest")?, row.size("bytes")?)))
            .collect()
    }

    /// Has a blob removed at a later run, which could not be at this one.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn put_off(&mut self, digest: Digest, bytes: u64) -> Result<(), Error> {
        self.doom(&[(digest, bytes)]).await
    }

    /// Says whether every blob that was stored after the sweeps were counted is there still, for sure. If
    /// not, each that a row shall name is spared, and looked for.
    pub fn nothing_went_since(&self, before: &[Sweeps]) -> bool {
        self.unswept
            .is_some_and(|now| before.iter().all(|sweeps| *sweeps == now))
    }

    /// Has a blob not removed that a row shall name, if it was marked.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn spare(&mut self, digest: Digest) -> Result<(), Error> {
        query("delete from doomed where digest = $1")
            .bind(digest.to_string())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}
