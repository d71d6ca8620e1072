//! What do the things that `sluis doctor` has looked at mean?
//!
//! Looking is done elsewhere; here are the limits, and what somebody should do. A finding is *wrong* where
//! something does not work or is open to others, and a *warning* where it soon may be.

use core::net::SocketAddr;
use std::path::Path;

use crate::model::Timestamp;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It works, and somebody should look when there is time.
    Warn,
    /// Somebody should look now.
    Wrong,
}

impl Grade {
    /// Returns the word that programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Wrong => "wrong",
        }
    }
}

/// What was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: String,
    /// How bad it is.
    pub grade: Grade,
    /// What was seen.
    pub detail: String,
    /// What to do; none where it is as it should be.
    pub advice: Option<String>,
}

impl Finding {
    /// Something is as it should be.
    pub fn ok(check: &str, detail: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            grade: Grade::Ok,
            detail: detail.into(),
            advice: None,
        }
    }

    /// Somebody should look when there is time.
    pub fn warn(check: &str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            grade: Grade::Warn,
            advice: Some(advice.into()),
            ..Self::ok(check, detail)
        }
    }

    /// Somebody should look now.
    pub fn wrong(check: &str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            grade: Grade::Wrong,
            ..Self::warn(check, detail, advice)
        }
    }
}

/// What is at the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtPort {
    /// Nobody.
    Free,
    /// Somebody who shows this SSH version, and this host key, if it shows one.
    Somebody {
        /// What it says first.
        version: String,
        /// The fingerprint of its key.
        key: Option<String>,
    },
    /// Somebody who says nothing.
    Silent,
    /// It may not be listened on.
    Forbidden(String),
}

/// Judges what was found of the addresses of monitors, or of whom receivers are trusted by.
pub fn outward(check: &'static str, found: Result<String, String>) -> Finding {
    match found {
        Ok(detail) => Finding::ok(check, detail),
        Err(detail) if check == "metrics" => Finding::wrong(
            check,
            detail,
            "`ss -ltnp` names the program; an address must be one of this machine",
        ),
        Err(detail) => Finding::wrong(
            check,
            detail,
            "`[webhooks] roots` names a file of certificates (PEM) that this user can read",
        ),
    }
}

/// Judges how many files and folders lie in the root of the drop folders that are of no firm; none where a folder there
/// does not answer.
pub fn strays(root: &Path, count: Option<usize>) -> Finding {
    const CHECK: &str = "drop folders";
    let root = root.display();
    match count {
        Some(0) => Finding::ok(
            CHECK,
            format!("all that lies in `{root}` is in a firm's folder"),
        ),
        Some(count) => Finding::warn(
            CHECK,
            format!(
                "{count} files or folders in `{root}` are of no firm, so nothing is taken from them"
            ),
            "move what they hold into the folder of its firm, which is called as `sluis firm list` calls it",
        ),
        None => Finding::warn(
            CHECK,
            format!("a folder in `{root}` does not answer"),
            "look which share there has died (`findmnt`), and mount it anew or take it away",
        ),
    }
}

