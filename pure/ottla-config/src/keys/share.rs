//! Keys of share groups and their coordinator.

use crate::check::{Check, at_least, between};
use crate::keys::reason::NO_SHARE;

keys! {
    /// Share groups and their coordinator.
    ShareConfig in Broker;
    fields {
    }
    shared {
    }
    accepted {
        /// Whether dead-letter topics spring into being.
        Boolean "errors.deadletterqueue.auto.create.topics.enable" = "false", Check::Any,
            ClusterWide, Medium => NO_SHARE;
        /// Prefix a dead-letter topic's name must have.
        String "errors.deadletterqueue.topic.name.prefix" = "dlq.", Check::Any,
            ClusterWide, Medium => NO_SHARE;
        /// Assignment interval of share groups.
        Int "group.share.assignment.interval.ms" = "1000", at_least(0),
            ClusterWide, Medium => NO_SHARE;
        /// Whether share assignments are computed on another thread.
        Boolean "group.share.assignor.offload.enable" = "true", Check::Any,
            ClusterWide, Medium internal => NO_SHARE;
        /// Assignors of share groups.
        List "group.share.assignors" = "simple", Check::Any, ReadOnly, Medium => NO_SHARE;
        /// How often a record is delivered before it is given up.
        Int "group.share.delivery.count.limit" = "5", between(2, 10), ReadOnly, Medium => NO_SHARE;
        /// The Java class that writes dead-letter topics.
        String "group.share.dlq.manager.class.name" = "org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager",
            Check::Any, ReadOnly, Medium internal => NO_SHARE;
        /// Heartbeat interval of share groups.
        Int "group.share.heartbeat.interval.ms" = "5000", at_least(1), ReadOnly, Medium => NO_SHARE;
        /// Pause before the initialisation of share state is tried again.
        Int "group.share.initialize.retry.interval.ms" = "30000", at_least(1),
            ReadOnly, Low internal => NO_SHARE;
        /// Largest assignment interval a share group may set.
        Int "group.share.max.assignment.interval.ms" = "15000", at_least(0),
            ReadOnly, Medium => NO_SHARE;
        /// Largest delivery limit a group may set.
        Int "group.share.max.delivery.count.limit" = "10", between(5, 25),
            ReadOnly, Medium => NO_SHARE;
        /// Largest heartbeat interval a share group may set.
        Int "group.share.max.heartbeat.interval.ms" = "15000", at_least(1),
            ReadOnly, Medium => NO_SHARE;
        /// Largest limit of records in flight a group may set.
        Int "group.share.max.partition.max.record.locks" = "4000", between(2000, 10_000),
            ReadOnly, Medium => NO_SHARE;
        /// Longest record lock a group may set.
        Int "group.share.max.record.lock.duration.ms" = "60000", between(30_000, 3_600_000),
            ReadOnly, Medium => NO_SHARE;
        /// Largest session timeout a share group may set.
        Int "group.share.max.session.timeout.ms" = "60000", at_least(1),
            ReadOnly, Medium => NO_SHARE;
        /// Most share sessions kept.
        Int "group.share.max.share.sessions" = "2000", at_least(1), ReadOnly, Medium => NO_SHARE;
        /// Most members of a share group.
        Int "group.share.max.size" = "200", between(1, 1000), ReadOnly, Medium => NO_SHARE;
        /// Smallest assignment interval a share group may set.
        Int "group.share.min.assignment.interval.ms" = "0", at_least(0),
            ReadOnly, Medium => NO_SHARE;
        /// Smallest delivery limit a group may set.
        Int "group.share.min.delivery.count.limit" = "2", between(2, 5),
            ReadOnly, Medium => NO_SHARE;
        /// Smallest heartbeat interval a share group may set.
        Int "group.share.min.heartbeat.interval.ms" = "5000", at_least(1),
            ReadOnly, Medium => NO_SHARE;
        /// Smallest limit of records in flight a group may set.
        Int "group.share.min.partition.max.record.locks" = "100", between(100, 2000),
            ReadOnly, Medium => NO_SHARE;
        /// Shortest record lock a group may set.
        Int "group.share.min.record.lock.duration.ms" = "15000", between(1000, 30_000),
            ReadOnly, Medium => NO_SHARE;
        /// Smallest session timeout a share group may set.
        Int "group.share.min.session.timeout.ms" = "45000", at_least(1),
            ReadOnly, Medium => NO_SHARE;
        /// Most records in flight for one partition of a share group.
        Int "group.share.partition.max.record.locks" = "2000", between(100, 10_000),
            ReadOnly, Medium => NO_SHARE;
        /// The Java class that stores share state.
        String "group.share.persister.class.name" = "org.apache.kafka.server.share.persister.DefaultStatePersister",
            Check::Any, ReadOnly, Medium internal => NO_SHARE;
        /// How long a delivered record is locked for its consumer.
        Int "group.share.record.lock.duration.ms" = "30000", between(1000, 3_600_000),
            ReadOnly, Medium => NO_SHARE;
        /// Session timeout of share groups.
        Int "group.share.session.timeout.ms" = "45000", at_least(1), ReadOnly, Medium => NO_SHARE;
        /// How long the share coordinator collects writes; -1 adapts.
        Int "share.coordinator.append.linger.ms" = "-1", at_least(-1), ReadOnly, Medium => NO_SHARE;
        /// Largest write buffer the share coordinator keeps.
        Int "share.coordinator.cached.buffer.max.bytes" = "1048588", at_least(524_288),
            ClusterWide, Medium => NO_SHARE;
        /// How often a snapshot of idle share state is made.
        Int "share.coordinator.cold.partition.snapshot.interval.ms" = "300000", at_least(1),
            ReadOnly, Low internal => NO_SHARE;
        /// Bytes read at a time when share state is loaded.
        Int "share.coordinator.load.buffer.size" = "5242880", at_least(1),
            ReadOnly, High => NO_SHARE;
        /// Updates of share state between two snapshots.
        Int "share.coordinator.snapshot.update.records.per.snapshot" = "500", between(0, 500),
            ReadOnly, Medium => NO_SHARE;
        /// Codec of the share state topic, by number.
        Int "share.coordinator.state.topic.compression.codec" = "0", Check::Any,
            ReadOnly, High => NO_SHARE;
        /// min.insync.replicas of the share state topic.
        Short "share.coordinator.state.topic.min.isr" = "2", at_least(1),
            ReadOnly, High => NO_SHARE;
        /// Partitions of the share state topic.
        Int "share.coordinator.state.topic.num.partitions" = "50", at_least(1),
            ReadOnly, High => NO_SHARE;
        /// How often old share state is pruned.
        Int "share.coordinator.state.topic.prune.interval.ms" = "300000", at_least(1),
            ReadOnly, Low internal => NO_SHARE;
        /// Replicas of the share state topic.
        Short "share.coordinator.state.topic.replication.factor" = "3", at_least(1),
            ReadOnly, High => NO_SHARE;
        /// Segment size of the share state topic.
        Int "share.coordinator.state.topic.segment.bytes" = "104857600", at_least(1),
            ReadOnly, High => NO_SHARE;
        /// Threads that run the share coordinator.
        Int "share.coordinator.threads" = "1", at_least(1), ReadOnly, Medium => NO_SHARE;
        /// How long a write of share state may wait for the replicas.
        Int "share.coordinator.write.timeout.ms" = "5000", at_least(1), ReadOnly, High => NO_SHARE;
    }
}
