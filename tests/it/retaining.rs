//! How long do things stay, and what is left when their time is over?

use std::process::Stdio;

use russh_sftp::protocol::StatusCode;
use sluis::alarm::Subject;
use sluis::audit;
use sluis::catalog::{NewLegalHold, NewWebhook};
use sluis::dispatch::Secret;
use sluis::evidence::chain::Misfit;
use sluis::keeping::Run;
use sluis::lookout::FolderLooks;
use sluis::model::{DeviceKind, Digest, EventSeq, LegalHoldId, Retention};
use sluis::retention::HoldOn;

use crate::gateway::{Gateway, Login, Office, invoice, until};
use crate::program::Program;
use crate::receiver::{Receiver, Seen};
use crate::telling;

const INBOX: &str = "/expertm/ACME/Te Verwerken/Aankopen";
const DONE: &str = "/expertm/ACME/Verwerkt/Aankopen";
const NAME: &str = "20260314-00001_F-1_0451827384.xml";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// An office whose device has collected an invoice in the morning.
async fn collected() -> (Gateway, Office, Login) {
    let gateway = Gateway::start_with(telling::ALLOW).await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let peer = gateway.connect(&device).await;
    peer.get(&format!("{INBOX}/{NAME}")).await.unwrap();
    peer.leave().await;
    all_ended(&gateway, &office).await;
    gateway.pass_ms(1);
    (gateway, office, device)
}

/// Waits until every session has ended, as the catalog has it.
async fn all_ended(gateway: &Gateway, office: &Office) {
    let catalog = &gateway.house.catalog;
    until(async || {
        let grounds = catalog.grounds(office.firm).await.unwrap();
        grounds.oldest_session.is_none()
    })
    .await;
}

async fn keeps(gateway: &Gateway, office: &Office, times: [&str; 3]) {
    let [in_view, documents, events] = times.map(|text| text.parse().unwrap());
    let keeps = Retention::new(in_view, documents, events).unwrap();
    let catalog = &gateway.house.catalog;
    let firm = catalog.firm_by_id(office.firm).await.unwrap();
    let setting = catalog.set_retention(&firm, &keeps, gateway.now());
    setting.await.unwrap();
}

/// What a run of the server does; returns what became of documents, and how many blobs went.
async fn run(gateway: &Gateway, office: &Office) -> (Run, u64) {
    let keeping = gateway.house.keeping();
    let run = keeping.run_firm(office.firm).await.unwrap();
    (run, keeping.sweep_all().await.unwrap())
}

async fn blobs(gateway: &Gateway) -> usize {
    gateway.house.blobs.list().await.unwrap().0.len()
}

#[tokio::test]
async fn what_was_collected_shows_for_sixty_days_and_reading_it_changes_nothing() {
    let (gateway, office, device) = collected().await;
    let before = gateway.events(&office).await;
    let path = format!("{DONE}/{NAME}");

    gateway.pass_ms(60 * DAY_MS - 10);
    let peer = gateway.connect(&device).await;
    assert_eq!(peer.list(DONE).await.unwrap(), [NAME]);
    assert_eq!(peer.get(&path).await.unwrap().len(), 2000);
    assert_eq!(peer.remove(&path).await, Err(StatusCode::PermissionDenied));
    let moved = peer.rename(&path, &format!("{INBOX}/{NAME}")).await;
    assert_eq!(moved, Err(StatusCode::PermissionDenied));
    let put = peer.put(&path, b"other").await;
    assert_eq!(put, Err(StatusCode::Failure)); // its CLOSE: it is no copy

    gateway.pass_ms(DAY_MS);
    // Who has seen it may open it as long as he is connected; who comes now does not see it.
    assert_eq!(peer.list(DONE).await.unwrap(), [NAME]);
    assert_eq!(peer.get(&path).await.unwrap().len(), 2000);
    let later = gateway.connect(&device).await;
    assert_eq!(later.list(DONE).await.unwrap(), Vec::<String>::new());
    assert!(!later.exists(&path).await);
    assert_eq!(gateway.events(&office).await, before);
    assert_eq!(
        gateway.deliveries(&office).await,
        [format!("{INBOX}/{NAME} collected")]
    );
}

