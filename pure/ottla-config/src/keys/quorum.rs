//! Keys of the metadata quorum and its log.

use crate::check::{Check, at_least};
use crate::keys::reason::{METADATA_LOG, NO_PEERS, OWN_METRICS};

keys! {
    /// The metadata quorum and its log.
    QuorumConfig in Broker;
    fields {
        /// The voters of the metadata quorum, as id@host:port.
        voters: Vec<String> = "", Check::NonEmptyList, "controller.quorum.voters", ReadOnly, High;
    }
    shared {
    }
    accepted {
        /// Addresses by which a node finds the metadata quorum.
        List "controller.quorum.bootstrap.servers" = "", Check::NonEmptyList,
            ReadOnly, High => NO_PEERS;
        /// How long the leader collects writes.
        Int "controller.quorum.append.linger.ms" = "25", at_least(0), ReadOnly, Medium => NO_PEERS;
        /// Whether a controller joins the voters by itself.
        Boolean "controller.quorum.auto.join.enable" = "false", Check::Any,
            ReadOnly, Low => NO_PEERS;
        /// Longest pause before a new election.
        Int "controller.quorum.election.backoff.max.ms" = "1000", at_least(0),
            ReadOnly, High => NO_PEERS;
        /// Wait for the votes of an election.
        Int "controller.quorum.election.timeout.ms" = "1000", at_least(0),
            ReadOnly, High => NO_PEERS;
        /// Most bytes of the metadata log in one fetch.
        Int "controller.quorum.fetch.max.bytes" = "1048576", at_least(1), ReadOnly, Low => NO_PEERS;
        /// Most bytes of a snapshot in one fetch.
        Int "controller.quorum.fetch.snapshot.max.bytes" = "1048576", at_least(1),
            ReadOnly, Low => NO_PEERS;
        /// How long a follower goes without the leader before it asks for votes.
        Int "controller.quorum.fetch.timeout.ms" = "2000", at_least(0), ReadOnly, High => NO_PEERS;
        /// Time limit of a request between voters.
        Int "controller.quorum.request.timeout.ms" = "2000", at_least(0),
            ReadOnly, Medium => NO_PEERS;
        /// Pause before a request between voters is tried again.
        Int "controller.quorum.retry.backoff.ms" = "20", at_least(0), ReadOnly, Low => NO_PEERS;
        /// A controller event slower than this is logged.
        Long "controller.performance.always.log.threshold.ms" = "2000", at_least(0),
            ReadOnly, Medium internal => OWN_METRICS;
        /// Period over which controller events are measured.
        Long "controller.performance.sample.period.ms" = "60000", at_least(100),
            ReadOnly, Medium internal => OWN_METRICS;
        /// Time limit of a request to the controller.
        Int "controller.socket.timeout.ms" = "30000", Check::Any, ReadOnly, Medium => NO_PEERS;
        /// Bytes of metadata records after which a snapshot is made.
        Long "metadata.log.max.record.bytes.between.snapshots" = "20971520", at_least(1),
            ReadOnly, High => METADATA_LOG;
        /// Longest time between two snapshots.
        Long "metadata.log.max.snapshot.interval.ms" = "3600000", at_least(0),
            ReadOnly, High => METADATA_LOG;
        /// Segment size of the metadata log.
        Int "metadata.log.segment.bytes" = "1073741824", at_least(8_388_608),
            ReadOnly, High => METADATA_LOG;
        /// Segment age of the metadata log.
        Long "metadata.log.segment.ms" = "604800000", Check::Any, ReadOnly, High => METADATA_LOG;
        /// How often an idle controller writes a no-op record.
        Int "metadata.max.idle.interval.ms" = "500", at_least(0), ReadOnly, Low => NO_PEERS;
        /// Size of old metadata that is kept.
        Long "metadata.max.retention.bytes" = "104857600", Check::Any,
            ReadOnly, High => METADATA_LOG;
        /// Age of old metadata that is kept.
        Long "metadata.max.retention.ms" = "604800000", Check::Any, ReadOnly, High => METADATA_LOG;
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
