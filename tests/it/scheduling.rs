//! When does a document leave that is not sent when it arrives, and what must be true of it first?

use std::path::Path;

use sluis::catalog::{Catalog, FirmRules, LinkRules, NewLink};
use sluis::ingest::{Arrival, Outcome};
use sluis::model::{
    Approval, Declared, DeviceId, DeviceKind, Duplicates, FirmId, Flow, Language, Origin, Said,
    State, Status, Timestamp, Transfer,
};
use sluis::scheduler::Scheduler;
use sluis::sending::{Destination, Error, Released, Waiting};
use sqlx::Connection as _;

use crate::gateway::{Gateway, Login, MILL, Office, invoice, invoice_between};
use crate::interop::wait_until;
use crate::program::Program;

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const HOUR: i64 = 3_600_000;

fn scheduler(gateway: &Gateway) -> Scheduler {
    let house = &gateway.house;
    Scheduler::new(
        house.catalog.clone(),
        house.sending.clone(),
        house.clock.clone(),
    )
}

/// Sends what is due now, and says how many that were.
async fn run_due(gateway: &Gateway) -> usize {
    let released = scheduler(gateway).run_due(gateway.now()).await.unwrap();
    assert_eq!(released.failed, []);
    released.sent
}

/// An office whose link `ACME` sends by these rules.
async fn office_sending(gateway: &Gateway, sends: LinkRules) -> (Office, Login) {
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    link(gateway, &office, sends, Some(device.id)).await;
    (office, device)
}

async fn link(gateway: &Gateway, office: &Office, sends: LinkRules, device: Option<DeviceId>) {
    let new = NewLink {
        dossier: office.dossier,
        profile: "expertm",
        code: "ACME",
        language: Language::Nl,
        device,
        sends,
    };
    let catalog = &gateway.house.catalog;
    catalog
        .add_link(office.firm, &new, gateway.now())
        .await
        .unwrap();
}

fn sends(transfer: &str) -> LinkRules {
    LinkRules {
        transfer: transfer.parse().unwrap(),
        ..LinkRules::FIRM
    }
}

/// Takes in an invoice of which this is said.
async fn receive_said(gateway: &Gateway, office: &Office, number: &str, said: Said) -> Outcome {
    let arrival = Arrival {
        said,
        ..Arrival::new("test:document", invoice(number, 900))
    };
    let taking = gateway
        .house
        .ingest
        .take(office.firm, vec![arrival], gateway.now());
    taking.await.unwrap().remove(0).outcome
}

/// Why each delivery waits, or where it shows, in order.
async fn stand(gateway: &Gateway, office: &Office) -> Vec<String> {
    let rows = gateway
        .house
        .catalog
        .delivery_rows(office.firm, 0, 100)
        .await
        .unwrap();
    let line = |row: &sluis::catalog::DeliveryRow| {
        let delivery = &row.delivery;
        match (delivery.reason, delivery.due) {
            (Some(reason), Some(due)) => format!("{} {due}", reason.as_str()),
            (Some(reason), None) => reason.as_str().to_owned(),
            (None, _) => delivery.state.as_str().to_owned(),
        }
    };
    rows.iter().map(line).collect()
}

#[tokio::test]
async fn a_document_for_the_night_leaves_that_night_and_once() {
    let gateway = Gateway::start().await;
    let (office, device) = office_sending(&gateway, sends("nightly")).await;
    let peer = gateway.connect(&device).await;

    let outcome = receive_said(&gateway, &office, "F-1", Said::default()).await;

    assert_eq!(outcome, Outcome::Held);
    let waits = ["due 2026-03-15T01:00:00.000Z"]; // two o'clock in Brussels
    assert_eq!(stand(&gateway, &office).await, waits);
    gateway.pass_ms(16 * HOUR);
    assert_eq!(run_due(&gateway).await, 0);
    assert_eq!(stand(&gateway, &office).await, waits);
    gateway.pass_ms(HOUR);
    let (one, other) = (scheduler(&gateway), scheduler(&gateway));
    let (one, other) = tokio::join!(one.run_due(gateway.now()), other.run_due(gateway.now()));
    assert_eq!(one.unwrap().sent + other.unwrap().sent, 1);
    assert_eq!(run_due(&gateway).await, 0);
    assert_eq!(stand(&gateway, &office).await, ["offered"]);
    assert_eq!(peer.list(INBOX).await.unwrap().len(), 1);
    let told = gateway.events(&office).await;
    assert_eq!(told, ["kept", "held", "released", "offered"]);
}

#[tokio::test]
async fn what_fell_due_while_nobody_ran_is_sent_at_the_start() {
    let gateway = Gateway::start().await;
    let (office, _) = office_sending(&gateway, sends("after=10m")).await;
    for number in 0..70 {
        receive_said(&gateway, &office, &format!("F-{number}"), Said::default()).await;
    }
    // A week without a server.
    gateway.pass_ms(7 * 24 * HOUR);

    assert_eq!(run_due(&gateway).await, 70);

    assert!(
        stand(&gateway, &office)
            .await
            .iter()
            .all(|line| line == "offered")
    );
}

