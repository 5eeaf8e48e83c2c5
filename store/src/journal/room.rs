//! Whether there is room on the disk.
//!
//! A write that fails on a full disk is taken back, and nothing is lost. But sled, on the same disk,
//! does not survive a write that fails. So the journal stops taking writes a little earlier, and
//! what sled has yet to write still fits.

use std::path::Path;

/// What is left to the index: several times what it writes between two of its flushes.
const RESERVE: u64 = 16 << 20;

/// Says why so many bytes should not be written below `dir`, where they should not.
pub(crate) fn lacks(dir: &Path, bytes: u64) -> Option<String> {
    // A system that does not tell is taken at its first failing write.
    let disk = rustix::fs::statvfs(dir)
        .ok()
        .filter(|disk| disk.f_blocks > 0)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    (free < bytes.saturating_add(RESERVE)).then(|| {
        format!(
            "the disk that {} is on has {} MB left, of which the store keeps {} free",
            dir.display(),
            free >> 20,
            RESERVE >> 20,
        )
    })
}
