//! What lies in the root of the drop folders that is of no firm?
//!
//! Somebody has put it one folder too high, or misspelt a firm. Nobody takes it from there, so somebody must be told.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

use super::settle::is_left_alone;

/// Returns how many files, and folders with something in them, lie in the root beside the folders of these firms.
///
/// What bears a temporary or hidden name is none, nor a folder into which nobody may look, as a disk's `lost+found`.
///
/// # Errors
///
/// When the root cannot be looked at.
pub fn strays_in(root: &Path, firms: &BTreeSet<&str>) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(root)? {
        count += usize::from(is_stray(&entry?, firms));
    }
    Ok(count)
}

fn is_stray(entry: &DirEntry, firms: &BTreeSet<&str>) -> bool {
    let name = entry.file_name();
    if name.to_str().is_some_and(|name| firms.contains(name)) || is_left_alone(Path::new(&name)) {
        return false;
    }
    match entry.file_type() {
        Ok(kind) if kind.is_dir() => holds_something(&entry.path()),
        Ok(kind) => kind.is_file(),
        Err(_) => false,
    }
}

fn holds_something(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_no_firm_is_counted_and_what_waits_for_its_name_is_not() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let strays = || strays_in(root.path(), &BTreeSet::from(["peeters"])).unwrap();
        for folder in ["peeters", "peters", "empty"] {
            fs::create_dir(at(folder)).unwrap();
        }
        for file in ["peeters/F-1.xml", ".sluis.lock", "F-2.xml.part"] {
            fs::write(at(file), "x").unwrap();
        }
        assert_eq!(strays(), 0);

        fs::write(at("F-1.xml"), "x").unwrap();
        fs::write(at("peters/F-1.xml"), "x").unwrap();

        assert_eq!(strays(), 2);
        assert!(strays_in(&at("nowhere"), &BTreeSet::new()).is_err());
    }
}
