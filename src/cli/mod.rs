//! Which command was typed, and what runs it?
//!
//! Each command stands in its own file and prints through `print` alone. The exit status is 0
//! when all went well, 1 when something failed or was refused, 2 when the command was not understood.

mod apply;
mod audit;
mod backup;
mod beside;
mod call;
mod check;
mod decide;
mod deeds;
mod deliveries;
mod demo;
mod device;
mod doctor;
mod documents;
mod doer;
mod dossier;
mod error;
mod events;
mod expiring;
mod explain;
mod firm;
mod fsck;
mod gone;
mod ingest;
mod init;
mod keys;
mod letters;
mod link;
mod manual;
mod password;
mod penalties;
mod print;
mod read;
mod receipt;
mod retention;
mod rules;
mod select;
mod send;
mod serve;
mod service;
mod show;
mod status;
mod story;
mod table;
mod waiting;
mod webhook;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use call::Call;
pub use error::Error;

use crate::model::with_causes;

/// An SFTP gateway between e-invoices and accounting software.
#[derive(Debug, Parser)]
#[command(name = "sluis", version, propagate_version = true)]
pub struct Cli {
    /// The configuration; else `sluis.toml` here, in `/etc/sluis` or in `/var/lib/sluis`.
    #[arg(long, global = true, env = "SLUIS_CONFIG", value_name = "FILE", value_parser = named_file())]
    config: Option<PathBuf>,
    /// For programs: one JSON object a line, and nothing else on standard output; `serve`, `demo`, `manual`, `completions`
    /// and `show` without `--out` have none.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a configuration, a data folder and host keys.
    Init(init::Args),
    /// Serve devices, and take in what is dropped, until told to end.
    Serve,
    /// Say whether everything is as it should be.
    Check,
    /// Look at everything that the server needs, and say what to do about what is amiss.
    Doctor,
    /// Show what waits at each firm, for whom, and since when.
    Status(status::Args),
    /// Say what documents are, without keeping them.
    Read(read::Args),
    /// Take files and folders in, and leave them where they are.
    Ingest(ingest::Args),
    /// Add, list, show, change or remove accounting firms.
    #[command(subcommand)]
    Firm(firm::Command),
    /// Add, list, show, change or remove the client files of a firm.
    #[command(subcommand)]
    Dossier(dossier::Command),
    /// Join dossiers to accounting programs.
    #[command(subcommand)]
    Link(link::Command),
    /// Add, list, show, change or remove SFTP logins.
    #[command(subcommand)]
    Device(device::Command),
    /// Make a firm's devices, dossiers and links as a file says.
    Apply(apply::Args),
    /// Write a firm's devices, dossiers and links as `apply` reads them.
    Export(apply::Export),
    /// Tell other programs what happens.
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// List documents.
    Documents(documents::Args),
    /// List deliveries.
    Deliveries(deliveries::Args),
    /// List what has happened, follow it, or check it.
    Events(events::Args),
    /// List who changed what with a command.
    Deeds(deeds::Args),
    /// Show that documents were collected, and how sure that is.
    Receipt(receipt::Args),
    /// Say where a document is, and why.
    Explain(explain::Args),
    /// Write a document's bytes, to look at it.
    Show(show::Args),
    /// Send what is held.
    Send(send::Send),
    /// Say that what came from outside may go.
    Approve(decide::Approve),
    /// Hold back what has not been sent.
    Hold(decide::Hold),
    /// Give a document to other books.
    Move(decide::Move),
    /// Book a purchase as a sale, or a sale as a purchase.
    Reclassify(decide::Reclassify),
    /// Send a newer version in the place of the document that it looks like.
    Replace(send::Replace),
    /// Send once more what was sent.
    Resend(send::Resend),
    /// Take back what nobody has collected.
    Withdraw(send::Withdraw),
    /// For how long things are kept, and what must not go.
    #[command(subcommand)]
    Retention(retention::Command),
    /// List networks from which logins fail, or lift what they have come to.
    Penalties(penalties::Args),
    /// Compare what is written down with the bytes that are there.
    Fsck(fsck::Args),
    /// Keep everything a second time, while the server runs or not.
    Backup(backup::Args),
    /// Bring back what a backup keeps.
    Restore(backup::Restore),
    /// Try everything in a folder that is thrown away afterwards.
    Demo(demo::Args),
    /// Print the completions of a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Write the manual pages into a folder.
    Manual(manual::Args),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Done,
    /// Something was refused, failed or lost, and the command has said so.
    Failed,
}

