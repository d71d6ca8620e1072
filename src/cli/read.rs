//! What is in these files?

use std::path::{Path, PathBuf};

use super::call::Call;
use super::{Error, Exit, print};
use crate::model::with_causes;
use crate::ubl::{self, show};

/// The arguments of `read`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Reads files and says what they are; needs no configuration and keeps nothing.
pub(super) fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let mut failed = false;
    for file in &args.files {
        match std::fs::read(file) {
            Ok(bytes) => tell(call, file, &bytes)?,
            Err(source) => {
                let error = Error::file("read", file)(source);
                print::note(&format!("sluis: {}", with_causes(&error)));
                failed = true;
            }
        }
    }
    Ok(Exit::failed_if(failed))
}

fn tell(call: &Call, file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let (name, read) = (file.display().to_string(), ubl::read(bytes));
    if call.json {
        print::json(&show::json_line(&name, &read.reading))
    } else {
        print::line(show::text(&name, &read.reading).trim_end())
    }
}
