//! How is whoever wants to log in answered, step by step?
//!
//! What it shows is judged by `login`; here it is told so in SSH's words (RFC 4252), and in the time that a
//! refusal takes. Why it is refused is for the log alone.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;

use russh::keys::{Algorithm, PublicKey};
use russh::server::Auth;
use russh::{MethodKind, MethodSet};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::attempt::Attempt;
use super::limits::LOGINS_PER_CONNECTION_MAX;
use super::pace::{Tried, told_after};
use super::serve::Parts;
use super::shown::shown_login;
use crate::login::{Answer, Half, Knock, Logins, NotBegun, Proven, Refused, Stay};
use crate::wellness::Part;

/// One connection that wants to log in.
pub(super) struct Admission {
    logins: Logins,
    attempt: Attempt,
    parts: Arc<Parts>,
    /// How many keys and passwords were refused.
    refused: u32,
    /// How many keys would do, or were the first half of what does: asking costs the server something, too.
    would_do: usize,
    /// As whom keys were offered that are none of the device's, why they were refused, and how many.
    untold: Option<(String, Refused, u32)>,
    /// The key was right where a password is to follow.
    half: Option<Half>,
    proven: Option<Proven>,
}

/// What a key or a password has come to.
enum Judged {
    Whole(Box<Proven>),
    Half(Half),
    /// For this reason, or because nobody could look.
    No(Option<Refused>),
}

/// Whoever had proven itself has no session after all.
pub(super) enum TurnedAway {
    /// It is told this.
    Told(&'static str),
    /// It is told nothing.
    Silently(russh::Error),
}

impl Admission {
    pub(super) fn new(logins: Logins, attempt: Attempt, parts: Arc<Parts>) -> Self {
        Self {
            logins,
            attempt,
            parts,
            refused: 0,
            would_do: 0,
            untold: None,
            half: None,
            proven: None,
        }
    }

    /// Returns where the peer is.
    pub(super) fn address(&self) -> SocketAddr {
        self.attempt.address
    }

    /// Answers a key that the peer says it holds.
    pub(super) async fn key_offered(
        &mut self,
        user: &str,
        (key, algorithm): (&PublicKey, &Algorithm),
    ) -> Auth {
        let asked = Instant::now();
        match self.judge_key(user, key, algorithm).await {
            Judged::Whole(_) | Judged::Half(_) => {
                self.count_what_would_do();
                Auth::Accept
            }
            Judged::No(why) => {
                self.refuse(Tried::Key, asked).await;
                match why {
                    // An agent offers many that are none of the device's.
                    Some(why) if why.is_usual() => {
                        let before = self.untold.take().map_or(0, |(_, _, count)| count);
                        self.untold = Some((shown_login(user), why, before + 1));
                    }
                    why => {
                        if why.is_some() {
                            self.tell_refused(user, why.as_ref());
                        }
                    }
                }
                Auth::reject()
            }
        }
    }

    /// Answers a key that the peer has proven to hold.
    pub(super) async fn key_held(
        &mut self,
        user: &str,
        (key, algorithm): (&PublicKey, &Algorithm),
    ) -> Auth {
        let asked = Instant::now();
        let judged = self.judge_key(user, key, algorithm).await;
        self.answer(user, judged, (Tried::Key, asked)).await
    }

    /// Answers a certificate: none is accepted.
    pub(super) async fn certificate(&mut self, user: &str) -> Auth {
        let asked = Instant::now();
        let judged = Judged::No(Some(Refused::Certificate));
        self.answer(user, judged, (Tried::Key, asked)).await
    }

    /// Answers a password.
    pub(super) async fn password(&mut self, user: &str, password: &str) -> Auth {
        let asked = Instant::now();
        self.attempt.wait();
        let (knock, half) = (self.knock(user), self.half.as_ref());
        let found = self.logins.by_password(knock, password, half).await;
        let judged = self.judged(found);
        self.answer(user, judged, (Tried::Password, asked)).await
    }

    /// Begins the session of whoever has proven itself.
    pub(super) async fn begin(&mut self, software: &str) -> Result<Stay, TurnedAway> {
        let Some(proven) = self.proven.take() else {
            return Err(TurnedAway::Silently(russh::Error::NotAuthenticated));
        };
        let (login, address) = (proven.login().to_owned(), self.address());
        self.attempt.wait();
        let begun = self.logins.begin(proven, software, self.parts.clock.read());
        // What goes wrong here is nobody's guess: it had proven itself.
        let stay = match self.attempt.answered(begun.await) {
            Ok(stay) => stay,
            Err(NotBegun::Catalog(failed)) => {
                self.tell_failed("begin a session", &failed);
                return Err(TurnedAway::Silently(russh::Error::Disconnect));
            }
            Err(why) => {
                warn!(peer.address = %address, device.login = %login, "Turned a session of `{login}` from {address} away: {why}");
                if let NotBegun::Full(_) = why {
                    // Its client is told, and need not hang up: its place is somebody else's soon.
                    self.attempt.spent.cancel();
                }
                return Err(match why {
                    NotBegun::Full(_) => TurnedAway::Told("this device has too many sessions"),
                    _ => TurnedAway::Silently(russh::Error::Disconnect),
                });
            }
        };
        info!(
            session.id = stay.who().session.0, device.login = %login, peer.address = %address, peer.software = %software,
            "Device `{login}` logged in from {address} with {software}"
        );
        Ok(stay)
    }

