//! What does whoever watches the server see, and what does nobody see?

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use russh::client;
use russh::keys::{Algorithm, PrivateKey};
use russh_sftp::protocol::StatusCode;
use serde_json::Value;
use sluis::evidence::{Deed, deed_hash};
use sluis::model::{Digest, Timestamp};
use sluis::seeing::{CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX, METRICS, Metric};
use sluis::sftp::limits::DRAIN;

use crate::clients::{is_here, wait_until};
use crate::gateway::{BAKERY, Login, MILL, invoice, invoice_between};
use crate::peer::{Peer, dial};
use crate::program::{Device, Program};
use crate::receiver::Receiver;
use crate::scheduling::tamper_with;

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";

/// The longest that a test waits for a word.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that is watched, with a device that fetches and puts in.
fn scene(lines: &str) -> (Program, Device) {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    configure(
        &program,
        &format!("[metrics]\nlisten = \"127.0.0.1:0\"\n{lines}"),
    );
    program.serve();
    (program, device)
}

fn configure(program: &Program, lines: &str) {
    let file = program.path("sluis/sluis.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n{lines}")).unwrap();
}

fn dialled(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything that is answered; what is hung up on has an answer of its own.
fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(gone) if gone.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(silent) => panic!("it says nothing: {silent}"),
    }
    String::from_utf8(answer).unwrap()
}

fn asked(address: SocketAddr, request: &str) -> String {
    let mut stream = dialled(address);
    stream.write_all(request.as_bytes()).unwrap();
    rest(stream)
}

