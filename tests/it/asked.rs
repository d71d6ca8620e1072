//! Does a command do what was asked, and nothing else?

use crate::gateway::{BAKERY, MILL, invoice_between};
use crate::program::Program;

const WEAVER: &str = "0403019261";

/// An office with a device, and dossiers with these numbers and codes; each link as `transfer` says.
fn office(dossiers: &[(&str, &str)], transfer: &str) -> Program {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    for (number, code) in dossiers {
        #[rustfmt::skip]
        program.ok(&["dossier", "add", "kantoor", "--name", code, "--id", number]);
        link(&program, number, code, transfer);
    }
    program
}

fn link(program: &Program, number: &str, code: &str, transfer: &str) {
    #[rustfmt::skip]
    program.ok(&["link", "add", "kantoor", number, "--profile", "expertm", "--code", code, "--transfer", transfer, "--device", "server"]);
}

fn reasons(program: &Program) -> Vec<String> {
    let rows = program.json(&["deliveries", "kantoor"]);
    let word = |row: &serde_json::Value| {
        let word = row["reason"].as_str().or_else(|| row["state"].as_str());
        word.unwrap_or_default().to_owned()
    };
    rows.iter().map(word).collect()
}

#[test]
fn what_waits_for_a_hand_at_another_link_stays_where_one_is_let_go() {
    let program = office(&[(MILL, "MOL"), (WEAVER, "WEV")], "manual");
    let bought = |buyer, number| invoice_between("0899965307", buyer, number, 2000);
    program.ingest(&[bought(MILL, "F-1"), bought(WEAVER, "F-2")]);
    assert_eq!(reasons(&program), ["manual", "manual"]);

    #[rustfmt::skip]
    program.ok(&["link", "set", "kantoor", "expertm/MOL", "--transfer", "at-once"]);
    assert_eq!(reasons(&program), ["manual", "manual"]);
    #[rustfmt::skip]
    program.ok(&["link", "set", "kantoor", "expertm/WEV", "--transfer", "at-once", "--release-waiting"]);

    assert_eq!(reasons(&program), ["manual", "offered"]);
    #[rustfmt::skip]
    program.ok(&["link", "set", "kantoor", "expertm/MOL", "--transfer", "at-once", "--release-waiting"]);
    assert_eq!(reasons(&program), ["offered", "offered"]);
}

#[test]
fn what_waits_for_a_hand_is_let_go_by_the_firm_where_the_link_follows_the_firms_rule() {
    let program = office(&[(MILL, "MOL"), (WEAVER, "WEV")], "manual");
    let bought = |buyer, number| invoice_between("0899965307", buyer, number, 2000);
    program.ingest(&[bought(MILL, "F-1"), bought(WEAVER, "F-2")]);
    let link = |code, transfer| {
        program.ok(&["link", "set", "kantoor", code, "--transfer", transfer]);
    };
    link("expertm/MOL", "firm");
    link("expertm/WEV", "at-once");
    let firm = ["firm", "set", "kantoor", "--transfer"];
    program.ok(&[&firm[..], &["nightly"]].concat());
    assert_eq!(reasons(&program), ["manual", "manual"]);

    program.ok(&[&firm[..], &["at-once", "--release-waiting"]].concat());

    assert_eq!(reasons(&program), ["offered", "manual"]);
}

#[test]
fn two_ways_to_say_which_that_would_add_up_are_refused() {
    let program = office(&[], "manual");
    program.ingest(&[invoice_between(MILL, BAKERY, "F-1", 2000)]);
    for asked in [
        &["send", "kantoor", "--all", "--since", "2026-01-01"][..],
        &["send", "kantoor", "--all", "--dossier", BAKERY],
        &["send", "kantoor", "F-1", "--dossier", BAKERY],
        &["send", "kantoor", "F-1", "--until", "2026-01-01"],
        &[
            "resend",
            "kantoor",
            "F-1",
            "--dossier",
            BAKERY,
            "--reason",
            "x",
        ],
        &["approve", "kantoor", "F-1", "--dossier", BAKERY],
        &["approve", "kantoor", "--all", "--dossier", BAKERY],
    ] {
        assert_eq!(program.run(asked).status.code(), Some(2), "{asked:?}");
    }
    #[rustfmt::skip]
    program.ok(&["resend", "kantoor", "--dossier", BAKERY, "--since", "2026-01-01", "--only", "all", "--reason", "x"]);
}

