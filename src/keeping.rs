//! Who removes what a firm does not keep any longer?
//!
//! Documents go first, in small pages, each in one change with its event; then what is known of documents
//! that are long gone; then the blobs that nothing names any more. What is interrupted goes on with the next
//! run. `retention` judges; nothing is decided here.

use std::collections::HashSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use self::swept::Swept;
use crate::blobs::{self, Blobs};
use crate::catalog::{self, Candidate, Catalog, Durability, Firm, UNNAMED_MS};
use crate::model::{Clock, Digest, DocumentId, FirmId, Timestamp, with_causes};
use crate::retention::{Because, Grounds, Verdict, is_forgotten, judge, may_forget};

/// How often it is looked whether anything's time is over. Nobody waits for it.
const LOOK: Duration = Duration::from_secs(60 * 60);

/// How many documents are looked at in one go.
const LOOKED_AT: i64 = 200;

/// How many documents go, or are forgotten, or blobs are removed, in one change: whoever wants to write waits
/// for some milliseconds.
pub const PAGE_ROWS: usize = 32;

/// How long others have the turn between two changes: programs beside this one do not queue for it.
const PAUSE: Duration = Duration::from_millis(10);

/// What removes what is kept no longer. A clone is the same.
#[derive(Clone)]
pub struct Keeping {
    catalog: Catalog,
    blobs: Blobs,
    clock: Clock,
    lets_unread_go: bool,
}

/// What was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalog did not answer.
    #[error("could not write down what is kept no longer")]
    Catalog(#[from] catalog::Error),
    /// A blob could not be removed; it is tried again with the next run.
    #[error("could not remove the bytes of a document that has expired")]
    Blobs(#[from] blobs::Error),
}

/// What became of a firm's documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Run {
    /// How many went, or would go.
    pub expired: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// How many are old enough, and wait to be collected.
    pub waiting: u64,
    /// How many are old enough, and under a legal hold.
    pub held: u64,
    /// How many are old enough, and in view of a session that lasts.
    pub in_view: u64,
    /// How many are old enough, and in quarantine, where no person lets them go.
    pub unread: u64,
    /// How many events were forgotten.
    pub forgotten: u64,
}

impl Run {
    fn count(&mut self, verdict: Verdict, bytes: u64) {
        match verdict {
            Verdict::Expires(_) => {
                self.expired += 1;
                self.bytes += bytes;
            }
            Verdict::Stays(Because::Waits) => self.waiting += 1,
            Verdict::Stays(Because::Held(_)) => self.held += 1,
            Verdict::Stays(Because::InView) => self.in_view += 1,
            Verdict::Stays(Because::Unread) => self.unread += 1,
            Verdict::Stays(Because::Young) => {}
        }
    }
}

impl Keeping {
    /// Joins what it needs.
    pub fn new(catalog: Catalog, blobs: Blobs, clock: Clock) -> Self {
        Self {
            catalog,
            blobs,
            clock,
            lets_unread_go: false,
        }
    }

    /// Lets go of what is in quarantine, too, when its time is over: a person says so.
    #[must_use]
    pub fn letting_unread_go(self) -> Self {
        Self {
            lets_unread_go: true,
            ..self
        }
    }

    /// Removes what is kept no longer, as its time is over, until it is cancelled.
    pub async fn run(&self, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.run_all() => {}
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn run_all(&self) {
        self.blobs.clear_left(self.clock.read());
        let firms = match self.catalog.firms_understood().await {
            Ok(firms) => firms,
            Err(failed) => {
                if self.catalog.is_news(&failed) {
                    error!("Could not ask which firms there are: {failed}");
                }
                return;
            }
        };
        for firm in firms {
            match self.run_firm(firm.id).await {
                Ok(run) => tell(&firm, &run),
                // One firm holds up no other.
                Err(failed) if !self.catalog.is_news(&failed) => {}
                Err(failed) => {
                    let fault: &dyn std::error::Error = &failed;
                    error!(error = fault, firm = %firm.slug, "Could not remove what firm `{}` keeps no longer; it is tried again in an hour", firm.slug);
                }
            }
        }
        match self.sweep_all().await {
            Ok(0) => {}
            Ok(removed) => info!("Removed {removed} blobs that no document names any more"),
            Err(failed) if !self.catalog.is_news(&failed) => {}
            Err(failed) => {
                let fault: &dyn std::error::Error = &failed;
                error!(
                    error = fault,
                    "Could not remove the blobs of expired documents; it is tried again in an hour"
                );
            }
        }
    }

    /// Removes the documents of a firm whose time is over, and forgets what is to be forgotten.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer; what is done by then stays so.
    pub async fn run_firm(&self, firm: FirmId) -> Result<Run, Error> {
        let mut run = self.go_through(firm, Some(self)).await?;
        run.forgotten = self.forget(firm).await?;
        Ok(run)
    }

    /// Says what [`Keeping::run_firm`] would do with the documents of a firm, and changes nothing.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn look(&self, firm: FirmId) -> Result<Run, Error> {
        self.go_through(firm, None).await
    }

