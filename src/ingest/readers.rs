//! Which deliveries does somebody hold open at this moment, and what were they given?
//!
//! Of this process alone: another one that takes documents in does not know who reads here. What it takes
//! back under a reader is told when that reader closes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::collect::HandleReads;
use crate::model::{DeliveryId, SessionId};

/// What an open handle has been given so far, shared with whoever judges a removal meanwhile.
pub type Reads = Arc<Mutex<HandleReads>>;

/// A handle that is open, and in whose session.
type OpenHandle = (SessionId, Reads);

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
        handles.push((session, Arc::clone(reads)));
        if handles.len() > 1 {
            for (_, reads) in handles {
                let mut reads = reads.lock().unwrap_or_else(PoisonError::into_inner);
                reads.note_beside();
            }
        }
    }

    /// Notes that it is not any more.
    pub fn closed(&self, id: DeliveryId, reads: &Reads) {
        let mut open = self.lock();
        if let Some(handles) = open.get_mut(&id) {
            handles.retain(|(_, other)| !Arc::ptr_eq(other, reads));
            if handles.is_empty() {
                open.remove(&id);
            }
        }
    }

    /// Returns how many handles on a delivery are open.
    pub fn count(&self, id: DeliveryId) -> usize {
        self.lock().get(&id).map_or(0, Vec::len)
    }

    /// Returns what a session's open handles on a delivery were given.
    pub fn of_session(&self, id: DeliveryId, session: SessionId) -> Vec<Reads> {
        let open = self.lock();
        let handles = open.get(&id).into_iter().flatten();
        let own = handles.filter(|(opened_by, _)| *opened_by == session);
        own.map(|(_, reads)| Arc::clone(reads)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeliveryId, Vec<OpenHandle>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
