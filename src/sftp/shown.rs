//! What does the log show of what a peer says of its own choice?

use crate::model::{Name, Veiled, steers};

/// Programs that peers ask for, and that are logged by their names.
#[rustfmt::skip]
const PROGRAMS: &[&str] = &[
    "bash", "cat", "cd", "check-file", "cp", "df", "echo", "exit", "export", "find", "git-receive-pack",
    "git-upload-pack", "groups", "id", "internal-sftp", "ls", "md5sum", "mkdir", "mv", "printf", "pwd", "rm",
    "rsync", "scp", "sftp-server", "sh", "sha1sum", "sha256sum", "stat", "test", "true", "uname", "unset", "wget",
    "which", "whoami",
];

/// A login as a device has one; what cannot be one is perhaps a password that was typed there.
pub(super) fn shown_login(user: &str) -> String {
    let can_be = user.split_once('.').is_some_and(|(firm, device)| {
        firm.parse::<Name>().is_ok() && device.parse::<Name>().is_ok()
    });
    if can_be {
        format!("`{user}`")
    } else {
        format!("{}, which no device is called", Veiled(user))
    }
}

/// The program of a command, if it is a common one; the rest of the line may name a file, and so may the program.
pub(super) fn shown_program(line: &str) -> String {
    let path = line.split(' ').next().unwrap_or_default();
    let program = path.rsplit('/').next().unwrap_or_default();
    if PROGRAMS.contains(&program) {
        format!("`{program}`")
    } else {
        Veiled(line).to_string()
    }
}

/// What a peer sends of its own choice may not break a line of the log.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !steers(*c)).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_no_device_can_have_is_not_shown() {
        assert_eq!(shown_login("kantoor.server"), "`kantoor.server`");
        for typed in [
            "Zeer-Geheim-1",
            "root",
            "a.b.c",
            "kantoor.",
            "kantoor.PC",
            "x\n.y",
            "",
        ] {
            let shown = shown_login(typed);
            assert!(
                shown.starts_with('#') && shown.ends_with("no device is called"),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_a_peer_says_that_it_is_is_short_and_steers_nothing() {
        for (said, shown) in [
            (
                "SSH-2.0-OpenSSH_9.2p1 Debian",
                "SSH-2.0-OpenSSH_9.2p1 Debian",
            ),
            ("SSH-2.0-x\r\n2026 ERROR\u{1b}[2J", "SSH-2.0-x2026 ERROR[2J"),
            ("SSH-2.0-\u{202e}x\u{2028}", "SSH-2.0-x"),
        ] {
            assert_eq!(printable(said), shown);
        }
        assert_eq!(printable(&"é".repeat(101)), "é".repeat(100));
    }

    #[test]
    fn of_a_command_a_common_program_is_shown_and_nothing_else() {
        for line in ["md5sum /in/Bakkerij.xml", "/usr/bin/md5sum", "md5sum"] {
            assert_eq!(shown_program(line), "`md5sum`");
        }
        for line in [
            "",
            "\u{1b}[2J",
            "md5sum\nb",
            "'Bakkerij' x",
            "Bakkerij",
            "/in/F-17.xml",
        ] {
            assert!(shown_program(line).starts_with('#'), "{line:?}");
        }
    }
}
