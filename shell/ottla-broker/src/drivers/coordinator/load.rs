//! Reads a shard from its partition's log, from the first record to the last. Never passes over one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use ottla_coordinator::{CoordinatorRecord, GroupSettings, RecordError, Shard};
use ottla_env::Env;
use ottla_plant::{Plant, planted};
use ottla_protocol::records::control::ControlRecord;
use ottla_protocol::records::{self, BatchError, BatchHeader};

use super::room::{Led, Room};
use crate::log::{self, ReadError, ReadOptions, ReadOutcome, Slices};

/// Bytes read at a time; a batch that is larger is read alone.
const CHUNK_BYTES: usize = 4 << 20;
/// What one batch may unpack to.
const BATCH_OUTPUT_MAX: usize = 256 << 20;
/// A batch outside any transaction.
const NO_PRODUCER_ID: i64 = -1;

/// Why a shard cannot be served.
#[derive(Debug)]
pub(super) enum LoadError {
    Read(ReadError),
    Batch {
        offset: i64,
        error: BatchError,
    },
    Record {
        offset: i64,
        error: RecordError,
    },
    /// A log that ends before its own end.
    Cut {
        offset: i64,
        log_end: i64,
    },
    /// The node stops.
    Stopped,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Read(error) => error.fmt(f),
            LoadError::Batch { offset, error } => {
                write!(f, "the batch at offset {offset}: {error}")
            }
            LoadError::Record { offset, error } => {
                write!(f, "the record at offset {offset}: {error}")
            }
            LoadError::Cut { offset, log_end } => {
                write!(
                    f,
                    "nothing can be read at offset {offset}, though the log ends at {log_end}"
                )
            }
            LoadError::Stopped => f.write_str("the node stops"),
        }
    }
}

impl std::error::Error for LoadError {}

/// The shard as its log says, up to the end it has when this node has become its leader: what is not
/// committed of that will be, for a leader never cuts its own log. Ready to serve.
pub(super) async fn load<E: Env>(
    env: &E,
    led: Led<E>,
    settings: GroupSettings,
) -> Result<Room<E>, LoadError> {
    let mut shard = Shard::new(settings);
    let log = &led.partition.log;
    let offsets = log.offsets();
    let mut next = offsets.log_start;
    while next < offsets.log_end {
        let options =
            ReadOptions { max_bytes: CHUNK_BYTES, min_one_batch: true, upper: offsets.log_end };
        let slices = read(env, log, next, options).await?;
        let next_offset = slices.next_offset;
        if next_offset <= next {
            return Err(LoadError::Cut { offset: next, log_end: offsets.log_end });
        }
        for chunk in whole_batches(slices) {
            replay(&mut shard, &chunk, next..offsets.log_end)?;
        }
        next = next_offset;
    }
    Ok(Room::new(env, led, shard, offsets.log_end))
}

async fn read<E: Env>(
    env: &E,
    log: &Arc<log::Partition<E>>,
    from: i64,
    options: ReadOptions,
) -> Result<Slices, LoadError> {
    match log.read(from, &options).map_err(LoadError::Read)? {
        ReadOutcome::Hot(slices) => Ok(slices),
        ReadOutcome::Cold(cold) => env
            .run_blocking(move || cold.run())
            .await
            .map_err(|_| LoadError::Stopped)?
            .map_err(LoadError::Read),
    }
}

/// A batch may lie across two chunks, then they are joined.
fn whole_batches(slices: Slices) -> Vec<Bytes> {
    let whole = |chunk: &Bytes| records::batches(chunk).all(|batch| batch.is_ok());
    if slices.chunks.iter().all(whole) {
        return slices.chunks.into_vec();
    }
    vec![slices.into_bytes()]
}

fn replay(shard: &mut Shard, chunk: &Bytes, wanted: Range<i64>) -> Result<(), LoadError> {
    for batch in records::batches(chunk) {
        let (header, batch) =
            batch.map_err(|error| LoadError::Batch { offset: wanted.start, error })?;
        replay_batch(shard, &header, &batch, &wanted)?;
    }
    Ok(())
}

fn replay_batch(
    shard: &mut Shard,
    header: &BatchHeader,
    batch: &Bytes,
    wanted: &Range<i64>,
) -> Result<(), LoadError> {
    let broken = |error| LoadError::Batch { offset: header.base_offset, error };
    let transactional = header.is_transactional() && header.has_producer_id();
    let producer_id = if transactional { header.producer_id } else { NO_PRODUCER_ID };
    for record in records::records(header, batch, BATCH_OUTPUT_MAX).map_err(broken)? {
        let record = record.map_err(broken)?;
        let last = record.offset + 1 == wanted.end;
        if record.offset < wanted.start || (last && planted(Plant::GroupReplayDropsLast)) {
            continue;
        }
        if header.is_control() {
            match ControlRecord::parse(&record).map_err(broken)? {
                ControlRecord::Commit(_) => shard.replay_end_transaction(producer_id, true),
                ControlRecord::Abort(_) => shard.replay_end_transaction(producer_id, false),
                _ => {}
            }
            continue;
        }
        let offset = record.offset;
        let key = record.key.unwrap_or_default();
        let record = CoordinatorRecord { key, value: record.value };
        shard
            .replay(offset, producer_id, &record)
            .map_err(|error| LoadError::Record { offset, error })?;
    }
    Ok(())
}
