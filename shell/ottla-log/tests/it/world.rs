//! What the tests share: batches, names, small options. It asserts nothing.

use bytes::Bytes;
use ottla_log::{DataDirOptions, LogConfig, TopicPartition};
use ottla_protocol::records::{BatchBuilder, BatchOptions};
use ottla_protocol::{Str, Uuid};

/// A batch of records with these values.
pub(crate) fn batch(values: &[&[u8]], timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for value in values {
        builder.push(timestamp, None, Some(value), &[]);
    }
    builder.build()
}

pub(crate) fn id(topic: &str, incarnation: u8, partition: i32) -> TopicPartition {
    let mut topic_id = [incarnation; 16];
    topic_id[0] = topic.len() as u8;
    topic_id[1] = topic.bytes().next().unwrap_or(0);
    TopicPartition { topic: Str::copy_from(topic), topic_id: Uuid(topic_id), partition }
}

/// Files and buffers so small that a few appends fill them.
pub(crate) fn small(path: &std::path::Path) -> DataDirOptions {
    DataDirOptions {
        wal_file_bytes: 32 << 10,
        wal_cap_bytes: 256 << 10,
        group_bytes: 4 << 10,
        buffer_bytes: 8 << 10,
        buffer_budget_bytes: 64 << 10,
        flush_bytes: 8 << 10,
        flush_age_ms: 1000,
        checkpoint_bytes: 48 << 10,
        handles_max: 16,
        ..DataDirOptions::new(path)
    }
}

pub(crate) fn config() -> LogConfig {
    LogConfig { segment_bytes: 4 << 10, ..LogConfig::default() }
}
