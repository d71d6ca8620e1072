//! What has a device read of a document, over all its handles and sessions?

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Coverage, SPANS_MAX};
use crate::model::Timestamp;

/// The most broken handles that are remembered for a resumption; older ones are forgotten, which
/// errs towards a second fetch.
pub const BROKEN_MAX: usize = 16;

/// The most separate spans that they have together, which is what one may have alone: with each of them a
/// delivery's row would come to megabytes.
pub const BROKEN_SPANS_MAX: usize = SPANS_MAX;

/// What one open handle was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandleReads {
    opened: Timestamp,
    /// Where its first READ began.
    starts_at: Option<u64>,
    accepted: Coverage,
    /// When the first byte was accepted, and when the last.
    times: Option<(Timestamp, Timestamp)>,
    /// Whether another was ever open on the document while it was.
    beside: bool,
}

impl HandleReads {
    /// Begins with a handle that is opened now.
    pub fn opened(now: Timestamp) -> Self {
        Self {
            opened: now,
            starts_at: None,
            accepted: Coverage::default(),
            times: None,
            beside: false,
        }
    }

    /// Notes that another handle is open on the document. Clients that fetch in pieces begin each where another
    /// will end, so where this one began says nothing of what came before, whoever of them ends last.
    pub fn note_beside(&mut self) {
        self.beside = true;
    }

    /// Notes where a READ asks to begin; the first tells whether the reader resumes.
    pub fn asked(&mut self, offset: u64) {
        self.starts_at.get_or_insert(offset);
    }

    /// Counts bytes that the channel *accepted* now, not those that were merely asked for.
    pub fn accepted(&mut self, span: Range<u64>, now: Timestamp) {
        self.accepted.add(span);
        let first = self.times.map_or(now, |(first, _)| first);
        self.times = Some((first, now));
    }

    /// Returns when it was opened.
    pub fn opened_at(&self) -> Timestamp {
        self.opened
    }

    /// Returns when the channel accepted the first byte, and when the last; none before the first.
    pub fn first_and_last(&self) -> Option<(Timestamp, Timestamp)> {
        self.times
    }

    /// Returns the bytes that were accepted.
    pub fn coverage(&self) -> &Coverage {
        &self.accepted
    }
}

/// How a handle ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By a CLOSE, or because the channel ended in order.
    Closed,
    /// The connection died under it.
    Broken,
}

/// What a device has read of one content, as far as its reads can be believed.
///
/// A handle that was closed is believed. One that broke is believed only as far as a later one, opened
/// after that and alone, goes on where it stopped: whoever resumes at byte X has the bytes before X.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    believed: Coverage,
    /// Oldest first.
    broken: Vec<Broken>,
}

/// What a handle was given whose connection died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Broken {
    opened: Timestamp,
    ended: Timestamp,
    starts_at: Option<u64>,
    accepted: Coverage,
    #[serde(default)]
    beside: bool,
}

/// Where a handle that is believed began, and when it was opened.
struct Resumed {
    at: u64,
    opened: Timestamp,
}

impl Resumed {
    /// A piece of a document, which was read beside others, resumes nothing.
    fn by(starts_at: Option<u64>, opened: Timestamp, beside: bool) -> Option<Self> {
        let at = starts_at.filter(|_| !beside)?;
        Some(Self { at, opened })
    }
}

impl Broken {
    /// Where somebody went on after this one had ended, who so had what came before. The clock tells only what
    /// another process saw: what was open at the same time in this one is known without it.
    fn vouched_until(&self, resumed: &[Resumed]) -> Option<u64> {
        let later = resumed.iter().filter(|one| one.opened > self.ended);
        later
            .map(|one| one.at)
            .filter(|&at| self.accepted.is_resumed_at(at))
            .max()
    }
}

impl Progress {
    /// Counts a handle that ends now.
    pub fn end(&mut self, handle: HandleReads, how: End, now: Timestamp) {
        match how {
            End::Closed => self.believe(handle),
            End::Broken if handle.accepted.is_empty() => {}
            End::Broken => {
                self.broken.push(Broken {
                    opened: handle.opened,
                    ended: now,
                    starts_at: handle.starts_at,
                    accepted: handle.accepted,
                    beside: handle.beside,
                });
                self.forget_oldest();
            }
        }
    }

    /// Says whether all of the first `length` bytes are believed to be there.
    pub fn is_whole(&self, length: u64) -> bool {
        self.believed.is_whole(length)
    }