/// The status, the head and the body of what stands at a path.
pub(crate) fn get(address: SocketAddr, path: &str) -> (String, String, String) {
    let answer = asked(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

fn page(program: &Program) -> String {
    let (status, _, body) = get(program.metrics.unwrap(), "/metrics");
    assert_eq!(status, "200");
    body
}

/// Waits until the page has these lines: what is looked up may be some seconds old.
fn wait_for(program: &Program, lines: &[&str]) -> String {
    let mut last = String::new();
    wait_until(|| {
        last = page(program);
        lines
            .iter()
            .all(|line| last.contains(&format!("\n{line}\n")))
    });
    last
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Prometheus' own judge of pages and rules, if it is here.
fn promtool() -> Option<PathBuf> {
    let own = in_repository("target/ci-promtool/usr/bin/promtool");
    let found = if own.exists() { own } else { "promtool".into() };
    let runs = Command::new(&found).arg("--version").output();
    is_here("promtool", runs.is_ok_and(|ran| ran.status.success())).then_some(found)
}

/// Logs in with a password, or tries to.
async fn says_password(address: SocketAddr, name: &str, password: &str) -> bool {
    let (mut ssh, _socket) = dial(address, client::Config::default()).await;
    let answer = ssh.authenticate_password(name, password).await;
    answer.is_ok_and(|answer| answer.success())
}

async fn is_let_in(address: SocketAddr, name: &str) -> bool {
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    let login = Login {
        name: name.to_owned(),
        id: sluis::model::DeviceId(0),
        key,
    };
    Peer::try_connect(address, &login).await.is_some()
}

/// Has Prometheus itself judge a page, if its tool is here.
fn judge_page(page: &str) {
    if let Some(promtool) = promtool() {
        let mut judge = Command::new(promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        judge
            .stdin
            .take()
            .unwrap()
            .write_all(page.as_bytes())
            .unwrap();
        let said = judge.wait_with_output().unwrap();
        let said = format!("{:?}{}", said.status, String::from_utf8_lossy(&said.stderr));
        assert_eq!(said, "ExitStatus(unix_wait_status(0))");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_and_prometheus_can_read_it() {
    let (program, device) = scene("");
    let address = program.address.unwrap();
    assert!(!is_let_in(address, "kantoor.server").await);
    assert!(!says_password(address, "kantoor.server", "no").await);
    let peer = Peer::connect(address, &device.login).await;
    peer.put("/in/F-1.xml", &invoice("F-1", 2000))
        .await
        .unwrap();
    peer.put("/in/F-1-again.xml", &invoice("F-1", 2000))
        .await
        .unwrap();
    peer.put("/in/F-2.xml", &invoice("F-2", 3000))
        .await
        .unwrap();
    // Of a firm that is nobody's here: it is held.
    let strange = invoice_between("0477472701", "0899965307", "F-3", 1000);
    peer.put("/in/F-3.xml", &strange).await.unwrap();
    peer.put("/in/note.xml", b"no document at all")
        .await
        .unwrap();
    let names = peer.list(INBOX).await.unwrap();
    peer.get(&format!("{INBOX}/{}", names[0])).await.unwrap();

    let page = wait_for(
        &program,
        &[
            "sluis_ready 1",
            "sluis_catalog_up 1",
            "sluis_sessions 1",
            "sluis_logins_total{result=\"accepted\"} 1",
            "sluis_logins_total{result=\"password_refused\"} 1",
            "sluis_documents_total{outcome=\"kept\"} 2",
            "sluis_documents_total{outcome=\"recognised\"} 1",
            "sluis_documents_total{outcome=\"quarantined\"} 1",
            "sluis_documents_total{outcome=\"held\"} 1",
            "sluis_ingest_seconds_count 5",
            "sluis_deliveries_marked_total{state=\"collected\"} 1",
            "sluis_mark_seconds_count 1",
            "sluis_deliveries_waiting{firm=\"kantoor\",device=\"server\"} 1",
        ],
    );

    assert!(!page.contains("result=\"key_refused\"} 0"), "{page}");
    let value = |name: &str| -> f64 {
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name}")).parse().unwrap()
    };
    // Two uploads of 2000 bytes, one of 3000; one of 2000 fetched.
    assert!(value("sluis_network_receive_bytes_total") > 7000.0);
    assert!(value("sluis_network_transmit_bytes_total") > 2000.0);
    assert!(value("sluis_disk_free_bytes") <= value("sluis_disk_size_bytes"));
    for secret in ["Korenaar", BAKERY, MILL, "F-1", "F-2", ".xml", "ACME"] {
        assert!(
            !page.contains(secret),
            "{secret} stands on the page\n{page}"
        );
    }
    let (_, head, _) = get(program.metrics.unwrap(), "/metrics");
    let content = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(head.contains(content), "{head}");
    peer.leave().await;
    wait_for(&program, &["sluis_sessions 0"]);

    judge_page(&page);
}

#[test]
fn a_page_shows_how_far_webhooks_are_behind_and_what_was_turned_away() {
    let (mut program, device) = scene("[guard]\nstartups = \"1:100:1\"\n");
    program.terminate();
    program.ok(&[
        "webhook",
        "add",
        "kantoor",
        "https://example.com/s3cret-path",
        "--from",
        "1",
    ]);
    program.ok(&["webhook", "pause", "kantoor", "1"]);
    program.ingest(&[invoice("F-1", 2000)]);
    program.query("insert into letter (webhook_id, seq, lane, state, attempts, due_at, error) values (1, 2, 0, 'dead', 20, 0, 'x')");
    program.serve();
    let address = program.address.unwrap();
    let waiting = TcpStream::connect(address).unwrap();
    wait_until(|| {
        // The first has the only place; who comes then is turned away.
        let mut told = String::new();
        drop(dialled(address).take(16).read_to_string(&mut told));
        told.starts_with("Not allowed")
    });

    let page = wait_for(
        &program,
        &["sluis_webhook_dead_letters{firm=\"kantoor\",webhook=\"1\"} 1"],
    );

    let value = |name: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}"))
            .trim()
            .parse()
            .unwrap()
    };
    let of = "{firm=\"kantoor\",webhook=\"1\"}";
    assert!(value(&format!("sluis_webhook_events_waiting{of}")) > 3.0);
    assert!(value(&format!("sluis_webhook_oldest_age_seconds{of}")) < 3600.0);
    assert!(value("sluis_connections_turned_away_total{reason=\"startups\"}") >= 1.0);
    assert!(!page.contains("s3cret") && !page.contains("example.com"));
    drop((waiting, device));
}

#[test]
fn nobody_is_answered_unless_the_configuration_says_so_and_never_a_stranger_by_mistake() {
    let mut program = Program::init();
    program.serve();
    assert_eq!(program.metrics, None);
    program.terminate();

    configure(&program, "[metrics]\nlisten = \"0.0.0.0:0\"\n");
    let refused = program.run(&["serve"]);

    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("say `public = true` beside it"), "{why}");
}

#[test]
fn three_paths_are_answered_to_those_who_read_and_nothing_else() {
    let (program, _device) = scene("");
    let at = program.metrics.unwrap();

    assert_eq!(get(at, "/healthz").0, "200");
    let (status, head, body) = get(at, "/readyz");
    assert_eq!(
        (status.as_str(), body.as_str()),
        ("200", "{\"ready\":true,\"unready\":[]}\n")
    );
    assert!(head.contains("content-type: application/json"), "{head}");
    for path in [
        "/",
        "/metrics/",
        "/metrics/..",
        "/debug/pprof",
        "//metrics",
        "/Metrics",
    ] {
        assert_eq!(get(at, path).0, "404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let answer = asked(
            at,
            &format!("{method} /metrics HTTP/1.1\r\nhost: x\r\n\r\n"),
        );
        assert!(answer.starts_with("HTTP/1.1 405 "), "{method}: {answer}");
        assert!(
            answer
                .to_ascii_lowercase()
                .contains("\r\nallow: get, head\r\n"),
            "{answer}"
        );
    }
    let head = asked(at, "HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    let (head, body) = head.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 ") && body.is_empty(),
        "{head}{body}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_much_too_long_or_too_slowly_is_dropped_and_no_session_suffers() {
    let (program, device) = scene("");
    let at = program.metrics.unwrap();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;

    // A head as long as is taken, and one past it.
    let start = "GET /healthz HTTP/1.1\r\nhost: x\r\nx: ";
    let fill = HEAD_BYTES_MAX / 2;
    let fits = asked(at, &format!("{start}{}\r\n\r\n", "x".repeat(fill)));
    assert!(fits.starts_with("HTTP/1.1 200 "), "{fits}");
    let past = HEAD_BYTES_MAX + 1 - start.len();
    let long = asked(at, &format!("{start}{}", "x".repeat(past)));
    assert!(!long.contains(" 200 "), "{long}");

    // As many silent ones as are served, and one past them.
    let silent: Vec<_> = (0..CONNECTIONS_MAX).map(|_| dialled(at)).collect();
    let mut one_more = dialled(at);
    drop(one_more.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"));
    assert_eq!(rest(one_more), "", "it was served");
    assert_eq!(
        peer.list("/").await.unwrap().len(),
        3,
        "a session is served meanwhile"
    );

    // Slow ones, a byte now and then, are ended all the same.
    let slow = std::thread::spawn(move || {
        for mut stream in silent {
            drop(stream.write_all(b"G"));
            assert!(!rest(stream).contains(" 200 "));
        }
    });
    slow.join().unwrap();
    wait_until(|| asked(at, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").contains(" 200 "));
    const { assert!(HEAD_TIME_MAX.as_secs() < 60) };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_store_is_alive_and_not_ready_until_it_can_again() {
    let (program, _device) = scene("");
    let at = program.metrics.unwrap();
    let spool = program.path("sluis/data/spool");
    let aside = program.path("aside");
    std::fs::rename(&spool, &aside).unwrap();

    wait_until(|| get(at, "/readyz").0 == "503");

    let (_, _, body) = get(at, "/readyz");
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["ready"], false);
    assert_eq!(told["unready"][0]["part"], "blob_writes", "{told}");
    assert_eq!(get(at, "/healthz").0, "200");
    wait_for(&program, &["sluis_ready 0"]);
    std::fs::rename(&aside, &spool).unwrap();
    wait_until(|| get(at, "/readyz").0 == "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_says_so_and_waits_for_whoever_reads_but_not_for_ever() {
    let (mut program, device) = scene("");
    program.ingest(&[invoice("F-1", 2000)]);
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    let names = peer.list(INBOX).await.unwrap();
    let _open = peer.open(&format!("{INBOX}/{}", names[0])).await.unwrap();
    let at = program.metrics.unwrap();
    assert_eq!(get(at, "/readyz").0, "200");

    program.signal("TERM");

    // As long as the file is open there is somebody to answer.
    let mut told = String::new();
    wait_until(|| {
        let (status, _, body) = get(at, "/readyz");
        told = body;
        status == "503"
    });
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["unready"][0]["part"], "server", "{told}");
    // It is never closed: what is waited here is many times what the server waits.
    const { assert!(DRAIN.as_secs() <= 20) };
    assert_eq!(program.ended(), Some(0));
    assert!(program.log_says("Ended while documents were still being read"));
    assert_eq!(program.states(), ["offered"]);
}

/// Every name of a metric in a text, `_bucket` and the like apart.
fn names_in(text: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c| !is_of_name(c));
    let words = words.filter(|word| word.starts_with("sluis_") || word.starts_with("process_"));
    let bare = |word: &str| {
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| word.strip_suffix(end));
        base.unwrap_or(word).to_owned()
    };
    words.map(bare).collect()
}

fn all_names() -> BTreeSet<String> {
    METRICS
        .iter()
        .map(|metric| metric.name.to_owned())
        .collect()
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_what_there_is() {
    let dashboard = std::fs::read_to_string(in_repository("config/grafana/sluis.json")).unwrap();
    let rules =
        std::fs::read_to_string(in_repository("config/prometheus/sluis.rules.yml")).unwrap();
    let parsed: Value = serde_json::from_str(&dashboard).unwrap();

    // What Grafana wants of a dashboard, and of a panel.
    assert!(parsed["schemaVersion"].as_u64().unwrap() >= 36);
    for key in ["title", "uid", "time", "templating", "annotations"] {
        assert!(!parsed[key].is_null(), "{key}");
    }
    let panels = parsed["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels.len());
    let mut asked = BTreeSet::new();
    for panel in panels {
        let place = &panel["gridPos"];
        let (x, w) = (place["x"].as_u64().unwrap(), place["w"].as_u64().unwrap());
        assert!(x + w <= 24 && place["h"].as_u64().unwrap() > 0, "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            assert!(target["refId"].is_string() && target["datasource"]["type"] == "prometheus");
            asked.extend(names_in(target["expr"].as_str().unwrap()));
        }
    }
    assert_eq!(asked.difference(&all_names()).count(), 0, "{asked:?}");
    // All that there is, but whether the catalog answers, is shown.
    let unseen: Vec<_> = all_names().difference(&asked).cloned().collect();
    assert_eq!(unseen, ["sluis_catalog_up"]);
    let ruled: BTreeSet<_> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr:"))
        .flat_map(names_in)
        .collect();
    assert!(ruled.len() > 5);
    assert_eq!(ruled.difference(&all_names()).count(), 0, "{ruled:?}");
    if let Some(promtool) = promtool() {
        let folder = tempfile::tempdir().unwrap();
        let asked = folder.path().join("dashboard.json");
        std::fs::write(&asked, as_rules(panels).to_string()).unwrap();
        for file in [in_repository("config/prometheus/sluis.rules.yml"), asked] {
            let judged = Command::new(&promtool)
                .args(["check", "rules"])
                .arg(file)
                .output()
                .unwrap();
            let why = String::from_utf8_lossy(&judged.stderr);
            assert!(judged.status.success(), "{why}");
        }
    }
}

/// What the panels of a dashboard ask, as rules that Prometheus can judge, with something chosen.
fn as_rules(panels: &[Value]) -> Value {
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let asked = targets.map(|target| target["expr"].as_str().unwrap());
    let rules = asked.enumerate().map(|(at, asked)| {
        let asked = asked
            .replace("$__rate_interval", "1m")
            .replace("$instance", "sluis:9464")
            .replace("$job", "sluis");
        assert!(!asked.contains('$'), "{asked}");
        serde_json::json!({ "record": format!("asked:{at}"), "expr": asked })
    });
    let rules: Vec<_> = rules.collect();
    serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] })
}

#[test]
fn every_metric_stands_in_the_manual_with_its_meaning() {
    let manual = std::fs::read_to_string(in_repository("docs/operations.md")).unwrap();
    let rows: Vec<_> = manual
        .lines()
        .filter(|line| line.starts_with("| `sluis_") || line.starts_with("| `process_"))
        .collect();

    for Metric { name, kind, .. } in METRICS {
        let head = format!("| `{name}` | {kind} |");
        assert_eq!(
            rows.iter().filter(|row| row.starts_with(&head)).count(),
            1,
            "{head}"
        );
    }
    assert_eq!(rows.len(), METRICS.len());
}

/// What must not stand in a log: a party's name, an account, a number, and what proves who somebody is.
const SECRETS: [&str; 9] = [
    "Zilverspar",
    "Kwartelhof",
    "BE71096123456769",
    "F-GEHEIM-17",
    "Roodborst",
    "wachtwoord-Winterkoning",
    "pad-Goudvink",
    "Boomklever",
    "Kruisbek",
];

/// An invoice with names and an account that are found again wherever they are.
fn telling_invoice(extra: &str) -> Vec<u8> {
    let text = String::from_utf8(invoice_between(MILL, BAKERY, "F-GEHEIM-17", 1500)).unwrap();
    let text = text
        .replace("Onderneming 0451827384", "Zilverspar BV")
        .replace("Onderneming 0771234528", "Kwartelhof BV");
    let account = "<!--x--><cbc:Note>BE71096123456769 Roodborst</cbc:Note>";
    text.replace(
        "<cbc:DocumentCurrencyCode>",
        &format!("{account}{extra}<cbc:DocumentCurrencyCode>"),
    )
    .into_bytes()
}

/// Has its server log all that it can.
fn log_everything(program: &Program, format: &str) {
    let file = program.path("sluis/sluis.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text
        .replace("level = \"info\"", "level = \"trace\"")
        .replace("format = \"text\"", &format!("format = \"{format}\""));
    std::fs::write(&file, text).unwrap();
    configure(
        program,
        "[webhooks]\nallow = [\"127.0.0.1\"]\n[drop]\nsettle_ms = 500\nrescan_seconds = 1\n[metrics]\nlisten = \"127.0.0.1:0\"\n",
    );
}

/// Logins that are refused, and one that is not.
async fn knock(address: SocketAddr, password: &str) {
    // Names that would forge a line, or steer a terminal.
    let hostile = "x\nERROR forged \u{1b}[2J\r\u{202e}";
    assert!(!is_let_in(address, hostile).await);
    assert!(
        !says_password(
            address,
            "wachtwoord-Winterkoning",
            "wachtwoord-Winterkoning"
        )
        .await
    );
    assert!(!says_password(address, "kantoor.pc", "wachtwoord-Winterkoning").await);
    assert!(says_password(address, "kantoor.pc", password).await);
}

/// What a device puts in, asks for and fetches, by names that must not be told.
async fn put_and_fetch(peer: &Peer) {
    peer.put("/in/Zilverspar F-GEHEIM-17.xml", &telling_invoice(""))
        .await
        .unwrap();
    peer.put("/in/Kruisbek.xml", b"<Invoice>Zilverspar Roodborst")
        .await
        .ok();
    peer.put("/in/x\nforged.xml", b"x").await.ok();
    peer.put("/in/Kruisbek\u{202e}.xml", b"").await.ok();
    peer.remove("/rejected/Kruisbek.xml").await.ok();
    drop(peer.open("/in/Kwartelhof/nowhere.xml").await);
    drop(peer.open("/expertm/Kruisbek/F.xml").await);
    for name in peer.list(INBOX).await.unwrap() {
        peer.get(&format!("{INBOX}/{name}")).await.unwrap();
        peer.remove(&format!("{INBOX}/{name}")).await.ok();
    }
    for line in [
        "md5sum /in/Kruisbek.xml",
        "Kruisbek /in/Zilverspar\nforged",
        "cat /in/Kruisbek.xml",
    ] {
        let channel = peer.ssh.channel_open_session().await.unwrap();
        channel.exec(true, line).await.unwrap();
    }
}

/// A story through every door, at the log level that tells most; returns the log.
async fn whole_story(format: &str) -> (String, Vec<String>) {
    let receiver = Receiver::start().await;
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    let mounted = program.device("shared", "mount", "SHARED");
    let made = program.ok(&[
        "device",
        "add",
        "kantoor",
        "pc",
        "--kind",
        "pull",
        "--password",
    ]);
    let password = made
        .split_whitespace()
        .max_by_key(|word| word.len())
        .unwrap()
        .to_owned();
    log_everything(&program, format);
    let url = format!("http://{}/pad-Goudvink?token=Boomklever", receiver.address);
    let hook = program.json(&["webhook", "add", "kantoor", &url]).remove(0);
    let secret = hook["secret"].as_str().unwrap().to_owned();
    // Nobody knows whose it is, so it waits, and each start looks at it; what was read of it is damaged.
    let waits = String::from_utf8(telling_invoice("<!--waits-->")).unwrap();
    program.ingest(&[waits.replace(BAKERY, "0239843188").into_bytes()]);
    let damage = "update document set reading = 'x' || reading";
    tamper_with(&program.path("sluis/data/catalog.sqlite"), damage).await;
    program.serve();
    let address = program.address.unwrap();

    knock(address, &password).await;
    let peer = Peer::connect(address, &device.login).await;
    put_and_fetch(&peer).await;
    let mount = Peer::connect(address, &mounted.login).await;
    mount
        .put(
            "/expertm/SHARED/Verwerkt/Aankopen/Kruisbek.xml",
            b"Zilverspar",
        )
        .await
        .ok();
    let dropped = program.path("sluis/data/drop/kantoor");
    std::fs::create_dir_all(dropped.join("Kruisbek")).unwrap();
    std::fs::write(
        dropped.join("Kruisbek/Zilverspar.xml"),
        telling_invoice("<!--dropped-->"),
    )
    .unwrap();
    std::fs::write(
        dropped.join("Kwartelhof\u{1b}[2J\n.xml"),
        "no xml Roodborst",
    )
    .unwrap();
    wait_until(|| {
        program.log_says(" dropped files of firm") && program.log_says("Rejected a dropped file")
    });
    wait_until(|| receiver.seen().len() > 2);
    page(&program);
    peer.leave().await;
    drop(mount);
    assert_eq!(program.terminate(), Some(0));
    wait_until(|| program.log_says("Ended"));
    (program.log(), vec![password, secret])
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_line_holds_a_party_a_file_or_a_secret_and_none_is_broken_by_a_peer() {
    for format in ["text", "json"] {
        let (log, made) = whole_story(format).await;

        for secret in SECRETS
            .iter()
            .copied()
            .chain(made.iter().map(String::as_str))
        {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "`{secret}` stands in the log");
        }
        for name in [BAKERY, MILL] {
            let line = log.lines().find(|line| line.contains(name));
            assert_eq!(line, None, "`{name}` stands in the log");
        }
        assert!(
            log.contains("as a reading, which is no such thing"),
            "{log}"
        );
        assert!(log.contains("Refused a login as #"), "{log}");
        assert!(log.contains("Refused a login as `kantoor.pc`"), "{log}");
        for line in log.lines() {
            let steers = |c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{2028}');
            assert!(!line.contains(steers), "{line:?}");
            if format == "json" {
                assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
            } else {
                assert!(
                    line.starts_with("20"),
                    "a line begins with its time: {line}"
                );
            }
        }
        assert!(log.lines().count() > 20, "{log}");
    }
}

/// Every deed, as `who command`, and whether it told events.
fn deeds(program: &Program) -> Vec<(String, bool)> {
    let rows = program.json(&["deeds"]);
    rows.iter()
        .map(|row| {
            assert!(row["who"].as_str().unwrap().contains("(uid "), "{row}");
            let command = row["command"].as_str().unwrap().to_owned();
            (command, row["first_event"].is_i64())
        })
        .collect()
}

/// Commands that change something, and whether they tell events. Words in capitals are put in.
const CHANGES: &[(&str, bool)] = &[
    ("init DATA", false),
    ("firm add other --name Other", true),
    ("firm set kantoor --keep-in-view 90d", true),
    ("firm set kantoor --name Kantoor --language fr", true),
    ("firm remove other", false),
    ("dossier add kantoor --name Molens --id 0451827384", true),
    ("link add kantoor Molens --profile expertm --code MOL", true),
    ("dossier set kantoor Molens --add-id BE0477472701", true),
    ("link remove kantoor MOL", true),
    ("dossier remove kantoor Molens", true),
    ("device add kantoor pc --kind pull --password", true),
    ("device set kantoor pc --uploads on", true),
    ("device default kantoor pc", true),
    ("device key add kantoor pc --key KEY", true),
    ("device key set kantoor pc FINGERPRINT --expires 90d", true),
    ("device key remove kantoor pc FINGERPRINT", true),
    ("device set kantoor pc --from 192.0.2.0/24", true),
    ("device set kantoor pc --password", true),
    ("device disable kantoor pc --reason moving", true),
    ("device enable kantoor pc", true),
    ("link set kantoor ACME --transfer manual", true),
    ("ingest kantoor DOCUMENT", true),
    ("hold kantoor F-3 --reason wait", true),
    ("send kantoor F-3", true),
    ("withdraw kantoor F-1", true),
    ("resend kantoor F-2 --reason lost", true),
    (
        "webhook add kantoor http://127.0.0.1:1/s3cret-path?k=s3cret",
        true,
    ),
    ("webhook show kantoor 1 --secret", false),
    (UNANSWERED, false),
    (WITH_A_DEAD_LETTER, false),
    ("webhook pause kantoor 1", true),
    ("webhook resume kantoor 1", true),
    ("webhook remove kantoor 1", true),
    ("approve kantoor F-2", true),
    ("ingest kantoor NEWER", true),
    ("replace kantoor d5", true),
    ("dossier add kantoor --name Molens --id 0451827384", true),
    ("link add kantoor Molens --profile expertm --code MOL", true),
    ("reclassify kantoor F-3 --as sale --reason ours", true),
    (
        "move kantoor F-2 --dossier Molens --as sale --reason theirs",
        true,
    ),
    ("retention hold kantoor --all --reason court", true),
    ("retention release kantoor 1 --reason over", true),
    (
        "firm set kantoor --keep-in-view 1d --keep-documents 1d",
        true,
    ),
    (AFTER_YEARS, true),
    ("penalties lift 192.0.2.1", false),
    ("apply PLAN", true),
    ("backup BACKUP", false),
    ("device add kantoor spare --kind pull --password", true),
    ("device remove kantoor spare", true),
];

/// Nobody listens there: it fails, and is a deed all the same.
const UNANSWERED: &str = "webhook test kantoor 1";

/// A letter is given up before it.
const WITH_A_DEAD_LETTER: &str = "webhook retry kantoor";

/// All documents are old before it.
const AFTER_YEARS: &str = "retention run kantoor --unread";

const READS: [&str; 23] = [
    "status",
    "check",
    "documents",
    "deliveries",
    "events",
    "events verify",
    "events replay",
    "receipt kantoor F-1",
    "firm list",
    "firm show kantoor",
    "device list kantoor",
    "device show kantoor server",
    "device key list kantoor server",
    "doctor",
    "webhook list kantoor",
    "retention show",
    "retention run --dry-run",
    "penalties",
    "fsck",
    "export kantoor",
    "explain kantoor F-1",
    "show kantoor F-3",
    "apply --dry-run PLAN",
];

#[test]
fn whatever_a_command_changes_is_a_deed_and_what_only_reads_is_none() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 2000), invoice("F-2", 2000)]);
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    let public = key.public_key().to_openssh().unwrap();
    std::fs::write(program.path("KEY"), public).unwrap();
    std::fs::write(program.path("DOCUMENT"), invoice("F-3", 2000)).unwrap();
    std::fs::write(program.path("NEWER"), invoice("F-1", 2001)).unwrap();
    configure(&program, "[webhooks]\nallow = [\"127.0.0.1\"]");
    std::fs::write(program.path("PLAN"), program.ok(&["export", "kantoor"])).unwrap();
    let words = |line: &str| -> Vec<String> {
        let put_in = |word: &str| match word {
            "FINGERPRINT" => key.fingerprint(russh::keys::HashAlg::Sha256).to_string(),
            "KEY" | "DOCUMENT" | "NEWER" | "UNREADABLE" | "PLAN" | "BACKUP" => {
                program.path(word).display().to_string()
            }
            "DATA" => program.path("sluis").display().to_string(),
            word => word.to_owned(),
        };
        line.split(' ').map(put_in).collect()
    };
    let run = |line: &str| {
        let words = words(line);
        program.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };

    // It has no delivery, and expires by its own age.
    std::fs::write(program.path("UNREADABLE"), "no invoice").unwrap();
    run("ingest kantoor UNREADABLE");
    let mut noted = deeds(&program).len();
    for (line, tells) in CHANGES {
        match *line {
            WITH_A_DEAD_LETTER => drop(program.query(
                "insert into letter (webhook_id, seq, lane, state, attempts, due_at, error)
                 values (1, 1, 0, 'dead', 20, 0, '') returning id",
            )),
            AFTER_YEARS => drop(
                program.query("update document set received_at = 1, again_at = null returning id"),
            ),
            _ => {}
        }
        let done = run(&format!("{line} --json"));
        let said = String::from_utf8(done.stdout.clone()).unwrap();
        for one in said.lines() {
            let told = serde_json::from_str::<Value>(one);
            assert!(told.is_ok_and(|told| told.is_object()), "{line}: {one}");
        }
        let why = [done.stdout, done.stderr].concat();
        let why = String::from_utf8_lossy(&why);
        assert_eq!(done.status.success(), *line != UNANSWERED, "{line}: {why}");
        let all = deeds(&program);
        let own = &all[noted..];
        assert!(!own.is_empty(), "`{line}` is no deed");
        assert!(own.iter().all(|(command, _)| command.starts_with("sluis ")));
        let told = own.iter().any(|(_, told)| *told);
        assert_eq!(told, *tells, "{line}: {own:?}");
        noted = all.len();
    }
    for line in READS {
        run(line);
        assert_eq!(deeds(&program).len(), noted, "`{line}` is a deed");
    }
    let refused = run("firm add kantoor --name again");
    assert!(!refused.status.success());
    let all = deeds(&program);
    assert_eq!(all.len(), noted, "what was refused is no deed");
    let secret = all.iter().find(|(command, _)| command.contains("s3cret"));
    assert_eq!(secret, None);
}

