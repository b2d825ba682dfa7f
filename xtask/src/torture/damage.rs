//! The control: destroys what the broker has acknowledged, as a disk that lies would.

use std::fs;
use std::path::Path;

/// Groups wiped out at most: records, and not also the topics they are in.
const GROUPS: usize = 8;
/// See docs/storage-format.md: a group begins at a multiple of 64 with its magic.
const ALIGNMENT: usize = 64;
const MAGIC: &[u8] = b"OWAL";

/// Wipes the headers of the last groups of the write-ahead log out; answers with how many.
pub(crate) fn cut_last_groups(data: &Path) -> Result<usize, String> {
    let folder = data.join("wal");
    let listed = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut groups = Vec::new();
    let mut files = Vec::new();
    for entry in listed
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "wal"))
    {
        let bytes = fs::read(entry.path()).map_err(|error| error.to_string())?;
        for at in (0..bytes.len().saturating_sub(ALIGNMENT)).step_by(ALIGNMENT) {
            if bytes[at..].starts_with(MAGIC) {
                // The session, then the position in it.
                groups.push((number(&bytes, at + 32), number(&bytes, at + 16), files.len(), at));
            }
        }
        files.push((entry.path(), bytes));
    }
    groups.sort_unstable();
    let session = groups.last().map_or(0, |group| group.0);
    let last: Vec<_> =
        groups.iter().rev().take(GROUPS).filter(|group| group.0 == session).collect();
    for (_, _, file, at) in &last {
        files[*file].1[*at..*at + ALIGNMENT].fill(0);
    }
    for (path, bytes) in files {
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(last.len())
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(eight)
}
