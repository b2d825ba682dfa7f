//! The newest batches of one partition, as slices of the staging buffers: what is not yet in
//! segments, and behind it what still lies in memory.
//!
//! Batches stand in offset order without overlap. It never copies a batch.

use std::collections::VecDeque;

use bytes::Bytes;
use ottla_protocol::records::BatchHeader;

use crate::options::Slices;

/// One batch in memory.
#[derive(Debug, Clone)]
pub(crate) struct TailBatch {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) max_timestamp: i64,
    /// The number of the staging buffer; 0 for memory outside of those.
    pub(crate) buffer: u64,
    pub(crate) bytes: Bytes,
}

impl TailBatch {
    pub(crate) fn new(header: &BatchHeader, bytes: Bytes, buffer: u64) -> TailBatch {
        TailBatch {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            buffer,
            bytes,
        }
    }
}

/// The tail of a partition.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    batches: VecDeque<TailBatch>,
}

impl Tail {
    /// No batches.
    pub(crate) const fn new() -> Tail {
        Tail { batches: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, batch: TailBatch) {
        let after = self.batches.back().is_none_or(|last| last.last_offset < batch.base_offset);
        assert!(after, "an offset never names two records");
        self.batches.push_back(batch);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The first offset that is in memory.
    pub(crate) fn start_offset(&self) -> Option<i64> {
        self.batches.front().map(|batch| batch.base_offset)
    }

    /// The batches that hold `offset` and what follows.
    pub(crate) fn from(&self, offset: i64) -> impl Iterator<Item = &TailBatch> {
        let first = self.batches.partition_point(|batch| batch.last_offset < offset);
        self.batches.range(first..)
    }

    /// Whole batches from `from` on, below `upper`, within `max_bytes` but for the first if
    /// `min_one_batch`.
    pub(crate) fn read(
        &self,
        from: i64,
        upper: i64,
        max_bytes: usize,
        min_one_batch: bool,
    ) -> Slices {
        let mut slices = Slices::empty(from);
        for batch in self.from(from) {
            let fits = slices.bytes + batch.bytes.len() <= max_bytes
                || (min_one_batch && slices.chunks.is_empty());
            if !fits || batch.last_offset >= upper {
                break;
            }
            slices.bytes += batch.bytes.len();
            slices.next_offset = batch.last_offset + 1;
            slices.chunks.push(batch.bytes.clone());
        }
        slices
    }

    /// Drops flushed batches (those below `flushed_end`) of buffers up to `buffer`.
    pub(crate) fn evict(&mut self, buffer: u64, flushed_end: i64) {
        let old = |batch: &TailBatch| batch.buffer <= buffer && batch.last_offset < flushed_end;
        while self.batches.front().is_some_and(old) {
            self.batches.pop_front();
        }
    }

    /// Drops batches that reach `offset` or lie beyond.
    pub(crate) fn truncate(&mut self, offset: i64) {
        while self.batches.back().is_some_and(|batch| batch.last_offset >= offset) {
            self.batches.pop_back();
        }
    }
}
