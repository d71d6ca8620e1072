//! What is written down of a collection, so that a receipt can tell it?
//!
//! It stands in the detail of the events *read* and *collected*, where the hash of the event covers it.

use serde::{Deserialize, Serialize};

use crate::collect::{Coverage, HandleReads};
use crate::model::{DeviceId, Digest, Timestamp};

/// The most intervals that an event tells; of more, it says how many. A file that is read in order is one;
/// and an event is to stay small, for there is one for each mark.
pub const SPANS_TOLD_MAX: usize = 32;

/// How sure it is that a device has a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sure {
    /// Its channel accepted every byte, and it ended properly.
    Read,
    /// The importer acted on it: removed, moved or copied it.
    Acknowledged,
    /// Our agent there compared the hash of what it stored.
    Verified,
}

impl Sure {
    /// Returns the word that events and receipts use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Acknowledged => "acknowledged",
            Self::Verified => "verified",
        }
    }
}

/// What is known of who was connected in a session.
#[derive(Debug, Clone, Copy)]
pub struct Connected<'a> {
    /// Whose device.
    pub device: DeviceId,
    /// From which address.
    pub address: &'a str,
    /// With which program, as it named itself.
    pub software: &'a str,
    /// With which key, by its fingerprint; or `password`.
    pub credential: &'a str,
    /// Since when.
    pub started_at: Timestamp,
}

impl Connected<'_> {
    /// Returns the first 16 bytes, in hex, of a SHA-256 over all of it: short, for there is one in each mark, and
    /// still nobody finds other words that fit.
    pub fn seal(&self) -> String {
        let fields = (
            self.device.0,
            self.address,
            self.software,
            self.credential,
            self.started_at.0,
        );
        // JSON keeps the fields apart, whatever is in them.
        let text = serde_json::to_string(&fields).unwrap_or_default();
        let digest = Digest::of(text.as_bytes()).to_string();
        digest.get(..32).unwrap_or_default().to_owned()
    }
}

/// What an event says of how a document was read or collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collecting {
    /// How sure it is.
    pub sure: Sure,
    /// How the importer acted, if that was it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<String>,
    /// The SHA-256 of what was read.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// What was read of it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<Reads>,
    /// The seal of the session in which it happened ([`Connected::seal`]), so that its row cannot be changed unseen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// What the handles were given that were judged, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reads {
    /// Intervals of bytes: the first, and the one after the last.
    pub spans: Vec<(u64, u64)>,
    /// How many more intervals there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
    /// When the first of the handles was opened.
    pub opened: Timestamp,
    /// When the channel accepted the first byte.
    pub first: Timestamp,
    /// When it accepted the last.
    pub last: Timestamp,
}

/// Says whether there is nothing to tell.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Reads {
    /// Returns what these handles were given; none if that is nothing.
    pub fn of<'a>(handles: impl IntoIterator<Item = &'a HandleReads>) -> Option<Self> {
        let mut all = Coverage::default();
        let mut times: Option<(Timestamp, Timestamp, Timestamp)> = None;
        for handle in handles {
            let Some((first, last)) = handle.first_and_last() else {
                continue;
            };
            all.add_all(handle.coverage());
            let opened = handle.opened_at();
            times = Some(times.map_or((opened, first, last), |known| {
                (known.0.min(opened), known.1.min(first), known.2.max(last))
            }));
        }
        let (opened, first, last) = times?;
        let spans = all.spans();
        let told = spans.iter().take(SPANS_TOLD_MAX);
        Some(Self {
            spans: told.map(|span| (span.start, span.end)).collect(),
            more: spans.len().saturating_sub(SPANS_TOLD_MAX),
            opened,
            first,
            last,
        })
    }
}