#[tokio::test]
async fn what_came_from_outside_leaves_when_it_is_approved() {
    let gateway = Gateway::start().await;
    let (office, _) = office_sending(&gateway, sends("at-once")).await;
    let incoming = Said {
        origin: Some(Origin::Incoming),
        ..Said::default()
    };
    receive_said(&gateway, &office, "F-1", incoming).await;
    assert_eq!(stand(&gateway, &office).await, ["approval"]);
    gateway.pass_ms(24 * HOUR);
    assert_eq!(run_due(&gateway).await, 0, "nobody has approved it");
    let document = gateway
        .house
        .catalog
        .delivery_rows(office.firm, 0, 1)
        .await
        .unwrap()
        .remove(0)
        .delivery
        .document;

    let sending = &gateway.house.sending;
    let approving = sending.approve(office.firm, document, gateway.now());
    let approved = approving.await.unwrap();

    let sent_one = Released {
        sent: 1,
        failed: Vec::new(),
    };
    assert_eq!(approved, Some(sent_one));
    assert_eq!(stand(&gateway, &office).await, ["offered"]);
    let again = sending.approve(office.firm, document, gateway.now());
    assert_eq!(again.await.unwrap(), None, "it was approved before");
}

/// A disk that is full when the second delivery is sent by itself, and no fault of the disk as long as it is sent
/// with the first.
const FULL_AT_THE_SECOND: &str = "
    create table full_disk (id integer primary key autoincrement);
    insert into full_disk (id) values (9223372036854775807);
    create trigger fault before update on delivery when new.id = 2 and new.state = 'offered'
        and not exists (select 1 from event where delivery_id = 1 and kind = 'offered')
    begin select raise(abort, 'not together'); end;
    create trigger full before update on delivery when new.id = 2 and new.state = 'offered'
        and exists (select 1 from event where delivery_id = 1 and kind = 'offered')
    begin insert into full_disk (id) values (null); end;";

#[tokio::test]
async fn what_an_approval_has_sent_before_the_disk_was_full_is_not_said_to_wait() {
    let gateway = Gateway::start().await;
    let (office, device) = office_sending(&gateway, sends("at-once")).await;
    let at_once = Transfer::AtOnce;
    let (dossier, to) = (office.dossier, Some(device.id));
    gateway
        .link_as(&office, dossier, "bob-demat", "BAK", to, at_once)
        .await;
    let incoming = Said {
        origin: Some(Origin::Incoming),
        ..Said::default()
    };
    receive_said(&gateway, &office, "F-1", incoming).await;
    assert_eq!(stand(&gateway, &office).await, ["approval", "approval"]);
    let rows = gateway.house.catalog.delivery_rows(office.firm, 0, 9).await;
    let rows = rows.unwrap();
    let url = format!("sqlite://{}", gateway.catalog_file().display());
    let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let fault = sqlx::raw_sql(FULL_AT_THE_SECOND);
    fault.execute(&mut other).await.unwrap();

    let (sending, document) = (&gateway.house.sending, rows[0].delivery.document);
    let approving = sending.approve(office.firm, document, gateway.now());
    let approved = approving.await.unwrap().unwrap();

    let failed: Vec<_> = approved.failed.iter().map(|one| one.id).collect();
    assert_eq!((approved.sent, failed), (1, vec![rows[1].delivery.id]));
    assert!(approved.failed[0].why.contains("full"), "{approved:?}");
    let mended = sqlx::raw_sql("drop trigger fault; drop trigger full; drop table full_disk");
    mended.execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert_eq!(run_due(&gateway).await, 1);
}

#[tokio::test]
async fn an_approval_of_another_process_is_carried_out_by_the_scheduler() {
    let gateway = Gateway::start().await;
    let (office, _) = office_sending(&gateway, sends("at-once")).await;
    let incoming = Said {
        origin: Some(Origin::Incoming),
        ..Said::default()
    };
    receive_said(&gateway, &office, "F-1", incoming).await;
    let approved = Said {
        approved: Some(true),
        ..Said::default()
    };

    // The same bytes again, and now its sender says that it was approved.
    let outcome = receive_said(&gateway, &office, "F-1", approved).await;

    assert_eq!(outcome, Outcome::Recognised);
    assert_eq!(run_due(&gateway).await, 1);
    assert_eq!(stand(&gateway, &office).await, ["offered"]);
}

#[tokio::test]
async fn a_draft_leaves_once_its_sender_says_it_was_sent_and_never_goes_back() {
    let gateway = Gateway::start().await;
    let (office, _) = office_sending(&gateway, sends("nightly")).await;
    let said = |status| Said {
        status: Some(status),
        ..Said::default()
    };
    receive_said(&gateway, &office, "F-1", said(Status::Draft)).await;
    assert_eq!(stand(&gateway, &office).await, ["draft"]);
    gateway.pass_ms(24 * HOUR);

    receive_said(&gateway, &office, "F-1", said(Status::Sent)).await;
    assert_eq!(run_due(&gateway).await, 0);

    let waits = ["due 2026-03-16T01:00:00.000Z"];
    assert_eq!(
        stand(&gateway, &office).await,
        waits,
        "the night after it was sent"
    );
    receive_said(&gateway, &office, "F-1", said(Status::Draft)).await;
    gateway.pass_ms(24 * HOUR);
    assert_eq!(run_due(&gateway).await, 1);
}

