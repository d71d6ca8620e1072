//! What does `ssh-audit` say of each set of algorithms?

use std::collections::BTreeSet;

use serde_json::Value;

use super::errand::{Act, Client, finish, said};
use super::scene::Scene;

/// It is asked in `findings`, for it does no errand.
const SSH_AUDIT: Client = Client {
    name: "ssh-audit",
    needs: "\"$SLUIS_TEST_PYTHON\" -c 'import ssh_audit'",
    command: |_| None,
};

/// What stays in the default set although it is warned of: hardly a device knows better yet.
const KNOWN: [&str; 2] = [
    "warn kex curve25519-sha256: does not provide protection against post-quantum attacks",
    "warn kex curve25519-sha256@libssh.org: does not provide protection against post-quantum attacks",
];

/// Which `ssh-audit`, by the folder beside the libraries of Python in which it is.
#[derive(Clone, Copy)]
enum Audit {
    Newest,
    /// The last one that did not warn of whatever is not post-quantum.
    BeforePostQuantum,
}

impl Audit {
    fn folder(self) -> &'static str {
        match self {
            Self::Newest => "none-before-the-libraries",
            Self::BeforePostQuantum => "before-post-quantum",
        }
    }
}

/// Every failure and warning, for a server that offers this set.
fn findings(audit: Audit, algorithms: &str) -> BTreeSet<String> {
    let scene = Scene::offering(algorithms, &[]);
    let errand = scene.errand(&scene.server, Act::List { folder: "/" });
    let mut command = errand.command("sh");
    // Its rate test counts connections from loopback, which nobody limits.
    let script = "PYTHONPATH=\"${SLUIS_TEST_PYTHON%/bin/*}/$1\" \
        exec \"$SLUIS_TEST_PYTHON\" -m ssh_audit -j --skip-rate-test -p \"$0\" 127.0.0.1";
    command.args(["-c", script, &errand.port.to_string(), audit.folder()]);
    let output = finish(&mut command);
    let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else {
        panic!("{algorithms}: {}", said(&output));
    };
    assert_eq!(report["cves"].as_array().map(Vec::len), Some(0), "{report}");
    let mut findings = BTreeSet::new();
    for kind in ["kex", "key", "enc", "mac"] {
        let offered = report[kind].as_array().unwrap();
        assert_ne!(offered.len(), 0, "{report}");
        for algorithm in offered {
            let name = algorithm["algorithm"].as_str().unwrap();
            for level in ["fail", "warn"] {
                let notes = algorithm["notes"][level].as_array();
                let told = notes.into_iter().flatten().filter_map(Value::as_str);
                findings.extend(told.map(|note| format!("{level} {kind} {name}: {note}")));
            }
        }
    }
    findings
}

#[test]
fn ssh_audit_finds_nothing_but_what_is_known() {
    if !SSH_AUDIT.is_here() {
        return;
    }
    assert_eq!(findings(Audit::Newest, "post-quantum"), BTreeSet::new());
    assert_eq!(
        findings(Audit::BeforePostQuantum, "modern"),
        BTreeSet::new()
    );
    let known: BTreeSet<_> = KNOWN.into_iter().map(ToOwned::to_owned).collect();
    assert_eq!(findings(Audit::Newest, "modern"), known);

    // Of what older devices need it finds more, so it does look.
    let legacy = findings(Audit::Newest, "legacy");
    assert!(
        legacy
            .iter()
            .any(|finding| finding.starts_with("fail key ecdsa-sha2-nistp256")),
        "{legacy:?}"
    );
    // The curves of NIST apart, no failure: nothing of it is broken.
    let failed: Vec<_> = legacy
        .iter()
        .filter(|finding| finding.starts_with("fail") && !finding.contains("ecdsa-sha2-nistp256"))
        .collect();
    assert_eq!(failed, Vec::<&String>::new());
}
