//! Keys of what a group may set for itself.

use crate::check::{Check, at_least};
use crate::definition::Synonym;
use crate::keys::reason::{INLINE, NO_SHARE, NO_STREAMS};

keys! {
    /// What a group may set for itself.
    GroupConfig in Group;
    fields {
        /// Least time between two assignments.
        consumer_assignment_interval_ms: i32 = "1000", at_least(0),
            "consumer.assignment.interval.ms", ClusterWide, Medium,
            from &[Synonym { name: "group.consumer.assignment.interval.ms", factor: 1 }];
        /// Heartbeat interval of members.
        consumer_heartbeat_interval_ms: i32 = "5000", at_least(1),
            "consumer.heartbeat.interval.ms", ClusterWide, Medium,
            from &[Synonym { name: "group.consumer.heartbeat.interval.ms", factor: 1 }];
        /// Session timeout of members.
        consumer_session_timeout_ms: i32 = "45000", at_least(1), "consumer.session.timeout.ms",
            ClusterWide, Medium,
            from &[Synonym { name: "group.consumer.session.timeout.ms", factor: 1 }];
    }
    shared {
    }
    accepted {
        /// Whether assignments are computed on another thread.
        Boolean "consumer.assignor.offload.enable" = "true", Check::Any,
            ClusterWide, Medium internal,
            from &[Synonym { name: "group.consumer.assignor.offload.enable", factor: 1 }] => INLINE;
        /// Whether a dead-letter record carries the whole record.
        Boolean "errors.deadletterqueue.copy.record.enable" = "false", Check::Any,
            ClusterWide, Medium => NO_SHARE;
        /// Topic for records a share group gave up.
        String "errors.deadletterqueue.topic.name" = "", Check::Any,
            ClusterWide, Medium => NO_SHARE;
        /// Least time between two assignments.
        Int "share.assignment.interval.ms" = "1000", at_least(0), ClusterWide, Medium,
            from &[Synonym { name: "group.share.assignment.interval.ms", factor: 1 }] => NO_SHARE;
        /// Whether assignments are computed on another thread.
        Boolean "share.assignor.offload.enable" = "true", Check::Any,
            ClusterWide, Medium internal,
            from &[Synonym { name: "group.share.assignor.offload.enable", factor: 1 }] => NO_SHARE;
        /// Where a share group starts.
        String "share.auto.offset.reset" = "latest", Check::AutoOffsetReset,
            ClusterWide, Medium => NO_SHARE;
        /// How often a record is delivered before it is given up.
        Int "share.delivery.count.limit" = "5", at_least(2), ClusterWide, Medium,
            from &[Synonym { name: "group.share.delivery.count.limit", factor: 1 }] => NO_SHARE;
        /// Heartbeat interval of members.
        Int "share.heartbeat.interval.ms" = "5000", at_least(1), ClusterWide, Medium,
            from &[Synonym { name: "group.share.heartbeat.interval.ms", factor: 1 }] => NO_SHARE;
        /// Whether a share group sees records of open transactions.
        String "share.isolation.level" = "read_uncommitted",
            Check::OneOf(&["read_committed", "read_uncommitted"]), ClusterWide, Medium => NO_SHARE;
        /// Most records in flight for one partition.
        Int "share.partition.max.record.locks" = "2000", at_least(100), ClusterWide, Medium,
            from &[Synonym { name: "group.share.partition.max.record.locks", factor: 1 }] => NO_SHARE;
        /// How long a delivered record is locked for its consumer.
        Int "share.record.lock.duration.ms" = "30000", at_least(1000), ClusterWide, Medium,
            from &[Synonym { name: "group.share.record.lock.duration.ms", factor: 1 }] => NO_SHARE;
        /// Whether a consumer may renew its lock.
        Boolean "share.renew.acknowledge.enable" = "true", Check::Any,
            ClusterWide, Medium => NO_SHARE;
        /// Session timeout of members.
        Int "share.session.timeout.ms" = "45000", at_least(1), ClusterWide, Medium,
            from &[Synonym { name: "group.share.session.timeout.ms", factor: 1 }] => NO_SHARE;
        /// Lag at which a task counts as caught up.
        Long "streams.acceptable.recovery.lag" = "10000", at_least(0),
            ClusterWide, Medium internal,
            from &[Synonym { name: "group.streams.acceptable.recovery.lag", factor: 1 }] => NO_STREAMS;
        /// Least time between two assignments.
        Int "streams.assignment.interval.ms" = "1000", at_least(0), ClusterWide, Medium,
            from &[Synonym { name: "group.streams.assignment.interval.ms", factor: 1 }] => NO_STREAMS;
        /// The assignor of the group.
        String "streams.assignor.name" = null, Check::Any, ClusterWide, Medium => NO_STREAMS;
        /// Whether assignments are computed on another thread.
        Boolean "streams.assignor.offload.enable" = "true", Check::Any,
            ClusterWide, Medium internal,
            from &[Synonym { name: "group.streams.assignor.offload.enable", factor: 1 }] => NO_STREAMS;
        /// Heartbeat interval of members.
        Int "streams.heartbeat.interval.ms" = "5000", at_least(1), ClusterWide, Medium,
            from &[Synonym { name: "group.streams.heartbeat.interval.ms", factor: 1 }] => NO_STREAMS;
        /// How long the first assignment waits for more members.
        Int "streams.initial.rebalance.delay.ms" = "3000", at_least(0), ClusterWide, Medium,
            from &[Synonym { name: "group.streams.initial.rebalance.delay.ms", factor: 1 }] => NO_STREAMS;
        /// Standby replicas of each task.
        Int "streams.num.standby.replicas" = "0", at_least(0), ClusterWide, Medium,
            from &[Synonym { name: "group.streams.num.standby.replicas", factor: 1 }] => NO_STREAMS;
        /// Warm-up replicas.
        Int "streams.num.warmup.replicas" = "2", at_least(0), ClusterWide, Medium internal,
            from &[Synonym { name: "group.streams.num.warmup.replicas", factor: 1 }] => NO_STREAMS;
        /// Client tags that standby replicas are spread over.
        List "streams.rack.aware.assignment.tags" = "", Check::Any, ClusterWide, Low,
            from &[Synonym { name: "group.streams.rack.aware.assignment.tags", factor: 1 }] => NO_STREAMS;
        /// Session timeout of members.
        Int "streams.session.timeout.ms" = "45000", at_least(1), ClusterWide, Medium,
            from &[Synonym { name: "group.streams.session.timeout.ms", factor: 1 }] => NO_STREAMS;
        /// How often members report the offsets of their tasks.
        Int "streams.task.offset.interval.ms" = "60000", at_least(1),
            ClusterWide, Medium internal,
            from &[Synonym { name: "group.streams.task.offset.interval.ms", factor: 1 }] => NO_STREAMS;
    }
}
