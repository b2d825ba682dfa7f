//! Keys of what a node is: its number, roles and rack.

use crate::check::{Check, at_least};
use crate::keys::reason::{FAST_START, NO_JVM, NO_TELEMETRY, OWN_METRICS, OWN_THREADS, STABLE};

keys! {
    /// What a node is: its number, roles and rack.
    NodeConfig in Broker;
    fields {
        /// The number of this node in the cluster. Ottla takes 1 when nothing is said.
        node_id: i32 = "1", at_least(0), "node.id", ReadOnly, High;
        /// The older name of node.id, read when node.id is not set.
        broker_id: i32 = "-1", Check::Any, "broker.id", ReadOnly, High;
        /// The rack or zone this node stands in; replicas are spread over racks and consumers may
        /// read from the nearest.
        broker_rack: Option<String> = null, Check::Any, "broker.rack", ReadOnly, Medium;
        /// The roles of this node: broker, controller or both.
        process_roles: Vec<String> = "broker,controller",
            Check::ListOf(&["broker", "controller"]), "process.roles", ReadOnly, High;
        /// Time between two heartbeats of a broker to the controller.
        broker_heartbeat_interval_ms: i32 = "2000", Check::Any, "broker.heartbeat.interval.ms",
            ReadOnly, Medium;
        /// How long the controller waits for a heartbeat before it fences a broker.
        broker_session_timeout_ms: i32 = "9000", Check::Any, "broker.session.timeout.ms",
            ReadOnly, Medium;
        /// How long a starting broker tries to register with the controller.
        initial_broker_registration_timeout_ms: i32 = "60000", Check::Any,
            "initial.broker.registration.timeout.ms", ReadOnly, Medium;
        /// Whether leadership is handed over before a broker stops.
        controlled_shutdown_enable: bool = "true", Check::Any, "controlled.shutdown.enable",
            ReadOnly, Medium;
        /// Threads that serve requests. Ottla takes the number of processors unless it is set.
        num_io_threads: i32 = "8", at_least(1), "num.io.threads", ClusterWide, High;
    }
    shared {
    }
    accepted {
        /// How long a start may take.
        Long "server.max.startup.time.ms" = "9223372036854775807", at_least(0),
            ReadOnly, Medium internal => FAST_START;
        /// Threads for background work.
        Int "background.threads" = "10", at_least(1), ClusterWide, High => OWN_THREADS;
        /// Threads that read from and write to sockets.
        Int "num.network.threads" = "3", at_least(1), ClusterWide, High => OWN_THREADS;
        /// Classes that look up values written as ${provider:key}.
        List "config.providers" = "", Check::Any, ClusterWide, Low => NO_JVM;
        /// Interval at which Java metrics reporters poll.
        Int "kafka.metrics.polling.interval.secs" = "10", at_least(1), ReadOnly, Low => NO_JVM;
        /// Java classes that report Yammer metrics.
        List "kafka.metrics.reporters" = "", Check::Any, ReadOnly, Low => NO_JVM;
        /// Java classes that report metrics.
        List "metric.reporters" = "org.apache.kafka.common.metrics.JmxReporter", Check::Any,
            ClusterWide, Low => NO_JVM;
        /// Samples kept for a windowed metric.
        Int "metrics.num.samples" = "2", at_least(1), ReadOnly, Low => OWN_METRICS;
        /// The least level at which a metric is recorded.
        String "metrics.recording.level" = "INFO", Check::Any, ReadOnly, Low => OWN_METRICS;
        /// Length of the window of a windowed metric.
        Long "metrics.sample.window.ms" = "30000", at_least(1), ReadOnly, Low => OWN_METRICS;
        /// Largest payload of metrics a client may push.
        Int "telemetry.max.bytes" = "1048576", at_least(1), ReadOnly, Low => NO_TELEMETRY;
        /// Serve API versions that are still being developed.
        Boolean "unstable.api.versions.enable" = "false", Check::Any,
            ReadOnly, High internal => STABLE;
        /// Allow feature levels that are still being developed.
        Boolean "unstable.feature.versions.enable" = "false", Check::Any,
            ReadOnly, High internal => STABLE;
    }
}
