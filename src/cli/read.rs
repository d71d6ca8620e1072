//! What is in these files?

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::call::Call;
use super::{Error, Exit, print};
use crate::model::{on_one_line, with_causes};
use crate::ubl::limits::DOCUMENT_BYTES_MAX;
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
        match whole(file) {
            Ok(bytes) => tell(call, file, &bytes)?,
            Err(source) => {
                let error = Error::file("read", file)(source);
                print::note(&format!("sluis: {}", on_one_line(&with_causes(&error))));
                failed = true;
            }
        }
    }
    Ok(Exit::failed_if(failed))
}

/// Reads a file, and of one that is too large no more than shows that it is.
fn whole(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut limited = File::open(file)?.take(DOCUMENT_BYTES_MAX as u64 + 1);
    limited.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn tell(call: &Call, file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let (name, read) = (file.display().to_string(), ubl::read(bytes));
    if call.json {
        print::json(&show::json_line(&name, &read.reading))
    } else {
        print::line(show::text(&name, &read.reading).trim_end())
    }
}
