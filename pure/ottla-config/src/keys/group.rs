//! Keys of the group coordinator and committed offsets.

use crate::check::{Check, at_least};
use crate::keys::reason::{
    GROUP_COMMIT, INLINE, MEMORY, NO_CONSUMER_GROUPS, OWN_THREADS, UNCOMPRESSED,
};

keys! {
    /// The group coordinator and committed offsets.
    GroupCoordinatorConfig in Broker;
    fields {
        /// How long the first rebalance of an empty group waits for more members. Ottla takes 0
        /// on a cluster of one node unless it is set.
        initial_rebalance_delay_ms: i32 = "3000", Check::Any,
            "group.initial.rebalance.delay.ms", ReadOnly, Medium;
        /// Shortest session timeout a classic member may ask for.
        min_session_timeout_ms: i32 = "6000", Check::Any, "group.min.session.timeout.ms",
            ReadOnly, Medium;
        /// Longest session timeout a classic member may ask for.
        max_session_timeout_ms: i32 = "1800000", Check::Any, "group.max.session.timeout.ms",
            ReadOnly, Medium;
        /// Most members of a classic group.
        max_size: i32 = "2147483647", at_least(1), "group.max.size", ReadOnly, Medium;
        /// Least time between two assignments of a consumer group.
        consumer_assignment_interval_ms: i32 = "1000", at_least(0),
            "group.consumer.assignment.interval.ms", ClusterWide, Medium;
        /// Heartbeat interval of consumer group members.
        consumer_heartbeat_interval_ms: i32 = "5000", at_least(1),
            "group.consumer.heartbeat.interval.ms", ReadOnly, Medium;
        /// Largest assignment interval a group may set.
        consumer_max_assignment_interval_ms: i32 = "15000", at_least(0),
            "group.consumer.max.assignment.interval.ms", ReadOnly, Medium;
        /// Largest heartbeat interval a group may set.
        consumer_max_heartbeat_interval_ms: i32 = "15000", at_least(1),
            "group.consumer.max.heartbeat.interval.ms", ReadOnly, Medium;
        /// Largest session timeout a group may set.
        consumer_max_session_timeout_ms: i32 = "60000", at_least(1),
            "group.consumer.max.session.timeout.ms", ReadOnly, Medium;
        /// Smallest assignment interval a group may set.
        consumer_min_assignment_interval_ms: i32 = "0", at_least(0),
            "group.consumer.min.assignment.interval.ms", ReadOnly, Medium;
        /// Smallest heartbeat interval a group may set.
        consumer_min_heartbeat_interval_ms: i32 = "5000", at_least(1),
            "group.consumer.min.heartbeat.interval.ms", ReadOnly, Medium;
        /// Smallest session timeout a group may set.
        consumer_min_session_timeout_ms: i32 = "45000", at_least(1),
            "group.consumer.min.session.timeout.ms", ReadOnly, Medium;
        /// Session timeout of consumer group members.
        consumer_session_timeout_ms: i32 = "45000", at_least(1),
            "group.consumer.session.timeout.ms", ReadOnly, Medium;
        /// Longest metadata text of a committed offset.
        offset_metadata_max_bytes: i32 = "4096", Check::Any, "offset.metadata.max.bytes",
            ReadOnly, High;
        /// How often expired offsets are looked for.
        offsets_retention_check_interval_ms: i64 = "600000", at_least(1),
            "offsets.retention.check.interval.ms", ReadOnly, High;
        /// How long the offsets of an empty group are kept.
        offsets_retention_minutes: i32 = "10080", at_least(1), "offsets.retention.minutes",
            ReadOnly, High;
        /// Partitions of the offsets topic.
        offsets_topic_num_partitions: i32 = "50", at_least(1), "offsets.topic.num.partitions",
            ReadOnly, High;
        /// How long an answer may wait until enough replicas have what it rests on.
        offsets_commit_timeout_ms: i32 = "5000", at_least(1), "offsets.commit.timeout.ms",
            ReadOnly, High;
        /// Replicas of the offsets topic. A node that is configured to be alone takes no more than
        /// there are brokers; in a cluster the topic is made once there are enough.
        offsets_topic_replication_factor: i16 = "3", at_least(1),
            "offsets.topic.replication.factor", ReadOnly, High;
        /// Segment size of the offsets topic.
        offsets_topic_segment_bytes: i32 = "104857600", at_least(1),
            "offsets.topic.segment.bytes", ReadOnly, High;
    }
    shared {
    }
    accepted {
        /// Whether consumer assignments are computed on another thread.
        Boolean "group.consumer.assignor.offload.enable" = "true", Check::Any,
            ClusterWide, Medium internal => INLINE;
        /// Server-side assignors of consumer groups; the first is the default.
        List "group.consumer.assignors" = "uniform,range", Check::Any,
            ReadOnly, Medium => NO_CONSUMER_GROUPS;
        /// Most members of a consumer group.
        Int "group.consumer.max.size" = "2147483647", at_least(1),
            ReadOnly, Medium => NO_CONSUMER_GROUPS;
        /// Which way a group may move between the classic and the consumer protocol while it has
        /// members.
        String "group.consumer.migration.policy" = "bidirectional",
            Check::OneOfIgnoringCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]),
            ReadOnly, Medium => NO_CONSUMER_GROUPS;
        /// How often the topics of a subscribed pattern are looked up again.
        Int "group.consumer.regex.refresh.interval.ms" = "600000", at_least(10_000),
            ReadOnly, Medium internal => NO_CONSUMER_GROUPS;
        /// How long the coordinator collects writes; -1 adapts.
        Int "group.coordinator.append.linger.ms" = "-1", at_least(-1),
            ReadOnly, Medium => GROUP_COMMIT;
        /// Threads for the coordinator's background work.
        Int "group.coordinator.background.threads" = "2", at_least(1),
            ReadOnly, High => OWN_THREADS;
        /// Largest write buffer the coordinator keeps.
        Int "group.coordinator.cached.buffer.max.bytes" = "1048588", at_least(524_288),
            ClusterWide, Medium => MEMORY;
        /// Group protocols that are served.
        List "group.coordinator.rebalance.protocols" = "classic,consumer,streams",
            Check::ListOf(&["consumer", "classic", "share", "streams"]),
            ReadOnly, Medium => NO_CONSUMER_GROUPS;
        /// Threads that run the coordinator.
        Int "group.coordinator.threads" = "4", at_least(1), ReadOnly, High => OWN_THREADS;
        /// Bytes read at a time when committed offsets are loaded.
        Int "offsets.load.buffer.size" = "5242880", at_least(1), ReadOnly, High => MEMORY;
        /// Codec of the offsets topic, by number.
        Int "offsets.topic.compression.codec" = "0", Check::Any, ReadOnly, High => UNCOMPRESSED;
    }
}
