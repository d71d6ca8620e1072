//! How much may one session ask for, one connection, and one device?
//!
//! What ends with `_OWN` each connection may have, whatever the others of its device hold; what ends with
//! `_DEVICE_MAX` is what all of them may have beside that.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

/// The longest packet, in bytes, its length field apart: what OpenSSH takes and sends.
pub const PACKET_BYTES_MAX: usize = 256 * 1024;

/// The most bytes that one READ is answered with, and one WRITE may carry: a packet less its head.
pub const IO_BYTES_MAX: u32 = 255 * 1024;

/// Open files and folders of one session.
pub const HANDLES_MAX: usize = 256;

/// Open folders among them: each holds its listing, some 200 bytes a file.
pub const FOLDERS_MAX: usize = 32;

/// Entries in the open folders of a connection, from which on no further folder is opened that is not small. The
/// last one may be of any size; a folder that was read to its end does not count.
pub const LISTED_FILES_MAX: usize = 100_000;

/// Entries in the large folders of a device that are open, from which on no further one is opened.
///
/// The last one may be of any size. It is also the most entries in its small folders, beside [`LISTED_SMALL_OWN`]: 80 MB each.
pub const LISTED_FILES_DEVICE_MAX: usize = 400_000;

/// Entries of a folder that is small: a connection may open it beside a large one, for a mount is one connection for
/// all programs.
pub const LISTED_SMALL_MAX: usize = 1_000;

/// Entries in the small folders of a connection: eight of the largest.
pub const LISTED_SMALL_OWN: usize = 8 * LISTED_SMALL_MAX;

/// The longest handle that a peer may name, in bytes (filexfer-02 §6.3).
pub const HANDLE_BYTES_MAX: usize = 256;

/// The longest file name that is taken, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Files of one session that are being written, finished ones apart: each may hold disk space.
pub const DRAFTS_MAX: usize = 16;

/// Files that a connection is writing: what one program writes at a time, and one more.
pub const DRAFTS_OWN: usize = 2;

/// Files that a device is writing: eight programs, with [`DRAFTS_MAX`] each. They come to 32 MiB of memory.
pub const DRAFTS_DEVICE_MAX: usize = 8 * DRAFTS_MAX;

/// Bytes of the files that a connection is writing: the largest one.
pub const DRAFT_BYTES_OWN: usize = 100 * 1024 * 1024;

/// Bytes of the files that a device is writing: of the disk, not of memory.
pub const DRAFT_BYTES_DEVICE_MAX: usize = 2 * 1024 * 1024 * 1024;

/// Bytes of a copy that are hashed without asking first whether a document of its folder is as large: they take less
/// time than the question, in a folder of many files.
pub const HASHED_UNASKED_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Channels of one connection. Clients open one, some a second for another thread.
pub const CHANNELS_MAX: usize = 10;

/// Channels of a connection that none of its device can take from it.
pub const CHANNELS_OWN: usize = 1;

/// Channels of a device: each may have a session, which may take some 1.5 MB beside what is counted for its device.
pub const CHANNELS_DEVICE_MAX: usize = 64;

/// Channels that a connection asks for, one after the other, the refused ones among them.
///
/// russh 0.65 keeps some 3.5 KB of each that the server closed first, and of each that it is asked for while
/// keys are exchanged. rclone asks for a channel for each file it compares, and removes its copy when it is cut off
/// first; so each collected document allows one more.
pub const CHANNELS_ASKED_MAX: usize = 10_000;

/// Channels that a connection asks for and that do not count for its device.
pub const CHANNELS_ASKED_OWN: usize = 500;

/// Channels that the connections of a device ask for which are there, and one more for each document that was
/// collected over them: 70 MB. Whoever asks past it dials anew.
pub const CHANNELS_ASKED_DEVICE_MAX: usize = 20_000;

/// Separate spans of what the open files of a connection were given, that none of its device can take from it: of
/// one file that is read in any order.
pub const SPANS_OWN: usize = crate::collect::SPANS_MAX;

/// The same of a device: up to 64 bytes each. Further ones are not counted unless they join, which errs towards a
/// second fetch.
pub const SPANS_DEVICE_MAX: usize = 1_000_000;

/// Waiting requests, in bytes, above which the disk may slow an upload down. An honest client
/// pipelines less: paramiko sends 1.5 MB of READs for 1 GiB, OpenSSH 2 MB of WRITEs.
pub const WAITING_BYTES_SOFT: usize = 4 * 1024 * 1024;

/// Waiting requests, in bytes, past which a peer that takes no answers is sent away.
pub const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The same for all channels of a connection: more than a slow disk lets wait on each, [`WAITING_BYTES_SOFT`].
pub const WAITING_BYTES_TOGETHER_MAX: usize = 48 * 1024 * 1024;

