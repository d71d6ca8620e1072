//! Is somebody told of what was forgotten, once, and when that is over?

use serde_json::Value;
use sluis::alarm::{OwnLimits, RAISED_PER_LOOK_MAX, UNTAKEN_MS};
use sluis::catalog::NewWebhook;
use sluis::dispatch::{Dispatcher, Poster, Secret};
use sluis::lookout::{FolderLooks, Lookout, Noticed};
use sluis::model::{DeviceKind, EventKind, EventSeq};

use crate::gateway::{Gateway, Login, Office, invoice};
use crate::interop::wait_until;
use crate::program::Program;
use crate::receiver::Receiver;
use crate::scheduling::tamper;

const DAY: i64 = 24 * 3600 * 1000;
const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const ALLOW: &str = "[webhooks]\nallow = [\"127.0.0.1\"]\n";

/// A lookout of a server that starts now.
fn lookout(gateway: &Gateway) -> Lookout {
    gateway.house.lookout(FolderLooks::default())
}

async fn look(gateway: &Gateway, lookout: &Lookout) -> (usize, usize) {
    let Noticed { raised, cleared } = lookout.look(gateway.now()).await.unwrap();
    (raised, cleared)
}

/// What was told of alarms, in order.
async fn told(gateway: &Gateway, office: &Office) -> Vec<String> {
    let events = gateway.house.catalog.events(office.firm, EventSeq(0), 9999);
    let events = events.await.unwrap().into_iter();
    let alarms = events.filter_map(|row| match row.event.kind {
        EventKind::AlarmRaised => Some(format!("raised {}", row.event.detail)),
        EventKind::AlarmCleared => Some(format!("cleared {}", row.event.detail)),
        _ => None,
    });
    alarms.collect()
}

async fn collect_all(gateway: &Gateway, device: &Login) {
    let peer = gateway.connect(device).await;
    for name in peer.list(INBOX).await.unwrap() {
        let handle = peer.open(&format!("{INBOX}/{name}")).await.unwrap();
        peer.read(&handle, 0, u64::MAX).await.unwrap();
        peer.close(&handle).await.unwrap();
    }
}

async fn set(gateway: &Gateway, office: &Office, uncollected: &str, unseen: &str) {
    let own = OwnLimits {
        uncollected: uncollected.parse().unwrap(),
        unseen: unseen.parse().unwrap(),
    };
    let catalog = &gateway.house.catalog;
    let firm = catalog.firm_by_id(office.firm).await.unwrap();
    let setting = catalog.set_alarms(&firm, own, gateway.now());
    setting.await.unwrap();
}

async fn webhook(gateway: &Gateway, office: &Office, url: &str, kinds: &[EventKind]) {
    let new = NewWebhook {
        url,
        origin: "there",
        kinds,
        secret: &Secret::shown([7; 32]),
        from: None,
    };
    let catalog = &gateway.house.catalog;
    let adding = catalog.add_webhook(office.firm, &new, gateway.now());
    adding.await.unwrap();
}

/// What a receiver was told of alarms.
async fn received(gateway: &Gateway, receiver: &Receiver) -> Vec<Value> {
    let poster = Poster::new(&gateway.house.config.webhooks);
    let clock = gateway.house.clock.clone();
    let dispatcher = Dispatcher::new(gateway.house.catalog.clone(), poster, clock);
    dispatcher.turn().await.unwrap();
    let bodies = receiver.seen().into_iter().map(|seen| seen.json());
    let is_alarm = |body: &Value| body["type"].as_str().unwrap().starts_with("alarm_");
    bodies.filter(is_alarm).collect()
}

