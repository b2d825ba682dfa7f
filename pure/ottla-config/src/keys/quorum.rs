//! Keys of the metadata quorum and its log.

use crate::address::{HostPort, Voter};
use crate::check::{Check, at_least};
use crate::keys::reason::{GROUP_COMMIT, METADATA_LOG, OWN_METRICS, PEER_LIMITS, TWO_SNAPSHOTS};

keys! {
    /// The metadata quorum and its log.
    QuorumConfig in Broker;
    fields {
        /// The voters of the metadata quorum, as id@host:port, the same on every node.
        voters: Vec<Voter> = "", Check::NonEmptyList, "controller.quorum.voters", ReadOnly, High;
        /// Addresses of controllers, as host:port, by which a node finds the metadata quorum.
        bootstrap_servers: Vec<HostPort> = "", Check::NonEmptyList,
            "controller.quorum.bootstrap.servers", ReadOnly, High;
        /// Whether a controller that is no voter becomes one by itself.
        auto_join_enable: bool = "false", Check::Any, "controller.quorum.auto.join.enable",
            ReadOnly, Low;
        /// Longest pause before a new election.
        election_backoff_max_ms: i32 = "1000", at_least(0),
            "controller.quorum.election.backoff.max.ms", ReadOnly, High;
        /// Wait for the votes of an election.
        election_timeout_ms: i32 = "1000", at_least(0), "controller.quorum.election.timeout.ms",
            ReadOnly, High;
        /// Most bytes of the metadata log in one fetch.
        fetch_max_bytes: i32 = "1048576", at_least(1), "controller.quorum.fetch.max.bytes",
            ReadOnly, Low;
        /// Most bytes of a snapshot in one fetch.
        fetch_snapshot_max_bytes: i32 = "1048576", at_least(1),
            "controller.quorum.fetch.snapshot.max.bytes", ReadOnly, Low;
        /// How long a follower goes without the leader before it asks for votes.
        fetch_timeout_ms: i32 = "2000", at_least(0), "controller.quorum.fetch.timeout.ms",
            ReadOnly, High;
        /// Time limit of a request between voters.
        request_timeout_ms: i32 = "2000", at_least(0), "controller.quorum.request.timeout.ms",
            ReadOnly, Medium;
        /// Pause before a request between voters is tried again.
        retry_backoff_ms: i32 = "20", at_least(0), "controller.quorum.retry.backoff.ms",
            ReadOnly, Low;
        /// Bytes of metadata records after which a snapshot is made.
        metadata_log_max_record_bytes_between_snapshots: i64 = "20971520", at_least(1),
            "metadata.log.max.record.bytes.between.snapshots", ReadOnly, High;
        /// Longest time between two snapshots.
        metadata_log_max_snapshot_interval_ms: i64 = "3600000", at_least(0),
            "metadata.log.max.snapshot.interval.ms", ReadOnly, High;
        /// How often an idle controller writes a no-op record; 0 is never.
        metadata_max_idle_interval_ms: i32 = "500", at_least(0), "metadata.max.idle.interval.ms",
            ReadOnly, Low;
    }
    shared {
    }
    accepted {
        /// How long the leader collects writes.
        Int "controller.quorum.append.linger.ms" = "25", at_least(0), ReadOnly, Medium => GROUP_COMMIT;
        /// Segment size of the metadata log.
        Int "metadata.log.segment.bytes" = "1073741824", at_least(8_388_608),
            ReadOnly, High => METADATA_LOG;
        /// Segment age of the metadata log.
        Long "metadata.log.segment.ms" = "604800000", Check::Any, ReadOnly, High => METADATA_LOG;
        /// Size of the metadata log and its snapshots above which the oldest are deleted.
        Long "metadata.max.retention.bytes" = "104857600", Check::Any,
            ReadOnly, High => TWO_SNAPSHOTS;
        /// Age above which what a snapshot covers of the metadata log is deleted.
        Long "metadata.max.retention.ms" = "604800000", Check::Any, ReadOnly, High => TWO_SNAPSHOTS;
        /// A controller event slower than this is logged.
        Long "controller.performance.always.log.threshold.ms" = "2000", at_least(0),
            ReadOnly, Medium internal => OWN_METRICS;
        /// Period over which controller events are measured.
        Long "controller.performance.sample.period.ms" = "60000", at_least(100),
            ReadOnly, Medium internal => OWN_METRICS;
        /// Time limit of a request to the controller.
        Int "controller.socket.timeout.ms" = "30000", Check::Any, ReadOnly, Medium => PEER_LIMITS;
        /// How long a deleted metadata file stays on the disk.
        Long "internal.metadata.delete.delay.millis" = "60000", Check::Any,
            ReadOnly, Low internal => METADATA_LOG;
        /// Segment size of the metadata log in tests.
        Int "internal.metadata.log.segment.bytes" = null, Check::Any,
            ReadOnly, Low internal => METADATA_LOG;
        /// Largest batch of metadata records.
        Int "internal.metadata.max.batch.size.in.bytes" = "8388608", Check::Any,
            ReadOnly, Low internal => METADATA_LOG;
    }
}
