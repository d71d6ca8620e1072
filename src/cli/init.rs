//! How does a new installation begin?

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::NamedTempFile;

use super::call::{Call, PLACES, variables};
use super::print::shell_word;
use super::{Error, Exit, doer, print};
use crate::app::House;
use crate::config::{Config, Sftp};
use crate::hostkeys;

/// The arguments of `init`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder; it is made if it is not there.
    dir: PathBuf,
    /// Where devices will connect; port 2222 on every address, if not given.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

/// Makes what is not there yet; doing it again changes nothing.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    fs::create_dir_all(&args.dir).map_err(Error::file("make the folder", &args.dir))?;
    let _turn = begin(&args.dir)?;
    let file = args.dir.join("sluis.toml");
    let listen = args.listen.unwrap_or_else(|| Sftp::default().listen);
    let new = if file.exists() {
        None
    } else {
        Some(write_new(&args.dir, &template(listen))?)
    };
    let config = Config::read(new.as_ref().map_or(&*file, |new| new.path()), variables())?;
    let was_there = new.is_none() && config.catalog_file().exists();
    let house = House::make(config.clone()).await?;
    // Last: what has a configuration is served, and what ended before is begun anew.
    let is_new = match new.map(|new| new.persist_noclobber(&file)) {
        Some(Err(failed)) if failed.error.kind() != ErrorKind::AlreadyExists => {
            return Err(Error::file("write", &file)(failed.error));
        }
        written => matches!(written, Some(Ok(_))),
    };
    doer::note_doer(&house);
    house.catalog.note_deed().await?;
    let fingerprints = hostkeys::fingerprints(&house.host_keys()?);
    if call.json {
        print::json(&json!({
            "config": file.display().to_string(), "made": is_new,
            "data": config.data.display().to_string(),
            "listen": config.sftp.listen.to_string(), "fingerprints": fingerprints,
        }))?;
        return Ok(Exit::Done);
    }
    tell(&file, is_new, &config, &fingerprints)?;
    let has_firms = !house.catalog.firms().await?.is_empty();
    tell_next(&file, was_there, has_firms)?;
    if args.listen.is_some_and(|asked| asked != config.sftp.listen) {
        return Err(Error::Refused(format!(
            "`{}` was there already and says to listen at {}, not at {listen}: change it there",
            file.display(),
            config.sftp.listen
        )));
    }
    Ok(Exit::Done)
}

fn tell(file: &Path, is_new: bool, config: &Config, fingerprints: &[String]) -> Result<(), Error> {
    let what = if is_new { "wrote" } else { "left as it was" };
    print::line(&format!("configuration  {} ({what})", file.display()))?;
    print::line(&format!("data           {}", config.data.display()))?;
    for fingerprint in fingerprints {
        print::line(&format!("host key       {fingerprint}"))?;
    }
    Ok(())
}

/// Says how it goes on; of a place that was set up before, that it was left alone.
fn tell_next(file: &Path, was_there: bool, has_firms: bool) -> Result<(), Error> {
    let is_found = PLACES.iter().any(|place| file == Path::new(place));
    let sluis = if is_found {
        "sluis".to_owned()
    } else {
        format!("sluis --config {}", shell_word(file))
    };
    if was_there {
        print::line("\nThis was set up already, and what was there was left as it is.")?;
    }
    if has_firms {
        return print::line(&format!("`{sluis} check` says whether all is well."));
    }
    print::line(&format!(
        "\nNext, for an office called `kantoor`:\n\
         \x20 {sluis} firm add kantoor --name \"Kantoor Peeters\"\n\
         \x20 {sluis} device add kantoor pc --kind pull --key ~/.ssh/id_ed25519.pub --default\n\
         \x20 {sluis} dossier add kantoor --name \"Bakkerij De Korenaar\" --id 0771234528\n\
         \x20 {sluis} link add kantoor 0771234528 --profile expertm --code KORENAAR\n\
         \x20 {sluis} check\n\
         \x20 {sluis} serve"
    ))
}

/// What the name of a configuration begins with that is not finished.
const UNFINISHED: &str = ".sluis.toml-";

/// Waits for another who makes the same folder, and removes what one left that was killed. Where the folder cannot be
/// locked, as over some networks, that may be somebody's who is at work, and stays.
fn begin(folder: &Path) -> Result<fs::File, Error> {
    let failed = || Error::file("look into", folder);
    let turn = fs::File::open(folder).map_err(failed())?;
    if turn.lock().is_err() {
        return Ok(turn);
    }
    for entry in fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let is_left = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        if is_left && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let path = entry.path();
            fs::remove_file(&path).map_err(Error::file("remove", path))?;
        }
    }
    Ok(turn)
}

/// Writes a file that has no name of its own yet: an existing one is somebody's decisions, and stays as it is.
fn write_new(folder: &Path, text: &str) -> Result<NamedTempFile, Error> {
    let written = || {
        let mut new = tempfile::Builder::new()
            .prefix(UNFINISHED)
            // Whom webhooks may reach, and where everything is, is nobody else's.
            .permissions(fs::Permissions::from_mode(0o640))
            .tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        Ok(new)
    };
    written().map_err(Error::file("write a configuration in", folder))
}

fn template(listen: SocketAddr) -> String {
    format!(
        "# The configuration of Sluis. What is not said here has its default.\n\n\
         # Where everything is kept: catalog, documents, host keys, drop folders. Back it up whole.\n\
         data = \"data\"\n\n\
         # The time zone of the dates in file and folder names: the office's, not the server's.\n\
         time_zone = \"Europe/Brussels\"\n\n\
         [sftp]\n# Where devices connect.\nlisten = \"{listen}\"\n\n\
         [log]\n# \"text\" for people, \"json\" for programs.\nformat = \"text\"\n\
         # error, warn, info or debug.\nlevel = \"info\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_written_can_be_read_and_says_where_to_listen() {
        let listen = "[::1]:2200".parse().unwrap();

        let config = Config::parse(&template(listen), Path::new("/srv")).unwrap();

        assert_eq!(config.sftp.listen, listen);
        assert_eq!(config.data, Path::new("/srv/data"));
    }

    #[test]
    fn what_was_left_by_one_that_was_killed_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let left = write_new(folder.path(), "data = 'd'").unwrap();
        let left = left.into_temp_path().keep().unwrap();
        assert!(left.exists());
        for name in ["sluis.toml", ".sluis.toml", "sluis.toml-old"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join(".sluis.toml-kept")).unwrap();

        drop(begin(folder.path()).unwrap());

        let names = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(
            names,
            [
                ".sluis.toml",
                ".sluis.toml-kept",
                "sluis.toml",
                "sluis.toml-old"
            ]
        );
    }
}
