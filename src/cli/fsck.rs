//! Is the catalog sound, and are the bytes there that are written down?

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::call::Call;
use super::{Error, Exit, print};
use crate::app::House;
use crate::catalog::RejectedBlob;
use crate::model::{Digest, with_causes};

/// The arguments of `fsck`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Read every document, and compare its bytes with its digest.
    #[arg(long)]
    deep: bool,
}

/// Looks through the catalog, and compares it with the blobs; changes nothing.
pub(super) async fn run(call: &Call, args: &Args) -> Result<Exit, Error> {
    let house = call.house().await?;
    let mut findings = Findings::new(call.json);
    // What follows may stop at a damaged page.
    for fault in house.catalog.faults().await? {
        let advice = "bring the catalog back from a backup: `sluis restore`";
        findings.bad("damaged", &"catalog", &format!("{fault}: {advice}"))?;
    }
    // Rows first: a blob is stored before its row, so what arrives meanwhile is an orphan at most.
    let owners = Owners::find(&house).await?;
    let named = house.catalog.named_blobs().await?;
    let strays = house.catalog.stray_deliveries().await?;
    let (blobs, strangers) = house.blobs.list().await?;
    let sizes: BTreeMap<Digest, u64> = blobs.into_iter().collect();
    let doomed: BTreeSet<_> = house
        .catalog
        .doomed()
        .await?
        .into_iter()
        .map(|(digest, _)| digest)
        .collect();
    compare(&owners, (&named, &sizes), args, &mut findings).await?;
    for (id, digest) in strays {
        findings.bad(
            "stray_delivery",
            &digest,
            &format!("delivery d{id} offers bytes that its document does not name"),
        )?;
    }
    let known: BTreeSet<_> = named.iter().map(|(digest, _)| *digest).collect();
    unnamed(&owners, (&known, &doomed), &sizes, &mut findings).await?;
    for name in strangers {
        findings.harmless(
            "stranger",
            &name,
            "it is no document, and nobody looks at it",
        )?;
    }
    findings.end(named.len(), args.deep)
}

/// Looks at every content that a document names.
async fn compare(
    owners: &Owners<'_>,
    (named, sizes): (&[(Digest, u64)], &BTreeMap<Digest, u64>),
    args: &Args,
    findings: &mut Findings,
) -> Result<(), Error> {
    // A document may have expired since its row was read: what is missing must be named still.
    let is_missing = |(digest, _): &&(Digest, u64)| !sizes.contains_key(digest);
    let mut named_still = BTreeSet::new();
    if named.iter().any(|one| is_missing(&one)) {
        named_still.extend(owners.house.catalog.named_blobs().await?);
    }
    for (digest, bytes) in named {
        match sizes.get(digest) {
            None if !named_still.contains(&(*digest, *bytes)) => {}
            None => {
                let whose = owners.of(*digest).await?;
                let advice = back(*digest);
                let why = format!("it is written down, and its bytes are gone: {advice}{whose}");
                findings.bad("lost", digest, &why)?;
            }
            Some(stored) if stored != bytes => {
                let whose = owners.of(*digest).await?;
                let why = format!("it has {stored} bytes, and {bytes} are written down{whose}");
                findings.bad("wrong_size", digest, &why)?;
            }
            Some(_) if args.deep => deep(owners, *digest, findings).await?,
            Some(_) => {}
        }
    }
    Ok(())
}

/// Looks at what is here and no document names, and at what only a `/rejected` shows and is not here.
async fn unnamed(
    owners: &Owners<'_>,
    (known, doomed): (&BTreeSet<Digest>, &BTreeSet<Digest>),
    sizes: &BTreeMap<Digest, u64>,
    findings: &mut Findings,
) -> Result<(), Error> {
    for digest in sizes.keys().filter(|digest| !known.contains(digest)) {
        let (finding, why) = if doomed.contains(digest) {
            (
                "doomed",
                "no document names it any more, and a later run removes it: `sluis retention run`",
            )
        } else {
            (
                "orphan",
                "nobody names it: it is left over from an arrival that was interrupted, and `sluis retention run --orphans` removes it; or an older catalog was brought back, and it came since: then take it in again with `sluis ingest`",
            )
        };
        let whose = owners.of(*digest).await?;
        findings.harmless(finding, digest, &format!("{why}{whose}"))?;
    }
    // No document is lost with it: a backup does not keep it either.
    for digest in owners.rejected.keys() {
        if !known.contains(digest) && !sizes.contains_key(digest) {
            let whose = owners.of(*digest).await?;
            let why = format!(
                "no document names it, and its bytes are gone: that file cannot be fetched, and shows for a week at most{whose}"
            );
            findings.harmless("lost_rejected", digest, &why)?;
        }
    }
    Ok(())
}

