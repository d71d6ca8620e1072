//! What must hold of whatever a peer or a forwarder sends?

use bytes::Bytes;
use russh_sftp::protocol::Packet;

use super::command::command;
use super::frames::{Fault, Frames, request_id};
use super::limits::PACKET_BYTES_MAX;
use super::proxy::{Malformed, Named, Step, V2_REST_BYTES_MAX, step};

/// Takes all but the first byte as a stream, which the first byte cuts.
pub(crate) fn frames(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else {
        return;
    };
    let (whole, ended) = taken(stream, stream.len().max(1));
    let cut = taken(stream, usize::from(*cut) + 1);
    assert_eq!((&whole, &ended), (&cut.0, &cut.1), "however it is cut");
    let length: usize = whole.iter().map(|frame| frame.len() + 4).sum();
    assert!(length <= stream.len());
    let rest = length < stream.len();
    assert_eq!(ended, End { rest, ..ended });
    for frame in whole {
        assert!((1..=PACKET_BYTES_MAX).contains(&frame.len()));
        packet(frame);
    }
}

/// How a stream ended: with a fault, or with a rest that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    fault: Option<u32>,
    rest: bool,
}

fn taken(stream: &[u8], cut: usize) -> (Vec<Bytes>, End) {
    let (mut frames, mut out, mut fault) = (Frames::default(), Vec::new(), None);
    'all: for piece in stream.chunks(cut) {
        frames.push(piece.into());
        loop {
            match frames.next() {
                Ok(Some(frame)) => out.push(frame),
                Ok(None) => break,
                Err(Fault::Oversized { bytes }) => {
                    fault = Some(bytes);
                    break 'all;
                }
                Err(Fault::Empty) => {
                    fault = Some(0);
                    break 'all;
                }
            }
        }
    }
    let rest = frames.is_torn();
    (out, End { fault, rest })
}

/// A packet decodes or not; its refusal finds who waits for it either way.
fn packet(mut frame: Bytes) {
    let id = request_id(&frame);
    let is_request = matches!(frame.first(), Some(3..=20 | 200));
    command(frame.get(1..).unwrap_or_default());
    if let Ok(packet) = Packet::try_from(&mut frame)
        && is_request
    {
        assert_eq!(packet.get_request_id(), id);
    }
}

/// Takes the bytes as what a forwarder sends before anything else.
pub(crate) fn proxy(bytes: &[u8]) {
    let (read, taken) = header(bytes);
    assert!(taken <= bytes.len() && taken <= 16 + V2_REST_BYTES_MAX);
    let more = [bytes, b"SSH-2.0-OpenSSH_9.9\r\n"].concat();
    match read {
        Some(read) => assert_eq!(
            header(&more),
            (Some(read), taken),
            "what follows is not looked at"
        ),
        None => assert!(header(&more).1 >= taken),
    }
    if let Some(Ok(Named::Client(client))) = read {
        assert_eq!(client.ip(), client.ip().to_canonical());
    }
}

/// Reads as the door does: what is asked for, and not a byte more.
fn header(bytes: &[u8]) -> (Option<Result<Named, Malformed>>, usize) {
    let mut taken = 0;
    while let Some(head) = bytes.get(..taken) {
        match step(head) {
            Ok(Step::Done(named)) => return (Some(Ok(named)), taken),
            Err(wrong) => return (Some(Err(wrong)), taken),
            Ok(Step::More(more)) => {
                assert!(more > 0, "it goes on");
                if taken + more > bytes.len() {
                    break;
                }
                taken += more;
            }
        }
    }
    (None, taken)
}
