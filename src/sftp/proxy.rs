//! What does a forwarder say about the connection that it forwards?
//!
//! The PROXY protocol, versions 1 and 2, as `proxy-protocol.txt` of `HAProxy` has it: a header before the
//! first byte of SSH. It is read byte by byte where its length is not known, so nothing of what follows
//! is taken.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header of version 1, in bytes, its line end included.
const V1_BYTES_MAX: usize = 107;

/// The longest rest of a header of version 2, in bytes: the addresses take 216 at most, and what
/// forwarders add is short. (The protocol's own examples take 520.)
pub(super) const V2_REST_BYTES_MAX: usize = 1024;

/// Whom a header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// The client has this address.
    Client(SocketAddr),
    /// The forwarder speaks for itself, or does not know: a check whether somebody is here.
    Nobody,
}

/// What is to be done after some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many more are needed, at least.
    More(usize),
    /// The header is whole.
    Done(Named),
}

/// What comes is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// It begins otherwise.
    #[error("no PROXY header came first")]
    Absent,
    /// It is longer than any needs to be.
    #[error("the PROXY header is too long")]
    Long,
    /// It is not as it should be.
    #[error("the PROXY header is malformed: {0}")]
    Wrong(&'static str),
}

/// How version 1 begins.
const V1: &[u8] = b"PROXY ";

/// How version 2 begins.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The fixed head of version 2, in bytes: how it begins, version and command, family, length.
const V2_HEAD: usize = 16;

/// Reads a header that begins with `bytes`.
///
/// # Errors
///
/// When no header can begin so.
pub(super) fn step(bytes: &[u8]) -> Result<Step, Malformed> {
    if begins(bytes, V1) {
        v1(bytes)
    } else if begins(bytes, V2) {
        v2(bytes)
    } else {
        Err(Malformed::Absent)
    }
}

/// Whether the one is the beginning of the other, as far as both go.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    bytes.iter().zip(with).all(|(own, other)| own == other)
}

fn v1(bytes: &[u8]) -> Result<Step, Malformed> {
    if bytes.len() > V1_BYTES_MAX {
        return Err(Malformed::Long);
    }
    let Some(line) = bytes.strip_suffix(b"\r\n") else {
        let is_full = bytes.len() == V1_BYTES_MAX;
        return if is_full {
            Err(Malformed::Long)
        } else {
            Ok(Step::More(1))
        };
    };
    let line = std::str::from_utf8(line).map_err(|_| Malformed::Wrong("it is not ASCII"))?;
    let words: Vec<&str> = line.split(' ').collect();
    let named = match words[..] {
        ["PROXY", "UNKNOWN", ..] => Named::Nobody,
        ["PROXY", "TCP4", from, to, port, to_port] => {
            let from: Result<Ipv4Addr, _> = from.parse();
            let to: Result<Ipv4Addr, _> = to.parse();
            client(from.ok().filter(|_| to.is_ok()), port, to_port)?
        }
        ["PROXY", "TCP6", from, to, port, to_port] => {
            let from: Result<Ipv6Addr, _> = from.parse();
            let to: Result<Ipv6Addr, _> = to.parse();
            client(from.ok().filter(|_| to.is_ok()), port, to_port)?
        }
        _ => return Err(Malformed::Wrong("its line has other words")),
    };
    Ok(Step::Done(named))
}

fn client(from: Option<impl Into<IpAddr>>, port: &str, to_port: &str) -> Result<Named, Malformed> {
    let from = from.ok_or(Malformed::Wrong("an address is none"))?.into();
    let read = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let is_short = text == "0" || !text.starts_with('0');
        text.parse().ok().filter(|_: &u16| is_number && is_short)
    };
    match (read(port), read(to_port)) {
        (Some(port), Some(_)) => Ok(named(from, port)),
        _ => Err(Malformed::Wrong("a port is none")),
    }
}

