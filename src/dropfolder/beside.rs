//! What does a sender say of a document in a file beside it?
//!
//! `F-17.xml.json`, or `F-17.json`, says of `F-17.xml` what the document itself does not: `{"status":
//! "draft", "origin": "incoming", "approved": false}`, each of which may be left out. The two settle
//! together. One whose document does not come is put aside after a while, so that a typing error shows.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::settle::{Seen, Stamp};
use crate::model::{Said, fold};

/// The most bytes of such a file: it holds a few words.
pub(super) const BESIDE_BYTES_MAX: u64 = 16 * 1024;

/// How long one waits for its document.
pub(super) const ALONE_MS_MAX: i64 = 3_600_000;

/// A file that says something of the document beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beside {
    /// Its path within the firm's folder.
    pub(super) path: PathBuf,
    /// In which state.
    pub(super) stamp: Stamp,
}

/// Says whether a file says something of another, by its name.
pub(super) fn is_beside(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// Joins to each document what is said of it. What stands beside none is left as it is.
///
/// Names are compared without case, as their writers do; of two that differ in case the exact one is meant.
pub(super) fn join(seen: Vec<Seen>) -> Vec<Seen> {
    let (beside, mut documents): (Vec<_>, Vec<_>) =
        seen.into_iter().partition(|file| is_beside(&file.path));
    let mut all: HashMap<String, Vec<Seen>> = HashMap::new();
    for one in beside {
        all.entry(folded(&one.path)).or_default().push(one);
    }
    for document in &mut documents {
        let found = names(&document.path)
            .into_iter()
            .find_map(|name| take(&mut all, &name));
        document.beside = found.map(|one| Beside {
            path: one.path,
            stamp: one.stamp,
        });
    }
    documents.extend(all.into_values().flatten());
    documents
}

fn take(all: &mut HashMap<String, Vec<Seen>>, name: &Path) -> Option<Seen> {
    let same = all.get_mut(&folded(name))?;
    let exact = same.iter().position(|one| one.path == name);
    match exact {
        Some(at) => Some(same.swap_remove(at)),
        None => same.pop(),
    }
}

fn folded(path: &Path) -> String {
    fold(&path.to_string_lossy())
}

/// Says whether something is beside a document that no look has joined to it: more files than a look sees, a
/// link, or one that came just now.
pub(super) fn is_overlooked(folder: &Path, document: &Path) -> bool {
    names(document)
        .iter()
        .any(|name| folder.join(name).symlink_metadata().is_ok())
}

/// Reads what is said.
///
/// # Errors
///
/// When it is not what it should be, in the words of the parser.
pub(super) fn read(bytes: &[u8]) -> Result<Said, String> {
    // Not at once: a list of three would be taken for the three, in order.
    let read = serde_json::from_slice::<Map<String, Value>>(bytes);
    let said = read.and_then(|object| Said::deserialize(Value::Object(object)));
    said.map_err(|error| error.to_string())
}

/// What the file beside a document may be called, the likeliest first. The shorter name is that of an XML
/// alone, so that it cannot be meant for two.
fn names(document: &Path) -> Vec<PathBuf> {
    let mut whole = document.as_os_str().to_owned();
    whole.push(".json");
    let is_xml = document
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("xml"));
    let short = is_xml.then(|| document.with_extension("json"));
    [Some(PathBuf::from(whole)), short]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, Status};

    fn seen(path: &str) -> Seen {
        let stamp = Stamp {
            modified_ns: 0,
            bytes: 1,
            device: 1,
            inode: 1,
        };
        Seen {
            path: path.into(),
            stamp,
            beside: None,
        }
    }

    fn joined(names: &[&str]) -> Vec<String> {
        let mut all: Vec<_> = join(names.iter().map(|name| seen(name)).collect())
            .into_iter()
            .map(|file| match file.beside {
                Some(beside) => format!("{} + {}", file.path.display(), beside.path.display()),
                None => file.path.display().to_string(),
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn each_file_stands_beside_one_document_at_the_most() {
        assert_eq!(joined(&["a.xml", "a.json"]), ["a.xml + a.json"]);
        assert_eq!(joined(&["a.xml", "a.xml.json"]), ["a.xml + a.xml.json"]);
        assert_eq!(
            joined(&["a.xml", "a.json", "a.xml.json"]),
            ["a.json", "a.xml + a.xml.json"]
        );
        assert_eq!(
            joined(&["a.pdf", "a.xml", "a.json"]),
            ["a.pdf", "a.xml + a.json"]
        );
        assert_eq!(joined(&["x/a.xml", "a.json"]), ["a.json", "x/a.xml"]);
        assert_eq!(joined(&["a.xml"]), ["a.xml"]);
        assert_eq!(
            joined(&["F-1.XML", "F-1.XML.JSON"]),
            ["F-1.XML + F-1.XML.JSON"]
        );
        assert_eq!(joined(&["F-1.xml", "F-1.JSON"]), ["F-1.xml + F-1.JSON"]);
        assert_eq!(
            joined(&["a.xml", "A.xml", "a.json", "A.json"]),
            ["A.xml + A.json", "a.xml + a.json"]
        );
    }

    #[test]
    fn what_is_said_is_read_and_what_nobody_could_mean_is_refused() {
        let said = read(br#"{"status": "paid", "origin": "incoming", "approved": true}"#).unwrap();
        assert_eq!(
            (said.status, said.origin, said.approved),
            (Some(Status::Paid), Some(Origin::Incoming), Some(true))
        );
        assert_eq!(read(b"{}").unwrap(), Said::default());
        for bad in [
            "",
            "[]",
            "[\"draft\"]",
            "{\"status\": \"gone\"}",
            "{\"statuss\": \"paid\"}",
            "{} x",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
