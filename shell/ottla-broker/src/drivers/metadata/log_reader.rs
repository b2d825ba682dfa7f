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

#[cfg(test)]
mod tests {
    use ottla_metadata::RecordError;
    use ottla_protocol::messages::{LeaderChangeMessage, NoOpRecord};
    use ottla_protocol::records::control::{self, ControlRecord};
    use ottla_protocol::records::{BatchBuilder, BatchOptions, batches};

    use super::*;

    fn read_one(batch: Bytes) -> Result<Vec<(i64, MetadataRecord)>, MetadataError> {
        let (header, batch) = batches(&batch).next().unwrap().unwrap();
        records_of(&header, &batch)
    }

    fn batch_of(values: &[&[u8]]) -> Bytes {
        let options = BatchOptions { base_offset: 7, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        for value in values {
            builder.push(0, None, Some(value), &[]);
        }
        builder.build()
    }

    /// Goal: what this version does not know stops it; what is known before it does not count either.
    #[test]
    fn a_record_of_an_unknown_kind_is_never_passed_over() {
        let known = MetadataRecord::from(NoOpRecord::default());
        let value = known.encode().unwrap();
        assert_eq!(read_one(batch_of(&[&value])).unwrap(), [(7, known)]);
        let unknown = [1, 0xcf, 0x0f, 0];
        let error = read_one(batch_of(&[&value, &unknown])).unwrap_err();
        let MetadataError::Record { offset, error } = error else { panic!("{error}") };
        assert_eq!((offset, error), (8, RecordError::UnknownKey(1999)));
        assert!(matches!(read_one(batch_of(&[&[]])), Err(MetadataError::Record { .. })));
    }

    #[test]
    fn the_quorums_own_records_are_no_metadata() {
        let change = ControlRecord::LeaderChange(LeaderChangeMessage::default());
        let batch = control::batch(BatchOptions::default(), 0, &[change]).unwrap();
        assert_eq!(read_one(batch).unwrap(), []);
    }
}
