//! How is it written down what a device has done?
//!
//! A mark and its event are one transaction. The session answers its peer only after the commit, so a
//! peer that has its answer can rely on the mark. The clock is read once the turn to write is held: what a session
//! has listed meanwhile, which began after the peer asked, was marked after that. It is the session's own time, which
//! a clock that is set back does not take back.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

pub use crate::catalog::Act;
use crate::catalog::{self, Catalog, Durability, Event, Listed, Tx};
use crate::collect::{End, HandleReads, Removal, Verdict, judge, judge_removal};
use crate::counts::Counts;
use crate::evidence::Collecting;
use crate::evidence::replay::REVISION;
use crate::ingest::Readers;
pub use crate::ingest::Reads;
use crate::model::{
    Clock, DeliveryId, Digest, EventKind, Flow, LinkId, SessionId, State, Timestamp, fold,
};
use crate::tree::{File, Place, Who};

/// What writes marks down. A clone is the same.
#[derive(Clone)]
pub struct Marks {
    catalog: Catalog,
    readers: Readers,
    counts: Arc<Counts>,
}

/// A mark that was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The device has not fetched the document that it wants to be rid of.
    #[error("this document was not fetched whole yet: fetch it first, then remove it")]
    NotFetched,
    /// The bytes are not those of a document of this folder.
    #[error("these are not the bytes of a document that was offered here")]
    NoCopy,
    /// Two files would show under one name, and one of them could not be reached.
    #[error(
        "this is the name of another document of this folder: use the file's own name, or one that no file has"
    )]
    NameInUse,
    /// The delivery is not there any more.
    #[error("no such file")]
    Missing,
    /// It could not be written down.
    #[error("could not write down what was done with a document")]
    Catalog(#[from] catalog::Error),
}

impl Marks {
    /// Joins what marks are made with.
    pub fn new(catalog: Catalog, readers: Readers) -> Self {
        let counts = Arc::default();
        Self {
            catalog,
            readers,
            counts,
        }
    }

    /// Has marks counted here.
    #[must_use]
    pub fn counted_in(mut self, counts: Arc<Counts>) -> Self {
        self.counts = counts;
        self
    }

    /// Notes that a handle on `file` is open, and returns where to count what it is given.
    pub fn opened(&self, who: &Who, file: &File, now: Timestamp) -> Reads {
        let reads = Arc::new(Mutex::new(HandleReads::opened(now)));
        if file.place == Place::Inbox {
            self.readers
                .opened(file.listed.delivery, who.session, &reads);
        }
        reads
    }

    /// Writes down what a handle that has ended means, and returns what it marked: read, collected, or nothing.
    ///
    /// # Errors
    ///
    /// When the catalog does not take it; then the peer must not be told that all is well.
    pub async fn ended(
        &self,
        who: &Who,
        file: &File,
        reads: &Reads,
        how: End,
        clock: &Clock,
    ) -> Result<Option<EventKind>, Error> {
        let given = lock(reads).clone();
        let nothing_new = file.place == Place::Processed
            || given.coverage().is_empty()
            || file.listed.state != State::Offered
            // Previews read the same file again and again.
            || (file.listed.is_read && judge(who.kind, true) == Verdict::Read);
        let marked = if nothing_new {
            Ok(None)
        } else {
            let began = Instant::now();
            let marked = self.count(who, &file.listed, given, how, clock).await;
            if let Ok(Some(kind)) = &marked {
                let collected = *kind == EventKind::Collected;
                let counter = if collected {
                    &self.counts.deliveries_collected
                } else {
                    &self.counts.deliveries_read
                };
                counter.one();
                self.counts.marks.took(began.elapsed());
            }
            marked
        };
        // Only now, so that a removal meanwhile still counts what this handle was given.
        self.readers.closed(file.listed.delivery, reads);
        marked
    }

