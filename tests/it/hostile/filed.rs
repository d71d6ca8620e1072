//! What do files of setup, and answers of receivers, do that mean harm?

use super::checks::{Beside, Scene, check_text, honest};
use super::names::WORDS;
use crate::interop::wait_until;

#[test]
fn a_firms_file_that_means_harm_is_refused_and_changes_nothing() {
    let mut scene = Scene::new();
    scene.program.serve();
    let beside = Beside::begin(&scene);
    let file = scene.program.path("kantoor.toml");
    let before = scene.program.ok(&["export", "kantoor"]);
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let tables: String = (0..50_000)
        .map(|nth| format!("[a{}]\n", ".b".repeat(nth % 90)))
        .collect();
    let dotted = format!("{}a = 1", "a.".repeat(100_000));
    let turned = before.replace("kantoor", "kan\u{202e}toor");
    let cases: [(&str, Vec<u8>); 8] = [
        ("deep", deep.into_bytes()),
        ("tables", tables.into_bytes()),
        ("dotted", dotted.into_bytes()),
        ("no text", b"[firm]\nslug = \"\xff\"".to_vec()),
        ("NUL", vec![0; 5000]),
        ("turned", turned.into_bytes()),
        (
            "unknown",
            b"[firm]\nslug = \"kantoor\"\n\"\\u001b[2J\\n\" = 1".to_vec(),
        ),
        (
            "twice",
            b"[firm]\nslug = \"kantoor\"\nslug = \"kantoor\"".to_vec(),
        ),
    ];
    for (name, bytes) in cases {
        std::fs::write(&file, bytes).unwrap();
        let done = scene.program.run(&["apply", file.to_str().unwrap()]);
        assert!(
            matches!(done.status.code(), Some(1 | 2)),
            "{name}: {:?}",
            done.status
        );
        assert!(!done.stderr.is_empty(), "{name}");
        check_text(&[name], &done.stderr);
    }
    // One that is as long as a disk.
    let long = std::fs::File::create(&file).unwrap();
    long.set_len(1 << 40).unwrap();
    let done = scene.program.run(&["apply", file.to_str().unwrap()]);
    assert!(
        String::from_utf8(done.stderr)
            .unwrap()
            .contains("is larger than")
    );
    assert_eq!(scene.program.ok(&["export", "kantoor"]), before);
    beside.check();
}

#[test]
fn whatever_a_dossier_is_called_its_folder_stays_in_its_place() {
    let mut scene = Scene::new();
    scene.program.serve();
    let beside = Beside::begin(&scene);
    let mut file = "[firm]\nslug = \"kantoor\"\n".to_owned();
    file += &scene
        .program
        .ok(&["export", "kantoor"])
        .split_once("[[device]]")
        .map(|(_, rest)| format!("[[device]]{rest}"))
        .unwrap();
    for (at, word) in WORDS.iter().enumerate() {
        let name = toml_text(word.text);
        file += &format!("\n[[dossier]]\nname = {name}\nids = [\"test:{at}\"]\n");
        file += &format!(
            "[[dossier.link]]\nprofile = \"bob-demat\"\ncode = \"W{at}\"\ndevice = \"server\"\n"
        );
    }
    let path = scene.program.path("kantoor.toml");
    std::fs::write(&path, file).unwrap();

    let done = scene.program.run(&["apply", path.to_str().unwrap()]);

    check_text(&["apply"], &done.stdout);
    check_text(&["apply"], &done.stderr);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    for command in [
        &["dossier", "list", "kantoor"][..],
        &["link", "list", "kantoor"],
    ] {
        check_text(command, &scene.program.run(command).stdout);
        let json = scene.program.run(&[command, &["--json"]].concat());
        check_text(command, &json.stdout);
    }
    // A code is a folder's name as it is, so one that could not be is refused.
    for word in WORDS.iter().filter(|word| word.text.len() < 200) {
        let code = format!("--code={}", word.text);
        let arguments = [
            "link",
            "add",
            "kantoor",
            crate::gateway::BAKERY,
            "--profile",
            "generic",
            &code,
            "--device",
            "server",
        ];
        let done = scene.program.run(&arguments);
        check_text(&[word.what], &done.stderr);
    }
    for link in scene.program.json(&["link", "list", "kantoor"]) {
        let code = link["code"].as_str().unwrap();
        assert_eq!(sluis::layout::safe_folder_name(code), code);
    }
    beside.check();
    scene.check_all();
}

