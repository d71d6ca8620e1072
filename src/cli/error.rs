//! Why did a command not do what it was asked?

use std::path::PathBuf;

use crate::{app, backup, blobs, catalog, config, hostkeys, ingest, sending};

/// A command that ended early. What it printed before that stands.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The house cannot be opened or run.
    #[error(transparent)]
    House(Box<app::Error>),
    /// Nothing was backed up or restored.
    #[error(transparent)]
    Backup(Box<backup::Error>),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(Box<config::Error>),
    /// The host keys cannot be used.
    #[error(transparent)]
    HostKeys(Box<hostkeys::Error>),
    /// The catalog did not answer, or refused.
    #[error(transparent)]
    Catalog(Box<catalog::Error>),
    /// The blobs cannot be read.
    #[error(transparent)]
    Blobs(Box<blobs::Error>),
    /// Arrivals were not taken.
    #[error(transparent)]
    Ingest(Box<ingest::Error>),
    /// A delivery was not sent, taken back or sent again.
    #[error(transparent)]
    Sending(Box<sending::Error>),
    /// What was asked cannot be done; the text says why, and what to do instead.
    #[error("{0}")]
    Refused(String),
    /// Something else failed.
    #[error("{what}")]
    Failed {
        /// What was attempted, on what.
        what: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file or folder cannot be used.
    #[error("could not {attempt} `{}`", path.display())]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// On which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody takes what is printed, for another reason than having seen enough.
    #[error("could not write the results")]
    Output(#[source] std::io::Error),
    /// The program cannot begin.
    #[error("could not start")]
    Runtime(#[source] std::io::Error),
}

/// A result is as large as its error, so the larger ones stand behind a pointer.
macro_rules! boxed {
    ($($variant:ident($source:ty);)*) => {$(
        impl From<$source> for Error {
            fn from(source: $source) -> Self {
                Self::$variant(Box::new(source))
            }
        }
    )*};
}

boxed! {
    House(app::Error);
    Backup(backup::Error);
    Config(config::Error);
    HostKeys(hostkeys::Error);
    Catalog(catalog::Error);
    Blobs(blobs::Error);
    Ingest(ingest::Error);
    Sending(sending::Error);
}

impl Error {
    /// Says that `what` failed, and why.
    pub(super) fn failed(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let (what, source) = (what.into(), source.into());
        Self::Failed { what, source }
    }

    /// Makes an error of what could not be done with the file at `path`.
    pub(super) fn file(
        attempt: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            attempt,
            path,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::with_causes;

    #[test]
    fn the_chain_tells_each_cause_once() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = Error::file("read", "/etc/shadow")(denied);

        assert_eq!(
            with_causes(&error),
            "could not read `/etc/shadow`: permission denied"
        );
    }
}
