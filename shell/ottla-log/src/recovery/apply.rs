//! Carries a plan out: restore, replay into segments, sync, replace the checkpoint, begin a session.
//!
//! Until the checkpoint is replaced, nothing that the old one and the write-ahead log stand on is
//! changed for good: bytes beyond what it names are written again, the same, by the next attempt.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_env::{Disk, Env, File, FileKind};
use ottla_plant::{Plant, planted};

use crate::checkpoint::{Builder, CheckpointHeader, decode_name};
use crate::config::LogConfig;
use crate::error::DiskError;
use crate::fault::OpenError;
use crate::flusher::{remove_doomed, sync_touched, write_checkpoint};
use crate::kafka_dir::dir_name::{Role, parse};
use crate::partition::{FlushError, Partition, Touched};
use crate::recovery::plan::Case;
use crate::recovery::survey::Survey;
use crate::registry::Registry;
use crate::volume::{Doomed, Volume};
use crate::wal::{Entry, EntryKind, EpochFile, Found, WalFile, entries, read};

/// What a replay amounted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// Bytes replayed into memory before they are written to segments.
const REPLAY_BYTES_MAX: usize = 32 << 20;

/// Where the new session begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begin {
    /// The epoch of the session that ends with this recovery.
    pub(crate) old_epoch: u64,
    pub(crate) end_lsn: u64,
    pub(crate) start_lsn: u64,
}

/// Restores the partitions and brings the directory to where a new session may begin.
pub(crate) fn apply<E: Env>(
    volume: &Arc<Volume<E>>,
    registry: &Registry<E>,
    survey: Survey,
    case: Case,
    groups: usize,
    begin: &Begin,
    directory: ottla_protocol::Uuid,
) -> Result<Recovered, OpenError> {
    let Survey { checkpoint, files, groups: found, .. } = survey;
    let records = checkpoint.map(|checkpoint| checkpoint.partitions).unwrap_or_default();
    for record in records {
        let name = record.id.to_string();
        let partition = Partition::restore(record, volume.clone()).ok_or_else(|| {
            let what = format!("the leader epochs of {name} are out of order");
            OpenError::Corrupt { path: volume.path().to_path_buf(), what }
        })?;
        registry.insert(partition);
    }
    let mut replay = Replay { volume, registry, touched: Touched::default(), in_memory: 0 };
    let mut recovered = Recovered::default();
    let mut open = None;
    settle(volume.env.disk(), &files, &found[..groups]).map_err(|error| io(&error))?;
    for group in &found[..groups] {
        let file = &files[group.file];
        let bytes = match open.take() {
            Some((index, bytes)) if index == group.file => bytes,
            _ => read(volume.env.disk(), &file.path).map_err(|error| io(&error))?,
        };
        let payload = group.payload(&bytes);
        open = Some((group.file, bytes));
        let corrupt = |what| OpenError::Corrupt { path: file.path.clone(), what };
        for entry in entries(&payload, group.header.start_lsn).map_err(corrupt)? {
            recovered.bytes += entry.payload.len() as u64;
            recovered.entries += 1;
            replay.entry(&entry).map_err(corrupt)?;
        }
        replay.flush_if_large()?;
    }
    if !matches!(case, Case::Clean) {
        replay.finish(begin, directory).map_err(|error| io(&error))?;
    }
    begin_session(volume, begin).map_err(|error| io(&error))?;
    let leftover = files.into_iter().map(|file| file.path).collect();
    volume.wal.adopt(leftover).map_err(|error| io(&error))?;
    Ok(recovered)
}

/// Makes durable what will be replayed: a group that only the page cache holds must not be lost
/// after files were changed for its sake.
fn settle<D: Disk>(disk: &D, files: &[WalFile], groups: &[Found]) -> Result<(), DiskError> {
    let mut last = None;
    for group in groups {
        if last.replace(group.file) == Some(group.file) {
            continue;
        }
        let path = &files[group.file].path;
        let file = disk
            .open(path, &ottla_env::OpenOptions::read_write())
            .map_err(DiskError::at("open", path))?;
        file.sync_data().map_err(DiskError::at("sync", path))?;
        if let Some(folder) = path.parent() {
            disk.sync_dir(folder).map_err(DiskError::at("sync", folder))?;
        }
    }
    Ok(())
}

struct Replay<'a, E: Env> {
    volume: &'a Arc<Volume<E>>,
    registry: &'a Registry<E>,
    touched: Touched,
    in_memory: usize,
}