#[tokio::test]
async fn a_mount_sees_what_it_processed_as_long_as_its_firm_has_it() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Mount).await;
    keeps(&gateway, &office, ["10d", "forever", "forever"]).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    gateway.receive(&office, invoice("F-2", 2000)).await;
    let peer = gateway.connect(&device).await;
    peer.remove(&format!("{INBOX}/{NAME}")).await.unwrap();

    gateway.pass_ms(11 * DAY_MS);
    // One that lasts is not cut short by a shorter time either.
    keeps(&gateway, &office, ["1d", "forever", "forever"]).await;
    assert_eq!(peer.list(DONE).await.unwrap(), [NAME]);
    peer.leave().await;
    let peer = gateway.connect(&device).await;

    assert_eq!(peer.list(DONE).await.unwrap(), Vec::<String>::new());
    let waiting = "20260314-00002_F-2_0451827384.xml";
    assert_eq!(
        peer.list(INBOX).await.unwrap(),
        [waiting],
        "what waits stays"
    );
}

#[tokio::test]
async fn nothing_is_destroyed_unless_the_firm_asked_for_it() {
    let (gateway, office, _) = collected().await;
    gateway.pass_ms(99 * 366 * DAY_MS);

    assert_eq!(run(&gateway, &office).await, (Run::default(), 0));
    assert_eq!(blobs(&gateway).await, 1);
}

#[tokio::test]
async fn a_document_whose_time_is_over_goes_with_its_bytes_and_may_come_again() {
    let (gateway, office, device) = collected().await;
    keeps(&gateway, &office, ["30d", "30d", "forever"]).await;
    gateway.pass_ms(29 * DAY_MS);
    assert_eq!(run(&gateway, &office).await, (Run::default(), 0));
    gateway.pass_ms(DAY_MS);

    let (run, swept) = run(&gateway, &office).await;

    assert_eq!((run.expired, run.bytes, swept), (1, 2000, 1));
    assert_eq!(blobs(&gateway).await, 0);
    assert_eq!(gateway.deliveries(&office).await, Vec::<String>::new());
    assert_eq!(
        gateway.events(&office).await,
        ["kept", "offered", "collected", "expired"]
    );
    let digest = Digest::of(&invoice("F-1", 2000)).to_string();
    let rows = gateway.house.catalog.events(office.firm, EventSeq(0), 100);
    let told = rows.await.unwrap().pop().unwrap().event.detail;
    assert!(
        told.starts_with(&format!("{digest} (2000 bytes)")),
        "{told}"
    );

    gateway.receive(&office, invoice("F-1", 2000)).await;
    let peer = gateway.connect(&device).await;
    let again = peer.list(INBOX).await.unwrap();
    assert_eq!(again, ["20260413-00001_F-1_0451827384.xml"], "a new name");
    let bytes = peer.get(&format!("{INBOX}/{}", again[0])).await.unwrap();
    assert_eq!(bytes, invoice("F-1", 2000));
}

#[tokio::test]
async fn bytes_that_another_firm_keeps_stay() {
    let (gateway, office, _) = collected().await;
    let other = gateway.office("janssens").await;
    gateway.receive(&other, invoice("F-1", 2000)).await;
    keeps(&gateway, &office, ["30d", "30d", "30d"]).await;
    gateway.pass_ms(31 * DAY_MS);

    let (run, swept) = run(&gateway, &office).await;

    assert_eq!((run.expired, swept, blobs(&gateway).await), (1, 0, 1));
    let digest = Digest::of(&invoice("F-1", 2000));
    assert!(gateway.house.blobs.whole(digest).await.is_ok());
}