    /// Says whether they are there, counting also handles that are still `open`.
    pub fn is_whole_with<'a>(&self, open: impl Iterator<Item = &'a Coverage>, length: u64) -> bool {
        let mut all = self.believed.clone();
        open.for_each(|coverage| all.add_all(coverage));
        all.is_whole(length)
    }

    /// Returns the bytes that are believed to be there.
    pub fn believed(&self) -> &Coverage {
        &self.believed
    }

    fn forget_oldest(&mut self) {
        let spans = |broken: &[Broken]| -> usize {
            let each = broken.iter().map(|one| one.accepted.spans().len());
            each.sum()
        };
        while self.broken.len() > BROKEN_MAX || spans(&self.broken) > BROKEN_SPANS_MAX {
            self.broken.remove(0);
        }
    }

    fn believe(&mut self, handle: HandleReads) {
        self.believed.add_all(&handle.accepted);
        let mut resumed: Vec<_> = Resumed::by(handle.starts_at, handle.opened, handle.beside)
            .into_iter()
            .collect();
        // Latest first: a broken handle that is vouched for vouches for the one it resumed.
        for at in (0..self.broken.len()).rev() {
            if let Some(until) = self.broken[at].vouched_until(&resumed) {
                let broken = self.broken.remove(at);
                self.believed.add_all(&broken.accepted.before(until));
                resumed.extend(Resumed::by(broken.starts_at, broken.opened, broken.beside));
            }
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::single_range_in_vec_init,
    reason = "a handle may be given one span"
)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn reads(spans: &[Range<u64>], opened: i64) -> HandleReads {
        let mut handle = HandleReads::opened(Timestamp(opened));
        for span in spans {
            handle.asked(span.start);
            handle.accepted(span.clone(), Timestamp(opened));
        }
        handle
    }

    /// A handle beside which another was open.
    fn piece(spans: &[Range<u64>], opened: i64) -> HandleReads {
        let mut handle = reads(spans, opened);
        handle.note_beside();
        handle
    }

    #[expect(
        clippy::type_complexity,
        reason = "a table of cases reads best as a table"
    )]
    #[test]
    fn the_table_of_the_collect_rule() {
        use End::{Broken, Closed};
        #[rustfmt::skip]
        let table: &[(&str, &[(&[Range<u64>], End)], bool)] = &[
            ("read in order",                    &[(&[0..50, 50..100], Closed)], true),
            ("read backwards",                   &[(&[50..100, 0..50], Closed)], true),
            ("read twice",                       &[(&[0..100, 0..100], Closed)], true),
            ("overlapping",                      &[(&[0..60, 40..100], Closed)], true),
            ("a gap of one byte",                &[(&[0..49, 50..100], Closed)], false),
            ("twice the first half",             &[(&[0..50], Closed), (&[0..50], Closed)], false),
            ("two handles, a half each",         &[(&[0..50], Closed), (&[50..100], Closed)], true),
            ("whole, but the connection died",   &[(&[0..100], Broken)], false),
            ("died, then fetched again",         &[(&[0..100], Broken), (&[0..100], Closed)], true),
            ("died, resumed where it stopped",   &[(&[0..60], Broken), (&[60..100], Closed)], true),
            ("died, resumed a little before",    &[(&[0..60], Broken), (&[48..100], Closed)], true),
            ("died, resumed past what was sent", &[(&[0..60], Broken), (&[61..100], Closed)], false),
            ("died, then began anew, half",      &[(&[0..60], Broken), (&[0..40], Closed)], false),
            ("died twice, resumed twice",        &[(&[0..30], Broken), (&[30..60], Broken), (&[60..100], Closed)], true),
            ("resumed, but the resumer died",    &[(&[0..60], Broken), (&[60..100], Broken)], false),
            ("a tail read first, then it died",  &[(&[50..100], Closed), (&[0..50], Broken)], false),
            ("nothing read",                     &[(&[], Closed)], false),
        ];
        for (case, handles, expected) in table {
            let mut progress = Progress::default();
            for (at, (spans, how)) in (0..).zip(*handles) {
                progress.end(reads(spans, 10 * at), *how, Timestamp(10 * at + 5));
            }

            assert_eq!(progress.is_whole(100), *expected, "{case}");
        }
    }

    #[test]
    fn bytes_past_the_point_of_resumption_are_not_vouched_for() {
        let mut progress = Progress::default();
        progress.end(reads(&[0..40, 60..100], 1), End::Broken, Timestamp(2)); // read ahead, out of order
        progress.end(reads(&[40..60], 3), End::Closed, Timestamp(4));

        assert!(!progress.is_whole(100));
        assert_eq!(progress.believed().bytes(), 60);
    }

    #[test]
    fn a_handle_that_was_open_beside_a_broken_one_does_not_vouch_for_it() {
        let mut progress = Progress::default();
        progress.end(reads(&[0..60], 1), End::Broken, Timestamp(9)); // one piece died, read ahead
        progress.end(reads(&[50..100], 2), End::Closed, Timestamp(10)); // the other had begun before

        assert!(!progress.is_whole(100));
        progress.end(reads(&[45..50], 10), End::Closed, Timestamp(11)); // and now somebody resumes
        assert!(progress.is_whole(100));
    }

    #[test]
    fn a_piece_does_not_vouch_for_what_broke_before_all_pieces_were_begun() {
        let mut progress = Progress::default();
        progress.end(reads(&[0..60], 1), End::Broken, Timestamp(2));
        progress.end(piece(&[30..100], 3), End::Closed, Timestamp(4));

        assert!(!progress.is_whole(100));
        assert_eq!(progress.believed().bytes(), 70, "it has its own bytes");
    }

    #[test]
    fn a_piece_that_is_resumed_does_not_vouch_for_what_broke_before() {
        let mut progress = Progress::default();
        progress.end(reads(&[0..60], 1), End::Broken, Timestamp(2));
        progress.end(piece(&[50..80], 3), End::Broken, Timestamp(4));
        let kept = serde_json::to_string(&progress).unwrap();
        let mut progress: Progress = serde_json::from_str(&kept).unwrap();
        progress.end(reads(&[80..100], 5), End::Closed, Timestamp(6));

        assert!(!progress.is_whole(100));
        assert_eq!(progress.believed().bytes(), 50, "its own bytes are there");
    }

    #[test]
    fn a_clock_that_was_put_back_lets_no_piece_vouch() {
        let mut progress = Progress::default();
        progress.end(piece(&[0..60], 90), End::Broken, Timestamp(45));
        progress.end(piece(&[50..100], 100), End::Closed, Timestamp(50));

        assert!(!progress.is_whole(100));
    }

    #[test]
    fn the_oldest_broken_handle_past_the_limit_is_forgotten() {
        let mut progress = Progress::default();
        for _ in 0..=BROKEN_MAX {
            progress.end(reads(&[0..10], 1), End::Broken, Timestamp(2));
        }

        assert_eq!(progress.broken.len(), BROKEN_MAX);
    }

    #[test]
    fn the_oldest_broken_handle_is_forgotten_one_span_past_those_of_all() {
        let mut progress = Progress::default();
        let spans = |count: usize| -> Vec<_> {
            let starts = (0..count as u64).map(|at| 2 * at);
            starts.map(|at| at..at + 1).collect()
        };
        progress.end(reads(&[0..10], 1), End::Broken, Timestamp(2));
        progress.end(
            reads(&spans(BROKEN_SPANS_MAX - 1), 1),
            End::Broken,
            Timestamp(3),
        );
        assert_eq!(progress.broken.len(), 2);

        progress.end(reads(&[0..10], 1), End::Broken, Timestamp(4));

        let ended: Vec<_> = progress.broken.iter().map(|one| one.ended.0).collect();
        assert_eq!(ended, [3, 4]);
    }

    proptest! {
        /// Whatever is concluded, every byte was accepted by some handle, and one handle was closed.
        #[test]
        fn nothing_is_collected_that_was_not_accepted_and_closed(
            handles in vec((vec((0u64..40, 0u64..20), 0..6), any::<bool>()), 0..8),
        ) {
            let mut progress = Progress::default();
            let mut accepted = Coverage::default();
            let mut closed = false;
            let mut time = 0;
            for (spans, close) in handles {
                let spans: Vec<_> = spans.into_iter().map(|(start, len)| start..start + len).collect();
                spans.iter().for_each(|span| accepted.add(span.clone()));
                closed |= close;
                let how = if close { End::Closed } else { End::Broken };
                time += 2;
                progress.end(reads(&spans, time), how, Timestamp(time + 1));
            }

            for length in 1..60 {
                prop_assert!(!progress.is_whole(length) || (accepted.is_whole(length) && closed));
            }
        }

        /// With every handle closed, only the set of bytes matters.
        #[test]
        fn order_and_handles_do_not_matter_when_all_are_closed(
            spans in vec((0u64..40, 0u64..20), 0..10), order in any::<u64>(), length in 1u64..60,
        ) {
            let mut progress = Progress::default();
            let mut all = Coverage::default();
            let mut spans: Vec<_> = spans.into_iter().map(|(start, len)| start..start + len).collect();
            spans.iter().for_each(|span| all.add(span.clone()));
            let turn = usize::try_from(order % 11).unwrap() % spans.len().max(1);
            spans.rotate_left(turn);
            for pair in spans.chunks(2) {
                progress.end(reads(pair, 0), End::Closed, Timestamp(1));
            }

            prop_assert_eq!(progress.is_whole(length), all.is_whole(length));
        }
    }
}
