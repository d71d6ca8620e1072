//! What may a connection do, before and after its login?
//!
//! It logs in with a key or a password, opens session channels, and asks for the `sftp` subsystem, or
//! for hashes by the names of the programs that print them. Everything else is refused: no shell, no
//! command, no forwarding, no agent, no X11.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use russh::keys::{Algorithm, HashAlg, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session as Ssh, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::answers::Answers;
use super::attempt::Attempt;
use super::channels::Port;
use super::intake::{Ended, Intake};
use super::limits::CHANNELS_MAX;
use super::pace::{Tried, told_after};
use super::room::Room;
use super::serve::{Parts, Session};
use crate::guard::Guard;
use crate::login::{Logins, Proven};
use crate::tree::{View, Who};

/// What every connection needs.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) logins: Logins,
    pub(super) guard: Guard,
    pub(super) parts: Parts,
    /// Sessions, so that the door can wait for them.
    pub(super) sessions: TaskTracker,
}

/// One connection, from its version to its end.
pub(super) struct Connection {
    pub(super) shared: Shared,
    pub(super) attempt: Attempt,
    /// How many keys and passwords were refused.
    refused: u32,
    proven: Option<Proven>,
    software: Arc<str>,
    pub(super) who: Option<Arc<Who>>,
    pub(super) channels: HashMap<ChannelId, Port>,
    /// How many channels it has asked for.
    pub(super) asked: usize,
    /// What its sessions hold together.
    room: Arc<Room>,
    /// What commands see, once there was one.
    pub(super) view: Option<Arc<Mutex<View>>>,
    /// Whether the log has told of a command that is not answered here.
    pub(super) told_of_command: bool,
    /// Cancelled when the connection is gone.
    dead: CancellationToken,
    /// What it serves: its session has ended when all of them have.
    pub(super) serving: TaskTracker,
    /// Told of the login, which frees its place among those that have not logged in.
    logged_in: watch::Sender<Option<Arc<Who>>>,
}

impl Connection {
    pub(super) fn new(
        shared: Shared,
        attempt: Attempt,
        dead: CancellationToken,
        serving: TaskTracker,
        logged_in: watch::Sender<Option<Arc<Who>>>,
    ) -> Self {
        Self {
            shared,
            attempt,
            refused: 0,
            proven: None,
            software: "".into(),
            who: None,
            channels: HashMap::new(),
            asked: 0,
            room: Arc::default(),
            view: None,
            told_of_command: false,
            dead,
            serving,
            logged_in,
        }
    }

    async fn judge_key(
        &self,
        user: &str,
        key: &PublicKey,
        algorithm: &Algorithm,
    ) -> Option<Proven> {
        if matches!(algorithm, Algorithm::Rsa { hash: None } | Algorithm::Dsa) {
            return None; // signed with SHA-1
        }
        let text = PublicKey::new(key.key_data().clone(), "")
            .to_openssh()
            .ok()?;
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        self.attempt.wait();
        let found = self.shared.logins.by_key(user, &text, &fingerprint).await;
        self.judged(found)
    }

    /// Where the catalog does not answer nobody is let in, and it is nobody's fault.
    fn judged<E: Display>(&self, found: Result<Option<Proven>, E>) -> Option<Proven> {
        self.attempt.answered(found).unwrap_or_else(|error| {
            let address = self.attempt.address;
            error!("Could not look up a login from {address}: {error}");
            None
        })
    }

    /// Lets a refusal take its time from when it was asked for.
    async fn refuse(&mut self, tried: Tried, asked: Instant) {
        let told = told_after(tried, self.refused, self.attempt.patience, asked.elapsed());
        self.refused = self.refused.saturating_add(1);
        tokio::time::sleep_until(asked + told).await;
        self.attempt.refused(self.refused);
    }

    fn answer(&mut self, user: &str, proven: Option<Proven>) -> Auth {
        let accepted = proven.is_some();
        self.proven = proven;
        if accepted {
            Auth::Accept
        } else {
            info!(peer.address = %self.attempt.address, "Refused a login as `{}`", printable(user));
            // The methods stay: a person who mistypes a password is asked again, a few times.
            Auth::Reject {
                proceed_with_methods: Some(methods()),
                partial_success: false,
            }
        }
    }

