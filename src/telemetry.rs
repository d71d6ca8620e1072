//! How does the operator see what happens?

use std::io::{self, IsTerminal as _, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat};

/// Up to which level libraries are heard where the level names none: below it they tell of each packet and
/// statement.
const LIBRARIES: &str = "info";

/// Starts the log, on standard error, so that standard output stays for results.
///
/// # Errors
///
/// When the level is not one that is understood.
pub fn start(log: &Log) -> Result<(), String> {
    let filter = filter(log)?;
    let colours = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines { colours })
        .with_ansi(colours)
        .with_target(false);
    let started = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| format!("could not start the log: {error}"))
}

/// Says whether the log could be started.
///
/// # Errors
///
/// When the level is not one that is understood.
pub fn check(log: &Log) -> Result<(), String> {
    filter(log).map(drop)
}

fn filter(log: &Log) -> Result<EnvFilter, String> {
    // A misspelt level would be taken for the name of a module, and silence the log.
    let first = log.level.split(',').next().unwrap_or_default().trim();
    if !first.contains('=') && !["error", "warn", "info", "debug", "trace", "off"].contains(&first)
    {
        return Err(format!(
            "the log level `{first}` is not known; write error, warn, info or debug"
        ));
    }
    let own = match first {
        "debug" | "trace" => log
            .level
            .replacen(first, &format!("{LIBRARIES},sluis={first}"), 1),
        _ => log.level.clone(),
    };
    EnvFilter::try_new(own).map_err(|error| {
        format!(
            "the log level `{}` is not understood: {error}; write error, warn, info or debug",
            log.level
        )
    })
}

/// Standard error, where each event is one line whatever stands in it.
struct Lines {
    /// Whether the log itself steers a terminal.
    colours: bool,
}

/// An event on its way there.
struct Line {
    colours: bool,
}

impl MakeWriter<'_> for Lines {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line {
            colours: self.colours,
        }
    }
}

impl Write for Line {
    /// An event is written at once, with the end of its line.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = one_line(&String::from_utf8_lossy(event), self.colours);
        io::stderr().lock().write_all(text.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Returns an event without what would end its line early, or steer what shows it. A terminal is steered by the
/// log's own colours, and of what stands in an event tracing-subscriber takes the escape away.
fn one_line(event: &str, colours: bool) -> String {
    let text = event.strip_suffix('\n').unwrap_or(event);
    let steers = |c: char| {
        let is_own = colours && c == '\u{1b}';
        !is_own && (c.is_control() || is_separator(c))
    };
    let mut line = text.replace(steers, "\u{fffd}");
    line.push('\n');
    line
}

/// Whether `c` ends a line where nobody expects it, or turns the direction of what follows.
fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(level: &str) -> Result<String, String> {
        let log = Log {
            level: level.to_owned(),
            ..Log::default()
        };
        filter(&log).map(|filter| filter.to_string())
    }

    #[test]
    fn libraries_are_heard_only_where_they_are_named() {
        for (said, heard) in [
            ("info", "info"),
            ("debug", "sluis=debug,info"),
            ("trace", "sluis=trace,info"),
            ("debug,russh=trace", "sluis=debug,russh=trace,info"),
            ("sluis::sftp=debug", "sluis::sftp=debug"),
        ] {
            assert_eq!(level(said).unwrap(), heard, "{said}");
        }
        assert!(level("inof").unwrap_err().contains("`inof` is not known"));
    }

    #[test]
    fn an_event_is_one_line_and_steers_nothing() {
        let event = "Refused a\nERROR forged\r\u{1b}[2J\u{9b}2J\u{202e}\u{2028}\u{85}\u{7f}\n";

        let line = one_line(event, false);

        assert_eq!(
            line,
            "Refused a\u{fffd}ERROR forged\u{fffd}\u{fffd}[2J\u{fffd}2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}\n"
        );
        assert_eq!(
            one_line("\u{1b}[2mnow\u{1b}[0m a\nb\n", true),
            "\u{1b}[2mnow\u{1b}[0m a\u{fffd}b\n"
        );
    }
}