#[tokio::test]
async fn a_document_that_waits_never_expires() {
    let gateway = Gateway::start().await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    keeps(&gateway, &office, ["1d", "1d", "1d"]).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    // Partly read, it waits too.
    let peer = gateway.connect(&device).await;
    let handle = peer.open(&format!("{INBOX}/{NAME}")).await.unwrap();
    peer.read(&handle, 0, 1000).await.unwrap();
    peer.close(&handle).await.unwrap();
    peer.leave().await;
    all_ended(&gateway, &office).await;
    gateway.pass_ms(999 * DAY_MS);

    let (waits, _) = run(&gateway, &office).await;
    assert_eq!((waits.expired, waits.waiting), (0, 1));

    let peer = gateway.connect(&device).await;
    peer.get(&format!("{INBOX}/{NAME}")).await.unwrap();
    peer.leave().await;
    all_ended(&gateway, &office).await;
    let (young, _) = run(&gateway, &office).await;
    assert_eq!(
        young,
        Run::default(),
        "its time begins when it was collected"
    );
    gateway.pass_ms(DAY_MS);
    assert_eq!(run(&gateway, &office).await.0.expired, 1);
}

#[tokio::test]
async fn a_document_stays_as_long_as_a_session_shows_it() {
    let (gateway, office, device) = collected().await;
    keeps(&gateway, &office, ["10d", "10d", "10d"]).await;
    let peer = gateway.connect(&device).await;
    assert_eq!(peer.list(DONE).await.unwrap(), [NAME]);
    gateway.pass_ms(11 * DAY_MS);

    let (seen, _) = run(&gateway, &office).await;

    assert_eq!((seen.expired, seen.in_view), (0, 1));
    let bytes = peer.get(&format!("{DONE}/{NAME}")).await.unwrap();
    assert_eq!(bytes.len(), 2000);
    peer.leave().await;
    all_ended(&gateway, &office).await;
    assert_eq!(run(&gateway, &office).await.0.expired, 1);
}

#[tokio::test]
async fn a_legal_hold_keeps_a_document_until_it_is_released() {
    let (gateway, office, _) = collected().await;
    keeps(&gateway, &office, ["10d", "10d", "20d"]).await;
    let catalog = &gateway.house.catalog;
    let new = NewLegalHold {
        on: HoldOn::Dossier(office.dossier),
        reason: "a dispute",
        by: "An",
    };
    let now = gateway.now();
    let hold = catalog
        .place_legal_hold(office.firm, &new, now)
        .await
        .unwrap();
    gateway.pass_ms(30 * DAY_MS);

    let (held, _) = run(&gateway, &office).await;
    assert_eq!((held.expired, held.held), (0, 1));

    let released = async |id| {
        let releasing = catalog.release_legal_hold(office.firm, id, ("An", "settled"), now);
        releasing.await.unwrap()
    };
    assert!(!released(LegalHoldId(99)).await);
    assert!(released(hold).await && !released(hold).await);
    assert_eq!(run(&gateway, &office).await.0.expired, 1);
}

#[tokio::test]
async fn what_happened_is_forgotten_provably_and_nobody_else_can_blank_it() {
    let (mut gateway, office, device) = collected().await;
    keeps(&gateway, &office, ["10d", "10d", "20d"]).await;
    gateway.receive(&office, invoice("F-2", 2000)).await;
    gateway.pass_ms(10 * DAY_MS);
    assert_eq!(run(&gateway, &office).await.0.expired, 1);
    gateway.pass_ms(10 * DAY_MS);

    let (forgot, _) = run(&gateway, &office).await;

    assert_eq!(forgot.forgotten, 3, "kept, offered, collected");
    let catalog = gateway.house.catalog.clone();
    let verified = audit::verify(&catalog, office.firm, None).await.unwrap();
    assert_eq!((verified.misfit, verified.forgotten), (None, 3));
    assert_eq!(
        gateway.events(&office).await,
        ["kept", "offered", "expired", "forgotten"]
    );
    let rows = catalog.events(office.firm, EventSeq(0), 100).await.unwrap();
    let shown = format!("{rows:?}");
    assert!(!shown.contains("F-1_") && shown.contains("F-2_"), "{shown}");
    assert_eq!(run(&gateway, &office).await.0.forgotten, 0);
    assert!(
        catalog
            .expired(office.firm, "F-1")
            .await
            .unwrap()
            .is_empty()
    );

    // The other document goes on as if nothing had been.
    let peer = gateway.connect(&device).await;
    let other = peer.list(INBOX).await.unwrap().remove(0);
    peer.get(&format!("{INBOX}/{other}")).await.unwrap();
    let kept = rows.iter().find(|row| row.event.kind.as_str() == "kept");
    let seq = kept.unwrap().seq;
    gateway.tampered = true;
    tamper(&gateway, seq).await;
    let verified = audit::verify(&catalog, office.firm, None).await.unwrap();
    assert_eq!(verified.misfit, Some(Misfit::Blanked { seq }));
}

