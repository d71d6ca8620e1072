//! How do devices reach their folders?
//!
//! SSH comes from russh, packets from russh-sftp; accepting connections, the session's loop and every
//! answer are ours. See `docs/protocol.md`.

mod acting;
mod answers;
mod command;
mod connection;
mod exec;
mod extended;
mod frames;
mod handles;
mod intake;
mod lanes;
pub mod limits;
mod listen;
mod listing;
mod moving;
mod reading;
mod refusing;
mod requests;
mod serve;
mod sights;
mod status;
mod trace;
mod uploading;

pub use listen::{Door, HostKeys, Listening};
pub use serve::Parts;