#[tokio::test]
async fn a_document_that_nobody_collects_is_told_once_and_once_more_when_it_is_collected() {
    let gateway = Gateway::start_with(ALLOW).await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    set(&gateway, &office, "default", "never").await;
    let receiver = Receiver::start().await;
    webhook(&gateway, &office, &receiver.url(), &[]).await;
    gateway.pass_ms(DAY);
    gateway.receive(&office, invoice("F-17", 0)).await;
    let first = lookout(&gateway);

    gateway.pass_ms(4 * DAY - 1);
    assert_eq!(look(&gateway, &first).await, (0, 0));
    gateway.pass_ms(1);
    let (one, other) = (lookout(&gateway), lookout(&gateway));
    let (one, other) = tokio::join!(one.look(gateway.now()), other.look(gateway.now()));
    assert_eq!(one.unwrap().raised + other.unwrap().raised, 1);

    // A server that starts later finds it told; and a clock that is set back changes nothing.
    gateway.pass_ms(DAY);
    assert_eq!(look(&gateway, &lookout(&gateway)).await, (0, 0));
    gateway.pass_ms(-3 * DAY);
    assert_eq!(look(&gateway, &lookout(&gateway)).await, (0, 0));
    let since = "uncollected since 2026-03-15T08:00:00.000Z";
    assert_eq!(told(&gateway, &office).await, [format!("raised {since}")]);

    collect_all(&gateway, &device).await;
    assert_eq!(look(&gateway, &first).await, (0, 1));
    assert_eq!(look(&gateway, &lookout(&gateway)).await, (0, 0));
    let both = [format!("raised {since}"), format!("cleared {since}")];
    assert_eq!(told(&gateway, &office).await, both);
    let received = received(&gateway, &receiver).await;
    let kinds: Vec<_> = received.iter().map(|body| &body["type"]).collect();
    assert_eq!(kinds, ["alarm_raised", "alarm_cleared"]);
    let data = &received[0]["data"];
    assert_eq!(data["document"]["number"], "F-17");
    assert_eq!(data["delivery"]["folder"], INBOX);
    assert_eq!(data["device"]["name"], "server");
    assert_eq!(data["alarm"]["kind"], "uncollected");
    assert_eq!(data["alarm"]["since"], "2026-03-15T08:00:00.000Z");
}

#[tokio::test]
async fn a_firm_that_nobody_understands_silences_no_other() {
    let gateway = Gateway::start().await;
    gateway.office("aerts").await;
    let office = gateway.office("peeters").await;
    let looks = FolderLooks::default();
    looks.rejected(office.firm, 1);
    let lookout = gateway.house.lookout(looks);
    tamper(
        &gateway,
        "update firm set language = 'xx' where slug = 'aerts'",
    )
    .await;

    assert_eq!(look(&gateway, &lookout).await, (1, 0));

    tamper(
        &gateway,
        "update firm set language = 'nl' where slug = 'aerts'",
    )
    .await;
}

#[tokio::test]
async fn what_is_sent_again_or_taken_back_is_no_longer_forgotten() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Mount).await;
    set(&gateway, &office, "2d", "never").await;
    gateway.receive(&office, invoice("F-1", 0)).await;
    gateway.pass_ms(2 * DAY);
    let lookout = lookout(&gateway);
    assert_eq!(look(&gateway, &lookout).await, (1, 0));
    let (catalog, sending) = (&gateway.house.catalog, &gateway.house.sending);
    let last = async || {
        let rows = catalog.delivery_rows(office.firm, 0, 9).await.unwrap();
        rows.into_iter().next_back().unwrap().delivery
    };

    let resending = sending.resend(office.firm, last().await.id, "lost", gateway.now());
    resending.await.unwrap();
    assert_eq!(look(&gateway, &lookout).await, (0, 1));
    gateway.pass_ms(2 * DAY);
    assert_eq!(look(&gateway, &lookout).await, (1, 0), "it is another time");
    let withdrawing = sending.withdraw(office.firm, last().await.id, "old", gateway.now());
    withdrawing.await.unwrap();
    assert_eq!(look(&gateway, &lookout).await, (0, 1));

    // Whoever will wait longer, or for ever, is told no more.
    gateway.receive(&office, invoice("F-2", 0)).await;
    gateway.pass_ms(2 * DAY);
    assert_eq!(look(&gateway, &lookout).await, (1, 0));
    set(&gateway, &office, "never", "never").await;
    assert_eq!(look(&gateway, &lookout).await, (0, 1));
    assert_eq!(told(&gateway, &office).await.len(), 6);
}

#[tokio::test]
async fn when_a_device_stops_fetching_a_receiver_is_told_of_each_document_and_not_of_all_at_once() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    set(&gateway, &office, "1d", "never").await;
    let most = RAISED_PER_LOOK_MAX;
    for number in 0..=most {
        let document = invoice(&format!("F-{number}"), 0);
        gateway.receive(&office, document).await;
        gateway.pass_ms(1);
    }
    gateway.pass_ms(DAY);
    let lookout = lookout(&gateway);

    assert_eq!(look(&gateway, &lookout).await, (most, 0));
    assert_eq!(look(&gateway, &lookout).await, (1, 0));
    assert_eq!(look(&gateway, &lookout).await, (0, 0));
    let oldest_first = told(&gateway, &office).await;
    assert!(oldest_first.is_sorted());
    collect_all(&gateway, &device).await;
    assert_eq!(look(&gateway, &lookout).await, (0, most + 1));
}

