//! What happens to someone, from an arrival to a booked document?
//!
//! One binary, for linking is the cost. Stories are named as sentences; the gateway is real: a
//! catalog and blobs in a temporary folder, and SFTP over loopback.

#![expect(clippy::unwrap_used, reason = "a test ends where something is amiss")]
#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod alarming;
mod arriving;
mod asked;
mod backing;
mod clients;
mod clocks;
mod closing;
mod copies;
mod crowded;
mod desk;
mod doctoring;
mod evidence;
mod extensions;
mod failing;
mod gateway;
mod guarding;
mod hashes;
mod hostile;
#[path = "../interop/mod.rs"]
mod interop;
mod isolation;
mod killed;
mod leaving;
mod logins;
mod model;
mod mounting;
mod moving;
mod naming;
mod peer;
mod picking;
mod program;
mod protocol;
mod pulling;
mod putting;
mod quotas;
mod raw;
mod readings;
mod receiver;
mod rejecting;
mod relinking;
mod reloading;
mod restarts;
mod retaining;
mod revising;
mod scheduling;
mod seeing;
mod sending;
mod service;
#[path = "../soak/mod.rs"]
mod soak;
mod syncing;
mod telling;
mod together;
mod unfinished;
mod uploading;
