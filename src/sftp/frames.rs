//! Where does one packet end and the next begin?
//!
//! Pure: bytes in, frames out. A length that cannot be is the end of the session, for past it no byte
//! can be told from another.

use bytes::{Buf as _, Bytes, BytesMut};

use super::limits::PACKET_BYTES_MAX;

/// A stream of packets, as far as it has come in (filexfer-02 §3).
///
/// A packet that came in one piece is handed on as it lies there; of one that came in several, each byte is
/// copied once.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// What came in, from the beginning of a packet, or in the middle of the one that has begun.
    ahead: BytesMut,
    /// A packet that has begun and not ended, with its length.
    begun: BytesMut,
}

/// The length before each packet, in bytes.
const LENGTH_BYTES: usize = 4;

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
    pub(super) fn push(&mut self, bytes: BytesMut) {
        if self.ahead.is_empty() {
            self.ahead = bytes;
        } else {
            self.ahead.extend_from_slice(&bytes);
        }
    }

    /// Returns the next packet without its length; none while it is not all here.
    ///
    /// # Errors
    ///
    /// When its length cannot be.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.begun.is_empty()
            && let Some(length) = length(&self.ahead)?
            && self.ahead.len() - LENGTH_BYTES >= length
        {
            self.ahead.advance(LENGTH_BYTES);
            return Ok(Some(self.ahead.split_to(length).freeze()));
        }
        self.fill_to(LENGTH_BYTES);
        let Some(length) = length(&self.begun)? else {
            return Ok(None);
        };
        self.fill_to(LENGTH_BYTES + length);
        if self.begun.len() < LENGTH_BYTES + length {
            return Ok(None);
        }
        let mut whole = std::mem::take(&mut self.begun);
        whole.advance(LENGTH_BYTES);
        Ok(Some(whole.freeze()))
    }

    /// Moves what came in to what has begun, until that has so many bytes.
    fn fill_to(&mut self, bytes: usize) {
        let missing = bytes.saturating_sub(self.begun.len());
        if missing > 0 && !self.ahead.is_empty() {
            self.begun.reserve(missing);
            let here = self.ahead.split_to(missing.min(self.ahead.len()));
            self.begun.extend_from_slice(&here);
        }
        if self.ahead.is_empty() {
            // Empty, it would still hold the block that it was cut from.
            self.ahead = BytesMut::new();
        }
    }

    /// Says whether a packet has begun and not ended.
    pub(super) fn is_torn(&self) -> bool {
        !self.begun.is_empty() || !self.ahead.is_empty()
    }
}

/// The length that a packet says it has; none while that is not here.
fn length(packet: &[u8]) -> Result<Option<usize>, Fault> {
    let Some(length) = packet.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let bytes = u32::from_be_bytes(*length);
    match usize::try_from(bytes).unwrap_or(usize::MAX) {
        0 => Err(Fault::Empty),
        length if length > PACKET_BYTES_MAX => Err(Fault::Oversized { bytes }),
        length => Ok(Some(length)),
    }
}

/// Returns the id of a request that may not decode, so that its refusal finds the one who waits for it.
pub(super) fn request_id(frame: &[u8]) -> u32 {
    frame
        .get(1..5)
        .and_then(|id| id.first_chunk())
        .map_or(0, |id| u32::from_be_bytes(*id))
}

/// A WRITE whose bytes are still where they came in (filexfer-02 §6.4): decoded by the library they are copied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) id: u32,
    pub(super) handle: String,
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
}

/// The type of a WRITE.
const WRITE: u8 = 6;

impl Write {
    /// Decodes a packet of that type; none when it is not one, or is cut short.
    pub(super) fn of(frame: &Bytes) -> Option<Self> {
        if frame.first() != Some(&WRITE) {
            return None;
        }
        let mut frame = frame.slice(1..);
        let id = frame.try_get_u32().ok()?;
        let handle = string(&mut frame)?;
        let offset = frame.try_get_u64().ok()?;
        let bytes = string(&mut frame)?;
        Some(Self {
            id,
            handle: String::from_utf8_lossy(&handle).into_owned(),
            offset,
            bytes,
        })
    }
}

/// Takes a string of SSH (RFC 4251 §5).
fn string(from: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(from.try_get_u32().ok()?).ok()?;
    (from.len() >= length).then(|| from.split_to(length))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use russh_sftp::protocol::Packet;

    use super::*;

    #[test]
    fn a_length_one_past_the_limit_is_a_fault() {
        let largest = u32::try_from(PACKET_BYTES_MAX).unwrap();
        let mut frames = Frames::default();
        frames.push(largest.to_be_bytes().as_slice().into());
        assert_eq!(frames.next(), Ok(None));

        let mut frames = Frames::default();
        frames.push((largest + 1).to_be_bytes().as_slice().into());
        assert_eq!(frames.next(), Err(Fault::Oversized { bytes: largest + 1 }));
    }

    #[test]
    fn a_packet_without_content_is_a_fault() {
        let mut frames = Frames::default();
        frames.push([0; 4].as_slice().into());

        assert_eq!(frames.next(), Err(Fault::Empty));
    }

    #[test]
    fn a_refusal_finds_its_request() {
        assert_eq!(request_id(&[101, 0, 0, 0, 41, 9]), 41);
        assert_eq!(request_id(&[101, 0]), 0);
    }

    proptest! {
        #[test]
        fn a_write_decodes_as_the_library_has_it(
            id in any::<u32>(), handle in ".{0,9}", offset in any::<u64>(), data in vec(any::<u8>(), 0..50), cut in 0usize..80,
        ) {
            let asked = russh_sftp::protocol::Write { id, handle, offset, data };
            let whole = Bytes::try_from(Packet::Write(asked)).unwrap().slice(LENGTH_BYTES..);
            let frame = whole.slice(..cut.min(whole.len()));

            let theirs = match Packet::try_from(&mut frame.clone()) {
                Ok(Packet::Write(write)) => Some(Write {
                    id: write.id,
                    handle: write.handle,
                    offset: write.offset,
                    bytes: write.data.into(),
                }),
                _ => None,
            };

            prop_assert_eq!(Write::of(&frame), theirs);
        }

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
                frames.push(piece.into());
                while let Some(frame) = frames.next().unwrap() {
                    out.push(frame.to_vec());
                }
            }

            prop_assert_eq!(out, packets);
            prop_assert!(!frames.is_torn());
        }
    }
}
