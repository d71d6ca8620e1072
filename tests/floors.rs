//! Does every module name only its own floor and those below?
//!
//! It reads text, not syntax: enough for an honest house. Tests beside the code are left out.

#![expect(clippy::unwrap_used, reason = "a test ends where something is amiss")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first.
const FLOORS: &[&[&str]] = &[
    &["model"],
    &[
        "alarm",
        "counts",
        "ubl",
        "layout",
        "collect",
        "transfer",
        "retention",
        "text",
        "evidence",
        "wellness",
        "doctor",
        // No judgement, but what both stores, and a door, ask of their files.
        "birth",
        "locks",
    ],
    &["blobs", "catalog"],
    &[
        "ingest",
        "tree",
        "mark",
        "login",
        "upload",
        "sending",
        "scheduler",
        "audit",
        "keeping",
        "dispatch",
        "lookout",
        "guard",
        "tending",
    ],
    &["dropfolder", "sftp"],
    &[
        "config",
        "hostkeys",
        "app",
        "seeing",
        "backup",
        "cli",
        "fuzzing",
        "telemetry",
        "main",
    ],
];

/// Doings stand on one floor but in an order of their own: a later one may name an earlier one.
const DOINGS: &[&str] = &[
    "login",
    "ingest",
    "sending",
    "scheduler",
    "tree",
    "mark",
    "upload",
    "audit",
    "keeping",
    "dispatch",
    "lookout",
    "guard",
    "tending",
];

/// Files that judge, wherever they stand, and the floors that do nothing else.
const PURE: &[&str] = &[
    "model/",
    "alarm.rs",
    "counts.rs",
    "seeing/page.rs",
    "ubl/",
    "layout/",
    "collect/",
    "evidence/",
    "text",
    "config/variables.rs",
    "ingest/named.rs",
    "transfer/",
    "retention.rs",
    "wellness.rs",
    "doctor.rs",
    "ingest/plan.rs",
    "ingest/route.rs",
    "dropfolder/settle.rs",
    "guard/config.rs",
    "guard/known.rs",
    "guard/penalties.rs",
    "guard/startups.rs",
    "guard/turned.rs",
    "login/judging.rs",
    "login/strength.rs",
    "login/who.rs",
    "dispatch/address.rs",
    "dispatch/answer.rs",
    "dispatch/backoff.rs",
    "dispatch/body.rs",
    "dispatch/breaker.rs",
    "dispatch/lanes.rs",
    "dispatch/signature.rs",
    "dispatch/target.rs",
    "sftp/algorithms.rs",
    "sftp/command.rs",
    "sftp/frames.rs",
    "sftp/handles.rs",
    "sftp/listing.rs",
    "sftp/pace.rs",
    "sftp/proxy.rs",
    "tree/folders.rs",
];

/// What judgement may not name: the clock, the network, the disk, the database, the log.
const WORLD: &[&str] = &[
    "tokio",
    "sqlx::",
    "object_store",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "::now()",
    "tracing::",
    "async fn",
    ".await",
];

#[test]
fn no_module_reaches_up() {
    let mut faults = Vec::new();
    for (file, text) in sources() {
        let Some(here) = floor_of(&file) else {
            faults.push(format!(
                "{file}: stands on no floor; give it one in tests/floors.rs"
            ));
            continue;
        };
        for named in named_modules(&text) {
            if floor(&named).is_some_and(|there| there > here) {
                faults.push(format!("{file} (floor {here}) reaches up to `{named}`"));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn doors_know_neither_stores_nor_other_doors() {
    let mut faults = Vec::new();
    for (file, text) in sources() {
        let door = module_of(&file);
        if !FLOORS[4].contains(&door.as_str()) {
            continue;
        }
        for named in named_modules(&text) {
            let is_store = FLOORS[2].contains(&named.as_str());
            let is_other_door = FLOORS[4].contains(&named.as_str()) && named != door;
            if is_store || is_other_door {
                faults.push(format!("{file} names `{named}`"));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn stores_do_not_know_each_other() {
    for (file, text) in sources() {
        let store = module_of(&file);
        if FLOORS[2].contains(&store.as_str()) {
            let others = named_modules(&text)
                .into_iter()
                .filter(|n| FLOORS[2].contains(&n.as_str()) && *n != store);
            assert_eq!(others.count(), 0, "{file}");
        }
    }
}

#[test]
fn doings_name_each_other_in_one_direction() {
    for (file, text) in sources() {
        let Some(here) = DOINGS.iter().position(|doing| *doing == module_of(&file)) else {
            continue;
        };
        for named in named_modules(&text) {
            let there = DOINGS.iter().position(|doing| *doing == named);
            assert!(
                there.is_none_or(|there| there <= here),
                "{file} names `{named}`"
            );
        }
    }
}

#[test]
fn decisions_do_not_touch_the_world() {
    let mut faults = Vec::new();
    for (file, text) in sources() {
        if PURE.iter().any(|pure| file.starts_with(pure)) {
            let touched = WORLD.iter().filter(|word| text.contains(**word));
            faults.extend(touched.map(|word| format!("{file} touches `{word}`")));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn only_the_catalog_writes_sql() {
    for (file, text) in sources() {
        assert!(
            module_of(&file) == "catalog" || !text.contains("sqlx::"),
            "{file}"
        );
    }
}

#[test]
fn every_file_says_what_question_it_answers_and_is_short() {
    for (file, text) in sources() {
        assert!(
            text.starts_with("//! "),
            "{file} does not begin with what it answers"
        );
        assert!(
            text.lines().count() <= 500,
            "{file} has {} lines",
            text.lines().count()
        );
    }
}

/// Every source file by its path below `src`, without its tests.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    collect(&root, &root, &mut files);
    assert!(files.len() > 50, "the sources were not found");
    files
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    let entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    for path in entries {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tests") {
                collect(root, &path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text
                .split("\n#[cfg(test)]")
                .next()
                .unwrap_or_default()
                .to_owned();
            files.insert(path.strip_prefix(root).unwrap().display().to_string(), code);
        }
    }
}

fn module_of(file: &str) -> String {
    let first = file.split('/').next().unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

fn floor_of(file: &str) -> Option<usize> {
    // `lib.rs` lists the modules; it stands on none.
    if file == "lib.rs" {
        Some(FLOORS.len())
    } else {
        floor(&module_of(file))
    }
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// Modules that code names as `crate::module` or in `crate::{module, …}`; comments do not count.
fn named_modules(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut named = Vec::new();
    for after in code.split("crate::").skip(1) {
        let list = after
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .map_or(after, |(list, _)| list);
        let parts = if after.starts_with('{') {
            list.split(',').collect()
        } else {
            vec![list]
        };
        for part in parts {
            let name: String = part
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            named.push(name);
        }
    }
    named
}
