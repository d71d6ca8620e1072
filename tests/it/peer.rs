//! How does a test act as a device?

use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use russh::client;
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::gateway::Login;

/// A connection of a device, with one SFTP session.
pub struct Peer {
    pub sftp: RawSftpSession,
    pub ssh: client::Handle<Trusting>,
    socket: std::net::TcpStream,
    pump: tokio::task::JoinHandle<()>,
}

/// Carries bytes both ways; when the near side is dropped, ends the channel in order and waits for the server's end.
async fn pump(channel: russh::Channel<client::Msg>, far: tokio::io::DuplexStream) {
    let (mut incoming, outgoing) = channel.split();
    let (mut from_near, mut to_near) = tokio::io::split(far);
    let sending = async {
        let mut block = vec![0; 32 * 1024];
        while let Ok(got @ 1..) = from_near.read(&mut block).await {
            if outgoing.data(&block[..got]).await.is_err() {
                return;
            }
        }
        drop(outgoing.eof().await);
    };
    let receiving = async {
        while let Some(message) = incoming.wait().await {
            match message {
                russh::ChannelMsg::Data { data } => drop(to_near.write_all(&data).await),
                russh::ChannelMsg::Close => break,
                _ => {}
            }
        }
        drop(to_near.shutdown().await);
    };
    tokio::join!(sending, receiving);
}

/// Trusts any host key, as a first connection does.
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

impl Peer {
    pub async fn connect(address: SocketAddr, login: &Login) -> Self {
        let (ssh, socket) = log_in(address, login, client::Config::default())
            .await
            .unwrap();
        let channel = ssh.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        let (near, far) = tokio::io::duplex(1024 * 1024);
        let pump = tokio::spawn(pump(channel, far));
        let sftp = session_over(near);
        sftp.init().await.unwrap();
        Self {
            sftp,
            ssh,
            socket,
            pump,
        }
    }

    /// Connects, unless the server is gone or goes meanwhile.
    pub async fn try_connect(address: SocketAddr, login: &Login) -> Option<Self> {
        let (ssh, socket) = try_dial(address, client::Config::default()).await?;
        let mut ssh = ssh;
        let key = PrivateKeyWithHashAlg::new(Arc::new(login.key.clone()), None);
        let answer = ssh.authenticate_publickey(&login.name, key).await.ok()?;
        let channel = ssh.channel_open_session().await.ok()?;
        channel.request_subsystem(true, "sftp").await.ok()?;
        let (near, far) = tokio::io::duplex(1024 * 1024);
        let pump = tokio::spawn(pump(channel, far));
        let sftp = session_over(near);
        sftp.init().await.ok()?;
        answer.success().then_some(Self {
            sftp,
            ssh,
            socket,
            pump,
        })
    }

    /// Names in a folder, without `.` and `..`.
    pub async fn list(&self, path: &str) -> Result<Vec<String>, StatusCode> {
        let handle = self.sftp.opendir(path).await.map_err(code)?.handle;
        let mut names = Vec::new();
        loop {
            match self.sftp.readdir(&handle).await {
                Ok(page) => names.extend(page.files.into_iter().map(|file| file.filename)),
                Err(end) => match code(end) {
                    StatusCode::Eof => break,
                    lost => return Err(lost),
                },
            }
        }
        self.sftp.close(&handle).await.map_err(code)?;
        names.retain(|name| name != "." && name != "..");
        Ok(names)
    }

    /// Reads a file whole and closes it, as a script does.
    pub async fn get(&self, path: &str) -> Result<Vec<u8>, StatusCode> {
        let handle = self.open(path).await?;
        let bytes = self.read(&handle, 0, u64::MAX).await?;
        self.sftp.close(&handle).await.map_err(code)?;
        Ok(bytes)
    }

    pub async fn open(&self, path: &str) -> Result<String, StatusCode> {
        let opened = self
            .sftp
            .open(path, OpenFlags::READ, FileAttributes::empty())
            .await;
        opened.map(|handle| handle.handle).map_err(code)
    }

