//! Who is at the door?
//!
//! A login is `FIRM.DEVICE`. Whatever goes wrong, the answer is no: only a value of [`Proven`] opens
//! a session, and only a matching key or password makes one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};

use tokio::sync::Semaphore;
use tracing::{debug, info, warn};

use crate::catalog::{self, Catalog, Credential, NewSession};
use crate::evidence::Connected;
use crate::model::{SessionId, Timestamp};
use crate::tree::Who;

/// What lets devices in. A clone is the same.
#[derive(Clone)]
pub struct Logins {
    catalog: Catalog,
    verifying: Arc<Semaphore>,
    unended: Arc<Mutex<BTreeMap<SessionId, Timestamp>>>,
}

/// Ends of sessions that are kept until the catalog answers: more than may be connected. Of those past it the
/// next start notes the end.
pub const UNENDED_MAX: usize = 100_000;

/// Ends of sessions that are noted in one transaction: others wait for it.
const ENDS_MAX: usize = 500;

/// Passwords that are verified at a time. Each takes 19 MiB, and nobody has logged in yet.
const VERIFIED_AT_ONCE: usize = 2;

/// A device that has proven itself.
#[derive(Debug, Clone)]
pub struct Proven {
    login: String,
    credential: Credential,
    by: String,
}

impl Logins {
    /// Joins what logins need.
    pub fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
            verifying: Arc::new(Semaphore::new(VERIFIED_AT_ONCE)),
            unended: Arc::default(),
        }
    }

    /// Says whether `key`, in OpenSSH's one-line form without comment, is one of the device's.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer; the peer is told no.
    pub async fn by_key(
        &self,
        login: &str,
        key: &str,
        fingerprint: &str,
    ) -> Result<Option<Proven>, catalog::Error> {
        let credential = self.find(login).await?;
        let known =
            credential.filter(|credential| credential.public_keys.iter().any(|own| own == key));
        Ok(known.map(|credential| Proven {
            login: login.to_owned(),
            credential,
            by: fingerprint.to_owned(),
        }))
    }

    /// Says whether `password` is the device's. An unknown login takes as long as a known one.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer; the peer is told no.
    pub async fn by_password(
        &self,
        login: &str,
        password: &str,
    ) -> Result<Option<Proven>, catalog::Error> {
        let credential = self.find(login).await?;
        let hash = credential
            .as_ref()
            .and_then(|credential| credential.password_hash.clone());
        let password = password.to_owned();
        let Ok(_turn) = self.verifying.acquire().await else {
            return Ok(None);
        };
        let matches = tokio::task::spawn_blocking(move || verify(hash.as_deref(), &password))
            .await
            .unwrap_or(false);
        let proven = |credential| Proven {
            login: login.to_owned(),
            credential,
            by: "password".to_owned(),
        };
        Ok(credential.filter(|_| matches).map(proven))
    }

    /// Opens a session for a device that has proven itself.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer.
    pub async fn begin(
        &self,
        proven: Proven,
        address: &str,
        software: &str,
        now: Timestamp,
    ) -> Result<Who, catalog::Error> {
        let Proven {
            login,
            credential,
            by,
        } = proven;
        let (firm, device) = (credential.firm, credential.device);
        let new = NewSession {
            firm,
            device,
            address,
            software,
            credential: &by,
        };
        let connected = Connected {
            device,
            address,
            software,
            credential: &by,
            started_at: now,
        };
        let session = self.catalog.begin_session(&new, now).await?;
        Ok(Who {
            firm,
            device,
            login,
            kind: credential.kind,
            session,
            since: now,
            seal: connected.seal(),
        })
    }

    /// Notes that a session has ended, at once or when the catalog answers again.
    ///
    /// One that seems to last would tell that its device is there, and keep documents from expiring.
    pub async fn end(&self, session: SessionId, now: Timestamp) {
        if let Err(error) = self.catalog.end_sessions(&[(session, now)]).await {
            warn!(
                session.id = session.0,
                "Could not note the end of a session; it is tried again: {error}"
            );
            self.keep_unended(&[(session, now)]);
        }
    }

    /// Notes the ends that could not be noted before, each with its own time. The door calls it every few seconds.
    pub async fn end_late(&self) {
        loop {
            let ends = self.take_unended();
            if ends.is_empty() {
                return;
            }
            if let Err(error) = self.catalog.end_sessions(&ends).await {
                self.keep_unended(&ends);
                debug!("Could not note the ends of sessions; it is tried again: {error}");
                return;
            }
            info!("Noted the ends of {} sessions late", ends.len());
        }
    }

    fn keep_unended(&self, ends: &[(SessionId, Timestamp)]) {
        let mut unended = self.unended.lock().unwrap_or_else(PoisonError::into_inner);
        let room = UNENDED_MAX.saturating_sub(unended.len());
        unended.extend(ends.iter().take(room).copied());
    }

    fn take_unended(&self) -> Vec<(SessionId, Timestamp)> {
        let mut unended = self.unended.lock().unwrap_or_else(PoisonError::into_inner);
        let first: Vec<_> = unended
            .iter()
            .take(ENDS_MAX)
            .map(|(id, at)| (*id, *at))
            .collect();
        for (id, _) in &first {
            unended.remove(id);
        }
        first
    }

    async fn find(&self, login: &str) -> Result<Option<Credential>, catalog::Error> {
        match login.split_once('.') {
            Some((firm, device)) => self.catalog.credential(firm, device).await,
            None => Ok(None),
        }
    }
}

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

fn verify(hash: Option<&str>, password: &str) -> bool {
    let is_known = hash.is_some();
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else {
        return false;
    };
    let matches = Argon2::default()
        .verify_password(password.as_bytes(), &parsed)
        .is_ok();
    matches && is_known
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[tokio::test]
    async fn one_end_more_than_there_is_room_for_is_left_to_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        let logins = Logins::new(Catalog::open(&file).await.unwrap());
        let one_more = i64::try_from(UNENDED_MAX).unwrap() + 1;
        let ends: Vec<_> = (0..one_more)
            .map(|id| (SessionId(id), Timestamp(id)))
            .collect();

        logins.keep_unended(&ends);

        assert_eq!(logins.unended.lock().unwrap().len(), UNENDED_MAX);
        assert_eq!(logins.take_unended(), ends[..ENDS_MAX]);
        assert_eq!(logins.unended.lock().unwrap().len(), UNENDED_MAX - ENDS_MAX);
    }

    #[test]
    fn a_device_without_a_password_has_none_that_fits() {
        assert!(PasswordHash::new(NOBODY).is_ok());
        for guess in ["", "sluis", NOBODY] {
            assert!(!verify(None, guess));
            assert!(!verify(Some(""), guess));
        }
    }
}
