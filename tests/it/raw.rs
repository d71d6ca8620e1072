//! How does a test speak SFTP packet by packet?

use std::net::SocketAddr;

use russh::ChannelMsg;

use crate::gateway::{Gateway, Login};
use crate::peer::log_in;

/// A connection, and a channel of it.
type Raw = (
    russh::client::Handle<crate::peer::Trusting>,
    russh::Channel<russh::client::Msg>,
);

/// A raw channel with the subsystem started: packets are written by hand.
pub async fn raw(gateway: &Gateway, device: &Login) -> Raw {
    raw_at(gateway.address, device).await
}

/// The same at this server.
pub async fn raw_at(address: SocketAddr, device: &Login) -> Raw {
    let (ssh, _) = log_in(address, device, Default::default()).await.unwrap();
    let channel = ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    (ssh, channel)
}

pub fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len() + 1)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    bytes.push(kind);
    bytes.extend(body);
    bytes
}

pub fn text(value: &str) -> Vec<u8> {
    let mut bytes = u32::try_from(value.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(value.as_bytes());
    bytes
}

/// Everything that comes until the channel is quiet for good, and the exit status.
pub async fn until_the_end(
    channel: &mut russh::Channel<russh::client::Msg>,
) -> (Vec<u8>, Option<u32>) {
    let (mut bytes, mut status) = (Vec::new(), None);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => bytes.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    (bytes, status)
}

/// What comes until it is enough.
pub async fn until(
    channel: &mut russh::Channel<russh::client::Msg>,
    enough: impl Fn(&[u8]) -> bool,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !enough(&bytes) {
        if let ChannelMsg::Data { data } = channel.wait().await.unwrap() {
            bytes.extend_from_slice(&data);
        }
    }
    bytes
}

/// The handle in the second of two answers, which the first is VERSION.
pub fn handle_in(bytes: &[u8]) -> Option<String> {
    let version = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).unwrap();
    let answer = bytes.get(4 + version..)?;
    let handle = answer.get(13..)?;
    (handle.len() + 9 == usize::try_from(u32::from_be_bytes(*answer.first_chunk()?)).unwrap())
        .then(|| String::from_utf8(handle.to_vec()).unwrap())
}
