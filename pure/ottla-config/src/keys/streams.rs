//! Keys of streams groups.

use crate::check::{Check, at_least};
use crate::keys::reason::NO_STREAMS;

keys! {
    /// Streams groups.
    StreamsConfig in Broker;
    fields {
    }
    shared {
    }
    accepted {
        /// Lag at which a task counts as caught up.
        Long "group.streams.acceptable.recovery.lag" = "10000", at_least(0),
            ReadOnly, Medium internal => NO_STREAMS;
        /// Assignment interval of streams groups.
        Int "group.streams.assignment.interval.ms" = "1000", at_least(0),
            ClusterWide, Medium => NO_STREAMS;
        /// Whether task assignments are computed on another thread.
        Boolean "group.streams.assignor.offload.enable" = "true", Check::Any,
            ClusterWide, Medium internal => NO_STREAMS;
        /// Assignors of streams groups.
        List "group.streams.assignors" = "sticky", Check::Any, ReadOnly, Medium => NO_STREAMS;
        /// Heartbeat interval of streams groups.
        Int "group.streams.heartbeat.interval.ms" = "5000", at_least(1),
            ReadOnly, Medium => NO_STREAMS;
        /// How long the first assignment of a streams group waits for more members.
        Int "group.streams.initial.rebalance.delay.ms" = "3000", at_least(0),
            ReadOnly, Medium => NO_STREAMS;
        /// Largest assignment interval a streams group may set.
        Int "group.streams.max.assignment.interval.ms" = "15000", at_least(0),
            ReadOnly, Medium => NO_STREAMS;
        /// Largest heartbeat interval a streams group may set.
        Int "group.streams.max.heartbeat.interval.ms" = "15000", at_least(1),
            ReadOnly, Medium => NO_STREAMS;
        /// Largest session timeout a streams group may set.
        Int "group.streams.max.session.timeout.ms" = "60000", at_least(1),
            ReadOnly, Medium => NO_STREAMS;
        /// Most members of a streams group.
        Int "group.streams.max.size" = "2147483647", at_least(1), ReadOnly, Medium => NO_STREAMS;
        /// Most standby replicas a group may set.
        Int "group.streams.max.standby.replicas" = "2", at_least(0), ReadOnly, Medium => NO_STREAMS;
        /// Most warm-up replicas a group may set.
        Int "group.streams.max.warmup.replicas" = "20", at_least(0),
            ReadOnly, Medium internal => NO_STREAMS;
        /// Smallest assignment interval a streams group may set.
        Int "group.streams.min.assignment.interval.ms" = "0", at_least(0),
            ReadOnly, Medium => NO_STREAMS;
        /// Smallest heartbeat interval a streams group may set.
        Int "group.streams.min.heartbeat.interval.ms" = "5000", at_least(1),
            ReadOnly, Medium => NO_STREAMS;
        /// Smallest session timeout a streams group may set.
        Int "group.streams.min.session.timeout.ms" = "45000", at_least(1),
            ReadOnly, Medium => NO_STREAMS;
        /// Smallest interval of offset reports a group may set.
        Int "group.streams.min.task.offset.interval.ms" = "15000", at_least(1),
            ReadOnly, Medium internal => NO_STREAMS;
        /// Standby replicas of each task.
        Int "group.streams.num.standby.replicas" = "0", at_least(0), ReadOnly, Medium => NO_STREAMS;
        /// Warm-up replicas of a group.
        Int "group.streams.num.warmup.replicas" = "2", at_least(0),
            ReadOnly, Medium internal => NO_STREAMS;
        /// Client tags that standby replicas are spread over.
        List "group.streams.rack.aware.assignment.tags" = "", Check::Any,
            ReadOnly, Low => NO_STREAMS;
        /// Session timeout of streams groups.
        Int "group.streams.session.timeout.ms" = "45000", at_least(1),
            ReadOnly, Medium => NO_STREAMS;
        /// How often members report the offsets of their tasks.
        Int "group.streams.task.offset.interval.ms" = "60000", at_least(1),
            ReadOnly, Medium internal => NO_STREAMS;
        /// A Java class that keeps descriptions of topologies.
        Class "group.streams.topology.description.plugin.class" = null, Check::Any,
            ReadOnly, Medium => NO_STREAMS;
    }
}
