//! What does `sluis doctor` find?

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::failing::Disk;
use crate::gateway::invoice;
use crate::program::Program;

/// Its findings, and its exit status.
fn doctor(program: &Program) -> (Vec<Value>, i32) {
    let ran = program.run(&["doctor", "--json"]);
    let text = String::from_utf8(ran.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), ran.status.code().unwrap())
}

/// What it says of one thing: each grade and detail.
fn of<'a>(findings: &'a [Value], check: &str) -> Vec<(&'a str, &'a str)> {
    let found = findings.iter().filter(|finding| finding["check"] == check);
    found
        .map(|finding| {
            (
                finding["grade"].as_str().unwrap(),
                finding["detail"].as_str().unwrap(),
            )
        })
        .collect()
}

/// Has the server listen there from its next start on.
fn listen(program: &Program, address: &str) {
    let file = program.path("sluis/sluis.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("127.0.0.1:0", address, 1)).unwrap();
}

#[test]
fn what_is_well_is_said_to_be_and_every_algorithm_is_tried() {
    // The finite fields of the legacy set take a minute in a program that is not optimised.
    for set in ["modern", "post-quantum"] {
        let program = Program::init();
        program.offer(set);
        program.device("server", "pull", "ACME");
        program.ingest(&[invoice("F-1", 900)]);
        let blobs = || {
            fs::read_dir(program.path("sluis/data/blobs"))
                .unwrap()
                .count()
        };
        let before = blobs();

        let (findings, status) = doctor(&program);

        let wrong: Vec<_> = findings.iter().filter(|f| f["grade"] == "wrong").collect();
        assert!(wrong.is_empty() && status == 0, "{wrong:?}");
        let algorithms = of(&findings, "algorithms");
        assert_eq!(algorithms[0].0, "ok", "{set}: {algorithms:?}");
        for check in [
            "port",
            "clock",
            "catalog",
            "documents",
            "host key",
            "disk of the data",
            "keys of devices",
        ] {
            assert!(!of(&findings, check).is_empty(), "{check}");
        }
        assert!(of(&findings, "port")[0].1.contains("is free"));
        assert!(
            findings
                .iter()
                .all(|f| f["advice"].is_null() == (f["grade"] == "ok"))
        );
        program.ok(&["fsck", "--deep"]);
        assert!(blobs() <= before + 1, "at most an empty folder is left");
    }
}

#[test]
fn it_knows_its_own_server_and_sees_keys_that_it_has_not_read() {
    let mut program = Program::init();
    program.serve();
    listen(&program, &program.address.unwrap().to_string());
    let (findings, status) = doctor(&program);
    let port = of(&findings, "port");
    assert!(
        port[0].0 == "ok" && port[0].1.contains("with our host key"),
        "{port:?}"
    );
    assert_eq!(status, 0);

    let keys = program.path("sluis/data/host-keys");
    fs::remove_dir_all(&keys).unwrap();
    fs::create_dir(&keys).unwrap();
    sluis::hostkeys::make(&keys).unwrap();

    let (findings, status) = doctor(&program);
    let port = of(&findings, "port");
    assert!(
        port[0].0 == "wrong" && port[0].1.contains("with another host key"),
        "{port:?}"
    );
    assert_eq!(status, 1);
    assert_eq!(program.terminate(), Some(0));
}

#[test]
fn what_is_open_to_others_taken_or_lost_is_wrong() {
    let program = Program::init();
    let open =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let greeting = std::thread::spawn(move || {
        use std::io::Write as _;
        let (mut peer, _) = other.accept().unwrap();
        peer.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").unwrap();
        // It says nothing more, to whoever asks for its key.
        drop(other.accept());
    });
    listen(&program, &address.to_string());
    open(
        &program.path("sluis/data/host-keys/ssh_host_rsa_key"),
        0o644,
    );
    open(&program.path("sluis/data"), 0o755);
    open(&program.path("sluis/sluis.toml"), 0o644);
    fs::remove_dir_all(program.path("sluis/data/drop")).unwrap();

    let (findings, status) = doctor(&program);

    greeting.join().unwrap();
    assert_eq!(status, 1);
    let grades = |check: &str| {
        of(&findings, check)
            .into_iter()
            .map(|(grade, _)| grade)
            .collect::<Vec<_>>()
    };
    assert_eq!(grades("configuration"), ["wrong"]);
    assert_eq!(grades("data folder"), ["wrong"]);
    assert!(grades("host key").contains(&"wrong"), "{findings:?}");
    assert!(
        of(&findings, "port")[0]
            .1
            .contains("taken by another program"),
        "{findings:?}"
    );
    assert_eq!(grades("disk of the drop folders"), ["wrong"]);
    for beside in ["-wal", "-shm"] {
        drop(fs::remove_file(
            program.path(&format!("sluis/data/catalog.sqlite{beside}")),
        ));
    }
    fs::write(
        program.path("sluis/data/catalog.sqlite"),
        "rubbish, and enough of it to be read as a head",
    )
    .unwrap();
    let (findings, _) = doctor(&program);
    let catalog = of(&findings, "catalog");
    assert!(
        catalog[0].0 == "wrong" && catalog[0].1.contains("is damaged"),
        "{catalog:?}"
    );
}

#[test]
fn a_little_room_an_old_key_and_a_clock_that_is_behind_are_seen() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 900)]);
    let file = program.path("sluis/sluis.toml");
    let text = fs::read_to_string(&file).unwrap();
    let more_than_all = "[disk]\nkeep_free_bytes = 9000000000000000000\n";
    fs::write(&file, format!("{text}\n{more_than_all}")).unwrap();
    program.query("update device_key set added_at = 1000");
    // In the year 2286.
    program.query("update event set at = 9999999999999");

    let (findings, status) = doctor(&program);

    assert_eq!(status, 1);
    for (check, grade, detail) in [
        ("disk of the data", "wrong", "nothing new is taken"),
        ("disk of the documents", "wrong", "nothing new is taken"),
        (
            "keys of devices",
            "warn",
            "1 older than two years: kantoor.server",
        ),
        ("clock", "wrong", "something happened at 2286"),
    ] {
        let found = of(&findings, check);
        assert!(
            found[0].0 == grade && found[0].1.contains(detail),
            "{found:?}"
        );
    }
}