#[tokio::test]
async fn a_new_link_does_not_send_what_is_older_than_its_beginning() {
    let gateway = Gateway::start().await;
    let beginning = LinkRules {
        from: Some("2026-04-01".parse().unwrap()),
        ..sends("at-once")
    };
    let (office, _) = office_sending(&gateway, beginning).await;

    receive_said(&gateway, &office, "F-1", Said::default()).await;

    assert_eq!(stand(&gateway, &office).await, ["before_start"]);
}

#[tokio::test]
async fn a_document_without_a_device_leaves_by_itself_once_there_is_one() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    link(&gateway, &office, sends("after=10m"), None).await;
    receive_said(&gateway, &office, "F-1", Said::default()).await;
    assert_eq!(stand(&gateway, &office).await, ["no_device"]);
    let catalog = &gateway.house.catalog;
    let row = catalog.device(office.firm, "server").await.unwrap();
    assert_eq!(row.id, device.id);

    catalog
        .make_default(office.firm, &row, gateway.now())
        .await
        .unwrap();
    let looking = gateway
        .house
        .sending
        .look_again(office.firm, Waiting::Stays, gateway.now());

    assert_eq!(
        looking.await.unwrap().sent,
        0,
        "its ten minutes are not over"
    );
    gateway.pass_ms(10 * 60_000);
    assert_eq!(run_due(&gateway).await, 1);
}

#[tokio::test]
async fn what_waits_for_a_hand_stays_when_the_rule_changes_unless_it_is_asked_to_follow() {
    let gateway = Gateway::start().await;
    let (office, device) = office_sending(&gateway, sends("manual")).await;
    receive_said(&gateway, &office, "F-1", Said::default()).await;
    let catalog = &gateway.house.catalog;
    let link = catalog.links(office.firm).await.unwrap().remove(0);
    catalog
        .set_link(&link, Some(device.id), &sends("at-once"), gateway.now())
        .await
        .unwrap();
    let look = |waiting| {
        gateway
            .house
            .sending
            .look_again(office.firm, waiting, gateway.now())
    };

    assert_eq!(look(Waiting::Stays).await.unwrap().sent, 0);
    assert_eq!(stand(&gateway, &office).await, ["manual"]);

    assert_eq!(look(Waiting::FollowsOf(link.id)).await.unwrap().sent, 1);
    assert_eq!(stand(&gateway, &office).await, ["offered"]);
}

#[tokio::test]
async fn what_is_dated_far_ahead_waits_for_a_person_and_follows_its_rule() {
    let gateway = Gateway::start().await;
    let (office, device) = office_sending(&gateway, sends("month-end")).await;
    let text = String::from_utf8(invoice("F-1", 900)).unwrap();
    let mistyped = text.replace("IssueDate>2026", "IssueDate>2062");
    assert_ne!(mistyped, text);

    gateway.receive(&office, mistyped.into_bytes()).await;

    assert_eq!(stand(&gateway, &office).await, ["dated_ahead"]);
    let catalog = &gateway.house.catalog;
    let link = catalog.links(office.firm).await.unwrap().remove(0);
    catalog
        .set_link(&link, Some(device.id), &sends("at-once"), gateway.now())
        .await
        .unwrap();
    let sending = &gateway.house.sending;
    let looking = sending.look_again(office.firm, Waiting::Stays, gateway.now());
    assert_eq!(looking.await.unwrap().sent, 1);
    assert_eq!(stand(&gateway, &office).await, ["offered"]);
}

#[tokio::test]
async fn a_link_that_leaves_it_to_its_firm_follows_the_firm() {
    let gateway = Gateway::start().await;
    let (office, _) = office_sending(&gateway, LinkRules::FIRM).await;
    let rules = FirmRules {
        transfer: "nightly".parse().unwrap(),
        approval: Approval::NotNeeded,
        night_hour: "23:15".parse().unwrap(),
        time_zone: Some("Europe/Lisbon".to_owned()),
        duplicates: Duplicates::Hold,
    };
    let catalog = &gateway.house.catalog;
    let firm = catalog.firm_by_id(office.firm).await.unwrap();
    catalog
        .set_firm_rules(&firm, &rules, gateway.now())
        .await
        .unwrap();
    let incoming = Said {
        origin: Some(Origin::Incoming),
        ..Said::default()
    };

    receive_said(&gateway, &office, "F-1", incoming).await;

    let waits = ["due 2026-03-14T23:15:00.000Z"]; // Lisbon keeps the time of UTC in March
    assert_eq!(stand(&gateway, &office).await, waits);
}

