//! From memory to segments: the only place that writes `.log` and index files.
//!
//! What is written here is a copy of what the write-ahead log holds, so nothing is synced until a
//! checkpoint is to stand on it; until then recovery writes it again. Holds `files` throughout and
//! `state` only between writes, so appends go on meanwhile.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ottla_env::{Disk, Env, File};
use ottla_plant::{Plant, planted};
use ottla_protocol::records::BatchHeader;
use smallvec::SmallVec;

use super::{Partition, State};
use crate::checkpoint::{Builder, PartitionRecord, SegmentRecord};
use crate::error::DiskError;
use crate::index::FileView;
use crate::kafka_dir::dir_name::{Role, suffixed};
use crate::kafka_dir::{LEADER_EPOCH_CHECKPOINT, PARTITION_METADATA, partition_metadata};
use crate::segment::names::{self, Kind, Stage, name};
use crate::segment::{Incoming, IndexFiles, Segment, recover};
use crate::tail::Memory;

/// What was written since the last checkpoint and must be synced before the next.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) files: BTreeSet<PathBuf>,
    pub(crate) folders: BTreeSet<PathBuf>,
}

/// Why a partition was not flushed.
#[derive(Debug)]
pub(crate) enum FlushError {
    /// The write-ahead log must be durable up to here first.
    NotDurable(u64),
    Disk(DiskError),
}

impl From<DiskError> for FlushError {
    fn from(error: DiskError) -> FlushError {
        FlushError::Disk(error)
    }
}

/// Most bytes of one write to a segment: larger ones are slower.
const WRITE_BYTES_MAX: usize = 256 << 10;
/// Most slices of one.
const WRITE_SLICES_MAX: usize = 512;

/// Batches for one place of one segment.
struct Chunk {
    base_offset: i64,
    position: u64,
    fresh: bool,
    /// Where to cut the file before writing.
    cut: bool,
    /// What the batches lie in, and where: the number of the memory, and the place in it.
    memories: SmallVec<[Memory; 4]>,
    batches: Vec<(usize, Range<usize>)>,
    facts: SegmentRecord,
    next_offset: i64,
}

impl<E: Env> Partition<E> {
    /// Writes all batches to segments; with a checkpoint, adds the state as of the last of them.
    /// Returns how many bytes were written.
    pub(crate) fn flush(
        &self,
        checkpoint: Option<&mut Builder>,
        touched: &mut Touched,
    ) -> Result<u64, FlushError> {
        let _files = self.files.lock();
        let (end, mut record, is_dirty) = {
            let mut state = self.state.lock();
            let is_dirty = std::mem::take(&mut state.dirty);
            if state.deleted {
                return Ok(0);
            }
            if state.barrier_lsn > self.volume.wal.stable() {
                self.mark_dirty(&mut state);
                return Err(FlushError::NotDurable(state.barrier_lsn));
            }
            let record: Option<PartitionRecord> =
                checkpoint.is_some().then(|| state.record(self.number, &self.id));
            (state.log_end, record, is_dirty)
        };
        self.remove_doomed(touched)?;
        if is_dirty {
            self.remove_strays(touched)?;
        }
        let mut written = 0;
        loop {
            let Some(chunk) = self.next_chunk(end, touched)? else { break };
            written += self.write_chunk(chunk, touched)?;
        }
        if is_dirty {
            self.cut_file(touched)?;
        }
        if let (Some(builder), Some(record)) = (checkpoint, record.as_mut()) {
            let state = self.state.lock();
            if !planted(Plant::SegmentSizeStale) {
                record.segments = state.segments.to_vec();
            }
            record.has_folder = state.has_folder;
            record.index_saved = state.index_trusted;
            drop(state);
            builder.push(record);
        }
        Ok(written)
    }

    /// Writes the indexes of the last segment, so that a clean start may read them.
    pub(crate) fn save_indexes(&self, touched: &mut Touched) -> Result<(), DiskError> {
        let _files = self.files.lock();
        let saved = {
            let state = self.state.lock();
            state
                .active
                .as_ref()
                .filter(|_| !state.deleted && state.has_folder)
                .map(|active| (active.base_offset(), active.index_files()))
        };
        if let Some((base_offset, mut files)) = saved {
            files.txn = self.txn_index(base_offset, i64::MAX);
            self.write_indexes(base_offset, &files, touched)?;
            self.state.lock().index_trusted = true;
        }
        Ok(())
    }

