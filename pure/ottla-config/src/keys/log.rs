//! Keys of where the log lives and how it grows, ages and is cleaned.

use crate::check::{Check, at_least};
use crate::keys::reason::{
    CHECKPOINT, DIR_FAILURE, DUE_TIMES, NO_COMPACTION, NO_CORDONS, NO_TIERS, ONE_MOVER, RECOVERY,
};
use crate::keys::synonym::{FLUSH_INTERVAL, RETENTION, ROLL, ROLL_JITTER};

keys! {
    /// Where the log lives and how it grows, ages and is cleaned.
    LogConfig in Broker;
    fields {
        /// The folders that hold the log, each best on a disk of its own: one that fails takes only its
        /// partitions with it. The first holds the metadata log too.
        dirs: Vec<String> = "./ottla-data", Check::Any, "log.dirs", ReadOnly, High;
        /// The folder that holds the log, read when log.dirs is not set.
        dir: Vec<String> = "/tmp/kafka-logs", Check::Any, "log.dir", ReadOnly, High;
        /// The folder that holds the metadata log, if that is not to be the first of log.dirs. The node
        /// cannot be without it.
        metadata_dir: Option<String> = null, Check::Any, "metadata.log.dir", ReadOnly, High;
        /// How often the log looks for segments that retention allows to delete.
        retention_check_interval_ms: i64 = "300000", at_least(1),
            "log.retention.check.interval.ms", ReadOnly, Medium;
        /// How long the state of an idle producer is kept.
        producer_id_expiration_ms: i32 = "86400000", at_least(1), "producer.id.expiration.ms",
            ClusterWide, Low;
    }
    shared {
        /// How long records are kept.
        Long "log.retention.ms" = null, Check::Any, ClusterWide, High, from RETENTION;
        /// How long records are kept, read when log.retention.ms is not set.
        Int "log.retention.minutes" = null, Check::Any, ReadOnly, High, from RETENTION;
        /// How long records are kept, read when neither milliseconds nor minutes are set.
        Int "log.retention.hours" = "168", Check::Any, ReadOnly, High, from RETENTION;
        /// Size a partition may reach before its oldest segments are deleted; -1 is no limit.
        Long "log.retention.bytes" = "-1", Check::Any, ClusterWide, High;
        /// Size a segment may reach before a new one is rolled.
        Int "log.segment.bytes" = "1073741824", at_least(1_048_576), ClusterWide, High;
        /// Age a segment may reach before a new one is rolled.
        Long "log.roll.ms" = null, Check::Any, ClusterWide, High, from ROLL;
        /// Age a segment may reach before a new one is rolled, read when log.roll.ms is not set.
        Int "log.roll.hours" = "168", at_least(1), ReadOnly, High, from ROLL;
        /// Most jitter taken off the age at which a segment is rolled.
        Long "log.roll.jitter.ms" = null, Check::Any, ClusterWide, High, from ROLL_JITTER;
        /// Most jitter taken off the age at which a segment is rolled, read when
        /// log.roll.jitter.ms is not set.
        Int "log.roll.jitter.hours" = "0", at_least(0), ReadOnly, High, from ROLL_JITTER;
        /// How long a deleted segment's file stays on the disk.
        Long "log.segment.delete.delay.ms" = "60000", at_least(0), ClusterWide, High;
        /// Bytes of records between two entries of the offset index.
        Int "log.index.interval.bytes" = "4096", at_least(0), ClusterWide, Medium;
        /// Largest size of an index file.
        Int "log.index.size.max.bytes" = "10485760", at_least(4), ClusterWide, Medium;
        /// Whether a new segment's file is allocated in full at once.
        Boolean "log.preallocate" = "false", Check::Any, ClusterWide, Medium;
        /// What happens to old segments: delete, compact, or both.
        List "log.cleanup.policy" = "delete", Check::ListOf(&["compact", "delete"]),
            ClusterWide, Medium;
        /// Whether a record's time is the producer's or the log's.
        String "log.message.timestamp.type" = "CreateTime",
            Check::OneOf(&["CreateTime", "LogAppendTime"]), ClusterWide, Medium;
        /// How far a record's time may lie in the past.
        Long "log.message.timestamp.before.max.ms" = "9223372036854775807", at_least(0),
            ClusterWide, Medium;
        /// How far a record's time may lie in the future.
        Long "log.message.timestamp.after.max.ms" = "3600000", at_least(0), ClusterWide, Medium;
        /// Records after which a partition is forced to disk. With ottla.flush=wal every
        /// acknowledged record is on disk already.
        Long "log.flush.interval.messages" = "9223372036854775807", at_least(1), ClusterWide, High;
        /// Time after which a partition is forced to disk. With ottla.flush=wal every
        /// acknowledged record is on disk already.
        Long "log.flush.interval.ms" = null, Check::Any, ClusterWide, High, from FLUSH_INTERVAL;
        /// How often Kafka looks for partitions to force to disk; the default of
        /// log.flush.interval.ms.
        Long "log.flush.scheduler.interval.ms" = "9223372036854775807", Check::Any,
            ReadOnly, High, from FLUSH_INTERVAL;
    }
    accepted {
        /// Log folders that receive no new partitions.
        List "cordoned.log.dirs" = "", Check::Any, PerBroker, Medium => NO_CORDONS;
        /// How long a tombstone stays in a compacted topic.
        Long "log.cleaner.delete.retention.ms" = "86400000", at_least(0),
            ClusterWide, Medium => NO_COMPACTION;
        /// Age a record must reach before compaction may touch it.
        Long "log.cleaner.min.compaction.lag.ms" = "0", at_least(0),
            ClusterWide, Medium => NO_COMPACTION;
        /// Age at which a record must have been seen by compaction.
        Long "log.cleaner.max.compaction.lag.ms" = "9223372036854775807", at_least(1),
            ClusterWide, Medium => NO_COMPACTION;
        /// Share of a log that must be uncleaned before compaction starts.
        Double "log.cleaner.min.cleanable.ratio" = "0.5", Check::DoubleBetween(0.0, 1.0),
            ClusterWide, Medium => NO_COMPACTION;
        /// Whether compaction runs. Kafka has deprecated turning it off.
        Boolean "log.cleaner.enable" = "true", Check::Any, ReadOnly, Medium => NO_COMPACTION;
        /// Threads that compact.
        Int "log.cleaner.threads" = "1", at_least(0), ClusterWide, Medium => NO_COMPACTION;
        /// How long compaction sleeps when there is nothing to do.
        Long "log.cleaner.backoff.ms" = "15000", at_least(0), ClusterWide, Medium => NO_COMPACTION;
        /// Memory compaction may use for its map of keys.
        Long "log.cleaner.dedupe.buffer.size" = "134217728", Check::Any,
            ClusterWide, Medium => NO_COMPACTION;
        /// How full compaction's map of keys may get.
        Double "log.cleaner.io.buffer.load.factor" = "0.9", Check::Any,
            ClusterWide, Medium => NO_COMPACTION;
        /// Size of compaction's read and write buffers.
        Int "log.cleaner.io.buffer.size" = "524288", at_least(0),
            ClusterWide, Medium => NO_COMPACTION;
        /// Most bytes a second compaction reads and writes.
        Double "log.cleaner.io.max.bytes.per.second" = "1.7976931348623157E308", Check::Any,
            ClusterWide, Medium => NO_COMPACTION;
        /// How often the recovery point is written.
        Int "log.flush.offset.checkpoint.interval.ms" = "60000", at_least(0),
            ReadOnly, High => CHECKPOINT;
        /// How often the log start offsets are written.
        Int "log.flush.start.offset.checkpoint.interval.ms" = "60000", at_least(0),
            ReadOnly, High => CHECKPOINT;
        /// Delay of the log's background tasks after a start.
        Long "log.initial.task.delay.ms" = "30000", at_least(0),
            ReadOnly, Low internal => DUE_TIMES;
        /// How long a broker with a failed folder waits for the controller to hear of it.
        Long "log.dir.failure.timeout.ms" = "30000", at_least(1), ReadOnly, Low => DIR_FAILURE;
        /// Size of a partition's local log once its segments are in remote storage.
        Long "log.local.retention.bytes" = "-2", at_least(-2), ClusterWide, Medium => NO_TIERS;
        /// Age of a partition's local segments once they are in remote storage.
        Long "log.local.retention.ms" = "-2", at_least(-2), ClusterWide, Medium => NO_TIERS;
        /// Bytes a segment must lie behind before it is copied to remote storage.
        Long "log.remote.copy.lag.bytes" = "-1", at_least(-1), ClusterWide, Medium => NO_TIERS;
        /// Age a segment must reach before it is copied to remote storage.
        Long "log.remote.copy.lag.ms" = "0", at_least(-1), ClusterWide, Medium => NO_TIERS;
        /// Threads that load logs at start and flush them at stop.
        Int "num.recovery.threads.per.data.dir" = "2", at_least(1), ClusterWide, High => RECOVERY;
        /// Threads that move replicas between folders.
        Int "num.replica.alter.log.dirs.threads" = null, Check::Any, ReadOnly, High => ONE_MOVER;
        /// How often the log looks for idle producers to forget.
        Int "producer.id.expiration.check.interval.ms" = "600000", at_least(1),
            ReadOnly, Low internal => DUE_TIMES;
    }
}