/// Judges what is at the port where devices come; `own` are the fingerprints of our keys.
pub fn port(listen: SocketAddr, found: &AtPort, own: &[String]) -> Finding {
    const CHECK: &str = "port";
    let whence = match listen.ip() {
        ip if ip.is_unspecified() => "at every address of this machine",
        ip if ip.is_loopback() => "at loopback only: no device elsewhere can come",
        _ => "at this address only",
    };
    match found {
        AtPort::Free => Finding::ok(
            CHECK,
            format!("{listen} is free; `sluis serve` will listen there, {whence}"),
        ),
        AtPort::Somebody { version, key } if version.starts_with("SSH-2.0-Sluis") => match key {
            Some(key) if !own.contains(key) => Finding::wrong(
                CHECK,
                format!("{listen} is served by {version} with another host key, {key}"),
                "either another Sluis is there, or this one has not read its new keys: `systemctl reload sluis`",
            ),
            Some(_) => Finding::ok(
                CHECK,
                format!("{listen} is served by {version} with our host key, {whence}"),
            ),
            None => Finding::warn(
                CHECK,
                format!(
                    "{listen} is served by {version}, which does not finish a key exchange with us"
                ),
                "look whether it is full (`sluis penalties`), or stuck (the log)",
            ),
        },
        AtPort::Somebody { version, .. } => Finding::wrong(
            CHECK,
            format!("{listen} is taken by another program; it says `{version}`"),
            "end that program, or let `[sftp] listen` name another port",
        ),
        AtPort::Silent => Finding::wrong(
            CHECK,
            format!("{listen} is taken by a program that does not speak SSH"),
            "end that program (`ss -ltnp` names it), or let `[sftp] listen` name another port",
        ),
        AtPort::Forbidden(why) => Finding::wrong(
            CHECK,
            format!("{listen} cannot be listened on: {why}"),
            "a port below 1024 wants a privilege, or sluis.socket; an address must be one of this machine",
        ),
    }
}

/// How far the clock may be behind the newest event: two machines in turn may differ.
const BEHIND_MS_MAX: i64 = 60 * 1000;

/// When this was written: no clock is right that shows an earlier time.
const WRITTEN: Timestamp = Timestamp(1_767_225_600_000);

/// Judges the clock against the newest event, and by whether the machine takes its time from elsewhere.
pub fn clock(now: Timestamp, newest: Option<Timestamp>, synchronised: Option<bool>) -> Finding {
    const CHECK: &str = "clock";
    const MEND: &str = "let the machine take its time from the network (`timedatectl set-ntp true`); marks, alarms and retention go by it";
    if now < WRITTEN {
        return Finding::wrong(CHECK, format!("it shows {now}, which is over"), MEND);
    }
    if let Some(newest) = newest.filter(|newest| newest.0 - now.0 > BEHIND_MS_MAX) {
        let seen = format!("it shows {now}, and something happened at {newest}");
        return Finding::wrong(CHECK, seen, MEND);
    }
    match synchronised {
        Some(true) => Finding::ok(CHECK, format!("{now}, synchronised")),
        Some(false) => Finding::warn(CHECK, format!("{now}, not synchronised"), MEND),
        None => Finding::ok(
            CHECK,
            format!("{now}; whether it is synchronised cannot be asked here"),
        ),
    }
}

/// The room on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Files that may still be made, and in all; none where they are not counted.
    pub files: Option<(u64, u64)>,
    /// Whether it may not be written at all.
    pub is_read_only: bool,
}

/// Below this share of all, in percent, somebody should make room in time.
const FREE_PERCENT_MIN: u64 = 5;

/// Below so many files a busy day may not fit.
const FREE_FILES_MIN: u64 = 10_000;

/// Judges the room on the disk of something; `least` bytes are kept free.
pub fn room(check: &str, room: Room, least: u64) -> Finding {
    const MEND: &str = "make room on that disk, outside the data folder, or grow it";
    let mib = |bytes: u64| bytes >> 20;
    let (free, all) = (mib(room.free_bytes), mib(room.bytes));
    let seen = format!("{free} of {all} MiB free");
    if room.is_read_only {
        return Finding::wrong(
            check,
            "the disk is mounted read-only",
            "look for its errors (`dmesg`), and mount it again",
        );
    }
    if room.bytes < least {
        let seen = format!(
            "{seen}, and `[disk] keep_free_bytes` keeps {}, more than there is: nothing new is taken",
            mib(least)
        );
        return Finding::wrong(check, seen, "write less at `[disk] keep_free_bytes`");
    }
    if room.free_bytes < least {
        let seen = format!(
            "{seen}, less than the {} that `[disk] keep_free_bytes` keeps: nothing new is taken",
            mib(least)
        );
        return Finding::wrong(check, seen, MEND);
    }
    let few_files = |(free, all): (u64, u64)| free < FREE_FILES_MIN && free < all / 10;
    if let Some((files, _)) = room.files.filter(|files| few_files(*files)) {
        let seen = format!("{seen}, and room for {files} files: each document is one");
        let mend =
            "make a file system with more inodes, or remove small files elsewhere on that disk";
        return match files {
            0 => Finding::wrong(check, seen, mend),
            _ => Finding::warn(check, seen, mend),
        };
    }
    let is_little = room.free_bytes < least.saturating_mul(2)
        || room.free_bytes < room.bytes / 100 * FREE_PERCENT_MIN;
    if is_little {
        return Finding::warn(check, seen, MEND);
    }
    Finding::ok(check, seen)
}

