//! Reads from segment files. Every batch's CRC is checked before it is served; damaged ones never are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::{Advice, Env};
use ottla_plant::{Plant, planted};
use ottla_protocol::records::{batches, verify_crc};
use smallvec::smallvec;

use super::{Partition, State};
use crate::checkpoint::SegmentRecord;
use crate::error::{Corruption, DiskError};
use crate::fault::ReadError;
use crate::index::{FileView, OffsetIndex};
use crate::open_file::OpenFile;
use crate::options::{ReadOptions, Slices};
use crate::segment::{BatchRun, IndexFiles, Segment, read_batches, recover, scan};

/// A read that has to wait for the disk.
pub struct ColdRead<E: Env> {
    partition: Arc<Partition<E>>,
    from: i64,
    options: ReadOptions,
}

/// A segment as a reader sees it.
pub(super) struct View {
    pub(super) record: SegmentRecord,
    pub(super) is_last: bool,
    /// The offset after its last record.
    pub(super) end: i64,
}

impl<E: Env> ColdRead<E> {
    pub(super) fn new(partition: Arc<Partition<E>>, from: i64, options: ReadOptions) -> Self {
        ColdRead { partition, from, options }
    }

    /// Reads. Blocks on the disk.
    ///
    /// # Errors
    /// Damage, the disk's errors, or that the offset is no longer there.
    pub fn run(self) -> Result<Slices, ReadError> {
        let mut from = self.from;
        loop {
            let view = match self.partition.view(from)? {
                Some(view) => view,
                None => match self.partition.read_tail(from, &self.options) {
                    Some(slices) => return Ok(slices),
                    // Flushed and let go of since: it lies in a segment now.
                    None => continue,
                },
            };
            match self.partition.read_segment(&view, from, &self.options) {
                Ok(Some(slices))
                    if planted(Plant::FetchSkipsRestOfSegment)
                        && slices.chunks.is_empty()
                        && view.end < self.options.upper =>
                {
                    from = view.end;
                }
                Ok(Some(slices)) => return Ok(slices),
                // The rest of this segment was compacted away, or never written.
                Ok(None) if view.end < self.options.upper => from = view.end,
                Ok(None) => return Ok(Slices::empty(self.from)),
                Err(error) => {
                    // It may have been removed meanwhile: then that is the answer.
                    self.partition.view(from)?;
                    return Err(error);
                }
            }
        }
    }
}

impl<E: Env> Partition<E> {
    /// The segment that holds `offset`; `None` if it is in memory, or nowhere yet.
    pub(super) fn view(&self, offset: i64) -> Result<Option<View>, ReadError> {
        let state = self.state.lock();
        if state.deleted {
            return Err(ReadError::Deleted);
        }
        if offset < state.log_start || offset > state.log_end {
            let (log_start, log_end) = (state.log_start, state.log_end);
            return Err(ReadError::OffsetOutOfRange { log_start, log_end });
        }
        Ok(view_in(&state, offset))
    }

    /// `None` if `from` is no longer in memory: what follows it there would leave a gap.
    pub(super) fn read_tail(&self, from: i64, options: &ReadOptions) -> Option<Slices> {
        let state = self.state.lock();
        let upper = options.upper.min(state.log_end);
        if from < state.flushed_end && state.tail.start_offset().is_none_or(|start| start > from) {
            return None;
        }
        Some(state.tail.read(from, upper, options.max_bytes, options.min_one_batch))
    }

