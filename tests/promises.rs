//! Is what the manual promises in numbers, and of the units, what the source and the units say? Is what is shipped
//! beside the program understood by whom it is for?
//!
//! It reads text, as `floors.rs` does: a constant by its name and what stands behind it, a row of a table by how it
//! begins.

#![expect(clippy::unwrap_used, reason = "a test ends where something is amiss")]
#![expect(clippy::panic, reason = "a test ends where something is amiss")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// What a constant counts.
#[derive(Debug, Clone, Copy)]
enum Of {
    Things,
    Bytes,
    Seconds,
    Millis,
}
use Of::{Bytes, Millis, Seconds, Things};

/// A constant: of what, in which file, and its name.
struct Number(Of, &'static str, &'static str);

const LIMITS: &str = "src/sftp/limits.rs";
const UBL: &str = "src/ubl/limits.rs";

/// Rows of `docs/security.md`, with the constants that each names, in any order.
#[rustfmt::skip]
const PROMISES: &[(&str, &[Number])] = &[
    ("Of one network (IPv4 /32", &[Number(Things, "src/guard/config.rs", "NETWORK_STARTUPS_MAX")]),
    ("Of a network that is barred but known", &[Number(Things, "src/guard/mod.rs", "NARROW_MAX")]),
    ("Time for a forwarder's header", &[Number(Seconds, "src/guard/config.rs", "GRACE_SECONDS")]),
    ("Failed logins of a connection", &[Number(Things, LIMITS, "LOGINS_PER_CONNECTION_MAX"), Number(Things, "src/guard/mod.rs", "NARROW_REFUSED_MAX")]),
    ("Keys that would do", &[Number(Things, LIMITS, "LOGINS_PER_CONNECTION_MAX")]),
    ("Bytes from whoever has not logged in", &[Number(Bytes, LIMITS, "BYTES_BEFORE_LOGIN_MAX")]),
    ("Networks with a penalty", &[Number(Things, "src/guard/penalties.rs", "PENALTIES_MAX"), Number(Things, "src/guard/penalties.rs", "CHANGED_MAX")]),
    ("Bars told one by one", &[Number(Things, "src/guard/rate.rs", "TOLD_MAX")]),
    ("A network is known after a login", &[Number(Millis, "src/guard/known.rs", "KNOWN_MS"), Number(Things, "src/guard/known.rs", "KNOWN_MAX"), Number(Things, "src/guard/mod.rs", "SESSIONS_PER_DEVICE_MAX")]),
    ("A refused key; from the fourth", &[Number(Millis, "src/sftp/pace.rs", "STEP"), Number(Millis, "src/sftp/pace.rs", "KEYS_STEP"), Number(Millis, "src/sftp/pace.rs", "PASSWORD_STEP"), Number(Millis, "src/sftp/pace.rs", "NARROWED_STEP")]),
    ("Penalties are written down", &[Number(Millis, LIMITS, "GUARD_ROUND")]),
    ("Ends of sessions that could not be noted", &[Number(Things, "src/login/ends.rs", "UNENDED_MAX")]),
    ("Sessions of a device", &[Number(Things, "src/login.rs", "SESSIONS_PER_DEVICE_MAX")]),
    ("A session that asks for nothing", &[Number(Seconds, LIMITS, "IDLE_SECONDS")]),
    ("A peer is asked whether it is there after", &[Number(Seconds, LIMITS, "KEEPALIVE_SECONDS"), Number(Things, LIMITS, "KEEPALIVE_SECONDS_MAX"), Number(Things, LIMITS, "UNANSWERED_MAX")]),
    ("A peer that neither sends nor takes", &[Number(Millis, LIMITS, "SILENCE_MAX")]),
    ("It is asked which sessions may go on", &[Number(Millis, LIMITS, "STANDING_ROUND")]),
    ("Networks of a device", &[Number(Things, "src/model/access.rs", "NETWORKS_PER_DEVICE_MAX")]),
    ("A key is told of before it expires", &[Number(Millis, "src/cli/expiring.rs", "SOON_MS")]),
    ("A login whose device is being changed", &[Number(Things, "src/login.rs", "JUDGED_MAX")]),
    ("Passwords hashed at a time", &[Number(Things, "src/login.rs", "VERIFIED_AT_ONCE")]),
    ("Channels of a connection at a time", &[Number(Things, LIMITS, "CHANNELS_MAX")]),
    ("Channels asked for on a connection", &[Number(Things, LIMITS, "CHANNELS_ASKED_MAX")]),
    ("Command line; its paths", &[Number(Bytes, LIMITS, "COMMAND_BYTES_MAX"), Number(Things, LIMITS, "COMMAND_PATHS_MAX"), Number(Bytes, LIMITS, "INPUT_BYTES_MAX"), Number(Millis, "src/sftp/exec.rs", "INPUT_WAIT")]),
    ("Packet of SFTP", &[Number(Bytes, LIMITS, "PACKET_BYTES_MAX")]),
    ("READ answered, WRITE taken at once", &[Number(Bytes, LIMITS, "IO_BYTES_MAX")]),
    ("Open handles of a session", &[Number(Things, LIMITS, "HANDLES_MAX")]),
    ("Open folders among them", &[Number(Things, LIMITS, "FOLDERS_MAX")]),
    ("Entries in the open folders of a connection", &[Number(Things, LIMITS, "LISTED_FILES_MAX"), Number(Things, LIMITS, "LISTED_SMALL_MAX")]),
    ("Length of a handle", &[Number(Bytes, LIMITS, "HANDLE_BYTES_MAX")]),
    ("Path; its depth", &[Number(Bytes, "src/model/path.rs", "PATH_BYTES_MAX")]),
    ("File name", &[Number(Bytes, LIMITS, "NAME_BYTES_MAX")]),
    ("Requests that wait on a channel", &[Number(Bytes, LIMITS, "WAITING_BYTES_MAX"), Number(Bytes, LIMITS, "WAITING_BYTES_TOGETHER_MAX")]),
    ("Requests that wait while a disk is behind", &[Number(Bytes, LIMITS, "WAITING_BYTES_SOFT")]),
    ("Requests that a session takes at a time", &[Number(Bytes, LIMITS, "TAKEN_BYTES_MAX")]),
    ("Answers gathered before they are sent", &[Number(Bytes, LIMITS, "ANSWER_BYTES")]),
    ("READDIR page; for whoever has asked for `limits@openssh.com`", &[Number(Things, LIMITS, "PAGE_ENTRIES_MAX"), Number(Bytes, LIMITS, "PAGE_BYTES_MAX"), Number(Things, LIMITS, "PAGE_ENTRIES_WIDE_MAX"), Number(Bytes, LIMITS, "PAGE_BYTES_WIDE_MAX")]),
    ("Users, and groups, named at once", &[Number(Things, LIMITS, "IDS_MAX")]),
    ("Files being written, uploads and copies", &[Number(Things, LIMITS, "DRAFTS_MAX"), Number(Bytes, "src/upload/draft.rs", "SESSION_BYTES_MAX"), Number(Bytes, "src/upload/draft.rs", "MEMORY_BYTES_MAX")]),
    ("Silence of a peer that takes nothing", &[Number(Millis, LIMITS, "SILENCE_MAX")]),
    ("Requests that wait", &[Number(Bytes, LIMITS, "WAITING_BYTES_OWN"), Number(Bytes, LIMITS, "WAITING_BYTES_DEVICE_MAX")]),
    ("Entries in open folders of more than 1000", &[Number(Things, LIMITS, "LISTED_FILES_DEVICE_MAX")]),
    ("Entries in smaller open folders", &[Number(Things, LIMITS, "LISTED_SMALL_OWN"), Number(Things, LIMITS, "LISTED_FILES_DEVICE_MAX")]),
    ("Listings that are made at the same time", &[Number(Things, "src/login/holdings.rs", "LISTINGS_DEVICE_MAX")]),
    ("Files of listings that sessions remember", &[Number(Things, "src/tree/kept.rs", "REMEMBERED_DEVICE_MAX")]),
    ("Channels at a time", &[Number(Things, LIMITS, "CHANNELS_OWN"), Number(Things, LIMITS, "CHANNELS_DEVICE_MAX")]),
    ("Channels asked for, while their connection lasts", &[Number(Things, LIMITS, "CHANNELS_ASKED_OWN"), Number(Things, LIMITS, "CHANNELS_ASKED_DEVICE_MAX")]),
    ("Files being written; their bytes", &[Number(Things, LIMITS, "DRAFTS_OWN"), Number(Bytes, LIMITS, "DRAFT_BYTES_OWN"), Number(Things, LIMITS, "DRAFTS_DEVICE_MAX"), Number(Bytes, LIMITS, "DRAFT_BYTES_DEVICE_MAX")]),
    ("Files left unfinished in `/in`", &[Number(Things, "src/upload/shelf.rs", "SHELF_DRAFTS_MAX"), Number(Bytes, "src/upload/shelf.rs", "SHELF_BYTES_MAX"), Number(Millis, "src/upload/shelf.rs", "SHELF_MS")]),
    ("Names of what was taken from `/in`", &[Number(Things, "src/upload/shelf.rs", "SIGHTS_MAX")]),
    ("Files in `/rejected`", &[Number(Things, "src/catalog/rejections.rs", "REJECTED_MAX"), Number(Millis, "src/catalog/rejections.rs", "REJECTED_MS")]),
    ("Separate spans of what open files were given", &[Number(Things, "src/collect/coverage.rs", "SPANS_MAX"), Number(Things, LIMITS, "SPANS_DEVICE_MAX")]),
    ("Bytes in one direction under one key", &[Number(Bytes, LIMITS, "REKEY_BYTES_MAX"), Number(Bytes, LIMITS, "REKEY_BYTES_MIN")]),
    ("Time under one key", &[Number(Millis, LIMITS, "REKEY_MAX"), Number(Seconds, "src/config.rs", "REKEY_SECONDS")]),
    ("Document that is read", &[Number(Bytes, UBL, "DOCUMENT_BYTES_MAX")]),
    ("Elements within each other", &[Number(Things, UBL, "XML_DEPTH_MAX"), Number(Things, UBL, "XML_ATTRIBUTES_MAX"), Number(Things, UBL, "XML_NAMESPACES_MAX")]),
    ("Attribute's value; name", &[Number(Bytes, UBL, "XML_ATTRIBUTE_BYTES_MAX"), Number(Bytes, UBL, "XML_NAME_BYTES_MAX")]),
    ("Text kept of a field", &[Number(Bytes, UBL, "TEXT_BYTES_MAX")]),
    ("Remarks; attachments", &[Number(Things, UBL, "REMARKS_MAX"), Number(Things, UBL, "ATTACHMENTS_MAX"), Number(Things, UBL, "REFERENCES_MAX"), Number(Things, UBL, "IDS_PER_PARTY_MAX")]),
    ("Path at which a reference is looked for", &[Number(Bytes, UBL, "REFERENCE_PATH_BYTES_MAX")]),
    ("Declaration that is looked at", &[Number(Bytes, "src/ubl/decode.rs", "DECLARATION_BYTES_MAX")]),
    ("File's name; what of a number", &[Number(Things, "src/layout/file_name.rs", "FILE_NAME_CHARS_MAX"), Number(Things, "src/layout/file_name.rs", "VALUE_CHARS_MAX")]),
    ("Folder's name; dossier code", &[Number(Things, "src/layout/legal.rs", "FOLDER_CHARS_MAX"), Number(Things, "src/layout/legal.rs", "DOSSIER_CODE_CHARS_MAX"), Number(Things, "src/layout/template.rs", "FOLDERS_DEEP_MAX")]),
    ("Path; file's name that a device may use", &[Number(Things, "src/model/path.rs", "PATH_BYTES_MAX"), Number(Bytes, LIMITS, "NAME_BYTES_MAX")]),
    ("Dropped file; folders deep", &[Number(Bytes, UBL, "DOCUMENT_BYTES_MAX"), Number(Things, "src/dropfolder/scan.rs", "SCAN_DEPTH_MAX"), Number(Things, "src/dropfolder/scan.rs", "SCAN_FILES_MAX"), Number(Bytes, "src/dropfolder/take.rs", "BATCH_BYTES_MAX")]),
    ("What is said beside a document", &[Number(Bytes, "src/dropfolder/beside.rs", "BESIDE_BYTES_MAX")]),
    ("Uploaded file (`file_bytes_max`)", &[Number(Bytes, UBL, "DOCUMENT_BYTES_MAX"), Number(Bytes, "src/upload/draft.rs", "SESSION_BYTES_MAX"), Number(Bytes, "src/upload/quota.rs", "FIRM_DAY_BYTES_MAX"), Number(Things, "src/upload/quota.rs", "FIRM_DAY_FILES_MAX")]),
    ("File that `apply` reads", &[Number(Bytes, "src/cli/apply/mod.rs", "FILE_BYTES_MAX"), Number(Bytes, UBL, "DOCUMENT_BYTES_MAX")]),
    ("Answer of a webhook's receiver", &[Number(Bytes, "src/dispatch/post.rs", "HEAD_BYTES_MAX"), Number(Bytes, "src/dispatch/post.rs", "ANSWER_BYTES_MAX")]),
    ("Connections at a time; the next", &[Number(Things, "src/seeing/mod.rs", "CONNECTIONS_MAX")]),
    ("Head of a request", &[Number(Bytes, "src/seeing/mod.rs", "HEAD_BYTES_MAX")]),
    ("Time to send it; a connection in all", &[Number(Millis, "src/seeing/mod.rs", "HEAD_TIME_MAX"), Number(Millis, "src/seeing/mod.rs", "CONNECTION_TIME_MAX")]),
    ("How often the catalog and the disk are asked", &[Number(Millis, "src/seeing/fresh.rs", "FRESH"), Number(Millis, "src/seeing/fresh.rs", "PATIENCE")]),
];

