//! Keys of what a topic may set for itself.

use crate::check::{Check, at_least, between};
use crate::definition::Synonym;
use crate::keys::reason::{NO_SHARE, NO_TIERS};
use crate::replication::ThrottledReplicas;
use crate::value::{CleanupPolicy, CompressionType, TimestampType};

keys! {
    /// What a topic may set for itself.
    TopicConfig in Topic;
    fields {
        /// What happens to old segments: delete, compact, or both.
        cleanup_policy: CleanupPolicy = "delete", Check::ListOf(&["compact", "delete"]),
            "cleanup.policy", ClusterWide, Medium,
            from &[Synonym { name: "log.cleanup.policy", factor: 1 }];
        /// Level at which the log compresses with gzip.
        compression_gzip_level: i32 = "-1", Check::GzipLevel, "compression.gzip.level",
            ClusterWide, Medium, from &[Synonym { name: "compression.gzip.level", factor: 1 }];
        /// Level at which the log compresses with lz4.
        compression_lz4_level: i32 = "9", between(1, 17), "compression.lz4.level",
            ClusterWide, Medium, from &[Synonym { name: "compression.lz4.level", factor: 1 }];
        /// Codec of the log: producer keeps what the producer chose.
        compression_type: CompressionType = "producer",
            Check::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
            "compression.type", ClusterWide, Medium,
            from &[Synonym { name: "compression.type", factor: 1 }];
        /// Level at which the log compresses with zstd.
        compression_zstd_level: i32 = "3", between(-131_072, 22), "compression.zstd.level",
            ClusterWide, Medium, from &[Synonym { name: "compression.zstd.level", factor: 1 }];
        /// How long a tombstone stays in a compacted topic.
        delete_retention_ms: i64 = "86400000", at_least(0), "delete.retention.ms",
            ClusterWide, Medium,
            from &[Synonym { name: "log.cleaner.delete.retention.ms", factor: 1 }];
        /// How long a deleted segment's file stays on the disk.
        file_delete_delay_ms: i64 = "60000", at_least(0), "file.delete.delay.ms",
            ClusterWide, Medium, from &[Synonym { name: "log.segment.delete.delay.ms", factor: 1 }];
        /// Records after which a partition is forced to disk.
        flush_messages: i64 = "9223372036854775807", at_least(1), "flush.messages",
            ClusterWide, Medium, from &[Synonym { name: "log.flush.interval.messages", factor: 1 }];
        /// Time after which a partition is forced to disk.
        flush_ms: i64 = "9223372036854775807", at_least(0), "flush.ms", ClusterWide, Medium,
            from &[Synonym { name: "log.flush.interval.ms", factor: 1 }, Synonym { name: "log.flush.scheduler.interval.ms", factor: 1 }];
        /// Bytes of records between two entries of the offset index.
        index_interval_bytes: i32 = "4096", at_least(0), "index.interval.bytes",
            ClusterWide, Medium, from &[Synonym { name: "log.index.interval.bytes", factor: 1 }];
        /// Segment size in tests, without the lower limit of segment.bytes.
        internal_segment_bytes: Option<i32> = null, Check::Any, "internal.segment.bytes",
            ClusterWide, Medium internal;
        /// Age at which a record must have been seen by compaction.
        max_compaction_lag_ms: i64 = "9223372036854775807", at_least(1),
            "max.compaction.lag.ms", ClusterWide, Medium,
            from &[Synonym { name: "log.cleaner.max.compaction.lag.ms", factor: 1 }];
        /// Largest record batch, after decompression.
        max_decompressed_message_bytes: i32 = "2147483639", between(1, 2_147_483_639),
            "max.decompressed.message.bytes", ClusterWide, Medium,
            from &[Synonym { name: "max.decompressed.message.bytes", factor: 1 }];
        /// Largest record batch, after compression.
        max_message_bytes: i32 = "1048588", at_least(0), "max.message.bytes",
            ClusterWide, Medium, from &[Synonym { name: "message.max.bytes", factor: 1 }];
        /// How far a record's time may lie in the future.
        message_timestamp_after_max_ms: i64 = "3600000", at_least(0),
            "message.timestamp.after.max.ms", ClusterWide, Medium,
            from &[Synonym { name: "log.message.timestamp.after.max.ms", factor: 1 }];
        /// How far a record's time may lie in the past.
        message_timestamp_before_max_ms: i64 = "9223372036854775807", at_least(0),
            "message.timestamp.before.max.ms", ClusterWide, Medium,
            from &[Synonym { name: "log.message.timestamp.before.max.ms", factor: 1 }];
        /// Whether a record's time is the producer's or the log's.
        message_timestamp_type: TimestampType = "CreateTime",
            Check::OneOf(&["CreateTime", "LogAppendTime"]), "message.timestamp.type",
            ClusterWide, Medium, from &[Synonym { name: "log.message.timestamp.type", factor: 1 }];
        /// Share of the log that must be uncleaned before compaction starts.
        min_cleanable_dirty_ratio: f64 = "0.5", Check::DoubleBetween(0.0, 1.0),
            "min.cleanable.dirty.ratio", ClusterWide, Medium,
            from &[Synonym { name: "log.cleaner.min.cleanable.ratio", factor: 1 }];
        /// Age a record must reach before compaction may touch it.
        min_compaction_lag_ms: i64 = "0", at_least(0), "min.compaction.lag.ms",
            ClusterWide, Medium,
            from &[Synonym { name: "log.cleaner.min.compaction.lag.ms", factor: 1 }];
        /// Replicas that must have a record before acks=all is answered.
        min_insync_replicas: i32 = "1", at_least(1), "min.insync.replicas", ClusterWide, Medium,
            from &[Synonym { name: "min.insync.replicas", factor: 1 }];
        /// Whether a new segment's file is allocated in full at once.
        preallocate: bool = "false", Check::Any, "preallocate", ClusterWide, Medium,
            from &[Synonym { name: "log.preallocate", factor: 1 }];
        /// Size a partition may reach before its oldest segments are deleted; -1 is no limit.
        retention_bytes: i64 = "-1", Check::Any, "retention.bytes", ClusterWide, Medium,
            from &[Synonym { name: "log.retention.bytes", factor: 1 }];
        /// How long records are kept; -1 is for ever.
        retention_ms: i64 = "604800000", at_least(-1), "retention.ms", ClusterWide, Medium,
            from &[Synonym { name: "log.retention.ms", factor: 1 }, Synonym { name: "log.retention.minutes", factor: 60_000 }, Synonym { name: "log.retention.hours", factor: 3_600_000 }];
        /// Size a segment may reach before a new one is rolled.
        segment_bytes: i32 = "1073741824", at_least(1_048_576), "segment.bytes",
            ClusterWide, Medium, from &[Synonym { name: "log.segment.bytes", factor: 1 }];
        /// Largest size of an index file.
        segment_index_bytes: i32 = "10485760", at_least(4), "segment.index.bytes",
            ClusterWide, Medium, from &[Synonym { name: "log.index.size.max.bytes", factor: 1 }];
        /// Most jitter taken off the age at which a segment is rolled.
        segment_jitter_ms: i64 = "0", at_least(0), "segment.jitter.ms", ClusterWide, Medium,
            from &[Synonym { name: "log.roll.jitter.ms", factor: 1 }, Synonym { name: "log.roll.jitter.hours", factor: 3_600_000 }];
        /// Age a segment may reach before a new one is rolled.
        segment_ms: i64 = "604800000", at_least(1), "segment.ms", ClusterWide, Medium,
            from &[Synonym { name: "log.roll.ms", factor: 1 }, Synonym { name: "log.roll.hours", factor: 3_600_000 }];
        /// Replicas whose fetching is throttled, as partition:broker, or * for all.
        follower_replication_throttled_replicas: ThrottledReplicas = "", Check::ThrottledReplicas,
            "follower.replication.throttled.replicas", ClusterWide, Medium;
        /// Replicas that are served under a throttle, as partition:broker, or * for all.
        leader_replication_throttled_replicas: ThrottledReplicas = "", Check::ThrottledReplicas,
            "leader.replication.throttled.replicas", ClusterWide, Medium;
        /// Whether a replica that lags may become leader when no other is left.
        unclean_leader_election_enable: bool = "false", Check::Any,
            "unclean.leader.election.enable", ClusterWide, Medium,
            from &[Synonym { name: "unclean.leader.election.enable", factor: 1 }];
    }
    shared {
    }
    accepted {
        /// Whether share groups may use this topic for records they gave up.
        Boolean "errors.deadletterqueue.group.enable" = "false", Check::Any,
            ClusterWide, Medium => NO_SHARE;
        /// Size of a partition's local log once its segments are in remote storage.
        Long "local.retention.bytes" = "-2", at_least(-2), ClusterWide, Medium,
            from &[Synonym { name: "log.local.retention.bytes", factor: 1 }] => NO_TIERS;
        /// Age of a partition's local segments once they are in remote storage.
        Long "local.retention.ms" = "-2", at_least(-2), ClusterWide, Medium,
            from &[Synonym { name: "log.local.retention.ms", factor: 1 }] => NO_TIERS;
        /// Bytes a segment must lie behind before it is copied to remote storage.
        Long "remote.copy.lag.bytes" = "-1", at_least(-1), ClusterWide, Medium,
            from &[Synonym { name: "log.remote.copy.lag.bytes", factor: 1 }] => NO_TIERS;
        /// Age a segment must reach before it is copied to remote storage.
        Long "remote.copy.lag.ms" = "0", at_least(-1), ClusterWide, Medium,
            from &[Synonym { name: "log.remote.copy.lag.ms", factor: 1 }] => NO_TIERS;
        /// Whether copying to remote storage is stopped.
        Boolean "remote.log.copy.disable" = "false", Check::Any, ClusterWide, Medium => NO_TIERS;
        /// Whether remote segments are deleted when remote storage is turned off.
        Boolean "remote.log.delete.on.disable" = "false", Check::Any,
            ClusterWide, Medium => NO_TIERS;
        /// Whether segments move to remote storage.
        Boolean "remote.storage.enable" = "false", Check::Any, ClusterWide, Medium => NO_TIERS;
    }
}
