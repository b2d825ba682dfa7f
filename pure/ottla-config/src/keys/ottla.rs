//! Keys that Kafka does not have.

use crate::check::{Check, at_least};
use crate::value::FlushMode;

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
    }
    shared {}
    accepted {}
}