#[tokio::test]
async fn a_receiver_is_told_of_the_end_and_of_nothing_that_was_forgotten() {
    let (gateway, office, _) = collected().await;
    keeps(&gateway, &office, ["10d", "10d", "20d"]).await;
    for _ in 0..2 {
        gateway.pass_ms(10 * DAY_MS);
        run(&gateway, &office).await;
    }
    let receiver = Receiver::start().await;
    let new = NewWebhook {
        url: &receiver.url(),
        origin: "there",
        kinds: &[],
        secret: &Secret::shown([7; 32]),
        from: Some(EventSeq(0)),
    };
    let adding = gateway
        .house
        .catalog
        .add_webhook(office.firm, &new, gateway.now());
    adding.await.unwrap();

    telling::dispatcher(&gateway).turn().await.unwrap();

    let told: Vec<_> = receiver
        .seen()
        .iter()
        .map(|seen| seen.json()["type"].clone())
        .collect();
    assert_eq!(told, ["expired", "forgotten"]);
}

#[tokio::test]
async fn what_is_told_again_after_a_document_has_expired_is_the_same_until_it_is_forgotten() {
    let gateway = Gateway::start_with(telling::ALLOW).await;
    let (office, device) = gateway.office_with(DeviceKind::Pull).await;
    keeps(&gateway, &office, ["1d", "1d", "30d"]).await;
    let receiver = Receiver::start().await;
    telling::webhook(&gateway, &office, &receiver.url()).await;
    let dispatcher = telling::dispatcher(&gateway);
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let peer = gateway.connect(&device).await;
    peer.get(&format!("{INBOX}/{NAME}")).await.unwrap();
    peer.leave().await;
    all_ended(&gateway, &office).await;
    dispatcher.turn().await.unwrap();
    let before = receiver.seen();
    let told = |seen: &[Seen]| -> Vec<_> {
        let kinds = seen.iter().map(|one| one.json()["type"].clone());
        kinds.collect()
    };
    assert_eq!(told(&before), ["kept", "offered", "collected"]);
    // Its answers were lost: all is told once more, and the document has expired meanwhile.
    gateway.pass_ms(2 * DAY_MS);
    run(&gateway, &office).await;
    rewind(&gateway).await;

    dispatcher.turn().await.unwrap();

    let after = receiver.seen().split_off(before.len());
    assert_eq!(told(&after), ["kept", "offered", "collected", "expired"]);
    for (first, again) in before.iter().zip(&after) {
        assert_eq!((&first.id, &first.body), (&again.id, &again.body));
    }
    // Its end is told the same before and after the rest is forgotten.
    gateway.pass_ms(30 * DAY_MS);
    run(&gateway, &office).await;
    rewind(&gateway).await;
    dispatcher.turn().await.unwrap();
    let last = receiver.seen().split_off(before.len() + after.len());
    assert_eq!(told(&last), ["expired", "forgotten"]);
    assert_eq!((&last[0].id, &last[0].body), (&after[3].id, &after[3].body));
}

/// Sets what a webhook was told back to nothing, as a power cut does with the last of it.
async fn rewind(gateway: &Gateway) {
    use sqlx::Connection as _;
    let url = format!("sqlite://{}", gateway.catalog_file().display());
    let mut catalog = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let rewinding = sqlx::query("update webhook set cursor_seq = 0").execute(&mut catalog);
    rewinding.await.unwrap();
    catalog.close().await.unwrap();
}

/// Blanks an event behind everybody's back.
async fn tamper(gateway: &Gateway, seq: EventSeq) {
    use sqlx::Connection as _;
    let url = format!("sqlite://{}", gateway.catalog_file().display());
    let mut catalog = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(
        "update event set kind = 'blank', detail = '', document_id = null, delivery_id = null,
                device_id = null, session_id = null where seq = $1",
    )
    .bind(seq.0)
    .execute(&mut catalog)
    .await
    .unwrap();
}