#[tokio::test]
async fn what_a_person_holds_back_waits_for_a_person() {
    let gateway = Gateway::start().await;
    let (office, _) = office_sending(&gateway, sends("after=10m")).await;
    receive_said(&gateway, &office, "F-1", Said::default()).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let rows = gateway.house.catalog.delivery_rows(firm, 0, 1).await;
    let id = rows.unwrap().remove(0).delivery.id;

    sending
        .hold(firm, id, "ask the client first", gateway.now())
        .await
        .unwrap();

    gateway.pass_ms(24 * HOUR);
    assert_eq!(run_due(&gateway).await, 0);
    let look = sending.look_again(firm, Waiting::FollowsFirm, gateway.now());
    assert_eq!(look.await.unwrap().sent, 0);
    assert_eq!(stand(&gateway, &office).await, ["on_hold"]);
    sending.send(firm, id, None, gateway.now()).await.unwrap();
    let late = sending.hold(firm, id, "too late", gateway.now()).await;
    assert!(matches!(late, Err(Error::State { .. })), "it was sent");
    assert_eq!(stand(&gateway, &office).await, ["offered"]);
}

#[tokio::test]
async fn a_document_that_went_to_the_wrong_books_is_given_to_the_right_ones() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    let mill = gateway.dossier(&office, "De Molen", &[MILL]).await;
    gateway
        .link_as(
            &office,
            mill,
            "expertm",
            "MOLEN",
            Some(device.id),
            Transfer::AtOnce,
        )
        .await;
    gateway.receive(&office, invoice("F-1", 900)).await;
    let (sending, firm) = (&gateway.house.sending, office.firm);
    let rows = gateway
        .house
        .catalog
        .delivery_rows(firm, 0, 9)
        .await
        .unwrap();
    let of_bakery = rows
        .iter()
        .find(|row| row.delivery.dossier == Some(office.dossier))
        .unwrap();
    let to = Destination {
        dossier: mill,
        flow: Flow::Purchase,
    };
    let before = rows.len();

    let id = of_bakery.delivery.id;
    let moving = sending.move_to(firm, id, to, "branch of the mill", gateway.now());
    assert_eq!(moving.await.unwrap().sent, 1);

    let rows = gateway
        .house
        .catalog
        .delivery_rows(firm, 0, 9)
        .await
        .unwrap();
    let old = rows.iter().find(|row| row.delivery.id == id).unwrap();
    assert_eq!(old.delivery.state, State::Withdrawn);
    let new = &rows[before..];
    assert_eq!(new.len(), 1);
    assert_eq!(
        (new[0].delivery.dossier, new[0].delivery.flow),
        (Some(mill), Some(Flow::Purchase))
    );
    let peer = gateway.connect(&device).await;
    let shown = peer.list("/expertm/MOLEN/Te Verwerken/Aankopen").await;
    assert_eq!(shown.unwrap().len(), 1);
    assert!(peer.list(INBOX).await.unwrap().is_empty());
    let twice = sending.move_to(firm, new[0].delivery.id, to, "again", gateway.now());
    assert!(matches!(twice.await, Err(Error::There { .. })));
}

