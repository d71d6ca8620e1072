//! How does a test get a gateway of its own?

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use bytes::Bytes;
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use sluis::app::House;
use sluis::audit;
use sluis::catalog::{Catalog, DeviceKey, LinkRules, NewDevice, NewLink};
use sluis::config::Config;
use sluis::ingest::{Arrival, Taken};
use sluis::model::{
    Clock, DeviceId, DeviceKind, DossierId, EventSeq, FirmId, Identifier, Language, Name, OrFirm,
    Timestamp, Transfer,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::peer::Peer;

/// What a test waits for at most, for what should come at once: on a machine that has much else to do.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until it is so.
pub async fn until(holds: impl AsyncFn() -> bool) {
    let held = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    let held = tokio::time::timeout(PATIENCE, held).await;
    assert!(held.is_ok(), "it never came");
}

/// 14 March 2026, 08:00 in UTC: where every test's clock begins.
const MORNING: i64 = 1_773_475_200_000;

/// Whose numbers the fixtures bear.
pub const BAKERY: &str = "0771234528";
pub const MILL: &str = "0451827384";

/// A gateway in a temporary folder, listening on loopback, with a clock of its own.
pub struct Gateway {
    pub house: House,
    pub address: SocketAddr,
    time: Arc<AtomicI64>,
    draining: CancellationToken,
    serving: Option<JoinHandle<()>>,
    /// The test has changed the catalog behind the events' back.
    pub tampered: bool,
    folder: TempDir,
}

/// A firm with one dossier, the bakery.
pub struct Office {
    pub firm: FirmId,
    pub slug: String,
    pub dossier: DossierId,
}

/// A device and its key.
#[derive(Clone)]
pub struct Login {
    pub name: String,
    pub id: DeviceId,
    pub key: PrivateKey,
}

impl Gateway {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts one with these lines in its configuration.
    pub async fn start_with(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::parse(lines, folder.path()).unwrap();
        config.sftp.listen = "127.0.0.1:0".parse().unwrap();
        put_host_keys(&config);
        Self::start_on(folder, config, Arc::new(AtomicI64::new(MORNING))).await
    }

    async fn start_on(folder: TempDir, config: Config, time: Arc<AtomicI64>) -> Self {
        note_deaths();
        let mut house = House::make(config).await.unwrap();
        let told = Arc::clone(&time);
        house.clock = Clock::new(move || Timestamp(told.load(Ordering::SeqCst)));
        let draining = CancellationToken::new();
        let listening = house.listen(draining.clone()).await.unwrap();
        let address = listening.address();
        let serving = Some(tokio::spawn(listening.run()));
        Self {
            house,
            address,
            time,
            draining,
            serving,
            tampered: false,
            folder,
        }
    }

    /// Ends the server in order, and starts another on the same data.
    pub async fn restart(&mut self) {
        self.drain().await;
        self.house.catalog.close().await;
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let (config, time) = (self.house.config.clone(), Arc::clone(&self.time));
        *self = Self::start_on(folder, config, time).await;
    }

    /// Leaves the server where it is, and starts another on a copy of what is on the disk at this moment: all
    /// that a killed process leaves behind. No transaction may be under way. Who is connected goes `after` that.
    pub async fn kill(&mut self, after: impl FnOnce()) {
        let folder = tempfile::tempdir().unwrap();
        copy_all(self.folder.path(), folder.path());
        after();
        let mut config = Config::parse("", folder.path()).unwrap();
        config.sftp.listen = "127.0.0.1:0".parse().unwrap();
        let next = Self::start_on(folder, config, Arc::clone(&self.time)).await;
        // What becomes of the old one is of no account.
        let mut old = std::mem::replace(self, next);
        old.tampered = true;
        old.drain().await;
    }

    pub fn now(&self) -> Timestamp {
        self.house.clock.read()
    }

    /// Moves the clock.
    pub fn pass_ms(&self, ms: i64) {
        self.time.fetch_add(ms, Ordering::SeqCst);
    }

    /// Ends the server as SIGTERM does, and waits for its end.
    pub async fn drain(&mut self) {
        self.draining.cancel();
        if let Some(serving) = self.serving.take() {
            serving.await.unwrap();
        }
    }

    /// Adds a firm with the bakery as its dossier.
    pub async fn office(&self, slug: &str) -> Office {
        let name: Name = slug.parse().unwrap();
        let firm = self
            .house
            .catalog
            .add_firm(&name, "Kantoor", Language::Nl, self.now())
            .await
            .unwrap();
        let office = Office {
            firm,
            slug: slug.to_owned(),
            dossier: DossierId(0),
        };
        let dossier = self.dossier(&office, "De Korenaar", &[BAKERY]).await;
        Office { dossier, ..office }
    }

    pub async fn dossier(&self, office: &Office, name: &str, ids: &[&str]) -> DossierId {
        let ids: Vec<_> = ids
            .iter()
            .map(|raw| Identifier::new(raw).unwrap())
            .collect();
        self.house
            .catalog
            .add_dossier(office.firm, name, &ids, self.now())
            .await
            .unwrap()
    }

    pub async fn device(&self, office: &Office, name: &str, kind: DeviceKind) -> Login {
        let key =
            PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
        let public = key.public_key();
        let keys = [DeviceKey {
            fingerprint: public.fingerprint(HashAlg::Sha256).to_string(),
            public_key: public.to_openssh().unwrap(),
            comment: String::new(),
            expires_at: None,
        }];
        let slug: Name = name.parse().unwrap();
        let new = NewDevice {
            name: &slug,
            kind,
            password_hash: None,
            keys: &keys,
            is_default: false,
        };
        let id = self
            .house
            .catalog
            .add_device(office.firm, &new, self.now())
            .await
            .unwrap();
        Login {
            name: format!("{}.{name}", office.slug),
            id,
            key,
        }
    }

    /// Links the office's dossier to `expertm` as `code`, for a device.
    pub async fn link(&self, office: &Office, code: &str, device: &Login) {
        self.link_as(
            office,
            office.dossier,
            "expertm",
            code,
            Some(device.id),
            Transfer::AtOnce,
        )
        .await;
    }

    pub async fn link_as(
        &self,
        office: &Office,
        dossier: DossierId,
        profile: &str,
        code: &str,
        device: Option<DeviceId>,
        transfer: Transfer,
    ) {
        let new = NewLink {
            dossier,
            profile,
            code,
            language: Language::Nl,
            device,
            sends: LinkRules {
                transfer: OrFirm::Own(transfer),
                ..LinkRules::FIRM
            },
        };
        self.house
            .catalog
            .add_link(office.firm, &new, self.now())
            .await
            .unwrap();
    }

    /// An office with a device of this kind and the link `ACME` to `expertm`.
    pub async fn office_with(&self, kind: DeviceKind) -> (Office, Login) {
        let office = self.office("peeters").await;
        let device = self.device(&office, "server", kind).await;
        self.link(&office, "ACME", &device).await;
        (office, device)
    }

    pub async fn receive(&self, office: &Office, bytes: impl Into<Bytes>) -> Taken {
        let arrival = Arrival::new("test:document", bytes);
        let taken = self
            .house
            .ingest
            .take(office.firm, vec![arrival], self.now())
            .await
            .unwrap();
        taken.into_iter().next().unwrap()
    }

    /// Asserts what must hold after every story: each firm's events are whole, and lead to its deliveries.
    fn check_evidence(&self) {
        let file = self.catalog_file();
        // The test's own runtime stands still as long as this lasts, with all connections that it holds.
        let checked = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let catalog = Catalog::open(&file).await.unwrap();
                for firm in catalog.firms().await.unwrap() {
                    let verified = audit::verify(&catalog, firm.id, None).await.unwrap();
                    assert_eq!(verified.misfit, None, "events of {}", firm.slug);
                    let replayed = audit::replay(&catalog, firm.id).await.unwrap();
                    assert_eq!(
                        replayed.differences.named,
                        [],
                        "deliveries of {}",
                        firm.slug
                    );
                    assert_eq!(replayed.unsaid, 0);
                }
            });
        });
        assert!(
            checked.join().is_ok(),
            "the events and the tables must agree"
        );
    }

    /// The catalog's file.
    pub fn catalog_file(&self) -> PathBuf {
        self.house.config.catalog_file()
    }

    /// Connects and logs in.
    pub async fn connect(&self, login: &Login) -> Peer {
        Peer::connect(self.address, login).await
    }

    /// What every delivery of an office has come to: `path state`, in order.
    pub async fn deliveries(&self, office: &Office) -> Vec<String> {
        let rows = self
            .house
            .catalog
            .delivery_rows(office.firm, 0, 100_000)
            .await
            .unwrap();
        let line = |row: &sluis::catalog::DeliveryRow| {
            let delivery = &row.delivery;
            let place = delivery
                .offer
                .as_ref()
                .map_or_else(|| "-".to_owned(), |o| format!("{}/{}", o.folder, o.name));
            let reason = delivery
                .reason
                .map_or_else(String::new, |reason| format!(" ({})", reason.as_str()));
            let read = if row.read_at.is_some() && row.collected_at.is_none() {
                " read"
            } else {
                ""
            };
            format!("{place} {}{reason}{read}", delivery.state.as_str())
        };
        rows.iter().map(line).collect()
    }

    /// What has happened to documents at an office, in order.
    pub async fn events(&self, office: &Office) -> Vec<String> {
        let rows = self
            .house
            .catalog
            .events(office.firm, EventSeq(0), 100_000)
            .await
            .unwrap();
        let about_documents = rows.into_iter().filter(|row| row.event.document.is_some());
        about_documents
            .map(|row| row.event.kind.as_str().to_owned())
            .collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.draining.cancel();
        if std::thread::panicking() {
            return;
        }
        let died = DEATHS.lock().unwrap().clone();
        assert_eq!(died, [""; 0], "of all gateways so far");
        if !self.tampered {
            self.check_evidence();
        }
    }
}

