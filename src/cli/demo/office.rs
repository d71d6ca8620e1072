//! Who is in the invented office?

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::Error as KeyError;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, HashAlg, PrivateKey};

use crate::app::House;
use crate::catalog::{DeviceKey, Firm, LinkRules, NewDevice, NewLink};
use crate::cli::Error;
use crate::config::Config;
use crate::model::{DeviceId, DeviceKind, Identifier, Language};
use crate::sftp::HostKeys;

/// The office, with its house open.
pub(in crate::cli) struct Office {
    /// Where everything is.
    pub(in crate::cli) folder: PathBuf,
    /// The house.
    pub(in crate::cli) house: House,
    /// The firm, `demo`.
    pub(in crate::cli) firm: Firm,
    /// Its server's key: one, for making an RSA key takes seconds.
    pub(in crate::cli) host_keys: HostKeys,
}

/// A dossier: name, number, profile, code, device, language of its folders.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    usize,
    Language,
);

#[rustfmt::skip]
const DOSSIERS: [Row; 3] = [
    ("Bakkerij De Korenaar BV",  "0771234528", "expertm",   "KORENAAR", 0, Language::Nl),
    ("Molens Ter Leie NV",       "0451827384", "bob-demat", "MOLENS",   1, Language::Fr),
    ("Schrijnwerk Van Aerde BV", "1003456783", "expertm",   "VANAERDE", 0, Language::Nl),
];

impl Office {
    /// Makes the office in an empty folder.
    pub(in crate::cli) async fn found(folder: &Path, port: u16) -> Result<Self, Error> {
        let file = folder.join("sluis.toml");
        write_config(&file, port)?;
        let house = House::make_without_keys(Config::read(&file, [])?).await?;
        let host_keys = HostKeys(vec![key()?]);
        let now = house.clock.read();
        let slug = "demo"
            .parse()
            .map_err(|bad| Error::failed("could not name the firm", bad))?;
        house
            .catalog
            .add_firm(&slug, "Kantoor Voorbeeld", Language::Nl, now)
            .await?;
        let firm = house.catalog.firm("demo").await?;
        let drop = house.config.drop.root.join("demo");
        fs::create_dir_all(&drop).map_err(Error::file("make the drop folder", &drop))?;
        let office = Self {
            folder: folder.to_owned(),
            house,
            firm,
            host_keys,
        };
        let pull = office.add_device("pull", DeviceKind::Pull).await?;
        let mount = office.add_device("mount", DeviceKind::Mount).await?;
        for row in DOSSIERS {
            office.add_dossier(row, [pull, mount]).await?;
        }
        Ok(office)
    }

    /// Writes down where the server listens, for other commands, and its key where `ssh` looks for it,
    /// so that nobody is asked.
    pub(in crate::cli) fn write_address(&self, port: u16) -> Result<(), Error> {
        write_config(&self.folder.join("sluis.toml"), port)?;
        let path = self.known_hosts();
        let mut text = String::new();
        for key in &self.host_keys.0 {
            let public = key.public_key().to_openssh().map_err(bad_key)?;
            text.push_str(&format!("[127.0.0.1]:{port} {public}\n"));
        }
        fs::write(&path, text).map_err(Error::file("write", &path))
    }

    /// Returns the file in which `ssh` finds the server's key.
    pub(in crate::cli) fn known_hosts(&self) -> PathBuf {
        self.folder.join("known_hosts")
    }

    /// Returns the file of a device's private key.
    pub(in crate::cli) fn key_file(&self, device: &str) -> PathBuf {
        self.folder.join(format!("{device}.key"))
    }

    async fn add_device(&self, name: &str, kind: DeviceKind) -> Result<DeviceId, Error> {
        let key = key()?;
        let private = key.to_openssh(LineEnding::LF).map_err(bad_key)?;
        write_private(&self.key_file(name), private.as_bytes())?;
        let known = DeviceKey {
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            public_key: key.public_key().to_openssh().map_err(bad_key)?,
            comment: "demo".to_owned(),
            expires_at: None,
        };
        let parsed = name
            .parse()
            .map_err(|bad| Error::failed("could not name a device", bad))?;
        let new = NewDevice {
            name: &parsed,
            kind,
            password_hash: None,
            keys: &[known],
            is_default: kind == DeviceKind::Pull,
        };
        let now = self.house.clock.read();
        Ok(self
            .house
            .catalog
            .add_device(self.firm.id, &new, now)
            .await?)
    }

    async fn add_dossier(&self, row: Row, devices: [DeviceId; 2]) -> Result<(), Error> {
        let (name, number, profile, code, device, language) = row;
        let (catalog, now) = (&self.house.catalog, self.house.clock.read());
        let identifiers: Vec<_> = Identifier::new(number).into_iter().collect();
        let dossier = catalog
            .add_dossier(self.firm.id, name, &identifiers, now)
            .await?;
        let link = NewLink {
            dossier,
            profile,
            code,
            language,
            device: devices.get(device).copied(),
            sends: LinkRules::FIRM,
        };
        catalog.add_link(self.firm.id, &link, now).await?;
        Ok(())
    }
}

fn write_config(file: &Path, port: u16) -> Result<(), Error> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let text =
        format!("data = \"data\"\n\n[sftp]\nlisten = \"{listen}\"\n\n[log]\nlevel = \"warn\"\n");
    fs::write(file, text).map_err(Error::file("write", file))
}

fn key() -> Result<PrivateKey, Error> {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).map_err(bad_key)
}

fn bad_key(source: KeyError) -> Error {
    Error::failed("could not make a key", source)
}

/// `ssh` refuses a key that others may read.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let opened = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let written = opened.and_then(|mut file| file.write_all(bytes));
    written.map_err(Error::file("write the key", path))
}
