//! Who is at the door, and may whoever came in stay?
//!
//! A login is `FIRM.DEVICE`. Whatever goes wrong, the answer is no: only a value of [`Proven`] opens
//! a session, and only what a device alone can have makes one.

mod ends;
mod holdings;
mod judging;
mod passwords;
mod present;
mod strength;
mod who;

use core::num::NonZeroU16;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use russh::keys::PublicKey;
use tokio::sync::Semaphore;
use tracing::{info, warn};

pub use ends::UNENDED_MAX;
pub use holdings::{Holdings, LISTINGS_DEVICE_MAX, Remembered, Sum, Turn};
pub use judging::Refused;
pub use passwords::hash_password;
pub use strength::{RSA_BITS_MAX, RSA_BITS_MIN, Weakness, weakness};
pub use who::Who;

use judging::{Shown, Verdict, judge};
use present::{Present, Seat};
use who::Checked;

use crate::catalog::{self, Catalog, Credential, NewSession, StoredPassword};
use crate::evidence::Connected;
use crate::model::{SessionId, Timestamp};

/// What lets devices in. A clone is the same.
#[derive(Clone)]
pub struct Logins {
    catalog: Catalog,
    sessions_max: usize,
    verifying: Arc<Semaphore>,
    present: Arc<Present>,
    /// The catalog did not say who may stay, the last time.
    is_blind: Arc<AtomicBool>,
    unended: Arc<Mutex<BTreeMap<SessionId, Timestamp>>>,
}

/// Sessions of one device at a time. Programs open one, or some for as many transfers: lftp and rclone four to
/// twelve. Several may share a login, and a dead one keeps its place until it is found out.
pub const SESSIONS_PER_DEVICE_MAX: NonZeroU16 = NonZeroU16::MIN.saturating_add(31);

/// Passwords that are verified at a time. Each takes 19 MiB, and nobody has logged in yet.
const VERIFIED_AT_ONCE: usize = 2;

/// How often a login is judged again whose device is being changed while its session begins.
const JUDGED_MAX: usize = 8;

/// How exactly it is known when a key was last used, in milliseconds: a script that logs in each minute writes
/// that down once an hour.
const USED_STEP_MS: i64 = 60 * 60 * 1000;

/// Somebody at the door.
#[derive(Debug, Clone, Copy)]
pub struct Knock<'a> {
    /// Who it says it is.
    pub login: &'a str,
    /// Where it is.
    pub address: SocketAddr,
    /// When.
    pub at: Timestamp,
}

/// What whoever knocks has come to.
#[derive(Debug)]
pub enum Answer {
    /// A session may begin.
    Proven(Box<Proven>),
    /// Its key is right, and its password is still to come.
    Half(Half),
    /// Nothing.
    Refused(Refused),
}

/// A device that has proven itself.
///
/// Nobody else makes one: it can be read,
///
/// ```
/// use sluis::login::Proven;
///
/// fn login_of(proven: Proven) -> String {
///     proven.login().to_owned()
/// }
/// ```
///
/// and not even who has one can make another of it:
///
/// ```compile_fail,E0451
/// use sluis::login::Proven;
///
/// fn another(proven: Proven) -> Proven {
///     Proven { login: "peeters.server".to_owned(), ..proven }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Proven {
    login: String,
    device: Credential,
    shown: Shown,
    address: SocketAddr,
}

/// A device that has shown its key, where its password is asked for too.
#[derive(Debug, Clone)]
pub struct Half {
    login: String,
    fingerprint: String,
}

/// A session that is open. Dropped, it no longer counts among those of its device.
#[derive(Debug)]
pub struct Stay {
    who: Arc<Who>,
    seat: Seat,
}

/// No session has begun, though the device had proven itself.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    /// It has as many as it may.
    #[error("it has {0} sessions already, which is the most (`[sftp] sessions_per_device`)")]
    Full(usize),
    /// Something has changed since, and it may no longer come in.
    #[error("{0}")]
    Refused(Refused),
    /// Its device is being changed again and again.
    #[error("its device was changed {JUDGED_MAX} times meanwhile")]
    Changing,
    /// The catalog does not answer.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
}