/// Waiting requests of a connection, in bytes, that do not count for its device: what clients pipeline that ask
/// for what they read, or write it in small blocks.
///
/// So whoever is served, and takes what he asked for, is not sent away for what another connection of his device
/// leaves waiting. Who writes more at once than the disk takes is slowed.
pub const WAITING_BYTES_OWN: usize = 2 * 1024 * 1024;

/// The same for all connections of a device. A slow disk may let [`WAITING_BYTES_SOFT`] wait on each of 32
/// connections, and half of that is their own.
pub const WAITING_BYTES_DEVICE_MAX: usize = 96 * 1024 * 1024;

/// Waiting requests that a session takes at a time, in bytes: what it has taken is counted nowhere.
pub const TAKEN_BYTES_MAX: usize = 256 * 1024;

/// Answers that are gathered before they are sent, in bytes.
pub const ANSWER_BYTES: usize = 256 * 1024;

/// Entries in one answer to READDIR. OpenSSH sends as many.
pub const PAGE_ENTRIES_MAX: usize = 100;

/// Bytes of entries in one answer to READDIR: old clients take packets of 34 000 bytes at the most.
pub const PAGE_BYTES_MAX: usize = 32 * 1024;

/// Entries in one answer to READDIR for whoever has asked for our limits (`limits@openssh.com`), and so knows that
/// packets may be as large as [`PACKET_BYTES_MAX`]: a fifth of the turns.
pub const PAGE_ENTRIES_WIDE_MAX: usize = 500;

/// Bytes of entries in such an answer: 500 of usual names, and less than clients take, 256 KiB.
pub const PAGE_BYTES_WIDE_MAX: usize = 160 * 1024;

/// The longest command line, in bytes: SSH itself promises 32 768 (RFC 4253 §6.1).
pub const COMMAND_BYTES_MAX: usize = 32 * 1024;

/// Files whose hashes one command may ask for.
pub const COMMAND_PATHS_MAX: usize = 256;

/// What a peer may send to have it hashed, in bytes: clients try with nothing, or a word.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;

/// Users, and groups, whose names one request may ask for: the answer fits in the smallest packet.
pub const IDS_MAX: usize = 1024;

/// How many failed logins one connection may try.
///
/// Most clients first ask which methods there are, which the
/// library counts too; OpenSSH's six keys or passwords come on top, and some of agents that hold more.
pub const LOGINS_PER_CONNECTION_MAX: usize = 10;

/// The most that is taken from whoever has not logged in, in bytes.
///
/// A key exchange costs the server more than its client, and the library makes as many as are asked for. Ten keys of
/// 16 384 bits do not need as much.
pub const BYTES_BEFORE_LOGIN_MAX: usize = 32 * 1024;

/// After so many seconds without a word a peer is asked whether it is there, where nothing else is decided.
pub const KEEPALIVE_SECONDS: NonZeroU16 = NonZeroU16::MIN.saturating_add(59);

/// A peer may be asked as rarely as this: one that is gone is found four times as late.
pub const KEEPALIVE_SECONDS_MAX: u16 = 5 * 60;

/// A peer that does not answer so many questions one after the other is gone.
pub const UNANSWERED_MAX: usize = 3;

/// A peer that neither sends nor takes anything for this long is gone, whatever it was asked.
pub const SILENCE_MAX: Duration = Duration::from_secs(15 * 60);

/// How many seconds a session may stay without asking for anything, where nothing else is decided: 30 days, so
/// that a mounted drive outlasts a closed office.
pub const IDLE_SECONDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(30 * 24 * 60 * 60 - 1);

/// How often it is asked which sessions may go on: so late at most one of a disabled device ends.
pub const STANDING_ROUND: Duration = Duration::from_millis(500);

/// After how many bytes in one direction keys are exchanged anew at the latest (RFC 4253 §9).
pub const REKEY_BYTES_MAX: usize = 1 << 30;

/// Keys are exchanged anew after no fewer bytes than this: else a peer and the server do little besides.
pub const REKEY_BYTES_MIN: usize = 64 * 1024;

/// After how long keys are exchanged anew at the latest (RFC 4253 §9).
pub const REKEY_MAX: Duration = Duration::from_secs(60 * 60);

/// How often penalties are written down, and lifted ones read.
pub const GUARD_ROUND: Duration = Duration::from_secs(2);

/// How long open files may go on being read when the server ends.
pub const DRAIN: Duration = Duration::from_secs(10);

/// How many lanes there are for each processor. With one, whoever shares a lane with a large download waits for its
/// turns, and the system cannot tell the two apart.
pub const LANES_PER_PROCESSOR: usize = 2;
