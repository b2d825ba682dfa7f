//! One segment of a log: where its batches lie, when it is full, how it is read, cut and recovered.
//!
//! [`Segment`] is the active one: facts and indexes in memory, fed with every batch's header when
//! the batch is appended. It holds no file: bytes are read through [`ReadAt`], so that a segment
//! whose tail is not yet in its file reads like any other. [`Sealed`] is what remains in memory of
//! a segment that is no longer written: its facts; its indexes are files then.

use std::io;

use ottla_protocol::records::BatchHeader;

use crate::config::LogConfig;
use crate::error::Corruption;
use crate::index::{OffsetIndex, ReadAt, TimeIndex, TxnIndex};

pub mod names;
mod read;
mod recover;
mod walk;

pub use read::{BatchRun, TimestampOffset, find_batch, find_timestamp, read_batches};
pub use recover::{Recovered, recover, scan};
pub use walk::HeaderWalk;

/// The active segment of a log, or one that is being recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    base_offset: i64,
    /// The offset after the last batch; the base offset while empty.
    next_offset: i64,
    size: u64,
    created_ms: i64,
    /// Taken off `segment.ms`, so that many partitions do not roll at once.
    jitter_ms: i64,
    /// The first batch's largest timestamp, from which the age is counted; -1 while unknown.
    first_timestamp: i64,
    /// The largest timestamp and the last offset of the first batch that has it; -1 if none.
    max_timestamp: i64,
    offset_of_max_timestamp: i64,
    pub offset_index: OffsetIndex,
    pub time_index: TimeIndex,
    pub txn_index: TxnIndex,
}

/// What is kept in memory of a segment that is no longer written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    pub base_offset: i64,
    pub next_offset: i64,
    pub size: u64,
    /// -1 if no record has one.
    pub max_timestamp: i64,
    pub offset_of_max_timestamp: i64,
    /// When it was last written: its age where no record has a timestamp.
    pub modified_ms: i64,
    /// Whether it has a `.txnindex`.
    pub has_aborted: bool,
}

/// The bytes of a sealed segment's index files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFiles {
    pub offset: Vec<u8>,
    pub time: Vec<u8>,
    /// Empty when there is no file to write.
    pub txn: Vec<u8>,
}

/// What is about to be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incoming {
    pub size: u64,
    pub max_timestamp: i64,
    pub last_offset: i64,
}

/// Why a new segment is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollReason {
    /// `segment.bytes` would be exceeded.
    Size,
    /// `segment.ms` has passed.
    Time,
    /// `segment.index.bytes` is used up.
    IndexFull,
    /// An offset would not fit the index: more than 2^31 - 1 from the base.
    OffsetRange,
}

impl Segment {
    /// An empty segment.
    pub const fn new(base_offset: i64, created_ms: i64, jitter_ms: i64) -> Segment {
        Segment {
            base_offset,
            next_offset: base_offset,
            size: 0,
            created_ms,
            jitter_ms,
            first_timestamp: -1,
            max_timestamp: -1,
            offset_of_max_timestamp: -1,
            offset_index: OffsetIndex::new(base_offset),
            time_index: TimeIndex::new(base_offset),
            txn_index: TxnIndex::new(),
        }
    }

    /// A segment whose file was written before: its indexes as last saved, and whatever was
    /// appended since read from the file's end. Does not look at the rest of the file.
    ///
    /// # Errors
    /// The disk's; or, inside, what does not fit together: the segment is to be recovered then.
    pub fn open(
        empty: Segment,
        saved: &IndexFiles,
        source: &(impl ReadAt + ?Sized),
        config: &LogConfig,
    ) -> io::Result<Result<Segment, Corruption>> {
        let decoded = OffsetIndex::decode_checked(&saved.offset, empty.base_offset, source.size())
            .and_then(|offset| {
                let time = TimeIndex::decode_checked(&saved.time, empty.base_offset, i64::MAX)?;
                Ok((offset, time, TxnIndex::decode_checked(&saved.txn, empty.base_offset)?))
            });
        let (offset_index, time_index, txn_index) = match decoded {
            Ok(decoded) => decoded,
            Err(corruption) => return Ok(Err(corruption)),
        };
        let from = u64::from(offset_index.lookup(i64::MAX).position);
        let last = time_index.last();
        let mut segment = Segment {
            size: from,
            max_timestamp: last.timestamp,
            offset_of_max_timestamp: if last.timestamp < 0 { -1 } else { last.offset },
            offset_index,
            time_index,
            txn_index,
            ..empty
        };
        if let Some((_, first)) = HeaderWalk::new(source, 0).next_batch()? {
            segment.first_timestamp = first.max_timestamp;
        }
        let mut walk = HeaderWalk::new(source, from);
        while let Some((position, header)) = walk.next_batch()? {
            if header.base_offset < segment.next_offset {
                let what = format!("offset {} is repeated", header.base_offset);
                return Ok(Err(Corruption::new(position, what)));
            }
            // The batch at the last entry is in the indexes already.
            if position == from { segment.note(&header) } else { segment.append(&header, config) }
        }
        Ok(Ok(segment))
    }

