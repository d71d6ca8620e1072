//! What do the clients that an accountant's IT partner has do here, and what becomes of a delivery by it?
//!
//! Each is run as it comes, against the real program. What they are all asked is in `errand`, what
//! came of it in `table`, which holds it against the table of `docs/clients.md`, for each client that
//! `all` has. What only one client does is a story of its own beside it. Where a client is not
//! installed, the test says so and ends; `SLUIS_TEST_CLIENTS=all`, which `.ci/run` sets, makes that a
//! failure.

mod all;
mod audit;
mod crowd;
mod errand;
mod lftp;
mod libraries;
mod openssh;
mod putty;
mod python;
mod rclone;
mod reput;
mod scene;
mod table;
mod transcripts;
mod transports;
mod web;
mod wire;

pub use crowd::MULTIPLY;
pub use errand::{expect, is_here, python};
pub use scene::{Over, wait_until};
pub use wire::Wire;