#[tokio::test]
async fn a_script_that_stopped_is_missed_even_when_nothing_waits() {
    let gateway = Gateway::start_with(ALLOW).await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.device(&office, "spare", DeviceKind::Pull).await;
    gateway.device(&office, "scanner", DeviceKind::Source).await;
    gateway.device(&office, "drive", DeviceKind::Mount).await;
    let receiver = Receiver::start().await;
    let kinds = [EventKind::AlarmRaised, EventKind::AlarmCleared];
    webhook(&gateway, &office, &receiver.url(), &kinds).await;
    let running = lookout(&gateway);

    // It never came: that is counted from when it got something to do.
    gateway.pass_ms(4 * DAY - 1);
    assert_eq!(look(&gateway, &running).await, (0, 0));
    gateway.pass_ms(1);
    assert_eq!(look(&gateway, &running).await, (1, 0));
    let peer = gateway.connect(&device).await;
    assert_eq!(look(&gateway, &running).await, (0, 1));

    // A connection that lasts is there, however long ago it began.
    gateway.pass_ms(9 * DAY);
    assert_eq!(look(&gateway, &running).await, (0, 0));
    // After a kill nobody knows when it ended, and its beginning is what is known.
    assert_eq!(look(&gateway, &lookout(&gateway)).await, (1, 0));
    assert_eq!(look(&gateway, &running).await, (0, 1));
    drop(peer);

    let received = received(&gateway, &receiver).await;
    assert_eq!(received.len(), 4);
    assert_eq!(received[0]["data"]["document"], Value::Null);
    assert_eq!(received[0]["data"]["device"]["name"], "server");
    assert_eq!(received[0]["data"]["alarm"]["kind"], "unseen");
    let since = "unseen since 2026-03-14T08:00:00.000Z";
    assert_eq!(received[0]["data"]["detail"], since);
}

#[tokio::test]
async fn a_connection_that_lasts_is_there_although_the_clock_was_set_back_since_the_start() {
    let gateway = Gateway::start().await;
    let (_, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.pass_ms(365 * DAY);
    let running = lookout(&gateway);
    gateway.pass_ms(-365 * DAY);
    let _peer = gateway.connect(&device).await;

    gateway.pass_ms(9 * DAY);

    assert_eq!(look(&gateway, &running).await, (0, 0));
}

#[tokio::test]
async fn a_device_that_is_taken_out_of_use_is_missed_no_more() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    gateway.device(&office, "server", DeviceKind::Pull).await;
    let catalog = &gateway.house.catalog;
    let device = catalog.device(office.firm, "server").await.unwrap();
    let naming = catalog.make_default(office.firm, &device, gateway.now());
    naming.await.unwrap();
    gateway.pass_ms(4 * DAY);
    let lookout = lookout(&gateway);
    assert_eq!(look(&gateway, &lookout).await, (1, 0));

    let removing = catalog.remove_device(office.firm, &device, gateway.now());
    removing.await.unwrap();

    assert_eq!(look(&gateway, &lookout).await, (0, 1));
    assert_eq!(told(&gateway, &office).await.len(), 2);
}

#[tokio::test]
async fn a_device_that_is_disabled_is_not_missed_until_it_is_enabled() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let catalog = &gateway.house.catalog;
    let device = catalog.device(office.firm, "server").await.unwrap();
    gateway.pass_ms(4 * DAY);
    let lookout = lookout(&gateway);
    assert_eq!(look(&gateway, &lookout).await, (1, 0));

    let disabling = catalog.disable_device(&device, "stolen", gateway.now());
    disabling.await.unwrap();
    assert_eq!(look(&gateway, &lookout).await, (0, 1));
    gateway.pass_ms(DAY);
    assert_eq!(look(&gateway, &lookout).await, (0, 0));

    let enabling = catalog.enable_device(&device, gateway.now());
    enabling.await.unwrap();
    assert_eq!(look(&gateway, &lookout).await, (1, 0));
}

#[tokio::test]
async fn rejected_files_are_told_until_a_person_has_emptied_the_folder() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let looks = FolderLooks::default();
    let running = gateway.house.lookout(looks.clone());

    assert_eq!(look(&gateway, &running).await, (0, 0));
    looks.rejected(office.firm, 2);
    assert_eq!(look(&gateway, &running).await, (1, 0));
    looks.rejected(office.firm, 3);
    assert_eq!(look(&gateway, &running).await, (0, 0));
    // A server that starts has not counted yet.
    assert_eq!(look(&gateway, &lookout(&gateway)).await, (0, 0));
    looks.rejected(office.firm, 0);
    assert_eq!(look(&gateway, &running).await, (0, 1));
    looks.rejected(office.firm, 1);
    assert_eq!(look(&gateway, &running).await, (1, 0));
    assert_eq!(told(&gateway, &office).await.len(), 3);
}

