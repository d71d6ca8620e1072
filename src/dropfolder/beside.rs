//! What does a sender say of a document in a file beside it?
//!
//! `F-17.xml.json`, or `F-17.json`, says of `F-17.xml` what the document itself does not: `{"status":
//! "draft", "origin": "incoming", "approved": false}`, each of which may be left out. The two settle
//! together. One whose document does not come is put aside after a while, so that a typing error shows.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::settle::{Seen, Stamp};
use super::spot::Held;
use crate::model::{Language, Said, fold, on_one_line};
use crate::text::{Misread, Why, Wrong};

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
/// Names are compared without case, as their writers do; but first each document gets what bears its very name,
/// so that of two that differ in case alone none takes what is said of the other.
pub(super) fn join(seen: Vec<Seen>) -> Vec<Seen> {
    let (beside, mut documents): (Vec<_>, Vec<_>) =
        seen.into_iter().partition(|file| is_beside(&file.path));
    documents.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let mut left: BTreeMap<PathBuf, Seen> = BTreeMap::new();
    left.extend(beside.into_iter().map(|one| (one.path.clone(), one)));
    // The whole name with `.json` behind it can be meant for one alone; the shorter one for `F.xml` and `F.XML`.
    give(&mut documents, |document| left.remove(&whole(document)));
    give(&mut documents, |document| left.remove(&short(document)?));
    let mut folds: HashMap<OsString, Vec<PathBuf>> = HashMap::new();
    for path in left.keys().rev() {
        folds.entry(folded(path)).or_default().push(path.clone());
    }
    let mut take = |name: &Path| left.remove(&folds.get_mut(&folded(name))?.pop()?);
    give(&mut documents, |document| take(&whole(document)));
    give(&mut documents, |document| take(&short(document)?));
    documents.extend(left.into_values());
    documents
}

/// Files that another door has found.
#[derive(Debug, Default)]
pub struct Joined {
    /// Documents, each with the file in which something is said of it, if there is one.
    pub documents: Vec<(PathBuf, Option<PathBuf>)>,
    /// Files that say something, beside which no document lies.
    pub alone: Vec<PathBuf>,
}

/// Joins files that another door has found, as the drop folder does.
pub fn joined(paths: impl IntoIterator<Item = PathBuf>) -> Joined {
    let stamp = Stamp {
        modified_ns: 0,
        bytes: 0,
        device: 0,
        inode: 0,
    };
    let seen = paths.into_iter().map(|path| Seen {
        path,
        stamp,
        beside: None,
    });
    let mut all = Joined::default();
    for file in join(seen.collect()) {
        if is_beside(&file.path) {
            all.alone.push(file.path);
        } else {
            let beside = file.beside.map(|beside| beside.path);
            all.documents.push((file.path, beside));
        }
    }
    all
}

/// Makes sure, for another door, that nothing stands beside a document that was joined to nothing.
///
/// # Errors
///
/// When something does, or nobody can tell, in words for an operator: a draft would leave.
pub fn nothing_said_of(document: &Path) -> Result<(), String> {
    let name = Path::new(document.file_name().unwrap_or_default());
    // A link to the folder is the operator's.
    let folder = folder_of(document).canonicalize();
    let there = folder.and_then(|folder| overlooked(&folder, name));
    let shown = |name: &Path| on_one_line(&name.display().to_string()).into_owned();
    match there {
        Ok(Overlooked::Nothing) => Ok(()),
        Ok(Overlooked::NoFile(name)) => Err(format!(
            "`{}` beside it is no file, but a folder or a link: remove that",
            shown(&name)
        )),
        Ok(Overlooked::File(name)) => Err(format!(
            "`{}` lies beside it, and came just now or is said of another document: try again, or give it the document's whole name with `.json` behind it",
            shown(&name)
        )),
        Err(failed) => Err(format!(
            "nobody can tell whether something is said beside it: {failed}"
        )),
    }
}