#[tokio::test]
async fn what_waits_at_one_device_moves_to_another_only_when_asked() {
    let gateway = Gateway::start().await;
    let (office, old) = gateway.office_with(DeviceKind::Pull).await;
    let new = gateway.device(&office, "laptop", DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let peer = gateway.connect(&old).await;
    let name = peer.list(INBOX).await.unwrap().remove(0);
    let path = format!("{INBOX}/{name}");
    let open = peer.open(&path).await.unwrap();
    let catalog = &gateway.house.catalog;
    let link = catalog.links(office.firm).await.unwrap().remove(0);
    catalog
        .set_link(&link, Some(new.id), &LinkRules::FIRM, gateway.now())
        .await
        .unwrap();
    let other = gateway.connect(&new).await;
    assert!(other.list(INBOX).await.unwrap().is_empty(), "nobody asked");

    let link = catalog.links(office.firm).await.unwrap().remove(0);
    let moving = gateway
        .house
        .sending
        .move_waiting(office.firm, &link, gateway.now());
    assert_eq!(moving.await.unwrap(), 1);

    peer.read(&open, 0, 100_000).await.unwrap();
    assert_eq!(peer.close(&open).await, Ok(()));
    assert_eq!(other.list(INBOX).await.unwrap(), [name]);
    let expected = [format!("{path} withdrawn"), format!("{path} offered")];
    assert_eq!(
        gateway.deliveries(&office).await,
        expected,
        "what the old device read meanwhile is not collected by the new one"
    );
}

#[tokio::test]
async fn a_door_says_what_is_true_of_a_document_of_which_nothing_is_said() {
    let gateway = Gateway::start().await;
    let (office, _) = office_sending(&gateway, sends("at-once")).await;
    let arrival = Arrival {
        door: Declared {
            origin: Origin::Incoming,
            ..Declared::default()
        },
        ..Arrival::new("drop:F-1.xml", invoice("F-1", 900))
    };
    let own = Arrival {
        said: Said {
            origin: Some(Origin::Own),
            ..Said::default()
        },
        door: arrival.door,
        ..Arrival::new("drop:F-2.xml", invoice("F-2", 900))
    };

    let taking = gateway
        .house
        .ingest
        .take(office.firm, vec![arrival, own], gateway.now());
    taking.await.unwrap();

    assert_eq!(stand(&gateway, &office).await, ["approval", "offered"]);
}

/// The commands, and a server that runs beside them.
#[test]
fn an_operator_sets_the_rules_and_the_server_keeps_them() {
    let mut program = Program::init();
    program.device("server", "pull", "ACME");
    program.ok(&["link", "set", "kantoor", "ACME", "--transfer", "after=1s"]);
    program.ok(&[
        "firm",
        "set",
        "kantoor",
        "--night",
        "03:30",
        "--transfer",
        "nightly",
    ]);
    let file = program.path("F-1.xml");
    std::fs::write(&file, invoice("F-1", 900)).unwrap();
    let file = file.to_str().unwrap();
    program.ok(&["ingest", "kantoor", file, "--origin", "incoming"]);
    let reason = |program: &Program| program.json(&["deliveries", "kantoor"])[0]["reason"].clone();
    assert_eq!(reason(&program), "approval");
    let glance = &program.json(&["status"])[0];
    assert_eq!(glance["held"][0]["reason"], "approval");
    assert_eq!(glance["devices"][0]["waiting"], 0);
    let refused = program.run(&["link", "set", "kantoor", "ACME", "--transfer", "sometimes"]);
    assert_eq!(refused.status.code(), Some(2));
    program.serve();

    program.ok(&["approve", "kantoor", "F-1"]);

    // The server's clock brings it; there is nothing else to wait for.
    wait_until(|| program.states() == ["offered"]);
    let glance = &program.json(&["status", "kantoor"])[0];
    assert_eq!(
        (&glance["devices"][0]["waiting"], &glance["held"]),
        (&1.into(), &serde_json::json!([]))
    );
    let shown = program.json(&["link", "show", "kantoor", "ACME"]);
    assert_eq!(shown[0]["transfer"], "after=1s");
    let firm = program.json(&["firm", "show", "kantoor"]);
    assert_eq!(
        (firm[0]["night"].as_str(), firm[0]["transfer"].as_str()),
        (Some("03:30"), Some("nightly"))
    );
}

/// Changes the catalog from outside.
pub async fn tamper(gateway: &Gateway, statement: &'static str) {
    tamper_with(&gateway.catalog_file(), statement).await;
}

pub async fn tamper_with(catalog: &Path, statement: &'static str) {
    use sqlx::Connection as _;
    let file = format!("sqlite://{}", catalog.display());
    let mut other = sqlx::SqliteConnection::connect(&file).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut other).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_sent_waits_a_minute_and_the_rest_goes_on_at_its_hour() {
    let gateway = Gateway::start().await;
    let (office, _) = office_sending(&gateway, sends("after=10s")).await;
    let scheduler = scheduler(&gateway);
    let run = async || scheduler.run_due(gateway.now()).await.unwrap();
    for number in ["F-1", "F-2"] {
        receive_said(&gateway, &office, number, Said::default()).await;
    }
    tamper(
        &gateway,
        "update document set reading = 'x' || reading where id = 1",
    )
    .await;
    gateway.pass_ms(10_000);

    let first = run().await;
    assert_eq!((first.sent, first.failed.len()), (1, 1));
    receive_said(&gateway, &office, "F-3", Said::default()).await;
    gateway.pass_ms(10_000);
    let second = run().await;
    assert_eq!(
        (second.sent, second.failed.len()),
        (1, 0),
        "one rests, one goes"
    );
    gateway.pass_ms(50_000);
    assert_eq!(run().await.failed, first.failed, "it is tried again");
    tamper(
        &gateway,
        "update document set reading = substr(reading, 2) where id = 1",
    )
    .await;
    gateway.pass_ms(60_000);
    assert_eq!(run().await.sent, 1);
}

#[tokio::test]
async fn a_due_row_that_nobody_understands_holds_up_no_other() {
    let gateway = Gateway::start().await;
    let (office, _) = office_sending(&gateway, sends("after=10s")).await;
    for number in ["F-1", "F-2"] {
        receive_said(&gateway, &office, number, Said::default()).await;
    }
    tamper(
        &gateway,
        "update delivery set digest = 'x' || digest where id = 1",
    )
    .await;
    gateway.pass_ms(10_000);

    assert_eq!(run_due(&gateway).await, 1);

    tamper(
        &gateway,
        "update delivery set digest = substr(digest, 2) where id = 1",
    )
    .await;
    assert_eq!(run_due(&gateway).await, 1);
}

#[tokio::test]
async fn what_is_to_be_sent_by_hand_is_so_when_its_link_is_replaced() {
    let gateway = Gateway::start().await;
    let (office, device) = office_sending(&gateway, sends("manual")).await;
    receive_said(&gateway, &office, "F-1", Said::default()).await;
    let incoming = Said {
        origin: Some(Origin::Incoming),
        ..Said::default()
    };
    receive_said(&gateway, &office, "F-2", incoming).await;
    assert_eq!(stand(&gateway, &office).await, ["manual", "approval"]);
    let (catalog, sending) = (&gateway.house.catalog, &gateway.house.sending);
    let look_again = async |waiting| {
        let looking = sending.look_again(office.firm, waiting, gateway.now());
        looking.await.unwrap().sent
    };
    let link_of_now = catalog.links(office.firm).await.unwrap().remove(0);
    let removing = catalog.remove_link(office.firm, &link_of_now, gateway.now());
    removing.await.unwrap();
    assert_eq!(look_again(Waiting::Stays).await, 0);
    assert_eq!(stand(&gateway, &office).await, ["manual", "no_link"]);

    link(&gateway, &office, sends("at-once"), Some(device.id)).await;

    // The one was for a person; the other is for the rule of the new link, which wants approval too.
    assert_eq!(look_again(Waiting::Stays).await, 0);
    assert_eq!(stand(&gateway, &office).await, ["manual", "approval"]);
    receive_said(&gateway, &office, "F-3", Said::default()).await;
    let now = ["manual", "approval", "offered"];
    assert_eq!(stand(&gateway, &office).await, now);
    let next = catalog.links(office.firm).await.unwrap().remove(0).id;
    assert_eq!(look_again(Waiting::FollowsFirm).await, 0, "it has its own");
    let asked = look_again(Waiting::FollowsOf(next)).await;
    assert_eq!(asked, 1, "as somebody asked");
}

#[tokio::test]
async fn what_was_to_be_sent_by_hand_through_a_link_that_is_gone_is_sent_through_the_next() {
    let gateway = Gateway::start().await;
    let (office, device) = office_sending(&gateway, sends("manual")).await;
    receive_said(&gateway, &office, "F-1", Said::default()).await;
    let (catalog, sending) = (&gateway.house.catalog, &gateway.house.sending);
    let old = catalog.links(office.firm).await.unwrap().remove(0);
    let removing = catalog.remove_link(office.firm, &old, gateway.now());
    removing.await.unwrap();
    let rows = catalog.delivery_rows(office.firm, 0, 9).await.unwrap();
    let id = rows[0].delivery.id;
    let send = async || sending.send(office.firm, id, None, gateway.now()).await;
    assert!(matches!(send().await, Err(Error::NoWay { .. })));

    link(&gateway, &office, sends("at-once"), Some(device.id)).await;
    let looking = sending.look_again(office.firm, Waiting::Stays, gateway.now());
    assert_eq!(looking.await.unwrap().sent, 0);

    send().await.unwrap();
    assert_eq!(stand(&gateway, &office).await, ["offered"]);
}

#[tokio::test]
async fn a_change_after_which_nobody_looked_again_is_seen_by_whoever_serves_and_once() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    receive_said(&gateway, &office, "F-1", Said::default()).await;
    let scheduler = scheduler(&gateway);
    let run = async || {
        let (looked, released) = scheduler.run_changed(gateway.now()).await.unwrap();
        assert_eq!(released.failed, []);
        (looked, released.sent)
    };
    assert_eq!(run().await, (1, 0), "as after each start");
    assert_eq!(run().await, (0, 0));

    // The command was cut here.
    link(&gateway, &office, sends("at-once"), Some(device.id)).await;
    assert_eq!(run().await, (0, 0), "there may be more changes");
    gateway.pass_ms(5_000);
    assert_eq!(run().await, (1, 1));
    assert_eq!(stand(&gateway, &office).await, ["offered"]);

    // What was offered opened a folder, which moves the version, too; so does a key. Neither sets anything free.
    let catalog = &gateway.house.catalog;
    let server = catalog.device(office.firm, "server").await.unwrap();
    let fingerprint = &server.keys[0].fingerprint;
    let expiring = (fingerprint.as_str(), Some(gateway.now()));
    let setting = catalog.set_key_expiry(&server, expiring, gateway.now());
    setting.await.unwrap();
    for _ in 0..10 {
        gateway.pass_ms(5_000);
        assert_eq!(run().await, (0, 0));
    }
    let setting = catalog.make_default(office.firm, &server, gateway.now());
    setting.await.unwrap();
    assert_eq!(run().await, (0, 0));
    gateway.pass_ms(5_000);
    assert_eq!(run().await, (1, 0));
}

