//! What does a person in the office do with commands, and what do they answer?

use std::process::Stdio;

use crate::gateway::{BAKERY, MILL, invoice_between};
use crate::program::Program;

/// The number of a third enterprise.
const THIRD: &str = "0477472701";

/// Runs a command that must be refused, and returns what it said.
fn refused(program: &Program, arguments: &[&str]) -> String {
    let output = program.run(arguments);
    assert!(!output.status.success(), "sluis {arguments:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Each delivery's state and reason.
fn stands(program: &Program) -> Vec<String> {
    let rows = program.json(&["deliveries", "kantoor"]);
    let told = rows.iter().map(|row| {
        let reason = row["reason"].as_str().unwrap_or_default();
        format!("{} {reason}", row["state"].as_str().unwrap())
    });
    told.map(|one| one.trim().to_owned()).collect()
}

#[test]
fn a_number_that_a_dossier_lacks_is_added_and_what_waited_for_it_goes() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice_between(MILL, THIRD, "F-1", 900)]);
    assert_eq!(stands(&program), ["held unknown_dossier"]);
    let bakery =
        |change: [&'static str; 2]| [&["dossier", "set", "kantoor", BAKERY][..], &change].concat();
    let noted = program.run(&bakery(["--add-id", "BE:EN:0239843188"]));
    let noted = String::from_utf8(noted.stderr).unwrap();
    assert!(noted.contains("is the number 0239843188 meant"), "{noted}");
    let told = program.ok(&["explain", "kantoor", "F-1"]);
    let numbers = told.split("Nummers erin: ").nth(1).unwrap();
    assert!(numbers.contains(THIRD) && numbers.contains(MILL), "{told}");

    program.ok(&bakery(["--add-id", THIRD]));

    assert!(stands(&program).contains(&"offered".to_owned()));
    let shown = program.json(&["dossier", "show", "kantoor", THIRD]);
    assert_eq!(shown[0]["identifiers"].as_array().unwrap().len(), 3);
    let why = refused(&program, &bakery(["--remove-id", MILL]));
    assert!(why.contains("has no number"), "{why}");
}

#[test]
fn a_wrong_number_is_taken_away_but_a_dossier_keeps_one_and_no_folder_changes_its_name() {
    let program = Program::init();
    let words = ["dossier", "add", "kantoor", "--name", "Molens"];
    program.ok(&[&words[..], &["--id", MILL, "--id", THIRD]].concat());
    let set = |dossier, change: &[&'static str]| {
        [&["dossier", "set", "kantoor", dossier][..], change].concat()
    };

    let why = refused(&program, &set("De Korenaar", &["--add-id", THIRD]));
    assert!(why.contains("is of dossier 2 `Molens`"), "{why}");
    let why = refused(
        &program,
        &["dossier", "add", "kantoor", "--name", "X", "--id", THIRD],
    );
    assert!(why.contains("is of dossier 2 `Molens`"), "{why}");
    program.ok(&set("Molens", &["--remove-id", THIRD]));
    program.ok(&set(
        "De Korenaar",
        &["--add-id", THIRD, "--name", "Korenaar"],
    ));
    let why = refused(&program, &set("Molens", &["--remove-id", MILL]));
    assert!(why.contains("no number left"), "{why}");
    let link = [
        "link",
        "add",
        "kantoor",
        "Korenaar",
        "--profile",
        "billsync",
    ];
    program.ok(&[&link[..], &["--code", "C"]].concat());
    let why = refused(&program, &set("Korenaar", &["--remove-id", BAKERY]));
    assert!(why.contains("remove that link first"), "{why}");
    let shown = program.json(&["dossier", "show", "kantoor", THIRD]);
    assert_eq!(shown[0]["name"], "Korenaar");
}

