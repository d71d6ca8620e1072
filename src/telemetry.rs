//! How does the operator see what happens?

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts the log, on standard error, so that standard output stays for results.
///
/// # Errors
///
/// When the level is not one that is understood.
pub fn start(log: &Log) -> Result<(), String> {
    let filter = filter(log)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
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
    started.map_err(|error| format!("could not start the log: {error}"))
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
    let first = log.level.split(',').next().unwrap_or_default();
    if !first.contains('=')
        && !["error", "warn", "info", "debug", "trace", "off"].contains(&first.trim())
    {
        return Err(format!(
            "the log level `{first}` is not known; write error, warn, info or debug"
        ));
    }
    EnvFilter::try_new(&log.level).map_err(|error| {
        format!(
            "the log level `{}` is not understood: {error}; write error, warn, info or debug",
            log.level
        )
    })
}
