//! How does the operator see what happens?

use std::io::{self, IsTerminal as _, Write};
use std::panic;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::model::escaped;

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
    let has_colours = io::stderr().is_terminal() && log.format == LogFormat::Text;
    let builder = tracing_subscriber::fmt()
        // The library would print it, to the same place, and die of that.
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(move || OneLine {
            // The library writes these for its colours, and escapes those of others.
            kept: if has_colours { "\u{1b}" } else { "" },
            to: io::stderr(),
        })
        .with_ansi(has_colours)
        .with_target(false);
    let started = match log.format {
        LogFormat::Text => {
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            keep(move |filter| handle.reload(filter).map_err(|error| error.to_string()));
            builder.try_init()
        }
        LogFormat::Json => {
            let builder = builder.json().with_filter_reloading();
            let handle = builder.reload_handle();
            keep(move |filter| handle.reload(filter).map_err(|error| error.to_string()));
            builder.try_init()
        }
    };
    tell_panics();
    started.map_err(|error| format!("could not start the log: {error}"))
}

/// Has a panic told as one line, as all is: its words may hold those of a peer.
fn tell_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if tracing::enabled!(tracing::Level::ERROR) {
            tracing::error!("A part of the program died, which is a fault of it: {info}");
        } else {
            before(info);
        }
    }));
}

/// What sets the level of the log that was started.
static LEVEL: OnceLock<Setter> = OnceLock::new();

type Setter = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

fn keep(set: impl Fn(EnvFilter) -> Result<(), String> + Send + Sync + 'static) {
    // One log a process: a second is refused when it starts.
    drop(LEVEL.set(Box::new(set)));
}

/// Sets the level of the log that was started.
///
/// # Errors
///
/// When the level is not one that is understood.
pub fn set_level(log: &Log) -> Result<(), String> {
    let filter = filter(log)?;
    LEVEL.get().map_or(Ok(()), |set| set(filter))
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
    // The SSH library writes down each new key and what a peer asks in vain: who floods would fill the disk, in
    // words of its own choice. What it comes to is told by `sftp`.
    let own = if own.contains("russh") {
        own
    } else {
        format!("{own},russh=off")
    };
    EnvFilter::try_new(own).map_err(|error| {
        format!(
            "the log level `{}` is not understood: {error}; write error, warn, info or debug",
            log.level
        )
    })
}

/// Writes each event on one line, whatever stands in it: names and answers of others do.
struct OneLine<W> {
    kept: &'static str,
    to: W,
}

impl<W: Write> Write for OneLine<W> {
    /// Takes a whole event, with the end of its line, as the library gives it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = format!("{}\n", escaped(line, self.kept));
        // A log that is full, or that nobody reads any more, ends nothing: who serves goes on without it.
        drop(self.to.write_all(line.as_bytes()));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_stands_in_it() {
        let mut line = OneLine {
            kept: "",
            to: Vec::new(),
        };

        line.write_all("took `a\n2026 ERROR all is lost\u{1b}[2J`\n".as_bytes())
            .unwrap();

        assert_eq!(
            String::from_utf8(line.to).unwrap(),
            "took `a\\n2026 ERROR all is lost\\u001b[2J`\n"
        );
    }

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
            ("info", "russh=off,info"),
            ("debug", "sluis=debug,russh=off,info"),
            ("trace", "sluis=trace,russh=off,info"),
            ("debug,russh=trace", "sluis=debug,russh=trace,info"),
            ("sluis::sftp=debug", "sluis::sftp=debug,russh=off"),
        ] {
            assert_eq!(level(said).unwrap(), heard, "{said}");
        }
        assert!(level("inof").unwrap_err().contains("`inof` is not known"));
    }
}
