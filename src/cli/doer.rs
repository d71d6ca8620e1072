//! Who runs this command, and as what is it remembered?

use std::ffi::OsString;

use super::call::variables;
use super::print::shell_word;
use crate::app::{House, user_name};
use crate::catalog::Doer;
use crate::model::on_one_line;

/// The longest command line that is remembered, in characters.
const COMMAND_CHARS_MAX: usize = 2000;

/// Has what this process changes noted as the deed of whoever runs it.
pub(super) fn note_doer(house: &House) {
    house.catalog.done_by(Doer {
        who: who(),
        command: told(std::env::args_os().skip(1)),
        clock: house.clock.clone(),
    });
}

/// Returns the server itself as the doer of what it was told by a signal, which says of nobody that he sent it.
pub(super) fn service(house: &House, command: &str) -> Doer {
    Doer {
        who: format!("{}, the service itself", who()),
        command: on_one_line(command).into_owned(),
        clock: house.clock.clone(),
    }
}

/// The operating system's user, and who became that.
pub(super) fn who() -> String {
    let uid = rustix::process::getuid().as_raw();
    let name = user_name(uid).unwrap_or_else(|| "?".to_owned());
    let by = variables().find(|(variable, _)| variable == "SUDO_USER");
    match by {
        Some((_, by)) => on_one_line(&format!("{name} (uid {uid}), sudo by {by}")).into_owned(),
        None => format!("{name} (uid {uid})"),
    }
}

/// The command line as a shell takes it. No secret is an argument; but what stands behind the host of an address
/// may be one.
fn told(arguments: impl Iterator<Item = OsString>) -> String {
    let words = arguments.map(|argument| {
        let argument = argument.to_string_lossy().into_owned();
        shell_word(origin(&argument).as_ref())
    });
    let line = std::iter::once("sluis".to_owned()).chain(words);
    let line = line.collect::<Vec<_>>().join(" ");
    let line = on_one_line(&line);
    match line.char_indices().nth(COMMAND_CHARS_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.into_owned(),
    }
}

/// Cuts an address behind its host and port, and takes a user and password out of it.
fn origin(argument: &str) -> String {
    let Some((scheme, rest)) = argument.split_once("://") else {
        return argument.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, behind) = rest.split_at(end);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let behind = if behind.trim_matches('/').is_empty() {
        ""
    } else {
        "/…"
    };
    format!("{scheme}://{host}{behind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> String {
        told(arguments.iter().map(OsString::from))
    }

    #[test]
    fn a_command_is_remembered_as_a_shell_takes_it() {
        assert_eq!(
            line(&["firm", "add", "kantoor", "--name", "Kantoor Peeters"]),
            "sluis firm add kantoor --name 'Kantoor Peeters'"
        );
        assert_eq!(
            line(&["a\nb", "\u{1b}[2J"]),
            "sluis 'a\u{fffd}b' '\u{fffd}[2J'"
        );
    }

    #[test]
    fn of_an_address_only_the_host_is_remembered() {
        for (said, kept) in [
            (
                "https://hooks.example.com/T0/s3cret",
                "https://hooks.example.com/…",
            ),
            (
                "https://u:s3cret@example.com:8443?k=s3cret",
                "https://example.com:8443/…",
            ),
            ("https://example.com/", "https://example.com"),
            (
                "--url=https://example.com/s3cret",
                "--url=https://example.com/…",
            ),
        ] {
            assert_eq!(origin(said), kept);
            assert!(!line(&["webhook", "add", "kantoor", said]).contains("s3cret"));
        }
    }

    #[test]
    fn one_character_past_the_limit_is_cut() {
        let long = "x".repeat(COMMAND_CHARS_MAX - "sluis ".len());

        assert_eq!(line(&[&long]), format!("sluis {long}"));
        let cut = line(&[&format!("{long}y")]);
        assert_eq!(cut, format!("sluis {long}…"));
    }
}