impl Collecting {
    /// Says that these handles read a content of this digest and size.
    pub fn by_reading<'a>(
        (digest, bytes): (Digest, u64),
        handles: impl IntoIterator<Item = &'a HandleReads>,
    ) -> Self {
        Self {
            sure: Sure::Read,
            act: None,
            sha256: digest.to_string(),
            bytes,
            reads: Reads::of(handles),
            session: None,
        }
    }

    /// Adds in which session.
    #[must_use]
    pub fn in_session(self, seal: &str) -> Self {
        Self {
            session: Some(seal.to_owned()),
            ..self
        }
    }

    /// Says that the importer acted on a content, of which these handles, still open, had read something.
    pub fn by_act<'a>(
        act: &str,
        content: (Digest, u64),
        handles: impl IntoIterator<Item = &'a HandleReads>,
    ) -> Self {
        Self {
            sure: Sure::Acknowledged,
            act: Some(act.to_owned()),
            ..Self::by_reading(content, handles)
        }
    }

    /// Returns it as the detail of an event.
    pub fn detail(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Understands the detail of an event; none if it is of the time when it said less.
    pub fn parse(detail: &str) -> Option<Self> {
        serde_json::from_str(detail).ok()
    }

    /// Says how sure an event is, in whatever time it was written.
    pub fn sure_of(detail: &str) -> Sure {
        match Self::parse(detail) {
            Some(said) => said.sure,
            None if detail.starts_with("by the importer's act") => Sure::Acknowledged,
            None => Sure::Read,
        }
    }

    /// Returns it in words, for a listing.
    pub fn shown(&self) -> String {
        match (&self.act, &self.reads) {
            (Some(act), _) => format!("by the importer's act: {act}"),
            (None, Some(reads)) => {
                let spans = match reads.spans.len() + reads.more {
                    1 => "one span".to_owned(),
                    spans => format!("{spans} spans"),
                };
                format!("{} bytes, read in {spans}", self.bytes)
            }
            (None, None) => format!("{} bytes", self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(spans: impl IntoIterator<Item = (u64, u64)>, times: [i64; 2]) -> HandleReads {
        let mut handle = HandleReads::opened(Timestamp(times[0] - 1));
        for (start, end) in spans {
            handle.accepted(start..end, Timestamp(times[0]));
        }
        handle.accepted(0..0, Timestamp(times[1]));
        handle
    }

    #[test]
    fn what_is_told_is_understood_again() {
        let (one, other) = (handle([(0, 60)], [2, 5]), handle([(60, 100)], [4, 9]));
        let content = (Digest::of(b"x"), 100);

        let told = Collecting::by_reading(content, [&one, &other]);

        let reads = told.reads.clone().unwrap();
        assert_eq!(reads.spans, [(0, 100)]);
        assert_eq!((reads.opened.0, reads.first.0, reads.last.0), (1, 2, 9));
        assert_eq!(Collecting::parse(&told.detail()), Some(told.clone()));
        assert_eq!(told.shown(), "100 bytes, read in one span");
        let act = Collecting::by_act("moved", content, []);
        assert_eq!(Collecting::sure_of(&act.detail()), Sure::Acknowledged);
        assert_eq!(Collecting::parse(&act.detail()), Some(act));
    }

    #[test]
    fn a_span_past_the_limit_is_counted_and_not_told() {
        let spans = |count: u64| (0..count).map(|at| (2 * at, 2 * at + 1));
        let (limit, content) = (SPANS_TOLD_MAX as u64, (Digest::of(b"x"), 9999));
        let told = |count| {
            let reads = Collecting::by_reading(content, [&handle(spans(count), [1, 1])]).reads;
            reads.map(|reads| (reads.spans.len(), reads.more))
        };

        assert_eq!(told(limit), Some((SPANS_TOLD_MAX, 0)));
        assert_eq!(told(limit + 1), Some((SPANS_TOLD_MAX, 1)));
    }

    #[test]
    fn a_seal_fits_one_session_alone() {
        let known = Connected {
            device: DeviceId(1),
            address: "192.0.2.1:22",
            software: "SSH-2.0-OpenSSH_9.2",
            credential: "SHA256:abc",
            started_at: Timestamp(5),
        };
        let others = [
            Connected {
                device: DeviceId(2),
                ..known
            },
            Connected {
                address: "192.0.2.1:23",
                ..known
            },
            Connected {
                address: "",
                software: "192.0.2.1:22SSH-2.0-OpenSSH_9.2",
                ..known
            },
            Connected {
                credential: "password",
                ..known
            },
            Connected {
                started_at: Timestamp(6),
                ..known
            },
        ];

        assert_eq!(known.seal().len(), 32);
        for other in others {
            assert_ne!(other.seal(), known.seal(), "{other:?}");
        }
        let told = Collecting::by_reading((Digest::of(b"x"), 1), []).in_session(&known.seal());
        assert_eq!(
            Collecting::parse(&told.detail()).unwrap().session,
            Some(known.seal())
        );
    }

    #[test]
    fn an_event_of_before_says_how_sure_it_is() {
        assert_eq!(Collecting::sure_of("900 bytes read in 1 spans"), Sure::Read);
        let act = "by the importer's act: removed";
        assert_eq!(Collecting::sure_of(act), Sure::Acknowledged);
        assert_eq!(Collecting::parse(act), None);
    }
}