impl Logins {
    /// Joins what logins need.
    pub fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
            sessions_max: SESSIONS_PER_DEVICE_MAX.get().into(),
            verifying: Arc::new(Semaphore::new(VERIFIED_AT_ONCE)),
            present: Arc::default(),
            is_blind: Arc::default(),
            unended: Arc::default(),
        }
    }

    /// Lets each device have so many sessions at a time.
    #[must_use]
    pub fn with_sessions_max(self, sessions_max: NonZeroU16) -> Self {
        Self {
            sessions_max: sessions_max.get().into(),
            ..self
        }
    }

    /// Judges a key that whoever knocks holds, or says that it holds.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer; the peer is told no.
    pub async fn by_key(
        &self,
        knock: Knock<'_>,
        key: &PublicKey,
    ) -> Result<Answer, catalog::Error> {
        let Some(device) = self.find(knock.login).await? else {
            return Ok(Answer::Refused(Refused::Unknown));
        };
        let bare = PublicKey::new(key.key_data().clone(), "").to_openssh();
        let mut keys = device.keys.iter();
        let own = keys.find(|own| {
            bare.as_ref()
                .is_ok_and(|bare| own.key.public_key.as_str() == bare)
        });
        let Some(own) = own else {
            return Ok(Answer::Refused(Refused::WrongKey));
        };
        let fingerprint = own.key.fingerprint.clone();
        if let Some(weakness) = weakness(key.key_data()) {
            let weak = Refused::Weak {
                fingerprint,
                weakness,
            };
            return Ok(Answer::Refused(weak));
        }
        let shown = Shown {
            key: Some(fingerprint),
            password: None,
        };
        Ok(answer(knock, device, shown))
    }

    /// Judges a password. An unknown login takes as long as a known one. Where a key must come first, `half` is
    /// what it has come to.
    ///
    /// # Errors
    ///
    /// When the catalog does not answer; the peer is told no.
    pub async fn by_password(
        &self,
        knock: Knock<'_>,
        password: &str,
        half: Option<&Half>,
    ) -> Result<Answer, catalog::Error> {
        let device = self.find(knock.login).await?;
        let stored = device.as_ref().and_then(|device| device.password.clone());
        let hash = stored.as_ref().map(|stored| stored.hash.clone());
        let tried = password.to_owned();
        let is_right = self
            .compute(move || passwords::verify(hash.as_deref(), &tried))
            .await;
        let Some(device) = device else {
            return Ok(Answer::Refused(Refused::Unknown));
        };
        let Some(stored) = stored.filter(|_| is_right == Some(true)) else {
            return Ok(Answer::Refused(Refused::WrongPassword));
        };
        let half = half.filter(|half| half.login == knock.login);
        let shown = Shown {
            key: half.map(|half| half.fingerprint.clone()),
            password: Some(stored.version),
        };
        let answer = answer(knock, device, shown);
        if let Answer::Proven(proven) = &answer {
            self.rehash(proven, &stored, password).await;
        }
        Ok(answer)
    }

    /// Keeps a password under a hash of today, where it was made when less was taken.
    async fn rehash(&self, proven: &Proven, stored: &StoredPassword, password: &str) {
        if !passwords::is_outdated(&stored.hash) {
            return;
        }
        let tried = password.to_owned();
        let hash = self.compute(move || hash_password(&tried).ok()).await;
        let Some(hash) = hash.flatten() else { return };
        let (login, id) = (&proven.login, proven.device.device);
        match self.catalog.rehash_password(id, (stored, &hash)).await {
            Ok(()) => info!("Keeps the password of `{login}` under a stronger hash"),
            // The next login tries again.
            Err(error) => warn!("Could not keep a stronger hash for `{login}`: {error}"),
        }
    }

    /// Computes with passwords, a few at a time.
    async fn compute<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _turn = self.verifying.acquire().await.ok()?;
        tokio::task::spawn_blocking(compute).await.ok()
    }

    /// Opens a session for a device that has proven itself.
    ///
    /// # Errors
    ///
    /// When it has as many as it may, something has changed since it was judged, or the catalog does not answer.
    pub async fn begin(
        &self,
        mut proven: Proven,
        software: &str,
        now: Timestamp,
    ) -> Result<Stay, NotBegun> {
        for _ in 0..JUDGED_MAX {
            let by = (&proven.shown, proven.address.ip());
            let most = self.sessions_max;
            let seat = self.present.enter(&proven.device, by, most);
            let seat = seat.ok_or(NotBegun::Full(most))?;
            if let Some(who) = self.write_down(&proven, &seat, software, now).await? {
                let who = Arc::new(who);
                return Ok(Stay { who, seat });
            }
            drop(seat);
            proven = self.judge_again(proven, now).await?;
        }
        Err(NotBegun::Changing)
    }

    /// None, if something about the device has changed since it was judged.
    async fn write_down(
        &self,
        proven: &Proven,
        seat: &Seat,
        software: &str,
        now: Timestamp,
    ) -> Result<Option<Who>, catalog::Error> {
        let device = &proven.device;
        let (address, credential) = (proven.address.to_string(), proven.shown.told());
        let new = NewSession {
            firm: device.firm,
            device: device.device,
            address: &address,
            software,
            credential: &credential,
            access: device.access,
            key_used: proven.key_to_note(now),
        };
        let connected = Connected {
            device: device.device,
            address: &address,
            software,
            credential: &credential,
            started_at: now,
        };
        let session = self.catalog.begin_session(&new, now).await?;
        let device_holds = seat.device_holds();
        Ok(session.map(|session| Who {
            firm: device.firm,
            device: device.device,
            login: proven.login.clone(),
            kind: device.kind,
            session,
            since: device_holds.begin(now),
            seal: connected.seal(),
            device_holds,
            _checked: Checked,
        }))
    }

    async fn judge_again(&self, proven: Proven, now: Timestamp) -> Result<Proven, NotBegun> {
        let device = self.catalog.credential_of(proven.device.device).await?;
        let device = device.ok_or(NotBegun::Refused(Refused::Unknown))?;
        let knock = Knock {
            login: &proven.login,
            address: proven.address,
            at: now,
        };
        match answer(knock, device, proven.shown) {
            Answer::Proven(proven) => Ok(*proven),
            Answer::Half(_) => Err(NotBegun::Changing),
            Answer::Refused(why) => Err(NotBegun::Refused(why)),
        }
    }

    /// Ends the sessions that may not go on: of a device that was disabled or removed, with a key or password that
    /// was taken away or has expired, or from where the device no longer logs in. The door calls it several times a
    /// second.
    pub async fn round(&self, now: Timestamp) {
        if self.present.is_empty() {
            return;
        }
        self.present.expire(now);
        let looked = self.look(now).await;
        let was_blind = self.is_blind.swap(looked.is_err(), Ordering::Relaxed);
        if let Err(error) = looked
            && self.catalog.is_news(&error)
            && !was_blind
        {
            warn!("Could not ask which sessions may go on; it is tried again: {error}");
        }
    }

    async fn look(&self, now: Timestamp) -> Result<(), catalog::Error> {
        let moment = self.catalog.moment_now().await?;
        let devices = self.present.unjudged(moment);
        let accesses = self.catalog.accesses(&devices).await?;
        let mut unread = None;
        for id in self.present.changed(devices, &accesses) {
            match self.catalog.credential_of(id).await {
                Ok(device) => self.present.judge(id, device.as_ref(), now),
                // It spares no other.
                Err(error) => unread = Some(error),
            }
        }
        if let Some(error) = unread {
            return Err(error);
        }
        self.present.judged(moment);
        Ok(())
    }

    async fn find(&self, login: &str) -> Result<Option<Credential>, catalog::Error> {
        match login.split_once('.') {
            Some((firm, device)) => self.catalog.credential(firm, device).await,
            None => Ok(None),
        }
    }
}

