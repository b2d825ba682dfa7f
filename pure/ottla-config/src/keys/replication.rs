//! Keys of copies of partitions.

use crate::check::{Check, at_least};
use crate::keys::reason::{CHECKPOINT, NO_PURGATORY, NO_TIERS, OPERATING_SYSTEM};
use crate::replication::ReplicaSelector;

keys! {
    /// Copies of partitions.
    ReplicationConfig in Broker;
    fields {
        /// How often the controller looks for partitions to elect uncleanly.
        unclean_leader_election_interval_ms: i64 = "300000", at_least(1),
            "unclean.leader.election.interval.ms", ReadOnly, Medium internal;
        /// How long a follower may lag before it leaves the ISR.
        replica_lag_time_max_ms: i64 = "30000", Check::Any, "replica.lag.time.max.ms",
            ReadOnly, High;
        /// Pause of a follower after a failed fetch.
        replica_fetch_backoff_ms: i32 = "1000", at_least(0), "replica.fetch.backoff.ms",
            ReadOnly, Medium;
        /// Bytes a follower asks for per partition.
        replica_fetch_max_bytes: i32 = "1048576", at_least(0), "replica.fetch.max.bytes",
            ReadOnly, Medium;
        /// Least bytes a follower waits for.
        replica_fetch_min_bytes: i32 = "1", Check::Any, "replica.fetch.min.bytes", ReadOnly, High;
        /// Most bytes a follower asks for in one fetch.
        replica_fetch_response_max_bytes: i32 = "10485760", at_least(0),
            "replica.fetch.response.max.bytes", ReadOnly, Medium;
        /// Fetchers for each leader, each with a connection of its own and a share of the partitions.
        num_replica_fetchers: i32 = "1", at_least(1), "num.replica.fetchers", ClusterWide, High;
        /// Longest wait of a follower's fetch.
        replica_fetch_wait_max_ms: i32 = "500", Check::Any, "replica.fetch.wait.max.ms",
            ReadOnly, High;
        /// How the replica a consumer reads from is chosen: not at all, which is the leader, or
        /// org.apache.kafka.common.replica.RackAwareReplicaSelector.
        replica_selector: ReplicaSelector = null, Check::Any, "replica.selector.class",
            ReadOnly, Medium;
        /// Time limit of a follower's request.
        replica_socket_timeout_ms: i32 = "30000", Check::Any, "replica.socket.timeout.ms",
            ReadOnly, High;
        /// Whether the controller gives leadership back to preferred replicas.
        auto_leader_rebalance_enable: bool = "true", Check::Any, "auto.leader.rebalance.enable",
            ReadOnly, High;
        /// How often the controller looks for leaders that are not the preferred replica.
        leader_imbalance_check_interval_seconds: i64 = "300", at_least(1),
            "leader.imbalance.check.interval.seconds", ReadOnly, High;
        /// Most bytes a second that this node sends to followers that are throttled
        /// (leader.replication.throttled.replicas of their topics).
        leader_replication_throttled_rate: i64 = "9223372036854775807", at_least(0),
            "leader.replication.throttled.rate", ClusterWide, Medium internal;
        /// Most bytes a second that this node fetches of partitions that are throttled
        /// (follower.replication.throttled.replicas of their topics).
        follower_replication_throttled_rate: i64 = "9223372036854775807", at_least(0),
            "follower.replication.throttled.rate", ClusterWide, Medium internal;
        /// Most bytes a second that replicas are copied with from one folder of this node to another.
        replica_alter_log_dirs_io_max_bytes_per_second: i64 = "9223372036854775807", at_least(0),
            "replica.alter.log.dirs.io.max.bytes.per.second", ClusterWide, Medium internal;
    }
    shared {
        /// Replicas that must have a record before acks=all is answered.
        Int "min.insync.replicas" = "1", at_least(1), ClusterWide, High;
        /// Whether a replica that lags may become leader when no other is left.
        Boolean "unclean.leader.election.enable" = "false", Check::Any, ClusterWide, High;
    }
    accepted {
        /// How often the high watermarks are written.
        Long "replica.high.watermark.checkpoint.interval.ms" = "5000", Check::Any,
            ReadOnly, High => CHECKPOINT;
        /// Receive buffer of a follower's connection.
        Int "replica.socket.receive.buffer.bytes" = "65536", Check::Any,
            ReadOnly, High => OPERATING_SYSTEM;
        /// Whether a new follower starts at the last offset in remote storage.
        Boolean "follower.fetch.last.tiered.offset.enable" = "false", Check::Any,
            ClusterWide, Medium => NO_TIERS;
        /// Purge interval of waiting fetches.
        Int "fetch.purgatory.purge.interval.requests" = "1000", Check::Any,
            ReadOnly, Medium => NO_PURGATORY;
        /// Purge interval of waiting produce requests.
        Int "producer.purgatory.purge.interval.requests" = "1000", Check::Any,
            ReadOnly, Medium => NO_PURGATORY;
        /// Purge interval of waiting DeleteRecords.
        Int "delete.records.purgatory.purge.interval.requests" = "1", Check::Any,
            ReadOnly, Medium => NO_PURGATORY;
        /// Purge interval of waiting share fetches.
        Int "share.fetch.purgatory.purge.interval.requests" = "1000", Check::Any,
            ReadOnly, Medium => NO_PURGATORY;
    }
}