    /// The next batches below `end` that go into one write, rolling first if they must.
    fn next_chunk(&self, end: i64, touched: &mut Touched) -> Result<Option<Chunk>, FlushError> {
        let now_ms = self.volume.env.wall_ms();
        loop {
            let mut guard = self.state.lock();
            let state = &mut *guard;
            let flushed_end = state.flushed_end;
            if flushed_end >= end || state.tail.from(flushed_end).next().is_none() {
                return Ok(None);
            }
            if !state.has_folder {
                drop(guard);
                self.make_folder(touched)?;
                continue;
            }
            if state.segments.is_empty() {
                self.begin_segment(state, flushed_end, now_ms);
            }
            if let Some(chunk) = gather(state, end, now_ms) {
                return Ok(Some(chunk));
            }
            drop(guard);
            self.roll(now_ms, touched)?;
        }
    }

    fn write_chunk(&self, chunk: Chunk, touched: &mut Touched) -> Result<u64, FlushError> {
        let path = self.log_path(chunk.base_offset);
        let handles = &self.volume.handles;
        let file = if chunk.fresh { handles.fresh(&path)? } else { handles.created(&path)? };
        if chunk.fresh {
            touched.folders.insert(self.folder());
        }
        if chunk.cut {
            file.forget_from(chunk.position);
            file.set_len(chunk.position).map_err(DiskError::at("cut", &path))?;
        }
        let bytes = |(memory, range): &(usize, Range<usize>)| {
            let memory: &Memory = &chunk.memories[*memory];
            memory.bytes(range.clone())
        };
        let slices: Vec<&[u8]> = chunk.batches.iter().map(bytes).collect();
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        file.write_all_vectored_at(&slices, chunk.position)
            .map_err(DiskError::at("write", &path))?;
        file.mark_checked(chunk.position..chunk.position + length as u64);
        // Only paces the page cache; the sync before the checkpoint is what counts.
        let _ = file.start_writeback(chunk.position, length as u64);
        touched.files.insert(path);
        let mut state = self.state.lock();
        let last = state.segments.last_mut().expect("gather found one");
        *last = chunk.facts;
        if state.active.as_ref().is_some_and(|active| active.size() != chunk.facts.size) {
            // A reader rebuilt the indexes from the file while this was on its way to it.
            state.active = None;
        }
        state.flushed_end = chunk.next_offset;
        (state.cut, state.index_trusted) = (false, false);
        state.check();
        Ok(length as u64)
    }

