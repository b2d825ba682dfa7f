//! One partition's log: what is appended goes to the write-ahead log and the tail, what is older lies
//! in segments. It owns no task, no timer and no open file.
//!
//! `log_start <= last_stable <= high_watermark <= log_end`. Lock order: files -> state -> the
//! write-ahead log's staging. `files` is held by whoever writes, cuts or removes segment files; appends
//! and hot reads take `state` alone, for a moment.

mod append;
mod cold;
mod flush;
mod lookup;
mod moving;
mod part;
mod replay;
mod scan;
mod state;
mod truncate;
mod warm;

use std::path::PathBuf;
use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::Uuid;
use parking_lot::Mutex;

use crate::checkpoint::PartitionRecord;
use crate::config::LogConfig;
use crate::fault::ReadError;
use crate::index::AbortedTransaction;
use crate::options::{Offsets, ReadOptions, Slices, TopicPartition};
use crate::producers::ProducerState;
use crate::volume::Volume;
use crate::wal::Staged;
use state::State;

pub use cold::ColdRead;
pub(crate) use flush::{FlushError, Touched, remove_folder};
pub use moving::Stilled;
pub use warm::{FileRun, Sendable};

/// What of a partition moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    HighWatermark,
    /// More is there for followers: of a replicated partition.
    LogEnd,
}

/// Told when a partition moves on. Called without any lock of the partition, from an appending
/// worker or the log's writer: it must not block.
pub trait ProgressListener: Send + Sync {
    fn on_progress(&self, partition: &TopicPartition, offsets: Offsets, what: Progress);

    /// More of a replicated partition is on stable storage here. `raise` moves its high watermark.
    fn on_durable(&self, offsets: Offsets, raise: &dyn Fn(i64));
}

/// What a read found.
pub enum ReadOutcome<E: Env> {
    /// In memory.
    Hot(Slices),
    /// On disk: call [`ColdRead::run`] through `Env::run_blocking`.
    Cold(ColdRead<E>),
}

/// A partition of a data directory.
pub struct Partition<E: Env> {
    id: TopicPartition,
    number: u64,
    volume: Arc<Volume<E>>,
    state: Mutex<State>,
    /// Guards the segment files' contents.
    files: Mutex<()>,
}

impl<E: Env> Partition<E> {
    pub(crate) fn new(
        id: TopicPartition,
        number: u64,
        volume: Arc<Volume<E>>,
        config: Arc<LogConfig>,
    ) -> Arc<Partition<E>> {
        Partition::with_state(id, number, volume, State::new(config))
    }

    /// The partition of a checkpoint; `None` if its parts contradict each other.
    pub(crate) fn restore(
        record: PartitionRecord,
        volume: Arc<Volume<E>>,
    ) -> Option<Arc<Partition<E>>> {
        let (id, number) = (record.id.clone(), record.number);
        Some(Partition::with_state(id, number, volume, State::restore(record)?))
    }

    fn with_state(
        id: TopicPartition,
        number: u64,
        volume: Arc<Volume<E>>,
        state: State,
    ) -> Arc<Partition<E>> {
        state.check();
        let (state, files) = (Mutex::new(state), Mutex::new(()));
        Arc::new(Partition { id, number, volume, state, files })
    }

    /// Its name.
    pub fn id(&self) -> &TopicPartition {
        &self.id
    }

    /// The place of its directory among the node's.
    pub fn place(&self) -> u8 {
        self.volume.options.place
    }

    /// The id of its directory.
    pub fn directory_id(&self) -> Uuid {
        self.volume.directory_id
    }

    /// Whether its directory has failed.
    pub fn is_offline(&self) -> bool {
        self.volume.wal.check().is_err()
    }

    /// Where it stands.
    pub fn offsets(&self) -> Offsets {
        self.state.lock().offsets()
    }

    /// Reads from `from` on. Never touches the disk.
    ///
    /// # Errors
    /// An offset outside the log, or a deleted partition.
    pub fn read(
        self: &Arc<Self>,
        from: i64,
        options: &ReadOptions,
    ) -> Result<ReadOutcome<E>, ReadError> {
        if let Some(slices) = read_memory(&self.state.lock(), from, options)? {
            return Ok(ReadOutcome::Hot(slices));
        }
        Ok(ReadOutcome::Cold(ColdRead::new(self.clone(), from, *options)))
    }

    /// Reads from `from` on, from the disk if need be: for callers that may block.
    ///
    /// # Errors
    /// Those of [`Partition::read`] and [`ColdRead::run`].
    pub fn read_blocking(
        self: &Arc<Self>,
        from: i64,
        options: &ReadOptions,
    ) -> Result<Slices, ReadError> {
        match self.read(from, options)? {
            ReadOutcome::Hot(slices) => Ok(slices),
            ReadOutcome::Cold(cold) => cold.run(),
        }
    }

    /// Moves the high watermark of a replicated partition; never past the log end, never back.
    pub fn advance_high_watermark(&self, offset: i64) {
        let moved = self.state.lock().raise_high_watermark(offset);
        if moved {
            self.tell(Progress::HighWatermark);
        }
    }

    /// Registers who is told of progress, in place of who was before.
    pub fn on_progress(&self, listener: Arc<dyn ProgressListener>) {
        self.state.lock().listener = Some(listener);
    }

    /// The configuration.
    pub fn config(&self) -> Arc<LogConfig> {
        self.state.lock().config.clone()
    }

