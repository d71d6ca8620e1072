//! Where does a document go, from the moment it turns up to the moment it is booked?
//!
//! ```text
//! drop folder, `/in`, `sluis ingest` ─▶ ubl::read ─▶ ingest::plan ─▶ ingest::run ─▶ blobs, catalog
//!                                                                                     │
//!            device: list, open, read, close, remove ◀─ sftp ◀─ tree ◀─ layout ◀───────┘
//!                                   │
//!                                   └─▶ collect ─▶ mark (state and event, one transaction)
//! ```
//!
//! Modules stand on floors, and name only their own floor or those below (`tests/floors.rs`): `ARCHITECTURE.md` says
//! which there are, and what each is for.

pub mod alarm;
pub mod app;
pub mod audit;
pub mod backup;
pub mod birth;
pub mod blobs;
pub mod catalog;
pub mod cli;
pub mod collect;
pub mod config;
pub mod counts;
pub mod dispatch;
pub mod doctor;
pub mod dropfolder;
pub mod evidence;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod guard;
pub mod hostkeys;
pub mod ingest;
pub mod keeping;
pub mod layout;
pub mod locks;
pub mod login;
pub mod lookout;
pub mod mark;
pub mod model;
pub mod retention;
pub mod scheduler;
pub mod seeing;
pub mod sending;
pub mod sftp;
pub mod telemetry;
pub mod tending;
pub mod text;
pub mod transfer;
pub mod tree;
pub mod ubl;
pub mod upload;
pub mod wellness;
