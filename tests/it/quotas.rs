//! How much may the devices of a firm put in on a day?

use russh_sftp::protocol::StatusCode;
use sluis::model::DeviceKind;

use crate::gateway::{Gateway, Login, Office, fixture, invoice};
use crate::peer::Peer;
use crate::program::Program;
use crate::uploading::{CREATE, open, write};

const HOUR_MS: i64 = 60 * 60 * 1000;

async fn scene(limit: &str) -> (Gateway, Office, Login) {
    let gateway = Gateway::start_with(&format!("[uploads]\n{limit}")).await;
    let (office, _) = gateway.office_with(DeviceKind::Pull).await;
    let scanner = gateway.device(&office, "scanner", DeviceKind::Source).await;
    (gateway, office, scanner)
}

async fn put(peer: &Peer, number: &str) -> Result<(), StatusCode> {
    let path = format!("/in/{number}.xml");
    peer.put(&path, &invoice(number, 2000)).await
}

#[tokio::test]
async fn one_file_past_the_day_is_refused_until_midnight_at_the_office() {
    let (gateway, office, scanner) = scene("firm_day_files_max = 2").await;
    let other = gateway.office("ander").await;
    let theirs = gateway.device(&other, "scanner", DeviceKind::Source).await;
    let second = gateway.device(&office, "second", DeviceKind::Source).await;
    let peer = gateway.connect(&scanner).await;
    gateway.receive(&office, invoice("D-1", 2000)).await; // not from a device
    put(&peer, "F-1").await.unwrap();
    put(&peer, "F-1").await.unwrap(); // it is here: it takes no room
    put(&peer, "F-2").await.unwrap();

    let opened = open(&peer, "/in/F-3.xml", CREATE).await;
    assert_eq!(opened, Err(StatusCode::Failure));
    // The firm's, not the device's; and nobody else's.
    let peer2 = gateway.connect(&second).await;
    assert_eq!(put(&peer2, "F-4").await, Err(StatusCode::Failure));
    put(&gateway.connect(&theirs).await, "F-1").await.unwrap();

    assert_eq!(gateway.deliveries(&office).await.len(), 3);
    assert_eq!(peer.list("/rejected").await.unwrap(), ["F-3.xml.txt"]);
    let told = peer.get("/rejected/F-3.xml.txt").await.unwrap();
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("meer dan 2 bestanden"), "{told}");
    assert!(told.contains("Plaats het morgen opnieuw"), "{told}");
    // 09:00 in Brussels; the day ends fifteen hours later.
    gateway.pass_ms(15 * HOUR_MS - 1);
    assert_eq!(put(&peer, "F-3").await, Err(StatusCode::Failure));
    gateway.pass_ms(1);
    put(&peer, "F-3").await.unwrap();
    assert_eq!(gateway.deliveries(&office).await.len(), 4);
}

#[tokio::test]
async fn another_envelope_around_what_is_here_takes_room_of_its_own() {
    let (gateway, _, scanner) = scene("firm_day_files_max = 2").await;
    let peer = gateway.connect(&scanner).await;
    let envelope = fixture("sbdh-invoice.xml");
    peer.put("/in/a.xml", &envelope).await.unwrap();
    peer.put("/in/b.xml", &envelope).await.unwrap(); // it is here

    let another = [&envelope[..], b"\n"].concat();
    peer.put("/in/c.xml", &another).await.unwrap();

    let opened = open(&peer, "/in/d.xml", CREATE).await;
    assert_eq!(opened, Err(StatusCode::Failure));
}

#[tokio::test]
async fn a_restart_forgets_no_envelope_around_what_was_here() {
    let (mut gateway, office, scanner) = scene("firm_day_files_max = 3").await;
    let peer = gateway.connect(&scanner).await;
    let envelope = fixture("sbdh-invoice.xml");
    let around = |more: &str| [&envelope[..], more.as_bytes()].concat();
    peer.put("/in/a.xml", &envelope).await.unwrap();
    gateway.pass_ms(1);
    gateway.receive(&office, around("\n\n")).await; // not from a device
    gateway.pass_ms(1);
    peer.put("/in/b.xml", &around("\n")).await.unwrap();
    gateway.pass_ms(1);
    peer.put("/in/c.xml", &envelope).await.unwrap(); // it is here
    peer.leave().await;

    gateway.restart().await;

    let peer = gateway.connect(&scanner).await;
    put(&peer, "F-1").await.unwrap();
    let opened = open(&peer, "/in/F-2.xml", CREATE).await;
    assert_eq!(opened, Err(StatusCode::Failure));
    // Of the day before nothing counts.
    gateway.pass_ms(15 * HOUR_MS);
    gateway.restart().await;
    let peer = gateway.connect(&scanner).await;
    for number in ["F-2", "F-3", "F-4"] {
        put(&peer, number).await.unwrap();
    }
    assert_eq!(put(&peer, "F-5").await, Err(StatusCode::Failure));
}

