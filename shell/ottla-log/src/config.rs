//! The topic-level settings that a partition's log obeys, with Kafka's defaults.
//!
//! Plain values: where they come from (broker defaults, topic overrides) is `ottla-config`'s matter,
//! and whether they make sense together is checked there. Nothing here reads a file or a clock.

/// Whose clock stamps the records of a topic: `message.timestamp.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampKind {
    /// The producer's, per record.
    #[default]
    CreateTime,
    /// The broker's, one per batch.
    LogAppendTime,
}

/// How batches are stored: `compression.type` with the level of its codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CompressionTarget {
    /// As the producer sent them.
    #[default]
    Producer,
    /// Without compression.
    Uncompressed,
    /// gzip at a level of 1 to 9, or -1 for the library's own default.
    Gzip(i32),
    /// Snappy, which has no levels.
    Snappy,
    /// lz4 at a level of 1 to 17.
    Lz4(i32),
    /// zstd at a level of -131072 to 22.
    Zstd(i32),
}

/// `cleanup.policy`; both may be set, and neither means unlimited growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Old segments are deleted by time and size.
    pub delete: bool,
    /// The last value of each key is kept.
    pub compact: bool,
}

/// The settings of one partition's log. Names are Kafka's with `.` as `_`.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    pub segment_bytes: u32,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub segment_index_bytes: u32,
    pub index_interval_bytes: u32,
    /// -1 keeps for ever.
    pub retention_ms: i64,
    /// -1 keeps any size.
    pub retention_bytes: i64,
    pub cleanup_policy: CleanupPolicy,
    /// How many replicas must have a record before acks=all is answered; the broker asks, not the log.
    pub min_insync_replicas: i32,
    pub max_message_bytes: u32,
    /// What one batch may decompress to.
    pub max_decompressed_message_bytes: u32,
    pub message_timestamp_type: TimestampKind,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_after_max_ms: i64,
    pub compression: CompressionTarget,
    pub file_delete_delay_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub delete_retention_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub min_cleanable_dirty_ratio: f64,
    pub preallocate: bool,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: 7 * DAY_MS,
            retention_bytes: -1,
            cleanup_policy: CleanupPolicy { delete: true, compact: false },
            min_insync_replicas: 1,
            max_message_bytes: (1 << 20) + 12,
            max_decompressed_message_bytes: 2_147_483_639,
            message_timestamp_type: TimestampKind::CreateTime,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_after_max_ms: 3_600_000,
            compression: CompressionTarget::Producer,
            file_delete_delay_ms: 60_000,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            delete_retention_ms: DAY_MS,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
            preallocate: false,
        }
    }
}

const DAY_MS: i64 = 86_400_000;
