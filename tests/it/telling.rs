//! Is whoever sent a document told what becomes of it?

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use sluis::catalog::{NewWebhook, WebhookRow};
use sluis::dispatch::{ANSWER_BYTES_MAX, Dispatcher, Poster, Secret, Target, WebhookConfig, ping};
use sluis::model::{DeviceKind, EventSeq, Timestamp, WebhookId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::gateway::{Gateway, Office, invoice, until};
use crate::program::Program;
use crate::receiver::{Away, Receiver, Reply, Seen, tls};
use crate::scheduling::tamper;

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
pub const ALLOW: &str = "[webhooks]\nallow = [\"127.0.0.1\"]\n";

/// So long a receiver that says nothing is waited for where a test is about that.
const PATIENCE_MS: u64 = 300;

pub async fn webhook(gateway: &Gateway, office: &Office, url: &str) -> WebhookId {
    let new = NewWebhook {
        url,
        origin: "there",
        kinds: &[],
        secret: &Secret::shown([7; 32]),
        from: None,
    };
    let catalog = &gateway.house.catalog;
    catalog
        .add_webhook(office.firm, &new, gateway.now())
        .await
        .unwrap()
}

pub fn dispatcher(gateway: &Gateway) -> Dispatcher {
    dispatcher_with(gateway, Poster::new(&gateway.house.config.webhooks))
}

/// One that soon gives up a receiver that says nothing.
fn impatient(gateway: &Gateway) -> Dispatcher {
    let poster = Poster::new(&gateway.house.config.webhooks);
    dispatcher_with(gateway, poster.waiting_at_most(PATIENCE_MS))
}

fn dispatcher_with(gateway: &Gateway, poster: Poster) -> Dispatcher {
    let clock = gateway.house.clock.clone();
    Dispatcher::new(gateway.house.catalog.clone(), poster, clock).with_random(|| 9_999)
}

/// Lets time pass until everything was told.
async fn tell_all(gateway: &Gateway, dispatcher: &Dispatcher) {
    for _ in 0..200 {
        let Some(next) = dispatcher.turn().await.unwrap() else {
            return;
        };
        gateway.pass_ms((next.0 - gateway.now().0).max(0));
    }
    panic!("it never ends");
}

async fn row(gateway: &Gateway, office: &Office) -> WebhookRow {
    let rows = gateway.house.catalog.webhooks(office.firm).await;
    rows.unwrap().remove(0)
}

/// Every event about a document was taken, those of one document in their order, and an id has one body.
async fn check(gateway: &Gateway, office: &Office, seen: &[Seen]) {
    let catalog = &gateway.house.catalog;
    let events = catalog.events(office.firm, EventSeq(0), 10_000).await;
    let told = events.unwrap().into_iter().filter_map(|row| {
        let document = row.event.document?;
        Some((row.seq.0, document.0))
    });
    check_order(&told.collect(), seen);
}

fn check_order(documents: &BTreeMap<i64, i64>, seen: &[Seen]) {
    let mut lanes: BTreeMap<i64, VecDeque<i64>> = BTreeMap::new();
    for (seq, document) in documents {
        lanes.entry(*document).or_default().push_back(*seq);
    }
    let mut taken = BTreeSet::new();
    let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
    for message in seen {
        let first = bodies.entry(&message.id).or_insert(&message.body);
        assert_eq!(*first, message.body, "an id repeats with another body");
        let seq = message.json()["data"]["seq"].as_i64().unwrap();
        assert!(message.id.contains(&format!("_{seq}_")));
        if message.is_taken && taken.insert(seq) {
            let lane = lanes.get_mut(&documents[&seq]).unwrap();
            assert_eq!(lane.pop_front(), Some(seq), "an event overtook another");
        }
    }
    assert!(
        lanes.values().all(VecDeque::is_empty),
        "never told: {lanes:?}"
    );
}

#[tokio::test]
async fn a_sender_is_told_where_each_document_is_and_that_it_was_collected() {
    let gateway = Gateway::start_with(ALLOW).await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let receiver = Receiver::start().await;
    webhook(&gateway, &office, &receiver.url()).await;
    let taken = gateway.receive(&office, invoice("F-17", 0)).await;
    let peer = gateway.connect(&device).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    let handle = peer.open(&format!("{INBOX}/{name}")).await.unwrap();
    peer.read(&handle, 0, u64::MAX).await.unwrap();
    peer.close(&handle).await.unwrap();

    dispatcher(&gateway).turn().await.unwrap();

    let seen = receiver.seen();
    let kinds: Vec<_> = seen
        .iter()
        .map(|seen| seen.json()["type"].clone())
        .collect();
    assert_eq!(kinds, ["kept", "offered", "collected"]);
    let collected = seen[2].json();
    let digest = taken.digest.to_string();
    let told = &collected["data"];
    assert_eq!(told["document"]["sha256"], digest);
    assert_eq!(told["document"]["number"], "F-17");
    assert_eq!(told["document"]["kind"], "invoice");
    assert_eq!(told["delivery"]["folder"], INBOX);
    assert_eq!(told["delivery"]["file"], name);
    assert_eq!(told["delivery"]["dossier"], office.dossier.0);
    assert_eq!(told["device"]["name"], "server");
    assert_eq!(told["firm"], "peeters");
    assert_eq!(collected["timestamp"], "2026-03-14T08:00:00.000Z");
    assert_eq!(seen[2].request, "POST /hook?key=17 HTTP/1.1");
    assert_eq!(seen[2].seconds, 1_773_475_200);
    for message in &seen {
        let secret = Secret::parse(&Secret::shown([7; 32])).unwrap();
        let signature = secret.sign(&message.id, message.seconds, &message.body);
        assert_eq!(message.signature, signature);
        assert!(!message.body.contains("Onderneming"), "a party's name");
    }
    check(&gateway, &office, &seen).await;
}

#[tokio::test]
async fn a_document_that_nobody_understands_is_told_without_its_reading_and_holds_up_no_other() {
    let mut gateway = Gateway::start_with(ALLOW).await;
    gateway.tampered = true;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let receiver = Receiver::start().await;
    webhook(&gateway, &office, &receiver.url()).await;
    for number in ["F-1", "F-2", "F-3"] {
        gateway.receive(&office, invoice(number, 0)).await;
    }
    let damage = "update document set reading = 'x' || reading where id = 1;
                  update document set digest = 'x' || digest where id = 2";
    tamper(&gateway, damage).await;

    dispatcher(&gateway).turn().await.unwrap();

    let seen = receiver.seen();
    check(&gateway, &office, &seen).await;
    let about = |id: i64| {
        let mut bodies = seen.iter().map(Seen::json);
        let body = bodies.find(|body| body["data"]["document"]["id"] == id);
        body.unwrap()["data"]["document"].clone()
    };
    let (unread, unnamed) = (about(1), about(2));
    assert_eq!(
        (&unread["number"], &unread["kind"]),
        (&Value::Null, &Value::Null)
    );
    assert!(unread["sha256"].is_string(), "{unread}");
    assert_eq!(unnamed["sha256"], Value::Null);
    assert_eq!(about(3)["number"], "F-3");
}

#[tokio::test]
async fn a_webhook_that_nobody_understands_is_left_out_until_it_is_mended_and_others_are_told() {
    let gateway = Gateway::start_with(ALLOW).await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let receivers = [Receiver::start().await, Receiver::start().await];
    for receiver in &receivers {
        webhook(&gateway, &office, &receiver.url()).await;
    }
    gateway.receive(&office, invoice("F-17", 0)).await;
    let dispatcher = dispatcher(&gateway);

    tamper(
        &gateway,
        "update webhook set kinds = 'birthday' where id = 1",
    )
    .await;
    dispatcher.turn().await.unwrap();
    assert_eq!(receivers[0].seen().len(), 0);
    check(&gateway, &office, &receivers[1].seen()).await;

    tamper(&gateway, "update webhook set kinds = '' where id = 1").await;
    dispatcher.turn().await.unwrap();
    check(&gateway, &office, &receivers[0].seen()).await;
}

#[tokio::test]
async fn whatever_the_receiver_does_every_event_arrives_and_none_overtakes() {
    let gateway = Gateway::start_with(ALLOW).await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let receiver = Receiver::start().await;
    webhook(&gateway, &office, &receiver.url()).await;
    for number in 0..9 {
        gateway
            .receive(&office, invoice(&format!("F-{number}"), 0))
            .await;
    }
    let dispatcher = impatient(&gateway);
    let slow = Arc::new(Notify::new());
    slow.notify_one();
    receiver.does([
        Reply::Answers(500, ""),
        Reply::Waits(slow),
        Reply::IsSilent,
        Reply::Answers(302, "location: http://169.254.169.254/\r\n"),
        Reply::Babbles,
        Reply::HangsUp,
        Reply::Answers(404, ""),
        Reply::TakesAndHangsUp,
        Reply::Answers(429, "retry-after: 30\r\n"),
        Reply::Mumbles,
    ]);

    tell_all(&gateway, &dispatcher).await;

    let seen = receiver.seen();
    let ids: BTreeSet<_> = seen.iter().map(|seen| &seen.id).collect();
    assert_eq!(ids.len(), 18);
    assert!(seen.len() > 18, "what failed was sent again");
    check(&gateway, &office, &seen).await;
    let row = row(&gateway, &office).await;
    assert_eq!((row.waiting, row.dead), (0, 0));
}

#[tokio::test]
async fn a_receiver_that_was_away_is_told_all_when_it_is_back() {
    let gateway = Gateway::start_with(ALLOW).await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let away = Away::new();
    webhook(&gateway, &office, &format!("http://{}/", away.address)).await;
    for number in 0..40 {
        gateway
            .receive(&office, invoice(&format!("F-{number}"), 0))
            .await;
    }
    let before = dispatcher(&gateway);
    let next = before.turn().await.unwrap();

    assert!(
        next.is_some_and(|next| next > gateway.now()),
        "it is not called at once again"
    );
    let error = row(&gateway, &office).await.error.unwrap();
    assert!(error.contains("could not connect to 127.0.0.1"), "{error}");

    // Back, and a new server here: what it knew of the receiver it has forgotten.
    let receiver = away.comes_back();
    tell_all(&gateway, &dispatcher(&gateway)).await;
    check(&gateway, &office, &receiver.seen()).await;
}

#[tokio::test]
async fn where_no_webhook_goes_nothing_is_sent_by_address_by_name_or_by_redirect() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let receiver = Receiver::start().await;
    let port = receiver.address.port();
    let catalog = &gateway.house.catalog;
    gateway.receive(&office, invoice("F-1", 0)).await;
    for url in [
        receiver.url(),
        format!("http://localhost:{port}/"),
        format!("https://127.1:{port}/"),
    ] {
        let new = NewWebhook {
            url: &url,
            origin: "there",
            kinds: &[],
            secret: &Secret::shown([7; 32]),
            from: Some(EventSeq(1)),
        };
        catalog
            .add_webhook(office.firm, &new, gateway.now())
            .await
            .unwrap();
    }

    dispatcher(&gateway).turn().await.unwrap();

    for row in catalog.webhooks(office.firm).await.unwrap() {
        let error = row.error.unwrap();
        assert!(
            error.contains("a loopback address, where no webhook goes"),
            "{error}"
        );
    }
    assert_eq!(receiver.seen().len(), 0);
}