    /// Removes the files of segments that were cut off; the log is durable past their end.
    fn remove_doomed(&self, touched: &mut Touched) -> Result<(), DiskError> {
        let doomed = self.state.lock().doomed.take();
        let disk = self.volume.env.disk();
        if !doomed.is_empty() && self.state.lock().has_folder {
            touched.folders.insert(self.folder());
        }
        for base_offset in doomed {
            for kind in Kind::ALL {
                let path = self.folder().join(name(base_offset, kind));
                self.volume.handles.forget(&path);
                touched.files.remove(&path);
                match disk.remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(DiskError::at("remove", &path)(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Removes the files of segments that the log does not have: a flush that no checkpoint knows of wrote
    /// them, and the log was cut before a stop, so that nobody remembers them. Once after a start.
    fn remove_strays(&self, touched: &mut Touched) -> Result<(), DiskError> {
        let known: BTreeSet<i64> = {
            let mut state = self.state.lock();
            if !std::mem::take(&mut state.unswept) || !state.has_folder {
                return Ok(());
            }
            state.segments.iter().map(|segment| segment.base_offset).collect()
        };
        let (disk, folder) = (self.volume.env.disk(), self.folder());
        for entry in disk.read_dir(&folder).map_err(DiskError::at("list", &folder))? {
            let Some((base_offset, kind, Stage::Live)) = names::parse(&entry.name) else {
                continue;
            };
            if kind == Kind::Snapshot || known.contains(&base_offset) {
                continue;
            }
            let path = folder.join(&entry.name);
            self.volume.handles.forget(&path);
            touched.files.remove(&path);
            touched.folders.insert(folder.clone());
            disk.remove_file(&path).map_err(DiskError::at("remove", &path))?;
        }
        Ok(())
    }

    /// Cuts the last segment's file where the log was cut, unless a write has done so: whoever knows only
    /// the files must not find what is gone.
    fn cut_file(&self, touched: &mut Touched) -> Result<(), DiskError> {
        let last = {
            let state = self.state.lock();
            state.segments.last().filter(|_| state.cut).copied()
        };
        let Some(last) = last else { return Ok(()) };
        let path = self.log_path(last.base_offset);
        // A segment may be cut before its first write.
        if last.size == 0 && !self.volume.env.disk().exists(&path) {
            return Ok(());
        }
        let file = self.volume.handles.created(&path)?;
        file.forget_from(last.size);
        file.set_len(last.size).map_err(DiskError::at("cut", &path))?;
        touched.files.insert(path);
        self.state.lock().cut = false;
        Ok(())
    }

    fn begin_segment(&self, state: &mut State, base_offset: i64, now_ms: i64) {
        let jitter_ms = match u64::try_from(state.config.segment_jitter_ms) {
            Ok(limit) if limit > 0 => (self.volume.env.random_u64() % limit).cast_signed(),
            _ => 0,
        };
        state.segments.push(SegmentRecord::empty(base_offset, now_ms));
        state.active = Some(Box::new(Segment::new(base_offset, now_ms, jitter_ms)));
    }

    /// Seals the last segment and begins the next.
    fn roll(&self, now_ms: i64, touched: &mut Touched) -> Result<(), FlushError> {
        let (active, record, config, flushed_end) = {
            let state = self.state.lock();
            let record = *state.segments.last().expect("what is rolled is there");
            (state.active.clone(), record, state.config.clone(), state.flushed_end)
        };
        let path = self.log_path(record.base_offset);
        self.cut_file(touched)?;
        let active = match active {
            Some(active) => *active,
            None => {
                let file = self.volume.handles.existing(&path)?;
                let source = FileView { file: &**file, size: record.size };
                let empty = Segment::new(record.base_offset, record.created_ms, 0);
                let recovered = recover(empty, &source, &config, |_, _, _| {})
                    .map_err(DiskError::at("read", &path))?;
                if let Some(damage) = recovered.corruption {
                    tracing::error!(path = %path.display(), %damage, "a segment is damaged");
                }
                recovered.segment
            }
        };
        let (_, mut files) = active.seal(now_ms);
        files.txn = self.txn_index(record.base_offset, flushed_end);
        self.write_indexes(record.base_offset, &files, touched)?;
        let mut state = self.state.lock();
        state.index_trusted = false;
        self.begin_segment(&mut state, flushed_end, now_ms);
        Ok(())
    }

    /// The aborted transactions that end in a segment, as its index file.
    fn txn_index(&self, from: i64, to: i64) -> Vec<u8> {
        let mut index = crate::index::TxnIndex::new();
        let state = self.state.lock();
        let inside = |last: i64| (from..to).contains(&last);
        state
            .aborted
            .entries()
            .iter()
            .filter(|aborted| inside(aborted.last_offset))
            .for_each(|aborted| index.append(*aborted));
        index.encode()
    }

    fn write_indexes(
        &self,
        base_offset: i64,
        files: &IndexFiles,
        touched: &mut Touched,
    ) -> Result<(), DiskError> {
        let log = self.log_path(base_offset);
        let parts =
            [("index", &files.offset), ("timeindex", &files.time), ("txnindex", &files.txn)];
        for (suffix, bytes) in parts {
            if suffix == "txnindex" && bytes.is_empty() {
                continue;
            }
            let path = log.with_extension(suffix);
            let file = self.volume.handles.fresh(&path)?;
            file.write_all_at(bytes, 0).map_err(DiskError::at("write", &path))?;
            touched.files.insert(path);
        }
        touched.folders.insert(self.folder());
        Ok(())
    }

    /// Whether its folder has been made, as far as the log knows.
    pub(crate) fn has_folder(&self) -> bool {
        self.state.lock().has_folder
    }

    /// Removes what is in the folder of a partition that has none.
    pub(crate) fn clear_folder(&self) -> Result<(), DiskError> {
        let (disk, handles) = (self.volume.env.disk(), &self.volume.handles);
        clear_folder(disk, handles, self.volume.path(), &self.folder(), &self.id)
    }

    /// Makes the partition's folder at its first flush. What is there already is of an earlier
    /// partition of that name, or of a flush that no checkpoint knows of: it goes. What is not a log's
    /// stays: the metadata log's folder holds the quorum's votes and snapshots.
    fn make_folder(&self, touched: &mut Touched) -> Result<(), DiskError> {
        let (disk, folder) = (self.volume.env.disk(), self.folder());
        self.volume.doomed.lock().retain(|doomed| {
            doomed.id.topic != self.id.topic || doomed.id.partition != self.id.partition
        });
        if disk.exists(&folder) {
            self.clear_folder()?;
        }
        disk.create_dir_all(&folder).map_err(DiskError::at("create", &folder))?;
        let path = folder.join(PARTITION_METADATA);
        let file = self.volume.handles.fresh(&path)?;
        let text = partition_metadata::format(self.id.topic_id);
        file.write_all_at(text.as_bytes(), 0).map_err(DiskError::at("write", &path))?;
        touched.files.insert(path);
        touched.folders.insert(folder);
        touched.folders.insert(self.volume.path().to_path_buf());
        self.state.lock().has_folder = true;
        Ok(())
    }
}

/// Removes a log's files from a folder, and the folder too if there are no others.
fn clear_folder<D: Disk>(
    disk: &D,
    handles: &crate::handles::Handles<D>,
    root: &Path,
    folder: &Path,
    id: &crate::options::TopicPartition,
) -> Result<(), DiskError> {
    let entries = disk.read_dir(folder).map_err(DiskError::at("list", folder))?;
    let (own, others): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| is_of_a_log(&entry.name));
    if others.is_empty() {
        return remove_folder(disk, handles, root, folder, id);
    }
    handles.forget_folder(folder);
    for entry in own {
        let path = folder.join(&entry.name);
        disk.remove_file(&path).map_err(DiskError::at("remove", &path))?;
    }
    Ok(())
}

fn is_of_a_log(name: &str) -> bool {
    names::parse(name).is_some() || [PARTITION_METADATA, LEADER_EPOCH_CHECKPOINT].contains(&name)
}

/// Renames a folder out of the way, as Kafka names what it deletes, and removes it.
pub(crate) fn remove_folder<D: Disk>(
    disk: &D,
    handles: &crate::handles::Handles<D>,
    root: &Path,
    folder: &Path,
    id: &crate::options::TopicPartition,
) -> Result<(), DiskError> {
    handles.forget_folder(folder);
    let unique: String = id.topic_id.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let aside = root.join(suffixed(&id.topic, id.partition, &unique, Role::Deleted));
    if disk.exists(&aside) {
        disk.remove_dir_all(&aside).map_err(DiskError::at("remove", &aside))?;
    }
    disk.rename(folder, &aside).map_err(DiskError::at("rename", folder))?;
    disk.remove_dir_all(&aside).map_err(DiskError::at("remove", &aside))
}

/// Takes the next batches for the last segment, up to one write's worth; `None` if the first of
/// them must go to a new segment.
fn gather(state: &mut State, end: i64, now_ms: i64) -> Option<Chunk> {
    let mut facts = *state.segments.last().expect("next_chunk made one");
    let position = facts.size;
    let (mut batches, mut bytes, mut next_offset) = (Vec::new(), 0, state.flushed_end);
    let (mut memories, mut held) = (SmallVec::new(), None);
    for batch in state.tail.from(state.flushed_end) {
        let length = batch.len();
        let full = bytes + length > WRITE_BYTES_MAX || batches.len() >= WRITE_SLICES_MAX;
        if batch.base_offset >= end || (full && bytes > 0) {
            break;
        }
        let incoming = Incoming {
            size: length as u64,
            max_timestamp: batch.max_timestamp,
            last_offset: batch.last_offset,
        };
        let must_roll = match &state.active {
            Some(active) => active.roll_reason(&incoming, &state.config, now_ms).is_some(),
            None => facts.must_roll(&incoming, state.config.segment_bytes),
        };
        if must_roll {
            break;
        }
        if let Some(active) = &mut state.active {
            let header = BatchHeader::parse(batch.bytes()).expect("a batch in memory is whole");
            active.append(&header, &state.config);
        }
        facts.note(batch.last_offset, batch.max_timestamp, length);
        facts.modified_ms = now_ms;
        bytes += length;
        next_offset = batch.last_offset + 1;
        if held != Some(batch.held) {
            held = Some(batch.held);
            memories.push(batch.memory.clone());
        }
        batches.push((memories.len() - 1, batch.range()));
    }
    let (base_offset, fresh, cut) = (facts.base_offset, position == 0, state.cut && position > 0);
    let chunk = Chunk { base_offset, position, fresh, cut, memories, batches, facts, next_offset };
    (!chunk.batches.is_empty()).then_some(chunk)
}

impl SegmentRecord {
    /// The part of the roll conditions that needs no index.
    fn must_roll(&self, incoming: &Incoming, segment_bytes: u32) -> bool {
        let full = self.size > 0 && self.size + incoming.size > u64::from(segment_bytes);
        full || incoming.last_offset - self.base_offset > i64::from(i32::MAX)
    }
}
