//! What is on the disk: facts, no judgement. Reads the checkpoint, the epoch file and, if a session
//! may have left something, the write-ahead files; of segments, only the lengths of those that
//! entries touch.

use std::collections::BTreeMap;
use std::path::Path;

use ottla_env::Disk;
use ottla_protocol::Uuid;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::error::DiskError;
use crate::fault::OpenError;
use crate::segment::names::{Kind, name};
use crate::wal::{
    EntryKind, EpochFile, Found, Session, WalFile, entries, groups, read, scan_files,
};

/// The facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Survey {
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) epoch: Option<EpochFile>,
    pub(crate) files: Vec<WalFile>,
    /// Valid groups of the newest session, in order of position.
    pub(crate) groups: Vec<Found>,
    /// Segments that are shorter than the checkpoint says, with no entry to explain it.
    pub(crate) short_segments: Vec<String>,
}

/// What entries say about a partition's older segments.
#[derive(Debug, Default)]
struct Excuse {
    /// Segments from this offset on may be cut or missing.
    cut_from: Option<i64>,
    /// Segments below this offset may be missing.
    start: i64,
}

/// Looks at a data directory.
pub(crate) fn survey<D: Disk>(
    disk: &D,
    folder: &Path,
    directory: Uuid,
) -> Result<Survey, OpenError> {
    let checkpoint = Checkpoint::read(disk, folder).map_err(|error| unreadable(folder, error))?;
    let wal = folder.join("wal");
    let epoch_path = wal.join("epoch");
    let epoch = EpochFile::read(disk, &epoch_path)
        .map_err(|what| OpenError::Corrupt { path: epoch_path, what })?;
    let files = scan_files(disk, &wal).map_err(|error| io(&error))?;
    let mut survey = Survey { checkpoint, epoch, files, ..Survey::default() };
    let (Some(checkpoint), Some(epoch)) = (&survey.checkpoint, survey.epoch) else {
        return Ok(survey);
    };
    if checkpoint.header.clean && epoch.epoch <= checkpoint.header.epoch {
        return Ok(survey);
    }
    let session = Session { directory, epoch: epoch.epoch };
    let from_lsn = checkpoint.header.wal_start_lsn.max(epoch.start_lsn);
    let mut excuses = BTreeMap::new();
    let mut chain_end = from_lsn;
    for (index, file) in survey.files.iter().enumerate() {
        let next = survey.files.get(index + 1);
        if next.is_some_and(|next| next.start_lsn <= from_lsn) {
            continue;
        }
        let bytes = read(disk, &file.path).map_err(|error| io(&error))?;
        let least = survey.groups.last().map_or(0, |last: &Found| last.header.end_lsn());
        for found in groups(&session, &bytes, index, least) {
            if found.header.end_lsn() > from_lsn {
                // What lies beyond a hole was not durable, so no file was changed for it.
                if found.header.start_lsn <= chain_end {
                    note_excuses(&mut excuses, &found, &bytes);
                    chain_end = found.header.end_lsn();
                }
                survey.groups.push(found);
            }
        }
    }
    survey.short_segments = short_segments(disk, folder, checkpoint, &excuses);
    Ok(survey)
}

fn note_excuses(excuses: &mut BTreeMap<u64, Excuse>, found: &Found, file: &bytes::Bytes) {
    // A malformed group is apply's to report.
    let Ok(entries) = entries(&found.payload(file), found.header.start_lsn) else { return };
    for entry in entries {
        let excuse = excuses.entry(entry.head.number).or_default();
        let offset = entry.head.offset;
        match entry.head.kind {
            EntryKind::Truncate => {
                excuse.cut_from = Some(excuse.cut_from.map_or(offset, |cut| cut.min(offset)));
            }
            EntryKind::Restart | EntryKind::Delete => excuse.cut_from = Some(i64::MIN),
            EntryKind::LogStart => excuse.start = excuse.start.max(offset),
            EntryKind::Append
            | EntryKind::Create
            | EntryKind::Epoch
            | EntryKind::Commit
            | EntryKind::Move => {}
        }
    }
}

fn short_segments<D: Disk>(
    disk: &D,
    folder: &Path,
    checkpoint: &Checkpoint,
    excuses: &BTreeMap<u64, Excuse>,
) -> Vec<String> {
    let mut short = Vec::new();
    for partition in &checkpoint.partitions {
        let Some(excuse) = excuses.get(&partition.number) else { continue };
        let segments = &partition.segments;
        for (index, segment) in segments.iter().enumerate() {
            let end = segments.get(index + 1).map_or(partition.log_end, |next| next.base_offset);
            let excused = end <= excuse.start || excuse.cut_from.is_some_and(|cut| cut < end);
            if excused || segment.size == 0 {
                continue;
            }
            let path =
                folder.join(partition.id.to_string()).join(name(segment.base_offset, Kind::Log));
            let found = disk.metadata(&path).map_or(0, |metadata| metadata.len);
            if found < segment.size {
                let (path, size) = (path.display(), segment.size);
                short.push(format!("{path} has {found} bytes where {size} were synced"));
            }
        }
    }
    short
}

fn unreadable(folder: &Path, error: CheckpointError) -> OpenError {
    let path = folder.join(crate::checkpoint::FILE_NAME);
    match error {
        CheckpointError::Version(found) => OpenError::Version { path, found },
        CheckpointError::Corrupt(what) => OpenError::Corrupt { path, what },
        CheckpointError::Io(what) => OpenError::Io { path, what },
    }
}

fn io(error: &DiskError) -> OpenError {
    OpenError::Io { path: error.path.clone(), what: error.source.to_string() }
}
