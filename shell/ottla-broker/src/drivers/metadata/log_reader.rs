//! Reads `__cluster_metadata-0` batch by batch. Never skips a record it does not understand.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_metadata::MetadataRecord;
use ottla_protocol::records::{BatchHeader, records};

use super::MetadataError;
use crate::log::{Partition, ReadOptions, ReadOutcome};

/// Bytes asked for at once while the log is read.
const READ_BYTES: usize = 1 << 20;
/// What one batch of the log may decompress to; Kafka's largest batch of metadata is 8 MiB.
const BATCH_BYTES_MAX: usize = 64 << 20;

/// Whole batches from an offset on, none that begins at `upper` or behind it.
pub(super) async fn read<E: Env>(
    env: &E,
    partition: &Arc<Partition<E>>,
    from: i64,
    upper: i64,
) -> Result<Bytes, MetadataError> {
    let options = ReadOptions { max_bytes: READ_BYTES, min_one_batch: true, upper };
    let slices = match partition.read(from, &options)? {
        ReadOutcome::Hot(slices) => slices,
        ReadOutcome::Cold(cold) => {
            let read = env.run_blocking(move || cold.run()).await;
            read.map_err(|_| MetadataError::Stopped)??
        }
    };
    Ok(slices.into_bytes())
}

/// The records of one batch with their offsets. The quorum's own ones, changes of its leader and of
/// its voters, are no metadata: such a batch has none.
pub(super) fn records_of(
    header: &BatchHeader,
    batch: &Bytes,
) -> Result<Vec<(i64, MetadataRecord)>, MetadataError> {
    if header.is_control() {
        return Ok(Vec::new());
    }
    let offset = header.base_offset;
    let damaged = |error| MetadataError::Batch { offset, error };
    let decoded = records(header, batch, BATCH_BYTES_MAX).map_err(damaged)?.map(|record| {
        let record = record.map_err(damaged)?;
        let offset = record.offset;
        let value = record.value.unwrap_or_default();
        let record = MetadataRecord::decode(value)
            .map_err(|error| MetadataError::Record { offset, error })?;
        Ok((offset, record))
    });
    decoded.collect()
}
