//! How do a device and this server agree to talk?
//!
//! Three sets. What stands first is taken first, if the device knows it.

use std::borrow::Cow;

use russh::kex::dh::groups::{DH_GROUP14, DH_GROUP15, DH_GROUP16, DhGroup};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{AlgorithmKind, Preferred, cipher, kex, mac};
use serde::Deserialize;

/// Which algorithms are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithms {
    /// Only key exchanges that a quantum computer does not break: few devices know one yet.
    PostQuantum,
    /// What is known to be sound.
    #[default]
    Modern,
    /// Also what older devices need: finite fields, curves of NIST, encrypt-and-MAC. Nothing of it is broken.
    Legacy,
}

impl Algorithms {
    /// Returns them as the library wants them.
    pub(super) fn preferred(self) -> Preferred {
        let (kex, mac): (&[_], &[_]) = match self {
            Self::PostQuantum => (&KEX_POST_QUANTUM, &MACS),
            Self::Modern => (&KEX, &MACS),
            Self::Legacy => (&KEX_LEGACY, &MACS_LEGACY),
        };
        Preferred {
            kex: kex.iter().chain(&KEX_EXTENSIONS).copied().collect(),
            key: self.host_keys().into(),
            cipher: Cow::Borrowed(&CIPHERS),
            mac: mac.to_vec().into(),
            ..Preferred::DEFAULT
        }
    }

    /// Returns what this set offers of a kind, by their names.
    fn names(self, kind: &AlgorithmKind) -> Vec<String> {
        let preferred = self.preferred();
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match kind {
            AlgorithmKind::Kex => {
                let kex = preferred.kex.iter();
                let kex = kex.filter(|name| !KEX_EXTENSIONS.contains(name));
                texts(&kex.map(AsRef::as_ref).collect::<Vec<_>>())
            }
            AlgorithmKind::Key => preferred.key.iter().map(ToString::to_string).collect(),
            AlgorithmKind::Cipher => texts(
                &preferred
                    .cipher
                    .iter()
                    .map(AsRef::as_ref)
                    .collect::<Vec<_>>(),
            ),
            AlgorithmKind::Mac => {
                texts(&preferred.mac.iter().map(AsRef::as_ref).collect::<Vec<_>>())
            }
            AlgorithmKind::Compression => Vec::new(),
        }
    }

    /// Returns the algorithms of host keys.
    fn host_keys(self) -> Vec<Algorithm> {
        let ecdsa = |curve| Algorithm::Ecdsa { curve };
        let rsa = |hash| Algorithm::Rsa { hash: Some(hash) };
        let curves: &[_] = match self {
            Self::PostQuantum | Self::Modern => &[],
            Self::Legacy => &[
                ecdsa(EcdsaCurve::NistP256),
                ecdsa(EcdsaCurve::NistP384),
                ecdsa(EcdsaCurve::NistP521),
            ],
        };
        let first = [Algorithm::Ed25519].into_iter();
        first
            .chain(curves.iter().cloned())
            .chain([rsa(HashAlg::Sha512), rsa(HashAlg::Sha256)])
            .collect()
    }
}

/// Says of which kind a peer knows no algorithm that this server offers, and what is to be done.
pub(super) fn nothing_in_common(
    kind: &AlgorithmKind,
    theirs: &[String],
) -> (&'static str, &'static str) {
    let what = match kind {
        AlgorithmKind::Kex => "key exchange",
        AlgorithmKind::Key => "kind of host key",
        AlgorithmKind::Cipher => "cipher",
        AlgorithmKind::Compression => "compression",
        AlgorithmKind::Mac => "MAC",
    };
    let legacy = Algorithms::Legacy.names(kind);
    let advice = if theirs.iter().any(|name| legacy.contains(name)) {
        "`algorithms = \"legacy\"` under `[sftp]` would have one"
    } else {
        "no set of this server has one, so its program must be a newer one"
    };
    (what, advice)
}

const KEX_POST_QUANTUM: [kex::Name; 1] = [kex::MLKEM768X25519_SHA256];

const KEX: [kex::Name; 3] = [
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
];

/// Groups of 3072 and 4096 bits, and one of 2048 with SHA-256, for who knows no other. None of 8192: whoever wants it
/// has a smaller one too, and a stranger could have the server compute with it for seconds.
const KEX_LEGACY: [kex::Name; 7] = [
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G15_SHA512,
    kex::DH_G14_SHA256,
];

/// Returns the group for who asks for one by its size in bits (RFC 4419 §3): the smallest that is as large as it likes;
/// none where it takes nothing up to 4096 bits.
pub(super) fn group_for(least: usize, liked: usize, most: usize) -> Option<DhGroup> {
    let fits = |group: &DhGroup| (least..=most).contains(&group.bit_size());
    let groups = [DH_GROUP14, DH_GROUP15, DH_GROUP16];
    let mut fitting = groups.into_iter().filter(fits);
    let mut found = fitting.next()?;
    for larger in fitting {
        if found.bit_size() < liked {
            found = larger;
        }
    }
    Some(found)
}

