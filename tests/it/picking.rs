//! Does a command act on what was named, and on nothing else?

use crate::gateway::invoice;
use crate::program::Program;

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

