//! How does a command say what it found?
//!
//! Results go to standard output, the rest to standard error. Whoever reads a listing may hang up
//! after ten lines (`sluis documents | head`): that is no error, and never a panic.

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::Error;
use crate::model::{escaped, steers};

/// Prints a line, or several, for people. What senders wrote may not steer the terminal that shows it.
pub(crate) fn line(text: &str) -> Result<(), Error> {
    raw(&format!("{}\n", plain(text)))
}

/// Prints one JSON object on a line of its own. What would steer a terminal is escaped there, too.
pub(crate) fn json(value: &Value) -> Result<(), Error> {
    raw(&format!("{}\n", escaped(&value.to_string(), "")))
}

/// Prints text as it is.
pub(crate) fn raw(text: &str) -> Result<(), Error> {
    bytes(text.as_bytes())
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            HUNG_UP.store(true, Ordering::Relaxed);
            Ok(())
        }
        written => written.map_err(Error::Output),
    }
}

/// Says whether nobody reads on: then what goes on for ever may end.
pub(crate) fn is_hung_up() -> bool {
    HUNG_UP.load(Ordering::Relaxed)
}

static HUNG_UP: AtomicBool = AtomicBool::new(false);

/// Tells a person something that is no result.
pub(crate) fn note(text: &str) {
    let told = writeln!(io::stderr().lock(), "{}", plain(text));
    drop(told); // there is nowhere left to complain
}

/// Returns `text` without what would steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.replace(|c: char| c != '\n' && steers(c), "\u{fffd}")
}

/// Returns `text` as one line, trimmed, without what would steer a terminal or break a line of the log.
pub(crate) fn trimmed_line(text: &str) -> String {
    plain(text.trim()).replace('\n', " ")
}

/// Returns a path, or another word, as a shell takes it.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_would_clear_the_screen_is_shown_instead() {
        assert_eq!(
            plain("F-\u{1b}[2J\u{202e}17\n"),
            "F-\u{fffd}[2J\u{fffd}17\n"
        );
    }

    #[test]
    fn a_path_with_a_space_is_quoted_for_the_shell() {
        assert_eq!(shell_word(Path::new("/srv/sluis.toml")), "/srv/sluis.toml");
        assert_eq!(shell_word(Path::new("/it's mine")), r"'/it'\''s mine'");
    }
}