/// A program whose firm keeps documents for a day, with documents that nobody can read, as if of last week.
fn program_with_old(count: usize) -> (Program, Vec<Vec<u8>>) {
    let program = Program::init();
    program.ok(&[
        "firm",
        "set",
        "kantoor",
        "--keep-in-view",
        "1d",
        "--keep-documents",
        "1d",
    ]);
    let documents: Vec<_> = (0..count)
        .map(|at| format!("no invoice {at}").into_bytes())
        .collect();
    program.run(&["ingest", "kantoor", put(&program, &documents).as_str()]);
    program.query(&format!(
        "update document set received_at = received_at - {} returning id",
        7 * DAY_MS
    ));
    (program, documents)
}

/// Puts documents into a folder, and returns its name.
fn put(program: &Program, documents: &[Vec<u8>]) -> String {
    let folder = program.path("in");
    std::fs::create_dir_all(&folder).unwrap();
    for (at, bytes) in documents.iter().enumerate() {
        std::fs::write(folder.join(format!("{at:05}.xml")), bytes).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

fn check(program: &Program) {
    program.ok(&["fsck", "--deep"]);
    program.ok(&["events", "verify"]);
    program.ok(&["events", "replay"]);
}

#[test]
fn a_server_that_is_killed_while_documents_expire_and_arrive_again_loses_none() {
    const DOCUMENTS: usize = 240;
    let (mut program, documents) = program_with_old(DOCUMENTS);
    let folder = put(&program, &documents);
    let count = |program: &Program, table: &str| {
        program.query(&format!("select count(*) from {table}"))[0][0]
    };

    for round in 1_i64..=4 {
        program.serve();
        // Nobody can read them, so they go when a person lets them go.
        let mut remove = program.command(&["retention", "run", "--unread"]);
        let remove = remove.stdout(Stdio::null()).stderr(Stdio::null());
        let mut remove = remove.spawn().unwrap();
        // The same bytes come in through another program meanwhile.
        let mut ingest = program.command(&["ingest", "kantoor", &folder]);
        let ingest = ingest.stdout(Stdio::null()).stderr(Stdio::null());
        let mut ingest = ingest.spawn().unwrap();
        let until = round * 50;
        // What arrived again first is young, and stays: then there is nothing more to wait for.
        while count(&program, "expired") < until && ingest.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        program.kill();
        remove.kill().unwrap();
        remove.wait().unwrap();
        ingest.wait().unwrap();
        check(&program);
        program.query(&format!(
            "update document set received_at = received_at - {0}, again_at = again_at - {0} returning id",
            7 * DAY_MS
        ));
    }

    let first = program
        .json(&["retention", "run", "kantoor", "--unread"])
        .remove(0);
    assert_eq!(first["waiting"], 0, "{first}");
    check(&program);
    assert_eq!(count(&program, "document"), 0);
    assert_eq!(count(&program, "doomed"), 0);
    let left = program.ok(&["fsck", "--json"]);
    assert!(
        left.contains("\"contents\":0") && !left.contains("doomed"),
        "{left}"
    );
    program.run(&["ingest", "kantoor", &folder]);
    assert_eq!(
        count(&program, "document"),
        i64::try_from(DOCUMENTS).unwrap()
    );
    check(&program);
}

#[test]
fn what_no_document_names_is_told_and_stays_for_a_day() {
    let (program, _) = program_with_old(2);
    let orphan = Digest::of(b"left over").to_string();
    let folder = program.path("sluis/data/blobs").join(&orphan[..2]);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(&orphan), "left over").unwrap();

    let would = program.ok(&["retention", "run", "--dry-run", "--orphans"]);
    let did = program.json(&["retention", "run", "--orphans"]);

    assert!(
        would.contains("0 contents of 0 bytes would go that no document names"),
        "{would}"
    );
    assert!(did.iter().any(|line| line["orphans"] == 0), "{did:?}");
    let found = program.ok(&["fsck"]);
    assert!(found.contains(&format!("orphan  {orphan}")), "{found}");
    assert!(found.contains("sluis retention run --orphans"), "{found}");
    refused(&program, &["retention", "run", "kantoor", "--orphans"]);
}

/// Runs a command that must be refused, and returns what it said.
fn refused(program: &Program, arguments: &[&str]) -> String {
    let output = program.run(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn an_operator_says_how_long_and_sees_what_would_go() {
    let (program, _) = program_with_old(2);
    let said = refused(
        &program,
        &["firm", "set", "kantoor", "--keep-in-view", "2d"],
    );
    let unfit = "files cannot stay in view (2d) longer than their documents are kept (1d)";
    assert!(said.contains(unfit), "{said}");
    let firm = program.json(&["firm", "show", "kantoor"]).remove(0);
    assert_eq!(firm["keep_in_view"], "1d");
    assert_eq!(firm["keep_documents"], "1d");
    assert_eq!(firm["keep_events"], "forever");
    let exported = program.ok(&["export", "kantoor"]);
    assert!(exported.contains("keep_documents = \"1d\""), "{exported}");
    let file = program.path("kantoor.toml");
    std::fs::write(&file, exported.replace("\"forever\"", "\"3y\"")).unwrap();
    program.ok(&["apply", file.to_str().unwrap()]);
    let firm = program.json(&["firm", "show", "kantoor"]).remove(0);
    assert_eq!(firm["keep_events"], "3y");

    let would = program.json(&["retention", "run", "kantoor", "--dry-run", "--unread"]);

    assert_eq!(would[0]["expired"], 2);
    assert_eq!(would[0]["result"], "would");
    // What nobody could read waits for a person.
    let did = program.json(&["retention", "run", "kantoor"]);
    assert_eq!(
        (&did[0]["expired"], &did[0]["unread"]),
        (&0.into(), &2.into())
    );
    let shown = program.ok(&["retention", "show", "kantoor"]);
    assert!(
        shown.contains("2 as old stay, for they are in quarantine"),
        "{shown}"
    );
    assert_eq!(program.json(&["documents", "kantoor"]).len(), 2);
    check(&program);
}

#[test]
fn what_is_held_stays_and_of_what_is_gone_is_said_since_when() {
    let (program, documents) = program_with_old(2);
    let digest = Digest::of(&documents[0]).to_string();
    let hold = ["retention", "hold", "kantoor", "--by", "An", "--reason"];
    let hold = [&hold[..], &["a dispute", "--document", &digest]].concat();
    assert_eq!(program.json(&hold)[0]["hold"], 1);
    let did = program.json(&["retention", "run", "kantoor", "--unread"]);
    let did = &did[0];
    assert_eq!((&did["expired"], &did["held"]), (&1.into(), &1.into()));
    let shown = program.ok(&["retention", "show", "kantoor"]);
    assert!(shown.contains("1 on document 1, by An on 20"), "{shown}");
    let story = program.ok(&["explain", "kantoor", &digest, "--language", "en"]);
    assert!(story.contains("A legal hold lies on it since"), "{story}");
    let release = ["retention", "release", "kantoor", "1", "--by", "An"];
    program.ok(&[&release[..], &["--reason", "settled"]].concat());

    program.ok(&["retention", "run", "--unread"]);

    for arguments in [
        &["resend", "kantoor", &digest, "--reason", "lost"][..],
        &["receipt", "kantoor", &digest],
        &["receipt", "kantoor", "document:1"],
        &hold,
    ] {
        let said = refused(&program, arguments);
        let gone = "document 1 (without a number) expired on 20";
        assert!(said.contains(gone), "{arguments:?}: {said}");
    }
    let told = refused(
        &program,
        &["explain", "kantoor", &digest, "--language", "nl"],
    );
    let why = "want de tijd was om waarin dit kantoor documenten bewaart";
    assert!(told.contains(why), "{told}");
    let kinds: Vec<_> = program.json(&["events", "kantoor"]);
    for kind in [
        "expired",
        "legal_hold_placed",
        "legal_hold_released",
        "firm_changed",
    ] {
        assert!(kinds.iter().any(|row| row["kind"] == kind), "{kind}");
    }
    check(&program);
}

/// What is forgotten together must fit together: the story's end plays all events again.
#[tokio::test]
async fn an_alarm_goes_with_the_document_that_it_is_about() {
    let gateway = Gateway::start().await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    keeps(&gateway, &office, ["1d", "1d", "1d"]).await;
    gateway.receive(&office, invoice("F-1", 2000)).await;
    let lookout = gateway.house.lookout(FolderLooks::default());
    gateway.pass_ms(5 * DAY_MS);
    lookout.look(gateway.now()).await.unwrap();
    let up = gateway.house.catalog.alarms(office.firm).await.unwrap();
    assert!(up.iter().any(|alarm| alarm.document.is_some()));
    // Taken back while nobody looks out, and nobody does before it has expired.
    let delivery = up.iter().find_map(|alarm| match alarm.up.subject {
        Subject::Delivery(id) => Some(id),
        _ => None,
    });
    let sending = gateway.house.sending.clone();
    let taking = sending.withdraw(office.firm, delivery.unwrap(), "no more", gateway.now());
    taking.await.unwrap();
    gateway.pass_ms(2 * DAY_MS);

    let (gone, _) = run(&gateway, &office).await;

    assert_eq!(gone.expired, 1);
    assert!(gone.forgotten > 0);
    let up = gateway.house.catalog.alarms(office.firm).await.unwrap();
    assert!(up.iter().all(|alarm| alarm.document.is_none()));
    lookout.look(gateway.now()).await.unwrap();
}

#[test]
fn a_hold_on_a_dossier_that_is_not_the_only_one_called_so_is_refused() {
    let program = Program::init();
    let add = ["dossier", "add", "kantoor", "--name", "1", "--id"];
    program.ok(&[&add[..], &["0403019261"]].concat());
    let hold = ["retention", "hold", "kantoor", "--by", "An", "--reason"];
    let hold = |dossier| [&hold[..], &["a dispute", "--dossier", dossier]].concat();

    let refused = program.run(&hold("1"));

    assert!(
        !refused.status.success(),
        "the name of one, the id of another"
    );
    let shown = program.ok(&["retention", "show", "kantoor"]);
    assert!(!shown.contains("by An"), "{shown}");
    program.ok(&["dossier", "remove", "kantoor", "0403019261"]);
    let refused = program.run(&hold("2"));
    assert!(!refused.status.success(), "our id is said to be one");
    program.ok(&hold("dossier:2")); // taken out of use, with its documents
}

#[test]
fn a_hold_on_a_client_lies_on_what_was_called_so_before() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 2000)]);
    program.query("update delivery set state = 'collected', collected_at = 1 returning id");
    program.ok(&["link", "remove", "kantoor", "ACME"]);
    program.ok(&["dossier", "remove", "kantoor", "De Korenaar"]);
    let hold = [
        "retention",
        "hold",
        "kantoor",
        "--by",
        "An",
        "--reason",
        "a dispute",
    ];
    let hold = |on: [&'static str; 2]| [&hold[..], &on].concat();
    // Nobody is called so now.
    let by_code = program.json(&hold(["--dossier", "acme"]));
    assert_eq!((by_code.len(), &by_code[0]["dossier"]), (1, &1.into()));
    let add = ["dossier", "add", "kantoor", "--name", "de korenaar", "--id"];
    program.ok(&[&add[..], &["0403019261"]].concat());

    let told = program.ok(&hold(["--dossier", "0403019261"]));
    let one = program.ok(&hold(["--dossier", "dossier:2"]));
    let document = program.ok(&hold(["--document", "F-1"]));

    let removed = "on dossier 1 `De Korenaar`, which was taken out of use";
    for (told, on) in [
        (&told, "hold 2 on dossier 2 `de korenaar`:"),
        (&told, &format!("hold 3 {removed}:")[..]),
        (&one, "placed hold 4 on dossier 2 `de korenaar`:"),
        (&document, "hold 5 on document 1 (F-1 of Onderneming"),
    ] {
        assert!(told.contains(on), "{on}: {told}");
    }
    assert_eq!(one.lines().count(), 1);
    let shown = program.ok(&["retention", "show", "kantoor"]);
    assert!(
        shown.contains(&format!("3 {removed}, by An on 20")),
        "{shown}"
    );
    let release = [
        "retention",
        "release",
        "kantoor",
        "3",
        "--reason",
        "settled",
    ];
    assert_eq!(program.ok(&release), format!("released hold 3 {removed}\n"));
}
