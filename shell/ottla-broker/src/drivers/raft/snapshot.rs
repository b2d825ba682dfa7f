//! Snapshots of the metadata, in Kafka's format (KIP-630): files `<end offset>-<epoch>.checkpoint` beside the log, record
//! batches all through. The first batch holds the header (and who votes, KIP-853), the last one the footer.
//!
//! A file has its name only once all of it is on stable storage; until then it ends in `.part`.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use ottla_env::{Disk, Env, File, FileKind, OpenOptions, open_read};
use ottla_metadata::MetadataRecord;
use ottla_protocol::ErrorCode;
use ottla_protocol::records::control::ControlRecord;
use ottla_protocol::records::{BatchError, batches, records, verify_crc};
use ottla_raft::{Action, Event, OffsetAndEpoch, VoterSet};

use super::metadata_log::{BATCH_BYTES_MAX, MetadataLog};
use super::open::{RaftStartError, file_error};
use super::{RaftDriver, voters};
use crate::log::{DataDir, LogError};

mod write;

pub(super) use write::format;

const SUFFIX: &str = ".checkpoint";
const PART: &str = ".part";
/// A snapshot is read whole; more than any cluster's metadata has.
const BYTES_MAX: u64 = 8 << 30;
/// The file that `format` made of the first voters, and since Kafka 4.4 of the first records (KIP-1170): it stands for no
/// part of the log.
const BOOTSTRAP: OffsetAndEpoch = OffsetAndEpoch { offset: 0, epoch: 0 };
/// Where Kafka's storage tool left the first records before that, in the data directory itself.
const BOOTSTRAP_FILE: &str = "bootstrap.checkpoint";

/// A snapshot on the disk: all metadata below `at.offset`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotFile {
    pub(crate) at: OffsetAndEpoch,
    path: PathBuf,
}

/// Why a snapshot cannot be read.
#[derive(Debug)]
pub(crate) enum SnapshotError {
    Io(std::io::Error),
    Batch(BatchError),
    Record(ottla_metadata::RecordError),
    /// It does not begin with a header, or does not end with a footer.
    Incomplete,
    Stopped,
}

impl std::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Batch(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
            Self::Incomplete => f.write_str("header or footer is missing"),
            Self::Stopped => f.write_str("the node stops"),
        }
    }
}

impl From<BatchError> for SnapshotError {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

impl SnapshotFile {
    pub(super) fn new(folder: &Path, at: OffsetAndEpoch) -> Self {
        Self { at, path: folder.join(name(at)) }
    }

