//! How is a command answered?
//!
//! With hashes from the catalog, in the device's own tree, which changes nothing; or with one line
//! that says what this server is, and the status 127 of a command that is not there. Never with a
//! refusal of the request: then `ssh` and `scp` would say that it failed, and not why.

use std::sync::Arc;
use std::time::Duration;

use russh::ChannelWriteHalf;
use russh::server::Msg;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::command::{Command, Operands, Sum};
use super::intake::{Ended, Intake};
use super::limits::INPUT_BYTES_MAX;
use crate::model::{Clock, ContentHash, VirtualPath};
use crate::tree::{self, View, Who};
use crate::upload::Shelf;

/// What somebody reads who tried a command.
const NO_COMMANDS: &str =
    "This is an SFTP server: it runs no commands. Use sftp, or scp without -O.\n";

/// The exit status of a command that is not there (POSIX, XCU §2.8.2).
const NOT_FOUND: u32 = 127;

/// How long what a peer sends may stay away. rclone ends its input at once.
const INPUT_WAIT: Duration = Duration::from_secs(10);

/// `SSH_EXTENDED_DATA_STDERR` (RFC 4254 §5.2).
const STDERR: u32 = 1;

/// One command, on one channel.
pub(super) struct Exec {
    pub(super) who: Arc<Who>,
    /// What the device sees: one for all commands of a connection, for rclone asks file by file.
    pub(super) view: Arc<Mutex<View>>,
    pub(super) clock: Clock,
    pub(super) shelf: Shelf,
    pub(super) channel: ChannelWriteHalf<Msg>,
    pub(super) intake: Arc<Intake>,
    pub(super) dead: CancellationToken,
}

/// What a command prints, and how it ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Printed {
    out: String,
    errors: String,
    status: u32,
}

impl Exec {
    /// Answers, and ends the channel.
    pub(super) async fn run(self, command: Command) {
        let printed = tokio::select! {
            printed = self.answer(command) => printed,
            () = self.dead.cancelled() => return,
        };
        self.intake.end(Ended::InOrder);
        self.intake.set_sending(true);
        tokio::select! {
            // A peer that is gone already needs no answer.
            _ = self.send(printed) => {}
            () = self.dead.cancelled() => {}
        }
    }

    async fn answer(&self, command: Command) -> Printed {
        let Command::Sum(sum, operands) = command else {
            return Printed {
                errors: NO_COMMANDS.to_owned(),
                status: NOT_FOUND,
                ..Printed::default()
            };
        };
        match operands {
            Operands::Files(paths) => self.sum_files(sum, &paths).await,
            Operands::Text(text) => Printed::hash(sum, &sum.hash.of(text.as_bytes()), "-"),
            Operands::Input => match input(&self.intake).await {
                Ok(bytes) => Printed::hash(sum, &sum.hash.of(&bytes), "-"),
                Err(why) => Printed::complaint(sum, "-", why),
            },
        }
    }

    async fn sum_files(&self, sum: Sum, paths: &[String]) -> Printed {
        // Nobody takes what the peer sends, so it must not wait for its turn.
        self.intake.end(Ended::InOrder);
        let mut printed = Printed::default();
        for path in paths {
            let one = match self.hash(sum, path).await {
                Ok(hash) => Printed::hash(sum, &hash, path),
                Err(error) => Printed::complaint(sum, path, self.why(&error)),
            };
            printed.add(&one);
        }
        printed
    }

    async fn hash(&self, sum: Sum, path: &str) -> Result<ContentHash, tree::Error> {
        let path = VirtualPath::parse(path).map_err(|_| tree::Error::Missing)?;
        let mut view = self.view.lock().await;
        // What this device has put into `/in`: clients compare what they have sent.
        let sight = self.shelf.look(self.who.device, &path, self.clock.read());
        if let Some(taken) = &sight
            && let Some(digest) = taken.digest
        {
            return view.hash_of_upload(digest, taken.bytes, sum.hash).await;
        }
        let now = self.clock.read();
        if let Some(file) = view.rejected_at(&path, now).await? {
            return view.hash_of_rejected(&file, sum.hash).await;
        }
        let file = view.file_to_compare(&path, now).await?;
        view.hash(&file, sum.hash).await
    }

    /// In the words of a system that has files.
    fn why(&self, fault: &tree::Error) -> &'static str {
        match fault {
            tree::Error::Missing => "No such file or directory",
            tree::Error::NotAFolder => "Not a directory",
            tree::Error::IsAFolder => "Is a directory",
            tree::Error::DeviceGone => "Permission denied",
            tree::Error::Catalog(_) | tree::Error::Blobs(_) | tree::Error::Place(_) => {
                let (session, login) = (self.who.session.0, &self.who.login);
                let fault: &dyn std::error::Error = fault;
                error!(
                    session.id = session,
                    error = fault,
                    "Could not answer `{login}` with a hash"
                );
                "Input/output error"
            }
        }
    }

    /// As far as the peer's window lets it.
    async fn send(&self, printed: Printed) -> Result<(), russh::Error> {
        if !printed.out.is_empty() {
            self.channel.data_bytes(printed.out).await?;
        }
        if !printed.errors.is_empty() {
            let errors = self.channel.extended_data_bytes(STDERR, printed.errors);
            errors.await?;
        }
        self.channel.exit_status(printed.status).await?;
        self.channel.eof().await?;
        self.channel.close().await
    }
}

impl Printed {
    fn hash(sum: Sum, hash: &ContentHash, name: &str) -> Self {
        Self {
            out: sum.line(hash, name),
            ..Self::default()
        }
    }

    fn complaint(sum: Sum, name: &str, why: &str) -> Self {
        Self {
            errors: sum.complaint(name, why),
            status: 1,
            ..Self::default()
        }
    }

    fn add(&mut self, next: &Self) {
        self.out.push_str(&next.out);
        self.errors.push_str(&next.errors);
        self.status = self.status.max(next.status);
    }
}

/// What the peer sends, to its end.
async fn input(intake: &Intake) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::new();
    let coming = async {
        loop {
            match intake.take().await {
                Ok(more) if bytes.len() + more.len() > INPUT_BYTES_MAX => {
                    return Err("too long for this server");
                }
                Ok(more) => bytes.extend_from_slice(&more),
                Err(Ended::InOrder) => return Ok(()),
                Err(Ended::Broken) => return Err("Input/output error"),
            }
        }
    };
    timeout(INPUT_WAIT, coming)
        .await
        .unwrap_or(Err("nothing came"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_stays_away_or_drips_is_not_waited_for() {
        let began = Instant::now();
        assert_eq!(input(&Intake::default()).await, Err("nothing came"));
        assert_eq!(began.elapsed(), INPUT_WAIT);

        let intake = Intake::default();
        let dripping = async {
            loop {
                intake.push(b"x").await.unwrap();
                sleep(Duration::from_secs(1)).await;
            }
        };
        let began = Instant::now();
        tokio::select! {
            came = input(&intake) => assert_eq!(came, Err("nothing came")),
            () = dripping => {}
        }
        assert_eq!(began.elapsed(), INPUT_WAIT);
    }
}
