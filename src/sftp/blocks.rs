//! How do bytes wait that one brings and another takes, without being moved in between?
//!
//! In one buffer that grows, what waits is copied each time it has to grow: of a large upload several
//! times. Here it lies in blocks that never grow, and is taken a block at a time.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::limits::TAKEN_BYTES_MAX;

/// The room of a block that begins while nothing waits: most requests are short, and taken at once.
const FIRST_BYTES: usize = 4 * 1024;

/// The room of the others: a peer is ahead.
const NEXT_BYTES: usize = 64 * 1024;

/// Bytes that wait, in order.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: VecDeque<BytesMut>,
    bytes: usize,
}

impl Blocks {
    /// Returns how many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// Puts bytes behind those that wait.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        let mut rest = bytes;
        if let Some(last) = self.blocks.back_mut() {
            let room = last.capacity() - last.len();
            let (now, later) = rest.split_at(rest.len().min(room));
            last.extend_from_slice(now);
            rest = later;
        }
        for piece in rest.chunks(TAKEN_BYTES_MAX) {
            let room = match self.blocks.len() {
                0 => FIRST_BYTES,
                _ => NEXT_BYTES,
            };
            let mut block = BytesMut::with_capacity(piece.len().max(room));
            block.extend_from_slice(piece);
            self.blocks.push_back(block);
        }
    }

    /// Takes the first block, of [`TAKEN_BYTES_MAX`] at the most.
    pub(super) fn take(&mut self) -> Option<BytesMut> {
        let taken = self.blocks.pop_front()?;
        self.bytes -= taken.len();
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_piece_is_never_larger_than_a_session_may_hold_uncounted() {
        let mut blocks = Blocks::default();
        blocks.push(&vec![1; 3 * TAKEN_BYTES_MAX]);
        blocks.push(&[2; 100]);

        let mut sizes = Vec::new();
        while let Some(block) = blocks.take() {
            sizes.push(block.len());
        }

        assert_eq!(sizes.iter().sum::<usize>(), 3 * TAKEN_BYTES_MAX + 100);
        assert!(sizes.iter().all(|size| *size <= TAKEN_BYTES_MAX));
    }

    #[test]
    fn short_requests_share_a_block() {
        let mut blocks = Blocks::default();
        for _ in 0..100 {
            blocks.push(&[7; 25]);
        }

        assert_eq!(blocks.take().unwrap().len(), 2500);
        assert!(blocks.take().is_none());
    }

    #[test]
    fn who_has_flooded_once_holds_on_to_nothing() {
        let mut blocks = Blocks::default();
        for piece in vec![0; 20 * TAKEN_BYTES_MAX + 1000].chunks(32 * 1024) {
            blocks.push(piece);
        }

        while blocks.take().is_some() {}

        assert!(blocks.blocks.is_empty());
        blocks.push(&[0; 25]);
        assert!(blocks.blocks[0].capacity() <= FIRST_BYTES);
    }

    proptest! {
        #[test]
        fn what_comes_out_is_what_went_in(steps in vec((vec(any::<u8>(), 0..6000), any::<bool>()), 0..40)) {
            let (mut blocks, mut put, mut got) = (Blocks::default(), Vec::new(), Vec::new());
            for (bytes, takes) in steps {
                blocks.push(&bytes);
                put.extend(bytes);
                if takes && let Some(block) = blocks.take() {
                    got.extend_from_slice(&block);
                }
                prop_assert_eq!(got.len() + blocks.len(), put.len());
            }
            while let Some(block) = blocks.take() {
                got.extend_from_slice(&block);
            }

            prop_assert_eq!(got, put);
            prop_assert_eq!(blocks.len(), 0);
        }
    }
}
