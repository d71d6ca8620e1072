//! Does a command act on what was named, and on nothing else?

use crate::gateway::{BAKERY, MILL, fixture, invoice, invoice_between};
use crate::program::Program;

/// The number of a third enterprise.
const THIRD: &str = "0477472701";

/// Runs a command that must be refused, and returns what it said.
fn refused(program: &Program, arguments: &[&str]) -> String {
    let output = program.run(arguments);
    assert!(!output.status.success(), "sluis {arguments:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn what_may_be_a_delivery_or_an_invoices_number_is_asked_about() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("D2", 900), invoice("F-2", 900), invoice("D3", 900)]);

    let why = refused(&program, &["withdraw", "kantoor", "d2"]);

    for word in ["(D2 of", "(F-2 of", "`delivery:2`", "digest"] {
        assert!(why.contains(word), "{word}: {why}");
    }
    refused(&program, &["explain", "kantoor", "d2"]);
    assert_eq!(program.states(), ["offered"; 3]);
    program.ok(&["withdraw", "kantoor", "delivery:2"]);
    assert_eq!(program.states(), ["offered", "withdrawn", "offered"]);
    program.ok(&["withdraw", "kantoor", "D2"]);
    program.ok(&["withdraw", "kantoor", "d3"]); // the number's own delivery
    assert_eq!(program.states(), ["withdrawn"; 3]);
}

#[test]
fn a_number_that_has_not_come_is_not_taken_for_our_own() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 900)]);
    let hold = ["retention", "hold", "kantoor", "--reason", "x"];

    for words in [
        &["withdraw", "kantoor", "001"][..],
        &["resend", "kantoor", "1", "--reason", "x"],
        &["hold", "kantoor", "1", "--reason", "x"],
        &["approve", "kantoor", "1"],
        &[&hold[..], &["--document", "1"]].concat(),
    ] {
        let why = refused(&program, words);
        assert!(why.contains("`document:1`: "), "{why}");
        assert!(why.contains("(F-1 of"), "{why}");
    }

    assert_eq!(program.states(), ["offered"]);
    program.ok(&["explain", "kantoor", "1"]);
    program.ok(&["explain", "kantoor", "document:1"]);
    program.ok(&["withdraw", "kantoor", "document:1"]);
    assert_eq!(program.states(), ["withdrawn"]);
}

#[test]
fn of_two_with_one_number_the_one_that_stands_is_approved() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ok(&["firm", "set", "kantoor", "--duplicates", "replace"]);
    for bytes in [2000, 2001] {
        let file = program.path("P1.xml");
        std::fs::write(&file, invoice("P1", bytes)).unwrap();
        let file = file.to_str().unwrap();
        program.ok(&["ingest", "kantoor", file, "--origin", "incoming"]);
    }
    assert_eq!(program.states(), ["withdrawn", "held"]);

    program.ok(&["approve", "kantoor", "P1"]);

    assert_eq!(program.states(), ["withdrawn", "offered"]);
}

#[test]
fn of_two_suppliers_with_one_number_neither_is_meant_by_it() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[
        invoice("15", 900),
        invoice_between(THIRD, BAKERY, "15", 900),
    ]);
    let has = |state: &str, id: i64| {
        program.query(&format!(
            "update delivery set state = '{state}', reason = case when '{state}' = 'held' then 'manual' end \
             where id = {id} returning id"
        ));
    };

    for (first, second, words) in [
        ("collected", "offered", &["withdraw", "kantoor", "15"][..]),
        (
            "held",
            "offered",
            &["resend", "kantoor", "15", "--reason", "x"],
        ),
        ("collected", "held", &["send", "kantoor", "15"]),
        ("collected", "held", &["replace", "kantoor", "15"]),
        ("withdrawn", "held", &["approve", "kantoor", "15"]),
        (
            "withdrawn",
            "held",
            &["hold", "kantoor", "15", "--reason", "x"],
        ),
    ] {
        has(first, 1);
        has(second, 2);
        let why = refused(&program, words);
        for seller in [MILL, THIRD] {
            let seller = format!("(15 of Onderneming {seller})");
            assert!(why.contains(&seller), "{words:?}: {why}");
        }
        assert_eq!(program.states(), [first, second], "{words:?}");
    }
    program.ok(&["send", "kantoor", "d2"]);
    assert_eq!(program.states(), ["withdrawn", "offered"]);
}

#[test]
fn of_two_versions_the_one_that_a_deed_suits_is_meant() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ok(&["firm", "set", "kantoor", "--duplicates", "replace"]);
    program.ingest(&[invoice("15", 2000)]);
    program.ingest(&[invoice("15", 2100)]);
    assert_eq!(program.states(), ["withdrawn", "offered"]);

    program.ok(&["withdraw", "kantoor", "15"]);

    assert_eq!(program.states(), ["withdrawn", "withdrawn"]);
}