    /// A new configuration; it applies to what comes.
    pub fn set_config(&self, config: impl Into<Arc<LogConfig>>) {
        let mut state = self.state.lock();
        state.config = config.into();
        state.claimed = true;
    }

    /// Bytes of all records, in memory or on disk.
    pub fn size_in_bytes(&self) -> u64 {
        let state = self.state.lock();
        let flushed: u64 = state.segments.iter().map(|segment| segment.size).sum();
        let staged: usize = state.tail.from(state.flushed_end).map(|batch| batch.len()).sum();
        flushed + staged as u64
    }

    /// How many segment files there are.
    pub fn segments_count(&self) -> usize {
        self.state.lock().segments.len()
    }

    /// What is remembered of its producers.
    pub fn producers(&self) -> Vec<(i64, ProducerState)> {
        let state = self.state.lock();
        state.producers.iter().map(|(id, producer)| (id, producer.clone())).collect()
    }

    /// The last sequence number of a producer in this epoch of its, if the log knows it.
    pub fn last_sequence(&self, producer_id: i64, producer_epoch: i16) -> Option<i32> {
        let state = self.state.lock();
        let known = state.producers.get(producer_id)?;
        (known.epoch == producer_epoch).then(|| known.last_sequence())
    }

    /// The aborted transactions that a read-committed reader of `from..upper` must skip.
    pub fn aborted_transactions(&self, from: i64, upper: i64) -> Vec<AbortedTransaction> {
        let mut found = Vec::new();
        self.state.lock().aborted.collect(from, upper, &mut found);
        found
    }

    /// The newest leader epoch and its first offset.
    pub fn leader_epoch(&self) -> Option<i32> {
        self.state.lock().epochs.latest().map(|entry| entry.epoch)
    }

    /// Every leader epoch with its first offset, oldest first.
    pub fn epochs(&self) -> Vec<(i32, i64)> {
        let state = self.state.lock();
        state.epochs.entries().iter().map(|entry| (entry.epoch, entry.start_offset)).collect()
    }

    /// The epoch at or below `epoch` and the offset after its last record; (-1, -1) if unknown.
    pub fn end_offset_for_epoch(&self, epoch: i32) -> (i32, i64) {
        let state = self.state.lock();
        state.epochs.end_offset_for(epoch, state.log_end)
    }

    /// Forgets producers that were silent for too long.
    pub(crate) fn expire_producers(&self, now_ms: i64) {
        let expiration_ms = self.volume.options.producer_id_expiration_ms;
        if let Some(producers) = self.state.lock().producers.made() {
            producers.expire(now_ms, expiration_ms);
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.volume.folder(&self.id.topic, self.id.partition)
    }

    pub(crate) fn log_path(&self, base_offset: i64) -> PathBuf {
        self.folder().join(format!("{base_offset:020}.log"))
    }

    /// Lets go of flushed batches in buffers up to `buffer`; says whether any are left in memory.
    pub(crate) fn evict(&self, buffer: u64) -> bool {
        let mut state = self.state.lock();
        let flushed_end = if state.deleted { i64::MAX } else { state.flushed_end };
        if let Some(tail) = state.tail.made() {
            tail.evict(buffer, flushed_end);
        }
        let is_cached = !state.tail.is_empty();
        if !is_cached {
            // Nothing came for a while: what the next batch needs is made with it.
            state.tail.clear();
            if state.undurable.is_empty() {
                state.undurable.clear();
            }
        }
        is_cached
    }

    fn tell(&self, what: Progress) {
        let (listener, offsets) = {
            let state = self.state.lock();
            (state.listener.clone(), state.offsets())
        };
        if let Some(listener) = listener {
            listener.on_progress(&self.id, offsets, what);
        }
    }
}

/// What of a read is answered from memory; `None` if the segments have to be asked.
fn read_memory(
    state: &State,
    from: i64,
    options: &ReadOptions,
) -> Result<Option<Slices>, ReadError> {
    if state.deleted {
        return Err(ReadError::Deleted);
    }
    if from < state.log_start || from > state.log_end {
        let (log_start, log_end) = (state.log_start, state.log_end);
        return Err(ReadError::OffsetOutOfRange { log_start, log_end });
    }
    let upper = options.upper.min(state.log_end);
    if from >= upper {
        return Ok(Some(Slices::empty(from)));
    }
    if state.tail.start_offset().is_some_and(|start| start <= from) {
        let (max_bytes, min_one) = (options.max_bytes, options.min_one_batch);
        return Ok(Some(state.tail.read(from, upper, max_bytes, min_one)));
    }
    Ok(None)
}

impl<E: Env> Staged for Partition<E> {
    fn became_durable(&self, lsn: u64) {
        let (moved, replicated, listener, offsets) = {
            let mut state = self.state.lock();
            let before = state.durable_end;
            while state.undurable.front().is_some_and(|(position, _)| *position <= lsn) {
                let end = state.undurable.pop_front().map(|(_, end)| end);
                state.durable_end = end.unwrap_or(before);
            }
            let end = state.durable_end;
            let replicated = state.replicated;
            let moved = if replicated { end > before } else { state.raise_high_watermark(end) };
            (moved, replicated, state.listener.clone(), state.offsets())
        };
        let Some(listener) = listener.filter(|_| moved) else { return };
        if replicated {
            listener.on_durable(offsets, &|offset| self.advance_high_watermark(offset));
        } else {
            listener.on_progress(&self.id, offsets, Progress::HighWatermark);
        }
    }
}
