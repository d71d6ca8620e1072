//! What does the server need, and is it there?
//!
//! `sluis check` looks at the configuration before a start; this looks at the machine around it as well, while
//! the server runs or not. What is seen is judged in `doctor`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{HashAlg, PrivateKey};
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::call::Call;
use super::check::{banner, near, outward};
use super::{Error, Exit, print};
use crate::app::{self, House, transport};
use crate::config::Config;
use crate::doctor::{self, Access, AtPort, Finding, Grade, Privacy};
use crate::dropfolder::strays_in;
use crate::hostkeys;
use crate::model::with_causes;
use crate::sftp::{HostKeys, rehearse, shown_key};
use crate::tending::room;
use crate::wellness::Cause;

/// For how long a disk is waited for.
const ANSWERS: Duration = Duration::from_secs(5);

/// Looks at everything, and prints a line for each.
pub(super) async fn run(call: &Call) -> Result<Exit, Error> {
    let file = call.config_file()?;
    let config = call.config()?;
    let mut report = Report {
        json: call.json,
        worst: Grade::Ok,
    };
    for finding in files(&file, &config) {
        report.say(&finding)?;
    }
    let keys = hostkeys::read(&config.key_folder(), config.credentials.as_deref());
    match keys {
        Ok(keys) => {
            for finding in host_keys(&config, &keys) {
                report.say(&finding)?;
            }
            report.say(&port(&config, &keys).await)?;
            let tried = rehearse(transport(&config, keys.clone())).await;
            report.say(&doctor::algorithms(&tried))?;
        }
        Err(error) => report.say(&Finding::wrong(
            "host key",
            with_causes(&error),
            "mend that before the next start: the server does not begin without it",
        ))?,
    }
    for (check, found) in outward(&config).await {
        report.say(&doctor::outward(check, found))?;
    }
    for finding in disks(&config) {
        report.say(&finding)?;
    }
    match House::open(config).await {
        Ok(house) => {
            for finding in stores(&house).await {
                report.say(&finding)?;
            }
        }
        Err(error) => report.say(&Finding::wrong(
            "catalog",
            with_causes(&error),
            advice_unopened(&error),
        ))?,
    }
    Ok(Exit::failed_if(report.worst == Grade::Wrong))
}

/// What to do about a house that does not open.
fn advice_unopened(error: &app::Error) -> &'static str {
    match error {
        app::Error::NoDocuments { .. } => {
            "mount its disk, or put the folder back; make nothing new in its place"
        }
        app::Error::NoData { .. } => {
            "`sluis init` makes a new one; one that is lost comes back from a backup (`sluis restore`)"
        }
        app::Error::Catalog(failed) => match failed.cause() {
            Some(Cause::Broken) => {
                "keep the documents with `sluis backup`, and bring the catalog back from a backup with `sluis restore`; make nothing new in its place"
            }
            Some(cause) => cause.advice(),
            None => "mend that first; `sluis restore` brings a catalog back from a backup",
        },
        _ => "mend that first; what is in the catalog could not be looked at",
    }
}

/// Tells each finding, and remembers the worst.
struct Report {
    json: bool,
    worst: Grade,
}

impl Report {
    fn say(&mut self, finding: &Finding) -> Result<(), Error> {
        self.worst = self.worst.max(finding.grade);
        let Finding {
            check,
            grade,
            detail,
            advice,
        } = finding;
        if self.json {
            let grade = grade.as_str();
            return print::json(
                &json!({ "check": check, "grade": grade, "detail": detail, "advice": advice }),
            );
        }
        let mark = match grade {
            Grade::Ok => "ok   ",
            Grade::Warn => "warn ",
            Grade::Wrong => "WRONG",
        };
        print::line(&format!("{mark}  {check}: {detail}"))?;
        match advice {
            Some(advice) => print::line(&format!("       {advice}")),
            None => Ok(()),
        }
    }
}

fn files(file: &Path, config: &Config) -> Vec<Finding> {
    let credentials = config.credentials.as_deref();
    let folder = config.key_folder();
    let keys = hostkeys::FILES.map(|name| hostkeys::place(name, &folder, credentials));
    let mut found = vec![
        access("configuration", file, Privacy::Group),
        access("data folder", &config.data, Privacy::Group),
    ];
    for (check, path) in [
        ("catalog file", config.catalog_file()),
        ("folder of documents", config.blob_folder()),
    ] {
        if path.exists() {
            found.push(access(check, &path, Privacy::Owner));
        }
    }
    let keys = keys.iter().filter(|key| key.exists());
    found.extend(keys.map(|key| access("host key", key, Privacy::Owner)));
    if rustix::process::geteuid().is_root() {
        found.push(Finding::warn(
            "user",
            "this runs as root",
            "run the service and every command as the user `sluis`: who serves as root has all of the machine to lose",
        ));
    }
    found
}