    /// Looks at every document that arrived long enough ago. Who removes, removes what may go.
    async fn go_through(&self, firm: FirmId, removing: Option<&Self>) -> Result<Run, Error> {
        let mut run = Run::default();
        let now = self.clock.read();
        let grounds = self.with_word(self.catalog.grounds(firm).await?);
        let Some(by) = grounds.keeps.documents().over(now) else {
            return Ok(run);
        };
        let mut after = (Timestamp(i64::MIN), DocumentId(0));
        loop {
            let page = self.catalog.candidates(firm, by, after, LOOKED_AT).await?;
            let Some(last) = page.last() else {
                return Ok(run);
            };
            after = (last.received_at, last.facts.document);
            let mut going = Vec::new();
            for one in &page {
                let verdict = judge(&one.facts, &grounds, now);
                match verdict {
                    Verdict::Expires(_) if removing.is_some() => going.push(one.facts.document),
                    verdict => run.count(verdict, one.bytes),
                }
            }
            for ids in going.chunks(PAGE_ROWS) {
                self.expire(firm, ids, now, &mut run).await?;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// What a person says counts beside what is written down.
    fn with_word(&self, grounds: Grounds) -> Grounds {
        Grounds {
            lets_unread_go: self.lets_unread_go,
            ..grounds
        }
    }

    /// Removes those of these documents whose time is over still, now that nobody else can write.
    async fn expire(
        &self,
        firm: FirmId,
        ids: &[DocumentId],
        now: Timestamp,
        run: &mut Run,
    ) -> Result<(), Error> {
        let (mut tx, _) = self.catalog.begin_at(firm, Durability::PowerCut).await?;
        let grounds = self.with_word(tx.grounds(firm).await?);
        let found: Vec<Candidate> = tx.candidates(firm, ids).await?;
        let mut counted = *run;
        for one in &found {
            let verdict = judge(&one.facts, &grounds, now);
            if let Verdict::Expires(touched) = verdict {
                tx.expire(firm, one, touched, now).await?;
            }
            counted.count(verdict, one.bytes);
        }
        tx.commit().await?;
        *run = counted;
        Ok(())
    }

    /// Forgets what happened to documents that are long gone; returns how many events.
    async fn forget(&self, firm: FirmId) -> Result<u64, Error> {
        let now = self.clock.read();
        let grounds = self.catalog.grounds(firm).await?;
        let Some(by) = grounds
            .keeps
            .events()
            .over(now)
            .filter(|_| may_forget(&grounds))
        else {
            return Ok(0);
        };
        let (mut forgotten, mut after) = (0, DocumentId(0));
        let limit = i64::try_from(PAGE_ROWS).unwrap_or(i64::MAX);
        loop {
            let page = self.catalog.forgettable(firm, by, after, limit).await?;
            let Some(&(last, _)) = page.last() else {
                return Ok(forgotten);
            };
            after = last;
            let (mut tx, _) = self.catalog.begin_at(firm, Durability::PowerCut).await?;
            let grounds = tx.grounds(firm).await?;
            let mut count = 0;
            for (document, touched) in page {
                if is_forgotten(touched, &grounds, now) {
                    count += tx.forget(firm, document, now).await?;
                }
            }
            tx.commit_unseen().await?;
            forgotten += count;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns the blobs that nothing names and nobody has noted, which have lain there for a day at least: left over
    /// from arrivals that were interrupted, or named by a catalog that is older or newer than this one.
    ///
    /// # Errors
    ///
    /// When a store cannot be listed.
    pub async fn orphans(&self, now: Timestamp) -> Result<Vec<(Digest, u64)>, Error> {
        // Blobs first: what is named meanwhile is no orphan.
        let (mut orphans, _) = self.blobs.list().await?;
        let named = self.catalog.named_blobs().await?;
        let doomed = self.catalog.doomed().await?;
        let known = named
            .into_iter()
            .chain(doomed.into_iter().map(|(digest, _)| (digest, 0)));
        let known: HashSet<_> = known.map(|(digest, _)| digest).collect();
        orphans.retain(|(digest, _)| {
            let by = now.plus_ms(-UNNAMED_MS);
            !known.contains(digest) && self.blobs.named_at(*digest).is_some_and(|at| at < by)
        });
        Ok(orphans)
    }

    /// Has orphans removed with the next sweep, as blobs of documents that are gone: what arrives meanwhile with the
    /// same bytes loses nothing by it.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn doom(&self, orphans: &[(Digest, u64)]) -> Result<(), Error> {
        for page in orphans.chunks(PAGE_ROWS) {
            let mut tx = self.catalog.begin(Durability::PowerCut).await?;
            tx.doom(page).await?;
            tx.commit_unseen().await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Removes every blob that is doomed and that nothing names; returns how many.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer, or a blob cannot be removed.
    pub async fn sweep_all(&self) -> Result<u64, Error> {
        let Some(_alone) = self.blobs.may_remove()? else {
            info!(
                "A backup is being made, or another process removes blobs: those that no document names go later"
            );
            return Ok(0);
        };
        let mut swept = Swept::default();
        let done = self.sweep_pages(&mut swept).await;
        swept.tell();
        done.map(|()| swept.removed)
    }

    async fn sweep_pages(&self, swept: &mut Swept) -> Result<(), Error> {
        let mut after = None;
        let limit = i64::try_from(PAGE_ROWS).unwrap_or(i64::MAX);
        while !swept.is_over() {
            let mut page = self.catalog.doomed_after(after, limit).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
            page.retain(|digest| !swept.skips(*digest));
            if !page.is_empty() {
                self.mark_going(&page).await?;
                self.sweep(swept).await?;
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// The first step: marks those of these blobs that nothing names. Only after its commit, which survives a
    /// power cut, is one removed.
    async fn mark_going(&self, doomed: &[Digest]) -> Result<(), Error> {
        let mut tx = self.catalog.begin(Durability::PowerCut).await?;
        tx.mark_going(doomed, self.clock.read()).await?;
        Ok(tx.commit_unseen().await?)
    }

    /// The second step: removes marked blobs while nobody else can write.
    async fn sweep(&self, swept: &mut Swept) -> Result<(), Error> {
        let mut tx = self.catalog.begin(Durability::PowerCut).await?;
        let mut removed = Vec::new();
        for (digest, bytes) in tx.take_going().await? {
            if swept.skips(digest) {
                tx.put_off(digest, bytes).await?;
                continue;
            }
            // Here and now: what is handed to another thread could happen after this turn has ended.
            match self.blobs.remove(digest) {
                Ok(()) => {
                    swept.success();
                    removed.push(digest);
                }
                // It may be one alone, in a folder that another user made: the others go.
                Err(error) => {
                    swept.failure(digest, || with_causes(&error));
                    tx.put_off(digest, bytes).await?;
                }
            }
        }
        self.blobs.sync_removed(&removed)?;
        Ok(tx.commit_unseen().await?)
    }
}

fn tell(firm: &Firm, run: &Run) {
    let slug = &firm.slug;
    if run.expired > 0 {
        info!(firm = %slug, "Removed {} documents of firm `{slug}` whose time was over", run.expired);
    }
    if run.forgotten > 0 {
        info!(firm = %slug, "Forgot {} events of firm `{slug}` about documents that are gone", run.forgotten);
    }
}

mod swept;

#[cfg(test)]
mod tests;