    async fn judge_key(&self, user: &str, key: &PublicKey, algorithm: &Algorithm) -> Judged {
        if matches!(algorithm, Algorithm::Rsa { hash: None } | Algorithm::Dsa) {
            return Judged::No(Some(Refused::OldSignature));
        }
        self.attempt.wait();
        let found = self.logins.by_key(self.knock(user), key).await;
        self.judged(found)
    }

    fn knock<'a>(&self, login: &'a str) -> Knock<'a> {
        Knock {
            login,
            address: self.attempt.address,
            at: self.parts.clock.read(),
        }
    }

    /// Where the catalog does not answer nobody is let in, and it is nobody's fault.
    fn judged<E: Display>(&self, found: Result<Answer, E>) -> Judged {
        match self.attempt.answered(found) {
            Ok(Answer::Proven(proven)) => Judged::Whole(proven),
            Ok(Answer::Half(half)) => Judged::Half(half),
            Ok(Answer::Refused(why)) => Judged::No(Some(why)),
            Err(error) => {
                self.parts.counts.logins_failed.one();
                self.tell_failed("look up a login", &error);
                Judged::No(None)
            }
        }
    }

    /// Lets a refusal take its time from when it was asked for.
    async fn refuse(&mut self, tried: Tried, asked: Instant) {
        match tried {
            Tried::Key => self.parts.counts.keys_refused.one(),
            Tried::Password => self.parts.counts.passwords_refused.one(),
        }
        let told = told_after(tried, self.refused, self.attempt.patience, asked.elapsed());
        self.refused = self.refused.saturating_add(1);
        tokio::time::sleep_until(asked + told).await;
        self.attempt.refused(self.refused);
    }

    /// Ends the attempt of whoever asks again and again whether a key would do, and never logs in.
    fn count_what_would_do(&mut self) {
        self.would_do += 1;
        if self.would_do > LOGINS_PER_CONNECTION_MAX {
            self.attempt.spent.cancel();
        }
    }

    async fn answer(
        &mut self,
        user: &str,
        judged: Judged,
        (tried, asked): (Tried, Instant),
    ) -> Auth {
        self.proven = None;
        match judged {
            Judged::Whole(proven) => {
                self.proven = Some(*proven);
                Auth::Accept
            }
            Judged::Half(half) => {
                debug!(peer.address = %self.address(), "The key of {} is right; its password is to follow", shown_login(user));
                self.half = Some(half);
                self.count_what_would_do();
                Auth::Reject {
                    proceed_with_methods: Some(second_methods()),
                    partial_success: true,
                }
            }
            Judged::No(why) => {
                self.refuse(tried, asked).await;
                self.tell_refused(user, why.as_ref());
                // The methods stay: a person who mistypes a password is asked again, a few times.
                let is_half = self.half.as_ref().is_some_and(|half| half.login() == user);
                let methods = if is_half { second_methods() } else { methods() };
                Auth::Reject {
                    proceed_with_methods: Some(methods),
                    partial_success: false,
                }
            }
        }
    }

    /// Says what the catalog did not do; what fails it, it has told.
    fn tell_failed(&self, what: &str, why: &dyn Display) {
        let address = self.address();
        if self.parts.ingest.wellness().works(Part::CatalogWrites) {
            error!("Could not {what} from {address}: {why}");
        } else {
            debug!("Could not {what} from {address}: {why}");
        }
    }

    /// Tells of the keys that a client has offered which then did not log in: whoever has the wrong key proves nothing
    /// with it, and hangs up.
    pub(super) fn tell_untold(&self) {
        if let Some((login, why, keys)) = &self.untold {
            let address = self.address();
            info!(peer.address = %address, "Refused a login as {login} from {address}: {why} (keys offered: {keys})");
        }
    }

    fn tell_refused(&self, user: &str, why: Option<&Refused>) {
        let (address, login) = (self.address(), shown_login(user));
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        info!(peer.address = %address, "Refused a login as {login} from {address}{why}");
    }
}

/// By what a device may prove itself.
pub(super) fn methods() -> MethodSet {
    MethodSet::from(&[MethodKind::PublicKey, MethodKind::Password][..])
}

/// What may follow a key that is not enough.
fn second_methods() -> MethodSet {
    MethodSet::from(&[MethodKind::Password][..])
}
