//! What may not be written where the catalog stands, and by whom?
//!
//! SQLite says of a disk that was made read-only under it no more than that the disk has failed, and of a file that is
//! somebody else's no more than that it is read-only. So it is tried, and told in words that lead to the mending.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::wellness::Cause;

/// Returns what a failure to write into this file turns out to be, and what was found, if anything was.
pub(super) fn unwritable(file: &Path, cause: Cause) -> Option<(Cause, String)> {
    if !matches!(cause, Cause::ReadOnly | Cause::Other) {
        return None;
    }
    let folder = file.parent().unwrap_or(file);
    let tried = tempfile::tempfile_in(folder).and_then(|mut made| made.write_all(b"tried"));
    match tried {
        Err(failed) => Some(judged(folder, cause, &failed)),
        Ok(()) if cause == Cause::ReadOnly => {
            let refused = files_of(file).into_iter().find(|path| is_refused(path))?;
            Some((cause, refused_to_us(&refused)))
        }
        // It was one place of the disk.
        Ok(()) => None,
    }
}

fn judged(folder: &Path, cause: Cause, failed: &io::Error) -> (Cause, String) {
    let shown = folder.display();
    let why = match failed.kind() {
        ErrorKind::ReadOnlyFilesystem => format!("the disk of `{shown}` is mounted read-only"),
        ErrorKind::PermissionDenied => refused_to_us(folder),
        _ => format!("nothing can be written in `{shown}` either: {failed}"),
    };
    match Cause::of_system(failed.kind()) {
        Cause::Other => (cause, why),
        found => (found, why),
    }
}

/// The files that SQLite writes.
fn files_of(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        name.into()
    })
}

fn is_refused(path: &Path) -> bool {
    let asked = access(path, Access::WRITE_OK);
    matches!(asked, Err(Errno::ACCESS | Errno::PERM | Errno::ROFS))
}

/// Says who may not write, and whose it is.
fn refused_to_us(path: &Path) -> String {
    let (shown, us) = (path.display(), geteuid().as_raw());
    let whose = fs::metadata(path).map_or_else(
        |_| String::new(),
        |found| {
            let (owner, mode) = (found.uid(), found.mode() & 0o7777);
            format!(", which belongs to user {owner} and has mode {mode:04o}")
        },
    );
    format!("user {us}, as whom this runs, may not write `{shown}`{whose}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_a_disk_says_by_itself_is_told_and_is_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let judge = |kind: ErrorKind, cause| {
            let (cause, why) = judged(folder.path(), cause, &kind.into());
            (
                cause,
                why.replace(&*folder.path().to_string_lossy(), "DATA"),
            )
        };
        let us = geteuid().as_raw();

        let (cause, why) = judge(ErrorKind::ReadOnlyFilesystem, Cause::Other);
        assert_eq!(cause, Cause::ReadOnly);
        assert_eq!(why, "the disk of `DATA` is mounted read-only");
        let (cause, why) = judge(ErrorKind::PermissionDenied, Cause::ReadOnly);
        assert_eq!(cause, Cause::ReadOnly);
        let told = format!(
            "user {us}, as whom this runs, may not write `DATA`, which belongs to user {us} and has mode 0700"
        );
        assert_eq!(why, told);
        let (cause, why) = judge(ErrorKind::QuotaExceeded, Cause::Other);
        assert_eq!(cause, Cause::Full);
        assert!(why.starts_with("nothing can be written in `DATA` either: "));
        let (cause, _) = judge(ErrorKind::TimedOut, Cause::ReadOnly);
        assert_eq!(cause, Cause::ReadOnly, "it says nothing of it");
    }

    #[test]
    fn a_file_that_may_not_be_written_is_named_and_one_that_may_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        let [_, log, _] = files_of(&file);
        fs::write(&log, "").unwrap();
        assert_eq!(unwritable(&file, Cause::ReadOnly), None);
        assert_eq!(unwritable(&file, Cause::Other), None);
        fs::set_permissions(&log, fs::Permissions::from_mode(0o400)).unwrap();

        let found = unwritable(&file, Cause::ReadOnly);

        // Whoever may do anything may write it.
        if geteuid().is_root() {
            assert_eq!(found, None);
            return;
        }
        let (cause, why) = found.unwrap();
        assert_eq!(cause, Cause::ReadOnly);
        assert!(
            why.contains("catalog.sqlite-wal`, which belongs") && why.contains("0400"),
            "{why}"
        );
    }

    #[test]
    fn a_folder_that_is_gone_is_no_fault_of_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/catalog.sqlite");

        let (cause, why) = unwritable(&file, Cause::Other).unwrap();

        assert_eq!(cause, Cause::Gone, "{why}");
        assert_eq!(unwritable(&file, Cause::Locked), None);
    }
}