/// No algorithms: that signatures are told (RFC 8308), and strict key exchange, against Terrapin.
pub(super) const KEX_EXTENSIONS: [kex::Name; 4] = [
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// AEAD first. Counter mode with encrypt-then-MAC is for libraries that have none.
const CIPHERS: [cipher::Name; 6] = [
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_GCM, // OpenSSH likes it best of the GCMs
    cipher::AES_256_GCM,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

const MACS: [mac::Name; 2] = [mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM];

const MACS_LEGACY: [mac::Name; 4] = [
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512,
    mac::HMAC_SHA256,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_sha_1_or_a_short_group_is_in_any_set() {
        for set in [
            Algorithms::PostQuantum,
            Algorithms::Modern,
            Algorithms::Legacy,
        ] {
            let preferred = set.preferred();
            let names = preferred
                .kex
                .iter()
                .map(AsRef::<str>::as_ref)
                .chain(preferred.mac.iter().map(AsRef::as_ref))
                .chain(preferred.cipher.iter().map(AsRef::as_ref));
            for name in names {
                let is_weak = ["sha1", "group1-", "cbc", "md5", "none", "arcfour", "3des"]
                    .iter()
                    .any(|weak| name.contains(weak));
                assert!(!is_weak, "{set:?} has {name}");
            }
            assert!(!preferred.key.contains(&Algorithm::Rsa { hash: None }));
        }
    }

    #[test]
    fn each_set_has_what_its_name_says_and_none_is_open_to_terrapin() {
        let names = |set: Algorithms| {
            let preferred = set.preferred();
            let is_extension = |name: &kex::Name| KEX_EXTENSIONS.contains(name);
            let kex = preferred.kex.iter().filter(|name| !is_extension(name));
            let kex: Vec<_> = kex.map(AsRef::<str>::as_ref).collect();
            let mac = preferred.mac.iter().map(AsRef::<str>::as_ref);
            (kex.join(" "), mac.collect::<Vec<_>>().join(" "))
        };
        let modern_macs = "hmac-sha2-512-etm@openssh.com hmac-sha2-256-etm@openssh.com";

        let (kex, mac) = names(Algorithms::PostQuantum);
        assert_eq!(
            (kex.as_str(), mac.as_str()),
            ("mlkem768x25519-sha256", modern_macs)
        );
        let (kex, mac) = names(Algorithms::Modern);
        let with_curves = "mlkem768x25519-sha256 curve25519-sha256 curve25519-sha256@libssh.org";
        assert_eq!((kex.as_str(), mac.as_str()), (with_curves, modern_macs));
        let (kex, mac) = names(Algorithms::Legacy);
        assert!(kex.starts_with(with_curves) && mac.starts_with(modern_macs));
        for set in [
            Algorithms::PostQuantum,
            Algorithms::Modern,
            Algorithms::Legacy,
        ] {
            let offered = set.preferred().kex;
            assert!(offered.contains(&kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER));
        }
    }

    #[test]
    fn who_has_nothing_in_common_is_told_whether_an_older_set_would_help() {
        use AlgorithmKind::{Cipher, Compression, Kex, Key, Mac};
        let legacy = "`algorithms = \"legacy\"` under `[sftp]` would have one";
        let newer = "no set of this server has one, so its program must be a newer one";
        #[rustfmt::skip]
        let table = [
            (Kex,         "diffie-hellman-group14-sha256", ("key exchange", legacy)),
            (Kex,         "diffie-hellman-group14-sha1",   ("key exchange", newer)),
            (Kex,         "kex-strict-s-v00@openssh.com",  ("key exchange", newer)),
            (Key,         "ecdsa-sha2-nistp256",           ("kind of host key", legacy)),
            (Key,         "ssh-dss",                       ("kind of host key", newer)),
            (Mac,         "hmac-sha2-256",                 ("MAC", legacy)),
            (Mac,         "hmac-sha1",                     ("MAC", newer)),
            (Cipher,      "aes128-cbc",                    ("cipher", newer)),
            (Compression, "zlib",                          ("compression", newer)),
        ];
        for (kind, name, told) in table {
            let theirs = ["other".to_owned(), name.to_owned()];
            assert_eq!(nothing_in_common(&kind, &theirs), told, "{name}");
        }
    }

    #[test]
    fn keys_of_the_curves_of_nist_are_offered_to_older_devices_only() {
        let is_ecdsa = |key: &Algorithm| matches!(key, Algorithm::Ecdsa { .. });
        let offered = |set: Algorithms| set.preferred().key.iter().any(is_ecdsa);
        assert!(!offered(Algorithms::PostQuantum));
        assert!(!offered(Algorithms::Modern));
        assert!(offered(Algorithms::Legacy));
    }

    #[test]
    fn a_group_is_as_large_as_is_asked_for_and_never_so_large_that_it_holds_up_others() {
        let group = |least, liked, most| Some(group_for(least, liked, most)?.bit_size());

        assert_eq!(group(2048, 3072, 8192), Some(3072));
        assert_eq!(group(2048, 2048, 8192), Some(2048));
        assert_eq!(group(1024, 4096, 4096), Some(4096));
        assert_eq!(group(2048, 8192, 8192), Some(4096));
        assert_eq!(group(2048, 3000, 3000), Some(2048));
        assert_eq!(group(6144, 8192, 8192), None);
        assert!(!KEX_LEGACY.contains(&kex::DH_G18_SHA512));
    }
}
