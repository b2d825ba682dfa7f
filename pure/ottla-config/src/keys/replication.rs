//! Keys of copies of partitions.

use crate::check::{Check, at_least};
use crate::keys::reason::{CHECKPOINT, NO_PEERS, NO_PURGATORY, NO_TIERS};

keys! {
    /// Copies of partitions.
    ReplicationConfig in Broker;
    fields {
    }
    shared {
        /// Replicas that must have a record before acks=all is answered.
        Int "min.insync.replicas" = "1", at_least(1), ClusterWide, High;
    }
    accepted {
        /// Whether a replica that lags may become leader when no other is left.
        Boolean "unclean.leader.election.enable" = "false", Check::Any,
            ClusterWide, High => NO_PEERS;
        /// How often the controller looks for partitions to elect uncleanly.
        Long "unclean.leader.election.interval.ms" = "300000", at_least(1),
            ReadOnly, Medium internal => NO_PEERS;
        /// How long a follower may lag before it leaves the ISR.
        Long "replica.lag.time.max.ms" = "30000", Check::Any, ReadOnly, High => NO_PEERS;
        /// Pause of a follower after a failed fetch.
        Int "replica.fetch.backoff.ms" = "1000", at_least(0), ReadOnly, Medium => NO_PEERS;
        /// Bytes a follower asks for per partition.
        Int "replica.fetch.max.bytes" = "1048576", at_least(0), ReadOnly, Medium => NO_PEERS;
        /// Least bytes a follower waits for.
        Int "replica.fetch.min.bytes" = "1", Check::Any, ReadOnly, High => NO_PEERS;
        /// Most bytes a follower asks for in one fetch.
        Int "replica.fetch.response.max.bytes" = "10485760", at_least(0),
            ReadOnly, Medium => NO_PEERS;
        /// Longest wait of a follower's fetch.
        Int "replica.fetch.wait.max.ms" = "500", Check::Any, ReadOnly, High => NO_PEERS;
        /// How often the high watermarks are written.
        Long "replica.high.watermark.checkpoint.interval.ms" = "5000", Check::Any,
            ReadOnly, High => CHECKPOINT;
        /// How the replica a consumer reads from is chosen.
        String "replica.selector.class" = null, Check::Any, ReadOnly, Medium => NO_PEERS;
        /// Receive buffer of a follower's connection.
        Int "replica.socket.receive.buffer.bytes" = "65536", Check::Any, ReadOnly, High => NO_PEERS;
        /// Time limit of a follower's request.
        Int "replica.socket.timeout.ms" = "30000", Check::Any, ReadOnly, High => NO_PEERS;
        /// Fetchers per leader.
        Int "num.replica.fetchers" = "1", at_least(1), ClusterWide, High => NO_PEERS;
        /// Whether the controller gives leadership back to preferred replicas.
        Boolean "auto.leader.rebalance.enable" = "true", Check::Any, ReadOnly, High => NO_PEERS;
        /// How often the controller looks for leaders that are not the preferred replica.
        Long "leader.imbalance.check.interval.seconds" = "300", at_least(1),
            ReadOnly, High => NO_PEERS;
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