    fn read_segment(
        &self,
        view: &View,
        from: i64,
        options: &ReadOptions,
    ) -> Result<Option<Slices>, ReadError> {
        let path = self.log_path(view.record.base_offset);
        let file = self.volume.handles.existing(&path).map_err(|error| failed(&error))?;
        let source = FileView { file: &**file, size: view.record.size };
        let upper = options.upper.min(view.end);
        let read = |start| {
            let (max, one) = (options.max_bytes, options.min_one_batch);
            read_batches(&source, start, from, upper, max, one)
        };
        let start = self.start_position(view, from, &source)?;
        let mut run = checked(read(start));
        if run.is_err() && start > 0 {
            // The index may be what is wrong: the log itself is the truth.
            run = checked(read(0));
        }
        if run.as_ref().is_ok_and(|run| run.as_ref().is_none_or(|run| run.has_gap(from))) {
            // A hole is what truncation and compaction leave, and what a damaged header looks like.
            verify(&source, view).map_err(|error| self.damaged(&path, &error))?;
        }
        match run.map(|run| run.map(|run| run.batches)) {
            Ok(Some(run)) => {
                let end = run.position + run.bytes.len() as u64;
                file.mark_checked(run.position..end);
                file.mark_place(run.next_offset, end);
                read_ahead(&file, run.position, end, view.record.size);
                let next_offset = if run.bytes.is_empty() { from } else { run.next_offset };
                let bytes = run.bytes.len();
                let chunks = if bytes == 0 { smallvec![] } else { smallvec![run.bytes] };
                Ok(Some(Slices { chunks, bytes, next_offset }))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(self.damaged(&path, &error)),
        }
    }

    /// Where in a segment to start looking for `offset`.
    pub(super) fn start_position<F: ottla_env::File>(
        &self,
        view: &View,
        offset: i64,
        source: &FileView<'_, F>,
    ) -> Result<u64, ReadError> {
        let base_offset = view.record.base_offset;
        if view.is_last {
            return self.with_active(&view.record, source, |active| active.start_position(offset));
        }
        let path = self.log_path(base_offset).with_extension("index");
        let Ok(file) = self.volume.handles.existing(&path) else { return Ok(0) };
        let Ok(size) = ottla_env::File::len(&**file) else { return Ok(0) };
        let index = FileView { file: &**file, size };
        let entry = OffsetIndex::lookup_in(&index, base_offset, offset);
        let position = entry.map_or(0, |entry| u64::from(entry.position));
        Ok(if position < view.record.size { position } else { 0 })
    }

    /// Looks into the last segment's indexes, reading them back first if need be.
    pub(super) fn with_active<F: ottla_env::File, T>(
        &self,
        record: &SegmentRecord,
        source: &FileView<'_, F>,
        look: impl FnOnce(&Segment) -> T,
    ) -> Result<T, ReadError> {
        let (config, trusted) = {
            let state = self.state.lock();
            match &state.active {
                Some(active) if active.base_offset() == record.base_offset => {
                    return Ok(look(active));
                }
                _ => (state.config.clone(), state.index_trusted),
            }
        };
        let path = self.log_path(record.base_offset);
        let empty = Segment::new(record.base_offset, record.created_ms, 0);
        let saved = if trusted { self.saved_indexes(&path) } else { None };
        let opened = saved.and_then(|saved| {
            let opened = Segment::open(empty.clone(), &saved, source, &config);
            opened.ok().and_then(Result::ok)
        });
        let segment = match opened.filter(|segment| segment.size() == record.size) {
            Some(segment) => segment,
            None => {
                let recovered = recover(empty, source, &config, |_, _, _| {});
                recovered.map_err(|error| io_error(&path, &error))?.segment
            }
        };
        let found = look(&segment);
        let mut state = self.state.lock();
        let same = state.segments.last() == Some(record) && segment.size() == record.size;
        if state.active.is_none() && same {
            state.active = Some(Box::new(segment));
        }
        Ok(found)
    }

    fn saved_indexes(&self, log: &Path) -> Option<IndexFiles> {
        let read = |suffix: &str| {
            use ottla_env::Disk;
            self.volume.env.disk().read_file(&log.with_extension(suffix), INDEX_BYTES_MAX).ok()
        };
        let txn = read("txnindex").unwrap_or_default();
        Some(IndexFiles { offset: read("index")?, time: read("timeindex")?, txn })
    }

    pub(super) fn damaged(&self, path: &Path, error: &io::Error) -> ReadError {
        if error.kind() != io::ErrorKind::InvalidData
            && error.kind() != io::ErrorKind::UnexpectedEof
        {
            return io_error(path, error);
        }
        tracing::error!(path = %path.display(), %error, "a segment is damaged");
        ReadError::Corrupt { path: path.to_path_buf(), what: error.to_string() }
    }
}

/// The segment that holds `offset`, if one does.
pub(super) fn view_in(state: &State, offset: i64) -> Option<View> {
    if offset >= state.flushed_end {
        return None;
    }
    let after = state.segments.partition_point(|segment| segment.base_offset <= offset);
    let index = after.saturating_sub(1);
    let record = state.segments.get(index).copied()?;
    let next = state.segments.get(index + 1).map(|next| next.base_offset);
    Some(View { record, is_last: next.is_none(), end: next.unwrap_or(state.flushed_end) })
}

/// Largest index file that is read whole.
const INDEX_BYTES_MAX: u64 = 64 << 20;

/// Asks the disk for what a reader in order wants next, and lets go of what it leaves behind, so that
/// a reader of old data takes no memory from those who write. Only for bytes that had to be asked for.
fn read_ahead<F: ottla_env::File>(file: &OpenFile<F>, position: u64, end: u64, size: u64) {
    let ahead = end.saturating_add(AHEAD_BYTES).min(size);
    let before = file.note_ahead(0);
    if position < before {
        file.advise(position, end - position, Advice::DontNeed);
    }
    if end < size && !file.is_cached(end, ahead - end) {
        file.advise(end, ahead - end, Advice::WillNeed);
        file.note_ahead(ahead);
    }
}

/// How far the disk is asked ahead of a reader.
const AHEAD_BYTES: u64 = 4 << 20;

/// Batches whose checksums hold.
struct Checked {
    batches: BatchRun,
    first_offset: Option<i64>,
    /// Each begins where the one before ends.
    contiguous: bool,
}

impl Checked {
    /// Whether offsets from `from` on are missing.
    fn has_gap(&self, from: i64) -> bool {
        !self.contiguous || self.first_offset.is_some_and(|first| first > from)
    }
}

fn checked(run: io::Result<Option<BatchRun>>) -> io::Result<Option<Checked>> {
    let Some(run) = run? else { return Ok(None) };
    let invalid = |error: ottla_protocol::records::BatchError| {
        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
    };
    let (mut first_offset, mut next, mut contiguous) = (None, None, true);
    for batch in batches(&run.bytes) {
        let (header, bytes): (_, Bytes) = batch.map_err(invalid)?;
        if !planted(Plant::BitFlipServed) {
            verify_crc(&bytes).map_err(invalid)?;
        }
        first_offset = first_offset.or(Some(header.base_offset));
        contiguous &= next.is_none_or(|next| next == header.base_offset);
        next = Some(header.next_offset());
    }
    Ok(Some(Checked { batches: run, first_offset, contiguous }))
}

/// Reads a whole segment: every checksum, and offsets that rise within it.
fn verify<F: ottla_env::File>(source: &FileView<'_, F>, view: &View) -> io::Result<()> {
    let mut next = view.record.base_offset;
    let damage = scan(source, 0, |position, header, _| {
        if header.base_offset < next || header.next_offset() > view.end {
            let what = format!("offset {} where {next} or more is due", header.base_offset);
            return Err(Corruption::new(position, what));
        }
        next = header.next_offset();
        Ok(())
    })?;
    match damage {
        None => Ok(()),
        Some(damage) => Err(io::Error::new(io::ErrorKind::InvalidData, damage.to_string())),
    }
}

fn failed(error: &DiskError) -> ReadError {
    io_error(&error.path, &error.source)
}

pub(super) fn io_error(path: &Path, error: &io::Error) -> ReadError {
    ReadError::Io { path: PathBuf::from(path), what: error.to_string() }
}

#[cfg(test)]
mod tests;
