//! How does an arrival become a document with its deliveries?
//!
//! Read, decide, do: [`crate::ubl::read`] says what it is, [`plan`](plan::plan) what becomes of it,
//! and [`Ingest::take`] does that: blob, then rows and events in one transaction; only then may the
//! door let go of its source.

mod firms;
pub mod named;
pub mod neighbours;
pub mod place;
pub mod plan;
mod readers;
mod receive;
pub(crate) mod revise;
pub mod route;
mod run;
mod sameness;
mod standing;
mod write;

pub use firms::Firm;
pub use readers::{Readers, Reads};
pub use receive::{GROUP_FILES_MAX, PutAs, Written};
pub use run::{Arrival, Error, Ingest, Outcome, Prepared, Taken};
pub use sameness::doubt;
pub(crate) use write::{Facts, named_in, routing_json, waits_for};