/// Returns the folder in which a file lies, also where it is the one at work in.
pub fn folder_of(file: &Path) -> &Path {
    let parent = file.parent().filter(|it| !it.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// Returns the names under which something may be said of a document.
fn names_beside(document: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    [Some(whole(document)), short(document)]
        .into_iter()
        .flatten()
}

/// Reads what is said of a document in this file.
///
/// # Errors
///
/// When it cannot be read, or is not what it should be, in words for an operator.
pub fn said_in(path: &Path) -> Result<Said, String> {
    let (mut bytes, told) = (Vec::new(), |failed: io::Error| failed.to_string());
    let mut file = std::fs::File::open(path)
        .map_err(told)?
        .take(BESIDE_BYTES_MAX + 1);
    let bytes_read = file.read_to_end(&mut bytes).map_err(told)? as u64;
    let said = if bytes_read > BESIDE_BYTES_MAX {
        Err(Misread::TooLong {
            bytes: bytes_read,
            bytes_max: BESIDE_BYTES_MAX,
        })
    } else {
        read(&bytes)
    };
    said.map_err(|misread| Why::Said(misread).told(Language::En))
}

/// Gives each document of which nothing is said yet what is found for it.
fn give(documents: &mut [Seen], mut find: impl FnMut(&Path) -> Option<Seen>) {
    for document in documents.iter_mut().filter(|one| one.beside.is_none()) {
        document.beside = find(&document.path).map(|one| Beside {
            path: one.path,
            stamp: one.stamp,
        });
    }
}

/// A name that is no text is compared as it is: what stands for its bytes would stand for others, too.
fn folded(path: &Path) -> OsString {
    let text = path.to_str();
    text.map_or_else(|| path.as_os_str().to_owned(), |text| fold(text).into())
}

/// What is beside a document that no look has joined to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Overlooked {
    /// Nothing.
    Nothing,
    /// A file that came just now, or one of more than a look sees.
    File(PathBuf),
    /// A folder or a link of this name, which nobody can read as what is said.
    NoFile(PathBuf),
}

/// Says what is beside a document that no look has joined to it.
///
/// # Errors
///
/// When nobody can tell: a draft would leave as if nothing were said of it.
pub(super) fn overlooked(folder: &Path, document: &Path) -> io::Result<Overlooked> {
    let mut found = Overlooked::Nothing;
    // Where its folder is another thing by now, the document is not read either.
    let Some(held) = Held::holding(folder, document)? else {
        return Ok(found);
    };
    for name in names_beside(document) {
        match held.at(name.file_name().unwrap_or_default()).metadata() {
            Ok(there) if there.is_file() => found = Overlooked::File(name),
            Ok(_) => return Ok(Overlooked::NoFile(name)),
            Err(none) if is_nothing(&none) => {}
            Err(failed) => return Err(failed),
        }
    }
    Ok(found)
}

/// Says whether a look failed because nothing has the name, or because nothing can: one with `.json` behind it may be
/// too long.
fn is_nothing(failed: &io::Error) -> bool {
    matches!(
        failed.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename
    )
}

/// Reads what is said.
///
/// # Errors
///
/// When it is not what it should be.
pub(super) fn read(bytes: &[u8]) -> Result<Said, Misread> {
    // A list of three would be taken for the three, in order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Misread::NoObject);
    }
    // Not by way of a map: of a word that stands there twice, that would keep one and say nothing.
    serde_json::from_slice(bytes).map_err(|error| {
        let wrong = Wrong {
            words: error.to_string(),
            line: error.line(),
        };
        if error.is_data() {
            Misread::Unknown(wrong)
        } else {
            Misread::NoJson(wrong)
        }
    })
}

/// What the file beside a document is called.
fn whole(document: &Path) -> PathBuf {
    let mut whole = document.as_os_str().to_owned();
    whole.push(".json");
    whole.into()
}