    pub fn base_offset(&self) -> i64 {
        self.base_offset
    }
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }
    /// Bytes of all batches.
    pub fn size(&self) -> u64 {
        self.size
    }
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }
    pub fn created_ms(&self) -> i64 {
        self.created_ms
    }
    /// The largest timestamp, or -1.
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }
    /// The last offset of the first batch with the largest timestamp, or -1.
    pub fn offset_of_max_timestamp(&self) -> i64 {
        self.offset_of_max_timestamp
    }

    /// Takes in a batch (offsets assigned) whose bytes go to position [`Segment::size`].
    pub fn append(&mut self, batch: &BatchHeader, config: &LogConfig) {
        debug_assert!(batch.base_offset >= self.next_offset);
        let since_entry = self.size - u64::from(self.offset_index.lookup(i64::MAX).position);
        let position = self.size;
        self.note(batch);
        if since_entry > u64::from(config.index_interval_bytes) {
            self.offset_index.append(batch.last_offset(), position);
            self.time_index.append(self.max_timestamp, self.offset_of_max_timestamp);
        }
    }

    /// Whether `incoming` must go to a new segment, and why.
    pub fn roll_reason(
        &self,
        incoming: &Incoming,
        config: &LogConfig,
        now_ms: i64,
    ) -> Option<RollReason> {
        let relative_max = i64::from(i32::MAX);
        if self.size + incoming.size > u64::from(config.segment_bytes) && self.size > 0 {
            Some(RollReason::Size)
        } else if self.size > 0
            && self.waited_ms(incoming.max_timestamp, now_ms) > config.segment_ms - self.jitter_ms
        {
            Some(RollReason::Time)
        } else if self.size > 0
            && (self.offset_index.is_full(config.segment_index_bytes)
                || self.time_index.is_full(config.segment_index_bytes))
        {
            Some(RollReason::IndexFull)
        } else if incoming.last_offset - self.base_offset > relative_max {
            Some(RollReason::OffsetRange)
        } else {
            None
        }
    }

    /// Where to start looking for the batch that holds `offset`.
    pub fn start_position(&self, offset: i64) -> u64 {
        u64::from(self.offset_index.lookup(offset).position)
    }

    /// Cuts off every batch that holds an offset at or past `offset`, and all that was derived from
    /// them. The new size is where the file is to be cut.
    ///
    /// # Errors
    /// Those of reading; nothing has changed then.
    pub fn truncate(
        &mut self,
        offset: i64,
        source: &(impl ReadAt + ?Sized),
        config: &LogConfig,
        now_ms: i64,
    ) -> io::Result<u64> {
        let created_ms = if offset <= self.base_offset { now_ms } else { self.created_ms };
        let mut cut = Segment::new(self.base_offset, created_ms, self.jitter_ms);
        let mut walk = HeaderWalk::new(source, 0);
        while let Some((position, header)) = walk.next_batch()? {
            if position >= self.size || header.last_offset() >= offset {
                break;
            }
            cut.append(&header, config);
        }
        cut.txn_index = self.txn_index.clone();
        cut.txn_index.truncate(offset);
        *self = cut;
        Ok(self.size)
    }

    /// Ends it: the facts that stay in memory and the index files to write.
    pub fn seal(mut self, modified_ms: i64) -> (Sealed, IndexFiles) {
        if self.max_timestamp >= 0 {
            self.time_index.append(self.max_timestamp, self.offset_of_max_timestamp);
        }
        (self.facts(modified_ms), self.index_files())
    }

    /// Its facts as they stand.
    pub fn facts(&self, modified_ms: i64) -> Sealed {
        Sealed {
            base_offset: self.base_offset,
            next_offset: self.next_offset,
            size: self.size,
            max_timestamp: self.max_timestamp,
            offset_of_max_timestamp: self.offset_of_max_timestamp,
            modified_ms,
            has_aborted: !self.txn_index.is_empty(),
        }
    }

    /// Its indexes as they stand; [`Segment::open`] takes them back.
    pub fn index_files(&self) -> IndexFiles {
        IndexFiles {
            offset: self.offset_index.encode(),
            time: self.time_index.encode(),
            txn: self.txn_index.encode(),
        }
    }

    /// Counts a batch without an index entry.
    fn note(&mut self, batch: &BatchHeader) {
        if self.size == 0 {
            self.first_timestamp = batch.max_timestamp;
        }
        if batch.max_timestamp > self.max_timestamp {
            self.max_timestamp = batch.max_timestamp;
            self.offset_of_max_timestamp = batch.last_offset();
        }
        self.size += batch.size_in_bytes() as u64;
        self.next_offset = batch.next_offset();
    }

    /// How long records have been coming, by their own time if they have one.
    fn waited_ms(&self, incoming_timestamp: i64, now_ms: i64) -> i64 {
        if self.first_timestamp >= 0 {
            incoming_timestamp.saturating_sub(self.first_timestamp)
        } else {
            now_ms.saturating_sub(self.created_ms)
        }
    }
}

#[cfg(test)]
mod tests;
