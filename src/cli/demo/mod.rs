//! What does the gateway do, seen within a minute?
//!
//! An invented office in a folder of its own: three dossiers, two devices, a dozen documents. It
//! listens on this machine only, prints commands that can be pasted, and tells what happens.

pub(super) mod documents;
mod guide;
pub(super) mod office;
mod watch;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::serve::Ending;
use super::{Error, Exit, print};
use crate::sftp::Listening;
use crate::{app, telemetry};
use office::Office;

/// The port that is taken when nobody asked for one, if it is free.
const PORT: u16 = 2222;

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The port to listen on; else 2222, or any that is free.
    #[arg(long)]
    port: Option<u16>,
    /// Where to put everything: an empty folder, or one that is not there; else a temporary one.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Leave the folder when it ends.
    #[arg(long)]
    keep: bool,
}

/// Shows everything, until told to end.
pub(super) async fn run(args: &Args) -> Result<Exit, Error> {
    let ending = Ending::begin()?;
    let place = Place::make(args)?;
    let draining = CancellationToken::new();
    let mut office = Office::found(place.path(), args.port.unwrap_or(PORT)).await?;
    telemetry::start(&office.house.config.log).map_err(Error::Refused)?;
    let _held = office.house.hold_data()?;
    let listening = listen(&mut office, args.port, &draining).await?;
    let address = listening.address();
    office.write_address(address.port())?;
    documents::take_in(&office).await?;
    guide::print(&office, address)?;
    watch::tree(&office).await?;
    print::line(&format!("\nlistening on {address}; Ctrl-C ends it\n"))?;
    let told = async {
        ending.told_or(&draining).await;
        draining.cancel();
    };
    let serving = Box::pin(office.house.serve(listening, draining.clone()));
    let watching = watch::events(&office, &draining);
    let (served, seen, ()) = tokio::join!(serving, watching, told);
    office.house.catalog.close().await;
    place.end()?;
    served?;
    seen.map(|()| Exit::Done)
}

/// A port that was asked for must be free; else any will do.
async fn listen(
    office: &mut Office,
    asked: Option<u16>,
    draining: &CancellationToken,
) -> Result<Listening, Error> {
    let keys = office.host_keys.clone();
    let first = office
        .house
        .listen_with(keys.clone(), draining.clone())
        .await;
    match first {
        Err(app::Error::Listen { .. }) if asked.is_none() => {
            office.house.config.sftp.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            Ok(office.house.listen_with(keys, draining.clone()).await?)
        }
        first => Ok(first?),
    }
}

/// The folder in which everything lives, and dies.
enum Place {
    Temporary(TempDir),
    Given(PathBuf),
    Kept(PathBuf),
}

impl Place {
    fn make(args: &Args) -> Result<Self, Error> {
        if let Some(folder) = &args.folder {
            fs::create_dir_all(folder).map_err(Error::file("make the folder", folder))?;
            let mut entries = fs::read_dir(folder).map_err(Error::file("look into", folder))?;
            if entries.next().is_some() {
                return Err(Error::Refused(format!(
                    "`{}` is not empty, and the demonstration throws its folder away: name another",
                    folder.display()
                )));
            }
            let folder = fs::canonicalize(folder).map_err(Error::file("find", folder))?;
            return Ok(if args.keep {
                Self::Kept(folder)
            } else {
                Self::Given(folder)
            });
        }
        let made = tempfile::Builder::new().prefix("sluis-demo-").tempdir();
        let made =
            made.map_err(|source| Error::failed("could not make a temporary folder", source))?;
        Ok(if args.keep {
            Self::Kept(made.keep())
        } else {
            Self::Temporary(made)
        })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Given(folder) | Self::Kept(folder) => folder,
        }
    }

    fn end(self) -> Result<(), Error> {
        let path = self.path().to_owned();
        match self {
            Self::Kept(_) => {
                return print::line(&format!("ended; everything is still in {}", path.display()));
            }
            Self::Temporary(folder) => folder.close().map_err(Error::file("remove", &path))?,
            Self::Given(folder) => {
                fs::remove_dir_all(folder).map_err(Error::file("remove", &path))?;
            }
        }
        print::line(&format!("ended; {} is gone", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_never_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("books.txt"), "mine").unwrap();
        let args = Args {
            port: None,
            folder: Some(folder.path().to_owned()),
            keep: false,
        };

        assert!(Place::make(&args).is_err());
        assert!(folder.path().join("books.txt").exists());
    }

    #[tokio::test]
    async fn the_invented_office_holds_something_of_every_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::found(folder.path(), 0).await.unwrap();

        documents::take_in(&office).await.unwrap();

        let rows = office
            .house
            .catalog
            .document_rows(office.firm.id, 0, 100)
            .await
            .unwrap();
        let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
        assert!(rows.len() >= 12, "{}", rows.len());
        assert_eq!(count("quarantined"), 1);
        assert_eq!(
            count("held"),
            4,
            "{:?}",
            rows.iter().map(|row| &row.reason).collect::<Vec<_>>()
        );
    }
}
