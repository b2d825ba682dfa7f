//! What callers say to the log and hear from it: plain values, no behaviour but their relations.

use std::path::PathBuf;

use bytes::Bytes;
use ottla_protocol::{Str, Uuid};
use smallvec::SmallVec;

use crate::validate::Origin;

/// A partition's name in a data directory. The id, not the name, is its identity: a topic that is
/// deleted and made again bears another id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: Str,
    pub topic_id: Uuid,
    pub partition: i32,
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// What an acknowledgement waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlushMode {
    /// Stable storage, by group commit.
    #[default]
    Wal,
    /// The page cache: survives a killed process, not a power cut.
    None,
}

/// How a data directory is opened. Sizes are bytes.
///
/// `group_bytes <= buffer_bytes`, `4 * buffer_bytes <= buffer_budget_bytes`,
/// `4 * wal_file_bytes <= wal_cap_bytes`; [`DataDirOptions::checked`] sees to it.
#[derive(Debug, Clone)]
pub struct DataDirOptions {
    pub path: PathBuf,
    /// Its place among the node's directories.
    pub place: u8,
    pub flush: FlushMode,
    /// This node's id, for `meta.properties`; an existing file must say the same.
    pub node_id: i32,
    /// The cluster's id; `None` takes the file's, or makes one up in a new directory.
    pub cluster_id: Option<String>,
    /// One preallocated write-ahead file.
    pub wal_file_bytes: u64,
    /// All write-ahead files together; appends are refused as busy before it is passed.
    pub wal_cap_bytes: u64,
    /// One write of the write-ahead log, unless a single append is larger.
    pub group_bytes: usize,
    /// One staging buffer.
    pub buffer_bytes: usize,
    /// All staging buffers, which are the tail cache too.
    pub buffer_budget_bytes: usize,
    /// Unflushed bytes that start a flush to segments.
    pub flush_bytes: u64,
    /// The age of unflushed bytes that starts one.
    pub flush_age_ms: u64,
    /// Write-ahead bytes after which a checkpoint is due.
    pub checkpoint_bytes: u64,
    /// Open files kept at hand.
    pub handles_max: usize,
    /// How often retention looks for what is due.
    pub retention_check_ms: u64,
    /// A producer id is forgotten after this long without a write.
    pub producer_id_expiration_ms: i64,
}

impl DataDirOptions {
    /// The defaults for a directory.
    pub fn new(path: impl Into<PathBuf>) -> DataDirOptions {
        DataDirOptions {
            path: path.into(),
            place: 0,
            flush: FlushMode::Wal,
            node_id: 1,
            cluster_id: None,
            wal_file_bytes: 64 << 20,
            wal_cap_bytes: 1 << 30,
            group_bytes: 1 << 20,
            buffer_bytes: 4 << 20,
            buffer_budget_bytes: 48 << 20,
            flush_bytes: 32 << 20,
            flush_age_ms: 10_000,
            checkpoint_bytes: 256 << 20,
            handles_max: 4096,
            retention_check_ms: 300_000,
            producer_id_expiration_ms: 86_400_000,
        }
    }

    /// One directory's share of memory and files, where a node has `count` of them.
    #[must_use]
    pub fn share(mut self, count: usize) -> DataDirOptions {
        self.buffer_budget_bytes /= count;
        self.buffer_bytes = self.buffer_bytes.min(self.buffer_budget_bytes / 4);
        self.group_bytes = self.group_bytes.min(self.buffer_bytes);
        self.handles_max /= count;
        self.checked()
    }

    /// The same with every relation between the sizes made to hold.
    #[must_use]
    pub fn checked(mut self) -> DataDirOptions {
        self.group_bytes = self.group_bytes.clamp(1 << 12, 16 << 20);
        self.buffer_bytes = self.buffer_bytes.max(self.group_bytes);
        self.buffer_budget_bytes = self.buffer_budget_bytes.max(4 * self.buffer_bytes);
        self.wal_file_bytes = self.wal_file_bytes.max(1 << 14).next_multiple_of(1 << 12);
        self.wal_cap_bytes = self.wal_cap_bytes.max(4 * self.wal_file_bytes);
        self.checkpoint_bytes = self.checkpoint_bytes.min(self.wal_cap_bytes / 3);
        self.flush_bytes = self.flush_bytes.min(self.buffer_budget_bytes as u64 / 3);
        self.handles_max = self.handles_max.max(8);
        self
    }
}

/// Where a log stands: `log_start <= last_stable <= high_watermark <= log_end`, save that the last
/// stable offset of an old open transaction may lie below a log start moved by DeleteRecords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offsets {
    pub log_start: i64,
    /// The first offset a read-committed consumer may not see.
    pub last_stable: i64,
    /// The first offset no consumer may see.
    pub high_watermark: i64,
    /// Everything below is on stable storage; up to `log_end` it is under way.
    pub durable_end: i64,
    /// The offset of the next record.
    pub log_end: i64,
}

/// How to append.
#[derive(Debug, Clone, Copy)]
pub struct AppendOptions {
    pub leader_epoch: i32,
    pub origin: Origin,
    /// The wall clock.
    pub now_ms: i64,
    /// Leave the write to a later `commit`, so that a request with many partitions, or several
    /// requests, cost one.
    pub defer_write: bool,
}

impl AppendOptions {
    /// A client's append in an epoch.
    pub fn client(leader_epoch: i32, now_ms: i64) -> AppendOptions {
        AppendOptions { leader_epoch, origin: Origin::Client, now_ms, defer_write: false }
    }
    /// A coordinator's append in an epoch.
    pub fn coordinator(leader_epoch: i32, now_ms: i64) -> AppendOptions {
        AppendOptions { origin: Origin::Coordinator, ..AppendOptions::client(leader_epoch, now_ms) }
    }
}

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: i64,
    pub last_offset: i64,
    /// -1 unless the topic stamps records with the broker's clock.
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    /// Durable once `wait_durable(lsn)` returns; of a duplicate, the position it must wait for.
    pub lsn: u64,
    /// The place of the partition's directory among the node's.
    pub place: u8,
    /// The batch had been appended before; the offsets are those it got then.
    pub duplicate: bool,
}

/// What DeleteRecords did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedRecords {
    pub log_start: i64,
    /// Durable once `wait_durable(lsn)` returns.
    pub lsn: u64,
}

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions {
    pub max_bytes: usize,
    /// Return the first batch even if it is larger than `max_bytes`.
    pub min_one_batch: bool,
    /// The first offset not to return: high watermark, last stable offset or log end.
    pub upper: i64,
}

/// Whole batches, in offset order. The first may begin before the offset asked for.
#[derive(Debug, Clone, Default)]
pub struct Slices {
    pub chunks: SmallVec<[Bytes; 4]>,
    pub bytes: usize,
    /// The offset after the last batch, or the offset asked for if there is none.
    pub next_offset: i64,
}

impl Slices {
    /// Nothing, at an offset.
    pub fn empty(next_offset: i64) -> Slices {
        Slices { chunks: SmallVec::new(), bytes: 0, next_offset }
    }
    /// All in one; copies unless there is a single chunk.
    pub fn into_bytes(self) -> Bytes {
        if self.chunks.len() == 1 {
            return self.chunks[0].clone();
        }
        let mut whole = Vec::with_capacity(self.bytes);
        self.chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
        Bytes::from(whole)
    }
}

/// A record's place in time: the answer of ListOffsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampedOffset {
    pub offset: i64,
    pub timestamp: i64,
    /// -1 if unknown.
    pub leader_epoch: i32,
}