/// As where the share of a firm has died, or the root of all drop folders is not mounted.
#[tokio::test]
async fn a_drop_folder_at_which_nobody_looks_is_told_until_somebody_does() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    set(&gateway, &office, "never", "never").await;
    let looks = FolderLooks::default();
    let running = gateway.house.lookout(looks.clone());
    assert_eq!(look(&gateway, &running).await, (0, 0));
    gateway.pass_ms(2 * DAY);
    assert_eq!(look(&gateway, &running).await, (0, 0), "there is no door");
    looks.keep();
    assert_eq!(look(&gateway, &running).await, (0, 0));
    let looked = |looks: &FolderLooks| {
        let now = gateway.now();
        looks.looked(office.firm, now, now.plus_ms(30_000));
    };
    looked(&looks);

    gateway.pass_ms(30_000 + UNTAKEN_MS - 1);
    assert_eq!(look(&gateway, &running).await, (0, 0));
    gateway.pass_ms(1);
    assert_eq!(look(&gateway, &running).await, (1, 0));
    gateway.pass_ms(DAY);
    assert_eq!(look(&gateway, &running).await, (0, 0));
    // A server that starts does not know yet, and one that never looks tells it again.
    let begun = FolderLooks::default();
    begun.keep();
    let next = gateway.house.lookout(begun.clone());
    assert_eq!(look(&gateway, &next).await, (0, 0));
    gateway.pass_ms(DAY);
    assert_eq!(look(&gateway, &next).await, (0, 0), "it is up still");
    looked(&begun);
    assert_eq!(look(&gateway, &next).await, (0, 1));
    gateway.pass_ms(DAY);
    assert_eq!(look(&gateway, &next).await, (1, 0));

    let told = told(&gateway, &office).await;
    assert_eq!(told.len(), 3);
    assert!(told[0].contains("untaken since"), "{told:?}");
}

#[test]
fn a_server_that_is_killed_tells_of_rejected_files_once_and_status_shows_it() {
    let mut program = Program::init();
    let folder = program.path("sluis/data/drop/kantoor");
    let config = program.path("sluis/sluis.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let often = "[drop]\nrescan_seconds = 1\nsettle_ms = 500\n";
    std::fs::write(&config, format!("{text}\n{often}")).unwrap();
    let alarms = |program: &Program| program.json(&["status", "kantoor"])[0]["alarms"].clone();
    let until = |program: &Program, up: i64| {
        wait_until(|| program.query("select count(*) from alarm") == [[up]]);
    };
    assert_eq!(program.run(&["status", "--check"]).status.code(), Some(0));
    program.serve();
    std::fs::write(folder.join("F-1.xml"), "no document").unwrap();
    until(&program, 1);
    assert_eq!(alarms(&program)[0]["kind"], "rejected");

    program.kill();
    program.serve();
    let checked = program.run(&["status", "--check"]);
    assert_eq!(checked.status.code(), Some(1));
    let shown = String::from_utf8(checked.stdout).unwrap();
    let alarm = "  ALARM: the drop folder holds rejected files";
    assert!(shown.lines().nth(1).unwrap().starts_with(alarm), "{shown}");
    std::fs::remove_dir_all(folder.join("rejected")).unwrap();
    until(&program, 0);

    assert_eq!(program.events("alarm_raised"), 1);
    assert_eq!(program.events("alarm_cleared"), 1);
    program.ok(&["events", "replay", "kantoor"]);
}

#[test]
fn a_firm_says_when_it_is_told_and_its_file_says_the_same() {
    let program = Program::init();
    let show = || program.json(&["firm", "show", "kantoor"]).remove(0);
    assert_eq!(show()["alarm_uncollected"], "default");
    let text = program.ok(&["firm", "show", "kantoor"]);
    assert!(
        text.contains("a document not collected: 4d, as configured"),
        "{text}"
    );

    program.ok(&[
        "firm",
        "set",
        "kantoor",
        "--alarm-uncollected",
        "36h",
        "--alarm-unseen",
        "never",
    ]);

    assert_eq!(show()["alarm_uncollected"], "36h");
    assert_eq!(show()["alarm_unseen"], "never");
    let file = program.path("kantoor.toml");
    let text = program.ok(&["export", "kantoor"]);
    assert!(text.contains("alarm_uncollected = \"36h\""), "{text}");
    std::fs::write(&file, text.replace("36h", "default")).unwrap();
    let applied = program.ok(&["apply", file.to_str().unwrap()]);
    let change = "did set the firm's alarms: uncollected default, unseen never";
    assert_eq!(applied.lines().next(), Some(change));
    assert_eq!(show()["alarm_uncollected"], "default");
    let events = program.ok(&["events", "kantoor"]);
    assert!(
        events.contains("alarms: uncollected 36h, unseen never"),
        "{events}"
    );
    let refused = program.run(&["firm", "set", "kantoor", "--alarm-unseen", "3"]);
    assert_eq!(refused.status.code(), Some(2));
}
