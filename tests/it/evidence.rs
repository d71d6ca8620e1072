//! What can be proven afterwards, and is it found when somebody has changed it?

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use russh::keys::HashAlg;
use serde_json::Value;
use sluis::audit;
use sluis::evidence::chain::Misfit;
use sluis::model::{DeliveryId, DeviceKind, Digest, EventKind, EventSeq, Transfer};

use crate::clients::installed;
use crate::gateway::{Gateway, MILL, invoice};
use crate::peer::Peer;
use crate::program::{Device, Program};

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";

/// A running server, a device, and these documents waiting for it.
fn waiting(kind: &str, documents: &[Vec<u8>]) -> (Program, Device) {
    let mut program = Program::init();
    let device = program.device("server", kind, "ACME");
    program.ingest(documents);
    program.serve();
    (program, device)
}

async fn connect(program: &Program, device: &Device) -> Peer {
    Peer::connect(program.address.unwrap(), &device.login).await
}

/// Changes the catalog as no command does; on a thread of its own, for this one drives the story.
fn behind(program: &Program, statement: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| program.query(statement));
    });
}

/// The receipts of a document, as they are signed, and what they say.
fn receipts(program: &Program, what: &str) -> Vec<(Value, Value)> {
    let signed = program.json(&["receipt", "kantoor", what]).into_iter();
    let said = |signed: &Value| serde_json::from_str(signed["receipt"].as_str().unwrap()).unwrap();
    signed
        .map(|signed| (signed.clone(), said(&signed)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_read_and_removed_has_a_receipt_that_says_how() {
    let bytes = invoice("F-0", 40_000);
    let (program, device) = waiting("pull", std::slice::from_ref(&bytes));
    let peer = connect(&program, &device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    let path = format!("{INBOX}/{name}");
    peer.get(&path).await.unwrap();

    let read = receipts(&program, "F-0").remove(0).1;
    peer.remove(&path).await.unwrap();
    let removed = receipts(&program, "d1").remove(0).1;

    assert_eq!(
        (&read["sure"], &read["processed"]),
        (&"read".into(), &Value::Null)
    );
    assert_eq!(removed["sure"], "acknowledged");
    assert_eq!(removed["processed"]["act"], "removed");
    for said in [&read, &removed] {
        let digest = Digest::of(&bytes).to_string();
        assert_eq!(said["document"]["sha256"], *digest);
        assert_eq!(said["delivery"]["sha256"], *digest);
        assert_eq!(said["document"]["bytes"], bytes.len());
        assert_eq!(said["document"]["number"], "F-0");
        assert_eq!(said["document"]["kind"], "invoice");
        let named = said["text"][2].as_str().unwrap();
        assert!(named.starts_with("document: factuur F-0"), "{named}");
        assert_eq!(said["delivery"]["path"], *path);
        assert_eq!(said["device"], "server");
        let whole = serde_json::json!([[0, bytes.len()]]);
        assert_eq!(said["reads"]["spans"], whole);
        let at = |which: &str| said["reads"][which].as_str().unwrap().to_owned();
        assert!(at("opened_at") <= at("first_byte_at"));
        assert!(at("first_byte_at") <= at("last_byte_at"));
        assert!(at("last_byte_at").as_str() <= said["collected"]["at"].as_str().unwrap());
        let session = &said["collected"]["session"];
        let key = device.login.key.public_key().fingerprint(HashAlg::Sha256);
        assert_eq!(session["credential"], *key.to_string());
        let address = session["address"].as_str().unwrap();
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        assert!(
            session["software"]
                .as_str()
                .unwrap()
                .starts_with("SSH-2.0-")
        );
        assert_eq!(said["text"][0], "ONTVANGSTBEVESTIGING");
    }
    let events = program.json(&["events", "kantoor"]);
    let told = events.iter().find(|event| event["kind"] == "collected");
    assert_eq!(removed["collected"]["event_hash"], told.unwrap()["hash"]);
    let text = program.ok(&["receipt", "kantoor", "F-0"]);
    assert!(text.starts_with("ONTVANGSTBEVESTIGING\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_an_importer_moved_unread_is_acknowledged_and_one_that_waits_has_no_receipt()
 {
    let documents = [invoice("F-0", 2000), invoice("F-1", 2000)];
    let (program, device) = waiting("mount", &documents);
    let peer = connect(&program, &device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    let done = "/expertm/ACME/Verwerkt/Aankopen/geboekt.xml";

    peer.rename(&format!("{INBOX}/{name}"), done).await.unwrap();

    let said = receipts(&program, "F-0").remove(0).1;
    assert_eq!(said["sure"], "acknowledged");
    assert_eq!(said["collected"]["act"], "moved");
    assert_eq!(said["reads"], Value::Null);
    let none = program.run(&["receipt", "kantoor", "F-1"]);
    assert_eq!(none.status.code(), Some(1));
    let why = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(why.contains("nobody has collected `F-1`"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_checked_by_us_and_by_openssh_and_a_changed_byte_is_found() {
    let (mut program, device) = waiting("pull", &[invoice("F-0", 2000)]);
    let peer = connect(&program, &device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    peer.get(&format!("{INBOX}/{name}")).await.unwrap();
    program.terminate();
    let (signed, said) = receipts(&program, "F-0").remove(0);
    let file = program.path("receipt.json");
    let public = program.path("sluis/data/host-keys/ssh_host_ed25519_key.pub");
    let other = program.path("server.pub");
    let at = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let verify = |more: &[&str]| {
        let file = at(&file);
        program.run(&[&["receipt", "verify", &file], more].concat())
    };

    std::fs::write(&file, signed.to_string()).unwrap();
    assert_eq!(verify(&[]).status.code(), Some(0));
    assert_eq!(verify(&["--key", &at(&public)]).status.code(), Some(0));
    assert_eq!(verify(&["--key", &at(&other)]).status.code(), Some(1));
    let mut altered = signed.clone();
    let text = signed["receipt"].as_str().unwrap();
    altered["receipt"] = text
        .replace("\"sure\":\"read\"", "\"sure\":\"verified\"")
        .into();
    assert_ne!(altered, signed);
    std::fs::write(&file, altered.to_string()).unwrap();
    let refused = verify(&["--json"]);
    assert_eq!(refused.status.code(), Some(1));
    let line: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(line["ok"], false);

    std::fs::write(&file, format!("{signed}\nno receipt\n")).unwrap();
    assert_eq!(verify(&[]).status.code(), Some(1), "one of two is not good");
    let sparse = std::fs::File::create(&file).unwrap();
    sparse.set_len(32 * 1024 * 1024 + 1).unwrap();
    let large = verify(&[]);
    let why = String::from_utf8_lossy(&large.stderr).into_owned();
    assert!(why.contains("is larger than"), "{why}");
    if installed("ssh-keygen") {
        assert!(openssh_verifies(&program, &signed));
        assert!(!openssh_verifies(&program, &altered));
    }
    let known = format!(
        "{}:{}",
        said["collected"]["event"], said["collected"]["event_hash"]
    );
    let known = known.replace('"', "");
    program.ok(&["events", "verify", "kantoor", "--known", &known]);
}

/// Checks a receipt as somebody does who has OpenSSH, and the public host key.
fn openssh_verifies(program: &Program, signed: &Value) -> bool {
    let (signers, signature) = (program.path("signers"), program.path("receipt.sig"));
    let public = program.path("sluis/data/host-keys/ssh_host_ed25519_key.pub");
    let public = std::fs::read_to_string(public).unwrap();
    std::fs::write(&signers, format!("sluis {public}")).unwrap();
    std::fs::write(&signature, signed["signature"].as_str().unwrap()).unwrap();
    let mut check = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-I", "sluis", "-n", "receipt@sluis", "-f"])
        .arg(signers)
        .arg("-s")
        .arg(signature)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut text = check.stdin.take().unwrap();
    text.write_all(signed["receipt"].as_str().unwrap().as_bytes())
        .unwrap();
    drop(text);
    check.wait().unwrap().success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_changed_is_found_and_no_receipt_is_made_of_it() {
    let (mut program, device) = waiting("pull", &[invoice("F-0", 2000), invoice("F-1", 2000)]);
    let peer = connect(&program, &device).await;
    for name in peer.list(INBOX).await.unwrap() {
        peer.get(&format!("{INBOX}/{name}")).await.unwrap();
    }
    program.terminate();
    let good = program.json(&["events", "verify", "kantoor"]).remove(0);
    assert_eq!(good["ok"], true);
    let first = program.json(&["events", "kantoor"]);
    let first = first.iter().find(|event| event["kind"] == "collected");
    let first = first.unwrap()["seq"].as_i64().unwrap();

    behind(
        &program,
        &format!("update event set at = at - 86400000 where seq = {first}"),
    );

    let bad = program.run(&["events", "verify", "kantoor", "--json"]);
    assert_eq!(bad.status.code(), Some(1));
    let line: Value = serde_json::from_slice(&bad.stdout).unwrap();
    assert_eq!(
        (&line["misfit"]["event"], &line["misfit"]["wrong"]),
        (&first.into(), &"changed".into())
    );
    let refused = program.run(&["receipt", "kantoor", "F-0"]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains(&format!("event {first}")), "{why}");

    behind(
        &program,
        &format!("update event set at = at + 86400000 where seq = {first}"),
    );
    program.ok(&["events", "verify", "kantoor"]);
    program.ok(&["receipt", "kantoor", "F-0"]);
    behind(
        &program,
        "update session set address = 'x' || address where id = 1",
    );
    let refused = program.run(&["receipt", "kantoor", "F-0"]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("tells another session"), "{why}");
    let last = good["last"].as_i64().unwrap();
    behind(&program, &format!("delete from event where seq = {last}"));
    let cut = program.run(&["events", "verify"]);
    assert_eq!(cut.status.code(), Some(1));
    let text = String::from_utf8_lossy(&cut.stdout).into_owned();
    assert_eq!(text, format!("kantoor: event {last} is missing\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_changed_behind_the_events_is_found() {
    let (mut program, _) = waiting("pull", &[invoice("F-0", 2000), invoice("F-1", 2000)]);
    program.terminate();
    program.ok(&["events", "replay"]);

    behind(
        &program,
        "update delivery set state = 'collected', collected_at = 1000 where id = 2",
    );

    let found = program.run(&["events", "replay", "kantoor", "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let lines: Vec<Value> = String::from_utf8_lossy(&found.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let facts: Vec<_> = lines
        .iter()
        .map(|line| line["difference"].as_str())
        .collect();
    assert_eq!(facts, [Some("state"), Some("collected_at"), None]);
    assert_eq!(
        (&lines[0]["delivery"], &lines[0]["told"]),
        (&2.into(), &"offered".into())
    );
    assert_eq!(lines[2]["differences"], 2);
    program.ok(&["events", "verify"]); // the events themselves are whole
}

#[test]
fn who_follows_the_events_is_told_of_what_another_process_does() {
    let program = Program::init();
    let before = program.json(&["events", "kantoor"]).len();
    let after = before.to_string();
    let mut following = program
        .command(&["events", "kantoor", "--follow", "--json", "--after", &after])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };

    program.device("server", "pull", "ACME");
    let (device, link) = (next(), next());
    program.ingest(&[invoice("F-0", 2000)]);
    let (kept, offered) = (next(), next());

    let kinds = [&device, &link, &kept, &offered].map(|event| event["kind"].clone());
    assert_eq!(kinds, ["device_added", "link_added", "kept", "offered"]);
    assert_eq!(device["seq"], before + 1);
    Command::new("kill")
        .args(["-INT", &following.id().to_string()])
        .status()
        .unwrap();
    assert_eq!(following.wait().unwrap().code(), Some(0));
}

#[test]
fn who_hangs_up_on_the_events_ends_them() {
    let program = Program::init();
    let mut following = program
        .command(&["events", "kantoor", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("FIRM"));

    drop(lines);
    program.device("server", "pull", "ACME");

    assert_eq!(following.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_document_fetched_in_two_sessions_tells_what_the_last_handle_read() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let bytes = invoice("F-0", 60_000);
    gateway.receive(&office, bytes.clone()).await;
    let peer = gateway.connect(&device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    let path = format!("{INBOX}/{name}");
    let handle = peer.open(&path).await.unwrap();
    peer.read(&handle, 0, 20_000).await.unwrap();
    peer.close(&handle).await.unwrap();
    gateway.pass_ms(1000);
    let handle = peer.open(&path).await.unwrap();
    gateway.pass_ms(1000);
    peer.read(&handle, 20_000, 40_000).await.unwrap();
    gateway.pass_ms(1000);
    peer.read(&handle, 40_000, u64::MAX).await.unwrap();
    gateway.pass_ms(1000);
    let opened = gateway.now().plus_ms(-3000);

    peer.close(&handle).await.unwrap();

    let rows = gateway
        .house
        .catalog
        .events(office.firm, EventSeq(0), 100)
        .await
        .unwrap();
    let told = &rows.last().unwrap().event.detail;
    let told: Value = serde_json::from_str(told).unwrap();
    assert_eq!(
        told["reads"]["spans"],
        serde_json::json!([[20_000, bytes.len()]])
    );
    let times =
        ["opened", "first", "last"].map(|when| told["reads"][when].as_i64().unwrap() - opened.0);
    assert_eq!(times, [0, 1000, 2000]);
}

#[tokio::test]
async fn what_a_removed_link_held_is_told_again() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let (firm, dossier) = (office.firm, office.dossier);
    gateway
        .link_as(&office, dossier, "expertm", "ACME", None, Transfer::AtOnce)
        .await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    assert_eq!(gateway.deliveries(&office).await, ["- held (no_device)"]);
    let catalog = &gateway.house.catalog;
    let link = catalog.links(firm).await.unwrap().remove(0);

    catalog
        .remove_link(firm, &link, gateway.now())
        .await
        .unwrap();

    assert_eq!(gateway.deliveries(&office).await, ["- held (no_link)"]);
    assert_eq!(gateway.events(&office).await, ["kept", "held", "held"]);
}

#[tokio::test]
async fn an_event_that_was_cut_off_or_put_in_is_found() {
    use sqlx::Connection as _;
    let mut gateway = Gateway::start().await;
    gateway.tampered = true;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let catalog = gateway.house.catalog.clone();
    let verify = async || audit::verify(&catalog, office.firm, None).await.unwrap();
    let whole = verify().await;
    assert_eq!(whole.misfit, None);
    let file = format!("sqlite://{}", gateway.catalog_file().display());
    let mut other = sqlx::SqliteConnection::connect(&file).await.unwrap();

    let last = whole.last.0;
    let put = format!(
        "insert into event (firm_id, seq, at, kind, detail, hash) values ({}, {}, 1, 'kept', '', 'x')",
        office.firm,
        last + 1
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(put))
        .execute(&mut other)
        .await
        .unwrap();

    let seq = EventSeq(last + 1);
    assert_eq!(verify().await.misfit, Some(Misfit::Changed { seq }));
    let back = format!(
        "delete from event where seq >= {last}; update firm set event_seq = {last}, event_hash = '{}'",
        whole.hash
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(back))
        .execute(&mut other)
        .await
        .unwrap();
    let (first, last) = (EventSeq(last), EventSeq(last));
    assert_eq!(verify().await.misfit, Some(Misfit::Missing { first, last }));
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_new_generation_tells_after_which_delivery_it_comes() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let (house, firm) = (&gateway.house, office.firm);

    let resend = house
        .sending
        .resend(firm, DeliveryId(1), "lost: twice", gateway.now());
    resend.await.unwrap();

    let rows = house.catalog.events(firm, EventSeq(0), 100).await.unwrap();
    let told = rows
        .iter()
        .find(|row| row.event.kind == EventKind::Resent)
        .unwrap();
    assert_eq!(told.event.detail, "generation 2 after d1: lost: twice");
}

/// A walk over everything that moves a delivery; the gateway checks at its end that events and tables agree,
/// and here after each step.
#[tokio::test]
async fn whatever_is_done_in_whatever_order_the_events_lead_to_the_tables() {
    let mut told = BTreeSet::new();
    for seed in 0..4 {
        told.extend(walk(seed).await);
    }

    let moves = "collected held kept offered processed read released resent withdrawn";
    let told: Vec<_> = told.iter().map(String::as_str).collect();
    assert_eq!(told.join(" "), moves, "the walk went everywhere");
}

async fn walk(seed: u64) -> Vec<String> {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let mount = gateway.device(&office, "mount", DeviceKind::Mount).await;
    let mill = gateway.dossier(&office, "Molens", &[MILL]).await; // the seller; its link sends by hand
    let (by_hand, id) = (Transfer::Manual, Some(mount.id));
    gateway
        .link_as(&office, mill, "expertm", "MOLEN", id, by_hand)
        .await;
    let (house, firm) = (&gateway.house, office.firm);
    let mut random = Random(seed);
    for step in 0..40 {
        gateway.pass_ms(1000);
        let now = gateway.now();
        let rows = house.catalog.delivery_rows(firm, 0, 1000).await.unwrap();
        let id = match rows.len() {
            0 => DeliveryId(0),
            many => rows[random.below(many)].delivery.id,
        };
        // Most of these are refused, as they stand; what is refused tells nothing.
        match random.below(7) {
            0 | 1 => drop(
                gateway
                    .receive(&office, invoice(&format!("F-{step}"), 900))
                    .await,
            ),
            2 => drop(house.sending.send(firm, id, None, now).await),
            3 => drop(house.sending.withdraw(firm, id, "a step", now).await),
            4 => drop(house.sending.resend(firm, id, "a step", now).await),
            5 => visit(&gateway, &device, &mut random).await,
            _ => visit(&gateway, &mount, &mut random).await,
        }
        let replayed = audit::replay(&house.catalog, firm).await.unwrap();
        assert_eq!(replayed.differences.named, [], "seed {seed}, step {step}");
    }
    gateway.events(&office).await
}

/// A session that does something to each file it finds.
async fn visit(gateway: &Gateway, login: &crate::gateway::Login, random: &mut Random) {
    let peer = gateway.connect(login).await;
    for (inbox, done) in [
        (INBOX, "/expertm/ACME/Verwerkt/Aankopen"),
        (
            "/expertm/MOLEN/Te Verwerken/Verkopen",
            "/expertm/MOLEN/Verwerkt/Verkopen",
        ),
    ] {
        for name in peer.list(inbox).await.unwrap_or_default() {
            let path = format!("{inbox}/{name}");
            // Refused or not: what is told must be what is so.
            match random.below(5) {
                0 => drop(peer.get(&path).await),
                1 => drop(peer.remove(&path).await),
                2 => drop(peer.rename(&path, &format!("{done}/{name}")).await),
                3 => {
                    let bytes = peer.get(&path).await.unwrap_or_default();
                    let put = peer.put(&format!("{done}/copy-{name}"), &bytes).await;
                    put.unwrap_or_default();
                }
                _ => {
                    let handle = peer.open(&path).await.unwrap();
                    drop(peer.read(&handle, 0, 400).await);
                }
            }
        }
    }
    if random.below(2) == 0 {
        peer.leave().await;
    } else {
        peer.hang_up();
    }
}

/// Numbers that look random, and are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}