impl<E: Env> Replay<'_, E> {
    fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        let number = entry.head.number;
        let known = self.registry.by_number(number);
        match (entry.head.kind, known) {
            (EntryKind::Create, None) => {
                let (id, segment_bytes) =
                    decode_name(&entry.payload).map_err(|error| format!("{error:?}"))?;
                let config = LogConfig { segment_bytes, ..LogConfig::default() };
                let partition = Partition::new(id, number, self.volume.clone(), Arc::new(config));
                partition.replay(entry).map_err(|error| error.0)?;
                self.registry.insert(partition);
            }
            // Created and deleted since the checkpoint, or deleted before it: the folder may be left.
            (EntryKind::Delete, None) => {
                let (id, _) = decode_name(&entry.payload).map_err(|error| format!("{error:?}"))?;
                let taken = self.registry.all().iter().any(|other| {
                    other.id().topic == id.topic && other.id().partition == id.partition
                });
                if !taken {
                    self.volume.doomed.lock().push(Doomed { lsn: 0, id });
                }
            }
            // Entries of a partition that the checkpoint no longer knows.
            (_, None) => {}
            (_, Some(partition)) => {
                self.in_memory += partition.replay(entry).map_err(|error| error.0)?;
                if partition.is_deleted() {
                    self.registry.remove(number);
                }
            }
        }
        Ok(())
    }

    fn flush_if_large(&mut self) -> Result<(), OpenError> {
        if self.in_memory < REPLAY_BYTES_MAX {
            return Ok(());
        }
        self.in_memory = 0;
        let dirty = std::mem::take(&mut *self.volume.dirty.lock());
        for number in dirty {
            let Some(partition) = self.registry.by_number(number) else { continue };
            flushed(partition.flush(None, &mut self.touched)).map_err(|error| io(&error))?;
            partition.evict(0);
        }
        Ok(())
    }

    /// All in segments, synced, and a checkpoint that says so.
    fn finish(mut self, begin: &Begin, directory: ottla_protocol::Uuid) -> Result<(), DiskError> {
        self.sweep()?;
        remove_doomed(self.volume, u64::MAX, &mut self.touched)?;
        self.volume.dirty.lock().clear();
        let mut builder = Builder::new();
        for partition in self.registry.all() {
            flushed(partition.flush(Some(&mut builder), &mut self.touched))?;
            partition.evict(0);
        }
        sync_touched(self.volume, &self.touched)?;
        let header = CheckpointHeader {
            directory,
            epoch: begin.old_epoch,
            wal_start_lsn: begin.end_lsn,
            next_number: self.registry.next_number(),
            clean: true,
        };
        write_checkpoint(self.volume, &builder.finish(&header))
    }

    /// Removes folders that an interrupted deletion left, and the files of logs that are not known to have a
    /// folder: a flush wrote them whose records the write-ahead log has not, or has cut off since.
    fn sweep(&mut self) -> Result<(), DiskError> {
        let (disk, root) = (self.volume.env.disk(), self.volume.path());
        let all = self.registry.all();
        let unwritten = all.iter().filter(|partition| !partition.has_folder());
        let unwritten: HashMap<String, _> =
            unwritten.map(|partition| (partition.id().to_string(), partition)).collect();
        for entry in disk.read_dir(root).map_err(DiskError::at("list", root))? {
            let deleted = parse(&entry.name).is_ok_and(|name| name.role == Role::Deleted);
            if entry.kind == FileKind::Dir && deleted {
                let path = root.join(&entry.name);
                disk.remove_dir_all(&path).map_err(DiskError::at("remove", &path))?;
                self.touched.folders.insert(root.to_path_buf());
            }
            if let Some(partition) = unwritten.get(&entry.name) {
                partition.clear_folder()?;
                self.touched.folders.insert(root.to_path_buf());
            }
        }
        Ok(())
    }
}

/// From here on the groups of earlier sessions are nothing.
fn begin_session<E: Env>(volume: &Volume<E>, begin: &Begin) -> Result<(), DiskError> {
    let (disk, folder) = (volume.env.disk(), volume.path().join("wal"));
    if !disk.exists(&folder) {
        disk.create_dir_all(&folder).map_err(DiskError::at("create", &folder))?;
        disk.sync_dir(volume.path()).map_err(DiskError::at("sync", volume.path()))?;
    }
    if planted(Plant::SessionNotBegun) && begin.old_epoch > 0 {
        return Ok(());
    }
    let path = folder.join("epoch");
    let file = EpochFile { epoch: begin.old_epoch + 1, start_lsn: begin.start_lsn };
    disk.replace_file(&path, &file.encode()).map_err(DiskError::at("replace", &path))
}

fn flushed(result: Result<u64, FlushError>) -> Result<u64, DiskError> {
    match result {
        Ok(bytes) => Ok(bytes),
        Err(FlushError::Disk(error)) => Err(error),
        Err(FlushError::NotDurable(_)) => unreachable!("all that is replayed is durable"),
    }
}

fn io(error: &DiskError) -> OpenError {
    OpenError::Io { path: error.path.clone(), what: error.source.to_string() }
}
