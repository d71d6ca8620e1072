//! Which keys can be broken, or are not understood?

use russh::keys::ssh_key::public::{KeyData, RsaPublicKey};

/// RSA keys of fewer bits can be broken.
pub const RSA_BITS_MIN: usize = 2048;

/// RSA keys of more bits are not checked by the library: whoever has one would be refused each time.
pub const RSA_BITS_MAX: usize = 8192;

/// Why a key logs nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It is a DSA key.
    #[error("DSA can be broken; make another with `ssh-keygen -t ed25519`")]
    Dsa,
    /// It is an RSA key of so few bits.
    #[error(
        "RSA with {0} bits can be broken, {RSA_BITS_MIN} is the least; make another with `ssh-keygen -t ed25519`"
    )]
    ShortRsa(usize),
    /// It is an RSA key of so many bits.
    #[error(
        "RSA with {0} bits is not understood here, {RSA_BITS_MAX} is the most; make another with `ssh-keygen -t ed25519`"
    )]
    LongRsa(usize),
    /// It is of a kind that is not known here.
    #[error("keys of this kind are not understood here; make another with `ssh-keygen -t ed25519`")]
    Unknown,
}

/// Returns why a key logs nobody in, if so.
pub fn weakness(key: &KeyData) -> Option<Weakness> {
    match key {
        KeyData::Dsa(_) => Some(Weakness::Dsa),
        KeyData::Rsa(rsa) => match bits(rsa) {
            few if few < RSA_BITS_MIN => Some(Weakness::ShortRsa(few)),
            many if many > RSA_BITS_MAX => Some(Weakness::LongRsa(many)),
            _ => None,
        },
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) => None,
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => None,
        _ => Some(Weakness::Unknown),
    }
}

/// To the bit: the library counts whole bytes, in which one of 2041 bits has 2048.
fn bits(rsa: &RsaPublicKey) -> usize {
    let bytes = rsa.n().as_positive_bytes().unwrap_or_default();
    let zeros = bytes.first().map_or(0, |first| first.leading_zeros());
    (bytes.len() * 8).saturating_sub(zeros as usize)
}

#[cfg(test)]
mod tests {
    use russh::keys::ssh_key::Mpint;
    use russh::keys::ssh_key::public::DsaPublicKey;

    use super::*;

    fn rsa(bits: usize) -> KeyData {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] = 0xff >> (modulus.len() * 8 - bits);
        let number = |bytes: &[u8]| Mpint::from_positive_bytes(bytes);
        KeyData::Rsa(RsaPublicKey::new(number(&[1, 0, 1]), number(&modulus)).unwrap())
    }

    #[test]
    fn a_key_is_as_weak_as_its_bits() {
        #[rustfmt::skip]
        let table = [
            (1024, Some(Weakness::ShortRsa(1024))),
            (2040, Some(Weakness::ShortRsa(2040))),
            (2047, Some(Weakness::ShortRsa(2047))),
            (2048, None),
            (4096, None),
            (8192, None),
            (8193, Some(Weakness::LongRsa(8193))),
        ];
        for (bits, weak) in table {
            assert_eq!(weakness(&rsa(bits)), weak, "{bits}");
        }
    }

    #[test]
    fn dsa_is_weak_whatever_its_size() {
        let number = || Mpint::from_positive_bytes(&[0x7f; 256]);
        let dsa = DsaPublicKey::new(number(), number(), number(), number()).unwrap();
        assert_eq!(weakness(&KeyData::Dsa(dsa)), Some(Weakness::Dsa));
    }
}