#[test]
fn what_waits_for_one_client_by_a_number_that_is_anothers_now_is_told() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ok(&["link", "set", "kantoor", "ACME", "--transfer", "manual"]);
    let set = |dossier: &'static str, change: [&'static str; 2]| {
        let output = program.run(&[&["dossier", "set", "kantoor", dossier][..], &change].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(set(BAKERY, ["--add-id", THIRD]), "");
    let sells = |number| invoice_between(MILL, THIRD, number, 900);
    program.ingest(&["F-1", "F-2"].map(sells));
    program.ingest(&[invoice_between(MILL, BAKERY, "F-3", 900)]);
    assert_eq!(stands(&program), ["held manual"; 3]);

    let taken = set(BAKERY, ["--remove-id", THIRD]);
    program.ok(&[
        "dossier", "add", "kantoor", "--name", "Molens", "--id", MILL,
    ]);
    let given = set("Molens", ["--add-id", THIRD]);
    let renamed = set("Molens", ["--name", "Molen"]);

    let waits = "2 documents wait for dossier 1 `De Korenaar` by a number ";
    let move_to = "`sluis move kantoor d1 d2 --dossier ";
    for (told, rest) in [
        (taken, ["that it no longer has", "DOSSIER --reason …`"]),
        (
            given,
            ["that is of dossier 2 `Molens` now", "dossier:2 --reason …`"],
        ),
    ] {
        for word in [waits, move_to].into_iter().chain(rest) {
            assert!(told.contains(word), "{word}: {told}");
        }
    }
    assert_eq!(renamed, "");
    assert_eq!(set("Molen", ["--remove-id", THIRD]), "");
    let file = program.path("kantoor.toml");
    let text = program.ok(&["export", "kantoor"]);
    let more = text.replace(&format!("\"{MILL}\""), &format!("\"{MILL}\", \"{THIRD}\""));
    std::fs::write(&file, more).unwrap();
    let applied = program.run(&["apply", file.to_str().unwrap()]).stderr;
    let applied = String::from_utf8(applied).unwrap();
    assert!(applied.contains(waits), "{applied}");
    let moves = ["move", "kantoor", "d1", "d2", "--dossier", "dossier:2"];
    program.ok(&[&moves[..], &["--reason", "theirs"]].concat());
    assert_eq!(set("Molen", ["--add-id", "0088:5412345000013"]), "");
}

#[test]
fn a_firm_that_has_had_something_is_not_removed_and_is_named() {
    let program = Program::init();
    program.ok(&["dossier", "remove", "kantoor", BAKERY]);

    let why = refused(&program, &["firm", "remove", "kantoor"]);

    assert!(why.contains("firm `kantoor` has 1 dossiers"), "{why}");
}

#[test]
fn of_many_who_give_a_dossier_a_number_at_once_none_undoes_another() {
    let program = Program::init();
    let numbers: Vec<_> = (1..7)
        .map(|nth| format!("0088:541234500001{nth}"))
        .collect();
    let add = |number: &String| {
        program
            .command(&["dossier", "set", "kantoor", BAKERY, "--add-id", number])
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };

    let running: Vec<_> = numbers.iter().map(add).collect();

    for mut one in running {
        assert!(one.wait().unwrap().success());
    }
    let shown = program.json(&["dossier", "show", "kantoor", BAKERY]);
    let all = shown[0]["identifiers"].as_array().unwrap();
    assert_eq!(all.len(), numbers.len() + 1, "{all:?}");
    assert_eq!(all[0]["value"], BAKERY, "the first stays the first");
}

/// A profile of one's own, which only whoever is told of its folder knows.
const OWN_PROFILE: &str = include_str!("../../config/profiles/generic.toml");

#[test]
fn a_dossier_is_not_renamed_where_nobody_knows_what_its_folders_bear() {
    let program = Program::init();
    let own = program.path("own");
    std::fs::create_dir(&own).unwrap();
    let profile = OWN_PROFILE.replace("id = \"generic\"", "id = \"eigen\"");
    std::fs::write(own.join("eigen.toml"), profile).unwrap();
    let knowing = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.env("SLUIS_PROFILES", &own).output().unwrap()
    };
    let link = ["link", "add", "kantoor", BAKERY, "--profile", "eigen"];
    let added = knowing(&[&link[..], &["--code", "C"]].concat());
    assert!(added.status.success(), "{added:?}");
    let rename = ["dossier", "set", "kantoor", BAKERY, "--name", "Korenaar"];
    let file = program.path("kantoor.toml");
    let text = program.ok(&["export", "kantoor"]);
    std::fs::write(&file, text.replace("De Korenaar", "Korenaar")).unwrap();

    for why in [
        refused(&program, &rename),
        refused(&program, &["apply", file.to_str().unwrap()]),
    ] {
        assert!(why.contains("there is no profile `eigen`"), "{why}");
    }
    let why = refused(&program, &rename);
    assert!(why.contains("`SLUIS_PROFILES`"), "{why}");
    // No folder has it.
    let more = ["dossier", "set", "kantoor", BAKERY, "--add-id", THIRD];
    program.ok(&more);
    let shown = program.json(&["dossier", "show", "kantoor", THIRD]);
    assert_eq!(shown[0]["name"], "De Korenaar");
    let renamed = knowing(&rename);
    assert!(renamed.status.success(), "{renamed:?}");
}