#[tokio::test]
async fn a_public_address_is_not_called_without_tls() {
    let target = Target::parse("http://1.1.1.1/").unwrap();

    let error = Poster::new(&WebhookConfig::default())
        .addresses(&target)
        .await;

    let error = error.unwrap_err().to_string();
    assert_eq!(
        error,
        "1.1.1.1 is a public address, and is called over https:// only"
    );
}

#[tokio::test]
async fn of_an_answer_without_end_four_kibibytes_are_read() {
    let gateway = Gateway::start_with(ALLOW).await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let receiver = Receiver::start().await;
    webhook(&gateway, &office, &receiver.url()).await;
    let webhook = row(&gateway, &office).await.webhook;
    let target = Target::parse(&webhook.url).unwrap();
    let secret = Secret::parse(&webhook.secret).unwrap();
    let poster = Poster::new(&gateway.house.config.webhooks).reading_at_most(60_000);
    receiver.does([Reply::Babbles, Reply::Boasts]);
    let send = || ping(&poster, &webhook, (&target, &secret), Timestamp(0));

    let babbled = send().await.unwrap();

    assert_eq!(
        (babbled.status, babbled.text.len()),
        (200, ANSWER_BYTES_MAX)
    );
    let boasted = send().await.unwrap_err().to_string();
    assert_eq!(boasted, "got no answer over HTTP");
}

