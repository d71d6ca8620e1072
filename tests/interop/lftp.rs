//! What does lftp do, which asks for version 6 and closes no small file?

use std::process::Command;

use sluis::model::Timestamp;

use super::errand::{Act, Client, Errand, FETCHED, expect, finish, finish_while};
use super::scene::{PULL, Scene, all, files_under, wait_until};
use super::wire::Wire;

pub const LFTP: Client = Client {
    name: "lftp",
    needs: "command -v lftp",
    command: |errand| {
        let line = match errand.act {
            Act::List { folder } => format!("cls -1 \"{folder}\""),
            Act::Stat { file } => format!("cls -l \"{file}\""),
            Act::Get { file, to } => format!("get \"{file}\" -o \"{}\"", to.display()),
            Act::Folder { folder, to } => format!("mirror \"{folder}\" \"{}\"", to.display()),
            Act::Resume { file, to } => format!("get -c \"{file}\" -o \"{}\"", to.display()),
            Act::Put { from, to } => format!("put \"{}\" -o \"{to}\"", from.display()),
            Act::Rename { from, to } | Act::Replace { from, to } => {
                format!("mv \"{from}\" \"{to}\"")
            }
            Act::Remove { file } => format!("rm \"{file}\""),
            Act::FetchRemove { file } => format!("get -E \"{file}\" -o {FETCHED}"),
            Act::FetchRename { file, to } => {
                format!("get \"{file}\" -o {FETCHED}; mv \"{file}\" \"{to}\"")
            }
        };
        // When it ends it kills its `ssh`, perhaps before the CLOSE of the last file is sent. One more
        // request in the same session comes after that.
        Some(lftp(errand, &format!("{line}; cls -1 / >/dev/null")))
    },
};

fn lftp(errand: &Errand<'_>, script: &str) -> Command {
    let connect = format!(
        "set sftp:connect-program 'ssh -a -x {} -p {}'; set net:max-retries 1; \
         set net:reconnect-interval-base 1; set cmd:fail-exit yes",
        errand.ssh_options().join(" "),
        errand.port
    );
    let open = format!("open -u {},x sftp://127.0.0.1", errand.login());
    let mut command = errand.command("lftp");
    command.args(["--norc", "-c", &format!("{connect}; {open}; {script}")]);
    command
}

impl Scene {
    fn lftp(&self, script: &str) {
        let errand = self.errand(&self.server, Act::List { folder: "/" });
        expect(&finish(&mut lftp(&errand, script)));
        self.quiet();
    }
}

#[test]
fn lftp_mirrors_a_thousand_documents_without_waiting_for_acknowledgements() {
    if !LFTP.is_here() {
        return;
    }
    let scene = Scene::new(&[20_000; 1000]);

    scene.lftp(&format!("mirror \"{PULL}\" got; cls -1 / >/dev/null"));

    assert!(files_under(&scene.here.join("got")) == scene.files(PULL));
    assert!(all(&scene.pulled(), "collected"));
    // Delayed ones would cost 40 ms a file at least, and a busy machine does not slow each of them so much.
    let events = scene.program.json(&["events", "kantoor"]);
    let collected = events.iter().filter(|event| event["kind"] == "collected");
    let at: Vec<Timestamp> = collected
        .map(|event| event["at"].as_str().unwrap())
        .map(|at| Timestamp::parse(at).unwrap())
        .collect();
    assert_eq!(at.len(), 1000);
    let gaps = at.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let short = gaps.filter(|gap| *gap < 40).count();
    assert!(short >= 100, "{short} of a thousand came soon");
}

#[test]
fn lftp_gets_in_pieces() {
    if !LFTP.is_here() {
        return;
    }
    let scene = Scene::new(&[5_000_000]);

    // It reads on with the first connection while the others are being made: each waits for all.
    let wire = Wire::that_stands_still_after(100_000, scene.program.address.unwrap());
    let act = Act::List { folder: "/" };
    let errand = Errand {
        port: wire.port(),
        ..scene.errand(&scene.server, act)
    };
    let pget = format!("pget -n 4 \"{}\" -o got.xml", scene.path(PULL, 0));

    expect(&finish_while(&mut lftp(&errand, &pget), |_| {
        wait_until(|| wire.standing() == 4);
        wire.goes_on();
    }));
    scene.quiet();

    assert!(std::fs::read(scene.here.join("got.xml")).unwrap() == scene.documents[0]);
    // It cuts the connections that it needs no more. What came through those is not believed, so the
    // document may be offered once more.
    let states = scene.pulled();
    assert!(
        all(&states, "collected") || all(&states, "offered"),
        "{states:?}"
    );
    // Whoever then fetches what is offered has it for good.
    if all(&states, "offered") {
        let file = scene.path(PULL, 0);
        scene.lftp(&format!("get \"{file}\" -o again.xml; cls -1 / >/dev/null"));
        assert!(std::fs::read(scene.here.join("again.xml")).unwrap() == scene.documents[0]);
    }
    assert!(all(&scene.pulled(), "collected"));
}

/// As `lftp -c "get …"` without a request behind it: it has the document, and hangs up before or after it has closed.
#[test]
fn what_lftp_left_open_is_offered_until_it_asks_for_something_behind_it() {
    if !LFTP.is_here() {
        return;
    }
    let scene = Scene::new(&[1200, 3_000_000]);
    for document in [0, 1] {
        let file = scene.path(PULL, document);
        let get = |to: &str| format!("get \"{file}\" -o {to}-{document}.xml");
        let got = |name: &str| std::fs::read(scene.here.join(format!("{name}-{document}.xml")));

        scene.lftp(&get("first"));

        let state = scene.state(file);
        assert!(got("first").unwrap() == scene.documents[document]);
        assert!(["offered", "collected"].contains(&&*state), "{state}");
        if state == "offered" {
            scene.lftp(&format!("{}; cls -1 / >/dev/null", get("second")));
            assert!(got("second").unwrap() == scene.documents[document]);
        }
        assert_eq!(scene.state(file), "collected");
    }
    assert_eq!(scene.program.events("collected"), 2);
}

#[test]
fn lftp_removes_what_it_fetched() {
    if !LFTP.is_here() {
        return;
    }
    let scene = Scene::new(&[1200, 40_000, 3_000_000]);

    scene.lftp(&format!("mirror --Remove-source-files \"{PULL}\" got"));

    assert!(files_under(&scene.here.join("got")) == scene.files(PULL));
    assert!(all(&scene.pulled(), "processed"), "{:?}", scene.pulled());
}