fn v2(bytes: &[u8]) -> Result<Step, Malformed> {
    let Some((head, rest)) = bytes.split_first_chunk::<V2_HEAD>() else {
        // Byte by byte, for what begins otherwise is refused at its first wrong byte.
        return Ok(Step::More(1));
    };
    let [.., command, family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > V2_REST_BYTES_MAX {
        return Err(Malformed::Long);
    }
    if command != LOCAL && command != PROXY {
        return Err(Malformed::Wrong("its version or command is another"));
    }
    match length.checked_sub(rest.len()) {
        Some(0) => {}
        Some(more) => return Ok(Step::More(more)),
        None => return Err(Malformed::Long),
    }
    if command == LOCAL {
        return Ok(Step::Done(Named::Nobody));
    }
    let short = Malformed::Wrong("its addresses are too short");
    let named = match family {
        UNSPEC => Named::Nobody,
        TCP4 if length >= 12 => {
            let [a, b, c, d, _, _, _, _, high, low] = *rest.first_chunk().ok_or(short)?;
            named(
                Ipv4Addr::new(a, b, c, d).into(),
                u16::from_be_bytes([high, low]),
            )
        }
        TCP6 if length >= 36 => {
            let from: [u8; 16] = *rest.first_chunk().ok_or(short)?;
            let port: [u8; 2] = *rest.get(32..).and_then(<[u8]>::first_chunk).ok_or(short)?;
            named(Ipv6Addr::from(from).into(), u16::from_be_bytes(port))
        }
        UNIX if length >= 216 => Named::Nobody,
        TCP4 | TCP6 | UNIX => return Err(short),
        _ => return Err(Malformed::Wrong("its family is no stream")),
    };
    Ok(Step::Done(named))
}

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const UNSPEC: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX: u8 = 0x31;

/// A disguised IPv4 address is one of IPv4, here as everywhere.
fn named(address: IpAddr, port: u16) -> Named {
    Named::Client(SocketAddr::new(address.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read = Result<Option<Named>, Malformed>;

    /// Reads as the door does: what is asked for, and not a byte more.
    fn read(bytes: &[u8]) -> (Read, usize) {
        let mut taken = 0;
        loop {
            match step(&bytes[..taken]) {
                Ok(Step::Done(named)) => return (Ok(Some(named)), taken),
                Ok(Step::More(more)) if taken + more > bytes.len() => return (Ok(None), taken),
                Ok(Step::More(more)) => taken += more,
                Err(wrong) => return (Err(wrong), taken),
            }
        }
    }

    fn v2_of(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &length, rest].concat()
    }

    #[test]
    fn whom_a_line_names() {
        let client = |text: &str| Ok(Some(Named::Client(text.parse().unwrap())));
        #[rustfmt::skip]
        let table: &[(&str, Read)] = &[
            ("PROXY TCP4 192.0.2.7 198.51.100.1 56324 22\r\n",     client("192.0.2.7:56324")),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 4124 22\r\n",     client("[2001:db8::7]:4124")),
            ("PROXY TCP6 ::ffff:192.0.2.7 ::1 4124 22\r\n",        client("192.0.2.7:4124")),
            ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", client("255.255.255.255:65535")),
            ("PROXY UNKNOWN\r\n",                                  Ok(Some(Named::Nobody))),
            ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", Ok(Some(Named::Nobody))),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 56324 22\r",       Ok(None)),
            ("PROXY TCP4 192.0.2.7",                               Ok(None)),
            ("",                                                   Ok(None)),
            ("SSH-2.0-OpenSSH_9.9\r\n",                            Err(Malformed::Absent)),
            ("PROXI TCP4 192.0.2.7 198.51.100.1 56324 22\r\n",     Err(Malformed::Absent)),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",        Err(Malformed::Wrong("its line has other words"))),
            ("PROXY TCP4  192.0.2.7 198.51.100.1 1 22\r\n",        Err(Malformed::Wrong("its line has other words"))),
            ("PROXY UDP4 192.0.2.7 198.51.100.1 1 22\r\n",         Err(Malformed::Wrong("its line has other words"))),
            ("PROXY \r\n",                                         Err(Malformed::Wrong("its line has other words"))),
            ("PROXY TCP4 2001:db8::7 198.51.100.1 1 22\r\n",       Err(Malformed::Wrong("an address is none"))),
            ("PROXY TCP4 192.0.2.7 example 1 22\r\n",              Err(Malformed::Wrong("an address is none"))),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 65536 22\r\n",     Err(Malformed::Wrong("a port is none"))),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 +1 22\r\n",        Err(Malformed::Wrong("a port is none"))),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 01 22\r\n",        Err(Malformed::Wrong("a port is none"))),
        ];
        for (line, expected) in table {
            assert_eq!(read(line.as_bytes()).0, *expected, "{line}");
        }
    }

    #[test]
    fn a_line_may_have_107_bytes_and_not_one_more() {
        let line = |bytes: usize| {
            let fill = "x".repeat(bytes - "PROXY UNKNOWN \r\n".len());
            format!("PROXY UNKNOWN {fill}\r\n")
        };

        assert_eq!(
            read(line(V1_BYTES_MAX).as_bytes()).0,
            Ok(Some(Named::Nobody))
        );
        let (refused, taken) = read(line(V1_BYTES_MAX + 1).as_bytes());
        assert_eq!((refused, taken), (Err(Malformed::Long), V1_BYTES_MAX));
    }

    #[test]
    fn whom_a_header_of_version_2_names() {
        let four = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 0, 22];
        let from: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let six = [&from.octets()[..], &[0; 16], &[0x12, 0x34, 0, 22]].concat();
        let client = |text: &str| Ok(Some(Named::Client(text.parse().unwrap())));
        let nobody = Ok(Some(Named::Nobody));
        let extra = [&four[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        let most = [&four[..], &vec![0; V2_REST_BYTES_MAX - 12]].concat();
        #[rustfmt::skip]
        let table: &[(&str, Vec<u8>, Read)] = &[
            ("IPv4",                  v2_of(PROXY, TCP4, &four),       client("192.0.2.7:4660")),
            ("IPv6",                  v2_of(PROXY, TCP6, &six),        client("[2001:db8::7]:4660")),
            ("with more to say",      v2_of(PROXY, TCP4, &extra),      client("192.0.2.7:4660")),
            ("with all it may say",   v2_of(PROXY, TCP4, &most),       client("192.0.2.7:4660")),
            ("one byte more",         v2_of(PROXY, TCP4, &[&most[..], &[0]].concat()), Err(Malformed::Long)),
            ("a check",               v2_of(LOCAL, UNSPEC, &[]),       nobody),
            ("a check with a family", v2_of(LOCAL, TCP4, &four),       nobody),
            ("unspecified",           v2_of(PROXY, UNSPEC, &[1, 2]),   nobody),
            ("UNIX",                  v2_of(PROXY, UNIX, &[0; 216]),   nobody),
            ("UNIX, short",           v2_of(PROXY, UNIX, &[0; 215]),   Err(Malformed::Wrong("its addresses are too short"))),
            ("IPv4, short",           v2_of(PROXY, TCP4, &four[..11]), Err(Malformed::Wrong("its addresses are too short"))),
            ("IPv6, short",           v2_of(PROXY, TCP6, &six[..35]),  Err(Malformed::Wrong("its addresses are too short"))),
            ("UDP",                   v2_of(PROXY, 0x12, &four),       Err(Malformed::Wrong("its family is no stream"))),
            ("another command",       v2_of(0x22, TCP4, &four),        Err(Malformed::Wrong("its version or command is another"))),
            ("another version",       v2_of(0x31, TCP4, &four),        Err(Malformed::Wrong("its version or command is another"))),
            ("cut",                   v2_of(PROXY, TCP4, &four)[..20].to_vec(), Ok(None)),
            ("begun otherwise",       b"\r\n\r\n\0\r\nQUIX\n".to_vec(), Err(Malformed::Absent)),
        ];
        for (what, bytes, expected) in table {
            assert_eq!(read(bytes).0, *expected, "{what}");
        }
    }

    proptest! {
        #[test]
        fn nothing_of_what_follows_is_taken(v4 in any::<[u8; 4]>(), v6 in any::<[u8; 16]>(), port in any::<u16>(), kind in 0_usize..4, after in prop::collection::vec(any::<u8>(), 0..40)) {
            let (v4, v6) = (Ipv4Addr::from(v4), Ipv6Addr::from(v6));
            let port_bytes = port.to_be_bytes();
            let (header, from): (Vec<u8>, IpAddr) = match kind {
                0 => (format!("PROXY TCP4 {v4} 127.0.0.1 {port} 22\r\n").into(), v4.into()),
                1 => (format!("PROXY TCP6 {v6} ::1 {port} 22\r\n").into(), v6.into()),
                2 => (v2_of(PROXY, TCP4, &[&v4.octets()[..], &[0; 4], &port_bytes, &[0; 2]].concat()), v4.into()),
                _ => (v2_of(PROXY, TCP6, &[&v6.octets()[..], &[0; 16], &port_bytes, &[0; 2]].concat()), v6.into()),
            };
            let stream = [&header[..], &after].concat();

            let (named, taken) = read(&stream);

            prop_assert_eq!(named, Ok(Some(Named::Client(SocketAddr::new(from.to_canonical(), port)))));
            prop_assert_eq!(taken, header.len());
        }

        #[test]
        fn whatever_comes_is_read_to_a_bound(bytes in prop::collection::vec(any::<u8>(), 0..1200), kind in 0_usize..3) {
            let head: &[u8] = [b"" as &[u8], V1, V2][kind];
            let (_, taken) = read(&[head, &bytes].concat());
            prop_assert!(taken <= V2_HEAD + V2_REST_BYTES_MAX);
        }
    }
}