#[test]
fn what_is_older_than_its_links_beginning_goes_only_where_it_is_named() {
    let program = office(&[(MILL, "MOL")], "at-once");
    #[rustfmt::skip]
    program.ok(&["link", "set", "kantoor", "expertm/MOL", "--from", "2027-01-01"]);
    program.ingest(&[invoice_between(WEAVER, MILL, "F-1", 2000)]);
    assert_eq!(reasons(&program), ["before_start"]);

    let told = program.ok(&["send", "kantoor", "--all"]);
    assert!(told.starts_with("left  d1"), "{told}");
    assert_eq!(reasons(&program), ["before_start"]);

    program.ok(&["send", "kantoor", "F-1"]);
    assert_eq!(reasons(&program), ["offered"]);
}

#[test]
fn what_a_person_holds_back_waits_on_in_other_books_and_for_their_link() {
    let program = office(&[(MILL, "MOL")], "manual");
    #[rustfmt::skip]
    program.ok(&["link", "add", "kantoor", MILL, "--profile", "codabox", "--code", "MOL", "--transfer", "manual", "--device", "server"]);
    #[rustfmt::skip]
    program.ok(&["dossier", "add", "kantoor", "--name", "Wever", "--id", WEAVER]);
    program.ingest(&[invoice_between("0899965307", MILL, "F-1", 2000)]);
    assert_eq!(reasons(&program), ["manual", "manual"]);
    program.ok(&["hold", "kantoor", "d2", "--reason", "fraud?"]);

    // By the other one, to books that have no link yet.
    #[rustfmt::skip]
    program.ok(&["move", "kantoor", "d1", "--dossier", WEAVER, "--as", "purchase", "--reason", "theirs"]);
    assert_eq!(reasons(&program)[2..], ["on_hold"]);
    link(&program, WEAVER, "WEV", "at-once");

    assert_eq!(reasons(&program)[2..], ["on_hold"]);
    program.ok(&["send", "kantoor", "d3"]);
    assert_eq!(reasons(&program)[2..], ["offered"]);
}

#[test]
fn who_holds_back_what_has_no_link_yet_sends_it_once_it_has_one() {
    let program = office(&[], "manual");
    #[rustfmt::skip]
    program.ok(&["dossier", "add", "kantoor", "--name", "Wever", "--id", WEAVER]);
    program.ingest(&[invoice_between("0899965307", WEAVER, "F-1", 2000)]);
    program.ok(&["hold", "kantoor", "F-1", "--reason", "fraud?"]);
    link(&program, WEAVER, "WEV", "at-once");
    assert_eq!(reasons(&program), ["on_hold"]);
    let told = program.ok(&["explain", "kantoor", "F-1"]);
    assert!(told.contains("fraud?"), "{told}");

    program.ok(&["send", "kantoor", "F-1"]);

    assert_eq!(reasons(&program), ["offered"]);
    program.ok(&["events", "verify"]);
    program.ok(&["events", "replay"]);
}

#[test]
fn a_dossier_on_which_a_legal_hold_lies_is_not_removed() {
    let program = office(&[], "manual");
    #[rustfmt::skip]
    program.ok(&["dossier", "add", "kantoor", "--name", "Wever", "--id", WEAVER]);
    #[rustfmt::skip]
    program.ok(&["retention", "hold", "kantoor", "--dossier", WEAVER, "--reason", "inspection"]);

    let refused = program.run(&["dossier", "remove", "kantoor", WEAVER]);

    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("legal hold"), "{told}");
    program.ok(&["retention", "release", "kantoor", "1", "--reason", "over"]);
    program.ok(&["dossier", "remove", "kantoor", WEAVER]);
}

#[test]
fn a_file_that_says_nothing_of_a_links_beginning_leaves_it_as_it_is() {
    let program = office(&[(MILL, "MOL")], "at-once");
    #[rustfmt::skip]
    program.ok(&["link", "set", "kantoor", "expertm/MOL", "--from", "2027-01-01"]);
    program.ingest(&[invoice_between(WEAVER, MILL, "F-1", 2000)]);
    let file = program.path("kantoor.toml");
    let text = program.ok(&["export", "kantoor"]);
    assert!(text.contains("from = \"2027-01-01\"\n"), "{text}");
    let text = text.replace("from = \"2027-01-01\"\n", "");
    std::fs::write(&file, text.replace("\"at-once\"", "\"nightly\"")).unwrap();

    let told = program.ok(&["apply", file.to_str().unwrap()]);

    assert!(told.contains("transfer nightly"), "{told}");
    assert!(told.contains("from 2027-01-01"), "{told}");
    assert_eq!(reasons(&program), ["before_start"]);
}