#[test]
fn where_more_bear_a_number_than_are_looked_at_nothing_is_done_and_the_newest_are_shown() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let from = |nth: u32| {
        let digits = 4_000_000 + nth;
        let seller = format!("{digits:08}{:02}", 97 - digits % 97);
        invoice_between(&seller, BAKERY, "15", 900)
    };
    program.ingest(&(0..101).map(from).collect::<Vec<_>>());
    program.query("update delivery set state = 'collected' where id > 1 returning id");

    let why = refused(&program, &["withdraw", "kantoor", "15"]);

    assert!(why.contains("more than 100 documents bear `15`"), "{why}");
    assert_eq!(program.states()[0], "offered");
    let why = refused(&program, &["show", "kantoor", "15"]);
    assert!(why.contains("more than 100 documents bear `15`"), "{why}");
    let explained = program.run(&["explain", "kantoor", "15", "--json"]);
    let lines = String::from_utf8(explained.stdout).unwrap();
    let id = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone();
    let ids: Vec<_> = lines.lines().map(id).collect();
    assert_eq!(
        (ids.len(), &ids[0], &ids[99]),
        (100, &2.into(), &101.into())
    );
    let told = String::from_utf8(explained.stderr).unwrap();
    assert!(told.contains("dit zijn de 100 nieuwste"), "{told}");
    program.ok(&["withdraw", "kantoor", "d1"]);
}

#[test]
fn a_number_that_has_not_come_is_not_taken_for_a_digest() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 900)]);
    let digest = program.json(&["documents", "kantoor"])[0]["digest"].clone();
    let digest = digest.as_str().unwrap().to_uppercase();
    assert!(digest[..6].contains(char::is_alphabetic), "{digest}");
    let hold = ["retention", "hold", "kantoor", "--reason", "x"];

    for words in [
        &["withdraw", "kantoor", &digest[..6]][..],
        &["hold", "kantoor", &digest[..11], "--reason", "x"],
        &[&hold[..], &["--document", &digest[..6]]].concat(),
    ] {
        let why = refused(&program, words);
        assert!(why.contains("12 digits are wanted"), "{why}");
        assert!(why.contains("(F-1 of"), "{why}");
    }

    assert_eq!(program.states(), ["offered"]);
    program.ok(&["explain", "kantoor", &digest[..6]]);
    program.ok(&["withdraw", "kantoor", &digest[..12]]);
    assert_eq!(program.states(), ["withdrawn"]);
}

#[test]
fn a_code_of_one_client_that_is_our_id_of_another_is_asked_about() {
    let program = Program::init();
    program.device("server", "pull", "2");
    let words = ["dossier", "add", "kantoor", "--name", "Derde"];
    program.ok(&[&words[..], &["--id", THIRD]].concat());
    program.link(THIRD, "1", "server");
    program.ingest(&[invoice("F-1", 900)]);
    let to = |dossier: &'static str| {
        let words = ["move", "kantoor", "F-1", "--reason", "x", "--dossier"];
        [&words[..], &[dossier]].concat()
    };

    let why = refused(&program, &to("2"));

    for name in ["1 `De Korenaar`", "2 `Derde`", "`dossier:"] {
        assert!(why.contains(name), "{name}: {why}");
    }
    assert_eq!(program.states(), ["offered"]);
    program.ok(&to("dossier:2"));
    let dossiers = |of: &str| program.json(&["deliveries", "kantoor", "--dossier", of]);
    assert_eq!(dossiers("expertm/1").last().unwrap()["state"], "offered");
    let hold = ["retention", "hold", "kantoor", "--reason", "x", "--dossier"];
    refused(&program, &[&hold[..], &["2"]].concat());
    program.ok(&["dossier", "set", "kantoor", "dossier:2", "--name", "Vierde"]);
}

#[test]
fn a_code_that_has_not_come_is_not_taken_for_our_own_id() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice("F-1", 900)]);
    let why = |words: &[&'static str]| [words, &["--reason", "x"]].concat();
    let add = ["link", "add", "kantoor", "1", "--profile", "bob-demat"];

    for words in [
        &["dossier", "remove", "kantoor", "1"][..],
        &["dossier", "set", "kantoor", "1", "--name", "X"],
        &[&add[..], &["--code", "X"]].concat(),
        &["send", "kantoor", "--dossier", "1"],
        &["approve", "kantoor", "--dossier", "1"],
        &why(&["resend", "kantoor", "--dossier", "1", "--only", "all"]),
        &why(&["move", "kantoor", "F-1", "--dossier", "1", "--as", "sale"]),
        &why(&["retention", "hold", "kantoor", "--dossier", "1"]),
    ] {
        let said = refused(&program, words);
        assert!(
            said.contains("is named `dossier:1`: 1 `De Korenaar`"),
            "{words:?}: {said}"
        );
    }
    for words in [
        &["link", "remove", "kantoor", "1"][..],
        &["link", "set", "kantoor", "1", "--transfer", "manual"],
        &why(&["resend", "kantoor", "F-1", "--link", "1"]),
    ] {
        let said = refused(&program, words);
        assert!(
            said.contains("is named `link:1`: 1 `ACME`"),
            "{words:?}: {said}"
        );
    }

    assert_eq!(program.states(), ["offered"]);
    program.ok(&["dossier", "show", "kantoor", "1"]);
    program.ok(&["link", "show", "kantoor", "1"]);
    assert_eq!(
        program
            .json(&["deliveries", "kantoor", "--dossier", "1"])
            .len(),
        1
    );
    program.ok(&["link", "set", "kantoor", "link:1", "--transfer", "manual"]);
    program.ok(&["dossier", "set", "kantoor", "dossier:1", "--name", "X"]);
}