async fn deep(owners: &Owners<'_>, digest: Digest, findings: &mut Findings) -> Result<(), Error> {
    let house = owners.house;
    let (finding, why) = match house.blobs.whole(digest).await {
        Ok(bytes) if Digest::of(&bytes) == digest => return Ok(()),
        Ok(_) => (
            "wrong_content",
            format!("its bytes have changed: {}", back(digest)),
        ),
        // To read them all takes hours: it may have expired meanwhile.
        Err(_) if house.catalog.bytes_named(digest).await?.is_none() => return Ok(()),
        Err(error) => ("lost", with_causes(&error)),
    };
    let whose = owners.of(digest).await?;
    findings.bad(finding, &digest, &format!("{why}{whose}"))
}

/// Says how one content comes back.
fn back(digest: Digest) -> String {
    let name = digest.to_string();
    let folder: String = name.chars().take(2).collect();
    format!("copy `blobs/{folder}/{name}` from a backup to the same place in the data folder")
}

/// Whose bytes are, for a digest tells an operator nothing.
struct Owners<'a> {
    house: &'a House,
    /// What devices see in `/rejected`.
    rejected: BTreeMap<Digest, Vec<RejectedBlob>>,
}

impl<'a> Owners<'a> {
    async fn find(house: &'a House) -> Result<Self, Error> {
        let mut rejected = BTreeMap::<_, Vec<_>>::new();
        for blob in house.catalog.rejected_blobs(house.clock.read()).await? {
            rejected.entry(blob.digest).or_default().push(blob);
        }
        Ok(Self { house, rejected })
    }

    /// Says of which documents these bytes are, and whose upload that was not accepted.
    async fn of(&self, digest: Digest) -> Result<String, Error> {
        let documents = self.house.catalog.documents_of(digest).await?;
        let documents = documents.iter();
        let documents =
            documents.map(|(firm, document)| format!("document {document} of `{firm}`"));
        let rejected = self.rejected.get(&digest).into_iter().flatten();
        let rejected = rejected
            .map(|blob| format!("`{}` in `/rejected` of device `{}`", blob.name, blob.login));
        let named: Vec<_> = documents.chain(rejected.take(NAMED_MAX)).collect();
        if named.is_empty() {
            return Ok(String::new());
        }
        Ok(format!(" ({})", named.join(", ")))
    }
}

/// How many uploads of the same bytes are named: more would not be read.
const NAMED_MAX: usize = 5;

/// What was found, told as it is found.
struct Findings {
    json: bool,
    bad: usize,
    harmless: usize,
}

impl Findings {
    fn new(json: bool) -> Self {
        Self {
            json,
            bad: 0,
            harmless: 0,
        }
    }

    fn bad(&mut self, finding: &str, name: &dyn std::fmt::Display, why: &str) -> Result<(), Error> {
        self.bad += 1;
        self.tell(finding, name, why)
    }

    fn harmless(
        &mut self,
        finding: &str,
        name: &dyn std::fmt::Display,
        why: &str,
    ) -> Result<(), Error> {
        self.harmless += 1;
        self.tell(finding, name, why)
    }

    fn tell(&self, finding: &str, name: &dyn std::fmt::Display, why: &str) -> Result<(), Error> {
        if self.json {
            let value = json!({ "finding": finding, "name": name.to_string(), "detail": why });
            return print::json(&value);
        }
        print::line(&format!("{finding}  {name}: {why}"))
    }

    fn end(self, named: usize, deep: bool) -> Result<Exit, Error> {
        if self.json {
            let Self { bad, harmless, .. } = self;
            print::json(
                &json!({ "finding": "summary", "contents": named, "deep": deep, "bad": bad, "harmless": harmless }),
            )?;
        } else {
            let how = if deep {
                "read and compared"
            } else {
                "looked for (`--deep` reads them too)"
            };
            let harmless = if self.harmless > 0 {
                format!(", {} harmless", self.harmless)
            } else {
                String::new()
            };
            print::line(&format!(
                "{named} contents {how}: {} wrong{harmless}",
                self.bad
            ))?;
        }
        Ok(Exit::failed_if(self.bad > 0))
    }
}