/// Whose a file or folder is, and who may do what with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Its mode.
    pub mode: u32,
    /// Its owner.
    pub owner: u32,
    /// Who looks.
    pub me: u32,
}

/// For whom something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// For its owner alone: a private key, what the data folder keeps.
    Owner,
    /// For its owner and its group: the data folder, in which producers may have a folder.
    Group,
}

/// Judges who may read and write something.
pub fn access(check: &str, path: &str, access: Access, privacy: Privacy) -> Finding {
    let (others, mend) = match privacy {
        Privacy::Owner => (0o077, format!("`chmod go-rwx {path}`")),
        Privacy::Group => (0o007, format!("`chmod o-rwx {path}`")),
    };
    let mode = access.mode & 0o777;
    if mode & others != 0 {
        let seen = format!("`{path}` is open to others (mode {mode:03o})");
        return Finding::wrong(check, seen, mend);
    }
    let (owner, me) = (access.owner, access.me);
    if owner != me {
        let seen = format!("`{path}` belongs to user {owner}, and this is user {me}");
        let mend = "run every command as the user of the service: what another user makes, the service may not write";
        return Finding::warn(check, seen, mend);
    }
    Finding::ok(check, format!("`{path}` (mode {mode:03o})"))
}

/// After this many days a key should be changed by somebody, on a quiet day.
const KEY_DAYS_MAX: i64 = 2 * 365;

/// How many of a list are named.
const NAMED_MAX: usize = 5;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Judges a host key by what it is; one that was weak would not be offered.
pub fn host_key(name: &str, bits: Option<usize>, age_ms: Option<i64>) -> Finding {
    const CHECK: &str = "host key";
    let days = age_ms.map(|age| age / DAY_MS);
    let age = days.map_or_else(String::new, |days| format!(", {days} days old"));
    if let Some(bits) = bits.filter(|bits| *bits < RSA_BITS_MIN) {
        let seen = format!("{name} has {bits} bits");
        let mend =
            "make new host keys, and tell every device: `sluis init` makes those that are missing";
        return Finding::wrong(CHECK, seen, mend);
    }
    let size = bits.map_or_else(String::new, |bits| format!(", {bits} bits"));
    // An old host key is no fault: each change frightens every device.
    Finding::ok(CHECK, format!("{name}{size}{age}"))
}

/// Fewer bits do not last as long as books are kept.
const RSA_BITS_MIN: usize = 3072;

/// Judges how long devices have had their keys: whose, and since when.
pub fn device_keys(keys: &[(String, Timestamp)], now: Timestamp) -> Finding {
    const CHECK: &str = "keys of devices";
    let is_old = |since: &Timestamp| now.0.saturating_sub(since.0) / DAY_MS > KEY_DAYS_MAX;
    let old: Vec<_> = keys.iter().filter(|(_, since)| is_old(since)).collect();
    if old.is_empty() {
        return Finding::ok(CHECK, format!("{}, none older than two years", keys.len()));
    }
    let named: Vec<_> = old
        .iter()
        .take(NAMED_MAX)
        .map(|(whose, _)| whose.as_str())
        .collect();
    let seen = format!(
        "{} older than two years: {}",
        old.len(),
        listed(&named, old.len())
    );
    let mend = "give the device a new key (`sluis device key add`), then take the old one away";
    Finding::warn(CHECK, seen, mend)
}

