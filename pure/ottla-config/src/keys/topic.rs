//! Keys of what a new topic gets, and the codecs of the log.

use crate::check::{Check, at_least, between};
use crate::keys::reason::NO_JVM;

keys! {
    /// What a new topic gets, and the codecs of the log.
    TopicDefaults in Broker;
    fields {
        /// Partitions of a topic created without a number.
        num_partitions: i32 = "1", at_least(1), "num.partitions", ReadOnly, Medium;
        /// Replicas of a topic created without a number. Ottla clamps it to the live brokers when
        /// a topic is made automatically.
        default_replication_factor: i32 = "1", Check::Any, "default.replication.factor",
            ReadOnly, Medium;
        /// Whether a topic springs into being when it is first asked for.
        auto_create_topics_enable: bool = "true", Check::Any, "auto.create.topics.enable",
            ReadOnly, High;
        /// Whether topics may be deleted.
        delete_topic_enable: bool = "true", Check::Any, "delete.topic.enable", ReadOnly, High;
    }
    shared {
        /// Largest record batch, after compression.
        Int "message.max.bytes" = "1048588", at_least(0), ClusterWide, High;
        /// Largest record batch, after decompression.
        Int "max.decompressed.message.bytes" = "2147483639", between(1, 2_147_483_639),
            ClusterWide, Medium;
        /// Codec of the log: producer keeps what the producer chose.
        String "compression.type" = "producer",
            Check::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
            ClusterWide, High;
        /// Level at which the log compresses with gzip.
        Int "compression.gzip.level" = "-1", Check::GzipLevel, ClusterWide, Medium;
        /// Level at which the log compresses with lz4.
        Int "compression.lz4.level" = "9", between(1, 17), ClusterWide, Medium;
        /// Level at which the log compresses with zstd.
        Int "compression.zstd.level" = "3", between(-131_072, 22), ClusterWide, Medium;
    }
    accepted {
        /// A Java class that may refuse new topics.
        Class "create.topic.policy.class.name" = null, Check::Any, ReadOnly, Low => NO_JVM;
        /// A Java class that may refuse changes of configuration.
        Class "alter.config.policy.class.name" = null, Check::Any, ReadOnly, Low => NO_JVM;
    }
}
