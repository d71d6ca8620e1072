//! Is a file of this name still being made, or no document at all?
//!
//! One list for every door. Programs write under such a name and give the file its own when it is complete.

/// Says whether a file or folder of this name is temporary, hidden, or litter. Case does not matter.
///
/// ```
/// # use sluis::model::is_temporary;
/// assert!(is_temporary("F-17.xml.filepart")); // WinSCP
/// assert!(is_temporary(".in.F-17.xml.")); // lftp
/// assert!(!is_temporary("F-17.part.xml"));
/// ```
pub fn is_temporary(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
        || INSIDE.iter().any(|part| name.contains(part))
        || LITTER.contains(&name.as_str())
}

/// Says whether a file of this name is what programs leave beside documents, and never becomes one.
///
/// ```
/// # use sluis::model::is_litter;
/// assert!(is_litter("Thumbs.db") && is_litter("~$invoice.xlsx"));
/// assert!(!is_litter("F-17.xml.part") && !is_litter(".in.F-17.xml."));
/// ```
pub fn is_litter(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    LITTER.contains(&name.as_str())
        || LITTER_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// Hidden files (lftp's `.in.F-1.xml.` among them), and locks and copies of office programs
/// (`~$invoice.xlsx`, `.~lock.invoice.ods#`).
const PREFIXES: &[&str] = &[".", "~"];

/// What programs put behind a name until the file is complete: WinSCP `.filepart`, rclone `.partial`.
const SUFFIXES: &[&str] = &[".part", ".filepart", ".tmp", ".partial", ".crdownload", "~"];

/// What programs put into a name: rclone's chunks, of which none is a document.
const INSIDE: &[&str] = &[".rclone_chunk."];

/// What file managers and file servers leave in every folder; the bins hold what was thrown away.
const LITTER: &[&str] = &[
    "thumbs.db",
    "desktop.ini",
    "$recycle.bin",
    "system volume information",
    "#recycle",
    "@eadir",
    "lost+found",
];

/// Locks of office programs, what macOS puts beside each file and in each folder, what network file systems keep of a
/// file that is open and removed, and notes of desktops and tools.
const LITTER_PREFIXES: &[&str] = &[
    "~$",
    ".~lock.",
    "._",
    ".ds_store",
    ".nfs",
    ".fuse_hidden",
    ".directory",
    ".git",
    ".keep",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_names_that_clients_upload_under() {
        #[rustfmt::skip]
        let table = [
            ("F-1.xml", false), ("F-1.part.xml", false), ("part", false), ("F~1.xml", false), ("partial.xml", false),
            ("F-1.xml.filepart", true),                   // WinSCP above 100 KB
            ("F-1.xml.FILEPART", true),
            ("F-1.xml.7c3f9a12.partial", true),           // rclone from 1.63 on
            ("F-1.xml.rclone_chunk.001_ab12cd", true),    // rclone's chunker
            (".in.F-1.xml.", true),                       // lftp with xfer:use-temp-file
            (".goutputstream-A1B2C3", true),              // GVFS
            ("F-1.xml.part", true), ("F-1.xml.tmp", true), ("F-1.xml.crdownload", true),
            (".fuse_hidden0001", true), ("._F-1.xml", true), ("~$F-1.xlsx", true), ("F-1.xml~", true),
            ("Thumbs.db", true), ("DESKTOP.INI", true),
        ];
        for (name, expected) in table {
            assert_eq!(is_temporary(name), expected, "{name}");
        }
    }
}
