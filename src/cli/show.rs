//! What does a document hold?

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::call::Call;
use super::gone::missing;
use super::select::{Looked, look_up, several, too_many};
use super::{Error, Exit, print};
use crate::model::Digest;

/// The arguments of `show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of which firm.
    firm: String,
    /// Which: by number, file name, digest or its beginning, delivery (`d12`, or `delivery:12` where `d12` is also a number) or our own id (`document:12`).
    what: String,
    /// Into this file, which is made; else to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// As it came, in its envelope if it had one; else what devices get.
    #[arg(long)]
    original: bool,
}

/// Writes the bytes of one document, as they are.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let (house, firm) = call.firm(&args.firm).await?;
    let looked = look_up(&house, &firm, &args.what).await?;
    let Looked {
        mut found,
        has_older,
    } = looked;
    if has_older {
        return Err(too_many(&args.what));
    }
    let one = match (found.pop(), found.is_empty()) {
        (Some(one), true) => one,
        (Some(one), false) => {
            found.push(one);
            return Err(several(&args.what, &found));
        }
        (None, _) => return Err(missing(&house, &firm, &args.what).await),
    };
    if args.out.is_none() && (call.json || std::io::stdout().is_terminal()) {
        // What senders wrote may not steer a terminal, and is no JSON.
        return Err(Error::Refused(
            "a document's bytes go into a file: name one with `--out FILE`, or write `> FILE` behind the command"
                .to_owned(),
        ));
    }
    let document = house.catalog.document(firm.id, one.document.id).await?;
    let digest = if args.original {
        document.digest
    } else {
        document.content
    };
    let bytes = house.blobs.whole(digest).await?;
    if Digest::of(&bytes) != digest {
        return Err(Error::Refused(format!(
            "the bytes of {} are not those that came: `sluis fsck --deep` says more",
            one.told()
        )));
    }
    let Some(out) = &args.out else {
        print::bytes(&bytes)?;
        return Ok(Exit::Done);
    };
    write(out, &bytes)?;
    if call.json {
        print::json(&json!({
            "firm": firm.slug.as_str(), "document": document.id, "digest": digest.to_string(),
            "bytes": bytes.len(), "file": out.display().to_string(),
        }))?;
    } else {
        let told = one.told();
        print::line(&format!(
            "{told}: {} bytes in {}",
            bytes.len(),
            out.display()
        ))?;
    }
    Ok(Exit::Done)
}

/// Nothing is written over, and nobody else reads a client's books.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut new = OpenOptions::new();
    let opened = new.write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(Error::file("make the file", path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(Error::file("write", path))
}
