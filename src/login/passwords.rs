//! How is a password kept, and known again?

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

/// The hash of nobody's password, so that an unknown login costs what a known one does.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2x1aXNzbHVpc3NsdWlz$Pj0LhWcHXWcAvoNYHbjF8bGNPxZ7MTnCIyIM2cS2Ptk";

/// Hashes a password as the catalog keeps it: argon2id with a salt of its own, in PHC form.
///
/// # Errors
///
/// When the system has no randomness, or the password is beyond argon2's limits.
pub fn hash_password(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default()
        .hash_password(password.as_bytes())?
        .to_string())
}

/// Says whether `hash` is of `password`. Where there is none it costs the same.
pub(super) fn verify(hash: Option<&str>, password: &str) -> bool {
    let is_known = hash.is_some();
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else {
        return false;
    };
    let matches = Argon2::default()
        .verify_password(password.as_bytes(), &parsed)
        .is_ok();
    matches && is_known
}

/// Says whether a hash was made with less than [`hash_password`] takes today.
pub(super) fn is_outdated(hash: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else {
        return true;
    };
    let Ok(made) = Params::try_from(&parsed) else {
        return true;
    };
    let now = Params::DEFAULT;
    let is_less = made.m_cost() < now.m_cost()
        || made.t_cost() < now.t_cost()
        || made.p_cost() < now.p_cost();
    let same_version = parsed.version == Some(Version::default().into());
    let same_algorithm = parsed.algorithm == Algorithm::default().ident();
    is_less || !same_version || !same_algorithm
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Answer, Knock, Logins, Refused, VERIFIED_AT_ONCE};
    use super::*;
    use crate::catalog::Catalog;
    use crate::model::Timestamp;

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let hash = hash_password("Zeer-Geheim-1").unwrap();

        assert!(hash.starts_with("$argon2id$"));
        assert_ne!(
            hash,
            hash_password("Zeer-Geheim-1").unwrap(),
            "each has its own salt"
        );
        assert!(verify(Some(&hash), "Zeer-Geheim-1"));
        assert!(!verify(Some(&hash), "zeer-geheim-1"));
        assert!(!verify(Some(&hash), ""));
    }

    #[test]
    fn a_device_without_a_password_has_none_that_fits() {
        assert!(PasswordHash::new(NOBODY).is_ok());
        for guess in ["", "sluis", NOBODY] {
            assert!(!verify(None, guess));
            assert!(!verify(Some(""), guess));
        }
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "what an answer costs is what is asked"
    )]
    fn whoever_has_no_password_costs_what_one_costs() {
        use std::time::Instant;
        let hash = hash_password("Zeer-Geheim-1").unwrap();
        let cost = |hash: Option<&str>| -> Duration {
            let begun = Instant::now();
            assert!(!verify(hash, "winter2026"));
            begun.elapsed()
        };

        // The quickest of some: what else the machine does makes none quicker, and slows both.
        let costs = (0..5).map(|_| (cost(None), cost(Some(&hash))));
        let most = (Duration::MAX, Duration::MAX);
        let (nobody, somebody) = costs.fold(most, |least, cost| {
            (least.0.min(cost.0), least.1.min(cost.1))
        });

        // Without a hash it would be a thousandth.
        assert!(nobody > somebody / 4, "{nobody:?}, {somebody:?}");
    }

    #[tokio::test]
    async fn an_unknown_login_waits_for_its_turn_to_be_computed_with_as_a_known_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        let logins = Logins::new(Catalog::open(&file).await.unwrap());
        let knock = Knock {
            login: "peeters.nobody",
            address: "203.0.113.9:2222".parse().unwrap(),
            at: Timestamp(0),
        };
        let all = u32::try_from(VERIFIED_AT_ONCE).unwrap();
        let turns = logins.verifying.acquire_many(all).await.unwrap();

        let mut asked = Box::pin(logins.by_password(knock, "winter2026", None));

        let more = Duration::from_millis(200); // without a turn it would take one question to the catalog
        assert!(tokio::time::timeout(more, asked.as_mut()).await.is_err());
        drop(turns);
        let answer = asked.await.unwrap();
        assert!(
            matches!(answer, Answer::Refused(Refused::Unknown)),
            "{answer:?}"
        );
    }

    #[test]
    fn a_hash_is_outdated_when_less_went_into_it_than_today() {
        let now = hash_password("Zeer-Geheim-1").unwrap();
        assert!(!is_outdated(&now));
        assert!(!is_outdated(NOBODY), "nobody costs what somebody costs");
        for (what, outdated) in [
            ("m=19456,t=2,p=1", false),
            ("m=65536,t=3,p=4", false),
            ("m=19455,t=2,p=1", true),
            ("m=65536,t=1,p=1", true),
        ] {
            let other = now.replace("m=19456,t=2,p=1", what);
            assert_eq!(is_outdated(&other), outdated, "{what}");
        }
        assert!(is_outdated(&now.replace("argon2id", "argon2i")));
        assert!(is_outdated(&now.replace("v=19", "v=16")));
        assert!(is_outdated("nothing"));
    }
}