#[test]
fn a_document_is_shown_as_it_is_before_somebody_approves_it() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let sent = invoice_between(MILL, BAKERY, "F-1", 900);
    program.ingest(std::slice::from_ref(&sent));
    let out = program.path("f.xml").to_str().unwrap().to_owned();

    let shown = program.run(&["show", "kantoor", "F-1"]);
    let told = program.json(&["show", "kantoor", "d1", "--out", &out]);

    assert!(shown.status.success());
    assert_eq!(shown.stdout, sent);
    assert_eq!(std::fs::read(&out).unwrap(), sent);
    assert_eq!(told[0]["bytes"], sent.len());
    let why = refused(&program, &["show", "kantoor", "F-1", "--out", &out]);
    assert!(why.contains("could not make the file"), "{why}");
    let why = refused(&program, &["show", "kantoor", "F-1", "--json"]);
    assert!(why.contains("--out FILE"), "{why}");
}

#[test]
fn a_draft_in_a_folder_that_is_taken_in_is_a_draft() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let folder = program.path("old");
    std::fs::create_dir(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("F-1.xml", &invoice_between(MILL, BAKERY, "F-1", 900));
    write("F-1.xml.json", br#"{"status": "draft"}"#);
    write("F-2.xml", &invoice_between(MILL, BAKERY, "F-2", 900));
    write("F-2.json", br#"{"state": "draft"}"#);
    write("F-3.xml.part", &invoice_between(MILL, BAKERY, "F-3", 900));

    let why = refused(&program, &["ingest", "kantoor", folder.to_str().unwrap()]);

    assert!(why.contains("1 held, 0 quarantined, 1 failed"), "{why}");
    assert!(why.contains("left alone: `"), "{why}");
    assert!(
        why.contains("cannot be understood: unknown field `state`"),
        "{why}"
    );
    assert_eq!(stands(&program), ["held draft"]);
}

/// The office with a document that is in two books: `d1` and `d2`, of the mill and the bakery.
fn with_two_books() -> Program {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ok(&[
        "dossier", "add", "kantoor", "--name", "Molens", "--id", MILL,
    ]);
    program.link(MILL, "MOL", "server");
    program.ingest(&[invoice_between(MILL, BAKERY, "F-1", 900)]);
    assert_eq!(stands(&program), ["offered", "offered"]);
    program
}

#[test]
fn what_a_person_withdrew_stays_so_when_its_number_is_sent_again() {
    let program = with_two_books();
    program.ok(&["withdraw", "kantoor", "d1"]);
    let resend = |what| ["resend", "kantoor", what, "--reason", "lost"];

    let told = program.ok(&resend("F-1"));

    assert!(told.contains("left  d1"), "{told}");
    assert!(told.contains("resent  d3"), "{told}");
    let why = refused(&program, &resend("d2"));
    assert!(why.contains("sent again since, as d3"), "{why}");
    let told = program.ok(&resend("d1"));
    assert!(told.contains("resent  d4"), "{told}");
}

#[test]
fn what_is_approved_of_one_client_is_named_wherever_it_goes() {
    let program = with_two_books();
    program.ok(&["firm", "set", "kantoor", "--transfer", "at-once"]);
    program.ok(&["link", "set", "kantoor", "MOL", "--transfer", "after=10d"]);
    let file = program.path("F-2.xml");
    std::fs::write(&file, invoice_between(MILL, BAKERY, "F-2", 900)).unwrap();
    let file = file.to_str().unwrap();
    program.ok(&["ingest", "kantoor", file, "--origin", "incoming"]);
    assert_eq!(stands(&program)[2..], ["held approval", "held approval"]);

    let told = program.ok(&["approve", "kantoor", "d4"]);
    let again = program.ok(&["approve", "kantoor", "--dossier", BAKERY]);

    assert_eq!(stands(&program)[2..], ["held due", "offered"]);
    assert!(told.starts_with("approved  F-2  sent 1\n"), "{told}");
    assert!(told.contains("now d3  Molens  held due\n"), "{told}");
    let there = "now d4  De Korenaar  /expertm/ACME/";
    assert!(told.contains(there), "{told}");
    assert_eq!(again, "");
}

#[test]
fn what_is_held_back_in_one_book_says_what_has_gone_to_another() {
    let program = with_two_books();
    program.ok(&["link", "set", "kantoor", "ACME", "--transfer", "manual"]);
    program.ingest(&["F-2", "F-3"].map(|number| invoice_between(MILL, BAKERY, number, 900)));
    program.query(
        "update delivery set state = 'collected', collected_at = 1 where id = 5 returning id",
    );
    let hold = |number| program.ok(&["hold", "kantoor", number, "--reason", "wait"]);

    let (offered, collected) = (hold("F-2"), hold("F-3"));

    let expected = ["offered", "held on_hold", "collected", "held on_hold"];
    assert_eq!(stands(&program)[2..], expected);
    assert!(offered.contains("held  d4  F-2"), "{offered}");
    for word in ["left  d3  F-2  Molens: ", "`sluis withdraw kantoor d3`"] {
        assert!(offered.contains(word), "{word}: {offered}");
    }
    let left = "left  d5  F-3  Molens: it was collected";
    assert!(collected.contains(left), "{collected}");
    assert!(!hold("d6").contains("left"), "only what was named");
}

#[test]
fn whoever_sends_again_what_could_go_through_several_links_says_which() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice_between(MILL, BAKERY, "F-1", 900)]);
    program.ok(&["withdraw", "kantoor", "d1"]);
    program.ok(&["link", "remove", "kantoor", "ACME"]);
    program.link(BAKERY, "NEW", "server");
    program.link(BAKERY, "TWO", "server");
    let resend = ["resend", "kantoor", "d1", "--reason", "lost"];

    let why = refused(&program, &resend);
    let told = program.ok(&[&resend[..], &["--link", "TWO"]].concat());

    assert!(
        why.contains("say which with `--link`, `expertm/NEW` or `expertm/TWO`"),
        "{why}"
    );
    assert!(told.contains("resent  d2"), "{told}");
    assert!(told.contains("/expertm/TWO/"), "{told}");
    let why = refused(&program, &resend);
    assert!(why.contains("sent again since, as d2"), "{why}");
    let other = [
        "resend", "kantoor", "d2", "--reason", "lost", "--link", "NEW",
    ];
    let why = refused(&program, &other);
    assert!(why.contains("its own link is in use"), "{why}");
}

