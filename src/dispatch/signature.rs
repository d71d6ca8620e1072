//! How does a receiver know that it was us?
//!
//! As Standard Webhooks 1.0.0 has it, for which receivers find libraries: HMAC-SHA256 over the id, the
//! time and the body, with a secret that both sides know.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// The bytes of a secret that we make; the standard asks for 24 to 64.
pub(super) const SECRET_BYTES: usize = 32;

/// What both sides know.
pub struct Secret(hmac::Key);

/// Text that is no secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret of the webhook is not one of ours: remove the webhook and add it again")]
pub struct InvalidSecret;

impl Secret {
    /// Returns a secret as it is shown, made of random bytes.
    pub fn shown(random: [u8; SECRET_BYTES]) -> String {
        format!("{PREFIX}{}", STANDARD.encode(random))
    }

    /// Reads a secret as it is shown.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(InvalidSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Signs a body that is sent under `id` at `seconds` since 1970.
    pub fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let signed = format!("{id}.{seconds}.{body}");
        let tag = hmac::sign(&self.0, signed.as_bytes());
        format!("v1,{}", STANDARD.encode(tag.as_ref()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standards_own_example() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();

        let signature = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );

        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_we_make_is_one_that_we_take() {
        let shown = Secret::shown([7; SECRET_BYTES]);

        assert!(shown.starts_with("whsec_"));
        assert!(Secret::parse(&shown).is_ok());
        assert_eq!(format!("{:?}", Secret::parse(&shown).unwrap()), "Secret");
    }

    #[test]
    fn what_is_too_short_too_long_or_no_base64_is_no_secret() {
        for bytes in [23, 65] {
            let text = format!("whsec_{}", STANDARD.encode(vec![1; bytes]));
            assert_eq!(Secret::parse(&text).unwrap_err(), InvalidSecret);
        }
        for text in ["", "whsec_", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert!(Secret::parse(text).is_err(), "{text}");
        }
    }
}
