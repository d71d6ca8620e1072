//! Are the blobs of an arrival there still, now that rows shall name them?
//!
//! Between the storing of a blob and its row nothing names it, and a document with the same bytes may expire
//! just then. `catalog::doomed` says how the two agree.

use super::run::{Error, Ingest, Ready};
use crate::blobs::Stored;
use crate::catalog::Tx;

impl Ingest {
    /// Sees to it, at the turn to write, that every blob that is about to be named is there and stays. Mostly
    /// nothing was removed meanwhile, and there is nothing to look for.
    pub(super) async fn see_that_all_stand(
        &self,
        tx: &mut Tx,
        ready: &[Ready],
    ) -> Result<(), Error> {
        let before: Vec<_> = ready.iter().map(|arrival| arrival.sweeps).collect();
        if tx.nothing_went_since(&before) {
            return Ok(());
        }
        for arrival in ready {
            for stored in [arrival.original, arrival.content] {
                self.see_that_it_stands(tx, arrival, stored).await?;
            }
        }
        Ok(())
    }

    async fn see_that_it_stands(
        &self,
        tx: &mut Tx,
        arrival: &Ready,
        stored: Stored,
    ) -> Result<(), Error> {
        tx.spare(stored.digest()).await?;
        let failed = |source| Error::Blobs {
            arrival: arrival.source.clone(),
            source,
        };
        // Whoever is here alone can remove blobs, so what is there now stays there until it is named.
        match self.blobs.sure(stored).await.map_err(failed)? {
            Some(_) => Ok(()),
            None => Err(Error::Swept {
                arrival: arrival.source.clone(),
            }),
        }
    }
}
