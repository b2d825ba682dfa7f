//! Reads write-ahead files back: every valid group of a session, in order of position.
//!
//! It finds, it does not judge: whether a gap is the torn end of the log or the loss of something
//! acknowledged is decided in `recovery::plan`.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use ottla_env::{Disk, FileKind};

use super::files::parse_file_name;
use super::group::{GROUP_ALIGNMENT, GroupHeader, HEADER_BYTES, Session};
use crate::error::DiskError;

/// A file of the write-ahead folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WalFile {
    pub(crate) start_lsn: u64,
    pub(crate) path: PathBuf,
}

/// Where a valid group is, and what its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Index of the file in the list that was scanned.
    pub(crate) file: usize,
    pub(crate) position: usize,
    pub(crate) header: GroupHeader,
}

impl Found {
    /// The payload, out of the bytes of its file.
    pub(crate) fn payload(&self, file: &Bytes) -> Bytes {
        let start = self.position + HEADER_BYTES;
        file.slice(start..start + self.header.payload_bytes as usize)
    }
}

/// The write-ahead files of a folder, oldest first; none if there is no folder.
pub(crate) fn files<D: Disk>(disk: &D, folder: &Path) -> Result<Vec<WalFile>, DiskError> {
    if !disk.exists(folder) {
        return Ok(Vec::new());
    }
    let entries = disk.read_dir(folder).map_err(DiskError::at("list", folder))?;
    let named = entries.into_iter().filter(|entry| entry.kind == FileKind::File);
    let mut files: Vec<WalFile> = named
        .filter_map(|entry| {
            let start_lsn = parse_file_name(&entry.name)?;
            Some(WalFile { start_lsn, path: folder.join(entry.name) })
        })
        .collect();
    files.sort_by_key(|file| file.start_lsn);
    Ok(files)
}

/// A whole file, at most [`FILE_BYTES_MAX`].
pub(crate) fn read<D: Disk>(disk: &D, path: &Path) -> Result<Bytes, DiskError> {
    let bytes = disk.read_file(path, FILE_BYTES_MAX).map_err(DiskError::at("read", path))?;
    Ok(Bytes::from(bytes))
}

/// The valid groups in one file's bytes that begin at or above `from_lsn`, each above the last.
pub(crate) fn groups(session: &Session, bytes: &[u8], file: usize, from_lsn: u64) -> Vec<Found> {
    let mut found = Vec::new();
    let (mut position, mut least) = (0, from_lsn);
    while position + HEADER_BYTES <= bytes.len() {
        match GroupHeader::parse(session, &bytes[position..]) {
            Some(header) if header.start_lsn >= least => {
                found.push(Found { file, position, header });
                least = header.end_lsn();
                position += header.padded_bytes as usize;
            }
            // Torn, stale or never written: another may follow.
            _ => position += GROUP_ALIGNMENT,
        }
    }
    found
}

/// Largest write-ahead file that is read.
pub(crate) const FILE_BYTES_MAX: u64 = 4 << 30;
