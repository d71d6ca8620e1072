//! What may a connection do, before and after its login?
//!
//! It logs in with a key or a password, opens session channels, and asks for the `sftp` subsystem, or
//! for hashes by the names of the programs that print them. Everything else is refused: no shell, no
//! command, no forwarding, no agent, no X11.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use russh::client::GexParams;
use russh::kex::dh::groups::DhGroup;
use russh::keys::Certificate;
use russh::server::{
    Auth, ChannelOpenHandle, Handle, Handler, Msg, PublicKeyOffer, Session as Ssh,
    VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Disconnect};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::admission::{Admission, TurnedAway};
use super::algorithms::group_for;
use super::answers::Answers;
use super::attempt::Attempt;
use super::channels::{Port, to_its_end};
use super::idle::Activity;
use super::intake::{Ended, Intake};
use super::limits::CHANNELS_MAX;
use super::room::Room;
use super::serve::{Parts, Session};
use super::shown::printable;
use crate::guard::Guard;
use crate::login::{Logins, Stay};
use crate::tree::{View, Who};

/// What every connection needs.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) logins: Logins,
    pub(super) guard: Guard,
    pub(super) parts: Arc<Parts>,
    /// How long a session may stay without asking for anything.
    pub(super) idle: Duration,
    /// Sessions, so that the door can wait for them.
    pub(super) sessions: TaskTracker,
}

/// One connection, from its version to its end.
///
/// The library keeps room for its longest question four times over while it lasts: those of the login, which
/// are asked once, have a box of their own.
pub(super) struct Connection {
    pub(super) shared: Shared,
    pub(super) admission: Admission,
    activity: Activity,
    software: Arc<str>,
    pub(super) who: Option<Arc<Who>>,
    pub(super) channels: HashMap<ChannelId, Port>,
    /// What its sessions hold together.
    pub(super) room: Arc<Room>,
    /// What commands see, once there was one.
    pub(super) view: Option<Arc<Mutex<View>>>,
    /// Whether the log has told of a command that is not answered here.
    pub(super) told_of_command: bool,
    /// Cancelled when the connection is gone.
    dead: CancellationToken,
    /// What it serves: its session has ended when all of them have.
    pub(super) serving: TaskTracker,
    /// Told of the login, which frees its place among those that have not logged in.
    logged_in: watch::Sender<Option<Arc<Stay>>>,
}

impl Connection {
    pub(super) fn new(
        shared: Shared,
        attempt: Attempt,
        activity: Activity,
        serving: TaskTracker,
        logged_in: watch::Sender<Option<Arc<Stay>>>,
    ) -> Self {
        let admission = Admission::new(shared.logins.clone(), attempt, Arc::clone(&shared.parts));
        Self {
            shared,
            admission,
            activity,
            software: "".into(),
            who: None,
            channels: HashMap::new(),
            room: Arc::new(Room::of(Arc::default())), // of nobody, until the login
            view: None,
            told_of_command: false,
            dead: CancellationToken::new(),
            serving,
            logged_in,
        }
    }

    fn start(&mut self, channel: ChannelId, ssh: Handle) -> bool {
        let Some(who) = &self.who else { return false };
        let Some(port) = self.channels.get_mut(&channel) else {
            return false;
        };
        let Some((writer, intake)) = port.take() else {
            return false;
        };
        let held = Arc::clone(&intake);
        let answers = Answers::new(
            writer,
            Arc::clone(&intake),
            port.dead.clone(),
            self.shared.parts.clock.clone(),
        );
        let session = Session::new(
            Arc::clone(&self.shared.parts),
            Arc::clone(who),
            answers,
            (intake, Arc::clone(&self.room)),
            Arc::clone(&self.software),
        );
        let (login, id) = (who.login.clone(), who.session.0);
        let session = session.run();
        let session = self.shared.sessions.track_future(async move {
            let trace = session.await;
            info!(session.id = id, device.login = %login, "Session of `{login}` ended: {trace}");
        });
        let close = async move || _ = ssh.close(channel).await;
        self.serving.spawn(to_its_end(session, held, close));
        true
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A channel that ended in order has said so before; this end comes second and does not count.
        for port in self.channels.values() {
            port.end(Ended::Broken);
        }
        if self.who.is_some() {
            self.shared.parts.counts.sessions_ended.one();
        } else {
            self.admission.tell_untold();
        }
        self.dead.cancel();
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn lookup_dh_gex_group(
        &mut self,
        asked: &GexParams,
    ) -> Result<Option<DhGroup>, Self::Error> {
        Ok(group_for(
            asked.min_group_size(),
            asked.preferred_group_size(),
            asked.max_group_size(),
        ))
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let offered = (offer.public_key, offer.algorithm);
        Ok(Box::pin(self.admission.key_offered(user, offered)).await)
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let held = (key.public_key, key.algorithm);
        Ok(Box::pin(self.admission.key_held(user, held)).await)
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        _certificate: &Certificate,
    ) -> Result<Auth, Self::Error> {
        Ok(Box::pin(self.admission.certificate(user)).await)
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(Box::pin(self.admission.password(user, password)).await)
    }

    async fn auth_succeeded(&mut self, session: &mut Ssh) -> Result<(), Self::Error> {
        let software = printable(&String::from_utf8_lossy(session.remote_sshid()));
        let stay = match Box::pin(self.admission.begin(&software)).await {
            Ok(stay) => stay,
            Err(TurnedAway::Told(text)) => {
                return session.disconnect(Disconnect::TooManyConnections, text, "en");
            }
            Err(TurnedAway::Silently(error)) => return Err(error),
        };
        self.software = software.into();
        self.activity.note();
        self.room = Arc::new(Room::of(Arc::clone(&stay.who().device_holds)));
        self.who = Some(Arc::clone(stay.who()));
        self.shared.parts.counts.sessions_begun.one();
        self.logged_in.send_replace(Some(Arc::new(stay)));
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        self.activity.note();
        self.count_channel()?;
        self.channels.retain(|_, port| port.is_in_use());
        if self.who.is_none() || self.channels.len() >= CHANNELS_MAX {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let Some(place) = self.room.channel() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let id = channel.id();
        // Its reading half is dropped: what comes in goes to the intake, which never makes the loop wait.
        let (_, writer) = channel.split();
        let port = Port::new(writer, Intake::of(place), self.dead.child_token());
        self.channels.insert(id, port);
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
        if name == "sftp" && self.start(channel, session.handle()) {
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
        self.activity.note();
        // Without a subsystem nobody would ever take it.
        let Some(intake) = self.channels.get(&channel).and_then(Port::served) else {
            return Ok(());
        };
        if let Err(overrun) = intake.push(data).await {
            let login = self.who.as_ref().map_or("nobody", |who| &who.login);
            warn!(peer.address = %self.admission.address(), "Connection of `{login}` ends: {overrun}");
            return Err(russh::Error::Disconnect);
        }
        Ok(())
    }

    async fn window_adjusted(
        &mut self,
        _channel: ChannelId,
        _size: u32,
        _session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        // Whoever takes what it asked for long ago is not idle.
        self.activity.note();
        Ok(())
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        _session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        if let Some(port) = self.channels.get(&channel) {
            port.end(Ended::InOrder);
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        if let Some(port) = self.channels.remove(&channel) {
            port.end(Ended::InOrder);
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
        if self.execute(channel, line, session.handle()) {
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
