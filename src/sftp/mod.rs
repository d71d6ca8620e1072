//! How do devices reach their folders?
//!
//! SSH comes from russh, packets from russh-sftp; accepting connections, the session's loop and every
//! answer are ours. See `docs/protocol.md`.

mod acting;
mod admission;
mod algorithms;
mod answers;
mod arriving;
mod attempt;
mod blocks;
mod channels;
mod command;
mod connect;
mod connection;
mod exec;
mod extended;
mod folder;
mod frames;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod given;
mod handles;
mod idle;
mod intake;
mod lanes;
pub mod limits;
mod listen;
mod listing;
mod marking;
mod moving;
mod opening;
mod pace;
mod portion;
mod proxy;
mod reading;
mod refusing;
mod rehearsal;
mod requests;
mod room;
mod serve;
mod shelving;
mod shown;
mod sights;
mod status;
mod trace;
mod transport;
mod uploading;
mod wire;

pub use algorithms::Algorithms;
pub use lanes::Pulse;
pub use listen::{Door, HostKeys, Listening, Renewing};
pub use rehearsal::{introduction, rehearse, shown_key};
pub use serve::Parts;
pub use transport::Transport;