#[test]
fn what_a_newer_document_replaced_is_left_with_that_reason_until_it_is_asked_for() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ok(&["firm", "set", "kantoor", "--duplicates", "replace"]);
    program.ingest(&[invoice_between(MILL, BAKERY, "F-1", 2000)]);
    program.ingest(&[invoice_between(MILL, BAKERY, "F-1", 2001)]);
    assert_eq!(stands(&program), ["withdrawn", "offered"]);
    let resend = ["resend", "kantoor", "--dossier", BAKERY, "--reason", "lost"];

    let left = program.ok(&resend);
    let sent = program.ok(&[&resend[..], &["--replaced"]].concat());

    assert!(left.contains("left  d1"), "{left}");
    assert!(left.contains("a newer document took its place"), "{left}");
    assert!(sent.contains("resent  d3"), "{sent}");
}

#[test]
fn whoever_sends_what_is_in_no_books_is_told_to_give_it_to_some() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice_between(MILL, THIRD, "F-1", 900)]);

    let why = refused(&program, &["send", "kantoor", "F-1"]);

    assert!(why.contains("`sluis move`"), "{why}");
}

#[test]
fn what_was_in_no_books_and_was_withdrawn_can_be_given_to_some() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice_between(MILL, THIRD, "F-1", 900)]);
    program.ok(&["withdraw", "kantoor", "F-1"]);
    let words = [
        "move",
        "kantoor",
        "F-1",
        "--dossier",
        BAKERY,
        "--reason",
        "his",
    ];

    let why = refused(&program, &words);
    let told = program.ok(&[&words[..], &["--as", "purchase"]].concat());

    assert!(why.contains("`--as` says both"), "{why}");
    assert!(told.contains("moved  d1"), "{told}");
    assert!(!told.contains("collected already"), "{told}");
    assert!(told.contains("now d2  /expertm/ACME/"), "{told}");
    assert_eq!(stands(&program), ["withdrawn unknown_dossier", "offered"]);
    let why = refused(&program, &[&words[..], &["--as", "purchase"]].concat());
    assert!(why.contains("in those books already"), "{why}");
}

