//! Is everything as it should be?

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::call::{Call, variables};
use super::{Error, Exit, print};
use crate::app::{self, House};
use crate::catalog::WebhookRow;
use crate::config::Config;
use crate::dispatch::Poster;
use crate::doctor::Grade;
use crate::guard::GuardConfig;
use crate::hostkeys;
use crate::model::{Flow, with_causes};
use crate::seeing::NOT_HERE;
use crate::sftp::{HostKeys, introduction};
use crate::telemetry;
use crate::tending::room;

/// How long a server on our port may take to say who it is.
const BANNER_WAIT: Duration = Duration::from_secs(2);

/// How much of the answer of whoever listens for monitors is read.
const ANSWER_BYTES_MAX: u64 = 1024;

/// What was looked at, and what is wrong with it, if anything is.
pub(super) type Finding = Result<String, String>;

/// Looks at everything, and prints a line for each.
pub(super) async fn run(call: &Call) -> Result<Exit, Error> {
    let file = call.config_file()?;
    let mut report = Report::new(call.json);
    let config = match Config::read(&file, variables()) {
        Ok(config) => config,
        Err(error) => {
            report.say("configuration", Err(with_causes(&error)))?;
            return Ok(report.exit());
        }
    };
    report.say("configuration", Ok(file.display().to_string()))?;
    report.say(
        "time zone",
        told(config.zone().map(|_| config.time_zone.clone())),
    )?;
    report.say(
        "log",
        telemetry::check(&config.log).map(|()| config.log.level.clone()),
    )?;
    report.say(
        "profiles",
        told(
            config
                .read_profiles()
                .map(|all| format!("{} can be used", all.iter().count())),
        ),
    )?;
    report.say("host keys", host_keys(&config))?;
    report.say("port", port(&config).await)?;
    for (check, finding) in outward(&config).await {
        report.say(check, finding)?;
    }
    match House::open(config).await {
        Ok(house) => stores(&house, &mut report).await?,
        // It is told above already, by its own name.
        Err(app::Error::Config(_)) => report.say(
            "catalog",
            Err("it was not looked at, because of what is wrong above".to_owned()),
        )?,
        Err(error) => report.say("catalog", Err(with_causes(&error)))?,
    }
    Ok(report.exit())
}

async fn stores(house: &House, report: &mut Report) -> Result<(), Error> {
    let config = &house.config;
    let firms = house.catalog.firms().await;
    let file = config.catalog_file();
    let counted = |firms: &Vec<_>| format!("{} (firms: {})", file.display(), firms.len());
    report.say("catalog", told(firms.as_ref().map(counted)))?;
    let (blobs, spool) = (config.blob_folder(), config.spool_folder());
    report.say("room", kept_free(config))?;
    report.say("documents", writable(&blobs))?;
    report.say("uploads", writable(&spool))?;
    report.say("drop folders", writable(&config.drop.root))?;
    for firm in firms.unwrap_or_default() {
        let folder = config.drop.root.join(firm.slug.as_str());
        report.say(&format!("drop folder of {}", firm.slug), writable(&folder))?;
        let links = house.catalog.links(firm.id).await?;
        let today = house.places.today(house.clock.read());
        let shared = house.places.shared(&links, today);
        let mut wrong: Vec<_> = links
            .iter()
            .flat_map(|link| Flow::ALL.map(|flow| house.places.folder(link, flow, today)))
            .filter_map(|folder| folder.err().map(|error| with_causes(&error)))
            .chain(shared.iter().map(ToString::to_string))
            .collect();
        // Mostly the folders of both flows lack the same.
        wrong.dedup();
        let finding = if wrong.is_empty() {
            Ok(format!("{} can be shown", links.len()))
        } else {
            Err(wrong.join("; "))
        };
        report.say(&format!("links of {}", firm.slug), finding)?;
        let webhooks = house.catalog.webhooks(firm.id).await?;
        if !webhooks.is_empty() {
            report.say(&format!("webhooks of {}", firm.slug), told_all(&webhooks))?;
        }
    }
    Ok(())
}

