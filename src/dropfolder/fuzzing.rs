//! What must hold of whatever lies in a drop folder?

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::beside::{is_beside, join, read};
use super::settle::{Seen, Stamp};

/// Takes the bytes as what is said of a document, and their lines as names of files.
pub(crate) fn sidecar(bytes: &[u8]) {
    said(bytes);
    named(bytes);
}

/// Whatever is understood is an object of known words, each once.
fn said(bytes: &[u8]) {
    let Ok(said) = read(bytes) else {
        return;
    };
    let object = serde_json::from_slice::<Map<String, Value>>(bytes);
    assert!(object.is_ok(), "only an object is understood");
    let object = object.unwrap_or_default();
    let value = |key: &str| object.get(key).filter(|value| !value.is_null());
    let word = |word: Option<&str>| word.map(Value::from);
    assert!(object.len() <= 3);
    assert_eq!(
        value("status").cloned(),
        word(said.status.map(|it| it.as_str()))
    );
    assert_eq!(
        value("origin").cloned(),
        word(said.origin.map(|it| it.as_str()))
    );
    assert_eq!(value("approved").cloned(), said.approved.map(Value::from));
}

/// Each file is there once, and what is said stands beside a document.
fn named(bytes: &[u8]) {
    let mut names: Vec<PathBuf> = bytes
        .split(|byte| *byte == b'\n')
        .take(64)
        .map(path)
        .collect();
    names.sort();
    names.dedup();
    let stamp = Stamp {
        modified_ns: 0,
        bytes: 1,
        device: 1,
        inode: 1,
    };
    let seen = |path: &PathBuf| Seen {
        path: path.clone(),
        stamp,
        beside: None,
    };
    let joined = join(names.iter().map(seen).collect());
    let mut all = Vec::new();
    for file in joined {
        if let Some(beside) = file.beside {
            assert!(is_beside(&beside.path) && !is_beside(&file.path));
            all.push(beside.path);
        }
        all.push(file.path);
    }
    all.sort();
    assert_eq!(all, names);
}

fn path(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::OsStr::from_bytes(name).into()
}
