//! May a webhook go to this address?
//!
//! Whoever may add a webhook could otherwise have the gateway call what only it can reach: the database
//! beside it, a router, a cloud's metadata. So an address is judged when a connection is made, after
//! the name was looked up, and the connection goes to the address that was judged.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Network, shares};

/// What a webhook may do with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Anybody may call it, over TLS.
    Public,
    /// The operator allows it, without TLS too.
    Allowed,
    /// It is not for webhooks, for it is this.
    Refused(&'static str),
}

/// Judges `address`; `allow` is what the operator has written down.
pub(super) fn judge(address: IpAddr, allow: &[Network]) -> Judgement {
    if allow.iter().any(|network| network.contains(address)) {
        return Judgement::Allowed;
    }
    let refused = match address {
        IpAddr::V4(v4) => refused_v4(v4),
        IpAddr::V6(v6) => refused_v6(v6),
    };
    refused.map_or(Judgement::Public, Judgement::Refused)
}

/// The special addresses of IPv4 (RFC 6890 and its registry).
#[rustfmt::skip]
const REFUSED_V4: &[([u8; 4], u32, &str)] = &[
    ([0, 0, 0, 0],       8,  "an address of this host"),
    ([10, 0, 0, 0],      8,  "a private address"),
    ([100, 64, 0, 0],    10, "an address of a provider's inner network"),
    ([127, 0, 0, 0],     8,  "a loopback address"),
    ([169, 254, 0, 0],   16, "a link-local address, where clouds keep their metadata"),
    ([172, 16, 0, 0],    12, "a private address"),
    ([192, 0, 0, 0],     24, "a reserved address"),
    ([192, 0, 2, 0],     24, "an address of examples"),
    ([192, 88, 99, 0],   24, "a reserved address"),
    ([192, 168, 0, 0],   16, "a private address"),
    ([198, 18, 0, 0],    15, "an address of benchmarks"),
    ([198, 51, 100, 0],  24, "an address of examples"),
    ([203, 0, 113, 0],   24, "an address of examples"),
    ([224, 0, 0, 0],     4,  "a multicast address"),
    ([240, 0, 0, 0],     4,  "a reserved address"),
];

/// The special ones of IPv6; outside `2000::/3` nothing is public, named here or not.
#[rustfmt::skip]
const REFUSED_V6: &[([u16; 8], u32, &str)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 1],           128, "a loopback address"),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0],      96,  "an IPv4 address in disguise"),
    ([0, 0, 0, 0, 0, 0, 0, 0],           96,  "an address of this host"),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0],   32,  "an IPv4 address in disguise"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0],      7,   "a private address"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0],      10,  "a link-local address"),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0],      10,  "a private address"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0],      8,   "a multicast address"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0],      23,  "a reserved address"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0],  32,  "an address of examples"),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0],      16,  "an IPv4 address in disguise"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0],      20,  "an address of examples"),
];

fn refused_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let found = REFUSED_V4.iter().find(|(base, prefix, _)| {
        shares(32, bits.into(), u32::from_be_bytes(*base).into(), *prefix)
    });
    found.map(|(.., why)| *why)
}

fn refused_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let found = REFUSED_V6
        .iter()
        .find(|(base, prefix, _)| shares(128, bits, Ipv6Addr::from(*base).to_bits(), *prefix));
    let is_global = shares(128, bits, 0x2000 << 112, 3);
    found
        .map(|(.., why)| *why)
        .or_else(|| (!is_global).then_some("a reserved address"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(address: &str, allow: &[&str]) -> Judgement {
        let allow: Vec<_> = allow.iter().map(|text| text.parse().unwrap()).collect();
        judge(address.parse().unwrap(), &allow)
    }

    #[test]
    fn what_only_the_gateway_can_reach_is_refused() {
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ];

        for address in refused {
            assert!(
                matches!(judged(address, &[]), Judgement::Refused(_)),
                "{address}"
            );
        }
    }

    #[test]
    fn what_anybody_can_reach_is_public_up_to_the_edges_of_what_is_not() {
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "2003::1",
            "2606:4700::1111",
        ];

        for address in public {
            assert_eq!(judged(address, &[]), Judgement::Public, "{address}");
        }
    }

    #[test]
    fn the_operator_may_allow_a_range_and_nothing_beside_it() {
        let allow = ["10.1.0.0/16", "127.0.0.1", "fd12::/32"];

        for address in ["10.1.0.0", "10.1.255.255", "127.0.0.1", "fd12:0:1::1"] {
            assert_eq!(judged(address, &allow), Judgement::Allowed, "{address}");
        }
        for address in [
            "10.0.255.255",
            "10.2.0.0",
            "127.0.0.2",
            "fd13::1",
            "::ffff:10.1.0.1",
        ] {
            assert!(
                matches!(judged(address, &allow), Judgement::Refused(_)),
                "{address}"
            );
        }
        assert_eq!(judged("8.8.8.8", &["0.0.0.0/0"]), Judgement::Allowed);
    }

    proptest! {
        #[test]
        fn an_address_in_disguise_is_never_public(v4 in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(v4);
            for v6 in [v4.to_ipv6_mapped(), v4.to_ipv6_compatible()] {
                prop_assert!(matches!(judge(v6.into(), &[]), Judgement::Refused(_)));
            }
        }

        #[test]
        fn what_the_standard_library_calls_private_is_refused(v4 in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(v4);
            let special = v4.is_private() || v4.is_loopback() || v4.is_link_local()
                || v4.is_multicast() || v4.is_broadcast() || v4.is_unspecified();
            prop_assert!(!special || judge(v4.into(), &[]) != Judgement::Public);
        }
    }
}