/// The mill's F-1 to the bakery, and once more to another client; that one is held.
fn to_another_client() -> Program {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let words = ["dossier", "add", "kantoor", "--name", "Derde"];
    program.ok(&[&words[..], &["--id", THIRD]].concat());
    program.link(THIRD, "DERDE", "server");
    program.ingest(&[invoice("F-1", 900)]);
    program.ingest(&[invoice_between(MILL, THIRD, "F-1", 900)]);
    assert_eq!(program.states(), ["offered", "held"]);
    program
}

#[test]
fn what_would_replace_nothing_is_not_sent_and_says_where_the_first_stands() {
    let program = to_another_client();

    let output = program.run(&["replace", "kantoor", "d2", "--json"]);

    assert!(!output.status.success());
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let why = told["reason"].as_str().unwrap();
    assert_eq!(told["result"], "refused");
    for word in ["d1 (purchase of `De Korenaar`, offered)", "`withdraw` d1"] {
        assert!(why.contains(word), "{word}: {why}");
    }
    assert_eq!(program.states(), ["offered", "held"]);
    program.ok(&["withdraw", "kantoor", "d1"]);
    program.ok(&["replace", "kantoor", "d2"]);
    assert_eq!(program.states(), ["withdrawn", "offered"]);
}

#[test]
fn what_was_collected_for_another_client_is_revised_in_his_books_or_sent_beside() {
    let program = to_another_client();
    program.query("update delivery set state = 'collected' where id = 1 returning id");

    let why = refused(&program, &["replace", "kantoor", "d2"]);

    for word in [
        "d1 (purchase of `De Korenaar`, collected)",
        "by hand",
        "`move`",
    ] {
        assert!(why.contains(word), "{word}: {why}");
    }
    let to = ["--dossier", "De Korenaar", "--reason", "his"];
    program.ok(&[&["move", "kantoor", "d2"][..], &to].concat());
    program.ok(&["replace", "kantoor", "d3"]);
    let rows = program.json(&["deliveries", "kantoor"]);
    assert_eq!(
        (&rows[2]["state"], &rows[2]["revision_of"]),
        (&"offered".into(), &1.into())
    );
}

#[test]
fn a_number_is_shown_as_it_is_added_with_its_scheme() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let french = |number: &str, scheme: &str, value: &str| {
        let text = String::from_utf8(invoice_between(MILL, THIRD, number, 900)).unwrap();
        let own = format!("schemeID=\"0208\">{THIRD}");
        text.replace(&own, &format!("schemeID=\"{scheme}\">{value}"))
            .into_bytes()
    };
    program.ingest(&[
        french("F-1", "SIREN", "732 829 320"),
        french("F-2", "0088", "5412345000013"),
        french("F-3", "0106", "12345678"),
    ]);
    let add =
        |number: &str| program.run(&["dossier", "set", "kantoor", BAKERY, "--add-id", number]);

    let told = program.ok(&["explain", "kantoor", "F-1"]);
    assert!(told.contains("`siren:732829320`"), "{told}");
    let told = program.ok(&["explain", "kantoor", "F-3"]);
    assert!(told.contains("`0106:12345678`"), "{told}");
    let noted = add("siren:732829320");
    let noted = String::from_utf8(noted.stderr).unwrap();
    assert!(noted.contains("whose scheme is written `siren`"), "{noted}");
    add("GLN:5412345000013");
    add("0106:12345678");

    assert_eq!(program.states(), ["offered"; 3]);
    let shown = program.json(&["dossier", "show", "kantoor", "SIREN:732829320"]);
    assert_eq!(shown[0]["name"], "De Korenaar");
}

#[test]
fn only_what_was_in_an_envelope_is_said_to_be_delivered_of_it() {
    let program = Program::init();
    program.ingest(&[fixture("sbdh-invoice.xml"), fixture("sbdh-binary.xml")]);

    let says = |what: &str| {
        let story = &program.json(&["explain", "kantoor", what])[0]["explanation"];
        let steps = story.as_array().unwrap().iter();
        steps.clone().any(|step| step["step"] == "unwrapped")
    };

    assert!(says("1"));
    assert!(!says("2"));
}