    /// Reads from `from` to `to` or the end, in steps of 32 KiB, and not past it.
    pub async fn read(&self, handle: &str, from: u64, to: u64) -> Result<Vec<u8>, StatusCode> {
        let size = self
            .sftp
            .fstat(handle)
            .await
            .map_err(code)?
            .attrs
            .size
            .unwrap();
        let (mut bytes, mut at) = (Vec::new(), from);
        while at < to.min(size) {
            let step = u32::try_from((to.min(size) - at).min(32 * 1024)).unwrap();
            let data = self.sftp.read(handle, at, step).await.map_err(code)?.data;
            at += data.len() as u64;
            bytes.extend(data);
        }
        Ok(bytes)
    }

    pub async fn close(&self, handle: &str) -> Result<(), StatusCode> {
        self.sftp.close(handle).await.map(|_| ()).map_err(code)
    }

    pub async fn remove(&self, path: &str) -> Result<(), StatusCode> {
        self.sftp.remove(path).await.map(|_| ()).map_err(code)
    }

    pub async fn rename(&self, from: &str, to: &str) -> Result<(), StatusCode> {
        self.sftp.rename(from, to).await.map(|_| ()).map_err(code)
    }

    /// Writes a file and closes it.
    pub async fn put(&self, path: &str, bytes: &[u8]) -> Result<(), StatusCode> {
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
        let handle = self
            .sftp
            .open(path, flags, FileAttributes::empty())
            .await
            .map_err(code)?
            .handle;
        for (at, block) in bytes.chunks(32 * 1024).enumerate() {
            let offset = (at * 32 * 1024) as u64;
            self.sftp
                .write(&handle, offset, block.to_vec())
                .await
                .map_err(code)?;
        }
        self.close(&handle).await
    }

    pub async fn exists(&self, path: &str) -> bool {
        self.sftp.stat(path).await.is_ok()
    }

    /// Ends the channel and the connection in order.
    pub async fn leave(self) {
        drop(self.sftp.close_session());
        drop(self.sftp);
        self.pump.await.unwrap();
        drop(
            self.ssh
                .disconnect(russh::Disconnect::ByApplication, "", "en")
                .await,
        );
    }

    /// Pulls the plug.
    pub fn hang_up(self) {
        // The server may have been killed before.
        drop(self.socket.shutdown(Shutdown::Both));
    }
}

/// A session that waits long for an answer: the library gives up after ten seconds, in which a busy machine may do
/// nothing for it.
pub fn session_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> RawSftpSession {
    const ANSWER_SECONDS_MAX: u64 = 300;
    let sftp = RawSftpSession::new(stream);
    sftp.set_timeout(ANSWER_SECONDS_MAX);
    sftp
}

/// Connects and logs in with a key.
pub async fn log_in(
    address: SocketAddr,
    login: &Login,
    config: client::Config,
) -> Result<(client::Handle<Trusting>, std::net::TcpStream), russh::Error> {
    let (mut ssh, socket) = dial(address, config).await;
    let hash = ssh.best_supported_rsa_hash().await?.flatten();
    let key = PrivateKeyWithHashAlg::new(Arc::new(login.key.clone()), hash);
    let answer = ssh.authenticate_publickey(&login.name, key).await?;
    if answer.success() {
        Ok((ssh, socket))
    } else {
        Err(russh::Error::NotAuthenticated)
    }
}

/// Connects, and keeps a hold on the socket.
pub async fn dial(
    address: SocketAddr,
    config: client::Config,
) -> (client::Handle<Trusting>, std::net::TcpStream) {
    try_dial(address, config).await.unwrap()
}

async fn try_dial(
    address: SocketAddr,
    config: client::Config,
) -> Option<(client::Handle<Trusting>, std::net::TcpStream)> {
    let socket = std::net::TcpStream::connect(address).ok()?;
    let held = socket.try_clone().unwrap();
    socket.set_nonblocking(true).unwrap();
    let stream = tokio::net::TcpStream::from_std(socket).unwrap();
    let ssh = client::connect_stream(Arc::new(config), stream, Trusting)
        .await
        .ok()?;
    Some((ssh, held))
}

/// The status of a refusal.
pub fn code(error: Error) -> StatusCode {
    match error {
        Error::Status(status) => status.status_code,
        // The connection is gone, which a status of that name says as well (filexfer-02 §7).
        _ => StatusCode::ConnectionLost,
    }
}
