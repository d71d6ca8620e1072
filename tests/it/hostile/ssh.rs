//! How does a test speak SSH packet by packet?
//!
//! One set of algorithms, no check of the server's key, and nothing that holds a peer to what is decent: whoever
//! uses it sends what it likes.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::Ed25519KeyPair;

use crate::gateway::Login;
use crate::raw::text;

pub const IGNORE: u8 = 2;
pub const DEBUG: u8 = 4;
pub const KEXINIT: u8 = 20;
pub const GLOBAL_REQUEST: u8 = 80;
pub const REQUEST_FAILURE: u8 = 82;
pub const CHANNEL_OPEN: u8 = 90;
pub const WINDOW_ADJUST: u8 = 93;
pub const DATA: u8 = 94;
pub const EOF: u8 = 96;
pub const CLOSE: u8 = 97;
pub const CHANNEL_REQUEST: u8 = 98;

/// What a test waits for at most, for what should come at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection.
pub struct Ssh {
    stream: TcpStream,
    server_version: Vec<u8>,
    session: Vec<u8>,
    /// How many channels it has opened: that is its own number of the next.
    channels: u32,
    sealing: Option<Key>,
    opening: Option<Key>,
}

/// `aes256-gcm@openssh.com` in one direction (RFC 5647 §7).
struct Key {
    key: LessSafeKey,
    nonce: [u8; 12],
}

impl Key {
    fn new(key: &[u8], nonce: &[u8]) -> Self {
        Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap()),
            nonce: nonce[..12].try_into().unwrap(),
        }
    }

    fn next(&mut self) -> Nonce {
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let count = u64::from_be_bytes(self.nonce[4..].try_into().unwrap());
        self.nonce[4..].copy_from_slice(&count.wrapping_add(1).to_be_bytes());
        nonce
    }
}

const VERSION: &[u8] = b"SSH-2.0-hostile";

impl Ssh {
    /// Connects, and has its first keys.
    pub fn dial(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// Has its first keys over this connection.
    pub fn over(stream: TcpStream) -> Self {
        let mut ssh = Self::greet(stream);
        let init = ssh.begin_keys().unwrap();
        ssh.finish_keys(&init).unwrap();
        ssh
    }

    /// Has exchanged versions over this connection, and no keys yet.
    pub fn greet(stream: TcpStream) -> Self {
        Self::try_greet(stream).unwrap()
    }

    /// The same, or fails where it is turned away.
    pub fn try_greet(mut stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut server_version = Vec::new();
        let mut byte = [0];
        while byte != *b"\n" {
            stream.read_exact(&mut byte)?;
            server_version.extend(byte);
        }
        if !server_version.starts_with(b"SSH-2.0-") {
            return Err(io::Error::other("it is turned away"));
        }
        server_version.truncate(server_version.len() - 2);
        // Behind theirs: whom it turns away it does not hear, and what it told would be lost with that.
        stream.write_all(&[VERSION, b"\r\n"].concat())?;
        Ok(Self {
            stream,
            server_version,
            session: Vec::new(),
            channels: 0,
            sealing: None,
            opening: None,
        })
    }

    /// Connects, and logs in.
    pub fn log_in(address: SocketAddr, login: &Login) -> Self {
        let mut ssh = Self::dial(address);
        ssh.offer(login).unwrap();
        ssh.until(52).unwrap();
        ssh
    }

    /// Asks to be let in with this key, and does not wait for the answer.
    pub fn offer(&mut self, login: &Login) -> io::Result<()> {
        self.settle_login()?;
        let key = login.key.key_data().ed25519().unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(key.private.as_ref()).unwrap();
        let blob = string(&login.key.public_key().to_bytes().unwrap());
        let user = [text(&login.name), text("ssh-connection"), text("publickey")].concat();
        let asked = [&[50][..], &user, &[1], &text("ssh-ed25519"), &blob].concat();
        let signed = pair.sign(&[string(&self.session), asked.clone()].concat());
        let signature = [text("ssh-ed25519"), string(signed.as_ref())].concat();
        self.send(&[asked, string(&signature)].concat())
    }

    /// Sends one packet.
    pub fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.send_all([payload.to_vec()])
    }