/// What has died in a gateway of this process: a task's death ends nothing else, and clients only see that somebody
/// hung up.
static DEATHS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Has it noted when something of a gateway dies, and not a test of its own accord: in its code, or on its threads.
fn note_deaths() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_in = info
                .location()
                .is_some_and(|at| at.file().starts_with("src/"));
            let thread = std::thread::current();
            if is_in || thread.name().is_some_and(|name| name.starts_with("sluis-")) {
                DEATHS.lock().unwrap().push(info.to_string());
            }
            before(info);
        }));
    });
}

/// Copies a folder with all that is in it; SQLite's shared memory dies with its process.
pub fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&new).unwrap();
            copy_all(&old, &new);
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(old, new).unwrap();
        }
    }
}

/// RSA keys are slow to make: all tests share one pair of host keys.
fn put_host_keys(config: &Config) {
    use std::sync::OnceLock;
    static KEYS: OnceLock<TempDir> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        sluis::hostkeys::make(folder.path()).unwrap();
        folder
    });
    std::fs::create_dir_all(config.key_folder()).unwrap();
    for entry in std::fs::read_dir(keys.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), config.key_folder().join(entry.file_name())).unwrap();
    }
}

/// A fixture by its name.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!(
        "{}/tests/fixtures/ubl/{name}",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