fn access(check: &str, path: &Path, privacy: Privacy) -> Finding {
    let shown = path.display().to_string();
    match fs::metadata(path) {
        Ok(found) => {
            let access = Access {
                mode: found.mode(),
                owner: found.uid(),
                me: rustix::process::geteuid().as_raw(),
            };
            doctor::access(check, &shown, access, privacy)
        }
        Err(error) => Finding::wrong(
            check,
            format!("`{shown}` cannot be looked at: {error}"),
            "look whether it is there, and whose it is",
        ),
    }
}

fn host_keys(config: &Config, keys: &HostKeys) -> Vec<Finding> {
    let (folder, credentials) = (config.key_folder(), config.credentials.as_deref());
    let now = app::system_clock().read();
    let age_of = |key: &PrivateKey| {
        let file = hostkeys::FILES
            .iter()
            .find(|file| file.contains(kind(key)))?;
        let found = fs::metadata(hostkeys::place(file, &folder, credentials)).ok()?;
        Some(now.0 - found.mtime().saturating_mul(1000))
    };
    keys.0
        .iter()
        .map(|key| {
            let name = format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
            let bits = match key.public_key().key_data() {
                KeyData::Rsa(rsa) => Some(usize::try_from(rsa.key_size()).unwrap_or(usize::MAX)),
                _ => None,
            };
            doctor::host_key(&name, bits, age_of(key))
        })
        .collect()
}

fn kind(key: &PrivateKey) -> &'static str {
    match key.public_key().key_data() {
        KeyData::Rsa(_) => "rsa",
        KeyData::Ecdsa(_) => "ecdsa",
        _ => "ed25519",
    }
}

/// Looks who listens where we are to.
pub(super) async fn port(config: &Config, keys: &HostKeys) -> Finding {
    let listen = config.sftp.listen;
    let found = match TcpListener::bind(listen) {
        Ok(_) => AtPort::Free,
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let guard = config.guard.clone();
            let said = spawn_blocking(move || banner(listen, &guard)).await;
            match said.map_err(std::io::Error::other).and_then(|said| said) {
                Ok(version) if version.starts_with("SSH-") => {
                    let transport = transport(config, keys.clone());
                    let key = shown_key(near(listen), transport, &config.guard).await;
                    let version = version.trim_end().to_owned();
                    let key = key.ok();
                    AtPort::Somebody { version, key }
                }
                _ => AtPort::Silent,
            }
        }
        Err(error) => AtPort::Forbidden(error.to_string()),
    };
    let own: Vec<_> = keys
        .0
        .iter()
        .map(|key| key.fingerprint(HashAlg::Sha256).to_string())
        .collect();
    doctor::port(listen, &found, &own)
}

fn disks(config: &Config) -> Vec<Finding> {
    let places = [
        (
            "disk of the data",
            config.data.clone(),
            config.disk.keep_free_bytes,
        ),
        (
            "disk of the documents",
            config.blob_folder(),
            config.disk.keep_free_bytes,
        ),
        ("disk of the drop folders", config.drop.root.clone(), 0),
    ];
    places
        .into_iter()
        .map(|(check, folder, least)| match room(&folder) {
            Ok(room) => doctor::room(check, room, least),
            Err(error) => Finding::wrong(
                check,
                format!("`{}` cannot be looked at: {error}", folder.display()),
                "look whether the disk is mounted",
            ),
        })
        .collect()
}

async fn stores(house: &House) -> Vec<Finding> {
    let now = house.clock.read();
    let asked = async {
        let catalog = &house.catalog;
        let (schema, faults) = (catalog.schema().await?, catalog.faults().await?);
        let newest = catalog.last_happened().await?;
        let keys = catalog.keys_since().await?;
        catalog.try_write().await?;
        Ok::<_, crate::catalog::Error>([
            doctor::catalog(schema, &faults),
            doctor::clock(now, newest, synchronised()),
            doctor::device_keys(&keys, now),
        ])
    };
    let mut found = match asked.await {
        Ok(findings) => Vec::from(findings),
        Err(error) => vec![Finding::wrong(
            "catalog",
            with_causes(&error),
            error.cause().map_or("look at the disk", Cause::advice),
        )],
    };
    found.extend(strays(house).await);
    found.push(match house.blobs.try_write().await {
        // Without a name: whoever runs this as root leaves nothing that the service may not write.
        Ok(()) => Finding::ok("documents", "one can be written"),
        Err(error) => Finding::wrong("documents", with_causes(&error), error.cause().advice()),
    });
    found
}

/// What lies among the drop folders; nothing where that cannot be said, which other findings tell.
async fn strays(house: &House) -> Option<Finding> {
    let firms = house.catalog.firms().await.ok()?;
    let root = house.config.drop.root.clone();
    let looking = spawn_blocking(move || {
        let firms = firms.iter().map(|firm| firm.slug.as_str()).collect();
        strays_in(&root, &firms)
    });
    let count = match timeout(ANSWERS, looking).await {
        Ok(looked) => Some(looked.ok()?.ok()?),
        Err(_) => None,
    };
    Some(doctor::strays(&house.config.drop.root, count))
}

/// Whether the machine takes its time from elsewhere, as far as it says so; no network is asked.
fn synchronised() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    let asked = std::process::Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output()
        .ok()?;
    match String::from_utf8_lossy(&asked.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}
