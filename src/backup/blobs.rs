//! How do the contents get from one store to another, and are they what their names say?

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};

use super::Error;
use crate::blobs::Blobs;
use crate::model::Digest;

/// How many are copied at a time; the disk syncs several as fast as one.
const AT_ONCE: usize = 8;

/// Up to how many bytes of them are in memory at a time, beside the first.
const LARGE_BYTES: u64 = 8 * 1024 * 1024;

/// Which contents are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Those that are new.
    New,
    /// Those that are there already, too: a disk forgets.
    All,
}

/// What became of the contents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// How many were copied.
    pub copied: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How many were there already.
    pub there: usize,
    /// Those that could not be had whole, and why.
    pub lost: Vec<(Digest, String)>,
}

enum Outcome {
    Copied(u64),
    There,
    Lost(Digest, String),
}

/// Copies the contents that `named` names and `to` lacks; each is compared with its name first.
pub(super) async fn copy(
    from: &Blobs,
    to: &Blobs,
    named: &[(Digest, u64)],
    depth: Depth,
) -> Result<Copied, Error> {
    let there: BTreeMap<_, _> = to.list().await?.0.into_iter().collect();
    let mut all = Copied::default();
    // Large ones one by one: each is in memory whole.
    let (large, small): (Vec<(Digest, u64)>, Vec<_>) = named
        .iter()
        .copied()
        .partition(|(_, size)| *size > LARGE_BYTES);
    for (part, at_once) in [(small, AT_ONCE), (large, 1)] {
        let copying = part.into_iter().map(|(digest, size)| {
            let has = there.get(&digest) == Some(&size);
            copy_one(from, to, digest, has, depth)
        });
        let mut copying = stream::iter(copying).buffer_unordered(at_once);
        while let Some(outcome) = copying.next().await {
            match outcome? {
                Outcome::Copied(bytes) => {
                    all.copied += 1;
                    all.bytes += bytes;
                }
                Outcome::There => all.there += 1,
                Outcome::Lost(digest, why) => all.lost.push((digest, why)),
            }
        }
    }
    all.lost.sort();
    Ok(all)
}

/// Removes what neither the backup that counts nor the one before it names, nor `unlisted`: documents whose time was
/// over.
pub(super) async fn prune(
    store: &Blobs,
    named: [&[(Digest, u64)]; 2],
    unlisted: BTreeSet<Digest>,
) -> Result<(), Error> {
    let mut named: BTreeSet<_> = named.concat().iter().map(|(digest, _)| *digest).collect();
    named.extend(unlisted);
    for (digest, _) in store.list().await?.0 {
        if !named.contains(&digest) {
            store.remove(digest)?;
        }
    }
    Ok(())
}

async fn copy_one(
    from: &Blobs,
    to: &Blobs,
    digest: Digest,
    has: bool,
    depth: Depth,
) -> Result<Outcome, Error> {
    let is_good = match (has, depth) {
        (true, Depth::New) => true,
        (true, Depth::All) => whole(to, digest).await.is_ok(),
        (false, _) => false,
    };
    if is_good {
        return Ok(Outcome::There);
    }
    match whole(from, digest).await {
        Ok(bytes) => {
            let length = bytes.len() as u64;
            to.put(bytes).await?;
            Ok(Outcome::Copied(length))
        }
        Err(why) => Ok(Outcome::Lost(digest, why)),
    }
}

async fn whole(store: &Blobs, digest: Digest) -> Result<bytes::Bytes, String> {
    let bytes = store.whole(digest).await.map_err(|missing| {
        use std::error::Error as _;
        let cause = missing.source().map(|cause| format!(": {cause}"));
        format!("{missing}{}", cause.unwrap_or_default())
    })?;
    let read = bytes.clone();
    let found = tokio::task::spawn_blocking(move || Digest::of(&read)).await;
    match found {
        Ok(found) if found == digest => Ok(bytes),
        Ok(_) => Err("its bytes have changed".to_owned()),
        Err(died) => Err(format!("it could not be compared: {died}")),
    }
}
