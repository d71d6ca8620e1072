//! What does the log show of what a peer says of its own choice?

use crate::model::{Name, Veiled};

/// The longest program that is logged by its name.
const PROGRAM_BYTES_MAX: usize = 32;

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

/// The program of a command; what stands behind it may name a file.
pub(super) fn shown_program(line: &str) -> String {
    let program = line.split(' ').next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !program.is_empty() && program.len() <= PROGRAM_BYTES_MAX && program.chars().all(is_plain) {
        format!("`{program}`")
    } else {
        Veiled(line).to_string()
    }
}

/// What a peer sends of its own choice may not break a line of the log.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
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
    fn of_a_command_the_program_is_shown_and_nothing_behind_it() {
        assert_eq!(shown_program("md5sum /in/Bakkerij.xml"), "`md5sum`");
        assert_eq!(
            shown_program(&"x".repeat(PROGRAM_BYTES_MAX)),
            format!("`{}`", "x".repeat(32))
        );
        for line in [
            "",
            "\u{1b}[2J",
            "a\nb",
            "'Bakkerij' x",
            &"x".repeat(PROGRAM_BYTES_MAX + 1),
        ] {
            assert!(shown_program(line).starts_with('#'), "{line:?}");
        }
    }
}