    /// All metadata records of the snapshot, in their order.
    pub(crate) async fn records<E: Env>(
        &self,
        env: &E,
    ) -> Result<Vec<MetadataRecord>, SnapshotError> {
        let (disk, path) = (env.disk().clone(), self.path.clone());
        let read = move || -> Result<Vec<MetadataRecord>, SnapshotError> {
            let whole = disk.read_file(&path, BYTES_MAX).map_err(SnapshotError::Io)?;
            Ok(Contents::of(&Bytes::from(whole))?.records)
        };
        env.run_blocking(read).await.map_err(|_| SnapshotError::Stopped)?
    }
}

/// What a snapshot holds.
struct Contents {
    voters: Option<VoterSet>,
    records: Vec<MetadataRecord>,
}

impl Contents {
    /// Reads a whole snapshot and checks every byte of it.
    fn of(whole: &Bytes) -> Result<Self, SnapshotError> {
        let mut contents = Contents { voters: None, records: Vec::new() };
        let (mut begun, mut ended) = (false, false);
        for batch in batches(whole) {
            let (header, batch) = batch?;
            verify_crc(&batch)?;
            if ended {
                return Err(SnapshotError::Incomplete);
            }
            for record in records(&header, &batch, BATCH_BYTES_MAX)? {
                let record = record?;
                if !header.is_control() {
                    let value = record.value.unwrap_or_default();
                    let record = MetadataRecord::decode(value).map_err(SnapshotError::Record)?;
                    contents.records.push(record);
                    continue;
                }
                match ControlRecord::parse(&record)? {
                    ControlRecord::SnapshotHeader(_) => begun = true,
                    ControlRecord::SnapshotFooter(_) => ended = true,
                    ControlRecord::KRaftVoters(set) => {
                        contents.voters = Some(voters::of_record(&set));
                    }
                    _ => {}
                }
            }
            if !begun {
                return Err(SnapshotError::Incomplete);
            }
        }
        if ended { Ok(contents) } else { Err(SnapshotError::Incomplete) }
    }
}

fn name(at: OffsetAndEpoch) -> String {
    format!("{:020}-{:010}{SUFFIX}", at.offset, at.epoch)
}

fn parse_name(name: &str) -> Option<OffsetAndEpoch> {
    let (offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let fits = digits(offset, 20) && digits(epoch, 10);
    fits.then_some(OffsetAndEpoch::new(offset.parse().ok()?, epoch.parse().ok()?))
}

/// The snapshots on the disk, the earliest first, and a log that goes on from the latest.
pub(super) async fn open<E: Env>(
    env: &E,
    data_dir: &DataDir<E>,
    log: &MetadataLog<E>,
    folder: &Path,
) -> Result<Vec<OffsetAndEpoch>, RaftStartError> {
    let mut found = list(env, folder)?;
    found.retain(|at| *at != BOOTSTRAP);
    let offsets = log.partition.offsets();
    let latest = found.last().map_or(0, |latest| latest.offset);
    if latest < offsets.log_start {
        return Err(RaftStartError::Gap { log_start: offsets.log_start, snapshot_end: latest });
    }
    if latest > offsets.log_end {
        // The copy of the snapshot was whole when the process died, the log not yet restarted.
        restart(data_dir, log, latest).await?;
    }
    let start = log.partition.offsets().log_start;
    found.retain(|at| at.offset >= start);
    Ok(found)
}

fn list<E: Env>(env: &E, folder: &Path) -> Result<Vec<OffsetAndEpoch>, RaftStartError> {
    let disk = env.disk();
    let mut found = Vec::new();
    for entry in disk.read_dir(folder).map_err(|error| file_error(folder, &error))? {
        let path = folder.join(&entry.name);
        if entry.kind == FileKind::File && entry.name.ends_with(&format!("{SUFFIX}{PART}")) {
            disk.remove_file(&path).map_err(|error| file_error(&path, &error))?;
        }
        found.extend(parse_name(&entry.name).filter(|_| entry.kind == FileKind::File));
    }
    found.sort_unstable_by_key(|at| (at.offset, at.epoch));
    Ok(found)
}

async fn restart<E: Env>(
    data_dir: &DataDir<E>,
    log: &MetadataLog<E>,
    offset: i64,
) -> Result<(), RaftStartError> {
    let lsn = loop {
        match log.partition.restart_at(offset) {
            Err(LogError::Busy) => data_dir.room().await,
            outcome => break outcome?,
        }
    };
    let failed = |failed| RaftStartError::Log(LogError::Failed(failed));
    data_dir.wait_durable(lsn).await.map_err(failed)
}

/// Who votes according to the latest snapshot, or to the one that formatted the quorum; with the offset of the last
/// record that it stands for.
pub(super) fn voters<E: Env>(
    env: &E,
    folder: &Path,
    latest: Option<OffsetAndEpoch>,
) -> Result<Option<(i64, VoterSet)>, RaftStartError> {
    let at = latest.unwrap_or(BOOTSTRAP);
    let path = folder.join(name(at));
    if !env.disk().exists(&path) {
        return Ok(None);
    }
    let whole =
        env.disk().read_file(&path, BYTES_MAX).map_err(|error| file_error(&path, &error))?;
    let contents = Contents::of(&Bytes::from(whole));
    let contents = contents.map_err(|error| {
        let what = format!("the snapshot is damaged: {error}");
        RaftStartError::File { path: path.clone(), what }
    })?;
    Ok(contents.voters.map(|voters| (at.offset - 1, voters)))
}

impl<E: Env> RaftDriver<E> {
    /// The records that this directory was formatted with, for a cluster to begin with; none where Ottla formatted it.
    pub(crate) async fn formatted(&self) -> Result<Vec<MetadataRecord>, SnapshotError> {
        let places = [self.folder.join(name(BOOTSTRAP)), self.data_dir.path().join(BOOTSTRAP_FILE)];
        for path in places.into_iter().filter(|path| self.env.disk().exists(path)) {
            let records = SnapshotFile { at: BOOTSTRAP, path }.records(&self.env).await?;
            if !records.is_empty() {
                return Ok(records);
            }
        }
        Ok(Vec::new())
    }

    /// A piece of a snapshot for another replica, and the size of the whole.
    pub(super) async fn read_snapshot(
        &self,
        at: OffsetAndEpoch,
        position: i64,
        max_bytes: i32,
    ) -> Result<(i64, Bytes), ErrorCode> {
        let position = u64::try_from(position).map_err(|_| ErrorCode::PositionOutOfRange)?;
        let wanted = usize::try_from(max_bytes).unwrap_or(0);
        let (disk, path) = (self.env.disk().clone(), self.folder.join(name(at)));
        let read = move || -> Result<(i64, Bytes), ErrorCode> {
            let gone = |_| ErrorCode::SnapshotNotFound;
            let file = open_read(&disk, &path).map_err(gone)?;
            let size = file.len().map_err(gone)?;
            let left = size.checked_sub(position).filter(|left| *left > 0);
            let left = left.ok_or(ErrorCode::PositionOutOfRange)?;
            let mut piece = BytesMut::zeroed(wanted.min(usize::try_from(left).unwrap_or(wanted)));
            file.read_exact_at(&mut piece, position).map_err(|_| ErrorCode::KafkaStorageError)?;
            Ok((i64::try_from(size).unwrap_or(i64::MAX), piece.freeze()))
        };
        self.env.run_blocking(read).await.map_err(|_| ErrorCode::BrokerNotAvailable)?
    }

    /// What the machine wants done with a snapshot that is being copied.
    pub(super) async fn do_with_snapshot(&self, action: Action) -> Result<(), String> {
        match action {
            Action::WriteSnapshot { snapshot, position, bytes, last } => {
                self.write_piece(snapshot, position, bytes).await?;
                if last {
                    self.install(snapshot).await?;
                }
            }
            Action::RestartAt(at) => {
                let restarted = restart(&self.data_dir, &self.log, at.offset).await;
                restarted.map_err(|error| error.to_string())?;
                self.core.lock().undurable.clear();
                self.view.send_modify(|view| {
                    (view.log_start, view.log_end) = (at.offset, at.offset);
                });
                tracing::info!(offset = at.offset, "the metadata log goes on from a snapshot");
            }
            _ => {}
        }
        Ok(())
    }

    async fn write_piece(
        &self,
        at: OffsetAndEpoch,
        position: i64,
        bytes: Bytes,
    ) -> Result<(), String> {
        let (disk, path) = (self.env.disk().clone(), self.folder.join(name(at) + PART));
        let options = OpenOptions { truncate: position == 0, ..OpenOptions::read_write_create() };
        let position = u64::try_from(position).unwrap_or(0);
        let write = move || {
            let file = disk.open(&path, &options)?;
            file.write_all_at(&bytes, position)
        };
        let written = self.env.run_blocking(write).await.map_err(|error| error.to_string())?;
        written.map_err(|error: std::io::Error| format!("cannot write a snapshot: {error}"))
    }

    /// The copy is whole: checks it and gives it its name. A damaged one is fetched anew.
    async fn install(&self, at: OffsetAndEpoch) -> Result<(), String> {
        let (disk, folder) = (self.env.disk().clone(), self.folder.clone());
        let install = move || -> std::io::Result<Result<Contents, SnapshotError>> {
            let part = folder.join(name(at) + PART);
            open_read(&disk, &part)?.sync_all()?;
            let whole = disk.read_file(&part, BYTES_MAX)?;
            let contents = Contents::of(&Bytes::from(whole));
            if contents.is_ok() {
                disk.rename(&part, &folder.join(name(at)))?;
                disk.sync_dir(&folder)?;
            } else {
                disk.remove_file(&part)?;
            }
            Ok(contents)
        };
        let installed = self.env.run_blocking(install).await.map_err(|error| error.to_string())?;
        match installed.map_err(|error| format!("cannot install a snapshot: {error}"))? {
            Ok(Contents { voters, .. }) => {
                let voters = voters.map(|voters| (at.offset - 1, voters));
                self.step(Event::SnapshotInstalled { snapshot: at, voters });
            }
            Err(error) => {
                tracing::warn!(%error, "the snapshot that was copied is damaged; it is fetched again");
                self.step(Event::SnapshotRefused { snapshot: at });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