#[tokio::test]
async fn what_could_not_be_looked_at_after_a_change_is_so_again_and_holds_up_no_other() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    for number in ["F-1", "F-2"] {
        receive_said(&gateway, &office, number, Said::default()).await;
    }
    let broken = "update document set reading = 'x' || reading where id = 1";
    tamper(&gateway, broken).await;
    link(&gateway, &office, sends("at-once"), Some(device.id)).await;
    let scheduler = scheduler(&gateway);
    let run = async || scheduler.run_changed(gateway.now()).await.unwrap().1;

    let first = run().await;
    assert_eq!((first.sent, first.failed.len()), (1, 1));
    assert_eq!(run().await, Released::default());
    let mended = "update document set reading = substr(reading, 2) where id = 1";
    tamper(&gateway, mended).await;
    gateway.pass_ms(60_000);
    assert_eq!(run().await.sent, 1);
    assert_eq!(stand(&gateway, &office).await, ["offered", "offered"]);
}

/// What moves with each commit to a gateway's catalog, as another process sees it.
struct Commits(sqlx::SqliteConnection);

impl Commits {
    async fn of(gateway: &Gateway) -> Self {
        use sqlx::Connection as _;
        let file = format!("sqlite://{}", gateway.catalog_file().display());
        Self(sqlx::SqliteConnection::connect(&file).await.unwrap())
    }