/// An invoice of the mill to the bakery with this number, `bytes` long at least.
pub fn invoice(number: &str, bytes: usize) -> Vec<u8> {
    invoice_between(MILL, BAKERY, number, bytes)
}

pub fn invoice_between(seller: &str, buyer: &str, number: &str, bytes: usize) -> Vec<u8> {
    let party = |id: &str| {
        format!(
            "<cac:Party><cbc:EndpointID schemeID=\"0208\">{id}</cbc:EndpointID><cac:PartyLegalEntity>\
             <cbc:RegistrationName>Onderneming {id}</cbc:RegistrationName>\
             <cbc:CompanyID schemeID=\"0208\">{id}</cbc:CompanyID></cac:PartyLegalEntity></cac:Party>"
        )
    };
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Invoice xmlns=\"urn:oasis:names:specification:ubl:schema:xsd:Invoice-2\" \
         xmlns:cac=\"urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2\" \
         xmlns:cbc=\"urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2\">\
         <cbc:CustomizationID>urn:cen.eu:en16931:2017</cbc:CustomizationID><cbc:ID>{number}</cbc:ID>\
         <cbc:IssueDate>2026-03-14</cbc:IssueDate><cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>\
         <cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>\
         <cac:AccountingSupplierParty>{}</cac:AccountingSupplierParty>\
         <cac:AccountingCustomerParty>{}</cac:AccountingCustomerParty>\
         <cac:LegalMonetaryTotal><cbc:PayableAmount currencyID=\"EUR\">121.00</cbc:PayableAmount></cac:LegalMonetaryTotal>\n",
        party(seller),
        party(buyer)
    );
    const END: &str = "</Invoice>\n";
    while xml.len() + END.len() < bytes {
        let left = bytes - xml.len() - END.len();
        let fill = left.saturating_sub(8).min(60_000);
        xml.push_str("<!--");
        xml.extend(std::iter::repeat_n('x', fill));
        xml.push_str("-->\n");
    }
    xml.push_str(END);
    xml.into_bytes()
}