    fn start(&mut self, channel: ChannelId) -> bool {
        let Some(who) = &self.who else { return false };
        let Some(port) = self.channels.get_mut(&channel) else {
            return false;
        };
        let Some(writer) = port.writer.take() else {
            return false;
        };
        let answers = Answers::new(
            writer,
            Arc::clone(&port.intake),
            port.dead.clone(),
            self.shared.parts.clock.clone(),
        );
        let session = Session::new(
            self.shared.parts.clone(),
            Arc::clone(who),
            answers,
            (Arc::clone(&port.intake), Arc::clone(&self.room)),
            Arc::clone(&self.software),
        );
        let (login, id) = (who.login.clone(), who.session.0);
        let session = self.shared.sessions.track_future(async move {
            let trace = session.run().await;
            info!(session.id = id, device.login = %login, "Session of `{login}` ended: {trace}");
        });
        self.serving.spawn(session);
        true
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A channel that ended in order has said so before; this end comes second and does not count.
        for port in self.channels.values() {
            port.intake.end(Ended::Broken);
        }
        self.dead.cancel();
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let asked = Instant::now();
        let judged = self.judge_key(user, offer.public_key, offer.algorithm);
        if judged.await.is_some() {
            return Ok(Auth::Accept);
        }
        self.refuse(Tried::Key, asked).await;
        Ok(Auth::reject())
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let asked = Instant::now();
        let proven = self.judge_key(user, key.public_key, key.algorithm).await;
        if proven.is_none() {
            self.refuse(Tried::Key, asked).await;
        }
        Ok(self.answer(user, proven))
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let asked = Instant::now();
        self.attempt.wait();
        let found = self.shared.logins.by_password(user, password).await;
        let proven = self.judged(found);
        if proven.is_none() {
            self.refuse(Tried::Password, asked).await;
        }
        Ok(self.answer(user, proven))
    }

    async fn auth_succeeded(&mut self, session: &mut Ssh) -> Result<(), Self::Error> {
        let Some(proven) = self.proven.take() else {
            return Err(russh::Error::NotAuthenticated);
        };
        let software = printable(&String::from_utf8_lossy(session.remote_sshid()));
        self.software = software.as_str().into();
        let address = self.attempt.address.to_string();
        let now = self.shared.parts.clock.read();
        self.attempt.wait();
        let begun = self.shared.logins.begin(proven, &address, &software, now);
        let who = self.attempt.answered(begun.await).map_err(|failed| {
            error!("Could not begin a session from {address}: {failed}");
            russh::Error::Disconnect
        })?;
        let login = &who.login;
        info!(
            session.id = who.session.0, device.login = %login, peer.address = %address, peer.software = %software,
            "Device `{login}` logged in from {address} with {software}"
        );
        let who = Arc::new(who);
        self.who = Some(Arc::clone(&who));
        self.logged_in.send_replace(Some(who));
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        self.count_channel()?;
        self.channels.retain(|_, port| port.is_in_use());
        if self.who.is_none() || self.channels.len() >= CHANNELS_MAX {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let id = channel.id();
        // Its reading half is dropped: what comes in goes to the intake, which never makes the loop wait.
        let (_, writer) = channel.split();
        self.channels.insert(
            id,
            Port {
                intake: Arc::new(Intake::of(Arc::clone(&self.room))),
                dead: self.dead.child_token(),
                writer: Some(writer),
            },
        );
        reply.accept().await;
        Ok(())
    }

    // An answer that is dropped is a refusal.

    async fn channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Ssh,
    ) -> Result<(), Self::Error> {
        self.count_channel()
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Ssh,
    ) -> Result<(), Self::Error> {
        self.count_channel()
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Ssh,
    ) -> Result<(), Self::Error> {
        self.count_channel()
    }

    async fn channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Ssh,
    ) -> Result<(), Self::Error> {
        self.count_channel()
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        if name == "sftp" && self.start(channel) {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        // Without a subsystem nobody would ever take it.
        let started = |port: &&Port| port.writer.is_none();
        let Some(port) = self.channels.get(&channel).filter(started) else {
            return Ok(());
        };
        if let Err(overrun) = port.intake.push(data).await {
            let login = self.who.as_ref().map_or("nobody", |who| &who.login);
            warn!(peer.address = %self.attempt.address, "Connection of `{login}` ends: {overrun}");
            return Err(russh::Error::Disconnect);
        }
        Ok(())
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        _session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        if let Some(port) = self.channels.get(&channel) {
            port.intake.end(Ended::InOrder);
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        if let Some(port) = self.channels.remove(&channel) {
            port.intake.end(Ended::InOrder);
            port.dead.cancel();
        }
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        line: &[u8],
        session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        if self.execute(channel, line) {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: &str,
        session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(russh::Pty, u32)],
        session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn agent_request(
        &mut self,
        channel: ChannelId,
        session: &mut Ssh,
    ) -> Result<bool, Self::Error> {
        session.channel_failure(channel)?;
        Ok(false)
    }
}

/// By what a device may prove itself.
pub(super) fn methods() -> MethodSet {
    MethodSet::from(&[MethodKind::PublicKey, MethodKind::Password][..])
}

/// What a peer sends of its own choice may not break a line of the log.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
