//! How does the operator see what happens?

use std::io::IsTerminal as _;

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
    let first = log.level.split(',').next().unwrap_or_default();
    if !first.contains('=')
        && !["error", "warn", "info", "debug", "trace", "off"].contains(&first.trim())
    {
        return Err(format!(
            "the log level `{first}` is not known; write error, warn, info or debug"
        ));
    }
    // The SSH library writes down each new key and what a peer asks in vain: who floods would fill the disk, in
    // words of its own choice. What it comes to is told by `sftp`.
    let level = if log.level.contains("russh") {
        log.level.clone()
    } else {
        format!("{},russh=off", log.level)
    };
    EnvFilter::try_new(level).map_err(|error| {
        format!(
            "the log level `{}` is not understood: {error}; write error, warn, info or debug",
            log.level
        )
    })
}
