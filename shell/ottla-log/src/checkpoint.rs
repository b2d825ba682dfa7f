//! The checkpoint: the exact state of every partition at a position of the write-ahead log, in one
//! file that is replaced whole. Checkpoint and replay from its position give the exact state again.
//!
//! This module knows the bytes and the file; what the state means is the partition's matter. Every
//! length is checked against what is there before anything is allocated.

mod decode;
mod encode;

use std::path::Path;

use ottla_env::Disk;
use ottla_protocol::Uuid;

use crate::epochs::EpochEntry;
use crate::index::AbortedTransaction;
use crate::options::TopicPartition;
use crate::producers::Producers;

pub(crate) use decode::decode_name;
pub(crate) use encode::{Builder, encode_name};

/// The file's name in the data directory.
pub(crate) const FILE_NAME: &str = "ottla.checkpoint";
const MAGIC: u32 = 0x4f43_4b50;
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 80;
/// Largest checkpoint that is read.
const BYTES_MAX: u64 = 4 << 30;

/// The header's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CheckpointHeader {
    pub(crate) directory: Uuid,
    /// The session whose groups follow.
    pub(crate) epoch: u64,
    /// Entries below are covered, whatever their partition.
    pub(crate) wal_start_lsn: u64,
    /// The number of the next new partition.
    pub(crate) next_number: u64,
    /// Written when the directory was closed: no group of its epoch follows.
    pub(crate) clean: bool,
}

/// A segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentRecord {
    pub(crate) base_offset: i64,
    pub(crate) size: u64,
    /// -1 without timestamps.
    pub(crate) max_timestamp: i64,
    pub(crate) max_timestamp_offset: i64,
    /// Of the first batch, or -1.
    pub(crate) first_timestamp: i64,
    pub(crate) created_ms: i64,
    /// When it was last written, which stands for its age where no record has a timestamp.
    pub(crate) modified_ms: i64,
}

impl SegmentRecord {
    /// A segment without bytes.
    pub(crate) fn empty(base_offset: i64, now_ms: i64) -> SegmentRecord {
        SegmentRecord {
            base_offset,
            size: 0,
            max_timestamp: -1,
            max_timestamp_offset: -1,
            first_timestamp: -1,
            created_ms: now_ms,
            modified_ms: now_ms,
        }
    }

    /// Counts a batch that goes to its end.
    pub(crate) fn note(&mut self, last_offset: i64, max_timestamp: i64, bytes: usize) {
        if self.size == 0 {
            self.first_timestamp = max_timestamp;
        }
        if max_timestamp > self.max_timestamp {
            (self.max_timestamp, self.max_timestamp_offset) = (max_timestamp, last_offset);
        }
        self.size += bytes as u64;
    }
}

/// What a log is to the replica of its partition, which may be moved to another directory (KIP-113).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Copying {
    /// It is on its way to be the replica, and another one is.
    pub(crate) is_copy: bool,
    /// How often the replica was moved when this log became it, counted round: of two that a crash left,
    /// the one after the other is the replica.
    pub(crate) moves: u8,
}

/// How far moves are counted before they begin anew: neighbours are all that is ever compared.
const MOVES_COUNTED: u8 = 16;

impl Copying {
    /// The copy that is to follow this log.
    pub(crate) fn next(self) -> Copying {
        Copying { is_copy: true, moves: (self.moves + 1) % MOVES_COUNTED }
    }

    /// Whether this log was made the replica in place of the other one.
    pub(crate) fn follows(self, other: Copying) -> bool {
        !self.is_copy && !other.is_copy && self.moves == other.next().moves
    }

    fn to_bits(self) -> u8 {
        self.moves << 1 | u8::from(self.is_copy)
    }

    fn from_bits(bits: u8) -> Copying {
        Copying { is_copy: bits & 1 != 0, moves: (bits >> 1) % MOVES_COUNTED }
    }

    /// As an entry of the write-ahead log says it: `offset` and `extra`.
    pub(crate) fn to_entry(self) -> (i64, i64) {
        (self.moves.into(), self.is_copy.into())
    }

    pub(crate) fn from_entry(offset: i64, extra: i64) -> Copying {
        let moves = u8::try_from(offset.rem_euclid(MOVES_COUNTED.into())).unwrap_or(0);
        Copying { is_copy: extra == 1, moves }
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionRecord {
    pub(crate) number: u64,
    pub(crate) id: TopicPartition,
    /// Entries of this partition below are covered, even above `wal_start_lsn`.
    pub(crate) applied_lsn: u64,
    pub(crate) log_start: i64,
    pub(crate) high_watermark: i64,
    pub(crate) log_end: i64,
    /// What the topic's segments were last rolled at: replay has no configuration.
    pub(crate) segment_bytes: u32,
    /// Its folder has been made.
    pub(crate) has_folder: bool,
    /// The index files of the last segment are as its log is.
    pub(crate) index_saved: bool,
    /// Followers move its high watermark.
    pub(crate) replicated: bool,
    pub(crate) copying: Copying,
    pub(crate) segments: Vec<SegmentRecord>,
    pub(crate) epochs: Vec<EpochEntry>,
    pub(crate) producers: Producers,
    pub(crate) aborted: Vec<AbortedTransaction>,
}

/// A whole checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) header: CheckpointHeader,
    pub(crate) partitions: Vec<PartitionRecord>,
}

/// Why there is no usable checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckpointError {
    /// A later release wrote it.
    Version(u16),
    /// It is damaged.
    Corrupt(String),
    Io(String),
}

impl Checkpoint {
    /// Reads a file's bytes.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
        decode::checkpoint(bytes)
    }

    /// Reads the directory's checkpoint; `None` if there is none.
    pub(crate) fn read<D: Disk>(
        disk: &D,
        folder: &Path,
    ) -> Result<Option<Checkpoint>, CheckpointError> {
        match disk.read_file(&folder.join(FILE_NAME), BYTES_MAX) {
            Ok(bytes) => Checkpoint::decode(&bytes).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CheckpointError::Io(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests;
