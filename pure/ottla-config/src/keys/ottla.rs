//! Keys that Kafka does not have.

use crate::check::{Check, at_least};
use crate::value::FlushMode;

/// Kafka's names of the levels, the first of which is level 7.
pub const METADATA_VERSIONS: &[&str] = &[
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2",
    "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0",
    "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
    "4.4-IV0", "4.4-IV1", "4.4-IV2",
];

/// The level of which this is Kafka's name.
pub fn metadata_version_level(name: &str) -> Option<i16> {
    let at = METADATA_VERSIONS.iter().position(|known| *known == name)?;
    i16::try_from(at).ok().map(|at| at + METADATA_VERSION_FIRST)
}

const METADATA_VERSION_FIRST: i16 = 7;

keys! {
    /// Ottla's own keys, all under `ottla.`.
    OttlaConfig in Broker;
    fields {
        /// When a record may be acknowledged: `wal` waits until it is on stable storage, `none`
        /// leaves that to the operating system, as Kafka does.
        flush: FlushMode = "wal", Check::OneOf(&["wal", "none"]), "ottla.flush", ReadOnly, High;
        /// Largest size of the write-ahead log. It bounds how long a start after a crash takes.
        wal_size_max: i64 = "1073741824", at_least(268_435_456), "ottla.wal.size.max",
            ReadOnly, Medium;
        /// Memory for requests, write buffers and caches together; -1 takes a quarter of the
        /// machine's, and no more than 1 GiB.
        memory_budget: i64 = "-1", at_least(-1), "ottla.memory.budget", ReadOnly, High;
        /// Id of the cluster that is made in an empty data directory; a random one where this is not
        /// set. A directory that has data must be of this cluster.
        cluster_id: Option<String> = null, Check::NonEmpty, "ottla.cluster.id", ReadOnly, Low;
        /// Level of metadata.version that a new cluster starts with: a lower one where nodes of an
        /// older Apache Kafka are to join it, 4.3-IV0 for Kafka 4.3.
        metadata_version: String = "4.4-IV2", Check::OneOf(METADATA_VERSIONS),
            "ottla.metadata.version", ReadOnly, Low;
    }
    shared {}
    accepted {}
}