/// More than a disk has is never free: then nothing would ever be taken.
fn kept_free(config: &Config) -> Finding {
    let least = config.disk.keep_free_bytes;
    for folder in [config.data.clone(), config.blob_folder()] {
        let room = room(&folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
        if room.bytes < least {
            return Err(format!(
                "`[disk] keep_free_bytes` keeps {} MiB free, and the whole disk of `{}` has {}: nothing new would ever be taken; write less there",
                least >> 20,
                folder.display(),
                room.bytes >> 20
            ));
        }
    }
    Ok(format!("{} MiB stay free", least >> 20))
}

/// Whether somebody should look at what was not told; a receiver that is away for now is nobody's fault here.
fn told_all(webhooks: &[WebhookRow]) -> Finding {
    let wrong = webhooks.iter().filter_map(|row| {
        let (id, dead) = (row.webhook.id, row.dead);
        match &row.webhook.paused {
            Some(why) => Some(format!("webhook {id} is paused: {why}")),
            None if dead > 0 => Some(format!(
                "webhook {id} was not told {dead} events: `sluis webhook dead` lists them"
            )),
            None => None,
        }
    });
    let wrong: Vec<_> = wrong.collect();
    if wrong.is_empty() {
        return Ok(format!("{} are told", webhooks.len()));
    }
    Err(wrong.join("; "))
}

/// Tells each finding, and remembers whether one was bad.
struct Report {
    json: bool,
    is_bad: bool,
}

impl Report {
    fn new(json: bool) -> Self {
        Self {
            json,
            is_bad: false,
        }
    }

    fn say(&mut self, check: &str, finding: Finding) -> Result<(), Error> {
        let is_ok = finding.is_ok();
        self.is_bad |= !is_ok;
        let detail = finding.unwrap_or_else(|wrong| wrong);
        if self.json {
            return print::json(&json!({ "check": check, "ok": is_ok, "detail": detail }));
        }
        let mark = if is_ok { "ok   " } else { "WRONG" };
        print::line(&format!("{mark}  {check}: {detail}"))
    }

    fn exit(&self) -> Exit {
        Exit::failed_if(self.is_bad)
    }
}

fn told<E: std::error::Error>(result: Result<String, E>) -> Finding {
    result.map_err(|error| with_causes(&error))
}

fn host_keys(config: &Config) -> Finding {
    let folder = config.key_folder();
    let credentials = config.credentials.as_deref();
    let keys = hostkeys::read(&folder, credentials).map_err(|error| with_causes(&error))?;
    for file in hostkeys::FILES {
        let path = hostkeys::place(file, &folder, credentials);
        if !path.exists() {
            continue; // it is one that may be missing
        }
        let metadata = fs::metadata(&path).map_err(|error| error.to_string())?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "`{}` can be read by others (mode {mode:03o}): `chmod 600` it",
                path.display()
            ));
        }
    }
    Ok(hostkeys::fingerprints(&keys).join(", "))
}

/// A port is right when it is free, or when we are there already: another Sluis shows another host key.
async fn port(config: &Config) -> Finding {
    let keys = hostkeys::read(&config.key_folder(), config.credentials.as_deref());
    let keys = keys.unwrap_or_else(|_| HostKeys(Vec::new())); // told above
    let found = super::doctor::port(config, &keys).await;
    match (found.grade, found.advice) {
        (Grade::Wrong, Some(advice)) => Err(format!("{}: {advice}", found.detail)),
        (Grade::Wrong, None) => Err(found.detail),
        (Grade::Ok | Grade::Warn, _) => Ok(found.detail),
    }
}

/// Looks at what the configuration says of monitors and of receivers, where it says something.
pub(super) async fn outward(config: &Config) -> Vec<(&'static str, Finding)> {
    let mut findings = Vec::new();
    if let Some(address) = config.metrics.listen {
        findings.push(("metrics", metrics(address)));
    }
    if let Some(roots) = &config.webhooks.roots {
        let checked = Poster::new(&config.webhooks).check_roots().await;
        let path = || format!("`{}` can be used", roots.display());
        findings.push(("webhooks", told(checked.map(|()| path()))));
    }
    findings
}

/// An address is right when it is free, or when we answer monitors there already.
fn metrics(address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Ok(format!(
            "{address} is free; `sluis serve` will answer monitors there"
        )),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            if answers_monitors(address).unwrap_or(false) {
                return Ok(format!("{address} is being answered by Sluis"));
            }
            Err(format!(
                "{address} is taken by another program: end it, or let `[metrics] listen` name another port"
            ))
        }
        Err(error) => Err(format!("{address} cannot be listened on: {error}")),
    }
}

fn answers_monitors(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&near(address), BANNER_WAIT)?;
    stream.set_read_timeout(Some(BANNER_WAIT))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: sluis\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(answer.ends_with(NOT_HERE.as_bytes()))
}

/// Where a server that listens at `address` is reached from here.
pub(super) fn near(address: SocketAddr) -> SocketAddr {
    let mut near = address;
    if address.ip().is_unspecified() {
        near.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    near
}

/// Returns what a server with this guard says first.
pub(super) fn banner(address: SocketAddr, guard: &GuardConfig) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&near(address), BANNER_WAIT)?;
    stream.write_all(introduction(guard, stream.local_addr()?.ip()))?;
    stream.set_read_timeout(Some(BANNER_WAIT))?;
    let mut bytes = [0; 64];
    let got = stream.read(&mut bytes)?;
    let text = bytes.get(..got).unwrap_or_default();
    Ok(String::from_utf8_lossy(text)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

fn writable(folder: &Path) -> Finding {
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(folder.display().to_string()),
        Err(error) => Err(format!(
            "`{}` cannot be written to: {error}",
            folder.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_monitors_that_another_program_has_is_wrong() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers = |said: &'static str| {
            let listener = listener.try_clone().unwrap();
            let other = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 256];
                let _ = stream.read(&mut asked).unwrap();
                stream.write_all(said.as_bytes()).unwrap();
            });
            let finding = metrics(address);
            other.join().unwrap();
            finding
        };

        let other = answers("HTTP/1.1 404 Not Found\r\n\r\nno such page\n").unwrap_err();
        assert!(other.contains("taken by another program"), "{other}");
        let ours = format!("HTTP/1.1 404 Not Found\r\n\r\n{NOT_HERE}");
        answers(ours.leak()).unwrap();
        drop(listener);
        assert!(metrics(address).unwrap().contains("is free"));
    }
}