/// Judges the catalog: the shape it has, and what is wrong in it.
pub fn catalog(schema: i64, faults: &[String]) -> Finding {
    const CHECK: &str = "catalog";
    if faults.is_empty() {
        return Finding::ok(CHECK, format!("sound, schema {schema}"));
    }
    let named: Vec<_> = faults.iter().take(NAMED_MAX).map(String::as_str).collect();
    Finding::wrong(
        CHECK,
        format!("damaged: {}", listed(&named, faults.len())),
        "stop the service, keep the data folder as it is, and bring it back from a backup (`sluis restore`)",
    )
}

/// A key exchange, cipher, authentication code or kind of host key that was tried with ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// What it is, and its name.
    pub algorithm: String,
    /// Why it did not work.
    pub failed: Option<String>,
}

/// Judges the algorithms that are offered.
pub fn algorithms(tried: &[Rehearsed]) -> Finding {
    const CHECK: &str = "algorithms";
    let failed: Vec<_> = tried
        .iter()
        .filter_map(|one| Some(format!("{} ({})", one.algorithm, one.failed.as_ref()?)))
        .collect();
    if failed.is_empty() && !tried.is_empty() {
        return Finding::ok(CHECK, format!("{} were tried, and work", tried.len()));
    }
    let named: Vec<_> = failed.iter().take(NAMED_MAX).map(String::as_str).collect();
    Finding::wrong(
        CHECK,
        format!(
            "{} of {} do not work: {}",
            failed.len(),
            tried.len(),
            listed(&named, failed.len())
        ),
        "look at the host keys above; else this program is at fault: install it again, and tell its makers",
    )
}