#[test]
fn what_a_newer_document_replaced_is_not_moved_beside_it() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ok(&["firm", "set", "kantoor", "--duplicates", "replace"]);
    program.ingest(&[invoice_between(MILL, BAKERY, "F-1", 2000)]);
    program.ingest(&[invoice_between(MILL, BAKERY, "F-1", 2001)]);
    program.ok(&[
        "dossier", "add", "kantoor", "--name", "Derde", "--id", THIRD,
    ]);

    let why = refused(
        &program,
        &[
            "move",
            "kantoor",
            "d1",
            "--dossier",
            THIRD,
            "--reason",
            "his",
        ],
    );

    assert!(why.contains("a newer document took its place"), "{why}");
    assert_eq!(stands(&program), ["withdrawn", "offered"]);
}

#[test]
fn that_a_document_was_given_to_other_books_is_explained_on_both_sides() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice_between(MILL, BAKERY, "F-1", 900)]);
    program.query("update delivery set state = 'collected', collected_at = 1 returning id");

    let words = [
        "reclassify",
        "kantoor",
        "d1",
        "--as",
        "sale",
        "--reason",
        "ours",
    ];
    let told = program.ok(&words);
    let story = program.ok(&["explain", "kantoor", "F-1", "--language", "en"]);

    assert!(told.contains("now d2  /expertm/ACME/"), "{told}");
    let given = "gave it to other books: to dossier 1 as sale: ours";
    assert!(story.contains(given), "{story}");
    assert!(story.contains("Reason: ours."), "{story}");
}

#[test]
fn what_was_collected_before_it_was_sent_again_is_named_when_it_is_given_to_other_books() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice_between(MILL, BAKERY, "F-1", 900)]);
    program.query("update delivery set state = 'collected', collected_at = 1 returning id");
    program.ok(&["resend", "kantoor", "F-1", "--reason", "lost"]);
    program.ok(&["withdraw", "kantoor", "d2"]);

    let words = ["reclassify", "kantoor", "F-1", "--as", "sale"];
    let output = program.run(&[&words[..], &["--reason", "ours"]].concat());
    let story = program.ok(&["explain", "kantoor", "F-1", "--language", "en"]);

    assert!(output.status.success(), "{output:?}");
    let noted = String::from_utf8(output.stderr).unwrap();
    assert!(noted.contains("d1 was collected already"), "{noted}");
    let taken = "take it out of these books by hand";
    assert_eq!(story.matches(taken).count(), 1, "{story}");
}

#[test]
fn a_place_that_is_set_up_is_left_alone_and_so_it_says() {
    let program = Program::init();
    let new = program.path("new").to_str().unwrap().to_owned();
    let old = program.path("sluis").to_str().unwrap().to_owned();
    let already = "This was set up already";

    let first = program.ok(&["init", &new]);
    let second = program.ok(&["init", &new]);
    let with_a_firm = program.ok(&["init", &old]);

    assert!(
        first.contains("(wrote)") && !first.contains(already),
        "{first}"
    );
    assert!(first.contains("\nNext, for an office"), "{first}");
    // Nobody has gone on yet.
    assert!(second.contains(already), "{second}");
    assert!(second.contains("\nNext, for an office"), "{second}");
    assert!(with_a_firm.contains(already), "{with_a_firm}");
    assert!(!with_a_firm.contains("Next"), "{with_a_firm}");
    assert!(with_a_firm.contains("check` says whether"), "{with_a_firm}");
}

