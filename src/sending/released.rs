//! What came of a look at what waits, and what does the log say of it?

use tracing::error;

use super::Error;
use crate::catalog::{Delivery, Tx};
use crate::model::{DeliveryId, with_causes};

/// How many of those that failed the log names: what fails one often fails all.
const NAMED_MAX: usize = 10;

/// What became of deliveries that were looked at again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// How many were sent.
    pub sent: usize,
    /// Those that could not be looked at; the log has one line for all of them.
    pub failed: Vec<Unlooked>,
}

/// A delivery that could not be looked at, and waits on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlooked {
    /// Which.
    pub id: DeliveryId,
    /// Why, with its causes.
    pub why: String,
}

impl Released {
    pub(super) fn note(&mut self, held: &Delivery, error: &Error) {
        let (id, why) = (held.id, with_causes(error));
        self.failed.push(Unlooked { id, why });
    }

    /// Tells those that failed since there were `before`, in one line.
    pub(super) fn tell_failed(&self, before: usize) {
        let failed = self.failed.get(before..).unwrap_or_default();
        let Some((Unlooked { id, why }, more)) = failed.split_first() else {
            return;
        };
        if more.is_empty() {
            error!(delivery.id = %id, "Could not look again at delivery {id}, which waits on: {why}");
        } else {
            let (count, named) = (more.len(), named(more));
            error!(delivery.id = %id, "Could not look again at delivery {id}, which waits on: {why}; nor at {count} more: {named}");
        }
    }
}

/// Lists the numbers of some.
fn named(failed: &[Unlooked]) -> String {
    let ids = failed.iter().take(NAMED_MAX).map(|one| one.id.to_string());
    let mut ids: Vec<_> = ids.collect();
    if failed.len() > NAMED_MAX {
        ids.push("…".to_owned());
    }
    ids.join(", ")
}

/// What was carried out of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// Nothing: it waits as it did.
    Nothing,
    /// It waits otherwise.
    Written,
    /// It was sent.
    Sent,
}

/// What was carried out in one change.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    sent: usize,
    written: usize,
}

impl Tally {
    pub(super) fn count(&mut self, done: Done) {
        self.sent += usize::from(done == Done::Sent);
        self.written += usize::from(done != Done::Nothing);
    }

    /// Ends the change, and returns how many were sent. Where nothing is to be written, no disk is waited for.
    pub(super) async fn end(self, tx: Tx) -> Result<usize, Error> {
        match self.written {
            0 => tx.abandon().await?,
            _ => tx.commit().await?,
        }
        Ok(self.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_the_limit_are_named_and_of_one_more_it_is_said_that_there_are_more() {
        let failed = |count: usize| -> Vec<_> {
            let ids = (1..).map(DeliveryId).take(count);
            let why = || "gone".to_owned();
            ids.map(|id| Unlooked { id, why: why() }).collect()
        };

        assert_eq!(named(&failed(NAMED_MAX)), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10");
        let one_past = named(&failed(NAMED_MAX + 1));
        assert_eq!(one_past, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …");
    }
}