/// What the file beside an XML may also be called. Of an XML alone, so that it cannot be meant for two.
fn short(document: &Path) -> Option<PathBuf> {
    let is_xml = document
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("xml"));
    is_xml.then(|| document.with_extension("json"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn of_two_names_that_are_no_text_each_is_another() {
        use std::os::unix::ffi::OsStringExt as _;
        let named = |name: &[u8]| Seen {
            path: OsString::from_vec(name.to_vec()).into(),
            ..seen("")
        };

        let all = join(vec![named(b"F-\xe8.xml"), named(b"F-\xe9.json")]);

        assert!(all.iter().all(|file| file.beside.is_none()));
        let all = join(vec![named(b"F-\xe8.xml"), named(b"F-\xe8.json")]);
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn of_two_that_differ_in_case_the_one_that_bears_the_name_is_meant() {
        for names in [
            ["A.xml", "a.xml", "a.xml.json"],
            ["a.xml", "A.xml", "a.xml.json"],
        ] {
            assert_eq!(joined(&names), ["A.xml", "a.xml + a.xml.json"]);
        }
        assert_eq!(
            joined(&["A.xml", "a.xml", "a.json"]),
            ["A.xml", "a.xml + a.json"]
        );
        assert_eq!(
            joined(&["A.xml", "a.xml", "A.XML.json", "a.xml.json"]),
            ["A.xml + A.XML.json", "a.xml + a.xml.json"]
        );
    }

    const NAMES: [&str; 12] = [
        "a.xml",
        "A.xml",
        "a.XML",
        "A.XML",
        "a.pdf",
        "a.json",
        "A.json",
        "a.xml.json",
        "A.xml.json",
        "a.XML.JSON",
        "a.pdf.json",
        "A.PDF.json",
    ];

    proptest! {
        #[test]
        fn what_bears_a_documents_very_name_is_said_of_that_one(
            names in proptest::sample::subsequence(&NAMES[..], 0..=NAMES.len()).prop_shuffle()
        ) {
            let all = join(names.iter().map(|name| seen(name)).collect());

            for file in &all {
                let whole = format!("{}.json", file.path.display());
                if !is_beside(&file.path) && names.contains(&whole.as_str()) {
                    let beside = file.beside.as_ref().map(|one| one.path.clone());
                    prop_assert_eq!(beside, Some(PathBuf::from(whole)));
                }
            }
            let mut left: Vec<_> = all.iter().map(|file| file.path.clone()).collect();
            left.extend(all.iter().filter_map(|file| Some(file.beside.as_ref()?.path.clone())));
            left.sort();
            let mut sorted: Vec<_> = names.iter().map(PathBuf::from).collect();
            sorted.sort();
            prop_assert_eq!(left, sorted, "each is there once");
            let mut ordered = names.clone();
            ordered.sort_unstable();
            prop_assert_eq!(joined(&names), joined(&ordered), "whatever the order of the look");
        }
    }

    #[test]
    fn what_stands_beside_a_document_and_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let there = || overlooked(folder.path(), Path::new("F-1.xml")).unwrap();
        assert_eq!(there(), Overlooked::Nothing);

        std::fs::write(folder.path().join("F-1.json"), "{}").unwrap();
        assert_eq!(there(), Overlooked::File("F-1.json".into()));
        std::fs::create_dir(folder.path().join("F-1.xml.json")).unwrap();
        assert_eq!(there(), Overlooked::NoFile("F-1.xml.json".into()));
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_taken_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let longest = format!("{}.xml", "F".repeat(251));
        let there = overlooked(folder.path(), Path::new(&longest));
        assert_eq!(there.unwrap(), Overlooked::Nothing, "no name is so long");
        let gone = overlooked(folder.path(), Path::new("gone/F-1.xml"));
        assert_eq!(gone.unwrap(), Overlooked::Nothing);

        let nul = overlooked(folder.path(), Path::new("F\0-1.xml"));
        assert!(nul.is_err());
        for errno in [
            rustix::io::Errno::MFILE,
            rustix::io::Errno::NFILE,
            rustix::io::Errno::IO,
        ] {
            assert!(!is_nothing(&errno.into()), "{errno}");
        }
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
            "{\"status\": \"paid\", \"status\": \"draft\"}",
            "{\"approved\": 1}",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