/// What `sluis check` finds wrong, of each thing.
fn wrong(program: &Program) -> Vec<(String, String)> {
    let ran = program.run(&["check", "--json"]);
    let text = String::from_utf8(ran.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let wrong: Vec<_> = lines
        .filter(|finding: &Value| finding["ok"] == false)
        .map(|finding| {
            let word = |key: &str| finding[key].as_str().unwrap().to_owned();
            (word("check"), word("detail"))
        })
        .collect();
    let status = ran.status.code().unwrap();
    assert_eq!(status == 1, !wrong.is_empty(), "{status}: {wrong:?}");
    wrong
}

#[test]
fn a_check_finds_what_is_wrong_before_a_start_does() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    assert_eq!(wrong(&program), []);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&program, &other.local_addr().unwrap().to_string());
    let greeting = std::thread::spawn(move || {
        use std::io::Write as _;
        let (mut peer, _) = other.accept().unwrap();
        peer.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").unwrap();
    });
    let monitored = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = program.path("sluis/sluis.toml");
    let text = fs::read_to_string(&file).unwrap();
    let lines = format!(
        "[metrics]\nlisten = '{}'\n[webhooks]\nroots = 'gone.pem'\n",
        monitored.local_addr().unwrap()
    );
    fs::write(&file, format!("{text}\n{lines}")).unwrap();
    let strange = std::thread::spawn(move || drop(monitored.accept().unwrap()));
    let key = program.path("sluis/data/host-keys/ssh_host_ed25519_key");
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_dir(program.path("sluis/data/drop/kantoor")).unwrap();

    let found = wrong(&program);

    greeting.join().unwrap();
    strange.join().unwrap();
    let detail = |check: &str| {
        let found = found.iter().find(|(of, _)| of == check);
        found.map_or("", |(_, detail)| detail)
    };
    assert!(detail("host keys").contains("mode 644"), "{found:?}");
    assert!(
        detail("port").contains("taken by another program"),
        "{found:?}"
    );
    assert!(
        detail("metrics").contains("taken by another program"),
        "{found:?}"
    );
    assert!(detail("webhooks").contains("gone.pem"), "{found:?}");
    let folder = detail("drop folder of kantoor");
    assert!(folder.contains("cannot be written to"), "{found:?}");
}

