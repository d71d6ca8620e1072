//! Is every command one that clap takes, and is what it changes noted?

use std::collections::BTreeMap;

use super::*;

/// What becomes of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noted {
    /// It changes nothing.
    Reads,
    /// It changes only a folder of its own, which is thrown away.
    Plays,
    /// It is no deed of a person: what happens while it runs are events.
    Serves,
    /// It is a deed, and tells one of these events in the same transaction.
    Tells(&'static [&'static str]),
    /// It is a deed, and there is no firm whose events could tell it, or it changes nothing of theirs.
    Deed,
}

use Noted::{Deed, Plays, Reads, Serves, Tells};

/// Every command. A new one stands here, or the test fails: does it change something?
#[rustfmt::skip]
const COMMANDS: &[(&str, Noted)] = &[
    ("init", Deed),
    ("serve", Serves),
    ("check", Reads),
    ("status", Reads),
    ("read", Reads),
    ("ingest", Tells(&["kept", "held", "offered", "recognised", "quarantined"])),
    ("firm add", Tells(&["firm_added"])),
    ("firm list", Reads),
    ("firm show", Reads),
    ("firm set", Tells(&["firm_changed"])),
    // Its events go with it.
    ("firm remove", Deed),
    ("dossier add", Tells(&["dossier_added"])),
    ("dossier list", Reads),
    ("dossier show", Reads),
    ("dossier set", Tells(&["dossier_changed"])),
    ("dossier remove", Tells(&["dossier_removed"])),
    ("link add", Tells(&["link_added"])),
    ("link list", Reads),
    ("link show", Reads),
    ("link set", Tells(&["link_changed"])),
    ("link remove", Tells(&["link_removed"])),
    ("device add", Tells(&["device_added", "default_changed"])),
    ("device list", Reads),
    ("device show", Reads),
    ("device remove", Tells(&["device_removed"])),
    ("device default", Tells(&["default_changed"])),
    ("device set", Tells(&["uploads_changed", "login_changed", "password_changed"])),
    ("device disable", Tells(&["device_disabled"])),
    ("device enable", Tells(&["device_enabled"])),
    ("device key list", Reads),
    ("device key set", Tells(&["key_changed"])),
    ("device key add", Tells(&["key_added"])),
    ("device key remove", Tells(&["key_removed"])),
    ("apply", Tells(&["firm_changed", "device_added", "dossier_added", "dossier_changed", "link_added", "link_changed"])),
    ("export", Reads),
    ("webhook add", Tells(&["webhook_added"])),
    ("webhook list", Reads),
    // A deed where it shows the secret.
    ("webhook show", Deed),
    ("webhook remove", Tells(&["webhook_removed"])),
    ("webhook pause", Tells(&["webhook_paused"])),
    ("webhook resume", Tells(&["webhook_resumed"])),
    ("webhook test", Deed),
    ("webhook dead", Reads),
    ("webhook retry", Deed),
    ("documents", Reads),
    ("deliveries", Reads),
    // It tries a block, and removes it.
    ("doctor", Reads),
    // Writes pages that are nobody's but whoever asks for them.
    ("manual", Reads),
    ("events", Reads),
    ("events verify", Reads),
    ("events replay", Reads),
    ("deeds", Reads),
    ("receipt", Reads),
    ("receipt verify", Reads),
    ("explain", Reads),
    ("show", Reads),
    ("send", Tells(&["offered"])),
    ("approve", Tells(&["approved"])),
    ("hold", Tells(&["held"])),
    ("move", Tells(&["moved"])),
    ("reclassify", Tells(&["moved"])),
    ("replace", Tells(&["offered", "withdrawn", "revised"])),
    ("resend", Tells(&["resent"])),
    ("withdraw", Tells(&["withdrawn"])),
    ("retention show", Reads),
    ("retention run", Tells(&["expired", "forgotten"])),
    ("retention hold", Tells(&["legal_hold_placed"])),
    ("retention release", Tells(&["legal_hold_released"])),
    ("penalties", Reads),
    ("penalties lift", Deed),
    ("fsck", Reads),
    ("backup", Deed),
    ("restore", Deed),
    ("demo", Plays),
    ("completions", Reads),
];

#[test]
fn every_command_is_one_that_clap_takes() {
    Cli::command().debug_assert();
}

/// Every command that can be typed, with its words.
fn typed(command: &clap::Command, before: &str, all: &mut Vec<String>) {
    for one in command.get_subcommands() {
        let words = format!("{before}{}", one.get_name());
        if !one.is_subcommand_required_set() {
            all.push(words.clone());
        }
        typed(one, &format!("{words} "), all);
    }
}

#[test]
fn of_every_command_it_is_known_whether_it_is_noted() {
    let mut all = Vec::new();
    typed(&Cli::command(), "", &mut all);
    all.sort();
    let mut known: Vec<_> = COMMANDS
        .iter()
        .map(|(words, _)| (*words).to_owned())
        .collect();
    known.sort();

    assert_eq!(
        all, known,
        "a new command stands in COMMANDS, and in tests/it/seeing.rs if it changes something"
    );
}

/// The story of deeds runs each command that is one, as the program: here, only whether none is left out.
#[test]
fn every_command_that_is_noted_is_run_where_deeds_are_looked_at() {
    let story = include_str!("../../tests/it/seeing.rs");
    for (words, noted) in COMMANDS {
        let runs = [' ', '"'].map(|end| format!("\"{words}{end}"));
        let is_run = runs.iter().any(|run| story.contains(run));
        assert!(
            is_run || !matches!(noted, Deed | Tells(_)),
            "`{words}` stands nowhere in tests/it/seeing.rs"
        );
    }
}

#[test]
fn what_a_command_tells_is_an_event() {
    let kinds: BTreeMap<_, _> = COMMANDS.iter().copied().collect();
    for (words, noted) in kinds {
        let Tells(events) = noted else { continue };
        assert!(!events.is_empty(), "{words}");
        for kind in events {
            let known: Result<crate::model::EventKind, _> = kind.parse();
            assert!(known.is_ok(), "{words}: {kind}");
        }
    }
}

#[test]
fn no_secret_is_an_argument() {
    fn look(command: &clap::Command) {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let is_secret = ["password", "secret", "token", "passphrase"]
                .iter()
                .any(|word| name.contains(word));
            // A command line is remembered, and every user of the machine sees it while it runs.
            assert!(
                !is_secret || !argument.get_action().takes_values(),
                "{} of `{}` takes a value",
                name,
                command.get_name()
            );
        }
        command.get_subcommands().for_each(look);
    }
    look(&Cli::command());
}
