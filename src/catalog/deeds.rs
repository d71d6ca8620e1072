//! What did people do at the command line?
//!
//! A process that a person has started says so once ([`Catalog::done_by`]); from then on each change that it
//! commits notes a deed, in the transaction of the change. A server says nothing, and notes nothing of what
//! devices do, which are events: only what it does to itself when it is told to.

use std::sync::Arc;

use sqlx::query;

use super::rows::Columns as _;
use super::{Catalog, Durability, Error, Tx, events};
use crate::evidence::{Deed, NotedDeed, deed_hash};
use crate::model::{Clock, EventSeq, FirmId};

/// Who uses this process, and for what.
#[derive(Debug, Clone)]
pub struct Doer {
    /// The operating system's user.
    pub who: String,
    /// The command line, without secrets.
    pub command: String,
    /// What tells when.
    pub clock: Clock,
}

impl Catalog {
    /// Has each change that this process commits from now on noted as this person's deed.
    pub fn done_by(&self, doer: Doer) {
        // The first stays: a process runs one command.
        drop(self.turns.doer.set(Arc::new(doer)));
    }

    /// Notes a deed that changes nothing in the catalog.
    ///
    /// # Errors
    ///
    /// When the database does not take it.
    pub async fn note_deed(&self) -> Result<(), Error> {
        self.begin(Durability::PowerCut)
            .await?
            .commit_unseen()
            .await
    }

    /// Notes a deed of a process whose changes are nobody's else.
    ///
    /// # Errors
    ///
    /// When the database does not take it.
    pub async fn note_deed_of(&self, doer: &Doer) -> Result<(), Error> {
        let mut tx = self.begin(Durability::PowerCut).await?;
        write(&mut tx, doer).await?;
        tx.commit_unseen().await
    }

    /// Returns the deeds after `after`, in order, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn deeds(&self, after: i64, limit: i64) -> Result<Vec<NotedDeed>, Error> {
        let rows = query("select * from deed where seq > $1 order by seq limit $2")
            .bind(after)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(noted).collect()
    }
}

fn noted(row: &sqlx::any::AnyRow) -> Result<NotedDeed, Error> {
    let told = match (
        row.int_or("firm_id")?,
        row.int_or("first_event")?,
        row.int_or("last_event")?,
    ) {
        (Some(firm), Some(first), Some(last)) => {
            Some((FirmId(firm), EventSeq(first), EventSeq(last)))
        }
        _ => None,
    };
    let deed = Deed {
        seq: row.int("seq")?,
        at: row.at("at")?,
        who: row.text("who")?,
        command: row.text("command")?,
        told,
    };
    Ok((deed, row.text("hash")?))
}

/// Notes whose deed the change is that is about to be committed, if it is anybody's.
pub(super) async fn note(tx: &mut Tx) -> Result<(), Error> {
    match tx.inner.doer() {
        Some(doer) => write(tx, &doer).await,
        None => Ok(()),
    }
}

async fn write(tx: &mut Tx, doer: &Doer) -> Result<(), Error> {
    let told = match tx.told.first().map(events::Told::firm) {
        None => None,
        Some(firm) => {
            let last = events::last(&mut tx.inner, firm).await?.seq;
            let count = i64::try_from(tx.told.len()).unwrap_or(i64::MAX);
            Some((firm, EventSeq(last + 1), EventSeq(last + count)))
        }
    };
    let last = query("select seq, hash from deed order by seq desc limit 1")
        .fetch_optional(&mut *tx.inner)
        .await?;
    let (seq, before) = match &last {
        None => (0, String::new()),
        Some(row) => (row.int("seq")?, row.text("hash")?),
    };
    let deed = Deed {
        seq: seq + 1,
        at: doer.clock.read(),
        who: doer.who.clone(),
        command: doer.command.clone(),
        told,
    };
    query(
        "insert into deed (seq, at, who, command, firm_id, first_event, last_event, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(deed.seq)
    .bind(deed.at.0)
    .bind(&deed.who)
    .bind(&deed.command)
    .bind(told.map(|(firm, ..)| firm.0))
    .bind(told.map(|(_, first, _)| first.0))
    .bind(told.map(|(.., last)| last.0))
    .bind(deed_hash(&before, &deed))
    .execute(&mut *tx.inner)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Deeds;
    use crate::model::{Language, Timestamp};

    async fn office(folder: &std::path::Path) -> Catalog {
        let catalog = Catalog::open(&folder.join("c.sqlite")).await.unwrap();
        let slug = "peeters".parse().unwrap();
        let adding = catalog.add_firm(&slug, "Kantoor", Language::Nl, Timestamp(1));
        adding.await.unwrap();
        catalog
    }

    fn kevin() -> Doer {
        Doer {
            who: "kevin (uid 1000)".to_owned(),
            command: "sluis dossier add".to_owned(),
            clock: Clock::new(|| Timestamp(7)),
        }
    }

    #[tokio::test]
    async fn what_nobody_does_at_the_command_line_is_no_deed() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = office(folder.path()).await;

        catalog.note_deed().await.unwrap();

        assert_eq!(catalog.deeds(0, 9).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_deed_of_a_server_stands_among_the_others_and_its_changes_are_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = office(folder.path()).await;
        let firm = catalog.firms().await.unwrap()[0].id;

        catalog.note_deed_of(&kevin()).await.unwrap();
        let adding = catalog.add_dossier(firm, "De Korenaar", &[], Timestamp(2));
        adding.await.unwrap();
        catalog.note_deed_of(&kevin()).await.unwrap();

        let deeds = catalog.deeds(0, 9).await.unwrap();
        let mut followed = Deeds::default();
        followed.follow(&deeds);
        assert_eq!((deeds.len(), followed.misfit()), (2, None));
    }

    #[tokio::test]
    async fn a_change_names_who_made_it_and_the_events_that_it_told() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = office(folder.path()).await;
        let firm = catalog.firms().await.unwrap()[0].id;

        catalog.done_by(kevin());
        let adding = catalog.add_dossier(firm, "De Korenaar", &[], Timestamp(2));
        adding.await.unwrap();
        catalog.note_deed().await.unwrap();

        let deeds = catalog.deeds(0, 9).await.unwrap();
        let mut followed = Deeds::default();
        followed.follow(&deeds);
        assert_eq!(followed.misfit(), None);
        let told: Vec<_> = deeds.iter().map(|(deed, _)| deed.told).collect();
        assert_eq!(told, [Some((firm, EventSeq(2), EventSeq(2))), None]);
        assert!(deeds.iter().all(|(deed, _)| deed.who == kevin().who));
    }

    #[tokio::test]
    async fn a_change_that_is_undone_leaves_no_deed() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = office(folder.path()).await;
        catalog.done_by(kevin());

        let slug = "peeters".parse().unwrap();
        let again = catalog.add_firm(&slug, "Kantoor", Language::Nl, Timestamp(3));

        assert!(again.await.is_err());
        assert_eq!(catalog.deeds(0, 9).await.unwrap(), []);
    }
}
