//! Packs a batch anew in the compression that the topic asks for.

use bytes::Bytes;
use ottla_protocol::records::{
    BatchBuilder, BatchHeader, BatchOptions, Compression, TimestampType, records,
};

use super::{Rejection, Rules};
use crate::config::{CompressionTarget, TimestampKind};

/// Whether batches in `codec` may be stored as they are.
pub(super) fn matches(target: CompressionTarget, codec: Compression) -> bool {
    match target {
        CompressionTarget::Producer => true,
        other => compression(other).0 == codec,
    }
}

/// The same records, producer and sequence in the topic's compression.
///
/// # Errors
/// Records that cannot be read.
pub(super) fn rebuild(
    header: &BatchHeader,
    batch: &Bytes,
    rules: &Rules<'_>,
) -> Result<Bytes, Rejection> {
    let (compression, level) = compression(rules.config.compression);
    let stamps = rules.config.message_timestamp_type == TimestampKind::LogAppendTime;
    let timestamp_type =
        if stamps { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
    let mut builder = BatchBuilder::new(BatchOptions {
        compression,
        level,
        timestamp_type,
        log_append_time: rules.now_ms,
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        transactional: header.is_transactional(),
        control: header.is_control(),
        ..BatchOptions::default()
    });
    let unpacked_max = super::records::unpacked_max(rules.config);
    let iter =
        records(header, batch, unpacked_max).map_err(|error| Rejection::of_records(&error))?;
    for record in iter {
        let record = record.map_err(|error| Rejection::of_records(&error))?;
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|(key, value)| (&**key, value.as_deref())).collect();
        builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    Ok(builder.build())
}

/// The codec and its level; `Producer` never comes here with a batch to convert.
fn compression(target: CompressionTarget) -> (Compression, Option<i32>) {
    match target {
        CompressionTarget::Producer | CompressionTarget::Uncompressed => (Compression::None, None),
        CompressionTarget::Gzip(level) => (Compression::Gzip, (level != -1).then_some(level)),
        CompressionTarget::Snappy => (Compression::Snappy, None),
        CompressionTarget::Lz4(level) => (Compression::Lz4, Some(level)),
        CompressionTarget::Zstd(level) => (Compression::Zstd, Some(level)),
    }
}
