//! Who says so, and is it what was said?
//!
//! A text is signed with the server's Ed25519 host key, as `ssh-keygen -Y sign` does (OpenSSH's
//! `PROTOCOL.sshsig`), so that anybody can check it with `ssh-keygen -Y verify` and the key that devices
//! know this server by.

use russh::keys::ssh_key::{LineEnding, SshSig};
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};

/// What our signatures are for: one that was made for something else proves nothing here.
pub const NAMESPACE: &str = "receipt@sluis";

/// A text that is not signed, or not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no Ed25519 key to sign with.
    #[error("there is no Ed25519 host key to sign with")]
    NoKey,
    /// It cannot be signed.
    #[error("could not sign")]
    Sign(#[source] russh::keys::ssh_key::Error),
    /// The signature is none.
    #[error("the signature is not one of OpenSSH's form")]
    Form(#[source] russh::keys::ssh_key::Error),
    /// The signature is for something else.
    #[error("the signature was made for `{0}`, not for receipts (`{NAMESPACE}`)")]
    Namespace(String),
    /// Somebody else signed.
    #[error("it was signed with another key, {found}; expected was {expected}")]
    Key {
        /// The key that signed.
        found: String,
        /// The key that should have.
        expected: String,
    },
    /// The text is not the one that was signed.
    #[error(
        "the signature does not fit the receipt: one of the two was changed after it was signed"
    )]
    Changed,
}

/// Signs `text` with the Ed25519 key among `keys`; returns the signature and the key's public half.
///
/// # Errors
///
/// When there is no such key, or it cannot sign.
pub fn sign(keys: &[PrivateKey], text: &str) -> Result<(String, PublicKey), Error> {
    let is_ed25519 = |key: &&PrivateKey| key.algorithm() == Algorithm::Ed25519;
    let key = keys.iter().find(is_ed25519).ok_or(Error::NoKey)?;
    let signed = key.sign(NAMESPACE, HashAlg::Sha512, text.as_bytes());
    let pem = signed.and_then(|signature| signature.to_pem(LineEnding::LF));
    Ok((pem.map_err(Error::Sign)?, key.public_key().clone()))
}

/// Checks that `key` signed `text`, as a receipt.
///
/// # Errors
///
/// When it did not.
pub fn check(key: &PublicKey, text: &str, signature: &str) -> Result<(), Error> {
    let signature = SshSig::from_pem(signature).map_err(Error::Form)?;
    if signature.namespace() != NAMESPACE {
        return Err(Error::Namespace(signature.namespace().to_owned()));
    }
    if signature.public_key() != key.key_data() {
        let print = |data: &russh::keys::ssh_key::public::KeyData| {
            data.fingerprint(HashAlg::Sha256).to_string()
        };
        return Err(Error::Key {
            found: print(signature.public_key()),
            expected: print(key.key_data()),
        });
    }
    key.verify(NAMESPACE, text.as_bytes(), &signature)
        .map_err(|_| Error::Changed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap()
    }

    #[test]
    fn what_was_signed_is_told_from_what_was_not() {
        let (own, other) = (key(), key());
        let (signature, public) = sign(std::slice::from_ref(&own), "a receipt").unwrap();
        let for_files = own.sign("file", HashAlg::Sha512, b"a receipt").unwrap();
        let for_files = for_files.to_pem(LineEnding::LF).unwrap();
        let check = |key: &PublicKey, text: &str, signature: &str| check(key, text, signature);

        assert!(check(&public, "a receipt", &signature).is_ok());
        let changed = check(&public, "a receipT", &signature);
        assert!(matches!(changed, Err(Error::Changed)));
        let elsewhere = check(other.public_key(), "a receipt", &signature);
        assert!(matches!(elsewhere, Err(Error::Key { .. })));
        let for_files = check(&public, "a receipt", &for_files);
        assert!(matches!(for_files, Err(Error::Namespace(_))));
        let none = check(&public, "a receipt", "a signature");
        assert!(matches!(none, Err(Error::Form(_))));
        assert!(matches!(sign(&[], "a receipt"), Err(Error::NoKey)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_changed_byte_is_found(at in any::<prop::sample::Index>(), bit in 0u8..7) {
            let own = key();
            let text = r#"{"receipt":"sluis 1","sure":"read"}"#;
            let (signature, public) = sign(&[own], text).unwrap();
            let mut bytes = text.as_bytes().to_vec();
            bytes[at.index(text.len())] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();

            prop_assert!(matches!(check(&public, &changed, &signature), Err(Error::Changed)));
        }
    }
}