#[tokio::test]
async fn a_receiver_that_connects_and_never_speaks_tls_is_not_waited_for() {
    let gateway = Gateway::start_with(ALLOW).await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let receiver = Receiver::start().await; // it waits for HTTP
    let url = format!("https://{}/", receiver.address);
    webhook(&gateway, &office, &url).await;
    gateway.receive(&office, invoice("F-1", 0)).await;

    impatient(&gateway).turn().await.unwrap();

    let error = row(&gateway, &office).await.error.unwrap();
    assert_eq!(
        error,
        format!("connecting took longer than {PATIENCE_MS} ms")
    );
}

#[tokio::test]
async fn a_receiver_over_tls_is_told_if_its_certificate_is_trusted() {
    let roots = format!("{ALLOW}roots = '{}'\n", tls("authority.pem"));
    let gateway = Gateway::start_with(&roots).await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let receiver = Receiver::start_with_tls().await;
    let url = format!("https://localhost:{}/", receiver.address.port());
    webhook(&gateway, &office, &url).await;
    let webhook = row(&gateway, &office).await.webhook;
    let target = Target::parse(&url).unwrap();
    let secret = Secret::parse(&webhook.secret).unwrap();
    let with = async |config: &WebhookConfig, target: &Target| {
        let poster = Poster::new(config);
        ping(&poster, &webhook, (target, &secret), Timestamp(0)).await
    };
    let config = &gateway.house.config.webhooks;

    assert_eq!(with(config, &target).await.unwrap().status, 200);

    let stranger = WebhookConfig {
        roots: None,
        ..config.clone()
    };
    let error = with(&stranger, &target).await.unwrap_err().to_string();
    assert_eq!(error, "could not agree on TLS with `localhost`");
    // The certificate is for the name, not for the address.
    let by_address = format!("https://{}/", receiver.address);
    let by_address = Target::parse(&by_address).unwrap();
    assert!(with(config, &by_address).await.is_err());
    assert_eq!(receiver.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_ends_does_not_wait_for_a_silent_receiver_and_tells_it_next_time() {
    let gateway = Gateway::start_with(ALLOW).await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let mut receiver = Receiver::start().await;
    webhook(&gateway, &office, &receiver.url()).await;
    gateway.receive(&office, invoice("F-1", 0)).await;
    gateway.receive(&office, invoice("F-2", 0)).await;
    receiver.does([Reply::IsSilent, Reply::IsSilent]);
    let draining = CancellationToken::new();
    let running = tokio::spawn(gateway.house.dispatcher().run(draining.clone()));
    receiver.has_seen(2).await;

    draining.cancel();
    running.await.unwrap();

    assert_eq!(
        row(&gateway, &office).await.waiting,
        4,
        "written down, and not tried"
    );
    let draining = CancellationToken::new();
    let running = tokio::spawn(gateway.house.dispatcher().run(draining.clone()));
    receiver.has_seen(6).await;
    // What this process tells wakes it.
    gateway.receive(&office, invoice("F-3", 0)).await;
    receiver.has_seen(8).await;
    draining.cancel();
    running.await.unwrap();
    check(&gateway, &office, &receiver.seen()).await;
}

/// The program with a firm, a device, and loopback allowed.
fn program() -> Program {
    let program = Program::init();
    let file = program.path("sluis/sluis.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{config}\n{ALLOW}")).unwrap();
    program.device("server", "pull", "ACME");
    program
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_tells_loses_no_event() {
    const DOCUMENTS: usize = 60;
    let mut program = program();
    let mut receiver = Receiver::start().await;
    program.ok(&["webhook", "add", "kantoor", &receiver.url()]);
    let documents: Vec<_> = (0..DOCUMENTS)
        .map(|number| invoice(&format!("F-{number}"), 0))
        .collect();

    for (round, some) in documents.chunks(DOCUMENTS / 6).enumerate() {
        program.ingest(some);
        program.serve();
        receiver
            .has_seen(receiver.seen().len() + 3 + round * 2)
            .await;
        program.kill();
    }
    program.serve();
    let last = || program.json(&["webhook", "list", "kantoor"]).remove(0);
    until(async || last()["cursor"] == last()["last"]).await;

    let documents = program.json(&["events", "kantoor"]).into_iter();
    let documents =
        documents.filter_map(|event| Some((event["seq"].as_i64()?, event["document"].as_i64()?)));
    check_order(&documents.collect(), &receiver.seen());
    let row = last();
    assert_eq!((&row["waiting"], &row["dead"]), (&0.into(), &0.into()));
    assert_eq!(program.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_adds_tries_pauses_and_removes_a_webhook() {
    let program = program();
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let refused = program.run(&["webhook", "add", "kantoor", "http://10.0.0.1/"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        error.contains("10.0.0.1 is a private address") && !refused.status.success(),
        "{error}"
    );

    let added = program.json(&[
        "webhook",
        "add",
        "kantoor",
        &url,
        "--events",
        "offered,collected",
    ]);

    let secret = added[0]["secret"].as_str().unwrap();
    let shown = program.ok(&["webhook", "show", "kantoor", "1"]);
    assert!(
        !shown.contains("whsec_") && shown.contains("offered, collected"),
        "{shown}"
    );
    assert!(
        program
            .ok(&["webhook", "show", "kantoor", "1", "--secret"])
            .contains(secret)
    );
    assert!(
        program
            .ok(&["webhook", "list", "kantoor"])
            .contains("active")
    );

    receiver.does([Reply::Answers(200, ""), Reply::Answers(403, "")]);
    let answered = program.ok(&["webhook", "test", "kantoor", "1"]);
    assert_eq!(
        answered,
        format!("http://{} answered 200\ntext\n", receiver.address)
    );
    let failed = program.run(&["webhook", "test", "kantoor", "1", "--json"]);
    let told: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(
        (&told["taken"], &told["status"]),
        (&false.into(), &403.into())
    );
    assert!(!failed.status.success());
    let seen = receiver.seen();
    assert_eq!(seen[0].json()["type"], "ping");
    let known = Secret::parse(secret).unwrap();
    assert_eq!(
        seen[0].signature,
        known.sign(&seen[0].id, seen[0].seconds, &seen[0].body)
    );

    program.ok(&["webhook", "pause", "kantoor", "1"]);
    assert!(
        program
            .ok(&["webhook", "pause", "kantoor", "1"])
            .contains("already")
    );
    assert_eq!(
        program.json(&["webhook", "list", "kantoor"])[0]["state"],
        "paused"
    );
    let resumed = &program.json(&["webhook", "resume", "kantoor", "1"])[0];
    assert_eq!(resumed["state"], "active");
    program.ok(&["webhook", "remove", "kantoor", "1"]);
    assert_eq!(program.json(&["webhook", "list", "kantoor"]).len(), 0);
    for kind in ["added", "paused", "resumed", "removed"] {
        assert_eq!(program.events(&format!("webhook_{kind}")), 1, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_dead_letters_and_has_them_tried_again() {
    let mut program = program();
    let mut receiver = Receiver::start().await;
    program.ok(&["webhook", "add", "kantoor", &receiver.url()]);
    program.ingest(&[invoice("F-1", 0)]);
    // As if it had been tried for days.
    let tried = "insert into letter (webhook_id, seq, lane, state, attempts, due_at, error)
         select 1, seq, document_id, 'dead', 20, 0, 'answered 404' from event where document_id is not null;
         update webhook set cursor_seq = (select event_seq from firm)";
    tokio::task::block_in_place(|| program.query(tried));

    let dead = program.json(&["webhook", "dead", "kantoor"]);
    let told: Vec<_> = dead
        .iter()
        .map(|dead| dead["kind"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["kept", "offered"]);
    assert!(
        program
            .ok(&["webhook", "dead", "kantoor"])
            .contains("answered 404")
    );
    let checked = program.run(&["check"]);
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(
        checked.contains("WRONG  webhooks of kantoor: webhook 1 was not told 2 events"),
        "{checked}"
    );
    let wrong = program.run(&["webhook", "retry", "kantoor", "77"]);
    assert!(!wrong.status.success());
    assert_eq!(
        program.ok(&["webhook", "retry", "kantoor"]),
        "2 letters are tried again\n"
    );

    program.serve();
    receiver.has_seen(2).await;
    let kinds: Vec<_> = receiver
        .seen()
        .iter()
        .map(|seen| seen.json()["type"].clone())
        .collect();
    assert_eq!(kinds, ["kept", "offered"]);
    assert_eq!(program.json(&["webhook", "dead", "kantoor"]).len(), 0);
    assert_eq!(program.terminate(), Some(0));
}

#[tokio::test]
async fn a_webhook_that_is_paused_or_removed_in_the_middle_of_a_round_is_called_no_more() {
    let gateway = Gateway::start_with(ALLOW).await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let (catalog, firm) = (&gateway.house.catalog, office.firm);
    let dispatcher = dispatcher(&gateway);
    for is_removed in [false, true] {
        let mut receiver = Receiver::start().await;
        let id = webhook(&gateway, &office, &receiver.url()).await;
        let number = format!("F-{id}");
        gateway.receive(&office, invoice(&number, 0)).await; // kept, then offered
        let until = Arc::new(Notify::new());
        let reached = Arc::new(Notify::new());
        receiver.does([Reply::Asks(Arc::clone(&reached), Arc::clone(&until))]);
        let stopping = async {
            reached.notified().await;
            if is_removed {
                catalog
                    .remove_webhook(firm, id, gateway.now())
                    .await
                    .unwrap();
            } else {
                let pausing = catalog.pause_webhook(firm, id, "asked to", gateway.now());
                assert!(pausing.await.unwrap());
            }
            until.notify_one();
        };

        let (turned, ()) = tokio::join!(dispatcher.turn(), stopping);

        turned.unwrap();
        receiver.has_seen(1).await;
        assert_eq!(receiver.seen().len(), 1, "the call under way ended");
        if !is_removed {
            assert!(
                catalog
                    .resume_webhook(firm, id, gateway.now())
                    .await
                    .unwrap()
            );
            dispatcher.turn().await.unwrap();
            let seen = receiver.seen();
            let kinds: Vec<_> = seen
                .iter()
                .map(|seen| seen.json()["type"].clone())
                .collect();
            assert_eq!(kinds, ["kept", "offered"]);
            catalog
                .remove_webhook(firm, id, gateway.now())
                .await
                .unwrap();
        }
    }
}
