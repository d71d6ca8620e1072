//! Which bytes of a content are meant?

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The most separate spans of one coverage; further ones are not counted, which errs towards a
/// second fetch. 100 MB read in blocks of 32 KiB in random order has some 1 600 at the worst.
pub const SPANS_MAX: usize = 4096;

/// So many times as much room as its spans need a coverage may keep, and for so many spans in any case.
const SPARE: usize = 4;

/// A set of bytes, as spans in order that neither touch nor overlap.
///
/// ```
/// # use sluis::collect::Coverage;
/// let mut read = Coverage::default();
/// read.add(10..20);
/// read.add(0..5);
/// assert!(!read.is_whole(20));
/// read.add(3..12);
/// assert!(read.is_whole(20));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Coverage {
    spans: Vec<Range<u64>>,
}

impl Coverage {
    /// Counts the bytes of `span`.
    pub fn add(&mut self, span: Range<u64>) {
        if span.is_empty() {
            return;
        }
        let joined = self.joined(&span);
        if joined.is_empty() && self.spans.len() >= SPANS_MAX {
            return;
        }
        let merged = self.spans[joined.clone()].iter().fold(span, |sum, known| {
            sum.start.min(known.start)..sum.end.max(known.end)
        });
        self.spans.splice(joined, [merged]);
        // What thousands have joined to keeps none of their room.
        if self.spans.capacity() / SPARE > self.spans.len().max(SPARE) {
            self.spans.shrink_to(2 * self.spans.len());
        }
    }

    /// Says whether `span` touches or overlaps what is here, so that it is no further span.
    pub fn joins(&self, span: &Range<u64>) -> bool {
        !self.joined(span).is_empty()
    }

    /// Which spans touch or overlap `span`.
    fn joined(&self, span: &Range<u64>) -> Range<usize> {
        let from = self.spans.partition_point(|known| known.end < span.start);
        let to = self.spans.partition_point(|known| known.start <= span.end);
        from..to.max(from)
    }

    /// Counts every byte of `other`.
    pub fn add_all(&mut self, other: &Self) {
        for span in &other.spans {
            self.add(span.clone());
        }
    }

    /// Returns the bytes before `end`.
    #[must_use]
    pub fn before(&self, end: u64) -> Self {
        let cut = self.spans.iter().filter(|span| span.start < end);
        Self {
            spans: cut.map(|span| span.start..span.end.min(end)).collect(),
        }
    }

    /// Says whether a reader that resumes at `offset` goes on where these bytes are: inside a span, or at its end.
    pub fn is_resumed_at(&self, offset: u64) -> bool {
        self.spans
            .iter()
            .any(|span| span.start < offset && offset <= span.end)
    }

    /// Says whether all of the first `length` bytes are here.
    pub fn is_whole(&self, length: u64) -> bool {
        length == 0
            || self
                .spans
                .first()
                .is_some_and(|span| span.start == 0 && span.end >= length)
    }

    /// Says whether nothing is here.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Returns the spans, in order.
    pub fn spans(&self) -> &[Range<u64>] {
        &self.spans
    }

    /// Returns how many bytes are here.
    pub fn bytes(&self) -> u64 {
        self.spans.iter().map(|span| span.end - span.start).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn coverage_agrees_with_a_set_of_bytes(spans in vec((0u64..64, 0u64..16), 0..24), len in 0u64..64, cut in 0u64..70) {
            let mut coverage = Coverage::default();
            let mut bytes = BTreeSet::new();
            for (start, length) in spans {
                coverage.add(start..start + length);
                bytes.extend(start..start + length);
            }

            prop_assert_eq!(coverage.is_whole(len), (0..len).all(|at| bytes.contains(&at)));
            prop_assert_eq!(coverage.bytes(), bytes.len() as u64);
            prop_assert_eq!(coverage.before(cut).bytes(), bytes.range(..cut).count() as u64);
            prop_assert!(coverage.spans().windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }

    #[test]
    fn a_span_past_the_limit_is_not_counted() {
        let mut coverage = Coverage::default();
        for at in 0..=SPANS_MAX as u64 {
            coverage.add(2 * at..2 * at + 1);
        }

        assert_eq!(coverage.spans().len(), SPANS_MAX);
        coverage.add(0..2 * SPANS_MAX as u64); // what joins is still counted
        assert!(coverage.is_whole(2 * SPANS_MAX as u64));
        assert!(
            coverage.spans.capacity() <= SPARE * SPARE,
            "and keeps no room"
        );
    }
}
