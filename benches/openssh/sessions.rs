//! How are many sessions held, whose clients cost next to nothing?

use std::net::SocketAddr;
use std::sync::Arc;

use russh::client;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh_sftp::client::RawSftpSession;

use crate::peers::{INBOX, Rig, Side};

/// A session of the SFTP subsystem, and the connection that carries it.
pub struct Session {
    pub sftp: RawSftpSession,
    pub ssh: client::Handle<Trusting>,
}

/// Trusts any host key: both servers are this benchmark's own.
pub struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

impl Session {
    pub async fn open(address: SocketAddr, user: &str, key: &PrivateKey) -> Self {
        let config = client::Config {
            nodelay: true,
            ..client::Config::default()
        };
        let mut ssh = client::connect(Arc::new(config), address, Trusting)
            .await
            .unwrap();
        let key = PrivateKeyWithHashAlg::new(Arc::new(key.clone()), None);
        let answer = ssh.authenticate_publickey(user, key).await.unwrap();
        assert!(answer.success());
        let channel = ssh.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        let sftp = RawSftpSession::new(channel.into_stream());
        sftp.init().await.unwrap();
        Self { sftp, ssh }
    }

    pub async fn leave(self) {
        drop(self.sftp.close_session());
        drop(
            self.ssh
                .disconnect(russh::Disconnect::ByApplication, "", "en")
                .await,
        );
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Connects, logs in, asks for one file's attributes and leaves, so often, so many at a time.
pub fn visits(rig: &Rig, side: Side, count: usize, at_once: usize) {
    let (address, user, key) = (rig.address(side), rig.user(side), rig.key.clone());
    let path = format!("{INBOX}/{}", rig.names()[0]);
    runtime().block_on(async {
        let tasks: Vec<_> = (0..at_once)
            .map(|_| {
                let (user, key, path) = (user.clone(), key.clone(), path.clone());
                tokio::spawn(async move {
                    for _ in 0..count / at_once {
                        let session = Session::open(address, &user, &key).await;
                        session.sftp.stat(&path).await.unwrap();
                        session.leave().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Holds this many sessions that do nothing, while `meanwhile` looks.
pub fn hold(rig: &Rig, side: Side, count: usize, meanwhile: impl FnOnce()) {
    let (address, user, key) = (rig.address(side), rig.user(side), rig.key.clone());
    runtime().block_on(async {
        let mut held = Vec::new();
        for _ in 0..count {
            held.push(Session::open(address, &user, &key).await);
        }
        meanwhile();
        for session in held {
            session.leave().await;
        }
    });
}