#[test]
fn a_check_tells_its_own_server_from_another_one() {
    let mut program = Program::init();
    program.serve();
    let address = program.address.unwrap().to_string();
    listen(&program, &address);
    let other = Program::init();
    listen(&other, &address);

    assert_eq!(wrong(&program), []);
    let found = wrong(&other);

    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "port");
    assert!(found[0].1.contains("with another host key"), "{found:?}");
    assert_eq!(program.terminate(), Some(0));
}

/// Changes the catalog past the program.
async fn change(program: &Program, statements: &'static str) {
    use sqlx::Connection as _;
    let file = program.path("sluis/data/catalog.sqlite");
    let file = format!("sqlite://{}", file.display());
    let mut other = sqlx::SqliteConnection::connect(&file).await.unwrap();
    sqlx::raw_sql(statements).execute(&mut other).await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_link_that_cannot_be_shown_is_named_by_a_check() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    change(&program, "update link set profile = 'gone'").await;

    let found = wrong(&program);

    let [(check, detail)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(check, "links of kantoor");
    assert!(
        detail.contains("ACME") && detail.contains("gone"),
        "{detail}"
    );
    let once = detail.matches("there is no profile `gone`").count();
    assert_eq!(once, 1, "{detail}");
}

#[test]
fn what_is_wrong_in_the_configuration_is_told_once_by_a_check() {
    let program = Program::init();
    let file = program.path("sluis/sluis.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("Europe/Brussels", "Europe/Brugge")).unwrap();

    let found = wrong(&program);

    let checks: Vec<_> = found.iter().map(|(check, _)| check.as_str()).collect();
    assert_eq!(checks, ["time zone", "catalog"]);
    assert!(found[0].1.contains("Europe/Brugge"), "{found:?}");
    assert!(!found[1].1.contains("Europe/Brugge"), "{found:?}");
}

#[tokio::test]
async fn a_damaged_catalog_and_a_weak_host_key_are_found() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    change(
        &program,
        "pragma writable_schema = on;
         update sqlite_schema set sql = replace(sql, 'detail text not null', 'detail text') where name = 'event';
         pragma writable_schema = reset;
         update event set detail = null where seq = 1;
         pragma writable_schema = on;
         update sqlite_schema set sql = replace(sql, 'detail text', 'detail text not null') where name = 'event';
         pragma writable_schema = reset;",
    )
    .await;
    let key = program.path("sluis/data/host-keys/ssh_host_rsa_key");
    fs::remove_file(&key).unwrap();
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());

    let (findings, status) = doctor(&program);

    assert_eq!(status, 1);
    let catalog = of(&findings, "catalog");
    assert!(
        catalog[0].0 == "wrong" && catalog[0].1.contains("event.detail"),
        "{catalog:?}"
    );
    let keys = of(&findings, "host key");
    let weak = keys.iter().find(|(grade, _)| *grade == "wrong");
    assert!(
        weak.is_some_and(|(_, said)| said.contains("2048")),
        "{keys:?}"
    );
}

#[tokio::test]
async fn a_catalog_that_takes_nothing_is_found_by_trying() {
    use sqlx::Connection as _;
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let file = program.path("sluis/data/catalog.sqlite");
    let file = format!("sqlite://{}", file.display());
    let mut other = sqlx::SqliteConnection::connect(&file).await.unwrap();
    sqlx::query("begin immediate")
        .execute(&mut other)
        .await
        .unwrap();

    let (findings, status) = doctor(&program);

    let catalog = of(&findings, "catalog");
    assert_eq!(status, 1);
    assert!(
        catalog[0].0 == "wrong" && catalog[0].1.contains("locked"),
        "{catalog:?}"
    );
    // It was opened and read: only that it can be written to was missing.
    assert!(!of(&findings, "documents").is_empty(), "{findings:?}");
    sqlx::query("rollback").execute(&mut other).await.unwrap();
    let (findings, status) = doctor(&program);
    assert_eq!((of(&findings, "catalog")[0].0, status), ("ok", 0));
}

