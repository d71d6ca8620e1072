//! What does it mean when the store does not do something?

use std::io;

use tracing::error;

use super::{Blobs, Error};
use crate::model::{Digest, with_causes};
use crate::wellness::{Cause, Part, Wellness};

impl Error {
    /// Returns what it means for the store.
    pub fn cause(&self) -> Cause {
        if let Self::Moved { .. } = self {
            return Cause::Gone;
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(of_system) = error.downcast_ref::<io::Error>() {
                return Cause::of_system(of_system.kind());
            }
            if let Some(object_store::Error::NotFound { .. }) = error.downcast_ref() {
                return Cause::Gone;
            }
            cause = error.source();
        }
        Cause::Other
    }

    /// Returns which content could not be read, if that is what happened.
    fn unread(&self) -> Option<Digest> {
        match self {
            Self::Get { digest, .. } | Self::Read { digest, .. } => Some(*digest),
            _ => None,
        }
    }
}

/// Reports that contents cannot be stored: told once.
pub fn cannot_store(wellness: &Wellness, cause: Cause, why: &str) {
    if wellness.failed(Part::BlobWrites, cause, why) {
        let advice = cause.advice();
        error!(
            part = Part::BlobWrites.as_str(),
            "Cannot store documents: {why}; nothing is acknowledged meanwhile, and it goes on by itself when this is mended: {advice}"
        );
    }
}

/// Passes on what became of a content that was to be read, and reports a failure: told once for each content.
pub(super) fn read<T>(wellness: &Wellness, done: Result<T, Error>) -> Result<T, Error> {
    if let Err(failed) = &done
        && let Some(digest) = failed.unread()
        && !is_for_want_of_descriptors(failed)
    {
        let (cause, why) = (failed.cause(), with_causes(failed));
        if wellness.lost(digest, cause, why.as_str()) {
            let advice = cause.advice();
            error!(
                part = Part::BlobReads.as_str(),
                blob.digest = %digest,
                "Cannot read a document's bytes: {why}; its marks stay as they are, and it is looked for again by itself: {advice}"
            );
        }
    }
    done
}

/// That is over when some other file is closed; no content is lost by it.
fn is_for_want_of_descriptors(failed: &Error) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    match failed {
        Error::Read { source, .. } => matches!(source.raw_os_error(), Some(EMFILE | ENFILE)),
        _ => false,
    }
}

impl Blobs {
    /// Reports to this from now on.
    #[must_use]
    pub fn reporting_to(self, wellness: Wellness) -> Self {
        Self { wellness, ..self }
    }

    /// Says whether its folder is still the one that was opened.
    ///
    /// # Errors
    ///
    /// When it is not; then it has reported so.
    pub fn stands(&self) -> Result<(), Error> {
        self.told(self.held.stands())
    }

    /// Passes on what became of a content that was to be stored, and reports a failure: told once. What went well
    /// in another folder than ours is one: whoever waits for it must keep what it has.
    pub(super) fn noted<T>(&self, done: Result<T, Error>) -> Result<T, Error> {
        let done = done.and_then(|done| self.held.stands().map(|()| done));
        self.told(done)
    }

    fn told<T>(&self, done: Result<T, Error>) -> Result<T, Error> {
        if let Err(failed) = &done {
            cannot_store(&self.wellness, failed.cause(), &with_causes(failed));
        }
        done
    }

    /// Writes something into the store and syncs it, to see whether that can be done. Nothing of it stays.
    ///
    /// # Errors
    ///
    /// When it cannot; then it has reported so.
    pub async fn try_write(&self) -> Result<(), Error> {
        const BYTES: [u8; 4096] = [0x5a; 4096];
        let folder = std::sync::Arc::clone(&self.through);
        let writing = tokio::task::spawn_blocking(move || {
            use std::io::Write as _;
            let mut file = tempfile::tempfile_in(&*folder)?;
            file.write_all(&BYTES)?;
            file.sync_all()
        });
        let written = writing
            .await
            .map_err(io::Error::other)
            .and_then(|done| done);
        let written = written.map_err(|source| Error::Keep {
            what: format!("anything in `{}`", self.folder.display()),
            source,
        });
        self.noted(written)
    }

    /// Says whether a content of this size is there, and is what its name says.
    pub async fn is_whole(&self, digest: Digest, bytes: u64) -> bool {
        // The size first: what is torn is mostly shorter, and not read again and again.
        match self.stored(digest, bytes).await {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return false,
        }
        match self.get(digest).await {
            Ok(content) => {
                let hashing = tokio::task::spawn_blocking(move || Digest::of(&content) == digest);
                hashing.await.unwrap_or(false)
            }
            Err(_) => false,
        }
    }
}
