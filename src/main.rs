//! How does the program begin and end?

use std::process::ExitCode;

use clap::Parser as _;
use sluis::cli::{self, Cli};

/// Buffers are taken by one thread and given back by another all day.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the command; the error chain is printed once, here at its end.
fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ran = match runtime {
        Ok(runtime) => runtime.block_on(cli::run(cli)),
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