    async fn seen(&mut self) -> i64 {
        use sqlx::Row as _;
        let asked = sqlx::query("pragma data_version").fetch_one(&mut self.0);
        asked.await.unwrap().get(0)
    }
}

#[tokio::test]
async fn a_look_after_which_all_waits_as_before_writes_nothing_and_disturbs_nobody() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    let other = gateway.dossier(&office, "De Molen", &[MILL]).await;
    let later = "after=10m".parse().unwrap();
    let linking = gateway.link_as(&office, other, "expertm", "MOLEN", Some(device.id), later);
    linking.await;
    for number in ["F-1", "F-2"] {
        receive_said(&gateway, &office, number, Said::default()).await;
    }
    let nobodys = invoice_between("0500453583", "0762986459", "F-3", 900);
    gateway.receive(&office, nobodys).await;
    let stands = stand(&gateway, &office).await;
    let due = "due 2026-03-14T08:10:00.000Z";
    assert!(stands.iter().any(|line| line == due), "{stands:?}");
    for reason in ["no_link", "unknown_dossier"] {
        assert!(stands.iter().any(|line| line == reason), "{stands:?}");
    }
    let (catalog, sending) = (&gateway.house.catalog, &gateway.house.sending);
    let mut commits = Commits::of(&gateway).await;
    let (seen, moment) = (commits.seen().await, catalog.moment_now().await.unwrap());

    for waiting in [Waiting::Stays, Waiting::FollowsFirm] {
        let looking = sending.look_again(office.firm, waiting, gateway.now());
        assert_eq!(looking.await.unwrap(), Released::default());
    }

    assert_eq!(commits.seen().await, seen);
    assert_eq!(catalog.moment_now().await.unwrap(), moment);
    assert_eq!(stand(&gateway, &office).await, stands);
    // It would be seen.
    link(&gateway, &office, sends("at-once"), Some(device.id)).await;
    assert_ne!(commits.seen().await, seen);
}

#[tokio::test]
async fn what_fails_for_good_is_not_looked_at_again_whenever_the_version_moves() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    for number in ["F-1", "F-2"] {
        receive_said(&gateway, &office, number, Said::default()).await;
    }
    let broken = "update document set reading = 'x' || reading where id = 1";
    tamper(&gateway, broken).await;
    link(&gateway, &office, sends("at-once"), Some(device.id)).await;
    let scheduler = scheduler(&gateway);
    let run = async || {
        let (looked, released) = scheduler.run_changed(gateway.now()).await.unwrap();
        (looked, released.sent, released.failed.len())
    };
    assert_eq!(run().await, (1, 1, 1));
    let catalog = &gateway.house.catalog;
    let server = catalog.device(office.firm, "server").await.unwrap();

    // What was sent opened a folder, and each of these moves the version, too.
    for _ in 0..10 {
        let expiring = (server.keys[0].fingerprint.as_str(), Some(gateway.now()));
        let setting = catalog.set_key_expiry(&server, expiring, gateway.now());
        setting.await.unwrap();
        assert_eq!(run().await, (0, 0, 0));
        gateway.pass_ms(5_000);
        assert_eq!(run().await, (0, 0, 0));
    }

    gateway.pass_ms(10_000);
    assert_eq!(run().await, (1, 0, 1), "its minute is over");
    let setting = catalog.make_default(office.firm, &server, gateway.now());
    setting.await.unwrap();
    assert_eq!(run().await, (0, 0, 0));
    gateway.pass_ms(5_000);
    assert_eq!(run().await, (1, 0, 1), "it might go now");
    gateway.pass_ms(60_000);
    assert_eq!(run().await, (1, 0, 1), "and its rests begin anew");
    let mended = "update document set reading = substr(reading, 2) where id = 1";
    tamper(&gateway, mended).await;
}

#[tokio::test]
async fn where_the_catalog_itself_fails_nothing_more_is_tried() {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    for number in ["F-1", "F-2", "F-3"] {
        receive_said(&gateway, &office, number, Said::default()).await;
    }
    link(&gateway, &office, sends("at-once"), Some(device.id)).await;
    let scheduler = scheduler(&gateway);
    let (file, aside) = (
        gateway.catalog_file(),
        gateway.house.config.data.join("aside"),
    );
    std::fs::rename(&file, &aside).unwrap();

    let looked = scheduler.run_changed(gateway.now()).await;

    std::fs::rename(&aside, &file).unwrap();
    assert!(matches!(looked, Err(Error::Catalog(_))), "{looked:?}");
    // The first was written before it was found; nobody went on.
    let waits = ["offered", "no_link", "no_link"];
    assert_eq!(stand(&gateway, &office).await, waits);
    assert_eq!(scheduler.run_changed(gateway.now()).await.unwrap().0, 0);
    gateway.pass_ms(60_000);
    let (_, released) = scheduler.run_changed(gateway.now()).await.unwrap();
    assert_eq!(released.sent, 2);
}