#[tokio::test]
async fn one_byte_past_the_day_is_refused_when_it_is_written() {
    let (gateway, office, scanner) = scene("firm_day_bytes_max = 4000").await;
    let peer = gateway.connect(&scanner).await;
    put(&peer, "F-1").await.unwrap();
    let handle = open(&peer, "/in/F-2.xml", CREATE).await.unwrap();

    let past = write(&peer, &handle, 2000, b"x").await;
    assert_eq!(past, Err(StatusCode::Failure));
    assert_eq!(peer.close(&handle).await, Err(StatusCode::Failure));

    let listed = peer.list("/in").await.unwrap();
    assert_eq!(
        listed,
        ["ACME", "F-1.xml"],
        "it does not look as if it was taken"
    );
    assert_eq!(peer.list("/rejected").await.unwrap(), ["F-2.xml.txt"]);
    // Exactly as much as is left has room, and nothing after it.
    put(&peer, "F-2").await.unwrap();
    assert_eq!(put(&peer, "F-3").await, Err(StatusCode::Failure));
    assert_eq!(gateway.deliveries(&office).await.len(), 2);
}

#[tokio::test]
async fn many_that_close_at_the_same_time_do_not_pass_the_day_together() {
    let (gateway, office, scanner) = scene("firm_day_files_max = 3").await;
    let mut open_files = Vec::new();
    for at in 0..8 {
        let peer = gateway.connect(&scanner).await;
        let path = format!("/in/F-{at}.xml");
        let handle = open(&peer, &path, CREATE).await.unwrap();
        write(&peer, &handle, 0, &invoice(&format!("F-{at}"), 2000))
            .await
            .unwrap();
        open_files.push((peer, handle));
    }

    let closing = open_files.iter().map(|(peer, handle)| peer.close(handle));
    let closed = futures_util::future::join_all(closing).await;

    assert_eq!(closed.iter().filter(|closed| closed.is_ok()).count(), 3);
    assert_eq!(gateway.deliveries(&office).await.len(), 3);
    let peer = gateway.connect(&scanner).await;
    assert_eq!(peer.list("/rejected").await.unwrap().len(), 5);
    assert_eq!(peer.list("/in").await.unwrap().len(), 1 + 3);
}

#[tokio::test]
async fn what_has_a_temporary_name_is_counted_when_it_gets_its_last() {
    let (gateway, office, scanner) = scene("firm_day_files_max = 1").await;
    let peer = gateway.connect(&scanner).await;
    for number in ["F-1", "F-2"] {
        let path = format!("/in/{number}.xml.part");
        peer.put(&path, &invoice(number, 2000)).await.unwrap();
    }

    let first = peer.rename("/in/F-1.xml.part", "/in/F-1.xml").await;
    let second = peer.rename("/in/F-2.xml.part", "/in/F-2.xml").await;

    assert_eq!((first, second), (Ok(()), Err(StatusCode::Failure)));
    assert_eq!(gateway.deliveries(&office).await.len(), 1);
    assert_eq!(peer.list("/rejected").await.unwrap(), ["F-2.xml.txt"]);
}

/// A zone in which it is about noon, and no day ends soon.
#[expect(
    clippy::disallowed_methods,
    reason = "the program has the clock of the machine"
)]
fn where_it_is_noon() -> String {
    let now = std::time::SystemTime::now();
    let seconds = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // As POSIX has it, a sign tells how many hours UTC is ahead.
    match seconds / 3600 % 24 {
        hour @ 12.. => format!("Etc/GMT+{}", hour - 12),
        hour => format!("Etc/GMT-{}", 12 - hour),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_nothing_that_was_put_in_and_the_log_warns_once() {
    let mut program = Program::init();
    let device = program.device("server", "pull", "ACME");
    program.ok(&["device", "set", "kantoor", "server", "--uploads", "on"]);
    let config = program.path("sluis/sluis.toml");
    let lines = std::fs::read_to_string(&config).unwrap();
    let lines = lines.replace("firm_day_files_max = 50000", "firm_day_files_max = 3");
    let zone = "time_zone = \"Europe/Brussels\"";
    assert!(lines.contains(zone));
    let lines = lines.replace(zone, &format!("time_zone = \"{}\"", where_it_is_noon()));
    let has_limit = lines.contains("firm_day_files_max = 3");
    let more = if has_limit {
        ""
    } else {
        "\n[uploads]\nfirm_day_files_max = 3\n"
    };
    std::fs::write(&config, lines + more).unwrap();
    program.serve();
    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    put(&peer, "F-1").await.unwrap();
    peer.put("/in/brief.xml", b"no xml").await.unwrap();

    program.kill();
    program.serve();

    let peer = Peer::connect(program.address.unwrap(), &device.login).await;
    put(&peer, "F-2").await.unwrap();
    assert_eq!(put(&peer, "F-3").await, Err(StatusCode::Failure));
    assert_eq!(put(&peer, "F-4").await, Err(StatusCode::Failure));
    assert_eq!(program.states(), ["offered", "offered"]);
    program.terminate();
    assert_eq!(program.log_count("are refused until midnight"), 1);
}