    /// Sends many, some at a time.
    pub fn send_all(&mut self, payloads: impl IntoIterator<Item = Vec<u8>>) -> io::Result<()> {
        let mut out = Vec::new();
        for payload in payloads {
            self.seal(&payload, &mut out);
            if out.len() > 256 * 1024 {
                self.stream.write_all(&std::mem::take(&mut out))?;
            }
        }
        self.stream.write_all(&out)
    }

    fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        let (block, head) = if self.sealing.is_some() {
            (16, 1)
        } else {
            (8, 5)
        };
        let mut padding = block - (payload.len() + head) % block;
        if padding < 4 {
            padding += block;
        }
        let length = u32::try_from(1 + payload.len() + padding)
            .unwrap()
            .to_be_bytes();
        let mut body = vec![u8::try_from(padding).unwrap()];
        body.extend(payload);
        body.resize(body.len() + padding, 0);
        if let Some(key) = &mut self.sealing {
            let nonce = key.next();
            key.key
                .seal_in_place_append_tag(nonce, Aad::from(length), &mut body)
                .unwrap();
        }
        out.extend(length);
        out.extend(body);
    }

    /// Takes the next packet.
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap();
        let tag = if self.opening.is_some() { 16 } else { 0 };
        let mut body = vec![0; bytes + tag];
        self.stream.read_exact(&mut body)?;
        if let Some(key) = &mut self.opening {
            let nonce = key.next();
            key.key
                .open_in_place(nonce, Aad::from(length), &mut body)
                .unwrap();
        }
        let padding = usize::from(body[0]);
        Ok(body[1..bytes - padding].to_vec())
    }

    /// Takes packets until one of this kind.
    pub fn until(&mut self, kind: u8) -> io::Result<Vec<u8>> {
        loop {
            let packet = self.receive()?;
            if packet.first() == Some(&kind) {
                return Ok(packet);
            }
        }
    }

    /// Begins to exchange keys. Whoever stops here leaves the server waiting.
    pub fn begin_keys(&mut self) -> io::Result<Vec<u8>> {
        self.begin_keys_by("curve25519-sha256")
    }

    /// The same by these ways to exchange keys.
    pub fn begin_keys_by(&mut self, kex: &str) -> io::Result<Vec<u8>> {
        let mut init = vec![KEXINIT];
        init.extend([7; 16]);
        let cipher = "aes256-gcm@openssh.com";
        let mac = "hmac-sha2-256-etm@openssh.com";
        for list in [
            kex,
            "ssh-ed25519",
            cipher,
            cipher,
            mac,
            mac,
            "none",
            "none",
            "",
            "",
        ] {
            init.extend(text(list));
        }
        init.extend([0; 5]);
        self.send(&init)?;
        Ok(init)
    }

    /// Ends what [`Self::begin_keys`] has begun.
    pub fn finish_keys(&mut self, init: &[u8]) -> io::Result<()> {
        let theirs = self.until(KEXINIT)?;
        let mine = PrivateKey::generate(&X25519).unwrap();
        let public = mine.compute_public_key().unwrap();
        self.send(&[&[30][..], &string(public.as_ref())].concat())?;
        let reply = self.until(31)?;
        let (host_key, rest) = split(&reply[1..]);
        let (server_public, _signature) = split(rest);
        let peer = UnparsedPublicKey::new(&X25519, server_public);
        let secret = agree(&mine, peer, (), |secret| Ok(number(secret))).unwrap();
        let hash = [
            string(VERSION),
            string(&self.server_version),
            string(init),
            string(&theirs),
            string(host_key),
            string(public.as_ref()),
            string(server_public),
            secret.clone(),
        ];
        let hash = digest(&SHA256, &hash.concat());
        if self.session.is_empty() {
            self.session = hash.as_ref().to_vec();
        }
        let derive = |letter: u8| {
            let from = [&secret[..], hash.as_ref(), &[letter], &self.session].concat();
            digest(&SHA256, &from).as_ref().to_vec()
        };
        let sealing = Key::new(&derive(b'C'), &derive(b'A'));
        let opening = Key::new(&derive(b'D'), &derive(b'B'));
        self.send(&[21])?;
        self.sealing = Some(sealing);
        self.until(21)?;
        self.opening = Some(opening);
        Ok(())
    }

    /// Opens a session channel, and returns the server's number for it; ours count from 0.
    pub fn open(&mut self, window: u32, packet: u32) -> io::Result<u32> {
        let mut asked = channel_open("session", window, packet);
        let number = 1 + text("session").len();
        asked[number..number + 4].copy_from_slice(&self.channels.to_be_bytes());
        self.channels += 1;
        self.send(&asked)?;
        let confirmed = loop {
            let packet = self.receive()?;
            match packet.first() {
                Some(91) => break packet,
                Some(92) => return Err(io::Error::other("the channel is refused")),
                _ => {}
            }
        };
        Ok(u32::from_be_bytes(confirmed[5..9].try_into().unwrap()))
    }

    /// Waits until the server has taken all that was sent before.
    pub fn settle(&mut self) -> io::Result<()> {
        let asked = [&[GLOBAL_REQUEST][..], &text("keepalive@openssh.com"), &[1]].concat();
        self.send(&asked)?;
        self.until(REQUEST_FAILURE).map(drop)
    }

    /// Asks for the login, and waits until it is answered.
    pub fn settle_login(&mut self) -> io::Result<()> {
        self.send(&[&[5][..], &text("ssh-userauth")].concat())?;
        self.until(6).map(drop)
    }

    /// Opens a channel with the subsystem started, and sends INIT.
    pub fn sftp(&mut self, window: u32, packet: u32) -> io::Result<u32> {
        let channel = self.open(window, packet)?;
        self.send(&subsystem(channel))?;
        self.send(&data(channel, &crate::raw::packet(1, &3_u32.to_be_bytes())))?;
        Ok(channel)
    }

    /// Has whatever comes be taken and thrown away, until the connection ends.
    pub fn drain(&self) -> JoinHandle<()> {
        let mut stream = self.stream.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut block = vec![0; 64 * 1024];
            while matches!(stream.read(&mut block), Ok(1..)) {}
        })
    }

    /// Pulls the plug.
    pub fn cut(self) {
        drop(self.stream.shutdown(Shutdown::Both));
    }

    /// Waits until the server has ended the connection.
    pub fn is_ended(&mut self) -> bool {
        loop {
            match self.receive() {
                Ok(packet) if packet.first() == Some(&1) => return true,
                Ok(_) => {}
                Err(error) => {
                    let kind = error.kind();
                    return kind != io::ErrorKind::WouldBlock && kind != io::ErrorKind::TimedOut;
                }
            }
        }
    }
}

pub fn channel_open(kind: &str, window: u32, packet: u32) -> Vec<u8> {
    let numbers = [0, window, packet].map(u32::to_be_bytes).concat();
    [vec![CHANNEL_OPEN], text(kind), numbers].concat()
}

pub fn subsystem(channel: u32) -> Vec<u8> {
    request(channel, "subsystem", &text("sftp"))
}

pub fn request(channel: u32, kind: &str, rest: &[u8]) -> Vec<u8> {
    let to = channel.to_be_bytes();
    [&[CHANNEL_REQUEST][..], &to, &text(kind), &[1], rest].concat()
}

pub fn data(channel: u32, bytes: &[u8]) -> Vec<u8> {
    [&[DATA][..], &channel.to_be_bytes(), &string(bytes)].concat()
}

pub fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length[..], bytes].concat()
}

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length = u32::from_be_bytes(*bytes.first_chunk().unwrap());
    bytes[4..].split_at(usize::try_from(length).unwrap())
}

/// A number without a sign, as `mpint` (RFC 4251 §5).
fn number(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap();
    let mut digits = bytes[first..].to_vec();
    if digits[0] >= 0x80 {
        digits.insert(0, 0);
    }
    string(&digits)
}
