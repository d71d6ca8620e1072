//! What can be proven of what has happened?
//!
//! Events are the order of things, and each carries the hash of the one before it ([`chain`]). From them
//! alone follows where every delivery stands ([`replay`]), and what a receipt says ([`receipt`]). This
//! module reads no clock and touches no store; `catalog` keeps the events, and `cli` shows what is
//! concluded.

pub mod chain;
mod collecting;
mod deeds;
mod event;
pub mod forgotten;
pub mod receipt;
pub mod replay;
pub mod signed;

pub use collecting::{Collecting, Connected, Reads, SPANS_TOLD_MAX, Sure};
pub use deeds::{Deed, Deeds, NotedDeed, deed_hash};
pub use event::{Event, EventRow, Written};