#[tokio::test]
async fn what_waits_is_tried_within_a_minute_of_the_end_of_a_failure_of_the_catalog_however_long_it_was()
 {
    let gateway = Gateway::start().await;
    let office = gateway.office("peeters").await;
    let device = gateway.device(&office, "server", DeviceKind::Pull).await;
    for number in 1..=8 {
        receive_said(&gateway, &office, &format!("F-{number}"), Said::default()).await;
    }
    link(&gateway, &office, sends("at-once"), Some(device.id)).await;
    let scheduler = scheduler(&gateway);
    let (file, aside) = (
        gateway.catalog_file(),
        gateway.house.config.data.join("aside"),
    );

    for _ in 0..4 {
        std::fs::rename(&file, &aside).unwrap();
        let looked = scheduler.run_changed(gateway.now()).await;
        std::fs::rename(&aside, &file).unwrap();
        assert!(matches!(looked, Err(Error::Catalog(_))), "{looked:?}");
        gateway.pass_ms(60_000);
    }

    assert_eq!(scheduler.run_changed(gateway.now()).await.unwrap().0, 1);
    assert_eq!(stand(&gateway, &office).await, ["offered"; 8]);
}

#[tokio::test]
async fn what_is_due_waits_for_the_catalog_that_fails() {
    let gateway = Gateway::start().await;
    let (office, _) = office_sending(&gateway, sends("after=10s")).await;
    receive_said(&gateway, &office, "F-1", Said::default()).await;
    gateway.pass_ms(10_000);
    let (file, aside) = (
        gateway.catalog_file(),
        gateway.house.config.data.join("aside"),
    );
    std::fs::rename(&file, &aside).unwrap();

    let sent = scheduler(&gateway).run_due(gateway.now()).await;

    std::fs::rename(&aside, &file).unwrap();
    assert!(matches!(sent, Err(Error::Catalog(_))), "{sent:?}");
}

#[tokio::test]
async fn of_many_that_cannot_be_looked_at_the_log_has_one_line() {
    let mut program = Program::init();
    program.device("server", "pull", "ACME");
    program.ok(&["link", "remove", "kantoor", "ACME"]);
    program.ingest(&["F-1", "F-2", "F-3"].map(|number| invoice(number, 900)));
    let catalog = program.path("sluis/data/catalog.sqlite");
    tamper_with(&catalog, "update document set reading = 'x' || reading").await;

    program.serve();

    wait_until(|| program.log_says("nor at 2 more: 2, 3"));
    assert_eq!(program.log_count("Could not look again at delivery"), 1);
}

#[tokio::test]
async fn a_command_that_could_not_look_at_what_waits_says_so_and_fails() {
    let program = Program::init();
    program.device_of("server", "pull");
    program.ingest(&[invoice("F-1", 900), invoice("F-2", 900)]);
    let catalog = program.path("sluis/data/catalog.sqlite");
    let broken = "update document set reading = 'x' || reading where id = 1";
    tamper_with(&catalog, broken).await;
    let add = [
        "link",
        "add",
        "kantoor",
        "De Korenaar",
        "--device",
        "server",
    ];

    let added = program.run(&[&add[..], &["--profile", "expertm", "--code", "ACME"]].concat());

    let told = String::from_utf8_lossy(&added.stderr);
    assert!(!added.status.success(), "{told}");
    assert!(told.contains("one waiting document was offered"), "{told}");
    let waits = "delivery 1 waits on, for it could not be looked at again: ";
    assert!(told.contains(waits), "{told}");
    assert_eq!(program.json(&["link", "list", "kantoor"]).len(), 1);
}

#[test]
fn what_a_link_held_that_is_removed_goes_through_the_other_one() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let set = ["link", "set", "kantoor", "ACME", "--transfer", "after=1d"];
    program.ok(&set);
    program.ingest(&[invoice("F-1", 900)]);
    let add = [
        "link",
        "add",
        "kantoor",
        "De Korenaar",
        "--device",
        "server",
    ];
    program.ok(&[&add[..], &["--profile", "bob-demat", "--code", "BOB"]].concat());

    let removed = program.run(&["link", "remove", "kantoor", "ACME"]);

    let told = String::from_utf8_lossy(&removed.stderr);
    assert!(removed.status.success(), "{told}");
    assert!(told.contains("one waiting document was offered"), "{told}");
}

#[tokio::test]
async fn a_server_that_runs_looks_again_after_a_command_that_was_cut() {
    let mut program = Program::init();
    program.device_of("server", "pull");
    let add = ["link", "add", "kantoor", "De Korenaar", "--profile"];
    program.ok(&[&add[..], &["expertm", "--code", "ACME"]].concat());
    program.ok(&[&add[..], &["bob-demat", "--code", "BOB"]].concat());
    program.ingest(&[invoice("F-1", 900)]);
    // A command would look again itself; these were cut before.
    let file = program.path("sluis/data/catalog.sqlite");
    let catalog = Catalog::open(&file).await.unwrap();
    let links = catalog.links(FirmId(1)).await.unwrap();
    let cut = async |nth: usize| {
        let (link, now) = (&links[nth], Timestamp(1_000));
        let setting = catalog.set_link(link, Some(DeviceId(1)), &link.sends, now);
        setting.await.unwrap();
    };
    cut(0).await;
    program.serve();
    wait_until(|| program.states() == ["offered", "held"]);

    cut(1).await;

    wait_until(|| program.states() == ["offered", "offered"]);
}