    /// Writes down that the importer removed a file from the inbox, or moved it to the processed folder.
    ///
    /// # Errors
    ///
    /// When the device has not fetched it, somebody was first, or the catalog does not take it.
    pub async fn acted(
        &self,
        who: &Who,
        file: &Listed,
        act: &Act,
        clock: &Clock,
    ) -> Result<(), Error> {
        let (id, began) = (file.delivery, Instant::now());
        let mut tx = self.catalog.begin(Durability::Kill).await?;
        let now = who.time(clock.read());
        let mark = tx.take_mark(who.firm, id).await?.ok_or(Error::Missing)?;
        if let Some(name) = act.name()
            && let Some(other) = tx.name_in_use(who.firm, id, name).await?
        {
            // The same bytes once more, where they are already: an importer that repeats itself has done no wrong.
            let is_same = other.is_there && other.digest == file.digest;
            let is_again = matches!(act, Act::Copied(_)) && is_same;
            return is_again.then_some(()).ok_or(Error::NameInUse);
        }
        let by_copy = matches!(act, Act::Copied(_)); // whoever has the bytes has fetched them
        if by_copy && mark.state == State::Processed {
            return Ok(()); // another session's copy of the same was first
        }
        if mark.state == State::Processed && tx.mark_copy_removed(who.firm, id).await? {
            if let Act::Moved(name) = act {
                tx.rename_moved(who.firm, id, name).await?;
            }
            return Ok(tx.commit().await?);
        }
        let open = self.open_reads(id, who.session);
        let given = open.iter().map(HandleReads::coverage);
        let whole = mark.progress.is_whole_with(given, file.bytes);
        if !by_copy && judge_removal(who.kind, mark.state, whole) == Removal::NotFetched {
            return Err(Error::NotFetched);
        }
        if !tx.mark_processed(who.firm, id, act, now).await? {
            return Err(Error::Missing);
        }
        let mut told = Vec::new();
        if mark.state == State::Offered {
            told.push(event(
                who,
                file,
                EventKind::Collected,
                Collecting::by_act(act.word(), (file.digest, file.bytes), &open)
                    .in_session(&who.seal)
                    .detail(),
            ));
        }
        told.push(event(
            who,
            file,
            EventKind::Processed,
            act.word().to_owned(),
        ));
        tx.tell(who.firm, now, told);
        tx.commit().await?;
        if mark.state == State::Offered {
            self.counts.deliveries_collected.one();
        }
        self.counts.deliveries_processed.one();
        self.counts.marks.took(began.elapsed());
        Ok(())
    }

    /// Writes down that the importer put these bytes into the processed folder of these links and flows.
    ///
    /// # Errors
    ///
    /// When no document of that folder has these bytes, or the catalog does not take it.
    pub async fn copied(
        &self,
        who: &Who,
        places: &[(LinkId, Flow)],
        digest: Digest,
        name: &str,
        clock: &Clock,
    ) -> Result<(), Error> {
        match self.copied_once(who, places, digest, name, clock).await {
            // It was sent anew, or taken back, between the look and the mark.
            Err(Error::Missing) => {
                let again = self.copied_once(who, places, digest, name, clock).await;
                again.map_err(|failed| match failed {
                    Error::Missing => Error::NoCopy,
                    failed => failed,
                })
            }
            done => done,
        }
    }

    async fn copied_once(
        &self,
        who: &Who,
        places: &[(LinkId, Flow)],
        digest: Digest,
        name: &str,
        clock: &Clock,
    ) -> Result<(), Error> {
        let mut copies = Vec::new();
        for &place in places {
            let of_it = self.catalog.copies(who.firm, who.device, place, digest);
            copies.append(&mut of_it.await?);
        }
        copies.sort_by_key(|listed| (listed.state.as_str(), listed.delivery));
        let own = fold(name);
        let mut waiting = copies
            .iter()
            .filter(|listed| listed.state != State::Processed);
        let first = waiting.clone().next();
        // Of several with these bytes the one that is called so is meant.
        match waiting.find(|listed| fold(&listed.name) == own).or(first) {
            Some(listed) => {
                self.acted(who, listed, &Act::Copied(name.to_owned()), clock)
                    .await
            }
            // Once more what is there already: an importer that repeats itself has done no wrong.
            None if copies.is_empty() => Err(Error::NoCopy),
            None => Ok(()),
        }
    }