impl Proven {
    /// Returns who it is: `FIRM.DEVICE`.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// The key whose use is to be noted: not again within [`USED_STEP_MS`].
    fn key_to_note(&self, now: Timestamp) -> Option<&str> {
        let fingerprint = self.shown.key.as_deref()?;
        let used_at = judging::key_of(&self.device, fingerprint)?.used_at;
        let is_time = used_at.is_none_or(|at| now >= at.plus_ms(USED_STEP_MS));
        is_time.then_some(fingerprint)
    }
}

impl Half {
    /// Returns who it is: `FIRM.DEVICE`.
    pub fn login(&self) -> &str {
        &self.login
    }
}

impl Stay {
    /// Returns whose session it is.
    pub fn who(&self) -> &Arc<Who> {
        &self.who
    }

    /// Returns why it may not go on, once that is so.
    pub async fn ended(&self) -> Refused {
        self.seat.ended().await
    }
}

/// The one place where a [`Proven`] is made.
fn answer(knock: Knock<'_>, device: Credential, shown: Shown) -> Answer {
    let verdict = judge(&device, &shown, knock.address.ip(), knock.at);
    let login = knock.login.to_owned();
    match (verdict, shown) {
        (Ok(Verdict::Whole), shown) => Answer::Proven(Box::new(Proven {
            login,
            device,
            shown,
            address: knock.address,
        })),
        (Ok(Verdict::Half), Shown { key: Some(key), .. }) => Answer::Half(Half {
            login,
            fingerprint: key,
        }),
        (Ok(Verdict::Half), _) => Answer::Refused(Refused::KeyFirst),
        (Err(why), _) => Answer::Refused(why),
    }
}