impl Exit {
    /// Returns [`Exit::Failed`] if that is true.
    fn failed_if(failed: bool) -> Self {
        if failed { Self::Failed } else { Self::Done }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::FAILURE,
        }
    }
}

/// Runs a command.
///
/// # Errors
///
/// When it cannot be done; what is printed by then stands.
pub async fn run(cli: Cli) -> Result<Exit, Error> {
    let Cli {
        config,
        json,
        command,
    } = cli;
    let call = Call { config, json };
    match command {
        Command::Init(args) => init::run(&call, &args).await,
        Command::Serve => Box::pin(serve::run(&call)).await,
        Command::Check => check::run(&call).await,
        Command::Doctor => Box::pin(doctor::run(&call)).await,
        Command::Status(args) => status::run(&call, &args).await,
        Command::Read(args) => read::run(&call, &args),
        Command::Ingest(args) => ingest::run(&call, &args).await,
        Command::Firm(command) => firm::run(&call, command).await,
        Command::Dossier(command) => dossier::run(&call, command).await,
        Command::Link(command) => link::run(&call, command).await,
        Command::Device(command) => device::run(&call, command).await,
        Command::Apply(args) => apply::run(&call, &args).await,
        Command::Export(args) => apply::export(&call, &args).await,
        Command::Webhook(command) => webhook::run(&call, command).await,
        Command::Documents(args) => documents::run(&call, &args).await,
        Command::Deliveries(args) => deliveries::run(&call, &args).await,
        Command::Events(args) => events::run(&call, &args).await,
        Command::Deeds(args) => deeds::run(&call, &args).await,
        Command::Receipt(args) => receipt::run(&call, &args).await,
        Command::Explain(args) => explain::run(&call, &args).await,
        Command::Show(args) => show::run(&call, &args).await,
        Command::Send(args) => send::send(&call, &args).await,
        Command::Approve(args) => decide::approve(&call, &args).await,
        Command::Hold(args) => decide::hold(&call, &args).await,
        Command::Move(args) => decide::move_to(&call, &args).await,
        Command::Reclassify(args) => decide::reclassify(&call, &args).await,
        Command::Replace(args) => send::replace(&call, &args).await,
        Command::Resend(args) => send::resend(&call, &args).await,
        Command::Withdraw(args) => send::withdraw(&call, &args).await,
        Command::Retention(command) => retention::run(&call, command).await,
        Command::Penalties(args) => penalties::run(&call, &args).await,
        Command::Fsck(args) => fsck::run(&call, &args).await,
        Command::Backup(args) => backup::run(&call, &args).await,
        Command::Restore(args) => backup::restore(&call, &args).await,
        Command::Demo(args) => Box::pin(demo::run(&args)).await,
        Command::Completions { shell } => completions(shell),
        Command::Manual(args) => manual::run(&args),
    }
}

/// Takes what names a file: an empty text names none, and clap would say that there is no value at all.
fn named_file() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| {
        if text.is_empty() {
            return Err("it is empty: name the configuration's file, or unset `SLUIS_CONFIG`");
        }
        Ok(PathBuf::from(text))
    })
}

/// Prints an error and its causes, once, where it ends.
pub fn complain(error: &Error) {
    print::note(&format!("sluis: {}", with_causes(error)));
}

fn completions(shell: Shell) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sluis", &mut script);
    print::raw(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests;