    /// Says whether a document of these links and flows has so many bytes, without which none of them is a copy of it.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn may_be_copy(
        &self,
        who: &Who,
        places: &[(LinkId, Flow)],
        bytes: u64,
    ) -> Result<bool, Error> {
        let (firm, device) = (who.firm, who.device);
        for &place in places {
            if self.catalog.has_size(firm, device, place, bytes).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives a file in the processed folder another name, as programs do that write under a temporary one.
    ///
    /// # Errors
    ///
    /// When it is not there, or the catalog does not take it.
    pub async fn renamed(&self, who: &Who, file: &Listed, name: &str) -> Result<(), Error> {
        let mut tx = self.catalog.begin(Durability::Kill).await?;
        let id = file.delivery;
        tx.take_mark(who.firm, id).await?.ok_or(Error::Missing)?;
        if tx.name_in_use(who.firm, id, name).await?.is_some() {
            return Err(Error::NameInUse);
        }
        if !tx.rename_moved(who.firm, file.delivery, name).await? {
            return Err(Error::Missing);
        }
        Ok(tx.commit().await?)
    }

    async fn count(
        &self,
        who: &Who,
        file: &Listed,
        given: HandleReads,
        how: End,
        clock: &Clock,
    ) -> Result<Option<EventKind>, Error> {
        let id = file.delivery;
        let said = Collecting::by_reading((file.digest, file.bytes), [&given]);
        let detail = said.in_session(&who.seal).detail();
        // By one handle alone: what nearly every pull does.
        let alone = how == End::Closed && given.coverage().is_whole(file.bytes);
        if alone && judge(who.kind, true) == Verdict::Collected {
            let told = event(who, file, EventKind::Collected, detail.clone());
            let own = who.clock(clock);
            if self.catalog.collect_at_once(who.firm, &told, &own).await? {
                return Ok(Some(EventKind::Collected));
            }
        }
        let mut tx = self.catalog.begin(Durability::Kill).await?;
        let now = clock.read();
        let Some(mut mark) = tx.take_mark(who.firm, id).await? else {
            return Ok(None);
        };
        let before = mark.progress.clone();
        let has_it = how != End::Broken && given.coverage().is_whole(file.bytes);
        mark.progress.end(given, how, now);
        let now = who.time(now);
        let whole = how != End::Broken && mark.progress.is_whole(file.bytes);
        let another_was_first = !matches!(mark.state, State::Offered | State::Withdrawn);
        // Previews read the same part again and again.
        if another_was_first || (mark.progress == before && !whole) {
            tx.abandon().await?;
            return Ok(None);
        }
        if mark.state != State::Offered {
            tx.mark_progress(id, &mark.progress).await?;
            let is_new = whole && (has_it || !before.is_whole(file.bytes));
            if is_new {
                tell_taken_back(&mut tx, who, file, now).await?;
            }
            tx.commit_unseen().await?;
            return Ok(is_new.then_some(EventKind::Read));
        }
        let marked = match judge(who.kind, whole) {
            Verdict::Collected => {
                let won = tx.mark_collected(who.firm, id, now).await?;
                won.then_some(EventKind::Collected)
            }
            Verdict::Read => {
                tx.mark_progress(id, &mark.progress).await?;
                tx.mark_read(id, now).await?.then_some(EventKind::Read)
            }
            Verdict::Incomplete => {
                tx.mark_progress(id, &mark.progress).await?;
                None
            }
        };
        if let Some(kind) = marked {
            tx.tell(who.firm, now, [event(who, file, kind, detail)]);
        }
        tx.commit_unseen().await?;
        Ok(marked)
    }

    /// What this session's open handles were given. Another's may hang on a connection that is dead, and
    /// nobody has noticed yet.
    fn open_reads(&self, id: DeliveryId, session: SessionId) -> Vec<HandleReads> {
        let own = self.readers.of_session(id, session);
        own.iter().map(|reads| lock(reads).clone()).collect()
    }
}

/// Tells that a document was read whole that was taken back under its reader: then somebody should know.
async fn tell_taken_back(
    tx: &mut Tx,
    who: &Who,
    file: &Listed,
    now: Timestamp,
) -> Result<(), Error> {
    let detail = "read whole, but taken back before it was closed";
    let mut told = vec![event(who, file, EventKind::Read, detail.to_owned())];
    // Then what took its place meanwhile is a revision of what its reader has.
    if let Some((delivery, document, device)) = tx.newer(who.firm, file.delivery).await? {
        tx.note_revision(who.firm, delivery, file.document).await?;
        told.push(Event {
            kind: EventKind::Revised,
            document: Some(document),
            delivery: Some(delivery),
            device,
            session: None,
            detail: format!("{REVISION}{}", file.document),
        });
    }
    tx.tell(who.firm, now, told);
    Ok(())
}

/// Locks what a handle was given; whoever died with the lock left it whole.
pub fn lock(reads: &Reads) -> std::sync::MutexGuard<'_, HandleReads> {
    reads.lock().unwrap_or_else(PoisonError::into_inner)
}

fn event(who: &Who, file: &Listed, kind: EventKind, detail: String) -> Event {
    Event {
        kind,
        document: Some(file.document),
        delivery: Some(file.delivery),
        device: Some(who.device),
        session: Some(who.session),
        detail,
    }
}