/// Rows whose numbers are no constants: of a library, of a default that is a table, or of the code's shape.
const OTHERS: &[&str] = &[
    "Connections that have not logged in",
    "Networks that none of this counts for",
    "Cost of refused keys or passwords",
    "A network is barred from",
    "PROXY header",
    "Its last use is known",
    "Requests for a shell",
    "Packet of SSH",
    "Requests before INIT",
    "Version in INIT",
    "Offset of a READ",
    "Listings that a connection makes",
    "Envelopes that are opened",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of all tables of limits: what is limited, and the cells in which a number stands.
fn rows() -> Vec<(String, String)> {
    let text = read("docs/security.md");
    let mut rows = Vec::new();
    let mut numbers = None;
    for line in text.lines() {
        let Some(line) = line.strip_prefix("| ") else {
            if !line.starts_with("|---") {
                numbers = None;
            }
            continue;
        };
        let cells: Vec<_> = line.trim_end_matches('|').split(" | ").collect();
        match numbers {
            None if cells[0] == "Limit" && cells[1].starts_with("Each") => numbers = Some(2),
            None if cells[0] == "Limit" => numbers = Some(1),
            None => numbers = Some(0),
            Some(0) => {}
            Some(count) => rows.push((cells[0].to_owned(), cells[1..=count].join(" | "))),
        }
    }
    rows
}

/// What a constant in a file is.
fn constant(file: &str, name: &str) -> u64 {
    let text = read(file);
    let begin = format!("const {name}: ");
    let (_, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{file} has no constant {name}"));
    let (_, value) = rest.split_once('=').unwrap();
    evaluated(file, value.split_once(";\n").unwrap().0.trim())
}

fn evaluated(file: &str, text: &str) -> u64 {
    let inside = |before: &str, behind: &str| text.strip_prefix(before)?.strip_suffix(behind);
    if let Some((_, more)) = text.split_once("::MIN.saturating_add(") {
        return 1 + evaluated(file, more.trim_end_matches(')'));
    }
    if let Some((_, more)) = text.split_once("::new(") {
        return evaluated(file, more.trim_end_matches(").unwrap()"));
    }
    if let Some(seconds) = inside("Duration::from_secs(", ")") {
        return 1000 * evaluated(file, seconds);
    }
    if let Some(millis) = inside("Duration::from_millis(", ")") {
        return evaluated(file, millis);
    }
    if let Some((from, less)) = text.split_once(" - ") {
        return evaluated(file, from) - evaluated(file, less);
    }
    if let Some((base, by)) = text.split_once(" << ") {
        return evaluated(file, base) << evaluated(file, by);
    }
    if let Some((one, more)) = text.split_once(" * ") {
        return evaluated(file, one) * evaluated(file, more);
    }
    match text.replace('_', "").parse() {
        Ok(number) => number,
        Err(_) => constant(file, text),
    }
}

/// How people write it.
fn written(of: Of, value: u64) -> Vec<String> {
    let of_time = |seconds: u64| {
        let units = [(1, "s"), (60, "min"), (3600, "h"), (86_400, "days")];
        let fitting = units
            .into_iter()
            .filter(|(unit, _)| seconds.is_multiple_of(*unit));
        let mut all: Vec<_> = fitting
            .map(|(unit, word)| format!("{} {word}", seconds / unit))
            .collect();
        all.push(format!("{seconds}: so many seconds"));
        all
    };
    match of {
        Things => vec![value.to_string(), spaced(value)],
        Bytes => {
            let units = [(30, "GiB"), (20, "MiB"), (10, "KiB"), (0, "bytes")];
            let fitting = units
                .into_iter()
                .filter(|(bits, _)| value.is_multiple_of(1 << bits));
            fitting
                .map(|(bits, word)| format!("{} {word}", value >> bits))
                .collect()
        }
        Seconds => of_time(value),
        Millis if value == 500 => vec!["500 ms".to_owned(), "half second".to_owned()],
        Millis if value.is_multiple_of(1000) => of_time(value / 1000),
        Millis => vec![format!("{value} ms")],
    }
}

/// `65 536`.
fn spaced(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    let groups = groups
        .into_iter()
        .map(|group| str::from_utf8(group).unwrap());
    groups.collect::<Vec<_>>().join(" ")
}

/// Whether it stands in a cell, and is no part of another number.
fn stands_in(cell: &str, number: &str) -> bool {
    cell.match_indices(number).any(|(at, _)| {
        let (before, behind) = (&cell[..at], &cell[at + number.len()..]);
        let is_end = |c: char| c.is_ascii_digit();
        let of_group = |text: &str| {
            let mut chars = text.chars();
            chars.next() == Some(' ') && text[1..].len() >= 3 && chars.take(3).all(is_end)
        };
        !before.ends_with(is_end) && !behind.starts_with(is_end) && !of_group(behind)
    })
}

#[test]
fn each_number_in_the_tables_of_security_is_the_one_in_the_source() {
    let mut wrong = Vec::new();
    let rows = rows();
    for (what, constants) in PROMISES {
        // The longest of those that begin so would be another row.
        let found = rows.iter().filter(|(row, _)| row.starts_with(what));
        let Some((row, cell)) = found.min_by_key(|(row, _)| row.len()) else {
            wrong.push(format!("no row begins with `{what}`"));
            continue;
        };
        for Number(of, file, name) in *constants {
            let value = constant(file, name);
            if !written(*of, value).iter().any(|text| stands_in(cell, text)) {
                wrong.push(format!("`{row}` says `{cell}`, and {name} is {value}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_row_of_those_tables_is_looked_at() {
    let known = PROMISES.iter().map(|(what, _)| *what);
    let known: Vec<_> = known.chain(OTHERS.iter().copied()).collect();

    let unknown: Vec<_> = rows()
        .into_iter()
        .filter(|(row, _)| !known.iter().any(|what| row.starts_with(what)))
        .collect();

    assert!(unknown.is_empty(), "{unknown:?}");
    for what in OTHERS {
        assert!(
            rows().iter().any(|(row, _)| row.starts_with(what)),
            "{what}"
        );
    }
}

#[test]
fn a_number_is_read_as_it_is_written() {
    assert_eq!(spaced(1_000_000), "1 000 000");
    assert!(stands_in("10 000, and one", "10 000"));
    assert!(!stands_in("10 000, and one", "10"));
    assert!(!stands_in("110 000", "10 000"));
    assert_eq!(evaluated("", "30 * 24 * 60 * 60 - 1"), 2_591_999);
    assert_eq!(
        evaluated("", "NonZeroU32::MIN.saturating_add(2 * 30 - 1)"),
        60
    );
    assert_eq!(
        written(Millis, 604_800_000).last().unwrap(),
        "604800: so many seconds"
    );
    assert!(written(Bytes, 100 << 20).contains(&"100 MiB".to_owned()));
}

/// What `docs/operations.md` and `docs/security.md` say of the units, and the line that makes it so.
#[rustfmt::skip]
const UNITS: &[(&str, &str, &str, &str)] = &[
    ("operations", "`sluis.service` tells systemd when it is ready",           "sluis.service", "Type=notify"),
    ("operations", "for which it has all the time that an upgrade of the catalog takes", "sluis.service", "TimeoutStartSec=infinity"),
    ("operations", "After a minute without a word it is started again",        "sluis.service", "WatchdogSec=60"),
    ("operations", "After a minute without a word it is started again",        "sluis.service", "Restart=on-failure"),
    ("operations", "**The unit** keeps the program from everything but its folder", "sluis.service", "ProtectSystem=strict"),
    ("operations", "**The unit** keeps the program from everything but its folder", "sluis.service", "ProtectHome=yes"),
    ("operations", "**The unit** keeps the program from everything but its folder", "sluis.service", "StateDirectory=sluis"),
    ("operations", "**The unit** keeps the program from everything but its folder", "sluis.service", "NoNewPrivileges=yes"),
    ("operations", "its folder and TCP",                                       "sluis.service", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"),
    ("operations", "**One user.** Run the service and every command as the user `sluis`", "sluis.service", "User=sluis"),
    ("operations", "`systemctl reload",                                        "sluis.service", "ExecReload=/bin/kill -HUP $MAINPID"),
    ("operations", "`LoadCredential=ssh_host_ed25519_key",                     "sluis.service", "#LoadCredential=ssh_host_ed25519_key:/etc/sluis/ssh_host_ed25519_key"),
    ("operations", "raise `LimitNOFILE`",                                      "sluis.service", "LimitNOFILE=65536"),
    ("operations", "its `ListenStream=` counts then",                          "sluis.socket",  "ListenStream=0.0.0.0:2222"),
    ("operations", "so that who comes during a restart waits and is not refused", "sluis.socket", "Backlog=4096"),
];

#[test]
fn each_promise_about_the_units_is_a_line_in_them() {
    for (manual, promise, unit, line) in UNITS {
        let text = read(&format!("docs/{manual}.md"));
        assert!(text.contains(promise), "{manual} no longer says: {promise}");
        let unit_text = read(&format!("systemd/{unit}"));
        assert!(unit_text.lines().any(|own| own == *line), "{unit}: {line}");
    }
    // What systemd kills after is longer than what the program takes to end in order.
    let unit = read("systemd/sluis.service");
    let stop = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="));
    let stop: u64 = stop.unwrap().parse().unwrap();
    assert!(stop * 1000 > constant(LIMITS, "DRAIN") + constant("src/dispatch/mod.rs", "DRAIN"));
}

/// Whether a tool is here. In CI every one is, so one that is missing fails there.
fn installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    let wanted = std::env::var_os("SLUIS_TEST_CLIENTS").is_some_and(|which| which == "all");
    assert!(found || !wanted, "{tool} is not installed");
    found
}

#[test]
fn systemd_understands_the_units() {
    if !installed("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for unit in ["sluis.service", "sluis.socket"] {
        // The program is not installed here, nor its manual.
        let text = read(&format!("systemd/{unit}"))
            .replace("ExecStart=sluis ", "ExecStart=/bin/true ")
            .replace("Documentation=man:sluis(1)\n", "");
        fs::write(folder.path().join(unit), text).unwrap();
    }

    for unit in ["sluis.service", "sluis.socket"] {
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(folder.path().join(unit))
            .output()
            .unwrap();

        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(
            verified.status.success() && said.is_empty(),
            "{unit}: {said}"
        );
    }
}

#[test]
fn each_shell_understands_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, check) in [
        ("bash", &["-n"][..]),
        ("zsh", &["-n"]),
        ("fish", &["--no-execute"]),
    ] {
        let made = Command::new(env!("CARGO_BIN_EXE_sluis"))
            .args(["completions", shell])
            .output()
            .unwrap();
        assert!(made.status.success());
        let text = String::from_utf8(made.stdout).unwrap();
        for command in ["serve", "ingest", "penalties", "reclassify"] {
            assert!(text.contains(command), "{shell}: {command}");
        }
        // The shells but the first are on few machines, and on none that builds.
        let is_here = Command::new(shell).arg("--version").output().is_ok();
        assert!(is_here || shell != "bash", "{shell} is not installed");
        if !is_here {
            continue;
        }
        let file = folder.path().join(shell);
        fs::write(&file, text).unwrap();

        let read = Command::new(shell).args(check).arg(&file).output().unwrap();

        let said = String::from_utf8_lossy(&read.stderr).into_owned();
        assert!(read.status.success() && said.is_empty(), "{shell}: {said}");
    }
}
