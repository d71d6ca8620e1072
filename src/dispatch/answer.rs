//! What does a receiver's answer mean?

use super::backoff::retry_after_ms;
use crate::model::Timestamp;

/// What an answer comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has the event.
    Told,
    /// It wants no event any more.
    Gone,
    /// It is there, and does not take this event.
    Refused,
    /// It can take nothing now, and perhaps says for how many milliseconds.
    Away(Option<i64>),
}

/// Judges an answer by its status, and by what it says about coming back.
pub(super) fn judge(status: u16, retry_after: Option<&str>, now: Timestamp) -> Verdict {
    match status {
        200..=299 => Verdict::Told,
        410 => Verdict::Gone,
        429 | 503 => Verdict::Away(retry_after.and_then(|field| retry_after_ms(field, now))),
        408 | 500..=599 => Verdict::Away(None),
        _ => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_means_what_its_status_says() {
        let now = Timestamp(0);
        let table = [
            (200, None, Verdict::Told),
            (202, None, Verdict::Told),
            (204, None, Verdict::Told),
            (299, None, Verdict::Told),
            (301, None, Verdict::Refused),
            (307, None, Verdict::Refused),
            (400, None, Verdict::Refused),
            (401, Some("60"), Verdict::Refused),
            (404, None, Verdict::Refused),
            (408, None, Verdict::Away(None)),
            (410, None, Verdict::Gone),
            (429, Some("60"), Verdict::Away(Some(60_000))),
            (429, None, Verdict::Away(None)),
            (500, Some("60"), Verdict::Away(None)),
            (502, None, Verdict::Away(None)),
            (503, Some("soon"), Verdict::Away(None)),
            (503, Some("1"), Verdict::Away(Some(1000))),
            (600, None, Verdict::Refused),
            (100, None, Verdict::Refused),
        ];
        for (status, field, expected) in table {
            assert_eq!(judge(status, field, now), expected, "{status} {field:?}");
        }
    }
}