/// Counts what a server offers, each by its name, in the first packet of its key exchange.
fn offered(program: &Program) -> usize {
    use std::io::{Read as _, Write as _};
    let mut peer = std::net::TcpStream::connect(program.address.unwrap()).unwrap();
    peer.write_all(b"SSH-2.0-Counting\r\n").unwrap();
    let mut bytes = Vec::new();
    let mut block = [0; 1024];
    let lists = loop {
        let got = peer.read(&mut block).unwrap();
        assert!(got > 0, "it has hung up");
        bytes.extend(&block[..got]);
        let Some(line) = bytes.iter().position(|byte| *byte == b'\n') else {
            continue;
        };
        let packet = &bytes[line + 1..];
        let Some(length) = packet.first_chunk::<4>() else {
            continue;
        };
        let end = 4 + usize::try_from(u32::from_be_bytes(*length)).unwrap();
        if packet.len() < end {
            continue;
        }
        // Behind its length: how much padding, what it is (KEXINIT), a cookie; then lists of names.
        assert_eq!(packet[5], 20);
        break packet[22..end].to_vec();
    };
    let mut rest = &lists[..];
    let mut names = || {
        let (length, after) = rest.split_first_chunk::<4>().unwrap();
        let (list, after) = after.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap());
        rest = after;
        let list = String::from_utf8(list.to_vec()).unwrap();
        list.split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let (exchanges, keys, ciphers, _, macs) = (names(), names(), names(), names(), names());
    let rules = |name: &&String| name.starts_with("ext-info-") || name.starts_with("kex-strict-");
    let exchanges = exchanges.len() - exchanges.iter().filter(rules).count();
    exchanges + keys.len() + ciphers.len() + macs.len()
}

#[test]
fn every_algorithm_that_a_server_offers_is_tried_and_one_that_fails_is_named() {
    let mut program = Program::init();
    program.serve();
    let offered = offered(&program);
    assert_eq!(program.terminate(), Some(0));

    let (findings, _) = doctor(&program);

    let algorithms = of(&findings, "algorithms");
    let all = format!("{offered} were tried, and work");
    assert_eq!(algorithms, [("ok", &*all)]);

    // A host key that can be read, and does not sign.
    damage(&program.path("sluis/data/host-keys/ssh_host_rsa_key"));
    let (findings, status) = doctor(&program);
    assert_eq!(status, 1);
    let algorithms = of(&findings, "algorithms");
    assert!(
        algorithms[0].0 == "wrong" && algorithms[0].1.contains("host key rsa-sha2-512"),
        "{algorithms:?}"
    );
}

/// Changes a bit of an RSA key's secret exponent.
fn damage(file: &Path) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let (head, body, foot) = (
        lines[0],
        lines[1..lines.len() - 1].concat(),
        lines[lines.len() - 1],
    );
    let mut bytes = STANDARD.decode(body).unwrap();
    let name = b"\0\0\0\x07ssh-rsa";
    // The first is in the public half.
    let secret = bytes.windows(name.len()).rposition(|part| part == name);
    let mut at = secret.unwrap() + name.len();
    // Past the modulus and the public exponent.
    for _ in 0..2 {
        let length = bytes[at..].first_chunk::<4>().unwrap();
        at += 4 + usize::try_from(u32::from_be_bytes(*length)).unwrap();
    }
    bytes[at + 100] ^= 1;
    let body = STANDARD.encode(bytes);
    let body: Vec<_> = body
        .as_bytes()
        .chunks(70)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    fs::write(file, format!("{head}\n{}\n{foot}\n", body.join("\n"))).unwrap();
}

