//! What is a peer told when it is refused?
//!
//! Each error is mapped once, here. Missing is not forbidden: some clients give up on the one and go
//! on after the other.

use std::io;

use russh_sftp::protocol::{Packet, StatusCode};

use super::arriving::Unfinished;
use super::handles::TooMany;
use crate::model::{InvalidPath, with_causes};
use crate::wellness::{Cause, Part, Unready, Wellness};
use crate::{ingest, mark, sending, tree, upload};

/// A refusal: its code (filexfer-02 §7), and a text that a person can act on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    /// The code.
    pub(super) code: StatusCode,
    /// The text.
    pub(super) text: String,
    /// What the operator should know, where it is a fault of ours: the chain of causes.
    pub(super) fault: Option<String>,
}

impl Refusal {
    fn new(code: StatusCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            fault: None,
        }
    }

    /// Nothing of that name is there.
    pub(super) fn missing() -> Self {
        Self::new(StatusCode::NoSuchFile, "no such file or folder")
    }

    /// The tree does not allow it.
    pub(super) fn denied(text: &str) -> Self {
        Self::new(StatusCode::PermissionDenied, text)
    }

    /// It cannot be done now.
    pub(super) fn failed(text: &str) -> Self {
        Self::new(StatusCode::Failure, text)
    }

    /// The request does not exist here.
    pub(super) fn unsupported() -> Self {
        Self::new(StatusCode::OpUnsupported, "this server does not do that")
    }

    /// The request does not decode, or names no open handle.
    pub(super) fn bad(text: &str) -> Self {
        Self::new(StatusCode::BadMessage, text)
    }

    /// Returns the answer to request `id`.
    pub(super) fn answer(&self, id: u32) -> Packet {
        Packet::status(id, self.code, &self.text, "en")
    }

    /// Returns it once the operator knows of it.
    pub(super) fn told(self) -> Self {
        Self {
            fault: None,
            ..self
        }
    }

    /// Says more of a fault of ours that the stores have reported.
    pub(super) fn explained(mut self, wellness: &Wellness) -> Self {
        if self.fault.is_some()
            && self.text == Cause::Other.told()
            && let Err(unready) = wellness.ready()
            && let Some(first) = unready.iter().find(|one| one.part != Part::Space)
        {
            first.cause.told().clone_into(&mut self.text);
        }
        self
    }

    fn ours(error: &dyn std::error::Error) -> Self {
        let mut cause = error.source();
        let mut why = Cause::Other;
        while let Some(source) = cause {
            if let Some(of_system) = source.downcast_ref::<io::Error>() {
                why = Cause::of_system(of_system.kind());
            }
            cause = source.source();
        }
        Self {
            code: StatusCode::Failure,
            text: why.told().to_owned(),
            fault: Some(with_causes(error)),
        }
    }
}

impl From<tree::Error> for Refusal {
    fn from(error: tree::Error) -> Self {
        match error {
            tree::Error::Missing => Self::missing(),
            // As OpenSSH answers for ENOTDIR.
            tree::Error::NotAFolder => Self::new(StatusCode::NoSuchFile, error.to_string()),
            tree::Error::IsAFolder => Self::failed("is a folder"),
            tree::Error::DeviceGone => Self::denied("this device is no longer in use"),
            tree::Error::Catalog(_) | tree::Error::Blobs(_) | tree::Error::Place(_) => {
                Self::ours(&error)
            }
        }
    }
}

impl From<Unfinished> for Refusal {
    fn from(error: Unfinished) -> Self {
        match error {
            Unfinished::Failed(error) => error.into(),
            // What failed was told once, and what died by its panic: a peer may ask without end.
            Unfinished::Torn => Self::ours(&error).told(),
        }
    }
}

impl From<mark::Error> for Refusal {
    fn from(error: mark::Error) -> Self {
        match error {
            mark::Error::Missing => Self::missing(),
            mark::Error::NotFetched | mark::Error::NoCopy => {
                Self::new(StatusCode::PermissionDenied, error.to_string())
            }
            mark::Error::NameInUse => Self::new(StatusCode::Failure, error.to_string()),
            mark::Error::Catalog(_) => Self::ours(&error),
        }
    }
}

impl From<upload::Error> for Refusal {
    fn from(error: upload::Error) -> Self {
        match error {
            upload::Error::TooLarge { .. }
            | upload::Error::DayBytes { .. }
            | upload::Error::DayFiles { .. }
            | upload::Error::TooMuch
            | upload::Error::TooMuchTogether
            | upload::Error::Empty
            | upload::Error::Gap { .. }
            | upload::Error::Unfinished => Self::new(StatusCode::Failure, error.to_string()),
            upload::Error::Disk { .. } | upload::Error::Task(_) | upload::Error::Catalog(_) => {
                Self::ours(&error)
            }
        }
    }
}

impl From<sending::Error> for Refusal {
    fn from(error: sending::Error) -> Self {
        Self::ours(&error)
    }
}

impl From<ingest::Error> for Refusal {
    fn from(error: ingest::Error) -> Self {
        match &error {
            ingest::Error::NoRoom(unready) => Self::failed(unready.cause.told()),
            _ => Self::ours(&error),
        }
    }
}

impl From<Unready> for Refusal {
    fn from(unready: Unready) -> Self {
        Self::failed(unready.cause.told())
    }
}

impl From<InvalidPath> for Refusal {
    fn from(error: InvalidPath) -> Self {
        Self::new(StatusCode::BadMessage, error.to_string())
    }
}

impl From<TooMany> for Refusal {
    fn from(error: TooMany) -> Self {
        Self::new(StatusCode::Failure, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_is_not_forbidden() {
        let code = |refusal: Refusal| refusal.code;

        assert_eq!(code(tree::Error::Missing.into()), StatusCode::NoSuchFile);
        assert_eq!(code(tree::Error::NotAFolder.into()), StatusCode::NoSuchFile);
        assert_eq!(code(tree::Error::IsAFolder.into()), StatusCode::Failure);
        assert_eq!(
            code(tree::Error::DeviceGone.into()),
            StatusCode::PermissionDenied
        );
        assert_eq!(
            code(mark::Error::NotFetched.into()),
            StatusCode::PermissionDenied
        );
        assert_eq!(code(mark::Error::Missing.into()), StatusCode::NoSuchFile);
        assert_eq!(
            code(upload::Error::TooLarge { bytes_max: 1 }.into()),
            StatusCode::Failure
        );
        assert_eq!(code(InvalidPath::Control.into()), StatusCode::BadMessage);
    }
}