fn toml_text(text: &str) -> String {
    let write = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(write).collect::<String>())
}

#[test]
fn a_profile_that_means_harm_is_refused_by_name() {
    let mut scene = Scene::new();
    let folder = scene.program.path("profiles");
    std::fs::create_dir(&folder).unwrap();
    let file = scene.program.path("sluis/sluis.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        format!("profiles = {:?}\n{text}", folder.to_str().unwrap()),
    )
    .unwrap();
    let profile = |purchase: &str, name: &str| {
        format!(
            "id = \"own\"\nname = \"Own\"\nconfidence = \"C\"\nlanguages = [\"nl\"]\nfile_name = \"{name}\"\n\
             [sure]\nen = \"not\"\n[folders]\npurchase = '{purchase}'\nsale = \"own/{{dossier_code}}/out\"\n"
        )
    };
    let own = folder.join("own.toml");
    std::fs::write(&own, profile("own/{dossier_code}/in", "{seq}_{number}")).unwrap();
    scene.program.ok(&["check"]);
    // What checks it reads the same files as a server that runs, which goes on with those that it has.
    scene.program.serve();
    let beside = Beside::begin(&scene);
    let deep = format!("a = {}", "[".repeat(100_000));
    let long = "{dossier_code}".repeat(100_000);
    #[rustfmt::skip]
    let cases = [
        profile("../../{dossier_code}", "{seq}"),
        profile("/etc/{dossier_code}", "{seq}"),
        profile("C:\\{dossier_code}", "{seq}"),
        profile("a\u{202e}b/{dossier_code}", "{seq}"),
        profile("con/{dossier_code}", "{seq}"),
        profile("{dossier_code}/{number}", "{seq}"),
        profile("own/{dossier_code}/in", "../{seq}"),
        profile("own/{dossier_code}/in", "{number}"),
        profile("own/{dossier_code}/in", "{seq}\\u0000"),
        profile(&long, "{seq}"),
        deep,
        "\u{0}".repeat(1000),
    ];
    for text in cases {
        std::fs::write(&own, &text).unwrap();
        let done = scene.program.run(&["check"]);
        let begun: String = text.chars().take(200).collect();
        assert!(!done.status.success(), "{begun}");
        let told = [done.stdout, done.stderr].concat();
        check_text(&["check"], &told);
        assert!(String::from_utf8(told).unwrap().contains("own"), "{begun}");
    }
    beside.check();
}

#[test]
fn what_a_receiver_answers_is_shown_plainly() {
    use std::io::{Read as _, Write as _};
    let mut scene = Scene::new();
    scene.configure("[webhooks]\nallow = [\"127.0.0.1\"]\n");
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", receiver.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = receiver.accept().unwrap();
        drop(stream.read(&mut [0; 4096]));
        let body = "\u{1b}[2J\u{9b}31m\n2026-03-14T08:00:00Z ERROR all is lost\u{202e}<script>";
        let head = format!(
            "HTTP/1.1 400 Bad\u{7f}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        drop(stream.write_all(head.as_bytes()));
    });
    scene.program.ok(&["webhook", "add", "kantoor", &url]);
    scene.program.serve();
    let beside = Beside::begin(&scene);

    scene.program.ingest(&[honest("F-1")]);
    answering.join().unwrap();

    let failed = "select count(*) from letter where error <> ''";
    wait_until(|| scene.program.query(failed)[0][0] > 0);
    beside.check();
    for command in [
        &["webhook", "list", "kantoor"][..],
        &["webhook", "dead", "kantoor"],
    ] {
        for more in [&[][..], &["--json"]] {
            let arguments = [command, more].concat();
            let done = scene.program.run(&arguments);
            check_text(&arguments, &done.stdout);
            check_text(&arguments, &done.stderr);
        }
    }
    scene.check_all();
}