#[test]
fn a_disk_that_takes_no_document_is_found_by_trying() {
    let program = Program::init();
    let blobs = program.path("sluis/data/blobs");
    let Some(disk) = Disk::mount(&blobs, 1) else {
        return;
    };
    disk.fill();

    let (findings, status) = doctor(&program);

    assert_eq!(status, 1);
    let documents = of(&findings, "documents");
    assert!(
        documents[0].0 == "wrong" && documents[0].1.contains("No space"),
        "{documents:?}"
    );
}

#[test]
fn a_typing_error_in_the_configuration_is_refused_with_what_was_meant() {
    let program = Program::init();
    let file = program.path("sluis/sluis.toml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        good.replacen("[sftp]\n", "[sftp]\nidle_second = 5\n", 1),
    )
    .unwrap();

    let found = wrong(&program);

    assert_eq!(found.len(), 1);
    assert!(found[0].1.contains("is `idle_seconds` meant?"), "{found:?}");
    let refused = program.run(&["documents", "kantoor"]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("is `idle_seconds` meant?"), "{why}");
    fs::write(&file, good).unwrap();
    let mut asked = program.command(&["documents", "kantoor"]);
    let refused = asked.env("SLUIS_SFTP_IDLE_SECOND", "5").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("`SLUIS_SFTP_IDLE_SECONDS` does"), "{why}");
}

#[test]
fn a_configuration_of_an_empty_name_is_refused_as_what_it_is() {
    let program = Program::init();
    let by_variable = program.command(&["check"]).env("SLUIS_CONFIG", "").output();
    let by_word = program.run(&["check", "--config", ""]);

    for refused in [by_variable.unwrap(), by_word] {
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let why = String::from_utf8(refused.stderr).unwrap();
        assert!(why.contains("it is empty"), "{why}");
        assert!(why.contains("unset `SLUIS_CONFIG`"), "{why}");
    }
}

#[test]
fn its_own_server_is_known_where_it_waits_for_the_header_of_a_forwarder() {
    let mut program = Program::init();
    let file = program.path("sluis/sluis.toml");
    let text = fs::read_to_string(&file).unwrap();
    let forwarders = "[guard]\nproxies = [\"127.0.0.0/8\"]\n";
    fs::write(&file, format!("{text}\n{forwarders}")).unwrap();
    program.serve();
    listen(&program, &program.address.unwrap().to_string());

    assert_eq!(wrong(&program), []);
    let (findings, status) = doctor(&program);
    let port = of(&findings, "port");
    assert!(
        port[0].0 == "ok" && port[0].1.contains("with our host key"),
        "{port:?}"
    );
    assert_eq!(status, 0);
    assert_eq!(program.log_count("no PROXY header"), 0);
}

#[test]
fn more_room_than_the_disk_has_is_wrong_and_so_is_told() {
    let program = Program::init();
    let file = program.path("sluis/sluis.toml");
    let good = fs::read_to_string(&file).unwrap();
    let more_than_all = format!("{good}\n[disk]\nkeep_free_bytes = 9000000000000000000\n");
    fs::write(&file, more_than_all).unwrap();

    let found = wrong(&program);

    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "room");
    let advice = "nothing new would ever be taken; write less there";
    assert!(found[0].1.ends_with(advice), "{found:?}");
}

#[test]
fn a_number_that_cannot_be_is_refused_by_the_name_of_its_key_or_variable() {
    let program = Program::init();
    let file = program.path("sluis/sluis.toml");
    let good = fs::read_to_string(&file).unwrap();
    let zero = good.replacen("[sftp]\n", "[sftp]\nidle_seconds = 0\n", 1);
    let advice = "write a whole number from 1 to 4294967295";

    fs::write(&file, zero).unwrap();
    let in_file = wrong(&program).remove(0).1;
    fs::write(&file, good).unwrap();
    let mut asked = program.command(&["check"]);
    let by_variable = asked.env("SLUIS_SFTP_IDLE_SECONDS", "0").output().unwrap();

    assert!(in_file.contains("idle_seconds = 0"), "{in_file}");
    assert!(in_file.contains(advice), "{in_file}");
    let told = String::from_utf8(by_variable.stdout).unwrap();
    assert!(told.contains("idle_seconds"), "{told}");
    assert!(told.contains(advice), "{told}");
}
