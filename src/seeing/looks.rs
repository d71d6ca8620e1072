//! What does the operating system say of the program and its disk?

use std::path::Path;

use super::page::Disk;

/// Returns how much of the file system of `folder` is used.
pub(super) fn disk(folder: &Path) -> Option<Disk> {
    let found = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Disk {
        size: bytes(found.f_blocks),
        used: bytes(found.f_blocks.saturating_sub(found.f_bfree)),
        free: bytes(found.f_bavail),
    })
}

/// Returns how many bytes of memory the program holds, where the system tells.
pub(super) fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Returns how many file descriptors the program has open, where the system tells.
pub(super) fn descriptors() -> Option<u64> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // That of the look itself.
    u64::try_from(open.saturating_sub(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_how_it_is() {
        let disk = disk(Path::new("/")).unwrap();

        assert!(
            disk.size >= disk.used + disk.free && disk.size > 0,
            "{disk:?}"
        );
        assert!(memory().unwrap() > 1_000_000);
        assert!(descriptors().unwrap() > 2);
    }
}
