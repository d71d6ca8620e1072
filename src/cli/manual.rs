//! Where do the manual pages come from?
//!
//! Of the same descriptions as `--help`, so that neither says what the other does not.

use std::fs;
use std::path::PathBuf;

use clap::CommandFactory as _;

use super::{Cli, Error, Exit, print};

/// The arguments of `manual`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder; it is made if it is not there.
    dir: PathBuf,
}

/// Writes a page for each command, as `sluis-device-add.1`, over those that are there.
pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    fs::create_dir_all(&args.dir).map_err(Error::file("make the folder", &args.dir))?;
    clap_mangen::generate_to(Cli::command(), &args.dir)
        .map_err(Error::file("write the manual pages into", &args.dir))?;
    let read = fs::read_dir(&args.dir).map_err(Error::file("list", &args.dir))?;
    print::line(&format!("{}: {} pages", args.dir.display(), read.count()))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(command: &clap::Command, name: &str, into: &mut Vec<String>) {
        into.push(name.to_owned());
        for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
            commands(below, &format!("{name}-{}", below.get_name()), into);
        }
    }

    #[test]
    fn every_command_has_a_page_that_says_what_it_does() {
        let folder = tempfile::tempdir().unwrap();
        run(&Args {
            dir: folder.path().join("man1"),
        })
        .unwrap();

        let mut names = Vec::new();
        commands(&Cli::command(), "sluis", &mut names);

        assert!(names.contains(&"sluis-device-add".to_owned()));
        for name in names {
            let page = folder.path().join("man1").join(format!("{name}.1"));
            let text = fs::read_to_string(&page).unwrap_or_else(|_| panic!("no page of {name}"));
            assert!(text.contains(".SH DESCRIPTION"), "{name}");
        }
    }
}
