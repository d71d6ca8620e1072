//! Where does one packet end and the next begin?
//!
//! Pure: bytes in, frames out. A length that cannot be is the end of the session, for past it no byte
//! can be told from another.

use bytes::{Buf as _, Bytes, BytesMut};

use super::limits::PACKET_BYTES_MAX;

/// A stream of packets, as far as it has come in (filexfer-02 §3).
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: BytesMut,
}

/// A framing fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// Longer than [`PACKET_BYTES_MAX`].
    #[error("a packet of {bytes} bytes; {PACKET_BYTES_MAX} are the most")]
    Oversized {
        /// The length it claims.
        bytes: u32,
    },
    /// Without even a type.
    #[error("a packet without content")]
    Empty,
}

impl Frames {
    /// Takes what came in.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next packet without its length; none while it is not all here.
    ///
    /// # Errors
    ///
    /// When its length cannot be.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(length) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let bytes = u32::from_be_bytes(*length);
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        if length > PACKET_BYTES_MAX {
            return Err(Fault::Oversized { bytes });
        }
        if length == 0 {
            return Err(Fault::Empty);
        }
        if self.buffer.len() - 4 < length {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Says whether a packet has begun and not ended.
    pub(super) fn is_torn(&self) -> bool {
        !self.buffer.is_empty()
    }
}

/// Returns the id of a request that may not decode, so that its refusal finds the one who waits for it.
pub(super) fn request_id(frame: &[u8]) -> u32 {
    frame
        .get(1..5)
        .and_then(|id| id.first_chunk())
        .map_or(0, |id| u32::from_be_bytes(*id))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_one_past_the_limit_is_a_fault() {
        let largest = u32::try_from(PACKET_BYTES_MAX).unwrap();
        let mut frames = Frames::default();
        frames.push(&largest.to_be_bytes());
        assert_eq!(frames.next(), Ok(None));

        let mut frames = Frames::default();
        frames.push(&(largest + 1).to_be_bytes());
        assert_eq!(frames.next(), Err(Fault::Oversized { bytes: largest + 1 }));
    }

    #[test]
    fn a_packet_without_content_is_a_fault() {
        let mut frames = Frames::default();
        frames.push(&[0; 4]);

        assert_eq!(frames.next(), Err(Fault::Empty));
    }

    #[test]
    fn a_refusal_finds_its_request() {
        assert_eq!(request_id(&[101, 0, 0, 0, 41, 9]), 41);
        assert_eq!(request_id(&[101, 0]), 0);
    }

    proptest! {
        #[test]
        fn packets_come_out_as_they_went_in_however_the_stream_was_cut(
            packets in vec(vec(any::<u8>(), 1..50), 0..10), cut in 1usize..20,
        ) {
            let mut stream = Vec::new();
            for packet in &packets {
                stream.extend(u32::try_from(packet.len()).unwrap().to_be_bytes());
                stream.extend(packet);
            }
            let mut frames = Frames::default();
            let mut out = Vec::new();
            for piece in stream.chunks(cut) {
                frames.push(piece);
                while let Some(frame) = frames.next().unwrap() {
                    out.push(frame.to_vec());
                }
            }

            prop_assert_eq!(out, packets);
            prop_assert!(!frames.is_torn());
        }
    }
}
