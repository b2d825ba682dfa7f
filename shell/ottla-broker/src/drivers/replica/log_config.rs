//! A topic's settings as its logs take them.

use ottla_config::{CompressionType, TimestampType, TopicConfig};

use ottla_log::config::{CleanupPolicy, CompressionTarget, LogConfig, TimestampKind};

pub(super) fn log_config(topic: &TopicConfig) -> LogConfig {
    // Sizes were checked to be positive when they were set.
    let size = |bytes: i32| u32::try_from(bytes).unwrap_or(0);
    LogConfig {
        segment_bytes: size(topic.segment_bytes),
        segment_ms: topic.segment_ms,
        segment_jitter_ms: topic.segment_jitter_ms,
        segment_index_bytes: size(topic.segment_index_bytes),
        index_interval_bytes: size(topic.index_interval_bytes),
        retention_ms: topic.retention_ms,
        retention_bytes: topic.retention_bytes,
        cleanup_policy: CleanupPolicy {
            delete: topic.cleanup_policy.delete,
            compact: topic.cleanup_policy.compact,
        },
        min_insync_replicas: topic.min_insync_replicas,
        max_message_bytes: size(topic.max_message_bytes),
        max_decompressed_message_bytes: size(topic.max_decompressed_message_bytes),
        message_timestamp_type: match topic.message_timestamp_type {
            TimestampType::CreateTime => TimestampKind::CreateTime,
            TimestampType::LogAppendTime => TimestampKind::LogAppendTime,
        },
        message_timestamp_before_max_ms: topic.message_timestamp_before_max_ms,
        message_timestamp_after_max_ms: topic.message_timestamp_after_max_ms,
        compression: match topic.compression_type {
            CompressionType::Producer => CompressionTarget::Producer,
            CompressionType::Uncompressed => CompressionTarget::Uncompressed,
            CompressionType::Gzip => CompressionTarget::Gzip(topic.compression_gzip_level),
            CompressionType::Snappy => CompressionTarget::Snappy,
            CompressionType::Lz4 => CompressionTarget::Lz4(topic.compression_lz4_level),
            CompressionType::Zstd => CompressionTarget::Zstd(topic.compression_zstd_level),
        },
        file_delete_delay_ms: topic.file_delete_delay_ms,
        flush_messages: topic.flush_messages,
        flush_ms: topic.flush_ms,
        delete_retention_ms: topic.delete_retention_ms,
        min_compaction_lag_ms: topic.min_compaction_lag_ms,
        max_compaction_lag_ms: topic.max_compaction_lag_ms,
        min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
        preallocate: topic.preallocate,
    }
}