#[test]
fn of_two_dossiers_of_one_name_whoever_makes_the_second_is_told() {
    let program = Program::init();
    let add = |name| ["dossier", "add", "kantoor", "--name", name, "--id"];
    let said = |arguments: &[&str]| {
        let output = program.run(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let note = format!("has another dossier of this name, 1 `De Korenaar` ({BAKERY});");

    let second = said(&[&add("de korenaar")[..], &[MILL]].concat());
    let third = said(&[&add("Molens")[..], &[THIRD]].concat());
    let renamed = said(&["dossier", "set", "kantoor", THIRD, "--name", "De Korenaar"]);

    assert!(second.contains(&note), "{second}");
    assert_eq!(third, "");
    assert!(renamed.contains("1 `De Korenaar`") && renamed.contains("2 `de korenaar`"));
}

#[test]
fn a_firm_gets_another_name_and_language_and_what_it_is_offered_stays_where_it_is() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    program.ingest(&[invoice_between(MILL, BAKERY, "F-1", 900)]);
    let place = |program: &Program| {
        let rows = program.json(&["deliveries", "kantoor"]);
        rows[0]["path"].as_str().unwrap().to_owned()
    };
    let bob = |code: &'static str, dossier: &'static str| {
        let words = ["link", "add", "kantoor", dossier, "--profile", "bob-demat"];
        program.ok(&[&words[..], &["--code", code]].concat());
    };
    bob("OUD", BAKERY);
    let before = place(&program);
    let set = |change: &[&'static str]| [&["firm", "set", "kantoor"][..], change].concat();

    program.ok(&set(&["--name", " Fiduciaire Dupont ", "--language", "fr"]));

    let shown = program.json(&["firm", "show", "kantoor"]).remove(0);
    assert_eq!(shown["name"], "Fiduciaire Dupont");
    assert_eq!(shown["language"], "fr");
    assert_eq!(place(&program), before);
    let dossier = [
        "dossier", "add", "kantoor", "--name", "Moulin", "--id", MILL,
    ];
    program.ok(&dossier);
    bob("NEUF", MILL);
    let links = program.json(&["link", "list", "kantoor"]);
    let languages: Vec<_> = links.iter().map(|link| &link["language"]).collect();
    assert_eq!(languages, ["nl", "nl", "fr"]);
    let events = program.ok(&["events", "kantoor"]);
    assert!(
        events.contains("name `Fiduciaire Dupont`, language fr"),
        "{events}"
    );
    let text = program.ok(&["export", "kantoor"]);
    assert!(text.contains("name = \"Fiduciaire Dupont\"\nlanguage = \"fr\""));
    assert_eq!(program.events("firm_changed"), 1);
    let why = refused(&program, &set(&["--name", " "]));
    assert!(why.contains("wants a name"), "{why}");
    assert_eq!(program.events("firm_changed"), 1);
}

#[test]
fn whoever_adds_a_device_that_is_there_is_told_how_it_gets_another_key() {
    let program = Program::init();
    program.device_of("server", "pull");
    let public = program.path("server.pub");
    let add = ["device", "add", "kantoor", "server", "--kind", "pull"];

    let why = refused(
        &program,
        &[&add[..], &["--key", public.to_str().unwrap()]].concat(),
    );

    assert!(
        why.contains("device `server` exists already: `sluis device key add kantoor server --key"),
        "{why}"
    );
    assert!(why.contains("`sluis device set kantoor server`"), "{why}");
}

#[test]
fn a_key_comes_on_standard_input_too() {
    let program = Program::init();
    program.device_of("server", "pull");
    let public = std::fs::File::open(program.path("server.pub")).unwrap();

    let mut add = program.command(&[
        "device", "add", "kantoor", "scanner", "--kind", "pull", "--key", "-",
    ]);
    let added = add.stdin(public).status().unwrap();

    assert!(added.success());
    let keys = program.json(&["device", "key", "list", "kantoor", "scanner"]);
    assert_eq!(keys.len(), 1);
    let add = ["device", "key", "add", "kantoor", "scanner", "--key", "-"];
    let why = refused(&program, &add);
    assert!(why.contains("there is no key in it"), "{why}");
}

#[test]
fn a_device_that_lost_its_last_key_is_told_of() {
    let program = Program::init();
    program.device("server", "pull", "ACME");
    let keys = program.json(&["device", "key", "list", "kantoor", "server"]);
    let print = keys[0]["fingerprint"].as_str().unwrap();
    let remove = |print| ["device", "key", "remove", "kantoor", "server", print];
    let both = ["--password", "--login", "key-and-password"];
    program.ok(&[&["device", "set", "kantoor", "server"][..], &both].concat());

    let why = refused(&program, &remove("SHA256:xx"));
    let removed = program.run(&remove(print));

    assert!(why.contains("`sluis device key list`"), "{why}");
    let note = String::from_utf8(removed.stderr).unwrap();
    let told = "logs in by key-and-password and has a password and no key that is good now, so it cannot log in";
    assert!(note.contains(told), "{note}");
}