#[test]
fn a_backup_that_is_brought_back_says_who_did_it() {
    let program = Program::init();
    let path = |name: &str| program.path(name).to_str().unwrap().to_owned();
    program.ok(&["backup", &path("backup")]);

    program.ok(&["restore", &path("backup"), &path("back")]);

    let restored = program.json(&["deeds", "--config", &path("back/sluis.toml")]);
    let last = restored.last().unwrap()["command"].as_str().unwrap();
    assert!(last.starts_with("sluis restore "), "{last}");
}

#[test]
fn a_deed_that_somebody_has_changed_shows() {
    let program = Program::init();
    assert!(program.run(&["deeds"]).status.success());

    program.query("update deed set who = 'nobody (uid 65534)' where seq = 2");

    let shown = program.run(&["deeds"]);
    assert_eq!(shown.status.code(), Some(1));
    let why = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(why.contains("deed 2 is not as it was noted"), "{why}");
}

#[test]
fn deeds_of_years_are_listed_and_followed_page_by_page() {
    const MORE: i64 = 2100; // three pages, the last one begun
    let program = Program::init();
    let begin = program.json(&["deeds"]);
    let last = begin.last().unwrap();
    let (seq, hash) = (last["seq"].as_i64().unwrap(), last["hash"].as_str());
    let mut hash = hash.unwrap().to_owned();
    let rows = (seq + 1..=seq + MORE).map(|seq| {
        let deed = Deed {
            seq,
            at: Timestamp(seq),
            who: "root (uid 0)".to_owned(),
            command: "sluis retention run".to_owned(),
            told: None,
        };
        hash = deed_hash(&hash, &deed);
        format!(
            "({seq}, {seq}, '{}', '{}', '{hash}')",
            deed.who, deed.command
        )
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    program.query(&format!(
        "insert into deed (seq, at, who, command, hash) values {rows}"
    ));

    let shown = program.json(&["deeds"]);
    let seqs: Vec<_> = shown.iter().filter_map(|row| row["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=seq + MORE).collect::<Vec<_>>());

    program.query("update deed set at = 0 where seq = 2050");
    let shown = program.run(&["deeds"]);
    assert_eq!(shown.status.code(), Some(1));
    let why = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(why.contains("deed 2050 is not as it was noted"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_devices_do_is_no_deed_of_anybody() {
    let (program, device) = scene("");
    let before = deeds(&program).len();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;

    peer.put("/in/F-1.xml", &invoice("F-1", 2000))
        .await
        .unwrap();
    for name in peer.list(INBOX).await.unwrap() {
        peer.get(&format!("{INBOX}/{name}")).await.unwrap();
    }

    assert_eq!(deeds(&program).len(), before);
    assert_eq!(program.events("collected"), 1);
}

#[test]
fn a_reload_is_a_deed_of_the_service_with_the_keys_that_changed() {
    let (program, _device) = scene("");
    let more = "[uploads]\nfile_bytes_max = 4000\n[drop]\nsettle_ms = 500\n";
    configure(&program, more);

    program.signal("HUP");
    wait_until(|| program.log_says("Reloaded "));

    let last = deeds(&program).pop().unwrap();
    assert_eq!(
        last,
        (
            "reload: drop.settle_ms, uploads.file_bytes_max".to_owned(),
            false
        )
    );
    let rows = program.json(&["deeds"]);
    let who = rows.last().unwrap()["who"].as_str().unwrap();
    assert!(who.ends_with("the service itself"), "{who}");
    let before = rows.len();
    // What does not count is none.
    let file = program.path("sluis/sluis.toml");
    let good = std::fs::read(&file).unwrap();
    configure(&program, "nothing = such\n");
    program.signal("HUP");
    wait_until(|| program.log_says("Did not reload"));
    std::fs::write(&file, good).unwrap();
    assert_eq!(deeds(&program).len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_bytes_are_gone_makes_the_server_unready_until_they_come_again() {
    let (program, device) = scene("");
    let at = program.metrics.unwrap();
    let lost = invoice("F-1", 2000);
    program.ingest(std::slice::from_ref(&lost));
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    program.ingest(&[invoice("F-2", 2000)]);
    let digest = Digest::of(&lost).to_string();
    let blobs = program.path("sluis/data/blobs");
    std::fs::remove_file(blobs.join(&digest[..2]).join(&digest)).unwrap();

    let got = peer.get(&format!("{INBOX}/{name}")).await;

    assert_eq!(got, Err(StatusCode::Failure));
    let (status, _, body) = get(at, "/readyz");
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&*status, &told["unready"][0]["part"]),
        ("503", &"blob_reads".into())
    );
    assert!(
        told["unready"][0]["why"].to_string().contains(&digest),
        "{told}"
    );
    assert_eq!(get(at, "/healthz").0, "200");
    // The others are served as ever.
    let others = peer.list(INBOX).await.unwrap();
    let other = others.iter().find(|&it| *it != name).unwrap();
    peer.get(&format!("{INBOX}/{other}")).await.unwrap();
    program.ingest(std::slice::from_ref(&lost));
    wait_until(|| get(at, "/readyz").0 == "200");
    assert_eq!(peer.get(&format!("{INBOX}/{name}")).await, Ok(lost));
}
