//! Can the server do its work?

use std::io::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::catalog::{self, Catalog, Durability};
use crate::model::with_causes;

/// What is written to see whether there is room: a block of most file systems.
const PROBE_BYTES: usize = 4096;

/// Something that keeps the server from its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unready {
    /// Which part.
    pub part: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl Unready {
    /// Says that a part did not say in time how it is.
    pub(super) fn silent() -> Self {
        Self {
            part: "catalog",
            why: "it does not answer in time".to_owned(),
        }
    }
}

/// What is looked at.
#[derive(Clone)]
pub struct Readiness {
    /// What must be writable.
    pub catalog: Catalog,
    /// Where uploads wait, on the disk of the documents.
    pub spool: PathBuf,
    /// Cancelled when the server ends.
    pub draining: CancellationToken,
}

impl Readiness {
    /// Says whether devices can log in and all can be written down, or what is wrong.
    ///
    /// # Errors
    ///
    /// What is wrong, one for each part.
    pub async fn ready(&self) -> Result<(), Vec<Unready>> {
        let mut unready = Vec::new();
        if self.draining.is_cancelled() {
            unready.push(Unready {
                part: "server",
                why: "it is ending".to_owned(),
            });
        }
        if let Err(error) = self.can_write_down().await {
            unready.push(Unready {
                part: "catalog",
                why: with_causes(&error),
            });
        }
        if let Err(why) = self.can_store().await {
            unready.push(Unready {
                part: "disk",
                why: format!("no file can be made where uploads wait: {why}"),
            });
        }
        if unready.is_empty() {
            Ok(())
        } else {
            Err(unready)
        }
    }

    /// A change of nothing: it costs a mark less time than another mark does, and no session looks anew.
    async fn can_write_down(&self) -> Result<(), catalog::Error> {
        let change = self.catalog.begin(Durability::Kill).await?;
        change.commit_unseen().await
    }

    async fn can_store(&self) -> std::io::Result<()> {
        let spool = self.spool.clone();
        let made = tokio::task::spawn_blocking(move || {
            // A full disk has room for a name, and not for what it names.
            tempfile::tempfile_in(spool)?.write_all(&[0; PROBE_BYTES])
        });
        made.await.map_err(std::io::Error::other)?
    }
}
