//! Which deliveries does somebody hold open at this moment, and what were they given?
//!
//! Of this process alone: another one that takes documents in does not know who reads here. What it takes
//! back under a reader is told when that reader closes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::collect::HandleReads;
use crate::model::{DeliveryId, SessionId};

/// What an open handle has been given so far, shared with whoever judges a removal meanwhile.
pub type Reads = Arc<Mutex<HandleReads>>;

/// A handle that is open, and in whose session. It is none any more where whoever had it is gone: a session that dies
/// of a fault closes nothing.
type OpenHandle = (SessionId, Weak<Mutex<HandleReads>>);

/// The open handles. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Readers {
    open: Arc<Mutex<HashMap<DeliveryId, Vec<OpenHandle>>>>,
}

impl Readers {
    /// Notes that a handle on a delivery is open; in it and in the others, if there are any, that it is not alone.
    pub fn opened(&self, id: DeliveryId, session: SessionId, reads: &Reads) {
        let mut open = self.lock();
        let handles = open.entry(id).or_default();
        handles.retain(is_open);
        handles.push((session, Arc::downgrade(reads)));
        if handles.len() > 1 {
            for reads in handles.iter().filter_map(|(_, reads)| reads.upgrade()) {
                let mut reads = reads.lock().unwrap_or_else(PoisonError::into_inner);
                reads.note_beside();
            }
        }
    }

    /// Notes that it is not any more.
    pub fn closed(&self, id: DeliveryId, reads: &Reads) {
        let mut open = self.lock();
        if let Some(handles) = open.get_mut(&id) {
            let is_it = |other: &Weak<_>| other.as_ptr() == Arc::as_ptr(reads);
            handles.retain(|open| is_open(open) && !is_it(&open.1));
            if handles.is_empty() {
                open.remove(&id);
            }
        }
    }

    /// Returns how many handles on a delivery are open.
    pub fn count(&self, id: DeliveryId) -> usize {
        let open = self.lock();
        let handles = open.get(&id).into_iter().flatten();
        handles.filter(|open| is_open(open)).count()
    }

    /// Returns what a session's open handles on a delivery were given.
    pub fn of_session(&self, id: DeliveryId, session: SessionId) -> Vec<Reads> {
        let open = self.lock();
        let handles = open.get(&id).into_iter().flatten();
        let own = handles.filter(|(opened_by, _)| *opened_by == session);
        own.filter_map(|(_, reads)| reads.upgrade()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeliveryId, Vec<OpenHandle>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_open((_, reads): &OpenHandle) -> bool {
    reads.strong_count() > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    const FILE: DeliveryId = DeliveryId(1);
    const ME: SessionId = SessionId(1);

    fn handle(readers: &Readers) -> Reads {
        let reads = Arc::new(Mutex::new(HandleReads::opened(Timestamp(0))));
        readers.opened(FILE, ME, &reads);
        reads
    }

    #[test]
    fn a_handle_of_a_session_that_died_is_open_no_more() {
        let readers = Readers::default();
        let (dead, closed) = (handle(&readers), handle(&readers));
        assert_eq!(readers.count(FILE), 2);

        drop(dead);

        assert_eq!(readers.count(FILE), 1);
        readers.closed(FILE, &closed);
        assert_eq!(readers.of_session(FILE, ME).len(), 0);
        assert!(readers.lock().is_empty(), "nothing is left of either");
        drop(handle(&readers));
        let alone = handle(&readers);
        assert_eq!(readers.lock()[&FILE].len(), 1);
        let beside_nobody = HandleReads::opened(Timestamp(0));
        assert_eq!(*alone.lock().unwrap(), beside_nobody);
    }
}
