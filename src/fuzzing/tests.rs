//! Does each target hold for every file of its corpus, and for changes of those?
//!
//! `PROPTEST_CASES` says how many changes are tried; by default 256, so that it costs a second or two.

use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

/// The most that is kept in the corpora, in bytes: they are for smoke and for what was found.
const CORPORA_BYTES_MAX: u64 = 1024 * 1024;

macro_rules! targets {
    ($($target:ident $(with $more:literal)?,)+) => {
        $(#[test]
        fn $target() {
            drive(stringify!($target), &[$($more)?], super::$target);
        })+

        const TARGETS: &[&str] = &[$(stringify!($target)),+];
    };
}

targets! {
    ubl_read with "tests/fixtures/ubl",
    sftp_frames,
    virtual_path,
    layout_template with "config/profiles",
    collect_ops,
    proxy_header,
    sidecar,
}

#[test]
fn each_target_is_one_of_cargo_fuzz_too_and_the_corpora_are_small() {
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    let named = manifest
        .lines()
        .filter(|line| line.starts_with("path = \"targets/"));
    assert_eq!(named.count(), TARGETS.len());
    let mut bytes = 0;
    for target in TARGETS {
        let line = format!("path = \"targets/{target}.rs\"");
        assert!(manifest.contains(&line), "{target}");
        let files = files_in(&root().join("fuzz/corpus").join(target));
        assert!(!files.is_empty(), "{target} has no corpus");
        bytes += files
            .iter()
            .map(|file| file.metadata().unwrap().len())
            .sum::<u64>();
    }
    assert!(bytes <= CORPORA_BYTES_MAX, "{bytes} bytes");
}

fn drive(target: &str, more: &[&str], run: fn(&[u8])) {
    let corpus = format!("fuzz/corpus/{target}");
    let folders = [&[corpus.as_str()], more].concat();
    let files = folders
        .iter()
        .flat_map(|folder| files_in(&root().join(folder)));
    let seeds: Vec<Vec<u8>> = files.map(|file| seed(&file, run)).collect();
    let config = Config {
        failure_persistence: None, // what is found goes into the corpus
        ..Config::default()
    };
    let changed = (select(seeds.clone()), select(seeds), vec(change(), 0..8));
    let result = TestRunner::new(config).run(&changed, |(seed, other, changes)| {
        let bytes = changes
            .iter()
            .fold(seed, |bytes, change| change.made(bytes, &other));
        run(&bytes);
        Ok(())
    });
    result.unwrap_or_else(|found| panic!("{target}: {found}"));
}

/// Reads a file of a corpus, and runs it as it is.
fn seed(file: &Path, run: fn(&[u8])) -> Vec<u8> {
    let bytes = std::fs::read(file).unwrap();
    let ran = std::panic::catch_unwind(|| run(&bytes));
    assert!(ran.is_ok(), "{} does not hold", file.display());
    bytes
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    files
}

/// A change of some bytes.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Splice(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let telling = select(&TELLING[..]).prop_map(<[u8]>::to_vec);
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), 0u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (at(), prop_oneof![vec(any::<u8>(), 1..9), telling])
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), 1usize..64).prop_map(|(at, count)| Change::Remove(at, count)),
        (at(), 1usize..32, 1usize..64)
            .prop_map(|(at, count, times)| Change::Repeat(at, count, times)),
        (at(), at()).prop_map(|(at, from)| Change::Splice(at, from)),
    ]
}

/// What some reader takes for more than a letter.
const TELLING: [&[u8]; 24] = [
    b"<",
    b">",
    b"<a>",
    b"</a>",
    b"&",
    b"&amp;",
    b"&#x0;",
    b"<!DOCTYPE a [",
    b"<![CDATA[",
    b"]]>",
    b"<?a ?>",
    b"<!--",
    b" xmlns:a='b'",
    b"..",
    b"/",
    b"\\",
    b"{seq}",
    b"{dossier_code}",
    b"}",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\0",
    b"\xe2\x80\xae",
    b"\r\n",
];

impl Change {
    fn made(&self, mut bytes: Vec<u8>, other: &[u8]) -> Vec<u8> {
        let len = bytes.len();
        // Behind the last byte is a place, too.
        let place = |at: &Index| at.index(len + 1);
        match self {
            Self::Set(at, byte) => bytes
                .get_mut(place(at))
                .into_iter()
                .for_each(|it| *it = *byte),
            Self::Flip(at, bit) => bytes
                .get_mut(place(at))
                .into_iter()
                .for_each(|it| *it ^= 1 << bit),
            Self::Insert(at, more) => {
                drop(bytes.splice(place(at)..place(at), more.iter().copied()));
            }
            Self::Remove(at, count) => drop(bytes.drain(place(at)..len.min(place(at) + count))),
            Self::Repeat(at, count, times) => {
                let part = bytes[place(at)..len.min(place(at) + count)].repeat(*times);
                drop(bytes.splice(place(at)..place(at), part));
            }
            Self::Splice(at, from) => {
                bytes.truncate(place(at));
                bytes.extend(&other[from.index(other.len() + 1)..]);
            }
        }
        bytes
    }
}
