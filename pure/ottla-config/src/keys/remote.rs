//! Keys of tiered storage.

use crate::check::{Check, at_least};
use crate::keys::reason::NO_TIERS;

keys! {
    /// Tiered storage.
    RemoteConfig in Broker;
    fields {
    }
    shared {
    }
    accepted {
        /// Longest wait of a fetch for remote storage.
        Int "remote.fetch.max.wait.ms" = "500", at_least(1), ClusterWide, Medium => NO_TIERS;
        /// Time limit of a ListOffsets that needs remote storage.
        Long "remote.list.offsets.request.timeout.ms" = "30000", at_least(1),
            ClusterWide, Medium => NO_TIERS;
        /// Disk space for indexes fetched from remote storage.
        Long "remote.log.index.file.cache.total.size.bytes" = "1073741824", at_least(1),
            ClusterWide, Low => NO_TIERS;
        /// How long an unused index from remote storage is kept.
        Long "remote.log.index.file.cache.ttl.ms" = "900000", at_least(-1),
            ReadOnly, Low internal => NO_TIERS;
        /// Threads that copy segments to remote storage.
        Int "remote.log.manager.copier.thread.pool.size" = "10", at_least(1),
            ClusterWide, Medium => NO_TIERS;
        /// Most bytes a second copied to remote storage.
        Long "remote.log.manager.copy.max.bytes.per.second" = "9223372036854775807",
            at_least(1), ClusterWide, Medium => NO_TIERS;
        /// Samples of the quota on copies to remote storage.
        Int "remote.log.manager.copy.quota.window.num" = "11", at_least(1),
            ReadOnly, Medium => NO_TIERS;
        /// Length of a sample of the quota on copies.
        Int "remote.log.manager.copy.quota.window.size.seconds" = "1", at_least(1),
            ReadOnly, Medium => NO_TIERS;
        /// Threads that delete expired remote segments.
        Int "remote.log.manager.expiration.thread.pool.size" = "10", at_least(1),
            ClusterWide, Medium => NO_TIERS;
        /// Most bytes a second fetched from remote storage.
        Long "remote.log.manager.fetch.max.bytes.per.second" = "9223372036854775807",
            at_least(1), ClusterWide, Medium => NO_TIERS;
        /// Samples of the quota on fetches from remote storage.
        Int "remote.log.manager.fetch.quota.window.num" = "11", at_least(1),
            ReadOnly, Medium => NO_TIERS;
        /// Length of a sample of the quota on fetches.
        Int "remote.log.manager.fetch.quota.window.size.seconds" = "1", at_least(1),
            ReadOnly, Medium => NO_TIERS;
        /// Threads for the remote log of followers.
        Int "remote.log.manager.follower.thread.pool.size" = "2", at_least(1),
            ClusterWide, Medium => NO_TIERS;
        /// How often the remote log tasks run.
        Long "remote.log.manager.task.interval.ms" = "30000", at_least(1),
            ReadOnly, Low => NO_TIERS;
        /// Longest pause after a failed remote log task.
        Long "remote.log.manager.task.retry.backoff.max.ms" = "30000", at_least(1),
            ReadOnly, Low internal => NO_TIERS;
        /// Pause after a failed remote log task.
        Long "remote.log.manager.task.retry.backoff.ms" = "500", at_least(1),
            ReadOnly, Low internal => NO_TIERS;
        /// Jitter of the pause after a failed remote log task.
        Double "remote.log.manager.task.retry.jitter" = "0.2", Check::DoubleBetween(0.0, 0.5),
            ReadOnly, Low internal => NO_TIERS;
        /// Threads that schedule the remote log tasks.
        Int "remote.log.manager.thread.pool.size" = "2", at_least(1), ReadOnly, Medium => NO_TIERS;
        /// Largest custom metadata of a remote segment.
        Int "remote.log.metadata.custom.metadata.max.bytes" = "128", at_least(0),
            ReadOnly, Low => NO_TIERS;
        /// The Java class that keeps the metadata of remote segments.
        String "remote.log.metadata.manager.class.name" = "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
            Check::NonEmpty, ReadOnly, Medium => NO_TIERS;
        /// Where the class that keeps remote metadata is found.
        String "remote.log.metadata.manager.class.path" = null, Check::Any,
            ReadOnly, Medium => NO_TIERS;
        /// Prefix of the settings of the class that keeps remote metadata.
        String "remote.log.metadata.manager.impl.prefix" = "rlmm.config.", Check::NonEmpty,
            ReadOnly, Medium => NO_TIERS;
        /// Listener the class that keeps remote metadata connects to.
        String "remote.log.metadata.manager.listener.name" = null, Check::NonEmpty,
            ReadOnly, Medium => NO_TIERS;
        /// Most reads of remote storage that wait.
        Int "remote.log.reader.max.pending.tasks" = "100", at_least(1),
            ReadOnly, Medium => NO_TIERS;
        /// Threads that read remote storage.
        Int "remote.log.reader.threads" = "10", at_least(1), ClusterWide, Medium => NO_TIERS;
        /// The Java class that stores remote segments.
        String "remote.log.storage.manager.class.name" = null, Check::NonEmpty,
            ReadOnly, Medium => NO_TIERS;
        /// Where the class that stores remote segments is found.
        String "remote.log.storage.manager.class.path" = null, Check::Any,
            ReadOnly, Medium => NO_TIERS;
        /// Prefix of the settings of the class that stores remote segments.
        String "remote.log.storage.manager.impl.prefix" = "rsm.config.", Check::NonEmpty,
            ReadOnly, Medium => NO_TIERS;
        /// Whether segments move to remote storage.
        Boolean "remote.log.storage.system.enable" = "false", Check::Any,
            ReadOnly, Medium => NO_TIERS;
    }
}
