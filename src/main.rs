//! How does the program begin and end?

use std::process::ExitCode;

use clap::Parser as _;
use sluis::cli::{self, Cli};

/// Buffers are taken by one thread and given back by another all day.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long work that nobody waits for any more may take at the end.
const LAST_WORK: std::time::Duration = std::time::Duration::from_secs(2);

/// Runs the command; the error chain is printed once, here at its end.
fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ran = match runtime {
        Ok(runtime) => {
            let ran = runtime.block_on(cli::run(cli));
            // A name that is being looked up on a dead server would hold the end; all that matters has ended.
            runtime.shutdown_timeout(LAST_WORK);
            ran
        }
        Err(source) => Err(cli::Error::Runtime(source)),
    };
    match ran {
        Ok(exit) => exit.into(),
        Err(error) => {
            cli::complain(&error);
            ExitCode::FAILURE
        }
    }
}