fn listed(named: &[&str], all: usize) -> String {
    let more = match all.saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("{}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn what_is_at_the_port_is_us_somebody_else_or_nobody() {
        let listen = "0.0.0.0:2222".parse().unwrap();
        let own = ["SHA256:own".to_owned()];
        let says = |version: &str, key: Option<&str>| AtPort::Somebody {
            version: version.to_owned(),
            key: key.map(str::to_owned),
        };
        #[rustfmt::skip]
        let table = [
            (AtPort::Free,                                        Grade::Ok),
            (says("SSH-2.0-Sluis_0.1.0", Some("SHA256:own")),     Grade::Ok),
            (says("SSH-2.0-Sluis_0.1.0", Some("SHA256:other")),   Grade::Wrong),
            (says("SSH-2.0-Sluis_0.1.0", None),                   Grade::Warn),
            (says("SSH-2.0-OpenSSH_9.9", Some("SHA256:own")),     Grade::Wrong),
            (AtPort::Silent,                                      Grade::Wrong),
            (AtPort::Forbidden("permission denied".to_owned()),   Grade::Wrong),
        ];
        for (found, grade) in table {
            let finding = port(listen, &found, &own);
            assert_eq!(finding.grade, grade, "{found:?}");
            assert_eq!(finding.advice.is_none(), grade == Grade::Ok, "{finding:?}");
        }
    }

    #[test]
    fn a_clock_is_wrong_that_is_behind_what_has_happened() {
        let later = |ms| Some(NOW.plus_ms(ms));
        #[rustfmt::skip]
        let table = [
            (NOW,          None,                      Some(true),  Grade::Ok),
            (NOW,          None,                      None,        Grade::Ok),
            (NOW,          later(-1),                 Some(false), Grade::Warn),
            (NOW,          later(BEHIND_MS_MAX),      Some(true),  Grade::Ok),
            (NOW,          later(BEHIND_MS_MAX + 1),  Some(true),  Grade::Wrong),
            (Timestamp(0), None,                      Some(true),  Grade::Wrong),
        ];
        for (now, newest, synchronised, grade) in table {
            assert_eq!(
                clock(now, newest, synchronised).grade,
                grade,
                "{now} {newest:?}"
            );
        }
    }

    #[test]
    fn room_is_judged_by_what_is_kept_by_its_share_and_by_files() {
        const GIB: u64 = 1 << 30;
        let disk = |free_bytes, files| Room {
            free_bytes,
            bytes: 100 * GIB,
            files,
            is_read_only: false,
        };
        #[rustfmt::skip]
        let table = [
            (disk(50 * GIB, None),                          Grade::Ok),
            (disk(4 * GIB, None),                           Grade::Warn),
            (disk(GIB - 1, None),                           Grade::Wrong),
            (disk(50 * GIB, Some((9_999, 1_000_000))),      Grade::Warn),
            (disk(50 * GIB, Some((10_000, 1_000_000))),     Grade::Ok),
            (disk(50 * GIB, Some((0, 1_000_000))),          Grade::Wrong),
            (Room { is_read_only: true, ..disk(50 * GIB, None) }, Grade::Wrong),
        ];
        for (found, grade) in table {
            assert_eq!(room("disk", found, GIB).grade, grade, "{found:?}");
        }
        let absurd = room("disk", disk(50 * GIB, None), 100 * GIB + 1);
        assert_eq!(absurd.grade, Grade::Wrong);
        assert_eq!(
            absurd.advice.as_deref(),
            Some("write less at `[disk] keep_free_bytes`")
        );
        assert_eq!(
            room("disk", disk(0, None), 0).grade,
            Grade::Warn,
            "0 keeps nothing"
        );
    }

    #[test]
    fn nobody_else_may_read_a_key_and_a_group_may_look_into_the_folder() {
        let of = |mode, owner| Access { mode, owner, me: 7 };
        let grade = |access_of, privacy| access("x", "/x", access_of, privacy).grade;
        assert_eq!(grade(of(0o100_600, 7), Privacy::Owner), Grade::Ok);
        assert_eq!(grade(of(0o100_640, 7), Privacy::Owner), Grade::Wrong);
        assert_eq!(grade(of(0o40_750, 7), Privacy::Group), Grade::Ok);
        assert_eq!(grade(of(0o40_755, 7), Privacy::Group), Grade::Wrong);
        assert_eq!(grade(of(0o40_750, 0), Privacy::Group), Grade::Warn);
    }

    #[test]
    fn old_keys_and_what_is_damaged_are_named_up_to_a_number() {
        let key = |days: i64| ("kantoor.pc".to_owned(), NOW.plus_ms(-days * DAY_MS));
        assert_eq!(device_keys(&[key(KEY_DAYS_MAX)], NOW).grade, Grade::Ok);
        let old = device_keys(&vec![key(KEY_DAYS_MAX + 1); NAMED_MAX + 1], NOW);
        assert_eq!(old.grade, Grade::Warn);
        assert!(old.detail.ends_with(", and 1 more"), "{}", old.detail);
        assert_eq!(catalog(16, &[]).grade, Grade::Ok);
        assert_eq!(
            catalog(16, &["row 3 missing".to_owned()]).grade,
            Grade::Wrong
        );
        assert_eq!(host_key("ssh-rsa", Some(2048), None).grade, Grade::Wrong);
        assert_eq!(host_key("ssh-rsa", Some(3072), Some(0)).grade, Grade::Ok);
    }

    #[test]
    fn algorithms_are_wrong_when_one_fails_or_none_was_tried() {
        let one = |failed: Option<&str>| Rehearsed {
            algorithm: "cipher x".to_owned(),
            failed: failed.map(str::to_owned),
        };
        assert_eq!(algorithms(&[one(None)]).grade, Grade::Ok);
        assert_eq!(
            algorithms(&[one(None), one(Some("no"))]).grade,
            Grade::Wrong
        );
        assert_eq!(algorithms(&[]).grade, Grade::Wrong);
    }
}
